"""Figures of the audit of the printed tables."""

import numpy as np
from matplotlib.lines import Line2D

from smlib.evaluate.printed import cited
from smlib.plots.style import figure, house, legend, text_width, wrapped

GOOD, BAD = "#0072B2", "#D55E00"


@house
def rmse_parts(parts, title=None):
    """Printed RMSE against what ubRMSE and bias give for it, a panel a table; rows that fail are named.

    Parameters
    ----------
    parts : pandas.DataFrame
        Columns file, row, rmse, given, half, fails (`smlib.evaluate.audit.decomposition`), m3 m-3.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        The line is RMSE² = ubRMSE² + bias²; means over stations may lie below it, scores of one sample may not.
    """
    files = list(dict.fromkeys(parts["file"]))
    columns = min(len(files), 2)
    rows = -(-len(files) // columns)
    fig = figure(4.4 * columns, 3.9 * rows + 0.9)
    axes = fig.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    top = 1.06 * parts[["rmse", "given"]].to_numpy().max()
    for ax in axes[len(files):]:
        ax.remove()
    for k, (ax, file) in enumerate(zip(axes, files, strict=False)):
        here = parts[parts["file"] == file]
        ax.plot([0, top], [0, top], color="0.45", linewidth=1.0, zorder=1)
        for fails, colour, marker in ((False, GOOD, "o"), (True, BAD, "D")):
            some = here[here["fails"] == fails]
            ax.errorbar(some["rmse"], some["given"], some["half"], 0, color=colour, linestyle="none", marker=marker,
                        markersize=4 if not fails else 5.5, elinewidth=0.8, zorder=3 if fails else 2)
        _name_failing(ax, here[here["fails"]].sort_values("given", ascending=False), top)
        ax.set(title=cited(file), xlim=(0, top), ylim=(0, top), aspect="equal")
        ax.tick_params(labelbottom=True)
        if k % columns == 0:
            ax.set_ylabel("√(ubRMSE² + bias²) (m³ m⁻³)")
        if k + columns >= len(files):
            ax.set_xlabel("RMSE as printed (m³ m⁻³)")
    dot = {"linestyle": "none", "markersize": 5}
    legend(fig, [Line2D([], [], color=GOOD, marker="o", **dot), Line2D([], [], color=BAD, marker="D", **dot),
                 Line2D([], [], color="0.45")], ["holds", "cannot be as printed", "RMSE² = ubRMSE² + bias²"])
    if title:
        fig.suptitle(title)
    return fig


def _name_failing(ax, rows, top):
    """Names above what is too high, and to the right of what is too low, each lower than the one before."""
    place, small = top, {"fontsize": 8.5, "color": "0.15"}
    for row in rows.itertuples():
        if row.given > row.rmse:
            ax.text(row.rmse - 0.06 * top, row.given + 0.03 * top, row.row, ha="center", **small)
        else:
            place = min(place - 0.05 * top, row.given)
            ax.annotate(row.row, (row.rmse, row.given), (row.rmse + 0.04 * top, place), va="center", **small,
                        arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.7, "shrinkA": 0})


@house
def implied_std(std, common, title=None, of_row=None):
    """The standard deviation of the truth that each row's RMSE and R2 imply, with what agrees with all of them.

    Parameters
    ----------
    std : pandas.DataFrame
        Columns file, row, low, high (m3 m-3): what the printed numbers of a row can stand for.
    common : (low, high), m3 m-3
    title : str, optional
    of_row : mapping of file -> what its rows' names say, after the panel's title

    Returns
    -------
    matplotlib.figure.Figure
        A bar a row, a panel a table, one axis for all.
    """
    of_row = of_row or {}
    files = list(dict.fromkeys(std["file"]))
    counts = [int((std["file"] == file).sum()) for file in files]
    fig = figure(6.6, 0.21 * sum(counts) + 0.42 * len(files) + 1.1)
    axes = fig.subplots(len(files), 1, squeeze=False, sharex=True, height_ratios=[n + 1.2 for n in counts]).ravel()
    room = fig.get_figwidth() - 0.4 - max(text_width(row, 8) for row in std["row"])  # beside the names of the rows
    for ax, file in zip(axes, files, strict=True):
        here = std[std["file"] == file].reset_index(drop=True)
        apart = (here["low"] > common[1]) | (here["high"] < common[0])
        ax.axvspan(*common, color="#E69F00", zorder=1)
        ax.hlines(np.arange(len(here)), here["low"], here["high"], color=np.where(apart, BAD, GOOD), linewidth=4,
                  zorder=2)
        ax.set(title=wrapped(cited(file) + of_row.get(file, ""), room), ylim=(len(here) - 0.4, -0.6))
        ax.set_yticks(np.arange(len(here)), here["row"], fontsize=8)
        ax.grid(axis="y", visible=False)
    axes[-1].set_xlabel("RMSE / √(1 − R²) (m³ m⁻³)")
    legend(fig, [Line2D([], [], color=GOOD, linewidth=4), Line2D([], [], color="#E69F00", linewidth=4)],
           ["what a row allows", "what agrees with most rows"])
    if title:
        fig.suptitle(title)
    return fig
