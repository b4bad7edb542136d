"""Random fields: their variance, their correlation, and that a place has one value whoever asks."""

import numpy as np
import pytest

from smlib.nature.fields import Waves, changing, evolving, field, rng_of

LAT, LON = np.full(30, 40.0), -100 + np.arange(30) * 1.0
STEP_KM = 6371 * np.cos(np.radians(40)) * np.radians(1)


@pytest.mark.parametrize(("smoothness", "expected"), [(np.inf, lambda d: np.exp(-(d / 300) ** 2 / 2)),
                                                      (0.5, lambda d: np.exp(-d / 300))])
def test_a_field_has_unit_variance_and_its_correlation(smoothness, expected):
    drawn = np.stack([field(LAT, LON, 300, np.random.default_rng(s), smoothness=smoothness) for s in range(400)])
    assert drawn.mean() == pytest.approx(0, abs=0.05) and drawn.var() == pytest.approx(1, abs=0.1)
    for lag in (1, 3, 6, 12):
        found = (drawn[:, lag:] * drawn[:, :-lag]).mean()
        assert found == pytest.approx(expected(lag * STEP_KM), abs=0.1), lag


def test_a_place_has_the_same_value_in_any_company():
    waves = Waves.draw(100, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(waves.at(LAT, LON)[7:9], waves.at(LAT[7:9], LON[7:9]))
    whole = evolving(LAT, LON, 20, 200, 5, np.random.default_rng(1))
    np.testing.assert_allclose(evolving(LAT[3:5], LON[3:5], 20, 200, 5, np.random.default_rng(1)), whole[:, 3:5],
                               atol=1e-5)


def test_an_evolving_field_remembers_for_its_days():
    series = evolving(LAT[::10], LON[::10], 20000, 200, 7, np.random.default_rng(2))
    assert series.shape == (20000, 3) and series.dtype == np.float32
    np.testing.assert_allclose(series.var(0), 1, atol=0.25)
    np.testing.assert_allclose((series[7:] * series[:-7]).mean(0) / series.var(0), np.exp(-1), atol=0.05)


def test_a_changing_field_is_a_function_of_date_and_place():
    """Its variance and its correlations in time and space are right over many draws; a date has one field."""
    day = np.arange(17000, 17060)
    drawn = np.stack([changing(day, LAT, LON, 300, 5, np.random.default_rng(s)) for s in range(200)])
    assert drawn.shape == (200, 60, 30) and drawn.dtype == np.float32
    assert drawn.mean() == pytest.approx(0, abs=0.03) and drawn.var() == pytest.approx(1, abs=0.05)
    for lag in (1, 3, 8):
        found = (drawn[:, lag:] * drawn[:, :-lag]).mean()
        assert found == pytest.approx(np.exp(-lag / 5), abs=0.04), lag
    for lag in (1, 3, 6):
        found = (drawn[..., lag:] * drawn[..., :-lag]).mean()
        assert found == pytest.approx(np.exp(-(lag * STEP_KM / 300) ** 2 / 2), abs=0.06), lag
    part = changing(day[7:20], LAT[3:5], LON[3:5], 300, 5, np.random.default_rng(4))
    np.testing.assert_allclose(part, drawn[4, 7:20, 3:5], atol=1e-4)


def test_every_purpose_has_its_own_generator():
    assert rng_of(0, "a", 1).random() == rng_of(0, "a", 1).random()
    assert len({rng_of(*key).random() for key in ((0, "a"), (0, "b"), (1, "a"), (0, "a", 1))}) == 4
