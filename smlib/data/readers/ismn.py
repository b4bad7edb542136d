"""International Soil Moisture Network archives, through the `ismn` package: both of its formats, zip or folder.

Hourly values with the network's quality flag ``G`` (good) count, all others are missing. Days are UTC, as the stamps
of the archive are. The depth of a level is the middle of the sensor's depth range; several sensors at one depth are
averaged as `smlib.data.daily.mean_of_fixed_set` says.
"""

import contextlib
import io
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pandas as pd

from smlib.data.daily import mean_of_fixed_set, to_daily
from smlib.data.readers.common import Place, check_times, combine, numeric, station_dataset
from smlib.data.schema import VARIABLES, DataError

GOOD = "G"
HOUR = pd.Timedelta("1h")
NAMES = ("soil_moisture", "soil_temperature", "air_temperature", "precipitation")


def read_ismn(files, folder):
    """ISMN archives as one dataset: the .zip files among `files`, or the .stm files under `folder`.

    Nothing is written beside them.
    """
    zips = [Path(file) for file in files if Path(file).suffix.lower() == ".zip"]
    if zips and len(zips) < len(files):
        raise DataError("holds both .zip and .stm files of ISMN: keep one of them", file=folder)
    stations = []
    for path in zips or [Path(folder)]:
        with tempfile.TemporaryDirectory(prefix="smlib-ismn-") as work:
            root = _unpack(path, Path(work) / "data") if zips else path
            stations += _stations(_archive_root(root, path), Path(work), path)
    return combine(stations, folder)


def _unpack(path, target):
    """Unpack the .stm and .csv files of a zip, after every name in it was seen to stay inside `target`."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                parts = PurePosixPath(name.replace("\\", "/"))
                if parts.is_absolute() or ".." in parts.parts or ":" in name.split("/")[0]:
                    raise DataError(f"holds a path outside itself ({name}): not unpacked", file=path)
            broken = archive.testzip()
            if broken:
                raise DataError(f"is damaged at {broken}", file=path)
            archive.extractall(target, [n for n in archive.namelist() if n.endswith((".stm", ".csv"))])
    except zipfile.BadZipFile as error:
        raise DataError(f"is not a whole zip file ({error}): truncated?", file=path) from None
    return target


def _archive_root(folder, path):
    """The folder that holds NETWORK/STATION/*.stm, and only one."""
    files = sorted(folder.rglob("*.stm"))
    roots = {file.parents[2] for file in files if len(file.relative_to(folder).parts) >= 3}
    if len(roots) != 1:
        raise DataError("is no ISMN archive: it must hold one folder with NETWORK/STATION/*.stm", file=path)
    for file in files:
        lines = [line.split() for line in file.read_text(errors="replace").splitlines() if line.strip()]
        if len(lines) < 2:
            raise DataError("holds no data", file=file.relative_to(folder))
        least = 15 if len(lines[0]) == len(lines[1]) == 15 else 4
        bad = next((n for n, line in enumerate(lines[1:], 2) if len(line) < least), None)
        if bad:
            raise DataError(f"line {bad} has {len(lines[bad - 1])} fields, fewer than {least}: truncated?",
                            file=file.relative_to(folder))
    return roots.pop()


def _stations(root, work, path):
    """One dataset a station."""
    from ismn.interface import ISMN_Interface  # slow to import, and few need it

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        archive = ISMN_Interface(root, meta_path=work / "meta", temp_root=work / "temp", parallel=False)
    read = sum(1 for _, station in _each(archive) for _ in station.iter_sensors())
    if read != len(list(root.rglob("*.stm"))):
        raise DataError(f"of {len(list(root.rglob('*.stm')))} .stm files only {read} could be read", file=path)
    names = [station.name for _, station in _each(archive)]
    found = []
    for network, station in _each(archive):
        site = station.name if names.count(station.name) == 1 else f"{network.name}_{station.name}"
        ds = _station(site, network, station, path)
        if ds is not None:
            found.append(ds)
    if not found:
        raise DataError(f"has no station with soil moisture flagged {GOOD}", file=path, variable="soil_moisture")
    return found


def _each(archive):
    for network in archive.collection.iter_networks():
        for station in network.iter_stations():
            yield network, station


def _station(site, network, station, path):
    sensors = {}
    for sensor in station.iter_sensors():
        name = sensor.variable
        if name not in NAMES:
            continue
        data = sensor.read_data()
        file = path / sensor.filehandler.file_path
        values = numeric(data[name], file, name).set_axis(check_times(pd.DatetimeIndex(data.index), file, name))
        values = values.where((data[f"{name}_flag"] == GOOD).to_numpy())
        depth = (sensor.depth.start + sensor.depth.end) / 2 if VARIABLES[name].soil else 0.0
        daily = to_daily(values, name, HOUR, "start")
        sensors.setdefault(name, {}).setdefault(round(depth, 4), {})[sensor.name] = daily
    if not any(s.notna().any() for held in sensors.get("soil_moisture", {}).values() for s in held.values()):
        return None
    depths = sorted({d for name in sensors if VARIABLES[name].soil for d in sensors[name]})
    series, notes = {}, {}
    for name, held in sensors.items():
        for depth, daily in held.items():
            if VARIABLES[name].soil:
                level = depths.index(depth) + 1
                series[name, level], used = mean_of_fixed_set(daily)
                notes.setdefault(name, []).append(f"level {level}: {'+'.join(used)}")
            else:
                first = sorted(daily)[0]
                series[name] = daily[first]
                notes[name] = [first]
    place = Place(float(station.lat), float(station.lon), tuple(depths), station.name, network.name)
    return station_dataset(site, place, series, path, {n: {"columns": "; ".join(v)} for n, v in notes.items()})
