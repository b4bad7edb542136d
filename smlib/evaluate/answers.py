"""What the answers at the top of the pages share: wordings that fit into two lines, and numbers as they write them."""

import re

import numpy as np

LABEL = "**Our runs.** "


def fitting(wordings):
    """The first of some wordings of an answer, the fullest first, that a page has room for behind its label.

    Parameters
    ----------
    wordings : iterable of str
        Markdown without the label.

    Raises
    ------
    ValueError
        If even the last is too long.
    """
    from smlib.run.results import ANSWER  # here, for a run imports this package

    for words in wordings:
        text = LABEL + words
        if len(re.sub(r"[*`]", "", text)) <= ANSWER:
            return text
    raise ValueError(f"no wording of the answer has {ANSWER} characters or fewer; the last is {text!r}")


def items(lines):
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def counted(n, noun, plural=None):
    """A number with its noun: 1 site, 2 sites, 1,000 sites."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listed(words):
    """Words in a row: a, b and c."""
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


def signed(value, digits=2, plus=False):
    """A number with a true minus sign; from 100 on without decimals, a missing one as a dash."""
    if not np.isfinite(value):
        return "–"
    text = f"{value:{'+' if plus else ''}.{0 if abs(value) >= 100 else digits}f}"
    return text.removeprefix("-").removeprefix("+") if not float(text) else text.replace("-", "−")


def within(low, high, digits=2):
    """A 95 % interval in brackets behind its value, or nothing where there is none."""
    return f" [{signed(low, digits)}, {signed(high, digits)}]" if np.isfinite([low, high]).all() else ""


def seconds(value):
    """Seconds as text, two significant digits below 10 s."""
    return f"{value:,.0f} s" if value >= 10 else f"{value:.2g} s"
