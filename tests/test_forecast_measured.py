"""Forecasts on the lattice: reading, scoring by hand, nothing from the test year; the measured set where it is."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smlib.data import DataError
from smlib.forecast import measured
from smlib.plots import forecast_measured as plots

TINY = {"steps": 3, "cells": 10, "widths": (4,), "hidden": 8}
TRAIN, TEST = ("2015-04-01", "2015-07-31"), ("2015-08-01", "2015-09-15")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small file in the layout of the measured one: 5 x 6 cells, 180 days, half of them seen, a lake without any."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2015-04-01", periods=180)
    shape, dims = (180, 5, 6), ("time", "lat", "lon")
    sm = np.where(rng.random(shape) < 0.5, rng.uniform(0.05, 0.4, shape), np.nan).astype("float32")
    sm[:, 2, 3] = np.nan
    maps = {name: (dims[1:], rng.uniform(5, 40, shape[1:]).astype("float32")) for name in ("sand", "clay")}
    maps["sand"][1][0, 0] = np.nan
    fields = {"precipitation": rng.exponential(0.1, shape), "air_temperature": rng.normal(285, 5, shape),
              "shortwave_down": rng.uniform(50, 300, shape), "longwave_down": rng.uniform(200, 400, shape)}
    ds = xr.Dataset({"smap_sm": (dims, sm), **{k: (dims, v.astype("float32")) for k, v in fields.items()}, **maps,
                     "bulk": (dims[1:], np.full(shape[1:], 1.4, "float32"))},
                    {"time": time, "lat": np.linspace(45, 30, 5), "lon": np.linspace(-110, -90, 6)})
    found = tmp_path_factory.mktemp("smap")
    ds.to_netcdf(found / measured.FILE)
    return found


def test_the_set_is_read_into_canonical_units(folder):
    ds = measured.open_smap(folder)
    raw = xr.open_dataset(folder / measured.FILE)
    assert ds["soil_moisture"].dims == ("time", "y", "x") and ds.attrs["kind"] == "measured"
    np.testing.assert_allclose(ds["precipitation"], raw["precipitation"] * 24, rtol=1e-6)
    np.testing.assert_allclose(ds["air_temperature"], raw["air_temperature"] - 273.15, atol=1e-4)
    cells = measured.lattice(ds, "2015-08-31")
    assert cells.series.shape == (153, 29) and not cells.where[2, 3]
    assert (cells.lat[6], cells.lon[6]) == (raw["lat"][1], raw["lon"][0])
    np.testing.assert_array_equal(cells.series[:, 6], raw["smap_sm"][:153, 1, 0])
    assert cells.constants[0, 0] == pytest.approx(np.nanmean(raw["sand"].values[cells.where]), rel=1e-6)


def test_a_file_that_lacks_something_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        measured.open_smap(tmp_path)
    xr.open_dataset(folder / measured.FILE).drop_vars("bulk").to_netcdf(tmp_path / measured.FILE)
    with pytest.raises(DataError, match="bulk: is missing"):
        measured.open_smap(tmp_path)


def test_scores_by_hand():
    """One method is 0.02 too wet, one wrong by +-0.03; a target that one of them lacks counts for neither."""
    truth = np.array([[0.1, 0.2], [0.2, 0.3], [0.3, np.nan], [0.4, 0.5]])
    wet, swing = truth + 0.02, truth + 0.03 * np.array([[1], [-1], [1], [-1]])
    wet[3, 0] = np.nan
    made = {"wet": np.nan_to_num(wet, nan=np.nan)[:, None], "persistence": swing[:, None]}
    scores = measured.cell_scores(made, truth, leads=(3,), least=3).set_index(["method", "cell"])
    np.testing.assert_allclose(scores.loc["wet", ["RMSE", "bias", "ubRMSE", "r"]], [[0.02, 0.02, 0, 1]] * 2, atol=1e-9)
    np.testing.assert_allclose(scores.loc["persistence", "RMSE"], 0.03)
    assert scores["n"].eq(3).all() and scores["lead_d"].eq(3).all()
    np.testing.assert_allclose(scores.loc["persistence", "bias"], [0.01, -0.01])
    assert scores.loc["persistence", "ubRMSE"].tolist() == pytest.approx([np.sqrt(8e-4)] * 2)
    table = measured.summary(scores.reset_index()).set_index("method")
    np.testing.assert_allclose(table.loc["wet", ["RMSE", "low", "high", "bias"]].astype(float), 0.02)
    np.testing.assert_allclose(table.loc["wet", ["skill_persistence", "skill_persistence_low"]].astype(float), 1 / 3)
    assert "skill_climatology" not in table


def test_forecasts_are_scored_on_their_target_days():
    """A method that gives the issue day's number: the forecast of day d by lead k was issued on d - k."""
    class Number:
        def fit(self, series, *rest):
            self.days = len(series)
            return self

        def predict(self, series, time, forcing, constants, issue):
            return np.broadcast_to(np.asarray(issue)[:, None, None].astype(float), (len(issue), 2, 3))

    cells = measured.Lattice(np.ones((30, 3)), np.arange(30).astype("M8[D]"), np.ones((30, 3, 1)), np.ones((3, 1)),
                             np.ones((1, 3), bool), np.ones(3), np.ones(3))
    method = Number()
    made, costs = measured.forecasts(cells, {"number": method}, np.arange(20), np.arange(20, 30), (1, 7))
    np.testing.assert_array_equal(made["number"][:, :, 0], np.arange(20, 30)[:, None] - [1, 7])
    assert method.days == 20 and costs["method"].tolist() == ["number"]
    with pytest.raises(DataError, match="behind the training days"):
        measured.forecasts(cells, {}, np.arange(20), np.arange(19, 30), (1, 7))


def test_nothing_fitted_comes_from_the_test_days(folder):
    """Other moisture and weather in the test period: climatology, memory, scales, trees and weights are the same."""
    cells = measured.lattice(measured.open_smap(folder), TEST[1])
    train, test = (measured.days_of(cells.time, period) for period in (TRAIN, TEST))
    other = cells._replace(series=np.where(np.arange(len(cells.time))[:, None] < test[0], cells.series, 0.1),
                           forcing=np.where(np.arange(len(cells.time))[:, None, None] < test[0], cells.forcing, 9.0))
    fitted = []
    for one in (cells, other):
        methods = measured.methods_of("observed", network=TINY, boosting={"max_iter": 5})
        measured.forecasts(one, methods, train, test)
        fitted.append(methods)
    a, b = fitted
    np.testing.assert_array_equal(a["climatology"].coefficients_, b["climatology"].coefficients_)
    np.testing.assert_array_equal(a["damped anomaly"].kept_, b["damped anomaly"].kept_)
    a, b = (m["LSTM, observed weather"] for m in fitted)
    for scale in ("today_", "ahead_"):
        np.testing.assert_array_equal(getattr(a, scale), getattr(b, scale))
    for x, y in zip(a.networks_[0].parameters(), b.networks_[0].parameters(), strict=True):
        assert (x == y).all()


def test_one_call_gives_the_page(folder, tmp_path):
    found = measured.run(folder, leads=(1, 7), network=TINY, boosting={"max_iter": 5}, train=TRAIN,
                         test=TEST, draws=50, kernels=(1, 3))
    names = ["persistence", "climatology", "damped anomaly", "HistGB", "LSTM", "ConvLSTM"]
    assert set(found.table["method"]) == {*names, *(f"{n}, observed weather" for n in names[3:])}
    assert (found.table["low"] <= found.table["RMSE"]).all() and (found.table["RMSE"] <= found.table["high"]).all()
    assert found.table.groupby("lead_d")["cells"].nunique().eq(1).all()
    own = found.table[found.table["method"] == "damped anomaly"]
    assert (own[["skill_damped", "skill_damped_low", "skill_damped_high"]] == 0).all(axis=None)
    fig = plots.error_of_methods(found.table)
    shown = [ax.get_title(loc="left") for ax in fig.axes]
    assert shown == ["weather known to the issue day: a forecast", "observed future weather: a bound, no forecast"]
    assert "Measured" in fig.get_suptitle() and "m³ m⁻³" in fig.axes[0].get_ylabel()
    fig.savefig(tmp_path / "a.png")
    maps = plots.skill_maps(found.scores, "LSTM", "persistence", leads=(1, 7))
    assert [len(ax.collections[0].get_offsets()) for ax in maps.axes[:2]] == [29, 29]
    maps.savefig(tmp_path / "b.png")
    with pytest.raises(ValueError, match="kind must be"):
        plots.error_of_methods(found.table, kind="guessed")


@pytest.mark.skipif("SMLIB_TEST_DATA" not in os.environ,
                    reason="SMLIB_TEST_DATA does not name a folder of measured data")
def test_the_baselines_of_the_measured_set():
    """Median cell RMSE of the test year; persistence and the cells counted apart from this code."""
    cells = measured.lattice(measured.open_smap(Path(os.environ["SMLIB_TEST_DATA"]) / "smap_conus"))
    assert cells.series.shape == (731, 412) and int(np.isfinite(cells.series).sum()) == 125407
    methods = measured.methods_of(())
    test = measured.days_of(cells.time, measured.TEST)
    made, _ = measured.forecasts(cells, methods, measured.days_of(cells.time, measured.TRAIN), test)
    table = measured.summary(measured.cell_scores(made, cells.series[test], least=1), draws=50)
    rmse = table.pivot(index="method", columns="lead_d", values="RMSE")
    np.testing.assert_allclose(rmse.loc["persistence"], [0.0438, 0.0507, 0.0565, 0.0609, 0.0676], atol=1e-4)
    assert (rmse.loc["damped anomaly"] <= [0.0408, 0.0459, 0.0496, 0.0519, 0.0525]).all()
    assert (rmse.loc["damped anomaly", [1, 3, 7]] < rmse.loc["climatology", [1, 3, 7]]).all()


def test_words_name_what_is_surely_beaten():
    table = pd.DataFrame([{"method": name, "lead_d": lead, "RMSE": 0.04, "skill_persistence_low": 0.1,
                           "skill_damped_low": 0.1 if lead == 1 else -0.1, "skill_climatology_low": np.nan}
                          for name in ("LSTM", "HistGB") for lead in (1, 7)])
    said = measured.answer(table)
    assert "1 d: 0.0400, surely better than persistence, damped anomaly; 7 d: 0.0400, surely better than persistence;" \
        in said.replace(". Gradient", ";")
