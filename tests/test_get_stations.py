"""The open station study against a local server: stations, weather, the store made of both, and its split dates."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from serving import Server, power_of, serving, year_of
from test_cli import smlib  # noqa: F401 (a fixture)

from smlib.data import DataError, open_source
from smlib.data.catalog import read_catalog
from smlib.data.get import commands, stations
from smlib.data.get.power import get_power
from smlib.data.get.stations_open import build, get_stations_open
from smlib.data.get.uscrn import get_uscrn, path_of
from smlib.data.sources import DOWNLOADS
from smlib.data.windows import all_series, lag_windows, split
from smlib.stations.levels import prepare

QUICK = {"pause": 0.01, "timeout": (2, 0.5)}
TABLE = stations.table()


def served():
    """Palestine for the paper's years, Coshocton for two of them, and of Goodwell the stand-in, for one."""
    server = Server()
    for name, years in (("TX_Palestine_6_WNW", range(2009, 2014)), ("OH_Coshocton_8_NNE", (2009, 2010)),
                        ("OK_Goodwell_2_E", (2013,))):
        one = TABLE[name]
        for year in years:
            server.put(f"/crn/{year}/CRND0103-{year}-{name}.txt",
                       year_of(name, year, one.wban or "12345", one.lat, one.lon, days=365))
    server.files["/power"] = power_of
    return server


@pytest.fixture
def site():
    with serving(served()) as server:
        yield server


def got(site, tmp_path, sites="Palestine-6-WNW,Coshocton-8-NNE,Goodwell-2-SE", years="2009-2013"):
    return get_stations_open(stations.stations(sites), stations.years(years), tmp_path / "open", tmp_path / "store.nc",
                             f"{site.url}/crn", f"{site.url}/power", **QUICK)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(the store, what was told, the folder of downloads)"""
    folder = tmp_path_factory.mktemp("made")
    with serving(served()) as server:
        return *got(server, folder), folder / "open"


def test_the_table_has_the_papers_sites():
    paper = {name: one for name, one in TABLE.items() if one.wang2024}
    splits = pd.read_csv(Path(__file__).parents[1] / "data" / "published" / "wang2024_tableD2_splits.csv")["site"]
    assert len(paper) == 16 and {one.wang2024 for one in paper.values()} <= set(splits)
    assert len(stations.stations()) == 16 and len({one.wban for one in TABLE.values() if one.wban}) == 16
    assert all(one.stand_in in TABLE for one in TABLE.values() if one.stand_in)
    printed = pd.read_csv(Path(__file__).parents[1] / "data" / "published" / "wang2024_table1_sites.csv")
    printed = printed.replace({"site": {"Cape-Charles": "Cape-Charles-5-ENE"}}).set_index("site")
    odd = {one.wang2024 for one in paper.values()
           if (abs(printed.loc[one.wang2024, ["lat", "lon"]] - [one.lat, one.lon]) > 0.011).any()}
    assert odd == {"Durham-11-W", "Monahans-6-ENE"}  # as data/published/README.md says


def test_names_and_years():
    named = stations.stations("kingston-1-w, KS_Manhattan_6_SSW,AK_St._Paul_4_NE,Kingston-1-W")
    assert [one.name for one in named] == ["RI_Kingston_1_W", "KS_Manhattan_6_SSW", "AK_St._Paul_4_NE"]
    assert stations.years("2012,2014-2015") == [2012, 2014, 2015]
    for call, text, rule in ((stations.stations, "Nowhere", "unknown station 'Nowhere'"),
                             (stations.stations, " ,", "no station is named"),
                             (stations.years, "2020-2010", "is no year or span"), (stations.years, "20", "is no year"),
                             (stations.years, "1999", "is outside 2000 to"),
                             (stations.days, "2018-01-01", "is no span of days"),
                             (stations.days, "2018-01-02/2018-01-01", "ends before it begins")):
        with pytest.raises(DataError, match=rule):
            call(text)


def test_addresses_are_a_setting(monkeypatch):
    assert stations.address("uscrn") == "https://www.ncei.noaa.gov/pub/data/uscrn/products/daily01"
    monkeypatch.setenv("SMLIB_USCRN_URL", "http://mirror/crn/")
    assert stations.address("uscrn") == "http://mirror/crn" and stations.address("uscrn", "http://x/") == "http://x"


def test_what_uscrn_refuses(site, tmp_path):
    path = "/crn/2013/CRND0103-2013-TX_Palestine_6_WNW.txt"
    palestine, own = stations.stations("Palestine-6-WNW"), TABLE["TX_Palestine_6_WNW"]
    for change, rule in (({"wban": "53969"}, "WBANNO is 53969, where data/uscrn_stations.csv has 53968"),
                         ({"lat": 41.78}, "LATITUDE is 41.78")):
        site.put(path, year_of("x", 2013, **{"wban": own.wban, "lat": own.lat, "lon": own.lon, "days": 40} | change))
        with pytest.raises(DataError, match=rule):
            get_uscrn(palestine, [2013], tmp_path, f"{site.url}/crn", **QUICK)
        assert not (tmp_path / path_of("TX_Palestine_6_WNW", 2013)).exists()
    with pytest.raises(DataError, match="has no file of RI_Kingston_1_W in 2013 to 2013"):
        get_uscrn(stations.stations("Kingston-1-W"), [2013], tmp_path, f"{site.url}/crn", **QUICK)


def test_what_power_is_asked_and_may_not_answer(site, tmp_path):
    durham, asked = stations.stations("Durham-11-W"), []
    site.files["/power"] = lambda query: asked.append(query) or power_of(query)
    get_power(durham, [2015, 2016], tmp_path, f"{site.url}/power", **QUICK)
    asked = {key: values[0] for key, values in asked[0].items()}
    assert (asked["latitude"], asked["longitude"]) == ("35.97", "-79.09")
    assert (asked["start"], asked["end"]) == ("20150101", "20161231")
    assert asked["time-standard"] == "LST" and asked["community"] == "AG" and "ALLSKY_SFC_LW_DWN" in asked["parameters"]

    def spoil(change):
        def answer(query):
            content = json.loads(power_of(query))
            change(content)
            return json.dumps(content).encode()
        return answer

    def drop_a_day(content):
        for values in content["properties"]["parameter"].values():
            values.pop("20150101")

    for change, rule in ((lambda c: c["header"].update(time_standard="UTC"), "its days are UTC"),
                         (lambda c: c["geometry"]["coordinates"].__setitem__(1, 36.9), "is of 36.9, -79.09"),
                         (lambda c: c["properties"]["parameter"].pop("WS2M"), "lacks WS2M"),
                         (drop_a_day, "has 364 days")):
        site.files["/power"] = spoil(change)
        with pytest.raises(DataError, match=rule):
            get_power(durham, [2015], tmp_path, f"{site.url}/power", **QUICK)
    with pytest.raises(DataError, match="there is no file that says where it is"):
        get_power(stations.stations("KS_Other_1_N"), [2015], tmp_path, f"{site.url}/power", **QUICK)


def test_the_store_has_both_and_the_papers_dates_where_the_record_reaches_over_them(made):
    store, told, _ = made
    told = "\n".join(told)
    assert "OH_Coshocton_8_NNE: 2009-2010; cut 60/20/20, for the paper's split dates need 2009 to 2016" in told
    assert "TX_Palestine_6_WNW: 2009-2013; the paper's split dates" in told
    assert "OK_Goodwell_2_E (in place of OK_Goodwell_2_SE, of which there is no file): 2013; cut 60/20/20" in told
    ds = open_source(store)
    assert ds.sizes["site"] == 3 and ds.attrs["kind"] == "measured"
    assert ds["land_cover"].sel(site="OK_Goodwell_2_E") == "Grassland"
    days = (pd.Timestamp("2010-03-01") - pd.Timestamp("2009-01-01")).days  # as `power_of` makes it
    np.testing.assert_allclose(ds["longwave_down"].sel(time="2010-03-01"), (27 + days % 7 / 10) / 0.0864, rtol=1e-6)
    assert "not measured" in ds["wind_speed"].attrs["origin"] and "origin" not in ds["relative_humidity"].attrs
    by_site = {series.site: series for series in all_series(ds) if series.level == 1}
    assert by_site["OH_Coshocton_8_NNE"].cuts is None and by_site["OK_Goodwell_2_E"].cuts is None
    series = by_site["TX_Palestine_6_WNW"]
    parts = split(lag_windows(series), cuts=series.cuts)
    spans = {name: (str(part.time[0]), str(part.time[-1])) for name, part in parts.items()}
    assert spans == {"train": ("2009-08-01", "2012-02-17"), "validation": ("2012-02-18", "2012-12-23"),
                     "test": ("2012-12-24", "2013-10-31")}
    level = prepare(series)
    assert str(level.periods["test"][1]) == "2013-10-31" and level.test.time[-1] == np.datetime64("2013-10-24")


def test_dates_that_leave_a_part_empty_are_named(made):
    series = next(iter(all_series(open_source(made[0]))))
    late = tuple(np.datetime64(day) for day in ("2030-01-01", "2031-01-01", "2032-01-01", "2033-01-01"))
    with pytest.raises(DataError, match="cut at 2030-01-01 2031-01-01 .* leave 0 for train"):
        split(lag_windows(series), cuts=late)


def test_a_folder_of_downloads_is_a_source_too(made):
    assert (made[2] / DOWNLOADS).exists() and open_source(made[2]).sizes["site"] == 3


def test_the_same_store_whatever_went_wrong_before_and_nothing_twice(site, tmp_path, made):
    site.faults["*"] = ["drop", "500", "429", "cut length", "no length", "stall", "page", "drop", "503", "weak"]
    store, _ = got(site, tmp_path)
    assert store.read_bytes() == made[0].read_bytes()
    date, asked = store.stat().st_mtime_ns, len(site.asked())
    _, told = got(site, tmp_path)
    # The years that a station has no file of are asked for again: they may have come.
    assert set(site.asked()[asked:]) == {path for path in site.asked() if path not in site.files}
    assert store.stat().st_mtime_ns == date and told[0].startswith("USCRN: 0 fetched, 7 there already")
    build(stations.stations("Coshocton-8-NNE"), [2010], tmp_path / "open", store)
    assert store.stat().st_mtime_ns != date and open_source(store).sizes["site"] == 1


def test_the_commands(site, tmp_path):
    urls = {"uscrn": f"{site.url}/crn", "power": f"{site.url}/power"}
    what = {"sites": "Palestine-6-WNW", "years": "2013"}
    told = list(commands.get("uscrn", tmp_path / "open", urls, 2, **what))
    assert told == ["USCRN: 1 fetched, 0 there already, 0 not on the server", str(tmp_path / "open")]
    assert list(commands.get("power", tmp_path / "open", urls, 2, **what))[0].startswith("POWER: 1 fetched")
    told = list(commands.get("stations-open", tmp_path / "open", urls, 2, **what))
    store = tmp_path / "stations-open.nc"
    assert f"run book/stations/compare.ipynb -p source={store}" in told[-1] and store.exists()
    assert told[0].startswith("USCRN: 0 fetched, 1 there")


def call(smlib, *words):  # noqa: F811
    return smlib("data", "get", *words)


@pytest.mark.parametrize(("words", "message"), [
    (("nothing",), "there is no 'nothing' among the products; there are uscrn, power"),
    (("uscrn", "--box", "1,2,3,4"), "uscrn takes no --box; it takes --sites, --years"),
    (("smap", "--box", "25,49,-125,-67"), "smap needs --dates"),
    (("uscrn", "--url", "http://x"), "--url takes PRODUCT=ADDRESS"),
    (("uscrn", "--years", "1066"), "is outside 2000 to"),
])
def test_wrong_words_end_in_one_message(smlib, monkeypatch, words, message):  # noqa: F811
    from smlib import paths

    monkeypatch.setattr(paths, "DATA", Path(__file__).parents[1] / "data")
    code, out, err = call(smlib, *words)
    assert code == 1 and out == "" and err.startswith("error: ") and message in err


@pytest.mark.parametrize("name", [name for name, product in read_catalog(part="products").items()
                                  if product["get"] == "manual"])
def test_what_is_got_by_hand_is_told_step_by_step(smlib, name):  # noqa: F811
    code, out, _ = call(smlib, name, "--folder", "my/own")
    assert code == 0 and "\n1. " in out and "\n2. " in out and "my/own" in out and "{folder}" not in out
    assert "licence: " in out and "login: " in out and "http" in out


def test_all_products_are_listed(smlib):  # noqa: F811
    code, out, _ = call(smlib)
    assert code == 0 and all(f"\n{name}  " in out for name in read_catalog(part="products"))


@pytest.mark.skipif("SMLIB_TEST_DATA" not in os.environ,
                    reason="SMLIB_TEST_DATA does not name a folder of measured data")
def test_measured_files_in_the_networks_layout(tmp_path):
    folder, server = Path(os.environ["SMLIB_TEST_DATA"]) / "uscrn", Server()
    files = sorted(folder.glob("2020/*.txt")) + sorted(folder.glob("2017/*KS_Manhattan*.txt"))
    for file in files:
        server.put(f"/{file.parent.name}/{file.name}", file.read_bytes())
        name = file.stem.split("-", 2)[2]
        head = file.read_text().split(maxsplit=5)
        assert (head[0], float(head[4]), float(head[3])) == (TABLE[name].wban, TABLE[name].lat, TABLE[name].lon)
    server.files["/power"] = power_of
    server.faults["*"] = ["drop", "429", "stall", "cut length", "500", "page"]
    wanted = stations.stations("wang2024,KS_Manhattan_6_SSW")
    with serving(server):
        store, told = get_stations_open(wanted, [2017, 2020], tmp_path / "open", tmp_path / "store.nc",
                                        server.url, f"{server.url}/power", **QUICK)
    ds = open_source(store)
    assert ds.sizes["site"] == 16 and told[0].startswith("USCRN: 15 fetched") and told[1].startswith("USCRN: 1 fetched")
    assert "OH_Coshocton_8_NNE: left out, the server has no file of these years" in told
    moisture = ds["soil_moisture"].sel(site="KS_Manhattan_6_SSW")
    assert moisture.isel(depth=0).count() > 250 and moisture.isel(depth=slice(3, 5)).count() == 0
