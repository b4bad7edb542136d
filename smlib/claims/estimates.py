"""A number with a 95 % interval, a claimed range, and the verdict that follows from the two."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from smlib.evaluate.significance import ALPHA

HOLDS, DOES_NOT_HOLD, CANNOT_BE_TOLD = VERDICTS = ("holds", "does not hold", "cannot be told")
LEAST_UNITS = 4  # of Student's t with fewer than 3 degrees of freedom next to nothing can be told


class Missing(Exception):
    """What a test needs is not in the run; the message says what, in words for the reader."""


def _same(value):
    return value


@dataclass(frozen=True)
class Estimate:
    """A statistic with its uncertainty.

    Attributes
    ----------
    centre : in the scale in which the interval is made
    below, above : how far the 95 % interval reaches to either side of `centre`
    n : units that it rests on
    df : degrees of freedom of Student's t behind the interval; infinite for the intervals of a bootstrap
    to : monotone function from that scale to that of the statistic
    label : what is compared, in words
    """

    centre: float
    below: float
    above: float
    n: int
    df: float = np.inf
    to: Callable = field(default=_same, repr=False)
    label: str = ""

    @property
    def value(self):
        """The statistic."""
        return float(self.to(self.centre))

    def interval(self, together=1):
        """(low, high) that holds the truth with 95 % for `together` such intervals at once (Bonferroni)."""
        wider = stats.t.ppf(1 - ALPHA / 2 / together, self.df) / stats.t.ppf(1 - ALPHA / 2, self.df)
        ends = float(self.to(self.centre - wider * self.below)), float(self.to(self.centre + wider * self.above))
        return min(ends), max(ends)


@dataclass(frozen=True)
class Region:
    """The range in which a statistic lies if the claim is true: ``above X``, ``below X`` or ``from X to Y``."""

    low: float = -np.inf
    high: float = np.inf

    @classmethod
    def of(cls, text):
        """Read a range, such as ``above 0``; ValueError for anything else."""
        number = r"(-?\d+(?:\.\d+)?)"
        for pattern, names in ((f"above {number}", ("low",)), (f"below {number}", ("high",)),
                               (f"from {number} to {number}", ("low", "high"))):
            if found := re.fullmatch(pattern, str(text)):
                region = cls(**dict(zip(names, map(float, found.groups()), strict=True)))
                if region.low < region.high:
                    return region
        raise ValueError(f"a claimed range is `above X`, `below X` or `from X to Y` with numbers, not {text!r}")

    def inside(self, low, high):
        """Whether an interval lies wholly in the range."""
        return self.low < low and high < self.high

    def outside(self, low, high):
        """Whether an interval lies wholly beyond it."""
        return high < self.low or self.high < low

    def short(self, low, high):
        """How far an interval reaches out of the range; negative if it lies inside."""
        return max(self.low - low, high - self.high)

    def missed(self, low, high):
        """How far an interval lies beyond the range; negative if they touch."""
        return max(self.low - high, low - self.high)


def judge(estimates, region):
    """Whether all of some estimates lie in a region: (verdict, the estimate that decides, its interval).

    A claim about several numbers holds if it holds for each of them, so each may be judged by its own 95 % interval
    (Berger 1982, intersection-union test); the one shown is the nearest to failing. Otherwise intervals are widened for
    their number (Bonferroni), or one of many would be beyond the region by chance: the claim does not hold if one of
    them lies wholly beyond, and the farthest is shown; else it cannot be told, and the one is shown whose value speaks
    most against the claim. So the verdict always follows from the interval that is returned.

    Raises
    ------
    Missing
        If there is no estimate, or one has no interval.
    """
    if not estimates:
        raise Missing("there is nothing to compare")
    plain = [one.interval() for one in estimates]
    unknown = [one.label for one, ends in zip(estimates, plain, strict=True)
               if not np.isfinite([one.value, *ends]).all()]
    if unknown:
        raise Missing(f"no interval is known of {unknown[0]}" if unknown[0] else "no interval is known")
    if all(region.inside(*ends) for ends in plain):
        weakest = int(np.argmax([region.short(*ends) for ends in plain]))
        return HOLDS, estimates[weakest], plain[weakest]
    wide = [one.interval(len(estimates)) for one in estimates]
    farthest = int(np.argmax([region.missed(*ends) for ends in wide]))
    if region.outside(*wide[farthest]):
        return DOES_NOT_HOLD, estimates[farthest], wide[farthest]
    undecided = [k for k, ends in enumerate(wide) if not region.inside(*ends)]
    weakest = max(undecided, key=lambda k: region.short(estimates[k].value, estimates[k].value))
    return CANNOT_BE_TOLD, estimates[weakest], wide[weakest]


def of_units(values, to=_same, label="", least=LEAST_UNITS, units="units"):
    """The mean over independent units, with the interval of Student's t.

    Of few units the percentile bootstrap is too narrow (of 4 it covers 78 %, see `smlib.evaluate.significance`); t
    covers 95 % of normal differences from 2 on.

    Parameters
    ----------
    values : (unit,)
        NaN is left out.

    Raises
    ------
    Missing
        With fewer than `least` units, or if they are all 0: a tie, of which nothing can be told.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    n = len(values)
    if n < least:
        raise Missing(f"{n} {units}, and fewer than {least} tell nothing of others")
    if not values.any():
        raise Missing(f"all {n} {units} are ties")
    half = stats.t.ppf(1 - ALPHA / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return Estimate(values.mean(), half, half, n, n - 1, to, label)


def of_groups(a, b, label="", least=LEAST_UNITS, units="units"):
    """The difference of the means of two independent groups of units, with the interval of Welch (1947)."""
    a, b = (np.asarray(one, float) for one in (a, b))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) < least:
        raise Missing(f"{len(a)} and {len(b)} {units}, and fewer than {least} tell nothing of others")
    parts = [one.var(ddof=1) / len(one) for one in (a, b)]
    if not sum(parts) > 0:
        raise Missing(f"the {units} do not differ within either group")
    df = sum(parts) ** 2 / sum(part**2 / (len(one) - 1) for part, one in zip(parts, (a, b), strict=True))
    half = stats.t.ppf(1 - ALPHA / 2, df) * np.sqrt(sum(parts))
    return Estimate(a.mean() - b.mean(), half, half, len(a) + len(b), df, label=label)


def of_interval(value, low, high, n, label=""):
    """A value with the 95 % interval that the run's table gives it."""
    return Estimate(value, value - low, high - value, n, label=label)


def apart(a, b, label=""):
    """The difference of two `of_interval`, from their intervals (Zou and Donner 2008).

    It takes the two for independent. Where they share days, what they have in common makes their difference less
    uncertain than this, so the verdict errs on the side of `cannot be told`.
    """
    return Estimate(a.centre - b.centre, np.hypot(a.below, b.above), np.hypot(a.above, b.below), min(a.n, b.n),
                    label=label)
