"""The field that the study forecasts: daily surface moisture of a region, its cells and its periods."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from smlib.assimilate import compared
from smlib.data.schema import DataError
from smlib.train.gridded import FieldScaler, start_days

PERIODS = ("train", "validation", "test")
PROTOCOLS = ("strict", "paper")
# With gaps to be held, a cell belongs to the region if it was seen on one training day in ten.
LEAST_SEEN = 0.1


@dataclass(frozen=True)
class Field:
    """Daily surface moisture on a grid; all moisture in m3 m-3, float32.

    Attributes
    ----------
    truth : (time, y, x), NaN outside the valid cells and where a value is missing
    filled : as `truth`, but a missing value of a valid cell is the latest before it; NaN until there was one
    valid : (y, x) bool
    time : (time,) datetime64[D]
    lat, lon : (y,) and (x,), or (y, x) of both, degrees
    periods : mapping of train, validation, test -> slice of days
    lookback : days in a window
    protocol : "strict" or "paper": with it each period is scaled by its own mean and standard deviation
    """

    truth: np.ndarray
    filled: np.ndarray
    valid: np.ndarray
    time: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    periods: dict
    lookback: int
    protocol: str = "strict"

    @cached_property
    def scalers(self):
        """Mapping of period -> fitted `FieldScaler`: that of the training days for all, in the paper each its own."""
        fitted = {name: FieldScaler().fit(self.truth[self.periods[name if self.protocol == "paper" else "train"]],
                                          self.valid) for name in PERIODS}
        return fitted

    def scaled(self, values):
        """float32 `values` (time, y, x) of all periods' days, standardised; the days between periods are NaN."""
        found = np.full(values.shape, np.nan, np.float32)
        for name, days in self.periods.items():
            found[days] = self.scalers[name].transform(values[days])
        return found

    def starts(self, period):
        """(window,) first days of the windows that lie in a period, their target included, and have a known target."""
        days = self.periods[period]
        found = start_days(self.filled, self.valid, self.lookback, days.start, days.stop)
        return found[np.isfinite(self.truth[found + self.lookback][:, self.valid]).any(1)]

    def targets(self, period):
        """Slice of the days that a roll-out over a period forecasts: all but the first window's."""
        days = self.periods[period]
        return slice(days.start + self.lookback, days.stop)

    def first_window(self, period):
        """(1, lookback, y, x): what a roll-out over a period starts from; an error where a valid cell is missing."""
        days = self.periods[period]
        window = self.filled[days.start:days.start + self.lookback][None]
        missing = int((~np.isfinite(window[0][:, self.valid])).any(0).sum())
        if missing:
            raise DataError(f"{missing} cells have no value yet when the roll-out over the {period} period starts, "
                            f"{self.time[days.start]}", variable="soil_moisture")
        return window

    @cached_property
    def climatology(self):
        """(time, y, x) day-of-year mean of the training days on every date; NaN outside the valid cells.

        An error if the training days leave a day of the year without a value within 15 days, in some valid cell.
        """
        train = self.periods["train"]
        mean = compared.on_days(compared.climatology(self.truth[train], self.time[train]), self.time)
        first = self.periods["validation"].start
        missing = np.isnan(mean[first:][:, self.valid])
        if missing.any():
            raise DataError(f"{int(missing.any(0).sum())} cells have no climatology on some day of the validation or "
                            f"test period, first {self.time[first:][missing.any(1)][0]}: the training period never saw "
                            "that season there", variable="soil_moisture")
        return np.where(self.valid, mean, np.nan).astype(np.float32)

    @cached_property
    def centre(self):
        """Mean of the training days' truth: the centre of sums, so that small variances keep their digits."""
        return float(np.nanmean(self.truth[self.periods["train"]][:, self.valid]))

    @property
    def spacing_km(self):
        """Size of a cell along y and x, km, in the middle of the region."""
        lat, lon = (np.broadcast_to(v, self.valid.shape) if v.ndim == 2 else v for v in (self.lat, self.lon))
        lat = lat if lat.ndim == 1 else lat[:, lat.shape[1] // 2]
        lon = lon if lon.ndim == 1 else lon[len(lon) // 2]
        return tuple(float(111.2 * np.median(np.abs(np.diff(v))) * k) if len(v) > 1 else 1.0
                     for v, k in ((lat, 1), (lon, np.cos(np.radians(lat.mean())))))


def prepare(ds, *, train, validation, test, lookback=14, gaps="error", protocol="strict"):
    """A `Field` out of a canonical grid (Fan et al. 2025: 2017-01-01 to 2020-05-31, to 2021-05-31, to 2021-12-31).

    Parameters
    ----------
    ds : dataset with soil_moisture (time, y, x), or (time, layer, y, x) of which the top layer is taken; read here
    train, validation, test : (first, last) date of each period, in order
    lookback : days in a window, of which the first of a period is never a target
    gaps : "error": a day that misses a value in a cell which others have is an error that names it; "hold": there the
        input is the cell's latest value, and nothing is learnt from or scored against it; cells that the training days
        saw too seldom (see `LEAST_SEEN`), or never in a season that is forecast, are not of the region
    protocol : "strict" or "paper", see `Field`

    Raises
    ------
    DataError, ValueError
        Where there is nothing to forecast, periods do not lie in the data or in order, or values are missing.
    """
    for name, value, known in (("gaps", gaps, ("error", "hold")), ("protocol", protocol, PROTOCOLS)):
        if value not in known:
            raise ValueError(f"{name} must be {' or '.join(known)}, not {value!r}")
    moisture = ds["soil_moisture"]
    moisture = moisture.isel(layer=0) if "layer" in moisture.dims else moisture
    time = moisture["time"].values.astype("datetime64[D]")
    periods = _periods({"train": train, "validation": validation, "test": test}, time, lookback)
    used = slice(0, periods["test"].stop)
    if (np.diff(time[used]) != np.timedelta64(1, "D")).any():
        raise DataError("has dates missing from its axis: give it a daily one, NaN where there is no map",
                        variable="time")
    truth = moisture[used].values.astype(np.float32)
    valid = np.isfinite(truth[periods["train"]]).mean(0) > (0 if gaps == "error" else LEAST_SEEN)
    if gaps == "hold":
        mean = compared.climatology(truth[periods["train"]], time[periods["train"]])
        needed = compared.on_days(mean, time[periods["validation"].start:periods["test"].stop])
        valid &= np.isfinite(needed).all(0)
    if not valid.any():
        raise DataError("no cell of the grid has values in the training period"
                        + (" and in all seasons that are forecast" if gaps == "hold" else ""), variable="soil_moisture")
    truth[:, ~valid] = np.nan
    missing = np.isnan(truth[periods["train"].start:][:, valid]).sum(1)
    if gaps == "error" and missing.any():
        day = int(np.flatnonzero(missing)[0])
        raise DataError(f"{np.count_nonzero(missing)} days miss values, first {time[periods['train'].start + day]} in "
                        f"{missing[day]} cells; gaps=hold takes a cell's latest value as input there",
                        variable="soil_moisture")
    filled = truth.copy()
    filled[:, valid] = pd.DataFrame(truth[:, valid]).ffill().to_numpy()
    field = Field(truth, filled, valid, time[used], ds["lat"].values, ds["lon"].values, periods, int(lookback),
                  protocol)
    for name in PERIODS:
        if not len(field.starts(name)):
            raise DataError(f"the {name} period has no window of {lookback} days and a target", variable="time")
    return field


def _periods(dates, time, lookback):
    found, before = {}, None
    for name, (first, last) in dates.items():
        first, last = (np.datetime64(day, "D") for day in (first, last))
        inside = np.flatnonzero((time >= first) & (time <= last))
        if not time[0] <= first <= last <= time[-1]:
            raise DataError(f"the {name} period, {first} to {last}, does not lie in the data, {time[0]} to {time[-1]}",
                            variable="time")
        if before is not None and first <= before:
            raise DataError(f"the {name} period starts on {first}, before the one ahead of it ends", variable="time")
        if len(inside) <= lookback:
            raise DataError(f"the {name} period has {len(inside)} days, not more than a window's {lookback}",
                            variable="time")
        found[name], before = slice(int(inside[0]), int(inside[-1]) + 1), last
    return found
