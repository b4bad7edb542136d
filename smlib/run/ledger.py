"""``python -m smlib ledger``: the ledger of claims, as text or JSON."""

import json
import textwrap

import numpy as np
import pandas as pd


def as_json(table):
    """The ledger (see `smlib.claims.ledger`) as JSON text: a list of objects, what is not known null."""
    rows = [{key: _plain(value) for key, value in row.items()} for row in table.to_dict("records")]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)


def as_text(table, width=100):
    """The ledger as text: by study, verdict, claim, and what it rests on."""
    lines = []
    for study, rows in table.groupby("study", sort=False):
        lines += [study, "-" * len(study)]
        for row in rows.itertuples():
            lines.append(f"{row.verdict.upper()}  {row.id}  ({row.protocol}, {row.source})")
            lines += textwrap.wrap(row.claim, width, initial_indent="  ", subsequent_indent="  ")
            lines.append(f"  {basis(row)}")
        lines.append("")
    said = ", ".join(f"{count} {verdict}" for verdict, count in table["verdict"].value_counts().items())
    return "\n".join([*lines, f"{len(table)} verdicts on {table['id'].nunique()} claims: {said}."])


def basis(row):
    """What a verdict rests on, in words: the statistic with its interval, or why there is none."""
    if np.isnan(row.statistic):
        return row.reason
    text = f"{row.quantity} {number(row.statistic)} [{number(row.low)}, {number(row.high)}]"
    text += f" {row.unit}" if row.unit != "1" else ""
    text += f", {row.n:,} {row.counted}; claimed: {row.claimed}"
    return text + (f" ({row.decided_by})" if row.decided_by else "")


def number(value):
    """Three significant digits with a true minus sign."""
    return f"{value:.3g}".replace("-", "\u2212")


def _plain(value):
    """A cell of the table as a JSON value; what is missing or not finite is None."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if pd.isna(value) or not np.isfinite(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)
