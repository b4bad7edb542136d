"""Shapley values of any function of a window: exact for groups of inputs, sampled or of trees for single inputs.

All are interventional: an input outside the coalition takes the value that it has in a background row, and what is
explained is f(x) minus the mean of f over the background (Lundberg and Lee 2017; Janzing et al. 2020). ``f`` takes rows
(k, lookback, feature) to (k,). It may also give (member, k), so that many networks are explained in one go; if the
members have rows of their own, x is (member, n, lookback, feature), background (member, b, lookback, feature), and f
gets (member, k, lookback, feature). With members a list of explanations is returned, one a member.
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

from smlib.explain.rows import call, checked, evaluate, explanations, input_names, load_shap

ROWS = 8192  # rows in one call of f: enough for a network to be busy, few enough for a processor's cache
MAX_GROUPS = 12


def exact_grouped(f, x, background, names, rows=ROWS):
    """Exact Shapley values of the features, each over all days of the window one player.

    All 2^F coalitions are evaluated, F at most 12: 2^F * b rows for each explained row (Shapley 1953).

    Parameters
    ----------
    f : callable
        See the module's first lines.
    x : (n, lookback, feature)
        Rows to explain.
    background : (b, lookback, feature)
        Rows that stand for "not known", training days as a rule.
    names : sequence of F names
    rows : int
        About how many rows one call of f gets (at least b).

    Returns
    -------
    shap.Explanation
        values (n, F), in the units of f; base_values (n,), the mean of f over the background; data (n, F), the mean of
        each feature over the window. Their sum is f(x) up to the rounding of f. A list of them if f has members.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or f gives other shapes or something that is not finite.
    """
    x, background = checked(x, background, names)
    groups = len(names)
    if groups > MAX_GROUPS:
        raise ValueError(f"{groups} features are 2^{groups} coalitions; at most {MAX_GROUPS} are done exactly")
    inside = (np.arange(2**groups)[:, None] >> np.arange(groups) & 1).astype(bool)  # (coalition, feature)
    size = inside.sum(axis=1)
    # |S|! (F - |S| - 1)! / F! is 1 / (F C(F - 1, |S|)): with + where S holds the player, - where it does not.
    choose = np.array([math.comb(groups - 1, s) for s in range(groups)])
    weights = np.where(inside, 1 / choose[size[:, None] - 1],
                       -1 / choose[np.minimum(size, groups - 1)][:, None]) / groups
    found = []
    for i in range(x.shape[-3]):
        y = evaluate(f, inside[:, None, None, :], x[..., i, :, :], background[..., None, :, :, :], rows)
        found.append(y.mean(axis=-1))  # (..., coalition)
    game = np.stack(found, axis=-2)  # (..., n, coalition)
    return explanations(game @ weights, game[..., 0], x.mean(axis=-2), list(names))


def sampled(f, x, background, names, pairs=4, seed=0, rows=ROWS):
    """Shapley values of all lookback * feature inputs, from antithetic pairs of random orders.

    For every explained row and every background row, `pairs` random orders and their reverses: the inputs are switched
    from the background row to the explained one in that order, and an input is given what f changed by (Castro et al.
    2009; pairs: Mitchell et al. 2022). f is evaluated n * b * pairs * 2 * (lookback * feature - 1) times.

    The standard error is that of the values as estimates of the exact Shapley values over this very background: the
    background rows are strata, so only the spread between the pairs of one row counts, not that between rows (which is
    why two pairs are the least). It says nothing on what another background would give. It is widened by Student's t,
    so that two of it hold 95 % of errors with few pairs too. In simulations (perceptrons, LSTMs and products of 6 or 10
    inputs; 2 to 8 pairs) 95 to 97 % of values lay within two of it of brute force with 50 background rows, and 93 to
    98 % with 10 or 20, where a few rows can hold most of the spread.

    Parameters
    ----------
    f, x, background, names, rows : see `exact_grouped`
    pairs : int
        Pairs of orders a background row, at least 2. The error falls with its square root.
    seed : int
        The orders differ from row to row; members share them.

    Returns
    -------
    shap.Explanation
        values, data (n, lookback * feature), named by `input_names`; base_values (n,); error_std
        (n, lookback * feature), the standard errors (shap's own PermutationExplainer puts the spread of single orders
        there; no plot of shap's reads it). A list of them if f has members.

    Raises
    ------
    ValueError
        As `exact_grouped`, or if `pairs` is below 2.
    """
    x, background = checked(x, background, names)
    if pairs < 2:
        raise ValueError(f"pairs must be at least 2, not {pairs}: one pair a background row has no standard error")
    rng = np.random.default_rng(seed)
    n, (b, lookback, features) = x.shape[-3], background.shape[-3:]
    players = lookback * features
    steps = np.arange(1, players)[:, None]
    top, bottom = call(f, x), call(f, background)  # (..., n), (..., b): where all walks end and start
    values, errors = [], []
    for i in range(n):
        rank = rng.permuted(np.broadcast_to(np.arange(players), (b, pairs, players)), axis=-1)
        rank = np.stack([rank, players - 1 - rank], axis=2)  # (b, pair, 2, player): when a player joins
        inside = (rank[..., None, :] < steps).reshape(b, -1, lookback, features)
        y = evaluate(f, inside, x[..., i, :, :], background[..., :, None, :, :], rows)
        walk = y.reshape(*y.shape[:-1], pairs, 2, players - 1)  # (..., b, pair, 2, step)
        ends = (*walk.shape[:-1], 1)
        walk = np.concatenate([np.broadcast_to(bottom[..., None, None, None], ends), walk,
                               np.broadcast_to(top[..., i, None, None, None, None], ends)], axis=-1)
        change = np.diff(walk, axis=-1)  # (..., b, pair, 2, step)
        one = np.take_along_axis(change, np.broadcast_to(rank, change.shape), axis=-1).mean(axis=-2)
        values.append(one.mean(axis=(-3, -2)))
        errors.append(_half_interval(one) / 2)
    data = x.reshape(*x.shape[:-2], players)
    base = np.broadcast_to(bottom.mean(axis=-1)[..., None], top.shape)
    return explanations(np.stack(values, axis=-2), base, data, input_names(names, lookback), np.stack(errors, axis=-2))


def _half_interval(one):
    """Half width of the 95.45 % interval of the mean of `one` (..., stratum, draw, player) -> (..., player).

    Twice the standard error, widened by Student's t with Satterthwaite's degrees of freedom: without it, two pairs a
    background row covered 83 to 95 % in simulations.
    """
    strata, draws = one.shape[-3:-1]
    spread = one.var(axis=-2, ddof=1)  # (..., stratum, player)
    total = spread.sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (draws - 1) * total**2 / (spread**2).sum(axis=-2)
    quantile = stats.t.ppf(stats.norm.cdf(2), np.where(total > 0, freedom, np.inf))
    return quantile * np.sqrt(total / draws) / strata


def tree(forest, x, background, names, scale=1.0, carry=0.0, offset=0.0):
    """Exact Shapley values of all inputs of a tree ensemble: shap's TreeExplainer, interventional.

    What is explained is ``offset + scale * forest(x) + carry * (last lagged moisture in x)``. Shapley values are linear
    in the function, so units and increments need no approximation: a forest on moisture scaled to (m - low) / range
    is explained in m3 m-3 by ``scale=range, offset=low``; one on the day's change of that, scaled to (change - c) / d,
    by ``scale=range * d, carry=range, offset=low + range * c``.

    Parameters
    ----------
    forest : fitted tree ensemble that shap reads, on flattened windows
        RandomForestRegressor, HistGradientBoostingRegressor, ...
    x, background : (n, lookback, feature), (b, lookback, feature)
        All background rows are used (shap by itself would draw 100 of them).
    names : sequence of F names

    Returns
    -------
    shap.Explanation
        values, data (n, lookback * feature), base_values (n,). shap works in float32 here: see `additivity_gap`.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    shap = load_shap()

    x, background = checked(x, background, names)
    if x.ndim != 3:
        raise ValueError("a forest has no members: x must be (n, lookback, feature)")
    # shap's interventional algorithm keeps thresholds in float32 (struct Node of tree_shap.h, shap 0.51), so rows must
    # be float32 too: the thresholds of histogram boosting are values of the data, and half of those would change sides.
    # Its expected_value and its check compare with float64 ones; the base here is the forest's own mean.
    flat, behind = (a.reshape(len(a), -1) for a in (x, background))
    rounded, rounded_behind = (a.astype(np.float32).astype(np.float64) for a in (flat, behind))
    masker = shap.maskers.Independent(rounded_behind, max_samples=len(behind))
    explainer = shap.TreeExplainer(forest, masker, feature_perturbation="interventional")
    values = scale * explainer.shap_values(rounded, check_additivity=False)
    last = behind[:, -1].mean()
    values[:, -1] += carry * (flat[:, -1] - last)
    base = np.full(len(x), offset + scale * forest.predict(behind).mean() + carry * last)
    return explanations(values, base, flat, input_names(names, x.shape[1]))


def additivity_gap(explanation, f, x):
    """How far base + sum of values is from f(x) at worst: in the units of f, and over the standard deviation of f(x).

    Parameters
    ----------
    explanation : shap.Explanation, or the list of them if f has members
    f, x : as they were explained

    Returns
    -------
    gap, relative gap : float
        Arrays (member,) where f has members.
    """
    y = call(f, np.asarray(x))
    several = isinstance(explanation, list)
    one = explanation if several else [explanation]
    total = np.stack([e.base_values + e.values.sum(axis=-1) for e in one])
    gap = np.abs((total if several else total[0]) - y).max(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return gap, gap / y.std(axis=-1)


def importance(explanation, names):
    """Mean absolute Shapley value of every input or group, as a tidy table.

    Returns
    -------
    DataFrame
        feature, day (0 is the row of the target day, -1 the one before; missing for groups), mean_abs, sampling_error
        (root mean square standard error of one value, 0 for exact ones), n (rows explained). Noise of the size s adds
        up to 0.8 s to the mean absolute of a value that is 0: read no more into a sampled one.
    """
    n, players = explanation.values.shape
    lookback, rest = divmod(players, len(names))
    if rest or not lookback:
        raise ValueError(f"{players} values a row are no multiple of {len(names)} features")
    error = np.zeros((n, players)) if explanation.error_std is None else explanation.error_std
    days = np.repeat(np.arange(1 - lookback, 1.0), len(names)) if lookback > 1 else np.nan
    return pd.DataFrame({"feature": list(names) * lookback, "day": days,
                         "mean_abs": np.abs(explanation.values).mean(axis=0),
                         "sampling_error": np.sqrt((error**2).mean(axis=0)), "n": n})


def values_table(explanation):
    """Every single value as a row: sample, input, value, sampling_error (0 for exact ones), data."""
    n, players = explanation.values.shape
    error = np.zeros((n, players)) if explanation.error_std is None else explanation.error_std
    return pd.DataFrame({"sample": np.repeat(np.arange(n), players), "input": list(explanation.feature_names) * n,
                         "value": explanation.values.ravel(), "sampling_error": error.ravel(),
                         "data": np.ravel(explanation.data)})
