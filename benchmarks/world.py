"""How fast the simulated world is made, and whether its cost grows linearly; prints one JSON object.

    python benchmarks/world.py [--cells 500 1000 2000] [--years 1 2 4] [--rounds 3]

Cell-days a second, of one thread, of each part: weather, vegetation, soil, retrievals of one pass, all of a block of
`conus` as the world makes it (spin-up and both passes included, writing not), and the NLDAS-2-like model. The sizes run
by turns, so that what else the machine does meets all of them. `growth` says how seconds grow with the cells, at the
most days, and with the days, at the most cells: `fixed_seconds` and `departure` (the largest, as a share of the
seconds) of the straight line through them, fitted to relative distances, and the exponent p of seconds ~ size^p. The
cost is linear where the departure is small; the exponent is below 1 where much is fixed, such as two years of spin-up.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from smlib.nature import blocks, grids, land, retrieval, soil, terrain, truth  # noqa: E402
from smlib.nature.blocks import Block  # noqa: E402
from smlib.nature.weather import Weather  # noqa: E402

BOX = (36.0, 42.0, -104.0, -88.0)  # all land


def block(cells, years):
    """A `Block` of about so many cells of the 9 km grid, all land, and so many years."""
    grid = grids.ease(*BOX, 9)
    rows = -(-cells // grid.shape[1])
    grid = grids.Grid(grid.lat[:rows], grid.lon[:rows, :])
    columns = round(cells / rows)
    grid = grids.Grid(grid.lat[:, :columns], grid.lon[:, :columns])
    days = np.arange("2018-01-01", f"{2018 + years}-01-01", dtype="M8[D]")
    elevation = terrain.elevation(grid.lat, grid.lon, terrain.CONUS).reshape(grid.shape)
    return Block(grid, elevation, days)


def parts(whole):
    """Seconds of every part of a block, dict by name."""
    seconds = {}

    def clocked(name, do):
        start = time.perf_counter()
        found = do()
        seconds[name] = time.perf_counter() - start
        return found

    ground = truth.ground(*whole.cells)
    lat, lon, days = ground.lat, ground.lon, whole.time
    weather = clocked("weather", Weather(days, lat, lon, ground.elevation, ground.climate, 0, "climate").at)
    plants = clocked("vegetation", lambda: land.vegetation(ground.land_cover, lat, ground.elevation,
                                                           truth.day_of_year(days)))
    roots = land.root_fraction(ground.land_cover, ground.bounds_m)
    found = clocked("soil", lambda: soil.simulate(weather, ground.hydraulics, plants, roots, ground.bounds_m,
                                                  elevation=ground.elevation))
    view = blocks.radiometer_view(found | plants)
    clocked("retrievals", lambda: retrieval.observe(days, lat, lon, view, blocks.smap_parameters(ground)))
    clocked("conus", lambda: blocks.conus(whole))
    clocked("nldas", lambda: blocks.nldas(whole))
    return seconds


def growth(sizes, seconds):
    """How seconds grow with sizes: see the module's docstring."""
    sizes, seconds = np.asarray(sizes, float), np.asarray(seconds)
    slope, fixed = np.polyfit(sizes, seconds, 1, w=1 / seconds)
    return {"fixed_seconds": round(float(fixed), 3),
            "departure": round(float(np.max(abs(fixed + slope * sizes - seconds) / seconds)), 3),
            "exponent": round(float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]), 3)}


def measure(cells, years, rounds):
    """The JSON object of the module's docstring."""
    cells, years = sorted(set(cells)), sorted(set(years))
    sizes = [(n, years[-1]) for n in cells] + [(cells[-1], y) for y in years[:-1]]
    made = {size: block(*size) for size in sizes}
    with threadpool_limits(1):
        parts(block(20, 1))  # compiles
        turns = [{size: parts(made[size]) for size in sizes} for _ in range(rounds)]
    names = turns[0][sizes[0]]
    cell_days = {size: int(made[size].land.sum()) * len(made[size].time) for size in sizes}
    seconds = {size: {name: statistics.median(turn[size][name] for turn in turns) for name in names} for size in sizes}
    largest = cells[-1], years[-1]
    report = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": len(os.sched_getaffinity(0)),
                    "threads": 1},
        "rounds": rounds,
        "cell_days_a_second": {
            name: {"median": round(cell_days[largest] / seconds[largest][name]),
                   "low": round(cell_days[largest] / max(turn[largest][name] for turn in turns)),
                   "high": round(cell_days[largest] / min(turn[largest][name] for turn in turns))} for name in names},
        "sizes": [{"cells": int(made[size].land.sum()), "days": len(made[size].time), "cell_days": cell_days[size],
                   "seconds": {name: round(s, 3) for name, s in seconds[size].items()}} for size in sizes],
        "growth": {}}
    for name in names:
        report["growth"][name] = {
            axis: growth([cell_days[s] for s in chosen], [seconds[s][name] for s in chosen])
            for axis, chosen in (("cells", [(n, years[-1]) for n in cells]), ("days", [(cells[-1], y) for y in years]))
            if len(chosen) > 1}
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--years", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if min(options.cells) < 1 or min(options.years) < 1 or options.rounds < 1:
        parser.error("cells, years and rounds must be at least 1")
    print(json.dumps(measure(options.cells, options.years, options.rounds), indent=1))


if __name__ == "__main__":
    main()
