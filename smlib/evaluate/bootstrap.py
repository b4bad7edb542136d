"""95 % intervals of the metrics, from resampled blocks of days.

Errors of neighbouring days are alike, so days are drawn in blocks (circular moving-block bootstrap; Politis and Romano
1992). Statistic and aggregation are separate: a draw is a vector of weights over days, every metric is a function of
weighted means of a few moments, and a thousand draws are one matrix product.
"""

import numpy as np

BLOCK_DAYS = 30


def block_weights(n, draws=1000, block=BLOCK_DAYS, seed=0):
    """Weights (draw, n), each row summing to 1, of a circular moving-block bootstrap of `n` days.

    Blocks are `block` days long, or a fifth of the record where that is shorter.
    """
    block = max(1, min(block, n // 5))
    starts = np.random.default_rng(seed).integers(0, n, (draws, -(-n // block)))
    days = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :n] % n
    weights = np.zeros((draws, n))
    np.add.at(weights, (np.arange(draws)[:, None], days), 1 / n)
    return weights


def metrics_from_moments(forecast, observed, weights, references=None):
    """Every metric of every draw, without a loop over draws.

    Parameters
    ----------
    forecast, observed : (day, lead), m3 m-3, nothing missing
    weights : (draw, day), rows sum to 1; one row of 1/n gives the plain metrics
    references : mapping of name -> (day, lead), adds ``skill_NAME`` = 1 - MSE / MSE of the reference

    Returns
    -------
    mapping of metric -> (draw, lead)
    """
    centre = observed.mean()  # keeps the variances clear of cancellation
    f, o = forecast - centre, observed - centre
    mf, mo, mff, moo, mfo, mabs, mse = (weights @ v for v in (f, o, f * f, o * o, f * o, np.abs(f - o), (f - o) ** 2))
    bias = mf - mo
    with np.errstate(divide="ignore", invalid="ignore"):
        sf, so = np.sqrt(np.maximum(mff - mf**2, 0)), np.sqrt(np.maximum(moo - mo**2, 0))
        r = (mfo - mf * mo) / (sf * so)
        found = {
            "R2": 1 - mse / so**2,
            "RMSE": np.sqrt(mse),
            "ubRMSE": np.sqrt(np.maximum(mse - bias**2, 0)),
            "MAE": mabs,
            "bias": bias,
            "r": r,
            "KGE": 1 - np.sqrt((r - 1) ** 2 + (sf / so - 1) ** 2 + ((mf + centre) / (mo + centre) - 1) ** 2),
        }
        for name, reference in (references or {}).items():
            found[f"skill_{name}"] = 1 - mse / (weights @ (reference - observed) ** 2)
    return found
