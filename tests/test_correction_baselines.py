"""Corrections without a network: known relations, cases by hand, and no way from what was kept back to a prediction."""

import numpy as np
import pytest
from pytesmo import scaling

from smlib.correction.baselines import (
    BASELINES,
    Boosting,
    CDFMatch,
    Climatology,
    ExponentialFilter,
    LinearRegression,
    MeanStd,
    Raw,
    smoothed,
)
from smlib.data.schema import DataError

CELLS, DAYS = 8, 800
TIME = np.arange(DAYS) + np.datetime64("2018-01-01")


@pytest.fixture
def made():
    """Product with gaps, auxiliaries, and a target that depends on both; m3 m-3."""
    rng = np.random.default_rng(0)
    auxiliaries = rng.normal(size=(CELLS, DAYS, 4))
    auxiliaries[..., 1] = rng.exponential(4, (CELLS, DAYS)) * (rng.random((CELLS, DAYS)) < 0.3)
    values = 0.25 + 0.05 * rng.normal(size=(CELLS, DAYS))
    target = 0.1 + 0.6 * values + 0.01 * auxiliaries[..., 2] + 0.002 * auxiliaries[..., 1]
    values[rng.random(values.shape) < 0.2] = np.nan
    return values, auxiliaries, target


def none(values):
    return np.zeros((*values.shape, 4))


def test_raw_is_the_product(made):
    values, auxiliaries, target = made
    np.testing.assert_array_equal(Raw().fit(*made).predict(values, auxiliaries), values)


def test_mean_and_standard_deviation_are_those_of_the_pairs_and_the_library_agrees(made):
    values, auxiliaries, target = made
    both = np.isfinite(values)
    found = MeanStd().fit(*made).predict(values, auxiliaries)
    np.testing.assert_allclose(found[both], scaling.mean_std(values[both], target[both]))
    exact = MeanStd().fit(values, auxiliaries, 3 * values - 0.2).predict(values + 0.1, auxiliaries)
    np.testing.assert_allclose(exact, 3 * (values + 0.1) - 0.2)


def test_cdf_matching_finds_a_monotone_map():
    rng = np.random.default_rng(1)
    values = rng.uniform(0.05, 0.45, (4, 3000))
    found = CDFMatch().fit(values, none(values), 0.5 * values**2 + 0.1).predict(values, none(values))
    np.testing.assert_allclose(found, 0.5 * values**2 + 0.1, atol=5e-4)


def test_cdf_matching_gives_the_distribution_even_of_what_is_not_paired(made):
    values, auxiliaries, _ = made
    target = np.random.default_rng(2).beta(2, 5, values.shape)
    found = CDFMatch().fit(values, auxiliaries, target).predict(values, auxiliaries)
    both, share = np.isfinite(values), np.linspace(2, 98, 20)
    np.testing.assert_allclose(np.percentile(found[both], share), np.percentile(target[both], share), atol=0.005)


def test_exponential_filter_worked_by_hand():
    """T = 2 d: K = 1 / (1 + exp(-1/2)), then over the gap K / (K + exp(-1))."""
    k1 = 1 / (1 + np.exp(-0.5))
    s1 = 0.2 + k1 * (0.4 - 0.2)
    k2 = k1 / (k1 + np.exp(-1))
    expected = [np.nan, 0.2, s1, np.nan, s1 + k2 * (0.1 - s1)]
    np.testing.assert_allclose(smoothed(np.array([[np.nan, 0.2, 0.4, np.nan, 0.1]]), 2), [expected], rtol=1e-6)


def test_exponential_filter_finds_its_time_and_a_product_without_noise_is_left_alone():
    values = np.random.default_rng(3).normal(0.25, 0.05, (5, 1000))
    target = smoothed(values, 7)
    model = ExponentialFilter().fit(values, none(values), 0.5 * target)
    assert model.days_ == 7
    np.testing.assert_allclose(model.predict(values, none(values)), 0.5 * target)
    assert ExponentialFilter().fit(values, none(values), 2 * values).days_ == 0


def test_linear_regression_recovers_coefficients(made):
    values, auxiliaries, target = made
    model = LinearRegression().fit(*made)
    scaler, _, ols = model.pooled_
    np.testing.assert_allclose(ols.coef_ / scaler.scale_, [0.6, 0, 0.002, 0.01, 0], atol=1e-12)
    found = model.predict(values, auxiliaries)
    np.testing.assert_allclose(found[np.isfinite(values)], target[np.isfinite(values)])


def test_a_missing_auxiliary_is_its_training_mean_to_the_regression_and_no_gap_to_the_trees(made):
    values, auxiliaries, target = made
    gaps = auxiliaries.copy()
    gaps[:, ::3, 2] = np.nan
    model = LinearRegression().fit(values, gaps, target)
    used = np.isfinite(values) & np.isfinite(gaps).all(-1)
    there = auxiliaries.copy()
    there[:, ::3, 2] = auxiliaries[used][:, 2].mean()
    np.testing.assert_allclose(model.predict(values, gaps), model.predict(values, there))
    trees = Boosting(max_iter=5).fit(values, gaps, target).predict(values, gaps)
    np.testing.assert_array_equal(np.isfinite(trees), np.isfinite(values))


def test_boosting_learns_from_the_rain_of_days_before():
    rng = np.random.default_rng(4)
    values, auxiliaries = rng.normal(0.25, 0.05, (10, 600)), np.zeros((10, 600, 4))
    auxiliaries[..., 1] = rng.exponential(5, (10, 600))
    before = auxiliaries[..., 1]
    target = np.full(values.shape, np.nan)
    target[:, 3:] = 0.01 * (before[:, 2:-1] + before[:, 1:-2] + before[:, :-3])
    found = Boosting().fit(values[:7], auxiliaries[:7], target[:7]).predict(values[7:], auxiliaries[7:])
    assert np.corrcoef(found[:, 3:].ravel(), target[7:, 3:].ravel())[0, 1] > 0.97
    x = Boosting()._predictors(values[:1], auxiliaries[:1])
    np.testing.assert_allclose(x[0, 20, 5:], [before[0, 17:20].mean(), before[0, 10:20].mean()])
    assert np.isnan(x[0, 0, 5:]).all()


def test_climatology_by_hand_and_around_new_year():
    time = np.arange(730) + np.datetime64("2018-01-01")
    target = np.full((2, 730), np.nan)
    target[0, 100], target[1, 465 + 4], target[0, 364] = 0.2, 0.4, 0.3  # 11 April, 15 April a year later, 31 December
    values = np.full(target.shape, np.nan)
    found = Climatology(time).fit(values, none(values), target).predict(values, none(values))
    np.testing.assert_allclose(found[:, [100, 102, 115, 116, 119, 120, 465]],
                               np.tile([0.3, 0.3, 0.3, 0.4, 0.4, 0.4 - 0.1 / 230, 0.3], (2, 1)))
    np.testing.assert_allclose(found[:, [0, 10, 13, 349, 364]], 0.3)
    np.testing.assert_allclose(found[:, 13:86], np.tile(np.linspace(0.3, 0.2, 73), (2, 1)))  # no value near: a line


def test_a_cell_in_training_has_its_own_relation_and_another_that_of_all(made):
    values, auxiliaries, _ = made
    shift = 0.01 * np.arange(CELLS)[:, None]
    target = values + shift
    target[5, 50:] = np.nan  # too few
    target[6] = np.nan
    for model in (CDFMatch(by_cell=True), MeanStd(by_cell=True)):
        model.fit(values, auxiliaries, target, cells=np.arange(CELLS) + 100)
        found = model.predict(values[::-1], auxiliaries[::-1], cells=np.arange(CELLS)[::-1] + 100)[::-1]
        assert sorted(model.pooled_cells_) == [105, 106]
        np.testing.assert_allclose(found[:5], (values + shift)[:5], atol=1e-6)
        pooled = type(model)().fit(values, auxiliaries, target)
        np.testing.assert_allclose(found[5:7], pooled.predict(values, auxiliaries)[5:7])
        assert not len(pooled.pooled_cells_)


def test_a_cell_whose_product_never_varies_has_the_relation_of_all(made):
    values, auxiliaries, target = made
    values[0] = 0.3
    model = CDFMatch(by_cell=True).fit(values, auxiliaries, target)
    assert np.isfinite(model.predict(values, auxiliaries)[0]).all()
    assert list(model.pooled_cells_) == [0]


@pytest.mark.parametrize("name", BASELINES)
def test_predictions_are_where_the_product_is_and_of_the_same_shape(made, name):
    values, auxiliaries, target = made
    target[2:4] = np.nan
    model = BASELINES[name](TIME, seed=1).fit(*made)
    found = model.predict(values, auxiliaries)
    known = np.ones(values.shape, bool) if name.startswith("climatology") else np.isfinite(values)
    np.testing.assert_array_equal(np.isfinite(found), known)
    assert model.predict(values[:0], auxiliaries[:0]).shape == (0, DAYS)
    again = BASELINES[name](TIME, seed=1).fit(*made).predict(values[3:5], auxiliaries[3:5], cells=[3, 4])
    np.testing.assert_array_equal(again, found[3:5], err_msg="a cell's prediction does not hang on the other cells")


@pytest.mark.parametrize("name", BASELINES)
def test_nothing_kept_back_reaches_a_prediction(made, name):
    """Wrong targets, and in `fit` wrong products and auxiliaries too, of the test cells and of the last days."""
    values, auxiliaries, target = made
    test = np.zeros(values.shape, bool)
    test[6:], test[:, 500:] = True, True
    first = BASELINES[name](TIME).fit(values, auxiliaries, np.where(test, np.nan, target))
    rng = np.random.default_rng(5)
    wrong = [np.where(test, 5 * rng.random(test.shape), values),
             np.where(test[..., None], 50 * rng.random(auxiliaries.shape), auxiliaries)]
    kept = np.where(test, np.inf, target)
    given = kept.copy()
    second = BASELINES[name](TIME).fit(*wrong, given)
    np.testing.assert_array_equal(first.predict(values, auxiliaries), second.predict(values, auxiliaries))
    np.testing.assert_array_equal(given, kept, err_msg="the caller's arrays are not changed")


def test_clear_errors(made):
    values, auxiliaries, target = made
    for wrong, say in (((values[0], auxiliaries, target), "is not .cell, day"),
                       ((values, auxiliaries[..., :3], target), "cell, day, 4"),
                       ((values, auxiliaries, target[1:]), "the product's"),
                       ((values, auxiliaries, np.full_like(target, np.nan)), "too few"),
                       ((np.full_like(values, 0.3), auxiliaries, target), "the same in all")):
        with pytest.raises(DataError, match=say):
            ExponentialFilter().fit(*wrong)
    with pytest.raises(DataError, match="all that LinearRegression predicts from is the same"):
        LinearRegression().fit(np.full_like(values, 0.3), np.ones_like(auxiliaries), target)
    with pytest.raises(DataError, match="one number for each"):
        MeanStd().fit(values, auxiliaries, target, cells=[1, 2])
    with pytest.raises(DataError, match="dates"):
        Climatology(TIME[1:]).fit(*made)
