"""`smlib data check FOLDER --for STUDY`: planted faults are named, one by one, and what is good is left alone."""

import hashlib
import json
import os
import re
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin

from smlib.data import DataError, check
from smlib.run import cli

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own
REAL = Path(os.environ.get("SMLIB_TEST_DATA", "nowhere"))
LAT, LON = 39.925 - 0.05 * np.arange(4), 98.025 + 0.05 * np.arange(6)
HTML = "<!DOCTYPE html>\n<html><head><title>Earthdata Login</title></head><body>Sign in</body></html>\n"


def by_name(faults):
    found = {}
    for fault in faults:
        found.setdefault(fault.file, []).append((fault.variable, fault.rule))
    return found


def uscrn(file, dates=None, lat="  38.32", lon="-123.07", temperature="   12.2", sm=("  0.143", "  0.188")):
    """A year of a station, in the columns of daily01."""
    year = re.search(r"\d{4}(?=-[A-Z]{2}_)", file.name)
    if dates is None:
        dates = pd.date_range(f"{year[0] if year else 2020}-01-01", periods=3).strftime("%Y%m%d")
    line = (f"93245 {{}}  2.622 {lon} {lat}    13.4    11.2    12.3 {temperature}     1.5     8.64 C    16.4     9.6"
            f"    12.0    97.1    91.1    94.6 {sm[0]} {sm[1]}   0.183   0.169 -99.000    11.3    11.1    11.0    11.4"
            " -9999.0\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(map(line.format, dates)))
    return file


def fluxnet(file, start="2020-01-01", end="2020-12-31", freq="D", head="", **columns):
    days = pd.date_range(start, end, freq=freq)
    key, form = ("TIMESTAMP", "%Y%m%d") if freq == "D" else ("TIMESTAMP_START", "%Y%m%d%H%M")
    table = pd.DataFrame({key: days.strftime(form), "TA_F": 5.0, "SWC_F_MDS_1": 20.0} | columns)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(head + table.dropna(axis=1, how="all").to_csv(index=False))
    return file


def power(file, lat=38.25, lon=-123.0, fill=-999.0, t2m=(1.0, 2.0, -999.0)):
    days = ["20200101", "20200102", "20200103"]
    values = {"T2M": t2m, "ALLSKY_SFC_LW_DWN": (300.0, 310.0, 320.0), "WS2M": (2.0, 2.5, 3.0)}
    content = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat, 10.0]},
               "properties": {"parameter": {name: dict(zip(days, held, strict=True)) for name, held in values.items()}},
               "header": {"title": "NASA/POWER", "fill_value": fill, "time_standard": "LST"},
               "parameters": {"T2M": {"units": "C"}, "ALLSKY_SFC_LW_DWN": {"units": "W/m^2"}, "WS2M": {"units": "m/s"}}}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def stm(file, station="Field-1", flag="G", lat=47.125, lon=8.5, days=2, value=0.2):
    hours = pd.date_range("2020-06-01", periods=24 * days, freq="1h")
    rows = "".join(f"{hour:%Y/%m/%d %H:%M} {value:.4f} {flag} M\n" for hour in hours)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"NET NET {station} {lat:.5f} {lon:.5f} 500.00 0.05 0.05 Probe\n{rows}")
    return file


def nc(file, day=None, name="sm", lat=LAT, lon=LON, value=0.2, engine=None, **attrs):
    """One map; with a time coordinate if a `day` is given."""
    values = np.full((len(lat), len(lon)), value, np.float32)
    ds = xr.Dataset({name: (("lat", "lon"), values, attrs)}, {"lat": lat, "lon": lon})
    ds = ds if day is None else ds.expand_dims(time=pd.DatetimeIndex(np.atleast_1d(day)))
    file.parent.mkdir(parents=True, exist_ok=True)
    ds.to_netcdf(file, engine=engine)
    return file


def tif(file, value=0.2, west=98.0, north=39.95, step=0.05, dtype="float32"):
    file.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(file, "w", driver="GTiff", height=4, width=6, count=1, dtype=dtype, crs="EPSG:4326",
                       transform=from_origin(west, north, step, step)) as dataset:
        dataset.write(np.full((1, 4, 6), value, dtype))
    return file


def cut(file, share=0.5):
    content = file.read_bytes()
    file.write_bytes(content[:int(share * len(content))])


def stations(file, **changes):
    """Two days of a station in the schema's own names; `changes` are (values, units)."""
    held = {"soil_moisture": (0.2, "m3 m-3"), "air_temperature": (5.0, "degC")} | changes
    dims = {"soil_moisture": ("site", "depth", "time"), "air_temperature": ("site", "time")}
    variables = {name: (dims[name], np.full((1, 1, 2)[3 - len(dims[name]):], value), {"units": units})
                 for name, (value, units) in held.items()}
    ds = xr.Dataset(variables, {"site": ["A"], "depth": [1], "time": pd.date_range("2020-01-01", periods=2),
                                "lat": ("site", [47.0]), "lon": ("site", [8.0]),
                                "depth_m": (("site", "depth"), [[0.05]])})
    file.parent.mkdir(parents=True, exist_ok=True)
    ds.to_netcdf(file)


def plant(folder):
    """Damage and mislabel; {file: [(variable, words of the rule)]}."""
    at, planted = "CA_Bodega_6_WSW", {}

    def bad(name, *faults):
        planted[name] = list(faults)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return folder / name

    # USCRN; 2020 is good
    uscrn(folder / f"uscrn/CRND0103-2020-{at}.txt")
    file = uscrn(bad(f"uscrn/CRND0103-2019-{at}.txt", ("", "line 3 has 22 fields of 28")))
    file.write_text(file.read_text()[:-50])
    uscrn(bad(f"uscrn/CRND0103-2018-{at}.txt", ("LST_DATE", "1 dates stand twice, the first 2018-01-01"),
              ("SOIL_MOISTURE_10_DAILY", "holds 18.8, .*percent given as m3 m-3")),  # two faults in one file
          ["20180101", "20180101"], sm=("  0.143", " 18.800"))
    uscrn(bad(f"uscrn/CRND0103-2017-{at}.txt", ("LST_DATE", "not in order: 2017-01-01 .*line 2")),
          ["20170102", "20170101"])
    uscrn(bad(f"uscrn/CRND0103-2016-{at}.txt", ("LST_DATE", "is named 2016 and holds dates of 2015")), ["20150101"])
    uscrn(bad("uscrn/CRND0103-2020-TX_Monahans_6_ENE.txt", ("WBANNO", f"93245 is that of {at}")))
    uscrn(bad(f"uscrn/CRND0103-2015-{at}.txt", ("LATITUDE, LONGITUDE", "-123.07, 38.32 is no .*swapped")),
          lat="-123.07", lon="  38.32")
    uscrn(bad(f"uscrn/CRND0103-2014-{at}.txt", ("SOIL_MOISTURE_5_DAILY", "holds 14.3, .*percent given as m3 m-3")),
          sm=(" 14.300", "  0.188"))
    uscrn(bad(f"uscrn/CRND0103-2013-{at}.txt", ("T_DAILY_AVG", "holds 285.3, .*kelvin given as degC")),
          temperature="  285.3")
    uscrn(bad(f"uscrn/CRND0103-2012-{at}.txt", ("SOIL_MOISTURE_5_DAILY", "holds -999 in 3 places: a fill value")),
          sm=("   -999", "  0.188"))
    bad(f"uscrn/CRND0103-2011-{at}.txt", ("", "is an HTML page .'Earthdata Login'.")).write_text(HTML)
    bad(f"uscrn/CRND0103-2010-{at}.txt", ("", "is empty .0 bytes")).touch()
    uscrn(bad("uscrn/bodega.txt", ("", "is USCRN daily01 by its content, and is not named so")))
    uscrn(bad(f"uscrn/CRND0103-2009-{at}.txt.part", ("", "is a partial download")), ["20090101"])
    uscrn(bad(f"uscrn/.incoming/CRND0103-2007-{at}.txt.part", ("", "is a partial download")), ["20070101"])
    uscrn(bad(f"uscrn/CRND0103-2008-{at}.txt", ("sha256", "differs from the sha256 that was recorded")))
    bad(f"uscrn/CRND0103-2006-{at}.txt", ("", "was downloaded and is not there"))
    good = folder / f"uscrn/CRND0103-2020-{at}.txt"
    record = {good.name: {"sha256": hashlib.sha256(good.read_bytes()).hexdigest()}, f"CRND0103-2008-{at}.txt":
              {"sha256": "0" * 64}, f"CRND0103-2006-{at}.txt": {"sha256": "0" * 64}}
    (folder / "uscrn/downloads.json").write_text(json.dumps(record))
    # towers
    (folder / "towers").mkdir()
    (folder / "towers/sites.csv").write_text("site,lat,lon\nXX-Abc,10.5,20.25\nXX-Def,11,21\n")
    bad("towers/other/sites.csv", ("lat of XX-Ghi", "'north' is not a number")).write_text(
        "site,lat,lon\nXX-Ghi,north,2\n")
    bad("table/columns.yml", ("", "key variables is missing")).write_text("grid: {}\n")
    (folder / "table/mine.csv").write_text("a,b\n1,2\n")  # which nothing can be said of
    fluxnet(folder / "towers/FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2020-2020_1-3.csv")
    file = fluxnet(bad("towers/FLX_XX-Def_HH_broken.csv", ("TIMESTAMP_START", "1 of 48 dates cannot .* line 4")),
                   end="2020-01-01 23:30", freq="30min")
    file.write_text(file.read_text().replace("202001010100,", "202001012560,"))
    fluxnet(bad("towers/AMF_XX-Def_BASE.csv", ("site", "is named XX-Def and says that it is XX-Abc")),
            head="# Site: XX-Abc\n")
    fluxnet(bad("towers/FLX_XX-Def_DD_2010-2012.csv", ("TIMESTAMP", "named 2010-01-01 to 2012-12-31 and holds 2020")))
    fluxnet(bad("towers/FLX_XX-Def_DD_no_swc.csv", ("SWC", "column is missing")), SWC_F_MDS_1=np.nan)
    fluxnet(bad("towers/FLX_XX-Def_DD_fills.csv", ("SWC_F_MDS_1", "holds -6999 in 366 places"),
                ("TA_F", "holds 278, .*kelvin")), SWC_F_MDS_1=-6999.0, TA_F=278.0)
    # POWER
    power(folder / "power/good.json")
    bad("power/busy.json", ("", "a message of POWER: .*Too many")).write_text('{"messages": ["Too many requests"]}')
    power(bad("power/POWER_Point_Daily_20200101_20201231_050d0000N_010d0000E_LST.json",
              ("lat, lon", "is named 50, 10 and holds 38.25, -123")))
    power(bad("power/fills.json", ("T2M", "holds -999 in 1 places: a fill value")), fill=-99.0)
    power(bad("power/swapped.json", ("lat, lon", "-123, 38.25 is no .*swapped")), lat=-123.0, lon=38.25)
    # ISMN
    name = "NET/Field-1/NET_NET_Field-1_sm_{}_Probe_20200601_20200602.stm"
    stm(folder / "ismn" / name.format("0.05_0.05"))
    (folder / "ismn/NET/Field-1/NET_NET_Field-1_static_variables.csv").write_text("quantity_name;unit\n")
    for depth, fault, changes in (("0.20", ("soil_moisture", "not one of 48 values is flagged G"), {"flag": "D01"}),
                                  ("0.30", ("station", "says that its station is Field-2"), {"station": "Field-2"}),
                                  ("0.40", ("soil_moisture", "2020-06-01 to 2020-06-02 and holds"), {"days": 3})):
        stm(bad(f"ismn/{name.format(f'{depth}_{depth}')}", fault), **changes)
    file = bad("ismn/Data_separate_files_20200601_20200602.zip", ("", "is not a whole zip file"))
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(folder / "ismn" / name.format("0.05_0.05"), name.format("0.05_0.05"))
    cut(file, 0.9)
    # maps
    for day in (1, 2, 3):
        nc(folder / f"maps/SM_2017010{day}.nc", f"2017-01-0{day}", units="m3 m-3")
    tif(bad("maps/soil.tif", ("time", "has no date in its name")))
    cut(nc(bad("maps/SM_20170104.nc", ("", "cannot be opened .*truncated")), "2017-01-04"))
    cut(nc(bad("maps/SM_20170105.nc", ("", "truncated")), "2017-01-05", engine="scipy"), 0.9)
    nc(bad("maps/SM_20170106.nc", ("lat, lon", "lies elsewhere: 49.775 to 49.925 N")), "2017-01-06", lat=LAT + 10)
    nc(bad("maps/SM_20170107.nc", ("time", "is named 2017-01-07 and holds 2018-01-07")), "2018-01-07")
    bad("maps/SM_20170108.nc", ("", "is an HTML page")).write_text(HTML)
    tif(folder / "maps/x.tif").rename(bad("maps/SM_20170109.nc", ("", "is TIFF by its content, not .nc")))
    nc(bad("maps/SM_20170110.nc", ("sm", "has units 'K'")), "2017-01-10", units="K")
    nc(bad("maps/SM_20170111.nc", ("sm", "holds -9999 in 24 places")), "2017-01-11", value=-9999.0)
    nc(bad("maps/SM_20170112.nc", ("lat", "reaches 98.275 degrees, .*swapped")), "2017-01-12", lat=LON, lon=LAT)
    nc(bad("maps/again_20170102.nc", ("time", "2017-01-02 stands twice: also in maps/SM_20170102.nc")), "2017-01-02")
    nc(bad("maps/SM_20170113.dat", ("", "with an extension that is not read")), "2017-01-13")
    bad("maps/GLASS10B01.A2018001.hdf", ("", "is HDF4, which is not read")).write_bytes(b"\x0e\x03\x13\x01 ...")
    # tables of one's own, and the schema's
    (folder / "own").mkdir()
    (folder / "own/columns.yml").write_text(
        "files: 'field*.csv'\ntime: {column: day}\nsite: {name: Mine, lat: 48.1, lon: 11.5}\n"
        "variables:\n  soil_moisture: {column: sm, units: m3 m-3, depth: 0.05}\n"
        "  air_temperature: {column: t, units: degC}\n")
    bad("own/field_a.csv", ("sm", "column is missing; there are day, moisture, t")).write_text(
        "day,moisture,t\n2020-01-01,0.2,5\n2020-01-02,0.2,5\n")
    stations(bad("own/percent.nc", ("soil_moisture", "has units 'percent'"), ("air_temperature", "spans 285 to 285")),
             soil_moisture=(20.0, "percent"), air_temperature=(285.0, "degC"))
    bad("own/numbers.csv", ("", "is not recognised")).write_text("a,b\n1,2\n")
    bad(".", ("", "mixes formats .*one folder each"))
    return planted


def test_every_planted_fault_is_named_and_none_hides_another(tmp_path):
    planted = plant(tmp_path)
    assert len(planted) >= 40
    lines, faults = check.report(tmp_path, "stations")
    found = by_name(faults)
    assert {name: found.get(name) for name in planted if name not in found} == {}  # nothing is missed
    assert {name: found[name] for name in found if name not in planted} == {}  # no false alarm
    for name, wanted in planted.items():
        named = all(any(variable == one and re.search(words, rule) for one, rule in found[name])
                    for variable, words in wanted)
        assert named and len(found[name]) == len(wanted), (name, wanted, found[name])
    text = "\n".join(lines)
    for fault in faults:
        assert f"  {fault}" in lines
    good = next(line for line in lines if line.startswith("without a fault"))
    for name in ("uscrn/CRND0103-2020-CA_Bodega_6_WSW.txt", "power/good.json", "maps/SM_20170101.nc",
                 "towers/FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2020-2020_1-3.csv"):
        assert name in good
    assert "CA_Bodega_6_WSW  lat 38.32  lon -123.07" in text
    assert "when the faults are mended: python -m smlib run" in text


GOOD = {"CRND0103-2020-CA_Bodega_6_WSW.txt": uscrn, "FLX_XX-Abc_DD_2020-2020.csv": fluxnet, "point.json": power,
        "NET/Field-1/NET_NET_Field-1_sm_0.05_0.05_P_20200601_20200602.stm": stm, "20170101.tif": tif, "a.nc": stations,
        "SM_20170101.nc": lambda file: nc(file, "2017-01-01"),
        "SM_20170102.nc": lambda file: nc(file, "2017-01-02", engine="scipy")}


@pytest.mark.parametrize("name", GOOD)
def test_good_files_are_good_and_cut_ones_are_not(tmp_path, name):
    (tmp_path / "sites.csv").write_text("site,lat,lon\nXX-Abc,10.5,20.25\n")
    if name.startswith("SM"):  # a single one would have to keep the schema
        nc(tmp_path / "SM_20161231.nc", "2016-12-31")
    GOOD[name](tmp_path / name)
    assert check.report(tmp_path)[1] == []
    whole = (tmp_path / name).read_bytes()
    size = len(whole)
    # That of a sensor's text is told within a line alone: some end sooner than their names say.
    for cut_at in (0, size - 3, size - 10) if name.endswith(".stm") else (0, 0.3 * size, 0.6 * size, 0.97 * size):
        (tmp_path / name).write_bytes(whole[:int(cut_at)])
        assert {fault.file for fault in check.report(tmp_path)[1]} == {name}, cut_at


def test_whatever_is_in_a_file_the_check_goes_on(tmp_path):
    rng = np.random.default_rng(0)
    uscrn(tmp_path / "CRND0103-2020-CA_Bodega_6_WSW.txt")
    heads = (b"", b"\x89HDF\r\n\x1a\n", b"CDF\1", b"PK\3\4", b"II*\0", b'{"parameter": "Feature"', b"TIMESTAMP,SWC\n")
    for k, suffix in enumerate((".nc", ".tif", ".zip", ".json", ".csv", ".txt", ".stm", ".h5")):
        for j, head in enumerate(heads):
            (tmp_path / f"XX-Abc_{k}{j}_20170101{suffix}").write_bytes(head + rng.bytes(500))
    faults = check.report(tmp_path, "stations")[1]
    assert {fault.file for fault in faults if fault.file != "."} == \
        {f.name for f in tmp_path.iterdir()} - {"CRND0103-2020-CA_Bodega_6_WSW.txt"}


def test_stations_of_a_good_folder(tmp_path):
    for year in (2019, 2021):
        days = pd.date_range(f"{year}-01-01", f"{year}-12-31")
        uscrn(tmp_path / f"CRND0103-{year}-CA_Bodega_6_WSW.txt", days.strftime("%Y%m%d"))
    lines, faults = check.report(tmp_path, "stations")
    text = "\n".join(lines)
    assert not faults and "no file has a fault" in lines
    assert ("    soil_moisture (m3 m-3) at 0.05, 0.1, 0.2, 0.5 m: 2019-01-01 to 2021-12-31, 730 days, 366 missing "
            "within, the longest gap 366 days from 2020-01-01") in lines
    assert "without longwave_down at 1 of 1 stations" in text and "without air_temperature" not in text
    assert "of the stations of the paper 1 are here" in text
    assert lines[-1] == f"  run next: python -m smlib run book/stations/compare.ipynb -p source={tmp_path}"
    power(tmp_path / "point.json")
    text = "\n".join(check.report(tmp_path, "stations")[0])
    assert "without longwave_down" not in text and "without wind_speed" not in text
    power(tmp_path / "point.json", lat=45.0)  # too far away to stand in
    assert "without longwave_down" in "\n".join(check.report(tmp_path, "stations")[0])


def test_daily_maps_for_nudging(tmp_path):
    days = pd.date_range("2018-01-01", periods=1000)
    nc(tmp_path / "a.nc", days[:800], units="m3 m-3")
    nc(tmp_path / "b.nc", days[810:], units="m3 m-3")
    lines, faults = check.report(tmp_path, "nudging")
    text = "\n".join(lines)
    assert not faults and "soil_moisture (m3 m-3), 2 files, 4 x 6 cells from 39.775 to 39.925 N" in text
    assert "990 days, 10 missing within, the longest gap 10 days from 2020-03-11" in text
    assert "python -m smlib run book/nudging/" in lines[-1] and "gaps=hold" in lines[-1]
    assert """-p 'train=["2018-01-01"'""" in lines[-1] or """train='["2018-01-01", "2019-08-23"]'""" in lines[-1]
    (tmp_path / "b.nc").unlink()
    (tmp_path / "a.nc").unlink()
    nc(tmp_path / "a.nc", days[:100])
    assert any("two years at least" in line for line in check.report(tmp_path, "nudging")[0])
    uscrn(tmp_path / "x" / "CRND0103-2020-CA_Bodega_6_WSW.txt")
    assert "mixes formats" in check.report(tmp_path, "nudging")[1][0].rule


def nldas(file, lat, lon, value=20.0, units="kg m-2", time="2018-01-01"):
    one = np.ones((1, len(lat), len(lon)))
    data = {f"SoilM_{a}_{b}cm": (("time", "lat", "lon"), value * (b - a) / 10 * one, {"units": units})
            for a, b in ((0, 10), (10, 40), (40, 100))}
    file.parent.mkdir(parents=True, exist_ok=True)
    xr.Dataset(data, {"time": [pd.Timestamp(time)], "lat": lat, "lon": lon}).to_netcdf(file)


def test_products_for_the_united_states(tmp_path):
    lat, lon = 38.0625 + 0.125 * np.arange(4), -99.9375 + 0.125 * np.arange(5)
    name = "nldas/NLDAS_NOAH0125_H.A201801{}.0000.020.nc"
    nldas(tmp_path / name.format("01"), lat, lon)
    nldas(tmp_path / name.format("01").replace(".0000.", ".0100."), lat, lon, time="2018-01-01T01")  # the next hour
    nldas(tmp_path / name.format("01").replace("020", "021"), lat, lon)
    nldas(tmp_path / name.format("02"), lat, lon, time="2018-01-03")
    nldas(tmp_path / name.format("04"), lat, lon + 110, time="2018-01-04")
    nldas(tmp_path / name.format("05"), lat, lon, units="m3 m-3", time="2018-01-05")
    nldas(tmp_path / name.format("06"), lat, lon, value=2000.0, time="2018-01-06")
    canonical = xr.Dataset({"soil_moisture_sca_h": (("time", "y", "x"), np.full((1, 3, 4), 0.2), {"units": "m3 m-3"})},
                           {"time": [pd.Timestamp("2018-01-01")], "lat": ("y", lat[:3]), "lon": ("x", lon[:4])})
    for part, variable in (("smap", "soil_moisture_sca_h"), ("esa-cci", "soil_moisture"), ("late", "soil_moisture")):
        (tmp_path / part / "2018").mkdir(parents=True)
        canonical.rename(soil_moisture_sca_h=variable).to_netcdf(tmp_path / f"{part}/2018/x-20180101.nc")
    (tmp_path / "late/2018/x-20180101.nc").rename(tmp_path / "late/2018/x-20180102.nc")
    tif(tmp_path / "solus100/claytotal_0_cm_p.tif", 23, west=-100.0, dtype="uint8")
    tif(tmp_path / "solus100/claytotal_0_cm_h.tif", 230, west=-100.0, dtype="uint8")  # uncertainty is not used
    tif(tmp_path / "solus100/sandtotal_0_cm_p.tif", 230, west=-100.0, dtype="uint8")
    tif(tmp_path / "srtm/N38W100.tif", 500, west=-100.0, north=39.0, step=0.2)
    tif(tmp_path / "srtm/N39W100.tif", 500, west=-100.0, north=39.0, step=0.2)
    tif(tmp_path / "modis/MCD43A4_Nadir_Reflectance_Band7_doy2018001.tif", 1000, west=-100.0, dtype="int16")
    with h5py.File(tmp_path / "SMAP_L3_SM_P_E_20180101_R18290_001.h5", "w") as h5:
        h5.create_group("Metadata")
    lines, faults = check.report(tmp_path, "forecast")
    found = by_name(faults)
    wanted = {name.format("01").replace("020", "021"): "its hour stands twice",
              name.format("02"): "named 2018-01-02 and holds 2018-01-03", name.format("04"): "lies",
              "late/2018/x-20180102.nc": "named 2018-01-02 and holds 2018-01-01",
              name.format("05"): "has units 'm3 m-3', not 'kg m-2'", name.format("06"): "outside 0 to 1",
              "solus100/sandtotal_0_cm_p.tif": "holds 230, outside 0 to 100 percent",
              "srtm/N39W100.tif": "is named N39W100 and its middle is 38.60",
              "SMAP_L3_SM_P_E_20180101_R18290_001.h5": "has no group Soil_Moisture_Retrieval_Data_AM"}
    assert set(found) == set(wanted)
    for file, words in wanted.items():
        assert any(words in rule for _, rule in found[file]), found[file]
    assert any("outside the conterminous United States" in rule for _, rule in found[name.format("04")])
    missing = [line.split(",")[0] for line in lines if line.startswith("  missing: ")]
    assert "  missing: soil_moisture_dca" in missing and "  missing: sand" in missing
    assert "  missing: clay" not in missing
    assert "  missing: the files of quality of MODIS" in missing
    assert not {"  missing: elevation", "  missing: slope", "  missing: swir_transform"} & set(missing)
    assert "no page takes products of one's own yet" in "\n".join(lines) and "run book" not in "\n".join(lines)


def correction(folder):
    """A network with a part of each kind but porosity and SMAP, around one station."""
    home, days = folder / "HOBE", pd.date_range("2017-01-01", periods=400)
    stm(home / "stations/HOBE/A/HOBE_HOBE_A_sm_0.05_0.05_P_20200601_20200602.stm", "A", lat=39.9, lon=98.1)
    nc(home / "ascat/ascat.nc", days, "ssm", value=40.0, units="%")
    nc(home / "cci/cci.nc", days, units="m3 m-3")
    nc(home / "precipitation/p.nc", days, "precip", value=2.0, units="mm/day")
    nc(home / "lst/lst.nc", days, "LST", value=280.0, units="K")
    nc(home / "et/et.nc", days, "ET", value=2.0, units="mm d-1")
    nc(home / "fvc/fvc.nc", days, "fvc", value=0.5, units="1")
    return home


def test_products_for_the_correction_study(tmp_path):
    home = correction(tmp_path)
    lines, faults = check.report(tmp_path, "correction")
    assert not faults
    assert [line for line in lines if line.startswith("  missing: ")] == ["  missing: HOBE/porosity (ascat)"]
    assert any("HOBE: common period: none, for stations begins 2020-06-01" in line for line in lines)
    tif(home / "porosity/porosity.tif", 0.45)
    lines, faults = check.report(tmp_path, "correction")
    text = "\n".join(lines)
    assert not faults and not any(line.startswith("  missing: ") for line in lines)
    assert "HOBE/lst: land_surface_temperature (K), 1 files" in text and "no folder of CTP-SMTMN, OZNET, SNOTEL" in text
    assert "HOBE: without smap" in text
    assert any(line.startswith("  run next: python -m smlib run book/correction/improve.ipynb -p source=")
               and line.endswith("""-p 'networks=["HOBE"]'""") for line in lines)
    nc(home / "lst/lst.nc", "2017-01-01", "LST", value=280.0, units="degC")
    nc(home / "ascat/ascat.nc", pd.date_range("2017-01-01", periods=60), "ssm", value=0.4, units="%")
    nc(home / "fvc/fvc.nc", "2017-01-01", "fvc", value=50.0, units="1")
    nc(home / "et/et.nc", "2017-01-01", "ET", value=2.0, units="W m-2")
    nc(home / "cci/cci.nc", "2017-01-01", lat=LAT - 20)
    tif(home / "porosity/porosity.tif", 45.0)
    found = by_name(check.report(tmp_path, "correction")[1])
    wanted = {"lst/lst.nc": ("LST", "kelvin given as degC"), "ascat/ascat.nc": ("ssm", "a fraction taken for percent"),
              "fvc/fvc.nc": ("fvc", "percent given as 1"), "et/et.nc": ("ET", "has units 'W m-2'"),
              "cci/cci.nc": ("lat, lon", "holds none of the 1 stations of HOBE"),
              "porosity/porosity.tif": ("band 1", "percent given as m3 m-3")}
    assert set(found) == {f"HOBE/{name}" for name in wanted}
    for name, (variable, words) in wanted.items():
        assert [variable] == [one for one, rule in found[f"HOBE/{name}"] if words in rule], found[f"HOBE/{name}"]


def test_a_folder_without_anything_and_unknown_words(tmp_path):
    for study in check.STUDIES:
        lines, faults = check.report(tmp_path, study)
        assert not faults and any(line.startswith("  missing: ") for line in lines), study
    with pytest.raises(DataError, match="no study floods; there are stations, nudging"):
        check.report(tmp_path, "floods")
    with pytest.raises(DataError, match="does not exist"):
        check.report(tmp_path / "nowhere")


def test_the_command(tmp_path, monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["smlib", "data", "check", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capsys.readouterr().out

    uscrn(tmp_path / "CRND0103-2020-CA_Bodega_6_WSW.txt")
    code, out = run(tmp_path, "--for", "stations")
    assert not code and "no file has a fault" in out
    (tmp_path / "CRND0103-2019-CA_Bodega_6_WSW.txt").touch()
    code, out = run(tmp_path, "--for", "stations")
    assert code == f"error: 1 faults in {tmp_path}" and "CRND0103-2019-CA_Bodega_6_WSW.txt: is empty" in out


@pytest.mark.skipif(not (REAL / "uscrn").is_dir(), reason="SMLIB_TEST_DATA does not point at the real data")
def test_no_false_alarm_on_real_files(tmp_path):
    (tmp_path / "uscrn").mkdir()
    for file in [*(REAL / "uscrn/2020").iterdir()][:5] + [*(REAL / "uscrn/2009").iterdir()]:
        (tmp_path / "uscrn" / file.name).symlink_to(file)
    (tmp_path / "towers").mkdir()
    (tmp_path / "towers/sites.csv").write_text("site,lat,lon\nFI-Hyy,61.8474,24.2948\n")
    tower = next((REAL / "fluxnet").iterdir())
    (tmp_path / "towers" / tower.name).symlink_to(tower)
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid/smap.nc").symlink_to(next((REAL / "smap_conus").glob("*.nc")))
    (tmp_path / "grid/columns.yml").write_text(
        "grid: {time: time, lat: lat, lon: lon}\nvariables:\n  soil_moisture: {column: smap_sm, units: m3 m-3}\n")
    for name, study in (("uscrn", "stations"), ("towers", "stations"), ("grid", "nudging")):
        lines, faults = check.report(tmp_path / name, study)
        assert not faults and not any(line.startswith("  missing: ") for line in lines), (faults, lines)
