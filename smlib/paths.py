"""Where the project's own files are, whatever the working directory."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
BOOK = ROOT / "book"
RUNS = ROOT / "runs"
LOCAL = Path(os.environ.get("SMLIB_DATA_DIR") or DATA / "local")  # what is big, or made here; git leaves it alone

if not (DATA / "catalog.yml").exists():
    raise ImportError(f"smlib must run from a clone of its repository (pip install -e): there is no {DATA}/catalog.yml")
