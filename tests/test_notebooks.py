"""Notebooks as they are committed: no outputs, the usual kernel, literal parameters. `make test` runs them too."""

import ast

import pytest

from smlib.run import execute, params, stage


def test_every_notebook_is_a_page_of_the_book():
    assert params.notebooks() == sorted(stage.page_notebooks()) != []


@pytest.mark.parametrize("name", params.notebooks())
class TestNotebook:
    def test_holds_no_outputs(self, name):
        for cell in params.load(name).cells:
            assert cell.cell_type != "code" or (not cell.outputs and cell.execution_count is None)

    def test_asks_for_the_usual_kernel(self, name):
        execute.check_kernel(name)

    def test_parameters_are_literals_and_begin_gets_them_all(self, name):
        known = params.read(name)
        calls = [node for cell in params.load(name).cells if cell.cell_type == "code"
                 for node in ast.walk(ast.parse(cell.source))
                 if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "begin"]
        assert len(calls) == 1 and calls[0].args[0].value == name
        assert {word.arg for word in calls[0].keywords} == set(known)

    def test_no_cell_shows_the_path_of_a_file(self, name):
        """What keeps a result returns its path: as the last line of a cell it would stand on the page."""
        last = [ast.parse(cell.source).body[-1] for cell in params.load(name).cells if cell.cell_type == "code"]
        shown = [ast.unparse(line) for line in last if isinstance(line, ast.Expr)]
        assert not [line for line in shown if line.startswith(("run.table(", "run.skill(", "run.cost(", "run.figure("))]

    @pytest.mark.parametrize("profile", params.PROFILES)
    def test_every_profile_suits_it(self, name, profile):
        assert set(params.resolve(name, profile)) == set(params.read(name))


STUDIES = ("stations", "nudging", "fusion", "forecast", "correction")


@pytest.mark.parametrize("name", [name for name in params.notebooks() if name.split("/")[0] in STUDIES])
class TestStudyPage:
    """What every study page opens and ends with; `smlib.run.page` puts the parts in their places."""

    def test_its_first_cell_asks_the_question_and_gives_the_papers_answer(self, name):
        cells = params.load(name).cells
        said = cells[0].source.split("\n\n")
        assert said[0].splitlines()[-1].startswith("# ") and said[1].startswith("**Question.**")
        papers = sum(part.startswith(("**The paper's answer**", "**The papers' answer**")) for part in said[2:])
        assert papers + any("summary.paper()" in cell.source for cell in cells) == 1

    def test_its_run_gives_answer_and_data_in_one_cell_before_any_section(self, name):
        cells = params.load(name).cells
        opens = [i for i, cell in enumerate(cells) if "run.opening(" in cell.source]
        first = next(i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and "## " in cell.source)
        assert len(opens) == 1 and opens[0] < first
        last = ast.parse(cells[opens[0]].source).body[-1]  # what the cell shows
        assert isinstance(last, ast.Expr) and ast.unparse(last).startswith("run.opening(")

    def test_it_ends_with_the_command_that_repeats_it(self, name):
        assert params.load(name).cells[-1].source == "Markdown(run.reproduce())"
