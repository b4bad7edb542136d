"""The data that both studies over the contiguous United States start from: one cube, stations, periods."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from filelock import FileLock

from smlib import paths
from smlib.data.cube import average_passes, cube, write_cube
from smlib.data.ease import EaseGrid
from smlib.data.schema import DataError

PERIODS = ("train", "validation", "test")
# By scale; years that the papers do not give: they name 2018 to 2022 as a whole.
SPLITS = {"smoke": ("2018-01-01", "2018-07-01", "2018-09-01", "2018-12-31"),
          "quick": ("2018-01-01", "2019-07-01", "2020-01-01", "2020-12-31"),
          "full": ("2018-01-01", "2021-01-01", "2022-01-01", "2022-12-31")}
RETRIEVALS = {"DCA": "soil_moisture_dca", "SCA-H": "soil_moisture_sca_h", "SCA-V": "soil_moisture_sca_v"}
TERRAIN = ("elevation", "slope", "aspect", "curvature", "flow_accumulation")


@dataclass(frozen=True)
class Study:
    """What is known over the grid and at stations.

    Attributes
    ----------
    cube : canonical dataset on an EASE-Grid 2.0, opened lazily: SMAP's three retrievals, brightness temperatures,
        vegetation opacity and water content (time, y, x; both passes averaged, NaN where there was none),
        ``soil_moisture`` of NLDAS-2 (time, layer, y, x), precipitation, swir_transform, land_surface_temperature
        (time, y, x), sand, silt, clay (layer, y, x), terrain and land_cover (y, x)
    truth : (time, layer, y, x) DataArray of true moisture, or None where nobody knows it
    stations : canonical dataset (site, depth, time) of what stations report, or None
    stations_truth : the true moisture there, or None
    matched : mapping of "smap" and "nldas" -> what a product has at the stations' own cells (site, ...), or {}
    periods : mapping of train, validation, test -> slice of days
    kind : "measured" or "simulated"
    scale : of the simulated world
    key : of the cube's data, for what is kept
    """

    cube: xr.Dataset
    truth: xr.DataArray | None
    stations: xr.Dataset | None
    stations_truth: xr.Dataset | None
    matched: dict
    periods: dict
    kind: str
    scale: str
    key: str

    @property
    def time(self):
        """(time,) datetime64[D] of the cube's days."""
        return self.cube["time"].values.astype("M8[D]")

    @property
    def land(self):
        """(y, x) bool: cells where the land model has moisture and soil and terrain are known."""
        parts = [self.cube["soil_moisture"][0].isel(layer=0), self.cube["elevation"], self.cube["sand"].isel(layer=0)]
        return np.logical_and.reduce([np.isfinite(part.values) for part in parts])


def open_study(source="twin", scale="smoke", seed=0, split=None):
    """The study on simulated data, made or read from ``data/local``.

    Parameters
    ----------
    source : "twin"
        The simulated world; there is no other source yet.
    scale : "smoke", "quick" or "full"
        Of the world `smlib.nature.worlds.world("conus")`: every 24th, every 7th, or every cell of SMAP's 9 km grid.
    split : four dates, optional
        First day of training, of validation, of test, and the last day of test.

    Raises
    ------
    ValueError
        For a source or a scale that does not exist.
    """
    if source != "twin":
        raise ValueError(f"no source {source!r} of this study; there is twin, the simulated world")
    if scale not in SPLITS:
        raise ValueError(f"no scale {scale!r}; there are {', '.join(SPLITS)}")
    from smlib.nature.worlds import world  # here, for it takes seconds and a user's own data do without

    tree = world("conus", scale, seed=seed)
    opened, key = _cube(tree, scale, seed)
    matched = {"smap": average_passes(tree["matched/smap_am"].to_dataset(), tree["matched/smap_pm"].to_dataset()),
               "nldas": tree["matched/nldas"].to_dataset()} if "matched" in tree.children else {}
    truth = tree["truth"]["soil_moisture"]
    return Study(opened, truth, tree["stations/reported"].to_dataset(), tree["stations/truth"].to_dataset(), matched,
                 periods(opened["time"].values, split or SPLITS[scale]), "simulated", scale, key)


def periods(time, split):
    """Mapping of train, validation, test -> slice of the days `time`, from four dates (see `open_study`)."""
    time = pd.DatetimeIndex(time)
    try:
        *starts, last = pd.to_datetime(list(split))
        first, second, third = starts
    except ValueError as error:
        raise ValueError("a split is four dates: first day of training, of validation, of test, and the last of test, "
                         f"not {split!r}") from error
    edges = [*starts, last + pd.Timedelta(days=1)]
    if not first < second < third < edges[3]:
        raise ValueError(f"the dates of a split must follow one another: {', '.join(map(str, split))}")
    if first < time[0] or last > time[-1]:
        raise DataError(f"the split {', '.join(map(str, split))} reaches beyond the data's {time[0]:%Y-%m-%d} to "
                        f"{time[-1]:%Y-%m-%d}", variable="time")
    at = np.searchsorted(time, edges)
    return {name: slice(int(a), int(b)) for name, a, b in zip(PERIODS, at[:-1], at[1:], strict=True)}


def sources(tree):
    """The world's products as `smlib.data.cube.cube` takes them: what one would download, and no truth."""
    group = {name: tree[name].to_dataset() for name in ("smap_am", "smap_pm", "nldas", "imerg", "modis", "solus",
                                                         "statics")}
    return {"smap": average_passes(group["smap_am"], group["smap_pm"]), "nldas": group["nldas"][["soil_moisture"]],
            "imerg": group["imerg"], "modis": group["modis"], "solus": group["solus"],
            "terrain": group["statics"][[*TERRAIN, "land_cover"]]}


def _cube(tree, scale, seed):
    """The cube of a world, harmonised once and kept beside it."""
    from smlib.nature.worlds import code_hash

    key = hashlib.sha256(json.dumps([code_hash(), _code(), scale, seed]).encode()).hexdigest()[:16]
    store = paths.LOCAL / "cubes" / f"conus-{scale}-{key}.zarr"
    store.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{store}.lock"):
        if not store.exists():
            parts = sources(tree)
            write_cube(cube(parts, EaseGrid.of(parts["smap"])), store)
    return xr.open_zarr(store, chunks={}, consolidated=False), key


def _code():
    folder = Path(__file__).parents[1] / "data"
    return hashlib.sha256(b"".join((folder / f"{name}.py").read_bytes() for name in ("cube", "ease", "harmonise",
                                                                                     "schema"))).hexdigest()
