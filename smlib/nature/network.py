"""What sensors at points report of the simulated truth: another place than the cell, noise, drift and gaps."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from smlib.nature.fields import rng_of


@dataclass(frozen=True)
class Sensor:
    """Errors of a point measurement; standard deviations over stations and levels in m3 m-3 unless said otherwise.

    The sizes follow, at the lower end, what is reported of points that stand for a cell: random errors of 0.02 to 0.06
    m3 m-3, averaged over a network (Gruber et al. 2013). The noise of a daily mean is taken as a thousandth.
    """

    gain: float = 0.10  # of the point's departures from its mean, as a factor
    offset: float = 0.02
    wander: float = 0.008  # of what the point does differently for weeks
    wander_days: float = 20.0
    noise: float = 0.001  # of daily means, in the median over stations ...
    noise_spread: float = 0.8  # ... and the standard deviation of its logarithm
    drift: float = 0.002  # a year
    outages: float = 1.0  # a year and station
    outage_days: float = 10.0  # their mean length
    frozen: str = "missing"  # what is reported of frozen ground: nothing, or its "liquid" water


EXACT = Sensor(gain=0, offset=0, wander=0, noise=0, noise_spread=0, drift=0, outages=0)


def measure(truth, soil_temperature, saturation, names, *, seed=0, sensor=Sensor(), ice=None):
    """Daily soil moisture that stations with such sensors report.

    Parameters
    ----------
    truth, soil_temperature : (site, level, time), m3 m-3 and degC
    saturation : (site, level), m3 m-3
    names : (site,), which with the seed decide a station's errors: they do not depend on the other stations
    seed : int
    ice : (site, level, time), share of the water that is frozen; for sensors that report what is liquid

    Returns
    -------
    (site, level, time) float32
        NaN during outages, which all levels of a station share. Dielectric sensors see ice as dry soil: below 0 degC
        nothing is reported, or, if the sensor's `frozen` is "liquid", the liquid water.
    """
    if sensor.frozen not in ("missing", "liquid"):
        raise ValueError(f"of frozen ground a sensor reports nothing (missing) or the liquid water, not "
                         f"{sensor.frozen!r}")
    if sensor.frozen == "liquid":
        if ice is None:
            raise ValueError("a sensor that reports the liquid water needs to know the ice")
        truth = truth * (1 - ice)
    found = np.full(truth.shape, np.nan, np.float32)
    for k, name in enumerate(names):
        found[k] = _one_site(truth[k].astype(float), saturation[k], rng_of(seed, "network", name), sensor)
    return found if sensor.frozen == "liquid" else np.where(soil_temperature > 0, found, np.nan).astype(np.float32)


def _one_site(truth, saturation, rng, sensor):
    """(level, time) of one station before freezing is taken out."""
    levels, days = truth.shape
    mean = truth.mean(1, keepdims=True)
    gain = np.exp(sensor.gain * rng.standard_normal((levels, 1)))
    offset = sensor.offset * rng.standard_normal((levels, 1))
    wander = sensor.wander * _smooth(levels, days, sensor.wander_days, rng)
    noise = sensor.noise * np.exp(sensor.noise_spread * rng.standard_normal()) * rng.standard_normal((levels, days))
    years = (np.arange(days) - (days - 1) / 2) / 365.25
    drift = sensor.drift * rng.standard_normal((levels, 1)) * years
    seen = mean + gain * (truth - mean) + offset + wander + noise + drift
    seen = np.clip(seen, 0.005, saturation[:, None])
    for first in np.flatnonzero(rng.random(days) < sensor.outages / 365.25):
        seen[:, first:first + 1 + rng.geometric(1 / sensor.outage_days)] = np.nan
    return seen


def _smooth(levels, days, memory, rng):
    """(level, day) of unit variance that drifts without jumps: a second-order autoregression with a double root."""
    before, keep = int(10 * memory), np.exp(-2 / memory)
    shocks = rng.standard_normal((levels, before + days)) * np.sqrt((1 - keep**2) ** 3 / (1 + keep**2))
    return lfilter([1], [1, -2 * keep, keep**2], shocks)[:, before:]
