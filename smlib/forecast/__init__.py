"""Forecasts 1 to 30 days ahead: baselines, gradient boosting, the network on measured SMAP, and their scores."""

from smlib.forecast.baselines import Climatology, DampedAnomaly, Persistence
from smlib.forecast.boosting import Boosting
from smlib.forecast.network import NetworkForecast
from smlib.forecast.predictors import WEATHER

__all__ = ["WEATHER", "Boosting", "Climatology", "DampedAnomaly", "NetworkForecast", "Persistence"]
