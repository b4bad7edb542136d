"""Canonical data: what they are called, how they are checked, and where they come from."""

from smlib.data.schema import DRIVERS, VARIABLES, DataError, validate
from smlib.data.sources import open_grid, open_source, source_fingerprint

__all__ = ["DRIVERS", "VARIABLES", "DataError", "open_grid", "open_source", "source_fingerprint", "validate"]
