"""The two sets of cells on which the methods are scored: measured by SMAP, and the simulated world's SMAP product."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from smlib import paths
from smlib.data.readers.mapped import convert
from smlib.data.schema import DataError
from smlib.gapfill.cells import Forcing, cells_of, drawn
from smlib.wording import count

FILE = "smap_nldas_conus_2015-2018.nc"
WEATHER = ("precipitation", "air_temperature", "specific_humidity", "shortwave_down", "longwave_down", "wind_u",
           "wind_v")
GROUND = ("sand", "silt", "clay", "bulk", "capa", "ndvi")
SOIL = ("sand", "silt", "clay")  # of the simulated set
TEST_FROM = np.datetime64("2016-04-01")  # of the measured set


@dataclass(frozen=True)
class GapSet:
    """Cells with gaps: `series` (cell, time) in m3 m-3, their `forcing`, the days to learn from and those scored.

    `train` and `test` are slices of days, test after train. `kind` is ``measured`` or ``simulated``.
    """

    name: str
    kind: str
    series: np.ndarray
    forcing: Forcing
    train: slice
    test: slice

    def sample(self, cells, seed=0):
        """At most so many of the cells (0: all), drawn without replacement, in their order."""
        if not 0 < cells < len(self.series):
            return self
        at = np.sort(np.random.default_rng(seed).permutation(len(self.series))[:cells])
        f = self.forcing
        return replace(self, series=self.series[at],
                       forcing=Forcing(f.daily[at], f.names, f.constants[at], f.time))

    def about(self):
        """What it is, in a sentence: Markdown."""
        days = {part: self.series[:, getattr(self, part)] for part in ("train", "test")}
        time = self.forcing.time.astype("datetime64[D]")
        span = {part: f"{time[getattr(self, part)][0]} to {time[getattr(self, part)][-1]}" for part in days}
        missing = {part: f"{100 * np.isnan(of).mean():.0f} %" for part, of in days.items()}
        return (f"**{self.kind.capitalize()}:** {self.name}, contiguous United States, "
                f"{count(len(self.series), 'cell')}; learnt from {span['train']} ({missing['train']} of the days "
                f"missing), scored on withheld days of {span['test']} ({missing['test']} missing). "
                f"Forcing: {', '.join(self.forcing.names).replace('_', ' ')}.")


def measured(folder):
    """SMAP L3 6 am moisture of 412 cells over CONUS, 36 km, with NLDAS-2 weather and soil constants.

    Parameters
    ----------
    folder : str or path
        That holds ``smap_nldas_conus_2015-2018.nc`` (the example data of hydroDL, re-laid out on a grid); a relative
        path is taken from the repository's root. Moisture ends on 31 March 2017; its last year is for the test.

    Raises
    ------
    DataError
        If the file or a variable is not there.
    """
    file = paths.ROOT / folder / FILE
    if not file.exists():
        raise DataError(f"there is no {FILE}", file=file.parent)
    with xr.open_dataset(file) as ds:
        lacking = [name for name in ("smap_sm", *WEATHER, *GROUND) if name not in ds]
        if lacking:
            raise DataError(f"is not in the file, nor {', '.join(lacking[1:])}" if lacking[1:] else
                            "is not in the file", file=file, variable=lacking[0])
        last = ds["time"].values[ds["smap_sm"].notnull().any(("lat", "lon")).values][-1]
        ds = ds[["smap_sm", *WEATHER, *GROUND]].sel(time=slice(None, last)).load()
    ds["precipitation"] = convert(ds["precipitation"], "precipitation", ds["precipitation"].attrs.get("units"), file)
    land = ds["ndvi"].notnull()
    for name in GROUND:  # one cell has no soil: the mean of the others
        ds[name] = ds[name].where(ds[name].notnull() | ~land, ds[name].mean())
    series, forcing, _ = cells_of(ds, "smap_sm", WEATHER, GROUND)
    first = int(np.searchsorted(forcing.time, TEST_FROM))
    return GapSet("SMAP L3, 6 am, 36 km", "measured", series, forcing, slice(0, first), slice(first, len(forcing.time)))


def conus(scale, seed=0):
    """The simulated world's SMAP-like morning DCA product with its IMERG-like rain and SOLUS-like surface soil, lazily.

    Returns
    -------
    xarray.Dataset
        ``soil_moisture_dca`` (with gaps) and ``precipitation`` (time, y, x), ``sand, silt, clay`` (y, x).
    """
    from smlib.nature.worlds import world

    tree = world("conus", scale, seed=seed)
    ds = tree["smap_am"].to_dataset()[["soil_moisture_dca"]]
    ds["precipitation"] = tree["imerg"].to_dataset()["precipitation"]
    return ds.assign(tree["solus"].to_dataset()[list(SOIL)].isel(layer=0, drop=True).data_vars)


def simulated(scale, seed=0, cells=0):
    """At most so many cells (0: all) of `conus`. The last year is for the test; of a single year, its last third."""
    ds = drawn(conus(scale, seed), "soil_moisture_dca", cells, seed).load()
    series, forcing, _ = cells_of(ds, "soil_moisture_dca", ("precipitation",), SOIL)
    years = forcing.time.astype("datetime64[Y]")
    first = int((years < years[-1]).sum()) or len(years) * 2 // 3
    return GapSet(f"the simulated world's SMAP, `{scale}`", "simulated", series, forcing, slice(0, first),
                  slice(first, len(years)))
