"""Maps by day on one grid: a folder of NetCDF or GeoTIFF files, as satellite products come (SMHiRes: one file a day).

Opening reads what each file says about itself (date, grid, units) and the values of a few days. The others are read,
and checked one by one, when they are computed.
"""

from functools import partial

import dask
import dask.array
import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.readers.map_files import read_header, read_map, same_grid
from smlib.data.schema import DataError, validate, with_attributes

CHUNK = 32 * 2**20  # bytes that are read at once, or one map if that is bigger
SEEN = 8  # maps that are looked into on opening


def read_maps(files, folder, plan=None):
    """The maps in `files` as one grid (time, y, x), lazily, in the order of their dates.

    Parameters
    ----------
    files : list of path
        NetCDF or GeoTIFF with any number of days each; days come from the time coordinate, else from the file's name.
    folder : path
        For messages about all of them.
    plan : dict, optional
        A checked map (`mapped.check_map`) with a ``grid`` that says what is where; else soil moisture is found by its
        name, and is m3 m-3 where the files do not give its units.

    Returns
    -------
    xarray.Dataset
        Canonical, float32, one or more days a chunk; ``lat`` and ``lon`` are (y) and (x), or (y, x) if projected.

    Raises
    ------
    DataError
        Naming the file, for one that has no date or variable, repeats a date, is truncated or lies on another grid;
        and, when a day is computed, for values that cannot be soil moisture.
    """
    plan = plan or {"grid": {}, "variables": {"soil_moisture": [{}]}}
    for name, entries in plan["variables"].items():
        if len(entries) > 1:
            raise DataError("has more than one column: layers are read from a single NetCDF file", file=folder,
                            variable=name)
    days, grid = {}, None  # days: date -> variable -> Map
    for file in files:
        grid = _add(days, grid, file, plan)
    time = pd.DatetimeIndex(sorted(days), name="time").astype("datetime64[ns]")
    lat, lon = grid
    flat = lat.ndim == 1
    coords = {"time": time, "lat": (("y",) if flat else ("y", "x"), lat), "lon": (("x",) if flat else ("y", "x"), lon)}
    shape = (len(lat), len(lon)) if flat else lat.shape
    missing = np.atleast_1d(plan.get("missing", []))
    variables, seen = {}, {}
    for name in plan["variables"]:
        maps = [days[day][name] for day in time]
        variables[name] = (("time", "y", "x"), _lazy(maps, name, shape, missing))
        seen[name] = _look(maps, name, missing)
    for name, looked in seen.items():  # what a single map cannot tell, such as a fraction taken for percent
        part = coords | {"time": time[list(looked)]}
        validate(with_attributes(xr.Dataset({name: (("time", "y", "x"), np.stack(list(looked.values())))}, part)),
                 folder, needs=[name])
    return with_attributes(xr.Dataset(variables, coords))


def _add(days, grid, file, plan):
    """Enter what `file` holds into `days`; the grid of it, which must be `grid` if that is known."""
    found, own = read_header(file, plan)
    if grid is not None and not same_grid(grid, own):
        first = next(iter(next(iter(days.values())).values())).file
        raise DataError(f"has another grid than {first.name}", file=file)
    for day, maps in found:
        if day in days:
            other = next(iter(days[day].values())).file
            raise DataError(f"date {day:%Y-%m-%d} stands twice: also in {other.name}", file=file, variable="time")
        days[day] = maps
    return grid or own


def _lazy(maps, name, shape, missing):
    step = max(1, min(16, CHUNK // (4 * shape[0] * shape[1])))
    groups = [maps[k:k + step] for k in range(0, len(maps), step)]
    # partial hides the maps from dask, which would walk through them
    tasks = [dask.delayed(partial(_stack, group, name, missing), pure=False)() for group in groups]
    return dask.array.concatenate([dask.array.from_delayed(task, (len(group), *shape), np.float32)
                                   for task, group in zip(tasks, groups, strict=True)])


def _stack(maps, name, missing):
    return np.stack([read_map(m, name, missing) for m in maps])


def _look(maps, name, missing):
    """Values of up to `SEEN` maps that are not empty, all over the period, by their place in `maps`.

    Empty days are common (frozen soil, swaths): days are taken in an order that halves the gaps until enough are found;
    an empty one is returned only if there is no other.
    """
    seen, empty = {}, {}
    for k in sorted(range(len(maps)), key=lambda k: -(k & -k or len(maps))):
        values = read_map(maps[k], name, missing)
        if not np.isnan(values).all():
            seen[k] = values
        elif not empty:
            empty[k] = values
        if len(seen) == SEEN:
            break
    return dict(sorted((seen or empty).items()))
