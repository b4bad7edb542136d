"""Writing a simulated world to Zarr: whole groups, or grids in blocks of rows by several processes."""

import warnings

import dask.array
import joblib
import numpy as np
import xarray as xr
from numcodecs import BitRound
from threadpoolctl import threadpool_limits
from tqdm import tqdm
from zarr.codecs import BloscCodec

KEEP_BITS = 14  # of the 23 of a float32's fraction: values are kept to 3e-5 of themselves
CELL_DAYS = 4_000_000  # of a block, about: at most some 1.5 GB in a process
WORTH = 1_500_000  # cell-days from which worker processes pay for their start
DAYS = 128  # of a chunk


def rounded(values):
    """float32 `values` with KEEP_BITS of their fraction, which compress to about half."""
    return BitRound(KEEP_BITS).encode(np.ascontiguousarray(values, np.float32))


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


def write_blocks(store, prefix, make, block, unit=1, jobs=None):
    """Make a grid in blocks of rows and write what they hold, group by group.

    Parameters
    ----------
    store : path
    prefix : str, before the names of the groups
    make : function of a `blocks.Block` that gives {group: dataset}, with as many rows or a divisor of them
    block : blocks.Block of the whole grid
    unit : int
        Rows of a block are a multiple of it.
    jobs : int, optional
        Processes; as many as there are cores if not given.
    """
    land = block.land.sum(1)
    whole = land.sum() * len(block.time)
    jobs = jobs or (joblib.cpu_count() if whole > WORTH else 1)
    rows = len(land)
    parts = max(2 * jobs if jobs > 1 else 1, -(-whole // CELL_DAYS))
    height = max(unit, unit * round(rows / parts / unit))
    # Its smallest piece with land says what there is to write, and compiles for all processes.
    first = int(np.argmax([land[k:k + unit].sum() for k in range(0, rows, unit)])) * unit
    probe = make(block.rows(slice(first, first + unit)))
    for group, ds in probe.items():
        write_group(store, prefix + group, _template(ds, block.grid.lat[:, 0], unit), False, {"y": height})
    slices = [slice(k, min(k + height, rows)) for k in range(0, rows, height)]
    work = (joblib.delayed(_write_block)(store, prefix, make, block.rows(part), part) for part in slices
            if land[part].any())
    done = joblib.Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered")(work)
    for _ in tqdm(done, total=sum(land[part].any() for part in slices), desc=make.__name__, leave=False, disable=None):
        pass


def _template(ds, lat, unit):
    """`ds` with as many rows as there are, and nothing in them yet."""
    times = unit // ds.sizes["y"]
    lat = lat.reshape(-1, times).mean(1)
    data = {name: (da.dims, dask.array.full([len(lat) if d == "y" else n for d, n in da.sizes.items()], np.nan,
                                            dtype=np.float32, chunks=-1), da.attrs) for name, da in ds.items()}
    coords = {name: c for name, c in ds.coords.items() if name != "lat"}
    return xr.Dataset(data, coords | {"lat": ("y", lat, ds["lat"].attrs)}, ds.attrs)


def _write_block(store, prefix, make, block, part):
    with threadpool_limits(1):  # the same bits in one process and in many
        made = make(block)
    for group, ds in made.items():
        times = len(block.elevation) // ds.sizes["y"]
        region = {"y": slice(part.start // times, -(-part.stop // times))}
        plain = xr.Dataset({name: (da.dims, rounded(da.values)) for name, da in ds.items() if "time" in da.dims})
        plain.to_zarr(store, group=prefix + group, region=region, consolidated=False)
