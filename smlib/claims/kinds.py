"""The tests by name. Each takes tables of runs and yields estimates that the claimed range is held against.

Every kind takes `where`, the selection that all its rows share (see `smlib.claims.rows.select`). Those that compare
take `a` and `b` (each a selection or a list of them: all pairs are compared), or `along` and `order` (each value of a
column with the next), and `each`, a list of selections: the comparison is made within each of them. Such a claim is
about all the comparisons at once. A selection may name another `page` or `table` than the claim's own. `units` is the
column that tells independent units apart, `called` what the page calls them, `least` how many there must be.
"""

import inspect
from typing import NamedTuple

import numpy as np
import pandas as pd

from smlib.claims.estimates import LEAST_UNITS, Estimate, Missing, apart, of_groups, of_interval, of_units
from smlib.claims.rows import contrasts, pair, select, words
from smlib.evaluate.bootstrap import block_weights
from smlib.evaluate.field_scores import SUMS, field_metrics
from smlib.evaluate.significance import diebold_mariano

LEAST_DAYS = 60
UNITS = {"r": "1", "R2": "1", "attention": "1", "shapley": "1", "tau": "1"}  # all else is moisture
MOISTURE = "m³ m⁻³"
RATIOS = {"R2": "(1 − R²)", "RMSE": "squared RMSE", "ubRMSE": "squared ubRMSE", "MSE": "MSE"}


def skill(log_ratio):
    """1 - ratio of two errors, of its logarithm."""
    return 1 - np.exp(log_ratio)


class Found(NamedTuple):
    """What a test found: `estimates` of the quantity named `quantity` in `unit`, and what their n counts."""

    estimates: list
    quantity: str
    unit: str
    counted: str


def better(tables, *, units, where=None, a=None, b=None, along=None, order=None, each=None, match=(), value="value",
           least=LEAST_UNITS, called=None):
    """1 - MSE of a / MSE of b (above 0: a has the smaller error), paired over independent units.

    From RMSE, ubRMSE (then without the bias), MSE, or R2, where (1 - R2) of a over that of b is the same ratio if both
    have the same days. The ratios are averaged geometrically, first over the rows of a unit that `match` tells apart,
    then over units, as in `smlib.evaluate.significance.site_ratio`; interval by Student's t of the logarithms.
    """
    called = called or f"{units}s"
    metric = _metric(where, value)
    if metric not in RATIOS:
        raise ValueError(f"better takes {', '.join(RATIOS)}, not {metric}")
    found = []
    for one, other, label in contrasts(a, b, along, order, each):
        both = _paired(tables, where, one, other, units, match, value)
        error = _squared(both, metric)
        if (error < 0).any(axis=None):
            raise ValueError(f"{metric} gives a negative squared error")
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(error["a"].where(error["a"] > 0) / error["b"].where(error["b"] > 0))
        found.append(of_units(_by_unit(ratio, units), skill, label, least, called))
    return Found(found, f"1 − ratio of {RATIOS[metric]}", "1", called)


def difference(tables, *, units, where=None, a=None, b=None, along=None, order=None, each=None, match=(), value="value",
               least=LEAST_UNITS, called=None):
    """Mean of a minus b, paired over independent units (after the mean over what `match` tells apart); Student's t."""
    called = called or f"{units}s"
    found = []
    for one, other, label in contrasts(a, b, along, order, each):
        both = _paired(tables, where, one, other, units, match, value)
        found.append(of_units(_by_unit(both["a"] - both["b"], units), label=label, least=least, units=called))
    metric = _metric(where, value)
    return Found(found, f"difference of {metric}", UNITS.get(metric, MOISTURE), called)


def change(tables, *, units, state, where=None, a, b, each=None, match=(), value="value", least=LEAST_UNITS,
           called=None):
    """Does a gain more than b? The mean over units of the gain of a minus that of b.

    A gain is 1 - error after / error before; `state` holds the selections ``before`` and ``after``.
    """
    called = called or f"{units}s"
    found = []
    for one, other, label in contrasts(a, b, each=each):
        gains = []
        for side in (one, other):
            both = _paired(tables, where, side | state["after"], side | state["before"], units, match, value)
            gains.append(1 - both["a"] / both["b"])
        both = pd.concat([_by_unit(gain, units) for gain in gains], axis=1, keys=["a", "b"], join="inner")
        found.append(of_units(both["a"] - both["b"], label=label, least=least, units=called))
    return Found(found, f"difference of the relative fall of {_metric(where, value)}", "1", called)


def groups(tables, *, units, where=None, a, b, each=None, value="value", least=LEAST_UNITS, called=None):
    """Mean over the units of a minus the mean over those of b, two groups without a unit in common; Welch's t."""
    called = called or f"{units}s"
    found = []
    for one, other, label in contrasts(a, b, each=each):
        sides = [_rows(tables, where, side) for side in (one, other)]
        shared = set(sides[0][units]) & set(sides[1][units])
        if shared:
            raise ValueError(f"{sorted(shared)[0]} is in both groups")
        values = [pd.to_numeric(rows[value]).groupby(rows[units]).mean() for rows in sides]
        found.append(of_groups(*values, label, least, called))
    metric = _metric(where, value)
    return Found(found, f"difference of mean {metric}", UNITS.get(metric, MOISTURE), called)


def mean(tables, *, units, where=None, each=None, value="value", least=LEAST_UNITS, called=None):
    """Mean over independent units; Student's t."""
    called = called or f"{units}s"
    found = []
    for shared in each or [{}]:
        rows = _rows(tables, where, shared)
        values = pd.to_numeric(rows[value]).groupby(rows[units]).mean()
        found.append(of_units(values, label=words(shared), least=least, units=called))
    metric = _metric(where, value)
    return Found(found, f"mean {metric}", UNITS.get(metric, MOISTURE), called)


def days(tables, *, where=None, a=None, b=None, along=None, order=None, each=None, value="value", least=LEAST_DAYS):
    """1 - MSE of a / MSE of b over the days that both forecast.

    The table has a row a model and day (`time`) with the mean squared error of the day's cells. The interval is that of
    the logarithm of the ratio of the two means: to first order it varies as the mean over days of
    MSE_a(t) / MSE_a - MSE_b(t) / MSE_b, whose variance `smlib.evaluate.significance.diebold_mariano` estimates so that
    it holds for errors with a memory.
    """
    found = []
    for one, other, label in contrasts(a, b, along, order, each):
        both = pair(_rows(tables, where, one), _rows(tables, where, other), ["time"], value).sort_index()
        if len(both) < least:
            raise Missing(f"{len(both)} days, and fewer than {least} tell nothing of others")
        if (both["a"] == both["b"]).all():
            raise Missing(f"all {len(both)} days are ties")
        pooled = both.mean()
        if not (pooled > 0).all():
            raise Missing(f"an error is 0 on all days ({label})")
        time = pd.DatetimeIndex(both.index.get_level_values("time")).to_numpy()
        test = diebold_mariano(both["a"] / pooled["a"], both["b"] / pooled["b"], time)
        half = (test.high - test.low) / 2
        found.append(Estimate(np.log(pooled["a"] / pooled["b"]), half, half, test.n, test.df, skill, label))
    return Found(found, f"1 − ratio of {RATIOS['MSE']}", "1", "days")


def interval(tables, *, quantity, where=None, each=None, value="value", n="n", counted="rows", least=LEAST_UNITS):
    """The values of all rows selected, each with the interval that the table gives it (`low`, `high`).

    The column `n` holds how many `counted` a row rests on; fewer than `least` tell nothing.
    """
    found = []
    for shared in each or [{}]:
        rows = _rows(tables, where, shared)
        told = [key for key in rows if key not in (value, "low", "high", n) and rows[key].nunique() > 1
                and key in ("model", "network", "product", "combination", "site")]
        for _, row in rows.iterrows():
            label = words(shared | {key: row[key] for key in told})
            found.append(_of_row(row, value, label, n, counted, least))
    return Found(found, quantity, "1", counted)


def gap(tables, *, where=None, a, b, each=None, value="value", n="n", counted="rows", least=LEAST_UNITS):
    """a minus b, each one row with its own interval; see `smlib.claims.estimates.apart` and `interval`."""
    found = []
    for one, other, label in contrasts(a, b, each=each):
        sides = [_one(tables, where, side, value, n, counted, least) for side in (one, other)]
        found.append(apart(*sides, label))
    metric = _metric(where, value)
    return Found(found, f"difference of {metric}", UNITS.get(metric, MOISTURE), counted)


def rise(tables, *, where=None, a, b, each=None, metric="R2", least=LEAST_DAYS):
    """a / b - 1 of a metric that is pooled over the days of both, b being surely above 0.

    The table has a row a day (`time`) with the sums of `smlib.evaluate.field_scores`. Days are drawn in blocks, the
    same for a and b, and the rise is computed within each draw: what the two have in common widens no interval. Of 200
    days whose errors have no memory it covers 92 %, with a memory (AR(1)) of 0.5 86 %, of 0.9 80 %.
    """
    found = []
    for one, other, label in contrasts(a, b, each=each):
        sums = [_by_day(tables, where, side) for side in (one, other)]
        shared = sums[0].index.intersection(sums[1].index).sort_values()
        if len(shared) < least:
            raise Missing(f"{len(shared)} days, and fewer than {least} tell nothing of others")
        weights = np.vstack([np.full(len(shared), 1 / len(shared)), block_weights(len(shared))])
        up, base = (field_metrics(weights @ of.loc[shared].to_numpy(float))[metric] for of in sums)
        if not np.percentile(base[1:], 2.5) > 0:
            raise Missing(f"{metric} of {words(other)} is {base[0]:.3f} and not surely above 0, so a rise in percent "
                          "means nothing")
        value, *drawn = np.divide(up, base, out=np.full_like(up, np.inf), where=base > 0) - 1
        found.append(of_interval(value, *np.percentile(drawn, [2.5, 97.5]), len(shared), label))
    return Found(found, f"relative rise of {metric}", "1", "days")


def exact(tables, *, where=None, a, b, each=None, value="value"):
    """a / b of two numbers without an error of sampling, such as the sizes of networks."""
    found = []
    for one, other, label in contrasts(a, b, each=each):
        numbers = []
        for side in (one, other):
            rows = _rows(tables, where, side)
            if len(rows) > 1:
                raise ValueError(f"{len(rows)} rows with {words((where or {}) | side)}: the selection is too wide")
            numbers.append(float(rows[value].iloc[0]))
        if not numbers[1] > 0 or not np.isfinite(numbers[0]):
            raise Missing(f"no ratio of {numbers[0]} and {numbers[1]}")
        found.append(Estimate(numbers[0] / numbers[1], 0.0, 0.0, 1, label=label))
    return Found(found, f"ratio of {_metric(where, value).replace('_', ' ')}", "1", "networks")


KINDS = {kind.__name__: kind for kind in (better, difference, change, groups, mean, days, interval, gap, rise, exact)}


def arguments(kind):
    """(all, needed): names of the arguments that a kind of test takes."""
    taken = [one for one in inspect.signature(KINDS[kind]).parameters.values() if one.kind is one.KEYWORD_ONLY]
    return [one.name for one in taken], [one.name for one in taken if one.default is one.empty]


def _rows(tables, where, more):
    wanted = (where or {}) | more
    table = tables.get(wanted.pop("page", None), wanted.pop("table", None))
    return select(table, wanted)


def _by_day(tables, where, more):
    """Daily sums, indexed by `time`."""
    rows = _rows(tables, where, more).set_index("time")
    if rows.index.has_duplicates:
        raise ValueError(f"several rows a day with {words((where or {}) | more)}: the selection is too wide")
    return rows[list(SUMS)]


def _one(tables, where, more, *of_row):
    rows = _rows(tables, where, more)
    if len(rows) > 1:
        raise ValueError(f"{len(rows)} rows with {words((where or {}) | more)}: the selection is too wide")
    value, *rest = of_row
    return _of_row(rows.iloc[0], value, words(more), *rest)


def _of_row(row, value, label, n, counted, least):
    lacking = [name for name in (value, "low", "high", n) if name not in row]
    if lacking:
        raise ValueError(f"the table has no column {lacking[0]}; it has {', '.join(map(str, row.index))}")
    if not np.isfinite(pd.to_numeric(row[[value, "low", "high"]]).astype(float)).all():
        raise Missing(f"{label or 'a row'} has no value with an interval")
    if not row[n] >= least:
        where = f" ({label})" if label else ""
        raise Missing(f"{row[n]:g} {counted}{where}, and fewer than {least} tell nothing of others")
    return of_interval(row[value], row["low"], row["high"], int(row[n]), label)


def _paired(tables, where, one, other, units, match, value):
    return pair(_rows(tables, where, one), _rows(tables, where, other), [units, *match], value)


def _by_unit(values, units):
    return values.groupby(level=units, sort=False).mean()


def _metric(where, value):
    metric = (where or {}).get("metric", value)
    return {"rmse": "RMSE", "ubrmse": "ubRMSE"}.get(metric, metric)


def _squared(values, metric):
    if metric == "R2":
        return 1 - values
    return values if metric == "MSE" else values**2
