"""The finished runs of other pages, as a page with the parameter `profile` reads them: their tables and manifests.

Such a page runs after all others. Which runs it read is part of its own hash, so it is repeated when one of them was.
"""

import json

import pandas as pd

from smlib.run import execute, manifest, page, params
from smlib.run.params import RunError


def pages():
    """Names of the notebooks whose runs can be read: all but those that read runs themselves."""
    return [name for name in params.notebooks() if not params.reads_runs(name)]


def run(name, profile):
    """The folder of the finished run of the notebook `name` that has exactly the present hash.

    Raises
    ------
    RunError
        If there is none; the message is the command that makes it.
    """
    hash = manifest.run_hash(manifest.identity(name, params.resolve(name, profile)))
    folder = execute.finished(name, profile, hash)
    if folder is None:
        raise RunError(f"{name}: there is no finished {profile} run {hash}; run it: "
                       f"python -m smlib run book/{name}.ipynb --profile {profile}")
    return folder


def folder(name, profile):
    """The folder with the results of that run: its tables as CSV, its figures."""
    return run(name, profile) / "results"


def table(name, profile, table="skill"):
    """One table of that run, a DataFrame; `RunError` names the tables there are if it has no such table."""
    results = folder(name, profile)
    path = results / f"{table}.csv"
    if not path.exists():
        there = sorted(path.stem for path in results.glob("*.csv"))
        raise RunError(f"{name} has no table {table}; it has {', '.join(there)}")
    return pd.read_csv(path)


def tables(profile, table="skill"):
    """That table of all pages that have it, one frame whose first column `page` names the page.

    Raises
    ------
    RunError
        If a page has no finished run, or none of them has such a table.
    """
    found = {name: folder(name, profile) / f"{table}.csv" for name in pages()}
    frames = [pd.read_csv(path).assign(page=name) for name, path in found.items() if path.exists()]
    if not frames:
        raise RunError(f"no page has a table {table}")
    frame = pd.concat(frames, ignore_index=True)
    return frame[["page", *frame.columns.drop("page")]]


def record(name, profile):
    """The manifest of that run, a dict (see `manifest.record`)."""
    return json.loads((run(name, profile) / execute.MANIFEST).read_text())


def kind(name, profile):
    """Whether the data of that run are "measured" or "simulated"; `RunError` if its source does not tell."""
    manifest_of = record(name, profile)
    found = page.kind_of(manifest_of)
    if found is None:
        raise RunError(f"{name}: the source {manifest_of['source']!r} of its {profile} run does not tell whether its "
                       "data are measured or simulated")
    return found
