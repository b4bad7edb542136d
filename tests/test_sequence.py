"""The network of whole sequences: against torch's LSTM, with its dropout, and as a member of an ensemble."""

import numpy as np
import pytest
import torch
from torch import nn

from smlib.correction.losses import LOSSES, in_situ
from smlib.data.windows import Windows
from smlib.models.sequence import SequenceLSTM
from smlib.train import Member, train, train_ensemble
from smlib.train.loop import draw_kept

DAYS, FEATURES = 20, 3


def make(features, activation="sigmoid", dropout=0.3):
    return SequenceLSTM(features, hidden=6, activation=activation, dropout=dropout)


def sequences(n, seed, targets=4):
    """Moisture of a bucket, with gaps in all targets, and the settings of the losses."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, DAYS, FEATURES)).astype(np.float32)
    y = np.zeros((n, DAYS, targets), np.float32)
    for t in range(1, DAYS):
        y[:, t] = 0.8 * y[:, t - 1] + 0.1 * x[:, t, :1]
    y[..., :2] = 0.5 + y[..., :2] + rng.normal(0, 0.02, y[..., :2].shape)
    y[..., :2][rng.random(y[..., :2].shape) < 0.3] = np.nan
    if targets == 4:
        y[..., 2:] = 0.4, 0.05
    return Windows(x, y, np.arange(n))


TRAIN, VALIDATION = [sequences(n, n) for n in (40, 31, 57)], [sequences(n, n) for n in (9, 14, 6)]
MEMBERS = [Member(TRAIN[k % 3], VALIDATION[k % 3], 50 + k) for k in range(5)]
SHORT = {"epochs": 3, "steps": 4, "batch": 8, "learning_rate": 0.01, "device": "cpu"}


@pytest.mark.parametrize("activation", ["sigmoid", "ReLU"])
def test_it_is_torchs_lstm_with_an_affine_map_and_an_activation(activation):
    ours = make(FEATURES, activation).double()
    theirs, head = nn.LSTM(FEATURES, 6, batch_first=True).double(), nn.Linear(6, 1).double()
    weight = ours.layer.weight.detach()
    i, f, o, g = weight.chunk(4)
    by_gate = torch.cat([i, f, g, o])  # torch's order
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(by_gate[:, :FEATURES])
        theirs.bias_ih_l0.copy_(by_gate[:, FEATURES])
        theirs.bias_hh_l0.zero_()
        theirs.weight_hh_l0.copy_(by_gate[:, FEATURES + 1:])
        head.weight.copy_(ours.head.weight[:, :-1])
        head.bias.copy_(ours.head.weight[:, -1])
    x = torch.randn(7, DAYS, FEATURES, dtype=torch.float64)
    kept = torch.as_tensor(draw_kept(0, 1, 0.3, (7, 6)), dtype=torch.float64)
    squashed = torch.sigmoid if activation == "sigmoid" else torch.relu
    states = theirs(x)[0]
    torch.testing.assert_close(ours(x), squashed(head(states))[..., 0], rtol=0, atol=1e-12)
    torch.testing.assert_close(ours(x, kept), squashed(head(states * kept[:, None]))[..., 0], rtol=0, atol=1e-12)
    assert ours(x).shape == (7, DAYS)


def test_a_day_knows_nothing_of_the_days_after():
    x = torch.randn(4, DAYS, FEATURES)
    other = x.clone()
    other[:, 12:] += 1
    network = make(FEATURES)
    with torch.no_grad():
        assert torch.equal(network(x)[:, :12], network(other)[:, :12])
        assert (network(x)[:, 12] != network(other)[:, 12]).all()


def test_the_rectified_output_starts_where_it_has_a_slope():
    for seed in range(5):
        torch.manual_seed(seed)
        assert (make(FEATURES, "ReLU")(torch.randn(50, DAYS, FEATURES)) > 0).all()


def test_what_dropout_leaves_has_the_mean_1_and_is_drawn_anew_every_epoch():
    kept = draw_kept(3, 1, 0.2, (20, 50, 100))
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1) / np.float32(0.8)}
    assert kept.mean() == pytest.approx(1, abs=5 * np.sqrt(0.25 / kept.size))  # variance p / (1 - p)
    for other in ((3, 2), (4, 1)):
        assert (draw_kept(*other, 0.2, kept.shape) != kept).mean() == pytest.approx(2 * 0.2 * 0.8, abs=0.01)


def test_dropout_acts_in_training_and_in_training_alone():
    first = []
    for dropout in (0.0, 0.5):
        torch.manual_seed(1)
        network, history = train(make(FEATURES, dropout=dropout), TRAIN[0], VALIDATION[0], seed=1,
                                 loss=LOSSES["blended"], **SHORT)
        first.append(history["train_loss"][0])
        with torch.no_grad():
            x, y = (torch.as_tensor(a) for a in (VALIDATION[0].x, VALIDATION[0].y))
            judged = float(LOSSES["blended"](network(x), y).mean())  # without anything struck out
        assert judged == pytest.approx(history["validation_loss"].min(), rel=1e-5)
    assert first[0] != first[1]


@pytest.mark.parametrize(("loss", "dtype", "largest"), [
    (LOSSES["blended"], torch.float32, 1e-6), (LOSSES["blended"], torch.float64, 1e-12),
    (LOSSES["discounted"], torch.float64, 1e-12), (in_situ, torch.float32, 1e-6)])
def test_a_member_is_the_network_trained_alone(loss, dtype, largest):
    settings = SHORT | {"epochs": 4, "dtype": dtype, "loss": loss}
    found = train_ensemble(make, MEMBERS[:3], workers=1, **settings)
    torch.manual_seed(MEMBERS[1].seed)
    network, history = train(make(FEATURES), MEMBERS[1].train, MEMBERS[1].validation, seed=MEMBERS[1].seed, **settings)
    assert np.abs(found.validation_loss[1] - history["validation_loss"]).max() < largest
    assert np.abs(found.train_loss[1] - history["train_loss"]).max() < largest
    assert found.validation_loss[1, -1] < found.validation_loss[1, 0]
    x = VALIDATION[1].x
    with torch.no_grad():
        expected = network(torch.as_tensor(x, dtype=dtype)).numpy()
    made = found.predict(x, [1])[0]
    assert made.shape == (len(x), DAYS)
    np.testing.assert_allclose(made, expected, atol=1e-9 if dtype == torch.float64 else 1e-4)


def test_the_bits_of_a_member_do_not_depend_on_the_others():
    settings = SHORT | {"loss": LOSSES["blended"]}
    whole = train_ensemble(make, MEMBERS, workers=1, **settings)
    for rows, extra in (([2], {}), ([4, 1, 3], {"chunk": 2, "workers": 2}), ([3] * 17, {"chunk": 16, "workers": 1})):
        part = train_ensemble(make, [MEMBERS[k] for k in rows], **extra, **settings)
        for name, value in whole.weights.items():
            assert torch.equal(value[rows], part.weights[name])
        np.testing.assert_array_equal(whole.validation_loss[rows], part.validation_loss)
        np.testing.assert_array_equal(whole.predict(VALIDATION[0].x, rows), part.predict(VALIDATION[0].x,
                                                                                          range(len(rows))))
