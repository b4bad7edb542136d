"""What the correction study starts from: stations of a network, and three products on their own grids beside them."""

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr

from smlib.correction.matching import axes_of, cell_means, daily_from_composites, linked, oriented, station_means
from smlib.data.cube import average_passes
from smlib.data.schema import DataError

NETWORKS = ("CTP-SMTMN", "HOBE", "OZNET", "SNOTEL")
PRODUCTS = ("ASCAT", "ESA-CCI", "SMAP")
AUXILIARIES = {"F": "fractional_vegetation_cover", "P": "precipitation", "L": "land_surface_temperature",
               "E": "evapotranspiration"}  # in the order of the columns, everywhere
COMBINATIONS = ("FPLE", "LEF", "LEP", "LPF", "PEF")
SPACING = {"ASCAT": 0.1, "ESA-CCI": 0.25, "SMAP": 0.1}  # degrees
SURFACE_M = 0.1  # the deepest level that counts as the surface
LEAST_DAYS = 365


@dataclass(frozen=True)
class Points:
    """The stations of a network.

    Attributes
    ----------
    network : str
    time : (day,) datetime64[D], without gaps
    sites : DataFrame by site: lat, lon and group, a number that stations have in common which share a cell of any
        product's grid, be it through others
    in_situ : (site, day) float32, m3 m-3: the shallowest level, at most 0.1 m deep; NaN where missing
    auxiliaries : (site, day, 4) float32, in the order of `AUXILIARIES`, of the pixel that holds the station
    truth : (site, day) float32, the liquid water at the surface there, or None where nobody knows it
    """

    network: str
    time: np.ndarray
    sites: pd.DataFrame
    in_situ: np.ndarray
    auxiliaries: np.ndarray
    truth: np.ndarray | None = None


@dataclass(frozen=True)
class Matched:
    """One product of one network, at all cells of land of the product's grid.

    Attributes
    ----------
    network, product : str
    time : (day,) datetime64[D], the days of `Points`
    cells : DataFrame: row and column in the grid, lat, lon, stations (how many stand in the cell) and group, that of
        these stations, or -1
    shape : (rows, columns) of the grid, rows from north to south
    values : (cell, day) float32, m3 m-3, NaN where the product is missing
    in_situ : (cell, day) float32, mean of the stations in the cell; NaN where fewer than half of them report
    auxiliaries : (cell, day, 4) float32, in the order of `AUXILIARIES`, means over the cell
    truth : (cell, day) float32, the liquid water at the surface, mean over the cell, or None
    model : (cell, day) float32, a land model's moisture at the surface, mean over the cell, or None
    porosity : (cell,) float32, by which ASCAT's saturation became moisture; None of the others
    """

    network: str
    product: str
    time: np.ndarray
    cells: pd.DataFrame
    shape: tuple
    values: np.ndarray
    in_situ: np.ndarray
    auxiliaries: np.ndarray
    truth: np.ndarray | None = None
    model: np.ndarray | None = None
    porosity: np.ndarray | None = None


@dataclass(frozen=True)
class Parts:
    """What a source holds of one network, checked, on common days, before grids and stations are matched.

    Attributes
    ----------
    network : str
    time : (day,) datetime64[D]
    sites : DataFrame by site with lat, lon
    in_situ : (site, day), m3 m-3
    products : mapping of product -> DataArray (time, y, x), m3 m-3 but for ASCAT, which is percent of saturation
    porosity : DataArray (y, x), m3 m-3
    auxiliaries : mapping of "F", "P", "L", "E" -> DataArray (time, y, x); F may be of composites, on days of its own
    station_truth : (site, day) or None
    truth, model : DataArray (time, y, x) of surface moisture, or None
    """

    network: str
    time: np.ndarray
    sites: pd.DataFrame
    in_situ: np.ndarray
    products: dict
    porosity: object
    auxiliaries: dict
    station_truth: np.ndarray | None = None
    truth: object = None
    model: object = None


def open_network(source, network, scale="smoke", seed=0, least_days=LEAST_DAYS):
    """A network's stations and the three products around them, matched in place and time.

    Parameters
    ----------
    source : str or path
        ``twin``, the simulated world `smlib.nature.worlds.world("networks")`, or a folder of one's own; see
        `smlib.correction.folder.read_network` for what it must hold.
    network : str
        One of `NETWORKS`; of a folder of one's own the name of any folder in it.
    scale, seed
        Of the simulated world.
    least_days : int
        That stations, products and auxiliaries must have in common.

    Returns
    -------
    points : Points
    matched : mapping of product -> Matched
    kind : "measured" or "simulated"

    Raises
    ------
    DataError
        For what cannot be matched: another region, periods that do not overlap, units that cannot be right.

    Notes
    -----
    A product keeps its own grid. ASCAT's degree of saturation becomes moisture by the porosity of the cell,
    theta = (S / 100) n. Auxiliaries, porosity, truth and model are averaged over a product's cell (`cell_means`); at a
    station they are those of the pixel that holds it. Cells of land are those that have all four auxiliaries on some
    day. Vegetation cover that comes every 8th day is interpolated (`daily_from_composites`).
    """
    if str(source) == "twin":
        parts, kind = _twin(network, scale, seed), "simulated"
    else:
        from smlib.correction.folder import read_network

        parts, kind = read_network(source, network, least_days)
    points, matched = match(parts)
    return points, matched, kind


def match(parts):
    """`Points` and a mapping of product -> `Matched` out of `Parts`; DataError if no station lies in a product."""
    fields = {key: _daily(da, parts.time, key) for key, da in parts.auxiliaries.items()}
    axes = {key: axes_of(da, key) for key, da in fields.items()}
    grids = {name: axes_of(da, name) for name, da in parts.products.items()}
    lat, lon = parts.sites["lat"].to_numpy(), parts.sites["lon"].to_numpy()
    at_sites = np.stack([_at(fields[key], axes[key], lat, lon) for key in AUXILIARIES], -1)
    inside = np.isfinite(at_sites).any(1).all(1)
    if not inside.any():
        raise DataError(f"no station lies where all of {', '.join(AUXILIARIES.values())} have values: another region?",
                        file=parts.network, variable="lat, lon")
    if not inside.all():
        warnings.warn(f"{parts.network}: left out, for an auxiliary has no value at "
                      f"{', '.join(parts.sites.index[~inside].astype(str))}", stacklevel=3)
    sites, in_situ, lat, lon = parts.sites[inside].copy(), parts.in_situ[inside], lat[inside], lon[inside]
    holders = {name: grid.holder(lat, lon) for name, grid in grids.items()}
    for name, held in holders.items():
        if (held < 0).all():
            raise DataError("holds none of the stations: another region?", file=f"{parts.network}, {name}",
                            variable="lat, lon")
    sites["group"] = linked(*holders.values())
    truth = None if parts.station_truth is None else parts.station_truth[inside].astype(np.float32)
    points = Points(parts.network, parts.time, sites, in_situ.astype(np.float32),
                    at_sites[inside].astype(np.float32), truth)
    matched = {name: _matched(parts, points, name, grids[name], holders[name], fields) for name in parts.products}
    return points, matched


def _matched(parts, points, product, grid, held, fields):
    auxiliaries = np.stack([cell_means(da.values, axes_of(da, key), grid) for key, da in fields.items()], -1)
    land = np.isfinite(auxiliaries).any(1).all(1)
    number = np.full(land.size + 1, -1)  # the last for what stands in no cell
    number[:-1][land] = np.arange(land.sum())
    held = number[held]
    rows, columns = np.divmod(np.flatnonzero(land), grid.shape[1])
    group = np.full(land.sum(), -1)
    group[held[held >= 0]] = points.sites["group"].to_numpy()[held >= 0]
    cells = pd.DataFrame({"row": rows, "column": columns, "lat": grid.lat[rows], "lon": grid.lon[columns],
                          "stations": np.bincount(held[held >= 0], minlength=land.sum()), "group": group})
    values, porosity = _cells(parts.products[product].values)[land], None
    if product == "ASCAT":
        porosity = cell_means(parts.porosity.values[None], axes_of(parts.porosity, "porosity"), grid)[land, 0]
        values = to_moisture(values, porosity[:, None])
    means = {name: None if da is None else cell_means(da.values, axes_of(da, name), grid)[land]
             for name, da in (("truth", parts.truth), ("model", parts.model))}
    return Matched(points.network, product, points.time, cells, grid.shape, values.astype(np.float32),
                   station_means(points.in_situ, held, int(land.sum())), auxiliaries[land], **means, porosity=porosity)


def to_moisture(saturation, porosity):
    """Moisture, m3 m-3, of a degree of saturation in percent, by the porosity: theta = (S / 100) n."""
    return saturation / 100 * porosity


def _daily(da, time, key):
    """An auxiliary on the days `time`: as it is, or interpolated between composites if it comes every 8th day."""
    seen = np.flatnonzero(da.notnull().any(("y", "x")).values)
    days = da["time"].values[seen].astype("M8[D]")
    step = np.median(np.diff(days).astype(int)) if len(days) > 1 else 1
    if key == "F" and step > 1:
        values = daily_from_composites(da.values[seen], days, time, step)
        return xr.DataArray(values, {"time": time.astype("M8[ns]"), "lat": da["lat"], "lon": da["lon"]}, da.dims)
    return da.reindex(time=time.astype("M8[ns]"))


def _at(da, axes, lat, lon):
    """(site, day) of the pixels that hold the stations; NaN outside."""
    held = axes.holder(lat, lon)
    return np.where(held[:, None] >= 0, _cells(da.values)[held], np.nan)


def _cells(values):
    return values.reshape(len(values), -1).T


def surface(ds, file=""):
    """Stations' surface moisture out of a canonical dataset: (sites that have it, (site, day)).

    The shallowest level at most 0.1 m deep that reports at all; stations that have none are left out, with a warning.
    """
    depth, values = ds["depth_m"].values, ds["soil_moisture"].transpose("site", "depth", "time").values
    usable = (depth <= SURFACE_M) & np.isfinite(values).any(2)
    has = usable.any(1)
    names = ds["site"].values.astype(str)
    if not has.any():
        raise DataError(f"no station reports from a known depth of at most {SURFACE_M} m", file=file,
                        variable="depth_m")
    if not has.all():
        warnings.warn(f"{file}: left out, for nothing is reported from a known depth of at most {SURFACE_M} m: "
                      f"{', '.join(names[~has])}", stacklevel=2)
    sites = pd.DataFrame({"lat": ds["lat"].values[has], "lon": ds["lon"].values[has]},
                         index=pd.Index(names[has], name="site"))
    return sites, values[has, usable[has].argmax(1)]


@cache
def _world(scale, seed):
    from smlib.nature.worlds import world  # here, for it takes seconds and a user's own data do without

    return world("networks", scale, seed=seed)


def _twin(network, scale, seed):
    """`Parts` of the simulated world."""
    if network not in NETWORKS:
        raise DataError(f"there is no network {network!r} in the simulated world; there are {', '.join(NETWORKS)}")
    tree = _world(scale, seed)[network]

    def group(name, variable):
        return oriented(tree[name].to_dataset()[[variable]].load(), name)[variable]

    reported = tree["stations/reported"].to_dataset().load()
    true = tree["stations/truth"].to_dataset()["soil_moisture"].sel(depth=1).load()
    sites, in_situ = surface(reported, network)
    ice = group("truth", "frozen_fraction")
    wet = group("truth", "soil_moisture").sel(layer=1, drop=True) * (1 - ice)
    frozen = _at(ice, axes_of(ice), sites["lat"].to_numpy(), sites["lon"].to_numpy())
    passes = average_passes(*(group(f"smap_{orbit}", "soil_moisture_dca").to_dataset() for orbit in ("am", "pm")))
    names = {"F": "fvc", "P": "imerg", "L": "lst", "E": "et"}
    model = group("model", "soil_moisture").sel(layer=1, drop=True) if "model" in tree.children else None
    return Parts(network, reported["time"].values.astype("M8[D]"), sites, in_situ,
                 {"ASCAT": group("ascat", "soil_saturation"), "ESA-CCI": group("cci", "soil_moisture"),
                  "SMAP": passes["soil_moisture_dca"]},
                 group("statics", "porosity").sel(layer=1, drop=True),
                 {key: group(names[key], variable) for key, variable in AUXILIARIES.items()},
                 true.sel(site=sites.index).values * (1 - frozen), wet, model)
