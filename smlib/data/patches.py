"""Patches of a cube of daily maps, as Rabiei et al. (2024, 2025) train on: 8 x 8 cells, every second cell, 3 days.

No patch is stored: a patch is a view of the days in memory, and only the patches of a batch are ever gathered. A cube
larger than memory is read some days at a time.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch.nn import functional as F

from smlib.data.schema import DataError

PATCH, STRIDE, LOOKBACK = 8, 2, 3
MIN_VALID = 0.5  # least share of a patch's target values that must be known (our choice; the papers say nothing)
# Days read in a row, and how many such chunks are shuffled together, if a cube is not in memory.
CHUNK, TOGETHER = 16, 4


def corners(size, patch=PATCH, stride=STRIDE):
    """First cells of the patches along an axis: every `stride` cells, and one that ends where the axis ends."""
    if size < patch:
        raise DataError(f"{size} cells along an axis are fewer than the {patch} of a patch")
    return np.unique(np.append(np.arange(0, size - patch + 1, stride), size - patch))


def views(field, patch=PATCH):
    """All patches of a tensor (..., y, x) as a view: (..., y - patch + 1, x - patch + 1, patch, patch)."""
    return field.unfold(-2, patch, 1).unfold(-2, patch, 1)


def add_up(patches, shape, stride=STRIDE):
    """Put patches in their places on a grid and add where they overlap: (..., y, x).

    patches (..., row, column, patch, patch) of the `corners` of the grid. Of ones it makes the number of patches that
    hold a cell.
    """
    patch = patches.shape[-1]
    rows, columns = (torch.as_tensor(corners(n, patch, stride), device=patches.device) for n in shape)
    field = patches.new_zeros(*patches.shape[:-4], *shape)
    for i in range(patch):  # one cell of all patches at a time: no two of them are in one place
        for j in range(patch):
            field[..., rows[:, None] + i, columns + j] += patches[..., i, j]
    return field


def stitch(patches, shape, stride=STRIDE):
    """The field (..., y, x) whose cells are the means over the patches that hold them.

    patches (..., row, column, patch, patch), NaN where there is none; NaN in cells that no patch holds.
    """
    there = patches.isfinite()
    return add_up(torch.where(there, patches, 0), shape, stride) / add_up(there.to(patches.dtype), shape, stride)


def issue_days(first, stop, lookback=LOOKBACK, leads=(0,)):
    """Days whose inputs and targets all lie in the days `first` to `stop` (not included): no split sees another."""
    return np.arange(first + lookback - 1, stop - max(leads))


@dataclass(frozen=True)
class PatchSource:
    """Samples of a cube: x (batch, lookback, channel, y, x) up to an issue day, y (batch, map x lead, y, x).

    Arrays may be NumPy's (float32, or they are copied), torch's, or anything else that has a shape and is read by
    slices of days, such as Zarr's, dask's or xarray's.

    Parameters
    ----------
    inputs : (day, channel, y, x)
        Scaled (by training days alone), NaN where missing: it is passed on as it is.
    target : (day, map, y, x)
        NaN where missing or off land. The outputs are in the order (map, lead).
    days : (n,) int
        Issue days, as from `issue_days`.
    statics : (channel, y, x), optional
        Maps that do not change; they come behind the inputs' channels on every day.
    leads : sequence of int
        Days from the issue day to the target's.
    chunk, together : int
        Days are read in chunks of `chunk`, which is best the store's own; `together` chunks, drawn at random, are in
        memory at a time, and shuffled. By default all that is in memory already is one chunk.
    min_valid : float
        Patches with a smaller share of known target values are left out of training and judging.
    """

    inputs: object
    target: object
    days: np.ndarray
    statics: object = None
    leads: tuple = (0,)
    lookback: int = LOOKBACK
    patch: int = PATCH
    stride: int = STRIDE
    chunk: int | None = None
    together: int = TOGETHER
    min_valid: float = MIN_VALID

    def __post_init__(self):
        n, shape, days = self.inputs.shape[0], tuple(self.inputs.shape[-2:]), np.asarray(self.days)
        if len(self.inputs.shape) != 4 or len(self.target.shape) != 4:
            raise DataError("inputs must be (day, channel, y, x) and the target (day, map, y, x), not "
                            f"{tuple(self.inputs.shape)} and {tuple(self.target.shape)}")
        if self.target.shape[0] != n or tuple(self.target.shape[-2:]) != shape:
            raise DataError(f"the target {tuple(self.target.shape)} is not on the days and the grid of the inputs "
                            f"{tuple(self.inputs.shape)}")
        if self.statics is not None and tuple(self.statics.shape[1:]) != shape:
            raise DataError(f"the maps that do not change {tuple(self.statics.shape)} are not on the grid {shape}")
        if not len(days):
            raise DataError("there is no issue day")
        if days.min() < self.lookback - 1 or days.max() + max(self.leads) >= n or min(self.leads) < 0:
            raise DataError(f"issue days {days.min()} to {days.max()}, with {self.lookback} days before them and leads "
                            f"of {list(self.leads)}, reach beyond the cube's {n} days")

    @property
    def shape(self):
        """Cells, (y, x)."""
        return tuple(self.inputs.shape[-2:])

    @property
    def corners(self):
        """First cells of the patches along y and along x."""
        return tuple(corners(n, self.patch, self.stride) for n in self.shape)

    @property
    def channels(self):
        """Channels of x."""
        return self.inputs.shape[1] + (0 if self.statics is None else len(self.statics))

    @property
    def outputs(self):
        """Maps of y."""
        return self.target.shape[1] * len(self.leads)

    @cached_property
    def blocks(self):
        """Issue days, chunk by chunk of the cube."""
        days, chunk = np.unique(self.days), self.chunk
        if chunk is None:
            chunk = len(self.inputs) if isinstance(self.inputs, np.ndarray | torch.Tensor) else CHUNK
        return np.split(days, np.flatnonzero(np.diff(days // chunk)) + 1)

    def load(self, blocks, device="cpu"):
        """Some of the `blocks` in memory."""
        spans = [(days[0] - self.lookback + 1, days[-1] + 1) for days in blocks]
        ahead = [(days[0] + min(self.leads), days[-1] + max(self.leads) + 1) for days in blocks]
        inputs, at = _read(self.inputs, spans)
        target, there = _read(self.target, ahead)
        start = np.concatenate([days - days[0] + k for days, k in zip(blocks, at, strict=True)])
        goal = np.concatenate([days - days[0] - min(self.leads) + k for days, k in zip(blocks, there, strict=True)])
        return Loaded(self, inputs.to(device), target.to(device), start, goal)

    def batches(self, batch, seed=0, epoch=0, share=1.0, whole=False, device="cpu", place=(0, 1)):
        """One epoch: (x, y, n), batch by batch, in an order that follows from (seed, epoch) alone.

        Parameters
        ----------
        share : float
            Of all patches, drawn anew in every epoch.
        whole : bool
            Leave out what does not fill a batch.
        place : (int, int)
            Number of this process and of all of them: of a batch of n, this one gets every so-manieth.
        """
        draw = np.random.Generator(np.random.Philox(key=[seed, epoch]))
        order = draw.permutation(len(self.blocks))
        for k in range(0, len(order), self.together):
            loaded = None  # before the next is read
            loaded = self.load([self.blocks[b] for b in np.sort(order[k:k + self.together])], device)
            rows = loaded.rows()
            rows = rows[draw.permutation(len(rows))[:int(np.ceil(share * len(rows)))]]
            for i in range(0, len(rows) - batch + 1 if whole else len(rows), batch):
                mine = rows[i:i + batch][place[0]::place[1]]
                yield loaded.x(mine), loaded.y(mine), len(rows[i:i + batch])


class Loaded:
    """Some days of a `PatchSource` in memory. Patches are named by rows (issue day, first y, first x), (n, 3) int.

    Issue days are counted from 0 here.
    """

    def __init__(self, source, inputs, target, start, goal):
        p, device = source.patch, inputs.device
        self.source, self.inputs, self.target = source, inputs, target
        self.start, self.goal, self.leads = (torch.as_tensor(np.asarray(a), device=device)
                                             for a in (start, goal, source.leads))
        self.windows = views(inputs, p).unfold(0, source.lookback, 1).movedim(-1, -3)  # all of these are views
        self.goals = views(target, p)
        self.fixed = None if source.statics is None else views(
            torch.as_tensor(np.asarray(source.statics), dtype=inputs.dtype, device=device), p)

    def x(self, rows):
        """(batch, lookback, channel, y, x)."""
        day, y, x = torch.as_tensor(rows, device=self.start.device).T
        found = self.windows[self.start[day], :, y, x].transpose(1, 2)
        if self.fixed is None:
            return found
        fixed = self.fixed[:, y, x].movedim(0, 1)[:, None]
        return torch.cat([found, fixed.expand(-1, found.shape[1], -1, -1, -1)], 2)

    def y(self, rows):
        """(batch, map x lead, y, x)."""
        day, y, x = torch.as_tensor(rows, device=self.start.device).T[..., None]
        return self.goals[self.goal[day] + self.leads, :, y, x].transpose(1, 2).flatten(1, 2)

    def rows(self):
        """All patches whose targets are known well enough, in order."""
        known = self.target.isfinite().float().mean(1)
        known = sum(known[self.goal + lead] for lead in self.leads) / len(self.leads)
        return self._where(known, self.source.min_valid - 1e-5)  # a mean of ones and zeros, in single precision

    def present(self, day):
        """The patches of one issue day with an input (statics aside) in any cell, and these cells, (y, x) bool."""
        known = self.inputs[self.start[day]:self.start[day] + self.source.lookback].isfinite().any(0).any(0)
        rows = self._where(known[None].float(), 1e-5)
        rows[:, 0] = day
        return rows, known

    def _where(self, known, least):
        """Patches in whose cells `known` (day, y, x) has such a mean, at least."""
        s = self.source
        share = F.avg_pool2d(known[:, None], s.patch, 1)[:, 0]
        y, x = (torch.as_tensor(c, device=known.device) for c in s.corners)
        day, row, column = (share[:, y[:, None], x] >= least).nonzero(as_tuple=True)
        return torch.stack([day, y[row], x[column]], 1).cpu().numpy()


def _read(array, spans):
    """The days of all spans (first, stop) in a row, and where each begins; one span is no copy, if in memory."""
    def part(first, stop):
        days = array[first:stop]
        return torch.as_tensor(days if isinstance(days, torch.Tensor) else np.asarray(days), dtype=torch.float32)

    if len(spans) == 1:
        return part(*spans[0]), [0]
    ends = np.cumsum([stop - first for first, stop in spans])
    found = torch.empty(ends[-1], *array.shape[1:])
    for end, (first, stop) in zip(ends, spans, strict=True):
        found[end - (stop - first):end] = part(first, stop)
    return found, [0, *ends[:-1]]
