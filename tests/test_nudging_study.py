"""The study as its pages open it, and the sentences and tables that come out of known numbers."""

import numpy as np
import pandas as pd
import pytest
from test_nudging_field import DATES, LOOKBACK, dataset
from test_nudging_settings import small_study

from smlib import paths
from smlib.data import DataError
from smlib.evaluate.field_scores import field_metrics
from smlib.nudging import (
    answer,
    comparison_answer,
    cost_beside_print,
    cost_table,
    open_study,
    spread_answer,
    training_answer,
)
from smlib.nudging.forecasts import free_run, one_day, sums_of
from smlib.nudging.study import check_comparison, contenders
from smlib.nudging.tables import count_outside

ALL = ["CNN", "ConvLSTM", "persistence", "climatology", "damped anomaly"]


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A NetCDF file in the schema, and an empty folder for what is kept."""
    monkeypatch.setattr(paths, "LOCAL", tmp_path / "local")
    ds = dataset()
    ds["soil_moisture"].attrs["units"] = "m3 m-3"
    ds.to_netcdf(tmp_path / "maps.nc")
    return tmp_path / "maps.nc"


def opened(source, **changes):
    settings = {"models": ["CNN"], "lookback": LOOKBACK, "gaps": "error", "protocol": "strict", "epochs": 1,
                "batch": 64, "learning_rate": 1e-3, "patience": 5, "kernel": 3, "dropout": 0.3,
                "device": "cpu", "seed": 0}
    return open_study(source, "quick", **(DATES | settings | changes))


def test_a_study_on_a_file_of_ones_own(source):
    study = opened(source)
    assert (study.source, study.kind, study.device) == ("maps.nc", "measured", "cpu")
    assert study.field.valid.sum() == 39 and list(study.trained) == ["CNN"]
    assert list(study.dates()[[0, -1]].astype(str)) == ["2020-03-13", "2020-04-25"]
    forecasts = study.forecasts("free run")
    assert list(forecasts) == ["CNN", "persistence", "climatology", "damped anomaly"]
    scores = {name: field_metrics(sums.sum(0)) for name, sums in study.sums(forecasts).items()}
    assert all(np.isfinite(score["RMSE"]) for score in scores.values())
    words = study.about(days=44)
    for part in ("Measured: `maps.nc`, 6 × 7 cells, 39 of them valid; train 2018-07-01 to 2019-12-31",
                 "test 2020-03-10 to 2020-04-25", "protocol strict", "device cpu", "seed 0", "days 44"):
        assert part in words
    again = opened(source)
    assert len(list((paths.LOCAL / "networks").glob("*.safetensors"))) == 1
    np.testing.assert_array_equal(again.forecasts("free run")["CNN"], forecasts["CNN"])


@pytest.mark.parametrize("changes, words", [
    ({"epochs": 0}, "epochs must be at least 1, not 0"), ({"batch": 0}, "batch must"), ({"kernel": -1}, "kernel must"),
    ({"lookback": 0}, "lookback must"), ({"patience": 0}, "patience must"),
    ({"kernel": 4, "models": ["ConvLSTM"]}, "kernel odd"),
    ({"learning_rate": 0}, "learning_rate must be positive, not 0"), ({"learning_rate": np.nan}, "learning_rate"),
    ({"models": []}, "models must name networks, each once"), ({"models": ["CNN", "CNN"]}, "each once"),
    ({"models": ["GRU"]}, "no network 'GRU'"), ({"train": ("2017-01-01", "2019-12-31")}, "does not lie in the data"),
    ({"protocol": "loose"}, "protocol must be"), ({"gaps": "skip"}, "gaps must be")])
def test_settings_that_cannot_be_are_errors_in_words(source, changes, words):
    with pytest.raises(ValueError, match=words):
        opened(source, **changes)
    assert not list(paths.LOCAL.rglob("*.safetensors"))


def test_sources_that_do_not_suit(source):
    with pytest.raises(DataError, match="there is no grid among the embedded data"):
        opened("embedded")
    with pytest.raises(DataError, match="does not exist"):
        opened(source.with_name("other.nc"))


def test_forecasts_of_networks_and_baselines():
    study = small_study()
    free, ahead = study.forecasts("free run", days=6), study.forecasts("one day")
    assert list(free) == list(ahead) == ALL
    for name, model in study.forecasters().items():
        np.testing.assert_array_equal(free[name], free_run(study.field, model, days=6))
        np.testing.assert_array_equal(ahead[name], one_day(study.field, model))
    for made in free.values():  # the first day of a roll-out is forecast from truth, as one day ahead is
        assert made.shape == (6, 6, 7)
        np.testing.assert_allclose(made[0], next(ahead[n] for n in ALL if free[n] is made)[0], atol=1e-6)
    validation = study.forecasts("free run", "validation")["persistence"]
    assert len(validation) == len(study.dates("validation")) == 48


def test_only_the_papers_protocol_counts_cells_outside():
    for protocol, cells in (("strict", 39), ("paper", 42)):
        study = small_study(protocol)
        forecasts = study.forecasts("free run")
        sums = study.sums(forecasts)
        assert (sums["CNN"][:, 0] == cells).all()
        plain = sums_of(study.field, forecasts["CNN"])
        expected = plain if cells == 39 else count_outside(plain, 3, study.field.centre)
        np.testing.assert_array_equal(sums["CNN"], expected)


def training(**changes):
    rows = {"model": ["CNN", "LSTM"], "parameters": [5000, 80000], "epochs": [10, 10], "best_epoch": [4, 10],
            "validation_rmse": [0.02, 0.01], "size_mib": [0.02, 0.32], "train_s": [3.0, 60.0],
            "peak_mib": [np.nan, 9.0]}
    return pd.DataFrame(rows | changes)


def test_the_training_page_names_the_best_and_who_was_not_done():
    field = small_study().field
    words = training_answer(field, training())
    assert "LSTM has the least validation error" in words and "RMSE 0.0100" in words and "80,000 weights" in words
    assert "The last epoch trained is the best of LSTM: more epochs may have made it better." in words
    assert "None keeps the last epoch" in training_answer(field, training(best_epoch=[4, 9]))
    assert "the best of CNN and LSTM: more epochs may have made them" in training_answer(
        field, training(best_epoch=[10, 10]))


def skill_rows(r2, skill, low):
    """A skill table: R2 by model, and the best network's skill and its lower bound."""
    rows = [{"model": name, "metric": "R2", "value": value} for name, value in r2.items()]
    rows += [{"model": name, "metric": f"skill_{reference}", "value": skill, "low": low, "high": skill + 0.1}
             for name in r2 for reference in ("persistence", "climatology")]
    return pd.DataFrame(rows)


def test_an_answer_counts_networks_above_the_best_baseline():
    known = {"persistence": 0.5, "climatology": -0.2, "damped anomaly": 0.6}
    words = answer(skill_rows({"CNN": 0.55, "ConvLSTM": 0.7} | known, 0.3, 0.1), "one day ahead")
    assert "One day ahead, ConvLSTM has the highest R² of the networks, 0.700" in words
    assert "the best baseline, damped anomaly, has 0.600 (persistence 0.500, climatology −0.200)" in words
    assert "1 of 2 networks is above it" in words and words.count("0.300, surely above 0") == 2
    none = answer(skill_rows({"CNN": 0.1, "ConvLSTM": 0.2} | known, 0.3, -0.1), "one day ahead")
    assert "None of 2 networks is above it" in none and none.count("on no sure side of 0") == 2
    below = answer(skill_rows({"CNN": 0.1} | known, -0.3, -0.4), "one day ahead")
    assert below.count("−0.300, surely below 0") == 2


def test_the_comparison_says_ahead_behind_and_open():
    verdicts = pd.DataFrame({"pattern": ["random 10 %", "swaths", "gaps"], "low": [0.1, -0.3, -0.1],
                             "high": [0.2, -0.2, 0.1]})
    rows = [("CNN", "CNN + nudging", True, 0.1, 0.01), ("no forecast", "kriging", False, 0.1, 0.03),
            ("no forecast", "interpolation", False, 0.2, 0.02), ("persistence", "persistence", False, 0.1, 0.015)]
    methods = pd.DataFrame([{"pattern": "random 10 %", "forecast": forecast, "method": method, "network": network,
                             "validation_rmse": judged, "value": value, "metric": "RMSE", "cells": "unobserved"}
                            for forecast, method, network, judged, value in rows])
    words = comparison_answer(verdicts, methods)
    assert "under random 10 % the best method with a network has the lower error" in words
    assert "under swaths the best without has" in words and "under gaps the interval of the difference holds 0" in words
    assert "kriging 0.0300 and persistence 0.0150 under random 10 %" in words  # as validation chose, not the test
    assert "nothing to compare" in comparison_answer(verdicts[:0], methods)


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_contenders_are_chosen_and_scaled_without_the_test(protocol):
    study = small_study(protocol)
    study.trained["ConvLSTM"].history["validation_loss"] -= 0.5
    assert list(contenders(study, 1)) == ["ConvLSTM"] and list(contenders(study, 2)) == ["CNN", "ConvLSTM"]
    assert set(contenders(study, 1, ["CNN"])) == {"CNN", "ConvLSTM"}
    scaler = contenders(study, 1)["ConvLSTM"].scaler
    values = study.field.truth[study.field.periods["train"]][:, study.field.valid].astype(float)
    assert scaler.mean_ == pytest.approx(values.mean()) and scaler.std_ == pytest.approx(values.std())


def test_a_comparison_that_cannot_be_is_an_error_in_words():
    check_comparison(["CNN"], ["CNN", "damped anomaly"], 0, 2, 1)
    for arguments, words in (((["CNN"], ["LSTM"], 0, 2, 1), "enkf: no forecast LSTM; there are CNN, persistence"),
                             ((["CNN"], [], -0.1, 2, 1), "noise must not be negative"),
                             ((["CNN"], [], 0, 1, 1), "ensemble at least 2"), ((["CNN"], [], 0, 2, 0), "contenders")):
        with pytest.raises(ValueError, match=words):
            check_comparison(*arguments)


def test_spreading_that_does_not_help_is_named():
    spread = pd.DataFrame({"pattern": "random 10 %", "forecast": ["CNN", "LSTM"], "ratio": [0.5, 1.25]})
    assert spread_answer(spread) == ("Spreading lowers the RMSE in 1 of 2 cases, and not for LSTM under random 10 % "
                                     "(1.25 times).")
    assert spread_answer(spread[:1]) == "Spreading lowers the RMSE in 1 of 1 cases."


def test_costs_beside_print():
    """Table 1 of Fan et al. (2025) has hours; ConvLSTM's 5.7 of them are seconds here."""
    raw = pd.read_csv(paths.DATA / "published" / "fan2025_table1_cost.csv").set_index("model")
    table = cost_beside_print(training()).set_index(["model", "metric"])
    assert table.loc[("LSTM", "train_s"), "value"] == 60
    assert table.loc[("LSTM", "train_s"), "printed"] == pytest.approx(3600 * raw.loc["LSTM", "train_time_h"])
    assert table.loc[("CNN", "epochs"), "value"] == 4 and np.isnan(table.loc[("ConvLSTM", "train_s"), "value"])
    assert table.loc[("ConvLSTM", "size_mib"), "printed"] == raw.loc["ConvLSTM", "model_file_mib"]
    costs = cost_table(training(), "cpu")
    assert list(costs.columns) == ["study", "model", "device", "metric", "value"]
    assert np.isfinite(costs["value"].astype(float)).all()  # the peak that is not known is left out
    assert not ((costs["model"] == "CNN") & (costs["metric"] == "peak_mib")).any()
