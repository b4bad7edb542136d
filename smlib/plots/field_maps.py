"""Maps of fields on a grid: truth, forecasts and their errors on some days, and where a pattern observes."""

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from smlib.plots.style import MOISTURE, WET, figure, house, legend, looks, no_data

OBSERVED, UNOBSERVED = "#084C8D", "#CFE0F1"
ERROR = "absolute error, and in the titles the RMSE over the cells (m³ m⁻³)"


def _degrees(positive, negative):
    return lambda value, _: f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"


def _map(ax, values, lat, lon, **colours):
    """One field (y, x) at its place, true to scale at its middle latitude; NaN stays white. Returns the mesh."""
    mesh = ax.pcolormesh(lon, lat, np.ma.masked_invalid(np.asarray(values, float)), shading="nearest",
                         rasterized=True, **colours)
    ax.set_aspect(1 / np.cos(np.radians(np.mean(lat))))
    for axis, names in ((ax.xaxis, "EW"), (ax.yaxis, "NS")):
        axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(_degrees(*names))
    ax.spines[["top", "right"]].set_visible(True)
    ax.grid(False)
    return mesh


def _shape(lat, lon):
    """Height over width of a map."""
    return float((np.max(lat) - np.min(lat)) / ((np.max(lon) - np.min(lon)) * np.cos(np.radians(np.mean(lat)))))


@house
def maps_of_days(truth, forecasts, lat, lon, title=None):
    """Truth, forecasts and their absolute errors on some days, as maps (compare Fan et al. 2025).

    Parameters
    ----------
    truth : xarray.DataArray (time, y, x)
        Soil moisture (m3 m-3) of two to four representative days, NaN outside the basin.
    forecasts : xarray.DataArray (model, time, y, x)
        Of the same days.
    lat, lon : array-like (y,), (x,)
        Degrees north and east.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        One figure: two lines of maps a day, truth and forecasts above, errors below, with the day's RMSE over the
        cells. All maps of moisture share one colour scale and all maps of errors another (both end at percentiles,
        1 to 99 and 99), so that days compare too.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    truth = truth.transpose("time", "y", "x")
    forecasts = forecasts.transpose("model", "time", "y", "x").sel(time=truth["time"])
    models = list(looks(forecasts["model"].values.tolist()))
    forecasts = forecasts.sel(model=models)
    error = abs(forecasts - truth)
    moisture = _scale([truth.values, forecasts.values], 1) | {"cmap": WET}
    errors = _scale([error.values], None) | {"cmap": "magma_r"}
    columns, days = len(models) + 1, truth.sizes["time"]
    width = np.clip(11.0 / columns, 1.7, 3.6)
    fig = figure(columns * width + 0.5, 2 * days * ((width - 0.2) * _shape(lat, lon) + 0.33) + 0.25 * days + 1.3)
    axes = fig.subplots(2 * days, columns, squeeze=False, sharex=True, sharey=True)
    for k, day in enumerate(truth["time"].values):
        above, below = axes[2 * k], axes[2 * k + 1]
        date = f"{pd.Timestamp(day):%Y-%m-%d}"
        below[0].axis("off")
        below[0].text(0.96, 0.5, f"{date}:\nabsolute error", transform=below[0].transAxes, ha="right", va="center")
        _field(above[0], truth.isel(time=k), lat, lon, moisture)
        above[0].set_title(f"truth\n{date}")
        for j, model in enumerate(models):
            off = error.isel(model=j, time=k)
            _field(above[j + 1], forecasts.isel(model=j, time=k), lat, lon, moisture)
            _field(below[j + 1], off, lat, lon, errors)
            rmse = np.sqrt((off ** 2).mean().item())
            above[j + 1].set_title(f"{model}\n" + ("" if np.isnan(rmse) else f"RMSE {rmse:.3f}"))
            below[j + 1].tick_params(labelleft=j == 0, labelbottom=k == days - 1)
        for j, ax in enumerate(above):
            ax.tick_params(labelleft=j == 0, labelbottom=j == 0 and k == days - 1)
    for look, label, extend in ((errors, ERROR, "max"), (moisture, MOISTURE, "both")):
        mesh = next(m for ax in axes.flat for m in ax.collections if m.get_clim() == (look["vmin"], look["vmax"]))
        fig.colorbar(mesh, ax=axes, label=label, extend=extend, location="bottom", shrink=0.5, aspect=45, pad=0.01)
    if title:
        fig.suptitle(title)
    return fig


def _scale(arrays, lowest):
    """Ends of a colour scale: percentiles of all values, from 0 if `lowest` is None."""
    values = np.concatenate([a.ravel() for a in arrays])
    values = values[np.isfinite(values)]
    if not len(values):
        return {"vmin": 0.0, "vmax": 1.0 if lowest is None else 0.5}
    low = 0.0 if lowest is None else np.percentile(values, lowest)
    return {"vmin": float(low), "vmax": float(max(np.percentile(values, 99), low + 1e-6))}


def _field(ax, values, lat, lon, look):
    _map(ax, values, lat, lon, **look)
    if not np.isfinite(values).any():
        no_data(ax)


@house
def field_map(values, lat, lon, title=None, label=MOISTURE):
    """One field (y, x) as a map with a colour bar; `lat` and `lon` (y,) and (x,), or (y, x) of both, degrees.

    Parameters
    ----------
    values : (y, x) array
        NaN where there is none.
    lat, lon : (y,) and (x,), or (y, x) of both
        Degrees.
    title : str, optional
    label : str
        Of the colour bar, with units.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    fig = figure(6.4, 5.2 * _shape(lat, lon) + 1.1)
    ax = fig.subplots()
    look = _scale([np.asarray(values, float)], 1)
    mesh = _map(ax, values, lat, lon, cmap=WET, **look)
    if not np.isfinite(values).any():
        no_data(ax)
    fig.colorbar(mesh, ax=ax, label=label, extend="both")
    if title:
        fig.suptitle(title)
    return fig


@house
def observation_patterns(masks, valid, lat, lon, title=None):
    """Which cells each pattern observes, a row a pattern and a column a day.

    Parameters
    ----------
    masks : dict of str to array (day, y, x) of bool
        The first days of each pattern; what lies outside `valid` is not drawn.
    valid : array (y, x) of bool
        Cells of the basin.
    lat, lon : array-like (y,), (x,)
        Degrees north and east.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        With the share of the valid cells that is observed in each panel's title.
    """
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    valid = np.asarray(valid, bool)
    columns = max(len(mask) for mask in masks.values())
    width = np.clip(9.5 / columns, 2.4, 4.5)
    fig = figure(columns * width + 0.4, len(masks) * ((width - 0.25) * _shape(lat, lon) + 0.3) + 1.0)
    axes = fig.subplots(len(masks), columns, squeeze=False, sharex=True, sharey=True)
    for row, (name, mask) in zip(axes, masks.items(), strict=True):
        for k, ax in enumerate(row):
            if k >= len(mask):
                ax.axis("off")
                continue
            seen = np.asarray(mask[k], bool) & valid
            share = 100 * seen.sum() / max(valid.sum(), 1)
            _map(ax, np.where(valid, seen, np.nan), lat, lon, vmin=0, vmax=1,
                 cmap=ListedColormap([UNOBSERVED, OBSERVED]))
            start = f"{name}\nd" if k == 0 else "\nd"
            ax.set_title(f"{start}ay {k + 1}: {share:.1f} % observed")
    legend(fig, [Patch(facecolor=OBSERVED), Patch(facecolor=UNOBSERVED), Patch(facecolor="white", edgecolor="0.5")],
           ["observed", "not observed", "outside the basin"])
    if title:
        fig.suptitle(title)
    return fig
