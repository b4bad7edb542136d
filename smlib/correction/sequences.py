"""From daily series to the sequences that MLSTM is trained on, and back to daily series.

A sequence has a lead-in, a third of its length, whose days are seen but not asked for: there the network's memory
fills. Sequences follow each other so that every day is asked for once; of the first only, the lead-in is asked for too.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from smlib.correction.data import AUXILIARIES
from smlib.data.windows import Windows

LETTERS = "".join(AUXILIARIES)  # in the order of their columns
LONGEST_GAP = 8  # days that an auxiliary is interpolated over, the days between two composites
STALE_DAYS = 10.0  # the age of the last observation, in these, up to 1
VALIDATION = 5  # every so-many-th sequence is for choosing the epoch
RANGE = (0.1, 0.9)  # of the scaled training moisture: within what a sigmoid reaches


@dataclass(frozen=True)
class Cut:
    """How days are cut into sequences of `length`, asked for from `lead` on."""

    days: int
    length: int

    @property
    def lead(self):
        """Days of a lead-in."""
        return self.length // 3

    @property
    def starts(self):
        """(sequence,) first day of each; the last may begin before the one ahead of it has ended."""
        if self.days < self.length:
            raise ValueError(f"{self.days} days are too few for sequences of {self.length}")
        regular = np.arange(0, self.days - self.length + 1, self.length - self.lead)
        last = self.days - self.length
        return regular if regular[-1] == last else np.append(regular, last)

    @property
    def asked(self):
        """(sequence, length) bool: every day is asked for in one sequence."""
        days = self.starts[:, None] + np.arange(self.length)
        done = np.concatenate([[0], self.starts[:-1] + self.length])  # up to where those before have come
        return days >= done[:, None]

    def take(self, series):
        """(series, day, ...) -> (series, sequence, length, ...)."""
        return series[:, self.starts[:, None] + np.arange(self.length)]

    def join(self, parts):
        """(..., sequence, length) -> (..., day), each day from the sequence that is asked for it."""
        out = np.full((*parts.shape[:-2], self.days), np.nan, parts.dtype)
        for k, (start, asked) in enumerate(zip(self.starts, self.asked, strict=True)):
            out[..., start + np.flatnonzero(asked)] = parts[..., k, asked]
        return out


class Inputs:
    """What a network sees, scaled: fitted on training days and cells alone.

    Auxiliaries are standardised, precipitation P as log(1 + P / (1 mm d-1)); gaps of up to 8 days are interpolated, and
    the training mean stands for the rest. A product gives two columns: its last value, standardised, and the days
    since.
    """

    def __init__(self, auxiliaries=(), product=False):
        unknown = set(auxiliaries) - set(LETTERS)
        if unknown:
            raise ValueError(f"no auxiliary {', '.join(sorted(unknown))}; there are {', '.join(LETTERS)}")
        self.auxiliaries, self.product = tuple(auxiliaries), product

    def fit(self, values, auxiliaries, training):
        """Learn means and spreads from the days in `training` (cell, day); returns self."""
        columns = _columns(self.auxiliaries, auxiliaries)
        self.mean_, self.spread_ = _moments(columns[training])
        if self.product:
            self.product_mean_, self.product_spread_ = (float(m[0]) for m in _moments(values[training][:, None]))
        return self

    def transform(self, values, auxiliaries):
        """values (cell, day), auxiliaries (cell, day, 4) -> (cell, day, feature) float32 without gaps."""
        columns = (_columns(self.auxiliaries, auxiliaries) - self.mean_) / self.spread_
        found = [np.nan_to_num(_interpolated(columns))]
        if self.product:
            seen = pd.DataFrame(((values - self.product_mean_) / self.product_spread_).T)
            day = pd.DataFrame(np.where(seen.notna(), np.arange(len(seen))[:, None], np.nan)).ffill()
            age = np.minimum((np.arange(len(seen))[:, None] - day) / STALE_DAYS, 1).fillna(1)
            found.append(np.stack([seen.ffill().fillna(0).to_numpy().T, age.to_numpy().T], -1))
        return np.concatenate(found, -1).astype(np.float32)


class Range:
    """Moisture scaled so that what is seen in training spans `RANGE`."""

    def fit(self, moisture):
        """Learn the range of an array with gaps; returns self. ValueError if there are only gaps."""
        if not np.isfinite(moisture).any():
            raise ValueError("there is no in-situ moisture to learn from: a fold or a year holds all there is")
        self.low_, self.high_ = float(np.nanmin(moisture)), float(np.nanmax(moisture))
        return self

    def transform(self, moisture):
        """m3 m-3 -> scaled."""
        return RANGE[0] + (RANGE[1] - RANGE[0]) * (moisture - self.low_) / (self.high_ - self.low_)

    def inverse(self, scaled):
        """Scaled -> m3 m-3."""
        return self.low_ + (self.high_ - self.low_) * (scaled - RANGE[0]) / (RANGE[1] - RANGE[0])


def training_and_validation(cut, inputs, targets, time):
    """`Windows` of sequences with some target: (training, validation).

    Parameters
    ----------
    cut : Cut
    inputs : (cell, day, feature)
    targets : (cell, day, target), NaN where there is nothing to learn; the first two columns (or the only one) decide
        whether a day counts
    time : (day,)

    Notes
    -----
    Every fifth sequence is for choosing the epoch, counted cell by cell; days are asked for once, so no day of a cell
    is in both. A cell may be in training on a day on which a neighbour is in validation.
    """
    x, y = cut.take(inputs), cut.take(targets)
    y[..., :2] = np.where(cut.asked[None, :, :, None], y[..., :2], np.nan)  # the others are settings, not data
    useful = np.isfinite(y[..., :2]).any((2, 3))
    order = np.cumsum(useful).reshape(useful.shape)  # from 1, cell by cell
    judged = order % VALIDATION == VALIDATION // 2 + 1
    first = np.broadcast_to(time[cut.starts], useful.shape)
    return tuple(Windows(x[part], y[part].astype(np.float32), first[part]) for part in (useful & ~judged,
                                                                                      useful & judged))


def _columns(chosen, auxiliaries):
    """The columns of a combination, in its order of letters, precipitation as a logarithm."""
    found = [np.log1p(np.maximum(auxiliaries[..., LETTERS.index(c)], 0)) if c == "P"
             else auxiliaries[..., LETTERS.index(c)] for c in chosen]
    return np.stack(found, -1).astype(float) if found else np.empty((*auxiliaries.shape[:2], 0))


def _moments(rows):
    mean, spread = np.nanmean(rows, 0), np.nanstd(rows, 0)
    return mean, np.where(spread > 0, spread, 1.0)


def _interpolated(columns):
    """(cell, day, column) with gaps of up to LONGEST_GAP days filled linearly, longer ones left alone whole."""
    if not np.isnan(columns).any():
        return columns
    out = columns.copy()
    for k in range(columns.shape[-1]):
        frame = pd.DataFrame(columns[..., k].T)
        gone = frame.isna()
        length = gone.apply(lambda g: g.groupby((~g).cumsum()).transform("sum"))
        filled = frame.interpolate(limit_area="inside")
        out[..., k] = filled.where(~gone | (length <= LONGEST_GAP)).to_numpy().T
    return out
