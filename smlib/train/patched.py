"""One visible loop that trains a network on patches, by one process or by several, and its predictions of whole fields.

Several processes (torchrun) give what one gives, but for the order of sums: all draw the same batches and share each
out; batch normalisation, losses and, through them, gradients are of the batch of all; and dropout is drawn for all.
"""

import time

import numpy as np
import pandas as pd
import torch
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from smlib import determinism
from smlib.data.patches import stitch
from smlib.data.schema import DataError
from smlib.train.distributed import place
from smlib.train.loop import pick_device

JUDGED = 256  # patches judged or predicted at a time


def judge(model, source, loss, *, batch=JUDGED, share=1.0, device="cpu"):
    """A model's mean loss over the patches of a source, always in the same batches; by all processes together."""
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y, n in source.batches(batch, share=share, device=device, place=place()):
            total, count = total + n * loss(model(x), y)[0].item(), count + n
    if not count:
        raise DataError(f"no patch has {source.min_valid:.0%} of its target values")
    return total / count


def train_patched(model, source, validation, loss, *, epochs=100, patience=20, learning_rate=1e-3, batch=32, share=1.0,
                  validation_share=1.0, plateau_factor=0.2, plateau_patience=None, least_rate=1e-6, device="auto",
                  progress=False, seed=0):
    """Fit a network to patches (Rabiei et al. 2024, 2025: Adam, batches of 32, early stopping after 20 epochs).

    Parameters
    ----------
    model : torch.nn.Module
        x (batch, lookback, channel, y, x) -> (batch, output, y, x); trained in place. Several processes must all start
        from the same weights or leave that to process 0, whose weights all get.
    source, validation : smlib.data.patches.PatchSource
    loss : callable
        (made, truth) -> (loss, number of units without R), as in `smlib.train.losses`.
    batch : int
        Patches of all processes together, of which it must be a multiple; what does not fill a batch is left out.
    share, validation_share : float
        Share of the patches that an epoch trains on, drawn anew every time, and that it is judged on, always the same.
    plateau_patience : int, optional
        After so many epochs without a better validation loss the learning rate is multiplied by `plateau_factor`, down
        to `least_rate`. By default it stays.

    Returns
    -------
    torch.nn.Module and DataFrame
        The model with the weights of its best epoch, and a DataFrame with the columns epoch, train_loss,
        validation_loss, dropped (units of training in which R or R2 was not defined), learning_rate and seconds (since
        the start).
    """
    k, processes = place()
    if batch % processes:
        raise ValueError(f"a batch of {batch} cannot be shared out evenly to {processes} processes")
    determinism.fix(seed, torch.get_num_threads())
    device = pick_device(device)
    model = model.to(device)
    shared = DistributedDataParallel(model, forward_sync_buffers=False) if processes > 1 else model
    adam = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    best, best_epoch, cut_epoch, weights, history, begun = float("inf"), 0, 0, None, [], time.perf_counter()

    # `disable` is only given to switch the bar off: left out, the environment may (TQDM_DISABLE).
    bar = tqdm(range(1, epochs + 1), unit="epoch", leave=False, **({} if progress and not k else {"disable": True}))
    for epoch in bar:
        model.train()
        running, dropped, steps = torch.zeros((), device=device), torch.zeros((), device=device, dtype=torch.long), 0
        for x, y, _ in source.batches(batch, seed, epoch, share, True, device, (k, processes)):
            adam.zero_grad()
            value, lost = loss(shared(x), y)
            value.backward()
            adam.step()
            running, dropped, steps = running + value.detach(), dropped + lost, steps + 1
        if not steps:
            raise DataError(f"there are fewer patches to train on than a batch of {batch}")

        judged = judge(model, validation, loss, share=validation_share, device=device)
        history.append((epoch, running.item() / steps, judged, dropped.item(), learning_rate,
                        time.perf_counter() - begun))
        bar.set_postfix(validation=f"{judged:.2e}")
        if judged < best:
            best, best_epoch = judged, epoch
            weights = {name: value.clone() for name, value in model.state_dict().items()}
        elif epoch - best_epoch >= patience:
            break
        elif plateau_patience and epoch - max(best_epoch, cut_epoch) >= plateau_patience:
            learning_rate, cut_epoch = max(learning_rate * plateau_factor, least_rate), epoch
            adam.param_groups[0]["lr"] = learning_rate
    if weights is None:
        raise FloatingPointError(f"the validation loss was never finite (last: {judged}); lower the learning rate")
    model.load_state_dict(weights)
    return model, pd.DataFrame(history, columns=["epoch", "train_loss", "validation_loss", "dropped", "learning_rate",
                                                 "seconds"])


def predict(model, source, *, out=None, batch=JUDGED, device="auto"):
    """Fields of every issue day of a source, in order: (day, output, y, x), in the scale of its targets.

    A cell is the mean over the patches that hold it, and NaN where no input of the three days is known. The fields go
    to ``out[k]`` one by one, which may be a Zarr array; by default to a new NumPy array.
    """
    device = pick_device(device)
    model = model.to(device).eval()
    corners = [torch.as_tensor(c, device=device) for c in source.corners]
    out = np.empty((len(np.unique(source.days)), source.outputs, *source.shape), np.float32) if out is None else out
    together = max(1, 8 * batch // (len(corners[0]) * len(corners[1])))  # days whose patches are put together at once
    done = 0
    with torch.no_grad():
        for days in source.blocks:
            loaded = source.load([days], device)
            for first in range(0, len(days), together):
                found = [loaded.present(day) for day in range(first, min(first + together, len(days)))]
                rows = np.concatenate([at for at, _ in found])
                patches = torch.full((len(found), source.outputs, *map(len, corners), source.patch, source.patch),
                                     torch.nan, device=device)
                for i in range(0, len(rows), batch):
                    at = rows[i:i + batch]
                    y, x = (torch.searchsorted(c, torch.as_tensor(at[:, k].copy(), device=device)) for k, c in
                            enumerate(corners, 1))
                    patches[torch.as_tensor(at[:, 0] - first, device=device), :, y, x] = model(loaded.x(at))
                known = torch.stack([seen for _, seen in found])[:, None]
                fields = torch.where(known, stitch(patches, source.shape, source.stride), torch.nan).cpu().numpy()
                for field in fields:
                    out[done], done = field, done + 1
    return out
