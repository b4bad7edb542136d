"""Papermill runs with manifests, results, staging and the command line.

Notebooks need only `begin`; the rest is behind ``python -m smlib``.
"""

from smlib.run.params import RunError
from smlib.run.results import Run, begin

__all__ = ["Run", "RunError", "begin"]
