"""Every forecast with every analysis: what is chosen, on what, and methods whose error is known."""

from dataclasses import replace

import numpy as np
import pytest
from test_nudging_field import DATES, dataset, day_of, small_field
from test_nudging_forecasts import Mixed

from smlib.evaluate.field_scores import field_metrics
from smlib.nudging import compare_all, comparison, entrants, ground, methods_table, observation_patterns, stretch
from smlib.nudging.comparison import ALONE, ANALYSES, choices, tried
from smlib.nudging.forecasts import baselines, free_run, sums_of

DAYS = 12  # of which the last two have a gap
PATTERNS = ["random 20 %", "random 50 %", "swaths", "stations 1 %", "gaps"]


def passes(days=DAYS):
    """Three columns of cells, which move by two a day."""
    seen = np.zeros((days, 6, 7), bool)
    for day in range(days):
        seen[day, :, [(2 * day + k) % 7 for k in range(3)]] = True
    return seen


def shared_by(field, noise=0.0, test=None, **settings):
    """The ground of two short stretches; with another test stretch if one is given."""
    stretches = {"validation": stretch(field, "validation", DAYS), "test": test or stretch(field, "test", DAYS)}
    named = {period: observation_patterns(one, (0.2, 0.5), passes()) for period, one in stretches.items()}
    return ground(field, stretches["validation"], stretches["test"], named, noise, **settings)


@pytest.fixture(scope="module")
def field():
    return small_field()


@pytest.fixture(scope="module")
def entered(field):
    return entrants(field, {"Mixed": Mixed()})


@pytest.fixture(scope="module")
def compared(field, entered):
    """All methods under all patterns, and one filter."""
    return compare_all(field, entered, shared_by(field, 0.01, ensemble=5), ["damped anomaly"], "cpu")


def rmse(sums):
    """(cells,) of sums (cells, day, 8)."""
    return field_metrics(sums.sum(1))["RMSE"]


def test_entrants_are_networks_and_baselines_with_their_errors_of_the_last_training_days(field, entered):
    assert list(entered) == ["Mixed", "persistence", "climatology", "damped anomaly"]
    assert [one.network for one in entered.values()] == [True, False, False, False]
    assert [one.about for one in entered.values()] == [False, False, True, True]
    end = field.periods["train"].stop
    last, before = field.truth[end - 365:end], field.truth[end - 366:end - 1]
    np.testing.assert_array_equal(entered["persistence"].residuals, last - before)
    np.testing.assert_allclose(entered["climatology"].residuals, last - field.climatology[end - 365:end], atol=1e-7)
    before2 = field.truth[end - 367:end - 2]
    np.testing.assert_allclose(entered["Mixed"].residuals, last - 0.5 * before - 0.3 * before2 - 0.04, atol=1e-6)
    assert len(entrants(field, {}, days=10**6)["persistence"].residuals) == len(field.starts("train"))


def test_nothing_behind_the_training_days_is_in_an_entrant(entered):
    ds = dataset()
    behind = day_of(ds, DATES["train"][1]) + 1
    ds["soil_moisture"].values[behind:] = 1 - ds["soil_moisture"].values[behind:]
    for name, other in entrants(small_field(ds), {"Mixed": Mixed()}).items():
        np.testing.assert_array_equal(other.residuals, entered[name].residuals)


def test_every_pattern_sees_what_it_says(field):
    one = stretch(field, "test", DAYS)
    named = observation_patterns(one, (0.2, 0.5), passes())
    assert list(named) == PATTERNS
    for day in range(DAYS):
        assert named["random 20 %"](day).sum() == 8 and named["random 50 %"](day).sum() == 20
        np.testing.assert_array_equal(named["swaths"](day), passes()[day] & field.valid)
        assert named["stations 1 %"](day).sum() == 1
    assert "swaths" not in observation_patterns(one)
    shared = shared_by(field)
    y, seen = shared.observed["test"]["swaths"](2)
    np.testing.assert_array_equal(y[seen], one.truth[2][seen])
    masks = [shared.observed[period]["random 50 %"](0)[1] for period in ("validation", "test")]
    assert (masks[0] != masks[1]).any()


def test_all_methods_are_run_under_all_patterns_over_the_same_pairs(field, compared):
    table, left_out = compared
    assert not left_out
    methods = 4 * len(ANALYSES) + len(ALONE) + 1
    assert (table.groupby("pattern").size() == methods).all() and list(table["pattern"].unique()) == PATTERNS
    assert not table.duplicated(["pattern", "forecast", "analysis"]).any()
    assert set(table.loc[table["network"], "forecast"]) == {"Mixed"}
    assert set(table.loc[table["analysis"].isin(ALONE), "forecast"]) == {"no forecast"}
    for pattern, group in table.groupby("pattern"):
        pairs = np.stack([sums[..., 0] for sums in group["sums"]])
        assert (pairs == pairs[0]).all() and (pairs[0, 0] == 39).all(), pattern
    swaths = table[table["pattern"] == "swaths"].iloc[0]["sums"]
    np.testing.assert_array_equal(swaths[1, :, 0], (field.valid & ~passes()).sum((1, 2)))
    assert np.isfinite(table["validation_rmse"]).all()
    scores = methods_table(table, draws=20)
    assert np.isfinite(scores.loc[scores["metric"] == "RMSE", "value"]).all()


def test_without_an_analysis_it_is_the_free_run(field, compared):
    table = compared[0].query("analysis == 'none'")
    free = {"Mixed": free_run(field, Mixed(), days=DAYS)}
    free |= {name: free_run(field, model, about=about, days=DAYS) for name, (model, about) in baselines(field).items()}
    for row in table.itertuples():
        np.testing.assert_array_equal(row.sums[0], sums_of(field, free[row.forecast]))
        assert row.chosen == ""


def test_what_is_chosen_is_best_on_validation(field, entered):
    """Each choice by itself: its validation error over unobserved cells, and the smallest of them."""
    shared = shared_by(field, 0.01)
    for analysis in ("nudging", "optimal interpolation"):
        rows, reason = tried("Mixed", entered["Mixed"], analysis, shared)
        assert not reason and {row["pattern"] for row in rows} == set(PATTERNS) and len(rows) == len(PATTERNS)
        options = choices(analysis)
        asked = [(pattern, k) for pattern in PATTERNS for k in range(len(options))]
        errors = {key: rmse(sums)[1] for key, sums in
                  comparison._run(entered["Mixed"], analysis, options, asked, shared, "validation", None).items()}
        for row in rows:
            of = [errors[row["pattern"], k] for k in range(len(options))]
            key, value = next(iter(options[int(np.argmin(of))].items()))
            assert row["validation_rmse"] == min(of)
            if len(set(of)) > 1:
                assert row["chosen"] == f"{key} {value}"
            else:  # other cells than the stations' are never touched
                assert (analysis, row["pattern"]) == ("nudging", "stations 1 %")


def test_choices_do_not_know_the_test(field, entered):
    """Another truth in the test: the same choices and validation errors, other scores."""
    test = stretch(field, "test", DAYS)
    other = replace(test, truth=(0.6 - test.truth[::-1]).astype(np.float32))
    for analysis in ANALYSES:
        one, two = (tried("Mixed", entered["Mixed"], analysis, shared_by(field, 0.01, truth))[0]
                    for truth in (test, other))
        for a, b in zip(one, two, strict=True):
            assert (a["chosen"], a["validation_rmse"]) == (b["chosen"], b["validation_rmse"])
            assert not np.array_equal(a["sums"], b["sums"])


def test_what_was_judged_on_is_told(field, entered):
    """In ten days there is no gap yet: then the error over all cells chooses, and the table says so."""
    shared = shared_by(field)
    short = replace(shared, validation=stretch(field, "validation", 10))
    for one, gaps in ((shared, "unobserved"), (short, "all")):
        rows, _ = tried("Mixed", entered["Mixed"], "nudging", one)
        told = {row["pattern"]: row["judged_on"] for row in rows}
        assert told == {name: gaps if name == "gaps" else "unobserved" for name in PATTERNS}


def test_a_persistent_field_is_known_once_it_was_seen(field, entered):
    """It never changes but the first window is wrong by 0.1: direct insertion is right wherever it was observed."""
    still = {}
    for period in ("validation", "test"):
        one = stretch(field, period, DAYS)
        truth = np.repeat(one.truth[:1], DAYS, axis=0)
        still[period] = replace(one, truth=truth, window=np.repeat(truth[None, :1] + np.float32(0.1), 3, axis=1))
    named = {period: observation_patterns(one, (0.2, 0.5), passes()) for period, one in still.items()}
    shared = ground(field, still["validation"], still["test"], named, 0.0)
    rows, _ = tried("persistence", entered["persistence"], "nudging", shared)
    for row in rows:
        ever = np.cumsum([named["test"][row["pattern"]](day) & field.valid for day in range(DAYS)], 0) > 0
        wrong = (field.valid & ~ever).sum((1, 2))
        if row["pattern"] != "stations 1 %":  # there no tau makes a difference to the cells that are never seen
            assert row["chosen"] == "tau 1.0"
            np.testing.assert_allclose(row["sums"][0, :, 7], 0.01 * wrong, rtol=1e-4, atol=1e-9)
    swaths = next(row for row in rows if row["pattern"] == "swaths")
    assert (swaths["sums"][:, 4:, 7] == 0).all() and swaths["sums"][0, 0, 7] > 0.1


def test_where_no_choice_changes_what_is_not_observed_the_error_over_all_cells_chooses(field, entered):
    """One station: plain nudging never touches another cell, but tau matters to the station's own."""
    rows, _ = tried("Mixed", entered["Mixed"], "nudging", shared_by(field))
    assert next(row["chosen"] for row in rows if row["pattern"] == "stations 1 %") == "tau 1.0"


def test_all_observed_without_noise_is_the_truth(field, entered):
    shared = shared_by(field)
    every = {period: {"all": replace(one["swaths"], pattern=lambda day: field.valid)}
             for period, one in shared.observed.items()}
    shared = replace(shared, observed=every)
    normal = replace(entered["climatology"], residuals=field.truth[field.periods["train"]])
    for analysis in ("nudging", "optimal interpolation", *ALONE):
        rows, reason = tried("climatology", normal, analysis, shared)
        assert not reason and rows[0]["validation_rmse"] == pytest.approx(0, abs=1e-5), analysis
        assert rmse(rows[0]["sums"])[0] == pytest.approx(0, abs=1e-5) and np.isnan(rmse(rows[0]["sums"])[1])


def test_the_ensemble_filter_helps_where_nothing_is_observed(compared):
    table = compared[0].query("forecast == 'damped anomaly' and pattern == 'random 50 %'").set_index("analysis")
    error = {analysis: rmse(sums)[1] for analysis, sums in table["sums"].items()}
    assert error["ensemble Kalman filter"] < 0.8 * error["none"]
    assert error["optimal interpolation"] < 0.8 * error["none"]


def test_a_method_that_cannot_be_run_is_left_out_with_its_reason(field, entered, monkeypatch):
    class Broken:
        def forecast(self, window):
            raise ValueError("it does not forecast")

    few = {name: replace(one, residuals=one.residuals[:2]) for name, one in entered.items()}
    few["broken"] = replace(entered["Mixed"], forecast=Broken())
    shared = shared_by(field, ensemble=5)
    table, left_out = compare_all(field, few, shared, ["persistence"], "cpu")
    reasons = dict(left_out)
    assert list(reasons) == [*(f"broken + {analysis}" for analysis in ANALYSES),
                             "persistence + ensemble Kalman filter"]
    assert reasons["broken + nudging"] == "it does not forecast"
    assert reasons["persistence + ensemble Kalman filter"] == "2 training days without gaps are too few for 5 members"
    assert "broken" not in set(table["forecast"]) and "ensemble Kalman filter" not in set(table["analysis"])

    def no_fit(*_):
        raise RuntimeError("Optimal parameters not found")  # as scipy's curve_fit has it

    monkeypatch.setattr(comparison, "fit_covariance", no_fit)
    assert tried("Mixed", entered["Mixed"], "optimal interpolation", shared) == ([], "Optimal parameters not found")


def test_a_filter_of_a_forecast_that_is_not_there_is_an_error(field, entered):
    with pytest.raises(ValueError, match="no forecast LSTM for the filter; there are Mixed, persistence"):
        compare_all(field, entered, shared_by(field), ["LSTM"], "cpu")
