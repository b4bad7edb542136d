"""Elevation, what follows from it, and the land mask."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import skew

from smlib.nature import grids, terrain

QILIAN = grids.regular(36, 40, 93.4, 103.8, 0.1)
RADIUS = 6.371e6


def plane(size=21, spacing=0.01, lat0=0.0):
    """Axes in degrees and metres, around a point near which the Earth is flat."""
    lat = lat0 + spacing * (np.arange(size)[::-1] - size // 2)
    lon = 100 + spacing * (np.arange(size) - size // 2)
    north = RADIUS * np.radians(lat - lat0)[:, None] * np.ones(size)
    east = RADIUS * np.radians(lon - 100) * np.cos(np.radians(lat))[:, None]
    return lat, lon, north, east


@pytest.mark.parametrize("seed", [0, 1])
def test_elevation_is_as_described(seed):
    for relief, grid in ((terrain.QILIAN, QILIAN), (terrain.CONUS, grids.regular(25, 49.5, -125, -67, 0.75))):
        found = terrain.elevation(grid.lat, grid.lon, relief, seed)[terrain.land_mask(grid.lat, grid.lon)]
        assert found.dtype == np.float32
        assert found.min() >= relief.low_m and found.max() <= relief.high_m
        np.testing.assert_allclose(found.mean(), relief.mean_m, rtol=0.1)
        np.testing.assert_allclose(found.std(), relief.std_m, rtol=0.1)


def test_conus_is_high_in_the_west():
    grid = grids.regular(30, 45, -120, -80, 1)
    for seed in range(3):
        found = terrain.elevation(grid.lat, grid.lon, terrain.CONUS, seed).reshape(grid.shape)
        assert found[:, grid.lon[0] < -104].mean() > 1.5 * found[:, grid.lon[0] > -98].mean()


def test_a_part_of_a_region_is_the_same_to_the_bit():
    whole = terrain.elevation(QILIAN.lat, QILIAN.lon, terrain.QILIAN, 3).reshape(QILIAN.shape)
    part = terrain.elevation(QILIAN.lat[7:29, 50:90], QILIAN.lon[7:29, 50:90], terrain.QILIAN, 3)
    np.testing.assert_array_equal(part, whole[7:29, 50:90].ravel())
    other = terrain.elevation(QILIAN.lat, QILIAN.lon, terrain.QILIAN, 4)
    assert abs(np.corrcoef(whole.ravel(), other)[0, 1]) < 0.9


def test_summits_are_sharper_than_valleys():
    """Ridges are where the slope changes at once: curvature is skewed to the convex."""
    lat, lon = np.meshgrid(np.arange(39, 37.5, -0.02), np.arange(95, 98, 0.02), indexing="ij")
    found = terrain.elevation(lat, lon, terrain.QILIAN, 0).reshape(lat.shape)
    assert skew(terrain.derivatives(found, lat, lon)["curvature"], None) > 0.5


def test_impossible_reliefs_are_refused():
    for wrong in (replace(terrain.QILIAN, mean_m=6000), replace(terrain.QILIAN, std_m=4000),
                  replace(terrain.QILIAN, box=(10, 20, -150, -140))):
        with pytest.raises(ValueError, match="relief"):
            terrain.elevation([38], [98], wrong)


@pytest.mark.parametrize(("north_rise", "east_rise", "aspect"), [
    (0.1, 0, 180), (-0.1, 0, 0), (0, 0.1, 270), (0, -0.1, 90), (-0.1, -0.1, 45)])
@pytest.mark.parametrize("flip", [False, True])
def test_slope_and_aspect_of_a_tilted_plane(north_rise, east_rise, aspect, flip):
    lat, lon, north, east = plane(lat0=0.0)
    height = 1000 + north_rise * north + east_rise * east
    if flip:  # from south to north
        lat, height = lat[::-1], height[::-1]
    found = terrain.derivatives(height, lat, lon)
    slope = np.degrees(np.arctan(np.hypot(north_rise, east_rise)))
    np.testing.assert_allclose(found["slope"], slope, rtol=1e-4)
    np.testing.assert_allclose((found["aspect"] - aspect + 180) % 360 - 180, 0, atol=0.1)
    np.testing.assert_allclose(found["curvature"], 0, atol=1e-7)


def test_metres_are_those_of_the_latitude():
    lat, lon, _, east = plane(lat0=60)
    found = terrain.derivatives(0.1 * east[10] * np.ones((21, 1)), lat, lon)
    np.testing.assert_allclose(np.tan(np.radians(found["slope"][10])), 0.1, rtol=1e-5)


def test_curvature_of_a_dome_and_a_level_ground():
    lat, lon, north, east = plane()
    found = terrain.derivatives(-1e-5 * (north**2 + east**2), lat, lon)
    np.testing.assert_allclose(found["curvature"][2:-2, 2:-2], 4e-5, rtol=1e-3)
    level = terrain.derivatives(np.full((5, 6), 7.0), np.arange(5.0), np.arange(6.0))
    assert (level["slope"] == 0).all() and np.isnan(level["aspect"]).all()


def test_water_gathers_in_a_valley_and_none_is_lost():
    lat, lon, north, east = plane(lat0=40)
    valley = 500 + 0.05 * np.abs(east) + 0.01 * north  # falls to its middle column and to the south
    flow = terrain.derivatives(valley, lat, lon)["flow_accumulation"]
    area = flow.min()
    np.testing.assert_allclose(area, 0.01**2 * np.radians(1) ** 2 * 6371**2 * np.cos(np.radians(40)), rtol=0.01)
    assert flow[-1, 10] == flow.max() > 100 * area
    assert (np.diff(flow[:, 10]) > 0).all()
    pit = valley.copy()
    pit[8:12, 10] -= 50  # a lake basin, which overflows
    assert terrain.derivatives(pit, lat, lon)["flow_accumulation"].max() > 100 * area


def test_the_outlets_drain_the_whole_map():
    lat, lon, north, east = plane(lat0=40)
    rng = np.random.default_rng(0)
    island = 1000 - 0.02 * np.hypot(north, east) + rng.normal(0, 20, north.shape)
    island[np.hypot(north, east) > 9000] = np.nan
    found = terrain.derivatives(island, lat, lon)
    flow, land = found["flow_accumulation"], np.isfinite(island)
    assert all((np.isfinite(found[name]) == land).all() for name in found)
    cells = flow[land] / flow[land].min()
    inner = land[1:-1, 1:-1] & land[2:, 1:-1] & land[:-2, 1:-1] & land[1:-1, 2:] & land[1:-1, :-2]
    inner &= land[2:, 2:] & land[:-2, :-2] & land[2:, :-2] & land[:-2, 2:]
    coast = land.copy()
    coast[1:-1, 1:-1] &= ~inner
    # Water can run on along the coast, so what leaves it is at least the whole, and less than all paths together.
    assert flow[coast].sum() / flow[land].min() > 0.99 * land.sum()
    assert 1 <= cells.min() and cells.max() < 1.01 * land.sum()


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="does not fit"):
        terrain.derivatives(np.zeros((3, 4)), np.arange(4), np.arange(3))
    with pytest.raises(ValueError, match="parallels"):
        terrain.derivatives(np.zeros((3, 4)), np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(3, 4))
    with pytest.raises(ValueError, match="NaN"):
        terrain.derivatives(np.full((3, 4), np.nan), np.arange(3), np.arange(4))


def test_land_mask_knows_places():
    land = {"Denver": (39.74, -104.99), "Qilian": (38.2, 100.2), "Hyytiala": (61.85, 24.29), "Yanco": (-34.85, 146.1)}
    water = {"Lake Superior": (47.7, -87.5), "Qinghai Lake": (36.9, 100.2), "Gulf": (27, -90), "Pacific": (40, -126)}
    assert terrain.land_mask(*np.transpose(list(land.values()))).all()
    assert not terrain.land_mask(*np.transpose(list(water.values()))).any()
    lat, lon = np.array([39.74, 27.0]), np.array([-104.99, -90.0])
    np.testing.assert_array_equal(terrain.land_mask(lat, lon + 360), terrain.land_mask(lat, lon))


def test_fields_have_unit_variance_and_are_independent():
    lat, lon = np.meshgrid(np.linspace(-60, 60, 40), np.linspace(-180, 180, 60), indexing="ij")
    found = terrain.fields(lat, lon, 300, np.random.default_rng(0), 3)
    np.testing.assert_allclose(found.std(0), 1, atol=0.15)
    np.testing.assert_allclose(np.corrcoef(found.T) - np.eye(3), 0, atol=0.12)
