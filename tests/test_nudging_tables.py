"""The study's tables against the files of printed values, arrays scored again, and cases worked by hand."""

import numpy as np
import pandas as pd
import pytest
from test_nudging_field import small_field
from test_nudging_settings import small_study, stretches_of

from smlib.evaluate import COLUMNS
from smlib.evaluate.field_scores import FIELD_METRICS, day_sums, field_metrics
from smlib.nudging import (
    beside_print,
    best_of_each,
    daily_table,
    field_maps,
    field_table,
    grid,
    growth_table,
    methods_skill,
    methods_table,
    nudge_study,
    on_days,
    regional_table,
    settings_skill,
    skill_table,
    spread_against_plain,
    verdicts,
    wide,
)
from smlib.nudging.tables import count_outside
from smlib.run import begin

TIME = np.arange("2021-06-15", "2021-07-10", dtype="datetime64[D]")


def sums_with(error, days=25, seed=0):
    """(day, 8) sums of a forecast that is off by so much on all of 2 x 10 cells, or by (day,) of it."""
    truth = 0.2 + 0.05 * np.random.default_rng(seed).standard_normal((days, 2, 10))
    made = truth + np.broadcast_to(error, days)[:, None, None]
    where = np.ones((2, 10), bool)
    return np.concatenate([day_sums(f[None], o, where, 0.2) for f, o in zip(made, truth, strict=True)])


@pytest.fixture
def run(here, monkeypatch):
    for name in ("SMLIB_RUN_DIR", "SMLIB_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)
    here.notebook("nudging/page", parameters="seed = 0")
    return begin("nudging/page", seed=0)


@pytest.fixture
def skill():
    sums = {"ConvLSTM": sums_with(0.01), "persistence": sums_with(0.02), "climatology": sums_with(-0.04)}
    return skill_table(sums, source="twin", protocol="strict", variant="free run", draws=50,
                       references=("persistence", "climatology", "not there"))


def value(table, **wanted):
    for key, item in wanted.items():
        table = table[table[key] == item]
    assert len(table) == 1
    return table["value" if "value" in table else "printed"].item()


def test_known_errors_in_the_skill_table(skill):
    assert list(skill.columns) == list(COLUMNS) and set(skill["study"]) == {"nudging"}
    assert value(skill, model="ConvLSTM", metric="RMSE") == pytest.approx(0.01)
    assert value(skill, model="climatology", metric="bias") == pytest.approx(-0.04)
    assert value(skill, model="ConvLSTM", metric="skill_persistence") == pytest.approx(1 - 0.01**2 / 0.02**2)
    assert value(skill, model="climatology", metric="skill_persistence") == pytest.approx(1 - 0.04**2 / 0.02**2)
    assert value(skill, model="persistence", metric="skill_persistence") == 0
    assert (skill["n"] == 500).all() and "skill_not there" not in set(skill["metric"])


def test_a_run_takes_the_skill_tables(run, skill):
    run.skill(skill)
    run.skill(skill.assign(lead_d=1))
    study = small_study(names=["CNN"])
    tables, *_ = nudge_study(study, stretches_of(study), grid([0.5, 1.0], [0.5, 1.0], [0.0]), draws=20)
    methods = methods_skill(methods_table(compared(), draws=20), source="small", protocol="strict")
    path = run.skill(pd.concat([settings_skill(tables["test"], source="small", protocol="strict"), methods]))
    read = pd.read_csv(path)
    nothing = read[read["variant"].str.contains("100 % observed.*unobserved")]  # no cell is: no value, and n says so
    assert len(nothing) == 2 * 2 * len(FIELD_METRICS) and nothing["value"].isna().all() and (nothing["n"] == 0).all()


def test_printed_values_are_those_of_the_files(skill):
    long, short = (beside_print(skill, which) for which in ("long-term", "short-term"))
    for table, model, metric, printed in ((long, "ConvLSTM", "R2", 0.5362), (long, "LSTM", "bias", 0.0569),
                                          (long, "CNN", "R2", -0.4099), (short, "ConvLSTM", "RMSE", 0.0068),
                                          (short, "ConvLSTM-SE", "r", 0.9763), (short, "LSTM", "MAE", 0.0072)):
        row = table[(table["model"] == model) & (table["metric"] == metric)]
        assert row["printed"].item() == printed
    assert len(long) == len(short) == 24
    assert value(long, model="ConvLSTM", metric="RMSE") == pytest.approx(0.01)  # ours beside it
    assert long.loc[long["model"] == "CNN", "value"].isna().all()  # which was not run


def test_wide_is_text_with_intervals(skill):
    table = wide(skill)
    assert list(table.index) == ["ConvLSTM", "persistence", "climatology"] and "skill_climatology" in table
    assert table.loc["ConvLSTM", "RMSE"] == "0.0100 [0.0100, 0.0100]"
    assert table.loc["climatology", "bias"] == "−0.0400 [−0.0400, −0.0400]"
    huge = wide(pd.DataFrame({"model": ["LSTM"] * 2, "metric": ["R2", "r"], "value": [-123456.0, np.nan],
                              "low": np.nan, "high": np.nan}))
    assert list(huge.loc["LSTM"]) == ["−1.23e+05", "–"]


def test_daily_and_regional_tables():
    sums = {"CNN": sums_with(np.arange(25) / 100), "LSTM": sums_with(0.0)}
    daily = daily_table(sums, TIME)
    assert len(daily) == 2 * 25 * len(FIELD_METRICS)
    assert value(daily, model="CNN", metric="RMSE", time=TIME[7]) == pytest.approx(0.07)
    made, truth = regional_table(sums, TIME, 0.2)
    cells = 0.2 + 0.05 * np.random.default_rng(0).standard_normal((25, 2, 10))
    np.testing.assert_allclose(truth["value"], cells.mean((1, 2)))
    np.testing.assert_allclose(made.loc[made["model"] == "CNN", "value"] - truth["value"].values, np.arange(25) / 100)


def test_a_day_without_a_pair_is_missing():
    sums = sums_with(0.01)
    sums[3] = 0
    assert np.isnan(value(daily_table({"CNN": sums}, TIME), metric="RMSE", time=TIME[3]))
    made, truth = regional_table({"CNN": sums}, TIME, 0.2)
    assert list(np.flatnonzero(made["value"].isna())) == list(np.flatnonzero(truth["value"].isna())) == [3]


@pytest.mark.parametrize("centre", [0.0, 0.2])
def test_counting_cells_outside_is_scoring_an_array_with_zeros_put_in(centre):
    rng = np.random.default_rng(2)
    truth, made = 0.2 + 0.05 * rng.standard_normal((2, 9, 4, 5))
    valid = rng.random((4, 5)) < 0.7
    inside = np.concatenate([day_sums(f[None], o, valid, centre) for f, o in zip(made, truth, strict=True)])
    truth[:, ~valid] = made[:, ~valid] = 0
    whole = np.concatenate([day_sums(f[None], o, np.ones((4, 5), bool), centre)
                            for f, o in zip(made, truth, strict=True)])
    np.testing.assert_allclose(count_outside(inside, int((~valid).sum()), centre), whole, atol=1e-12)
    both = count_outside(np.stack([inside, inside]), int((~valid).sum()), centre)
    np.testing.assert_allclose(both, np.stack([whole, whole]), atol=1e-12)


def test_growth_by_hand():
    """Errors of 0.01 on days 1 to 10, 0.02 to 20, 0.03 and 0.05 on the five days that are left."""
    error = np.repeat([0.01, 0.02, 0.03, 0.05], [10, 10, 4, 1])
    found = growth_table({"CNN": sums_with(error)}, "free")
    assert found["lead"].tolist() == [5.5, 15.5, 23] and set(found["run"]) == {"free"}
    np.testing.assert_allclose(found["value"], [0.01, 0.02, np.sqrt((4 * 0.03**2 + 0.05**2) / 5)])


def method(forecast, analysis, network, validation, error, pattern="random 10 %", unseen=None):
    """A row of a comparison: errors over all cells and over those not observed."""
    sums = np.stack([sums_with(error), sums_with(error if unseen is None else unseen)])
    return {"pattern": pattern, "forecast": forecast, "analysis": analysis, "network": network, "chosen": "",
            "validation_rmse": validation, "judged_on": "unobserved", "sums": sums}


def compared(*more):
    return pd.DataFrame([method("CNN", "none", True, 0.05, 0.001), method("CNN", "nudging", True, 0.03, 0.03),
                         method("CNN", "spread nudging", True, 0.02, 0.01, unseen=0.012),
                         method("climatology", "nudging", False, 0.025, 0.03, unseen=0.04),
                         method("climatology", "spread nudging", False, 0.03, 0.002, unseen=0.01),
                         method("no forecast", "kriging", False, 0.02, 0.03, unseen=0.02), *more])


def test_the_verdict_is_between_the_two_that_are_best_on_validation():
    """Not on the test, where others are: 1 - 0.012^2 / 0.02^2 over the unobserved cells."""
    found = verdicts(compared(method("CNN", "nudging", True, 0.1, 0.1, "swaths"),
                              method("persistence", "none", False, 0.1, 0.05, "swaths"),
                              method("CNN", "none", True, 0.1, 0.1, "gaps")), draws=50)
    assert found["pattern"].tolist() == ["random 10 %", "swaths"]  # under gaps there is none without a network
    row = found.iloc[0]
    assert (row["network"], row["without"]) == ("CNN + spread nudging", "kriging")
    assert (row["rmse"], row["rmse_without"]) == pytest.approx((0.012, 0.02))
    assert row["skill"] == pytest.approx(0.64) and row["low"] == pytest.approx(0.64)
    assert found.loc[1, "skill"] == pytest.approx(-3) and found.loc[1, "without"] == "persistence"


def test_where_all_was_observed_the_verdict_is_over_all_cells():
    rows = [method("CNN", "nudging", True, 0.1, 0.02), method("persistence", "nudging", False, 0.1, 0.04)]
    for row in rows:
        row["sums"][1] = 0
    assert verdicts(pd.DataFrame(rows), draws=50)["skill"].item() == pytest.approx(0.75)


def test_methods_their_names_and_the_best_of_each_forecast():
    table = methods_table(compared(), draws=20)
    assert list(dict.fromkeys(table["method"])) == ["CNN", "CNN + nudging", "CNN + spread nudging",
                                                    "climatology + nudging", "climatology + spread nudging", "kriging"]
    assert value(table, method="CNN + spread nudging", metric="RMSE", cells="all") == pytest.approx(0.01)
    assert value(table, method="CNN + spread nudging", metric="RMSE", cells="unobserved") == pytest.approx(0.012)
    best = best_of_each(table)
    assert best["method"].tolist() == ["CNN + spread nudging", "climatology + nudging", "kriging"]
    assert best["value"].tolist() == pytest.approx([0.012, 0.04, 0.02])


def test_spread_against_plain():
    table = spread_against_plain(methods_table(compared(method("CNN", "nudging", True, 0.1, 0.1, "swaths")), draws=0))
    assert table["forecast"].tolist() == ["CNN", "climatology"] and set(table["pattern"]) == {"random 10 %"}
    assert table["ratio"].tolist() == pytest.approx([0.012 / 0.03, 0.01 / 0.04])


def test_the_field_in_numbers_and_maps():
    field = small_field()
    table = field_table(field).set_index("period")
    assert table["days"].tolist() == [549, 51, 47] and table["windows"].tolist() == [546, 48, 44]
    train = field.truth[field.periods["train"]]
    assert table.loc["train", "mean"] == pytest.approx(train[:, field.valid].mean(), rel=1e-5)
    assert table.loc["train", "sd"] == pytest.approx(train[:, field.valid].std(), rel=1e-4)
    maps = field_maps(field)
    assert maps["mean"][3, 3] == pytest.approx(train[:, 3, 3].mean(), rel=1e-5)
    assert maps["standard deviation"][3, 3] == pytest.approx(train[:, 3, 3].std(), rel=1e-4)
    assert np.isnan(maps["mean"][~field.valid]).all()


def test_maps_on_days():
    truth = np.arange(24.0).reshape(6, 2, 2)
    seen, made = on_days(truth, {"CNN": truth + 1, "LSTM": truth + 2}, TIME, [1, 4])
    np.testing.assert_array_equal(seen, truth[[1, 4]])
    np.testing.assert_array_equal(made.sel(model="LSTM"), truth[[1, 4]] + 2)
    assert made.dims == ("model", "time", "y", "x")
    assert list(made["time"].values.astype("datetime64[D]")) == [TIME[1], TIME[4]]


def test_metrics_of_the_sums_here_are_known():
    assert float(field_metrics(sums_with(0.03).sum(0))["RMSE"]) == pytest.approx(0.03)
