import json

import numpy as np
import pandas as pd
import pytest

from smlib.data import DataError, open_source, validate
from smlib.data.readers.common import Place, station_dataset
from smlib.data.readers.power import ORIGIN, add_drivers, read_power

DAYS = ["20200101", "20200102", "20200103"]
VALUES = {"T2M": [1.0, 2.0, 3.0], "RH2M": [80.0, 70.0, -999.0], "WS2M": [2.0, 2.5, 3.0], "WS10M": [4.0, 5.0, 6.0],
          "PRECTOTCORR": [0.0, 1.5, 2.0], "ALLSKY_SFC_SW_DWN": [8.64, 4.32, -999.0],
          "ALLSKY_SFC_LW_DWN": [300.0, 310.0, 320.0]}
UNITS = {"T2M": "C", "RH2M": "%", "WS2M": "m/s", "WS10M": "m/s", "PRECTOTCORR": "mm/day",
         "ALLSKY_SFC_SW_DWN": "MJ/m^2/day", "ALLSKY_SFC_LW_DWN": "W/m^2"}


def as_json(file, values=VALUES, units=UNITS, days=DAYS, lat=48.25, lon=8.0):
    content = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat, 321.0]},
               "properties": {"parameter": {name: dict(zip(days, v, strict=True)) for name, v in values.items()}},
               "header": {"title": "NASA/POWER Source Native Resolution Daily Data", "fill_value": -999.0,
                          "time_standard": "LST", "start": days[0], "end": days[-1]},
               "parameters": {name: {"units": units[name], "longname": name} for name in values}}
    file.write_text(json.dumps(content))
    return file


def as_csv(file, values=VALUES, units=UNITS, doy=False):
    names = "".join(f"{name:17} MERRA-2 Something at 2 Meters ({units[name]}) \n" for name in values)
    head = ("-BEGIN HEADER-\nNASA/POWER Source Native Resolution Daily Data \n"
            "Dates (month/day/year): 01/01/2020 through 01/03/2020 in LST\n"
            "Location: latitude  48.25   longitude 8.0 \n"
            "elevation from MERRA-2: Average for 0.5 x 0.625 degree lat/lon region = 321.0 meters\n"
            "The value for missing source data that cannot be computed or is outside of the sources availability "
            f"range: -999 \nParameter(s): \n{names}-END HEADER-\n")
    dates = {"YEAR": [2020] * 3, "DOY": [1, 2, 3]} if doy else {"YEAR": [2020] * 3, "MO": [1] * 3, "DY": [1, 2, 3]}
    file.write_text(head + pd.DataFrame(dates | values).to_csv(index=False))
    return file


@pytest.mark.parametrize("write, name", [(as_json, "point.json"), (as_csv, "point.csv"),
                                         (lambda f: as_csv(f, doy=True), "doy.csv")])
def test_both_formats(tmp_path, write, name):
    ds = read_power(write(tmp_path / name))
    assert (ds["lat"].item(), ds["lon"].item()) == (48.25, 8.0)
    assert str(ds["time"].values[0])[:10] == "2020-01-01"
    np.testing.assert_allclose(ds["air_temperature"][0], [1, 2, 3])
    np.testing.assert_allclose(ds["relative_humidity"][0], [80, 70, np.nan])
    np.testing.assert_allclose(ds["shortwave_down"][0], [100, 50, np.nan])  # 8.64 MJ a day are 100 W
    np.testing.assert_allclose(ds["longwave_down"][0], [300, 310, 320])
    np.testing.assert_allclose(ds["wind_speed"][0], [2, 2.5, 3])  # at 2 m, not at 10 m
    assert "soil_moisture" not in ds and ORIGIN in ds["wind_speed"].attrs["origin"]


def test_radiation_in_the_units_that_the_header_states(tmp_path):
    values = {"ALLSKY_SFC_SW_DWN": [2.4, 1.2, 0.0]}
    ds = read_power(as_json(tmp_path / "a.json", values, {"ALLSKY_SFC_SW_DWN": "kW-hr/m^2/day"}))
    np.testing.assert_allclose(ds["shortwave_down"][0], [100, 50, 0])
    ds = read_power(as_csv(tmp_path / "b.csv", values, {"ALLSKY_SFC_SW_DWN": "W/m^2"}))
    np.testing.assert_allclose(ds["shortwave_down"][0], [2.4, 1.2, 0])


@pytest.mark.parametrize("write, name", [(as_json, "a.json"), (as_csv, "a.csv")])
def test_days_of_another_clock(tmp_path, write, name):
    file = write(tmp_path / name)
    file.write_text(file.read_text().replace("LST", "UTC"))
    with pytest.raises(DataError, match=f"{name}: time: its days are UTC"):
        read_power(file)


def station(site="A", lat=48.0, lon=8.2, **more):
    days = pd.date_range("2020-01-01", periods=3)
    values = {("soil_moisture", 1): [0.2, 0.3, 0.25]} | more
    series = {name: pd.Series(v, days) for name, v in values.items()}
    return station_dataset(site, Place(lat, lon), series, "test")


def test_only_what_a_station_lacks_entirely_is_filled(tmp_path):
    point = read_power(as_json(tmp_path / "point.json"))
    filled = validate(add_drivers(station(air_temperature=[np.nan, 9.0, np.nan]), [point]))
    np.testing.assert_array_equal(filled["air_temperature"][0], [np.nan, 9.0, np.nan])  # one measured day: left
    assert "origin" not in filled["air_temperature"].attrs
    np.testing.assert_array_equal(filled["wind_speed"][0], [2, 2.5, 3])
    assert filled["wind_speed"].attrs["origin"] == f"A: {ORIGIN} (WS2M)"
    np.testing.assert_array_equal(filled["soil_moisture"], station()["soil_moisture"])


def test_the_nearest_point_within_half_a_degree(tmp_path):
    near = read_power(as_json(tmp_path / "near.json", lat=48.2, lon=8.4))
    far = read_power(as_json(tmp_path / "far.json", VALUES | {"T2M": [7.0] * 3}, lat=48.5, lon=8.0))
    assert add_drivers(station(), [far, near])["air_temperature"].values[0, 0] == 1.0
    assert add_drivers(station(), [far])["air_temperature"].values[0, 0] == 7.0  # at 0.5 degrees exactly
    assert "air_temperature" not in add_drivers(station(lat=47.9), [far])


def test_a_folder_with_stations_and_points(tmp_path):
    (tmp_path / "sites.csv").write_text("site,lat,lon\nXX-Abc,48.0,8.2\n")
    table = pd.DataFrame({"TIMESTAMP": DAYS, "SWC": [20.0, 30.0, 25.0], "TA": [5.0, 6.0, 7.0]})
    (tmp_path / "XX-Abc_daily.csv").write_text(table.to_csv(index=False))
    as_json(tmp_path / "POWER_Point_Daily.json")
    ds = open_source(tmp_path)
    np.testing.assert_array_equal(ds["air_temperature"][0], [5, 6, 7])
    np.testing.assert_array_equal(ds["longwave_down"][0], [300, 310, 320])
    assert ds["longwave_down"].attrs["origin"].startswith("XX-Abc: from NASA POWER")


def test_points_alone_are_no_source(tmp_path):
    as_json(tmp_path / "point.json")
    with pytest.raises(DataError, match="holds no soil moisture data"):
        open_source(tmp_path)


@pytest.mark.parametrize("change, variable, rule", [
    ({"units": UNITS | {"T2M": "F"}}, "T2M", "units 'F' are not known; known are C, K"),
    ({"values": VALUES | {"T2M": [280.0] * 3}}, "T2M", "outside -75 to 60 degC"),
    ({"values": VALUES | {"ALLSKY_SFC_SW_DWN": [200.0] * 3}}, "ALLSKY_SFC_SW_DWN", "outside -5 to 550 W m-2"),
    ({"values": VALUES | {"RH2M": ["wet", "dry", "dry"]}}, "RH2M", "'wet' is not a number"),
    ({"days": ["20200101", "20200103", "20200102"]}, "time", "not in order"),
    ({"days": ["20200101", "20200132", "20200102"]}, "time", "cannot be read"),
    ({"values": {"TS": [1.0, 2.0, 3.0]}, "units": {"TS": "C"}}, "", "has none of the parameters T2M"),
])
def test_bad_values(tmp_path, change, variable, rule):
    file = as_json(tmp_path / "point.json", **change)
    with pytest.raises(DataError) as error:
        read_power(file)
    assert error.value.file == str(file) and error.value.variable == variable and rule in error.value.rule


def test_duplicate_days(tmp_path):
    file = as_csv(tmp_path / "point.csv")
    file.write_text(file.read_text().replace("2020,1,2,", "2020,1,1,"))
    with pytest.raises(DataError, match=r"point.csv: time: date 2020-01-01 .* stands twice"):
        read_power(file)


@pytest.mark.parametrize("write, name, rule", [(as_json, "a.json", "is not JSON"), (as_csv, "a.csv", "truncated")])
def test_truncated_and_empty(tmp_path, write, name, rule):
    file = write(tmp_path / name)
    file.write_text(file.read_text()[:-20])
    with pytest.raises(DataError, match=rule):
        read_power(file)
    file.write_text("")
    with pytest.raises(DataError, match=f"{name}: is empty"):
        read_power(file)


def test_json_without_a_place(tmp_path):
    (tmp_path / "a.json").write_text('{"properties": {}}')
    with pytest.raises(DataError, match="a.json: lacks 'geometry'"):
        read_power(tmp_path / "a.json")
