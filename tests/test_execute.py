"""Runs land whole or not at all, and only when something changed."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from smlib.run import execute
from smlib.run.params import RunError

TABLE = "import pandas as pd\nrun.table('t', pd.DataFrame({'seed': [seed]}))"


def _folder(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_a_run_holds_everything_and_is_not_repeated(here):
    here.notebook("part/page", TABLE)
    folder = here.runs / "smoke" / "part" / "page"
    first = here.smlib("run", "part/page", "-p", "seed=3")
    run = folder / next(iter(here.finished()))
    assert _folder(first) == str(run)
    assert (run / "results" / "t.csv").read_text() == "seed\n3\n"
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "finished" and manifest["parameters"] == {"seed": 3} and manifest["seconds"] > 0
    assert manifest["device"]["threads"] == 1 and sorted(p.name for p in run.iterdir()) == [
        "manifest.json", "page.ipynb", "results"]
    assert (run / "page.ipynb").read_text().count('"injected-parameters"') == 1
    written = (run / "manifest.json").stat().st_mtime_ns
    assert _folder(here.smlib("run", "book/part/page.ipynb", "-p", "seed=3")) == str(run)
    assert (run / "manifest.json").stat().st_mtime_ns == written
    assert _folder(here.inside("run", "part/page", "-p", "seed=3", "--force")) == str(run)
    assert (run / "manifest.json").stat().st_mtime_ns > written
    assert [p.name for p in folder.iterdir()] == [run.name]


def test_a_failed_run_is_told_kept_aside_and_never_looks_finished(here):
    here.notebook("part/page", "x = 1", "raise ValueError('no rain')", begins=False)
    done = here.smlib("run", "part/page")
    assert done.returncode == 1 and "In [4]: ValueError: no rain" in done.stderr
    assert "Traceback" not in done.stderr and not here.finished()
    failed = here.runs / "smoke" / "part" / "page" / "failed"
    assert "no rain" in (failed / "page.ipynb").read_text()
    assert json.loads((failed / "manifest.json").read_text())["status"] == "failed"
    here.notebook("part/page", "x = 1")
    assert here.inside("run", "part/page").returncode == 0
    assert len(here.finished()) == 1 and not failed.exists()


def test_a_notebook_that_works_in_one_folder_only_is_caught(here, monkeypatch):
    here.notebook("part/page", "open('../../data/catalog.yml').read()", begins=False)
    book_folder = here.root / "book" / "part"
    subprocess.run([sys.executable, "-c", "open('../../data/catalog.yml').read()"], cwd=book_folder, check=True)
    monkeypatch.chdir(book_folder)
    done = here.inside("run", "page.ipynb")
    assert done.returncode == 1 and "FileNotFoundError" in done.stderr and not here.finished()


def test_a_notebook_that_never_begins_is_refused(here):
    here.notebook("part/page", begins=False)
    done = here.inside("run", "part/page")
    assert done.returncode == 1 and "never called smlib.run.begin" in done.stderr and not here.finished()


def test_a_run_under_which_something_changed_is_not_finished(here):
    here.notebook("part/page", "from smlib import paths\n(paths.DATA / 'new.csv').write_text('1')")
    done = here.inside("run", "part/page")
    assert done.returncode == 1 and "changed while it ran" in done.stderr and not here.finished()
    assert [p.name for p in (here.runs / "smoke" / "part" / "page").iterdir()] == ["failed"]


def test_a_killed_run_leaves_nothing_finished_and_the_next_run_succeeds(here):
    here.notebook("part/page", TABLE, "import time, pathlib\npathlib.Path('here').touch()",
                     "if wait:\n    time.sleep(120)", parameters="seed = 0\nwait = True")
    folder = here.runs / "smoke" / "part" / "page"
    process = subprocess.Popen(**here.command("run", "part/page"), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not list(folder.glob(".*.partial/here")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = [p.name for p in folder.iterdir()]
    assert not here.finished() and len(left) == 1 and left[0].endswith(f".{process.pid}.partial")
    assert here.inside("run", "part/page", "-p", "wait=false").returncode == 0
    assert [p.name for p in folder.iterdir()] == list(here.finished())


def test_two_processes_may_finish_the_same_run(project):
    project.notebook("part/page", TABLE)
    pair = [subprocess.Popen(**project.command("run", "part/page"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2)]
    ends = [process.communicate(timeout=120) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], ends
    assert ends[0][0] == ends[1][0] and len(project.finished()) == 1
    assert len(list((project.runs / "smoke" / "part" / "page").iterdir())) == 1


def test_one_failure_does_not_stop_the_others(here, monkeypatch):
    here.notebook("part/bad", "1 / 0", begins=False)
    here.notebook("part/good", TABLE)
    assert execute.run_all(["part/bad", "part/good"], "smoke") == ["part/bad"]
    assert len(here.finished(notebook="part/good")) == 1
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("ran again what is finished"))
    assert execute.run_all(["part/good"], "smoke") == []


def test_a_failed_manifest_or_another_hash_is_no_finished_run(here):
    folder = here.runs / "smoke" / "part" / "page" / "abc"
    folder.mkdir(parents=True)
    (folder / "page.ipynb").write_text("{}")
    for record, good in (({"status": "failed", "hash": "abc"}, False), ({"status": "finished", "hash": "abd"}, False),
                         ({"status": "finished", "hash": "abc"}, True)):
        (folder / "manifest.json").write_text(json.dumps(record))
        assert (execute.finished("part/page", "smoke", "abc") == folder) is good
    (folder / "manifest.json").write_text('{"status": "fini')
    assert execute.finished("part/page", "smoke", "abc") is None


@pytest.mark.parametrize("kernel", ["julia-1.9", "my-env"])
def test_another_kernel_spec_is_an_error(here, kernel):
    here.notebook("part/page", kernel=kernel)
    with pytest.raises(RunError, match=f"kernel spec must be python3, not {kernel}"):
        execute.run("part/page")


def test_a_missing_kernel_spec_is_an_error(here):
    path = here.notebook("part/page")
    notebook = nbformat.read(path, as_version=4)
    del notebook.metadata["kernelspec"]
    nbformat.write(notebook, path)
    with pytest.raises(RunError, match="must be python3, not missing"):
        execute.run("part/page")
    assert not list((here.runs / "smoke" / "part" / "page").iterdir())


def test_an_environment_without_the_kernel_is_told(here, monkeypatch):
    from jupyter_client import kernelspec

    here.notebook("part/page")
    monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec",
                        lambda self, name: (_ for _ in ()).throw(kernelspec.NoSuchKernel(name)))
    with pytest.raises(RunError, match="no Jupyter kernel python3"):
        execute.run("part/page")


def test_a_kernel_of_another_environment_is_an_error(here, tmp_path, monkeypatch):
    here.notebook("part/page")
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps(
        {"argv": ["/opt/other/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
         "display_name": "Python 3", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    with pytest.raises(RunError, match="starts /opt/other/bin/python, not"):
        execute.run("part/page")
