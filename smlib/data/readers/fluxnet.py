"""FLUXNET2015 and AmeriFlux BASE files, half-hourly and daily: their names, units and quality flags.

Which column is read. A name is a variable, perhaps ``_F`` or ``_F_MDS`` (gap-filled), perhaps a level (``SWC_F_MDS_2``)
or a position ``_H_V_R`` (horizontal, vertical from the top, replicate: ``SWC_3_2_1``). Measured columns are read before
gap-filled ones, and gap-filled ones with a ``_QC`` column before those without. Columns of a site team (``_PI``), of
reanalysis (``_ERA``) and of statistics (``_SD``, ``_N``) are never read. Above the ground the first position is read
(the top of a profile). In the ground ``V`` is the level, and the places at one level are averaged over a fixed set of
columns, as `smlib.data.daily.mean_of_fixed_set` says.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from smlib.data.daily import enough, mean_of_fixed_set, to_daily
from smlib.data.readers.common import check_times, numeric, place_of, read_csv, read_places, station_dataset, step_of
from smlib.data.schema import VARIABLES, DataError

SITE = re.compile(r"(?<![A-Za-z])[A-Z]{2}-[A-Za-z0-9]{3}(?![A-Za-z0-9])")
NAMES = {"SWC": "soil_moisture", "TS": "soil_temperature", "TA": "air_temperature", "P": "precipitation",
         "SW_IN": "shortwave_down", "LW_IN": "longwave_down", "RH": "relative_humidity", "VPD": "vpd",
         "WS": "wind_speed"}
COLUMN = re.compile(rf"({'|'.join(NAMES)})(_F_MDS|_F)?(?:_(\d+)(?:_(\d+)_(\d+))?)?")
METHOD = "from VPD and air temperature with the saturation pressure of Alduchov and Eskridge 1996"
UNFLAGGED = "the file holds gap-filled values and does not flag them; they are kept"


def saturation_pressure(temperature):
    """Saturation vapour pressure over water (hPa) at `temperature` (degC): Magnus form of Alduchov and Eskridge
    (1996), J. Appl. Meteorol. 35, 601-609, doi 10.1175/1520-0450(1996)035<0601:IMFAOS>2.0.CO;2."""
    return 6.1094 * np.exp(17.625 * temperature / (temperature + 243.04))


def humidity(vpd, temperature):
    """Relative humidity (percent) from the vapour pressure deficit (hPa) and air temperature (degC).

    Clipped to 0..100: daily means of both, and the rounding of the deficit, put a few values just outside.
    """
    return (100 * (1 - vpd / saturation_pressure(temperature))).clip(0, 100)


def read_fluxnet(file, folder=None):
    """One FLUXNET2015 or AmeriFlux BASE CSV file as a dataset of one station.

    Parameters
    ----------
    file : path
        ``FLX_*``, ``AMF_*`` or any CSV with the site id (``XX-Abc``) in its name. ``#`` lines are skipped.
    folder : path, optional
        Where ``sites.csv`` is; the file's own folder if not given.
    """
    found = SITE.search(Path(file).name)
    if not found:
        raise DataError("has no site id like FI-Hyy in its name", file=file, variable="site")
    place = place_of(found[0], read_places(folder or Path(file).parent), file)
    return from_table(read_csv(file), found[0], place, file)


def from_table(table, site, place, file):
    """A table with FLUXNET column names, NaN where missing, as a dataset of one station, half hours made days."""
    index, step, stamp = _times(table, file)
    table = table.set_index(index)
    values, notes = {}, {}
    for (name, level), columns in _columns(table).items():
        values[name, level] = {c: _measured(table, c, name, step is None, file) for c in columns}
        notes.setdefault(name, {"columns": columns[:1]})
        if any("_F" in c and c + "_QC" not in table for c in columns):
            notes[name]["gap_filled"] = UNFLAGGED
    if not any(name == "soil_moisture" for name, _ in values):
        raise DataError("has no column with values named SWC, SWC_F_MDS_1, SWC_1_1_1 or the like; it has "
                        f"{', '.join(map(str, table.columns[:12]))}, ...", file=file, variable="soil_moisture")
    if "vpd" in notes and "air_temperature" in notes and "relative_humidity" not in notes:
        vpd, temperature = (next(iter(values[name, 0].values())) for name in ("vpd", "air_temperature"))
        values["relative_humidity", 0] = {"RH": humidity(vpd, temperature)}
        notes["relative_humidity"] = notes["vpd"] | {"method": METHOD}
    series, levels = {}, {}
    for (name, level), held in values.items():
        if name == "vpd":
            continue
        daily = {c: v if step is None else to_daily(v, name, step, stamp) for c, v in held.items()}
        if VARIABLES[name].soil:
            series[name, level], used = mean_of_fixed_set(daily)
            levels.setdefault(name, []).append(f"level {level}: {'+'.join(used)}")
        else:
            series[name] = next(iter(daily.values()))
        if name == "soil_moisture":
            series[name, level] = series[name, level] / 100
    text = {name: note | {"columns": "; ".join(levels.get(name, note["columns"]))}
            for name, note in notes.items()}
    return station_dataset(site, place, series, file, text)


def _columns(table):
    """The columns to read for each (variable, level), level 0 above the ground: best kind first, top position first."""
    found = {}
    for column in table.columns:
        match = COLUMN.fullmatch(str(column))
        if not match or table[column].isna().all():
            continue
        base, filled, one, vertical, replicate = match.groups()
        name = NAMES[base]
        soil = name in VARIABLES and VARIABLES[name].soil
        level = int(vertical or one or 1) if soil else 0
        flagged = column + "_QC" in table
        kind = (0 if vertical else 1) if not filled else (4 if not flagged else 2 if filled == "_F_MDS" else 3)
        order = (int(vertical or 1), int(one or 1), int(replicate or 1))
        found.setdefault((name, level), []).append((kind, order, column))
    best = {key: min(kind for kind, _, _ in held) for key, held in found.items()}
    chosen = {key: [c for kind, _, c in sorted(held) if kind == best[key]] for key, held in sorted(found.items())}
    return {key: columns if key[1] else columns[:1] for key, columns in chosen.items()}


def _measured(table, column, name, daily, file):
    """A column as numbers, NaN where its flag says that it was not measured (half hours) or too little of it (days)."""
    values = numeric(table[column], file, column)
    if column + "_QC" not in table:
        return values
    flag = numeric(table[column + "_QC"], file, column + "_QC")
    if not daily:
        return values.where(flag == 0)
    if (flag > 1).any() or (flag < 0).any():
        raise DataError(f"must be a share of 0 to 1 in a daily file, but reaches {flag.max():g}", file=file,
                        variable=column + "_QC")
    return values.where(enough(flag, "relative_humidity" if name == "vpd" else name))


def _times(table, file):
    """Time stamps, the step (None for daily) and where in it the stamp stands."""
    key = next((k for k in ("TIMESTAMP_START", "TIMESTAMP_END", "TIMESTAMP") if k in table), None)
    if key is None:
        raise DataError("has no column TIMESTAMP, TIMESTAMP_START or TIMESTAMP_END", file=file, variable="time")
    stamps = table[key].astype("Int64") if pd.api.types.is_numeric_dtype(table[key]) else table[key]
    text = stamps.astype(str)
    lengths = set(text.str.len())
    if lengths not in ({8}, {12}):
        raise DataError("dates must all be YYYYMMDD or all YYYYMMDDHHMM", file=file, variable=key)
    index = pd.to_datetime(text, format="%Y%m%d" if lengths == {8} else "%Y%m%d%H%M", errors="coerce")
    index = check_times(pd.DatetimeIndex(index), file, key)
    return index, None if lengths == {8} else step_of(index, file, key), "end" if key == "TIMESTAMP_END" else "start"
