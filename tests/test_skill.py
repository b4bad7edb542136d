"""The tidy table: same days for all, references, intervals, missing forecasts and the mean over sites."""

import numpy as np
import pandas as pd
import pytest

from smlib.evaluate.bootstrap import block_weights, metrics_from_moments
from smlib.evaluate.skill import COLUMNS, over_sites, score


@pytest.fixture
def forecasts():
    rng = np.random.default_rng(0)
    o = rng.normal(0.3, 0.05, (400, 2))
    return {"persistence": (o + rng.normal(0, 0.03, o.shape))[None],
            "climatology": np.full((1, 400, 2), 0.3),
            "RF": o + rng.normal(0, 0.015, (3, 400, 2))}, o


def pick(table, model, metric, lead):
    return table[(table.model == model) & (table.metric == metric) & (table.lead_d == lead)].iloc[0]


def test_values_are_means_over_repetitions_of_the_metric(forecasts):
    values, o = forecasts
    row = pick(score(values, o, (1, 7)), "RF", "RMSE", 7)
    assert row.value == pytest.approx(np.mean(np.sqrt(((values["RF"][:, :, 1] - o[:, 1]) ** 2).mean(axis=1))))
    assert row.low < row.value < row.high and row.n == 400


def test_skill_against_the_references(forecasts):
    values, o = forecasts
    table = score(values, o, (1, 7))
    mse = {name: ((values[name][:, :, 0] - o[:, 0]) ** 2).mean() for name in ("RF", "persistence")}
    expected = 1 - mse["RF"] / mse["persistence"]
    assert pick(table, "RF", "skill_persistence", 1).value == pytest.approx(expected)
    own = pick(table, "persistence", "skill_persistence", 1)
    assert (own.value, own.low, own.high) == (0, 0, 0)
    assert pick(table, "RF", "skill_climatology", 1).low > 0


def test_a_model_with_a_hole_is_not_scored_on_easier_days(forecasts):
    values, o = forecasts
    values["climatology"][0, :10] = np.nan
    table = score(values, o, (1, 7))
    row = pick(table, "climatology", "R2", 1)
    assert np.isnan([row.value, row.low, row.high]).all() and row.n == 0
    against = pick(table, "RF", "skill_climatology", 1)
    assert np.isnan(against.value) and against.n == 0
    assert pick(table, "RF", "R2", 1).n == 400


def test_a_constant_forecast_has_no_correlation(forecasts):
    values, o = forecasts
    table = score(values, o, (1, 7))
    row = pick(table, "climatology", "r", 1)
    assert np.isnan(row.value) and row.n == 0
    assert pick(table, "climatology", "R2", 1).value == pytest.approx(0, abs=0.01)


def test_mean_over_sites_weighs_sites_not_levels():
    rows = [("A", 0.9, 0.05), ("A", 0.7, 0.10), ("B", 0.2, 0.05)]
    same = {"study": "stations", "source": "s", "protocol": "strict", "model": "RF", "variant": "", "lead_d": 1,
            "metric": "R2", "n": 100}
    skill = pd.DataFrame([same | {"site": s, "depth_m": d, "value": v, "low": v, "high": v} for s, v, d in rows],
                         columns=list(COLUMNS))
    got = over_sites(skill).set_index("variant").loc["mean"]
    assert got.value == pytest.approx((0.8 + 0.2) / 2) and got.n == 2
    assert (got.low, got.high) == pytest.approx((0.2, 0.8)), "drawing two sites of two gives AA, AB or BB"
    alone = over_sites(skill[skill.site == "B"]).iloc[0]
    assert alone.value == pytest.approx(0.2) and np.isnan(alone.low) and alone.n == 1


def test_median_over_sites_is_not_decided_by_one():
    same = {"study": "stations", "source": "s", "protocol": "strict", "model": "RF", "variant": "", "lead_d": 1,
            "metric": "R2", "n": 100, "depth_m": 0.05}
    skill = pd.DataFrame([same | {"site": s, "value": v} for s, v in (("A", 0.9), ("B", 0.8), ("C", -400.0))],
                         columns=list(COLUMNS))
    got = over_sites(skill).set_index("variant")["value"]
    assert got["median"] == 0.8 and got["mean"] == pytest.approx((0.9 + 0.8 - 400) / 3)


def test_intervals_are_the_95_percent_of_the_draws(forecasts):
    values, o = forecasts
    drawn = metrics_from_moments(values["persistence"][0], o, block_weights(400, 1000, seed=0))["RMSE"]
    row = pick(score(values, o, (1, 7)), "persistence", "RMSE", 7)
    np.testing.assert_allclose([row.low, row.high], np.percentile(drawn[:, 1], [2.5, 97.5]))


def test_repetitions_that_differ_widen_the_interval(forecasts):
    values, o = forecasts
    spread = values["RF"] + np.array([-0.02, 0, 0.02])[:, None, None]
    table = score(values | {"RF": spread, "ELM": spread[1:2]}, o, (1, 7))
    width = {m: float(np.diff(pick(table, m, "bias", 1)[["low", "high"]].astype(float))[0]) for m in ("RF", "ELM")}
    assert width["RF"] > 3 * width["ELM"]


def test_a_flat_sensor_has_no_r2_and_spoils_nothing(forecasts):
    values, o = forecasts
    o = o.copy()
    o[:, 0] = 0.3
    values["persistence"][0, :, 0] = 0.3
    table = score(values, o, (1, 7))
    for metric in ("R2", "r", "KGE", "skill_persistence"):
        row = pick(table, "RF", metric, 1)
        assert np.isnan([row.value, row.low, row.high]).all() and row.n == 0, metric
    assert pick(table, "RF", "RMSE", 1).n == 400 and pick(table, "RF", "R2", 7).n == 400
    numbers = table[["value", "low", "high"]].astype(float)
    assert not np.isinf(numbers).any(axis=None)
    assert (numbers["low"].isna() == numbers["high"].isna()).all()


def test_sites_are_drawn_as_many_as_there_are():
    """The mean of four sites, one of which has 1 and three 0: 0, 1/4, 2/4 ... by the binomial law."""
    same = {"study": "stations", "source": "s", "protocol": "strict", "model": "RF", "variant": "", "lead_d": 1,
            "metric": "R2", "n": 100, "depth_m": 0.05}
    skill = pd.DataFrame([same | {"site": s, "value": float(s == "A")} for s in "ABCD"], columns=list(COLUMNS))
    mean = over_sites(skill, draws=4000).set_index("variant").loc["mean"]
    assert (mean["low"], mean["high"]) == (0, 0.75)
