"""The radiometer against printed and hand-worked values, and its retrievals against the moisture that was put in."""

import numpy as np
import pytest

from smlib.nature import radiometer, retrieval
from smlib.nature.radiometer import brightness_temperature, dielectric, reflectivity, surface_parameters
from smlib.nature.retrieval import NONE, Errors, observe, overpass, retrieve_dca, retrieve_sca

DAYS = np.arange("2018-01-01", "2019-07-01", dtype="datetime64[D]")


def scene(cells=40, seed=0, days=DAYS):
    """Drydowns under a season of vegetation and temperature, in sparse to moderate vegetation."""
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(28, 48, cells), rng.uniform(-118, -78, cells)
    parameters = surface_parameters(rng.choice([7, 9, 10, 12], cells))
    parameters["clay"] = rng.uniform(5, 45, cells).astype(np.float32)
    season = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(len(days)) - 20) / 365.25)[:, None]
    wetness, moisture = np.zeros(cells), np.empty((len(days), cells), np.float32)
    for t in range(len(days)):
        wetness = np.minimum(wetness * np.exp(-1 / 6) + rng.exponential(0.15, cells) * (rng.random(cells) < 0.25), 0.3)
        moisture[t] = 0.08 + wetness
    return DAYS[:len(days)], lat, lon, {
        "soil_moisture": moisture,
        "soil_temperature": (12 + 24 * (season - 0.5) + 3 * rng.standard_normal(moisture.shape)).astype(np.float32),
        "vegetation_water_content": (0.4 + rng.uniform(0.3, 3.5, cells) * season).astype(np.float32),
    }, parameters


def draw(size=20_000, seed=0):
    """Moisture and the other arguments of the forward model, over all that they may be."""
    rng = np.random.default_rng(seed)
    low, high = np.array([(0.02, 0.5), (0.5, 40), (0, 5), (0, 100), (0, 0.6), (0, 0.12), (0, 0.13)]).T
    moisture, *known = rng.uniform(low, high, (size, 7)).T
    moisture[:3] = 0.02, 0.5, 0.5
    known[2][:4] = 0, 100, 0, 100
    return moisture, known


def test_the_dielectric_constant_follows_the_equations_worked_by_hand():
    # clay 20 %: n_d 1.537192, k_d 0.031444, m_t 0.089976. Bound water: static 64.028, relaxation 1.131e-11 s, so
    # omega tau 0.100199 and conductivity term 5.15807; free water: omega tau 0.075304, term 7.73201.
    bound = np.sqrt(4.9 + 59.128 / (1 + 0.100199j) - 5.15807j)
    free = np.sqrt(4.9 + 95.1 / (1 + 0.075304j) - 7.73201j)
    n = 1.537192 - 0.031444j + (bound - 1) * 0.089976 + (free - 1) * (0.25 - 0.089976)
    assert dielectric(0.25, 20.0) == pytest.approx(np.conj(n**2), rel=1e-5)
    assert dielectric(0.0, 20.0) == pytest.approx((1.537192 + 0.031444j) ** 2, rel=1e-6)
    assert dielectric(0.3, 20.0, frozen=1.0) == pytest.approx(5 + 0.5j)


def test_fresnel_reflectivities_are_those_of_complex_arithmetic():
    moisture, (_, _, clay, *_) = draw(500)
    epsilon, cos = np.conj(dielectric(moisture, clay)), np.cos(np.radians(40))
    s = np.sqrt(epsilon - 1 + cos**2)
    h, v = reflectivity(moisture, clay)
    np.testing.assert_allclose(h, abs((cos - s) / (cos + s)) ** 2, rtol=1e-12)
    np.testing.assert_allclose(v, abs((epsilon * cos - s) / (epsilon * cos + s)) ** 2, rtol=1e-12)
    nadir = reflectivity(0.3, 20.0, angle=0.0)
    assert nadir[0] == pytest.approx(nadir[1])


def test_reflectivity_rises_with_moisture_whatever_the_clay():
    for r in reflectivity(np.linspace(0.005, 0.65, 300)[:, None], np.arange(101.0)):
        assert np.diff(r, axis=0).min() > 0


def test_brightness_temperature_at_its_limits():
    bare = {"clay": 20.0, "omega": 0.05, "b": 0.12}
    h, v = brightness_temperature(0.25, 20.0, 0.0, roughness=0.0, **bare)
    np.testing.assert_allclose([h, v], 293.15 * (1 - np.array(reflectivity(0.25, 20.0))), rtol=1e-12)
    opaque = brightness_temperature(0.25, 20.0, 1e3, roughness=0.1, **bare)
    np.testing.assert_allclose(opaque, 293.15 * (1 - 0.05), rtol=1e-9)
    rough = brightness_temperature(0.25, 20.0, 0.0, roughness=0.5, **bare)
    assert rough[0] > h and rough[1] > v and rough[1] - rough[0] < v - h
    # One case with everything in it, by hand: Q = 0.026565, exp(-h cos^2) = 0.915739, gamma = exp(-0.22 / cos 40).
    rh, rv = reflectivity(0.25, 20.0)
    r, gamma = 0.915739 * (0.973435 * rh + 0.026565 * rv), 0.750369
    by_hand = 293.15 * ((1 - r) * gamma + 0.95 * (1 - gamma) * (1 + r * gamma))
    found = brightness_temperature(0.25, 20.0, 2.0, 20.0, 0.15, 0.05, 0.11)[0]
    assert found == pytest.approx(by_hand, abs=1e-3)


def test_every_retrieval_gives_back_the_moisture():
    moisture, known = draw()
    tb = brightness_temperature(moisture, *known)
    np.testing.assert_allclose(retrieve_sca(tb[0], "H", *known), moisture, atol=1e-8)
    np.testing.assert_allclose(retrieve_sca(tb[1], "V", *known), moisture, atol=1e-8)
    for weight in (20.0, 0.0):
        found, opacity = retrieve_dca(*tb, *known, weight=weight)
        np.testing.assert_allclose(found, moisture, atol=1e-7)
        np.testing.assert_allclose(opacity, known[5] * known[1], atol=1e-7)


def test_single_precision_is_enough():
    moisture, known = draw()
    moisture, known = moisture.astype(np.float32), [k.astype(np.float32) for k in known]
    tb = brightness_temperature(moisture, *known)
    found = [retrieve_sca(tb[0], "H", *known), retrieve_sca(tb[1], "V", *known), retrieve_dca(*tb, *known)[0]]
    assert {t.dtype for t in (*tb, *found)} == {np.dtype(np.float32)}
    assert np.abs(np.stack(found) - moisture).max() < 1e-5


def test_dca_finds_a_vegetation_that_the_ancillary_data_do_not_know():
    rng = np.random.default_rng(0)
    moisture = rng.uniform(0.05, 0.4, 2000)
    site = 20.0, 0.1, 0.05, 0.11  # clay, roughness, omega, b
    tb = brightness_temperature(moisture, 20.0, 2.0, *site)
    free, opacity = retrieve_dca(*tb, 20.0, 3.0, *site, weight=0.0)
    np.testing.assert_allclose(free, moisture, atol=1e-7)
    np.testing.assert_allclose(opacity, 0.22, atol=1e-6)
    held = retrieve_dca(*tb, 20.0, 3.0, *site)[0]
    single = retrieve_sca(tb[0], "H", 20.0, 3.0, *site)
    assert np.abs(held - moisture).mean() < 0.5 * np.abs(single - moisture).mean()


def test_dca_is_at_the_least_of_its_cost():
    moisture, known = draw(300, seed=1)
    rng = np.random.default_rng(2)
    tb = [t + 3 * rng.standard_normal(300) for t in brightness_temperature(moisture, *known)]
    found, opacity = retrieve_dca(*tb, *known)
    temperature, _, clay, rough, omega, b = known
    b = np.maximum(b, 1e-6)

    def cost(m, tau):
        h, v = brightness_temperature(m, temperature, tau / b, clay, rough, omega, b)
        return (h - tb[0]) ** 2 + (v - tb[1]) ** 2 + 400 * (tau - known[5] * known[1]) ** 2

    least = cost(found, opacity)
    for m, tau in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (0.03, 0.03), (-0.03, -0.03)):
        other = cost(np.clip(found + m, 0.02, 0.6), np.clip(opacity + tau, 0, 3))
        assert (other >= least - 1e-6).all()


def test_what_no_moisture_explains_is_held_at_the_bounds_and_nan_stays_nan():
    site = 20.0, 1.0, 20.0, 0.1, 0.05, 0.11
    for polarisation in "HV":
        found = retrieve_sca(np.array([20.0, 330.0, np.nan]), polarisation, *site)
        np.testing.assert_array_equal(found, [0.6, 0.02, np.nan])
    found, opacity = retrieve_dca(np.array([60.0, 329.0, np.nan]), np.array([90.0, 330.0, 250.0]), *site)
    assert ((found[:2] >= 0.02) & (found[:2] <= 0.6) & (opacity[:2] >= 0) & (opacity[:2] <= 3)).all()
    assert np.isnan(found[2]) and np.isnan(opacity[2])
    assert np.isnan(brightness_temperature(np.nan, 10.0, 1.0, 20.0, 0.1, 0.05, 0.1)[0])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="clay"):
        dielectric(0.2, 120.0)
    with pytest.raises(ValueError, match="polarisation"):
        retrieve_sca(250.0, "X", 20.0, 1.0, 20.0, 0.1, 0.05, 0.11)
    with pytest.raises(ValueError, match="orbit"):
        overpass(DAYS, [40.0], [-100.0], "noon")
    with pytest.raises(ValueError, match="IGBP"):
        surface_parameters([0, 3])


def test_parameters_of_land_cover():
    found = surface_parameters(np.array([[10, 12], [16, 1]]))
    np.testing.assert_allclose(found["b"], [[0.13, 0.11], [0, 0.1]])
    assert found["omega"].shape == (2, 2)


def test_effective_temperature_lies_between_the_surface_and_the_deep():
    assert radiometer.effective_temperature(30.0, 10.0) == pytest.approx(10 + 0.246 * 20)


@pytest.mark.parametrize("orbit", ["AM", "PM"])
def test_a_place_is_seen_every_two_to_three_days_and_oftener_in_the_north(orbit):
    lon = np.arange(-180, 180, 2.0)
    share = [overpass(DAYS[:8], np.full(len(lon), lat), lon, orbit) for lat in (0.0, 40.0, 65.0)]
    equator, middle, north = (s.mean() for s in share)
    assert 2.4 < 1 / equator < 3 and 1.8 < 1 / middle < 2.2 and north > 0.75
    assert all(s.any(0).all() for s in share)
    again = overpass(DAYS, [40.0], [-100.0], orbit)[:, 0]
    np.testing.assert_array_equal(again[8:], again[:-8])  # the exact repeat
    assert np.diff(np.flatnonzero(again)).max() <= 3


def test_an_unperturbed_observation_is_the_truth_where_it_may_be():
    time, lat, lon, truth, parameters = scene(12)
    found = observe(time, lat, lon, truth, parameters, errors=NONE)
    usable = found["seen"] & (truth["soil_temperature"] > 0)
    for name in ("DCA", "SCA_H", "SCA_V"):
        np.testing.assert_array_equal(np.isfinite(found[name]), usable)
        np.testing.assert_allclose(found[name][usable], truth["soil_moisture"][usable], atol=1e-5)


def test_retrievals_err_as_those_of_smap_do():
    time, lat, lon, truth, parameters = scene(60)
    found = observe(time, lat, lon, truth, parameters, seed=1)
    r, ubrmse = {}, {}
    for name in ("DCA", "SCA_H", "SCA_V"):
        pairs = [(found[name][:, c], truth["soil_moisture"][:, c]) for c in range(60)]
        pairs = [(a[np.isfinite(a)], b[np.isfinite(a)]) for a, b in pairs]
        r[name] = np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
        ubrmse[name] = np.mean([np.std(a - b) for a, b in pairs])
    assert 0.03 < ubrmse["DCA"] < 0.045 and 0.03 < ubrmse["SCA_V"] < 0.05
    assert ubrmse["DCA"] < ubrmse["SCA_H"] < 0.07
    assert r["DCA"] > r["SCA_H"] + 0.005


def test_noise_is_white_and_of_its_size():
    time, lat, lon, truth, parameters = scene(60)
    clean = observe(time, lat, lon, truth, parameters, errors=NONE)
    errors = Errors(footprint_map=0, footprint_slow=0, footprint_noise=0)
    noisy = observe(time, lat, lon, truth, parameters, errors=errors)
    h, v = (noisy[k] - clean[k] for k in ("tb_h", "tb_v"))
    seen = clean["seen"]
    assert np.std(h[seen]) == pytest.approx(1.3, rel=0.03) and np.std(v[seen]) == pytest.approx(1.3, rel=0.03)
    assert abs(np.corrcoef(h[seen], v[seen])[0, 1]) < 0.03
    both = seen[:, 1:] & seen[:, :-1]
    assert abs(np.corrcoef(h[:, 1:][both], h[:, :-1][both])[0, 1]) < 0.05
    both = seen[8:] & seen[:-8]
    assert abs(np.corrcoef(h[8:][both], h[:-8][both])[0, 1]) < 0.03


def test_masks_and_flags():
    time, lat, lon, truth, parameters = scene(6)
    truth["snow_water"] = np.where(np.arange(len(time))[:, None] < 30, 5.0, 0.0) + np.zeros((1, 6))
    truth["frozen_fraction"] = np.zeros_like(truth["soil_moisture"])
    truth["frozen_fraction"][200:220] = 0.5
    truth["soil_temperature"] = np.maximum(truth["soil_temperature"], 8.0)
    truth["vegetation_water_content"][:, 0] = 30.0
    found = observe(time, lat, lon, truth, parameters)
    hidden = np.zeros_like(found["seen"])
    hidden[:30] = hidden[200:220] = True
    np.testing.assert_array_equal(np.isfinite(found["DCA"]), found["seen"] & ~hidden)
    assert np.isfinite(found["tb_h"][found["seen"]]).all()
    assert np.isnan(found["tb_h"][~found["seen"]]).all()
    assert found["snow"][:30].all() and found["frozen"][200:220].all() and found["dense"][:, 0].all()


def test_a_part_sees_what_the_whole_sees():
    time, lat, lon, truth, parameters = scene(30, days=DAYS[:200])
    whole = observe(time, lat, lon, truth, parameters, seed=3)
    np.testing.assert_array_equal(whole["tb_h"], observe(time, lat, lon, truth, parameters, seed=3)["tb_h"])
    chunked = observe(time, lat, lon, truth, parameters, seed=3, chunk=7)
    days, cells = slice(50, 120), slice(4, 19)
    part = observe(time[days], lat[cells], lon[cells], {k: v[days, cells] for k, v in truth.items()},
                   {k: v[cells] for k, v in parameters.items()}, seed=3)
    for name in ("tb_h", "tb_v", "DCA", "SCA_H", "SCA_V"):
        np.testing.assert_allclose(chunked[name], whole[name], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(part[name], whole[name][days, cells], rtol=1e-5, atol=1e-5)
    other = observe(time, lat, lon, truth, parameters, seed=4)
    assert not np.allclose(other["tb_h"], whole["tb_h"], equal_nan=True)
    assert retrieval.LOWEST <= np.nanmin(whole["DCA"])
