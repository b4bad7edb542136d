"""What the station readers share: text tables that must be whole, where a station is, and building the dataset."""

import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.schema import VARIABLES, DataError, validate, with_attributes
from smlib.paths import DATA

SITES_CSV = "sites.csv"
SITES_COLUMNS = ("site", "lat", "lon", "depths_m", "name", "network", "land_cover")

NOTES = ("columns", "gap_filled", "method", "origin")  # attributes of a variable that hold for one station only


@dataclass(frozen=True)
class Place:
    """Where a station is; `depths_m` gives the levels of its soil sensors from the top, NaN where unknown."""

    lat: float
    lon: float
    depths_m: tuple = ()
    name: str = ""
    network: str = ""
    land_cover: str = ""


def read_text(file):
    """The text of `file`, or `DataError` where it is empty or is not text."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text ({error.reason} at byte {error.start})", file=file) from None
    if not text.strip():
        raise DataError("is empty", file=file)
    return text


def read_csv(file, missing=(-9999,), comment="#", **options):
    """A CSV file as a DataFrame of which every line has as many fields as the header, `missing` values as NaN.

    pandas pads short lines silently, so that a truncated file would look complete: hence the count.
    """
    lines = [(number, line) for number, line in enumerate(read_text(file).splitlines(), 1)
             if line.strip() and not (comment and line.startswith(comment))]
    if len(lines) < 2:
        raise DataError("holds a header at most: no data", file=file)
    separator = options.get("sep", ",")
    fields = lines[0][1].count(separator)
    for number, line in lines:
        if line.count(separator) != fields and '"' not in line:
            raise DataError(f"line {number} has {line.count(separator) + 1} fields, the header {fields + 1}: "
                            "truncated?", file=file)
    table = pd.read_csv(StringIO("\n".join(line for _, line in lines)), **options)
    return table.replace(list(missing), np.nan)


def numeric(column, file, variable):
    """`column` as float64 with the same index, or `DataError` naming the first value that is not a number."""
    values = pd.to_numeric(column, errors="coerce")
    bad = values.isna() & column.notna()
    if bad.any():
        first = column[bad].iloc[0]
        comma = re.fullmatch(r"[+-]?\d*,\d+", str(first).strip())
        hint = "; for decimal commas columns.yml takes decimal: ','" if comma else ""
        raise DataError(f"{first!r} is not a number{hint}", file=file, variable=variable)
    return values.astype("float64")


def check_times(index, file, variable):
    """`index` if it holds dates without gaps in reading order (no NaT, repeats or steps back), or `DataError`."""
    if index.hasnans:
        raise DataError("holds dates that cannot be read", file=file, variable=variable)
    repeated = index[index.duplicated()]
    if len(repeated):
        raise DataError(f"date {repeated[0]} stands twice", file=file, variable=variable)
    if not index.is_monotonic_increasing:
        back = index[1:][np.diff(index.asi8) < 0][0]
        raise DataError(f"dates are not in order: {back} comes after a later one", file=file, variable=variable)
    return index


def step_of(index, file, variable):
    """The step of a series of times: None if daily (no time of day), else a Timedelta that divides a day."""
    if (index == index.normalize()).all():
        return None
    step = pd.Series(index).diff().mode()[0] if len(index) > 1 else pd.Timedelta(0)
    if step <= pd.Timedelta(0) or pd.Timedelta(days=1) % step:
        raise DataError(f"has a step of {step}, which does not divide a day", file=file, variable=variable)
    if ((index - index[0]) % step != pd.Timedelta(0)).any():
        raise DataError(f"does not keep to its step of {step}", file=file, variable=variable)
    return step


def read_places(folder):
    """Station places by site name: those of the repository, then those of ``sites.csv`` in `folder` (which win).

    The columns are ``site, lat, lon`` and, where known, ``depths_m`` (metres from the top, separated by ``;``, ``?``
    for a level of unknown depth), ``name``, ``network`` and ``land_cover``.
    """
    places = {}
    folder = Path(folder)
    for file in (DATA / "stations" / SITES_CSV, (folder.parent if folder.is_file() else folder) / SITES_CSV):
        if not file.exists():
            continue
        table = read_csv(file, missing=(), dtype=str, keep_default_na=False, skipinitialspace=True)
        absent = {"site", "lat", "lon"} - set(table.columns)
        unknown = set(table.columns) - set(SITES_COLUMNS)
        if absent or unknown:
            raise DataError(f"column {', '.join(sorted(absent or unknown))} is {'missing' if absent else 'not known'}; "
                            f"the columns are {', '.join(SITES_COLUMNS)}", file=file)
        for row in table.to_dict("records"):
            lat, lon = (_number(row[key], file, f"{key} of {row['site']}") for key in ("lat", "lon"))
            parts = [part.strip() for part in row.get("depths_m", "").split(";") if part.strip()]
            depths = tuple(np.nan if part == "?" else _number(part, file, f"depths_m of {row['site']}")
                           for part in parts)
            places[row["site"]] = Place(lat, lon, depths, *(row.get(key, "") for key in SITES_COLUMNS[4:]))
    return places


def _number(text, file, variable):
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{text!r} is not a number", file=file, variable=variable) from None


def place_of(site, places, file):
    """The place of `site`, or `DataError` saying which file must tell it."""
    if site not in places:
        raise DataError(f"where station {site} is, is not known: add a {SITES_CSV} beside the data with the columns "
                        "site,lat,lon (degrees) and, where known, depths_m (metres from the top, 0.05;0.10;...)",
                        file=file, variable="lat, lon")
    return places[site]


def station_dataset(site, place, series, file, attributes=None):
    """A validated dataset of one station.

    Parameters
    ----------
    site : str
        Short name, unique in its source.
    place : Place
    series : dict
        Daily `pandas.Series` in canonical units by name for the weather and by ``(name, level)`` for the soil, levels
        from 1 at the top. Series without a single value are left out.
    file : str or path
        For messages.
    attributes : dict, optional
        Attributes of variables, by name.
    """
    series = {k if isinstance(k, tuple) else (k, 0): value for k, value in series.items() if value.notna().any()}
    if not series:
        raise DataError("not one day has enough measurements", file=file)
    first, last = min(s.index[0] for s in series.values()), max(s.index[-1] for s in series.values())
    time = pd.date_range(first, last, name="time")
    levels = max(len(place.depths_m), 1, *(level for _, level in series))
    variables = {}
    for name in VARIABLES:
        held = {level: s.reindex(time).to_numpy("float64") for (key, level), s in series.items() if key == name}
        if held and VARIABLES[name].soil:
            empty = np.full(len(time), np.nan)
            stack = np.stack([held.get(level, empty) for level in range(1, levels + 1)])
            variables[name] = (("site", "depth", "time"), stack[None])
        elif held:
            variables[name] = (("site", "time"), held[0][None])
    depths = np.full((1, levels), np.nan)
    depths[0, :len(place.depths_m)] = place.depths_m
    ds = with_attributes(xr.Dataset(variables, {
        "site": [site], "depth": np.arange(1, levels + 1), "time": time.astype("datetime64[ns]"),
        "lat": ("site", [float(place.lat)]), "lon": ("site", [float(place.lon)]),
        "depth_m": (("site", "depth"), depths),
        "name": ("site", [place.name or site]), "network": ("site", [place.network]),
        "land_cover": ("site", [place.land_cover])}))
    for name, more in (attributes or {}).items():
        if name in ds:
            ds[name].attrs |= more
    return validate(ds, file)


def combine(stations, file):
    """Several stations as one validated dataset: the union of their days and levels, NaN where a station has none."""
    names = [name for ds in stations for name in ds["site"].values]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise DataError(f"is given by more than one file: {', '.join(sorted(repeated))}", file=file, variable="site")
    ds = xr.concat(stations, "site", data_vars="all", coords="different", join="outer", compat="equals",
                   combine_attrs="drop_conflicts")
    days = pd.date_range(ds.indexes["time"][0], ds.indexes["time"][-1], name="time").astype("datetime64[ns]")
    ds = with_attributes(ds.reindex(time=days))
    for name in ds.data_vars:  # a note on the values of one station must not be lost, nor taken for all of them
        held = {str(site): one[name].attrs for one in stations if name in one for site in one["site"].values}
        ds[name].attrs = {k: v for k, v in ds[name].attrs.items() if k not in NOTES}
        for note in NOTES:
            lines = [f"{site}: {attrs[note]}" for site, attrs in held.items() if note in attrs]
            if lines:
                ds[name].attrs[note] = "\n".join(lines)
    return validate(ds[[name for name in VARIABLES if name in ds]], file)
