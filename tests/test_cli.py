"""The command line: what it prints, and one clear message for every mistake."""

import subprocess
import sys

import pytest
from conftest import ROOT

from smlib.run import cli


@pytest.fixture
def smlib(here):
    """Run the command line in this process on an empty project: (exit code, stdout, stderr)."""
    here.notebook("part/page", parameters="seed = 0  # of every draw\nlead = 1")

    def call(*words):
        done = here.inside(*words)
        return done.returncode, done.stdout, done.stderr

    return call


def test_list_shows_notebooks_and_parameters(smlib):
    code, out, _ = smlib("list")
    assert code == 0 and "book/part/page.ipynb" in out and "seed (int, default 0): of every draw" in out


@pytest.mark.parametrize(("words", "message"), [
    (("run", "part/other"), "no notebook part/other in the book; there are: part/page"),
    (("run", "part/page", "-p", "leed=3"), "no parameter leed"),
    (("run", "part/page", "-p", "lead=three"), "lead must be int"),
    (("run", "part/page", "-p", "lead"), "key=value"),
    (("run", "part/page", "--params", "no.yml"), "no.yml: No such file"),
    (("run", "part/page", "--profile", "huge"), "no profile huge"),
    (("build", "--profile", "huge"), "no profile huge"),
    (("data", "check", "no/such/place"), "no/such/place"),
])
def test_a_mistake_ends_in_one_message_and_exit_code_1(smlib, words, message):
    code, out, err = smlib(*words)
    assert code == 1 and out == "" and err.startswith("error: ") and message in err and "Traceback" not in err


def test_a_mistake_shows_no_traceback_in_a_process_of_its_own(project):
    done = project.smlib("run", "part/page", "-p", "lead=1")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "error: no notebook part/page in the book; there are: none\n"


def test_the_runner_starts_without_torch_and_dask():
    """Either takes longer to import than all else that the command line needs."""
    code = "import sys; from smlib.run import cli, execute, stage; print(*{'torch', 'dask'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_data_lists_the_embedded_files_with_checksums(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["smlib", "data"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    lines = capsys.readouterr().out.splitlines()
    assert not end.value.code and len(lines) == 4 and all(line.endswith("checksum ok") for line in lines)


def test_a_changed_embedded_file_is_told(smlib, here):
    from smlib.data import catalog

    entry = {"A": {"file": "stations/A.nc", "sha256": "0", "network": "N", "period": "P", "licence": "L"}}
    (here.root / "data" / "stations").mkdir()
    (here.root / "data" / "stations" / "A.nc").write_bytes(b"changed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "read_catalog", lambda: entry)
        code, out, err = smlib("data")
    assert code == 1 and "checksum CHANGED" in out and "restore it" in err


def test_data_check_shows_sites_levels_periods_and_gaps(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["smlib", "data", "check", "embedded"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out = capsys.readouterr().out
    assert not end.value.code and "US-AR1  lat 36.4" in out and "depth unknown" in out
    assert "soil_moisture level 1, 0.15 m: 2013-01-01 to 2022-12-31" in out and "missing within" in out


def test_a_broken_file_is_told_without_a_traceback(smlib, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    code, _, err = smlib("data", "check", tmp_path / "empty.csv")
    assert code == 1 and err.startswith("error: ") and "empty.csv" in err
