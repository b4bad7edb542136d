"""A dataset on another grid: fine data averaged within a cell, coarse data by cubic interpolation.

Everything is lazy where its source is. Missing is NaN: a mean is over the values that are there, and a cell is missing
where there are none.
"""

import threading

import numpy as np
import xarray as xr

from smlib.data.ease import EPSG, EaseGrid, metres, transformer
from smlib.data.schema import KNOWN, DataError

FINE = 0.5  # a source is averaged if its cells are at most so wide, in cells of the grid; else it is interpolated
_LOCK = threading.Lock()  # rasterio changes the filters of warnings while it warps, which is the process's


def to_grid(ds, grid, method=None, share=0.0, file=""):
    """A canonical dataset on another grid, lazily.

    Parameters
    ----------
    ds : xarray.Dataset
        Canonical, (..., y, x), with ``lat`` and ``lon`` along y and x, or both (y, x).
    grid : EaseGrid
    method : "select", "mean" or "cubic", optional
        If not given: the cells themselves if `ds` holds them already; the mean of what lies in a cell if those of `ds`
        are at most half as wide as the grid's; else cubic convolution (Keys 1981, by GDAL).
    share : float
        A mean counts if at least this share of the source's cells in a cell is there; 0: if any is.
    file : str or path
        For messages.

    Returns
    -------
    xarray.Dataset
        float32. Of land cover the commonest class (the lowest of several) or the nearest, of aspect the direction of
        the mean vector. Interpolated values are missing where the nearest value of the source is, or outside it;
        elsewhere weights of missing values go to the others, and what overshoots a variable's valid range is clipped
        to it, so that a mean over many cells may change a little there.

    Raises
    ------
    DataError
        For a grid that is not regular and coarse, or that does not touch `grid`.
    """
    for name in ("lat", "lon"):
        if name not in ds.coords:
            raise DataError("is missing from the coordinates", file=file, variable=name)
    ds = ds.assign_coords({name: ds[name].compute() for name in ("lat", "lon")})
    method = method or _method(ds, grid)
    if method not in ("select", "mean", "cubic"):
        raise ValueError(f"no method {method!r}; there are select, mean, cubic")
    do = {"select": _selecting, "mean": _averaging, "cubic": _interpolating}[method](ds, grid, share, file)
    parts = {}
    for name, da in ds.data_vars.items():
        if name == "aspect" and method != "select":
            angle = np.deg2rad(da)
            east, north = (_apply(part, do, grid, "") for part in (np.sin(angle), np.cos(angle)))
            parts[name] = (np.rad2deg(np.arctan2(east, north)) % 360).where(np.hypot(east, north) > 1e-6)
        else:
            parts[name] = _apply(da, do, grid, name)
    coords = {name: c for name, c in ds.coords.items() if not {"y", "x"} & set(c.dims)}
    found = grid.dataset({name: da.variable for name, da in parts.items()}, coords, ds.attrs.get("kind", "measured"))
    return found.assign_attrs(ds.attrs)


def _method(ds, grid):
    own = EaseGrid.of(ds)
    if own and own.spacing_km == grid.spacing_km and all(
            wanted.step % held.step == 0 and (wanted.start - held.start) % held.step == 0
            for wanted, held in ((grid.rows, own.rows), (grid.columns, own.columns))):
        return "select"
    lat, lon = (ds[name].values for name in ("lat", "lon"))
    if lat.ndim == 1:
        x, y = metres(lat, lon)
        widths = [np.median(abs(np.diff(axis))) for axis in (x, y) if len(axis) > 1]
    else:
        x, y = transformer().transform(lon, lat)
        widths = [np.nanmedian(np.hypot(np.diff(x, axis=k), np.diff(y, axis=k))) for k in (0, 1) if x.shape[k] > 1]
    return "mean" if max(widths, default=np.inf) <= FINE * grid.step else "cubic"


def _apply(da, do, grid, name):
    """`do` (function of a map and a variable's name) on every map of `da`, chunk by chunk."""
    lead = [d for d in da.dims if d not in ("y", "x")]
    if da.chunks is not None:
        da = da.chunk({"y": -1, "x": -1})

    def maps(values):
        flat = values.reshape(-1, *values.shape[-2:])
        return np.stack([do(one, name) for one in flat]).reshape(*values.shape[:-2], *grid.shape)

    return xr.apply_ufunc(maps, da.astype(np.float32), input_core_dims=[["y", "x"]], output_core_dims=[["y", "x"]],
                          exclude_dims={"y", "x"}, dask="parallelized", output_dtypes=[np.float32],
                          dask_gufunc_kwargs={"output_sizes": dict(zip("yx", grid.shape, strict=True))}
                          ).transpose(*lead, "y", "x")


def _selecting(ds, grid, share, file):
    own = EaseGrid.of(ds)
    if own is None or own.spacing_km != grid.spacing_km:
        raise DataError(f"does not lie on the EASE-Grid 2.0 of {grid.spacing_km} km: cells cannot be selected",
                        file=file, variable="lat, lon")
    x, y = np.meshgrid(grid.x, grid.y)
    at = own.find(x, y)
    _touches((at >= 0).any(), file)

    def do(values, name):
        return np.where(at >= 0, values.ravel()[at], np.nan).astype(np.float32)

    return do


def _averaging(ds, grid, share, file):
    lat, lon = (ds[name].values.astype(float) for name in ("lat", "lon"))
    if lat.ndim == 1:
        x, y = metres(lat, lon)
        at = grid.find(x[None], y[:, None]).ravel()
    else:
        at = grid.find(*transformer().transform(lon, lat)).ravel()
    _touches((at >= 0).any(), file)
    n = grid.shape[0] * grid.shape[1]
    inside = at >= 0
    at, total = at[inside], np.bincount(at[inside], minlength=n)

    def do(values, name):
        values = values.ravel()[inside]
        there = ~np.isnan(values)
        if name == "land_cover":
            shares = np.stack([np.bincount(at[values == k], minlength=n) for k in range(1, 18)])
            count, found = shares.sum(0), 1 + shares.argmax(0)
        else:
            count = np.bincount(at[there], minlength=n)
            found = np.bincount(at[there], values[there], n) / np.maximum(count, 1)
        enough = (count > 0) & (count >= share * total)
        return np.where(enough, found, np.nan).reshape(grid.shape).astype(np.float32)

    return do


def _interpolating(ds, grid, share, file):
    from rasterio.transform import from_origin
    from rasterio.warp import Resampling, reproject  # here, for its import takes a while

    crs, x, y = _axes(ds, file)
    upward, eastward = (slice(None, None, 1 if axis[0] < axis[-1] else -1) for axis in (y, x))
    x, y = x[eastward], y[upward][::-1]
    dx, dy = (x[-1] - x[0]) / (len(x) - 1), (y[0] - y[-1]) / (len(y) - 1)
    place = from_origin(x[0] - dx / 2, y[0] + dy / 2, dx, dy)
    # A picture of every so many-th cell is a raster too, of wide pixels about the same centres.
    wide, high = (axis.step * grid.step for axis in (grid.columns, grid.rows))
    target = from_origin(grid.x[0] - wide / 2, grid.y[0] + high / 2, wide, high)

    def warp(values, how):
        out = np.full(grid.shape, np.nan)
        with _LOCK:  # one map at a time: of several, GDAL takes a pixel for missing only where it is missing in all
            reproject(np.ascontiguousarray(values[upward, eastward][::-1], np.float64), out, src_transform=place,
                      src_crs=crs, dst_transform=target, dst_crs=EPSG, resampling=Resampling[how], src_nodata=np.nan,
                      dst_nodata=np.nan, tolerance=1e-3, XSCALE=1, YSCALE=1)  # a kernel of 4 by 4 cells, no wider
        return out

    nearest = warp(np.arange(len(y) * len(x), dtype=float).reshape(len(y), len(x)), "nearest")
    _touches(not np.isnan(nearest).all(), file)
    at = np.where(np.isnan(nearest), -1, nearest).astype(int)

    def do(values, name):
        near = np.where(at >= 0, values.ravel()[at], np.nan)
        if name == "land_cover":
            return near.astype(np.float32)
        found = np.where(np.isnan(near), np.nan, warp(values, "cubic"))
        if name in KNOWN:
            found = np.clip(found, KNOWN[name].low, KNOWN[name].high)
        return found.astype(np.float32)

    return do


def _axes(ds, file):
    """The projection (EPSG) in which the cells of `ds` are a raster, and their x and y in it."""
    lat, lon = ds["lat"].values.astype(float), ds["lon"].values.astype(float)
    if lat.ndim == lon.ndim == 1 and min(len(lat), len(lon)) > 1:
        for crs, x, y in ((EPSG, *metres(lat, lon)), (4326, lon, lat)):
            if all(abs(v - np.linspace(v[0], v[-1], len(v))).max() < 0.01 * abs(v[1] - v[0]) for v in (x, y)):
                return crs, x, y
    raise DataError("its cells are neither evenly spaced in degrees nor on an EASE-Grid 2.0: coarse data on another "
                    "grid cannot be interpolated", file=file, variable="lat, lon")


def _touches(condition, file):
    if not condition:
        raise DataError("covers no cell of the grid: another region, or another projection than it says", file=file,
                        variable="lat, lon")
