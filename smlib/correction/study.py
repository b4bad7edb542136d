"""The correction study as a whole: networks opened and dealt into folds, stage 1 and stage 2 trained once and kept."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from filelock import FileLock

from smlib import paths
from smlib.correction import mlstm
from smlib.correction.data import COMBINATIONS, NETWORKS, PRODUCTS, Points, open_network
from smlib.correction.folds import Folds, deal
from smlib.data.schema import DataError

HERE = Path(__file__).resolve()
CODE = sorted([*(HERE.with_name(f"{name}.py") for name in ("folds", "losses", "mlstm", "sequences", "study")),
               *HERE.parents[1].glob("train/*.py"), *(HERE.parents[1] / "models" / f"{name}.py" for name in
                                                      ("layers", "sequence"))])
WEIGHT = 0.5  # lambda: stage 1 and the stations are trusted alike


@dataclass(frozen=True)
class Surroundings:
    """A network: its stations, the products where stations stand, the products everywhere, and the folds."""

    points: Points
    matched: dict
    everywhere: dict
    folds: Folds


@dataclass(frozen=True)
class Study:
    """What the chapter works on.

    Attributes
    ----------
    networks : mapping of name -> `Surroundings`
    products : names of the products that a network has
    kind : "measured" or "simulated"
    key : of all the data
    source, scale : as given to `open_study`
    """

    networks: dict
    products: tuple
    kind: str
    key: str
    source: str = "twin"
    scale: str = "smoke"

    @property
    def pairs(self):
        """(network, product) of all products there are."""
        return [(name, product) for name, one in self.networks.items() for product in one.matched]


def open_study(source="twin", networks=NETWORKS, products=PRODUCTS, scale="smoke", folds=3, seed=0):
    """The networks of a source with some of its products, dealt into folds.

    Raises ValueError for a product that is not one of `PRODUCTS`, a network named twice or none; DataError for data
    that cannot be matched, see `open_network`.
    """
    unknown = [name for name in products if name not in PRODUCTS]
    if unknown or not products or not networks or len(set(networks)) < len(networks):
        raise ValueError(f"products must be of {', '.join(PRODUCTS)}, not {list(products)}, and networks be named once "
                         f"each, not {list(networks)}")
    opened, kinds, digest = {}, set(), hashlib.sha256()
    for name in networks:
        points, everywhere, kind = open_network(source, name, scale, seed)
        everywhere = {product: everywhere[product] for product in products if product in everywhere}
        if not everywhere:
            raise DataError(f"has none of {', '.join(products)}", file=name)
        matched = {product: mlstm.with_stations(one)[0] for product, one in everywhere.items()}
        opened[name] = Surroundings(points, matched, everywhere, deal(points.sites["group"], points.time, folds, seed))
        kinds.add(kind)
        for part in (points, *matched.values()):
            for value in vars(part).values():
                text = value.to_csv() if isinstance(value, pd.DataFrame) else str(value)  # which str would cut short
                digest.update(value.tobytes() if isinstance(value, np.ndarray) else text.encode())
    return Study(opened, tuple(products), kinds.pop(), f"{digest.hexdigest()[:16]}-{folds}-{seed}", str(source), scale)


@cache
def _code():
    files = [*CODE, paths.DATA / "published" / "xie2025_table2_hyperparameters.csv"]
    versions = f"{torch.__version__} {np.__version__}".encode()
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + versions).hexdigest()


def kept(name, key, make):
    """What `make` gives, from ``data/local/correction`` if it is there; key: all that decides it but the code."""
    digest = hashlib.sha256(json.dumps([_code(), key], sort_keys=True, default=str).encode()).hexdigest()[:20]
    file = paths.LOCAL / "correction" / f"{name}-{digest}.joblib"
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        if not file.exists():
            made = make()
            partial = file.with_suffix(".partial")
            joblib.dump(made, partial)
            partial.replace(file)
            return made
    return joblib.load(file)


@dataclass(frozen=True)
class Estimates:
    """Stage 1.

    Attributes
    ----------
    trained : mapping of (network, combination) -> `mlstm.Trained`
    at_cells : mapping of (network, product, combination) -> (member, cell, day), m3 m-3, at cells with stations
    """

    trained: dict
    at_cells: dict


def estimate(study, settings, combinations=COMBINATIONS, progress=False, checkpoints=None):
    """`Estimates` of all networks, products and combinations, trained or read again."""
    def make():
        batches = {}
        for name, one in study.networks.items():
            jobs = mlstm.estimation_jobs(one.points, one.folds, combinations, settings)
            batches |= {(name, combination): (name, some) for combination, some in jobs.items()}
        trained = mlstm.train_jobs(batches, settings, progress=progress, checkpoints=checkpoints, name="stage 1")
        at_cells, seen = {}, {}
        for name, product in study.pairs:
            auxiliaries = study.networks[name].matched[product].auxiliaries
            same = hashlib.sha256(auxiliaries.tobytes()).hexdigest()  # products may share a grid
            for combination in combinations:
                if (name, same, combination) not in seen:
                    seen[name, same, combination] = trained[name, combination].predict(None, auxiliaries)
                at_cells[name, product, combination] = seen[name, same, combination]
        return Estimates({key: one.without_data() for key, one in trained.items()}, at_cells)

    return kept("stage1", [study.key, study.products, list(study.networks), asdict(settings), list(combinations)], make)


@dataclass(frozen=True)
class Entry:
    """One way of correcting: combination of stage 1, weight lambda, and what stage 2 sees beside the product."""

    combination: str
    weight: float = WEIGHT
    auxiliaries: str = ""

    @property
    def label(self):
        """How tables and figures call it."""
        return "MLSTM, auxiliaries too" if self.auxiliaries else "MLSTM"


def main_entries(combinations, weight=WEIGHT):
    """One `Entry` a combination, as the paper has them."""
    return [Entry(combination, weight) for combination in combinations]


def further_entries(combination, weight, weights):
    """Entries to learn from: other weights, and the one that sees the auxiliaries too."""
    return [*(Entry(combination, w) for w in weights if w != weight), Entry(combination, weight, combination)]


def correct(study, estimates, settings, entries, loss="blended", progress=False, checkpoints=None):
    """Stage 2: mapping of (network, product, Entry) -> (member, cell, day), m3 m-3, NaN where the product is missing.

    With the networks of one more mapping, of the same keys -> `mlstm.Trained`.
    """
    def make():
        batches = {}
        for name, product in study.pairs:
            one = study.networks[name]
            for entry in entries:
                jobs = mlstm.correction_jobs(one.matched[product], one.folds,
                                             estimates.at_cells[name, product, entry.combination], entry.weight,
                                             settings, entry.auxiliaries, entry.combination)
                batches[name, product, entry] = (name, jobs)
        trained = mlstm.train_jobs(batches, settings, loss, progress, checkpoints, "stage 2")
        found = {}
        for (name, product, entry), one in trained.items():
            matched = study.networks[name].matched[product]
            made = one.predict(matched.values, matched.auxiliaries)
            found[name, product, entry] = np.where(np.isfinite(matched.values), made, np.float32(np.nan))
        return found, {key: one.without_data() for key, one in trained.items()}

    learnt_from = hashlib.sha256()  # other estimates of the same name must not find these corrections
    for name, product in study.pairs:
        for entry in entries:
            learnt_from.update(np.ascontiguousarray(estimates.at_cells[name, product, entry.combination]).tobytes())
    return kept("stage2", [study.key, study.products, list(study.networks), asdict(settings),
                           [asdict(entry) for entry in entries], loss, learnt_from.hexdigest()], make)


def correct_all(study, estimates, settings, combinations, weight, weights, loss="blended", **others):
    """Stage 2 of all combinations, and of the first with what `further_entries` adds: as `correct`, trained once each.

    others : progress and checkpoints, as of `correct`
    """
    main, trained = correct(study, estimates, settings, main_entries(combinations, weight), loss, **others)
    further, more = correct(study, estimates, settings, further_entries(combinations[0], weight, weights), loss,
                            **others)
    return main | further, trained | more


def maps(study, trained, network, product, entry, day):
    """A product's map of a day before and after correction, and the truth if it is known: three (y, x), m3 m-3.

    After: the member that has not seen the cell's stations nor the day's year; cells without stations, which nobody has
    seen, have the mean over the members that have not seen the year. Raises ValueError for a day outside the data.
    """
    one = study.networks[network]
    data, folds = one.everywhere[product], one.folds
    model = trained[network, product, entry]
    if str(day) not in (known := data.time.astype("M8[D]").astype(str)):
        raise ValueError(f"{day} is no day of the data around {network}: give one from {known[0]} to {known[-1]}, such "
                         f"as {known[len(known) // 2]}")
    length, at = model.cut.length, int(np.flatnonzero(known == str(day))[0])
    first = max(at + 1 - length, 0)
    days = slice(first, first + length)
    cut = replace(model.cut, days=length)
    members = [k for k, fold in enumerate(folds.members) if fold.year == folds.years[at]]
    made = model.predict(data.values[:, days], data.auxiliaries[:, days], members, cut)[:, :, at - first]
    own = folds.of(data.cells["group"].to_numpy())
    column = {folds.members[k].stations: row for row, k in enumerate(members)}
    after = np.where(own >= 0, made[[column.get(s, 0) for s in own], np.arange(len(own))], made.mean(0))
    before = data.values[:, at]
    rows = [before, np.where(np.isfinite(before), after, np.nan), None if data.truth is None else data.truth[:, at]]
    return tuple(None if row is None else _map(data, row) for row in rows)


def axes(data):
    """Latitudes (y,) and longitudes (x,) of a product's grid, degrees, from its cells of land (evenly spaced)."""
    found = []
    for name, number, size in (("lat", "row", data.shape[0]), ("lon", "column", data.shape[1])):
        step, start = np.polyfit(data.cells[number], data.cells[name], 1)
        found.append(start + step * np.arange(size))
    return tuple(found)


def _map(data, values):
    out = np.full(data.shape, np.nan)
    out[data.cells["row"], data.cells["column"]] = values
    return out
