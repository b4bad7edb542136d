"""What is known on an issue day, and of a target day: the predictors that boosting and the network share.

``weather="known"``: the forcing up to and with the issue day, as in a forecast without a weather forecast.
``weather="observed"``: the observed forcing up to the target day too. That is no forecast but the bound of one whose
weather forecast is perfect; whoever shows it says so.
"""

from copy import copy
from typing import NamedTuple

import numpy as np

from smlib.data.schema import DataError
from smlib.forecast.baselines import DampedAnomaly, last_seen

WEATHER = ("known", "observed")
WET = (3, 10, 30)  # days over which rain is forgotten: a thin layer, a root zone
OLD = 30.0  # days: no anomaly is older


def faded(x, days):
    """Exponentially fading mean of `x` (time, ...) over the past, from its first row on; NaN counts for nothing."""
    keep, seen = np.exp(-1 / days), np.isfinite(x)
    out, total, weight = np.empty_like(x), np.zeros_like(x[0]), np.zeros_like(x[0])
    for day, row in enumerate(np.where(seen, x, 0)):
        total, weight = keep * total + row, keep * weight + seen[day]
        out[day] = total / np.maximum(weight, 1e-9)
    return out


class Known(NamedTuple):
    """What is known on each day, and what is made of it; all (time, cell, ...) but `time` and `damped`."""

    today: np.ndarray  # (time, cell, k) float32, every predictor but those of the target day
    weather: np.ndarray  # (time, cell, j) float32, those of them that are the weather
    total: np.ndarray  # (time + 1, cell) rain up to before each day, mm
    start: np.ndarray  # (time, cell) the same up to before the day of the last observation
    time: np.ndarray  # (time,) datetime64
    damped: np.ndarray  # (time, lead, cell) the forecast of `DampedAnomaly`, m3 m-3


class Predictors:
    """Predictors of cells; climatology, memory, means and scales are learnt on training days alone.

    Parameters
    ----------
    weather : one of `WEATHER`
    leads : sequence of int, days
    lean : bool
        Without whatever tells one cell from another or one month from the next, by which a flexible model with one
        year to learn from remembers that year: the cell's constants, mean and sd, the cycle on the target day, means
        over 20 days and more, and the forcing but rain (of target days, where observed, all of it).
    """

    def __init__(self, weather, leads, lean=False):
        if weather not in WEATHER:
            raise ValueError(f"weather must be one of {', '.join(WEATHER)}, not {weather!r}")
        self.weather, self.leads, self.lean = weather, leads, lean

    def fit(self, series, time):
        """Learn each cell's climatology, mean and sd, and the memory, from training days; returns self."""
        self.damped_ = DampedAnomaly(self.leads).fit(series, time)
        self.mean_ = self.damped_.climatology_.coefficients_[0]
        self.sd_ = np.sqrt(np.nanmean(np.where(np.isfinite(series).any(0), series - self.mean_, 0) ** 2, 0))
        return self

    def for_cells(self, cells):
        """The same for some of the cells."""
        other = copy(self)
        other.mean_, other.sd_, other.damped_ = self.mean_[cells], self.sd_[cells], self.damped_.for_cells(cells)
        return other

    def of(self, series, time, forcing, constants):
        """All that is `Known` on each day; precipitation, mm d-1, is the first of the variables of `forcing`.

        The anomaly seen last and its age, the one before and its age, fading means of anomalies, whether there is an
        observation, the rain since the last one (which, at 6 am, has seen little of its own day's); rain of three days
        and fading means of it; the other forcing and fading means of it; the cell's constants, mean and sd.
        """
        if forcing is None or forcing.shape[:2] != series.shape or not np.isfinite(forcing).all():
            raise DataError(f"the forcing must be (time, cell, variable) of {series.shape} without a missing value",
                            variable="forcing")
        constants = np.zeros((series.shape[1], 0)) if constants is None else constants
        if len(constants) != series.shape[1] or not np.isfinite(constants).all():
            raise DataError(f"must be (cell, constant) of {series.shape[1]} cells without a missing value",
                            variable="constants")
        anomaly = series - self.damped_.climatology_.at(time)
        last, age = last_seen(anomaly)
        day = np.arange(len(series))[:, None]
        at = np.where(np.isfinite(age), day - age - 1, -1).astype(int)
        before, older = (np.where(at >= 0, np.take_along_axis(a, np.maximum(at, 0), 0), empty)
                         for a, empty in ((last, np.nan), (age, np.inf)))
        # Nothing seen is an anomaly of 0, of the greatest age.
        memory = [np.nan_to_num(last), np.minimum(age, OLD), np.nan_to_num(before), np.minimum(older + age + 1, OLD),
                  faded(anomaly, 5), np.isfinite(series)] + ([] if self.lean else [faded(anomaly, 20)])
        rain = forcing[..., 0]
        wet, none = np.log1p(rain), np.zeros_like(rain[:1])
        weather = [wet, np.concatenate([none, wet])[:-1], np.concatenate([none, none, wet])[:-2],
                   *(np.log1p(faded(rain, days)) for days in (WET[:-1] if self.lean else WET))]
        wets = len(weather)
        for k in range(1, forcing.shape[-1]):
            weather += [forcing[..., k], faded(forcing[..., k], 10)]
        weather = np.stack(weather, -1).astype("float32")
        total = np.cumsum(np.concatenate([none, rain]), 0)
        start = np.take_along_axis(total, np.where(np.isfinite(age), day - age, 0).astype(int), 0)
        memory = np.stack([*memory, np.log1p(np.maximum(total[1:] - start, 0))], -1).astype("float32")
        if self.lean:
            today = np.concatenate([memory, weather[..., :wets]], -1)
        else:
            cell = np.column_stack([constants, self.mean_, self.sd_]).astype("float32")
            today = np.concatenate([memory, weather, np.broadcast_to(cell, (*series.shape, cell.shape[1]))], -1)
        return Known(today, weather, total, start, np.asarray(time, "datetime64[D]"),
                     self.damped_.predict(series, time))

    def ahead(self, known, k):
        """What is known of the target day of lead `k`, from each issue day, (time, cell, i), float32.

        The faded anomaly, and the climatology less the cell's mean; with observed weather, that of the target day and
        the rain since the last observation, NaN where the target lies behind the last day of the forcing.
        """
        cycle = self.damped_.climatology_.at(known.time + np.timedelta64(self.leads[k], "D"))
        found = [(known.damped[:, k] - cycle)[..., None]]
        if not self.lean:
            found.append((cycle - self.mean_)[..., None])
        if self.weather == "observed":
            there = min(self.leads[k], len(known.time))
            coming = np.full((*cycle.shape, known.weather.shape[-1] + 1), np.nan)
            coming[:len(cycle) - there, :, :-1] = known.weather[there:]
            coming[:len(cycle) - there, :, -1] = np.log1p(np.maximum(known.total[there + 1:]
                                                                     - known.start[:len(cycle) - there], 0))
            found.append(coming)
        return np.concatenate(found, -1).astype("float32")
