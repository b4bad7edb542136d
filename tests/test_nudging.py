"""Roll-outs and nudging: cases worked by hand, limits, batches, and the gain of spreading."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from smlib.assimilate.compared import Damped
from smlib.assimilate.nudging import (
    WEIGHTS,
    Nudging,
    Recent,
    SpreadNudging,
    correct,
    cressman,
    cycle,
    gaussian,
    nudge,
    roll_out,
    w_t,
)
from smlib.assimilate.observations import Observations, random, together

DAYS = 12


class Mixing:
    """A forecast that mixes neighbours and days, so that errors spread and drift."""

    def forecast(self, window):
        x = 0.7 * window[:, -1] + 0.25 * window[:, 0]
        return x + 0.03 * np.roll(x, 1, axis=2) + 0.01


@pytest.fixture
def world():
    """Truth (day, y, x) smooth in space and time, a window (1, lookback, y, x) before it, and valid cells."""
    rng = np.random.default_rng(1)
    fields = gaussian_filter(rng.normal(size=(3 + DAYS, 16, 24)), (2, 3, 3))
    fields = 0.25 + 0.05 * fields / fields.std()
    valid = np.ones((16, 24), bool)
    valid[:4, :6] = False
    fields[:, ~valid] = np.nan
    return fields[3:], fields[None, :3], valid


def rmse(x_a, truth, where):
    return np.sqrt(np.mean((x_a - truth[:, None])[np.broadcast_to(where, x_a.shape)] ** 2))


def test_two_days_of_two_by_two_cells_by_hand():
    """Persistence from 0.1; on day 0 the first row is seen at 0.3, on day 1 the last cell at 0.2; tau = 0.5."""
    valid, window = np.ones((2, 2), bool), np.full((1, 2, 2, 2), 0.1)
    days = [(np.array([[0.3, 0.3], [9, 9]]), np.array([[True, True], [False, False]])),
            (np.array([[9, 9], [9, 0.2]]), np.array([[False, False], [False, True]]))]
    fed = roll_out(Damped(1), window, 2, valid, lambda day: days[day], Nudging(0.5), feedback=True)
    np.testing.assert_allclose(fed[:, 0], [[[0.2, 0.2], [0.1, 0.1]], [[0.2, 0.2], [0.1, 0.15]]])
    finished = roll_out(Damped(1), window, 2, valid, lambda day: days[day], Nudging(0.5), feedback=False)
    np.testing.assert_allclose(finished[:, 0], [[[0.2, 0.2], [0.1, 0.1]], [[0.1, 0.1], [0.1, 0.15]]])


def test_the_window_moves_on_by_the_analysis(world):
    """The model is asked for day 2 with the last two of: window, analysis of day 0, analysis of day 1."""
    truth, window, valid = world
    asked = []

    class Spy(Mixing):
        def forecast(self, window):
            asked.append(window)
            return super().forecast(window)

    x_a = roll_out(Spy(), window, 3, valid, together([Observations(truth, random(valid, 0.3))]), Nudging(0.5))
    np.testing.assert_array_equal(asked[2][0, 0][valid], window[0, 2][valid])
    np.testing.assert_array_equal(asked[2][0, 1:][:, valid], x_a[:2, 0][:, valid])
    assert all((one[:, :, ~valid] == 0).all() for one in asked)  # a NaN never enters
    assert np.isnan(x_a[..., ~valid]).all() and np.isfinite(x_a[..., valid]).all()


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_truth_at_one_end_the_free_run_at_the_other(world, feedback, dtype):
    truth, window, valid = world
    truth, window = truth.astype(dtype), window.astype(dtype)
    free = roll_out(Mixing(), window, DAYS, valid)
    assert free.dtype == dtype and free.shape == (DAYS, 1, *valid.shape)
    everything, nothing = (together([Observations(truth, random(valid, part))]) for part in (1, 0))
    x_a = roll_out(Mixing(), window, DAYS, valid, everything, Nudging(1), feedback)
    np.testing.assert_array_equal(x_a[:, 0], truth)
    for analyse in (Nudging(0.6), SpreadNudging(0.6, valid, 3)):
        np.testing.assert_array_equal(roll_out(Mixing(), window, DAYS, valid, nothing, analyse, feedback), free)


def settings(truth, valid):
    """tau and observations of 8 members."""
    made = [Observations(truth, random(valid, part), noise) for part in (0.1, 0.5) for noise in (0.0, 0.01)]
    return [(tau, one) for tau in (0.3, 1.0) for one in made]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("kind", ["plain", "cressman", "gaussian", "recent"])
def test_a_batch_equals_one_at_a_time_to_the_bit(world, kind, feedback, dtype):
    truth, window, valid = world

    def run(taus, observations):
        tau, observe = np.array(taus), together(observations)
        observe = Recent(observe, 3) if kind == "recent" else observe
        analyse = Nudging(tau) if kind == "plain" else SpreadNudging(
            tau, valid, 3, weight="cressman" if kind == "recent" else kind)
        windows = np.repeat(window, len(taus), axis=0).astype(dtype)
        return roll_out(Mixing(), windows, DAYS, valid, observe, analyse, feedback)

    members = settings(truth, valid)
    batched = run(*zip(*members, strict=True))
    for member, (tau, one) in enumerate(members):
        np.testing.assert_array_equal(batched[:, member], run([tau], [one])[:, 0])


def test_without_feedback_one_free_run_serves_all_settings(world):
    truth, window, valid = world
    tau, members = zip(*settings(truth, valid), strict=True)
    analyse, observe = Nudging(np.array(tau)), together(members)
    whole = roll_out(Mixing(), np.repeat(window, len(tau), axis=0), DAYS, valid, observe, analyse, feedback=False)
    free = roll_out(Mixing(), window, DAYS, valid)
    np.testing.assert_array_equal(correct(free, valid, observe, analyse), whole)
    forecasts = np.stack([x_f for x_f, _ in cycle(Mixing(), window, DAYS, valid)])
    np.testing.assert_array_equal(forecasts, free)


def test_about_a_climatology_the_model_sees_anomalies(world):
    truth, window, valid = world
    about = np.concatenate([window[0], truth])
    x = roll_out(Damped(0), window, DAYS, valid, about=about)
    np.testing.assert_array_equal(x[:, 0], truth)  # anomaly 0: the climatology itself
    x = roll_out(Damped(0.5), window + 0.08, 3, valid, about=about[:6])
    np.testing.assert_allclose((x[:, 0] - truth[:3])[:, valid], np.array([0.04, 0.02, 0.01])[:, None].repeat(
        valid.sum(), 1), rtol=1e-6)
    # Nudging looks at y - x_f alone, so for a forecast that is linear nothing else changes.
    observe = together([Observations(truth, random(valid, 0.3))])
    constant = np.full_like(about, 0.1)
    np.testing.assert_allclose(roll_out(Damped(1), window, DAYS, valid, observe, Nudging(0.5), about=constant),
                               roll_out(Damped(1), window, DAYS, valid, observe, Nudging(0.5)), rtol=1e-12)


def test_tau_per_member_and_weights():
    x_f, y = np.zeros((3, 1, 2)), np.ones((1, 2))
    x_a = nudge(x_f, y, np.array([[1.0, 0.5]]), np.array([0.1, 0.5, 1.0]))
    np.testing.assert_allclose(x_a[:, 0], [[0.1, 0.05], [0.5, 0.25], [1, 0.5]])


def test_spread_increments_by_hand():
    """Five cells in a row, seen are 0 (innovation 0.1) and 4 (0.2), radius 3; W(0) = 1, W(1) = 0.8, W(2) = 5/13."""
    x_f, y = np.full((1, 1, 5), 0.2), np.array([[[0.3, np.nan, np.nan, np.nan, 0.4]]])
    x_a = SpreadNudging(0.5, np.ones((1, 5), bool), 3)(x_f, y, np.isfinite(y))
    w = 5 / 13
    np.testing.assert_allclose(x_a[0, 0] - 0.2, 0.5 * np.array([0.1, 0.08, w * 0.15, 0.16, 0.2]))
    # Half the weight in time: W = 0.5 at the cell itself, 0.4 beside it.
    x_a = SpreadNudging(0.5, np.ones((1, 5), bool), 2)(x_f, y, 0.5 * np.isfinite(y))
    np.testing.assert_allclose(x_a[0, 0] - 0.2, 0.25 * np.array([0.1, 0.06, 0, 0.12, 0.2]))


def test_spreading_stays_within_valid_cells_and_minds_the_spacing():
    valid = np.array([[True, True, False, True], [True, True, True, True]])
    x_f = np.where(valid, 0.2, np.nan)[None]
    observed = np.zeros(valid.shape, bool)
    observed[0, 0] = True
    x_a = SpreadNudging(1, valid, 2.5, spacing=(2, 1))(x_f, np.where(observed, 0.3, np.nan), observed)[0]
    assert np.isnan(x_a[~valid]).all()
    np.testing.assert_allclose(x_a[0, [0, 1, 3]] - 0.2, [0.1, 0.1 * cressman(1, 2.5), 0], atol=1e-12)
    np.testing.assert_allclose(x_a[1, :2] - 0.2, [0.1 * cressman(2, 2.5), 0.1 * cressman(5**0.5, 2.5)], atol=1e-12)


def test_weights():
    assert cressman(0, 3) == gaussian(0, 3) == 1
    assert cressman(3, 3) == gaussian(3, 3) == 0
    assert gaussian(1, 3) == pytest.approx(np.exp(-0.5))
    np.testing.assert_allclose([w_t(age, 4) for age in range(6)], [1, 1, 1, 0.5, 0, 0])


def test_recent_keeps_the_latest_observation_of_each_cell():
    y = np.array([[0.1, 0.2], [0.3, np.nan], [np.nan, np.nan], [np.nan, np.nan], [np.nan, np.nan]])[:, None, None]
    recent = Recent(lambda day: (y[day], np.isfinite(y[day])), span=4)
    np.testing.assert_array_equal(recent(0)[0][0, 0], [0.1, 0.2])
    np.testing.assert_array_equal([recent(day)[1][0, 0] for day in range(5)], [[1, 1], [1, 1], [1, 1], [1, 0.5],
                                                                               [0.5, 0]])
    np.testing.assert_array_equal(recent(3)[0][0, 0], [0.3, 0.2])
    with pytest.raises(ValueError, match="span"):
        Recent(None, 0)


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_spreading_lowers_the_error_where_nothing_was_observed(world, fraction, weight, feedback):
    truth, window, valid = world
    observe = together([Observations(truth, random(valid, fraction))])
    unseen = np.stack([valid & ~observe(day)[1] for day in range(DAYS)])
    plain, spread = (rmse(roll_out(Mixing(), window, DAYS, valid, observe, analyse, feedback), truth, unseen)
                     for analyse in (Nudging(1), SpreadNudging(1, valid, 5, weight=weight)))
    assert spread < 0.9 * plain


@pytest.mark.parametrize("analyse", [Nudging(1), SpreadNudging(1, np.ones((2, 2), bool), 2)])
def test_a_day_without_any_observation_leaves_the_background(analyse):
    x_f = np.full((1, 2, 2), 0.2)
    np.testing.assert_array_equal(analyse(x_f, np.full((2, 2), np.nan), np.ones((2, 2), bool)), x_f)
    np.testing.assert_array_equal(analyse(x_f, np.full((2, 2), 0.3), np.zeros((2, 2), bool)), x_f)


@pytest.mark.parametrize("tau", [0, -0.1, 1.01, np.nan, [0.5, 0]])
def test_tau_outside_its_range_is_an_error(tau):
    x_f = np.zeros((2, 2, 2))
    for analyse in (Nudging(tau), SpreadNudging(tau, np.ones((2, 2), bool), 2)):
        with pytest.raises(ValueError, match=r"tau must lie in \(0, 1\]"):
            analyse(x_f, x_f, x_f > 1)


def test_bad_input_is_named(world):
    truth, window, valid = world
    x_f = np.zeros((2, 3, 3))
    with pytest.raises(ValueError, match="one for each of 2 members"):
        nudge(x_f, x_f, x_f == 0, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="observed is"):
        nudge(x_f, x_f, np.ones((3, 2), bool), 0.5)
    with pytest.raises(ValueError, match="observation is"):
        nudge(x_f, x_f[:1], x_f == 0, 0.5)
    with pytest.raises(ValueError, match="weights from 0 to 1"):
        nudge(x_f, x_f, x_f + 2, 0.5)
    with pytest.raises(ValueError, match="no cell of the 16 x 24 grid is valid"):
        roll_out(Damped(1), window, 2, np.zeros_like(valid))
    with pytest.raises(ValueError, match="window must be"):
        roll_out(Damped(1), window[0], 2, valid)
    with pytest.raises(ValueError, match="window misses values"):
        roll_out(Damped(1), window, 2, np.ones_like(valid))
    with pytest.raises(ValueError, match="about must be"):
        roll_out(Damped(1), window, 2, valid, about=truth)
    with pytest.raises(ValueError, match="climatology misses values"):
        roll_out(Damped(1), window, 2, valid, about=np.full((5, *valid.shape), np.nan))
    with pytest.raises(ValueError, match="weight must be one of cressman, gaussian"):
        SpreadNudging(1, valid, 3, weight="barnes")
    with pytest.raises(ValueError, match="radius must be positive"):
        SpreadNudging(1, valid, 0)
