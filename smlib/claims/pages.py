"""The ledger as pages show it: an HTML table, the sentences around it, and the verdicts at a glance."""

from html import escape

import numpy as np
import pandas as pd

from smlib import wording
from smlib.claims.estimates import CANNOT_BE_TOLD, DOES_NOT_HOLD, HOLDS
from smlib.claims.verdicts import COLUMNS, counts
from smlib.wording import count, items

PAGE = "synthesis/claims"
FILTERED = ("study", "verdict")  # columns that a script of the book offers a choice of
HEADERS = ("study", "claim", "printed", "ours", "verdict", "protocol", "source", "links")
WIDTHS = {"claim": "16em", "printed": "14em", "ours": "15em", "links": "9em"}
MARKS = {HOLDS: "✓", DOES_NOT_HOLD: "✗", CANNOT_BE_TOLD: "?"}


def html(table, up="../"):
    """The ledger (see `smlib.claims.verdicts.ledger`) as an HTML table with the id ``claims``, a row a verdict.

    The row of a claim has the id ``claim-<id>``, under a second protocol ``claim-<id>-<protocol>``. `up` leads from the
    page to the root of the book.
    """
    head = "".join(f'<th scope="col"{" data-filter" if name in FILTERED else ""}>{name}</th>' for name in HEADERS)
    seen, rows = set(), []
    for row in table.to_dict("records"):
        name = f"claim-{row['id']}" + (f"-{row['protocol']}" if row["id"] in seen else "")
        seen.add(row["id"])
        cells = "".join(f"<td{_wide(header)}>{cell}</td>"
                        for header, cell in zip(HEADERS, _cells(row, up), strict=True))
        rows.append(f'<tr id="{escape(name)}">{cells}</tr>')
    return (f'<table id="claims" style="white-space: normal"><thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{chr(10).join(rows)}\n</tbody></table>")


def _wide(header):
    return f' style="min-width: {WIDTHS[header]}"' if header in WIDTHS else ""


def _cells(row, up):
    """The cells of a row of `html`, already HTML."""
    study, page = escape(row["study"]), f"{up}{row['page']}.html"
    claim = f"{escape(row['claim'])}<br><small>{escape(row['where'])}</small>"
    printed = "<br>".join(map(escape, row["printed"].split("; "))) if row["printed"] else "no number"
    links = [f'<a href="{page}">page</a>', f'<a href="{page}#run">run and parameters</a>']
    links += [f'<a href="{up}synthesis/published.html#printed-{name}">{"printed table" if i == 0 else name}</a>'
              for i, name in enumerate(filter(None, row["files"].split(", ")))]
    source = escape(row["data"]) + (f" ({escape(row['source'])})" if row["source"] != row["data"] else "")
    ours = "<br>".join(escape(text) for text in ours_in_words(row))
    return (study, claim, printed, ours, verdict_html(row["verdict"]), escape(row["protocol"]), source,
            "<br>".join(links))


def verdict_html(verdict):
    """A verdict with its mark, which says the same to those who do not see it."""
    return f'<span aria-hidden="true">{MARKS[verdict]}</span> {escape(verdict)}'


def ours_in_words(row):
    """What a verdict rests on, a list of texts: the statistic, what decided, what was claimed, why, and notes."""
    said = []
    if not np.isnan(row["statistic"]):
        unit = "" if row["unit"] == "1" else f" {row['unit']}"
        value, low, high = (number(row[name]) for name in ("statistic", "low", "high"))
        said.append(f"{row['quantity']}: {value} ({low} to {high}){unit}")
        said += [row["decided_by"]] if row["decided_by"] else []
        said.append(f"{row['n']:,} {row['counted']}; claimed is {row['claimed'].replace('-', '−')}")
    if row["reason"]:
        said.append(row["reason"])
    return said + ([row["note"]] if row["note"] else [])


def number(value):
    """Three significant digits, a large number in powers of ten, with a true minus sign."""
    if abs(value) >= 1000:
        mantissa, power = f"{value:.0e}".split("e")
        return f"{mantissa}·10{str(int(power)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}".replace("-", "−")
    return f"{value:#.3g}".rstrip(".").replace("-", "−")


def answer(table):
    """How many claims have which verdict, and where two protocols disagree: answer and detail, both Markdown."""
    total = table["verdict"].value_counts()
    n, apart = table["id"].nunique(), two_protocols(table)
    holds = total.get(HOLDS, 0)
    said = (f"{holds} {'says' if holds == 1 else 'say'} that the claim holds, {total.get(DOES_NOT_HOLD, 0)} that it "
            f"does not, and {total.get(CANNOT_BE_TOLD, 0)} that it cannot be told.")
    many = apart["id"].nunique()
    protocols = f" The protocols disagree on {count(many, 'claim')}." if many else ""
    by_study = counts(table).set_index("study")
    lines = [f"{study}: " + ", ".join(f"{name} {number}" for name, number in row.items())
             for study, row in by_study.iterrows()]
    lines += [f"The protocols disagree on `{name}` ({', '.join(one['protocol'] + ': ' + one['verdict'])})."
              for name, one in apart.groupby("id", sort=False)]
    return wording.answer(f"Of {count(len(table), 'verdict')} on {count(n, 'claim')}, {said}{protocols}"), items(lines)


def two_protocols(table):
    """The rows of the claims on which two protocols disagree."""
    return table[table.groupby("id")["verdict"].transform("nunique") > 1]


def about(table, profile):
    """What the verdicts rest on, as Markdown: measured or simulated, by study."""
    kinds = table.groupby(["data", "study"], sort=False)["id"].nunique()
    said = "; ".join(f"{kind}: " + ", ".join(f"{study} {n}" for study, n in kinds[kind].items())
                     for kind in dict.fromkeys(table["data"]))
    return f"**Data.** Profile {profile}. Claims by the data that they are tested on, measured or simulated: {said}."


def undecided(table):
    """Why claims cannot be told, as Markdown: a list of reasons, and how many verdicts have each by study."""
    open_ = table[table["verdict"] == CANNOT_BE_TOLD].copy()
    if open_.empty:
        return "There is none."
    wide = open_["statistic"].notna()
    lines = []
    for study, rows in open_[wide].groupby("study", sort=False):
        few = ", ".join(f"{n:,} {counted}" for n, counted in rows[["n", "counted"]].drop_duplicates().itertuples(
            index=False))
        lines.append(f"- {study}: in {len(rows)} the interval reaches to both sides of what is claimed ({few}).")
    for (study, reason), rows in open_[~wide].groupby(["study", "reason"], sort=False):
        lines.append(f"- {study}: {len(rows)} because {reason}.")
    order = {study: k for k, study in enumerate(dict.fromkeys(table["study"]))}
    return "\n".join(sorted(lines, key=lambda line: order[line[2:].split(":")[0]]))


def at_a_glance(table, profile):
    """The front page's table as HTML without an empty line: a row a study, its data, its counts and its telling claims.
    """
    by_study = counts(table).set_index("study")
    head = "".join(f'<th scope="col">{name}</th>' for name in ("study", "data", *by_study.columns, "among them"))
    lines = [f'<table class="verdicts"><caption>{len(table)} verdicts on {table["id"].nunique()} claims, by the '
             f"runs of the profile {escape(profile)}</caption>", f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for study, numbers in by_study.iterrows():
        rows = table[(table["study"] == study) & table["front"].astype(bool)]
        shown = "<br>".join(
            f'<a href="{PAGE}.html#claim-{escape(name)}">{escape(one["claim"].iloc[0])}</a> {_verdicts(one)}'
            for name, one in rows.groupby("id", sort=False))
        data = " and ".join(dict.fromkeys(table.loc[table["study"] == study, "data"]))
        cells = "".join(f"<td>{n}</td>" for n in (escape(data), *numbers))
        first = rows["id"].iloc[0] if len(rows) else table.loc[table["study"] == study, "id"].iloc[0]
        lines.append(f'<tr><th scope="row"><a href="{PAGE}.html#claim-{escape(first)}">{study}</a></th>{cells}'
                     f"<td>{shown}</td></tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


def _verdicts(rows):
    """The verdict of a claim; by protocol, where it has two."""
    if rows["verdict"].nunique() == 1:
        return f"<strong>{verdict_html(rows['verdict'].iloc[0])}</strong>"
    return "; ".join(f"<strong>{verdict_html(row.verdict)}</strong> ({escape(row.protocol)})"
                     for row in rows.itertuples())


def read_table(path):
    """A ledger as a run has left it: `smlib.claims.verdicts.ledger` out of its CSV."""
    kinds = {"statistic": float, "low": float, "high": float, "n": "Int64", "front": bool}
    table = pd.read_csv(path, dtype={name: kinds.get(name, str) for name in COLUMNS})
    return table.fillna({name: "" for name in COLUMNS if name not in kinds})
