"""Scores of corrected products, pooled over cells and days or by cell, with 95 % intervals.

Errors of a cell are alike from day to day, and errors of a day from cell to cell. So a draw resamples cells and, at
once, blocks of days (the pigeonhole bootstrap, Owen 2007, with blocks for its columns); a pair counts as often as its
cell times its day. Owen shows that this errs on the side of too wide. But few cells cannot tell how cells differ. Where
they differ as much as days do, intervals of 15 or more cells hold the true bias and RMSE nine times in ten or oftener,
of 4 cells three times in four, of 2 three times in five; of one cell they say nothing of others.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from smlib.data.schema import DataError
from smlib.evaluate.bootstrap import BLOCK_DAYS, block_weights

METRICS = ("R", "MAE", "RMSE", "ubRMSE", "bias")


def score(forecast, observed, draws=500, seed=0, block=BLOCK_DAYS):
    """Metrics over all cell-days on which both are finite, pooled: differences between cells count.

    Parameters
    ----------
    forecast, observed : (cell, day), m3 m-3, NaN where missing
    draws, block : number of draws, and days in a block

    Returns
    -------
    dict of metric -> (value, low, high)
        R (Pearson's), MAE, RMSE, ubRMSE, bias (forecast minus observed), and ``n``, the number of pairs, without an
        interval. NaN where a metric is not defined: R of what does not vary, all of none.
    """
    pairs, (f, o) = _common(forecast, observed)
    n = int(pairs.sum())
    if not n:
        return dict.fromkeys(METRICS, (np.nan,) * 3) | {"n": (0, np.nan, np.nan)}
    moments = _moments(f, o, pairs, centre=o[pairs].mean())
    plain, drawn = (_metrics(*totals) for totals in _totals(moments, draws, seed, block))
    if not (np.ptp(f[pairs]) > 0 and np.ptp(o[pairs]) > 0):  # rounding would leave some small number
        plain["R"] = drawn["R"] = np.full(1, np.nan)
    return {name: _interval(plain[name], drawn[name]) for name in METRICS} | {"n": (n, np.nan, np.nan)}


def compare(forecast, reference, observed, draws=500, seed=0, block=BLOCK_DAYS):
    """Skill 1 - MSE / MSE of the reference on the cell-days that all three have: (value, low, high).

    Both are drawn together, so the interval is that of the difference between them; above 0 the forecast is better.
    """
    pairs, (f, r, o) = _common(forecast, reference, observed)
    if not pairs.any():
        return (np.nan,) * 3
    squares = np.where(pairs, np.stack([f - o, r - o]), 0) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        plain, drawn = (1 - ours / theirs for ours, theirs in _totals(squares, draws, seed, block))
    return _interval(plain, drawn)


def cells_in_common(*arrays):
    """How many cells have a day on which all (cell, day) arrays are finite: that many can be drawn for an interval."""
    return len(_common(*arrays)[0])


def by_cell(forecast, observed, least=30):
    """Metrics of each cell over its own days.

    Returns
    -------
    DataFrame
        Columns cell (the row in the arrays), n (pairs), r, mae, rmse, ubrmse, bias; cells with fewer than `least` pairs
        are left out, r is NaN where a side does not vary.
    """
    pairs, (f, o) = _common(forecast, observed, trim=False)
    n = pairs.sum(1)
    centre = np.where(pairs, o, 0).sum(1, keepdims=True) / np.maximum(n, 1)[:, None]
    found = _metrics(*_moments(f, o, pairs, centre).sum(-1))
    varies = np.ones(len(n), bool)
    for side in (f, o):
        varies &= np.where(pairs, side, -np.inf).max(1) > np.where(pairs, side, np.inf).min(1)
    found["R"] = np.where(varies, found["R"], np.nan)
    table = pd.DataFrame({"cell": np.arange(len(n)), "n": n} | {name.lower(): found[name] for name in METRICS})
    return table[n >= max(least, 1)].reset_index(drop=True)


def _common(*arrays, trim=True):
    """Where all are finite, and the arrays; cut to the cells and days with any such pair where `trim`."""
    arrays = [np.asarray(a, float) for a in arrays]
    if arrays[0].ndim != 2 or len({a.shape for a in arrays}) > 1:
        raise DataError(f"{[a.shape for a in arrays]} are not all the same (cell, day)", variable="soil_moisture")
    pairs = np.isfinite(arrays).all(0)
    if trim:  # a draw of cells or days without pairs would draw nothing
        some = np.ix_(pairs.any(1), pairs.any(0))
        pairs, arrays = pairs[some], [a[some] for a in arrays]
    return pairs, arrays


def _moments(f, o, pairs, centre):
    """(8, cell, day) of which every metric is a function; 0 where there is no pair."""
    f, o = np.where(pairs, f - centre, 0), np.where(pairs, o - centre, 0)  # centred: variances clear of cancellation
    e = f - o
    return np.stack([pairs.astype(float), f, o, f * f, o * o, f * o, np.abs(e), e * e])


def _metrics(n, f, o, ff, oo, fo, absolute, squares):
    """The metrics from sums of the moments; NaN where there is no pair."""
    with np.errstate(divide="ignore", invalid="ignore"):
        f, o, ff, oo, fo, absolute, squares = (total / n for total in (f, o, ff, oo, fo, absolute, squares))
        spread = np.sqrt(np.maximum(ff - f**2, 0) * np.maximum(oo - o**2, 0))
        return {"R": (fo - f * o) / spread, "MAE": absolute, "RMSE": np.sqrt(squares),
                "ubRMSE": np.sqrt(np.maximum(squares - (f - o) ** 2, 0)), "bias": f - o}


@lru_cache(maxsize=16)
def resampling(cells, days, draws, seed, block=BLOCK_DAYS):
    """Weights of cells (draw, cell) and of days (draw, day), each row summing to 1; kept for the next call."""
    by_chance = np.random.default_rng([seed, 1]).multinomial(cells, np.full(cells, 1 / cells), draws) / cells
    return by_chance, block_weights(days, draws, block, seed)


def _totals(moments, draws, seed, block):
    """Sums of (k, cell, day) moments: (k, 1) over all, and (k, draw) in every draw."""
    k, cells, days = moments.shape
    of_cells, of_days = resampling(cells, days, draws, seed, block)
    by_days = (moments.reshape(k * cells, days) @ of_days.T).reshape(k, cells, draws)
    return moments.sum((1, 2))[:, None], np.einsum("kcd,dc->kd", by_days, of_cells)


def _interval(plain, drawn):
    """(value, low, high); no interval where more than 1 % of the draws are not defined."""
    value, defined = float(plain[0]), np.isfinite(drawn)
    if not np.isfinite(value) or defined.mean() <= 0.99:
        return (value if np.isfinite(value) else np.nan, np.nan, np.nan)
    return (value, *map(float, np.percentile(drawn[defined], [2.5, 97.5])))
