"""The simulated ground: soil texture by depth, land cover, and vegetation with its roots and its seasons.

A cell is any point. Land cover is a code 1 to 17 of the International Geosphere-Biosphere Programme (IGBP), with the
name ``IGBP[code - 1]``; a texture is a code 0 to 11 of a class of the USDA triangle, with the name ``TEXTURES[code]``.
"""

from typing import NamedTuple

import numpy as np

from smlib.nature.fields import rng_of
from smlib.nature.terrain import fields

TEXTURES = ("Sand", "Loamy Sand", "Sandy Loam", "Loam", "Silt Loam", "Silt", "Sandy Clay Loam", "Clay Loam",
            "Silty Clay Loam", "Sandy Clay", "Silty Clay", "Clay")
GROUPS = ("Coarse", "Medium", "Fine")


class Cover(NamedTuple):
    """What is typical of a land-cover class.

    Leaf area index (m2 m-2) at its least and most in the middle latitudes, about as MODIS's climatology has it; stem
    factor (kg m-2) of the vegetation water content (SMAP's ancillary data report on it, Chan et al. 2013); beta of the
    root profile (Jackson et al. 1996, of the nearest biome; mixed forest between the conifers' and the broadleaved
    trees'); then where it grows: yearly temperature (degC) and logarithm of precipitation over potential
    evapotranspiration, each with its tolerance, and the logarithm of its abundance. `group` is the class's name in
    Rabiei et al. (2025, Table A1), where it has one.
    """

    name: str
    group: str
    lai_low: float
    lai_high: float
    stem: float
    root_beta: float
    temperature: float
    temperature_width: float
    wetness: float
    wetness_width: float
    abundance: float


COVERS = (
    Cover("Evergreen Needleleaf Forest", "Forest", 1.8, 3.5, 15.96, 0.976, 3, 5, 0.6, 0.6, 0.2),
    Cover("Evergreen Broadleaf Forest", "Forest", 4.0, 5.5, 19.15, 0.962, 25, 4, 0.6, 0.6, 0.0),
    Cover("Deciduous Needleleaf Forest", "Forest", 0.4, 3.5, 7.98, 0.943, -6, 4, 0.2, 0.5, -0.8),
    Cover("Deciduous Broadleaf Forest", "Forest", 0.8, 5.0, 12.77, 0.966, 12, 5, 0.5, 0.5, 0.0),
    Cover("Mixed Forest", "Forest", 1.2, 4.5, 12.77, 0.971, 7, 4, 0.7, 0.5, -0.3),
    Cover("Closed Shrubland", "Shrublands", 0.6, 1.5, 3.00, 0.964, 15, 6, -0.6, 0.4, -1.5),
    Cover("Open Shrubland", "Shrublands", 0.2, 0.6, 1.50, 0.975, 14, 8, -1.3, 0.5, 0.2),
    Cover("Woody Savanna", "Savannas", 0.9, 2.6, 4.00, 0.972, 17, 6, 0.2, 0.5, -0.3),
    Cover("Savanna", "Savannas", 0.6, 2.0, 3.00, 0.972, 21, 6, -0.1, 0.5, -0.3),
    Cover("Grassland", "Grassland", 0.3, 1.8, 1.50, 0.943, 5, 9, -0.6, 0.8, 0.5),
    Cover("Permanent Wetland", "Permanent wetland", 0.5, 2.2, 4.00, 0.914, 8, 12, 0.8, 0.5, -2.4),
    Cover("Cropland", "Cropland", 0.3, 3.2, 3.50, 0.961, 11, 5, 0.0, 0.6, 0.3),
    Cover("Urban and Built-up", "Urban", 0.4, 1.4, 6.49, 0.943, 13, 8, 0.2, 1.0, -3.0),
    Cover("Cropland/Natural Vegetation Mosaic", "Cropland", 0.6, 2.8, 3.25, 0.961, 14, 5, 0.3, 0.5, -0.6),
    Cover("Snow and Ice", "Snow and Ice", 0.0, 0.0, 0.0, 0.914, -17, 3, 1.0, 1.5, -0.5),
    Cover("Barren", "Barren", 0.02, 0.1, 0.0, 0.975, 8, 12, -2.4, 0.6, 0.0),
    Cover("Water", "Water", 0.0, 0.0, 0.0, 0.914, 0, 1, 0.0, 1.0, -np.inf),
)
IGBP = tuple(cover.name for cover in COVERS)
ROOTS = tuple(cover.root_beta for cover in COVERS)
WATER = 17
_TREES = np.array([cover.group == "Forest" for cover in COVERS])
_CROPS = np.array([cover.group == "Cropland" for cover in COVERS])
_GREEN_ALONE = np.array([cover.group in ("Cropland", "Grassland") for cover in COVERS])


def soil_texture(lat, lon, bounds_m, seed=0, contrast=1.0):
    """Mineral fractions, density and organic matter of the soil by depth.

    The log-ratios sand:silt and clay:silt are two correlated fields with parts of 220, 60 and 12 km range, so that
    every class of the triangle occurs on a continent; clay rises with depth, by a factor that varies with place.

    Parameters
    ----------
    lat, lon : any shape, degrees; flattened
    bounds_m : (layer + 1,), depths of the layers' edges, m
    seed : int
    contrast : float
        Factor on how much places differ: 1 on a continent, less in a region of one parent material.

    Returns
    -------
    dict of (layer, cell) float32
        sand, silt, clay (percent of the mineral soil, 100 together), organic_matter (percent by weight), bulk_density
        (g cm-3: organic and mineral volumes added, Adams 1973).
    """
    depth = _depths(bounds_m)[:, None]
    rng = rng_of(seed, "texture")
    a, b, rise, organic = sum(np.sqrt(share) * fields(lat, lon, range_km, rng, 4, count=200)
                              for share, range_km in ((0.55, 220), (0.30, 60), (0.15, 12))).T * np.float32(contrast)
    # Skewed and heavy in the tails, as of the soils that are nearly all sand, silt or clay.
    sand_silt = 0.15 + 1.25 * (a + 0.08 * a**3) / 1.25
    clay_silt = -0.95 + 0.9 * ((0.35 * a + 0.94 * b) + 0.06 * b**3) / 1.18
    clay_silt = clay_silt + (0.7 + 0.2 * rise) * depth / (depth + 0.3)
    sand_silt = np.broadcast_to(sand_silt, clay_silt.shape)
    parts = np.exp(np.stack([sand_silt, np.zeros_like(clay_silt), clay_silt]))
    sand, silt, clay = 100 * parts / parts.sum(0)
    organic_matter = np.clip(0.2 + 2.6 * np.exp(0.5 * organic - depth / 0.3), 0.1, 15)
    mineral_density = 1.30 + 0.0035 * sand + 0.12 * depth / (depth + 0.5)
    density = 100 / (organic_matter / 0.244 + (100 - organic_matter) / mineral_density)
    found = {"sand": sand, "silt": silt, "clay": clay, "organic_matter": organic_matter, "bulk_density": density}
    return {name: value.astype(np.float32) for name, value in found.items()}


def usda_class(sand, clay):
    """Code 0 to 11 of the class in the USDA triangle (Soil Survey Manual 2017, Chap. 3), any shape; percent."""
    sand, clay = np.asarray(sand, float), np.asarray(clay, float)
    silt = 100 - sand - clay
    if np.any((sand < 0) | (clay < 0) | (silt < -1e-3)):
        raise ValueError("sand, clay: percent, neither below 0 nor above 100 together")
    rules = (
        silt + 1.5 * clay < 15,
        silt + 2 * clay < 30,
        ((clay < 20) & (sand > 52)) | ((clay < 7) & (silt < 50)),
        (clay >= 7) & (clay < 27) & (silt >= 28) & (silt < 50) & (sand <= 52),
        (silt >= 50) & (clay < 27) & ((silt < 80) | (clay >= 12)),
        (silt >= 80) & (clay < 12),
        (clay >= 20) & (clay < 35) & (silt < 28) & (sand > 45),
        (clay >= 27) & (clay < 40) & (sand > 20) & (sand <= 45),
        (clay >= 27) & (clay < 40) & (sand <= 20),
        (clay >= 35) & (sand > 45),
        (clay >= 40) & (silt >= 40),
        clay >= 40,
    )
    return np.select(rules, range(12), -1)  # the rules are in the order of TEXTURES, and the first that holds counts


def texture_group(texture):
    """Code 0 to 2 in GROUPS of texture codes, as Rabiei et al. (2025, Table 4) put the classes together."""
    return np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2])[texture]


def land_cover(lat, lon, elevation, seed=0, climate=None):
    """IGBP code (cell,) of the class that suits a place's climate best, with patches of others where they nearly do.

    Parameters
    ----------
    lat, lon, elevation : any shape, degrees and m; NaN elevation is water
    seed : int
    climate : has arrays precipitation_mean (mm d-1) and temperature_mean (degC), and may have temperature_std, (cell,)
        smlib.nature.weather.Climate; without it, a rough one from latitude, elevation and a field of its own.
    """
    lat, lon, elevation = (np.ravel(x).astype(float) for x in (lat, lon, elevation))
    rng = rng_of(seed, "land cover")
    if climate is None:
        temperature = 28 - 36 * np.sin(np.radians(lat)) ** 2 - 0.0065 * np.nan_to_num(elevation)
        spread = 0.2 * np.abs(lat)
        rain = 2 * np.exp(0.7 * fields(lat, lon, 400, rng_of(seed, "aridity"), 1)[:, 0])
    else:
        temperature, rain = np.ravel(climate.temperature_mean), np.ravel(climate.precipitation_mean)
        spread = getattr(climate, "temperature_std", None)
        spread = 0.2 * np.abs(lat) if spread is None else np.ravel(spread)
    wetness = np.log(np.maximum(rain, 0.01) / _potential_evapotranspiration(temperature, spread))
    wetness = np.clip(wetness, -3, 1)  # beyond, more or less water changes nothing
    table = np.array([cover[6:] for cover in COVERS], float)[..., None]
    warm, warm_width, wet, wet_width, abundance = table.swapaxes(0, 1)
    score = abundance - ((temperature - warm) / warm_width) ** 2 / 2 - ((wetness - wet) / wet_width) ** 2 / 2
    score += (0.9 * fields(lat, lon, 60, rng, len(COVERS)) + 0.6 * fields(lat, lon, 12, rng, len(COVERS))).T
    # No trees above the tree line, which falls with latitude, and few fields above the villages.
    tree_line = 4000 - 95 * np.maximum(np.abs(lat) - 30, 0)
    score -= _TREES[:, None] * np.maximum(elevation - tree_line, 0) / 150
    score -= _CROPS[:, None] * np.maximum(elevation - 2500, 0) / 300
    return np.where(np.isnan(elevation), WATER, 1 + np.argmax(np.nan_to_num(score, nan=-np.inf), 0)).astype(np.int8)


def vegetation(land_cover, lat, elevation, doy, vigour=1.0):
    """Seasonal course of the vegetation of each class.

    The leaf area swings as a power of a cosine between the class's bounds: the colder the place, the shorter the season
    and the fewer the leaves. It peaks in July, in January south of the equator, and hardly swings in the tropics.

    Parameters
    ----------
    land_cover, lat, elevation : (cell,), IGBP code, degrees and m
    doy : (time,), day of the year
    vigour : float or (cell,)
        Factor on the leaf area, for what a place's own dryness or management does.

    Returns
    -------
    dict of (time, cell) float32
        lai (m2 m-2); fractional_cover (0 to 1), 1 - exp(-0.5 lai); vegetation_water_content (kg m-2), from the NDVI
        that this cover means (0.1 bare to 0.86 full) by SMAP's polynomial and stem factors (Chan et al. 2013): of trees
        and shrubs the stems stay all year, of grass and crops they come and go with the leaves.
    """
    kind = np.asarray(land_cover) - 1
    lat, elevation = np.asarray(lat, float), np.nan_to_num(np.asarray(elevation, float))
    low, high, stem = np.array([(cover.lai_low, cover.lai_high, cover.stem) for cover in COVERS])[kind].T
    warmth = 28 - 36 * np.sin(np.radians(lat)) ** 2 - 0.0065 * elevation
    season = np.clip((15 - warmth) / 20, 0, 1)
    vigour = vigour * (1 - 0.5 * np.clip((-warmth - 2) / 12, 0, 1))
    swing = np.clip(np.abs(lat) / 25, 0, 1) * np.sign(lat)
    phase = np.cos(2 * np.pi * (np.asarray(doy, float)[:, None] - 205) / 365.25)
    leaves = (0.5 + 0.5 * swing * phase) ** (1 + 1.5 * season)
    lai = vigour * (low + (high - low) * leaves)
    most = vigour * (low + (high - low) * (0.5 + 0.5 * np.abs(swing)) ** (1 + 1.5 * season))
    now, peak = (0.1 + 0.76 * (1 - np.exp(-0.5 * x)) for x in (lai, most))
    peak = np.where(_GREEN_ALONE[kind], now, peak)
    water = np.maximum(1.9134 * now**2 - 0.3215 * now, 0) + stem * (peak - 0.1) / 0.9
    water = np.where(high > 0, water, 0)
    found = {"lai": lai, "fractional_cover": 1 - np.exp(-0.5 * lai), "vegetation_water_content": water}
    return {name: value.astype(np.float32) for name, value in found.items()}


def root_fraction(land_cover, bounds_m):
    """Share of the roots in each layer (layer, cell), 1 together: 1 - beta^depth in cm (Jackson et al. 1996)."""
    _depths(bounds_m)
    root_beta = np.array(ROOTS)[np.asarray(land_cover) - 1]
    above = 1 - root_beta ** (100 * np.asarray(bounds_m, float)[:, None])
    return (np.diff(above, axis=0) / (above[-1] - above[0])).astype(np.float32)


def _depths(bounds_m):
    """Centres (layer,) of layers, m."""
    bounds = np.asarray(bounds_m, float)
    if bounds.ndim != 1 or len(bounds) < 2 or bounds[0] < 0 or np.any(np.diff(bounds) <= 0):
        raise ValueError("bounds_m: at least two depths that increase, from 0 or deeper")
    return (bounds[:-1] + bounds[1:]) / 2


def _potential_evapotranspiration(mean, std):
    """Potential evapotranspiration in mm d-1 from the warmth of the year (Holdridge 1959): 58.93 mm a year and degree.

    The warmth is the mean of the temperatures of a sinusoidal year, those below 0 degC taken as 0, above 30 as 30 (some
    take the latter as 0).
    """
    phases = 2 * np.pi * (np.arange(12) + 0.5) / 12
    months = mean + np.sqrt(2) * std * np.cos(phases)[:, None]
    return 58.93 / 365.25 * np.maximum(np.clip(months, 0, 30).mean(0), 1)
