"""Gap filling by Continuous Recurrent Units."""

import json

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import gaussian_nll_loss

from smlib.gapfill.baselines import Filler
from smlib.gapfill.cells import withhold_mixed
from smlib.gapfill.cru import CRU
from smlib.train.loop import pick_device

ARRAYS = ("mean_", "sd_", "x_mean_", "x_sd_", "c_mean_", "c_sd_")
NUMBERS = ("overall_", "factor_", "validation_")


class ContinuousRecurrent(Filler):
    """CRU on moisture, weather, season and soil; trained by the Gaussian likelihood of days withheld on purpose.

    Moisture in units of the cell's training mean and sd. In every step of the training a quarter of the days of a
    random stretch is withheld, in gaps of 1, 5, 10 or 20 days, and the loss is over these days alone.

    Parameters
    ----------
    smooth : bool
        True, for gap filling: the days on both sides of a gap are used, by a pass forward and one backward that are
        combined by their precision. False: a filter, which uses nothing later than the weather of the day itself.
    fast : bool
        f-CRU, with shared eigenvectors; else full matrices, some ten times slower.
    m, bases, hidden : int
        As for `CRU`.
    steps, batch, length : int
        Optimiser steps (Adam, one cycle of the learning rate), cells in a batch, days in a stretch.
    """

    def __init__(self, smooth=True, fast=True, m=6, bases=8, hidden=32, steps=800, batch=64, length=64,
                 learning_rate=6e-3, device="cpu"):
        self.settings = {"smooth": smooth, "fast": fast, "m": m, "bases": bases, "hidden": hidden, "steps": steps,
                         "batch": batch, "length": length, "learning_rate": learning_rate}
        self.causal = not smooth
        self.device = pick_device(device)

    def _build(self, features):
        s = self.settings
        self.network_ = CRU(features, m=s["m"], bases=s["bases"], hidden=s["hidden"], fast=s["fast"],
                            both=s["smooth"]).to(self.device)

    def _fit(self, train, forcing, rng):
        s = self.settings
        features, cells = forcing.features(ahead=s["smooth"]), self._of_cells(forcing)
        self.x_mean_, self.x_sd_ = features.mean((0, 1)), np.maximum(features.std((0, 1)), 1e-6)
        self.c_mean_, self.c_sd_ = cells.mean(0), np.maximum(cells.std(0), 1e-6)
        x, z = self._inputs(forcing), self._scaled(train)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            self._build(x.shape[-1])
        optimiser = torch.optim.Adam(self.network_.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, s["learning_rate"], max(s["steps"], 2))
        self.losses_ = []
        for _ in range(s["steps"]):
            cells = rng.permutation(len(z))[:s["batch"]]
            start = rng.integers(0, max(z.shape[1] - s["length"], 0) + 1)
            stretch = slice(start, start + s["length"])
            known = z[cells, stretch]
            hidden = withhold_mixed(known, 0.25, rng)
            if not hidden.any():
                continue
            mean, var = self._apply(x[cells, stretch], np.where(hidden, np.nan, known))
            at = torch.as_tensor(hidden, device=self.device)
            loss = gaussian_nll_loss(mean[at], self._tensor(known[hidden]), var[at])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network_.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            self.losses_.append(loss.item())

    def _of_cells(self, forcing):
        return np.concatenate([forcing.constants, self.mean_[:, None], self.sd_[:, None]], 1)

    def _scaled(self, series):
        return (series - self.mean_[:, None]) / self.sd_[:, None]

    def _tensor(self, a):
        return torch.as_tensor(a, dtype=torch.float32, device=self.device)

    def _inputs(self, forcing):
        """(cell, time, features) scaled by training days: the day's, then the cell's."""
        x = (forcing.features(ahead=self.settings["smooth"]) - self.x_mean_) / self.x_sd_
        c = (self._of_cells(forcing) - self.c_mean_) / self.c_sd_
        return np.concatenate([x, np.broadcast_to(c[:, None], (*x.shape[:2], c.shape[1]))], -1).astype("float32")

    def _apply(self, x, z):
        """Mean and variance (cell, time), tensors, in the scale of the cell; NaN in `z` is what is not known."""
        seen = np.isfinite(z)
        y = self._tensor(np.where(seen, z, 0.0)[..., None])
        return self.network_(self._tensor(x), y, torch.as_tensor(seen, device=self.device))

    @torch.no_grad()
    def _estimate(self, series, forcing):
        x, z = self._inputs(forcing), self._scaled(series)
        parts = [self._apply(x[i:i + 512], z[i:i + 512]) for i in range(0, len(z), 512)]
        mean, var = (torch.cat(part).double().cpu().numpy() for part in zip(*parts, strict=True))
        return self.mean_[:, None] + self.sd_[:, None] * mean, self.sd_[:, None] * np.sqrt(var)

    def save(self, path):
        """Weights, scalers and settings into one safetensors file."""
        tensors = {name: torch.as_tensor(getattr(self, name)).contiguous() for name in ARRAYS}
        tensors |= {f"network.{k}": v.cpu().contiguous() for k, v in self.network_.state_dict().items()}
        about = {"settings": self.settings} | {name: getattr(self, name) for name in NUMBERS}
        save_file(tensors, str(path), {"about": json.dumps(about)})


def load(path, device="cpu"):
    """A fitted `ContinuousRecurrent` out of a file that its `save` wrote."""
    with safe_open(str(path), "pt") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    method = ContinuousRecurrent(**about["settings"], device=device)
    for name in NUMBERS:
        setattr(method, name, about[name])
    for name in ARRAYS:
        setattr(method, name, tensors[name].numpy())
    method._build(len(method.x_mean_) + len(method.c_mean_))
    method.network_.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k not in ARRAYS})
    return method
