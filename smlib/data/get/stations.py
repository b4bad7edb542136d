"""Stations by name, and the years and folders that the commands share."""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from smlib import paths
from smlib.data.catalog import read_catalog
from smlib.data.readers.common import read_csv
from smlib.data.schema import DataError

WANG2024 = "wang2024"  # the group of those that Wang et al. (2024) took from USCRN
NAME = re.compile(r"[A-Z]{2}_[\w.]+_\d+_[NESW]{1,3}")  # as NOAA's files are named: state, place, miles and direction


@dataclass(frozen=True)
class Station:
    """A USCRN station as ``data/uscrn_stations.csv`` has it; NaN and "" where it does not know.

    Attributes
    ----------
    name : as in NOAA's files, RI_Kingston_1_W
    wban : number in the files, five digits
    lat, lon : degrees
    wang2024 : name in Wang et al. (2024), Table D2
    stand_in : station that is taken where the server has no file of this one
    """

    name: str
    wban: str = ""
    lat: float = float("nan")
    lon: float = float("nan")
    land_cover: str = ""
    wang2024: str = ""
    stand_in: str = ""


def rows():
    """``data/uscrn_stations.csv``: DataFrame of text but for lat and lon, degrees; "" where it does not know."""
    found = read_csv(paths.DATA / "uscrn_stations.csv", missing=(), dtype=str, keep_default_na=False)
    return found.astype({"lat": float, "lon": float})


def table():
    """Every `Station` of the table by name."""
    return {row["station"]: Station(row["station"], row["wban"], row["lat"], row["lon"], row["land_cover"],
                                    row["wang2024"], row["stand_in"]) for row in rows().to_dict("records")}


def stations(text=WANG2024):
    """Stations of a text such as ``wang2024`` or ``wang2024,KS_Manhattan_6_SSW``, each once.

    Names are those of NOAA's files, of the table or not, or the paper's; `DataError` for others.
    """
    known, found = table(), {}
    paper = {one.wang2024.lower(): one for one in known.values() if one.wang2024}
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name == WANG2024:
            found |= {one.name: one for one in paper.values()}
        elif name in known or name.lower() in paper:
            one = known.get(name) or paper[name.lower()]
            found[one.name] = one
        elif NAME.fullmatch(name):
            found[name] = Station(name)
        else:
            raise DataError(f"unknown station {name!r}: give {WANG2024}, a name of the paper (Kingston-1-W), or one as "
                            "in NOAA's files (KS_Manhattan_6_SSW)", variable="sites")
    if not found:
        raise DataError("no station is named", variable="sites")
    return list(found.values())


def years(text):
    """The years of a text such as ``2009-2023`` or ``2012,2015-2016``, in order; `DataError` for others."""
    found = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", part.strip())
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise DataError(f"{part.strip()!r} is no year or span of years: such as 2009-2023", variable="years")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    now = datetime.now(UTC).year
    if min(found) < 2000 or max(found) > now:
        raise DataError(f"{min(found)} to {max(found)} is outside 2000 to {now}", variable="years")
    return sorted(found)


def days(text):
    """All days of a text such as ``2018-01-01/2018-12-31`` as a pandas.DatetimeIndex; `DataError` for others."""
    try:
        first, last = (pd.Timestamp(part) for part in text.split("/"))
    except ValueError:
        raise DataError(f"{text!r} is no span of days: such as 2018-01-01/2018-12-31", variable="dates") from None
    if not first <= last or last > pd.Timestamp.now():
        raise DataError(f"{text!r} ends before it begins, or has not come yet", variable="dates")
    return pd.date_range(first.normalize(), last.normalize())


def address(product, given=None):
    """The base address of a product: `given`, else of the environment (``SMLIB_USCRN_URL``), else the catalogue's."""
    variable = f"SMLIB_{product.upper().replace('-', '_')}_URL"
    return (given or os.environ.get(variable) or read_catalog(part="products")[product]["url"]).rstrip("/")
