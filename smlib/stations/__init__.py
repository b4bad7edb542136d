"""The station study: from one canonical dataset to forecasts of every model at every level, scored on the same days."""

from smlib.stations.forecast import Forecasts, Study, forecast_all
from smlib.stations.levels import Level, about, check_settings, prepare, prepare_all, seed_of
from smlib.stations.tables import (
    best_forecasts,
    compare_pairs,
    cost_table,
    forecast_table,
    level_table,
    skill_table,
)

__all__ = ["Forecasts", "Level", "Study", "about", "best_forecasts", "check_settings", "compare_pairs", "cost_table",
           "forecast_all", "forecast_table", "level_table", "prepare", "prepare_all", "seed_of", "skill_table"]
