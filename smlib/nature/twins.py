"""Simulated twins of the 30 stations of Wang et al. (2024): their places, soils, periods and weather statistics."""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.schema import validate
from smlib.nature import land, network, soil
from smlib.nature.fields import rng_of
from smlib.nature.hydraulics import saxton_rawls
from smlib.nature.sites import station_dataset
from smlib.nature.weather import Climate, generate
from smlib.paths import DATA

BOUNDS_M = (0, 0.075, 0.15, 0.35, 0.75, 1.25)
DEPTHS_M = (0.05, 0.10, 0.20, 0.50, 1.00)
SPIN_UP = 3650  # days at least, of the whole period over and over, run before it
# What soils of one texture differ in, from site to site: standard deviations of the logarithms of conductivity (which
# scatters about pedotransfer functions by some factor of three) and of potential evapotranspiration, the range of
# `Physics.surface_field`. Set, with the medians, so that the surface persists as measured; see foundations/world.
CONDUCTIVITY, CONDUCTIVITY_SPREAD, EVAPORATION_SPREAD, SURFACE_FIELD = 0.5, 1.5, 0.3, (1.3, 2.2)
COVERS = {"Grassland": 10, "Herbaceous cover": 10, "Shrub cover": 7, "Tree cover": 4, "Cropland": 12,
          "Cropland, rained": 12, "Mosaic Cropland": 14}
# What Table 1 misprints: a sign, and the coordinates of Coshocton for Durham-11-W in North Carolina.
PLACES = {"Monahans-6-ENE": {"lon": -102.81}, "Durham-11-W": {"lat": 35.97, "lon": -79.09}}
# Spelt otherwise in Table D2 than in Table 1.
NAMES = {"Cape-Charles-5-ENE": "Cape-Charles", "Cullman-NAHRC": "Cullman", "GrouseCreek": "GrouseGreek",
         "ShadowMtns": "Shadow Mtns"}


def station_table():
    """Tables 1 and D2 of Wang et al. (2024) by site: texture, land cover, place, period and weather statistics."""
    published = DATA / "published"
    splits = pd.read_csv(published / "wang2024_tableD2_splits.csv", index_col="site").rename(index=NAMES)
    table = pd.read_csv(published / "wang2024_table1_sites.csv", index_col="site").join(splits, validate="1:1")
    for site, place in PLACES.items():
        for name, value in place.items():
            table.loc[site, name] = value
    for name in ("train_start", "test_end"):
        table[name] = pd.to_datetime(table[name].str.replace(".", "-"))
    return table


def station_twins(sites=None, *, seed=0, sensor=network.Sensor()):  # noqa: B008
    """What sensors at the twins report, and the truth behind it.

    Parameters
    ----------
    sites : list of str, optional
        Names in Table 1 of the paper; all 30 if not given. A twin does not depend on which others are made.
    seed : int
    sensor : network.Sensor

    Returns
    -------
    two xarray.Dataset
        In the schema's names, (site, time) and (site, depth, time): reported and true. The weather is the same in both
        and without errors. Days outside a site's period are NaN.

    Notes
    -----
    The elevation of the sites is not in print and taken for 0 m; texture is that of the table at all depths;
    conductivity, potential evapotranspiration and the drying of bare ground differ from site to site by chance.
    """
    table = station_table()
    unknown = set(sites or ()) - set(table.index)
    if unknown:
        raise ValueError(f"no such station in Wang et al. (2024): {', '.join(sorted(unknown))}")
    table = table.loc[list(sites)] if sites else table
    pairs = [_twin(name, row, seed, sensor) for name, row in table.iterrows()]
    return tuple(validate(_joined([pair[k] for pair in pairs])) for k in (0, 1))


def _twin(name, row, seed, sensor):
    """(reported, true) of one site."""
    time = pd.date_range(row["train_start"], row["test_end"], freq="D")
    climate = Climate(*([row[column]] for column in ("p_mean", "p_std", "ta_mean", "ta_std")))
    weather = generate(time, [row["lat"]], [row["lon"]], [0.0], climate, seed)
    cover = np.array([COVERS[row["land_cover"]]])
    plants = land.vegetation(cover, [row["lat"]], [0.0], time.day_of_year.to_numpy())
    hydraulics, physics = _own_soil(name, row, seed)
    roots = land.root_fraction(cover, BOUNDS_M)

    state = None
    for _ in range(1 + -(-SPIN_UP // len(time))):
        truth = soil.simulate(weather, hydraulics, plants, roots, BOUNDS_M, state=state, physics=physics)
        state = truth["state"]
    moisture, temperature = (truth[key].transpose(2, 1, 0) for key in ("soil_moisture", "soil_temperature"))
    saturation = np.broadcast_to(hydraulics.theta_saturation[:, None], moisture.shape[:2])
    seen = network.measure(moisture, temperature, saturation, [name], seed=seed, sensor=sensor)
    return tuple(station_dataset([name], [row["lat"]], [row["lon"]], time, weather, values, temperature, DEPTHS_M)
                 for values in (seen, moisture))


def _own_soil(name, row, seed):
    """`Hydraulics` of the printed texture and `soil.Physics`, with what is this site's own."""
    rng = rng_of(seed, "twin", name)
    hydraulics = saxton_rawls(np.array([row["sand_pct"]], float), np.array([row["clay_pct"]], float))
    factor = CONDUCTIVITY * np.exp(CONDUCTIVITY_SPREAD * rng.standard_normal())
    usual = soil.Physics()
    evaporation = usual.evaporation_factor * np.exp(EVAPORATION_SPREAD * rng.standard_normal())
    return (replace(hydraulics, k_saturation=factor * hydraulics.k_saturation),
            usual._replace(evaporation_factor=evaporation, surface_field=rng.uniform(*SURFACE_FIELD)))


def _joined(parts):
    joined = xr.concat(parts, "site", join="outer", data_vars="all")
    return joined.assign_attrs(kind="simulated", source="twin", history="station twins by smlib.nature.twins")
