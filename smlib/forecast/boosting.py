"""Gradient boosting on what the damped anomaly misses: the baseline that a network has to stand beside."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingRegressor

from smlib.forecast.baselines import checked, issue_days
from smlib.forecast.predictors import Predictors
from smlib.gapfill.baselines import validation_days
from smlib.models.stacked import LEADS

BLOCK = 256  # cells at a time


class Boosting(BaseEstimator):
    """scikit-learn's histogram gradient boosting (Ke et al. 2017) on the error of `DampedAnomaly`, a model a lead.

    How many trees: those of the least squared error on targets of every fifth stretch of 20 training days, which the
    trees have not seen; then all training days are used.

    Parameters
    ----------
    weather : "known" or "observed"
        See `smlib.forecast.predictors`.
    rows, cells : int
        It learns from so many observed targets of a lead, out of at most so many cells.
    """

    def __init__(self, leads=LEADS, weather="known", rows=20000, cells=500, max_iter=300, learning_rate=0.06,
                 max_leaf_nodes=12, min_samples_leaf=40, patience=40, random_state=0):
        self.leads, self.weather, self.rows, self.cells, self.max_iter = leads, weather, rows, cells, max_iter
        self.learning_rate, self.max_leaf_nodes, self.min_samples_leaf = learning_rate, max_leaf_nodes, min_samples_leaf
        self.patience, self.random_state = patience, random_state

    def fit(self, series, time, forcing=None, constants=None):
        """Learn ``models_``, one a lead (None: no tree was better than the damped anomaly); returns self."""
        series, rng = checked(series, time), np.random.default_rng(self.random_state)
        self.predictors_ = Predictors(self.weather, self.leads).fit(series, time)
        some = np.sort(rng.permutation(series.shape[1])[:self.cells])
        y, judged, self.models_ = series[:, some], validation_days(len(series)), []
        mine = self.predictors_.for_cells(some)
        known = mine.of(y, time, forcing[:, some] if forcing is not None else None,
                        None if constants is None else constants[some])
        for k, lead in enumerate(self.leads):
            target, cell = np.nonzero(np.isfinite(y))
            rows = rng.permutation(np.flatnonzero(target >= lead))[:self.rows]
            target, cell = target[rows], cell[rows]
            x = np.concatenate([known.today[target - lead, cell], mine.ahead(known, k)[target - lead, cell]], 1)
            self.models_.append(self._fit_one(x, y[target, cell] - known.damped[target - lead, k, cell],
                                              judged[target]))
        self.cells_ = series.shape[1]
        return self

    def _fit_one(self, x, error, judged):
        settings = {"learning_rate": self.learning_rate, "max_leaf_nodes": self.max_leaf_nodes,
                    "min_samples_leaf": self.min_samples_leaf, "random_state": self.random_state}
        if not judged.any() or judged.all():
            return None
        first = HistGradientBoostingRegressor(max_iter=self.max_iter, early_stopping=True,
                                              n_iter_no_change=self.patience, **settings)
        first.fit(x[~judged], error[~judged], X_val=x[judged], y_val=error[judged])
        trees = int(np.argmax(first.validation_score_))
        if not trees:
            return None
        return HistGradientBoostingRegressor(max_iter=trees, early_stopping=False, **settings).fit(x, error)

    def predict(self, series, time, forcing=None, constants=None, issue=None):
        """(issue, lead, cell); with observed weather NaN where a target lies behind the last day of the forcing."""
        series = checked(series, time, self.cells_)
        issue = issue_days(series, issue)
        out = np.empty((len(issue), len(self.leads), series.shape[1]), series.dtype)
        for begin in range(0, series.shape[1], BLOCK):
            part = slice(begin, begin + BLOCK)
            mine = self.predictors_.for_cells(part)
            known = mine.of(series[:, part], time, forcing[:, part], None if constants is None else constants[part])
            for k, model in enumerate(self.models_):
                ahead = mine.ahead(known, k)[issue]
                out[:, k, part] = np.where(np.isfinite(ahead).all(-1), known.damped[issue, k], np.nan)
                if model is not None:
                    x = np.concatenate([known.today[issue], ahead], -1)
                    out[:, k, part] += model.predict(x.reshape(-1, x.shape[-1])).reshape(x.shape[:2])
        return out
