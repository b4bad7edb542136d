"""A run's hash sees every change that could change its numbers, and no other."""

import json
import subprocess

import nbformat
import pytest

from smlib.run import manifest, params


@pytest.fixture
def page(here):
    here.notebook("part/page", "x = 1", parameters='source = "embedded"\nseed = 0')
    return here


def _hash(**overrides):
    return manifest.run_hash(manifest.identity("part/page", params.resolve("part/page", overrides=overrides)))


def test_nothing_changed_nothing_changes(page):
    before = _hash()
    path = page.root / "book" / "part" / "page.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="an output")]
    notebook.cells[-1].execution_count = 7
    nbformat.write(notebook, path)
    (page.root / "smlib" / "__pycache__").mkdir()
    (page.root / "smlib" / "__pycache__" / "x.py").write_text("")
    (page.root / "data" / "local").mkdir()
    (page.root / "data" / "local" / "mine.csv").write_text("1")
    assert _hash() == before


@pytest.mark.parametrize("file", ["smlib/evaluate/metrics.py", "smlib/run/results.py", "smlib/models/new.py",
                                  "data/catalog.yml", "data/published/table.csv", "data/stations/site.nc"])
def test_a_changed_or_new_file_changes_the_hash(page, file):
    before = _hash()
    path = page.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n# changed\n")
    assert _hash() != before


def test_a_changed_cell_parameter_or_version_changes_the_hash(page, monkeypatch):
    hashes = {_hash(), _hash(seed=1)}
    page.notebook("part/page", "x = 2", parameters='source = "embedded"\nseed = 0')
    hashes.add(_hash())
    monkeypatch.setattr(manifest, "packages", lambda: {"numpy": "0"})
    hashes.add(_hash())
    monkeypatch.setattr(manifest, "THREADS", 2)
    hashes.add(_hash())
    assert len(hashes) == 5


def test_the_content_of_ones_own_source_counts(page, tmp_path):
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "a.csv"
    file.write_text("1")
    before = _hash(source=str(tmp_path / "mine"))
    assert _hash(source=str(tmp_path / "mine")) == before
    file.write_text("2")
    assert _hash(source=str(tmp_path / "mine")) != before


def test_a_missing_package_is_told(page):
    path = page.root / "pyproject.toml"
    path.write_text(path.read_text().replace('"numpy>=', '"no-such-package>='))
    with pytest.raises(params.RunError, match="no-such-package is not installed"):
        manifest.packages()


def test_the_record_tells_what_where_when_and_how(page):
    def git(*words):
        subprocess.run(["git", "-C", page.root, "-c", "user.name=a", "-c", "user.email=a@b.c", *words], check=True,
                       capture_output=True)

    identity = manifest.identity("part/page", params.resolve("part/page"))
    assert manifest.git() is None
    git("init")
    git("add", "-A")
    git("commit", "-m", "all")
    record = manifest.record(identity, "smoke", manifest.now(), 1.234, "finished", {"gpu": None, "threads": 1})
    assert json.loads(json.dumps(record)) == record
    assert record["git"]["dirty"] is False and len(record["git"]["commit"]) == 40
    wanted = {"parameters", "notebook_sha256", "source", "data", "code_sha256", "seeds", "packages", "python",
              "platform", "device", "threads", "started", "seconds", "status", "hash", "profile"}
    assert wanted <= set(record) and record["seeds"] == {"seed": 0} and record["device"]["cpu"]
    (page.root / "pyproject.toml").write_text("")
    assert manifest.git()["dirty"] is True
