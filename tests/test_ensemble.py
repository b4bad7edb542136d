"""The ensemble engine: every member ends where it would have ended alone, whoever is trained beside it."""

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT
from test_models import linear_windows

from smlib.data.windows import Windows
from smlib.models import NETWORKS
from smlib.models.recurrent import GANLSTM, LSTM
from smlib.models.transformer import Transformer
from smlib.train import Member, checkpoint, ensemble, train, train_ensemble, workers

SHORT = {"epochs": 3, "steps": 3, "batch": 20, "device": "cpu"}


def noisy(n, seed):
    windows = linear_windows(n, seed)
    return Windows(windows.x, windows.y + np.random.default_rng(seed).normal(0, 0.02, n), windows.time)


TRAIN, VALIDATION = [noisy(n, n) for n in (300, 411, 277)], [noisy(n, n) for n in (90, 137, 60)]
MEMBERS = [Member(TRAIN[k % 3], VALIDATION[k % 3], 100 + k) for k in range(7)]


def against(windows):
    """Windows that ask for the opposite of what training teaches, so that their loss soon only grows."""
    return Windows(windows.x, -windows.y - 1, windows.time)


def alone(make, member, **settings):
    torch.manual_seed(member.seed)
    return train(make(3), member.train, member.validation, seed=member.seed, **settings)


def assert_same_bits(one, two, rows=slice(None)):
    """Of ensemble `two` all members, and of `one` those `rows`."""
    for name, value in one.weights.items():
        assert torch.equal(value[rows], two.weights[name]), name
    for key in ("best_epoch", "epochs", "train_loss", "validation_loss"):
        np.testing.assert_array_equal(getattr(one, key)[rows], getattr(two, key), err_msg=key)


@pytest.mark.parametrize(("dtype", "largest"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_member_is_the_network_trained_alone(name, dtype, largest):
    """Validation losses over 300 steps; members of three sizes of data."""
    settings = {"epochs": 15, "steps": 20, "batch": 16, "dtype": dtype, "device": "cpu"}
    found = train_ensemble(NETWORKS[name], MEMBERS[:3], workers=1, **settings)
    network, history = alone(NETWORKS[name], MEMBERS[1], **settings)
    assert np.abs(found.validation_loss[1] - history["validation_loss"]).max() < largest
    assert np.abs(found.train_loss[1] - history["train_loss"]).max() < largest
    assert found.validation_loss[1, -1] < found.validation_loss[1, 0]
    if dtype == torch.float64:  # in float32, Adam makes steps of the rounding of gradients that are zero
        for parameter, value in network.named_parameters():
            torch.testing.assert_close(found.weights[parameter][1], value, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_bits_of_a_member_do_not_depend_on_the_others(name):
    whole = train_ensemble(NETWORKS[name], MEMBERS, workers=1, **SHORT)
    for rows, settings in (([2, 5], {"chunk": 2}), ([6, 3, 1], {"chunk": 2, "workers": 2}), ([4] * 17, {"chunk": 16}),
                           (range(7), {"workers": 1})):
        part = train_ensemble(NETWORKS[name], [MEMBERS[k] for k in rows], **settings, **SHORT)
        assert_same_bits(whole, part, list(rows))


@pytest.mark.parametrize("name", ["LSTM", "CNN-LSTM"])
def test_the_bits_of_a_member_do_not_depend_on_the_number_of_members(name):
    """Beyond what fills a vector register or a block of a matrix product."""
    one = train_ensemble(NETWORKS[name], MEMBERS[:1], **SHORT)
    for n in (16, 31, 50, 97):
        many = train_ensemble(NETWORKS[name], [*[MEMBERS[k % 6 + 1] for k in range(n)], MEMBERS[0]], chunk=98, **SHORT)
        assert_same_bits(many, one, [n])


def test_what_other_threads_are_set_to_does_not_matter():
    before = train_ensemble(LSTM, MEMBERS[:2], **SHORT)
    torch.set_num_threads(2)
    try:
        assert_same_bits(before, train_ensemble(LSTM, MEMBERS[:2], **SHORT))
        assert torch.get_num_threads() == 2, "and the caller's setting is left alone"
    finally:
        torch.set_num_threads(1)


def test_windows_that_are_shared_are_those_that_are_copied():
    copied = [Member(Windows(m.train.x.copy(), m.train.y.copy(), m.train.time), m.validation, m.seed) for m in MEMBERS]
    assert_same_bits(train_ensemble(LSTM, MEMBERS, **SHORT), train_ensemble(LSTM, copied, **SHORT))


@pytest.mark.parametrize("make", [LSTM, GANLSTM])
def test_a_member_that_stops_early_keeps_its_best_and_the_others_go_on(make):
    early = [Member(TRAIN[0], against(VALIDATION[0]), 5), Member(TRAIN[1], against(VALIDATION[2]), 6)]
    members = [MEMBERS[0], early[0], MEMBERS[1], early[1], MEMBERS[2]]
    settings = {"epochs": 14, "steps": 4, "patience": 4, "learning_rate": 5e-4, "device": "cpu"}
    found = train_ensemble(make, members, **settings)
    assert (found.epochs[[1, 3]] < 14).all() and (found.epochs[[0, 2, 4]] == 14).all()
    for k, member in enumerate(members):
        network, history = alone(make, member, **settings)
        assert found.epochs[k] == len(history)
        assert found.best_epoch[k] == history.loc[history["validation_loss"].idxmin(), "epoch"]
        np.testing.assert_allclose(found.validation_loss[k, :len(history)], history["validation_loss"], atol=1e-6)
        assert np.isnan(found.validation_loss[k, len(history):]).all()
        for name, value in network.named_parameters():
            torch.testing.assert_close(found.weights[name][k], value, rtol=0, atol=1e-5)
    assert_same_bits(found, train_ensemble(make, [members[k] for k in (0, 2, 4)], **settings), [0, 2, 4])
    assert found.seconds.sum() > 0 and (found.seconds[[0, 2, 4]] > found.seconds[[1, 3]].max()).all()


@pytest.mark.parametrize("patience", [0, 1])
def test_the_least_patience_is_that_of_the_loop(patience):
    settings = {"epochs": 9, "steps": 4, "patience": patience, "learning_rate": 3e-3, "device": "cpu"}
    found = train_ensemble(LSTM, MEMBERS[:3], **settings)
    assert list(found.epochs) == [len(alone(LSTM, m, **settings)[1]) for m in MEMBERS[:3]]


def test_one_random_batch_of_validation_is_that_of_the_loop():
    settings = SHORT | {"validation_batch": 50, "dtype": torch.float64, "epochs": 5}
    found = train_ensemble(LSTM, MEMBERS[:4], **settings)
    whole = train_ensemble(LSTM, MEMBERS[:4], **settings | {"validation_batch": None})
    np.testing.assert_array_equal(found.train_loss, whole.train_loss)
    assert (found.validation_loss != whole.validation_loss).all()
    for k in (0, 3):
        np.testing.assert_allclose(found.validation_loss[k], alone(LSTM, MEMBERS[k], **settings)[1]["validation_loss"],
                                   rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [LSTM, GANLSTM])
def test_a_member_that_cannot_be_trained_fails_alone(make):
    gone = Windows(np.full_like(TRAIN[0].x, np.nan), TRAIN[0].y, TRAIN[0].time)
    members = [MEMBERS[0], Member(gone, VALIDATION[0], 1), MEMBERS[1]]
    settings = SHORT | {"epochs": 6, "patience": 3}
    found = train_ensemble(make, members, **settings)
    assert all(value[1].isnan().all() for value in found.weights.values())
    assert np.isnan(found.validation_loss[1]).all() and found.epochs[1] == 3 and found.best_epoch[1] == 0
    assert_same_bits(found, train_ensemble(make, MEMBERS[:2], **settings), [0, 2])
    forecast = found.predict(VALIDATION[0].x, range(3))
    np.testing.assert_array_equal(np.isnan(forecast).all(1), [False, True, False])
    assert np.isfinite(forecast[[0, 2]]).all()


def test_members_of_different_features_are_an_error():
    fewer = Windows(TRAIN[0].x[..., 1:], TRAIN[0].y, TRAIN[0].time)
    with pytest.raises(ValueError, match=r"same number of features, not \[2, 3\]"):
        train_ensemble(LSTM, [MEMBERS[0], Member(fewer, fewer, 1)], **SHORT)


@pytest.mark.parametrize("make", [*NETWORKS.values(), lambda f: Transformer(f, positions="sine")])
def test_forecasts_are_those_of_the_member_as_a_network(make):
    found = train_ensemble(make, MEMBERS[:3], workers=1, **SHORT)
    x = noisy(300, 8).x  # two whole blocks and a part
    forecast = found.predict(x, [2, 0])
    assert forecast.shape == (2, 300)
    with torch.no_grad():
        for row, k in enumerate((2, 0)):
            expected = found.member(k)(torch.tensor(x, dtype=torch.float32))
            np.testing.assert_allclose(forecast[row], expected, atol=2e-6)
    np.testing.assert_array_equal(found.predict(x[:150], [0])[0], forecast[1, :150])
    np.testing.assert_array_equal(found.predict(np.stack([x[:9], x[100:109]]), [2, 0])[1], forecast[1, 100:109])


def test_processes_give_the_bits_that_threads_give(tmp_path, monkeypatch):
    """Bits, checkpoints and errors of worker processes are those of this process."""
    settings = SHORT | {"chunk": 4, "workers": 2}
    threads = train_ensemble(LSTM, MEMBERS, **settings)
    monkeypatch.setattr(workers, "WORTH", 0)
    assert_same_bits(threads, train_ensemble(lambda f: LSTM(f), MEMBERS, checkpoints=tmp_path, **settings))
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ZeroDivisionError):
        train_ensemble(lambda f: LSTM(f, hidden=1 // (f - 3)), MEMBERS, **settings)


class Stop(Exception):
    """What a test raises instead of a kill."""


def stop_after(monkeypatch, epochs):
    """Let every `epochs`-th epoch of training be the last, each written to disk; returns the epochs gone through."""
    done, whole = [], ensemble._Chunk._epoch

    def epoch(self, number):
        if len(done) == epochs:
            raise Stop
        done.append(number)
        return whole(self, number)

    monkeypatch.setattr(checkpoint, "EVERY", 0)
    monkeypatch.setattr(ensemble._Chunk, "_epoch", epoch)
    return done


@pytest.mark.parametrize("make", [LSTM, GANLSTM, NETWORKS["1D-CNN"]])
def test_stopped_and_started_again_gives_the_same_bits(make, tmp_path, monkeypatch):
    """Stopped before and after a member has stopped early, and in the second chunk."""
    members = [Member(TRAIN[0], against(VALIDATION[0]), 5), *MEMBERS[:3]]
    settings = {"epochs": 10, "patience": 3, "steps": 4, "chunk": 2, "workers": 1, "device": "cpu"}
    undisturbed = train_ensemble(make, members, **settings)
    assert undisturbed.epochs[0] < 10
    total = []
    for epochs in (2, 5, 4, 99):
        with monkeypatch.context() as patch:
            done = stop_after(patch, epochs)
            with contextlib.nullcontext() if epochs == 99 else pytest.raises(Stop):
                found = train_ensemble(make, members, checkpoints=tmp_path, **settings)
        total += done
    assert total == [*range(1, 11), *range(1, 11)], "no epoch twice"
    assert_same_bits(undisturbed, found)
    assert_same_bits(undisturbed, train_ensemble(make, members, checkpoints=tmp_path, **settings))


KILL = """
import os, signal, sys
from smlib.train import checkpoint
from test_ensemble import LSTM, MEMBERS, LONG, train_ensemble
checkpoint.EVERY, keep, count = 0, checkpoint.Checkpoint.keep, []
def then_die(self, *a, **k):
    keep(self, *a, **k)
    count.append(1)
    if len(count) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.Checkpoint.keep = then_die
train_ensemble(LSTM, MEMBERS, checkpoints=sys.argv[1], **LONG)
"""
LONG = {"epochs": 8, "steps": 4, "device": "cpu", "workers": 1}


def test_killed_and_started_again_gives_the_same_bits(tmp_path, monkeypatch):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    killed = subprocess.run([sys.executable, "-c", KILL, str(tmp_path)], env=os.environ | {"PYTHONPATH": path})
    assert killed.returncode == -signal.SIGKILL
    done = stop_after(monkeypatch, 99)
    assert_same_bits(train_ensemble(LSTM, MEMBERS, checkpoints=tmp_path, **LONG),
                     train_ensemble(LSTM, MEMBERS, **LONG))
    assert done == [*range(5, 9), *range(1, 9)], "went on after the fourth epoch; the other did all"


OTHER = {
    "learning rate": (LSTM, {"learning_rate": 2e-3}, MEMBERS),
    "epochs": (LSTM, {"epochs": 4}, MEMBERS),
    "precision": (LSTM, {"dtype": torch.float64}, MEMBERS),
    "seed": (LSTM, {}, [*MEMBERS[:6], Member(TRAIN[0], VALIDATION[0], 7)]),
    "members": (LSTM, {}, MEMBERS[:6]),
    "order": (LSTM, {}, MEMBERS[::-1]),
    "data": (LSTM, {}, [Member(against(m.train), m.validation, m.seed) for m in MEMBERS]),
    "size": (lambda f: LSTM(f, hidden=8), {}, MEMBERS),
    "adversary": (lambda f: GANLSTM(f, adversarial_weight=0.5), {}, MEMBERS),
    "positions": (lambda f: Transformer(f, positions="sine"), {}, MEMBERS),
}


@pytest.mark.parametrize("what", OTHER)
def test_other_work_does_not_go_on_from_this_one(what, tmp_path):
    other, changes, members = OTHER[what]
    make = {"adversary": GANLSTM, "positions": Transformer}.get(what, LSTM)
    train_ensemble(make, MEMBERS, checkpoints=tmp_path, chunk=7, **SHORT)
    found = train_ensemble(other, members, checkpoints=tmp_path, chunk=7, **SHORT | changes)
    assert_same_bits(train_ensemble(other, members, chunk=7, **SHORT | changes), found)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_bar_counts_every_epoch_once(capsys):
    members = [Member(TRAIN[0], against(VALIDATION[0]), 5), *MEMBERS[:3]]
    found = train_ensemble(LSTM, members, epochs=9, patience=3, steps=2, chunk=2, workers=2, progress=True, name="fits",
                           device="cpu")
    assert found.epochs[0] < 9, "one stops early, and its other epochs are counted as done"
    shown = capsys.readouterr().err
    assert "fits:" in shown and "validation=" in shown
