"""Lag windows, chronological splits and scaling: from a canonical dataset to the samples that a model sees.

The layout is that of Wang et al. (2024, Sect. 2.3): a sample for the target day t holds the days t-3 ... t, and the row
of day d holds the drivers of day d and the soil moisture of day d-1. The target is the moisture of day t, which no row
holds. A window with a missing value anywhere is dropped, never bridged.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.preprocessing import MinMaxScaler

from smlib.data.schema import DRIVERS, DataError, level_name

LOOKBACK = 4
FRACTIONS = (0.6, 0.2, 0.2)
CUTS = ("train_start", "validation_start", "test_start", "test_end")  # coordinates (site) of a source with own splits
# A roll-out needs ten whole days in a row, so a driver that is missing on more than one day in five (of the days with
# soil moisture) would cost most of the samples: such a driver is left out, and the page names it.
MIN_DRIVER_DAYS = 0.8


@dataclass(frozen=True)
class Series:
    """One level of one site, on a gap-free daily axis: NaN where something was not measured.

    Attributes
    ----------
    drivers : (day, driver) float64, in the units of the schema
    moisture : (day,) float64, m3 m-3
    time : (day,) datetime64[D]
    names : the drivers used, in the order of their columns
    absent : the drivers left out, because the site lacks them or measured them on too few days
    cuts : first days of training, validation and test, last day of the test (datetime64[D]), if the source gives them
    """

    site: str
    level: int
    depth_m: float
    drivers: np.ndarray
    moisture: np.ndarray
    time: np.ndarray
    names: tuple
    absent: tuple
    cuts: tuple | None = None

    @property
    def variant(self):
        """What tells this level apart in the tidy results where its depth is not known."""
        return f"level {self.level}" if np.isnan(self.depth_m) else ""

    @property
    def label(self):
        """How a page names this level."""
        return level_name(self.level, self.depth_m)

    @property
    def features(self):
        """Names of the columns of a window: the drivers, then the lagged soil moisture."""
        return (*self.names, "soil_moisture")


@dataclass(frozen=True)
class Windows:
    """Samples to fit a model on: ``x`` (sample, lookback, feature), ``y`` and ``time``, the target day, (sample,).

    Of networks that give whole sequences, ``y`` is (sample, lookback, target) and ``time`` each sequence's first day.
    """

    x: np.ndarray
    y: np.ndarray
    time: np.ndarray

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return Windows(self.x[index], self.y[index], self.time[index])


@dataclass(frozen=True)
class Origins:
    """Forecast origins o with all that a roll-out to the longest lead needs.

    Attributes
    ----------
    drivers : (origin, lookback - 1 + horizon, driver), observed, of the days o - lookback + 2 ... o + horizon
    moisture : (origin, lookback), observed, of the days o - lookback + 1 ... o
    observed : (origin, lead), the moisture that the forecasts are scored against
    time : (origin,) datetime64[D], the day o
    leads : days ahead
    """

    drivers: np.ndarray
    moisture: np.ndarray
    observed: np.ndarray
    time: np.ndarray
    leads: tuple

    def __len__(self):
        return len(self.time)


def station_series(ds, site, level, min_driver_days=MIN_DRIVER_DAYS):
    """The `Series` of one level of one site of a canonical dataset, or None if it has no soil moisture there."""
    here = ds.sel(site=site, depth=level).dropna("time", subset=["soil_moisture"])
    if here.sizes["time"] == 0:
        return None
    days = np.arange(here["time"].values[0], here["time"].values[-1] + np.timedelta64(1, "D"), dtype="datetime64[D]")
    here = ds.sel(site=site, depth=level).reindex(time=days.astype("datetime64[ns]"))
    moisture = here["soil_moisture"].values.astype(float)
    measured = ~np.isnan(moisture)
    present = {name: here[name].values.astype(float) for name in DRIVERS if name in here}
    names = tuple(n for n, v in present.items() if np.isfinite(v[measured]).mean() >= min_driver_days)
    drivers = np.stack([present[n] for n in names], axis=1) if names else np.empty((len(days), 0))
    return Series(str(site), int(level), float(here["depth_m"]), drivers, moisture, days, names,
                  tuple(n for n in DRIVERS if n not in names), _cuts(here))


def _cuts(here):
    """The coordinates `CUTS` of one site, or None where the source has none of it."""
    if not set(CUTS) <= set(here.coords) or any(np.isnat(here[name].values) for name in CUTS):
        return None
    return tuple(here[name].values.astype("M8[D]") for name in CUTS)


def all_series(ds, **settings):
    """Every `Series` of a station dataset, site by site and from the top down."""
    found = (station_series(ds, site, level, **settings) for site in ds["site"].values for level in ds["depth"].values)
    return [s for s in found if s is not None]


def lag_windows(series, lookback=LOOKBACK):
    """Every complete window of a series, in order of time.

    Returns `Windows` with ``x`` (sample, lookback, driver + 1): row k of a window is day d = t - lookback + 1 + k and
    holds the drivers of d and, last, the soil moisture of d - 1 (Wang et al. 2024, Sect. 2.3).
    """
    rows = np.column_stack([series.drivers[1:], series.moisture[:-1]])
    if len(rows) < lookback:
        raise DataError(f"{len(series.time)} days are too few for a lookback of {lookback}", variable="soil_moisture",
                        file=series.site)
    x = sliding_window_view(rows, lookback, axis=0).swapaxes(1, 2)
    y, time = series.moisture[lookback:], series.time[lookback:]
    complete = np.isfinite(x).all(axis=(1, 2)) & np.isfinite(y)
    return Windows(x[complete], y[complete], time[complete])


def split(windows, fractions=FRACTIONS, minimum=30, cuts=None):
    """Cut windows in time, by their number: ``{"train": ..., "validation": ..., "test": ...}``, no day in two parts.

    `cuts` (`Series.cuts`) are dates to cut at in place of fractions; windows before the first and after the last of
    them belong to no part.
    """
    if not np.isclose(sum(fractions), 1) or len(fractions) != 3:
        raise ValueError(f"fractions of train, validation and test must be three that sum to 1, not {fractions}")
    ends = np.round(np.cumsum((0, *fractions)) * len(windows)).astype(int)
    if cuts is not None:
        ends = np.searchsorted(windows.time, np.array([*cuts[:3], cuts[3] + np.timedelta64(1, "D")]))
    parts = {name: windows[a:b] for name, a, b in zip(("train", "validation", "test"), ends, ends[1:], strict=False)}
    for name, part in parts.items():
        if len(part) < minimum:
            by = "" if cuts is None else f", cut at {' '.join(map(str, cuts))},"
            raise DataError(f"{len(windows)} complete windows{by} leave {len(part)} for {name}; {minimum} are needed",
                            variable="soil_moisture")
    return parts


def origins_between(series, first, last, leads, lookback=LOOKBACK):
    """Origins whose whole roll-out (inputs, and the moisture at every lead) is observed, all targets in the period.

    `first` and `last` (datetime64[D]) bound the target days o + 1 ... o + max(leads). The origin itself and the days
    before it may lie ahead of `first`: they are known when the forecast is made. The same origins serve every lead.
    """
    horizon = max(leads)
    o = np.arange(lookback - 1, len(series.time) - horizon)
    weather = o[:, None] + np.arange(2 - lookback, horizon + 1)
    past, ahead = o[:, None] + np.arange(1 - lookback, 1), o[:, None] + np.array(leads)
    drivers, moisture, observed = series.drivers[weather], series.moisture[past], series.moisture[ahead]
    keep = (np.isfinite(drivers).all(axis=(1, 2)) & np.isfinite(moisture).all(axis=1)
            & np.isfinite(observed).all(axis=1)
            & (series.time[o] >= first - np.timedelta64(1, "D"))
            & (series.time[o] + np.timedelta64(horizon, "D") <= last))
    return Origins(drivers[keep], moisture[keep], observed[keep], series.time[o][keep], tuple(leads))


class WindowScaler:
    """Min-max scaling of windows to 0 ... 1: a range for each driver, and one for moisture as feature and as target.

    Fitted on what `fit` is given and on nothing else: the training windows under the strict protocol. Later values may
    fall outside 0 ... 1.
    """

    def fit(self, windows):
        """Learn the ranges; returns self."""
        n_drivers = windows.x.shape[2] - 1
        self.drivers_ = MinMaxScaler().fit(windows.x[..., :-1].reshape(-1, n_drivers)) if n_drivers else None
        self.moisture_ = MinMaxScaler().fit(windows.y[:, None])
        return self

    def _drivers(self, x):
        return self.drivers_.transform(x.reshape(-1, x.shape[-1])).reshape(x.shape) if self.drivers_ else x

    def _moisture(self, m):
        return self.moisture_.transform(m.reshape(-1, 1)).reshape(m.shape)

    def transform(self, windows):
        """The same windows, scaled."""
        x = np.concatenate([self._drivers(windows.x[..., :-1]), self._moisture(windows.x[..., -1:])], axis=-1)
        return replace(windows, x=x, y=self._moisture(windows.y))

    def transform_origins(self, origins):
        """The same origins with their inputs scaled; what they are scored against stays in m3 m-3."""
        return replace(origins, drivers=self._drivers(origins.drivers), moisture=self._moisture(origins.moisture))

    def inverse(self, moisture):
        """Scaled moisture of any shape, back in m3 m-3."""
        return self.moisture_.inverse_transform(moisture.reshape(-1, 1)).reshape(moisture.shape)


