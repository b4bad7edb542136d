"""MLSTM (Xie et al. 2025): an LSTM carries stations to a product's cells, a second one corrects the product.

Stage 1: u = LSTM(auxiliaries), trained at the stations, asked at the cells. Stage 2: f = LSTM(product), trained on a
loss between f, u and the stations' moisture y that `smlib.correction.losses` names; its weight lambda says how far y is
trusted. Networks of all combinations of auxiliaries, folds and weights are trained together by `smlib.train.ensemble`.
"""

import zlib
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import pandas as pd

from smlib import paths
from smlib.correction.losses import LOSSES, in_situ
from smlib.correction.sequences import Cut, Inputs, Range, training_and_validation
from smlib.models.sequence import SequenceLSTM
from smlib.train.ensemble import Member, start_ensemble
from smlib.train.workers import worker_count, worker_pool

BATCH = 32  # cells whose days are estimated at once


@dataclass(frozen=True)
class Settings:
    """How the networks are trained; 0 (for dropout: -1) means what the paper's Table 2 prints for the network.

    Attributes
    ----------
    hidden, epochs, batch, learning_rate, sequence_days, dropout : see there; `sequence_days` is at most the printed one
    steps : batches an epoch; 0: as many as show every sequence of the member with most of them once
    seed, device
    chunk : members trained together, see `smlib.train.train_ensemble`
    """

    hidden: int = 0
    epochs: int = 0
    batch: int = 0
    learning_rate: float = 0.0
    sequence_days: int = 0
    dropout: float = -1.0
    steps: int = 0
    seed: int = 0
    device: str = "auto"
    chunk: int | None = None

    @classmethod
    def chosen(cls, parameters):
        """The settings among a notebook's parameters, a dict by name."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})

    def of(self, network):
        """What holds for a network: dict of hidden, epochs, batch, learning_rate, days, dropout, activation.

        A network that is not in the table is trained as CTP-SMTMN is. HOBE has no dropout in print.
        """
        table = pd.read_csv(paths.DATA / "published" / "xie2025_table2_hyperparameters.csv",
                            index_col="hyperparameter")
        printed = table[network if network in table else "CTP-SMTMN"]
        days = int(printed["sequence_length"])
        found = {"hidden": self.hidden or int(printed["hidden_size"]), "epochs": self.epochs or int(printed["epochs"]),
                 "batch": self.batch or int(printed["batch_size"]),
                 "learning_rate": self.learning_rate or float(printed["learning_rate"]),
                 "days": min(self.sequence_days or days, days),
                 "dropout": float(np.nan_to_num(float(printed["dropout"]))) if self.dropout < 0 else self.dropout,
                 "activation": printed["activation"]}
        return found


@dataclass(frozen=True)
class Job:
    """One network to be trained.

    Attributes
    ----------
    name : what tells it apart, for its seed
    cut : `Cut`
    inputs : fitted `Inputs`
    scale : fitted `Range`
    member : `Member`, or None when it is trained
    """

    name: str
    cut: Cut
    inputs: Inputs
    scale: Range
    member: Member | None


class Trained:
    """Networks of one ensemble, in the order of their jobs."""

    def __init__(self, jobs, ensemble):
        self.jobs, self.ensemble, self.cut = jobs, ensemble, jobs[0].cut

    def without_data(self):
        """The same, without what it was trained on, on the CPU: to be kept."""
        held = replace(self.ensemble, weights={name: w.cpu().clone() for name, w in self.ensemble.weights.items()})
        return Trained([replace(job, member=None) for job in self.jobs], held)

    def predict(self, values, auxiliaries, chosen=None, cut=None):
        """Moisture (job, cell, day), m3 m-3, by every job (or those `chosen`) from (cell, day) and (cell, day, 4).

        values may be None in stage 1; cut: of days that are not the training's.
        """
        cut = cut or self.cut
        chosen = range(len(self.jobs)) if chosen is None else chosen
        out = np.full((len(chosen), *auxiliaries.shape[:2]), np.nan, np.float32)
        for first in range(0, auxiliaries.shape[0], BATCH):
            part = slice(first, first + BATCH)
            x = np.stack([cut.take(job.inputs.transform(None if values is None else values[part],
                                                             auxiliaries[part])) for job in
                          (self.jobs[k] for k in chosen)])
            members, cells, sequences = x.shape[:3]
            made = self.ensemble.predict(x.reshape(members, cells * sequences, *x.shape[3:]), list(chosen))
            joined = cut.join(made.reshape(members, cells, sequences, -1))
            for k, job in enumerate(chosen):
                out[k, part] = self.jobs[job].scale.inverse(joined[k])
        return out


def estimation_jobs(points, folds, combinations, settings):
    """Jobs of stage 1: mapping of combination -> list of `Job`, one a member of the cross-validation."""
    cut, groups = _cut(points, settings), points.sites["group"].to_numpy()
    found = {}
    for combination in combinations:
        found[combination] = []
        for fold in folds.members:
            training = folds.training(fold, groups) & np.isfinite(points.in_situ)
            scale = Range().fit(points.in_situ[training])
            inputs = Inputs(combination).fit(None, points.auxiliaries, training)
            target = np.where(training, scale.transform(points.in_situ), np.nan)[..., None]
            name = f"{points.network} {combination} {fold.stations} {fold.year}"
            found[combination].append(_job(name, inputs, scale, cut, inputs.transform(None, points.auxiliaries), target,
                                           points.time, settings))
    return found


def correction_jobs(matched, folds, estimates, weight, settings, auxiliaries="", label=""):
    """Jobs of stage 2 of one product: one a member of the cross-validation.

    Parameters
    ----------
    matched : Matched
        Of cells with stations.
    estimates : (member, cell, day), u of stage 1 by the same members
    weight : float
        lambda.
    auxiliaries : str
        Letters of what is shown to the network beside the product; as we read the paper, nothing.
    label : the combination of stage 1. Names, and so seeds, do not hang on the weight, nor on the loss: what is
        compared over them starts from the same weights and sees the same batches.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"the weight of the in-situ data must be between 0 and 1, not {weight}")
    cut, groups = _cut(matched, settings), matched.cells["group"].to_numpy()
    found = []
    for fold, u in zip(folds.members, estimates, strict=True):
        training = folds.training(fold, groups) & np.isfinite(matched.values)
        known = training & np.isfinite(matched.in_situ)
        scale = Range().fit(matched.in_situ[known])
        inputs = Inputs(auxiliaries, product=True).fit(matched.values, matched.auxiliaries, training)
        u, y = scale.transform(u), np.where(known, scale.transform(matched.in_situ), np.nan)
        spread = np.sqrt(np.nanmean((u - y) ** 2))
        target = np.stack([np.where(training, u, np.nan), y, np.full(u.shape, weight), np.full(u.shape, spread)], -1)
        name = f"{matched.network} {matched.product} {label} {auxiliaries} {fold.stations} {fold.year}"
        found.append(_job(name, inputs, scale, cut, inputs.transform(matched.values, matched.auxiliaries), target,
                          matched.time, settings))
    return found


def train_jobs(batches, settings, loss=None, progress=False, checkpoints=None, name="MLSTM"):
    """Train lists of jobs, all at once: mapping of key -> `Trained`, as `batches` maps keys to (network, jobs).

    loss : a name in `LOSSES` for stage 2; stage 1 if not given
    """
    function = in_situ if loss is None else _loss(loss)
    together, work = {}, 0  # jobs of one network, with as many inputs and batches an epoch, are one ensemble
    for key, (network, jobs) in batches.items():
        held = settings.of(network)
        steps = settings.steps or max(-(-len(job.member.train) // held["batch"]) for job in jobs)
        together.setdefault((network, jobs[0].member.train.x.shape[-1], steps), []).append((key, jobs))
        work += len(jobs) * held["epochs"] * steps * held["days"]
    waiting, found = [], {}
    with worker_pool(worker_count(settings.device), work) as pool:
        for (network, _, steps), parts in together.items():
            held = settings.of(network)
            jobs = [job for _, some in parts for job in some]
            make = partial(SequenceLSTM, hidden=held["hidden"], activation=held["activation"], dropout=held["dropout"])
            wait = start_ensemble(pool, make, [job.member for job in jobs], epochs=held["epochs"],
                                  patience=held["epochs"], learning_rate=held["learning_rate"], batch=held["batch"],
                                  steps=steps, device=settings.device, progress=progress, chunk=settings.chunk,
                                  checkpoints=checkpoints, name=f"{name}, {network}", loss=function)
            waiting.append((parts, wait))
        for parts, wait in waiting:
            ensemble, first = wait(), 0
            for key, some in parts:
                found[key] = _part(some, ensemble, first)
                first += len(some)
    return {key: found[key] for key in batches}


def with_stations(matched):
    """The cells of a `Matched` in which stations stand, as (Matched, their numbers)."""
    at = np.flatnonzero(matched.cells["stations"].to_numpy() > 0)
    return cells_of(matched, at), at


def cells_of(matched, at):
    """Some cells of a `Matched`."""
    arrays = {name: value[at] for name, value in vars(matched).items()
              if isinstance(value, np.ndarray) and name != "time"}
    return replace(matched, cells=matched.cells.iloc[at].reset_index(drop=True), **arrays)


def _part(jobs, ensemble, first):
    """The `Trained` of some members of an ensemble, with no tie to the others."""
    rows = slice(first, first + len(jobs))
    own = type(ensemble)(ensemble.network, {name: w[rows] for name, w in ensemble.weights.items()},
                         *(getattr(ensemble, key)[rows] for key in ("best_epoch", "epochs", "train_loss",
                                                                    "validation_loss", "seconds")))
    return Trained(jobs, own)


def _cut(data, settings):
    return Cut(len(data.time), settings.of(data.network)["days"])


def _job(name, inputs, scale, cut, x, target, time, settings):
    train, validation = training_and_validation(cut, x, target, time)
    if not len(train) or not len(validation):
        raise ValueError(f"{name}: {len(train)} sequences to train on and {len(validation)} to choose the epoch on")
    return Job(name, cut, inputs, scale, Member(train, validation, zlib.crc32(f"{settings.seed} {name}".encode())))


def _loss(name):
    if name not in LOSSES:
        raise ValueError(f"no loss {name!r}; there are {', '.join(LOSSES)}")
    return LOSSES[name]
