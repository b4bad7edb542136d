"""Optimal interpolation against the Gaussian conditional mean, and the covariance against a known one."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from smlib.assimilate.nudging import positions
from smlib.assimilate.optimal import (
    CORRELATIONS,
    Covariance,
    GriddedCovariance,
    Kriging,
    OptimalInterpolation,
    fit_covariance,
)


@pytest.fixture
def valid():
    valid = np.ones((6, 8), bool)
    valid[0, :3] = False
    return valid


def test_two_cells_by_hand():
    """Variance 4, correlation exp(-1) next door, noise variance 4, innovation 1: increments 1/2 and exp(-1)/2."""
    analyse = OptimalInterpolation(Covariance(4, 1), np.ones((1, 2), bool), noise=2)
    x_a = analyse(np.zeros((1, 1, 2)), np.array([[[1, np.nan]]]), np.array([[[True, False]]]))
    np.testing.assert_allclose(x_a[0, 0], [0.5, 0.5 * np.exp(-1)], rtol=1e-6)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (5.5, 4.4)])
@pytest.mark.parametrize("shape", CORRELATIONS)
def test_the_table_of_offsets_is_the_covariance_of_all_distances(valid, shape, spacing):
    covariance = Covariance(0.04**2, 3.0, 0.01**2, shape)
    places = positions(valid, spacing)
    B, gridded = covariance(cdist(places, places)), GriddedCovariance(covariance, valid, spacing)
    every = np.arange(len(places))
    np.testing.assert_allclose(gridded.between(every[:, None], every), B, rtol=1e-12)
    w, some = np.random.default_rng(0).normal(size=20), every[3:43:2]
    np.testing.assert_allclose(gridded.times(w, some), B[:, some] @ w, atol=1e-15)


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("shape", CORRELATIONS)
def test_it_is_the_conditional_mean_of_a_gaussian(valid, shape, noise):
    """Against the conditional mean from the joint precision matrix, which shares no formula with it."""
    covariance = Covariance(0.04**2, 3.0, 0.01**2, shape)
    rng = np.random.default_rng(0)
    x_f = np.where(valid, 0.2 + 0.05 * rng.random((1, 6, 8)), np.nan)
    y, observed = 0.2 + 0.05 * rng.random((1, 6, 8)), (rng.random((1, 6, 8)) < 0.3) & valid
    places = positions(valid, (2, 1))
    B, seen = covariance(cdist(places, places)), observed[0][valid]
    H = np.eye(len(places))[seen]
    R = max(noise, 1e-6) ** 2
    precision = np.linalg.inv(B) + H.T @ H / R
    want = x_f[0][valid] + np.linalg.solve(precision, H.T @ (y - x_f)[0][valid][seen] / R)
    for nearest in (None, 100):
        analyse = OptimalInterpolation(covariance, valid, noise, spacing=(2, 1), nearest=nearest)
        x_a = analyse(x_f, np.where(observed, y, np.nan), observed)[0]
        np.testing.assert_allclose(x_a[valid], want, atol=1e-6)
        assert np.isnan(x_a[~valid]).all()
    if noise == 0:
        np.testing.assert_allclose(x_a[observed[0]], y[observed], atol=1e-6)


def test_the_nearest_observations_come_close_to_all_of_them():
    valid, covariance = np.ones((20, 20), bool), Covariance(0.04**2, 6.0)
    rng = np.random.default_rng(0)
    B = covariance(cdist(positions(valid), positions(valid)))
    truth = (np.linalg.cholesky(B) @ rng.normal(size=400)).reshape(1, 20, 20)
    observed = rng.random((1, 20, 20)) < 0.3
    few, every = (OptimalInterpolation(covariance, valid, 0.01, nearest=n)(np.zeros((1, 20, 20)), truth, observed)
                  for n in (24, None))
    assert np.sqrt(np.mean((few - every) ** 2)) < 0.1 * np.sqrt(np.mean((every - truth) ** 2))


@pytest.mark.parametrize("shape", CORRELATIONS)
def test_the_fit_finds_the_covariance_that_made_the_fields(shape):
    valid = np.ones((14, 14), bool)
    valid[0, 0] = False
    made = Covariance(0.03**2, 2.0, 0.01**2, shape)
    places = positions(valid)
    root = np.linalg.cholesky(made(cdist(places, places)))
    fields = np.full((3000, 14, 14), np.nan)
    fields[:, valid] = np.random.default_rng(0).normal(size=(3000, len(places))) @ root.T
    fields[::3, 5:9] = np.nan
    found = fit_covariance(fields, valid, shape=shape)
    assert found.length == pytest.approx(2.0, rel=0.15)
    assert found.variance == pytest.approx(0.03**2, rel=0.1)
    assert found.nugget == pytest.approx(0.01**2, abs=0.6 * 0.01**2)
    with pytest.raises(ValueError, match="too few pairs"):
        fit_covariance(fields[:, :1, :3], valid[:1, :3], shape=shape)


def test_kriging_reads_no_background(valid):
    rng = np.random.default_rng(0)
    observed = (rng.random((2, 6, 8)) < 0.4) & valid
    y = np.where(observed, 0.2 + 0.1 * rng.random((2, 6, 8)), np.nan)
    analyse = Kriging(Covariance(0.03**2, 2), valid, 0.0)
    one, other = (analyse(np.full((2, 6, 8), value), y, observed) for value in (0.1, 0.5))
    np.testing.assert_allclose(one[:, valid], other[:, valid], atol=1e-12)
    np.testing.assert_allclose(one[observed], y[observed], atol=1e-8)
    far = Kriging(Covariance(0.03**2, 1e-3), valid, 0.0)(np.zeros((2, 6, 8)), y, observed)
    np.testing.assert_allclose(far[0][valid & ~observed[0]], np.nanmean(y[0]))


@pytest.fixture
def batch(valid):
    """Six members, (x_f, y, observed): two masks, of which one is shared by four; the last sees nothing."""
    rng = np.random.default_rng(0)
    x_f, y = rng.random((6, 6, 8)).astype(np.float32), rng.random((6, 6, 8))
    observed = np.where(np.array([0, 0, 1, 0, 0, 1])[:, None, None], *((rng.random((6, 8)) < f) & valid
                                                                        for f in (0.4, 0.8)))
    observed[5] = False
    return x_f, y, observed


@pytest.mark.parametrize("nearest", [None, 8])
@pytest.mark.parametrize("kind", [OptimalInterpolation, Kriging])
def test_members_of_a_batch_equal_one_at_a_time_to_the_bit_whatever_they_share(valid, batch, kind, nearest):
    noise, covariance = [0.0, 0.01, 0.01, 0.01, 0.0, 0.01], Covariance(0.03**2, 2)
    x_a = kind(covariance, valid, noise, nearest=nearest)(*batch)
    assert x_a.dtype == np.float32
    np.testing.assert_array_equal(x_a[5], batch[0][5])  # nothing observed: the background
    assert not np.array_equal(x_a[0], batch[0][0])
    for member, own in enumerate(noise):
        alone = kind(covariance, valid, own, nearest=nearest)(*(v[member:member + 1] for v in batch))
        np.testing.assert_array_equal(alone[0], x_a[member])
    order = [4, 2, 0, 5, 3, 1]
    shuffled = kind(covariance, valid, np.array(noise)[order], nearest=nearest)(*(v[order] for v in batch))
    np.testing.assert_array_equal(shuffled, x_a[order])


def test_threads_change_nothing():
    """1000 observations: enough for a library of linear algebra to share the work out, and to round otherwise."""
    rng = np.random.default_rng(0)
    x_f, y = rng.random((2, 1, 40, 50))
    observed = rng.random((40, 50)) < 0.5
    analyse = OptimalInterpolation(Covariance(0.03**2, 5), np.ones((40, 50), bool), 0.01)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(analyse(x_f, y, observed))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("noise, message", [([0.1, 0.2], "one for each of 6 members"), (-0.1, "0 or more"),
                                            (np.nan, "0 or more")])
def test_bad_noise_is_named(valid, batch, noise, message):
    with pytest.raises(ValueError, match=message):
        OptimalInterpolation(Covariance(1, 1), valid, noise)(*batch)
