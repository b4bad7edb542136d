"""Soil hydraulics against the paper's table; the soil column against its own balance and against known solutions."""

import numpy as np
import pytest

from smlib.nature import soil
from smlib.nature.hydraulics import saxton_rawls
from smlib.nature.soil import Physics, State, initial, simulate

MAPS = [0, 0.05, 0.10, 0.40, 1.00]
STATIONS = [0, 0.075, 0.15, 0.35, 0.75, 1.25]

# Saxton and Rawls 2006, Table 3 (2.5 % organic matter): sand, clay; wilting, field capacity, saturation in percent by
# volume, saturated conductivity in mm an hour. As printed, rounded.
TABLE_3 = {
    "sand": (88, 5, 5, 10, 46, 108.1), "loamy sand": (80, 5, 5, 12, 46, 96.7), "sandy loam": (65, 10, 8, 18, 45, 50.3),
    "loam": (40, 20, 14, 28, 46, 15.5), "silt loam": (20, 15, 11, 31, 48, 16.1), "silt": (10, 5, 6, 30, 48, 22.0),
    "sandy clay loam": (60, 25, 17, 27, 43, 11.3), "clay loam": (30, 35, 22, 36, 48, 4.3),
    "silty clay loam": (10, 35, 22, 38, 51, 5.7), "silty clay": (10, 45, 27, 41, 52, 3.7),
    "sandy clay": (50, 40, 25, 36, 44, 1.4), "clay": (25, 50, 30, 42, 50, 1.1),
}


@pytest.mark.parametrize("texture", TABLE_3)
def test_hydraulics_are_those_of_the_printed_table(texture):
    sand, clay, *printed, k = TABLE_3[texture]
    h = saxton_rawls(sand, clay, 2.5)
    found = 100 * np.array([h.theta_wilting, h.theta_field, h.theta_saturation])
    np.testing.assert_allclose(found, printed, rtol=0, atol=0.501)
    assert h.k_saturation / 24 == pytest.approx(k, abs=0.051)


def test_retention_meets_its_ends_and_inverts_over_the_whole_triangle():
    sand, clay = (x.ravel().astype(float) for x in np.meshgrid(range(0, 101, 4), range(0, 101, 4)))
    inside = sand + clay <= 100
    for organic in (0, 2.5, 8):
        h = saxton_rawls(sand[inside], clay[inside], organic)
        assert (h.theta_residual > 0).all() and (h.theta_wilting < h.theta_field).all()
        assert (h.theta_field < h.theta_saturation).all() and (h.theta_saturation < 0.8).all()
        np.testing.assert_allclose(h.psi(h.theta_wilting), 1500)
        np.testing.assert_allclose(h.psi(h.theta_field), 33)
        np.testing.assert_allclose(h.psi(h.theta_saturation), h.psi_entry)
        np.testing.assert_allclose(h.conductivity(h.theta_saturation), h.k_saturation)
        theta = h.theta_residual + np.linspace(0.05, 1, 40)[:, None] * (h.theta_saturation - h.theta_residual)
        assert (np.diff(h.psi(theta), axis=0) < 0).all() and (np.diff(h.conductivity(theta), axis=0) > 0).all()
        np.testing.assert_allclose(h.theta(h.psi(theta)), theta)


@pytest.mark.parametrize("bad", [(70, 40), (-1, 10), (np.nan, 10)])
def test_impossible_textures_are_refused(bad):
    with pytest.raises(ValueError, match="percentages"):
        saxton_rawls(*bad)


def test_gravel_holds_no_water():
    fine, stony = saxton_rawls(40, 20, 2.5), saxton_rawls([40, 40], 20, 2.5, gravel=[30.0, 60.0])
    for name in ("theta_residual", "theta_wilting", "theta_field", "theta_saturation", "k_saturation"):
        np.testing.assert_allclose(getattr(stony, name), getattr(fine, name) * np.array([0.7, 0.4]), err_msg=name)
    # The earth between the stones holds its water as tightly as without them.
    np.testing.assert_allclose(stony.psi(0.2 * np.array([0.7, 0.4])), fine.psi(0.2))
    np.testing.assert_array_equal(stony.psi_entry, [fine.psi_entry] * 2)
    for gravel in (90, -1, np.nan):
        with pytest.raises(ValueError, match="gravel"):
            saxton_rawls(40, 20, 2.5, gravel)


def textures(cells, seed=0):
    rng = np.random.default_rng(seed)
    part = rng.dirichlet((1.5, 1.5, 1.2), cells).T * 100
    return saxton_rawls(part[0], part[2], rng.uniform(0, 6, cells))


def weather(days, cells, mean=10.0, rain=2.5, seed=0):
    """Seasons, wet and dry days, from -15 to 30 degC: snow, frozen ground, cloudbursts and droughts all occur."""
    rng = np.random.default_rng(seed)
    season = -np.cos(2 * np.pi * (np.arange(days)[:, None] - 15) / 365)
    wet = np.zeros((days, cells), bool)  # 30 % of the days, and half of those after a wet day
    for day in range(days):
        wet[day] = rng.random(cells) < np.where(wet[day - 1], 0.5, 0.214)
    temperature = mean + 13 * season + 4 * rng.standard_normal((days, cells))
    forcing = {
        "precipitation": wet * rng.gamma(0.6, rain / 0.3 / 0.6, (days, cells)), "air_temperature": temperature,
        "shortwave_down": (190 + 110 * season) * np.where(wet, 0.5, 1),
        "longwave_down": 5.67e-8 * (temperature + 273.15) ** 4 * np.where(wet, 0.95, 0.8),
        "relative_humidity": np.where(wet, 85, 60) + 5 * rng.random((days, cells)),
        "wind_speed": rng.weibull(2, (days, cells)) * 3}
    cover = np.repeat(0.5 + 0.3 * season, cells, 1)
    return forcing, {"fractional_cover": cover, "lai": 3 * cover}


def still(days, cells, temperature=15.0, rain=0.0):
    """Weather and plants that evaporate nothing: a trace of net cooling, air saturated, no leaves."""
    full = np.full((days, cells), float(temperature)) + np.zeros((days, 1))
    forcing = {"precipitation": np.full((days, cells), rain), "air_temperature": full,
               "shortwave_down": 0 * full, "longwave_down": 5.67e-8 * (full + 273.15) ** 4 * 0.9999,
               "relative_humidity": 0 * full + 100, "wind_speed": 0 * full + 2}
    return forcing, {"fractional_cover": 0 * full, "lai": 0 * full}


def roots_of(bounds, cells):
    share = np.diff(1 - 0.96 ** (100 * np.asarray(bounds)))
    return np.repeat((share / share.sum())[:, None], cells, 1)


def days_of(tables, days):
    return {name: x[days] for name, x in tables.items()}


PLAIN = Physics(evaporation_factor=1, surface_field=1, conductivity_factor=1)  # nothing tuned


def run(forcing, vegetation, h, bounds=STATIONS, physics=PLAIN, **options):
    roots = roots_of(bounds, forcing["precipitation"].shape[1])
    return simulate(forcing, h, vegetation, roots, bounds, physics=physics, **options)


def storage(state, bounds):
    return state.snow + 1000 * state.moisture @ np.diff(bounds)


@pytest.mark.parametrize("bounds", [MAPS, STATIONS, [0, 0.01, 1.5], [0, 0.3]])
@pytest.mark.parametrize("bottom", ["free", "closed"])
def test_water_is_kept_every_day_in_every_cell(bounds, bottom):
    cells, days = 12, 400
    h = textures(cells)
    forcing, vegetation = weather(days, cells, mean=3, rain=4)
    forcing["precipitation"][200:203] = 150  # the whole column fills
    state = initial(h, bounds, np.full(cells, 3.0))
    seen = {"snow": 0, "frozen": 0, "runoff": 0}
    for day in range(days):
        before = storage(state, bounds)
        out = run(days_of(forcing, slice(day, day + 1)), days_of(vegetation, slice(day, day + 1)), h, bounds,
                  state=state, bottom=bottom)
        state = out["state"]
        leaving = sum(out[name][0].astype(float) for name in ("runoff", "drainage", "evaporation", "transpiration"))
        gained = np.float32(forcing["precipitation"][day]) - leaving
        # the fluxes come back as float32; the day's own account is in float64
        np.testing.assert_allclose(storage(state, bounds) - before, gained, rtol=0, atol=1e-4)
        assert np.abs(out["balance_error"]).max() < 1e-9
        assert (state.moisture >= h.theta_residual[:, None] - 1e-12).all()
        assert (state.moisture <= h.theta_saturation[:, None] + 1e-12).all()
        for name in ("runoff", "drainage", "evaporation", "transpiration", "snow_water"):
            assert out[name].min() >= 0, name
        if bottom == "closed":
            assert out["drainage"].max() == 0
        seen["snow"] += (out["snow_water"] > 0).sum()
        seen["frozen"] += (out["frozen_fraction"] > 0.3).any()
        seen["runoff"] += (out["runoff"] > 0).sum()
    assert min(seen.values()) > 20


def same(a, b):
    for name in a:
        if name != "state":
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    for x, y in zip(a["state"], b["state"], strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_run_in_pieces_of_time_and_of_cells_is_the_whole_run_to_the_bit():
    cells, days = 23, 300
    forcing, vegetation = weather(days, cells, mean=2)
    sand = np.linspace(5, 80, cells)
    h = saxton_rawls(sand, np.full(cells, 15.0))
    whole = run(forcing, vegetation, h)

    first = run(days_of(forcing, slice(0, 117)), days_of(vegetation, slice(0, 117)), h)
    kept = State(*(x.copy() for x in first["state"]))
    second = run(days_of(forcing, slice(117, None)), days_of(vegetation, slice(117, None)), h, state=first["state"])
    same(whole, {name: np.concatenate([first[name], second[name]]) for name in first if name != "state"}
         | {"state": second["state"]})
    for x, y in zip(first["state"], kept, strict=True):
        np.testing.assert_array_equal(x, y)  # a state that was handed in is not written to

    parts = []
    for cut in (slice(0, 1), slice(1, 8), slice(8, None)):
        pick = days_of(forcing, (slice(None), cut)), days_of(vegetation, (slice(None), cut))
        parts.append(run(*pick, saxton_rawls(sand[cut], np.full(cells, 15.0)[cut])))
    joined = {name: np.concatenate([p[name] for p in parts], -1) for name in whole if name != "state"}
    same(whole, joined | {"state": State(*(np.concatenate(x) for x in zip(*(p["state"] for p in parts), strict=True)))})


def test_water_at_hydrostatic_equilibrium_stays_and_any_other_goes_there():
    """Over a closed bottom tension falls by one metre of water a metre down, in soils that differ by layer too."""
    bounds = np.linspace(0, 2, 11)
    centre = (bounds[1:] + bounds[:-1]) / 2
    sand, clay = np.meshgrid([65.0, 40.0, 20.0], np.linspace(8, 25, 10))
    h = saxton_rawls(sand, clay)
    rest = h.theta(soil.KPA_PER_M * (3.0 - centre[:, None]) * np.array([1, 1.5, 3]))
    settled = h.theta(soil.KPA_PER_M * (np.array([3.0, 5, 9]) - centre[:, None]))
    state = State(settled.T, np.full((3, 14), 15.0), np.zeros(3))
    out = run(*still(200, 3), h, bounds, state=state, bottom="closed")
    assert np.abs(out["state"].moisture - settled.T).max() < 1e-10
    state = State(rest.T, np.full((3, 14), 15.0), np.zeros(3))
    forcing, vegetation = still(3000, 3)
    out = run(forcing, vegetation, h, bounds, state=state, bottom="closed")
    tension = h.psi(out["state"].moisture.T) / soil.KPA_PER_M
    np.testing.assert_allclose(np.diff(tension, axis=0), -0.2, rtol=0, atol=0.01)
    np.testing.assert_allclose(storage(out["state"], bounds), storage(state, bounds), rtol=1e-10)


@pytest.mark.parametrize("rain", [0.5, 3.0, 10.0])
def test_steady_rain_drains_at_the_moisture_whose_conductivity_is_its_rate(rain):
    h = saxton_rawls(np.array([65.0, 40.0, 30.0]), np.array([10.0, 20.0, 35.0]))
    out = run(*still(1500, 3, rain=rain), h)
    infiltrated = rain - out["runoff"][-1]
    np.testing.assert_allclose(out["drainage"][-1], infiltrated, rtol=1e-4)
    np.testing.assert_allclose(h.conductivity(out["state"].moisture[:, 2]), infiltrated, rtol=1e-3)


@pytest.mark.parametrize("depth", [0.3, 1.25])
def test_a_saturated_layer_drains_as_the_exact_solution(depth):
    """d theta / dt = -Ks (theta / s) ** m / depth has theta = s (1 + (m - 1) Ks t / (s depth)) ** (1 / (1 - m))."""
    h = saxton_rawls(np.array([65.0, 40.0, 25.0]), np.array([10.0, 20.0, 50.0]))
    m = 3 + 2 * h.b
    state = State(h.theta_saturation[:, None].copy(), np.full((3, 5), 15.0), np.zeros(3))
    forcing, vegetation = still(1, 3)
    for day in range(1, 21):
        state = run(forcing, vegetation, h, [0, depth], state=state)["state"]
        rate = (m - 1) * h.k_saturation * day / (1000 * depth * h.theta_saturation)
        exact = h.theta_saturation * (1 + rate) ** (-1 / (m - 1))
        np.testing.assert_allclose(state.moisture[:, 0], exact, rtol=0, atol=0.02)


def test_saturated_loam_loses_half_its_drainable_water_in_three_days_and_most_in_ten():
    """These curves have no sharp field capacity (33 kPa): as in the exact solution above, drainage only slows down."""
    h = saxton_rawls(np.array([40.0]), np.array([20.0]))
    start = State(np.full((1, 5), h.theta_saturation[0]), np.full((1, 9), 15.0), np.zeros(1))
    out = run(*still(10, 1), h, state=start)
    part = (out["soil_moisture"][:, :3, 0].mean(1) - h.theta_field) / (h.theta_saturation - h.theta_field)
    assert (np.diff(part) < 0).all() and 0.3 < part[2] < 0.5 and 0.1 < part[9] < 0.25
    assert out["drainage"][3, 0] < 0.05 * h.k_saturation[0]


def test_potential_evaporation_is_that_of_fao_56_example_18():
    """Uccle, 6 July: Rn 13.28 MJ m-2, 16.9 degC, 2.078 m/s, 100 m, ea 1.409 kPa: printed 3.88 mm d-1.

    The example takes the saturated pressure, 1.997 kPa, as mean over the day's extremes: from the mean temperature it
    is 1.925, which makes the deficit smaller.
    """
    def of(vapour_pressure):
        return soil.potential_evaporation(13.28 / 0.0864, 16.9, 100 * vapour_pressure / 1.925, 2.078, 100.0)
    assert of(1.409 - (1.997 - 1.925)) == pytest.approx(3.88, abs=0.03)
    assert of(1.409) == pytest.approx(3.88, rel=0.05)


def test_snow_lies_while_it_is_cold_and_melts_by_degrees():
    h = saxton_rawls(np.array([40.0]), np.array([20.0]))
    forcing, vegetation = still(20, 1, rain=0)
    forcing["air_temperature"][:10], forcing["air_temperature"][10:] = -5, 2
    forcing["precipitation"][:5] = 4
    forcing["longwave_down"] = 5.67e-8 * (forcing["air_temperature"] + 273.15) ** 4 * 0.9999
    snow = run(forcing, vegetation, h)["snow_water"][:, 0]
    np.testing.assert_allclose(snow, [4, 8, 12, 16, *[20] * 6, 13, 6, *[0] * 8], atol=1e-4)


def test_a_yearly_wave_of_heat_is_damped_as_in_a_half_space():
    """Amplitude falls by exp(-dz / d), d = sqrt(2 lambda / (C omega)), and comes later by dz / d radians."""
    bounds = np.linspace(0, 1.5, 31)
    h = saxton_rawls(np.array([40.0]), np.array([20.0]))
    days, omega = 365 * 4, 2 * np.pi / 365
    air = 15 + 10 * np.sin(omega * np.arange(days))[:, None]
    forcing, vegetation = still(days, 1, temperature=0)
    forcing |= {"air_temperature": air, "longwave_down": 5.67e-8 * (air + 273.15) ** 4}
    state = initial(h, bounds, np.array([15.0]))
    out = run(forcing, vegetation, h, bounds, state=state, bottom="closed")
    wave = np.exp(-1j * omega * np.arange(365)) @ out["soil_temperature"][-365:, :, 0] / 365
    moisture, full = out["soil_moisture"][-1, :, 0].mean(), h.theta_saturation[0]
    capacity = (1 - full) * 2.0e6 + moisture * 4.18e6
    depth = np.sqrt(2 * (0.25 + 1.35 * moisture / full) * soil.DAY / (capacity * omega))
    ratio = wave[24] / wave[4]  # one metre apart
    assert np.abs(ratio) == pytest.approx(np.exp(-1 / depth), rel=0.02)
    assert -np.angle(ratio) == pytest.approx(1 / depth, rel=0.03)


def test_heat_content_is_that_of_cooling_and_of_fusion():
    sensible, latent = 2e5, 3e6
    content = [soil._enthalpy(t, sensible, latent) for t in (3.0, 0.0, soil.ALL_FROZEN / 2, soil.ALL_FROZEN, -4.0)]
    whole = -sensible * soil.ALL_FROZEN + latent
    np.testing.assert_allclose(content, [3 * sensible, 0, -whole / 2, -whole, -4 * sensible - latent])


def test_ground_is_never_warmer_or_colder_than_what_it_has_met():
    """Conduction only evens out, freezing and thawing included."""
    cells = 30
    forcing, vegetation = weather(800, cells, mean=1, rain=3)
    forcing["air_temperature"] += 8 * np.random.default_rng(3).standard_normal((800, cells))
    h = textures(cells)
    state = initial(h, STATIONS, np.full(cells, 1.0))
    out = run(forcing, vegetation, h, state=state)
    skin, ground = out["skin_temperature"].astype(float), out["soil_temperature"].astype(float)
    met_high = np.maximum.accumulate(np.maximum(skin, 1.0), 0)
    met_low = np.minimum.accumulate(np.minimum(skin, 1.0), 0)
    assert (ground <= met_high[:, None] + 1e-4).all() and (ground >= met_low[:, None] - 1e-4).all()
    # Day by day: the uppermost layer stays between the skin, itself and the layer below, of today or the day before.
    around = np.stack([skin[1:], ground[:-1, 0], ground[1:, 1]])
    assert (ground[1:, 0] <= around.max(0) + 1e-4).all() and (ground[1:, 0] >= around.min(0) - 1e-4).all()
    assert ((ground[:, 0] < 0) & (ground[:, 0] > soil.ALL_FROZEN)).mean() > 0.05  # and it froze partly, often


def test_thawing_takes_the_heat_of_fusion():
    """Frozen ground under warm air thaws from above, layer by layer, more slowly than ground without ice warms."""
    h = saxton_rawls(np.array([40.0]), np.array([20.0]))
    forcing, vegetation = still(60, 1, temperature=8)
    start = initial(h, STATIONS, np.full(1, -2.0), wetness=1.0)
    out = run(forcing, vegetation, h, state=start)
    icy = out["frozen_fraction"][:, :, 0] > 0
    assert icy[0, 1:].all() and not icy[-1, 0] and (np.diff(icy.sum(1)) <= 0).all()
    assert (np.diff(icy.astype(int), axis=1) >= 0).all()  # never ice above thawed ground
    dry = run(forcing, vegetation, h, state=State(np.tile(h.theta_wilting, (1, 5)), start.temperature, np.zeros(1)))
    assert (dry["soil_temperature"][1, :4] > out["soil_temperature"][1, :4] + 0.2).all()


def test_frozen_ground_holds_its_water_and_snow_keeps_it_warm():
    h = saxton_rawls(np.full(2, 40.0), np.full(2, 20.0))
    forcing, vegetation = still(60, 2, temperature=-12)
    forcing["wind_speed"] += 6
    forcing["shortwave_down"] += 60
    forcing["relative_humidity"] -= 40
    vegetation["fractional_cover"] += 0.8
    start = initial(h, STATIONS, np.full(2, 3.0), wetness=1.0)
    out = run(forcing, vegetation, h, state=State(start.moisture, start.temperature, np.array([0.0, 80.0])))
    assert out["frozen_fraction"][-1, 0, 0] > 0.3 and out["frozen_fraction"].max() <= 1
    assert out["soil_temperature"][5, 0, 1] > out["soil_temperature"][5, 0, 0] + 2
    warm = run(forcing | {"air_temperature": forcing["air_temperature"] + 24}, vegetation, h, state=start)
    share = [x["transpiration"][d, 0] / x["potential_evaporation"][d, 0] for x, d in ((out, -1), (warm, 3))]
    assert share[0] < 0.1 and share[1] > 0.5


def test_dry_plants_do_not_transpire_below_wilting_and_bare_ground_dries_to_the_residual_at_most():
    h = textures(8)
    forcing, vegetation = weather(1000, 8, mean=25, rain=0)
    forcing["precipitation"] *= 0
    vegetation["fractional_cover"] = vegetation["fractional_cover"] * 0 + 0.6
    out = run(forcing, vegetation, h)
    assert out["transpiration"][-1].max() < 1e-2
    assert (out["soil_moisture"].min((0, 1)) >= h.theta_residual.astype(np.float32) * (1 - 1e-6)).all()
    assert (out["soil_moisture"][-1, 0] < h.theta_wilting).all()
    assert (out["evaporation"] + out["transpiration"] <= out["potential_evaporation"] + 1e-5).all()


def test_moisture_varies_and_persists_like_a_station_and_longer_the_deeper():
    cells = 6
    h = saxton_rawls(np.full(cells, 40.0), np.full(cells, 20.0))
    forcing, vegetation = weather(365 * 4, cells, mean=12, rain=2.0)
    moisture = run(forcing, vegetation, h, physics=Physics())["soil_moisture"][365:].astype(float)
    std = moisture.std(0).mean(1)
    step = np.mean((moisture[1:] - moisture[:-1]) ** 2, 0).mean(1) / std**2
    assert 0.04 < std[0] < 0.08 and (np.diff(std) < 0).all()
    assert 0.02 < step[0] < 0.14 and (np.diff(step) < 0).all()


def test_perturbed_physics_change_what_they_should():
    h = textures(10)
    forcing, vegetation = weather(365, 10)
    usual = run(forcing, vegetation, h)
    wetter = run(forcing, vegetation, h, physics=Physics(evaporation_factor=0.5))
    assert wetter["soil_moisture"].mean() > usual["soil_moisture"].mean() + 0.01
    sealed = run(forcing, vegetation, h, physics=Physics(infiltration=0.05))
    assert sealed["runoff"].sum() > 1.5 * usual["runoff"].sum()


@pytest.mark.parametrize(("change", "message"), [
    ({"bounds_m": [0.1, 0.2, 0.5, 0.7, 1, 2]}, "start at 0"), ({"bottom": "swamp"}, "bottom"),
    ({"roots": np.full((5, 3), 0.5)}, "roots"),
    ({"state": State(np.zeros((3, 2)), np.zeros((3, 6)), np.zeros(3))}, "state"),
])
def test_wrong_input_is_named(change, message):
    forcing, vegetation = still(2, 3)
    given = {"forcing": forcing, "hydraulics": textures(3), "vegetation": vegetation, "roots": roots_of(STATIONS, 3),
             "bounds_m": STATIONS}
    with pytest.raises(ValueError, match=message):
        simulate(**given | change)
    forcing["wind_speed"][0, 0] = np.nan
    with pytest.raises(ValueError, match="wind_speed"):
        simulate(**given)
