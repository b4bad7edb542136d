"""The deep stacks of ConvLSTM layers of Rabiei et al.: estimation (2024, ten layers) and forecast (2025, eight).

The papers give the ranges of the layers' filters, not their order; what stands here is our reading of them.
"""

import inspect
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from smlib.models.cells import Grid
from smlib.models.convlstm import ConvLSTMCell, SqueezeExcite, gates
from smlib.train.distributed import place, sum_over_processes

ACTIVATIONS = ("elu", "tanh", "sigmoid", "relu")
# "16, 32, 48, 64 filters": up through the four, and down again to the one map that comes out.
ESTIMATION = (16, 32, 48, 64, 64, 64, 64, 48, 32, 16)
# "4 to 256 filters": doubled from layer to layer, the last twice.
FORECAST = (4, 8, 16, 32, 64, 128, 256, 256)
LEADS = (1, 3, 7, 14, 30)
NORMAL = 0.05  # standard deviation of Keras' random normal start


class Cell(ConvLSTMCell):
    """`ConvLSTMCell` with any of `ACTIVATIONS`, for the candidate and for the cell state.

    A sigmoid makes something of nothing; the mask of the `Grid` keeps the states at 0 off land all the same.
    """

    def __init__(self, inputs, hidden, kernel, activation):
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
        super().__init__(inputs, hidden, kernel)
        self.activation = activation
        self.register_buffer("no_peephole", torch.zeros(3, 1, 1, 1), persistent=False)

    def forward(self, x, space):
        """x (day, batch, inputs, y, x), its `Grid` -> all h (day, batch, hidden, y, x)."""
        step, h, c, found = space.steps(x, self.weight_x, self.weight_h, self.bias), None, None, []
        for day in range(len(x)):
            h, c = gates(space.gates(step(day, h)), c, self.no_peephole, self.activation, space.mask)
            found.append(h)
        return torch.stack(found)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over days, samples and the cells on land, of all processes: one or many give the same.

    torch's own would count what stands off land, and its SyncBatchNorm needs GPUs.
    """

    def forward(self, x, land):
        """x (day, batch, channel, y, x), land (batch, 1, y, x) of 1 and 0 -> the same shape, 0 off land."""
        if not self.training:
            return F.batch_norm(x.flatten(0, 1), self.running_mean, self.running_var, self.weight, self.bias, False,
                                eps=self.eps).view_as(x) * land
        total = sum_over_processes(torch.cat([(x * land).sum((0, 1, 3, 4)), land.sum()[None] * len(x)]))
        n = total[-1].clamp(min=1)
        mean = total[:-1] / n
        apart = (x - mean[:, None, None]) * land
        var = sum_over_processes(apart.square().sum((0, 1, 3, 4))) / n
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * n / (n - 1).clamp(min=1), self.momentum)
        gain = self.weight * torch.rsqrt(var + self.eps)
        return apart * gain[:, None, None] + self.bias[:, None, None] * land


class Dropout(nn.Dropout):
    """Dropout of single values. Every process draws for the samples of all, and takes its own: sample k of all is the
    same whether one process has them or many, if they are dealt out by turns and all have as many.
    """

    def forward(self, x):
        """(day, batch, ...) -> the same shape."""
        if not self.training or not self.p:
            return x
        k, n = place()
        draw = x.new_empty(len(x), n * x.shape[1], *x.shape[2:]).bernoulli_(1 - self.p)
        return x * draw[:, k::n] / (1 - self.p)


class Attention(SqueezeExcite):
    """`SqueezeExcite` of every day of every sample, over its own cells on land."""

    def forward(self, x, land):
        """x (day, batch, channel, y, x), land (batch, 1, y, x) of 1 and 0."""
        squeezed = (x * land).sum((3, 4)) / land.sum((2, 3)).clamp(min=1)
        return x * self.excite(squeezed)[..., None, None]


class Stack(nn.Module):
    """Layers of ConvLSTM, each with batch normalisation and dropout behind it; a linear 1 x 1 map of the last day.

    What is missing is told, not guessed: a NaN becomes 0 (the mean of what was scaled), and one more channel holds the
    share of the channels that are known in a cell on a day. A cell with nothing on any day is off land: its states are
    0 after every step, as around the patch, and no statistic counts it.

    Parameters
    ----------
    channels, outputs : int
        Maps in, and maps out.
    widths : sequence of int
        Filters of the layers.
    kernel : int
    activation : one of `ACTIVATIONS`
    dropout : float
    attention_after : sequence of int
        Layers, counted from 1, behind which there is a block of `Attention`; those that are not there are passed over.
    start : {"keras", "normal"}
        Weights as in `ConvLSTMCell`, or all from a normal distribution of standard deviation `NORMAL`.
    """

    def __init__(self, channels, outputs=1, widths=ESTIMATION, kernel=3, activation="sigmoid", dropout=0.2,
                 attention_after=(), start="keras"):
        super().__init__()
        if start not in ("keras", "normal") or not len(widths):
            raise ValueError(f"start must be keras or normal, not {start!r}, and there must be a layer: {widths}")
        self.settings = {name: list(v) if isinstance(v, tuple) else v for name, v in locals().items()
                         if name in inspect.signature(Stack).parameters}
        inputs = (channels + 1, *widths)
        self.cells = nn.ModuleList(Cell(n, m, kernel, activation) for n, m in zip(inputs, widths, strict=False))
        self.norms = nn.ModuleList(BatchNorm(n) for n in widths)
        self.attention = nn.ModuleDict({str(k): Attention(widths[k - 1]) for k in attention_after if k <= len(widths)})
        self.dropout, self.out = Dropout(dropout), nn.Conv2d(widths[-1], outputs, 1)
        if start == "normal":
            for cell in self.cells:
                for weight in (cell.weight_x, cell.weight_h):
                    nn.init.normal_(weight, std=NORMAL)

    def forward(self, x):
        """(batch, lookback, channel, y, x), NaN where missing -> (batch, output, y, x), 0 off land."""
        known = x.isfinite()
        land = known.any(2).any(1)[:, None].to(x.dtype)
        x = torch.cat([torch.where(known, x, 0), known.to(x.dtype).mean(2, keepdim=True)], 2).transpose(0, 1)
        space = Grid(land)
        for k, (cell, norm) in enumerate(zip(self.cells, self.norms, strict=True), 1):
            x = self.dropout(norm(cell(x, space), land))
            if str(k) in self.attention:
                x = self.attention[str(k)](x, land)
        return self.out(x[-1]) * land


def estimation(channels, widths=ESTIMATION, **settings):
    """Today's moisture of one layer from `channels` maps of three days: Rabiei et al. (2024)."""
    return Stack(channels, 1, widths, **{"activation": "sigmoid", "attention_after": (2, 5)} | settings)


def forecast(channels, widths=FORECAST, leads=LEADS, **settings):
    """The moisture of one layer at all leads at once, (batch, lead, y, x): Rabiei et al. (2025)."""
    return Stack(channels, len(leads), widths, **{"activation": "relu", "start": "normal"} | settings)


def narrowed(widths, share, layers=None, least=4):
    """A smaller stack for quick runs: so many of the layers, evenly taken, and such a share of their filters."""
    taken = np.linspace(0, len(widths) - 1, layers or len(widths)).round().astype(int)
    return tuple(max(least, round(widths[k] * share)) for k in taken)


def save_stack(path, model):
    """Write a stack's settings and weights to a file of the safetensors format: no pickle, no code."""
    aside = Path(f"{path}.part")
    save_file({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, aside,
              metadata={"settings": json.dumps(model.settings)})
    os.replace(aside, path)


def load_stack(path):
    """The stack of such a file, on the CPU, ready to predict."""
    try:
        with safe_open(path, "pt") as file:
            model = Stack(**json.loads(file.metadata()["settings"]))
            model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is no file of a stack's settings and weights, or not a whole one") from error
    return model.eval()
