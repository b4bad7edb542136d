"""The claims as `data/claims.yml` states them, checked; and the printed numbers that they refer to."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import yaml

from smlib import paths
from smlib.claims.estimates import Missing, Region
from smlib.claims.kinds import KINDS, arguments
from smlib.claims.rows import select, words
from smlib.run.params import RunError

STUDIES = ("stations", "nudging", "fusion", "forecast", "correction")
ORDERS = ("falling", "rising", "falling on average", "rising on average")


class ClaimError(RunError):
    """`data/claims.yml` says what cannot be; the message names the claim and what is allowed."""


@dataclass(frozen=True)
class Printed:
    """Numbers in print: rows of a file of `data/published` (its stem), and the column that holds them."""

    file: str
    column: str
    rows: dict


@dataclass(frozen=True)
class Claim:
    """A finding that a paper states, and how it is tested.

    Attributes
    ----------
    id, study, claim : its name, the chapter, and one sentence
    where : in the paper
    printed : tuple of `Printed`; empty where the paper shows it in a figure or in words
    in_print : how the printed numbers stand to each other, one of `ORDERS`; empty where there is nothing to compare
    page, table : whose run tells, by which of its tables
    protocols : under which it is tested, each by itself
    test : its ``kind``, one of `KINDS`, what is ``claimed`` (see `Region`), and the kind's arguments
    front : whether the front page shows it
    note : what a reader of the verdict should know
    """

    id: str
    study: str
    claim: str
    where: str
    printed: tuple
    page: str
    protocols: tuple
    test: dict
    table: str = "skill"
    in_print: str = ""
    front: bool = False
    note: str = ""

    @property
    def pages(self):
        """All pages whose runs its test reads."""
        return tuple(dict.fromkeys([self.page, *_values(self.test, "page")]))

    @property
    def region(self):
        """What is claimed, as a `Region`."""
        return Region.of(self.test["claimed"])


def read(path=None):
    """All claims of the file `path` (by default `data/claims.yml`), in its order: list of `Claim`.

    Raises
    ------
    ClaimError
        Naming the claim and what is wrong: an unknown or missing key, an id that stands twice, an unknown study or kind
        of test, an argument that the kind does not take, a range that cannot be read.
    """
    path = paths.DATA / "claims.yml" if path is None else path
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ClaimError(f"{path}: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ClaimError(f"{path} must hold a list of claims")
    claims = []
    for entry in entries:
        try:
            claims.append(_claim(entry))
        except (ValueError, TypeError) as error:
            raise ClaimError(f"{path}: claim {entry.get('id', 'without id')}: {error}") from None
    twice = {one.id for one in claims if sum(other.id == one.id for other in claims) > 1}
    if twice:
        raise ClaimError(f"{path}: {', '.join(sorted(twice))} stands twice")
    return claims


def _claim(entry):
    _keys(entry, Claim, "")
    if entry["study"] not in STUDIES:
        raise ValueError(f"no study {entry['study']!r}; there are {', '.join(STUDIES)}")
    if not str(entry["id"]).startswith(f"{entry['study']}-"):
        raise ValueError(f"the id must start with {entry['study']}-")
    for refers in entry["printed"]:
        _keys(refers, Printed, "printed: ")
    if entry.get("in_print", "") not in ("", *ORDERS):
        raise ValueError(f"in_print must be one of {', '.join(ORDERS)}, not {entry['in_print']!r}")
    test = entry["test"]
    if test.get("kind") not in KINDS:
        raise ValueError(f"no test {test.get('kind')!r}; there are {', '.join(KINDS)}")
    allowed, needed = arguments(test["kind"])
    unknown = set(test) - set(allowed) - {"kind", "claimed"}
    if unknown:
        raise ValueError(f"{test['kind']} takes no {', '.join(sorted(unknown))}; it takes {', '.join(allowed)}")
    lacking = [name for name in ("claimed", *needed) if name not in test]
    if lacking:
        raise ValueError(f"{test['kind']} lacks {', '.join(lacking)}")
    Region.of(test["claimed"])
    printed = tuple(Printed(**refers) for refers in entry["printed"])
    return Claim(**(entry | {"printed": printed, "protocols": tuple(entry["protocols"])}))


def _keys(entry, kind, what):
    known = {one.name: one for one in fields(kind)}
    unknown = set(entry) - set(known)
    if unknown:
        raise ValueError(f"{what}unknown key {', '.join(sorted(map(str, unknown)))}; known: {', '.join(known)}")
    optional = {"table", "in_print", "front", "note"}
    lacking = [name for name in known if name not in entry and name not in optional]
    if lacking:
        raise ValueError(f"{what}lacks {', '.join(lacking)}")


def _values(tree, key):
    """What stands under `key` anywhere in a tree of dicts and lists."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from [value] if name == key else _values(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from _values(value, key)


def printed_values(printed):
    """The numbers that a `Printed` refers to, (row,); NaN where the cell is empty in print.

    Raises
    ------
    ClaimError
        If there is no such file, column or row, or none of the rows holds a number.
    """
    path = paths.DATA / "published" / f"{printed.file}.csv"
    if not path.exists():
        raise ClaimError(f"data/published holds no {printed.file}.csv")
    table = pd.read_csv(path)
    if printed.column not in table:
        raise ClaimError(f"{path.name} has no column {printed.column}; it has {', '.join(table)}")
    try:
        values = pd.to_numeric(select(table, printed.rows)[printed.column]).to_numpy(float)
    except (Missing, ValueError) as error:
        raise ClaimError(f"{path.name}: {error}") from None
    if not np.isfinite(values).any():
        raise ClaimError(f"{path.name} has no number in {printed.column} of {words(printed.rows)}")
    return values


def stands_in_print(claim):
    """Whether the printed numbers of a claim stand to each other as its `in_print` says.

    Number by number (the references must then select as many each), or their means; NaN is left out.
    """
    values = [printed_values(one) for one in claim.printed]
    sign = -1 if claim.in_print.startswith("falling") else 1
    if claim.in_print.endswith("on average"):
        values = [np.atleast_1d(np.nanmean(one)) for one in values]
    if len({len(one) for one in values}) > 1:
        raise ClaimError(f"claim {claim.id}: the printed references select {[len(one) for one in values]} numbers")
    steps = [sign * (later - earlier) for earlier, later in zip(values, values[1:], strict=False)]
    return bool(steps) and all((step[np.isfinite(step)] > 0).all() for step in steps)


def printed_text(claim):
    """The printed numbers in words, a text a reference: what was selected, and its numbers or their range."""
    said = []
    for one in claim.printed:
        values = printed_values(one)
        known = values[np.isfinite(values)]
        numbers = (", ".join(f"{v:g}" for v in known) if len(known) <= 3 else
                   f"{known.min():g} to {known.max():g} ({len(known)} numbers)")
        said.append(f"{words(one.rows)}: {numbers.replace('-', '−')}")
    return said
