"""The audit of the printed tables: it finds what the README lists, explains the rest, and finds what is planted."""

import shutil

import numpy as np
import pandas as pd
import pytest

from smlib.data.schema import DataError
from smlib.evaluate import audit, printed
from smlib.evaluate.audit_rules import alike, at_most, compared, complete, of_scores, same, whole
from smlib.evaluate.printed import interval

# file -> row (from 0), column, what is printed there by mistake, and the rule and row that must find it
PLANTED = {
    "wang2024_tables2_6_r2": (45, "r2", "1.024", "R² ≤ 1", "Table 3, 1D-CNN, 0.05, 1"),
    "wang2024_table1_sites": (0, "sand_pct", "80", "sand + silt + clay = 100 %", "Kingston-1-W"),
    "wang2024_tableD2_splits": (1, "val_start", "2014.06.12", "train_end = val_start", "HubbardBrook"),
    "fan2025_table1_cost": (2, "convergence_epoch", "6.5", "convergence_epoch is a whole number from 1", "ConvLSTM"),
    "fan2025_table2_short_term": (1, "r2", "0.9358", audit.IMPLIED, "LSTM"),
    "fan2025_table3_long_term": (0, "mse", "0.0042", "MSE = RMSE²", "CNN"),
    "fan2025_table4_5_nudging": (4, "bias", "0.0651", "|bias| ≤ MAE", "LSTM, 0.01, 20.0"),
    "rabiei2024_table1_products_vs_in_situ": (0, "rmse", "0.055", "RMSE² ≥ ubRMSE² + bias²", "Grasslands, DCA, SCAN"),
    "rabiei2024_table3_convlstm": (3, "ubrmse", "0.41", "ubRMSE ≤ RMSE", "10-40, 2"),
    "rabiei2025_table1_products_vs_in_situ": (0, "value", "0.36", "the same in both papers",
                                              "Grasslands, SCAN, DCA, r"),
    "rabiei2025_table4_station_textures": (3, "n", "4", "as many stations in every layer", "USCRN"),
    "rabiei2025_table5_one_day_forecast_quartiles": (0, "median", "0.85", "median ≤ q3", "0-10, SCAN, S1, r"),
    "rabiei2025_tableA1_station_land_cover": (5, "n", "-4", "n is a whole number from 0",
                                              "Grassland, 0-10, fine, USCRN"),
    "xie2025_table2_hyperparameters": (0, "HOBE", "10", "learning rate and dropout lie between 0 and 1",
                                       "learning_rate, HOBE"),
    "xie2025_table3_correlation_with_in_situ": (0, "significance_stars", "0",
                                                "within a network, the larger |r| has no fewer stars",
                                                "CTP-SMTMN, PRE, FVC"),
    "xie2025_table4_grid_matching": (0, "bias", "0.052", "RMSE² = ubRMSE² + bias²", "HOBE, FPLE, ASCAT"),
    "xie2025_table5_improved_rmse": (1, "value", "0.606", "0 ≤ RMSE ≤ 0.6", "ASCAT, HOBE, FPLE"),
}


@pytest.fixture(scope="module")
def found():
    return audit.comparisons()


def keys(frame):
    return set(map(tuple, frame[frame["fails"]][["file", "rule", "row"]].to_numpy()))


# --- The printed tables


def test_what_fails_is_what_is_listed_or_has_a_reason(found):
    assert not set(audit.LISTED) & set(audit.REASONS)
    assert keys(found) == set(audit.LISTED) | set(audit.REASONS)
    table = audit.summary(found)
    assert table["comparisons"].sum() == len(found) > 3000
    assert table["unexplained"].sum() == 0 and table["fails"].sum() == len(audit.LISTED) + len(audit.REASONS)
    failed = audit.failures(found)
    assert ((failed["listed"] != "") ^ (failed["reason"] != "")).all() and (failed["slack"] > 0).all()
    assert (found.loc[~found["fails"], "slack"] == 0).all()


def test_every_line_of_the_readme_is_found(found):
    """Four lines are failures; the fifth says what the standard deviation is that all tables of one paper imply."""
    assert set(printed.oddities()) == set(audit.LISTED.values()) | {"fan2025"}
    rows = {row for (_, _, row), line in audit.LISTED.items() if line == "xie2025_table4"}
    assert rows == {"OZNET, FPLE, ESA-CCI", "OZNET, FPLE, SMAP", "OZNET, LEP, ASCAT", "CTP-SMTMN, LEF, ESA-CCI"}
    std, (low, high) = audit.implied()
    assert len(std) == 32 and "0.0415 +- 0.0003" in printed.oddities()["fan2025"]
    assert ((std["low"] <= low) & (high <= std["high"])).all() and 0.0412 < low < high < 0.0418
    assert not found[found["rule"] == audit.IMPLIED]["fails"].any()


def test_every_table_is_compared(found):
    assert set(printed.names()) == set(PLANTED) <= set(found["file"])


def test_a_planted_error_is_found_in_every_file(found, tmp_path):
    folder = tmp_path / "published"
    shutil.copytree(printed.PUBLISHED, folder)
    for name, (row, column, text, _, _) in PLANTED.items():
        table = printed.table(name, folder)
        assert table.loc[row, column] != text
        table.loc[row, column] = text
        table.to_csv(folder / f"{name}.csv", index=False)
    wrong, before = keys(audit.comparisons(folder)), keys(found)
    assert {(name, rule, row) for name, (_, _, _, rule, row) in PLANTED.items()} <= wrong - before
    assert before <= wrong  # and none hides another


def test_a_table_without_a_rule_is_an_error(tmp_path):
    folder = tmp_path / "published"
    shutil.copytree(printed.PUBLISHED, folder)
    (folder / "xie2025_table9.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="no rule of the audit is for xie2025_table9"):
        audit.comparisons(folder)
    with pytest.raises(DataError, match="no such table; there are wang2024_table1_sites"):
        printed.table("wang2024_table9", folder)
    (folder / "smith2020_table1.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="tables of no study: smith2020_table1"):
        printed.names(folder)


def test_one_study_alone(found):
    some = audit.of_study(found, "xie2025")
    assert set(some["file"]) == {name for name in printed.names() if name.startswith("xie2025")}
    assert len(audit.of_study(found, "all")) == len(found)
    with pytest.raises(ValueError, match="no study 'xie'; there are all, wang2024"):
        audit.of_study(found, "xie")


def test_parts_of_the_rmse(found):
    parts = audit.decomposition(found).set_index(["file", "row"])
    row = parts.loc["xie2025_table4_grid_matching", "OZNET, FPLE, SMAP"]
    assert row["fails"] and row["rmse"] == 0.070 and row["given"] == pytest.approx(np.hypot(0.040, 0.051), abs=1e-5)
    assert row["half"] == pytest.approx(0.0005 * (0.040 + 0.051) / np.hypot(0.040, 0.051), rel=0.01)
    assert parts["fails"].sum() == 4 and parts.notna().all(axis=None)


# --- The rules, on scores whose truth is known


def made_scores(digits, seed=0, n=40):
    """Scores of made forecasts, rounded as in print; the truth is the same for all."""
    rng = np.random.default_rng(seed)
    truth = 0.25 + 0.05 * rng.standard_normal(300)
    rows = []
    for k in range(n):
        noise = rng.uniform(0, 0.04) * rng.standard_normal(300)
        made = truth + rng.uniform(-0.5, 0.5) * (truth - 0.25) + rng.normal(0, 0.02) + noise
        error = made - truth
        mse = np.mean(error**2)
        rows.append({"row": str(k), "r": np.corrcoef(made, truth)[0, 1], "r2": 1 - mse / truth.var(), "mse": mse,
                     "mae": abs(error).mean(), "rmse": np.sqrt(mse), "ubrmse": error.std(), "bias": error.mean()})
    table = pd.DataFrame(rows)
    return table.assign(**{name: table[name].map(f"{{:.{digits}f}}".format) for name in table.columns.drop("row")})


@pytest.mark.parametrize("digits", [2, 3, 4])
@pytest.mark.parametrize("pooled", [True, False])
def test_consistent_scores_break_no_rule(digits, pooled):
    found = pd.concat(of_scores("file", made_scores(digits), ["row"], pooled))
    assert not found["fails"].any() and len(found) == 40 * 13
    assert set(found["file"]) == {"file"} and set(found["row"]) == set(map(str, range(40)))


@pytest.mark.parametrize(("column", "change", "rule"), [
    ("rmse", 1.2, "RMSE² = ubRMSE² + bias²"), ("mae", 2.0, "MAE ≤ RMSE"), ("mse", 1.3, "MSE = RMSE²"),
    ("ubrmse", 1.5, "ubRMSE ≤ RMSE"), ("r", 0.5, "R² ≤ r²"), ("r", 2.0, "|r| ≤ 1")])
def test_an_error_in_one_score_breaks_its_rule(column, change, rule):
    table = made_scores(4, n=1)
    assert float(table.loc[0, "r2"]) > 0.5
    table[column] = f"{change * float(table.loc[0, column]):.4f}"
    found = pd.concat(of_scores("file", table, ["row"], True)).set_index("rule")
    assert found.loc[rule, "fails"] and found.loc[rule, "slack"] > 0


def test_means_over_stations_may_exceed_their_parts():
    table = pd.DataFrame({"row": ["a", "b"], "rmse": ["0.090", "0.050"], "ubrmse": ["0.050", "0.050"],
                          "bias": ["0.010", "0.030"]})
    found = pd.concat(of_scores("file", table, ["row"], False)).set_index(["rule", "row"])["fails"]
    assert not found["RMSE² ≥ ubRMSE² + bias²", "a"] and found["RMSE² ≥ ubRMSE² + bias²", "b"]


def test_a_correlation_bounds_the_bias():
    """With R2 near r2 there is no room for a bias."""
    row = {"row": "a", "r": "0.9000", "r2": "0.8000", "rmse": "0.0300", "mae": "0.0250"}
    for bias, fails in (("0.0050", False), ("0.0200", True)):
        found = pd.concat(of_scores("file", pd.DataFrame([row | {"bias": bias}]), ["row"], True)).set_index("rule")
        assert found["fails"].to_dict()["1 − r² ≤ (1 − R²)(1 − bias²/RMSE²)"] == fails
        assert found["fails"].sum() == fails


# --- Print precision


def test_a_printed_number_stands_for_what_rounds_to_it():
    found = interval(["0.043", "-0.02", "50", "0.0000", "", "extremely poor"])
    np.testing.assert_allclose(found.low, [0.0425, -0.025, 49.5, -0.00005, np.nan, np.nan])
    np.testing.assert_allclose(found.high, [0.0435, -0.015, 50.5, 0.00005, np.nan, np.nan])


def test_intervals_hold_every_number_in_them():
    rng = np.random.default_rng(1)
    ends = np.sort(rng.normal(size=(2, 2, 500)), axis=1)
    a, b = (printed.Interval(*pair) for pair in ends)
    x, y = (np.array([rng.uniform(low, high) for low, high in pair.T]) for pair in ends)
    for got, value in ((a + b, x + y), (a - b, x - y), (abs(a), abs(x)), (a.square(), x**2), (a.times(b), x * y),
                       (a.square().root(), abs(x)), (a.over(abs(b) + 1), x / (abs(y) + 1))):
        assert ((got.low <= value + 1e-12) & (value - 1e-12 <= got.high)).all()
    np.testing.assert_allclose(a.times(b).high, np.max([p * q for p in ends[0] for q in ends[1]], axis=0))


def test_equal_to_the_last_digit_is_equal():
    assert same(interval(["0.0209"]), interval(["0.021"])).item() <= 0
    assert same(interval(["0.0204"]), interval(["0.021"])).item() == pytest.approx(0.00005)
    assert at_most(interval(["0.05"]), 0.04).item() == pytest.approx(0.005)
    frame = compared("f", "rule", ["a", "b", "c"], ["1", "2", "3"], [0.0, np.nan, 0.5])
    assert frame["row"].tolist() == ["a", "c"] and frame["fails"].tolist() == [False, True]


def test_tables_must_be_whole():
    table = pd.DataFrame({"g": list("aabb"), "k": list("xyxx"), "n": ["1", "2.5", "-1", "x"],
                          "v": ["0.05", "0.06", "0.5", "0.004"]})
    found = complete("f", table, ["g"], ["k"])
    assert found["printed"].tolist() == ["2 of 2", "1 of 1, 1 twice"] and found["fails"].tolist() == [False, True]
    assert whole("f", table, ["k"], "n")["fails"].tolist() == [False, True, True, True]
    assert alike("f", table, ["k"], "v", "v")["fails"].tolist() == [False, False, True, True]
