"""Fields at stations: known places, days and scores."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.conus import inputs
from smlib.conus import stations as st
from smlib.data.ease import EaseGrid
from smlib.data.schema import DataError

DAYS = pd.date_range("2020-01-01", periods=90)
GRID = EaseGrid(range(300, 342, 7), range(700, 756, 7))  # every 7th cell: 6 by 8


def field(values, days=DAYS):
    values = np.broadcast_to(np.asarray(values, float), (len(days), *GRID.shape))
    return xr.DataArray(values, {"time": days, "lat": ("y", GRID.lat), "lon": ("x", GRID.lon)}, ("time", "y", "x"))


def places(lat, lon, **coords):
    names = [f"S{k}" for k in range(len(lat))]
    return xr.Dataset(coords={"site": names, "lat": ("site", np.asarray(lat, float)),
                              "lon": ("site", np.asarray(lon, float))} | {k: ("site", v) for k, v in coords.items()})


def between(row, column):
    """Degrees of a place given in rows and columns of GRID, with parts."""
    x = GRID.x[0] + column * (GRID.x[1] - GRID.x[0])
    y = GRID.y[0] + row * (GRID.y[1] - GRID.y[0])
    from smlib.data.ease import transformer
    lon, lat = transformer().transform(x, y, direction="INVERSE")
    return lat, lon


def series(values, days=DAYS):
    values = np.atleast_2d(np.asarray(values, float))
    return xr.DataArray(values, {"site": [f"S{k}" for k in range(len(values))], "time": days}, ("site", "time"))


# which cell -------------------------------------------------------------------------------------------------------

PLANE = 0.1 + 0.01 * np.arange(GRID.shape[0])[:, None] + 0.002 * np.arange(GRID.shape[1])


def test_nearest_is_the_cell_itself_and_the_distance_is_zero_at_its_centre():
    here = places([GRID.lat[2], between(3.2, 4.4)[0]], [GRID.lon[5], between(3.2, 4.4)[1]], network=["SCAN", "USCRN"])
    found = st.at_stations(field(PLANE), here)
    assert found.dims == ("site", "time") and found["network"].values.tolist() == ["SCAN", "USCRN"]
    np.testing.assert_allclose(found[:, 0], [PLANE[2, 5], PLANE[3, 4]])
    assert found["distance_km"][0] == pytest.approx(0, abs=1e-3)
    # Cells are 7 x 9.008 km wide on the projection; there, at about 29 degrees north, longer north-south by 1 / cos.
    assert 20 < found["distance_km"][1] < 35


def test_the_nearest_valid_cell_counts_and_a_cell_that_never_has_a_value_is_not_valid():
    one = field(PLANE).copy()
    one[:, 2, 5] = np.nan
    lat, lon = between(2.0, 5.2)
    found = st.at_stations(one, places([lat], [lon]))
    assert found[0, 0] == pytest.approx(PLANE[2, 6])
    mask = np.ones(GRID.shape, bool)
    mask[2, 6] = mask[2, 5] = False
    masked = st.at_stations(field(PLANE), places([lat], [lon]), valid=mask)
    assert float(masked[0, 0]) not in (PLANE[2, 5], PLANE[2, 6])
    with pytest.raises(DataError, match="no valid cell"):
        st.at_stations(field(np.full(GRID.shape, np.nan)), places([lat], [lon]))


def test_bilinear_is_exact_on_a_plane_in_metres():
    rows, columns = np.array([0.0, 1.25, 3.9]), np.array([0.5, 6.75, 2.0])
    at = [between(r, c) for r, c in zip(rows, columns, strict=True)]
    found = st.at_stations(field(PLANE), places(*zip(*at, strict=True)), "bilinear")
    np.testing.assert_allclose(found[:, 0], 0.1 + 0.01 * rows + 0.002 * columns, atol=1e-9)


def test_bilinear_takes_valid_corners_alone_and_weighs_them_anew():
    one = field(PLANE).copy()
    one[:, 1, 1] = np.nan
    found = st.at_stations(one, places(*zip(between(1.5, 1.5), strict=True)), "bilinear")
    assert found[0, 0] == pytest.approx((PLANE[1, 2] + PLANE[2, 1] + PLANE[2, 2]) / 3)
    hole = field(PLANE).copy()
    hole[:, 1:3, 1:3] = np.nan
    none = st.at_stations(hole, places(*zip(between(1.5, 1.5), strict=True)), "bilinear")
    assert np.isnan(none).all() and np.isnan(none["distance_km"][0])


def test_bilinear_has_no_value_on_a_day_that_a_corner_misses_unless_its_weight_is_zero():
    one = field(PLANE).copy()
    one[3, 1, 1] = np.nan
    here = places(*zip(between(1.5, 1.5), between(2.0, 1.5), strict=True))
    found = st.at_stations(one, here, "bilinear")
    assert np.isnan(found.values).nonzero()[1].tolist() == [3] and np.isnan(found[0, 3])


def test_chunks_layers_and_leads_make_no_difference():
    here = places(*zip(between(1.3, 1.6), between(4.2, 5.9), strict=True))
    plain = field(PLANE + 0.1 * np.random.default_rng(0).random(GRID.shape))
    for method in ("nearest", "bilinear"):
        want = st.at_stations(plain, here, method)
        both = xr.concat([plain, 2 * plain], "lead").transpose("time", "lead", "y", "x").chunk({"time": 17})
        found = st.at_stations(both, here, method)
        assert found.dims == ("lead", "site", "time")
        np.testing.assert_allclose(found, np.stack([want, 2 * want]))
    with pytest.raises(ValueError, match="bilinear"):
        st.at_stations(plain, here, "cubic")


# which day --------------------------------------------------------------------------------------------------------

def test_a_forecast_is_compared_with_the_day_it_is_for():
    """By hand: issued on 1, 2 and 4 January for 3 days on, observed on 4, 5, 6 and 8 January."""
    made = series([[0.11, 0.12, 0.14]], pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-04"]))
    seen = series([[0.4, 0.5, 0.6, 0.8]], pd.to_datetime(["2020-01-04", "2020-01-05", "2020-01-06", "2020-01-08"]))
    one, other = st.forecast_at(made, seen, 3)
    assert [f"{t:%m-%d}" for t in one.indexes["time"]] == ["01-04", "01-05"]
    assert one.values.tolist() == [[0.11, 0.12]] and other.values.tolist() == [[0.4, 0.5]]


@pytest.mark.parametrize("lead", [1, 7])
def test_a_perfect_forecast_scores_no_error_at_its_own_lead_alone(lead):
    truth = field(0.2 + 0.1 * np.random.default_rng(1).random((len(DAYS), *GRID.shape)))
    leads = [1, 7]
    issued = DAYS[:-7]
    made = xr.concat([truth.sel(time=issued + pd.Timedelta(days=k)).assign_coords(time=issued) for k in leads], "lead")
    made = made.assign_coords(lead=leads)
    seen = st.at_stations(truth, places(*zip(between(1, 2), between(4, 6), strict=True)))
    one, other = st.forecast_at(made, seen, lead)
    np.testing.assert_array_equal(one, other)
    wrong, other = st.forecast_at(made.sel(lead=lead, drop=True), seen, lead + 1)
    assert st.station_scores(wrong, other)["rmse"].min() > 0.01
    with pytest.raises(ValueError, match="1, 7"):
        st.forecast_at(made, seen, 3)


# scores -----------------------------------------------------------------------------------------------------------

def test_scores_of_known_errors():
    rng = np.random.default_rng(2)
    seen = 0.2 + 0.05 * rng.random((3, 90))
    made = seen.copy()
    made[0] += 0.03
    made[1] = 0.5 - seen[1]
    made[2, :40] = np.nan
    found = st.station_scores(series(made), series(seen))
    assert found.index.tolist() == ["S0", "S1", "S2"] and found["n"].tolist() == [90, 90, 50]
    np.testing.assert_allclose(found.loc["S0", ["r", "rmse", "bias", "ubrmse"]].astype(float), [1, 0.03, 0.03, 0],
                               atol=1e-7)
    assert found.loc["S1", "r"] == pytest.approx(-1)
    assert found.loc["S2", ["r", "rmse", "bias", "ubrmse"]].isna().all()
    np.testing.assert_allclose(found["rmse"] ** 2, found["bias"] ** 2 + found["ubrmse"] ** 2, equal_nan=True)
    assert st.share_below(found, 0.01) == 0.5
    pooled = st.pooled_scores(series(made), series(seen))
    assert pooled["n"] == 230 and pooled["rmse"] ** 2 == pytest.approx(pooled["bias"] ** 2 + pooled["ubrmse"] ** 2)


def test_skill_against_errors_twice_as_large_is_three_quarters():
    rng = np.random.default_rng(3)
    errors = series(0.02 * rng.standard_normal((20, 90)))
    found = st.skill_by_lead({1: errors, 7: errors}, {1: 2 * errors, 7: errors}, draws=200).set_index("lead_d")
    np.testing.assert_allclose(found.loc[1, ["value", "low", "high"]].astype(float), 0.75)
    assert found.loc[7, "value"] == pytest.approx(0) and found["n"].tolist() == [1800, 1800]


def test_skill_counts_common_days_and_its_interval_covers_what_stations_differ_by():
    rng = np.random.default_rng(4)
    own, other = rng.standard_normal((2, 200, 90))
    own *= np.linspace(0.3, 1.5, 200)[:, None]
    other[:, ::2] = np.nan
    found = st.skill_by_lead({3: series(own)}, {3: series(other)}, draws=500).iloc[0]
    by_hand = 1 - (own[:, 1::2] ** 2).sum() / (other[:, 1::2] ** 2).sum()
    assert found["value"] == pytest.approx(by_hand) and found["n"] == 200 * 45
    few = st.skill_by_lead({3: series(own[::20])}, {3: series(other[::20])}, draws=500).iloc[0]
    assert found["low"] < by_hand < found["high"]
    assert few["high"] - few["low"] > 2 * (found["high"] - found["low"])


# classes and print ------------------------------------------------------------------------------------------------

@pytest.fixture
def stations():
    return places([35, 36, 37, 38], [-100] * 4, network=["SCAN", "SCAN", "USCRN", "USCRN"],
                  cover_group=["Grassland", "Grassland", "Savannas", "Forest"],
                  land_cover=["Grassland", "Grassland", "Woody Savanna", "Mixed Forest"],
                  texture_1=["Sandy Loam", "Loam", "Silty Clay", "Silt Loam"],
                  texture_2=["Loam"] * 4, texture_3=["Clay"] * 4)


def test_classes_are_grouped_as_the_paper_does(stations):
    found = st.classes(stations, 1)
    assert found["texture_class"].tolist() == ["coarse", "medium", "fine", "medium"]
    assert set(st.classes(stations, 3)["texture_class"]) == {"fine"}
    with pytest.raises(DataError, match="Gravel"):
        st.classes(stations.assign_coords(texture_1=("site", ["Gravel"] * 4)))
    with pytest.raises(DataError, match="texture_2"):
        st.classes(stations.drop_vars("texture_2"), 2)


def test_means_by_cover_stand_beside_print(stations):
    scores = pd.DataFrame({"n": 100, "r": [0.5, 0.7, 0.9, 0.1], "rmse": 0.1, "bias": [0.01, np.nan, 0.0, 0.0],
                           "ubrmse": 0.05}, index=pd.Index(stations["site"].values, name="site"))
    table = st.by_cover({"DCA": scores, "mine": scores}, st.classes(stations)).set_index(
        ["land_cover", "network", "product", "metric"])
    grass = table.loc["Grasslands", "SCAN", "DCA", "r"]
    assert grass["ours"] == pytest.approx(0.6) and grass["n"] == 2 and grass["printed"] == 0.63
    assert table.loc[("Grasslands", "SCAN", "DCA", "bias"), ["ours", "n"]].tolist() == [0.01, 1]
    assert table.loc[("Woody Savannas", "USCRN", "mine", "r"), "ours"] == pytest.approx(0.9)
    assert np.isnan(table.loc[("Woody Savannas", "USCRN", "mine", "r"), "printed"])
    assert table.loc[("Average", "USCRN", "DCA", "r"), "ours"] == pytest.approx(0.9)  # forest is not in the table
    assert not table.index.duplicated().any()


def test_the_two_papers_print_the_same_table_but_for_rounding_and_one_value():
    table = st.printed_by_cover()
    assert len(table) == 4 * 4 * 2 * 7 and table["printed_2024"].notna().sum() == 2 * 4 * 2 * 6
    apart = table[(table["printed"] - table["printed_2024"]).abs() > 0.0051]
    assert apart[["network", "product", "metric", "printed", "printed_2024"]].to_numpy().tolist() == [
        ["USCRN", "NLDAS-2", "bias", -0.001, -0.01]]
    said = inputs.papers_apart(table)
    assert "Of the 96 values that both papers print, 1 differs" in said and "−0.001 against −0.01" in said


def test_quartiles_of_known_values_beside_print(stations):
    index = pd.Index([f"S{k}" for k in range(4)], name="site")
    scores = pd.DataFrame({"r": [0.2, 0.4, 0.5, np.nan], "ubrmse": 0.05, "bias": 0.0}, index=index)
    found = st.quartiles(scores, st.classes(stations), "0-10", "S2").set_index(["network", "metric"])
    row = found.loc[("SCAN", "r")]
    assert row[["q1", "median", "q3"]].tolist() == pytest.approx([0.25, 0.3, 0.35]) and row["n"] == 2
    assert row["printed_median"] == 0.61 and found.loc[("USCRN", "r"), "n"] == 1
    assert "printed_q1" not in st.quartiles(scores, st.classes(stations))
    with pytest.raises(ValueError, match="S9"):
        st.quartiles(scores, st.classes(stations), "0-10", "S9")


def test_counts_add_up(stations):
    found = st.station_counts(stations)
    for table in found.values():
        assert table["ours"].sum() == 4 * 3
    texture = found["texture"].set_index(["texture", "network", "layer_cm"])
    assert texture.loc[("Sandy Loam", "SCAN", "0-10"), ["printed", "ours"]].tolist() == [60, 1]


def test_what_a_page_shows_of_the_tables(stations):
    assert inputs.beside(3, 3) == "3" and inputs.beside(3, 4) == "3 | 4"
    assert inputs.beside(np.nan, -0.1234, 2) == "– | −0.12"
    wide = inputs.counts_wide(st.station_counts(stations)["texture"], ["class", "texture"])
    assert wide.loc[("Coarse", "Sandy Loam"), ("SCAN", "0-10")] == "60 | 1"


def test_the_loss_by_distance_finds_what_was_put_in():
    index = pd.Index([f"S{k}" for k in range(30)], name="site")
    km = pd.Series(np.linspace(0, 60, 30), index=index, name="distance_km")
    own = pd.DataFrame({"r": 0.7, "ubrmse": 0.05}, index=index)
    near = own.assign(r=0.7 - 0.004 * km)
    table, rho, p = inputs.loss_by_distance({"own cell": {"DCA": own}, "nearest": {"DCA": near}}, km)
    assert rho == pytest.approx(1) and p < 0.01 and table["stations"].tolist() == [10, 10, 10]
    assert (table["r nearest"].diff()[1:] < 0).all() and (table["r own"] == 0.7).all()
