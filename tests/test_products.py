"""Products of the simulated world: errors of the stated size, bounds, and the same for a part of a region."""

import numpy as np
import pytest

from smlib.nature import products

DAYS, CELLS = 1500, 60
RNG = np.random.default_rng(0)
LAT, LON = RNG.uniform(30, 48, CELLS), RNG.uniform(-120, -70, CELLS)
TRUTH = (0.25 + 0.06 * np.sin(np.arange(DAYS) / 11)[:, None] + 0.01 * RNG.standard_normal((DAYS, CELLS))).astype("f4")
WARM = np.zeros(TRUTH.shape, bool)
WILTING, SATURATION = np.full(CELLS, 0.1, "f4"), np.full(CELLS, 0.45, "f4")


def test_errors_have_their_sizes():
    errors = products.Errors(offset=0.03, gain=0.0, slow=0.01, noise=0.02)
    wrong = products.seen(TRUTH, LAT, LON, errors, "test") - TRUTH
    assert wrong.mean(0).std() == pytest.approx(0.03, rel=0.4)
    assert (wrong - wrong.mean(0)).std() == pytest.approx(np.hypot(0.01, 0.02), rel=0.1)
    assert not np.allclose(wrong, products.seen(TRUTH, LAT, LON, errors, "test", seed=1) - TRUTH, atol=1e-3)


CALLS = {
    "ASCAT": lambda c: products.ascat(TRUTH[:, c], WILTING[c], SATURATION[c], LAT[c], LON[c], 4 * TRUTH[:, c],
                                      WARM[:, c]),
    "ESA CCI": lambda c: products.esa_cci(TRUTH[:, c], LAT[c], LON[c], WARM[:, c]),
    "SMHiRes": lambda c: products.smhires(TRUTH[:, c], LAT[c], LON[c]),
    "IMERG": lambda c: products.imerg(30 * TRUTH[:, c], LAT[c], LON[c]),
    "SWIR": lambda c: products.swir_transform(TRUTH[:, c], WILTING[c], SATURATION[c], 2 * TRUTH[:, c], LAT[c], LON[c]),
    "LST": lambda c: products.land_surface_temperature(60 * TRUTH[:, c], 800 * TRUTH[:, c], TRUTH[:, c], LAT[c],
                                                       LON[c]),
    "ET": lambda c: products.evapotranspiration(8 * TRUTH[:, c], LAT[c], LON[c]),
    "FVC": lambda c: products.fractional_cover_8daily(2 * TRUTH[:, c], LAT[c], LON[c]),
    "SOLUS": lambda c: np.stack(products.soil_maps(*(np.full((2, CELLS), s)[:, c] for s in (40.0, 20.0)), LAT[c],
                                                   LON[c])),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_part_of_a_region_sees_what_the_whole_sees(name):
    whole, part = CALLS[name](slice(None)), CALLS[name](slice(20, 27))
    assert part.dtype == np.float32
    np.testing.assert_allclose(part, whole[..., 20:27], rtol=1e-4, atol=1e-4)
    assert np.isfinite(whole).any()


def test_ascat_is_a_percentage_seen_on_four_days_of_five_and_not_on_frozen_ground():
    frozen = WARM.copy()
    frozen[100:200] = True
    found = products.ascat(TRUTH, WILTING, SATURATION, LAT, LON, 4 * TRUTH, frozen)
    assert np.isnan(found[100:200]).all() and np.isfinite(found[200:]).mean() == pytest.approx(0.8, abs=0.01)
    assert np.nanmin(found) >= 0 and np.nanmax(found) <= 100
    ok = np.isfinite(found)
    assert 0.4 < np.corrcoef(found[ok], TRUTH[ok])[0, 1] < 0.95


def test_fractional_cover_comes_every_eighth_day():
    found = products.fractional_cover_8daily(np.full(TRUTH.shape, 0.5, "f4"), LAT, LON)
    assert np.isfinite(found[::8]).all() and np.isnan(np.delete(found, np.s_[::8], axis=0)).all()
    assert np.nanstd(found) == pytest.approx(0.03, rel=0.1)


def test_rain_keeps_its_mean_and_no_rain_stays_none():
    rain = np.where(RNG.random(TRUTH.shape) < 0.3, RNG.gamma(0.7, 8, TRUTH.shape), 0).astype("f4")
    found = products.imerg(rain, LAT, LON)
    assert (found[rain == 0] == 0).all() and found.mean() == pytest.approx(rain.mean(), rel=0.1)
    light = (rain > 0) & (rain < 2)
    assert (found[light] == 0).mean() == pytest.approx(0.1, abs=0.02)


def test_soil_maps_are_percentages_near_the_truth():
    sand, clay = products.soil_maps(np.full((3, CELLS), 40.0), np.full((3, CELLS), 20.0), LAT, LON)
    assert (sand > 0).all() and (clay > 0).all() and (sand + clay < 100).all()
    assert sand.mean() == pytest.approx(40, abs=5) and 2 < sand.std() < 10
