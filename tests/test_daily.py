import numpy as np
import pandas as pd
import pytest

from smlib.data.daily import HALF_HOURS, day_of, enough, gap_error, mean_of_fixed_set, to_daily
from smlib.data.schema import VARIABLES

STEP = pd.Timedelta("30min")


def test_every_variable_has_a_threshold():
    assert set(HALF_HOURS) == set(VARIABLES)
    assert all(24 < n <= 48 for n in HALF_HOURS.values())


@pytest.mark.parametrize("stamp, last, first", [
    ("start", "2016-01-01 23:30", "2016-01-02 00:00"),
    ("end", "2016-01-02 00:00", "2016-01-02 00:30"),
    ("middle", "2016-01-01 23:45", "2016-01-02 00:15"),
])
def test_midnight_by_hand(stamp, last, first):
    """The half hour from 23:30 to 24:00 belongs to 1 January, the next one to 2 January, however they are stamped."""
    days = day_of(pd.DatetimeIndex([last, first]), STEP, stamp)
    assert list(days) == [pd.Timestamp("2016-01-01"), pd.Timestamp("2016-01-02")]


@pytest.mark.parametrize("stamp, shift", [("start", "0min"), ("middle", "15min"), ("end", "30min")])
def test_same_days_from_every_stamp(stamp, shift):
    values = np.arange(96.0)
    series = pd.Series(values, pd.date_range("2016-02-28", periods=96, freq=STEP) + pd.Timedelta(shift))
    daily = to_daily(series, "air_temperature", STEP, stamp)
    assert list(daily.index) == [pd.Timestamp("2016-02-28"), pd.Timestamp("2016-02-29")]
    np.testing.assert_allclose(daily, [23.5, 71.5])  # means of 0..47 and 48..95
    np.testing.assert_allclose(to_daily(series, "precipitation", STEP, stamp), [1128.0, 3432.0])  # sums


@pytest.mark.parametrize("name", VARIABLES)
def test_threshold_is_exact(name):
    series = pd.Series(1.0, pd.date_range("2020-01-01", periods=48, freq=STEP))
    allowed = 48 - HALF_HOURS[name]
    series.iloc[:allowed] = np.nan
    assert to_daily(series, name, STEP, "start").notna().all()
    series.iloc[:allowed + 1] = np.nan
    assert to_daily(series, name, STEP, "start").isna().all()


def test_rows_that_are_absent_count_as_missing_and_days_between_stay_nan():
    index = pd.date_range("2020-01-01", periods=144, freq=STEP)
    series = pd.Series(2.0, index)[(index.day != 2)]
    daily = to_daily(series, "precipitation", STEP, "start")
    np.testing.assert_array_equal(daily, [96.0, np.nan, 96.0])


def test_hourly_needs_the_same_share():
    series = pd.Series(1.0, pd.date_range("2020-01-01", periods=24, freq="1h"))
    series.iloc[:3] = np.nan  # 21 of 24 is 42 of 48
    assert to_daily(series, "soil_moisture", pd.Timedelta("1h"), "start").notna().all()
    series.iloc[:4] = np.nan
    assert to_daily(series, "soil_moisture", pd.Timedelta("1h"), "start").isna().all()


def test_shares_as_printed_with_three_digits():
    assert list(enough(np.array([0.875, 0.874]), "soil_moisture")) == [True, False]
    assert enough(np.array([0.917]), "soil_temperature").all()  # 44 / 48 = 0.91666...
    assert not enough(np.array([0.998]), "precipitation").any()


def test_gap_error_against_a_loop():
    rng = np.random.default_rng(0)
    series = pd.Series(rng.random(48 * 5), pd.date_range("2020-01-01", periods=240, freq=STEP))
    series.iloc[60] = np.nan  # the second day is not complete, so that four days remain
    days = series.to_numpy().reshape(5, 48)[[0, 2, 3, 4]]
    for total in (False, True):
        reduce = np.sum if total else np.mean
        whole = reduce(days, axis=1)
        errors = [reduce(np.delete(day, range(at, at + 4))) - truth
                  for day, truth in zip(days, whole, strict=True) for at in range(45)]
        measured = gap_error(series, 4, STEP, "start", total)
        assert measured["days"] == 4
        np.testing.assert_allclose(measured["rmse"], np.sqrt(np.mean(np.square(errors))) / whole.std())
        np.testing.assert_allclose(measured["bias"], np.mean(errors) / whole.std())
        assert measured["bias"] < 0 or not total  # a sum can only become too small


def test_mean_of_a_set_that_does_not_change():
    days = pd.date_range("2020-01-01", periods=100)
    whole = pd.Series(1.0, days)
    nearly = pd.Series(3.0, days).where(np.arange(100) != 7)
    late = pd.Series(50.0, days).where(np.arange(100) > 10)  # 89 of 100 days: not in the set
    mean, used = mean_of_fixed_set({"a": whole, "b": nearly, "c": late})
    assert used == ["a", "b"]
    assert mean.isna().sum() == 1 and np.isnan(mean.iloc[7])
    assert set(mean.dropna()) == {2.0}
