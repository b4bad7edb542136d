"""The four gridded networks: one interface, masks that hold, sizes beside the printed ones, errors in words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from smlib.models.convlstm import ConvLSTM
from smlib.models.gridded import GRIDDED, parameter_count, size_mib

LOOKBACK, SHAPE = 5, (9, 11)
MASK = np.random.default_rng(0).random(SHAPE) < 0.7
PRINTED = pd.read_csv(Path(__file__).resolve().parents[1] / "data" / "published" / "fan2025_table1_cost.csv",
                      index_col="model")["model_file_mib"]


def build(name, mask=MASK, lookback=LOOKBACK, **settings):
    torch.manual_seed(0)
    return GRIDDED[name](lookback, mask, **({"hidden": 12} if name == "LSTM" else {}), **settings).eval()


def fields(n=3):
    return torch.tensor(np.random.default_rng(1).standard_normal((n, LOOKBACK, *SHAPE)), dtype=torch.float32)


def test_the_names_are_those_in_print():
    assert list(GRIDDED) == list(PRINTED.index)


@pytest.mark.parametrize("name", GRIDDED)
def test_a_window_gives_a_field_that_is_zero_outside(name):
    made = build(name)(fields())
    assert made.shape == (3, *SHAPE) and made.dtype == torch.float32
    assert not made[:, ~MASK].any() and made[:, MASK].all()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("value", [1e6, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [*GRIDDED, "peepholes"])
def test_what_stands_outside_never_reaches_a_valid_cell(name, value, training):
    model = (build("ConvLSTM", peephole=True) if name == "peepholes" else build(name)).train(training)
    found = []
    for x in (fields(), fields().masked_fill(~torch.tensor(MASK), value)):
        torch.manual_seed(5)
        made = model(x)
        found.append((made, *torch.autograd.grad(made.square().sum(), list(model.parameters()))))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["CNN", "ConvLSTM", "ConvLSTM-SE"])
def test_islands_do_not_meet_over_masked_cells(name):
    """Two islands further apart than a kernel, though not than a few: layers must not carry anything over the gap."""
    mask = np.zeros(SHAPE, bool)
    mask[:, :3] = mask[:, 9:] = True
    model, x = build(name, mask), fields()
    x.requires_grad_()
    if name == "ConvLSTM-SE":
        model.attention = None  # it is meant to see the whole field
    reached = torch.autograd.grad(model(x)[:, :, :3].sum(), x)[0]
    assert reached[..., :3].any() and not reached[..., 9:].any()


@pytest.mark.parametrize("name", GRIDDED)
def test_the_same_seed_gives_the_same_bits(name):
    assert torch.equal(build(name)(fields()), build(name)(fields()))


@pytest.mark.parametrize("name", GRIDDED)
def test_a_window_does_not_depend_on_its_batch(name):
    model = build(name)
    torch.testing.assert_close(model(fields())[1:2], model(fields()[1:2]), rtol=1e-4, atol=1e-5)


def test_the_order_of_days_matters():
    for name in GRIDDED:
        model = build(name)
        assert not torch.allclose(model(fields()), model(fields().flip(1)), atol=1e-4)


def test_parameter_counts_by_hand():
    # ConvLSTM: 4 gates x 8 filters of 25 taps on inputs and hidden state, and a bias; three layers; two 1 x 1 maps.
    layers = [32 * (25 * (inputs + 8) + 1) for inputs in (1, 8, 1)]
    assert parameter_count(build("ConvLSTM", lookback=14)) == sum(layers) + 9 + 9 == 27_314
    assert parameter_count(build("ConvLSTM-SE", lookback=14)) == 27_314 + (8 * 4 + 4) + (4 * 8 + 8)
    assert parameter_count(build("ConvLSTM", peephole=True)) == 27_314 + 3 * 3 * 8 * MASK.size
    assert parameter_count(build("CNN", lookback=14)) == 32 * (25 * 14 + 1) + 2 * 32 * (9 * 32 + 1) + 33
    n = int(MASK.sum())
    assert parameter_count(build("LSTM")) == 48 * (n + 12 + 2) + 2 * 48 * (12 + 12 + 2) + 13 * n


def test_sizes_beside_the_printed_ones():
    """Files hold more than weights: of Keras' files in print two fit only with Adam's moments, and none to the byte."""
    whole = np.ones((79, 207), bool)
    size = {name: size_mib(GRIDDED[name](14, whole)) for name in GRIDDED if name != "LSTM"}
    assert size["CNN"] == pytest.approx(PRINTED["CNN"], abs=0.005)
    assert size["ConvLSTM"] == pytest.approx(0.104, abs=0.001) and size["ConvLSTM"] < PRINTED["ConvLSTM"]
    assert 3 * size["ConvLSTM-SE"] == pytest.approx(0.313, abs=0.002) and 0.313 < PRINTED["ConvLSTM-SE"]
    with torch.device("meta"):  # counted without the memory
        lstm = torch.nn.LSTM(whole.size, 256, 3), torch.nn.Linear(256, whole.size)
    assert sum(size_mib(part, moments=True) for part in lstm) == pytest.approx(PRINTED["LSTM"], abs=0.1)


@pytest.mark.parametrize("name", GRIDDED)
def test_wrong_shapes_are_errors_in_words(name):
    model = build(name)
    for wrong in (fields()[:, 1:], fields()[..., 1:], fields()[0], fields()[:, :, None]):
        with pytest.raises(ValueError, match=r"\(batch, lookback, y, x\) = \(batch, 5, 9, 11\)"):
            model(wrong)
    with pytest.raises(ValueError, match="no valid cell"):
        build(name, np.zeros(SHAPE, bool))
    for mask in (MASK.astype(float), MASK[None]):
        with pytest.raises(ValueError, match=r"bool of the shape \(y, x\)"):
            build(name, mask)
    for lookback in (0, -1, 2.5):
        with pytest.raises(ValueError, match="whole number of days"):
            build(name, lookback=lookback)


def test_the_mask_is_a_buffer_of_its_own():
    mask = MASK.copy()
    model = ConvLSTM(LOOKBACK, mask)
    mask[:] = False
    assert dict(model.named_buffers())["mask"].sum() == MASK.sum()
