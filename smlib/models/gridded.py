"""The four networks of Fan et al. (2025) that predict the next day's field from its own past, by their name in print.

All are called alike: ``model(x)`` with x (batch, lookback, y, x), standardised, gives (batch, y, x).

What the published table says of their files (`data/published/fan2025_table1_cost.csv`) and what the weights come to in
single precision, at 79 x 207 cells with all of them valid:

- CNN: 0.11 MiB printed, 0.11 here; the layers are our choice, since nothing else is printed.
- LSTM: 254.84 MiB printed. Three layers of 256 units have 85 MiB of weights, and 254.8 with the two moments that
  Adam keeps of each, which Keras stores along.
- ConvLSTM: 0.17 MiB printed, of which the published code's 27 314 weights make 0.10.
- ConvLSTM-SE: 0.40 MiB printed; no squeeze-and-excite block of 8 channels adds so much. With Adam's moments it is 0.31.
"""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from smlib.models.cells import layout
from smlib.models.convlstm import ConvLSTM, FieldModel

# Samples that LSTM is judged by at a time on a CPU, zeros added: its products of matrices give a sample the same bits
# wherever it stands in a batch of this size, but not in batches of 1, 2 or 5.
ROWS = 16


class CNN(FieldModel):
    """CNN: the days as channels through three convolutions with ReLU (5, 3 and 3 cells wide) and a linear 1 x 1 one.

    The mask is laid on every layer's output. Shapes: x (batch, lookback, y, x) -> (batch, y, x).
    """

    def __init__(self, lookback, mask, channels=32, kernels=(5, 3, 3)):
        super().__init__(lookback, mask)
        inputs = (self.lookback, *[channels] * (len(kernels) - 1))
        self.layers = nn.ModuleList(nn.Conv2d(n, channels, kernel, padding=kernel // 2)
                                    for n, kernel in zip(inputs, kernels, strict=True))
        self.out = nn.Conv2d(channels, 1, 1)

    def predict(self, x):
        """(batch, lookback, y, x), 0 outside the mask -> (batch, y, x)."""
        space = layout(x, self.mask, self.training)
        x = space.pack(x)
        for layer in self.layers:
            x = space.blank(F.relu(space.convolve(x, layer.weight, layer.bias)))
        return space.unpack(space.convolve(x, self.out.weight, self.out.bias))[:, 0]


class LSTM(FieldModel):
    """LSTM: the valid cells of a day as one vector, layers of LSTM over the days, a dense layer back to the cells.

    It knows nothing of where a cell lies, and its weights grow with the number of cells.
    Shapes: x (batch, lookback, y, x) -> (batch, y, x).
    """

    def __init__(self, lookback, mask, hidden=256, layers=3):
        super().__init__(lookback, mask)
        cells = int(self.mask.sum())
        self.recurrent = nn.LSTM(cells, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden, cells)

    def predict(self, x):
        """(batch, lookback, y, x) -> (batch, y, x)."""
        batch = len(x)
        if not self.training and not x.is_cuda:
            x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, -batch % ROWS))
        states, _ = self.recurrent(x[:, :, self.mask])
        field = torch.zeros_like(x[:, 0])
        field[:, self.mask] = self.out(states[:, -1])
        return field[:batch]


# name -> builder(lookback, mask, settings of the model) of a network
GRIDDED = {
    "CNN": CNN,
    "LSTM": LSTM,
    "ConvLSTM": ConvLSTM,
    "ConvLSTM-SE": partial(ConvLSTM, squeeze_excite=True),
}


def parameter_count(model):
    """Number of trained values."""
    return sum(p.numel() for p in model.parameters())


def size_mib(model, moments=False):
    """MiB of the weights; with the two moments that Adam keeps of every weight, if asked for."""
    return sum(p.numel() * p.element_size() for p in model.parameters()) * (3 if moments else 1) / 2**20
