"""The study's pipeline on a store of water whose forecasts are known, with leaks looked for."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.data.schema import DataError, with_attributes
from smlib.evaluate.entrants import tidy
from smlib.evaluate.skill import COLUMNS
from smlib.models import MODELS
from smlib.rollout import roll_out
from smlib.stations import (
    best_forecasts,
    check_settings,
    cost_table,
    forecast_all,
    forecast_table,
    level_table,
    seed_of,
    skill_table,
)
from smlib.train import start_ensemble


def bucket(days=900, seed=0, noise=0.0):
    """Moisture that keeps 95 % of itself a day and takes up a fixed share of the day's rain."""
    rng = np.random.default_rng(seed)
    rain = np.where(rng.uniform(size=days) < 0.3, rng.exponential(8, days), 0)
    m = np.empty(days)
    m[0] = 0.25
    for t in range(1, days):
        m[t] = 0.012 + 0.95 * m[t - 1] + 0.002 * rain[t] - 0.004
    m = m + rng.normal(0, noise, days) if noise else m
    return with_attributes(xr.Dataset(
        {"soil_moisture": (("site", "depth", "time"), m[None, None]), "precipitation": (("site", "time"), rain[None])},
        coords={"site": ["A"], "depth": [1], "time": pd.date_range("2015-01-01", periods=days),
                "lat": ("site", [50.0]), "lon": ("site", [8.0]), "depth_m": (("site", "depth"), [[0.05]])}))


CHEAP = ("persistence", "climatology", "ridge")


def forecast(ds, targets=("value",), **settings):
    return forecast_all(ds, targets=targets, progress=False, **settings).done[0]


def test_ridge_forecasts_a_linear_store():
    f = forecast(bucket(), models=CHEAP)
    assert np.abs(f.values["ridge"] - f.observed).max() < 1e-3
    assert np.abs(f.values["persistence"] - f.observed).max() > 1e-2


class Recorder:
    """A model that notes what it is fitted on and asked for."""

    seen = []

    def get_params(self):
        return {}

    def fit(self, train, validation):
        self.seen.append((train, validation))
        return self

    def predict(self, windows):
        self.seen.append(windows.time.copy())
        return windows.x[:, -1, -1]


def test_each_period_is_used_for_what_it_is_for(monkeypatch):
    monkeypatch.setitem(MODELS, "recorder", Recorder)
    monkeypatch.setattr(Recorder, "seen", [])
    f = forecast(bucket(), models=("persistence", "recorder"))
    (train, validation), *asked = Recorder.seen
    for part, name in ((train, "train"), (validation, "validation")):
        assert (part.time[0], part.time[-1]) == f.periods[name]
    assert (train.y.min(), train.y.max()) == (0, pytest.approx(1)), "the scaler is that of the training windows"
    assert asked[0].min() >= f.periods["test"][0] and asked[-1].max() <= f.periods["test"][1]
    assert len(asked) == 7 and all((day == f.origins + np.timedelta64(k + 1, "D")).all() for k, day in enumerate(asked))
    table = forecast_table([f])
    np.testing.assert_array_equal(table[table.model == "recorder"]["time"], table[table.model == "persistence"]["time"])


def test_the_test_period_cannot_be_seen():
    """Change the whole test period: what was fitted, and so the forecasts from the first origin, stay the same."""
    ds = bucket(noise=0.002)
    settings = {"models": ("climatology", "ridge", "RF", "HistGB", "LSTM", "GAN-LSTM"), "network": {"epochs": 3},
                "targets": ("value", "increment")}
    first = forecast(ds, **settings)
    changed = ds.copy(deep=True)
    start = first.periods["test"][0]
    late = changed["time"].values > (start + np.timedelta64(1, "D")).astype("datetime64[ns]")
    changed["soil_moisture"].values[..., late] *= 0.5
    changed["precipitation"].values[..., late] += 3
    again = forecast(changed, **settings)
    for name in first.values:
        np.testing.assert_array_equal(first.values[name][:, 0, 0], again.values[name][:, 0, 0], err_msg=name)


def test_the_paper_protocol_does_see_it():
    """The same change moves the forecasts when the scaler is fitted on the whole series."""
    ds = bucket(noise=0.002)
    first = forecast(ds, models=("SVR",), protocol="paper")
    changed = ds.copy(deep=True)
    late = changed["time"].values > first.periods["test"][0].astype("datetime64[ns]") + np.timedelta64(1, "D")
    changed["soil_moisture"].values[..., late] *= 3
    again = forecast(changed, models=("SVR",), protocol="paper")
    assert first.values["SVR"][0, 0, 0] != again.values["SVR"][0, 0, 0]


def test_the_paper_protocol_judges_on_one_batch_and_takes_the_settings_of_the_code(monkeypatch):
    asked = []

    def spy(pool, make, members, **settings):
        network = make(members[0].train.x.shape[2])
        asked.append((settings.get("validation_batch"), sum(p.numel() for p in network.parameters()),
                      getattr(network, "adversarial_weight", None)))
        return start_ensemble(pool, make, members, **settings)

    monkeypatch.setattr("smlib.stations.forecast.start_ensemble", spy)
    for protocol in ("strict", "paper"):
        forecast(bucket(noise=0.002), models=("Transformer", "GAN-LSTM"), protocol=protocol, network={"epochs": 1})
    strict, paper = asked[:2], asked[2:]
    assert [a[0] for a in strict] == [None, None] and [a[0] for a in paper] == [50, 50]
    # Ten units less in the feed-forward part: each has 8 + 1 weights to it and 8 from it.
    assert strict[0][1] - paper[0][1] == 10 * (8 + 1 + 8)
    assert (strict[1][2], paper[1][2]) == (1e-7, 1e-6)


def test_seeds_do_not_depend_on_company():
    """A model's forecasts are the same whichever models, targets, repetitions or sites are fitted beside it."""
    ds = bucket(noise=0.002)
    alone = forecast(ds, models=("LSTM",), network={"epochs": 2})
    two = with_attributes(xr.concat([ds, bucket(800, 1, 0.002).assign_coords(site=["B"])], "site", join="outer"))
    among = forecast(two, ("increment", "value"), models=("RF", "ELM", "LSTM"), repetitions=2, network={"epochs": 2})
    np.testing.assert_array_equal(alone.values["LSTM"], among.values["LSTM"][:1])
    assert len({seed_of(*key) for key in ((0, "A", 1, "LSTM", 0), (0, "A", 1, "LSTM", 1), (1, "A", 1, "LSTM", 0),
                                          (0, "B", 1, "LSTM", 0), (0, "A", 2, "LSTM", 0), (0, "A", 1, "ELM", 0))}) == 6
    twice = forecast(ds, models=("ELM",), repetitions=2).values["ELM"]
    other = forecast(ds.assign_coords(site=["B"]), models=("ELM",)).values["ELM"]
    assert (twice[0] != twice[1]).any() and (twice[0] != other[0]).any()


def test_a_network_forecasts_with_its_own_weights():
    """The batched roll-out of several members is that of each kept model alone, for both targets."""
    study = forecast_all(bucket(noise=0.002), models=("FA-LSTM",), repetitions=2, network={"epochs": 2}, keep=True,
                         progress=False)
    level = study.levels[0]
    for target, name in (("value", "FA-LSTM"), ("increment", "FA-LSTM (increment)")):
        for k, model in enumerate(study.fitted["FA-LSTM", target][0]):
            alone = level.scaler.inverse(roll_out(model, level.test))
            np.testing.assert_allclose(alone, study.done[0].values[name][k], atol=1e-6)
    assert np.abs(np.diff(study.done[0].values["FA-LSTM"], axis=0)).max() > 1e-4


def test_the_increment_is_added_to_the_moisture_of_the_day_before():
    """A store that loses a fixed amount a day: its increment is constant, and every model of it exact."""
    ds = bucket(900)
    ds["soil_moisture"].values[0, 0] = 0.9 - 0.0005 * np.arange(900)
    f = forecast(ds, ("increment",), models=("RF", "SVR", "HistGB", "ridge"))
    for name, values in f.values.items():
        np.testing.assert_allclose(values[0], f.observed, atol=1e-6, err_msg=name)
    value = forecast(ds, models=("RF",)).values["RF"][0]
    assert np.abs(value - f.observed).max() > 0.01, "a forest of the moisture cannot leave what it has seen"


def test_members_with_other_inputs_are_trained_apart():
    """A site without rain has one feature less; both get forecasts."""
    dry = bucket(noise=0.002, seed=3).assign_coords(site=["B"])
    dry["precipitation"].values[:] = np.nan
    ds = with_attributes(xr.concat([bucket(noise=0.002), dry], "site", join="outer"))
    study = forecast_all(ds, models=("1D-CNN",), network={"epochs": 2}, progress=False)
    assert [level.train.x.shape[2] for level in study.levels] == [2, 1]
    assert all(np.isfinite(f.values["1D-CNN"]).all() for f in study.done)


def test_tables():
    study = forecast_all(bucket(noise=0.002), models=(*CHEAP, "ELM", "LSTM"), repetitions=2, progress=False,
                         network={"epochs": 2})
    done = study.done
    assert done[0].values["ELM"].shape[0] == 2 and done[0].values["ridge"].shape[0] == 1
    skill = skill_table(done, source="bucket", protocol="strict", draws=50)
    assert tuple(skill.columns) == COLUMNS
    assert set(skill.site) == {"A", "all"} and set(skill.lead_d) == {1, 3, 7}
    assert {"persistence", "climatology", "ridge (increment)"} <= set(skill.model)
    results = tidy(skill)
    assert set(results.model) == {*CHEAP, "ELM", "LSTM"}
    assert set(results.variant) == {"", "increment", "mean", "median", "mean increment", "median increment"}
    cost = cost_table(study.fits, "cpu")
    assert list(cost.columns) == ["study", "model", "device", "metric", "value"]
    of_lstm = cost[cost.model == "LSTM"].set_index("metric")["value"]
    assert of_lstm["epochs"] == 2 and of_lstm["bytes"] == 4 * of_lstm["parameters"]
    assert of_lstm["seconds_per_100_epochs"] == pytest.approx(50 * of_lstm["fit_s"], rel=0.3)
    assert study.history.groupby("target")["members"].first().tolist() == [2, 2]
    assert study.history["epoch"].max() == 2
    levels = level_table(done).iloc[0]
    assert levels["train_windows"] == 538 and "wind_speed" in levels["absent"]


def test_a_record_too_short_is_named_and_the_rest_goes_on():
    long, short = bucket(), bucket(120).assign_coords(site=["B"])
    ds = with_attributes(xr.concat([long, short], "site", join="outer"))
    study = forecast_all(ds, models=CHEAP, progress=False)
    left_out = study.left_out
    assert [f.series.site for f in study.done] == ["A"]
    assert left_out["site"].tolist() == ["B"] and "30 are needed" in left_out["reason"][0]
    with pytest.raises(DataError, match="no level can be trained"):
        forecast_all(short, models=CHEAP, progress=False)


GOOD = {"models": ["persistence", "ridge"], "targets": ["value"], "leads": [1, 3], "lookback": 4, "repetitions": 1,
        "draws": 100, "epochs": 1,
        "patience": 1, "device": "cpu", "protocol": "strict", "seed": 0}


@pytest.mark.parametrize(("key", "value", "rule"), [
    ("models", ["persistence", "LTSM"], r"unknown models \['LTSM'\]; known: persistence"),
    ("models", ["ridge"], "must hold persistence"), ("models", ["persistence"], "one that is no baseline"),
    ("models", ["persistence", "climatology"], "one that is no baseline"), ("models", [], "must hold persistence"),
    ("models", ["persistence", "ridge", "ridge"], "must not repeat"),
    ("targets", [], "targets must be some of value, increment"), ("targets", ["change"], "targets must be"),
    ("targets", ["value", "value"], "each once"),
    ("leads", [], "different whole numbers"), ("leads", [0], "from 1"), ("leads", [-1, 1], "from 1"),
    ("leads", [1.5], "whole"), ("leads", [1, 1], "different"), ("lookback", 0, "lookback must be at least 1"),
    ("repetitions", 0, "repetitions must be"), ("epochs", 0, "epochs must be"), ("patience", 0, "patience must be"),
    ("draws", 1, "at least 100"), ("device", "gpu", "no device 'gpu' here"), ("seed", -1, "seed must be"),
    ("protocol", "lenient", "unknown protocol 'lenient'; known: strict, paper")])
def test_wrong_settings_are_told_before_anything_is_trained(key, value, rule):
    check_settings(**GOOD)
    with pytest.raises(ValueError, match=rule):
        check_settings(**GOOD | {key: value})


def test_best_forecasts_are_those_with_the_least_error():
    done = forecast_all(bucket(noise=0.002), models=(*CHEAP, "ELM", "SVR"), targets=("value",), progress=False).done
    skill = skill_table(done, source="bucket", protocol="strict", draws=20)
    shown, observed, title = best_forecasts(forecast_table(done), skill, "A", 7, count=1)
    assert set(shown["model"]) == {"persistence", "ridge"} and title == "A, 0.05 m, 7 days ahead"
    assert observed["time"].values[0] == (done[0].origins[0] + np.timedelta64(7, "D"))
    np.testing.assert_array_equal(observed.values, done[0].observed[:, 2])


def test_a_lookback_too_short_for_the_convolutions_is_told():
    with pytest.raises(ValueError, match="lookback must be at least 3"):
        check_settings(**GOOD | {"models": ["persistence", "1D-CNN"], "lookback": 2})
