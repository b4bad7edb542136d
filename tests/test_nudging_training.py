"""Training once: what is kept, under which key, to the same bits; tiny networks."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from test_nudging_field import DATES, blank, dataset, day_of, small_field

from smlib import paths
from smlib.nudging import histories, keep_weights, train_all, training, training_table
from smlib.nudging.training import build

TINY = {"hidden": 2, "kernel": 3, "lstm_hidden": 4, "lstm_layers": 1}
FAST = {"epochs": 1, "batch": 64} | TINY
NAMES = ("CNN", "LSTM", "ConvLSTM", "ConvLSTM-SE")


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """List of the seeds that were trained with; what is kept lands in an empty folder."""
    monkeypatch.setattr(paths, "LOCAL", tmp_path)
    done, train_gridded = [], training.train_gridded

    def counted(*arguments, seed, **settings):
        done.append(seed)
        return train_gridded(*arguments, seed=seed, **settings)

    monkeypatch.setattr(training, "train_gridded", counted)
    return done


def weights(trained):
    return {name: {key: value.numpy() for key, value in one.network.state_dict().items()}
            for name, one in trained.items()}


def check_same(one, two):
    for name in one:
        for key, value in one[name].items():
            np.testing.assert_array_equal(value, two[name][key], err_msg=f"{name} {key}")


def changed(field, date, factor=0.9):
    """The same field with other values on one day."""
    day = np.flatnonzero(field.time == np.datetime64(date))[0]
    truth, filled = field.truth.copy(), field.filled.copy()
    truth[day] *= factor
    filled[day] *= factor
    return replace(field, truth=truth, filled=filled)


def test_a_second_call_trains_nothing(trainings):
    field = small_field()
    first = train_all(field, NAMES, **FAST)
    assert len(trainings) == 4
    second = train_all(small_field(), NAMES[::-1], **FAST)
    assert len(trainings) == 4 and list(second) == list(NAMES[::-1])
    check_same(weights(first), weights(second))
    for name in NAMES:
        pd.testing.assert_frame_equal(first[name].history, second[name].history)
        assert not second[name].network.training and len(first[name].history) == 1


def test_training_again_gives_the_same_bits_with_processes_or_without(trainings, tmp_path, monkeypatch):
    field = small_field()
    one = weights(train_all(field, NAMES, **FAST))
    torch.manual_seed(99)  # whatever was drawn before
    monkeypatch.setattr(paths, "LOCAL", tmp_path / "again")
    check_same(one, weights(train_all(field, NAMES, **FAST)))
    assert len(trainings) == 8
    monkeypatch.setattr(training, "WORTH", 0)
    monkeypatch.setattr("smlib.train.workers.worker_count", lambda device: 2)
    monkeypatch.setattr(paths, "LOCAL", tmp_path / "processes")
    check_same(one, weights(train_all(field, NAMES, **FAST)))
    assert len(trainings) == 8  # none in this process


@pytest.mark.parametrize("settings", [{"seed": 1}, {"epochs": 2}, {"batch": 32}, {"learning_rate": 1e-2},
                                      {"patience": 3}, {"kernel": 5}, {"hidden": 3}, {"dropout": 0.1}])
def test_other_settings_are_another_network(trainings, settings):
    field = small_field()
    one = train_all(field, ["ConvLSTM"], **FAST)["ConvLSTM"]
    other = train_all(field, ["ConvLSTM"], **(FAST | settings))["ConvLSTM"]
    assert len(trainings) == 2 and one.path != other.path and trainings[1] == settings.get("seed", 0)


def test_a_change_in_training_or_validation_is_another_network_and_in_the_test_it_is_not(trainings):
    field = small_field()
    train_all(field, ["CNN"], **FAST)
    for date, trained in (("2018-08-01", 2), (DATES["validation"][1], 3), ("2020-03-01", 3), (DATES["test"][0], 3),
                          (DATES["test"][1], 3)):
        train_all(changed(field, date), ["CNN"], **FAST)
        assert len(trainings) == trained, date
    train_all(small_field(lookback=4), ["CNN"], **FAST)
    train_all(small_field(train=("2018-07-02", "2019-12-31")), ["CNN"], **FAST)
    train_all(small_field(protocol="paper"), ["CNN"], **FAST)
    assert len(trainings) == 6


def test_the_shape_of_the_grid_and_the_code_of_the_study_are_in_the_key():
    """The same bytes in 7 x 6 cells are another field; what builds networks and cuts windows is code too."""
    field = small_field()
    fields = [replace(field, **{name: getattr(field, name).reshape(*getattr(field, name).shape[:-2], *shape)
                                for name in ("truth", "filled", "valid")}) for shape in ((6, 7), (7, 6))]
    keys = {training._key("cpu", one, "CNN", 0, "cpu", {}, {}) for one in fields}
    assert len(keys) == 2
    assert {"training.py", "field.py"} <= {file.name for file in training.CODE if file.parent.name == "nudging"}


def test_nothing_behind_the_training_days_changes_the_weights(trainings):
    """After one epoch there is no better one to choose on validation, so all that may differ is the loss."""
    ds, other = dataset(), dataset()
    behind = day_of(ds, DATES["train"][1]) + 1
    other["soil_moisture"].values[behind:] = 1 - other["soil_moisture"].values[behind:]
    made = [train_all(small_field(one), NAMES, **FAST) for one in (ds, other)]
    assert len(trainings) == 8
    check_same(*map(weights, made))
    for name in NAMES:
        losses = [one[name].history.iloc[0] for one in made]
        assert losses[0]["train_loss"] == losses[1]["train_loss"]
        assert losses[0]["validation_loss"] != losses[1]["validation_loss"]


def test_nothing_is_learnt_from_a_held_value(trainings):
    """Held is the latest value; that of the last training day is read by no window, so only a loss could tell."""
    last = DATES["train"][1]
    holed = small_field(blank(dataset(), last, (3, 3)), gaps="hold")
    day = holed.periods["train"].stop - 1
    filled = holed.filled.copy()
    filled[day, 3, 3] = 0.9
    made = [weights(train_all(one, ["CNN"], **FAST)) for one in (holed, replace(holed, filled=filled))]
    assert len(trainings) == 2
    check_same(*made)
    known = changed(small_field(), last, 3)
    assert not np.array_equal(weights(train_all(known, ["CNN"], **FAST))["CNN"]["out.weight"],
                              made[0]["CNN"]["out.weight"])


@pytest.mark.parametrize("where", ["train_gridded", "save_weights", "os.replace"])
def test_killed_half_way_nothing_looks_finished(trainings, tmp_path, monkeypatch, where):
    field = small_field()
    with monkeypatch.context() as broken:
        def killed(*_, **__):
            raise KeyboardInterrupt

        broken.setattr(f"smlib.nudging.training.{where}", killed)
        with pytest.raises(KeyboardInterrupt):
            train_all(field, ["CNN"], **FAST)
    assert not list((tmp_path / "networks").glob("*.json"))
    before = len(trainings)
    found = train_all(field, ["CNN"], **FAST)["CNN"]
    assert len(trainings) == before + 1 and found.path.exists()
    assert json.loads(found.path.with_suffix(".json").read_text())["history"]["epoch"] == [1]


def test_what_another_process_trained_meanwhile_is_taken(trainings, monkeypatch):
    """It finds nothing, waits for the other's lock, and then finds that it is done."""
    field = small_field()
    done = train_all(field, ["CNN"], **FAST)["CNN"]
    stem, looked, is_there = done.path.with_suffix(""), [], training._is_there

    def late(path):
        looked.append(FileLock(f"{stem}.lock", timeout=0).is_locked)
        return len(looked) > 1 and is_there(path)

    monkeypatch.setattr(training, "_is_there", late)
    train_all(field, ["CNN"], **FAST)
    assert len(looked) == 2 and len(trainings) == 1


def test_names_and_settings_that_cannot_be_are_told_before_anything_is_trained(trainings):
    field = small_field()
    for names, settings, words in ((("CNN", "GRU"), {}, "no network 'GRU'; there are CNN, LSTM, ConvLSTM"),
                                   (("CNN", "CNN (peephole)"), {}, "no network 'CNN .peephole.'"),
                                   (("ConvLSTM (dropout 3)",), {}, "no network 'ConvLSTM .dropout 3.'"),
                                   (("CNN", "ConvLSTM"), {"kernel": 4}, "kernel odd")):
        with pytest.raises(ValueError, match=words):
            train_all(field, names, **(FAST | settings))
    with pytest.raises(TypeError, match="layers"):
        train_all(field, ["CNN"], **FAST, layers=2)
    assert not trainings


@pytest.mark.parametrize("name", ["ConvLSTM", "ConvLSTM-SE"])
def test_a_variant_differs_in_what_its_name_says(name):
    field = small_field()
    plain, peephole, tanh, none = (build(name + more, field, **TINY, dropout=0.2)
                                   for more in ("", " (peephole)", " (tanh)", " (dropout 0.0)"))
    assert plain.first.peephole is None and peephole.first.peephole.shape == (3, 2, 6, 7)
    assert [one.first.activation for one in (plain, peephole, tanh, none)] == ["elu", "elu", "tanh", "elu"]
    assert [one.dropout for one in (plain, peephole, tanh, none)] == [0.2, 0.2, 0.2, 0.0]
    assert all((one.attention is None) == (name == "ConvLSTM") for one in (plain, peephole, tanh, none))


def test_tables_and_the_weights_of_a_run(trainings, tmp_path):
    field = small_field()
    trained = train_all(field, ["CNN", "ConvLSTM (peephole)"], **(FAST | {"epochs": 3}))
    table = training_table(trained).set_index("model")
    for name, one in trained.items():
        row = table.loc[name]
        assert row["parameters"] == sum(p.numel() for p in one.network.parameters()) and row["epochs"] == 3
        assert row["best_epoch"] == 1 + one.history["validation_loss"].argmin()
        assert row["validation_loss"] == one.history["validation_loss"].min()
        assert row["size_mib"] * 2**20 == one.path.stat().st_size >= 4 * row["parameters"]
        assert row["train_s"] > 0 and np.isnan(row["peak_mib"]) | (row["peak_mib"] >= 0)
    long = histories(trained)
    assert list(long["model"].value_counts()) == [3, 3] and list(long["epoch"]) == [1, 2, 3, 1, 2, 3]

    class Run:
        path = tmp_path

    keep_weights(Run, trained)
    assert (tmp_path / "weights" / "CNN.safetensors").read_bytes() == trained["CNN"].path.read_bytes()
    assert len(list((tmp_path / "weights").iterdir())) == 2


def test_no_networks_weights_take_anothers_place_in_a_run(trainings, tmp_path):
    class Run:
        path = tmp_path

    trained = train_all(small_field(), ["ConvLSTM", "ConvLSTM (dropout 0.1)", "ConvLSTM (dropout 0.5)"], **FAST)
    keep_weights(Run, trained)
    kept = {file.read_bytes() for file in (tmp_path / "weights").iterdir()}
    assert kept == {one.path.read_bytes() for one in trained.values()} and len(kept) == 3
