"""Scores of the CONUS forecasts by lead time, a panel a layer."""

from matplotlib.lines import Line2D

from smlib.plots.conus_maps import known
from smlib.plots.style import METRICS, grid, house, legend

# Scenarios in one family of colours from light to dark; forecasts without a network grey and dashed.
LOOKS = {"S1": ("#7FB8DA", "o"), "S2": ("#2C7FB8", "s"), "S3": ("#08306B", "^"), "S4": ("#D95F02", "D"),
         "HistGB": ("#7A6A2B", "X"), "damped anomaly": ("#6B6B6B", "v"), "persistence": ("#000000", "P"),
         "climatology": ("#9A9A9A", "*"), "meant": ("#2C7FB8", "o"), "printed": ("#D95F02", "D")}
NETWORKS = ("S1", "S2", "S3", "S4", "meant", "printed")
NAMES = METRICS | {"median_r": "median r of the cells", "rmse": METRICS["RMSE"],
                   "median_ubrmse": "median ubRMSE (m³ m⁻³)", "value": "skill"}


@house
def by_lead(tables, metric, low=None, high=None, floor=None, kind="simulated", title=None):
    """One score by lead, a panel a layer, methods side by side.

    Parameters
    ----------
    tables : mapping of a panel's name -> DataFrame with method, lead_d and the columns named by the rest
    metric, low, high : columns: value and, if given, the ends of its 95 % interval
    floor : where the axis ends below, if anything lies there
    kind : "measured" or "simulated"

    Returns
    -------
    matplotlib.figure.Figure
        Leads stand evenly apart. A method without a value is left out of its panel.
    """
    known(kind)
    fig, axes = grid(len(tables), "lead (days)", NAMES.get(metric, metric), columns=3, height=3.0, extra=1.3)
    seen = [name for name in LOOKS if any(name in set(table["method"]) for table in tables.values())]
    columns = [column for column in (metric, low, high) if column]
    values = [v for table in tables.values() for column in columns for v in table[column].dropna()]
    bottom = min(values) if floor is None else max(min(values), floor)
    margin = 0.05 * (max(values) - bottom or 1)
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        ax.set_title(name)
        leads = sorted(table["lead_d"].unique())
        ax.set_xticks(range(len(leads)), leads)
        if metric.startswith("skill"):
            ax.axhline(0, color="0.3", linewidth=0.8, zorder=1)
        for k, method in enumerate(seen):
            rows = table[table["method"] == method].dropna(subset=[metric]).sort_values("lead_d")
            colour, marker = LOOKS[method]
            apart = min(0.7, 0.1 * len(seen)) * ((k + 0.5) / len(seen) - 0.5)
            x = [leads.index(lead) + apart for lead in rows["lead_d"]]
            ax.plot(x, rows[metric], **_look(method, colour, marker))
            if low:
                ax.vlines(x, rows[low], rows[high], color=colour, linewidth=1.2)
        ax.set_ylim(bottom - margin, max(values) + margin)
    handles = [Line2D([], [], **_look(method, *LOOKS[method])) for method in seen]
    legend(fig, handles, seen)
    fig.suptitle(f"{title or NAMES.get(metric, metric)} ({kind})")
    return fig


def _look(method, colour, marker):
    network = method in NETWORKS
    return {"color": colour, "marker": marker, "markersize": 5, "linewidth": 1.1, "linestyle": "-" if network else "--",
            "markerfacecolor": colour if network else "white"}
