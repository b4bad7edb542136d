"""Which cells are observed on which day, and with what noise.

A pattern is a function ``pattern(day) -> (y, x) bool``. What it draws for a day depends on the seed, the day and the
setting (its name and fraction) alone: not on the days drawn before it, nor on tau or the model that is nudged.
"""

import zlib
from dataclasses import dataclass

import numpy as np

SIDES = ("west", "east", "north", "south")


def check_valid(valid):
    """`valid` as a (y, x) bool array; an error if it is none or holds no valid cell."""
    valid = np.asarray(valid)
    if valid.ndim != 2 or valid.dtype != bool:
        raise ValueError(f"valid must be a (y, x) array of bool, not {valid.dtype} of shape {valid.shape}")
    if not valid.any():
        raise ValueError(f"no cell of the {valid.shape[0]} x {valid.shape[1]} grid is valid")
    return valid


def _draw(seed, day, *setting):
    """A generator of random numbers that is a function of its arguments."""
    return np.random.default_rng([seed, day, zlib.crc32(repr(setting).encode())])


def _some(valid, fraction, rng):
    """(y, x) bool: that fraction of the valid cells, rounded to a whole number of them."""
    cells = np.flatnonzero(valid)
    chosen = np.zeros(valid.shape, bool)
    chosen.flat[rng.choice(cells, round(fraction * cells.size), replace=False)] = True
    return chosen


def _check_fraction(fraction):
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must lie in [0, 1], not {fraction}")
    return float(fraction)


def random(valid, fraction, seed=0):
    """A fraction of the valid cells, drawn anew each day (Fan et al. 2025). A smaller fraction is no subset."""
    valid, fraction = check_valid(valid), _check_fraction(fraction)
    return lambda day: _some(valid, fraction, _draw(seed, day, "random", fraction))


def swaths(valid, passes):
    """The cells that a satellite passed: `passes` is a (time, y, x) bool array whose first day is day 0."""
    valid, passes = check_valid(valid), np.asarray(passes)
    if passes.dtype != bool or passes.ndim != 3 or passes.shape[1:] != valid.shape:
        raise ValueError(f"passes must be bool (time, {valid.shape[0]}, {valid.shape[1]}), "
                         f"not {passes.dtype} {passes.shape}")
    return lambda day: passes[day] & valid


def stations(valid, fraction=0.01, seed=0):
    """The same few cells every day, at least one of them."""
    valid, fraction = check_valid(valid), _check_fraction(fraction)
    points = _some(valid, max(fraction, 1 / valid.sum()), _draw(seed, 0, "stations", fraction))
    return lambda day: points.copy()


def half(valid, side):
    """(y, x) bool: the half of the valid cells (rounded down) that lies furthest to one of the four sides."""
    row, column = np.nonzero(check_valid(valid))
    along = {"west": column, "east": -column, "north": row, "south": -row}[side]  # the first row is the northernmost
    first = np.argsort(along, kind="stable")[:row.size // 2]
    chosen = np.zeros(valid.shape, bool)
    chosen[row[first], column[first]] = True
    return chosen


def gap(valid, length=10, every=20, fraction=1.0, seed=0):
    """Half the region unobserved for `length` days in a row, at the end of each period of `every` days.

    Which half (west, east, north, south) is drawn for each period. Elsewhere and on other days all valid cells are
    observed, or a random fraction of them.
    """
    valid, fraction = check_valid(valid), _check_fraction(fraction)
    if not 0 < length <= every:
        raise ValueError(f"a gap of {length} days does not fit into a period of {every}")

    def pattern(day):
        seen = valid.copy() if fraction == 1 else _some(valid, fraction, _draw(seed, day, "gap", fraction))
        period, since = divmod(day, every)
        if since >= every - length:
            seen &= ~half(valid, _draw(seed, period, "side").choice(SIDES))
        return seen

    return pattern


@dataclass(frozen=True)
class Observations:
    """What a pattern sees of the truth: y = truth + noise, not below 0. Call it with a day.

    Attributes
    ----------
    truth : (day, y, x), m3 m-3; where it is NaN nothing is observed
    pattern : day -> (y, x) bool
    noise : standard deviation of the noise, m3 m-3
    seed : of the noise. Another period (a validation year) needs another seed, or it repeats the same noise.
    """

    truth: np.ndarray
    pattern: object
    noise: float = 0.0
    seed: int = 0

    def __call__(self, day):
        """(y, x) observations and (y, x) bool which there are; y is NaN elsewhere."""
        truth, seen = self.truth[day], self.pattern(day)
        if seen.shape != truth.shape:
            raise ValueError(f"the pattern's mask is {seen.shape}, the truth {truth.shape}")
        seen = seen & np.isfinite(truth)
        y = truth
        if self.noise:
            y = truth + _draw(self.seed, day, "noise", float(self.noise)).normal(0, self.noise, truth.shape)
        return np.where(seen, np.maximum(y, 0), np.nan), seen


def together(members):
    """Observations of all members of a batch: day -> (y, observed), each (member, y, x).

    `members` lists one `Observations` a member; one that appears several times is made once a day.
    """
    def observe(day):
        made = {id(one): one for one in members}
        made = {key: one(day) for key, one in made.items()}
        return tuple(np.stack([made[id(one)][part] for one in members]) for part in (0, 1))

    return observe
