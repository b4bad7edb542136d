"""The two forecasts that every table carries: what any model must beat to have learnt something."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin


class Persistence(RegressorMixin, BaseEstimator):
    """Tomorrow is as today: the last lagged moisture of the window; rolled out, that of the origin at any lead."""

    def fit(self, train, validation=None):
        """Nothing to learn; returns self."""
        self.n_features_in_ = train.x.shape[2]
        return self

    def predict(self, windows):
        """(sample,) moisture, from windows ``x`` (sample, lookback, feature)."""
        return windows.x[:, -1, -1].copy()


class Climatology(RegressorMixin, BaseEstimator):
    """Day-of-year mean of the training targets within `half_width` days, around the turn of the year too.

    Where the training period never saw that part of the year there is no climatology: NaN, not a stand-in.
    """

    def __init__(self, half_width=15):
        self.half_width = half_width

    def fit(self, train, validation=None):
        """Average the training targets by day of year; returns self. ``mean_`` (366,) has NaN for days not covered."""
        day = pd.DatetimeIndex(train.time).day_of_year.values - 1
        total, count = np.bincount(day, train.y, 366), np.bincount(day, minlength=366)
        shifts = range(-self.half_width, self.half_width + 1)
        total, count = (sum(np.roll(v, s) for s in shifts) for v in (total, count))
        with np.errstate(invalid="ignore"):
            self.mean_ = np.where(count > 0, total / count, np.nan)
        self.n_features_in_ = train.x.shape[2]
        return self

    def predict(self, windows):
        """(sample,) moisture of the windows' target days, NaN where there is no climatology."""
        return self.mean_[pd.DatetimeIndex(windows.time).day_of_year.values - 1]
