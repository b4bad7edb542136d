"""NOAA USCRN daily01: a file a station and year, plain HTTPS, ``YYYY/CRND0103-YYYY-ST_Place_5_W.txt``."""

from functools import partial

from smlib.data.get.fetch import Item, fetch
from smlib.data.get.stations import address, table
from smlib.data.readers.uscrn import read_year
from smlib.data.schema import DataError

FOLDER = "uscrn"
NEAR = 0.05  # degrees that the table and a file may be apart: they are rounded to 0.01, and stations are moved a little


def get_uscrn(stations, years, folder, url=None, **options):
    """Have the files of `stations` (list of `stations.Station`) and `years` under ``uscrn/`` in `folder`.

    A station of which the server has no file of any year gives way to its stand-in, if the table names one.

    Returns
    -------
    reports : list of fetch.Report
    missing : list of str
        Stations without any file.

    Raises
    ------
    DataError
        Also if no station has any file, which is more likely a wrong name or address than a network without data.
    """
    reports = [_fetch(stations, years, folder, url, options)]
    seconds = [table()[one.stand_in] for one in stations if one.stand_in and not held(one, years, folder)]
    if seconds:
        reports.append(_fetch(seconds, years, folder, url, options))
    without = [one.name for one in stations if taken(one, years, folder) is None]
    if len(without) == len(stations):
        raise DataError(f"{address('uscrn', url)} has no file of {', '.join(without)} in {years[0]} to {years[-1]}: is "
                        "the name right, and the address?", variable="sites")
    return reports, without


def path_of(station, year):
    """Where the file of a year of the station of that name lies, relative to the folder."""
    return f"{FOLDER}/{year}/CRND0103-{year}-{station}.txt"


def held(station, years, folder):
    """Those of `years` of which the folder has the station's file."""
    return [year for year in years if (folder / path_of(station.name, year)).exists()]


def taken(station, years, folder):
    """The station itself if the folder has a file of it, else its stand-in, else None."""
    choices = [station, *([table()[station.stand_in]] if station.stand_in else [])]
    return next((one for one in choices if held(one, years, folder)), None)


def _fetch(stations, years, folder, url, options):
    base = address("uscrn", url)
    items = [Item(f"{base}/{year}/CRND0103-{year}-{one.name}.txt", path_of(one.name, year), partial(_check, one))
             for one in stations for year in years]
    return fetch(items, folder, **options)


def _check(station, file):
    """`DataError` unless the file holds one year of this station, whole."""
    year = read_year(file)
    for field, wanted, apart in (("WBANNO", float(station.wban or "nan"), 0), ("LATITUDE", station.lat, NEAR),
                                 ("LONGITUDE", station.lon, NEAR)):
        off = (year[field] - wanted).abs() > apart
        if off.any():
            raise DataError(f"is {year[field][off].iloc[0]:g}, where data/uscrn_stations.csv has {wanted:g}", file=file,
                            variable=field)
