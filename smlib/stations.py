"""The station study: from one canonical dataset to forecasts of every model at every level, scored on the same days."""

import time
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from smlib.data.schema import DataError, level_name
from smlib.data.windows import LOOKBACK, WindowScaler, all_series, lag_windows, origins_between, split
from smlib.evaluate.skill import COLUMNS, over_sites, score
from smlib.models import BASELINES, MODELS, build, is_network, is_random
from smlib.rollout import roll_out
from smlib.train import pick_device

STUDY = "stations"
PROTOCOLS = ("strict", "paper")
MIN_ORIGINS = 30  # fewer test days say nothing about a model, least of all with errors that last for days


@dataclass(frozen=True)
class Forecasts:
    """What the models said about one level of one site.

    Attributes
    ----------
    series : Series
    values : mapping of model -> (repetition, origin, lead), m3 m-3
    observed : (origin, lead), m3 m-3
    origins : (origin,) datetime64[D], the last day whose moisture was known
    leads : days ahead
    periods : mapping of train, validation, test -> (first, last) target day
    samples : mapping of train, validation, test -> number of windows
    costs : DataFrame model, repetition, metric, value
    history : DataFrame model, repetition, epoch, train_loss, validation_loss, seconds; of the networks
    """

    series: object
    values: dict
    observed: np.ndarray
    origins: np.ndarray
    leads: tuple
    periods: dict
    samples: dict
    costs: pd.DataFrame
    history: pd.DataFrame


def check_settings(*, models, leads, lookback, repetitions, draws, epochs, patience, device, protocol, seed):
    """Raise `ValueError` for a setting that cannot work, before anything is trained."""
    def require(condition, rule):
        if not condition:
            raise ValueError(rule)

    unknown = [m for m in models if m not in MODELS]
    require(not unknown, f"unknown models {unknown}; known: {', '.join(MODELS)}")
    require(len(set(models)) == len(models), f"models must not repeat: {models}")
    require("persistence" in models and set(models) - set(BASELINES),
            "models must hold persistence, without which no table means anything, and one that is no baseline")
    require(leads and all(isinstance(x, int) and x >= 1 for x in leads) and len(set(leads)) == len(leads),
            f"leads must be different whole numbers of days from 1, not {leads}")
    for name, value in (("lookback", lookback), ("repetitions", repetitions), ("epochs", epochs),
                        ("patience", patience)):
        require(value >= 1, f"{name} must be at least 1, not {value}")
    require(draws >= 100, f"draws must be at least 100 for a 95 % interval, not {draws}")
    require(protocol in PROTOCOLS, f"unknown protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    require(seed >= 0, f"seed must be at least 0, not {seed}")
    try:
        torch.empty(0, device=pick_device(device))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"no device {device!r} here: {str(error).splitlines()[0]}") from None


def seed_of(seed, *names):
    """A seed for one fit that depends on what it is for, and not on what was fitted before it."""
    return int(np.random.SeedSequence([seed, *(zlib.crc32(str(n).encode()) for n in names)]).generate_state(1)[0])


def forecast_series(series, *, models=tuple(MODELS), leads=(1, 3, 7), lookback=LOOKBACK, protocol="strict",
                    repetitions=1, seed=0, network=None):
    """Fit every model on one level and forecast its test period (Wang et al. 2024, Sect. 3).

    Parameters
    ----------
    protocol : str
        ``strict``: scaler fitted on the training windows, checkpoint judged on the whole validation set. ``paper``: as
        in the published code, scaler fitted on the whole series and checkpoint judged on one random batch of 50.
    repetitions : int
        Fits of each model that draws random numbers.
    network : mapping
        Settings of the networks' training (epochs, patience, device, ...).
    """
    windows = lag_windows(series, lookback)
    parts = split(windows)
    origins = origins_between(series, parts["test"].time[0], parts["test"].time[-1], leads, lookback)
    if len(origins) < MIN_ORIGINS:
        raise DataError(f"{len(origins)} test days have all that a forecast needs; {MIN_ORIGINS} are needed",
                        file=series.site)
    scaler = WindowScaler().fit(parts["train"] if protocol == "strict" else windows)
    train, validation = scaler.transform(parts["train"]), scaler.transform(parts["validation"])
    inputs = scaler.transform_origins(origins)
    network = dict(network or {}) | ({"validation_batch": 50} if protocol == "paper" else {})

    values, costs, history = {}, [], []
    for name in models:
        runs = []
        for repetition in range(repetitions if is_random(name) else 1):
            fit_seed = seed_of(seed, series.site, series.level, name, repetition)
            model = build(name, fit_seed, **(network if is_network(name) else {}))
            start = time.perf_counter()
            model.fit(train, validation)
            fitted = time.perf_counter()
            runs.append(scaler.inverse(roll_out(model, inputs)))
            costs += [(name, repetition, "fit_s", fitted - start),
                      (name, repetition, "forecast_s", time.perf_counter() - fitted)]
            if is_network(name):
                history.append(model.history_.assign(model=name, repetition=repetition))
                size = sum(p.numel() for p in model.network_.parameters())
                costs += [(name, repetition, "epochs", len(model.history_)), (name, repetition, "parameters", size)]
        values[name] = np.stack(runs)
    return Forecasts(series, values, origins.observed, origins.time, tuple(leads),
                     {name: (part.time[0], part.time[-1]) for name, part in parts.items()},
                     {name: len(part) for name, part in parts.items()},
                     pd.DataFrame(costs, columns=["model", "repetition", "metric", "value"]),
                     pd.concat(history) if history else pd.DataFrame())


def forecast_all(ds, *, models=tuple(MODELS), progress=True, **settings):
    """`forecast_series` for every level of every site that has soil moisture; settings are passed on.

    Returns
    -------
    done : list of Forecasts, site by site and from the top down
    left_out : DataFrame site, level, reason; of the levels that could not be trained and tested on

    Raises
    ------
    DataError
        If that leaves no level at all.
    """
    bar = tqdm(all_series(ds), unit="level", **({} if progress else {"disable": True}))
    done, left_out = [], []
    for series in bar:
        bar.set_description(f"{series.site} {series.label}")
        try:
            done.append(forecast_series(series, models=models, **settings))
        except DataError as error:
            left_out.append((series.site, series.label, error.rule))
        except FloatingPointError as error:
            left_out.append((series.site, series.label, str(error)))
    left_out = pd.DataFrame(left_out, columns=["site", "level", "reason"])
    if not done:
        raise DataError(f"no level can be trained and tested on; the first: {left_out.iloc[0].to_dict()}",
                        variable="soil_moisture")
    return done, left_out


def skill_table(forecasts, *, source, protocol, draws=1000, seed=0):
    """The tidy skill table of many `Forecasts`: each level of each site, then the mean over sites (``site = all``)."""
    tables = []
    for f in forecasts:
        table = score(f.values, f.observed, f.leads, draws=draws, seed=seed)
        s = f.series
        tables.append(table.assign(study=STUDY, source=source, protocol=protocol, variant=s.variant, site=s.site,
                                   depth_m=s.depth_m))
    skill = pd.concat(tables, ignore_index=True)[list(COLUMNS)]
    return pd.concat([skill, over_sites(skill, draws, seed)], ignore_index=True)


def cost_table(forecasts, device):
    """The tidy cost table: each model's mean over levels and repetitions of seconds, epochs and parameters."""
    costs = pd.concat([f.costs for f in forecasts])
    mean = costs.groupby(["model", "metric"], sort=False)["value"].mean().reset_index()
    return mean.assign(study=STUDY, device=str(device))[["study", "model", "device", "metric", "value"]]


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
    (DataFrame model, time, forecast; DataArray observed (time); title that names site, level and lead)
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
