"""How grids, stations and days of different products meet: plain arrays, no files.

Grids are latitude-longitude grids, given by the centres of their cells along each axis: rows from north to south,
columns from west to east.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from smlib.data.schema import DataError

UNEVEN = 0.1  # by how much a cell may differ in width from the median one: the rows of a cylindrical EASE-Grid do
SHARE = 0.5  # of a cell's area that must be there for its mean to count
COMPOSITE_DAYS = 8
LONGEST_GAP = 2 * COMPOSITE_DAYS  # days between composites that are interpolated: one of them may be lost


@dataclass(frozen=True)
class Axes:
    """The cells of a grid: `lat` (y,) falling and `lon` (x,) rising, degrees, centres of the cells."""

    lat: np.ndarray
    lon: np.ndarray

    @property
    def shape(self):
        """(rows, columns)."""
        return len(self.lat), len(self.lon)

    def edges(self):
        """Edges of the rows (y + 1,), from north to south, and of the columns (x + 1,), degrees."""
        return _edges(self.lat), _edges(self.lon)

    def holder(self, lat, lon):
        """Number (row * columns + column) of the cell that holds each place (n,); -1 outside the grid."""
        north_south, west_east = self.edges()
        row = np.searchsorted(-north_south, -np.asarray(lat, float), side="right") - 1
        column = np.searchsorted(west_east, np.asarray(lon, float), side="right") - 1
        inside = (row >= 0) & (row < len(self.lat)) & (column >= 0) & (column < len(self.lon))
        return np.where(inside, row * len(self.lon) + column, -1)


def axes_of(ds, file=""):
    """The `Axes` of a dataset that `oriented` has put in order; DataError if its cells are not evenly spaced."""
    axes = Axes(ds["lat"].values.astype(float), ds["lon"].values.astype(float))
    for name in ("lat", "lon"):
        step = abs(np.diff(getattr(axes, name)))
        if not len(step):
            raise DataError("there is only one cell along this axis: how wide it is cannot be told", file=file,
                            variable=name)
        wrong = abs(step - np.median(step)) > UNEVEN * np.median(step)
        if wrong.any():
            raise DataError(f"cells are not evenly spaced: steps of {step.min():g} to {step.max():g} degrees; regrid "
                            "it, or fill what was left out", file=file, variable=name)
    return axes


def oriented(ds, file=""):
    """A grid (..., y, x) with rows from north to south and columns from west to east, longitudes -180 to 180."""
    for name, dim in (("lat", "y"), ("lon", "x")):
        if name not in ds.coords or ds[name].dims != (dim,):
            raise DataError(f"must lie along {dim}: a grid of latitudes and longitudes is needed, not a projection or "
                            "a swath; regrid it first", file=file, variable=name)
    lat, lon = ds["lat"].values.astype(float), (ds["lon"].values.astype(float) + 180) % 360 - 180
    ds = ds.assign_coords(lon=("x", lon), lat=("y", lat))
    return ds.isel(y=np.argsort(-lat, kind="stable"), x=np.argsort(lon, kind="stable"))


def cell_means(values, own, wanted, share=SHARE):
    """Area means of a finer (or any other) grid over the cells of another, day by day.

    Cells that straddle an edge count by the part of their area that lies inside, so that the grids need not nest; on
    nested grids this is the mean of the cells inside, weighted by the cosine of latitude.

    Parameters
    ----------
    values : (time, y, x) on `own`, NaN where missing
    own, wanted : Axes
    share : float
        Of a cell's area that must be covered by cells of `own` that have a value on some day (else it is missing
        always: water, or the rim); and of that land the part that must have a value on a day (else it is missing then).

    Returns
    -------
    (cell, time) float32, cells of `wanted` in row-major order
    """
    rows, columns = (_overlap(a, b) for a, b in zip(_measures(own), _measures(wanted), strict=True))
    there = np.isfinite(values)
    total = rows @ np.where(there, values, 0) @ columns.T
    seen, land = rows @ there.astype(np.float32) @ columns.T, rows @ there.any(0).astype(np.float32) @ columns.T
    tiny = 1e-6  # areas are sums of floats
    good = (seen >= share * land - tiny) & (seen > tiny) & (land >= share - tiny)
    means = np.where(good, total / np.where(good, seen, 1), np.nan)
    return np.ascontiguousarray(means.reshape(len(values), -1).T, np.float32)


def linked(*holders):
    """Groups of places that share a cell of any grid, through others if need be: (n,) numbers from 0.

    Parameters
    ----------
    *holders : (n,) numbers of cells, one array a grid; -1 for none, which links nobody
    """
    n = len(holders[0])
    first, second = [], []
    for held in holders:
        for cell in np.unique(held[held >= 0]):
            inside = np.flatnonzero(held == cell)
            first += [inside[0]] * len(inside)
            second += inside.tolist()
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(int)


def station_means(in_situ, held, cells, least=0.5):
    """Mean of the stations in each cell: (cell, day), NaN where fewer than `least` of them report, or none is there.

    Parameters
    ----------
    in_situ : (site, day)
    held : (site,) number of the cell that each stands in, -1 for none
    cells : int, number of cells
    """
    inside = held[None] == np.arange(cells)[:, None]
    there = np.isfinite(in_situ)
    count = inside.astype(float) @ there
    total = inside.astype(float) @ np.where(there, in_situ, 0)
    good = (count > 0) & (count >= least * inside.sum(1, keepdims=True))
    return np.where(good, total / np.where(good, count, 1), np.nan).astype(np.float32)


def daily_from_composites(values, days, wanted, length=COMPOSITE_DAYS):
    """Composites of 8 (or `length`) days as daily values, by linear interpolation in time.

    A composite stands on the first of its days. Between two that are at most 16 days apart (so that one may be lost)
    values are interpolated, cell by cell over those that are there; after the last before a longer gap, or of the
    record, its value holds to the end of its own days. Nothing else is made up.

    Parameters
    ----------
    values : (composite, ...), NaN where missing
    days : (composite,) datetime64, rising
    wanted : (day,) datetime64

    Returns
    -------
    (day, ...) float32
    """
    at, ask = (np.asarray(d, "M8[D]").astype(float) for d in (days, wanted))
    flat = np.asarray(values, float).reshape(len(at), -1)
    out = np.full((len(ask), flat.shape[1]), np.nan, np.float32)
    patterns, which = np.unique(np.isfinite(flat), axis=1, return_inverse=True)  # few: clouds come in composites
    for k, pattern in enumerate(patterns.T):
        here, held = np.flatnonzero(which.ravel() == k), at[pattern]
        if not len(held):
            continue
        before = np.searchsorted(held, ask, side="right") - 1
        after = np.minimum(before + 1, len(held) - 1)
        known = flat[pattern][:, here]
        low, gap = np.maximum(before, 0), held[after] - held[np.maximum(before, 0)]
        between = (before >= 0) & (gap > 0) & (gap <= LONGEST_GAP)
        own = (before >= 0) & ~between & (ask - held[low] < length)
        weight = np.where(between, (ask - held[low]) / np.where(gap > 0, gap, 1), 0)[:, None]
        found = (1 - weight) * known[low] + weight * known[after]
        out[:, here] = np.where((between | own)[:, None], found, np.nan)
    return out.reshape(len(ask), *np.shape(values)[1:])


def _edges(centres):
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _measures(axes):
    """Edges in measures in which an area is a product of lengths: the sine of latitude, upside down, and longitude."""
    rows, columns = axes.edges()
    return -np.sin(np.deg2rad(np.clip(rows, -90, 90))), columns


def _overlap(own, wanted):
    """(wanted, own): which share of each wanted stretch lies in each of one's own, both by rising edges."""
    low, high = np.maximum(wanted[:-1, None], own[None, :-1]), np.minimum(wanted[1:, None], own[None, 1:])
    return (np.maximum(high - low, 0) / np.diff(wanted)[:, None]).astype(np.float32)
