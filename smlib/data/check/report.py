"""`report`: every file of a folder looked at, what they hold together, and what a study lacks."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from smlib.data import sources
from smlib.data.check import across, grids, studies, tables
from smlib.data.check.files import KINDS, PARTIAL, Fault, Seen, check_record, identify, recorded
from smlib.data.readers import daily_maps, mapped
from smlib.data.readers.common import SITES_CSV, read_places
from smlib.data.readers.map_files import NETCDF
from smlib.data.schema import DataError

LOOK = 64  # files of a kind whose values are read; of more, so many all over the period
TABLES = {"uscrn": tables.see_uscrn, "fluxnet": tables.see_fluxnet, "power": tables.see_power, "ismn": tables.see_ismn}
GRIDS = {"canonical": grids.see_canonical} | dict.fromkeys(("maps", "cci", "ascat", "glass"), grids.see_grid) | \
    dict.fromkeys(("smap", "nldas", "imerg"), grids.see_product) | \
    dict.fromkeys(("modis", "solus", "srtm"), grids.see_raster)


def report(folder, study=None):
    """What is in a folder, what is wrong with it, and what a study still needs.

    Parameters
    ----------
    folder : str or path
        A folder, with folders within folders, or a file or store.
    study : str, optional
        One of `STUDIES`.

    Returns
    -------
    lines : list of str
        To be printed: what is there with periods, gaps and units; what is wrong; what is missing; what to run next.
    faults : list of Fault
        Every fault of every file: one never hides another file's. Files are named relative to the folder.

    Raises
    ------
    DataError
        For a folder that does not exist or a study that there is not.
    """
    folder = Path(folder)
    if study is not None and study not in studies.STUDIES:
        raise DataError(f"there is no study {study}; there are {', '.join(studies.STUDIES)}")
    if not folder.exists():
        raise DataError("does not exist", file=folder)
    held = _look_at(folder, study)
    faults = across.compare(held, study)
    if folder.is_dir():
        faults += _missing_downloads(folder)
    faults += [fault for seen in held for fault in seen.faults]
    if not faults:
        faults += _open_as_a_notebook_would(folder, held, study)
    faults.sort(key=lambda fault: (fault.file, fault.variable, fault.rule))
    lines = [f"{folder}: {len(held)} files", *_summary(held, study)]
    if faults:
        good = [seen.name for seen in held if not seen.faults and seen.kind != "beside"]
        more = f" and {len(good) - 20} more" if len(good) > 20 else ""
        lines += [f"wrong: {len(faults)} faults", *(f"  {fault}" for fault in faults),
                  f"without a fault: {', '.join(good[:20]) or 'none'}{more}"]
    else:
        lines.append("no file has a fault")
    if study is not None:
        lines += studies.lines(study, folder, held, bool(faults))
    return lines, faults


def _look_at(folder, study):
    """A `Seen` of each file or store, faults entered."""
    files = [folder] if folder.is_file() or _is_store(folder) else _walk(folder)
    root = folder if folder.is_dir() and not _is_store(folder) else folder.parent
    expected = recorded(root)[0] if folder.is_dir() else {}
    plans = _plans(root, files)
    held = [Seen(file, file.relative_to(root).as_posix()) for file in files]
    for seen in held:
        if seen.file in plans:
            seen.kind = "mapped"
        elif _is_store(seen.file):
            seen.kind = "canonical"
        elif seen.file.parent in plans["faults"] and seen.file.name != mapped.MAP:
            seen.kind, seen.note = "beside", "its columns.yml has a fault"
        else:
            with seen.catching():
                identify(seen)
        if seen.file.name in (SITES_CSV, mapped.MAP):
            with seen.catching():
                _check_beside(seen.file, plans)
        if seen.file.is_file():
            check_record(seen, expected.get(seen.file.resolve()))
    groups = {}
    for seen in held:
        groups.setdefault((seen.kind, seen.file.parent.parent if seen.kind in GRIDS else ""), []).append(seen)
    for group in groups.values():
        step = -(-len(group) // LOOK)
        for k, seen in enumerate(group):
            with seen.catching():
                _inspect(seen, root, k % step == 0, plans, study)
    return held


def _check_beside(file, plans):
    """The files that say where stations are and which column is what, which are no data but may be wrong."""
    if file.name == SITES_CSV:
        read_places(file.parent)
    elif file.parent in plans["faults"]:
        raise plans["faults"][file.parent]


def _inspect(seen, root, look, plans, study):
    if seen.kind == "mapped":
        folder, plan, files = plans[seen.file]
        if "grid" not in plan:
            return tables.see_mapped(seen, folder, plan)
        one = len(files) == 1 and seen.file.suffix.lower() in NETCDF and "date" not in plan["grid"]
        ds = (mapped.read_mapped if one else daily_maps.read_maps)([seen.file], folder, plan)
        seen.grid = ds["lat"].values, ds["lon"].values
        seen.maps |= {str(name): ds.indexes["time"] for name in ds.data_vars}
        seen.units |= {name: entry["units"] for name, (entry, *_) in plan["variables"].items() if "units" in entry}
    elif seen.kind in TABLES:
        own = seen.file.parent if (seen.file.parent / SITES_CSV).exists() else root
        TABLES[seen.kind](seen, own)
    elif seen.kind in GRIDS:
        GRIDS[seen.kind](seen, look, studies.quantity(seen, study))
    return None


def _walk(folder):
    """Files and Zarr stores under a folder, without what hides, unless that is a partial download."""
    found = []
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith((".", "__MACOSX", "python_metadata"))
        if path.is_dir():
            found += [path] if _is_store(path) else [f for f in _walk(path) if not hidden or f.suffix in PARTIAL]
        elif path.is_file() and (not hidden or path.suffix in PARTIAL):
            found.append(path)
    return found


def _is_store(path):
    return path.is_dir() and (path.suffix == ".zarr" or (path / "zarr.json").exists() or (path / ".zgroup").exists())


def _plans(root, files):
    """{file: (folder, plan, all its files)} of those that a ``columns.yml`` describes; the maps' own under "faults"."""
    found = {"faults": {}}
    for file in files:
        if file.name == mapped.MAP:
            try:
                plan, described = mapped.described(file.parent)
                wanted = set(files)
                found |= {one: (file.parent, plan, described) for one in described if one in wanted}
            except (DataError, OSError) as error:
                found["faults"][file.parent] = error if isinstance(error, DataError) else DataError(str(error))
    return found


def _missing_downloads(folder):
    expected, faults = recorded(folder)
    root = folder.resolve()
    return faults + [Fault(file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file), "",
                           "was downloaded and is not there any more") for file in expected if not file.exists()]


def _open_as_a_notebook_would(folder, held, study):
    """The reader's own verdict on a folder of one kind in which no file by itself has a fault."""
    formats = {seen.kind for seen in held} - {"beside", "power"}
    own = formats <= {"maps", "cci", "canonical", "mapped"} if study == "nudging" else \
        len(formats) == 1 and formats <= {"uscrn", "fluxnet", "ismn", "canonical", "mapped", "maps", "cci"}
    if not formats or not own or study in ("fusion", "forecast", "correction"):
        return []
    stations = any(seen.series for seen in held)
    if study and stations != (study == "stations"):
        return []
    try:
        sources.open_grid(folder) if study == "nudging" else sources.open_source(folder)
    except DataError as error:
        file = Path(error.file)
        named = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else error.file
        return [Fault(named, error.variable, error.rule)]
    return []


def _summary(held, study):
    """What is there, by kind: stations with their series, maps with their days."""
    for kind in [*KINDS, "beside"]:
        group = [seen for seen in held if seen.kind == kind]
        if not group:
            continue
        if kind == "beside":
            yield f"beside them, left alone: {', '.join(seen.name for seen in group[:10])}"
            continue
        yield f"{KINDS[kind]}: {len(group)} files"
        yield from _stations([seen for seen in group if not seen.faults])
        by_part = {}
        for seen in group:
            for name, days in seen.maps.items():
                by_part.setdefault((studies.part(seen, study), name), []).append((seen, days))
        for (where, name), parts in sorted(by_part.items()):
            days = pd.DatetimeIndex(np.unique(np.concatenate([days.values for _, days in parts])))
            units = ", ".join(sorted({seen.units[name] for seen, _ in parts if name in seen.units}))
            place = f"{where}: " if where else ""
            yield f"  {place}{name} ({units}), {len(parts)} files{_cells(parts[0][0])}: {studies.period(days)}"
        if len(group) > LOOK and kind in GRIDS:
            yield f"  values of {LOOK} files or fewer were looked at, and the header of each"
        notes = Counter(seen.note for seen in group if seen.note)
        yield from (f"  {note}: {count} files" for note, count in notes.items())


def _stations(group):
    places = {site: place for seen in group for site, place in seen.places.items()}
    for site, (lat, lon) in sorted(places.items()):
        yield f"  {site}  lat {lat:g}  lon {lon:g}"
        series = {}
        for seen in group:
            for (one, name, depth), days in seen.series.items():
                if one == site:
                    series.setdefault(name, {}).setdefault(depth, []).append(days)
        for name, by_depth in series.items():
            days = studies.union(days for parts in by_depth.values() for days in parts)
            depths = [f"{depth:g}" if depth == depth else "?" for depth in by_depth if depth is not None]
            where = f" at {', '.join(depths)} m" if depths else ""
            yield f"    {name} ({studies.units(name)}){where}: {studies.period(days)}"


def _cells(seen):
    if seen.grid is None or not np.isfinite(np.asarray(seen.grid[0], float)).any():
        return ""
    south, north, west, east = across.box(seen.grid)
    lat, lon = seen.grid
    shape = f"{len(lat)} x {len(lon)}" if np.ndim(lat) == 1 else " x ".join(map(str, np.shape(lat)))
    return f", {shape} cells from {south:.5g} to {north:.5g} N, {west:.5g} to {east:.5g} E"
