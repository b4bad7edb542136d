"""The open station study: USCRN and NASA POWER as one canonical store, with the split dates of Wang et al. (2024)."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd

from smlib import paths
from smlib.data.get.power import FOLDER as POWER
from smlib.data.get.power import get_power
from smlib.data.get.uscrn import get_uscrn, held, path_of, taken
from smlib.data.readers.common import read_csv
from smlib.data.readers.power import add_drivers, read_power
from smlib.data.readers.uscrn import read_uscrn
from smlib.data.schema import validate
from smlib.data.windows import CUTS

STORE = "stations-open.nc"
SPLITS = "wang2024_tableD2_splits.csv"


def get_stations_open(stations, years, folder, store, uscrn_url=None, power_url=None, **options):
    """Have USCRN and POWER of `stations` and `years` in `folder`, and the canonical NetCDF file `store` made of them.

    Returns
    -------
    store : Path
    lines : list of str
        What was fetched, and a line for each station: what it has, and how it is split.
    """
    reports, without = get_uscrn(stations, years, folder, uscrn_url, **_named(options, "USCRN"))
    stations = [one for one in stations if one.name not in without]
    weather = get_power([taken(one, years, folder) for one in stations], years, folder, power_url,
                        **_named(options, "POWER"))
    lines = [*(f"USCRN: {report}" for report in reports), f"POWER: {weather}",
             *(f"{name}: left out, the server has no file of these years" for name in without)]
    return Path(store), lines + build(stations, years, folder, store)


def build(stations, years, folder, store):
    """Make `store` of the files in `folder`, unless it is made of them already; the lines to print."""
    taking = {one: taken(one, years, folder) for one in stations}
    files = {one: [folder / path_of(one.name, year) for year in held(one, years, folder)] for one in taking.values()}
    points = [folder / POWER / f"{one.name}.json" for one in files]
    key = _key([*(file for some in files.values() for file in some), *points, Path(__file__),
                paths.DATA / "published" / SPLITS, paths.DATA / "uscrn_stations.csv"])
    lines = []
    cuts, places = _splits(), {}
    for wanted, one in taking.items():
        has = [int(file.parent.name) for file in files[one]]
        own, text = _cuts_of(wanted, has, cuts)
        places[one.name] = (own, wanted.land_cover or one.land_cover)
        stands = f" (in place of {wanted.name}, of which there is no file)" if wanted is not one else ""
        lines.append(f"{one.name}{stands}: {_spans(has)}; {text}")
    store = Path(store)
    if not _made_of(store, key):
        ds = read_uscrn([file for some in files.values() for file in some])
        _write(_with_cuts(add_drivers(ds, [read_power(point) for point in points]), places, key), store)
    return lines


def _named(options, name):
    return options | ({"bar": name} if options.get("bar") else {})


def _splits():
    """Table D2: site -> the four dates of `CUTS`."""
    table = read_csv(paths.DATA / "published" / SPLITS, missing=(), dtype=str)
    columns = ["train_start", "val_start", "test_start", "test_end"]
    return {row["site"]: [np.datetime64(row[c].replace(".", "-")) for c in columns] for row in table.to_dict("records")}


def _cuts_of(station, years, splits):
    """The paper's dates if the files reach from the first to the last of them, else None; and that in words."""
    if station.wang2024 not in splits:
        return None, "not of the paper: cut 60/20/20"
    dates = splits[station.wang2024]
    first, last = (int(str(date)[:4]) for date in (dates[0], dates[-1]))
    if not set(range(first, last + 1)) <= set(years):
        return None, f"cut 60/20/20, for the paper's split dates need {first} to {last}"
    return dates, "the paper's split dates"


def _spans(years):
    """Years in words: 2009-2012, 2020."""
    runs = np.split(years, np.flatnonzero(np.diff(years) > 1) + 1)
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _with_cuts(ds, places, key):
    none = [np.datetime64("NaT")] * len(CUTS)
    # A station without soil moisture was left out by the reader.
    held = [places[site] for site in ds["site"].values]
    dates = np.array([own or none for own, _ in held], "M8[ns]")
    for k, name in enumerate(CUTS):
        ds = ds.assign_coords({name: ("site", dates[:, k])})
    ds = ds.assign_coords(land_cover=("site", [cover for _, cover in held]))
    return ds.assign_attrs(
        kind="measured", made_of=key, Conventions="CF-1.11", title="USCRN stations with NASA POWER weather",
        splits=f"{', '.join(CUTS)}: Wang et al. (2024), Table D2, where the record reaches over all of it",
        history="made by smlib data get stations-open")


def _key(files):
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _made_of(store, key):
    import xarray as xr

    try:
        with xr.open_dataset(store) as ds:
            return ds.attrs.get("made_of") == key
    except (OSError, ValueError):
        return False


def _write(ds, store):
    validate(ds, store)
    encoding = {name: {"dtype": "float32", "zlib": True, "complevel": 4} for name in ds.data_vars}
    encoding |= {name: {"dtype": "int64", "_FillValue": -9999, "units": "days since 1970-01-01"} for name in CUTS}
    encoding["time"] = {"dtype": "int64", "units": f"days since {pd.Timestamp(ds['time'].values[0]):%Y-%m-%d}"}
    store.parent.mkdir(parents=True, exist_ok=True)
    aside = store.with_name(f".{store.name}.partial")
    try:
        ds.to_netcdf(aside, engine="netcdf4", encoding=encoding)
        os.replace(aside, store)
    finally:
        aside.unlink(missing_ok=True)
