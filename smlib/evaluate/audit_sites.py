"""Which rules hold for the printed tables of Wang et al. (2024): scores, sites, splits."""

import itertools

import numpy as np
import pandas as pd

from smlib.evaluate.audit_rules import at_most, compared, complete, labels, of_scores, quoted, same
from smlib.evaluate.printed import exact, interval
from smlib.paths import DATA

EUROPE = ("Falkenberg", "ClotdelesPeresII")  # of the 30 sites; all others are in the United States


def wang2024(tables):
    """The R2 of Tables 2 to 6, the sites of Table 1, the splits and weather statistics of Table D2."""
    return [*_wang_r2("wang2024_tables2_6_r2", tables("wang2024_tables2_6_r2")),
            *_wang_sites("wang2024_table1_sites", tables("wang2024_table1_sites"), tables("wang2024_tableD2_splits")),
            *_wang_splits("wang2024_tableD2_splits", tables("wang2024_tableD2_splits"))]


def _wang_r2(file, table):
    keys = ["model", "depth_m", "lead_days"]
    found = [complete(file, table, ["table"], keys), *of_scores(file, table, ["table", *keys], pooled=True)]
    twice = table.merge(table, on=keys)
    twice = twice[twice["table_x"] < twice["table_y"]]
    found.append(compared(file, "the same in both tables", labels(twice, ["table_x", "table_y", *keys]),
                          quoted(twice, ["r2_x", "r2_y"], {"r2_x": "R²", "r2_y": "R²"}),
                          same(interval(twice["r2_x"]), interval(twice["r2_y"]))))
    first = ["table", "model", "depth_m"]
    for short, long in (("1", "3"), ("3", "7")):
        pair = table[table["lead_days"] == short].merge(table[table["lead_days"] == long], on=first)
        found.append(compared(file, "R² does not rise with lead", [f"{row}, {short} to {long} days" for row in
                                                                  labels(pair, first)],
                              quoted(pair, ["r2_x", "r2_y"], {"r2_x": "R²", "r2_y": "R²"}),
                              at_most(interval(pair["r2_y"]), interval(pair["r2_x"]))))
    return found


def _wang_sites(file, sites, splits):
    """Both tables have the sites in one order, though not all names are spelt alike."""
    rows, parts = labels(sites, ["site"]), ["sand_pct", "silt_pct", "clay_pct"]
    sand, silt, clay = (interval(sites[name]) for name in parts)
    lat, lon = (interval(sites[name]) for name in ("lat", "lon"))
    places = quoted(sites, ["lat", "lon"])
    american = ~sites["site"].isin(EUROPE)
    found = [compared(file, "sand + silt + clay = 100 %", rows, quoted(sites, parts), same(sand + silt + clay, 100)),
             compared(file, "|latitude| ≤ 90°, |longitude| ≤ 180°", rows, places,
                      np.maximum(at_most(abs(lat), 90), at_most(abs(lon), 180))),
             compared(file, "longitude is west (negative) in the United States", np.array(rows)[american],
                      np.array(places)[american], at_most(lon, 0)[american])]
    pairs = list(itertools.combinations(range(len(sites)), 2))
    middle = np.array([(lat.low + lat.high) / 2, (lon.low + lon.high) / 2]).T
    shared = [0.01 * (abs(middle[i] - middle[j]).max() < 0.005) for i, j in pairs]  # degrees, a unit of print
    found.append(compared(file, "two sites differ in place", [f"{rows[i]} and {rows[j]}" for i, j in pairs],
                          [places[i] for i, _ in pairs], shared))
    if len(sites) != len(splits):
        raise ValueError(f"{file} has {len(sites)} sites, Table D2 {len(splits)}")
    names = [f"{a} | {b}" for a, b in zip(sites["site"], splits["site"], strict=True)]
    found.append(compared(file, "the same name in Tables 1 and D2", rows, names,
                          (sites["site"] != splits["site"]).to_numpy(float)))
    years = sites["period"].str.split("-", expand=True).astype(float)
    start, end = (_dates(splits[name]).dt.year for name in ("train_start", "test_end"))
    text = [f"{period} | {a} to {b}" for period, a, b in
            zip(sites["period"], splits["train_start"], splits["test_end"], strict=True)]
    found.append(compared(file, "the days of Table D2 lie in the years of Table 1", rows, text,
                          np.maximum(np.maximum(years[0] - start, end - years[1]), 0)))
    return [*found, *_as_noaa_lists(file, sites.assign(site=splits["site"]))]


def _as_noaa_lists(file, sites):
    """Coordinates as in NOAA's files of USCRN, for the stations whose file was seen."""
    noaa = pd.read_csv(DATA / "uscrn_stations.csv", dtype=str, keep_default_na=False)
    noaa = noaa[(noaa["wban"] != "") & (noaa["wang2024"] != "")]
    both = sites.merge(noaa, left_on="site", right_on="wang2024", suffixes=("", "_noaa"))
    return [compared(file, f"{name} as in NOAA's files", labels(both, ["site"]),
                     quoted(both, [name, f"{name}_noaa"], {f"{name}_noaa": "NOAA"}),
                     same(interval(both[name]), interval(both[f"{name}_noaa"]))) for name in ("lat", "lon")]


def _dates(texts):
    return pd.to_datetime(texts.str.replace(".", "-"), format="%Y-%m-%d")


def _wang_splits(file, table):
    """Three periods that follow each other and share the days 60/20/20; statistics that a sample can have."""
    rows, parts = labels(table, ["site"]), ("train", "val", "test")
    dates = {f"{part}_{end}": _dates(table[f"{part}_{end}"]) for part in parts for end in ("start", "end")}
    days = {part: (dates[f"{part}_end"] - dates[f"{part}_start"]).dt.days for part in parts}
    total = (dates["test_end"] - dates["train_start"]).dt.days
    found = []
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        text = quoted(table, [f"{part}_start", f"{part}_end"])
        found.append(compared(file, f"{part} has {share:.0%} of the days, to two", rows, text,
                              abs(days[part] - share * total) - 2))
    for one, other in (("train_end", "val_start"), ("val_end", "test_start")):
        found.append(compared(file, f"{one} = {other}", rows, quoted(table, [one, other]),
                              abs((dates[one] - dates[other]).dt.days)))
    for name in ("p", "ta"):
        low, high, mean, std = (interval(table[f"{name}_{part}"]) for part in ("min", "max", "mean", "std"))
        text = quoted(table, [f"{name}_{part}" for part in ("min", "max", "mean", "std")])
        n = total.to_numpy() + 1.0
        # One day at the extreme gives the least standard deviation, all days at the two extremes the largest.
        least = (high - mean).over(exact(np.sqrt(n - 1)))
        largest = (high - mean).times(mean - low).times(exact(n / (n - 1))).root()
        found += [compared(file, f"{name}: minimum ≤ mean ≤ maximum", rows, text,
                           np.maximum(at_most(low, mean), at_most(mean, high))),
                  compared(file, f"{name}: std ≥ (maximum − mean) / √(n − 1)", rows, text, at_most(least, std)),
                  compared(file, f"{name}: std² ≤ (maximum − mean)(mean − minimum) n / (n − 1)", rows, text,
                           at_most(std, largest))]
    return [*found, compared(file, "precipitation ≥ 0", rows, quoted(table, ["p_min"]),
                             at_most(0, interval(table["p_min"])))]
