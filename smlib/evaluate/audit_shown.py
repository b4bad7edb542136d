"""The audit as its page shows it: the answer in words, tables of what fails, and the printed tables themselves."""

import html

import pandas as pd

from smlib.evaluate import audit, printed


def answer(frame, std=None, common=None):
    """The page's answer as Markdown, from `audit.comparisons` and, where its paper is among them, `audit.implied`."""
    total = audit.summary(frame).sum(numeric_only=True)
    rest = ("every other one has its reason below" if not total["unexplained"] else
            f"**{total['unexplained']} of them are not explained**")
    words = (f"**Our audit.** Of {total['comparisons']:,} comparisons of printed numbers {total['fails']} fail by more "
             f"than rounding allows: {total['listed']} are of the oddities that `data/published/README.md` lists, and "
             f"{rest}.")
    if std is None:
        return words
    agree = ((std["low"] <= common[1]) & (std["high"] >= common[0])).sum()
    return words + (f" {agree} of the {len(std)} rows of scores in {printed.CITED['fan2025']} imply one standard "
                    f"deviation of the truth, {common[0]:.5f} to {common[1]:.5f} m³ m⁻³.")


def rules(frame):
    """How many comparisons each rule makes and how many fail: a styled DataFrame."""
    table = frame.groupby("rule", sort=False).agg(tables=("file", "nunique"), comparisons=("fails", "size"),
                                                  fails=("fails", "sum"))
    return table.sort_values(["fails", "comparisons"], ascending=False).reset_index()


def failing(failed):
    """What fails, with where it is listed or why it may be: DataFrame in words for the page."""
    why = failed["reason"].where(failed["listed"] == "", "listed in the README: " + failed["listed"])
    return pd.DataFrame({"table": failed["file"], "row": failed["row"], "rule": failed["rule"],
                         "printed": failed["printed"], "slack": failed["slack"],
                         "why": why.where(why != "", "NOT EXPLAINED")})


def listed(frame):
    """The README's lines and how many comparisons find each: DataFrame line, fails."""
    found = audit.failures(frame)["listed"].value_counts()
    return pd.DataFrame([{"listed": key, "as listed": text, "comparisons that fail": int(found.get(key, 0))}
                         for key, text in printed.oddities().items()])


def tables_html(study, frame):
    """The printed tables of a study as HTML, each in an element with the id ``printed-<name of the file>``.

    A table scrolls in a box of its own, which takes the keyboard; below it stands what of it fails in `frame`.
    """
    return "\n".join(_table_html(name, frame) for name in printed.names() if name.startswith(study))


def _table_html(name, frame):
    table = printed.table(name).replace("", "–")
    failed = frame[frame["fails"] & (frame["file"] == name)]
    lines = "".join(f"<li>{html.escape(f'{row.row}: {row.rule} ({row.printed})')}</li>" for row in failed.itertuples())
    below = f"<p>Fails:</p><ul>{lines}</ul>" if lines else ""
    return (f'<section id="printed-{name}" class="printed"><p><strong>{name}.csv</strong>, {len(table)} rows</p>'
            f'<div tabindex="0" role="region" aria-label="{name}" style="max-height: 20rem; overflow: auto">'
            f'{table.to_html(index=False, border=0)}</div>{below}</section>')
