"""Stations in the simulated worlds: where they stand, on what soil, what they report and what is true there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.schema import with_attributes
from smlib.nature import grids, land, network, terrain, truth
from smlib.nature.fields import rng_of
from smlib.paths import DATA

WEATHER = ("precipitation", "air_temperature", "shortwave_down", "longwave_down", "relative_humidity", "wind_speed")
DEPTHS_M = (0.05, 0.25, 0.70)  # the middle of the layers
CONUS_BOX = (25.0, 49.5, -125.0, -67.0)  # south, north, west, east
LAYERS = ("0-10", "10-40", "40-100")  # cm
# Sand and clay, percent, of the middle of each class in the triangle.
MIDDLE = {"Sand": (92, 3), "Loamy Sand": (82, 6), "Sandy Loam": (65, 10), "Loam": (40, 18), "Silt Loam": (20, 15),
          "Sandy Clay Loam": (60, 27), "Clay Loam": (32, 34), "Silty Clay Loam": (10, 34), "Silty Clay": (7, 47),
          "Clay": (20, 55)}
# One probe stands for a cell of 9 km; at USCRN it is the mean of three. With these sizes networks and products are
# about as far apart as in Rabiei et al. (2025, Table 1); see foundations/world.
SENSORS = {"SCAN": network.Sensor(gain=0.15, offset=0.055, wander=0.045, noise=0.002, drift=0.003),
           "USCRN": network.Sensor(gain=0.12, offset=0.04, wander=0.032, noise=0.001, drift=0.002)}


def conus_sites(seed=0):
    """Places of SCAN- and USCRN-like stations: DataFrame by name with network, lat, lon, land_cover and texture_1..3.

    As many stations of every land cover and, by layer, of every texture class as in Rabiei et al. (2025): Table 4 for
    the textures, Table A1 for land cover and for how the two go together, as far as the tables agree (A1 has one
    station less in SCAN and in USCRN's upper layers, and other totals by class at USCRN). They stand at centres of 9 km
    cells that have the land cover, on soil of their own.
    """
    cells = _candidates(seed)
    cover = pd.read_csv(DATA / "published" / "rabiei2025_tableA1_station_land_cover.csv")
    textures = pd.read_csv(DATA / "published" / "rabiei2025_table4_station_textures.csv")
    rng = rng_of(seed, "sites")
    parts = []
    for name, number in (("SCAN", 137), ("USCRN", 59)):
        here = cover[cover["network"] == name]
        wanted = here.groupby(["layer_cm", "land_cover"])["n"].sum().groupby("land_cover").max()
        wanted["Grassland"] += number - wanted.sum()  # what Table A1 leaves out
        chosen = []
        for group, n in wanted.items():
            free = cells[(cells["group"] == group) & ~cells["taken"]]
            if len(free) < n:
                raise ValueError(f"the simulated continent has too few cells of {group}: {len(free)}, not {n}")
            chosen += rng.choice(free.index, n, replace=False).tolist()
            cells.loc[chosen, "taken"] = True
        part = cells.loc[sorted(chosen), ["lat", "lon", "group", "land_cover", "sandiness"]].assign(network=name)
        for k, layer in enumerate(LAYERS, 1):
            part[f"texture_{k}"] = _textures(part, here[here["layer_cm"] == layer],
                                             textures[(textures["network"] == name) & (textures["layer_cm"] == layer)])
        parts.append(part.set_index(pd.Index([f"{name}-{k:03d}" for k in range(1, number + 1)], name="site")))
    return pd.concat(parts)


def _candidates(seed):
    """Cells of the 9 km grid, one of nine, whatever the scale of the world."""
    grid = grids.ease(*CONUS_BOX, 9, every=3)
    inside = terrain.land_mask(grid.lat, grid.lon)
    lat, lon = grid.lat.ravel()[inside], grid.lon.ravel()[inside]
    ground = truth.ground(lat, lon, terrain.elevation(lat, lon, terrain.CONUS, seed), seed=seed)
    return pd.DataFrame({"lat": lat, "lon": lon, "land_cover": ground.land_cover, "taken": False,
                         "group": [land.COVERS[code - 1].group for code in ground.land_cover],
                         "sandiness": ground.texture["sand"][0] - ground.texture["clay"][0]})


def _textures(stations, cover, textures):
    """A texture class for each of `stations`, the sandier ones on the sandier ground of the same land cover."""
    slots = {kind: textures[textures["class"].str.lower() == kind] for kind in ("coarse", "medium", "fine")}
    slots = {kind: sum(([t] * n for t, n in zip(rows["texture"], rows["n"], strict=True)), [])
             for kind, rows in slots.items()}
    left = stations["group"].value_counts().to_dict()
    pairs = []
    for kind, names in slots.items():
        rows = cover[cover["texture_class"].str.lower() == kind]
        for group, n in zip(rows["land_cover"], rows["n"], strict=True):
            for _ in range(min(n, left[group], len(names))):
                pairs.append((group, names.pop(len(names) // 2)))
                left[group] -= 1
    rest = sum(([group] * n for group, n in left.items()), [])  # where the tables disagree
    pairs += zip(rest, sum(slots.values(), []), strict=True)
    found = pd.Series("", index=stations.index)
    for group in stations["group"].unique():
        order = stations.index[stations["group"] == group][
            np.argsort(-stations.loc[stations["group"] == group, "sandiness"].to_numpy(), kind="stable")]
        names = sorted((t for g, t in pairs if g == group), key=lambda t: MIDDLE[t][1] - MIDDLE[t][0])
        found[order] = names
    return found.to_numpy()


def conus_ground(sites, seed=0):
    """`truth.Ground` of the cells that `sites` stand in, and of the sites themselves, on soil of their own."""
    lat, lon = sites["lat"].to_numpy(), sites["lon"].to_numpy()
    cells = truth.ground(lat, lon, terrain.elevation(lat, lon, terrain.CONUS, seed), seed=seed)
    middles = [[MIDDLE[name] for name in sites[f"texture_{k}"]] for k in (1, 2, 3)]
    sand, clay = np.array(middles, float).transpose(2, 0, 1)
    soil = {"sand": sand, "clay": clay, "silt": 100 - sand - clay, "organic_matter": cells.texture["organic_matter"],
            "bulk_density": cells.texture["bulk_density"]}
    return cells, replace(cells, texture=soil)


def observed(ground, names, networks, time, seed=0, sensors=None):
    """What stations on `ground` report, and the truth there: two canonical datasets (site, depth, time)."""
    found = truth.simulate(ground, time, seed)
    moisture, temperature, ice = (found[key].transpose(2, 1, 0) for key in ("soil_moisture", "soil_temperature",
                                                                            "frozen_fraction"))
    saturation = ground.hydraulics.theta_saturation.T
    seen = np.empty_like(moisture)
    networks = np.asarray(networks)
    for kind in np.unique(networks):
        here = np.flatnonzero(networks == kind)
        seen[here] = network.measure(moisture[here], temperature[here], saturation[here], [names[k] for k in here],
                                     seed=seed, sensor=(sensors or {}).get(kind, network.Sensor()), ice=ice[here])
    extra = {"network": ("site", networks), "land_cover": ("site", [land.IGBP[c - 1] for c in ground.land_cover])}
    return tuple(station_dataset(names, ground.lat, ground.lon, time, found, values, temperature, DEPTHS_M, extra)
                 for values in (seen, moisture))


def station_dataset(names, lat, lon, time, weather, moisture, temperature, depths_m, extra=None):
    """Canonical dataset of stations: weather, dict of (time, site), moisture and temperature (site, depth, time)."""
    soils = ("site", "depth", "time")
    ds = xr.Dataset(
        {key: (("site", "time"), weather[key].T) for key in WEATHER}
        | {"soil_moisture": (soils, moisture), "soil_temperature": (soils, temperature)},
        {"site": list(names), "time": pd.DatetimeIndex(time), "depth": np.arange(1, len(depths_m) + 1),
         "lat": ("site", np.asarray(lat, float)), "lon": ("site", np.asarray(lon, float)),
         "depth_m": (("site", "depth"), np.tile(depths_m, (len(names), 1)))} | (extra or {}))
    return with_attributes(ds).assign_attrs(kind="simulated", source="twin")
