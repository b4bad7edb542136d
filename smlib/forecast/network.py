"""The forecast network on a sparse lattice: ConvLSTM along the days, and a head that knows the target day."""

from itertools import pairwise

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from smlib import determinism
from smlib.forecast.baselines import checked, issue_days
from smlib.forecast.predictors import Predictors
from smlib.models.cells import Grid
from smlib.models.stacked import LEADS, Cell
from smlib.train.loop import pick_device
from smlib.train.losses import forecast_loss

FAR = 4.0  # standard deviations: no predictor is let further out, for beyond it nothing was learnt


class Forecaster(nn.Module):
    """ConvLSTM layers of `smlib.models.stacked` run along the days; behind them, for every lead, a small dense head.

    The head also sees the day's predictors themselves, and those of the target day.

    Parameters
    ----------
    today, ahead : int
        Predictors of a day, and of a target day.
    kernel : int
        1: no cell sees another, which is an LSTM that all cells share.
    """

    def __init__(self, today, ahead, leads=5, widths=(32,), kernel=1, hidden=64, dropout=0.1):
        super().__init__()
        self.cells = nn.ModuleList(Cell(n, m, kernel, "tanh") for n, m in pairwise((today, *widths)))
        self.state, self.today = nn.Linear(widths[-1], hidden), nn.Linear(today, hidden)
        self.ahead = nn.Linear(ahead + leads, hidden)
        self.out, self.dropout = nn.Linear(hidden, 1), nn.Dropout(dropout)
        self.register_buffer("which", torch.eye(leads), persistent=False)

    def forward(self, today, ahead, where, skip=0):
        """Increments (day, lead, cell) of all days but the first `skip`, which only build up the state.

        today (day, cell, k), ahead (day, lead, cell, i), where (y, x) bool, the cells in row order.
        """
        h, space = today.new_zeros(len(today), 1, today.shape[-1], *where.shape), Grid(where.to(today.dtype))
        h[:, 0, :, where] = today.transpose(1, 2)
        for cell in self.cells:
            h = self.dropout(cell(h, space))
        h = self.state(h[skip:, 0][..., where].transpose(1, 2)) + self.today(today[skip:])
        which = self.which[:, None].expand(-1, ahead.shape[2], -1).expand(len(h), -1, -1, -1)
        z = torch.relu(h[:, None] + self.ahead(torch.cat([ahead[skip:], which], -1)))
        return self.out(self.dropout(z))[..., 0]


class NetworkForecast(BaseEstimator):
    """`Forecaster` on the error of `DampedAnomaly`, trained on stretches of the training days.

    Adam; the study's loss, 0.5 RMSE + 0.05 (1 - R) by lead over the targets that were observed. Every training day is
    used; the predictors and the number of steps were chosen on the last three months of the training year of measured
    SMAP, with networks of the nine before. (Stretches of days withheld all over the year would not do: they share its
    weather, and there more predictors and steps look better, which do worse in another year.)

    Parameters
    ----------
    where : (y, x) bool array, optional
        The lattice, for kernels beyond 1.
    length, warm, cells : int
        A step trains on one stretch of so many days, of which the first `warm` are in no loss, and, with kernel 1, on
        so many cells drawn at random.
    seeds : sequence of int
        The forecast is the mean of as many networks.
    lean : bool
        See `smlib.forecast.predictors.Predictors`.
    """

    def __init__(self, leads=LEADS, weather="known", where=None, kernel=1, widths=(32,), hidden=64, dropout=0.1,
                 steps=150, length=36, warm=14, cells=100, learning_rate=0.01, weight_decay=1e-3, seeds=(0, 1, 2),
                 lean=True, device="cpu"):
        self.leads, self.weather, self.where, self.kernel, self.widths = leads, weather, where, kernel, widths
        self.hidden, self.dropout, self.steps, self.length, self.warm = hidden, dropout, steps, length, warm
        self.cells, self.learning_rate, self.weight_decay, self.seeds = cells, learning_rate, weight_decay, seeds
        self.lean, self.device = lean, device

    def fit(self, series, time, forcing=None, constants=None, targets=None):
        """Learn ``networks_``; returns self. Only targets on days where `targets` (time,) is True count, if given."""
        series = checked(series, time)
        if self.kernel > 1 and (self.where is None or self.where.sum() != series.shape[1]):
            raise ValueError(f"kernel {self.kernel} needs where, (y, x) bool, with the {series.shape[1]} cells")
        judged = np.ones(len(series), bool) if targets is None else targets
        used = np.where(judged[:, None], series, np.nan)
        self.predictors_ = Predictors(self.weather, self.leads, self.lean).fit(used, time)
        self.cells_ = series.shape[1]
        known, ahead = self._known(series, time, forcing, constants)
        flat = known.today.reshape(-1, known.today.shape[-1])
        self.today_ = flat.mean(0), np.maximum(flat.std(0), 1e-6)
        flat = ahead.reshape(-1, ahead.shape[-1])
        self.ahead_ = np.nanmean(flat, 0), np.maximum(np.nanstd(flat, 0), 1e-6)
        y = np.full(known.damped.shape, np.nan)
        for k, lead in enumerate(self.leads):
            y[:-lead, k] = used[lead:] - known.damped[:-lead, k]
        self.unit_ = float(np.nanstd(y))
        data = [self._tensor(self._scaled(known.today, self.today_)),
                self._tensor(self._scaled(ahead, self.ahead_)).nan_to_num(), self._tensor(y / self.unit_)]
        self.networks_ = [self._train(seed, *data) for seed in self.seeds]
        return self

    def _train(self, seed, today, ahead, y):
        determinism.fix(seed, torch.get_num_threads())
        rng, device = np.random.default_rng(seed), pick_device(self.device)
        network = Forecaster(today.shape[-1], ahead.shape[-1], len(self.leads), self.widths, self.kernel, self.hidden,
                             self.dropout).to(device)
        adam = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(adam, self.learning_rate, max(self.steps, 2))
        for _ in range(self.steps):
            begin = max(int(rng.integers(-self.warm, max(len(today) - self.length, 0) + 1)), 0)
            days, skip = slice(begin, begin + self.length), self.warm if begin else min(5, self.warm)
            cells, where = slice(None), self._where(today.shape[1])
            if self.kernel == 1:
                cells = torch.as_tensor(np.sort(rng.permutation(today.shape[1])[:self.cells]), device=device)
                where = self._where(len(cells))
            made = network(today[days, cells], ahead[days][:, :, cells], where, skip)
            truth = y[days][skip:][..., cells]
            if not truth.isfinite().any():
                continue
            loss, _ = forecast_loss(made[:, :, None], truth[:, :, None])  # a day is a sample, its cells a row
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            adam.step()
            schedule.step()
        return network.eval()

    @torch.no_grad()
    def predict(self, series, time, forcing=None, constants=None, issue=None):
        """(issue, lead, cell); with observed weather NaN where a target lies behind the last day of the forcing."""
        series = checked(series, time, self.cells_)
        known, ahead = self._known(series, time, forcing, constants)
        x, a = (self._tensor(self._scaled(v, s)) for v, s in ((known.today, self.today_), (ahead, self.ahead_)))
        made = sum(net(x, a.nan_to_num(), self._where(self.cells_)) for net in self.networks_) / len(self.networks_)
        made = known.damped + self.unit_ * made.cpu().numpy()
        return np.where(np.isfinite(ahead).all(-1), made, np.nan)[issue_days(series, issue)]

    def _known(self, series, time, forcing, constants):
        known = self.predictors_.of(series, time, forcing, constants)
        return known, np.stack([self.predictors_.ahead(known, k) for k in range(len(self.leads))], 1)

    def _where(self, cells):
        where = np.ones((1, cells), bool) if self.kernel == 1 else self.where
        return torch.as_tensor(where, device=pick_device(self.device))

    def _scaled(self, values, scale):
        return np.clip((values - scale[0]) / scale[1], -FAR, FAR)

    def _tensor(self, values):
        return torch.as_tensor(values, dtype=torch.float32, device=pick_device(self.device))
