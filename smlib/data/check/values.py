"""What numbers and dates tell about themselves: other units, fill values that stand as numbers, dates that are none."""

import numpy as np
import pandas as pd

from smlib.data.schema import KNOWN

FILLS = (-9999.9, -9999.0, -6999.0, -999.9, -999.0, -99.9, -99.0, 9999.0, -32768.0, 32767.0, 65535.0)


def check_dates(index, variable, blame, lines=None):
    """Blame dates that cannot be read, stand twice or step back; the index of those that can be read, else as it is.

    `lines` gives the number of each date's line in its file.
    """
    lines = np.arange(1, len(index) + 1) if lines is None else np.asarray(lines)
    bad = index.isna()
    if bad.any():
        blame(f"{bad.sum()} of {len(index)} dates cannot be read, the first in line {lines[bad][0]}", variable)
    known, lines = index[~bad], lines[~bad]
    twice = known.duplicated()
    if twice.any():
        blame(f"{twice.sum()} dates stand twice, the first {known[twice][0]} in line {lines[twice][0]}", variable)
    back = np.flatnonzero(np.diff(known.asi8) < 0) + 1
    if len(back):
        blame(f"dates are not in order: {known[back[0]]} in line {lines[back[0]]} comes after a later one", variable)
    return known


def check_years(index, first, last, variable, blame):
    """Blame dates outside what the file's name says: from `first` to `last`, both included."""
    outside = (index < first) | (index >= last + pd.Timedelta(days=1))
    if outside.any():
        named = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
        blame(f"is named {named} and holds {index.min():%Y-%m-%d} to {index.max():%Y-%m-%d}: the name or the content "
              "is of another time", variable)


def check_place(lat, lon, blame, variable="lat, lon"):
    """Blame a place that cannot be; whether it can."""
    if abs(lat) <= 90 and abs(lon) <= 360:
        return True
    swapped = abs(lon) <= 90 and abs(lat) <= 360
    blame(f"{lat:g}, {lon:g} is no latitude and longitude{': swapped?' if swapped else ''}", variable)
    return False


def check_values(values, raw, name, variable, blame, whole=True):
    """Blame what cannot be the canonical variable `name`: fill values, other units, percent against fractions.

    Parameters
    ----------
    values : array
        In canonical units, NaN where missing.
    raw : array
        The same numbers as they stand in the file.
    whole : bool
        Whether these are enough values to tell a fraction from percent by their greatest.
    """
    values, raw, v = np.asarray(values, float).ravel(), np.asarray(raw, float).ravel(), KNOWN[name]
    if np.isinf(values).any():
        blame("holds infinite values", variable)
    with np.errstate(invalid="ignore"):
        bad = np.isfinite(values) & ((values < v.low) | (values > v.high))
        fill = bad & (np.isclose(raw[:, None], FILLS, rtol=1e-6).any(1) if bad.any() else False)
    if fill.any():
        blame(f"holds {raw[fill][0]:g} in {fill.sum()} places: a fill value that stands as a number", variable)
    rest, well = values[bad & ~fill], values[np.isfinite(values) & ~bad]
    if rest.size:
        blame(f"holds {rest[np.argmax(abs(rest))]:g}, outside {v.low:g} to {v.high:g} {v.units}{_guess(rest, v)}",
              variable)
    elif whole and name in ("soil_moisture", "porosity") and well.size and well.max() <= 0.015:
        blame(f"never exceeds {well.max():g} m3 m-3: a fraction taken for percent?", variable)
    elif whole and name in ("relative_humidity", "soil_saturation") and well.size and well.max() <= 1.5:
        blame(f"never exceeds {well.max():g} percent: a fraction taken for percent?", variable)


def _guess(bad, v):
    if v.units in ("m3 m-3", "1") and v.high == 1 and bad.min() > 0 and bad.max() <= 100:
        return f": percent given as {v.units}?"
    if v.units == "degC" and bad.min() > 150 and bad.max() < 400:
        return ": kelvin given as degC?"
    return ": other units, or a missing value that is not declared?"
