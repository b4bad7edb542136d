"""Figures of scores by lead: what is drawn, and where."""

import numpy as np
import pandas as pd
import pytest

from smlib.plots import conus_skill


def table(shift=0.0):
    rows = [(name, lead, 0.1 * k + 0.01 * lead + shift) for k, name in enumerate(("S1", "persistence"))
            for lead in (1, 7, 30)]
    return pd.DataFrame(rows, columns=["method", "lead_d", "skill_persistence"]).assign(
        low=lambda t: t["skill_persistence"] - 0.05, high=lambda t: t["skill_persistence"] + 0.05)


def test_a_panel_a_layer_with_every_method_at_every_lead():
    fig = conus_skill.by_lead({"0-10 cm": table(), "10-40 cm": table(0.2)}, "skill_persistence", "low", "high",
                              kind="measured")
    axes = [ax for ax in fig.axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in axes] == ["0-10 cm", "10-40 cm"]
    for ax, shift in zip(axes, (0, 0.2), strict=True):
        drawn = [line for line in ax.lines if len(line.get_xdata()) == 3]
        np.testing.assert_allclose(drawn[0].get_ydata(), np.array([0.01, 0.07, 0.3]) + shift)
        assert len(drawn) == 2 and len(ax.collections) == 2
        assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "7", "30"]
    assert "measured" in fig.get_suptitle()


def test_what_data_it_is_must_be_said():
    with pytest.raises(ValueError, match="kind"):
        conus_skill.by_lead({"0-10 cm": table()}, "skill_persistence", kind="real")


def test_the_axis_ends_at_the_floor():
    fig = conus_skill.by_lead({"0-10 cm": table(-5)}, "skill_persistence", floor=-1)
    assert fig.axes[0].get_ylim()[0] > -1.5
