"""Station files, one by one: every fault that can be told of each, and on which days it has what."""

import json
import re
import zipfile
from io import StringIO

import numpy as np
import pandas as pd

from smlib.data.check.values import FILLS, check_dates, check_place, check_values, check_years
from smlib.data.daily import to_daily
from smlib.data.readers import fluxnet, ismn, mapped, power, uscrn
from smlib.data.readers.common import numeric, read_csv, read_text, step_of
from smlib.data.schema import VARIABLES, DataError

POWER_NAME = re.compile(r"POWER_.*?_(\d{8})_(\d{8})_(\d+)d(\d+)([NS])_(\d+)d(\d+)([EW])")
STM = re.compile(r"(?P<head>.+)_(?P<code>[a-z0-9]+)_-?[\d.]+_-?[\d.]+_.+_(?P<first>\d{8})_(?P<last>\d{8})\.stm")
SENSORS = {"sm": "soil_moisture", "ts": "soil_temperature", "ta": "air_temperature", "p": "precipitation"}
HOUR = pd.Timedelta("1h")


def keep(seen, ds):
    """Enter what a canonical dataset of stations holds: of each series the days with a value."""
    for site in ds["site"].values:
        one = ds.sel(site=site)
        seen.places[str(site)] = float(one["lat"]), float(one["lon"])
        for name, da in one.data_vars.items():
            for level in ds["depth"].values if "depth" in da.dims else [None]:
                known = (da if level is None else da.sel(depth=level)).dropna("time").indexes["time"]
                if len(known):
                    depth = None if level is None else float(one["depth_m"].sel(depth=level))
                    seen.series[str(site), str(name), depth] = known


def see_uscrn(seen, folder):
    """A year of a USCRN station; a station without soil moisture is noted, not blamed."""
    lines = read_text(seen.file).splitlines()
    counts = [len(line.split()) for line in lines]
    wrong = [k for k, count in enumerate(counts) if count != len(uscrn.FIELDS) or len(lines[k]) < len(lines[0])]
    if wrong:
        seen.blame(f"line {wrong[0] + 1} has {counts[wrong[0]]} fields of {len(uscrn.FIELDS)}, or is shorter than the "
                   f"first ({len(wrong)} such lines): truncated, or not daily01?")
    if len(wrong) == len(lines):
        return None
    whole = [k for k in range(len(lines)) if counts[k] == len(uscrn.FIELDS)]
    table = pd.read_csv(StringIO("\n".join(lines[k] for k in whole)), sep=r"\s+", names=uscrn.FIELDS, dtype=str)
    dates = pd.DatetimeIndex(pd.to_datetime(table["LST_DATE"], format="%Y%m%d", errors="coerce"))
    known = check_dates(dates, "LST_DATE", seen.blame, np.array(whole) + 1)
    named = uscrn.FILE.fullmatch(seen.file.name)
    if not named:
        seen.blame("is USCRN daily01 by its content, and is not named so: CRND0103-YYYY-STATE_Place.txt")
    elif len(known) and not (known.year == int(named[1])).all():
        other = sorted(set(known.year) - {int(named[1])})
        seen.blame(f"is named {named[1]} and holds dates of {', '.join(map(str, other))}", "LST_DATE")
    seen.wban = tuple(table["WBANNO"].unique())
    if len(seen.wban) > 1:
        seen.blame(f"holds several stations: {', '.join(seen.wban)}", "WBANNO")
    lat, lon = (numeric(table[key], seen.file, key) for key in ("LATITUDE", "LONGITUDE"))
    place = float(lat.iloc[-1]), float(lon.iloc[-1])
    if check_place(*place, seen.blame, "LATITUDE, LONGITUDE") and named:
        seen.places[named[2]] = place  # which is compared with the table of stations
    if seen.faults:
        return _uscrn_values(seen, table)
    try:
        keep(seen, uscrn.read_site([seen.file]))
    except DataError as error:
        if error.rule.startswith("there is no soil moisture"):
            seen.note = "never measured soil moisture"
        else:
            _otherwise(seen, error, lambda: _uscrn_values(seen, table))
    return None


def _uscrn_values(seen, table):
    soil = {"soil_moisture": "SOIL_MOISTURE", "soil_temperature": "SOIL_TEMP"}
    fields = [*uscrn.WEATHER.items(), *((name, field) for name, start in soil.items() for field in uscrn.FIELDS
                                        if field.startswith(start))]
    for name, field in fields:
        with seen.catching():
            raw = numeric(table[field], seen.file, field)
            raw = raw.mask((raw == -9999) | (raw == -99) & (name == "soil_moisture"))
            check_values(raw * (uscrn.MJ_PER_DAY if name == "shortwave_down" else 1), raw, name, field, seen.blame)


def _otherwise(seen, error, detail):
    """What a reader refuses: every column that breaks a rule, or, where none does by itself, the reader's words."""
    before = len(seen.faults)
    detail()
    if len(seen.faults) == before:
        seen.blame(error.rule, error.variable)


def see_fluxnet(seen, folder):
    """A table of a flux tower, by day or by half hour."""
    named = fluxnet.SITE.search(seen.file.name)
    with seen.catching():
        site = re.search(r"^# Site:\s*(\S+)", read_text(seen.file), re.MULTILINE)  # AmeriFlux BASE says so
        if site and named and site[1] != named[0]:
            seen.blame(f"is named {named[0]} and says that it is {site[1]}", "site")
    table, step, index = read_csv(seen.file), None, []
    key = next((k for k in ("TIMESTAMP_START", "TIMESTAMP_END", "TIMESTAMP") if k in table), None)
    if key is None:
        seen.blame("column is missing: there is no TIMESTAMP, TIMESTAMP_START or TIMESTAMP_END", "TIMESTAMP")
    else:
        text = table[key].astype("string").str.replace(r"\.0$", "", regex=True)
        form = {8: "%Y%m%d", 12: "%Y%m%d%H%M"}.get(int(text.str.len().mode()[0]))
        index = pd.DatetimeIndex(pd.to_datetime(text, format=form, errors="coerce") if form else [pd.NaT] * len(text))
        index = check_dates(index, key, seen.blame, np.arange(2, len(index) + 2))
        years = re.search(r"(?<!\d)((?:19|20)\d\d)-((?:19|20)\d\d)(?!\d)", seen.file.name)
        if years and len(index):
            begin, end = pd.Timestamp(years[1]), pd.Timestamp(f"{years[2]}-12-31")
            check_years(index[:-1] if key == "TIMESTAMP_END" else index, begin, end, key, seen.blame)
            if seen.file.name.startswith("FLX_") and begin <= index.max() < end:  # these have whole years
                seen.blame(f"ends on {index.max():%Y-%m-%d}, where its name says {years[0]}: truncated?", key)
        with seen.catching():
            step = step_of(index[~index.duplicated()].sort_values(), seen.file, key) if len(index) else None
    columns = [(fluxnet.NAMES[m[1]], c) for c in table.columns if (m := fluxnet.COLUMN.fullmatch(str(c)))]
    if not any(name == "soil_moisture" for name, _ in columns):
        seen.blame("column is missing: there is none named SWC, SWC_F_MDS_1, SWC_1_1_1 or the like", "SWC")
    if seen.faults:
        return _fluxnet_values(seen, table, columns, step, index)
    try:
        keep(seen, fluxnet.read_fluxnet(seen.file, folder))
    except DataError as error:
        _otherwise(seen, error, lambda: _fluxnet_values(seen, table, columns, step, index))
    return None


def _fluxnet_values(seen, table, columns, step, index):
    """Half hours are judged by the mean of their day, as the ranges are those of days."""
    for name, column in columns:
        with seen.catching():
            raw = numeric(table[column], seen.file, column)
            values = raw / 100 if name == "soil_moisture" else raw
            if name in VARIABLES and step is None:
                check_values(values, raw, name, column, seen.blame)
            elif name in VARIABLES and len(index) == len(values) and index.is_unique:
                fills = raw.isin(FILLS) & ~values.between(VARIABLES[name].low, VARIABLES[name].high)
                check_values(values.where(fills), raw, name, column, seen.blame)
                values = values.mask(fills).set_axis(index)
                daily = values.groupby(index.normalize()).sum() if name == "precipitation" else \
                    values.groupby(index.normalize()).mean()
                check_values(daily, daily, name, column, seen.blame)


def see_power(seen, folder):
    """A point of NASA POWER; its own file names say where and when, which is compared."""
    if seen.file.suffix.lower() == ".json":
        content = json.loads(read_text(seen.file))
        told = content.get("messages") or content.get("errors") or content.get("message")
        if told or "properties" not in content:
            return seen.blame(f"is no data but a message of POWER: {str(told or list(content))[:200]}")
        lon, lat = content["geometry"]["coordinates"][:2]
        check_place(lat, lon, seen.blame)
        fill = content["header"]["fill_value"]
        for parameter, held in content["properties"]["parameter"].items():
            name, units = power.NAMES.get(parameter), content["parameters"].get(parameter, {}).get("units")
            if name and units in power.UNITS:
                raw = pd.Series(held, dtype=float)
                raw = raw.mask(raw == fill)
                values = mapped.convert(raw, name, power.UNITS[units], seen.file)
                check_values(values, raw, name, parameter, seen.blame)
    if seen.faults:
        return None
    ds = power.read_power(seen.file)
    lat, lon = float(ds["lat"][0]), float(ds["lon"][0])
    if named := POWER_NAME.search(seen.file.name):
        own = [float(f"{named[k]}.{named[k + 1]}") * (1 if named[k + 2] in "NE" else -1) for k in (3, 6)]
        if max(abs(own[0] - lat), abs(own[1] - lon)) > 0.01:
            seen.blame(f"is named {own[0]:g}, {own[1]:g} and holds {lat:g}, {lon:g}", "lat, lon")
        check_years(ds.indexes["time"], *(pd.Timestamp(named[k]) for k in (1, 2)), "time", seen.blame)
    site = seen.file.stem
    seen.places[site] = lat, lon
    for name, da in ds.data_vars.items():
        seen.series[site, str(name), None] = da.isel(site=0).dropna("time").indexes["time"]
    return None


def see_mapped(seen, folder, plan):
    """A table that ``columns.yml`` describes."""
    table = {}
    if seen.file.suffix.lower() == ".csv":
        missing = plan.get("missing", [])
        table = read_csv(seen.file, missing if isinstance(missing, list) else [missing],
                         sep=plan.get("separator", ","), decimal=plan.get("decimal", "."))
        time = plan["time"]
        absent = [c for c in (time["column"], *(e["column"] for held in plan["variables"].values() for e in held))
                  if c not in table]
        for column in absent:
            seen.blame(mapped.absent(table), column)
        if time["column"] in table and "column" not in plan["site"]:
            stamps = pd.to_datetime(table[time["column"]].astype(str), format=time.get("format"), errors="coerce")
            check_dates(pd.DatetimeIndex(stamps), time["column"], seen.blame, np.arange(2, len(table) + 2))
    if seen.faults:
        return
    try:
        keep(seen, mapped.read_mapped([seen.file], folder, plan))
    except DataError as error:
        _otherwise(seen, error, lambda: _mapped_values(seen, table, plan))


def _mapped_values(seen, table, plan):
    for name, entries in plan["variables"].items():
        for entry in entries if name != "precipitation" and len(table) else []:  # whose units hang on the step
            with seen.catching():
                raw = numeric(table[entry["column"]], seen.file, entry["column"])
                values = mapped.convert(raw, name, entry["units"], seen.file)
                check_values(values, raw, name, entry["column"], seen.blame)


def see_ismn(seen, folder):
    """An archive as downloaded (.zip), or one sensor of an unpacked one (.stm)."""
    if seen.file.suffix.lower() == ".stm":
        return _sensor(seen, seen.file.name, read_text(seen.file))
    try:
        with zipfile.ZipFile(seen.file) as archive:
            if broken := archive.testzip():
                return seen.blame(f"is damaged at {broken}: truncated?")
            names = [name for name in archive.namelist() if name.endswith(".stm")]
            if outside := [n for n in archive.namelist() if n.startswith(("/", "\\")) or ":" in n.split("/")[0]
                           or ".." in n.replace("\\", "/").split("/")]:
                return seen.blame(f"holds a path outside itself ({outside[0]})")
            if not names:
                return seen.blame("holds no .stm file: it is no ISMN archive; unpack it if it is something else")
            for name in names:
                _sensor(seen, name, archive.read(name).decode("utf-8", "replace"))
    except zipfile.BadZipFile as error:
        seen.blame(f"is not a whole zip file ({error}): truncated?")
    return None


def _sensor(seen, name, text):
    """One .stm file, in either format; `seen` is it or the archive it is in."""
    base = name.rsplit("/", 1)[-1]
    where = "" if base == seen.file.name else f"{base}: "

    def blame(rule, variable=""):
        seen.blame(f"{where}{rule}", variable)

    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return blame("holds no data")
    ceop = len(lines[0]) == len(lines[1]) == 15
    rows, least = (lines, 15) if ceop else (lines[1:], 4)
    short = [k for k, row in enumerate(rows) if len(row) < least]
    if not short and not text.endswith("\n") and len(rows[-1]) < len(rows[0]):
        short = [len(rows) - 1]
    if short:
        blame(f"line {short[0] + 1 + (not ceop)} has {len(rows[short[0]])} fields, fewer than others: truncated?")
        rows = [row for row in rows if len(row) >= least]
    head = lines[0][4:] if ceop else lines[0]
    try:
        station, lat, lon, top, low = head[2], *map(float, (head[3], head[4], head[6], head[7]))
    except (IndexError, ValueError):
        return blame("does not begin with network, station, latitude, longitude, elevation and depths")
    place_ok = check_place(lat, lon, blame)
    parts = STM.fullmatch(base)
    if not parts:
        return blame("is not named as ISMN does: NETWORK_NETWORK_STATION_variable_depth_depth_sensor_first_last.stm")
    if not parts["head"].endswith(f"_{station}"):
        blame(f"is named {parts['head']} and says that its station is {station}", "station")
    name = SENSORS.get(parts["code"])
    if name is None:
        return None
    stamps = pd.to_datetime([" ".join(row[:2]) for row in rows], format="%Y/%m/%d %H:%M", errors="coerce")
    index = check_dates(pd.DatetimeIndex(stamps), name, blame, np.arange(len(rows)) + 1 + (not ceop))
    if len(index):
        check_years(index, pd.Timestamp(parts["first"]), pd.Timestamp(parts["last"]), name, blame)
    at = 12 if ceop else 2
    raw = pd.to_numeric(pd.Series([row[at] for row in rows], index=stamps), errors="coerce")
    flags = np.array([row[at + 1] for row in rows])
    good = raw.where(flags == ismn.GOOD)
    if not good.notna().any():
        others = ", ".join(sorted(set(flags)))[:80]
        blame(f"not one of {len(raw)} values is flagged {ismn.GOOD} (good); flags are {others}", name)
    check_values(good, raw, name, name, blame, whole=False)
    if place_ok and not seen.faults:
        days = to_daily(good, name, HOUR, "start").dropna().index
        seen.places[station] = lat, lon
        key = station, name, (top + low) / 2 if VARIABLES[name].soil else None
        seen.series[key] = seen.series.get(key, days).union(days)
    return None
