"""The ConvLSTM cell against its published equations in NumPy, its gradients, its masks, and the network made of it."""

import itertools

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from smlib.models import cells
from smlib.models.cells import Cells, Grid, layout
from smlib.models.convlstm import ConvLSTM, ConvLSTMCell, SqueezeExcite, gates
from smlib.models.gridded import GRIDDED

HIDDEN, KERNEL, SHAPE = 3, 3, (5, 6)
ACTIVATION = {"tanh": np.tanh, "elu": lambda v: np.where(v > 0, v, np.expm1(v))}
MASK = np.ones(SHAPE, bool)
MASK[:2, :2] = MASK[4, 3:] = False


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def convolve(weight, field):
    """weight (output, input, k, k), field (batch, input, y, x) -> (batch, output, y, x), zeros around the grid."""
    return np.array([[sum(correlate2d(one[c], w[c], mode="same") for c in range(len(one))) for w in weight]
                     for one in field])


def published(x, h, c, cell, act, mask):
    """One step of Shi et al. (2015, Eq. 3), gate by gate; returns every gate, the cell state and the hidden state."""
    w_x, w_h, b = (p.detach().numpy() for p in (cell.weight_x, cell.weight_h, cell.bias))
    (wxi, wxf, wxo, wxc), (whi, whf, who, whc) = np.split(w_x, 4), np.split(w_h, 4)
    bi, bf, bo, bc = (part[:, None, None] for part in np.split(b, 4))
    wci, wcf, wco = np.zeros((3, 1, 1, 1)) if cell.peephole is None else cell.peephole.detach().numpy()
    i = sigmoid(convolve(wxi, x) + convolve(whi, h) + wci * c + bi)
    f = sigmoid(convolve(wxf, x) + convolve(whf, h) + wcf * c + bf)
    c = (f * c + i * act(convolve(wxc, x) + convolve(whc, h) + bc)) * mask
    o = sigmoid(convolve(wxo, x) + convolve(who, h) + wco * c + bo)
    return {"i": i, "f": f, "o": o, "c": c, "h": o * act(c) * mask}


def cell_of(inputs=2, activation="tanh", peephole=False, hidden=HIDDEN):
    """A cell in double precision, all of whose weights are random."""
    torch.manual_seed(0)
    cell = ConvLSTMCell(inputs, hidden, KERNEL, activation, SHAPE if peephole else None).double()
    for p in cell.parameters():
        torch.nn.init.normal_(p, std=0.4)
    return cell


LAYOUTS = {"grid": lambda mask: Grid(torch.tensor(mask).double()), "cells": lambda mask: Cells(torch.tensor(mask))}


def run(cell, space, x, state=(None, None)):
    """A cell's answer to fields, in a layout, as fields: all h, and the last (h, c)."""
    found, last = cell(space.pack(x), space, [None if part is None else space.pack(part) for part in state])
    return space.unpack(found), [space.unpack(part) for part in last]


@pytest.mark.parametrize("space", LAYOUTS)
@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("inputs", [1, 2])
def test_the_cell_follows_the_published_equations_step_by_step(inputs, peephole, activation, space):
    cell, rng = cell_of(inputs, activation, peephole), np.random.default_rng(1)
    x = rng.standard_normal((4, 2, inputs, *SHAPE)) * MASK
    found, (h_last, c_last) = run(cell, LAYOUTS[space](MASK), torch.tensor(x))
    h = c = np.zeros((2, HIDDEN, *SHAPE))
    for day in range(len(x)):
        step = published(x[day], h, c, cell, ACTIVATION[activation], MASK)
        h, c = step["h"], step["c"]
        np.testing.assert_allclose(found[day].detach(), h, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(c_last.detach(), c, rtol=1e-10, atol=1e-12)
    assert torch.equal(h_last, found[-1])


@pytest.mark.parametrize("space", LAYOUTS)
@pytest.mark.parametrize("gate", ["i", "f", "o"])
@pytest.mark.parametrize("peephole", [False, True])
def test_each_gate_is_the_published_one(gate, peephole, space):
    """With the other gates held open or shut, c' or h' tells what one gate lets through."""
    cell, rng = cell_of(2, "tanh", peephole), np.random.default_rng(2)
    x, h, c = (rng.standard_normal((1, n, *SHAPE)) for n in (2, HIDDEN, HIDDEN))
    shut = {"i": ["f"], "f": ["i"], "o": []}[gate]
    with torch.no_grad():
        for row in (slice(HIDDEN * "ifo".index(other), HIDDEN * ("ifo".index(other) + 1)) for other in shut):
            cell.bias[row] = -700.0
    step = published(x, h, c, cell, np.tanh, np.ones(SHAPE))
    _, (h_new, c_new) = run(cell, LAYOUTS[space](np.ones(SHAPE, bool)), torch.tensor(x)[None],
                            (torch.tensor(h), torch.tensor(c)))
    candidate = np.tanh(convolve(cell.weight_x.detach().numpy()[-HIDDEN:], x)
                        + convolve(cell.weight_h.detach().numpy()[-HIDDEN:], h)
                        + cell.bias.detach().numpy()[-HIDDEN:, None, None])
    let_through = {"i": c_new.detach().numpy() / candidate, "f": c_new.detach().numpy() / c,
                   "o": (h_new / torch.tanh(c_new)).detach().numpy()}[gate]
    np.testing.assert_allclose(let_through, step[gate], rtol=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "elu"])
def test_gates_written_out_are_those_of_the_equations(activation):
    torch.manual_seed(3)
    a, c = (torch.randn(*n, HIDDEN, *SHAPE, dtype=torch.float64, requires_grad=True) for n in ((4, 2), (2,)))
    none = torch.zeros(3, HIDDEN, *SHAPE, dtype=torch.float64)
    for state, mask in itertools.product((c, None), (torch.tensor(MASK).double(), None)):
        both = [gates(a.clone(), state, peephole, activation, mask) for peephole in (None, none)]
        wanted = [torch.autograd.grad((h.sin() + 2 * new.cos()).sum(), [a] + [c] * (state is not None))
                  for h, new in both]
        for one, other in zip((*both[0], *wanted[0]), (*both[1], *wanted[1]), strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("space", LAYOUTS)
@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("inputs", [1, 2])
def test_gradients(inputs, peephole, activation, space):
    cell, shape = cell_of(inputs, activation, peephole, hidden=2), (2, 3)
    if peephole:
        cell.peephole = torch.nn.Parameter(cell.peephole[:, :, :2, :3].detach().clone())
    x, h, c = (torch.randn(*n, *shape, dtype=torch.float64, requires_grad=True)
               for n in ((2, 1, inputs), (1, 2), (1, 2)))
    mask = np.ones(shape, bool)
    mask[0, 1] = False
    place, names = LAYOUTS[space](mask), [name for name, _ in cell.named_parameters()]

    def answer(x, state, values):
        given = dict(zip(names, values, strict=True))
        return torch.func.functional_call(cell, given, (place.pack(x), place, state))

    def with_state(x, h, c, *values):
        hs, (_, last) = answer(x, (place.pack(h), place.pack(c)), values)
        return place.unpack(hs), place.unpack(last)

    assert torch.autograd.gradcheck(with_state, (x, h, c, *cell.parameters()))
    assert torch.autograd.gradcheck(lambda x, *values: place.unpack(answer(x, (None, None), values)[0]),
                                    (x, *cell.parameters()), fast_mode=True)


@pytest.mark.parametrize("space", LAYOUTS)
def test_the_state_is_zero_outside_the_mask_after_every_step(space):
    cell, mask = cell_of(2, "elu"), torch.tensor(MASK)
    found, (_, c) = run(cell, LAYOUTS[space](MASK), torch.randn(4, 2, 2, *SHAPE, dtype=torch.float64) * mask)
    assert not found[..., ~mask].any() and not c[..., ~mask].any()
    assert found[..., mask].all()


@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("inputs", [1, 2])
def test_all_ways_give_the_same(inputs, peephole):
    """Inputs of all days convolved at once, as on a GPU; along with the hidden state; and in valid cells alone."""
    cell = cell_of(inputs, "elu", peephole)
    x = torch.randn(4, 2, inputs, *SHAPE, dtype=torch.float64) * torch.tensor(MASK)

    class OnGPU(torch.Tensor):
        is_cuda = True

    results = []
    for window, space in ((x.as_subclass(OnGPU), "grid"), (x, "grid"), (x, "cells")):
        assert window.is_cuda is (not results)
        hs = run(cell, LAYOUTS[space](MASK), window)[0].as_subclass(torch.Tensor)
        results.append([torch.Tensor(v) for v in (hs, *torch.autograd.grad(hs.sin().sum(), list(cell.parameters())))])
    for one, *others in zip(*results, strict=True):
        for other in others:
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("chunk", [4, 1024])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 1])
def test_convolving_valid_cells_is_convolving_a_grid_with_zeros_outside(share, kernel, chunk, monkeypatch):
    """Gaps shorter and longer than the kernel, rows without a cell, grids smaller than the kernel."""
    monkeypatch.setattr(cells, "CHUNK", chunk)
    cells._table.cache_clear()
    rng = np.random.default_rng(7)
    for shape in ((9, 40), (1, 30), (30, 1), (2, 2)):
        mask = torch.tensor(rng.random(shape) < share)
        mask[-1, 0] = True
        space = Cells(mask)
        x = (torch.randn(3, 2, *shape, dtype=torch.float64) * mask).requires_grad_()
        weight = torch.randn(5, 2, kernel, kernel, dtype=torch.float64, requires_grad=True)
        bias = torch.randn(5, dtype=torch.float64, requires_grad=True)
        given = (x, weight, bias)
        assert torch.equal(space.unpack(space.pack(x)), x)
        made = space.unpack(space.convolve(space.pack(x), weight, bias))
        wanted = Grid(mask.double()).convolve(x, weight, bias) * mask
        torch.testing.assert_close(made, wanted)
        for one, other in zip(*(torch.autograd.grad(v.sin().sum(), given) for v in (made, wanted)), strict=True):
            torch.testing.assert_close(one if one.shape != x.shape else one * mask,
                                       other if other.shape != x.shape else other * mask)
    cells._table.cache_clear()


@pytest.mark.parametrize("cells_valid", ["some", "all"])
@pytest.mark.parametrize("name", GRIDDED)
def test_a_batch_gives_the_bits_of_its_samples_one_by_one(name, cells_valid):
    shape = (9, 11)  # odd, so that samples do not end where a vector register does
    mask = np.random.default_rng(0).random(shape) < (0.5 if cells_valid == "some" else 2)
    torch.manual_seed(0)
    model, x = GRIDDED[name](14, mask).eval(), torch.randn(12, 14, *shape)
    with torch.no_grad():
        alone = torch.cat([model(one[None]) for one in x])
        for batch in (1, 5, 12):
            assert torch.equal(model(x[:batch]), alone[:batch])


def test_which_layout():
    """Valid cells alone on a CPU, but for training where most are valid."""
    x, sparse, dense = torch.zeros(2, 3), torch.zeros(10, 10, dtype=torch.bool), torch.ones(10, 10, dtype=torch.bool)
    sparse[:5] = True
    assert isinstance(layout(x, sparse, True), Cells) and isinstance(layout(x, dense, True), Grid)
    assert isinstance(layout(x, sparse, False), Cells) and isinstance(layout(x, dense, False), Cells)


@pytest.mark.parametrize("name", [name for name in GRIDDED if name != "LSTM"])
def test_a_network_answers_alike_in_both_layouts(name, monkeypatch):
    torch.manual_seed(0)
    model, x, found = GRIDDED[name](4, MASK).eval(), torch.randn(3, 4, *SHAPE), []
    for space in (Cells, lambda mask: Grid(mask.float())):
        for module in ("convlstm", "gridded"):
            monkeypatch.setattr(f"smlib.models.{module}.layout", lambda x, mask, training, space=space: space(mask))
        made = model(x)
        found.append((made, *torch.autograd.grad(made.square().sum(), list(model.parameters()))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_start_is_that_of_the_published_code():
    torch.manual_seed(0)
    cell = ConvLSTMCell(8, 8)
    rows = cell.weight_h.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(32), atol=1e-5, rtol=0)
    assert cell.weight_x.std().item() == pytest.approx((2 / 200) ** 0.5, rel=0.05)
    assert cell.bias.tolist() == [0] * 8 + [1] * 8 + [0] * 16


def test_squeeze_sees_valid_cells_only_and_excite_scales_channels():
    torch.manual_seed(0)
    block, mask = SqueezeExcite(4), torch.tensor(MASK).float()
    x = torch.randn(2, 4, *SHAPE)
    other = x.masked_fill(~torch.tensor(MASK), 7.0)
    scale = (block(x, mask) / x)[:, :, 0, 3]
    torch.testing.assert_close(block(x, mask), x * scale[:, :, None, None])
    torch.testing.assert_close((block(other, mask) / other)[:, :, 0, 3], scale)
    assert ((scale > 0) & (scale < 1)).all() and not torch.allclose(scale[0], scale[1])


def test_dropout_draws_once_for_all_days_and_not_at_all_in_judgement():
    torch.manual_seed(0)
    model = ConvLSTM(14, MASK)
    dropped = model.train()._drop(torch.ones(14, 3, 8, *SHAPE))
    assert (dropped == dropped[0]).all() and (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.06)
    x = torch.randn(2, 14, *SHAPE)
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


def test_unknown_settings_are_errors():
    with pytest.raises(ValueError, match="elu, tanh"):
        ConvLSTMCell(1, 8, activation="relu")
    with pytest.raises(ValueError, match="odd"):
        ConvLSTMCell(1, 8, kernel=4)
