"""Blocks of the simulated worlds: maps and means by hand, what a radiometer may not see, parts that are the whole."""

import numpy as np
import pytest
import xarray as xr

from smlib.data import validate
from smlib.nature import blocks, grids, terrain, truth, worlds
from smlib.nature.blocks import Block, gridded

TIME = np.arange("2018-05-01", "2018-05-21", dtype="M8[D]")
BOX = (55.5, 56.5, 8.5, 9.5)


def small(elevation, spacing=0.05, time=TIME[:2]):
    """A block with the north-west corner at 50 N, 10 E."""
    elevation = np.asarray(elevation, np.float32)
    rows, columns = elevation.shape
    return Block(grids.regular(50 - spacing * rows, 50, 10, 10 + spacing * columns, spacing), elevation, time)


def test_a_mean_of_cells_is_that_over_land():
    nan = np.nan
    block = small([[1, 1, nan, 1], [1, 1, nan, nan], [nan, nan, 5, 6], [nan, nan, 7, 8]])
    grid, mean = block.coarse(2)
    np.testing.assert_allclose(grid.lat, [[49.95, 49.95], [49.85, 49.85]])
    np.testing.assert_allclose(grid.lon, [[10.05, 10.15], [10.05, 10.15]])
    values = np.array([1, 2, 10, 3, 6, 5, 6, 7, 8], np.float32)  # the land cells row by row
    by_hand = np.array([[(1 + 2 + 3 + 6) / 4, 10], [nan, 6.5]])
    np.testing.assert_allclose(mean(values), by_hand)
    series = np.stack([values, 2 * values])
    np.testing.assert_allclose(mean(series), [by_hand, 2 * by_hand])
    layers = np.stack([series, series + 1], 1)  # time, layer, cell
    np.testing.assert_allclose(mean(layers)[1, 1], 2 * by_hand + 1)
    assert mean(layers).dtype == np.float32 and mean(layers).shape == (2, 2, 2, 2)


@pytest.mark.parametrize(("times", "spacing"), [(2, 0.1), (5, 0.25)])
def test_coarse_cells_are_those_of_the_coarse_grid(times, spacing):
    fine, coarse = grids.regular(*BOX, 0.05), grids.regular(*BOX, spacing)
    grid, _ = Block(fine, np.ones(fine.shape, np.float32), TIME).coarse(times)
    np.testing.assert_allclose(grid.lat, coarse.lat)
    np.testing.assert_allclose(grid.lon, coarse.lon)


def test_values_of_cells_stand_where_the_cells_are():
    block = small([[1, np.nan], [2, 3], [np.nan, np.nan]])
    lat, lon, height = block.cells
    assert height.tolist() == [1, 2, 3] and lat.tolist() == pytest.approx([49.975, 49.925, 49.925])
    assert lon.tolist() == pytest.approx([10.025, 10.025, 10.075])
    ds = block.dataset({"precipitation": np.array([[1, 2, 3], [4, 5, 6]]), "elevation": height,
                        "soil_moisture": np.arange(18).reshape(2, 3, 3) / 100, "sand": np.full((3, 3), 40.0)})
    validate(ds)
    assert ds["soil_moisture"].dims == ("time", "layer", "y", "x") and ds["sand"].dims == ("layer", "y", "x")
    assert ds["elevation"].dims == ("y", "x") and ds.attrs["kind"] == "simulated"
    np.testing.assert_array_equal(ds["precipitation"][1], [[4, np.nan], [5, 6], [np.nan, np.nan]])
    np.testing.assert_allclose(ds["soil_moisture"][1, 2], [[0.15, np.nan], [0.16, 0.17], [np.nan, np.nan]])
    assert ds["top_m"].values.tolist() == [0, 0.1, 0.4] and ds["bottom_m"].values.tolist() == [0.1, 0.4, 1.0]
    below = block.part(slice(1, 3))
    assert below.land.sum() == 2 and below.grid.lat[0, 0] == block.grid.lat[1, 0] and below.time is block.time
    assert len(block.part(slice(0, 1), slice(1, 2), TIME[:1]).time) == 1


def test_maps_alone_have_no_time():
    ds = gridded({"elevation": np.ones((2, 2))}, grids.regular(0, 0.1, 0, 0.1, 0.05), TIME)
    assert set(ds.coords) == {"lat", "lon"} and validate(ds, needs=()) is ds


def test_a_radiometer_does_not_see_through_leaves_ice_and_snow():
    """A bare cell, one under dense vegetation, a frozen one and one under snow; for two months."""
    time, cells = np.arange("2018-05-01", "2018-07-01", dtype="M8[D]"), 4
    lat, lon = np.array([40.0, 40.1, 40.2, 40.3]), np.full(cells, -100.0)
    flat = np.ones((len(time), 1), np.float32)
    found = {"soil_moisture": flat * np.full(cells, 0.25, np.float32),
             "soil_temperature": flat * np.array([15, 15, -8, 15], np.float32),
             "vegetation_water_content": flat * np.array([1, 12, 1, 1], np.float32),
             "frozen_fraction": flat * np.array([0, 0, 0.5, 0], np.float32),
             "snow_water": flat * np.array([0, 0, 0, 20], np.float32)}
    parameters = {"clay": np.full(cells, 20.0)} | {name: np.full(cells, x) for name, x in (
        ("roughness", 0.15), ("b", 0.12), ("omega", 0.05))}
    groups = blocks.smap(time, lat, lon, found, parameters, 0)
    assert set(groups) == {"smap_am", "smap_pm"}
    for name, group in groups.items():
        seen = blocks.retrieval.overpass(time, lat, lon, name[-2:].upper())
        assert 0.2 < seen.mean() < 0.8
        assert set(group) == set(blocks.SMAP.values())
        for variable, values in group.items():
            assert np.isnan(values[~seen]).all(), (name, variable)
        for variable in ("brightness_temperature_h", "brightness_temperature_v", "vegetation_water_content"):
            np.testing.assert_array_equal(np.isfinite(group[variable]), seen)
        for variable in ("soil_moisture_dca", "soil_moisture_sca_h", "soil_moisture_sca_v"):
            assert np.isnan(group[variable][:, 1:]).all(), (name, variable)
            np.testing.assert_array_equal(np.isfinite(group[variable][:, 0]), seen[:, 0])
        assert np.isnan(group["vegetation_opacity"][:, 2:]).all()
    am, pm = (groups[name]["soil_moisture_dca"][:, 0] for name in ("smap_am", "smap_pm"))
    assert abs(np.nanmean(am) - np.nanmean(pm)) < 0.05 and not np.array_equal(am, pm, equal_nan=True)


@pytest.fixture(scope="module")
def denmark():
    """Surroundings of 1 by 1 degree with a lake of our own, some of whose coarse cells hold no land."""
    grid = grids.regular(*BOX, 0.05)
    block = worlds._block(grid, terrain.Relief(50, 30, 0, 170, box=BOX), TIME, 0)
    block.elevation[10:17, 3:12] = np.nan
    return block


MAKERS = {
    "conus": (blocks.conus, lambda: worlds._block(grids.ease(38, 47, -90, -80, 9, every=12), terrain.CONUS, TIME, 0),
              1),
    "qilian": (blocks.qilian, lambda: worlds._block(grids.regular(37, 39, 98, 100, 0.25), terrain.QILIAN, TIME, 0,
                                                    worlds.QILIAN_GROUND), 1),
    "nldas": (blocks.nldas, lambda: worlds._block(grids.regular(38, 47, -90, -80, 1.125), terrain.CONUS, TIME, 0), 1),
    "network": (blocks.network, None, 10),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_smaller_region_is_not_another_climate(name, denmark):
    """Some rows and columns of a block have what they have in the whole, to rounding."""
    make, of, unit = MAKERS[name]
    block = of() if of else denmark
    whole = make(block)
    rows, columns = (slice(2, 5), slice(1, 4)) if unit == 1 else (slice(10, 20), slice(0, 10))
    part = make(block.part(rows, columns))
    assert list(part) == list(whole)
    for group, ds in part.items():
        validate(ds, group, needs=())
        assert ds.attrs["kind"] == "simulated" and ds["time"].values.tolist() == whole[group]["time"].values.tolist()
        times = unit // (ds.sizes["y"] if unit > 1 else 1)
        same = whole[group].isel(y=slice(rows.start // times, rows.stop // times),
                                 x=slice(columns.start // times, columns.stop // times))
        xr.testing.assert_allclose(ds, same, rtol=2e-3, atol=2e-4)
        for variable in ds:
            assert np.isfinite(ds[variable]).any() or variable.startswith(("soil_moisture_", "vegetation_opacity"))


def test_groups_hold_the_variables_of_their_kind(denmark):
    found = blocks.network(denmark.part(slice(0, 10), slice(0, 10), TIME[:3]))
    assert set(found["truth"]) == blocks.TRUE and set(found) == {
        "truth", "lst", "et", "fvc", "smap_am", "smap_pm", "imerg", "ascat", "cci"}
    assert {name: ds.sizes["y"] for name, ds in found.items()} == {
        "truth": 10, "lst": 10, "et": 10, "fvc": 10, "smap_am": 5, "smap_pm": 5, "imerg": 5, "ascat": 5, "cci": 2}
    assert found["truth"]["soil_moisture"].sizes["layer"] == 3 and "layer" not in found["truth"]["frozen_fraction"].dims


def test_coarse_products_see_the_mean_of_the_land_below_them(denmark, monkeypatch):
    """With products that see what is there, the coarse groups are means of the fine truth."""
    monkeypatch.setattr(blocks.products, "esa_cci", lambda surface, lat, lon, frozen, seed: surface)
    monkeypatch.setattr(blocks.products, "imerg", lambda rain, lat, lon, seed: rain)
    monkeypatch.setattr(blocks.products, "ascat", lambda surface, wilting, saturation, *rest, seed: 100 * surface)
    found = blocks.network(denmark)
    true = found["truth"]
    surface = true["soil_moisture"].isel(layer=0).drop_vars(["layer", "top_m", "bottom_m"])
    for seen, fine, times in ((found["cci"]["soil_moisture"], surface, 5),
                              (found["imerg"]["precipitation"], true["precipitation"], 2),
                              (found["ascat"]["soil_saturation"] / 100, surface, 2)):
        mean = fine.coarsen(y=times, x=times).mean()
        assert bool(mean.isnull().any()) and bool(mean.notnull().any())
        xr.testing.assert_allclose(seen, mean, rtol=1e-4)


def test_the_surface_of_the_truth_is_its_upper_layer():
    block = small(np.full((2, 2), 300.0), time=TIME)
    found = truth.simulate(truth.ground(*block.cells), TIME)
    true = blocks.true_of(found)
    np.testing.assert_array_equal(true["soil_temperature"], found["soil_temperature"][:, 0])
    np.testing.assert_array_equal(true["fractional_vegetation_cover"], found["fractional_cover"])
    view = blocks.radiometer_view(found)
    np.testing.assert_array_equal(view["soil_moisture"], found["soil_moisture"][:, 0])
    np.testing.assert_array_equal(view["frozen_fraction"], found["frozen_fraction"][:, 0])
