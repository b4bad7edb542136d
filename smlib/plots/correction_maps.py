"""Maps of the correction study: where stations and cells are, and products before and after correction."""

import numpy as np
import xarray as xr
from matplotlib.collections import PatchCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from smlib.plots.correction_scores import in_known_order
from smlib.plots.field_series import number
from smlib.plots.style import MOISTURE, SIGNED_WET, WET, figure, house, legend, no_data, nothing, wrapped

# Groups go round the colours with one marker, then with the next: 24 that differ, neighbours never by colour alone.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#332288", "#999933")
MARKERS = ("o", "^", "s")
LAND, EDGE, MISSING = "0.92", "0.75", "0.82"


@house
def network_maps(matched, points, title=None):
    """Stations on the grid of each product; stations and cells that are held out together share a colour and marker.

    Parameters
    ----------
    matched : mapping of product -> `smlib.correction.data.Matched`, or mapping of network -> such (a row each)
        Of each: cells with row, column, lat, lon, stations and group (-1: no station).
    points : `smlib.correction.data.Points`, or mapping of network -> such
        Of each: network, and sites with lat, lon and group.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Cells with stations are tinted in the colour of their group, other land cells are grey. A network's maps share
        their extent; how many stations, cells and groups there are stands in the titles.
    """
    if hasattr(points, "sites"):
        matched, points = {points.network: matched}, {points.network: points}
    networks = in_known_order(points)
    products = in_known_order(p for n in networks for p in matched.get(n, {}))
    if not products:
        return nothing(title)
    width = 10.4 / len(products)
    heights = [_tallness(matched.get(n, {}).values()) * (width - 0.6) + 0.65 for n in networks]
    fig = figure(10.6, sum(heights) + 1.3)
    axes = fig.subplots(len(networks), len(products), squeeze=False, height_ratios=heights, sharex="row", sharey="row")
    for row, network in zip(axes, networks, strict=True):
        sites = points[network].sites
        for ax, product in zip(row, products, strict=True):
            ax.set_title(f"{network}, {product}")
            one = matched.get(network, {}).get(product)
            if one is None or not len(one.cells):
                no_data(ax)
                continue
            held = one.cells["stations"] > 0
            said = f"{held.sum()} of {len(held)} cells with stations, {one.cells.loc[held, 'group'].nunique()} groups"
            ax.set_title(f"{network}, {product}\n" + wrapped(said, 0.72 * width))  # a map may be that much narrower
            _cells(ax, one.cells)
            for group, here in sites.groupby("group"):
                colour, marker = _look(group)
                ax.plot(here["lon"], here["lat"], linestyle="none", marker=marker, markersize=4.5, color=colour,
                        markeredgecolor="black", markeredgewidth=0.5, zorder=4)
        row[0].set_ylabel("latitude (°)")
    for ax in axes[-1]:
        ax.set_xlabel("longitude (°)")
    legend(fig, [Patch(facecolor=LAND, edgecolor=EDGE), Patch(facecolor="#9CC4DD", edgecolor=EDGE),
                 Line2D([], [], linestyle="none", marker="o", color=COLOURS[0], markeredgecolor="black")],
           ["land cell without a station", "cell with stations, tinted as its group",
            "station: colour and marker are its group's"])
    fig.suptitle(title or "Stations, cells, and the groups that are held out together")
    return fig


def _look(group):
    return COLOURS[int(group) % len(COLOURS)], MARKERS[int(group) // len(COLOURS) % len(MARKERS)]


def _tallness(products):
    """Height over width, true to scale, of what the maps of one network show; bounded, so that none fills a page."""
    cells = [one.cells for one in products if len(one.cells)]
    if not cells:
        return 0.5
    lat, lon = (np.concatenate([c[name] for c in cells]) for name in ("lat", "lon"))
    return float(np.clip(np.ptp(lat) / max(np.ptp(lon) * np.cos(np.radians(lat.mean())), 1e-6), 0.4, 1.3))


def _cells(ax, cells):
    """Each land cell as a square of its grid."""
    lat, lon = cells["lat"].to_numpy(float), cells["lon"].to_numpy(float)
    steps = [np.ptp(place) / np.ptp(number) for place, number in ((lat, cells["row"]), (lon, cells["column"]))
             if np.ptp(number)]
    step = max(steps, default=0.1)  # a lone cell is drawn as one of 0.1 degree
    squares = [Rectangle((x - step / 2, y - step / 2), step, step) for x, y in zip(lon, lat, strict=True)]
    faces = [_look(g)[0] + "66" if n else LAND for g, n in zip(cells["group"], cells["stations"], strict=True)]
    ax.add_collection(PatchCollection(squares, facecolor=faces, edgecolor=EDGE, linewidth=0.4, zorder=1))
    ax.margins(0.04)
    ax.autoscale_view()
    _place(ax, lat.mean())


def _place(ax, lat):
    """Make an axis a map, true to scale at a latitude, with as few longitudes as a narrow map has room for."""
    ax.set_aspect(1 / np.cos(np.radians(lat)))
    ax.grid(False)
    ticks = _two_ticks(*ax.get_xlim())
    ax.set_xticks(ticks, [f"{x:g}".replace("-", "−") for x in ticks])
    ax.yaxis.set_major_locator(MaxNLocator(6))


@house
def product_maps(before, after, difference, truth=None, lat=None, lon=None, difference_name="after − before",
                 title=None):
    """A product before and after correction, the truth if it is known, and the difference.

    Parameters
    ----------
    before, after, difference : (y, x) DataArray with lat and lon, or array with `lat` (y,) and `lon` (x,), m3 m-3
        Or each a mapping of a row's name (as a product's) -> such. NaN is drawn grey.
    truth : the same, optional
    lat, lon : degrees, where arrays have none
    difference_name : str
        What `difference` is.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        All soil moisture on one scale (percentiles 1 to 99), all differences on one that is even about 0.
    """
    kinds = {"before": before, "after": after, **({} if truth is None else {"truth": truth}),
             difference_name: difference}
    if not isinstance(before, dict):
        kinds = {kind: {"": field} for kind, field in kinds.items()}
    kinds = {kind: {name: _field(field, lat, lon) for name, field in fields.items()} for kind, fields in kinds.items()}
    names = list(kinds["before"])
    every = {kind: np.concatenate([f.values.ravel() for f in fields.values()] or [[]])
             for kind, fields in kinds.items()}
    moisture = np.concatenate([values for kind, values in every.items() if kind != difference_name])
    if not np.isfinite(moisture).any():
        return nothing(title)
    low, high = np.nanpercentile(moisture, [1, 99])
    size = np.abs(every[difference_name][np.isfinite(every[difference_name])])
    most = max(np.percentile(size, 99), 1e-3) if len(size) else 1e-3
    width = 10.0 / len(kinds)
    heights = [float(np.clip(_shape(kinds["before"][name]), 0.4, 1.4)) * (width - 0.3) + 0.4 for name in names]
    fig = figure(10.0, sum(heights) + 1.3)
    axes = fig.subplots(len(names), len(kinds), squeeze=False, height_ratios=heights, sharex="row", sharey="row")
    meshes = {}
    for row, name in zip(axes, names, strict=True):
        for ax, (kind, fields) in zip(row, kinds.items(), strict=True):
            look = {"cmap": WET, "vmin": low, "vmax": max(high, low + 1e-6)}
            if kind == difference_name:
                look = {"cmap": SIGNED_WET, "vmin": -most, "vmax": most}
            ax.set_title(f"{name}, {kind}" if name else kind)
            ax.set_facecolor(MISSING)
            if name not in fields or not np.isfinite(fields[name]).any():
                no_data(ax)
                continue
            one = fields[name]
            meshes[kind == difference_name] = ax.pcolormesh(one["lon"], one["lat"], np.ma.masked_invalid(one.values),
                                                            shading="nearest", rasterized=True, **look)
            _place(ax, float(one["lat"].mean()))
        row[0].set_ylabel("latitude (°)")
    for ax in axes[-1]:
        ax.set_xlabel("longitude (°)")
    bar = {"location": "bottom", "extend": "both", "aspect": 30, "format": lambda x, _: number(x)}
    fig.colorbar(meshes[False], ax=axes[:, :-1], label=MOISTURE, shrink=0.6,
                 ticks=MaxNLocator(5, steps=[1, 2, 5, 10]), **bar)
    if True in meshes:
        fig.colorbar(meshes[True], ax=axes[:, -1:], label=f"{difference_name}\n(m³ m⁻³)", shrink=0.9,
                     ticks=_even_ticks(most), **bar | {"aspect": 16})
    fig.suptitle(title or "Soil moisture before and after correction (grey: no value)")
    return fig


def _two_ticks(low, high):
    """Two round numbers as far apart as an axis of this range has room for, clear of its ends."""
    inner = np.array([low, high]) + 0.1 * (high - low) * np.array([1, -1])
    for power in np.arange(np.ceil(np.log10(high - low)), -9, -1):
        for step in 10 ** power * np.array([1, 0.5, 0.25]):
            ticks = step * np.arange(np.ceil(inner[0] / step), np.floor(inner[1] / step) + 1)
            if len(ticks) > 1:
                return ticks[[0, -1]].round(9)


def _even_ticks(most):
    """0 and the largest number of the form 1, 2 or 5 times a power of ten up to `most`, on either side."""
    ten = 10 ** np.floor(np.log10(most))
    end = max(step for step in ten * np.array([0.5, 1, 2, 5]) if step <= most)
    return [-end, 0, end]


def _field(field, lat, lon):
    """A map as DataArray (y, x) with lat and lon of one dimension."""
    if isinstance(field, xr.DataArray):
        return field.transpose("y", "x").astype(float)
    return xr.DataArray(np.asarray(field, float), dims=("y", "x"), coords={"lat": ("y", lat), "lon": ("x", lon)})


def _shape(field):
    """Height over width of a map, true to scale."""
    lat, lon = field["lat"].values, field["lon"].values
    return np.ptp(lat) / max(np.ptp(lon) * np.cos(np.radians(lat.mean())), 1e-6)
