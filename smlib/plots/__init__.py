"""Figures only: labelled data in, a matplotlib figure out. Nothing is computed beyond what drawing needs."""

from smlib.plots.correction import (
    auxiliary_series,
    combination_metrics,
    estimate_series,
    network_maps,
    product_maps,
    protocol_bars,
    shapley_ranking,
    triple_errors,
    violins,
    weight_curves,
)
from smlib.plots.cost import accuracy_against_cost, costs, learning_curves
from smlib.plots.explain import (
    attention_and_shapley,
    embedding_panels,
    shapley_days,
    shapley_features,
    shapley_values,
)
from smlib.plots.field_maps import field_map, maps_of_days, observation_patterns
from smlib.plots.field_scores import cost_bars, loss_curves, metric_bars, radar
from smlib.plots.field_series import daily_metrics, regional_series
from smlib.plots.maps import site_map
from smlib.plots.nudging import error_growth, methods, tau_curves
from smlib.plots.printed import printed_vs_ours
from smlib.plots.series import autocorrelation, correlation_heatmap, series
from smlib.plots.significance import critical_difference, target_effect, verdicts
from smlib.plots.skill import error_by_lead, forecast_series, skill_by_lead
from smlib.plots.style import MODEL_COLOURS
from smlib.plots.tiles import skill_tiles
from smlib.plots.world import (
    autocorrelation_spread,
    behaviour_by_depth,
    grid_maps,
    products_by_cover,
    twins_against_print,
)

__all__ = ["MODEL_COLOURS", "accuracy_against_cost", "attention_and_shapley", "autocorrelation",
           "autocorrelation_spread", "auxiliary_series", "behaviour_by_depth", "combination_metrics",
           "correlation_heatmap", "cost_bars", "costs", "critical_difference", "daily_metrics", "embedding_panels",
           "error_by_lead", "error_growth", "estimate_series", "field_map", "forecast_series", "grid_maps",
           "learning_curves", "loss_curves", "maps_of_days", "methods", "metric_bars", "network_maps",
           "observation_patterns", "printed_vs_ours", "product_maps", "products_by_cover", "protocol_bars", "radar",
           "regional_series", "series", "shapley_days", "shapley_features", "shapley_ranking", "shapley_values",
           "site_map", "skill_by_lead", "skill_tiles", "target_effect", "tau_curves", "triple_errors",
           "twins_against_print", "verdicts", "violins", "weight_curves"]
