"""Any CSV or NetCDF file by a small map in YAML: ``columns.yml`` beside the data.

Stations (CSV, or NetCDF with a time dim and perhaps a station dim)::

    files: "*.csv"                  # which files; CSV and NetCDF if not given
    separator: ","
    decimal: "."                    # or ","
    missing: [-9999]
    time: {column: date, format: "%Y-%m-%d", stamp: start}   # stamp: start, middle or end, for steps under a day
    site: {name: MyField, lat: 48.1, lon: 11.5}              # or {column: station, lat: latitude, lon: longitude}
    variables:
      soil_moisture:
        - {column: sm_05, units: percent, depth: 0.05}
        - {column: sm_20, units: percent, depth: 0.20}
      precipitation: {column: rain, units: mm d-1}

``lat`` and ``lon`` are numbers or the names of columns; without them the place comes from ``sites.csv``. Grids (NetCDF,
or GeoTIFF with a band's number or name as its column) say ``grid: {time: time, lat: lat, lon: lon}`` in place of
``time`` and ``site``, or ``grid: {}`` if those are the names; ``grid: {date: "SM_%Y%j"}`` is for dates in file names.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from smlib.data.daily import STAMPS, to_daily
from smlib.data.readers.common import (
    SITES_CSV,
    Place,
    check_times,
    combine,
    numeric,
    place_of,
    read_csv,
    read_places,
    station_dataset,
    step_of,
)
from smlib.data.schema import KNOWN, VARIABLES, DataError, validate, with_attributes

MAP = "columns.yml"
KEYS = {"": ("files", "separator", "decimal", "missing", "time", "site", "grid", "variables"),
        "time": ("column", "format", "stamp"), "site": ("name", "column", "lat", "lon"),
        "grid": ("time", "lat", "lon", "date"), "variable": ("column", "units", "depth")}

ZONE = r"\d:?\d\d(?::?\d\d(?:\.\d+)?)?\s*(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"  # of a time of day with a zone behind it

# Units that are understood: canonical value = factor * value + offset.
UNITS = {
    "m3 m-3": {"m3 m-3": (1, 0), "percent": (0.01, 0), "%": (0.01, 0), "fraction": (1, 0), "1": (1, 0),
               "m3/m3": (1, 0), "cm3/cm3": (1, 0), "cm3 cm-3": (1, 0), "vol.%": (0.01, 0)},
    "degC": {"degC": (1, 0), "K": (1, -273.15), "degF": (5 / 9, -160 / 9)},
    "mm d-1": {"mm d-1": (1, 0), "mm": (1, 0), "kg m-2 d-1": (1, 0), "mm h-1": (24, 0), "kg m-2 h-1": (24, 0),
               "kg m-2 s-1": (86400, 0), "mm s-1": (86400, 0), "m d-1": (1000, 0), "in d-1": (25.4, 0)},
    "W m-2": {"W m-2": (1, 0), "MJ m-2 d-1": (1e6 / 86400, 0), "kW h m-2 d-1": (1000 / 24, 0),
              "J m-2 d-1": (1 / 86400, 0)},
    "percent": {"percent": (1, 0), "%": (1, 0), "fraction": (100, 0), "1": (100, 0)},
    "m s-1": {"m s-1": (1, 0), "km h-1": (1 / 3.6, 0), "knots": (0.514444, 0), "mph": (0.44704, 0)},
}
# Maps may hold shares beside what stations measure.
MAP_UNITS = UNITS | {"1": {"1": (1, 0), "fraction": (1, 0), "percent": (0.01, 0), "%": (0.01, 0)}}


def convert(values, name, units, file, step=None):
    """`values` of the canonical variable `name` from `units` into its canonical units.

    Units may begin with a number, as in ``0.001 m3 m-3`` for integers that count thousandths.
    For steps under a day precipitation comes out in mm per interval: plain ``mm`` is taken to be just that, a rate is
    multiplied by the length of the interval.
    """
    known = MAP_UNITS[KNOWN[name].units]
    number, unit = 1.0, units
    if units not in known and (parts := re.fullmatch(r"([\d.]+(?:e[+-]?\d+)?) (.+)", str(units))):
        number, unit = float(parts[1]), parts[2]
    if unit not in known:
        raise DataError(f"units {units!r} are not known; known are {', '.join(known)}, and a number before one of them",
                        file=file, variable=name)
    factor, offset = known[unit]
    factor *= number
    if name == "precipitation" and step is not None and units != "mm":
        factor *= step / pd.Timedelta(days=1)
    return values * factor + offset if (factor, offset) != (1, 0) else values


def read_map(file):
    """The map in `file`, checked: unknown or missing keys raise `DataError` naming the known ones."""
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise DataError(f"is not YAML: {error}", file=file) from None
    return check_map(content, file)


def check_map(content, file):
    """`content` (a map as read) with its defaults, or `DataError`."""
    def known(part, kind, where):
        if not isinstance(part, dict):
            raise DataError(f"{where or 'the map'} must hold keys out of {', '.join(KEYS[kind])}", file=file)
        wrong = [str(key) for key in part if key not in KEYS[kind]]
        if wrong:
            raise DataError(f"unknown key {', '.join(wrong)} in {where or 'the map'}; known are "
                            f"{', '.join(KEYS[kind])}", file=file)

    def need(part, keys, where):
        for key in keys:
            if key not in part:
                raise DataError(f"key {key} is missing from {where}", file=file)

    known(content, "", "")
    need(content, ("variables", "grid") if "grid" in content else ("variables", "time", "site"), "the map")
    for part in ("grid", "time", "site"):
        if part in content:
            known(content[part], part, part)
    need(content.get("time", {"column": 0}), ("column",), "time")
    if not {"name", "column"} & set(content.get("site", {"name": ""})):
        raise DataError("site needs a name or a column", file=file)
    if content.get("time", {}).get("stamp", "start") not in STAMPS:
        raise DataError(f"stamp must be one of {', '.join(STAMPS)}", file=file)
    if not isinstance(content["variables"], dict):
        raise DataError(f"variables must hold names out of {', '.join(VARIABLES)}", file=file)
    maps = [name for name, v in KNOWN.items() if v.units in MAP_UNITS]
    variables, allowed = {}, maps if "grid" in content else VARIABLES
    for name, entries in content["variables"].items():
        if name not in allowed:
            raise DataError(f"{name} is not a canonical name ({', '.join(allowed)})", file=file, variable="variables")
        variables[name] = entries if isinstance(entries, list) else [entries]
        for entry in variables[name]:
            known(entry, "variable", f"variables: {name}")
            need(entry, ("column", "units"), f"variables: {name}")
    return content | {"variables": variables}


def described(folder, skip=()):
    """The map in `folder` and the files that it describes, but those in `skip`."""
    folder = Path(folder)
    map_file = folder / MAP
    plan = read_map(map_file)
    suffixes = (".nc", ".nc4", ".tif", ".tiff") if "grid" in plan else (".csv", ".nc", ".txt")
    pattern = plan.get("files")
    files = folder.glob(pattern) if pattern else [f for f in folder.iterdir() if f.suffix.lower() in suffixes]
    files = sorted(f for f in files if f.is_file() and f.name not in (SITES_CSV, MAP) and f not in skip)
    if not files:
        known = ", ".join(f"*{suffix}" for suffix in suffixes)
        raise DataError(f"describes no file: none is named {pattern or known}", file=map_file)
    return plan, files


def read_mapped(files, folder, plan):
    """The `files` that the map `plan` in `folder` describes (see `described`), as one dataset: stations, or a grid in
    a single NetCDF file (for more see `daily_maps`)."""
    folder = Path(folder)
    if "grid" in plan:
        return _grid(files[0], plan)
    stations = {}
    for file in files:
        for ds in stations_from_table(_table(file, plan), plan, file, read_places(folder)):
            stations.setdefault(str(ds["site"].values[0]), []).append(ds)
    twice = [site for site, parts in stations.items() if len(parts) > 1]
    if twice:
        raise DataError(f"is in more than one file: {', '.join(twice)}", file=folder, variable="site")
    return combine([parts[0] for parts in stations.values()], folder)


def _table(file, plan):
    missing = plan.get("missing", [])
    missing = missing if isinstance(missing, list) else [missing]
    if file.suffix == ".nc":
        with xr.open_dataset(file) as ds:
            return ds.to_dataframe().reset_index().replace(missing, np.nan)
    return read_csv(file, missing, sep=plan.get("separator", ","), decimal=plan.get("decimal", "."))


def stations_from_table(table, plan, file, places):
    """One dataset a station out of a table, by a checked map (`check_map`); `places` for those without lat and lon."""
    time, site = plan["time"], plan["site"]
    wanted = [time["column"], *filter(None, [site.get("column")]), *_columns(plan)]
    for column in wanted:
        _require_column(column, table, file)
    groups = table.groupby(site["column"], sort=True) if "column" in site else [(site["name"], table)]
    for name, rows in groups:
        yield _station(str(name), rows, plan, file, places)


def _columns(plan):
    return [entry["column"] for entries in plan["variables"].values() for entry in entries]


def _require_column(column, table, file):
    if column not in table:
        raise DataError(absent(table), file=file, variable=column)


def absent(table):
    """What is said of a column that `table` lacks."""
    there = list(map(str, table))
    other = next((mark for mark in (";", "\t", "|", ",") if len(there) == 1 and mark in there[0]), None)
    hint = f": is the separator {other!r}? Say so in {MAP}" if other else ""
    return f"column is missing; there are {', '.join(there)}{hint}"


def _station(site, rows, plan, file, places):
    time = plan["time"]
    index = check_times(_stamps(rows[time["column"]], time, file, site), file, f"{time['column']} of {site}")
    step = step_of(index, file, time["column"])
    if step is None and time.get("stamp", "start") != "start":
        raise DataError(f"dates without a time of day take no stamp {time['stamp']}: give the day that each value is "
                        "of", file=file, variable=time["column"])
    series, depths = {}, []
    for name, entries in plan["variables"].items():
        soil = VARIABLES[name].soil
        if not soil and len(entries) > 1:
            raise DataError("has more than one column", file=file, variable=name)
        if soil:
            entries = sorted(entries, key=lambda e: e.get("depth", np.inf))
            depths.append([e.get("depth", np.nan) for e in entries])
        for level, entry in enumerate(entries, 1):
            values = numeric(rows[entry["column"]].set_axis(index), file, entry["column"])
            values = convert(values, name, entry["units"], file, step)
            values = values if step is None else to_daily(values, name, step, time.get("stamp", "start"))
            series[(name, level) if soil else name] = values
    levels = max(depths, key=len, default=[])
    for other in depths:
        if not np.array_equal(other, levels[:len(other)], equal_nan=True):
            raise DataError(f"soil variables have different depths: {other} and {levels}", file=file, variable="depth")
    lat, lon = (_coordinate(plan["site"].get(key), rows, file, key) for key in ("lat", "lon"))
    if lat is None or lon is None:
        place = place_of(site, places, file)
        levels = levels if not np.isnan(levels).all() else list(place.depths_m)
        place = Place(place.lat, place.lon, tuple(levels), place.name, place.network, place.land_cover)
    else:
        place = Place(lat, lon, tuple(levels), site)
    notes = {name: {"columns": "; ".join(str(e["column"]) for e in entries)}
             for name, entries in plan["variables"].items()}
    return station_dataset(site, place, series, file, notes)


def _stamps(column, time, file, site):
    """A column of times as an index, or `DataError` with the first that cannot be read or has a time zone."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column)
    column = column.astype(str)
    zoned = column[column.str.contains(ZONE)]
    if len(zoned):
        raise DataError(f"{zoned.iloc[0]!r} has a time zone; give local standard time, without one", file=file,
                        variable=f"{time['column']} of {site}")
    stamps = pd.to_datetime(column, format=time.get("format"), errors="coerce")
    bad = column[stamps.isna()]
    if len(bad):
        form = f"the format {time['format']!r}" if "format" in time else "the format of the others"
        raise DataError(f"holds dates that cannot be read, the first {bad.iloc[0]!r} by {form}", file=file,
                        variable=f"{time['column']} of {site}")
    return pd.DatetimeIndex(stamps)


def _coordinate(value, rows, file, key):
    if value is None or isinstance(value, (int, float)):
        return value
    _require_column(value, rows, file)
    values = numeric(rows[value], file, value).unique()
    if len(values) != 1:
        raise DataError(f"a station must have one {key}, but there are {len(values)}", file=file, variable=value)
    return float(values[0])


def _grid(file, plan):
    """A grid (time, y, x), opened lazily; soil with several columns gets a ``layer`` dim."""
    try:
        ds = xr.open_dataset(file, chunks={})
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"cannot be opened ({error}): truncated?", file=file) from None
    names = {"time": "time", "lat": "lat", "lon": "lon"} | plan["grid"]
    for name in (*names.values(), *_columns(plan)):
        if name not in ds.variables:
            raise DataError(f"is missing; there are {', '.join(ds.variables)}", file=file, variable=name)
    missing = np.atleast_1d(plan.get("missing", []))
    variables = {}
    for name, entries in plan["variables"].items():
        held = [ds[e["column"]].where(~ds[e["column"]].isin(missing)) for e in entries]
        layers = [convert(da, name, e["units"], file) for da, e in zip(held, entries, strict=True)]
        variables[name] = layers[0] if len(layers) == 1 else xr.concat(layers, "layer")
    lat, lon = ds[names["lat"]], ds[names["lon"]]
    y, x = (lat.dims[0], lon.dims[0]) if lat.ndim == 1 else lat.dims
    time = ds[names["time"]].values
    if np.issubdtype(time.dtype, np.datetime64) and pd.DatetimeIndex(time).normalize().is_unique:
        time = pd.DatetimeIndex(time).normalize()  # daily, stamped at noon or at the time of an overpass
    out = xr.Dataset({name: (tuple({y: "y", x: "x", names["time"]: "time"}.get(d, d) for d in v.dims), v.data)
                      for name, v in variables.items()},
                     {"time": time, "lat": (("y",) if lat.ndim == 1 else ("y", "x"), lat.values),
                      "lon": (("x",) if lon.ndim == 1 else ("y", "x"), lon.values)})
    return validate(with_attributes(out.transpose("time", ..., "y", "x")), file)
