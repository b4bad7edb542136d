"""Verification metrics over named dims, from xskillscore where it has them.

Every metric is ``metric(forecast, observed, dim, missing="raise")``: labelled arrays of the same units, the dim or dims
to score over, and a rule for missing values. ``raise`` makes any NaN an error; ``drop`` leaves out the pairs in which
either is NaN. `foundations/metrics` in the book gives the equations.
"""

import functools

import numpy as np


def _xskillscore():
    """The library, when a metric is taken: its import compiles for seconds what no metric here needs."""
    import xskillscore

    return xskillscore


def _with_missing_rule(metric):
    @functools.wraps(metric)
    def checked(forecast, observed, dim, missing="raise"):
        if missing not in ("raise", "drop"):
            raise ValueError(f"missing must be 'raise' or 'drop', not {missing!r}")
        valid = forecast.notnull() & observed.notnull()
        if missing == "raise" and not bool(valid.all()):
            raise ValueError(f"{int((~valid).sum())} of {valid.size} pairs miss a value; missing='drop' drops them")
        return metric(forecast.where(valid), observed.where(valid), dim)
    return checked


@_with_missing_rule
def r2(forecast, observed, dim):
    """R2, the coefficient of determination 1 - MSE / var(observed); not the square of r. Dimensionless, up to 1."""
    return _xskillscore().r2(observed, forecast, dim, skipna=True)


@_with_missing_rule
def rmse(forecast, observed, dim):
    """Root mean square error, in the units of the data."""
    return _xskillscore().rmse(forecast, observed, dim, skipna=True)


@_with_missing_rule
def mae(forecast, observed, dim):
    """Mean absolute error, in the units of the data."""
    return _xskillscore().mae(forecast, observed, dim, skipna=True)


@_with_missing_rule
def bias(forecast, observed, dim):
    """Mean of forecast minus observed, in the units of the data."""
    return _xskillscore().me(forecast, observed, dim, skipna=True)


@_with_missing_rule
def ubrmse(forecast, observed, dim):
    """Unbiased RMSE (Entekhabi et al. 2010, Eq. 4): the RMSE of the anomalies, so RMSE^2 = ubRMSE^2 + bias^2."""
    return (forecast - observed).std(dim)


def _correlation(forecast, observed, dim):
    # Of a constant, rounding would leave some small number; there is no correlation.
    varies = (forecast.max(dim) > forecast.min(dim)) & (observed.max(dim) > observed.min(dim))
    return _xskillscore().pearson_r(forecast, observed, dim, skipna=True).where(varies)


@_with_missing_rule
def pearson_r(forecast, observed, dim):
    """Pearson's correlation coefficient r; missing where either side is constant."""
    return _correlation(forecast, observed, dim)


@_with_missing_rule
def kge(forecast, observed, dim):
    """Kling-Gupta efficiency (Gupta et al. 2009, Eq. 9): 1 - the length of (r - 1, sd ratio - 1, mean ratio - 1)."""
    r = _correlation(forecast, observed, dim)
    alpha = forecast.std(dim) / observed.std(dim)
    beta = forecast.mean(dim) / observed.mean(dim)
    return 1 - np.sqrt((r - 1) ** 2 + (alpha - 1) ** 2 + (beta - 1) ** 2)


METRICS = {"R2": r2, "RMSE": rmse, "ubRMSE": ubrmse, "MAE": mae, "bias": bias, "r": pearson_r, "KGE": kge}
