"""One training by several processes, as torchrun starts them: who is here, and sums over all of them.

A process alone needs none of this, and every function below then does nothing.
"""

import os
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

from smlib.train.loop import pick_device


@contextmanager
def joined(device="auto"):
    """Join the processes that torchrun started, if it did; gives the device of this one.

    NCCL on GPUs, where process k of a node has GPU k; gloo on CPUs. Training in here is by all processes together.
    """
    device = pick_device(device)
    if "WORLD_SIZE" not in os.environ or distributed.is_initialized():
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    # One process may make fields for hours while the others wait for it.
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=24))
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def place():
    """Number of this process from 0, and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def sum_over_processes(x):
    """The sum of every process' x, the same in all of them; gradients go back to all of them."""
    return x if place()[1] == 1 else _Sum.apply(x)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x = x.contiguous().clone()
        distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, dx):
        return _Sum.apply(dx)
