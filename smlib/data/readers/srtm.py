"""Terrain of a digital elevation model, such as SRTM's GeoTIFF tiles, averaged to a grid."""

import numpy as np

from smlib.data.ease import PARTS, EaseGrid
from smlib.data.readers.rasters import cell_means, header, lazy, listed

FLOW_KM = 1  # spacing of the grid on which water is routed
NAMES = ("elevation", "slope", "aspect", "curvature", "flow_accumulation")


def read_terrain(files, grid):
    """Elevation and what follows from it, (y, x) on `grid`, lazily (all at once when computed).

    Parameters
    ----------
    files : list of path, or a folder
        GeoTIFF tiles of elevation in m, in degrees or a projection in m.
    grid : `ease.EaseGrid`

    Returns
    -------
    xarray.Dataset
        ``elevation`` (m); ``slope`` (degrees), ``aspect`` (degrees clockwise from north, downhill) and ``curvature``
        (m-1, minus the Laplacian: positive on ridges) of the model's own pixels, by differences of neighbours, and
        their means over a cell (of aspect the direction of the mean vector; level pixels have none).
        ``flow_accumulation`` (km2): mean over the cell of the area upstream in a 1 km grid, by the steepest of eight
        neighbours (D8) over filled depressions (Wang and Liu 2006, in pyflwdir); water leaves at the edges of the
        model, so it hangs on how much of the world that shows, within the box of `grid`.
    """
    tiles = [(file,) for file in listed(files, (".tif", ".tiff"))]
    for tile in tiles:
        header(tile)

    def work():
        z, slope, east, north, curvature = cell_means(tiles, grid, derivatives, count=5, halo=2)
        aspect = np.where(np.hypot(east, north) > 1e-6, np.degrees(np.arctan2(east, north)) % 360, np.nan)
        return np.stack([z, slope, aspect, curvature, upstream_area(tiles, grid)]).astype(np.float32)

    found = lazy(work, len(NAMES), grid)
    return grid.dataset({name: (("y", "x"), found[k]) for k, name in enumerate(NAMES)})


def derivatives(arrays, strip):
    """Elevation (m), slope (degrees), the downhill direction's east and north parts, curvature (m-1) of each pixel."""
    z = arrays[0].astype(float)
    if min(z.shape) < 2:
        level = np.full(z.shape, np.nan)
        return z, level, level, level, level
    north, east = -np.gradient(z, axis=0) / strip.south_m, np.gradient(z, axis=1) / strip.east_m
    curvature = np.gradient(north, axis=0) / strip.south_m - np.gradient(east, axis=1) / strip.east_m
    steepness = np.hypot(north, east)
    steepness[steepness < 1e-9] = 0  # level, but for rounding
    with np.errstate(invalid="ignore", divide="ignore"):
        down = [np.where(steepness > 0, -part / steepness, np.nan) for part in (east, north)]
    return z, np.degrees(np.arctan(steepness)), *down, curvature


def upstream_area(tiles, grid):
    """Mean area upstream (y, x) in km2 over the cells of `grid`, see `read_terrain`."""
    import pyflwdir  # its import takes seconds, which only this needs

    times = PARTS[FLOW_KM] // PARTS[grid.spacing_km]
    fine = EaseGrid(*(range(axis[0] * times, (axis[-1] + 1) * times) for axis in (grid.rows, grid.columns)), FLOW_KM)
    height = cell_means(tiles, fine, lambda arrays, strip: [arrays[0]])[0]
    land = ~np.isnan(height)
    flow = pyflwdir.from_dem(np.where(land, height, -9999.0).astype(float), nodata=-9999.0)
    area = flow.accuflux(np.where(land, (fine.step / 1000) ** 2, -9999.0), nodata=-9999.0)
    area = np.where(land, area, np.nan).reshape(fine.shape[0] // times, times, fine.shape[1] // times, times)
    held = (~np.isnan(area)).sum((1, 3))
    mean = np.where(held > 0, np.nansum(area, axis=(1, 3)) / np.maximum(held, 1), np.nan)
    return mean[::grid.rows.step, ::grid.columns.step]
