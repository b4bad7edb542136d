"""The local ensemble transform Kalman filter (Hunt et al. 2007), over any ensemble of forecasts.

An ensemble is a run of neighbours on the member axis: members 0 ... n-1 are the first setting's, the next n the
second's. The square root is deterministic: no perturbed observations, no seed. DAPPER has the same analysis, but
pins Jupyter's notebook below 7 and brings a dozen packages that nothing else here needs.
"""

import numpy as np

from smlib.assimilate.nudging import between, checked_observations, positions
from smlib.assimilate.optimal import checked_noise


def gaspari_cohn(distance, radius):
    """Correlation that looks Gaussian and is 0 from 2 `radius` on (after Gaspari and Cohn 1999)."""
    r = np.abs(distance) / radius
    inner = 1 - 5 / 3 * r**2 + 5 / 8 * r**3 + r**4 / 2 - r**5 / 4
    outer = 4 - 5 * r + 5 / 3 * r**2 + 5 / 8 * r**3 - r**4 / 2 + r**5 / 12 - 2 / (3 * np.maximum(r, 1))
    return np.where(r <= 1, inner, np.where(r < 2, outer, 0))


class EnKF:
    """Analysis of ensembles of `size` members; each cell sees the observations within 2 `radius` of it.

    Parameters
    ----------
    size : members of an ensemble, 2 or more
    noise : standard deviation of the observations, m3 m-3, one number or one an ensemble; above 0: an ensemble cannot
        fit perfect observations, so give what the grid and the forecast leave unresolved where the observations
        themselves are perfect
    radius : of `gaspari_cohn`, in the unit of `spacing`; infinite for none. It divides the noise variance of far
        observations.
    inflation : factor on the background's deviations from its mean
    """

    def __init__(self, size, valid, noise, radius=np.inf, spacing=(1.0, 1.0), inflation=1.0):
        if size < 2 or not np.min(noise) > 0:
            raise ValueError(f"an ensemble of 2 or more and noise above 0 are needed, not {size} and {noise}")
        self.size, self.valid, self.noise, self.inflation = size, valid, noise, inflation
        self.rho = between(positions(valid, spacing), 2 * radius, lambda distance: gaspari_cohn(distance, radius))

    def __call__(self, x_f, y, observed):
        """x_a (member, y, x)."""
        if len(x_f) % self.size:
            raise ValueError(f"{len(x_f)} members are no whole number of ensembles of {self.size}")
        y, weight = checked_observations(x_f, y, observed)
        x_a = x_f.copy()
        for ensemble, noise in enumerate(checked_noise(self.noise, len(x_f) // self.size, "ensembles")):
            one = slice(ensemble * self.size, (ensemble + 1) * self.size)
            seen = weight[one.start][self.valid] > 0
            if seen.any():
                x_a[one, self.valid] = self._transform(x_f[one, self.valid].T.astype(float),
                                                       y[one.start][self.valid][seen], seen, noise).T
        return x_a

    def _transform(self, E, y, seen, noise):
        """(cell, size) analysis ensemble of the background ensemble `E` (after Hunt et al. 2007)."""
        k, rho = self.size, self.rho[seen].T  # (cell, observation), as rho is symmetric
        near = np.bincount(rho.indices, minlength=len(E)) > 0  # the other cells stay as they are, to the last bit
        mean = E.mean(1, keepdims=True)
        X = self.inflation * (E - mean)
        Y, innovation = X[seen], y - mean[seen, 0]
        RY = Y / noise**2
        row, column = np.tril_indices(k)  # eigh reads no more
        A = np.zeros((near.sum(), k, k))
        A[:, row, column] = (rho @ (Y[:, row] * RY[:, column]))[near]
        A += (k - 1) * np.eye(k)
        values, V = np.linalg.eigh(A)
        # In eigenvectors: w = V diag(1 / values) V' Y' R^-1 innovation, W = V diag(sqrt((k - 1) / values)) V'.
        XV = np.einsum("ci,cij->cj", X[near], V)
        Vw = np.einsum("ci,cij->cj", (rho @ (RY * innovation[:, None]))[near], V) / values
        XW = np.einsum("cj,cij->ci", XV * np.sqrt((k - 1) / values), V)
        analysis = E.copy()
        analysis[near] = mean[near] + (XV * Vw).sum(1, keepdims=True) + XW
        return analysis


def initial_ensemble(window, anomalies, size, scale=1.0, seed=0):
    """(size, lookback, y, x): windows that start from as many states, each the window plus another training anomaly.

    `window` is (lookback, y, x), `anomalies` (time, y, x). The anomalies are drawn without repetition, whole days
    only, and less their mean, so that the ensemble's mean is the window; `scale` shrinks them.
    """
    drawn = _drawn(anomalies, np.isfinite(window).all(0), size, np.random.default_rng(seed))
    return (window + scale * drawn[:, None]).astype(window.dtype)


def _drawn(fields, needed, size, rng):
    """(size, y, x): other days of `fields` (time, y, x) that miss no value on `needed` cells, less their mean."""
    whole = np.flatnonzero(np.isfinite(fields[:, needed]).all(1))
    if len(whole) < size:
        raise ValueError(f"{len(whole)} training days without gaps are too few for {size} members")
    drawn = fields[rng.choice(whole, size, replace=False)]
    return drawn - drawn.mean(0)


class ModelError:
    """A forecast plus what it misses in a day, so that an ensemble of a deterministic model keeps its spread.

    Every member gets another day of training residuals (time, y, x), truth less one-day forecast, drawn anew at each
    call; all settings get the same draws, so that they differ in nothing else. Take a new object for each roll-out.
    """

    def __init__(self, model, residuals, size, valid, scale=1.0, seed=0):
        self.model, self.residuals, self.size, self.valid, self.scale = model, residuals, size, valid, scale
        self.rng = np.random.default_rng(seed)

    def forecast(self, window):
        """x_f (member, y, x)."""
        x_f = self.model.forecast(window)
        drawn = self.scale * _drawn(self.residuals, self.valid, self.size, self.rng)
        return (x_f + np.tile(drawn, (len(x_f) // self.size, 1, 1))).astype(x_f.dtype)


def ensemble_mean(fields, size):
    """Means over the ensembles of (..., member, y, x): (..., member / size, y, x)."""
    *days, members, ny, nx = fields.shape
    return fields.reshape(*days, members // size, size, ny, nx).mean(-3)
