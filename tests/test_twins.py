"""Station twins: the canonical schema, the printed places and statistics, and the same twin in any company."""

import numpy as np
import pytest
import xarray as xr

from smlib.nature.network import EXACT
from smlib.nature.twins import DEPTHS_M, station_table, station_twins

SITES = ["Palestine-6-WNW", "ClotdelesPeresII", "Shadow Mtns"]


@pytest.fixture(scope="module")
def twins():
    return station_twins(SITES)


def test_all_thirty_stations_have_texture_place_and_period():
    table = station_table()
    assert len(table) == 30 and not table.drop(columns=["period"]).isna().any(axis=None)
    assert (table["test_end"] > table["train_start"]).all()
    assert table.loc["Monahans-6-ENE", "lon"] == -102.81 and table.loc["Durham-11-W", "lat"] == 35.97


def test_twins_are_simulated_stations_in_the_schema(twins):
    for ds in twins:
        assert ds.attrs["kind"] == "simulated" and ds["site"].values.tolist() == SITES
        np.testing.assert_array_equal(ds["depth_m"], [DEPTHS_M] * 3)
        period = ds["precipitation"].sel(site="Palestine-6-WNW").dropna("time")["time"].values
        table = station_table().loc["Palestine-6-WNW"]
        assert period[0] == np.datetime64(table["train_start"]) and period[-1] == np.datetime64(table["test_end"])


@pytest.mark.parametrize("site", SITES)
def test_the_weather_has_the_printed_statistics(twins, site):
    ds, printed = twins[0].sel(site=site), station_table().loc[site]
    for name, column in (("precipitation", "p"), ("air_temperature", "ta")):
        assert float(ds[name].mean()) == pytest.approx(printed[f"{column}_mean"], rel=0.15)
        assert float(ds[name].std()) == pytest.approx(printed[f"{column}_std"], rel=0.15)


def test_moisture_remembers_longer_with_depth(twins):
    for site in SITES:
        truth = twins[1]["soil_moisture"].sel(site=site).dropna("time")
        change = ((truth.diff("time") ** 2).mean("time") / truth.var("time")).values
        assert (np.diff(change) < 0).all() and change[0] < 0.4


def test_what_is_reported_departs_from_the_truth_by_the_sensors_errors(twins):
    seen, truth = (ds["soil_moisture"] for ds in twins)
    assert 0.005 < float(abs(seen - truth).mean()) < 0.05
    exact, again = station_twins(SITES[1:2], sensor=EXACT)
    warm = again["soil_temperature"] > 0
    np.testing.assert_allclose(exact["soil_moisture"].where(warm), again["soil_moisture"].where(warm), atol=1e-6)
    np.testing.assert_array_equal(exact["soil_moisture"].isnull(), ~warm)


def test_a_twin_is_the_same_in_any_company(twins):
    for whole, alone in zip(twins, station_twins(SITES[:1]), strict=True):
        one = whole.sel(site=SITES[:1]).dropna("time", how="all")
        xr.testing.assert_equal(one.sel(time=alone["time"]), alone)
    assert not station_twins(SITES[:1], seed=1)[0].equals(alone)


def test_an_unknown_station_is_an_error():
    with pytest.raises(ValueError, match="no such station.*Atlantis"):
        station_twins(["Atlantis"])
