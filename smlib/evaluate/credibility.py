"""How soil moisture behaves, measured or simulated alike: what a simulated world is judged by."""

import numpy as np
import pandas as pd
import xarray as xr

from smlib import wording
from smlib.evaluate.explore import autocorrelation
from smlib.evaluate.metrics import METRICS
from smlib.wording import count, items, signed

SPELL = 5  # days of falling moisture in a row that count as drying
PRODUCT_METRICS = ("r", "RMSE", "bias", "ubRMSE")
# Names of land cover in Table 1 of Rabiei et al. (2025), by IGBP's.
PRINTED_COVERS = {"Grassland": "Grasslands", "Cropland": "Croplands", "Cropland/Natural Vegetation Mosaic": "Croplands",
                  "Permanent Wetland": "Permanent Wetlands", "Woody Savanna": "Woody Savannas", "Savanna": "Savannas",
                  "Open Shrubland": "Open/Closed Shrublands", "Closed Shrubland": "Open/Closed Shrublands"}


def behaviour(ds, lags=(1, 3, 7, 30)):
    """Statistics of every level of every station with moisture, a row each.

    Parameters
    ----------
    ds : Dataset of stations in the canonical schema, without skipped days

    Returns
    -------
    DataFrame
        Columns site, level, depth_m, days, mean, std (m3 m-3), persistence (R2 of the value of the day before, over all
        days that have both), r_1, r_3, ... (autocorrelation at so many days), drying_days (see `drying_time`), rising
        (share of the changes that are rises) and rise_over_fall (mean rise over mean fall of a day).
    """
    acf = autocorrelation(ds["soil_moisture"], max(lags))
    rows = []
    for site in ds["site"].values:
        for level in ds["depth"].values:
            series = ds["soil_moisture"].sel(site=site, depth=level)
            values = series.values.astype(float)
            change = np.diff(values)
            known = np.isfinite(change)
            if known.sum() < 100:
                continue
            after, change = values[1:][known], change[known]
            up, down = change[change > 0], -change[change < 0]
            rows.append({
                "site": str(site), "level": int(level), "depth_m": float(series["depth_m"]),
                "days": int(np.isfinite(values).sum()), "mean": np.nanmean(values), "std": np.nanstd(values),
                "persistence": 1 - np.mean(change**2) / np.var(after),
                **{f"r_{lag}": float(acf.sel(site=site, depth=level, lag=lag)) for lag in lags},
                "drying_days": drying_time(values), "rising": len(up) / max(len(up) + len(down), 1),
                "rise_over_fall": np.mean(up) / np.mean(down) if len(up) and len(down) else np.nan})
    return pd.DataFrame(rows)


def drying_time(values):
    """Time scale tau, days, by which moisture (time,) dries: NaN where there is no spell of SPELL days.

    Over all spells of at least SPELL days on each of which it falls, d theta / dt = -(theta - theta_w) / tau is fitted
    by least squares, theta_w being the lowest moisture of the record (its first percentile): for an exponential
    decay down to there tau is its time scale, otherwise a mean one.
    """
    values = np.asarray(values, float)
    falls = -np.diff(values)
    above = values[:-1] - np.nanpercentile(values, 1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], falls > 0, [False]]).astype(int)))
    spells = [slice(first, last) for first, last in edges.reshape(-1, 2) if last - first >= SPELL]
    fall = sum(float(above[spell] @ falls[spell]) for spell in spells)
    square = sum(float(above[spell] @ above[spell]) for spell in spells)
    rate = fall / square if square > 0 else 0.0  # of a day: 1 - exp(-1 / tau)
    return -1 / np.log1p(-rate) if 0 < rate < 1 else np.nan


def against_stations(products, reported, least=60):
    """Scores of products at stations, a row a product and station with at least `least` days that both have.

    Parameters
    ----------
    products : dict of name to DataArray (site, time), m3 m-3
    reported : DataArray (site, time), m3 m-3

    Returns
    -------
    DataFrame
        Columns product, site, n and PRODUCT_METRICS
    """
    parts = []
    for name, product in products.items():
        product, measured = xr.align(product, reported, join="inner")
        n = (product.notnull() & measured.notnull()).sum("time")
        keep = (n >= least).values
        product, measured = product[keep], measured[keep]
        scores = {metric: METRICS[metric](product, measured, "time", missing="drop").values
                  for metric in PRODUCT_METRICS}
        parts.append(pd.DataFrame({"product": name, "site": measured["site"].values, "n": n.values[keep], **scores}))
    return pd.concat(parts, ignore_index=True)


def beside_print(scores, places, printed):
    """Scores of products by land cover beside those of Rabiei et al. (2025, Table 1).

    Parameters
    ----------
    scores : DataFrame of `against_stations`
    places : DataFrame by site with network and land_cover, the class's IGBP name
    printed : DataFrame with land_cover, network, product, metric and value, the paper's table

    Returns
    -------
    DataFrame
        The printed rows with `value` named printed, and simulated, the mean over the stations; for the land cover
        "Average" the mean over land covers. NaN where no station is.
    """
    rows = scores.join(places[["network", "land_cover"]], on="site")
    rows = rows.assign(land_cover=rows["land_cover"].map(PRINTED_COVERS)).dropna(subset="land_cover")
    long = rows.melt(["product", "network", "land_cover"], list(PRODUCT_METRICS), "metric", "simulated")
    keys = ["land_cover", "network", "product", "metric"]
    mean = long.assign(metric=long["metric"].str.lower()).groupby(keys)["simulated"].mean()
    average = pd.concat({"Average": mean.groupby(keys[1:]).mean()}, names=keys[:1])
    return printed.rename(columns={"value": "printed"}).join(pd.concat([mean, average]), on=keys)


def in_printed_range(table):
    """How many scores of `beside_print` lie within the range that is printed for their metric.

    Returns a DataFrame with product, metric, inside and count, over land covers and networks (not their average).
    """
    ranges = table.groupby("metric")["printed"].agg(["min", "max"])
    own = table[(table["land_cover"] != "Average") & table["simulated"].notna()]
    inside = own["simulated"].between(own["metric"].map(ranges["min"]), own["metric"].map(ranges["max"]))
    return own.assign(inside=inside).groupby(["product", "metric"])["inside"].agg(["sum", "count"]).rename(
        columns={"sum": "inside"}).reset_index()


def inside_range(measured, simulated, columns):
    """Whether measured statistics lie within the range of all simulated stations at the nearest depth.

    Parameters
    ----------
    measured, simulated : DataFrame of `behaviour`
    columns : list of str
        The statistics to compare.

    Returns
    -------
    DataFrame
        Columns site, level, depth_m, against_m (the simulated depth) and for every column a bool. A measured level of
        unknown depth is left out unless it is the uppermost, which is compared with the uppermost.
    """
    depths = np.array(sorted(simulated["depth_m"].unique()))
    rows = []
    for _, row in measured.iterrows():
        known = np.isfinite(row["depth_m"])
        if not known and row["level"] > 1:
            continue
        depth = depths[np.argmin(abs(depths - row["depth_m"]))] if known else depths[0]
        here = simulated[simulated["depth_m"] == depth]
        rows.append({**row[["site", "level", "depth_m"]], "against_m": depth,
                     **{name: here[name].min() <= row[name] <= here[name].max() for name in columns}})
    return pd.DataFrame(rows)


def implied_std(table):
    """Standard deviation of the truth, m3 m-3, that rows of printed RMSE and R2 imply: RMSE / sqrt(1 - R2)."""
    return table["rmse"] / np.sqrt(1 - table["r2"])


def world_answer(within, inside, columns, fits, auxiliaries, spread):
    """The page's answer on how like the measured world is, and the numbers behind it, both Markdown.

    Parameters
    ----------
    within : bool Series by twin; whether its weather is within 15 % of print
    inside : DataFrame of `inside_range`
    columns : list of str; its statistics
    fits : DataFrame of `in_printed_range`
    auxiliaries : DataFrame network, variable, printed, simulated; correlations with in-situ moisture
    spread : DataFrame soil moisture, pooled_std, departure; the first row is that of print
    """
    table = inside[columns].astype(bool)
    held, of = int(table.to_numpy().sum()), table.size
    scores, all_scores = int(fits["inside"].sum()), int(fits["count"].sum())
    signs = int((np.sign(auxiliaries["printed"]) == np.sign(auxiliaries["simulated"])).sum())
    lie = "lies" if held == 1 else "lie"
    parts = [f"of {count(of, 'measured statistic')} {held} {lie} within the simulated range",
             f"of {count(all_scores, 'product score')} {scores} within the printed one",
             f"of {count(len(auxiliaries), 'correlation')} with in-situ moisture {signs} "
             f"{'has' if signs == 1 else 'have'} the printed sign"]
    lines = [f"Weather within 15 % of print: {int(within.sum())} of {count(len(within), 'twin')}."]
    lines += [f"{row.site}, level {row.level}: {int(table.loc[row.Index].sum())} of {len(columns)} statistics within "
              "the range of the simulated stations." for row in inside.itertuples()]
    lines += [f"{name}: the pooled standard deviation is {std:.4f} m³ m⁻³, {signed(100 * off, 1)} % off the printed "
              "one." for name, std, off in spread.iloc[1:][["soil moisture", "pooled_std", "departure"]].to_numpy()]
    least = fits[fits["inside"] < fits["count"]]
    lines += [f"{row.product}, {row.metric}: {row.inside} of {row.count} values lie within the printed range."
              for row in least.itertuples(name="Row")]
    return wording.answer(*(f"O{'; '.join(parts[:n])[1:]}." for n in (3, 2, 1))), items(lines)
