"""The loop over patches: it learns what can be learnt, repeats itself, streams, and two processes do as one."""

import os
import socket
from functools import partial

import dask.array as da
import numpy as np
import pytest
import torch
from torch import multiprocessing

from smlib.data.patches import PatchSource, issue_days
from smlib.data.schema import DataError
from smlib.models.stacked import Stack, estimation
from smlib.train.distributed import joined, place
from smlib.train.losses import LOSSES, estimation_loss, forecast_loss, rmse_loss
from smlib.train.patched import judge, predict, train_patched

SHAPE = (11, 14)
OCEAN = np.s_[..., :3, 9:]


def cubes(days=40, lead=0, seed=0):
    """Random inputs, and as a target the last input's neighbour to the west; missing in a corner."""
    inputs = np.random.default_rng(seed).standard_normal((days, 2, *SHAPE)).astype(np.float32)
    target = np.roll(inputs[:, :1], (lead, 1), (0, 3))
    inputs[OCEAN] = target[OCEAN] = np.nan
    return inputs, target


def source(first=0, stop=40, **settings):
    inputs, target = cubes()
    return PatchSource(inputs, target, issue_days(first, stop), **settings)


def small(**settings):
    torch.manual_seed(0)
    return Stack(2, 1, (6, 6), activation="relu", **{"dropout": 0.0} | settings)


def test_it_learns_and_says_how_far_it_got():
    model, history = train_patched(small(), source(0, 30), source(30), rmse_loss, epochs=6, learning_rate=0.02,
                                   device="cpu")
    assert list(history) == ["epoch", "train_loss", "validation_loss", "dropped", "learning_rate", "seconds"]
    assert history.validation_loss.iloc[-1] < 0.6 * history.validation_loss.iloc[0] < 0.9
    assert judge(model, source(30), rmse_loss) == history.validation_loss.min()
    assert (history.dropped == 0).all() and (history.learning_rate == 0.02).all()


def trained(**settings):
    held = source(0, 20, chunk=5, together=2)
    model, history = train_patched(estimation(2, (4, 5), dropout=0.2), held, source(30), rmse_loss, device="cpu",
                                   **{"epochs": 2, "share": 0.3} | settings)
    return history[["train_loss", "validation_loss"]].to_numpy().tobytes() + b"".join(
        value.numpy().tobytes() for value in model.state_dict().values())


def test_the_same_seed_gives_the_same_bits():
    torch.manual_seed(0)
    first = trained()
    torch.manual_seed(0)
    assert trained() == first
    torch.manual_seed(0)
    assert trained(seed=1) != first


class Stuck(torch.nn.Module):
    """Its one weight is pushed on for ever, away from the best one."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return (self.weight if self.training else self.weight.abs()) + 0 * x[:, -1, :1].nan_to_num()


def onward(made, truth):
    """Training lowers the weight without end; judged, whose absolute value is taken, it is the worse the lower."""
    return made.mean(), torch.ones((), dtype=torch.long)


def test_early_stop_plateau_and_the_best_weights():
    model, history = train_patched(Stuck(), source(), source(), onward, epochs=30, patience=5, plateau_patience=2,
                                   learning_rate=0.1, batch=400, device="cpu")
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6]  # the first is the best, and 5 more are waited for
    assert history.learning_rate.tolist() == pytest.approx([0.1, 0.1, 0.1, 0.02, 0.02, 0.004])
    assert model.weight.item() == pytest.approx(-0.1, rel=1e-3)
    assert (history.dropped == 1).all()


def test_predictions_are_means_of_overlapping_patches_on_land():
    class Corner(torch.nn.Module):
        """A patch full of its first cell's last input."""

        def forward(self, x):
            return x[:, -1, :1, :1, :1].expand(-1, 1, 8, 8)

    held = source(0, 12, chunk=5)
    made = predict(Corner(), held, batch=5, device="cpu")
    assert made.shape == (10, 1, *SHAPE)
    assert np.array_equal(made[3, 0, 0, 0], held.inputs[5, 0, 0, 0])
    by_hand = np.mean([held.inputs[5, 0, y, x] for y in (0, 2) for x in (0, 2)])
    assert made[3, 0, 2, 3] == pytest.approx(by_hand, rel=1e-6)
    off = np.zeros(SHAPE, bool)
    off[OCEAN] = True
    assert np.array_equal(np.isnan(made), np.broadcast_to(off, made.shape))
    assert np.isfinite(made[..., ~off]).all()


def test_streamed_is_as_from_memory():
    inputs, target = cubes()
    days, model = issue_days(0, 40), small()
    whole, parts = (PatchSource(inputs, target, days, chunk=chunk) for chunk in (None, 6))
    lazy = PatchSource(da.from_array(inputs), da.from_array(target), days, chunk=6)
    made = predict(model, whole, device="cpu")
    assert np.array_equal(predict(model, parts, device="cpu"), made, equal_nan=True)
    out = np.zeros_like(made)
    assert predict(model, lazy, out=out, device="cpu") is out and np.array_equal(out, made, equal_nan=True)
    assert judge(model, lazy, rmse_loss) == judge(model, parts, rmse_loss)


@pytest.mark.parametrize("settings, error, words", [
    ({"batch": 500}, DataError, "fewer patches to train on than a batch of 500"),
    ({"learning_rate": np.inf}, FloatingPointError, "never finite")])
def test_errors_say_what_is_wrong(settings, error, words):
    with pytest.raises(error, match=words):
        train_patched(small(), source(), source(), rmse_loss, epochs=1, device="cpu", **settings)


def test_a_source_without_targets_is_an_error():
    held = source()
    held.target[:] = np.nan
    with pytest.raises(DataError, match="no patch has 50% of its target values"):
        judge(small(), held, rmse_loss)


# Two processes: batch normalisation, attention and dropout as in the papers' training.
JOBS = [("estimation", "batch"), ("estimation", "patch"), ("forecast", "patch")]


def losses_of(job):
    """Two epochs' training and validation losses, and what is dropped; then the loss of one patch, for one process."""
    name, level = job
    inputs, target = cubes(14)
    rng = np.random.default_rng(1)
    target = np.concatenate([target, target + rng.standard_normal(target.shape).astype(np.float32)], 1)
    target[3] = 0.25  # patches with a constant truth, and cells unknown in some patches only
    target[6:8, 1, 4:9, 2:5] = np.nan
    target = target if name == "estimation" else target[:, :1]
    held = PatchSource(inputs, target, issue_days(0, 9))
    judged = PatchSource(inputs, target, np.arange(10, 14), min_valid=0.9)
    torch.manual_seed(place()[0])  # processes that begin with other weights get those of the first
    # Slow, since Adam takes a step of full length for a gradient of rounding errors: then the two drift apart.
    loss = partial(LOSSES[name], level=level)
    model, history = train_patched(estimation(2, (4, 5, 4)), held, judged, loss, epochs=2, batch=24, learning_rate=3e-3,
                                   device="cpu")
    one = judge(model, judged, loss, share=1e-9)
    return np.append(history[["train_loss", "validation_loss", "dropped"]], [[one, one, 0]], 0)


def work(rank, port, folder):
    """One of two processes, set up as torchrun does it."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": str(port)}
    with joined("cpu"):
        assert place() == (rank, 2)
        with pytest.raises(ValueError, match="33 cannot be shared out evenly to 2 processes"):
            train_patched(small(), source(), source(), rmse_loss, batch=33)
        np.save(f"{folder}/{rank}.npy", [losses_of(job) for job in JOBS])
    assert place() == (0, 1)


def test_two_processes_give_the_losses_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.get_context("forkserver").set_forkserver_preload(["smlib.models.stacked"])  # once for both
    context = multiprocessing.start_processes(work, (port, str(tmp_path)), 2, join=False, start_method="forkserver")
    alone = np.array([losses_of(job) for job in JOBS])
    while not context.join():
        pass
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in (0, 1))
    assert np.array_equal(first, second)
    assert np.abs(first - alone)[..., :2].max() < 1e-5  # found 2e-7; with statistics of its own for each process 1e-4
    assert np.array_equal(first[..., 2], alone[..., 2])
    assert alone[JOBS.index(("forecast", "patch")), :2, 2].min() > 0
    assert np.ptp(alone[:, :2, 0], axis=1).min() > 1e-3  # there was something to agree on: the losses move


def test_losses_are_those_of_the_papers():
    assert LOSSES["estimation"] is estimation_loss and LOSSES["printed"].func is forecast_loss
