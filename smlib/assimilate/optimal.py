"""Optimal interpolation: x_a = x_f + B H' (H B H' + R)^-1 (y - H x_f), with B a fitted function of distance.

H picks the observed cells, R = noise^2 I. Symbols and shapes are those of `smlib.assimilate`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import curve_fit
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from threadpoolctl import ThreadpoolController

from smlib.assimilate.nudging import checked_observations, positions

# Threads would change the last bits, and on small systems they mostly wait for each other.
one_thread = ThreadpoolController().wrap(limits=1, user_api="blas")

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


def checked_noise(noise, count, each="members"):
    """`noise` as (count,); an error unless it is 0 or more and there is one, or one for `each`."""
    noise = np.asarray(noise, float)
    if noise.shape not in ((), (count,)):
        raise ValueError(f"noise must be one number or one for each of {count} {each}, not of shape {noise.shape}")
    if not (noise >= 0).all():
        raise ValueError(f"noise must be 0 or more, not {noise}")
    return np.broadcast_to(noise, count)


def alike(*keys):
    """Lists of the members that agree in all of `keys`, arrays whose first axis is the member."""
    groups = {}
    for member, key in enumerate(zip(*keys, strict=True)):
        groups.setdefault(tuple(np.asarray(part).tobytes() for part in key), []).append(member)
    return list(groups.values())


class GriddedCovariance:
    """B between the valid cells of a regular grid: it depends on the offset alone, so one row holds all of it.

    Cells are numbered along rows of double width (`number`), in which two numbers' difference says how many rows and
    columns apart the cells are. `row` is B by that difference, negative ones last, where negative indices find them;
    so B w is a circular convolution.
    """

    def __init__(self, covariance, valid, spacing=(1.0, 1.0)):
        (y, x), (ny, nx) = np.nonzero(valid), valid.shape
        width = 2 * nx - 1
        self.number = y * width + x
        self.size = next_fast_len(width * (2 * ny - 1), real=True)
        apart = (np.arange(self.size) + self.size // 2) % self.size - self.size // 2
        dx = (apart + nx - 1) % width - (nx - 1)
        dy = (apart - dx) // width
        self.row = covariance(np.hypot(dy * spacing[0], dx * spacing[1]))
        self.spectrum = rfft(self.row)

    def between(self, one, other):
        """Covariance of the cells `one` and `other`, two sets of indices that broadcast."""
        return self.row[self.number[one] - self.number[other]]

    def times(self, w, cells):
        """(cell,) B w, for w 0 but on these cells."""
        field = np.zeros(self.size)
        field[self.number[cells]] = w
        return irfft(self.spectrum * rfft(field), self.size)[self.number]


class OptimalInterpolation:
    """The analysis above. Each cell takes all observations, or its `nearest` ones (24, say).

    All is the exact solution, and the faster one up to two thousand observations or so. Members that share the day's
    mask and the noise share the factorisation; what comes out for a member depends on no other, to the last bit.

    `noise` is the standard deviation of the observations, m3 m-3, one number or one for each member; it may be 0, as
    no two observations share a cell.
    """

    def __init__(self, covariance, valid, noise, spacing=(1.0, 1.0), nearest=None):
        self.valid, self.noise, self.nearest = valid, noise, nearest
        self.places, self.B = positions(valid, spacing), GriddedCovariance(covariance, valid, spacing)
        # A billionth of the variance: a smooth covariance without noise is singular to rounding.
        self.jitter = 1e-9 * covariance.variance

    @one_thread
    def __call__(self, x_f, y, observed):
        """x_a (member, y, x)."""
        y, weight = checked_observations(x_f, y, observed)
        noise, seen = checked_noise(self.noise, len(x_f)), weight[:, self.valid] > 0
        x_a = x_f.copy()
        for members in alike(noise, seen):
            cells = np.flatnonzero(seen[members[0]])
            if cells.size:
                K = self._gain(cells, noise[members[0]] ** 2 + self.jitter)
                for member in members:
                    x_a[member, self.valid] += K((y[member] - x_f[member])[self.valid][cells])
        return x_a

    def _gain(self, cells, R):
        """K = B H' (H B H' + R)^-1, a function: innovation (observation,) of these cells -> increment (cell,)."""
        if self.nearest is None or self.nearest >= len(cells):
            S = self.B.between(cells[:, None], cells)
            np.fill_diagonal(S, S[0, 0] + R)
            factor = cho_factor(S.T, overwrite_a=True, check_finite=False)  # S is its own transpose
            return lambda innovation: self.B.times(cho_solve(factor, innovation, check_finite=False), cells)
        near = cKDTree(self.places[cells]).query(self.places, range(1, self.nearest + 1))[1]  # (cell, nearest)
        cells = cells[near]
        S = self.B.between(cells[:, :, None], cells[:, None]) + R * np.eye(self.nearest)
        weights = np.linalg.solve(S, self.B.between(cells, np.arange(len(cells))[:, None])[..., None])[..., 0]
        return lambda innovation: np.sum(weights * innovation[near], axis=1)


class Kriging(OptimalInterpolation):
    """Simple kriging about the mean of the day's observations: optimal interpolation with no forecast, no memory."""

    def __call__(self, x_f, y, observed):
        """x_a (member, y, x); the background on a day without observations."""
        y, weight = checked_observations(x_f, y, observed)
        seen = (weight > 0) & self.valid
        count = seen.sum((1, 2), keepdims=True)
        mean = np.where(seen, y, 0).sum((1, 2), keepdims=True) / np.maximum(count, 1)
        return super().__call__(np.where(count > 0, mean, x_f).astype(x_f.dtype), y, seen)
