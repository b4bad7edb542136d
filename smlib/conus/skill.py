"""What the networks are worth: beside forecasts without one, against the land model, the truth and stations."""

import numpy as np
import pandas as pd

from smlib.conus.scenarios import LAYERS, LEADS, STATE
from smlib.conus.stations import (
    at_stations,
    classes,
    forecast_at,
    quartiles,
    share_below,
    skill_by_lead,
    station_scores,
)
from smlib.data.patches import issue_days
from smlib.evaluate import COLUMNS
from smlib.evaluate.bootstrap import block_weights

REFERENCES = ("persistence", "climatology")
SCENARIOS = ("S1", "S2", "S3", "S4")
DEPTHS_M = (0.05, 0.25, 0.7)


def issues_of_test(study, leads=LEADS):
    """Days of issue whose lookback and targets all lie in the test period."""
    test = study.periods["test"]
    return issue_days(test.start, test.stop, leads=leads)


def network_forecasts(study, trained, layer, leads=LEADS):
    """The test forecasts of the networks of a layer: dict of scenario's name -> (time, lead, y, x)."""
    days = study.cube["time"].values[issues_of_test(study, leads)]
    return {one.name: got.made.sel(time=days).astype(np.float32).compute()
            for one, got in trained.items() if one.layer == layer}


def reference_field(study, layer, against="NLDAS-2"):
    """(time, y, x) of what forecasts of a layer are judged by on the grid: the land model, or the truth."""
    if against not in ("NLDAS-2", "truth"):
        raise ValueError(f"against must be NLDAS-2 or truth, not {against!r}")
    field = study.cube[STATE] if against == "NLDAS-2" else study.truth
    return field.isel(layer=layer - 1).where(study.land).compute()


def cell_scores(forecasts, reference, draws=1000, seed=0, references=REFERENCES):
    """Scores over all land cells by method and lead.

    Parameters
    ----------
    forecasts : mapping of name -> (time, lead, y, x), ``time`` the issue day
    reference : (time, y, x), as from `reference_field`
    draws : of a moving-block bootstrap over days, blocks of 30
    references : those of the methods that skill is against

    Returns
    -------
    DataFrame
        Columns method, lead_d, rmse and bias (over all cells and days), median_rmse, median_r, median_ubrmse (of the
        cells), and skill_NAME = 1 - MSE / MSE of each reference with low_NAME and high_NAME, its 95 % interval
    """
    rows = []
    leads = next(iter(forecasts.values()))["lead"].values
    for lead in leads:
        errors = {}
        for name, made in forecasts.items():
            part = made.sel(lead=lead)
            true = reference.sel(time=part["time"] + np.timedelta64(int(lead), "D")).values.astype(float)
            errors[name] = (part.values - true, part.values.astype(float), true)
        weights = None
        for name, (error, made, true) in errors.items():
            both = np.isfinite(error)
            row = {"method": name, "lead_d": int(lead), "rmse": float(np.sqrt(np.mean(error[both] ** 2))),
                   "bias": float(error[both].mean()), "n": int(both.sum())}
            row |= _by_cell(made, true)
            for other in references:
                if other not in errors:
                    continue
                against = errors[other][0]
                shared = both & np.isfinite(against)
                own, ref = (np.where(shared, e, 0).astype(float) ** 2 for e in (error, against))
                own, ref = own.sum((1, 2)), ref.sum((1, 2))
                if weights is None:
                    weights = block_weights(len(own), draws, seed=seed)
                drawn = 1 - (weights @ own) / (weights @ ref)
                row[f"skill_{other}"] = 1 - own.sum() / ref.sum()
                row[f"low_{other}"], row[f"high_{other}"] = np.quantile(drawn, [0.025, 0.975])
            rows.append(row)
    return pd.DataFrame(rows)


def _by_cell(made, true):
    """Medians over cells of RMSE, r and ubRMSE over days."""
    both = np.isfinite(made) & np.isfinite(true)
    n = both.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        m, t = (np.where(both, v, 0).sum(0) / n for v in (made, true))
        dm, dt = (np.where(both, v - mean, 0) for v, mean in ((made, m), (true, t)))
        mse = np.where(both, (made - true) ** 2, 0).sum(0) / n
        spread = (dm**2).sum(0) * (dt**2).sum(0)
        # Where a forecast does not vary, as persistence of frozen ground, r is not defined.
        r = np.where(spread > 1e-12, (dm * dt).sum(0) / np.sqrt(np.where(spread > 0, spread, 1)), np.nan)
    seen = n > 0
    return {"median_rmse": float(np.median(np.sqrt(mse[seen]))),
            "median_r": float(np.nanmedian(r[seen])) if np.isfinite(r[seen]).any() else np.nan,
            "median_ubrmse": float(np.median(np.sqrt(np.maximum(mse - (m - t) ** 2, 0)[seen])))}


def station_table(study, forecasts, layer, leads=LEADS, method="nearest", least=60):
    """Scores at every station by method and lead: DataFrame method, lead_d, site, n, r, rmse, bias, ubrmse."""
    observed = study.stations["soil_moisture"].isel(depth=layer - 1).compute()
    parts = []
    for name, made in forecasts.items():
        there = at_stations(made, observed, method, study.land)
        for lead in leads:
            parts.append(station_scores(*forecast_at(there, observed, lead), least).reset_index(names="site").assign(
                method=name, lead_d=lead))
    return pd.concat(parts, ignore_index=True)


def station_skill(study, forecasts, layer, references=REFERENCES, draws=1000, seed=0):
    """Skill at stations by method and lead with intervals over stations: that of `skill_by_lead` for each reference."""
    observed = study.stations["soil_moisture"].isel(depth=layer - 1).compute()
    errors = {}
    for name, made in forecasts.items():
        there = at_stations(made, observed, "nearest", study.land)
        errors[name] = {}
        for lead in made["lead"].values:
            one, seen = forecast_at(there, observed, int(lead))
            errors[name][int(lead)] = one - seen
    return pd.concat([skill_by_lead(error, errors[other], draws, seed).assign(method=name, reference=other)
                      for name, error in errors.items() for other in references if name != other], ignore_index=True)


def tables_5(study, stations):
    """Quartiles over stations of the forecasts one day ahead by layer and scenario, the printed ones beside."""
    parts = []
    for layer, table in stations.items():
        one_day, depth = table[table["lead_d"] == 1], LAYERS[layer - 1].removesuffix(" cm")
        for name in ("S1", "S2", "S3"):
            one = one_day[one_day["method"] == name].set_index("site")
            if len(one):
                found = quartiles(one, classes(study.stations, layer), depth, name)
                parts.append(found.assign(layer_cm=depth, scenario=name))
    table = pd.concat(parts, ignore_index=True)
    return table[["layer_cm", "scenario", *(c for c in table.columns if c not in ("layer_cm", "scenario"))]]


def below_by_lead(stations, threshold=0.04):
    """Share of stations with an ubRMSE below a threshold: DataFrame layer, method, and a column a lead."""
    rows = [{"layer": LAYERS[layer - 1], "method": name} |
            {f"{lead} d": share_below(one, threshold) for lead, one in here.groupby("lead_d")}
            for layer, table in stations.items() for name, here in table.groupby("method", sort=False)]
    return pd.DataFrame(rows)


def wide(cells, against):
    """All layers' `cell_scores` against one reference as one table."""
    return pd.concat([one[against].assign(layer=LAYERS[layer - 1]) for layer, one in cells.items()],
                     ignore_index=True).set_index(["layer", "method", "lead_d"]).drop(columns="n").reset_index()


def loss_table(study, trained, leads=LEADS, draws=200):
    """`cell_scores` against NLDAS-2 of surface networks that differ in the loss: mapping of its form -> `Trained`."""
    made = {form: network_forecasts(study, {one.scenario: one}, 1, leads)[one.scenario.name] for form, one in
            trained.items()}
    return cell_scores(made, reference_field(study, 1), draws, references=())


def skill_rows(cells, stations, at_stations_skill, source, protocol="strict"):
    """Scores of all layers as rows of a run's skill table.

    Parameters
    ----------
    cells : mapping of layer -> mapping of "NLDAS-2" and "truth" -> DataFrame of `cell_scores`
    stations : mapping of layer -> DataFrame of `station_table`
    at_stations_skill : mapping of layer -> DataFrame of `station_skill`
    """
    rows = []
    base = {"study": "forecast", "source": source, "protocol": protocol, "site": "all"}

    def row(name, layer, lead, variant, metric, value, n, low=np.nan, high=np.nan):
        model, scenario = ("ConvLSTM", f"{name}, ") if name in SCENARIOS else (name, "")
        rows.append(base | {"model": model, "variant": scenario + variant, "depth_m": DEPTHS_M[layer - 1],
                            "lead_d": lead, "metric": metric, "value": value, "low": low, "high": high, "n": n})

    for layer, tables in cells.items():
        for against, table in tables.items():
            for _, r in table.iterrows():
                at = r["method"], layer, r["lead_d"], f"against {against}"
                row(*at, "RMSE", r["rmse"], r["n"])
                row(*at, "bias", r["bias"], r["n"])
                row(*at, "r", r["median_r"], r["n"])
                for other in REFERENCES:
                    if np.isfinite(r.get(f"skill_{other}", np.nan)) and other != r["method"]:
                        row(*at, f"skill_{other}", r[f"skill_{other}"], r["n"], r[f"low_{other}"], r[f"high_{other}"])
    for layer, table in stations.items():
        for (name, lead), one in table.groupby(["method", "lead_d"], sort=False):
            for metric, written in (("r", "r"), ("rmse", "RMSE"), ("bias", "bias"), ("ubrmse", "ubRMSE")):
                row(name, layer, lead, "at stations", written, one[metric].median(), int(one[metric].notna().sum()))
    for layer, table in at_stations_skill.items():
        for _, r in table.iterrows():
            row(r["method"], layer, r["lead_d"], "at stations", f"skill_{r['reference']}", r["value"], r["n"], r["low"],
                r["high"])
    return pd.DataFrame(rows)[list(COLUMNS)]
