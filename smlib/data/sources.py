"""Where data come from: the embedded files, the simulated world, or a file or folder of the user's own."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.catalog import open_embedded, read_catalog, sha256
from smlib.data.readers import daily_maps, fluxnet, ismn, mapped, power, uscrn
from smlib.data.readers.common import SITES_CSV, combine
from smlib.data.readers.map_files import GEOTIFF, NETCDF
from smlib.data.schema import DataError, validate
from smlib.paths import DATA

DOWNLOADS = "downloads.json"  # the record that `smlib data get` keeps beside what it fetched
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

    Raises
    ------
    DataError
        If the source does not exist, breaks the schema, or is a grid although `sites` are asked for.
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
        ds, name, history = _own(source)
        if sites is not None:
            if "site" not in ds.dims:
                raise DataError("is a grid: it has no stations to choose from", file=source, variable="site")
            _check_sites(sites, ds["site"].values.tolist(), source)
            ds = _trim(ds.sel(site=list(sites)))
    return _signed(ds, name, history)


def open_grid(source, scale="quick", seed=0):
    """Daily surface soil moisture on a grid out of `source`, opened lazily.

    Parameters
    ----------
    source : str or path
        ``twin`` (what the simulated product reports of the simulated Qilian Mountains), or a file, folder or store of
        one's own: daily maps as NetCDF or GeoTIFF, a NetCDF file described by ``columns.yml``, or the schema's own.
    scale : "smoke", "quick" or "full"
        Of the simulated world; a grid of one's own is as fine as it is.
    seed : int
        Of the simulated world.

    Returns
    -------
    xarray.Dataset
        ``soil_moisture`` (time, y, x) in m3 m-3 in dask chunks, and whatever else the source holds, with ``lat`` and
        ``lon`` in degrees along y and x, or (y, x) if projected. Rows run from north to south, days without a gap from
        the first to the last: a day that the source lacks is NaN. Attributes ``source``, ``kind`` and ``history``.

    Raises
    ------
    DataError
        For stations, layers, and what the readers refuse. Values of daily maps are checked when they are computed.
    """
    if str(source) == "embedded":
        raise DataError("there is no grid among the embedded data: the sources of grids are twin, or a file or folder "
                        "of yours", file=source)
    if str(source) == "twin":
        from smlib.nature.worlds import world

        ds, name = world("qilian", scale, seed=seed)["smhires"].to_dataset(inherit=False), "twin"
        history = f"simulated by smlib: world qilian, scale {scale}, seed {seed}, smhires"
    else:
        ds, name, history = _own(source)
    if "site" in ds.dims:
        raise DataError("holds stations, where a grid is needed", file=source, variable="site")
    if "layer" in ds["soil_moisture"].dims:
        raise DataError(f"has {ds.sizes['layer']} layers, where one is needed: name it in {mapped.MAP}", file=source,
                        variable="soil_moisture")
    ds = ds.assign_coords({key: ds[key].compute() for key in ("lat", "lon")})
    rows = ds["lat"] if ds["lat"].ndim == 1 else ds["lat"].mean("x")
    if rows[0] < rows[-1]:
        ds = ds.isel(y=slice(None, None, -1))
    days = pd.date_range(ds.indexes["time"][0], ds.indexes["time"][-1], name="time").astype(ds["time"].dtype)
    return _signed(ds.reindex(time=days) if len(days) > ds.sizes["time"] else ds, name, history)


def _signed(ds, name, history):
    # What a store calls simulated stays simulated.
    return ds.assign_attrs(source=name, kind=ds.attrs.get("kind", "measured"), history=history)


def _own(source):
    """What a file, folder or store of the user's holds, its name, and how it was read."""
    ds, form = _open_path(Path(source))
    name = Path(source).resolve().name
    history = f"read by smlib from {name}: {form}"
    if ds.attrs.get("left_out"):
        history += f"; left out, for they have no soil moisture: {ds.attrs['left_out']}"
    return ds, name, history


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
        plan, files = mapped.described(path, skip=kinds["power"])
        one = len(files) == 1 and files[0].suffix.lower() in NETCDF and "date" not in plan.get("grid", {})
        read = mapped.read_mapped if one or "grid" not in plan else daily_maps.read_maps
        return _with_power(read(files, path, plan), kinds), f"columns named in {mapped.MAP}"
    kinds = {}
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file() and not _hidden(file, path):
            kinds.setdefault(_kind(file), []).append(file)
    kinds.pop("other", None)
    if len(kinds.get("canonical", [])) > 1 and not _is_stations(kinds["canonical"][0]):
        kinds["maps"] = sorted(kinds.pop("canonical") + kinds.get("maps", []))
    if "ismn" in kinds or "maps" in kinds:  # the texts and tables that come with an archive
        kinds.pop("unknown", None)
    formats = [kind for kind in kinds if kind in FORMATS and kind != "power"]
    if "unknown" in kinds or len(formats) != 1:
        unknown = ", ".join(f.name for f in kinds.get("unknown", [])[:5])
        found = (f"holds files that are not recognised ({unknown})" if unknown else
                 f"mixes formats ({', '.join(formats)}): one folder each" if formats else "holds no soil moisture data")
        raise DataError(f"{found}; what is read is: {'; '.join(FORMATS.values())}; or any CSV, NetCDF or GeoTIFF file "
                        f"with a {mapped.MAP} beside it", file=path)
    files = kinds[formats[0]]
    return _with_power(_READERS[formats[0]](files, path), kinds), FORMATS[formats[0]]


def _with_power(ds, kinds):
    points = [power.read_power(file) for file in kinds.get("power", [])]
    return validate(power.add_drivers(ds, points)) if points and "site" in ds.dims else ds


def _hidden(file, folder):
    """Whether a file is in a hidden folder, such as that of downloads under way."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _kind(file):
    """The format of `file` by its name and first lines: a key of `FORMATS`, ``other`` (no data) or ``unknown``."""
    name, suffix = file.name, file.suffix.lower()
    if name.startswith(".") or name in (SITES_CSV, mapped.MAP, DOWNLOADS) or \
            suffix in (".md", ".pdf", ".xml", ".html") or re.match(r"(?i)(readme|licen[sc]e|citation)", name):
        return "other"
    if uscrn.FILE.fullmatch(name):
        return "uscrn"
    if suffix in (".stm", ".zip"):
        return "ismn"
    if suffix in GEOTIFF:
        return "maps"
    if suffix in NETCDF:
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


def _is_stations(file):
    """Whether a NetCDF file has stations; several files that have none are maps."""
    try:
        with xr.open_dataset(file) as ds:
            return "site" in ds.dims
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"cannot be opened ({error}): truncated?", file=file) from None


def _read_canonical(files, path):
    opened = [_canonical(file) for file in files]
    return opened[0] if len(opened) == 1 else combine(opened, path)


FORMATS = {
    "uscrn": "NOAA USCRN daily01 (CRND0103-YYYY-*.txt)",
    "fluxnet": "FLUXNET2015 or AmeriFlux BASE CSV (FLX_*, AMF_*, or a site id like FI-Hyy in the name)",
    "ismn": "ISMN archive (.zip, or its folder with NETWORK/STATION/*.stm)",
    "canonical": "NetCDF (.nc) or Zarr (.zarr) in the schema of smlib",
    "maps": "daily maps, NetCDF or GeoTIFF (.tif), with their dates in them or in their names",
    "power": "NASA POWER daily point (JSON or CSV), beside one of the others",
}
_READERS = {
    "uscrn": lambda files, path: uscrn.read_uscrn(files),
    "fluxnet": lambda files, path: combine([fluxnet.read_fluxnet(file, path) for file in files], path),
    "ismn": lambda files, path: ismn.read_ismn(files, path),
    "canonical": _read_canonical,
    "maps": daily_maps.read_maps,
}


def _trim(ds):
    """`ds` without the days before and after all data, and the levels below all data."""
    soil = ds[[name for name in ds.data_vars if "depth" in ds[name].dims]].notnull().any(("site", "time")).to_array()
    deep = np.flatnonzero(soil.any("variable") | ds["depth_m"].notnull().any("site"))
    days = np.flatnonzero(ds.notnull().any(set(ds.dims) - {"time"}).to_array().any("variable"))
    return ds.isel(depth=slice(0, deep[-1] + 1), time=slice(days[0], days[-1] + 1)) if len(days) else ds


def source_fingerprint(source):
    """What identifies the content of `source`: relative file name -> SHA-256 (of size and date above 200 MB).

    Raises
    ------
    DataError
        If the source does not exist.
    """
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
