"""What no file can tell by itself: days that stand twice, other grids and regions, names that contradict each other."""

import re
from collections import Counter

import numpy as np

from smlib.data.check import studies
from smlib.data.check.files import Fault
from smlib.data.readers import uscrn
from smlib.data.readers.map_files import same_grid

TILED = ("modis", "srtm", "solus", "glass")  # several files a day, each of another place
CONUS = (25.0, 49.0, -125.0, -67.0)
STATION_FORMATS = ("uscrn", "fluxnet", "ismn", "mapped", "canonical")


def compare(held, study):
    """Enter the faults that show when files are compared; those of the folder itself are returned."""
    _twice(held)
    _station_numbers(held)
    maps = {}
    for seen in held:
        if seen.maps and seen.kind not in TILED:
            for name in seen.maps:
                maps.setdefault((studies.part(seen, study), seen.kind, name), []).append(seen)
    for (_, _, name), group in maps.items():
        _days_twice([seen for seen in group if not seen.faults], name)
        _grids(group)
    _regions(held, study)
    return _formats(held, study)


def box(grid):
    """(south, north, west, east) of a grid, longitudes from -180 to 180."""
    lat, lon = (np.asarray(v, float) for v in grid)
    lon = np.where(lon > 180, lon - 360, lon)
    return tuple(float(f(v)) for v in (lat, lon) for f in (np.nanmin, np.nanmax))


def _twice(held):
    """A station's year in two files: the one with the longer name is the copy."""
    years = {}
    for seen in sorted(held, key=lambda seen: (len(seen.name), seen.name)):
        if seen.kind == "uscrn" and (named := uscrn.FILE.fullmatch(seen.file.name)) and not seen.faults:
            first = years.setdefault(named.groups(), seen)
            if first is not seen:
                seen.blame(f"{named[1]} of {named[2]} stands twice: also in {first.name}", "LST_DATE")


def _station_numbers(held):
    """A number belongs to one station: the one of the table, or, if that does not know it, of most files."""
    table, names = studies.station_table(), {}
    table = table[table.index != ""]
    for seen in held:
        named = uscrn.FILE.fullmatch(seen.file.name)
        if named and len(seen.wban) == 1:
            names.setdefault(seen.wban[0].lstrip("0"), []).append((named[2], seen))
    for wban, found in names.items():
        counts = Counter(name for name, _ in found)
        owner = table["station"].get(wban, counts.most_common(1)[0][0])
        for name, seen in found:
            if name != owner:
                seen.blame(f"is named {name}, and its WBANNO {wban} is that of {owner}", "WBANNO")
            elif wban in table.index and name in seen.places:
                (lat, lon), known = seen.places[name], table.loc[wban]
                if max(abs(lat - known["lat"]), abs(lon - known["lon"])) > 0.1:
                    seen.blame(f"lies at {lat:g}, {lon:g}, where {name} is at {known['lat']:g}, {known['lon']:g}",
                               "LATITUDE, LONGITUDE")


def _days_twice(group, name):
    first = {}
    for seen in sorted(group, key=lambda seen: (len(seen.name), seen.name)):
        if hour := seen.kind == "nldas" and re.search(r"A\d{8}\.\d{4}", seen.file.name):
            if (known := first.setdefault(hour[0], seen)) is not seen:
                seen.blame(f"its hour stands twice: also in {known.name}", "time")
            continue
        again = [day for day in seen.maps[name] if day in first]
        if again:
            seen.blame(f"date {again[0]:%Y-%m-%d} stands twice: also in {first[again[0]].name}", "time")
        for day in seen.maps[name]:
            first.setdefault(day, seen)


def _grids(group):
    """All maps of a variable lie on the grid that most of them have."""
    kinds = []
    for seen in group:
        if seen.grid is not None and np.isfinite(np.asarray(seen.grid[0], float)).any():
            like = next((kind for kind in kinds if same_grid(kind[0].grid, seen.grid)), None)
            kinds.append([seen]) if like is None else like.append(seen)
    kinds.sort(key=len, reverse=True)
    for kind in kinds[1:]:
        for seen in kind:
            mine, most = box(seen.grid), box(kinds[0][0].grid)
            words = "lies elsewhere" if not _overlap(mine, most) else "has another grid"
            seen.blame(f"{words}: {_words(mine)}, where {kinds[0][0].name} has {_words(most)}", "lat, lon")


def _overlap(a, b):
    return a[0] <= b[1] and b[0] <= a[1] and a[2] <= b[3] and b[2] <= a[3]


def _words(box):
    return f"{box[0]:.5g} to {box[1]:.5g} N, {box[2]:.5g} to {box[3]:.5g} E"


def _regions(held, study):
    """What lies where the study is not: outside the United States, or where the network has no station."""
    for seen in held:
        if seen.grid is None or not np.isfinite(np.asarray(seen.grid[0], float)).any():
            continue
        if study in ("fusion", "forecast") and not _overlap(box(seen.grid), CONUS):
            seen.blame(f"lies outside the conterminous United States: {_words(box(seen.grid))}", "lat, lon")
        if study == "correction" and (network := studies.part(seen, study).split("/")[0]):
            places = [place for one in held if studies.part(one, study) == f"{network}/stations"
                      for place in one.places.values()]
            south, north, west, east = box(seen.grid)
            if places and not any(south - 0.5 <= lat <= north + 0.5 and west - 0.5 <= lon <= east + 0.5
                                  for lat, lon in places) and seen.kind not in TILED:
                seen.blame(f"holds none of the {len(places)} stations of {network}: {_words(box(seen.grid))}",
                           "lat, lon")


def _formats(held, study):
    """A source of a notebook is of one format."""
    if study not in ("stations", "nudging"):
        return []
    formats = {}
    for seen in held:
        if seen.kind not in ("beside", "unknown", "power"):
            formats.setdefault(seen.kind if seen.kind in STATION_FORMATS else "maps", []).append(seen.name)
    if len(formats) < 2:
        return []
    words = "; ".join(f"{kind}: {len(names)} files such as {names[0]}" for kind, names in formats.items())
    return [Fault(".", "", f"mixes formats ({words}): a notebook reads one, so one folder each")]
