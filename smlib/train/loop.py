"""One visible loop that trains one network."""

import time

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import softplus
from tqdm import tqdm

TRAIN, JUDGE = 0, 1  # streams of `draw_rows`: how a network is judged cannot change what it is trained on


def squared_error(made, y):
    """Errors of a batch, (...) squared: the loss unless another is named, see `smlib.train.train`."""
    return (made - y) ** 2


def pick_device(device="auto"):
    """``auto``: a CUDA device if there is one, else the CPU; anything else is taken as it is."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)


def draw_rows(seed, epoch, stream, n, shape):
    """Rows out of `n`, with replacement, of one epoch: they follow from (seed, epoch, stream) alone, on every device.

    So whoever goes on after a break, or trains this member among others, draws the same.
    """
    return np.random.Generator(np.random.Philox(key=[seed, 2 * epoch + stream])).integers(0, n, shape)


def draw_kept(seed, epoch, dropout, shape):
    """What dropout leaves of an epoch's hidden units, float32: 0, or 1 / (1 - dropout), so that the mean is 1.

    Of a generator beside that of `draw_rows`, and like it the same for a member alone and among others.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * epoch + TRAIN]).jumped())
    return (rng.random(shape, dtype=np.float32) >= dropout).astype(np.float32) / np.float32(1 - dropout)


def optimisers_of(network, parameters, learning_rate):
    """Adam for the network and, where it has one, for its discriminator: {"network": ..., "discriminator": ...}.

    `parameters` maps the names of the network's parameters to the tensors to be trained. One implementation (fused),
    since torch's others differ in the last bit. A network with an adversary brings its own learning rates.
    """
    judged = {name: p for name, p in parameters.items() if name.startswith("discriminator.")}
    rest = [p for name, p in parameters.items() if name not in judged]
    rate = network.learning_rate if judged else learning_rate
    found = {"network": torch.optim.Adam(rest, lr=rate, fused=True)}
    if judged:
        found["discriminator"] = torch.optim.Adam(judged.values(), lr=network.discriminator_rate, fused=True)
    return found


def update(call, network, optimisers, x, y, loss=squared_error, kept=None):
    """One batch through the network and its optimisers; returns the mean loss (without an adversary's part), (...,).

    Works for one network and for members at once: `loss` (`call` (x), y) gives (..., batch), and every loss is the mean
    over the batch, summed over the members, whose gradients therefore do not meet. kept: (..., batch, hidden), what
    `draw_kept` gives, for a network with dropout.
    """
    made = call(x) if kept is None else call(x, kept)
    if "discriminator" in optimisers:
        for _ in range(network.discriminator_updates):
            _step(optimisers["discriminator"], softplus(-call(x, y)) + softplus(call(x, made.detach())))
    error = loss(made, y)
    total = error
    if "discriminator" in optimisers:
        total = error + network.adversarial_weight * softplus(-call(x, made))
    _step(optimisers["network"], total)
    return error.detach().mean(-1)


def _step(optimiser, loss):
    optimiser.zero_grad()
    loss.mean(-1).sum().backward()
    optimiser.step()


def train(network, train_windows, validation, *, epochs=1500, patience=1500, learning_rate=1e-3, batch=50, steps=20,
          validation_batch=None, device="auto", dtype=torch.float32, progress=False, seed=0, loss=squared_error):
    """Fit a network to scaled windows by mean squared error (Wang et al. 2024, Sect. 3.1: Adam, 20 batches of 50).

    Parameters
    ----------
    network : torch.nn.Module
        (batch, lookback, feature) -> (batch,); trained in place. One with a discriminator is trained against it.
    train_windows, validation : Windows
    epochs, patience : int
        At most so many epochs; stop after `patience` epochs without a better validation loss.
    batch, steps : int
        An epoch is `steps` batches of `batch` windows drawn from the training set, with replacement.
    validation_batch : int or None
        None: every epoch is judged on the whole validation set. A number: on one random batch of that size, as in the
        code published with the paper, which lets luck pick the checkpoint.
    loss : callable
        (what the network gives, y) -> (..., batch); networks of whole sequences bring theirs, see `smlib.correction`.
        A network with a `dropout` above 0 is called with what is kept of its `hidden` units while it is trained.
    learning_rate : float
        Of Adam; a network with a discriminator brings its own.
    device : str
        auto, cpu or cuda.
    dtype : torch.dtype
    progress : bool
        Show a bar.
    seed : int
        Of the batches, and of what dropout strikes.

    Returns
    -------
    torch.nn.Module and DataFrame
        The network with the weights of its best epoch, and a DataFrame with the columns epoch, train_loss,
        validation_loss (both in squared scaled moisture) and seconds.
    """
    device = pick_device(device)
    network = network.to(device, dtype)
    x, y = (torch.as_tensor(a, dtype=dtype, device=device) for a in (train_windows.x, train_windows.y))
    x_val, y_val = (torch.as_tensor(a, dtype=dtype, device=device) for a in (validation.x, validation.y))
    optimisers = optimisers_of(network, dict(network.named_parameters()), learning_rate)
    best, best_epoch, weights, history, start = float("inf"), 0, None, [], time.perf_counter()

    # `disable` is only given to switch the bar off: left out, the environment may (TQDM_DISABLE).
    bar = tqdm(range(1, epochs + 1), unit="epoch", leave=False, **({} if progress else {"disable": True}))
    for epoch in bar:
        network.train()
        running = torch.zeros((), device=device, dtype=dtype)
        kept = None
        if getattr(network, "dropout", 0):
            kept = torch.as_tensor(draw_kept(seed, epoch, network.dropout, (steps, batch, network.hidden)),
                                   dtype=dtype, device=device)
        drawn = torch.as_tensor(draw_rows(seed, epoch, TRAIN, len(x), (steps, batch)), device=device)
        for k, rows in enumerate(drawn):
            running += update(network, network, optimisers, x[rows], y[rows], loss, None if kept is None else kept[k])

        network.eval()
        with torch.no_grad():
            rows = slice(None) if validation_batch is None else torch.as_tensor(
                draw_rows(seed, epoch, JUDGE, len(x_val), validation_batch), device=device)
            judged = torch.mean(loss(network(x_val[rows]), y_val[rows])).item()
        history.append((epoch, running.item() / steps, judged, time.perf_counter() - start))
        bar.set_postfix(validation=f"{judged:.2e}")
        if judged < best:
            best, best_epoch = judged, epoch
            weights = {name: value.clone() for name, value in network.state_dict().items()}
        elif epoch - best_epoch >= patience:
            break
    if weights is None:
        raise FloatingPointError(f"the validation loss was never finite (last: {judged}); lower the learning rate")
    network.load_state_dict(weights)
    return network, pd.DataFrame(history, columns=["epoch", "train_loss", "validation_loss", "seconds"])
