"""The simulated world: a nature run with known truth, and the products and networks that would have seen it."""

import hashlib
from pathlib import Path

import numba

from smlib import paths

CODE = hashlib.sha256(b"".join(file.name.encode() + file.read_bytes()
                               for file in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
# Numba keeps what it has compiled until the function's own file changes, not those of the functions that it calls.
numba.config.CACHE_DIR = str(paths.LOCAL / "numba" / CODE[:16])
