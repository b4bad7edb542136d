"""The command line: ``python -m smlib``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from smlib.run import params
from smlib.run.data_cli import data
from smlib.run.params import RunError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  context_settings={"help_option_names": ["-h", "--help"]},
                  help="Run the notebooks of the book, build the book, look at data.")
app.add_typer(data, name="data")

Profile = Annotated[str, typer.Option(help=f"{', '.join(params.PROFILES)}.")]
Force = Annotated[bool, typer.Option("--force", help="Run again what is finished already.")]


@app.command()
def run(notebook: Annotated[str, typer.Argument(help="Such as book/stations/compare.ipynb.")],
        assignment: Annotated[list[str], typer.Option("-p", metavar="KEY=VALUE", help="A parameter; repeatable.")] = (),
        params_file: Annotated[Path | None, typer.Option("--params", help="YAML file of parameters.")] = None,
        profile: Profile = "smoke", force: Force = False):
    """Run one notebook with parameters of your choice; print the folder of the run."""
    from smlib.run import execute

    name = params.find(notebook)
    print(execute.run(name, profile, params.parse(assignment), params_file, force))


@app.command()
def build(profile: Profile = "quick", jobs: Annotated[int, typer.Option(min=1, help="Notebooks at a time.")] = 2,
          force: Force = False,
          html: Annotated[Path | None, typer.Option(help="Where the book goes, by default _build/html.")] = None):
    """Run all notebooks of the book and render it; print where it is."""
    from smlib.run import stage

    print(f"the book is {stage.build(profile, jobs, force, html.resolve() if html else None)}")


@app.command()
def ledger(profile: Profile = "quick",
           json: Annotated[bool, typer.Option("--json", help="A list of objects, a verdict each.")] = False):
    """What the papers claim, and whether it holds in the finished runs of a profile."""
    params.profile_values(profile)  # a wrong profile is told before seconds are spent on imports
    from smlib.claims import ledger as tested
    from smlib.run import ledger as shown

    table = tested(profile)
    print(shown.as_json(table) if json else shown.as_text(table))


@app.command(name="list")
def list_notebooks():
    """The notebooks and their parameters."""
    for name in params.notebooks():
        print(f"book/{name}.ipynb")
        for parameter in params.read(name).values():
            print(f"  {parameter}" + (f": {parameter.help}" if parameter.help else ""))


def main():
    """Run the command line; what the user can mend ends in one message on stderr and exit code 1."""
    try:
        app()
    except (ValueError, OSError) as error:
        from smlib.data import DataError  # here, for it takes a second and most commands need no data

        if not isinstance(error, (RunError, DataError, OSError)):
            raise
        sys.exit(f"error: {error}")
