"""The commands of ``python -m smlib data``: what is embedded, what can be got, and checks of one's own."""

from pathlib import Path
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


# What `data get` takes by product; those of the last group want both.
STATIONS, MAPS = ("sites", "years"), ("box", "dates")
TAKES = {"uscrn": STATIONS, "power": STATIONS, "stations-open": STATIONS,
         **dict.fromkeys(("smap", "nldas", "imerg", "modis", "esa-cci"), MAPS)}


@data.command()
def get(name: Annotated[str, typer.Argument(help="A product, or stations-open; without one they are listed.")] = "",
        sites: Annotated[str, typer.Option(help="wang2024 (if not given), or names with commas.")] = "",
        years: Annotated[str, typer.Option(help="2009-2023 (if not given), or some of them.")] = "",
        box: Annotated[str, typer.Option(help="South,north,west,east in degrees, such as 25,49,-125,-67.")] = "",
        dates: Annotated[str, typer.Option(help="Such as 2018-01-01/2018-12-31.")] = "",
        folder: Annotated[Path | None, typer.Option(help="Where it goes; else into the data folder.")] = None,
        url: Annotated[list[str], typer.Option(metavar="PRODUCT=ADDRESS", help="Another address; repeatable.")] = (),
        connections: Annotated[int, typer.Option(min=1, max=8, help="Downloads at a time.")] = 4):
    """Get real data, or say how to by hand. What is there already is fetched again only where it changed."""
    from smlib.data.catalog import entry, manual_steps, read_catalog
    from smlib.data.get import commands

    if not name:
        for line in commands.listing():
            print(line)
        return
    if name != "stations-open" and entry("products", name)["get"] == "manual":
        print("\n".join(manual_steps(name, folder or paths.LOCAL / name)))
        return
    given = {key: value for key, value in {"sites": sites, "years": years, "box": box, "dates": dates}.items() if value}
    wrong = [f"--{key}" for key in given if key not in TAKES[name]]
    lacking = [f"--{key}" for key in MAPS if TAKES[name] == MAPS and key not in given]
    if wrong or lacking:
        told = f"takes no {' and no '.join(wrong)}" if wrong else f"needs {' and '.join(lacking)}"
        raise RunError(f"{name} {told}; it takes {', '.join(f'--{key}' for key in TAKES[name])}")
    addresses = dict(one.partition("=")[::2] for one in url)
    unknown = [product for product, address in addresses.items()
               if product not in read_catalog(part="products") or not address]
    if unknown:
        raise RunError(f"--url takes PRODUCT=ADDRESS, such as uscrn=https://..., not {unknown[0]!r}")
    for line in commands.get(name, folder, addresses, connections, **given):
        print(line)


@data.command()
def check(path: Annotated[str, typer.Argument(help="A file, folder or store of your own, or embedded.")],
          study: Annotated[str | None, typer.Option("--for", metavar="STUDY", help="Name every fault of a file, and "
                                                    "what this study still needs: stations, nudging, fusion, forecast "
                                                    "or correction.")] = None):
    """Open a source as a notebook would, and say what it holds or the one rule that it breaks."""
    if study is not None:
        from smlib.data.check import report

        lines, faults = report(path, study)
        print("\n".join(lines))
        if faults:
            raise RunError(f"{len(faults)} faults in {path}")
        return
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
