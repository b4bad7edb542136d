"""Figures of significance: drawn from made-up tables, with warnings as errors."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from legible import assert_legible
from matplotlib.patches import Rectangle

from smlib.evaluate.entrants import SUFFIX
from smlib.evaluate.ranks import friedman
from smlib.models import BASELINES
from smlib.plots import significance
from smlib.plots.style import MODEL_COLOURS, model_style

pytestmark = pytest.mark.filterwarnings("error")
MODELS = list(MODEL_COLOURS)
ENTRANTS = MODELS + [m + SUFFIX for m in MODELS if m not in BASELINES]


@pytest.fixture(autouse=True)
def no_leaks():
    """Drawing leaves no open pyplot figure and no changed setting."""
    before = dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def texts(fig):
    fig.draw_without_rendering()
    return [t.get_text() for t in fig.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text()]


def entrants_table(n, entrants=ENTRANTS, leads=(1, 7), spread=1.0):
    rng = np.random.default_rng(0)
    return pd.DataFrame([(e, f"S{i}", lead, k * 0.2 + spread * rng.normal()) for lead in leads for i in range(n)
                         for k, e in enumerate(entrants)], columns=["entrant", "block", "lead_d", "value"])


@pytest.mark.parametrize("n", [4, 30])
def test_critical_difference_names_all_entrants_inside_the_figure(n):
    found = friedman(entrants_table(n))
    fig = significance.critical_difference(*found, title="Ranks")
    written = texts(fig)
    assert len(fig.axes) == 2 and "Ranks" in written
    parts = [part for text in written for part in text.strip().split("  ")]
    assert all(parts.count(entrant) == 2 for entrant in ENTRANTS)
    assert f"critical difference {found.tests['cd'].iloc[0]:.1f}" in written
    assert any(f"{len(ENTRANTS)} entrants (1 is best), N = {n} (sites)" in t and "Friedman" in t for t in written)
    width, height = fig.canvas.get_width_height()
    for label in fig.findobj(matplotlib.text.Text):
        if label.get_visible() and label.get_text():
            box = label.get_window_extent()
            assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, label.get_text()


def test_critical_difference_joins_what_the_test_cannot_tell_apart():
    found = friedman(entrants_table(12, ["RF", "ELM", "SVR", "LSTM"], leads=(1,), spread=0.2))
    (ax,) = significance.critical_difference(*found).axes
    bars = [line for line in ax.lines if line.get_linewidth() == 2.2]
    ranks = found.ranks.set_index("entrant")["rank"]
    joined = {tuple(sorted(ranks.index[np.isclose(ranks.to_numpy()[:, None], line.get_xdata()).any(axis=1)]))
              for line in bars}
    alike = found.pairs[found.pairs["p"] >= 0.05]
    assert {tuple(sorted(pair)) for pair in zip(alike["entrant"], alike["other"], strict=True)} <= {
        tuple(sorted(p)) for group in joined for p in [(a, b) for a in group for b in group if a != b]}
    apart = found.pairs[found.pairs["p"] < 0.05]
    assert len(apart) and not any({row.entrant, row.other} <= set(group) for row in apart.itertuples()
                                  for group in joined)


def test_critical_difference_draws_models_as_everywhere():
    (ax,) = significance.critical_difference(*friedman(entrants_table(6, leads=(1,)))).axes
    ranks = friedman(entrants_table(6, leads=(1,))).ranks.set_index("entrant")["rank"]
    for entrant in ("LSTM", "LSTM (increment)"):
        # Another entrant may have the same rank.
        (dot,) = [line for line in ax.lines if len(line.get_xdata()) == 1 and line.get_xdata()[0] == ranks[entrant]
                  and line.get_color() == model_style("LSTM")["color"]]
        assert dot.get_marker() == model_style("LSTM")["marker"]
        assert (dot.get_markerfacecolor() == "white") == entrant.endswith(")")


def test_critical_difference_without_a_test_joins_nothing():
    fig = significance.critical_difference(*friedman(entrants_table(1, leads=(3,))))
    assert any("3 days ahead" in t and "too few to test" in t for t in texts(fig))
    assert not [line for line in fig.axes[0].lines if line.get_linewidth() == 2.2]


def test_critical_difference_says_where_there_is_nothing_to_rank():
    table = entrants_table(3, ["RF", "ELM", "SVR"])
    table.loc[(table["lead_d"] == 7) & (table["entrant"] == "RF") & (table["block"] != "S0"), "value"] = np.nan
    table.loc[(table["lead_d"] == 7) & (table["entrant"] == "ELM") & (table["block"] == "S0"), "value"] = np.nan
    fig = significance.critical_difference(*friedman(table))
    assert [["no data"] == [t.get_text() for t in ax.texts] for ax in fig.axes] == [False, True]
    assert any("N = 0" in t for t in texts(fig))


def compared():
    rows = [("FA-LSTM", "LSTM", site, level, lead, skill, verdict) for lead in (1, 3)
            for site, level, skill, verdict in (("S", "0.05 m", 0.5, "better"), ("S", "0.20 m", -0.5, "worse"),
                                                ("T", "level 1, depth unknown", 0.0, "undecided"),
                                                ("T", "0.05 m", np.nan, "not scored"))]
    return pd.DataFrame(rows, columns=["model", "reference", "site", "level", "lead_d", "skill", "verdict"])


def test_verdicts_place_colour_and_mark_every_level():
    fig = significance.verdicts(compared(), title="DM")
    ax = fig.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["S", "T"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.05 m", "0.20 m", "level 1"]
    np.testing.assert_allclose(ax.images[0].get_array().filled(np.nan),
                               [[0.5, 1.5, np.nan], [np.nan, np.nan, 1.0]])
    assert {(line.get_xdata()[0], line.get_ydata()[0], line.get_marker()) for line in ax.lines} == {
        (0, 0, "^"), (1, 0, "v")}
    grey = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_width() == 1 and not p.get_hatch()]
    assert [(p.get_x(), p.get_y()) for p in grey] == [(-0.5, 0.5)]
    written = texts(fig)
    assert {"FA-LSTM\nagainst LSTM, 1 day ahead", "FA-LSTM\nagainst LSTM, 3 days ahead", "DM", "not scored",
            "better, p < 0.05 (Holm)", "loss of the model /\nof the reference"} <= set(written)


def test_verdicts_of_long_names_can_be_read():
    rows = [(model, "LSTM", site, f"level {level}, depth unknown", lead, 0.1, "undecided")
            for model in ("CNN-with-LSTM (increment)", "RF") for site in ("US-AR1", "FR-Hes") for level in range(1, 6)
            for lead in (1, 3, 7)]
    assert_legible(significance.verdicts(pd.DataFrame(rows, columns=compared().columns)))


def test_verdicts_are_even_about_one():
    """Half the error of the reference is as blue as twice the error is red."""
    image = significance.verdicts(compared()).axes[0].images[0]
    assert image.norm(0.5) + image.norm(2.0) == pytest.approx(1) and image.norm(1.0) == pytest.approx(0.5)
    blue, red = (image.cmap(image.norm(x)) for x in (0.3, 3.0))
    assert blue[2] > blue[0] and red[0] > red[2]


def effect(**changes):
    rows = [{"model": m, "lead_d": lead, "skill": 0.3, "low": 0.1, "high": 0.4, "sites": 8, "sites_lower": 7,
             "verdict": "better", "rank_value": 5.0, "rank_increment": 2.5} for lead in (1, 7) for m in MODELS[2:]]
    table = pd.DataFrame(rows)
    for name, value in changes.items():
        table.loc[table["model"] == "RF", name] = value
    return table


def dots(ax, model):
    y = [t.get_text() for t in ax.get_yticklabels()].index(model)
    return [line for line in ax.lines if list(line.get_ydata()) == [y]]


def test_target_effect_rows_intervals_and_texts():
    fig = significance.target_effect(effect(verdict="undecided", low=-0.1, sites_lower=5))
    ax = fig.axes[0]
    (rf,), (lstm,) = dots(ax, "RF"), dots(ax, "LSTM")
    assert rf.get_markerfacecolor() == "white" and lstm.get_markerfacecolor() == model_style("LSTM")["color"]
    assert lstm.get_xdata()[0] == 0.3
    spans = {tuple(np.round(path.vertices[:, 0], 3)) for c in ax.collections for path in c.get_paths()}
    assert spans == {(0.1, 0.4), (-0.1, 0.4)}
    written = texts(fig)
    assert {"1 day ahead, 8 sites", "7 days ahead, 8 sites", "7/8", "5/8", "5.0 → 2.5", "sites", "rank"} <= set(written)


@pytest.mark.parametrize("leads", [(1,), (1, 3, 7)])
def test_target_effect_can_be_read(leads):
    row = effect().iloc[0].to_dict() | {"sites": 30, "sites_lower": 28, "rank_value": 15.5, "rank_increment": 12.5}
    rows = [row | {"model": model, "lead_d": lead} for lead in leads for model in MODELS[2:17]]
    assert_legible(significance.target_effect(pd.DataFrame(rows)), least=5)


def test_target_effect_of_too_few_sites_stays_hollow():
    (rf,) = dots(significance.target_effect(effect(verdict="too few sites", low=0.2)).axes[0], "RF")
    assert rf.get_markerfacecolor() == "white"


def test_target_effect_marks_what_lies_off_the_axis():
    ax = significance.target_effect(effect(skill=-5.0, low=-9.0, high=-3.0)).axes[0]
    (rf,) = dots(ax, "RF")
    assert rf.get_marker() == "$\\leftarrow$" and ax.get_xlim()[0] == significance.FLOOR


def test_target_effect_of_one_site_has_no_interval():
    table = effect().assign(low=np.nan, high=np.nan, sites=1, sites_lower=1, verdict="too few sites", rank_value=np.nan)
    fig = significance.target_effect(table)
    assert not fig.axes[0].collections and "1 day ahead, 1 site" in texts(fig)
    assert all(dots(fig.axes[0], m)[0].get_markerfacecolor() == "white" for m in MODELS[2:])


def test_a_model_without_a_colour_is_refused():
    with pytest.raises(ValueError, match="no colour"):
        significance.critical_difference(*friedman(entrants_table(5, ["RF", "ELM", "unheard"])))
