"""What the data look like before any model: correlation of the variables, and memory of soil moisture."""

import numpy as np
import pandas as pd
import xarray as xr

from smlib import wording
from smlib.data.schema import DRIVERS, VARIABLES
from smlib.wording import count, items, listed, signed

NAMES = {VARIABLES[name].symbol: name.replace("_", " ") for name in DRIVERS}


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
    """The page's answer and the numbers behind it, both Markdown: how long moisture remembers, what goes with it.

    Parameters
    ----------
    correlations : dict of site -> DataFrame
        From `correlation`.
    memory : DataFrame
        From `days_to_forget`.
    max_lag : int
        Days, the longest lag that was looked at.
    """
    r, days, many = memory["r_1_day"], memory["days"].dropna(), count(len(memory), "level")
    strongest, lines = _strongest(correlations), []
    open_ = len(memory) - len(days)
    span = f"{signed(r.median(), 3)} ({signed(r.min(), 3)} to {signed(r.max(), 3)})"
    until = "" if days.empty else f"; below 1/e after {_range(days)} days"
    later = f", at {open_} of {many} not within {max_lag}" if open_ and len(days) else (
        f"; not below 1/e within {count(max_lag, 'day')}" if open_ else "")
    names, n = _most_frequent(strongest)
    along = f" It goes most with {listed(names)} at {n} of {count(len(strongest), 'site')}" + (
        " each." if len(names) > 1 else ".") if names else ""
    lines.append(f"Correlation with the day before, median over {many}: {span}.")
    lines += [f"{row.site}, level {row.level}{_depth(row.depth_m)}: " + (
        f"not below 1/e within {count(max_lag, 'day')}." if np.isnan(row.days) else
        f"below 1/e after {count(int(row.days), 'day')}.") for row in memory.itertuples()]
    lines += [f"{row.site}: of the other variables the uppermost level goes most with {row.variable} "
              f"(r = {signed(row.r)})." for row in strongest.itertuples()]
    begins = f"Correlation of moisture with its day before: {span}"
    return wording.answer(f"{begins}{until}{later}.{along}", f"{begins}{until}{later}.", f"{begins}."), items(lines)


def _strongest(correlations):
    """Which other variable the uppermost level goes most with: DataFrame site, variable, r; sites without one lack."""
    rows = []
    for site, corr in correlations.items():
        levels = [name for name in corr if name.startswith("SM ")]
        others = corr.loc[levels[0]].drop(levels).dropna() if levels else pd.Series(dtype=float)
        if len(others):
            rows.append((str(site), others.abs().idxmax(), others[others.abs().idxmax()]))
    return pd.DataFrame(rows, columns=["site", "variable", "r"])


def _most_frequent(strongest):
    """The variables that are the strongest at most sites, without their level, and the number of these sites."""
    many = strongest["variable"].str.split(" ").str[0].value_counts(sort=False)
    return [NAMES[name] for name in many.index[many == many.max()]], int(many.max()) if len(many) else 0


def _range(days):
    low, high = (f"{days.agg(end):.0f}" for end in ("min", "max"))
    return low if low == high else f"{low} to {high}"


def _depth(depth_m):
    return "" if np.isnan(depth_m) else f" ({depth_m:.2f} m)"
