"""The command line: ``python -m smlib``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from smlib import paths
from smlib.data import DataError
from smlib.run import params
from smlib.run.params import RunError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  context_settings={"help_option_names": ["-h", "--help"]},
                  help="Run the notebooks of the book, build the book, look at data.")
data = typer.Typer(help="The embedded data with their checksums, or a check of your own.")
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


@app.command(name="list")
def list_notebooks():
    """The notebooks and their parameters."""
    for name in params.notebooks():
        print(f"book/{name}.ipynb")
        for parameter in params.read(name).values():
            print(f"  {parameter}" + (f": {parameter.help}" if parameter.help else ""))


@data.callback(invoke_without_command=True)
def list_data(context: typer.Context):
    """The embedded stations: file, period, licence, and whether each file is what the catalogue says."""
    if context.invoked_subcommand:
        return
    from smlib.data.catalog import read_catalog, sha256

    bad = []
    for site, entry in read_catalog().items():
        file = paths.DATA / entry["file"]
        state = "missing" if not file.exists() else "ok" if sha256(file) == entry["sha256"] else "CHANGED"
        bad += [f"{file} is {state}"] if state != "ok" else []
        print(f"{site}  {entry['network']}  {entry['period']}  {entry['licence']}  {entry['file']}  checksum {state}")
    if bad:
        raise RunError("; ".join(bad) + ": restore it from the repository")


@data.command()
def check(path: Annotated[str, typer.Argument(help="A file, folder or store of your own, or embedded.")]):
    """Open a source as a notebook would, and say what it holds or the one rule that it breaks."""
    from smlib.data import open_source

    ds = open_source(path)
    places = ["y", "x"] if "site" not in ds.dims else ["site"]
    print(f"{ds.attrs['source']}: " + ", ".join(f"{size} {dim}" for dim, size in ds.sizes.items()))
    days = ds.indexes["time"]
    print(f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}")
    if places != ["site"]:
        print("a grid of " + ", ".join(map(str, ds.data_vars)))
        return
    for site in ds["site"].values:
        for line in _station(ds.sel(site=site)):
            print(line)


def _station(ds):
    """What `data check` prints of one site: a line for the site, one for each variable and level."""
    yield f"{ds['site'].item()}  lat {ds['lat'].item():g}  lon {ds['lon'].item():g}"
    for name, da in ds.data_vars.items():
        for level in ds["depth"].values if "depth" in da.dims else [None]:
            series = da if level is None else da.sel(depth=level)
            known = series.dropna("time")
            if not known.size:
                continue
            first, last = (f"{known.indexes['time'][i]:%Y-%m-%d}" for i in (0, -1))
            span = series.sel(time=slice(first, last))
            where = "" if level is None else f" level {level}, {_depth(ds['depth_m'].sel(depth=level).item())}"
            yield f"  {name}{where}: {first} to {last}, {known.size} days, {span.size - known.size} missing within"


def _depth(metres):
    return f"{metres:g} m" if metres == metres else "depth unknown"


def main():
    """Run the command line; what the user can mend ends in one message on stderr and exit code 1."""
    try:
        app()
    except (RunError, DataError, OSError) as error:
        sys.exit(f"error: {error}")
