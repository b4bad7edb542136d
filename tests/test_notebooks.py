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

    @pytest.mark.parametrize("profile", params.PROFILES)
    def test_every_profile_suits_it(self, name, profile):
        assert set(params.resolve(name, profile)) == set(params.read(name))
