"""IMERG daily precipitation (GPM_3IMERGDF): a global NetCDF file a day, 0.1 degree."""

from smlib.data.readers.daily_maps import read_maps
from smlib.data.readers.hdf import opened
from smlib.data.readers.rasters import listed
from smlib.data.schema import DataError

NAMES = ("precipitation", "precipitationCal")  # version 7; up to 6
UNITS = ("mm", "mm/day", "mm d-1", "mm day-1")


def read_imerg(files):
    """Daily precipitation (time, y, x) in mm d-1, lazily, rows from north to south.

    Parameters
    ----------
    files : list of path, or a folder
        ``3B-DAY.MS.MRG.3IMERG.20180101-S000000-E235959.V07B.nc4`` and the like, Final, Late or Early.

    Raises
    ------
    DataError
        For a file without daily precipitation (such as the half-hourly product, in mm/hr), on another grid, truncated,
        or of a day that is there already.
    """
    files = listed(files, (".nc4", ".nc"))
    with opened(files[0]) as nc:
        name = next((n for n in NAMES if n in nc.variables), None)
        if name is None:
            raise DataError(f"holds no {' or '.join(NAMES)}, but {', '.join([*nc.variables, *nc.groups])}: is it the "
                            "daily product?", file=files[0], variable=NAMES[0])
        units = getattr(nc[name], "units", "")
    if units not in UNITS:
        raise DataError(f"has units {units!r}, where {' or '.join(UNITS)} is read: is it the daily product?",
                        file=files[0], variable=name)
    plan = {"grid": {}, "variables": {"precipitation": [{"column": name, "units": "mm d-1"}]}, "missing": [-9999.9]}
    ds = read_maps(files, files[0].parent, plan)
    return ds.isel(y=slice(None, None, -1)) if ds["lat"][0] < ds["lat"][-1] else ds
