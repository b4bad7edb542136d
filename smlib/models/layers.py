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
        return _Recurrence.apply(x[None], self.weight[None])[0][0]


class _Recurrence(torch.autograd.Function):
    """`LSTMLayer` for all members at once, with its gradient written out, which is faster than to record it.

    x (member, inputs, day, batch), weight (member, 4 hidden, inputs + 1 + hidden) -> h (member, hidden, day, batch),
    and, kept for the gradient, day by day: z = [x, 1, h of the day before], gates i, f, o, g, cell c and tanh(c).
    """

    @staticmethod
    def forward(x, weight):
        members, inputs, days, batch = x.shape
        hidden = weight.shape[1] // 4
        z = x.new_ones(days, members, inputs + 1 + hidden, batch)
        z[:, :, :inputs] = x.permute(2, 0, 1, 3)
        gates = x.new_empty(days, members, 4 * hidden, batch)
        c = x.new_empty(days, members, hidden, batch)
        squashed = torch.empty_like(c)
        h = x.new_empty(members, hidden, days, batch)
        for t in range(days):
            known = inputs + 1 + (hidden if t else 0)  # the zero state adds nothing
            torch.bmm(weight[:, :, :known], z[t, :, :known], out=gates[t])
            ifo, g = gates[t].split([3 * hidden, hidden], 1)
            i, f, o = ifo.sigmoid_().split(hidden, 1)
            torch.mul(i, _tanh(g), out=c[t])
            if t:
                c[t].addcmul_(f, c[t - 1])
            torch.mul(o, _tanh(squashed[t].copy_(c[t])), out=h[:, :, t])
            if t + 1 < days:
                z[t + 1, :, inputs + 1:] = h[:, :, t]
        return h, z, gates, c, squashed

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1], *output[1:])
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, dh, *_):
        weight, z, gates, c, squashed = ctx.saved_tensors
        days, hidden = len(z), c.shape[2]
        inputs = z.shape[2] - 1 - hidden
        dx = torch.empty_like(z[:, :, :inputs]) if ctx.needs_input_grad[0] else None
        dgates, dweight, dh_next, dc = torch.empty_like(gates[0]), torch.zeros_like(weight), 0, 0
        for t in reversed(range(days)):
            ifo, (i, f, o, g) = gates[t, :, :3 * hidden], gates[t].split(hidden, 1)
            dh_t = dh[:, :, t] + dh_next
            dtanh = dh_t * o
            dc = torch.addcmul(dtanh, dtanh * squashed[t], squashed[t], value=-1).add_(dc)  # tanh' = 1 - tanh^2
            di, df, do, dg = dgates.split(hidden, 1)
            torch.mul(dc, g, out=di)
            torch.mul(dc, c[t - 1], out=df) if t else df.zero_()
            torch.mul(dh_t, squashed[t], out=do)
            dgates[:, :3 * hidden].mul_(torch.addcmul(ifo, ifo, ifo, value=-1))  # sigmoid' = sigmoid - sigmoid^2
            torch.mul(dc, i, out=dg)
            dg.addcmul_(dg * g, g, value=-1)
            dc = dc.mul_(f)
            if t:
                dweight = torch.bmm(dgates, z[t].transpose(1, 2)).add_(dweight)
            else:
                known = inputs + 1
                dweight[:, :, :known] += torch.bmm(dgates, z[0, :, :known].transpose(1, 2))
            first = 0 if dx is not None else inputs + 1
            if t or dx is not None:
                dz = torch.bmm(weight[:, :, first:].transpose(1, 2), dgates)
                dh_next = dz[:, inputs + 1 - first:]
                if dx is not None:
                    dx[t] = dz[:, :inputs]
        return None if dx is None else dx.permute(1, 2, 0, 3), dweight

    @staticmethod
    def vmap(info, in_dims, x, weight):
        x, weight = (a.expand(info.batch_size, *a.shape) if d is None else a.movedim(d, 0)
                     for a, d in zip((x, weight), in_dims, strict=True))
        members = x.shape[:2]
        h, *kept = _Recurrence.apply(x.flatten(0, 1), weight.flatten(0, 1))
        return ((h.unflatten(0, members), *(a.unflatten(1, members) for a in kept)), (0, 1, 1, 1, 1))


def _tanh(x):
    """tanh in place, by the logistic function: three times as fast on a CPU."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)


def layer_norm(x, gain, offset, epsilon=1e-5):
    """Layer normalisation over the features (Ba et al. 2016): (feature, batch) -> (feature, batch)."""
    centred = x - x.mean(0, keepdim=True)
    return gain[:, None] * centred * torch.rsqrt((centred**2).mean(0, keepdim=True) + epsilon) + offset[:, None]
