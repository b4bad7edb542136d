"""Simulated stations: errors of the stated size, the same whoever else is in the network."""

import numpy as np
import pytest

from smlib.nature.network import EXACT, Sensor, measure

SITES, LEVELS, DAYS = 60, 3, 2000
RNG = np.random.default_rng(0)
TRUTH = 0.25 + 0.05 * np.sin(np.arange(DAYS) / 9) + 0.01 * RNG.standard_normal((SITES, LEVELS, DAYS))
WARM, SATURATION = np.full(TRUTH.shape, 10.0), np.full((SITES, LEVELS), 0.45)
NAMES = [f"station {k}" for k in range(SITES)]


def measured(**errors):
    return measure(TRUTH, WARM, SATURATION, NAMES, sensor=Sensor(**(vars(EXACT) | errors)))


def test_without_errors_the_truth_is_reported():
    np.testing.assert_allclose(measured(), TRUTH, atol=1e-7)


@pytest.mark.parametrize(("errors", "expected"), [
    ({"noise": 0.004}, 0.004), ({"offset": 0.02}, 0.02), ({"wander": 0.01}, 0.01),
    ({"drift": 0.01}, 0.01 * DAYS / 365.25 / np.sqrt(12)), ({"gain": 0.1}, 0.1 * TRUTH.std(2).mean())])
def test_each_error_has_its_size(errors, expected):
    assert (measured(**errors) - TRUTH).std() == pytest.approx(expected, rel=0.15)


def test_wander_remembers_for_its_days():
    error = measured(wander=0.01, wander_days=20) - TRUTH
    assert (error[..., 20:] * error[..., :-20]).mean() / (error**2).mean() == pytest.approx(np.exp(-1), abs=0.05)


def test_outages_hit_all_levels_of_a_station_for_their_length():
    gone = np.isnan(measured(outages=2, outage_days=10))
    assert (gone[:, 0] == gone[:, 1]).all() and (gone[:, 0] == gone[:, 2]).all()
    assert gone.mean() == pytest.approx(2 * 11 / 365.25, rel=0.2)
    assert not (gone[0] == gone[1]).all()


def test_frozen_soil_is_not_reported():
    cold = WARM.copy()
    cold[3, 0, :100] = -0.1
    found = measure(TRUTH, cold, SATURATION, NAMES, sensor=EXACT)
    assert np.isnan(found[3, 0, :100]).all() and np.isnan(found).sum() == 100


def test_a_probe_of_liquid_water_goes_on_in_frozen_ground():
    cold, ice = np.full(TRUTH.shape, -1.0), np.full(TRUTH.shape, 0.75)
    found = measure(TRUTH, cold, SATURATION, NAMES, sensor=Sensor(**(vars(EXACT) | {"frozen": "liquid"})), ice=ice)
    np.testing.assert_allclose(found, 0.25 * TRUTH, atol=1e-7)
    with pytest.raises(ValueError, match="needs to know the ice"):
        measured(frozen="liquid")
    with pytest.raises(ValueError, match="not 'dry'"):
        measured(frozen="dry")


def test_a_station_is_the_same_whoever_else_is_there():
    some = [7, 3, 50]
    found = measure(TRUTH[some], WARM[some], SATURATION[some], [NAMES[k] for k in some])
    whole = measure(TRUTH, WARM, SATURATION, NAMES)
    np.testing.assert_array_equal(found, whole[some])
    assert not np.array_equal(whole, measure(TRUTH, WARM, SATURATION, NAMES, seed=1), equal_nan=True)


def test_moisture_stays_between_dry_and_saturated():
    found = measured(offset=0.3)
    assert np.nanmin(found) >= 0.005 - 1e-9 and np.nanmax(found) <= 0.45 + 1e-6
