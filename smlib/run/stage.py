"""Put the book's pages and the finished runs together, and render them: all of it, or the old book stays as it was."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import yaml

from smlib import paths
from smlib.run import execute, finished, interactive, manifest, page, params, reference
from smlib.run.params import RunError

STAMP = ".rendered.json"
CLAIMS, PLACE = "synthesis/claims", "<!-- verdicts at a glance -->"
RENDERERS = ("jupyter-book", "Sphinx", "myst-nb", "sphinx-book-theme", "pydata-sphinx-theme", "sphinxcontrib-bibtex")


def pages():
    """The pages that `_toc.yml` names, in its order, such as ``stations/compare``; each must exist once in `book/`."""
    path = paths.ROOT / "_toc.yml"
    toc = yaml.safe_load(path.read_text())
    names = [toc["root"], *_files(toc.get("parts", [])), *_files(toc.get("chapters", []))]
    for name in names:
        found = [suffix for suffix in (".md", ".ipynb") if (paths.BOOK / f"{name}{suffix}").exists()]
        if len(found) != 1:
            raise RunError(f"{path} names {name}, of which book/ holds {' and '.join(found) or 'no .md and no .ipynb'}")
    return names


def page_notebooks():
    """Those of the pages that are notebooks."""
    return [name for name in pages() if (paths.BOOK / f"{name}.ipynb").exists()]


def stage(profile, folder):
    """Fill `folder` anew with the pages, the settings and the finished runs of `profile`, ready to render.

    Raises
    ------
    RunError
        If a notebook has no finished run of exactly the present hash, or holds an error or a cell that never ran.
    """
    folder = Path(folder)
    runs = {name: finished.run(name, profile) for name in page_notebooks()}
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(paths.BOOK, folder, ignore=shutil.ignore_patterns("*.ipynb", "params", ".*", "__pycache__"))
    for name, run in runs.items():
        target = folder / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        notebook = _clean(name, execute.notebook_of(run, name))
        page.frame(notebook, json.loads((run / execute.MANIFEST).read_text()))
        nbformat.write(notebook, target)
        if interactive.shown_in(notebook):
            interactive.copy_script(folder / "_extra" / "bokeh")
    reference.fill(folder / "reference")
    for settings in ("_config.yml", "_toc.yml"):
        shutil.copy2(paths.ROOT / settings, folder)
    if CLAIMS in runs:
        _fill_in_verdicts(folder / f"{pages()[0]}.md", runs[CLAIMS] / "results" / "claims.csv", profile)


def render_command(source, output):
    """The one way that the book is rendered: every page anew, every warning and missing reference an error."""
    return [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source),
            "-W", "-n", "--keep-going", "--all", "--path-output", str(output)]


def render(source, html):
    """Render the staged book `source` into the folder `html`, unless it holds just that already.

    Returns
    -------
    bool
        Whether anything was rendered.

    Raises
    ------
    RunError
        If Jupyter Book gave a warning or failed; `html` is then what it was before.
    """
    html = Path(html)
    stamp = _stamp(source)
    if _stamp_of(html) == stamp and (html / "index.html").exists():
        print("the pages are unchanged, not rendered again")
        return False
    print("rendering", flush=True)
    work = html.with_name(f".{html.name}.{os.getpid()}.partial")
    execute.sweep(html.parent)
    shutil.rmtree(work, ignore_errors=True)
    try:
        done = subprocess.run(render_command(source, work), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": execute.python_path()})
        result = work / "_build" / "html"
        if done.returncode or not (result / "index.html").exists():
            old = f"{html} is still the book of an earlier build" if html.exists() else "there is no book"
            raise RunError(f"Jupyter Book says:\n{_complaints(done.stdout, html.parent / 'render.log')}\n"
                           f"the book was NOT rendered (a warning is an error); {old}")
        (result / STAMP).write_text(json.dumps(stamp))
        execute.replace(result, html)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return True


def build(profile="quick", jobs=2, force=False, html=None):
    """Run every notebook of the book, stage and render; return the path of the book's `index.html`.

    Raises
    ------
    RunError
        If a notebook failed (the others are run all the same) or the rendering did; no old book is touched then.
    """
    html = Path(html) if html else paths.ROOT / "_build" / "html"
    names = page_notebooks()
    params.profile_values(profile)  # a mistake in the profile is told once, before anything runs
    reading = [name for name in names if params.reads_runs(name)]  # after what they read
    failed = execute.run_all([name for name in names if name not in reading], profile, jobs, force)
    failed += execute.run_all(reading, profile, jobs, force) if not failed else []
    if failed:
        old = f"; {html} is still the book of an earlier build" if html.exists() else ""
        raise RunError(f"{len(failed)} of {len(names)} notebooks failed, see above: {', '.join(failed)}. "
                       f"The book was NOT built{old}")
    html.parent.mkdir(parents=True, exist_ok=True)
    folder = html.parent / "stage"
    stage(profile, folder)
    render(folder, html)
    return html / "index.html"


def _fill_in_verdicts(front, ledger, profile):
    """Put the verdicts at a glance, out of the ledger that the claims page has left, into the staged front page."""
    text = front.read_text(encoding="utf-8") if front.exists() else ""
    if text.count(PLACE) != 1:
        raise RunError(f"the page {CLAIMS} is in _toc.yml, so {front.name} must hold {PLACE} once, where the verdicts "
                       f"go; it holds it {text.count(PLACE)} times")
    if not ledger.exists():
        raise RunError(f"the run of {CLAIMS} has left no {ledger.name}: there are no verdicts for {front.name}")
    from smlib.claims.pages import at_a_glance, read_table  # here, for it takes seconds

    front.write_text(text.replace(PLACE, at_a_glance(read_table(ledger), profile)), encoding="utf-8")


def _files(entries):
    for entry in entries:
        if "file" in entry:
            yield entry["file"]
        for key in ("chapters", "sections"):
            yield from _files(entry.get(key, []))


def _clean(name, path):
    """The executed notebook without papermill's notes (times, paths), or `RunError` if it did not run well."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)  # which nothing on a page would draw
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        if any(output.output_type == "error" for output in cell.outputs):
            raise RunError(f"{name}: cell {number} of {path} holds an error; it is not staged")
        for output in cell.outputs:
            _require_alt(f"{name}: cell {number} of {path}", output)
        if cell.source.strip() and cell.execution_count is None:
            raise RunError(f"{name}: cell {number} of {path} never ran; it is not staged")
    return notebook


def _require_alt(place, output):
    for mime in output.get("data", {}):
        if mime.startswith("image/") and not output.metadata.get(mime, {}).get("alt"):
            raise RunError(f"{place} shows an image without alternative text; it is not staged: show what "
                           "run.figure(name, figure, alt=...) has taken")


def _complaints(output, log):
    """The warnings and errors in what Jupyter Book printed, or its last lines; all of it goes into the file `log`."""
    output = re.sub(r"\x1b\[[0-9;]*m", "", output)
    log.write_text(output)
    lines = output.splitlines()
    found = [line for line in lines if re.search(r"WARNING|ERROR|CRITICAL|Error|Exception", line)] or lines[-20:]
    return "\n".join([*found, f"(all of it: {log})"])


def _stamp(source):
    """What a rendered book is made of: the staged files, the code (its docstrings), the versions of what renders."""
    files = {path.relative_to(source).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
             for path in sorted(Path(source).rglob("*")) if path.is_file()}
    return {"files": files, "code": manifest.code(), "renderers": {name: metadata.version(name) for name in RENDERERS}}


def _stamp_of(html):
    try:
        return json.loads((html / STAMP).read_text())
    except (OSError, ValueError):
        return None
