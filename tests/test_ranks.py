"""Friedman and Nemenyi against print and theory; blocks, gaps and ties; what the target does to ranks."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlib.evaluate.ranks import blocks, friedman, order_kept, target_effect
from smlib.evaluate.skill import COLUMNS

# Demsar (2006), Table 6. The two 0.975 of the row before last are printed with the ranks 2 and 3.
DEMSAR = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.97501, 0.975], [0.957, 0.978, 0.946, 0.970]])


def tidy(values, lead=1):
    """(block, entrant) values as the table that `friedman` takes."""
    return pd.DataFrame([(f"m{j}", f"b{i:02d}", lead, v) for (i, j), v in np.ndenumerate(values)],
                        columns=["entrant", "block", "lead_d", "value"])


def skill_table(values, models=("A", "B", "C"), targets=("value",), metric="R2", depths=(0.05,)):
    """`values`: mapping of (site, depth, model, target) -> R2, by default 0.5."""
    rows = []
    sites = sorted({key[0] for key in values})
    for site, depth, model, target in itertools.product(sites, depths, models, targets):
        if target == "increment" and model == "persistence":
            continue
        known = f"level {depths.index(depth) + 1}" if np.isnan(depth) else ""
        rows.append({"model": model, "variant": f"{known} {target if target != 'value' else ''}".strip(), "site": site,
                     "depth_m": depth, "lead_d": 1, "metric": metric, "n": 100, "target": target,
                     "level_variant": known, "value": values.get((site, depth, model, target), 0.5)})
    return pd.DataFrame(rows).reindex(columns=[*COLUMNS, "target", "level_variant"])


def test_the_example_of_demsar():
    found = friedman(tidy(DEMSAR))
    ranks = found.ranks.set_index("entrant")["rank"]
    np.testing.assert_allclose(ranks[["m0", "m1", "m2", "m3"]], [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    test = found.tests.iloc[0]
    assert test["cd"] == pytest.approx(1.25, abs=0.005) and (test["blocks"], test["entrants"]) == (14, 4)
    ties = sum(np.sum(np.unique(row, return_counts=True)[1] ** 3.0 - np.unique(row, return_counts=True)[1])
               for row in DEMSAR)
    assert test["chi2"] * (1 - ties / (14 * (4**3 - 4))) == pytest.approx(9.28, abs=0.005)  # printed without ties
    assert (test["df"], test["df1"], test["df2"]) == (3, 3, 39)


def test_iman_davenport_is_the_analysis_of_variance_of_the_ranks():
    values = np.random.default_rng(0).normal(size=(9, 5)) + np.arange(5) * 0.3
    test = friedman(tidy(values)).tests.iloc[0]
    r = np.apply_along_axis(stats.rankdata, 1, values)
    between = 9 * ((r.mean(axis=0) - r.mean()) ** 2).sum() / 4
    within = ((r - r.mean(axis=0)) ** 2).sum() / (8 * 4)  # the ranks of every block have the same mean
    assert test["F"] == pytest.approx(between / within)
    assert test["p_F"] == pytest.approx(stats.f.sf(between / within, 4, 32))
    assert test["p"] == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)


@pytest.mark.parametrize("n, k", [(4, 3), (10, 8), (30, 17)])
def test_pairs_differ_where_their_ranks_lie_a_critical_difference_apart(n, k):
    found = friedman(tidy(np.random.default_rng(n).normal(size=(n, k)) + np.arange(k) * 0.3))
    cd = found.tests["cd"].iloc[0]
    assert len(found.pairs) == k * (k - 1) // 2
    assert ((found.pairs["p"] < 0.05) == (found.pairs["difference"].abs() > cd)).all()
    assert (found.pairs["difference"] <= 0).all()


def test_equal_entrants_are_told_apart_in_five_percent():
    """Family-wise, by Nemenyi, and by both omnibus tests: 4 sites, 8 models."""
    rng = np.random.default_rng(1)
    tests = [friedman(tidy(rng.normal(size=(4, 8)))) for _ in range(150)]
    assert 0.005 < np.mean([t.tests["p_F"].iloc[0] < 0.05 for t in tests]) < 0.11
    assert np.mean([(t.pairs["p"] < 0.05).any() for t in tests]) < 0.08


def test_few_blocks_cannot_tell_many_entrants_apart_and_the_note_says_so():
    perfect = np.tile(-np.arange(17.0), (4, 1))  # all blocks agree wholly
    found = friedman(tidy(perfect))
    test = found.tests.iloc[0]
    assert np.isinf(test["F"]) and test["p_F"] == 0
    assert test["cd"] > 12 and (found.pairs["p"] < 0.05).sum() == 10, "pairs 13 or more ranks apart"
    assert "4 blocks" in test["note"] and "12.3" in test["note"]
    assert "none can" in friedman(tidy(perfect[:2])).tests["note"].iloc[0]


def test_no_difference_at_all():
    test = friedman(tidy(np.ones((5, 4)))).tests.iloc[0]
    assert (test["chi2"], test["p"], test["F"], test["p_F"]) == (0, 1, 0, 1)


@pytest.mark.parametrize("shape", [(1, 4), (5, 2)])
def test_too_little_for_a_test_still_gives_ranks(shape):
    found = friedman(tidy(np.random.default_rng(0).normal(size=shape)))
    assert found.tests[["chi2", "p", "F", "cd"]].isna().all(axis=None) and found.pairs.empty
    assert found.ranks["rank"].sum() == pytest.approx(shape[1] * (shape[1] + 1) / 2)
    assert "too few" in found.tests["note"].iloc[0]


def test_leads_are_tested_one_by_one():
    one = np.random.default_rng(2).normal(size=(6, 4))
    both = friedman(pd.concat([tidy(one, 1), tidy(-one, 7)]))
    np.testing.assert_allclose(both.tests["chi2"], both.tests["chi2"].iloc[0])
    ranks = both.ranks.pivot(index="entrant", columns="lead_d", values="rank")
    np.testing.assert_allclose(ranks[1], 5 - ranks[7])


def test_a_level_that_hardly_varied_does_not_decide_its_site():
    values = {("S", d, m, "value"): v for d in (0.05, 0.2, 0.5) for m, v in (("A", 0.9), ("B", 0.8), ("C", 0.7))}
    values["S", 0.5, "A", "value"] = -400.0
    found = friedman(blocks(skill_table(values, depths=(0.05, 0.2, 0.5))))
    assert found.ranks["entrant"].tolist() == ["A", "B", "C"] and (found.ranks["blocks"] == 1).all()


def test_r2_and_rmse_give_the_same_ranks():
    rng = np.random.default_rng(3)
    r2 = {(s, d, m, "value"): rng.uniform(0, 1) for s in "STU" for d in (0.05, 0.2) for m in "ABC"}
    rmse = {key: np.sqrt(1 - value) * (1 + ord(key[0])) for key, value in r2.items()}
    by_r2 = friedman(blocks(skill_table(r2, depths=(0.05, 0.2))))
    by_rmse = friedman(blocks(skill_table(rmse, metric="RMSE", depths=(0.05, 0.2)), "RMSE"))
    pd.testing.assert_frame_equal(by_r2.ranks, by_rmse.ranks)


def test_blocks_are_sites_or_levels():
    table = skill_table({("S", 0.05, "A", "value"): 0.9, ("T", 0.05, "A", "value"): 0.9}, depths=(0.05, np.nan))
    assert friedman(blocks(table)).tests["blocks"].iloc[0] == 2
    levels = blocks(table, by="level")
    assert set(levels["block"]) == {"S, 0.05 m", "S, level 2", "T, 0.05 m", "T, level 2"}
    assert friedman(levels).tests["blocks"].iloc[0] == 4


def test_what_is_missing_is_dropped_by_name():
    values = {(s, 0.05, m, "value"): v for s in "STUV" for m, v in (("A", 0.9), ("B", 0.8), ("C", 0.7), ("D", 0.6))}
    values["T", 0.05, "D", "value"] = np.nan
    table = blocks(skill_table(values, models="ABCD"))
    by_block, by_entrant = (friedman(table, drop).tests.iloc[0] for drop in ("blocks", "entrants"))
    assert (by_block["blocks"], by_block["entrants"], by_block["left_out"]) == (3, 4, "T, 0.05 m")
    assert (by_entrant["blocks"], by_entrant["entrants"], by_entrant["left_out"]) == (4, 3, "D")
    flat = values | {("U", 0.05, m, "value"): np.nan for m in "ABCD"} | {("T", 0.05, "D", "value"): 0.6}
    found = friedman(blocks(skill_table(flat, models="ABCD")), "entrants").tests.iloc[0]
    assert (found["blocks"], found["entrants"], found["left_out"]) == (3, 4, "U, 0.05 m")


def test_an_entrant_without_any_value_costs_no_block():
    values = {("S", 0.05, "C", "value"): np.nan, ("T", 0.05, "C", "value"): np.nan, ("S", 0.05, "A", "value"): 0.9}
    test = friedman(blocks(skill_table(values, models="ABCD"))).tests.iloc[0]
    assert (test["blocks"], test["entrants"], test["left_out"]) == (2, 3, "C")


def test_two_values_in_one_place_are_refused():
    table = blocks(skill_table({("S", 0.05, "A", "value"): 0.9}, targets=("value", "increment")))
    with pytest.raises(ValueError, match="several values for A at S 0.05 m"):
        friedman(table)


# the target -------------------------------------------------------------------------------------------------------

def effect_table(ratio, sites=6, depths=(0.05, np.nan)):
    """MSE of the increment is `ratio[model]` times that of the value at every level of every site."""
    rng = np.random.default_rng(4)
    values = {}
    for k, site in enumerate(f"S{i}" for i in range(sites)):
        for depth in depths:
            scale = rng.uniform(0.05, 0.4)
            values[site, depth, "persistence", "value"] = 1 - 0.9 * scale
            for j, model in enumerate("ABC"):
                error = scale * (1 + 0.2 * j)
                values[site, depth, model, "value"] = 1 - error
                values[site, depth, model, "increment"] = 1 - error * ratio[model][k % len(ratio[model])]
    return skill_table(values, models=("persistence", *"ABC"), targets=("value", "increment"), depths=depths)


def test_target_effect_is_the_ratio_of_errors():
    found = target_effect(effect_table({"A": [1.5], "B": [1.0], "C": [0.5]})).set_index("model")
    np.testing.assert_allclose(found["skill"], [-0.5, 0, 0.5], atol=1e-9)
    np.testing.assert_allclose(found[["low", "high"]].loc["C"], [0.5, 0.5])
    assert found["verdict"].tolist() == ["worse", "undecided", "better"] and (found["levels"] == 12).all()
    assert found.loc["C", "sites_lower"] == 6 and found.loc["A", "sites_lower"] == 0
    np.testing.assert_allclose(found["difference"], found["r2_increment"] - found["r2_value"], atol=0.02)


def test_ranks_are_among_the_models_of_the_same_target_and_the_baselines():
    found = target_effect(effect_table({"A": [1.5], "B": [1.0], "C": [0.5]})).set_index("model")
    assert found["rank_value"].tolist() == [2, 3, 4]  # persistence is first
    assert found["rank_increment"].tolist() == [4, 3, 1]
    kept = order_kept(found.reset_index()).iloc[0]
    assert kept["tau"] == pytest.approx(-1) and (kept["best_value"], kept["best_increment"]) == ("A", "C")


def test_an_effect_that_differs_from_site_to_site_has_an_interval():
    found = target_effect(effect_table({"A": [0.5, 2.0], "B": [0.5, 0.6], "C": [1.0]})).set_index("model")
    assert found.loc["A", "low"] < 0 < found.loc["A", "high"] and found.loc["A", "verdict"] == "undecided"
    assert 0.4 <= found.loc["B", "low"] < found.loc["B", "high"] <= 0.5 and found.loc["B", "verdict"] == "better"
    few = target_effect(effect_table({"A": [0.5], "B": [0.5], "C": [1.0]}, sites=4))
    assert (few["verdict"] == "too few sites").all() and (few["sites"] == 4).all()


def test_target_effect_leaves_out_what_has_one_target_or_no_score():
    table = effect_table({"A": [0.5], "B": [0.5], "C": [0.5]})
    table.loc[(table["model"] == "C") & (table["target"] == "increment"), "value"] = np.nan
    found = target_effect(table)
    assert found["model"].tolist() == ["A", "B"] and found["rank_increment"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="level_variant"):
        target_effect(table.drop(columns="level_variant"))
