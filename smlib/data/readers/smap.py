"""SMAP L3 enhanced, daily on the global EASE-Grid 2.0 of 9 km (``SPL3SMP_E``, HDF5; O'Neill et al. 2021)."""

import re

import numpy as np

from smlib.data.ease import PARTS, SIZE, EaseGrid
from smlib.data.readers.hdf import in_range, opened, read, stacked
from smlib.data.readers.map_files import date_of
from smlib.data.readers.rasters import days_index, listed
from smlib.data.schema import DataError

PASSES = {"AM": ("Soil_Moisture_Retrieval_Data_AM", ""), "PM": ("Soil_Moisture_Retrieval_Data_PM", "_pm")}
# Canonical name: names in the file, newest first, and of its quality flag; offset to canonical units.
VARIABLES = {
    "soil_moisture_dca": (("soil_moisture_dca", "soil_moisture_option3"),
                          ("retrieval_qual_flag_dca", "retrieval_qual_flag_option3", "retrieval_qual_flag"), 0),
    "soil_moisture_sca_h": (("soil_moisture_scah", "soil_moisture_option1"),
                            ("retrieval_qual_flag_scah", "retrieval_qual_flag_option1"), 0),
    "soil_moisture_sca_v": (("soil_moisture_scav", "soil_moisture_option2"),
                            ("retrieval_qual_flag_scav", "retrieval_qual_flag_option2"), 0),
    "brightness_temperature_h": (("tb_h_corrected",), ("tb_qual_flag_h",), 0),
    "brightness_temperature_v": (("tb_v_corrected",), ("tb_qual_flag_v",), 0),
    "vegetation_opacity": (("vegetation_opacity_dca", "vegetation_opacity_option3", "vegetation_opacity"),
                           ("retrieval_qual_flag_dca", "retrieval_qual_flag_option3", "retrieval_qual_flag"), 0),
    "vegetation_water_content": (("vegetation_water_content",), (), 0),
    "land_surface_temperature": (("surface_temperature",), (), -273.15),
}
# Bits that must be 0: 0 recommended, 1 attempted, 2 successful. The flag's own fill, 65534, has bits 1 and 2 set.
QUALITY = {"recommended": 0b0111, "retrieved": 0b0110, "all": 0}


def read_smap(files, overpass="AM", grid=None, quality="recommended", variables=tuple(VARIABLES)):
    """What one pass of a day saw, (time, y, x) on cells of the 9 km grid, lazily.

    Parameters
    ----------
    files : list of path, or a folder
        ``SMAP_L3_SM_P_E_20180101_R18290_001.h5`` and the like.
    overpass : "AM" (descending, 6 h) or "PM" (ascending, 18 h)
        `cube.average_passes` makes one of two.
    grid : `ease.EaseGrid` of 9 km, optional
        Which cells; the world if not given.
    quality : "recommended", "retrieved" or "all"
        Retrievals (moisture and opacity) are missing unless their quality flag says so much. Brightness temperatures
        are missing if their flag calls them bad, but with "all".
    variables : sequence of str
        Canonical names, of `VARIABLES`.

    Raises
    ------
    DataError
        Naming the file: without the pass's group or a variable, on another grid (the 36 km product), truncated, of a
        day that is there already; and, when a day is computed, for values that cannot be.
    """
    if overpass not in PASSES or quality not in QUALITY:
        raise ValueError(f"overpass must be one of {', '.join(PASSES)} and quality one of {', '.join(QUALITY)}")
    unknown = set(variables) - set(VARIABLES)
    if unknown:
        raise ValueError(f"SMAP has no {', '.join(sorted(unknown))}; there are {', '.join(VARIABLES)}")
    shape = tuple(PARTS[9] * n for n in SIZE)
    grid = grid or EaseGrid(*(range(n) for n in shape), 9)
    if grid.spacing_km != 9:
        raise ValueError("SMAP's grid is that of 9 km: read cells of it, then average with harmonise.to_grid")
    days = {}
    for file in listed(files, (".h5", ".hdf5")):
        day = date_of(file)
        if day in days:
            raise DataError(f"date {day:%Y-%m-%d} stands twice: also in {days[day].name}", file=file, variable="time")
        days[day] = file
        with opened(file, PASSES[overpass][0]) as group:
            for name in variables:
                found = _find(group, name, overpass, quality, file)[0]
                if found.shape != shape:
                    raise DataError(f"has {found.shape[0]} rows and {found.shape[-1]} columns, where the 9 km grid has "
                                    f"{shape[0]} and {shape[1]}: another product, or a part of one", file=file,
                                    variable=found.name)
    order = [[days[day]] for day in sorted(days)]

    def work(name, held):
        with opened(held[0], PASSES[overpass][0]) as group:
            return _values(group, name, overpass, quality, grid, held[0])

    data = {name: (("time", "y", "x"), stacked(order, lambda held, name=name: work(name, held), grid.shape))
            for name in variables}
    return grid.dataset(data, {"time": days_index(sorted(days))})


def _find(group, name, overpass, quality, file):
    """The variable of a file's group that holds a canonical one, and its quality flag or None."""
    suffix = PASSES[overpass][1]
    names, flags, _ = VARIABLES[name]
    if name == "soil_moisture_dca" and (release := re.search(r"_R(\d{2})\d{3}_", file.name)) and int(release[1]) >= 18:
        names = (*names, "soil_moisture")  # from release 18 on what is called that is the dual-channel algorithm's
    held, flag = (next((group[n + suffix] for n in some if n + suffix in group.variables), None)
                  for some in (names, flags))
    if held is None:
        raise DataError(f"is not in the group {PASSES[overpass][0]}, which holds {', '.join(group.variables)}",
                        file=file, variable=names[0] + suffix)
    if flag is None and flags and QUALITY[quality]:
        raise DataError(f"has no quality flag: {flags[0] + suffix} is not in its group", file=file, variable=held.name)
    return held, flag


def _values(group, name, overpass, quality, grid, file):
    held, flag = _find(group, name, overpass, quality, file)
    part = tuple(slice(axis.start, axis.stop, axis.step) for axis in (grid.rows, grid.columns))
    values = read(held, part, file) + np.float32(VARIABLES[name][2])
    if flag is not None and QUALITY[quality]:
        bits = np.ma.filled(flag[part], 0xFFFE).astype(np.uint16)  # missing: neither attempted nor successful
        wanted = 0b1 if name.startswith("brightness") else QUALITY[quality]
        values = np.where((bits & wanted) | (bits == 0xFFFE), np.float32(np.nan), values)
    return in_range(values, name, file)
