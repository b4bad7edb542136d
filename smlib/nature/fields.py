"""Smooth random fields on the Earth that are the same wherever one looks at them from.

A field is a sum of plane waves through the Earth (random Fourier features of a Gaussian process: Rahimi and Recht
2007), evaluated at any points: a region, a part of it, or stations, in any order and in pieces of any size.
"""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.signal import lfilter

EARTH_KM = 6371.0


@dataclass(frozen=True)
class Waves:
    """Plane waves whose sums are fields of unit variance and of about Gaussian values.

    Attributes
    ----------
    wavevector : (wave, 3), radians a km
    phase : (wave,), radians
    """

    wavevector: np.ndarray
    phase: np.ndarray

    @classmethod
    def draw(cls, range_km, count, rng, smoothness=np.inf):
        """Waves of a field with the Matern correlation of `smoothness` nu.

        With d the distance: exp(-d^2 / (2 range_km^2)) for inf, exp(-d / range_km) for 0.5.
        """
        k = rng.standard_normal((count, 3)) / range_km
        if np.isfinite(smoothness):  # Matern's spectral density is a multivariate t with 2 nu degrees of freedom
            k /= np.sqrt(rng.gamma(smoothness, 1 / smoothness, (count, 1)))
        return cls(k, rng.uniform(0, 2 * np.pi, count))

    def at(self, lat, lon):
        """Basis functions (point, wave) float32 at points in degrees: ``at(lat, lon) @ normal(wave)`` is a field."""
        lat, lon = np.radians(np.ravel(lat)), np.radians(np.ravel(lon))
        xyz = EARTH_KM * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)
        turn = (xyz @ self.wavevector.T + self.phase).astype(np.float32)
        return np.float32(np.sqrt(2 / len(self.phase))) * np.cos(turn)


def field(lat, lon, range_km, rng, count=400, smoothness=np.inf):
    """One field (point,) of zero mean and unit variance at points in degrees, drawn from `rng`."""
    waves = Waves.draw(range_km, count, rng, smoothness)
    return waves.at(lat, lon) @ rng.standard_normal(count).astype(np.float32)


def rng_of(seed, *names):
    """A generator of its own for every purpose: what one part draws cannot change another."""
    return np.random.default_rng([seed, *(crc32(str(name).encode()) for name in names)])


def evolving(lat, lon, days, range_km, memory_days, rng, count=150, smoothness=np.inf):
    """A field of unit variance that changes from day to day: (day, point) float32.

    Its correlation in time is exp(-lag / memory_days); every wave's amplitude is a first-order autoregression.
    """
    waves = Waves.draw(range_km, count, rng, smoothness)
    keep = np.exp(-1 / memory_days)
    shocks = rng.standard_normal((days, count)) * np.sqrt(np.r_[1, np.full(days - 1, 1 - keep**2)])[:, None]
    amplitudes = lfilter([1], [1, -keep], shocks, axis=0).astype(np.float32)
    return amplitudes @ waves.at(lat, lon).T


def changing(day, lat, lon, range_km, memory_days, rng, count=150):
    """A field of unit variance that is a function of the date, `day` (time,) int: (time, cell) float32.

    Its correlation in time is exp(-lag / memory_days), like that of `evolving`, which is another with every first day.
    """
    waves, a, b = Waves.draw(range_km, count, rng), *rng.standard_normal((2, count)) / np.sqrt(2)
    turn = np.outer(day, rng.standard_cauchy(count) / memory_days)  # Cauchy is the spectrum of an exponential
    sine = Waves(waves.wavevector, waves.phase - np.pi / 2)
    parts = np.cos(turn) * a + np.sin(turn) * b, np.cos(turn) * b - np.sin(turn) * a
    basis = np.concatenate([waves.at(lat, lon), sine.at(lat, lon)], 1)
    return np.concatenate(parts, 1).astype(np.float32) @ basis.T
