"""The shortcuts of the station study one at a time: the same fits with a scaler that knows the test, or a checkpoint
that one batch chose."""

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from smlib.evaluate.tables import PRINTED
from smlib.evaluate.worth import beside_conclusion, percent, ridge_slope
from smlib.models import BASELINES, NETWORKS
from smlib.models import PAPER_CODE as OTHER_SETTINGS
from smlib.stations.forecast import forecast_all
from smlib.stations.tables import STUDY

SCALER, CHECKPOINT = "scaled by the whole series", "checkpoint by one batch"
TREES = ("RF", "HistGB")  # split at values: no linear scale can tell them anything
# The protocol decides on the scaler, the size of the validation batch on the checkpoint (Wang et al. 2024, their code).
ARMS = {"strict": ("strict", None), SCALER: ("paper", None), CHECKPOINT: ("strict", 50)}


def forecast_with_shortcuts(ds, *, models, leads, repetitions, epochs, seed=0, device="auto", progress=False,
                            checkpoints=None):
    """Fit all models three times, strictly and with either shortcut alone: mapping of arm -> `Study`.

    Windows, days, start weights and training batches are the same in every arm. All epochs are trained in each, so with
    the checkpoint of one batch the very same weights are passed through and only the choice among them differs.

    Parameters
    ----------
    models : names; those whose settings the published code changes beside the shortcuts are an error
    epochs : int
        20 batches of 50 windows each; no early stop.
    """
    differ = [name for name in models if name in OTHER_SETTINGS]
    if differ:
        raise ValueError(f"the published code has other settings of {', '.join(differ)}, so a shortcut would not be "
                         "alone; leave them out of models")
    common = {"models": models, "targets": ("value",), "leads": leads, "repetitions": repetitions, "seed": seed,
              "progress": progress, "checkpoints": checkpoints}
    return {arm: forecast_all(ds, protocol=protocol, network={"epochs": epochs, "patience": epochs, "device": device,
                                                              "validation_batch": batch}, **common)
            for arm, (protocol, batch) in ARMS.items()}


def shortcut_pairs(arms, kind):
    """Scores without and with each shortcut, as `smlib.evaluate.worth.summary` takes them.

    A row a shortcut, site, level, model and lead; RMSE (m3 m-3) and R2 are means over the repetitions. The unit is the
    site, the case the lead. Counted are the models on which a shortcut can act: not the baselines; with the scaler not
    the trees, whose differences are those of rounding; with the checkpoint the networks alone.

    Parameters
    ----------
    arms : mapping of `forecast_with_shortcuts`
    kind : "measured" or "simulated"
    """
    strict, parts = scores(arms["strict"]), []
    keys = ["site", "level", "model", "lead_d"]
    for shortcut in (SCALER, CHECKPOINT):
        both = strict.merge(scores(arms[shortcut]), on=keys, suffixes=("", "_leaky"), validate="1:1")
        counted = (both["model"].isin(NETWORKS) if shortcut == CHECKPOINT else
                   ~both["model"].isin([*BASELINES, *TREES]))
        parts.append(both.assign(shortcut=shortcut, study=STUDY, kind=kind, counted=counted,
                                 case=[f"{lead} d ahead" for lead in both["lead_d"]]))
    return pd.concat(parts, ignore_index=True).rename(columns={"site": "unit"})


def scores(study):
    """DataFrame site, level, model, lead_d, rmse (m3 m-3), r2 of a `Study`; means over repetitions."""
    rows = []
    for f in study.done:
        for model, values in f.values.items():
            mse = ((values - f.observed) ** 2).mean(1)  # (repetition, lead)
            r2 = 1 - mse / f.observed.var(0)
            rows += [(f.series.site, f.series.label, model, lead, np.sqrt(mse[:, k]).mean(), r2[:, k].mean())
                     for k, lead in enumerate(f.leads)]
    return pd.DataFrame(rows, columns=["site", "level", "model", "lead_d", "rmse", "r2"])


def conclusion(pairs, shortcut, winner="LSTM", loser="RF", lead_d=7):
    """What the paper rests on, printed and ours: see `smlib.evaluate.worth.beside_conclusion`.

    In print sqrt(1 - R2) stands for RMSE, whose ratios it has at one depth; its units are the depths, ours the sites.
    """
    printed = pd.read_csv(PRINTED).drop_duplicates(["model", "depth_m", "lead_days"])
    printed = printed[printed["lead_days"] == lead_d].dropna(subset=["r2"]).rename(columns={"depth_m": "unit"})
    printed = printed.assign(case="", rmse=np.sqrt(1 - printed["r2"]))
    some = pairs[(pairs["shortcut"] == shortcut) & (pairs["lead_d"] == lead_d)]
    return beside_conclusion(f"{{winner}} before {{loser}}, {lead_d} days ahead", printed,
                             some.assign(case=some["level"]), winner=winner, loser=loser)


def ranges(arms):
    """How much wider the whole series is than its training windows: site, level, train, whole, wider, drivers, of.

    `train` and `whole` (m3 m-3) are the ranges of soil moisture that the two scalers divide by, `wider` their ratio
    less 1; `drivers` is the number of drivers whose range grows, of `of`.
    """
    rows = []
    for own, whole in zip(arms["strict"].levels, arms[SCALER].levels, strict=True):
        a, b = (one.scaler.moisture_.data_range_[0] for one in (own, whole))
        grown = ([] if own.scaler.drivers_ is None else
                 whole.scaler.drivers_.data_range_ > own.scaler.drivers_.data_range_)
        rows.append((own.series.site, own.series.label, a, b, b / a - 1, int(np.sum(grown)), len(grown)))
    return pd.DataFrame(rows, columns=["site", "level", "train", "whole", "wider", "drivers", "of"])


def by_model(pairs, spread):
    """Worth of each shortcut to each model: shortcut, model and a column a lead, percent of RMSE, sites alike.

    All models but those that a shortcut cannot touch at all; `mean` is that over leads, `luck` what `luck` found.
    """
    some = pairs[pairs["counted"] | ((pairs["shortcut"] == SCALER) & pairs["model"].isin(TREES))]
    logs = some.assign(log=np.log(some["rmse_leaky"] / some["rmse"]))
    keys = ["shortcut", "model", "case"]
    wide = logs.groupby([*keys, "unit"], sort=False)["log"].mean().groupby(keys, sort=False).mean().unstack("case")
    wide = wide.assign(mean=wide.mean(axis=1)).apply(percent)
    return wide.rename_axis(columns=None).reset_index().merge(spread, "left", "model")


def luck(study):
    """What the seed is worth: DataFrame model, luck, the standard deviation of RMSE over repetitions, in percent.

    Root mean square over levels and leads, of log RMSE; NaN of a model that is fitted once.
    """
    rows = []
    for f in study.done:
        for model, values in f.values.items():
            logs = np.log(((values - f.observed) ** 2).mean(1)) / 2
            rows.append((model, logs.var(0, ddof=1).mean() if len(values) > 1 else np.nan))
    table = pd.DataFrame(rows, columns=["model", "luck"]).groupby("model", sort=False)["luck"].mean()
    return (100 * np.sqrt(table)).reset_index()


def ranges_answer(table):
    """How much the scaler could learn, in words, from `ranges`."""
    wider = table["wider"] > 0
    said = f"At {int(wider.sum())} of {len(table)} levels moisture ranges wider in the whole series than in training"
    if wider.any():
        said += f", by {table.loc[wider, 'wider'].median():.0%} in the median and {table['wider'].max():.0%} at most"
    return said + f". Of {int(table['of'].sum())} ranges of drivers {int(table['drivers'].sum())} are wider."


def believed(arms):
    """What the validation said of the kept networks: DataFrame model, ratio, of one batch to the whole set.

    The mean over levels and repetitions of the root of the lowest loss over one batch of 50, divided by that over the
    whole validation set in the strict arm: the least of many noisy scores is too low.
    """
    keys = ["model", "site", "level", "repetition"]
    both = arms["strict"].fits.merge(arms[CHECKPOINT].fits, on=keys, suffixes=("", "_batch")).dropna(
        subset=["validation_loss", "validation_loss_batch"])
    both["ratio"] = np.sqrt(both["validation_loss_batch"] / both["validation_loss"])
    return both.groupby("model", sort=False)["ratio"].mean().reset_index()


def ridge_expected(arms, penalty=1.0):
    """Slope of moisture on that of the day before by ridge regression, with either scaler, fitted and by formula.

    Returns DataFrame site, level, arm, expected (`smlib.evaluate.worth.ridge_slope`), run: both dimensionless.
    """
    rows = []
    for arm in ("strict", SCALER):
        for level in arms[arm].levels:
            x, y = level.train.x[:, -1, -1:], level.train.y
            span = level.scaler.moisture_.data_range_[0]
            rows.append((level.series.site, level.series.label, arm,
                         ridge_slope(span * x[:, 0], span * y, penalty, span), Ridge(penalty).fit(x, y).coef_[0]))
    return pd.DataFrame(rows, columns=["site", "level", "arm", "expected", "run"])
