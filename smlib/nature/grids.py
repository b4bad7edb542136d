"""The grids that the simulated worlds and their products live on."""

from dataclasses import dataclass

import numpy as np
from pyproj import Transformer

EASE_KM = 36.03222  # spacing of the global EASE-Grid 2.0 at 36 km (Brodzik et al. 2012)
EASE_SIZE = (406, 964)


@dataclass(frozen=True)
class Grid:
    """Cell centres of a grid that runs from north to south and from west to east.

    Attributes
    ----------
    lat, lon : (y, x), degrees
    """

    lat: np.ndarray
    lon: np.ndarray

    @property
    def shape(self):
        """(y, x), numbers of rows and columns."""
        return self.lat.shape


def regular(south, north, west, east, spacing):
    """Cells of `spacing` degrees that fill a box given by its edges, in degrees."""
    rows, columns = round((north - south) / spacing), round((east - west) / spacing)
    lat = north - spacing * (np.arange(rows) + 0.5)
    lon = west + spacing * (np.arange(columns) + 0.5)
    return Grid(*np.meshgrid(lat, lon, indexing="ij"))


def ease(south, north, west, east, spacing_km=9, every=1):
    """Cells of the global EASE-Grid 2.0 (EPSG:6933) whose centres lie in a box.

    Parameters
    ----------
    spacing_km : 36, 9 or 3
        Nominal; the cells are 36.03 km, or a quarter or a twelfth of it, wide.
    every : int
        Take only every so many-th row and column of the global grid: a coarser picture of the same cells.
    """
    parts = {36: 1, 9: 4, 3: 12}[spacing_km]
    step, (rows, columns) = 1000 * EASE_KM / parts, (n * parts for n in EASE_SIZE)
    x = step * (np.arange(columns)[::every] - (columns - 1) / 2)
    y = -step * (np.arange(rows)[::every] - (rows - 1) / 2)
    to_degrees = Transformer.from_crs(6933, 4326, always_xy=True)
    lon, _ = to_degrees.transform(x, np.zeros_like(x))
    _, lat = to_degrees.transform(np.zeros_like(y), y)
    lat, lon = lat[(lat > south) & (lat < north)], lon[(lon > west) & (lon < east)]
    return Grid(*np.meshgrid(lat, lon, indexing="ij"))


def nearest_rows(values, wanted):
    """Index of the nearest of `values` for each of `wanted`, along one axis of a grid."""
    values, wanted = np.asarray(values), np.asarray(wanted)
    order = np.argsort(values)
    at = np.searchsorted(values[order], wanted).clip(1, len(values) - 1)
    left, right = values[order][at - 1], values[order][at]
    return order[at - (np.abs(wanted - left) <= np.abs(right - wanted))]
