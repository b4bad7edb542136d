"""Forecasts on the study's grid that need no network, and the seconds that they took."""

import time
from dataclasses import replace

import numpy as np
import xarray as xr
from sklearn.ensemble import HistGradientBoostingRegressor

from smlib.conus.scenarios import LEADS, STATE, channels
from smlib.conus.skill import issues_of_test
from smlib.forecast.baselines import Climatology, DampedAnomaly, Persistence
from smlib.forecast.boosting import Boosting

WEATHER = ("precipitation", "land_surface_temperature")


def baseline_forecasts(study, layer, leads=LEADS, boosting=True):
    """Forecasts of a layer that need no network, from the land model's own moisture up to the issue day.

    Everything is fitted on training days. Gradient boosting also knows the weather up to the issue day and the soil.

    Returns
    -------
    made : dict of name -> (time, lead, y, x) DataArray of m3 m-3
        ``time`` is the issue day
    seconds : dict of name -> dict train_s, forecast_s, forecast_days
        Of the methods that learn something: of the fit alone, and of the forecasts of so many issue days
    """
    land, issue, train = study.land, issues_of_test(study, leads), study.periods["train"]
    series = study.cube[STATE].isel(layer=layer - 1).values[:, land].astype(float)
    weather = np.stack([study.cube[name].values[:, land] for name in WEATHER], -1).astype(float)
    soil = np.stack([study.cube[name].isel(layer=layer - 1).values[land] for name in ("sand", "clay")], -1)
    models = {"persistence": Persistence(leads), "climatology": Climatology(leads),
              "damped anomaly": DampedAnomaly(leads)}
    if boosting:  # fewer and larger steps than on the few cells of the measured set
        models["HistGB"] = Boosting(leads, max_iter=100, learning_rate=0.12)
    made, seconds = {}, {}
    for name, model in models.items():
        values, seconds[name] = _timed(
            lambda model=model: model.fit(series[train], study.time[train], weather[train], soil),
            lambda model=model: model.predict(series, study.time, weather, soil, issue=issue))
        made[name] = on_grid(study, values, issue, leads)
    del seconds["persistence"]
    return made, seconds


def _timed(fit, predict):
    """What `predict` gives, (day, ...), and the seconds of both."""
    begun = time.perf_counter()
    fit()
    fitted = time.perf_counter()
    values = predict()
    return values, {"train_s": fitted - begun, "forecast_s": time.perf_counter() - fitted,
                    "forecast_days": len(values)}


def on_grid(study, values, issue, leads):
    """(issue, lead, land cell) values as (time, lead, y, x), NaN off land."""
    field = np.full((len(issue), len(leads), *study.land.shape), np.nan, np.float32)
    field[..., study.land] = values
    return xr.DataArray(field, dims=("time", "lead", "y", "x"), name=STATE, attrs={"units": "m3 m-3"},
                        coords={"time": study.cube["time"].values[issue], "lead": list(leads),
                                "lat": study.cube["lat"], "lon": study.cube["lon"]})


def estimate_baselines(study, scenario, rows=60_000, seed=0):
    """Estimates of the test days without a network: dict of name -> (time, y, x), m3 m-3, and their seconds.

    Climatology, the land model's by day of the year in the training days; and gradient boosting, which learns the land
    model's moisture from the predictors of a scenario on the day itself, on so many random cells and days of training.
    Their seconds are as of `baseline_forecasts`.
    """
    land, test = study.land, study.periods["test"]
    series = study.cube[STATE].isel(layer=scenario.layer - 1).values[:, land].astype(float)
    train = study.periods["train"]
    usual = Climatology()
    daily, fixed = channels(study, replace(scenario, upper=None))
    columns = [daily[:, k][:, land] for k in range(daily.shape[1])]
    constant = [] if fixed is None else list(fixed[:, land])

    def table(days, cells):
        return np.column_stack([c[days, cells] for c in columns] + [c[cells] for c in constant])

    draw = np.random.default_rng(seed)
    days, cells = draw.integers(train.start, train.stop, rows), draw.integers(0, land.sum(), rows)
    x, y, every = table(days, cells), series[days, cells], np.arange(test.start, test.stop)
    model = HistGradientBoostingRegressor(random_state=seed)
    timed = {"climatology": _timed(lambda: usual.fit(series[train], study.time[train]),
                                   lambda: usual.at(study.time[test])),
             "HistGB": _timed(lambda: model.fit(x, y), lambda: np.stack(
                 [model.predict(table(np.full(land.sum(), day), np.arange(land.sum()))) for day in every]))}
    return ({name: on_grid(study, values[:, None], every, (0,)).isel(lead=0, drop=True)
             for name, (values, _) in timed.items()}, {name: seconds for name, (_, seconds) in timed.items()})
