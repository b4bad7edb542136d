"""NLDAS-2 Noah (``NLDAS_NOAH0125_H``, NetCDF, 0.125 degree): hourly or daily files, to daily means."""

import numpy as np
import xarray as xr

from smlib.data.daily import enough
from smlib.data.readers.hdf import in_range, opened, read, stacked, times
from smlib.data.readers.map_files import date_of, same_grid
from smlib.data.readers.rasters import days_index, listed
from smlib.data.schema import DataError, with_attributes

LAYERS_CM = ((0, 10), (10, 40), (40, 100), (100, 200))
WATER = 1000.0  # kg m-3


def read_nldas(files, layers=3):
    """Soil moisture (time, layer, y, x) in m3 m-3, lazily: daily means (UTC) of water in layers over their thickness.

    Parameters
    ----------
    files : list of path, or a folder
        Hourly or daily files, ``NLDAS_NOAH0125_H.A20180101.0000.020.nc`` and the like, with ``SoilM_0_10cm`` and so on
        in kg m-2.
    layers : int
        How many of 0-10, 10-40, 40-100 and 100-200 cm, from the top.

    Returns
    -------
    xarray.Dataset
        Rows from north to south. Of hourly data a day counts if as much of it is there as `daily.enough` wants.

    Raises
    ------
    DataError
        Naming the file: without a layer, in other units, on another grid than the first, truncated, or of an hour that
        is there already; and, when computed, for values that cannot be.
    """
    names = [f"SoilM_{top}_{bottom}cm" for top, bottom in LAYERS_CM[:layers]]
    held, grid, first = {}, None, None
    for file in listed(files, (".nc", ".nc4")):
        with opened(file) as nc:
            _check(nc, names, file)
            own = tuple(np.ma.filled(nc[key][:], np.nan).astype(float) for key in ("lat", "lon"))
            stamps = times(nc, file)
        stamps = [date_of(file)] if stamps is None else stamps
        if grid is not None and not same_grid(grid, own):
            raise DataError(f"has another grid than {first.name}", file=file, variable="lat, lon")
        grid, first = grid or own, first or file
        for k, stamp in enumerate(stamps):
            if stamp in held:
                raise DataError(f"time {stamp} stands twice: also in {held[stamp][0].name}", file=file,
                                variable="time")
            held[stamp] = (file, k)
    days = {}
    for stamp in sorted(held):
        days.setdefault(stamp.normalize(), []).append(held[stamp])
    hourly = max(map(len, days.values())) > 1
    shape = (layers, len(grid[0]), len(grid[1]))

    def work(parts):
        total, count = np.zeros(shape), np.zeros(shape)
        for file, k in parts:
            with opened(file) as nc:
                values = np.stack([_layer(nc, name, k, at, file) for at, name in enumerate(names)])
            total += np.nan_to_num(values)
            count += ~np.isnan(values)
        whole = enough(count / 24, "soil_moisture") if hourly else count > 0
        return np.where(whole, total / np.maximum(count, 1), np.nan).astype(np.float32)

    tops, bottoms = (np.array(LAYERS_CM[:layers], float) / 100).T
    ds = with_attributes(xr.Dataset(
        {"soil_moisture": (("time", "layer", "y", "x"), stacked(list(days.values()), work, shape))},
        {"time": days_index(days), "layer": np.arange(1, layers + 1), "top_m": ("layer", tops),
         "bottom_m": ("layer", bottoms), "lat": ("y", grid[0]), "lon": ("x", grid[1])})).assign_attrs(kind="measured")
    return ds.isel(y=slice(None, None, -1)) if grid[0][0] < grid[0][-1] else ds


def _check(nc, names, file):
    for name in (*names, "lat", "lon"):
        if name not in nc.variables:
            raise DataError(f"is missing; there are {', '.join(nc.variables)}", file=file, variable=name)
    for name in names:
        units = str(getattr(nc[name], "units", ""))
        if units.replace("^", "") not in ("kg m-2", "kg/m2"):
            raise DataError(f"has units {units!r}, not 'kg m-2'", file=file, variable=name)
        if nc[name].dimensions[-2:] != ("lat", "lon"):
            raise DataError(f"has dims {nc[name].dimensions}: another grid than latitudes and longitudes", file=file,
                            variable=name)


def _layer(nc, name, k, at, file):
    top, bottom = LAYERS_CM[at]
    values = read(nc[name], (k, ...) if "time" in nc[name].dimensions else ..., file)
    values = values.reshape(values.shape[-2:])
    return in_range(values / np.float32(WATER * (bottom - top) / 100), "soil_moisture", file)
