"""Figures of nudged forecasts: the growth of errors, the strength of nudging, methods of assimilation side by side."""

import matplotlib
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from smlib.plots.field_series import FLOOR, limits, number, say_clipped
from smlib.plots.skill import LOSSES
from smlib.plots.style import BASELINES, METRICS, broken_line, figure, house, legend, looks, no_data, nothing, once


@house
def error_growth(table, metric="RMSE", title=None):
    """How the error of a recursive forecast grows with lead time, free and nudged.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, run, lead, value``: `run` is ``free`` or ``nudged`` (whatever else it is for persistence and
        climatology), `lead` in days since the start, `value` in units of the metric. NaN is a gap.
    metric : str
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Colour is the model; free runs are solid, nudged ones dotted.
    """
    once(table, ["model", "run", "lead"], "average them first")
    if table.empty:
        return nothing(title)
    fig = figure(9.5, 4.4)
    ax = fig.subplots()
    lines, entries = {"free": "-", "nudged": (0, (1.2, 1))}, {}
    for model, look in looks(table["model"]).items():
        rows = table[table["model"] == model]
        entries[model] = Line2D([], [], color=look["color"], linewidth=2,
                                linestyle=look["linestyle"] if model in BASELINES else "-")
        for run, here in rows.groupby("run", dropna=False):
            one = here.sort_values("lead")
            line = lines["nudged"] if run == "nudged" else look["linestyle"] if model in BASELINES else "-"
            broken_line(ax, one["lead"].to_numpy(), one["value"], color=look["color"], linestyle=line, zorder=3,
                        linewidth=2.0 if run == "nudged" else 1.4)
    if table["value"].isna().all():
        no_data(ax)
    if (table["run"] == "nudged").any():
        entries |= {f"{run} run" if run == "free" else run: Line2D([], [], color="0.35", linestyle=line, linewidth=2)
                    for run, line in lines.items()}
    low, high = limits(table["value"], metric, FLOOR)
    ax.set_ylim(low, high)
    under = table[table["value"] < low]
    if len(under):
        say_clipped(ax, low, ", ".join(looks(under["model"])))
    ax.set_xlim(0, 1.01 * max(1, table["lead"].max()))
    ax.set_xlabel("lead: days since the start of the forecast")
    ax.set_ylabel(METRICS.get(metric, metric))
    legend(fig, list(entries.values()), list(entries))
    if title:
        fig.suptitle(title)
    return fig


LINES = {"cells": {"all": "-", "unobserved": (0, (4, 2))}, "feedback": {True: "-", False: (0, (4, 2))}}
SAID = {"all": "all cells", "unobserved": "cells not observed that day", True: "analysis fed back",
        False: "finished forecast nudged"}


@house
def tau_curves(table, metric="RMSE", lines="cells", floor=FLOOR, title=None):
    """Error by strength of nudging tau, a row of panels a model, a column a noise (compare Fan et al. 2025).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, tau, fraction, noise, feedback, cells, value``, and where known ``printed`` and ``chosen``
        (bool: the tau that validation chose). `fraction` observed is from 0 to 1; rows of fraction 0 are the free run
        (their `noise`, if it is NaN, is any). `value` and `printed` in units of the metric, `noise` in m3 m-3.
    metric : str
    lines : {"cells", "feedback"}
        Which of the two the line style tells apart; the other has to be one value in the whole table.
    floor : float
        Where the axis of R2 ends.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        A colour a fraction; rings mark the chosen tau, hollow diamonds what was printed. Panels of a row share axes.
    """
    if table.empty:
        return nothing(title)
    table = table.reindex(columns=[*table.columns, *({"printed", "chosen"} - set(table.columns))])
    free, nudged = table[table["fraction"] == 0], table[table["fraction"] > 0]
    other = {"cells": "feedback", "feedback": "cells"}[lines]
    if nudged[other].nunique() > 1:
        raise ValueError(f"select one value of {other!r}: the line style tells {lines!r} apart")
    once(nudged, ["model", "tau", "fraction", "noise", lines], "select one experiment")
    models = list(looks(table["model"]))
    noises, fractions = sorted(nudged["noise"].unique()), sorted(nudged["fraction"].unique())
    noises = noises or sorted(free["noise"].dropna().unique()) or [np.nan]
    shades = np.linspace(0.8, 0.1, max(2, len(fractions)))
    colours = {f: matplotlib.colormaps["viridis"](shade) for f, shade in zip(fractions, shades, strict=False)}
    fig = figure(max(8.0, 3.9 * len(noises) + 0.8), 1.9 * len(models) + 1.5)
    axes = fig.subplots(len(models), len(noises), sharex=True, sharey="row", squeeze=False)
    for (i, k), ax in np.ndenumerate(axes):
        mine = table[table["model"] == models[i]]
        here = mine[(mine["fraction"] > 0) & (mine["noise"] == noises[k])]
        start = mine[(mine["fraction"] == 0) & ((mine["noise"] == noises[k]) | mine["noise"].isna())]
        _tau_panel(ax, here, start, lines, colours)
        low, high = limits(mine[["value", "printed"]], metric, floor)
        ax.set_ylim(low, high)
        noise = "" if np.isnan(noises[k]) else f", noise {noises[k]:.2f} m³ m⁻³"
        if mine[["value", "printed"]].lt(low).any(axis=None):
            noise += f"\naxis ends at {number(low)}"
            noise += "".join(f", free run at {number(v)}" for v in start["value"].unique() if v < low)
        ax.set_title(f"{models[i]}{noise}")
        if here["value"].isna().all() and start["value"].isna().all():
            no_data(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel(METRICS.get(metric, metric))
    for ax in axes[-1]:
        ax.set_xlabel("strength of nudging τ")
        ax.set_xlim(0, 1.04)
    entries = {f"{100 * f:g} % observed": Line2D([], [], color=c, linewidth=2.5) for f, c in colours.items()}
    entries |= {SAID.get(v, str(v)): Line2D([], [], color="0.3", linestyle=LINES[lines].get(v, ":"))
                for v in nudged[lines].drop_duplicates()}
    if free["value"].notna().any():
        entries["free run"] = Line2D([], [], **FREE)
    if nudged["chosen"].eq(True).any():
        entries["τ chosen on validation"] = Line2D([], [], color="0.3", linestyle="none", **RING)
    if nudged["printed"].notna().any():
        entries["printed"] = Line2D([], [], color="0.3", **DIAMOND)
    legend(fig, list(entries.values()), list(entries))
    if title:
        fig.suptitle(title)
    return fig


FREE = {"color": "black", "linestyle": (0, (1, 1.5)), "linewidth": 1.6}
RING = {"marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgewidth": 1.8}
DIAMOND = {"marker": "D", "markersize": 6, "markerfacecolor": "white", "linestyle": "none"}


def _tau_panel(ax, here, start, lines, colours):
    for value in start["value"].dropna().unique():
        ax.axhline(value, zorder=1, label="free run", **FREE)
    for (fraction, kind), one in here.groupby(["fraction", lines]):
        one = one.sort_values("tau")
        broken_line(ax, one["tau"].to_numpy(), one["value"], color=colours[fraction], zorder=2, linewidth=1.4,
                    linestyle=LINES[lines].get(kind, ":"))
        best = one[one["chosen"].eq(True)]
        ax.plot(best["tau"], best["value"], color=colours[fraction], linestyle="none", zorder=4, **RING)
        ax.plot(one["tau"], one["printed"].astype(float), color=colours[fraction], zorder=3, **DIAMOND)


@house
def methods(table, metric="RMSE", floor=FLOOR, title=None):
    """Methods of assimilation by observation pattern: a panel a pattern, the best of each on top.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``pattern, method, network`` (bool: whether a network is in it), ``value, low, high`` (units of the
        metric; NaN where there is none), a row a pattern and method.
    metric : str
    floor : float
        Where the axis of R2 ends; what lies below it is an arrow with its value.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Networks in the colour of their model, full; what needs none in black, hollow. All panels share the horizontal
        axis, which is logarithmic for errors that differ by more than a factor of 10.
    """
    once(table, ["pattern", "method"], "select one experiment")
    if table.empty:
        return nothing(title)
    patterns = list(dict.fromkeys(table["pattern"]))
    styles = looks(table["method"])
    most = table["pattern"].value_counts().max()
    columns = min(2, len(patterns))
    lines = -(-len(patterns) // columns)
    fig = figure(max(5.5, columns * (3.1 + 0.07 * max(map(len, styles)))), lines * (0.21 * most + 0.75) + 1.0)
    axes = fig.subplots(lines, columns, sharex=True, squeeze=False).ravel()
    low, high = limits(table[["value", "low", "high"]], metric, floor)
    errors = metric in LOSSES
    known = table["value"][table["value"] > 0]
    if errors and len(known) and known.max() > 10 * known.min():
        axes[0].set_xscale("log")
        low = known.min() / 1.3
        axes[0].xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes[0].xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axes[0].xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_xlim(low, high)
    for ax, pattern in zip(axes, patterns, strict=False):
        rows = table[table["pattern"] == pattern].sort_values("value", ascending=errors, na_position="last")
        if metric == "bias":
            rows = rows.sort_values("value", key=abs)
        ax.set_title(pattern)
        ax.tick_params(labelbottom=True)
        if rows["value"].isna().all():
            no_data(ax)
        for y, row in enumerate(rows.itertuples()):
            _method(ax, y, row, styles[row.method]["color"] if row.network else "black", low)
        ax.set_yticks(range(len(rows)), rows["method"])
        ax.set_ylim(most - 0.4, -0.6)
        ax.set_xlabel(METRICS.get(metric, metric))
    for ax in axes[len(patterns):]:
        ax.remove()
    dot = {"marker": "o", "markersize": 6, "linestyle": "none"}
    entries = {"with a network, in its colour": Line2D([], [], color="0.45", **dot),
               "without": Line2D([], [], color="black", markerfacecolor="white", **dot)}
    if table[["low", "high"]].notna().all(axis=1).any():
        entries["95 % interval"] = Line2D([], [], color="0.3", linewidth=1.4)
    legend(fig, list(entries.values()), list(entries))
    if title:
        fig.suptitle(title)
    return fig


def _method(ax, y, row, colour, low):
    if np.isnan(row.value):
        ax.text(0.02, y, "–", transform=ax.get_yaxis_transform(), va="center", color="0.3")
        return
    if row.value < low:
        ax.annotate(f"← {number(row.value)}", (0, y), xycoords=ax.get_yaxis_transform(), xytext=(3, 0),
                    textcoords="offset points", va="center", fontsize=9, color=colour)
        return
    if not np.isnan([row.low, row.high]).any():
        ax.hlines(y, max(row.low, low), row.high, color=colour, linewidth=1.4, zorder=2)
    ax.plot(row.value, y, marker="o", markersize=6, color=colour, zorder=3,
            markerfacecolor=colour if row.network else "white")
