"""Commands give back the parameters that they were made of, through the runner's own parser and through papermill's."""

import json
import math
import os
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from smlib import paths
from smlib.run import begin, command, params
from smlib.run.params import RunError

CELL = """text = "a"  # a word
number = 1.0
count = 0
flag = False
nothing = None
words = ["a"]
numbers = [0.5]
empty = []
nest = {"a": 1}
source = "embedded\""""
WORDS = ["", " ", "a b", "it's", '"quoted"', "'", "\\", "$HOME `x` !", "a=b", "-p", "#no comment", "é 土 😀",
         "two\nlines",
         "null", "true", "7", "1e-3", "2020-01-01", "[1, 2]", "{a: 1}", "a: b", "~", "*a", "&a", "- a", ":", " padded ",
         "tab\there", "x" * 300, "many words " * 30]
NUMBERS = [0.0, -0.0, 1e-3, 1e-05, 1e17, 1.5, -2.25, 1 / 3, 5e-324, math.inf, -math.inf]
LISTS = [[], WORDS, NUMBERS, [1, 2], [True, False], [None], [[1, [2, "a, b"]], {"k: y": [1e-05, None, "no"]}]]


def parsed(line):
    """What the runner makes of a command line, as `smlib.run.cli.run` does, from the repository's root."""
    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "smlib", "run"] and words[5::2] == ["-p"] * len(words[6::2])
    name = params.find(words[4])
    return name, params.resolve(name, overrides=params.parse(words[6::2]))


def exactly(a, b):
    """Equal in value and type all the way down."""
    return repr(a) == repr(b)


def round_trip(name, values):
    again = parsed(command.run_command(name, values))
    assert again[0] == name and exactly(again[1], values)


@pytest.fixture
def page(here, monkeypatch):
    here.notebook("part/page", parameters=CELL)
    monkeypatch.chdir(here.root)
    return here


ODD = {"text": WORDS, "number": NUMBERS, "count": [-3, 10**30], "flag": [True], "words": [WORDS, []],
       "numbers": [NUMBERS], "empty": LISTS, "nest": [{}, {"b": {"c": LISTS}, "1": 2, 3: "d"}],
       "nothing": [*WORDS, *NUMBERS, *LISTS, 3, True, {"a": LISTS}]}


@pytest.mark.parametrize("key", ODD)
def test_odd_values_come_back_as_they_were(page, key):
    for value in ODD[key]:
        round_trip("part/page", params.resolve("part/page", overrides={key: value}))


def test_all_odd_values_at_once(page):
    round_trip("part/page", params.resolve("part/page", overrides={key: found[-1] for key, found in ODD.items()}))


@pytest.mark.parametrize("name", params.notebooks())
@pytest.mark.parametrize("profile", params.PROFILES)
def test_every_notebook_of_the_book_in_every_profile(name, profile, monkeypatch):
    monkeypatch.chdir(paths.ROOT)
    round_trip(name, params.resolve(name, profile))


@pytest.mark.parametrize("name", params.notebooks())
def test_every_default_can_be_typed(name):
    """The texts that the form starts with are what they stand for."""
    texts = {key: command.text_of(parameter, parameter.default) for key, parameter in params.read(name).items()}
    assert exactly(command.values_of(name, texts), params.resolve(name))


def test_defaults_are_left_out(page):
    assert command.run_command("part/page", params.resolve("part/page")) == "python -m smlib run book/part/page.ipynb"
    assert command.papermill_command("part/page", params.resolve("part/page")) == \
        "papermill book/part/page.ipynb out.ipynb"


def test_data_are_named_from_the_root_and_found_from_anywhere(page, tmp_path, monkeypatch):
    folder = page.root / "my data"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    values = command.values_of("part/page", {"source": "my data"})
    assert values["source"] == str(folder)
    assert command.run_command("part/page", values).endswith(" -p 'source=my data'")
    assert command.papermill_command("part/page", values).endswith(" -y 'source: my data'")
    with pytest.raises(RunError, match="source: no file or folder .*other; give one, or embedded or twin"):
        command.values_of("part/page", {"source": "other"})


@pytest.mark.parametrize(("key", "text"), [("count", "1.5"), ("number", "fast"), ("flag", "maybe"), ("words", "a"),
                                           ("numbers", "[a]"), ("words", "[1"), ("cuont", "1")])
def test_what_the_runner_refuses_is_refused_in_its_words(page, key, text):
    with pytest.raises(RunError) as runner:
        params.resolve("part/page", overrides=params.parse([f"{key}={text}"]))
    with pytest.raises(RunError) as typed:
        command.values_of("part/page", {key: text})
    assert str(typed.value) == str(runner.value)


def test_the_run_names_its_own_command(page):
    values = params.resolve("part/page", overrides={"words": ["a b", "7"], "nothing": 1e-05})
    line = begin("part/page", **values).reproduce().split("```bash\n")[1].split("\n```")[0]
    assert line == command.run_command("part/page", values) and exactly(parsed(line)[1], values)


def test_papermill_takes_them_too(page):
    """A shell runs the line; the notebook tells what it got."""
    odd = {"text": "it's\n$HOME é", "number": 1e-05, "flag": True, "nothing": {"a": [None, 1e-05, "7", "2020-01-01"]},
           "words": ["a, b", "null"], "nest": {"k: y": [1.5]}}
    page.notebook("part/page", "import json\nprint(json.dumps(run.parameters))", parameters=CELL)
    values = params.resolve("part/page", overrides=odd)
    line = command.papermill_command("part/page", values)
    env = os.environ | {"PYTHONPATH": str(page.root), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(f"{shlex.quote(sys.executable)} -m {line}", shell=True, cwd=page.root, env=env,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = nbformat.read(page.root / "out.ipynb", as_version=4).cells[-1].outputs[0].text
    assert exactly(json.loads(told), values)
    assert (page.runs / "adhoc" / "part" / "page" / "results").is_dir()
