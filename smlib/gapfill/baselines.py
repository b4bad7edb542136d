"""What a filler is, and the simple ones: linear, climatology with persistence, smoothing spline."""

from copy import copy

import numpy as np
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import curve_fit

from smlib.data.schema import DataError
from smlib.gapfill.cells import days_of_year, interpolated, neighbours, withhold_mixed

FLOOR = 1e-3  # m3 m-3: no method may state a smaller standard deviation of a value that it has not seen


class Filler:
    """Fills the gaps of series of cells: ``fit(series, forcing)``, then ``fill(series, forcing)``.

    The cells of both are the same, in the same order. Every fifth stretch of 20 days of the training days is kept for
    validation: no parameter is fitted to it. On days hidden there (gaps of 1, 5, 10 and 20 days), one factor on the
    stated standard deviations is chosen, ``factor_``: the root mean square of error / stated sd. ``validation_`` has
    the RMSE (m3 m-3) and the negative log-likelihood of those days, to choose between methods. ``causal`` says whether
    an estimate uses nothing later than its day, as it must where the filled series feed a forecast.
    """

    causal = False

    def fit(self, series, forcing, seed=0):
        """Learn from training days: `series` (cell, time) in m3 m-3, NaN where missing, and its `Forcing`."""
        series = _checked(series, forcing)
        judged = validation_days(series.shape[1])
        train = np.where(judged, np.nan, series)
        self.overall_ = float(np.nanmean(train))
        self._learn_cells(train, forcing)
        self.factor_ = 1.0
        self._fit(train, forcing, np.random.default_rng(seed))
        errors, sds, rng = [], [], np.random.default_rng((seed, 1))
        for _ in range(2):
            hidden = withhold_mixed(series, 0.3, rng) & judged
            mean, sd = self.fill(np.where(hidden, np.nan, series), forcing)
            errors.append((series - mean)[hidden])
            sds.append(sd[hidden])
        errors, sds = np.concatenate(errors), np.concatenate(sds)
        if not errors.size:
            raise DataError("no value on the validation days, every fifth stretch of 20", variable="soil_moisture")
        self.factor_ = float(np.sqrt(np.mean((errors / sds) ** 2)))
        sds = sds * self.factor_
        nll = np.mean(np.log(sds) + 0.5 * (errors / sds) ** 2 + 0.5 * np.log(2 * np.pi))
        self.validation_ = {"RMSE": float(np.sqrt(np.mean(errors**2))), "NLL": float(nll)}
        return self

    def for_cells(self, series, forcing):
        """The same method for other cells: as fitted, with the means and sds of these cells' training days.

        So a method fitted to a sample of the cells fills a large grid, part by part. Where the spread was learnt by
        cell, these cells get the common one.
        """
        other = copy(self)
        other._learn_cells(_checked(series, forcing), forcing)
        return other

    def fill(self, series, forcing):
        """Estimate the missing days of `series`.

        Returns
        -------
        mean, sd : (cell, time)
            Estimate and its standard deviation as a prediction of the value that a sensor would have reported,
            m3 m-3. An observed day keeps its value, with sd 0.
        """
        series = _checked(series, forcing)
        if len(series) != len(self.mean_):
            raise DataError(f"fitted to {len(self.mean_)} cells, given {len(series)}", variable="soil_moisture")
        mean, sd = self._estimate(series, forcing)
        seen = np.isfinite(series)
        return np.where(seen, series, mean), np.where(seen, 0.0, np.maximum(sd * self.factor_, FLOOR))

    def _fit(self, train, forcing, rng):
        """Learn from `train`, (cell, time), in which the validation days are NaN."""

    def _learn_cells(self, train, forcing):
        """What is each cell's own."""
        self.mean_, self.sd_ = _moments(train, self.overall_)
        self.by_cell_ = np.ones(len(train))

    def _learn_spread(self, train, forcing, rng, passes=4):
        """Standard deviation of the error by distance to the nearest value seen, and by cell."""
        passes = max(passes, -(-100 // len(train)))  # few cells: enough errors all the same
        errors = np.full((passes, *train.shape), np.nan)
        nearest = np.full_like(errors, np.nan)
        for i in range(passes):
            hidden = withhold_mixed(train, 0.2, rng)
            seen = np.where(hidden, np.nan, train)
            errors[i, hidden] = (self._mean(seen, forcing) - train)[hidden]
            nearest[i] = self._distance(seen)
        table = [errors[np.isfinite(errors) & (nearest > low) & (nearest <= high)]
                 for low, high in zip(EDGES, (*EDGES[1:], np.inf), strict=True)]
        sd = np.sqrt(np.nanmean(errors**2))
        self.by_distance_ = np.zeros(len(EDGES))
        for i, found in enumerate(table):  # too few that far from a value: as at the distance before
            sd = self.by_distance_[i] = np.sqrt(np.mean(found**2)) if found.size > 100 else sd
        ratio = errors / self.by_distance_[np.searchsorted(EDGES, nearest, side="left") - 1]
        squares, n = np.nansum(ratio**2, (0, 2)), np.isfinite(ratio).sum((0, 2))
        self.by_cell_ = np.sqrt((squares + 50) / (n + 50))  # drawn to 1 as if by 50 more days

    def _distance(self, series):
        """(cell, time) days to the nearest value that the method may see; infinite where there is none."""
        since, until = neighbours(series)[2:]
        return since if self.causal else np.minimum(since, until)

    def _spread(self, series):
        at = np.searchsorted(EDGES, self._distance(series), side="left") - 1
        return self.by_cell_[:, None] * self.by_distance_[np.maximum(at, 0)]

    def _estimate(self, series, forcing):
        return self._mean(series, forcing), self._spread(series)


EDGES = np.array([0.0, 1, 2, 3, 5, 8, 12])  # days to the nearest value: (0, 1], (1, 2], ... and over 12


def validation_days(days):
    """(time,) bool: the fifth of every five stretches of 20 days, or the last fifth of a shorter series."""
    day = np.arange(days)
    return day // 20 % 5 == 4 if days >= 100 else day >= days - days // 5


def _moments(train, overall):
    """Mean and sd (cell,) of training days; of a cell without two values, the mean of all cells and of their sds."""
    few = np.isfinite(train).sum(1) < 2
    filled = np.where(few[:, None], overall, train)
    sd = np.maximum(np.nanstd(filled, 1), 0.005)  # a cell that never changes still has noise
    return np.nanmean(filled, 1), np.where(few, sd[~few].mean() if (~few).any() else 0.05, sd)


def _checked(series, forcing):
    series = np.asarray(series, float)
    if series.shape != forcing.daily.shape[:2]:
        raise DataError(f"{series.shape} (cell, day), but the forcing has {forcing.daily.shape[:2]}",
                        variable="soil_moisture")
    return series


class Linear(Filler):
    """Linear in time between the values before and after; a cell without any gets its training mean."""

    def _fit(self, train, forcing, rng):
        self._learn_spread(train, forcing, rng)

    def _mean(self, series, forcing):
        line = interpolated(series)
        return np.where(np.isfinite(line), line, self.mean_[:, None])


class ClimatologyPersistence(Filler):
    """Seasonal cycle of the cell plus its last anomaly, which fades: anomaly(t + d) = a exp(-d / tau) anomaly(t).

    The cycle is one annual harmonic by ridge regression.
    """

    causal = True

    def _learn_cells(self, train, forcing):
        super()._learn_cells(train, forcing)
        self.harmonics_ = np.zeros((len(train), 3))
        for cell, values in enumerate(train):
            seen = np.isfinite(values)
            x = _harmonics(forcing.time[seen])
            # Each coefficient is held to 0 as firmly as ten days of data would speak for it.
            self.harmonics_[cell] = np.linalg.solve(x.T @ x + np.diag([1e-9, 10, 10]),
                                                    x.T @ (values[seen] - self.mean_[cell]))

    def _fit(self, train, forcing, rng):
        anomaly = train - self._cycle(forcing)
        lags = np.arange(1, 21)
        # Regression of each anomaly on that of `lag` days before, where both are known.
        pairs = [(anomaly[:, :-lag], anomaly[:, lag:]) for lag in lags]
        kept = [np.nansum(x * y) / np.sum(x[np.isfinite(x * y)] ** 2) for x, y in pairs]
        (self.a_, self.tau_), _ = curve_fit(lambda lag, a, tau: a * np.exp(-lag / tau), lags, kept, (0.8, 8.0),
                                            bounds=([0.0, 0.5], [1.0, 400.0]))
        self._learn_spread(train, forcing, rng)

    def _cycle(self, forcing):
        return self.mean_[:, None] + self.harmonics_ @ _harmonics(forcing.time).T

    def _mean(self, series, forcing):
        cycle = self._cycle(forcing)
        anomaly, _, since, _ = neighbours(series - cycle)
        return cycle + np.nan_to_num(anomaly) * self.a_ * np.exp(-since / self.tau_)


def _harmonics(time):
    phase = 2 * np.pi * days_of_year(time) / 365.25
    return np.stack([np.ones_like(phase), np.sin(phase), np.cos(phase)], -1)


class Spline(Filler):
    """Cubic smoothing spline (scipy's `make_smoothing_spline`), its penalty chosen on training days, for all cells.

    Beyond the first and last value it keeps the value that it has there.
    """

    penalties = (1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0)

    def _fit(self, train, forcing, rng):
        some = np.linspace(0, len(train) - 1, min(len(train), 40)).astype(int)  # a spline takes 10 ms
        hidden = withhold_mixed(train[some], 0.2, rng)
        seen = np.where(hidden, np.nan, train[some])
        loss = [np.nanmean((_splines(seen, penalty) - train[some])[hidden] ** 2) for penalty in self.penalties]
        self.penalty_ = self.penalties[int(np.argmin(loss))]
        self._learn_spread(train, forcing, rng, passes=1)

    def _mean(self, series, forcing):
        line = _splines(series, self.penalty_)
        return np.where(np.isfinite(line), line, self.mean_[:, None])


def _splines(series, penalty):
    """(cell, time) smoothing splines; NaN in a cell with nothing seen."""
    day = np.arange(series.shape[1])
    out = np.full(series.shape, np.nan)
    for cell, values in enumerate(series):
        seen = np.flatnonzero(np.isfinite(values))
        if seen.size >= 5:  # what scipy needs
            spline = make_smoothing_spline(seen, values[seen], lam=penalty)
            out[cell] = spline(np.clip(day, seen[0], seen[-1]))
        elif seen.size:
            out[cell] = np.interp(day, seen, values[seen])
    return out
