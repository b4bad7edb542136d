"""What satellites, models and maps say of the simulated truth, each with the errors that such a product has.

Arrays are (day, cell), float32; NaN where a product has no value. An error is made of what does not change (smooth maps
of offsets and gains), of what comes and goes over days (a field with memory) and of what is new every time.
"""

from dataclasses import dataclass

import numpy as np

from smlib.nature.fields import evolving, field, rng_of


@dataclass(frozen=True)
class Errors:
    """Standard deviations of a product's errors in its own units; `gain` is a factor's logarithm."""

    offset: float
    gain: float
    slow: float
    noise: float
    range_km: float = 150.0
    memory_days: float = 8.0


SMHIRES = Errors(offset=0.005, gain=0.03, slow=0.006, noise=0.004)
ESA_CCI = Errors(offset=0.03, gain=0.15, slow=0.015, noise=0.02)
ASCAT = Errors(offset=4.0, gain=0.15, slow=5.0, noise=6.0)  # percent of saturation
EVAPOTRANSPIRATION = Errors(offset=0.1, gain=0.1, slow=0.2, noise=0.15)  # mm d-1
TEMPERATURE = Errors(offset=0.5, gain=0.0, slow=0.6, noise=0.8)  # degC


def seen(truth, lat, lon, errors, name, seed=0):
    """`truth` (day, cell) with a product's errors; `name` and `seed` decide them."""
    rng = rng_of(seed, "product", name)
    offset = errors.offset * field(lat, lon, errors.range_km, rng)
    gain = np.exp(errors.gain * field(lat, lon, errors.range_km, rng))
    slow = errors.slow * evolving(lat, lon, len(truth), errors.range_km, errors.memory_days, rng)
    noise = errors.noise * _cell_noise(truth.shape, lat, lon, name, seed)
    mean = np.nanmean(truth, 0)
    return (mean + offset + gain * (truth - mean) + slow + noise).astype(np.float32)


def ascat(surface, wilting, saturation, lat, lon, vegetation_water_content, frozen, *, seed=0):
    """ASCAT-like surface soil moisture, percent of saturation (0 to 100), noisier under vegetation; 4 days of 5 seen.

    Parameters
    ----------
    surface : (day, cell), m3 m-3
    wilting, saturation : (cell,), what the driest and the wettest value of the index stand for, m3 m-3
    vegetation_water_content : (day, cell), kg m-2
    frozen : (day, cell), bool: not seen
    """
    index = 100 * (surface - 0.5 * wilting) / (saturation - 0.5 * wilting)
    found = seen(index, lat, lon, ASCAT, "ASCAT", seed)
    found = index + (found - index) * (0.7 + 0.15 * np.minimum(vegetation_water_content, 6))
    hidden = frozen | (_cell_uniform(surface.shape, lat, lon, "ASCAT", seed) > 0.8)
    return np.where(hidden, np.nan, np.clip(found, 0, 100)).astype(np.float32)


def esa_cci(surface, lat, lon, frozen, *, seed=0):
    """ESA-CCI-like combined surface soil moisture, m3 m-3; nothing on frozen ground, 85 % of the other days."""
    hidden = frozen | (_cell_uniform(surface.shape, lat, lon, "ESA CCI", seed) > 0.85)
    found = seen(surface, lat, lon, ESA_CCI, "ESA CCI", seed).clip(0.01, 0.6)
    return np.where(hidden, np.nan, found).astype(np.float32)


def smhires(surface, lat, lon, *, seed=0):
    """SMHiRes-like daily surface soil moisture without gaps, m3 m-3."""
    return seen(surface, lat, lon, SMHIRES, "SMHiRes", seed).clip(0.01, 0.6)


def imerg(precipitation, lat, lon, *, seed=0):
    """IMERG-like precipitation, mm d-1: a factor that varies in space and time; a tenth of the light rain is missed."""
    rng = rng_of(seed, "product", "IMERG")
    factor = np.exp(0.35 * evolving(lat, lon, len(precipitation), 80, 1.5, rng) - 0.35**2 / 2)
    missed = (precipitation < 2) & (_cell_uniform(precipitation.shape, lat, lon, "IMERG", seed) < 0.1)
    return np.where(missed, 0, precipitation * factor).astype(np.float32)


def swir_transform(moisture, wilting, saturation, fractional_cover, lat, lon, *, seed=0):
    """MODIS-like transformed reflectance (1 - R)^2 / (2 R) of the short-wave infrared, no unit.

    Linear in the wetness between a dry and a wet edge that both rise with vegetation (after Sadeghi et al. 2017),
    with noise of a fifth of the range between the edges.
    """
    wetness = (moisture - wilting) / (saturation - wilting)
    dry, wet = 0.1 + 1.5 * fractional_cover, 2.0 + 6.0 * fractional_cover
    noise = 0.2 * _cell_noise(moisture.shape, lat, lon, "SWIR", seed)
    return np.maximum(dry + (wet - dry) * (wetness + noise), 0).astype(np.float32)


def land_surface_temperature(air_temperature, shortwave, evaporative_fraction, lat, lon, *, seed=0):
    """MODIS-like land surface temperature at noon, degC: above the air's by what the sun gives and no water takes."""
    warmer = shortwave / 30 * (1 - 0.7 * evaporative_fraction)
    return seen(air_temperature + warmer, lat, lon, TEMPERATURE, "LST", seed)


def evapotranspiration(truth, lat, lon, *, seed=0):
    """A satellite's evapotranspiration, mm d-1."""
    return np.maximum(seen(truth, lat, lon, EVAPOTRANSPIRATION, "ET", seed), 0)


def fractional_cover_8daily(truth, lat, lon, *, seed=0):
    """Fractional vegetation cover (0 to 1) every eighth day, NaN on the days between."""
    mean8 = np.full(truth.shape, np.nan, np.float32)
    noise = 0.03 * _cell_noise(truth.shape, lat, lon, "FVC", seed)
    for k in range(0, len(truth), 8):
        mean8[k] = np.clip(truth[k:k + 8].mean(0) + noise[k], 0, 1)
    return mean8


def soil_maps(sand, clay, lat, lon, *, name="SOLUS", errors=(0.25, 0.1), seed=0):
    """Maps of sand and clay, percent (layer, cell), as SOLUS100 has them: the truth's log-ratios with errors.

    `errors`: standard deviations of a smooth and of a local error of the log-ratios to silt; with `name` another map's.
    """
    silt = 100 - sand - clay
    ratios = []
    for k, part in enumerate((sand, clay)):
        rng = rng_of(seed, "product", name, k)
        error = (errors[0] * field(lat, lon, 60, rng)
                 + errors[1] * _cell_noise((1, len(lat)), lat, lon, f"{name} {k}", seed)[0])
        ratios.append(np.exp(np.log(np.maximum(part, 0.5) / np.maximum(silt, 0.5)) + error))
    total = 1 + ratios[0] + ratios[1]
    return (100 * ratios[0] / total).astype(np.float32), (100 * ratios[1] / total).astype(np.float32)


def _generators(lat, lon, name, seed):
    """A generator a cell, which hangs on the cell's place alone: a part of a region sees what the whole sees."""
    at = np.stack([np.round(np.ravel(lat) * 1e4), np.round(np.ravel(lon) * 1e4)], -1).astype(np.int64) + 2**31
    key = rng_of(seed, "cells", name).integers(2**32)
    return [np.random.Generator(np.random.SFC64([key, *place])) for place in at]


def _cell_noise(shape, lat, lon, name, seed):
    rows = [g.standard_normal(shape[0], dtype=np.float32) for g in _generators(lat, lon, name, seed)]
    return np.stack(rows, 1)


def _cell_uniform(shape, lat, lon, name, seed):
    generators = _generators(lat, lon, name + " days", seed)
    return np.stack([g.random(shape[0], dtype=np.float32) for g in generators], 1)
