"""Figures of forecasts on the measured lattice: error by lead of all methods, and where one is better than another."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from smlib.plots.maps import LAYERS, _layer
from smlib.plots.style import METRICS, SIGNED_WET, collected_legend, figure, house, looks, no_data, nothing, once

SPREAD = 0.12  # how far methods stand apart at a lead, of the distance between leads


@house
def error_of_methods(table, metric="RMSE", kind="measured", title=None):
    """Median cell RMSE by lead, all methods side by side with their 95 % intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``method, lead_d, RMSE, low, high`` (m3 m-3). A method whose name ends in "observed weather" is a bound
        of what a forecast can do, not one: it stands in a panel of its own, with the baselines.
    kind : "measured" or "simulated"

    Returns
    -------
    matplotlib.figure.Figure
    """
    if kind not in ("measured", "simulated"):
        raise ValueError(f"kind must be 'measured' or 'simulated', not {kind!r}")
    if table.empty:
        return nothing(title)
    once(table, ["method", "lead_d"], "select one run")
    bound = table["method"].str.endswith("observed weather")
    learned = table["method"].str.match(r"(LSTM|ConvLSTM|HistGB)")
    panels = [("weather known to the issue day: a forecast", table[~bound]),
              ("observed future weather: a bound, no forecast", table[bound | ~learned])]
    panels = panels[:1] if not bound.any() else panels[1:] if not (learned & ~bound).any() else panels
    fig = figure(4.8 * len(panels) + 0.4, 4.4)
    axes = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (name, rows) in zip(axes, panels, strict=True):
        rows = rows.assign(shown=rows["method"].str.replace(", observed weather", "", regex=False))
        leads, styles = sorted(rows["lead_d"].unique()), looks(rows["shown"])
        for i, (method, look) in enumerate(styles.items()):
            here = rows[rows["shown"] == method].set_index("lead_d").reindex(leads)
            x = np.arange(len(leads)) + SPREAD * (i - (len(styles) - 1) / 2)
            ax.errorbar(x, here[metric], [here[metric] - here["low"], here["high"] - here[metric]], capsize=2,
                        elinewidth=0.9, label=method, **look)
        ax.set_xticks(range(len(leads)), [f"{lead:g}" for lead in leads])
        ax.set_xlabel("lead (days)")
        ax.set_title(name)
    axes[0].set_ylabel(f"median cell {METRICS[metric]}")
    collected_legend(fig)
    fig.suptitle(title or f"{kind.capitalize()} soil moisture: error by lead, 95 % intervals over cells")
    return fig


@house
def skill_maps(scores, method, reference, leads=(1, 7, 30), kind="measured", title=None):
    """Where a method is better than another: 1 - RMSE / RMSE of the reference, a dot a cell, a panel a lead.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``method, lead_d, cell, RMSE, lat, lon``, a row a method, lead and cell.
    method, reference : str
    """
    if kind not in ("measured", "simulated"):
        raise ValueError(f"kind must be 'measured' or 'simulated', not {kind!r}")
    two = scores[scores["method"].isin([method, reference]) & scores["lead_d"].isin(leads)]
    if two.empty:
        return nothing(title)
    wide = two.pivot(index=["lead_d", "cell", "lat", "lon"], columns="method", values="RMSE")
    skill = (1 - wide[method] / wide[reference]).rename("skill").reset_index()
    fig = figure(4.0 * len(leads), 3.0)
    west, east, south, north = (f(skill[c]) for c in ("lon", "lat") for f in (min, max))
    for i, (ax, lead) in enumerate(zip(fig.subplots(1, len(leads), squeeze=False)[0], leads, strict=True)):
        here = skill[skill["lead_d"] == lead]
        for name in ("ne_50m_land", "ne_10m_admin_1_states_provinces_lines_usa"):
            _outlines(ax, _layer(name), LAYERS[name])
        dots = ax.scatter(here["lon"], here["lat"], c=here["skill"], s=16, cmap=SIGNED_WET, vmin=-0.5, vmax=0.5,
                          zorder=3, edgecolors="0.4", linewidths=0.2)
        ax.set_xlim(west - 2, east + 2)
        ax.set_ylim(south - 1.5, north + 1.5)
        ax.set_aspect(1 / np.cos(np.radians((south + north) / 2)))
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}°{'E' if value > 0 else 'W'}")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}°N")
        ax.tick_params(labelleft=i == 0)
        ax.grid(False)
        ax.set_title(f"{lead:g} day{'s' if lead > 1 else ''}: median {round(here['skill'].median(), 2) + 0:+.2f}, "
                     f"{(here['skill'] > 0).mean():.0%} of cells better")
        if here.empty:
            no_data(ax)
    fig.colorbar(dots, ax=fig.axes, label="skill (blue: better)", shrink=0.85, extend="both")
    fig.suptitle(title or f"{kind.capitalize()} soil moisture: {method} against {reference}")
    return fig


def _outlines(ax, shapes, look):
    for shape in shapes:
        for part in getattr(shape, "geoms", [shape]):
            line = getattr(part, "exterior", part)
            ax.plot(*line.xy, color=look["edgecolor"], linewidth=look["linewidth"], zorder=2)
