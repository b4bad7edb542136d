"""Metrics, their intervals, and the tidy skill table."""

from smlib.evaluate.explore import autocorrelation, correlation
from smlib.evaluate.metrics import METRICS
from smlib.evaluate.skill import COLUMNS, over_sites, score

__all__ = ["COLUMNS", "METRICS", "autocorrelation", "correlation", "over_sites", "score"]
