"""The global EASE-Grid 2.0 (EPSG:6933; Brodzik et al. 2012, 2014) and boxes of its cells."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from pyproj import Transformer

from smlib.data.schema import DataError, with_attributes

EPSG, WIDTH_M, SIZE = 6933, 36032.220840584, (406, 964)  # of the grid of 36 km
PARTS = {36: 1, 9: 4, 3: 12, 1: 36}  # of a cell of 36 km, along one side, by nominal spacing in km


@dataclass(frozen=True)
class EaseGrid:
    """Cells of the global EASE-Grid 2.0 (EPSG:6933), which have the same area all over the world.

    Attributes
    ----------
    rows, columns : range
        In the global grid, from the north and from the west; with a step above 1 a picture of some of the cells, each
        still as wide as `spacing_km` says.
    spacing_km : 36, 9, 3 or 1
        Nominal: 36.03 km or a part of it.
    """

    rows: range
    columns: range
    spacing_km: int = 9

    @classmethod
    def box(cls, south, north, west, east, spacing_km=9, every=1):
        """The cells whose centres lie in a box (degrees), of every so many-th row and column of the global grid."""
        whole = cls(*(range(0, PARTS[spacing_km] * n, every) for n in SIZE), spacing_km)
        found = [np.flatnonzero((axis > low) & (axis < high))
                 for axis, low, high in ((whole.lat, south, north), (whole.lon, west, east))]
        if not all(len(part) for part in found):
            raise DataError(f"no centre of a cell of {spacing_km} km lies in {south} to {north} N, {west} to {east} E")
        rows, columns = (axis[part[0]:part[-1] + 1] for axis, part in
                         zip((whole.rows, whole.columns), found, strict=True))
        return cls(rows, columns, spacing_km)

    @classmethod
    def of(cls, ds):
        """The grid that a dataset with 1-D ``lat`` and ``lon`` lies on, or None if it is no EASE-Grid 2.0."""
        if ds["lat"].ndim != 1 or ds["lon"].ndim != 1 or min(ds["lat"].size, ds["lon"].size) < 2:
            return None
        x, y = metres(ds["lat"].values, ds["lon"].values)
        for spacing, parts in PARTS.items():
            step = WIDTH_M / parts
            axes = [sign * v / step + (parts * n - 1) / 2 for sign, v, n in ((-1, y, SIZE[0]), (1, x, SIZE[1]))]
            at = [np.rint(axis).astype(int) for axis in axes]
            # Single precision of a latitude is a metre or so.
            if all((abs(a - b) < 0.01).all() and len(set(np.diff(b))) == 1 and b[1] > b[0]
                   for a, b in zip(axes, at, strict=True)):
                return cls(*(range(b[0], b[-1] + 1, b[1] - b[0]) for b in at), spacing)
        return None

    @property
    def step(self):
        """Width of a cell in m."""
        return WIDTH_M / PARTS[self.spacing_km]

    @property
    def shape(self):
        """(y, x), numbers of rows and columns."""
        return len(self.rows), len(self.columns)

    @cached_property
    def x(self):
        """Centres (x,) in m."""
        return self.step * (np.array(self.columns) - (PARTS[self.spacing_km] * SIZE[1] - 1) / 2)

    @cached_property
    def y(self):
        """Centres (y,) in m, from north to south."""
        return -self.step * (np.array(self.rows) - (PARTS[self.spacing_km] * SIZE[0] - 1) / 2)

    @cached_property
    def lat(self):
        """Centres (y,) in degrees."""
        return transformer().transform(np.zeros_like(self.y), self.y, direction="INVERSE")[1]

    @cached_property
    def lon(self):
        """Centres (x,) in degrees."""
        return transformer().transform(self.x, np.zeros_like(self.x), direction="INVERSE")[0]

    @property
    def bounds(self):
        """West, south, east, north of all cells, in m."""
        half = self.step / 2
        return self.x[0] - half, self.y[-1] - half, self.x[-1] + half, self.y[0] + half

    def find(self, x, y):
        """Number of the cell that each point lies in, int32, row by row from the north; -1 if in none.

        Parameters
        ----------
        x, y : arrays of one shape, or that broadcast to one, in m (EPSG:6933)
        """
        row = _place(-(y - self.y[0]) / self.step, self.rows)
        column = _place((x - self.x[0]) / self.step, self.columns)
        return np.where((row >= 0) & (column >= 0), row * len(self.columns) + column, -1).astype(np.int32)

    def dataset(self, variables, coords=None, kind="measured"):
        """Canonical dataset of `variables` on this grid, as `xarray.Dataset` takes them; its last dims are y and x."""
        coords = dict(coords or {}) | {"lat": ("y", self.lat), "lon": ("x", self.lon)}
        return with_attributes(xr.Dataset(variables, coords)).assign_attrs(kind=kind)


def _place(at, cells):
    """Place in the range `cells` of positions counted in cells from its first, -1 if in none."""
    at = at + 0.5
    inside = (at >= 0) & (at < cells[-1] - cells[0] + 1)
    at = np.where(inside, at, 0).astype(np.int32)
    if cells.step > 1:
        inside &= at % cells.step == 0
        at //= cells.step
    return np.where(inside, at, np.int32(-1))


def transformer():
    """From degrees (longitude first) to m on this projection."""
    return Transformer.from_crs(4326, EPSG, always_xy=True)


def metres(lat, lon):
    """x along `lon` and y along `lat`: on this projection each hangs on one of them alone."""
    to = transformer()
    return to.transform(lon, np.zeros_like(lon))[0], to.transform(np.zeros_like(lat), lat)[1]
