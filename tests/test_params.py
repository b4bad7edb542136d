"""Parameters: read from the notebook, checked, overridden in order."""

import pytest

from smlib.run import params
from smlib.run.params import RunError

CELL = """source = "embedded"  # embedded, or a folder
seed: int = 0
rate = 1e-3
leads = [1, 3, 7]
site = None
quick = True"""


@pytest.fixture
def page(here):
    here.notebook("part/page", parameters=CELL)
    return here


def test_reads_names_types_defaults_and_comments(page):
    found = params.read("part/page")
    assert {key: parameter.default for key, parameter in found.items()} == {
        "source": "embedded", "seed": 0, "rate": 1e-3, "leads": [1, 3, 7], "site": None, "quick": True}
    assert found["source"].help == "embedded, or a folder" and found["leads"].type == "list of int"


@pytest.mark.parametrize("line", ["b = a + 1", "a, b = 1, 2", "print(a)", "import os", "t = (1, 2)", "b = [a]"])
def test_a_value_that_is_no_literal_is_an_error(here, line):
    here.notebook("part/page", parameters=f"a = 1\n{line}")
    with pytest.raises(RunError, match="only assign literals") as error:
        params.read("part/page")
    assert line in str(error.value)


def test_no_parameters_cell_is_an_error(here):
    path = here.notebook("part/page")
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    with pytest.raises(RunError, match="0 cells are tagged"):
        params.read("part/page")


def test_finds_a_notebook_by_name_and_by_path_from_anywhere(page, monkeypatch):
    path = page.root / "book" / "part" / "page.ipynb"
    monkeypatch.chdir(path.parent)
    assert {params.find(given) for given in ("part/page", "page.ipynb", path)} == {"part/page"}
    with pytest.raises(RunError, match="no notebook part/other.*part/page"):
        params.find("part/other")


def test_an_unknown_parameter_is_told_with_all_that_there_are(page):
    with pytest.raises(RunError) as error:
        params.resolve("part/page", overrides={"sed": 1})
    for part in ("no parameter sed", "seed (int, default 0)", "leads (list of int, default [1, 3, 7])"):
        assert part in str(error.value)


@pytest.mark.parametrize(("key", "text"), [
    ("seed", "1.5"), ("seed", "true"), ("seed", "null"), ("rate", "fast"), ("leads", "7"), ("leads", "[one]"),
    ("leads", "[1"), ("quick", "1"), ("rate", "[1.0]"), ("leads", "[true]")])
def test_an_ill_typed_value_is_told_with_the_type(page, key, text):
    with pytest.raises(RunError, match="seed .int, default 0.") as error:
        params.resolve("part/page", overrides=params.parse([f"{key}={text}"]))
    assert f"part/page: {key} must be {params.read('part/page')[key].type}, not" in str(error.value)


def test_values_are_taken_as_their_parameter_is(page):
    texts = ["seed=3", "rate=1", "leads=[7]", "site=null", "quick=false", "source=embedded"]
    got = params.resolve("part/page", overrides=params.parse(texts))
    assert got == {"seed": 3, "rate": 1.0, "leads": [7], "site": None, "quick": False, "source": "embedded"}
    assert isinstance(got["rate"], float)
    assert params.resolve("part/page", overrides=params.parse(["rate=1e-4", "site=[a, b]"]))["rate"] == 1e-4


def test_text_stays_text_even_if_it_looks_like_a_number(here):
    here.notebook("part/page", parameters="name = 'a'")
    got = params.resolve("part/page", overrides=params.parse(["name=2012"]))
    assert got == {"name": "2012"} and type(got["name"]) is not int


def test_assignments_need_an_equals_sign():
    with pytest.raises(RunError, match="key=value, not 'seed'"):
        params.parse(["seed"])


def test_later_layers_win(page, tmp_path):
    page.profile("part/page: {seed: 1, rate: 1, quick: false}")
    file = tmp_path / "mine.yml"
    file.write_text("seed: 2\nrate: 2\n")
    got = params.resolve("part/page", "quick", {"seed": 3}, file)
    assert (got["seed"], got["rate"], got["quick"], got["leads"]) == (3, 2.0, False, [1, 3, 7])
    assert params.resolve("part/page", "smoke")["seed"] == 0


@pytest.mark.parametrize(("text", "message"), [
    ("part/pages: {}", "no notebook part/pages.*part/page"), ("part/page: {sed: 1}", "no parameter sed"),
    ("part/page: {seed: a}", "seed must be int"), ("part/page: [1]", "parameter: value"), ("- a", "name: value"),
    ("a: [", "is not YAML")])
def test_a_mistake_in_a_profile_is_an_error_that_names_the_file(page, text, message):
    page.profile(text)
    with pytest.raises(RunError, match=message) as error:
        params.resolve("part/page", "quick")
    assert "quick.yml" in str(error.value)


def test_an_unknown_profile_names_the_known_ones(page):
    with pytest.raises(RunError, match="no profile huge; there are smoke, quick, full"):
        params.resolve("part/page", "huge")


def test_a_relative_source_is_taken_from_the_working_directory(page, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert params.resolve("part/page", overrides={"source": "mine"})["source"] == str(tmp_path / "mine")
    monkeypatch.chdir(page.root)
    with pytest.raises(RunError, match="no file or folder .*mine.*embedded"):
        params.resolve("part/page", overrides={"source": "mine"})
