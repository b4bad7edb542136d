"""Patches: what they cover, that they are views, that stitching undoes them, and how much of a cube is read at once."""

import os

import dask.array as da
import numpy as np
import pytest
import torch

from smlib.data.patches import CHUNK, PatchSource, add_up, corners, issue_days, stitch, views
from smlib.data.schema import DataError

DAYS, CHANNELS, SHAPE = 40, 3, (11, 14)


def cube(days=DAYS, maps=CHANNELS, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).standard_normal((days, maps, *shape)).astype(np.float32)


def source(days=DAYS, **settings):
    leads = settings.get("leads", (0,))
    return PatchSource(cube(days), cube(days, 2, seed=1), issue_days(0, days, leads=leads), **settings)


class Recorder:
    """An array on disk, as it were, that remembers what was read of it."""

    def __init__(self, values):
        self.values, self.shape, self.reads = values, values.shape, []

    def __getitem__(self, days):
        self.reads.append((days.start, days.stop))
        return self.values[days]


def taken(field, patch=8, stride=2):
    """The patches of `corners`, (..., row, column, patch, patch)."""
    rows, columns = (torch.as_tensor(corners(n, patch, stride)) for n in field.shape[-2:])
    return views(field, patch)[..., rows[:, None], columns, :, :]


def test_corners_reach_every_edge():
    assert corners(8).tolist() == [0]
    assert corners(12).tolist() == [0, 2, 4]
    assert corners(13).tolist() == [0, 2, 4, 5]
    assert corners(11, 4, 3).tolist() == [0, 3, 6, 7]
    with pytest.raises(DataError, match="7 cells .* fewer than the 8"):
        corners(7)


@pytest.mark.parametrize("shape", [(8, 8), (9, 8), (11, 14), (16, 23)])
def test_stitching_the_patches_of_a_field_gives_the_field(shape):
    field = torch.as_tensor(cube(2, 3, shape)).double()
    torch.testing.assert_close(stitch(taken(field), shape), field)
    torch.testing.assert_close(stitch(taken(field, 5, 3), shape, 3), field)


def test_overlaps_by_hand():
    # Along 11 cells patches start at 0, 2 and 3; along 14 at 0, 2, 4 and 6.
    along_y = torch.tensor([1, 1, 2, 3, 3, 3, 3, 3, 2, 2, 1])
    along_x = torch.tensor([1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 2, 2, 1, 1])
    counted = add_up(torch.ones(3, 4, 8, 8), (11, 14))
    assert torch.equal(counted, (along_y[:, None] * along_x).float())


def test_a_cell_is_the_mean_over_the_patches_that_there_are():
    patches = torch.arange(12.0).view(3, 4, 1, 1).expand(3, 4, 8, 8).clone()
    patches[1, 0] = patches[0, 1] = torch.nan
    field = stitch(patches, (11, 14))
    assert field[0, 0] == 0 and field[2, 1] == 0 and field[10, 13] == 11 and field[0, 13] == 3
    assert field[2, 2] == (0 + 5) / 2
    patches[0, 0] = torch.nan
    assert stitch(patches, (11, 14))[:2, :2].isnan().all()


def test_patches_are_views():
    held = source()
    loaded = held.load(held.blocks)
    for view, array in ((loaded.windows, held.inputs), (loaded.goals, held.target[2:])):  # the first issue day is 2
        assert view.untyped_storage().data_ptr() == array.__array_interface__["data"][0]
        assert view.untyped_storage().nbytes() == array.nbytes
    size_y, size_x = SHAPE
    assert loaded.windows.shape == (DAYS - 2, CHANNELS, size_y - 7, size_x - 7, 3, 8, 8)
    day = CHANNELS * size_y * size_x
    assert loaded.windows.stride() == (day, size_y * size_x, size_x, 1, day, size_x, 1)
    held.inputs[5, 1, 4, 6] = 7  # seen at once, through whichever patch
    assert loaded.windows[4, 1, 3, 5, 1, 1, 1] == 7 and loaded.windows[3, 1, 0, 0, 2, 4, 6] == 7


@pytest.mark.parametrize("chunk", [None, 7])
def test_samples_are_what_stands_in_the_cube(chunk):
    soil = cube(1, 2, seed=2)[0]
    held = source(leads=(1, 3), statics=soil, chunk=chunk, together=2)
    assert (held.channels, held.outputs) == (CHANNELS + 2, 4)
    for group in (held.blocks[:1], held.blocks[-2:]):
        loaded, days = held.load(group), np.concatenate(group)
        rows = np.array([[0, 0, 0], [len(days) - 1, 3, 6], [len(days) // 2, 2, 5]])
        x, y = loaded.x(rows), loaded.y(rows)
        assert x.shape == (3, 3, CHANNELS + 2, 8, 8) and y.shape == (3, 4, 8, 8)
        for k, (day, row, column) in enumerate(rows):
            at, place = days[day], np.s_[..., row:row + 8, column:column + 8]
            assert np.array_equal(x[k, :, :CHANNELS], held.inputs[at - 2:at + 1][place])
            assert all(np.array_equal(one, soil[place]) for one in x[k, :, CHANNELS:])
            expected = [held.target[at + lead, m][place] for m in (0, 1) for lead in (1, 3)]
            assert np.array_equal(y[k], expected)


def batch_bytes(held, **settings):
    return [(x.numpy().tobytes(), y.numpy().tobytes(), n) for x, y, n in held.batches(50, **settings)]


def test_an_epoch_has_every_patch_once_in_an_order_of_its_own():
    for held in (source(), source(chunk=5, together=3)):
        patches = {}
        for epoch in (1, 2):
            order = [bytes(one) for x, _, _ in held.batches(50, 0, epoch) for one in x.numpy()]
            assert len(order) == len(set(order)) == (DAYS - 2) * 3 * 4
            patches[epoch] = order
        assert set(patches[1]) == set(patches[2]) and patches[1] != patches[2]
        assert batch_bytes(held, seed=3, epoch=4) == batch_bytes(held, seed=3, epoch=4)
        assert batch_bytes(held, seed=3, epoch=4) != batch_bytes(held, seed=4, epoch=4)
    assert [n for *_, n in source().batches(50, share=0.25, whole=True)] == [50] * 2  # of 114


def test_processes_share_out_the_same_batches():
    held = source(chunk=5, together=3)
    alone = list(held.batches(7, epoch=1))
    parts = [list(held.batches(7, epoch=1, place=(k, 3))) for k in range(3)]
    for (x, y, n), *mine in zip(alone, *parts, strict=True):
        assert all(part[2] == n == len(x) for part in mine)
        assert all(torch.equal(x[k::3], part[0]) and torch.equal(y[k::3], part[1]) for k, part in enumerate(mine))


def test_patches_with_too_few_known_targets_are_left_out():
    held = source(min_valid=0.5)
    held.target[:] = np.nan
    held.target[:, 0, :, :8] = 1  # of two maps one: patches that start in column 0 have a share of exactly a half
    rows = held.load(held.blocks).rows()
    assert set(rows[:, 2]) == {0} and len(rows) == (DAYS - 2) * 3
    held.target[20, 0, 0, 0] = np.nan
    assert len(held.load(held.blocks).rows()) == len(rows) - 1
    held.target[:] = np.nan
    assert not list(held.batches(8))


def test_a_cube_on_disk_is_read_some_days_at_a_time_and_gives_the_same():
    days, leads = 100, (1, 5)
    inputs, target = cube(days), cube(days, 1, seed=1)
    inside = PatchSource(inputs, target, issue_days(0, days, leads=leads), leads=leads, chunk=CHUNK)
    read = Recorder(inputs), Recorder(target)
    outside = PatchSource(*read, inside.days, leads=leads)
    lazy = PatchSource(da.from_array(inputs, (9, 3, 5, 14)), da.from_array(target), inside.days, leads=leads)
    wanted = batch_bytes(inside, epoch=1)
    assert batch_bytes(outside, epoch=1) == wanted == batch_bytes(lazy, epoch=1)
    assert len(read[0].reads) == len(outside.blocks) == 6
    assert max(stop - first for first, stop in read[0].reads) == CHUNK + 2
    assert max(stop - first for first, stop in read[1].reads) == CHUNK + 4


def resident():
    """MiB of this process now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_memory_is_that_of_a_few_chunks():
    seen = []

    class Made:
        """A cube of 229 MiB, of which nothing exists before it is read; a pool of 4 chunks has 16."""

        shape = (1000, 3, 100, 200)

        def __getitem__(self, days):
            seen.append(resident())  # the last pool must be gone by now
            return np.random.default_rng(0).random((days.stop - days.start, *self.shape[1:]), np.float32)

    held = PatchSource(Made(), np.ones((1000, 1, 100, 200), np.int8), issue_days(0, 1000))
    before, n = resident(), 0
    for x, _, _ in held.batches(32, share=1e-5):
        seen.append(resident())
        n += len(x)
    assert n >= 16 and max(seen) - before < 150  # in each of 16 pools a patch at least; freed memory may linger


def test_splits_do_not_see_each_other():
    train, later = issue_days(0, 50, 3, (1, 7)), issue_days(50, 100, 3, (1, 7))
    assert train[0] == 2 and train[-1] + 7 == 49 and later[0] - 2 == 50 and later[-1] + 7 == 99


def test_what_is_present_on_a_day():
    held = source()
    held.inputs[4:7, :, :, 8:] = np.nan
    held.inputs[5, 2, 0, 13] = 1
    rows, known = held.load(held.blocks).present(4)  # issue day 6
    assert known[:, :8].all() and known[0, 13] and known.sum() == 11 * 8 + 1
    assert len(rows) == 12 and (rows[:, 0] == 4).all()
    held.inputs[4:7, :, :, 6:] = np.nan
    assert set(held.load(held.blocks).present(4)[0][:, 2]) == {0, 2, 4}


@pytest.mark.parametrize("change, words", [
    ({"target": cube(DAYS, 1, (11, 13))}, "not on the days and the grid"),
    ({"target": cube(DAYS)[:, 0]}, "must be .day, channel, y, x"),
    ({"statics": cube()[0, :, :5]}, "do not change"),
    ({"days": []}, "no issue day"),
    ({"days": [1]}, "reach beyond the cube's 40 days"),
    ({"days": [35], "leads": (1, 5)}, "reach beyond the cube's 40 days")])
def test_errors_say_what_is_wrong(change, words):
    with pytest.raises(DataError, match=words):
        PatchSource(**{"inputs": cube(), "target": cube(DAYS, 1), "days": [5]} | change)
