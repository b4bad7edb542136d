"""One file of daily maps, NetCDF or GeoTIFF: what it says about itself, and its values."""

import re
import threading
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from smlib.data.readers.mapped import convert
from smlib.data.schema import KNOWN, DataError

NETCDF, GEOTIFF = (".nc", ".nc4"), (".tif", ".tiff")
NAMES = ("soil_moisture", "sm", "ssm", "smhires", "soilmoisture", "surface_soil_moisture", "sm_surface", "swvl1")
STANDARD_NAMES = ("volume_fraction_of_condensed_water_in_soil", "volume_fraction_of_water_in_soil")
DATES = ("%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y.%m.%d", "%Y%j", "%Y-%j", "%Y_%j")
_LOCK = threading.Lock()  # the HDF5 library must not be used by two threads at once


@dataclass(frozen=True)
class Map:
    """Where one day of one variable is: `part` is a NetCDF variable or the number of a GeoTIFF band.

    `index` picks the day from a NetCDF variable's `time` dim, if it has one; `y` and `x` are its other dims.
    """

    file: Path
    part: str | int
    units: str
    time: str = ""
    index: int = 0
    y: str = ""
    x: str = ""


def read_header(file, plan):
    """What `file` holds, without the values of its maps: ([(day, {variable: Map})], (lat, lon)).

    `plan` is as for `daily_maps.read_maps`. ``lat`` and ``lon`` are along y and x, or both (y, x).
    """
    try:
        return (_geotiff if file.suffix.lower() in GEOTIFF else _netcdf)(file, plan)
    except ProjError as error:
        raise DataError(f"has a projection that is not understood ({error})", file=file, variable="lat, lon") from None


def same_grid(a, b):
    """Whether two pairs of latitudes and longitudes are the same to a millionth of a degree."""
    return all(p is q or p.shape == q.shape and np.allclose(p, q, atol=1e-6, rtol=0, equal_nan=True)
               for p, q in zip(a, b, strict=True))


def date_of(file, pattern=None):
    """The date in the name of `file`, by a `pattern` such as ``SM_%Y%j`` or by any usual one, or `DataError`."""
    found = set()
    for form in [pattern] if pattern else DATES:
        for text in re.findall(_regex(form, pattern is None), file.stem):
            try:
                date = pd.Timestamp(datetime.strptime(text, form))
            except ValueError:  # a number that is no date
                continue
            found |= {date} if 1950 <= date.year <= 2100 else set()
    if len(found) != 1:
        several = ", ".join(f"{date:%Y-%m-%d}" for date in sorted(found))
        raise DataError(f"has {f'several dates ({several})' if found else 'no date'} in its name: say in columns.yml "
                        "what it looks like, grid: {date: \"SM_%Y%m%d\"}", file=file, variable="time")
    return found.pop()


@cache
def _regex(form, alone):
    """What finds a date of this format in a name; `alone` means not as a part of a longer number."""
    digits = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}", "%j": r"\d{3}"}
    wanted = re.sub("|".join(digits), lambda m: digits[m[0]], re.escape(form))
    hours = r"(?=\d{6}(?:\D|$)|\D|$)" if "%d" in form else r"(?!\d)"  # a time of day may follow
    return rf"(?<!\d){wanted}{hours}" if alone else wanted


# --- GeoTIFF


def _geotiff(file, plan):
    """([(day, {name: Map})], (lat, lon)) of a GeoTIFF, from its header."""
    import rasterio  # here, for it takes a while and few need it

    try:
        with rasterio.open(file) as tif:
            maps = {}
            for name, (entry,) in plan["variables"].items():
                band = _band(tif, name, entry.get("column"), file)
                maps[name] = Map(file, band, entry.get("units") or tif.units[band - 1] or KNOWN[name].units)
                _check_length(tif, band, file)
            grid = _tif_grid(tif, file)
        return [(date_of(file, plan["grid"].get("date")), maps)], grid
    except rasterio.errors.RasterioError as error:
        raise DataError(f"cannot be opened ({error}): truncated?", file=file) from None


def _band(tif, name, column, file):
    named = {str(label): band for band, label in zip(tif.indexes, tif.descriptions, strict=True) if label}
    known, wanted = named, [str(column)]
    if column is None:
        known, wanted = {label.lower(): band for label, band in named.items()}, NAMES
    found = [column] if column in tif.indexes else [known[label] for label in wanted if label in known]
    found += [1] if column is None and tif.count == 1 else []
    if found:
        return found[0]
    raise DataError(f"which of its {tif.count} bands ({', '.join(named) or 'without names'}) is {name}? Say so in "
                    "columns.yml", file=file, variable=column or name)


def _check_length(tif, band, file):
    """The last block of values, which is the last to be written, must lie within the file."""
    rows, columns = tif.block_shapes[band - 1]
    block = f"{(tif.width - 1) // columns}_{(tif.height - 1) // rows}"
    offset, size = (tif.get_tag_item(f"BLOCK_{key}_{block}", "TIFF", bidx=band) for key in ("OFFSET", "SIZE"))
    if offset and int(offset) + int(size) > file.stat().st_size:
        raise DataError("is shorter than it says: truncated?", file=file)


def _tif_grid(tif, file):
    if tif.transform.is_identity:
        raise DataError("does not say where its cells are (no geotransform)", file=file)
    lat, lon = _cells(tuple(tif.transform)[:6], tif.shape, tif.crs and tif.crs.to_wkt())
    if tif.crs is None and not (abs(lon).max() <= 360 and abs(lat).max() <= 90):
        raise DataError("does not say what its coordinates are (no CRS), and they are not degrees", file=file)
    return lat, lon


@lru_cache(maxsize=8)
def _cells(transform, shape, crs):
    """Latitudes and longitudes of a raster's cells; most files of a folder share them."""
    a, b, c, d, e, f = transform
    x, y = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    x, y = a * x + b * y + c, d * x + e * y + f
    x, y = (x[0], y[:, 0]) if b == d == 0 else (x, y)
    return _degrees(x, y, crs and CRS.from_wkt(crs))


def _degrees(x, y, crs):
    """Latitudes and longitudes of cells at `x` and `y`, both along their axes or both 2-D; no `crs` means degrees."""
    if not crs or crs.is_geographic:
        return y, np.where(x > 180, x - 360, x)
    if x.ndim == 1:
        x, y = np.meshgrid(x, y)
    lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    return lat, lon


# --- NetCDF


def _netcdf(file, plan):
    """([(day, {name: Map})], (lat, lon)) of a NetCDF file, from its header and coordinates."""
    with _LOCK, _open(file) as ds:
        pattern = plan["grid"].get("date")
        time = None if pattern else _time(ds, plan["grid"].get("time"), file)
        days = [date_of(file, pattern)] if time is None else pd.DatetimeIndex(time).normalize()
        found, grid = [{} for _ in days], None
        for name, (entry,) in plan["variables"].items():
            da = _variable(ds, name, entry.get("column"), file)
            axis = time.dims[0] if time is not None and time.ndim and time.dims[0] in da.dims else ""
            if len(days) > 1 and not axis:
                raise DataError(f"has dims {da.dims}, and none of them is the time", file=file, variable=da.name)
            own, y, x = _nc_grid(ds, da, axis, plan["grid"], file)
            if grid is not None and not same_grid(grid, own):
                raise DataError("has another grid than the other variables", file=file, variable=da.name)
            grid = own
            units = entry.get("units") or str(da.attrs.get("units") or KNOWN[name].units)
            for index, maps in enumerate(found):
                maps[name] = Map(file, da.name, units, axis, index, y, x)
        return list(zip(days, found, strict=True)), grid


def _open(file):
    """xarray's view of `file`, in which missing values are NaN and scales are applied, or `DataError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", xr.SerializationWarning)  # of several fill values, all of which are applied
            with open(file, "rb") as stream:  # netCDF's own library reads zeros where a classic file is cut off
                engine = "scipy" if stream.read(4) in (b"CDF\1", b"CDF\2") else None
            return xr.open_dataset(file, engine=engine, cache=False, decode_timedelta=False,
                                   create_default_indexes=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"cannot be opened ({error}): truncated?", file=file) from None


def _time(ds, name, file):
    """The time coordinate, of one day or more, or None."""
    name = name or next((v for v in ds.variables if str(v).lower() == "time"), None)
    if name is None:
        return None
    if name not in ds.variables or not np.issubdtype(ds[name].dtype, np.datetime64) or not ds[name].size:
        raise DataError(f"holds no dates; there are {', '.join(map(str, ds.variables))}", file=file, variable=name)
    if ds[name].isnull().any():
        raise DataError("holds dates that cannot be read", file=file, variable=name)
    return ds[name].reset_coords(drop=True) if ds[name].ndim else ds[name].reset_coords(drop=True).expand_dims("one")


def _variable(ds, name, column, file):
    if column is not None:
        if column not in ds.variables:
            raise DataError(f"is missing; there are {', '.join(map(str, ds.variables))}", file=file, variable=column)
        return ds[column]
    lower = {str(v).lower(): v for v in ds.data_vars}
    standard = {ds[v].attrs.get("standard_name"): v for v in ds.data_vars}
    for known, wanted in ((lower, NAMES[:1]), (standard, STANDARD_NAMES), (lower, NAMES[1:])):
        for label in wanted:
            if label in known:
                return ds[known[label]]
    maps = [v for v in ds.data_vars if ds[v].ndim >= 2 and str(v) not in KNOWN]
    if len(maps) == 1:
        return ds[maps[0]]
    raise DataError(f"there is no {name.replace('_', ' ')} among {', '.join(map(str, ds.data_vars)) or 'its variables'}"
                    ": say in columns.yml which it is", file=file, variable=name)


def _nc_grid(ds, da, axis, names, file):
    """((lat, lon), y dim, x dim) of a variable whose time dim is `axis`."""
    dims = [d for d in da.dims if d != axis]
    if len(dims) > 2:
        dims = [d for d in dims if da.sizes[d] > 1]
    if len(dims) != 2:
        raise DataError(f"has dims {da.dims}: a map has two, beside time", file=file, variable=da.name)
    lat, lon = (_coordinate(ds, kind, names.get(kind[:3]), file) for kind in ("latitude", "longitude"))
    if lat is None or lon is None:
        mapping = ds.variables.get(da.attrs.get("grid_mapping"))
        x, y = (next((ds[v] for v in ds.variables if ds[v].attrs.get("standard_name") == f"projection_{k}_coordinate"),
                     None) for k in "xy")
        if mapping is None or x is None or y is None:
            raise DataError("where its cells are is not said: there are neither lat and lon nor x, y and a projection "
                            f"among {', '.join(map(str, ds.variables))}", file=file, variable="lat, lon")
        return _degrees(x.values, y.values, CRS.from_cf(mapping.attrs)), y.dims[0], x.dims[0]
    if lat.ndim == 2:
        y, x = lat.dims
    else:  # coordinates need not share dims with the variable, then sizes tell
        y, x = dims
        if lat.dims == (x,) or lon.dims == (y,) or (da.sizes[y], da.sizes[x]) != (lat.size, lon.size):
            y, x = x, y
    shape = (lat.size, lon.size) if lat.ndim == 1 else lat.shape
    if {y, x} != set(dims) or (da.sizes[y], da.sizes[x]) != shape or lat.ndim == 2 and lon.shape != shape:
        raise DataError(f"has dims {dict(da.sizes)}, which latitudes {lat.shape} and longitudes {lon.shape} do not fit",
                        file=file, variable=da.name)
    return (lat.values, np.where(lon.values > 180, lon.values - 360, lon.values)), y, x


def _coordinate(ds, kind, name, file):
    if name is not None and name not in ds.variables:
        raise DataError(f"is missing; there are {', '.join(map(str, ds.variables))}", file=file, variable=name)
    for v in ds.variables:
        if v == name if name else str(v).lower() in (kind, kind[:3]) or ds[v].attrs.get("standard_name") == kind:
            return ds[v].squeeze() if ds[v].size > 1 else ds[v]
    return None


# --- Values


def read_map(m, name, missing):
    """One day of the canonical variable `name` as float32 (y, x), NaN where missing."""
    values = _read_tif(m, missing) if m.file.suffix.lower() in GEOTIFF else _read_nc(m, missing)
    units = re.sub(r"[\^*]+", "", m.units).strip()
    values = np.asarray(convert(values, name, units, m.file), np.float32)
    v = KNOWN[name]
    bad = values[(values < v.low) | (values > v.high)]
    if bad.size:
        raise DataError(f"holds {bad[0]:g} {v.units}, outside {v.low:g} to {v.high:g}: other units, or a missing value "
                        "that the file does not declare? Say so in columns.yml", file=m.file, variable=name)
    return values


def _read_tif(m, missing):
    import rasterio

    try:
        with rasterio.open(m.file) as tif:
            raw = tif.read(m.part, masked=True)
            scale, offset = tif.scales[m.part - 1], tif.offsets[m.part - 1]
    except rasterio.errors.RasterioError as error:
        raise DataError(f"cannot be read ({error}): truncated?", file=m.file) from None
    values = np.ma.filled(raw.astype("float64"), np.nan)
    return np.where(np.isin(values, missing), np.nan, values) * scale + offset


def _read_nc(m, missing):
    with _LOCK, _open(m.file) as ds:
        da = ds[m.part].isel({m.time: m.index}) if m.time else ds[m.part]
        extra = [d for d in da.dims if d not in (m.y, m.x)]
        try:
            values = da.squeeze(extra).transpose(m.y, m.x).values.astype("float64")
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"cannot be read ({error}): truncated?", file=m.file) from None
    return np.where(np.isin(values, missing), np.nan, values)
