"""What each study needs of a folder, as ``data/catalog.yml`` says it, and what to run when it is there."""

import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from smlib import paths
from smlib.data.catalog import entry
from smlib.data.check.grids import PARTS
from smlib.data.get.stations import rows
from smlib.data.readers.power import NEAREST
from smlib.data.schema import DRIVERS, KNOWN

STUDIES = ("stations", "nudging", "fusion", "forecast", "correction")
YEAR = 365  # days: less has no two summers to learn a season from and be tested in
GLASS = {"GLASS10": "fractional_vegetation_cover", "GLASS11": "evapotranspiration"}
FROM_ELEVATION = ("slope", "aspect", "curvature", "flow_accumulation")


def quantity(seen, study):
    """The canonical variable that a file of maps ought to hold, by the folder that it is in, or what it is."""
    folders = seen.name.split("/")[:-1]
    named = next((PARTS[part] for part in reversed(folders) if part in PARTS), None)
    glass = next((name for code, name in GLASS.items() if code in seen.file.name.upper()), None)
    return named or glass or ("soil_saturation" if seen.kind == "ascat" else "soil_moisture")


def part(seen, study):
    """The part of a folder that a file is in: ``network/part`` of the correction study, a product of those with many.

    The folder of the other studies is one source; folders of years are no parts.
    """
    folders = [name for name in seen.name.split("/")[:-1] if not name.isdigit()]
    if study == "correction":
        return "/".join(folders[:2]) if len(folders) > 1 else ""
    return "" if study in ("stations", "nudging") else "".join(folders[:1])


def units(name):
    """The canonical units of a variable."""
    return KNOWN[name].units if name in KNOWN else ""


def union(parts):
    """All days of several series, in order."""
    return pd.DatetimeIndex(np.unique(np.concatenate([np.asarray(days, "M8[ns]") for days in parts])))


def period(days):
    """First and last day, how many there are, how many are missing between, and the longest gap."""
    if not len(days):
        return "does not change"
    missing = (days[-1] - days[0]).days + 1 - len(days)
    steps = np.diff(days.values) / np.timedelta64(1, "D")
    text = f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}, {len(days)} days, {missing} missing within"
    if missing:
        after = days[steps.argmax()] + pd.Timedelta(days=1)
        text += f", the longest gap {steps.max() - 1:.0f} days from {after:%Y-%m-%d}"
    return text


def station_table():
    """The stations of USCRN that we know: DataFrame station, lat, lon, ..., by WBAN number without leading zeros."""
    table = rows()
    return table.set_index(table["wban"].str.lstrip("0"))


def lines(study, folder, held, faulty):
    """What is missing for the study, and the command to run next."""
    about = entry("studies", study)
    yield f"for {study} ({about['title']}):"
    held = [seen for seen in held if not seen.faults]
    lacks = {"stations": _stations, "nudging": _nudging, "correction": _correction}.get(study, _conus)
    missing, notes = lacks(held, about)
    yield from (f"  missing: {line}" for line in missing)
    if not missing:
        yield "  all that it cannot do without is there" + (", but for the files with faults" if faulty else "")
    yield from (f"  {line}" for line in notes)
    if study in ("fusion", "forecast"):
        yield "  run next: nothing, for no page takes products of one's own yet: the pages run on the simulated world;"
        yield '  the readers and smlib.data.cube make a cube of them ("Many products on one grid", page about data)'
        return
    when = "when the faults are mended" if faulty else "when that is there" if missing else ""
    command = about["run"].replace("{folder}", shlex.quote(str(folder)))
    if study == "nudging" and (split := _split(held)):
        command += split
    networks = sorted(path.parent.name for path in Path(folder).glob("*/stations")) if study == "correction" else []
    if networks:
        command += f" -p {shlex.quote(f'networks={json.dumps(networks)}')}"
    if not (paths.ROOT / command.split()[4]).exists():
        yield f"  run next: the page {command.split()[4]} is not there yet"
        return
    yield f"  run next{f', {when}' if when else ''}: {command}"


def _stations(held, about):
    series, places, power = {}, {}, []
    for seen in held:
        if seen.kind == "power":
            power += [(place, {name for _, name, _ in seen.series}) for place in seen.places.values()]
            continue
        places |= seen.places
        for (site, name, _), days in seen.series.items():
            series.setdefault(site, {}).setdefault(name, []).append(days)
    with_soil = {site: union(held["soil_moisture"]) for site, held in series.items() if "soil_moisture" in held}
    if not with_soil:
        return ["a station with soil moisture (" + _sources(about, "soil_moisture") + ")"], []
    notes, near = [], {site: set() for site in with_soil}
    for site in with_soil:
        for (lat, lon), names in power:
            here = places[site]
            if abs(here[0] - lat) <= NEAREST and abs((here[1] - lon + 180) % 360 - 180) <= NEAREST:
                near[site] |= names
    for name in DRIVERS:
        lack = [site for site in with_soil if name not in series[site] and name not in near[site]]
        if lack:
            some = f"at {len(lack)} of {len(with_soil)} stations ({', '.join(lack[:3])}{', ...' if lack[3:] else ''})"
            notes.append(f"without {name} {some}, which models there then do not see; source: {_sources(about, name)}")
    short = [site for site, days in with_soil.items() if len(days) < YEAR]
    if short:
        some = f"{', '.join(short[:5])}{', ...' if short[5:] else ''} ({len(short)} of {len(with_soil)} stations)"
        notes.append(f"short: under a year of soil moisture at {some}")
    if any(seen.kind == "uscrn" for seen in held):
        own = station_table()
        own = own[own["wang2024"] != ""]
        absent = own["wang2024"][~(own["station"].isin(with_soil) | own["stand_in"].isin(with_soil))]
        notes.append(f"of the stations of the paper {len(own) - len(absent)} are here"
                     + (f"; of the same network there are {', '.join(absent)} too" if len(absent) else ""))
    return [], notes


def _nudging(held, about):
    days = [seen.maps["soil_moisture"] for seen in held if "soil_moisture" in seen.maps]
    if not days:
        return ["daily maps of soil moisture (" + _sources(about, "soil_moisture") + ")"], []
    days = union(days)
    missing = [f"days: {len(days)} are there; to train on every season, validate and test takes two years at least"] \
        if len(days) < 2 * YEAR else []
    gaps = (days[-1] - days[0]).days + 1 - len(days)
    return missing, [f"{gaps} days without a map: gaps=hold takes the latest value as input there"] if gaps else []


def _split(held):
    """Periods for the pages: 60 % of the days to train, 20 % to validate, the rest to test."""
    days = [seen.maps["soil_moisture"] for seen in held if "soil_moisture" in seen.maps]
    if not days or len(days := union(days)) < 30:
        return ""
    days = pd.date_range(days[0], days[-1])
    edges = [0, int(0.6 * len(days)), int(0.8 * len(days)), len(days)]
    return "".join(f" -p {name}={shlex.quote(json.dumps([f'{days[a]:%Y-%m-%d}', f'{days[b - 1]:%Y-%m-%d}']))}"
                   for name, a, b in zip(("train", "validation", "test"), edges, edges[1:], strict=False))


def _conus(held, about):
    have = {}
    for seen in held:
        for name, days in seen.maps.items():
            have.setdefault(name.split(" ")[0], []).append(days)
    missing = []
    for name in about["variables"]:
        if name not in have and not (name in FROM_ELEVATION and "elevation" in have):
            missing.append(f"{name}, of {_sources(about, name)}")
    if "swir_transform" in have:
        without = len(union(have["swir_transform"]).difference(union(have.get("quality", [[]]))))
        missing += [f"the files of quality of MODIS, on {without} days"] if without else []
    spans = [(name, union(days)) for name, days in have.items() if name in about["variables"] and any(map(len, days))]
    return missing, _common(spans)


def _common(spans, least=YEAR):
    """A line on the days from the latest beginning to the earliest end."""
    spans = [(name, days) for name, days in spans if len(days) > 1]
    if len(spans) < 2:
        return []
    first, last = max(spans, key=lambda s: s[1][0]), min(spans, key=lambda s: s[1][-1])
    days = (last[1][-1] - first[1][0]).days + 1
    what = f"from {first[1][0]:%Y-%m-%d} (where {first[0]} begins) to {last[1][-1]:%Y-%m-%d} (where {last[0]} ends)"
    if days < 1:
        return [f"common period: none, for {first[0]} begins {first[1][0]:%Y-%m-%d} and {last[0]} ends "
                f"{last[1][-1]:%Y-%m-%d}"]
    return [f"common period: {what}, {days} days{', under a year' if days < least else ''}"]


def _correction(held, about):
    missing, notes = [], []
    networks = {}
    for seen in held:
        network, _, name = part(seen, "correction").partition("/")
        if name:
            networks.setdefault(network, {}).setdefault(name, []).append(seen)
    known = [network for network in about["networks"] if network in networks]
    if not known:
        layout = f"NETWORK/{{{','.join(about['parts'])}}}"
        return [f"a folder of a network ({', '.join(about['networks'])}) with the layout {layout}"], []
    products = [name for name, of in PARTS.items() if name in ("ascat", "cci", "smap")]
    for network in known:
        parts = {name: group for name, group in networks[network].items()
                 if any(seen.maps or seen.series or seen.units for seen in group)}
        for name, sources in about["parts"].items():
            if name in parts or name in products or name == "porosity" and "ascat" not in parts:
                continue
            missing.append(f"{network}/{name} ({' or '.join(sources)})")
        if not set(products) & set(parts):
            missing.append(f"{network}: one of {', '.join(products)}")
        elif absent := [name for name in products if name not in parts]:
            notes.append(f"{network}: without {', '.join(absent)}, which the page then leaves out")
        spans = [(name, union([days for seen in group for days in [*seen.maps.values(), *seen.series.values()]]))
                 for name, group in parts.items() if any(seen.maps or seen.series for seen in group)]
        notes += [f"{network}: {line}" for line in _common(spans)]
    others = [network for network in about["networks"] if network not in known]
    return missing, notes + ([f"no folder of {', '.join(others)}, which are left out"] if others else [])


def _sources(about, name):
    return " or ".join(entry("products", product)["title"] for product in about["variables"][name]["from"])
