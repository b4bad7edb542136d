"""Regressions on the flattened window: RF, ELM and SVR as in Wang et al. (2024); ridge and gradient boosting beyond."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.svm import SVR
from sklearn.utils import check_random_state


def flatten(windows):
    """Windows as rows for a regression: (sample, lookback * feature)."""
    return windows.x.reshape(len(windows), -1)


class WindowRegressor(RegressorMixin, BaseEstimator):
    """Any scikit-learn regressor on the flattened window."""

    def make(self):
        """The unfitted scikit-learn regressor."""
        raise NotImplementedError

    def fit(self, train, validation=None):
        """Fit on the training windows alone; returns self."""
        self.regressor_ = self.make().fit(flatten(train), train.y)
        return self

    def predict(self, windows):
        """(sample,) moisture, in the scale of the training targets."""
        return self.regressor_.predict(flatten(windows))


class RidgeWindow(RegressorMixin, BaseEstimator):
    """Linear regression on the whole window; its penalty is the one of `alphas` with the least validation error."""

    def __init__(self, alphas=(1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)):
        self.alphas = alphas

    def fit(self, train, validation):
        """Fit one ridge a penalty on train, keep the best on validation; returns self."""
        fits = [Ridge(alpha).fit(flatten(train), train.y) for alpha in self.alphas]
        errors = [np.mean((m.predict(flatten(validation)) - validation.y) ** 2) for m in fits]
        self.alpha_, self.regressor_ = self.alphas[int(np.argmin(errors))], fits[int(np.argmin(errors))]
        return self

    predict = WindowRegressor.predict


class RandomForest(WindowRegressor):
    """RF (Breiman 2001): the mean of `n_estimators` regression trees, a third of the inputs tried at each split.

    The settings of the paper's forest are not among the sources at hand; these are Breiman's for regression.
    """

    def __init__(self, n_estimators=100, max_features=1 / 3, random_state=None):
        self.n_estimators, self.max_features, self.random_state = n_estimators, max_features, random_state

    def make(self):
        """The unfitted forest."""
        return RandomForestRegressor(**self.get_params())


class GradientBoosting(RegressorMixin, BaseEstimator):
    """HistGB: scikit-learn's histogram gradient boosting (Ke et al. 2017), stopped on the validation windows."""

    def __init__(self, max_iter=1000, learning_rate=0.05, patience=30):
        self.max_iter, self.learning_rate, self.patience = max_iter, learning_rate, patience

    def fit(self, train, validation):
        """Add trees until `patience` of them have not lowered the validation error; returns self."""
        boosting = HistGradientBoostingRegressor(max_iter=self.max_iter, learning_rate=self.learning_rate,
                                                 early_stopping=True, n_iter_no_change=self.patience, random_state=0)
        self.regressor_ = boosting.fit(flatten(train), train.y, X_val=flatten(validation), y_val=validation.y)
        return self

    predict = WindowRegressor.predict


class SupportVector(WindowRegressor):
    """SVR with the paper's polynomial kernel, C = 1 and epsilon = 0.1: a tenth of the range of the training moisture.

    Errors within epsilon cost nothing, so the fit need not follow anything finer than that.
    """

    def __init__(self, kernel="poly", C=1.0, epsilon=0.1):
        self.kernel, self.C, self.epsilon = kernel, C, epsilon

    def make(self):
        """The unfitted support vector regressor."""
        return SVR(kernel=self.kernel, C=self.C, epsilon=self.epsilon)


class ExtremeLearningMachine(RegressorMixin, BaseEstimator):
    """ELM (Huang et al. 2006): a random sigmoid layer of `hidden` units, and least squares on what it gives."""

    def __init__(self, hidden=20, random_state=None):
        self.hidden, self.random_state = hidden, random_state

    def _layer(self, windows):
        h = 1 / (1 + np.exp(-(flatten(windows) @ self.weights_ + self.offsets_)))
        return np.column_stack([h, np.ones(len(h))])

    def fit(self, train, validation=None):
        """Draw the layer, solve for the output weights ``coef_`` (hidden + 1,); returns self."""
        rng = check_random_state(self.random_state)
        self.weights_ = rng.uniform(-1, 1, (flatten(train).shape[1], self.hidden))
        self.offsets_ = rng.uniform(-1, 1, self.hidden)
        self.coef_ = np.linalg.lstsq(self._layer(train), train.y, rcond=None)[0]
        return self

    def predict(self, windows):
        """(sample,) moisture, in the scale of the training targets."""
        return self._layer(windows) @ self.coef_
