"""What the estimation study makes of a day: its networks beside the products that it fuses."""

import numpy as np
import pandas as pd

from smlib.conus.scenarios import LAYERS, STATE
from smlib.conus.skill import DEPTHS_M, cell_scores
from smlib.conus.stations import SCORES, at_stations, published, station_scores
from smlib.evaluate import COLUMNS

PRODUCTS = ("NLDAS-2", "DCA")


def estimate_fields(study, trained, layer, without):
    """All that says what the moisture of a layer is on the test days: dict of name -> (time, y, x), m3 m-3.

    The networks by scenario, the estimates `without` one (of `smlib.conus.baselines.estimate_baselines`), NLDAS-2, and
    for the surface DCA (NaN on days without a pass).
    """
    days = study.cube["time"].values[study.periods["test"]]
    found = {f"ConvLSTM {one.name}": got.made.sel(lead=0, time=days, drop=True).astype(np.float32).compute()
             for one, got in trained.items() if one.layer == layer}
    found |= without
    found["NLDAS-2"] = study.cube[STATE].isel(layer=layer - 1).sel(time=days).where(study.land).compute()
    if layer == 1:
        found["DCA"] = study.cube["soil_moisture_dca"].sel(time=days).where(study.land).compute()
    return found


def at_sites(study, fields, method="nearest"):
    """What fields have at the stations: dict of name -> (site, time)."""
    return {name: at_stations(field, study.stations, method, study.land) for name, field in fields.items()}


def observed_at(study, layer, true=False):
    """(site, time) of what stations report at the depth of a layer on the test days, or of what is `true` there."""
    days = study.cube["time"].values[study.periods["test"]]
    stations = study.stations_truth if true else study.stations
    return stations["soil_moisture"].isel(depth=layer - 1).sel(time=days).compute()


def scores_at(there, observed, least=60):
    """Scores by station of each of `at_sites`: dict of name -> DataFrame of `station_scores`."""
    return {name: station_scores(made, observed, least) for name, made in there.items()}


def table_3(scores_by_layer):
    """Means and medians over stations beside Table 3 of Rabiei et al. (2024), which does not say which it prints.

    Parameters
    ----------
    scores_by_layer : mapping of layer (1, 2) -> mapping of name -> DataFrame of `station_scores`

    Returns
    -------
    DataFrame
        Columns layer_cm, estimate, metric, mean, median, stations, printed (NaN for what is not in print)
    """
    printed = published("rabiei2024_table3_convlstm").astype({"scenario": str})
    printed = printed.melt(["layer_cm", "scenario"], SCORES, "metric", "printed")
    printed["estimate"] = "ConvLSTM S" + printed["scenario"]
    rows = [{"layer_cm": LAYERS[layer - 1].removesuffix(" cm"), "estimate": name, "metric": metric,
             "mean": one[metric].mean(), "median": one[metric].median(), "stations": int(one[metric].notna().sum())}
            for layer, scores in scores_by_layer.items() for name, one in scores.items() for metric in SCORES]
    return pd.DataFrame(rows).merge(printed.drop(columns="scenario"), "left", ["layer_cm", "estimate", "metric"])


def against_truth(study, fields, layer, draws=1000, seed=0):
    """`cell_scores` of estimates against the true moisture of every cell, where all of them have a value.

    Skill is against each of the products; None where nobody knows the truth.
    """
    if study.truth is None:
        return None
    truth = study.truth.isel(layer=layer - 1).where(study.land)
    truth = truth.sel(time=fields["NLDAS-2"]["time"]).compute()
    same = np.logical_and.reduce([np.isfinite(field.values) for field in fields.values()])
    shaped = {name: field.where(same).expand_dims(lead=[0], axis=1) for name, field in fields.items()}
    products = tuple(name for name in PRODUCTS if name in fields)
    return cell_scores(shaped, truth, draws, seed, products).drop(columns="lead_d")


def gain_between(scores, first, second, metric="r", draws=1000, seed=0):
    """Mean difference over stations, second less first, and its 95 % interval over stations: (value, low, high)."""
    apart = (scores[second][metric] - scores[first][metric]).dropna().to_numpy()
    if len(apart) < 2:
        return float(apart.mean()) if len(apart) else np.nan, np.nan, np.nan
    drawn = np.random.default_rng(seed).choice(apart, (draws, len(apart))).mean(1)
    return float(apart.mean()), *map(float, np.quantile(drawn, [0.025, 0.975]))


def skill_rows(scores_by_layer, truths, source, protocol="strict"):
    """Medians over stations, and skill against the truth of all cells, as rows of a run's skill table."""
    names, rows = {"r": "r", "rmse": "RMSE", "bias": "bias", "ubrmse": "ubRMSE"}, []
    base = {"study": "fusion", "source": source, "protocol": protocol, "site": "all", "lead_d": 0}
    for layer, scores in scores_by_layer.items():
        for name, one in scores.items():
            model, _, scenario = name.partition(" ")
            here = base | {"model": model, "variant": f"{scenario} at stations".strip(), "depth_m": DEPTHS_M[layer - 1]}
            rows += [here | {"metric": names[metric], "value": one[metric].median(), "low": np.nan, "high": np.nan,
                             "n": int(one[metric].notna().sum())} for metric in SCORES]
    for layer, table in truths.items():
        for _, row in (table if table is not None else pd.DataFrame()).iterrows():
            model, _, scenario = row["method"].partition(" ")
            here = base | {"model": model, "variant": f"{scenario} against truth".strip(),
                           "depth_m": DEPTHS_M[layer - 1], "n": row["n"]}
            rows.append(here | {"metric": "RMSE", "value": row["rmse"], "low": np.nan, "high": np.nan})
            rows += [here | {"metric": f"skill_{other}", "value": row[f"skill_{other}"], "low": row[f"low_{other}"],
                             "high": row[f"high_{other}"]}
                     for other in PRODUCTS if np.isfinite(row.get(f"skill_{other}", np.nan))]
    return pd.DataFrame(rows)[list(COLUMNS)]
