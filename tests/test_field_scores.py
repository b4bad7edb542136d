"""Scores of fields from daily sums, against xskillscore and a case worked by hand."""

import numpy as np
import pytest
import xarray as xr

from smlib.evaluate import METRICS
from smlib.evaluate.field_scores import FIELD_METRICS, SUMS, day_sums, field_metrics, field_scores


@pytest.fixture
def fields(rng=None):
    rng = np.random.default_rng(5)
    truth = 0.2 + 0.05 * rng.normal(size=(60, 4, 5)).cumsum(0) / 5
    return truth, truth[:, None] + 0.01 + 0.02 * rng.normal(size=(60, 3, 4, 5))


def sums_of(forecast, truth, where, centre=0.2):
    return np.stack([day_sums(f, o, where, centre) for f, o in zip(forecast, truth, strict=True)])


def test_pooled_metrics_are_those_of_xskillscore(fields):
    truth, forecast = fields
    where = np.ones((4, 5), bool)
    where[0, 0] = False
    found = field_metrics(sums_of(forecast, truth, where).sum(0))
    for member in range(3):
        f, o = (xr.DataArray(v[:, where].ravel(), dims="pair") for v in (forecast[:, member], truth))
        for name in set(FIELD_METRICS) - {"MSE"}:
            assert found[name][member] == pytest.approx(float(METRICS[name](f, o, "pair")), rel=1e-9)
        assert found["MSE"][member] == pytest.approx(found["RMSE"][member] ** 2)


def test_by_hand():
    """Two days of two cells, errors 0, 0.1 and 0, 0.3; the third cell does not count, nor does a missing truth."""
    truth = np.array([[[0.1, 0.2, 9]], [[0.3, 0.4, 9]], [[np.nan, np.nan, np.nan]]])
    error = np.array([[[0, 0.1, 5]], [[0, 0.3, 5]], [[0, 0, 0]]])
    forecast = np.nan_to_num(truth) + error
    sums = sums_of(forecast[:, None], truth, np.array([[True, True, False]]))[:, 0]
    found = field_metrics(sums.sum(0))
    assert found["MAE"] == pytest.approx(0.1) and found["bias"] == pytest.approx(0.1)
    assert found["RMSE"] == pytest.approx(np.sqrt(0.1 / 4)) and found["R2"] == pytest.approx(1 - 0.1 / 0.05)
    assert list(sums[:, SUMS.index("n")]) == [2, 2, 0]
    daily = field_metrics(sums)
    assert daily["RMSE"][0] == pytest.approx(np.sqrt(0.005)) and np.isnan(daily["RMSE"][2])


def test_the_centre_changes_nothing_and_saves_small_variances():
    truth = 1000 + np.array([[[0.0, 1e-4]]])
    forecast = truth[:, None] + [0, 1e-5]
    found = field_metrics(sums_of(forecast, truth, np.ones((1, 2), bool), 1000.0).sum(0))
    assert found["R2"][0] == pytest.approx(1 - 0.5e-10 / 0.25e-8, rel=1e-6)


def test_a_constant_has_no_correlation_and_no_r2():
    truth = np.full((2, 1, 2), 0.25)
    found = field_metrics(sums_of(truth[:, None], truth, np.ones((1, 2), bool), 0.25).sum(0))
    assert np.isnan(found["R2"][0]) and np.isnan(found["r"][0]) and found["RMSE"][0] == 0


def test_scores_have_intervals_and_skill(fields):
    truth, forecast = fields
    where = np.ones((4, 5), bool)
    sums = sums_of(forecast, truth, where)
    reference = sums_of((truth + 0.05)[:, None], truth, where)[:, 0]
    rows = {row["metric"]: row for row in field_scores(sums[:, 0], {"climatology": reference}, draws=500)}
    assert set(rows) == {*FIELD_METRICS, "skill_climatology"}
    for row in rows.values():
        assert row["low"] <= row["value"] <= row["high"] and row["n"] == truth.size
    mse = ((forecast[:, 0] - truth) ** 2).mean()
    assert rows["skill_climatology"]["value"] == pytest.approx(1 - mse / 0.05**2)
    own = {row["metric"]: row for row in field_scores(sums[:, 0], {"itself": sums[:, 0]}, draws=50)}
    assert own["skill_itself"]["low"] == own["skill_itself"]["high"] == 0


def test_nothing_to_score_is_a_row_without_value():
    sums = np.zeros((10, 8))
    assert all(row["n"] == 0 and np.isnan(row["value"]) for row in field_scores(sums, draws=10))


def test_errors_say_what_is_wrong():
    truth, where = np.full((2, 2), 0.2), np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="do not fit"):
        day_sums(np.zeros((1, 2, 3)), truth, where)
    with pytest.raises(ValueError, match="misses 4 values"):
        day_sums(np.full((1, 2, 2), np.nan), truth, where)
