"""The verdicts: every claim, tested against the finished runs of a profile."""

import numpy as np
import pandas as pd

from smlib import wording
from smlib.claims.estimates import CANNOT_BE_TOLD, VERDICTS, Missing, judge
from smlib.claims.kinds import KINDS
from smlib.claims.reading import STUDIES, ClaimError, printed_text, read
from smlib.claims.rows import prepared, select
from smlib.run import finished
from smlib.run.params import RunError

COLUMNS = ("id", "study", "claim", "where", "verdict", "statistic", "low", "high", "n", "counted", "quantity", "unit",
           "claimed", "decided_by", "reason", "protocol", "source", "data", "page", "table", "kind", "printed", "files",
           "front", "note")


class Runs:
    """The finished runs of a profile, each looked up and each table read once."""

    def __init__(self, profile):
        self.profile = profile
        self._folders, self._tables = {}, {}

    def folder(self, page):
        """Where the results of a page's run lie; `RunError` with the command if there is none."""
        if page not in self._folders:
            self._folders[page] = finished.folder(page, self.profile)
        return self._folders[page]

    def table(self, page, name):
        """A table of a page's run; `RunError` naming those that it has, if not this one."""
        if (page, name) not in self._tables:
            path = self.folder(page) / f"{name}.csv"
            if not path.exists():
                there = ", ".join(sorted(one.stem for one in path.parent.glob("*.csv")))
                raise RunError(f"{page} has no table {name}; it has {there}")
            self._tables[page, name] = prepared(pd.read_csv(path))
        return self._tables[page, name]

    def require(self, pages):
        """Raise one `RunError` that names every page without a finished run, and its command."""
        missing = []
        for page in dict.fromkeys(pages):
            try:
                self.folder(page)
            except RunError as error:
                missing.append(str(error))
        if missing:
            raise RunError("\n".join(missing))


class Tables:
    """The tables of one claim under one protocol, as `KINDS` take them."""

    def __init__(self, runs, claim, protocol):
        self.runs, self.claim, self.protocol = runs, claim, protocol

    def get(self, page=None, name=None):
        """Rows of a table (by default the claim's own) under the protocol; `Missing` if the run has none."""
        page, name = page or self.claim.page, name or self.claim.table
        table = self.runs.table(page, name)
        if "protocol" in table:
            return select(table, {"protocol": self.protocol})
        of_page = self._skill(page, "protocol") or ["strict"]
        if self.protocol not in of_page:
            raise Missing(f"the run is of the {' and '.join(of_page)} protocol")
        return table

    def about(self):
        """Where the rows come from, as the page's skill table or the parameters of its run name it: source and data."""
        source = ", ".join(self._skill(self.claim.page, "source"))
        if not source:
            source = finished.record(self.claim.page, self.runs.profile)["parameters"].get("source", "")
        return {"source": source, "data": wording.KINDS.get(source, source)}

    def _skill(self, page, column):
        try:
            return list(dict.fromkeys(self.runs.table(page, "skill")[column]))
        except RunError:  # a page without scores
            return []


def ledger(profile, claims=None, runs=None):
    """Test claims against the finished runs of a profile: DataFrame of `COLUMNS`, a row a claim and protocol.

    Parameters
    ----------
    profile : str
        Of the runs: smoke, quick or full.
    claims : list of Claim, optional
        By default those of `data/claims.yml`.
    runs : Runs, optional
        Where tables come from.

    Returns
    -------
    DataFrame
        `statistic`, `low` and `high` (its 95 % interval, see `judge`) are NaN where nothing could be computed; `reason`
        then says why. `n` units of the kind `counted` are behind it, `decided_by` is the comparison that decides.
        `source` is the run's own word, `data` measured or simulated. `printed` and `files` are the printed numbers in
        words and the files that hold them, separated by "; " and ", ".

    Raises
    ------
    RunError
        If a run is missing (all that are, each with the command that makes it), or has no such table.
    """
    claims = read() if claims is None else claims
    runs = Runs(profile) if runs is None else runs
    runs.require(page for claim in claims for page in claim.pages)
    rows = [_row(claim, protocol, runs) for claim in claims for protocol in claim.protocols]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n": "Int64"})


def _row(claim, protocol, runs):
    tables = Tables(runs, claim, protocol)
    arguments = {key: value for key, value in claim.test.items() if key not in ("kind", "claimed")}
    row = {"id": claim.id, "study": claim.study, "claim": claim.claim, "where": claim.where, "verdict": CANNOT_BE_TOLD,
           "statistic": np.nan, "low": np.nan, "high": np.nan, "n": pd.NA, "claimed": claim.test["claimed"],
           "reason": "", "decided_by": "", "counted": "", "quantity": "", "unit": "", "protocol": protocol,
           "page": claim.page, "table": claim.table, "kind": claim.test["kind"],
           "printed": "; ".join(printed_text(claim)),
           "files": ", ".join(dict.fromkeys(one.file for one in claim.printed)), "front": claim.front,
           "note": claim.note}
    try:
        found = KINDS[claim.test["kind"]](tables, **arguments)
        verdict, one, (low, high) = judge(found.estimates, claim.region)
    except Missing as missing:
        return row | {"reason": str(missing)} | tables.about()
    except (ValueError, KeyError) as error:
        raise ClaimError(f"claim {claim.id}: {error.args[0]}") from error
    row |= tables.about()
    more = len(found.estimates) > 1
    return row | {"verdict": verdict, "statistic": one.value, "low": low, "high": high, "n": one.n,
                  "decided_by": one.label if more or not one.label else "",
                  "counted": found.counted, "quantity": found.quantity, "unit": found.unit,
                  "reason": "the interval reaches to both sides" if verdict == CANNOT_BE_TOLD else ""}


def counts(table, by=("study",)):
    """How many claims have which verdict: DataFrame of `by` (columns of `ledger`), then a column a verdict.

    A claim that is tested under two protocols counts under each.
    """
    wide = table.groupby([*by, "verdict"], sort=False).size().unstack("verdict", fill_value=0)
    wide = wide.reindex(columns=list(VERDICTS), fill_value=0).rename_axis(columns=None)
    if list(by) == ["study"]:
        wide = wide.reindex([study for study in STUDIES if study in wide.index])
    return wide.reset_index()
