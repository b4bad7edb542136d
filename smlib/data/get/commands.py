"""What ``smlib data get NAME`` does, as lines to print."""

from pathlib import Path

from smlib import paths
from smlib.data.catalog import manual_steps, read_catalog
from smlib.data.get import stations as named

OPEN = "open"  # folder of what has no login, in the data folder
YEARS = "2009-2023"  # those of Wang et al. (2024) at its USCRN stations


def listing():
    """A line for each product."""
    yield "stations-open  uscrn and power as one store, for the station study"
    for name, product in read_catalog(part="products").items():
        how = "fetched" if product["get"] == "command" else "by hand, steps are printed"
        yield f"{name}  {product['title']}; login: {product['login']}; {how}; {product['size']}"


def get(name, folder, addresses, connections, sites=named.WANG2024, years=YEARS, box=None, dates=None):
    """Get the product `name` (or ``stations-open``) into `folder`; yields lines to print.

    Parameters
    ----------
    folder : path or None
    addresses : dict of product to base address, where not the catalogue's
    connections : int
    sites, years, box, dates : str, as on the command line
    """
    options = {"connections": connections}
    if box:
        from smlib.data.get import maps

        yield from maps.get_maps(name, maps.box(box), named.days(dates), Path(folder or paths.LOCAL / name),
                                 addresses.get(name), options)
        if "steps" in read_catalog(part="products")[name]:
            yield "what else there is of the product is got by hand:"
            yield from manual_steps(name, folder or paths.LOCAL / name)
        return
    stations, years = named.stations(sites), named.years(years)
    folder = Path(folder or paths.LOCAL / OPEN)
    if name == "uscrn":
        from smlib.data.get.uscrn import get_uscrn

        reports, without = get_uscrn(stations, years, folder, addresses.get("uscrn"), bar="USCRN", **options)
        yield from (f"USCRN: {report}" for report in reports)
        yield from (f"{name}: the server has no file of these years" for name in without)
    elif name == "power":
        from smlib.data.get.power import get_power

        yield f"POWER: {get_power(stations, years, folder, addresses.get('power'), bar='POWER', **options)}"
    else:
        from smlib.data.get.stations_open import STORE, get_stations_open

        store, lines = get_stations_open(stations, years, folder, folder.parent / STORE, addresses.get("uscrn"),
                                         addresses.get("power"), bar="on", **options)
        yield from lines
        yield f"{store}\nrun the study on it: python -m smlib run book/stations/compare.ipynb -p source={store}"
        return
    yield f"{folder}"
