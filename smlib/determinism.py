"""The same parameters on the same machine give the same numbers, bit for bit."""

import os
import random

import numpy as np
import torch


def fix(seed=0, threads=None):
    """Seed every generator in use and hold torch to deterministic arithmetic on a fixed number of threads.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1, for ``random``, NumPy's legacy generator and torch (CPU and GPU).
    threads : int, optional
        Threads of one torch operation; by default the environment's ``SMLIB_THREADS``, or 1. Sums over more threads
        are added in another order, so the number of threads is part of what makes two runs equal.

    Raises
    ------
    ValueError
        For a seed or a number of threads that is not a whole number in range.
    """
    seed = _whole("seed", seed, 0, 2**32 - 1)
    prepare_thread(_whole("threads", threads or os.environ.get("SMLIB_THREADS") or 1, 1, 4096))
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # cuBLAS reads this when it starts; without it deterministic matrix products raise an error on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.set_deterministic_debug_mode("error")  # the other call for it imports the compiler, five seconds
    torch.utils.deterministic.fill_uninitialized_memory = False  # a debugging aid that costs a tenth of the time


def prepare_thread(threads=1):
    """What a thread that computes with torch must do first: torch keeps these settings thread by thread.

    Denormal numbers make a long LSTM on a CPU seven times slower; they are taken for zero.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)


def _whole(name, value, low, high):
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or number != (value if not isinstance(value, str) else number) or not low <= number <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return number
