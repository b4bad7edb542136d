"""What training costs: one network alone beside its share of an ensemble, and accuracy beside cost."""

import numpy as np
import pandas as pd

from smlib import wording
from smlib.data.windows import LOOKBACK
from smlib.evaluate.tables import leaders
from smlib.models import BASELINES, NETWORKS, network_of
from smlib.train import Member, train, train_ensemble
from smlib.wording import count, items, seconds, signed, within

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


def answer(skill, cost, shared, converged):
    """The page's answer and the numbers behind it, both Markdown.

    Parameters
    ----------
    skill, cost : DataFrame
        From `smlib.stations.skill_table` and `smlib.stations.cost_table`.
    shared, converged : DataFrame
        From `alone_and_together` and `convergence`.
    """
    of = cost[cost["metric"] == "fit_s"].set_index("model")["value"]
    dearest = of.drop(list(BASELINES), errors="ignore").idxmax()
    table, early = leaders(skill), np.average(converged["too_early"], weights=converged["fits"])
    late = f"{early:.0%} of fits had not converged."
    return wording.answer(*(f"{words} {late}" for words in _dearest(table, of, dearest))), items(
        [*_skill_for_seconds(table, of), *_sizes(cost), *_alone_or_together(shared), _too_early(converged, early)])


def _dearest(table, of, dearest):
    """Whether the dearest model is the best: two sentences, then one of them."""
    if table.empty:
        return [f"No lead could be scored; the dearest model is {dearest} ({seconds(of[dearest])} a fit)."]
    lost, last = int((table["beaten_by"] != "").sum()), table.iloc[-1]
    leads = count(len(table), "lead")
    first = f"At {lost} of {leads} no model beats the baselines. " if lost else ""
    wins = int((table["best"] == dearest).sum())
    said = (f"{first}The dearest, {dearest} ({seconds(of[dearest])} a fit), is best at {wins}"
            f"{'' if lost else f' of {leads}'};")
    scores = f"median R² {signed(last['r2'])}, persistence {signed(last['persistence'])}."
    ahead = f"{count(last['lead_d'], 'day')} ahead {last['best']}"
    return [f"{said} {ahead} ({seconds(of[last['best']])}) has {scores}", f"{said} {ahead} has {scores}",
            f"{first}{ahead} has {scores}"]


def _skill_for_seconds(table, of):
    return [f"{count(row.lead_d, 'day')} ahead: {row.best} has the highest median R² over sites, {signed(row.r2, 3)}"
            f"{within(row.low, row.high)}, for {seconds(of[row.best])} a fit; persistence has "
            f"{signed(row.persistence, 3)}." for row in table.itertuples()]


def _sizes(cost):
    size = cost[cost["metric"] == "parameters"].set_index("model")["value"]
    return [] if size.empty else [f"Weights of a network: {size.min():,.0f} ({size.idxmin()}) to {size.max():,.0f} "
                                  f"({size.idxmax()})."]


def _alone_or_together(shared):
    low, high = shared.loc[shared["ratio"].idxmin()], shared.loc[shared["ratio"].idxmax()]
    alone, together = shared["study_alone_h"].sum(), shared["study_ensemble_h"].sum()
    times = f"{low['ratio']:.1f} times ({low['model']})" + (
        f" to {high['ratio']:.1f} times ({high['model']})" if len(shared) > 1 else "")
    return [f"Trained alone by the loop of this package on the same core, a network takes {times} the time of a member "
            "of an ensemble.",
            f"At these rates, {STUDY_NETWORKS * len(shared):,} networks (the paper's {STUDY_NETWORKS:,} of each kind "
            f"that was run here) at {STUDY_EPOCHS:,} epochs would take {alone:,.0f} hours alone and {together:,.0f} in "
            "ensembles, of one core or of the GPU."]


def _too_early(converged, early):
    worst = converged.loc[converged["too_early"].idxmax()]
    return (f"Of all fits of networks, {early:.0%} keep an epoch of the last tenth of their training, most often "
            f"{worst['model']} ({worst['too_early']:.0%}): these had not converged, and more epochs would change their "
            "scores.")
