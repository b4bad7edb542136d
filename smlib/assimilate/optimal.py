"""Optimal interpolation: x_a = x_f + B H' (H B H' + R)^-1 (y - H x_f), with B a fitted function of distance.

H picks the observed cells, R = noise^2 I. Symbols and shapes are those of `smlib.assimilate`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from smlib.assimilate.nudging import checked_observations, positions

CORRELATIONS = {"exponential": lambda distance: np.exp(-distance),
                "gaussian": lambda distance: np.exp(-0.5 * distance**2)}


@dataclass(frozen=True)
class Covariance:
    """B between cells a distance apart: variance * correlation(distance / length), + nugget on the cell itself.

    Variance and nugget (what a cell shares with no neighbour) in (m3 m-3)^2, length in the unit of the spacing.
    """

    variance: float
    length: float
    nugget: float = 0.0
    shape: str = "exponential"

    def __call__(self, distance):
        """Covariance at these distances."""
        return self.variance * CORRELATIONS[self.shape](distance / self.length) + self.nugget * (distance == 0)


def fit_covariance(anomalies, valid, spacing=(1.0, 1.0), shape="exponential", cells=400, bins=25, seed=0):
    """The `Covariance` of training anomalies (time, y, x; NaN left out), by least squares over bins of distance.

    On `cells` random valid cells, up to half of the largest distance. For optimal interpolation with memory, hand in
    what the memory leaves: a(t) - rho a(t-1).
    """
    places = positions(valid, spacing)
    chosen = np.random.default_rng(seed).permutation(len(places))[:cells]
    a = np.asarray(anomalies)[:, valid][:, chosen].astype(float)
    there = np.isfinite(a).astype(float)
    a = np.nan_to_num(a)
    both = there.T @ there
    covariance = np.divide(a.T @ a, both, out=np.full_like(both, np.nan), where=both > 0)
    distance = cdist(places[chosen], places[chosen])
    pair = np.isfinite(covariance) & (distance > 0) & (distance <= distance.max() / 2)
    total = np.nanmean(np.diag(covariance))
    edges = np.histogram_bin_edges(distance[pair], bins)
    count = np.histogram(distance[pair], edges)[0]
    d, c = (np.histogram(distance[pair], edges, weights=v[pair])[0][count > 0] / count[count > 0]
            for v in (distance, covariance))
    if len(d) < 2:
        raise ValueError("too few pairs of cells to fit a covariance on")
    (share, length), _ = curve_fit(lambda d, share, length: share * CORRELATIONS[shape](d / length), d, c / total,
                                   p0=(0.9, distance.max() / 4), bounds=((0, 1e-6 * d[0]), (1, 100 * d[-1])))
    return Covariance(share * total, length, (1 - share) * total, shape)


class OptimalInterpolation:
    """The analysis above. Each cell takes all observations, or its `nearest` ones (24, say).

    All is the exact solution, and the faster one up to a thousand observations or so.

    `noise` is the standard deviation of the observations, m3 m-3; it may be 0, as no two observations share a cell.
    """

    def __init__(self, covariance, valid, noise, spacing=(1.0, 1.0), nearest=None):
        self.covariance, self.valid, self.noise, self.nearest = covariance, valid, noise, nearest
        self.places = positions(valid, spacing)

    def __call__(self, x_f, y, observed):
        """x_a (member, y, x)."""
        y, weight = checked_observations(x_f, y, observed)
        x_a = x_f.copy()
        for member in range(len(x_f)):
            seen = weight[member][self.valid] > 0
            if seen.any():
                innovation = (y[member] - x_f[member])[self.valid][seen]
                x_a[member, self.valid] += self._increment(self.places[seen], innovation)
        return x_a

    def _increment(self, places, innovation):
        """(cell,) B H' (H B H' + R)^-1 (y - H x_f)."""
        # A billionth of the variance: a smooth covariance without noise is singular to rounding.
        B, R = self.covariance, self.noise**2 + 1e-9 * self.covariance.variance
        if self.nearest is None or self.nearest >= len(places):
            S = B(cdist(places, places)) + R * np.eye(len(places))
            return B(cdist(self.places, places)) @ np.linalg.solve(S, innovation)
        distance, near = cKDTree(places).query(self.places, self.nearest)
        near = near.reshape(len(near), -1)
        apart = np.sqrt(sum((along[:, :, None] - along[:, None]) ** 2 for along in places.T[:, near]))
        S = B(apart) + R * np.eye(self.nearest)
        weights = np.linalg.solve(S, innovation[near][..., None])[..., 0]
        return np.sum(B(distance.reshape(near.shape)) * weights, axis=1)


class Kriging(OptimalInterpolation):
    """Simple kriging about the mean of the day's observations: optimal interpolation with no forecast, no memory."""

    def __call__(self, x_f, y, observed):
        """x_a (member, y, x); the background on a day without observations."""
        y, weight = checked_observations(x_f, y, observed)
        seen = (weight > 0) & self.valid
        count = seen.sum((1, 2), keepdims=True)
        mean = np.where(seen, y, 0).sum((1, 2), keepdims=True) / np.maximum(count, 1)
        return super().__call__(np.where(count > 0, mean, x_f).astype(x_f.dtype), y, seen)
