"""Sources on one EASE-Grid 2.0: known fields are recovered by means, by interpolation and by selection."""

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyproj import Transformer

from smlib.data.cube import average_passes, cube, write_cube
from smlib.data.ease import WIDTH_M, EaseGrid
from smlib.data.harmonise import to_grid
from smlib.data.schema import DataError, validate, with_attributes
from smlib.nature import grids

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own

GRID = EaseGrid.box(38, 39, -100, -98.5)
DAYS = pd.date_range("2018-01-01", periods=5)


def dataset(variables, lat, lon, days=DAYS, chunk=None, **coords):
    """Canonical dataset of name -> (..., y, x), with a time where it has more than two dims."""
    def dims(values):
        return {2: (), 3: ("time",), 4: ("time", "layer")}[np.ndim(values)] + ("y", "x")

    data = {name: (dims(values), np.asarray(values, np.float32)) for name, values in variables.items()}
    place = [("y", "x") if np.ndim(v) == 2 else (d,) for v, d in ((lat, "y"), (lon, "x"))]
    times = {"time": days.astype("datetime64[ns]")} if any("time" in d for d, _ in data.values()) else {}
    ds = with_attributes(xr.Dataset(data, times | {"lat": (place[0], lat), "lon": (place[1], lon)} | coords))
    return ds.chunk({"time": chunk}) if chunk else ds


def smooth(lat, lon):
    """A quadratic in degrees."""
    return 0.2 + 0.05 * (lat - 38) - 0.03 * (lon + 99) + 0.02 * (lat - 38) ** 2 + 0.01 * (lon + 99) ** 2


def regular(spacing, south=35.0, north=42.0, west=-104.0, east=-94.0):
    return (np.arange(north - spacing / 2, south, -spacing), np.arange(west + spacing / 2, east, spacing))


@pytest.mark.parametrize("spacing, every", [(9, 1), (36, 1), (9, 24), (3, 5)])
def test_the_grid_is_that_of_the_simulated_world(spacing, every):
    grid, other = EaseGrid.box(25, 49.5, -125, -67, spacing, every), grids.ease(25, 49.5, -125, -67, spacing, every)
    assert grid.shape == other.shape
    np.testing.assert_allclose(grid.lat, other.lat[:, 0], atol=1e-5)
    np.testing.assert_allclose(grid.lon, other.lon[0], atol=1e-5)


def test_the_grid_is_told_by_its_coordinates():
    for grid in (GRID, EaseGrid.box(30, 45, -110, -80, 36), EaseGrid.box(30, 45, -110, -80, 9, every=7)):
        ds = grid.dataset({"elevation": (("y", "x"), np.zeros(grid.shape, np.float32))})
        assert EaseGrid.of(ds) == grid
        single = ds.assign_coords(lat=ds["lat"].astype(np.float32), lon=ds["lon"].astype(np.float32))
        assert EaseGrid.of(single) == grid
    assert EaseGrid.of(dataset({"elevation": np.zeros((28, 40))}, *regular(0.25))) is None
    with pytest.raises(DataError, match="no centre of a cell"):
        EaseGrid.box(38, 38.001, -100, -99)


def test_points_are_found_in_their_cells_and_nowhere_else():
    x, y = np.meshgrid(GRID.x, GRID.y)
    numbers = np.arange(x.size).reshape(x.shape)
    for shift in (-0.49, 0, 0.49):
        np.testing.assert_array_equal(GRID.find(x + shift * GRID.step, y - shift * GRID.step), numbers)
    assert (GRID.find(x[:1], y[:1] + GRID.step) == -1).all() and GRID.find(np.nan, 0.0) == -1
    thin = EaseGrid(GRID.rows[::3], GRID.columns[::2])
    found = thin.find(x, y)
    np.testing.assert_array_equal(found[::3, ::2], np.arange(np.prod(thin.shape)).reshape(thin.shape))
    assert (found >= 0).sum() == np.prod(thin.shape)  # what lies between the cells of a picture is in none


def nested(times=4):
    """Latitudes and longitudes of pixels of which `times` by `times` make a cell of GRID."""
    offset = (np.arange(times) - (times - 1) / 2) / times * GRID.step
    x, y = (GRID.x[:, None] + offset).ravel(), (GRID.y[:, None] - offset).ravel()
    back = Transformer.from_crs(6933, 4326, always_xy=True)
    return back.transform(0 * y, y)[1], back.transform(x, 0 * x)[0]


def test_mean_of_fine_data_is_the_block_mean():
    lat, lon = nested()
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 30, (5, len(lat), len(lon))).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, :4, :4] = np.nan
    blocks = values.reshape(5, GRID.shape[0], 4, GRID.shape[1], 4)
    want, held = np.nanmean(np.where(np.isnan(blocks).all((2, 4), keepdims=True), 0, blocks), (2, 4)), \
        (~np.isnan(blocks)).sum((2, 4))
    for shape in (1, 2):  # the same pixels with one coordinate a row, or one a pixel
        place = (lat, lon) if shape == 1 else np.meshgrid(lat, lon, indexing="ij")
        found = to_grid(dataset({"precipitation": values}, *place, chunk=2), GRID)["precipitation"]
        assert dask.is_dask_collection(found) and found.chunks[0] == (2, 2, 1)
        np.testing.assert_allclose(found, np.where(held > 0, want, np.nan), rtol=1e-5)
        np.testing.assert_allclose((found.fillna(0) * held).sum(), np.nansum(values), rtol=1e-5)  # nothing is lost
    most = to_grid(dataset({"precipitation": values}, lat, lon), GRID, share=0.7)["precipitation"].values
    np.testing.assert_array_equal(np.isnan(most), held < 0.7 * 16)


def test_land_cover_is_the_commonest_and_aspect_a_direction():
    lat, lon = nested(3)
    classes = np.tile([[1, 2, 2], [2, 5, 5], [1, 1, 12]], GRID.shape).astype(float)  # three of 1 and of 2, two of 5
    aspect = np.tile([[350, 10, 350], [10, np.nan, np.nan], [350, 10, np.nan]], GRID.shape)
    found = to_grid(dataset({"land_cover": classes, "aspect": aspect}, lat, lon), GRID)
    assert (found["land_cover"] == 1).all()
    assert (np.cos(np.radians(found["aspect"])) > 0.99999).all()  # north, not 180 degrees


@pytest.mark.parametrize("spacing", [0.125, 0.5])
def test_cubic_interpolation_reproduces_a_quadratic(spacing):
    lat, lon = regular(spacing)
    source = dataset({"soil_moisture": np.tile(smooth(lat[:, None], lon), (5, 1, 1))}, lat, lon, chunk=2)
    want = smooth(GRID.lat[:, None], GRID.lon)
    found = to_grid(source, GRID)["soil_moisture"]
    np.testing.assert_allclose(found.isel(time=3), want, atol=1e-6)
    flipped = to_grid(source.isel(y=slice(None, None, -1)), GRID)["soil_moisture"]
    np.testing.assert_allclose(flipped, found, atol=1e-6)
    thin = EaseGrid(GRID.rows[1::4], GRID.columns[2::4])  # a picture of some cells has the values of these cells
    np.testing.assert_allclose(to_grid(source, thin)["soil_moisture"], found[:, 1::4, 2::4], atol=1e-6)


def test_cubic_interpolation_keeps_to_what_is_there():
    lat, lon = regular(0.5)
    rain = np.tile(np.where(lon > -99.3, 50.0, 0.0), (1, len(lat), 1))
    rain = dataset({"precipitation": rain}, lat, lon, DAYS[:1])
    assert to_grid(rain.rename(precipitation="unknown"), GRID)["unknown"].min() < -1
    assert to_grid(rain, GRID)["precipitation"].min() == 0  # a cubic overshoots, rain does not
    # One missing value: missing are the cells that it is the nearest to; no other is further off than before.
    y, x = abs(lat - 38.5).argmin(), abs(lon + 99.2).argmin()
    values = np.tile(smooth(lat[:, None], lon), (2, 1, 1))
    values[1, y, x] = np.nan
    both = to_grid(dataset({"soil_moisture": values}, lat, lon, DAYS[:2]), GRID)["soil_moisture"].values
    near = (abs(GRID.lat[:, None] - lat[y]) < 0.25) & (abs(GRID.lon - lon[x]) < 0.25)
    np.testing.assert_array_equal(np.isnan(both[1]), near)
    assert not np.isnan(both[0]).any() and 0 < np.nanmax(abs(both[1] - both[0])) < 0.05
    outside = to_grid(dataset({"soil_moisture": values}, lat + 3.2, lon, DAYS[:2]), GRID)["soil_moisture"][0]
    np.testing.assert_array_equal(np.isnan(outside), np.tile(GRID.lat[:, None] < (lat + 3.2).min() - 0.25,
                                                             (1, GRID.shape[1])))


def test_cells_of_the_same_grid_are_taken_as_they_are():
    wide = EaseGrid.box(37, 38.6, -101, -98)
    values = np.random.default_rng(1).uniform(0.05, 0.4, (5, *wide.shape)).astype(np.float32)
    found = to_grid(dataset({"soil_moisture": values}, wide.lat, wide.lon, chunk=1), GRID)["soil_moisture"]
    kept = GRID.lat <= wide.lat[0] + 1e-6
    assert 0 < kept.sum() < len(kept)
    rows = np.searchsorted(-wide.lat, -GRID.lat[kept] - 1e-6)
    columns = np.searchsorted(wide.lon, GRID.lon - 1e-6)
    np.testing.assert_array_equal(found[:, kept], values[:, rows][:, :, columns])
    assert np.isnan(found[:, ~kept]).all()


def test_grids_that_cannot_be_used_are_named():
    lat, lon = regular(0.5)
    uneven = dataset({"soil_moisture": np.ones((5, len(lat), len(lon)))}, lat + 0.1 * np.sin(9 * lat), lon)
    with pytest.raises(DataError, match=r"nldas.nc: lat, lon: .*neither evenly spaced"):
        to_grid(uneven, GRID, file="nldas.nc")
    for spacing in (0.5, 0.02):
        lat, lon = regular(spacing, 60, 63, -104, -101)
        with pytest.raises(DataError, match="covers no cell of the grid"):
            to_grid(dataset({"soil_moisture": np.ones((5, len(lat), len(lon)))}, lat, lon), GRID)
    with pytest.raises(DataError, match="missing from the coordinates"):
        to_grid(uneven.drop_vars("lat"), GRID)
    with pytest.raises(DataError, match="cannot be selected"):
        to_grid(uneven, GRID, "select")


def test_mean_of_passes():
    am = np.full((2, *GRID.shape), 0.2)
    pm = np.full((2, *GRID.shape), 0.4)
    am[:, 0], pm[:, :2] = np.nan, np.nan  # row 0: none; row 1: morning alone
    first = dataset({"soil_moisture_dca": am}, GRID.lat, GRID.lon, DAYS[:2], chunk=1)
    second = dataset({"soil_moisture_dca": pm}, GRID.lat, GRID.lon, DAYS[1:3], chunk=1)
    found = average_passes(first, second)
    assert dask.is_dask_collection(found["soil_moisture_dca"])
    validate(found, needs=())
    values = found["soil_moisture_dca"].values
    assert values.shape[0] == 3 and np.isnan(values[:, 0]).all()
    np.testing.assert_allclose(values[0, 1:], 0.2, rtol=1e-6)  # one pass that day
    np.testing.assert_allclose(values[1, 1], 0.2, rtol=1e-6)
    np.testing.assert_allclose(values[1, 2:], 0.3, rtol=1e-6)
    np.testing.assert_allclose(values[2, 2:], 0.4, rtol=1e-6)
    assert np.isnan(values[2, 1]).all()
    with pytest.raises(DataError, match="different grids"):
        average_passes(first, second.isel(y=slice(1, None)))


def world_like(every=7):
    """Groups as the simulated CONUS has them: thinned 9 km cells, and a thinned 0.125 degree grid of a model."""
    cells = grids.ease(30, 44, -110, -90, 9, every=every)
    thin = grids.regular(30, 44, -110, -90, 0.125)
    part = slice(2, None, 5)
    lat, lon = cells.lat[:, 0], cells.lon[0]
    model = thin.lat[part, 0], thin.lon[0, part]

    def at(place, scale=1.0):
        return np.tile(np.float32(scale * (0.2 + 0.005 * (place[0][:, None] - 37) + 0.002 * (place[1] + 100))),
                       (5, 1, 1))

    layers = {"layer": [1, 2, 3], "top_m": ("layer", [0, 0.1, 0.4]), "bottom_m": ("layer", [0.1, 0.4, 1.0])}
    passes = [dataset({"soil_moisture_dca": at((lat, lon))}, lat, lon, chunk=2) for _ in range(2)]
    passes[0]["soil_moisture_dca"][:, 3] = np.nan
    soil = np.stack([at(model)] * 3, 1)
    solus = dataset({"sand": at((lat, lon), 100)[0]}, lat, lon)
    solus = solus.expand_dims(layer=3).assign_coords(layers)
    solus["sand"] = solus["sand"].transpose("layer", "y", "x")
    return {"smap": average_passes(*passes), "nldas": dataset({"soil_moisture": soil}, *model, chunk=2, **layers),
            "imerg": dataset({"precipitation": at((lat, lon), 10)[:3]}, lat, lon, DAYS[:3]), "solus": solus,
            "statics": dataset({"land_cover": np.full((len(lat), len(lon)), 10.0)}, lat, lon)}, (lat, lon)


def test_a_cube_of_world_like_groups(tmp_path):
    sources, (lat, lon) = world_like()
    grid = EaseGrid.of(sources["smap"])
    assert grid.columns.step == 7
    found = cube(sources, grid)
    assert dask.is_dask_collection(found["soil_moisture"])
    validate(found, needs=())
    want = 0.2 + 0.005 * (lat[:, None] - 37) + 0.002 * (lon + 100)
    np.testing.assert_allclose(found["soil_moisture_dca"][2], want, rtol=1e-6)
    inner = slice(2, -2)  # the model's cells reach as far as the products', but for the kernel
    np.testing.assert_allclose(found["soil_moisture"][2, 1, inner, inner], want[inner, inner], atol=1e-5)
    assert np.isnan(found["precipitation"][3:]).all() and (found["land_cover"] == 10).all()
    assert found["sand"].dims == ("layer", "y", "x")
    written = write_cube(found, tmp_path / "cube.zarr", days=2)
    xr.testing.assert_allclose(written.compute(), found.compute(), rtol=1e-6)
    assert written["soil_moisture"].chunks[0] == (2, 2, 1) and written["soil_moisture"].chunks[2] == (len(lat),)
    validate(written, needs=())
    assert [f.name for f in tmp_path.iterdir()] == ["cube.zarr"]
    with pytest.raises(DataError, match="exists already"):
        write_cube(found, tmp_path / "cube.zarr")


def test_sources_that_contradict_each_other():
    sources, _ = world_like(24)
    grid = EaseGrid.of(sources["smap"])
    with pytest.raises(DataError, match="precipitation: is in imerg and in nldas: keep one"):
        cube({"imerg": sources["imerg"], "nldas": sources["imerg"]}, grid)
    other = sources["solus"].assign_coords(bottom_m=("layer", [0.1, 0.3, 1.0]))
    with pytest.raises(DataError, match="layers of solus are not those of nldas"):
        cube({"nldas": sources["nldas"], "solus": other}, grid)


def test_a_cube_killed_on_the_way_leaves_nothing(tmp_path):
    def broken(values):
        raise RuntimeError("disk on fire")

    sources, _ = world_like(24)
    ds = sources["smap"]
    ds["soil_moisture_dca"] = ds["soil_moisture_dca"].copy(data=ds["soil_moisture_dca"].data.map_blocks(
        broken, dtype=np.float32, meta=np.zeros((0, 0, 0), np.float32)))
    with pytest.raises(RuntimeError, match="on fire"):
        write_cube(ds, tmp_path / "cube.zarr")
    assert not list(tmp_path.iterdir())


def test_days_are_computed_one_chunk_at_a_time():
    """Neither opening nor a day of the cube touches the other days: memory does not grow with their number."""
    touched = []

    def read(block_info=None):
        touched.append(block_info[None]["chunk-location"][0])
        return np.full(block_info[None]["chunk-shape"], 0.2, np.float32)

    lat, lon = regular(0.125)
    many = pd.date_range("2018-01-01", periods=1000)
    values = dask.array.map_blocks(read, chunks=((10,) * 100, (len(lat),), (len(lon),)), dtype=np.float32,
                                   meta=np.zeros((0, 0, 0), np.float32))
    ds = with_attributes(xr.Dataset({"soil_moisture": (("time", "y", "x"), values)},
                                    {"time": many.astype("datetime64[ns]"), "lat": ("y", lat), "lon": ("x", lon)}))
    found = cube({"nldas": ds}, GRID)
    assert not touched
    assert float(found["soil_moisture"].sel(time="2018-02-03").mean()) == pytest.approx(0.2)
    assert touched == [3]
    assert max(found["soil_moisture"].chunks[0]) == 10


def test_width_of_a_cell():
    assert WIDTH_M / 4 == pytest.approx(9008.055210146)
    x, y = GRID.x, GRID.y
    np.testing.assert_allclose(np.diff(x), 9008.055210146)
    np.testing.assert_allclose(np.diff(y), -9008.055210146)
