"""The form: fields as the notebook's parameters, commands that follow the typing, mistakes in the runner's words."""

import html

import pytest

from smlib.run import command, params
from smlib.run.form import Form
from smlib.run.params import RunError

CELL = 'lead = 1  # days ahead\nflag = False\nnothing = None\nnames = ["a"]\nnote = "n"'


@pytest.fixture
def page(here):
    here.notebook("part/page", parameters=CELL)
    here.notebook("part/other", parameters="seed = 0")
    return here


def shown(form):
    return html.unescape(form.said.value.split(">", 1)[1].removesuffix("</pre>"))


def test_fields_are_the_parameters_with_their_defaults_and_help(page):
    form = Form("part/page")
    assert {key: field.value for key, field in form.fields.items()} == {
        "lead": "1", "flag": False, "nothing": "null", "names": "[a]", "note": "n"}
    assert [row.children[0] for row in form.below.children] == list(form.fields.values())
    assert form.below.children[0].children[1].value == "days ahead"
    assert form.notebook.options == ("part/other", "part/page")


def test_the_commands_follow_what_is_typed(page):
    form = Form("part/page")
    assert shown(form) == "python -m smlib run book/part/page.ipynb\n\npapermill book/part/page.ipynb out.ipynb"
    form.fields["lead"].value = "7"
    form.fields["flag"].value = True
    form.fields["names"].value = "[a, b & c]"
    first, second = shown(form).split("\n\n")
    assert first == "python -m smlib run book/part/page.ipynb -p lead=7 -p flag=true -p 'names=[a, b & c]'"
    assert second == ("papermill book/part/page.ipynb out.ipynb -y 'lead: 7' -y 'flag: true' "
                      "-y 'names: [a, b & c]'")
    form.fields["lead"].value = "1"
    assert "lead" not in shown(form)


def test_an_ill_typed_value_is_told_in_the_runners_words_until_it_is_mended(page):
    form = Form("part/page")
    form.fields["lead"].value = "seven"
    with pytest.raises(RunError) as runner:
        params.resolve("part/page", overrides=params.parse(["lead=seven"]))
    assert shown(form) == form.error == str(runner.value) and form.commands == ""
    assert "lead must be int, not 'seven'" in form.error and "color" in form.said.value
    form.fields["lead"].value = "7"
    assert form.error == "" and "-p lead=7" in shown(form) and "color" not in form.said.value


def test_another_notebook_has_other_fields(page):
    form = Form("part/page", {"lead": "3", "flag": "yes"})
    assert form.fields["lead"].value == "3" and form.fields["flag"].value is True
    assert "-p lead=3 -p flag=true" in shown(form)
    form.notebook.value = "part/other"
    assert list(form.fields) == ["seed"] and len(form.below.children) == 1
    form.fields["seed"].value = "5"
    assert shown(form).startswith("python -m smlib run book/part/other.ipynb -p seed=5\n")


def test_it_does_not_begin_with_what_the_notebook_refuses(page):
    with pytest.raises(RunError, match="lead must be int"):
        Form("part/page", {"lead": "seven"})
    with pytest.raises(RunError, match="no notebook part/none"):
        Form("part/none")


@pytest.mark.parametrize("name", params.notebooks())
def test_every_notebook_of_the_book_has_a_form(name):
    form = Form(name)
    assert form.error == "" and list(form.fields) == list(params.read(name))
    assert form.commands.startswith(f"{command.run_command(name, params.resolve(name))}\n")
