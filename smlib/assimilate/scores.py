"""Scores of analyses, pooled over days and cells: over all valid cells, and over those not observed that day."""

import numpy as np
import pandas as pd
import xarray as xr

from smlib.evaluate.metrics import METRICS

POOLED = ("RMSE", "MAE", "bias", "r", "R2")


def scores(analysis, truth, valid, observe=None, metrics=POOLED):
    """Tidy table ``member, cells, metric, value, n``; `cells` is ``all`` or ``unobserved``.

    Parameters
    ----------
    analysis : (day, member, y, x), from `nudging.roll_out`
    truth : (day, y, x); where it is NaN nothing is scored
    observe : day -> (y, observed), the observations of that day alone; without it only ``all`` is scored
    """
    if analysis.shape[2:] != valid.shape or truth.shape != (len(analysis), *valid.shape):
        raise ValueError(f"analysis {analysis.shape}, truth {truth.shape} and valid {valid.shape} do not fit together")
    counted = {"all": np.broadcast_to(valid, analysis.shape)}
    if observe is not None:
        seen = np.stack([np.broadcast_to(observe(day)[1], analysis.shape[1:]) for day in range(len(analysis))])
        counted["unobserved"] = valid & ~seen.astype(bool)
    return pd.DataFrame([row for cells, where in counted.items() for member in range(analysis.shape[1])
                         for row in _rows(analysis[:, member], truth, where[:, member], member, cells, metrics)])


def _rows(analysis, truth, where, member, cells, metrics):
    where = where & np.isfinite(truth)
    f, o = (xr.DataArray(v[where].astype(float), dims="pair") for v in (analysis, truth))
    for name in metrics:
        value = float(METRICS[name](f, o, "pair")) if where.any() else np.nan
        yield {"member": member, "cells": cells, "metric": name, "value": value, "n": int(where.sum())}
