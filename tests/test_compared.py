"""Baselines on the interface of nudging: hand-worked cases and defined results."""

import numpy as np
import pandas as pd
import pytest

from smlib.assimilate.compared import Damped, Interpolation, climatology, lag_one, on_days
from smlib.assimilate.nudging import Nudging, roll_out


def test_damped_is_persistence_or_a_fading_anomaly():
    window = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    valid = np.ones((2, 2), bool)
    np.testing.assert_array_equal(Damped().forecast(window), window[:, -1])
    free = roll_out(Damped(0.5), window, 2, valid)
    assert free.dtype == np.float32
    np.testing.assert_allclose(free[1, 0], window[0, -1] / 4)


def test_climatology_of_two_years_by_hand():
    """Half width 0: the mean of the two years' values; 1: of the neighbours too, 1 January's including 31 December."""
    time = pd.date_range("2017-01-01", "2018-12-31")
    fields = np.zeros((730, 1, 2))
    fields[0], fields[365], fields[364] = 0.1, 0.3, 0.4
    fields[:, 0, 1] = np.nan
    mean = climatology(fields, time, half_width=0)
    assert mean.shape == (366, 1, 2) and np.isnan(mean[:, 0, 1]).all()
    np.testing.assert_allclose(mean[[0, 1, 364], 0, 0], [0.2, 0, 0.2])
    assert np.isnan(mean[365, 0, 0])  # no leap year in training: no climatology of its last day
    # Over day 365 and the (empty) day 366 the window reaches 31 December with half a width of 2.
    np.testing.assert_allclose(climatology(fields, time, half_width=2)[0, 0, 0], (0.1 + 0.3 + 0.4) / 8)
    np.testing.assert_allclose(on_days(mean, ["2021-01-01", "2021-01-02"])[:, 0, 0], [0.2, 0])


def test_climatology_and_nudging_by_hand():
    """About a climatology of 0.2 then 0.3; the cell on the left is seen at 0.4 on both days, tau = 0.5."""
    valid = np.ones((1, 2), bool)
    about = np.array([0.1, 0.2, 0.3])[:, None, None] * np.ones((1, 2))
    seen = np.array([[True, False]])
    x_a = roll_out(Damped(0), np.full((1, 1, 1, 2), 0.5), 2, valid, lambda day: (np.full((1, 2), 0.4), seen),
                   Nudging(0.5), about=about)
    np.testing.assert_allclose(x_a[:, 0, 0], [[0.3, 0.2], [0.35, 0.3]])
    # With memory: on the left the anomaly 0.1 of day 0 is 0.08 on day 1, then half of the way to 0.1.
    x_a = roll_out(Damped(0.8), about[None, :1], 2, valid, lambda day: (np.full((1, 2), 0.4), seen),
                   Nudging(0.5), about=about)
    np.testing.assert_allclose(x_a[:, 0, 0], [[0.3, 0.2], [0.39, 0.3]])


def test_lag_one_is_the_coefficient_of_the_process():
    rng = np.random.default_rng(0)
    a = np.zeros((4000, 2, 2))
    for day in range(1, 4000):
        a[day] = 0.9 * a[day - 1] + rng.normal(0, 0.01, (2, 2))
    time = pd.date_range("2000-01-01", periods=4000)
    a[::7, 0, 0] = np.nan
    assert lag_one(a, time) == pytest.approx(0.9, abs=0.01)
    # Days that are not neighbours do not count: by hand, 0.2 0.1 then a gap.
    field = np.array([0.1, 0.2, 9.0])[:, None, None]
    assert lag_one(field, pd.to_datetime(["2000-01-01", "2000-01-02", "2000-01-05"])) == pytest.approx(2)
    with pytest.raises(ValueError, match="no two neighbouring days"):
        lag_one(field[:2], pd.to_datetime(["2000-01-01", "2000-01-05"]))


def test_interpolation_is_exact_on_a_plane_and_nearest_outside_the_hull():
    valid = np.ones((5, 7), bool)
    valid[2, 3] = False
    plane = 0.1 + 0.01 * np.add.outer(np.arange(5), 2 * np.arange(7))
    observed = np.zeros_like(valid)
    observed[[0, 0, 4, 4], [0, 4, 0, 4]] = True
    x_a = Interpolation(valid)(np.full((1, 5, 7), 0.9), np.where(observed, plane, np.nan), observed)[0]
    inside = valid & (np.arange(7) <= 4)
    np.testing.assert_allclose(x_a[inside], plane[inside])
    np.testing.assert_allclose(x_a[[0, 4], 6], plane[[0, 4], 4])
    assert x_a[2, 3] == 0.9  # no valid cell: not touched


@pytest.mark.parametrize("cells", [[(0, 0)], [(0, 0), (2, 3)], [(0, 0), (0, 1), (0, 3)]])
def test_too_few_observations_for_a_triangle_give_the_nearest(cells):
    observed = np.zeros((3, 4), bool)
    observed[tuple(zip(*cells, strict=True))] = True
    y = np.where(observed, np.arange(12.0).reshape(3, 4), np.nan)
    x_a = Interpolation(np.ones((3, 4), bool))(np.full((1, 3, 4), 99.0), y, observed)[0]
    assert set(np.unique(x_a)) == set(y[observed])
    np.testing.assert_array_equal(x_a[observed], y[observed])


def test_interpolation_without_observations_is_the_background_and_members_are_apart():
    valid = np.ones((4, 4), bool)
    rng = np.random.default_rng(0)
    x_f, y = rng.random((4, 4, 4)), rng.random((4, 4, 4))
    observed = rng.random((4, 4, 4)) < 0.5
    observed[1], observed[3] = False, observed[0]  # the last shares the first one's triangles
    analyse = Interpolation(valid)
    x_a = analyse(x_f, y, observed)
    np.testing.assert_array_equal(x_a[1], x_f[1])
    for member in range(4):
        np.testing.assert_array_equal(analyse(*(v[member:member + 1] for v in (x_f, y, observed)))[0], x_a[member])
