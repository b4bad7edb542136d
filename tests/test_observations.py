"""Patterns of observation: what they observe, and that a day depends on seed, day and setting alone."""

import numpy as np
import pytest

from smlib.assimilate.observations import (
    Observations,
    check_valid,
    gap,
    half,
    random,
    stations,
    swaths,
    together,
)


@pytest.fixture
def valid():
    valid = np.ones((12, 20), bool)
    valid[:3, :5] = valid[-1] = False
    return valid


def patterns(valid, seed=0):
    return {"random": random(valid, 0.2, seed), "stations": stations(valid, 0.02, seed), "gap": gap(valid, seed=seed),
            "thin gap": gap(valid, fraction=0.5, seed=seed)}


@pytest.mark.parametrize("fraction", [0, 0.1, 0.2, 0.5, 1])
def test_random_observes_that_fraction_of_the_valid_cells(valid, fraction):
    seen = random(valid, fraction)(3)
    assert seen.shape == valid.shape and seen.dtype == bool
    assert seen.sum() == round(fraction * valid.sum()) and not (seen & ~valid).any()


def test_random_draws_anew_each_day_and_from_all_cells(valid):
    days = np.stack([random(valid, 0.1)(day) for day in range(200)])
    assert (days[0] != days[1]).any()
    assert days.any(0)[valid].all()
    assert (days[0] & ~random(valid, 0.2)(0)).any()  # no subset of the larger fraction


def test_a_day_depends_on_seed_day_and_setting_alone(valid):
    for name, pattern in patterns(valid).items():
        once = [pattern(day) for day in range(30)]
        again = patterns(valid)[name]
        for day in (29, 4, 17):
            np.testing.assert_array_equal(again(day), once[day], err_msg=name)
        other = patterns(valid, seed=1)[name]
        assert any((other(day) != once[day]).any() for day in range(30)), name


def test_stations_stay_where_they_are(valid):
    pattern = stations(valid, 0.02)
    assert pattern(0).sum() == round(0.02 * valid.sum())
    np.testing.assert_array_equal(pattern(0), pattern(150))
    assert stations(valid, 0.0001)(0).sum() == 1  # never none


def test_swaths_are_the_passes_over_valid_cells(valid):
    passes = np.zeros((3, *valid.shape), bool)
    passes[1, :, :7] = True
    pattern = swaths(valid, passes)
    assert not pattern(0).any()
    np.testing.assert_array_equal(pattern(1), passes[1] & valid)
    for wrong in (passes[:, :-1], passes.astype(float), passes[0]):
        with pytest.raises(ValueError, match="passes must be"):
            swaths(valid, wrong)


def test_half_of_a_small_grid_by_hand():
    valid = np.array([[True, True], [True, True]])
    np.testing.assert_array_equal(half(valid, "west"), [[True, False], [True, False]])
    np.testing.assert_array_equal(half(valid, "east"), [[False, True], [False, True]])
    np.testing.assert_array_equal(half(valid, "north"), [[True, True], [False, False]])
    np.testing.assert_array_equal(half(valid, "south"), [[False, False], [True, True]])


def test_gap_hides_half_the_region_for_ten_days_in_a_row(valid):
    seen = np.stack([gap(valid, length=10, every=20)(day) for day in range(200)])
    share = (seen & valid).sum((1, 2)) / valid.sum()
    for period in range(10):
        days = slice(20 * period, 20 * period + 20)
        np.testing.assert_array_equal(share[days][:10], 1)
        np.testing.assert_allclose(share[days][10:], 0.5, atol=0.01)
        assert (seen[days][10:] == seen[days][10]).all()  # the same half
    assert len({seen[20 * period + 15].tobytes() for period in range(10)}) > 1
    thin = np.stack([gap(valid, fraction=0.4)(day) for day in range(20)])
    np.testing.assert_array_equal(thin[:10].sum((1, 2)), round(0.4 * valid.sum()))
    assert not (thin & ~seen[:20]).any()
    with pytest.raises(ValueError, match="does not fit"):
        gap(valid, length=30, every=20)


def test_observations_are_truth_plus_noise_not_below_zero(valid):
    truth = np.full((40, *valid.shape), 0.2)
    truth[:, :, 10:] = 0
    pattern = random(valid, 0.5)
    y, seen = Observations(truth, pattern)(5)
    np.testing.assert_array_equal(y[seen], truth[5][seen])
    assert np.isnan(y[~seen]).all()
    noisy = Observations(truth, pattern, noise=0.01)
    errors = np.concatenate([(noisy(day)[0] - 0.2)[:, :10].ravel() for day in range(40)])
    errors = errors[np.isfinite(errors)]
    assert abs(errors.mean()) < 1e-3 and errors.std() == pytest.approx(0.01, rel=0.05)
    clipped = np.concatenate([noisy(day)[0][:, 10:].ravel() for day in range(40)])
    assert np.nanmin(clipped) == 0 and np.nanmax(clipped) > 0
    np.testing.assert_array_equal(noisy(7)[0], Observations(truth, pattern, noise=0.01)(7)[0])
    assert (noisy(7)[0] != Observations(truth, pattern, noise=0.01, seed=1)(7)[0])[noisy(7)[1]].any()


def test_where_the_truth_is_missing_nothing_is_observed(valid):
    truth = np.full((2, *valid.shape), 0.2)
    truth[0] = np.nan
    truth[1, :, 4] = np.nan
    observe = Observations(truth, random(valid, 1), noise=0.01)
    assert not observe(0)[1].any()
    np.testing.assert_array_equal(observe(1)[1], valid & np.isfinite(truth[1]))


def test_together_stacks_members(valid):
    truth = np.full((2, *valid.shape), 0.2)
    a, b = Observations(truth, random(valid, 0.1), 0.01), Observations(truth, random(valid, 0.5))
    y, seen = together([a, b, a])(1)
    assert y.shape == seen.shape == (3, *valid.shape)
    for member, one in enumerate((a, b, a)):
        np.testing.assert_array_equal(y[member], one(1)[0])
        np.testing.assert_array_equal(seen[member], one(1)[1])


def test_bad_input_is_named(valid):
    with pytest.raises(ValueError, match="no cell of the 3 x 4 grid is valid"):
        check_valid(np.zeros((3, 4), bool))
    with pytest.raises(ValueError, match="array of bool"):
        random(valid.astype(float), 0.1)
    with pytest.raises(ValueError, match=r"fraction must lie in \[0, 1\]"):
        random(valid, 1.5)
    with pytest.raises(ValueError, match="mask is"):
        Observations(np.zeros((2, 3, 3)), random(valid, 0.5))(0)
