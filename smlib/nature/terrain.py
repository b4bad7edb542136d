"""Terrain of a simulated region: elevation with ridges and valleys, what follows from it, and the real land mask."""

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from scipy.ndimage import distance_transform_edt
from scipy.stats import beta, norm

from smlib import paths
from smlib.nature.fields import EARTH_KM, Waves, rng_of

BLOCK = 1024  # points whose waves are in memory at once
OCTAVES = ((100, 0.50), (50, 0.45), (25, 0.40), (12, 0.34), (6, 0.27), (3, 0.20))  # range in km, amplitude


@dataclass(frozen=True)
class Relief:
    """Elevations of a region, which are spread between `low_m` and `high_m` as a beta distribution.

    Attributes
    ----------
    mean_m, std_m, low_m, high_m : float, metres
        What the land of the `box` has, about: a realisation misses the first two by some per cent.
    box : south, north, west, east, degrees
        The region that has these elevations. Outside it the terrain goes on.
    ridges : float
        Share of the variance of the ridges, 0 to 1; the rest is the smooth regional level, without `trend`.
    trend : float
        Weight of a smooth step from high in the west to low in the east, in standard deviations of the rest.
    step_lon, step_width : float, degrees
        Where the step is, and its width.
    """

    mean_m: float
    std_m: float
    low_m: float
    high_m: float
    box: tuple[float, float, float, float]
    ridges: float = 0.5
    trend: float = 0.0
    step_lon: float = 0.0
    step_width: float = 5.0


QILIAN = Relief(mean_m=3400, std_m=750, low_m=1900, high_m=5600, box=(36.0, 40.0, 93.4, 103.8), ridges=0.75)
CONUS = Relief(mean_m=800, std_m=750, low_m=0, high_m=3600, box=(25.0, 49.5, -125.0, -67.0), ridges=0.25, trend=1.8,
               step_lon=-102.0, step_width=5.0)


def fields(lat, lon, range_km, rng, columns, count=150, smoothness=np.inf):
    """Uncorrelated fields (cell, column) of zero mean and unit variance that share their waves, fewer than `count`."""
    lat, lon = np.ravel(lat), np.ravel(lon)
    waves = Waves.draw(range_km, count, rng, smoothness)
    # Orthogonal, as few random amplitudes are by chance correlated.
    amplitudes = (np.sqrt(count) * np.linalg.qr(rng.standard_normal((count, columns)))[0]).astype(np.float32)
    found = np.empty((len(lat), columns), np.float32)
    for k in range(0, len(lat), BLOCK):
        part = slice(k, k + BLOCK)
        # Products of one shape, whatever is asked for: with others the last bits could differ.
        padded = (np.resize(x[part], BLOCK) for x in (lat, lon))
        found[part] = (waves.at(*padded) @ amplitudes)[:len(lat[part])]
    return found


def elevation(lat, lon, relief, seed=0):
    """Elevation (cell,) in m of a smooth regional level and of ridges some 300 km to 10 km apart.

    The ridges are a ridged multifractal (Musgrave, in Ebert et al. 2003, Chap. 16): every octave is ``1 - |field|``,
    and is the stronger, the higher the coarser octaves make a place, so that valleys are smooth and summits are sharp.

    Parameters
    ----------
    lat, lon : any shape, degrees; flattened
    relief : Relief
    seed : int
    """
    south, north, west, east = relief.box
    # The mean and the spread are those of a fixed lattice, so that they do not depend on the cells that are asked for.
    lattice = np.meshgrid(np.linspace(south, north, 41), np.linspace(west, east, 81), indexing="ij")
    inside = land_mask(*lattice)
    if not inside.any():
        raise ValueError(f"relief: its box {relief.box} holds no land")
    reference = _shape(*(x.ravel()[inside] for x in lattice), relief, seed)
    score = (_shape(lat, lon, relief, seed) - reference.mean()) / reference.std()
    span = relief.high_m - relief.low_m
    mean, variance = (relief.mean_m - relief.low_m) / span, (relief.std_m / span) ** 2
    a = mean * (mean * (1 - mean) / variance - 1)
    if not (0 < mean < 1 and a > 0):
        raise ValueError("relief: mean_m must lie between low_m and high_m, and std_m be less than they allow")
    at = np.linspace(-5, 5, 2001)  # beta's quantiles are slow: one table for all cells
    quantiles = beta.ppf(norm.cdf(at), a, a * (1 - mean) / mean)
    return (relief.low_m + span * np.interp(score, at, quantiles)).astype(np.float32)


def derivatives(elevation, lat, lon):
    """What water and light see of an elevation map on a grid whose lines are parallels and meridians.

    Parameters
    ----------
    elevation : (y, x), m; NaN where there is no land
    lat, lon : (y, x), or (y,) and (x,), degrees, in any order of rows

    Returns
    -------
    dict of (y, x) float32, NaN where `elevation` is
        slope (degrees), aspect (degrees clockwise from north, where the ground falls to; NaN on level ground),
        curvature (m-1, minus the Laplacian: positive on ridges) and flow_accumulation (km2 upstream, cell included).
        Slopes are those between neighbouring cells. The accumulation follows the steepest of eight neighbours (D8) over
        filled depressions (Wang and Liu 2006, in pyflwdir) and leaves at the edge of the land and of the map, so that
        it alone depends on how much of the world the map shows.
    """
    elevation = np.asarray(elevation, float)
    lat, lon = _axes(lat, lon, elevation.shape)
    land = np.isfinite(elevation)
    if not land.any():
        raise ValueError("elevation: every cell is NaN")
    filled = elevation[tuple(distance_transform_edt(~land, return_distances=False, return_indices=True))]
    radius = 1000 * EARTH_KM
    y, x, cos = radius * np.radians(lat), radius * np.radians(lon), np.cos(np.radians(lat))[:, None]
    north, east = np.gradient(filled, y, axis=0), np.gradient(filled, x, axis=1) / cos
    curvature = -(np.gradient(north, y, axis=0) + np.gradient(east, x, axis=1) / cos)
    steepness = np.hypot(north, east)
    steepness[steepness < 1e-9] = 0  # level, but for rounding
    aspect = np.degrees(np.arctan2(-east, -north)) % 360
    found = {"slope": np.degrees(np.arctan(steepness)), "aspect": np.where(steepness > 0, aspect, np.nan),
             "curvature": curvature, "flow_accumulation": _upstream_area(elevation, land, lat, lon)}
    return {name: np.where(land, value, np.nan).astype(np.float32) for name, value in found.items()}


def land_mask(lat, lon):
    """Whether points in degrees are on land and not in a lake, (cell,) bool: Natural Earth at 1:50 million."""
    lat, lon = np.ravel(lat).astype(float), (np.ravel(lon).astype(float) + 180) % 360 - 180
    on_land = shapely.contains_xy(_polygons("ne_50m_land"), lon, lat)
    on_land[on_land] = ~shapely.contains_xy(_polygons("ne_50m_lakes"), lon[on_land], lat[on_land])
    return on_land


def _shape(lat, lon, relief, seed):
    """The terrain (cell,) before it is stretched to metres."""
    level = fields(lat, lon, 250, rng_of(seed, "elevation"), 1, count=200)[:, 0]
    step = relief.trend * 0.5 * (1 - np.tanh((np.ravel(lon) - relief.step_lon) / relief.step_width))
    # Mountains stand where the ground is high: the plains below are smoother.
    rugged = 0.25 + 0.75 / (1 + np.exp(-2 * (level + 2 * step - relief.trend)))
    ridges, weight = 0.0, 1.0
    for range_km, amplitude in OCTAVES:
        octave = 1 - np.abs(fields(lat, lon, range_km, rng_of(seed, "ridges", range_km), 1)[:, 0])
        ridges = ridges + amplitude * weight * octave
        weight = np.clip(0.6 + 0.6 * octave, 0.3, 1) * weight
    return np.sqrt(1 - relief.ridges) * level + step + 1.8 * np.sqrt(relief.ridges) * rugged * ridges


def _axes(lat, lon, shape):
    """Latitude (y,) and unwrapped longitude (x,) of a grid."""
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    rows, columns = (lat, lon) if lat.ndim == 1 else (lat[:, 0], lon[0])
    if lat.ndim == 2 and not (np.allclose(lat, rows[:, None], atol=1e-9) and np.allclose(lon, columns, atol=1e-9)):
        raise ValueError("lat, lon: the lines of the grid must be parallels and meridians")
    if (len(rows), len(columns)) != shape or min(shape) < 2:
        raise ValueError(f"elevation: {shape} does not fit {len(rows)} rows and {len(columns)} columns of at least 2")
    return rows, np.unwrap(columns, period=360)


def _upstream_area(elevation, land, lat, lon):
    """Area (y, x) in km2 that drains through each cell."""
    import pyflwdir  # its import takes seconds, which only this needs

    height, width = (np.abs(np.gradient(np.radians(axis))) for axis in (lat, lon))
    area = EARTH_KM**2 * np.outer(height * np.cos(np.radians(lat)), width)
    flow = pyflwdir.from_dem(np.where(land, elevation, -9999.0), nodata=-9999.0)
    return flow.accuflux(np.where(land, area, -9999.0), nodata=-9999.0)


@cache
def _polygons(layer):
    """A layer of Natural Earth as one geometry, prepared for many points."""
    with open(paths.DATA / "natural_earth" / f"{layer}.geojson", encoding="utf-8") as file:
        parts = json.load(file)["geometries"]
    found = shapely.multipolygons(shapely.get_parts(shapely.from_geojson([json.dumps(part) for part in parts])))
    shapely.prepare(found)
    return found
