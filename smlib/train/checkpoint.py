"""Work in progress on disk, so that a killed training goes on where it was, and never on somebody else's work."""

import hashlib
import inspect
import os
import pickle
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from smlib import paths

EVERY = 60  # seconds between two checkpoints


def fingerprint(network, members, settings, dtype, device, loss):
    """A name for one piece of training: architecture, start, data, seeds, settings, loss, versions and their code."""
    digest = hashlib.sha256(repr((network, settings, dtype, device.type, torch.__version__, np.__version__)).encode())
    for folder in ("models", "train"):
        for path in sorted((paths.ROOT / "smlib" / folder).glob("*.py")):
            digest.update(path.read_bytes())
    for part in network.modules():
        plain = {k: v for k, v in vars(part).items() if isinstance(v, (bool, int, float, str, tuple))}
        digest.update(repr((plain, _source(type(part)))).encode())
    for name, value in network.state_dict().items():
        digest.update(repr((name, value.shape)).encode() + value.cpu().numpy().tobytes())
    digest.update(repr((loss.__module__, loss.__qualname__, inspect.getsource(loss))).encode())
    seen = {}
    for member in members:
        digest.update(repr(member.seed).encode())
        for windows in (member.train, member.validation):
            if id(windows) not in seen:
                seen[id(windows)] = hashlib.sha256(repr(windows.x.shape).encode() + windows.x.tobytes()
                                                   + windows.y.tobytes()).digest()
            digest.update(seen[id(windows)])
    return digest.hexdigest()[:32]


def _source(kind):
    """The methods of a class that is neither torch's nor this package's, whose files and versions are known."""
    if kind.__module__.split(".")[0] in ("torch", "smlib"):
        return []
    return [inspect.getsource(method) for method in vars(kind).values() if inspect.isfunction(method)]


class Checkpoint:
    """One file that holds the state of one piece of training, written aside and renamed."""

    def __init__(self, folder, name):
        self.path, self.last = Path(folder) / f"{name}.pt", time.monotonic()

    def keep(self, state, at_once):
        """Write ``state()`` if it is time to."""
        if not at_once and time.monotonic() - self.last < EVERY:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save(state(), file)
            os.replace(partial, self.path)
        except BaseException:
            os.unlink(partial)
            raise
        self.last = time.monotonic()

    def read(self, device):
        """The state, or None where there is none yet. A damaged file is named in a warning, and taken for none."""
        if not self.path.exists():
            return None
        try:
            return torch.load(self.path, map_location=device, weights_only=False)  # our own file: it holds NumPy arrays
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            warnings.warn(f"{self.path} cannot be read ({error}); this training is begun anew", stacklevel=2)
            return None
