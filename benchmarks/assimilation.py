"""A day's analyses against the common way of writing them; prints one JSON object.

    python benchmarks/assimilation.py [--size 26 69] [--ensemble 10] [--rounds 7]

Milliseconds a day for six settings (10, 20, 50 % of the cells observed, noise 0 and 0.01 m3 m-3; for the ensemble
filter 0.005 and 0.01) on the cells of an ellipse, of

- ``optimal``: `OptimalInterpolation` against all distances, all covariances and a general solution for each setting;
- ``interpolation``: `Interpolation` against SciPy's griddata, linear and nearest, for each setting;
- ``enkf``: `EnKF` against the same filter in a loop over the cells, each with the observations near it.

By turns in one process on one thread, so that what else the machine does meets both. Ratios (common / ours) are taken
within a round, and their median and range are given; ``largest_difference`` is that of the analyses, m3 m-3.
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
from scipy.interpolate import griddata
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from smlib.assimilate.compared import Interpolation  # noqa: E402
from smlib.assimilate.enkf import EnKF, gaspari_cohn  # noqa: E402
from smlib.assimilate.nudging import positions  # noqa: E402
from smlib.assimilate.observations import random  # noqa: E402
from smlib.assimilate.optimal import Covariance, OptimalInterpolation  # noqa: E402

FRACTIONS, NOISES, ENSEMBLE_NOISES, RADIUS = (0.1, 0.2, 0.5), (0.0, 0.01), (0.005, 0.01), 4.0
COVARIANCE = Covariance(0.03**2, 6.0, 0.005**2)


def optimal(places, x_f, y, seen, noise):
    """Analysis (cell,) of the background (cell,), as it stands in textbooks."""
    B = COVARIANCE(cdist(places, places[seen]))
    S = B[seen] + (noise**2 + 1e-9 * COVARIANCE.variance) * np.eye(seen.sum())
    return x_f + B @ np.linalg.solve(S, (y - x_f)[seen])


def interpolation(places, x_f, y, seen, noise):
    """Analysis (cell,), without a look at the background or the noise."""
    linear, nearest = (griddata(places[seen], y[seen], places, way) for way in ("linear", "nearest"))
    return np.where(np.isfinite(linear), linear, nearest)


def enkf(places, x_f, y, seen, noise):
    """Analysis (size, cell) of an ensemble (size, cell), cell by cell."""
    k, mean = len(x_f), x_f.mean(0)
    X, x_a = x_f - mean, x_f.copy()
    for cell, place in enumerate(places):
        rho = gaspari_cohn(np.hypot(*(places - place).T), RADIUS) * seen
        Y = X[:, rho > 0]
        C = Y * rho[rho > 0] / noise**2
        values, V = np.linalg.eigh((k - 1) * np.eye(k) + C @ Y.T)
        w = V @ (V.T @ (C @ (y - mean)[rho > 0]) / values)
        W = V * np.sqrt((k - 1) / values) @ V.T
        x_a[:, cell] = mean[cell] + (w + W) @ X[:, cell]
    return x_a


def cases(shape, size):
    """For each analysis: (ours, common), two functions that give analyses (setting, ..., cell)."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    valid = np.add.outer(y**2, x**2) <= 1
    places, rng = positions(valid), np.random.default_rng(0)
    seen = np.stack([random(valid, fraction)(0) for fraction in FRACTIONS for _ in NOISES])
    noise, above_zero = (np.tile(of, len(FRACTIONS)) for of in (NOISES, ENSEMBLE_NOISES))
    obs, x_f = 0.25 + 0.03 * rng.normal(size=(2, len(seen), *shape))
    ensembles = 0.25 + 0.03 * rng.normal(size=(len(seen) * size, *shape))

    def both(analysis, common, background, noise):
        members = len(background) // len(seen)
        batch = [np.repeat(v, members, axis=0) for v in (obs, seen)]
        cells = background[:, valid].reshape(len(seen), *(members, len(places))[members == 1:])
        settings = list(zip(cells, obs[:, valid], seen[:, valid], noise, strict=True))
        return (lambda: analysis(background, *batch)[:, valid].reshape(cells.shape),
                lambda: np.stack([common(places, *setting) for setting in settings]))

    return len(places), {
        "optimal": both(OptimalInterpolation(COVARIANCE, valid, noise), optimal, x_f, noise),
        "interpolation": both(Interpolation(valid), interpolation, x_f, noise),
        "enkf": both(EnKF(size, valid, above_zero, radius=RADIUS), enkf, ensembles, above_zero)}


def clocked(do):
    """Milliseconds that it takes."""
    start = time.perf_counter()
    do()
    return 1e3 * (time.perf_counter() - start)


def spread(values):
    """Median and range."""
    return {"median": round(statistics.median(values), 2), "low": round(min(values), 2), "high": round(max(values), 2)}


def measure(shape, size, rounds):
    """The JSON object of the module's docstring."""
    cells, compared = cases(shape, size)
    report = {"machine": {"processor": platform.processor() or platform.machine(),
                          "cores": len(os.sched_getaffinity(0)), "threads": 1},
              "size": shape, "cells": cells, "ensemble": size, "rounds": rounds, "analyses": {}}
    with threadpool_limits(1):
        for name, (ours, common) in compared.items():
            difference = float(np.abs(ours() - common()).max())
            turns = [(clocked(ours), clocked(common)) for _ in range(rounds)]
            own, other = zip(*turns, strict=True)
            report["analyses"][name] = {
                "milliseconds_a_day": {"ours": spread(own), "common": spread(other)},
                "ratio": spread([b / a for a, b in turns]), "largest_difference": difference}
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=[26, 69], help="rows and columns")
    parser.add_argument("--ensemble", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if min(options.size) < 5 or options.ensemble < 2 or options.rounds < 1:
        parser.error("a size of 5 x 5, an ensemble of 2 and 1 round are the least")
    print(json.dumps(measure(options.size, options.ensemble, options.rounds), indent=1))


if __name__ == "__main__":
    main()
