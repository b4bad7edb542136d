"""Figures of how well the models do: skill and error by lead, forecasts beside observations."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from smlib.plots.series import date_axis, rain_panel
from smlib.plots.style import (
    BASELINES,
    METRICS,
    MOISTURE,
    broken_line,
    collected_legend,
    daily,
    figure,
    grid,
    house,
    in_order,
    legend,
    model_style,
    no_data,
)

FLOOR = -0.5                                       # lowest value drawn of a metric that has no lower bound
UNBOUNDED = ("R2", "KGE", "skill_persistence", "skill_climatology")
LOSSES = ("MSE", "RMSE", "ubRMSE", "MAE")
OFF_SCALE = {"marker": "$\\downarrow$", "markersize": 9, "linestyle": "none", "clip_on": False, "zorder": 6}


def _panel_of(row):
    """(site, level) of a row of the skill frame: the level is its depth, or its variant where that is unknown."""
    site = "mean over sites" if row.site == "all" else "" if pd.isna(row.site) else str(row.site)
    variant = "" if pd.isna(row.variant) else str(row.variant)
    level = variant if pd.isna(row.depth_m) else f"{row.depth_m:.2f} m" + (f", {variant}" if variant else "")
    return site, level


def panels_in_order(skill):
    """The frame with a column `panel`, and the panels: sites as they come, levels from the top down."""
    skill = skill.assign(panel=[_panel_of(row) for row in skill.itertuples()])
    first = {site: i for i, site in enumerate(dict.fromkeys(p[0] for p in skill["panel"]))}
    depth = skill.groupby("panel")["depth_m"].first().fillna(np.inf)
    return skill, sorted(depth.index, key=lambda p: (first[p[0]], depth[p], len(p[1]), p[1]))


@house
def skill_by_lead(skill, metric="R2", floor=FLOOR, title=None):
    """One metric by lead time, a panel a site and level, models side by side with their 95 % intervals.

    Parameters
    ----------
    skill : pandas.DataFrame
        The tidy skill frame (columns ``study, source, protocol, model, variant, site, depth_m, lead_d, metric, value,
        low, high, n``), of one study, source and protocol. A value that is NaN is left out.
    metric : str
        Which metric to draw.
    floor : float
        Where the axis of R2, KGE and the skill scores ends; values below it are drawn as arrows at the edge.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the metric is not in the frame, a model has no colour, or a model has several values in one place (two
        protocols, say).
    """
    rows = skill[skill["metric"] == metric]
    if rows.empty:
        raise ValueError(f"no metric {metric!r} in the frame: it has {sorted(skill['metric'].unique())}")
    rows, names = panels_in_order(rows)
    twice = rows[rows.duplicated(["panel", "model", "lead_d"])]
    if len(twice):
        site, level = twice["panel"].iloc[0]
        raise ValueError(f"several values for {twice['model'].iloc[0]} at {site} {level}: "
                         "select one study, source and protocol")
    models, leads = in_order(rows["model"]), sorted(rows["lead_d"].unique())
    low, high = _limits(rows, metric, floor)
    room = {"columns": 3, "height": 2.5} if len(names) <= 30 else {"columns": 5, "width": 2.3, "height": 2.0}
    fig, axes = grid(len(names), "lead (days)", METRICS.get(metric, metric), extra=1.3, **room)
    for ax, name in zip(axes, names, strict=True):
        here = rows[rows["panel"] == name]
        ax.set_title(", ".join(part for part in name if part))
        _lead_axis(ax, leads)
        ax.set_ylim(low, high)
        if metric not in LOSSES:
            ax.axhline(0, color="0.3", linewidth=0.8, zorder=1)
        if here["value"].isna().all():
            no_data(ax)
        for i, model in enumerate(models):
            one = here[here["model"] == model].set_index("lead_d").reindex(leads)
            _dodged(ax, one, model, np.arange(len(leads)) + _dodge(i, len(models)), low)
    handles = [Line2D([], [], **model_style(m)) for m in models]
    labels = list(models)
    if (rows["value"] < low).any():
        handles.append(Line2D([], [], color="0.2", **(OFF_SCALE | {"clip_on": True})))
        labels.append(f"off scale, below {low:g}".replace("-", "−"))
    legend(fig, handles, labels)
    if title:
        fig.suptitle(title)
    return fig


def _dodge(i, n):
    """Where model `i` of `n` stands beside a lead, so that all of them fit in 0.8 of the room."""
    return (i - (n - 1) / 2) * 0.8 / n


def _lead_axis(ax, leads):
    ax.set_xticks(range(len(leads)), [f"{lead:g}" for lead in leads])
    ax.set_xlim(-0.55, len(leads) - 0.45)
    ax.grid(False, axis="x")
    for x in range(1, len(leads)):
        ax.axvline(x - 0.5, color="0.88", linewidth=0.6, zorder=0)


def _limits(rows, metric, floor):
    """Limits of the y axis: to 1 for scores that end there, from 0 for errors, even about 0 for bias."""
    ends = rows[["value", "low", "high"]].astype(float)
    least, most = float(np.nanmin(ends.fillna(0))), float(np.nanmax(ends.fillna(0)))
    if metric in UNBOUNDED:
        shown = ends.where(ends >= floor).min().min()
        low = floor if rows["value"].min() < floor else max(floor, min(0.0, shown) - 0.05)
        return low, 1.06
    if metric == "r":
        return max(-1.06, min(-0.03, least - 0.05)), 1.06
    if metric in LOSSES:
        return 0.0, 1.08 * most or 1.0
    return (-1.1 * max(abs(least), most) or -1.0), (1.1 * max(abs(least), most) or 1.0)


def _dodged(ax, one, model, x, low):
    """A model's points, thin line and intervals at the places `x`; arrows for what lies under the axis."""
    look = model_style(model)
    value = one["value"].to_numpy(float)
    seen = value >= low
    ends = one[["low", "high"]].to_numpy(float)
    bar = ~np.isnan(ends).any(axis=1) & (ends[:, 1] > low)
    ax.vlines(x[bar], ends[bar, 0], ends[bar, 1], color=look["color"], linewidth=1.2, zorder=2)
    ax.plot(x, np.where(seen, value, np.nan), zorder=3, **(look | {"linewidth": 0.8, "alpha": 1.0}))
    under = value < low
    if under.any():
        edge = low + 0.045 * (ax.get_ylim()[1] - low)
        ax.plot(x[under], np.full(under.sum(), edge), color=look["color"], **OFF_SCALE)


@house
def error_by_lead(errors, title=None):
    """Forecast errors (forecast minus observed, m3 m-3) by lead: a box a model, whiskers from 5 to 95 percent.

    Parameters
    ----------
    errors : pandas.DataFrame
        Columns ``model, lead_d, error``, one row a forecast. NaN errors are left out.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Boxes span the quartiles, the bar is the median; points outside the whiskers are not drawn.
    """
    models, leads = in_order(errors["model"]), sorted(errors["lead_d"].unique())
    fig = figure(np.clip(0.9 + len(leads) * (0.34 * len(models) + 0.4), 6.5, 10.5), 4.4)
    ax = fig.subplots()
    errors = errors.dropna(subset=["error"])
    drawn = dict(list(errors.groupby(["model", "lead_d"])["error"]))
    for i, model in enumerate(models):
        at = {k + _dodge(i, len(models)): drawn[model, d] for k, d in enumerate(leads) if (model, d) in drawn}
        if not at:
            continue
        colour, hollow = model_style(model)["color"], model in BASELINES
        line = {"color": colour}
        ax.boxplot(list(at.values()), positions=list(at), widths=0.62 / len(models), whis=(5, 95), showfliers=False,
                   patch_artist=True, manage_ticks=False, whiskerprops=line, capprops=line,
                   medianprops={"color": colour if hollow else "white", "linewidth": 1.6},
                   boxprops={"facecolor": "white" if hollow else colour, "edgecolor": colour})
    if errors.empty:
        no_data(ax)
    _lead_axis(ax, leads)
    ax.axhline(0, color="0.2", linewidth=0.9, zorder=1)
    ax.set_xlabel("lead (days)")
    ax.set_ylabel("forecast minus observed\n(m³ m⁻³)")
    legend(fig, [Patch(facecolor="white" if m in BASELINES else model_style(m)["color"],
                       edgecolor=model_style(m)["color"]) for m in models], models)
    fig.suptitle(title or "Forecast error by lead: quartiles, whiskers 5 to 95 %")
    return fig


@house
def forecast_series(forecasts, observed, precipitation=None, title=None):
    """Forecasts of some models at one lead beside what was observed; missing days stay gaps.

    Parameters
    ----------
    forecasts : xarray.DataArray or pandas.DataFrame
        Dims (model, time), or tidy columns ``model, time, forecast``: soil moisture in m3 m-3 of one site, level and
        lead, dated by the day that is forecast.
    observed : xarray.DataArray
        Dim (time), m3 m-3.
    precipitation : xarray.DataArray, optional
        Dim (time), mm d-1, drawn on top.
    title : str, optional
        Say the site, the depth and the lead here.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a model has several forecasts for one day.
    """
    if isinstance(forecasts, pd.DataFrame):
        twice = forecasts.duplicated(["model", "time"])
        if twice.any():
            raise ValueError("a model has several forecasts for one day: select one site, level and lead")
        forecasts = forecasts.set_index(["model", "time"])["forecast"].to_xarray()
    rain = precipitation is not None
    fig = figure(9.5, 5.2 if rain else 4.0)
    axes = fig.subplots(1 + rain, 1, sharex=True, squeeze=False, height_ratios=[1, 2.6] if rain else [1])[:, 0]
    if rain:
        rain_panel(axes[0], daily(precipitation))
    ax = axes[-1]
    observed, forecasts = daily(observed), daily(forecasts)
    if observed.isnull().all() and forecasts.isnull().all():
        no_data(ax)
    broken_line(ax, observed["time"].values, observed.values, color="black", linewidth=1.6, label="observed", zorder=4)
    for model in in_order(forecasts["model"].values.tolist()):
        look = model_style(model)
        # Persistence is the observed line moved: dotted, or it could be taken for it.
        broken_line(ax, forecasts["time"].values, forecasts.sel(model=model).values, color=look["color"], label=model,
                    linewidth=1.1, linestyle=":" if model in BASELINES else "-", zorder=3)
    ax.set_ylabel(MOISTURE)
    date_axis(ax)
    collected_legend(fig)
    if title:
        fig.suptitle(title)
    return fig
