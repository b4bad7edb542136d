"""One visible loop that trains one network."""

import time

import pandas as pd
import torch
from tqdm import tqdm


def pick_device(device="auto"):
    """``auto``: a CUDA device if there is one, else the CPU; anything else is taken as it is."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)


def train(network, train_windows, validation, *, epochs=1500, patience=100, learning_rate=1e-3, batch=50, steps=20,
          validation_batch=None, device="auto", progress=False, seed=0):
    """Fit a network to scaled windows by mean squared error (Wang et al. 2024, Sect. 3.1: Adam, 20 batches of 50).

    Parameters
    ----------
    network : torch.nn.Module
        (batch, lookback, feature) -> (batch,); trained in place, in float32.
    train_windows, validation : Windows
    epochs, patience : int
        At most so many epochs; stop after `patience` epochs without a better validation loss.
    batch, steps : int
        An epoch is `steps` batches of `batch` windows drawn from the training set, with replacement.
    validation_batch : int or None
        None: every epoch is judged on the whole validation set. A number: on one random batch of that size, as in the
        code published with the paper, which lets luck pick the checkpoint.

    Returns
    -------
    network with the weights of its best epoch, and a DataFrame with the columns epoch, train_loss, validation_loss
    (both in squared scaled moisture) and seconds.
    """
    device = pick_device(device)
    network = network.to(device)
    # On the CPU, so that batches are the same on every device; two, so that how a network is judged cannot change what
    # it is trained on.
    generator, judge = (torch.Generator().manual_seed(seed + k) for k in range(2))
    x, y = (torch.as_tensor(a, dtype=torch.float32, device=device) for a in (train_windows.x, train_windows.y))
    x_val, y_val = (torch.as_tensor(a, dtype=torch.float32, device=device) for a in (validation.x, validation.y))
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    best, best_epoch, weights, history, start = float("inf"), 0, None, [], time.perf_counter()

    # `disable` is only given to switch the bar off: left out, the environment may (TQDM_DISABLE).
    bar = tqdm(range(1, epochs + 1), unit="epoch", leave=False, **({} if progress else {"disable": True}))
    for epoch in bar:
        network.train()
        running = torch.zeros((), device=device)
        for rows in torch.randint(len(x), (steps, batch), generator=generator).to(device):
            loss = torch.mean((network(x[rows]) - y[rows]) ** 2)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            running += loss.detach()

        network.eval()
        with torch.inference_mode():
            rows = slice(None) if validation_batch is None else torch.randint(
                len(x_val), (validation_batch,), generator=judge).to(device)
            judged = torch.mean((network(x_val[rows]) - y_val[rows]) ** 2).item()
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
