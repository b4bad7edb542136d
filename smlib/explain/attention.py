"""Do attention weights (Wang et al. 2024, Fig. 12) say what the Shapley values of the same network say?"""

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, spearmanr

from smlib.explain.rows import day_name


def attention_shares(weights, names):
    """Mean attention weight of each feature and of each day over samples.

    Parameters
    ----------
    weights : mapping
        From ``network.attention(x)``: "feature" (n, lookback, feature) and/or "time" (n, lookback), each summing to 1
        over its last axis.

    Returns
    -------
    DataFrame
        axis ("feature" or "day"), item (a name; or the day of the row: "t" the target day, "t-1" the one before),
        share, summing to 1 over an axis. A weight on a day is on the hidden state of that day, which holds what came
        before as well, and not on the inputs of that day alone.

    Raises
    ------
    ValueError
        If there are no weights, their shapes are others, or they do not sum to 1.
    """
    tables = []
    for kind, axis, ndim in (("feature", "feature", 3), ("time", "day", 2)):
        if kind not in weights:
            continue
        w = np.asarray(weights[kind], float)
        if w.ndim != ndim or (kind == "feature" and w.shape[-1] != len(names)):
            raise ValueError(f"{kind} weights {w.shape} do not fit {len(names)} features")
        if not np.allclose(w.sum(axis=-1), 1, atol=1e-4):
            raise ValueError(f"{kind} weights do not sum to 1")
        share = w.reshape(-1, w.shape[-1]).mean(axis=0)
        tables.append(_shares(axis, names if axis == "feature" else _days(len(share)), share))
    if not tables:
        raise ValueError(f"neither feature nor time weights: {list(weights)}")
    return pd.concat(tables, ignore_index=True)


def shapley_shares(explanation, names):
    """Share of each feature, and of each day if the days were told apart, in the mean absolute Shapley value.

    Parameters
    ----------
    explanation : shap.Explanation
        values (n, feature), or (n, lookback * feature): then absolute values are summed over days, or over features.

    Returns
    -------
    DataFrame, as `attention_shares`

    Raises
    ------
    ValueError
        If all Shapley values are 0.
    """
    size = np.abs(explanation.values).mean(axis=0).reshape(-1, len(names))  # (day, feature)
    if not size.any():
        raise ValueError("all Shapley values are 0")
    size = size / size.sum()
    tables = [_shares("feature", names, size.sum(axis=0))]
    if len(size) > 1:
        tables.append(_shares("day", _days(len(size)), size.sum(axis=1)))
    return pd.concat(tables, ignore_index=True)


def _shares(axis, items, share):
    return pd.DataFrame({"axis": axis, "item": list(items), "share": share})


def _days(lookback):
    return [day_name(back) for back in range(lookback - 1, -1, -1)]


def agreement(attention, shapley):
    """Spearman's rank correlation of the shares of one network.

    Parameters
    ----------
    attention, shapley : DataFrame
        From `attention_shares` and `shapley_shares`; axes that only one of them has are left out.

    Returns
    -------
    DataFrame
        axis, rho (NaN where all shares of one are the same), items, contrast. One network's rho says little: of 8
        features in random order, one in 20 gives 0.64 or more, of 4 days one in 24 gives 1 (`mean_agreement` for many
        networks). `contrast` is the largest over the smallest attention share: ranks of shares that are all but equal
        mean nothing, whatever rho.

    Raises
    ------
    ValueError
        If attention and Shapley values have no axis in common.
    """
    both = attention.merge(shapley, on=["axis", "item"], suffixes=("_attention", "_shapley"))
    rows = []
    for axis, group in both.groupby("axis", sort=False):
        a, s = group["share_attention"], group["share_shapley"]
        rho = spearmanr(a, s).statistic if np.ptp(a) and np.ptp(s) else np.nan
        rows.append({"axis": axis, "rho": float(rho), "items": len(group),
                     "contrast": float(a.max() / a.min()) if a.min() > 0 else np.inf})
    if not rows:
        raise ValueError("attention and Shapley values have no axis in common")
    return pd.DataFrame(rows)


def mean_agreement(agreements, draws=1000, seed=0):
    """Mean rank correlation by model over sites, with a 95 % interval from drawing sites.

    Levels and repetitions of one site share its weather and are averaged first; the sites are what is independent. An
    interval that holds 0 shows no agreement.

    Parameters
    ----------
    agreements : DataFrame
        Rows of `agreement` with the columns model, site added.
    draws, seed : int
        Draws of sites behind an interval, and their seed.

    Returns
    -------
    DataFrame
        Columns model, axis, rho, low, high (NaN for a single site), n (sites), contrast (median)
    """
    rows = []
    for (model, axis), group in agreements.groupby(["model", "axis"], sort=False):
        values = group.groupby("site", sort=False)["rho"].mean().dropna().to_numpy()
        low = high = np.nan
        if len(values) > 1:
            low, high = bootstrap((values,), np.mean, n_resamples=draws, method="percentile",
                                  rng=np.random.default_rng(seed)).confidence_interval
        rows.append({"model": model, "axis": axis, "rho": values.mean() if len(values) else np.nan, "low": low,
                     "high": high, "n": len(values), "contrast": group["contrast"].median()})
    return pd.DataFrame(rows)
