import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from smlib.data import DataError, open_source, validate
from smlib.data.readers.mapped import UNITS, convert
from smlib.data.schema import VARIABLES

MAP = {"time": {"column": "date", "format": "%d.%m.%Y"}, "site": {"name": "Field", "lat": 48.0, "lon": 11.0},
       "missing": [-99],
       "variables": {"soil_moisture": [{"column": "sm20", "units": "percent", "depth": 0.2},
                                       {"column": "sm05", "units": "percent", "depth": 0.05}],
                     "precipitation": {"column": "rain", "units": "mm d-1"}}}
TABLE = {"date": ["01.02.2020", "02.02.2020", "03.02.2020"], "sm05": [20.0, -99, 22.0], "sm20": [30.0, 31.0, 32.0],
         "rain": [0.0, 5.0, 1.0]}


def write(folder, changes=None, table=TABLE, name="data.csv", sep=","):
    (folder / "columns.yml").write_text(yaml.safe_dump(MAP | (changes or {})))
    (folder / name).write_text(pd.DataFrame(table).to_csv(index=False, sep=sep))
    return folder


def test_csv(tmp_path):
    ds = open_source(write(tmp_path))
    assert ds["site"].item() == "Field" and (ds["lat"].item(), ds["lon"].item()) == (48.0, 11.0)
    np.testing.assert_allclose(ds["depth_m"][0], [0.05, 0.2])  # from the top, whatever the order in the map
    np.testing.assert_allclose(ds["soil_moisture"][0], [[0.20, np.nan, 0.22], [0.30, 0.31, 0.32]])
    np.testing.assert_allclose(ds["precipitation"][0], [0, 5, 1])
    assert str(ds["time"].values[0])[:10] == "2020-02-01"


@pytest.mark.parametrize("name, units, value, expected", [
    ("soil_moisture", "percent", 25.0, 0.25), ("soil_moisture", "fraction", 0.25, 0.25),
    ("air_temperature", "K", 273.15, 0.0), ("air_temperature", "degF", 50.0, 10.0),
    ("shortwave_down", "MJ m-2 d-1", 8.64, 100.0), ("shortwave_down", "kW h m-2 d-1", 2.4, 100.0),
    ("precipitation", "kg m-2 h-1", 0.5, 12.0), ("precipitation", "kg m-2 s-1", 1e-4, 8.64),
    ("precipitation", "m d-1", 0.01, 10.0), ("precipitation", "in d-1", 1.0, 25.4),
    ("relative_humidity", "fraction", 0.7, 70.0), ("wind_speed", "km h-1", 36.0, 10.0),
])
def test_units(name, units, value, expected):
    assert convert(value, name, units, "f") == pytest.approx(expected)


def test_every_variable_can_be_given_in_its_own_units():
    assert {v.units for v in VARIABLES.values()} == set(UNITS)
    assert all(UNITS[units][units] == (1, 0) for units in UNITS)


@pytest.mark.parametrize("units, rain, expected", [("mm", 0.5, 24.0), ("mm h-1", 0.5, 12.0), ("mm d-1", 3.0, 3.0)])
def test_half_hours(tmp_path, units, rain, expected):
    stamps = pd.date_range("2020-02-01 00:15", periods=96, freq="30min")
    table = {"date": stamps, "sm": np.repeat([0.2, 0.3], 48), "rain": rain}
    changes = {"time": {"column": "date", "stamp": "middle"},
               "variables": {"soil_moisture": {"column": "sm", "units": "m3 m-3"},
                             "precipitation": {"column": "rain", "units": units}}}
    ds = open_source(write(tmp_path, changes, table))
    np.testing.assert_allclose(ds["soil_moisture"][0, 0], [0.2, 0.3])
    np.testing.assert_allclose(ds["precipitation"][0], [expected] * 2)
    assert np.isnan(ds["depth_m"]).all()


def test_several_stations_in_one_file_with_places_in_columns(tmp_path):
    table = {"id": ["a", "a", "b"], "y": [1.0, 1.0, 2.0], "x": [3.0, 3.0, 4.0],
             "date": ["01.02.2020", "02.02.2020", "02.02.2020"], "sm05": 20.0, "sm20": 30.0, "rain": 0.0}
    changes = {"site": {"column": "id", "lat": "y", "lon": "x"}, "separator": ";"}
    ds = open_source(write(tmp_path, changes, table, sep=";"))
    assert list(ds["site"].values) == ["a", "b"] and list(ds["lat"].values) == [1, 2]
    assert ds["soil_moisture"].sel(site="b", depth=1).count() == 1


def test_place_from_sites_csv(tmp_path):
    write(tmp_path, {"site": {"name": "Field"}})
    with pytest.raises(DataError, match=r"station Field is, is not known: add a sites.csv"):
        open_source(tmp_path)
    (tmp_path / "sites.csv").write_text("site,lat,lon\nField,1,2\n")
    assert open_source(tmp_path)["lat"].item() == 1


def test_station_netcdf(tmp_path):
    days = pd.date_range("2020-01-01", periods=3)
    xr.Dataset({"theta": (("time", "station"), [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])},
               {"time": days, "station": ["a", "b"], "y": ("station", [1.0, 2.0]),
                "x": ("station", [3.0, 4.0])}).to_netcdf(tmp_path / "stations.nc")
    content = {"time": {"column": "time"}, "site": {"column": "station", "lat": "y", "lon": "x"},
               "variables": {"soil_moisture": {"column": "theta", "units": "m3 m-3", "depth": 0.1}}}
    (tmp_path / "columns.yml").write_text(yaml.safe_dump(content))
    ds = open_source(tmp_path)
    np.testing.assert_allclose(ds["soil_moisture"].sel(site="b", depth=1), [0.2, 0.4, 0.6])
    assert ds["lon"].sel(site="b") == 4


def grid(folder, variables, **keys):
    days = pd.date_range("2020-01-01", periods=2)
    data = np.arange(12.0).reshape(2, 2, 3) + 270
    xr.Dataset({"t": (("time", "lat", "lon"), data), "top": (("time", "lat", "lon"), data / 10),
                "low": (("time", "lat", "lon"), data / 10 + 1)},
               {"time": days, "lat": [2.0, 1.0], "lon": [5.0, 6.0, 7.0]}).to_netcdf(folder / "grid.nc")
    content = {"grid": {"time": "time", "lat": "lat", "lon": "lon"}, "variables": variables} | keys
    (folder / "columns.yml").write_text(yaml.safe_dump(content))
    return folder


def test_grid_is_lazy(tmp_path):
    soil = [{"column": "top", "units": "percent"}, {"column": "low", "units": "percent"}]
    air = {"column": "t", "units": "K"}
    ds = open_source(grid(tmp_path, {"soil_moisture": soil, "air_temperature": air}, missing=[271]))
    assert ds["soil_moisture"].dims == ("time", "layer", "y", "x") and ds["soil_moisture"].chunks is not None
    assert ds["air_temperature"].dims == ("time", "y", "x")
    np.testing.assert_allclose(ds["soil_moisture"][0, 1, 0], [0.28, 0.281, 0.282])
    np.testing.assert_allclose(ds["air_temperature"][0, 0], [-3.15, np.nan, -1.15])
    np.testing.assert_array_equal(ds["lat"], [2, 1])
    assert ds["lat"].dims == ("y",) and ds["lon"].dims == ("x",)
    validate(ds)


def test_grid_without_its_variable(tmp_path):
    grid(tmp_path, {"soil_moisture": {"column": "sm", "units": "percent"}})
    with pytest.raises(DataError, match=r"grid.nc: sm: is missing; there are t, top, low, time, lat, lon"):
        open_source(tmp_path)


@pytest.mark.parametrize("changes, rule", [
    ({"colour": 1}, "unknown key colour in the map; known are files, separator, decimal, missing, time, site"),
    ({"time": {"column": "date", "zone": "UTC"}}, "unknown key zone in time; known are column, format, stamp"),
    ({"time": {"format": "%Y"}}, "key column is missing from time"),
    ({"time": {"column": "date", "stamp": "noon"}}, "stamp must be one of start, middle, end"),
    ({"site": {"lat": 1.0}}, "site needs a name or a column"),
    ({"variables": {"moisture": {"column": "sm05", "units": "percent"}}}, "moisture is not a canonical name"),
    ({"variables": {"soil_moisture": {"column": "sm05"}}}, "key units is missing from variables: soil_moisture"),
    ({"variables": {"soil_moisture": {"column": "sm05", "units": "percent", "deep": 1}}}, "unknown key deep"),
    ({"variables": ["sm05"]}, "variables must hold names out of soil_moisture"),
    ({"files": "*.tab"}, "describes no file: none is named *.tab"),
])
def test_bad_maps(tmp_path, changes, rule):
    write(tmp_path, changes)
    with pytest.raises(DataError) as error:
        open_source(tmp_path)
    assert error.value.file == str(tmp_path / "columns.yml") and rule in error.value.rule


def test_map_that_is_no_yaml(tmp_path):
    write(tmp_path)
    for text, rule in (("a: [1", "is not YAML"), ("words", "must hold keys out of"), ("", "must hold keys out of")):
        (tmp_path / "columns.yml").write_text(text)
        with pytest.raises(DataError, match=f"columns.yml: .*{rule}"):
            open_source(tmp_path)


def moisture(units):
    return {"variables": {"soil_moisture": {"column": "sm05", "units": units}}}


@pytest.mark.parametrize("changes, table, variable, rule", [
    ({}, {"sm05": None}, "sm05", "column is missing; there are date, sm20, rain"),
    (moisture("m3 m-3"), {}, "soil_moisture", "percent given as m3 m-3"),
    (moisture("percent"), {"sm05": 0.2}, "soil_moisture", "a fraction taken for percent"),
    (moisture("mm"), {}, "soil_moisture", "units 'mm' are not known; known are m3 m-3, percent"),
    ({}, {"rain": -5.0}, "precipitation", "outside 0 to 2000 mm d-1"),
    ({}, {"rain": "much"}, "rain", "'much' is not a number"),
    ({"separator": ";"}, {"rain": "0,5"}, "rain", "'0,5' is not a number; for decimal commas columns.yml takes"),
    ({}, {"date": ["01.02.2020", "01.02.2020", "03.02.2020"]}, "date of Field", "stands twice"),
    ({}, {"date": ["01.02.2020", "03.02.2020", "02.02.2020"]}, "date of Field", "not in order"),
    ({}, {"date": ["2020-02-01", "2020-02-02", "2020-02-03"]}, "date of Field",
     "holds dates that cannot be read, the first '2020-02-01' by the format '%d.%m.%Y'"),
    ({"time": {"column": "date"}}, {"date": ["2020-02-01", "2020-02-02", "soon"]}, "date of Field",
     "the first 'soon' by the format of the others"),
    ({"time": {"column": "date", "format": "%d.%m.%Y", "stamp": "end"}}, {}, "date", "take no stamp end: give the day"),
])
def test_bad_values(tmp_path, changes, table, variable, rule):
    table = {k: v for k, v in (TABLE | table).items() if v is not None}
    write(tmp_path, changes, table, sep=changes.get("separator", ","))
    with pytest.raises(DataError) as error:
        open_source(tmp_path)
    assert error.value.file == str(tmp_path / "data.csv") and error.value.variable == variable
    assert rule in error.value.rule


@pytest.mark.parametrize("stamp", ["2020-02-01 00:00Z", "2020-02-01T00:00:00+01:00", "2020-02-01 00:00:00.5 UTC",
                                   "2020-02-01T0000-0600"])
def test_times_with_a_zone_are_refused(tmp_path, stamp):
    """Days are of local standard time: UTC, or two offsets in a year, would be taken for it."""
    table = {"date": [stamp, stamp.replace("02-01", "02-02")], "sm05": 20.0, "sm20": 30.0, "rain": 0.0}
    write(tmp_path, {"time": {"column": "date"}}, table)
    with pytest.raises(DataError) as error:
        open_source(tmp_path)
    assert error.value.rule == f"{stamp!r} has a time zone; give local standard time, without one"


@pytest.mark.parametrize("form", ["%d-%m-%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M"])
def test_a_date_is_not_taken_for_a_zone(tmp_path, form):
    days = pd.date_range("2020-02-01", periods=3)
    write(tmp_path, {"time": {"column": "date", "format": form}}, TABLE | {"date": days.strftime(form)})
    assert open_source(tmp_path).indexes["time"].equals(days.rename("time"))


def test_decimal_commas(tmp_path):
    table = TABLE | {"sm05": ["20,5", "-99", "22,0"], "rain": ["0,0", "5,25", "1,0"]}
    ds = open_source(write(tmp_path, {"separator": ";", "decimal": ","}, table, sep=";"))
    np.testing.assert_allclose(ds["soil_moisture"][0, 0], [0.205, np.nan, 0.22])
    np.testing.assert_allclose(ds["precipitation"][0], [0, 5.25, 1])


def test_another_separator_is_guessed_in_the_message(tmp_path):
    write(tmp_path, sep=";")
    with pytest.raises(DataError, match="date: column is missing; there are date;sm05;sm20;rain: is the separator ';'"):
        open_source(tmp_path)


def test_empty_and_truncated(tmp_path):
    file = write(tmp_path) / "data.csv"
    file.write_text(file.read_text()[:-9])
    with pytest.raises(DataError, match=r"data.csv: line 4 has 3 fields, the header 4: truncated"):
        open_source(tmp_path)
    file.write_text("\n")
    with pytest.raises(DataError, match="data.csv: is empty"):
        open_source(tmp_path)


def test_one_station_in_two_files(tmp_path):
    write(tmp_path)
    write(tmp_path, name="again.csv")
    with pytest.raises(DataError, match="site: is in more than one file: Field"):
        open_source(tmp_path)
