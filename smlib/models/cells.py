"""Where a convolutional network's states live: on the whole grid, or in the valid cells alone.

`Grid` and `Cells` do the same by the same names, so that a network is written once. ``pack`` brings fields
(..., channel, y, x) to the layout of the one or the other and ``unpack`` back; ``blank`` puts 0 outside the mask.
"""

from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch.nn import functional as F

CHUNK = 1024  # cells a product, which bounds the memory that their neighbours take
EVEN = 16  # cells; see `Cells`
# Valid share of a grid up to which `Cells` train faster. Time of a training step on a `Grid`, over theirs, by share
# (ConvLSTM, kernel 5, 26 x 69 cells, batches of 12, one core of an EPYC with AVX2): 1.5 at 0.43, 1.0 at 0.59, 0.85 at
# 0.75, 0.65 at 1; forward alone 1.4, 1.0, 0.85 and 0.7.
DENSE = 0.6


def layout(x, mask, training):
    """The layout for a network's input x (of any shape) with a mask (y, x) bool: a `Grid` or `Cells`.

    A GPU has the grid, and so has training on a CPU where most cells are valid. Judgement on a CPU never has: there,
    what comes out for a sample must not depend, in any bit, on what else is in its batch, and in convolutions of the
    library it may.
    """
    dense = x.is_cuda or training and mask.float().mean() > DENSE
    return Grid(mask.to(x.dtype)) if dense else Cells(mask)


class Grid:
    """All cells, (..., channel, y, x), and the library's convolutions.

    Parameters
    ----------
    mask : (y, x)
        1 in valid cells, 0 elsewhere, in the type of the fields.
    """

    def __init__(self, mask):
        self.mask = mask

    def pack(self, field):
        """(..., channel, y, x), as it is."""
        return field

    unpack = pack

    def blank(self, x):
        """x (..., y, x) with 0 outside the mask."""
        return x * self.mask

    def convolve(self, x, weight, bias=None):
        """x (batch, inputs, y, x), weight (outputs, inputs, k, k), bias (outputs,) -> (batch, outputs, y, x)."""
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    def steps(self, x, weight_x, weight_h, bias):
        """x (day, batch, inputs, y, x) -> (day, h or None) -> W_x * x + W_h * h + b, which may be overwritten.

        None is the zero state, which adds nothing. A GPU convolves the inputs of all days at once. On a CPU that result
        is too large for the cache; there inputs and hidden state share a convolution.
        """
        if x.is_cuda:
            terms = self.convolve(x.flatten(0, 1), weight_x, bias).unflatten(0, x.shape[:2])
            return lambda day, h: terms[day].clone() if h is None else terms[day] + self.convolve(h, weight_h)
        x, weight = x.unbind(), torch.cat([weight_x, weight_h], 1)
        return lambda day, h: (self.convolve(x[day], weight_x, bias) if h is None else
                               self.convolve(torch.cat([x[day], h], 1), weight, bias))

    def gates(self, a):
        """(batch, 4 hidden, y, x) -> (4, batch, hidden, y, x)."""
        return a.unflatten(1, (4, -1)).movedim(1, 0)


class Cells:
    """The valid cells alone, (..., cell, channel), in the order of the grid.

    A convolution is one product of matrices, (cell, k k inputs) with (k k inputs, outputs), for every sample and
    `CHUNK` of cells by itself. Its gradient by the inputs is a convolution as well, so that nothing is scattered.

    Behind the valid cells stand so many that no cell has for a neighbour, and `unpack` drops, that there are a multiple
    of `EVEN`: then every sample starts where a vector register does. The odd values at an array's end are computed by
    other instructions, in other bits, and so would be those of one sample or another, depending on the batch.

    Parameters
    ----------
    mask : (y, x) bool
        The valid cells.
    """

    mask = None  # there is nothing outside

    def __init__(self, mask):
        self.shape = tuple(mask.shape)
        self.table = partial(_table, mask.numpy().tobytes(), self.shape)
        self.at = mask.flatten().nonzero()[:, 0]
        self.spare = -len(self.at) % EVEN

    def pack(self, field):
        """(..., channel, y, x) -> (..., cell, channel)."""
        return F.pad(field.flatten(-2).index_select(-1, self.at), (0, self.spare)).transpose(-1, -2).contiguous()

    def unpack(self, values):
        """(..., cell, channel) -> (..., channel, y, x), 0 outside the mask."""
        values = values[..., :len(self.at), :].transpose(-1, -2)
        field = values.new_zeros(*values.shape[:-1], self.shape[0] * self.shape[1])
        return field.index_copy(-1, self.at, values).unflatten(-1, self.shape)

    def blank(self, x):
        """x, as it is."""
        return x

    def convolve(self, x, weight, bias=None):
        """x (batch, cell, inputs), weight (outputs, inputs, k, k), bias (outputs,) -> (batch, cell, outputs)."""
        return _Convolve.apply(weight, bias, self.table(weight.shape[-1]), x)

    def steps(self, x, weight_x, weight_h, bias):
        """x (day, batch, cell, inputs) -> (day, h or None) -> W_x * x + W_h * h + b, which may be overwritten.

        Inputs and hidden state share a product. None is the zero state, which adds nothing.
        """
        x, weight, table = x.unbind(), torch.cat([weight_x, weight_h], 1), self.table(weight_x.shape[-1])
        return lambda day, h: (_Convolve.apply(weight_x, bias, table, x[day]) if h is None else
                               _Convolve.apply(weight, bias, table, x[day], h))

    def gates(self, a):
        """(batch, cell, 4 hidden) -> (4, batch, cell, hidden), each gate in one piece of memory."""
        return a.unflatten(2, (4, -1)).movedim(2, 0).contiguous()


class _Table(NamedTuple):
    """How the neighbours of all cells are found.

    Valid cells and, between them, as many zeros as a kernel reaches over stand in a line, row behind row: so the
    neighbours of a cell in one row of the grid are one piece of the line, copied at once.
    """

    kernel: int
    line: torch.Tensor  # (place in the line,): which cell stands there; one past the last, spare ones too, for a zero
    parts: list  # of a slice of cells and where in the line their neighbours in each of the k rows start, (cell k,)


@lru_cache(maxsize=16)
def _table(mask, shape, kernel):
    mask, r = np.frombuffer(mask, bool).reshape(shape), kernel // 2
    wide = np.pad(mask, ((r, r), (2 * r, 2 * r)))
    some = sliding_window_view(wide, kernel, 1).any(-1)  # by its first column: does a window hold a valid cell?
    kept = sliding_window_view(np.pad(some, ((0, 0), (kernel - 1, kernel - 1))), kernel, 1).any(-1)
    place = kernel - 1 + np.cumsum(kept).reshape(kept.shape)  # behind a window of zeros, for windows with no valid cell
    y, x = np.nonzero(mask)
    spare = -len(y) % EVEN
    line = np.full(place[-1, -1] + 1, len(y) + spare)
    line[place[y + r, x + 2 * r]] = np.arange(len(y))
    start = np.where(some, place[:, :some.shape[1]], 0)
    starts = np.pad(np.stack([start[y + row, x + r] for row in range(kernel)], 1), ((0, spare), (0, 0)))
    parts = [(slice(i, i + CHUNK), torch.as_tensor(starts[i:i + CHUNK].ravel())) for i in range(0, len(starts), CHUNK)]
    return _Table(kernel, torch.as_tensor(line), parts)


def _neighbours(x, table):
    """x (batch, cell, channel) -> one by one: where in x, and what stands around there, (cell, k k channel).

    The next one overwrites the last.
    """
    (batch, cells, channels), width = x.shape, table.kernel
    places = (torch.arange(batch)[:, None] * (cells + 1) + table.line).flatten()
    lines = F.pad(x, (0, 0, 0, 1)).view(-1, channels).index_select(0, places).view(batch, -1, channels)
    windows = lines.as_strided((batch, lines.shape[1] - width + 1, width * channels), (*lines.stride()[:2], 1))
    room = x.new_empty(min(cells, CHUNK) * width, width * channels)
    for sample, around in enumerate(windows):
        for part, starts in table.parts:
            found = torch.index_select(around, 0, starts, out=room[:len(starts)])
            yield (sample, part), found.view(-1, width * width * channels)


class _Convolve(torch.autograd.Function):
    """Inputs (batch, cell, channel), convolved as if their channels were joined. Neighbours are looked up again for
    the gradient: to keep them would take k k times the memory of the states, and save a twentieth of the time.
    """

    @staticmethod
    def forward(ctx, weight, bias, table, *inputs):
        ctx.table = table
        ctx.save_for_backward(weight, *inputs)
        x = torch.cat(inputs, 2)
        matrix = weight.permute(2, 3, 1, 0).reshape(-1, len(weight))
        out = x.new_empty(*x.shape[:2], len(weight))
        for at, found in _neighbours(x, table):
            torch.mm(found, matrix, out=out[at])
        return out if bias is None else out.add_(bias)

    @staticmethod
    def backward(ctx, da):
        weight, *inputs = ctx.saved_tensors
        k, (needs_weight, needs_bias, _, *needed) = ctx.table.kernel, ctx.needs_input_grad
        dw = None
        if needs_weight:
            x = torch.cat(inputs, 2)
            dw = da.new_zeros(len(weight), k * k * x.shape[2])
            for at, found in _neighbours(x, ctx.table):
                dw.addmm_(da[at].t(), found)
            dw = dw.unflatten(1, (k, k, -1)).permute(0, 3, 1, 2)
        dx = [None] * len(inputs)
        if any(needed):
            weights = weight.split([x.shape[2] for x in inputs], 1)
            wanted = [i for i, need in enumerate(needed) if need]
            flipped = torch.cat([weights[i] for i in wanted], 1).flip(2, 3).permute(1, 2, 3, 0).flatten(1)
            made = da.new_empty(*da.shape[:2], len(flipped))
            for at, found in _neighbours(da, ctx.table):
                made[at] = torch.mm(flipped, found.t()).t()  # this way round: few columns make a slow product
            for i, part in zip(wanted, made.split([weights[i].shape[1] for i in wanted], 2), strict=True):
                dx[i] = part
        return dw, da.sum((0, 1)) if needs_bias else None, None, *dx
