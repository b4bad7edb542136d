"""One set of versions everywhere, nothing undeclared, nothing superfluous, and a Makefile that tells what it can."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Declared although no module imports them by name.
NOT_IMPORTED = {
    "netcdf4": "xarray's engine for the embedded files",
    "zarr": "xarray's engine for stores of one's own",
    "dask": "what xarray opens grids in chunks with",
    "ipykernel": "the kernel that papermill starts",
    "jupyter-book": "called as a program",
    "pytest-xdist": "pytest -n",
    "nbmake": "pytest --nbmake",
    "ruff": "make lint",
    "playwright": "tests/test_book.py, which does without it where it is missing",
    "pyarrow": "pandas' engine for the Parquet file that scripts/make_stations.py reads",
    "openpyxl": "pandas' engine for the workbook that scripts/make_stations.py reads",
}


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return {_normal(name): version for name, version in
            (line.split(";")[0].strip().split("==") for line in lines if line and not line.startswith("#"))}


def _bounds(requirements):
    return {_normal(name): version for name, version in
            (re.match(r"([\w.-]+)>=([\w.]+)", requirement).groups() for requirement in requirements)}


def _imported(folder):
    """Third-party distributions that the Python files in `folder` import, and the first file of each."""
    known, found = packages_distributions(), {}
    own = {"smlib", *(path.stem for path in (ROOT / folder).glob("*.py"))} | set(sys.stdlib_module_names)
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {name.split(".")[0] for name in names} - own:
                for distribution in known.get(top, [f"(not installed: {top})"]):
                    found.setdefault(_normal(distribution), path)
    return found


def test_requirements_and_pyproject_name_the_same_versions():
    extras = PROJECT["optional-dependencies"]
    declared = _bounds(PROJECT["dependencies"]) | _bounds(extras["test"]) | _bounds(extras["scripts"])
    assert declared == _pins()


def test_conda_users_get_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    pip = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    # Every version comes from requirements.txt itself; conda brings no package of its own that could differ.
    assert [re.split(r"\W", entry)[0] for entry in conda] == ["python", "pip"]
    assert pip == [["-r requirements.txt", "-e ."]]
    assert conda[0] == f"python {PROJECT['requires-python']}"


def test_what_smlib_imports_is_declared_and_what_is_declared_is_used():
    declared, used = set(_bounds(PROJECT["dependencies"])), _imported("smlib")
    assert {name: str(path) for name, path in used.items() if name not in declared} == {}
    assert declared - set(used) - set(NOT_IMPORTED) == set()


def test_what_tests_and_scripts_import_is_declared():
    extras = PROJECT["optional-dependencies"]
    runtime = set(_bounds(PROJECT["dependencies"]))
    for folder, extra in (("tests", "test"), ("scripts", "scripts")):
        declared, used = set(_bounds(extras[extra])), _imported(folder)
        assert {name: str(path) for name, path in used.items() if name not in declared | runtime} == {}
        assert declared - set(used) - set(NOT_IMPORTED) == set()


def test_every_reason_is_for_something_declared():
    assert set(NOT_IMPORTED) <= set(_pins())


def test_the_installed_versions_are_the_pinned_ones():
    from importlib.metadata import version

    installed = {name: version(name).split("+")[0] for name in _pins()}
    assert installed == _pins()


def test_make_help_lists_every_target():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split())
    assert targets == set(re.findall(r"^([a-z]+):", makefile, re.M)) == {
        "help", "book", "test", "serve", "lint", "clean"}
    assert {line.split()[1] for line in shown.splitlines() if line.startswith("make ")} == targets


def test_an_unsuitable_python_is_told(tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(["make", "book", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode and "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_ci_and_the_hosted_workflow_call_make_test():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.rstrip().endswith("exec make test") and "set -euo pipefail" in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())["jobs"]["test"]
    assert [step["run"] for step in workflow["steps"] if "run" in step] == ["make test"]
    assert workflow["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize(("file", "text"), [
    ("LICENSE", "MIT License"), ("LICENSE-text", "Attribution 4.0 International"),
    ("book/_extra/mathjax/LICENSE", "Apache License")])
def test_licences_are_there(file, text):
    assert text in (ROOT / file).read_text()
