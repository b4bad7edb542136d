"""NetCDF-4 and HDF5 files of one grid, several a day or one: opened, checked and read by the day, lazily.

By netCDF4 itself: xarray reads all of what a file holds as text when it opens it, which takes seconds with SMAP's.
"""

from contextlib import contextmanager
from functools import partial

import dask
import dask.array
import netCDF4
import numpy as np
import pandas as pd
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK  # the HDF5 library must not be used by two threads at once

from smlib.data.schema import KNOWN, DataError

MISSING = -9999.0  # NASA's usual value, in case a file does not declare it
CHUNK = 32 * 2**20  # bytes that a chunk has, about


@contextmanager
def opened(file, group=None):
    """`file`, or a group of it, as netCDF4 shows it, or `DataError`."""
    with NETCDF4_PYTHON_LOCK:
        try:
            nc = netCDF4.Dataset(file)
        except (OSError, RuntimeError) as error:
            raise DataError(f"cannot be opened ({error}): truncated?", file=file) from None
        with nc:
            if group is not None and group not in nc.groups:
                raise DataError(f"has no group {group}; there are {', '.join(nc.groups) or 'none'}", file=file)
            yield nc if group is None else nc[group]


def read(variable, index, file):
    """Part of a variable, float32; NaN where missing or outside the valid range that the file declares."""
    try:
        values = variable[index]
    except (OSError, RuntimeError) as error:
        raise DataError(f"cannot be read ({error}): truncated?", file=file, variable=variable.name) from None
    values = np.ma.filled(values.astype(np.float32), np.nan)
    return np.where(values == MISSING, np.float32(np.nan), values)


def times(nc, file):
    """The times of a file by its ``time``, rounded to seconds, or None if it has none."""
    if "time" not in nc.variables:
        return None
    time = nc["time"]
    try:
        found = netCDF4.num2date(time[:], time.units, getattr(time, "calendar", "standard"),
                                 only_use_cftime_datetimes=False, only_use_python_datetimes=True)
    except (AttributeError, ValueError) as error:
        raise DataError(f"holds no dates ({error})", file=file, variable="time") from None
    return pd.DatetimeIndex(np.atleast_1d(np.ma.filled(found, None))).round("s")


def in_range(values, name, file):
    """`values` if they can be the canonical variable `name`, or `DataError`."""
    v = KNOWN[name]
    bad = values[(values < v.low) | (values > v.high)]
    if bad.size:
        raise DataError(f"holds {bad[0]:g} {v.units}, outside {v.low:g} to {v.high:g}: other units, or a missing value "
                        "that the file does not declare?", file=file, variable=name)
    return values


def stacked(days, work, shape):
    """dask array ``(day, *shape)`` of ``work(day's files)``, so many days a chunk as make some 32 MB, 32 at most."""
    step = max(1, min(32, CHUNK // (4 * int(np.prod(shape)))))
    groups = [days[k:k + step] for k in range(0, len(days), step)]

    def read_group(group):
        return np.stack([work(files) for files in group])

    # partial hides the files from dask, which would walk through them
    return dask.array.concatenate([dask.array.from_delayed(
        dask.delayed(partial(read_group, group), pure=False)(), (len(group), *shape), np.float32) for group in groups])
