"""A folder of one's own with the products of the correction study, read and checked.

``FOLDER/NETWORK/`` holds a folder for each part::

    stations                    an ISMN download, or anything else that `smlib.data.open_source` reads as stations
    ascat, cci, smap            soil moisture; one of them at least
    precipitation, lst, et, fvc the auxiliaries
    porosity                    a single map, needed with ascat
    model                       a land model's soil moisture, if there is one

Maps are daily NetCDF or GeoTIFF files (`smlib.data.readers.daily_maps`), or one NetCDF file with a time axis, on any
grid of latitudes and longitudes; a ``columns.yml`` beside them says what they do not say themselves. Values are
converted from the units that the files state.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from smlib.correction.data import AUXILIARIES, Parts, surface
from smlib.correction.matching import LONGEST_GAP, oriented
from smlib.data.readers.daily_maps import read_maps
from smlib.data.readers.imerg import read_imerg
from smlib.data.readers.map_files import GEOTIFF, NETCDF
from smlib.data.readers.mapped import MAP, convert, described
from smlib.data.schema import KNOWN, DataError
from smlib.data.sources import open_source

PRODUCTS = {"ascat": ("ASCAT", "soil_saturation"), "cci": ("ESA-CCI", "soil_moisture"),
            "smap": ("SMAP", "soil_moisture")}
COVARIATES = {"fvc": "F", "precipitation": "P", "lst": "L", "et": "E"}
# How data centres call a variable; in small letters. Else it is the one map of a file.
NAMES = {"soil_saturation": ("surface_soil_moisture", "ssm", "sm", "soil_moisture"),
         "land_surface_temperature": ("lst", "lst_day_1km", "lst_day_cmg", "lst_day"),
         "evapotranspiration": ("et", "e", "aet"), "fractional_vegetation_cover": ("fvc", "fcover"),
         "precipitation": ("precipitationcal", "precip", "tp"), "porosity": ("theta_s", "thetas", "n"),
         "soil_moisture": ("sm", "ssm", "soil_moisture_am", "swvl1", "sm_surface")}
MARGIN = {"products": 0.5, "others": 1.0}  # degrees around the stations that are read
REPEATED = 0.5  # share of days without any change from which vegetation cover is taken to be composites, repeated


def read_network(source, network, least_days):
    """`Parts` of one network in a folder of one's own, and its kind, "measured" or "simulated".

    Raises
    ------
    DataError
        Naming the folder and the rule: a part that is missing; units that cannot be right; a grid that is not one of
        latitudes and longitudes; another region than the stations'; an auxiliary that is not daily (but vegetation
        cover, whose composites are interpolated), and composites that were repeated day by day; fewer than
        `least_days` that all have in common.
    """
    home = Path(source) / network
    if not home.is_dir():
        there = ", ".join(sorted(f.name for f in Path(source).iterdir() if f.is_dir())) if Path(source).is_dir() else ""
        raise DataError(f"there is no folder of this network; there are {there or 'none'}", file=home)
    here = [name for name in PRODUCTS if (home / name).exists()]
    needed = ["stations", *COVARIATES] + (["porosity"] if "ascat" in here else [])
    lacking = [name for name in needed if not (home / name).exists()]
    if lacking or not here:
        why = {"porosity": "porosity (without it ASCAT's percent of saturation cannot become m3 m-3)"}
        lacking = [why.get(name, name) for name in lacking] + ([] if here else [f"one of {', '.join(PRODUCTS)}"])
        raise DataError(f"lacks the folder of {', '.join(lacking)}", file=home)
    stations = open_source(home / "stations")
    sites, in_situ = surface(stations, home / "stations")
    box = (*sites["lat"].agg(["min", "max"]), *sites["lon"].agg(["min", "max"]))
    wanted = {name: (PRODUCTS[name][1], MARGIN["products"]) for name in here}
    wanted |= {name: (AUXILIARIES[key], MARGIN["others"]) for name, key in COVARIATES.items()}
    wanted |= {"model": ("soil_moisture", MARGIN["others"])} if (home / "model").exists() else {}
    lazy = {part: _daily_maps(home / part, name, box, margin) for part, (name, margin) in wanted.items()}
    days = stations["time"].values.astype("M8[D]")
    time = _common({"stations": tuple(days[np.isfinite(in_situ).any(0)][[0, -1]])}
                   | {part: _period(da) for part, da in lazy.items()}, least_days, home)
    porosity = _porosity(home / "porosity", box) if "ascat" in here else None
    maps = {part: _loaded(da, time, home / part) for part, da in lazy.items()}
    if "ascat" in here:
        _check_saturation(maps["ascat"], home / "ascat")
    for part, key in COVARIATES.items():
        check_cadence(maps[part], key, home / part)
    in_situ = xr.DataArray(in_situ, {"time": stations["time"]}, ("site", "time")).reindex(time=time).values
    names = {key: part for part, key in COVARIATES.items()}
    return Parts(network, time.values.astype("M8[D]"), sites, in_situ,
                 {PRODUCTS[part][0]: maps[part].reindex(time=time) for part in here},
                 porosity, {key: maps[names[key]] for key in AUXILIARIES},
                 model=maps["model"].reindex(time=time) if "model" in maps else None), stations.attrs["kind"]


def _daily_maps(folder, name, box, margin):
    """Daily maps (time, y, x) of the canonical variable `name` around the stations, lazily."""
    suffixes = (*NETCDF, *GEOTIFF)
    if (folder / MAP).exists():
        plan, files = described(folder)
        if name not in plan["variables"] or "grid" not in plan:
            raise DataError(f"must say grid: and which variable is {name}", file=folder / MAP)
        plan = plan | {"variables": {name: plan["variables"][name]}}
    else:
        files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in suffixes)
        if not files:
            raise DataError(f"holds no maps ({', '.join(suffixes)})", file=folder)
        plan = {"grid": {}, "variables": {name: [_entry(files[0], name)]}}
    ds = read_imerg(files) if name == "precipitation" and "3IMERG" in files[0].name else read_maps(files, folder, plan)
    return _cropped(oriented(ds, folder), box, margin, folder)[name]


def _loaded(da, time, file):
    """The maps on the days `time`, and as long before and after as composites may be apart."""
    around = np.timedelta64(LONGEST_GAP, "D")
    da = da.sel(time=slice(time[0] - around, time[-1] + around))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)  # rasterio's own
        da = da.load()
    if not da.sel(time=slice(time[0], time[-1])).notnull().any():
        raise DataError(f"has no value from {time[0]:%Y-%m-%d} to {time[-1]:%Y-%m-%d} around the stations", file=file,
                        variable=da.name)
    return da


def _entry(file, name):
    """Which variable of a NetCDF file is `name`, as an entry of a map; of a GeoTIFF the only band."""
    if file.suffix.lower() in GEOTIFF:
        return {}
    try:
        with xr.open_dataset(file, decode_timedelta=False) as ds:
            found = {str(v).lower(): str(v) for v in ds.data_vars if ds[v].ndim >= 2}
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"cannot be opened ({error}): truncated?", file=file) from None
    for wanted in (name, *NAMES[name]):
        if wanted in found:
            return {"column": found[wanted]}
    if len(found) != 1:
        raise DataError(f"which of {', '.join(found.values()) or 'no maps'} is it? Say so in {MAP}", file=file,
                        variable=name)
    return {"column": next(iter(found.values()))}


def _cropped(ds, box, margin, file):
    """The part of `ds` within `margin` degrees of the stations' `box`."""
    south, north, west, east = box
    lat, lon = ds["lat"].values, ds["lon"].values
    rows = (lat >= south - margin) & (lat <= north + margin)
    columns = (lon >= west - margin) & (lon <= east + margin)
    if not rows.any() or not columns.any():
        raise DataError(f"is of another region: it spans {lat.min():.2f} to {lat.max():.2f} N and {lon.min():.2f} to "
                        f"{lon.max():.2f} E, the stations {south:.2f} to {north:.2f} N and {west:.2f} to {east:.2f} E",
                        file=file, variable="lat, lon")
    return ds.isel(y=rows, x=columns)


def _check_saturation(da, file):
    high = float(da.max())
    if high <= 1:
        raise DataError(f"never exceeds {high:g} percent of saturation: a fraction of it, or m3 m-3 already? Say which "
                        f"units it has in {MAP} (1 for a fraction); m3 m-3 cannot be read as ASCAT", file=file,
                        variable="soil_saturation")


def check_cadence(da, key, file):
    """Daily? Vegetation cover may be composites, but not composites that stand for several days each."""
    seen = np.flatnonzero(da.notnull().any(("y", "x")).values)
    days = da["time"].values[seen].astype("M8[D]")
    step = float(np.median(np.diff(days).astype(int))) if len(days) > 1 else 1.0
    limit = LONGEST_GAP if key == "F" else 2
    if step > limit:
        raise DataError(f"comes every {step:g} days, at most {limit} are possible", file=file,
                        variable=AUXILIARIES[key])
    if key == "F" and step == 1 and len(seen) > 1:
        values = da.values[seen]
        change = abs(np.diff(values, axis=0))
        still = 1 - float((np.nan_to_num(change) > 0).any((1, 2)).mean())
        if still > REPEATED:
            raise DataError(f"does not change on {still:.0%} of the days: composites of several days, given for each "
                            "of them? Give each once, on its first day", file=file, variable=AUXILIARIES[key])


def _period(da):
    """First and last day that maps stand for: of composites, dated on their first days, the last has days to come."""
    days = da["time"].values.astype("M8[D]")
    step = np.median(np.diff(days).astype(int)) if len(days) > 1 else 1
    return days[0], days[-1] + np.timedelta64(int(min(step, LONGEST_GAP)) - 1, "D")


def _common(periods, least, file):
    """The days that all `periods` (name to first and last day) share, or DataError."""
    first, last = max(p[0] for p in periods.values()), min(p[1] for p in periods.values())
    days = max(0, int((last - first).astype(int)) + 1)
    if days < least:
        each = "; ".join(f"{name} {a} to {b}" for name, (a, b) in periods.items())
        raise DataError(f"all parts share {days} days, {least} are needed: {each}", file=file, variable="time")
    return pd.date_range(first, last, name="time").astype("datetime64[ns]")


def _porosity(folder, box):
    """Porosity (y, x) in m3 m-3 of a single map without a date."""
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in (*NETCDF, *GEOTIFF))
    if len(files) != 1:
        raise DataError(f"holds {len(files)} maps ({', '.join((*NETCDF, *GEOTIFF))}), where one is needed", file=folder)
    da, units = (_tif if files[0].suffix.lower() in GEOTIFF else _nc)(files[0])
    ds = _cropped(oriented(da.to_dataset(name="porosity"), files[0]), box, MARGIN["others"], files[0])
    v = KNOWN["porosity"]
    values = convert(ds["porosity"].load(), "porosity", units or v.units, files[0])
    if not values.notnull().any() or values.min() < v.low or values.max() > v.high:
        raise DataError(f"spans {float(values.min()):g} to {float(values.max()):g}, outside {v.low:g} to {v.high:g} "
                        f"{v.units}", file=files[0], variable="porosity")
    return values


def _nc(file):
    name = _entry(file, "porosity")["column"]
    with xr.open_dataset(file) as ds:
        da = ds[name].squeeze().load()
        along = {}  # each axis by its latitudes or longitudes, whatever its dim is called
        for axis in ("lat", "lon"):
            held = [ds[v].load() for v in ds.variables if str(v).lower().startswith(axis) and ds[v].ndim == 1
                    and ds[v].dims[0] in da.dims]
            if len(held) == 1:
                along[axis] = held[0]
    if da.ndim != 2 or {a.dims[0] for a in along.values()} != set(da.dims):
        raise DataError(f"must lie along latitudes and longitudes: its dims are {da.dims}", file=file, variable=name)
    lat, lon = along["lat"], along["lon"]
    values = da.transpose(lat.dims[0], lon.dims[0]).values
    return xr.DataArray(values, {"lat": ("y", lat.values), "lon": ("x", lon.values)}, ("y", "x")), da.attrs.get("units")


def _tif(file):
    import rasterio

    try:
        with rasterio.open(file) as tif:
            values, at, units = tif.read(1, masked=True), tif.transform, tif.units[0]
            if tif.crs is None or not tif.crs.is_geographic or at.b or at.d:
                raise DataError("is not a grid of latitudes and longitudes", file=file, variable="porosity")
    except rasterio.errors.RasterioError as error:
        raise DataError(f"cannot be read ({error}): truncated?", file=file) from None
    rows, columns = values.shape
    lat, lon = at.f + at.e * (np.arange(rows) + 0.5), at.c + at.a * (np.arange(columns) + 0.5)
    return xr.DataArray(np.ma.filled(values.astype(np.float32), np.nan), {"lat": ("y", lat), "lon": ("x", lon)},
                        ("y", "x")), units
