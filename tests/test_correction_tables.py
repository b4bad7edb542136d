"""Tables of the correction study: what is read under which protocol, beside print; Shapley values, parts of errors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from test_correction_mlstm import KEY, QUICK, TIME, YEAR, made_study, made_up, stage_1

from smlib.correction import fits, interpreting, study, tables
from smlib.correction.data import COMBINATIONS
from smlib.correction.folds import PROTOCOLS
from smlib.correction.study import Entry
from smlib.evaluate.skill import COLUMNS

FAST = {"draws": 20, "seed": 0}
MEMBERS = 7


def offset(by):
    """Forecasts (member, cell, day): in-situ moisture plus `by` times the number of the member."""
    return made_study().networks["HILL"].matched["SMAP"].in_situ + by * np.arange(MEMBERS)[:, None, None]


def numbers(protocol):
    """(cell, day) number of the member that is read, counted one by one."""
    folds = made_study().networks["HILL"].folds
    found = np.zeros((6, len(TIME)), int)
    for cell in range(6):
        own = folds.of_group[cell]
        for year in (0, 1):
            station, held = {"paper": (None, None), "strict": (own, year), "station": (own, 1 - year),
                             "year": ((own + 1) % 3, year)}[protocol]
            found[cell, YEAR == year] = 0 if station is None else 1 + 2 * station + held
    return found


def key(method, combination="", weight=np.nan):
    return (*KEY, method, combination, weight)


@pytest.fixture(scope="module")
def made():
    return {key("MLSTM", "LEP", 0.5): offset(0.01), key("MLSTM", "FPLE", 0.5): offset(0.02),
            key("MLSTM", "LEP", 0.2): offset(0.03), key("raw"): offset(0.04)}


@pytest.fixture(scope="module")
def scores(made):
    return tables.scores(made_study(), made, **FAST)


def test_scores_are_those_of_the_members_that_a_protocol_reads(scores):
    assert list(scores.columns) == tables.SCORES
    observed = np.isfinite(made_study().networks["HILL"].matched["SMAP"].in_situ)
    for protocol in PROTOCOLS:
        some = scores[(scores["protocol"] == protocol) & (scores["against"] == "in situ")].set_index(
            ["method", "combination", "weight", "metric"])["value"]
        error = numbers(protocol)[observed]
        for name, by in ((("MLSTM", "LEP", 0.5), 0.01), (("MLSTM", "LEP", 0.2), 0.03)):
            assert some[*name, "bias"] == pytest.approx(by * error.mean(), abs=1e-6)
            assert some[*name, "RMSE"] == pytest.approx(by * np.sqrt(np.mean(error**2)), abs=1e-6)
            assert some[*name, "ubRMSE"] == pytest.approx(by * error.std(), abs=1e-6)
    assert set(scores["against"]) == {"in situ", "truth"}
    assert (scores["n"] == observed.sum()).all()
    assert len(scores) == 4 * len(PROTOCOLS) * 2 * 5


def test_against_the_truth_all_methods_share_the_days_of_the_stations():
    """What knows every day is scored on no other days than the mean of the stations."""
    data = made_study().networks["HILL"].matched["SMAP"]
    error = np.where(np.isfinite(data.in_situ), 0.01, 0.9)
    everywhere = np.broadcast_to(data.truth + error, (MEMBERS, *error.shape))
    found = pd.concat([tables.scores(made_study(), {key("linear"): everywhere}, ("strict",), **FAST),
                       tables.in_situ_as_estimate(made_study(), **FAST)])
    assert (found["n"] == np.isfinite(data.in_situ).sum()).all()
    rmse = found[(found["metric"] == "RMSE") & (found["against"] == "truth")].set_index("method")["value"]
    assert rmse["linear"] == pytest.approx(0.01, abs=1e-6)


def test_without_a_known_truth_nothing_is_scored_against_it(made):
    points, smap, _ = made_up()
    measured = made_study(replace(points, truth=None), replace(smap, truth=None))
    found = tables.scores(measured, {key("raw"): made[key("raw")]}, ("strict",), **FAST)
    assert set(found["against"]) == {"in situ"}
    assert tables.in_situ_as_estimate(measured, **FAST).empty
    with pytest.raises(ValueError, match="no protocol"):
        tables.scores(measured, {key("raw"): made[key("raw")]}, ("lenient",), **FAST)


def test_the_papers_way_scores_against_stage_1s_own_output(made):
    """The member that has seen everything is read on both sides; a method without a combination meets every one."""
    estimates = {(*KEY, "LEP"): offset(0.01) + 0.05, (*KEY, "FPLE"): offset(0.01) - 0.02}
    found = tables.against_estimates(made_study(), made, estimates, **FAST)
    bias = found[found["metric"] == "bias"].set_index(["method", "combination", "weight"])["value"]
    assert set(found["protocol"]) == {"paper"}
    assert set(found["against"]) == {"corrected in situ"}
    assert len(bias) == 5
    assert bias["MLSTM", "LEP", 0.5] == pytest.approx(-0.05, abs=1e-6)
    assert bias["MLSTM", "FPLE", 0.5] == pytest.approx(0.02, abs=1e-6)
    raw = bias["raw"]
    np.testing.assert_allclose([raw["LEP"].item(), raw["FPLE"].item()], [-0.05, 0.02], atol=1e-6)


def test_skill_is_of_mean_squared_errors(made):
    ours, raw = ("MLSTM", "LEP", 0.5), ("raw", "", np.nan)
    assert tables.references(made) == [raw]
    found = tables.skills(made_study(), made, ours, tables.references(made), ("strict", "year"), **FAST)
    assert list(found["protocol"]) == ["strict", "year"]
    np.testing.assert_allclose(found["value"], 1 - (0.01 / 0.04) ** 2, atol=1e-5)
    assert (found["low"] <= found["value"] + 1e-9).all()
    assert (found["cells"] == 6).all()


def test_a_combination_against_the_others_of_stage_1():
    estimates = {(*KEY, "FPLE"): offset(0.01), (*KEY, "LEP"): offset(0.02), (*KEY, "LEF"): offset(0.005)}
    found = interpreting.combination_skills(made_study(), estimates, "FPLE", protocols=("strict",), **FAST)
    assert found[["network", "product", "combination", "protocol"]].to_numpy().tolist() == [
        [*KEY, "LEP", "strict"], [*KEY, "LEF", "strict"]]
    np.testing.assert_allclose(found["value"], [1 - 0.5**2, 1 - 2**2], atol=1e-5)
    assert (found["cells"] == 6).all() and (found["low"] <= found["value"] + 1e-9).all()


def test_scores_by_cell(made):
    found = tables.cell_scores(made_study(), {key("raw"): made[key("raw")]}, "strict")
    observed = np.isfinite(made_study().networks["HILL"].matched["SMAP"].in_situ)
    expected = [0.04 * numbers("strict")[cell][observed[cell]].mean() for cell in range(6)]
    np.testing.assert_allclose(found["bias"], expected, atol=1e-6)
    np.testing.assert_array_equal(found["n"], observed.sum(1))


def test_tidy_rows(scores):
    found = tables.tidy(scores, "twin")
    assert tuple(found.columns) == COLUMNS
    assert set(found["variant"]) == {"SMAP, LEP, weight 0.5", "SMAP, FPLE, weight 0.5", "SMAP, LEP, weight 0.2", "SMAP",
                                     "SMAP, LEP, weight 0.5, against truth", "SMAP, FPLE, weight 0.5, against truth",
                                     "SMAP, LEP, weight 0.2, against truth", "SMAP, against truth"}
    assert set(found["site"]) == {"HILL"}
    assert set(found["metric"]) == {"r", "MAE", "RMSE", "ubRMSE", "bias"}
    assert not found.duplicated(["model", "variant", "protocol", "metric"]).any()


def test_rows_are_chosen_by_combination_and_weight(scores, made):
    found = tables.of_methods(scores, "LEP", 0.5)
    assert set(map(tuple, found[["method", "combination"]].to_numpy())) == {("MLSTM", "LEP"), ("raw", "")}
    assert set(found["weight"].dropna()) == {0.5}
    assert set(tables.main_ones(made, 0.5)) == set(made) - {key("MLSTM", "LEP", 0.2)}
    curve = tables.weights(scores, "LEP")
    assert sorted(curve["weight"]) == [0.2, 0.5]
    np.testing.assert_allclose(curve.sort_values("weight")["value"], np.array([0.03, 0.01]) * np.sqrt(np.mean(
        numbers("strict")[np.isfinite(offset(0)[0])] ** 2)), atol=1e-6)
    assert tables.of_methods(tables.scores(made_study(), {key("stage 1", "LEP"): offset(1), key("linear"): offset(1),
                                                          key("stage 1", "FPLE"): offset(1)}, ("paper",), **FAST),
                             "LEP")["method"].unique().tolist() == ["stage 1", "linear"]


# --- Beside print


def test_four_printed_rows_break_their_own_arithmetic():
    """Those that data/published/README.md names."""
    found = tables.odd_printed()
    assert set(map(tuple, found[["network", "combination", "grid"]].to_numpy())) == {
        ("OZNET", "FPLE", "ESA-CCI"), ("OZNET", "FPLE", "SMAP"), ("OZNET", "LEP", "ASCAT"),
        ("CTP-SMTMN", "LEF", "ESA-CCI")}
    row = found.set_index(["network", "combination", "grid"]).loc[("OZNET", "FPLE", "SMAP")]
    assert row["implied_rmse"] == pytest.approx(np.sqrt(0.040**2 + 0.051**2))


def table(rows, **same):
    return pd.DataFrame(rows).assign(**same)


def test_stage_1_stands_beside_its_printed_row():
    ours = table([{"network": "OZNET", "product": p, "combination": c, "metric": m, "value": 1.0}
                  for p, c, m in (("SMAP", "FPLE", "RMSE"), ("SMAP", "FPLE", "bias"), ("SMAP", "LEF", "R"),
                                  ("SMAP", "", "R"))])
    found = tables.with_printed_grid_matching(ours)
    np.testing.assert_array_equal(found["printed"], [0.070, -0.051, 0.725, np.nan])
    assert found["odd"].tolist() == [True, True, False, False]


def test_improvement_stands_beside_its_printed_row():
    here = {"network": "OZNET", "product": "ASCAT", "metric": "RMSE"}
    mlstm = here | {"method": "MLSTM", "combination": "LEP", "weight": 0.5}
    raw = here | {"method": "raw", "combination": "", "weight": np.nan}
    in_situ = table([mlstm | {"protocol": "paper", "value": 0.03}, mlstm | {"protocol": "strict", "value": 0.05},
                     mlstm | {"weight": 0.1, "protocol": "paper", "value": 9.0},
                     raw | {"protocol": "paper", "value": 0.08}, raw | {"protocol": "strict", "value": 0.08}],
                    against="in situ")
    estimated = table([mlstm | {"value": 0.01}, raw | {"combination": "LEP", "value": 0.06},
                       raw | {"combination": "FPLE", "value": 0.08}], protocol="paper", against="corrected in situ")
    truth = in_situ.assign(against="truth", value=5.0)
    found = tables.improvement_table(pd.concat([in_situ, truth]), estimated, 0.5).set_index("combination")
    assert found.index.tolist() == ["original", "LEP"]
    columns = ["printed", "corrected in situ", "in situ", "in situ, strict"]
    np.testing.assert_allclose(found.loc["original", columns].astype(float), [0.0670, 0.07, 0.08, 0.08])
    np.testing.assert_allclose(found.loc["LEP", columns].astype(float), [0.0635, 0.01, 0.03, 0.05])


def test_ranks_by_hand():
    rows = [{"network": n, "product": "SMAP", "combination": c, "metric": m, "value": v, "printed": p}
            for n, m, values in (("A", "RMSE", [(1, 10), (2, 20), (3, 30)]), ("B", "RMSE", [(1, 30), (2, 20), (3, 10)]),
                                 ("A", "R", [(0.9, 0.1), (0.5, 0.5), (0.1, np.nan)]))
            for c, (v, p) in zip(COMBINATIONS, values, strict=False)]
    found, rho = tables.ranking(pd.DataFrame(rows))
    assert found[found["network"] == "B"]["rank"].tolist() == [1, 2, 3]
    assert found[found["network"] == "B"]["printed_rank"].tolist() == [3, 2, 1]
    assert rho.set_index("network")["rho"].to_dict() == pytest.approx({"A": 1, "B": -1})
    found, rho = tables.ranking(pd.DataFrame(rows), "R")
    assert found["rank"].tolist() == [1, 2]  # the highest is the best; without print there is no rank
    assert rho["rho"].tolist() == pytest.approx([-1])


# --- What is scored


def test_methods_of_both_pages():
    estimates = study.Estimates({}, {(*KEY, "LEP"): offset(1)})
    found = tables.of_stage_1(estimates, fits.estimates_without_network(made_study(), ("linear",))[0])
    assert [name[2:4] for name in found] == [("stage 1", "LEP"), ("linear", "")]
    assert all(values.shape == (MEMBERS, 6, len(TIME)) for values in found.values())
    assert len(tables.of_stage_1(estimates)) == 1
    made = tables.of_stage_2({(*KEY, Entry("LEP")): 1, (*KEY, Entry("LEP", 0.5, "P")): 2}, {(*KEY, "raw"): 3})
    assert {k[2:4]: v for k, v in made.items()} == {("MLSTM", "LEP"): 1, ("MLSTM, auxiliaries too", "LEP"): 2,
                                                    ("raw", ""): 3}
    assert [name for name, *_ in tables.references(made)] == ["raw"]


def test_stations_as_an_estimate_of_their_cell():
    """Two stations with noise of 0.01 each, where both report."""
    found = tables.in_situ_as_estimate(made_study(), **FAST)
    rmse = found[(found["metric"] == "RMSE") & (found["protocol"] == "strict")]["value"].item()
    assert rmse == pytest.approx(0.01 / np.sqrt(2), rel=0.05)


def test_counts_series_and_the_fullest_day():
    counts = tables.counts(made_study()).iloc[0]
    data = made_study().networks["HILL"].matched["SMAP"]
    assert (counts["stations"], counts["groups"], counts["folds"], counts["years"]) == (12, 6, 3, "2016, 2017")
    assert counts["cell-days"] == np.isfinite(data.values + data.in_situ).sum()
    estimates = study.Estimates({}, {(*KEY, "LEP"): offset(1)})
    time, lines, cell = tables.series(made_study(), estimates, *KEY, "LEP")
    assert np.isfinite(data.in_situ[cell]).sum() == np.isfinite(data.in_situ).sum(1).max()
    np.testing.assert_allclose(lines["stage 1"] - lines["in situ"], np.where(
        np.isfinite(data.in_situ[cell]), numbers("strict")[cell], np.nan), atol=1e-5)
    assert set(lines) == {"in situ", "SMAP", "stage 1", "truth"}
    day = np.searchsorted(time, np.datetime64(tables.fullest_day(made_study(), *KEY)))
    seen = np.isfinite(made_up()[1].values).sum(0)
    assert YEAR[day] == 1
    assert seen[day] == seen[YEAR == 1].max()


def test_the_two_losses_are_read_strictly():
    entry = Entry("LEP")
    found = tables.readings(made_study(), {"blended": {(*KEY, entry): offset(0.01)},
                                           "discounted": {(*KEY, entry): offset(0.02)}}, entry, **FAST)
    np.testing.assert_allclose(found["RMSE"] / [1, 2], 0.01 * np.sqrt(np.mean(
        numbers("strict")[np.isfinite(offset(0)[0])] ** 2)), rtol=1e-4)


# --- Interpreting


@pytest.fixture(scope="module")
def trained():
    """Stage 1 in which F and L are one and the same, and E has no weight."""
    points, smap, _ = made_up()
    auxiliaries = points.auxiliaries.copy()
    auxiliaries[..., 0] = auxiliaries[..., 2]
    points = replace(points, auxiliaries=auxiliaries)
    found = stage_1(points, smap, replace(QUICK, epochs=1), ("FPLE",))[1]
    weight = found.ensemble.weights["layer.weight"]
    with torch.no_grad():
        weight[0, :, 0] = weight[0, :, 2]
        weight[0, :, 3] = 0
    return points, study.Estimates({("HILL", "FPLE"): found.without_data()}, {})


def test_shapley_values_add_up_are_symmetric_and_leave_out_dummies(trained):
    points, estimates = trained
    found = interpreting.shapley(made_study(points), estimates, rows=6, background=5).set_index("auxiliary")
    assert found.index.tolist() == list("FPLE")
    assert (found["gap"] < 1e-9).all()
    assert found["share"].sum() == pytest.approx(1)
    assert found.loc["F", "mean_abs"] == pytest.approx(found.loc["L", "mean_abs"], rel=1e-6)
    assert found.loc["E", "mean_abs"] == pytest.approx(0, abs=1e-12)
    assert found.loc["P", "mean_abs"] > 1e-5
    assert found["printed"].isna().all()  # of a network that is not in print


def test_costs_of_leaving_out_and_their_ranks_by_hand():
    rmse = {"FPLE": 0.03, "LEF": 0.05, "LEP": 0.04, "LPF": 0.03, "PEF": 0.02}  # without P, F, E, L
    rows = [{"network": "A", "product": "SMAP", "combination": c, "metric": m, "value": v, "printed": 2 * v}
            for c, v in rmse.items() for m in ("RMSE", "R")]
    costs = interpreting.left_out(pd.DataFrame(rows)).set_index("auxiliary")
    np.testing.assert_allclose(costs.loc[list("FPLE"), "value"], [0.01, 0.02, -0.01, 0], atol=1e-12)
    np.testing.assert_allclose(costs["printed"], 2 * costs["value"])
    shares = pd.DataFrame({"network": "A", "auxiliary": list("FPLE"), "share": [0.3, 0.4, 0.1, 0.2],
                           "printed": [0.1, -0.2, 0.3, -0.4]})
    found = interpreting.agreement(shares, costs.reset_index()).iloc[0]
    assert found["with_our_costs"] == pytest.approx(1)
    assert found["with_printed_costs"] == pytest.approx(1)
    assert found["with_printed_r"] == pytest.approx(-0.6)  # 3 4 1 2 against 1 2 3 4


def test_an_auxiliary_that_is_never_left_out_has_no_cost():
    rows = [{"network": "A", "product": "SMAP", "combination": c, "metric": "RMSE", "value": v}
            for c, v in (("FPLE", 0.03), ("LEP", 0.05))]
    costs = interpreting.left_out(pd.DataFrame(rows))
    assert costs["auxiliary"].tolist() == ["F"]
    assert costs["printed"].isna().all()


def test_without_all_four_nothing_can_be_left_out():
    rows = [{"network": "A", "product": "SMAP", "combination": c, "metric": "RMSE", "value": 0.03}
            for c in ("LEP", "LEF")]
    costs = interpreting.left_out(pd.DataFrame(rows))
    assert costs.empty
    shares = pd.DataFrame({"network": "A", "auxiliary": list("LEP"), "share": [0.2, 0.3, 0.5],
                           "printed": [0.1, 0.2, 0.3]})
    found = interpreting.agreement(shares, costs).iloc[0]
    assert found["with_printed_r"] == pytest.approx(1)
    assert np.isnan(found["with_our_costs"])
    assert np.isnan(found["with_printed_costs"])


def noisy(size, seed=4):
    """Forecasts by all members: the truth with noise of a known size, on the days of the product."""
    data = made_study().networks["HILL"].matched["SMAP"]
    noise = np.random.default_rng(seed).normal(0, size, data.truth.shape)
    return np.broadcast_to(np.where(np.isfinite(data.values), data.truth + noise, np.nan), (MEMBERS, *data.truth.shape))


@pytest.mark.parametrize("season", ["kept", "removed"])
def test_triplets_find_noise_of_known_size(season):
    """Before: 0.01 on 0.4 of the truth, so 0.025 in the stations' units; a model with 0.02, two stations with 0.01."""
    found = interpreting.triplets(made_study(), {KEY: noisy(0.01)}, season=season, **FAST)
    some = found[found["metric"] == "error_std"].set_index(["state", "data"])
    expected = {("before", "product"): 0.025, ("after", "product"): 0.01, ("before", "model"): 0.02,
                ("after", "model"): 0.02, ("after", "in situ"): 0.01 / np.sqrt(2)}
    for at, size in expected.items():
        for column, tolerance in (("value", 0.25), ("true", 0.1)):
            assert some.loc[at, column] == pytest.approx(size, rel=tolerance), (at, column)
        assert some.loc[at, "low"] <= some.loc[at, "value"] <= some.loc[at, "high"]
    with pytest.raises(ValueError, match="removed or kept"):
        interpreting.triplets(made_study(), {KEY: noisy(0.01)}, season="dry")


def test_triplets_without_a_model_or_a_truth():
    points, smap, _ = made_up()
    found = interpreting.triplets(made_study(points, replace(smap, model=None)), {KEY: noisy(0.01)}, **FAST)
    assert found.empty
    found = interpreting.triplets(made_study(points, replace(smap, truth=None)), {KEY: noisy(0.01)}, **FAST)
    assert found["true"].isna().all()
    assert len(found) == 18


def test_parts_of_the_error_add_up_and_tell_bias_amplitude_and_timing_apart():
    data = made_study().networks["HILL"].matched["SMAP"]
    o = data.truth.astype(float)
    mean, rng = o.mean(1, keepdims=True), np.random.default_rng(0)
    gaps = np.where(rng.random(o.shape) < 0.2, np.nan, 0)
    made = {"bias": o + 0.02, "amplitude": mean + 1.5 * (o - mean),
            "all": 0.9 * o + rng.normal(0.03, 0.02, o.shape) + gaps}
    found = interpreting.error_parts(made_study(), {(*KEY, name): np.broadcast_to(v, (MEMBERS, *v.shape))
                                                    for name, v in made.items()}, "strict", "truth")
    parts = found.pivot_table(index="method", columns="part", values="value")
    common = np.isfinite(gaps) & np.isfinite(data.in_situ)  # the truth too is that of days with in-situ moisture
    for name, values in made.items():
        square = np.mean([np.mean((values - o)[cell][common[cell]] ** 2) for cell in range(6)])
        assert parts.loc[name].sum() == pytest.approx(square)
    variance = np.mean([o[cell][common[cell]].var() for cell in range(6)])
    np.testing.assert_allclose(parts.loc["bias", ["bias", "amplitude", "timing"]], [4e-4, 0, 0], atol=1e-12)
    assert parts.loc["amplitude", "amplitude"] == pytest.approx(0.25 * variance)
    assert parts.loc["amplitude", "timing"] == pytest.approx(0, abs=1e-9)  # moisture is in single precision
    assert parts.loc["all", "timing"] > 0.3 * parts.loc["all"].sum()
    assert (found["cells"] == 6).all()
    few = interpreting.error_parts(made_study(), {(*KEY, "all"): np.where(np.arange(len(TIME)) < 20, o, np.nan)[None]
                                                  .repeat(MEMBERS, 0)}, "strict", "truth")
    assert few.empty
