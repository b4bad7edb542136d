"""A training step of our ConvLSTM against the common ways of writing it; prints one JSON object.

    python benchmarks/convlstm.py [--size 27 69] [--valid 0.43] [--batch 16] [--days 14] [--rounds 7] [--threads 1]
                                  [--device cuda]

Steps (forward, masked or plain mean squared error, backward, Adam) a second of

- ``ours``: `smlib.models.convlstm.ConvLSTM`, masks and all, with so much of the grid valid (an ellipse);
- ``common``: the same layers in the form most often published for PyTorch, which concatenates input and hidden state,
  convolves once a step from a state of zeros, and leaves the gates to autograd;
- ``keras``: the same layers of Keras' ConvLSTM2D, by ``train_on_batch``, if keras is installed.

The others compute all cells, which they have no way to leave out; with ``--valid 1`` so does ours. Same sizes, same
numbers of weights, no dropout, same optimiser, same number of threads; by turns in one process, so that what else the
machine does meets all of them. Ratios are taken within a round, and their median and range are given. ``loss_curves``
are those of ours and of the common form from the same weights and batches, with all cells valid. Peak memory is that of
a process of its own, above what it had before the first step.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from smlib import determinism  # noqa: E402
from smlib.models.convlstm import ConvLSTM  # noqa: E402
from smlib.train import pick_device  # noqa: E402
from smlib.train.gridded import masked_mse  # noqa: E402

HIDDEN, KERNEL, RATE = 8, 5, 1e-3
MIB = 2**20


class CommonCell(nn.Module):
    """One convolution of input and hidden state together a step; the gates i, f, o, g by autograd."""

    def __init__(self, inputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs + HIDDEN, 4 * HIDDEN, KERNEL, padding=KERNEL // 2)

    def forward(self, x, state=None):
        """x (batch, day, inputs, y, x) -> all h, and the last (h, c)."""
        h, c = state or 2 * (x.new_zeros(len(x), HIDDEN, *x.shape[3:]),)
        found = []
        for day in range(x.shape[1]):
            i, f, o, g = torch.split(self.conv(torch.cat([x[:, day], h], 1)), HIDDEN, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * F.elu(g)
            h = torch.sigmoid(o) * F.elu(c)
            found.append(h)
        return torch.stack(found, 1), (h, c)


class Common(nn.Module):
    """The encoder-decoder of `ConvLSTM` out of common cells: (batch, day, y, x) -> (batch, y, x)."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.decoder = CommonCell(1), CommonCell(HIDDEN), CommonCell(1)
        self.between, self.out = nn.Conv2d(HIDDEN, 1, 1), nn.Conv2d(HIDDEN, 1, 1)

    def forward(self, x):
        """(batch, day, y, x) -> (batch, y, x)."""
        h, _ = self.first(x[:, :, None])
        h, (last, c) = self.second(h)
        h, _ = self.decoder(self.between(last)[:, None], (last, c))
        return self.out(h[:, -1])[:, 0]

    def take(self, ours):
        """The weights of a `ConvLSTM`."""
        with torch.no_grad():
            for name in ("first", "second", "decoder"):
                cell, from_cell = getattr(self, name), getattr(ours, name)
                cell.conv.weight.copy_(torch.cat([from_cell.weight_x, from_cell.weight_h], 1))
                cell.conv.bias.copy_(from_cell.bias)
            for name in ("between", "out"):
                getattr(self, name).load_state_dict(getattr(ours, name).state_dict())
        return self


def batch_of(asked, seed=0):
    """A random batch: x (batch, day, y, x) and y (batch, y, x), which can be learnt from it."""
    x = np.random.default_rng(seed).standard_normal((asked.batch, asked.days, *asked.size)).astype(np.float32)
    return x, 0.8 * x[:, -1] + 0.2 * x[:, -2]


def mask_of(asked):
    """The asked share of the grid nearest to its middle: an ellipse, or all of it."""
    y, x = (np.linspace(-1, 1, n) for n in asked.size)
    distance = np.hypot(y[:, None], x)
    return distance <= np.quantile(distance, asked.valid)


def torch_step(network, asked, mask=None):
    """() -> loss: one training step of a PyTorch network."""
    device = pick_device(asked.device)
    network = network.to(device).train()
    x, y = (torch.as_tensor(a, device=device) for a in batch_of(asked))
    adam = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)

    def step():
        adam.zero_grad()
        made = network(x)
        loss = F.mse_loss(made, y) if mask is None else masked_mse(made, y, mask)
        loss.backward()
        adam.step()
        return loss.item()  # waits for a GPU
    return step


def keras_step(asked):
    """() -> loss: one training step of the same layers in Keras."""
    # TensorFlow leaves these kernels out on some CPUs (an AMD EPYC among them), and is then 3 to 4 times slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import keras
    from keras import layers

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(asked.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    setting = {"filters": HIDDEN, "kernel_size": KERNEL, "padding": "same", "activation": "elu",
               "recurrent_activation": "sigmoid"}
    x_in = keras.Input((asked.days, *asked.size, 1))
    h = layers.ConvLSTM2D(**setting, return_sequences=True)(x_in)
    _, h, c = layers.ConvLSTM2D(**setting, return_state=True)(h)
    seen = layers.Reshape((1, *asked.size, 1))(layers.Dense(1)(h))
    model = keras.Model(x_in, layers.Dense(1)(layers.ConvLSTM2D(**setting)(seen, initial_state=[h, c])))
    model.compile(keras.optimizers.Adam(RATE), "mse")
    assert model.count_params() == sum(p.numel() for p in Common().parameters())
    x, y = (a[..., None] for a in batch_of(asked))
    return lambda: float(model.train_on_batch(x, y))


def step_of(way, asked):
    """The training step of one of the ways."""
    determinism.fix(0, asked.threads)
    if way == "common":
        torch.use_deterministic_algorithms(False)
        return torch_step(Common(), asked)
    if way == "keras":
        return keras_step(asked)
    mask = mask_of(asked)
    return torch_step(ConvLSTM(asked.days, mask, HIDDEN, KERNEL, dropout=0), asked,
                      torch.as_tensor(mask, device=pick_device(asked.device)))


def peak_memory(way, asked):
    """MiB that three steps need above what was there before; on a GPU that of its own memory."""
    step = step_of(way, asked)
    if pick_device(asked.device).type == "cuda" and way != "keras":
        for _ in range(3):
            step()
        return torch.cuda.max_memory_allocated() / MIB
    before = resident("VmRSS")
    for _ in range(3):
        step()
    return (resident("VmHWM") - before) / 1024


def resident(what):
    """KiB of this process: VmRSS now, VmHWM at most. Not `getrusage`, which starts from the parent's peak (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def peak_elsewhere(way, arguments):
    """`peak_memory` in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments, "--peak-of", way], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"peak memory of {way}: {done.stderr[-1000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def loss_curves(asked, steps=10):
    """Losses of both from the same weights, all cells valid, and the largest relative difference."""
    determinism.fix(0, asked.threads)
    ours = ConvLSTM(asked.days, np.ones(asked.size, bool), HIDDEN, KERNEL, dropout=0)
    other = Common().take(ours)
    curves = {}
    for way, network in (("ours", ours), ("common", other)):
        step = torch_step(network, asked)
        curves[way] = [step() for _ in range(steps)]
    apart = max(abs(a - b) / b for a, b in zip(*curves.values(), strict=True))
    return curves | {"largest_relative_difference": apart}


def spread(values):
    """Median and range."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def measure(ways, asked):
    """Steps a second of every way, by turns, and the ratios of ours to the others, round by round."""
    steps, rates = {way: step_of(way, asked) for way in ways}, {way: [] for way in ways}
    for step in steps.values():
        step()
    for turn in tqdm(range(asked.rounds), leave=False):
        for way in ways if turn % 2 else ways[::-1]:
            start = time.perf_counter()
            for _ in range(asked.steps):
                steps[way]()
            rates[way].append(asked.steps / (time.perf_counter() - start))
    ratios = {f"ours / {way}": [a / b for a, b in zip(rates["ours"], rates[way], strict=True)]
              for way in ways if way != "ours"}
    return {"steps_per_second": {way: spread(r) for way, r in rates.items()},
            "ratios": {name: spread(r) for name, r in ratios.items()}}


def main(arguments=None):
    """Measure, and print the object."""
    parser = argparse.ArgumentParser(description="A training step of ConvLSTM, ours against common ways.")
    parser.add_argument("--size", type=int, nargs=2, default=[27, 69], help="cells, y and x")
    parser.add_argument("--valid", type=float, default=0.43, help="share of them in ours' mask, 0.43 as of the Qilian")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1, help="a round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak-of", choices=["ours", "common", "keras"], help=argparse.SUPPRESS)
    arguments = sys.argv[1:] if arguments is None else arguments
    asked = parser.parse_args(arguments)
    if not 0 < asked.valid <= 1:
        parser.error(f"--valid must be above 0 and at most 1, not {asked.valid:g}")
    if asked.peak_of:
        print(json.dumps(peak_memory(asked.peak_of, asked)))
        return
    has_keras = importlib.util.find_spec("keras") is not None
    ways = ["ours", "common", *(["keras"] if has_keras else [])]
    found = measure(ways, asked)
    device = pick_device(asked.device)
    facts = {"cores": len(os.sched_getaffinity(0)), "threads": asked.threads, "python": platform.python_version(),
             "torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability(),
             "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)}
    if has_keras:
        import keras

        facts["keras"] = f"{keras.__version__} with {keras.backend.backend()}"
    print(json.dumps({"machine": facts, "keras": "measured" if has_keras else "not installed", "size": asked.size,
                      "valid": asked.valid, "batch": asked.batch, "days": asked.days, "rounds": asked.rounds, **found,
                      "peak_memory_mib": {way: peak_elsewhere(way, arguments) for way in ways},
                      "loss_curves": loss_curves(asked)}, indent=1))


if __name__ == "__main__":
    main()
