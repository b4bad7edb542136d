"""Equal seeds, equal numbers."""

import random

import numpy as np
import pytest
import torch

from smlib import determinism


def _draw():
    net = torch.nn.LSTM(3, 4)
    return random.random(), np.random.rand(3).tolist(), net(torch.randn(5, 2, 3))[0].detach().numpy().tobytes()


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    draws = []
    for seed in (5, 5, 6):
        determinism.fix(seed)
        draws.append(_draw())
    assert draws[0] == draws[1]
    assert all(a != b for a, b in zip(draws[0], draws[2], strict=True))


def test_threads_come_from_the_argument_then_the_environment(monkeypatch):
    monkeypatch.delenv("SMLIB_THREADS", raising=False)
    determinism.fix(0)
    assert torch.get_num_threads() == 1
    monkeypatch.setenv("SMLIB_THREADS", "2")
    determinism.fix(0)
    assert torch.get_num_threads() == 2
    determinism.fix(0, threads=1)
    assert torch.get_num_threads() == 1


def test_denormals_are_flushed_and_algorithms_deterministic():
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(False)
    determinism.fix(0)
    assert (torch.tensor([1e-310], dtype=torch.float64) * 1.0).item() == 0
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "a", None])
def test_a_seed_that_is_no_whole_number_in_range_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        determinism.fix(seed)
