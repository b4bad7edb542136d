import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.data import DRIVERS, VARIABLES, DataError, validate
from smlib.data.schema import KNOWN, PRODUCTS, STATICS, dims_of, with_attributes


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


def gridded(name, value, layers=0, time=True):
    """A 2 x 2 grid with one variable; with layers 10 cm thick."""
    dims = (*(("time",) if time else ()), *(("layer",) if layers else ()), "y", "x")
    sizes = {"time": 3, "layer": layers, "y": 2, "x": 2}
    edges = np.arange(layers + 1) / 10
    coords = {"lat": ("y", [1.0, 2.0]), "lon": ("x", [1.0, 2.0])}
    if time:
        coords["time"] = pd.date_range("2020-01-01", periods=3)
    if layers:
        coords |= {"layer": np.arange(1, layers + 1), "top_m": ("layer", edges[:-1]), "bottom_m": ("layer", edges[1:])}
    return with_attributes(xr.Dataset({name: (dims, np.full([sizes[d] for d in dims], value, float))}, coords))


def test_products_and_maps_have_names_of_their_own():
    assert len(KNOWN) == len(VARIABLES) + len(PRODUCTS) + len(STATICS)
    assert dims_of("soil_moisture_dca") == (("site", "time"),)
    assert dims_of("snow_water", grid=True) == (("time", "y", "x"),)
    assert dims_of("sand") == (("site", "depth"),) and dims_of("elevation") == (("site",),)
    assert dims_of("sand", grid=True) == (("y", "x"), ("layer", "y", "x"))
    assert dims_of("elevation", grid=True) == (("y", "x"),)


@pytest.mark.parametrize("name", KNOWN)
def test_every_variable_has_a_range_and_units(name):
    v = KNOWN[name]
    middle = gridded(name, (v.low + min(v.high, 100 * (1 + v.low**2))) / 2, time=not v.static)
    assert validate(middle, needs=())[name].attrs["units"] == v.units and v.long_name and v.symbol
    for value in (v.low - 1, v.high * 1.01):
        with pytest.raises(DataError, match=f"{name}: "):
            validate(gridded(name, value, time=not v.static), needs=())
    middle[name].attrs["units"] = "furlong"
    with pytest.raises(DataError, match="has units 'furlong'"):
        validate(middle, needs=())


def test_what_is_needed_is_for_the_caller_to_say():
    rain = gridded("precipitation", 3.0)
    assert validate(rain, needs=()) is rain and validate(rain, needs=["precipitation"]) is rain
    with pytest.raises(DataError, match="soil_moisture: there is no soil moisture"):
        validate(rain)
    with pytest.raises(DataError, match="soil_moisture_dca: there is no soil moisture dca"):
        validate(rain, needs=("precipitation", "soil_moisture_dca"))


def test_only_what_does_not_change_comes_without_time():
    maps = gridded("sand", 30.0, layers=3, time=False).assign(
        land_cover=gridded("land_cover", 4.0, time=False)["land_cover"])
    assert validate(maps, needs=()) is maps
    with pytest.raises(DataError, match="time: there is no time coordinate"):
        validate(maps.assign(precipitation=(("y", "x"), np.ones((2, 2)))), needs=())
    with pytest.raises(DataError, match="sand: has dims"):
        validate(gridded("sand", 30.0, time=True), needs=())
    with pytest.raises(DataError, match="time: there is no time coordinate"):
        validate(xr.Dataset(coords={"lat": ("y", [1.0]), "lon": ("x", [1.0])}), needs=())


def test_layers_have_depths_that_do_not_overlap():
    layers = gridded("soil_moisture", 0.3, layers=3)
    assert validate(layers) is layers and layers["top_m"].attrs["units"] == layers["bottom_m"].attrs["units"] == "m"
    apart = layers.assign_coords(bottom_m=("layer", [0.05, 0.15, 0.3]))
    assert validate(apart) is apart
    for name, depths in (("top_m", [0.0, 0.05, 0.2]), ("bottom_m", [0.1, 0.1, 0.3]), ("top_m", [0.2, 0.1, 0.0])):
        with pytest.raises(DataError, match="top_m: layers .* overlap"):
            validate(layers.assign_coords({name: ("layer", depths)}))
