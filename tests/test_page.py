"""The first lines and the last section of a notebook's page, out of the manifest of its run."""

import re
import shlex

import nbformat
import pytest
from typer.testing import CliRunner

from smlib.run import begin, execute, manifest, page, params
from smlib.run.cli import app


@pytest.fixture
def record(here):
    """The manifest of a quick run of part/page, which has three parameters."""
    here.notebook("part/page", parameters="source = 'embedded'  # one | other\nleads = [1, 3]\nseed = 0")
    here.profile("part/page: {leads: [7]}")
    identity = manifest.identity("part/page", params.resolve("part/page", "quick"))
    session = {"gpu": None, "threads": 1, "executable": "python"}
    return manifest.record(identity, "quick", manifest.now(), 61.4, "finished", session) | {
        "started": "2026-03-02T10:20:30+00:00", "git": {"commit": "c" * 40, "dirty": True}}


def executed(opening=None):
    new = nbformat.v4
    shown = [new.new_output("execute_result", {"text/markdown": "all"}, execution_count=1,
                            metadata={"text/markdown": {"opening": opening}})] if opening else []
    return new.new_notebook(cells=[
        new.new_markdown_cell("(page-x)=\n# Title\n\n**Question.** What?\nAnd how?\n\n**The paper's answer**: yes."),
        new.new_code_cell("seed = 0", execution_count=1), new.new_code_cell("begin", outputs=shown, execution_count=2),
        new.new_markdown_cell("## More"), new.new_code_cell("Markdown(run.reproduce())", execution_count=3)])


OPENING = {"answer": "**Our runs.** No.", "paper": "", "data": "**Data.** Simulated.", "kind": "simulated"}


def test_a_page_opens_with_question_our_answer_the_papers_and_the_data(record):
    notebook = executed(OPENING)
    page.frame(notebook, record)
    said = notebook.cells[0].source.strip().split("\n\n")
    assert said[0] == "(page-x)=\n# Title" and said[1] == page.first_line(record, "simulated")
    assert said[2:] == ["**Question.** What?\nAnd how?", "**Our runs.** No.", "**The paper's answer**: yes.",
                        "**Data.** Simulated."]
    assert notebook.cells[2].outputs == []  # said once
    nbformat.validate(notebook)


def test_a_papers_answer_out_of_printed_tables_stands_behind_ours(record):
    notebook = executed(OPENING | {"paper": "**The paper's answer**: 3."})
    page.frame(notebook, record)
    said = notebook.cells[0].source.split("\n\n")
    assert said.index("**The paper's answer**: 3.") == said.index("**Our runs.** No.") + 1


def test_the_numbers_behind_an_answer_are_folded_below_it(record):
    notebook = executed(OPENING | {"detail": "R² is 0.5."})
    page.frame(notebook, record)
    said = notebook.cells[0].source.split("\n\n")
    folded = ":::{dropdown} Our runs in numbers\nR² is 0.5.\n:::"
    assert said.index(folded) == said.index("**Our runs.** No.") + 1


def test_a_page_without_an_opening_still_says_its_run(record):
    notebook = executed()
    page.frame(notebook, record)
    assert [cell.source.startswith(start) for cell, start in zip(
        notebook.cells, ["(page-x)=", "seed", "begin", "## More", '<div id="run">'], strict=True)] == [True] * 5


@pytest.mark.parametrize(("kind", "source", "said"), [
    ("simulated", "embedded", "simulated data"), (None, "embedded", "measured data"), (None, "twin", "simulated data"),
    ("measured and simulated", None, "measured and simulated data")])
def test_the_first_line_says_profile_kind_day_and_leads_to_the_end(record, kind, source, said):
    line = page.first_line(record | {"source": source}, kind)
    assert "profile quick" in line and f" {said} " in line and "2 March 2026" in line and 'href="#run"' in line
    assert f'id="{page.ANCHOR}"' in page.ending(record, kind)


def test_a_source_that_says_nothing_is_not_guessed(record):
    for source in (None, "/my/data"):
        assert "data" not in page.first_line(record | {"source": source})


def test_the_end_holds_the_whole_manifest(record):
    text = page.ending(record, "measured")
    for value in (record["hash"], record["code_sha256"], record["notebook_sha256"], record["python"], "c" * 40,
                  "not committed", "61 s", "no GPU", "2 March 2026, 10:20 UTC", *record["packages"].values(),
                  *record["data"], *record["data"].values(), "`[7]`", "one \\| other"):
        assert value in text
    assert f"Data files ({len(record['data'])})" in text and "Runs that it reads" not in text
    assert "`a/b` | `123`" in page.ending(record | {"runs": {"a/b": "123"}})
    for line in text.splitlines():  # a bar that is not escaped would make a column
        assert not line.startswith("| ") or len(re.split(r"(?<!\\)\|", line)) in (4, 5)


def test_the_command_repeats_the_run_of_the_profile(record, here, monkeypatch):
    monkeypatch.chdir(here.root)
    words = shlex.split(re.search(r"```bash\n(.*)\n```", page.ending(record))[1])
    assert words[:3] == ["python", "-m", "smlib"] and page.ending(record).count("```bash") == 1
    asked = []
    monkeypatch.setattr(execute, "run", lambda name, profile, *rest: asked.append((name, profile, rest[0])))
    assert CliRunner().invoke(app, words[3:]).exit_code == 0
    (name, profile, overrides), = asked
    again = manifest.identity(name, params.resolve(name, profile, overrides))
    assert manifest.run_hash(again) == record["hash"]


def test_what_a_run_opens_with_is_checked(here):
    here.notebook("part/page")
    run = begin("part/page", seed=0)
    shown = run.opening("**Our runs.** No.", "**Data.** Measured: a.")
    assert shown.data == "**Our runs.** No.\n\n**Data.** Measured: a."
    assert shown.metadata["opening"]["kind"] == "measured"
    assert run.opening("**Our runs.** " + 190 * "n", "**Data.** Measured.", detail="R² is 0.5.").data.endswith(
        "n\n\nR² is 0.5.\n\n**Data.** Measured.")
    for words in (("No.", "**Data.** Measured."), ("**Our runs.** No.", "Measured."),
                  ("**Our runs.** No.", "**Data.** Measured.", "Yes."), ("**Our runs.** No.", "**Data.** Simulated."),
                  ("**Our runs.** " + 191 * "n", "**Data.** Measured.")):
        with pytest.raises(ValueError, match="opening"):
            run.opening(*words)
