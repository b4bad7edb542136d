"""Costs: from tables made up so that the answer is known, and one short measurement."""

import numpy as np
import pandas as pd
import pytest
from test_stations import bucket

from smlib.stations import costing
from smlib.stations.levels import prepare_all


def fits():
    nan = np.nan
    rows = [("LSTM", "value", "A", "1", 0, 2.0, 0.1, 100, 95), ("LSTM", "value", "A", "1", 1, 1.0, 0.1, 50, 20),
            ("1D-CNN", "value", "A", "1", 0, 0.5, 0.1, 100, 40), ("ridge", "value", "A", "1", 0, 0.1, 0.1, nan, nan)]
    return pd.DataFrame(rows, columns=["model", "target", "site", "level", "repetition", "fit_s", "forecast_s",
                                       "epochs", "best_epoch"])


def test_convergence_tells_who_stopped_too_early():
    table = costing.convergence(fits()).set_index("model")
    assert list(table.index) == ["LSTM", "1D-CNN"]
    assert table.loc["LSTM", ["fits", "first", "median", "last", "too_early"]].tolist() == [2, 20, 57.5, 95, 0.5]
    assert table.loc["1D-CNN", "too_early"] == 0


def test_a_fit_that_failed_never_converged_and_is_not_counted():
    failed = fits().assign(best_epoch=[0, 20, 40, np.nan])
    assert costing.convergence(failed).set_index("model").loc["LSTM", "fits"] == 1


def test_alone_and_together_are_measured_and_carried_over_to_the_study():
    level = prepare_all(bucket(noise=0.002))[0][0]
    table = costing.alone_and_together(level, ["persistence", "RF", "1D-CNN"], members=16, epochs=1)
    assert table["model"].tolist() == ["1D-CNN"] and table["members"].tolist() == [16]
    row = table.iloc[0]
    assert row["alone_s"] > 0 and row["share_s"] > 0
    assert row["ratio"] == pytest.approx(row["alone_s"] / row["share_s"])
    # 3,750 networks x 15 hundreds of epochs
    assert row["study_alone_h"] == pytest.approx(row["alone_s"] * 3750 * 15 / 3600)


def test_the_answer_counts_what_the_tables_say():
    shared = pd.DataFrame({"model": ["LSTM", "1D-CNN"], "ratio": [20.0, 8.0], "study_alone_h": [100.0, 60.0],
                           "study_ensemble_h": [5.0, 7.5]})
    rows = [("persistence", 0.9), ("LSTM", 0.8), ("1D-CNN", 0.85)]
    skill = pd.DataFrame([{"model": model, "lead_d": lead, "value": value + (lead == 7 and model == "LSTM") * 0.15}
                          for lead in (1, 7) for model, value in rows])
    skill = skill.assign(site="all", variant="median", metric="R2", low=np.nan, high=np.nan, n=1)
    cost = pd.DataFrame({"model": ["LSTM", "1D-CNN", "LSTM"], "metric": ["fit_s", "fit_s", "parameters"],
                         "value": [1.5, 20.0, 900]})
    answer, text = costing.answer(skill, cost, shared, costing.convergence(fits()))
    assert answer == ("**Our runs.** At 1 of 2 leads no model beats the baselines. The dearest, 1D-CNN (20 s a fit), "
                      "is best at 1; 7 days ahead LSTM (1.5 s) has median R² 0.95, persistence 0.90. 33% of fits had "
                      "not converged.")
    long = {"LSTM": "CNN-with-LSTM", "1D-CNN": "Transformer"}
    answer = costing.answer(skill.replace({"model": long}), cost.replace({"model": long}), shared,
                            costing.convergence(fits()))[0]
    assert answer.startswith("**Our runs.** At 1 of 2 leads no model") and "persistence 0.90" in answer
    assert "1 day ahead: 1D-CNN has the highest median R² over sites, 0.850, for 20 s a fit" in text
    assert "8.0 times (1D-CNN) to 20.0 times (LSTM) the time of a member" in text
    assert "7,500 networks" in text and "160 hours alone and 12 in ensembles" in text
    assert "33% keep an epoch" in text and "LSTM (50%)" in text


def test_accuracy_beside_cost():
    skill = pd.DataFrame({"model": ["persistence", "LSTM", "LSTM", "LSTM"], "site": "all", "lead_d": 1,
                          "variant": ["median", "median", "mean", "median"], "metric": ["R2", "R2", "R2", "RMSE"],
                          "value": [0.9, 0.8, 0.7, 0.1], "low": np.nan, "high": np.nan})
    cost = pd.DataFrame({"model": ["LSTM", "LSTM"], "metric": ["fit_s", "bytes"], "value": [3.0, 9.0]})
    table = costing.accuracy_and_cost(skill, cost)
    assert table[["model", "cost", "value"]].values.tolist() == [["persistence", 0.0, 0.9], ["LSTM", 3.0, 0.8]]


@pytest.mark.parametrize(("settings", "rule"), [
    ((["persistence", "RF"], 8, 1), "models must hold a network"), ((["LSTM"], 0, 1), "members must be at least 1"),
    ((["LSTM"], 8, 0), "timed_epochs must be at least 1")])
def test_wrong_settings(settings, rule):
    with pytest.raises(ValueError, match=rule):
        costing.check_settings(*settings)
