"""The station study's tables: skill, cost, forecasts, and what each level was trained on."""

import numpy as np
import pandas as pd

from smlib.data.schema import level_name
from smlib.evaluate.significance import compare
from smlib.evaluate.skill import COLUMNS, over_sites, score
from smlib.models import BASELINES

STUDY = "stations"


def skill_table(forecasts, *, source, protocol, draws=1000, seed=0):
    """The skill table of many `Forecasts`: each level of each site, then the mean over sites (``site = all``).

    Its models are entrants; `smlib.evaluate.tidy` makes of it what the results keep.
    """
    tables = []
    for f in forecasts:
        table = score(f.values, f.observed, f.leads, draws=draws, seed=seed)
        s = f.series
        tables.append(table.assign(study=STUDY, source=source, protocol=protocol, variant=s.variant, site=s.site,
                                   depth_m=s.depth_m))
    skill = pd.concat(tables, ignore_index=True)[list(COLUMNS)]
    return pd.concat([skill, over_sites(skill, draws, seed)], ignore_index=True)


def cost_table(fits, device):
    """The tidy cost table from `Study.fits`: each model's mean over levels, targets and repetitions.

    fit_s and forecast_s are seconds of one core (of the device, on a GPU); seconds_per_100_epochs is a member's share
    of the ensemble that it was trained in; epochs counts those trained, best_epoch the one kept; bytes are those of the
    weights, or of the pickled estimator.
    """
    fits = fits.assign(seconds_per_100_epochs=100 * fits["fit_s"] / fits["epochs"])
    metrics = ["fit_s", "forecast_s", "seconds_per_100_epochs", "epochs", "best_epoch", "parameters", "bytes"]
    mean = fits.groupby("model", sort=False)[metrics].mean().melt(ignore_index=False, var_name="metric").dropna()
    return mean.reset_index().assign(study=STUDY, device=str(device))[["study", "model", "device", "metric", "value"]]


def compare_pairs(forecasts, pairs):
    """`smlib.evaluate.compare` for several (model, reference); an empty table for none."""
    tables = [compare(forecasts, model, reference) for model, reference in pairs]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def forecast_table(forecasts):
    """Every forecast as a row: site, level, depth_m, variant, model, lead_d, time (the target day), forecast, observed.

    In m3 m-3; repetitions of a model are averaged.
    """
    tables = []
    for f in forecasts:
        for model, values in f.values.items():
            for k, lead in enumerate(f.leads):
                tables.append(pd.DataFrame({
                    "site": f.series.site, "level": f.series.level, "depth_m": f.series.depth_m,
                    "variant": f.series.variant, "model": model,
                    "lead_d": lead, "time": f.origins + np.timedelta64(lead, "D"),
                    "forecast": values[:, :, k].mean(axis=0), "observed": f.observed[:, k]}))
    return pd.concat(tables, ignore_index=True)


def level_table(forecasts):
    """What each level was trained on: windows and periods of train, validation and test, origins, inputs it lacks."""
    rows = []
    for f in forecasts:
        row = {"site": f.series.site, "level": f.series.label, "inputs": len(f.series.features),
               "absent": ", ".join(f.series.absent)}
        for name, (first, last) in f.periods.items():
            row[name] = f"{first} to {last}"
            row[f"{name}_windows"] = f.samples[name]
        rows.append(row | {"origins": len(f.origins)})
    return pd.DataFrame(rows)


def best_forecasts(forecasts, skill, site, lead, count=2):
    """Forecasts of a site's top level at one lead, by persistence and the `count` models with the least RMSE there.

    Parameters
    ----------
    forecasts, skill : DataFrame
        From `forecast_table` and `skill_table`.

    Returns
    -------
    forecasts : DataFrame
        Columns model, time, forecast.
    observed : DataArray (time)
    title : str
        Names site, level and lead.
    """
    here = forecasts[(forecasts["site"] == site) & (forecasts["lead_d"] == lead)]
    top = here[here["level"] == here["level"].min()]
    level, depth, variant = top[["level", "depth_m", "variant"]].iloc[0]
    rows = skill[(skill["site"] == site) & (skill["lead_d"] == lead) & (skill["metric"] == "RMSE") & (skill["n"] > 0)
                 & (skill["variant"] == variant) & (skill["depth_m"].eq(depth) | np.isnan(depth))
                 & ~skill["model"].isin(BASELINES)]
    shown = top[top["model"].isin(["persistence", *rows.nsmallest(count, "value")["model"]])]
    observed = top.drop_duplicates("time").set_index("time")["observed"].to_xarray()
    return shown[["model", "time", "forecast"]], observed, f"{site}, {level_name(level, depth)}, {lead} days ahead"
