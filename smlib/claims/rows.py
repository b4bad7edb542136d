"""Rows of tidy tables: selected by what their columns hold, paired unit by unit."""

from itertools import product

import numpy as np
import pandas as pd

from smlib.claims.estimates import Missing
from smlib.evaluate.entrants import split_variant

NAMES = {"lead_d": "days ahead", "lead_days": "days ahead", "depth_m": "depth in m", "layer_cm": "layer in cm",
         "obs_noise": "noise", "obs_percent": "percent observed", "site": "station or network", "table": ""}


def prepared(table):
    """A table of a run, ready to be selected from: of a skill table the target that a model learns stands by itself.

    Where a table has a variant it is taken apart: `target` (value or increment) and `level`, the variant without it; in
    the correction study `product`, `combination`, `weight` and `against` (see `smlib.correction.tables.tidy`).
    """
    if not {"study", "model", "variant"} <= set(table.columns):
        return table
    table = table.assign(variant=table["variant"].astype(object).where(table["variant"].notna(), ""))
    split = split_variant(table)
    table = table.assign(target=split["target"], level=split["level_variant"])
    if (table["study"] == "correction").all():
        parts = table["variant"].str.extract(
            r"^(?P<product>[^,]+)(?:, (?P<combination>[FPLE]{3,4}))?(?:, weight (?P<weight>[\d.]+))?"
            r"(?:, against (?P<against>.+))?$")
        table = table.assign(product=parts["product"], combination=parts["combination"].fillna(""),
                             weight=pd.to_numeric(parts["weight"]), against=parts["against"].fillna("in situ"))
    return table


def select(table, where):
    """The rows in which every column holds what `where` asks.

    Parameters
    ----------
    where : mapping of column -> a value, a list of values each of which must be there, or ``{not: value or list}``

    Raises
    ------
    Missing
        If there is none, or a value of a list is in none.
    KeyError
        If the table has no such column.
    """
    rows = table
    for column, wanted in where.items():
        if column not in rows:
            raise KeyError(f"there is no column {column}; there are {', '.join(map(str, table.columns))}")
        if isinstance(wanted, dict):
            rows = rows[~_is_in(rows[column], wanted["not"])]
            continue
        absent = [one for one in _listed(wanted) if not _is_in(rows[column], one).any()]
        if absent:
            raise Missing(f"the run has no rows with {words({column: absent})}" + _beside(where, column))
        rows = rows[_is_in(rows[column], wanted)]
    if rows.empty:
        raise Missing(f"the run has no rows with {words(where)}")
    return rows


def _beside(where, column):
    rest = {key: value for key, value in where.items() if key != column and not isinstance(value, dict)}
    return f" ({words(rest)})" if rest else ""


def _is_in(column, wanted):
    """Where a column holds one of the wanted values; numbers within rounding."""
    found = pd.Series(False, index=column.index)
    for one in _listed(wanted):
        if isinstance(one, bool) or isinstance(one, str):
            found |= column == one
        else:
            found |= np.isclose(pd.to_numeric(column, errors="coerce"), one)
    return found


def _listed(value):
    return value if isinstance(value, list) else [value]


def words(where):
    """A selection in words: ``model LSTM, days ahead 7``."""
    said = []
    for column, value in where.items():
        no = isinstance(value, dict)
        values = " or ".join(map(str, _listed(value["not"] if no else value)))
        said.append(f"{NAMES.get(column, column.replace('_', ' '))} {'other than ' if no else ''}{values}".lstrip())
    return ", ".join(said)


def contrasts(a=None, b=None, along=None, order=None, each=None):
    """The pairs of selections that a test compares: list of (a, b, label).

    Either every selection of `a` with every one of `b` (each a selection or a list of them), or each value of the
    column `along` with the next in `order`; all of them once for each selection of the list `each`.
    """
    if (a is None) != (b is None) or (along is None) != (order is None) or (a is None) == (along is None):
        raise ValueError("give a and b, or along and order")
    if along is not None:
        pairs = [({along: first}, {along: second}) for first, second in zip(order, order[1:], strict=False)]
    else:
        pairs = list(product(_listed(a), _listed(b)))
    found = []
    for shared in each or [{}]:
        for one, other in pairs:
            said = f"{words(one)} against {words(other)}" + (f" ({words(shared)})" if shared else "")
            found.append((shared | one, shared | other, said))
    return found


def pair(one, other, keys, column="value"):
    """The values of two selections side by side: DataFrame a, b, indexed by `keys`, of the rows that both have.

    Raises
    ------
    Missing
        If they have no row in common.
    ValueError
        If a selection holds several rows for one set of keys.
    """
    sides = []
    for rows in (one, other):
        index = pd.MultiIndex.from_frame(rows[keys].astype(object).where(rows[keys].notna(), ""))
        if index.duplicated().any():
            raise ValueError(f"several rows for {dict(zip(keys, index[index.duplicated()][0], strict=True))}: "
                             "the selection is too wide")
        sides.append(pd.Series(pd.to_numeric(rows[column]).to_numpy(float), index=index))
    both = pd.concat(sides, axis=1, keys=["a", "b"], join="inner").dropna()
    if both.empty:
        raise Missing("the two that are compared have no row with a value in common")
    return both
