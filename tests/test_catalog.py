import importlib
import importlib.util
import shutil

import numpy as np
import pytest
import xarray as xr
import yaml

from smlib.data import DataError, validate
from smlib.data.catalog import CATALOG, open_embedded, read_catalog, sha256
from smlib.data.readers.common import read_places
from smlib.data.schema import DRIVERS, KNOWN
from smlib.paths import DATA, ROOT

SITES = list(read_catalog())


@pytest.mark.parametrize("site", SITES)
def test_entry_agrees_with_its_file(site):
    entry = read_catalog()[site]
    file = DATA / entry["file"]
    assert sha256(file) == entry["sha256"]
    with xr.open_dataset(file) as ds:
        validate(ds.load(), file)
        assert ds["site"].item() == site
        assert f"{str(ds['time'].values[0])[:10]} to {str(ds['time'].values[-1])[:10]}" == entry["period"]
        assert ds.attrs["Conventions"] == "CF-1.11" and ds.attrs["license"] == entry["licence"] == "CC BY 4.0"
        assert sorted(entry["lacks"]) == sorted(name for name in DRIVERS if name not in ds)
        assert all(ds[name].encoding["dtype"] == np.float32 and ds[name].encoding["zlib"] for name in ds.data_vars)
        place = read_places(DATA)[site]
        assert (ds["lat"].item(), ds["lon"].item()) == (place.lat, place.lon)
    assert entry["made_from"]["archive_sha256"] and entry["citation"] and entry["doi"]


def test_files_are_small_and_none_is_left_over():
    files = sorted((DATA / "stations").glob("*.nc"))
    assert sum(f.stat().st_size for f in files) < 2e6
    assert files == sorted(DATA / entry["file"] for entry in read_catalog().values())


@pytest.mark.parametrize("harm, rule", [("change", "sha256: differs from its checksum"), ("remove", "but not there")])
def test_a_file_that_is_not_the_one(tmp_path, harm, rule):
    shutil.copytree(DATA / "stations", tmp_path / "stations")
    (tmp_path / "catalog.yml").write_text(CATALOG.read_text())
    file = tmp_path / "stations" / "US-CRT.nc"
    assert open_embedded(["US-AR1"], tmp_path / "catalog.yml").sizes["site"] == 1
    if harm == "change":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    else:
        file.unlink()
    with pytest.raises(DataError, match=rule) as error:
        open_embedded(catalog=tmp_path / "catalog.yml")
    assert error.value.file == str(file)


def test_the_script_writes_the_same_bytes_each_time(tmp_path):
    spec = importlib.util.spec_from_file_location("make_stations", ROOT / "scripts" / "make_stations.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    ds = open_embedded(["FR-Hes"])
    script.write(ds, tmp_path / "a.nc")
    script.write(ds, tmp_path / "b.nc")
    assert sha256(tmp_path / "a.nc") == sha256(tmp_path / "b.nc")
    with xr.open_dataset(tmp_path / "a.nc") as back:
        xr.testing.assert_equal(back, ds)


def test_readme_speaks_of_every_site():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    for site, entry in yaml.safe_load(CATALOG.read_text())["embedded"].items():
        for word in (site, entry["made_from"]["package"], entry["doi"]):
            assert word in text, f"{site}: {word}"


def test_every_product_and_variable_is_described():
    products, studies = (read_catalog(part=part) for part in ("products", "studies"))
    for name, one in products.items():
        assert set("title version provider url licence resolution login size get files reader cite".split()) <= set(one)
        assert one["get"] == "command" or len(one["steps"]) > 2, name
        module, function = one["reader"].split(",")[0].split(".")
        assert hasattr(importlib.import_module(f"smlib.data.readers.{module}"), function), name
    needed = set()
    for name, study in studies.items():
        used = {product for one in study["variables"].values() for product in one["from"]}
        assert used == {product for held in study["parts"].values() for product in held}, name
        needed |= used
        assert used <= set(products) and all(one["becomes"] for one in study["variables"].values())
        assert {variable.split()[0] for variable in study["variables"]} <= set(KNOWN), name
    assert set(products) == needed


def test_the_studies_are_made_of_what_their_code_wants():
    from smlib.conus import scenarios

    studies = read_catalog(part="studies")
    assert set(studies["stations"]["variables"]) == {"soil_moisture", *DRIVERS}
    for chapter, wanted in (("fusion", scenarios.estimations()), ("forecast", scenarios.forecasts())):
        inputs = {name for one in wanted for name in (*one.daily, *one.fixed)}
        assert inputs | {"soil_moisture"} <= set(studies[chapter]["variables"])


def test_the_page_has_the_tables_of_the_catalogue():
    spec = importlib.util.spec_from_file_location("make_data_tables", ROOT / "scripts" / "make_data_tables.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = script.PAGE.read_text(encoding="utf-8")
    assert script.page(text) == text, "run python scripts/make_data_tables.py"
