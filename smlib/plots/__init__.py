"""Figures only: labelled data in, a matplotlib figure out. Nothing is computed beyond what drawing needs."""

from smlib.plots.maps import site_map
from smlib.plots.printed import printed_vs_ours
from smlib.plots.series import autocorrelation, correlation_heatmap, series
from smlib.plots.skill import error_by_lead, forecast_series, skill_by_lead
from smlib.plots.style import MODEL_COLOURS

__all__ = ["MODEL_COLOURS", "autocorrelation", "correlation_heatmap", "error_by_lead", "forecast_series",
           "printed_vs_ours", "series", "site_map", "skill_by_lead"]
