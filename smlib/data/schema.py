"""Canonical names, units and dims, and the one check that everything past a reader goes through.

Stations: ``(site, time)`` for the weather and ``(site, depth, time)`` for the soil, with the coordinates ``lat`` and
``lon`` ``(site)`` in degrees and ``depth_m`` ``(site, depth)`` in metres. ``depth`` numbers the levels of a site from
1 at the top; ``depth_m`` is NaN where the depth of a level is not known. Grids: ``(time, y, x)`` and
``(time, layer, y, x)`` with ``lat`` and ``lon`` as coordinates; maps that do not change ``(y, x)`` and
``(layer, y, x)``. Layers are numbered from 1 at the top, with the coordinates ``top_m`` and ``bottom_m`` ``(layer)`` in
metres. Missing is NaN.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr


class DataError(ValueError):
    """Bad input: says which file, which variable and which rule it breaks."""

    def __init__(self, rule, *, file="", variable=""):
        self.file, self.variable, self.rule = str(file), variable, rule
        super().__init__(": ".join(part for part in (self.file, variable, rule) if part))


@dataclass(frozen=True)
class Variable:
    """What a canonical variable is: its units, its place in the ground, its valid range and its CF standard name."""

    units: str
    soil: bool
    low: float
    high: float
    standard_name: str
    symbol: str
    long_name: str
    static: bool = False


# The ranges are what a daily value can be anywhere on land, with some room; they catch wrong units, not bad sensors.
VARIABLES = {
    "soil_moisture": Variable("m3 m-3", True, 0.0, 1.0, "volume_fraction_of_condensed_water_in_soil", "SM",
                              "volumetric soil moisture"),
    "soil_temperature": Variable("degC", True, -60.0, 65.0, "soil_temperature", "TS", "soil temperature"),
    "air_temperature": Variable("degC", False, -75.0, 60.0, "air_temperature", "TA", "air temperature"),
    "precipitation": Variable("mm d-1", False, 0.0, 2000.0, "lwe_precipitation_rate", "P", "precipitation"),
    "shortwave_down": Variable("W m-2", False, -5.0, 550.0, "surface_downwelling_shortwave_flux_in_air", "SW",
                               "incoming shortwave radiation"),
    "longwave_down": Variable("W m-2", False, 40.0, 600.0, "surface_downwelling_longwave_flux_in_air", "LW",
                              "incoming longwave radiation"),
    "relative_humidity": Variable("percent", False, 0.0, 101.0, "relative_humidity", "RH", "relative humidity"),
    "wind_speed": Variable("m s-1", False, 0.0, 75.0, "wind_speed", "WS", "wind speed"),
}

# What satellites and models give beside these, on grids or matched to stations; then maps. With CF's name if it has one
PRODUCTS = {
    "soil_moisture_dca": Variable("m3 m-3", False, 0.0, 1.0, "", "DCA",
                                 "surface soil moisture, dual-channel algorithm"),
    "soil_moisture_sca_h": Variable("m3 m-3", False, 0.0, 1.0, "", "SCA-H",
                                    "surface soil moisture, single-channel algorithm, H"),
    "soil_moisture_sca_v": Variable("m3 m-3", False, 0.0, 1.0, "", "SCA-V",
                                    "surface soil moisture, single-channel algorithm, V"),
    "soil_saturation": Variable("percent", False, 0.0, 100.0, "", "S", "surface soil moisture, share of saturation"),
    "brightness_temperature_h": Variable("K", False, 50.0, 350.0, "brightness_temperature", "TBH",
                                         "brightness temperature, H"),
    "brightness_temperature_v": Variable("K", False, 50.0, 350.0, "brightness_temperature", "TBV",
                                         "brightness temperature, V"),
    "vegetation_opacity": Variable("1", False, 0.0, 5.0, "", "tau", "opacity of the vegetation at nadir"),
    "vegetation_water_content": Variable("kg m-2", False, 0.0, 50.0, "", "VWC", "vegetation water content"),
    "swir_transform": Variable("1", False, 0.0, 100.0, "", "STR", "transformed short-wave infrared reflectance"),
    "land_surface_temperature": Variable("degC", False, -75.0, 80.0, "surface_temperature", "LST",
                                         "land surface temperature"),
    "evapotranspiration": Variable("mm d-1", False, 0.0, 30.0, "lwe_water_evaporation_rate", "ET",
                                   "evapotranspiration"),
    "fractional_vegetation_cover": Variable("1", False, 0.0, 1.0, "vegetation_area_fraction", "FVC",
                                            "fractional vegetation cover"),
    "snow_water": Variable("mm", False, 0.0, 20000.0, "lwe_thickness_of_surface_snow_amount", "SWE", "snow water"),
    "frozen_fraction": Variable("1", False, 0.0, 1.0, "", "ice", "share of the surface layer's water that is ice"),
}
STATICS = {
    "elevation": Variable("m", False, -500.0, 9000.0, "surface_altitude", "z", "elevation", True),
    "slope": Variable("degree", False, 0.0, 90.0, "", "slope", "slope", True),
    "aspect": Variable("degree", False, 0.0, 360.0, "", "aspect", "aspect, clockwise from north", True),
    "curvature": Variable("m-1", False, -1.0, 1.0, "", "curvature", "curvature, positive on ridges", True),
    "flow_accumulation": Variable("km2", False, 0.0, 1e7, "", "A", "area upstream", True),
    "land_cover": Variable("1", False, 1.0, 17.0, "area_type", "IGBP", "land cover, IGBP class", True),
    "sand": Variable("percent", True, 0.0, 100.0, "", "sand", "sand", True),
    "silt": Variable("percent", True, 0.0, 100.0, "", "silt", "silt", True),
    "clay": Variable("percent", True, 0.0, 100.0, "", "clay", "clay", True),
    "organic_matter": Variable("percent", True, 0.0, 100.0, "", "OM", "organic matter", True),
    "bulk_density": Variable("g cm-3", True, 0.05, 2.7, "", "BD", "bulk density", True),
    "porosity": Variable("m3 m-3", True, 0.1, 1.0, "soil_porosity", "n", "porosity", True),
    "field_capacity": Variable("m3 m-3", True, 0.0, 1.0, "", "FC", "moisture at 33 kPa", True),
    "wilting_point": Variable("m3 m-3", True, 0.0, 1.0, "", "WP", "moisture at 1500 kPa", True),
}
KNOWN = VARIABLES | PRODUCTS | STATICS

# The seven drivers that go beside the lagged soil moisture (Wang et al. 2024, Sect. 2.1), in their order everywhere.
DRIVERS = ("precipitation", "air_temperature", "shortwave_down", "longwave_down", "relative_humidity", "wind_speed",
           "soil_temperature")


def level_name(level, depth_m):
    """How pages and figures name a level: its depth in metres, or its number where the depth is unknown (NaN)."""
    return f"level {level}, depth unknown" if np.isnan(depth_m) else f"{float(depth_m):.2f} m"


def dims_of(name, grid=False):
    """The dims that a canonical variable may have at stations, or on a grid (where soil may be one layer or many)."""
    v = KNOWN[name]
    time = () if v.static else ("time",)
    if grid:
        flat = (*time, "y", "x")
        return (flat, (*time, "layer", "y", "x")) if v.soil else (flat,)
    return (("site", "depth", *time),) if v.soil else (("site", *time),)


def with_attributes(ds):
    """`ds` with the units and names of the schema on every canonical variable (values are not converted)."""
    ds = ds.copy()
    for name in set(ds.data_vars) & set(KNOWN):
        v = KNOWN[name]
        ds[name].attrs |= {"units": v.units, "long_name": v.long_name}
        if v.standard_name:
            ds[name].attrs["standard_name"] = v.standard_name
    for name, units in (("depth_m", "m"), ("top_m", "m"), ("bottom_m", "m"), ("lat", "degrees_north"),
                        ("lon", "degrees_east")):
        if name in ds.coords:
            ds[name].attrs["units"] = units
    return ds


def validate(ds, file="", needs=("soil_moisture",)):
    """Return `ds` if it keeps the contract of this module, or raise `DataError` naming file, variable and rule.

    Parameters
    ----------
    ds : xarray.Dataset
        Stations (a ``site`` dim) or a grid (``y`` and ``x`` dims). Chunked input is reduced, never loaded whole.
    file : str or path
        Where it came from, for the message.
    needs : sequence of str
        Variables that must be there. Only maps that do not change may come without a time.

    Notes
    -----
    Checked: known names, dims, units, floating type, a daily time axis without repeats or steps back, finite values
    inside the variable's range, percent against fraction, unique sites, levels from 1 downward, depths in metres that
    do not shrink with the level, layers that do not overlap, and that there is some soil moisture where it is needed.
    """
    def require(condition, rule, variable=""):
        if not condition:
            raise DataError(rule, file=file, variable=variable)

    grid = {"y", "x"} <= set(ds.dims)
    require(grid or "site" in ds.dims, f"neither stations (site) nor a grid (y, x): its dims are {tuple(ds.dims)}")
    for name in needs:
        require(name in ds.data_vars, f"there is no {name.replace('_', ' ')}", name)
    if not ds.data_vars or not all(name in STATICS for name in ds.data_vars):
        _check_time(ds, require)
    _check_places(ds, grid, require)
    for name, da in ds.data_vars.items():
        _check_variable(name, da, grid, require)
    return ds


def _check_time(ds, require):
    require("time" in ds.indexes, "there is no time coordinate", "time")
    time = ds.indexes["time"]
    require(len(time) > 0, "is empty", "time")
    require(np.issubdtype(ds["time"].dtype, np.datetime64), f"is {ds['time'].dtype}, not dates", "time")
    duplicate = time[time.duplicated()]
    require(not len(duplicate), f"date {duplicate[0] if len(duplicate) else ''} stands twice", "time")
    require(time.is_monotonic_increasing, "dates are not in order", "time")
    require((time == time.normalize()).all(), "is not daily: a time of day is given", "time")


def _check_places(ds, grid, require):
    if grid:
        for name in ("lat", "lon"):
            require(name in ds.coords, "is missing from the coordinates", name)
        if "top_m" in ds.coords:
            top, bottom = ds["top_m"].values, ds["bottom_m"].values
            apart = (top < bottom).all() and (top[1:] >= bottom[:-1]).all()
            require(apart, f"layers {top} to {bottom} overlap", "top_m")
        return
    sites = ds.indexes.get("site")
    require(sites is not None and len(sites) > 0, "there is no site", "site")
    require(sites.is_unique, f"site {list(sites[sites.duplicated()])[:1]} stands twice", "site")
    for name, bound in (("lat", 90), ("lon", 180)):
        require(name in ds.coords and ds[name].dims == ("site",), "must be a coordinate on (site)", name)
        require(not (abs(ds[name]) > bound).any(), f"is outside -{bound} to {bound} degrees", name)
    require("depth" in ds.indexes and list(ds.indexes["depth"]) == list(range(1, ds.sizes["depth"] + 1)),
            "levels must be numbered 1, 2, ... from the top", "depth")
    require("depth_m" in ds.coords and ds["depth_m"].dims == ("site", "depth"),
            "must be a coordinate on (site, depth), NaN where unknown", "depth_m")
    for site, known in zip(sites, ds["depth_m"].values, strict=True):
        known = known[~np.isnan(known)]
        require((known >= 0).all() and (known <= 20).all(), f"of {site} is not 0 to 20 m: {known}", "depth_m")
        require((np.diff(known) >= 0).all(), f"of {site} does not grow with the level: {known}", "depth_m")


def _check_variable(name, da, grid, require):
    require(name in KNOWN, f"is not a canonical name ({', '.join(KNOWN)})", name)
    v = KNOWN[name]
    allowed = dims_of(name, grid)
    require(da.dims in allowed, f"has dims {da.dims}, not {' or '.join(map(str, allowed))}", name)
    require(da.attrs.get("units") == v.units, f"has units {da.attrs.get('units')!r}, not {v.units!r}", name)
    require(np.issubdtype(da.dtype, np.floating), f"is {da.dtype}, not floating point", name)
    low, high = (float(x) for x in xr.Dataset({"low": da.min(), "high": da.max()}).compute().values())
    require(not np.isinf([low, high]).any(), "holds infinite values", name)
    if name == "soil_moisture":
        require(not np.isnan(high), "every value is missing", name)
        require(high <= v.high, f"reaches {high:g}: percent given as m3 m-3?", name)
        require(high > 0.015, f"never exceeds {high:g} m3 m-3: a fraction taken for percent?", name)
    if name == "relative_humidity" and not np.isnan(high):
        require(high > 1.5, f"never exceeds {high:g} percent: a fraction taken for percent?", name)
    if np.isnan(low):
        return
    require(low >= v.low and high <= v.high,
            f"spans {low:g} to {high:g}, outside {v.low:g} to {v.high:g} {v.units}", name)
