"""What the choices of the published code are worth: the strict row is the study's own, and zeros outside raise R2."""

import numpy as np
import pytest
from test_nudging_settings import pick, small_study, stretches_of

from smlib.evaluate.field_scores import field_metrics
from smlib.nudging import free_run_worth, grid, nudge_study, nudged_worth
from smlib.nudging.forecasts import Forecaster, free_run, sums_of
from smlib.nudging.nudged import random_observations
from smlib.train.gridded import FieldScaler

SETTINGS = grid([0.4, 0.7, 1.0], [0.1, 0.2, 0.5], [0.0, 0.01])
STRICT, SCALED, OUTSIDE = "strict", "scaled by the test period", "cells outside counted"
BOTH = f"{SCALED}, {OUTSIDE}"


@pytest.fixture(scope="module")
def study():
    return small_study()


@pytest.fixture(scope="module")
def worth(study):
    return free_run_worth(study)


@pytest.fixture(scope="module")
def nudged(study):
    stretches = stretches_of(study)
    tables, chosen, *_ = nudge_study(study, stretches, SETTINGS, draws=0)
    return nudged_worth(study, stretches["test"], SETTINGS, tables), tables, chosen, stretches["test"]


def r2(table, model, choice):
    found = pick(table, model=model, choice=choice)
    assert len(found) == 1
    return found["R2"].item()


def test_every_network_has_every_choice_in_order(worth, nudged):
    assert list(dict.fromkeys(worth["choice"])) == [STRICT, SCALED, OUTSIDE, BOTH] and len(worth) == 8
    assert list(dict.fromkeys(nudged[0]["choice"])) == [
        STRICT, "tau chosen on the test year", "laid over the finished forecast", SCALED, OUTSIDE]
    assert len(nudged[0]) == 10 and set(nudged[0]["fraction"]) == {0.2} and set(nudged[0]["noise"]) == {0.01}


def test_the_strict_row_is_the_free_runs_score(study, worth):
    for name, model in study.forecasters().items():
        found = field_metrics(sums_of(study.field, free_run(study.field, model)).sum(0))
        assert r2(worth, name, STRICT) == float(found["R2"])
        assert pick(worth, model=name, choice=STRICT)["RMSE"].item() == float(found["RMSE"])


def test_the_scaler_of_the_test_is_that_of_its_truth(study, worth):
    field = study.field
    scaler = FieldScaler().fit(field.truth[field.periods["test"]], field.valid)
    model = Forecaster(study.trained["CNN"].network, scaler, "cpu")
    expected = field_metrics(sums_of(field, free_run(field, model)).sum(0))["R2"]
    assert r2(worth, "CNN", SCALED) == float(expected) != r2(worth, "CNN", STRICT)


def test_zeros_outside_raise_r2_as_they_do_in_an_array(study, worth):
    field = study.field
    truth = np.where(field.valid, field.truth[field.targets("test")], 0).astype(float)
    for name, model in study.forecasters().items():
        made = np.where(field.valid, free_run(field, model), 0)
        expected = 1 - ((made - truth) ** 2).mean() / truth.var()
        assert r2(worth, name, OUTSIDE) == pytest.approx(expected, abs=1e-9)
        assert r2(worth, name, OUTSIDE) > r2(worth, name, STRICT) and r2(worth, name, BOTH) > r2(worth, name, SCALED)


def test_the_first_days_alone(study):
    short = free_run_worth(study, days=5)
    for name, model in study.forecasters().items():
        found = field_metrics(sums_of(study.field, free_run(study.field, model, days=5)).sum(0))
        assert r2(short, name, STRICT) == float(found["R2"])


def test_the_papers_scaler_does_not_change_what_strict_is(worth):
    """Of the same networks under the paper's protocol, "strict" has the training days' scaler all the same."""
    other = free_run_worth(small_study("paper"))
    assert other["R2"].tolist() == worth["R2"].tolist()


def test_nudged_the_strict_row_is_the_test_at_the_tau_of_validation(nudged):
    worth, tables, chosen, _ = nudged
    for name in ("CNN", "ConvLSTM"):
        at = {"model": name, "fraction": 0.2, "noise": 0.01, "feedback": True, "cells": "all"}
        tau = pick(chosen, **at)["tau"].item()
        assert pick(worth, model=name, choice=STRICT)["tau"].item() == tau
        assert r2(worth, name, STRICT) == pick(tables["test"], **at, metric="R2", tau=tau)["value"].item()
        best = pick(tables["test"], **at, metric="R2")["value"].max()
        assert r2(worth, name, "tau chosen on the test year") == best >= r2(worth, name, STRICT)
        assert r2(worth, name, OUTSIDE) > r2(worth, name, SCALED)


def test_laid_over_the_finished_forecast_by_hand(study, nudged):
    worth, _, _, part = nudged
    free = free_run(study.field, study.forecasters()["CNN"], days=len(part.truth))
    found = {}
    for setting in SETTINGS:
        if (setting.fraction, setting.noise) == (0.2, 0.01):
            observed, made = random_observations(part, setting, fresh=True), free.astype(float)
            for day in range(len(made)):
                y, seen = observed(day)
                made[day][seen] += setting.tau * (y - made[day])[seen]
            error = (made - part.truth)[:, part.valid].astype(float)
            found[setting.tau] = 1 - (error**2).mean() / part.truth[:, part.valid].astype(float).var()
    row = pick(worth, model="CNN", choice="laid over the finished forecast")
    assert row["R2"].item() == pytest.approx(max(found.values()), abs=1e-5)
    assert row["tau"].item() == max(found, key=found.get)
