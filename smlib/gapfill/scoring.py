"""How well gaps are filled: on days that were seen and are withheld, of the test period alone."""

import time

import numpy as np
import pandas as pd
from scipy.stats import norm

from smlib.evaluate import COLUMNS
from smlib.gapfill.cells import BLOCKS, withhold

INTERVALS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)  # percent: the central intervals whose coverage is counted
SHOWN = (50, 80, 95)


def fitted(methods, series, forcing, train, seed=0):
    """Fit each of ``{name: Filler}`` to the days `train` (slice) alone; returns them and a frame model, seconds."""
    costs = []
    for name, method in methods.items():
        start = time.perf_counter()
        method.fit(series[:, train], forcing.sel(train), seed)
        costs.append((name, time.perf_counter() - start))
    return methods, pd.DataFrame(costs, columns=["model", "seconds"])


def masks(series, test, share=0.1, seed=0):
    """``{block: (cell, day of test) bool}``: what is withheld, the same for every method. `test` is a slice of days."""
    rng = np.random.default_rng(seed)
    return {block: withhold(series[:, test], block, share, rng) for block in BLOCKS}


def fills(method, series, forcing, test, hidden):
    """Mean and sd on the days of `test`, (cell, day): the withheld days are missing in all that the method is given."""
    return method.fill(np.where(hidden, np.nan, series[:, test]), forcing.sel(test))


def score(methods, series, forcing, test, share=0.1, seed=0, least=3, reference="linear", draws=1000):
    """Scores of fitted methods on withheld days of the test period.

    Parameters
    ----------
    methods : dict of Filler
        Fitted to other days than `test`.
    series, forcing : as for `Filler.fit`
        Of all days.
    test : slice of days
    share : float
        Share of the days that is withheld, one length of gap at a time.
    least : int
        Cells with fewer withheld observations than this are not scored.
    reference : str
        The method that the others are compared with; left out if it is not among them.
    draws : int
        Bootstrap draws of cells behind an interval, the same for all methods.

    Returns
    -------
    pandas.DataFrame
        Columns ``model, block_d, RMSE, low, high, pooled, bias, sd, cover_10 ... cover_95, factor, cells, n`` and
        ``less, less_low, less_high``. RMSE, bias and sd (root mean square of the stated one) are the median of cells,
        ``pooled`` the RMSE over all withheld values at once, m3 m-3; coverage is the share of all withheld values
        inside the central Gaussian interval; ``factor`` is what the stated sd were multiplied with; ``less`` is the
        reference's RMSE minus this one's. Low and high are 95 % intervals of the medians, from cells drawn anew: they
        speak of other cells, not of other years, and neighbouring cells are alike, so they are rather too narrow.

    Raises
    ------
    ValueError
        If no cell has enough withheld values in gaps of one of the lengths.
    """
    rows = []
    truth = series[:, test]
    for block, hidden in masks(series, test, share, seed).items():
        scored = hidden & (hidden.sum(1) >= least)[:, None]
        cells = scored.any(1)
        if not cells.any():
            raise ValueError(f"no cell has {least} withheld values in gaps of {block} days: raise `share`")
        filled = {name: fills(method, series, forcing, test, hidden) for name, method in methods.items()}
        errors = {name: np.where(scored, mean - truth, np.nan)[cells] for name, (mean, _) in filled.items()}
        rmse = {name: np.sqrt(np.nanmean(error**2, 1)) for name, error in errors.items()}
        drawn = np.random.default_rng(seed).integers(0, cells.sum(), (draws, cells.sum()))
        medians = {name: np.median(of[drawn], 1) for name, of in rmse.items()}
        for name, (mean, sd) in filled.items():
            z = np.abs((mean - truth)[scored] / sd[scored])
            low, high = np.percentile(medians[name], [2.5, 97.5])
            row = {"model": name, "block_d": block, "RMSE": np.median(rmse[name]), "low": low, "high": high,
                   "pooled": np.sqrt(np.nanmean(errors[name] ** 2)), "bias": np.median(np.nanmean(errors[name], 1)),
                   "sd": np.median(np.sqrt(np.nanmean(np.where(scored, sd, np.nan)[cells] ** 2, 1)))}
            row |= {f"cover_{p}": np.mean(z < norm.ppf(0.5 + p / 200)) for p in INTERVALS}
            row |= {"factor": methods[name].factor_, "cells": int(cells.sum()), "n": int(scored.sum())}
            if reference in rmse:
                row["less"] = np.median(rmse[reference]) - row["RMSE"]
                row["less_low"], row["less_high"] = np.percentile(medians[reference] - medians[name], [2.5, 97.5])
            rows.append(row)
    return pd.DataFrame(rows)


def gap_name(block):
    """What a page calls gaps of so many days."""
    return "random days" if block == 1 else f"{block} days"


def table(scores, value="RMSE"):
    """`value` of `score` as a page shows it: a row a method, a column a length of gap."""
    wide = scores.pivot(index="model", columns="block_d", values=value).loc[scores["model"].unique()]
    return wide.rename(columns={block: gap_name(block) for block in wide.columns}).rename_axis(index=None, columns=None)


def with_intervals(scores, value="RMSE", low="low", high="high"):
    """As `table`, with text ``value [low, high]``."""
    text = [f"{v:.4f} [{a:.4f}, {b:.4f}]".replace("-", "−") for v, a, b in scores[[value, low, high]].to_numpy()]
    return table(scores.assign(text=text), "text")


def calibration(scores):
    """Coverage of the shown intervals, over all lengths of gap: a row a method, shares of all withheld values."""
    names = [f"cover_{p}" for p in SHOWN]
    weighted = scores[names].mul(scores["n"], axis=0).groupby(scores["model"], sort=False).sum()
    found = weighted.div(scores.groupby("model", sort=False)["n"].sum(), axis=0)
    return found.set_axis([f"{p} %" for p in SHOWN], axis=1).rename_axis(index=None)


def skill(scores, source):
    """The scores of one set as rows of the book's skill table (`smlib.evaluate.COLUMNS`)."""
    named = scores.rename(columns={"pooled": "RMSE, pooled"} | {f"cover_{p}": f"coverage {p} %" for p in SHOWN})
    metrics = ["RMSE", "RMSE, pooled", "bias", *(f"coverage {p} %" for p in SHOWN)]
    rows = named.melt(["model", "block_d", "low", "high", "n"], metrics, "metric")
    rows[["low", "high"]] = rows[["low", "high"]].where(rows["metric"] == "RMSE")
    rows["variant"] = [f"gaps: {gap_name(block)}" for block in rows["block_d"]]
    return rows.assign(study="fusion", source=source, protocol="strict", site="all", depth_m=np.nan,
                       lead_d=np.nan)[list(COLUMNS)]


def example(methods, series, forcing, test, names=("linear", "OI", "CRU"), block=20, share=0.1, seed=0, days=130):
    """One cell with a withheld block, filled by some methods: the cell whose linear RMSE is the median of all.

    Returns
    -------
    table : DataFrame ``model, time, mean, sd``
    observed : DataFrame ``time, value, withheld``, about the block that withholds most
    """
    hidden = masks(series, test, share, seed)[block]
    mean, _ = fills(methods[names[0]], series, forcing, test, hidden)
    error = np.where(hidden, mean - series[:, test], np.nan)
    enough = np.flatnonzero(hidden.sum(1) >= max(3, np.median(hidden.sum(1))))
    rmse = np.sqrt(np.nanmean(error[enough] ** 2, 1))
    cell = enough[np.argsort(rmse)[len(rmse) // 2]]
    middle = int(np.argmax(np.convolve(hidden[cell], np.ones(block), "same")))
    start = int(np.clip(middle - days // 2, 0, max(hidden.shape[1] - days, 0)))
    span = slice(start, start + days)
    time = forcing.time[test][span]
    filled = {name: fills(methods[name], series, forcing, test, hidden) for name in names}
    rows = [pd.DataFrame({"model": name, "time": time, "mean": m[cell, span], "sd": s[cell, span]})
            for name, (m, s) in filled.items()]
    return pd.concat(rows), pd.DataFrame({"time": time, "value": series[cell, test][span],
                                          "withheld": hidden[cell, span]})
