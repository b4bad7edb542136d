"""Corrections of a satellite product that need no network: what MLSTM has to beat.

One estimator serves one product of one network, after scikit-learn's conventions. ``values`` are the product,
(cell, day), m3 m-3, NaN where it is missing; ``auxiliaries`` (cell, day, 4) in the order F P L E; ``target``
(cell, day), m3 m-3. Days follow each other without a gap. **It is trained on the pairs of product and target that are
both there, and on nothing else**: the caller sets to NaN what is to be kept for the test. A prediction is NaN where the
product is (`Climatology` needs none), so all methods are scored on the same days. Predictions are not clipped.

``by_cell=True`` fits a relation to each cell with at least `least` training pairs, in which a predictor varies. A cell
without one has the relation of all cells pooled, and ``pooled_cells_`` names, after ``predict``, the cells for which
that was so.
"""

import numpy as np
import pandas as pd
from sklearn import linear_model
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from smlib.data.schema import DataError
from smlib.gapfill.cells import days_of_year

RAIN = 1  # the column of precipitation in the auxiliaries
LEAST = 60  # training pairs of a cell for a relation of its own
BIN = 20  # training pairs in a bin of a CDF, as pytesmo's cdf_match has it


class Correction(BaseEstimator):
    """Common to all: the choice of training pairs, and pooled relations or one a cell.

    A subclass says what is predicted from (`_predictors`), by which relation (`_relation`) and, where it is not the
    product's being there, when (`_known`).
    """

    by_cell, least = False, LEAST

    def fit(self, values, auxiliaries, target, cells=None):
        """Learn ``pooled_`` and ``own_`` (a dict of cell number -> relation) from the pairs; returns self.

        Raises `DataError` where shapes do not fit, fewer than two pairs are left, or no predictor varies in them.
        """
        values, auxiliaries, cells = _checked(values, auxiliaries, cells)
        target = np.asarray(target, float)
        if target.shape != values.shape:
            raise DataError(f"{target.shape} is not {values.shape}, the product's (cell, day)", variable="target")
        self._learn(values, target)
        x = self._predictors(values, auxiliaries)
        pairs = self._complete(self._known(values), x) & np.isfinite(target)
        if not self._enough(x[pairs], 2):
            raise DataError(f"{pairs.sum()} training pairs of predictors and in-situ moisture are too few, or all that "
                            f"{type(self).__name__} predicts from is the same in all of them", variable="target")
        self.pooled_ = self._relation(x[pairs], target[pairs])
        self.own_ = {}
        for cell, xs, ys, seen in zip(cells, x, target, pairs, strict=True):
            if self.by_cell and self._enough(xs[seen], self.least):
                self.own_[cell] = self._relation(xs[seen], ys[seen])
        return self

    def predict(self, values, auxiliaries, cells=None):
        """(cell, day), m3 m-3; sets ``pooled_cells_``."""
        values, auxiliaries, cells = _checked(values, auxiliaries, cells)
        x, known = self._predictors(values, auxiliaries), self._known(values)
        own = np.array([cell in self.own_ for cell in cells], bool)
        self.pooled_cells_ = cells[~own] if self.by_cell else cells[:0]
        found = np.full(values.shape, np.nan)
        rest = known & ~own[:, None]
        if rest.any():
            found[rest] = self.pooled_.predict(x[rest])
        for row in np.flatnonzero(own & known.any(1)):
            found[row, known[row]] = self.own_[cells[row]].predict(x[row, known[row]])
        return found

    def _learn(self, values, target):
        """What is learnt before the relation; by default nothing."""

    def _predictors(self, values, auxiliaries):
        return values[..., None]

    def _known(self, values):
        return np.isfinite(values)

    def _complete(self, known, x):
        return known

    def _enough(self, x, least):
        return len(x) >= least and bool((np.fmax.reduce(x) > np.fmin.reduce(x)).any())


class Raw(Correction):
    """The product as it is."""

    def _relation(self, x, y):
        return _Same()


class MeanStd(Correction):
    """The product with the mean and standard deviation of the in-situ moisture (pytesmo's ``scaling.mean_std``).

    pytesmo takes the moments from the series that it scales; here they are those of the training pairs.
    """

    def __init__(self, by_cell=False, least=LEAST):
        self.by_cell, self.least = by_cell, least

    def _relation(self, x, y):
        return _Moments().fit(x, y)


class CDFMatch(Correction):
    """The product with the distribution of the in-situ moisture (Reichle and Koster 2004): pytesmo's ``CDFMatching``.

    100 bins, or fewer where they would hold less than 20 pairs; straight lines between their edges, the outermost
    fitted to all pairs in the bin (Moesinger et al. 2020) and carried on beyond the values of the training.
    """

    def __init__(self, by_cell=False, least=LEAST):
        self.by_cell, self.least = by_cell, least

    def _relation(self, x, y):
        from pytesmo.cdf_matching import CDFMatching

        bins = int(np.clip(len(x) // BIN, 1, 100))
        return CDFMatching(nbins=bins, linear_edge_scaling=True, combine_invalid=True).fit(x, y)


class ExponentialFilter(MeanStd):
    """The product smoothed by the recursive exponential filter (Albergel et al. 2008, Eq. 6 to 8), then `MeanStd`.

    The characteristic time ``days_`` is that of `times`, in days, whose smoothed product has the highest correlation
    with the target over the training pairs; 0 is the product itself. The filter (pytesmo's) looks back alone and
    starts anew at the first day given; it reads the product on all days, of the target only training days.
    """

    def __init__(self, times=(0, 1, 2, 3, 5, 7, 10, 15, 20, 30), by_cell=False, least=LEAST):
        super().__init__(by_cell, least)
        self.times = times

    def _learn(self, values, target):
        pairs = np.isfinite(values) & np.isfinite(target)
        if not self._enough(values[pairs][:, None], 2):
            return  # `fit` will say what is wrong
        found = [np.corrcoef(smoothed(values, days)[pairs], target[pairs])[0, 1] for days in self.times]
        self.days_ = self.times[int(np.argmax(found))]

    def _predictors(self, values, auxiliaries):
        return smoothed(values, getattr(self, "days_", 0))[..., None]


class LinearRegression(Correction):
    """Ordinary least squares on the product and F, P, L, E, all standardised by the training pairs.

    It learns from the pairs with all auxiliaries; where one is missing in a prediction, its training mean stands in.
    """

    def _relation(self, x, y):
        model = make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0.0),
                              linear_model.LinearRegression())
        return model.fit(x, y)

    def _predictors(self, values, auxiliaries):
        return np.concatenate([values[..., None], auxiliaries], -1)

    def _complete(self, known, x):
        return known & np.isfinite(x).all(-1)


class Boosting(Correction):
    """scikit-learn's histogram gradient boosting on the product, F, P, L, E, and precipitation of the days before.

    The last are the means over the 3 and the 10 days before the day itself. Missing auxiliaries are left to the trees,
    which learn to which side they go. No early stopping: its validation rows would be neighbours of training rows.
    """

    def __init__(self, max_iter=60, learning_rate=0.15, max_leaf_nodes=15, min_samples_leaf=40, random_state=0):
        self.max_iter, self.learning_rate, self.max_leaf_nodes = max_iter, learning_rate, max_leaf_nodes
        self.min_samples_leaf, self.random_state = min_samples_leaf, random_state

    def _relation(self, x, y):
        return HistGradientBoostingRegressor(early_stopping=False, **self.get_params()).fit(x, y)

    def _predictors(self, values, auxiliaries):
        rain = pd.DataFrame(auxiliaries[..., RAIN].T).shift(1)
        before = [rain.rolling(days, min_periods=1).mean().values.T for days in (3, 10)]
        return np.concatenate([values[..., None], auxiliaries, np.stack(before, -1)], -1)


class Climatology(Correction):
    """The mean of the training target by day of the year, over cells and years, in circular windows of `window` days.

    It needs no product and is there on all days. Days of the year with no training value within half a window lie on
    the straight line between those around them, across the new year too.

    Parameters
    ----------
    time : (day,) datetime64
        The days of all arrays, in `fit` and `predict` alike.
    """

    def __init__(self, time, window=31, by_cell=False, least=LEAST):
        self.time, self.window, self.by_cell, self.least = time, window, by_cell, least

    def _relation(self, x, y):
        return _Seasons(self.window).fit(x, y)

    def _predictors(self, values, auxiliaries):
        if len(self.time) != values.shape[1]:
            raise DataError(f"{len(self.time)} dates for {values.shape[1]} days of the product", variable="time")
        return np.broadcast_to(days_of_year(self.time)[:, None], (*values.shape, 1))

    def _known(self, values):
        return np.ones(values.shape, bool)


class _Same(RegressorMixin, BaseEstimator):
    def predict(self, X):
        return X[:, 0]


class _Moments(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.slope_ = y.std() / X[:, 0].std()
        self.intercept_ = y.mean() - self.slope_ * X[:, 0].mean()
        return self

    def predict(self, X):
        return self.intercept_ + self.slope_ * X[:, 0]


class _Seasons(RegressorMixin, BaseEstimator):
    def __init__(self, window):
        self.window = window

    def fit(self, X, y):
        day = X[:, 0].astype(int)
        near = (np.arange(366)[:, None] + np.arange(self.window) - self.window // 2) % 366
        total, n = (np.bincount(day, weights, 366)[near].sum(1) for weights in (y, None))
        self.mean_ = np.interp(np.arange(366), np.flatnonzero(n), total[n > 0] / n[n > 0], period=366)
        return self

    def predict(self, X):
        return self.mean_[X[:, 0].astype(int)]


def smoothed(values, days):
    """(cell, day) after the exponential filter with a characteristic time of `days` (whole; 0: none); NaN stays NaN."""
    from pytesmo.time_series.filters import exp_filter

    if not days:
        return values
    day = np.arange(values.shape[1], dtype=float)
    return np.stack([exp_filter(np.ascontiguousarray(row, float), day, int(days)) for row in values])


def _checked(values, auxiliaries, cells):
    values, auxiliaries = np.asarray(values, float), np.asarray(auxiliaries, float)
    if values.ndim != 2:
        raise DataError(f"{values.shape} is not (cell, day)", variable="values")
    if auxiliaries.shape != (*values.shape, 4):
        raise DataError(f"{auxiliaries.shape} is not (cell, day, 4) of {values.shape}", variable="auxiliaries")
    cells = np.arange(len(values)) if cells is None else np.asarray(cells)
    if cells.shape != values.shape[:1]:
        raise DataError(f"{cells.shape} is not one number for each of {len(values)} cells", variable="cells")
    return values, auxiliaries, cells


# name -> builder of an unfitted estimator, from the days and a seed
BASELINES = {
    "raw": lambda time, seed=0: Raw(),
    "mean-std": lambda time, seed=0: MeanStd(),
    "CDF matching": lambda time, seed=0: CDFMatch(),
    "CDF matching, own past": lambda time, seed=0: CDFMatch(by_cell=True),
    "exponential filter": lambda time, seed=0: ExponentialFilter(),
    "linear": lambda time, seed=0: LinearRegression(),
    "HistGB": lambda time, seed=0: Boosting(random_state=seed),
    "climatology": lambda time, seed=0: Climatology(time),
    "climatology, own past": lambda time, seed=0: Climatology(time, by_cell=True),
}
