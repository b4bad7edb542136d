"""``python -m smlib ledger``: the ledger of claims, as text or JSON."""

import json
import textwrap

import numpy as np
import pandas as pd

from smlib.claims.pages import ours_in_words


def as_json(table):
    """The ledger (see `smlib.claims.verdicts.ledger`) as JSON text: a list of objects, what is not known null."""
    rows = [{key: _plain(value) for key, value in row.items()} for row in table.to_dict("records")]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)


def as_text(table, width=100):
    """The ledger as text: by study, verdict, claim, and what it rests on."""
    lines = []
    for study, rows in table.groupby("study", sort=False):
        lines += [study, "-" * len(study)]
        for row in rows.to_dict("records"):
            lines.append(f"{row['verdict'].upper()}  {row['id']}  ({row['protocol']}, {row['source']})")
            for text in (row["claim"], "; ".join(ours_in_words(row))):
                lines += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")
        lines.append("")
    said = ", ".join(f"{count} {verdict}" for verdict, count in table["verdict"].value_counts().items())
    return "\n".join([*lines, f"{len(table)} verdicts on {table['id'].nunique()} claims: {said}."])


def _plain(value):
    """A cell of the table as a JSON value; what is missing or not finite is None."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if pd.isna(value) or not np.isfinite(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)
