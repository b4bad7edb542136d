"""Figures of accuracy against cost over all studies."""

import textwrap

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from smlib.plots.style import grid, house, legend, no_data, nothing

DEVICES = (("cpu", "#0072B2", "o"), ("cuda", "#D55E00", "D"))
WORTH = 0.03  # of skill that a model on the front must gain on the one named before it to be named
FLOOR = -1.0  # of the axis of skill; what lies lower is drawn as an arrow at the edge


@house
def fronts(table, title=None):
    """Skill against the seconds of training, a panel a task, with the Pareto front of each device.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns study, task, source, model, device, train_s, reference, skill, low, high, front
        (`smlib.evaluate.costs.accuracy_and_cost`).
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Models on the front are named, but for those that gain next to nothing on a cheaper one. A skill of 0, the
        dashed line, is the reference; panels have one scale of skill and each its own of seconds.
    """
    if table.empty:
        return nothing(title)
    panels = list(table.groupby(["study", "task", "source"], sort=False))
    fig, axes = grid(len(panels), "seconds of training", "skill against the reference", columns=2, width=4.6,
                     height=3.1, extra=1.0)
    known = table[table["train_s"].notna() & table["skill"].notna() & (table["model"] != table["reference"])]
    low = max(FLOOR, min(-0.02, known["skill"].min() if len(known) else 0.0) - 0.08)
    for ax, ((study, task, source), here) in zip(axes, panels, strict=True):
        ax.set_title("\n".join(textwrap.wrap(f"{study}, {task} ({source}), against {here['reference'].iloc[0]}", 52)))
        ax.set(xscale="log", ylim=(low, 1.05))
        ax.tick_params(labelbottom=True)
        here = known.loc[known.index.intersection(here.index)]
        if here.empty:
            ax.set_xlim(0.1, 10)
            no_data(ax)
            continue
        ax.axhline(0, color="0.3", linestyle=(0, (4, 2)), linewidth=1.0)
        ax.set_xlim(here["train_s"].min() / 3, here["train_s"].max() * 6)  # room for the names
        ax.xaxis.set_major_locator(LogLocator(numticks=7))
        ax.xaxis.set_minor_formatter(NullFormatter())
        for device, colour, marker in DEVICES:
            _device(ax, here[here["device"] == device], colour, marker, low)
    shown = [(name, colour, marker) for name, colour, marker in DEVICES if (known["device"] == name).any()]
    handles = [Line2D([], [], color=colour, marker=marker, linestyle="-") for _, colour, marker in shown]
    legend(fig, [*handles, Line2D([], [], color="0.6", marker="o", linestyle="none"),
                 Line2D([], [], color="0.3", linestyle=(0, (4, 2)))],
           [*(f"Pareto front, {name}" for name, _, _ in shown), "other models", "reference"])
    if title:
        fig.suptitle(title)
    return fig


def _device(ax, rows, colour, marker, low):
    rows = rows.sort_values("train_s")
    for row in rows.itertuples():
        y, look = max(row.skill, low), {"color": colour if row.front else "0.6", "zorder": 3 if row.front else 2}
        if np.isfinite(row.low) and row.skill >= low:
            ax.vlines(row.train_s, max(row.low, low), row.high, linewidth=0.9, alpha=0.6, **look)
        ax.plot(row.train_s, y, marker=marker if row.skill >= low else "$\\downarrow$", markersize=6, clip_on=False,
                **look)
    front = rows[rows["front"]]
    ax.step(front["train_s"], front["skill"].clip(lower=low), where="post", color=colour, linewidth=1.2, zorder=2)
    named, best = -np.inf, front["skill"].max()
    for row in front.itertuples():
        if row.skill < named + WORTH and row.skill < best:
            continue
        named = row.skill
        ax.annotate(row.model, (row.train_s, max(row.skill, low)), xytext=(0, 7), textcoords="offset points",
                    fontsize=8.5, rotation=55, rotation_mode="anchor", zorder=4)
