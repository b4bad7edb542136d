"""Half-hourly (or hourly) measurements to days, with one written rule for how much of a day must be measured.

Every function is pure: pandas in, pandas or numbers out.
"""

import numpy as np
import pandas as pd

# How many of a day's 48 half hours must be measured for its value to count. A gap of the half hours that may be missing
# moves the daily value, in units of the standard deviation of daily values, by under 2 % where it is what models are
# scored on (the soil) and by under 10 % where it is only an input. A gap in precipitation can only lower the sum: those
# days must be whole. Measured by `scripts/measure_daily_rule.py`; the figures stand in book/foundations/data.md.
HALF_HOURS = {"soil_moisture": 42, "soil_temperature": 44, "air_temperature": 38, "relative_humidity": 44,
              "longwave_down": 40, "wind_speed": 42, "shortwave_down": 47, "precipitation": 48}

# Of several sensors at one level those are averaged that have this share of the days of the most complete one.
REPLICATE_SHARE = 0.95

# Where the stamp stands in the interval that it labels, as a share of the interval.
STAMPS = {"start": 0.0, "middle": 0.5, "end": 1.0}


def day_of(index, step, stamp):
    """The day that each interval belongs to: that of its start (one that ends at 00:00 belongs to the day before).

    Parameters
    ----------
    index : pandas.DatetimeIndex
        Time stamps in local standard time.
    step : pandas.Timedelta
        Length of an interval.
    stamp : {"start", "middle", "end"}
        Where in its interval a stamp stands.

    Returns
    -------
    pandas.DatetimeIndex
        Midnights, as long as `index`.
    """
    return (index - STAMPS[stamp] * step).normalize()


def to_daily(series, name, step, stamp):
    """Daily values of the canonical variable `name`, NaN on days of which too little was measured (`HALF_HOURS`).

    Parameters
    ----------
    series : pandas.Series
        Values with NaN where not measured, on a DatetimeIndex without repeats. Precipitation in mm per interval,
        anything else in its canonical unit.
    name : str
        A key of `smlib.data.schema.VARIABLES`.
    step : pandas.Timedelta
        Length of an interval; a day must hold a whole number of them.
    stamp : {"start", "middle", "end"}
        Where in its interval a stamp stands.

    Returns
    -------
    pandas.Series
        One value a day (sum for precipitation, else mean), from the first to the last day, float64.
    """
    intervals = pd.Timedelta(days=1) / step
    groups = series.groupby(day_of(series.index, step, stamp))
    value = groups.sum() if name == "precipitation" else groups.mean()
    value = value.where(enough(groups.count() / intervals, name))
    return value.asfreq("D").rename_axis("time")


def enough(share, name):
    """Whether a daily value of the variable `name` counts of which the `share` (0 to 1, an array) was measured.

    Files print shares with three digits, hence the small allowance.
    """
    return share >= HALF_HOURS[name] / 48 - 0.0006


def mean_of_fixed_set(daily):
    """The mean of several sensors of one level over a set that does not change, and the names of that set.

    The set is the sensors with at least `REPLICATE_SHARE` of the days of the most complete one; a day counts if all of
    them were measured. A mean over whatever is there that day would jump whenever a sensor starts or stops, by the
    difference between two places, which is often larger than what the soil does in a month.

    Parameters
    ----------
    daily : dict of pandas.Series
        Daily values by sensor.
    """
    days = {name: series.notna().sum() for name, series in daily.items()}
    used = [name for name in daily if days[name] >= REPLICATE_SHARE * max(days.values())]
    return pd.concat([daily[name] for name in used], axis=1).mean(axis=1, skipna=False), used


def gap_error(series, gap, step, stamp, total=False):
    """What a gap of `gap` contiguous intervals does to a daily value, measured on the complete days of `series`.

    From each complete day the gap is cut at every position in turn; the daily value of what is left is compared with
    that of the whole day.

    Returns
    -------
    dict
        ``days`` used, ``std`` of the complete daily values, ``rmse`` and ``bias`` of the gappy ones relative to it,
        ``worst`` the same for the gap position with the largest RMSE, all as shares of ``std``.
    """
    intervals = round(pd.Timedelta(days=1) / step)
    days = day_of(series.index, step, stamp)
    groups = series.groupby(days)
    whole = series[days.isin(groups.count().loc[lambda n: n == intervals].index)].to_numpy().reshape(-1, intervals)
    truth = whole.sum(1) if total else whole.mean(1)
    sums = np.concatenate([np.zeros((len(whole), 1)), whole.cumsum(1)], axis=1)
    cut = sums[:, gap:] - sums[:, :intervals - gap + 1]  # (day, position of the gap)
    left = whole.sum(1, keepdims=True) - cut
    error = (left if total else left / (intervals - gap)) - truth[:, None]
    std = truth.std()
    return {"days": len(whole), "std": std, "rmse": np.sqrt((error**2).mean()) / std, "bias": error.mean() / std,
            "worst": np.sqrt((error**2).mean(0)).max() / std}
