"""What the pages of both studies over the United States answer: by hand, and the longest there can be."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from smlib.conus import answers
from smlib.conus.scenarios import LEADS
from smlib.wording import ANSWER

PRODUCTS = ("DCA", "SCA-H", "SCA-V", "NLDAS-2")


def fits(said):
    return said.startswith("**Our runs.** ") and len(said) - 4 <= ANSWER


# fusion/data

def covers(values):
    """`by_cover` of {(metric, network): values of PRODUCTS}."""
    rows = [("Average", network, name, metric, value) for (metric, network), some in values.items()
            for name, value in zip(PRODUCTS, some, strict=True)]
    return pd.DataFrame(rows, columns=["land_cover", "network", "product", "metric", "ours"])


def inputs(values):
    places = pd.DataFrame({"place": ["own cell", "nearest"], "product": "DCA", "r": [0.7, -0.5]})
    return answers.inputs(covers(values), pd.Series([28.0, 30.0]), places)


def test_the_product_that_is_ahead_stands_beside_the_land_model():
    said, detail = inputs({("r", "SCAN"): (0.6, 0.5, 0.5, 0.4), ("r", "USCRN"): (0.7, 0.5, 0.5, 0.3),
                           ("rmse", "SCAN"): (0.09, 0.1, 0.1, 0.08), ("rmse", "USCRN"): (0.07, 0.1, 0.1, 0.08),
                           ("ubrmse", "SCAN"): (0.05,) * 4, ("ubrmse", "USCRN"): (0.05,) * 4})
    assert said == ("**Our runs.** Highest r with stations: DCA at SCAN (0.60; NLDAS-2 0.40) and USCRN (0.70; 0.30). "
                    "Least RMSE (m³ m⁻³): NLDAS-2 at SCAN (0.080; DCA 0.090) and DCA at USCRN (0.070; NLDAS-2 0.080).")
    assert "NLDAS-2 0.40, 0.080 and 0.050" in detail and "29 km" in detail
    assert "0.70 at the own cell and −0.50" in detail


def test_networks_without_a_score_are_left_out():
    none = (np.nan,) * 4
    values = {(metric, network): none for metric in ("r", "rmse", "ubrmse") for network in ("SCAN", "USCRN")}
    assert "No station has enough days" in inputs(values)[0]
    few = {(metric, "USCRN"): (-0.12, 0.9, np.nan, 0.8) for metric in ("r", "rmse", "ubrmse")}
    said, _ = inputs(values | few)
    assert "Highest r with stations: SCA-H at USCRN (0.90; NLDAS-2 0.80)." in said and "SCAN" not in said


# fusion/estimate

def against_truth(skills, half=0.01):
    """`against_truth` of {method: (skill against NLDAS-2, against DCA)}, intervals of half a width."""
    rows = [{"method": name, "rmse": 0.05} | {f"{part}_{other}": value + sign * half for other, value in
                                              zip(("NLDAS-2", "DCA"), values, strict=True)
                                              for part, sign in (("skill", 0), ("low", -1), ("high", 1))}
            for name, values in skills.items()]
    return pd.DataFrame(rows)


NAMES = ("ConvLSTM S1", "ConvLSTM S2", "climatology", "HistGB", "NLDAS-2", "DCA")


def at_stations(names=NAMES, sites=4):
    r = np.linspace(0.5, 0.6, sites)
    return {name: pd.DataFrame({"r": r + k / 10, "ubrmse": 0.05}) for k, name in enumerate(names)}


def test_the_estimate_is_judged_by_the_truth_and_losses_come_first():
    skills = dict(zip(NAMES, [(0, 0), (0.3, 0.005), (-0.4, -0.5), (0.1, 0), (0, -0.1), (0.1, 0)], strict=True))
    below = {name: one for name, one in skills.items() if name != "DCA"} | {"ConvLSTM S2": (-0.5, np.nan)}
    truths = {1: against_truth(skills), 2: against_truth(below)}
    said, detail = answers.estimate({1: at_stations(), 2: at_stations(NAMES[:5])}, truths)
    assert said == ("**Our runs.** Worse than climatology at 10-40 cm. No: S2 is at 10-40 cm surely worse than NLDAS-2 "
                    "(skill −0.50), at 0-10 cm not to be told from DCA and surely better than NLDAS-2 (+0.30).")
    assert "ConvLSTM S2 (RMSE 0.0500 m³ m⁻³) is surely better than NLDAS-2 (skill +0.300, +0.290 to +0.310)" in detail
    assert "adds to the r of S1, mean over stations: +0.100" in detail


def test_without_a_truth_the_estimate_is_judged_at_stations():
    said, _ = answers.estimate({1: at_stations()}, {1: None})
    assert said.startswith("**Our runs.** Worse than climatology. No: by r at stations ConvLSTM S2 is at 0-10 cm "
                           "surely worse than NLDAS-2 (−0.30) and DCA (−0.40).") and fits(said)


@pytest.mark.parametrize("own, other, half, lost", list(product((-12.34, 0.0, 0.5, np.nan), (-12.34, 0.5), (0.01, 50),
                                                               ((), (2,), (1, 2)))))
def test_every_estimate_fits(own, other, half, lost):
    skills = dict.fromkeys(NAMES, (own, other))
    truths = {layer: against_truth(skills | {"climatology": (99 if layer in lost else -99, 0)}, half)
              for layer in (1, 2)}
    truths[2] = truths[2][truths[2]["method"] != "DCA"]  # there is none below the surface
    said, _ = answers.estimate({1: at_stations(), 2: at_stations(NAMES[:5])}, truths)
    assert fits(said) and said.count("NLDAS-2") >= 2 and "0-10 cm" in said
    assert said.startswith("**Our runs.** Worse than climatology") == bool(lost and np.isfinite(own))
    said, _ = answers.estimate({1: at_stations(sites=1)}, {1: None})
    assert fits(said) and "not to be told from" in said


# forecast/train

def losses(**r):
    return pd.concat([pd.DataFrame({"method": form, "lead_d": (1, 30)[:len(of)], "median_r": of})
                      for form, of in r.items()])


@pytest.mark.parametrize("meant, printed, words", [
    (0.6, -0.5, "forecasts that go against the truth: median r over cells 1 day ahead is −0.50 with it, 0.60 with"),
    (0.6, 0.3, "rewards a lower correlation: median r"), (-0.1, 0.3, "rewards a higher correlation: median r"),
    (0.6, 0.55, "the two hardly differ: median r over cells 1 day ahead is 0.55 as printed, 0.60 as meant."),
    (0.6, np.nan, "cannot be told: median r over cells 1 day ahead is not defined with it, 0.60 with"),
    (np.nan, np.nan, "cannot be told")])
def test_what_the_printed_loss_rewards(meant, printed, words):
    said, detail = answers.loss(losses(meant=[meant, 0.2], printed=[printed, -0.1]))
    assert words in said and fits(said)
    assert ("1.10 lower: what is in print cannot be what was run" in detail) == (printed == -0.5)
    assert "Loss as printed, median r over cells against NLDAS-2: " in detail and "−0.10 (30 d)" in detail
    assert "Not run with the printed loss; with the one meant, median r" in answers.loss(losses(meant=[0.6]))[0]


# forecast/skill

def cells(values, names=("S1", "S2", "S3", "S4"), leads=LEADS, layers=(1, 2, 3), judges=("NLDAS-2", "truth")):
    """`cell_scores`: values(judge, layer, lead, name, reference) is the skill, its interval 0.02 wide."""
    def rows(judge, layer):
        return pd.DataFrame([{"method": name, "lead_d": lead} | {
            f"{part}_{other}": values(judge, layer, lead, name, other) + sign * 0.01 for other in answers.REFERENCES
            for part, sign in (("low", -1), ("high", 1))} for name in names for lead in leads])
    return {layer: {judge: rows(judge, layer) for judge in judges} for layer in layers}


def medians(names=("S1", "S2", "S3", "S4"), leads=LEADS, layers=(1, 2, 3)):
    rows = pd.DataFrame([{"method": name, "lead_d": lead, "r": -0.5} for name in names for lead in leads])
    return dict.fromkeys(layers, rows)


def test_wins_over_persistence_and_climatology_are_counted():
    def by_hand(judge, layer, lead, name, other):
        if judge == "truth":
            return 0.5
        if name == "S4":
            return 0.5 if lead > 3 else 0.0
        return 0.5 if (layer, name) == (1, "S2") and lead < (7 if other == "persistence" else 14) else -0.5
    said, detail = answers.skill(cells(by_hand), medians())
    assert said == ("**Our runs.** In part, up to 3 d: persistence surely beats the best of S1 to S3 at 13 of 15 "
                    "layers and leads, surely loses at 2 (judge: NLDAS-2; by the truth 0 and 15); climatology wins 12, "
                    "loses 3.")
    assert "against NLDAS-2: S1, S2 and S3 at best are surely better than persistence at 1, 3 d, than" in detail
    assert "is surely better than persistence at 7, 14, 30 d, than climatology at 7, 14, 30 d." in detail
    assert "against the truth: S1, S2 and S3 at best are surely better than persistence at 1, 3, 7, 14, 30 d" in detail
    assert "median r at stations 1 day ahead: S1 −0.50" in detail


@pytest.mark.parametrize("names", [("S1",), ("S4",), ("S1", "S3"), ("S1", "S4"), ("S1", "S2", "S3", "S4")])
@pytest.mark.parametrize("leads, layers", [((1,), (2,)), (LEADS, (1,)), (LEADS, (1, 2, 3))])
@pytest.mark.parametrize("value", [-0.5, 0.5, 0.0, np.nan])
def test_every_forecast_fits(names, leads, layers, value):
    # The longest: won at 30 d alone, so that "in part" says so.
    made = cells(lambda judge, layer, lead, *_: 0.5 if value == 0 and lead == 30 else value, names, leads, layers)
    said, _ = answers.skill(made, medians(names, leads, layers))
    n = len(leads) * len(layers)
    unit = "layers and leads" if len(layers) > 1 else "leads" if n > 1 else "lead"
    assert fits(said) and f"of {n} {unit}, surely loses" in said and "climatology wins" in said
    assert said.startswith({-0.5: "**Our runs.** No: ", 0.5: "**Our runs.** Yes: "}.get(value, "**Our runs.** "))


# forecast/maps

def test_maps_stand_beside_those_of_the_land_model():
    spread = pd.DataFrame({"layer": ["0-10 cm"] * 2 + ["10-40 cm"] * 2, "lead_d": [1, 30] * 2,
                           "spread": [0.06, 0.05, 0.09, 0.095], "of_nldas": [0.08] * 4})
    scores = {1: {"1 d": pd.DataFrame({"r": [0.6, 0.7, np.nan]}), "30 d": pd.DataFrame({"r": [-0.2]})},
              2: {"1 d": pd.DataFrame({"r": [0.5]}), "30 d": pd.DataFrame({"r": [np.nan]})}}
    said, detail = answers.maps(spread, scores, "S1")
    assert said.startswith("**Our runs.** S1's maps vary less than NLDAS-2's in 1 of 2 layers (0-10 cm, 1 d: sd 0.060, "
                           "NLDAS-2 0.080 m³ m⁻³)") and fits(said)
    assert said.endswith("Median r at stations: 0.65 (0-10 cm, 1 d) to −0.20 (0-10 cm, 30 d).")
    assert "0.090 m³ m⁻³ 1 day ahead, 0.095 30 days ahead (NLDAS-2 0.080)" in detail and "not defined at 30 d" in detail
    one = answers.maps(spread[:1], {1: {"1 d": pd.DataFrame({"r": [np.nan]})}}, "S1")[0]
    assert "in 1 of 1 layer (" in one and one.endswith("No station is scored.")
