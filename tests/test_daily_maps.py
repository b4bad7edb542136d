"""Folders of daily maps, written here from a known field in as many ways as products come in."""

import os
import time
from pathlib import Path

import dask
import dask.array
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
import yaml
from pyproj import Transformer
from rasterio.transform import from_origin

from smlib.data import DataError, open_grid, open_source, source_fingerprint
from smlib.data.readers import daily_maps
from smlib.data.readers.map_files import date_of
from smlib.nature.worlds import code_hash

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own

DAYS = pd.DatetimeIndex(["2017-01-01", "2017-01-02", "2017-01-04"])  # the 3rd is missing
LAT, LON = 39.925 - 0.05 * np.arange(4), 98.025 + 0.05 * np.arange(6)


def field(days=3):
    """Soil moisture (time, y, x), different in each cell, with a cell that is always and one that is once missing."""
    truth = np.random.default_rng(0).uniform(0.05, 0.5, (days, 4, 6)).astype(np.float32)
    truth[:, 0, 0] = truth[0, 2, 3] = np.nan
    return truth


def tif(file, values, nodata=-9999.0, crs="EPSG:4326", transform=None, units=None, **options):
    """Write one map, rows from north to south."""
    values = np.atleast_3d(np.asarray(values).T).T  # (band, y, x)
    filled = values if np.issubdtype(values.dtype, np.integer) else np.where(np.isnan(values), nodata, values)
    transform = transform or from_origin(98.0, 39.95, 0.05, 0.05)
    with rasterio.open(file, "w", driver="GTiff", height=values.shape[1], width=values.shape[2], count=len(values),
                       dtype=values.dtype, crs=crs, transform=transform, nodata=nodata) as dataset:
        dataset.write(filled.astype(values.dtype))
        dataset.units = [units] * len(values)
        for key, value in options.items():
            setattr(dataset, key, value)


def nc(file, values, day=None, name="sm", lat=LAT, lon=LON, encoding=None, **attrs):
    """Write one map; with a time coordinate if a `day` is given."""
    ds = xr.Dataset({name: (("lat", "lon"), values, attrs)}, {"lat": lat, "lon": lon})
    ds = ds if day is None else ds.expand_dims(time=[pd.Timestamp(day)])
    ds.to_netcdf(file, encoding={name: encoding or {}})


def check(ds, truth=None, lat=LAT, lon=LON):
    """`ds` holds the known field on four days, of which one is missing."""
    truth = field() if truth is None else truth
    assert ds["soil_moisture"].dims == ("time", "y", "x") and ds["soil_moisture"].dtype == np.float32
    assert dask.is_dask_collection(ds["soil_moisture"]) and ds["soil_moisture"].attrs["units"] == "m3 m-3"
    assert list(ds.indexes["time"]) == list(pd.date_range("2017-01-01", "2017-01-04"))
    np.testing.assert_allclose(ds["soil_moisture"].values[[0, 1, 3]], truth, atol=1e-6)
    assert np.isnan(ds["soil_moisture"].values[2]).all()
    np.testing.assert_allclose(ds["lat"], lat, atol=1e-9)
    np.testing.assert_allclose(ds["lon"], lon, atol=1e-9)


def test_geotiff_as_the_plateau_data_center_gives_them(tmp_path):
    """YYYYMMDD.tiff in folders by year, degrees, NaN where missing, no units, a text beside them."""
    (tmp_path / "2017").mkdir()
    for day, values in zip(DAYS[::-1], field()[::-1], strict=True):
        tif(tmp_path / "2017" / f"{day:%Y%m%d}.tiff", values, nodata=np.nan)
    (tmp_path / "description.docx").write_text("words")
    ds = open_grid(tmp_path)
    check(ds)
    assert (ds.attrs["source"], ds.attrs["kind"]) == (tmp_path.name, "measured") and "daily maps" in ds.attrs["history"]
    assert len(source_fingerprint(tmp_path)) == 4
    assert list(open_source(tmp_path).indexes["time"]) == list(DAYS)  # as they are


def test_netcdf_by_time_coordinate_whatever_the_names(tmp_path):
    for letter, day, values in zip("cab", DAYS, field(), strict=True):
        nc(tmp_path / f"{letter}.nc", values, day + pd.Timedelta("12h"), units="m3 m-3")
    check(open_grid(tmp_path))


def test_netcdf_of_more_days_than_one(tmp_path):
    field_of = xr.DataArray(field(), {"time": DAYS, "latitude": LAT, "longitude": LON + 0.0}, name="SSM")
    field_of[:2].transpose("longitude", "time", "latitude").to_netcdf(tmp_path / "a.nc")
    field_of[2:].transpose("longitude", "time", "latitude").to_netcdf(tmp_path / "b.nc")
    check(open_grid(tmp_path))


def test_packed_values_units_and_the_other_way_up(tmp_path):
    for day, values in zip(DAYS, field(), strict=True):  # hundredths of a percent
        nc(tmp_path / f"SM_{day:%Y_%m_%d}.nc", 100 * values[::-1], lat=LAT[::-1], units="%",
           encoding={"dtype": "int16", "scale_factor": 0.01, "add_offset": 5.0, "_FillValue": -32768})
    ds = open_grid(tmp_path)
    assert abs(ds["soil_moisture"].values[[0, 1, 3]] - field())[~np.isnan(field())].max() < 0.6e-4
    np.testing.assert_array_equal(np.isnan(ds["soil_moisture"].values[[0, 1, 3]]), np.isnan(field()))
    np.testing.assert_allclose(ds["lat"], LAT)


def test_geotiff_of_integers_with_scale_and_units(tmp_path):
    whole = np.where(np.isnan(field()), -1, np.rint(1e4 * np.nan_to_num(field()))).astype(np.int16)
    for day, values in zip(DAYS, whole, strict=True):
        tif(tmp_path / f"{day:%Y%j}.tif", values, nodata=-1, units="%", scales=[0.01], offsets=[0.0])
    ds = open_grid(tmp_path)
    expected = np.where(whole < 0, np.nan, whole / 1e4)
    np.testing.assert_allclose(ds["soil_moisture"].values[[0, 1, 3]], expected, atol=1e-6)


def test_mapping_file_names_band_units_missing_and_date(tmp_path):
    for day, values in zip(DAYS, field(), strict=True):
        quality = np.zeros_like(values)
        tif(tmp_path / f"v20200101_{day:%d%m%Y}.tif", np.stack([quality, 1000 * np.nan_to_num(values, nan=-7)]),
            nodata=None, descriptions=("quality", "wetness"))
    with pytest.raises(DataError, match="which of its 2 bands .quality, wetness. is soil_moisture"):
        open_grid(tmp_path)
    for column in ("wetness", 2):
        content = {"grid": {"date": "_%d%m%Y"}, "missing": -7000,
                   "variables": {"soil_moisture": {"column": column, "units": "0.001 m3 m-3"}}}
        (tmp_path / "columns.yml").write_text(yaml.safe_dump(content))
        check(open_grid(tmp_path))
    (tmp_path / "columns.yml").write_text(yaml.safe_dump(content | {"grid": {}}))
    with pytest.raises(DataError, match="_01012017.tif: time: has no date in its name|has several dates|stands twice"):
        open_grid(tmp_path)


def test_mapping_file_for_netcdf_with_drivers(tmp_path):
    for day, values in zip(DAYS, field(), strict=True):
        held = {"theta": 100 * values, "theta_std": values, "t2m": values + 273.15}
        ds = xr.Dataset({key: (("n", "e"), value) for key, value in held.items()}, {"north": ("n", LAT),
                                                                                    "east": ("e", LON)})
        ds.to_netcdf(tmp_path / f"{day:%Y%m%d}.nc")
    with pytest.raises(DataError, match=r"20170101.nc: soil_moisture: there is no soil moisture among theta, theta_s"):
        open_grid(tmp_path)
    content = {"grid": {"lat": "north", "lon": "east"}, "variables": {
        "soil_moisture": {"column": "theta", "units": "percent"}, "air_temperature": {"column": "t2m", "units": "K"}}}
    (tmp_path / "columns.yml").write_text(yaml.safe_dump(content))
    ds = open_grid(tmp_path)
    check(ds)
    np.testing.assert_allclose(ds["air_temperature"].values[[0, 1, 3]], field(), atol=1e-4)
    content["variables"]["soil_moisture"] = [content["variables"]["soil_moisture"]] * 2
    (tmp_path / "columns.yml").write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match="has more than one column: layers are read from a single"):
        open_grid(tmp_path)


def test_projected_geotiff_has_degrees_by_cell(tmp_path):
    for day, values in zip(DAYS, field(), strict=True):
        tif(tmp_path / f"{day:%Y-%m-%d}.tif", values, crs="EPSG:32647", transform=from_origin(4e5, 4.3e6, 5e3, 5e3))
    x, y = np.meshgrid(4e5 + 5e3 * (np.arange(6) + 0.5), 4.3e6 - 5e3 * (np.arange(4) + 0.5))
    lon, lat = Transformer.from_crs(32647, 4326, always_xy=True).transform(x, y)
    check(open_grid(tmp_path), lat=lat, lon=lon)


def test_projected_netcdf_the_other_way_up(tmp_path):
    x, y = 4e5 + 5e3 * np.arange(6), 4.3e6 - 5e3 * np.arange(4)
    utm = {"grid_mapping_name": "transverse_mercator", "longitude_of_central_meridian": 99.0,
           "latitude_of_projection_origin": 0.0, "scale_factor_at_central_meridian": 0.9996, "false_easting": 5e5,
           "false_northing": 0.0, "semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563}
    for day, values in zip(DAYS, field(), strict=True):
        ds = xr.Dataset({"a": (("y", "x"), values[::-1], {"grid_mapping": "crs"}), "crs": ((), 0, utm)}, {
            "x": ("x", x, {"standard_name": "projection_x_coordinate"}),
            "y": ("y", y[::-1], {"standard_name": "projection_y_coordinate"})})
        ds.to_netcdf(tmp_path / f"{day:%Y%m%d}.nc")
    lon, lat = Transformer.from_crs(32647, 4326, always_xy=True).transform(*np.meshgrid(x, y))
    ds = open_grid(tmp_path)
    check(ds, lat=lat, lon=lon)
    assert ds["lat"].dims == ("y", "x") and (np.diff(ds["lat"], axis=0) < 0).all()


def test_longitudes_from_0_to_360_and_rows_without_shared_dims(tmp_path):
    for day, values in zip(DAYS, field(), strict=True):
        ds = xr.Dataset({"soil_moisture": (("row", "column"), values), "latitude": (("i", "one"), LAT[:, None]),
                         "longitude": (("k", "one"), LON[:, None] + 162)})
        ds.to_netcdf(tmp_path / f"NNsm-FY-{day:%Y%j}.nc")
    check(open_grid(tmp_path), lon=LON + 162 - 360)


@pytest.mark.parametrize("name, date", [
    ("20170102", "2017-01-02"), ("SMHiRes_0.05_2017-01-02_V1", "2017-01-02"), ("SM_2017_01_02", "2017-01-02"),
    ("SM_2017002", "2017-01-02"), ("X.A2017002.004.2003142152431", "2017-01-02"),
    ("COMBINED-20170102120000-fv04.7", "2017-01-02"), ("id123456789_20170102", "2017-01-02"),
    ("map_99999999", "has no date"), ("map", "has no date"),
    ("20170102_20170103", "several dates .2017-01-02, 2017-01-03")])
def test_dates_in_names(name, date):
    if date.startswith("2"):
        assert date_of(Path(f"{name}.tif")) == pd.Timestamp(date)
    else:
        with pytest.raises(DataError, match=rf"{name}.tif: time: .*{date}"):
            date_of(Path(f"{name}.tif"))


@pytest.fixture(params=["tif", "nc"])
def folder(request, tmp_path):
    """Three good maps, of one format each time, and a way to write others."""
    def write(name, values, **options):
        (tif if request.param == "tif" else nc)(tmp_path / f"{name}.{request.param}", values, **options)

    for day, values in zip(DAYS, field(), strict=True):
        write(f"{day:%Y%m%d}", values)
    return tmp_path, request.param, write


def test_bad_files_are_named(folder):
    path, suffix, write = folder
    check(open_grid(path))
    extra = path / f"20170103.{suffix}"

    def refused(rule):
        with pytest.raises(DataError, match=rule) as error:
            open_grid(path)
        return Path(error.value.file)

    write("20170103", field()[0][:3], **({} if suffix == "tif" else {"lat": LAT[:3]}))
    assert refused("another grid than 20170101") == extra
    write("20170103", field()[0], **({"transform": from_origin(98.01, 39.95, 0.05, 0.05)} if suffix == "tif" else
                                     {"lon": LON + 0.01}))
    assert refused("another grid than 20170101") == extra
    extra.write_bytes((path / f"20170102.{suffix}").read_bytes()[:-40])
    assert refused("truncated") == extra
    extra.write_bytes(b"words")
    assert refused("cannot be opened") == extra
    extra.unlink()
    write("2017-01-02", field()[0])
    assert refused("date 2017-01-02 stands twice") in (path / f"2017-01-02.{suffix}", path / f"20170102.{suffix}")
    (path / f"2017-01-02.{suffix}").rename(path / f"other.{suffix}")
    assert refused("no date in its name") == path / f"other.{suffix}"


def test_a_classic_netcdf_that_is_cut_off(tmp_path):
    ds = xr.Dataset({"sm": (("lat", "lon"), field()[1])}, {"lat": LAT, "lon": LON})
    for day in DAYS:
        ds[["lat", "lon", "sm"]].to_netcdf(tmp_path / f"{day:%Y%m%d}.nc", format="NETCDF3_CLASSIC")
    np.testing.assert_array_equal(open_grid(tmp_path)["soil_moisture"][0], field()[1])
    file = tmp_path / "20170102.nc"
    whole = file.read_bytes()
    for lost in (8, 60, 100, 200):
        file.write_bytes(whole[:-lost])
        with pytest.raises(DataError, match="20170102.nc: .*truncated"):
            open_grid(tmp_path)


def test_bad_values_are_refused_on_opening_or_when_read(folder, monkeypatch):
    path, suffix, write = folder
    monkeypatch.setattr(daily_maps, "SEEN", 1)
    write("20170102", 100 * field()[1])
    ds = open_grid(path)
    with pytest.raises(DataError, match=rf"20170102.{suffix}: soil_moisture: holds .* outside 0 to 1: other units"):
        ds["soil_moisture"].load()
    monkeypatch.setattr(daily_maps, "SEEN", 8)
    with pytest.raises(DataError, match=rf"20170102.{suffix}: soil_moisture: holds"):
        open_grid(path)
    for day in DAYS:
        write(f"{day:%Y%m%d}", field()[0] / 100)
    with pytest.raises(DataError, match="a fraction taken for percent"):
        open_grid(path)
    for day in DAYS:
        write(f"{day:%Y%m%d}", field()[0] * np.nan)
    with pytest.raises(DataError, match="every value is missing"):
        open_grid(path)
    write("20170104", field()[0])  # one day with values is enough
    assert int(open_grid(path)["soil_moisture"].count()) == 22


def test_no_place_no_variable_no_dates(tmp_path):
    for name in ("20170101", "20170102"):
        xr.Dataset({"rain": (("lat", "lon"), field()[0]), "wind": (("lat", "lon"), field()[0])},
                   {"lat": LAT, "lon": LON}).to_netcdf(tmp_path / f"{name}.nc")
    with pytest.raises(DataError, match="20170101.nc: soil_moisture: there is no soil moisture among rain, wind"):
        open_grid(tmp_path)
    for name in ("20170101", "20170102"):
        xr.Dataset({"sm": (("a", "b"), field()[0])}).to_netcdf(tmp_path / f"{name}.nc")
    with pytest.raises(DataError, match="20170101.nc: lat, lon: where its cells are is not said"):
        open_grid(tmp_path)
    for name in ("20170101", "20170102"):
        nc(tmp_path / f"{name}.nc", field()[0], units="mm")
    with pytest.raises(DataError, match="20170101.nc: soil_moisture: units 'mm' are not known"):
        open_grid(tmp_path)


def test_a_geotiff_without_coordinates(tmp_path):
    tif(tmp_path / "20170101.tif", field()[0], crs='LOCAL_CS["x",UNIT["metre",1]]')
    with pytest.raises(DataError, match="20170101.tif: lat, lon: has a projection that is not understood"):
        open_grid(tmp_path)
    tif(tmp_path / "20170101.tif", field()[0], crs=None, transform=from_origin(4e5, 4.3e6, 5e3, 5e3))
    with pytest.raises(DataError, match="20170101.tif: does not say what its coordinates are"):
        open_grid(tmp_path)


def test_many_files_open_fast_and_are_read_later(tmp_path):
    days = pd.date_range("2017-01-01", periods=400)
    values = np.random.default_rng(1).uniform(0.1, 0.4, (79, 207)).astype(np.float32)
    for k, day in enumerate(days):
        tif(tmp_path / f"{day:%Y%m%d}.tif", values + k / 4000)
    read = []
    original = daily_maps.read_map

    def counted(m, *arguments):
        read.append(m.file.name)
        return original(m, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daily_maps, "read_map", counted)
        began = time.process_time()
        ds = open_grid(tmp_path)
        seconds = time.process_time() - began
    assert len(read) == daily_maps.SEEN and isinstance(ds["soil_moisture"].data, dask.array.Array)
    assert seconds < 5 and ds["soil_moisture"].shape == (400, 79, 207)
    np.testing.assert_array_equal(ds["soil_moisture"][-1], values + np.float32(399 / 4000))
    np.testing.assert_allclose(ds["soil_moisture"].mean(("y", "x")), values.mean() + np.arange(400) / 4000, atol=1e-5)


def test_twin_is_the_simulated_product(tmp_path, monkeypatch):
    from smlib import paths
    from smlib.nature import worlds

    asked = []
    product = xr.Dataset({"soil_moisture": (("time", "y", "x"), field(), {"units": "m3 m-3"})}, {
        "time": pd.date_range("2017-01-01", periods=3), "lat": ("y", LAT), "lon": ("x", LON)}, {"kind": "simulated"})

    def world(name, scale, seed):
        asked.append((name, scale, seed))
        return xr.DataTree.from_dict({"smhires": product.chunk(), "truth": product})

    monkeypatch.setattr(paths, "LOCAL", tmp_path)
    monkeypatch.setattr(worlds, "world", world)
    ds = open_grid("twin", "smoke", seed=3)
    assert asked == [("qilian", "smoke", 3)] and ds["soil_moisture"].chunks is not None
    assert (ds.attrs["source"], ds.attrs["kind"]) == ("twin", "simulated") and "seed 3" in ds.attrs["history"]
    xr.testing.assert_equal(ds.load(), product)
    assert source_fingerprint("twin") == {"twin": code_hash()}


def test_sources_that_are_no_grid(tmp_path):
    with pytest.raises(DataError, match="embedded: there is no grid among the embedded data"):
        open_grid("embedded")
    stations = open_source("embedded", ["FR-Hes"]).drop_vars(["name", "network", "land_cover"])
    stations.assign_coords(site=["a"]).to_netcdf(tmp_path / "stations.nc")
    with pytest.raises(DataError, match="site: holds stations, where a grid is needed"):
        open_grid(tmp_path)


def test_own_store_gets_days_without_gaps_from_north_to_south(tmp_path):
    product = xr.Dataset({"soil_moisture": (("time", "y", "x"), field()[:, ::-1], {"units": "m3 m-3"})}, {
        "time": DAYS, "lat": ("y", LAT[::-1]), "lon": ("x", LON)}, {"kind": "simulated"})
    product.to_zarr(tmp_path / "mine.zarr", zarr_format=2)
    ds = open_grid(tmp_path / "mine.zarr")
    check(ds)
    assert ds.attrs["kind"] == "simulated"
    layered = product.expand_dims(layer=2).transpose("time", "layer", "y", "x")
    layered.to_netcdf(tmp_path / "layers.nc")
    with pytest.raises(DataError, match="has 2 layers, where one is needed"):
        open_grid(tmp_path / "layers.nc")


@pytest.mark.skipif("SMLIB_TEST_DATA" not in os.environ,
                    reason="SMLIB_TEST_DATA does not name a folder of measured data")
def test_measured_smap_through_a_mapping_file(tmp_path):
    """Days and cells are missing in numbers counted from the raw file, and a value is the raw one."""
    name = "smap_nldas_conus_2015-2018.nc"
    (tmp_path / name).symlink_to(Path(os.environ["SMLIB_TEST_DATA"]).resolve() / "smap_conus" / name)
    content = {"grid": {}, "variables": {"soil_moisture": {"column": "smap_sm", "units": "m3 m-3"}}}
    (tmp_path / "columns.yml").write_text(yaml.safe_dump(content))
    ds = open_grid(tmp_path)
    sm = ds["soil_moisture"]
    assert sm.chunks is not None and sm.shape == (1096, 18, 38) and ds.attrs["kind"] == "measured"
    assert (np.diff(ds["lat"]) < 0).all() and (np.diff(ds["time"]) == np.timedelta64(1, "D")).all()
    with xr.open_dataset(tmp_path / name) as raw:
        np.testing.assert_array_equal(sm, raw["smap_sm"])
    some = sm.notnull().any("time")
    assert int(sm.count()) == 125407 and int(some.sum()) == 412 and float(sm[2, 8, 20]) == pytest.approx(0.33181587)
