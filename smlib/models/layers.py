"""Building blocks of the station networks, in plain tensor operations.

The same code serves one network and, under `torch.func.vmap`, thousands of them at once: `torch.nn.LSTM` cannot be
mapped, and `torch.nn.Conv1d` and the attention of torch fall back to slow loops under it. Tensors are feature-major,
(feature, batch) or (feature, day, batch), so that a product with weights is ``weight @ x``: under vmap twice as fast as
batch-major. A bias is the last column of its weight matrix, and meets a row of ones.
"""

import torch
from torch import nn


def feature_major(x):
    """(batch, day, feature) -> (feature, day, batch)."""
    return x.permute(2, 1, 0).contiguous()


def with_ones(*parts):
    """Rows of features put on top of each other, and below them a row of ones, for the bias."""
    return torch.cat([*parts, torch.ones_like(parts[0][:1])])


class Dense(nn.Module):
    """Affine map of the features: (inputs, ...) -> (outputs, ...). Starts uniform in +-1/sqrt(inputs)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs + 1).uniform_(-(inputs**-0.5), inputs**-0.5))

    def forward(self, x):
        """(inputs, ...) -> (outputs, ...)."""
        return (self.weight @ with_ones(x).flatten(1)).view(-1, *x.shape[1:])


class Convolution(nn.Module):
    """Convolution along the days: (inputs, day, batch) -> (outputs, day - kernel + 1 + 2 * padding, batch).

    Written as one affine map of `kernel` neighbouring days.
    """

    def __init__(self, inputs, outputs, kernel, padding=0):
        super().__init__()
        self.kernel, self.padding = kernel, padding
        self.map = Dense(kernel * inputs, outputs)

    def forward(self, x):
        """(inputs, day, batch) -> (outputs, day', batch)."""
        if self.padding:
            empty = torch.zeros_like(x[:, :1]).expand(-1, self.padding, -1)
            x = torch.cat([empty, x, empty], 1)
        days = x.shape[1] - self.kernel + 1
        return self.map(torch.cat([x[:, k:k + days] for k in range(self.kernel)]))


class LSTMLayer(nn.Module):
    """One LSTM layer (Hochreiter and Schmidhuber 1997, with forget gate): (inputs, day, batch) -> (hidden, day, batch).

    i, f, o = sigmoid(W [x, 1, h]), g = tanh(W [x, 1, h]); c = f c + i g; h = o tanh(c); h and c start at zero. The rows
    of ``weight`` are the gates i, f, o, g, its columns x, the bias, h. Starts uniform in +-1/sqrt(hidden), as torch's.
    """

    def __init__(self, inputs, hidden):
        super().__init__()
        self.inputs, self.hidden = inputs, hidden
        self.weight = nn.Parameter(
            torch.empty(4 * hidden, inputs + 1 + hidden).uniform_(-(hidden**-0.5), hidden**-0.5))

    def forward(self, x):
        """(inputs, day, batch) -> (hidden, day, batch)."""
        c, states = None, []
        for day in x.unbind(1):
            if c is None:  # the zero state adds nothing
                gates = self.weight[:, :self.inputs + 1] @ with_ones(day)
            else:
                gates = self.weight @ torch.cat([day, torch.ones_like(day[:1]), states[-1]])
            ifo, g = gates.split([3 * self.hidden, self.hidden])
            i, f, o = torch.sigmoid(ifo).split(self.hidden)
            c = i * torch.tanh(g) if c is None else f * c + i * torch.tanh(g)
            states.append(o * torch.tanh(c))
        return torch.stack(states, 1)


def layer_norm(x, gain, offset, epsilon=1e-5):
    """Layer normalisation over the features (Ba et al. 2016): (feature, batch) -> (feature, batch)."""
    centred = x - x.mean(0, keepdim=True)
    return gain[:, None] * centred * torch.rsqrt((centred**2).mean(0, keepdim=True) + epsilon) + offset[:, None]
