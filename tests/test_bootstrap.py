"""Block bootstrap: weights, the moments behind them, and the coverage of its intervals."""

import numpy as np
import pytest
import xarray as xr

from smlib.evaluate.bootstrap import block_weights, metrics_from_moments
from smlib.evaluate.metrics import METRICS


def ar1(n, phi, rng):
    e = rng.normal(size=n)
    x = np.empty(n)
    x[0] = e[0] / np.sqrt(1 - phi**2)
    for t in range(1, n):
        x[t] = phi * x[t - 1] + e[t]
    return x * np.sqrt(1 - phi**2)


def test_weights_are_whole_days_in_blocks():
    w = block_weights(365, draws=50, block=30)
    np.testing.assert_allclose(w.sum(axis=1), 1)
    counts = w * 365
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    drawn = counts[0] > 0
    assert (drawn == np.roll(drawn, 1)).mean() > 0.85, "days come with their neighbours"
    np.testing.assert_array_equal(w, block_weights(365, draws=50, block=30))


def test_every_day_is_drawn_alike_often_the_first_and_the_last_too():
    weights = block_weights(60, draws=20_000, block=10).mean(axis=0) * 60
    np.testing.assert_allclose(weights, 1, atol=0.05)


def test_a_short_record_gets_shorter_blocks():
    assert (block_weights(20, draws=500, block=30) > 0).sum(axis=1).min() < 20


def test_moments_equal_the_library_metrics():
    rng = np.random.default_rng(0)
    o = rng.normal(0.3, 0.05, (200, 3))
    f = o + rng.normal(0.01, 0.02, o.shape)
    got = metrics_from_moments(f, o, np.full((1, 200), 1 / 200), {"persistence": o + 0.03})
    fa, oa = (xr.DataArray(v, dims=("day", "lead")) for v in (f, o))
    for name, metric in METRICS.items():
        np.testing.assert_allclose(got[name][0], metric(fa, oa, "day"), rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(got["skill_persistence"][0], 1 - ((f - o) ** 2).mean(0) / 0.03**2)


def test_a_draw_equals_the_metrics_of_its_days():
    rng = np.random.default_rng(0)
    o = rng.normal(0.3, 0.05, (100, 1))
    f = o + rng.normal(0, 0.02, o.shape)
    w = block_weights(100, draws=1, block=10, seed=3)
    days = np.repeat(np.arange(100), (w[0] * 100).round().astype(int))
    fa, oa = (xr.DataArray(v[days], dims=("day", "lead")) for v in (f, o))
    got = metrics_from_moments(f, o, w)
    for name, metric in METRICS.items():
        np.testing.assert_allclose(got[name][0], metric(fa, oa, "day"), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(("block", "low", "high"), [(30, 0.86, 1.0), (1, 0.0, 0.75)])
def test_coverage_of_a_bias_of_known_size_with_correlated_errors(block, low, high):
    """Errors with a memory of days: blocks cover the true bias about as often as stated, single days far too seldom."""
    rng = np.random.default_rng(4)
    trials, hits, o = 300, 0, np.zeros((900, 1))
    for k in range(trials):
        error = 0.5 + ar1(900, 0.8, rng)
        drawn = metrics_from_moments(error[:, None], o, block_weights(900, 300, block, seed=k))["bias"][:, 0]
        a, b = np.percentile(drawn, [2.5, 97.5])
        hits += a <= 0.5 <= b
    assert low <= hits / trials <= high


def test_a_short_record_calls_an_equal_model_better_too_often():
    """Two equal models, 150 days, errors with a memory: one in ten, where 2.5 % are promised. The page says so."""
    rng, trials, better, o = np.random.default_rng(5), 400, 0, np.zeros((150, 1))
    for k in range(trials):
        ours, theirs = (ar1(150, 0.8, rng)[:, None] for _ in range(2))
        drawn = metrics_from_moments(ours, o, block_weights(150, 300, seed=k), {"persistence": theirs})
        better += np.percentile(drawn["skill_persistence"], 2.5) > 0
    assert 0.05 < better / trials < 0.15
