"""One visible loop that trains one gridded network, the scaler of its fields, and files of its weights."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from smlib import determinism
from smlib.train.loop import pick_device


class FieldScaler:
    """To mean 0 and standard deviation 1 over all valid cells and days of the training period, NaN aside.

    Attributes
    ----------
    mean_, std_ : float, in the field's units
    """

    def fit(self, field, mask):
        """field (time, y, x), mask (y, x) bool; returns self."""
        field, mask = np.asarray(field), np.asarray(mask)
        if field.ndim != 3 or field.shape[1:] != mask.shape:
            raise ValueError(f"a field (time, y, x) of shape {field.shape} does not fit a mask of shape {mask.shape}")
        values = field[:, mask].astype(np.float64)
        if not np.isfinite(values).any():
            raise ValueError("there is no value in any valid cell to fit a scaler to")
        self.mean_, self.std_ = float(np.nanmean(values)), float(np.nanstd(values))
        if not self.std_ > 0:
            raise ValueError(f"all values in the valid cells are the same ({self.mean_:g}), so there is no scale")
        return self

    def transform(self, field):
        """In the field's units -> standardised, float32."""
        return ((np.asarray(field) - self.mean_) / self.std_).astype(np.float32)

    def inverse_transform(self, field):
        """Standardised -> in the field's units."""
        return np.asarray(field) * self.std_ + self.mean_


def start_days(field, mask, lookback, first=0, stop=None):
    """First days of the windows whose `lookback` days and target all lie in days `first` to `stop` (not included).

    Windows with a missing value in a valid cell are left out. field (time, y, x); returns (window,) int64.
    """
    whole = np.array([np.isfinite(day[mask]).all() for day in np.asarray(field)[first:stop]])
    if len(whole) <= lookback:
        return np.zeros(0, np.int64)
    return first + np.flatnonzero(np.lib.stride_tricks.sliding_window_view(whole, lookback + 1).all(1))


def windows(field, target, starts, lookback):
    """x (batch, lookback, y, x) and y (batch, y, x) of the windows that start on these days; only they are copied."""
    return field.unfold(0, lookback, 1)[starts].movedim(-1, 1), target[starts + lookback]


def squared_error(made, truth, mask):
    """Sum of squared errors, and their number: made, truth (batch, y, x), mask (y, x) bool; NaN in truth is no pair."""
    seen = mask & ~truth.isnan()
    return torch.where(seen, made - truth, 0).square().sum(), seen.sum()


def masked_mse(made, truth, mask):
    """Mean squared error over the valid cells whose truth is known: made, truth (batch, y, x), mask (y, x) -> ()."""
    total, count = squared_error(made, truth, mask)
    return total / count


def validation_loss(model, field, target, starts, batch):
    """`masked_mse` over all windows, so many at a time; float."""
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for rows in starts.split(batch):
            x, y = windows(field, target, rows, model.lookback)
            found = squared_error(model(x), y, model.mask)
            total, count = total + found[0].item(), count + int(found[1])
    return total / count


def check(model, field, target, train_starts, validation_starts):
    """Errors, in words, for what the loop below would trip over."""
    if target.shape != field.shape:
        raise ValueError(f"the target {tuple(target.shape)} has not the shape of the field {tuple(field.shape)}")
    if field.ndim != 3 or field.shape[1:] != model.mask.shape:
        raise ValueError(f"a field (time, y, x) of shape {tuple(field.shape)} does not fit the model's mask of shape "
                         f"{tuple(model.mask.shape)}")
    for name, starts in (("training", train_starts), ("validation", validation_starts)):
        if not len(starts):
            raise ValueError(f"there is no {name} window of {model.lookback} days and a target")
        if min(starts) < 0 or max(starts) + model.lookback >= len(field):
            raise ValueError(f"the {name} windows reach beyond the {len(field)} days of the field")
        if not target[:, model.mask].isfinite().any(1)[np.asarray(starts) + model.lookback].all():
            raise ValueError(f"the target of a {name} window has no value in any valid cell")


def train_gridded(model, field, train_starts, validation_starts, *, epochs=100, patience=50, learning_rate=1e-3,
                  batch=16, plateau_factor=0.2, plateau_patience=2, least_rate=1e-6, device="auto", progress=False,
                  seed=0, target=None):
    """Fit a gridded network by masked mean squared error (Fan et al. 2025: Adam, batches of 16).

    Parameters
    ----------
    model : FieldModel
        Trained in place.
    field : (time, y, x) float32
        Standardised; outside the model's mask it may hold anything.
    train_starts, validation_starts : (window,) int
        First days of the windows, as from `start_days`. An epoch takes every training window once, and is judged on
        all validation windows.
    epochs, patience : int
        At most so many epochs; stop after `patience` epochs without a better validation loss.
    plateau_factor, plateau_patience, least_rate
        After `plateau_patience` epochs without a better validation loss, counted from the last cut, the learning rate
        is multiplied by the factor, down to the least rate.
    target : (time, y, x) float32, optional
        What is to be predicted, if not the field itself: where that was filled, NaN here keeps it out of the loss.

    Returns
    -------
    torch.nn.Module and DataFrame
        The model with the weights of its best epoch, and a DataFrame with the columns epoch, train_loss,
        validation_loss (both in squared standard deviations), learning_rate and seconds (since the start).
    """
    determinism.fix(seed, torch.get_num_threads())
    field, target = (torch.as_tensor(np.asarray(f), dtype=torch.float32)
                     for f in (field, field if target is None else target))
    check(model, field, target, train_starts, validation_starts)
    device = pick_device(device)
    model, field, target = model.to(device), field.to(device), target.to(device)
    train_starts, validation_starts = (torch.as_tensor(np.asarray(starts), device=device)
                                       for starts in (train_starts, validation_starts))
    adam = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    best, best_epoch, cut_epoch, weights, history, begun = float("inf"), 0, 0, None, [], time.perf_counter()

    # `disable` is only given to switch the bar off: left out, the environment may (TQDM_DISABLE).
    bar = tqdm(range(1, epochs + 1), unit="epoch", leave=False, **({} if progress else {"disable": True}))
    for epoch in bar:
        model.train()
        running = torch.zeros((), device=device)
        order = np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(len(train_starts))
        for rows in train_starts[torch.as_tensor(order, device=device)].split(batch):
            x, y = windows(field, target, rows, model.lookback)
            adam.zero_grad()
            loss = masked_mse(model(x), y, model.mask)
            loss.backward()
            adam.step()
            running += loss.detach() * len(rows)

        judged = validation_loss(model, field, target, validation_starts, batch)
        history.append((epoch, running.item() / len(train_starts), judged, learning_rate,
                        time.perf_counter() - begun))
        bar.set_postfix(validation=f"{judged:.2e}")
        if judged < best:
            best, best_epoch = judged, epoch
            weights = {name: value.clone() for name, value in model.state_dict().items()}
        elif epoch - best_epoch >= patience:
            break
        elif epoch - max(best_epoch, cut_epoch) >= plateau_patience:
            learning_rate, cut_epoch = max(learning_rate * plateau_factor, least_rate), epoch
            adam.param_groups[0]["lr"] = learning_rate
    if weights is None:
        raise FloatingPointError(f"the validation loss was never finite (last: {judged}); lower the learning rate")
    model.load_state_dict(weights)
    return model, pd.DataFrame(history, columns=["epoch", "train_loss", "validation_loss", "learning_rate", "seconds"])


def save_weights(path, model):
    """Write a model's weights, its mask and its lookback to a file of the safetensors format: no pickle, no code."""
    aside = Path(f"{path}.part")
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(state, aside, metadata={"lookback": str(model.lookback)})
    os.replace(aside, path)


def load_weights(path, model):
    """Fill a model from such a file and return it; a file of another model, mask or lookback is an error."""
    try:
        with safe_open(path, "pt") as file:
            lookback = int(file.metadata()["lookback"])
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no file of a gridded network's weights, or not a whole one") from error
    own = model.state_dict()
    shapes = [{name: tuple(value.shape) for name, value in part.items()} for part in (own, state)]
    if shapes[0] != shapes[1] or lookback != model.lookback or not torch.equal(own["mask"].cpu(), state["mask"]):
        raise ValueError(f"{path} holds the weights of another model, mask or lookback ({lookback} days)")
    model.load_state_dict(state)
    return model
