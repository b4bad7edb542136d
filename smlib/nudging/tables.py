"""The study's tables: skill with intervals, daily scores, what each setting gave, and all of it beside print."""

import numpy as np
import pandas as pd
import xarray as xr

from smlib.evaluate.field_scores import FIELD_METRICS, field_metrics, field_scores
from smlib.evaluate.skill import COLUMNS
from smlib.nudging.forecasts import baselines, one_day, sums_of
from smlib.nudging.nudged import CELLS
from smlib.paths import DATA

STUDY = "nudging"
PRINTED = {"short-term": "fan2025_table2_short_term.csv", "long-term": "fan2025_table3_long_term.csv"}
PRINTED_METRICS = ("MSE", "MAE", "R2", "RMSE", "r", "bias")
SHOWN_METRICS = (*PRINTED_METRICS, "ubRMSE", "skill_persistence", "skill_climatology")


def skill_table(sums, *, source, protocol, variant="", lead_d=np.nan, references=(), draws=1000, seed=0):
    """The tidy skill table of daily sums: mapping of model -> (day, 8), all over the same cells and days.

    `references` names those models against which the skill is given.
    """
    against = {name: sums[name] for name in references if name in sums}
    rows = [row | {"model": model} for model, of in sums.items()
            for row in field_scores(of, against, draws=draws, seed=seed)]
    table = pd.DataFrame(rows).assign(study=STUDY, source=source, protocol=protocol, variant=variant, site="all",
                                      depth_m=np.nan, lead_d=lead_d)
    return table[list(COLUMNS)]


def wide(skill, metrics=SHOWN_METRICS):
    """A skill table as text, a row a model and a column a metric: ``value [low, high]``."""
    digits = {"MSE": 5, "RMSE": 4, "MAE": 4, "ubRMSE": 4, "bias": 4}
    rows = skill[skill["metric"].isin(metrics)]
    text = [_text(row.value, row.low, row.high, digits.get(row.metric, 3)) for row in rows.itertuples()]
    table = rows.assign(text=text).pivot(index="model", columns="metric", values="text")
    return table.reindex(index=list(dict.fromkeys(rows["model"])), columns=[m for m in metrics if m in table]) \
        .rename_axis(index=None, columns=None)


def _text(value, low, high, digits):
    if np.isnan(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:.3g}".replace("-", "−")
    interval = "" if np.isnan(low) else f" [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{value:.{digits}f}{interval}".replace("-", "−")


def beside_print(skill, which):
    """Printed beside ours, from a skill table: DataFrame model, metric, printed, value, low, high.

    `which` is "short-term" (Table 2 of Fan et al. 2025) or "long-term" (Table 3).
    """
    printed = pd.read_csv(DATA / "published" / PRINTED[which]).rename(
        columns={name.lower(): name for name in PRINTED_METRICS})
    printed = printed.melt("model", list(PRINTED_METRICS), "metric", "printed")
    return printed.merge(skill[["model", "metric", "value", "low", "high"]], how="left", on=["model", "metric"])


def daily_table(sums, time):
    """DataFrame model, time, metric, value: the metrics over the cells of each day."""
    tables = [pd.DataFrame(field_metrics(of)).assign(time=time[:len(of)]).melt("time", FIELD_METRICS, "metric")
              .assign(model=model) for model, of in sums.items()]
    return pd.concat(tables, ignore_index=True)[["model", "time", "metric", "value"]]


def regional_table(sums, time, centre):
    """Regional means by day: DataFrame model, time, value, and DataFrame time, value of the truth; m3 m-3."""
    means = {model: _means(of, centre) for model, of in sums.items()}
    made = pd.concat([pd.DataFrame({"model": model, "time": time[:len(f)], "value": f})
                      for model, (f, _) in means.items()], ignore_index=True)
    truth = next(iter(means.values()))[1]
    return made, pd.DataFrame({"time": time[:len(truth)], "value": truth})


def count_outside(sums, cells, centre):
    """Daily sums (..., 8) as if so many more cells a day had 0 forecast and 0 observed: the published code's zeros."""
    zero = -centre
    return sums + cells * np.array([1, zero, zero, zero**2, zero**2, zero**2, 0, 0])


def _means(sums, centre):
    n = np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
    return sums[:, 1] / n + centre, sums[:, 2] / n + centre


def growth_table(sums, run, span=10):
    """RMSE over spans of days since the start: DataFrame model, run, lead (middle of the span, days), value."""
    rows = []
    for model, of in sums.items():
        for first in range(0, len(of), span):
            part = of[first:first + span].sum(0)
            rows.append((model, run, first + min(span, len(of) - first) / 2 + 0.5, float(field_metrics(part)["RMSE"])))
    return pd.DataFrame(rows, columns=["model", "run", "lead", "value"])


def methods_table(compared, draws=1000, seed=0):
    """Scores of `comparison.compare_all`, a row a pattern, method, kind of cells and metric."""
    rows = []
    for one in compared.itertuples():
        for cells, days in zip(CELLS, one.sums, strict=True):
            rows += [{"pattern": one.pattern, "method": method_name(one.forecast, one.analysis),
                      "forecast": one.forecast, "analysis": one.analysis, "network": one.network,
                      "chosen": one.chosen, "validation_rmse": one.validation_rmse, "judged_on": one.judged_on,
                      "cells": cells} | row
                     for row in field_scores(days, draws=draws, seed=seed)]
    return pd.DataFrame(rows)


def method_name(forecast, analysis):
    """How a page names a method."""
    return forecast if analysis == "none" else analysis if forecast == "no forecast" else f"{forecast} + {analysis}"


def verdicts(compared, draws=1000, seed=0):
    """By pattern, the best method with a network against the best without one, each chosen on validation.

    Returns
    -------
    DataFrame
        Columns pattern, network, rmse, without, rmse_without, skill, low, high: skill is 1 - MSE / MSE without a
        network over the unobserved cells (all, where there are none) of the test days, with its 95 % interval
    """
    rows = []
    columns = ["pattern", "network", "rmse", "without", "rmse_without", "skill", "low", "high"]
    for pattern, group in compared.groupby("pattern", sort=False):
        best = {flag: part.loc[part["validation_rmse"].idxmin()] for flag, part in group.groupby("network")}
        if len(best) < 2:
            continue
        cells = 1 if all(one.sums[1][:, 0].sum() > 0 for one in best.values()) else 0
        scores = {flag: {row["metric"]: row for row in field_scores(
            one.sums[cells], {"other": best[False].sums[cells]}, draws=draws, seed=seed)} for flag, one in best.items()}
        skill = scores[True]["skill_other"]
        rows.append({"pattern": pattern, "network": method_name(best[True].forecast, best[True].analysis),
                     "rmse": scores[True]["RMSE"]["value"],
                     "without": method_name(best[False].forecast, best[False].analysis),
                     "rmse_without": scores[False]["RMSE"]["value"], "skill": skill["value"], "low": skill["low"],
                     "high": skill["high"]})
    return pd.DataFrame(rows, columns=columns)


def best_of_each(methods, metric="RMSE", cells="unobserved"):
    """Of each forecast in a methods table the analysis that did best on validation; all filters and all without one."""
    rows = methods[(methods["metric"] == metric) & (methods["cells"] == cells)]
    alone = (rows["forecast"] == "no forecast") | (rows["analysis"] == "ensemble Kalman filter")
    best = rows[~alone].loc[rows[~alone].groupby(["pattern", "forecast"], sort=False)["validation_rmse"].idxmin()]
    return pd.concat([best, rows[alone]], ignore_index=True)


def spread_against_plain(methods):
    """RMSE over unobserved of random cells by plain and by spread nudging: pattern, forecast, plain, spread, ratio."""
    rows = methods[(methods["metric"] == "RMSE") & (methods["cells"] == "unobserved")
                   & methods["pattern"].str.startswith("random")]
    table = rows.pivot(index=["pattern", "forecast"], columns="analysis", values="value")
    table = table[["nudging", "spread nudging"]].dropna().rename(columns={"nudging": "plain",
                                                                          "spread nudging": "spread"})
    return table.assign(ratio=table["spread"] / table["plain"]).reset_index().rename_axis(columns=None)


def methods_skill(methods, *, source, protocol):
    """A methods table as the tidy skill table; pattern and cells stand in `variant`."""
    variant = [f"{row.pattern} observed, {row.cells} cells" for row in methods.itertuples()]
    return methods.assign(study=STUDY, source=source, protocol=protocol, variant=variant, site="all", depth_m=np.nan,
                          lead_d=np.nan, model=methods["method"])[list(COLUMNS)]


def validation_baselines(field):
    """DataFrame model, validation_rmse (m3 m-3) of the baselines one day ahead, over the days that judge networks."""
    sums = {name: sums_of(field, one_day(field, model, "validation", about), "validation").sum(0)
            for name, (model, about) in baselines(field).items()}
    return pd.DataFrame([{"model": name, "validation_rmse": float(field_metrics(of)["RMSE"])}
                         for name, of in sums.items()])


def field_table(field):
    """What the field is like: DataFrame period, days, mean, sd (pooled), sd_time (mean over cells), windows."""
    rows = []
    for name, days in field.periods.items():
        values = field.truth[days][:, field.valid]
        rows.append({"period": name, "days": len(values), "windows": len(field.starts(name)),
                     "mean": np.nanmean(values), "sd": np.nanstd(values), "sd_time": np.nanmean(np.nanstd(values, 0))})
    return pd.DataFrame(rows)


def field_maps(field):
    """Maps (y, x) of the training days: mean, and standard deviation in time; m3 m-3, NaN outside."""
    values = field.truth[field.periods["train"]][:, field.valid]
    found = {}
    for name, statistic in (("mean", np.nanmean), ("standard deviation", np.nanstd)):
        found[name] = np.full(field.valid.shape, np.nan)
        found[name][field.valid] = statistic(values, axis=0)
    return found


def on_days(truth, forecasts, time, days):
    """Truth (time, y, x) and forecasts (model, time, y, x) on some days, labelled, for `plots.maps_of_days`.

    truth (day, y, x), forecasts a mapping of name -> (day, y, x), time (day,), days their numbers.
    """
    coords, dims = {"time": pd.DatetimeIndex(time[days])}, ("time", "y", "x")
    return (xr.DataArray(truth[days], coords, dims),
            xr.DataArray(np.stack([one[days] for one in forecasts.values()]), coords | {"model": list(forecasts)},
                         ("model", *dims)))
