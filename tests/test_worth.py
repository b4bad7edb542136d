"""What shortcuts are worth, where it is known: by construction, by a formula, or because nothing can come of them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from test_nudging_settings import small_study, stretches_of
from test_stations import bucket

from smlib.conus.tables import loss_pairs
from smlib.correction import shortcuts as correction
from smlib.data.windows import Windows, WindowScaler
from smlib.evaluate import worth
from smlib.models import build
from smlib.nudging import free_run_worth, grid, nudge_study
from smlib.nudging import shortcuts as nudging
from smlib.stations import prepare_all, shortcuts


def pair(unit, model="LSTM", rmse=0.04, leaky=0.03, case="1 d", counted=True, shortcut="a shortcut"):
    return dict(zip(worth.PAIRS, (shortcut, "stations", "measured", unit, case, model, counted, rmse, 0.5, leaky, 0.6),
                    strict=True))


# The statistics

def test_the_worth_is_the_geometric_mean_of_the_units():
    pairs = pd.DataFrame([pair("A", leaky=0.02), pair("A", leaky=0.02, case="3 d"), pair("B"), pair("C", leaky=0.04)])
    row = worth.summary(pairs).iloc[0]
    logs = np.log([0.5, 0.75, 1.0])
    assert row["worth"] == pytest.approx(100 * (1 - np.exp(logs.mean()))) and row["units"] == 3
    assert row["low"] < row["worth"] < row["high"] and row["rmse_leaky"] < row["rmse"] == pytest.approx(0.04)
    assert list(worth.by_unit(pairs)["worth"].round(9)) == [50, 25, 0]


def test_a_shortcut_that_makes_the_error_larger_costs():
    row = worth.summary(pd.DataFrame([pair(u, leaky=0.05) for u in "ABC"])).iloc[0]
    assert row["worth"] == pytest.approx(-25) and row["low"] == pytest.approx(row["high"])


def test_the_interval_of_four_units_covers_95_percent():
    drawn = np.random.default_rng(0).normal(0.3, 1, (4000, 4))
    covered = np.mean([low <= 0.3 <= high for _, low, high in map(worth.mean_interval, drawn)])
    assert covered == pytest.approx(0.95, abs=0.012)
    assert np.isnan(worth.mean_interval([1.0, 2.0])[1:]).all() and worth.mean_interval([1.0, np.nan])[0] == 1


def test_models_that_do_not_count_matter_for_the_order_alone():
    rows = [pair(u, model, rmse, leaky, counted=model == "LSTM") for u in "AB" for model, rmse, leaky in
            (("LSTM", 0.04, 0.03), ("RF", 0.035, 0.035), ("persistence", 0.05, 0.05))]
    row = worth.summary(pd.DataFrame(rows)).iloc[0]
    assert row["worth"] == pytest.approx(25)
    assert (row["cases"], row["first_changes"], row["order_pairs"], row["swaps"]) == (1, 1, 3, 1)


def test_equal_models_are_no_pair():
    rows = [pair("A", model, 0.04, leaky) for model, leaky in (("LSTM", 0.03), ("RF", 0.02))]
    assert worth.reorderings(pd.DataFrame(rows))["order_pairs"] == 0


def test_a_missing_score_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="rmse_leaky must be above 0 and finite, not nan .*B, LSTM, 1 d"):
        worth.summary(pd.DataFrame([pair("A"), pair("B", leaky=np.nan)]))
    with pytest.raises(ValueError, match="lack the columns counted"):
        worth.summary(pd.DataFrame([pair("A")]).drop(columns="counted"))


def test_the_lead_of_one_model_over_another_and_its_sign():
    rmse = pd.DataFrame([(u, "", m, v) for u in "AB" for m, v in (("LSTM", 0.03), ("RF", 0.04), ("SVR", 0.06))],
                        columns=["unit", "case", "model", "rmse"])
    assert worth.lead_over(rmse) == {"winner": "LSTM", "loser": "RF", "lead": pytest.approx(25)}
    assert worth.lead_over(rmse, "RF", "LSTM")["lead"] == pytest.approx(100 * (1 - 4 / 3))
    assert np.isnan(worth.lead_over(rmse, "LSTM", "ELM")["lead"])


def test_the_answer_sorts_by_what_the_interval_says():
    table = pd.DataFrame({"shortcut": ["up", "down", "none", "few"], "worth": [5.0, -5, 1, 9],
                          "low": [1.0, -9, -2, np.nan], "high": [9.0, -1, 4, np.nan], "first_changes": [0, 0, 2, 0],
                          "cases": 3, "conclusion": "a before b", "printed": 4.0, "without": [-1.0, 2, 3, np.nan],
                          "with": [1.0, 2, 1, np.nan]})
    answer, said = worth.answer(table)
    assert answer == ("**Our runs.** 1 of 4 shortcuts surely flatters the RMSE, most of all up (5.0 %); 1 surely "
                      "worsens it; 1 may be worth nothing; 1 has no interval. A shortcut turns the paper's conclusion "
                      "round in 1 of 3.")
    assert "percent: up 5.0 [1.0, 9.0]." in said and "worse: down −5.0 [−9.0, −1.0]." in said
    assert "nothing: none 1.0 [−2.0, 4.0]." in said and "interval: few 9.0." in said and "none in 2 of 3" in said
    assert "With up the conclusion (a before b) turns round: −1.0 % without, 1.0 % with it (printed 4.0 %)." in said
    long = table.assign(shortcut="scored against its own estimate", low=1.0, high=9.0)
    assert "most of all scored against its own estimate" in worth.answer(long)[0]


# What maths expects

def test_zeros_in_an_array():
    rng = np.random.default_rng(1)
    truth = rng.normal(0.2, 0.04, 6000)
    made = truth + rng.normal(0.01, 0.03, 6000)
    rmse, r2 = np.sqrt(np.mean((made - truth) ** 2)), 1 - np.mean((made - truth) ** 2) / truth.var()
    found = worth.with_zeros(rmse, r2, 0.25, truth.mean())
    with_zeros = [np.concatenate([a, np.zeros(2000)]) for a in (made, truth)]
    mse = np.mean((with_zeros[0] - with_zeros[1]) ** 2)
    assert found == pytest.approx((np.sqrt(mse), 1 - mse / with_zeros[1].var()), rel=1e-12)
    assert worth.with_zeros(0.04, 0.0, 0.5, 0.2)[1] == pytest.approx(1 - 0.0016 / (0.0016 + 0.5 * 0.04))


def test_overwritten_cells_in_an_array():
    rng = np.random.default_rng(2)
    error, noise = rng.normal(0, 0.05, 400_000), rng.normal(0, 0.02, 400_000)
    seen = rng.random(400_000) < 0.3
    after = np.where(seen, (1 - 0.6) * error + 0.6 * noise, error)
    expected = worth.with_overwritten(np.sqrt(np.mean(after[~seen] ** 2)), 0.6, seen.mean(), 0.02)
    assert np.sqrt(np.mean(after**2)) == pytest.approx(expected, rel=3e-3)
    assert worth.with_overwritten(0.05, 1.0, 0.5, 0.0) == pytest.approx(0.05 * np.sqrt(0.5))


@pytest.mark.parametrize("k, correlation, expected", [(1, 0, 0), (2, 0, -1 / np.sqrt(np.pi)), (10, 0, -1.53875),
                                                      (10, 0.75, -0.76938), (80, 1, 0)])
def test_the_least_of_many_scores(k, correlation, expected):
    assert worth.least_of(k, correlation) == pytest.approx(expected, abs=1e-5)
    mean, error = worth.least_drawn(k, correlation)
    assert abs(mean - expected) < 4 * error + 1e-12
    with pytest.raises(ValueError, match="correlation from 0 to 1"):
        worth.least_of(k, 1.5)


def test_a_test_period_of_twice_the_variance_doubles_the_penalty():
    rng = np.random.default_rng(3)
    train = rng.uniform(-1, 1, 300)
    test = np.sqrt(2) * train  # so the whole series has the range of the test, wider by sqrt(2)
    y = 0.3 + 0.1 * (0.8 * train + rng.normal(0, 0.2, 300))
    slopes = {}
    for name, known in (("strict", train), ("whole", np.concatenate([train, test]))):
        span = np.ptp(known)
        slopes[name] = Ridge(5.0).fit((train / span)[:, None], y / span).coef_[0]
        assert slopes[name] == pytest.approx(worth.ridge_slope(train, y, 5.0, span), rel=1e-10)
    assert slopes["whole"] == pytest.approx(worth.ridge_slope(train, y, 10.0, np.ptp(train)), rel=1e-10)
    assert abs(slopes["whole"]) < abs(slopes["strict"])


# The station experiment

@pytest.fixture(scope="module")
def arms():
    ds = bucket(400)
    ds["soil_moisture"][..., 330:] *= 1.5  # so that the test period leaves the range of the training
    return shortcuts.forecast_with_shortcuts(ds, models=["persistence", "ridge", "RF", "LSTM"], leads=[1, 3],
                                             repetitions=2, epochs=6)


def test_only_what_a_shortcut_names_differs(arms):
    pairs = shortcuts.shortcut_pairs(arms, "simulated")
    by = pairs.set_index(["shortcut", "model"]).sort_index()
    for shortcut in (shortcuts.SCALER, shortcuts.CHECKPOINT):
        same = by.loc[(shortcut, "persistence")]
        assert same["rmse"].to_numpy() == pytest.approx(same["rmse_leaky"].to_numpy(), rel=1e-12)
    for model in ("ridge", "RF"):
        rows = by.loc[(shortcuts.CHECKPOINT, model)]
        assert (rows["rmse"] == rows["rmse_leaky"]).all() and not rows["counted"].any()
    counted = pairs[pairs["counted"]].groupby("shortcut")["model"].unique()
    assert set(counted[shortcuts.SCALER]) == {"ridge", "LSTM"} and set(counted[shortcuts.CHECKPOINT]) == {"LSTM"}


def test_one_batch_chooses_among_the_same_weights(arms):
    strict, batch = (arms[name].fits.query("model == 'LSTM'") for name in ("strict", shortcuts.CHECKPOINT))
    assert (strict["epochs"] == 6).all() and (batch["epochs"] == 6).all()
    train = [arms[name].history["train_loss"].to_numpy() for name in ("strict", shortcuts.CHECKPOINT)]
    assert (train[0] == train[1]).all()
    assert shortcuts.believed(arms)["ratio"].item() != 1
    found = shortcuts.luck(arms["strict"]).set_index("model")["luck"]
    assert found["LSTM"] > 0 and np.isnan(found["ridge"])


def test_the_scaler_of_the_whole_series_knows_the_test(arms):
    table = shortcuts.ranges(arms)
    level, = arms[shortcuts.SCALER].levels
    assert table["whole"].item() == pytest.approx(np.ptp(level.series.moisture[4:])) and table["wider"].item() > 0
    assert "1 of 1 levels" in shortcuts.ranges_answer(table)
    slopes = shortcuts.ridge_expected(arms)
    assert slopes["run"].to_numpy() == pytest.approx(slopes["expected"].to_numpy(), rel=1e-9)
    assert slopes["run"].nunique() == 2


def test_nothing_leaks_where_training_holds_all_extremes():
    ds = bucket(300)
    ds["soil_moisture"][..., 20], ds["soil_moisture"][..., 30], ds["precipitation"][..., 20] = 0.9, 0.0, 500
    arms = shortcuts.forecast_with_shortcuts(ds, models=["persistence", "ridge", "LSTM"], leads=[1], repetitions=1,
                                             epochs=6)
    assert shortcuts.ranges(arms)[["wider", "drivers"]].eq(0).all(axis=None)
    strict, scaled = (shortcuts.scores(arms[name]) for name in ("strict", shortcuts.SCALER))
    pd.testing.assert_frame_equal(strict, scaled, check_exact=True)


def test_a_tree_does_not_see_the_scale():
    """Halved exactly, as floats can be, inputs and target leave the forest as it is."""
    level, = prepare_all(bucket(300), protocol="strict")[0]
    half = Windows(level.train.x / 2, level.train.y / 2, level.train.time)
    whole, halved = (build("RF", 0).fit(w, None).predict(w) for w in (level.train, half))
    assert (whole == 2 * halved).all()
    assert isinstance(level.scaler, WindowScaler)


def test_models_with_other_settings_in_the_code_are_refused():
    with pytest.raises(ValueError, match="other settings of GAN-LSTM"):
        shortcuts.forecast_with_shortcuts(None, models=["GAN-LSTM"], leads=[1], repetitions=1, epochs=1)


def test_the_printed_conclusion_of_the_stations(arms):
    pairs = shortcuts.shortcut_pairs(arms, "simulated")
    found = shortcuts.conclusion(pairs, shortcuts.CHECKPOINT, "LSTM", "ridge", 3)
    assert found["conclusion"] == "LSTM before ridge, 3 days ahead" and np.isnan(found["printed"])
    rows = pairs[(pairs["shortcut"] == shortcuts.CHECKPOINT) & (pairs["lead_d"] == 3)].set_index("model")
    for name, column in (("without", "rmse"), ("with", "rmse_leaky")):
        assert found[name] == pytest.approx(100 * (1 - rows[column]["LSTM"] / rows[column]["ridge"]))
    printed = shortcuts.conclusion(pairs, shortcuts.SCALER)
    assert printed["printed"] > 0 and np.isnan(printed["without"])  # 7 days ahead was not forecast here


# Tables of the other studies

@pytest.fixture(scope="module")
def nudged():
    study = small_study()
    tables, chosen, *_ = nudge_study(study, stretches_of(study), grid([0.5, 1.0], [0.25, 0.5], [0.0, 0.01]), draws=0)
    return tables, chosen, free_run_worth(study)


def test_tau_of_the_test_is_never_worse_and_differs_only_in_tau(nudged):
    tables, chosen, _ = nudged
    pairs = nudging.tau_pairs(tables["test"], chosen, "measured")
    assert len(pairs) == 2 * 4 and (pairs["rmse_leaky"] <= pairs["rmse"]).all()
    wrong = chosen.assign(tau=1.5 - chosen["tau"])  # the other of the two
    worse = nudging.tau_pairs(tables["test"], wrong, "measured")
    assert (worse["rmse_leaky"].to_numpy() == pairs["rmse_leaky"].to_numpy()).all()
    assert (worse["rmse"] > worse["rmse_leaky"]).any()


def test_overwritten_cells_lower_rmse_as_the_formula_says(nudged):
    tables, chosen, _ = nudged
    pairs = nudging.overwritten_pairs(tables["test"], chosen, "measured")
    both = nudging.with_overwritten_expected(pairs)
    exact = (pairs["tau"] == 1) & (pairs["noise"] == 0)
    assert exact.any()
    assert both["run"][exact].to_numpy() == pytest.approx(both["expected"][exact].to_numpy(), rel=1e-6)
    gained = nudging.gains(pairs)
    assert (gained["all"] > gained["unobserved"]).all()
    assert "% observed" in nudging.gains_answer(gained)


def test_zeros_of_the_run_are_those_of_the_formula(nudged):
    free = nudged[2]
    strict = free[free["choice"] == "strict"].set_index("model")
    pairs = nudging.free_run_pairs(free, "measured")
    assert set(pairs["shortcut"]) == {nudging.SCALED, nudging.OUTSIDE} and len(pairs) == 4
    assert (pairs["rmse"].to_numpy() == strict["RMSE"].loc[pairs["model"]].to_numpy()).all()
    study = small_study()
    truth = study.field.truth[study.field.targets("test")][:, study.field.valid].mean(dtype=float)
    bias = pd.DataFrame({"model": strict.index, "metric": "bias", "value": 0.01})
    regional = pd.DataFrame({"model": strict.index, "value": truth + 0.01})
    found = nudging.with_zeros_expected(free, regional, bias)
    assert found["share"].to_numpy() == pytest.approx(1 - study.field.valid.mean())
    assert found["expected"].to_numpy() == pytest.approx(found["run"].to_numpy(), rel=1e-5)


def test_the_papers_conclusions_are_those_of_print(nudged):
    tables, chosen, free = nudged
    pairs = pd.concat([nudging.free_run_pairs(free, ""), nudging.tau_pairs(tables["test"], chosen, ""),
                       nudging.overwritten_pairs(tables["test"], chosen, "")])
    found = nudging.conclusions(pairs)
    assert found[nudging.OUTSIDE]["conclusion"] == "free run, ConvLSTM before ConvLSTM-SE"
    assert found[nudging.OUTSIDE]["printed"] == pytest.approx(100 * (1 - 0.0282 / 0.0326))
    row = found[nudging.OVERWRITTEN]
    gained = nudging.gains(pairs[pairs["shortcut"] == nudging.OVERWRITTEN])
    for name, column in (("without", "unobserved"), ("with", "all")):
        assert row[name] == pytest.approx(worth.percent(np.log1p(-gained[column] / 100).mean()))
    assert row["printed"] > 0 and row["with"] > row["without"]


def test_the_correction_study_in_both_ways():
    rows = [(n, p, m, protocol, "in situ", "RMSE", v) for n in ("HOBE", "OZNET") for p in ("SMAP",)
            for m, *both in (("MLSTM", 0.05, 0.04), ("raw", 0.08, 0.08))
            for protocol, v in zip(("strict", "paper"), both, strict=True)]
    methods = pd.DataFrame(rows, columns=["network", "product", "method", "protocol", "against", "metric", "value"])
    row = worth.summary(correction.in_sample_pairs(methods, "simulated")).iloc[0]
    assert row["worth"] == pytest.approx(20) and row["units"] == 2 and row["swaps"] == 0
    table = pd.DataFrame([("SMAP", "HOBE", "original", 0.08, 0.06, 0.08), ("SMAP", "HOBE", "FPLE", 0.06, 0.03, 0.05)],
                         columns=["product", "network", "combination", "printed", "corrected in situ", "in situ"])
    row = worth.summary(correction.estimate_pairs(table, "simulated")).iloc[0]
    assert row["worth"] == pytest.approx(40)
    found = correction.conclusions(methods, table)
    assert list(found[correction.ESTIMATE].values())[1:] == pytest.approx([25, 37.5, 50])
    assert list(found[correction.IN_SAMPLE].values())[1:] == pytest.approx([25, 37.5, 50])


def test_the_loss_of_either_sign():
    losses = pd.DataFrame([("meant", 1, 0.05), ("printed", 1, 0.06)], columns=["method", "lead_d", "rmse"])
    row = worth.summary(loss_pairs(losses, "simulated")).iloc[0]
    assert row["worth"] == pytest.approx(-20) and np.isnan(row["low"])
