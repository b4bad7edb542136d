"""Metrics, their intervals, the tidy skill table, and what in it is significant."""

from smlib.evaluate.credibility import (
    PRODUCT_METRICS,
    against_stations,
    behaviour,
    beside_print,
    drying_time,
    implied_std,
    in_printed_range,
    inside_range,
    world_answer,
)
from smlib.evaluate.entrants import entrant, split_variant, tidy, untidy
from smlib.evaluate.explore import autocorrelation, correlation, days_to_forget, memory_answer
from smlib.evaluate.metrics import METRICS
from smlib.evaluate.ranks import blocks, friedman, order_kept, target_effect
from smlib.evaluate.significance import compare, daily_loss, diebold_mariano, pooled, site_ratio
from smlib.evaluate.skill import COLUMNS, over_sites, score
from smlib.evaluate.tables import against, answer, printed_by_depth, printed_means, wide

__all__ = ["COLUMNS", "METRICS", "PRODUCT_METRICS", "against", "against_stations", "answer", "autocorrelation",
           "behaviour", "beside_print", "blocks", "compare", "correlation", "daily_loss", "days_to_forget",
           "diebold_mariano", "drying_time", "entrant", "friedman", "implied_std", "in_printed_range", "inside_range",
           "memory_answer", "order_kept", "over_sites", "pooled", "printed_by_depth", "printed_means", "score",
           "site_ratio", "split_variant", "target_effect", "tidy", "untidy", "wide",
           "world_answer"]
