"""Nudged roll-outs: ends that are known, batches that change no bit, and draws that are each period's own."""

from dataclasses import replace

import numpy as np
import pytest
from test_nudging_field import blank, dataset, small_field
from test_nudging_forecasts import Mixed, network
from test_nudging_training import NAMES

from smlib.assimilate.compared import Damped
from smlib.assimilate.nudging import Nudging, Recent
from smlib.assimilate.observations import Observations
from smlib.evaluate.field_scores import field_metrics
from smlib.nudging import Setting, grid, nudge_all, nudged, stretch
from smlib.nudging.forecasts import Forecaster, free_run, sums_of
from smlib.nudging.nudged import Finished, nudged_piece, random_observations, scored_run

TWELVE = grid([0.3, 0.6, 1.0], [0.1, 0.5], [0.0, 0.01])


@pytest.fixture(scope="module")
def field():
    return small_field()


@pytest.fixture(scope="module")
def test(field):
    return stretch(field, "test", 12)


ALL_DAYS = tuple(range(12))


def rmse(sums):
    """(setting, cells) of sums (setting, cells, day, 8)."""
    return field_metrics(sums.sum(2))["RMSE"]


def test_a_stretch_is_the_period_after_its_first_window(field):
    days = field.targets("test")
    whole, part = stretch(field), stretch(field, "validation", 5, seed=4)
    np.testing.assert_array_equal(whole.truth, field.truth[days])
    np.testing.assert_array_equal(whole.window[0], field.truth[days.start - 3:days.start])
    np.testing.assert_array_equal(whole.mean, field.climatology[days.start - 3:days.stop])
    assert part.truth.shape == (5, 6, 7) and part.mean.shape == (8, 6, 7)
    seeds = {stretch(field, period, 1, seed).seed for period in ("validation", "test") for seed in range(5)}
    assert len(seeds) == 10
    for days in (0, -1, 45):
        with pytest.raises(ValueError, match=f"days must lie from 1 to 44 in the test period, not {days}"):
            stretch(field, "test", days)


@pytest.mark.parametrize("settings, words", [
    (([0], [0.1], [0]), "tau lies outside its range: .0."), (([0.5, 1.1], [0.1], [0]), "tau .*1.1"),
    (([np.nan], [0.1], [0]), "tau"), (([0.5], [1.2], [0]), "fraction .*1.2"), (([0.5], [0], [0]), "fraction"),
    (([0.5], [0.1], [-0.01]), "noise .*-0.01"), (([], [0.1], [0]), "tau has no value"),
    (([1], [], [0]), "fraction has no value")])
def test_settings_out_of_range_are_errors_in_words(settings, words):
    with pytest.raises(ValueError, match=words):
        grid(*settings)


def test_a_setting_past_the_grid_is_an_error_too(test):
    for tau in (0, 1.5):
        with pytest.raises(ValueError, match=r"tau must lie in \(0, 1\]"):
            nudged_piece(Mixed(), test, [Setting(tau, 0.5, 0)])
    with pytest.raises(ValueError, match=r"fraction must lie in \[0, 1\]"):
        nudged_piece(Mixed(), test, [Setting(1, 1.5, 0)])


def test_the_grid_is_all_combinations():
    assert len(TWELVE) == len(set(TWELVE)) == 12 and TWELVE[0] == Setting(0.3, 0.1, 0.0)
    assert [s.tau for s in TWELVE[:3]] == [0.3, 0.6, 1.0] and len({(s.fraction, s.noise) for s in TWELVE[:3]}) == 1


def test_all_observed_without_noise_at_tau_one_is_the_truth_and_none_observed_the_free_run(field, test):
    for name in NAMES:
        model = Forecaster(network(name, field), field.scalers["test"], "cpu")
        sums, kept = nudged_piece(model, test, [Setting(1.0, 1.0, 0.0), Setting(0.7, 0.0, 0.01)], keep=ALL_DAYS)
        free = free_run(field, model, days=12)
        np.testing.assert_array_equal(kept[0], test.truth)
        np.testing.assert_array_equal(kept[1], free)
        assert rmse(sums)[0, 0] == 0 and sums[0, 1].sum() == 0  # and no cell is left unobserved
        np.testing.assert_array_equal(sums[1], np.stack([sums_of(field, free)] * 2))
        assert rmse(sums)[1, 0] > 0


def test_two_days_by_hand(test):
    setting = Setting(0.4, 0.5, 0.01)
    _, kept = nudged_piece(Mixed(), test, [setting], keep=(0, 1))
    observed = random_observations(test, setting)
    before, newest = test.window[0, -2:]
    for day in range(2):
        y, seen = observed(day)
        x_f = 0.5 * newest + 0.3 * before + 0.04
        before, newest = newest, np.where(seen, x_f + 0.4 * (y - x_f), x_f)
        np.testing.assert_allclose(kept[0, day], newest, atol=1e-6)
        assert seen.sum() == 20 and not seen[~test.valid].any()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_settings_is_one_at_a_time_to_the_last_bit(field, test, name):
    model = Forecaster(network(name, field), field.scalers["test"], "cpu")
    sums, kept = nudge_all({name: model}, test, TWELVE, keep=(0, 5, 11))
    alone = [nudged_piece(model, test, [setting], keep=(0, 5, 11)) for setting in TWELVE]
    np.testing.assert_array_equal(sums[name], np.concatenate([one[0] for one in alone]))
    np.testing.assert_array_equal(kept[name], np.concatenate([one[1] for one in alone]))
    assert sums[name].shape == (12, 2, 12, 8) and len(np.unique(rmse(sums[name])[:, 0])) == 12


def test_pieces_and_processes_change_no_bit(field, test, monkeypatch):
    models = {name: Forecaster(network(name, field), field.scalers["test"], "cpu") for name in ("LSTM", "ConvLSTM-SE")}
    sums, kept = nudge_all(models, test, TWELVE, keep=(3,))
    with monkeypatch.context() as many:
        many.setattr(nudged, "WORTH", 0)
        many.setattr("smlib.train.workers.worker_count", lambda device: 2)
        beside, kept_beside = nudge_all(models, test, TWELVE, keep=(3,), batch=5)
    for name in models:
        np.testing.assert_array_equal(beside[name], sums[name])
        np.testing.assert_array_equal(kept_beside[name], kept[name])


def test_without_feedback_a_cell_that_is_not_observed_is_the_free_runs(field, test):
    model = Forecaster(network("CNN", field), field.scalers["test"], "cpu")
    free = free_run(field, model, days=12)
    sums, kept = nudge_all({"CNN": free}, test, TWELVE, feedback=False, keep=ALL_DAYS)
    for setting, made in zip(TWELVE, kept["CNN"], strict=True):
        observed = random_observations(test, setting)
        for day in ALL_DAYS:
            y, seen = observed(day)
            np.testing.assert_array_equal(made[day][~seen], free[day][~seen])
            np.testing.assert_allclose(made[day][seen], ((1 - setting.tau) * free[day] + setting.tau * y)[seen],
                                       atol=1e-6)
    inside = nudged_piece(model, test, TWELVE, feedback=False)[0]  # with the model in place of its finished forecast
    np.testing.assert_array_equal(inside, sums["CNN"])
    unobserved = rmse(sums["CNN"])[:, 1].reshape(2, 2, 3)
    assert (unobserved == unobserved[..., :1]).all()  # tau changes nothing there


def test_feedback_changes_cells_that_are_not_observed(field, test):
    model = Forecaster(network("CNN", field), field.scalers["test"], "cpu")
    sums, _ = nudge_all({"CNN": model}, test, TWELVE)
    assert len(np.unique(rmse(sums["CNN"])[:, 1])) == 12


def masks(stretch, setting, fresh=False):
    return np.stack([random_observations(stretch, setting, fresh)(day)[1] for day in range(10)])


def test_taus_share_what_is_observed_unless_fresh_and_periods_never_do(field, test):
    some = [Setting(tau, 0.5, 0.01) for tau in (0.1, 0.2, 1.0)]
    one, *others = (masks(test, s) for s in some)
    assert all((one == other).all() for other in others)
    fresh = [masks(test, s, fresh=True) for s in some]
    assert all((a != b).any((1, 2)).all() for a, b in ((fresh[0], fresh[1]), (fresh[1], fresh[2]), (fresh[0], one)))
    validation = stretch(field, "validation", 12)
    assert (masks(validation, some[0]) != one).any((1, 2)).all()
    same = replace(validation, truth=test.truth)  # nor is the noise the same
    y, other = (random_observations(s, Setting(1, 1, 0.01))(0)[0] for s in (test, same))
    assert (y != other)[test.valid].all()
    np.testing.assert_array_equal(masks(test, some[0]), one)


def test_fresh_masks_in_a_run_are_those_of_their_tau(test):
    some = [Setting(tau, 0.5, 0.01) for tau in (0.5, 1.0)]
    sums, _ = nudged_piece(Mixed(), test, some, fresh=True)
    for setting, one in zip(some, sums, strict=True):
        alone, _ = scored_run(Mixed(), test, [random_observations(test, setting, fresh=True)],
                              Nudging(setting.tau))
        np.testing.assert_array_equal(alone[0], one)


def test_a_finished_forecast_is_given_day_by_day():
    days = np.arange(3.0)[:, None, None] * np.ones((1, 2, 2))
    finished = Finished(days)
    for day in range(3):
        np.testing.assert_array_equal(finished.forecast(np.zeros((4, 2, 2, 2))), np.full((4, 2, 2), day))


def test_only_the_days_own_observations_count_as_observed(test):
    """With `Recent`, cells seen the day before are used, but scored as not observed."""
    observed = [random_observations(test, Setting(1, 0.5, 0.0))]
    plain, recent = (scored_run(Mixed(), test, observed, Nudging(1.0), remember=remember)[0]
                     for remember in (None, lambda observe: Recent(observe, 4)))
    np.testing.assert_array_equal(plain[..., 0], recent[..., 0])
    assert (plain[0, 1, :, 0] == 19).all() and (plain[0, 0, :, 0] == 39).all()
    assert not np.array_equal(plain, recent)


def test_about_the_climatology_it_is_the_anomaly_that_stays(field, test):
    """All cells are seen on day 0, none later: the climatology plus that day's anomaly while it is remembered."""
    seen = [Observations(test.truth, lambda day: test.valid & (day == 0), 0.0)]
    _, kept = scored_run(Damped(0.0), test, seen, Nudging(1.0), about=True, remember=lambda o: Recent(o, 8),
                         keep=ALL_DAYS)
    mean = test.mean[field.lookback:]
    anomaly = test.truth[0] - mean[0]
    for day, weight in ((0, 1), (1, 1), (4, 1), (6, 0.5), (8, 0), (11, 0)):
        np.testing.assert_allclose(kept[0, day], mean[day] + weight * anomaly, atol=1e-6)


def test_what_is_missing_is_neither_observed_nor_scored():
    field = small_field(blank(blank(dataset(), "2020-03-14"), "2020-03-15", (3, 3)), gaps="hold")
    part = stretch(field, "test", 4)
    sums, kept = nudged_piece(Mixed(), part, [Setting(1.0, 1.0, 0.0)], keep=range(4))
    assert list(sums[0, 0, :, 0]) == [39, 0, 38, 39] and np.isfinite(kept[0][:, field.valid]).all()
    np.testing.assert_allclose(kept[0, 1], 0.5 * kept[0, 0] + 0.3 * part.window[0, -1] + 0.04, atol=1e-6)
    assert sums[0, 1].sum() == 0
