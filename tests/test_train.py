"""The training loop: checkpoint, early stop, and what they are judged on."""

import numpy as np
import pytest
import torch
from test_models import linear_windows
from torch import nn

from smlib.data.windows import Windows
from smlib.train import pick_device, train


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(12, 1)

    def forward(self, x):
        return self.layer(x.flatten(1)).squeeze(-1)


def loss(network, windows):
    with torch.no_grad():
        return float(torch.mean((network(torch.tensor(windows.x, dtype=torch.float32))
                                 - torch.tensor(windows.y, dtype=torch.float32)) ** 2))


def test_the_best_epoch_is_kept():
    """Validation asks for the opposite of what training teaches, so its loss soon only grows."""
    torch.manual_seed(0)
    windows, other = linear_windows(), linear_windows(100, 1)
    against = Windows(other.x, -other.y - 1, other.time)
    network, history = train(Linear(), windows, against, epochs=30, patience=30, learning_rate=1e-2)
    best = history.loc[history["validation_loss"].idxmin()]
    assert loss(network, against) == pytest.approx(best["validation_loss"], rel=1e-5)
    assert best["epoch"] < 30


def test_early_stop_waits_for_its_patience():
    torch.manual_seed(0)
    windows, other = linear_windows(), linear_windows(100, 1)
    against = Windows(other.x, -other.y - 1, other.time)
    _, history = train(Linear(), windows, against, epochs=500, patience=7, learning_rate=1e-2)
    assert history["epoch"].iloc[-1] == history.loc[history["validation_loss"].idxmin(), "epoch"] + 7


def test_one_batch_of_validation_is_another_judgement():
    torch.manual_seed(0)
    start = Linear().state_dict()
    losses = []
    for size in (None, 50):
        network = Linear()
        network.load_state_dict(start)
        losses.append(train(network, linear_windows(), linear_windows(300, 1), epochs=5, validation_batch=size)[1])
    assert not np.allclose(losses[0]["validation_loss"], losses[1]["validation_loss"], rtol=1e-3)


def test_a_loss_that_is_never_finite_is_an_error():
    windows = linear_windows(60)
    with pytest.raises(FloatingPointError, match="never finite"):
        train(Linear(), windows, Windows(windows.x, np.full(60, np.nan), windows.time), epochs=2)


def test_auto_device_is_one_that_exists():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu").type == "cpu"
