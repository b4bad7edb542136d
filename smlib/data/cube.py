"""Many sources as one cube on an EASE-Grid 2.0, in chunks of days that each have the whole map, and its Zarr store.

What is in memory at a time is a few chunks, however many days there are.
"""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from zarr.codecs import BloscCodec

from smlib.data.harmonise import to_grid
from smlib.data.schema import DataError, with_attributes

DAYS = 32  # in a chunk


def average_passes(*passes):
    """The mean of what several passes of a day saw, as of SMAP's morning (descending) and evening (ascending) one.

    Parameters
    ----------
    passes : xarray.Dataset
        On one grid. A variable or a day need not be in all of them.

    Returns
    -------
    xarray.Dataset
        The mean of the passes that have a value; NaN if none has.
    """
    for ds in passes[1:]:
        for name in ("lat", "lon"):
            if ds[name].shape != passes[0][name].shape or not np.allclose(ds[name], passes[0][name], atol=1e-5):
                raise DataError("the passes lie on different grids", variable=name)
    days = sorted(set().union(*(ds.indexes["time"] for ds in passes)))
    aligned = [ds.reindex(time=days) for ds in passes]
    names = dict.fromkeys(name for ds in passes for name in ds.data_vars)
    means = {}
    for name in names:
        held = [ds[name] for ds in aligned if name in ds]
        count = sum(da.notnull().astype(np.float32) for da in held)
        means[name] = (sum(da.fillna(0) for da in held) / count.where(count > 0)).astype(np.float32)
    return with_attributes(xr.Dataset(means, aligned[0].coords)).assign_attrs(passes[0].attrs)


def cube(sources, grid, days=None):
    """All sources on one grid and on the same days, lazily.

    Parameters
    ----------
    sources : dict of str to xarray.Dataset
        Canonical datasets by the name that messages use. No two may hold the same variable.
    grid : EaseGrid
    days : sequence of dates, optional
        All from the first to the last of any source if not given. A day that a source lacks is NaN.

    Returns
    -------
    xarray.Dataset
        Canonical: (time, y, x), (time, layer, y, x), and maps that do not change; dask-backed where a source is.
    """
    owner = {}
    for name, ds in sources.items():
        for variable in ds.data_vars:
            if variable in owner:
                raise DataError(f"is in {owner[variable]} and in {name}: keep one of them", variable=variable)
            owner[variable] = name
    placed = {name: to_grid(ds, grid, file=name) for name, ds in sources.items()}
    if days is None:
        held = [ds.indexes["time"] for ds in placed.values() if "time" in ds.indexes]
        days = pd.date_range(min(t[0] for t in held), max(t[-1] for t in held)) if held else None
    bounds = {name: np.array([ds["top_m"], ds["bottom_m"]]) for name, ds in placed.items() if "layer" in ds.dims}
    first = next(iter(bounds), None)
    for name, own in bounds.items():
        if own.shape != bounds[first].shape or not np.allclose(own, bounds[first]):
            raise DataError(f"layers of {name} are not those of {first}: from {own[0]} to {own[1]} and from "
                            f"{bounds[first][0]} to {bounds[first][1]}", variable="top_m")
    time = None if days is None else pd.DatetimeIndex(days, name="time").astype("datetime64[ns]")
    parts = [ds.reindex(time=time) if "time" in ds.dims else ds for ds in placed.values()]
    kind = "simulated" if any(ds.attrs.get("kind") == "simulated" for ds in parts) else "measured"
    merged = xr.merge(parts, join="exact", compat="override", combine_attrs="drop")
    return with_attributes(merged).assign_attrs(kind=kind, grid=f"EASE-Grid 2.0, {grid.spacing_km} km")


def write_cube(ds, store, days=DAYS):
    """Write a cube to Zarr, a chunk of `days` with the whole map at a time, and return it as opened from there.

    It is written aside and renamed when finished. What is in memory at a time is a few chunks for each dask worker
    thread. Existing stores are not replaced.
    """
    store = Path(store)
    if store.exists():
        raise DataError("exists already", file=store)
    partial = store.with_name(f".{store.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    chunks = {d: min(days, n) if d == "time" else n for d, n in ds.sizes.items()}
    codec = BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")
    encoding = {name: {"chunks": tuple(chunks[d] for d in da.dims), "compressors": [codec]}
                for name, da in ds.data_vars.items()}
    try:
        ds.drop_encoding().chunk(chunks).to_zarr(partial, encoding=encoding, consolidated=False)
        partial.rename(store)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return xr.open_zarr(store, chunks={}, consolidated=False)
