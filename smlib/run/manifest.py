"""What a run is made of, hashed, so that no change goes unseen, and the record that it leaves."""

import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from smlib import paths
from smlib.run import params

THREADS = 1  # of one run; two runs share two cores
CLAIMS = "claims.yml"  # in data/: what is claimed of runs, read by pages that read runs and by no other


def identity(notebook, parameters):
    """All that decides the numbers of a run, as a dict of JSON values: what `run_hash` hashes.

    Notebook cells (without outputs), resolved parameters, every file of `data/` (of a page that reads no runs, but for
    the claims) and of the source, every module of `smlib`, the versions of the declared packages and of Python, the
    number of threads; of a page that reads runs, the hashes of these runs.
    """
    cells = [[cell.cell_type, cell.source, sorted(cell.metadata.get("tags", []))]
             for cell in params.load(notebook).cells]
    reads = params.reads_runs(notebook)
    data = {f"data/{key}": value for key, value in _tree(paths.DATA, "*", but="local").items()
            if reads or key != CLAIMS}
    for name, value in parameters.items():
        if params.is_path(name, value):
            from smlib.data import source_fingerprint  # here, for its readers take a second to import

            data |= {f"{name}/{key}": one for key, one in source_fingerprint(value).items()}
    read = {"runs": _runs(parameters["profile"])} if reads else {}
    return {
        "notebook": notebook,
        "notebook_sha256": digest(cells),
        "parameters": parameters,
        "data": data,
        "code_sha256": code(),
        "packages": packages(),
        "python": platform.python_version(),
        "threads": THREADS,
        **read,
    }


def code():
    """SHA-256 of all modules of `smlib`."""
    return digest(_tree(paths.ROOT / "smlib", "*.py"))


def run_hash(identity):
    """The first 16 hexadecimal digits of the identity's SHA-256: the name of the run's folder."""
    return digest(identity)[:16]


def digest(value):
    """SHA-256, as text, of a JSON value; equal values give equal digests whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def packages():
    """Installed versions of the packages that `pyproject.toml` declares, a dict of name -> version."""
    declared = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.match(r"[\w.-]+", requirement)[0] for requirement in declared]
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            raise params.RunError(f"the package {name} is not installed; pip install -r requirements.txt") from None
    return versions


def record(identity, profile, started, seconds, status, session):
    """The manifest of a run: its identity and when, where, on what, from which commit and how it went.

    Parameters
    ----------
    identity : dict
        From `identity`, taken before the run.
    profile, status : str
    started : datetime.datetime
    seconds : float
    session : dict
        What the kernel said of itself: GPU, threads.
    """
    seeds = {key: value for key, value in identity["parameters"].items() if key.startswith("seed")}
    return {
        "status": status,
        "profile": profile,
        "hash": run_hash(identity),
        **identity,
        "source": identity["parameters"].get("source"),
        "seeds": seeds,
        "git": git(),
        "platform": platform.platform(),
        "device": {"cpu": _cpu(), "cores": os.cpu_count(), **session},
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
    }


def now():
    """The present time, with its offset from UTC."""
    return datetime.datetime.now(datetime.UTC)


def git():
    """The commit checked out and whether files differ from it; None where there is no repository."""
    def ask(*words):
        return subprocess.run(["git", "-C", str(paths.ROOT), *words], capture_output=True, text=True, check=True).stdout

    try:
        return {"commit": ask("rev-parse", "HEAD").strip(), "dirty": bool(ask("status", "--porcelain").strip())}
    except (OSError, subprocess.CalledProcessError):
        return None


def _runs(profile):
    """Hashes of the runs that a page with `profile` may read, a dict of notebook -> hash."""
    return {name: run_hash(identity(name, params.resolve(name, profile)))
            for name in params.notebooks() if not params.reads_runs(name)}


def _tree(folder, pattern, but=None):
    """SHA-256 of each file under `folder`, a dict of relative name -> digest; caches and hidden files left out.

    So is the folder named `but` in it: what may be there is large, and not read unless a source names it.
    """
    files = {}
    for place, folders, names in os.walk(folder):
        place = Path(place)
        folders[:] = [one for one in folders if not one.startswith(".") and one != "__pycache__"
                      and (place != folder or one != but)]  # not even entered: `but` may hold thousands of files
        for path in (place / one for one in names if fnmatch(one, pattern) and not one.startswith(".")):
            if path.is_file():
                files[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(sorted(files.items()))


def _cpu():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
