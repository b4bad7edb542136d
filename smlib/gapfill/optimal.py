"""Optimal interpolation in time, as a Kalman filter and smoother of all cells at once."""

import numpy as np
from scipy.optimize import minimize

from smlib.gapfill.baselines import Filler


class OptimalInterpolation(Filler):
    """Gaussian process in time about the cell's training mean: covariance sill exp(-d / length), and noise.

    Of the anomaly divided by the cell's training sd. The three parameters are those of greatest likelihood on training
    days, the same for all cells, unless given. A process with this covariance is Markov (Ornstein-Uhlenbeck), so a
    Kalman filter and Rauch-Tung-Striebel smoother give what the inverse of its covariance matrix would, in linear time.

    Parameters
    ----------
    smooth : bool
        False: a filter, which uses nothing later than the day itself.
    parameters : (sill, length, noise), optional
        Variance of the signal, time scale (days), variance of the noise; the variances in units of the cell's variance.
    """

    def __init__(self, smooth=True, parameters=None):
        self.smooth, self.causal, self.parameters = smooth, not smooth, parameters

    def _fit(self, train, forcing, rng):
        self.parameters_ = self.parameters
        if self.parameters is None:
            full = np.flatnonzero(np.isfinite(train).sum(1) >= 10)
            some = rng.permutation(full)[:100] if full.size else np.arange(len(train))
            z = ((train - self.mean_[:, None]) / self.sd_[:, None])[some]
            best = minimize(lambda log: kalman(z, *np.exp(log))[-1], np.log([0.8, 10.0, 0.2]), method="Nelder-Mead",
                            bounds=[(-5, 3), (-2, 6), (-9, 2)], options={"xatol": 0.01, "fatol": 0.1})
            self.parameters_ = tuple(np.exp(best.x).tolist())

    def _estimate(self, series, forcing):
        z = (series - self.mean_[:, None]) / self.sd_[:, None]
        mean, var = (smoothed if self.smooth else kalman)(z, *self.parameters_)[:2]
        sd = np.sqrt(var + self.parameters_[2])  # of what a sensor would report, noise and all
        return self.mean_[:, None] + self.sd_[:, None] * mean, self.sd_[:, None] * sd


def kalman(z, sill, length, noise):
    """Mean and variance (cell, time) given the days up to each one, and minus the log-likelihood of what was seen."""
    fade = np.exp(-1 / length)
    mean, var, loss = np.empty_like(z), np.empty_like(z), 0.0
    m, p = np.zeros(len(z)), np.full(len(z), float(sill))
    for t, (value, seen) in enumerate(zip(z.T, np.isfinite(z).T, strict=True)):
        if t:
            m, p = fade * m, fade**2 * p + sill * (1 - fade**2)
        missed = np.where(seen, value - m, 0.0)
        gain = np.where(seen, p / (p + noise), 0.0)
        loss += 0.5 * np.sum(np.where(seen, np.log(2 * np.pi * (p + noise)) + missed**2 / (p + noise), 0.0))
        m, p = m + gain * missed, (1 - gain) * p
        mean[:, t], var[:, t] = m, p
    return mean, var, loss


def smoothed(z, sill, length, noise):
    """Mean and variance (cell, time) given all days (Rauch, Tung and Striebel 1965)."""
    mean, var, _ = kalman(z, sill, length, noise)
    fade = np.exp(-1 / length)
    for t in range(z.shape[1] - 2, -1, -1):
        prior = fade**2 * var[:, t] + sill * (1 - fade**2)
        gain = fade * var[:, t] / prior
        mean[:, t] += gain * (mean[:, t + 1] - fade * mean[:, t])
        var[:, t] += gain**2 * (var[:, t + 1] - prior)
    return mean, var
