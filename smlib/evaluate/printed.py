"""The papers' printed tables as text and as intervals: a number in print stands for all that round to it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from smlib.data.schema import DataError
from smlib.paths import DATA

PUBLISHED = DATA / "published"
CITED = {"wang2024": "Wang et al. (2024)", "fan2025": "Fan et al. (2025)", "rabiei2024": "Rabiei et al. (2024)",
         "rabiei2025": "Rabiei et al. (2025)", "xie2025": "Xie et al. (2025)"}  # in the order of the book's parts
STUDIES = tuple(CITED)


@dataclass(frozen=True)
class Interval:
    """What printed numbers can stand for: the least and the largest of each, arrays of one shape."""

    low: np.ndarray
    high: np.ndarray

    def __add__(self, other):
        other = exact(other)
        return Interval(self.low + other.low, self.high + other.high)

    def __neg__(self):
        return Interval(-self.high, -self.low)

    def __sub__(self, other):
        return self + -exact(other)

    def __abs__(self):
        least = np.where((self.low <= 0) & (self.high >= 0), 0.0, np.minimum(abs(self.low), abs(self.high)))
        return Interval(least, np.maximum(abs(self.low), abs(self.high)))

    def times(self, other):
        """The product."""
        ends = np.array([a * b for a in (self.low, self.high) for b in (other.low, other.high)])
        return Interval(ends.min(0), ends.max(0))

    def square(self):
        """Of each number; the square of what straddles 0 starts at 0."""
        size = abs(self)
        return Interval(size.low**2, size.high**2)

    def root(self):
        """The square root of numbers that are not negative."""
        return Interval(np.sqrt(self.low), np.sqrt(self.high))

    def over(self, other):
        """Divided by what is positive."""
        return Interval(np.minimum(self.low / other.low, self.low / other.high),
                        np.maximum(self.high / other.low, self.high / other.high))


def exact(value):
    """A number, or an array of numbers, without rounding; an `Interval` is given back."""
    return value if isinstance(value, Interval) else Interval(*[np.asarray(value, float)] * 2)


def interval(texts):
    """Printed numbers as what they can stand for: half a unit of the last digit to either side.

    texts : sequence of str; an empty one, and what is no number, is NaN
    """
    ends = [_ends(text) for text in texts]
    return Interval(*(np.array([end[k] for end in ends], float) for k in (0, 1)))


def _ends(text):
    try:
        value = Decimal(text)
    except ArithmeticError:
        return np.nan, np.nan
    half = Decimal(1).scaleb(value.as_tuple().exponent) / 2
    return float(value - half), float(value + half)


def names(folder=PUBLISHED):
    """The printed tables' names, such as ``xie2025_table4_grid_matching``, study by study in the book's order."""
    found = sorted(path.stem for path in Path(folder).glob("*.csv"))
    stray = [name for name in found if name.split("_")[0] not in STUDIES]
    if stray:
        raise DataError(f"tables of no study: {', '.join(stray)}; a name starts with one of {', '.join(STUDIES)}",
                        file=folder)
    return sorted(found, key=lambda name: STUDIES.index(name.split("_")[0]))


def table(name, folder=PUBLISHED):
    """A printed table as text, digit for digit, an empty cell as empty text: DataFrame of str."""
    path = Path(folder) / f"{name}.csv"
    if not path.exists():
        raise DataError(f"no such table; there are {', '.join(names(folder))}", file=path)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def cited(name):
    """What a table's name says, such as "Fan et al. (2025), Tables 4 to 5"; of an equation too."""
    found = re.match(r"([a-z]+\d+)_tables?(\w+?)_(?=[a-z])", name)
    if not found:
        paper, rest = name.split(" ", 1)
        return f"{CITED[paper]}, {rest}"
    paper, tables = found.groups()
    return f"{CITED[paper]}, Table{'s' if '_' in tables else ''} {tables.replace('_', ' to ')}"


def oddities(folder=PUBLISHED):
    """What the README beside the tables lists as odd: mapping of its first word in code marks -> its text."""
    lines = (Path(folder) / "README.md").read_text(encoding="utf-8").split("Known oddities in print", 1)[1].splitlines()
    points = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return {point.split("`")[1]: point for point in points}
