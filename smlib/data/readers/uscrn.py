"""NOAA U.S. Climate Reference Network, daily01 product: ``CRND0103-YYYY-SITE.txt``, 28 fields separated by blanks.

No wind and no longwave radiation in it. Missing are -9999 and -99. Days are local standard time.
"""

import re
from io import StringIO
from pathlib import Path

import pandas as pd

from smlib.data.readers.common import Place, check_times, combine, numeric, read_text, station_dataset
from smlib.data.schema import DataError

FILE = re.compile(r"CRND0103-(\d{4})-(.+)\.txt")
DEPTHS = (0.05, 0.10, 0.20, 0.50, 1.00)
FIELDS = ["WBANNO", "LST_DATE", "CRX_VN", "LONGITUDE", "LATITUDE", "T_DAILY_MAX", "T_DAILY_MIN", "T_DAILY_MEAN",
          "T_DAILY_AVG", "P_DAILY_CALC", "SOLARAD_DAILY", "SUR_TEMP_DAILY_TYPE", "SUR_TEMP_DAILY_MAX",
          "SUR_TEMP_DAILY_MIN", "SUR_TEMP_DAILY_AVG", "RH_DAILY_MAX", "RH_DAILY_MIN", "RH_DAILY_AVG",
          *(f"SOIL_MOISTURE_{d}_DAILY" for d in (5, 10, 20, 50, 100)),
          *(f"SOIL_TEMP_{d}_DAILY" for d in (5, 10, 20, 50, 100))]
WEATHER = {"air_temperature": "T_DAILY_AVG", "precipitation": "P_DAILY_CALC", "shortwave_down": "SOLARAD_DAILY",
           "relative_humidity": "RH_DAILY_AVG"}
MJ_PER_DAY = 1e6 / 86400  # MJ m-2 d-1 in W m-2


def read_year(file):
    """One file as a table by date, with numbers in the units of the file and NaN where missing."""
    lines = read_text(file).splitlines()
    for number, line in enumerate(lines, 1):
        count = len(line.split())
        if count != len(FIELDS):
            raise DataError(f"line {number} has {count} fields, not {len(FIELDS)}: truncated, or not daily01?",
                            file=file)
        if len(line) < len(lines[0]):
            raise DataError(f"line {number} is shorter than the first: truncated?", file=file)
    table = pd.read_csv(StringIO("\n".join(lines)), sep=r"\s+", names=FIELDS, dtype=str)
    date = pd.to_datetime(table["LST_DATE"], format="%Y%m%d", errors="coerce")
    index = check_times(pd.DatetimeIndex(date), file, "LST_DATE")
    year = FILE.fullmatch(Path(file).name)[1]
    if not (index.year == int(year)).all():
        raise DataError(f"has a date that is not in {year}", file=file, variable="LST_DATE")
    table = pd.DataFrame({name: numeric(table[name], file, name) for name in FIELDS
                          if name not in ("LST_DATE", "CRX_VN", "SUR_TEMP_DAILY_TYPE")}).set_index(index)
    soil = table.columns.str.startswith("SOIL_MOISTURE")
    table.loc[:, soil] = table.loc[:, soil].mask(table.loc[:, soil] == -99)
    return table.mask(table == -9999)


def read_site(files):
    """The files of one site, one a year, as a dataset; a year that is not there stays NaN."""
    site = FILE.fullmatch(files[0].name)[2]
    table = pd.concat([read_year(file) for file in files])
    if not table.index.is_monotonic_increasing or table.index.has_duplicates:
        raise DataError(f"a year of {site} is in more than one file", file=files[0].parent, variable="LST_DATE")
    series = {name: table[field] for name, field in WEATHER.items()}
    series["shortwave_down"] = series["shortwave_down"] * MJ_PER_DAY
    for level, depth in enumerate(DEPTHS, 1):
        series["soil_moisture", level] = table[f"SOIL_MOISTURE_{100 * depth:.0f}_DAILY"]
        series["soil_temperature", level] = table[f"SOIL_TEMP_{100 * depth:.0f}_DAILY"]
    place = Place(table["LATITUDE"].iloc[-1], table["LONGITUDE"].iloc[-1], DEPTHS, site.replace("_", " "), "USCRN")
    file = files[0] if len(files) == 1 else files[0].parent / f"CRND0103-*-{site}.txt"
    return station_dataset(site, place, series, file)


def read_uscrn(files):
    """Files of any sites and years as one dataset; stations that never measured soil moisture are left out.

    Not every station of the network has soil probes, so among many such a file is no mistake; the attribute `left_out`
    names them. `DataError` if no station has soil moisture.
    """
    sites = {}
    for file in sorted(map(Path, files), key=lambda f: f.name):
        sites.setdefault(FILE.fullmatch(file.name)[2], []).append(file)
    stations, bare = [], []
    for site, held in sites.items():
        try:
            stations.append(read_site(held))
        except DataError as error:
            if error.variable != "soil_moisture" or not error.rule.startswith("there is no"):
                raise
            bare.append(site)
    if not stations:
        raise DataError(f"there is none at {', '.join(bare)}", file=Path(files[0]).parent, variable="soil_moisture")
    ds = combine(stations, Path(files[0]).parent)
    if bare:
        ds.attrs["left_out"] = ", ".join(bare)
    return ds
