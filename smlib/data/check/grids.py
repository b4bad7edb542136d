"""Gridded files, one by one: every fault that can be told of each, and of which days it has what on which cells."""

import re
from collections import namedtuple

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.check.tables import keep
from smlib.data.check.values import check_values
from smlib.data.readers import imerg, mapped, nldas, rasters, smap, solus
from smlib.data.readers.map_files import GEOTIFF, NAMES, date_of, read_header
from smlib.data.schema import KNOWN, DataError, validate

# Other names of units than `mapped.UNITS` has, by canonical units: factor and offset.
UNITS = {"1": {"1": (1, 0), "": (1, 0), "-": (1, 0), "fraction": (1, 0), "%": (0.01, 0), "percent": (0.01, 0)},
         "mm d-1": {"mm/day": (1, 0), "mm/d": (1, 0), "mm day-1": (1, 0), "mm/hr": (24, 0)},
         "degC": {"Kelvin": (1, -273.15), "kelvin": (1, -273.15), "Celsius": (1, 0), "C": (1, 0)},
         "percent": {"1": (100, 0), "saturation degree (%)": (1, 0)},
         "m3 m-3": {"m^3/m^3": (1, 0), "m3.m-3": (1, 0), "m³ m⁻³": (1, 0)}}
# The parts of a folder of the correction study, and what their maps hold.
PARTS = {"ascat": "soil_saturation", "cci": "soil_moisture", "smap": "soil_moisture", "precipitation": "precipitation",
         "lst": "land_surface_temperature", "et": "evapotranspiration", "fvc": "fractional_vegetation_cover",
         "porosity": "porosity"}
MANY = 10**8  # values of a file beyond which eight of its days are looked at
ENOUGH = 1000  # values from which their greatest tells a fraction from percent
WINDOW = 512  # pixels along a side that are looked at in the middle of a large raster
Layer = namedtuple("Layer", "name units read")  # `read` gives the raw values as float, NaN where declared missing


def see_grid(seen, look, quantity):
    """Maps in NetCDF or GeoTIFF; `quantity` is the canonical variable that they ought to hold.

    `look` says whether values are read, which is not done for each of many files.
    """
    if seen.file.suffix.lower() in GEOTIFF:
        layers, grid, days = _geotiff(seen)
    else:
        layers, grid, days = _netcdf(seen, quantity)
    if not layers:
        return
    seen.grid = grid
    if grid is not None:
        _check_grid(seen, grid)
    if days is None and not KNOWN[quantity].static:
        with seen.catching():
            days = pd.DatetimeIndex([_date(seen)])
    elif days is not None:
        _compare_days(seen, days)
    for layer in layers:
        seen.units[quantity] = layer.units or f"none stated, taken for {KNOWN[quantity].units}"
        change = _units(layer.units, quantity)
        if change is None:
            seen.blame(f"has units {layer.units!r}, which are not those of {quantity} ({KNOWN[quantity].units})",
                       layer.name)
        elif look:
            with seen.catching():
                raw = layer.read()
                many = np.isfinite(raw).sum() > ENOUGH
                check_values(raw * change[0] + change[1], raw, quantity, layer.name, seen.blame, whole=many)
                if np.isnan(raw).all() and KNOWN[quantity].static:
                    seen.blame("every value is missing", layer.name)
    if days is not None:
        seen.maps[quantity] = days
    if not seen.faults and quantity == "soil_moisture" and seen.kind == "maps":
        read_header(seen.file, {"grid": {}, "variables": {"soil_moisture": [{}]}})


def _date(seen):
    """The day in the file's name; GLASS puts an A before it, and another date behind."""
    return date_of(seen.file, "A%Y%j" if seen.kind == "glass" else None)


def _compare_days(seen, days):
    """Blame a file of one day whose name has the date of another."""
    try:
        named = _date(seen)
    except DataError:  # no date in the name, or several: nothing to compare
        return
    if len(days) == 1 and named != days[0]:
        seen.blame(f"is named {named:%Y-%m-%d} and holds {days[0]:%Y-%m-%d}: the name or the content is of another day",
                   "time")


def _units(units, quantity):
    """Factor and offset to the canonical units of `quantity`, or None."""
    canonical, units = KNOWN[quantity].units, re.sub(r"[\^*]+", "", units).strip()
    known = {canonical: (1, 0), "": (1, 0)} | mapped.UNITS.get(canonical, {}) | UNITS.get(canonical, {})
    if units in known:
        return known[units]
    number = re.fullmatch(r"([\d.]+(?:e[+-]?\d+)?) (.+)", units)
    if number and number[2] in known:
        factor, offset = known[number[2]]
        return factor * float(number[1]), offset
    return None


def _check_grid(seen, grid):
    lat, lon = (np.asarray(v, float) for v in grid)
    for name, values, bound in (("lat", lat, 90), ("lon", lon, 360)):
        known = values[np.isfinite(values)]
        if not known.size:
            seen.grid = None
            seen.blame("holds no number", name)
        elif abs(known).max() > bound:
            seen.grid = None  # what cannot be is not compared
            seen.blame(f"reaches {known[np.argmax(abs(known))]:g} degrees, beyond {bound}: latitude and longitude "
                       "swapped, or not degrees?", name)
        elif values.ndim == 1 and len(values) > 1 and not (np.diff(values) > 0).all() and \
                not (np.diff(values) < 0).all() and name == "lat":
            seen.blame("neither rises nor falls throughout", name)


def _geotiff(seen):
    """([Layer], (lat, lon), None) of a GeoTIFF; of a large one values are those in its middle."""
    import rasterio
    from rasterio.warp import transform_bounds
    from rasterio.windows import Window

    if seen.kind in ("modis", "solus", "srtm"):
        rasters.header((seen.file,))
    with rasterio.open(seen.file) as tif:
        shape, count, units = tif.shape, tif.count, tif.units[0] or ""
        if tif.transform.is_identity:
            raise DataError("does not say where its cells are (no geotransform)")
        west, south, east, north = tif.bounds
        degrees = tif.crs is None and max(abs(west), abs(east)) <= 361 and max(abs(south), abs(north)) <= 91
        if tif.crs is None and not degrees:
            raise DataError("does not say what its coordinates are (no CRS), and they are not degrees")
        if not degrees:
            west, south, east, north = transform_bounds(tif.crs, 4326, *tif.bounds, densify_pts=21)
        height, width = (min(n, WINDOW) for n in shape)
    if count > 1 and seen.kind == "maps":
        with seen.catching():  # which bands there are, if none is told to be moisture
            read_header(seen.file, {"grid": {}, "variables": {"soil_moisture": [{}]}})

    def read():
        with rasterio.open(seen.file) as tif:
            part = Window((shape[1] - width) // 2, (shape[0] - height) // 2, width, height)
            try:
                raw = np.ma.filled(tif.read(1, window=part, masked=True).astype(float), np.nan)
                tif.read(1, window=Window(shape[1] - 1, shape[0] - 1, 1, 1))  # a file that is cut off lacks the last
            except rasterio.errors.RasterioError as error:
                raise DataError(f"cannot be read ({error}): truncated?") from None
            return raw * tif.scales[0] + tif.offsets[0]

    half = (north - south) / shape[0] / 2, (east - west) / shape[1] / 2
    rows = np.linspace(north - half[0], south + half[0], shape[0])
    columns = np.linspace(west + half[1], east - half[1], shape[1])
    return [Layer("band 1", units, read)], (rows, columns), None


def _netcdf(seen, quantity):
    """([Layer], (lat, lon), days or None) of a NetCDF file's variable that is, or can be, the `quantity`."""
    with _open(seen.file) as ds:
        if {"locations", "obs"} & set(ds.dims) or {"location_id", "row_size"} & set(ds.variables):
            seen.blame("holds time series by grid point, not maps, which nothing here reads: make daily maps of it")
            return [], None, None
        found = _variable(ds, quantity)
        if found is None:
            names = ", ".join(map(str, ds.data_vars)) or "its variables"
            seen.blame(f"there is no {quantity.replace('_', ' ')} among {names}: say in columns.yml which it is",
                       quantity)
            return [], None, None
        time = next((ds[v] for v in ds.variables if str(v).lower() == "time"), None)
        days = None
        if time is not None:
            if not np.issubdtype(time.dtype, np.datetime64) or time.isnull().any():
                seen.blame("holds dates that cannot be read", "time")
            else:
                stamps = pd.DatetimeIndex(np.atleast_1d(time.values))
                if not stamps.is_monotonic_increasing:
                    seen.blame("dates are not in order", "time")
                days = stamps.normalize()
                if days.has_duplicates and not seen.faults:
                    seen.blame(f"date {days[days.duplicated()][0]:%Y-%m-%d} stands twice", "time")
        lat, lon = (_axis(ds, kind) for kind in ("latitude", "longitude"))
        if lat is None or lon is None:
            if "grid_mapping" not in found.attrs:
                seen.blame(f"there is no latitude or longitude among {', '.join(map(str, ds.variables))}", "lat, lon")
                return [], None, None
            lat = None  # projected: the reader that opens the folder works out where its cells are
        units = str(found.attrs.get("units", ""))

    def read():
        with _open(seen.file) as ds:
            da = ds[found.name]
            if "time" in da.dims and da.size > MANY:
                da = da.isel(time=np.unique(np.linspace(0, da.sizes["time"] - 1, 8).astype(int)))
            try:
                return da.values.astype(float)
            except (OSError, ValueError, RuntimeError) as error:
                raise DataError(f"cannot be read ({error}): truncated?", variable=found.name) from None

    return [Layer(str(found.name), units, read)], None if lat is None else (lat, lon), days


def _open(file):
    """xarray's view of a file; scipy's for the classic format, where netCDF's own reads zeros past the end."""
    try:
        with open(file, "rb") as stream:
            engine = "scipy" if stream.read(4) in (b"CDF\1", b"CDF\2") else None
        return xr.open_dataset(file, engine=engine, decode_timedelta=False, cache=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"cannot be opened ({str(error)[:200]}): truncated?") from None


def _variable(ds, quantity):
    """The variable that is the `quantity` by its name or CF name, else the only map that is nothing else we know."""
    names = {quantity} | (set(NAMES) | {"sm"} if quantity in ("soil_moisture", "soil_saturation") else set())
    for v in ds.data_vars:
        if str(v).lower() in names or KNOWN[quantity].standard_name and \
                ds[v].attrs.get("standard_name") == KNOWN[quantity].standard_name:
            return ds[v]
    maps = [v for v in ds.data_vars if ds[v].ndim >= 2 and str(v) not in KNOWN]
    return ds[maps[0]] if len(maps) == 1 else None


def _axis(ds, kind):
    return next((ds[v].values for v in ds.variables if str(v).lower() in (kind, kind[:3])
                 or ds[v].attrs.get("standard_name") == kind), None)


def see_canonical(seen, look, quantity):
    """A NetCDF file or Zarr store of the schema: each variable by itself, so that none hides another."""
    try:
        ds = xr.open_zarr(seen.file) if seen.file.is_dir() else xr.open_dataset(seen.file, chunks={})
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        return seen.blame(f"cannot be opened ({str(error)[:200]}): truncated?")
    with ds:
        if not ds.data_vars:
            seen.blame("holds no variable")
        for name in ds.data_vars if look or "site" in ds.dims else []:
            with seen.catching():
                validate(ds.drop_vars([other for other in ds.data_vars if other != name]), needs=())
        if "lat" in ds.coords and "y" in ds.dims:
            seen.grid = ds["lat"].values, ds["lon"].values
            _check_grid(seen, seen.grid)
        for name in ds.data_vars:
            seen.units[str(name)] = str(ds[name].attrs.get("units", "none stated"))
        if seen.faults:
            return None
        if "site" in ds.dims:
            keep(seen, ds.load())
        else:
            never = pd.DatetimeIndex([])
            for name, da in ds.data_vars.items():
                seen.maps[str(name)] = ds.indexes["time"] if "time" in da.dims else never
            _compare_days(seen, ds.indexes.get("time", never))
    return None


def see_product(seen, look, quantity):
    """A file of a satellite or a land model, by the reader made for it; the whole map is looked into."""
    ds = {"smap": lambda: smap.read_smap([seen.file]), "nldas": lambda: nldas.read_nldas([seen.file]),
          "imerg": lambda: imerg.read_imerg([seen.file])}[seen.kind]()
    seen.grid = ds["lat"].values, ds["lon"].values
    _check_grid(seen, seen.grid)
    _compare_days(seen, ds.indexes["time"])
    for name, da in ds.data_vars.items():
        seen.units[str(name)] = KNOWN[name].units
        seen.maps[str(name)] = ds.indexes["time"]
        if look and name in ("soil_moisture", "soil_moisture_dca", "precipitation"):
            with seen.catching():
                values = da.values
                check_values(values, values, name, name, seen.blame, whole=False)


def see_raster(seen, look, quantity):
    """MODIS, SOLUS100, SRTM: rasters in their own units, whose header and middle are looked at."""
    (layer,), seen.grid, _ = _geotiff(seen)
    raw = layer.read() if look else np.array([np.nan])
    if seen.kind == "solus":
        key, depth = solus.FILE.fullmatch(seen.file.name).groups()
        if key.lower() not in solus.PROPERTIES:
            seen.note = f"{key.lower()} is not used"
            return
        name, scalar, factor = solus.PROPERTIES[key.lower()]
        if not list(seen.file.parent.glob(f"{solus.TABLE}*.csv")):  # which has factors of its own
            check_values(raw / scalar * factor, raw, name, f"{key}, {depth} cm", seen.blame, whole=False)
        seen.maps[f"{name} {depth} cm"] = pd.DatetimeIndex([])
    elif seen.kind == "srtm":
        check_values(raw, raw, "elevation", "elevation", seen.blame)
        seen.maps["elevation"] = pd.DatetimeIndex([])
        if tile := re.search(r"([NS])(\d\d)([EW])(\d{3})", seen.file.name, re.IGNORECASE):
            lat, lon = (int(tile[k + 1]) * (1 if tile[k].upper() in "NE" else -1) for k in (1, 3))
            middle = float(np.mean(seen.grid[0])), float(np.mean(seen.grid[1]))
            if not (lat <= middle[0] <= lat + 1 and lon <= middle[1] <= lon + 1):
                seen.blame(f"is named {tile[0]} and its middle is {middle[0]:.2f}, {middle[1]:.2f}", "lat, lon")
    else:
        name = "land_cover" if re.search("MCD12Q1|LC_Type1", seen.file.name) else "swir_transform"
        quality = re.search("Quality|_QC_", seen.file.name)
        seen.maps["quality" if quality else name] = pd.DatetimeIndex([_date(seen)])
        if name == "land_cover" and not np.isin(raw[np.isfinite(raw)], [*range(18), 255]).all():
            seen.blame("holds numbers that are no IGBP class (1 to 17)", "LC_Type1")
    seen.units |= dict.fromkeys(seen.maps, "as stored")
