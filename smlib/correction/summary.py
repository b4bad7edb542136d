"""What the page on the data shows: how much there is, how it hangs together, and what a wrong conversion would cost."""

import numpy as np
import pandas as pd
from scipy import stats

from smlib import paths
from smlib.correction.data import AUXILIARIES
from smlib.correction.scores import by_cell, compare, score
from smlib.wording import count, listed, minus

PRINTED = {"FVC": "F", "PRE": "P", "LST": "L", "ET": "E"}  # Table 3 of Xie et al. (2025)
NAMES = {"F": "vegetation cover", "P": "precipitation", "L": "surface temperature", "E": "evapotranspiration"}
ONE_POROSITY = 0.5  # m3 m-3, where the soil is not looked at
LEVELS = {1: 0.05, 2: 0.01}  # what stars usually stand for
WAYS = {"mean": "mean of the stations", "pooled": "all station-days", "median": "median of the stations"}


def products_table():
    """The seven products: what the study takes them for, their grid and steps in print, and how they are matched."""
    rows = [("ASCAT", "soil moisture, % of saturation", "0.1°", "daily", "own grid; times porosity"),
            ("ESA CCI", "soil moisture, m³ m⁻³", "0.25°", "daily", "own grid"),
            ("SMAP", "soil moisture, m³ m⁻³", "0.1°", "daily", "own grid; passes of a day averaged"),
            ("precipitation (P)", "mm d⁻¹", "0.1°", "daily", "mean over the product's cell"),
            ("land surface temperature (L)", "°C", "0.05°", "daily", "mean over the product's cell"),
            ("evapotranspiration (E)", "mm d⁻¹", "0.05°", "daily", "mean over the product's cell"),
            ("fractional vegetation cover (F)", "1", "0.05°", "every 8 days", "linear in time, then as the others")]
    return pd.DataFrame(rows, columns=["product", "what", "grid", "steps", "how it is matched"])


def networks_table(points, matched):
    """Stations, cells and days by network and product: DataFrame.

    Parameters
    ----------
    points : mapping of network -> Points
    matched : mapping of network -> product -> Matched

    Returns
    -------
    DataFrame
        Columns network, product, stations, days, reported (share of station-days with a report), cells (of land),
        cells with stations, groups, and seen, the share of the days with the product in the cells with stations.
    """
    rows = []
    for network, of in matched.items():
        own = points[network]
        for product, one in of.items():
            held = (one.cells["stations"] > 0).to_numpy()
            rows.append({"network": network, "product": product, "stations": len(own.sites), "days": len(own.time),
                         "reported": float(np.isfinite(own.in_situ).mean()), "cells": len(one.cells),
                         "cells with stations": int(held.sum()),
                         "groups": one.cells.loc[held, "group"].nunique(),
                         "seen": float(np.isfinite(one.values[held]).mean()) if held.any() else np.nan})
    return pd.DataFrame(rows)


def correlations(points, draws=500, seed=0):
    """Pearson's r of each auxiliary with the soil moisture of the stations, three ways, beside Table 3.

    Returns
    -------
    DataFrame
        A row a network and auxiliary: ``mean`` of the stations' daily means, on days on which half of them report;
        ``pooled`` over all station-days, with its 95 % interval in ``low`` and ``high``; ``median`` of the stations'
        own r; ``n`` station-days; ``printed`` and ``stars``, NaN for a network that is not in print.
    """
    printed = pd.read_csv(paths.DATA / "published" / "xie2025_table3_correlation_with_in_situ.csv")
    printed["auxiliary"] = printed["variable"].map(PRINTED)
    printed = printed.set_index(["network", "auxiliary"])
    rows = []
    for network, own in points.items():
        enough = np.isfinite(own.in_situ).mean(0) >= 0.5
        for k, key in enumerate(AUXILIARIES):
            values = own.auxiliaries[..., k]
            pooled = score(values, own.in_situ, draws, seed)
            both = np.isfinite(values) & np.isfinite(own.in_situ)
            mean = [np.where(enough, np.where(both, v, 0).sum(0) / np.maximum(both.sum(0), 1), np.nan)[None]
                    for v in (values, own.in_situ)]
            mean = [np.where(both.any(0), v, np.nan) for v in mean]
            r, low, high = pooled["R"]
            known = (network, key) in printed.index
            rows.append({"network": network, "auxiliary": key, "mean": score(*mean, draws=2, seed=seed)["R"][0],
                         "pooled": r, "low": low, "high": high,
                         "median": by_cell(values, own.in_situ)["r"].median(), "n": pooled["n"][0],
                         "printed": printed.loc[(network, key), "pearson_r"] if known else np.nan,
                         "stars": printed.loc[(network, key), "significance_stars"] if known else np.nan})
    return pd.DataFrame(rows)


def conversions(matched, draws=500, seed=0):
    """ASCAT by each cell's porosity and by one for all, against the stations and the truth.

    Returns
    -------
    DataFrame
        A row a network, conversion and reference ("stations", and "truth" where it is known, of the same cells and
        days): R, RMSE, ubRMSE, bias with their intervals in ``low_...`` and ``high_...``, n, and for the cell's
        porosity its skill 1 - MSE / MSE of the one for all, with low and high.
    """
    rows = []
    for network, of in matched.items():
        if "ASCAT" not in of:
            continue
        one = of["ASCAT"]
        ways = {"porosity of the cell": one.values,
                f"{ONE_POROSITY:g} everywhere": one.values / one.porosity[:, None] * ONE_POROSITY}
        references = {"stations": one.in_situ}
        if one.truth is not None:
            references["truth"] = np.where(np.isfinite(one.in_situ), one.truth, np.nan)
        for against, observed in references.items():
            for name, values in ways.items():
                found = score(values, observed, draws, seed)
                row = {"network": network, "conversion": name, "against": against, "n": found["n"][0]}
                for metric in ("R", "RMSE", "ubRMSE", "bias"):
                    row[metric], row[f"low_{metric}"], row[f"high_{metric}"] = found[metric]
                keys = ("skill", "low_skill", "high_skill")
                same = name == f"{ONE_POROSITY:g} everywhere"
                skill = (np.nan,) * 3 if same else compare(values, list(ways.values())[1], observed, draws, seed)
                rows.append(row | dict(zip(keys, skill, strict=True)))
    return pd.DataFrame(rows)


def raw_scores(matched, draws=500, seed=0):
    """Each product as it comes, against the stations of its cells, beside the RMSE of Table 5: DataFrame.

    Columns network, product, metric, value, low, high, n, and printed (the RMSE of the original product).
    """
    table = pd.read_csv(paths.DATA / "published" / "xie2025_table5_improved_rmse.csv")
    printed = table[table["combination"] == "original"].set_index(["network", "product"])["value"]
    rows = []
    for network, of in matched.items():
        for product, one in of.items():
            found = score(one.values, one.in_situ, draws, seed)
            for metric in ("R", "RMSE", "ubRMSE", "bias"):
                value, low, high = found[metric]
                rows.append({"network": network, "product": product, "metric": metric, "value": value, "low": low,
                             "high": high, "n": found["n"][0],
                             "printed": printed.get((network, product), np.nan) if metric == "RMSE" else np.nan})
    return pd.DataFrame(rows)


def skill_rows(raw, source):
    """`raw_scores` as a skill table; a product's rows are the model "raw", its name the variant."""
    return pd.DataFrame({"study": "correction", "source": source, "protocol": "strict", "model": "raw",
                         "variant": raw["product"], "site": raw["network"], "depth_m": 0.05, "lead_d": np.nan,
                         "metric": raw["metric"].replace({"R": "r"}), "value": raw["value"], "low": raw["low"],
                         "high": raw["high"], "n": raw["n"]})


def signs(table):
    """Markdown: in how many rows of `correlations` our sign is that in print, and where it surely is not."""
    known = table.dropna(subset=["printed"])
    if known.empty:
        return "None of these networks is in Table 3."
    same = {way: int((np.sign(known[way]) == np.sign(known["printed"])).sum()) for way in WAYS}
    said = ", ".join(f"{count} of {len(known)} by {WAYS[way]}" for way, count in same.items())
    sure = (known["low"] > 0) | (known["high"] < 0)
    differ = known[sure & (known["stars"] > 0) & (np.sign(known["pooled"]) != np.sign(known["printed"]))]
    text = f"Our sign is that in print in {said}."
    if differ.empty:
        text += (" In no row is the printed r marked as significant, our pooled one apart from zero, and the sign the "
                 "other way.")
    else:
        rows = "; ".join(f"{NAMES[row.auxiliary]} at {row.network} (printed {row.printed:.2f}, here {row.pooled:.2f}, "
                         f"{row.low:.2f} to {row.high:.2f})" for row in differ.itertuples())
        text += f" Marked as significant in print and surely of the other sign here, pooled: {rows}."
    ways = known[list(WAYS)]
    hang = known[(np.sign(ways).nunique(axis=1) > 1).to_numpy()]
    if len(hang):
        text += (" The sign hangs on the way of counting for "
                 + "; ".join(f"{NAMES[row.auxiliary]} at {row.network}" for row in hang.itertuples()) + ".")
    return minus(text)


def pairs_in_print():
    """How many pairs the stars of Table 3 allow, a row a network: ``least`` and ``most`` (NaN: any number more).

    A marked r needs as many pairs as its stars ask for, by the two-sided t test, and fewer than the next star would
    need. Stars are taken for 5 and 1 %; pairs for independent, as in print.
    """
    printed = pd.read_csv(paths.DATA / "published" / "xie2025_table3_correlation_with_in_situ.csv")
    rows = []
    for name, here in printed.groupby("network", sort=False):
        each = list(zip(here["pearson_r"], here["significance_stars"], strict=True))
        rows.append({"network": name, "least": max(needed(r, LEVELS[s]) for r, s in each if s > 0),
                     "most": min((needed(r, LEVELS[s + 1]) - 1 for r, s in each if s < 2), default=np.nan)})
    return pd.DataFrame(rows)


def needed(r, level):
    """The fewest pairs with which a correlation of `r` differs from zero at a `level`, by the two-sided t test."""
    n = np.arange(4, 20001)
    t = abs(r) * np.sqrt((n - 2) / (1 - r * r))
    return int(n[np.argmax(2 * stats.t.sf(t, n - 2) < level)])


def counted_in_print(pairs):
    """Markdown on `pairs_in_print`."""
    both = pairs.dropna()
    both = both[both["least"] <= both["most"]]
    said = "; ".join(f"{row.least:,} to {int(row.most):,} at {row.network}" for row in both.itertuples())
    return (f"If one star means p < {LEVELS[1]:g} and two p < {LEVELS[2]:g}, as usual, the printed r and stars leave "
            f"room for this many pairs: {said}. That is at most the days of {both['most'].max() / 365.25:.1f} years, "
            "too few for the days of every station of a network: the nearest to what was printed is probably the "
            "column of the daily mean over the stations.")


def conversion_sentence(table):
    """Markdown on `conversions`: what one porosity for all would cost."""
    rows = table[(table["against"] == "stations")].dropna(subset=["RMSE"])
    if rows.empty:
        return "No network has ASCAT beside its stations."
    own = rows[rows["skill"].notna()].set_index("network")
    one = rows[rows["conversion"].str.endswith("everywhere")].set_index("network")
    each = "; ".join(f"{name} {own.loc[name, 'bias']:+.3f} to {one.loc[name, 'bias']:+.3f}" for name in own.index)
    rmse = "; ".join(f"{name} {own.loc[name, 'RMSE']:.3f} to {one.loc[name, 'RMSE']:.3f}" for name in own.index)
    worse = own.index[own["low_skill"] > 0].tolist()
    better = own.index[own["high_skill"] < 0].tolist()
    text = (f"With {ONE_POROSITY:g} everywhere in place of each cell's porosity the bias goes, in m³ m⁻³, from {each}, "
            f"and the RMSE from {rmse}.")
    text += f" That is surely worse at {', '.join(worse)}." if worse else " It is surely worse at no network."
    if better:
        text += (f" At {', '.join(better)} it is even better: two errors, of the conversion and of the product, cancel "
                 "there, which no one may count on.")
    true = table[(table["against"] == "truth") & table["skill"].notna()]
    if len(true):
        low = "; ".join(f"{row.network} {row.bias:+.3f}" for row in true.itertuples())
        text += (f" Nor is the right porosity the whole of it: against the truth of the same cells and days ASCAT by "
                 f"each cell's porosity has a bias of {low}, because its saturation counts from the driest state of "
                 "the ground, which still holds water.")
    return minus(text)


def paper():
    """What Table 3 says, as Markdown: the auxiliary with the largest r in each network."""
    printed = pd.read_csv(paths.DATA / "published" / "xie2025_table3_correlation_with_in_situ.csv")
    best = printed.loc[printed.groupby("network", sort=False)["pearson_r"].apply(lambda r: r.abs().idxmax())]
    said = "; ".join(f"{NAMES[PRINTED[row.variable]]} at {row.network} (r {row.pearson_r:.2f})"
                     for row in best.itertuples())
    return minus(f"**The paper's answer** (Table 3): soil moisture goes along most with {said}.")


def about(points, kind, source, scale, products):
    """The line about the data at the top of a page, as Markdown: what they are, where, and when."""
    periods = {name: f"{own.time[0]} to {own.time[-1]}" for name, own in points.items()}
    same = len(set(periods.values())) == 1
    each = "; ".join(f"{name}, {count(len(own.sites), 'station')}" + ("" if same else f", {periods[name]}")
                     for name, own in points.items())
    scale = f", scale {scale}" if kind == "simulated" else ""
    return (f"**Data.** {kind.capitalize()} (`{source}`{scale}): daily soil moisture of stations and of "
            f"{listed(products)}, with four auxiliaries, around {each}{f'; {min(periods.values())}' if same else ''}.")
