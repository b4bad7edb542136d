"""What a paper printed beside what we find."""

import numpy as np
from matplotlib.lines import Line2D

from smlib.plots.skill import FLOOR
from smlib.plots.style import METRICS, figure, house, in_order, legend, model_style, no_data


@house
def printed_vs_ours(table, floor=FLOOR, title=None):
    """R2 that a paper printed beside ours, a panel a depth and lead, a row a model; persistence is marked in each.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, depth_m, lead_d, printed, ours``: NaN where one of them gives no value. The row of model
        "persistence" has ours alone (papers seldom print it) and is drawn as a line through the panel.
    floor : float
        Where the axis ends on the left; values below it are drawn as arrows at the edge.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Hollow dot printed, full dot ours.

    Raises
    ------
    ValueError
        If the depth of a level is missing.
    """
    if table["depth_m"].isna().any():
        raise ValueError("depth_m is missing in some rows: compare only levels whose depth is known")
    models = [m for m in in_order(table["model"]) if m != "persistence"]
    depths, leads = sorted(table["depth_m"].unique()), sorted(table["lead_d"].unique())
    values = table[["printed", "ours"]].astype(float)
    least = float(np.nanmin(values.fillna(1.0)))
    low = floor if least < floor else least - 0.05
    fig = figure(3.0 * len(leads) + 1.6, len(depths) * (0.24 * len(models) + 0.75) + 1.2)
    axes = fig.subplots(len(depths), len(leads), sharex=True, sharey=True, squeeze=False)
    for (i, k), ax in np.ndenumerate(axes):
        here = table[(table["depth_m"] == depths[i]) & (table["lead_d"] == leads[k])].set_index("model")
        ax.set_title(f"{depths[i]:.2f} m, {leads[k]:g} day{'s' if leads[k] != 1 else ''} ahead")
        ax.set_xlim(low, 1.03)
        ax.set_yticks(range(len(models)), models)
        ax.set_ylim(len(models) - 0.4, -0.6)
        if here[["printed", "ours"]].isna().all(axis=None):
            no_data(ax)
        else:
            _dumbbells(ax, here, models, low)
    handles = [Line2D([], [], color="0.2", marker="o", markerfacecolor="white", linestyle="none"),
               Line2D([], [], color="0.2", marker="o", linestyle="none"),
               Line2D([], [], color="black", linestyle=(0, (4, 2)))]
    labels = ["printed", "ours", "persistence, ours"]
    if least < low:
        handles.append(Line2D([], [], color="0.2", marker="$\\leftarrow$", markersize=9, linestyle="none"))
        labels.append(f"off scale, below {low:g}".replace("-", "−"))
    legend(fig, handles, labels)
    for ax in axes[-1]:
        ax.set_xlabel(METRICS["R2"])
    if title:
        fig.suptitle(title)
    return fig


def _dumbbells(ax, here, models, low):
    if "persistence" in here.index and here.loc["persistence", "ours"] >= low:
        ax.axvline(here.loc["persistence", "ours"], color="black", linestyle=(0, (4, 2)), linewidth=1.0, zorder=2)
    for y, model in enumerate(models):
        if model not in here.index:
            continue
        colour = model_style(model)["color"]
        printed, ours = here.loc[model, ["printed", "ours"]].astype(float)
        ax.hlines(y, max(min(printed, ours), low), max(printed, ours), color=colour, linewidth=1.4, zorder=2)
        for value, face in ((printed, "white"), (ours, colour)):
            if value >= low:
                ax.plot(value, y, marker="o", markersize=6, color=colour, markerfacecolor=face, zorder=3)
            elif value < low:
                ax.plot(low + 0.02, y, marker="$\\leftarrow$", markersize=9, color=colour, zorder=4, clip_on=False)
