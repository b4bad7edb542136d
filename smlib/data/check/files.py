"""What a file is, by its name and its first bytes, and what is wrong with it before any value is read."""

import json
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from smlib.data.catalog import sha256
from smlib.data.readers import fluxnet, mapped, power, solus, uscrn
from smlib.data.readers.common import SITES_CSV
from smlib.data.readers.map_files import GEOTIFF, NETCDF
from smlib.data.schema import DataError

KINDS = {
    "uscrn": "NOAA USCRN daily01", "fluxnet": "FLUXNET2015 or AmeriFlux BASE", "ismn": "ISMN", "power": "NASA POWER",
    "mapped": f"files named in {mapped.MAP}", "canonical": "NetCDF or Zarr of the schema", "maps": "daily maps",
    "cci": "ESA CCI or C3S soil moisture", "ascat": "H SAF ASCAT soil moisture", "smap": "SMAP L3 enhanced",
    "nldas": "NLDAS-2 Noah", "imerg": "IMERG daily", "modis": "MODIS", "solus": "SOLUS100", "srtm": "SRTM elevation",
    "glass": "GLASS",
}
# By name alone, first match; what their content must be is asked by the inspectors.
NAMES = (("smap", r"SMAP_L3_SM_P"), ("nldas", r"NLDAS_NOAH"), ("imerg", r"3B-DAY.*3IMERG|3IMERGDF"),
         ("modis", r"MCD43A4|MOD09|MCD12Q1|LC_Type1"), ("cci", r"(ESACCI|C3S)-SOILMOISTURE"), ("glass", r"GLASS\d\d"),
         ("ascat", r"ASCAT|(?<![a-z])H(SAF|1\d\d_)"), ("srtm", r"SRTM|^[NS]\d\d_?[EW]\d{3}|(?<![a-z])DEM(?![a-z])"))
MAGIC = {b"\x89HDF\r\n\x1a\n": "HDF5", b"CDF": "NetCDF classic", b"PK\3\4": "zip", b"PK\5\6": "zip", b"II*\0": "TIFF",
         b"MM\0*": "TIFF", b"II+\0": "TIFF", b"MM\0+": "TIFF", b"\x0e\x03\x13\x01": "HDF4", b"\x1f\x8b": "gzip",
         b"%PDF": "PDF", b"GRIB": "GRIB"}
CONTENT = (dict.fromkeys(NETCDF, ("HDF5", "NetCDF classic")) | dict.fromkeys((".h5", ".hdf5", ".he5"), ("HDF5",))
           | dict.fromkeys(GEOTIFF, ("TIFF",)) | dict.fromkeys((".csv", ".txt", ".stm", ".json"), ("text",))
           | {".zip": ("zip",)})
BY_CONTENT = {"HDF5": ".nc or .h5", "NetCDF classic": ".nc", "TIFF": ".tif", "zip": ".zip"}
PARTIAL = (".part", ".partial", ".crdownload", ".download", ".tmp")
BESIDE = (".md", ".pdf", ".xml", ".html", ".htm", ".docx", ".doc", ".png", ".jpg", ".py", ".ipynb", ".log", ".qml",
          ".prj", ".sha256", ".yml", ".yaml")  # what lies beside data and is none
RECORD = "downloads.json"  # what `smlib data get` writes beside its files: path -> {"sha256": ...}


@dataclass(frozen=True)
class Fault:
    """One rule that a file breaks."""

    file: str
    variable: str
    rule: str

    def __str__(self):
        return ": ".join(part for part in (self.file, self.variable, self.rule) if part)


@dataclass
class Seen:
    """What one file holds, and its faults.

    Attributes
    ----------
    series : (site, variable, depth in m or None) -> days with a value (pandas.DatetimeIndex)
    places : site -> (lat, lon)
    maps : variable -> days that it has a map of
    grid : (lat, lon) of the maps' cells, or None
    units : variable -> what the file calls its units
    wban : the station numbers that a USCRN file gives
    """

    file: Path
    name: str  # relative to the folder that is checked
    kind: str = ""
    faults: list = field(default_factory=list)
    series: dict = field(default_factory=dict)
    places: dict = field(default_factory=dict)
    maps: dict = field(default_factory=dict)
    grid: tuple | None = None
    units: dict = field(default_factory=dict)
    wban: tuple = ()
    note: str = ""

    def blame(self, rule, variable=""):
        """Enter a fault, once."""
        fault = Fault(self.name, str(variable), rule)
        self.faults += [fault] if fault not in self.faults else []

    @contextmanager
    def catching(self):
        """What goes wrong with this file is a fault of it, whatever a library makes of it: the next file has a turn."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except DataError as error:
            self.blame(error.rule, error.variable)
        except Exception as error:
            self.blame(f"cannot be read ({type(error).__name__}: {error}): damaged?")


def identify(seen):
    """Enter the kind of the file, or why there is none; ``beside`` is what is no data, ``unknown`` a fault already."""
    file, name, suffix = seen.file, seen.file.name, seen.file.suffix.lower()
    if suffix in PARTIAL:
        seen.kind = "unknown"
        return seen.blame("is a partial download: fetch it again, or delete it")
    seen.kind = "beside"
    if name.startswith(".") or name in (SITES_CSV, mapped.MAP, RECORD) or suffix in BESIDE or \
            re.search(rf"(?i)^(readme|licen[sc]e|citation|ismn_|{solus.TABLE})|_static_variables\.csv$"
                      r"|_cm_(l|h|rpi)\.tiff?$", name):  # of ISMN; of SOLUS100 the uncertainty
        return None
    seen.kind = "unknown"
    content, head = _content(file)
    if content == "nothing":
        return seen.blame(f"is empty ({file.stat().st_size} bytes)")
    if content in ("HTML", "XML"):
        title = re.search(r"<(?:title|message|code)>\s*(.*?)\s*<", head, re.IGNORECASE | re.DOTALL)
        return seen.blame(f"is an {content} page{f' ({title[1]!r})' if title else ''}, not data: a login or an error "
                          "was saved in its place, fetch it again")
    wanted = CONTENT.get(suffix)
    if content == "HDF4":
        return seen.blame("is HDF4, which is not read: convert it to GeoTIFF or NetCDF (gdal_translate), or ask "
                          "AppEEARS for GeoTIFF")
    if wanted and content not in wanted:
        if content in BY_CONTENT:
            return seen.blame(f"is {content} by its content, not {suffix}: wrong extension, or another file")
        told = f" ({head.strip()[:60]!r})" if content == "text" else ""
        return seen.blame(f"is {content}{told}, where {' or '.join(wanted)} is expected: damaged, or not data")
    if not wanted and content in BY_CONTENT:
        return seen.blame(f"is {content} by its content, with an extension that is not read ({suffix or 'none'}): "
                          f"rename it to {BY_CONTENT[content]}")
    seen.kind = _kind(file, suffix, head) or "unknown"
    return None if seen.kind != "unknown" or seen.faults else seen.blame(
        "is not recognised: neither its name nor its content is that of a format that is read; describe it in "
        f"{mapped.MAP}, or take it away")


def _content(file):
    """What a file is by its first bytes, and these as text."""
    with open(file, "rb") as stream:
        head = stream.read(20000)
    if not head.strip():
        return "nothing", ""
    for magic, content in MAGIC.items():
        if head.startswith(magic):
            return content, ""
    text = head.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    if re.match(r"<(!doctype html|html)", text, re.IGNORECASE):
        return "HTML", text
    if text.startswith("<?xml") or re.match(r"<\w+[ >]", text):
        return "XML", text
    return ("not text" if b"\0" in head else "text"), text


def _kind(file, suffix, head):
    """The kind of a whole file of known content."""
    name, first = file.name, next((line for line in head.splitlines() if not line.startswith("#")), "")
    if suffix in (".stm", ".zip"):
        return "ismn"
    if suffix in (".csv", ".txt", ".json"):
        fields = first.split()
        if uscrn.FILE.fullmatch(name) or len(fields) == len(uscrn.FIELDS) and re.fullmatch(r"\d{8}", fields[1]):
            return "uscrn"
        if suffix != ".txt" and power.is_power(file) or suffix == ".json" and \
                ('"messages"' in head or "POWER" in name.upper()):
            return "power"
        tower = "TIMESTAMP" in first or re.match(r"(FLX|AMF|ICOSETC)_", name) or fluxnet.SITE.search(name)
        return "fluxnet" if tower and suffix != ".json" else None
    if suffix in GEOTIFF and solus.FILE.fullmatch(name):
        return "solus"
    named = next((kind for kind, pattern in NAMES if re.search(pattern, name, re.IGNORECASE)), None)
    if named or suffix in GEOTIFF:
        return named or ("srtm" if file.parent.name.lower() == "srtm" else "maps")
    return _of_netcdf(file)


def _of_netcdf(file):
    """The kind of an HDF5 or NetCDF file by what is in it; what cannot be opened is left to the inspectors of maps."""
    import netCDF4

    from smlib.data.schema import KNOWN

    try:
        with netCDF4.Dataset(file) as nc:
            names, dims = set(nc.variables), set(nc.dimensions)
            if any(group.startswith("Soil_Moisture_Retrieval") for group in nc.groups):
                return "smap"
    except (OSError, RuntimeError):
        return "maps"
    if "SoilM_0_10cm" in names:
        return "nldas"
    if {"location_id", "row_size"} & names:
        return "ascat"
    return "canonical" if "site" in dims or {"y", "x"} <= dims and names & set(KNOWN) else "maps"


def recorded(folder):
    """{file: sha256} of all records of downloads under a folder, and the faults of those records."""
    found, faults = {}, []
    for record in sorted(folder.rglob(RECORD)):
        try:
            content = json.loads(record.read_text(encoding="utf-8"))
            found |= {(record.parent / name).resolve(): entry["sha256"] for name, entry in content.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            faults.append(Fault(record.relative_to(folder).as_posix(), "", f"is no record of downloads ({error})"))
    return found, faults


def check_record(seen, expected):
    """Enter a fault if the file is not what was downloaded; `expected` is the recorded sha256 or None."""
    if expected and sha256(seen.file) != expected:
        seen.blame("differs from the sha256 that was recorded when it was downloaded: changed since, or damaged; "
                   "fetch it again", "sha256")
