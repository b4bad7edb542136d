"""Tiles of skill: what is drawn is what the table says."""

import numpy as np
import pandas as pd
import pytest
from legible import assert_legible

from smlib import plots
from smlib.evaluate import COLUMNS
from smlib.plots.style import MODEL_COLOURS

pytestmark = pytest.mark.filterwarnings("error")


def frame(sites=3, leads=(1, 3, 7), models=("persistence", "RF", "RF (increment)", "LSTM")):
    rng = np.random.default_rng(0)
    rows = [("stations", "s", "strict", m, f"level {level}", f"S{k}", np.nan, lead, "skill_persistence", v, v - 0.1,
             v + 0.1, 100) for k in range(sites) for level in (1, 2) for lead in leads for m in models
            for v in [rng.uniform(-3, 0.9)]]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_each_tile_prints_its_value_and_sure_ones_are_bold():
    skill = frame(sites=2)
    fig = plots.skill_tiles(skill)
    axes = fig.axes[:3]
    assert [ax.get_title(loc="left") for ax in axes] == ["1 day ahead", "3 days ahead", "7 days ahead"]
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["RF", "RF (increment)", "LSTM"]
    for ax, lead in zip(axes, (1, 3, 7), strict=True):
        here = skill[(skill["lead_d"] == lead) & (skill["model"] == "LSTM")]
        texts = [t for t in ax.texts if t.get_position()[1] == 2.5]
        assert [t.get_text() for t in texts] == [f"{round(v, 1) + 0.0:.1f}".replace("-", "−") for v in here["value"]]
        sure = ((here["low"] > 0) | (here["high"] < 0)).tolist()
        assert [t.get_fontweight() == "bold" for t in texts] == sure


@pytest.mark.parametrize("sites", [4, 15])
def test_many_levels_get_dots_instead_of_numbers(sites):
    skill = frame(sites)
    ax = plots.skill_tiles(skill).axes[0]
    here = skill[(skill["lead_d"] == 1) & (skill["model"] != "persistence")]
    assert not ax.texts and len(ax.lines) == ((here["low"] > 0) | (here["high"] < 0)).sum()


def test_tiles_of_the_four_sites_can_be_read():
    names = [m for m in MODEL_COLOURS if m not in ("persistence", "ConvLSTM", "ConvLSTM-SE", "MLSTM", "CNN")]
    models = [name for m in names for name in (m, f"{m} (increment)")]
    assert_legible(plots.skill_tiles(frame(4, models=models), title="Skill against persistence (measured, strict)"))
    assert_legible(plots.skill_tiles(frame(sites=1, leads=(1, 3), models=models)))


def test_a_missing_metric_is_an_error():
    with pytest.raises(ValueError, match="no metric 'skill_climatology'"):
        plots.skill_tiles(frame(), "skill_climatology")
