"""The commands of ``python -m smlib data``: what is embedded, what can be got, and checks of one's own."""

from typing import Annotated

import typer

from smlib import paths
from smlib.run.params import RunError

data = typer.Typer(help="The embedded data with their checksums, real data by command, or a check of your own.")


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
