"""The settings of the paper's experiment: all scored, tau chosen on its period, and printed values beside ours."""

import numpy as np
import pandas as pd
import pytest
from test_nudging_field import small_field
from test_nudging_forecasts import network

from smlib.evaluate.field_scores import FIELD_METRICS, SUMS, field_metrics
from smlib.nudging import (
    Study,
    choose_tau,
    curves,
    example_days,
    grid,
    kept_maps,
    nudge_study,
    nudging_beside_print,
    settings_skill,
    stretch,
    unobserved_table,
)
from smlib.nudging.forecasts import free_run, sums_of
from smlib.nudging.nudged import nudged_piece
from smlib.nudging.settings import KEYS, beside_print_wide, post_hoc_from_print, printed_settings
from smlib.nudging.training import Trained

SETTINGS = grid([0.5, 1.0], [0.1, 0.5], [0.0, 0.01])


def small_study(protocol="strict", names=("CNN", "ConvLSTM")):
    """The study of the small field with networks as they are before training."""
    field = small_field(protocol=protocol)
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.0, 0.5], "validation_loss": [0.8, 0.9],
                            "learning_rate": 1e-3, "seconds": [1.0, 2.0]})
    trained = {name: Trained(network(name, field), history.copy(), np.nan, None) for name in names}
    return Study(field, trained, "small", "measured", "cpu")


def stretches_of(study):
    return {"test": stretch(study.field, "test", 10), "validation": stretch(study.field, "validation", 6)}


@pytest.fixture(scope="module")
def study():
    return small_study()


@pytest.fixture(scope="module")
def done(study):
    return nudge_study(study, stretches_of(study), SETTINGS, draws=50)


def pick(table, **wanted):
    """The rows with these values."""
    for key, value in wanted.items():
        table = table[table[key] == value]
    return table


def one(table, **wanted):
    rows = pick(table, **wanted)
    assert len(rows) == 1
    return rows.iloc[0]


def hand(rmse, **changes):
    """A settings table of one model: mapping of tau -> RMSE."""
    key = {"model": "CNN", "fraction": 0.1, "noise": 0.01, "feedback": True, "cells": "all", "metric": "RMSE"}
    return pd.DataFrame([key | {"tau": tau, "value": value, "low": value, "high": value, "n": 9} | changes
                         for tau, value in rmse.items()])


def test_the_tables_hold_all_settings_of_both_periods_and_the_free_run(study, done):
    tables, *_ = done
    assert list(tables) == ["test", "validation"]
    for period, table in tables.items():
        assert len(table) == 2 * 2 * (len(SETTINGS) * 2 + 1) * len(FIELD_METRICS)
        assert not table.duplicated([*KEYS, "tau", "metric"]).any()
        assert table["low"].notna().all() == (period == "test")
        days = 10 if period == "test" else 6
        assert (pick(table, cells="all")["n"] == 39 * days).all()
        assert (pick(table, cells="unobserved", fraction=0.5)["n"] == 19 * days).all()


def test_values_are_those_of_one_roll_out(study, done):
    setting = SETTINGS[-1]
    model = study.forecasters()["ConvLSTM"]
    for period, part in stretches_of(study).items():
        sums, _ = nudged_piece(model, part, [setting])
        for k, cells in enumerate(("all", "unobserved")):
            row = one(done[0][period], model="ConvLSTM", tau=setting.tau, fraction=setting.fraction,
                      noise=setting.noise, feedback=True, cells=cells, metric="R2")
            assert row["value"] == float(field_metrics(sums[0, k].sum(0))["R2"])


def test_fraction_zero_is_the_free_run(study, done):
    for name, model in study.forecasters().items():
        expected = field_metrics(sums_of(study.field, free_run(study.field, model, days=10)).sum(0))
        for feedback in (True, False):
            row = one(done[0]["test"], model=name, fraction=0, feedback=feedback, metric="RMSE")
            assert row["value"] == float(expected["RMSE"]) and np.isnan(row["tau"])


def test_tau_is_chosen_on_validation_or_by_the_paper_on_the_test(done):
    tables, chosen, *_ = done
    pd.testing.assert_frame_equal(chosen, choose_tau(tables["validation"]))
    paper = small_study("paper")
    tables, chosen, *_ = nudge_study(paper, stretches_of(paper), SETTINGS, draws=0)
    pd.testing.assert_frame_equal(chosen, choose_tau(tables["test"]))


def test_the_papers_protocol_counts_cells_outside_and_draws_afresh_for_each_tau():
    paper = small_study("paper", ["CNN"])
    tables, *_ = nudge_study(paper, stretches_of(paper), SETTINGS, draws=0)
    table = tables["test"]
    assert (pick(table, cells="all")["n"] == 42 * 10).all()
    assert (pick(table, cells="unobserved", fraction=0.5)["n"] == 19 * 10).all()
    of = {feedback: pick(table, feedback=feedback, cells="unobserved", fraction=0.5, noise=0, metric="MAE")["value"]
          for feedback in (True, False)}
    assert of[False].nunique() == 2  # other masks: strictly, the free run on unobserved cells is one number
    strict, *_ = nudge_study(small_study(names=["CNN"]), stretches_of(small_study()), SETTINGS, draws=0)
    same = pick(strict["test"], feedback=False, cells="unobserved", fraction=0.5, noise=0, metric="MAE")["value"]
    assert same.nunique() == 1


def test_the_least_rmse_chooses():
    table = pd.concat([hand({0.2: 3.0, 0.5: 1.0, 1.0: 2.0}), hand({0.2: 1.0, 0.5: 2.0, 1.0: 3.0}, feedback=False),
                       hand({0.2: 0.0, 0.5: 9.0}, metric="MAE"), hand({0.2: 2.0, 0.5: 1.0}, model="LSTM")],
                      ignore_index=True)
    found = choose_tau(table)
    assert list(found.columns) == [*KEYS, "tau"]
    assert found[["model", "feedback", "tau"]].values.tolist() == [["CNN", True, 0.5], ["CNN", False, 0.2],
                                                                    ["LSTM", True, 0.5]]


def test_where_tau_does_not_matter_or_nothing_is_scored_there_is_no_choice():
    same, nothing = hand({0.2: 1.0, 0.5: 1.0}, cells="unobserved"), hand({0.2: np.nan, 0.5: np.nan}, noise=0.0)
    free = hand({np.nan: 0.5}, fraction=0.0)
    assert choose_tau(pd.concat([same, nothing, free], ignore_index=True)).empty
    alone = choose_tau(pd.concat([same, hand({0.7: 1.0})], ignore_index=True))  # the only one there is
    assert alone[["cells", "tau"]].values.tolist() == [["all", 0.7]]


def test_without_feedback_tau_is_not_chosen_for_unobserved_cells(done):
    chosen = done[1]
    assert len(chosen) == 2 * 2 * 2 * 3 and pick(chosen, cells="unobserved")["feedback"].all()


def test_daily_sums_are_those_of_the_chosen_settings_and_the_free_run(study, done):
    tables, chosen, _, daily = done
    keys = ["model", "fraction", "noise", "tau", "cells"]
    assert not daily.duplicated([*keys, "time"]).any()
    assert len(daily) == 10 * (pick(chosen, feedback=True).shape[0] + 2)  # and a free run for each network
    assert list(daily["time"].unique().to_numpy().astype("datetime64[D]")) == list(study.dates()[:10])
    r2 = pick(tables["test"], metric="R2", feedback=True)
    for key, days in daily.groupby(keys, dropna=False):
        model, fraction, noise, tau, cells = key
        row = one(pick(r2, model=model, fraction=fraction, cells=cells), **(
            {} if fraction == 0 else {"noise": noise, "tau": tau}))
        assert float(field_metrics(days[list(SUMS)].to_numpy().sum(0))["R2"]) == pytest.approx(row["value"], rel=1e-12)
        np.testing.assert_allclose(days["MSE"], days["se"] / days["n"])
    at = one(chosen, model="CNN", fraction=0.5, noise=0.01, feedback=True, cells="all")["tau"]
    assert set(pick(daily, model="CNN", fraction=0.5, noise=0.01, cells="all")["tau"]) == {at}


def test_example_days():
    assert example_days(200) == [33, 100, 166] and example_days(3) == [0, 1, 2] and example_days(1) == [0]
    assert example_days(2) == [0, 1]


def test_kept_maps_are_those_of_the_chosen_tau(study, done):
    tables, chosen, kept, _ = done
    part = stretches_of(study)["test"]
    truth, made, words = kept_maps(kept, chosen, SETTINGS, part, study.dates())
    days = example_days(10)
    np.testing.assert_array_equal(truth, part.truth[days])
    assert list(made["model"].values) == ["CNN", "ConvLSTM"] and words == "50 % observed, noise 0.01 m³ m⁻³"
    np.testing.assert_array_equal(made["time"].values.astype("datetime64[D]"), study.dates()[days])
    tau = one(chosen, model="CNN", fraction=0.5, noise=0.01, feedback=True, cells="all")["tau"]
    setting = next(s for s in SETTINGS if (s.tau, s.fraction, s.noise) == (tau, 0.5, 0.01))
    _, expected = nudged_piece(study.forecasters()["CNN"], part, [setting], keep=days)
    np.testing.assert_array_equal(made.sel(model="CNN"), expected[0])


def test_what_is_printed_is_what_fan_et_al_printed():
    printed = printed_settings()
    assert len(printed) == 24 * 6
    for name, noise, fraction, metric, tau, value in (
            ("ConvLSTM", 0.01, 0.1, "R2", 0.5, 0.6732), ("LSTM", 0.01, 0.1, "RMSE", 0.6, 0.0967),
            ("CNN", 0.0, 0.5, "bias", 1.0, -0.0021), ("ConvLSTM-SE", 0.0, 0.2, "MAE", 1.0, 0.0117)):
        row = one(printed, model=name, noise=noise, fraction=fraction, metric=metric)
        assert (row["printed_tau"], row["printed"]) == (tau, value)


def test_what_print_implies_of_a_correction_after_the_fact():
    """Half the cells set right at tau 1 without noise leave sqrt(0.5) of the printed RMSE of the free run."""
    found = post_hoc_from_print()
    row = one(found, model="ConvLSTM", noise=0.0, fraction=0.5)
    assert (row["free"], row["printed"]) == (0.0282, 0.0064) and row["post_hoc"] == pytest.approx(0.0282 * 0.5**0.5)
    row = one(found, model="CNN", noise=0.01, fraction=0.1)  # tau 0.7
    expected = (0.9 * 0.0492**2 + 0.1 * (0.3**2 * 0.0492**2 + 0.7**2 * 0.01**2)) ** 0.5
    assert row["post_hoc"] == pytest.approx(expected) and row["ratio"] == pytest.approx(0.0291 / expected)
    assert len(found) == 24


def test_ours_stand_beside_print_at_the_printed_tau_and_at_the_chosen_one(done):
    tables, chosen, *_ = done
    chosen = chosen[chosen["cells"] == "all"]
    found = nudging_beside_print(tables["test"], chosen)
    assert len(found) == 2 * 2 * 2 * 2 * 6
    row = one(found, model="ConvLSTM", noise=0.01, fraction=0.5, feedback=True, metric="R2")
    tau = one(chosen, model="ConvLSTM", noise=0.01, fraction=0.5, feedback=True)["tau"]
    ours = pick(tables["test"], model="ConvLSTM", noise=0.01, fraction=0.5, feedback=True, metric="R2", cells="all")
    assert (row["printed"], row["printed_tau"], row["tau"]) == (0.8591, 0.5, tau)
    assert row["at_printed_tau"] == one(ours, tau=0.5)["value"]
    assert tuple(row[["value", "low", "high"]]) == tuple(one(ours, tau=tau)[["value", "low", "high"]])
    other = one(found, model="CNN", noise=0.01, fraction=0.1, feedback=True, metric="R2")
    assert other["printed_tau"] == 0.7 and np.isnan(other["at_printed_tau"])  # which was not run


def test_a_page_shows_a_row_a_printed_setting(done):
    tables, chosen, *_ = done
    table = nudging_beside_print(tables["test"], chosen[chosen["cells"] == "all"])
    wide = beside_print_wide(table)
    assert len(wide) == 2 * 2 * 2
    row, long = (one(t, model="ConvLSTM", noise=0.01, fraction=0.5, **more) for t, more in (
        (wide, {}), (table, {"feedback": False, "metric": "R2"})))
    assert (row["printed"], row["without feedback"], row["tau, without feedback"]) == (
        0.8591, long["value"], long["tau"])
    assert beside_print_wide(table[:0]).empty  # settings that were never printed


def test_unobserved_cells_beside_the_free_run_there(done):
    tables, chosen, *_ = done
    found = unobserved_table(tables["test"], chosen)
    assert len(found) == 8
    row = one(found, model="CNN", noise=0.01, fraction=0.5)
    rmse = pick(tables["test"], model="CNN", noise=0.01, fraction=0.5, cells="unobserved", metric="RMSE")
    assert row["nudged"] == one(rmse, feedback=True, tau=row["tau"])["value"]
    assert set(pick(rmse, feedback=False)["value"]) == {row["free"]}
    assert row["ratio"] == row["nudged"] / row["free"]


def test_curves_mark_one_chosen_tau_and_the_printed_value(done):
    tables, chosen, *_ = done
    for feedback, curves_chosen in ((True, 2 * 2 * 2 * 2), (False, 2 * 2 * 2)):
        found = curves(tables["test"], chosen, feedback)
        assert set(found["metric"]) == {"RMSE"} and found["chosen"].sum() == curves_chosen
        assert len(found) == 2 * (len(SETTINGS) * 2 + 1)
    row = one(found, model="ConvLSTM", noise=0.0, fraction=0.1, tau=1.0, cells="all")
    assert row["printed"] == 0.0165 and found.loc[found["cells"] == "unobserved", "printed"].isna().all()


def test_as_a_skill_table_no_score_stands_twice(done):
    skill = settings_skill(done[0]["test"], source="small", protocol="strict")
    assert not skill.drop(columns=["value", "low", "high", "n"]).duplicated().any()
    assert "nudged without feedback, tau 0.5, 10 % observed, noise 0.01, unobserved cells" in set(skill["variant"])
