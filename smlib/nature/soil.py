"""Daily water and heat of layered soils under snow and plants: numba over cells, one layered column a cell.

Water in a column follows Richards' equation in finite volumes: linearised (one Newton step) and implicit, in sub-steps
short enough that no layer changes by more than `STEP`. What crosses an interface leaves one layer and enters the next,
so mass is kept to rounding whatever the sub-step. A layer's moisture counts its ice.
"""

from typing import NamedTuple

import numpy as np

from smlib.nature.compiled import njit
from smlib.nature.hydraulics import FIELD_KPA, WILTING_KPA, Hydraulics

FORCING = ("precipitation", "air_temperature", "shortwave_down", "longwave_down", "relative_humidity", "wind_speed")
OUT_CELL = ("snow_water", "runoff", "drainage", "evaporation", "transpiration", "potential_evaporation",
            "skin_temperature", "balance_error")
OUT_LAYER = ("soil_moisture", "soil_temperature", "frozen_fraction")
BOTTOMS = {"free": 1.0, "closed": 0.0}
DEEP_M = np.array([0.5, 1.0, 2.0, 4.0])  # thicknesses of the layers below that hold heat but exchange no water

STEP = 0.02  # m3 m-3, most that a sub-step may change a layer
SHORTEST = 1e-4  # d
KPA_PER_M = 9.80665  # tension of a metre of water
LATENT_W = 28.36  # W m-2 that evaporate 1 mm d-1
FUSION = 3.34e8  # J m-3 of water
ALL_FROZEN = -WILTING_KPA / 1223  # degC at which the Clapeyron relation leaves the moisture of wilting unfrozen
DAY = 86400.0

# Inlined by force: handing tuples of arrays to a function costs more than a day of water, seven times as much in all
inlined = njit(error_model="numpy", forceinline=True)


class Physics(NamedTuple):
    """Constants of the soil model that a perturbed run may change."""

    snow_all: float = -1.0  # degC below which all precipitation is snow ...
    rain_all: float = 3.0  # ... and above which all is rain; in between a linear share
    degree_day: float = 3.5  # mm of melt a day and degree above zero
    snow_cover: float = 15.0  # mm of snow water that hide the ground
    albedo: float = 0.23
    snow_albedo: float = 0.7
    # The next, surface_field and conductivity_factor were set so that the surface keeps its moisture from day to day
    # about as measured (USCRN, 0.05 m: persistence has R2 0.93 in the median; with 1, 1 and 1 it has 0.89 here)
    evaporation_factor: float = 0.8  # potential evapotranspiration over that of FAO-56's reference grass
    interception: float = 0.2  # mm held by a unit of leaf area
    stress_onset: float = 0.5  # share of available water below which plants transpire less (1: from field capacity on)
    surface_field: float = 1.5  # moisture over field capacity at which bare ground evaporates freely
    infiltration: float = 3.0  # kdt of Schaake et al. 1996; the smaller, the more runoff
    conductivity_factor: float = 0.5  # field conductivity over that of the pedotransfer function
    impedance: float = 3.0  # powers of ten by which ice in all pores lowers conductivity (Lundin 1990) ...
    frozen_infiltration: float = 2.0  # ... and the ground's capacity to take up rain and melt
    litter_resistance: float = 0.05  # m2 K W-1 between skin and ground


class State(NamedTuple):
    """What a run goes on from; float64. Simulations leave the state that they are given untouched.

    Attributes
    ----------
    moisture : (cell, layer), m3 m-3 at the end of the day, ice counted
    temperature : (cell, layer + deep), degC, in the soil layers and in the deep ones of `DEEP_M`
    snow : (cell,), mm of water
    """

    moisture: np.ndarray
    temperature: np.ndarray
    snow: np.ndarray


class Soil(NamedTuple):
    """Hydraulic constants as the kernel wants them: (cell, layer), of interfaces (cell, layer) with the bottom last."""

    residual: np.ndarray
    wilting: np.ndarray
    field: np.ndarray
    saturation: np.ndarray
    b: np.ndarray
    entry_m: np.ndarray
    k: np.ndarray  # of interfaces, mm d-1
    exponent: np.ndarray  # of interfaces


class Grid(NamedTuple):
    """Geometry of the columns: thickness (layer,), spacing (layer - 1,) m; heat (layer + deep,) m; bottom 1 if free."""

    thickness: np.ndarray
    spacing: np.ndarray
    heat: np.ndarray
    bottom: float


class Work(NamedTuple):
    """Scratch rows (layer + deep,) of one column."""

    head: np.ndarray
    head_slope: np.ndarray
    flux: np.ndarray
    above: np.ndarray
    below: np.ndarray
    sink: np.ndarray
    ice: np.ndarray
    lower: np.ndarray
    diagonal: np.ndarray
    upper: np.ndarray
    right: np.ndarray
    mean: np.ndarray
    sensible: np.ndarray
    latent: np.ndarray
    conductance: np.ndarray
    before: np.ndarray


@inlined
def potential_evaporation(net, temperature, humidity, wind, elevation):
    """FAO-56 reference evapotranspiration, mm d-1 (Allen et al. 1998, Eq. 6), no ground heat; never negative.

    net radiation W m-2, daily mean temperature degC, relative humidity percent, wind m s-1 at 2 m, elevation m.
    """
    saturated = 0.6108 * np.exp(17.27 * temperature / (temperature + 237.3))
    slope = 4098 * saturated / (temperature + 237.3) ** 2
    gamma = 0.665e-3 * 101.3 * np.exp(5.26 * np.log(1 - 0.0065 * elevation / 293))
    deficit = saturated * max(0.0, 1 - humidity / 100)
    aerodynamic = gamma * 900 / (temperature + 273) * wind * deficit
    return max(0.0, (0.408 * 0.0864 * slope * net + aerodynamic) / (slope + gamma * (1 + 0.34 * wind)))


@inlined
def _snow(snow, precipitation, temperature, p):
    """A day of snow by degree-days: (snow water after, rain, melt), mm."""
    rain = precipitation * min(1.0, max(0.0, (temperature - p.snow_all) / (p.rain_all - p.snow_all)))
    snow += precipitation - rain
    melt = min(snow, p.degree_day * max(0.0, temperature))
    return snow - melt, rain, melt


@inlined
def _frozen(c, theta, temperature, soil, ice):
    """Fills `ice`, m3 m-3: linear between Clapeyron's ends, none at 0 degC and all but wilting's at `ALL_FROZEN`."""
    for i in range(theta.shape[1]):
        share = min(1.0, max(0.0, temperature[c, i] / ALL_FROZEN))
        ice[i] = share * max(0.0, theta[c, i] - soil.wilting[c, i])


@inlined
def _infiltration(c, water, theta, soil, grid, ice, p):
    """Infiltration, mm d-1, of `water`, mm d-1, into ground that varies inside a cell (Schaake et al. 1996)."""
    if water <= 0:
        return 0.0
    room, icy, depth = 0.0, 0.0, 0.0
    for i in range(theta.shape[1]):
        room += 1000 * grid.thickness[i] * (soil.saturation[c, i] - theta[c, i])
        if depth < 0.3:
            icy = max(icy, ice[i] / soil.saturation[c, i])
        depth += grid.thickness[i]
    speed = p.infiltration * soil.k[c, 0] / 172.8  # over the reference conductivity of 2e-6 m/s
    capacity = room * (1 - np.exp(-speed)) * np.exp(-np.log(10) * p.frozen_infiltration * icy)
    return water * capacity / (water + capacity)


@inlined
def _linearise(c, theta, soil, grid, work, p):
    """Flux below every layer, mm d-1, and its derivatives by the moisture above and below (last: the bottom)."""
    n = theta.shape[1]
    for i in range(n):
        x, field = theta[c, i], soil.field[c, i]
        if x < field:
            work.head[i] = FIELD_KPA / KPA_PER_M * np.exp(-soil.b[c, i] * np.log(x / field))
            work.head_slope[i] = -soil.b[c, i] * work.head[i] / x
        else:
            work.head_slope[i] = -(FIELD_KPA / KPA_PER_M - soil.entry_m[c, i]) / (soil.saturation[c, i] - field)
            work.head[i] = FIELD_KPA / KPA_PER_M + work.head_slope[i] * (x - field)
    for i in range(n):
        j = min(i + 1, n - 1)
        wet = 0.5 * (theta[c, i] / soil.saturation[c, i] + theta[c, j] / soil.saturation[c, j])
        k = soil.k[c, i] * np.exp(soil.exponent[c, i] * np.log(wet))
        if work.ice[i] + work.ice[j] > 0:
            icy = max(work.ice[i] / soil.saturation[c, i], work.ice[j] / soil.saturation[c, j])
            k *= np.exp(-np.log(10) * p.impedance * icy)
        if i == n - 1:
            work.flux[i] = grid.bottom * k
            work.above[i] = grid.bottom * k * soil.exponent[c, i] / theta[c, i]
            work.below[i] = 0.0
            continue
        gradient = (work.head[j] - work.head[i]) / grid.spacing[i] + 1
        k_slope = 0.5 * k * soil.exponent[c, i] / wet
        work.flux[i] = k * gradient
        work.above[i] = k_slope / soil.saturation[c, i] * gradient - k * work.head_slope[i] / grid.spacing[i]
        work.below[i] = k_slope / soil.saturation[c, j] * gradient + k * work.head_slope[j] / grid.spacing[i]


@inlined
def _tridiagonal(work, n):
    """Solves in place by Thomas' algorithm; the solution is in `work.right`."""
    for i in range(1, n):
        factor = work.lower[i] / work.diagonal[i - 1]
        work.diagonal[i] -= factor * work.upper[i - 1]
        work.right[i] -= factor * work.right[i - 1]
    work.right[n - 1] /= work.diagonal[n - 1]
    for i in range(n - 2, -1, -1):
        work.right[i] = (work.right[i] - work.upper[i] * work.right[i + 1]) / work.diagonal[i]


@inlined
def _change(inflow, dt, n, grid, work):
    """Change of every layer's moisture in `dt` days, in `work.right`; returns the largest of them."""
    for i in range(n):
        work.diagonal[i] = 1000 * grid.thickness[i] / dt + work.above[i]
        work.upper[i] = work.below[i]
        work.lower[i] = 0.0
        work.right[i] = (work.flux[i - 1] if i > 0 else inflow) - work.flux[i] - work.sink[i]
        if i > 0:
            work.diagonal[i] -= work.below[i - 1]
            work.lower[i] = -work.above[i - 1]
    _tridiagonal(work, n)
    largest = 0.0
    for i in range(n):
        largest = max(largest, abs(work.right[i]))
    return largest


@inlined
def _sinks(c, theta, roots, evaporation, transpiration, dt, soil, grid, work, p):
    """Fills `work.sink`, mm d-1, by evaporation and roots at most at the given rates; returns the part evaporated.

    Bare ground evaporates by its moisture (the cosine of Lee and Pielke 1992, theirs from 0 to field capacity, here
    from the residual to `surface_field` times that); roots take their share, less below `stress_onset`.
    """
    for i in range(theta.shape[1]):
        liquid = theta[c, i] - work.ice[i]
        available = soil.field[c, i] - soil.wilting[c, i]
        stress = min(1.0, max(0.0, (liquid - soil.wilting[c, i]) / (p.stress_onset * available)))
        spare = 500 * grid.thickness[i] * max(0.0, liquid - soil.wilting[c, i]) / dt
        work.sink[i] = min(transpiration * roots[i, c] * stress, spare)
    liquid, residual = theta[c, 0] - work.ice[0], soil.residual[c, 0]
    wet = min(1.0, max(0.0, (liquid - residual) / (p.surface_field * soil.field[c, 0] - residual)))
    bare = 0.25 * (1 - np.cos(np.pi * wet)) ** 2 * evaporation
    spare = 250 * grid.thickness[0] * max(0.0, liquid - residual) / dt
    bare = min(bare, spare)
    work.sink[0] += bare
    return bare


@inlined
def _bounded(c, theta, soil, grid):
    """Hands what the linearised step put beyond the bounds to the neighbours: (runoff, withheld drainage), mm."""
    n = theta.shape[1]
    for i in range(n - 1, 0, -1):
        excess = theta[c, i] - soil.saturation[c, i]
        if excess > 0:
            theta[c, i] = soil.saturation[c, i]
            theta[c, i - 1] += excess * grid.thickness[i] / grid.thickness[i - 1]
    excess = max(0.0, theta[c, 0] - soil.saturation[c, 0])
    theta[c, 0] -= excess
    lack = 0.0
    for i in range(n):
        theta[c, i] -= lack / grid.thickness[i]
        lack = max(0.0, soil.residual[c, i] - theta[c, i]) * grid.thickness[i]
        theta[c, i] += lack / grid.thickness[i]
    return 1000 * grid.thickness[0] * excess, 1000 * lack


@inlined
def _redistribution(c, theta, roots, inflow, evaporation, transpiration, soil, grid, work, p):
    """A day of water between the layers: (runoff of saturated ground, drainage, evaporation, transpiration), mm.

    The daily mean moisture is in `work.mean`.
    """
    n = theta.shape[1]
    work.mean[:n] = 0.0
    runoff, drained, evaporated, transpired = 0.0, 0.0, 0.0, 0.0
    left = 1.0
    while left > 0:
        dt = left
        _linearise(c, theta, soil, grid, work, p)
        bare = _sinks(c, theta, roots, evaporation, transpiration, dt, soil, grid, work, p)
        largest = _change(inflow, dt, n, grid, work)
        while largest > STEP and dt > SHORTEST:
            dt = max(SHORTEST, dt * max(0.1, 0.8 * STEP / largest))
            largest = _change(inflow, dt, n, grid, work)
        left = 0.0 if dt >= left else left - dt
        out = dt * (work.flux[n - 1] + work.above[n - 1] * work.right[n - 1])
        if out < 0:  # where roots dry the lowest layer, the line through its conductivity passes below zero
            work.right[n - 1] += out / (1000 * grid.thickness[n - 1])
            out = 0.0
        drained += out
        evaporated += dt * bare
        transpired -= dt * bare
        for i in range(n):
            transpired += dt * work.sink[i]
            work.mean[i] += 0.5 * dt * theta[c, i]
            theta[c, i] += work.right[i]
        over, withheld = _bounded(c, theta, soil, grid)
        runoff, drained = runoff + over, drained - withheld
        for i in range(n):
            work.mean[i] += 0.5 * dt * theta[c, i]
    return runoff, drained, evaporated, transpired


@inlined
def _skin(net, temperature, wind, evapotranspiration, snow):
    """Temperature of the ground's surface, degC, that sheds as heat what radiation brings and evaporation leaves."""
    exchange = 1200 * max(0.5, wind) / 208 + 4 * 5.67e-8 * (temperature + 273.15) ** 3  # W m-2 K-1; 208: FAO-56, grass
    skin = temperature + (net - LATENT_W * evapotranspiration) / exchange
    return min(skin, 0.0) if snow > 0 else skin


@inlined
def _enthalpy(temperature, sensible, latent):
    """Heat content, J m-2, of a layer; its ice is linear in temperature between 0 degC and `ALL_FROZEN`.

    sensible J m-2 K-1; latent J m-2, of all the water that can freeze.
    """
    return sensible * temperature - latent * min(1.0, max(0.0, temperature / ALL_FROZEN))


@njit(error_model="numpy")
def _downhill(step, skin, temperature, way, sensible, latent, before, conductance):
    """Derivative by `step` of the convex function that the sought temperatures minimise, along `way`."""
    total, m = 0.0, len(way)
    for i in range(m):
        here = temperature[i] + step * way[i]
        above = skin if i == 0 else temperature[i - 1] + step * way[i - 1]
        flow = conductance[i] * (above - here)
        if i < m - 1:
            flow -= conductance[i + 1] * (here - temperature[i + 1] - step * way[i + 1])
        total += ((_enthalpy(here, sensible[i], latent[i]) - before[i]) / DAY - flow) * way[i]
    return total


@njit(error_model="numpy")
def _line_search(skin, temperature, way, sensible, latent, before, conductance):
    """The step, at most 1, along `way` to the least of the function whose derivative `_downhill` is."""
    low, high = 0.0, 1.0
    if _downhill(1.0, skin, temperature, way, sensible, latent, before, conductance) <= 0:
        return 1.0
    for _ in range(30):
        step = 0.5 * (low + high)
        if _downhill(step, skin, temperature, way, sensible, latent, before, conductance) > 0:
            high = step
        else:
            low = step
    return 0.5 * (low + high)


@inlined
def _phase(temperature):
    """Which part of the heat content's broken line a temperature is on: 0 frozen, 1 partly, 2 thawed."""
    return 2.0 if temperature >= 0 else 1.0 if temperature > ALL_FROZEN else 0.0


@inlined
def _heat(c, skin, theta, temperature, snow, soil, grid, work, p):
    """A day of heat conduction, implicit, below `skin`, with the heat of freezing.

    Heat content is a line of temperature in each phase: phases are guessed (`work.head`), the linear equations solved,
    and the phases of the solution taken for the next guess, until they are those that were guessed. That is Newton's
    method for the least of a convex function; if it goes round in circles, its steps are cut where they would pass
    the least along their way.
    """
    n, m = theta.shape[1], temperature.shape[1]
    resistance = snow / 250 / 0.25 + p.litter_resistance  # snow of 250 kg m-3 and 0.25 W m-1 K-1
    for i in range(m):
        j = min(i, n - 1)
        wet = theta[c, j] / soil.saturation[c, j]
        half = 0.5 * grid.heat[i] / (0.25 + 1.35 * wet)
        work.conductance[i] = 1 / (resistance + half)
        resistance = half
        work.sensible[i] = grid.heat[i] * ((1 - soil.saturation[c, j]) * 2.0e6 + theta[c, j] * 4.18e6)
        work.latent[i] = grid.heat[i] * FUSION * max(0.0, theta[c, j] - soil.wilting[c, j]) if i < n else 0.0
        work.before[i] = _enthalpy(temperature[c, i], work.sensible[i], work.latent[i])
        work.head[i] = _phase(temperature[c, i])
    for turn in range(60):
        for i in range(m):
            down = work.conductance[i + 1] if i < m - 1 else 0.0
            capacity, content = work.sensible[i], work.before[i]
            if work.head[i] == 1:
                capacity -= work.latent[i] / ALL_FROZEN
            elif work.head[i] == 0:
                content += work.latent[i]
            work.lower[i] = -work.conductance[i]
            work.upper[i] = -down
            work.diagonal[i] = capacity / DAY + work.conductance[i] + down
            work.right[i] = content / DAY
        work.right[0] += work.conductance[0] * skin
        _tridiagonal(work, m)
        settled = True
        for i in range(m):
            settled = settled and _phase(work.right[i]) == work.head[i]
        step = 1.0
        if turn >= 6 and not settled:
            for i in range(m):
                work.right[i] -= temperature[c, i]
            step = _line_search(skin, temperature[c], work.right, work.sensible, work.latent, work.before,
                                work.conductance)
            for i in range(m):
                work.right[i] += temperature[c, i]
        for i in range(m):
            temperature[c, i] += step * (work.right[i] - temperature[c, i])
            work.head[i] = _phase(temperature[c, i])
        if settled:
            break


@inlined
def _water_of(c, theta, snow, grid):
    """Water in a column and the snow on it, mm."""
    total = snow[c]
    for i in range(theta.shape[1]):
        total += 1000 * grid.thickness[i] * theta[c, i]
    return total


@inlined
def _day(t, c, weather, cover, leaves, roots, elevation, theta, temperature, snow, soil, grid, work, p, cells, layers):
    """One day of one column: moves the state on and writes row t of the outputs, in the order of OUT_*."""
    n = theta.shape[1]
    stored = _water_of(c, theta, snow, grid)
    precipitation, air, wind = max(0.0, weather[0][t, c]), float(weather[1][t, c]), float(weather[5][t, c])
    _frozen(c, theta, temperature, soil, work.ice)
    snow[c], rain, melt = _snow(snow[c], precipitation, air, p)
    white = min(1.0, snow[c] / p.snow_cover)
    albedo = p.albedo + white * (p.snow_albedo - p.albedo)
    net = (1 - albedo) * weather[2][t, c] + 0.97 * (weather[3][t, c] - 5.67e-8 * (air + 273.15) ** 4)
    potential = p.evaporation_factor * potential_evaporation(net, air, weather[4][t, c], wind, elevation[c])

    green = min(1.0, max(0.0, cover[t, c]))
    held = min(rain, p.interception * leaves[t, c] * green, potential)
    sublimated = min(snow[c], (potential - held) * (1 - green) * white)
    snow[c] -= sublimated
    water = rain - held + melt
    inflow = _infiltration(c, water, theta, soil, grid, work.ice, p)
    runoff, drained, evaporated, transpired = _redistribution(
        c, theta, roots, inflow, (potential - held) * (1 - green) * (1 - white), (potential - held) * green,
        soil, grid, work, p)
    runoff += water - inflow
    evaporated += held + sublimated
    skin = _skin(net, air, wind, evaporated + transpired, snow[c])
    _heat(c, skin, theta, temperature, snow[c], soil, grid, work, p)
    _frozen(c, theta, temperature, soil, work.ice)

    for i in range(n):
        layers[0][t, i, c] = work.mean[i]
        layers[1][t, i, c] = temperature[c, i]
        layers[2][t, i, c] = work.ice[i] / theta[c, i]
    cells[0][t, c], cells[1][t, c], cells[2][t, c] = snow[c], runoff, drained
    cells[3][t, c], cells[4][t, c], cells[5][t, c], cells[6][t, c] = evaporated, transpired, potential, skin
    left = evaporated + transpired + runoff + drained
    cells[7][t, c] = precipitation - left - (_water_of(c, theta, snow, grid) - stored)


@njit(error_model="numpy")
def _run(weather, cover, leaves, roots, elevation, theta, temperature, snow, soil, grid, work, p, cells, layers):
    """All days of all cells. Days outside: what a day reads and writes lies together in memory."""
    for t in range(weather[0].shape[0]):
        for c in range(theta.shape[0]):
            _day(t, c, weather, cover, leaves, roots, elevation, theta, temperature, snow, soil, grid, work, p,
                 cells, layers)


def initial(hydraulics, bounds_m, temperature, wetness=0.5):
    """A `State` to spin up from: moisture `wetness` of the way from wilting to field capacity, no snow.

    hydraulics with arrays (layer, cell) or (cell,); temperature degC (cell,) at all depths: the mean of the year.
    """
    temperature = np.asarray(temperature, np.float64)
    n = len(bounds_m) - 1
    h = hydraulics.broadcast((n, len(temperature)))
    moisture = h.theta_wilting + wetness * (h.theta_field - h.theta_wilting)
    heat = np.repeat(temperature[:, None], n + len(DEEP_M), 1)
    return State(np.ascontiguousarray(moisture.T), heat, np.zeros(len(temperature)))


def _prepare(hydraulics, bounds_m, cells, bottom, p):
    """`Soil` and `Grid` of the columns."""
    bounds = np.asarray(bounds_m, np.float64)
    if bottom not in BOTTOMS:
        raise ValueError(f"bottom must be one of {', '.join(BOTTOMS)}, not {bottom!r}")
    if bounds.ndim != 1 or len(bounds) < 2 or bounds[0] != 0 or not (np.diff(bounds) > 0).all():
        raise ValueError("bounds_m must start at 0 and increase")
    thickness = np.diff(bounds)
    h: Hydraulics = hydraulics.broadcast((len(thickness), cells))
    exponent, k = 3 + 2 * h.b, np.log(p.conductivity_factor * h.k_saturation)

    def between(x):
        return np.concatenate([(x[1:] + x[:-1]) / 2, x[-1:]])

    rows = (h.theta_residual, h.theta_wilting, h.theta_field, h.theta_saturation, h.b, h.psi_entry / KPA_PER_M,
            np.exp(between(k)), between(exponent))
    grid = Grid(thickness, (thickness[1:] + thickness[:-1]) / 2, np.concatenate([thickness, DEEP_M]), BOTTOMS[bottom])
    return Soil(*(np.array(x.T, order="C") for x in rows)), grid


def simulate(forcing, hydraulics, vegetation, roots, bounds_m, *, state=None, bottom="free", elevation=0.0,
             physics=None):
    """Soil moisture and temperature of many columns, day by day.

    Parameters
    ----------
    forcing : dict of `FORCING`, (time, cell): mm d-1, degC, W m-2, W m-2, percent, m s-1
    hydraulics : `Hydraulics` with arrays (layer, cell), or (cell,) for the same in all layers
    vegetation : dict with fractional_cover (0 to 1) and lai, (time, cell)
    roots : share of the roots in every layer (layer, cell), sums to at most 1
    bounds_m : depths (layer + 1,) of the layers' bounds, m, from 0
    state : `State` to go on from; without, `initial` at the first day's air temperature
    bottom : "free", drainage by gravity alone, or "closed", none
    elevation : m, (cell,) or one number
    physics : `Physics`, for constants other than the usual ones

    Returns
    -------
    dict of float32
        (time, layer, cell) soil_moisture, m3 m-3 with ice, mean of the day; soil_temperature, degC, and
        frozen_fraction of the water, at the day's end; (time, cell) snow_water mm and skin_temperature degC; runoff,
        drainage, evaporation (of ground, wet leaves and snow), transpiration and potential_evaporation mm d-1;
        balance_error mm d-1, what the water balance of the day lacks; and ``state``, to go on from.

    Raises
    ------
    ValueError
        Where forcing or vegetation is not finite, or shapes do not fit.
    """
    p = Physics() if physics is None else physics
    shape = np.shape(forcing["precipitation"])
    arrays = [np.require(x, np.float32, "CW") for x in (  # read-only arrays would have the kernel compiled once more
        *(forcing[name] for name in FORCING), vegetation["fractional_cover"], vegetation["lai"])]
    for name, x in zip((*FORCING, "fractional_cover", "lai"), arrays, strict=True):
        if x.shape != shape or len(shape) != 2:
            raise ValueError(f"{name} is {x.shape}, not (time, cell) as precipitation, {shape}")
        if not np.isfinite(x).all():
            raise ValueError(f"{name} has values that are not finite")
    days, cells = shape
    soil, grid = _prepare(hydraulics, bounds_m, cells, bottom, p)
    n = len(grid.thickness)
    roots = np.array(np.broadcast_to(roots, (n, cells)), np.float64, order="C")
    if (roots < 0).any() or (roots.sum(0) > 1.0001).any():
        raise ValueError("roots must not be negative nor sum to more than 1")
    if state is None:
        state = initial(hydraulics, bounds_m, arrays[1][0])
    state = State(*(np.array(x, np.float64, order="C") for x in state))
    if state.moisture.shape != (cells, n) or state.temperature.shape != (cells, len(grid.heat)):
        raise ValueError(f"state of {state.moisture.shape} (cell, layer), not {(cells, n)}")
    out = {name: np.empty(shape, np.float32) for name in OUT_CELL}
    out |= {name: np.empty((days, n, cells), np.float32) for name in OUT_LAYER}
    work = Work(*(np.zeros(len(grid.heat)) for _ in Work._fields))
    _run(tuple(arrays[:6]), *arrays[6:], roots, np.array(np.broadcast_to(elevation, cells), np.float64),
         *state, soil, grid, work, p, tuple(out[k] for k in OUT_CELL), tuple(out[k] for k in OUT_LAYER))
    return out | {"state": state}
