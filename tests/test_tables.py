"""The tables of a page, from a skill table small enough to check by eye."""

import numpy as np
import pandas as pd
import pytest

from smlib.evaluate import COLUMNS, against, answer, over_sites, printed_by_depth, printed_means, wide


def row(model, value, low=None, high=None, *, site="A", depth_m=0.05, lead_d=1, metric="R2", variant="", n=100):
    low, high = (value if x is None else x for x in (low, high))
    values = ("stations", "s", "strict", model, variant, site, depth_m, lead_d, metric, value, low, high, n)
    return dict(zip(COLUMNS, values, strict=True))


@pytest.fixture
def skill():
    nan = np.nan
    frame = pd.DataFrame([
        row("persistence", 0.95, 0.9, 0.97), row("climatology", nan, nan, nan, n=0), row("RF", 0.96, 0.91, 0.98),
        row("LSTM", -1.5, -3, 0.2),
        row("persistence", 0.9, 0.8, 0.95, site="B", depth_m=nan, variant="level 1"),
        row("RF", 0.8, 0.7, 0.85, site="B", depth_m=nan, variant="level 1"),
        row("LSTM", 0.85, 0.7, 0.9, site="B", depth_m=nan, variant="level 1"),
        row("persistence", 0, metric="skill_persistence"), row("RF", 0.2, 0.1, 0.3, metric="skill_persistence"),
        row("LSTM", -50, -90, -20, metric="skill_persistence"),
        row("climatology", nan, nan, nan, metric="skill_persistence", n=0),
        row("RF", -1, -2, 0.1, metric="skill_persistence", site="B", depth_m=nan, variant="level 1"),
        row("LSTM", -0.5, -1.5, 0.2, metric="skill_persistence", site="B", depth_m=nan, variant="level 1")])
    return pd.concat([frame, over_sites(frame)], ignore_index=True)


def test_wide_shows_values_with_intervals_and_a_dash_for_none(skill):
    table = wide(skill[skill.site != "all"])
    assert list(table.columns) == ["1 d"]
    assert table.loc[("A", "0.05 m", "RF"), "1 d"] == "0.960 [0.91, 0.98]"
    assert table.loc[("A", "0.05 m", "climatology"), "1 d"] == "–"
    assert table.loc[("B", "level 1", "LSTM"), "1 d"] == "0.850 [0.70, 0.90]"
    assert table.loc[("A", "0.05 m", "LSTM"), "1 d"].startswith("−1.500")


def test_against_counts_only_what_the_interval_says(skill):
    counts = against(skill).set_index("model")
    assert list(counts.loc["RF", ["better", "worse", "undecided", "levels"]]) == [1, 0, 1, 2]
    assert list(counts.loc["LSTM", ["better", "worse", "undecided", "levels"]]) == [0, 1, 1, 2]
    assert "persistence" not in counts.index and "climatology" not in counts.index


def test_answer_says_what_the_table_says(skill):
    said, text = answer(skill)
    assert said == "**Our runs.** No model beats persistence 1 day ahead (median R² 0.93; best: RF 0.88)."
    assert "1 day ahead: RF has the highest median R² over sites, 0.880" in text and "persistence has 0.925. " in text
    assert "Above persistence are 0 of 2 models" in text and "\n- 2 sites; " in text
    assert "surely above 0 at 1 of 2 levels and surely below at 0" in text


def entries(scores, worse=0):
    """A skill table of one site with 88 levels, 22 of them surely better: (lead, model) -> R2, persistence at 0.5."""
    rows = []
    for (lead, model), value in scores.items():
        rows.append(row(model, value, site="all", variant="median", lead_d=lead))
        for k in range(0 if model == "persistence" else 88):
            low, high = (0.1, 0.3) if k < 22 else (-0.3, -0.1) if k < 22 + worse else (-0.1, 0.1)
            rows.append(row(model, (low + high) / 2, low, high, metric="skill_persistence", lead_d=lead,
                            depth_m=float(k)))
    return pd.DataFrame(rows)


def test_the_answer_names_the_leader_of_each_lead():
    skill = entries({(1, "persistence"): 0.5, (1, "RF"): 0.8, (1, "ELM"): 0.6, (3, "persistence"): 0.4, (3, "RF"): 0.45,
                     (3, "ELM"): 0.7, (7, "persistence"): 0.1, (7, "RF"): 0.6, (7, "ELM"): 0.5}, worse=1)
    assert answer(skill)[0] == ("**Our runs.** Highest median R²: RF 0.80, 0.60 (1, 7 d), ELM 0.70 (3 d); persistence "
                                "0.50, 0.40, 0.10; surely better than it at 22, 22, 22 of 88 levels, worse at 1, 1, 1.")
    alone = answer(skill[skill["lead_d"] == 7])[0]
    assert alone == ("**Our runs.** RF has the highest median R² 7 days ahead (0.60; persistence 0.10); surely better "
                     "than it at 22 of 88 levels, worse at 1.")


def test_a_lost_lead_is_said_first_and_close_scores_get_a_third_digit():
    skill = entries({(1, "persistence"): 0.9705, (1, "RF"): 0.9742, (7, "persistence"): 0.6, (7, "RF"): 0.5})
    said = answer(skill)[0]
    assert said == ("**Our runs.** No model beats persistence 7 days ahead (median R² 0.600; best: RF 0.500). RF has "
                    "the highest median R² 1 day ahead (0.974; persistence 0.971); surely better than it at 22 of 88 "
                    "levels.")


def test_a_climatology_of_all_sites_counts_and_one_of_fewer_does_not():
    scores = {(1, "persistence"): 0.3, (1, "climatology"): 0.7, (1, "RF"): 0.6}
    assert "No model beats climatology 1 day ahead (median R² 0.70; best: RF 0.60)" in answer(entries(scores))[0]
    fewer = entries(scores)
    fewer.loc[fewer["model"] == "climatology", "n"] = 50
    assert "RF has the highest" in answer(fewer)[0] and "climatology 0.700 (of 50 of 100 sites)" in answer(fewer)[1]


@pytest.mark.parametrize("leads", [[1], [1, 3, 7], [30, 60, 90], list(range(1, 21))])
@pytest.mark.parametrize("lost", ["none", "all", "middle", "first"])
@pytest.mark.parametrize("scale", [1, -12345])
def test_the_answer_fits_whatever_the_names_and_leads(leads, lost, scale):
    names = ["CNN-with-LSTM (increment)", "Transformer (increment)", "CNN-with-LSTM"]
    skill = entries({(lead, name): scale * ((0.55 if scale > 0 else 0.45) if name == names[k % 3] else 0.5) + 0.2 * (
        -1 if loses(lost, k, leads) and name != "persistence" else 0) * abs(scale)
        for k, lead in enumerate(leads) for name in ["persistence", *names]}, worse=60)
    said = answer(skill)[0]
    assert "persistence" in said and len(said.replace("*", "")) <= 200
    beaten = sum(loses(lost, k, leads) for k in range(len(leads)))
    assert ("No model beats" in said.split(".")[2] + said.split(".")[1] or "no model beats" in said) == (beaten > 0)


def loses(lost, k, leads):
    return {"none": False, "all": True, "middle": 0 < k < len(leads) - 1, "first": k == 0}[lost]


def test_every_model_of_the_paper_is_printed(skill):
    """13 models; GAN-LSTM in Table 6 at 0.05 m: 0.944, 0.897, 0.819. An increment has nothing printed beside it."""
    names = ["RF", "GAN-LSTM", "CNN-LSTM", "FA-LSTM", "RF (increment)"]
    rows = [row(name, 0.9, site="all", variant="median") for name in names]
    table = printed_means(pd.DataFrame(rows)).set_index("model")
    assert list(table.index) == ["RF", "CNN-LSTM", "FA-LSTM", "GAN-LSTM"] and table["printed"].notna().all()
    near = printed_by_depth(pd.DataFrame([row("GAN-LSTM", 0.9, lead_d=lead) for lead in (1, 3, 7)]))
    assert near["printed"].tolist() == [0.944, 0.897, 0.819]


def test_printed_means_are_those_of_the_paper(skill):
    """RF in Table 2 at one day: 0.924, 0.930, 0.929, 0.898, 0.903."""
    table = printed_means(skill).set_index("model")
    assert table.loc["RF", "printed"] == pytest.approx(np.mean([0.924, 0.930, 0.929, 0.898, 0.903]))
    assert table.loc["RF", "lowest"] == 0.898 and table.loc["RF", "highest"] == 0.930
    assert np.isnan(table.loc["persistence", "printed"])
    assert table.loc["RF", "ours"] == pytest.approx(0.88)


def test_an_extremely_poor_depth_has_no_printed_mean():
    frame = pd.DataFrame([row("SVR", 0.1, lead_d=7)])
    table = printed_means(pd.concat([frame, over_sites(frame)]))
    assert table["printed"].isna().all()


def test_printed_by_depth_takes_only_depths_that_are_near(skill):
    table = printed_by_depth(skill).set_index("model")
    assert set(table.index) == {"persistence", "RF", "LSTM"} and (table["depth_m"] == 0.05).all()
    assert table.loc["RF", "printed"] == 0.924 and table.loc["LSTM", "printed"] == 0.943
    assert table.loc["RF", "ours"] == 0.96, "site B, of unknown depth, must not come in"
    assert printed_by_depth(skill.assign(depth_m=0.14)).empty, "0.14 m is near neither 0.10 nor 0.20 m"
