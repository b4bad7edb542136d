import numpy as np
import pandas as pd
import pytest

from smlib.data import DataError, open_source
from smlib.data.readers.fluxnet import humidity, saturation_pressure

SITES = "site,lat,lon,depths_m\nXX-Abc,10.5,20.25,0.05;0.2\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sites.csv").write_text(SITES)
    return tmp_path


def daily(**columns):
    """A daily table of four days; `columns` replace or add."""
    table = {"TIMESTAMP": [20200101, 20200102, 20200103, 20200104], "TA_F": [1.0, 2.0, 3.0, 4.0],
             "TA_F_QC": [1, 1, 1, 0.5], "VPD_F": [0.0, 1.0, 2.0, 3.0], "VPD_F_QC": 1, "P_F": [0.0, 5.0, -9999, 1.0],
             "SWC_F_MDS_1": [20.0, 21.0, 22.0, 23.0], "SWC_F_MDS_1_QC": [1, 0.875, 0.874, -9999],
             "SWC_F_MDS_2": [30.0, 31.0, 32.0, 33.0], "SWC_F_MDS_2_QC": 1}
    return pd.DataFrame(table | columns)


def half_hours(stamp="TIMESTAMP_START", days=2, **columns):
    """A half-hourly table without gaps; `columns` replace or add."""
    start = pd.date_range("2020-03-01", periods=48 * days, freq="30min")
    times = {"TIMESTAMP_START": start, "TIMESTAMP_END": start + pd.Timedelta("30min")}
    wanted = ("TIMESTAMP_START", "TIMESTAMP_END") if stamp == "TIMESTAMP_START" else (stamp,)
    table = {name: times[name].strftime("%Y%m%d%H%M") for name in wanted}
    return pd.DataFrame(table | {"SWC": np.repeat([20.0, 30.0], 48)[:48 * days], "P": 0.5} | columns)


def save(table, folder, name="FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2020-2020_1-3.csv", head=""):
    file = folder / name
    file.write_text(head + table.to_csv(index=False))
    return file


def test_daily_flags_levels_and_place(folder):
    save(daily(), folder)
    ds = open_source(folder)
    assert (ds["lat"].item(), ds["lon"].item(), ds["site"].item()) == (10.5, 20.25, "XX-Abc")
    np.testing.assert_allclose(ds["depth_m"][0], [0.05, 0.2])
    moisture = ds["soil_moisture"].isel(site=0)
    np.testing.assert_allclose(moisture.sel(depth=1), [0.20, 0.21, np.nan, np.nan])  # 42 of 48 is 0.875
    np.testing.assert_allclose(moisture.sel(depth=2), [0.30, 0.31, 0.32, 0.33])
    np.testing.assert_allclose(ds["air_temperature"][0], [1, 2, 3, np.nan])
    np.testing.assert_allclose(ds["precipitation"][0], [0, 5, np.nan, 1])
    assert "not flag" in ds["precipitation"].attrs["gap_filled"]  # P_F has no P_F_QC here
    assert "gap_filled" not in ds["soil_moisture"].attrs and "gap_filled" not in ds["air_temperature"].attrs
    assert "level 2: SWC_F_MDS_2" in ds["soil_moisture"].attrs["columns"]


def test_humidity(folder):
    """At 20 degC saturation is 23.4 hPa (printed tables say 23.37 to 23.39), so that 11.7 hPa short of it is 50 %."""
    assert saturation_pressure(20.0) == pytest.approx(23.38, abs=0.05)
    assert humidity(pd.Series([11.69]), pd.Series([20.0])).item() == pytest.approx(50, abs=0.2)
    assert list(humidity(pd.Series([30.0, -0.1]), pd.Series([20.0, 20.0]))) == [0, 100]  # clipped
    save(daily(), folder)
    ds = open_source(folder)
    expected = 100 * (1 - np.array([0.0, 1.0, 2.0]) / saturation_pressure(np.array([1.0, 2.0, 3.0])))
    np.testing.assert_allclose(ds["relative_humidity"][0], [*expected, np.nan])
    assert "Alduchov" in ds["relative_humidity"].attrs["method"]
    save(daily(RH=55.0), folder)
    assert set(open_source(folder)["relative_humidity"].values[0]) == {55.0}  # as measured, where there is one


@pytest.mark.parametrize("stamp", ["TIMESTAMP_START", "TIMESTAMP_END"])
def test_half_hours_go_to_the_right_day(folder, stamp):
    save(half_hours(stamp), folder, "AMF_XX-Abc_BASE_HH_1-5.csv", "# Site: XX-Abc\n# Version: 1-5\n")
    ds = open_source(folder)
    assert list(ds["time"].values.astype("datetime64[D]").astype(str)) == ["2020-03-01", "2020-03-02"]
    np.testing.assert_allclose(ds["soil_moisture"][0, 0], [0.20, 0.30])
    np.testing.assert_allclose(ds["precipitation"][0], [24.0, 24.0])


def test_only_measured_half_hours_count(folder):
    flag = np.zeros(96, int)
    flag[:7] = 1  # seven well-filled half hours: one too many for moisture
    table = half_hours(SWC_F_MDS_1=np.repeat([25.0, 35.0], 48), SWC_F_MDS_1_QC=flag).drop(columns="SWC")
    save(table, folder, "FLX_XX-Abc_FLUXNET2015_FULLSET_HH_2020-2020_1-3.csv")
    np.testing.assert_allclose(open_source(folder)["soil_moisture"][0, 0], [np.nan, 0.35])


def test_measured_before_filled_and_team_columns_never(folder):
    save(half_hours(SWC_F_MDS_1=10.0, SWC_F_MDS_1_QC=0, SWC_PI_1=11.0, SWC_1_SD=9.0, TA_ERA=3.0), folder, "XX-Abc.csv")
    ds = open_source(folder)
    np.testing.assert_allclose(ds["soil_moisture"][0, 0], [0.2, 0.3])
    assert set(ds.data_vars) == {"soil_moisture", "precipitation"}


def test_positions(folder):
    """V is the level; places at one level are averaged over those that are nearly always there; air takes the top."""
    gone = np.where(np.arange(96) < 48, np.nan, 90.0)
    columns = {"SWC_1_1_1": 20.0, "SWC_2_1_1": 30.0, "SWC_3_1_1": gone, "SWC_1_2_1": 44.0, "TA_1_2_1": 8.0,
               "TA_1_1_1": 7.0, "SW_IN_1_1_2": 6.0, "SW_IN_1_1_1": 5.0}
    save(half_hours(**columns).drop(columns="SWC"), folder, "XX-Abc.csv")
    ds = open_source(folder)
    np.testing.assert_allclose(ds["soil_moisture"][0], [[0.25, 0.25], [0.44, 0.44]])
    assert ds["soil_moisture"].attrs["columns"] == "XX-Abc: level 1: SWC_1_1_1+SWC_2_1_1; level 2: SWC_1_2_1"
    assert set(ds["air_temperature"].values[0]) == {7.0} and set(ds["shortwave_down"].values[0]) == {5.0}


def test_a_place_that_is_not_known(tmp_path):
    file = save(daily(), tmp_path)
    with pytest.raises(DataError, match=r"sites.csv beside the data with the columns site,lat,lon") as error:
        open_source(tmp_path)
    assert error.value.file == str(file) and "XX-Abc" in error.value.rule


def test_no_site_in_the_name(folder):
    save(daily(), folder, "mine.csv")
    with pytest.raises(DataError, match="mine.csv: site: has no site id"):
        open_source(folder)


@pytest.mark.parametrize("columns, variable, rule", [
    ({"TIMESTAMP": [20200101, 20200102, 20200102, 20200104]}, "TIMESTAMP", "2020-01-02 00:00:00 stands twice"),
    ({"TIMESTAMP": [20200101, 20200103, 20200102, 20200104]}, "TIMESTAMP", "not in order: 2020-01-02"),
    ({"TIMESTAMP": [20200101, 20200102, 20200103, 20209999]}, "TIMESTAMP", "cannot be read"),
    ({"TIMESTAMP": [2020, 2021, 2022, 2023]}, "TIMESTAMP", "YYYYMMDD"),
    ({"SWC_F_MDS_1": 0.2, "SWC_F_MDS_2": 0.3}, "soil_moisture", "a fraction taken for percent"),
    ({"SWC_F_MDS_2": 310.0}, "soil_moisture", "percent given as m3 m-3"),
    ({"TA_F": 290.0, "TA_F_QC": 1}, "air_temperature", "outside -75 to 60 degC"),
    ({"P_F": -3.0}, "precipitation", "outside 0 to 2000"),
    ({"TA_F": "warm"}, "TA_F", "'warm' is not a number"),
    ({"SWC_F_MDS_2_QC": 3}, "SWC_F_MDS_2_QC", "share of 0 to 1"),
    ({"RH": 0.7}, "relative_humidity", "a fraction taken for percent"),
])
def test_bad_values(folder, columns, variable, rule):
    file = save(daily(**columns), folder)
    with pytest.raises(DataError) as error:
        open_source(folder)
    assert error.value.file == str(file) and error.value.variable == variable and rule in error.value.rule


def test_missing_columns(folder):
    save(daily().drop(columns=["SWC_F_MDS_1", "SWC_F_MDS_2"]), folder)
    with pytest.raises(DataError, match="soil_moisture: has no column with values named SWC"):
        open_source(folder)
    save(daily().rename(columns={"TIMESTAMP": "TIMESTAMPS"}), folder)
    with pytest.raises(DataError, match="time: has no column TIMESTAMP"):
        open_source(folder)


@pytest.mark.parametrize("text, rule", [
    ("", "is empty"),
    ("TIMESTAMP,SWC_F_MDS_1\n", "no data"),
    ("TIMESTAMP,SWC_F_MDS_1,P_F\n20200101,20,0\n20200102,2", "line 3 has 2 fields, the header 3: truncated"),
])
def test_empty_or_truncated(folder, text, rule):
    file = folder / "FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2020-2020_1-3.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=rule) as error:
        open_source(folder)
    assert error.value.file == str(file)


def test_an_odd_step(folder):
    table = half_hours()
    table.loc[5, "TIMESTAMP_START"] = "202003010235"
    save(table, folder, "XX-Abc.csv")
    with pytest.raises(DataError, match="XX-Abc.csv: TIMESTAMP_START: does not keep to its step"):
        open_source(folder)


def test_one_station_in_two_files(folder):
    save(daily(), folder, "XX-Abc_a.csv")
    save(daily(), folder, "XX-Abc_b.csv")
    with pytest.raises(DataError, match="given by more than one file: XX-Abc"):
        open_source(folder)


@pytest.mark.parametrize("text, rule", [
    ("site,lat\nXX-Abc,1\n", "column lon is missing"),
    ("site,lat,lon,height\nXX-Abc,1,2,3\n", "column height is not known"),
    ("site,lat,lon\nXX-Abc,north,2\n", "'north' is not a number"),
    ("site,lat,lon,depths_m\nXX-Abc,1,2,0.1;deep\n", "'deep' is not a number"),
])
def test_bad_sites_csv(tmp_path, text, rule):
    save(daily(), tmp_path)
    (tmp_path / "sites.csv").write_text(text)
    with pytest.raises(DataError, match=rule) as error:
        open_source(tmp_path)
    assert error.value.file == str(tmp_path / "sites.csv")


def test_unknown_depths(tmp_path):
    save(daily(), tmp_path)
    (tmp_path / "sites.csv").write_text("site,lat,lon,depths_m,name\nXX-Abc,1,2,0.1;?,A field\n")
    ds = open_source(tmp_path)
    np.testing.assert_array_equal(ds["depth_m"][0], [0.1, np.nan])
    assert ds["name"].item() == "A field"
