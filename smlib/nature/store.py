"""Writing a simulated world to Zarr: whole groups, or grids in blocks of rows by several processes."""

import warnings

import dask.array
import joblib
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from joblib.externals.loky import ProcessPoolExecutor, as_completed
from numcodecs import BitRound
from threadpoolctl import threadpool_limits
from tqdm import tqdm
from zarr.codecs import BloscCodec

KEEP_BITS = 14  # of the 23 of a float32's fraction: values are kept to 3e-5 of themselves
CELL_DAYS = 4_000_000  # of a block, about, at most: some 1.5 GB in a process
SMALL, PARTS = 250_000, 6  # a grid makes so many blocks, if they are no smaller than so many cell-days
WORTH = 1_500_000  # cell-days from which worker processes pay for their start
DAYS = 128  # of a chunk


def rounded(values):
    """float32 `values` with KEEP_BITS of their fraction, which compress to about half."""
    values = np.ascontiguousarray(values, np.float32)
    return np.asarray(BitRound(KEEP_BITS).encode(values)).view(np.float32).reshape(values.shape)


def write_group(store, group, ds, compute=True, chunks=None):
    """Write a dataset as a group of the store, its time in chunks of DAYS."""
    chunks = {"time": DAYS} | (chunks or {})
    codec = BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")
    encoding = {name: {"compressors": [codec],
                       "chunks": tuple(min(chunks.get(d, ds.sizes[d]), ds.sizes[d]) for d in da.dims)}
                for name, da in ds.data_vars.items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")  # text coordinates
        ds.to_zarr(store, group=group, mode="a", encoding=encoding, compute=compute, consolidated=False)


def block_tasks(store, prefix, make, block, unit=1):
    """Prepare the groups of a grid, empty, and give the tasks that fill them, each a block of rows.

    How the rows are parted hangs on the grid and its days alone: other blocks would round the last bits otherwise, and
    a world must not depend on the number of processes. No two blocks share a chunk, as processes write at one time.

    Parameters
    ----------
    store : path
    prefix : str, before the names of the groups
    make : function of a `blocks.Block` that gives {group: dataset}, as wide as the block or a divisor of it
    block : blocks.Block of the whole grid
    unit : int
        Rows and columns of a block are a multiple of it.
    """
    land = block.land
    rows = len(land)
    cell_days = land.sum() * len(block.time)
    parts = max(min(PARTS, -(-cell_days // SMALL)), -(-cell_days // CELL_DAYS))
    height = max(unit, unit * round(rows / parts / unit))
    # A small piece and a few days say what there is to write, and compile for all processes.
    y, x = (unit * (k // unit) for k in np.argwhere(land)[land.sum() // 2])
    probe = make(block.part(slice(y, y + unit), slice(x, x + unit), block.time[:1]))
    for group, ds in probe.items():
        times = unit // ds.sizes["y"]
        write_group(store, prefix + group, _template(ds, block, unit), False, {"y": height // times})
    return [joblib.delayed(_write_block)(store, prefix, make, block.part(slice(k, k + height)), k)
            for k in range(0, rows, height) if land[k:k + height].any()]


def run_tasks(tasks, jobs, name):
    """Do all tasks, in worker processes if `jobs` is more than one.

    The processes are this call's own: joblib's, which stay for the next, cannot be shared with those that train.
    """
    shown = {"total": len(tasks), "desc": name, "leave": False, "disable": None}
    if jobs == 1:
        for do, arguments, named in tqdm(tasks, **shown):
            do(*arguments, **named)
        return
    with ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(do, *arguments, **named) for do, arguments, named in tasks]
        try:
            for future in tqdm(as_completed(futures), **shown):
                future.result()
        except BaseException:
            pool.shutdown(kill_workers=True)
            raise


def processes(cell_days):
    """How many processes a work of so many cell-days is worth."""
    return joblib.cpu_count() if cell_days > WORTH else 1


def _template(ds, block, unit):
    """`ds` as large as the whole grid and with all its days, and nothing in it yet."""
    times = unit // ds.sizes["y"]
    lat, lon = (axis.reshape(-1, times).mean(1) for axis in (block.grid.lat[:, 0], block.grid.lon[0]))
    sizes = dict(ds.sizes) | {"time": len(block.time), "y": len(lat), "x": len(lon)}
    data = {name: (da.dims, dask.array.full([sizes[d] for d in da.dims], np.nan, dtype=np.float32, chunks=-1), da.attrs)
            for name, da in ds.items()}
    coords = {name: c for name, c in ds.coords.items() if name not in ("lat", "lon", "time")}
    return xr.Dataset(data, coords | {"lat": ("y", lat, ds["lat"].attrs), "lon": ("x", lon, ds["lon"].attrs),
                                      "time": pd.DatetimeIndex(block.time)}, ds.attrs)


def _write_block(store, prefix, make, block, first):
    with threadpool_limits(1):  # the same bits in one process and in many
        made = make(block)
    root = zarr.open_group(store, mode="r+")
    for group, ds in made.items():
        first_row = first * ds.sizes["y"] // len(block.elevation)
        rows = slice(first_row, first_row + ds.sizes["y"])
        for name, da in ds.items():
            root[f"{prefix}{group}/{name}"][..., rows, :] = rounded(da.values)
