"""Does one model forecast better than another? The Diebold-Mariano test, level by level, and one answer over sites."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

ALPHA = 0.05
MIN_DAYS = 10
# With fewer sites no sign test can reach 5 % even if they all agree: 2 / 2**5 is 6 %.
MIN_SITES = 6
METHODS = ("cosine", "bartlett")


class DieboldMariano(NamedTuple):
    """A test of equal loss: `difference` is the mean of loss a minus loss b, `low` and `high` its 95 % interval."""

    difference: float
    low: float
    high: float
    statistic: float
    df: float
    p: float
    n: int


def diebold_mariano(loss_a, loss_b, time=None, lead=1, method="cosine"):
    """Test that two forecasts have the same expected loss (Diebold and Mariano 1995), two-sided.

    Parameters
    ----------
    loss_a, loss_b : (day,)
        The loss of each day, e.g. its squared error, averaged over repetitions where a model has several. NaN is an
        error.
    time : (day,) datetime64 or whole days, optional
        Increasing dates; lags are counted in days, across gaps. By default the days follow each other.
    lead : int
        Days ahead; only ``bartlett`` needs it.
    method : str
        How the variance of the mean difference is estimated, given that neighbouring days are alike.

        ``cosine``: from the projections on the slowest cosines (Lazarus et al. 2018; Coroneo and Iacone 2020 for this
        test), fitted together with the mean to the days that there are; Student t with as many degrees of freedom as
        cosines. There are 0.4 n^(2/3) of them, or fewer (2 at least) where an AR(1) with the memory of the
        differences would have lost 5 % of its spectrum over them.

        ``bartlett``: Newey and West (1987), up to lag max(lead - 1, floor(4 (n / 100)^(2/9))), with the correction and
        the t(n - 1) of Harvey, Leybourne and Newbold (1997, Eq. 9).

    Returns
    -------
    DieboldMariano

    Notes
    -----
    Measured rejection rates in percent, nominal 5, of 10,000 AR(1) series of differences with mean 0 (lead 1), and of
    sums of 7 days' noise, as overlapping forecasts have (2,500; lead 7):

    =====  ========  =====  =======  =======  ======
    n      method    rho 0  rho 0.5  rho 0.9  7 days
    =====  ========  =====  =======  =======  ======
    33     cosine    5.3    6.1      11.3
    33     bartlett  7.8    14.0     49.8
    100    cosine    4.4    5.6      6.5      5.8
    100    bartlett  5.7    10.9     40.1     13.3
    300    cosine    5.1    5.0      6.5      5.6
    300    bartlett  5.5    8.8      34.3     11.8
    1000   cosine    5.3    5.3      5.6      5.1
    1000   bartlett  5.6    8.2      28.6     10.6
    =====  ========  =====  =======  =======  ======

    Differences of forecasts 7 days ahead have rho near 0.8, where ``bartlett`` finds winners that are none.

    Raises
    ------
    ValueError
        For fewer than 10 days, days out of order, missing losses or an unknown method.
    """
    difference = np.asarray(loss_a, float) - np.asarray(loss_b, float)
    n = len(difference)
    day = np.arange(n) if time is None else _whole_days(time)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    if n < MIN_DAYS or len(day) != n or not np.isfinite(difference).all() or (np.diff(day) < 1).any():
        raise ValueError(f"the losses of at least {MIN_DAYS} days in order of time are needed, none missing")
    mean = difference.mean()
    if not difference.any():  # a model against itself
        return DieboldMariano(0.0, 0.0, 0.0, 0.0, n - 1, 1.0, n)
    error, df = _cosine(difference, day) if method == "cosine" else _bartlett(difference, day, lead)
    half = stats.t.ppf(1 - ALPHA / 2, df) * error
    statistic = mean / error
    return DieboldMariano(mean, mean - half, mean + half, statistic, df, 2 * stats.t.sf(abs(statistic), df), n)


def _whole_days(time):
    day = np.asarray(time)
    day = day.astype("datetime64[D]").astype(int) if day.dtype.kind == "M" else day.astype(int)
    return day - day[0]


def _cosine(difference, day, lost=0.05):
    """Standard error of the mean, and its degrees of freedom."""
    n, span = len(difference), day[-1] + 1
    z, next_day = difference - difference.mean(), np.flatnonzero(np.diff(day) == 1)
    r = (z[next_day] * z[next_day + 1]).mean() / (z**2).mean() if len(next_day) else 0.0
    r = np.clip(r + (1 + 3 * r) / n, 1e-6, 0.97)  # less the bias of a short record (Kendall 1954)
    # The spectrum of an AR(1) starts as 1 - r w^2 / (1 - r)^2, and w^2 is (pi terms / span)^2 / 3 on average.
    terms = int(np.clip(span / np.pi * (1 - r) * np.sqrt(3 * lost / r), 2, max(2, 0.4 * n ** (2 / 3))))
    slow = np.cos(np.pi * np.arange(terms + 1) * (day[:, None] + 0.5) / span)
    slow, _ = np.linalg.qr(slow)  # with gaps in the record they are not orthogonal
    return np.sqrt(((difference @ slow[:, 1:]) ** 2).mean() / n), terms


def _bartlett(difference, day, lead):
    n = len(difference)
    lags = min(max(lead - 1, int(4 * (n / 100) ** (2 / 9))), n - 1)
    z = np.zeros(day[-1] + 1 + lags)
    z[day] = difference - difference.mean()
    covariance = np.array([z[: len(z) - k] @ z[k:] for k in range(lags + 1)]) / n
    weight = np.where(np.arange(lags + 1) == 0, 1, 2) * (1 - np.arange(lags + 1) / (lags + 1))
    correction = (n + 1 - 2 * lead + lead * (lead - 1) / n) / n
    return np.sqrt(weight @ covariance / n / correction), n - 1


def daily_loss(forecasts, model, power=2):
    """Loss of a model on each day, ``|forecast - observed| ** power``, averaged over its repetitions: (origin, lead).

    The mean of the losses, not the loss of the mean forecast, which would flatter models that are trained repeatedly.
    `forecasts` is one `smlib.stations.Forecasts`.
    """
    return (np.abs(forecasts.values[model] - forecasts.observed) ** power).mean(axis=0)


def compare(forecasts, model, reference, method="cosine", power=2):
    """`diebold_mariano` of one model against another at every level and lead.

    Parameters
    ----------
    forecasts : list of smlib.stations.Forecasts
        Or of anything with `values`, `observed`, `origins`, `leads`, `series.site` and `series.label` like theirs.
    model, reference : names among their `values`
    method, power
        As for `diebold_mariano` and `daily_loss`.

    Returns
    -------
    DataFrame
        Columns model, reference, site, level, lead_d, n (days), loss, loss_reference (means over days, (m3 m-3)^2),
        skill (1 - loss / loss_reference), difference (loss minus loss_reference) with low and high, statistic, df, p,
        p_holm and verdict. ``p_holm`` is adjusted for the levels tested at that lead (Holm 1979). The verdict is
        ``better`` or ``worse`` if p_holm < 0.05, ``undecided``, or ``not scored`` where a forecast is missing (n is 0,
        as in the skill table).

    Raises
    ------
    ValueError
        If a level has no forecast of the model or the reference.
    """
    rows = []
    for f in forecasts:
        missing = [name for name in (model, reference) if name not in f.values]
        if missing:
            raise ValueError(f"no model {missing[0]!r} at {f.series.site}, {f.series.label}: {', '.join(f.values)}")
        a, b = daily_loss(f, model, power), daily_loss(f, reference, power)
        for k, lead in enumerate(f.leads):
            row = {"model": model, "reference": reference, "site": f.series.site, "level": f.series.label,
                   "lead_d": lead, "n": 0, "loss": a[:, k].mean(), "loss_reference": b[:, k].mean()}
            if np.isfinite(a[:, k] - b[:, k]).all():
                row |= diebold_mariano(a[:, k], b[:, k], f.origins, lead, method)._asdict()
            rows.append(row)
    columns = ["model", "reference", "site", "level", "lead_d", "n", "loss", "loss_reference", "skill",
               *DieboldMariano._fields[:-1]]
    table = pd.DataFrame(rows).reindex(columns=columns)
    table["skill"] = 1 - table["loss"] / table["loss_reference"].where(table["loss_reference"] > 0)
    table["p_holm"] = table.groupby("lead_d")["p"].transform(_holm)
    decided = np.where(table["statistic"] < 0, "better", "worse")
    table["verdict"] = np.where(table["p_holm"] < ALPHA, decided, "undecided")
    table.loc[table["n"] == 0, "verdict"] = "not scored"
    return table


def _holm(p):
    p = p.astype(float).copy()
    known = p.notna()
    if known.any():
        p[known] = multipletests(p[known], ALPHA, method="holm")[1]
    return p


def pooled(compared, draws=1000, seed=0):
    """What `compare` found, over levels and over sites: a row a model, reference and lead.

    Parameters
    ----------
    compared : DataFrame
        From `compare`.
    draws, seed : int
        Bootstrap draws of sites behind an interval, and their seed.

    Returns
    -------
    DataFrame
        Columns model, reference, lead_d, the columns of `site_ratio` (of loss / loss_reference), and of the levels:
        ``levels`` scored, ``levels_lower`` (the model's loss is lower: a count, not a test, for levels of one site are
        not independent), and ``better``, ``worse``, ``undecided`` by the adjusted test.
    """
    rows = []
    for key, here in compared.groupby(["model", "reference", "lead_d"], sort=False):
        here = here[here["n"] > 0]
        ratio = _log_ratio(here["loss"], here["loss_reference"])
        verdicts = here["verdict"].value_counts()
        rows.append(dict(zip(("model", "reference", "lead_d"), key, strict=True))
                    | site_ratio(ratio.groupby(here["site"]).mean(), draws, seed)
                    | {"levels": len(here), "levels_lower": int((here["difference"] < 0).sum())}
                    | {name: int(verdicts.get(name, 0)) for name in ("better", "worse", "undecided")})
    return pd.DataFrame(rows)


def _log_ratio(a, b):
    """Log of a / b; missing where either is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(a.where(a > 0) / b.where(b > 0))


def site_ratio(log_ratios, draws=1000, seed=0):
    """One answer from the sites' log ratios of two mean squared errors.

    The ratios are averaged geometrically: exchanging the two models then changes the sign and no more, and a site that
    one of them forecasts almost perfectly does not decide alone.

    Parameters
    ----------
    log_ratios : (site,)
        Each the mean over the site's levels; NaN is left out.
    draws, seed : int
        Draws of sites behind an interval, and their seed.

    Returns
    -------
    dict
        With ``skill`` (1 - geometric mean ratio: above 0 the first model is better), ``low``, ``high`` (95 %, sites
        drawn with replacement; too narrow for few sites: of 4 it covers 78 %, of 6 85 %, of 30 93 %), ``sites``,
        ``sites_lower`` (where the first has the lower error), ``p_sign`` (exact sign test over sites) and ``verdict``:
        ``better`` or ``worse`` if the interval excludes 0, ``undecided``, or ``too few sites`` if they are fewer than
        6.
    """
    values = np.asarray(log_ratios, float)
    values = values[np.isfinite(values)]
    n, lower = len(values), int((values < 0).sum())
    found = {"skill": np.nan, "low": np.nan, "high": np.nan, "sites": n, "sites_lower": lower, "p_sign": np.nan,
             "verdict": "too few sites"}
    if n == 0:
        return found
    found["skill"] = 1 - np.exp(values.mean())
    unequal = int((values != 0).sum())
    found["p_sign"] = stats.binomtest(lower, unequal).pvalue if unequal else 1.0
    if n > 1:
        drawn = np.random.default_rng(seed).choice(values, (draws, n)).mean(axis=1)
        found["low"], found["high"] = 1 - np.exp(np.percentile(drawn, [97.5, 2.5]))
    if n >= MIN_SITES:
        found["verdict"] = "better" if found["low"] > 0 else "worse" if found["high"] < 0 else "undecided"
    return found
