"""The training loop: what it draws, how it steps, its checkpoint, its early stop, and what they are judged on."""

import numpy as np
import pytest
import torch
from test_models import linear_windows
from torch import nn
from torch.nn import functional as F

from smlib.data.windows import Windows
from smlib.models.recurrent import GANLSTM, LSTM
from smlib.train import pick_device, train
from smlib.train.loop import JUDGE, TRAIN, draw_rows, optimisers_of, update


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


def against(windows):
    """Windows that ask for the opposite of what training teaches, so that their loss soon only grows."""
    return Windows(windows.x, -windows.y - 1, windows.time)


def weights(network):
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def test_the_best_epoch_is_kept():
    torch.manual_seed(0)
    other = against(linear_windows(100, 1))
    network, history = train(Linear(), linear_windows(), other, epochs=30, patience=30, learning_rate=1e-2)
    best = history.loc[history["validation_loss"].idxmin()]
    assert loss(network, other) == pytest.approx(best["validation_loss"], rel=1e-5)
    assert best["epoch"] < 30


def test_early_stop_waits_for_its_patience():
    torch.manual_seed(0)
    _, history = train(Linear(), linear_windows(), against(linear_windows(100, 1)), epochs=500, patience=7,
                       learning_rate=1e-2)
    assert history["epoch"].iloc[-1] == history.loc[history["validation_loss"].idxmin(), "epoch"] + 7


def test_one_batch_of_validation_is_another_judgement_of_the_same_training():
    torch.manual_seed(0)
    start = Linear().state_dict()
    histories = []
    for size in (None, 50):
        network = Linear()
        network.load_state_dict(start)
        histories.append(train(network, linear_windows(), linear_windows(300, 1), epochs=5, validation_batch=size)[1])
    assert not np.allclose(histories[0]["validation_loss"], histories[1]["validation_loss"], rtol=1e-3)
    np.testing.assert_array_equal(histories[0]["train_loss"], histories[1]["train_loss"])


def test_a_loss_that_is_never_finite_is_an_error():
    windows = linear_windows(60)
    with pytest.raises(FloatingPointError, match="never finite"):
        train(Linear(), windows, Windows(windows.x, np.full(60, np.nan), windows.time), epochs=2)


def test_auto_device_is_one_that_exists():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu").type == "cpu"


def test_rows_follow_from_seed_epoch_and_stream_alone():
    rows = draw_rows(3, 5, TRAIN, 40, (20, 50))
    np.random.rand(7)
    np.testing.assert_array_equal(rows, draw_rows(3, 5, TRAIN, 40, (20, 50)))
    assert rows.shape == (20, 50)
    assert set(np.unique(rows)) == set(range(40)), "every row of 40 is drawn, of 1000 draws"
    others = [(4, 5, TRAIN), (3, 6, TRAIN), (3, 4, TRAIN), (3, 5, JUDGE), (3, 4, JUDGE), (3, 6, JUDGE)]
    for key in others:
        assert (rows != draw_rows(*key, 40, (20, 50))).mean() > 0.9


def test_every_row_is_drawn_equally_often():
    count = np.bincount(np.concatenate([draw_rows(seed, epoch, TRAIN, 7, (20, 50)).ravel()
                                        for seed in range(10) for epoch in range(1, 11)]), minlength=7)
    expected = 100_000 / 7
    assert ((count - expected) ** 2 / expected).sum() < 22.5, "chi squared with 6 degrees of freedom, p = 0.001"


def test_the_loop_is_adam_on_the_mean_squared_error():
    """The same batches through torch's plain Adam, written out."""
    windows, other = linear_windows(200), linear_windows(60, 1)
    torch.manual_seed(0)
    network, twin = LSTM(3).double(), LSTM(3).double()
    twin.load_state_dict(network.state_dict())
    _, history = train(network, windows, other, epochs=3, steps=10, seed=5, dtype=torch.float64)
    adam = torch.optim.Adam(twin.parameters(), lr=1e-3, foreach=False)
    for epoch in (1, 2, 3):
        running = []
        for rows in draw_rows(5, epoch, TRAIN, 200, (10, 50)):
            adam.zero_grad()
            error = F.mse_loss(twin(torch.tensor(windows.x[rows])), torch.tensor(windows.y[rows]))
            error.backward()
            adam.step()
            running.append(error.item())
        judged = F.mse_loss(twin(torch.tensor(other.x)), torch.tensor(other.y)).item()
        assert history["train_loss"][epoch - 1] == pytest.approx(np.mean(running), rel=1e-9)
        assert history["validation_loss"][epoch - 1] == pytest.approx(judged, rel=1e-9)


def gan(weight):
    torch.manual_seed(1)
    return GANLSTM(3, adversarial_weight=weight).double()


def test_the_adversarial_update_is_that_of_the_paper():
    """Three updates of the discriminator by cross entropy, then one of the generator, in torch's own words."""
    network, twin = gan(0.3), gan(0.3)
    windows = linear_windows(50)
    x, y = torch.tensor(windows.x), torch.tensor(windows.y)
    optimisers = optimisers_of(network, dict(network.named_parameters()), 123.0)
    judge = [p for name, p in twin.named_parameters() if name.startswith("discriminator")]
    rest = [p for name, p in twin.named_parameters() if not name.startswith("discriminator")]
    judging = torch.optim.Adam(judge, lr=1e-3, foreach=False)
    making = torch.optim.Adam(rest, lr=5e-4, foreach=False)
    bce, one, zero = F.binary_cross_entropy, torch.ones_like(y), torch.zeros_like(y)

    def believed(values):
        seen = torch.cat([x[:, :, -1], values[:, None]], 1)
        return torch.sigmoid(F.linear(seen, twin.discriminator.weight[:, :-1], twin.discriminator.weight[:, -1]))[:, 0]

    for _ in range(4):
        error = update(network, network, optimisers, x, y)
        fixed = twin(x).detach()
        for _ in range(3):
            judging.zero_grad()
            (bce(believed(y), one) + bce(believed(fixed), zero)).backward()
            judging.step()
        making.zero_grad()
        made = twin(x)
        (F.mse_loss(made, y) + 0.3 * bce(believed(made), one)).backward()
        making.step()
        assert error.item() == pytest.approx(F.mse_loss(fixed, y).item())
        for name, p in twin.named_parameters():
            torch.testing.assert_close(network.get_parameter(name), p, rtol=1e-9, atol=1e-12)


def test_the_discriminators_updates_leave_the_generator_alone_and_the_other_way_round():
    network, windows = gan(0.3), linear_windows(50)
    optimisers = optimisers_of(network, dict(network.named_parameters()), 1e-3)
    seen = []
    for name, optimiser in optimisers.items():
        optimiser.register_step_post_hook(lambda *_, name=name: seen.append((name, weights(network))))
    before = weights(network)
    update(network, network, optimisers, torch.tensor(windows.x), torch.tensor(windows.y))
    assert [name for name, _ in seen] == ["discriminator"] * 3 + ["network"]
    for who, after in seen:
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        part = {name for name in before if name.startswith("discriminator.")}
        assert moved == (part if who == "discriminator" else set(before) - part)
        before = after


def test_without_an_adversary_it_is_the_lstm():
    network, plain = gan(0.0), LSTM(3).double()
    plain.load_state_dict({n: p for n, p in network.state_dict().items() if not n.startswith("discriminator")})
    settings = {"epochs": 4, "dtype": torch.float64}
    network, history = train(network, linear_windows(), linear_windows(60, 1), **settings)
    plain, expected = train(plain, linear_windows(), linear_windows(60, 1), learning_rate=5e-4, **settings)
    np.testing.assert_array_equal(history["validation_loss"], expected["validation_loss"])
    for name, p in plain.named_parameters():
        assert torch.equal(network.get_parameter(name), p)
