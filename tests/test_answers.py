"""The answers of the two pages that no other test file has."""

import pandas as pd
import pytest

from smlib.evaluate import audit_shown, world_answer


@pytest.mark.parametrize(("known", "bare", "words"), [
    (1, 1, "1 is of the oddities in `data/published/README.md`, **1 more has no explanation**."),
    (2, 0, "2 are of the oddities in `data/published/README.md`, each of the others has its reason below.")])
def test_the_audit_says_what_is_not_explained(known, bare, words, monkeypatch):
    total = pd.DataFrame({"file": ["a"], "comparisons": 9876, "fails": 2, "listed": known, "unexplained": bare})
    monkeypatch.setattr(audit_shown.audit, "summary", lambda frame: total)
    said = audit_shown.answer(None)
    assert said == f"**Our audit.** 2 comparisons of 9,876 between printed numbers fail by more than rounding: {words}"
    assert len(said.replace("*", "")) <= 200


def test_one_truth_counts_the_rows_that_allow_it():
    std = pd.DataFrame({"low": [0.040, 0.043], "high": [0.042, 0.044]})
    assert audit_shown.one_truth(std, (0.041, 0.0415)).startswith("1 of the 2 rows of scores in Fan et al.")


def test_the_worlds_answer_counts_what_lies_within():
    inside = pd.DataFrame({"site": ["A", "B"], "level": [1, 1], "r_1": [True, False], "std": [True, True]})
    fits = pd.DataFrame({"product": ["DCA", "SCA-H"], "metric": "r", "inside": [12, 7], "count": [12, 12]})
    pairs = pd.DataFrame({"network": "N", "variable": list("ab"), "printed": [0.5, -0.1], "simulated": [0.1, 0.2]})
    spread = pd.DataFrame({"soil moisture": ["printed", "truth"], "pooled_std": [0.04, 0.044], "departure": [0, 0.1]})
    answer, detail = world_answer(pd.Series([True, False]), inside, ["r_1", "std"], fits, pairs, spread)
    assert answer == ("**Our runs.** Of 4 measured statistics 3 lie within the simulated range; of 24 product scores "
                      "19 within the printed one; of 2 correlations with in-situ moisture 1 has the printed sign.")
    assert "- B, level 1: 1 of 2 statistics within" in detail and "- SCA-H, r: 7 of 12 values" in detail
    assert "- Weather within 15 % of print: 1 of 2 twins." in detail and "DCA" not in detail
    assert "- truth: the pooled standard deviation is 0.0440 m³ m⁻³, 10.0 % off the printed one." in detail
