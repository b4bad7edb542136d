"""The study's networks, trained once: their weights and histories are kept under a hash of all that decides them."""

import ctypes
import gc
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock

from smlib import determinism, paths
from smlib.models.gridded import GRIDDED, parameter_count
from smlib.train.gridded import load_weights, save_weights, train_gridded
from smlib.train.loop import pick_device
from smlib.train.workers import side_by_side

# Behind a ConvLSTM's name: peepholes, tanh in place of ELU, another dropout.
VARIANT = re.compile(r"(ConvLSTM(?:-SE)?) \((?:(peephole)|(tanh)|dropout (\d\.\d+|0|1))\)")
WORTH = 3e6  # cells times windows times epochs times networks from which worker processes pay for their start
NETWORKS = tuple(GRIDDED)
# All that decides what a network becomes; a change in any of these is another network.
CODE = sorted([*(paths.ROOT / "smlib").glob("models/*.py"), *(paths.ROOT / "smlib").glob("train/*.py"),
               paths.ROOT / "smlib" / "determinism.py",
               *(Path(__file__).resolve().with_name(name) for name in ("training.py", "field.py"))])


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes
    ----------
    network : FieldModel with the weights of its best epoch, on the CPU, in evaluation mode
    history : DataFrame epoch, train_loss, validation_loss (squared standard deviations), learning_rate, seconds
    peak_mib : memory that training took beside what the process held before (of the GPU there), NaN if unknown
    path : file of its weights (safetensors)
    """

    network: object
    history: pd.DataFrame
    peak_mib: float
    path: Path


def build(name, field, *, kernel=5, hidden=8, dropout=0.3, lstm_hidden=256, lstm_layers=3):
    """The untrained network of this name for a field: one of `GRIDDED`, or a variant such as "ConvLSTM (peephole)".

    kernel, hidden and dropout are those of the ConvLSTMs, lstm_hidden and lstm_layers the LSTM's.
    """
    varied = VARIANT.fullmatch(name)
    base = varied[1] if varied else name
    if base not in GRIDDED:
        raise ValueError(f"no network {name!r}; there are {', '.join(GRIDDED)}, and ConvLSTMs with (peephole), (tanh) "
                         "or (dropout 0.3) behind them")
    settings = {}
    if base.startswith("ConvLSTM"):
        settings = {"kernel": kernel, "hidden": hidden, "dropout": dropout}
        if varied:
            settings |= {"peephole": bool(varied[2]), "activation": "tanh" if varied[3] else "elu",
                         "dropout": float(varied[4]) if varied[4] else dropout}
    elif base == "LSTM":
        settings = {"hidden": lstm_hidden, "layers": lstm_layers}
    return GRIDDED[base](field.lookback, field.valid, **settings)


def train_all(field, names, *, seed=0, device="auto", epochs=100, patience=50, batch=16, learning_rate=1e-3,
              **settings):
    """Train the networks of these names on a `Field`, or read what was trained before: mapping of name -> `Trained`.

    On a CPU they are trained side by side, one a core, in processes of their own; which core, and what else runs,
    changes nothing. `settings` are those of `build`. Weights are kept in ``data/local/networks``, one file for each
    combination of data, settings, code, versions and kind of device.
    """
    for name in names:
        build(name, field, **settings)  # a wrong name or setting is told before anything is trained
    training = {"epochs": epochs, "patience": patience, "batch": batch, "learning_rate": learning_rate}
    asked = [(field, name, seed, device, training, settings) for name in names]
    kind, folder = pick_device(device).type, paths.LOCAL / "networks"
    stems = [folder / f"{re.sub('[^A-Za-z0-9.-]+', '_', name)}-{_key(kind, *one)}" for name, one in zip(names, asked,
                                                                                                    strict=True)]
    todo = [(stem, one) for stem, one in zip(stems, asked, strict=True) if not _is_there(stem)]
    folder.mkdir(parents=True, exist_ok=True)
    work = field.valid.size * len(field.starts("train")) * epochs * len(todo)
    # The dearest first, or the last core to finish is the only one at work.
    todo.sort(key=lambda job: not job[1][1].startswith("ConvLSTM"))
    with side_by_side(device, len(todo) > 1 and work > WORTH) as submit:
        for future in [submit(_train_once, stem, *one) for stem, one in todo]:
            future.result()
    return {name: _read(stem, build(name, field, **settings)) for name, stem in zip(names, stems, strict=True)}


def keep_weights(run, trained):
    """Put the weights' files into a run's results, ``weights/<network>.safetensors``."""
    folder = run.path / "weights"
    folder.mkdir(exist_ok=True)
    for name, one in trained.items():
        shutil.copyfile(one.path, folder / f"{re.sub('[^A-Za-z0-9.-]+', '_', name)}.safetensors")


def _key(kind, field, name, seed, device, training, settings):
    digest = hashlib.sha256()
    for file in CODE:
        digest.update(file.read_bytes())
    scaled = [[s.mean_, s.std_] for s in field.scalers.values()]
    days = {period: [days.start, days.stop] for period, days in field.periods.items()}
    digest.update(json.dumps([kind, name, seed, training, settings, field.lookback, scaled, days, torch.__version__,
                              np.__version__], sort_keys=True).encode())
    until = field.periods["validation"].stop
    for array in (field.valid, field.truth[:until], field.filled[:until]):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _is_there(stem):
    return all(stem.with_name(stem.name + suffix).exists() for suffix in (".safetensors", ".json"))


def _train_once(stem, field, name, seed, device, training, settings):
    """Train unless another process did meanwhile; the record comes last, and says that the weights are whole."""
    with FileLock(f"{stem}.lock"):
        if _is_there(stem):
            return
        determinism.fix(seed, 1)
        model = build(name, field, **settings)
        cuda = pick_device(device).type == "cuda"
        before = _allocated() if cuda else _resident(reset=True)
        model, history = train_gridded(
            model, field.scaled(field.filled), field.starts("train"), field.starts("validation"), seed=seed,
            device=device, target=field.scaled(field.truth), **training)
        peak = (torch.cuda.max_memory_allocated() / 2**20 if cuda else _resident()) - before
        save_weights(stem.with_name(stem.name + ".safetensors"), model)
        record = {"history": history.to_dict("list"), "peak_mib": None if np.isnan(peak) else peak}
        aside = Path(f"{stem}.json.part")
        aside.write_text(json.dumps(record))
        os.replace(aside, stem.with_name(stem.name + ".json"))


def _read(stem, model):
    record = json.loads(stem.with_name(stem.name + ".json").read_text())
    path = stem.with_name(stem.name + ".safetensors")
    peak = record["peak_mib"]
    return Trained(load_weights(path, model).eval(), pd.DataFrame(record["history"]), np.nan if peak is None else peak,
                   path)


def _allocated():
    """MiB allocated on the GPU, from where its peak is counted anew."""
    torch.cuda.init()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated() / 2**20


def _resident(reset=False):
    """MiB of memory: the most that this process held since the last reset, or what it holds; NaN where unknown.

    Linux alone keeps such a mark, and lets a process set its own back. What earlier work freed goes back to the system
    first, or what comes next would find its memory there and seem to need none.
    """
    try:
        if reset:
            gc.collect()
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"Vm(?:RSS|HWM):\s+(\d+)" if reset else r"VmHWM:\s+(\d+)", status)[1]) / 1024
    except (OSError, TypeError, AttributeError):
        return np.nan


def training_table(trained):
    """DataFrame model, parameters, size_mib, epochs, best_epoch, validation_loss, train_s, peak_mib."""
    rows = []
    for name, one in trained.items():
        best = one.history.loc[one.history["validation_loss"].idxmin()]
        rows.append({"model": name, "parameters": parameter_count(one.network),
                     "size_mib": one.path.stat().st_size / 2**20, "epochs": len(one.history),
                     "best_epoch": int(best["epoch"]), "validation_loss": best["validation_loss"],
                     "train_s": one.history["seconds"].iloc[-1], "peak_mib": one.peak_mib})
    return pd.DataFrame(rows)


def histories(trained):
    """All histories as one DataFrame, with the column model first."""
    return pd.concat([one.history.assign(model=name) for name, one in trained.items()], ignore_index=True)


