"""The tidy skill table: one row a model, site, depth, lead and metric, with a 95 % interval."""

import numpy as np
import pandas as pd
import xarray as xr

from smlib.evaluate.bootstrap import block_weights, metrics_from_moments
from smlib.evaluate.metrics import METRICS

COLUMNS = ("study", "source", "protocol", "model", "variant", "site", "depth_m", "lead_d", "metric", "value", "low",
           "high", "n")


def score(forecasts, observed, leads, *, references=("persistence", "climatology"), draws=1000, seed=0):
    """Score forecasts of one series, all models on the same days.

    Parameters
    ----------
    forecasts : mapping of model -> (repetition, day, lead), m3 m-3
        A model with a missing forecast on any day is not scored on the rest: its values are NaN and its n is 0.
    observed : (day, lead), m3 m-3, nothing missing
    references : models against which the skill 1 - MSE / MSE_reference is given, where they are among the forecasts
    leads : list of int
        Days ahead, in the order of the axis.
    draws, seed : int
        Bootstrap draws behind an interval, and their seed.

    Returns
    -------
    DataFrame
        Columns model, lead_d, metric, value, low, high, n. `value` is the mean over repetitions; the interval comes
        from drawing blocks of days and, where a model has several repetitions, repetitions.
    """
    weights = block_weights(len(observed), draws, seed=seed)
    mean = {name: forecasts[name].mean(axis=0) for name in references if name in forecasts}
    rng = np.random.default_rng(seed)
    rows = []
    for model, values in forecasts.items():
        complete = bool(np.isfinite(values).all())
        plain, drawn = _plain(values, observed, mean), None
        if complete:
            drawn = [metrics_from_moments(v, observed, weights, mean) for v in values]
            pick = rng.integers(0, len(values), (draws, len(values)))
        for metric, value in plain.items():
            defined = np.isfinite(value)  # r, say, is not where a forecast never changes
            low, high = np.full(len(leads), np.nan), np.full(len(leads), np.nan)
            if complete:
                stacked = np.stack([d[metric] for d in drawn])  # (repetition, draw, lead)
                resampled = stacked[pick, np.arange(draws)[:, None]].mean(axis=1)
                # A draw of days without any change has no R2; too many of those, and there is no interval.
                bounded = defined & (np.isfinite(resampled).mean(axis=0) > 0.99)
                drawn_values = np.where(np.isfinite(resampled), resampled, np.nan)[:, bounded]
                low[bounded], high[bounded] = np.nanpercentile(drawn_values, [2.5, 97.5], axis=0).reshape(2, -1)
            rows += [(model, lead, metric, value[k] if defined[k] else np.nan, low[k], high[k],
                      len(observed) if defined[k] else 0) for k, lead in enumerate(leads)]
    return pd.DataFrame(rows, columns=["model", "lead_d", "metric", "value", "low", "high", "n"])


def _plain(values, observed, references):
    """Metrics on all days, averaged over repetitions: mapping of metric -> (lead,); NaN where a forecast is missing."""
    n_leads = observed.shape[1]
    names = [*METRICS, *(f"skill_{name}" for name in references)]
    if not np.isfinite(values).all():
        return {name: np.full(n_leads, np.nan) for name in names}
    f, o = xr.DataArray(values, dims=("repetition", "day", "lead")), xr.DataArray(observed, dims=("day", "lead"))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {name: metric(f, o.broadcast_like(f), "day").mean("repetition", skipna=False).values
                 for name, metric in METRICS.items()}
        for name, reference in references.items():
            mse = ((values - observed) ** 2).mean(axis=1)
            found[f"skill_{name}"] = (1 - mse / ((reference - observed) ** 2).mean(axis=0)).mean(axis=0)
    # Where the observed moisture never changes, what rounding left of its variance must not be divided by.
    flat = np.ptp(observed, axis=0) == 0
    return found | {name: np.where(flat, np.nan, found[name]) for name in ("R2", "r", "KGE")}


def over_sites(skill, draws=1000, seed=0):
    """Rows for ``site = all``: the mean and the median (``variant``) over sites of each site's mean over its levels.

    R2 has no lower bound, and one site whose moisture hardly varied in its test period can decide a mean; the median
    tells what a typical site gives. The interval is that of drawing sites with replacement; one site has none. `n` is
    the number of sites: a model that some site could not score is averaged over those that could.

    Parameters
    ----------
    skill : DataFrame
        A skill table with one row a site, level, model, lead and metric.
    draws, seed : int
        Draws of sites behind an interval, and their seed.
    """
    keys = ["study", "source", "protocol", "model", "lead_d", "metric"]
    by_site = skill.groupby([*keys, "site"], sort=False, dropna=False)["value"].mean().dropna().reset_index()
    rows = []
    for key, group in by_site.groupby(keys, sort=False, dropna=False):
        values = group["value"].values
        drawn = np.random.default_rng(seed).choice(values, (draws, len(values)))
        for variant, middle in (("mean", np.mean), ("median", np.median)):
            low, high = np.percentile(middle(drawn, axis=1), [2.5, 97.5]) if len(values) > 1 else (np.nan, np.nan)
            rows.append(dict(zip(keys, key, strict=True)) | {
                "variant": variant, "site": "all", "depth_m": np.nan, "value": middle(values), "low": low, "high": high,
                "n": len(values)})
    return pd.DataFrame(rows, columns=list(COLUMNS))
