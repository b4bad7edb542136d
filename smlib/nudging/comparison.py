"""What nudged networks are compared with: every forecast with every analysis, under several patterns of observation.

A method is a forecast and an analysis. What can be chosen in an analysis (tau, radius, ...) is chosen for each pattern
on the validation period, by the RMSE over the cells not observed on the day; then the test period is run once.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from smlib.assimilate import observations as patterns
from smlib.assimilate.compared import Interpolation
from smlib.assimilate.enkf import EnKF, ModelError, initial_ensemble
from smlib.assimilate.nudging import Nudging, Recent, SpreadNudging, roll_out
from smlib.assimilate.optimal import Kriging, OptimalInterpolation, fit_covariance
from smlib.evaluate.field_scores import field_metrics
from smlib.nudging.forecasts import baselines, one_day
from smlib.nudging.nudged import Finished, scored_run
from smlib.train.workers import side_by_side

ANALYSES = ("none", "nudging", "spread nudging", "optimal interpolation")
ALONE = ("interpolation", "interpolation of anomalies", "kriging")  # without forecast and memory
FILTER = "ensemble Kalman filter"
TAUS = (0.3, 0.6, 1.0)
RADII = (2, 5, 12)  # of influence, in cells (mean of both directions)
SPANS_D = (1, 4)  # days that an observation is used; its weight falls after half of them
SCALES = (1, 4, 16, 64)  # of the forecast's one-day error variance, which grows when errors of many days add up
FILTER_RADII = (4, 10)


class Constant:
    """The same number everywhere and every day, m3 m-3: the background of what has neither forecast nor memory."""

    def __init__(self, value):
        self.value = value

    def forecast(self, window):
        """x_f (member, y, x)."""
        return np.full_like(window[:, 0], self.value)


@dataclass(frozen=True)
class Entrant:
    """A forecast on the way through the comparison.

    Attributes
    ----------
    forecast : ``forecast(window) -> x_f``
    about : whether it forecasts anomalies about the climatology
    residuals : (time, y, x) truth less one-day forecast on training days, for covariances; m3 m-3
    network : whether it is one of the networks
    """

    forecast: object
    about: bool
    residuals: np.ndarray
    network: bool


def entrants(field, forecasters, days=365):
    """Mapping of name -> `Entrant`: the networks and the baselines, their errors from the last training days."""
    train = field.periods["train"]
    part = slice(max(train.stop - days, train.start + field.lookback), train.stop)
    named = {name: (model, None, True) for name, model in forecasters.items()}
    named |= {name: (model, about, False) for name, (model, about) in baselines(field).items()}
    first = part.start - field.targets("train").start
    return {name: Entrant(model, about is not None,
                          field.truth[part] - one_day(field, model, "train", about, part)[first:], network)
            for name, (model, about, network) in named.items()}


def choices(analysis):
    """All settings among which an analysis is chosen, a list of dict."""
    if analysis == "nudging":
        return [{"tau": tau} for tau in TAUS]
    if analysis == "spread nudging":
        return [{"tau": 1.0, "radius": radius, "span_d": span} for radius, span in product(RADII, SPANS_D)]
    if analysis == "optimal interpolation":
        return [{"scale": scale} for scale in SCALES]
    return [{"radius": radius} for radius in FILTER_RADII] if analysis == FILTER else [{}]


@dataclass(frozen=True)
class Ground:
    """What all methods share: two stretches, what is observed in each by pattern, and what is fixed.

    Attributes
    ----------
    validation, test : `Stretch`
    observed : mapping of "validation" and "test" -> mapping of pattern -> `Observations`
    spacing_km : size of a cell along y and x
    noise : standard deviation of the observations, m3 m-3
    ensemble : members of an ensemble Kalman filter
    seed : of its draws
    """

    validation: object
    test: object
    observed: dict
    spacing_km: tuple
    noise: float
    ensemble: int = 10
    seed: int = 0


def ground(field, validation, test, named, noise, ensemble=10, seed=0):
    """The `Ground` of a comparison under the patterns of `named` (see `observation_patterns`), by period."""
    observed = {period: {name: patterns.Observations(stretch.truth, pattern, noise, stretch.seed)
                         for name, pattern in named[period].items()}
                for period, stretch in (("validation", validation), ("test", test))}
    return Ground(validation, test, observed, field.spacing_km, noise, ensemble, seed)


def observation_patterns(stretch, fractions=(0.1, 0.2, 0.5), passes=None):
    """Mapping of name -> pattern: random cells, swaths where a satellite passed, stations, and gaps half as large.

    `passes` is a (day, y, x) bool array of the swaths; without it there are none.
    """
    valid, seed = stretch.valid, stretch.seed
    named = {f"random {100 * f:g} %": patterns.random(valid, f, seed) for f in fractions}
    if passes is not None:
        named["swaths"] = patterns.swaths(valid, passes)
    return named | {"stations 1 %": patterns.stations(valid, 0.01, seed), "gaps": patterns.gap(valid, seed=seed)}


def compare_all(field, entered, shared, enkf=(), device="auto"):
    """Tune every method on the validation stretch and run it over the test stretch.

    Parameters
    ----------
    entered : mapping of name -> `Entrant`
    enkf : names of those that a local ensemble Kalman filter runs too

    Returns
    -------
    DataFrame
        Columns pattern, forecast, analysis, network, chosen, validation_rmse (over `judged_on` cells: unobserved, or
        all if there were none), sums (cells, day, 8); and a list of (method, reason) that were left out

    Raises
    ------
    ValueError
        If the filter is asked for with a forecast that is not among the entrants.
    """
    unknown = [name for name in enkf if name not in entered]
    if unknown:
        raise ValueError(f"no forecast {', '.join(unknown)} for the filter; there are {', '.join(entered)}")
    anomalies = (field.truth - field.climatology)[field.periods["train"]]
    tasks = [(name, one, analysis) for name, one in entered.items() for analysis in ANALYSES]
    still = Entrant(Constant(np.nanmean(field.truth[field.periods["train"]])), False, _about_the_day(field), False)
    normal = Entrant(entered["climatology"].forecast, True, anomalies, False)
    tasks += [("no forecast", normal if "anomalies" in analysis else still, analysis) for analysis in ALONE]
    tasks += [(name, entered[name], FILTER) for name in enkf]
    with side_by_side(device, len(shared.test.truth) * field.valid.size > 100_000) as submit:
        done = [submit(tried, name, one, analysis, shared, anomalies if analysis == FILTER else None)
                for name, one, analysis in tasks]
        done = [future.result() for future in done]
    rows = [row for found, _ in done for row in found]
    left_out = [(f"{name} + {analysis}", reason) for (name, _, analysis), (_, reason) in zip(tasks, done, strict=True)
                if reason]
    return pd.DataFrame(rows), left_out


def tried(name, entrant, analysis, shared, anomalies=None):
    """One method under all patterns: rows of `compare_all`, and a reason if it could not be run."""
    try:
        options = choices(analysis)
        asked = [(pattern, k) for pattern in shared.observed["test"] for k in range(len(options))]
        judged = _run(entrant, analysis, options, asked, shared, "validation", anomalies)
        best = {}
        for (pattern, k), sums in judged.items():
            rmse = _judged(sums)
            if pattern not in best or rmse < best[pattern][1]:
                best[pattern] = k, rmse
        seen = {pattern: "unobserved" if judged[pattern, 0][1, :, 0].any() else "all" for pattern in best}
        done = _run(entrant, analysis, options, [(pattern, k) for pattern, (k, _) in best.items()], shared, "test",
                    anomalies)
    except (ValueError, RuntimeError) as error:  # too few days for an ensemble, no fit of a covariance
        return [], str(error)
    return [{"pattern": pattern, "forecast": name, "analysis": analysis, "network": entrant.network,
             "chosen": ", ".join(f"{key} {value}" for key, value in options[k].items()),
             "validation_rmse": best[pattern][1][0], "judged_on": seen[pattern], "sums": sums}
            for (pattern, k), sums in done.items()], ""


def _judged(sums):
    """RMSE of sums (cells, day, 8) over unobserved cells, then over all, which decides where the first is the same."""
    over_all, unobserved = (float(v) for v in field_metrics(sums.sum(1))["RMSE"])
    return (unobserved if np.isfinite(unobserved) else over_all), over_all


def _run(entrant, analysis, options, asked, shared, period, anomalies):
    """Mapping of (pattern, choice) -> sums (cells, day, 8): those that share an analysis go through side by side."""
    groups = defaultdict(list)
    for pattern, k in asked:
        groups[tuple((key, value) for key, value in options[k].items() if key != "tau")].append((pattern, k))
    stretch, found = getattr(shared, period), {}
    for settings, members in groups.items():
        settings = dict(settings)
        taus = np.array([options[k].get("tau", 1.0) for _, k in members])
        observations = [shared.observed[period][pattern] for pattern, _ in members]
        span = settings.get("span_d", 1)
        more = {"remember": partial(Recent, span=span)} if span > 1 else {}
        if analysis == FILTER:
            sums, _ = _ensemble_run(entrant, stretch, observations, shared, anomalies, settings["radius"])
        elif analysis == "none":
            around = stretch.mean if entrant.about else None
            free = roll_out(entrant.forecast, stretch.window, len(stretch.truth), stretch.valid, about=around)
            sums, _ = scored_run(Finished(free[:, 0]), stretch, observations, None, feedback=False)
        else:
            sums, _ = scored_run(entrant.forecast, stretch, observations,
                                 _analysis(analysis, settings, taus, entrant, stretch.valid, shared),
                                 about=entrant.about, **more)
        found |= dict(zip(members, sums, strict=True))
    return found


def _analysis(analysis, settings, taus, entrant, valid, shared):
    spacing, noise = shared.spacing_km, shared.noise
    if analysis == "nudging":
        return Nudging(taus)
    if analysis == "spread nudging":
        return SpreadNudging(taus, valid, settings["radius"] * np.mean(spacing), spacing)
    if analysis == "optimal interpolation":
        fitted, scale = fit_covariance(entrant.residuals, valid, spacing), settings["scale"]
        fitted = replace(fitted, variance=scale * fitted.variance, nugget=scale * fitted.nugget)
        return OptimalInterpolation(fitted, valid, noise, spacing)
    if analysis == "kriging":
        return Kriging(fit_covariance(entrant.residuals, valid, spacing), valid, noise, spacing)
    if analysis.startswith("interpolation"):
        return Interpolation(valid, spacing)
    raise ValueError(f"no analysis {analysis!r}")


def _ensemble_run(entrant, stretch, observations, shared, anomalies, radius):
    size, valid = shared.ensemble, stretch.valid
    start = initial_ensemble(np.where(valid, stretch.window[0], np.nan), np.where(valid, anomalies, np.nan), size,
                             seed=shared.seed)
    model = ModelError(entrant.forecast, entrant.residuals, size, valid, seed=shared.seed)
    # No observation is perfect on a grid: what it does not resolve stands in for the noise where there is none.
    filtered = EnKF(size, valid, max(shared.noise, 0.002), radius * np.mean(shared.spacing_km), shared.spacing_km)
    return scored_run(model, stretch, observations, filtered, about=entrant.about, size=size,
                      window=np.tile(start, (len(observations), 1, 1, 1)))


def _about_the_day(field):
    """(time, y, x) training truth less the mean of its day: what kriging about a day's mean is to know."""
    truth = field.truth[field.periods["train"]]
    with np.errstate(invalid="ignore"):
        mean = np.nansum(truth, (1, 2), keepdims=True) / np.isfinite(truth).sum((1, 2), keepdims=True)
    return truth - mean
