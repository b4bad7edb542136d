"""The ledger of claims: what it refers to exists, its tests tell known truths, and its verdicts follow the tables."""

import ast
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from smlib import claims, paths
from smlib.claims import CANNOT_BE_TOLD, DOES_NOT_HOLD, HOLDS, KINDS, Missing, estimates, pages, reading, rows
from smlib.evaluate import COLUMNS
from smlib.evaluate.field_scores import SUMS, field_scores
from smlib.plots.claims import verdict_bars
from smlib.run import cli, finished, params
from smlib.run import ledger as shown
from smlib.run.params import RunError

RNG = np.random.default_rng(5)
ALL = claims.read()


class One:
    """Tables for `KINDS`, by page and name; the claim's own is the one without a page."""

    def __init__(self, table=None, **more):
        self.tables = {(None, None): table} | {(None, key): value for key, value in more.items()}

    def get(self, page=None, name=None):
        return self.tables[page, name]


def verdict(kind, tables, claimed, **arguments):
    """The verdict of a kind of test, its value and its interval; tables may be a DataFrame."""
    tables = One(tables) if isinstance(tables, pd.DataFrame) else tables
    found = KINDS[kind](tables, **arguments)
    said, one, (low, high) = claims.judge(found.estimates, claims.Region.of(claimed))
    assert low <= one.value <= high
    return said, one.value, (low, high)


def scores(effect, sites=12, noise=0.01, levels=2, seed=0):
    """RMSE of two models at sites and levels: b has 0.04 and more, a `effect` times as much, give or take `noise`."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame([
        {"model": model, "site": f"s{site}", "depth_m": level, "metric": "RMSE", "target": "value",
         "value": (0.04 + 0.01 * site) * (1 if model == "b" else effect * np.exp(noise * draw.normal()))}
        for site in range(sites) for level in range(levels) for model in ("a", "b")])


MODELS = {"a": {"model": "a"}, "b": {"model": "b"}, "where": {"metric": "RMSE"}, "units": "site", "match": ["depth_m"]}


# what the claims refer to ---------------------------------------------------------------------------------------------

def test_every_study_has_eight_claims_or_more_and_some_on_the_front_page():
    for study in claims.STUDIES:
        own = [one for one in ALL if one.study == study]
        assert len(own) >= 8 and 1 <= sum(one.front for one in own) <= 4, study


@pytest.mark.parametrize("claim", ALL, ids=lambda one: one.id)
def test_printed_references_resolve_and_stand_as_is_claimed(claim):
    for one in claim.printed:
        assert np.isfinite(claims.printed_values(one)).any()
    if claim.in_print:
        assert reading.stands_in_print(claim)
    assert claim.printed or re.search("Fig|text", claim.where)


def _written(page):
    """Names of the tables that the code of a page writes."""
    source = "\n".join(cell.source for cell in params.load(page).cells if cell.cell_type == "code")
    names = {"skill"} if "run.skill(" in source else set()
    return names | set(re.findall(r'run\.table\("([^"]+)"', source))


def test_every_page_table_and_protocol_exists():
    known = finished.pages()
    for claim in ALL:
        assert set(claim.pages) <= set(known), claim.id
        assert claim.table in _written(claim.page), claim.id
        for table in reading._values(claim.test, "table"):
            assert table in _written(claim.page), claim.id
        assert set(claim.protocols) <= {"strict", "paper"} and len(set(claim.protocols)) == len(claim.protocols)


def test_every_model_that_a_claim_names_is_among_the_parameters_of_its_page():
    full = {page: params.resolve(page, "full") for page in {page for claim in ALL for page in claim.pages}}
    for claim in ALL:
        named = [model for value in reading._values(claim.test, "model") for model in np.atleast_1d(value)]
        for page in claim.pages:
            if "models" in full[page]:
                assert set(named) <= set(full[page]["models"]), claim.id


def test_the_larger_profiles_run_every_scenario_network_and_combination_that_is_claimed():
    for profile in ("quick", "full"):
        resolved = {page: params.resolve(page, profile) for page in {claim.page for claim in ALL}}
        for claim in ALL:
            known = resolved[claim.page]
            for key, parameter in (("combination", "combinations"), ("network", "networks"), ("forecast", "scenarios")):
                wanted = {one for value in reading._values(claim.test, key) if not isinstance(value, dict)
                          for one in np.atleast_1d(value)}
                if parameter in known:
                    assert wanted <= set(known[parameter]), (claim.id, profile)


# reading --------------------------------------------------------------------------------------------------------------

GOOD = {"id": "nudging-one", "study": "nudging", "claim": "It is so.", "where": "Table 2", "page": "nudging/short_term",
        "printed": [{"file": "fan2025_table2_short_term", "column": "r2", "rows": {"model": "CNN"}}],
        "protocols": ["strict"], "test": {"kind": "mean", "units": "site", "claimed": "above 0"}}


def _read(tmp_path, *entries):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump(list(entries)))
    return claims.read(path)


def test_a_claim_is_read(tmp_path):
    [one] = _read(tmp_path, GOOD)
    assert one.table == "skill" and one.pages == ("nudging/short_term",) and not one.front
    assert list(claims.printed_values(one.printed[0])) == [0.879]
    assert reading.printed_text(one) == ["model CNN: 0.879"]


@pytest.mark.parametrize(("wrong", "message"), [
    ({"colour": "red"}, "nudging-one: unknown key colour; known: id, study"), ({"study": "x"}, "no study 'x'"),
    ({"id": "one"}, "must start with nudging-"), ({"test": {"kind": "guess", "claimed": "above 0"}}, "no test 'guess'"),
    ({"test": {"kind": "mean", "claimed": "above 0"}}, "mean lacks units"),
    ({"test": GOOD["test"] | {"sides": 2}}, "mean takes no sides; it takes units"),
    ({"test": GOOD["test"] | {"claimed": "large"}}, "above X"),
    ({"test": GOOD["test"] | {"claimed": "from 2 to 1"}}, "from X to Y"),
    ({"in_print": "up"}, "in_print must be one of"),
    ({"printed": [{"file": "a", "rows": {}}]}, "printed: lacks column")])
def test_a_wrong_claim_is_told(tmp_path, wrong, message):
    with pytest.raises(claims.ClaimError, match=re.escape(message)):
        _read(tmp_path, GOOD | wrong)


def test_a_claim_that_lacks_a_key_or_stands_twice_is_told(tmp_path):
    with pytest.raises(claims.ClaimError, match="lacks where"):
        _read(tmp_path, {key: value for key, value in GOOD.items() if key != "where"})
    with pytest.raises(claims.ClaimError, match="nudging-one stands twice"):
        _read(tmp_path, GOOD, GOOD)


@pytest.mark.parametrize(("printed", "message"), [
    (("no_file", "r2", {}), "holds no no_file.csv"),
    (("fan2025_table2_short_term", "r3", {}), "no column r3; it has model"),
    (("fan2025_table2_short_term", "r2", {"model": "RF"}), "no rows with model RF"),
    (("fan2025_table2_short_term", "model", {"model": "CNN"}), "CNN"),
    (("wang2024_tables2_6_r2", "r2", {"model": "SVR", "lead_days": 7}), "no number in r2")])
def test_a_reference_that_leads_nowhere_is_told(printed, message):
    with pytest.raises(claims.ClaimError, match=message):
        claims.printed_values(claims.Printed(*printed))


def test_numbers_that_do_not_stand_as_claimed_are_seen(tmp_path):
    rising = [GOOD["printed"][0] | {"rows": {"model": name}} for name in ("CNN", "LSTM")]
    assert reading.stands_in_print(_read(tmp_path, GOOD | {"printed": rising, "in_print": "rising"})[0])
    assert not reading.stands_in_print(_read(tmp_path, GOOD | {"printed": rising, "in_print": "falling"})[0])


# the verdict ----------------------------------------------------------------------------------------------------------

def _estimate(low, high, label=""):
    return estimates.of_interval((low + high) / 2, low, high, 10, label)


@pytest.mark.parametrize(("claimed", "interval", "said"), [
    ("above 0", (0.1, 0.3), HOLDS), ("above 0", (-0.3, -0.1), DOES_NOT_HOLD), ("above 0", (-0.1, 0.3), CANNOT_BE_TOLD),
    ("above 0", (0, 0.3), CANNOT_BE_TOLD), ("below 0.02", (-0.1, 0.01), HOLDS),
    ("below 0.02", (0.03, 1), DOES_NOT_HOLD),
    ("from -0.1 to 0.1", (-0.05, 0.05), HOLDS), ("from -0.1 to 0.1", (0.2, 0.3), DOES_NOT_HOLD),
    ("from -0.1 to 0.1", (-0.3, -0.2), DOES_NOT_HOLD), ("from -0.1 to 0.1", (0.05, 0.15), CANNOT_BE_TOLD)])
def test_a_verdict_follows_from_interval_and_range(claimed, interval, said):
    found = claims.judge([_estimate(*interval)], claims.Region.of(claimed))
    assert found[0] == said and found[2] == pytest.approx(interval)


def test_a_claim_about_several_holds_if_each_does_and_fails_only_beyond_chance():
    above, region = [_estimate(0.1 + k, 0.3 + k) for k in range(5)], claims.Region.of("above 0")
    assert claims.judge(above, region)[:2] == (HOLDS, above[0])  # the nearest to failing
    barely, clearly = _estimate(-0.4, -0.01, "barely"), _estimate(-0.4, -0.3, "clearly")
    assert claims.judge([barely], region)[0] == DOES_NOT_HOLD
    said, one, (low, high) = claims.judge([*above, barely], region)
    assert (said, one) == (CANNOT_BE_TOLD, barely) and low < 0 < high  # one of six, widened
    assert claims.judge([*above, barely, clearly], region)[:2] == (DOES_NOT_HOLD, clearly)


def test_what_has_no_interval_cannot_be_judged():
    for found in ([], [_estimate(np.nan, 1)]):
        with pytest.raises(Missing):
            claims.judge(found, claims.Region.of("above 0"))


def test_intervals_over_few_units_cover_what_they_should():
    draws = RNG.normal(0.3, 1, (1500, 4))
    for widened, nominal in ((1, 0.95), (5, 0.99)):
        hit = [low < 0.3 < high for low, high in (estimates.of_units(d).interval(widened) for d in draws)]
        assert np.mean(hit) == pytest.approx(nominal, abs=0.02)
    hit = [low < 0 < high for low, high in (estimates.of_groups(d[:7], 3 * d[7:]).interval()
                                            for d in RNG.normal(0, 1, (1500, 19)))]
    assert np.mean(hit) == pytest.approx(0.95, abs=0.02)


# kinds of tests on tables whose truth is known ------------------------------------------------------------------------

def test_better_tells_the_better_of_two_and_by_how_much():
    said, value, _ = verdict("better", scores(0.8, noise=0.01), "above 0", **MODELS)
    assert said == HOLDS and value == pytest.approx(1 - 0.8**2, abs=0.01)
    turned = MODELS | {"a": MODELS["b"], "b": MODELS["a"]}
    said, back, _ = verdict("better", scores(0.8, noise=0.01), "above 0", **turned)
    assert said == DOES_NOT_HOLD and 1 - back == pytest.approx(1 / (1 - value))
    assert verdict("better", scores(1.0, noise=0.3, seed=1), "above 0", **MODELS)[0] == CANNOT_BE_TOLD
    assert verdict("better", scores(0.99, noise=0.003), "below 0.1", **MODELS)[0] == HOLDS  # it helps, but hardly


def test_better_takes_r2_as_the_ratio_of_errors():
    table = scores(0.8, noise=0.01)
    table["value"], table["metric"] = 1 - (table["value"] / 0.2) ** 2, "R2"
    _, value, _ = verdict("better", table, "above 0", **MODELS | {"where": {"metric": "R2"}})
    assert value == pytest.approx(0.36, abs=0.01)
    with pytest.raises(ValueError, match="takes R2, RMSE, ubRMSE, MSE, not r"):
        verdict("better", table, "above 0", **MODELS | {"where": {"metric": "r"}})


def test_levels_of_a_site_are_no_units():
    with pytest.raises(Missing, match="3 sites, and fewer than 4"):
        verdict("better", scores(0.5, sites=3, levels=9), "above 0", **MODELS)


def test_ties_cannot_be_told():
    with pytest.raises(Missing, match="all 12 sites are ties"):
        verdict("better", scores(1.0, noise=0), "above 0", **MODELS)


def test_missing_values_are_left_out_and_missing_rows_are_told():
    table = scores(0.8)
    table.loc[table["site"] == "s0", "value"] = np.nan
    found = KINDS["better"](One(table), **MODELS)
    assert found.estimates[0].n == 11
    with pytest.raises(Missing, match="no rows with model c"):
        verdict("better", table, "above 0", **MODELS | {"a": {"model": "c"}})
    with pytest.raises(Missing, match="no row with a value in common"):
        verdict("better", table.assign(value=table["value"].where(table["model"] == "a")), "above 0", **MODELS)
    with pytest.raises(ValueError, match="too wide"):
        verdict("better", table, "above 0", **MODELS | {"match": []})
    with pytest.raises(KeyError, match="no column colour"):
        verdict("better", table, "above 0", **MODELS | {"where": MODELS["where"] | {"colour": 1}})


def test_difference_along_a_column_needs_every_step():
    table = pd.DataFrame([{"site": s, "lead_d": lead, "value": 0.9 - fall + 0.01 * RNG.normal()}
                          for s in range(30) for lead, fall in ((1, 0), (3, 0.1), (7, 0.2), (30, 0.2))])
    steps = {"along": "lead_d", "units": "site"}
    said, value, _ = verdict("difference", table, "above 0", order=[1, 3, 7], **steps)
    assert said == HOLDS and value == pytest.approx(0.1, abs=0.02)
    assert verdict("difference", table, "above 0.05", order=[1, 3, 7, 30], **steps)[0] == DOES_NOT_HOLD
    with pytest.raises(Missing, match="no rows with days ahead 14"):
        verdict("difference", table, "above 0", order=[1, 14], **steps)


def test_groups_and_means():
    table = pd.DataFrame({"site": range(60), "network": ["A", "B", "B"] * 20,
                          "bias": 0.02 * RNG.normal(size=60) - 0.05 * np.array([1, 0, 0] * 20)})
    sides = {"a": {"network": "A"}, "b": {"network": "B"}, "units": "site", "value": "bias"}
    said, value, _ = verdict("groups", table, "below 0", **sides)
    assert said == HOLDS and value == pytest.approx(-0.05, abs=0.02)
    assert verdict("groups", table, "above 0", **sides)[0] == DOES_NOT_HOLD
    with pytest.raises(ValueError, match="in both groups"):
        verdict("groups", table.assign(site=1), "above 0", **sides)
    assert verdict("mean", table, "below 0", units="site", value="bias", where={"network": "A"})[0] == HOLDS
    assert verdict("mean", table, "below 0", units="site", value="bias", each=[{"network": "A"}, {"network": "B"}])[0] \
        == CANNOT_BE_TOLD


def test_days_compares_pooled_errors_whose_memory_widens_the_interval():
    time = pd.date_range("2021-06-01", periods=200)

    def table(memory, factor, seed=2):
        noise = np.zeros(200)
        draw = np.random.default_rng(seed).normal(size=200)
        for k in range(1, 200):
            noise[k] = memory * noise[k - 1] + draw[k]
        loss = np.exp(0.3 * noise / noise.std())
        return pd.concat([pd.DataFrame({"model": "a", "time": time, "metric": "MSE", "value": factor * loss}),
                          pd.DataFrame({"model": "b", "time": time, "metric": "MSE", "value": 1.0})])

    def test(table, claimed="above 0"):
        return verdict("days", table, claimed, a={"model": "a"}, b={"model": "b"}, where={"metric": "MSE"})

    said, value, short = test(table(0, 0.5))
    pooled = table(0, 0.5).groupby("model")["value"].mean()
    assert said == HOLDS and value == pytest.approx(1 - pooled["a"] / pooled["b"])
    wide = []  # b does not vary, so the interval is that of the mean of a, which has no memory here
    for seed in range(12):
        own, (low, high) = table(0, 0.5, seed).query("model == 'a'")["value"], test(table(0, 0.5, seed))[2]
        wide.append(np.log((1 - low) / (1 - high)) / 2 / (1.96 * own.std() / own.mean() / np.sqrt(200)))
    assert np.mean(wide) == pytest.approx(1.05, abs=0.2)
    assert test(table(0, 2.0))[0] == DOES_NOT_HOLD and test(table(0, 0.95))[0] == CANNOT_BE_TOLD
    long = test(table(0.9, 0.5))[2]
    assert long[1] - long[0] > 1.5 * (short[1] - short[0])
    with pytest.raises(Missing, match="all 200 days are ties"):
        test(table(0, 1.0).assign(value=1.0))
    with pytest.raises(Missing, match="20 days, and fewer than 60"):
        test(table(0, 0.5).query("time < '2021-06-21'"))


INTERVALS = pd.DataFrame({"model": ["a", "b", "c", "d"], "value": [0.9, 0.5, 0.48, -0.1],
                          "low": [0.88, 0.45, 0.42, -0.2], "high": [0.92, 0.55, 0.52, 0.1], "n": 100})


def test_rows_with_intervals_of_their_own():
    def interval(claimed, *models, **more):
        return verdict("interval", INTERVALS, claimed, quantity="r", where={"model": list(models)}, **more)

    assert interval("above 0.4", "a", "b", "c")[0] == HOLDS and interval("above 0.4", "a", "d")[0] == DOES_NOT_HOLD
    assert interval("above 0.46", "b", "c")[0] == CANNOT_BE_TOLD
    with pytest.raises(Missing, match="no rows with model x"):
        interval("above 0", "a", "x")
    with pytest.raises(Missing, match="100 days .*fewer than 500"):
        interval("above 0", "a", "b", counted="days", least=500)
    with pytest.raises(Missing, match="no value with an interval"):
        verdict("interval", INTERVALS.assign(low=np.nan), "above 0", quantity="r")


def test_gaps_between_such_rows():
    def test(a, b, claimed):
        return verdict("gap", INTERVALS, claimed, a={"model": a}, b={"model": b})

    said, value, (low, high) = test("a", "b", "above 0")
    assert said == HOLDS and value == pytest.approx(0.4)
    assert (low, high) == pytest.approx((0.4 - np.hypot(0.02, 0.05), 0.4 + np.hypot(0.02, 0.05)))
    assert test("b", "a", "above 0")[0] == DOES_NOT_HOLD
    assert test("b", "c", "above 0")[0] == CANNOT_BE_TOLD


def daily_runs(shares, memory=0.0, seed=0, days=200, own=0.03):
    """Daily sums of runs that share the days' luck: a run's MSE is a share of the observed variance times that luck.

    Columns run, time, MSE and `SUMS`. 50 cells; the day's observed values have mean 0 about the centre and variance 1,
    so R2 over all days is 1 - mean MSE. The luck of a day is that of all runs, but for a part `own` in a hundred.
    """
    draw, luck = np.random.default_rng(seed), np.zeros(days)
    for k, step in enumerate(draw.normal(size=days)):
        luck[k] = memory * luck[k - 1] + step
    luck = np.exp(0.8 * (luck - luck.mean()) / luck.std())
    frames = []
    for run, share in shares.items():
        mse = share * luck / luck.mean() * np.exp(own * draw.normal(size=days))
        frame = pd.DataFrame(0.0, range(days), list(SUMS)).assign(n=50.0, oo=50.0, se=50 * mse)
        frames.append(frame.assign(run=run, time=pd.date_range("2021-06-15", periods=days).astype(str), MSE=mse))
    return pd.concat(frames, ignore_index=True)


def r2_interval(table, run):
    """The interval of a run's R2 by itself, as the tables of the pages give it."""
    rows = field_scores(table.loc[table["run"] == run, list(SUMS)].to_numpy())
    return next((row["low"], row["high"]) for row in rows if row["metric"] == "R2")


RUNS = {"a": {"run": "a"}, "b": {"run": "b"}}


def test_what_two_runs_share_leaves_their_difference_sure_though_their_intervals_overlap():
    table = daily_runs({"a": 0.45, "b": 0.5}, memory=0.8)
    a, b = (r2_interval(table, run) for run in "ab")
    assert a[0] < b[1] and b[0] < a[1]
    said, value, (low, high) = verdict("days", table, "above 0", value="MSE", **RUNS)
    assert said == HOLDS and 0.08 < low < value < high < 0.12  # 1 - 0.45 / 0.5
    assert verdict("days", table, "below 0", value="MSE", along="run", order=["b", "a"])[0] == HOLDS
    # R2 rises from 0.5 to 0.55, by 10 %. Their intervals by themselves would allow for none, and for much more.
    assert a[0] / b[1] - 1 < 0 and a[1] / b[0] - 1 > 0.2
    said, value, (low, high) = verdict("rise", table, "above 0.05", **RUNS)
    assert said == HOLDS and 0.05 < low < value < high < 0.25 and value == pytest.approx(0.1, abs=0.01)
    assert verdict("rise", table, "above 0.3", **RUNS)[0] == DOES_NOT_HOLD
    assert verdict("rise", table, "above 0.1", **RUNS)[0] == CANNOT_BE_TOLD
    back = {"a": RUNS["b"], "b": RUNS["a"]}
    assert verdict("rise", table, "above 0", **back)[0] == DOES_NOT_HOLD


def test_a_rise_is_that_of_pooled_r2_over_the_days_of_both():
    table = daily_runs({"a": 0.4, "b": 0.6})
    table = table.drop(table[(table["run"] == "a") & (table["time"] < "2021-07-05")].index)  # 20 days that b alone has
    table.loc[table["time"] > "2021-08-01", ["n", "oo", "se"]] *= 3  # days with more cells count for more
    found = KINDS["rise"](One(table), **RUNS).estimates[0]
    both = table[table["time"] >= "2021-07-05"].groupby("run")[list(SUMS)].sum()
    r2 = 1 - both["se"] / both["oo"]  # the mean is 0
    assert found.n == 180 and found.value == pytest.approx(r2["a"] / r2["b"] - 1)
    shuffled = KINDS["rise"](One(table.sample(frac=1, random_state=1)), **RUNS).estimates[0]
    assert shuffled.interval() == found.interval()  # days go with days, whatever the order of the rows


def test_a_rise_needs_days_and_something_to_rise_from():
    with pytest.raises(Missing, match="R2 of run b is -?0.000 and not surely above 0, so a rise in percent means"):
        verdict("rise", daily_runs({"a": 0.5, "b": 1.0}, own=0.0), "above 0", **RUNS)
    with pytest.raises(Missing, match="not surely above 0"):
        verdict("rise", daily_runs({"a": 0.5, "b": 0.95}, memory=0.8), "above 0", **RUNS)
    table = daily_runs({"a": 0.4, "b": 0.5})
    with pytest.raises(Missing, match="20 days, and fewer than 60"):
        verdict("rise", table[table["time"] < "2021-07-05"], "above 0", **RUNS)
    with pytest.raises(ValueError, match="several rows a day with run a: the selection is too wide"):
        verdict("rise", pd.concat([table, table]), "above 0", **RUNS)


def test_exact_numbers_have_no_interval():
    table = pd.DataFrame({"model": ["a", "b"], "size_mib": [50.0, 2.0]})
    sides = {"a": {"model": "a"}, "b": {"model": "b"}, "value": "size_mib"}
    assert verdict("exact", table, "above 10", **sides) == (HOLDS, 25.0, (25.0, 25.0))
    assert verdict("exact", table, "above 30", **sides)[0] == DOES_NOT_HOLD


def test_change_compares_what_two_gained():
    table = pd.DataFrame([{"site": s, "product": product, "model": model,
                           "value": error * (1 + 0.1 * s) * (1 + 0.01 * RNG.normal())}
                          for s in range(5) for product, after in (("A", 0.06), ("E", 0.09))
                          for model, error in (("raw", 0.1), ("MLSTM", after))])
    sides = {"units": "site", "state": {"before": {"model": "raw"}, "after": {"model": "MLSTM"}}}
    said, value, _ = verdict("change", table, "above 0", a={"product": "A"}, b={"product": "E"}, **sides)
    assert said == HOLDS and value == pytest.approx(0.3, abs=0.03)
    assert verdict("change", table, "above 0", a={"product": "E"}, b={"product": "A"}, **sides)[0] == DOES_NOT_HOLD


def test_every_kind_is_tested_here_and_used():
    source = paths.ROOT.joinpath("tests", "test_claims.py").read_text()
    tested = {node.args[0].value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)
              and getattr(node.func, "id", "") == "verdict" and isinstance(node.args[0], ast.Constant)}
    assert tested == set(KINDS) == {one.test["kind"] for one in ALL}


def test_the_variant_of_a_skill_table_is_taken_apart():
    table = pd.DataFrame({"study": "correction", "model": ["MLSTM", "raw", "stage 1"],
                          "variant": ["ASCAT, FPLE, weight 0.5, against corrected in situ", "SMAP", "ESA-CCI, LEP"]})
    made = rows.prepared(table)
    assert made[["product", "combination", "against"]].to_numpy().tolist() == [
        ["ASCAT", "FPLE", "corrected in situ"], ["SMAP", "", "in situ"], ["ESA-CCI", "LEP", "in situ"]]
    assert made["weight"].tolist()[0] == 0.5 and made["weight"].isna().sum() == 2
    table = pd.DataFrame({"study": "stations", "model": "LSTM", "variant": ["level 1", "level 1 increment", np.nan]})
    assert rows.prepared(table)["target"].tolist() == ["value", "increment", "value"]


# the ledger on runs that are made up ----------------------------------------------------------------------------------

def _skill(effect):
    table = scores(effect).assign(study="stations", source="twin", protocol="strict", variant="", lead_d=1, low=np.nan,
                                  high=np.nan, n=100)
    return table[list(COLUMNS)]


CLAIM = {"id": "stations-a-beats-b", "study": "stations", "claim": "a is better <than> b.", "where": "Table 2",
         "page": "stations/compare", "protocols": ["strict", "paper"], "front": True,
         "printed": [{"file": "fan2025_table2_short_term", "column": "r2", "rows": {"model": ["CNN", "LSTM"]}}],
         "test": {"kind": "better", "claimed": "above 0"} | MODELS}


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Runs of two pages, one of them of both protocols, and claims on them; returns (folder, claims)."""
    for page, table in (("stations/compare", _skill(0.8)),
                        ("nudging/short_term", pd.concat([_skill(0.8), _skill(1.3).assign(protocol="paper")]))):
        folder = tmp_path / page
        folder.mkdir(parents=True)
        table.to_csv(folder / "skill.csv", index=False)

    def folder(name, profile):
        if not (tmp_path / name).exists():
            raise RunError(f"{name}: there is no finished {profile} run; run it: python -m smlib run book/{name}.ipynb")
        return tmp_path / name

    monkeypatch.setattr(finished, "folder", folder)
    other = {"id": "nudging-a-beats-b", "study": "nudging", "page": "nudging/short_term"}
    known = _read(tmp_path, CLAIM, CLAIM | other)
    monkeypatch.setattr("smlib.claims.verdicts.read", lambda: known)
    return tmp_path, known


def test_each_protocol_has_its_verdict_and_what_the_run_lacks_is_told(made_up):
    table = claims.ledger("smoke")
    assert tuple(table.columns) == claims.COLUMNS
    assert table[["id", "protocol", "verdict"]].to_numpy().tolist() == [
        ["stations-a-beats-b", "strict", HOLDS], ["stations-a-beats-b", "paper", CANNOT_BE_TOLD],
        ["nudging-a-beats-b", "strict", HOLDS], ["nudging-a-beats-b", "paper", DOES_NOT_HOLD]]
    assert table.loc[1, "reason"] == "the run has no rows with protocol paper" and np.isnan(table.loc[1, "statistic"])
    assert set(table["source"]) == {"twin"} and set(table["data"]) == {"simulated"}
    assert pages.two_protocols(table)["id"].unique().tolist() == ["stations-a-beats-b", "nudging-a-beats-b"]
    assert claims.counts(table).to_numpy().tolist() == [["stations", 1, 0, 1], ["nudging", 1, 1, 0]]


def test_another_table_is_another_verdict(made_up):
    folder, known = made_up
    _skill(1.2).to_csv(folder / "stations/compare/skill.csv", index=False)
    assert claims.ledger("smoke").loc[0, "verdict"] == DOES_NOT_HOLD
    _skill(1.2).drop(columns="metric").to_csv(folder / "stations/compare/skill.csv", index=False)
    with pytest.raises(claims.ClaimError, match="claim stations-a-beats-b: there is no column metric"):
        claims.ledger("smoke")
    (folder / "stations/compare/skill.csv").rename(folder / "stations/compare/other.csv")
    with pytest.raises(RunError, match="stations/compare has no table skill; it has other"):
        claims.ledger("smoke")


def _command(capsys, monkeypatch, *words):
    """Exit code, stdout and stderr of ``python -m smlib ledger``."""
    monkeypatch.setattr("sys.argv", ["smlib", "ledger", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    printed = capsys.readouterr()
    code = left.value.code
    return (code if isinstance(code, int) else 1), printed.out, printed.err or str(code)


def test_the_command_prints_json_and_text(made_up, capsys, monkeypatch):
    code, out, _ = _command(capsys, monkeypatch, "--profile", "smoke", "--json")
    objects = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert code == 0 and len(objects) == 4
    for one in objects:
        assert {"id", "study", "verdict", "statistic", "low", "high", "source", "protocol"} <= set(one)
        assert one["verdict"] in claims.VERDICTS
        assert all(value is None or isinstance(value, float) for value in (one["statistic"], one["low"], one["high"]))
        assert (one["statistic"] is None) == bool(one["reason"]) and isinstance(one["front"], bool)
    code, out, _ = _command(capsys, monkeypatch, "--profile", "smoke")
    assert code == 0 and "HOLDS  stations-a-beats-b  (strict, twin)" in out and "4 verdicts on 2 claims" in out


def test_a_missing_run_ends_in_one_message_and_no_json(made_up, capsys, monkeypatch):
    folder, _ = made_up
    (folder / "nudging/short_term").rename(folder / "gone")
    code, out, message = _command(capsys, monkeypatch, "--profile", "smoke", "--json")
    assert (code, out) == (1, "")
    assert "nudging/short_term" in message and "python -m smlib run book/nudging/short_term.ipynb" in message
    code, out, message = _command(capsys, monkeypatch, "--profile", "huge")
    assert (code, out) == (1, "") and "no profile huge; there are smoke, quick, full" in message


def test_the_table_of_the_page_has_a_row_a_claim_with_links(made_up):
    table = claims.ledger("smoke")
    made = pages.html(table)
    for name in ("stations-a-beats-b", "stations-a-beats-b-paper", "nudging-a-beats-b", "nudging-a-beats-b-paper"):
        assert made.count(f'id="claim-{name}"') == 1
    assert made.startswith('<table id="claims"') and made.count("data-filter") == 2 and made.count("<tr id=") == 4
    assert '<th scope="col" data-filter>study</th>' in made and '<th scope="col" data-filter>verdict</th>' in made
    assert "a is better &lt;than&gt; b." in made and "<than>" not in made
    for link in ("../stations/compare.html", "../stations/compare.html#run",
                 "../synthesis/published.html#printed-fan2025_table2_short_term"):
        assert f'href="{link}"' in made
    assert "2 because the run" not in pages.undecided(table)
    assert "- stations: 1 because the run has no rows with protocol paper." in pages.undecided(table)
    assert "2 say that the claim holds, 1 that it does not, and 1 that it cannot be told" in pages.answer(table)[0]
    many = pages.answer(pd.concat([table.assign(id=table["id"] + f"-{k}") for k in range(2500)]))[0]
    assert "5000 claims" in many.replace(",", "") and len(many) <= 204
    assert "simulated: stations 1, nudging 1" in pages.about(table, "smoke")


def test_the_front_page_counts_and_links_and_survives_a_csv(made_up, tmp_path):
    table = claims.ledger("smoke")
    table.to_csv(tmp_path / "claims.csv", index=False)
    again = pages.read_table(tmp_path / "claims.csv")
    made = pages.at_a_glance(again, "smoke")
    assert made == pages.at_a_glance(table, "smoke") and "\n\n" not in made
    assert '<a href="synthesis/claims.html#claim-nudging-a-beats-b">' in made
    assert "<td>simulated</td><td>1</td><td>1</td><td>0</td>" in made
    assert shown.as_json(again) == shown.as_json(table)


@pytest.mark.parametrize(("value", "text"), [(0.12345, "0.123"), (-0.5, "−0.500"), (12.3456, "12.3"), (0, "0.00"),
                                             (-145666132.0, "−1·10⁸"), (155.0, "155")])
def test_numbers_in_words(value, text):
    assert pages.number(value) == text


def test_the_bars_are_as_long_as_the_counts(made_up):
    counted = claims.counts(claims.ledger("smoke"), ("study", "data"))
    ax = verdict_bars(counted, "Verdicts").axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["stations (simulated)", "nudging (simulated)"]
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in ax.containers}
    assert list(widths.values()) == [counted[verdict].tolist() for verdict in claims.VERDICTS]
