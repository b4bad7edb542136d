"""Skill tables as a page shows them, and the sentences that they support."""

import numpy as np
import pandas as pd

from smlib import wording
from smlib.evaluate.entrants import SUFFIX
from smlib.models import BASELINES, MODELS
from smlib.paths import DATA
from smlib.wording import count, items, listed, signed, within

PRINTED = DATA / "published" / "wang2024_tables2_6_r2.csv"
# A level stands beside a printed depth if its own is within a fifth of it: 0.05 m takes 0.04 to 0.06 m.
DEPTH_TOLERANCE = 0.2


def wide(skill, metric="R2", digits=3):
    """One metric as text, ``value [low, high]``: a row a site, level and model, a column a lead.

    The value has `digits` decimals, its interval one less; a model that could not be scored shows a dash.

    Parameters
    ----------
    skill : DataFrame
        A skill table.
    metric : str
    digits : int
    """
    rows = skill[skill["metric"] == metric].copy()
    rows["text"] = [_text(r.value, r.low, r.high, digits) for r in rows.itertuples()]
    rows["level"] = [_level(r.depth_m, r.variant) for r in rows.itertuples()]
    rows["lead"] = [f"{lead} d" for lead in rows["lead_d"]]
    table = rows.pivot(index=["site", "level", "model"], columns="lead", values="text")
    order = list(dict.fromkeys(zip(rows["site"], rows["level"], rows["model"], strict=True)))
    return table.loc[order, list(dict.fromkeys(rows["lead"]))].rename_axis(columns=None)


def against(skill, reference="persistence"):
    """How many levels a model beats a baseline at, and loses at, with 95 % confidence: a row a model and lead.

    Columns: ``better`` (the interval of its skill lies above 0), ``worse`` (below 0), ``undecided``, ``median_skill``.
    """
    rows = skill[(skill["metric"] == f"skill_{reference}") & (skill["site"] != "all") & (skill["model"] != reference)
                 & (skill["n"] > 0)]
    rows = rows.assign(better=rows["low"] > 0, worse=rows["high"] < 0)
    table = rows.groupby(["model", "lead_d"], sort=False).agg(
        better=("better", "sum"), worse=("worse", "sum"), levels=("better", "size"), median_skill=("value", "median"))
    table.insert(2, "undecided", table["levels"] - table["better"] - table["worse"])
    return table.reset_index()


def leaders(skill):
    """Who is best at each lead by the median R2 over sites, of the models that are no baselines: a row a lead.

    Columns: lead_d; ``best``, its ``r2`` with ``low`` and ``high``; the R2 of ``persistence`` and ``climatology``, the
    latter over ``climatology_sites`` of ``sites``; ``models``, and how many are ``above`` persistence; at how many
    ``levels`` the best is surely ``better`` and ``worse`` than persistence; ``beaten_by``, the better baseline if the
    best is not above it, else empty. Climatology counts there if it could be scored at all sites. A lead without a
    score of persistence or of any model has no row.
    """
    rows = skill[(skill["site"] == "all") & (skill["variant"] == "median") & (skill["metric"] == "R2")]
    counts, found = against(skill).set_index(["lead_d", "model"]), []
    for lead, here in rows.groupby("lead_d"):
        here = here.set_index("model")
        known, r2 = here.reindex(list(BASELINES)), here["value"].drop(list(BASELINES), errors="ignore").dropna()
        persistence, climatology = known.loc["persistence"], known.loc["climatology"]
        if r2.empty or np.isnan(persistence["value"]):
            continue
        best = r2.idxmax()
        comparable = known["value"].where(known["n"] == persistence["n"]).dropna()
        won = counts.reindex([(lead, best)]).iloc[0]
        found.append({
            "lead_d": int(lead), "best": best, "r2": r2[best], "low": here.loc[best, "low"],
            "high": here.loc[best, "high"], "persistence": persistence["value"], "climatology": climatology["value"],
            "climatology_sites": climatology["n"], "sites": int(persistence["n"]), "models": len(r2),
            "above": int((r2 > persistence["value"]).sum()),
            **{name: int(np.nan_to_num(won[name])) for name in ("better", "worse", "levels")},
            "beaten_by": comparable.idxmax() if r2[best] <= comparable.max() else ""})
    return pd.DataFrame(found)


def answer(skill):
    """The page's answer and the numbers behind it, both Markdown: which model is best at each lead, and is it better
    than persistence?

    Needs persistence among the models.
    """
    table = leaders(skill)
    if table.empty:
        return wording.answer("No lead could be scored: the moisture did not vary on the test days."), ""
    ends = table.iloc[sorted({0, len(table) - 1})]
    return wording.answer(*(_who_leads(table, rows, sure) for rows, sure in (
        (table, True), (ends, True), (table.tail(1), True), (table.tail(1), False)))), items([
            *(_lead_in_numbers(row) for row in table.itertuples()),
            f"{count(skill.loc[skill['site'] != 'all', 'site'].nunique(), 'site')}; the levels of a site are not "
            "independent, and the best of many models is partly the luckiest."])


def _who_leads(table, rows, sure):
    """The answer with the leads of `rows`, those first at which a baseline is not beaten."""
    digits = 2 + bool((rows["r2"].round(2) == rows["persistence"].round(2)).any())
    lost, won, said = rows[rows["beaten_by"] != ""], rows[rows["beaten_by"] == ""], []
    unsaid = (table["beaten_by"] != "").sum() - len(lost)
    if unsaid:
        said.append(f"At {unsaid} other of {count(len(table), 'lead')} no model beats the baselines.")
    for name, here in lost.groupby("beaten_by", sort=False):
        said.append(f"No model beats {name} {_ahead(here)} (median R² {_values(here[name], digits)}; best: "
                    f"{_by_model(here, digits)}).")
    if len(won) and won["best"].nunique() == 1:
        said.append(f"{won['best'].iloc[0]} has the highest median R² {_ahead(won)} ({_values(won['r2'], digits)}; "
                    f"persistence {_values(won['persistence'], digits)})")
    elif len(won):
        said.append(f"Highest median R²: {_by_model(won, digits, leads=True)}; persistence "
                    f"{_values(won['persistence'], digits)}")
    if len(won):
        said[-1] += f"; surely better than it at {_levels(won, 'better')}." if sure else "."
    if sure and won["worse"].any():
        said[-1] = f"{said[-1][:-1]}, worse at {', '.join(map(str, won['worse']))}."
    return " ".join(said)


def _by_model(rows, digits, leads=False):
    groups = [(name, here) for name, here in rows.groupby("best", sort=False)]
    return ", ".join(f"{name} {_values(here['r2'], digits)}"
                     + (f" ({', '.join(map(str, here['lead_d']))} d)" if leads else "") for name, here in groups)


def _values(values, digits):
    return ", ".join(signed(value, digits) for value in values)


def _ahead(rows):
    leads = rows["lead_d"].tolist()
    return f"{listed(leads)} {'day' if leads == [1] else 'days'} ahead"


def _levels(rows, name):
    """2, 2, 1 of 8 levels; where the number of levels differs, 2 of 8, 1 of 7 levels."""
    if rows["levels"].nunique() == 1:
        return f"{', '.join(map(str, rows[name]))} of {count(rows['levels'].iloc[0], 'level')}"
    return ", ".join(f"{n} of {levels}" for n, levels in zip(rows[name], rows["levels"], strict=True)) + " levels"


def _lead_in_numbers(row):
    climatology = "" if np.isnan(row.climatology) else f", climatology {signed(row.climatology, 3)}" + (
        "" if row.climatology_sites == row.sites else f" (of {int(row.climatology_sites)} of {row.sites} sites)")
    return (f"{count(row.lead_d, 'day')} ahead: {row.best} has the highest median R² over sites, {signed(row.r2, 3)}"
            f"{within(row.low, row.high)}; persistence has {signed(row.persistence, 3)}{climatology}. Above "
            f"persistence {'is' if row.above == 1 else 'are'} {row.above} of {count(row.models, 'model')}. The skill "
            f"of {row.best} against persistence is surely above 0 at {row.better} of {count(row.levels, 'level')} "
            f"and surely below at {row.worse}.")


def printed_means(skill):
    """The printed R2 of Wang et al. (2024, Tables 2 to 6) beside ours, by model and lead.

    The sites differ, so this compares kinds, not numbers. `printed` is the mean over the five printed depths, with
    `lowest` and `highest`; it is missing where a depth was printed as "extremely poor". `ours`, `low` and `high` are
    the median over our sites and its interval.
    """
    printed = _printed().groupby(["model", "lead_d"])["printed"].agg(
        printed=lambda v: v.mean(skipna=False), lowest="min", highest="max")
    middle = (skill["site"] == "all") & (skill["variant"] == "median") & (skill["metric"] == "R2")
    ours = skill[middle].set_index(["model", "lead_d"])
    table = ours[["value", "low", "high"]].rename(columns={"value": "ours"})
    table = printed.join(table, how="right").reset_index()
    table = table[~table["model"].str.endswith(SUFFIX)]
    order = {name: k for k, name in enumerate(MODELS)}
    return table.sort_values(["lead_d", "model"], key=lambda c: c.map(order) if c.name == "model" else c,
                             ignore_index=True)


def printed_by_depth(skill):
    """Printed and our R2 where a level's depth is known and near a printed one: model, depth_m, lead_d, printed, ours.

    `ours` is the mean over the levels near that depth. Persistence, which the paper does not print, has ours alone.
    """
    printed = _printed()
    rows = skill[(skill["metric"] == "R2") & (skill["site"] != "all") & skill["depth_m"].notna()
                 & (skill["model"].isin(printed["model"]) | (skill["model"] == "persistence"))]
    depths = np.sort(printed["depth_m"].unique())
    nearest = depths[np.abs(rows["depth_m"].to_numpy(float)[:, None] - depths).argmin(axis=1)]
    near = np.abs(rows["depth_m"] - nearest) <= DEPTH_TOLERANCE * nearest
    ours = rows.assign(depth_m=nearest)[near].groupby(["model", "depth_m", "lead_d"], sort=False)["value"].mean()
    return ours.rename("ours").reset_index().merge(printed, "left", ["model", "depth_m", "lead_d"])[
        ["model", "depth_m", "lead_d", "printed", "ours"]]


def _printed():
    """Tables 2 to 6 of the paper: model, depth_m, lead_d, printed. Table 6 repeats the LSTM of Table 3."""
    table = pd.read_csv(PRINTED).rename(columns={"lead_days": "lead_d", "r2": "printed"})
    return table.drop(columns="table").drop_duplicates(ignore_index=True)


def _text(value, low, high, digits):
    if np.isnan(value):
        return "–"
    interval = "" if np.isnan(low) else f" [{low:.{digits - 1}f}, {high:.{digits - 1}f}]"
    return f"{value:.{digits}f}{interval}".replace("-", "−")


def _level(depth_m, variant):
    return variant if pd.isna(depth_m) else f"{depth_m:.2f} m"
