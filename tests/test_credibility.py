"""Statistics that judge a simulated world, against series whose statistics are known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.signal import lfilter

from smlib.evaluate import (
    against_stations,
    behaviour,
    beside_print,
    drying_time,
    implied_std,
    in_printed_range,
    inside_range,
)

RNG = np.random.default_rng(0)


def stations(moisture):
    """A canonical dataset out of (site, depth, time)."""
    sites, levels, days = moisture.shape
    return xr.Dataset(
        {"soil_moisture": (("site", "depth", "time"), moisture)},
        {"site": [f"s{k}" for k in range(sites)], "depth": np.arange(1, levels + 1),
         "time": pd.date_range("2001-01-01", periods=days),
         "depth_m": (("site", "depth"), np.tile([0.05, 0.5][:levels], (sites, 1)))})


def autoregressive(days, keep):
    return 0.3 + 0.05 * lfilter([np.sqrt(1 - keep**2)], [1, -keep], RNG.standard_normal(days))


def test_persistence_and_autocorrelation_of_a_first_order_series():
    """With autocorrelation a, the R2 of persistence is 2 a - 1."""
    table = behaviour(stations(np.array([[autoregressive(40000, 0.96), autoregressive(40000, 0.99)]])))
    assert table["depth_m"].tolist() == [0.05, 0.5]
    np.testing.assert_allclose(table["persistence"], [0.92, 0.98], atol=0.006)
    np.testing.assert_allclose(table["r_1"], [0.96, 0.99], atol=0.004)
    np.testing.assert_allclose(table["r_7"], [0.96**7, 0.99**7], atol=0.03)
    np.testing.assert_allclose(table["rise_over_fall"], 1, atol=0.03)
    np.testing.assert_allclose(table["rising"], 0.5, atol=0.01)


@pytest.mark.parametrize("tau", [3.0, 12.0, 60.0])
def test_drying_time_of_exponentials_and_of_nothing(tau):
    spells = [0.1 + top * np.exp(-np.arange(int(8 * tau)) / tau) for top in (0.2, 0.25, 0.15)]
    series = np.concatenate(spells)
    assert drying_time(series) == pytest.approx(tau, rel=0.03)
    gaps = series.copy()
    gaps[[5, 40]] = np.nan
    assert drying_time(gaps) == pytest.approx(tau, rel=0.03)
    assert np.isnan(drying_time(np.linspace(0.1, 0.4, 50)))


def test_sudden_rises_and_slow_falls():
    """A jump of 0.09 every tenth day, and falls of 0.01 between."""
    table = behaviour(stations(np.tile(0.3 - 0.01 * np.arange(10), 60)[None, None]))
    assert table["rise_over_fall"].item() == pytest.approx(9, rel=0.01)
    assert table["rising"].item() == pytest.approx(0.1, abs=0.002)


def test_levels_without_moisture_are_left_out():
    moisture = np.full((1, 2, 400), np.nan)
    moisture[0, 0] = autoregressive(400, 0.9)
    assert behaviour(stations(moisture))["level"].tolist() == [1]


def test_scores_against_stations_by_hand():
    time = pd.date_range("2001-01-01", periods=200)
    measured = xr.DataArray(np.tile([0.2, 0.3], (2, 100)), dims=("site", "time"),
                            coords={"site": ["a", "b"], "time": time})
    product = measured + 0.05 + 0.01 * (-1) ** np.arange(200)  # 0.26, 0.34: the swing is 0.08 for 0.1
    product[1, 50:] = np.nan
    table = against_stations({"P": product}, measured)
    assert table["site"].tolist() == ["a"] and table["n"].tolist() == [200]
    row = table.iloc[0]
    assert row["r"] == pytest.approx(1) and row["bias"] == pytest.approx(0.05)
    assert row["ubRMSE"] == pytest.approx(0.01) and row["RMSE"] == pytest.approx(np.hypot(0.05, 0.01))
    assert against_stations({"P": product}, measured, least=30)["n"].tolist() == [200, 50]


def test_inside_range_compares_with_the_nearest_depth():
    simulated = pd.DataFrame({"site": ["x", "y"] * 2, "level": [1, 1, 2, 2], "depth_m": [0.05, 0.05, 0.5, 0.5],
                              "std": [0.04, 0.06, 0.01, 0.02]})
    measured = pd.DataFrame({"site": ["m"] * 4, "level": [1, 2, 1, 2], "depth_m": [0.1, 0.4, np.nan, np.nan],
                             "std": [0.05, 0.05, 0.03, 0.05]})
    found = inside_range(measured, simulated, ["std"])
    assert found["against_m"].tolist() == [0.05, 0.5, 0.05]  # of unknown depth only the uppermost
    assert found["std"].tolist() == [True, False, False]


def test_the_printed_scores_imply_the_standard_deviation_of_the_truth():
    assert implied_std(pd.DataFrame({"rmse": [0.02], "r2": [0.75]})).item() == pytest.approx(0.04)


def test_products_stand_beside_print_by_land_cover():
    scores = pd.DataFrame({"product": "DCA", "site": list("abcd"), "r": [0.5, 0.7, 0.9, 0.1], "RMSE": 0.1, "bias": 0.0,
                           "ubRMSE": 0.1})
    places = pd.DataFrame({"network": "SCAN", "land_cover": ["Cropland", "Cropland/Natural Vegetation Mosaic",
                                                             "Grassland", "Barren"]}, index=list("abcd"))
    printed = pd.DataFrame({"land_cover": ["Croplands", "Grasslands", "Savannas", "Average"], "network": "SCAN",
                            "product": "DCA", "metric": "r", "value": [0.5, 0.7, 0.6, 0.65]})
    table = beside_print(scores, places, printed)
    np.testing.assert_allclose(table["simulated"], [0.6, 0.9, np.nan, 0.75])  # the average is one of land covers
    np.testing.assert_allclose(table["printed"], printed["value"])
    found = in_printed_range(table)  # 0.9 is above all that is printed
    assert found[["product", "metric", "inside", "count"]].to_numpy().tolist() == [["DCA", "r", 1, 2]]
