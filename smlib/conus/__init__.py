"""Two studies over the contiguous United States: estimation (Rabiei et al. 2024) and forecast (2025) of moisture."""

from smlib.conus.data import Study, open_study
from smlib.conus.scenarios import estimations, forecasts
from smlib.conus.training import Opening, Settings, keep_weights, open_again, train_all

__all__ = ["Opening", "Settings", "Study", "estimations", "forecasts", "keep_weights", "open_again", "open_study",
           "train_all"]
