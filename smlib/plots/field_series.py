"""Figures of forecasts of a field by day: its regional mean, and the metrics over its cells."""

import textwrap

import numpy as np
import pandas as pd

from smlib.plots.series import date_axis
from smlib.plots.skill import LOSSES, UNBOUNDED
from smlib.plots.style import (
    METRICS,
    MOISTURE,
    broken_line,
    collected_legend,
    daily,
    figure,
    house,
    looks,
    no_data,
    once,
)

FLOOR = -1.0  # where the axes of R2 and other scores without a lower bound end


def number(value):
    """A number in a figure, with a true minus sign and, where it is very small or large, a power of ten."""
    digits, _, power = f"{value:.3g}".replace("-", "−").partition("e")
    if not power:
        return digits
    sign = "⁻" if power[0] == "−" else ""
    return f"{digits}·10{sign}" + power[1:].lstrip("0").translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def limits(values, metric, floor):
    """Lower and upper end of an axis: to 1 for scores that end there, from 0 for errors, with 0 in it for bias."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not len(values):
        return (0.0, 1.0)
    if metric in UNBOUNDED or metric == "r":
        least = -1.0 if metric == "r" else floor
        return max(least, min(values.min(), 0.9) - 0.05), 1.03
    if metric in LOSSES:
        return 0.0, 1.08 * values.max() or 1.0
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin


def say_clipped(ax, low, what):
    """Say over a panel where its axis ends and `what` lies below."""
    ax.set_title(textwrap.fill(f"axis ends at {number(low)}; below it: {what}", 118), fontsize=9, color="0.3", pad=3)


def _days(rows):
    """The values of some rows by day, NaN where a day is missing."""
    return daily(rows.set_index("time")["value"].sort_index().astype(float))


@house
def regional_series(table, observed, title=None, period=None):
    """Regional mean of soil moisture by day, forecasts beside the truth (compare Fan et al. 2025).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, time, value`` (m3 m-3), a row a model and day. Days that are missing or NaN stay gaps.
    observed : pandas.DataFrame
        Columns ``time, value``: the truth, in black.
    title : str, optional
    period : (start, end), optional
        The days to draw, both included; all of them if it is left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    once(table, ["model", "time"], "average over the region first")
    if period is not None:
        start, end = (pd.Timestamp(day) for day in period)
        table, observed = (t[t["time"].between(start, end)] for t in (table, observed))
    fig = figure(9.5, 4.3)
    ax = fig.subplots()
    if observed["value"].isna().all() and table["value"].isna().all():
        no_data(ax)
    if len(observed):
        days = _days(observed)
        broken_line(ax, days.index, days, color="black", linewidth=2.2, label="truth", zorder=2)
    for model, look in looks(table["model"]).items():
        days = _days(table[table["model"] == model])
        broken_line(ax, days.index, days, color=look["color"], linestyle=look["linestyle"], linewidth=1.3, label=model,
                    zorder=3)
    ax.set_ylabel(f"regional mean of\n{MOISTURE}")
    date_axis(ax)
    collected_legend(fig)
    if title:
        fig.suptitle(title)
    return fig


@house
def daily_metrics(table, metrics=("RMSE", "bias", "R2", "r"), floor=FLOOR, title=None):
    """Metrics over the cells of each day, a panel a metric and a line a model (compare Fan et al. 2025).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, time, metric, value``, a row a model, day and metric. Missing days stay gaps.
    metrics : sequence of str
    floor : float
        Where the axis of R2 and of skill ends; the panel says which models leave it, and on how many days.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = table[table["metric"].isin(metrics)]
    once(table, ["model", "time", "metric"], "select one experiment")
    styles = looks(table["model"])
    fig = figure(9.5, 1.75 * len(metrics) + 1.0)
    axes = fig.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    for ax, metric in zip(axes, metrics, strict=True):
        rows = table[table["metric"] == metric]
        ax.set_ylabel(METRICS.get(metric, metric).replace(" (", "\n("))
        if rows["value"].isna().all():
            no_data(ax)
        low, high = limits(rows["value"], metric, floor)
        ax.set_ylim(low, high)
        if low < 0:
            ax.axhline(0, color="0.3", linewidth=0.8, zorder=1)
        left = {}
        for model, look in styles.items():
            here = rows[rows["model"] == model]
            if len(here):
                days = _days(here)
                broken_line(ax, days.index, days, color=look["color"], linestyle=look["linestyle"], label=model)
                left[model] = (days < low).sum(), days.notna().sum()
        under = [f"{model} on {n} of {days} days" for model, (n, days) in left.items() if n]
        if under:
            say_clipped(ax, low, "; ".join(under))
    date_axis(axes[-1])
    fig.align_ylabels(axes)
    collected_legend(fig)
    if title:
        fig.suptitle(title)
    return fig
