"""A daily stochastic weather generator for any points, with correlation in space and time.

Every variable comes from latent Gaussian fields, sums of plane waves (`smlib.nature.fields`) whose amplitudes are
autoregressive in time. What is latent depends on place, date and seed alone, so that a part of a region, or a region in
pieces, has the weather of the whole, to the bit.

Whether a day is wet is a thresholded latent field (as in Wilks 1998), how much it rains a quantile transform of the
same field. Amounts of wet days are Weibull, as heavy rain is after Wilson and Toumi (2005), which fits any mean and
standard deviation.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import erfc, exp, log

import numpy as np
from scipy.special import gammaln, ndtri

from smlib.nature import radiation
from smlib.nature.compiled import njit
from smlib.nature.fields import Waves, rng_of

VARIABLES = ("precipitation", "air_temperature", "shortwave_down", "longwave_down", "relative_humidity", "wind_speed")
BLOCK = 128  # cells at once; the waves are always evaluated at so many, for BLAS rounds otherwise at other shapes
WAVES = 320  # a multiple of 8
BURN_IN = 2  # years before the first that the amplitudes are run for; the longest memory below, 0.95^730, is 5e-17

# Latent fields: range in km and smoothness of the Matern correlation, and a fast and a slow autoregressive part: the
# correlation from day to day of each, and the slow one's share of the variance.
LATENT = {
    "rain": (200, 0.5, 0.40, 0.95, 0.10),
    "warmth": (500, 1.5, 0.68, 0.95, 0.15),
    "air": (300, 1.0, 0.55, 0.90, 0.15),  # moisture and cloud beyond what goes with rain
    "wind": (300, 1.0, 0.45, 0.90, 0.10),
}
# Coefficient of variation of the rain of wet days. Measured: median 1.38, of all but three within 1.07 to 1.53, at the
# four embedded sites and the 16 USCRN stations of ../shared/data (days above 0.1 mm).
WET_VARIATION = 1.4
WET_RANGE = (0.05, 0.60)
LEAST = 0.1  # mm d-1 of a wet day
LAPSE = -6.5e-3  # K m-1
WIND_MEAN, WIND_ROOT_STD = 3.3, 0.21  # m s-1; of the square root, which is about normal (Brown et al. 1984)

# Round numbers typical of places, put down by hand so that `climate` is plausible there; not data to cite. Latitude,
# longitude, elevation m, temperature mean and daily standard deviation degC, precipitation mm a year, days with rain a
# year, amplitude of their number over the year relative to the mean, the day of the year with most.
ANCHORS = np.array([[float(number) for number in line.split()] for line in """
47.4 -122.3 130 11.5 6.2 990 152 .6 350; 37.6 -122.4 0 14.5 3.4 520 65 .95 20; 34 -118.2 70 18 4.2 340 34 .95 30
33.4 -112 340 24 8.8 190 30 .2 15; 36.1 -115.2 620 20.5 9.5 105 26 .2 30; 43.6 -116.2 860 11.3 9.8 295 88 .4 10
40.8 -112 1290 11.8 10.2 400 90 .3 100; 39.8 -104.7 1650 10.3 10.2 370 85 .5 160; 35 -106.6 1620 14.3 9 225 58 .4 220
47.5 -111.4 1120 7 11 370 100 .5 155; 46.8 -100.8 500 6.2 13.3 450 95 .65 175; 31.8 -106.4 1190 18.5 8.6 230 48 .5 225
32.9 -97 170 19.3 9.2 950 80 .15 140; 35.2 -101.7 1100 14.5 9.7 510 68 .5 180; 39.3 -94.7 310 12.8 11.2 980 103 .4 165
44.9 -93.2 260 8 13 790 115 .45 180; 42 -87.9 200 10.3 11.3 960 125 .2 170; 29.9 -95.4 30 21 7.4 1300 103 .1 210
25.9 -97.4 5 23.8 6 680 72 .4 240; 30 -90.3 0 21 7 1600 113 .15 200; 33.6 -84.4 310 17 8.2 1270 113 .05 30
25.8 -80.3 5 25 3.8 1570 135 .5 230; 38.9 -77 5 14.5 9.4 1020 115 .1 180; 42.4 -71 5 11 9.5 1100 126 .05 330
46.9 -68 190 4.5 11.8 1000 160 .1 220; 40.5 -80.2 350 11 10.2 980 150 .15 170; 60.6 -151 30 2 9.5 480 130 .4 250
39.8 98.5 1480 7.8 12 88 35 .7 200; 38.8 98.4 3370 -2.5 10.5 300 95 .9 200; 36.6 101.8 2260 6 9.6 380 105 .85 205
36.4 94.9 2800 5.6 10 43 25 .7 190; 36 103.9 1520 10.3 10 310 75 .75 210; 31.5 92.1 4500 -.5 8.7 450 115 .9 205
55.9 9.2 40 8.3 6.5 900 170 .2 280; 52.5 13.4 50 9.9 7.8 570 160 .1 190; 41.6 0.6 200 15 7.7 370 60 .2 120
-34.7 146.5 150 16.8 6.4 450 90 .1 220; 18.4 -66 5 27 1.3 1400 190 .25 260; 0 25 500 25 1.5 1700 150 .2 100
""".strip().replace("\n", ";").split(";") if line.strip()])


@dataclass(frozen=True)
class Climate:
    """What the weather of each cell is like: arrays (cell,). What is None is filled by rule, see `filled`.

    Attributes
    ----------
    precipitation_mean, precipitation_std : mm d-1, dry days included
    temperature_mean, temperature_std : degC, of daily means, the seasonal cycle included
    wet_fraction : of days
    wet_amplitude, wet_peak : of the wet fraction's yearly cosine, relative to its mean, and the day of the year
    season_share : of the temperature's variance
    wind_mean : m s-1
    """

    precipitation_mean: np.ndarray
    precipitation_std: np.ndarray
    temperature_mean: np.ndarray
    temperature_std: np.ndarray
    wet_fraction: np.ndarray | None = None
    wet_amplitude: np.ndarray | None = None
    wet_peak: np.ndarray | None = None
    season_share: np.ndarray | None = None
    wind_mean: np.ndarray | None = None

    def filled(self, lat, lon):
        """Nothing is None any more: float64 (cell,), positive means and deviations checked (ValueError)."""
        cells = len(np.atleast_1d(lat))
        given = {f.name: np.broadcast_to(np.asarray(getattr(self, f.name), float), cells)
                 for f in fields(self) if getattr(self, f.name) is not None}
        for name in ("precipitation_mean", "precipitation_std", "temperature_std"):
            if not (given[name] > 0).all():
                raise ValueError(f"{name} is not positive everywhere")
        variation = given["precipitation_std"] / given["precipitation_mean"]
        variance = given["temperature_std"] ** 2
        place = _anchored(lat, lon)
        return Climate(**{"wet_fraction": wet_fraction(variation), "wet_amplitude": place["amplitude"],
                          "wet_peak": place["peak"], "season_share": 0.84 * variance / (variance + 8),
                          "wind_mean": np.full(cells, WIND_MEAN)} | given)

    def __getitem__(self, cells):
        """The climate of some cells."""
        return replace(self, **{f.name: np.asarray(getattr(self, f.name))[cells]
                                for f in fields(self) if getattr(self, f.name) is not None})


def wet_fraction(variation):
    """Share of wet days where daily rain, dry days included, has the coefficient of variation `variation`.

    With w wet days whose own coefficient of variation is c, 1 + variation^2 = (1 + c^2) / w. That c differs little from
    place to place (see WET_VARIATION), and so w follows. Held within WET_RANGE: beyond, c is another.
    """
    return np.clip((1 + WET_VARIATION**2) / (1 + np.asarray(variation, float) ** 2), *WET_RANGE)


def climate(lat, lon, elevation, seed=0):
    """The `Climate` of a plausible continent at points (cell,) in degrees and m.

    Between places of known climate by distance, with the standard lapse rate of -6.5 K km-1, wetter with height (0.5
    per km in the logarithm, at most by e), and departures of some 200 km of its own for every seed.
    """
    place, elevation = _anchored(lat, lon), np.asarray(elevation, float)
    own = _Field("climate", seed, 200, 1.5, _amplitudes_once("climate", seed, 3)).at(lat, lon).T.astype(float)
    wetter = np.exp(np.clip(5e-4 * (elevation - place["elevation"]), -1, 1) + 0.12 * own[0])
    wet = np.clip(place["days"] / 365.25 * np.sqrt(wetter), *WET_RANGE)
    mean = place["rain"] / 365.25 * wetter
    return Climate(
        precipitation_mean=mean, precipitation_std=mean * np.sqrt((1 + WET_VARIATION**2) / wet - 1),
        temperature_mean=place["sea_level"] + LAPSE * elevation + 0.5 * own[1],
        temperature_std=place["std"] * np.exp(0.03 * own[2]), wet_fraction=wet, wet_amplitude=place["amplitude"],
        wet_peak=place["peak"], wind_mean=WIND_MEAN + 3e-4 * np.clip(elevation, 0, 4000)).filled(lat, lon)


def _anchored(lat, lon):
    """What the anchors say at points: dict of (cell,), weighted by inverse distance; the rain's logarithm is."""
    at_lat, at_lon, elevation, mean, std, rain, days, amplitude, peak = ANCHORS.T
    turn = 2 * np.pi * peak / 365.25
    values = np.stack([elevation, mean - LAPSE * elevation, std, np.log(rain), days, amplitude * np.cos(turn),
                       amplitude * np.sin(turn)], 1)
    lat, lon = (np.radians(np.ravel(x).astype(float)) for x in (lat, lon))
    total, weights = np.zeros((7, len(lat))), np.zeros(len(lat))
    for a_lat, a_lon, value in zip(np.radians(at_lat), np.radians(at_lon), values, strict=True):
        cosine = np.sin(a_lat) * np.sin(lat) + np.cos(a_lat) * np.cos(lat) * np.cos(lon - a_lon)
        weight = (2 - 2 * np.minimum(cosine, 1) + 6e-4) ** -2  # 6e-4: 150 km, squared, in Earth radii
        weights += weight
        total += weight * value[:, None]
    elevation, sea_level, std, rain, days, east, north = total / weights
    return {"elevation": elevation, "sea_level": sea_level, "std": std, "rain": np.exp(rain), "days": days,
            "amplitude": np.hypot(east, north), "peak": np.arctan2(north, east) * 365.25 / (2 * np.pi) % 365.25}


class _Field:
    """A latent field with given amplitudes (wave, column): (cell, column) of unit variance at any points."""

    def __init__(self, name, seed, range_km, smoothness, amplitudes):
        self.waves = Waves.draw(range_km, WAVES, rng_of(seed, name, "waves"), smoothness)
        self.amplitudes = amplitudes

    def at(self, lat, lon):
        """(cell, column) float32, in blocks of one shape, whatever the number of cells."""
        lat, lon = np.ravel(lat), np.ravel(lon)
        out = np.empty((len(lat), self.amplitudes.shape[1]), np.float32)
        for first in range(0, len(lat), BLOCK):
            here = slice(first, first + BLOCK)
            rows = len(lat[here])
            basis = self.waves.at(*(np.pad(x[here].astype(float), (0, BLOCK - rows)) for x in (lat, lon)))[:rows]
            basis /= np.sqrt((basis**2).sum(1, keepdims=True))  # unit variance everywhere, not only on average
            _product(basis, self.amplitudes, out[here])
        return out


@njit()
def _product(basis, amplitudes, out):
    """out = basis @ amplitudes, summed in an order that depends on nothing, which BLAS does not promise.

    Half as fast as BLAS. WAVES is a multiple of the 8 that are added at once; 512 columns stay in the nearest cache.
    """
    out[:] = 0
    for first in range(0, amplitudes.shape[1], 512):
        last = min(first + 512, amplitudes.shape[1])
        for k in range(0, basis.shape[1], 8):
            a0, a1, a2, a3 = (amplitudes[k, first:last], amplitudes[k + 1, first:last], amplitudes[k + 2, first:last],
                              amplitudes[k + 3, first:last])
            a4, a5, a6, a7 = (amplitudes[k + 4, first:last], amplitudes[k + 5, first:last],
                              amplitudes[k + 6, first:last], amplitudes[k + 7, first:last])
            for c in range(basis.shape[0]):
                b, row = basis[c, k:k + 8], out[c, first:last]
                b0, b1, b2, b3, b4, b5, b6, b7 = b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
                for t in range(last - first):
                    row[t] += (((b0 * a0[t] + b1 * a1[t]) + (b2 * a2[t] + b3 * a3[t]))
                               + ((b4 * a4[t] + b5 * a5[t]) + (b6 * a6[t] + b7 * a7[t])))


def _amplitudes_once(name, seed, columns):
    return rng_of(seed, name, "amplitudes").standard_normal((WAVES, columns)).astype(np.float32)


@lru_cache(maxsize=16)
def _amplitudes(name, seed, first_day, last_day, fast, slow, share):
    """(wave, day) float32 for consecutive dates, unit variance: the same on the same date, whatever the period."""
    years = np.arange(first_day.astype("M8[Y]") - BURN_IN, last_day.astype("M8[Y]") + 1)
    total = 0
    for part, keep, variance in (("fast", fast, 1 - share), ("slow", slow, share)):
        shocks = np.concatenate([rng_of(seed, name, part, year).standard_normal(
            (((year + 1).astype("M8[D]") - year.astype("M8[D]")).astype(int), WAVES), np.float32) for year in years])
        total = total + _autoregressive(shocks, keep, np.sqrt(variance * (1 - keep**2)))
    first, last = ((day - years[0].astype("M8[D]")).astype(int) for day in (first_day, last_day))
    found = np.ascontiguousarray(total[first:last + 1].T, np.float32)
    found.flags.writeable = False
    return found


@njit()
def _autoregressive(shocks, keep, scale):
    """`shocks` (day, wave) turned, in place, into what keeps the share `keep` of itself from day to day."""
    state = np.zeros(shocks.shape[1])
    for t in range(shocks.shape[0]):
        for k in range(shocks.shape[1]):
            state[k] = keep * state[k] + scale * shocks[t, k]
            shocks[t, k] = state[k]
    return shocks


class Weather:
    """The weather of consecutive days at points; `at` makes it for some of them.

    Parameters
    ----------
    time : (time,) datetime64, consecutive days
    lat, lon : (cell,), degrees
    elevation : (cell,), m
    climate : Climate
    seed : int
    match : "period" or "climate"
        "period": over just these days, every cell has the climate's means and standard deviations of precipitation and
        temperature (what a twin of a measured period needs). "climate": it has them in the long run, a period departs
        from them by chance, and a date's weather does not depend on which other dates are made.

    Raises
    ------
    ValueError
        For dates that are not consecutive, unknown `match`, or a climate without spread
    """

    def __init__(self, time, lat, lon, elevation, climate, seed=0, match="period"):
        self.days = np.asarray(time).astype("M8[D]")
        if self.days.ndim != 1 or not len(self.days) or (np.diff(self.days) != np.timedelta64(1, "D")).any():
            raise ValueError("the dates are not consecutive days")
        if match not in ("period", "climate"):
            raise ValueError(f"match is {match!r}, neither 'period' nor 'climate'")
        self.lat, self.lon = (np.atleast_1d(np.asarray(x, float)) for x in (lat, lon))
        self.elevation = np.broadcast_to(np.asarray(elevation, float), self.lat.shape)
        self.climate, self.match = climate.filled(self.lat, self.lon), match
        self.day = (self.days - self.days.astype("M8[Y]").astype("M8[D]")).astype(int)  # of the year, from 0
        ends = self.days[0], self.days[-1]
        self.latent = {name: _Field(name, seed, range_km, smoothness, _amplitudes(name, seed, *ends, *memory))
                       for name, (range_km, smoothness, *memory) in LATENT.items()}

    def at(self, cells=slice(None)):
        """The weather of `cells` (a slice or indices): dict of (time, cell) float32, units of `smlib.data.schema`."""
        index = np.arange(len(self.lat))[cells]
        out = {name: np.empty((len(self.days), len(index)), np.float32) for name in VARIABLES}
        for first in range(0, len(index), BLOCK):
            for name, values in self._block(index[first:first + BLOCK]).items():
                out[name][:, first:first + BLOCK] = values.T
        return out

    def _block(self, cells):
        """Dict of (cell, time) for at most BLOCK cells."""
        lat, climate, height = self.lat[cells], self.climate[cells], self.elevation[cells, None].astype(np.float32)
        z = {name: field.at(lat, self.lon[cells]) for name, field in self.latent.items()}
        year = 2 * np.pi * np.arange(366) / 365.25
        summer = np.cos(year - 2 * np.pi * np.where(lat < 0, 17, 200)[:, None] / 365.25)
        chance = climate.wet_fraction[:, None] * (
            1 + np.minimum(climate.wet_amplitude, 0.95 / climate.wet_fraction - 1)[:, None].clip(0, 0.98)
            * np.cos(year - 2 * np.pi * climate.wet_peak[:, None] / 365.25))
        limit = -ndtri(chance)
        rain = np.zeros(z["rain"].shape, np.float32)
        mean = climate.precipitation_mean / climate.wet_fraction
        square = (climate.precipitation_mean**2 + climate.precipitation_std**2) / climate.wet_fraction
        _rain(z["rain"], limit, chance, self.day, mean, square, climate.wet_fraction,
              self.match == "period", rain)

        def daily(by_day):
            return by_day.astype(np.float32)[:, self.day]

        excess = z["rain"] - daily(limit)  # above 0 it rains
        temperature = self._temperature(z, climate, daily(summer))
        dryness = np.maximum(1 - climate.wet_fraction[:, None] / 0.35, -0.3).astype(np.float32)
        cloud = 1 / (1 + np.exp(-(np.float32(2.2) * excess + z["air"] + np.float32(0.7))))
        above = daily(radiation.extraterrestrial(lat, np.arange(1, 367)).T)
        lowest = temperature - (np.float32(2.5) + (4 + 1.5 * dryness) * (1 - cloud))  # the night's, half the range down
        dew_point = np.minimum(lowest - 5 * dryness + np.float32(2.2) * z["air"], temperature)
        wind = (1 + np.float32(WIND_ROOT_STD) * (z["wind"] - np.float32(0.35) * daily(summer))) ** 2
        wind *= (climate.wind_mean[:, None] / (1 + WIND_ROOT_STD**2 * (1 + 0.35**2 / 2))).astype(np.float32)
        return {"precipitation": rain, "air_temperature": temperature,
                "shortwave_down": radiation.shortwave(above, height, cloud),
                "longwave_down": radiation.longwave(temperature, radiation.saturation_pressure(dew_point), cloud),
                "relative_humidity": np.maximum(radiation.relative_humidity(temperature, dew_point), 5),
                "wind_speed": wind}

    def _temperature(self, z, climate, summer):
        """(cell, time): a yearly cosine, and departures that are cooler where it rains, in summer above all."""
        with_rain = -np.float32(0.25) - np.float32(0.2) * summer
        departure = with_rain * z["rain"] + np.sqrt(1 - with_rain**2) * z["warmth"]
        share = climate.season_share[:, None]
        departure *= (1 - np.float32(0.4) * summer) / np.float32(1.08**0.5)  # winters vary more
        standard = np.sqrt(2 * share).astype(np.float32) * summer + np.sqrt(1 - share).astype(np.float32) * departure
        if self.match == "period" and len(self.days) > 1:
            standard -= standard.mean(1, keepdims=True, dtype=float)
            standard /= np.sqrt(np.square(standard, dtype=float).mean(1, keepdims=True)).astype(np.float32)
        return (climate.temperature_mean[:, None] + climate.temperature_std[:, None] * standard).astype(np.float32)


def generate(time, lat, lon, elevation, climate, seed=0, match="period"):
    """All of `Weather` at once: dict of (time, cell) float32, 24 bytes a cell and day (`Weather.at` makes a part)."""
    return Weather(time, lat, lon, elevation, climate, seed, match).at()


# The power that makes an exponential variable a Weibull one, its mean then, its squared coefficient of variation.
_SHAPES = np.linspace(0.01, 12, 2400)
_MEANS = np.exp(gammaln(1 + _SHAPES))
_SPREADS = np.expm1(gammaln(1 + 2 * _SHAPES) - 2 * gammaln(1 + _SHAPES))


@njit()
def _rain(z, limit, chance, day, mean, square, wet, match, out):
    """Fill `out` (cell, time), zeros, where z exceeds the day's limit: LEAST + scale * e^shape, e exponential.

    `mean` and `square` (cell,): of wet days' rain and of its square. With `match` they are rescaled to the number of
    wet days there are, and scale and shape fitted to those; with fewer than ten, or without, to the long run.
    """
    days = z.shape[1]
    logs, where = np.empty(days), np.empty(days, np.int64)
    for c in range(z.shape[0]):
        found = 0
        for t in range(days):
            if z[c, t] > limit[c, day[t]]:
                above = 0.5 * erfc(z[c, t] / 2**0.5) / chance[c, day[t]]  # uniform, given rain
                logs[found], where[found] = log(max(-log(max(above, 1e-300)), 1e-9)), t
                found += 1
        fit = match and found >= 10
        ratio = wet[c] * days / found if fit else 1.0
        m, s = mean[c] * ratio, square[c] * ratio
        least = min(LEAST, 0.1 * m)
        spread = max((s - m * m) / (m - least) ** 2, 0.01)
        if fit:
            shape = _fitted_shape(logs[:found], min(spread, 0.9 * (found - 1)))
            total = 0.0
            for k in range(found):
                total += exp(shape * logs[k])
            scale = (m - least) * found / total
        else:
            shape = np.interp(spread, _SPREADS, _SHAPES)
            scale = (m - least) / np.interp(shape, _SHAPES, _MEANS)
        for k in range(found):
            out[c, where[k]] = least + scale * exp(shape * logs[k])


@njit()
def _fitted_shape(logs, spread):
    """The shape with which exp(shape * logs) has the squared coefficient of variation `spread` (Illinois method)."""
    low, high, at_low, at_high = 0.0, 30.0, -20.0, _log_spread(logs, 30.0) - log(spread)
    shape = 0.0
    for _ in range(60):
        shape = (low * at_high - high * at_low) / (at_high - at_low)
        value = _log_spread(logs, shape) - log(spread)
        if abs(value) < 1e-5:
            break
        if value > 0:
            high, at_high, at_low = shape, value, at_low / 2
        else:
            low, at_low, at_high = shape, value, at_high / 2
    return shape


@njit()
def _log_spread(logs, shape):
    """Logarithm of the squared coefficient of variation of exp(shape * logs), no less than -20."""
    total, squares = 0.0, 0.0
    for k in range(len(logs)):
        value = exp(shape * logs[k])
        total += value
        squares += value * value
    return log(max(squares * len(logs) / (total * total) - 1, 2.1e-9))
