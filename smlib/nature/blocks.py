"""What the simulated worlds hold in a block of rows: the truth and the products that see it, as canonical datasets."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.schema import KNOWN, with_attributes
from smlib.nature import products, radiometer, retrieval, truth
from smlib.nature.grids import Grid

TRUE = {"soil_moisture", "soil_temperature", "precipitation", "air_temperature", "evapotranspiration", "snow_water",
        "frozen_fraction", "fractional_vegetation_cover", "vegetation_water_content"}
MODELLED = {"soil_moisture", "precipitation", "air_temperature", "shortwave_down", "longwave_down",
            "relative_humidity", "wind_speed", "evapotranspiration"}
SMAP = {"tb_h": "brightness_temperature_h", "tb_v": "brightness_temperature_v", "DCA": "soil_moisture_dca",
        "SCA_H": "soil_moisture_sca_h", "SCA_V": "soil_moisture_sca_v", "opacity": "vegetation_opacity",
        "vegetation": "vegetation_water_content"}
SURFACE_ONLY = ("soil_temperature", "frozen_fraction")


@dataclass(frozen=True)
class Block:
    """Rows of a grid, made in one go.

    Attributes
    ----------
    grid : smlib.nature.grids.Grid, (y, x)
    elevation : (y, x), m; NaN where nothing is simulated (water, or outside the region)
    time : (time,), datetime64
    seed : int
    ground : dict, what `truth.ground` wants to know beside place
    """

    grid: Grid
    elevation: np.ndarray
    time: np.ndarray
    seed: int = 0
    ground: dict = field(default_factory=dict)

    @property
    def land(self):
        """(y, x) bool: where there is ground."""
        return np.isfinite(self.elevation)

    @property
    def cells(self):
        """(lat, lon, elevation) of the land cells (cell,)."""
        return self.grid.lat[self.land], self.grid.lon[self.land], self.elevation[self.land]

    def part(self, rows, columns=slice(None), time=None):
        """The block of some rows and columns."""
        grid = Grid(self.grid.lat[rows, columns], self.grid.lon[rows, columns])
        return replace(self, grid=grid, elevation=self.elevation[rows, columns],
                       time=self.time if time is None else time)

    def full(self, values):
        """(..., cell) float32 on (..., y, x), NaN off land."""
        out = np.full((*values.shape[:-1], *self.land.shape), np.nan, np.float32)
        out[..., self.land] = values
        return out

    def dataset(self, variables):
        """Canonical dataset of `variables`, name to (time, cell), (time, layer, cell), (cell,) or (layer, cell)."""
        return gridded({name: self.full(values) for name, values in variables.items()}, self.grid, self.time)

    def coarse(self, times):
        """The grid whose cells are `times` cells of this one wide, and a function from (..., cell) to its means.

        The mean is that over land: NaN only where there is none.
        """
        shape = self.land.shape[0] // times, times, self.land.shape[1] // times, times
        grid = Grid(*(x.reshape(shape).mean((1, 3)) for x in (self.grid.lat, self.grid.lon)))
        count = self.land.reshape(shape).sum((1, 3))

        def mean(values):
            full = np.nan_to_num(self.full(values)).reshape(*values.shape[:-1], *shape).sum((-3, -1))
            return (full / np.where(count, count, np.nan)).astype(np.float32)

        return grid, mean


def gridded(variables, grid, time, bounds_m=truth.BOUNDS_M):
    """Canonical dataset of `variables`, name to (time, y, x), (time, layer, y, x), (y, x) or (layer, y, x)."""
    data, coords = {}, {"lat": ("y", grid.lat[:, 0]), "lon": ("x", grid.lon[0])}
    for name, values in variables.items():
        layered = values.ndim == (3 if KNOWN[name].static else 4)
        dims = (*(() if KNOWN[name].static else ("time",)), *(("layer",) if layered else ()), "y", "x")
        data[name] = (dims, values)
        if layered:
            n = len(bounds_m) - 1
            coords |= {"layer": np.arange(1, n + 1), "top_m": ("layer", np.array(bounds_m[:-1])),
                       "bottom_m": ("layer", np.array(bounds_m[1:]))}
        if "time" in dims:
            coords["time"] = pd.DatetimeIndex(time)
    return with_attributes(xr.Dataset(data, coords)).assign_attrs(kind="simulated")


def true_of(found):
    """The variables of a truth group out of what `truth.simulate` gives."""
    found = found | {"fractional_vegetation_cover": found["fractional_cover"]}
    return {name: found[name][:, 0] if name in SURFACE_ONLY else found[name] for name in sorted(TRUE)}


def smap(time, lat, lon, found, parameters, seed):
    """SMAP-like L3 of both passes: {"smap_am": {variable: (time, cell)}, "smap_pm": ...}.

    Retrievals are missing where vegetation is dense, the ground frozen or under snow; found: (time, cell) arrays as
    `retrieval.observe` wants them.
    """
    groups = {}
    for orbit in ("AM", "PM"):
        seen = retrieval.observe(time, lat, lon, found, parameters, seed=seed, orbit=orbit)
        groups[f"smap_{orbit.lower()}"] = {
            name: np.where(seen["dense"], np.float32(np.nan), seen[key]) if name.startswith("soil") else
            np.where(seen["seen"], seen[key], np.float32(np.nan)) for key, name in SMAP.items()}
    return groups


def radiometer_view(found):
    """What `retrieval.observe` wants of a truth: the surface layer's moisture, temperature and ice, plants and snow."""
    return {"soil_moisture": found["soil_moisture"][:, 0], "soil_temperature": found["soil_temperature"][:, 0],
            "vegetation_water_content": found["vegetation_water_content"],
            "frozen_fraction": found["frozen_fraction"][:, 0], "snow_water": found["snow_water"]}


def smap_parameters(ground):
    """The true parameters (cell,) of the radiometer over a `truth.Ground`."""
    return {"clay": ground.texture["clay"][0]} | radiometer.surface_parameters(ground.land_cover)


def qilian(block):
    """Truth at 0.05 degree, and a SMHiRes-like surface product."""
    ground = truth.ground(*block.cells, seed=block.seed, **block.ground)
    found = truth.simulate(ground, block.time, block.seed)
    product = products.smhires(found["soil_moisture"][:, 0], ground.lat, ground.lon, seed=block.seed)
    return {"truth": block.dataset(true_of(found)), "smhires": block.dataset({"soil_moisture": product})}


def conus(block):
    """Truth at SMAP's cells, SMAP-like L3 by pass, IMERG-like rain and MODIS-like reflectance and temperature."""
    ground = truth.ground(*block.cells, seed=block.seed, **block.ground)
    found = truth.simulate(ground, block.time, block.seed)
    lat, lon, soil, at = ground.lat, ground.lon, ground.hydraulics, {"seed": block.seed}
    groups = {"truth": true_of(found)}
    groups |= smap(block.time, lat, lon, radiometer_view(found), smap_parameters(ground), block.seed)
    groups["imerg"] = {"precipitation": products.imerg(found["precipitation"], lat, lon, **at)}
    groups["modis"] = {
        "swir_transform": products.swir_transform(found["soil_moisture"][:, 0], soil.theta_wilting[0],
                                                  soil.theta_saturation[0], found["fractional_cover"], lat, lon, **at),
        "land_surface_temperature": _temperature(found, lat, lon, **at)}
    return {name: block.dataset(variables) for name, variables in groups.items()}


def nldas(block):
    """NLDAS-2-like forcing and soil, `truth.land_model`."""
    found = truth.land_model(*block.cells, block.time, block.seed)
    return {"nldas": block.dataset({name: found[name] for name in sorted(MODELLED)})}


def land_model(block):
    """A land model's soil moisture alone, `truth.land_model`."""
    return {"model": nldas(block)["nldas"][["soil_moisture"]]}


def network(block):
    """Surroundings of a network: truth, temperature, evapotranspiration and cover at 0.05 degree, rain, ASCAT-like and
    SMAP-like moisture at 0.1, ESA-CCI-like at 0.25."""
    ground = truth.ground(*block.cells, seed=block.seed, **block.ground)
    found = truth.simulate(ground, block.time, block.seed)
    lat, lon, at = ground.lat, ground.lon, {"seed": block.seed}
    groups = {"truth": block.dataset(true_of(found)),
              "lst": block.dataset({"land_surface_temperature": _temperature(found, lat, lon, **at)}),
              "et": block.dataset({"evapotranspiration":
                                   products.evapotranspiration(found["evapotranspiration"], lat, lon, **at)}),
              "fvc": block.dataset({"fractional_vegetation_cover":
                                    products.fractional_cover_8daily(found["fractional_cover"], lat, lon, **at)})}
    return groups | _on_tenth(block, ground, found) | _on_quarter(block, found)


def _on_tenth(block, ground, found):
    grid, mean = block.coarse(2)
    land = np.isfinite(mean(ground.elevation.astype(np.float32)))
    coarse = replace(block, grid=grid, elevation=np.where(land, 0.0, np.nan))
    lat, lon, _ = coarse.cells

    def at_land(values):
        return mean(values)[..., land]

    soil = ground.hydraulics
    view = {name: at_land(values) for name, values in radiometer_view(found).items()}
    parameters = {name: at_land(values) for name, values in smap_parameters(ground).items()}
    groups = smap(block.time, lat, lon, view, parameters, block.seed)
    groups["imerg"] = {"precipitation": products.imerg(at_land(found["precipitation"]), lat, lon, seed=block.seed)}
    groups["ascat"] = {"soil_saturation": products.ascat(
        view["soil_moisture"], *(at_land(x[0].astype(np.float32)) for x in (soil.theta_wilting, soil.theta_saturation)),
        lat, lon, view["vegetation_water_content"], view["frozen_fraction"] > 0.1, seed=block.seed)}
    return {name: coarse.dataset(variables) for name, variables in groups.items()}


def _on_quarter(block, found):
    grid, mean = block.coarse(5)
    surface, ice = (mean(found[name][:, 0]) for name in ("soil_moisture", "frozen_fraction"))
    land = np.isfinite(surface[0])
    coarse = replace(block, grid=grid, elevation=np.where(land, 0.0, np.nan))
    lat, lon, _ = coarse.cells
    seen = products.esa_cci(surface[:, land], lat, lon, ice[:, land] > 0.1, seed=block.seed)
    return {"cci": coarse.dataset({"soil_moisture": seen})}


def _temperature(found, lat, lon, seed):
    fraction = np.minimum(found["evapotranspiration"] / np.maximum(found["potential_evaporation"], 0.1), 1)
    return products.land_surface_temperature(found["air_temperature"], found["shortwave_down"], fraction, lat, lon,
                                             seed=seed)
