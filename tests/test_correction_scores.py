"""Scores of cells and days: the library's figures on the pairs, weights by hand, and the coverage of the intervals."""

import numpy as np
import pytest
import xarray as xr
from scipy.signal import lfilter

from smlib.correction.scores import METRICS, by_cell, compare, resampling, score
from smlib.data.schema import DataError
from smlib.evaluate import metrics

LIBRARY = {"R": metrics.pearson_r, "MAE": metrics.mae, "RMSE": metrics.rmse, "ubRMSE": metrics.ubrmse,
           "bias": metrics.bias}


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    o = 0.25 + 0.05 * rng.normal(size=(6, 200))
    f = o + 0.02 + 0.03 * rng.normal(size=o.shape)
    f[rng.random(f.shape) < 0.3], o[rng.random(f.shape) < 0.3] = np.nan, np.nan
    f[2], o[:, 150:160] = np.nan, np.nan  # a cell and days without any pair
    return f, o


def against_library(f, o):
    both = np.isfinite(f) & np.isfinite(o)
    fa, oa = (xr.DataArray(v[both], dims="pair") for v in (f, o))
    return {name: float(metric(fa, oa, "pair")) for name, metric in LIBRARY.items()}, both.sum()


def test_values_equal_the_library_metrics_of_all_pairs(pairs):
    found = score(*pairs, draws=20)
    expected, n = against_library(*pairs)
    for name in METRICS:
        assert found[name][0] == pytest.approx(expected[name], rel=1e-9)
    assert found["n"][0] == n
    assert found["RMSE"][0] ** 2 == pytest.approx(found["ubRMSE"][0] ** 2 + found["bias"][0] ** 2, rel=1e-9)
    assert all(low < value < high for value, low, high in (found[name] for name in METRICS))


def test_a_draw_equals_the_metrics_of_its_cells_and_days(pairs):
    some = np.isfinite(pairs).all(0).any(0)  # `score` leaves out days and cells without a pair
    f, o = (a[[0, 1, 3, 4, 5]][:, some] for a in pairs)
    n = some.sum()
    of_cells, of_days = resampling(5, n, 1, 7)
    cells = np.repeat(np.arange(5), (of_cells[0] * 5).round().astype(int))
    days = np.repeat(np.arange(n), (of_days[0] * n).round().astype(int))
    expected, _ = against_library(f[np.ix_(cells, days)], o[np.ix_(cells, days)])
    found = score(*pairs, draws=1, seed=7)
    for name in METRICS:
        np.testing.assert_allclose(found[name][1:], expected[name], rtol=1e-9)  # of one draw, both ends are it


def test_by_cell_equals_the_library_and_leaves_out_short_records(pairs):
    f, o = pairs
    o[4, 20:] = np.nan
    table = by_cell(f, o)
    assert list(table["cell"]) == [0, 1, 3, 5]
    assert list(table.columns) == ["cell", "n", "r", "mae", "rmse", "ubrmse", "bias"]
    for row in table.itertuples():
        expected, n = against_library(f[row.cell], o[row.cell])
        assert row.n == n
        np.testing.assert_allclose(row[3:], list(expected.values()), rtol=1e-9)
    np.testing.assert_allclose(table["rmse"] ** 2, table["ubrmse"] ** 2 + table["bias"] ** 2)


def test_skill_on_the_days_that_all_have():
    o = np.zeros((3, 100))
    f, r = np.full_like(o, 0.01), np.full_like(o, 0.02)
    f[0, 40:], r[1, :50], o[2, :90] = np.nan, np.nan, np.nan
    f[1, :50], r[2, :90], f[2, :90] = 9, 9, 9  # not on common days
    assert compare(f, r, o, draws=20) == pytest.approx((0.75, 0.75, 0.75))
    assert compare(r, f, o, draws=20) == pytest.approx((-3, -3, -3))
    assert np.isnan(compare(f, r, np.full_like(o, np.nan))).all()


def test_paired_skill_is_surer_than_its_parts():
    """The reference has the forecast's errors and some of its own: their difference is known better than either."""
    rng = np.random.default_rng(1)
    o = np.zeros((20, 365))
    f = rng.normal(size=(20, 1)) + rng.normal(size=o.shape)
    r = f + 0.5 * rng.normal(size=o.shape)
    _, low, high = compare(f, r, o)
    (_, f_low, f_high), (_, r_low, r_high) = score(f, o)["RMSE"], score(r, o)["RMSE"]
    assert 0 < low < high and f_high > r_low and f_low < r_low < r_high


def effects(rng, cells=25, days=400):
    """Errors of cells, of days with memory (the largest share), and of neither."""
    day = lfilter([1.2], [1, -0.8], rng.normal(size=days))
    return 0.7 * rng.normal(size=(cells, 1)) + day + rng.normal(size=(cells, days))


def test_intervals_cover_a_bias_where_cells_and_days_have_errors_of_their_own():
    rng, hits = np.random.default_rng(2), 0
    for seed in range(150):
        error = 0.5 + effects(rng)
        _, low, high = score(error, np.zeros_like(error), draws=150, seed=seed)["bias"]
        hits += low <= 0.5 <= high
    assert 0.85 <= hits / 150 <= 0.99, hits


def test_equal_models_seldom_seem_different():
    rng, hits = np.random.default_rng(3), 0
    for seed in range(100):
        o = np.zeros((25, 400))
        _, low, high = compare(effects(rng), effects(rng), o, draws=150, seed=seed)
        hits += low <= 0 <= high
    assert hits >= 88, hits


def test_the_same_seed_the_same_interval_and_one_cell_has_that_of_days(pairs):
    f, o = pairs
    first, again, other = (score(f, o, draws=50, seed=seed) for seed in (0, 0, 1))
    assert all(first[name] == again[name] and first[name][1:] != other[name][1:] for name in METRICS)
    of_cells, of_days = resampling(1, 190, 50, 0)
    assert (of_cells == 1).all() and of_days.std() > 0


def test_what_is_not_defined_is_missing_and_wrong_shapes_are_an_error(pairs):
    f, o = pairs
    flat = score(np.full_like(o, 0.3), o, draws=20)
    assert np.isnan(flat["R"]).all() and np.isfinite(flat["RMSE"]).all()
    assert by_cell(np.full_like(o, 0.3), o)["r"].isna().all()
    nothing = score(np.full_like(o, np.nan), o)
    assert nothing["n"][0] == 0 and np.isnan(nothing["RMSE"]).all()
    assert by_cell(np.full_like(o, np.nan), o, least=0).empty
    with pytest.raises(DataError, match="not all the same"):
        score(f, o[:, 1:])
