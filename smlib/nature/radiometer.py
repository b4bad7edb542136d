"""Brightness temperatures of the land at L band, as a radiometer like that of SMAP would see them.

The zero-order tau-omega model (Mo et al. 1982; O'Neill et al. 2019) over a rough soil (h-Q-N model: Wang and
Choudhury 1981) whose dielectric constant is that of Mironov et al. (2009). Soil and canopy share one effective
temperature; what the sky and the atmosphere add (a few K at most) is left out. Arrays of any shapes that broadcast,
usually (time, cell) and (cell,). NaN in, NaN out.

Chaubell et al. (2020), IEEE TGRS 58, 3894-3905; Choudhury et al. (1982), JGR 87, 1301-1304; Mironov et al. (2009),
IEEE TGRS 47, 2059-2070; Mo et al. (1982), JGR 87, 11229-11237; O'Neill et al. (2019), SMAP algorithm theoretical basis
document, level 2 and 3 soil moisture (passive), revision E, JPL D-66480; Wang and Choudhury (1981), JGR 86, 5277-5282;
Wigneron et al. (2017), Remote Sens. Environ. 192, 238-262.
"""

import numpy as np

from smlib.nature.compiled import guvectorize, njit

FREQUENCY = 1.41e9  # Hz
ANGLE = 40.0  # degrees from nadir
KELVIN = 273.15
MIXING = 0.1771  # Q / h, as in SMAP's dual-channel algorithm (Chaubell et al. 2020)
FROZEN = (5.0, 0.5)  # dielectric constant of frozen ground in CMEM (after Hallikainen et al. 1984, 1985)

# Roughness h, b (opacity a kg m-2) and single-scattering albedo omega by IGBP class 1..17, about as in SMAP's
# single-channel algorithms: h and omega as public codes take them from Wigneron et al. (2017, Tables 2 and 3), but for
# wetland and the omega of towns. These and b could not be checked against the tables: b of an early edition is 0.12 for
# mixed forest, 0.10 for grassland and wetland, 0 for towns. Class 15 is snow and ice, 16 barren; water is 17 here.
IGBP_ROUGHNESS = np.array([0.160, 0.160, 0.160, 0.160, 0.160, 0.110, 0.110, 0.125, 0.156, 0.156, 0.156, 0.108, 0.0,
                           0.130, 0.0, 0.150, 0.0], np.float32)
IGBP_B = np.array([0.100, 0.100, 0.120, 0.120, 0.110, 0.110, 0.110, 0.110, 0.110, 0.130, 0.110, 0.110, 0.100, 0.110,
                   0.0, 0.0, 0.0], np.float32)
IGBP_OMEGA = np.array([0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.08, 0.05, 0.05, 0.05, 0.03, 0.065, 0.0, 0.0,
                       0.0], np.float32)


def surface_parameters(land_cover):
    """Roughness h, b (m2 kg-1) and omega of IGBP classes (codes 1..17): dict of float32 of the codes' shape."""
    code = np.asarray(land_cover) - 1
    if code.size and (code.min() < 0 or code.max() > 16):
        raise ValueError("land_cover must hold IGBP codes 1 to 17")
    return {"roughness": IGBP_ROUGHNESS[code], "b": IGBP_B[code], "omega": IGBP_OMEGA[code]}


def effective_temperature(surface, deep, weight=0.246):
    """Temperature (degC) that the emission of a soil has: deep + weight (surface - deep).

    The weight is for L band (Choudhury et al. 1982; CMEM takes it at wavelengths from 16 to 35 cm).
    """
    return np.asarray(deep) + np.float32(weight) * (np.asarray(surface) - np.asarray(deep))


def mixing_coefficients(clay, frequency=FREQUENCY):
    """What makes the refractive index of a soil linear in its moisture (Mironov et al. 2009, Eqs. 11-25).

    Parameters
    ----------
    clay : percent of mass

    Returns
    -------
    (..., 7)
        Float64: index n and attenuation k of the dry soil, most bound water (m3 m-3), what n - and then k - gain with a
        unit of bound water, and with one of free water.
    """
    c = np.asarray(clay, np.float64) / 100
    if np.any((c < 0) | (c > 1)):
        raise ValueError("clay must be 0 to 100 percent")
    bound = _water_index(79.8 - 85.4 * c + 32.7 * c**2, 1.062e-11 + 3.450e-12 * c, 0.3112 + 0.467 * c, frequency)
    free = _water_index(100.0, 8.5e-12, 0.3631 + 1.217 * c, frequency)
    dry = 1.634 - 0.539 * c + 0.2748 * c**2, 0.03952 - 0.04038 * c
    gains = bound.real - 1, -bound.imag, free.real - 1, -free.imag
    return np.stack([*dry, 0.02863 + 0.30673 * c, *gains], -1)


def _water_index(static, relaxation_s, conductivity, frequency):
    """Complex refractive index n - i k of water by Debye's equation with an ohmic loss."""
    turn = 2 * np.pi * frequency
    epsilon = 4.9 + (static - 4.9) / (1 + 1j * turn * relaxation_s) - 1j * conductivity / (turn * 8.854e-12)
    return np.sqrt(epsilon)


def dielectric(moisture, clay, frozen=0.0, frequency=FREQUENCY):
    """Complex relative permittivity of soil, real part and loss positive (Mironov et al. 2009).

    As in SMAP's processing it depends on no temperature; frozen ground has CMEM's constant value instead.

    Parameters
    ----------
    moisture : m3 m-3
    clay : percent of mass
    frozen : share of the ground that is frozen, 0 to 1
    """
    real, loss = _dielectric(moisture, mixing_coefficients(clay, frequency), frozen)
    return real + 1j * loss


def reflectivity(moisture, clay, frozen=0.0, angle=ANGLE, frequency=FREQUENCY):
    """Fresnel reflectivities (H, V) of a smooth soil: moisture in m3 m-3, clay in percent, angle in degrees."""
    return _reflectivity(moisture, mixing_coefficients(clay, frequency), frozen, np.cos(np.radians(angle)))


def brightness_temperature(moisture, soil_temperature, vegetation_water_content, clay, roughness, omega, b, frozen=0.0,
                           angle=ANGLE, frequency=FREQUENCY):
    """Brightness temperatures (H, V), K.

    Parameters
    ----------
    moisture : m3 m-3, of the upper few centimetres
    soil_temperature : degC, the effective one of soil and canopy
    vegetation_water_content : kg m-2
    clay : percent of mass
    roughness : h of the h-Q-N model; Q is 0.1771 h and N is 2 for both polarisations
    omega : single-scattering albedo of the canopy
    b : opacity tau at nadir a kg m-2 of water in the vegetation
    frozen : share of the ground that is frozen, 0 to 1

    Returns
    -------
    H, V : of the broadcast shape, float32 if the arrays given are float32, else float64
    """
    arrays = moisture, soil_temperature, vegetation_water_content, clay, roughness, omega, b, frozen
    kinds = [a.dtype for a in arrays if hasattr(a, "dtype")] or [np.float64]
    with np.errstate(invalid="ignore"):  # NaN is no error here
        tb = _brightness(moisture, mixing_coefficients(clay, frequency), frozen, np.add(soil_temperature, KELVIN),
                         np.multiply(b, vegetation_water_content), roughness, omega, np.cos(np.radians(angle)))
    return tuple(np.asarray(t, np.result_type(np.float32, *kinds)) for t in tb)


@njit(inline="always")
def permittivity(m, w):
    """Real part and loss of the permittivity at moisture m, and their derivatives; w: mixing_coefficients."""
    bound = min(m, w[2])
    n = w[0] + w[3] * bound + w[5] * (m - bound)
    k = w[1] + w[4] * bound + w[6] * (m - bound)
    dn, dk = (w[3], w[4]) if m < w[2] else (w[5], w[6])
    return n * n - k * k, 2 * n * k, 2 * (n * dn - k * dk), 2 * (n * dk + k * dn)


@njit(inline="always")
def fresnel(er, ei, der, dei, cos):
    """Reflectivities H and V and their derivatives. In reals: complex division and roots cost three times as much."""
    zr = er - (1 - cos * cos)
    size = np.sqrt(zr * zr + ei * ei)
    sr = np.sqrt(0.5 * (size + zr))  # s = sqrt(epsilon - sin^2)
    si = 0.5 * ei / sr
    dsr = 0.5 * (der * sr + dei * si) / size
    dsi = 0.5 * (dei * sr - der * si) / size
    down, up = (cos - sr) ** 2 + si * si, (cos + sr) ** 2 + si * si
    h = down / up
    dh = 2 * (si * dsi - (cos - sr) * dsr - h * (si * dsi + (cos + sr) * dsr)) / up
    ar, ai, br, bi = er * cos - sr, ei * cos - si, er * cos + sr, ei * cos + si
    dar, dai, dbr, dbi = der * cos - dsr, dei * cos - dsi, der * cos + dsr, dei * cos + dsi
    up = br * br + bi * bi
    v = (ar * ar + ai * ai) / up
    dv = 2 * (ar * dar + ai * dai - v * (br * dbr + bi * dbi)) / up
    return h, v, dh, dv


@njit(inline="always")
def emission(r, gamma, omega):
    """Brightness temperature over physical temperature of a rough soil of reflectivity r under a canopy."""
    return (1 - r) * gamma + (1 - omega) * (1 - gamma) * (1 + r * gamma)


@guvectorize("f8,f8[:],f8,f8[:],f8[:]", "(),(w),()->(),()")
def _dielectric(m, w, frozen, real, loss):
    er, ei, _, _ = permittivity(m, w)
    real[0] = er + frozen * (FROZEN[0] - er)
    loss[0] = ei + frozen * (FROZEN[1] - ei)


@guvectorize("f8,f8[:],f8,f8,f8[:],f8[:]", "(),(w),(),()->(),()")
def _reflectivity(m, w, frozen, cos, h, v):
    er, ei, der, dei = permittivity(m, w)
    h[0], v[0], _, _ = fresnel(er + frozen * (FROZEN[0] - er), ei + frozen * (FROZEN[1] - ei), der, dei, cos)


@guvectorize("f8,f8[:],f8,f8,f8,f8,f8,f8,f8[:],f8[:]", "(),(w),(),(),(),(),(),()->(),()")
def _brightness(m, w, frozen, kelvin, tau, rough, omega, cos, h, v):
    er, ei, der, dei = permittivity(m, w)
    rh, rv, _, _ = fresnel(er + frozen * (FROZEN[0] - er), ei + frozen * (FROZEN[1] - ei), der, dei, cos)
    gamma, damp, q = np.exp(-tau / cos), np.exp(-rough * cos * cos), MIXING * rough
    h[0] = kelvin * emission(damp * ((1 - q) * rh + q * rv), gamma, omega)
    v[0] = kelvin * emission(damp * ((1 - q) * rv + q * rh), gamma, omega)
