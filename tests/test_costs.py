"""Accuracy against cost: tables made here, whose fronts, shares and joins are known."""

import numpy as np
import pandas as pd
import pytest

from smlib.evaluate import COLUMNS, costs
from smlib.plots.frontier import FLOOR, fronts


def skills(page, rows, **same):
    """Rows of a skill table: (model, variant, metric, value)."""
    base = dict.fromkeys(COLUMNS, np.nan) | {"page": page, "study": page.split("/")[0], "source": "twin",
                                             "protocol": "strict", "site": "all", "n": 9} | same
    return [base | {"model": m, "variant": v, "metric": k, "value": x} for m, v, k, x in rows]


def prices(page, rows, device="cpu"):
    return [{"page": page, "study": page.split("/")[0], "model": m, "device": device, "metric": k, "value": x}
            for m, k, x in rows]


@pytest.fixture
def skill():
    deep = {"depth_m": 0.05}
    rows = [*skills("stations/compare", [("LSTM", "median", "skill_persistence", 0.3),
                                         ("RF", "median", "skill_persistence", 0.2),
                                         ("SVR", "median", "skill_persistence", 0.1),
                                         ("persistence", "median", "skill_persistence", 0.0),
                                         ("LSTM", "median increment", "skill_persistence", 0.9),
                                         ("LSTM", "mean", "skill_persistence", 0.9)], lead_d=7, low=0.0, high=0.5),
            *skills("stations/compare", [("LSTM", "median", "skill_persistence", 0.8)], lead_d=1),
            *skills("nudging/short_term", [("CNN", "one day ahead", "skill_persistence", 0.4)], lead_d=1),
            *skills("nudging/long_term", [("CNN", "free run", "skill_climatology", -2.0)]),
            *skills("fusion/gapfill", [("OI", "gaps: 1", "RMSE", 0.01), ("OI", "gaps: 9", "RMSE", 0.02),
                                       ("climatology + persistence", "gaps: 1", "RMSE", 0.02),
                                       ("climatology + persistence", "gaps: 9", "RMSE", 0.02)], source="simulated"),
            *skills("fusion/estimate", [("ConvLSTM", "S1 against truth", "skill_NLDAS-2", 0.5)], **deep),
            *skills("fusion/estimate", [("ConvLSTM", "S1 against truth", "skill_NLDAS-2", 0.9)], depth_m=0.2),
            *skills("forecast/skill", [("ConvLSTM", "S1, at stations", "skill_persistence", 0.1),
                                       ("ConvLSTM", "S4, at stations", "skill_persistence", 0.2),
                                       ("ConvLSTM", "S1, against truth", "skill_persistence", 0.7),
                                       ("climatology", "at stations", "skill_persistence", -0.1)], lead_d=1, **deep),
            *skills("correction/upscale", [("stage 1", "SMAP, LEP", "RMSE", 0.02),
                                           ("climatology", "SMAP", "RMSE", 0.04),
                                           ("stage 1", "SMAP, LEP, against truth", "RMSE", 0.9)], site="HOBE"),
            *skills("correction/improve", [("MLSTM", "SMAP, LEP, weight 0.5", "RMSE", 0.02),
                                           ("linear", "SMAP", "RMSE", 0.03), ("raw", "SMAP", "RMSE", 0.05),
                                           ("MLSTM", "SMAP, LEP, weight 0.5, against truth", "RMSE", 0.9),
                                           ("climatology", "SMAP", "RMSE", 0.04)], site="HOBE"),
            *skills("correction/improve", [("MLSTM", "SMAP, LEP, weight 0.5", "RMSE", 0.9)], site="HOBE",
                    protocol="paper")]
    return pd.DataFrame(rows)


@pytest.fixture
def cost():
    rows = [*prices("stations/compare", [("LSTM", "fit_s", 8.0), ("LSTM", "forecast_s", 0.1),
                                         ("LSTM", "parameters", 90), ("RF", "fit_s", 1.0), ("SVR", "fit_s", 2.0),
                                         ("persistence", "fit_s", 1e-6)]),
            *prices("stations/compare", [("LSTM", "fit_s", 0.5)], "cuda"),
            *prices("nudging/cost", [("CNN", "train_s", 60.0), ("CNN", "forecast_s", 2.0)]),
            *prices("fusion/gapfill", [("OI", "seconds to fit, simulated", 3.0)]),
            *prices("fusion/estimate", [("ConvLSTM S1, 0-10 cm", "train_s", 5.0),
                                        ("ConvLSTM S1, 10-40 cm", "train_s", 7.0)]),
            *prices("forecast/train", [("ConvLSTM S1, 0-10 cm", "train_s", 6.0)]),
            *prices("forecast/skill", [("ConvLSTM S1, 0-10 cm", "train_s", 6.0),
                                       ("ConvLSTM S1, 0-10 cm", "forecast_s", 8.0),
                                       ("ConvLSTM S1, 0-10 cm", "forecast_days", 4)]),
            *prices("correction/upscale", [("stage 1", "fit_s", 4.0), ("climatology", "fit_s", 0.1)]),
            *prices("correction/improve", [("MLSTM", "fit_s", 5.0), ("linear", "fit_s", 0.2)])]
    return pd.DataFrame(rows)


def test_every_model_stands_beside_its_cost(skill, cost):
    found = costs.accuracy_and_cost(skill, cost)
    assert list(found) == [*costs.COLUMNS, "front"]
    rows = found.set_index(["study", "task", "model", "device"]).sort_index()
    at = rows.loc["stations", "7 days ahead, median of the sites"]
    assert at.loc[("LSTM", "cpu"), ["skill", "low", "high", "train_s", "forecast_s", "parameters"]].tolist() == [
        0.3, 0.0, 0.5, 8.0, 0.1, 90]
    assert at.loc[("LSTM", "cuda"), "train_s"] == 0.5 and at.loc[("persistence", "cpu"), "train_s"] == 1e-6
    assert len(at) == 5
    assert rows.loc[("nudging", "free run", "CNN", "cpu"), "skill"] == -2.0
    assert rows.loc[("fusion", "surface, against the truth", "ConvLSTM S1", "cpu"), ["skill", "train_s"]].tolist() == [
        0.5, 5.0]
    at = rows.loc["forecast", "surface, 1 day ahead, at stations"]
    assert sorted(at["skill"]) == [-0.1, 0.1, 0.2] and at["train_s"].dropna().tolist() == [6.0]
    assert at.loc[("ConvLSTM S1", "cpu"), "forecast_s"] == 2.0  # of one day of four
    assert (rows.loc["forecast"].index.get_level_values("device") == "").sum() == 2


def test_a_baseline_is_timed_for_the_layer_that_is_scored(skill, cost):
    more = prices("forecast/skill", [("climatology, 0-10 cm", "train_s", 0.5),
                                     ("climatology, 10-40 cm", "train_s", 0.7)])
    cost = pd.concat([cost, pd.DataFrame(more)], ignore_index=True)
    found = costs.accuracy_and_cost(skill, cost).set_index(["study", "model", "device"])
    assert found.loc[("forecast", "climatology", "cpu"), ["skill", "train_s"]].tolist() == [-0.1, 0.5]
    assert "forecast/skill" not in set(costs.without_cost(skill, cost)["page"])


def test_skill_from_rmse_is_the_median_over_cases(skill, cost):
    found = costs.accuracy_and_cost(skill, cost).set_index(["task", "model"])
    row = found.loc["gaps filled", "OI"]
    assert row["skill"] == pytest.approx(np.median([1 - 0.25, 0])) and row["train_s"] == 3.0 and np.isnan(row["low"])
    assert found.loc[("gaps filled", "climatology + persistence"), "skill"] == 0
    row = found.loc["products against in-situ data", "MLSTM"]
    assert row["skill"] == pytest.approx(0.75) and row["train_s"] == 5.0
    assert found.loc[("products against in-situ data", "linear"), "train_s"] == 0.2
    assert found.loc[("cells against in-situ data", "stage 1"), "skill"] == pytest.approx(0.75)


def test_the_front_holds_what_nothing_cheaper_reaches(skill, cost):
    found = costs.accuracy_and_cost(skill, cost)
    at = found[found["study"] == "stations"].set_index(["model", "device"])["front"]
    assert at.to_dict() == {("LSTM", "cpu"): True, ("LSTM", "cuda"): True, ("RF", "cpu"): True, ("SVR", "cpu"): False,
                            ("persistence", "cpu"): False}
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"study": "a", "task": "b", "source": "c", "device": "cpu", "model": "m", "reference": "r",
                          "train_s": rng.integers(1, 9, 60).astype(float), "skill": rng.integers(0, 9, 60) / 9})
    for k, on in enumerate(costs.front(table)):
        one = table.loc[k]
        better = (table["train_s"] <= one["train_s"]) & (table["skill"] >= one["skill"]) & (
            (table["train_s"] < one["train_s"]) | (table["skill"] > one["skill"]))
        same = ((table["train_s"] == one["train_s"]) & (table["skill"] == one["skill"])).sum()
        assert on <= (not better.any()) and (on or better.any() or same > 1)


def test_what_has_no_cost_is_named(skill, cost):
    found = costs.without_cost(skill, cost).set_index("page")["models"]
    assert found["forecast/skill"] == "climatology" and "nudging/long_term" not in found
    assert found["correction/improve"] == "raw"


def test_a_task_without_rows_or_with_two_is_an_error(skill, cost):
    with pytest.raises(ValueError, match="nudging/long_term has no skill_climatology for nudging, free run"):
        costs.accuracy_and_cost(skill[skill["page"] != "nudging/long_term"], cost)
    with pytest.raises(ValueError, match="stations/compare: several rows of LSTM"):
        costs.accuracy_and_cost(pd.concat([skill, skill]), cost)


def test_the_answer_names_the_best_and_the_dearest(skill, cost):
    answer, text = costs.answer(costs.accuracy_and_cost(skill, cost))
    assert answer.startswith("**Our runs.** In 1 of ") and "no timed model beats the reference. The dearest is the " \
        "best in 2 of 2 that time several; the best surely beats the reference in " in answer
    assert "(twin, cpu), against persistence: LSTM has skill +0.30 [0.00, 0.50] for 8 s of training, the best and " \
           "the dearest of 3." in text
    assert "MLSTM has skill +0.75 for 5 s of training, the best and the dearest of 2." in text
    assert "stage 1 has skill +0.75 for 4 s of training; no other model is timed." in text
    skill.loc[skill["model"] == "RF", "value"] = 0.35
    answer, text = costs.answer(costs.accuracy_and_cost(skill, cost))
    assert "best in 1 of 2" in answer
    assert "RF has skill +0.35 [0.00, 0.50] for 1 s of training, the best of 3; the dearest, LSTM, has +0.30 for " \
           "8 s." in text


def test_print_stands_beside_ours():
    table = pd.DataFrame({"model": ["CNN"] * 3, "metric": ["train_s", "size_mib", "parameters"],
                          "printed": [436.0, 0.11, np.nan], "value": [9.0, 0.2, 7.0]})
    found = costs.printed_cost(table)
    assert found.loc["CNN", ("Fan et al. (2025)", "training (s)")] == 436
    assert found.loc["CNN", ("ours", "file (MiB)")] == 0.2 and found.shape == (1, 8)


def test_the_figure_has_a_panel_a_task_and_names_the_front(skill, cost):
    table = costs.accuracy_and_cost(skill, cost)
    fig = fronts(table)
    assert len(fig.axes) == len(costs.TASKS)
    assert {text.get_text() for text in fig.axes[0].texts} == {"RF", "LSTM"}
    for ax, (_, rows) in zip(fig.axes, table.groupby(["study", "task", "source"], sort=False), strict=True):
        low, high = ax.get_ylim()  # its own scale, with the reference and whatever is not far below it
        shown = rows.loc[rows["train_s"].notna() & rows["skill"].between(FLOOR, 1), "skill"]
        assert FLOOR <= low < 0 < high and shown.between(low, high).all()
    assert len(fronts(table.iloc[:0]).axes) == 1
