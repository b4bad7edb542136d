"""The simulated world: a nature run with known truth, and the products and networks that would have seen it."""

import hashlib
from pathlib import Path

CODE = hashlib.sha256(b"".join(file.name.encode() + file.read_bytes()
                               for file in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
