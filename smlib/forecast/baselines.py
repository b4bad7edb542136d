"""Forecasts of daily soil moisture that need no network: what one has to beat.

Series are (time, cell) in m3 m-3, one row a day without a missing date, NaN where nothing was observed; ``forcing`` is
(time, cell, variable), ``constants`` (cell, constant), both for the methods that use them. A forecast issued on a day
knows the series up to and with that day. ``predict`` gives (issue, lead, cell), m3 m-3, for the rows `issue`, by
default all. scikit-learn's conventions: ``fit`` returns self, and what it has learnt ends in an underscore; it comes
from the days given to ``fit`` alone.
"""

from copy import copy

import numpy as np
from sklearn.base import BaseEstimator

from smlib.data.schema import DataError
from smlib.gapfill.cells import days_of_year, neighbours
from smlib.models.stacked import LEADS


def last_seen(series):
    """The last observation up to each day and its age in days, both (time, cell); NaN and infinite before the first."""
    before, _, since, _ = neighbours(series.T)
    return before.T, since.T


def checked(series, time, cells=None):
    """`series` as floats, or `DataError` where it is not (time, cell), a day a row, of as many cells as were fitted."""
    series, day = np.asarray(series), np.asarray(time, "datetime64[D]")
    series = series if np.issubdtype(series.dtype, np.floating) else series.astype(float)
    if series.ndim != 2 or len(series) != len(day):
        raise DataError(f"{series.shape} is not (time, cell) of {len(day)} days", variable="soil_moisture")
    if (np.diff(day) != np.timedelta64(1, "D")).any():
        raise DataError("the days do not follow each other one by one", variable="time")
    if cells not in (None, series.shape[1]):
        raise DataError(f"fitted to {cells} cells, given {series.shape[1]}", variable="soil_moisture")
    if cells is None and not np.isfinite(series).any():
        raise DataError("no day of the training has an observation", variable="soil_moisture")
    return series


def issue_days(series, issue):
    """The days on which forecasts are issued, as indices: all of them where `issue` is None."""
    return np.arange(len(series)) if issue is None else np.atleast_1d(np.arange(len(series))[issue])


class Persistence(BaseEstimator):
    """The last observation up to the issue day; NaN where there is none yet."""

    def __init__(self, leads=LEADS):
        self.leads = leads

    def fit(self, series, time, forcing=None, constants=None):
        """Nothing to learn; returns self."""
        self.cells_ = checked(series, time).shape[1]
        return self

    def predict(self, series, time, forcing=None, constants=None, issue=None):
        """(issue, lead, cell), the same at all leads."""
        last = last_seen(checked(series, time, self.cells_))[0][issue_days(series, issue)]
        return np.repeat(last[:, None], len(self.leads), 1)


class Climatology(BaseEstimator):
    """Seasonal cycle of each cell: its mean and `harmonics` of the year, by ridge regression.

    Parameters
    ----------
    penalty : float
        Each coefficient but the mean is held to 0 as firmly as twice so many days of data would speak for it: one year
        of training is no climatology. A cell that has never been observed has the mean of the others.
    """

    def __init__(self, leads=LEADS, harmonics=1, penalty=30.0):
        self.leads, self.harmonics, self.penalty = leads, harmonics, penalty

    def fit(self, series, time, forcing=None, constants=None):
        """Learn ``coefficients_`` (1 + 2 harmonics, cell), in m3 m-3; returns self."""
        series, x = checked(series, time), self._waves(time)
        seen = np.isfinite(series)
        self.mean_ = np.where(seen.any(0), np.where(seen, series, 0).sum(0) / np.maximum(seen.sum(0), 1),
                              series[seen].mean())
        gram = np.einsum("ti,tc,tj->cij", x, seen.astype(float), x, optimize=True)
        gram += np.diag([1e-9, *[self.penalty] * (x.shape[1] - 1)])
        right = x.T @ np.where(seen, series - self.mean_, 0)
        self.coefficients_ = np.linalg.solve(gram, right.T[..., None])[..., 0].T
        self.coefficients_[0] += self.mean_
        self.cells_ = series.shape[1]
        return self

    def for_cells(self, cells):
        """The same for some of the cells."""
        other = copy(self)
        other.mean_, other.coefficients_ = self.mean_[cells], self.coefficients_[:, cells]
        other.cells_ = len(other.mean_)
        return other

    def at(self, time):
        """(time, cell) the cycle on these dates, m3 m-3."""
        return self._waves(time) @ self.coefficients_

    def predict(self, series, time, forcing=None, constants=None, issue=None):
        """(issue, lead, cell): the cycle on the target day."""
        issue = issue_days(checked(series, time, self.cells_), issue)
        day = np.asarray(time, "datetime64[D]")[issue]
        return np.stack([self.at(day + np.timedelta64(lead, "D")) for lead in self.leads], 1)

    def _waves(self, time):
        phase = 2 * np.pi * days_of_year(time)[:, None] / 365.25 * np.arange(1, self.harmonics + 1)
        return np.concatenate([np.ones((len(phase), 1)), np.sin(phase), np.cos(phase)], 1)


class DampedAnomaly(BaseEstimator):
    """Climatology plus the last anomaly, faded: a(t + d) = kept(d) a(t), d the lead and the age of that observation.

    kept(d) is the regression of an anomaly on that of d days before over all pairs of training days of all cells. So
    noise of the observations and more than one time scale need no form of their own. For an AR(1) process of
    coefficient p it is p^d, the best forecast there is.

    Parameters
    ----------
    longest : int
        Days up to which kept(d) is estimated; an older anomaly counts for nothing.
    harmonics, penalty : see `Climatology`.
    """

    def __init__(self, leads=LEADS, longest=60, harmonics=1, penalty=30.0):
        self.leads, self.longest, self.harmonics, self.penalty = leads, longest, harmonics, penalty

    def fit(self, series, time, forcing=None, constants=None):
        """Learn ``climatology_`` and ``kept_`` (longest + 1,), dimensionless; returns self."""
        series = checked(series, time)
        self.climatology_ = Climatology(self.leads, self.harmonics, self.penalty).fit(series, time)
        anomaly = series - self.climatology_.at(time)
        seen, anomaly = np.isfinite(anomaly).astype(float), np.nan_to_num(anomaly)
        self.kept_ = np.ones(self.longest + 1)
        for d in range(1, min(self.longest, len(series) - 1) + 1):
            early, late = anomaly[:-d], anomaly[d:]
            power = np.vdot(early * early, seen[d:])
            self.kept_[d] = np.clip(np.vdot(early, late) / power, 0, 1) if power > 0 else self.kept_[d - 1]
        self.cells_ = series.shape[1]
        return self

    def for_cells(self, cells):
        """The same for some of the cells."""
        other = copy(self)
        other.climatology_, other.cells_ = self.climatology_.for_cells(cells), len(self.climatology_.mean_[cells])
        return other

    def fade(self, days):
        """kept(d) for any number of days; 0 beyond the longest."""
        return np.append(self.kept_, 0)[np.minimum(days, self.longest + 1).astype(int)]

    def predict(self, series, time, forcing=None, constants=None, issue=None):
        """(issue, lead, cell); the climatology where nothing has been observed yet."""
        series, issue = checked(series, time, self.cells_), issue_days(series, issue)
        last, age = (a[issue] for a in last_seen(series - self.climatology_.at(time)))
        faded = np.stack([np.nan_to_num(last) * self.fade(age + lead) for lead in self.leads], 1)
        return faded + self.climatology_.predict(series, time, issue=issue)
