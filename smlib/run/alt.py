"""Alternative text of figures: what a reader who does not see a figure is told of it."""

import re

LEAST = 20  # characters; a name or a single word describes no figure
MOST = 12  # titles of panels or entries of a legend that are listed


def text(fig, says):
    """`says`, and what the figure itself has in words: titles, labels of its axes with their units, its legend.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    says : str
        What the figure shows: kind of chart, what is drawn, the main reading where the run has computed it.

    Returns
    -------
    str
        One paragraph without line breaks.

    Raises
    ------
    ValueError
        If `says` is no text of at least 20 characters and three words.
    """
    says = checked(says)
    panels = [ax for ax in fig.axes if ax.get_label() != "<colorbar>"]
    bars = [ax for ax in fig.axes if ax.get_label() == "<colorbar>"]
    legends = [*fig.legends, *(ax.get_legend() for ax in fig.axes if ax.get_legend())]
    parts = {
        "Title": [fig.get_suptitle()],
        "Panels": [ax.get_title(loc) for ax in panels for loc in ("left", "center", "right")],
        "Horizontal axis": [ax.get_xlabel() for ax in panels],
        "Vertical axis": [ax.get_ylabel() for ax in panels],
        "Colours": [label for ax in bars for label in (ax.get_xlabel(), ax.get_ylabel())],
        "Legend": [entry.get_text() for legend in legends for entry in legend.get_texts()],
    }
    found = {name: list(dict.fromkeys(filter(None, map(_line, words)))) for name, words in parts.items()}
    return " ".join([says if says[-1] in ".!?" else f"{says}.",
                     *(f"{name}: {_listed(words)}." for name, words in found.items() if words)])


def checked(says):
    """`says` on one line; ValueError if it cannot tell what a figure shows."""
    line = _line(says) if isinstance(says, str) else ""
    if len(line) < LEAST or len(line.split()) < 3:
        raise ValueError(f"alt={says!r} does not describe a figure: say in {LEAST} characters or more what kind of "
                         "chart it is and what it shows")
    return line


def _line(words):
    return re.sub(r"\s+", " ", words).strip()


def _listed(words):
    more = len(words) - MOST
    return "; ".join(words[:MOST]) + (f"; and {more} more" if more > 0 else "")
