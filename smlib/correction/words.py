"""How the correction pages put counts, signs and answers into words."""

import re

from smlib.run.results import ANSWER

OURS = "**Our runs.** "


def two_lines(*said):
    """The first of some answers, the fullest first, that is short enough to open a page; ValueError if none is."""
    short = [text for text in said if len(re.sub(r"[*`]", "", OURS + text)) <= ANSWER]
    if not short:
        raise ValueError(f"no answer has at most {ANSWER} characters: {said[-1]!r}")
    return OURS + short[0]


def items(said):
    """A Markdown list."""
    return "\n".join(f"- {text}" for text in said)


def plural(count, noun):
    """A count and its noun."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def joined(names):
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def minus(text):
    """Hyphens before a number as minus signs."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


def span(values, form):
    """The least and the most of some values; one of them where they look the same."""
    low, high = format(min(values), form), format(max(values), form)
    return minus(low if low == high else f"{low} to {high}")
