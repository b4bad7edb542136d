"""Scores of daily fields, pooled over cells and days, from sums over the cells of each day.

Statistic and aggregation are separate: a day leaves eight sums, which add up over days; every metric is a function of
them. So daily, pooled and resampled scores come from the same numbers, and no field needs to be kept to be scored.
"""

from functools import lru_cache

import numpy as np

from smlib.evaluate.bootstrap import block_weights

# What a day leaves: the number of pairs, and their sums; f forecast and o observed, both less a fixed centre.
SUMS = ("n", "f", "o", "ff", "oo", "fo", "ae", "se")
FIELD_METRICS = ("MSE", "MAE", "R2", "RMSE", "ubRMSE", "r", "bias")


def day_sums(forecast, observed, where, centre=0.0):
    """(member, 8) sums `SUMS` over the cells of one day.

    Parameters
    ----------
    forecast : (member, y, x), m3 m-3; not NaN where it is scored
    observed : (y, x), m3 m-3; where it is NaN nothing is scored
    where : (y, x) or (member, y, x) bool, the cells that count
    centre : a value near the mean of the observed, so that variances do not suffer from cancellation

    Raises
    ------
    ValueError
        If shapes do not fit, or the forecast misses a value that counts.
    """
    if forecast.shape[1:] != observed.shape or where.shape not in (forecast.shape, observed.shape):
        raise ValueError(f"forecast {forecast.shape}, observed {observed.shape} and where {where.shape} do not fit")
    counted = np.broadcast_to(where & np.isfinite(observed), forecast.shape)
    f, o = (np.where(counted, values, centre).astype(float) - centre for values in (forecast, observed))
    if np.isnan(f).any():
        raise ValueError(f"the forecast misses {int(np.isnan(f).sum())} values in cells that are scored")
    e = f - o
    return np.stack([counted.sum((1, 2)), *(v.sum((1, 2)) for v in (f, o, f * f, o * o, f * o, np.abs(e), e * e))], -1)


def field_metrics(sums):
    """Every metric of `FIELD_METRICS` from sums (..., 8): mapping of name -> (...); NaN without a pair.

    R2 is 1 - MSE / variance of the observed over all that was summed: pooled, if cells and days were summed.
    """
    n = sums[..., :1]
    with np.errstate(divide="ignore", invalid="ignore"):
        f, o, ff, oo, fo, mae, mse = np.moveaxis(np.where(n > 0, sums[..., 1:] / n, np.nan), -1, 0)
        spread_f, spread_o = np.maximum(ff - f**2, 0), np.maximum(oo - o**2, 0)
        return {"MSE": mse, "MAE": mae, "R2": np.where(spread_o > 0, 1 - mse / spread_o, np.nan), "RMSE": np.sqrt(mse),
                "ubRMSE": np.sqrt(np.maximum(mse - (f - o) ** 2, 0)),
                "r": np.where((spread_f > 0) & (spread_o > 0), (fo - f * o) / np.sqrt(spread_f * spread_o), np.nan),
                "bias": f - o}


@lru_cache(4)  # thousands of settings are scored on the same days
def _weights(days, draws, seed):
    """(draw, day) how often a day is drawn."""
    return days * block_weights(days, draws, seed=seed) if draws else np.zeros((0, days))


def field_scores(sums, references=None, draws=1000, seed=0):
    """Pooled metrics over the days of sums (day, 8), with 95 % intervals from blocks of days.

    Parameters
    ----------
    references : mapping of name -> sums (day, 8) of the same cells and days; adds ``skill_NAME`` = 1 - MSE / its MSE

    Returns
    -------
    list of dict
        With metric, value, low, high, n. An interval speaks of other days of the same region.
    """
    weights = _weights(len(sums), draws, seed)

    def metrics(total):
        found = field_metrics(total(sums))
        for name, reference in (references or {}).items():
            with np.errstate(divide="ignore", invalid="ignore"):
                found[f"skill_{name}"] = 1 - found["MSE"] / field_metrics(total(reference))["MSE"]
        return found

    drawn, n, rows = metrics(lambda s: weights @ s), int(sums[:, 0].sum()), []
    for metric, value in metrics(lambda s: s.sum(0)).items():
        defined = bool(np.isfinite(value))
        finite = drawn[metric][np.isfinite(drawn[metric])]
        bounded = defined and len(finite) > 0.99 * draws > 0
        low, high = np.percentile(finite, [2.5, 97.5]) if bounded else (np.nan, np.nan)
        rows.append({"metric": metric, "value": float(value) if defined else np.nan, "low": low, "high": high,
                     "n": n if defined else 0})
    return rows
