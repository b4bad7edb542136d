"""The simulated truth of any cells: their ground, their weather, and the water and heat of their soil."""

from dataclasses import dataclass, replace

import numpy as np

from smlib.nature import land, products, soil
from smlib.nature.fields import changing, rng_of
from smlib.nature.hydraulics import saxton_rawls
from smlib.nature.weather import Climate, Weather, climate

BOUNDS_M = (0.0, 0.1, 0.4, 1.0)
REGION_RAIN = 1.0  # mm d-1
SPIN_UP = 2  # years run before the first that is kept

# The land model behind the NLDAS-2-like product: the same equations, other constants, and leaves by climatology.
# The errors were set so that it lies as far from the simulated networks, about, as NLDAS-2 from the measured ones.
MODEL = soil.Physics(evaporation_factor=0.75, surface_field=1.4, conductivity_factor=0.4, infiltration=2.0,
                     stress_onset=0.8, degree_day=4.5)
MODEL_RAIN = 1.3  # standard deviation of the logarithm of the factor on its rain ...
MODEL_REACH, MODEL_MEMORY = 100, 10  # ... over so many km and days
MODEL_MOST = 500.0  # mm d-1: so large a factor on a cloudburst would be rain as has never fallen
MODEL_SPACING = 0.125  # degrees
MODEL_AIR = 1.0  # degC, of its air temperature, over 300 km and 5 days
MODEL_SOIL = (0.2, 0.15)  # of the log-ratios of its soil map's sand and clay over silt: smooth and local error
MODEL_LEAVES = 0.8  # factor on leaf area


@dataclass(frozen=True)
class Ground:
    """What does not change of some cells.

    Attributes
    ----------
    lat, lon, elevation : (cell,), degrees and m
    land_cover : (cell,), IGBP code
    climate : Climate
    texture : dict of (layer, cell), as `land.soil_texture` gives
    gravel : (cell,), percent of the volume
    bounds_m : (layer + 1,), depths of the layers' edges, m
    """

    lat: np.ndarray
    lon: np.ndarray
    elevation: np.ndarray
    land_cover: np.ndarray
    climate: Climate
    texture: dict
    gravel: np.ndarray
    bounds_m: tuple

    @property
    def hydraulics(self):
        """`Hydraulics` (layer, cell) of the texture."""
        return saxton_rawls(*(self.texture[name] for name in ("sand", "clay", "organic_matter")), self.gravel)

    def __getitem__(self, cells):
        """The ground of some cells."""
        return replace(self, **{name: getattr(self, name)[cells] for name in
                                ("lat", "lon", "elevation", "land_cover", "climate", "gravel")},
                       texture={name: x[:, cells] for name, x in self.texture.items()})


def ground(lat, lon, elevation, bounds_m=BOUNDS_M, seed=0, *, contrast=1.0, rain_contrast=1.0, gravel=0.0):
    """The `Ground` of land cells (cell,), degrees and m.

    For a region that is more of a piece than a continent: `contrast` as in `land.soil_texture`, and `rain_contrast`,
    the power to which departures of the yearly rain from REGION_RAIN are raised. gravel: percent of the volume.
    """
    weather = climate(lat, lon, elevation, seed)
    if rain_contrast != 1:
        factor = (REGION_RAIN / weather.precipitation_mean) ** (1 - rain_contrast)
        weather = replace(weather, precipitation_mean=weather.precipitation_mean * factor,
                          precipitation_std=weather.precipitation_std * factor)
    cover = land.land_cover(lat, lon, elevation, seed, weather)
    return Ground(np.ravel(lat), np.ravel(lon), np.ravel(elevation), cover, weather,
                  land.soil_texture(lat, lon, bounds_m, seed, contrast), np.full(np.size(lat), gravel), tuple(bounds_m))


def with_run_up(time, years):
    """Consecutive days (time,) with `years` years before them, and how many days those are."""
    time = np.asarray(time, "datetime64[D]")
    first = (time[0].astype("M8[Y]") - years).astype("M8[D]") if years else time[0]
    return np.arange(first, time[-1] + 1), int((time[0] - first).astype(int))


def simulate(ground, time, seed=0, *, spin_up=SPIN_UP, forcing=None, physics=None, leaves=1.0):
    """Weather, vegetation and soil of cells on consecutive days.

    Parameters
    ----------
    ground : Ground
    time : (time,), datetime64
    seed : int
    spin_up : int
        Years that the soil is run before the first day, from halfway between wilting and field capacity.
    forcing : dict of (time, cell), optional
        Weather with the spin-up's days before the others; that of `weather.Weather` if not given.
    physics : soil.Physics
    leaves : factor on the leaf area

    Returns
    -------
    dict of float32 (time, cell)
        The six of the weather, those of `land.vegetation`, what `soil.simulate` gives, and evapotranspiration, mm d-1;
        (time, layer, cell) soil_moisture, soil_temperature, frozen_fraction.
    """
    days, before = with_run_up(time, spin_up)
    if forcing is None:
        forcing = Weather(days, ground.lat, ground.lon, ground.elevation, ground.climate, seed, "climate").at()
    plants = land.vegetation(ground.land_cover, ground.lat, ground.elevation, day_of_year(days), leaves)
    found = soil.simulate(forcing, ground.hydraulics, plants, land.root_fraction(ground.land_cover, ground.bounds_m),
                          ground.bounds_m, elevation=ground.elevation,
                          state=soil.initial(ground.hydraulics, ground.bounds_m, ground.climate.temperature_mean),
                          physics=physics)
    del found["state"]
    found["evapotranspiration"] = found["evaporation"] + found["transpiration"]
    return {name: x[before:] for name, x in (forcing | plants | found).items()}


def day_of_year(time):
    """(time,) int, from 1."""
    time = np.asarray(time, "datetime64[D]")
    return (time - time.astype("M8[Y]").astype("M8[D]")).astype(int) + 1


def land_model(lat, lon, elevation, time, seed=0, *, spin_up=SPIN_UP):
    """An NLDAS-2-like land model's forcing and soil on cells MODEL_SPACING wide.

    It has the truth's equations with the constants `MODEL`, a soil map with errors, and for its weather the mean of
    that at four places of the cell, with errors of its own in rain and temperature; its forecast of the soil knows
    nothing of the truth's soil. Rain that is averaged over a cell falls more often and lighter than at a place.

    Returns
    -------
    dict as of `simulate`
    """
    cells = ground(lat, lon, elevation, seed=seed)
    sand, clay = products.soil_maps(cells.texture["sand"], cells.texture["clay"], lat, lon, name="NLDAS",
                                    errors=MODEL_SOIL, seed=seed)
    cells = replace(cells, texture=cells.texture | {"sand": sand, "clay": clay})
    days, _ = with_run_up(time, spin_up)
    forcing, quarter = None, MODEL_SPACING / 4
    for north, east in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        at = np.clip(cells.lat + north * quarter, -90, 90), cells.lon + east * quarter
        weather = Weather(days, *at, cells.elevation, climate(*at, cells.elevation, seed), seed, "climate").at()
        forcing = {name: x + (forcing[name] if forcing else 0) for name, x in weather.items()}
    forcing = {name: 0.25 * x for name, x in forcing.items()}
    number = days.astype(np.int64)
    rain = changing(number, lat, lon, MODEL_REACH, MODEL_MEMORY, rng_of(seed, "NLDAS", "rain"))
    factor = np.exp(MODEL_RAIN * rain - MODEL_RAIN**2 / 2)
    forcing["precipitation"] = np.minimum(forcing["precipitation"] * factor, np.float32(MODEL_MOST))
    forcing["air_temperature"] += MODEL_AIR * changing(number, lat, lon, 300, 5, rng_of(seed, "NLDAS", "air"))
    return simulate(cells, time, seed, spin_up=spin_up, forcing=forcing, physics=MODEL, leaves=MODEL_LEAVES)
