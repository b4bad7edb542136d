"""Triple collocation: the error of three data sets from nothing but themselves (Stoffelen 1998; Gruber et al. 2016).

Each data set is i = a_i + b_i truth + e_i. If the errors e_i are independent of the truth and of each other, the three
covariances give the signal b_i^2 var(truth) of each, and what is left of its variance is its error. Scales b_i differ
from cell to cell (soil, vegetation), and pooling cells would take that for error, or for signal; so it is done cell by
cell, over the days that all three have, and the median over cells is given.

Which assumption breaks when y was used to train x: that e_x and e_y are independent. A product corrected towards
in-situ data also learns what the stations have and the cell has not, and so their errors. A covariance c > 0 of the two
(in units of y: x rescaled) is taken for signal: the error variances of x and y come out too small by c, that of z too
large. **A product looks better corrected than it is**, most of all at the stations and in the years of its training;
judge it by triplets of stations and years that were kept from it. The same holds for z where a land model is driven by
the precipitation that also entered the correction.

The error standard deviation is in the units of a `reference` data set, m3 m-3: b_reference / b_i sd(e_i). To compare a
product before and after a correction take the in-situ data as the reference in both, or a product that has merely been
damped would be told to have a smaller error.
"""

import numpy as np
import pandas as pd

from smlib.correction.scores import resampling
from smlib.data.schema import DataError
from smlib.evaluate.bootstrap import BLOCK_DAYS

METRICS = ("error_std", "snr_db", "r_truth")
LEAST = 100  # days in common, below which a covariance says little (Gruber et al. 2020)


def collocate(x, y, z, names=("x", "y", "z"), reference=0, draws=500, seed=0, least=LEAST):
    """Errors of three data sets by triple collocation (as pytesmo's ``tcol_metrics``), the median over cells.

    Parameters
    ----------
    x, y, z : (cell, day), m3 m-3, NaN where missing; moisture, or its `anomalies`
    reference : 0, 1 or 2: the data set in whose units the errors are given
    least : a cell with fewer days in common is left out

    Returns
    -------
    DataFrame
        Columns data (of `names`), metric, value, low, high, n: ``error_std`` (m3 m-3 of the reference), ``snr_db`` (10
        log10 of signal over error variance) and ``r_truth`` (correlation with the unknown truth). The 95 % interval is
        from resampling cells and blocks of days; where cells are alike it is too wide. `n` is the number of cells. A
        cell in which a covariance is not positive has no signal in common and does not count; a negative error variance
        counts as 0, the lowest there is, for leaving it out would raise the median.

    Raises
    ------
    DataError
        Where the shapes differ, or no cell has a result.
    """
    return _table((x, y, z), _by_triplet, names, reference, draws, seed, least)


def true_error(x, y, z, truth, names=("x", "y", "z"), reference=0, draws=500, seed=0, least=LEAST):
    """The same quantities against a known truth (cell, day), over the cells that `collocate` takes.

    Each data set is regressed on the truth: error is what the regression leaves, in the units of the reference after
    the same rescaling. So `collocate` can be judged where the truth is known. The days are the same too, unless the
    truth has gaps of its own.
    """
    return _table((x, y, z, truth), _by_truth, names, reference, draws, seed, least)


def anomalies(values, window=35):
    """(cell, day) less its mean over `window` days centred on each, of those that are there; NaN stays NaN.

    Errors and signal of the seasons go, those of days to weeks stay (35 days, as pytesmo's ``calc_anomaly``).
    """
    series = pd.DataFrame(np.asarray(values, float).T)
    return (series - series.rolling(window, center=True, min_periods=1).mean()).values.T


def _by_triplet(cov):
    """Signal variance (3, ...) of each from the covariances of all: b_i^2 var(truth)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = np.stack([cov[i, j] * cov[i, k] / cov[j, k] for i, j, k in ((0, 1, 2), (1, 0, 2), (2, 0, 1))])
    return np.where((cov[0, 1] > 0) & (cov[0, 2] > 0) & (cov[1, 2] > 0), signal, np.nan)


def _by_truth(cov):
    """The same from the covariance of each with the truth, the last data set."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((cov[:3, 3] > 0) & np.isfinite(_by_triplet(cov)), cov[:3, 3] ** 2 / cov[3, 3], np.nan)


def _metrics(cov, signal, reference):
    """mapping of metric -> (3, ...), from covariances (k, k, ...) and signal variances (3, ...)."""
    total = np.stack([cov[i, i] for i in range(3)])
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.maximum(total - signal, 0)
        return {"error_std": np.sqrt(error * signal[reference] / signal), "snr_db": 10 * np.log10(signal / error),
                "r_truth": np.sqrt(np.minimum(signal / total, 1))}


def _covariances(data, known, weights):
    """(k, k, draw, cell) covariances of (k, cell, day) data over the known days, under weights (draw, day)."""
    n = np.maximum(known.sum(1), 1)
    data = np.where(known, data - (np.where(known, data, 0).sum(2) / n)[..., None], 0)
    k = len(data)
    share = weights @ known.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = [weights @ one.T / share for one in data]
        cov = {(i, j): weights @ (data[i] * data[j]).T / share - mean[i] * mean[j]
               for i in range(k) for j in range(i, k)}
    return np.stack([np.stack([cov[min(i, j), max(i, j)] for j in range(k)]) for i in range(k)])


def _table(data, signal_of, names, reference, draws, seed, least):
    shapes = [np.shape(one) for one in data]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise DataError(f"{shapes} are not all the same (cell, day)", variable="soil_moisture")
    data = np.asarray(data, float)
    known = np.isfinite(data).all(0)
    enough = known.sum(1) >= least
    data, known = data[:, enough], known[enough]
    if not len(known):
        raise DataError(f"no cell has {least} days on which all data sets are there", variable="soil_moisture")
    data, known = data[:, :, known.any(0)], known[:, known.any(0)]
    cells, days = known.shape
    cov = _covariances(data, known, np.full((1, days), 1 / days))
    plain = _metrics(cov, signal_of(cov), reference)
    if not np.isfinite(plain["r_truth"]).any():
        raise DataError(f"in none of {cells} cells do the data sets have a signal in common", variable="soil_moisture")
    of_cells, of_days = resampling(cells, days, draws, seed, BLOCK_DAYS)
    cov = _covariances(data, known, of_days)
    drawn = _metrics(cov, signal_of(cov), reference)
    pick = np.stack([np.repeat(np.arange(cells), row) for row in (of_cells * cells).round().astype(int)])
    rows = []
    for i, name in enumerate(names):
        for metric in METRICS:
            value, medians = _median(plain[metric][i]), _median(np.take_along_axis(drawn[metric][i], pick, 1))
            low, high = np.percentile(medians[~np.isnan(medians)], [2.5, 97.5], method="nearest")
            rows.append((name, metric, float(value[0]), low, high, int(np.isfinite(plain["r_truth"][i]).sum())))
    return pd.DataFrame(rows, columns=["data", "metric", "value", "low", "high", "n"])


def _median(values):
    """Median over the last axis of what is not NaN; NaN where all is."""
    some = ~np.isnan(values).all(-1)
    found = np.full(values.shape[:-1], np.nan)
    found[some] = np.nanmedian(values[some], -1)
    return found
