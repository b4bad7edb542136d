"""Accuracy against cost over all studies: what each model's training took beside what it gained on a reference.

Everything is taken from the tables of finished runs; nothing is timed here.
"""

import re
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from smlib import wording
from smlib.evaluate.printed import CITED
from smlib.wording import count, items, listed, seconds, signed, within

COLUMNS = ["study", "task", "source", "model", "device", "parameters", "train_s", "forecast_s", "reference", "skill",
           "low", "high", "page", "cost_page"]
# page -> what its cost.csv calls the seconds to train and to forecast, and what these are of
RECORDS = {
    "stations/compare": ("fit_s", "forecast_s", "one fit, and its forecast of the test period; means over levels"),
    "nudging/cost": ("train_s", "forecast_s", "one network, and a free run of 100 days"),
    "fusion/gapfill": ("seconds to fit, simulated", "", "a method on the cells of the simulated set"),
    "fusion/estimate": ("train_s", "forecast_s", "one fit for the surface, and its maps of one day"),
    "forecast/skill": ("train_s", "forecast_s", "one fit for the surface, and its maps of one day of issue"),
    "correction/upscale": ("fit_s", "", "one fit to a network's stations without one fold and one year: of a baseline "
                           "alone, or of a network of stage 1, its share of all that were trained together"),
    "correction/improve": ("fit_s", "", "one fit to a product without one fold of stations and one year: of a baseline "
                           "alone, or of a network of stage 2, its share of all that were trained together (stage 1, "
                           "which MLSTM needs too, is not in it)"),
}
SURFACE = "0-10 cm"  # the layer whose networks are compared where a study has several


@dataclass(frozen=True)
class Task:
    """One headline score of a study: the rows of a page's skill table, and the page that has its models' costs.

    Attributes
    ----------
    reference : the model against which the skill 1 - MSE / MSE of the reference is
    metric : a skill that the page scored, or "RMSE", from which it is computed case by case (source, site, depth and
        what the variant begins with, up to its first comma); the median over cases is given, without an interval
    where : mapping of column -> the value that a row must have; a variant must end with it
    """

    study: str
    name: str
    page: str
    costs: str
    reference: str
    metric: str
    where: dict = field(default_factory=dict)


TASKS = (
    Task("stations", "7 days ahead, median of the sites", "stations/compare", "stations/compare", "persistence",
         "skill_persistence", {"site": "all", "variant": "median", "lead_d": 7}),
    Task("nudging", "1 day ahead", "nudging/short_term", "nudging/cost", "persistence", "skill_persistence"),
    Task("nudging", "free run", "nudging/long_term", "nudging/cost", "climatology", "skill_climatology"),
    Task("fusion", "gaps filled", "fusion/gapfill", "fusion/gapfill", "climatology + persistence", "RMSE",
         {"source": "simulated"}),
    Task("fusion", "surface, against the truth", "fusion/estimate", "fusion/estimate", "NLDAS-2", "skill_NLDAS-2",
         {"depth_m": 0.05, "variant": "against truth"}),
    Task("forecast", "surface, 1 day ahead, at stations", "forecast/skill", "forecast/skill", "persistence",
         "skill_persistence", {"depth_m": 0.05, "lead_d": 1, "variant": "at stations"}),
    Task("correction", "cells against in-situ data", "correction/upscale", "correction/upscale", "climatology",
         "RMSE", {"protocol": "strict"}),
    Task("correction", "products against in-situ data", "correction/improve", "correction/improve", "climatology",
         "RMSE", {"protocol": "strict"}),
)


def recorded(cost):
    """What training took, from the cost tables of all pages: DataFrame page, study, model, device, parameters, train_s,
    forecast_s; seconds, NaN where a page does not record it.

    cost : DataFrame page, study, model, device, metric, value
        Where the number of forecast_days is recorded, forecast_s is of one.
    """
    frames = []
    for page, (train, forecast, _) in RECORDS.items():
        wide = cost[cost["page"] == page].pivot_table(index=["page", "study", "model", "device"], columns="metric",
                                                      values="value", aggfunc="first").reset_index()
        seconds = wide.get(forecast, np.nan) / wide.get("forecast_days", 1)
        frames.append(wide.assign(train_s=wide.get(train, np.nan), forecast_s=seconds,
                                  parameters=wide.get("parameters", np.nan)))
    table = pd.concat(frames, ignore_index=True).reindex(
        columns=["page", "study", "model", "device", "parameters", "train_s", "forecast_s"])
    layered = table["model"].str.contains(" cm")
    table = table[~layered | table["model"].str.endswith(SURFACE)]
    return table.assign(model=table["model"].str.removesuffix(f", {SURFACE}")).reset_index(drop=True)


def headline(skill, task):
    """The skill of a task's models: DataFrame source, model, skill, low, high.

    skill : the skill tables of all pages (`smlib.evaluate.COLUMNS` and page)
    """
    rows = skill[(skill["page"] == task.page) & (skill["metric"] == task.metric)]
    rows = rows.assign(variant=rows["variant"].fillna(""))
    for column, value in task.where.items():
        rows = rows[rows["variant"].str.endswith(value) if column == "variant" else rows[column] == value]
    if rows.empty:
        raise ValueError(f"{task.page} has no {task.metric} for {task.study}, {task.name}")
    if task.metric == "RMSE":
        return _from_rmse(rows[~rows["variant"].str.endswith("against truth")], task.reference)
    scenario = rows["variant"].map(lambda text: " ".join(re.findall(r"^S\d", text)))
    names = (rows["model"] + " " + scenario).str.strip()
    found = pd.DataFrame({"source": rows["source"], "model": names, "skill": rows["value"], "low": rows["low"],
                          "high": rows["high"]})
    twice = found.duplicated(["source", "model"])
    if twice.any():
        raise ValueError(f"{task.page}: several rows of {found.loc[twice, 'model'].iloc[0]} for {task.name}")
    return found.reset_index(drop=True)


def _from_rmse(rows, reference):
    case = ["source", "site", "depth_m", "of"]
    rows = rows.assign(of=rows["variant"].str.split(", ").str[0])
    base = rows[rows["model"] == reference].groupby(case, dropna=False)["value"].mean().rename("base")
    both = rows.join(base, on=case)
    both["skill"] = 1 - (both["value"] / both["base"]) ** 2
    found = both.groupby(["source", "model"], sort=False)["skill"].median().reset_index()
    return found.assign(low=np.nan, high=np.nan)


def accuracy_and_cost(skill, cost, tasks=TASKS):
    """Every model of every task, with its cost where one is recorded: DataFrame of `COLUMNS`.

    A model whose cost is known on two devices has a row for each; skill is the same, for it was scored once.
    """
    known, frames = recorded(cost), []
    for task in tasks:
        costs = known[known["page"] == task.costs].drop(columns=["page", "study"])
        frames.append(headline(skill, task).merge(costs, "left", "model").assign(
            study=task.study, task=task.name, reference=task.reference, page=task.page, cost_page=task.costs))
    table = pd.concat(frames, ignore_index=True)
    return table.assign(device=table["device"].fillna(""), front=front(table))[[*COLUMNS, "front"]]


def front(table):
    """Whether a model is on the Pareto front of its task, source and device: none is as cheap and better: (row,) bool.

    Rows without seconds of training or without skill are not, nor is the reference, which others are measured by.
    """
    found = pd.Series(False, table.index)
    priced = _priced(table)
    for _, group in priced.groupby(["study", "task", "source", "device"], sort=False):
        ordered = group.sort_values(["train_s", "skill"], ascending=[True, False])
        before = ordered["skill"].cummax().shift(fill_value=-np.inf)
        found[ordered.index[ordered["skill"] > before]] = True
    return found


def _priced(table):
    return table[(table["model"] != table["reference"]) & table["train_s"].notna() & table["skill"].notna()]


def without_cost(skill, cost):
    """Models that a page scores and whose cost no page of the study records: DataFrame page, models (as text)."""
    known = {(study, re.sub(r"( S\d|, \d).*", "", model)) for study, model in cost[["study", "model"]].to_numpy()}
    pairs = skill[["page", "study", "model"]].drop_duplicates()
    lacking = [(study, model) not in known for study, model in pairs[["study", "model"]].to_numpy()]
    return pairs[lacking].groupby("page", sort=False)["model"].agg(", ".join).rename("models").reset_index()


def answer(table):
    """The page's answer and the numbers behind it, both Markdown: is the dearest model of a task its best, and is the
    best better than the reference?"""
    groups = [group for _, group in _priced(table).groupby(["study", "task", "source", "device"], sort=False)]
    best = pd.DataFrame([group.loc[group["skill"].idxmax()] for group in groups], columns=table.columns)
    several = [group for group in groups if len(group) > 1]
    wins = sum(group["skill"].idxmax() == group["train_s"].idxmax() for group in several)
    lost, sure = int((best["skill"] <= 0).sum()), int((best["low"] > 0).sum())
    first = f"In {lost} of {count(len(best), 'task')} no timed model beats the reference. " if lost else ""
    dearest = f"The dearest is the best in {wins} of {len(several)} that time several"
    beats = f"the best surely beats the reference in {sure} of {best['low'].notna().sum()} with an interval"
    if not lost:
        dearest = f"The dearest model is the best in {wins} of {count(len(several), 'task')} that time several"
    return wording.answer(f"{first}{dearest}; {beats}."), items(map(_in_numbers, groups))


def _in_numbers(group):
    best, dearest = (group.loc[group[name].idxmax()] for name in ("skill", "train_s"))
    says = (f"{best['study']}, {best['task']} ({best['source']}, {best['device']}), against {best['reference']}: "
            f"{best['model']} has skill {signed(best['skill'], plus=True)}{within(best['low'], best['high'])} for "
            f"{seconds(best['train_s'])} of training")
    if len(group) == 1:
        return f"{says}; no other model is timed."
    if dearest["model"] == best["model"]:
        return f"{says}, the best and the dearest of {len(group)}."
    return (f"{says}, the best of {len(group)}; the dearest, {dearest['model']}, has "
            f"{signed(dearest['skill'], plus=True)} for {seconds(dearest['train_s'])}.")


def about(table, profile):
    """The line about the data as Markdown, and their kind in words.

    Raises
    ------
    ValueError
        If a source does not tell whether its data are measured or simulated.
    """
    kinds = table["source"].map(wording.KINDS)
    if kinds.isna().any():
        raise ValueError(f"measured or simulated? the source {table.loc[kinds.isna(), 'source'].iloc[0]!r} does not "
                         f"tell; known: {', '.join(wording.KINDS)}")
    said = "; ".join(f"{kind}: {listed(dict.fromkeys(here['study']))}" for kind, here in
                     table.groupby(kinds, sort=False))
    return (f"**Data.** {said[0].upper()}{said[1:]}; the finished runs of the profile `{profile}`. Seconds are those "
            "of the machine and the day of each run, with whatever else ran there; the first network that a process "
            "trains pays for its start as well. The device tells a core (cpu) from a GPU (cuda)."
            ), " and ".join(dict.fromkeys(kinds))


def printed_cost(table):
    """Fan et al. (2025), Table 1, beside ours: the page nudging/cost's table `printed`, with units in words."""
    units = {"train_s": "training (s)", "epochs": "epoch kept", "size_mib": "file (MiB)",
             "peak_mib": "peak memory (MiB)"}
    found = table[table["metric"].isin(units)].assign(metric=table["metric"].map(units))
    wide = found.pivot(index="model", columns="metric", values=["printed", "value"])
    wide = wide.rename(columns={"printed": CITED["fan2025"], "value": "ours"}, level=0)
    return wide.reindex(columns=[(who, what) for what in units.values() for who in (CITED["fan2025"], "ours")])


def shown(table):
    """`accuracy_and_cost` as text for the page, best first in each task: DataFrame."""
    order = table.assign(place=table.groupby(["study", "task", "source"], sort=False).ngroup()).sort_values(
        ["place", "skill"], ascending=[True, False])

    def column(name, form):
        return ["–" if pd.isna(value) else form(value) for value in order[name]]

    plus = partial(signed, plus=True)
    spans = [f" ({plus(low)} to {plus(high)})" if np.isfinite(low) else "" for low, high in
              order[["low", "high"]].to_numpy()]
    return pd.DataFrame({
        "study": order["study"], "model": order["model"],
        "skill": [text + more for text, more in zip(column("skill", plus), spans, strict=True)],
        "training": column("train_s", seconds), "forecast": column("forecast_s", seconds),
        "parameters": column("parameters", "{:,.0f}".format), "device": order["device"].replace("", "–"),
        "front": order["front"].map({True: "yes", False: ""}), "task": order["task"],
        "reference": order["reference"], "source": order["source"]})
