"""Sentences of the correction pages: the right rows are counted, and said as they are."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from smlib.correction import answers, tables
from smlib.correction.baselines import BASELINES
from smlib.correction.study import Study
from smlib.wording import ANSWER


def rows(rows):
    """A table of `tables.scores`, one RMSE a method: (method, combination, weight, protocol, against) -> value."""
    base = {"network": "OZNET", "product": "ASCAT", "metric": "RMSE", "low": np.nan, "high": np.nan, "n": 100}
    return pd.DataFrame([base | row for row in rows])


SCORES = rows(rows=[
    {"method": "raw", "combination": "", "weight": np.nan, "protocol": protocol, "against": "in situ", "value": 0.06}
    for protocol in ("paper", "strict")] + [
    {"method": "MLSTM", "combination": combination, "weight": weight, "protocol": protocol, "against": against,
     "value": value}
    for combination, weight, protocol, against, value in (
        ("FPLE", 0.5, "paper", "in situ", 0.030), ("FPLE", 0.5, "strict", "in situ", 0.045),
        ("FPLE", 0.0, "strict", "in situ", 0.050), ("FPLE", 1.0, "strict", "in situ", 0.040),
        ("LEP", 0.5, "strict", "in situ", 0.055), ("FPLE", 0.5, "strict", "truth", 0.020))])


def test_the_weights_sentence_names_where_the_lowest_is():
    said = answers.weights(tables.weights(SCORES, "FPLE"), 0.5)
    assert "differs by 0.0100 m³ m⁻³ in the median" in said and "the lowest is at 1 in 1 of 1 case." in said


def skill(reference, protocol, *intervals):
    return [{"network": f"N{k}", "product": "SMAP", "reference": reference, "protocol": protocol,
             "value": np.mean(one), "low": one[0], "high": one[1]} for k, one in enumerate(intervals)]


def shown_length(answer):
    return len(re.sub(r"[*`]", "", answer))


def test_the_verdict_counts_intervals_that_exclude_zero():
    """Of one combination and weight, against the stations; the strongest rival is named though it was not asked for."""
    skills = pd.DataFrame(skill("raw", "strict", (0.1, 0.3), (-0.4, -0.2), (0.2, 0.4))
                          + skill("CDF matching", "strict", (0.1, 0.3), (-0.1, 0.2), (0.2, 0.4))
                          + skill("HistGB", "strict", (-0.4, -0.2), (-0.3, 0.1), (-0.2, -0.1))
                          + skill("climatology", "strict", (0.1, 0.3), (-0.1, 0.2), (0.2, 0.4))
                          + skill("CDF matching, own past", "strict", (-0.9, -0.8), (-0.9, -0.8), (-0.9, -0.8))
                          + skill("CDF matching, own past", "year", (-0.9, -0.5), (-0.8, -0.1), (0.1, 0.2)))
    answer, detail = answers.improvement(skills, SCORES, "FPLE", 0.5)
    assert answer == ("**Our runs.** On held-out data MLSTM surely improves the product in 2 of 3 cases and worsens "
                      "it in "
                      "1 (median RMSE 0.060 to 0.045 m³ m⁻³); it surely beats climatology in 2. HistGB surely beats "
                      "it in "
                      "2.")
    assert "MLSTM surely beats CDF matching in 2 of 3 cases (median skill +0.20)." in detail
    assert "MLSTM surely loses to HistGB in 2 of 3 cases (median skill −0.15)." in detail
    assert ("Where a station has a past of its own (seen stations, unseen year), MLSTM surely loses to CDF matching, "
            "own "
            "past in 2 of 3 cases and surely beats it in 1.") in detail
    assert "scored in-sample (paper): 0.030, of the product 0.060 m³ m⁻³." in detail


def test_a_long_answer_names_the_strongest_rival_rather_than_the_place():
    skills = pd.DataFrame(skill("raw", "strict", (0.1, 0.3), *[(-0.3, -0.1)] * 2, *[(-0.1, 0.1)] * 3)
                          + skill("climatology", "strict", *[(-0.1, 0.1)] * 6)
                          + skill("mean-std", "strict", *[(-0.9, -0.7)] * 6))
    assert answers.improvement(skills, SCORES, "FPLE", 0.5)[0] == (
        "**Our runs.** MLSTM surely improves the product in 1 of 6 cases and worsens it in 2 (median RMSE 0.060 to "
        "0.045 m³ m⁻³); it surely beats climatology in 0. Mean-std scaling surely beats it in 6.")


def test_a_loss_to_climatology_is_said_first():
    skills = pd.DataFrame(skill("climatology", "strict", (-0.3, -0.1)) + skill("raw", "strict", (0.1, 0.3)))
    answer, _ = answers.improvement(skills, SCORES, "FPLE", 0.5)
    assert answer == ("**Our runs.** MLSTM surely loses to climatology in 1 of 1 case. On held-out data it surely "
                      "improves "
                      "the product in 1 of 1 case (median RMSE 0.060 to 0.045 m³ m⁻³).")
    assert "MLSTM changes the product's median RMSE" in answers.improvement(
        skills.assign(low=np.nan, high=np.nan), SCORES, "FPLE", 0.5)[0]


GRID = rows([{"method": method, "combination": "FPLE" * (method == "stage 1"), "protocol": protocol, "against": against,
              "value": value} for method, against, value in (
                  ("stage 1", "in situ", 0.05), ("climatology", "in situ", 0.04), ("HistGB", "in situ", 0.06),
                  ("stage 1", "truth", 0.03), ("in situ", "truth", 0.02)) for protocol in ("paper", "strict")])


@pytest.mark.parametrize(("interval", "words"), [
    ((-0.9, -0.2), "No: on held-out data stage 1 surely loses to climatology in 1 of 1 case (median RMSE 0.050 against "
                   "0.040 m³ m⁻³)."),
    ((0.2, 0.9), "Yes: on held-out data stage 1 surely beats climatology in 1 of 1 case (median RMSE 0.050 against "
                 "0.040 "
                 "m³ m⁻³)."),
    ((-0.2, 0.9), "Not clearly: on held-out data stage 1 surely beats climatology in 0 of 1 case (median"),
    ((np.nan, np.nan), "On held-out data the median RMSE of stage 1 is 0.050 m³ m⁻³, of climatology 0.040; what is "
                       "sure")])
def test_stage_1_is_held_against_climatology(interval, words):
    """Under strict: the other protocols say something else."""
    skills = pd.DataFrame(skill("climatology", "strict", interval) + skill("climatology", "paper", (0.5, 0.9)))
    answer, detail = answers.matching(GRID, skills, "FPLE")
    assert answer.startswith(f"**Our runs.** {words}")
    assert "its RMSE is lower than that of climatology in 0 of 1 case.\n" in detail
    assert "its RMSE is lower than that of HistGB in 1 of 1 case.\n" in detail
    assert "their mean is the better estimate of the cell in 1 of 1 case (median RMSE against the truth 0.020" in detail


def error_parts(after):
    """Before 2.0, 0.5, 1.5 in 10^-4."""
    return pd.DataFrame([{"method": method, "part": part, "value": 1e-4 * value} for method, values in
                         (("raw", (2.0, 0.5, 1.5)), ("MLSTM", after)) for part, value in
                         zip(("bias", "amplitude", "timing"), values, strict=True)])


SHARES = pd.DataFrame([(f"N{k}", auxiliary, share) for k, lead in enumerate("PPL") for auxiliary, share in
                       ((lead, 0.6), ("E", 0.4))], columns=["network", "auxiliary", "share"])
NONE = pd.DataFrame(columns=["network", "product", "state", "data", "metric", "value", "low", "high", "true"])


@pytest.mark.parametrize(("after", "words", "of_what_is_gone"), [
    ((1.0, 0.5, 0.5), "squared bias by −50 %; its error in timing, where random error shows, by −67 %.",
     ("50 %", "0 %", "50 %")),
    ((2.0, 0.5, 2.5), "squared bias by +0 %; its error in timing, where random error shows, by +67 %.", ())])
def test_random_error_or_bias(after, words, of_what_is_gone):
    """What grew has no parts of what is gone."""
    answer, detail = answers.interpretation(error_parts(after), NONE, SHARES)
    assert answer == ("**Our runs.** Precipitation matters most to stage 1 in 2 of 3 networks. Correcting changes the "
                      f"product's {words}")
    assert f"product 4.0, corrected {sum(after):.1f}." in detail
    assert [line.split("; ")[1].split(" of ")[0].replace("+", "") for line in detail.splitlines() if "of what is gone"
            in line] == list(of_what_is_gone)


def test_the_random_error_is_told_before_and_after():
    """Medians, though one error was 0 before; of two intervals that lie apart only the one below counts as lower."""
    cases = {"ASCAT": ((0.0, 0.0, 0.0), (0.01, 0.005, 0.02)), "SMAP": ((0.04, 0.03, 0.05), (0.02, 0.015, 0.025)),
             "ESA-CCI": ((0.03, 0.02, 0.04), (0.03, 0.02, 0.04)), "no": ((0.5, 0.4, 0.6), (np.nan,) * 3)}
    triples = pd.DataFrame([{"network": "OZNET", "product": product, "state": state, "data": "product",
                             "metric": "error_std", "value": value, "low": low, "high": high, "true": 2 * value}
                            for product, both in cases.items()
                            for state, (value, low, high) in zip(("before", "after"), both, strict=True)])
    answer, detail = answers.interpretation(error_parts((2.0, 0.5, 1.5)), triples, SHARES)
    assert answer.endswith("random error surely falls in 1 of 3 cases and rises in 1 (median −33 %).")
    assert ("its random error goes from 0.0300 to 0.0200 m³ m⁻³ in the median of 3 cases; the interval after lies "
            "wholly "
            "below that before in 1, above it in 1.") in detail
    assert "Against the known truth its random error goes from 0.0600 to 0.0400 m³ m⁻³." in detail


@pytest.mark.parametrize(("leads", "words"), [
    ("PP", "Precipitation matters most to stage 1 in 2 of 2 networks."),
    ("L", "Surface temperature matters most to stage 1 in 1 of 1 network."),
    ("", "What stage 1 goes by cannot be told.")])
def test_the_auxiliary_that_leads(leads, words):
    shares = pd.DataFrame([(f"N{k}", lead, 1.0) for k, lead in enumerate(leads)] + [("no", "P", np.nan)],
                          columns=["network", "auxiliary", "share"])
    assert answers.interpretation(error_parts((1.0, 0.5, 0.5)), NONE, shares)[0].startswith(f"**Our runs.** {words}")


def data_tables(leads, products=("SMAP",)):
    """`leads`: mapping of network -> auxiliary, r, low, high of its largest correlation."""
    table = pd.DataFrame([(name, *row) for name, row in leads.items()],
                         columns=["network", "auxiliary", "pooled", "low", "high"])
    table = pd.concat([table, table.assign(auxiliary="F", pooled=table["pooled"] / 2)], ignore_index=True)
    counts = pd.DataFrame([(name, product, 0.2 + 0.1 * k) for k, name in enumerate(leads) for product in products],
                          columns=["network", "product", "seen"])
    raw = counts.assign(metric="RMSE", value=counts["seen"] / 4)
    return table, counts, raw


def test_the_auxiliary_that_goes_along_with_moisture():
    answer, detail = answers.data(*data_tables({"A": ("L", -0.5, -0.6, -0.4), "B": ("L", 0.3, -0.1, 0.6)}))
    assert answer == ("**Our runs.** Surface temperature goes along most with soil moisture in all 2 networks: the "
                      "largest "
                      "|r| is 0.30 to 0.50, surely not 0 in 1 of 2. The raw products' RMSE is 0.050 to 0.075 m³ m⁻³.")
    assert detail.splitlines() == [
        "- A: surface temperature goes along most with soil moisture, over all station-days (r −0.50, −0.60 to "
        "−0.40); of "
        "the products as they come SMAP is nearest to the stations (RMSE 0.050 m³ m⁻³).",
        "- B: surface temperature goes along most with soil moisture, over all station-days (r 0.30, −0.10 to 0.60); "
        "of "
        "the products as they come SMAP is nearest to the stations (RMSE 0.075 m³ m⁻³).",
        "- SMAP sees the cells with stations on 20 to 30 % of the days, by network."]
    assert answers.data(*data_tables({"A": ("L", -0.5, -0.6, -0.4), "B": ("E", 0.3, -0.1, 0.6)}))[0].startswith(
        "**Our runs.** No auxiliary goes along most with soil moisture in all 2 networks: the largest |r| is 0.30 to "
        "0.50")
    assert answers.data(*data_tables({"A": ("L", -0.5, np.nan, np.nan)}))[0] == (
        "**Our runs.** Surface temperature goes along most with soil moisture: the largest |r| is 0.50, surely not 0 "
        "in 0 "
        "of 1. The raw products' RMSE is 0.050 m³ m⁻³.")
    table, counts, raw = data_tables({"A": ("L", np.nan, np.nan, np.nan)})
    assert "cannot be told" in answers.data(table, counts, raw.assign(value=np.nan))[0]


@pytest.mark.parametrize("seed", range(8))
def test_no_table_makes_an_answer_longer_than_two_lines(seed):
    """Up to 120 cases in networks with long names, every method, wins and losses as they fall; baselines stay named."""
    rng = np.random.default_rng(seed)
    many = [f"A network with a long name, number {k}" for k in range([1, 10, 40][seed % 3])]
    key = pd.MultiIndex.from_product([many, ("ASCAT", "ESA-CCI", "SMAP"), list(BASELINES), ("strict", "year")],
                                     names=["network", "product", "reference", "protocol"]).to_frame(index=False)
    centre = key["reference"].map(dict(zip(BASELINES, rng.normal(0, 0.5, len(BASELINES)), strict=True)))
    value = centre + rng.normal(0, 0.3, len(key))
    skills = key.assign(value=value, low=value - 0.2, high=value + 0.2)
    skills.loc[rng.random(len(key)) < 0.1, ["low", "high"]] = np.nan
    scores = SCORES.assign(value=rng.random(len(SCORES)))
    grid = GRID.assign(value=rng.random(len(GRID)))
    triples = pd.DataFrame([(name, product, state, "product", "error_std", *sorted(rng.random(3)), np.nan)
                            for name in many for product in ("ASCAT", "SMAP") for state in ("before", "after")],
                           columns=["network", "product", "state", "data", "metric", "low", "value", "high", "true"])
    shares = pd.DataFrame([(name, c, s) for name in many for c, s in zip("FPLE", rng.random(4), strict=True)],
                          columns=["network", "auxiliary", "share"])
    found = {"climatology": answers.matching(grid, skills, "FPLE"),
             "product": answers.improvement(skills, scores, "FPLE", 0.5),
             "product's": answers.interpretation(error_parts(10 * rng.random(3)), triples, shares),
             "raw products": answers.data(*data_tables(dict.fromkeys(many, ("E", -0.5, -0.6, -0.4))))}
    for baseline, (answer, detail) in found.items():
        assert shown_length(answer) <= ANSWER and baseline in answer and detail.startswith("- ")
    assert "climatology" in found["product"][0]


def test_every_network_has_its_own_period():
    networks = {name: SimpleNamespace(points=SimpleNamespace(sites=[0] * n, time=np.array(days, "M8[D]")))
                for name, n, days in (("HOBE", 1, ["2016-01-01", "2016-12-31"]),
                                      ("OZNET", 5, ["2017-02-01", "2018-01-31"]))}
    said = answers.about(Study(networks, ("SMAP", "ASCAT"), "measured", "", "my/networks"))
    assert said == ("**Data.** Measured (`my/networks`): daily soil moisture of stations and of SMAP and ASCAT, with "
                    "four "
                    "auxiliaries, around HOBE, 1 station, 2016-01-01 to 2016-12-31; OZNET, 5 stations, 2017-02-01 to "
                    "2018-01-31.")
    one = Study({"HOBE": networks["HOBE"]}, ("SMAP",), "simulated", "", "twin", "quick")
    assert answers.about(one) == ("**Data.** Simulated (`twin`, scale quick): daily soil moisture of stations and of "
                                  "SMAP, "
                                  "with four auxiliaries, around HOBE, 1 station; 2016-01-01 to 2016-12-31.")


def test_the_printed_rows_that_cannot_be_right_are_named():
    said = answers.odd(tables.odd_printed())
    assert said.startswith("4 printed rows cannot be right: OZNET FPLE ESA-CCI: RMSE 0.043")
    assert said.count("and MAE 0.053 exceeds the RMSE") == 1
