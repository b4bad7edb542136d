"""t-SNE of inputs and hidden states (Wang et al. 2024, Fig. 15), and one number for how ordered by moisture it is."""

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

NEIGHBOURS, APART = 10, 30


def tsne(rows, seed=0, perplexity=30.0):
    """Rows (n, ...) embedded in the plane (n, 2) by scikit-learn's t-SNE, started from their principal components.

    On one thread: with more, the last bits depend on their number, and t-SNE makes much of last bits. The plane has no
    units, and its axes no meaning.

    Parameters
    ----------
    rows : (n, ...) array
    seed : int
    perplexity : float
        About how many neighbours count for a row.

    Raises
    ------
    ValueError
        If rows are not finite or do not vary, or the perplexity is not below their number.
    """
    rows = np.asarray(rows, float).reshape(len(rows), -1)
    if rows.shape[1] < 2 or not np.ptp(rows, axis=0).any():
        raise ValueError("rows must have at least two columns, and must vary")
    with threadpool_limits(1):
        return TSNE(n_components=2, init="pca", learning_rate="auto", perplexity=perplexity, random_state=seed,
                    n_jobs=1).fit_transform(rows)


def orderliness(embedding, moisture, time, neighbours=NEIGHBOURS, apart=APART):
    """R2 with which a day's soil moisture is that of its neighbours in an embedding: 1 is perfectly ordered.

    Each day is estimated by the mean moisture of its `neighbours` nearest days (k-nearest neighbours, each day left out
    in turn). The days around it lie next to it in any embedding and have about its moisture, which says nothing on
    order: only days at least `apart` days away may be neighbours. Folds of contiguous days would leave the days on both
    sides of every cut, and ask for seasons that the other folds lack.

    Parameters
    ----------
    embedding : (n, d)
        A t-SNE, or any other description of the days: the last lagged moisture alone (n, 1) is the baseline that tells
        what an embedding is worth.
    moisture : (n,)
    time : (n,) datetime64, every day once

    Returns
    -------
    dict
        r2; r2_near, the same if all other days may be neighbours, for comparison (what memory alone adds).

    Raises
    ------
    ValueError
        If shapes do not fit, a day comes twice, or some day has too few days that far away.
    """
    embedding, moisture = np.asarray(embedding, float), np.asarray(moisture, float)
    day = np.asarray(time).astype("datetime64[D]").astype(int)
    if embedding.ndim != 2 or moisture.shape != (len(embedding),) or day.shape != moisture.shape:
        raise ValueError(f"embedding (n, d), moisture (n,) and time (n,) do not fit: {embedding.shape}, "
                         f"{moisture.shape}, {day.shape}")
    if len(np.unique(day)) < len(day):
        raise ValueError("a day comes twice")
    distance, gap = cdist(embedding, embedding), np.abs(day[:, None] - day)
    return {name: _r2(np.where(gap >= least, distance, np.inf), moisture, neighbours)
            for name, least in (("r2", apart), ("r2_near", 1))}


def _r2(distance, moisture, neighbours):
    """R2 of the mean moisture of the nearest `neighbours`; days at an infinite distance are none."""
    allowed = np.isfinite(distance).sum(axis=1).min()
    if allowed < neighbours:
        raise ValueError(f"a day has {allowed} days that may be its neighbours; {neighbours} are needed")
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    spread = ((moisture - moisture.mean()) ** 2).sum()
    return float(1 - ((moisture - moisture[nearest].mean(axis=1)) ** 2).sum() / spread) if spread else np.nan


def embeddings(rows, moisture, time, lagged, seed=0, perplexity=30.0, neighbours=NEIGHBOURS, apart=APART):
    """t-SNE and orderliness of several descriptions of the same days.

    Parameters
    ----------
    rows : mapping of name -> (n, ...)
        "inputs": the windows; model names: their last hidden states (n, d). Of test days, which no model was fitted to.
    moisture : (n,)
        Observed on the target day, m3 m-3.
    time : (n,) the target days
    lagged : (n,)
        The last lagged moisture, scored as it is, under the name "last moisture".
    seed, perplexity
        As for `tsne`.
    neighbours, apart
        As for `orderliness`.

    Returns
    -------
    points : DataFrame model, time, x, y, moisture
    order : DataFrame model, r2, r2_near (of the plane), r2_rows (of the rows themselves, before t-SNE), n
    """
    points, order = [], []
    for name, described in rows.items():
        flat = np.asarray(described, float).reshape(len(described), -1)
        plane = tsne(flat, seed, perplexity)
        points.append(pd.DataFrame({"model": name, "time": time, "x": plane[:, 0], "y": plane[:, 1],
                                    "moisture": moisture}))
        order.append({"model": name, **orderliness(plane, moisture, time, neighbours, apart),
                      "r2_rows": orderliness(flat, moisture, time, neighbours, apart)["r2"]})
    alone = orderliness(np.reshape(lagged, (-1, 1)), moisture, time, neighbours, apart)
    order.append({"model": "last moisture", **alone, "r2_rows": alone["r2"]})
    return pd.concat(points, ignore_index=True), pd.DataFrame(order).assign(n=len(moisture))
