"""Series of cells with gaps, the weather beside them, and days withheld on purpose."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from smlib.data.schema import DataError

BLOCKS = (1, 5, 10, 20)  # lengths in days of the gaps that are made; 1: single days at random


@dataclass(frozen=True)
class Forcing:
    """What is known of every cell on every day, moisture apart.

    Attributes
    ----------
    daily : (cell, time, k) float array, without missing values; precipitation in mm d-1, the rest in any units
    names : k names, ``precipitation`` among them; none at all will do for methods that use no weather
    constants : (cell, c) float array, without missing values; c may be 0
    time : (time,) datetime64, one a day
    """

    daily: np.ndarray
    names: tuple
    constants: np.ndarray
    time: np.ndarray

    def __post_init__(self):
        cells, days, k = self.daily.shape
        if len(self.names) != k or (k and "precipitation" not in self.names):
            raise DataError(f"{k} daily variables are named {self.names}; precipitation must be one of them",
                            variable="forcing")
        if len(self.time) != days or len(self.constants) != cells:
            raise DataError(f"{self.daily.shape} (cell, day, variable) does not fit {len(self.time)} dates and "
                            f"{len(self.constants)} cells with constants", variable="forcing")
        if (np.diff(self.time) != np.timedelta64(1, "D")).any():
            raise DataError("the days do not follow each other one by one", variable="time")
        if not (np.isfinite(self.daily).all() and np.isfinite(self.constants).all()):
            raise DataError("a value of the forcing or of the constants is missing", variable="forcing")

    @property
    def rain(self):
        """(cell, time) precipitation, mm d-1."""
        if not self.names:
            raise DataError("this method needs the weather of every day", variable="precipitation")
        return self.daily[..., self.names.index("precipitation")]

    @property
    def year(self):
        """(time, 2) sine and cosine of the day of the year."""
        phase = 2 * np.pi * days_of_year(self.time) / 365.25
        return np.stack([np.sin(phase), np.cos(phase)], -1)

    def sel(self, days):
        """The same for a slice of the days."""
        return Forcing(self.daily[:, days], self.names, self.constants, self.time[days])

    def features(self, ahead=True):
        """(cell, time, k + 4): the daily variables with ln(1 + P) for P, that of the day before and after, the season.

        A 6 am pass sees the rain of the day before and some of its own UTC day. Before the first day and after the
        last it is taken for dry. Without `ahead`, the rain of the day after is left out (k + 3).
        """
        wet = np.log1p(self.rain)
        x = self.daily.copy()
        x[..., self.names.index("precipitation")] = wet
        none = np.zeros_like(wet[:, :1])
        beside = [np.hstack([none, wet[:, :-1]]), np.hstack([wet[:, 1:], none])][:2 if ahead else 1]
        return np.concatenate([x, np.stack(beside, -1), np.broadcast_to(self.year, (*wet.shape, 2))], -1)


def days_of_year(time):
    """(time,) whole days since the first of January, of datetime64 dates."""
    day = np.asarray(time, "datetime64[D]")
    return (day - day.astype("datetime64[Y]")).astype(float)


def drawn(ds, moisture, cells, seed=0, least=1):
    """At most `cells` (0: all) of the cells with at least so many values, at random: a lazy grid of one row.

    Of a grid (time, y, x) in dask chunks only a count of the values is read; DataError where no cell has enough.
    """
    moist = ds[moisture].transpose("time", ...)
    found = np.nonzero(moist.notnull().sum("time").values >= least)
    if not found[0].size:
        raise DataError(f"no cell has {least:.0f} values", variable=moisture)
    at = np.sort(np.random.default_rng(seed).permutation(found[0].size)[:cells or None])
    places = {dim: xr.DataArray(index[at][None], dims=("row", "cell"))
              for dim, index in zip(moist.dims[1:], found, strict=True)}
    return ds.drop_vars(["lat", "lon"], errors="ignore").isel(places)


def cells_of(ds, moisture, daily, constants=()):
    """The series and the forcing of those cells of a grid that have every forcing and constant, and some moisture.

    Parameters
    ----------
    ds : xarray.Dataset
        A grid with dims (time, y, x), whatever their names for the last two; read whole.
    moisture : str
        The variable with gaps, m3 m-3.
    daily, constants : sequence of str
        Names of variables (time, y, x), ``precipitation`` among them unless there are none, and of maps (y, x).

    Returns
    -------
    series : (cell, time) float64 array, NaN where missing
    forcing : Forcing
    where : (y, x) bool array, the cells in row order

    Raises
    ------
    DataError
        Where no cell is complete.
    """
    series = ds[moisture].transpose("time", ...).values
    weather = _stacked([ds[name].transpose("time", ...).values for name in daily], series.shape)
    maps = _stacked([ds[name].values for name in constants], series.shape[1:])
    where = np.isfinite(weather).all((0, -1)) & np.isfinite(maps).all(-1) & np.isfinite(series).any(0)
    if not where.any():
        needed = f", all of {', '.join((*daily, *constants))}" if daily or constants else ""
        raise DataError(f"no cell has some moisture{needed} on every day", variable=moisture)
    forcing = Forcing(weather[:, where].swapaxes(0, 1).astype(float), tuple(daily), maps[where].astype(float),
                      ds["time"].values)
    return series[:, where].T.astype(float), forcing, where


def _stacked(arrays, shape):
    return np.stack(arrays, -1) if arrays else np.empty((*shape, 0))


def neighbours(series):
    """The values seen last and next, and how far they are: on a day with a value, that value and 0 days.

    Returns
    -------
    before, after : (cell, time) values; NaN where there is none
    since, until : (cell, time) days; infinite where there is none
    """
    day = np.arange(series.shape[1])
    seen = np.isfinite(series)
    last = np.maximum.accumulate(np.where(seen, day, -1), 1)
    following = np.minimum.accumulate(np.where(seen, day, day.size)[:, ::-1], 1)[:, ::-1]
    padded = np.pad(series, ((0, 0), (0, 1)), constant_values=np.nan)  # index -1 and `size` both find NaN
    since = np.where(last >= 0, day - last, np.inf)
    until = np.where(following < day.size, following - day, np.inf)
    return np.take_along_axis(padded, last, 1), np.take_along_axis(padded, following, 1), since, until


def interpolated(series):
    """(cell, time) linear in time between the values seen; before the first and after the last their value."""
    before, after, since, until = neighbours(series)
    both = np.isfinite(since) & np.isfinite(until) & (since + until > 0)
    with np.errstate(invalid="ignore"):
        weight = np.where(both, since / (since + until), np.where(np.isfinite(since), 0.0, 1.0))
    return np.where(weight < 1, np.where(weight > 0, (1 - weight) * before + weight * after, before), after)


def withhold(series, block, share, rng):
    """Which observed days to hide: (cell, time) bool.

    `block` 1: each observed day with probability `share`. Otherwise one block of so many days in a row at a random
    place in every block / share days of a cell, at least half a block away from the next.
    """
    cells, days = series.shape
    if block == 1:
        return np.isfinite(series) & (rng.random(series.shape) < share)
    span = max(round(block / share), block + block // 2)
    hidden = np.zeros((cells, days + 2 * span), bool)
    starts = np.arange(0, days + span, span)[None, :] + rng.integers(0, span, (cells, 1))  # spans out of phase
    starts = starts + rng.integers(0, span - block - block // 2 + 1, starts.shape)
    at = np.minimum(starts[..., None] + np.arange(block), days + 2 * span - 1)
    hidden[np.arange(cells)[:, None, None], at] = True
    return np.isfinite(series) & hidden[:, span:span + days]


def withhold_mixed(series, share, rng):
    """As `withhold`, with a length of gap drawn for each cell out of `BLOCKS`."""
    drawn = rng.integers(0, len(BLOCKS), len(series))
    masks = np.stack([withhold(series, block, share, rng) for block in BLOCKS])
    return masks[drawn, np.arange(len(series))]
