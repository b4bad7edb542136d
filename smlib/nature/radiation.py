"""Radiation and humidity of a day from latitude, altitude, cloud and temperature; every function works elementwise.

Sources: FAO-56 (Allen et al. 1998), Brutsaert (1975), Crawford and Duchon (1999).
"""

import numpy as np

SOLAR_CONSTANT = 0.0820 * 1e6 / 60  # W m-2, FAO-56's 0.0820 MJ m-2 min-1
STEFAN_BOLTZMANN = 5.670374e-8  # W m-2 K-4
OVERCAST = 2 / 3  # what a full cloud cover takes of the clear-sky shortwave: FAO-56 Eq. 35 with its a = 0.25, b = 0.50


def extraterrestrial(lat, doy):
    """Daily mean radiation on a horizontal plane above the atmosphere, W m-2 (FAO-56 Eqs. 21 and 23 to 25).

    Parameters
    ----------
    lat : (cell,), degrees north
    doy : (time,), day of the year from 1

    Returns
    -------
    (time, cell) float64
        0 in the polar night
    """
    lat, turn = np.radians(np.atleast_1d(lat)).astype(float), 2 * np.pi * np.atleast_1d(doy)[:, None] / 365
    distance = 1 + 0.033 * np.cos(turn)
    declination = 0.409 * np.sin(turn - 1.39)
    sunset = np.arccos(np.clip(-np.tan(lat) * np.tan(declination), -1, 1))
    height = sunset * np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.sin(sunset)
    return np.maximum(SOLAR_CONSTANT * distance * height / np.pi, 0)


def clear_sky(above, elevation):
    """Shortwave at the ground under a clear sky, W m-2 (FAO-56 Eq. 37), of `above` the air (W m-2), elevation in m."""
    return above * (0.75 + 2e-5 * np.clip(elevation, 0, 6000))


def shortwave(above, elevation, cloud):
    """Shortwave at the ground, W m-2, under a cloud cover of 0 to 1 (FAO-56 Eq. 35, sunshine being 1 - cloud)."""
    return clear_sky(above, elevation) * (1 - OVERCAST * cloud)


def saturation_pressure(temperature):
    """Saturation vapour pressure over water, kPa, at degC (FAO-56 Eq. 11)."""
    return 0.6108 * np.exp(17.27 * temperature / (temperature + 237.3))


def relative_humidity(temperature, dew_point):
    """Percent, at most 100, from two temperatures in degC."""
    return np.minimum(100 * saturation_pressure(dew_point) / saturation_pressure(temperature), 100)


def longwave(temperature, vapour_pressure, cloud):
    """Longwave from the sky, W m-2.

    The clear sky's emissivity after Brutsaert (1975, Eq. 11: 1.24 (e / T)^(1/7) with hPa and K), held above 0.6, for in
    great cold his power falls below any sky's; clouds, black, fill the part of the sky by which they dim the sun
    (Crawford and Duchon 1999).

    Parameters
    ----------
    temperature : degC
    vapour_pressure : kPa
    cloud : 0 to 1
    """
    kelvin = temperature + 273.15
    clear = np.clip(1.24 * (10 * vapour_pressure / kelvin) ** (1 / 7), 0.6, 1)
    filled = OVERCAST * cloud
    return (filled + (1 - filled) * clear) * STEFAN_BOLTZMANN * kelvin**4
