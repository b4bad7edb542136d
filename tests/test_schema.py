import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.data import DRIVERS, VARIABLES, DataError, validate
from smlib.data.schema import dims_of, with_attributes


def stations(**replace):
    """Two stations with two levels and three days; `replace` sets variables or coordinates."""
    ds = xr.Dataset(
        {"soil_moisture": (("site", "depth", "time"), np.full((2, 2, 3), 0.25)),
         "air_temperature": (("site", "time"), np.full((2, 3), 10.0))},
        {"site": ["a", "b"], "depth": [1, 2], "time": pd.date_range("2020-01-01", periods=3),
         "lat": ("site", [10.0, 20.0]), "lon": ("site", [-5.0, 5.0]),
         "depth_m": (("site", "depth"), [[0.05, 0.2], [0.1, np.nan]])})
    return with_attributes(ds.assign({k: v for k, v in replace.items() if k in VARIABLES or k == "pressure"})
                           .assign_coords({k: v for k, v in replace.items() if k in ds.coords}))


def grid():
    return with_attributes(xr.Dataset(
        {"soil_moisture": (("time", "y", "x"), np.full((2, 2, 2), 0.3))},
        {"time": pd.date_range("2020-01-01", periods=2), "lat": ("y", [1.0, 2.0]), "lon": ("x", [1.0, 2.0])}))


def test_good_datasets_pass_unchanged():
    for ds in (stations(), grid(), grid().chunk({"time": 1})):
        assert validate(ds) is ds
    layers = grid().expand_dims(layer=3).transpose("time", "layer", "y", "x")
    assert validate(layers)["soil_moisture"].ndim == 4


def test_drivers_and_dims():
    assert set(DRIVERS) == set(VARIABLES) - {"soil_moisture"} and len(DRIVERS) == 7
    assert dims_of("wind_speed") == (("site", "time"),)
    assert dims_of("soil_temperature") == (("site", "depth", "time"),)
    assert dims_of("soil_moisture", grid=True)[1] == ("time", "layer", "y", "x")


def full(value, soil=True):
    return ("site", "depth", "time") if soil else ("site", "time"), np.full((2, 2, 3) if soil else (2, 3), value)


@pytest.mark.parametrize("replace, variable, rule", [
    ({"soil_moisture": full(25.0)}, "soil_moisture", "percent given as m3 m-3"),
    ({"soil_moisture": full(0.0025)}, "soil_moisture", "a fraction taken for percent"),
    ({"soil_moisture": full(np.nan)}, "soil_moisture", "every value is missing"),
    ({"soil_moisture": full(np.inf)}, "soil_moisture", "infinite"),
    ({"soil_moisture": (("depth", "site", "time"), np.full((2, 2, 3), 0.2))}, "soil_moisture", "has dims"),
    ({"soil_moisture": full(1)}, "soil_moisture", "not floating point"),
    ({"air_temperature": full(290.0, soil=False)}, "air_temperature", "outside -75 to 60 degC"),
    ({"relative_humidity": full(0.7, soil=False)}, "relative_humidity", "a fraction taken for percent"),
    ({"pressure": full(90.0, soil=False)}, "pressure", "not a canonical name"),
    ({"time": pd.to_datetime(["2020-01-01", "2020-01-01", "2020-01-02"])}, "time", "stands twice"),
    ({"time": pd.to_datetime(["2020-01-01", "2020-01-03", "2020-01-02"])}, "time", "not in order"),
    ({"time": pd.date_range("2020-01-01 06:00", periods=3)}, "time", "not daily"),
    ({"time": [1, 2, 3]}, "time", "not dates"),
    ({"site": ["a", "a"]}, "site", "stands twice"),
    ({"lat": ("site", [10.0, 91.0])}, "lat", "outside -90 to 90"),
    ({"lon": ("site", [10.0, 200.0])}, "lon", "outside -180 to 180"),
    ({"depth": [0, 1]}, "depth", "numbered 1, 2"),
    ({"depth_m": (("site", "depth"), [[0.2, 0.1], [0.1, 0.2]])}, "depth_m", "does not grow"),
    ({"depth_m": (("site", "depth"), [[5.0, 100.0], [0.1, 0.2]])}, "depth_m", "not 0 to 20 m"),
])
def test_broken_rules(replace, variable, rule):
    with pytest.raises(DataError) as error:
        validate(stations(**replace), "my.csv")
    assert (error.value.file, error.value.variable) == ("my.csv", variable) and rule in error.value.rule
    assert str(error.value) == f"my.csv: {variable}: {error.value.rule}"


def test_units_are_checked():
    ds = stations()
    ds["air_temperature"].attrs["units"] = "K"
    with pytest.raises(DataError, match="air_temperature: has units 'K', not 'degC'"):
        validate(ds)


@pytest.mark.parametrize("drop, rule", [("soil_moisture", "there is no soil moisture"), ("lat", "must be a coordinate"),
                                        ("depth_m", "must be a coordinate"), ("time", "no time coordinate")])
def test_what_must_be_there(drop, rule):
    with pytest.raises(DataError, match=rule):
        validate(stations().drop_vars(drop))


def test_an_empty_period_and_other_dims():
    with pytest.raises(DataError, match="time: is empty"):
        validate(stations().isel(time=slice(0)))
    with pytest.raises(DataError, match="neither stations .* nor a grid"):
        validate(xr.Dataset({"soil_moisture": ("time", [0.1])}))
    with pytest.raises(DataError, match="lat: is missing from the coordinates"):
        validate(grid().drop_vars("lat"))
