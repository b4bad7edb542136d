"""Windows, splits and scaling, against days that can be told from their values."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.data.schema import DataError, with_attributes
from smlib.data.windows import WindowScaler, all_series, lag_windows, origins_between, split, station_series


def dataset(days=200, levels=2, missing=()):
    """Air temperature of day i is i / 10, moisture of level k on day i is k / 10 + i / 1000."""
    i = np.arange(days, dtype=float)
    moisture = np.stack([k / 10 + i / 1000 for k in range(1, levels + 1)])
    ta = i / 10
    for name, day in missing:
        (ta if name == "air_temperature" else moisture[0])[day] = np.nan
    return with_attributes(xr.Dataset(
        {"soil_moisture": (("site", "depth", "time"), moisture[None]),
         "air_temperature": (("site", "time"), ta[None]),
         "wind_speed": (("site", "time"), np.full((1, days), np.nan))},
        coords={"site": ["A"], "depth": np.arange(1, levels + 1), "time": pd.date_range("2020-01-01", periods=days),
                "lat": ("site", [50.0]), "lon": ("site", [8.0]),
                "depth_m": (("site", "depth"), [[0.05] + [np.nan] * (levels - 1)])}))


def test_a_window_by_hand():
    """Target 2020-01-05 (day 4): rows are days 1..4, each with its own weather and the moisture of the day before."""
    w = lag_windows(station_series(dataset(), "A", 1), lookback=4)
    assert w.time[0] == np.datetime64("2020-01-05")
    np.testing.assert_allclose(w.x[0, :, 0], [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(w.x[0, :, 1], [0.100, 0.101, 0.102, 0.103])
    np.testing.assert_allclose(w.y[0], 0.104)
    assert len(w) == 200 - 4


def test_the_target_is_in_no_window():
    rng = np.random.default_rng(0)
    ds = dataset()
    ds["soil_moisture"].values[:] = rng.uniform(0.1, 0.4, ds["soil_moisture"].shape)
    w = lag_windows(station_series(ds, "A", 1))
    assert not (w.x == w.y[:, None, None]).any()


@pytest.mark.parametrize(("variable", "lost"), [("air_temperature", range(50, 54)), ("soil_moisture", range(50, 55))])
def test_a_gap_drops_every_window_that_touches_it_and_no_other(variable, lost):
    """Weather of day 50 is in the windows of days 50..53; its moisture is in those of 51..54 and the target of 50."""
    whole = lag_windows(station_series(dataset(), "A", 1)).time
    left = lag_windows(station_series(dataset(missing=[(variable, 50)]), "A", 1)).time
    gone = np.setdiff1d(whole, left)
    np.testing.assert_array_equal(gone, np.datetime64("2020-01-01") + np.array(lost))


def test_skipped_calendar_days_are_a_gap():
    """A file that leaves days out is not read as if the days beside the hole were neighbours."""
    ds = dataset().isel(time=np.r_[0:50, 60:200])
    w = lag_windows(station_series(ds, "A", 1))
    first_after = np.datetime64("2020-01-01") + 60 + 4
    assert first_after in w.time
    assert not ((w.time >= np.datetime64("2020-01-01") + 50) & (w.time < first_after)).any()


def test_a_driver_that_is_hardly_measured_is_left_out_by_name():
    s = station_series(dataset(), "A", 2)
    assert s.names == ("air_temperature",)
    assert "wind_speed" in s.absent and "precipitation" in s.absent
    assert s.variant == "level 2" and "unknown" in s.label
    assert [x.variant for x in all_series(dataset())] == ["", "level 2"]


def test_split_is_in_time_and_complete():
    w = lag_windows(station_series(dataset(), "A", 1))
    parts = split(w)
    assert [len(parts[k]) for k in ("train", "validation", "test")] == [118, 39, 39]
    assert parts["train"].time.max() < parts["validation"].time.min()
    assert parts["validation"].time.max() < parts["test"].time.min()
    with pytest.raises(ValueError, match="sum to 1"):
        split(w, (0.5, 0.2, 0.2))
    with pytest.raises(DataError, match="30 are needed"):
        split(w[:60])


def test_scaler_learns_from_what_it_is_given_alone():
    parts = split(lag_windows(station_series(dataset(), "A", 1)))
    scaler = WindowScaler().fit(parts["train"])
    train, test = scaler.transform(parts["train"]), scaler.transform(parts["test"])
    assert train.y.min() == 0 and train.y.max() == pytest.approx(1)
    assert test.y.min() > 1, "a rising series leaves the training range"
    np.testing.assert_allclose(scaler.inverse(test.y), parts["test"].y)
    np.testing.assert_allclose(train.x[1:, -1, -1], train.y[:-1], err_msg="lagged moisture and target share one scale")


def test_origins_by_hand():
    s = station_series(dataset(), "A", 1)
    first, last = np.datetime64("2020-03-01"), np.datetime64("2020-04-30")
    o = origins_between(s, first, last, (1, 3, 7))
    assert o.time[0] == np.datetime64("2020-02-29") and o.time[-1] == np.datetime64("2020-04-23")
    day = 59  # 29 February, counted from 1 January
    np.testing.assert_allclose(o.moisture[0], 0.1 + np.arange(day - 3, day + 1) / 1000)
    np.testing.assert_allclose(o.drivers[0, :, 0], np.arange(day - 2, day + 8) / 10)
    np.testing.assert_allclose(o.observed[0], 0.1 + (day + np.array([1, 3, 7])) / 1000)


def test_an_origin_with_anything_missing_is_dropped():
    s = station_series(dataset(missing=[("air_temperature", 100)]), "A", 1)
    o = origins_between(s, s.time[0], s.time[-1], (1, 3, 7))
    touched = s.time[100] - np.arange(-2, 8)  # day 100 is weather of the origins 93 ... 102
    assert not np.isin(touched, o.time).any()
    assert np.isfinite(o.drivers).all() and s.time[92] in o.time and s.time[103] in o.time
