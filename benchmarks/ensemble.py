"""The ensemble engine against training one network at a time; prints one JSON object.

    python benchmarks/ensemble.py [--members 750] [--networks LSTM 1D-CNN] [--seconds 10] [--rounds 3] [--device cuda]

Member-steps a second (a step: one batch of 50 of one network; every 20th is followed by a judgement on the whole
validation set, and the best weights are kept) of

- ``usual``: torch's own layers, a DataLoader, Adam as it comes, one ``.item()`` a batch;
- ``best``: the same layers on tensors in memory, all rows of an epoch drawn at once, fused Adam;
- ``engine``: `smlib.train.train_ensemble`, its start (making and stacking the members) included, its worker processes,
  which serve one call after the other, being there.

The three run by turns in one process, so that what else the machine does meets all of them; ratios are taken within a
round, and their median and range are given. The two loops get the number of threads that is faster for them.
"""

import argparse
import copy
import functools
import json
import os
import platform
import statistics
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from tqdm import tqdm

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from benchmarks.reference import REFERENCES  # noqa: E402
from smlib import determinism  # noqa: E402
from smlib.data.windows import Windows  # noqa: E402
from smlib.models import NETWORKS  # noqa: E402
from smlib.train import Member, pick_device, train_ensemble  # noqa: E402

FEATURES, BATCH, STEPS = 8, 50, 20
CORES = len(os.sched_getaffinity(0))
TRAIN, VALIDATION = 650, 220  # the median of the embedded sites' windows is near
STUDY = 37_500 * 1500 * STEPS  # networks x epochs x batches of Wang et al. (2024)
FLOORS = {"LSTM": {"usual": 15, "best": 10}}  # ratios on two cores; of every other network 10 to the usual loop


def windows(n, seed):
    """Random windows, and a target that can be learnt from them."""
    x = np.random.default_rng(seed).uniform(0, 1, (n, 4, FEATURES))
    return Windows(x, 0.8 * x[:, -1, -1] + 0.2 * x[:, -1, 0], np.arange(n).astype("datetime64[D]"))


def updates(network, fused):
    """(x, y) -> loss: one update of a reference network, of GAN-LSTM four."""
    if not hasattr(network, "judge"):
        adam = torch.optim.Adam(network.parameters(), lr=1e-3, fused=fused)
        return functools.partial(plain_update, network, adam)
    judge = list(network.judge.parameters())
    rest = [p for name, p in network.named_parameters() if not name.startswith("judge")]
    return functools.partial(adversarial_update, network, torch.optim.Adam(judge, lr=1e-3, fused=fused),
                             torch.optim.Adam(rest, lr=5e-4, fused=fused))


def plain_update(network, adam, x, y):
    """One batch by mean squared error."""
    adam.zero_grad()
    loss = F.mse_loss(network(x), y)
    loss.backward()
    adam.step()
    return loss.detach()


def adversarial_update(network, judging, making, x, y):
    """Three updates of the discriminator and one of the generator, which is run once."""
    made, bce = network(x), F.binary_cross_entropy_with_logits
    for _ in range(3):
        judging.zero_grad()
        real, fake = network.believed(x, y), network.believed(x, made.detach())
        (bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))).backward()
        judging.step()
    making.zero_grad()
    fake = network.believed(x, made)
    loss = F.mse_loss(made, y) + 1e-7 * bce(fake, torch.ones_like(fake))
    loss.backward()
    making.step()
    return loss.detach()


def epochs_for(seconds, device, epoch):
    """Steps a second of ``epoch()``, called for about so many seconds after one call to warm up."""
    epoch()
    start = time.perf_counter()
    for n in count(1):
        epoch()
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent = time.perf_counter() - start
        if spent > seconds:
            return n * STEPS / spent


def one_at_a_time(name, device, seconds, usual):
    """Member-steps a second of a loop over one network: the usual one, or the best."""
    network = REFERENCES[name](FEATURES).to(device)
    update = updates(network, fused=None if usual else True)
    data = [[torch.tensor(a, dtype=torch.float32) for a in (w.x, w.y)] for w in (windows(TRAIN, 0),
                                                                                 windows(VALIDATION, 1))]
    (x, y), (x_val, y_val) = data if usual else [[a.to(device) for a in part] for part in data]
    sampler = RandomSampler(TensorDataset(x, y), replacement=True, num_samples=STEPS * BATCH)
    loader = DataLoader(TensorDataset(x, y), BATCH, sampler=sampler)
    best = {"loss": float("inf")}

    def usual_batches():
        return sum(update(bx.to(device), by.to(device)).item() for bx, by in loader)

    def best_batches():
        return sum(update(x[rows], y[rows]) for rows in torch.randint(TRAIN, (STEPS, BATCH), device=device))

    def epoch():
        network.train()
        (usual_batches if usual else best_batches)()
        network.eval()
        with torch.no_grad():
            loss = F.mse_loss(network(x_val.to(device)), y_val.to(device)).item()
        if loss < best["loss"]:
            best.update(loss=loss, weights=copy.deepcopy(network.state_dict()))

    return epochs_for(seconds, device, epoch)


def engine(name, device, members, epochs):
    """Seconds that the engine takes for so many epochs."""
    sets = [(windows(TRAIN, k), windows(VALIDATION, k + 99)) for k in range(150)]  # 30 sites x 5 depths
    members = [Member(*sets[k % len(sets)], seed=k) for k in range(members)]
    start = time.perf_counter()
    train_ensemble(NETWORKS[name], members, epochs=epochs, patience=epochs, device=device)
    return time.perf_counter() - start


def loop(name, device, seconds, usual, threads):
    """`one_at_a_time` with torch as it comes, but for the number of threads."""
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
    return one_at_a_time(name, device, seconds, usual)


def threads_for(name, device, usual):
    """1 or 2 threads, whichever makes the loop faster."""
    rates = {n: loop(name, device, 0.5, usual, n) for n in range(1, min(2, CORES) + 1)}
    return max(rates, key=rates.get)


def spread(values):
    """Median and range."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def measure(name, device, members, seconds, rounds):
    """One network: rates of the three, and their ratios round by round."""
    threads = {way: threads_for(name, device, way == "usual") for way in ("usual", "best")}
    rates = {"usual": [], "best": [], "engine": []}
    determinism.fix(0)
    engine(name, device, members, 4)  # its worker processes start here
    epochs = max(4, int(np.ceil(4 * seconds / engine(name, device, members, 4))))
    for _ in tqdm(range(rounds), desc=name, leave=False):
        for way in ("usual", "best"):
            rates[way].append(loop(name, device, seconds, way == "usual", threads[way]))
        determinism.fix(0)
        rates["engine"].append(epochs * members * STEPS / engine(name, device, members, epochs))
    ratios = {f"engine / {way}": [c / one for c, one in zip(rates["engine"], rates[way], strict=True)]
              for way in ("usual", "best")}
    return {"threads": threads, "member_steps_per_second": {way: spread(r) for way, r in rates.items()},
            "ratios": {way: spread(r) for way, r in ratios.items()}}


def machine(device):
    """What the figures hang on."""
    facts = {"cores": CORES, "python": platform.python_version(), "torch": torch.__version__, "device": str(device),
             "processor": platform.processor() or platform.machine(), "cpu": torch.backends.cpu.get_cpu_capability()}
    return facts | ({"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {})


def rounded(value, digits=4):
    """The same with floats to so many digits."""
    if isinstance(value, dict):
        return {key: rounded(part, digits) for key, part in value.items()}
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def main(arguments=None):
    """Measure, and print the object."""
    parser = argparse.ArgumentParser(description="The ensemble engine against one network at a time.")
    parser.add_argument("--members", type=int, default=750)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS), metavar="NAME")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args(arguments)
    device = pick_device(asked.device)
    found = {name: measure(name, device, asked.members, asked.seconds, asked.rounds) for name in asked.networks}
    hours = {name: STUDY / len(NETWORKS) / f["member_steps_per_second"]["engine"]["median"] / 3600
             for name, f in found.items()}
    below = [f"{name}: {way}" for name, f in found.items() for way, least in FLOORS.get(name, {"usual": 10}).items()
             if f["ratios"][f"engine / {way}"]["median"] < least]
    print(json.dumps(rounded({"machine": machine(device), "members": asked.members, "rounds": asked.rounds,
                              "networks": found, "below_floor": below,
                              # a tenth of the study's networks each; if not all were asked for, their mean stands
                              # for the rest
                              "study_hours": statistics.mean(hours.values()) * len(NETWORKS),
                              "study_hours_by_network": hours}), indent=1))


if __name__ == "__main__":
    main()
