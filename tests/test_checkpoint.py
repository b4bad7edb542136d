"""Work in progress on disk: written whole or not at all, and read by nobody else."""

import warnings

import numpy as np
import pytest
import torch
from test_models import linear_windows

from smlib.data.windows import Windows
from smlib.models.recurrent import GANLSTM, LSTM
from smlib.models.transformer import Transformer
from smlib.train import Member, checkpoint
from smlib.train.checkpoint import Checkpoint, fingerprint
from smlib.train.loop import squared_error

CPU = torch.device("cpu")


def absolute_error(made, y):
    return abs(made - y)


def name(make=LSTM, windows=None, seed=1, dtype=torch.float32, loss=squared_error, **settings):
    torch.manual_seed(0)
    windows = windows or linear_windows(40)
    return fingerprint(make(3), [Member(windows, linear_windows(20), seed)], settings, dtype, CPU,
                       loss)


def test_equal_work_has_one_name_and_any_other_work_another():
    w = linear_windows(40)
    changed = w.x.copy()
    changed[17, 2, 1] += 1e-9
    names = [name(), name(seed=2), name(dtype=torch.float64), name(epochs=3), name(epochs=4), name(GANLSTM),
             name(loss=absolute_error),
             name(lambda f: LSTM(f, layers=1)), name(lambda f: GANLSTM(f, adversarial_weight=1e-6)),
             name(windows=w[:-1]), name(windows=Windows(changed, w.y, w.time)),
             name(windows=Windows(w.x, w.y[::-1], w.time)),
             name(lambda f: Transformer(f, positions="learned")), name(lambda f: Transformer(f, positions="sine"))]
    assert len(set(names)) == len(names)
    assert name() == names[0]
    assert name(windows=Windows(w.x.copy(), w.y.copy(), w.time)) == names[0], "the numbers count, not the object"


def test_a_network_that_computes_otherwise_is_other_work():
    """Same parameters, same settings: the code of a class that is not this package's tells them apart."""
    class Plus(LSTM):
        def forward(self, x):
            return super().forward(x) + 1

    plus = name(Plus)

    class Plus(LSTM):
        def forward(self, x):
            return super().forward(x) + 2

    assert name(Plus) != plus


def test_what_was_kept_is_read_again(tmp_path):
    kept = Checkpoint(tmp_path / "deep" / "er", "a")
    assert kept.read(CPU) is None
    kept.keep(lambda: {"epoch": 3, "w": torch.arange(3.0), "loss": np.array([1.0, np.nan])}, at_once=True)
    state = Checkpoint(tmp_path / "deep" / "er", "a").read(CPU)
    assert state["epoch"] == 3 and torch.equal(state["w"], torch.arange(3.0))
    np.testing.assert_array_equal(state["loss"], [1.0, np.nan])
    assert Checkpoint(tmp_path, "a").read(CPU) is None and Checkpoint(tmp_path / "deep" / "er", "b").read(CPU) is None


def test_it_is_written_when_it_is_time_and_only_then(tmp_path, monkeypatch):
    clock, made = [1000.0], []
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    kept = Checkpoint(tmp_path, "a")
    for clock[0] in (1030, 1059.9, 1060.1, 1100, 1120, 1121):
        kept.keep(lambda: made.append(clock[0]) or {"epoch": clock[0]}, at_once=False)
    assert made == [1060.1, 1121], "and the state is not put together in vain"
    kept.keep(lambda: {"epoch": 5}, at_once=True)
    assert kept.read(CPU) == {"epoch": 5}


def test_a_write_that_breaks_off_leaves_the_last_state(tmp_path):
    kept = Checkpoint(tmp_path, "a")
    kept.keep(lambda: {"epoch": 1}, at_once=True)

    class Unwritable:
        def __reduce__(self):
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        kept.keep(lambda: {"epoch": 2, "big": torch.zeros(1000), "end": Unwritable()}, at_once=True)
    assert kept.read(CPU) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:len(b) // 2], lambda b: b"\x80\x02}" + b[3:],
                                    lambda b: b"text"])
def test_a_damaged_file_is_named_and_begun_anew(tmp_path, damage):
    kept = Checkpoint(tmp_path, "a")
    kept.keep(lambda: {"epoch": 1, "w": torch.zeros(100)}, at_once=True)
    kept.path.write_bytes(damage(kept.path.read_bytes()))
    with pytest.warns(UserWarning, match=r"a\.pt cannot be read.*anew"):
        assert kept.read(CPU) is None
    kept.keep(lambda: {"epoch": 1}, at_once=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kept.read(CPU) == {"epoch": 1}
