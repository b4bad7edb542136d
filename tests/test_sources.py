import hashlib
import os
import re

import numpy as np
import pytest
import xarray as xr

from smlib import paths
from smlib.data import VARIABLES, DataError, open_source, source_fingerprint, validate
from smlib.data import sources as module
from smlib.data.catalog import read_catalog
from smlib.data.daily import HALF_HOURS
from smlib.nature import twins, worlds
from smlib.paths import BOOK, DATA


@pytest.fixture(scope="module")
def embedded():
    return open_source("embedded")


def test_embedded(embedded):
    validate(embedded)
    assert list(embedded["site"].values) == ["US-AR1", "US-CRT", "FR-Hes", "CH-DAV"]
    assert (embedded.attrs["source"], embedded.attrs["kind"]) == ("embedded", "measured")
    assert set(embedded.data_vars) == set(VARIABLES)
    days = embedded["soil_moisture"].count("time").values
    np.testing.assert_array_equal(days, [[1328] + [0] * 5, [1084] + [0] * 5, [361] * 5 + [0], [3197] + [0] * 5])
    assert embedded["wind_speed"].sel(site="CH-DAV").count() == 0
    assert embedded["depth_m"].sel(site="CH-DAV", depth=1) == 0.15 and embedded["depth_m"].count() == 1


def test_one_site_has_only_its_own_days_and_levels(embedded):
    ds = open_source("embedded", ["FR-Hes"])
    assert dict(ds.sizes) == {"site": 1, "depth": 6, "time": 366}
    xr.testing.assert_identical(open_source(DATA / "stations", ["FR-Hes"]).drop_attrs(), ds.drop_attrs())
    chosen = open_source("embedded", ["CH-DAV", "US-AR1"])
    assert list(chosen["site"].values) == ["CH-DAV", "US-AR1"]


def test_notes_of_one_station_do_not_become_those_of_all(embedded):
    lines = embedded["relative_humidity"].attrs["method"].splitlines()
    assert len(lines) == 1 and lines[0].startswith("US-AR1: from VPD")


@pytest.mark.parametrize("sites, rule", [
    (["US-XXX"], "unknown station US-XXX; there are US-AR1, US-CRT, FR-Hes, CH-DAV"), ([], "no station was chosen")])
def test_unknown_sites(sites, rule):
    for source in ("embedded", DATA / "stations"):
        with pytest.raises(DataError, match=rule.split(";")[0]):
            open_source(source, sites)
    with pytest.raises(DataError, match=rule):
        open_source("embedded", sites)


def test_the_twins_are_simulated_and_otherwise_like_any_stations(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "LOCAL", tmp_path)
    made, make = [], twins.station_twins

    def few(names, seed):
        made.append(names)
        return make(["Palestine-6-WNW", "Durham-11-W"], seed=seed)

    monkeypatch.setattr(worlds.twins, "station_twins", few)
    ds = open_source("twin", ["Durham-11-W"])
    assert ds.attrs["kind"] == "simulated" and ds.attrs["source"] == "twin" and "twins" in ds.attrs["history"]
    assert ds["site"].values.tolist() == ["Durham-11-W"] and ds.sizes["depth"] == 5
    assert set(ds.data_vars) == set(VARIABLES) and ds["soil_moisture"].notnull().any()
    with pytest.raises(DataError, match="unknown station US-AR1; there are Palestine-6-WNW, Durham-11-W"):
        open_source("twin", ["US-AR1"])
    assert made == [None]  # the second time they were there
    assert source_fingerprint("twin") == {"twin": worlds.code_hash()}


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_canonical_files_are_read_back(tmp_path, embedded, suffix):
    path = tmp_path / f"mine{suffix}"
    small = embedded.sel(site=["FR-Hes"], time="2016").drop_vars(["name", "network", "land_cover"])
    small = small.assign_coords(site=small["site"].astype("U6"))
    small.to_netcdf(path) if suffix == ".nc" else small.to_zarr(path, zarr_format=2)
    ds = open_source(path)
    xr.testing.assert_equal(ds, small)
    assert ds.attrs["source"] == path.name


def test_what_a_store_calls_simulated_stays_simulated(tmp_path, embedded):
    embedded.isel(site=[0]).assign_attrs(kind="simulated").to_netcdf(tmp_path / "twin.nc")
    assert open_source(tmp_path / "twin.nc").attrs["kind"] == "simulated"
    assert embedded.attrs["kind"] == "measured"


def test_canonical_grid_stays_on_disk(tmp_path):
    from test_schema import grid

    grid().to_netcdf(tmp_path / "grid.nc")
    assert open_source(tmp_path)["soil_moisture"].chunks is not None
    with pytest.raises(DataError, match="site: is a grid"):
        open_source(tmp_path, ["a"])


def test_netcdf_of_another_shape(tmp_path):
    xr.Dataset({"sm": ("t", [1.0])}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(DataError, match=r"other.nc: neither stations .* needs a columns.yml beside it"):
        open_source(tmp_path)
    (tmp_path / "other.nc").write_bytes((tmp_path / "other.nc").read_bytes()[:100])
    with pytest.raises(DataError, match="other.nc: cannot be opened"):
        open_source(tmp_path)


def one_of_each(folder):
    (folder / "FLX_XX-Abc_DD.csv").write_text("TIMESTAMP,SWC\n20200101,20\n")
    (folder / "CRND0103-2020-CA_Bodega_6_WSW.txt").write_text("x\n")


def test_mixed_unknown_and_empty_folders(tmp_path):
    listed = "NOAA USCRN daily01 .*FLUXNET2015 or AmeriFlux.*ISMN.*NetCDF.*NASA POWER.*columns.yml"
    with pytest.raises(DataError, match="holds no soil moisture data; what is read is: " + listed):
        open_source(tmp_path)
    (tmp_path / "README.md").write_text("words")
    (tmp_path / ".hidden").write_text("words")
    with pytest.raises(DataError, match="holds no soil moisture data"):
        open_source(tmp_path)
    one_of_each(tmp_path)
    with pytest.raises(DataError, match="mixes formats .*one folder each; what is read is: " + listed):
        open_source(tmp_path)
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="not recognised .table.xlsx.; what is read is: " + listed):
        open_source(tmp_path)
    with pytest.raises(DataError, match="does not exist: a source is embedded, or a file or folder of yours"):
        open_source(tmp_path / "nowhere")


def test_fingerprint(tmp_path, monkeypatch):
    assert source_fingerprint("embedded") == {e["file"]: e["sha256"] for e in read_catalog().values()}
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "a.csv"
    file.write_bytes(b"abc")
    assert source_fingerprint(tmp_path) == {"sub/a.csv": hashlib.sha256(b"abc").hexdigest()}
    assert source_fingerprint(file) == {"a.csv": hashlib.sha256(b"abc").hexdigest()}
    monkeypatch.setattr(module, "BIG", 2)  # above this a file is told by size and date
    before = source_fingerprint(tmp_path)
    assert before != {"sub/a.csv": hashlib.sha256(b"abc").hexdigest()} and before == source_fingerprint(tmp_path)
    os.utime(file, ns=(1, 1))
    assert source_fingerprint(tmp_path) != before
    with pytest.raises(DataError, match="does not exist"):
        source_fingerprint(tmp_path / "nowhere")


def example(names, folder):
    """Write the files of these names, as printed on the page about the data, into `folder`."""
    text = (BOOK / "foundations" / "data.md").read_text(encoding="utf-8")
    for name in names:
        (found,) = re.findall(rf"^`{re.escape(name)}`:\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        (folder / name).write_text(found)


def test_example_of_sites_csv(tmp_path):
    example(["sites.csv", "FLX_XX-Abc_daily_2020.csv"], tmp_path)
    ds = open_source(tmp_path)
    assert ds["name"].item() == "My field" and ds["lat"].item() == 48.1
    np.testing.assert_array_equal(ds["depth_m"][0], [0.05, 0.2, np.nan])
    np.testing.assert_allclose(ds["soil_moisture"][0, :2], [[0.241, 0.253, np.nan], [0.302, 0.302, 0.303]])
    np.testing.assert_allclose(ds["air_temperature"][0], [1.5, 2.5, np.nan])


def test_example_of_columns_yml(tmp_path):
    example(["columns.yml", "field_2020.csv"], tmp_path)
    ds = open_source(tmp_path)
    assert ds["site"].item() == "MyField"
    np.testing.assert_allclose(ds["soil_moisture"][0], [[0.241, 0.253, np.nan], [0.302, 0.302, 0.303]])
    np.testing.assert_allclose(ds["air_temperature"][0], [1.5, 2.5, 0.0])
    np.testing.assert_allclose(ds["shortwave_down"][0], [100, 25, 50])


def test_the_page_names_every_variable_and_threshold():
    text = (BOOK / "foundations" / "data.md").read_text(encoding="utf-8")
    for name, variable in VARIABLES.items():
        assert f"`{name}`" in text and f"`{variable.standard_name}`" in text
    rows = re.findall(r"^\| ([a-z ]+) \| .* \| (\d\d) of 48 \|$", text, re.MULTILINE)
    printed = {name: int(number) for name, number in rows}
    assert printed == {"soil moisture": HALF_HOURS["soil_moisture"], "soil temperature": HALF_HOURS["soil_temperature"],
                       "air temperature": HALF_HOURS["air_temperature"], "longwave": HALF_HOURS["longwave_down"],
                       "relative humidity": HALF_HOURS["relative_humidity"], "wind speed": HALF_HOURS["wind_speed"],
                       "shortwave": HALF_HOURS["shortwave_down"], "precipitation": HALF_HOURS["precipitation"]}
