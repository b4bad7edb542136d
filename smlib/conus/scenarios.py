"""Which maps each network of the two studies sees, and the arrays that they become.

The papers name groups of predictors, and 17 at most (Rabiei et al. 2025, Table 2); what is in a group is our reading.
SMAP's files carry a modelled surface temperature; MODIS' stands in for it. Aspect is two channels (sine and cosine).
"""

from dataclasses import dataclass

import dask.array
import numpy as np

from smlib.conus.data import TERRAIN
from smlib.data.schema import DataError

ANCILLARY = ("brightness_temperature_h", "brightness_temperature_v", "vegetation_opacity", "vegetation_water_content",
             "land_surface_temperature")
SMAP = (*ANCILLARY, "soil_moisture_dca")
SOIL = ("sand", "silt", "clay")
REMOTE = ("swir_transform", "precipitation")
STATE = "soil_moisture"  # the land model's own, of the layer
LAYERS = ("0-10 cm", "10-40 cm", "40-100 cm")
LEADS = (1, 3, 7, 14, 30)
LOGGED = ("precipitation", "flow_accumulation")  # of these, log(1 + x) is scaled
IN_MEMORY = 3e9  # bytes of predictors that are held; what is larger is read as it is needed


@dataclass(frozen=True)
class Scenario:
    """What one network sees and forecasts.

    Attributes
    ----------
    study : "estimation" (of the same day) or "forecast" (of all `LEADS`)
    layer : 1, 2 or 3
    name : "S1" ...
    daily, fixed : variables of the cube by day, and such that do not change
    upper : the scenario whose output for the layer above is seen too, or None
    """

    study: str
    layer: int
    name: str
    daily: tuple
    fixed: tuple = ()
    upper: object = None

    @property
    def leads(self):
        """Days ahead of its outputs."""
        return LEADS if self.study == "forecast" else (0,)

    @property
    def feeds(self):
        """Whether a network of the layer below is trained on its outputs."""
        return self.layer < len(LAYERS) if self.study == "forecast" else (self.layer, self.name) == (1, "S2")

    @property
    def label(self):
        """Such as "forecast 10-40 cm S2"."""
        return f"{self.study} {LAYERS[self.layer - 1]} {self.name}"

    @property
    def predictors(self):
        """Their names, each as it counts in the paper: aspect is one, and so is the upper layer's moisture."""
        return (*self.daily, *self.fixed, *(("upper layer",) if self.upper else ()))


def estimations():
    """The four networks of Rabiei et al. (2024): two layers by two scenarios."""
    surface = [Scenario("estimation", 1, "S1", ANCILLARY), Scenario("estimation", 1, "S2", ANCILLARY, SOIL)]
    return [*surface, Scenario("estimation", 2, "S1", ANCILLARY, SOIL),
            Scenario("estimation", 2, "S2", ANCILLARY, SOIL, surface[1])]


def forecasts(names=("S1", "S2", "S3"), layers=(1, 2, 3)):
    """The nine networks of Rabiei et al. (2025): three layers by three scenarios; "S4" is S3 and the model's own state.

    S4 is not in the paper: its network knows what persistence knows. Of `layers` (1 to 3) those of all names.

    Raises
    ------
    ValueError
        For a scenario or a layer that does not exist.
    """
    groups = {"S1": (SMAP, SOIL), "S2": ((*SMAP, *REMOTE), SOIL), "S3": ((*SMAP, *REMOTE), (*SOIL, *TERRAIN)),
              "S4": ((*SMAP, *REMOTE, STATE), (*SOIL, *TERRAIN))}
    unknown = [name for name in names if name not in groups]
    if unknown:
        raise ValueError(f"no scenario {', '.join(unknown)}; there are {', '.join(groups)}")
    if not layers or not set(layers) <= {1, 2, 3}:
        raise ValueError(f"layers must be some of 1, 2 and 3, not {layers}")
    found = []
    for name in names:
        upper = None
        for layer in range(1, len(LAYERS) + 1):
            upper = Scenario("forecast", layer, name, *groups[name], upper)
            found += [upper] if layer in layers else []
    return found


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of training days and land cells: z = (x - mean) / std."""

    mean: float
    std: float

    def of(self, x):
        """z of x."""
        return (x - self.mean) / self.std

    def back(self, z):
        """x of z."""
        return z * self.std + self.mean


def target_scaler(study, layer):
    """The `Scaler` of the land model's moisture of a layer."""
    values = study.cube[STATE].isel(layer=layer - 1, time=study.periods["train"]).values[:, study.land]
    return _scaler(values, STATE)


def _scaler(values, name):
    values = values[np.isfinite(values)]
    if not values.size or not values.std() > 0:
        raise DataError("does not vary on the training days: nothing can be learnt from it", variable=name)
    return Scaler(float(values.mean(dtype=float)), float(values.std(dtype=float)))


def channels(study, scenario):
    """Inputs of a scenario but for the upper layer's: daily (day, channel, y, x) and fixed (channel, y, x) z-scores.

    NaN off land and where missing; daily is a NumPy array, or a dask array where that would be larger than `IN_MEMORY`.
    """
    land, train = study.land, study.periods["train"]
    daily = []
    for name in scenario.daily:
        da = study.cube[name]
        da = _logged(da.isel(layer=scenario.layer - 1) if "layer" in da.dims else da, name)
        scaler = _scaler(da[train].values[:, land], name)
        daily.append(scaler.of(da.where(land)).astype(np.float32).data)
    stacked = dask.array.stack(daily, 1)
    fixed = []
    for name in scenario.fixed:
        da = study.cube[name]
        values = _logged(da.isel(layer=scenario.layer - 1) if "layer" in da.dims else da, name).values
        # Where the ground is level it faces nowhere: 0 in both.
        parts = [np.nan_to_num(f(np.deg2rad(values))) for f in (np.sin, np.cos)] if name == "aspect" else [values]
        fixed += [np.where(land, _scaler(part[land], name).of(part), np.nan).astype(np.float32) for part in parts]
    return stacked.compute() if stacked.nbytes < IN_MEMORY else stacked, np.stack(fixed) if fixed else None


def _logged(da, name):
    return np.log1p(da) if name in LOGGED else da


def target(study, scenario, scaler):
    """(day, map, y, x) in z-scores of the layer: the land model's moisture; for the surface's estimate DCA's too."""
    land = study.land
    parts = [study.cube[STATE].isel(layer=scenario.layer - 1)]
    if scenario.study == "estimation" and scenario.layer == 1:
        parts.append(study.cube["soil_moisture_dca"])
    stacked = dask.array.stack([scaler.of(part.where(land)).astype(np.float32).data for part in parts], 1)
    return stacked.compute() if stacked.nbytes < IN_MEMORY else stacked
