"""Work in progress on disk, so that a killed training goes on where it was, and never on somebody else's work."""

import hashlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from smlib import paths

EVERY = 60  # seconds between two checkpoints


def fingerprint(network, members, settings, dtype, device):
    """A name for one piece of training: architecture, start, data, seeds, settings, versions and this package's code."""
    digest = hashlib.sha256(repr((network, settings, dtype, device.type, torch.__version__, np.__version__)).encode())
    for folder in ("models", "train"):
        for path in sorted((paths.ROOT / "smlib" / folder).glob("*.py")):
            digest.update(path.read_bytes())
    for p in network.parameters():
        digest.update(p.detach().numpy().tobytes())
    seen = {}
    for member in members:
        digest.update(repr(member.seed).encode())
        for windows in (member.train, member.validation):
            if id(windows) not in seen:
                seen[id(windows)] = hashlib.sha256(windows.x.tobytes() + windows.y.tobytes()).digest()
            digest.update(seen[id(windows)])
    return digest.hexdigest()[:32]


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
        """The state, or None where there is none yet."""
        # It is our own file, and holds NumPy arrays.
        return torch.load(self.path, map_location=device, weights_only=False) if self.path.exists() else None
