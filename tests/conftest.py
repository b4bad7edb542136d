"""What tests share."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import matplotlib
import nbformat
import pytest

from smlib import determinism

matplotlib.use("Agg")
determinism.prepare_thread()  # as every run does; and threads of several test workers would only wait for each other
ROOT = Path(__file__).resolve().parents[1]


class Project:
    """A copy of the repository's code with notebooks of its own, and the command line run in it."""

    def __init__(self, root):
        self.root, self.runs = root, root / "runs"
        shutil.copytree(ROOT / "smlib", root / "smlib", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(ROOT / "pyproject.toml", root)
        (root / "data").mkdir()
        (root / "data" / "catalog.yml").write_text("{}\n")
        (root / "book" / "params").mkdir(parents=True)
        for profile in ("quick", "full"):
            self.profile("{}", profile)
        (root / "book" / "intro.md").write_text("# Intro\n\nText.\n")
        (root / "_config.yml").write_bytes((ROOT / "_config.yml").read_bytes())
        (root / "book" / "references.bib").write_text("")
        for folder in ("_ext", "_extra", "_static"):
            shutil.copytree(ROOT / "book" / folder, root / "book" / folder)
        self.toc()

    def toc(self, *pages):
        """Write `_toc.yml` with these pages after the intro."""
        chapters = "".join(f"  - file: {page}\n" for page in pages)
        chapters = f"chapters:\n{chapters}" if pages else ""
        (self.root / "_toc.yml").write_text(f"format: jb-book\nroot: intro\n{chapters}")

    def profile(self, text, profile="quick"):
        """Write a profile's parameter file."""
        (self.root / "book" / "params" / f"{profile}.yml").write_text(text)

    def notebook(self, name, *cells, parameters="seed = 0", kernel="python3", begins=True):
        """Write a notebook: title, `parameters` cell, `begin` (which imports torch, for seconds), then the cells."""
        keys = [line.split("=")[0].split(":")[0].strip() for line in parameters.splitlines() if "=" in line]
        begin = f"from smlib.run import begin\nrun = begin({name!r}, {', '.join(f'{key}={key}' for key in keys)})"
        new = nbformat.v4
        code = [new.new_code_cell(cell) for cell in (begin if begins else "pass", *cells)]
        notebook = new.new_notebook(
            cells=[new.new_markdown_cell("# Page"),
                   new.new_code_cell(parameters, metadata={"tags": ["parameters"]}), *code],
            metadata={"kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}})
        path = self.root / "book" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return path

    def command(self, *words, **env):
        """The arguments of subprocess that run ``python -m smlib`` on this copy."""
        return {"args": [sys.executable, "-m", "smlib", *map(str, words)], "cwd": self.root, "text": True,
                "env": os.environ | {"PYTHONPATH": str(self.root)} | env}

    def smlib(self, *words, **env):
        """Run ``python -m smlib`` on this copy; the completed process with its output."""
        return subprocess.run(**self.command(*words, **env), capture_output=True)

    def inside(self, *words):
        """As `smlib`, in this process, which is spared the start of another; wants the fixture `here`."""
        from smlib.run import cli

        out, err, code = io.StringIO(), io.StringIO(), 0
        with (mock.patch.object(sys, "argv", ["smlib", *map(str, words)]), contextlib.redirect_stdout(out),
              contextlib.redirect_stderr(err)):
            try:
                cli.main()
            except SystemExit as end:  # with a text: the text goes to stderr, and the code is 1
                code = end.code or 0
        text = err.getvalue() + (code if isinstance(code, str) else "")
        return subprocess.CompletedProcess(words, 1 if isinstance(code, str) else code, out.getvalue(), text)

    def finished(self, profile="smoke", notebook="part/page"):
        """The manifests of all finished runs, by hash."""
        found = (self.runs / profile / notebook).glob("*/manifest.json")
        return {path.parent.name: json.loads(path.read_text()) for path in found if path.parent.name != "failed"}


@pytest.fixture
def here(project, monkeypatch):
    """The empty project, with the `smlib` of this process looking there."""
    from smlib import paths

    for name, folder in (("ROOT", ""), ("DATA", "data"), ("BOOK", "book"), ("RUNS", "runs")):
        monkeypatch.setattr(paths, name, project.root / folder)
    return project


@pytest.fixture
def project(tmp_path):
    """An empty project in a folder with a space in its name."""
    root = tmp_path / "a clone"
    root.mkdir()
    return Project(root)
