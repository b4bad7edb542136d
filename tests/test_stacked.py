"""Stacks of ConvLSTM layers: their parts against published formulae, what they know of missing data and of land."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from smlib.models import stacked
from smlib.models.cells import Grid
from smlib.models.stacked import (
    ESTIMATION,
    FORECAST,
    Attention,
    BatchNorm,
    Cell,
    Dropout,
    Stack,
    estimation,
    forecast,
    load_stack,
    narrowed,
    save_stack,
)

SMALL = (4, 5, 6)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("activation", stacked.ACTIVATIONS)
def test_a_cell_is_shis_equation_3_without_peepholes(activation):
    cell, x, act = Cell(2, 3, 3, activation), draw(3, 2, 2, 5, 4), getattr(F, activation)
    h = c = torch.zeros(2, 3, 5, 4)
    expected = []
    for day in x:
        i, f, o, g = (F.conv2d(day, cell.weight_x, cell.bias, padding=1)
                      + F.conv2d(h, cell.weight_h, padding=1)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * act(g)
        h = o.sigmoid() * act(c)
        expected.append(h)
    torch.testing.assert_close(cell(x, Grid(torch.ones(2, 1, 5, 4))), torch.stack(expected))


def test_batch_normalisation_is_torchs_where_all_is_land_and_counts_land_alone():
    ours, other, x = BatchNorm(3), nn.BatchNorm2d(3), 5 + 2 * draw(2, 4, 3, 5, 6)
    with torch.no_grad():
        for part in (ours, other):
            part.weight.copy_(torch.tensor([1.0, 2, 3]))
            part.bias.copy_(torch.tensor([0.5, 0, -1]))
    land = torch.ones(4, 1, 5, 6)
    for training in (True, False):
        ours.train(training), other.train(training)
        torch.testing.assert_close(ours(x, land), other(x.flatten(0, 1)).view_as(x))
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, other.state_dict()[name])
    ours.train()
    before = ours(x[..., :4], land[..., :4])
    x[..., 4:], land[..., 4:] = 1e4, 0
    after = ours(x, land)
    torch.testing.assert_close(after[..., :4], before)
    assert (after[..., 4:] == 0).all()


def test_attention_by_hand():
    block, x = Attention(4), draw(3, 2, 4, 5, 6)
    land = torch.ones(2, 1, 5, 6)
    land[0, :, 3:] = 0
    one = x[1, 0]
    squeezed = one[:, :3].mean((1, 2))
    first, _, second, _ = block.excite
    scale = torch.sigmoid(second.weight @ torch.relu(first.weight @ squeezed + first.bias) + second.bias)
    torch.testing.assert_close(block(x, land)[1, 0], one * scale[:, None, None])


def test_dropout_keeps_its_share_and_is_the_same_whoever_has_a_sample(monkeypatch):
    drop, x = Dropout(0.2), torch.ones(3, 8, 4, 8, 8)
    whole = drop(x)
    assert set(whole.unique().tolist()) == {0, 1.25}
    assert abs((whole == 0).float().mean() - 0.2) < 4 * (0.16 / x.numel()) ** 0.5
    for k in (0, 1):
        torch.manual_seed(5)
        alone = drop(x)
        monkeypatch.setattr(stacked, "place", lambda k=k: (k, 2))
        torch.manual_seed(5)
        assert torch.equal(drop(x[:, k::2]), alone[:, k::2])
        monkeypatch.undo()
    drop.eval()
    assert torch.equal(drop(x), x)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("settings", [{"activation": "sigmoid", "attention_after": (1, 2)}, {"activation": "relu"}])
def test_what_is_off_land_is_as_if_it_lay_outside_the_patch(training, settings):
    model = Stack(3, 2, SMALL, dropout=0, **settings).train(training)
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):  # no part is at its start, where it might be neutral
            if value.is_floating_point() and value.ndim == 1:
                value.uniform_(0.5, 1.5)
    x = draw(4, 3, 3, 8, 8)
    alone = model(x[..., :5])
    x[..., 5:] = torch.nan
    among = model(x)
    torch.testing.assert_close(among[..., :5], alone)
    assert (among[..., 5:] == 0).all()


def test_a_missing_value_is_told_from_the_mean():
    model = Stack(2, 1, SMALL).eval()
    x = draw(1, 3, 2, 8, 8)
    x[0, 1, 0, 4, 4] = 0
    mean = model(x)
    x[0, 1, 0, 4, 4] = torch.nan
    missing = model(x)
    assert missing.isfinite().all() and not torch.allclose(mean, missing, atol=1e-7)


def test_a_patch_without_any_data_does_not_spoil_the_others():
    model = estimation(2, SMALL)
    x = draw(4, 3, 2, 8, 8)
    x[1] = torch.nan
    out = model(x)
    out.square().sum().backward()
    assert out.isfinite().all() and (out[1] == 0).all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_the_published_sizes():
    assert len(ESTIMATION) == 10 and set(ESTIMATION) == {16, 32, 48, 64}
    assert len(FORECAST) == 8 and (min(FORECAST), max(FORECAST)) == (4, 256)
    model = estimation(7)
    assert list(model.attention) == ["2", "5"] and {cell.activation for cell in model.cells} == {"sigmoid"}
    layer = sum(4 * m * (9 * (n + m) + 1) + 2 * m for n, m in zip((8, *ESTIMATION), ESTIMATION, strict=False))
    squeeze = sum(2 * m * (m // 2) + m // 2 + m for m in (32, 64))
    assert sum(p.numel() for p in model.parameters()) == layer + squeeze + 17
    model = forecast(17)
    assert not model.attention and {cell.activation for cell in model.cells} == {"relu"}
    wide = model.cells[-1].weight_x
    assert abs(wide.std() / stacked.NORMAL - 1) < 0.01 and abs(wide.mean()) < 1e-3
    assert model(draw(1, 3, 17, 8, 8)).shape == (1, 5, 8, 8)


def test_narrower_and_shallower():
    assert narrowed(ESTIMATION, 0.25) == (4, 8, 12, 16, 16, 16, 16, 12, 8, 4)
    assert narrowed(FORECAST, 0.125, 4) == (4, 4, 16, 32)
    model = estimation(3, narrowed(ESTIMATION, 0.25, 4))
    assert len(model.cells) == 4 and list(model.attention) == ["2"]


def test_a_stack_learns():
    model = Stack(2, 1, (8, 8), activation="relu", dropout=0)
    x = draw(24, 3, 2, 8, 8)
    truth = (x[:, 2, :1] - 0.5 * x[:, 1, 1:]).roll(1, -1)  # the neighbour's
    adam, losses = torch.optim.Adam(model.parameters(), lr=0.02), []
    for _ in range(40):
        adam.zero_grad()
        losses.append((model(x)[..., 1:] - truth[..., 1:]).square().mean())
        losses[-1].backward()
        adam.step()
    assert losses[-1] < 0.3 * losses[0]


def test_files_bring_back_the_whole_model(tmp_path):
    model = forecast(3, SMALL, leads=(1, 3), dropout=0.4)
    model(draw(2, 3, 3, 8, 8))  # running statistics that are not those of the start
    save_stack(tmp_path / "m.safetensors", model)
    again = load_stack(tmp_path / "m.safetensors")
    assert torch.equal(model.eval()(draw(2, 3, 3, 8, 8)), again(draw(2, 3, 3, 8, 8)))
    assert again.settings == model.settings and again.dropout.p == 0.4
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
    assert json.dumps(model.settings)


def test_files_that_are_none(tmp_path):
    whole = tmp_path / "m.safetensors"
    save_stack(whole, Stack(2, 1, SMALL))
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "text").write_text("weights")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("cut", "text", "array.npy"):
        with pytest.raises(ValueError, match=f"{name} is no file of a stack's"):
            load_stack(tmp_path / name)


@pytest.mark.parametrize("settings, words", [({"activation": "gelu"}, "activation must be one of elu, tanh"),
                                             ({"start": "zeros"}, "start must be"), ({"widths": ()}, "a layer")])
def test_errors_say_what_is_wrong(settings, words):
    with pytest.raises(ValueError, match=words):
        Stack(2, **settings)
