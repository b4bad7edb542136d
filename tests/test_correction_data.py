"""Grids, stations and days that meet, by cases worked by hand; and a folder of one's own and its errors."""

import shutil

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
import yaml
from rasterio.transform import from_origin

from smlib.correction import data, summary
from smlib.correction.data import AUXILIARIES, PRODUCTS, Matched, Points, open_network
from smlib.correction.folder import COVARIATES, check_cadence
from smlib.correction.matching import Axes, axes_of, cell_means, daily_from_composites, linked, oriented, station_means
from smlib.data.schema import DataError

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own


def axes(north, south, west, east, step):
    n, m = round((north - south) / step), round((east - west) / step)
    return Axes(north - step * (np.arange(n) + 0.5), west + step * (np.arange(m) + 0.5))


# --- Means over cells


def test_nested_cells_are_means_of_the_cells_inside():
    fine, coarse = axes(0.2, -0.2, 0, 0.4, 0.1), axes(0.2, -0.2, 0, 0.4, 0.2)
    values = np.random.default_rng(0).normal(size=(3, 4, 4))
    expected = values.reshape(3, 2, 2, 2, 2).mean((2, 4)).reshape(3, 4).T
    np.testing.assert_allclose(cell_means(values, fine, coarse), expected, atol=1e-5)  # at the equator: equal areas


def test_cells_that_straddle_an_edge_count_by_their_part_inside():
    # Two cells of 0.25 degree over five of 0.1: each holds two and a half of them along a row.
    fine, coarse = axes(0.25, -0.25, 0, 0.5, 0.1), axes(0.25, -0.25, 0, 0.5, 0.25)
    values = np.broadcast_to(np.array([1.0, 2, 4, 8, 16]), (1, 5, 5))
    west, east = (1 + 2 + 4 / 2) / 2.5, (4 / 2 + 8 + 16) / 2.5
    np.testing.assert_allclose(cell_means(values, fine, coarse)[:, 0], [west, east, west, east], rtol=1e-6)


def test_area_shrinks_towards_the_pole():
    values = np.array([[[1.0], [0.0]]])  # north, south; one column
    rows = Axes(np.array([85.0, 75.0]), np.array([0.0]))
    north, whole = np.sin(np.deg2rad(90)) - np.sin(np.deg2rad(80)), np.sin(np.deg2rad(90)) - np.sin(np.deg2rad(70))
    found = cell_means(np.repeat(values, 2, 2), Axes(rows.lat, np.array([-5.0, 5.0])),
                       Axes(np.array([80.0, 60.0]), np.array([0.0, 20.0])), share=0.1)
    assert found[0, 0] == pytest.approx(north / whole, rel=1e-6)


def test_a_mean_needs_half_of_the_land_and_land_half_of_the_cell():
    fine, coarse = axes(0.2, -0.2, 0, 0.4, 0.1), axes(0.2, -0.2, 0, 0.4, 0.2)
    values = np.ones((2, 4, 4))
    values[:, 0, :2] = np.nan  # the first cell is half water
    values[1, 1, 0] = np.nan  # half of its land is missing on the second day
    values[:, 0, 2:] = values[:, 1, 2] = np.nan  # the second cell is water but for a quarter
    values[1, 2:, :2] = np.nan
    values[1, 2, 0] = 5  # a quarter of the third cell's land is there on the second day
    found = cell_means(values, fine, coarse)
    np.testing.assert_array_equal(np.isfinite(found), [[True, True], [False, False], [True, False], [True, True]])


def test_places_in_cells():
    grid = axes(1, 0, 10, 12, 0.5)
    assert grid.holder([0.9, 0.1, 0.1, 1.1, 0.5], [10.1, 10.1, 11.9, 10.1, 9.9]).tolist() == [0, 4, 7, -1, -1]


def test_grids_are_put_in_order():
    ds = xr.Dataset({"v": (("y", "x"), [[1.0, 2, 3], [4, 5, 6]])}, {"lat": ("y", [10.0, 11.0]),
                                                                  "lon": ("x", [359.0, 0.0, 1.0])})
    found = oriented(ds)
    assert found["lat"].values.tolist() == [11, 10] and found["lon"].values.tolist() == [-1, 0, 1]
    assert found["v"].values.tolist() == [[4, 5, 6], [1, 2, 3]]
    with pytest.raises(DataError, match="not evenly spaced"):
        axes_of(ds.assign_coords(lon=("x", [0.0, 1.0, 3.0])))
    with pytest.raises(DataError, match="only one cell"):
        axes_of(ds.isel(y=[0]))
    with pytest.raises(DataError, match="not a projection"):
        oriented(ds.assign_coords(lat=(("y", "x"), np.ones((2, 3)))))


# --- Stations


def test_stations_that_share_a_cell_are_linked_through_others():
    # 0 and 1 share a cell of the first grid, 1 and 2 of the second; 3 and 4 stand in no cell of the first.
    assert linked(np.array([7, 7, 8, -1, -1]), np.array([1, 2, 2, 3, 4])).tolist() == [0, 0, 0, 1, 2]


def test_a_cell_needs_half_of_its_stations():
    nan = np.nan
    in_situ = np.array([[1.0, 2, nan], [3, nan, nan], [5, nan, 7], [9, 9, 9]])
    found = station_means(in_situ, np.array([0, 0, 0, -1]), 2)
    np.testing.assert_array_equal(found, [[3, nan, nan], [nan, nan, nan]])  # of three stations one is not enough
    np.testing.assert_array_equal(station_means(in_situ[:2], np.array([1, 1]), 2)[1], [2, 2, nan])


# --- Composites


def test_composites_are_interpolated_and_hold_for_their_own_days():
    days = np.array(["2020-01-01", "2020-01-09", "2020-01-25", "2020-02-18"], "M8[D]")  # one, then two are lost
    wanted = np.arange("2019-12-31", "2020-03-01", dtype="M8[D]")
    found = pd.Series(daily_from_composites(np.array([0.0, 8, 40, 10])[:, None], days, wanted)[:, 0], wanted)
    assert np.isnan(found["2019-12-31"]) and found["2020-01-05"] == 4 and found["2020-01-09"] == 8
    assert found["2020-01-17"] == 24  # across the one that is lost
    assert found["2020-01-25"] == found["2020-02-01"] == 40 and np.isnan(found["2020-02-02"])
    assert found["2020-02-25"] == 10 and np.isnan(found["2020-02-26"])
    assert found.notna().sum() == 24 + 8 + 8


def test_a_cloud_in_a_composite_is_a_lost_one_there_alone():
    days, wanted = (np.arange("2020-01-01", "2020-01-18", step, dtype="M8[D]") for step in (8, 1))
    values = np.array([[0.0, 0], [8, np.nan], [16, 32]])
    found = daily_from_composites(values, days, wanted)
    np.testing.assert_allclose(found[4], [4, 8])
    np.testing.assert_allclose(found[8], [8, 16])


# --- The simulated world


@pytest.fixture
def tree(monkeypatch):
    """A world of one network with known numbers, in place of the simulated one."""
    days = pd.date_range("2016-01-01", periods=20)
    fine, tenth, quarter = (axes(56.5, 56, 9, 9.5, step) for step in (0.05, 0.1, 0.25))

    def grid(where, steady=(), layers=(), **values):
        shape = len(days), *where.shape
        data = {name: (("y", "x") if name in steady else ("time", "y", "x"),
                       np.broadcast_to(np.float32(value), shape[1:] if name in steady else shape).copy())
                for name, value in values.items()}
        ds = xr.Dataset(data, {"time": days, "lat": ("y", where.lat), "lon": ("x", where.lon)})
        for name in layers:
            ds[name] = ds[name].expand_dims(layer=[1, 2], axis=0 if name in steady else 1)
        return ds

    cover = np.where(np.arange(20) % 8 == 0, np.arange(20) / 100, np.nan)[:, None, None]
    rows = np.arange(10)[:, None]  # of the fine grid
    groups = {"truth": grid(fine, layers=["soil_moisture"], soil_moisture=0.4, frozen_fraction=rows / 20),
              "statics": grid(fine, steady=["porosity"], layers=["porosity"], porosity=0.4 + rows / 100),
              "lst": grid(fine, land_surface_temperature=5), "et": grid(fine, evapotranspiration=rows),
              "fvc": grid(fine, fractional_vegetation_cover=cover), "imerg": grid(tenth, precipitation=3),
              "ascat": grid(tenth, soil_saturation=50), "cci": grid(quarter, soil_moisture=0.3),
              "smap_am": grid(tenth, soil_moisture_dca=0.2), "smap_pm": grid(tenth, soil_moisture_dca=0.3),
              "model": grid(axes(56.5, 56, 9, 9.5, 0.125), layers=["soil_moisture"], soil_moisture=0.25)}
    groups["smap_pm"]["soil_moisture_dca"][5:] = np.nan
    moisture = np.array([[0.1, 0.9], [0.2, 0.9], [0.3, 0.9]])[:, :, None] * np.ones(20)
    for name, values in (("reported", moisture), ("truth", moisture * 2)):
        groups[f"stations/{name}"] = xr.Dataset(
            {"soil_moisture": (("site", "depth", "time"), values.astype(np.float32))},
            {"site": ["a", "b", "c"], "depth": [1, 2], "time": days, "lat": ("site", [56.475, 56.475, 56.025]),
             "lon": ("site", [9.025, 9.075, 9.475]), "depth_m": (("site", "depth"), [[0.05, 0.25]] * 3)})
    made = xr.DataTree.from_dict({f"HOBE/{name}": ds for name, ds in groups.items()})
    monkeypatch.setattr(data, "_world", lambda scale, seed: made)
    return made


def test_the_twin(tree):
    points, matched, kind = open_network("twin", "HOBE")
    assert kind == "simulated" and tuple(matched) == PRODUCTS and len(points.time) == 20
    np.testing.assert_allclose(points.in_situ, np.tile([[0.1], [0.2], [0.3]], 20), rtol=1e-6)
    np.testing.assert_allclose(points.truth[:, 0], [0.2, 0.4, 0.6 * (1 - 9 / 20)], rtol=1e-6)  # less the ice
    np.testing.assert_allclose(points.auxiliaries[2, 4], [0.04, 3, 5, 9], rtol=1e-6)  # F P L E; F between composites
    assert points.sites["group"].tolist() == [0, 0, 1]
    ascat, cci, smap = (matched[name] for name in PRODUCTS)
    np.testing.assert_allclose(ascat.values[[0, -1], 0], [0.5 * 0.405, 0.5 * 0.485], rtol=1e-5)  # by the porosity there
    np.testing.assert_allclose(smap.values[0, [0, 10]], [0.25, 0.2], rtol=1e-6)  # of both passes, of one
    np.testing.assert_allclose(ascat.truth[[0, -1], 0], [0.4 * (1 - 0.5 / 20), 0.4 * (1 - 8.5 / 20)], rtol=1e-4)
    np.testing.assert_allclose(cci.auxiliaries[:, 0, 3], [2, 2, 7, 7], rtol=2e-3)  # rows 0 to 4, and 5 to 9
    np.testing.assert_allclose(cci.model, 0.25, rtol=1e-6)
    assert cci.cells["stations"].tolist() == [2, 0, 0, 1] and cci.cells["group"].tolist() == [0, -1, -1, 1]
    np.testing.assert_allclose(cci.in_situ[[0, 3], 0], [0.15, 0.3], rtol=1e-6)
    assert np.isnan(cci.in_situ[1:3]).all() and cci.shape == (2, 2) and smap.shape == (5, 5)
    with pytest.raises(DataError, match="CTP-SMTMN"):
        open_network("twin", "REMEDHUS")


# --- A folder of one's own

DAYS = pd.date_range("2019-01-01", periods=17)
EVERY8 = DAYS[::8]
STATIONS = {"A": (48.05, -0.15), "B": (48.12, 0.22)}  # on both sides of Greenwich
VALUES = {"ascat": 50.0, "cci": 0.3, "smap": 0.2, "precipitation": 3.0, "lst": 12.0, "et": 2.0, "fvc": 0.4}
STEPS = {"ascat": 0.1, "cci": 0.25, "smap": 0.1, "precipitation": 0.1}
NAMES = {"ascat": "ssm", "cci": "sm", "smap": "sm", "precipitation": "precipitation", "lst": "LST_Day_1km", "et": "ET",
         "fvc": "FVC"}
UNITS = {"ascat": "percent", "cci": "m3 m-3", "smap": "m3 m-3", "precipitation": "mm d-1", "lst": "degC",
         "et": "mm d-1", "fvc": "1"}
BOX = (49, 47, -1, 1)


def maps(folder, part, days=None, values=None, units=None, box=BOX, wrap=False, south_up=False, step=None):
    """Write a part of a network's folder: one NetCDF file of the same value everywhere, plus `day` hundredths of it."""
    days = (EVERY8 if part == "fvc" else DAYS) if days is None else days
    grid = axes(*box, step or STEPS.get(part, 0.05))
    value = VALUES[part] if values is None else values
    if np.ndim(value) == 0:
        value = value * (1 + 0.001 * (days - DAYS[0]).days.to_numpy())
    data = np.broadcast_to(np.asarray(value, np.float32)[:, None, None], (len(days), *grid.shape)).copy()
    ds = xr.Dataset({NAMES[part]: (("time", "lat", "lon"), data, {"units": units or UNITS[part]})},
                    {"time": days, "lat": grid.lat, "lon": grid.lon})
    ds = ds.assign_coords(lon=ds["lon"] % 360).sortby("lon") if wrap else ds
    ds = ds.isel(lat=slice(None, None, -1)) if south_up else ds
    home = folder / part
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    ds.to_netcdf(home / "maps.nc", engine="scipy")


def porosity(folder, value=0.4):
    home = folder / "porosity"
    home.mkdir(parents=True, exist_ok=True)
    grid = axes(*BOX, 0.05)
    with rasterio.open(home / "theta_s.tif", "w", driver="GTiff", height=grid.shape[0], width=grid.shape[1], count=1,
                       dtype="float32", crs="EPSG:4326", transform=from_origin(-1, 49, 0.05, 0.05)) as file:
        file.write(np.full(grid.shape, value, np.float32), 1)


def stations(folder, days=DAYS, depth=0.05):
    home = folder / "stations"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    rows = [(site, lat, lon, f"{day:%Y-%m-%d}", 0.2 + 0.1 * (site == "B")) for site, (lat, lon) in STATIONS.items()
            for day in days]
    pd.DataFrame(rows, columns=["site", "lat", "lon", "date", "sm"]).to_csv(home / "all.csv", index=False)
    plan = {"time": {"column": "date"}, "site": {"column": "site", "lat": "lat", "lon": "lon"},
            "variables": {"soil_moisture": [{"column": "sm", "units": "m3 m-3", "depth": depth}]}}
    (home / "columns.yml").write_text(yaml.safe_dump(plan))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with all parts of a network."""
    folder = tmp_path_factory.mktemp("source") / "MINE"
    stations(folder)
    for part in VALUES:
        maps(folder, part)
    porosity(folder)
    return folder


@pytest.fixture(scope="module")
def whole(good):
    return opened(good)


@pytest.fixture
def mine(good, tmp_path):
    """A copy of it to spoil, without SMAP for speed."""
    return shutil.copytree(good, tmp_path / "MINE", ignore=shutil.ignore_patterns("smap"))


def opened(folder, least_days=15):
    return open_network(folder.parent, folder.name, least_days=least_days)


def refused(folder, rule, least_days=15):
    with pytest.raises(DataError, match=rule) as error:
        opened(folder, least_days)
    return error.value


def test_a_folder(whole):
    points, matched, kind = whole
    assert kind == "measured" and tuple(matched) == PRODUCTS and points.truth is None
    assert list(points.sites.index) == ["A", "B"] and len(points.time) == 17
    growth = 1 + 0.001 * np.arange(17)
    for k, part in enumerate(("fvc", "precipitation", "lst", "et")):
        np.testing.assert_allclose(points.auxiliaries[:, :, k], np.tile(VALUES[part] * growth, (2, 1)),
                                   rtol=1e-5)
    assert list(AUXILIARIES) == [COVARIATES[part] for part in ("fvc", "precipitation", "lst", "et")]
    np.testing.assert_allclose(matched["ASCAT"].values, np.tile(0.5 * 0.4 * growth, (len(matched["ASCAT"].cells), 1)),
                               rtol=1e-5)
    np.testing.assert_allclose(matched["ESA-CCI"].auxiliaries[:, :, 3], np.tile(2.0 * growth, (len(
        matched["ESA-CCI"].cells), 1)), rtol=1e-5)  # 0.05 to 0.25 degree
    for one in matched.values():
        held = one.cells[one.cells["stations"] > 0]
        assert len(held) == 2 and held["group"].nunique() == 2
        for (_, cell), level in zip(held.sort_values("lon").iterrows(), (0.2, 0.3), strict=True):
            place = STATIONS["A" if level == 0.2 else "B"]
            assert abs(cell["lat"] - place[0]) < 0.13 and abs(cell["lon"] - place[1]) < 0.13
            np.testing.assert_allclose(one.in_situ[int(cell.name)], level, rtol=1e-6)


def test_grids_that_run_the_other_way_or_round_the_globe(mine, whole):
    points, matched, _ = whole
    for part in ("cci", "precipitation", "lst"):
        maps(mine, part, wrap=True, south_up=True)
    again, other, _ = opened(mine)
    np.testing.assert_array_equal(points.auxiliaries, again.auxiliaries)
    np.testing.assert_array_equal(matched["ESA-CCI"].values, other["ESA-CCI"].values)
    pd.testing.assert_frame_equal(matched["ESA-CCI"].cells, other["ESA-CCI"].cells)


def test_grids_that_do_not_nest(mine, whole):
    _, matched, _ = whole
    maps(mine, "et", step=0.08)
    _, other, _ = opened(mine)
    np.testing.assert_allclose(other["ESA-CCI"].auxiliaries, matched["ESA-CCI"].auxiliaries, rtol=1e-5)


def test_units_are_those_that_the_files_state(mine, whole):
    _, matched, _ = whole
    growth = 1 + 0.001 * np.arange(17)
    maps(mine, "ascat", values=0.5, units="1")
    maps(mine, "lst", values=12.0 * growth + 273.15, units="K")
    maps(mine, "fvc", values=40.0, units="%")
    points, other, _ = opened(mine)
    np.testing.assert_allclose(other["ASCAT"].values, matched["ASCAT"].values, rtol=1e-5)
    np.testing.assert_allclose(other["ASCAT"].auxiliaries, matched["ASCAT"].auxiliaries, rtol=1e-4)


def test_daily_geotiffs_that_columns_yml_describes(mine, whole):
    shutil.rmtree(mine / "fvc")
    (mine / "fvc").mkdir()
    for day in EVERY8:
        with rasterio.open(mine / "fvc" / f"FVC_{day:%Y%j}.tif", "w", driver="GTiff", height=40, width=40, count=1,
                           dtype="uint8", crs="EPSG:4326", transform=from_origin(-1, 49, 0.05, 0.05)) as file:
            file.write(np.full((40, 40), 100 + 2 * (day.day_of_year // 8), np.uint8), 1)
    plan = {"grid": {"date": "FVC_%Y%j"}, "missing": [255], "variables": {
        "fractional_vegetation_cover": {"column": 1, "units": "0.004 1"}}}
    (mine / "fvc" / "columns.yml").write_text(yaml.safe_dump(plan))
    points, _, _ = opened(mine)
    np.testing.assert_allclose(points.auxiliaries[0, :, 0], 0.4 + 0.001 * np.arange(17), rtol=1e-5)
    plan["variables"] = {"precipitation": {"column": 1, "units": "mm"}}
    (mine / "fvc" / "columns.yml").write_text(yaml.safe_dump(plan))
    refused(mine, "which variable is fractional_vegetation_cover")


def test_only_some_products(mine):
    shutil.rmtree(mine / "ascat")
    shutil.rmtree(mine / "porosity")
    assert tuple(opened(mine)[1]) == ("ESA-CCI",)
    shutil.rmtree(mine / "cci")
    refused(mine, "one of ascat, cci, smap")


@pytest.mark.parametrize("dims", [("lat", "lon"), ("y", "x"), ("longitude", "latitude")])
def test_porosity_in_netcdf_whatever_its_dims_are_called(mine, whole, dims):
    grid = axes(*BOX, 0.05)
    shutil.rmtree(mine / "porosity")
    (mine / "porosity").mkdir()
    values, coords = np.full(grid.shape, 0.4, np.float32), {"lat": ("lat", grid.lat), "lon": ("lon", grid.lon)}
    if dims == ("y", "x"):
        coords = {"lat": ("y", grid.lat), "lon": ("x", grid.lon)}
    elif dims[0] == "longitude":
        values, coords = values.T, {"longitude": ("longitude", grid.lon), "latitude": ("latitude", grid.lat)}
    xr.Dataset({"porosity": (dims, values, {"units": "m3 m-3"})}, coords).to_netcdf(mine / "porosity" / "n.nc",
                                                                                     engine="scipy")
    np.testing.assert_allclose(opened(mine)[1]["ASCAT"].values, whole[1]["ASCAT"].values, rtol=1e-5)
    xr.Dataset({"porosity": (("a", "b"), values)}).to_netcdf(mine / "porosity" / "n.nc", engine="scipy")
    refused(mine, "must lie along latitudes and longitudes")


def test_ascat_as_a_fraction_or_without_porosity(mine):
    maps(mine, "ascat", values=0.5)
    error = refused(mine, "never exceeds 0.5.* percent of saturation: a fraction")
    assert error.variable == "soil_saturation" and error.file.endswith("ascat")
    maps(mine, "ascat")
    porosity(mine, 40.0)
    assert refused(mine, "outside 0.1 to 1 m3 m-3").variable == "porosity"
    shutil.rmtree(mine / "porosity")
    refused(mine, "lacks the folder of porosity .without it ASCAT's percent")


def test_moisture_in_percent(mine):
    maps(mine, "cci", values=30.0)
    assert refused(mine, "outside 0 to 1: other units").variable == "soil_moisture"


def test_a_product_of_another_time(mine):
    maps(mine, "cci", days=DAYS + pd.Timedelta(days=400))
    error = refused(mine, "all parts share 0 days, 15 are needed")
    assert "cci 2020-02-05 to 2020-02-21" in error.rule and "stations 2019-01-01 to 2019-01-17" in error.rule
    maps(mine, "cci", days=DAYS[7:])
    refused(mine, "share 10 days")
    assert len(opened(mine, least_days=10)[0].time) == 10
    refused(mine, "are needed", least_days=365)


def test_another_region(mine):
    maps(mine, "lst", box=(10, 8, 100, 102))
    error = refused(mine, "another region: it spans 8.* to .* N .* the stations 48.05 to 48.12 N")
    assert error.file.endswith("lst")
    maps(mine, "lst", box=(48.1, 47, -1, 0))  # reaches one of the stations
    with pytest.warns(UserWarning, match="left out, .* at B"):
        assert list(opened(mine)[0].sites.index) == ["A"]


def test_vegetation_cover_that_was_made_daily(mine):
    maps(mine, "fvc", days=DAYS, values=0.4 + 0.01 * np.repeat(np.arange(3), 8)[:17])
    assert "composites of several days" in refused(mine, "does not change on 88% of the days").rule
    maps(mine, "fvc", days=DAYS[:3])  # composites, dated as if they were daily
    refused(mine, "share 3 days.*fvc 2019-01-01 to 2019-01-03")


def test_what_comes_too_seldom():
    def every(n):
        return xr.DataArray(np.ones((4, 1, 1)), {"time": pd.date_range("2019-01-01", periods=4, freq=f"{n}D")},
                            ("time", "y", "x"))

    check_cadence(every(8), "F", "fvc")
    check_cadence(every(1), "E", "et")
    with pytest.raises(DataError, match="et: evapotranspiration: comes every 8 days, at most 2"):
        check_cadence(every(8), "E", "et")
    with pytest.raises(DataError, match="fvc: .* comes every 30 days, at most 16"):
        check_cadence(every(30), "F", "fvc")


def test_stations_too_deep_and_networks_that_are_not_there(mine):
    stations(mine, depth=0.3)
    refused(mine, "known depth of at most 0.1 m")
    with pytest.raises(DataError, match="there are MINE"):
        open_network(mine.parent, "YOURS")
    with pytest.raises(DataError, match="there are none"):
        open_network(mine / "nowhere", "YOURS")


# --- What the page says


def points_of(r, sites=5, days=2000, network="HOBE"):
    """Stations whose auxiliaries have the known correlations `r` with their soil moisture."""
    rng = np.random.default_rng(1)
    wet = rng.normal(size=(sites, days))
    rest = rng.normal(size=(sites, days, 4))
    values = np.stack([q * wet + np.sqrt(1 - q * q) * rest[..., k] for k, q in enumerate(r)], -1)
    table = pd.DataFrame({"lat": 56.0, "lon": 9.0, "group": 0}, index=[f"s{k}" for k in range(sites)])
    return Points(network, np.datetime64("2016-01-01") + np.arange(days), table,
                  (0.3 + 0.05 * wet).astype(np.float32), values.astype(np.float32))


def test_correlations_of_known_size():
    known = np.array([0.6, -0.3, 0.0, -0.8])
    table = summary.correlations({"HOBE": points_of(known)}, draws=100)
    for way in ("mean", "pooled", "median"):
        np.testing.assert_allclose(table[way], known, atol=0.05)
    assert ((table["low"] < known) & (known < table["high"])).all()
    assert table["printed"].tolist() == [0.089, 0.195, 0.214, 0.030] and (table["n"] == 10000).all()
    text = summary.signs(table)
    assert "precipitation at HOBE (printed 0.20, here −0.3" in text  # marked in print, surely the other sign here
    assert "evapotranspiration at HOBE (printed" not in text  # not marked in print
    assert "None" in summary.signs(summary.correlations({"MINE": points_of(known, network="MINE")}, draws=10))


def test_pairs_that_a_correlation_needs():
    assert summary.needed(0.4974, 0.05) == 16 and summary.needed(-0.1947, 0.05) == 102  # as in tables of r
    pairs = summary.pairs_in_print().set_index("network")
    assert pairs.loc["HOBE", "least"] == summary.needed(0.089, 0.05)
    assert pairs.loc["HOBE", "most"] == summary.needed(0.089, 0.01) - 1
    assert np.isnan(pairs.loc["CTP-SMTMN", "most"])  # all of its r have two stars


def matched_of(values, in_situ, porosity=None, truth=None, product="ASCAT"):
    cells = pd.DataFrame({"row": 0, "column": range(len(values)), "lat": 56.0, "lon": 9.0, "stations": 1, "group": 0})
    return Matched("HOBE", product, np.datetime64("2016-01-01") + np.arange(values.shape[1]), cells, (1, len(values)),
                   values, in_situ, np.zeros((*values.shape, 4)), truth, None, porosity)


def test_what_a_conversion_costs():
    saturation = np.random.default_rng(0).uniform(20, 80, (4, 200))
    porosity = np.array([0.3, 0.4, 0.5, 0.6])
    right = saturation / 100 * porosity[:, None]
    table = summary.conversions({"HOBE": {"ASCAT": matched_of(right, right, porosity, right + 0.02)}}, draws=50)
    rows = table.set_index(["conversion", "against"])
    wrong = saturation / 100 * 0.5
    assert rows.loc[("porosity of the cell", "stations"), "RMSE"] == 0
    assert rows.loc[("0.5 everywhere", "stations"), "RMSE"] == pytest.approx(np.sqrt(np.mean((wrong - right) ** 2)))
    assert rows.loc[("0.5 everywhere", "stations"), "bias"] == pytest.approx(np.mean(wrong - right))
    assert rows.loc[("porosity of the cell", "truth"), "bias"] == pytest.approx(-0.02)
    assert rows.loc[("porosity of the cell", "stations"), "skill"] == 1
    text = summary.conversion_sentence(table)
    assert "surely worse at HOBE" in text and "HOBE −0.020" in text


def test_tables_of_the_page():
    seen = np.where(np.arange(200) % 4, 0.3, np.nan) * np.ones((3, 1))
    one = matched_of(seen, np.full((3, 200), 0.2), product="SMAP")
    own = points_of((0, 0, 0, 0), days=200)
    counts = summary.networks_table({"HOBE": own}, {"HOBE": {"SMAP": one}}).iloc[0]
    assert (counts["stations"], counts["days"], counts["cells"], counts["cells with stations"]) == (5, 200, 3, 3)
    assert counts["seen"] == 0.75 and counts["reported"] == 1
    raw = summary.raw_scores({"HOBE": {"SMAP": one}}, draws=20).set_index("metric")
    assert raw.loc["bias", "value"] == pytest.approx(0.1) and raw.loc["RMSE", "n"] == 450
    assert np.isnan(raw.loc["R", "value"]) and np.isnan(raw.loc["RMSE", "printed"])  # SMAP is not printed at HOBE
