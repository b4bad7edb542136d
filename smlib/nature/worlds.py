"""The simulated worlds: what each holds, and a cache of them on disk.

``world("qilian")`` and its like give a tree of canonical datasets, made when they are first asked for. Weather and
truth of a cell depend on seed, place and date (the truth, a little, on how long before it began), so a coarser scale
shows some of the cells of the full one; some errors of products hang on the period as well.
"""

import hashlib
import json
import os
import shutil
from functools import cache
from importlib.metadata import version

import joblib
import numpy as np
import shapely
import xarray as xr
from filelock import FileLock
from threadpoolctl import threadpool_limits

from smlib import paths
from smlib.data.schema import validate, with_attributes
from smlib.nature import CODE, blocks, grids, land, products, sites, terrain, truth, twins
from smlib.nature.blocks import Block
from smlib.nature.fields import rng_of
from smlib.nature.network import Sensor
from smlib.nature.store import block_tasks, processes, run_tasks, write_group

SCALES = ("smoke", "quick", "full")
NAMES = ("stations", "qilian", "conus", "networks")
# First and last year, and which of the full grid's rows and columns are taken: every so many-th.
YEARS = {"qilian": {"smoke": (2017, 2021), "quick": (2017, 2021), "full": (2017, 2021)},
         "conus": {"smoke": (2018, 2018), "quick": (2018, 2020), "full": (2018, 2022)},
         "networks": {"smoke": (2016, 2016), "quick": (2016, 2018), "full": (2015, 2020)}}
EVERY = {"qilian": {"smoke": 12, "quick": 3, "full": 1}, "conus": {"smoke": 24, "quick": 7, "full": 1},
         "nldas": {"smoke": 20, "quick": 5, "full": 1}}
TWINS_SMOKE = ["Palestine-6-WNW", "Durham-11-W", "ClotdelesPeresII"]
# About the outline of the Qilian Mountains, drawn by hand: longitude and latitude.
QILIAN = ((93.5, 38.9), (95.0, 39.6), (97.0, 39.8), (98.5, 39.4), (100.0, 38.9), (101.5, 38.1), (102.8, 37.5),
          (103.6, 36.9), (102.8, 36.3), (101.5, 36.2), (100.2, 36.4), (98.5, 36.8), (97.0, 37.2), (95.2, 37.6),
          (93.6, 38.4))
# Stony soils of one parent material, and rain that varies less than between the places that the climate is drawn from:
# set so that surface moisture varies as the published field does, see foundations/world.
QILIAN_GROUND = {"contrast": 0.3, "rain_contrast": 0.3, "gravel": 44.0}
# South, north, west, east of the networks' surroundings, multiples of half a degree; their relief; number of stations.
NETWORKS = {
    "CTP-SMTMN": ((31.0, 32.0, 91.5, 93.0), (4700, 150, 4450, 5300), 40),
    "HOBE": ((55.5, 56.5, 8.5, 9.5), (50, 30, 0, 170), 30),
    "OZNET": ((-35.5, -34.0, 145.0, 147.0), (180, 60, 70, 500), 38),
    "SNOTEL": ((39.0, 40.5, -107.0, -105.0), (2800, 450, 1600, 4300), 40),
}
# Their probes go on in frozen ground: in print moisture rises with temperature at CTP-SMTMN (r 0.56) and SNOTEL.
NETWORK_SENSOR = Sensor(frozen="liquid")


def world(name, scale="quick", years=None, seed=0):
    """A simulated world, opened lazily from the cache; it is made first if it is not there.

    Parameters
    ----------
    name : "stations", "qilian", "conus" or "networks"
    scale : "smoke", "quick" or "full"
    years : (first, last), optional
        Instead of those of the scale; not for the stations, whose periods are those in print.
    seed : int

    Returns
    -------
    xarray.DataTree
        Canonical datasets with kind="simulated". Groups by world:

        - stations: reported, truth (`smlib.nature.twins`).
        - qilian: statics, truth, smhires, on 0.05 degree.
        - conus: statics, solus (soil maps), truth, smap_am, smap_pm, imerg, modis on SMAP's 9 km grid; nldas on 0.125
          degree; stations/reported, stations/truth, and what products have at the stations: matched/smap_am,
          matched/smap_pm, matched/nldas.
        - networks, for each network: statics, truth, lst, et, fvc on 0.05 degree, imerg, ascat, smap_am, smap_pm on
          0.1, cci on 0.25, model (a land model's soil moisture, without knowledge of the stations) on 0.125;
          stations/reported (in frozen ground the liquid water), stations/truth.

    Raises
    ------
    ValueError
        For a name, scale or years that do not exist.
    """
    plan = _plan(name, scale, years, seed)
    folder = paths.LOCAL / "worlds" / f"{name}-{scale}-{_hash(plan)}"
    if not (folder / "plan.json").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder / "plan.json").exists():
                _make(plan, folder)
    return xr.open_datatree(folder / "world.zarr", engine="zarr", chunks={}, consolidated=False)


def code_hash():
    """SHA-256 of all that decides what a world holds beside its parameters: code, tables, maps, versions."""
    return _code_hash(*(version(name) for name in ("numpy", "numba", "scipy", "pyproj", "pyflwdir")))


@cache
def _code_hash(*versions):
    digest = hashlib.sha256(json.dumps([CODE, *versions]).encode())
    files = [paths.ROOT / "smlib" / "data" / "schema.py", *(paths.DATA / "natural_earth").glob("*.geojson"),
             *(paths.DATA / "published").glob("*.csv")]
    for file in sorted(files):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _plan(name, scale, years, seed):
    if name not in NAMES:
        raise ValueError(f"no world {name!r}; there are {', '.join(NAMES)}")
    if scale not in SCALES:
        raise ValueError(f"no scale {scale!r}; there are {', '.join(SCALES)}")
    if name == "stations":
        if years is not None:
            raise ValueError("the stations' periods are those of the paper's Table D2: years cannot be chosen")
    else:
        years = [int(year) for year in (years or YEARS[name][scale])]
        if len(years) != 2 or not 1950 <= years[0] <= years[1] <= 2100:
            raise ValueError(f"years must be (first, last) between 1950 and 2100, not {years}")
    return {"name": name, "scale": scale, "years": years, "seed": int(seed)}


def _hash(plan):
    return hashlib.sha256((json.dumps(plan, sort_keys=True) + code_hash()).encode()).hexdigest()[:16]


def _make(plan, folder):
    """Write the world of `plan` aside, then give it its name."""
    for left in folder.parent.glob(f".{folder.name}.*.partial"):  # by makers that were killed; a lock keeps others out
        shutil.rmtree(left, ignore_errors=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    store = partial / "world.zarr"
    time = None
    if plan["years"]:
        time = np.arange(f"{plan['years'][0]}-01-01", f"{plan['years'][1] + 1}-01-01", dtype="M8[D]")
    try:
        {"stations": _stations, "qilian": _qilian, "conus": _conus, "networks": _networks}[plan["name"]](
            store, plan["scale"], time, plan["seed"])
        (partial / "plan.json").write_text(json.dumps(plan | {"code": code_hash()}, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _stations(store, scale, time, seed):
    names = TWINS_SMOKE if scale == "smoke" else None
    for group, ds in zip(("reported", "truth"), twins.station_twins(names, seed=seed), strict=True):
        write_group(store, group, ds)


def _qilian(store, scale, time, seed):
    grid = _thinned(grids.regular(36.0, 39.95, 93.4, 103.75, 0.05), EVERY["qilian"][scale])
    inside = shapely.contains_xy(shapely.Polygon(QILIAN), grid.lon, grid.lat)
    block = _block(grid, terrain.QILIAN, time, seed, QILIAN_GROUND, inside)
    write_group(store, "statics", statics(block))
    jobs = processes(block.land.sum() * len(time))
    run_tasks(block_tasks(store, "", blocks.qilian, block), jobs, "qilian")


def _conus(store, scale, time, seed):
    block = _block(grids.ease(*sites.CONUS_BOX, 9, every=EVERY["conus"][scale]), terrain.CONUS, time, seed)
    ground = truth.ground(*block.cells, seed=seed)
    write_group(store, "statics", statics(block, ground))
    sand, clay = products.soil_maps(ground.texture["sand"], ground.texture["clay"], ground.lat, ground.lon, seed=seed)
    write_group(store, "solus", validate(block.dataset({"sand": sand, "clay": clay, "silt": 100 - sand - clay}),
                                         needs=()))
    coarse = _thinned(grids.regular(*sites.CONUS_BOX, truth.MODEL_SPACING), EVERY["nldas"][scale])
    model = _block(coarse, terrain.CONUS, time, seed)
    jobs = processes((block.land.sum() + model.land.sum()) * len(time))
    tasks = [joblib.delayed(_write_stations)(store, time, seed)]
    tasks += block_tasks(store, "", blocks.conus, block)
    run_tasks(tasks + block_tasks(store, "", blocks.nldas, model), jobs, "conus")


def _write_stations(store, time, seed):
    with threadpool_limits(1):
        groups = conus_stations(time, seed)
    for group, ds in groups.items():
        write_group(store, group, ds)


def conus_stations(time, seed=0):
    """What the stations of `conus` report, what is true there, and what products have there: dict of datasets.

    A station is matched with the 9 km cell that it stands in the middle of, and with the land model's cell around it.
    """
    table = sites.conus_sites(seed)
    cells, own = sites.conus_ground(table, seed)
    names = table.index.tolist()
    reported, true = sites.observed(own, names, table["network"], time, seed, sites.SENSORS)
    found = truth.simulate(cells, time, seed)
    seen = blocks.smap(time, cells.lat, cells.lon, blocks.radiometer_view(found), blocks.smap_parameters(cells), seed)

    width = truth.MODEL_SPACING
    lat, lon = ((np.floor(x / width) + 0.5) * width for x in (cells.lat, cells.lon))
    model = truth.land_model(lat, lon, terrain.elevation(lat, lon, terrain.CONUS, seed), time, seed)
    places = {name: reported[name] for name in ("lat", "lon", "network", "land_cover", "depth_m")}
    stations = {f"texture_{k}": ("site", table[f"texture_{k}"].to_numpy()) for k in (1, 2, 3)}
    stations["cover_group"] = ("site", table["group"].to_numpy())
    groups = {"stations/reported": reported.assign_coords(stations), "stations/truth": true.assign_coords(stations)}
    for name, variables in (*seen.items(), ("nldas", {"soil_moisture": model["soil_moisture"]})):
        data = {key: (("site", "depth", "time") if x.ndim == 3 else ("site", "time"),
                      x.transpose(2, 1, 0) if x.ndim == 3 else x.T) for key, x in variables.items()}
        ds = xr.Dataset(data, {"site": names, "time": reported["time"], "depth": reported["depth"]} | places | stations)
        groups[f"matched/{name}"] = validate(with_attributes(ds), needs=()).assign_attrs(kind="simulated")
    return groups


def _networks(store, scale, time, seed):
    tasks, jobs = [], 1 if scale == "smoke" else joblib.cpu_count()
    for name, (box, relief, number) in NETWORKS.items():
        south, north, west, east = box
        if scale == "smoke":
            south, west, number = north - 0.5, east - 0.5, 6
        hills = terrain.Relief(*relief, box=box)
        block = _block(grids.regular(south, north, west, east, 0.05), hills, time, seed)
        ground = truth.ground(*block.cells, seed=seed)
        write_group(store, f"{name}/statics", statics(block, ground))
        tasks += block_tasks(store, f"{name}/", blocks.network, block, unit=10)
        model = _block(grids.regular(south, north, west, east, truth.MODEL_SPACING), hills, time, seed)
        tasks += block_tasks(store, f"{name}/", blocks.land_model, model)
        chosen = np.sort(rng_of(seed, "sites", name).choice(len(ground.lat), number, replace=False))
        names = [f"{name}-{k:02d}" for k in range(1, number + 1)]
        pair = sites.observed(ground[chosen], names, [name] * number, time, seed, {name: NETWORK_SENSOR})
        for kind, ds in zip(("reported", "truth"), pair, strict=True):
            write_group(store, f"{name}/stations/{kind}", validate(ds))
    run_tasks(tasks, jobs, "networks")


def statics(block, ground=None):
    """Maps of what does not change in a block that is a whole grid: terrain, land cover, soil."""
    ground = ground or truth.ground(*block.cells, seed=block.seed, **block.ground)
    soil = ground.hydraulics
    maps = {name: block.full(x) for name, x in ground.texture.items()}
    maps |= {name: block.full(x) for name, x in (
        ("porosity", soil.theta_saturation), ("field_capacity", soil.theta_field),
        ("wilting_point", soil.theta_wilting), ("land_cover", ground.land_cover.astype(np.float32)),
        ("elevation", ground.elevation))}
    shape = terrain.derivatives(block.elevation, block.grid.lat, block.grid.lon)
    return validate(blocks.gridded(maps | shape, block.grid, block.time), needs=())


def _block(grid, relief, time, seed, ground=None, inside=None):
    """A whole grid as a `Block`: land, and within it not what is covered by ice, and only what is `inside`."""
    inside = terrain.land_mask(grid.lat, grid.lon).reshape(grid.shape) & (True if inside is None else inside)
    lat, lon = grid.lat[inside], grid.lon[inside]
    height = terrain.elevation(lat, lon, relief, seed)
    ice = truth.ground(lat, lon, height, seed=seed, **(ground or {})).land_cover == 1 + land.IGBP.index("Snow and Ice")
    elevation = np.full(grid.shape, np.nan, np.float32)
    elevation[inside] = np.where(ice, np.nan, height)
    return Block(grid, elevation, time, seed, ground or {})


def _thinned(grid, every):
    """Every so many-th row and column, from the middle of the first that are left out."""
    part = slice(every // 2, None, every)
    return grids.Grid(grid.lat[part, part], grid.lon[part, part])
