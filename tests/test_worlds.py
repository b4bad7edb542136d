"""The simulated worlds on disk: made once and safely, read lazily, canonical, and one world at every scale."""

import hashlib
import json
import threading
import time as clock
from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray as xr

from smlib import nature, paths
from smlib.data import validate
from smlib.nature import blocks, grids, sites, store, terrain, truth, worlds

NETWORKS = dict(worlds.NETWORKS)
SOME = ("CTP-SMTMN", "OZNET")  # two networks, on either side of the equator, stand for the four
GROUPS = {
    "stations": {"reported", "truth"},
    "qilian": {"statics", "truth", "smhires"},
    "conus": {"statics", "solus", "truth", "smap_am", "smap_pm", "imerg", "modis", "nldas", "stations/reported",
              "stations/truth", "matched/smap_am", "matched/smap_pm", "matched/nldas"},
    "networks": {f"{network}/{group}" for network in SOME for group in (
        "statics", "truth", "lst", "et", "fvc", "imerg", "ascat", "smap_am", "smap_pm", "cci", "model",
        "stations/reported", "stations/truth")},
}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke scale of a world, made when it is first asked for."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = worlds.world(name, "smoke")
        return made[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "LOCAL", tmp_path_factory.mktemp("a place") / "local")
        patch.setattr(worlds, "NETWORKS", {name: NETWORKS[name] for name in SOME})
        yield of


def datasets(tree):
    return {node.path.strip("/"): node.to_dataset() for node in tree.subtree if node.has_data}


@pytest.mark.parametrize("name", worlds.NAMES)
def test_a_world_is_a_tree_of_canonical_datasets_that_are_not_read_yet(smoke, name):
    found = datasets(smoke(name))
    assert set(found) == GROUPS[name]
    for group, ds in found.items():
        assert ds.attrs["kind"] == "simulated", group
        for variable, da in ds.data_vars.items():
            assert isinstance(da.data, dask.array.Array) and da.dtype == np.float32, (group, variable)
            assert bool(da.notnull().any()), (group, variable)
        validate(ds, group, needs=("soil_moisture",) if "soil_moisture" in ds else ())


@pytest.mark.parametrize("name", ["qilian", "conus", "networks"])
def test_a_world_has_the_days_of_its_years(smoke, name):
    first, last = worlds.YEARS[name]["smoke"]
    for group, ds in datasets(smoke(name)).items():
        if "time" in ds.dims:
            assert ds["time"].values[[0, -1]].astype("M8[D]").tolist() == [
                np.datetime64(f"{first}-01-01").item(), np.datetime64(f"{last}-12-31").item()], group
        else:
            assert group.endswith(("statics", "solus"))


def test_full_grids_are_as_large_as_said():
    assert grids.regular(36.0, 39.95, 93.4, 103.75, 0.05).shape == (79, 207)


@pytest.mark.parametrize("network", NETWORKS)
def test_surroundings_of_networks_have_their_relief_and_room_for_their_stations(network):
    box, relief, number = NETWORKS[network]
    assert all(edge % 0.5 == 0 for edge in box) and box[0] < box[1] and box[2] < box[3]
    block = worlds._block(grids.regular(*box, 0.05), terrain.Relief(*relief, box=box), np.array(["2016-01-01"]), 0)
    mean, spread, low, high = relief
    height = block.elevation[block.land]
    assert len(height) > 5 * number and block.land[:10, -10:].any()  # the smoke scale is the north-east
    assert low <= height.min() and height.max() <= high and height.mean() == pytest.approx(mean, abs=spread)


def cells_of(ds, count):
    """Row and column of some land cells of a group, spread over it."""
    rows, columns = np.nonzero(ds["air_temperature"].isel(time=0).notnull().values)
    pick = np.linspace(0, len(rows) - 1, count).astype(int)
    return rows[pick], columns[pick]


@pytest.mark.parametrize(("name", "full", "relief", "ground"), [
    ("conus", grids.ease(*sites.CONUS_BOX, 9), terrain.CONUS, {}),
    ("qilian", grids.regular(36.0, 39.95, 93.4, 103.75, 0.05), terrain.QILIAN, worlds.QILIAN_GROUND)])
def test_a_coarser_scale_shows_cells_of_the_full_grid(smoke, name, full, relief, ground):
    """Cells of the smoke scale are made anew, as the full scale would, from the full grid's places."""
    ds = smoke(name)["truth"].to_dataset()
    rows, columns = cells_of(ds, 6)
    at = [np.abs(full.lat[:, 0] - lat).argmin() for lat in ds["lat"].values[rows]]
    across = [np.abs(full.lon[0] - lon).argmin() for lon in ds["lon"].values[columns]]
    lat, lon = full.lat[at, 0], full.lon[0, across]
    np.testing.assert_allclose(lat, ds["lat"].values[rows], atol=1e-9)
    np.testing.assert_allclose(lon, ds["lon"].values[columns], atol=1e-9)
    cells = truth.ground(lat, lon, terrain.elevation(lat, lon, relief), **ground)
    found = truth.simulate(cells, ds["time"].values)
    for variable in ("soil_moisture", "precipitation", "air_temperature", "evapotranspiration"):
        stored = np.stack([ds[variable].values[..., y, x] for y, x in zip(rows, columns, strict=True)], -1)
        np.testing.assert_allclose(stored, found[variable], rtol=1e-4, atol=1e-5, err_msg=variable)
    maps = smoke(name)["statics"].to_dataset()
    np.testing.assert_allclose(maps["porosity"].values[:, rows, columns], cells.hydraulics.theta_saturation, rtol=1e-5)
    np.testing.assert_array_equal(maps["land_cover"].values[rows, columns], cells.land_cover)


def test_every_scale_takes_cells_of_the_full_one():
    full = grids.ease(*sites.CONUS_BOX, 9)
    for scale, every in worlds.EVERY["conus"].items():
        grid = grids.ease(*sites.CONUS_BOX, 9, every=every)
        assert np.isin(grid.lat, full.lat).all() and np.isin(grid.lon, full.lon).all(), scale
    for name, whole in (("qilian", grids.regular(36.0, 39.95, 93.4, 103.75, 0.05)),
                        ("nldas", grids.regular(*sites.CONUS_BOX, 0.125))):
        for scale, every in worlds.EVERY[name].items():
            grid = worlds._thinned(whole, every)
            assert np.isin(grid.lat, whole.lat).all() and np.isin(grid.lon, whole.lon).all(), scale
            assert grid.lat[0, 0] == whole.lat[every // 2, 0] and len(grid.lat) == -(-(len(whole.lat) - every // 2)
                                                                                     // every)


def test_what_is_stored_of_a_block_is_what_its_maker_makes(smoke):
    tree = smoke("qilian")
    ds = tree["truth"].to_dataset()
    grid = worlds._thinned(grids.regular(36.0, 39.95, 93.4, 103.75, 0.05), worlds.EVERY["qilian"]["smoke"])
    np.testing.assert_array_equal(grid.lat[:, 0], ds["lat"])
    block = blocks.Block(grid, tree["statics"]["elevation"].values, ds["time"].values, 0, worlds.QILIAN_GROUND)
    for group, made in blocks.qilian(block).items():
        for variable, da in made.items():
            np.testing.assert_allclose(tree[group][variable], store.rounded(da.values), rtol=1e-4, atol=1e-6,
                                       err_msg=variable)


def test_ice_and_places_outside_the_region_are_not_simulated(smoke):
    tree = smoke("qilian")
    cover = tree["statics"]["land_cover"]
    assert 0.2 < float(cover.notnull().mean()) < 0.9
    for world, path in (("qilian", "statics"), ("conus", "statics"), ("networks", "CTP-SMTMN/statics")):
        assert not np.isin(smoke(world)[path]["land_cover"].values, (15, 17)).any()
    here = cover.notnull().values
    np.testing.assert_array_equal(tree["truth"]["soil_moisture"].isel(time=0, layer=0).notnull().values, here)
    np.testing.assert_array_equal(tree["smhires"]["soil_moisture"].isel(time=-1).notnull().values, here)


def test_stations_of_conus_are_matched_with_the_cells_they_stand_in(smoke):
    tree = smoke("conus")
    reported, model = tree["stations/reported"].to_dataset(), tree["matched/nldas"].to_dataset()
    assert reported.sizes["site"] == 196 and set(reported["network"].values) == {"SCAN", "USCRN"}
    for group in ("stations/truth", "matched/smap_am", "matched/smap_pm", "matched/nldas"):
        for name in ("site", "lat", "lon", "network", "texture_1", "cover_group"):
            np.testing.assert_array_equal(tree[group][name], reported[name])
    few = np.array([5, 60, 150])
    lat, lon = reported["lat"].values[few], reported["lon"].values[few]
    time = reported["time"].values

    grid = grids.regular(*sites.CONUS_BOX, 0.125)  # the land model's cell around the station
    at = [np.abs(grid.lat[:, 0] - y).argmin() for y in lat], [np.abs(grid.lon[0] - x).argmin() for x in lon]
    near = grid.lat[at[0], 0], grid.lon[0, at[1]]
    found = truth.land_model(*near, terrain.elevation(*near, terrain.CONUS), time)["soil_moisture"]
    np.testing.assert_allclose(model["soil_moisture"].values[few], found.transpose(2, 1, 0), rtol=1e-3, atol=1e-4)

    cells = truth.ground(lat, lon, terrain.elevation(lat, lon, terrain.CONUS))  # SMAP's cell around it
    seen = blocks.smap(time, lat, lon, blocks.radiometer_view(truth.simulate(cells, time)),
                       blocks.smap_parameters(cells), 0)
    for name, group in seen.items():
        for variable, values in group.items():
            np.testing.assert_allclose(tree[f"matched/{name}"][variable].values[few], values.T, rtol=2e-3, atol=2e-4)
    # The truth at a station is on soil of its own, under the weather of the cell.
    own = tree["stations/truth"]
    weather = truth.simulate(cells, time)
    np.testing.assert_allclose(own["precipitation"].values[few], weather["precipitation"].T, rtol=1e-4, atol=1e-5)
    assert np.abs(own["soil_moisture"].values[few] - weather["soil_moisture"].transpose(2, 1, 0)).mean() > 0.005


@pytest.mark.parametrize("network", SOME)
def test_stations_of_networks_stand_in_cells_of_the_truth(smoke, network):
    tree = smoke("networks")[network]
    stations, cells = tree["stations/truth"].to_dataset(), tree["truth"].to_dataset()
    y, x = (xr.DataArray([np.flatnonzero(cells[name] == value)[0] for value in stations[name].values], dims="site")
            for name in ("lat", "lon"))
    at = cells.isel(y=y, x=x)
    for variable, layer in (("soil_moisture", "depth"), ("precipitation", None)):
        mine = at[variable].transpose("site", *(("layer",) if layer else ()), "time")
        np.testing.assert_allclose(stations[variable], mine, rtol=1e-4, atol=1e-5)
    assert stations["network"].values.tolist() == [network] * stations.sizes["site"]
    south, north, west, east = NETWORKS[network][0]
    for group in ("truth", "ascat", "cci", "smap_am"):
        ds = tree[group]
        assert (ds["lat"] > south).all() and (ds["lat"] < north).all()
        assert (ds["lon"] > west).all() and (ds["lon"] < east).all()


def test_satellites_see_the_ground_that_is_there(smoke):
    """Retrievals, reflectance, temperature and rain follow the truth of their own cell, more than of another."""
    tree = smoke("conus")
    true = tree["truth"].to_dataset().load()
    surface = true["soil_moisture"].isel(layer=0)
    for seen, of, least in ((tree["smap_am"]["soil_moisture_dca"], surface, 0.5), (tree["modis"]["swir_transform"],
                            surface, 0.3), (tree["imerg"]["precipitation"], true["precipitation"], 0.7),
                            (tree["modis"]["land_surface_temperature"], true["air_temperature"], 0.8)):
        each = xr.corr(seen.load(), of, "time")
        assert float(each.median()) > least
    seen = tree["smap_am"]["soil_moisture_dca"]
    assert float(seen.where(true["snow_water"] > 1.1).count()) == 0
    assert float(seen.where(true["frozen_fraction"] > 0.11).count()) == 0


# The cache, with a maker that takes no time.

@pytest.fixture
def calls(tmp_path, monkeypatch):
    """What the makers were called with; they write one small group."""
    made = []

    def make(name):
        def maker(target, scale, time, seed):
            made.append((name, scale, None if time is None else time[[0, -1]].astype(str).tolist(), seed))
            ds = xr.Dataset({"precipitation": (("time", "y", "x"), np.full((2, 2, 2), seed, np.float32))})
            store.write_group(target, "truth", ds)
        return maker

    monkeypatch.setattr(paths, "LOCAL", tmp_path / "a place" / "local")
    for name in worlds.NAMES:
        monkeypatch.setattr(worlds, f"_{name}", make(name))
    return made


def folders():
    return sorted(path for path in (paths.LOCAL / "worlds").iterdir() if path.is_dir())


def test_a_world_is_made_once(calls):
    first, second = worlds.world("qilian"), worlds.world("qilian", "quick", years=(2017, 2021), seed=0)
    assert calls == [("qilian", "quick", ["2017-01-01", "2021-12-31"], 0)]
    xr.testing.assert_equal(first["truth"].to_dataset(), second["truth"].to_dataset())
    assert isinstance(second["truth"]["precipitation"].data, dask.array.Array)
    folder, = folders()
    assert folder.name.startswith("qilian-quick-")
    plan = json.loads((folder / "plan.json").read_text())
    assert plan == {"name": "qilian", "scale": "quick", "years": [2017, 2021], "seed": 0, "code": worlds.code_hash()}


def test_whatever_decides_a_world_has_a_folder_of_its_own(calls, monkeypatch):
    worlds.world("conus", "smoke")
    for change in ({"seed": 1}, {"years": (2018, 2019)}, {"scale": "quick"}, {"name": "qilian"}):
        before = len(folders())
        worlds.world(**{"name": "conus", "scale": "smoke"} | change)
        assert len(folders()) == before + 1, change
    assert [call[3] for call in calls] == [0, 1, 0, 0, 0]
    assert calls[2][2] == ["2018-01-01", "2019-12-31"]
    monkeypatch.setattr(worlds, "code_hash", lambda: "other")
    worlds.world("conus", "smoke")
    assert len(folders()) == 6 == len(calls)
    assert float(worlds.world("conus", "smoke", seed=3)["truth"]["precipitation"].max()) == 3
    worlds.world("stations")
    assert calls[-1] == ("stations", "quick", None, 0)


def test_code_tables_and_versions_are_in_the_hash(tmp_path, monkeypatch):
    of = worlds._code_hash.__wrapped__
    published, schema = tmp_path / "data" / "published", tmp_path / "smlib" / "data" / "schema.py"
    for folder in (published, schema.parent):
        folder.mkdir(parents=True)
    schema.write_text("UNITS = 1")
    (published / "table.csv").write_text("a,b")
    for name, value in (("ROOT", tmp_path), ("DATA", tmp_path / "data")):
        monkeypatch.setattr(paths, name, value)
    seen = [of("1.0"), of("1.1")]
    for file in (published / "table.csv", schema):
        file.write_text(file.read_text() + "2")
        seen.append(of("1.0"))
    monkeypatch.setattr(worlds, "CODE", "of other modules")
    seen.append(of("1.0"))
    assert len(set(seen)) == 5 and of("1.0") == seen[-1]


def test_the_code_of_the_world_is_all_its_modules():
    files = sorted(Path(nature.__file__).parent.glob("*.py"))
    content = b"".join(file.name.encode() + file.read_bytes() for file in files)
    assert len(files) > 15 and hashlib.sha256(content).hexdigest() == nature.CODE


def test_a_failure_half_way_leaves_nothing_that_looks_finished(calls, monkeypatch):
    good = worlds._qilian

    def breaks(target, scale, time, seed):
        good(target, scale, time, seed)
        raise OSError("disk full")

    monkeypatch.setattr(worlds, "_qilian", breaks)
    with pytest.raises(OSError, match="disk full"):
        worlds.world("qilian", "smoke")
    assert folders() == []
    monkeypatch.setattr(worlds, "_qilian", good)
    assert "truth" in worlds.world("qilian", "smoke").children and len(folders()) == 1 and len(calls) == 2


def test_what_a_killed_process_left_is_no_world(calls):
    worlds.world("qilian", "smoke")
    folder, = folders()
    (folder / "plan.json").unlink()  # as if the rest of it came without the last file
    (folder / "world.zarr" / "truth" / "zarr.json").unlink()
    assert "truth" in worlds.world("qilian", "smoke").children
    assert len(calls) == 2 and (folder / "plan.json").exists() and folders() == [folder]


def test_two_that_ask_at_once_make_it_once(calls, monkeypatch):
    good = worlds._qilian

    def slow(*args):
        clock.sleep(0.3)
        good(*args)

    monkeypatch.setattr(worlds, "_qilian", slow)
    found = []
    threads = [threading.Thread(target=lambda: found.append(worlds.world("qilian", "smoke"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and len(calls) == 1


@pytest.mark.parametrize(("arguments", "message"), [
    (("atlantis",), "no world 'atlantis'; there are stations, qilian, conus, networks"),
    (("conus", "huge"), "no scale 'huge'; there are smoke, quick, full"),
    (("conus", "smoke", (2020, 2018)), r"years must be \(first, last\)"),
    (("conus", "smoke", (2020,)), r"years must be \(first, last\)"),
    (("conus", "smoke", (1066, 2018)), "between 1950 and 2100"),
    (("stations", "smoke", (2018, 2019)), "years cannot be chosen"),
])
def test_what_there_is_not_is_named(calls, arguments, message):
    with pytest.raises(ValueError, match=message):
        worlds.world(*arguments)
    assert not calls and not paths.LOCAL.exists()
