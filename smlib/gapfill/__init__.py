"""Gaps in daily soil moisture: methods to fill them, with an honest spread, and their scores on withheld days."""

from functools import partial

from smlib.gapfill.baselines import ClimatologyPersistence, Filler, Linear, Spline
from smlib.gapfill.cells import BLOCKS, Forcing, cells_of
from smlib.gapfill.continuous import ContinuousRecurrent, load
from smlib.gapfill.cube import fill, fill_causal, fit_cells
from smlib.gapfill.learned import Boosting
from smlib.gapfill.optimal import OptimalInterpolation
from smlib.gapfill.scoring import fitted, score, table

# name -> builder of a method with fit(series, forcing, seed) and fill(series, forcing)
METHODS = {
    "linear": Linear,
    "climatology + persistence": ClimatologyPersistence,
    "spline": Spline,
    "OI": OptimalInterpolation,
    "OI filter": partial(OptimalInterpolation, smooth=False),
    "boosting": Boosting,
    "CRU filter": partial(ContinuousRecurrent, smooth=False),
    "CRU": ContinuousRecurrent,
}


def build(names, trained=None):
    """``{name: method}``, not fitted; `trained` are the settings of those that are CRUs. ValueError if unknown."""
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ValueError(f"no method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    return {name: METHODS[name](**(trained or {} if name.startswith("CRU") else {})) for name in names}


__all__ = ["BLOCKS", "METHODS", "Boosting", "ClimatologyPersistence", "ContinuousRecurrent", "Filler", "Forcing",
           "Linear", "OptimalInterpolation", "Spline", "build", "cells_of", "fill", "fill_causal", "fit_cells",
           "fitted", "load", "score", "table"]
