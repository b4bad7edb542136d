"""What SMAP would make of the simulated land: passes, noisy brightness temperatures, and moisture retrieved from them.

Three retrievals invert the forward model of `radiometer`: the single-channel algorithms SCA-H and SCA-V, which take the
opacity of the vegetation from ancillary data, and the dual-channel algorithm DCA, which finds it together with the
moisture (O'Neill et al. 2019; Chaubell et al. 2020, IEEE TGRS 58, 3894-3905; with its opacity drawn to the ancillary
one: Chaubell et al. 2022, Regularized dual-channel algorithm for the retrieval of soil moisture and vegetation optical
depth from SMAP measurements). NaN in, NaN out.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from smlib.nature.compiled import guvectorize, njit
from smlib.nature.fields import EARTH_KM, changing, field, rng_of
from smlib.nature.radiometer import (
    ANGLE,
    FREQUENCY,
    KELVIN,
    MIXING,
    brightness_temperature,
    emission,
    fresnel,
    mixing_coefficients,
    permittivity,
)

LOWEST, HIGHEST = 0.02, 0.60  # m3 m-3: retrievals stay between
DENSE = 5.0  # kg m-2: above it a retrieval is flagged
SPARSE = 0.3  # kg m-2: ancillary data err by no less than they would of this much vegetation


def retrieve_sca(tb, polarisation, soil_temperature, vegetation_water_content, clay, roughness, omega, b, angle=ANGLE,
                 frequency=FREQUENCY):
    """Moisture (m3 m-3) from the brightness temperatures (K) of one polarisation, "H" or "V".

    The other arguments are those of `radiometer.brightness_temperature`. A value that no moisture from 0.02 to 0.60
    explains gives the nearer of the two. The shape is the broadcast one, the dtype that of `tb`.
    """
    if polarisation not in ("H", "V"):
        raise ValueError(f"polarisation must be 'H' or 'V', not {polarisation!r}")
    found = _sca(tb, np.add(soil_temperature, KELVIN), np.multiply(b, vegetation_water_content),
                 mixing_coefficients(clay, frequency), roughness, omega, np.cos(np.radians(angle)), polarisation == "H")
    return np.asarray(found, np.asarray(tb).dtype)


def retrieve_dca(tb_h, tb_v, soil_temperature, vegetation_water_content, clay, roughness, omega, b, weight=20.0,
                 angle=ANGLE, frequency=FREQUENCY):
    """Moisture (m3 m-3) and opacity tau at nadir from both polarisations.

    Minimises (TB_h - model)^2 + (TB_v - model)^2 + weight^2 (tau - b VWC)^2 by Levenberg and Marquardt's method, with
    0.02 <= moisture <= 0.60 and 0 <= tau <= 3: a regularised cost after Chaubell et al. (2022), with the weight of
    20 K that is usual in codes of it (0 asks the data alone).
    """
    found = _dca(tb_h, tb_v, np.add(soil_temperature, KELVIN), np.multiply(b, vegetation_water_content),
                 mixing_coefficients(clay, frequency), roughness, omega, np.cos(np.radians(angle)), weight)
    return tuple(np.asarray(f, np.asarray(tb_h).dtype) for f in found)


@njit()
def _guess(r, w, cos, horizontal):
    """Moisture of a soil without loss whose reflectivity is r: Fresnel's equations solved for the refractive index."""
    root = np.sqrt(min(max(r, 1e-4), 0.9))
    if horizontal:
        n = np.sqrt((cos * (1 + root) / (1 - root)) ** 2 + 1 - cos * cos)
    else:
        a = (cos * (1 - root) / (1 + root)) ** 2
        n = np.sqrt((1 + np.sqrt(max(1 - 4 * a * (1 - cos * cos), 0.0))) / (2 * a))
    edge = w[0] + w[3] * w[2]
    m = (n - w[0]) / w[3] if n < edge else w[2] + (n - edge) / w[5]
    return min(max(m, LOWEST), HIGHEST)


@guvectorize("f8,f8,f8,f8[:],f8,f8,f8,b1,f8[:]", "(),(),(),(w),(),(),(),()->()")
def _sca(tb, kelvin, tau, w, rough, omega, cos, horizontal, out):
    out[0] = np.nan
    gamma, q = np.exp(-tau / cos), MIXING * rough
    lost = (1 - omega) * (1 - gamma)
    rough_r = (gamma + lost - tb / kelvin) / (gamma * (1 - lost))
    target = rough_r * np.exp(rough * cos * cos)
    if np.isfinite(target + w[0]):
        share = 1 - q if horizontal else q  # of H in what a rough surface shows
        m, low, high = _guess(target, w, cos, horizontal), LOWEST, HIGHEST
        for _ in range(60):  # Newton's method, and halving where it leaves the bracket
            er, ei, der, dei = permittivity(m, w)
            rh, rv, dh, dv = fresnel(er, ei, der, dei, cos)
            over = share * rh + (1 - share) * rv - target
            if over > 0:
                high = m
            else:
                low = m
            step = min(max(m - over / (share * dh + (1 - share) * dv), LOWEST), HIGHEST)
            done = abs(step - m) < 1e-9
            m = step if done or low < step < high or step in (LOWEST, HIGHEST) else 0.5 * (low + high)
            if done:
                break
        out[0] = m


@njit(inline="always")
def _misfit(m, tau, h, v, known, w, rough, omega, cos, weight):
    """Half the cost's parts at (m, tau): cost, gradient (2) and Gauss-Newton matrix (3); h, v: TB over temperature."""
    er, ei, der, dei = permittivity(m, w)
    rh, rv, dh, dv = fresnel(er, ei, der, dei, cos)
    gamma, damp, q = np.exp(-tau / cos), np.exp(-rough * cos * cos), MIXING * rough
    sh, sv = damp * ((1 - q) * rh + q * rv), damp * ((1 - q) * rv + q * rh)
    by_r = gamma * ((1 - omega) * (1 - gamma) - 1)
    by_tau = -gamma / cos
    hm, vm = by_r * damp * ((1 - q) * dh + q * dv), by_r * damp * ((1 - q) * dv + q * dh)
    ht = by_tau * (1 - sh + (1 - omega) * (sh * (1 - gamma) - 1 - sh * gamma))
    vt = by_tau * (1 - sv + (1 - omega) * (sv * (1 - gamma) - 1 - sv * gamma))
    eh, ev, et = emission(sh, gamma, omega) - h, emission(sv, gamma, omega) - v, weight * (tau - known)
    return (eh * eh + ev * ev + et * et, eh * hm + ev * vm, eh * ht + ev * vt + et * weight,
            hm * hm + vm * vm, hm * ht + vm * vt, ht * ht + vt * vt + weight * weight)


@guvectorize("f8,f8,f8,f8,f8[:],f8,f8,f8,f8,f8[:],f8[:]", "(),(),(),(),(w),(),(),(),()->(),()")
def _dca(tb_h, tb_v, kelvin, known, w, rough, omega, cos, weight, moisture, opacity):
    moisture[0] = opacity[0] = np.nan
    if np.isfinite(tb_h + tb_v + kelvin + known + w[0] + rough + omega):
        h, v, scaled = tb_h / kelvin, tb_v / kelvin, weight / kelvin
        tau = min(max(known, 0.0), 3.0)
        gamma = np.exp(-tau / cos)
        lost = (1 - omega) * (1 - gamma)
        m = _guess((gamma + lost - v) / (gamma * (1 - lost)) * np.exp(rough * cos * cos), w, cos, False)
        cost, gm, gt, mm, mt, tt = _misfit(m, tau, h, v, known, w, rough, omega, cos, scaled)
        mu = 1e-6
        for _ in range(60):
            a, c = mm * (1 + mu), tt * (1 + mu) + 1e-15
            # A bound that the cost pushes against holds its variable.
            fixed_m = (m <= LOWEST and gm > 0) or (m >= HIGHEST and gm < 0)
            fixed_t = (tau <= 0.0 and gt > 0) or (tau >= 3.0 and gt < 0)
            if fixed_m or fixed_t:
                dm, dt = (0.0 if fixed_m else -gm / a), (0.0 if fixed_t else -gt / c)
            else:
                under = a * c - mt * mt
                dm, dt = (mt * gt - c * gm) / under, (mt * gm - a * gt) / under
            m2, t2 = min(max(m + dm, LOWEST), HIGHEST), min(max(tau + dt, 0.0), 3.0)
            close = abs(m2 - m) < 1e-8 and abs(t2 - tau) < 1e-8
            new = _misfit(m2, t2, h, v, known, w, rough, omega, cos, scaled)
            if new[0] <= cost:
                m, tau = m2, t2
                cost, gm, gt, mm, mt, tt = new
                mu = max(0.1 * mu, 1e-12)
            else:
                mu = max(10 * mu, 1e-3)
            if close:
                break
        moisture[0], opacity[0] = m, tau


def overpass(time, lat, lon, orbit="AM"):
    """Whether a cell is seen on a day: bool (time, cell).

    Circular sun-synchronous orbit of SMAP: 685 km up, a swath of 1000 km, a repeat after 8 days, the equator crossed
    southwards at 6:00 ("AM") and northwards at 18:00 ("PM") of local solar time (Entekhabi et al. 2010, Proc. IEEE 98,
    704-716). Such a height means 117 revolutions in 8 days and 98.12 degrees of inclination. Days are those of local
    solar time.

    Parameters
    ----------
    time : (time,), days as datetime64 or anything that becomes one
    lat, lon : (cell,), degrees
    """
    if orbit not in ("AM", "PM"):
        raise ValueError(f"orbit must be 'AM' or 'PM', not {orbit!r}")
    revolutions, days, inclination = 117, 8, np.radians(98.12)
    t = np.arange(0, days, days / revolutions / 720)  # every half degree of a revolution: 56 km
    u = 2 * np.pi * revolutions / days * t
    turned = np.arctan2(np.cos(inclination) * np.sin(u), np.cos(u)) - np.pi / 2 - 2 * np.pi * t
    track_lat = np.degrees(np.arcsin(np.sin(inclination) * np.sin(u)))
    track_lon = (np.degrees(turned) + 180) % 360 - 180
    day = np.floor(t + track_lon / 360).astype(int) % days
    half = (np.cos(u) < 0) == (orbit == "AM")
    seen = np.empty((days, np.size(lat)), bool)
    cells, track = _sphere(lat, lon), _sphere(track_lat, track_lon)
    for d in range(days):
        near, _ = cKDTree(track[half & (day == d)]).query(cells, distance_upper_bound=1.02 * 500)
        seen[d] = near <= 2 * EARTH_KM * np.sin(250 / EARTH_KM)
    return seen[np.asarray(time, "datetime64[D]").astype(np.int64) % days]


def _sphere(lat, lon):
    lat, lon = np.radians(np.ravel(lat).astype(np.float64)), np.radians(np.ravel(lon).astype(np.float64))
    return EARTH_KM * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


@dataclass(frozen=True)
class Errors:
    """Standard deviations of what stands between the truth and a retrieval (`NONE`: nothing does).

    footprint_map, footprint_slow (8 days) and footprint_noise, m3 m-3: the antenna sees more land than the cell, and
    less depth.
    instrument, K. Of the ancillary data: temperature_map, temperature_slow (8 days) and temperature_noise, K; clay,
    percent; those of vegetation (slow: 45 days), roughness (slow: 20 days) and omega are of a factor's logarithm.
    Set so that retrievals differ from the truth about as SMAP's do from its core validation sites (ubRMSE near 0.04).
    """

    footprint_map: float = 0.04
    footprint_slow: float = 0.022
    footprint_noise: float = 0.02
    instrument: float = 1.3
    temperature_map: float = 0.7
    temperature_slow: float = 1.2
    temperature_noise: float = 1.0
    vegetation_map: float = 0.2
    vegetation_slow: float = 0.15
    roughness_map: float = 0.3
    roughness_slow: float = 0.2
    omega: float = 0.2
    clay: float = 6.0


NONE = Errors(*[0.0] * 13)


def observe(time, lat, lon, truth, parameters, *, seed=0, orbit="AM", errors=Errors(), weight=20.0, chunk=1024):
    """Brightness temperatures with noise, and moisture retrieved from them with imperfect ancillary data.

    All that is drawn hangs on seed, orbit, place and date alone: a part of the cells or of the days sees what the whole
    sees (but for rounding).

    Parameters
    ----------
    time : (time,), datetime64
    lat, lon : (cell,), degrees
    truth : dict of (time, cell)
        soil_moisture (m3 m-3, of the top), soil_temperature (degC, effective), vegetation_water_content (kg m-2), and
        if wanted frozen_fraction (0 to 1; without it ground below 0 degC is frozen) and snow_water (mm).
    parameters : dict of (cell,)
        clay (percent), roughness, b, omega: the true ones. `radiometer.surface_parameters` gives the last three.

    Returns
    -------
    dict of (time, cell)
        Float32 tb_h, tb_v (K), DCA, SCA_H, SCA_V (m3 m-3), opacity (of DCA), vegetation (the ancillary one, kg m-2);
        bool seen, frozen, snow, dense. Not seen: NaN. Frozen ground (over a tenth of it, or by the ancillary
        temperature) and snow (over 1 mm): only brightness temperatures. Dense vegetation (over 5 kg m-2 by the
        ancillary data): retrieved, but flagged.
    """
    shape = len(time), np.size(lat)
    out = {name: np.empty(shape, np.float32) for name in (
        "tb_h", "tb_v", "DCA", "SCA_H", "SCA_V", "opacity", "vegetation")}
    out |= {name: np.empty(shape, bool) for name in ("seen", "frozen", "snow", "dense")}
    lat, lon = np.ravel(lat), np.ravel(lon)
    for start in range(0, shape[1], chunk):
        part = slice(start, start + chunk)
        found = _observe(time, lat[part], lon[part], {k: v[:, part] for k, v in truth.items()},
                         {k: v[part] for k, v in parameters.items()}, seed, orbit, errors, weight)
        for name, values in found.items():
            out[name][:, part] = values
    return out


def _observe(time, lat, lon, truth, true, seed, orbit, errors, weight):
    day = np.asarray(time, "datetime64[D]").astype(np.int64)

    def fixed(name, range_km):
        return field(lat, lon, range_km, rng_of(seed, "retrieval", name))

    def slow(name, range_km, days):
        return changing(day, lat, lon, range_km, days, rng_of(seed, "retrieval", "slow", name))

    def white(name):
        return _white(day, lat, lon, rng_of(seed, "retrieval", "noise", orbit, name))

    temperature, vegetation = truth["soil_temperature"], truth["vegetation_water_content"]
    ice = truth.get("frozen_fraction", (temperature < 0).astype(np.float32))
    noise, noise_temperature = white("land")
    moisture = truth["soil_moisture"]
    if errors.footprint_map or errors.footprint_slow or errors.footprint_noise:
        strange = (errors.footprint_map * fixed("footprint", 60) + errors.footprint_slow * slow("footprint", 60, 8)
                   + errors.footprint_noise * noise)
        moisture = np.maximum(moisture + strange, 0.5 * moisture)  # dry land stays dry
    tb = brightness_temperature(moisture, temperature, vegetation, *(
        true[k] for k in ("clay", "roughness", "omega", "b")), ice)
    seen = overpass(time, lat, lon, orbit)
    tb_h, tb_v = (np.where(seen, t + errors.instrument * n, np.float32(np.nan))
                  for t, n in zip(tb, white("instrument"), strict=True))

    known = dict(true)
    known["clay"] = np.clip(true["clay"] + errors.clay * fixed("clay", 60), 0, 100)
    known["omega"] = true["omega"] * np.exp(errors.omega * fixed("omega", 80))
    known["roughness"] = true["roughness"] * np.exp(
        errors.roughness_map * fixed("roughness", 80) + errors.roughness_slow * slow("roughness", 80, 20))
    factor = np.exp(
        errors.vegetation_map * fixed("vegetation", 100) + errors.vegetation_slow * slow("vegetation", 150, 45))
    vegetation = np.maximum(vegetation * factor + SPARSE * (factor - 1), 0)
    temperature = (temperature + errors.temperature_map * fixed("temperature", 150)
                   + errors.temperature_slow * slow("temperature " + orbit, 400, 8)
                   + errors.temperature_noise * noise_temperature)

    frozen = (ice > 0.1) | (temperature <= 0)
    snow = truth["snow_water"] > 1 if "snow_water" in truth else np.zeros(seen.shape, bool)
    usable = [np.where(frozen | snow, np.float32(np.nan), t) for t in (tb_h, tb_v)]
    ancillary = temperature, vegetation, *(known[k] for k in ("clay", "roughness", "omega", "b"))
    dca, opacity = retrieve_dca(*usable, *ancillary, weight)
    return {"tb_h": tb_h, "tb_v": tb_v, "DCA": dca, "SCA_H": retrieve_sca(usable[0], "H", *ancillary),
            "SCA_V": retrieve_sca(usable[1], "V", *ancillary), "opacity": opacity, "vegetation": vegetation,
            "seen": seen, "frozen": frozen, "snow": snow, "dense": vegetation > DENSE}


def _white(day, lat, lon, rng):
    """Two independent standard normal numbers (time, cell) float32 for every date and place."""
    place = np.round(np.stack([lat, lon]).astype(np.float64) * 1e4).astype(np.int64).view(np.uint64)
    return _normal_pair(day.astype(np.int64).view(np.uint64), *place, rng.integers(2**63, dtype=np.uint64))


@njit()
def _mix(x):
    """Steele et al. (2014)'s SplitMix64: scrambles 64 bits."""
    x += np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit()
def _normal_pair(day, lat, lon, key):
    first, second = np.empty((2, len(day), len(lat)), np.float32)
    place = np.empty(len(lat), np.uint64)
    for c in range(len(lat)):
        place[c] = _mix(_mix(lat[c] ^ key) ^ lon[c])
    for t in range(len(day)):
        today = _mix(day[t] ^ key)
        for c in range(len(lat)):
            x = _mix(place[c] ^ today)
            u = (np.float64(x >> np.uint64(32)) + 0.5) / 4294967296.0
            v = np.float64(x & np.uint64(0xFFFFFFFF)) / 4294967296.0
            size, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v  # Box and Muller (1958)
            first[t, c], second[t, c] = size * np.cos(angle), size * np.sin(angle)
    return first, second
