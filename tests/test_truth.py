"""The simulated truth: water and energy are kept, a part is the whole, and three products betray their errors."""

from dataclasses import replace

import numpy as np
import pytest

from smlib.nature import grids, land, products, radiation, retrieval, terrain, truth
from smlib.nature.blocks import radiometer_view, smap_parameters
from smlib.nature.weather import Weather

TIME = np.arange("2018-01-01", "2021-01-01", dtype="M8[D]")
GRID = grids.ease(25, 49.5, -125, -67, 9, every=40)
ON_LAND = terrain.land_mask(GRID.lat, GRID.lon)
LAT, LON = GRID.lat.ravel()[ON_LAND], GRID.lon.ravel()[ON_LAND]
HEIGHT = terrain.elevation(LAT, LON, terrain.CONUS)
THICKNESS = 1000 * np.diff(truth.BOUNDS_M)  # mm


@pytest.fixture(scope="module")
def ground():
    return truth.ground(LAT, LON, HEIGHT)


@pytest.fixture(scope="module")
def found(ground):
    """Three years of cells all over the United States."""
    return truth.simulate(ground, TIME)


def test_water_is_kept_in_every_cell_every_day(ground, found):
    assert found["balance_error"].shape == (len(TIME), len(LAT)) and len(LAT) > 40
    assert np.abs(found["balance_error"]).max() < 1e-6
    # The same from what is handed out: rain is what left and what the column and the snow gained. Moisture is the mean
    # of a day, so that the ends are known to some mm of the metres that passed.
    stored = np.einsum("tlc,l->tc", found["soil_moisture"].astype(float), THICKNESS) + found["snow_water"]
    left = sum(found[name].astype(float) for name in ("evapotranspiration", "runoff", "drainage"))
    lack = (found["precipitation"] - left)[1:].sum(0) - (stored[-1] - stored[0])
    assert np.abs(lack).max() < 15 and found["precipitation"].sum(0).max() > 2000
    for name in ("evaporation", "transpiration", "runoff", "drainage", "snow_water"):
        assert found[name].min() >= 0 and found[name].max() > 0, name


def test_moisture_lies_between_residual_and_porosity(ground, found):
    h, moisture = ground.hydraulics, found["soil_moisture"]
    assert (moisture >= h.theta_residual * (1 - 1e-6)).all() and (moisture <= h.theta_saturation * (1 + 1e-6)).all()
    assert (found["frozen_fraction"] >= 0).all() and (found["frozen_fraction"] <= 1).all()
    assert found["frozen_fraction"].max() > 0.3  # winters there are


def test_energy_is_bounded(ground, found):
    """What evaporates is at most what the day could; the sun is at most that of a clear sky, the sky at most black."""
    assert (found["evapotranspiration"] <= found["potential_evaporation"] + 1e-4).all()
    np.testing.assert_allclose(found["evapotranspiration"], found["evaporation"] + found["transpiration"], atol=1e-6)
    above = radiation.extraterrestrial(LAT, truth.day_of_year(TIME))
    clear = radiation.clear_sky(above, HEIGHT)
    assert (found["shortwave_down"] <= clear * (1 + 1e-5)).all() and (found["shortwave_down"] < above).all()
    assert (found["shortwave_down"] >= clear / 3 * (1 - 1e-5)).all()
    black = radiation.STEFAN_BOLTZMANN * (found["air_temperature"].astype(float) + 273.15) ** 4
    assert (found["longwave_down"] <= black * (1 + 1e-5)).all() and (found["longwave_down"] > 0.6 * black * 0.999).all()


def test_deeper_soil_is_calmer(found):
    day = np.abs(np.diff(found["soil_moisture"], axis=0)).mean((0, 2))
    assert (np.diff(day) < 0).all()
    assert (np.diff(found["soil_temperature"].std(0).mean(1)) < 0).all()


def test_a_part_of_the_cells_is_the_whole(ground, found):
    part = np.r_[3:9, 20]
    again = truth.ground(LAT[part], LON[part], HEIGHT[part])
    picked = ground[part]
    np.testing.assert_array_equal(again.land_cover, picked.land_cover)
    for name, x in again.texture.items():
        np.testing.assert_allclose(x, picked.texture[name], rtol=1e-5)
    for mine in (again, picked):
        for name, x in truth.simulate(mine, TIME[:100]).items():
            np.testing.assert_allclose(x, found[name][:100, ..., part], rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_world(found):
    few = slice(0, 12)
    one, two, other = (truth.simulate(truth.ground(LAT[few], LON[few], HEIGHT[few], seed=seed), TIME[:365], seed)
                       for seed in (0, 0, 1))
    for name, x in one.items():
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, two[name], err_msg=name)
    assert abs(np.corrcoef(one["precipitation"].ravel(), other["precipitation"].ravel())[0, 1]) < 0.1
    assert np.sqrt(np.mean((one["soil_moisture"] - other["soil_moisture"]) ** 2)) > 0.03


def test_a_date_has_one_weather_whatever_the_first_day(ground, found):
    """Of the soil, what a dry subsoil remembers from before the spin-up is left."""
    later = truth.simulate(ground, TIME[400:500])
    for name in ("precipitation", "air_temperature", "shortwave_down"):
        np.testing.assert_array_equal(later[name], found[name][400:500])
    np.testing.assert_allclose(later["soil_moisture"][:, 0], found["soil_moisture"][400:500, 0], atol=0.02)


def test_spin_up_is_run_and_cut_off():
    days, before = truth.with_run_up(TIME[59:90], 2)
    assert days[0] == np.datetime64("2016-01-01") and days[-1] == TIME[89] and days[before] == TIME[59]
    days, before = truth.with_run_up(TIME[59:61], 0)
    assert before == 0 and days.tolist() == TIME[59:61].tolist()
    assert truth.day_of_year(["2020-01-01", "2020-12-31", "2021-12-31"]).tolist() == [1, 366, 365]


def test_gravel_leaves_room_for_less_water():
    few = slice(0, 15)
    fine, stony = (truth.ground(LAT[few], LON[few], HEIGHT[few], gravel=gravel) for gravel in (0.0, 44.0))
    for name in ("theta_residual", "theta_wilting", "theta_field", "theta_saturation", "k_saturation"):
        np.testing.assert_allclose(getattr(stony.hydraulics, name), 0.56 * getattr(fine.hydraulics, name), rtol=1e-6)
    wet, dry = (truth.simulate(x, TIME[:300])["soil_moisture"].mean(0) for x in (fine, stony))
    np.testing.assert_allclose(dry / wet, 0.56, atol=0.12)
    assert (dry / wet).mean() == pytest.approx(0.56, abs=0.04)


def test_a_region_of_a_piece_has_less_contrast(ground):
    even = truth.ground(LAT, LON, HEIGHT, contrast=0.3, rain_contrast=0.3)
    usual, calm = ground.climate.precipitation_mean, even.climate.precipitation_mean
    np.testing.assert_allclose(np.log(calm), 0.3 * np.log(usual), atol=1e-12)  # REGION_RAIN is 1
    np.testing.assert_allclose(even.climate.precipitation_std / calm, ground.climate.precipitation_std / usual)
    assert even.texture["sand"].std() < 0.5 * ground.texture["sand"].std()


def test_the_land_model_is_related_to_the_truth_and_not_the_truth(found):
    model = truth.land_model(LAT, LON, HEIGHT, TIME)
    assert np.abs(model["balance_error"]).max() < 1e-6
    one, other = found["soil_moisture"][:, 0].astype(float), model["soil_moisture"][:, 0].astype(float)
    assert np.sqrt(np.mean((one - other) ** 2)) > 0.01
    each = [np.corrcoef(one[:, c], other[:, c])[0, 1] for c in range(len(LAT))]
    assert 0.4 < np.median(each) < 0.95 and np.mean(np.array(each) > 0.2) > 0.9
    # The rain of its cell falls on more days than that of a place, and is in error in amount.
    rain = model["precipitation"]
    assert (rain > 0).mean() > (found["precipitation"] > 0).mean()
    assert rain.mean() == pytest.approx(found["precipitation"].mean(), rel=0.15)
    assert rain.max() <= truth.MODEL_MOST and rain.dtype == np.float32
    part = slice(10, 14)
    for name, x in truth.land_model(LAT[part], LON[part], HEIGHT[part], TIME[:60]).items():
        np.testing.assert_allclose(x, model[name][:60, ..., part], rtol=2e-3, atol=1e-3, err_msg=name)


def test_given_weather_is_taken(ground):
    few = ground[np.arange(5)]
    days, _ = truth.with_run_up(TIME[:30], 1)
    dry = Weather(days, few.lat, few.lon, few.elevation, few.climate).at() | {
        "precipitation": np.zeros((len(days), 5), np.float32)}
    out = truth.simulate(few, TIME[:30], spin_up=1, forcing=dry)
    assert out["runoff"].max() == 0 and out["soil_moisture"].shape == (30, 3, 5)
    assert (out["soil_moisture"][:, 0] < few.hydraulics.theta_field[0]).all()


def errors_of(*three):
    """Error standard deviations of three products (time, cell) by triple collocation, in every product's own units.

    The error variance of x is var(x) less cov(x, y) cov(x, z) / cov(y, z) (Gruber et al. 2016, Eq. 7); the mean of that
    of all cells with enough days on which all three are there.
    """
    variances = []
    for x in np.moveaxis(np.stack(three).astype(float), 2, 0):
        x = x[:, np.isfinite(x).all(0)]
        if x.shape[1] >= 200:
            c = np.cov(x)
            variances.append([c[i, i] - c[i, j] * c[i, k] / c[j, k] for i, j, k in ((0, 1, 2), (1, 0, 2), (2, 0, 1))])
    assert len(variances) > 20
    return np.sqrt(np.mean(variances, 0))


def test_triple_collocation_recovers_known_errors(found):
    surface, rng = found["soil_moisture"][:, 0].astype(float), np.random.default_rng(0)
    sizes = (0.02, 0.03, 0.045)
    three = [surface + size * rng.standard_normal(surface.shape) for size in sizes]
    np.testing.assert_allclose(errors_of(*three), sizes, rtol=0.1)
    # Not so where one product has a part of another's errors.
    shared = surface + 0.5 * (three[1] - surface) + 0.02 * rng.standard_normal(surface.shape)
    assert errors_of(three[0], three[1], shared)[1] < 0.8 * sizes[1]


def test_triple_collocation_recovers_the_stated_errors_of_products(ground, found):
    """A combined product's, against a gap-free one and a retrieval, whose errors are of other kinds."""
    surface, frozen = found["soil_moisture"][:, 0], found["frozen_fraction"][:, 0] > 0.1
    cci, hires = products.esa_cci(surface, LAT, LON, frozen), products.smhires(surface, LAT, LON)
    seen = retrieval.observe(TIME, LAT, LON, radiometer_view(found), smap_parameters(ground))
    dca = np.where(seen["dense"], np.nan, seen["DCA"])
    stated = np.hypot(products.ESA_CCI.slow, products.ESA_CCI.noise)
    assert errors_of(cci, hires, dca)[0] == pytest.approx(stated, rel=0.1)


def test_ground_keeps_its_pieces_together(ground):
    some = ground[np.array([4, 2])]
    assert some.lat.tolist() == LAT[[4, 2]].tolist() and some.hydraulics.b.shape == (3, 2)
    np.testing.assert_array_equal(some.climate.temperature_mean, ground.climate.temperature_mean[[4, 2]])
    assert set(ground.land_cover) <= set(range(1, 18)) and land.WATER not in ground.land_cover
    assert replace(some, gravel=np.array([10.0, 0.0])).hydraulics.theta_field[0, 1] == some.hydraulics.theta_field[0, 1]
