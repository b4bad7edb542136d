import numpy as np
import pytest

from smlib.data import DataError, open_source
from smlib.data.readers.uscrn import FIELDS, MJ_PER_DAY, read_uscrn

LINE = ("93245 {date}  2.622 -123.07   38.32    13.4    11.2    12.3    12.2     1.5     8.64 C    16.4     9.6    12.0"
        "    97.1    91.1    94.6   {sm}   0.188   0.183   0.169 -99.000    11.3    11.1    11.0    11.4 -9999.0\n")


def write(folder, dates, year=2020, site="CA_Bodega_6_WSW", sm="  0.143"):
    file = folder / f"CRND0103-{year}-{site}.txt"
    file.write_text("".join(LINE.format(date=date, sm=sm) for date in dates))
    return file


def test_values_units_and_missing(tmp_path):
    write(tmp_path, ["20200101", "20200102"])
    ds = open_source(tmp_path)
    assert list(ds["site"].values) == ["CA_Bodega_6_WSW"]
    assert (ds["lat"].item(), ds["lon"].item()) == (38.32, -123.07)
    np.testing.assert_allclose(ds["depth_m"][0], [0.05, 0.1, 0.2, 0.5, 1.0])
    day = ds.isel(site=0, time=0)
    np.testing.assert_allclose(day["soil_moisture"], [0.143, 0.188, 0.183, 0.169, np.nan])
    np.testing.assert_allclose(day["soil_temperature"], [11.3, 11.1, 11.0, 11.4, np.nan])
    assert float(day["air_temperature"]) == 12.2  # T_DAILY_AVG, not T_DAILY_MEAN
    assert float(day["precipitation"]) == 1.5
    assert float(day["shortwave_down"]) == pytest.approx(100.0)  # 8.64 MJ m-2 d-1
    assert float(day["relative_humidity"]) == 94.6
    assert not {"wind_speed", "longwave_down"} & set(ds)
    assert len(FIELDS) == 28 and pytest.approx(11.574074) == MJ_PER_DAY


def test_a_missing_year_and_another_site(tmp_path):
    (tmp_path / "2018").mkdir()
    (tmp_path / "2020").mkdir()
    files = [write(tmp_path / "2018", ["20180101"], 2018), write(tmp_path / "2020", ["20200101"]),
             write(tmp_path / "2020", ["20200103"], site="TX_Monahans_6_ENE")]
    ds = read_uscrn(files)
    assert dict(ds.sizes) == {"site": 2, "depth": 5, "time": 733}
    moisture = ds["soil_moisture"].sel(depth=1)
    assert moisture.sel(site="CA_Bodega_6_WSW").count() == 2
    assert moisture.sel(site="CA_Bodega_6_WSW", time="2019").count() == 0
    assert moisture.sel(site="TX_Monahans_6_ENE").count() == 1


@pytest.mark.parametrize("dates, options, variable, rule", [
    (["20200101", "20200101"], {}, "LST_DATE", "stands twice"),
    (["20200102", "20200101"], {}, "LST_DATE", "not in order"),
    (["20190101"], {}, "LST_DATE", "not in 2020"),
    (["2020-1-1"], {}, "LST_DATE", "cannot be read"),
    (["20200101"], {"sm": " 14.300"}, "soil_moisture", "percent given as m3 m-3"),
    (["20200101"], {"sm": " -0.200"}, "soil_moisture", "outside 0 to 1"),
    (["20200101"], {"sm": "    abc"}, "SOIL_MOISTURE_5_DAILY", "not a number"),
])
def test_bad_values(tmp_path, dates, options, variable, rule):
    file = write(tmp_path, dates, **options)
    with pytest.raises(DataError) as error:
        open_source(tmp_path)
    assert file.name in error.value.file and error.value.variable == variable and rule in error.value.rule
    assert str(error.value) == f"{error.value.file}: {variable}: {error.value.rule}"


def test_fraction_taken_for_percent(tmp_path):
    file = tmp_path / "CRND0103-2020-CA_Bodega_6_WSW.txt"
    text = LINE.format(date="20200101", sm="  0.001")
    file.write_text(text.replace("0.188", "0.002").replace("0.183", "0.002").replace("0.169", "0.002"))
    with pytest.raises(DataError, match=r"CRND0103.*soil_moisture: never exceeds 0.002"):
        open_source(tmp_path)


@pytest.mark.parametrize("text, rule", [
    ("", "is empty"),
    (LINE.format(date="20200101", sm="  0.143") + LINE.format(date="20200102", sm="  0.143")[:120], "line 2 has"),
    (LINE.format(date="20200101", sm="  0.143") + LINE.format(date="20200102", sm="  0.143")[:-4], "shorter"),
    ("a,b\n1,2\n", "not 28"),
])
def test_truncated_or_other_files(tmp_path, text, rule):
    file = tmp_path / "CRND0103-2020-CA_Bodega_6_WSW.txt"
    file.write_text(text)
    with pytest.raises(DataError, match=rule) as error:
        open_source(tmp_path)
    assert error.value.file == str(file)


def test_a_year_twice(tmp_path):
    (tmp_path / "copy").mkdir()
    write(tmp_path, ["20200101"])
    write(tmp_path / "copy", ["20200101"])
    with pytest.raises(DataError, match="CA_Bodega_6_WSW is in more than one file"):
        open_source(tmp_path)


def test_a_station_without_soil_probes_is_left_out_by_name(tmp_path):
    write(tmp_path, ["20200101"])
    bare = write(tmp_path, ["20200101"], site="AK_Ruby_44_ESE", sm="-99.000")
    text = bare.read_text()
    for value in ("0.188", "0.183", "0.169"):
        text = text.replace(f"  {value}", "-99.000")
    bare.write_text(text)
    ds = open_source(tmp_path)
    assert list(ds["site"].values) == ["CA_Bodega_6_WSW"] and "AK_Ruby_44_ESE" in ds.attrs["history"]
    with pytest.raises(DataError, match="soil_moisture: there is none at AK_Ruby_44_ESE"):
        read_uscrn([bare])
