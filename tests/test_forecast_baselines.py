"""Baselines and learnt forecasts: the truth where it is known, and no way from a later day into a forecast."""

import numpy as np
import pytest

from smlib.data import DataError
from smlib.forecast import Boosting, Climatology, DampedAnomaly, NetworkForecast, Persistence
from smlib.forecast.baselines import last_seen
from smlib.forecast.predictors import Predictors, faded
from smlib.models.stacked import LEADS

P, SD = 0.85, 0.03
SMALL = {"seeds": (0,), "steps": 4, "cells": 10, "widths": (4,), "hidden": 8}


def make(cells=60, days=3600, seen=0.6, seed=0, rain=0.0):
    """An AR(1) about a seasonal cycle of amplitude 0.05, partly seen; `rain` of the shocks is today's rain."""
    rng = np.random.default_rng(seed)
    time = np.datetime64("2015-01-01") + np.arange(days)
    p = rng.exponential(8, (days, cells)) * (rng.random((days, cells)) < 0.3)
    shock = (1 - rain) * rng.normal(size=p.shape) + rain * (p - 2.4) / 6
    x = np.zeros((days, cells))
    for day in range(1, days):
        x[day] = P * x[day - 1] + np.sqrt(1 - P**2) * shock[day]
    cycle = 0.25 + 0.05 * np.cos(2 * np.pi * np.arange(days) / 365.25)[:, None]
    series = np.where(rng.random(x.shape) < seen, cycle + SD * x, np.nan)
    return series, time, np.stack([p, rng.normal(size=p.shape)], -1), rng.normal(size=(cells, 1)), cycle


@pytest.fixture(scope="module")
def world():
    return make()


@pytest.fixture(scope="module")
def rainy():
    return make(cells=40, days=500, rain=0.8)


def build(name):
    return {"persistence": Persistence, "climatology": Climatology, "damped": DampedAnomaly,
            "boosting": lambda: Boosting(rows=1500, max_iter=20),
            "boosting, observed": lambda: Boosting(rows=1500, max_iter=20, weather="observed"),
            "network": lambda: NetworkForecast(**SMALL),
            "network, observed": lambda: NetworkForecast(weather="observed", **SMALL)}[name]()


NAMES = ("persistence", "climatology", "damped", "boosting", "boosting, observed", "network", "network, observed")


def test_the_last_observation_and_its_age():
    series = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan]])
    last, age = last_seen(series)
    np.testing.assert_array_equal(last, [[np.nan, 1], [2, 1], [2, 1]])
    np.testing.assert_array_equal(age, [[np.inf, 0], [0, 1], [1, 2]])
    made = Persistence(leads=(1, 5)).fit(series, np.arange(3).astype("M8[D]")).predict(series,
                                                                                      np.arange(3).astype("M8[D]"))
    np.testing.assert_array_equal(made, np.repeat(last[:, None], 2, 1))


def test_climatology_is_the_cycle(world):
    series, time, *_, cycle = world
    method = Climatology(penalty=1.0).fit(series, time)
    np.testing.assert_allclose(method.predict(series, time, issue=slice(0, 300))[:, 1],
                               np.broadcast_to(cycle[3:303], (300, 60)), atol=0.02)
    assert abs(method.at(time).mean(1) - cycle[:, 0]).max() < 0.003  # each cell has its own luck; on average none
    # A firm penalty leaves the mean; a cell that was never observed has that of the others.
    gone = series.copy()
    gone[:, 0] = np.nan
    flat = Climatology(penalty=1e9).fit(gone, time)
    assert np.ptp(flat.at(time), 0).max() < 1e-4
    assert flat.mean_[0] == pytest.approx(np.nanmean(gone))


def test_the_memory_of_an_ar1_is_found_and_its_forecast_is_the_best(world):
    series, time, *_, cycle = world
    method = DampedAnomaly(penalty=1.0).fit(series, time)
    np.testing.assert_allclose(method.kept_[:15], P ** np.arange(15), atol=0.03)  # the cell's mean takes 0.01
    made = method.predict(series, time)
    for k, lead in enumerate((1, 3, 7)):
        last, age = last_seen(series - cycle)
        best = cycle[lead:] + np.nan_to_num(last * P ** (np.minimum(age, 900) + lead))[:-lead]
        error, least = (np.sqrt(np.nanmean((f - series[lead:]) ** 2)) for f in (made[:-lead, k], best))
        assert error == pytest.approx(least, rel=0.01)
        # An anomaly of age a forecast by lead d is wrong by sd^2 (1 - p^(2 (a + d))).
        fresh = (age == 0)[:-lead]
        theory = SD * np.sqrt(1 - P ** (2 * lead))
        assert np.sqrt(np.nanmean((made[:-lead, k] - series[lead:])[fresh] ** 2)) == pytest.approx(theory, rel=0.05)


def test_fading_means():
    x = np.array([[1.0], [np.nan], [3.0]])
    k = np.exp(-1 / 5)
    np.testing.assert_allclose(faded(x, 5)[:, 0], [1, 1, (k * k + 3) / (k * k + 1)])
    assert faded(np.full((2, 1), np.nan), 5).tolist() == [[0], [0]]


def test_rain_since_the_last_observation_and_of_the_target_day():
    series = np.array([[0.2, 0.2, np.nan, np.nan, 0.3, np.nan]]).T
    rain = np.array([[1.0, 2, 4, 8, 16, 32]]).T[..., None]
    time = np.arange(6).astype("M8[D]")
    predictors = Predictors("observed", (2,)).fit(series, time)
    known = predictors.of(series, time, rain, None)
    np.testing.assert_allclose(np.expm1(known.today[:, 0, 7]), [1, 2, 6, 14, 16, 48], rtol=1e-5)
    coming = predictors.ahead(known, 0)[:, 0]
    np.testing.assert_allclose(np.expm1(coming[:, -1]), [7, 14, 30, 62, np.nan, np.nan], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(coming[:, 2]), [4, 8, 16, 32, np.nan, np.nan], rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_after_the_issue_day_changes_a_forecast(name, rainy):
    """Change all that is observed later: bit for bit the same; but for observed weather, which is said to be known."""
    series, time, forcing, constants, _ = rainy
    method = build(name).fit(series[:300], time[:300], forcing[:300], constants)
    issue = slice(390, 401)
    want = method.predict(series, time, forcing, constants, issue)
    later = series.copy()
    later[401:] = np.where(np.isnan(series[401:]), 0.1, np.nan)
    np.testing.assert_array_equal(method.predict(later, time, forcing, constants, issue), want)
    wetter = forcing.copy()
    wetter[401:] += 50
    changed = (method.predict(series, time, wetter, constants, issue) != want).any()
    assert changed == ("observed" in name)
    wetter = forcing.copy()
    wetter[401 + max(LEADS):] += 50
    np.testing.assert_array_equal(method.predict(series, time, wetter, constants, issue), want)


@pytest.mark.parametrize("name", NAMES)
def test_the_forecast_depends_on_the_issue_day_itself(name, rainy):
    series, time, forcing, constants, _ = rainy
    method = build(name).fit(series[:300], time[:300], forcing[:300], constants)
    want = method.predict(series, time, forcing, constants, [400])
    other = series.copy()
    other[400] = 0.45
    assert (method.predict(other, time, forcing, constants, [400]) != want).any() == (name != "climatology")


@pytest.mark.parametrize("name", ["boosting", "network"])
@pytest.mark.parametrize("weather", ["known", "observed"])
def test_what_learns_uses_the_rain(name, weather, rainy):
    """Moisture made of rain: better than the damped anomaly, and much better if the coming rain is known."""
    series, time, forcing, constants, _ = rainy
    series = np.where(np.random.default_rng(1).random(series.shape) < 0.4, series, np.nan)  # much rain goes unseen
    method = Boosting(weather=weather, max_iter=80) if name == "boosting" else \
        NetworkForecast(weather=weather, steps=250, cells=20, widths=(4,), hidden=16, seeds=(0,))
    damped = DampedAnomaly().fit(series[:350], time[:350]).predict(series, time)
    made = method.fit(series[:350], time[:350], forcing[:350], constants).predict(series, time, forcing, constants)
    error, plain = (np.sqrt(np.nanmean((f[380:-3, 1] - series[383:]) ** 2)) for f in (made, damped))
    assert error < (0.97 if weather == "known" else 0.8) * plain
    assert np.isnan(made[-1]).all() == (weather == "observed")


def test_cells_are_forecast_block_by_block_as_at_once(rainy, monkeypatch):
    series, time, forcing, constants, _ = rainy
    method = build("boosting").fit(series[:300], time[:300], forcing[:300], constants)
    want = method.predict(series, time, forcing, constants, [400, 450])
    monkeypatch.setattr("smlib.forecast.boosting.BLOCK", 7)
    np.testing.assert_allclose(method.predict(series, time, forcing, constants, [400, 450]), want, rtol=1e-6)


def test_the_network_of_a_lattice_sees_neighbours_and_only_them(rainy):
    series, time, forcing, constants, _ = rainy
    where = np.ones((5, 9), bool)
    where[2, :5] = False  # 40 cells are left
    method = NetworkForecast(kernel=3, where=where, **SMALL).fit(series[:100], time[:100], forcing[:100], constants)
    want = method.predict(series, time, forcing, constants, [130])[0]
    other = series.copy()
    other[130, 0] = 0.5
    differs = (method.predict(other, time, forcing, constants, [130])[0] != want).any(0)
    field = np.zeros(where.shape, bool)
    field[where] = differs
    assert field[:2, :2].all() and not field[3:].any() and not field[:, 3:].any()
    with pytest.raises(ValueError, match="needs where"):
        NetworkForecast(kernel=3, **SMALL).fit(series[:100], time[:100], forcing[:100], constants)


def test_the_same_seed_gives_the_same_network(rainy):
    series, time, forcing, constants, _ = rainy
    a, b = (NetworkForecast(**SMALL).fit(series[:100], time[:100], forcing[:100], constants).predict(
        series, time, forcing, constants, [130]) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_bad_input_is_refused(rainy):
    series, time, forcing, constants, _ = rainy
    method = DampedAnomaly().fit(series, time)
    for given, message in (((series[:, 1:], time), "fitted to 40 cells, given 39"), ((series[1:], time), "is not"),
                           ((series, time + (np.arange(500) > 9)), "do not follow")):
        with pytest.raises(DataError, match=message):
            method.predict(*given)
    with pytest.raises(DataError, match="no day of the training"):
        Persistence().fit(series * np.nan, time)
    for kwargs in ({"forcing": np.where(forcing > 20, np.nan, forcing)}, {"forcing": None}):
        with pytest.raises(DataError, match="forcing"):
            build("boosting").fit(series, time, constants=constants, **kwargs)
    with pytest.raises(ValueError, match="weather must be"):
        Boosting(weather="guessed").fit(series, time, forcing, constants)
