"""The book is built of finished runs of the present state, with every warning an error, or not at all."""

import json
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from smlib.claims import COLUMNS
from smlib.run import execute, manifest, params, stage
from smlib.run.params import RunError


@pytest.fixture
def page(here):
    here.notebook("part/page", "x = 1")
    here.toc("part/page")
    return here


def _finish(project, name="part/page", *, error=False, ran=True, **record):
    """Make what a finished smoke run of a page would be, without running it."""
    identity = manifest.identity(name, params.resolve(name))
    hash = manifest.run_hash(identity)
    folder = project.runs / "smoke" / name / hash
    folder.mkdir(parents=True)
    notebook = params.load(name)
    notebook.metadata["papermill"] = {"input_path": "somewhere"}
    notebook.metadata["widgets"] = {"state": "somewhere"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1 if ran else None
    if error:
        notebook.cells[-1].outputs = [nbformat.v4.new_output("error", ename="E", evalue="bad", traceback=[])]
    nbformat.write(notebook, execute.notebook_of(folder, name))
    session = {"gpu": None, "threads": 1, "executable": sys.executable}
    whole = manifest.record(identity, "smoke", manifest.now(), 1.0, "finished", session)
    (folder / "manifest.json").write_text(json.dumps(whole | record))
    return folder


def test_stages_pages_runs_and_settings(page):
    _finish(page)
    stage.stage("smoke", page.root / "stage")
    names = {path.relative_to(page.root / "stage").as_posix() for path in (page.root / "stage").rglob("*.*")}
    assert {"intro.md", "part/page.ipynb", "_config.yml", "_toc.yml", "references.bib"} <= names
    assert not any("params" in name for name in names)
    assert "somewhere" not in (page.root / "stage" / "part" / "page.ipynb").read_text()


def test_a_staged_page_says_at_its_top_and_at_its_end_what_run_it_is(page):
    _finish(page)
    stage.stage("smoke", page.root / "stage")
    cells = nbformat.read(page.root / "stage" / "part" / "page.ipynb", as_version=4).cells
    assert 'href="#run"' in cells[0].source and "python -m smlib run book/part/page.ipynb\n" in cells[-1].source


def test_what_was_staged_before_is_gone(page):
    _finish(page)
    (page.root / "stage").mkdir()
    (page.root / "stage" / "old.md").write_text("# Old")
    stage.stage("smoke", page.root / "stage")
    assert not (page.root / "stage" / "old.md").exists()


def test_every_image_must_have_alternative_text(page):
    folder = _finish(page)
    path = execute.notebook_of(folder, "part/page")
    notebook = nbformat.read(path, as_version=4)
    shown = nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="})
    notebook.cells[-1].outputs = [shown]
    for metadata, good in (({}, False), ({"image/png": {"alt": ""}}, False), ({"image/png": {"alt": "Lines"}}, True)):
        shown.metadata = metadata
        nbformat.write(notebook, path)
        if good:
            stage.stage("smoke", page.root / "stage")
        else:
            with pytest.raises(RunError, match="shows an image without alternative text"):
                stage.stage("smoke", page.root / "stage")


def _ledger(project):
    """A finished run of a claims page with one verdict, and a front page with the place for it."""
    project.notebook("synthesis/claims", "x = 1")
    project.toc("synthesis/claims")
    (project.root / "book" / "intro.md").write_text(f"# Intro\n\n{stage.PLACE}\n\nMore.\n")
    results = _finish(project, "synthesis/claims") / "results"
    results.mkdir()
    row = dict.fromkeys(COLUMNS, "") | {"id": "nudging-x", "study": "nudging", "claim": "It drifts.", "front": True,
                                        "verdict": "does not hold", "data": "simulated", "protocol": "strict"}
    pd.DataFrame([row]).to_csv(results / "claims.csv", index=False)
    return results / "claims.csv"


def test_the_front_page_gets_the_verdicts_of_the_staged_ledger(here):
    ledger = _ledger(here)
    stage.stage("smoke", here.root / "stage")
    front = (here.root / "stage" / "intro.md").read_text()
    assert stage.PLACE not in front and "More." in front
    assert '<a href="synthesis/claims.html#claim-nudging-x">It drifts.</a>' in front and "does not hold" in front
    ledger.write_text(ledger.read_text().replace("does not hold", "holds"))
    stage.stage("smoke", here.root / "stage")
    assert "does not hold</strong>" not in (here.root / "stage" / "intro.md").read_text()
    assert stage.PLACE in (here.root / "book" / "intro.md").read_text()  # the source is as it was


def test_a_front_page_without_place_or_a_ledger_without_verdicts_is_not_staged(here):
    ledger = _ledger(here)
    (here.root / "book" / "intro.md").write_text("# Intro\n")
    with pytest.raises(RunError, match="intro.md must hold <!-- verdicts at a glance --> once.*0 times"):
        stage.stage("smoke", here.root / "stage")
    (here.root / "book" / "intro.md").write_text(f"# Intro\n\n{stage.PLACE}\n")
    ledger.unlink()
    with pytest.raises(RunError, match="has left no claims.csv"):
        stage.stage("smoke", here.root / "stage")


@pytest.mark.parametrize(("state", "message"), [
    ({"error": True}, "holds an error; it is not staged"), ({"ran": False}, "never ran; it is not staged"),
    ({"status": "failed"}, "no finished smoke run"), ({"hash": "other"}, "no finished smoke run")])
def test_a_run_that_is_not_good_is_never_staged(page, state, message):
    _finish(page, **state)
    with pytest.raises(RunError, match=message):
        stage.stage("smoke", page.root / "stage")
    assert not (page.root / "stage" / "part" / "page.ipynb").exists()


@pytest.mark.parametrize("file", ["smlib/train/loop.py", "data/catalog.yml", "book/part/page.ipynb"])
def test_a_run_from_before_a_change_is_never_staged(page, file):
    _finish(page)
    stage.stage("smoke", page.root / "stage")
    path = page.root / file
    path.write_text(path.read_text().replace("x = 1", "x = 2") + "\n")
    if path.suffix != ".ipynb":
        path.write_text(path.read_text() + "# changed\n")
    with pytest.raises(RunError, match="no finished smoke run"):
        stage.stage("smoke", page.root / "stage")


def test_a_page_that_is_missing_is_told(page):
    page.toc("part/page", "part/other")
    with pytest.raises(RunError, match="_toc.yml names part/other"):
        stage.pages()


def test_pages_in_parts_and_sections_are_found(page):
    (page.root / "_toc.yml").write_text("format: jb-book\nroot: intro\nparts:\n- caption: A\n  chapters:\n"
                                        "  - file: part/page\n    sections:\n    - file: part/more\n")
    (page.root / "book" / "part" / "more.md").write_text("# More")
    assert stage.pages() == ["intro", "part/page", "part/more"] and stage.page_notebooks() == ["part/page"]


def _fake_jupyter_book(monkeypatch, code):
    """Replace the rendering; returns the commands that were asked for."""
    commands = []

    def run(command, **_):
        commands.append(command)
        html = stage.Path(command[command.index("--path-output") + 1]) / "_build" / "html"
        html.mkdir(parents=True)
        (html / "index.html").write_text("new")
        return SimpleNamespace(returncode=code, stdout="WARNING: something")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_jupyter_book_is_always_called_strictly(page, monkeypatch):
    _finish(page)
    stage.stage("smoke", page.root / "stage")
    commands = _fake_jupyter_book(monkeypatch, 0)
    assert stage.render(page.root / "stage", page.root / "html") is True
    assert len(commands) == 1 and {"-W", "-n", "--keep-going", "--all"} <= set(commands[0])
    assert (page.root / "html" / "index.html").read_text() == "new"


def test_an_unchanged_book_is_not_rendered_again_and_a_changed_one_is(page, monkeypatch):
    _finish(page)
    commands = _fake_jupyter_book(monkeypatch, 0)
    rendered = []
    for change in (None, None, "book/intro.md", None, "_config.yml"):
        if change:
            path = page.root / change
            path.write_text(path.read_text() + "\n# more\n")
        stage.stage("smoke", page.root / "stage")
        rendered.append(stage.render(page.root / "stage", page.root / "html"))
    assert rendered == [True, False, True, False, True] and len(commands) == 3


def test_a_warning_leaves_the_old_book_and_says_so(page, monkeypatch):
    _finish(page)
    stage.stage("smoke", page.root / "stage")
    _fake_jupyter_book(monkeypatch, 1)
    html = page.root / "html"
    with pytest.raises(RunError, match="(?s)WARNING: something.*NOT rendered.*there is no book"):
        stage.render(page.root / "stage", html)
    html.mkdir()
    (html / "index.html").write_text("old")
    with pytest.raises(RunError, match="NOT rendered.*still the book of an earlier build"):
        stage.render(page.root / "stage", html)
    assert (html / "index.html").read_text() == "old" and not list(page.root.glob(".html*"))


def test_the_real_jupyter_book_fails_on_a_missing_reference(here):
    (here.root / "book" / "intro.md").write_text("# Intro\n\n[Nowhere](nowhere.md) and {cite}`nobody`.\n")
    stage.stage("smoke", here.root / "stage")
    with pytest.raises(RunError, match="(?s)nowhere.*NOT rendered"):
        stage.render(here.root / "stage", here.root / "html")
    assert not (here.root / "html").exists()


def test_a_build_repeats_what_changed_and_nothing_else(here):
    here.notebook("part/page", "from smlib import number\nprint('the number is', number.NUMBER)")
    here.toc("part/page")
    module = here.root / "smlib" / "number.py"
    page = here.root / "_build" / "html" / "part" / "page.html"
    module.write_text("NUMBER = 41000\n")
    first = here.smlib("build", "--profile", "quick")
    assert first.returncode == 0, first.stdout + first.stderr
    assert str(here.root / "_build" / "html" / "index.html") in first.stdout and "41000" in page.read_text()
    again = here.inside("build", "--profile", "quick")
    assert again.returncode == 0 and "unchanged, not run again" in again.stdout and "not rendered again" in again.stdout
    module.write_text("NUMBER = 1 / 0\n")
    broken = here.smlib("build", "--profile", "quick")
    assert broken.returncode == 1 and "ZeroDivisionError" in broken.stderr
    assert "1 of 1 notebooks failed" in broken.stderr and "NOT built" in broken.stderr and "earlier" in broken.stderr
    assert "Traceback" not in broken.stderr and "41000" in page.read_text()
    module.write_text("NUMBER = 52000\n")
    assert here.inside("build", "--profile", "quick").returncode == 0
    assert "52000" in page.read_text() and "41000" not in page.read_text()
