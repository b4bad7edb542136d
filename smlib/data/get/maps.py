"""Maps by box and days: each day is fetched, put on its grid, cut to the box, written, and its files are deleted.

What stays is a canonical NetCDF file a day: of SMAP, NLDAS-2, IMERG and MODIS on EASE-Grid 2.0 of 9 km, ready for
`smlib.data.cube`, of ESA CCI on its own grid of 0.25 degree. NASA's files come through earthaccess, which alone sees
the login.
"""

import os
import shutil
import time
from datetime import UTC, datetime

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm

from smlib.data.catalog import entry, sha256
from smlib.data.cube import average_passes, cube
from smlib.data.ease import EaseGrid
from smlib.data.get.fetch import LOCK, RECORD, Item, fetch
from smlib.data.get.stations import address
from smlib.data.get.transfer import Unwritable, read_json, write_json
from smlib.data.schema import DataError, validate

RAW = ".granules"  # hidden: never read as data
MARGIN = 1.0  # degrees around the box that interpolation may need
ATTEMPTS = 3
LOGIN = """there is no Earthdata login. NASA's data are free, and want one:
1. Register at https://urs.earthdata.nasa.gov/users/new and confirm the mail.
2. Log in there; under Applications, Authorized Apps, approve "NASA GESDISC DATA ARCHIVE" (for NLDAS-2 and IMERG).
3. Either put the line "machine urs.earthdata.nasa.gov login NAME password PASSWORD" into the file .netrc in your home
   folder and make it readable by yourself alone (chmod 600 ~/.netrc), or set EARTHDATA_TOKEN to a token made on your
   page there (Generate Token).
4. Say the same command again. smlib hands this to the library earthaccess and neither reads, prints nor keeps it."""


def box(text):
    """South, north, west, east in degrees of a text such as ``25,49,-125,-67``; `DataError` for others."""
    try:
        south, north, west, east = (float(part) for part in text.split(","))
    except ValueError:
        south = north = west = east = float("nan")
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
        raise DataError(f"{text!r} is not south,north,west,east in degrees, such as 25,49,-125,-67", variable="box")
    return south, north, west, east


def get_maps(name, box, days, folder, url=None, options=None):
    """Have a product's days within a box in `folder`, a NetCDF file each; yields lines to print.

    Parameters
    ----------
    name : "smap", "nldas", "imerg", "modis" or "esa-cci"
    box : south, north, west, east, degrees
    days : pandas.DatetimeIndex
    folder : Path
    url : str, optional
        Another address of ESA CCI.
    options : dict
        ``connections`` and other settings of `fetch.fetch`.

    Raises
    ------
    DataError
        Without a login; for a folder of another box; for days that could not be had (the others are).
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield from _get(name, box, days, folder, url, options or {})
    except Timeout:
        raise DataError("another process is fetching into it: wait until it has finished", file=folder) from None


def _get(name, box, days, folder, url, options):
    record = read_json(folder / RECORD)
    others = {tuple(known["box"]) for known in record.values()} - {tuple(box)}
    if others:
        raise DataError(f"holds another box, {next(iter(others))}: give another --folder", file=folder)
    files = {day: f"{day:%Y}/{name}-{day:%Y%m%d}.nc" for day in days}
    missing = [day for day in days if not _is_whole(folder / files[day], record.get(files[day]))]
    yield f"{len(days) - len(missing)} of {len(days)} days are there already"
    source = (_cci(url, options) if name == "esa-cci" else _earthdata(name, box, options)) if missing else None
    absent, failed = [], {}
    try:
        for day in tqdm(missing, desc=name, unit="day", disable=not missing):
            try:
                granules = _insist(source, day, folder / RAW)
                if not granules:
                    absent.append(day)
                    continue
                ds = READERS[name](granules, box).assign_attrs(source=", ".join(sorted(g.name for g in granules)))
                _write(ds, folder / files[day])
            except Unwritable:
                raise
            except DataError as error:
                failed[day] = error
                continue
            finally:
                shutil.rmtree(folder / RAW, ignore_errors=True)
            record[files[day]] = {"sha256": sha256(folder / files[day]), "box": list(box), "from": ds.attrs["source"],
                                  "fetched": datetime.now(UTC).date().isoformat()}
            write_json(folder / RECORD, dict(sorted(record.items())))
    finally:
        shutil.rmtree(folder / RAW, ignore_errors=True)
    if absent:
        yield f"{len(absent)} days are not on the server: {', '.join(f'{day:%Y-%m-%d}' for day in absent[:5])}" + (
            ", ..." if absent[5:] else "")
    if failed:
        day, error = next(iter(failed.items()))
        raise DataError(f"{len(failed)} of {len(days)} days could not be had, the first {day:%Y-%m-%d}: {error}. Say "
                        "the same command again: it goes on where it stopped", file=folder)
    size = sum((folder / file).stat().st_size for file in files.values() if (folder / file).exists())
    yield f"{folder}: {size / 1e6:.1f} MB; xarray.open_mfdataset('{folder}/*/*.nc') opens all days"


def _is_whole(file, known):
    return bool(known) and file.exists() and sha256(file) == known["sha256"]


def _insist(source, day, raw):
    """The files of a day, as many attempts as it takes and may; anything but `DataError` is taken to pass."""
    for attempt in range(1, ATTEMPTS + 1):
        raw.mkdir(exist_ok=True)
        try:
            return source(day, raw)
        except (requests.RequestException, RuntimeError) as error:
            # Not its words, which may hold an address with a key in it.
            reason = type(error).__name__
            shutil.rmtree(raw, ignore_errors=True)
            if attempt < ATTEMPTS:
                time.sleep(2.0 ** attempt)
    raise DataError(f"failed {ATTEMPTS} times ({reason})")


def _cci(url, options):
    """What fetches the file of a day from CEDA."""
    base, version = address("esa-cci", url), entry("products", "esa-cci")["version"]

    def source(day, raw):
        name = f"ESACCI-SOILMOISTURE-L3S-SSMV-COMBINED-{day:%Y%m%d}000000-f{version}.nc"
        fetch([Item(f"{base}/{version}/{day:%Y}/{name}", name)], raw, **options)
        return sorted(raw.glob("*.nc"))

    return source


def _earthdata(name, box, options):
    """What fetches the files of a day through earthaccess, logged in."""
    import earthaccess

    login(earthaccess)
    wanted = entry("products", name)["earthdata"]
    south, north, west, east = box

    def source(day, raw):
        found = earthaccess.search_data(**wanted, temporal=(f"{day:%Y-%m-%d}", f"{day:%Y-%m-%d}"), count=-1,
                                        bounding_box=(west, south, east, north))
        stamps = (f"{day:%Y%m%d}", f"A{day:%Y%j}")  # granules of the days beside it may touch this one
        own = [one for one in found if any(stamp in one["umm"]["GranuleUR"] for stamp in stamps)]
        if own:
            earthaccess.download(own, local_path=raw, threads=options.get("connections", 4), show_progress=False)
        got = sorted(file for file in raw.iterdir() if file.suffix in (".h5", ".hdf", ".nc", ".nc4"))
        if len(got) < len(own):
            raise RuntimeError("incomplete")
        return got

    return source


def login(earthaccess):
    """Log in with what the environment or ~/.netrc gives to earthaccess; `DataError` with the steps if nothing does."""
    from earthaccess.exceptions import LoginAttemptFailure, LoginStrategyUnavailable

    for strategy in ("environment", "netrc"):
        try:
            if earthaccess.login(strategy=strategy).authenticated:
                return
        except LoginStrategyUnavailable:
            continue
        except LoginAttemptFailure:
            raise DataError(f"Earthdata refuses the login that {strategy} gives: does it still hold at "
                            "https://urs.earthdata.nasa.gov?") from None
    raise DataError(LOGIN)


def _crop(ds, box, margin=0.0):
    south, north, west, east = box
    y = (ds["lat"] > south - margin) & (ds["lat"] < north + margin)
    x = (ds["lon"] > west - margin) & (ds["lon"] < east + margin)
    if not (y.any() and x.any()):
        raise DataError(f"has no cell in the box {box}", variable="lat, lon")
    return ds.isel(y=y.values.nonzero()[0], x=x.values.nonzero()[0])


def _read_smap(files, box):
    from smlib.data.readers.smap import read_smap

    grid = EaseGrid.box(*box)
    return average_passes(read_smap(files[-1:], "AM", grid), read_smap(files[-1:], "PM", grid))


def _read_nldas(files, box):
    from smlib.data.readers.nldas import read_nldas

    return cube({"nldas": _crop(read_nldas(files), box, MARGIN)}, EaseGrid.box(*box))


def _read_imerg(files, box):
    from smlib.data.readers.imerg import read_imerg

    return cube({"imerg": _crop(read_imerg(files[-1:]), box, MARGIN)}, EaseGrid.box(*box))


def _read_modis(files, box):
    from smlib.data.get.hdf4 import to_geotiff
    from smlib.data.readers.modis import read_swir_transform

    return read_swir_transform([tif for file in files for tif in to_geotiff(file)], EaseGrid.box(*box))


def _read_cci(files, box):
    from smlib.data.readers.daily_maps import read_maps

    return _crop(read_maps(files, files[0].parent), box)


READERS = {"smap": _read_smap, "nldas": _read_nldas, "imerg": _read_imerg, "modis": _read_modis, "esa-cci": _read_cci}


def _write(ds, file):
    """One day as NetCDF, checked, whole or not at all."""
    ds = validate(ds.load(), file, needs=())
    if ds.sizes["time"] != 1:
        raise DataError(f"holds {ds.sizes['time']} days, not one", file=file)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.partial")
    try:
        ds.drop_encoding().to_netcdf(aside, engine="netcdf4",
                                     encoding={name: {"zlib": True, "complevel": 4} for name in ds.data_vars})
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)
