"""The networks of both studies, trained once: weights, histories and outputs lie under a hash of all that decides them.

A network that sees the layer above is trained on the outputs of the network of that layer, not on the land model's
moisture there: on test days nothing else is to be had.
"""

import hashlib
import json
import os
import shutil
import time
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path

import dask.array
import numpy as np
import pandas as pd
import torch
import xarray as xr
import zarr
from filelock import FileLock

from smlib import determinism, paths
from smlib.conus.data import open_study
from smlib.conus.scenarios import IN_MEMORY, STATE, Scaler, channels, target, target_scaler
from smlib.data.patches import LOOKBACK, PatchSource, issue_days
from smlib.data.schema import DataError
from smlib.models import stacked
from smlib.train.distributed import place
from smlib.train.loop import pick_device
from smlib.train.losses import LOSSES, rmse_loss
from smlib.train.patched import predict, train_patched
from smlib.train.workers import side_by_side

HERE = Path(__file__).resolve()
CODE = sorted([*HERE.parents[1].glob("train/*.py"), *(HERE.parents[1] / "models" / f"{name}.py" for name in
                                                      ("cells", "convlstm", "stacked")),
               HERE.parents[1] / "data" / "patches.py", *(HERE.with_name(f"{name}.py") for name in
                                                          ("data", "scenarios", "training"))])


@dataclass(frozen=True)
class Settings:
    """How networks are built and trained; unknown names are an error.

    Attributes
    ----------
    width, layers : share of the papers' filters, and how many of their layers (None: all)
    dropout, batch, learning_rate, epochs, patience : as in the papers by default
    share, validation_share : share of all patches that an epoch is trained and judged on
    forecast_loss : "forecast", or "printed" as in the paper's Eq. 8
    level : "batch" or "patch", see `smlib.train.losses`
    predict_stride : cells between the patches that a field is put together from; 2 in the papers, 8 is no overlap
    seed, device
    """

    width: float = 1.0
    layers: int | None = None
    dropout: float = 0.2
    batch: int = 32
    learning_rate: float = 1e-3
    epochs: int = 200
    patience: int = 20
    share: float = 1.0
    validation_share: float = 1.0
    forecast_loss: str = "forecast"
    level: str = "batch"
    predict_stride: int = 2
    seed: int = 0
    device: str = "auto"

    @classmethod
    def of(cls, values):
        """Settings of a mapping, or an error that names what is not one."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"no setting {', '.join(unknown)}; there are {', '.join(f.name for f in fields(cls))}")
        return cls(**values)


@dataclass(frozen=True)
class Opening:
    """How to open the `Study` again, in another process: the arguments of `open_study`."""

    source: str = "twin"
    scale: str = "smoke"
    seed: int = 0
    split: tuple | None = None


@dataclass(frozen=True)
class Trained:
    """A trained network and all that it made.

    Attributes
    ----------
    scenario : Scenario
    model : its `Stack`, on the CPU
    history : DataFrame epoch, train_loss, validation_loss, dropped, learning_rate, seconds
    made : (time, lead, y, x) DataArray of m3 m-3, opened lazily; ``time`` is the issue day, a lead of 0 is that day.
        All days if a network below is trained on them, else those of the test period
    seconds : mapping of "training" and "prediction" -> s
    path : file of its weights
    """

    scenario: object
    model: object
    history: pd.DataFrame
    made: xr.DataArray
    seconds: dict
    path: Path


@lru_cache(4)
def open_again(opening):
    """The `Study` of an `Opening`; the same one while this process lives."""
    return open_study(**asdict(opening))


def build(scenario, inputs, settings):
    """The untrained network of a scenario with so many channels."""
    kind = getattr(stacked, scenario.study)
    full = stacked.ESTIMATION if scenario.study == "estimation" else stacked.FORECAST
    more = {"leads": scenario.leads} if scenario.study == "forecast" else {}
    return kind(inputs, stacked.narrowed(full, settings.width, settings.layers, least=1 if settings.width == 1 else 4),
                dropout=settings.dropout, **more)


def loss_of(scenario, settings):
    """The study's loss: the surface's estimate agrees with two products, what lies below it with the land model."""
    if scenario.study == "forecast":
        if settings.forecast_loss not in ("forecast", "printed"):
            raise ValueError(f"forecast_loss must be forecast or printed, not {settings.forecast_loss!r}")
        return partial(LOSSES[settings.forecast_loss], level=settings.level)
    return partial(LOSSES["estimation"] if scenario.layer == 1 else rmse_loss, level=settings.level)


def train_all(opening, scenarios, settings):
    """Train the networks of `scenarios`, and those whose outputs they see, or read what was trained before.

    On a CPU so many at a time as there are cores, in processes of their own; that changes no number.

    Returns
    -------
    dict of `Scenario` -> `Trained`, in the order asked
    """
    todo = []
    for scenario in scenarios:
        while scenario is not None and scenario not in todo:
            todo.append(scenario)
            scenario = scenario.upper
    todo = sorted((one for one in todo if not _is_there(_stem(opening, one, settings))), key=lambda one: one.layer)
    if todo:
        open_again(opening)  # made once, before several processes would wait for it
    running = {}
    with side_by_side(settings.device, len(todo) > 1 and opening.scale != "smoke") as submit:
        waiting = list(todo)
        while waiting or running:
            ready = [one for one in waiting if one.upper not in todo or _is_there(_stem(opening, one.upper, settings))]
            for one in ready:
                waiting.remove(one)
                running[submit(train_one, opening, one, settings)] = one
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                del running[future]
    return {one: read(opening, one, settings) for one in scenarios}


def train_one(opening, scenario, settings):
    """Train a network and let it make its fields of all days, unless another process did meanwhile.

    The record comes last, and says that all the rest is whole. Under torchrun all processes train, and the first one
    writes.
    """
    stem, (rank, processes) = _stem(opening, scenario, settings), place()
    stem.parent.mkdir(parents=True, exist_ok=True)
    if processes > 1:
        _train(stem, opening, scenario, settings, rank)
        torch.distributed.barrier()  # the next network may see what the first process has just written
        return
    with FileLock(f"{stem}.lock"):
        if not _is_there(stem):
            _train(stem, opening, scenario, settings)


def _train(stem, opening, scenario, settings, rank=0):
    determinism.fix(settings.seed, torch.get_num_threads())
    study, inputs, fixed, goal, scaler = _prepared(opening, replace(scenario, upper=None))
    if scenario.upper is not None:
        above = read(opening, scenario.upper, settings)
        upper = target_scaler(study, scenario.upper.layer).of(above.made).reindex(time=study.cube["time"].values)
        inputs = (np.concatenate([inputs, upper.values.astype(np.float32)], 1) if isinstance(inputs, np.ndarray) else
                  dask.array.concatenate([inputs, upper.data.astype(np.float32)], 1))
    common = {"statics": fixed, "leads": scenario.leads}
    parts = [PatchSource(inputs, goal, _issues(study, name, scenario.leads), **common)
             for name in ("train", "validation")]
    model = build(scenario, parts[0].channels, settings)
    begun = time.perf_counter()
    model, history = train_patched(model, *parts, loss_of(scenario, settings), epochs=settings.epochs,
                                   patience=settings.patience, learning_rate=settings.learning_rate,
                                   batch=settings.batch, share=settings.share,
                                   validation_share=settings.validation_share, device=settings.device,
                                   seed=settings.seed)
    if rank:
        return
    seconds = {"training": time.perf_counter() - begun}
    days = _days_made(study, scenario)
    whole = PatchSource(inputs, goal[:, :1], days, stride=settings.predict_stride, **common)
    begun = time.perf_counter()
    _write_fields(stem.with_name(stem.name + ".zarr"), model, whole, settings.device)
    seconds["prediction"] = time.perf_counter() - begun
    stacked.save_stack(stem.with_name(stem.name + ".safetensors"), model)
    record = {"history": history.to_dict("list"), "seconds": seconds, "scaler": asdict(scaler),
              "settings": asdict(settings), "scenario": scenario.label, "channels": parts[0].channels}
    aside = Path(f"{stem}.json.part")
    aside.write_text(json.dumps(record))
    os.replace(aside, stem.with_name(stem.name + ".json"))


def _issues(study, name, leads):
    """Issue days of a period, their lookback and targets in it, or a clear error."""
    period = study.periods[name]
    days = issue_days(period.start, period.stop, leads=leads)
    if not len(days):
        raise DataError(f"a {name} period of {period.stop - period.start} days is too short for a lookback of "
                        f"{LOOKBACK} days and a lead of {max(leads)}", variable="time")
    return days


def _days_made(study, scenario):
    """Issue days of the fields that are kept: all, or those of the test period where no other network needs more."""
    first = 0 if scenario.feeds else study.periods["test"].start - LOOKBACK + 1
    return issue_days(first, len(study.time), leads=scenario.leads)


def _write_fields(path, model, source, device):
    """The outputs of all days to a Zarr array (day, lead, y, x): at once, or day by day where they are too many."""
    shape = (len(source.days), source.outputs, *source.shape)
    held = 4 * np.prod(shape) < IN_MEMORY
    shutil.rmtree(path, ignore_errors=True)  # of one that was killed
    out = zarr.create_array(path, shape=shape, chunks=(min(32, len(source.days)) if held else 1, *shape[1:]),
                            dtype="float32", fill_value=np.nan)
    if held:
        out[:] = predict(model, source, device=device)
    else:
        predict(model, source, out=out, device=device)


@lru_cache(2)
def _prepared(opening, scenario):
    study = open_again(opening)
    scaler = target_scaler(study, scenario.layer)
    return study, *channels(study, scenario), target(study, scenario, scaler), scaler


def read(opening, scenario, settings):
    """What `train_one` has left of a network."""
    stem = _stem(opening, scenario, settings)
    record = json.loads(stem.with_name(stem.name + ".json").read_text())
    path = stem.with_name(stem.name + ".safetensors")
    study, scaler = open_again(opening), Scaler(**record["scaler"])
    fields_made = dask.array.from_zarr(zarr.open_array(stem.with_name(stem.name + ".zarr"), mode="r"))
    days = study.cube["time"].values[_days_made(study, scenario)]
    da = xr.DataArray(fields_made, dims=("time", "lead", "y", "x"), name=STATE, attrs={"units": "m3 m-3"},
                      coords={"time": days, "lead": list(scenario.leads), "lat": study.cube["lat"],
                              "lon": study.cube["lon"]})
    return Trained(scenario, stacked.load_stack(path), pd.DataFrame(record["history"]),
                   scaler.back(da).assign_attrs(da.attrs), record["seconds"], path)


def keep_weights(run, trained):
    """Put the weights' files into a run's results, ``weights/<scenario>.safetensors``."""
    folder = run.path / "weights"
    folder.mkdir(exist_ok=True)
    for one in trained.values():
        shutil.copyfile(one.path, folder / f"{one.scenario.label.replace(' ', '_')}.safetensors")


def _stem(opening, scenario, settings):
    return paths.LOCAL / "networks" / f"conus-{scenario.label.replace(' ', '-')}-{_key(opening, scenario, settings)}"


def _key(opening, scenario, settings):
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in CODE))
    study = open_again(opening)
    days = {name: [days.start, days.stop] for name, days in study.periods.items()}
    kind = pick_device(settings.device).type
    digest.update(json.dumps([asdict(scenario), asdict(settings) | {"device": kind}, days, study.key, torch.__version__,
                              np.__version__, LOOKBACK], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _is_there(stem):
    return stem.with_name(stem.name + ".json").exists()
