"""NASA POWER daily data of a point (JSON or CSV): weather of a reanalysis (MERRA-2, CERES), no soil moisture.

Its use here is to stand in for inputs that a station does not measure at all (`add_drivers`), which is recorded.
"""

import json
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.readers.common import check_times, numeric, read_text
from smlib.data.readers.mapped import convert
from smlib.data.schema import VARIABLES, DataError, with_attributes

ORIGIN = "from NASA POWER (MERRA-2 reanalysis), not measured"
NEAREST = 0.5  # degrees: a POWER cell is 0.5 x 0.625 degrees
NAMES = {"T2M": "air_temperature", "RH2M": "relative_humidity", "WS2M": "wind_speed", "WS10M": "wind_speed",
         "PRECTOTCORR": "precipitation", "ALLSKY_SFC_SW_DWN": "shortwave_down", "ALLSKY_SFC_LW_DWN": "longwave_down"}
UNITS = {"C": "degC", "K": "K", "%": "percent", "m/s": "m s-1", "mm/day": "mm d-1", "mm/day-1": "mm d-1",
         "W/m^2": "W m-2", "MJ/m^2/day": "MJ m-2 d-1", "MJ/m^2/day-1": "MJ m-2 d-1", "kW-hr/m^2/day": "kW h m-2 d-1"}


def is_power(file):
    """Whether `file` looks like NASA POWER output."""
    with open(file, encoding="utf-8", errors="replace") as stream:
        head = stream.read(20000)
    return head.startswith("-BEGIN HEADER-") and "POWER" in head if Path(file).suffix.lower() == ".csv" else \
        '"parameter"' in head and '"Feature"' in head


def read_power(path):
    """One POWER file as a dataset of drivers ``(site, time)`` with ``lat`` and ``lon``; the site is the file's stem.

    WS2M (2 m above the ground) is taken before WS10M. Units are those that the file states.
    """
    path = Path(path)
    table, units, lat, lon, fill = (_json if path.suffix.lower() == ".json" else _csv)(path)
    variables = {}
    for parameter, name in NAMES.items():
        if parameter not in table or name in variables:
            continue
        if units.get(parameter) not in UNITS:
            raise DataError(f"units {units.get(parameter)!r} are not known; known are {', '.join(UNITS)}", file=path,
                            variable=parameter)
        values = numeric(table[parameter], path, parameter)
        values = convert(values.mask(values == fill), name, UNITS[units[parameter]], path)
        v = VARIABLES[name]
        if (values < v.low).any() or (values > v.high).any():
            raise DataError(f"spans {values.min():g} to {values.max():g}, outside {v.low:g} to {v.high:g} {v.units}",
                            file=path, variable=parameter)
        variables[name] = (("site", "time"), values.to_numpy()[None], {"origin": f"{ORIGIN} ({parameter})"})
    if not variables:
        raise DataError(f"has none of the parameters {', '.join(NAMES)}", file=path)
    time = pd.DatetimeIndex(table.index, name="time").astype("datetime64[ns]")
    return with_attributes(xr.Dataset(variables, {"site": [path.stem], "time": time, "lat": ("site", [lat]),
                                                  "lon": ("site", [lon])}))


def _json(path):
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"is not JSON ({error}): truncated?", file=path) from None
    try:
        lon, lat = content["geometry"]["coordinates"][:2]
        table = pd.DataFrame(content["properties"]["parameter"])
        units = {name: entry["units"] for name, entry in content["parameters"].items()}
        fill, standard = content["header"]["fill_value"], content["header"].get("time_standard", "LST")
    except (KeyError, TypeError) as error:
        raise DataError(f"lacks {error}", file=path) from None
    _require_local(standard, path)
    dates = pd.to_datetime(table.index, format="%Y%m%d", errors="coerce")
    return table.set_axis(_dates(dates, path)), units, lat, lon, fill


def _csv(path):
    header, end, body = read_text(path).partition("-END HEADER-")
    place = re.search(r"latitude\s+(\S+)\s+longitude\s+(\S+)", header, re.IGNORECASE)
    if not end or not place:
        raise DataError("lacks the lines -BEGIN HEADER- ... -END HEADER- with the location", file=path)
    standard = re.search(r"^Dates.* in (UTC|LST)\s*$", header, re.MULTILINE)
    _require_local(standard[1] if standard else "LST", path)
    lines = body.strip().splitlines()
    short = [line for line in lines if line.count(",") != lines[0].count(",")]
    if len(lines) < 2 or short:
        raise DataError(f"line {short[0]!r} has too few fields: truncated?" if short else "holds no data", file=path)
    table = pd.read_csv(StringIO("\n".join(lines)))
    if {"YEAR", "MO", "DY"} <= set(table):
        dates = pd.to_datetime(table[["YEAR", "MO", "DY"]].set_axis(["year", "month", "day"], axis=1), errors="coerce")
    elif {"YEAR", "DOY"} <= set(table):
        dates = pd.to_datetime((table["YEAR"] * 1000 + table["DOY"]).astype(str), format="%Y%j", errors="coerce")
    else:
        raise DataError("has neither YEAR, MO, DY nor YEAR, DOY: not daily?", file=path, variable="time")
    units = dict(re.findall(r"^(\w+)\s.*\(([^()]*)\)\s*$", header, re.MULTILINE))
    fill = re.search(r"missing source data.*?:\s*(-?\d+)", header)
    return (table.set_axis(_dates(pd.DatetimeIndex(dates), path)), units, float(place[1]), float(place[2]),
            float(fill[1]) if fill else -999.0)


def _require_local(standard, path):
    if standard != "LST":
        raise DataError(f"its days are {standard}: ask POWER for local solar time (LST), as stations have", file=path,
                        variable="time")


def _dates(index, path):
    return check_times(pd.DatetimeIndex(index), path, "time")


def add_drivers(stations, power):
    """`stations` with what POWER gives for variables that a station lacks entirely.

    A variable with a single measured value at a station is left as it is there. Each station takes the nearest of the
    POWER points in `power` (a list of `read_power` datasets) within `NEAREST` degrees, else none. What was added stands
    in the attribute ``origin`` of the variable.
    """
    filled = stations.copy()
    for name in dict.fromkeys(NAMES.values()):
        values = (stations[name].transpose("site", "time").values.copy() if name in stations
                  else np.full((stations.sizes["site"], stations.sizes["time"]), np.nan))
        added = []
        for i, site in enumerate(stations["site"].values):
            point = _nearest(float(stations["lat"][i]), float(stations["lon"][i]), [p for p in power if name in p])
            if point is not None and np.isnan(values[i]).all():
                values[i] = point[name].isel(site=0).reindex(time=stations["time"]).values
                added.append(f"{site}: {point[name].attrs['origin']}")
        if added:
            old = stations[name].attrs if name in stations else {}
            origin = "\n".join([*filter(None, [old.get("origin")]), *added])
            filled[name] = (("site", "time"), values, old | {"origin": origin})
    return with_attributes(filled)


def _nearest(lat, lon, points):
    """The nearest of `points` if it is within `NEAREST` degrees in latitude and longitude."""
    def distance(p):
        return max(abs(float(p["lat"][0]) - lat), abs((float(p["lon"][0]) - lon + 180) % 360 - 180))

    best = min(points, key=distance, default=None)
    return best if best is not None and distance(best) <= NEAREST else None
