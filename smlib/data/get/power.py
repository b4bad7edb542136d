"""NASA POWER daily point meteorology: a JSON file a station, of all years at once."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from urllib.parse import urlencode

import numpy as np

from smlib.data.get.fetch import Item, fetch
from smlib.data.get.stations import address
from smlib.data.get.uscrn import FOLDER as USCRN
from smlib.data.readers.power import read_power
from smlib.data.readers.uscrn import read_year
from smlib.data.schema import DataError

FOLDER = "power"
PARAMETERS = ("T2M", "RH2M", "WS2M", "PRECTOTCORR", "ALLSKY_SFC_SW_DWN", "ALLSKY_SFC_LW_DWN")


def get_power(stations, years, folder, url=None, **options):
    """Have the weather at `stations` (list of `stations.Station`), first to last of `years`, in ``power/`` in `folder`.

    A station that is not in the table is where its USCRN files in the folder say. Days that have not come are not asked
    for. The service revises its last months; they are asked for again, once a day at most, until they are settled.

    Returns
    -------
    fetch.Report
    """
    first, last = date(years[0], 1, 1), min(date(years[-1], 12, 31), datetime.now(UTC).date() - timedelta(1))
    items = []
    for one in stations:
        lat, lon = (one.lat, one.lon) if one.lat == one.lat else _place(one, folder)
        query = {"parameters": ",".join(PARAMETERS), "community": "AG", "longitude": f"{lon:g}", "latitude": f"{lat:g}",
                 "start": f"{first:%Y%m%d}", "end": f"{last:%Y%m%d}", "format": "JSON", "time-standard": "LST"}
        items.append(Item(f"{address('power', url)}?{urlencode(query, safe=',')}", f"{FOLDER}/{one.name}.json",
                          partial(_check, lat, lon, first, last), until=last))
    return fetch(items, folder, **options)


def _place(station, folder):
    files = sorted(folder.glob(f"{USCRN}/*/CRND0103-*-{station.name}.txt"))
    if not files:
        raise DataError("is not in data/uscrn_stations.csv, and there is no file that says where it is: get its USCRN "
                        "files first", variable=station.name)
    held = read_year(files[-1])
    return float(held["LATITUDE"].iloc[-1]), float(held["LONGITUDE"].iloc[-1])


def _check(lat, lon, first, last, file):
    """`DataError` unless the file holds every parameter at this point, on every day asked for."""
    ds = read_power(file)
    if abs(float(ds["lat"][0]) - lat) > 0.01 or abs(float(ds["lon"][0]) - lon) > 0.01:
        raise DataError(f"is of {float(ds['lat'][0]):g}, {float(ds['lon'][0]):g}", file=file, variable="lat, lon")
    time = ds["time"].values.astype("M8[D]")
    if len(time) != (last - first).days + 1 or (time[0], time[-1]) != (np.datetime64(first), np.datetime64(last)):
        raise DataError(f"has {len(time)} days, {time[0]} to {time[-1]}, not {first} to {last}", file=file,
                        variable="time")
    origins = " ".join(da.attrs["origin"] for da in ds.data_vars.values())
    absent = [name for name in PARAMETERS if f"({name})" not in origins]
    if absent:
        raise DataError(f"lacks {', '.join(absent)}", file=file)
