"""Whether the texts of a figure can be read: all of them on the canvas, none over another, none too small."""

from itertools import combinations
from unittest import mock

import shapely
from matplotlib.text import Text

from smlib.plots.style import PAGE


def written(fig):
    """Every text that is drawn, whatever it belongs to, and its (turned) box in pixels of the figure."""
    fig.draw_without_rendering()  # settles the layout
    drawn = []
    with mock.patch.object(Text, "draw", lambda text, renderer: drawn.append(text)):
        fig.draw_without_rendering()
    drawn = [text for text in dict.fromkeys(drawn) if text.get_visible() and text.get_text().strip()]
    return [(text, _box(text, fig.canvas.get_renderer())) for text in drawn]


def _box(text, renderer):
    if text.get_rotation() % 90 == 0 or text.get_bbox_patch():
        return shapely.box(*Text.get_window_extent(text, renderer).extents)  # without the arrow of an annotation
    text.set_bbox({"boxstyle": "square,pad=0"})
    text.update_bbox_position_size(renderer)
    frame = text.get_bbox_patch()
    box = shapely.Polygon(frame.get_transform().transform_path(frame.get_path()).vertices[:4])
    text.set_bbox(None)
    return box


def beyond(fig, tolerance=1):
    """Texts that end more than `tolerance` pixels beyond the canvas."""
    canvas = shapely.box(-tolerance, -tolerance, fig.bbox.width + tolerance, fig.bbox.height + tolerance)
    return [text.get_text() for text, box in written(fig) if not canvas.covers(box)]


def overlapping(fig, tolerance=2):
    """Pairs of texts whose boxes overlap by more than `tolerance` pixels."""
    boxes = [(text.get_text(), box.buffer(-tolerance / 2)) for text, box in written(fig)]
    return [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.intersects(other)]


def small(fig, least=6.5):
    """Texts of less than `least` points where the figure is as wide as the book's page."""
    scale = min(1.0, PAGE / fig.get_figwidth())
    return [text.get_text() for text, _ in written(fig) if round(text.get_fontsize() * scale, 2) < least]


def assert_legible(fig, least=6.5):
    """Fail, and name the texts, where one is cut off, two lie over each other or one is too small."""
    wrong = {"beyond the canvas": beyond(fig), "over each other": overlapping(fig), "too small": small(fig, least)}
    assert not any(wrong.values()), {what: texts for what, texts in wrong.items() if texts}
