"""What nudged networks are compared with, on the same interface; each a few lines.

Persistence, climatology and their nudged forms are one forecast, `Damped`, rolled out by `nudging.roll_out`:

===============================  ==============================================================
persistence                      ``Damped(1)``
climatology                      ``Damped(0)`` about the climatology
climatology with memory          ``Damped(lag_one(anomalies))`` about the climatology
climatology + nudging            ``Damped(0)`` about the climatology, with ``Nudging(tau)``
interpolation, no forecast       any, with ``Interpolation(valid)``
direct insertion                 any, with ``Nudging(1)``
===============================  ==============================================================

Optimal interpolation is in `optimal`, the ensemble Kalman filter in `enkf`. Symbols and shapes are those of
`smlib.assimilate`.
"""

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.spatial import QhullError

from smlib.assimilate.nudging import checked_observations, positions
from smlib.assimilate.optimal import alike, one_thread


class Damped:
    """x_f = rho times the newest day of the window; of moisture (rho = 1: persistence) or of anomalies."""

    def __init__(self, rho=1.0):
        self.rho = rho

    def forecast(self, window):
        """x_f (member, y, x); `rho` is a number or (y, x)."""
        return (self.rho * window[:, -1]).astype(window.dtype)


def climatology(fields, time, half_width=15):
    """(366, y, x) day-of-year mean of training fields (time, y, x) within `half_width` days, round the year's turn too.

    NaN where the training years have no value. The last row is the day 366 of leap years.
    """
    day = pd.DatetimeIndex(time).day_of_year.values - 1
    total, count = np.zeros((2, 366, *fields.shape[1:]))
    np.add.at(total, day, np.nan_to_num(fields))
    np.add.at(count, day, np.isfinite(fields))
    total, count = (_moving_sum(v, half_width) for v in (total, count))
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _moving_sum(values, half_width):
    return sum(np.roll(values, shift, axis=0) for shift in range(-half_width, half_width + 1))


def on_days(mean, time):
    """(time, y, x): the rows of a `climatology` for these dates."""
    return mean[pd.DatetimeIndex(time).day_of_year.values - 1]


def lag_one(anomalies, time):
    """Lag-one regression of training anomalies (time, y, x), pooled over cells: sum a(t) a(t-1) / sum a(t-1)^2.

    Pairs of days that are not neighbours, and pairs that miss a value, are left out.
    """
    above = below = 0.0
    times = pd.DatetimeIndex(time)
    for (before, yesterday), (now, today) in pairwise(zip(times, anomalies, strict=True)):
        if now - before == pd.Timedelta(days=1):
            there = np.isfinite(yesterday) & np.isfinite(today)
            above += float(np.sum(yesterday[there] * today[there]))
            below += float(np.sum(yesterday[there] ** 2))
    if below == 0:
        raise ValueError("no two neighbouring days to fit the lag-one regression on")
    return above / below


class Interpolation:
    """The day's observations interpolated linearly in space, nearest outside their hull: no forecast, no memory.

    The background is read only on a day without any observation, of which it is the result. About a climatology,
    anomalies are interpolated.
    """

    def __init__(self, valid, spacing=(1.0, 1.0)):
        self.valid, self.places = valid, positions(valid, spacing)

    @one_thread
    def __call__(self, x_f, y, observed):
        """x_a (member, y, x)."""
        y, weight = checked_observations(x_f, y, observed)
        seen, x_a = weight[:, self.valid] > 0, x_f.copy()
        for members in alike(seen):
            there = seen[members[0]]
            if there.any():
                values = y[members][:, self.valid][:, there].T
                for member, found in zip(members, _interpolated(self.places, there, values).T, strict=True):
                    x_a[member, self.valid] = found
        return x_a


def _interpolated(places, seen, values):
    """(cell, member) of `values` (observation, member)."""
    found = np.full((len(places), values.shape[1]), np.nan)
    found[seen] = values
    with suppress(QhullError, ValueError):  # fewer than three observations, or all on one line: no triangle
        found[~seen] = LinearNDInterpolator(places[seen], values)(places[~seen])
    outside = np.isnan(found[:, 0])
    if outside.any():
        found[outside] = NearestNDInterpolator(places[seen], values)(places[outside])
    return found
