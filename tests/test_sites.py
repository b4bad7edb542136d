"""Stations in the simulated worlds: as many of each kind as published, in cells of the 9 km grid, on their own soil."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from smlib.data import validate
from smlib.nature import grids, land, sites, terrain, truth
from smlib.nature.network import EXACT
from smlib.paths import DATA

NUMBERS = {"SCAN": 137, "USCRN": 59}
COVER = pd.read_csv(DATA / "published" / "rabiei2025_tableA1_station_land_cover.csv")
TEXTURES = pd.read_csv(DATA / "published" / "rabiei2025_table4_station_textures.csv")
KIND = {name: kind.lower() for name, kind in zip(TEXTURES["texture"], TEXTURES["class"], strict=True)}
TIME = np.arange("2019-03-01", "2019-11-01", dtype="M8[D]")
table_of = cache(sites.conus_sites)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_there_are_as_many_stations_of_every_kind_as_published(seed):
    table = table_of(seed)
    assert table.index.is_unique and table["network"].value_counts().to_dict() == NUMBERS
    for network, number in NUMBERS.items():
        here = table[table["network"] == network]
        for k, layer in enumerate(sites.LAYERS, 1):
            printed = TEXTURES[(TEXTURES["network"] == network) & (TEXTURES["layer_cm"] == layer)]
            found = here[f"texture_{k}"].value_counts()
            assert {name: found.get(name, 0) for name in land.TEXTURES} == dict(
                zip(printed["texture"], printed["n"], strict=True))

            # Table A1 leaves out one station of SCAN in every layer, and of USCRN in all but the deepest.
            a1 = COVER[(COVER["network"] == network) & (COVER["layer_cm"] == layer)]
            groups, wanted = here["group"].value_counts(), a1.groupby("land_cover")["n"].sum()
            assert set(groups.index) == set(wanted.index)
            more = {name: groups[name] - n for name, n in wanted.items() if groups[name] != n}
            assert more == ({"Grassland": 1} if network == "SCAN" else
                                      {} if layer == "40-100" else {"Shrublands": 1})
            # Land cover and texture go together as printed, but for what the two tables' totals leave no choice.
            pairs = here.groupby(["group", here[f"texture_{k}"].map(KIND)]).size()
            cells = a1.set_index(["land_cover", "texture_class"])["n"]
            off = sum(abs(pairs.get(key, 0) - n) for key, n in cells.items())
            totals = here[f"texture_{k}"].map(KIND).value_counts()
            least = sum(abs(totals.get(kind, 0) - n) for kind, n in a1.groupby("texture_class")["n"].sum().items())
            assert off == least and least <= 9
        assert len(here) == number


@pytest.mark.parametrize("seed", [0, 2])
def test_stations_stand_in_cells_of_the_full_grid_with_their_land_cover(seed):
    table = table_of(seed)
    grid = grids.ease(*sites.CONUS_BOX, 9)
    assert np.isin(table["lat"], grid.lat[:, 0]).all() and np.isin(table["lon"], grid.lon[0]).all()
    assert not table.duplicated(["lat", "lon"]).any() and terrain.land_mask(table["lat"], table["lon"]).all()
    cells, own = sites.conus_ground(table, seed)
    for ground in (cells, own):
        assert [land.COVERS[code - 1].group for code in ground.land_cover] == table["group"].tolist()
        np.testing.assert_array_equal(ground.land_cover, table["land_cover"])
    # The soil is the station's, not the cell's, and all else is the cell's.
    for k in range(3):
        names = [land.TEXTURES[code] for code in land.usda_class(own.texture["sand"][k], own.texture["clay"][k])]
        assert names == table[f"texture_{k + 1}"].tolist()
    np.testing.assert_allclose(sum(own.texture[name] for name in ("sand", "silt", "clay")), 100)
    np.testing.assert_array_equal(own.texture["organic_matter"], cells.texture["organic_matter"])
    assert own.climate is cells.climate
    again = truth.ground(cells.lat, cells.lon, cells.elevation, seed=seed)
    np.testing.assert_array_equal(again.texture["sand"], cells.texture["sand"])


def test_the_sandier_soil_is_where_the_cell_is_sandier():
    sandy = {name: sand - clay for name, (sand, clay) in sites.MIDDLE.items()}
    for _, group in table_of(0).groupby(["network", "group"]):
        for k in (1, 2, 3):
            own = group.sort_values("sandiness")[f"texture_{k}"].map(sandy)
            assert own.is_monotonic_increasing


def test_a_seed_decides_where_the_stations_are():
    pd.testing.assert_frame_equal(sites.conus_sites(1), table_of(1))
    both = pd.merge(table_of(0), table_of(1), on=["lat", "lon"])
    assert len(both) < 20


def test_a_continent_without_wetlands_is_refused(monkeypatch):
    groups = np.repeat(["Cropland", "Forest", "Grassland", "Savannas", "Shrublands"], 100)
    cells = pd.DataFrame({"lat": 40.0, "lon": -100.0, "land_cover": 10, "taken": False, "group": groups})
    monkeypatch.setattr(sites, "_candidates", lambda seed: cells)
    with pytest.raises(ValueError, match="too few cells of Permanent wetland: 0, not 26"):
        sites.conus_sites(0)


@pytest.fixture(scope="module")
def some():
    """Ten stations of each network: their ground, names and networks."""
    table = table_of(0).groupby("network").head(10)
    return sites.conus_ground(table)[1], table.index.tolist(), table["network"].tolist()


def test_stations_report_and_the_truth_behind_is_that_of_their_ground(some):
    ground, names, networks = some
    reported, true = sites.observed(ground, names, networks, TIME, 0, sites.SENSORS)
    for ds in (reported, true):
        assert validate(ds).attrs["kind"] == "simulated" and ds["site"].values.tolist() == names
        assert ds["network"].values.tolist() == networks and ds["soil_moisture"].dims == ("site", "depth", "time")
        np.testing.assert_array_equal(ds["depth_m"], [sites.DEPTHS_M] * 20)
        assert set(ds["land_cover"].values) <= set(land.IGBP)
        np.testing.assert_array_equal(ds["lat"], ground.lat)
    found = truth.simulate(ground, TIME)
    np.testing.assert_array_equal(true["soil_moisture"], found["soil_moisture"].transpose(2, 1, 0))
    np.testing.assert_array_equal(true["precipitation"], found["precipitation"].T)
    edges = np.array(truth.BOUNDS_M)
    np.testing.assert_allclose(sites.DEPTHS_M, (edges[1:] + edges[:-1]) / 2)
    wrong = (reported - true)["soil_moisture"].std("time").mean("depth")
    by_network = wrong.groupby("network").mean()
    assert 0.02 < by_network.sel(network="USCRN") < by_network.sel(network="SCAN") < 0.06
    assert reported["soil_moisture"].where(true["soil_temperature"] <= 0).isnull().all()


def test_without_errors_the_truth_is_reported_and_a_station_has_its_own_errors_in_any_company(some):
    ground, names, networks = some
    exact, true = sites.observed(ground, names, networks, TIME, 0, dict.fromkeys(NUMBERS, EXACT))
    seen = exact["soil_moisture"].where(true["soil_temperature"] > 0)
    np.testing.assert_allclose(seen, true["soil_moisture"].where(true["soil_temperature"] > 0), atol=1e-6)
    whole, _ = sites.observed(ground, names, networks, TIME, 0, sites.SENSORS)
    few = np.array([3, 12])
    part, _ = sites.observed(ground[few], [names[k] for k in few], [networks[k] for k in few], TIME, 0, sites.SENSORS)
    for name in part:
        np.testing.assert_allclose(part[name], whole[name].isel(site=few), rtol=1e-4, atol=1e-5, err_msg=name)
    default, _ = sites.observed(ground[few], ["a", "b"], ["other"] * 2, TIME)
    assert default["soil_moisture"].notnull().any() and set(default["network"].values) == {"other"}
