"""The weather generator against the statistics it is asked for, FAO-56's printed examples, and itself in pieces."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from smlib.nature import radiation
from smlib.nature.weather import VARIABLES, Climate, Weather, climate, generate, wet_fraction
from smlib.paths import ROOT

PUBLISHED = ROOT / "data" / "published"
LONG = np.arange("2003-01-01", "2023-01-01", dtype="M8[D]")
SHORT = LONG[:500]


def temperate(cells=1, **changes):
    values = {"precipitation_mean": 2.5, "precipitation_std": 7.0, "temperature_mean": 10.0, "temperature_std": 9.5}
    return Climate(**{name: np.full(cells, float(value)) for name, value in (values | changes).items()})


def grid(south, west, step, rows, columns):
    lat, lon = np.meshgrid(south + step * np.arange(rows), west + step * np.arange(columns), indexing="ij")
    return lat.ravel(), lon.ravel()


@cache
def twenty_years():
    """Four far places of one climate: dict of (time, cell)."""
    return generate(LONG, [40.0, 42.0, 47.0, 35.0], [-90.0, -110.0, -70.0, -80.0], 300.0, temperate(4), 0, "climate")


@cache
def neighbours():
    """Points along a meridian, at the distances (km) given: dict of (time, cell), distances."""
    km = np.array([0, 9, 50, 100, 200, 400, 800, 1600])
    return generate(LONG[:2500], 30 + km / 111.2, np.full(8, -95.0), 100.0, temperate(8), 0, "climate"), km


def test_extraterrestrial_radiation_is_that_of_the_printed_example():
    # FAO-56, Example 8: 20 degrees south on 3 September (day 246), 32.2 MJ m-2 d-1
    assert radiation.extraterrestrial([-20.0], [246])[0, 0] * 0.0864 == pytest.approx(32.2, abs=0.05)
    # FAO-56, Example 10: 22 degrees 54' south on 15 May (day 135), 25.1; at the ground 14.5 with 7.1 of 10.9 h of sun
    above = radiation.extraterrestrial([-22.9], [135])[0, 0]
    assert above * 0.0864 == pytest.approx(25.1, abs=0.05)
    assert radiation.shortwave(above, 0, 1 - 7.1 / 10.9) * 0.0864 == pytest.approx(14.5, abs=0.1)


def test_the_pole_has_no_sun_in_winter_and_does_not_set_in_summer():
    night, day = radiation.extraterrestrial([89.0], [355, 172])[:, 0]
    assert night == 0 and 500 < day < 560


def test_vapour_pressure_and_longwave():
    # FAO-56, Example 3: 24.5 and 15 degC, 3.075 and 1.705 kPa
    assert radiation.saturation_pressure(np.array([24.5, 15.0])) == pytest.approx([3.075, 1.705], abs=1e-3)
    assert radiation.relative_humidity(20.0, 20.0) == pytest.approx(100)
    black = radiation.STEFAN_BOLTZMANN * 293.15**4
    skies = [radiation.longwave(20.0, 1.5, cloud) for cloud in (0, 0.5, 1)]
    assert skies[0] == pytest.approx(1.24 * (15 / 293.15) ** (1 / 7) * black)
    assert skies[0] < skies[1] < skies[2] < black


@pytest.mark.parametrize("seed", [0, 7])
def test_twins_of_the_published_sites_have_their_statistics(seed):
    # Ordinary and odd sites: Shadow Mtns has 19 times as much spread as mean, from one day.
    table = pd.read_csv(PUBLISHED / "wang2024_tableD2_splits.csv").set_index("site")
    for name in ("Necedah-5-WNW", "Darrington-21-NNE", "Monahans-6-ENE", "ShadowMtns", "UpperBethlehem",
                 "ClotdelesPeresII"):
        site = table.loc[name]
        first, last = (np.datetime64(site[end].replace(".", "-")) for end in ("train_start", "test_end"))
        wanted = Climate(*(np.array([site[c]]) for c in ("p_mean", "p_std", "ta_mean", "ta_std")))
        found = generate(np.arange(first, last + 1), [45.0], [-90.0], 300.0, wanted, seed)
        rain, air = found["precipitation"].astype(float), found["air_temperature"].astype(float)
        assert [rain.mean(), rain.std(), air.mean(), air.std()] == pytest.approx(
            [site.p_mean, site.p_std, site.ta_mean, site.ta_std], rel=1e-3), name
        assert 0.03 < (rain > 0).mean() < 0.65
        assert rain.max() < 2000 and abs(air - site.ta_mean).max() < 4.5 * site.ta_std


def test_in_the_long_run_the_statistics_are_the_climates_without_matching():
    found = twenty_years()
    rain, air = found["precipitation"].astype(float), found["air_temperature"].astype(float)
    assert rain.mean() == pytest.approx(2.5, rel=0.05) and rain.std() == pytest.approx(7, rel=0.07)
    assert air.mean() == pytest.approx(10, abs=0.4) and air.std() == pytest.approx(9.5, rel=0.04)
    assert (rain > 0).mean() == pytest.approx(wet_fraction(7 / 2.5), rel=0.05)


@pytest.mark.parametrize(("variation", "measured"), [  # daily rain of the embedded sites, days above 0.1 mm
    (2.26, 0.45), (2.36, 0.50), (4.11, 0.18), (2.80, 0.33)])
def test_the_rule_for_wet_days_gives_what_was_measured(variation, measured):
    assert wet_fraction(variation) == pytest.approx(measured, abs=0.05)


def test_days_hang_together_as_measured():
    found = twenty_years()

    def from_day_to_day(x):
        return np.mean([np.corrcoef(column[1:], column[:-1])[0, 1] for column in x.T])

    wet, air = found["precipitation"] > 0, found["air_temperature"].astype(float)
    assert 0.18 < from_day_to_day(wet) < 0.35  # the embedded sites: 0.19 to 0.31
    day = 2 * np.pi * np.arange(len(LONG)) / 365.25
    season = np.stack([np.ones_like(day), np.cos(day), np.sin(day)], 1)
    departure = air - season @ np.linalg.lstsq(season, air, rcond=None)[0]
    assert 0.62 < from_day_to_day(departure) < 0.80  # 0.67 to 0.78
    assert 0.70 < 1 - departure.var() / air.var() < 0.85  # 0.70 to 0.81
    assert -3.5 < departure[wet].mean() - departure[~wet].mean() < -0.5


def test_wet_days_are_cloudier_moister_and_get_more_longwave():
    found = twenty_years()
    wet = found["precipitation"] > 0
    dark, moist, warm = (found[name][wet].mean() - found[name][~wet].mean()
                         for name in ("shortwave_down", "relative_humidity", "longwave_down"))
    assert -100 < dark < -30 and 5 < moist < 25 and 5 < warm < 45


def test_near_places_have_like_weather_and_far_ones_do_not():
    found, km = neighbours()
    rain = np.corrcoef(found["precipitation"].T)[0]
    wet = np.corrcoef(found["precipitation"].T > 0)[0]
    assert rain[1] > 0.85 and 0.3 < rain[3] < 0.7 and 0.1 < rain[4] < 0.5 and abs(rain[7]) < 0.15
    assert wet[1] > 0.75 and (np.diff(wet[:6]) < 0).all()
    air = found["air_temperature"]
    anomaly = air[365:] - air[:-365]  # no season
    assert np.corrcoef(anomaly.T)[0, 4] > 0.8 > 0.65 > np.corrcoef(anomaly.T)[0, 6]


@pytest.mark.parametrize("match", ["period", "climate"])
def test_a_part_of_a_region_has_the_numbers_of_the_whole_to_the_bit(match):
    lat, lon = grid(36.0, 95.0, 0.25, 16, 20)
    height = 2000 + 300 * np.sin(lat * 9) * np.cos(lon * 7)
    world = climate(lat, lon, height, 3)
    whole = generate(SHORT, lat, lon, height, world, 3, match)
    part = np.flatnonzero((lat > 37) & (lon < 98))[::-1]
    own = generate(SHORT, lat[part], lon[part], height[part], climate(lat[part], lon[part], height[part], 3), 3, match)
    pieces = Weather(SHORT, lat, lon, height, world, 3, match)
    for name in VARIABLES:
        assert whole[name].dtype == np.float32 and whole[name].shape == (500, 320)
        assert np.array_equal(own[name], whole[name][:, part]), name
        assert np.array_equal(pieces.at(slice(100, 231))[name], whole[name][:, 100:231]), name
        assert np.array_equal(pieces.at([7])[name], whole[name][:, [7]]), name


def test_a_date_has_its_weather_whatever_the_period():
    lat, lon = grid(36.0, -100.0, 1.0, 3, 3)
    world = climate(lat, lon, np.full(9, 400.0), 1)
    long, short = (generate(days, lat, lon, 400.0, world, 1, "climate") for days in (LONG[:1200], LONG[700:900]))
    for name in VARIABLES:
        assert np.array_equal(short[name], long[name][700:900]), name


def test_another_seed_is_other_weather():
    first, second = (generate(SHORT, [40.0], [-90.0], 0.0, temperate(), seed)["precipitation"] for seed in (0, 1))
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.2


def test_values_are_possible_from_desert_to_ice():
    lat, lon = np.array([18.0, 36.0, 60.0, 78.0, -35.0]), np.array([-65.0, -116.0, -150.0, 15.0, 146.0])
    wide = Climate(np.array([3, 0.2, 1, 0.5, 1.3]), np.array([9, 2.5, 3, 1.5, 5]), np.array([26, 22, 0, -15, 16.0]),
                   np.array([1.5, 9, 10, 12, 6.0]))
    found = generate(LONG[:2000], lat, lon, np.array([0, 1000, 300, 500, 150.0]), wide, 2)
    assert all(np.isfinite(values).all() for values in found.values())
    assert (found["precipitation"] >= 0).all() and (found["wind_speed"] >= 0).all() and found["wind_speed"].max() < 30
    assert found["relative_humidity"].min() >= 5 and found["relative_humidity"].max() <= 100
    assert found["shortwave_down"].min() >= 0 and found["shortwave_down"].max() < 480
    black = radiation.STEFAN_BOLTZMANN * (found["air_temperature"] + 273.15) ** 4
    assert (found["longwave_down"] < black * 1.0001).all() and (found["longwave_down"] > 0.599 * black).all()
    january = LONG[:2000].astype("M8[M]").astype(int) % 12 == 0
    assert found["air_temperature"][january, 2].mean() < found["air_temperature"][:, 2].mean() - 5
    assert found["air_temperature"][january, 4].mean() > found["air_temperature"][:, 4].mean() + 3  # the south's summer


def test_the_wet_season_is_the_climates():
    found = generate(LONG[:3650], [38.0], [-123.0], 50.0, temperate(wet_amplitude=0.9, wet_peak=15), 0, "climate")
    month = LONG[:3650].astype("M8[M]").astype(int) % 12
    wet = [(found["precipitation"][month == m] > 0).mean() for m in (0, 6)]
    assert wet[0] > 4 * wet[1]


def test_the_continent_is_plausible():
    lat, lon = np.array([38.8, 38.8, 47.4, 33.4, 25.8]), np.array([98.4, 98.4, -122.3, -112.0, -80.3])
    found = climate(lat, lon, np.array([3370, 4370, 130, 340, 5.0]), 0)
    assert found.temperature_mean[0] - found.temperature_mean[1] == pytest.approx(6.5)
    assert found.precipitation_mean[1] > found.precipitation_mean[0]
    assert found.temperature_mean[[0, 2, 3, 4]] == pytest.approx([-2.5, 11.5, 24, 25], abs=2.5)
    yearly = 365.25 * found.precipitation_mean[[0, 2, 3, 4]]
    assert (yearly > [200, 650, 130, 1000]).all() and (yearly < [450, 1400, 320, 2200]).all()
    assert wet_fraction(found.precipitation_std / found.precipitation_mean) == pytest.approx(found.wet_fraction)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="consecutive"):
        Weather(LONG[::2], [0.0], [0.0], 0.0, temperate())
    with pytest.raises(ValueError, match="'monthly'"):
        Weather(LONG, [0.0], [0.0], 0.0, temperate(), match="monthly")
    with pytest.raises(ValueError, match="precipitation_std is not positive"):
        Weather(SHORT, [0.0], [0.0], 0.0, temperate(precipitation_std=0))
