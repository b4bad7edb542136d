"""What training costs: one network alone beside its share of an ensemble, and accuracy beside cost."""

import numpy as np
import pandas as pd

from smlib.data.windows import LOOKBACK
from smlib.models import NETWORKS, network_of
from smlib.train import Member, train, train_ensemble

STUDY_NETWORKS, STUDY_EPOCHS = 3750, 1500  # of each kind, in Wang et al. (2024): 30 sites x 5 depths x 25 repetitions
NOT_CONVERGED = 0.9  # an epoch kept in the last tenth of those trained tells that training ended too early


def check_settings(models, members, timed_epochs):
    """Raise `ValueError` where there is nothing to measure."""
    if not set(models) & set(NETWORKS):
        raise ValueError(f"models must hold a network: {', '.join(NETWORKS)}")
    for name, value in (("members", members), ("timed_epochs", timed_epochs)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def alone_and_together(level, models, *, members=96, epochs=2, seed=0, device="auto", lookback=LOOKBACK):
    """Time of one network in the loop for one, and of a member among others in the ensemble, on one core or the GPU.

    Each network is trained alone, then `members` times side by side by one thread, on the windows of one level; an
    epoch before the clock starts warms both up.

    Returns
    -------
    DataFrame
        Columns model, members, alone_s and share_s (seconds per 100 epochs of one member), ratio, and study_alone_h and
        study_ensemble_h: what all 3,750 networks of that kind in the paper's study would take at 1,500 epochs.
    """
    rows = []
    for name in (m for m in models if m in NETWORKS):
        make, features = network_of(name, lookback=lookback), level.train.x.shape[2]
        _, history = train(make(features), level.train, level.validation, epochs=epochs + 1, device=device, seed=seed)
        alone = (history["seconds"].iloc[-1] - history["seconds"].iloc[0]) / epochs
        group = [Member(level.train, level.validation, seed + k) for k in range(members)]
        # Of each length one call: the difference is free of what starting costs.
        spent = [train_ensemble(make, group, epochs=n, device=device, workers=1).seconds.sum() for n in (1, 1 + epochs)]
        rows.append((name, members, 100 * alone, 100 * (spent[1] - spent[0]) / epochs / members))
    table = pd.DataFrame(rows, columns=["model", "members", "alone_s", "share_s"])
    table["ratio"] = table["alone_s"] / table["share_s"]
    for name, column in (("study_alone_h", "alone_s"), ("study_ensemble_h", "share_s")):
        table[name] = table[column] / 100 * STUDY_NETWORKS * STUDY_EPOCHS / 3600
    return table


def convergence(fits):
    """When the epoch was reached that is kept: DataFrame model, fits, first, median, last, too_early.

    ``too_early`` is the share of fits whose kept epoch is in the last tenth of those trained: they had not converged.
    """
    trained = fits[fits["best_epoch"] > 0]
    early = trained["best_epoch"] > NOT_CONVERGED * trained["epochs"]
    found = trained.assign(early=early).groupby("model", sort=False).agg(
        fits=("epochs", "size"), first=("best_epoch", "min"), median=("best_epoch", "median"),
        last=("best_epoch", "max"), too_early=("early", "mean"))
    return found.reset_index()


def accuracy_and_cost(skill, cost, metric="fit_s"):
    """Median R2 over sites beside a cost: DataFrame model, lead_d, cost, value, low, high; models without cost at 0."""
    middle = skill[(skill["site"] == "all") & (skill["variant"] == "median") & (skill["metric"] == "R2")]
    of = cost[cost["metric"] == metric].set_index("model")["value"]
    table = middle.assign(cost=middle["model"].map(of).fillna(0.0))
    return table[["model", "lead_d", "cost", "value", "low", "high"]].reset_index(drop=True)


def answer(shared, converged):
    """The page's answer as Markdown."""
    total_alone, total = shared["study_alone_h"].sum(), shared["study_ensemble_h"].sum()
    low, high = shared.loc[shared["ratio"].idxmin()], shared.loc[shared["ratio"].idxmax()]
    worst = converged.loc[converged["too_early"].idxmax()]
    early = np.average(converged["too_early"], weights=converged["fits"])
    return (f"**Our runs.** A member of an ensemble takes {low['ratio']:.1f} times ({low['model']}) to "
            f"{high['ratio']:.1f} times ({high['model']}) less time than the same network trained alone by the loop of "
            f"this package on the same core. At these rates, {STUDY_NETWORKS * len(shared):,} networks (the paper's "
            f"{STUDY_NETWORKS:,} of each kind that was run here) at {STUDY_EPOCHS:,} epochs would take "
            f"{total_alone:,.0f} hours alone and {total:,.0f} in ensembles, of one core or of the GPU. Of all fits, "
            f"{early:.0%} keep an epoch of the last tenth of their training, most often {worst['model']} "
            f"({worst['too_early']:.0%}): these had not converged, and more epochs would change their scores.")
