"""Tests of the helper that says whether the texts of a figure can be read."""

import pytest
from legible import assert_legible, beyond, overlapping, small
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from smlib.plots.style import PAGE


def sketch(*texts, width=PAGE):
    fig = Figure(figsize=(width, 4), dpi=100)
    FigureCanvasAgg(fig)
    for x, y, text, look in texts:
        fig.text(x, y, text, **look)
    return fig


def test_legible_texts_pass():
    fig = sketch((0.1, 0.5, "left", {}), (0.6, 0.5, "right", {}), (0.1, 0.5, "unseen", {"visible": False}))
    ax = fig.subplots()
    ax.plot([0, 10], [0, 1])
    ax.set_xticks([0, 5, 10, 1e9])  # what lies outside the limits is not drawn
    ax.set_xlim(0, 10)
    assert_legible(fig)


def test_texts_beyond_the_canvas_are_found():
    assert beyond(sketch((0.9, 0.5, "runs off", {"fontsize": 30}), (0.1, 0.5, "stays", {}))) == ["runs off"]


def test_texts_over_each_other_are_found():
    fig = sketch((0.1, 0.5, "one", {}), (0.11, 0.5, "two", {}), (0.5, 0.5, "three", {}))
    assert overlapping(fig) == [("one", "two")]


def test_slanted_texts_are_held_against_each_other_as_they_are_turned():
    """Their upright boxes overlap, they do not."""
    slant = {"rotation": 45, "rotation_mode": "anchor", "fontsize": 12}
    apart, close = (sketch((0.2, 0.2, "a long name", slant), (0.2 + step, 0.2, "a longer name", slant))
                    for step in (0.06, 0.015))
    assert overlapping(apart) == [] and overlapping(close) == [("a long name", "a longer name")]


def test_small_texts_are_found_at_the_width_of_the_page():
    texts = (0.1, 0.5, "fine", {"fontsize": 20}), (0.5, 0.5, "tiny", {"fontsize": 10})
    assert small(sketch(*texts)) == [] and small(sketch(*texts, width=2 * PAGE)) == ["tiny"]
    with pytest.raises(AssertionError, match="tiny"):
        assert_legible(sketch(*texts, width=2 * PAGE))
