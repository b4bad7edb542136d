"""The studies' inputs for `fusion/data`: what they are, where SMAP sees, and how good the products are at stations."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import spearmanr

from smlib.conus.data import RETRIEVALS
from smlib.conus.stations import SCORES, at_stations, station_scores
from smlib.wording import count

PRODUCTS = (*RETRIEVALS, "NLDAS-2")
PLACES = ("own cell", "nearest", "bilinear")
SEASONS = {"DJF": "December to February", "MAM": "March to May", "JJA": "June to August",
           "SON": "September to November"}
# Variable, layer, what its map is called and its unit: one of each source.
MAPS = (("soil_moisture_dca", None, "SMAP DCA, mean", "m³ m⁻³"),
        ("soil_moisture", 1, "NLDAS-2, 0–10 cm, mean", "m³ m⁻³"),
        ("brightness_temperature_v", None, "SMAP brightness temperature V, mean", "K"),
        ("vegetation_water_content", None, "SMAP vegetation water content, mean", "kg m⁻²"),
        ("precipitation", None, "IMERG precipitation, mean", "mm d⁻¹"),
        ("swir_transform", None, "MODIS shortwave transform STR, mean", "1"),
        ("sand", 1, "SOLUS sand, 0–10 cm", "percent"),
        ("elevation", None, "SRTM elevation", "m"))


def sources_table():
    """Where each input comes from and how it comes to the grid: DataFrame, a row a source."""
    rows = [
        ("SMAP L3 enhanced", "moisture by DCA, SCA-H, SCA-V; brightness temperatures; vegetation opacity and water",
         "EASE-Grid 2.0, 9 km, two passes a day", "cells as they are; mean of the passes that saw", "smap"),
        ("NLDAS-2 Noah", "moisture of 0–10, 10–40, 40–100 cm", "0.125°, about 12 km", "bicubic; layers kept", "nldas"),
        ("IMERG", "precipitation", "0.1°, about 10 km", "bicubic", "imerg"),
        ("MODIS", "shortwave transform (STR), surface temperature, land cover", "500 m to 1 km, sinusoidal",
         "mean in a cell; of land cover the commonest class", "modis"),
        ("SOLUS100", "sand, silt, clay by layer", "100 m, Albers", "mean in a cell", "solus"),
        ("SRTM", "elevation, and of it slope, aspect, curvature, flow accumulation", "30 or 90 m",
         "derived on the fine grid, then the mean in a cell (of aspect the mean vector)", "srtm"),
    ]
    return pd.DataFrame(rows, columns=["source", "variables", "its own grid", "to the 9 km grid", "reader"])


def input_maps(study):
    """A map of each of MAPS: mapping of name -> DataArray (y, x) with `units`, means over the days with a value."""
    found = {}
    for variable, layer, name, unit in MAPS:
        da = study.cube[variable] if layer is None else study.cube[variable].sel(layer=layer, drop=True)
        da = da.mean("time") if "time" in da.dims else da
        found[name] = da.where(study.land).compute().assign_attrs(units=unit)
    return found


def observed_share(study):
    """Share of the days with a DCA retrieval: the map (y, x) over land, and DataFrame season, lowest, median, highest.

    Of a season's shares over the land cells `lowest` and `highest` are the 5th and the 95th percentile.
    """
    seen = study.cube["soil_moisture_dca"].notnull()
    season = study.cube["time"].dt.season.values
    parts = {words: seen[season == name] for name, words in SEASONS.items() if (season == name).any()}
    parts["all days"] = seen
    maps = {words: part.mean("time").where(study.land).compute() for words, part in parts.items()}
    rows = [(words, *np.nanpercentile(one, [5, 50, 95])) for words, one in maps.items()]
    share = maps["all days"].assign_attrs(units="1")
    return share, pd.DataFrame(rows, columns=["season", "lowest", "median", "highest"])


def reported(study, layer=1):
    """What the stations report of a layer: DataArray (site, time)."""
    return _level(study.stations, layer)


def _level(stations, layer=1):
    return stations["soil_moisture"].sel(depth=layer, drop=True).transpose("site", "time").load()


def products_at(study, place="own cell", valid=None):
    """The four products of surface moisture at the stations: mapping of name -> DataArray (site, time).

    `place` is "own cell", the 9 km cell that each station stands in; or a cell of the study's cube, "nearest" or
    "bilinear" (`at_stations`), which at quick scale holds some of the cells only. All products at the same cells, those
    of land where SMAP ever has a retrieval (or those of `valid`).
    """
    if place == "own cell":
        found = {name: study.matched["smap"][variable] for name, variable in RETRIEVALS.items()}
        found["NLDAS-2"] = study.matched["nldas"]["soil_moisture"].sel(depth=1, drop=True)
        return {name: da.transpose("site", "time").load() for name, da in found.items()}
    valid = seen_land(study) if valid is None else valid
    fields = {name: study.cube[variable] for name, variable in RETRIEVALS.items()}
    fields["NLDAS-2"] = study.cube["soil_moisture"].sel(layer=1, drop=True)
    return {name: at_stations(field, study.stations, place, valid) for name, field in fields.items()}


def seen_land(study):
    """(y, x) bool: cells of land where SMAP ever has a retrieval."""
    return study.land & study.cube["soil_moisture_dca"].notnull().any("time").values


def products_everywhere(study):
    """`products_at` every place: mapping of place -> product -> DataArray (site, time)."""
    valid = seen_land(study)
    return {place: products_at(study, place, valid) for place in PLACES}


def product_scores(made, seen, least=60):
    """Scores of `products_everywhere`: mapping of place -> product -> DataFrame of `station_scores`."""
    return {place: {name: station_scores(one, seen, least) for name, one in of.items()} for place, of in made.items()}


def places_table(scores):
    """Medians by product and place over the stations that are scored at all places: DataFrame with km and stations."""
    rows = []
    for product in PRODUCTS:
        common = pd.concat([scores[place][product]["r"] for place in PLACES], axis=1).dropna().index
        rows += [{"product": product, "place": place, "stations": len(common)}
                 | scores[place][product].loc[common, list(SCORES)].median().to_dict() for place in PLACES]
    return pd.DataFrame(rows)


def distances(study):
    """Series by site: km from a station to the centre of the cube's nearest cell (of `seen_land`)."""
    at = at_stations(xr.where(seen_land(study), study.cube["elevation"].load(), np.nan), study.stations)
    return at["distance_km"].to_series()


def loss_by_distance(scores, km, product="DCA", bins=3):
    """What going to the nearest cell of the cube costs, by distance: DataFrame, and Spearman's rho with its p.

    Rows are thirds of the stations by distance: km (median), stations, and the median r and ubrmse at the own cell and
    at the nearest. rho is of the loss of r with distance, over stations.
    """
    own, near = (scores[place][product] for place in ("own cell", "nearest"))
    parts = [one[["r", "ubrmse"]].add_suffix(f" {name}") for name, one in (("own", own), ("nearest", near))]
    both = pd.concat([*parts, km], axis=1).dropna()
    part = pd.qcut(both["distance_km"].rank(method="first"), bins, labels=False)
    table = both.groupby(part).median().assign(stations=both.groupby(part).size())
    rho, p = spearmanr(both["r own"] - both["r nearest"], both["distance_km"])
    return table.rename(columns={"distance_km": "km"}).reset_index(drop=True), float(rho), float(p)


def error_budget(study, made, least=60):
    """Where the disagreement comes from: medians over stations of pairs of series, in simulated data only.

    Parameters
    ----------
    made : of `products_everywhere`

    Returns
    -------
    DataFrame
        Columns pair, product, stations, r, rmse, bias, ubrmse. The pairs: the product at the own cell against the
        report (what is published), and against the true moisture at the station; at the cube's nearest cell, the
        product against that cell's true moisture (the error of the product alone); the true moisture of that cell
        against the station's (another place, another soil); and the report against the true moisture at the station
        (the probe).
    """
    if study.truth is None:
        raise ValueError("nobody knows the true moisture of measured data: there is no budget of errors")
    seen, true = reported(study), _level(study.stations_truth)
    cell = at_stations(study.truth.sel(layer=1, drop=True), study.stations, valid=seen_land(study))
    own, near = made["own cell"], made["nearest"]
    pairs = [("own cell against report", name, own[name], seen) for name in PRODUCTS]
    pairs += [("own cell against truth at station", name, own[name], true) for name in PRODUCTS]
    pairs += [("nearest cell against truth of cell", name, near[name], cell) for name in PRODUCTS]
    pairs += [("truth of nearest cell against truth at station", "", cell, true),
              ("report against truth at station", "", seen, true)]
    rows = []
    for pair, name, made, against in pairs:
        found = station_scores(made, against, least).dropna()
        rows.append({"pair": pair, "product": name, "stations": len(found)} | found[list(SCORES)].median().to_dict())
    return pd.DataFrame(rows)


def skill_rows(scores, source, protocol="strict"):
    """Medians of `product_scores` as a skill table; a row a product, place and score."""
    names = {"r": "r", "rmse": "RMSE", "bias": "bias", "ubrmse": "ubRMSE"}
    rows = [{"study": "fusion", "source": source, "protocol": protocol, "model": product, "variant": place,
             "site": "all", "depth_m": 0.05, "lead_d": np.nan, "metric": names[name],
             "value": one[name].median(), "low": np.nan, "high": np.nan, "n": int(one[name].notna().sum())}
            for place, of in scores.items() for product, one in of.items() for name in SCORES]
    return pd.DataFrame(rows)


def leaders(table):
    """By network, the product that is ahead on average over land covers, printed and ours: DataFrame.

    `table` is of `by_cover`; ahead is the highest r, the least rmse, ubrmse and absolute bias.
    """
    rows = []
    for (network, metric), here in table[table["land_cover"] == "Average"].groupby(["network", "metric"], sort=False):
        here = here.set_index("product")
        ahead = {kind: (here[kind] if metric == "r" else -here[kind].abs()).idxmax() for kind in ("printed", "ours")}
        rows.append({"network": network, "metric": metric, **ahead, "same": ahead["printed"] == ahead["ours"]})
    return pd.DataFrame(rows)


def papers_apart(table):
    """Markdown on where the papers' Table 1 differ by more than rounding to two decimals; `table` is of `by_cover`."""
    both = table.dropna(subset="printed_2024")
    apart = both[(both["printed"] - both["printed_2024"]).abs() > 0.0051]
    said = "; ".join(f"{row.metric} of {row.product} at {row.network}, {row.land_cover.lower()}, {row.printed:g} "
                     f"against {row.printed_2024:g}" for row in apart.itertuples())
    verb = "differs" if len(apart) == 1 else "differ"
    return (f"Of the {len(both)} values that both papers print, {len(apart)} {verb} by more than rounding"
            + (f": {said} in the earlier one." if said else ".")).replace("-0", "−0")


def about(study):
    """The line about the data at the top of a page, as Markdown."""
    ny, nx = study.land.shape
    days = study.time
    never = 1 - seen_land(study).sum() / study.land.sum()
    return (f"**Data.** {study.kind.capitalize()}, contiguous United States, scale {study.scale}: {ny} × {nx} cells of "
            f"9 km (EASE-Grid 2.0), {study.land.sum():,} of them land, {100 * never:.0f} % of those without any "
            f"retrieval by SMAP; {days[0]} to {days[-1]}; {count(study.stations.sizes['site'], 'station')}.")


def beside(printed, ours, digits=None):
    """One text of a printed value and ours, "printed | ours"; one number where they are the same count."""
    if digits is None:
        return f"{printed}" if printed == ours else f"{printed} | {ours}"
    said = ["–" if np.isnan(v) else f"{v:.{digits}f}" for v in (printed, ours)]
    return " | ".join(said).replace("-", "−")


def counts_wide(table, index):
    """`station_counts` as a page shows them: rows `index`, a column a network and layer, "printed | ours"."""
    text = table.assign(text=[beside(p, n) for p, n in zip(table["printed"], table["ours"], strict=True)])
    rows = list(dict.fromkeys(text[index].itertuples(index=False, name=None)))
    wide = text.pivot(index=index, columns=["network", "layer_cm"], values="text")
    return wide.loc[rows].sort_index(axis=1).rename_axis(columns=["", "layer, cm"])


def cover_wide(table, network):
    """`by_cover` of a network as text: rows land cover and product, a column a score, "printed | ours"."""
    rows = table[table["network"] == network]
    digits = {"r": 2}
    text = rows.assign(text=[beside(p, n, digits.get(m, 3)) for p, n, m in
                             zip(rows["printed"], rows["ours"], rows["metric"], strict=True)])
    wide = text.pivot(index=["land_cover", "product"], columns="metric", values="text")
    order = list(dict.fromkeys(zip(rows["land_cover"], rows["product"], strict=True)))
    return wide.loc[order, list(SCORES)].rename_axis(columns=None)
