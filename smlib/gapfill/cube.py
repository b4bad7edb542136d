"""The gaps of a whole cube filled, lazily and in parts of the map."""

import dask.array as da
import numpy as np
import xarray as xr

from smlib.data.schema import DataError
from smlib.gapfill.baselines import Filler
from smlib.gapfill.cells import cells_of, drawn

CELLS = 400  # to which a method is fitted, unless it comes fitted


def fit_cells(ds, moisture, method, train, daily=(), constants=(), cells=CELLS, seed=0):
    """`method` fitted to cells drawn at random from those that have enough values on the days of `train`.

    Parameters
    ----------
    ds : xarray.Dataset
        (time, y, x), perhaps in dask chunks; days without a gap. Moisture is read whole to choose, the rest for the
        chosen cells alone.
    moisture, daily, constants : as for `cells_of`
        A method that uses no weather (linear, OI, ...) needs no `daily`.
    method : Filler
    train : (first, last)
        The days to learn from, both included.

    Raises
    ------
    DataError
        If no cell has enough values in the training days.
    """
    part = ds[[moisture, *daily, *constants]].sel(time=slice(*train))
    try:
        sample = drawn(part, moisture, cells, seed, least=max(10, 0.1 * part.sizes["time"]))
    except DataError:
        raise DataError(f"no cell has 10 values, and values on a tenth of the days, from {train[0]} to {train[1]}",
                        variable=moisture) from None
    series, forcing, _ = cells_of(sample, moisture, daily, constants)
    return method.fit(series, forcing, seed)


def fill(ds, moisture, method, train, daily=(), constants=(), cells=CELLS, rows=16, seed=0):
    """A cube without gaps: every cell that has a value on a training day, on every day.

    Parameters
    ----------
    ds, moisture, daily, constants, cells : as for `fit_cells`
    method : Filler
        Fitted already (``fit_cells``, or to a set of cells), or fitted here to `cells` of them.
    train : (first, last)
        Days from which the method and every cell's mean and sd are learnt. Days after them are filled with what was
        learnt before.
    rows : int
        Rows of the map that are in memory at a time, on all days (for each dask worker).

    Returns
    -------
    xarray.Dataset
        `moisture` and ``<moisture>_sd`` (time, y, x), float32, in dask chunks of all days and some rows: what was
        observed with sd 0, estimates with the sd of a prediction of the value that would have been reported. NaN where
        a cell has no value on a training day, or its weather is not known on every day.

    Raises
    ------
    TypeError
        If `method` is not a `Filler`.
    """
    if not isinstance(method, Filler):
        raise TypeError(f"method must be a Filler, such as METHODS['OI'](), not {method!r}")
    if not hasattr(method, "factor_"):
        method = fit_cells(ds, moisture, method, train, daily, constants, cells, seed)
    first, last = ds.indexes["time"].slice_locs(*train)
    names = [moisture, *daily, *constants]
    like = ds[moisture].transpose("time", ...).dims

    def part(*arrays):
        """One part of the map: numpy (time, y, x) and (y, x) in, (2, time, y, x) out."""
        held = {name: (like[3 - a.ndim:], a) for name, a in zip(names, arrays, strict=True)}
        block = xr.Dataset(held, {"time": ds["time"].values})
        out = np.full((2, *arrays[0].shape), np.nan, np.float32)
        seen = block[moisture].isel(time=slice(first, last)).notnull().any("time")
        block[moisture] = block[moisture].where(seen)
        try:
            series, forcing, where = cells_of(block, moisture, daily, constants)
        except DataError:  # sea
            return out
        days = slice(first, last)
        own = method.for_cells(series[:, days], forcing.sel(days))
        for k, values in enumerate(own.fill(series, forcing)):
            out[k][:, where] = values.T
        return out

    chunks = {"time": -1, like[1]: rows, like[2]: -1}
    arrays = [ds[name].transpose(*(d for d in like if d in ds[name].dims)) for name in names]
    parts = [x for a in arrays for x in (a.chunk({d: chunks[d] for d in a.dims}).data, "tyx"[3 - a.ndim:])]
    both = da.blockwise(part, "wtyx", *parts, new_axes={"w": 2}, dtype=np.float32, concatenate=True,
                        meta=np.empty((0,) * 4, np.float32))
    coords = {name: c for name, c in ds[moisture].coords.items() if set(c.dims) <= set(like)}
    out = xr.Dataset({moisture: (like, both[0]), f"{moisture}_sd": (like, both[1])}, coords)
    for name in out.data_vars:
        out[name].attrs["units"] = "m3 m-3"
    return out.assign_attrs(ds.attrs)


def fill_causal(ds, moisture, method, train, **options):
    """As `fill`, for what feeds a forecast: with a method that uses nothing later than the day that it fills.

    Raises
    ------
    ValueError
        If the method looks ahead, as linear interpolation does.
    """
    if not method.causal:
        raise ValueError(f"{type(method).__name__} uses later days than the one it fills: take OI filter, CRU filter "
                         "or climatology + persistence")
    return fill(ds, moisture, method, train, **options)
