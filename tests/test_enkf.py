"""The ensemble filter against the Kalman equations, and its localisation."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from smlib.assimilate.compared import Damped
from smlib.assimilate.enkf import EnKF, ModelError, ensemble_mean, gaspari_cohn, initial_ensemble
from smlib.assimilate.nudging import positions, roll_out
from smlib.assimilate.optimal import Covariance

VALID = np.array([[True, True, True, False], [True, True, True, True]])
B = Covariance(0.04**2, 2.0)(cdist(positions(VALID), positions(VALID)))
NOISE = 0.02


def ensemble(size, seed=0):
    drawn = np.full((size, *VALID.shape), np.nan)
    noise = np.random.default_rng(seed).normal(size=(size, VALID.sum()))
    drawn[:, VALID] = 0.25 + noise @ np.linalg.cholesky(B).T
    return drawn


def observations():
    observed = np.array([[True, False, True, False], [False, False, False, True]])
    return np.where(observed, 0.3, np.nan), observed


def kalman(mean, P):
    """Analysis mean and covariance of the Kalman filter."""
    y, observed = observations()
    H = np.eye(len(mean))[observed[VALID]]
    K = P @ H.T @ np.linalg.inv(H @ P @ H.T + NOISE**2 * np.eye(len(H)))
    return mean + K @ (y[observed] - H @ mean), P - K @ H @ P


def test_without_localisation_it_is_the_kalman_analysis_of_the_ensembles_own_covariance():
    x_f = ensemble(12)
    x_a = EnKF(12, VALID, NOISE)(x_f, *observations())
    mean, P = kalman(x_f[:, VALID].mean(0), np.cov(x_f[:, VALID].T))
    np.testing.assert_allclose(x_a[:, VALID].mean(0), mean, rtol=1e-9)
    np.testing.assert_allclose(np.cov(x_a[:, VALID].T), P, atol=1e-12)
    assert np.isnan(x_a[:, ~VALID]).all()


def test_two_cells_by_hand():
    """Members 0 and 2 on both cells, the left one seen at 3 with noise 1: P = 2 everywhere, K = P / (P + 1) = 2 / 3.

    The mean 1 moves by 2 (2 / 3); P becomes (1 - K) P, so the deviations shrink by a factor sqrt(1 / 3).
    """
    x_f = np.array([[[0.0, 0.0]], [[2.0, 2.0]]])
    x_a = EnKF(2, np.ones((1, 2), bool), 1)(x_f, np.array([[3, np.nan]]), np.array([[True, False]]))
    np.testing.assert_allclose(x_a, 7 / 3 + np.array([-1, 1])[:, None, None] * np.sqrt([[1 / 3, 1 / 3]]), rtol=1e-12)


def test_many_members_tend_to_the_kalman_analysis_of_the_true_covariance():
    mean, P = kalman(np.full(VALID.sum(), 0.25), B)
    gaps = []
    for size in (20, 200):
        x_a = np.stack([EnKF(size, VALID, NOISE)(ensemble(size, seed), *observations()) for seed in range(3)])
        gaps.append(np.abs(x_a[..., VALID].mean(1) - mean).mean())
    assert gaps[1] < 0.5 * gaps[0] and gaps[1] < 0.004
    np.testing.assert_allclose(np.cov(x_a[0][:, VALID].T), P, atol=0.25 * 0.04**2)


def test_gaspari_cohn():
    """1, 5/24 and 0 at none, one and two radii; smooth and falling between."""
    np.testing.assert_allclose(gaspari_cohn(np.array([0, 3, 6, 9]), 3), [1, 5 / 24, 0, 0], atol=1e-12)
    values = gaspari_cohn(np.linspace(0, 2, 2001), 1)
    assert (np.diff(values) <= 0).all() and np.abs(np.diff(values, 2)).max() < 1e-5
    np.testing.assert_array_equal(gaspari_cohn(np.arange(3), np.inf), 1)


def test_localisation_leaves_far_cells_alone_and_weakens_near_ones():
    valid = np.ones((1, 12), bool)
    x_f = 0.2 + 0.02 * np.random.default_rng(0).normal(size=(8, 1, 1)) * np.ones((8, 1, 12))  # wholly correlated
    observed = np.zeros((1, 12), bool)
    observed[0, 0] = True
    x_a = EnKF(8, valid, NOISE, radius=2)(x_f, np.where(observed, 0.3, np.nan), observed)
    moved = np.abs((x_a - x_f).mean(0)[0])
    np.testing.assert_array_equal(x_a[:, :, 4:], x_f[:, :, 4:])
    assert (np.diff(moved[:5]) < 0).all() and moved[0] > 0


def test_inflation_trusts_observations_more():
    plain, inflated = (EnKF(12, VALID, NOISE, inflation=f)(ensemble(12), *observations()).mean(0) for f in (1, 2))
    observed = observations()[1]
    assert (np.abs(inflated - 0.3) < np.abs(plain - 0.3))[observed].all()


def test_ensembles_side_by_side_equal_one_at_a_time_to_the_bit_each_with_its_noise():
    x_f = np.concatenate([ensemble(6, seed) for seed in range(4)])
    y, observed = (np.repeat(v[None], 24, axis=0) for v in observations())
    observed[6:12] = False
    observed[18:, 0, 0] = False  # a mask of its own
    noise = [0.01, 0.01, 0.03, 0.01]
    x_a = EnKF(6, VALID, noise, radius=1.5)(x_f, y, observed)
    np.testing.assert_array_equal(x_a[6:12], x_f[6:12])  # nothing observed: the background
    for setting, own in enumerate(noise):
        part = slice(6 * setting, 6 * setting + 6)
        alone = EnKF(6, VALID, own, radius=1.5)(x_f[part], y[part], observed[part])
        np.testing.assert_array_equal(alone, x_a[part])


def test_an_ensemble_rolls_out():
    rng = np.random.default_rng(0)
    window, anomalies = np.full((3, 2, 4), 0.25), 0.03 * rng.normal(size=(40, 2, 4))
    anomalies[5, 0, 0] = np.nan
    start = initial_ensemble(window, anomalies, 10, scale=0.5)
    assert start.shape == (10, 3, 2, 4)
    np.testing.assert_allclose(start.mean(0), window)
    x_a = roll_out(Damped(1), start, 3, VALID, lambda day: observations(), EnKF(10, VALID, NOISE))
    mean = ensemble_mean(x_a, 10)
    assert mean.shape == (3, 1, 2, 4)
    observed = observations()[1]
    error = np.abs(mean[:, 0] - 0.3)[:, observed].mean(1)
    assert (np.diff(error) < 0).all() and error[0] < 0.05
    with pytest.raises(ValueError, match="too few for 50 members"):
        initial_ensemble(window, anomalies, 50)


def test_model_error_keeps_the_spread_and_is_the_same_for_all_settings():
    residuals = 0.02 * np.random.default_rng(0).normal(size=(60, 2, 4))
    residuals[:, ~VALID] = np.nan
    start = initial_ensemble(np.where(VALID, np.full((3, 1, 1), 0.25), np.nan), residuals, 10)

    def run(settings, **error):
        model = ModelError(Damped(1), residuals, 10, VALID, **error)
        return roll_out(model, np.tile(start, (settings, 1, 1, 1)), 8, VALID, lambda day: observations(),
                        EnKF(10, VALID, NOISE))

    kept, lost = run(1), run(1, scale=0)
    observed = observations()[1]
    assert kept[-1][:, observed].std(0).mean() > 1.5 * lost[-1][:, observed].std(0).mean()
    both = run(2)
    np.testing.assert_array_equal(both[:, :10], kept)
    np.testing.assert_array_equal(both[:, 10:], kept)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="no whole number of ensembles of 4"):
        EnKF(4, VALID, NOISE)(ensemble(6), *observations())
    with pytest.raises(ValueError, match="2 or more"):
        EnKF(1, VALID, 0.1)
    for noise in (0, [0.1, 0]):
        with pytest.raises(ValueError, match="noise above 0"):
            EnKF(6, VALID, noise)
    with pytest.raises(ValueError, match="one for each of 1 ensembles"):
        EnKF(6, VALID, [0.1, 0.2])(ensemble(6), *observations())
