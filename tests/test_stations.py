"""The study's pipeline on a store of water whose forecasts are known, with leaks looked for."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.data.schema import DataError, with_attributes
from smlib.data.windows import all_series
from smlib.evaluate.skill import COLUMNS
from smlib.models import MODELS
from smlib.stations import (
    best_forecasts,
    check_settings,
    cost_table,
    forecast_all,
    forecast_series,
    forecast_table,
    level_table,
    seed_of,
    skill_table,
)
from smlib.train import train


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


def test_ridge_forecasts_a_linear_store():
    f = forecast_series(all_series(bucket())[0], models=CHEAP)
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
    f = forecast_series(all_series(bucket())[0], models=("persistence", "recorder"))
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
    settings = {"models": ("climatology", "ridge", "RF", "LSTM"), "network": {"epochs": 3}}
    first = forecast_series(all_series(ds)[0], **settings)
    changed = ds.copy(deep=True)
    start = first.periods["test"][0]
    late = changed["time"].values > (start + np.timedelta64(1, "D")).astype("datetime64[ns]")
    changed["soil_moisture"].values[..., late] *= 0.5
    changed["precipitation"].values[..., late] += 3
    again = forecast_series(all_series(changed)[0], **settings)
    for name in first.values:
        np.testing.assert_array_equal(first.values[name][:, 0, 0], again.values[name][:, 0, 0], err_msg=name)


def test_the_paper_protocol_does_see_it():
    """The same change moves the forecasts when the scaler is fitted on the whole series."""
    ds = bucket(noise=0.002)
    first = forecast_series(all_series(ds)[0], models=("SVR",), protocol="paper")
    changed = ds.copy(deep=True)
    late = changed["time"].values > first.periods["test"][0].astype("datetime64[ns]") + np.timedelta64(1, "D")
    changed["soil_moisture"].values[..., late] *= 3
    again = forecast_series(all_series(changed)[0], models=("SVR",), protocol="paper")
    assert first.values["SVR"][0, 0, 0] != again.values["SVR"][0, 0, 0]


def test_the_paper_protocol_judges_on_one_batch(monkeypatch):
    asked = []

    def spy(*windows, **settings):
        asked.append(settings["validation_batch"])
        return train(*windows, **settings)

    monkeypatch.setattr("smlib.models.network.train", spy)
    for protocol in ("strict", "paper"):
        forecast_series(all_series(bucket(noise=0.002))[0], models=("LSTM",), protocol=protocol, network={"epochs": 1})
    assert asked == [None, 50]


def test_seeds_do_not_depend_on_company():
    """A model's forecasts are the same whichever models, or sites, are fitted before it."""
    series = all_series(bucket(noise=0.002))[0]
    alone = forecast_series(series, models=("LSTM",), network={"epochs": 2})
    among = forecast_series(series, models=("RF", "ELM", "LSTM"), network={"epochs": 2})
    np.testing.assert_array_equal(alone.values["LSTM"], among.values["LSTM"])
    assert len({seed_of(*key) for key in ((0, "A", 1, "LSTM", 0), (0, "A", 1, "LSTM", 1), (1, "A", 1, "LSTM", 0),
                                          (0, "B", 1, "LSTM", 0), (0, "A", 2, "LSTM", 0), (0, "A", 1, "ELM", 0))}) == 6
    twice = forecast_series(series, models=("ELM",), repetitions=2).values["ELM"]
    other = forecast_series(replace(series, site="B"), models=("ELM",)).values["ELM"]
    assert (twice[0] != twice[1]).any() and (twice[0] != other[0]).any()


def test_tables():
    done, _ = forecast_all(bucket(noise=0.002), models=(*CHEAP, "ELM"), repetitions=2, progress=False)
    assert done[0].values["ELM"].shape[0] == 2 and done[0].values["ridge"].shape[0] == 1
    skill = skill_table(done, source="bucket", protocol="strict", draws=50)
    assert tuple(skill.columns) == COLUMNS
    assert set(skill.site) == {"A", "all"} and set(skill.lead_d) == {1, 3, 7}
    assert {"persistence", "climatology"} <= set(skill.model)
    assert list(cost_table(done, "cpu").columns) == ["study", "model", "device", "metric", "value"]
    levels = level_table(done).iloc[0]
    assert levels["train_windows"] == 538 and "wind_speed" in levels["absent"]


def test_a_record_too_short_is_named_and_the_rest_goes_on():
    long, short = bucket(), bucket(120).assign_coords(site=["B"])
    ds = with_attributes(xr.concat([long, short], "site", join="outer"))
    done, left_out = forecast_all(ds, models=CHEAP, progress=False)
    assert [f.series.site for f in done] == ["A"]
    assert left_out["site"].tolist() == ["B"] and "30 are needed" in left_out["reason"][0]
    with pytest.raises(DataError, match="no level can be trained"):
        forecast_all(short, models=CHEAP, progress=False)


GOOD = {"models": ["persistence", "ridge"], "leads": [1, 3], "lookback": 4, "repetitions": 1, "draws": 100, "epochs": 1,
        "patience": 1, "device": "cpu", "protocol": "strict", "seed": 0}


@pytest.mark.parametrize(("key", "value", "rule"), [
    ("models", ["persistence", "LTSM"], r"unknown models \['LTSM'\]; known: persistence"),
    ("models", ["ridge"], "must hold persistence"), ("models", ["persistence"], "one that is no baseline"),
    ("models", ["persistence", "climatology"], "one that is no baseline"), ("models", [], "must hold persistence"),
    ("models", ["persistence", "ridge", "ridge"], "must not repeat"),
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
    done, _ = forecast_all(bucket(noise=0.002), models=(*CHEAP, "ELM", "SVR"), progress=False)
    skill = skill_table(done, source="bucket", protocol="strict", draws=20)
    shown, observed, title = best_forecasts(forecast_table(done), skill, "A", 7, count=1)
    assert set(shown["model"]) == {"persistence", "ridge"} and title == "A, 0.05 m, 7 days ahead"
    assert observed["time"].values[0] == (done[0].origins[0] + np.timedelta64(7, "D"))
    np.testing.assert_array_equal(observed.values, done[0].observed[:, 2])
