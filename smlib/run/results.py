"""What a notebook leaves behind: tidy tables and figures, written whole or not at all."""

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from smlib import paths, wording
from smlib.run import alt as alternative
from smlib.run import command, interactive, params

COST = ("study", "model", "device", "metric", "value")
SESSION = "session.json"  # what only the kernel knows of itself, for the manifest


def begin(notebook, **parameters):
    """Start a notebook: check its name and parameters, fix the seeds, and return the `Run` that takes its results.

    Parameters
    ----------
    notebook : str
        The notebook's name in the book, such as ``"stations/compare"``.
    **parameters
        All parameters of its `parameters` cell, as they stand; `seed`, if there is one, seeds every generator.

    Raises
    ------
    RunError
        If there is no such notebook, if the runner is running another one, or if a parameter is missing or unknown.
    """
    name = params.find(notebook)
    running = os.environ.get("SMLIB_NOTEBOOK", name)
    if name != running:
        raise params.RunError(f"begin({notebook!r}) stands in the notebook {running}")
    known = params.read(name)
    missing = [key for key in known if key not in parameters]
    if missing:
        raise params.RunError(f"begin({notebook!r}, ...) lacks the parameters {', '.join(missing)}")
    parameters = params.check(name, parameters, known)
    from smlib import determinism  # here, for torch takes seconds and the runner, which needs none, starts with this

    determinism.fix(parameters.get("seed", 0))
    return Run(name, parameters)


class Run:
    """One run of a notebook, and the folder `path` that takes its results.

    Under the runner that is the run's own folder; anywhere else (JupyterLab, nbmake, papermill by hand) it is
    ``runs/adhoc/<notebook>/results/`` in the repository, emptied first, whatever the working directory.
    """

    def __init__(self, notebook, parameters):
        self.notebook, self.parameters = notebook, parameters
        self._names = {}
        self.simulated = parameters.get("source") == "twin"  # figures then say so; for a store the notebook sets it
        folder = Path(os.environ.get("SMLIB_RUN_DIR") or paths.RUNS / "adhoc" / notebook)
        self.path = folder / "results"
        # Unfinished training outlives the run, or a killed one could not go on; it is found again by what it trains,
        # and deleted when a run of this notebook has landed.
        self.checkpoints = paths.RUNS / "checkpoints" / notebook
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)
        import torch

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
        _write(folder / SESSION, json.dumps({"gpu": gpu, "threads": torch.get_num_threads(),
                                             "executable": sys.executable}) + "\n")

    def table(self, name, frame):
        """Write `frame` (without its index) to ``results/<name>.csv``, floats to full precision; return the path."""
        path = self._place(name, ".csv")
        _write(path, frame.to_csv(index=False, lineterminator="\n"))
        return path

    def skill(self, frame):
        """Write ``results/skill.csv`` after checking that `frame` is a skill table; return the path.

        The columns are exactly `smlib.evaluate.COLUMNS` in that order. One row a score: `study`, `source`, `protocol`,
        `model` and `metric` are text, `value` is finite unless `n` (valid pairs) is 0, `low` and `high` are both given
        or both empty and in order, `lead_d` is a whole number of days or empty, and no score stands twice.

        Raises
        ------
        ValueError
            Naming the rule and the first row that breaks it.
        """
        from smlib.evaluate import (
            COLUMNS,  # here, for it takes seconds and every process of a run starts with this module
        )

        frame = _columns(frame, COLUMNS, "skill")
        _texts(frame, ("study", "source", "protocol", "model", "metric"), "skill")
        numbers = frame[["depth_m", "lead_d", "value", "low", "high", "n"]].apply(_numeric)
        low, high, n, lead = (numbers[key] for key in ("low", "high", "n", "lead_d"))
        _require(frame, ~np.isinf(numbers).any(axis=1), "skill: a number is infinite")
        _require(frame, (n >= 0) & (n % 1 == 0), "skill: n is not a whole number from 0")
        _require(frame, numbers["value"].notna() | (n == 0), "skill: there is no value although n > 0")
        _require(frame, low.isna() == high.isna(), "skill: low and high must both be given or both be empty")
        _require(frame, low.isna() | (low <= high), "skill: low is above high")
        _require(frame, lead.isna() | ((lead >= 0) & (lead % 1 == 0)), "skill: lead_d is not a whole number of days")
        key = list(COLUMNS[:9])
        _require(frame, ~frame[key].astype(str).duplicated(), "skill: a score stands twice")
        return self.table("skill", frame.assign(n=n.astype(int), lead_d=lead.astype("Int64")))

    def cost(self, frame):
        """Write ``results/cost.csv`` after checking its columns (exactly `COST`) and that values are finite."""
        frame = _columns(frame, COST, "cost")
        _texts(frame, ("study", "model", "device", "metric"), "cost")
        _require(frame, np.isfinite(_numeric(frame["value"])), "cost: value is not a finite number")
        return self.table("cost", frame)

    def figure(self, name, fig, alt):
        """Save a matplotlib figure as ``results/figures/<name>.png``; it stays open, so the notebook shows it too.

        If `simulated` is set, the figure says so in its upper right corner.

        Parameters
        ----------
        name : str
            The file's name, without suffix.
        fig : matplotlib.figure.Figure
            The figure; `fig.alt` holds its text from here on, and the page shows it with that text.
        alt : str
            What the figure shows, for readers who do not see it: the kind of chart, what is drawn, and its main reading
            where the run has computed it. Labels of axes and legend are added by themselves (`smlib.run.alt`).

        Raises
        ------
        ValueError
            If `alt` is too short to describe a figure (`smlib.run.alt.checked`).
        """
        path = self._place(name, ".png", "figures")
        fig.alt = alternative.text(fig, alt)
        if self.simulated:
            fig.text(0.995, 0.995, "simulated", ha="right", va="top", color="#B2182B",
                     fontsize=max(10, fig.get_figwidth()))  # not too small on a page, which is 6.5 inches wide
        with _aside(path) as partial:
            # Without matplotlib's version in it, equal pixels are equal files.
            fig.savefig(partial, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})
        return path

    def interactive(self, name, layout, alt):
        """Save a bokeh figure as ``results/interactive/<name>.json`` and return what a notebook shows of it.

        A page shows it below the static figure of the same data, drawn when its reader asks for it; JupyterLab shows
        the static one alone.

        Parameters
        ----------
        name : str
            The file's name, without suffix.
        layout : bokeh.models.UIElement
            Such as the functions of `smlib.plots.interactive` return.
        alt : str
            What it shows; if `simulated` is set, "Simulated." is added.

        Raises
        ------
        ValueError
            If `alt` is too short to describe a figure, or the figure too large for a page (`smlib.run.interactive`).
        """
        says = alternative.checked(alt)
        says = (says if says[-1] in ".!?" else f"{says}.") + (" Simulated." if self.simulated else "")
        path = self._place(name, ".json", "interactive")
        text = interactive.item(name, layout)
        _write(path, text + "\n")
        return interactive.Shown(name, text, says)

    def opening(self, answer, data, paper="", kind="", detail=""):
        """What a page opens with: our answer, the data that it rests on. Staging moves it up to the question.

        Parameters
        ----------
        answer : str
            Markdown out of the run's tables; begins with ``**Our runs.**`` and has at most 200 characters.
        data : str
            Markdown on the data; begins with ``**Data.**`` and says whether they are measured or simulated.
        paper : str, optional
            ``**The paper's answer**``, where it is drawn from printed tables; else it stands in the page's first cell.
        kind : str, optional
            measured, simulated or both; by default what `simulated` says.
        detail : str, optional
            Markdown: the numbers behind the answer, which a page shows folded below it.

        Returns
        -------
        IPython.display.Markdown

        Raises
        ------
        ValueError
            If a part lacks its label, the answer is too long, or the data do not say what they are.
        """
        from IPython.display import Markdown  # here, for not every process of a run shows something

        parts = {"answer": answer, "detail": detail, "paper": paper, "data": data}
        for name, label in (("answer", "**Our runs.**"), ("data", "**Data.**"), ("paper", "**The paper")):
            if not parts[name].startswith(label if name != "paper" or paper else ""):
                raise ValueError(f"opening: {name} must begin with {label}, not {parts[name][:40]!r}")
        if wording.length(answer) > wording.ANSWER:
            raise ValueError(f"opening: the answer has more than {wording.ANSWER} characters, what explains it is "
                             f"`detail`: {answer!r}")
        kind = kind or ("simulated" if self.simulated else "measured")
        if kind.split()[0] not in data.lower():
            raise ValueError(f"opening: the data do not say that they are {kind}: {data!r}")
        return Markdown("\n\n".join(filter(None, parts.values())), metadata={"opening": parts | {"kind": kind}})

    def reproduce(self):
        """Markdown with the one command that repeats this run from the repository's root."""
        line = command.run_command(self.notebook, self.parameters)
        return f"To repeat this page's run, from the repository's root:\n\n```bash\n{line}\n```\n"

    def _place(self, name, suffix, folder=""):
        """The file for a result; a site's name may be part of the name, so what no file name may hold becomes `_`."""
        path = self.path / folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)}{suffix}"
        if self._names.setdefault(path, name) != name:
            raise ValueError(f"the results {self._names[path]!r} and {name!r} would be one file, {path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class _aside:
    """A temporary path beside `path` that takes its place when all went well, and is gone otherwise."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        handle, self.partial = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        os.close(handle)
        os.chmod(self.partial, 0o644)
        return self.partial

    def __exit__(self, kind, *_):
        if kind is None:
            os.replace(self.partial, self.path)
        else:
            os.unlink(self.partial)


def _write(path, text):
    with _aside(path) as partial:
        Path(partial).write_text(text, encoding="utf-8")


def _columns(frame, columns, table):
    if tuple(frame.columns) != columns:
        raise ValueError(f"{table}: the columns must be {', '.join(columns)}; they are {', '.join(map(str, frame))}")
    if frame.empty:
        raise ValueError(f"{table}: there are no rows")
    return frame.reset_index(drop=True)


def _texts(frame, columns, table):
    for column in columns:
        is_text = frame[column].map(lambda value: isinstance(value, str) and bool(value))
        _require(frame, is_text, f"{table}: {column} must be text")


def _numeric(column):
    """A column as floats, empty text as NaN; ValueError for other text."""
    return pd.to_numeric(column.replace("", np.nan)).astype(float)


def _require(frame, good, rule):
    bad = np.flatnonzero(~np.asarray(good, dtype=bool))
    if len(bad):
        raise ValueError(f"{rule} (row {bad[0]}: {frame.iloc[bad[0]].to_dict()})")
