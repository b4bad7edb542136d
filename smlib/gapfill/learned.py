"""Gradient boosting on what linear interpolation misses."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from smlib.gapfill.baselines import Filler
from smlib.gapfill.cells import interpolated, neighbours, withhold_mixed


class Boosting(Filler):
    """Gradient boosting (scikit-learn's) on the error of linear interpolation, with the forcing.

    Predictors: the values before and after and their distances, the linear value, the rain between each of them and
    the day, the features of the day (`Forcing.features`), and the cell's constants, training mean and sd. Its error's
    sd: a second model of the logarithm of the squared error.
    """

    def __init__(self, **settings):
        self.settings = {"max_iter": 300, "learning_rate": 0.06, "max_leaf_nodes": 31, "min_samples_leaf": 40,
                         "l2_regularization": 1.0} | settings

    def _fit(self, train, forcing, rng):
        settings = self.settings | {"random_state": int(rng.integers(2**31))}
        parts = []
        for _ in range(4):
            hidden = withhold_mixed(train, 0.2, rng)
            x, line = self._predictors(np.where(hidden, np.nan, train), forcing)
            cell = np.broadcast_to(np.arange(len(train))[:, None], train.shape)[hidden]
            parts.append((x[hidden], (train - line)[hidden], cell))
        x, y, cell = (np.concatenate(part) for part in zip(*parts, strict=True))
        half = rng.permutation(len(train))[cell] < len(train) / 2  # errors are learned where the model was not trained
        misses = np.empty_like(y)
        for part in (half, ~half):
            if part.any() and not part.all():
                other = HistGradientBoostingRegressor(**settings).fit(x[part], y[part])
                misses[~part] = y[~part] - other.predict(x[~part])
            else:
                misses[:] = y
        self.model_ = HistGradientBoostingRegressor(**settings).fit(x, y)
        slow = settings | {"max_iter": 100, "max_leaf_nodes": 15}
        # The mean logarithm of a squared standard normal number is -1.27.
        self.spread_ = HistGradientBoostingRegressor(**slow).fit(x, np.log(misses**2 + 1e-6) + 1.27)

    def _predictors(self, series, forcing):
        before, after, since, until = neighbours(series)
        line = interpolated(series)
        line = np.where(np.isfinite(line), line, self.mean_[:, None])
        total = np.pad(np.cumsum(forcing.rain, 1), ((0, 0), (1, 0)))  # up to the end of the day before
        day = np.arange(series.shape[1])
        first = np.where(np.isfinite(since), day - since, 0).astype(int)
        last = np.where(np.isfinite(until), day + until, day.size - 1).astype(int)
        here = np.broadcast_to(day, series.shape)
        fallen, coming = (np.log1p(np.maximum(np.take_along_axis(total, b + 1, 1) - np.take_along_axis(total, a + 1, 1),
                                              0)) for a, b in ((first, here), (here, last)))
        cell = np.concatenate([forcing.constants, self.mean_[:, None], self.sd_[:, None]], 1)
        x = np.concatenate([np.stack([before, after, np.minimum(since, 99), np.minimum(until, 99), line, fallen,
                                      coming], -1),
                            forcing.features(), np.broadcast_to(cell[:, None], (*series.shape, cell.shape[1]))], -1)
        return x, line

    def _estimate(self, series, forcing):
        x, line = self._predictors(series, forcing)
        flat = x.reshape(-1, x.shape[-1])
        error = self.model_.predict(flat).reshape(series.shape)
        return line + error, np.exp(self.spread_.predict(flat).reshape(series.shape) / 2)
