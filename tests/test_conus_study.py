"""The CONUS studies on a small cube whose moisture is known to follow from what the networks see."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.conus import (
    Opening,
    Settings,
    Study,
    answers,
    baselines,
    estimates,
    estimations,
    forecasts,
    pages,
    skill,
    tables,
)
from smlib.conus import training as conus_training
from smlib.conus.data import open_study, periods
from smlib.conus.scenarios import LEADS, channels, target, target_scaler
from smlib.data.schema import DataError
from smlib.train.distributed import place

NY, NX, DAYS = 9, 10, 150
SPLIT = ("2018-01-01", "2018-03-11", "2018-04-19", "2018-05-30")
TINY = Settings(width=0.0625, layers=2, epochs=1, share=1.0, validation_share=1.0, predict_stride=8, device="cpu")


def small_study(change=None):
    """Moisture that fades; a sea in the first column; SMAP sees two of three days."""
    draw = np.random.default_rng(0)
    time = pd.date_range("2018-01-01", periods=DAYS)
    land = np.ones((NY, NX), bool)
    land[:, 0] = False
    moisture = np.zeros((DAYS, 3, NY, NX))
    for day in range(1, DAYS):
        moisture[day] = 0.9 * moisture[day - 1] + 0.02 * draw.normal(size=(3, NY, NX))
    moisture = 0.25 + moisture
    if change is not None:
        change(moisture)
    moisture[..., ~land] = np.nan
    passes = np.where(np.arange(DAYS)[:, None, None] % 3 > 0, moisture[:, 0], np.nan)
    daily = {name: (("time", "y", "x"), draw.normal(size=(DAYS, NY, NX))) for name in
             ("vegetation_opacity", "vegetation_water_content", "land_surface_temperature", "swir_transform",
              "precipitation")}
    daily["precipitation"] = ("time", "y", "x"), np.abs(daily["precipitation"][1])
    daily |= {f"brightness_temperature_{p}": (("time", "y", "x"), 280 - 200 * passes) for p in "hv"}
    daily["soil_moisture_dca"] = ("time", "y", "x"), passes
    fixed = {name: (("y", "x"), np.abs(draw.normal(size=(NY, NX)))) for name in
             ("elevation", "slope", "curvature", "flow_accumulation")}
    fixed |= {"aspect": (("y", "x"), draw.uniform(0, 360, (NY, NX)))}
    soil = {name: (("layer", "y", "x"), draw.uniform(10, 60, (3, NY, NX))) for name in ("sand", "silt", "clay")}
    coords = {"time": time, "lat": ("y", np.linspace(40, 39, NY)), "lon": ("x", np.linspace(-100, -99, NX))}
    cube = xr.Dataset(daily | fixed | soil | {"soil_moisture": (("time", "layer", "y", "x"), moisture)}, coords)
    sites = {"lat": ("site", [39.9, 39.4, 39.0]), "lon": ("site", [-99.55, -99.3, -99.8]),
             "network": ("site", ["SCAN", "SCAN", "USCRN"])}
    at = moisture[:, :, [1, 5, 8], [4, 6, 2]].transpose(2, 1, 0)
    stations = xr.Dataset({"soil_moisture": (("site", "depth", "time"), at)}, {"site": ["a", "b", "c"], "time": time} |
                          sites)
    truth = cube["soil_moisture"] + 0.01
    return Study(cube, truth, stations, stations, {}, periods(time.values, SPLIT), "simulated", "smoke", "small")


@pytest.fixture(scope="module")
def study():
    return small_study()


@pytest.fixture
def opened(study, tmp_path, monkeypatch):
    """Trainings of the small study, kept in a folder of the test."""
    monkeypatch.setattr(conus_training, "open_again", lambda opening: study)
    monkeypatch.setattr(conus_training.paths, "LOCAL", tmp_path)
    conus_training._prepared.cache_clear()
    yield Opening()
    conus_training._prepared.cache_clear()


# what goes in

def test_periods_follow_one_another_and_lie_in_the_data():
    time = np.arange("2018-01-01", "2018-12-31", dtype="M8[D]")
    found = periods(time, ("2018-01-01", "2018-03-01", "2018-05-01", "2018-05-31"))
    assert found == {"train": slice(0, 59), "validation": slice(59, 120), "test": slice(120, 151)}
    with pytest.raises(ValueError, match="follow one another"):
        periods(time, ("2018-01-01", "2018-06-01", "2018-05-01", "2018-05-31"))
    with pytest.raises(ValueError, match="four dates"):
        periods(time, ("2018-01-01", "2018-06-01"))
    with pytest.raises(DataError, match="beyond the data"):
        periods(time, ("2017-01-01", "2018-03-01", "2018-05-01", "2018-05-31"))


def test_unknown_sources_scales_scenarios_and_settings_are_named():
    with pytest.raises(ValueError, match="no source 'folder'"):
        open_study("folder")
    with pytest.raises(ValueError, match="no scale 'huge'"):
        open_study(scale="huge")
    with pytest.raises(ValueError, match="no scenario S9"):
        forecasts(("S1", "S9"))
    with pytest.raises(ValueError, match="some of 1, 2 and 3"):
        forecasts(layers=(0, 1))
    with pytest.raises(ValueError, match="no setting widht"):
        Settings.of({"widht": 1})


def test_scenarios_are_those_in_print():
    nine = forecasts()
    assert forecasts(layers=(2,)) == nine[1::3] and len(nine) == 9 and max(len(one.predictors) for one in nine) == 17
    assert [one.leads for one in nine] == [(1, 3, 7, 14, 30)] * 9
    assert all(one.upper is (None if one.layer == 1 else nine[k - 1]) for k, one in enumerate(nine))
    four = estimations()
    assert [(one.layer, one.name) for one in four] == [(1, "S1"), (1, "S2"), (2, "S1"), (2, "S2")]
    assert four[3].upper is four[1] and not any("soil_moisture" in name for one in four for name in one.daily)
    assert "soil_moisture" in forecasts(("S4",))[0].daily


def test_scaling_knows_the_training_days_alone(study):
    def spoil(moisture):
        moisture[69:] += 0.5

    other = small_study(spoil)
    assert study.periods["train"] == slice(0, 69)
    assert target_scaler(study, 1) == target_scaler(other, 1)
    for scenario in (forecasts(("S4",))[1], estimations()[0]):
        daily, fixed = channels(study, replace(scenario, upper=None))
        changed, _ = channels(other, replace(scenario, upper=None))
        np.testing.assert_array_equal(daily[:69], changed[:69])
        train = daily[:69][:, :, study.land]
        np.testing.assert_allclose(np.nanmean(train, (0, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(np.nanstd(train, (0, 2)), 1, atol=1e-5)
        assert np.isnan(daily[..., ~study.land]).all() and (fixed is None or np.isnan(fixed[:, ~study.land]).all())


def test_targets_are_the_layers_and_for_the_surface_dca_too(study):
    scaler = target_scaler(study, 2)
    lower = target(study, estimations()[2], scaler)
    np.testing.assert_allclose(scaler.back(lower[:, 0]), study.cube["soil_moisture"].values[:, 1], atol=1e-6)
    surface = target(study, estimations()[0], target_scaler(study, 1))
    assert surface.shape[1] == 2 and np.isnan(surface[0, 1]).all() and np.isfinite(surface[1, 1, :, 1:]).all()


# training

def test_networks_are_trained_once_in_order_and_the_lower_sees_the_upper(opened, study, monkeypatch):
    scenarios = forecasts(("S1",))[:2]
    first = conus_training.train_all(opened, scenarios, TINY)
    upper, lower = (first[one] for one in scenarios)
    assert lower.model.settings["channels"] == upper.model.settings["channels"] + len(LEADS)
    assert upper.made.dims == ("time", "lead", "y", "x") and upper.made.attrs["units"] == "m3 m-3"
    assert upper.made["time"].values[0] == study.cube["time"].values[2]  # two days of lookback before
    assert upper.made["time"].values[-1] == study.cube["time"].values[DAYS - 1 - 30]
    third = forecasts(("S1",))[2]
    assert [one.feeds for one in (*scenarios, third)] == [True, True, False]
    assert [one.feeds for one in estimations()] == [False, True, False, False]
    assert study.cube["time"].values[conus_training._days_made(study, third)[0]] == np.datetime64("2018-04-19")
    values = upper.made.values
    assert np.isfinite(values[..., study.land]).all() and np.isnan(values[..., ~study.land]).all()
    assert 0.1 < np.nanmean(values) < 0.4
    monkeypatch.setattr(conus_training, "_train", lambda *a: pytest.fail("trained again"))
    again = conus_training.train_all(opened, scenarios, TINY)
    np.testing.assert_array_equal(again[scenarios[1]].made.values, lower.made.values)


def test_the_same_settings_give_the_same_bits_others_another_network(opened, tmp_path, monkeypatch):
    one = estimations()[0]
    made = conus_training.train_all(opened, [one], TINY)[one].made.values
    stems = {conus_training._stem(opened, one, s) for s in (TINY, replace(TINY, seed=1), replace(TINY, share=0.2))}
    assert len(stems) == 3
    monkeypatch.setattr(conus_training.paths, "LOCAL", tmp_path / "again")
    np.testing.assert_array_equal(conus_training.train_all(opened, [one], TINY)[one].made.values, made)


def test_what_comes_after_validation_changes_no_weight(opened, study, monkeypatch, tmp_path):
    one = forecasts(("S4",))[0]
    before = conus_training.train_all(opened, [one], TINY)[one].model.state_dict()

    def spoil(moisture):
        assert study.periods["validation"].stop == 108
        moisture[108:] = draw.uniform(0.1, 0.4, moisture[108:].shape)

    draw = np.random.default_rng(5)
    other = small_study(spoil)
    monkeypatch.setattr(conus_training, "open_again", lambda opening: other)
    monkeypatch.setattr(conus_training.paths, "LOCAL", tmp_path / "other")
    conus_training._prepared.cache_clear()
    after = conus_training.train_all(opened, [one], TINY)[one].model.state_dict()
    for name, value in before.items():
        np.testing.assert_array_equal(value.numpy(), after[name].numpy())


def test_unknown_losses_are_refused(opened):
    with pytest.raises(ValueError, match="forecast or printed"):
        conus_training.train_one(opened, forecasts(("S1",))[0], replace(TINY, forecast_loss="other"))


def test_tables_of_networks(opened):
    scenarios = forecasts(("S1",))[:1]
    trained = conus_training.train_all(opened, scenarios, TINY)
    row = tables.training_table(trained).iloc[0]
    assert row["parameters"] == sum(p.numel() for p in trained[scenarios[0]].model.parameters())
    assert (row["epochs"], row["best_epoch"]) == (1, 1)
    assert "2 layers of 4, 16 filters in place of 8 of 4 to 256" in tables.share_of_papers(trained)
    assert tables.scenario_table(scenarios).loc[0, "predictors"] == 9
    cost = tables.cost_table(trained, "forecast", "cpu").set_index("metric")
    assert set(cost["model"]) == {"ConvLSTM S1, 0-10 cm"} and set(cost["device"]) == {"cpu"}
    assert cost.loc["train_s", "value"] == row["training_s"] and cost.loc["forecast_s", "value"] == row["prediction_s"]
    assert cost.loc["parameters", "value"] == row["parameters"]
    assert cost.loc["forecast_days", "value"] == trained[scenarios[0]].made.sizes["time"]
    assert place() == (0, 1)


# skill

def lead_fields(study, values):
    """(time, lead, y, x) of a function of (target day, cell values)."""
    issue = skill.issues_of_test(study)
    return baselines.on_grid(study, np.stack([[values(day + lead) for lead in LEADS] for day in issue]), issue, LEADS)


def test_scores_of_forecasts_of_known_error(study):
    series = study.cube["soil_moisture"].values[:, 0][:, study.land]
    made = {"S1": lead_fields(study, lambda day: series[day] + 0.02),
            "persistence": lead_fields(study, lambda day: series[day] + 0.04 * (-1) ** day),
            "climatology": lead_fields(study, lambda day: np.full_like(series[0], 0.25))}
    table = skill.cell_scores(made, skill.reference_field(study, 1), 50).set_index(["method", "lead_d"])
    for lead in LEADS:
        one = table.loc[("S1", lead)]
        np.testing.assert_allclose([one["rmse"], one["bias"], one["median_rmse"], one["median_r"]],
                                   [0.02, 0.02, 0.02, 1], atol=1e-5)
        np.testing.assert_allclose([one[c] for c in ("skill_persistence", "low_persistence", "high_persistence")],
                                   0.75, atol=1e-5)
        assert one["median_ubrmse"] < 1e-4 and np.isnan(table.loc[("climatology", lead), "median_r"])
    against_truth = skill.cell_scores(made, skill.reference_field(study, 1, "truth"), 50)
    np.testing.assert_allclose(against_truth.set_index(["method", "lead_d"]).loc["S1", "bias"], 0.01, atol=1e-5)
    with pytest.raises(ValueError, match="NLDAS-2 or truth"):
        skill.reference_field(study, 1, "SMAP")


def test_baselines_forecast_what_they_say(study):
    found, _ = baselines.baseline_forecasts(study, 1, boosting=False)
    series = study.cube["soil_moisture"].values[:, 0]
    issue = skill.issues_of_test(study)
    np.testing.assert_allclose(found["persistence"].values[:, 2], series[issue], atol=1e-6)
    assert np.isnan(found["climatology"].values[..., ~study.land]).all()
    apart = [np.nanmean(np.abs(found["damped anomaly"] - found[name]).values, (0, 2, 3)) for name in
             ("persistence", "climatology")]
    assert apart[0][0] < apart[1][0] and apart[0][-1] > apart[1][-1]  # from one to the other with the lead


def test_estimates_stand_beside_products_climatology_and_boosting(opened, study):
    scenarios = estimations()[:2]
    trained = conus_training.train_all(opened, scenarios, TINY)
    without = baselines.estimate_baselines(study, scenarios[1])
    fields = estimates.estimate_fields(study, trained, 1, without[0])
    assert list(fields) == ["ConvLSTM S1", "ConvLSTM S2", "climatology", "HistGB", "NLDAS-2", "DCA"]
    table = estimates.against_truth(study, fields, 1, 20).set_index("method")
    np.testing.assert_allclose(table.loc[["NLDAS-2", "DCA"], "rmse"], 0.01, atol=1e-5)  # the truth is 0.01 above
    assert table["n"].nunique() == 1
    # Brightness gives the moisture away on two days of three, which are those that are scored.
    assert table.loc["HistGB", "rmse"] < 0.02 < table.loc["climatology", "rmse"]
    there = estimates.at_sites(study, fields)
    scores = {1: estimates.scores_at(there, estimates.observed_at(study, 1), least=10)}
    assert scores[1]["NLDAS-2"]["r"].min() > 0.9
    printed = estimates.table_3(scores).set_index(["estimate", "metric"])
    assert printed.loc[("ConvLSTM S2", "rmse"), "printed"] == 0.086 and np.isnan(printed.loc[("DCA", "r"), "printed"])
    rows = estimates.skill_rows(scores, {1: table.reset_index()}, "twin")
    assert {"skill_NLDAS-2", "RMSE", "r"} <= set(rows["metric"]) and not rows.duplicated(list(rows.columns[:9])).any()
    said, detail = answers.estimate(scores, {1: table.reset_index()})
    assert "at 0-10 cm surely worse than NLDAS-2" in said and "ConvLSTM S1" in detail
    # Every model that learnt something has seconds, and nothing else has.
    cost = tables.cost_table(trained, "fusion", "cuda", {1: without})
    timed = cost[cost["metric"].isin(["train_s", "forecast_s"])]
    assert {name.split()[0].rstrip(",") for name in timed["model"]} == set(rows["model"]) - {"NLDAS-2", "DCA"}
    assert (timed.groupby("model").size() == 2).all() and (timed["value"] > 0).all()
    assert set(cost.loc[cost["model"] == "HistGB, 0-10 cm", "device"]) == {"cpu"}
    days = cost[cost["metric"] == "forecast_days"].set_index("model")["value"]
    assert days["HistGB, 0-10 cm"] == fields["HistGB"].sizes["time"]


def test_forecast_tables_and_words(opened, study):
    series = study.cube["soil_moisture"].values[:, 0][:, study.land]
    without = baselines.baseline_forecasts(study, 1)
    made = {"S1": lead_fields(study, lambda day: series[day] + 0.001), **without[0]}
    cells = {1: {"NLDAS-2": skill.cell_scores(made, skill.reference_field(study, 1), 20)}}
    stations = {1: skill.station_table(study, made, 1, least=10)}
    per_site = stations[1].set_index(["method", "lead_d", "site"])
    # A station stands in its cell, and its own moisture is that cell's: a lead off by a day would show.
    assert per_site.loc[("S1", 7), "rmse"].max() == pytest.approx(0.001, abs=1e-5)
    at = {1: skill.station_skill(study, made, 1, draws=20)}
    rows = skill.skill_rows(cells, stations, at, "twin")
    assert not rows.duplicated(list(rows.columns[:9])).any() and set(rows["depth_m"]) == {0.05}
    scenarios = forecasts(("S1",))[:1]
    cost = tables.cost_table(conus_training.train_all(opened, scenarios, TINY), "forecast", "cpu", {1: without})
    timed = cost[cost["metric"] == "train_s"].set_index("model")["value"]
    assert {re.sub(r"( S1)?, .*", "", name) for name in timed.index} == set(rows["model"]) - {"persistence"}
    assert timed["HistGB, 0-10 cm"] > timed["climatology, 0-10 cm"] > 0
    said, detail = answers.skill(cells, stations)
    assert said.startswith("**Our runs.** Yes: persistence surely beats S1 at 0 of 5 leads, surely loses at 5")
    assert "surely better than persistence at 1, 3, 7, 14, 30 d" in detail and "truth" not in said + detail
    cells[1]["truth"] = skill.cell_scores(made, skill.reference_field(study, 1, "truth"), 20)
    said, detail = answers.skill(cells, stations)
    assert "by the truth" in said and "0-10 cm, all cells, against the truth: S1 is surely better than" in detail
    below = skill.below_by_lead(stations).set_index("method")
    assert below.loc["S1", "1 d"] == 1
    assert set(skill.wide(cells, "NLDAS-2")["layer"]) == {"0-10 cm"}


# pages

def test_maps_of_a_day_are_of_its_target_days(study):
    series = study.cube["soil_moisture"].values[:, 0][:, study.land]
    made = lead_fields(study, lambda day: series[day]).assign_attrs(layer=1)
    day = pages.day_of(made, "2018-04-25")
    assert str(made["time"].values[day])[:10] == "2018-04-25" and pages.day_of(made) == made.sizes["time"] // 2
    with pytest.raises(ValueError, match="no forecast is issued on 2018-01-01"):
        pages.day_of(made, "2018-01-01")
    forecasts_of, came = pages.map_panels(study, made, day)
    for lead in pages.MAP_LEADS:
        name = f"{lead} d"
        np.testing.assert_allclose(forecasts_of[name].values, came["NLDAS-2"][name].values, atol=1e-6)
    spread = pages.smoothness(study, {1: made})
    np.testing.assert_allclose(spread["spread"], spread["of_nldas"], rtol=1e-4)


def test_three_stations_are_at_the_quartiles():
    scores = pd.DataFrame({"r": [0.1, 0.2, 0.3, 0.4, 0.5]}, index=list("abcde"))
    assert list(pages.three_stations(scores)) == ["b", "c", "d"]


def test_a_period_too_short_for_the_leads_is_named(opened, study, monkeypatch):
    short = replace(study, periods=periods(study.time, ("2018-01-01", "2018-03-11", "2018-03-20", "2018-05-30")))
    monkeypatch.setattr(conus_training, "open_again", lambda opening: short)
    with pytest.raises(DataError, match="validation period of 9 days is too short"):
        conus_training.train_one(opened, forecasts(("S1",))[0], TINY)


def test_the_command_refuses_an_unknown_study():
    from typer import BadParameter

    from smlib.conus.__main__ import main

    with pytest.raises(BadParameter, match="estimation, forecast"):
        main("correction", "smoke")


def test_scores_of_all_leads_are_one_table():
    one = pd.DataFrame({"method": ["S1", "S1"], "lead_d": [1, 3], "site": "a", "r": [0.9, 0.8]})
    found = pages.all_leads({1: one, 3: one.assign(r=0.5)})
    assert found[["layer", "forecast", "lead_d", "r"]].to_numpy().tolist() == [
        ["0-10 cm", "S1", 1, 0.9], ["0-10 cm", "S1", 3, 0.8], ["40-100 cm", "S1", 1, 0.5], ["40-100 cm", "S1", 3, 0.5]]
