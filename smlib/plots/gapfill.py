"""Figures of gap filling: a filled series, coverage of the intervals, error by length of gap."""

import numpy as np
from matplotlib.lines import Line2D

from smlib.plots.series import date_axis
from smlib.plots.style import (
    METRICS,
    MOISTURE,
    broken_line,
    collected_legend,
    figure,
    grid,
    house,
    legend,
    nothing,
    once,
)

LOOKS = {"linear": ("#000000", "s"), "climatology + persistence": ("#808080", "D"), "spline": ("#CC79A7", "v"),
         "OI": ("#6B3A1E", "^"), "OI filter": ("#C08A5B", "<"), "boosting": ("#E69F00", "P"), "CRU": ("#0072B2", "o"),
         "CRU filter": ("#56B4E9", "X")}
DASHED = ("climatology + persistence", "OI filter", "CRU filter")  # those that use no later day


def _look(name):
    if name not in LOOKS:
        raise ValueError(f"no colour for the method {name!r}: add it to LOOKS ({', '.join(LOOKS)})")
    colour, marker = LOOKS[name]
    return {"color": colour, "marker": marker, "linestyle": (0, (4, 2)) if name in DASHED else "-",
            "markerfacecolor": "white" if name in DASHED else colour, "markersize": 5, "linewidth": 1.2}


@house
def filled_series(table, observed, factor=1.96, title=None):
    """One cell's series with its gaps filled, a panel a method.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, time, mean, sd`` (m3 m-3), a row a method and day; sd 0 where there was a value.
    observed : pandas.DataFrame
        Columns ``time, value, withheld`` (bool); NaN where nothing was seen.
    factor : float
        Half the width of the interval, a bar on every day without a value, in standard deviations: 1.96 for 95 %.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    once(table, ["model", "time"], "take one cell")
    if table.empty:
        return nothing(title)
    models = list(dict.fromkeys(table["model"]))
    fig = figure(9.5, 1.9 * len(models) + 1.0)
    axes = fig.subplots(len(models), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    hidden = observed["withheld"] & observed["value"].notna()
    for ax, model in zip(axes, models, strict=True):
        days = table[table["model"] == model].sort_values("time")
        gaps = days[days["sd"] > 0]
        ax.bar(gaps["time"], 2 * factor * gaps["sd"], 1.0, gaps["mean"] - factor * gaps["sd"],
               color=_look(model)["color"], alpha=0.25, linewidth=0)
        broken_line(ax, days["time"], days["mean"], color=_look(model)["color"], label="filled")
        for part, face, label in ((~hidden, "black", "seen"), (hidden, "white", "withheld")):
            ax.plot(observed["time"][part], observed["value"][part], linestyle="none", marker="o", markersize=4,
                    color="black", markerfacecolor=face, label=label)
        ax.set_title(model)
    fig.supylabel(MOISTURE, fontsize=10)
    date_axis(axes[-1])
    handles = {"interval": Line2D([], [], color="0.6", alpha=0.5, linewidth=7),
               "filled": Line2D([], [], color="0.3")}
    handles |= {label: handle for handle, label in zip(*axes[0].get_legend_handles_labels(), strict=True)
                if label in ("seen", "withheld")}
    legend(fig, list(handles.values()), list(handles))
    if title:
        fig.suptitle(title)
    return fig


@house
def reliability(scores, title=None):
    """Share of withheld values inside the stated central intervals against what it should be, a panel a set.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``set, model, n`` and ``cover_10`` and the like: nominal percent in the name, the share from 0 to 1 as
        the value. Several rows of a set and method (lengths of gap) are averaged by their `n`.
    title : str, optional
    """
    if scores.empty:
        return nothing(title)
    names = [column for column in scores if column.startswith("cover_")]
    nominal = np.array([int(name.removeprefix("cover_")) for name in names])
    sets = list(dict.fromkeys(scores["set"]))
    fig, axes = grid(len(sets), "stated (%)", "found (%)", columns=2, width=4.6 if len(sets) > 1 else 7.0,
                     height=4.0)
    for ax, name in zip(axes, sets, strict=True):
        ax.plot([0, 100], [0, 100], color="0.6", linewidth=0.8, zorder=1)
        for model, rows in scores[scores["set"] == name].groupby("model", sort=False):
            ax.plot(nominal, 100 * np.average(rows[names], axis=0, weights=rows["n"]), label=model, **_look(model))
        ax.set(title=name, xlim=(0, 100), ylim=(0, 100), aspect="equal")
    collected_legend(fig)
    if title:
        fig.suptitle(title)
    return fig


@house
def error_by_gap(scores, title=None):
    """RMSE by length of gap with its 95 % intervals, a panel a set.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``set, model, block_d, RMSE, low, high``, m3 m-3; a `block_d` of 1 stands for single days at random.
    title : str, optional
    """
    once(scores, ["set", "model", "block_d"], "one row a set, method and length of gap")
    if scores.empty:
        return nothing(title)
    sets, models = (list(dict.fromkeys(scores[key])) for key in ("set", "model"))
    blocks = sorted(scores["block_d"].unique())
    fig, axes = grid(len(sets), "length of the gap", METRICS["RMSE"], columns=2,
                     width=4.8 if len(sets) > 1 else 7.5, height=3.6)
    top = 1.05 * scores["high"].max()
    for ax, name in zip(axes, sets, strict=True):
        for k, model in enumerate(models):
            rows = scores[(scores["set"] == name) & (scores["model"] == model)].sort_values("block_d")
            x = np.searchsorted(blocks, rows["block_d"]) + 0.09 * (k - (len(models) - 1) / 2)
            ax.errorbar(x, rows["RMSE"], (rows["RMSE"] - rows["low"], rows["high"] - rows["RMSE"]), label=model,
                        elinewidth=0.9, **_look(model))
        ax.set_xticks(range(len(blocks)), ["single days" if b == 1 else f"{b} days" for b in blocks])
        ax.set(title=name, ylim=(0, top))
    collected_legend(fig)
    if title:
        fig.suptitle(title)
    return fig
