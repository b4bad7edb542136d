"""What the choices of the published code are worth, with the same weights: scaling, cells outside, tau, feedback."""

import numpy as np
import pandas as pd

from smlib.evaluate.field_scores import field_metrics
from smlib.nudging.forecasts import Forecaster, free_run, sums_of
from smlib.nudging.nudged import nudge_all
from smlib.nudging.settings import settings_table
from smlib.nudging.tables import count_outside
from smlib.train.gridded import FieldScaler

OUTSIDE = "cells outside counted"


def free_run_worth(study, days=None):
    """R2 of each network's free run by choice: DataFrame model, choice, R2, RMSE."""
    field, rows = study.field, []
    for name, one in study.trained.items():
        for choice, scaled in (("strict", "train"), ("scaled by the test period", "test")):
            made = free_run(field, _forecaster(study, one, scaled), days=days)
            sums = sums_of(field, made)
            both = "scaled by the test period, " + OUTSIDE
            for said, counted in ((choice, sums), (OUTSIDE if choice == "strict" else both, _outside(field, sums))):
                found = field_metrics(counted.sum(0))
                rows.append({"model": name, "choice": said, "R2": float(found["R2"]), "RMSE": float(found["RMSE"])})
    order = ["strict", "scaled by the test period", OUTSIDE, both]
    return pd.DataFrame(rows).sort_values("choice", key=lambda c: c.map(order.index), kind="stable", ignore_index=True)


def nudged_worth(study, stretch, settings, judged):
    """R2 over all cells of each nudged network, choice after choice: DataFrame model, choice, fraction, noise, tau, R2.

    `judged` are the settings tables by period, "validation" and "test", of the strict protocol; at the middle fraction
    and the largest noise of `settings`. Each choice comes on top of those before it.
    """
    fractions, noise = sorted({s.fraction for s in settings}), max(s.noise for s in settings)
    fraction = fractions[len(fractions) // 2]
    some = [s for s in settings if (s.fraction, s.noise) == (fraction, noise)]
    field, rows = study.field, []

    def add(model, choice, tau, value):
        rows.append({"model": model, "choice": choice, "fraction": fraction, "noise": noise, "tau": tau, "R2": value})

    for name, one in study.trained.items():
        scores = {period: _r2(table, name, fraction, noise, True) for period, table in judged.items()}
        add(name, "strict", scores["validation"].idxmax(), scores["test"][scores["validation"].idxmax()])
        add(name, "tau chosen on the test year", scores["test"].idxmax(), scores["test"].max())
        for scaled, choice in (("train", "laid over the finished forecast"), ("test", "scaled by the test period")):
            free = free_run(field, _forecaster(study, one, scaled), days=len(stretch.truth))
            sums, _ = nudge_all({name: free}, stretch, some, feedback=False, fresh=True)
            found = _r2(settings_table(sums, some, False), name, fraction, noise, False)
            add(name, choice, found.idxmax(), found.max())
        sums = {name: _outside(field, sums[name])}
        found = _r2(settings_table(sums, some, False), name, fraction, noise, False)
        add(name, OUTSIDE, found.idxmax(), found.max())
    return pd.DataFrame(rows)


def _r2(table, model, fraction, noise, feedback):
    """R2 over all cells by tau."""
    rows = table[(table["model"] == model) & (table["feedback"] == feedback) & np.isclose(table["fraction"], fraction)
                 & np.isclose(table["noise"], noise) & (table["metric"] == "R2") & (table["cells"] == "all")]
    return rows.set_index("tau")["value"]


def _outside(field, sums):
    return count_outside(sums, int((~field.valid).sum()), field.centre)


def _forecaster(study, one, period):
    scaler = FieldScaler().fit(study.field.truth[study.field.periods[period]], study.field.valid)
    return Forecaster(one.network, scaler, study.device)
