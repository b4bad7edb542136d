"""Files as SMAP, NLDAS-2, IMERG, SOLUS100, MODIS and SRTM come, written here from known fields and read back."""

import dask
import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from pyproj import Transformer
from rasterio.transform import from_origin

from smlib.data.ease import EaseGrid
from smlib.data.harmonise import to_grid
from smlib.data.readers import rasters
from smlib.data.readers.imerg import read_imerg
from smlib.data.readers.modis import read_land_cover, read_swir_transform
from smlib.data.readers.nldas import read_nldas
from smlib.data.readers.smap import read_smap
from smlib.data.readers.solus import layer_weights, read_solus
from smlib.data.readers.srtm import read_terrain
from smlib.data.schema import DataError, validate

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning",  # rasterio's own
                                        "ignore:The given matrix is equal to Affine.identity")

GRID = EaseGrid.box(38, 39, -100, -98.5)
SINUSOIDAL = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"
FILL = -9999.0



@pytest.fixture(autouse=True)
def one_thread():
    """What a failed computation leaves running in other threads must not meet files that a test writes."""
    with dask.config.set(scheduler="synchronous"):
        yield


# --- SMAP


def smap_file(folder, day, am=0.2, pm=0.3, shape=(1624, 3856), flag=0, passes="AM PM", skip=(), release="R18290"):
    """One day as NSIDC distributes it: plain HDF5 without dimension scales, with times as text beside the numbers."""
    file = folder / f"SMAP_L3_SM_P_E_{day}_{release}_001.h5"
    rows, columns = (slice(axis[0], axis[-1] + 1) for axis in (GRID.rows, GRID.columns))
    with h5py.File(file, "w") as h5:
        h5.create_group("Metadata")
        for name, value in (("AM", am), ("PM", pm)):
            if name not in passes.split():
                continue
            group, suffix = h5.create_group(f"Soil_Moisture_Retrieval_Data_{name}"), "_pm" * (name == "PM")

            def put(key, values, dtype="f4", fill=FILL, group=group, suffix=suffix, **attrs):
                if key in skip:
                    return
                data = group.create_dataset(key + suffix, shape, dtype, chunks=(203, 482), fillvalue=fill,
                                            compression="gzip", compression_opts=1)
                if shape[0] == 1624:
                    data[rows, columns] = np.broadcast_to(values, GRID.shape)
                data.attrs["_FillValue"] = np.array(fill, dtype)
                for k, v in attrs.items():
                    data.attrs[k] = np.array(v, dtype)

            for key, extra in (("soil_moisture_dca", 0), ("soil_moisture_scah", 0.01), ("soil_moisture_scav", 0.02)):
                put(key, value + extra, valid_min=0.02, valid_max=0.5)
            for key in ("retrieval_qual_flag_dca", "retrieval_qual_flag_scah", "retrieval_qual_flag_scav"):
                put(key, flag, "u2", 65534)
            for key, kelvin in (("tb_h_corrected", 230), ("tb_v_corrected", 260), ("surface_temperature", 293.15)):
                put(key, kelvin, valid_min=0, valid_max=350)
            for key in ("tb_qual_flag_h", "tb_qual_flag_v"):
                put(key, 0, "u2", 65534)
            put("vegetation_opacity_dca", 0.3)
            put("vegetation_water_content", 2.5)
            put("EASE_row_index", 0, "u2", 65534)
            group.create_dataset("tb_time_utc" + suffix, shape, "S24", chunks=(203, 482))
    return file


def test_smap(tmp_path):
    field = np.random.default_rng(0).uniform(0.05, 0.45, GRID.shape).astype(np.float32)
    field[0, 0] = FILL
    field[0, 1] = 0.6  # outside the range that the file calls valid
    smap_file(tmp_path, "20180103", am=field)
    smap_file(tmp_path, "20180101")
    ds = read_smap(tmp_path, "AM", GRID)
    validate(ds, needs=("soil_moisture_dca",))
    assert dask.is_dask_collection(ds["soil_moisture_dca"]) and ds.sizes == {"time": 2, "y": 12, "x": 16}
    assert list(ds.indexes["time"]) == list(pd.to_datetime(["2018-01-01", "2018-01-03"]))
    found = ds.compute()
    want = np.where((field == FILL) | (field > 0.5), np.nan, field)
    np.testing.assert_array_equal(found["soil_moisture_dca"][1], want)
    np.testing.assert_allclose(found["soil_moisture_sca_h"][0], 0.21, rtol=1e-6)
    np.testing.assert_allclose(found["brightness_temperature_h"], 230)
    np.testing.assert_allclose(found["land_surface_temperature"], 20, atol=1e-4)
    np.testing.assert_allclose(found["vegetation_opacity"], 0.3, rtol=1e-6)
    evening = read_smap(tmp_path, "PM", GRID, variables=["soil_moisture_dca"])
    assert list(evening.data_vars) == ["soil_moisture_dca"]
    np.testing.assert_allclose(evening["soil_moisture_dca"], 0.3, rtol=1e-6)
    thin = read_smap(tmp_path, "AM", EaseGrid(GRID.rows[::3], GRID.columns[1::2]), variables=["soil_moisture_dca"])
    np.testing.assert_array_equal(thin["soil_moisture_dca"][1], want[::3, 1::2])
    # Its cells are where the grid says: the rows run from the north.
    np.testing.assert_allclose(to_grid(ds, GRID)["soil_moisture_dca"], found["soil_moisture_dca"])


def test_smap_quality_flags(tmp_path):
    flag = np.zeros(GRID.shape, np.uint16)
    flag[0], flag[1], flag[2], flag[3], flag[4] = 0b1, 0b11, 0b101, 0b1000, 65534
    smap_file(tmp_path, "20180101", flag=flag)
    missing = {"recommended": [0, 1, 2, 4], "retrieved": [1, 2, 4], "all": []}
    for quality, rows in missing.items():
        ds = read_smap(tmp_path, "AM", GRID, quality).compute()
        assert np.flatnonzero(np.isnan(ds["soil_moisture_dca"][0]).all("x")).tolist() == rows, quality
        assert np.flatnonzero(np.isnan(ds["vegetation_opacity"][0]).all("x")).tolist() == rows, quality
        assert not np.isnan(ds["brightness_temperature_h"]).any()  # has a flag of its own


def test_smap_names_of_releases(tmp_path):
    old = smap_file(tmp_path, "20180101", skip=("soil_moisture_dca", "retrieval_qual_flag_dca"), release="R16510")
    with h5py.File(old, "a") as h5:  # up to release 16: option 3 is dual-channel, and `soil_moisture` is not
        group = h5["Soil_Moisture_Retrieval_Data_AM"]
        for key, source in (("soil_moisture_option3", "soil_moisture_scah"),
                            ("retrieval_qual_flag_option3", "retrieval_qual_flag_scah"),
                            ("soil_moisture", "soil_moisture_scav")):
            group.copy(source, key)
    ds = read_smap([old], "AM", GRID, variables=["soil_moisture_dca"])
    np.testing.assert_allclose(ds["soil_moisture_dca"], 0.21, rtol=1e-6)
    with h5py.File(old, "a") as h5:
        del h5["Soil_Moisture_Retrieval_Data_AM/soil_moisture_option3"]
    with pytest.raises(DataError, match="soil_moisture_dca: is not in the group"):
        read_smap([old], "AM", GRID, variables=["soil_moisture_dca"])


def test_smap_files_that_are_no_good(tmp_path):
    file = smap_file(tmp_path, "20180101", passes="AM")
    with pytest.raises(DataError, match=f"{file.name}: has no group Soil_Moisture_Retrieval_Data_PM"):
        read_smap(tmp_path, "PM", GRID)
    other = smap_file(tmp_path, "20180102", shape=(406, 964))
    with pytest.raises(DataError, match=f"{other.name}.* has 406 rows and 964 columns"):
        read_smap(tmp_path, "AM", GRID)
    other.unlink()
    again = smap_file(tmp_path, "20180101", release="R19240")
    with pytest.raises(DataError, match="date 2018-01-01 stands twice"):
        read_smap(tmp_path, "AM", GRID)
    again.unlink()
    bare = smap_file(tmp_path, "20180104", skip=("retrieval_qual_flag_dca",))
    with pytest.raises(DataError, match=f"{bare.name}.* has no quality flag"):
        read_smap(tmp_path, "AM", GRID)
    assert read_smap(tmp_path, "AM", GRID, "all").sizes["time"] == 2
    bare.unlink()
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(DataError, match="truncated"):
        read_smap(tmp_path, "AM", GRID)
    with pytest.raises(DataError, match="no date in its name"):
        read_smap([file.rename(tmp_path / "smap.h5")], "AM", GRID)
    with pytest.raises(DataError, match="holds no file named"):
        read_smap(tmp_path / "nothing")
    with pytest.raises(ValueError, match="36 km|9 km"):
        read_smap(tmp_path, "AM", EaseGrid.box(30, 40, -110, -90, 36))


def test_smap_values_that_cannot_be_are_named_when_computed(tmp_path):
    file = smap_file(tmp_path, "20180101")
    with h5py.File(file, "a") as h5:
        data = h5["Soil_Moisture_Retrieval_Data_AM/vegetation_water_content"]
        data[GRID.rows[0], GRID.columns[0]] = 1e20  # a fill value that the file does not declare
    ds = read_smap(tmp_path, "AM", GRID)
    with pytest.raises(DataError, match="vegetation_water_content: holds 1e\\+20"):
        ds["vegetation_water_content"].compute()


def test_opening_reads_no_values_and_a_day_reads_one_file(tmp_path):
    files = [smap_file(tmp_path, f"201801{day:02d}") for day in range(1, 35) if day < 32]
    files += [smap_file(tmp_path, f"201802{day:02d}") for day in range(1, 5)]
    ds = read_smap(tmp_path, "AM", GRID)
    for file in files[:32]:
        file.unlink()
    assert ds["soil_moisture_dca"].chunks[0] == (32, 3)
    np.testing.assert_allclose(ds["soil_moisture_dca"][-3:], 0.2, rtol=1e-6)
    parts = [ds[name][-3:] for name in ("soil_moisture_dca", "vegetation_opacity", "brightness_temperature_h")]
    values = dask.compute(*parts, scheduler="threads", num_workers=4)
    assert [float(v.mean()) for v in values] == pytest.approx([0.2, 0.3, 230])
    with pytest.raises(DataError, match="SMAP_L3_SM_P_E_20180101"):
        ds["soil_moisture_dca"].compute()


# --- NLDAS-2

LAT, LON = 37.0625 + 0.125 * np.arange(24), -101.0625 + 0.125 * np.arange(32)  # from the south, as NLDAS-2 has it


def nldas_file(folder, stamp, water=(20.0, 90.0, 180.0, 500.0), lat=LAT, units="kg m-2", skip=(), fill=FILL):
    stamp = pd.Timestamp(stamp)
    file = folder / f"NLDAS_NOAH0125_H.A{stamp:%Y%m%d.%H}00.020.nc"
    with netCDF4.Dataset(file, "w") as nc:
        for name, size in (("time", None), ("lat", len(lat)), ("lon", len(LON))):
            nc.createDimension(name, size)
        for name, values in (("lat", lat), ("lon", LON)):
            nc.createVariable(name, "f4", (name,))[:] = values
        time = nc.createVariable("time", "f8", ("time",))
        time.units = "hours since 1979-01-01 00:00:00"
        time[:] = [(stamp - pd.Timestamp("1979-01-01")) / pd.Timedelta("1h")]
        for name, value in zip(("0_10", "10_40", "40_100", "100_200"), water, strict=True):
            if name not in skip:
                v = nc.createVariable(f"SoilM_{name}cm", "f4", ("time", "lat", "lon"), fill_value=fill)
                v.units = units
                v[:] = np.broadcast_to(value, (1, len(lat), len(LON)))
    return file


def test_nldas_daily_means_of_hours(tmp_path):
    for hour in range(24):
        nldas_file(tmp_path, f"2018-01-01 {hour:02d}:00", water=(20.0 + hour, 90.0, 180.0, 500.0))
    for hour in range(12):
        nldas_file(tmp_path, f"2018-01-02 {hour:02d}:00")
    ds = read_nldas(tmp_path)
    validate(ds)
    assert ds["soil_moisture"].dims == ("time", "layer", "y", "x") and ds["lat"][0] > ds["lat"][-1]
    assert dask.is_dask_collection(ds["soil_moisture"]) and ds["bottom_m"].values.tolist() == [0.1, 0.4, 1.0]
    found = ds["soil_moisture"].compute()
    for layer, want in enumerate(((20 + 11.5) / 100, 90 / 300, 180 / 600)):
        np.testing.assert_allclose(found[0, layer], want, rtol=1e-6)
    assert np.isnan(found[1]).all()  # half a day is not a day
    assert read_nldas(tmp_path, layers=4)["soil_moisture"].sizes["layer"] == 4


def test_nldas_daily_files_and_the_sea(tmp_path):
    field = 10 + 0.5 * np.arange(24)[:, None] + 0.1 * np.arange(32)
    field[:3] = FILL
    for day in ("2018-01-01", "2018-01-02"):
        nldas_file(tmp_path, day, water=(field, 90.0, 180.0, 500.0))
    found = read_nldas(tmp_path)["soil_moisture"][:, 0, ::-1].compute()
    np.testing.assert_allclose(found[1], np.where(field == FILL, np.nan, field / 100), rtol=1e-6)
    on_grid = to_grid(read_nldas(tmp_path), GRID)["soil_moisture"][0, 0]
    rows = (GRID.lat - LAT[0]) / 0.125
    columns = (GRID.lon - LON[0]) / 0.125
    np.testing.assert_allclose(on_grid, (10 + 0.5 * rows[:, None] + 0.1 * columns) / 100, atol=2e-5)


def test_nldas_files_that_are_no_good(tmp_path):
    nldas_file(tmp_path, "2018-01-01")
    for bad, message in (({"skip": ("10_40",)}, "SoilM_10_40cm: is missing; there are"),
                         ({"units": "m3 m-3"}, "has units 'm3 m-3', not 'kg m-2'"),
                         ({"lat": LAT + 0.5}, "has another grid than NLDAS_NOAH0125_H.A20180101")):
        file = nldas_file(tmp_path, "2018-01-02", **bad)
        with pytest.raises(DataError, match=f"{file.name}.*{message}"):
            read_nldas(tmp_path)
    file = nldas_file(tmp_path, "2018-01-02", water=(9999.0, 90, 180, 500))
    with pytest.raises(DataError, match=f"{file.name}: soil_moisture: holds 99.99 m3 m-3"):
        read_nldas(tmp_path).compute()
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match="truncated"):
        read_nldas(tmp_path)


# --- IMERG


def imerg_file(folder, day, rain, name="precipitation", units="mm/day"):
    """Daily precipitation over (lon, lat), as IMERG has it, of a part of the world."""
    lat, lon = 37.05 + 0.1 * np.arange(30), -101.05 + 0.1 * np.arange(40)
    file = folder / f"3B-DAY.MS.MRG.3IMERG.{day}-S000000-E235959.V07B.nc4"
    with netCDF4.Dataset(file, "w") as nc:
        for dim, values in (("time", None), ("lon", lon), ("lat", lat)):
            nc.createDimension(dim, None if values is None else len(values))
            v = nc.createVariable(dim, "f8" if dim == "time" else "f4", (dim,))
            if values is not None:
                v[:] = values
        nc["time"].units = "days since 1970-01-01 00:00:00Z"
        nc["time"][:] = [(pd.Timestamp(day) - pd.Timestamp("1970-01-01")).days]
        v = nc.createVariable(name, "f4", ("time", "lon", "lat"), fill_value=np.float32(-9999.9))
        v.units = units
        v[:] = rain[None]
    return file


def test_imerg(tmp_path):
    rng = np.random.default_rng(0)
    fields = rng.gamma(0.4, 12, (3, 40, 30)).astype(np.float32)
    fields[1, 4, 7] = np.float32(-9999.9)
    for k in range(3):
        imerg_file(tmp_path, f"2018010{k + 1}", fields[k])
    ds = read_imerg(tmp_path)
    validate(ds, needs=("precipitation",))
    assert dask.is_dask_collection(ds["precipitation"]) and ds["lat"][0] > ds["lat"][-1]
    want = np.where(fields == np.float32(-9999.9), np.nan, fields).transpose(0, 2, 1)[:, ::-1]
    np.testing.assert_allclose(ds["precipitation"], want, rtol=1e-6)
    on_grid = to_grid(ds, GRID)["precipitation"]
    assert on_grid.min() == 0  # a cubic overshoots
    # As wide as the grid's cells: the mean over the region is kept, about.
    region = ds["precipitation"][0].values[(ds["lat"] > 38) & (ds["lat"] < 39)][:, (ds["lon"] > -100)
                                                                               & (ds["lon"] < -98.5)]
    assert float(on_grid[0].mean()) == pytest.approx(region.mean(), rel=0.1)


def test_imerg_files_that_are_no_good(tmp_path):
    rain = np.ones((40, 30))
    with pytest.raises(DataError, match="has units 'mm/hr'.* is it the daily product"):
        read_imerg([imerg_file(tmp_path, "20180101", rain, units="mm/hr")])
    with pytest.raises(DataError, match="holds no precipitation or precipitationCal, but .*HQprecipitation"):
        read_imerg([imerg_file(tmp_path, "20180101", rain, name="HQprecipitation")])
    file = imerg_file(tmp_path, "20180101", rain)
    file.write_bytes(file.read_bytes()[:4000])
    with pytest.raises(DataError, match="truncated"):
        read_imerg(tmp_path)


# --- GeoTIFF


def tif(file, values, transform, crs, nodata=None, **options):
    with rasterio.open(file, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
                       dtype=values.dtype, crs=crs, transform=transform, nodata=nodata, **options) as out:
        out.write(values, 1)
    return file


def around(crs, pixel, grid=GRID, margin=2):
    """A raster in `crs` around the grid: its transform, shape, and the row and column on the grid of each pixel."""
    west, south, east, north = rasterio.warp.transform_bounds("EPSG:6933", crs, *grid.bounds, densify_pts=101)
    west, north = np.floor(west / pixel) * pixel - margin * pixel, np.ceil(north / pixel) * pixel + margin * pixel
    shape = int((north - south) / pixel) + margin, int((east - west) / pixel) + margin
    x, y = np.meshgrid(west + pixel * (np.arange(shape[1]) + 0.5), north - pixel * (np.arange(shape[0]) + 0.5))
    ex, ey = Transformer.from_crs(crs, 6933, always_xy=True).transform(x, y)
    row = np.floor((grid.y[0] - ey) / grid.step + 0.5)
    column = np.floor((ex - grid.x[0]) / grid.step + 0.5)
    inside = (row >= 0) & (row < grid.shape[0]) & (column >= 0) & (column < grid.shape[1])
    return from_origin(west, north, pixel, pixel), shape, np.where(inside, row * grid.shape[1] + column, -1).astype(int)


def means(values, cell, grid=GRID):
    """Mean of pixels by the cell that each is said to lie in, the plain way."""
    found = pd.Series(values[cell >= 0], dtype=float).groupby(cell[cell >= 0]).mean()
    return found.reindex(range(grid.shape[0] * grid.shape[1])).to_numpy().reshape(grid.shape)


@pytest.fixture(scope="module")
def solus(tmp_path_factory):
    """Clay and bulk density at some depths in Conus Albers, 500 m: folder, the maps, and each pixel's cell."""
    folder = tmp_path_factory.mktemp("solus")
    transform, shape, cell = around("EPSG:5070", 500.0)
    rng = np.random.default_rng(0)
    maps = {}
    for depth in (0, 5, 15, 30, 60, 100, 150):
        clay = rng.integers(5, 60, shape).astype(np.uint8)
        clay[rng.random(shape) < 0.1] = 255
        clay[np.isin(cell, [17, 18])] = 255
        maps[depth] = np.where(clay == 255, np.nan, clay)
        tif(folder / f"claytotal_{depth}_cm_p.tif", clay, transform, "EPSG:5070", 255, tiled=True, blockxsize=128,
            blockysize=128, compress="deflate")
        tif(folder / f"claytotal_{depth}_cm_h.tif", clay, transform, "EPSG:5070", 255)  # its upper limit: not read
    tif(folder / "dbovendry_0_cm_p.tif", np.full(shape, 135, np.uint8), transform, "EPSG:5070", 255)
    tif(folder / "dbovendry_150_cm_p.tif", np.full(shape, 165, np.uint8), transform, "EPSG:5070", 255)
    return folder, maps, cell


def test_solus(solus):
    folder, maps, cell = solus
    ds = read_solus(folder, GRID)
    assert dask.is_dask_collection(ds["clay"]) and ds["clay"].dims == ("layer", "y", "x")
    validate(ds, needs=("clay", "bulk_density"))
    at = {depth: means(values, cell) for depth, values in maps.items()}
    found = ds["clay"].values
    # Straight lines between depths: 0-5, 5-10 of 5-15, for the upper layer.
    ten = (at[5] + at[15]) / 2
    np.testing.assert_allclose(found[0], ((at[0] + at[5]) / 2 * 5 + (at[5] + ten) / 2 * 5) / 10, rtol=5e-3)
    assert np.isnan(found[:, 1, 1:3]).all() and not np.isnan(np.delete(found, [1, 2], 2)).any()
    np.testing.assert_allclose(ds["bulk_density"][:, 0, 0], 1.35 + 0.3 * np.array([0.05, 0.25, 0.7]) / 1.5, rtol=1e-5)


def test_solus_factors_of_the_publishers_table(solus, tmp_path):
    folder, maps, cell = solus
    for depth in (0, 150):
        (tmp_path / f"claytotal_{depth}_cm_p.tif").symlink_to(folder / f"claytotal_{depth}_cm_p.tif")
    pd.DataFrame({"filename": ["claytotal_0_cm_p.tif", "claytotal_150_cm_p.tif"], "scalar": [10, 10]}).to_csv(
        tmp_path / "Final_Layer_Table_20231215.csv", index=False)
    top = read_solus(tmp_path, GRID, [(0.0, 1e-6)])["clay"][0]
    np.testing.assert_allclose(top, means(maps[0], cell) / 10, rtol=5e-3)


def test_layer_weights():
    weights = layer_weights([0, 0.05, 0.15, 0.3, 0.6, 1.0, 1.5], [(0, 0.1), (0.1, 0.4), (0.4, 1.0)])
    np.testing.assert_allclose(weights.sum(1), 1)
    np.testing.assert_allclose(weights @ [0, 0.05, 0.15, 0.3, 0.6, 1.0, 1.5], [0.05, 0.25, 0.7])  # a straight line
    np.testing.assert_allclose(layer_weights([0.0], [(0, 0.1)]), [[1]])
    with pytest.raises(DataError, match="do not reach into the layer"):
        layer_weights([0, 0.3], [(0.4, 1.0)])


def test_the_same_truth_in_any_projection(tmp_path):
    """A field that is linear in place, in three projections: each cell's mean is the value at its centre."""
    def field(lat, lon):
        return 30 + 8 * (lat - 38.5) + 5 * (lon + 99.2)

    want = field(GRID.lat[:, None], GRID.lon)
    for crs, pixel in (("EPSG:5070", 300.0), (SINUSOIDAL, 463.3127165), ("EPSG:4326", 0.004)):
        transform, shape, _ = around(crs, pixel)
        columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
        lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(*(transform * (columns, rows)))
        tif(tmp_path / "claytotal_0_cm_p.tif", field(lat, lon).astype(np.float32), transform, crs)
        found = read_solus(tmp_path, GRID, [(0.0, 0.1)])["clay"][0].values
        assert abs(found - want).max() < 0.02, crs
        assert abs((found - want).mean()) < 0.002, crs


def test_rasters_that_are_no_good(solus, tmp_path):
    transform, shape, _ = around("EPSG:5070", 1000.0)
    clay = np.full(shape, 20, np.uint8)
    file = tmp_path / "claytotal_0_cm_p.tif"
    for crs, place, message in ((None, transform, r"no CRS"),
                                ("EPSG:5070", rasterio.Affine.identity(), "does not say where its pixels are"),
                                ("EPSG:4326", transform, "says that its coordinates are degrees"),
                                ("EPSG:3577", transform, "covers no cell of the grid"),  # Albers of Australia
                                ('LOCAL_CS["drawing",UNIT["metre",1]]', transform, "not understood")):
        tif(file, clay, place, crs)
        with pytest.raises(DataError, match=f"{file.name}.*{message}"):
            read_solus(tmp_path, GRID).compute()
    file.unlink()
    with pytest.raises(DataError, match="there is no SOLUS100 map"):
        read_solus([solus[0] / "claytotal_0_cm_h.tif"], GRID)
    tif(file, np.random.default_rng(0).integers(0, 60, shape).astype(np.uint8), transform, "EPSG:5070")
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(DataError, match="truncated"):
        read_solus(tmp_path, GRID, [(0.0, 0.1)]).compute()


def modis_files(folder, doy, stored, quality, tiles=1):
    transform, shape, _ = around(SINUSOIDAL, 926.625433)
    parts = np.array_split(np.arange(shape[1]), tiles)
    for k, columns in enumerate(parts):
        place = transform * transform.translation(columns[0], 0)
        for name, values, fill in (("Nadir_Reflectance_Band7", stored, 32767),
                                   ("BRDF_Albedo_Band_Mandatory_Quality_Band7", quality, 255)):
            tif(folder / f"MCD43A4.061_{name}_doy{doy}_aid{k:04d}.tif", values[:, columns], place, SINUSOIDAL, fill)


def test_modis_reflectance(tmp_path):
    _, shape, cell = around(SINUSOIDAL, 926.625433)
    rng = np.random.default_rng(0)
    stored, quality = rng.integers(500, 4000, shape).astype(np.int16), rng.integers(0, 2, shape).astype(np.uint8)
    stored[rng.random(shape) < 0.2] = 32767
    stored[cell == 30] = 32767
    stored[cell == 31] = 0  # would be an infinite ratio
    modis_files(tmp_path, 2018001, stored, quality, tiles=2)
    modis_files(tmp_path, 2018002, np.full(shape, 2000, np.int16), np.zeros(shape, np.uint8))
    r = np.where((stored == 32767) | (stored == 0), np.nan, stored * 1e-4)
    ratio = (1 - r) ** 2 / (2 * r)
    for worst, kept in ((0, quality == 0), (1, quality <= 1), (None, quality <= 255)):
        ds = read_swir_transform(tmp_path, GRID, quality=worst)
        validate(ds, needs=("swir_transform",))
        assert dask.is_dask_collection(ds["swir_transform"]) and ds.indexes["time"][1] == pd.Timestamp("2018-01-02")
        np.testing.assert_allclose(ds["swir_transform"][0], means(np.where(kept, ratio, np.nan), cell), rtol=1e-4)
    np.testing.assert_allclose(ds["swir_transform"][1], 0.8**2 / 0.4, rtol=1e-5)
    assert np.isnan(ds["swir_transform"].values[0].ravel()[[30, 31]]).all()
    next(tmp_path.glob("*Quality*2018002*")).unlink()
    with pytest.raises(DataError, match="has no file of quality"):
        read_swir_transform(tmp_path, GRID)
    with pytest.raises(DataError, match="no file of MOD09's band 7"):
        read_swir_transform(tmp_path, GRID, product="MOD09", quality=None)


def test_modis_pairs_must_fit(tmp_path):
    _, shape, _ = around(SINUSOIDAL, 926.625433)
    modis_files(tmp_path, 2018001, np.full(shape, 2000, np.int16), np.zeros(shape, np.uint8))
    file = next(tmp_path.glob("*Quality*"))
    tif(file, np.zeros((10, 10), np.uint8), around(SINUSOIDAL, 926.625433)[0], SINUSOIDAL)
    with pytest.raises(DataError, match="has another grid than MCD43A4.061_Nadir"):
        read_swir_transform(tmp_path, GRID)


def test_modis_land_cover(tmp_path):
    transform, shape, cell = around(SINUSOIDAL, 463.3127165)
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 18, GRID.shape)
    classes = np.where(rng.random(shape) < 0.7, truth.ravel()[cell], rng.integers(1, 18, shape)).astype(np.uint8)
    classes[cell == 5] = 255
    classes[cell == 6] = np.where(rng.random((cell == 6).sum()) < 0.9, 255, 3)  # what is there decides
    file = tif(tmp_path / "MCD12Q1.061_LC_Type1_doy2018001_aid0001.tif", classes, transform, SINUSOIDAL)
    ds = read_land_cover(tmp_path, GRID)
    assert dask.is_dask_collection(ds["land_cover"])
    validate(ds, needs=("land_cover",))
    want = truth.astype(float).ravel()
    want[5], want[6] = np.nan, 3
    np.testing.assert_array_equal(ds["land_cover"], want.reshape(GRID.shape))
    (tmp_path / "MCD12Q1.061_LC_Type1_doy2019001_aid0001.tif").write_bytes(file.read_bytes())
    with pytest.raises(DataError, match="holds 2 years"):
        read_land_cover(tmp_path, GRID)


@pytest.mark.parametrize("crs, pixel", [("EPSG:4326", 1 / 240), ("EPSG:5070", 400.0)])
def test_terrain_of_a_plane_and_of_a_bowl(tmp_path, crs, pixel):
    transform, shape, _ = around(crs, pixel, margin=12)
    columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    px, py = transform * (columns, rows)
    if crs == "EPSG:4326":
        metres = np.radians(1) * 6371e3
        south, east = py * metres, (px + 99.25) * metres * np.cos(np.radians(py))
        south -= 38.5 * metres
    else:
        south, east = py - py.mean(), px - px.mean()
    # A plane that falls to the north-east, half as steep as 1 in 100 each way.
    plane = (2000 - 0.005 * south - 0.005 * east).astype(np.float32)
    if crs == "EPSG:4326":  # on parallels and meridians east is not a plane's direction: one that falls to the north
        plane = (2000 - 0.01 * south).astype(np.float32)
    tif(tmp_path / "n38_w100.tif", plane, transform, crs, -32768)
    ds = read_terrain(tmp_path, GRID)
    assert dask.is_dask_collection(ds["slope"])
    validate(ds, needs=("elevation", "slope", "aspect", "curvature", "flow_accumulation"))
    steep, direction = (0.01, 0.0) if crs == "EPSG:4326" else (0.005 * np.sqrt(2), 45.0)
    np.testing.assert_allclose(ds["slope"], np.degrees(np.arctan(steep)), rtol=1e-3)
    assert abs((ds["aspect"] - direction + 180) % 360 - 180).max() < 0.5
    np.testing.assert_allclose(ds["curvature"], 0, atol=2e-8)
    bowl = (1000 + 1e-6 * (south**2 + east**2)).astype(np.float32)
    if crs != "EPSG:4326":
        tif(tmp_path / "n38_w100.tif", bowl, transform, crs, -32768)
        np.testing.assert_allclose(read_terrain(tmp_path, GRID)["curvature"], -4e-6, rtol=0.02)


def test_terrain_of_tiles_and_voids(tmp_path):
    """Two tiles are the map that they make up but for slopes at their seam, and voids are not taken for depths."""
    transform, shape, cell = around("EPSG:4326", 1 / 240)
    rng = np.random.default_rng(0)
    height = (500 + 50 * np.sin(np.arange(shape[0])[:, None] / 20) + rng.normal(0, 2, shape)).astype(np.int16)
    height[np.isin(cell, [40])] = -32768
    (tmp_path / "one").mkdir(), (tmp_path / "two").mkdir()
    tif(tmp_path / "one" / "all.tif", height, transform, "EPSG:4326", -32768)
    half = shape[1] // 2
    tif(tmp_path / "two" / "w.tif", height[:, :half], transform, "EPSG:4326", -32768)
    tif(tmp_path / "two" / "e.tif", height[:, half:], transform * transform.translation(half, 0), "EPSG:4326", -32768)
    one, two = (read_terrain(tmp_path / name, GRID).compute() for name in ("one", "two"))
    np.testing.assert_allclose(one["elevation"], two["elevation"], rtol=1e-5)
    np.testing.assert_allclose(one["elevation"], means(np.where(height == -32768, np.nan, height), cell), rtol=1e-5)
    assert np.isnan(one["elevation"].values.ravel()[40]) and one["elevation"].min() > 400
    np.testing.assert_allclose(one["flow_accumulation"], two["flow_accumulation"], rtol=1e-5)
    assert abs(one["slope"] - two["slope"]).max() < 0.1 * float(one["slope"].mean())


def test_water_runs_to_the_bottom_of_a_valley(tmp_path):
    """What flows out of a valley that falls to the south is all its area."""
    transform, shape, _ = around("EPSG:6933", 500.0, margin=0)
    columns, rows = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    middle = shape[1] / 2 + 3
    tif(tmp_path / "dem.tif", (3000 - rows + 5 * abs(columns - middle)).astype(np.float32), transform, "EPSG:6933")
    ds = read_terrain(tmp_path, GRID).compute()
    area = ds["flow_accumulation"]
    fine = (GRID.step / 9 / 1000) ** 2
    whole = fine * 81 * np.prod(GRID.shape)
    assert area.min() >= fine
    column = int(area.mean("y").values.argmax())
    assert abs(GRID.x[column] - (transform.c + 500 * middle)) < GRID.step
    # Of the nine by nine fine cells of the lowest cell, one column carries the valley's water.
    assert 0.6 * whole / 9 < float(area[-1, column]) < 1.1 * whole / 9
    assert bool((area[:, column].diff("y") > 0).all())


def test_opening_rasters_computes_nothing(solus, monkeypatch):
    def fail(*args):
        raise AssertionError("values were read")

    monkeypatch.setattr(rasters, "_read", fail)
    ds = read_solus(solus[0], GRID)
    assert isinstance(ds, xr.Dataset)
    with pytest.raises(AssertionError, match="values were read"):
        ds["clay"].compute()


def test_pixels_lie_in_their_cells(solus):
    """But for some on an edge, as only every 16th of a row is projected."""
    with rasterio.open(solus[0] / "claytotal_0_cm_p.tif") as raster:
        found = rasters._cells(tuple(raster.transform)[:6], raster.crs, (0, raster.height), (0, raster.width), GRID)
    assert 0 < (found != solus[2]).mean() < 5e-4


def test_strips_make_no_difference(solus, monkeypatch):
    whole = read_solus(solus[0], GRID)["clay"].values
    monkeypatch.setattr(rasters, "STRIP", 2000)
    np.testing.assert_allclose(read_solus(solus[0], GRID)["clay"], whole, rtol=1e-6)
