"""The audit as its page shows it: the answer in words, tables of what fails, and the printed tables themselves."""

import html

import pandas as pd

from smlib.evaluate import audit, printed
from smlib.wording import count


def answer(frame):
    """The page's answer as Markdown, in two lines; `frame` is that of `audit.comparisons`."""
    total = audit.summary(frame).sum(numeric_only=True)
    fails, bare, known = (int(total[name]) for name in ("fails", "unexplained", "listed"))
    rest = (f"**{bare} more {'has' if bare == 1 else 'have'} no explanation**" if bare else
            "each of the others has its reason below")
    return (f"**Our audit.** {count(fails, 'comparison')} of {total['comparisons']:,} between printed numbers "
            f"{'fails' if fails == 1 else 'fail'} by more than rounding: {known} {'is' if known == 1 else 'are'} of "
            f"the oddities in `data/published/README.md`, {rest}.")


def one_truth(std, common):
    """How many rows imply one standard deviation of the truth, as Markdown; std and common are of `audit.implied`."""
    agree = int(((std["low"] <= common[1]) & (std["high"] >= common[0])).sum())
    return (f"{agree} of the {count(len(std), 'row')} of scores in {printed.CITED['fan2025']} "
            f"{'implies' if agree == 1 else 'imply'} one standard deviation of the truth, {common[0]:.5f} to "
            f"{common[1]:.5f} m³ m⁻³.")


def rules(frame):
    """How many comparisons a rule makes and how many of them fail: DataFrame rule, comparisons, fails."""
    table = frame.groupby("rule", sort=False)["fails"].agg(comparisons="size", fails="sum")
    return table.sort_values(["fails", "comparisons"], ascending=False).reset_index()


def failing(failed):
    """What fails, with where it is listed or why it may be, as HTML; each row leads to its printed table."""
    rows = []
    for one in failed.itertuples():
        name = html.escape(printed.cited(one.file))
        link = f'<a href="#printed-{one.file}">{name}</a>' if one.file in printed.names() else name
        why = f"listed: {one.listed}" if one.listed else one.reason or "NOT EXPLAINED"
        rows.append([f"{link}: {html.escape(one.row)}",
                     *map(html.escape, (f"{one.rule}; {one.printed}; slack {one.slack:.3g}", why))])
    return _wrapped(rows, ("printed in", "what fails", "why"))


def listed(frame):
    """The README's lines and how many comparisons that fail are of each: DataFrame listed, text, fails."""
    found = audit.failures(frame)["listed"].value_counts()
    return pd.DataFrame([{"listed": key, "text": text, "fails": int(found.get(key, 0))}
                         for key, text in printed.oddities().items()])


def wrapped(table):
    """A table of texts as HTML whose cells break their lines."""
    return _wrapped([map(html.escape, row) for row in table.astype(str).to_numpy()], table.columns)


def _wrapped(rows, columns):
    head = "".join(f'<th scope="col" style="text-align: left">{name}</th>' for name in columns)
    body = "".join("<tr>" + "".join(f'<td style="white-space: normal; text-align: left">{cell}</td>' for cell in row)
                   + "</tr>" for row in rows)
    return ('<table style="table-layout: fixed; width: 100%">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def scrolling(table, label):
    """A long table as HTML in a box of its own that scrolls, with the keyboard too."""
    return (f'<div tabindex="0" role="region" aria-label="{html.escape(label)}" '
            'style="max-height: 20rem; overflow: auto; margin-bottom: 1rem">'
            f'{table.to_html(index=False, border=0, justify="left")}</div>')


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
            f'{scrolling(table, name)}{below}</section>')
