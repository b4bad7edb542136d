"""Pages that read finished runs: what they read, when they run, and when they are repeated."""

import pytest

from smlib.run import execute, finished, manifest, params, stage
from smlib.run.params import RunError

TABLE = "import pandas as pd\nrun.table('t', pd.DataFrame({'x': [value]}))"
READ = "from smlib.run import finished\nrun.table('all', finished.tables(profile, 't'))"


@pytest.fixture
def pages(here):
    here.notebook("part/one", TABLE, parameters="value = 1")
    here.notebook("part/two", TABLE, parameters="value = 2")
    here.notebook("all/sum", READ, parameters='profile = "smoke"')
    here.toc("all/sum", "part/one", "part/two")
    return here


def _hash(name, profile="smoke", **overrides):
    return manifest.run_hash(manifest.identity(name, params.resolve(name, profile, overrides)))


def test_a_page_that_reads_runs_reads_no_page_of_its_kind(pages):
    assert finished.pages() == ["part/one", "part/two"]


def test_a_page_reads_the_profile_it_is_run_in(pages):
    assert params.resolve("all/sum", "quick")["profile"] == "quick"
    assert params.resolve("all/sum", "quick", {"profile": "full"})["profile"] == "full"
    assert params.resolve("all/sum")["profile"] == "smoke"


def test_what_is_read_counts_in_the_hash_of_the_reader_alone(pages):
    before = {name: _hash(name) for name in params.notebooks()}
    quick = _hash("all/sum", "quick")
    pages.profile("part/one: {value: 5}")
    assert {name: _hash(name) for name in params.notebooks()} == before and _hash("all/sum", "quick") != quick
    pages.notebook("part/two", TABLE, "3", parameters="value = 2")
    after = {name: _hash(name) for name in params.notebooks()}
    assert [name for name in after if after[name] != before[name]] == ["all/sum", "part/two"]


def test_what_is_claimed_counts_in_the_hash_of_the_reader_alone(pages):
    before = {name: _hash(name) for name in params.notebooks()}
    (pages.root / "data" / "claims.yml").write_text("[]")
    after = {name: _hash(name) for name in params.notebooks()}
    assert [name for name in after if after[name] != before[name]] == ["all/sum"]


def test_a_missing_run_is_told_with_its_command(pages):
    with pytest.raises(RunError, match="python -m smlib run book/part/one.ipynb --profile smoke"):
        finished.tables("smoke", "t")
    with pytest.raises(RunError, match="no profile huge"):
        finished.table("part/one", "huge")


def test_a_build_runs_the_reader_last_and_it_reads_what_was_run(pages, monkeypatch):
    monkeypatch.setattr(stage, "render", lambda *_: True)
    stage.build("smoke", jobs=2, html=pages.root / "html")
    read = finished.table("all/sum", "smoke", "all")
    assert read.to_dict("list") == {"page": ["part/one", "part/two"], "x": [1, 2]}
    assert finished.record("all/sum", "smoke")["runs"] == {name: _hash(name) for name in finished.pages()}
    with pytest.raises(RunError, match="part/one has no table skill; it has t"):
        finished.table("part/one", "smoke")
    with pytest.raises(RunError, match="no page has a table skill"):
        finished.tables("smoke")


def test_a_reader_is_not_run_when_what_it_reads_failed(pages, monkeypatch):
    ran = []
    monkeypatch.setattr(execute, "run_all", lambda names, *_: ran.append(names) or names[:1])
    with pytest.raises(RunError, match="1 of 3 notebooks failed, see above: part/one"):
        stage.build("smoke")
    assert ran == [["part/one", "part/two"]]


def test_the_source_tells_what_kind_the_data_are(pages, monkeypatch):
    for source, kind in (("embedded", "measured"), ("twin", "simulated")):
        monkeypatch.setattr(finished, "record", lambda name, profile, source=source: {"source": source})
        assert finished.kind("part/one", "smoke") == kind
    monkeypatch.setattr(finished, "record", lambda name, profile: {"source": "/my/maps"})
    with pytest.raises(RunError, match="part/one: the source '/my/maps' .* does not tell"):
        finished.kind("part/one", "smoke")
