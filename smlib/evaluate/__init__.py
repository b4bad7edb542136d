"""Metrics, their intervals, and the tidy skill table."""

from smlib.evaluate.explore import autocorrelation, correlation, days_to_forget
from smlib.evaluate.metrics import METRICS
from smlib.evaluate.skill import COLUMNS, over_sites, score
from smlib.evaluate.tables import against, answer, printed_by_depth, printed_means, wide

__all__ = ["COLUMNS", "METRICS", "against", "answer", "autocorrelation", "correlation", "days_to_forget",
           "over_sites", "printed_by_depth", "printed_means", "score", "wide"]
