"""The station study before any model: settings that are checked, and levels that are ready to be trained on."""

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from smlib.data.schema import DataError
from smlib.data.windows import (
    LOOKBACK,
    Origins,
    Series,
    Windows,
    WindowScaler,
    all_series,
    lag_windows,
    origins_between,
    split,
)
from smlib.models import BASELINES, MODELS
from smlib.models.increment import TARGETS
from smlib.train import pick_device
from smlib.wording import count

PROTOCOLS = ("strict", "paper")
MOST_NAMED = 6  # sites that a sentence names
MIN_ORIGINS = 30  # fewer test days say nothing about a model, least of all with errors that last for days


@dataclass(frozen=True)
class Level:
    """One level of one site, cut in time and scaled.

    Attributes
    ----------
    series : Series
    scaler : WindowScaler
    train, validation : Windows, scaled
    test : Origins, inputs scaled, what they are scored against in m3 m-3
    periods, samples : mapping of train, validation, test -> (first, last) target day, number of windows
    """

    series: Series
    scaler: WindowScaler
    train: Windows
    validation: Windows
    test: Origins
    periods: dict
    samples: dict


def check_settings(*, models, targets, leads, lookback, repetitions, draws, epochs, patience, device, protocol, seed):
    """Raise `ValueError` for a setting that cannot work, before anything is trained."""
    def require(condition, rule):
        if not condition:
            raise ValueError(rule)

    unknown = [m for m in models if m not in MODELS]
    require(not unknown, f"unknown models {unknown}; known: {', '.join(MODELS)}")
    require(len(set(models)) == len(models), f"models must not repeat: {models}")
    require("persistence" in models and set(models) - set(BASELINES),
            "models must hold persistence, without which no table means anything, and one that is no baseline")
    require(targets and set(targets) <= set(TARGETS) and len(set(targets)) == len(targets),
            f"targets must be some of {', '.join(TARGETS)}, each once, not {targets}")
    require(leads and all(isinstance(x, int) and x >= 1 for x in leads) and len(set(leads)) == len(leads),
            f"leads must be different whole numbers of days from 1, not {leads}")
    for name, value in (("lookback", lookback), ("repetitions", repetitions), ("epochs", epochs),
                        ("patience", patience)):
        require(value >= 1, f"{name} must be at least 1, not {value}")
    shortest = max([1] + [least for name, least in (("1D-CNN", 3), ("CNN-LSTM", 3), ("CNN-with-LSTM", 3))
                          if name in models])
    require(lookback >= shortest, f"lookback must be at least {shortest} for the convolutions of these models, "
                                  f"not {lookback}")
    require(draws >= 100, f"draws must be at least 100 for a 95 % interval, not {draws}")
    require(protocol in PROTOCOLS, f"unknown protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    require(seed >= 0, f"seed must be at least 0, not {seed}")
    try:
        torch.empty(0, device=pick_device(device))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"no device {device!r} here: {str(error).splitlines()[0]}") from None


def about(ds, levels=0, *more):
    """What the data of a page are, where and when, as Markdown.

    Parameters
    ----------
    ds : Dataset
        Of `smlib.data.open_source`.
    levels : int, optional
        Those that models were trained at.
    more : str
        What else the numbers are of.
    """
    days = ds["time"].values[ds["soil_moisture"].notnull().any(["site", "depth"]).values]
    years = " to ".join(dict.fromkeys(str(day)[:4] for day in (days.min(), days.max()))) if len(days) else "no day"
    sites = [str(name) for name in ds["site"].values]
    where = ", ".join(sites) if len(sites) <= MOST_NAMED else _box(ds)
    said = [f"`{ds.attrs['source']}`", f"daily, {years}", count(len(sites), "site") + f" ({where})" * bool(where)]
    said += [count(levels, "level")] if levels else []
    return f"**Data.** {ds.attrs['kind'].capitalize()}: {', '.join(said)}{''.join(f'; {one}' for one in more)}."


def _box(ds):
    """The latitudes and longitudes that sites lie between, or nothing if one is not known."""
    spans = [f"{ds[name].min():.0f} to {ds[name].max():.0f}".replace("-", "−") for name in ("lat", "lon")]
    known = all(bool(np.isfinite(ds[name]).all()) for name in ("lat", "lon"))
    return f"latitude {spans[0]}, longitude {spans[1]} degrees" if known else ""


def seed_of(seed, *names):
    """A seed for one fit that depends on what it is for, and not on what was fitted before it."""
    return int(np.random.SeedSequence([seed, *(zlib.crc32(str(n).encode()) for n in names)]).generate_state(1)[0])


def prepare(series, *, leads=(1, 3, 7), lookback=LOOKBACK, protocol="strict"):
    """Cut and scale one level (Wang et al. 2024, Sect. 2.3).

    Parameters
    ----------
    protocol : str
        ``strict``: scaler fitted on the training windows. ``paper``: as in the published code, on the whole series.

    Raises
    ------
    DataError
        For a record that is too short or too broken.
    """
    windows = lag_windows(series, lookback)
    parts = split(windows, cuts=series.cuts)
    origins = origins_between(series, parts["test"].time[0], parts["test"].time[-1], leads, lookback)
    if len(origins) < MIN_ORIGINS:
        raise DataError(f"{len(origins)} test days have all that a forecast needs; {MIN_ORIGINS} are needed",
                        file=series.site)
    scaler = WindowScaler().fit(parts["train"] if protocol == "strict" else windows)
    return Level(series, scaler, scaler.transform(parts["train"]), scaler.transform(parts["validation"]),
                 scaler.transform_origins(origins),
                 {name: (part.time[0], part.time[-1]) for name, part in parts.items()},
                 {name: len(part) for name, part in parts.items()})


def prepare_all(ds, **settings):
    """Every `Level` of a station dataset, site by site and from the top down.

    Returns
    -------
    levels : list of Level
    left_out : DataFrame site, level, reason; of the levels that cannot be trained and tested on

    Raises
    ------
    DataError
        If that leaves no level at all.
    """
    levels, left_out = [], []
    for series in all_series(ds):
        try:
            levels.append(prepare(series, **settings))
        except DataError as error:
            left_out.append((series.site, series.label, error.rule))
    left_out = pd.DataFrame(left_out, columns=["site", "level", "reason"])
    if not levels:
        raise DataError(f"no level can be trained and tested on; the first: {left_out.iloc[0].to_dict()}",
                        variable="soil_moisture")
    return levels, left_out
