"""Where data come from: the embedded files, or a file or folder of the user's own, whatever its format."""

import hashlib
import re
from pathlib import Path

import numpy as np
import xarray as xr

from smlib.data.catalog import open_embedded, read_catalog, sha256
from smlib.data.readers import fluxnet, ismn, mapped, power, uscrn
from smlib.data.readers.common import SITES_CSV, combine
from smlib.data.schema import DataError, validate
from smlib.paths import DATA

BIG = 200 * 2**20  # bytes from which a file is told by its size and date, not by its content


def open_source(source, sites=None):
    """A canonical, validated dataset out of `source`.

    Parameters
    ----------
    source : str or path
        ``embedded`` (the measured stations in ``data/``), ``twin`` (what simulated twins of the stations of Wang et al.
        2024 report), or a file, folder or store of one's own.
    sites : list of str, optional
        Which stations; all if not given.

    Returns
    -------
    xarray.Dataset
        With the attributes ``source`` (``embedded`` or the folder's name), ``kind`` and ``history``.
    """
    if str(source) == "twin":
        ds, name = _twins(), "twin"
        history = ds.attrs["history"]
        _check_sites(sites, ds["site"].values.tolist(), source)
        ds = ds if sites is None else _trim(ds.sel(site=list(sites)))
    elif str(source) == "embedded":
        _check_sites(sites, list(read_catalog()), source)
        ds, name = open_embedded(sites), "embedded"
        history = ds.attrs["history"]
    else:
        ds, form = _open_path(Path(source))
        name = Path(source).resolve().name
        history = f"read by smlib from {name}: {form}"
        if ds.attrs.get("left_out"):
            history += f"; left out, for they have no soil moisture: {ds.attrs['left_out']}"
        if sites is not None:
            if "site" not in ds.dims:
                raise DataError("is a grid: it has no stations to choose from", file=source, variable="site")
            _check_sites(sites, ds["site"].values.tolist(), source)
            ds = _trim(ds.sel(site=list(sites)))
    # What a store calls simulated stays simulated.
    return ds.assign_attrs(source=name, kind=ds.attrs.get("kind", "measured"), history=history)


def _twins():
    """What the twins report. Here alone data ask for the simulated world, which is made of what they define."""
    from smlib.nature.worlds import world

    return world("stations")["reported"].to_dataset(inherit=False).load()


def _check_sites(sites, known, source):
    if sites is not None and not len(sites):
        raise DataError(f"no station was chosen; there are {', '.join(known)}", file=source, variable="site")
    unknown = [site for site in sites or [] if site not in known]
    if unknown:
        raise DataError(f"unknown station {', '.join(unknown)}; there are {', '.join(known)}", file=source,
                        variable="site")


def _open_path(path):
    """The dataset at `path` and the name of its format."""
    if not path.exists():
        raise DataError("does not exist: a source is embedded, or a file or folder of yours", file=path)
    if path.suffix == ".zarr" or (path / "zarr.json").exists() or (path / ".zgroup").exists():
        return _canonical(path), "canonical Zarr"
    if path.is_dir() and (path / mapped.MAP).exists():
        kinds = {"power": [f for f in sorted(path.iterdir()) if _kind(f) == "power"]}
        return _with_power(mapped.read_mapped(path, skip=kinds["power"]), kinds), f"columns named in {mapped.MAP}"
    kinds = {}
    for file in [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file()):
        kinds.setdefault(_kind(file), []).append(file)
    kinds.pop("other", None)
    if "ismn" in kinds:  # the texts and tables that come with an archive
        kinds.pop("unknown", None)
    formats = [kind for kind in kinds if kind in FORMATS and kind != "power"]
    if "unknown" in kinds or len(formats) != 1:
        unknown = ", ".join(f.name for f in kinds.get("unknown", [])[:5])
        found = (f"holds files that are not recognised ({unknown})" if unknown else
                 f"mixes formats ({', '.join(formats)}): one folder each" if formats else "holds no soil moisture data")
        raise DataError(f"{found}; what is read is: {'; '.join(FORMATS.values())}; or any CSV or NetCDF file with a "
                        f"{mapped.MAP} beside it", file=path)
    files = kinds[formats[0]]
    return _with_power(_READERS[formats[0]](files, path), kinds), FORMATS[formats[0]]


def _with_power(ds, kinds):
    points = [power.read_power(file) for file in kinds.get("power", [])]
    return validate(power.add_drivers(ds, points)) if points and "site" in ds.dims else ds


def _kind(file):
    """The format of `file` by its name and first lines: a key of `FORMATS`, ``other`` (no data) or ``unknown``."""
    name, suffix = file.name, file.suffix.lower()
    if name.startswith(".") or name in (SITES_CSV, mapped.MAP) or suffix in (".md", ".pdf", ".xml", ".html") or \
            re.match(r"(?i)(readme|licen[sc]e|citation)", name):
        return "other"
    if uscrn.FILE.fullmatch(name):
        return "uscrn"
    if suffix in (".stm", ".zip"):
        return "ismn"
    if suffix == ".nc":
        return "canonical"
    if suffix in (".json", ".csv") and power.is_power(file):
        return "power"
    if suffix in (".csv", ".txt"):
        with open(file, encoding="utf-8", errors="replace") as stream:
            head = next((line for line in stream if not line.startswith("#")), "")
        if "TIMESTAMP" in head or (fluxnet.SITE.search(name) and not head.strip()):
            return "fluxnet"
    return "unknown"


def _canonical(path):
    """A NetCDF file or Zarr store that keeps the schema already; grids stay on disk until they are computed."""
    try:
        ds = xr.open_zarr(path) if path.is_dir() else xr.open_dataset(path, chunks={})
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise DataError(f"cannot be opened ({error}): truncated?", file=path) from None
    try:
        validate(ds, path)
    except DataError as error:
        raise DataError(f"{error.rule} (a file that does not keep the schema needs a {mapped.MAP} beside it)",
                        file=path, variable=error.variable) from None
    return ds.load() if "site" in ds.dims else ds


def _read_canonical(files, path):
    opened = [_canonical(file) for file in files]
    return opened[0] if len(opened) == 1 else combine(opened, path)


FORMATS = {
    "uscrn": "NOAA USCRN daily01 (CRND0103-YYYY-*.txt)",
    "fluxnet": "FLUXNET2015 or AmeriFlux BASE CSV (FLX_*, AMF_*, or a site id like FI-Hyy in the name)",
    "ismn": "ISMN archive (.zip, or its folder with NETWORK/STATION/*.stm)",
    "canonical": "NetCDF (.nc) or Zarr (.zarr) in the schema of smlib",
    "power": "NASA POWER daily point (JSON or CSV), beside one of the others",
}
_READERS = {
    "uscrn": lambda files, path: uscrn.read_uscrn(files),
    "fluxnet": lambda files, path: combine([fluxnet.read_fluxnet(file, path) for file in files], path),
    "ismn": lambda files, path: ismn.read_ismn(files, path),
    "canonical": _read_canonical,
}


def _trim(ds):
    """`ds` without the days before and after all data, and the levels below all data."""
    soil = ds[[name for name in ds.data_vars if "depth" in ds[name].dims]].notnull().any(("site", "time")).to_array()
    deep = np.flatnonzero(soil.any("variable") | ds["depth_m"].notnull().any("site"))
    days = np.flatnonzero(ds.notnull().any(set(ds.dims) - {"time"}).to_array().any("variable"))
    return ds.isel(depth=slice(0, deep[-1] + 1), time=slice(days[0], days[-1] + 1)) if len(days) else ds


def source_fingerprint(source):
    """What identifies the content of `source`: relative file name -> SHA-256 (of size and date above 200 MB)."""
    if str(source) == "twin":
        from smlib.nature.worlds import code_hash

        return {"twin": code_hash()}
    if str(source) == "embedded":
        files = {entry["file"]: DATA / entry["file"] for entry in read_catalog().values()}
    else:
        path = Path(source)
        if not path.exists():
            raise DataError("does not exist", file=source)
        found = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
        files = {f.name if f == path else f.relative_to(path).as_posix(): f for f in found}
    return {name: _fingerprint(file) for name, file in files.items()}


def _fingerprint(file):
    stat = file.stat()
    if stat.st_size <= BIG:
        return sha256(file)
    return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()
