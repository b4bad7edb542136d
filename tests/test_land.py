"""Soil texture, land cover, vegetation and roots."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from smlib import paths
from smlib.nature import grids, land, terrain

CONUS = grids.regular(25, 49.5, -125, -67, 0.5)
ON_LAND = terrain.land_mask(CONUS.lat, CONUS.lon)
LAT, LON = CONUS.lat.ravel()[ON_LAND], CONUS.lon.ravel()[ON_LAND]
BOUNDS = [0, 0.1, 0.4, 1.0]
CODE = {name: code for code, name in enumerate(land.TEXTURES)}
COVER = {name: code for code, name in enumerate(land.IGBP, 1)}


@pytest.mark.parametrize(("sand", "clay", "name"), [
    (88, 5, "Sand"), (80, 5, "Loamy Sand"), (65, 10, "Sandy Loam"), (40, 20, "Loam"), (20, 15, "Silt Loam"),
    (10, 5, "Silt"), (60, 25, "Sandy Clay Loam"), (30, 35, "Clay Loam"), (10, 35, "Silty Clay Loam"),
    (50, 40, "Sandy Clay"), (10, 45, "Silty Clay"), (25, 50, "Clay")])
def test_the_middle_of_every_class(sand, clay, name):
    """Saxton and Rawls (2006), Table 3, places every texture class at these percentages."""
    assert land.TEXTURES[land.usda_class(sand, clay)] == name


@pytest.mark.parametrize(("sand", "clay", "name"), [
    (100, 0, "Sand"), (0, 0, "Silt"), (0, 100, "Clay"), (52, 10, "Loam"), (53, 10, "Sandy Loam"), (45, 27, "Clay Loam"),
    (46, 27, "Sandy Clay Loam"), (8, 12, "Silt Loam"), (8, 11.9, "Silt"), (20, 39, "Silty Clay Loam"),
    (20, 40, "Silty Clay"), (45, 40, "Clay"), (46, 40, "Sandy Clay")])
def test_boundaries_between_classes(sand, clay, name):
    assert land.TEXTURES[land.usda_class(sand, clay)] == name


def test_the_triangle_has_no_holes():
    sand, clay = (x.ravel() for x in np.meshgrid(np.linspace(0, 100, 201), np.linspace(0, 100, 201)))
    inside = sand + clay <= 100
    assert set(land.usda_class(sand[inside], clay[inside])) == set(range(12))
    with pytest.raises(ValueError, match="percent"):
        land.usda_class(60, 50)


def test_groups_are_the_published_ones():
    with open(paths.DATA / "published" / "rabiei2025_table4_station_textures.csv") as file:
        published = {row["texture"]: row["class"] for row in csv.DictReader(file)}
    assert set(published) == set(land.TEXTURES)
    for name, group in published.items():
        assert land.GROUPS[land.texture_group(CODE[name])] == group


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_soils_of_a_continent(seed):
    soil = land.soil_texture(LAT, LON, BOUNDS, seed)
    assert all(value.shape == (3, len(LAT)) and value.dtype == np.float32 for value in soil.values())
    np.testing.assert_allclose(soil["sand"] + soil["silt"] + soil["clay"], 100, rtol=1e-5)
    assert min(soil[name].min() for name in ("sand", "silt", "clay", "organic_matter")) > 0
    classes = land.usda_class(soil["sand"], soil["clay"])
    assert set(classes.ravel()) == set(range(12))
    assert max(np.bincount(classes[0])) < 0.4 * len(LAT)
    shares = np.bincount(land.texture_group(classes[0])) / len(LAT)
    assert 0.2 < shares[0] < 0.5 and 0.45 < shares[1] < 0.7 and 0.02 < shares[2] < 0.15
    assert 1.1 < soil["bulk_density"].mean() < 1.5 and soil["bulk_density"].max() < 1.85


def test_contrast_is_how_much_places_differ():
    whole, less, none = (land.soil_texture(LAT, LON, BOUNDS, contrast=c) for c in (1.0, 0.3, 0.0))
    for name, x in land.soil_texture(LAT, LON, BOUNDS).items():
        np.testing.assert_array_equal(x, whole[name])
        np.testing.assert_allclose(none[name], np.repeat(none[name][:, :1], len(LAT), 1), rtol=1e-6)
    np.testing.assert_allclose(less["sand"] + less["silt"] + less["clay"], 100, rtol=1e-5)
    for name in ("sand", "clay", "organic_matter"):
        assert 0.1 < less[name].std(1).max() / whole[name].std(1).max() < 0.45, name
        assert np.corrcoef(less[name][0], whole[name][0])[0, 1] > 0.9
    assert (np.diff(none["clay"], axis=0) > 0).all()  # the change with depth stays


def test_clay_and_density_rise_with_depth_and_organic_matter_falls():
    soil = land.soil_texture(LAT, LON, BOUNDS)
    assert (np.diff(soil["clay"].mean(1)) > 1).all()
    assert (np.diff(soil["bulk_density"], axis=0) > -0.05).all() and (np.diff(soil["organic_matter"], axis=0) < 0).all()
    assert np.std(soil["clay"][2] - soil["clay"][0]) > 1


def test_texture_is_smooth_and_a_part_is_the_same_to_the_bit():
    whole = land.soil_texture(LAT, LON, BOUNDS, 5)
    part = land.soil_texture(LAT[300:400], LON[300:400], BOUNDS, 5)
    near = land.soil_texture(LAT, LON + 0.05, BOUNDS, 5)
    far = land.soil_texture(LAT, LON + 30, BOUNDS, 5)
    for name, value in whole.items():
        np.testing.assert_array_equal(part[name], value[:, 300:400])
    assert np.corrcoef(whole["sand"][0], near["sand"][0])[0, 1] > 0.9
    assert abs(np.corrcoef(whole["sand"][0], far["sand"][0])[0, 1]) < 0.2


def test_layers_that_are_none_are_refused():
    for bounds in ([0.1], [0, 0.2, 0.1], [-0.1, 0.2], [[0, 1]]):
        with pytest.raises(ValueError, match="bounds_m"):
            land.soil_texture([40], [-100], bounds)
        with pytest.raises(ValueError, match="bounds_m"):
            land.root_fraction([10], bounds)


def cover_of(temperature, rain, elevation=200.0):
    """Shares of the classes where the climate is the same in many places."""
    climate = SimpleNamespace(temperature_mean=np.full(len(LAT), temperature), temperature_std=np.full(len(LAT), 8.0),
                              precipitation_mean=np.full(len(LAT), rain))
    found = land.land_cover(LAT, LON, np.full(len(LAT), elevation), 0, climate)
    return np.bincount(found, minlength=18) / len(LAT)


def test_land_cover_follows_the_climate():
    desert, forest, ice = cover_of(18, 0.2), cover_of(8, 3.5), cover_of(-22, 1)
    assert desert[COVER["Barren"]] + desert[COVER["Open Shrubland"]] > 0.8
    assert forest[1:6].sum() > 0.5 and forest[COVER["Barren"]] == 0
    assert ice[COVER["Snow and Ice"]] > 0.8
    steppe = cover_of(6, 0.9)
    assert steppe[COVER["Grassland"]] == steppe.max()
    assert cover_of(3, 2, 5000)[1:6].sum() < 0.01 < cover_of(3, 2, 1000)[1:6].sum()


def test_land_cover_of_a_continent_without_a_climate():
    elevation = terrain.elevation(LAT, LON, terrain.CONUS)
    found = land.land_cover(LAT, LON, elevation)
    shares = np.bincount(found, minlength=18) / len(LAT)
    assert (shares > 0.005).sum() >= 9 and shares.max() < 0.5
    assert shares[COVER["Water"]] == 0 and found.min() >= 1
    part = land.land_cover(LAT[100:150], LON[100:150], elevation[100:150])
    np.testing.assert_array_equal(part, found[100:150])
    assert land.land_cover([40.0], [-100.0], [np.nan])[0] == COVER["Water"]


def test_vegetation_has_seasons():
    codes = np.arange(1, 18)
    days = np.arange(1, 366)
    north = land.vegetation(codes, np.full(17, 45.0), np.full(17, 300.0), days)
    south = land.vegetation(codes, np.full(17, -45.0), np.full(17, 300.0), days)
    assert all(value.shape == (365, 17) and value.dtype == np.float32 for value in north.values())
    assert all((value >= 0).all() for value in north.values()) and (north["fractional_cover"] < 1).all()
    green = np.array([cover.lai_high > cover.lai_low for cover in land.COVERS])
    assert (np.abs(days[north["lai"].argmax(0)][green] - 205) < 3).all()
    assert (np.abs(days[south["lai"].argmax(0)][green] - 22) < 3).all()
    low, high = (np.array([getattr(cover, name) for cover in land.COVERS]) for name in ("lai_low", "lai_high"))
    np.testing.assert_allclose(north["lai"].max(0), high, rtol=1e-3)
    np.testing.assert_allclose(north["lai"].min(0), low, rtol=1e-3, atol=1e-3)
    bare = [COVER["Snow and Ice"] - 1, COVER["Water"] - 1]
    assert (north["vegetation_water_content"][:, bare] == 0).all()
    assert north["lai"].std(0)[0] > 5 * land.vegetation([1], [1.0], [100.0], days)["lai"].std()


def test_water_of_the_vegetation():
    """Forests hold too much for a radiometer (over 5 kg m-2), crops and grass do not, and lose theirs in winter."""
    names = ("Evergreen Needleleaf Forest", "Deciduous Broadleaf Forest", "Cropland", "Grassland", "Barren")
    codes = [COVER[name] for name in names]
    january, july = land.vegetation(codes, np.full(5, 42.0), np.zeros(5), [20, 200])["vegetation_water_content"]
    assert (july[:2] > 9).all() and (july[2:] < 5).all() and july[4] < 0.1
    assert january[1] > 0.7 * july[1] and january[2] < 0.35 * july[2]


def test_cold_places_have_a_short_season():
    days = np.arange(1, 366)
    lai = land.vegetation([10, 10], [38.0, 38.0], [500.0, 4000.0], days)["lai"]
    above_half = (lai > (lai.max(0) + lai.min(0)) / 2).sum(0)
    assert above_half[1] < 0.8 * above_half[0] and lai[:, 1].max() < lai[:, 0].max()
    np.testing.assert_allclose(land.vegetation([10], [38.0], [500.0], days, vigour=0.5)["lai"][:, 0], lai[:, 0] / 2)


def test_roots_sum_to_one_and_follow_jackson():
    codes = np.arange(1, 18)
    found = land.root_fraction(codes, [0, 0.3, 1, 30])
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-6)
    # Jackson et al. (1996), Table 1: the share of the roots in the upper 30 cm.
    printed = {"Grassland": 0.83, "Cropland": 0.70, "Evergreen Needleleaf Forest": 0.52, "Permanent Wetland": 0.93,
               "Deciduous Broadleaf Forest": 0.65, "Savanna": 0.57, "Evergreen Broadleaf Forest": 0.69}
    for name, share in printed.items():
        np.testing.assert_allclose(found[0, COVER[name] - 1], share, atol=0.011)
    shallow = land.root_fraction([10], BOUNDS)
    assert shallow.shape == (3, 1) and abs(shallow.sum() - 1) < 1e-6
