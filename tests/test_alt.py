"""Alternative text: the author's words first, then what the figure says itself."""

import numpy as np
import pytest

from smlib.plots import style
from smlib.run import alt


def test_text_holds_titles_axes_with_units_scale_and_legend_each_once():
    fig = style.figure(6, 3)
    for i, ax in enumerate(fig.subplots(1, 2)):
        ax.plot([1, 2], label="LSTM")
        ax.set(title=f"site\n{i}", xlabel="lead (d)", ylabel=style.MOISTURE)
    fig.colorbar(ax.pcolormesh(np.eye(2)), ax=ax, label="error (m³ m⁻³)")
    style.collected_legend(fig)
    assert alt.text(fig, "Lines of error by lead,\n one panel a site") == (
        "Lines of error by lead, one panel a site. Panels: site 0; site 1. Horizontal axis: lead (d). Vertical axis: "
        "soil moisture (m³ m⁻³). Colours: error (m³ m⁻³). Legend: LSTM.")


def test_long_legends_are_cut_and_counted():
    fig = style.figure(6, 3)
    ax = fig.subplots()
    for i in range(alt.MOST + 3):
        ax.plot([1, 2], label=f"model {i}")
    ax.legend()
    words = alt.text(fig, "Lines of fifteen models!")
    assert words.endswith("model 10; model 11; and 3 more.") and words.startswith("Lines of fifteen models! Legend:")


@pytest.mark.parametrize("says", [None, "", "skill", "a_name_that_is_long_enough", "two words_that_are_long", 7])
def test_text_that_describes_nothing_is_refused(says):
    with pytest.raises(ValueError, match="does not describe a figure"):
        alt.text(style.figure(3, 3), says)
