"""Words that pages share: an answer that fits into its two lines, counts, lists, signs, intervals."""

import re

import numpy as np

LABEL = "**Our runs.**"
# What the sources of the skill tables are.
KINDS = {"embedded": "measured", "measured": "measured", "twin": "simulated", "simulated": "simulated"}
ANSWER = 200  # characters of an answer with its label, two lines of a page


def length(text):
    """The number of characters that a reader sees of Markdown."""
    return len(re.sub(r"[*`]", "", text))


def answer(*versions):
    """The first of some versions of an answer, the fullest first, that a page has room for, behind its label.

    A version is a text or a sequence of sentences, of which the empty ones are left out.

    Raises
    ------
    ValueError
        If even the last has more than `ANSWER` characters.
    """
    for version in versions:
        parts = [version] if isinstance(version, str) else version
        text = " ".join(filter(None, [LABEL, *parts]))
        if length(text) <= ANSWER:
            return text
    raise ValueError(f"no version of the answer has at most {ANSWER} characters: {text!r}")


def items(lines):
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def count(n, noun, plural=None):
    """A number with its noun: 1 site, 2 sites, 1,000 sites."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listed(words):
    """Words in a row: a, b and c."""
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


def minus(text):
    """Hyphens before a number as minus signs."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


def signed(value, digits=2, plus=False):
    """A number with a true minus sign, or none where it rounds to 0; without decimals from 100 on; NaN as a dash."""
    if not np.isfinite(value):
        return "–"
    text = f"{value:{'+' if plus else ''}.{0 if abs(value) >= 100 else digits}f}"
    return minus(text) if float(text) else text.lstrip("+-")


def span(values, form):
    """The least and the most of some values; one of them where they look the same."""
    low, high = format(min(values), form), format(max(values), form)
    return minus(low if low == high else f"{low} to {high}")


def within(low, high, digits=2):
    """A 95 % interval in brackets behind its value, or nothing where there is none."""
    return f" [{signed(low, digits)}, {signed(high, digits)}]" if np.isfinite([low, high]).all() else ""


def sure(low, high):
    """What a 95 % interval says of a difference: "surely better than", "surely worse than", "not to be told from"."""
    return "surely better than" if low > 0 else "surely worse than" if high < 0 else "not to be told from"


def seconds(value):
    """Seconds as text, two significant digits below 10 s."""
    return f"{value:,.0f} s" if value >= 10 else f"{value:.2g} s"
