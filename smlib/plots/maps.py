"""The map of the sites, drawn from the layers in data/natural_earth: nothing here can reach for the network."""

import functools

import cartopy.crs as ccrs
import numpy as np
import shapely
from cartopy.mpl.ticker import LatitudeLocator, LongitudeLocator
from matplotlib import patheffects
from scipy.sparse.csgraph import connected_components
from sklearn.metrics.pairwise import haversine_distances

from smlib.paths import DATA
from smlib.plots.style import figure, house

LINK_KM = 2000.0  # sites nearer than this to each other, directly or through others, share a panel
LAND, WATER, MARK = "#f3efe4", "#dce8f1", "#B2182B"
LAYERS = {
    "ne_50m_land": {"facecolor": LAND, "edgecolor": "0.45", "linewidth": 0.5},
    "ne_50m_lakes": {"facecolor": WATER, "edgecolor": "0.6", "linewidth": 0.3},
    "ne_10m_admin_1_states_provinces_lines_usa": {"facecolor": "none", "edgecolor": "0.65", "linewidth": 0.4},
    "ne_50m_admin_0_boundary_lines_land": {"facecolor": "none", "edgecolor": "0.35", "linewidth": 0.7},
}


@house
def site_map(ds):
    """Where the sites are, one panel for each cluster of sites (one alone where they are near each other).

    Parameters
    ----------
    ds : xarray.Dataset
        Stations in the canonical schema: dim ``site`` with ``lat`` and ``lon`` in degrees. ``ds.attrs["kind"]`` must be
        "measured" or "simulated"; the title says which.

    Returns
    -------
    matplotlib.figure.Figure
        Mercator maps with labelled gridlines; every site is a marker with its name beside it.

    Raises
    ------
    ValueError
        If the dataset does not say whether it is measured or simulated.
    """
    kind = ds.attrs.get("kind")
    if kind not in ("measured", "simulated"):
        raise ValueError(f"ds.attrs['kind'] must be 'measured' or 'simulated', not {kind!r}")
    lat, lon, names = ds["lat"].values, ds["lon"].values, [str(s) for s in ds["site"].values]
    groups = _groups(lat, lon)
    fig, slots = _slots(len(groups))
    panels = []
    for (slot, aspect), group in zip(slots, groups, strict=True):
        centre, (west, east, south, north) = _box(lat[group], lon[group], aspect)
        ax = fig.add_subplot(slot, projection=ccrs.Mercator(central_longitude=centre))
        ax.set_extent((west, east, south, north), ccrs.PlateCarree(central_longitude=centre))
        _background(ax, centre, (west, east, south, north))
        ax.plot(lon[group], lat[group], linestyle="none", marker="o", markersize=6, color=MARK, markeredgecolor="white",
                markeredgewidth=0.7, transform=ccrs.PlateCarree(), zorder=5)
        panels.append((ax, group))
    fig.suptitle(f"{kind.capitalize()} soil moisture: {len(names)} site{'s' if len(names) != 1 else ''}")
    fig.draw_without_rendering()  # the labels need the final size of the panels
    for ax, group in panels:
        places = ax.projection.transform_points(ccrs.PlateCarree(), lon[group], lat[group])[:, :2]
        label(ax, places, [names[i] for i in group])
    return fig


@functools.cache
def _layer(name):
    text = (DATA / "natural_earth" / f"{name}.geojson").read_text()
    return shapely.get_parts(shapely.from_geojson(text))


def _groups(lat, lon):
    """Indices of the sites of each panel, the panel with most sites first."""
    km = haversine_distances(np.radians(np.column_stack([lat, lon]))) * 6371.0
    count, label = connected_components(km < LINK_KM)
    return sorted((np.flatnonzero(label == i) for i in range(count)), key=lambda g: (-len(g), g[0]))


def _slots(n):
    """A figure, and place and aspect of `n` panels: up to two side by side, else a wide one over rows of three."""
    if n <= 2:
        fig = figure(*((7.5, 5.2) if n == 1 else (10.0, 4.2)))
        return fig, [(slot, 1.6 if n == 1 else 1.3) for slot in fig.add_gridspec(1, n)]
    rows = -(-(n - 1) // 3)
    fig = figure(10.0, 6.2 + 2.8 * rows)
    spec = fig.add_gridspec(1 + rows, 3, height_ratios=[5.8] + [2.7] * rows)
    return fig, [(spec[0, :], 1.75)] + [(spec[1 + i // 3, i % 3], 1.3) for i in range(n - 1)]


def _box(lat, lon, aspect):
    """Central longitude, and (west, east, south, north) with west and east relative to it, that show some sites."""
    centre = float(np.degrees(np.angle(np.exp(1j * np.radians(lon)).mean())))
    x = (lon - centre + 180) % 360 - 180
    squeeze = np.cos(np.radians(np.clip(lat.mean(), -75, 75)))
    span = max(np.ptp(x) * squeeze / aspect, np.ptp(lat))
    # 8 degrees show a coast or a border almost anywhere; sites close together are seen from nearer, to come apart.
    tall = max(1.4 * span, min(8.0, max(1.0, 10 * span)) if span > 0 else 8.0)
    wide = min(tall * aspect / squeeze, 358.0)
    x0, y0 = (x.min() + x.max()) / 2, (lat.min() + lat.max()) / 2
    return centre, (x0 - wide / 2, x0 + wide / 2, max(y0 - tall / 2, -78.0), min(y0 + tall / 2, 82.0))


def _background(ax, centre, box):
    west, east, south, north = box
    ax.set_facecolor(WATER)
    for name, look in LAYERS.items():
        pieces = []
        for turn in (-360, 0, 360):  # the layers run from -180 to 180 degrees, the box may reach over either end
            middle = centre + turn
            cut = shapely.clip_by_rect(_layer(name), middle + west - 2, south - 2, middle + east + 2, north + 2)
            pieces += list(cut[~shapely.is_empty(cut)])
        ax.add_geometries(pieces, ccrs.PlateCarree(), zorder=1, **look)
    meridians = LongitudeLocator(nbins=5).tick_values(west + centre, east + centre)
    lines = ax.gridlines(draw_labels=["left", "bottom"], linewidth=0.4, color="0.55", alpha=0.6, zorder=2,
                         xlocs=np.unique((meridians + 180) % 360 - 180), ylocs=LatitudeLocator(nbins=5))
    lines.xlabel_style = lines.ylabel_style = {"size": 9}


def label(ax, places, names, others=(), size=9):
    """Write `names` by `places` (data coordinates), covering neither each other nor a marker while there is room.

    `others` are the places of markers without a name, `size` is in points. The figure has to be drawn once before.
    """
    renderer, point = ax.figure.canvas.get_renderer(), ax.figure.dpi / 72
    frame = np.array(ax.get_window_extent(renderer).extents)
    pixels = ax.transData.transform(places)
    taken = [np.concatenate([p - 4.5 * point, p + 4.5 * point])
             for p in (*pixels, *(ax.transData.transform(others) if len(others) else ()))]
    halo = patheffects.withStroke(linewidth=2.0, foreground="white")
    for place, pixel, name in zip(places, pixels, names, strict=True):
        text = ax.annotate(name, place, (0, 0), textcoords="offset points", va="bottom", fontsize=size, zorder=6,
                           annotation_clip=False, path_effects=[halo])
        text.set_in_layout(False)
        extent = text.get_window_extent(renderer)
        box, radius = _free_box(pixel, (extent.width, extent.height), taken, frame, point)
        taken.append(box)
        text.set_position((box[:2] - pixel) / point)
        if radius > 12:  # too far off to be read as that marker's
            end = np.clip(pixel, box[:2], box[2:])
            ax.annotate("", place, (end - pixel) / point, textcoords="offset points", zorder=4,
                        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": "0.25", "shrinkA": 0, "shrinkB": 0}
                        ).set_in_layout(False)


def _free_box(pixel, size, taken, frame, point):
    """The nearest box (x0, y0, x1, y1) of `size` around `pixel` that covers nothing taken, and how far off it is."""
    best = (np.inf, None, None)
    for radius in (6, 12, 18, 26, 36, 48, 62, 78, 96):
        for angle in np.radians([0, 180, 90, 270, 45, 315, 135, 225, 22, 338, 158, 202]):
            out = np.array([np.cos(angle), np.sin(angle)])
            corner = pixel + radius * point * out + np.array(size) * (out - 1) / 2
            box = np.concatenate([corner, corner + size])
            overlap = [np.clip(np.minimum(box[2:], t[2:]) - np.maximum(box[:2], t[:2]), 0, None).prod() for t in taken]
            off = (box[:2] < frame[:2]).any() or (box[2:] > frame[2:]).any()
            covered = sum(overlap) + off * np.prod(size)
            if covered < best[0]:
                best = (covered, box, radius)
        if best[0] == 0:
            break
    return best[1:]
