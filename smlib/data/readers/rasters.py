"""Means over the cells of a grid of what GeoTIFF rasters hold, in strips: rasters need not fit into memory.

Pixels belong to the cell that their centre lies in. (GDAL's own averaging takes the pixels of a box that is upright in
the raster: at 45 N, 120 W 1.4 times those of the cell on MODIS' sinusoidal grid, 0.7 times on Conus Albers, measured by
the variance of means of white noise.)
"""

import re
from contextlib import ExitStack
from functools import lru_cache, partial
from pathlib import Path

import dask
import dask.array
import numpy as np
import pandas as pd
from pyproj import Transformer
from pyproj.exceptions import CRSError

from smlib.data.ease import EPSG
from smlib.data.readers.map_files import date_of
from smlib.data.schema import DataError

STRIP = 2**21  # pixels that are read at once
LATTICE = 16  # every so many-th pixel of a row is projected; between, positions are off by metres at most
STRIPS_KEPT = 64  # whose pixels' cells are remembered, for the next day's file: half a GB


def cell_means(tiles, grid, pixels, count=1, halo=0, share=0.0, scaled=True):
    """Means (count, y, x), float32, over the cells of `grid` of values made of rasters' pixels.

    Parameters
    ----------
    tiles : list of tuple of path
        Rasters that share their pixels (such as reflectance and its quality), for each tile.
    grid : `ease.EaseGrid`
    pixels : function
        Of a list of (row, column) float32 arrays, NaN where the raster says so, and the `Strip` that they are; gives
        `count` arrays of values to be averaged, NaN where missing.
    halo : int
        Rows above and below that `pixels` needs, for slopes.
    scaled : bool
        Whether a scale and an offset that rasters declare are applied.
    share : float
        A mean counts if at least this share of the pixels in the cell is there; 0: if any is.

    Raises
    ------
    DataError
        For rasters without a projection or with one that is not understood, that do not fit each other, are truncated,
        or of which none touches the grid.
    """
    import rasterio

    n = grid.shape[0] * grid.shape[1]
    sums, held, total = np.zeros((count, n)), np.zeros((count, n)), np.zeros(n)
    for files in tiles:
        try:
            with ExitStack() as stack:
                tifs = [stack.enter_context(rasterio.open(file)) for file in files]
                shape, transform, crs = check(tifs, files)
                for rows, columns in _windows(tifs[0], grid):
                    at = _cells(tuple(transform)[:6], crs, (rows.start, rows.stop), (columns.start, columns.stop), grid)
                    inside = at >= 0
                    if not inside.any():
                        continue
                    above, below = min(halo, rows.start), min(halo, shape[0] - rows.stop)
                    wide = (rows.start - above, rows.stop + below), (columns.start, columns.stop)
                    arrays = [_read(tif, wide, scaled) for tif in tifs]
                    at = at[inside]
                    total += np.bincount(at, minlength=n)
                    for k, values in enumerate(pixels(arrays, Strip(transform, crs, wide[0]))):
                        values = values[above:above + rows.stop - rows.start][inside]
                        there = ~np.isnan(values)
                        held[k] += np.bincount(at[there], minlength=n)
                        sums[k] += np.bincount(at[there], values[there], n)
        except rasterio.errors.RasterioError as error:
            raise DataError(f"cannot be read ({error}): truncated?", file=files[0]) from None
    if not total.any():
        raise DataError("covers no cell of the grid: another region, or another projection than it says",
                        file=tiles[0][0])
    enough = (held > 0) & (held >= share * total)
    return np.where(enough, sums / np.maximum(held, 1), np.nan).reshape(count, *grid.shape).astype(np.float32)


class Strip:
    """Rows of a raster: how large their pixels are.

    Attributes
    ----------
    east_m : (row, 1), width of a pixel to the east in m
    south_m : float, height of a pixel in m; negative if the raster's rows run to the north
    """

    def __init__(self, transform, crs, rows):
        lat = transform.f + transform.e * (np.arange(*rows)[:, None] + 0.5)
        metres = np.radians(1) * 6371e3 if crs.is_geographic else crs.linear_units_factor[1]
        narrower = np.cos(np.radians(lat)) if crs.is_geographic else np.ones_like(lat)
        self.east_m, self.south_m = transform.a * metres * narrower, -transform.e * metres


def check(tifs, files):
    """(shape, transform, CRS) that all opened rasters share, or `DataError`."""
    first = tifs[0]
    for tif, file in zip(tifs, files, strict=True):
        if tif.crs is None:
            raise DataError("does not say what its coordinates are (no CRS)", file=file)
        if tif.transform.is_identity or tif.transform.b or tif.transform.d:
            raise DataError("does not say where its pixels are, or its rows are not along its coordinates", file=file)
        if not tif.crs.is_geographic and not tif.crs.is_projected:
            raise DataError(f"has a projection that is not understood: {tif.crs.to_string()[:80]}", file=file)
        west, south, east, north = tif.bounds
        if tif.crs.is_geographic and not (-361 < west < east < 361 and max(abs(south), abs(north)) < 91):
            raise DataError(f"says that its coordinates are degrees, and they reach {east:g}, {north:g}", file=file)
        if (tif.shape, tif.crs) != (first.shape, first.crs) or not tif.transform.almost_equals(first.transform, 1e-6):
            raise DataError(f"has another grid than {Path(files[0]).name}", file=file)
    return first.shape, first.transform, first.crs


def _windows(tif, grid):
    """(rows, columns) as slices, in strips, of the part of a raster that may touch the grid."""
    from rasterio.errors import CRSError as RasterCRSError
    from rasterio.warp import transform_bounds

    try:
        west, south, east, north = transform_bounds(EPSG, tif.crs, *grid.bounds, densify_pts=101)
    except RasterCRSError as error:
        raise DataError(f"has a projection that is not understood ({error})", file=tif.name) from None
    corners = [~tif.transform * corner for corner in ((west, north), (east, south))]
    (left, right), (top, bottom) = (sorted(c[k] for c in corners) for k in (0, 1))
    left, right = (int(np.clip(v, 0, tif.width)) for v in (left - 2, right + 3))
    top, bottom = (int(np.clip(v, 0, tif.height)) for v in (top - 2, bottom + 3))
    height = max(1, STRIP // max(1, right - left))
    if left < right:
        yield from ((slice(k, min(k + height, bottom)), slice(left, right)) for k in range(top, bottom, height))


@lru_cache(maxsize=STRIPS_KEPT)
def _cells(transform, crs, rows, columns, grid):
    """Number of the cell that each pixel (row, column) of a window lies in, -1 if in none."""
    a, _, c, _, e, f = transform
    try:
        to = Transformer.from_crs(crs.to_wkt(), EPSG, always_xy=True)
    except CRSError as error:
        raise DataError(f"projection is not understood ({error})") from None
    some = np.unique(np.append(np.arange(*columns, LATTICE), columns[1] - 1))
    px, py = np.meshgrid(c + a * (some + 0.5), f + e * (np.arange(*rows) + 0.5))
    x, y = to.transform(px, py)
    every = np.arange(*columns)
    x, y = (np.stack([np.interp(every, some, row) for row in v]) for v in (x, y))
    return grid.find(np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan))


def _read(tif, window, scaled):
    """Band 1 in a window as float32, NaN where the raster declares it missing."""
    values = tif.read(1, window=window, masked=True)
    found = np.ma.filled(values.astype(np.float32), np.nan)
    return found * np.float32(tif.scales[0]) + np.float32(tif.offsets[0]) if scaled else found


def lazy(work, count, grid):
    """A dask array (count, y, x) of a function without arguments that gives it."""
    # partial hides the file names from dask, which would walk through them
    return dask.array.from_delayed(dask.delayed(partial(work), pure=False)(), (count, *grid.shape), np.float32)


def header(files):
    """Open and check rasters that belong together, without reading them, or `DataError`."""
    import rasterio

    try:
        with ExitStack() as stack:
            return check([stack.enter_context(rasterio.open(file)) for file in files], files)
    except rasterio.errors.RasterioError as error:
        raise DataError(f"cannot be opened ({error}): truncated?", file=files[0]) from None


def by_day(files, pattern, what):
    """{day: [files]} of the `files` (or those in a folder) with `pattern` in their names, in the order of days."""
    days = {}
    for file in listed(files, (".tif", ".tiff")):
        if re.search(pattern, file.name):
            days.setdefault(date_of(file), []).append(file)
    if not days:
        raise DataError(f"there is no file of {what} (a GeoTIFF with {pattern} in its name)", file=_where(files))
    return {day: sorted(days[day]) for day in sorted(days)}


def listed(files, suffixes):
    """Sorted paths: `files`, or all files with one of the `suffixes` if it is a folder."""
    if isinstance(files, (str, Path)):
        folder = Path(files)
        files = [folder] if folder.is_file() else [f for f in folder.rglob("*") if f.suffix.lower() in suffixes]
        if not files:
            raise DataError(f"holds no file named {', '.join('*' + s for s in suffixes)}", file=folder)
    return sorted(Path(file) for file in files)


def _where(files):
    return files if isinstance(files, (str, Path)) else ", ".join(Path(f).name for f in list(files)[:3])


def days_index(days):
    """A time axis of the schema's type."""
    return pd.DatetimeIndex(days, name="time").astype("datetime64[ns]")
