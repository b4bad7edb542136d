"""The station study: every model at every level, forecast on the same days."""

import pickle
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from smlib.data.windows import LOOKBACK
from smlib.evaluate.entrants import entrant
from smlib.models import BASELINES, MODELS, NETWORKS, Increment, Network, build, is_random, network_of
from smlib.models.increment import TARGETS, IncrementScaler
from smlib.rollout import roll_out
from smlib.stations.levels import prepare_all, seed_of
from smlib.train import Member, start_ensemble, worker_count, worker_pool

FITS = ("model", "target", "site", "level", "repetition", "fit_s", "forecast_s", "epochs", "best_epoch",
        "validation_loss", "parameters", "bytes")


@dataclass(frozen=True)
class Forecasts:
    """What the models said about one level of one site.

    Attributes
    ----------
    series : Series
    values : mapping of entrant -> (repetition, origin, lead), m3 m-3; NaN where a fit failed
    observed : (origin, lead), m3 m-3
    origins : (origin,) datetime64[D], the last day whose moisture was known
    leads : days ahead
    periods : mapping of train, validation, test -> (first, last) target day
    samples : mapping of train, validation, test -> number of windows
    """

    series: object
    values: dict
    observed: np.ndarray
    origins: np.ndarray
    leads: tuple
    periods: dict
    samples: dict


@dataclass(frozen=True)
class Study:
    """All forecasts of a station dataset, and what they took.

    Attributes
    ----------
    done : list of Forecasts, site by site and from the top down
    left_out : DataFrame site, level, reason
    fits : DataFrame, a row a fit, with the columns `FITS`; seconds of one core or device
    history : DataFrame model, target, epoch, members, train_loss, validation_loss: the mean over the members that still
        trained, in squared units of the scaled target, which are not the same for the two targets
    levels : list of Level, as `done`
    fitted : mapping of (model, target) -> list a level of lists a repetition of estimators; empty unless asked for
    """

    done: list
    left_out: pd.DataFrame
    fits: pd.DataFrame
    history: pd.DataFrame
    levels: list
    fitted: dict


def forecast_all(ds, *, models=tuple(MODELS), targets=TARGETS, leads=(1, 3, 7), lookback=LOOKBACK, protocol="strict",
                 repetitions=1, seed=0, network=None, progress=True, checkpoints=None, keep=False):
    """Fit every model to every level that has soil moisture, and forecast its test period (Wang et al. 2024, Sect. 3).

    Parameters
    ----------
    targets : ``value``, the moisture itself as in the paper, and ``increment``, the day's change
    protocol : str
        ``strict``: scaler fitted on the training windows, checkpoint judged on the whole validation set. ``paper``: as
        in the published code, scaler fitted on the whole series, checkpoint judged on one random batch of 50, and the
        code's settings where they differ from the paper's.
    repetitions : int
        Fits of each model that draws random numbers.
    network : mapping
        Settings of the networks' training (epochs, patience, device, ...), for `smlib.train.train_ensemble`; they go
        before those of the protocol.
    checkpoints : folder for unfinished training, or None
    keep : whether to return the fitted models too
    """
    levels, left_out = prepare_all(ds, leads=leads, lookback=lookback, protocol=protocol)
    network = ({"validation_batch": 50} if protocol == "paper" else {}) | dict(network or {})
    values, fits, history, fitted = [{} for _ in levels], [], [], {}
    jobs = [(name, target) for name in models for target in (targets if name not in BASELINES else ("value",))]
    bar = tqdm([job for job in jobs if job[0] not in NETWORKS], unit="model", leave=False,
               **({} if progress else {"disable": True}))
    for name, target in bar:
        bar.set_description(entrant(name, target))
        kept = []
        for level, into in zip(levels, values, strict=True):
            seeds = [_seed(seed, level, name, k) for k in range(repetitions if is_random(name) else 1)]
            into[entrant(name, target)], rows, models_ = _fit_each(level, name, target, seeds)
            fits += rows
            kept.append(models_)
        if keep:
            fitted[name, target] = kept
    networks = [name for name in models if name in NETWORKS]
    member_steps = len(levels) * len(networks) * len(targets) * repetitions * network.get("epochs", 1500) * 20
    with worker_pool(worker_count(network.get("device", "auto")), member_steps) as pool:
        settings = dict(network, progress=progress, checkpoints=checkpoints)
        started = [_Group(levels, name, features, targets, repetitions, seed, network_of(name, protocol, lookback),
                          pool, settings)
                   for name in networks for features in sorted({level.train.x.shape[2] for level in levels})]
        for group in started:
            rows, curves = group.forecast(levels, values, fitted if keep else None)
            fits += rows
            history += curves
    order = [entrant(*job) for job in jobs]
    done = [Forecasts(level.series, {e: v[e] for e in order}, level.test.observed, level.test.time, tuple(leads),
                      level.periods, level.samples) for level, v in zip(levels, values, strict=True)]
    return Study(done, left_out, pd.DataFrame(fits, columns=FITS),
                 _merged(history) if history else pd.DataFrame(), levels, fitted)


def _seed(seed, level, name, repetition):
    """The same for both targets, which so start from the same weights and see the same batches."""
    return seed_of(seed, level.series.site, level.series.level, name, repetition)


def _fit_each(level, name, target, seeds):
    """A model that is no network at one level: forecasts (repetition, origin, lead), rows of `FITS`, the models."""
    runs, rows, models = [], [], []
    for repetition, fit_seed in enumerate(seeds):
        start = time.perf_counter()
        model = build(name, fit_seed, target).fit(level.train, level.validation)
        fitted = time.perf_counter()
        runs.append(level.scaler.inverse(roll_out(model, level.test)))
        rows.append((name, target, level.series.site, level.series.label, repetition, fitted - start,
                     time.perf_counter() - fitted, np.nan, np.nan, np.nan, np.nan, len(pickle.dumps(model))))
        models.append(model)
    return np.stack(runs), rows, models


class _Members:
    """Some members of an ensemble as one model, whose forecasts have a leading member axis."""

    def __init__(self, ensemble, members, scaler):
        self.ensemble, self.members, self.scaler = ensemble, members, scaler

    def predict(self, windows):
        y = self.ensemble.predict(windows.x, self.members)
        return self.scaler.inverse(y, windows.x[..., -1, -1]) if self.scaler else y


class _Group:
    """A network at all levels with the same number of features: one ensemble of level x target x repetition."""

    def __init__(self, levels, name, features, targets, repetitions, seed, make, pool, settings):
        self.name, self.make, self.slices, members = name, make, {}, []
        for k, level in enumerate(levels):
            if level.train.x.shape[2] != features:
                continue
            for target in targets:
                scaler, train, validation = None, level.train, level.validation
                if target == "increment":
                    scaler = IncrementScaler().fit(train)
                    train, validation = scaler.transform(train), scaler.transform(validation)
                self.slices[k, target] = scaler, np.arange(len(members), len(members) + repetitions)
                members += [Member(train, validation, _seed(seed, level, name, r)) for r in range(repetitions)]
        self.result = start_ensemble(pool, make, members, name=name, **settings)

    def forecast(self, levels, values, fitted):
        """Wait for the training; put forecasts into `values`, models into `fitted`; rows of `FITS`, learning curves."""
        ensemble, rows, curves = self.result(), [], []
        size = sum(p.numel() for p in ensemble.network.parameters())
        for (k, target), (scaler, mine) in self.slices.items():
            level, start = levels[k], time.perf_counter()
            values[k][entrant(self.name, target)] = level.scaler.inverse(
                roll_out(_Members(ensemble, mine, scaler), level.test))
            spent = (time.perf_counter() - start) / len(mine)
            rows += [(self.name, target, level.series.site, level.series.label, r, ensemble.seconds[m], spent,
                      ensemble.epochs[m], ensemble.best_epoch[m],
                      np.nanmin(ensemble.validation_loss[m], initial=np.inf), size, 4 * size)
                     for r, m in enumerate(mine)]
            curves.append(_history(ensemble, mine).assign(model=self.name, target=target))
            if fitted is not None:
                models = [_estimator(ensemble, m, self.make, scaler) for m in mine]
                fitted.setdefault((self.name, target), [None] * len(levels))[k] = models
        return rows, curves


def _history(ensemble, rows):
    """Sums over the members that still trained: epoch, members, train_loss, validation_loss."""
    train, judged = ensemble.train_loss[rows], ensemble.validation_loss[rows]
    return pd.DataFrame({"epoch": np.arange(1, train.shape[1] + 1), "members": np.isfinite(judged).sum(0),
                         "train_loss": np.nansum(train, 0), "validation_loss": np.nansum(judged, 0)})


def _merged(history):
    """Means over all members out of the sums of each level's; epochs that nobody trained left out."""
    table = pd.concat(history).groupby(["model", "target", "epoch"], sort=False).sum().reset_index()
    table = table[table["members"] > 0].copy()
    for column in ("train_loss", "validation_loss"):
        table[column] /= table["members"]
    return table.reset_index(drop=True)


def _estimator(ensemble, member, make, scaler):
    """One member as an estimator with predict(windows)."""
    model = Network(make)
    model.network_ = ensemble.member(member)
    model.device = next(model.network_.parameters()).device
    if scaler is None:
        return model
    outer = Increment(model)
    outer.scaler_, outer.model_ = scaler, model
    return outer
