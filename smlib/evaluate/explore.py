"""What the data look like before any model: correlation of the variables, and memory of soil moisture."""

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.schema import DRIVERS, VARIABLES

MOST_NAMED = 4  # sites that a sentence names


def correlation(ds, site):
    """Pearson's r between every two variables of a site (Wang et al. 2024, Fig. 2), over the days that have both.

    Returns a square DataFrame; soil variables appear once a level. A variable that does not vary has no r (NaN).
    """
    here = ds.sel(site=site)
    columns = {}
    for name in ("soil_moisture", *DRIVERS):
        if name not in here or not bool(here[name].notnull().any()):
            continue
        symbol = VARIABLES[name].symbol
        if "depth" not in here[name].dims:
            columns[symbol] = here[name].to_series()
            continue
        for level in here["depth"].values:
            values = here[name].sel(depth=level)
            if bool(values.notnull().any()):
                columns[f"{symbol} {level}"] = values.to_series()
    return pd.DataFrame(columns).corr()


def autocorrelation(moisture, max_lag=60):
    """Correlation of soil moisture with itself `lag` days earlier (Wang et al. 2024, Fig. 3).

    Parameters
    ----------
    moisture : DataArray with a daily time axis without skipped days

    Returns
    -------
    DataArray (..., lag)
        Over the pairs of days that are both measured

    Raises
    ------
    ValueError
        If `max_lag` is not from 1 to the days there are less one, or days are skipped.
    """
    if not 1 <= max_lag < moisture.sizes["time"]:
        raise ValueError(f"max_lag must be 1 to {moisture.sizes['time'] - 1} days, not {max_lag}")
    steps = pd.DatetimeIndex(moisture["time"].values).diff()[1:]
    if not (steps == pd.Timedelta(days=1)).all():
        raise ValueError("time must be daily without skipped days; reindex first, leaving NaN")
    lags = [xr.corr(moisture, moisture.shift(time=lag), dim="time") for lag in range(max_lag + 1)]
    index = pd.Index(range(max_lag + 1), name="lag")
    return xr.concat(lags, dim=index, coords="minimal", compat="override").transpose(..., "lag")


def days_to_forget(acf, below=1 / np.e):
    """The first lag at which each level's autocorrelation is below 1/e, and its value at one day; missing if never.

    Parameters
    ----------
    acf : DataArray (site, depth, lag), from `autocorrelation`, with the coordinate depth_m

    Returns
    -------
    DataFrame
        Columns site, level, depth_m, r_1_day, days; levels without data left out.
    """
    rows = []
    for site in acf["site"].values:
        for level in acf["depth"].values:
            r = acf.sel(site=site, depth=level)
            if bool(r.isnull().all()):
                continue
            low = r["lag"].values[(r < below).values]
            rows.append({"site": str(site), "level": int(level), "depth_m": float(r["depth_m"]),
                         "r_1_day": float(r.sel(lag=1)), "days": float(low[0]) if len(low) else np.nan})
    return pd.DataFrame(rows)


def memory_answer(correlations, memory, max_lag):
    """The page's answer as Markdown: how long moisture remembers, and what goes along with it.

    Parameters
    ----------
    correlations : dict of site -> DataFrame
        From `correlation`.
    memory : DataFrame
        From `days_to_forget`.
    max_lag : int
        Days, the longest lag that was looked at.
    """
    r, days = memory["r_1_day"], memory["days"]
    text = (f"**Our runs.** Moisture remembers: over {len(memory)} levels the correlation with the day before is "
            f"{r.median():.3f} in the median ({r.min():.3f} to {r.max():.3f})")
    if days.notna().any():
        text += f", and it falls below 1/e after {days.min():.0f} to {days.max():.0f} days"
    if days.isna().any():
        text += f", at {int(days.isna().sum())} levels not within {max_lag} days"
    best = []
    for site, corr in correlations.items():
        levels = [name for name in corr if name.startswith("SM ")]
        others = corr.loc[levels[0]].drop(levels).dropna() if levels else pd.Series(dtype=float)
        if len(others):
            name = others.abs().idxmax()
            best.append(f"{name} at {site} ({others[name]:.2f})")
    if best:
        shown = best if len(best) <= MOST_NAMED else [*best[:MOST_NAMED], f"and so on for {len(correlations)} sites"]
        text += f". Of the other variables the uppermost level goes along most with {', '.join(shown)}"
    return text.replace("(-", "(−") + "."
