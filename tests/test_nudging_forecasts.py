"""One-day and free-running forecasts: against the network by hand, and forecasts whose course is known."""

import numpy as np
import pytest
import torch
from test_nudging_field import blank, dataset, day_of, small_field
from test_nudging_training import NAMES, TINY

from smlib.evaluate.field_scores import field_metrics
from smlib.nudging.forecasts import Forecaster, baselines, forecasters, free_run, one_day, sums_of
from smlib.nudging.training import Trained, build


class Mixed:
    """A linear forecast: 0.5 times the newest day, 0.3 times the one before, and 0.04."""

    def forecast(self, window):
        return (0.5 * window[:, -1] + 0.3 * window[:, -2] + 0.04).astype(np.float32)


def network(name, field, seed=3):
    torch.manual_seed(seed)
    return build(name, field, **TINY).eval()


@pytest.fixture(scope="module")
def field():
    return small_field()


@pytest.fixture(scope="module")
def windows(field):
    """25 windows (window, lookback, y, x), NaN outside."""
    return np.stack([field.truth[day:day + field.lookback] for day in range(300, 325)])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_network_between_the_scaler_and_back(field, windows, name):
    scaler, model = field.scalers["test"], network(name, field)
    with torch.inference_mode():
        x = torch.tensor((windows[:5] - scaler.mean_) / scaler.std_, dtype=torch.float32)
        expected = scaler.mean_ + scaler.std_ * model(x).numpy()
    made = Forecaster(model, scaler, "cpu").forecast(windows[:5])
    assert made.dtype == np.float32 and np.ptp(expected[:, field.valid]) > 1e-4
    np.testing.assert_allclose(made[:, field.valid], np.clip(expected, 0, 1)[:, field.valid], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_its_windows_one_at_a_time_to_the_last_bit(field, windows, name):
    forecaster = Forecaster(network(name, field), field.scalers["test"], "cpu")
    alone = np.concatenate([forecaster.forecast(window[None]) for window in windows])
    for size in (2, 5, 12, 25):
        np.testing.assert_array_equal(np.concatenate([forecaster.forecast(windows[k:k + size])
                                                      for k in range(0, 25, size)]), alone)


@pytest.mark.parametrize("bias, limit", [(1e3, 1), (-1e3, 0)])
def test_a_forecast_is_held_to_what_moisture_can_be(field, windows, bias, limit):
    model = network("CNN", field)
    model.out.bias.data[:] = bias
    made = Forecaster(model, field.scalers["test"], "cpu").forecast(windows[:2])
    assert (made[:, field.valid] == limit).all()


def test_networks_forecast_in_the_scale_of_the_period():
    """A network that says 0 forecasts the mean of the training days, in the paper's protocol of the period's own."""
    for protocol in ("strict", "paper"):
        field = small_field(protocol=protocol)
        model = network("CNN", field)
        model.out.weight.data[:], model.out.bias.data[:] = 0, 0
        for period, known in (("validation", "validation"), ("test", "test")):
            made = forecasters(field, {"CNN": Trained(model, None, 0, None)}, period, "cpu")["CNN"]
            values = field.truth[field.periods[known if protocol == "paper" else "train"]][:, field.valid]
            assert made.forecast(field.first_window(period))[0, 3, 3] == pytest.approx(values.mean(), abs=1e-6)


def test_one_day_ahead_by_hand(field):
    for period in ("train", "test"):
        made, days = one_day(field, Mixed(), period), field.targets(period)
        before, newest = field.truth[days.start - 2:days.stop - 2], field.truth[days.start - 1:days.stop - 1]
        np.testing.assert_allclose(made, 0.5 * newest + 0.3 * before + 0.04, atol=1e-6)  # NaN outside, too


def test_one_day_about_a_climatology_by_hand(field):
    made, days, mean = one_day(field, Mixed(), "test", field.climatology), field.targets("test"), field.climatology
    a = field.truth - mean
    expected = mean[days] + 0.5 * a[days.start - 1:days.stop - 1] + 0.3 * a[days.start - 2:days.stop - 2] + 0.04
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_a_part_of_the_days(field):
    whole, days = one_day(field, Mixed(), "train"), field.targets("train")
    part = slice(days.start + 50, days.start + 70)
    made = one_day(field, Mixed(), "train", part=part)
    np.testing.assert_array_equal(made[50:70], whole[50:70])
    assert np.isnan(made[:50]).all() and np.isnan(made[70:]).all()


def test_one_day_takes_held_values_as_input_and_nothing_from_before_a_cell_was_seen():
    ds = blank(dataset(first="2018-07-01"), "2020-04-01", (3, 3))
    ds["soil_moisture"].values[:50, 2, 2] = np.nan
    field = small_field(ds, gaps="hold")
    hole, days = day_of(ds, "2020-04-01"), field.targets("test")
    made = one_day(field, baselines(field)["persistence"][0])
    assert made[hole - days.start + 1, 3, 3] == field.truth[hole - 1, 3, 3]
    train = one_day(field, baselines(field)["persistence"][0], "train")
    assert np.isnan(train[:50]).all() and np.isfinite(train[50:][:, field.valid]).all()
    sums = sums_of(field, made)
    assert sums[hole - days.start, 0] == field.valid.sum() - 1 and sums[:, 0].max() == field.valid.sum()
    assert sums_of(field, train, "train")[:50].sum() == 0


def test_a_free_run_by_hand(field):
    made, (before, newest) = free_run(field, Mixed()), field.first_window("test")[0, -2:].astype(float)
    assert len(made) == len(field.time[field.targets("test")]) == 47 - field.lookback
    for day in range(len(made)):
        before, newest = newest, 0.5 * newest + 0.3 * before + 0.04
        np.testing.assert_allclose(made[day], newest, atol=1e-5)
    np.testing.assert_array_equal(free_run(field, Mixed(), days=7), made[:7])


def test_a_free_run_reads_nothing_but_its_first_window():
    ds = dataset()
    behind = day_of(ds, "2020-03-13")  # three days from the 10th
    ds["soil_moisture"].values[behind:] = 1 - ds["soil_moisture"].values[behind:]
    changed, field = small_field(ds), small_field()
    for name, (model, about) in baselines(field).items():
        other, around = baselines(changed)[name]
        np.testing.assert_array_equal(free_run(field, model, about=about), free_run(changed, other, about=around))


def test_baselines_run_as_they_must(field):
    known, days = baselines(field), field.targets("test")
    last, mean = field.truth[days.start - 1], field.climatology
    model, about = known["persistence"]
    np.testing.assert_array_equal(free_run(field, model, about=about), np.broadcast_to(last, (44, 6, 7)))
    np.testing.assert_array_equal(one_day(field, model, about=about), field.truth[days.start - 1:days.stop - 1])
    model, about = known["climatology"]
    np.testing.assert_allclose(free_run(field, model, about=about), mean[days], atol=1e-7)
    np.testing.assert_allclose(one_day(field, model, about=about), mean[days], atol=1e-7)
    model, about = known["damped anomaly"]
    anomaly = last - mean[days.start - 1]
    expected = [mean[days.start + k] + model.rho ** (k + 1) * anomaly for k in range(44)]
    np.testing.assert_allclose(free_run(field, model, about=about), expected, atol=1e-6)


def test_the_lag_one_regression_is_the_trainings():
    """AR(1) of coefficient 0.9, less what the day-of-year mean of a year and a half takes along."""
    ds = dataset()
    rho = baselines(small_field(ds))["damped anomaly"][0].rho
    assert 0.75 < rho < 0.93
    behind = day_of(ds, "2020-01-01")
    ds["soil_moisture"].values[behind:] = 1 - ds["soil_moisture"].values[behind:]
    assert baselines(small_field(ds))["damped anomaly"][0].rho == rho


def test_sums_of_a_known_error(field):
    truth = field.truth[field.targets("test")]
    sums = sums_of(field, truth[:10] + np.float32(0.02))
    assert sums.shape == (10, 8) and (sums[:, 0] == field.valid.sum()).all()
    found = field_metrics(sums.sum(0))
    assert found["bias"] == pytest.approx(0.02, abs=1e-6) and found["ubRMSE"] == pytest.approx(0, abs=1e-5)
    assert found["R2"] == pytest.approx(1 - 0.02**2 / truth[:10][:, field.valid].astype(float).var(), abs=1e-5)
