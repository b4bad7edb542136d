"""``data/catalog.yml``: the embedded files and their checksums, the products to be had, what each study is made of."""

import hashlib
from functools import cache

import xarray as xr
import yaml

from smlib.data.readers.common import combine
from smlib.data.schema import DataError, validate
from smlib.paths import DATA

CATALOG = DATA / "catalog.yml"


def sha256(file):
    """The SHA-256 of the bytes of `file`, in hex."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def read_catalog(file=CATALOG, part="embedded"):
    """A part of the catalogue as a dict: ``embedded`` by site, ``products`` by name, or ``studies`` by chapter."""
    return (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get(part, {})


def entry(part, name):
    """One product or study, or `DataError` naming those there are."""
    known = read_catalog(part=part)
    if name not in known:
        raise DataError(f"there is no {name!r} among the {part}; there are {', '.join(known)}", file=CATALOG.name)
    return known[name]


def manual_steps(name, folder):
    """How to get a product by hand, a line a step; `folder` is where its files shall go."""
    product = entry("products", name)
    head = [f"{product['title']}, version {product['version']}", f"from {product['provider']}, {product['url']}",
            f"licence: {product['licence']}", f"login: {product['login']}", f"size: {product['size']}", ""]
    return [*head, *(f"{n}. {step.replace('{folder}', str(folder))}" for n, step in enumerate(product["steps"], 1))]


@cache
def _checked(file, expected):
    """`file` if its checksum is the expected one; asked once a process."""
    if not file.exists():
        raise DataError("is in the catalogue but not there: restore it from the repository", file=file)
    if sha256(file) != expected:
        raise DataError("differs from its checksum in catalog.yml: restore it from the repository, or make it anew "
                        "with scripts/make_stations.py", file=file, variable="sha256")
    return file


def open_embedded(sites=None, catalog=CATALOG):
    """The embedded stations (all, or those in `sites`) as one dataset, checksums verified."""
    entries = read_catalog(catalog)
    stations = []
    for site in sites or entries:
        file = _checked(catalog.parent / entries[site]["file"], entries[site]["sha256"])
        with xr.open_dataset(file) as ds:
            stations.append(validate(ds.load(), file))
    return combine(stations, "embedded")
