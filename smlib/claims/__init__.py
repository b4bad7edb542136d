"""The ledger of claims: what the five papers state, and whether it holds in our runs.

`data/claims.yml` names each claim, where it is printed, and a test; `KINDS` are the tests by name; `ledger` applies
them to the finished runs of a profile. No verdict is written by hand.
"""

from smlib.claims.estimates import CANNOT_BE_TOLD, DOES_NOT_HOLD, HOLDS, VERDICTS, Estimate, Missing, Region, judge
from smlib.claims.kinds import KINDS
from smlib.claims.reading import STUDIES, Claim, ClaimError, Printed, printed_values, read
from smlib.claims.verdicts import COLUMNS, Runs, counts, ledger

__all__ = ["CANNOT_BE_TOLD", "COLUMNS", "DOES_NOT_HOLD", "HOLDS", "KINDS", "STUDIES", "VERDICTS", "Claim", "ClaimError",
           "Estimate", "Missing", "Printed", "Region", "Runs", "counts", "judge", "ledger", "printed_values", "read"]
