"""Words that pages share: an answer that fits into its two lines, counts, signs."""

import re

import numpy as np

from smlib.run.results import ANSWER


def answer(*versions):
    """The first of some versions, the fullest first, that a page has room for (`smlib.run.results.ANSWER`), labelled.

    A version is a text or a sequence of sentences, of which the empty ones are left out.

    Raises
    ------
    ValueError
        If none fits.
    """
    for version in versions:
        parts = [version] if isinstance(version, str) else version
        text = " ".join(filter(None, ["**Our runs.**", *parts]))
        if len(re.sub(r"[*`]", "", text)) <= ANSWER:
            return text
    raise ValueError(f"no version of the answer has at most {ANSWER} characters: {text!r}")


def items(lines):
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def count(number, noun):
    """Such as "1 layer" and "1,234 layers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names):
    """Such as "a", "a and b", "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def signed(value, digits=2):
    """A number with its sign, a minus and not a hyphen; without one where it rounds to 0, "unknown" where NaN."""
    if not np.isfinite(value):
        return "unknown"
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def sure(low, high):
    """What a 95 % interval says of a difference: "surely better than", "surely worse than", "not to be told from"."""
    return "surely better than" if low > 0 else "surely worse than" if high < 0 else "not to be told from"
