"""Writing worlds: rounded numbers, blocks of rows that fill the whole grid, and any number of processes."""

import numpy as np
import pytest
import xarray as xr

from smlib.nature import blocks, grids, store, terrain, worlds

TIME = np.arange("2018-06-01", "2018-06-11", dtype="M8[D]")
BOX = (55.5, 56.5, 8.5, 9.5)


def test_rounded_values_are_numbers_near_those_given():
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(0, 8, (50, 40))).astype(np.float32) * rng.choice([-1, 1], (50, 40)).astype(np.float32)
    values[3, 4:7] = np.nan, 0, 1
    kept = values.copy()
    found = store.rounded(values)
    assert found.dtype == np.float32 and found.shape == values.shape
    np.testing.assert_array_equal(values, kept)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    assert found[3, 5] == 0 and found[3, 6] == 1
    np.testing.assert_allclose(found, values, rtol=2.0**-(store.KEEP_BITS + 1))
    np.testing.assert_array_equal(store.rounded(found), found)
    assert (found.view(np.uint32) % 2 ** (23 - store.KEEP_BITS) == 0)[np.isfinite(found)].all()  # what compresses
    assert not np.array_equal(found, values, equal_nan=True)
    np.testing.assert_array_equal(store.rounded(values.T), found.T)  # of any order in memory, and of any float
    np.testing.assert_array_equal(store.rounded(values.astype(float)), found)


@pytest.fixture(scope="module")
def surroundings():
    return worlds._block(grids.regular(*BOX, 0.05), terrain.Relief(50, 30, 0, 170, box=BOX), TIME, 0)


@pytest.fixture(scope="module")
def written(surroundings, tmp_path_factory):
    """The store that so many processes wrote, two blocks in it, by number of processes."""
    folder = tmp_path_factory.mktemp("a store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SMALL", 2000)  # cell-days: as many blocks as there can be
        for jobs in (1, 2):
            tasks = store.block_tasks(folder / str(jobs), "net/", blocks.network, surroundings, unit=10)
            assert len(tasks) == 2
            store.run_tasks(tasks, jobs, "test")
    return {jobs: xr.open_datatree(folder / str(jobs), engine="zarr", consolidated=False, chunks={})["net"]
            for jobs in (1, 2)}


def test_one_process_and_two_write_the_same_bits(written):
    assert set(written[1].children) == set(written[2].children)
    for name, group in written[1].children.items():
        for variable, da in group.data_vars.items():
            again = written[2][name][variable]
            np.testing.assert_array_equal(da.values.view(np.uint32), again.values.view(np.uint32), f"{name} {variable}")


def test_a_block_has_chunks_of_its_own(written):
    """Two processes that write into one chunk lose what the other wrote."""
    for name, group in written[1].children.items():
        for variable, da in group.data_vars.items():
            y = da.dims.index("y")
            assert da.encoding["chunks"][y] == da.sizes["y"] // 2, (name, variable)


def test_what_is_stored_is_what_was_made_but_for_rounding(written, surroundings):
    for rows in (slice(0, 10), slice(10, 20)):
        for name, ds in blocks.network(surroundings.part(rows)).items():
            times = 10 // ds.sizes["y"]
            stored = written[1][name].to_dataset().isel(y=slice(rows.start // times, rows.stop // times)).load()
            for variable, da in ds.items():
                assert stored[variable].dims == da.dims and stored[variable].dtype == np.float32
                np.testing.assert_allclose(stored[variable], da, rtol=1e-4, atol=1e-6, err_msg=f"{name} {variable}")
                assert stored[variable].attrs == da.attrs
            xr.testing.assert_equal(stored.coords.to_dataset(), ds.coords.to_dataset())
            assert stored.attrs == ds.attrs


def numbered(block):
    """A maker of two groups, one at half the width: the latitude of every cell, and of the mean of four."""
    grid, mean = block.coarse(2)
    lat = np.repeat(block.cells[0][None], len(block.time), 0)
    half = blocks.gridded({"precipitation": mean(lat)}, grid, block.time)
    return {"fine": block.dataset({"air_temperature": lat}), "half": half}


def test_blocks_fill_the_grid_and_leave_the_sea_missing(tmp_path, monkeypatch):
    """Nine units of rows make blocks of two, the last of one; three units of water are in no block."""
    grid = grids.regular(10, 28, 0, 6, 1)
    elevation = np.ones(grid.shape, np.float32)
    elevation[4:10], elevation[0, 0] = np.nan, np.nan
    block = blocks.Block(grid, elevation, TIME)
    monkeypatch.setattr(store, "SMALL", 100)
    monkeypatch.setattr(store, "PARTS", 5)
    tasks = store.block_tasks(tmp_path / "a b", "", numbered, block, unit=2)
    assert len(tasks) == 4  # of five, one is all water
    store.run_tasks(tasks, 1, "test")
    tree = xr.open_datatree(tmp_path / "a b", engine="zarr", consolidated=False)
    expected = np.where(np.isnan(elevation), np.nan, grid.lat)
    fine, half = tree["fine"]["air_temperature"], tree["half"]["precipitation"]
    np.testing.assert_allclose(fine, np.broadcast_to(expected, fine.shape), rtol=1e-4)
    mean = expected.reshape(9, 2, 3, 2)
    mean = np.where(np.isnan(mean).all((1, 3)), np.nan, np.nansum(mean, (1, 3)) / np.maximum(
        np.isfinite(mean).sum((1, 3)), 1))
    np.testing.assert_allclose(half, np.broadcast_to(mean, half.shape), rtol=1e-4)
    np.testing.assert_allclose(tree["half"]["lat"], grid.lat[:, 0].reshape(9, 2).mean(1))
    assert tree["fine"]["time"].values.tolist() == TIME.astype("M8[ns]").tolist()


def test_more_days_make_more_blocks_but_other_processes_do_not(tmp_path, monkeypatch):
    grid = grids.regular(0, 24, 0, 4, 1)
    block = blocks.Block(grid, np.ones(grid.shape, np.float32), TIME)  # 960 cell-days
    monkeypatch.setattr(store, "PARTS", 2)
    counts = []
    for k, (small, most) in enumerate(((10**6, 10**6), (480, 10**6), (10, 10**6), (10, 240), (10, 80))):
        monkeypatch.setattr(store, "SMALL", small)
        monkeypatch.setattr(store, "CELL_DAYS", most)
        counts.append(len(store.block_tasks(tmp_path / str(k), "", numbered, block, unit=2)))
    assert counts == [1, 2, 2, 4, 12]


def test_groups_have_chunks_of_days(tmp_path):
    time = np.arange("2018-01-01", "2019-01-01", dtype="M8[D]")
    grid = grids.regular(0, 2, 0, 2, 1)
    ds = blocks.gridded({"precipitation": np.ones((365, 2, 2), np.float32)}, grid, time)
    ds = ds.assign_coords(name=("y", ["north", "south"]))
    store.write_group(tmp_path / "s", "a/b", ds)
    back = xr.open_datatree(tmp_path / "s", engine="zarr", consolidated=False)["a/b"]
    assert back["precipitation"].encoding["chunks"] == (store.DAYS, 2, 2)
    assert back["name"].values.tolist() == ["north", "south"]
    np.testing.assert_array_equal(back["precipitation"], ds["precipitation"])


def test_processes_are_for_work_that_is_worth_them(monkeypatch):
    monkeypatch.setattr(store.joblib, "cpu_count", lambda: 7)
    assert store.processes(store.WORTH) == 1 and store.processes(store.WORTH + 1) == 7


def test_worlds_are_made_beside_trainings_processes(tmp_path):
    """Both use worker processes in one notebook: neither may take the other's."""
    from smlib.train.workers import WORTH, worker_pool

    for _ in range(2):
        with worker_pool(2, WORTH) as pool:
            assert pool.submit(abs, -3).result() == 3
        marks = [tmp_path / name for name in "ab"]
        store.run_tasks([store.joblib.delayed(type(tmp_path).touch)(mark) for mark in marks], 2, "test")
        assert all(mark.exists() for mark in marks)


def test_a_task_that_fails_is_an_error():
    for jobs in (1, 2):
        with pytest.raises(ZeroDivisionError):
            store.run_tasks([store.joblib.delayed(divmod)(1, 0)] * 3, jobs, "test")
