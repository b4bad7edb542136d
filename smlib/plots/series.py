"""Figures of the data themselves: series, correlations, autocorrelation."""

from itertools import cycle

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.patches import Rectangle

from smlib.data.schema import VARIABLES
from smlib.plots.style import (
    MOISTURE,
    SIGNED,
    broken_line,
    collected_legend,
    daily,
    figure,
    grid,
    house,
    ink,
    legend,
    level_looks,
    level_names,
    no_data,
)

RAIN, AIR = "#3B6FA0", "0.45"
MISSING = {"facecolor": "0.88", "edgecolor": "0.6", "hatch": "////", "linewidth": 0}
SPLIT_COLOURS = ("#e3ebf4", "#fbf0d5", "#e2f0dd")


def date_axis(ax):
    """Dates written as briefly as they can be."""
    locator = AutoDateLocator(maxticks=9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def rain_panel(ax, rain):
    """Daily precipitation as bars that hang from the top; days without a value are shaded, for they are not dry."""
    values = rain.values.astype(float)
    day = np.timedelta64(12, "h")
    edges = np.concatenate([rain["time"].values - day, rain["time"].values[-1:] + day])
    ax.set_ylabel("precipitation\n(mm d⁻¹)")
    if np.isnan(values).all():
        no_data(ax)
        return
    ax.stairs(values, edges, fill=True, facecolor=RAIN, edgecolor=RAIN, linewidth=0.6, label="precipitation")
    ax.set_ylim(max(1.0, 1.08 * np.nanmax(values)), 0)
    if np.isnan(values).any():
        gap = np.concatenate([np.isnan(values), [False]])
        ax.fill_between(edges, 0, 1, where=gap | np.roll(gap, 1), step="post", transform=ax.get_xaxis_transform(),
                        label="precipitation missing", **MISSING)


@house
def series(ds, site, splits=None):
    """What was measured (or simulated) at one site, day by day: precipitation, temperatures, soil moisture by depth.

    Parameters
    ----------
    ds : xarray.Dataset
        Stations in the canonical schema. Days or values that are missing stay gaps: no line bridges them.
    site : str
        Which site.
    splits : mapping of str to (start, end), optional
        Periods to shade, as ``{"train": ("2003-01-01", "2007-12-31"), ...}``, both ends included.

    Returns
    -------
    matplotlib.figure.Figure
    """
    one = _period(ds.sel(site=site))
    one = daily(one)
    names, looks = level_names(ds, site), level_looks(ds, [site])
    rain = "precipitation" in one
    warm = "air_temperature" in one or "soil_temperature" in one
    heights = [1.0] * rain + [1.3] * warm + [2.2]
    fig = figure(9.5, 1.5 * sum(heights) + 1.0)
    axes = list(fig.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    if rain:
        rain_panel(axes[0], one["precipitation"])
    if warm:
        _temperatures(axes[rain], one, names, looks)
    _levels(axes[-1], one["soil_moisture"], names, looks, MOISTURE)
    if splits:
        _shade(axes, splits)
    date_axis(axes[-1])
    axes[-1].set_xlim(one["time"].values[0] - np.timedelta64(1, "D"), one["time"].values[-1] + np.timedelta64(1, "D"))
    collected_legend(fig)
    fig.align_ylabels(axes)
    kind = ds.attrs.get("kind", "")
    fig.suptitle(f"{site}, {kind}" if kind else str(site))
    return fig


def _period(one):
    """The days from a site's first value to its last (all of them where it has none)."""
    some = np.zeros(one.sizes["time"], bool)
    for da in one.data_vars.values():
        some |= da.notnull().any([d for d in da.dims if d != "time"]).values
    if not some.any():
        return one
    days = np.flatnonzero(some)
    return one.isel(time=slice(days[0], days[-1] + 1))


def _levels(ax, da, names, looks, ylabel):
    """One line a level that has values."""
    ax.set_ylabel(ylabel)
    values = da.transpose("depth", "time").values
    if np.isnan(values).all():
        no_data(ax)
        return
    width = 1.2 if values.shape[1] < 2000 else 0.8  # many years of thick lines hide each other
    for row, name in zip(values, names, strict=True):
        if not np.isnan(row).all():
            broken_line(ax, da["time"].values, row, label=f"soil, {name}", linewidth=width, **looks[name])


def _temperatures(ax, one, names, looks):
    air, soil = one.get("air_temperature"), one.get("soil_temperature")
    if air is not None and air.notnull().any():
        broken_line(ax, one["time"].values, air.values, color=AIR, linewidth=0.8, label="air temperature")
    if soil is not None and soil.notnull().any():
        _levels(ax, soil, names, looks, "")
    ax.set_ylabel("temperature\n(°C)")
    if ax.lines:
        ax.axhline(0, color="0.5", linewidth=0.6)
    else:
        no_data(ax)


def _shade(axes, splits):
    """Shade the periods on every panel and name them over the top one."""
    for (name, (start, end)), colour in zip(splits.items(), cycle(SPLIT_COLOURS), strict=False):
        start, end = np.datetime64(start, "D"), np.datetime64(end, "D") + np.timedelta64(1, "D")
        for ax in axes:
            ax.axvspan(start, end, color=colour, zorder=0, linewidth=0)
        axes[0].text(start + (end - start) / 2, 1.02, name, transform=axes[0].get_xaxis_transform(), ha="center",
                     va="bottom", fontsize=9, clip_on=False)


@house
def correlation_heatmap(corr, title=None):
    """A matrix of correlations with its numbers (the paper's Fig. 2).

    Parameters
    ----------
    corr : pandas.DataFrame
        Correlations between -1 and 1, NaN where there is none; labels are canonical variable names (written out in
        full) or any text.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Blue is negative, white zero, red positive; a missing cell is grey and hatched.
    """
    values = corr.to_numpy(float)
    rows, columns = values.shape
    fig = figure(max(0.62 * columns + 3.2, 4.5), max(0.45 * rows + 2.2, 3.2))
    ax = fig.subplots()
    image = ax.pcolormesh(np.ma.masked_invalid(values), cmap=SIGNED, vmin=-1, vmax=1, edgecolors="white", linewidth=1)
    for (i, j), value in np.ndenumerate(values):
        if np.isnan(value):
            ax.add_patch(Rectangle((j, i), 1, 1, **MISSING))
        else:
            ax.text(j + 0.5, i + 0.5, f"{value:.2f}".replace("-", "−"), ha="center", va="center", fontsize=9,
                    color=ink(SIGNED((value + 1) / 2)))
    names = [_written(c) for c in corr.columns]
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 6 else {}
    ax.set_xticks(np.arange(columns) + 0.5, names, **slant)
    ax.set_yticks(np.arange(rows) + 0.5, [_written(r) for r in corr.index])
    ax.invert_yaxis()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    fig.colorbar(image, ax=ax, label="correlation", ticks=[-1, -0.5, 0, 0.5, 1], shrink=0.9)
    if corr.isna().any(axis=None):
        legend(fig, [Rectangle((0, 0), 1, 1, **MISSING)], ["missing"])
    if title:
        fig.suptitle(title)
    return fig


def _written(label):
    if isinstance(label, tuple):
        return ", ".join(_written(part) for part in label)
    return VARIABLES[label].long_name if label in VARIABLES else str(label)


@house
def autocorrelation(acf, band=None, title=None):
    """Autocorrelation of soil moisture by lag, a panel a site and a line a depth (the paper's Fig. 3).

    Parameters
    ----------
    acf : xarray.DataArray
        Dims (site, depth, lag); ``lag`` in days, ``depth_m`` (site, depth) if known. NaN where there is none.
    band : float, optional
        Half width of the band in which white noise would stay (1.96 / sqrt(n)), shaded.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    acf = acf.transpose("site", "depth", "lag")
    fig, axes = grid(acf.sizes["site"], "lag (days)", "autocorrelation", extra=1.2)
    looks = level_looks(acf, acf["site"].values)
    low, drawn = float(np.nanmin(np.append(acf.values, 0.0))), {}
    for ax, site in zip(axes, acf["site"].values, strict=True):
        one = acf.sel(site=site)
        ax.set_title(str(site))
        if one.isnull().all():
            no_data(ax)
        for row, name in zip(one.values, level_names(acf, site), strict=True):
            if not np.isnan(row).all():
                drawn[name] = broken_line(ax, acf["lag"].values, row, **looks[name])
        ax.axhline(0, color="0.3", linewidth=0.8)
        if band is not None:
            drawn["white noise"] = ax.axhspan(-band, band, color="0.9", zorder=0, linewidth=0)
        ax.set_ylim(min(-0.05, low - 0.05), 1.05)
        ax.set_xlim(0, float(acf["lag"].max()))
    order = [name for name in [*looks, "white noise"] if name in drawn]
    if order:
        legend(fig, [drawn[name] for name in order], order)
    if title:
        fig.suptitle(title)
    return fig


