"""The day's change as target, of any model."""

from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

TARGETS = ("value", "increment")


class IncrementScaler:
    """The target y of windows as the change since the last lagged moisture, scaled to 0 ... 1 where it is fitted.

    A model of the change thus sees a target of the same range as a model of the moisture; SVR, say, whose errors cost
    nothing within a tenth of that range, would otherwise learn nothing.
    """

    def fit(self, windows):
        """Learn the range of the change; returns self."""
        change = windows.y - windows.x[:, -1, -1]
        self.low_, self.range_ = change.min(), np.ptp(change) or 1.0
        return self

    def transform(self, windows):
        """The same windows with the scaled change as y."""
        return replace(windows, y=(windows.y - windows.x[:, -1, -1] - self.low_) / self.range_)

    def inverse(self, change, last):
        """Moisture from a scaled change (...,) and the moisture of the day before (...,)."""
        return last + self.low_ + self.range_ * change


class Increment(RegressorMixin, BaseEstimator):
    """Learn the day's change with `model`, and add it to the last lagged moisture."""

    def __init__(self, model):
        self.model = model

    def fit(self, train, validation):
        """Fit a clone of the model on the changes, scaled by those of the training windows; returns self."""
        self.scaler_ = IncrementScaler().fit(train)
        self.model_ = clone(self.model).fit(self.scaler_.transform(train), self.scaler_.transform(validation))
        return self

    def predict(self, windows):
        """(sample,) moisture, in the scale of the training targets."""
        return self.scaler_.inverse(self.model_.predict(windows), windows.x[:, -1, -1])
