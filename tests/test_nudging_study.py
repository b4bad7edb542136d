"""The study as its pages open it, and the sentences and tables that come out of known numbers."""

import re

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
    cost_answer,
    cost_beside_print,
    cost_table,
    nudging_answer,
    open_study,
    spread_answer,
    training_answer,
    validation_baselines,
)
from smlib.nudging.forecasts import free_run, one_day, sums_of
from smlib.nudging.settings import KEYS
from smlib.nudging.study import check_comparison, contenders
from smlib.nudging.tables import count_outside
from smlib.wording import ANSWER

LONG = f"ConvLSTM-SE (dropout 0.1{80 * '0'})"  # the digits of a dropout are the reader's
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
    for part in ("Measured: `maps.nc`, daily surface soil moisture on 6 × 7 cells, 39 of them valid; latitudes ",
                 "train 2018-07-01 to 2019-12-31", "test 2020-03-10 to 2020-04-25", "protocol strict", "days 44"):
        assert part in words
    assert "epochs" not in words
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


def short(answer):
    """An answer's text, which is labelled and has room on a page."""
    assert answer.startswith("**Our runs.** ") and len(re.sub("[*`]", "", answer)) <= ANSWER
    return answer.removeprefix("**Our runs.** ")


def learnt_nothing(*rmse):
    return pd.DataFrame({"model": ["persistence", "climatology", "damped anomaly"][:len(rmse)],
                         "validation_rmse": rmse})


def test_the_training_page_names_the_best_and_who_was_not_done():
    field = small_study().field
    words, detail = training_answer(field, training(), learnt_nothing(0.011, 0.04))
    assert short(words) == ("On the validation days, one day ahead, LSTM errs less than the best baseline, "
                            "persistence: RMSE 0.0100 against 0.0110 m³ m⁻³. 1 of 2 networks was best in the last "
                            "epoch trained.")
    assert "- LSTM: RMSE 0.0100 m³ m⁻³, best epoch 10 of 10, 80,000 weights" in detail and "over 39 cells" in detail
    assert "- climatology: RMSE 0.0400 m³ m⁻³" in detail
    assert "The last epoch trained is the best of LSTM: more epochs may have made it better." in detail
    for rmse in (0.0099, 0.01):  # no better, or a tie
        lost, _ = training_answer(field, training(best_epoch=[4, 9]), learnt_nothing(rmse, 0.04))
        assert short(lost).startswith("On the validation days no network beats persistence one day ahead: RMSE 0.0100 "
                                      f"(LSTM) against {rmse:.4f}")
        assert lost.endswith("No network was best in the last epoch trained.")
    both, more = training_answer(field, training(best_epoch=[10, 10], model=[LONG, LONG + "1"]),
                                 learnt_nothing(0.04, 0.03, 0.02))
    assert "the best network errs less than the best baseline, damped anomaly: RMSE 0.0100 against 0.02" in short(both)
    assert f"the best of {LONG} and {LONG}1: more epochs may have made them" in more
    alone, _ = training_answer(field, training()[1:], learnt_nothing(0.011))
    assert alone.endswith("The network was best in the last epoch trained.")


def test_baselines_of_the_validation_days():
    """Persistence one day ahead is the day before: its RMSE from the field itself."""
    field = small_study().field
    found = validation_baselines(field).set_index("model")["validation_rmse"]
    days = field.targets("validation")
    change = field.truth[days] - field.truth[days.start - 1:days.stop - 1]
    assert found["persistence"] == pytest.approx(np.sqrt(np.nanmean(change[:, field.valid].astype(float) ** 2)))
    assert list(found.index) == ["persistence", "climatology", "damped anomaly"] and found.notna().all()


def skill_rows(r2, skill, low):
    """A skill table: R2 by model, and everyone's skill with its lower bound."""
    rows = [{"model": name, "metric": "R2", "value": value, "low": value - 0.1, "high": value + 0.1}
            for name, value in r2.items()]
    rows += [{"model": name, "metric": f"skill_{reference}", "value": skill, "low": low, "high": skill + 0.1}
             for name in r2 for reference in ("persistence", "climatology")]
    return pd.DataFrame(rows)


KNOWN = {"persistence": 0.5, "climatology": -0.2, "damped anomaly": 0.6}


def test_an_answer_counts_networks_above_the_best_baseline():
    words, detail = answer(skill_rows({"CNN": 0.55, "ConvLSTM": 0.7} | KNOWN, 0.3, 0.1), "one day ahead")
    assert short(words) == ("One day ahead, 1 of 2 networks beats the best baseline, damped anomaly (R² 0.600). The "
                            "best, ConvLSTM, has 0.700, surely better than persistence (0.500) and climatology "
                            "(−0.200).")
    assert ("- CNN: R² 0.550 (0.450 to 0.650); skill 0.300 against persistence, surely above 0; skill 0.300 against "
            "climatology, surely above 0") in detail and "- persistence: R² 0.500" in detail
    none, _ = answer(skill_rows({"CNN": 0.1, "ConvLSTM": 0.2} | KNOWN, 0.3, -0.1), "one day ahead")
    assert short(none).startswith("One day ahead, no network beats the best baseline, damped anomaly (R² 0.600). ")
    assert "not surely better than persistence (0.500) and climatology (−0.200)" in none
    below, more = answer(skill_rows({"CNN": 0.6} | KNOWN, -0.3, -0.4), "one day ahead")
    assert short(below) == ("One day ahead, the network equals the best baseline, damped anomaly (R² 0.600). CNN has "
                            "0.600, surely worse than persistence (0.500) and climatology (−0.200).")
    assert "skill −0.300 against persistence, surely below 0" in more
    rows = skill_rows({"CNN": 0.7} | KNOWN, 0.3, np.nan)
    assert "beside persistence" in short(answer(rows, "one day ahead")[0])  # nothing is sure without an interval
    assert "no R² is defined" in short(answer(rows.assign(value=np.nan), "one day ahead")[0])


def test_what_is_lost_comes_first():
    rows = skill_rows({"CNN": 0.3, "LSTM": 0.2} | KNOWN, 0.3, 0.1)
    worse = (rows["metric"] == "skill_persistence") & (rows["model"] == "CNN")
    rows.loc[worse, ["value", "low", "high"]] = [-0.5, -0.7, -0.2]
    words = short(answer(rows, "over 9 days alone")[0])
    assert words.index("no network beats") < words.index("surely worse than persistence") < words.index(
        "surely better than climatology")


@pytest.mark.parametrize("scale", [1, -1, -1e7, -1e300])
@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("low", [-0.4, 0.1, np.nan])
def test_an_answer_has_room_whatever_the_names_and_numbers(scale, count, low):
    names = {f"{LONG}{k}": scale * (1 - 0.01 * k) for k in range(count)}
    rows = skill_rows(names | {name: scale * value for name, value in KNOWN.items()}, 0.3, low)
    words = short(answer(rows, "over 123456 days alone")[0])
    assert "the best baseline, " in words and "R²" in words and not words.endswith(" ")


def nudged(rmse, free=0.08, models=("CNN",), fraction=0.5):
    """A settings table of networks with the RMSE of (all, unobserved) cells nudged, and the tau chosen."""
    rows = []
    for model in models:
        key = {"model": model, "noise": 0.01, "fraction": fraction, "tau": 1.0, "low": 0.0, "high": 1.0}
        for cells, value in zip(("all", "unobserved"), rmse, strict=True):
            for feedback, one in ((True, value), (False, free)):
                rows += [key | {"cells": cells, "feedback": feedback, "metric": metric, "value": of}
                         for metric, of in (("RMSE", one), ("R2", 1 - 100 * one**2))]
        rows += [key | {"cells": "all", "feedback": True, "metric": metric, "value": of, "fraction": 0.0, "tau": np.nan,
                        "noise": np.nan} for metric, of in (("RMSE", free), ("R2", 1 - 100 * free**2))]
    table = pd.DataFrame(rows)
    return table, table[(table["metric"] == "RMSE") & (table["fraction"] > 0) & table["value"].notna()][[*KEYS, "tau"]]


def judged(*skills, width=0.1):
    return pd.DataFrame([{"pattern": f"random {k} %", "network": "CNN + nudging", "rmse": 0.02, "without": "kriging",
                          "rmse_without": 0.01, "skill": skill, "low": skill - width, "high": skill + width}
                         for k, skill in enumerate(skills)],
                        columns=["pattern", "network", "rmse", "without", "rmse_without", "skill", "low", "high"])


def test_the_nudging_page_says_whether_a_network_is_needed_and_what_nudging_does():
    table, chosen = nudged((0.02, 0.03))
    words, detail = nudging_answer(table, chosen, judged(-2.125, -0.01, -0.3))
    assert short(words) == ("No network surely beats the best method without one (skill −2.12 to −0.01, surely "
                            "worse in 2 of 3 patterns). Nudging lowers the RMSE in the 1 setting, also where nothing "
                            "was observed.")
    assert "- R² of the free run: CNN 0.360" in detail
    assert "over all cells, nudged with feedback, noise 0.01 m³ m⁻³, the best at each fraction observed: CNN 0.960" in \
        detail and "cells not observed on the day" in detail and "CNN 0.910 at 50 %" in detail
    assert "- random 0 %: CNN + nudging, RMSE 0.0200 m³ m⁻³; without a network kriging, 0.0100; skill −2.125" in detail
    mixed, _ = nudging_answer(*nudged((0.02, 0.09), models=("CNN", "LSTM")), judged(0.5, -0.5))
    assert short(mixed) == ("A network surely beats the best method without one in 1 of 2 patterns, loses in 1 (skill "
                            "−0.50 to 0.50). Nudging lowers the RMSE in 2 of 2 settings, in 0 of 2 where nothing was "
                            "observed.")
    one, _ = nudging_answer(*nudged((0.02, np.nan)), judged(0.05))
    assert "(skill 0.05, in 1 pattern). " in short(one) and one.endswith("; no cell went unobserved.")
    none, _ = nudging_answer(table, chosen, judged())
    assert short(none).startswith("No method without a network could be compared. ")
    unknown = judged(np.nan, width=np.nan)
    assert "No network surely beats the best method without one (in 1 pattern)." in short(
        nudging_answer(table, chosen, unknown)[0])
    for skill in (-1e300, 1 - 1e7):
        assert "the best method without one in 99 of 198 patterns" in short(nudging_answer(
            *nudged((0.02, 0.09), models=[f"{LONG}{k}" for k in range(50)]), judged(*[skill, 0.5] * 99))[0])


def costed(r2, train_s, **changes):
    """`cost_measured` and `cost_and_skill` of networks: mapping of name -> (R2 one day ahead, R2 of the free run)."""
    measured = pd.DataFrame({"model": list(train_s), "train_s": list(train_s.values()), "epochs": 3, "best_epoch": 2,
                             "size_mib": [0.1 * 2**k for k in range(len(train_s))]} | changes)
    both = r2 | {"persistence": (0.91, -0.4), "climatology": (0.14, 0.14)}
    return measured, pd.DataFrame([{"model": name, "lead_d": lead, "value": value, "low": value - 0.1,
                                    "high": value + 0.1} for k, lead in ((0, 1), (1, 200))
                                   for name, value in ((name, pair[k]) for name, pair in both.items())])


def test_the_cost_page_says_what_the_dearest_network_is_worth():
    r2 = {"CNN": (0.907, -213.0), "LSTM": (0.4, 0.137), "ConvLSTM": (0.921, -5.5)}
    words, detail = cost_answer(*costed(r2, {"CNN": 47, "LSTM": 54, "ConvLSTM": 311}, best_epoch=[3, 2, 3]))
    assert short(words) == ("ConvLSTM, the dearest (311 s), loses to climatology over the free run (R² −5.500 to "
                            "0.140), beats 1 of 2 others; it beats persistence one day ahead (0.921 to 0.910) and all "
                            "others.")
    assert "- CNN: 47 s for 3 epochs, 0.1 MiB; R² 0.907 (0.807 to 1.007) one day ahead, −213 (−213 to −213)" in detail
    assert "- persistence: R² 0.910" in detail and "that of ConvLSTM, 4 times that of CNN" in detail
    assert "CNN and ConvLSTM kept the last epoch trained" in detail
    alone, more = cost_answer(*costed({"CNN": (0.91, 0.2)}, {"CNN": 1.0}, epochs=1))
    assert short(alone) == ("CNN (1 s to train) equals persistence one day ahead (R² 0.910 to 0.910); it beats "
                            "climatology over the free run (0.200 to 0.140).")
    assert "1 s for 1 epoch," in more and "largest" not in more
    names = {f"{LONG}{k}": (-1e300, -1e300) for k in range(10)}
    long, _ = cost_answer(*costed(names, dict.fromkeys(names, 1e7)))
    assert "persistence" in short(long) and "climatology" in long


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
    assert spread_answer(spread[:1]) == "Spreading lowers the RMSE of CNN under random 10 % (0.50 times), the one case."
    assert "does not lower the RMSE of LSTM" in spread_answer(spread[1:])


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
