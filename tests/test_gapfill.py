"""Filling gaps: known truths of the simple methods, honest spreads, and no way from a withheld day to its estimate."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from smlib.data import DataError
from smlib.gapfill import (
    METHODS,
    Forcing,
    answers,
    cells_of,
    fill,
    fill_causal,
    fit_cells,
    fitted,
    load,
    score,
    scoring,
    sets,
    table,
)
from smlib.gapfill.baselines import ClimatologyPersistence, Linear, Spline, validation_days
from smlib.gapfill.cells import BLOCKS, interpolated, neighbours, withhold, withhold_mixed
from smlib.gapfill.continuous import ContinuousRecurrent
from smlib.gapfill.learned import Boosting
from smlib.gapfill.optimal import OptimalInterpolation, kalman, smoothed
from smlib.gapfill.scoring import fills, masks
from smlib.wording import ANSWER

SMALL = {"CRU": {"m": 3, "steps": 3, "batch": 12, "length": 40, "hidden": 8},
         "CRU filter": {"m": 3, "steps": 3, "batch": 12, "length": 40, "hidden": 8},
         "boosting": {"max_iter": 20}}


def make(cells=12, days=400, seen=0.5, seed=0, tau=10.0, rain=0.0):
    """Cells whose anomalies are an AR(1) process, partly seen; rain that adds to them."""
    rng = np.random.default_rng(seed)
    p = rng.exponential(8, (cells, days)) * (rng.random((cells, days)) < 0.3)
    x = np.empty((cells, days))
    x[:, 0] = rng.normal(size=cells)
    keep = np.exp(-1 / tau)
    for day in range(1, days):
        shock = rng.normal(size=cells) * np.sqrt(1 - keep**2)
        x[:, day] = keep * x[:, day - 1] + (1 - rain) * shock + rain * (p[:, day] - 2.4) / 5
    truth = 0.25 + 0.04 * x
    time = np.arange(days).astype("timedelta64[D]") + np.datetime64("2015-04-01")
    forcing = Forcing(np.stack([p, rng.normal(size=p.shape)], -1), ("precipitation", "air_temperature"),
                      rng.normal(size=(cells, 2)), time)
    return np.where(rng.random(truth.shape) < seen, truth, np.nan), forcing, truth


@pytest.fixture(scope="module")
def world():
    return make()


@pytest.fixture(scope="module")
def methods(world):
    series, forcing, _ = world
    made = {name: build(**SMALL.get(name, {})) for name, build in METHODS.items()}
    return fitted(made, series, forcing, slice(0, 250))[0]


def test_neighbours_and_the_line_between_them():
    nan = np.nan
    series = np.array([[nan, 1.0, nan, nan, 4.0, nan]])
    before, after, since, until = neighbours(series)
    np.testing.assert_array_equal(before, [[nan, 1, 1, 1, 4, 4]])
    np.testing.assert_array_equal(after, [[1, 1, 4, 4, 4, nan]])
    np.testing.assert_array_equal(since, [[np.inf, 0, 1, 2, 0, 1]])
    np.testing.assert_array_equal(until, [[1, 0, 2, 1, 0, np.inf]])
    np.testing.assert_allclose(interpolated(series), [[1, 1, 2, 3, 4, 4]])
    assert np.isnan(interpolated(np.full((1, 4), nan))).all()


@pytest.mark.parametrize("block", BLOCKS)
def test_withheld_days_are_observed_and_stand_in_blocks(block):
    rng = np.random.default_rng(0)
    series = np.ones((300, 400))
    hidden = withhold(series, block, 0.1, rng)
    assert hidden.mean() == pytest.approx(0.1, rel=0.1)
    assert hidden.mean(0).std() < 0.04  # no part of the period is preferred
    if block > 1:
        ends = np.diff(np.pad(hidden, ((0, 0), (1, 1))).astype(int), axis=1)
        for row in ends:
            start, stop = np.flatnonzero(row == 1), np.flatnonzero(row == -1)
            inner = (start > 0) & (stop < 400)
            assert (stop - start)[inner].tolist() == [block] * inner.sum()
    series[:, ::2] = np.nan
    assert not (withhold_mixed(series, 0.5, rng) & np.isnan(series)).any()


def test_linear_and_the_spline_recover_a_line():
    series, forcing, _ = make(cells=3, days=200)
    line = 0.1 + 0.001 * np.arange(200.0) * np.array([[1.0], [0.5], [0.0]])
    gappy = np.where(np.isnan(series), np.nan, line)
    inside = (neighbours(gappy)[2] < np.inf) & (neighbours(gappy)[3] < np.inf)
    for method in (Linear(), Spline()):
        mean, _ = method.fit(series, forcing).fill(gappy, forcing)
        np.testing.assert_allclose(mean[inside], line[inside], atol=1e-6)


def test_climatology_and_persistence_against_their_formula():
    series, forcing, _ = make(cells=40, days=366, tau=8.0, seen=0.6)
    season = 0.05 * np.cos(2 * np.pi * np.arange(366) / 366)
    method = ClimatologyPersistence().fit(series + season, forcing)
    assert method.tau_ == pytest.approx(8, rel=0.25) and method.a_ == pytest.approx(1, abs=0.08)
    assert np.hypot(*method.harmonics_[:, 1:].T).mean() == pytest.approx(0.05, rel=0.15)
    # Long after the last value only the cycle is left; the future is not used.
    early = np.where(np.arange(366) < 100, series, np.nan)
    mean, _ = method.fill(early, forcing)
    np.testing.assert_allclose(mean[:, 300:], method._cycle(forcing)[:, 300:], atol=1e-6)
    other = np.where(np.arange(366) < 200, early, 0.4)
    np.testing.assert_array_equal(method.fill(other, forcing)[0][:, :200], mean[:, :200])


def test_optimal_interpolation_is_a_gaussian_process():
    """The filter and smoother against the inverse of the whole covariance matrix (scikit-learn)."""
    sill, length, noise = 0.8, 7.0, 0.15
    z = np.where(np.random.default_rng(0).random((2, 60)) < 0.4, np.random.default_rng(1).normal(size=(2, 60)), np.nan)
    (mean, var), (filtered, spread, loss) = smoothed(z, sill, length, noise), kalman(z, sill, length, noise)
    kernel, likelihood = ConstantKernel(sill) * Matern(length, nu=0.5) + WhiteKernel(noise), 0.0
    for cell, values in enumerate(z):
        seen = np.flatnonzero(np.isfinite(values))
        model = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(seen[:, None], values[seen])
        likelihood += model.log_marginal_likelihood_value_
        want, sd = model.predict(np.arange(60)[:, None], return_std=True)
        np.testing.assert_allclose(mean[cell], want, atol=1e-10)
        np.testing.assert_allclose(var[cell] + noise, sd**2, rtol=1e-8)
        past = seen[seen <= 40]
        model.fit(past[:, None], values[past])
        want, sd = model.predict([[40]], return_std=True)
        np.testing.assert_allclose([filtered[cell, 40], spread[cell, 40] + noise], [want[0], sd[0]**2], rtol=1e-8)
    assert loss == pytest.approx(-likelihood, rel=1e-10)


def test_optimal_interpolation_finds_the_process_and_its_intervals_hold():
    series, forcing, truth = make(cells=40, days=300, tau=6.0)
    noisy = series + np.random.default_rng(1).normal(size=series.shape) * 0.02
    method = OptimalInterpolation().fit(noisy[:, :200], forcing.sel(slice(0, 200)))
    # Signal variance 0.04^2, noise 0.02^2: the noise is a quarter of the signal.
    sill, length, noise = method.parameters_
    assert length == pytest.approx(6, rel=0.3) and noise / sill == pytest.approx(0.25, rel=0.3)
    assert method.factor_ == pytest.approx(1, abs=0.12)
    found = score({"OI": method}, noisy, forcing, slice(200, 300), share=0.3)
    for p in (50, 80, 95):
        assert np.average(found[f"cover_{p}"], weights=found["n"]) == pytest.approx(p / 100, abs=0.05)


@pytest.mark.parametrize("build, share", [
    (lambda: Boosting(max_iter=60), 0.65),
    (lambda: ContinuousRecurrent(m=3, hidden=16, steps=100, batch=24, length=24, learning_rate=0.02), 0.85)])
def test_those_that_learn_use_the_rain(build, share):
    """Where moisture is made of rain, they beat the line by far; their intervals are not far off."""
    series, forcing, _ = make(cells=24, days=320, seen=0.4, rain=1.0)
    both = {"linear": Linear(), "learned": build()}
    fitted(both, series, forcing, slice(0, 220))
    found = score(both, series, forcing, slice(220, 320), share=0.3).set_index(["model", "block_d"])
    ratio = found.loc["learned", "RMSE"] / found.loc["linear", "RMSE"]
    assert ratio.mean() < share and (ratio < 1).all()
    assert 0.6 < found.loc["learned", "cover_80"].mean() < 0.93  # few cells to learn from


@pytest.mark.parametrize("name", METHODS)
def test_withheld_days_cannot_influence_what_is_filled(name, methods, world):
    """Change every withheld value: the estimates are the same, bit for bit; and observed days keep their values."""
    series, forcing, _ = world
    test = slice(250, 400)
    hidden = masks(series, test)[10]
    changed = series.copy()
    changed[:, test][hidden] += 0.2
    a, b = (fills(methods[name], s, forcing, test, hidden) for s in (series, changed))
    for x, y in zip(a, b, strict=True):
        assert np.isfinite(x).all()
        np.testing.assert_array_equal(x, y)
    seen = np.isfinite(series[:, test]) & ~hidden
    np.testing.assert_array_equal(a[0][seen], series[:, test][seen])
    assert (a[1][seen] == 0).all() and (a[1][~seen] > 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_no_parameter_comes_from_validation_or_test_days(name, world):
    """Other values on validation days change the one factor alone; days after the training change nothing."""
    series, forcing, _ = world
    days = slice(0, 200)
    other = series[:, days] + np.where(validation_days(200), 0.05, 0.0)
    fits = [METHODS[name](**SMALL.get(name, {})).fit(s, forcing.sel(days)) for s in (series[:, days], other)]
    means, sds = zip(*(m.fill(series[:, 250:], forcing.sel(slice(250, 400))) for m in fits), strict=True)
    np.testing.assert_array_equal(*means)
    assert fits[0].factor_ != fits[1].factor_
    gaps = (sds[0] > 2e-3) & (sds[1] > 2e-3)
    np.testing.assert_allclose(sds[1][gaps] / sds[0][gaps], fits[1].factor_ / fits[0].factor_, rtol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_cells_without_values_are_filled_with_wide_intervals(name, methods, world):
    series, forcing, _ = world
    test = slice(250, 400)
    empty = series[:, test].copy()
    empty[0] = np.nan
    mean, sd = methods[name].fill(empty, forcing.sel(test))
    assert np.isfinite(mean).all() and np.isfinite(sd).all()
    if "CRU" not in name:  # trained for four steps here
        _, known = methods[name].fill(series[:, test], forcing.sel(test))
        assert sd[0].mean() > 1.05 * known[0][known[0] > 0].mean()


@pytest.mark.parametrize("name", METHODS)
def test_a_fitted_method_serves_other_cells(name, methods, world):
    """Cells the other way round: the same estimates the other way round."""
    series, forcing, _ = world
    turned = Forcing(forcing.daily[::-1], forcing.names, forcing.constants[::-1], forcing.time)
    train = np.where(validation_days(250), np.nan, series[::-1, :250])
    other = methods[name].for_cells(train, turned.sel(slice(0, 250)))
    test = slice(250, 400)
    want = methods[name].fill(series[:, test], forcing.sel(test))[0]
    got = other.fill(series[::-1, test], turned.sel(test))[0]
    np.testing.assert_allclose(got[::-1], want, atol=1e-6)
    with pytest.raises(DataError, match="fitted to 5 cells"):
        methods[name].for_cells(train[:5], Forcing(turned.daily[:5, :250], turned.names, turned.constants[:5],
                                                   turned.time[:250])).fill(series, forcing)


def test_the_same_seed_gives_the_same_weights_and_a_file_brings_them_back(tmp_path, world):
    series, forcing, _ = world
    series, forcing = series[:, :120], forcing.sel(slice(0, 120))
    a, b = (ContinuousRecurrent(**SMALL["CRU"]).fit(series, forcing) for _ in range(2))
    a.save(tmp_path / "cru.safetensors")
    filled = [m.fill(series, forcing) for m in (a, b, load(tmp_path / "cru.safetensors"))]
    for other in filled[1:]:
        for x, y in zip(filled[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", METHODS)
def test_causal_methods_see_nothing_later(name, methods, world):
    """Neither moisture nor weather of later days changes a mean or an sd, and `causal` says so of no other method."""
    series, forcing, _ = world
    days = slice(250, 400)
    later, weather = series[:, days].copy(), forcing.sel(days)
    later[:, 100:] = np.where(np.isnan(later[:, 100:]), 0.3, np.nan)
    daily = weather.daily.copy()
    daily[:, 100:] += 5.0
    wetter = Forcing(daily, weather.names, weather.constants, weather.time)
    a, b = methods[name].fill(series[:, days], weather), methods[name].fill(later, wetter)
    same = all(np.array_equal(x[:, :100], y[:, :100]) for x, y in zip(a, b, strict=True))
    assert same == methods[name].causal


class Wet(Linear):
    """Too wet by `error` (cell,), and it says 0.02."""

    def __init__(self, truth, error):
        self.truth, self.error = truth, np.broadcast_to(error, len(truth))
        self.mean_, self.factor_ = np.zeros(len(truth)), 1.0

    def _estimate(self, series, forcing):
        return self.truth + self.error[:, None], np.full(series.shape, 0.02)


def test_scores_by_hand():
    """Errors of 0.02 with an sd of 0.02 lie within 70 % and not within 60 %; of 0.01, within 40 and not within 30 %."""
    series, forcing, truth = make(cells=30)
    error = np.where(np.arange(30) < 10, 0.01, 0.02)
    two = {"linear": Wet(truth[:, 250:], 0.02), "mixed": Wet(truth[:, 250:], error)}
    found = score(two, series, forcing, slice(250, 400), share=0.2, draws=200)
    wet, mixed = (found[found["model"] == name] for name in two)
    np.testing.assert_allclose(wet[["RMSE", "low", "high", "pooled", "bias", "sd"]], 0.02, rtol=1e-9)
    assert wet["block_d"].tolist() == list(BLOCKS)
    assert (wet["cover_60"] == 0).all() and (wet[["cover_70", "cover_95"]] == 1).all(axis=None)
    np.testing.assert_allclose(mixed[["RMSE", "less", "less_low"]], [[0.02, 0.0, 0.0]] * 4, atol=1e-9)
    assert (mixed["less_high"] <= 0.01 + 1e-9).all() and mixed["pooled"].between(0.0165, 0.018).all()
    assert mixed["cover_40"].between(0.28, 0.4).all() and (mixed["cover_30"] == 0).all()
    shown = table(found)
    assert shown.columns.tolist() == ["random days", "5 days", "10 days", "20 days"]
    assert shown.index.tolist() == ["linear", "mixed"]
    rows = scoring.skill(found, "made up")
    assert len(rows) == 2 * 4 * 6 and rows["low"].notna().sum() == 8
    assert scoring.calibration(found).loc["linear"].tolist() == [0, 1, 1]


def test_the_verdict_says_who_wins_and_by_how_much():
    series, forcing, truth = make(cells=30)
    made = {name: Wet(truth[:, 250:], error) for name, error in (("linear", 0.02), ("boosting", 0.008), ("CRU", 0.01))}
    found = score(made, series, forcing, slice(250, 400), share=0.2, draws=50)
    said, detail = answers.filling({"simulated": found}, 1, 64)
    assert said == ("**Our runs.** Simulated: CRU surely beats linear at 4 of 4 lengths of gap (its RMSE −50 % to "
                    "−50 %); its RMSE is less than that of boosting at 0; its 95 % intervals hold 100 % of the "
                    "withheld values.")
    assert "CRU against that of linear: −50.0 % (random days), −50.0 % (5 days)" in detail
    assert "CRU against that of boosting: +25.0 %" in detail and "1 step of 64 cells" in detail
    assert "above 0 for random days, 5 days, 10 days, 20 days; below 0 for none" in detail
    turned = found.replace({"model": {"CRU": "linear", "linear": "CRU"}})
    signs = {"less": -turned["less"], "less_low": -0.01, "less_high": -0.01}
    said, detail = answers.filling({"simulated": turned.assign(**signs)}, 120, 64)
    assert said.startswith("**Our runs.** Simulated: linear surely beats CRU at 4 of 4 lengths of gap, surely "
                           "loses at 0; CRU's RMSE is less than that of boosting at 0")
    assert "above 0 for no length of gap; below 0 for random days" in detail


def test_the_answer_on_gaps_fits_for_all_sets_and_methods():
    series, forcing, truth = make(cells=30)
    made = {name: Wet(truth[:, 250:], error) for name, error in (("linear", 0.02), ("boosting", 0.008), ("CRU", 0.01),
                                                                ("CRU filter", 0.03), ("OI", 0.004))}
    found = score(made, series, forcing, slice(250, 400), share=0.2, draws=50)
    mixed = found.assign(less_high=found["less_high"].where(found["block_d"] > 1, -0.01))
    mixed["less_low"] = mixed["less_low"].where(mixed["block_d"] > 1, -0.02)
    for names in (list(made), ["linear", "boosting", "CRU filter"], ["linear", "OI"], ["linear"]):
        some = mixed[mixed["model"].isin(names)]
        said, _ = answers.filling({"measured": some, "simulated": some}, 10**6, 10**6)
        assert len(said) - 4 <= ANSWER and "linear" in said and "Measured: " in said and "Simulated: " in said
        assert ("CRU was not run." in said) == (not any(name.startswith("CRU") for name in names))
    one = answers.filling({"simulated": found[found["block_d"] == 1]}, 1, 1)
    assert "at 1 of 1 length of gap" in one[0] and "1 step of 1 cell." in one[1]
    with pytest.raises(ValueError, match="must have linear"):
        answers.filling({"simulated": found[found["model"] != "linear"]}, 1, 1)


def test_cells_are_taken_where_everything_is_known():
    time = pd.date_range("2018-01-01", periods=4)
    rain = np.zeros((4, 2, 2))
    rain[0, 0, 0] = np.nan
    moisture = np.full((4, 2, 2), 0.2)
    moisture[:, 0, 1] = np.nan
    moisture[1:, 1, 1] = np.nan
    clay = np.array([[1.0, 2], [3, 4]])
    ds = xr.Dataset({"precipitation": (("time", "y", "x"), rain), "soil_moisture": (("time", "y", "x"), moisture),
                     "clay": (("y", "x"), clay)}, {"time": time})
    series, forcing, where = cells_of(ds, "soil_moisture", ["precipitation"], ["clay"])
    np.testing.assert_array_equal(where, [[False, False], [True, True]])
    np.testing.assert_array_equal(series, [[0.2] * 4, [0.2, np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(forcing.constants, [[3], [4]])
    with pytest.raises(DataError, match="no cell has some moisture, all of precipitation on every day"):
        cells_of(ds.where(ds["clay"] < 0), "soil_moisture", ["precipitation"])


@pytest.mark.parametrize("change, message", [
    (lambda f: {"names": ("rain", "air_temperature")}, "precipitation must be"),
    (lambda f: {"daily": np.where(f.daily > 20, np.nan, f.daily)}, "is missing"),
    (lambda f: {"time": f.time + (np.arange(len(f.time)) > 9).astype("timedelta64[D]")}, "do not follow"),
    (lambda f: {"constants": f.constants[1:]}, "does not fit"),
])
def test_bad_forcing_is_refused(change, message, world):
    forcing = world[1]
    with pytest.raises(DataError, match=message):
        Forcing(**({"daily": forcing.daily, "names": forcing.names, "constants": forcing.constants,
                    "time": forcing.time} | change(forcing)))


def test_other_cells_or_days_are_refused(methods, world):
    series, forcing, _ = world
    with pytest.raises(DataError, match="but the forcing has"):
        methods["linear"].fill(series[:, :5], forcing)
    fewer = Forcing(forcing.daily[1:], forcing.names, forcing.constants[1:], forcing.time)
    with pytest.raises(DataError, match="fitted to 12 cells, given 11"):
        methods["linear"].fill(series[1:], fewer)


@pytest.fixture(scope="module")
def cube():
    """Two rows of seven cells, in chunks of days; one of sea, one that begins after the training."""
    series, forcing, _ = make(cells=14, days=300)
    series[3], series[5, :210] = np.nan, np.nan
    dims = ("time", "y", "x")
    ds = xr.Dataset({"sm": (dims, series.T.reshape(300, 2, 7)),
                     "clay": (dims[1:], forcing.constants[:, 0].reshape(2, 7)),
                     "precipitation": (dims, forcing.rain.T.reshape(300, 2, 7))},
                    {"time": forcing.time, "lat": ("y", [41.0, 40.0])})
    return ds.chunk({"time": 64}), series, forcing


@pytest.mark.parametrize("name, daily, constants", [("OI filter", (), ()),
                                                    ("CRU filter", ("precipitation",), ("clay",))])
def test_a_cube_is_filled_lazily_as_its_cells_would_be(name, daily, constants, cube):
    ds, series, forcing = cube
    train = (forcing.time[0], forcing.time[199])
    method = fit_cells(ds, "sm", METHODS[name](**SMALL.get(name, {})), train, daily, constants)
    out = fill_causal(ds, "sm", method, train, daily=daily, constants=constants, rows=1)
    assert out["sm"].chunks == ((300,), (1, 1), (7,)) and out["sm"].dtype == np.float32 and "lat" in out.coords
    mean, sd = (out[v].values.reshape(300, 14).T for v in ("sm", "sm_sd"))
    assert np.isnan(mean[[3, 5]]).all() and np.isnan(sd[[3, 5]]).all()
    rest = np.delete(np.arange(14), [3, 5])
    own = Forcing(forcing.daily[rest][..., :len(daily)], daily, forcing.constants[rest][:, :len(constants)],
                  forcing.time)
    days = slice(0, 200)
    want = method.for_cells(series[rest, days], own.sel(days)).fill(series[rest], own)
    np.testing.assert_allclose(mean[rest], want[0], atol=1e-6)
    np.testing.assert_allclose(sd[rest], want[1], atol=1e-6)
    seen = np.isfinite(series[rest])
    assert (sd[rest][seen] == 0).all() and (sd[rest][~seen] > 0).all()


def test_what_feeds_a_forecast_must_not_look_ahead(cube):
    ds, _, forcing = cube
    train = (forcing.time[0], forcing.time[199])
    with pytest.raises(ValueError, match="Linear uses later days"):
        fill_causal(ds, "sm", Linear(), train)
    assert np.isfinite(fill(ds, "sm", Linear(), train)["sm"].values).sum() == 12 * 300
    with pytest.raises(TypeError, match="must be a Filler"):
        fill(ds, "sm", "OI", train)
    with pytest.raises(DataError, match="no cell has 10 values"):
        fill(ds, "sm", Linear(), ("2001-01-01", "2001-02-01"))
    with pytest.raises(DataError, match="needs the weather"):
        fill(ds, "sm", Boosting(max_iter=2), train)


def test_sets_of_cells(tmp_path):
    with pytest.raises(DataError, match="there is no smap_nldas_conus_2015-2018.nc"):
        sets.measured(tmp_path)
    time = pd.date_range("2016-03-01", periods=60)
    dims, rng = ("time", "lat", "lon"), np.random.default_rng(0)
    made = {name: (dims, rng.uniform(0.1, 0.4, (60, 3, 4))) for name in ("smap_sm", *sets.WEATHER)}
    made["smap_sm"][1][50:] = np.nan
    made |= {name: (dims[1:], rng.uniform(1, 2, (3, 4))) for name in sets.GROUND}
    made["sand"][1][0, 0] = np.nan
    made["precipitation"] = (*made["precipitation"], {"units": "kg m-2 h-1"})
    ds = xr.Dataset(made, {"time": time})
    ds.drop_vars("ndvi").to_netcdf(tmp_path / sets.FILE)
    with pytest.raises(DataError, match="ndvi: is not in the file"):
        sets.measured(tmp_path)
    (tmp_path / sets.FILE).unlink()
    ds.to_netcdf(tmp_path / sets.FILE)
    found = sets.measured(tmp_path)
    assert found.kind == "measured" and found.series.shape == (12, 50)
    assert (found.train, found.test) == (slice(0, 31), slice(31, 50))
    np.testing.assert_allclose(found.forcing.rain[0], 24 * made["precipitation"][1][:50, 0, 0])
    assert np.isfinite(found.forcing.constants).all()
    few = found.sample(5, seed=1)
    assert few.series.shape == (5, 50) and few.forcing.constants.shape == (5, 6)
    assert found.sample(99) is found and found.sample(0) is found
    at = [np.flatnonzero((found.series == row).all(1))[0] for row in few.series]
    np.testing.assert_array_equal(few.forcing.daily, found.forcing.daily[at])
    assert "12 cells; learnt from 2016-03-01 to 2016-03-31 (0 % of the days missing)" in found.about()


@pytest.mark.skipif("SMLIB_TEST_DATA" not in os.environ,
                    reason="SMLIB_TEST_DATA does not name a folder of measured data")
def test_measured_smap():
    found = sets.measured(Path(os.environ["SMLIB_TEST_DATA"]).resolve() / "smap_conus")
    assert found.series.shape == (412, 731) and found.train.stop == 366
    assert found.forcing.rain.max() == pytest.approx(24 * 12.048518, rel=1e-6)
    two = {"linear": Linear(), "OI": OptimalInterpolation()}
    scores = score(fitted(two, found.series, found.forcing, found.train)[0], found.series, found.forcing, found.test)
    rmse = scores.set_index(["model", "block_d"])["RMSE"]
    assert rmse["linear"].tolist() == pytest.approx([0.033, 0.037, 0.040, 0.043], abs=0.001)
    assert (rmse["OI"] < rmse["linear"] * 1.03).all()
