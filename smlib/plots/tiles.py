"""Skill of many models at many levels as tiles."""

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.lines import Line2D

from smlib.plots.skill import panels_in_order
from smlib.plots.style import METRICS, SIGNED_WET, figure, house, in_order, ink

FLOOR = -1.0


@house
def skill_tiles(skill, metric="skill_persistence", floor=FLOOR, title=None):
    """Skill against a baseline, a panel a lead, a row a model, a column a site and level.

    Parameters
    ----------
    skill : pandas.DataFrame
        The skill frame with entrants as its models, rows of single sites.
    metric : str
        ``skill_persistence`` or ``skill_climatology``.
    floor : float
        Where the colours end; the number printed in a tile is the true one down to -9.9.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Blue is better than the baseline, red worse, grey not scored. Dots mark intervals that lie on one side of 0.

    Raises
    ------
    ValueError
        If the metric is not in the table.
    """
    rows = skill[(skill["metric"] == metric) & (skill["site"] != "all")]
    if rows.empty:
        raise ValueError(f"no metric {metric!r} in the frame: it has {sorted(skill['metric'].unique())}")
    rows, names = panels_in_order(rows)
    rows = rows[rows["model"] != metric.removeprefix("skill_")]
    models, leads = in_order(rows["model"]), sorted(rows["lead_d"].unique())
    text = len(names) * len(leads) <= 15  # more numbers could not be read at the width of a page
    named = len(names) * len(leads) <= 40
    fig = figure(2.4 + len(leads) * max((0.42 if text else 0.22 if named else 0.16) * len(names) + 0.25, 1.6),
                 2.2 + (0.22 if text else 0.25) * len(models))
    axes = fig.subplots(1, len(leads), sharey=True, squeeze=False)[0]
    norm = TwoSlopeNorm(0, floor, 1)
    for ax, lead in zip(axes, leads, strict=True):
        here = rows[rows["lead_d"] == lead]
        value, low, high = (here.pivot(index="model", columns="panel", values=column).reindex(
            index=models, columns=names).to_numpy(float) for column in ("value", "low", "high"))
        ax.set_facecolor("0.8")
        image = ax.pcolormesh(value, cmap=SIGNED_WET, norm=norm, edgecolor="white", linewidth=0.4)
        for (i, j), sure in np.ndenumerate((low > 0) | (high < 0)):
            if text and np.isfinite(value[i, j]):
                ax.text(j + 0.5, i + 0.5, _text(value[i, j]), ha="center",
                        va="center", fontsize=9, color=ink(SIGNED_WET(norm(value[i, j]))),
                        fontweight="bold" if sure else "normal")
            elif sure:
                ax.plot(j + 0.5, i + 0.5, "o", color=ink(SIGNED_WET(norm(value[i, j]))), markersize=3 if named else 1)
        ax.set_xticks(np.arange(len(names)) + 0.5, [", ".join(p for p in name if p) for name in names], rotation=90,
                      fontsize=None if text or named else 5)
        ax.set_title(f"{lead:g} day{'s' if lead != 1 else ''} ahead")
        ax.grid(False)
        ax.tick_params(length=0)
    axes[0].set_yticks(np.arange(len(models)) + 0.5, models)
    axes[0].set_ylim(len(models), 0)
    fig.colorbar(image, ax=axes, label=METRICS[metric], shrink=0.7, extend="min", ticks=[floor, floor / 2, 0, 0.5, 1])
    mark = "bold: " if text else "dot: "
    fig.legend([Line2D([], [], linestyle="none")], [f"{mark}the 95 % interval lies on one side of 0; grey: not scored"
                + ("; \u22129.9: that or less" if text else "")],
               loc="outside lower left", handlelength=0)
    if title:
        fig.suptitle(title)
    return fig


def _text(value):
    return f"{round(max(value, -9.9), 1) + 0.0:.1f}".replace("-", "\u2212")  # + 0.0: no minus before a zero
