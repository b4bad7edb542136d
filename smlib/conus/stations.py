"""Fields on a grid against what stations report: which cell, which day, scores, and the papers' printed ones beside.

Depths 1, 2, 3 of a station (about 5, 20 and 50 cm) stand for the layers 0-10, 10-40 and 40-100 cm.
"""

import numpy as np
import pandas as pd
import xarray as xr
from pyproj import Geod
from sklearn.neighbors import BallTree

from smlib.data.ease import metres
from smlib.data.schema import DataError
from smlib.evaluate.credibility import PRINTED_COVERS, against_stations
from smlib.evaluate.metrics import METRICS
from smlib.paths import DATA

SCORES = ("r", "rmse", "bias", "ubrmse")
LAYERS = ("0-10", "10-40", "40-100")  # cm
KINDS = ("coarse", "medium", "fine")
NAMES = {"r": "r", "RMSE": "rmse", "bias": "bias", "ubRMSE": "ubrmse"}
_AROUND = Geod(ellps="WGS84")


# which cell, which day ----------------------------------------------------------------------------------------------

def at_stations(field, stations, method="nearest", valid=None):
    """What a field has at stations.

    Parameters
    ----------
    field : DataArray (..., y, x) with the coordinates lat (y) and lon (x), degrees; chunked input is read by chunk
    stations : Dataset with the coordinates lat and lon (site), degrees
    method : "nearest" or "bilinear"
        The valid cell whose centre is nearest; or bilinear between the four centres around, in the metres of
        EASE-Grid 2.0, over those of the four that are valid, their weights made to sum to 1.
    valid : (y, x) bool, optional
        Cells that count: those that ever have a value if not given. Give land to read several fields at one cell.

    Returns
    -------
    DataArray (..., site, time)
        With the coordinates of `stations` along site, and distance_km to the (nearest used) cell's centre. A day on
        which a used cell has no value is NaN: the others would have another mean. NaN, too, at a station with no
        valid cell around it ("bilinear"); one beyond the outermost centres has the value at the edge.
    """
    if method not in ("nearest", "bilinear"):
        raise ValueError(f"no method {method!r}; there are nearest, bilinear")
    for name in ("lat", "lon"):
        if name not in field.coords or field[name].ndim != 1:
            raise DataError("must be a coordinate along one axis of the grid", variable=name)
    others = [d for d in field.dims if d not in ("y", "x")]
    if valid is None:
        valid = field.notnull().any(others).transpose("y", "x").values if others else field.notnull().values
    valid = np.asarray(valid, bool)
    if not valid.any():
        raise DataError("has no valid cell", variable=str(field.name or "field"))
    find = _nearest if method == "nearest" else _around
    rows, columns, weights = find(field, stations, valid)
    total = weights.sum(0)
    found = 0.0
    for row, column, weight in zip(rows, columns, weights / np.where(total > 0, total, np.nan), strict=True):
        part = field.isel(y=xr.DataArray(row, dims="site"), x=xr.DataArray(column, dims="site"))
        weight = xr.DataArray(weight, dims="site")
        found = found + xr.where(weight == 0, 0.0, part * weight)
    km = _km(stations, field["lat"].values[rows], field["lon"].values[columns])
    km = np.where(weights > 0, km, np.inf).min(0)
    along = {name: c.variable for name, c in stations.coords.items() if c.dims == ("site",)}
    last = [d for d in ("site", "time") if d == "site" or d in others]
    found = found.drop_vars(["lat", "lon"], errors="ignore").transpose(*[d for d in others if d != "time"], *last)
    return found.assign_coords(along | {"distance_km": ("site", np.where(np.isfinite(km), km, np.nan))}).compute()


def _nearest(field, stations, valid):
    """Rows, columns and weights (1, site) of the nearest valid cells."""
    cells = np.argwhere(valid)
    centres = np.column_stack([field["lat"].values[cells[:, 0]], field["lon"].values[cells[:, 1]]])
    here = np.column_stack([stations["lat"].values, stations["lon"].values])
    at = BallTree(np.radians(centres), metric="haversine").query(np.radians(here), return_distance=False)[:, 0]
    return cells[at, 0][None], cells[at, 1][None], np.ones((1, len(at)))


def _around(field, stations, valid):
    """Rows, columns and weights (4, site) of the cells around, the weights of invalid ones 0."""
    if min(valid.shape) < 2:
        raise DataError("bilinear takes at least two rows and two columns", variable=str(field.name or "field"))
    sides = []
    for axis, at in zip(metres(field["lat"].values, field["lon"].values)[::-1],
                        metres(stations["lat"].values, stations["lon"].values)[::-1], strict=True):
        sign = np.sign(axis[1] - axis[0])
        first = np.clip(np.searchsorted(sign * axis, sign * at) - 1, 0, len(axis) - 2)
        share = np.clip((at - axis[first]) / (axis[first + 1] - axis[first]), 0, 1)
        sides.append(((first, 1 - share), (first + 1, share)))
    corners = [(row, column, a * b) for row, a in sides[0] for column, b in sides[1]]
    rows, columns, weights = (np.array(part) for part in zip(*corners, strict=True))
    return rows, columns, np.where(valid[rows, columns], weights, 0.0)


def _km(stations, lat, lon):
    """Distance of stations (site,) to places (corner, site), km."""
    here = [np.broadcast_to(stations[name].values, lat.shape) for name in ("lon", "lat")]
    return _AROUND.inv(*here, lon, lat)[2] / 1000


def forecast_at(field, observed, lead, method="nearest", valid=None):
    """A forecast and what stations report on the days that it is for.

    Parameters
    ----------
    field : DataArray (time, y, x), (site, time), or with a dim lead of days
        `time` is the day of issue, the last whose data the forecast knows.
    observed : DataArray (site, time)
    lead : int, days
    method, valid : of `at_stations`

    Returns
    -------
    made, observed : DataArray (site, time)
        On the days that both have, `time` being the day that the forecast is for: issue + `lead`.
    """
    if "lead" in field.dims:
        if lead not in field["lead"].values:
            raise ValueError(f"no forecast {lead} days ahead; there are {', '.join(map(str, field['lead'].values))}")
        field = field.sel(lead=lead, drop=True)
    if {"y", "x"} <= set(field.dims):
        field = at_stations(field, observed, method, valid)
    made = field.assign_coords(time=field["time"] + np.timedelta64(int(lead), "D"))
    made, observed = xr.align(made, observed, join="inner")
    return made.transpose("site", "time"), observed.transpose("site", "time")


# scores -------------------------------------------------------------------------------------------------------------

def station_scores(made, observed, least=60):
    """Scores at every station over the days that both have: DataFrame by site, n, r, rmse, bias, ubrmse.

    Of `made` (site, time) against `observed` (site, time), m3 m-3; bias is made - observed. With fewer than `least`
    days the scores are NaN.
    """
    made, observed = xr.align(made.astype(float), observed.astype(float), join="inner")
    made, observed = made.transpose("site", "time"), observed.transpose("site", "time")
    n = (made.notnull() & observed.notnull()).sum("time").to_series()
    found = against_stations({"": made}, observed, max(least, 1)).set_index("site").rename(columns=NAMES)
    return pd.DataFrame({"n": n}).join(found[list(SCORES)])


def pooled_scores(made, observed):
    """n, r, rmse, bias, ubrmse (dict) over all station-days that both (site, time) have, pooled."""
    made, observed = xr.align(made.astype(float), observed.astype(float), join="inner")
    n = int((made.notnull() & observed.notnull()).sum())
    return {"n": n} | {name: float(METRICS[metric](made, observed, ["site", "time"], missing="drop"))
                       for metric, name in NAMES.items()}


def share_below(scores, threshold=0.04, metric="ubrmse"):
    """Share of the scored stations whose `metric` is below `threshold`, m3 m-3 (SMAP's aim: ubRMSE 0.04)."""
    values = scores[metric].dropna()
    return float((values < threshold).mean()) if len(values) else np.nan


def skill_by_lead(errors, reference, draws=1000, seed=0):
    """Skill 1 - MSE / MSE of a reference by lead, with 95 % intervals over stations.

    Parameters
    ----------
    errors, reference : mapping of lead -> DataArray (site, time) of made - observed, m3 m-3
        Scored are the station-days that both have, all together.
    draws : int
        Of the bootstrap: stations are drawn, each with its whole series, so that neither days nor depths of one are
        taken for independent. What neighbouring stations have in common is not accounted for.

    Returns
    -------
    DataFrame
        Columns lead_d, value, low, high, n (station-days) and stations
    """
    rows = []
    for lead, model in errors.items():
        model, against = xr.align(model.astype(float), reference[lead].astype(float), join="inner")
        both = model.notnull() & against.notnull()
        n = both.sum("time").values
        own, other = ((part**2).where(both).sum("time").values[n > 0] for part in (model, against))
        row = {"lead_d": lead, "value": np.nan, "low": np.nan, "high": np.nan, "n": int(n.sum()), "stations": len(own)}
        if other.sum() > 0:
            row["value"] = 1 - own.sum() / other.sum()
        if len(own) > 1 and (other > 0).all():
            drawn = np.random.default_rng(seed).multinomial(len(own), np.full(len(own), 1 / len(own)), draws)
            row["low"], row["high"] = np.quantile(1 - (drawn @ own) / (drawn @ other), [0.025, 0.975])
        rows.append(row)
    return pd.DataFrame(rows)


# classes and print --------------------------------------------------------------------------------------------------

def published(name):
    """One of the papers' tables of `data/published`, such as "rabiei2025_table4_station_textures"."""
    return pd.read_csv(DATA / "published" / f"{name}.csv")


def classes(stations, layer=1):
    """Classes of stations at a layer (1, 2, 3): DataFrame by site.

    Columns: network; cover, the group of Table A1 of Rabiei et al. (2025); land_cover, IGBP's name; texture, of the 12
    USDA classes; texture_class coarse, medium or fine, as Table 4 groups them.
    """
    for name in ("network", "cover_group", "land_cover", f"texture_{layer}"):
        if name not in stations.coords:
            raise DataError("is not among the coordinates of the stations", variable=name)
    groups = published("rabiei2025_table4_station_textures").drop_duplicates("texture").set_index("texture")["class"]
    names = {"network": "network", "cover": "cover_group", "land_cover": "land_cover", "texture": f"texture_{layer}"}
    found = pd.DataFrame({key: stations[name].values.astype(object) for key, name in names.items()},
                         index=pd.Index(stations["site"].values, name="site"))
    unknown = set(found["texture"]) - set(groups.index)
    if unknown:
        raise DataError(f"{', '.join(sorted(map(str, unknown)))}: not of the 12 USDA classes",
                        variable=f"texture_{layer}")
    return found.assign(texture_class=found["texture"].map(groups).str.lower())


def printed_by_cover():
    """Table 1 of Rabiei et al. (2025), and of (2024): land_cover, network, product, metric, printed, printed_2024.

    The earlier one has two of the four products and no averages.
    """
    later = published("rabiei2025_table1_products_vs_in_situ").rename(columns={"value": "printed"})
    earlier = published("rabiei2024_table1_products_vs_in_situ").replace(
        {"land_cover": {"Open and Closed Shrubland": "Open/Closed Shrublands"}})
    keys = ["land_cover", "network", "product"]
    return later.merge(earlier.melt(keys, SCORES, "metric", "printed_2024"), "left", [*keys, "metric"])


def by_cover(scores, classes):
    """Means over stations by land cover beside Table 1 of both papers.

    Parameters
    ----------
    scores : mapping of product -> DataFrame of `station_scores`
    classes : DataFrame of `classes`

    Returns
    -------
    DataFrame
        Columns land_cover (as Table 1 names it; forest is not in it), network, product, metric, ours, n (stations),
        printed and printed_2024, NaN where there is none. For "Average", the mean over the land covers.
    """
    long = pd.concat({name: one[list(SCORES)] for name, one in scores.items()}, names=["product"]).reset_index()
    long = long.join(classes[["network", "land_cover"]], on="site")
    long["land_cover"] = long["land_cover"].map(PRINTED_COVERS)
    keys = ["land_cover", "network", "product", "metric"]
    ours = long.melt(["site", *keys[:-1]], SCORES, "metric").dropna().groupby(keys)["value"].agg(ours="mean", n="size")
    average = ours.groupby(keys[1:]).agg({"ours": "mean", "n": "sum"})
    ours = pd.concat([ours, pd.concat({"Average": average}, names=keys[:1])]).reset_index()
    printed = printed_by_cover()
    printed = printed[printed["product"].isin(list(scores))]
    table = printed.merge(ours, "outer", keys)
    places = {name: k for k, name in enumerate(printed_by_cover()["land_cover"].unique())}
    order = [places, {name: k for k, name in enumerate(("SCAN", "USCRN"))},
             {name: k for k, name in enumerate(scores)}, {name: k for k, name in enumerate(SCORES)}]
    rank = {key: table[key].map(of) for key, of in zip(keys, order, strict=True)}
    table = table.iloc[np.lexsort([rank[key] for key in keys[::-1]])].reset_index(drop=True)
    return table[[*keys, "ours", "n", "printed", "printed_2024"]]


def quartiles(scores, classes, layer=None, scenario=None):
    """Quartiles over stations of r, ubrmse and bias by network, as in Table 5 of Rabiei et al. (2025).

    Returns a DataFrame with network, metric, q1, median, q3 and n; with `layer` ("0-10" and so on) and `scenario` ("S1"
    to "S3") also printed_q1, printed_median, printed_q3 of the paper's forecast one day ahead.
    """
    rows = scores.join(classes["network"]).melt("network", ["r", "ubrmse", "bias"], "metric").dropna()
    table = rows.groupby(["network", "metric"], sort=False)["value"].quantile([0.25, 0.5, 0.75]).unstack()
    table = table.set_axis(["q1", "median", "q3"], axis=1).assign(
        n=rows.groupby(["network", "metric"], sort=False).size()).reset_index()
    if layer is None:
        return table
    printed = published("rabiei2025_table5_one_day_forecast_quartiles")
    printed = printed[(printed["layer_cm"] == layer) & (printed["scenario"] == scenario)]
    if printed.empty:
        raise ValueError(f"Table 5 has no layer {layer!r} with scenario {scenario!r}")
    names = {name: f"printed_{name}" for name in ("q1", "median", "q3")}
    return table.merge(printed.drop(columns=["layer_cm", "scenario"]).rename(columns=names), "left",
                       ["network", "metric"])


def station_counts(stations):
    """Stations by class beside print: mapping of "texture" (Table 4) and "cover" (Table A1) -> DataFrame.

    Each has the printed table's columns with its n named printed, and ours; `cover` counts by texture class too.
    """
    own = pd.concat({name: classes(stations, k) for k, name in enumerate(LAYERS, 1)}, names=["layer_cm"]).reset_index()
    found = {}
    for key, name, keys in (("texture", "table4_station_textures", ["texture", "network", "layer_cm"]),
                            ("cover", "tableA1_station_land_cover",
                             ["land_cover", "layer_cm", "texture_class", "network"])):
        rows = own if key == "texture" else own.assign(land_cover=own["cover"])
        ours = rows.groupby(keys).size().rename("ours")
        printed = published(f"rabiei2025_{name}").rename(columns={"n": "printed"})
        found[key] = printed.join(ours, on=keys).fillna({"ours": 0}).astype({"ours": int})
    return found
