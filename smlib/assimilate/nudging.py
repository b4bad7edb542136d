"""Roll-outs with and without observations, and nudging: x_a = x_f + tau (y - x_f).

Symbols and shapes are those of `smlib.assimilate`.
"""

import numpy as np
from scipy.spatial import cKDTree

from smlib.assimilate.observations import check_valid


def cycle(model, window, days, valid, observe=None, analyse=None, feedback=True, about=None):
    """Forecast a day, correct it, and let the window move on by a day: yields (x_f, x_a) for each of `days` days.

    Parameters
    ----------
    model : has ``forecast(window) -> x_f``
    window : (member, lookback, y, x), finite on valid cells. Outside them the model sees 0, never NaN.
    observe, analyse : see `smlib.assimilate`; without them a free run, x_a = x_f
    feedback : True, the analysis enters the next window; False, the forecast does, and the analyses are those of a
        finished forecast
    about : (lookback + days, y, x), the climatology of the window's days and of the forecast's, or None. With it the
        model forecasts and the analysis corrects anomalies about it; what is yielded is moisture again.
    """
    valid, window = check_valid(valid), _checked(window, valid, days, about)
    lookback = window.shape[1]
    mean = np.zeros((lookback + days, *valid.shape), window.dtype) if about is None else about
    window = np.where(valid, window - mean[:lookback], 0).astype(window.dtype, copy=False)
    for day in range(days):
        x_f = np.where(valid, model.forecast(window), 0).astype(window.dtype, copy=False)
        x_a = x_f
        if analyse is not None:
            y, observed = observe(day)
            x_a = analyse(x_f, y - mean[lookback + day], np.where(valid, observed, 0))
        newest = x_a if feedback else x_f
        window = np.concatenate([window[:, 1:], newest[:, None]], axis=1)
        yield tuple(np.where(valid, x + mean[lookback + day], np.nan).astype(window.dtype) for x in (x_f, x_a))


def roll_out(model, window, days, valid, observe=None, analyse=None, feedback=True, about=None):
    """(day, member, y, x) analyses of `cycle`, NaN outside the valid cells; the free run without observations."""
    return np.stack([x_a for _, x_a in cycle(model, window, days, valid, observe, analyse, feedback, about)])


def correct(finished, valid, observe, analyse):
    """(day, member, y, x) analyses of a finished forecast (day, member, y, x): what feedback=False comes to.

    One free run serves all settings: `finished` may have a single member where `observe` has many.
    """
    analyses = []
    for day, x_f in enumerate(np.where(check_valid(valid), finished, 0)):
        y, observed = observe(day)
        x_f = np.broadcast_to(x_f, np.broadcast_shapes(x_f.shape, y.shape))
        analyses.append(np.where(valid, analyse(x_f, y, np.where(valid, observed, 0)), np.nan))
    return np.stack(analyses).astype(finished.dtype)


def _checked(window, valid, days, about):
    window = np.asarray(window)
    if window.ndim != 4 or window.shape[2:] != valid.shape:
        raise ValueError(f"window must be (member, lookback, {valid.shape[0]}, {valid.shape[1]}), not {window.shape}")
    if not np.isfinite(window[:, :, valid]).all():
        raise ValueError("the window misses values on valid cells: a forecast has to start from whole days")
    if about is not None:
        if about.shape != (window.shape[1] + days, *valid.shape):
            raise ValueError(f"about must be {(window.shape[1] + days, *valid.shape)}, not {about.shape}")
        if not np.isfinite(about[:, valid]).all():
            raise ValueError("the climatology misses values on valid cells")
    return window


def checked_tau(tau, members):
    """tau as (member, 1, 1); an error unless it lies in (0, 1] and there is one, or one a member."""
    tau = np.asarray(tau, float)
    if tau.shape not in ((), (members,)):
        raise ValueError(f"tau must be one number or one for each of {members} members, not of shape {tau.shape}")
    if not ((tau > 0) & (tau <= 1)).all():
        raise ValueError(f"tau must lie in (0, 1], not {tau}")
    return tau.reshape(-1, 1, 1)


def checked_observations(x_f, y, observed):
    """`y` and `observed` in the shape of the background: weight 0 and innovation 0 where there is no observation."""
    for name, array in (("observation", y), ("observed", observed)):
        if np.shape(array) not in (x_f.shape, x_f.shape[1:]):
            raise ValueError(f"{name} is {np.shape(array)}, the background {x_f.shape}")
    weight = np.broadcast_to(np.where(np.isfinite(y), observed, 0), x_f.shape).astype(float)
    if not ((weight >= 0) & (weight <= 1)).all():
        raise ValueError("observed must be bool, or weights from 0 to 1")
    return np.where(weight > 0, y, x_f), weight


def nudge(x_f, y, observed, tau):
    """x_a = x_f + tau (y - x_f) on observed cells, x_f elsewhere; with a weight w as `observed`, tau w for tau."""
    tau = checked_tau(tau, len(x_f))
    y, w = checked_observations(x_f, y, observed)
    # The same sum in the order that makes tau = 1 the observation and tau w = 0 the background to the last bit.
    return ((1 - tau * w) * x_f + tau * w * y).astype(x_f.dtype)


class Nudging:
    """`nudge` as an analysis: each observed cell by itself. tau = 1 is direct insertion."""

    def __init__(self, tau):
        self.tau = tau

    def __call__(self, x_f, y, observed):
        """x_a (member, y, x)."""
        return nudge(x_f, y, observed, self.tau)


def cressman(distance, radius):
    """Weight (R^2 - D^2) / (R^2 + D^2) inside the radius of influence R, 0 outside."""
    return np.where(distance < radius, (radius**2 - distance**2) / (radius**2 + distance**2), 0)


def gaussian(distance, radius):
    """Weight exp(-D^2 / 2 s^2) with s = R / 3, cut at the radius R (where it is 0.01)."""
    return np.where(distance < radius, np.exp(-0.5 * (3 * distance / radius) ** 2), 0)


WEIGHTS = {"cressman": cressman, "gaussian": gaussian}


def positions(valid, spacing=(1.0, 1.0)):
    """(cell, 2) places of the valid cells, in the unit of `spacing`, the size of a cell along y and x."""
    return np.argwhere(check_valid(valid)) * np.asarray(spacing, float)


def between(places, reach, weight):
    """Sparse (cell, cell) matrix of ``weight(distance)`` between places no further apart than `reach`."""
    tree = cKDTree(places)
    matrix = tree.sparse_distance_matrix(tree, reach, output_type="coo_matrix").tocsr()
    matrix.data = weight(matrix.data)
    matrix.eliminate_zeros()
    return matrix


class SpreadNudging:
    """Nudging whose increment spreads over the neighbours of an observation (after Stauffer and Seaman 1990).

    x_a(i) = x_f(i) + tau sum_j W_ij^2 (y_j - x_f(j)) / sum_j W_ij, where W_ij = w_xy(distance) w_t(age of j). The
    weight in time comes in as `observed` (see `Recent`); the vertical one and the quality factor are 1 here.

    `radius` has the unit of `spacing`: cells, unless given in km.
    """

    def __init__(self, tau, valid, radius, spacing=(1.0, 1.0), weight="cressman"):
        if weight not in WEIGHTS:
            raise ValueError(f"weight must be one of {', '.join(WEIGHTS)}, not {weight!r}")
        if not radius > 0:
            raise ValueError(f"radius must be positive, not {radius}")
        self.tau, self.valid = tau, check_valid(valid)
        self.w_xy = between(positions(valid, spacing), radius, lambda distance: WEIGHTS[weight](distance, radius))

    def __call__(self, x_f, y, observed):
        """x_a (member, y, x)."""
        tau = checked_tau(self.tau, len(x_f))[:, 0]
        y, w_t = checked_observations(x_f, y, observed)
        innovation, w_t = (y - x_f)[:, self.valid], w_t[:, self.valid]
        above = (self.w_xy.power(2) @ (w_t**2 * innovation).T).T
        below = (self.w_xy @ w_t.T).T
        x_a = x_f.copy()
        x_a[:, self.valid] += tau * np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return x_a


def w_t(age, span):
    """Weight in time: 1 to half the span, then falling to 0 at the span (days; Stauffer and Seaman 1990)."""
    return float(np.clip((span - age) / (span / 2), 0, 1))


class Recent:
    """Observations that stay for a while: each cell's latest one, `observed` being its weight w_t.

    Past days alone: a forecast has no tomorrow's observations, which Stauffer and Seaman also use.
    """

    def __init__(self, observe, span):
        if not span >= 1:
            raise ValueError(f"span must be a day or more, not {span}")
        self.observe, self.span = observe, span

    def __call__(self, day):
        """y and the weights of `observed`, in the shapes that `observe` gives."""
        y, observed = self.observe(day)
        weight = observed.astype(float)
        for age in range(1, min(day, int(np.ceil(self.span)) - 1) + 1):
            older, there = self.observe(day - age)
            fill = there & (weight == 0)
            y, weight = np.where(fill, older, y), np.where(fill, w_t(age, self.span), weight)
        return y, weight
