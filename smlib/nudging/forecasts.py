"""Forecasts of the study: one day ahead from true windows, and recursive over a whole period."""

import numpy as np
import torch

from smlib.assimilate.compared import Damped, lag_one
from smlib.assimilate.nudging import cycle
from smlib.evaluate.field_scores import day_sums
from smlib.train.loop import pick_device

BATCH = 12  # members or windows that go through a network at once on a CPU: more take more memory and no less time
BASELINES = ("persistence", "climatology", "damped anomaly")


class Forecaster:
    """A trained network as ``forecast(window) -> x_f`` in m3 m-3, for `smlib.assimilate`.

    What it says is held between 0 and 1 m3 m-3, or a recursion that runs away would do so without end. Windows go
    through in pieces of `batch`; on a CPU no forecast depends on what else is in its batch, to the last bit.
    """

    def __init__(self, network, scaler, device="auto", batch=None):
        self.device = pick_device(device)
        self.batch = batch or (BATCH if self.device.type == "cpu" else 256)
        self.network, self.scaler = network.to(self.device).eval(), scaler

    def forecast(self, window):
        """(member, lookback, y, x) -> x_f (member, y, x)."""
        x = torch.as_tensor(self.scaler.transform(window), device=self.device)
        with torch.inference_mode():
            made = [self.network(piece) for piece in x.split(self.batch)]
        return np.clip(self.scaler.inverse_transform(torch.cat(made).cpu().numpy()), 0, 1).astype(np.float32)


def forecasters(field, trained, period="test", device="auto"):
    """Mapping of name -> `Forecaster` of trained networks, in the scale of a period (see `Field`)."""
    return {name: Forecaster(one.network, field.scalers[period], device) for name, one in trained.items()}


def baselines(field):
    """Mapping of `BASELINES` -> (forecast, climatology about which it forecasts or None), for `roll_out`.

    The damped anomaly is the autoregressive forecast: the anomaly about climatology times its lag-one regression in
    the training days.
    """
    train = field.periods["train"]
    anomalies = (field.truth - field.climatology)[train]
    rho = lag_one(anomalies[:, field.valid], field.time[train])
    return {"persistence": (Damped(1.0), None), "climatology": (Damped(0.0), field.climatology),
            "damped anomaly": (Damped(rho), field.climatology)}


def one_day(field, forecaster, period="test", about=None, part=None):
    """(day, y, x) forecasts of every day of `field.targets(period)` from the true days before it; NaN outside.

    With `part`, a slice of the field's days, only those are forecast, and the others are NaN. Where the window holds no
    value for some valid cell yet, the whole day is NaN.
    """
    targets = field.targets(period)
    made = np.full((targets.stop - targets.start, *field.valid.shape), np.nan, np.float32)
    inputs = np.where(field.valid, field.filled, 0) if about is None else np.where(field.valid, field.filled - about, 0)
    wanted = range(targets.start, targets.stop) if part is None else range(part.start, part.stop)
    days = [d for d in wanted if np.isfinite(inputs[d - field.lookback:d]).all()]
    for first in range(0, len(days), BATCH):
        some = days[first:first + BATCH]
        window = np.stack([inputs[d - field.lookback:d] for d in some])
        x_f = forecaster.forecast(window) + (0 if about is None else about[some])
        made[np.array(some) - targets.start] = np.where(field.valid, x_f, np.nan)
    return made


def free_run(field, forecaster, period="test", about=None, days=None):
    """(day, y, x) recursive forecast from a period's first window, over all of its other days or the first `days`."""
    targets = field.targets(period)
    days = targets.stop - targets.start if days is None else days
    around = None if about is None else about[targets.start - field.lookback:targets.start + days]
    run = cycle(forecaster, field.first_window(period), days, field.valid, about=around)
    return np.stack([x_a[0] for _, x_a in run])


def sums_of(field, forecast, period="test"):
    """(day, 8) sums (`smlib.evaluate.field_scores`) of a forecast (day, y, x) over the valid cells that it has."""
    first = field.targets(period).start
    pairs = zip(forecast, field.truth[first:first + len(forecast)], strict=True)
    return np.concatenate([day_sums(f[None], o, field.valid & np.isfinite(f), field.centre) for f, o in pairs])
