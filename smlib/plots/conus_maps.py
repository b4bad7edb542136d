"""Maps of fields over the United States; each figure says in its title what data."""

import functools

import numpy as np
import shapely
from matplotlib.collections import LineCollection

from smlib.plots.maps import LAYERS, _layer
from smlib.plots.style import HEIGHT, MOISTURE, PLANTS, SAND, WET, figure, house, no_data
from smlib.plots.world import OUTLINES

KINDS = ("measured", "simulated")
BOX = (-125.5, -66.5, 24.5, 50.0)  # west, east, south, north


def known(kind):
    """Raise ValueError unless `kind` says whether data are measured or simulated."""
    if kind not in KINDS:
        raise ValueError(f"kind must be {' or '.join(KINDS)}, not {kind!r}")


@functools.cache
def _lines():
    """The coast, lakes and states within the map: one array (point, 2) of degrees a line, with its look."""
    found = []
    for layer in OUTLINES:
        parts = shapely.clip_by_rect(_layer(layer), BOX[0], BOX[2], BOX[1], BOX[3])
        edges = [part if part.geom_type.endswith("LineString") else part.boundary for part in parts]
        edges = shapely.get_parts(shapely.simplify(shapely.get_parts(edges), 0.01))  # a fifth of a pixel
        look = {"color": LAYERS[layer]["edgecolor"], "linewidth": LAYERS[layer]["linewidth"]}
        found.append(([shapely.get_coordinates(edge) for edge in edges], look))
    return found


def outlines(ax, labels=True):
    """Make an axis a map of the country in degrees, true to scale at its middle, with coast, lakes and states."""
    for lines, look in _lines():
        ax.add_collection(LineCollection(lines, zorder=2, **look), autolim=False)
    ax.set(xlim=BOX[:2], ylim=BOX[2:], aspect=1 / np.cos(np.radians((BOX[2] + BOX[3]) / 2)))
    ax.spines[:].set_visible(True)
    ax.grid(False)
    ax.set_xticks(range(-120, -60, 20) if labels else [], [f"{x}°W" for x in (120, 100, 80)] if labels else [])
    ax.set_yticks((30, 40) if labels else [], ["30°N", "40°N"] if labels else [])


@house
def fields(forecasts, reference, sand=None, kind="simulated", title=None, label=MOISTURE):
    """Forecast maps at several leads above the reference of the same days, and sand content beside.

    Parameters
    ----------
    forecasts : mapping of lead (days) or name -> DataArray (y, x) with lat and lon
    reference : mapping of name -> (mapping of the same leads -> DataArray (y, x)), a row each, such as
        {"NLDAS-2": {1: ..., 7: ...}, "truth": {...}}
    sand : DataArray (y, x), percent, optional
    kind : "measured" or "simulated"
    title, label : str

    Returns
    -------
    matplotlib.figure.Figure
        All moisture on one colour scale, which ends at percentiles 1 and 99.
    """
    known(kind)
    rows = {"forecast": forecasts, **reference}
    leads = list(forecasts)
    every = np.concatenate([np.asarray(da, float).ravel() for row in rows.values() for da in row.values()])
    low, high = np.nanpercentile(every, [1, 99]) if np.isfinite(every).any() else (0, 1)
    look = {"vmin": low, "vmax": high, "cmap": WET}
    columns = len(leads) + (sand is not None)
    fig = figure(11.0, len(rows) * (10.0 / columns * 0.55 + 0.35) + 1.3)
    axes = np.array([[fig.add_subplot(len(rows), columns, i * columns + j + 1)
                      for j in range(columns)] for i in range(len(rows))])
    for i, (name, row) in enumerate(rows.items()):
        for j, lead in enumerate(leads):
            said = f"{lead} day{'s' if lead != 1 else ''} ahead" if isinstance(lead, int | np.integer) else str(lead)
            mesh = _map(axes[i, j], row[lead], look)
            axes[i, j].set_title(f"{name}, {said}" if name == "forecast" else f"{name}, same day")
    if sand is not None:
        soil = _map(axes[0, -1], sand, {"vmin": 0, "vmax": 100, "cmap": SAND})
        axes[0, -1].set_title("sand")
        for ax in axes[1:, -1]:
            ax.remove()
        bar = axes[0, -1].inset_axes([0.05, -0.14, 0.9, 0.06])
        bar.set_in_layout(len(rows) == 1)  # below it is nothing, and room for it would part the other columns' rows
        fig.colorbar(soil, cax=bar, label="sand (percent)", orientation="horizontal")
    fig.colorbar(mesh, ax=axes[:, :len(leads)], label=label, location="bottom", extend="both", shrink=0.5, aspect=45,
                 pad=0.02)
    fig.suptitle(f"{title or 'Forecasts'} ({kind})")
    return fig


def _map(ax, da, look):
    """One field at its place with outlines; NaN stays white. Returns the mesh."""
    values = np.ma.masked_invalid(np.asarray(da.transpose("y", "x"), float))
    mesh = ax.pcolormesh(da["lon"], da["lat"], values, shading="nearest", rasterized=True, **look)
    outlines(ax, labels=False)
    if values.mask.all():
        no_data(ax)
    return mesh


@house
def inputs(panels, kind="simulated", columns=2, title=None):
    """Maps of unlike things, each with its own colours and units.

    Parameters
    ----------
    panels : mapping of title -> DataArray (y, x) with lat, lon and the attribute units
    kind : "measured" or "simulated"
    columns : int
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Colours end at the 1st and 99th percentile of each map.
    """
    known(kind)
    rows = -(-len(panels) // columns)
    fig = figure(9.5, rows * (8.0 / columns * 0.52 + 0.25) + 0.5)
    for k, (name, da) in enumerate(panels.items()):
        ax = fig.add_subplot(rows, columns, k + 1)
        values = np.asarray(da, float)
        low, high = np.nanpercentile(values, [1, 99]) if np.isfinite(values).any() else (0, 1)
        cmap = next((c for word, c in (("sand", SAND), ("elevation", HEIGHT), ("vegetation", PLANTS),
                                       ("temperature", "inferno"), ("share", "cividis")) if word in name), WET)
        mesh = _map(ax, da, {"vmin": low, "vmax": max(high, low + 1e-9), "cmap": cmap})
        ax.set_title(name)
        unit = da.attrs.get("units", "")
        fig.colorbar(mesh, ax=ax, label="" if unit == "1" else unit, shrink=0.85, extend="both", aspect=18)
    fig.suptitle(f"{title or 'Inputs'} ({kind})")
    return fig
