"""Sentences of the correction pages: the right rows are counted, and said as they are."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from smlib.correction import answers, tables
from smlib.correction.study import Study


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


def test_the_front_sentence_is_of_one_combination_and_weight_against_the_stations():
    said = answers.improvement(SCORES, "FPLE", 0.5)
    assert said.endswith("paper 0.030 (product 0.060), strict 0.045 (product 0.060).")


def test_the_weights_sentence_names_where_the_lowest_is():
    said = answers.weights(tables.weights(SCORES, "FPLE"), 0.5)
    assert "differs by 0.0100 m³ m⁻³ in the median" in said and "the lowest is at 1 in 1 of 1 cases" in said


def test_the_verdict_counts_intervals_that_exclude_zero():
    def skill(reference, protocol, *intervals):
        return [{"reference": reference, "protocol": protocol, "value": np.mean(one), "low": one[0], "high": one[1]}
                for one in intervals]

    skills = pd.DataFrame(skill("CDF matching", "strict", (0.1, 0.3), (-0.1, 0.2), (0.2, 0.4))
                          + skill("HistGB", "strict", (-0.4, -0.2), (-0.3, 0.1), (-0.2, -0.1))
                          + skill("CDF matching, own past", "year", (-0.9, -0.5), (-0.2, 0.1), (0.1, 0.2)))
    said = answers.verdict(skills)
    assert "surely beats CDF matching in 2 of 3 cases and is surely worse in 0 (median skill +0.20)" in said
    assert "HistGB in 0 of 3 cases and is surely worse in 2 (median skill −0.15)" in said
    assert "surely beats MLSTM in 1 of 3 cases and is surely worse in 1." in said


@pytest.mark.parametrize(("after", "words"), [
    ((1.0, 0.5, 0.5), "from 4.0 to 2.0 · 10⁻⁴ m⁶ m⁻⁶; of what is gone, bias is 50 %, amplitude is 0 %, timing is 50 %"),
    ((2.0, 0.5, 2.5), "from 4.0 to 5.0 · 10⁻⁴ m⁶ m⁻⁶.")])
def test_random_error_or_bias(after, words):
    """Before 2.0, 0.5, 1.5 in 10^-4; what grew has no parts of what is gone."""
    parts = pd.DataFrame([{"method": method, "part": part, "value": 1e-4 * value} for method, values in
                          (("raw", (2.0, 0.5, 1.5)), ("MLSTM", after)) for part, value in
                          zip(("bias", "amplitude", "timing"), values, strict=True)])
    none = pd.DataFrame(columns=["network", "product", "state", "data", "metric", "value", "low", "high", "true"])
    assert words in answers.random_or_bias(parts, none)


def test_the_random_error_is_told_before_and_after():
    """Medians, though one error was 0 before; of two intervals that lie apart only the one below counts as lower."""
    cases = {"ASCAT": ((0.0, 0.0, 0.0), (0.01, 0.005, 0.02)), "SMAP": ((0.04, 0.03, 0.05), (0.02, 0.015, 0.025)),
             "ESA-CCI": ((0.03, 0.02, 0.04), (0.03, 0.02, 0.04)), "no": ((0.5, 0.4, 0.6), (np.nan,) * 3)}
    triples = pd.DataFrame([{"network": "OZNET", "product": product, "state": state, "data": "product",
                             "metric": "error_std", "value": value, "low": low, "high": high, "true": 2 * value}
                            for product, both in cases.items()
                            for state, (value, low, high) in zip(("before", "after"), both, strict=True)])
    parts = pd.DataFrame([{"method": method, "part": part, "value": 1e-4} for method in ("raw", "MLSTM")
                          for part in ("bias", "amplitude", "timing")])
    assert answers.random_or_bias(parts, triples).endswith(
        "its random error goes from 0.0300 to 0.0200 m³ m⁻³ in the median of 3 cases; the interval after lies wholly "
        "below that before in 1; against the known truth it goes from 0.0600 to 0.0400 m³ m⁻³.")


def test_every_network_has_its_own_period():
    networks = {name: SimpleNamespace(points=SimpleNamespace(sites=[0] * n, time=np.array(days, "M8[D]")))
                for name, n, days in (("HOBE", 3, ["2016-01-01", "2016-12-31"]),
                                      ("OZNET", 5, ["2017-02-01", "2018-01-31"]))}
    said = answers.about(Study(networks, ("SMAP",), "measured", "", "my/networks"))
    assert said == ("**Data.** Measured: `my/networks`. HOBE 3 stations, 2016-01-01 to 2016-12-31; OZNET 5 stations, "
                    "2017-02-01 to 2018-01-31. Products: SMAP.")
    assert "`twin`, scale quick." in answers.about(Study(networks, (), "simulated", "", "twin", "quick"))


def test_the_printed_rows_that_cannot_be_right_are_named():
    said = answers.odd(tables.odd_printed())
    assert said.startswith("4 printed rows cannot be right: OZNET FPLE ESA-CCI: RMSE 0.043")
    assert said.count("and MAE 0.053 exceeds the RMSE") == 1
