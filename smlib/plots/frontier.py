"""Figures of accuracy against cost over all studies."""

import matplotlib
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from smlib.plots.maps import label
from smlib.plots.style import grid, house, legend, no_data, nothing, wrapped

DEVICES = (("cpu", "#0072B2", "o"), ("cuda", "#D55E00", "D"))
WORTH = 0.03  # of skill that a model on the front must gain on the one named before it to be named
FLOOR = -1.0  # no axis of skill goes lower; what lies below an axis is drawn as an arrow at its edge


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
        dashed line, is the reference. Each panel has its own scales: that of skill holds 0 and every value above
        FLOOR.
    """
    if table.empty:
        return nothing(title)
    panels = list(table.groupby(["study", "task", "source"], sort=False))
    fig, axes = grid(len(panels), "seconds of training", "skill against the reference", columns=2, width=4.6,
                     height=3.3, extra=1.0)
    known = table[table["train_s"].notna() & table["skill"].notna() & (table["model"] != table["reference"])]
    to_name, below = [], False
    for ax, ((study, task, source), here) in zip(axes, panels, strict=True):
        ax.set_title(wrapped(f"{study}, {task} ({source}), against {here['reference'].iloc[0]}", 3.7))
        ax.set_xscale("log")
        ax.tick_params(labelbottom=True, labelleft=True)
        here = known.loc[known.index.intersection(here.index)]
        if here.empty:
            ax.set_xlim(0.1, 10)
            no_data(ax)
            continue
        ax.axhline(0, color="0.3", linestyle=(0, (4, 2)), linewidth=1.0)
        low = _scales(ax, here)
        below |= (here["skill"] < low).any()
        named = [one for device, colour, marker in DEVICES
                 for one in _device(ax, here[here["device"] == device], colour, marker, low)]
        to_name.append((ax, named, [*zip(here["train_s"], here["skill"].clip(lower=low), strict=True),
                                    *(place for line in ax.lines for place in _along(line))]))
    shown = [(name, colour, marker) for name, colour, marker in DEVICES if (known["device"] == name).any()]
    entries = {f"Pareto front, {name}": {"color": colour, "marker": marker} for name, colour, marker in shown}
    entries |= {"other models": {"color": "0.6", "marker": "o", "linestyle": "none"},
                "reference": {"color": "0.3", "linestyle": (0, (4, 2))}}
    if below:
        entries["below the axis"] = {"color": "0.2", "marker": "$\\downarrow$", "linestyle": "none"}
    legend(fig, [Line2D([], [], **look) for look in entries.values()], list(entries))
    if title:
        fig.suptitle(title)
    fig.draw_without_rendering()  # the names need the final size of the panels
    for ax, named, places in to_name:
        if named:
            label(ax, [place for _, *place in named], [name for name, *_ in named], places,
                  0.8 * matplotlib.rcParams["font.size"])
    return fig


def _scales(ax, rows):
    """Limits and ticks of a panel for its own points; returns where the axis of skill ends below."""
    seen = rows.loc[rows["skill"] >= FLOOR, ["skill", "low", "high"]].to_numpy(float)
    ends = [*seen[np.isfinite(seen)].clip(FLOOR, 1), 0.0]
    margin = 0.08 * max(max(ends) - min(ends), 0.1)
    low = max(FLOOR, min(ends) - margin)
    ax.set_ylim(low, max(ends) + margin)
    least, most = rows["train_s"].min(), rows["train_s"].max()
    ax.set_xlim(least / 3, most * 3)
    if most / least < 30:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}" if x >= 1 else f"{x:g}")
    else:
        ax.xaxis.set_major_locator(LogLocator(numticks=7))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return low


def _along(line):
    """Places close together on the drawn steps of a front, for names to stay clear of; none on any other line."""
    if line.get_drawstyle() != "steps-post" or not len(line.get_xdata()):
        return []
    x, y = (np.asarray(values, float) for values in line.get_data())
    x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    at = np.linspace(0, len(x) - 1, 25 * len(x))
    return list(zip(10 ** np.interp(at, range(len(x)), np.log10(x)), np.interp(at, range(len(y)), y), strict=True))


def _device(ax, rows, colour, marker, low):
    """The points and the front of one device; returns name and place of each model to name."""
    rows = rows.sort_values("train_s")
    for row in rows.itertuples():
        y, look = max(row.skill, low), {"color": colour if row.front else "0.6", "zorder": 3 if row.front else 2}
        if np.isfinite(row.low) and row.skill >= low:
            ax.vlines(row.train_s, max(row.low, low), row.high, linewidth=0.9, alpha=0.6, **look)
        ax.plot(row.train_s, y, clip_on=False, **look, **(
            {"marker": marker, "markersize": 6} if row.skill >= low else {"marker": "$\\downarrow$", "markersize": 9}))
    front = rows[rows["front"]]
    ax.step(front["train_s"], front["skill"].clip(lower=low), where="post", color=colour, linewidth=1.2, zorder=2)
    last, best, named = -np.inf, front["skill"].max(), []
    for row in front.itertuples():
        if row.skill >= min(last + WORTH, best):
            last = row.skill
            named.append((row.model, row.train_s, max(row.skill, low)))
    return named
