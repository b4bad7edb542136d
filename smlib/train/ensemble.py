"""The loop of `smlib.train.loop` for many members at once: one network's sites, depths and repetitions side by side.

Every tensor of the network gets a leading member axis (`torch.func.vmap`), and one optimiser moves all members. Each
keeps its own data, batches, initial weights, best checkpoint and early stop, and ends where it would have ended alone.
"""

import copy
import tempfile
import threading
import time
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.func import functional_call, stack_module_state, vmap
from tqdm import tqdm

from smlib.data.windows import Windows
from smlib.train.checkpoint import Checkpoint, fingerprint
from smlib.train.loop import JUDGE, TRAIN, draw_kept, draw_rows, optimisers_of, pick_device, squared_error, update
from smlib.train.workers import worker_count, worker_pool

# Members that one worker trains together: fewer, and Python's part of the time grows; more, and their numbers no longer
# fit the cache of a core, or the memory of a GPU.
CHUNK = {"cpu": 192, "cuda": 4096}
# A member's numbers must not depend on the others, and the last numbers of a tensor that do not fill a vector register
# are computed by other instructions than the rest: so the member axis is filled up to a multiple of this.
FILL = 16 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 8
ROWS = 128  # windows judged or forecast at once: one shape for all, so that a member's numbers do not hang on others

STARTING = threading.Lock()  # torch has one generator for all threads


@dataclass(frozen=True)
class Member:
    """What one member is trained on; members of one level may share their windows (they are stored once)."""

    train: Windows
    validation: Windows
    seed: int


@dataclass(frozen=True)
class Ensemble:
    """Trained members.

    Attributes
    ----------
    network : torch.nn.Module, the architecture
    weights : name -> (member, ...), each member's best epoch; NaN where no validation loss was ever finite
    best_epoch, epochs : (member,) int, the epoch kept and the epochs trained
    train_loss, validation_loss : (member, epoch), NaN after a member's stop
    seconds : (member,), of one core or device: each chunk's time shared by its members' epochs
    """

    network: torch.nn.Module
    weights: dict
    best_epoch: np.ndarray
    epochs: np.ndarray
    train_loss: np.ndarray
    validation_loss: np.ndarray
    seconds: np.ndarray

    def member(self, k):
        """One member as an ordinary network."""
        network = copy.deepcopy(self.network)
        network.load_state_dict({name: value[k] for name, value in self.weights.items()}, strict=False)
        return network

    def predict(self, x, members):
        """What the network gives, (len(members), sample), or (len(members), sample, day) of one of sequences.

        x: scaled windows ([member,] sample, lookback, feature). NaN where a member failed.
        """
        n, members = len(members), _filled(np.asarray(members))
        weights = {name: value[members] for name, value in self.weights.items()}
        device, dtype = next((v.device, v.dtype) for v in weights.values())
        x = torch.as_tensor(x, dtype=dtype, device=device)
        x = x.expand(len(members), *x.shape[-3:]) if x.ndim == 3 else x[_filled(np.arange(n))]
        call, size = _mapped(self.network), x.shape[1]
        with torch.no_grad():
            found = [call(weights, _whole_block(x[:, k:k + ROWS]))[:, :size - k] for k in range(0, size, ROWS)]
        return torch.cat(found, 1)[:n].cpu().numpy().astype(np.float64)


def train_ensemble(make, members, *, epochs=1500, patience=1500, learning_rate=1e-3, batch=50, steps=20,
                   validation_batch=None, device="auto", dtype=torch.float32, progress=False, chunk=None, workers=None,
                   checkpoints=None, name="ensemble", loss=squared_error):
    """Train ``make(features)`` for every member; the settings are those of `smlib.train.train`.

    Parameters
    ----------
    make : callable, ``make(features) -> torch.nn.Module`` from (batch, lookback, feature) to (batch,)
    members : list of Member, whose windows have the same features
    chunk : members trained together; the results do not depend on it, nor on `workers`
    workers : how many train chunks side by side, each on one core; by default all cores, on a GPU one
    checkpoints : folder, or None. Work is kept there as it goes, and a killed call goes on from it to the same bits.
    name : what the progress bar says
    epochs, patience, learning_rate, batch, steps, validation_batch, device, dtype, progress, loss
        As for `smlib.train.train`.
    """
    device = pick_device(device)
    workers = workers or worker_count(device)
    chunk = chunk or min(CHUNK.get(device.type, 96), _round_up(-(-len(members) // workers)))
    with worker_pool(workers, len(members) * epochs * steps) as pool:
        return start_ensemble(pool, make, members, epochs=epochs, patience=patience, learning_rate=learning_rate,
                              batch=batch, steps=steps, validation_batch=validation_batch, device=device, dtype=dtype,
                              progress=progress, chunk=chunk, checkpoints=checkpoints, name=name, loss=loss)()


def start_ensemble(pool, make, members, *, epochs=1500, patience=1500, learning_rate=1e-3, batch=50, steps=20,
                   validation_batch=None, device="auto", dtype=torch.float32, progress=False, chunk=None,
                   checkpoints=None, name="ensemble", loss=squared_error):
    """`train_ensemble` by the workers of `pool`, which several ensembles can share; returns a function that waits.

    Parameters
    ----------
    pool
        What `smlib.train.worker_pool` gave.
    make, members, epochs, patience, learning_rate, batch, steps, validation_batch
        As for `train_ensemble`.
    device, dtype, progress, chunk, checkpoints, name, loss
        As for `train_ensemble`.

    Raises
    ------
    ValueError
        If the members differ in their number of features.
    """
    device = pick_device(device)
    features = {m.train.x.shape[2] for m in members}
    if len(features) != 1:
        raise ValueError(f"the members of an ensemble must have the same number of features, not {sorted(features)}")
    settings = {"epochs": epochs, "patience": patience, "learning_rate": learning_rate, "batch": batch, "steps": steps,
                "validation_batch": validation_batch}
    chunk = chunk or CHUNK.get(device.type, 96)
    parts = [members[k:k + chunk] for k in range(0, len(members), chunk)]
    folder = tempfile.TemporaryDirectory()
    tallies = [_Tally(Path(folder.name) / str(k)) for k in range(len(parts))]
    jobs = [pool.submit(_train_part, make, part, settings, loss, device, dtype, checkpoints, tally)
            for part, tally in zip(parts, tallies, strict=True)]

    def result():
        with folder, tqdm(total=len(members) * epochs, desc=name, unit="epoch", leave=False,
                          **({} if progress else {"disable": True})) as bar:
            waiting = True
            while waiting:
                waiting = wait(jobs, timeout=0.5).not_done
                counts, losses = np.transpose([tally.read() for tally in tallies])
                bar.set_postfix(validation=f"{np.nanmean(losses):.2e}" if np.isfinite(losses).any() else "?",
                                refresh=False)
                bar.update(max(int(counts.sum()) - bar.n, 0))
                if any(j.done() and j.exception() for j in jobs):
                    break
            for job in jobs:
                job.cancel()
            done = [job.result() for job in jobs if not job.cancelled()]
        network = _start(make, features.copy().pop(), members[0].seed).to(device, dtype)
        return Ensemble(network, {n: torch.cat([d["best"][n] for d in done]) for n in done[0]["best"]},
                        *(np.concatenate([d[key] for d in done]) for key in
                          ("best_epoch", "epochs", "train_loss", "validation_loss", "seconds")))

    return result


def _train_part(make, members, settings, loss, device, dtype, checkpoints, tally):
    """One worker's job: the state of a trained chunk."""
    networks = [_start(make, m.train.x.shape[2], m.seed).to(dtype) for m in members]
    keep = checkpoints and Checkpoint(checkpoints, fingerprint(networks[0], members, settings, dtype, device, loss))
    return _Chunk(networks, members, settings, loss, device, dtype, keep, tally).train()


class _Tally:
    """How far one chunk is, in a small file that the worker writes and whoever waits reads."""

    def __init__(self, path):
        self.path = str(path)
        np.array([0, np.nan]).tofile(self.path)

    def write(self, epochs, loss):
        np.array([epochs, loss]).tofile(self.path)

    def read(self):
        """Epochs of all members that are done, and a median validation loss; NaN before the first."""
        found = np.fromfile(self.path)
        return found if len(found) == 2 else np.array([0, np.nan])


class _Chunk:
    """Members trained together by one worker: their state, and the loop over epochs."""

    def __init__(self, networks, members, settings, loss, device, dtype, checkpoint, tally):
        self.network = networks[0]
        self.members, self.settings, self.loss, self.device, self.dtype = members, settings, loss, device, dtype
        self.checkpoint, self.tally = checkpoint, tally
        self.call = _mapped(copy.deepcopy(self.network).to(device))
        params, _ = stack_module_state(networks)
        n = len(members)
        self.alive = np.arange(n)
        start = torch.as_tensor(_filled(self.alive))
        self.weights = {name: p.detach()[start].to(device).requires_grad_() for name, p in params.items()}
        self.optimisers = optimisers_of(self.network, self.weights, settings["learning_rate"])
        losses = np.full((n, settings["epochs"]), np.nan)
        self.done = {"best": {name: torch.full_like(p[:n], torch.nan).detach() for name, p in self.weights.items()},
                     "lowest": np.full(n, np.inf), "best_epoch": np.zeros(n, int), "epochs": np.zeros(n, int),
                     "train_loss": losses, "validation_loss": losses.copy(), "seconds": np.zeros(n)}
        self.train_data = _Store([m.train for m in members], device, dtype)
        self.validation_data = _Store([m.validation for m in members], device, dtype)

    def train(self):
        """All epochs; returns what `Ensemble` is made of."""
        epoch, start = self._resume(), time.perf_counter()
        spent = self.done["seconds"].sum()
        while epoch < self.settings["epochs"] and len(self.alive):
            epoch += 1
            stopped = self._epoch(epoch)
            self.done["seconds"] = (spent + time.perf_counter() - start) * _share(self.done["epochs"])
            if stopped.any():
                self._repack(~stopped)
            self._tell(epoch)
            if self.checkpoint:
                self.checkpoint.keep(lambda at=epoch: self._state(at), at_once=False)
        if self.checkpoint:
            self.checkpoint.keep(lambda: self._state(epoch), at_once=True)
        return self.done

    def _tell(self, epoch):
        stopped = len(self.members) - len(self.alive)
        self.tally.write(len(self.alive) * epoch + stopped * self.settings["epochs"], np.median(self.done["lowest"]))

    def _epoch(self, epoch):
        """Train and judge every living member for one epoch; returns which of them stop after it."""
        s, alive, done = self.settings, self.alive, self.done

        def call(*inputs):
            return self.call(self.weights, *inputs)

        n, filled = len(alive), _filled(alive)
        rows = self.train_data.draw(self.members, filled, epoch, TRAIN, (s["steps"], s["batch"]))
        kept = self._kept(filled, epoch)
        running = sum(update(call, self.network, self.optimisers, *self.train_data.take(rows[:, k]), self.loss, kept(k))
                      for k in range(s["steps"]))
        with torch.no_grad():
            judged = self._judge(call, filled, epoch)[:n]
        better = judged < done["lowest"][alive]
        at = alive[better]
        done["lowest"][at], done["best_epoch"][at], done["epochs"][alive] = judged[better], epoch, epoch
        here, there = (torch.as_tensor(a, device=self.device) for a in (np.flatnonzero(better), at))
        for name, p in self.weights.items():
            done["best"][name].index_copy_(0, there, p.detach()[here])
        done["train_loss"][alive, epoch - 1] = (running / s["steps"])[:n].cpu().numpy()
        done["validation_loss"][alive, epoch - 1] = judged
        return ~better & (epoch - done["best_epoch"][alive] >= s["patience"])

    def _kept(self, members, epoch):
        """What dropout leaves of the hidden units in step k: a function of k to (member, batch, hidden), or None."""
        dropout, s = getattr(self.network, "dropout", 0), self.settings
        if not dropout:
            return lambda k: None
        shape = (s["steps"], s["batch"], self.network.hidden)
        drawn = torch.as_tensor(np.stack([draw_kept(self.members[m].seed, epoch, dropout, shape) for m in members]),
                                dtype=self.dtype, device=self.device)
        return lambda k: drawn[:, k]

    def _judge(self, call, members, epoch):
        """Mean loss of `members` on their validation windows: (member,) float64."""
        data, size = self.validation_data, self.settings["validation_batch"]
        if size:
            x, y = data.take(data.draw(self.members, members, epoch, JUDGE, (size,)))
            return torch.mean(self.loss(call(x), y), -1).cpu().numpy().astype(float)
        counts = data.counts[members]
        total = np.zeros(len(members))
        for k in range(0, counts.max(), ROWS):
            rows = k + np.arange(ROWS)
            x, y = data.take(torch.as_tensor(data.base[members][:, None] + np.minimum(rows, counts[:, None] - 1),
                                             device=self.device))
            total += np.where(rows < counts[:, None], self.loss(call(x), y).cpu().numpy().astype(float), 0).sum(1)
        return total / counts

    def _repack(self, keep):
        """Go on with the members that are to be kept, and with their part of the optimisers' state."""
        self.alive = self.alive[keep]
        if not len(self.alive):
            return
        rows = torch.as_tensor(_filled(np.flatnonzero(keep)), device=self.device)
        for p in self.weights.values():
            p.data, p.grad = p.data[rows], None
        for optimiser in self.optimisers.values():
            for state in optimiser.state.values():
                for key in ("exp_avg", "exp_avg_sq"):
                    state[key] = state[key][rows]

    def _state(self, epoch):
        return {"epoch": epoch, "alive": self.alive, "done": self.done,
                "weights": {name: p.detach() for name, p in self.weights.items()},
                "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()}}

    def _resume(self):
        state = self.checkpoint.read(self.device) if self.checkpoint else None
        if state is None:
            return 0
        self.alive, self.done = state["alive"], state["done"]
        for name, p in self.weights.items():
            p.data = state["weights"][name]
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self._tell(state["epoch"])
        return state["epoch"]


class _Store:
    """Windows of all members as one table, each set once, and where each member's rows begin."""

    def __init__(self, windows, device, dtype):
        unique = list({id(w): w for w in windows}.values())
        ends = dict(zip(map(id, unique), np.cumsum([0, *map(len, unique)]), strict=False))
        self.base, self.counts = np.array([ends[id(w)] for w in windows]), np.array([len(w) for w in windows])
        self.x = torch.as_tensor(np.concatenate([w.x for w in unique]), dtype=dtype, device=device)
        self.y = torch.as_tensor(np.concatenate([w.y for w in unique]), dtype=dtype, device=device)

    def draw(self, members, alive, epoch, stream, shape):
        """Random rows (member, *shape) of the table, each member drawing from its own windows with its own seed."""
        drawn = [self.base[k] + draw_rows(members[k].seed, epoch, stream, self.counts[k], shape) for k in alive]
        return torch.as_tensor(np.stack(drawn), device=self.x.device)

    def take(self, rows):
        """x (member, row, lookback, feature) and y (member, row, ...)."""
        return self.x[rows], self.y[rows]


def _filled(members):
    """Member numbers, the last repeated up to a multiple of FILL."""
    return np.concatenate([members, np.repeat(members[-1:], -len(members) % FILL)])


def _mapped(network):
    """call(weights, x[, y]) with a leading member axis on weights, inputs and output."""
    return vmap(lambda weights, *inputs: functional_call(network, weights, inputs))


def _round_up(n):
    return -(-n // FILL) * FILL


def _start(make, features, seed):
    """The network with the start weights of `seed`, whatever other threads start at the time."""
    with STARTING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(features)


def _whole_block(x):
    """The last block filled up to ROWS with repeats of its last row."""
    return torch.cat([x, x[:, -1:].expand(-1, ROWS - x.shape[1], -1, -1)], 1)


def _share(epochs):
    return epochs / epochs.sum()
