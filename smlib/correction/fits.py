"""What MLSTM is compared with, fitted under every fold, and what each fit took.

Fits are timed on one core, as the networks are, and each alone: the choice of training pairs is a part of it, the
forecast is not.
"""

from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from smlib.correction.baselines import BASELINES

LEARNT = ("linear", "HistGB", "climatology")  # baselines that stage 1 can be compared with: they need no product
UNFITTED = ("raw", "in situ")  # what is scored without having been fitted


def baselines(study, names=tuple(BASELINES), seed=0):
    """Baselines under every fold, the product itself ("raw") always among them.

    Mapping of (network, product, name) -> (member, cell, day), m3 m-3; with one more of the same keys -> (member,)
    seconds of the fits, "raw" left out. Raises ValueError for a name not in `BASELINES`.
    """
    found, seconds, names = {}, {}, _known(["raw", *names], BASELINES)
    _warm_up(names, seed)
    for network, product in study.pairs:
        one = study.networks[network]
        data, groups = one.matched[product], one.matched[product].cells["group"].to_numpy()
        for name in names:
            models, seconds[network, product, name] = _fitted(name, seed, one.folds, groups, data, data.values)
            with threadpool_limits(1):
                made = np.stack([model.predict(data.values, data.auxiliaries) for model in models])
            found[network, product, name] = np.where(np.isfinite(data.values), made, np.nan)
    return found, _without_raw(seconds)


def estimates_without_network(study, names=LEARNT, seed=0):
    """What stage 1 is compared with: baselines learnt at the stations from all four auxiliaries, asked at the cells.

    Mapping of (network, product, name) -> (member, cell, day), m3 m-3; with one more of (network, name) -> (member,)
    seconds of the fits, which serve all products. Raises ValueError for a name not in `LEARNT`.
    """
    found, seconds, names = {}, {}, _known(names, LEARNT)
    _warm_up(names, seed)
    for network, one in study.networks.items():
        points, groups = one.points, one.points.sites["group"].to_numpy()
        for name in names:
            nothing = np.zeros(points.in_situ.shape)  # in place of a product
            models, seconds[network, name] = _fitted(name, seed, one.folds, groups, points, nothing)
            for product, data in one.matched.items():
                empty = np.zeros(data.values.shape)
                found[network, product, name] = np.stack([m.predict(empty, data.auxiliaries) for m in models])
    return found, seconds


def _fitted(name, seed, folds, groups, data, values):
    """The estimators of all members of a cross-validation, and the seconds of each fit."""
    models, seconds = [], []
    with threadpool_limits(1):
        for fold in folds.members:
            target = np.where(folds.training(fold, groups), data.in_situ, np.nan)
            model, start = BASELINES[name](data.time, seed), perf_counter()
            models.append(model.fit(values, data.auxiliaries, target))
            seconds.append(perf_counter() - start)
    return models, np.array(seconds)


def _warm_up(names, seed):
    """One fit of each to a few days made up here, or the first that is timed pays for what it imports."""
    values = np.random.default_rng(seed).random((2, 60))
    for name in names:
        BASELINES[name](np.arange("2001-01-01", "2001-03-02", dtype="M8[D]"), seed).fit(
            values, np.stack([values] * 4, -1), values)


def _without_raw(seconds):
    return {key: spent for key, spent in seconds.items() if key[-1] not in UNFITTED}


def _known(names, known):
    """The names, each once; ValueError for others."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no baseline {', '.join(map(repr, unknown))}; there are {', '.join(known)}")
    return list(dict.fromkeys(names))
