"""Cross-validation by station and by year at once, and the four readings of its members.

Stations are dealt into folds by groups (those that share a cell of any product's grid go together), days into years. A
member is trained without one fold of stations and without one year. Its output is read thrice: at the stations and in
the year that it has not seen (``strict``), at unseen stations in years it has seen (``station``), and at seen stations
in the unseen year (``year``). ``paper`` is one member that has seen everything, scored on what it was trained on.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

PROTOCOLS = ("paper", "year", "station", "strict")
MEANING = {"paper": "all stations, all years, scored in-sample", "year": "seen stations, unseen year",
           "station": "unseen stations, seen years", "strict": "unseen stations, unseen year"}
EMBARGO_DAYS = 30  # of training that border on the unseen year are left out: errors of neighbouring days are alike


@dataclass(frozen=True)
class Fold:
    """A member's part in the cross-validation: the numbers of the stations' fold and of the year left out.

    (-1, -1) is the member that leaves out nothing.
    """

    stations: int
    year: int

    @property
    def everything(self):
        """Whether nothing is left out."""
        return self.stations < 0


@dataclass(frozen=True)
class Folds:
    """How a network's groups and days are dealt out.

    Attributes
    ----------
    of_group : dict of group -> fold
    count : number of folds of stations
    years : (day,) number of the year (or part of the record) of each day
    labels : what each year is called
    """

    of_group: dict
    count: int
    years: np.ndarray
    labels: tuple

    @property
    def members(self):
        """Every `Fold`: the one that sees everything first."""
        return [Fold(-1, -1), *(Fold(s, y) for s in range(self.count) for y in range(len(self.labels)))]

    def of(self, groups):
        """(cell,) fold of each group, -1 where there is no station."""
        return np.array([self.of_group.get(int(g), -1) for g in groups])

    def training(self, fold, groups):
        """(cell, day) bool: what a member may be trained on."""
        own = self.of(groups)
        if fold.everything:
            return np.repeat((own >= 0)[:, None], len(self.years), 1)
        held = np.flatnonzero(self.years == fold.year)
        days = np.ones(len(self.years), bool)
        days[max(held[0] - EMBARGO_DAYS, 0):held[-1] + 1 + EMBARGO_DAYS] = False
        return ((own >= 0) & (own != fold.stations))[:, None] & days[None]

    def reading(self, protocol, groups):
        """(cell, day) number of the member whose forecast is read under a protocol, -1 where there is no station."""
        own, parts = self.of(groups)[:, None], len(self.labels)
        if protocol not in PROTOCOLS:
            raise ValueError(f"no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
        stations, year = np.broadcast_arrays(own, self.years[None])
        if protocol == "paper":
            return np.where(stations >= 0, 0, -1)
        if protocol == "year":
            stations = np.where(stations >= 0, (stations + 1) % self.count, -1)
        if protocol == "station":
            year = (year + 1) % parts
        return np.where(stations >= 0, 1 + stations * parts + year, -1)

    def assemble(self, protocol, groups, forecasts):
        """(cell, day) of forecasts (member, cell, day) by all members, each read where the protocol says."""
        member = self.reading(protocol, groups)
        cells, days = np.indices(member.shape)
        return np.where(member >= 0, forecasts[member, cells, days], np.nan)


def deal(groups, time, count=3, seed=0):
    """`Folds` of stations and days.

    Parameters
    ----------
    groups : (site,) number of each station's group
    time : (day,) datetime64
    count : int
        Folds of stations. Groups are dealt at random, the larger ones first, each into the fold that has fewest
        stations so far.
    seed : int

    Returns
    -------
    Folds
        Years are calendar years; days of one of which there are fewer than 180 go with its neighbour, and a record of a
        single year is cut in halves.

    Raises
    ------
    ValueError
        If there are fewer groups than folds, or fewer than two folds.
    """
    sizes = pd.Series(groups).value_counts()
    if count < 2 or len(sizes) < count:
        raise ValueError(f"{len(sizes)} groups of stations cannot be dealt into {count} folds: from 2 to as many folds "
                         "as there are groups")
    order = np.random.default_rng(seed).permutation(np.sort(sizes.index.to_numpy()))
    order = sorted(order, key=lambda g: -sizes[g])
    held, of_group = np.zeros(count, int), {}
    for group in order:
        fold = int(held.argmin())
        of_group[int(group)] = fold
        held[fold] += sizes[group]
    years, labels = _years(np.asarray(time, "M8[D]"))
    return Folds(of_group, count, years, labels)


def _years(time):
    calendar = time.astype("M8[Y]").astype(int) + 1970
    days = pd.Series(calendar).value_counts().sort_index()
    whole = days.index[days >= 180].to_numpy()
    if len(whole) < 2:
        half = (np.arange(len(time)) >= len(time) // 2).astype(int)
        return half, ("first half", "second half")
    nearest = abs(calendar[:, None] - whole[None]).argmin(1)
    return nearest, tuple(str(y) for y in whole)
