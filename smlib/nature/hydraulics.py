"""Soil water retention and conductivity from texture (Saxton and Rawls 2006, Soil Sci. Soc. Am. J. 70, 1569-1578)."""

from dataclasses import dataclass, fields

import numpy as np

WILTING_KPA, FIELD_KPA = 1500.0, 33.0


@dataclass(frozen=True)
class Hydraulics:
    """Hydraulic properties of soils; arrays of one shape, often (layer, cell). Tension is positive, the drier the more.

    Attributes
    ----------
    theta_wilting, theta_field, theta_saturation : moisture at 1500 kPa, at 33 kPa and of the full pores, m3 m-3
    k_saturation : conductivity when saturated, mm d-1
    b : minus the slope of log tension over log moisture (1 / lambda of the paper)
    psi_entry : tension at which air enters, kPa
    """

    theta_wilting: np.ndarray
    theta_field: np.ndarray
    theta_saturation: np.ndarray
    k_saturation: np.ndarray
    b: np.ndarray
    psi_entry: np.ndarray

    @property
    def theta_residual(self):
        """Air-dry moisture, m3 m-3: half of that at wilting, below which nothing evaporates (FAO-56, Eq. 73)."""
        return 0.5 * self.theta_wilting

    def psi(self, theta):
        """Tension, kPa, at moisture `theta`, m3 m-3: a power below field capacity, a line above (Eqs. 11-15)."""
        dry = FIELD_KPA * (np.asarray(theta) / self.theta_field) ** -self.b
        part = (theta - self.theta_field) / (self.theta_saturation - self.theta_field)
        return np.where(part < 0, dry, FIELD_KPA - np.clip(part, 0, 1) * (FIELD_KPA - self.psi_entry))

    def theta(self, psi):
        """Moisture, m3 m-3, at tension `psi`, kPa: the inverse of `psi` (the air-entry tension gives saturation)."""
        dry = self.theta_field * (np.asarray(psi) / FIELD_KPA) ** (-1 / self.b)
        part = np.clip((FIELD_KPA - psi) / (FIELD_KPA - self.psi_entry), 0, 1)
        return np.where(np.asarray(psi) > FIELD_KPA, dry,
                        self.theta_field + part * (self.theta_saturation - self.theta_field))

    def conductivity(self, theta):
        """Conductivity, mm d-1, at moisture `theta`, m3 m-3 (Eq. 17)."""
        return self.k_saturation * (np.asarray(theta) / self.theta_saturation) ** (3 + 2 * self.b)

    def broadcast(self, shape):
        """The same properties as float64 arrays of `shape`."""
        return Hydraulics(*(np.broadcast_to(np.asarray(getattr(self, f.name), np.float64), shape)
                            for f in fields(self)))


def saxton_rawls(sand, clay, organic_matter=2.5, gravel=0.0):
    """`Hydraulics` of soils of `sand`, `clay` and `organic_matter`, percent by weight (any shapes that broadcast).

    Eqs. 1-5 and 15-18 of Table 1, at the normal bulk density. `gravel`, percent of the volume, holds no water: moisture
    and conductivity, of fine earth in the equations, are here of the whole soil. The equations were fitted to soils of
    at most 60 % clay and 8 % organic matter: beyond, the values of the limit are taken. Raises ValueError where sand
    and clay are no percentages or sum to more than 100, or gravel is not below 90.
    """
    s, c, om, gravel = np.broadcast_arrays(
        *(np.asarray(x, np.float64) for x in (sand, clay, organic_matter, gravel)))
    if not ((s >= 0) & (c >= 0) & (s + c <= 100.001) & (om >= 0)).all():
        raise ValueError("sand and clay must be percentages with a sum of at most 100, organic matter not negative")
    if not ((gravel >= 0) & (gravel < 90)).all():
        raise ValueError("gravel must be a percentage below 90")
    s, c, om = s / 100, np.minimum(c, 60) / 100, np.minimum(om, 8)
    wilting = -0.024 * s + 0.487 * c + 0.006 * om + 0.005 * s * om - 0.013 * c * om + 0.068 * s * c + 0.031
    wilting = wilting + 0.14 * wilting - 0.02
    field = -0.251 * s + 0.195 * c + 0.011 * om + 0.006 * s * om - 0.027 * c * om + 0.452 * s * c + 0.299
    field = field + 1.283 * field**2 - 0.374 * field - 0.015
    pores = 0.278 * s + 0.034 * c + 0.022 * om - 0.018 * s * om - 0.027 * c * om - 0.584 * s * c + 0.078
    pores = pores + 0.636 * pores - 0.107  # drained between saturation and 33 kPa
    entry = -21.67 * s - 27.93 * c - 81.97 * pores + 71.12 * s * pores + 8.29 * c * pores + 14.05 * s * c + 27.16
    entry = entry + 0.02 * entry**2 - 0.113 * entry - 0.70
    # Corners of the triangle where the regressions leave what is possible: no drainable pores, entry below zero
    wilting, pores, entry = np.maximum(wilting, 0.01), np.maximum(pores, 0.02), np.clip(entry, 0.2, 20)
    field = np.maximum(field, 1.15 * wilting)
    saturation = np.maximum(field + pores - 0.097 * s + 0.043, field + 0.02)
    b = np.log(WILTING_KPA / FIELD_KPA) / np.log(field / wilting)
    k = 24 * 1930 * (saturation - field) ** (3 - 1 / b)
    earth = 1 - gravel / 100
    return Hydraulics(earth * wilting, earth * field, earth * saturation, earth * k, b, entry)
