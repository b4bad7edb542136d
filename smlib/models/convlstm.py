"""The convolutional LSTM (Shi et al. 2015) and the two networks of Fan et al. (2025) that are made of it.

Fields are (batch, y, x), standardised. Cells outside the mask are 0 in the input and, after every step, in the hidden
and the cell state: what stands there never reaches a valid cell. A CPU leaves them out altogether, as a rule (`cells`).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from smlib.models.cells import layout

ACTIVATIONS = ("elu", "tanh")


class FieldModel(nn.Module):
    """What the gridded networks share: x (batch, lookback, y, x) -> the next day's field (batch, y, x), 0 outside.

    A network says in ``predict`` how it gets from one to the other; the input's cells outside the mask are then 0.

    Parameters
    ----------
    lookback : int
        Days in a window.
    mask : (y, x) bool
        The valid cells.
    """

    def __init__(self, lookback, mask):
        super().__init__()
        mask = torch.as_tensor(np.asarray(mask))
        if mask.dtype != torch.bool or mask.ndim != 2:
            raise ValueError(f"the mask must be bool of the shape (y, x), not {mask.dtype} of {tuple(mask.shape)}")
        if not mask.any():
            raise ValueError("the mask has no valid cell, so there is nothing to predict")
        if isinstance(lookback, bool) or int(lookback) != lookback or lookback < 1:
            raise ValueError(f"lookback must be a whole number of days from 1, not {lookback!r}")
        self.lookback = int(lookback)
        self.register_buffer("mask", mask.clone())

    def forward(self, x):
        """(batch, lookback, y, x), anything outside the mask -> (batch, y, x), 0 outside the mask."""
        expected = (self.lookback, *self.mask.shape)
        if x.ndim != 4 or tuple(x.shape[1:]) != expected:
            raise ValueError("the windows must have the shape (batch, lookback, y, x) = "
                             f"(batch, {', '.join(map(str, expected))}), not {tuple(x.shape)}")
        return self.predict(x.masked_fill(~self.mask, 0)).masked_fill(~self.mask, 0)


def gates(a, c, peephole, activation, mask):
    """Equations 3 of Shi et al. (2015) after the convolutions; `activation` stands where they have tanh.

    i = s(a_i + w_ci c)    f = s(a_f + w_cf c)    c' = f c + i act(a_g)    o = s(a_o + w_co c')    h' = o act(c')

    Shapes: a (4, batch, ...), in the order i, f, o, g; c (batch, ...), None for zeros; peephole (3, ...), in the order
    i, f, o, or None; mask of 1 and 0, or None for 1 all over. Returns h' and c', shaped as c.
    """
    if peephole is None:
        return _Gates.apply(a, c, activation, mask)
    a_i, a_f, a_o, a_g = a
    act, keep = getattr(F, activation), 1 if mask is None else mask
    if c is None:
        c = torch.zeros_like(a_g)
    i, f = torch.sigmoid(a_i + peephole[0] * c), torch.sigmoid(a_f + peephole[1] * c)
    c = (f * c + i * act(a_g)) * keep
    return torch.sigmoid(a_o + peephole[2] * c) * act(c) * keep, c


class _Gates(torch.autograd.Function):
    """`gates` without peepholes, with its gradient written out: fewer passes over memory than recorded step by step.

    `a` is overwritten by the gates. It must come fresh from a convolution, whose gradient has no need of it.
    """

    @staticmethod
    def forward(ctx, a, c, activation, mask):
        (i, f, o), g = a[:3].sigmoid_(), a[3]
        F.elu_(g) if activation == "elu" else g.tanh_()
        c_new = i * g
        if c is not None:  # the zero state adds nothing
            c_new.addcmul_(f, c)
        if mask is not None:
            c_new.mul_(mask)
        squashed = F.elu(c_new) if activation == "elu" else torch.tanh(c_new)  # 0 outside the mask, as act(0) is
        ctx.save_for_backward(a, c, squashed, mask)
        ctx.activation = activation
        return o * squashed, c_new

    @staticmethod
    def backward(ctx, dh, dc_new):
        a, c, squashed, mask = ctx.saved_tensors
        i, f, o, g = a
        da = torch.empty_like(a)
        di, df, do, dg = da
        torch.mul(dh, squashed, out=do)
        dc = (dh * o).mul_(_slope(squashed, ctx.activation)).add_(dc_new)
        if mask is not None:
            dc.mul_(mask)
        torch.mul(dc, g, out=di)
        df.zero_() if c is None else torch.mul(dc, c, out=df)
        da[:3].mul_(torch.addcmul(a[:3], a[:3], a[:3], value=-1))  # sigmoid' = sigmoid - sigmoid^2
        torch.mul(dc, i, out=dg).mul_(_slope(g, ctx.activation))
        return da, None if c is None else dc.mul_(f), None, None


def _slope(value, activation):
    """The derivative of an activation, by its value."""
    return value.clamp(max=0).add_(1) if activation == "elu" else 1 - value**2


class ConvLSTMCell(nn.Module):
    """One layer of ConvLSTM, of fields in the layout of a `Grid` or of `Cells`: inputs channels -> hidden channels.

    Starts as Keras' ConvLSTM2D does in the code published with Fan et al. (2025): inputs' weights he-normal, hidden
    ones orthogonal, forget bias 1, other biases 0; peepholes, which Keras has not, 0.

    Parameters
    ----------
    inputs, hidden, kernel : int
        Channels, and the width of the convolutions, odd.
    activation : {"elu", "tanh"}
        Of the candidate and of the cell state; Shi et al. have tanh.
    peephole_shape : (y, x), optional
        Give the gates a view of the cell state, with weights of their own in every cell of the grid.
    """

    def __init__(self, inputs, hidden, kernel=5, activation="elu", peephole_shape=None):
        super().__init__()
        if activation not in ACTIVATIONS or kernel % 2 == 0:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)} and kernel odd, "
                             f"not {activation!r} and {kernel!r}")
        self.activation = activation
        self.weight_x = nn.Parameter(torch.empty(4 * hidden, inputs, kernel, kernel))
        self.weight_h = nn.Parameter(torch.empty(4 * hidden, hidden, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        self.peephole = None if peephole_shape is None else nn.Parameter(torch.zeros(3, hidden, *peephole_shape))
        nn.init.kaiming_normal_(self.weight_x)
        nn.init.orthogonal_(self.weight_h)
        nn.init.ones_(self.bias[hidden:2 * hidden].detach())

    def forward(self, x, space, state=(None, None)):
        """x (day, batch, ...), its space, state (h, c) or zeros -> all h (day, batch, ...), and the last (h, c)."""
        step = space.steps(x, self.weight_x, self.weight_h, self.bias)
        peephole = None if self.peephole is None else space.pack(self.peephole)
        (h, c), found = state, []
        for day in range(len(x)):
            h, c = gates(space.gates(step(day, h)), c, peephole, self.activation, space.mask)
            found.append(h)
        return torch.stack(found), (h, c)


class SqueezeExcite(nn.Module):
    """Scale channels by what they hold on the whole (Hu et al. 2018): (batch, channel, y, x) -> the same shape.

    Squeeze: the mean over the valid cells. Excite: two dense layers, ReLU between them and a sigmoid behind.
    """

    def __init__(self, channels, reduction=2):
        super().__init__()
        self.excite = nn.Sequential(nn.Linear(channels, max(1, channels // reduction)), nn.ReLU(),
                                    nn.Linear(max(1, channels // reduction), channels), nn.Sigmoid())

    def forward(self, x, mask):
        """x (batch, channel, y, x), mask (y, x) of 1 and 0."""
        squeezed = (x * mask).sum((2, 3)) / mask.sum()
        # On a CPU one by one, so that a sample's bits do not depend on its batch.
        scale = self.excite(squeezed) if x.is_cuda else torch.stack([self.excite(one) for one in squeezed])
        return x * scale[:, :, None, None]


class ConvLSTM(FieldModel):
    """ConvLSTM of Fan et al. (2025): two encoder layers, and a decoder that starts from the second one's state.

    The decoder's input is a linear map of the encoder's last hidden state, its output a linear map of its own. As in
    the published code, dropout is on every layer's input, the same for all days of a window. With `squeeze_excite`, the
    hidden state passes a `SqueezeExcite` on its way into the decoder: ConvLSTM-SE.
    """

    def __init__(self, lookback, mask, hidden=8, kernel=5, dropout=0.3, activation="elu", peephole=False,
                 squeeze_excite=False, reduction=2):
        super().__init__(lookback, mask)
        shape = tuple(self.mask.shape) if peephole else None
        self.first = ConvLSTMCell(1, hidden, kernel, activation, shape)
        self.second = ConvLSTMCell(hidden, hidden, kernel, activation, shape)
        self.attention = SqueezeExcite(hidden, reduction) if squeeze_excite else None
        self.between = nn.Conv2d(hidden, 1, 1)
        self.decoder = ConvLSTMCell(1, hidden, kernel, activation, shape)
        self.out = nn.Conv2d(hidden, 1, 1)
        self.dropout = dropout

    def predict(self, x):
        """(batch, lookback, y, x), 0 outside the mask -> (batch, y, x)."""
        space = layout(x, self.mask, self.training)
        h, _ = self.first(self._drop(space.pack(x.transpose(0, 1).unsqueeze(2))), space)
        h, (last, c) = self.second(self._drop(h), space)
        seen = last if self.attention is None else space.pack(self.attention(space.unpack(last), self.mask.to(x.dtype)))
        told = space.blank(space.convolve(seen, self.between.weight, self.between.bias))
        h, _ = self.decoder(self._drop(told[None]), space, (last, c))
        return space.unpack(space.convolve(h[0], self.out.weight, self.out.bias))[:, 0]

    def _drop(self, x):
        """Dropout with one draw for all days: x (day, batch, ...)."""
        return x * F.dropout(torch.ones_like(x[0]), self.dropout) if self.training and self.dropout else x
