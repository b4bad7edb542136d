"""Skill tables as a page shows them, and the sentences that they support."""

import numpy as np
import pandas as pd

from smlib.evaluate.entrants import SUFFIX
from smlib.models import BASELINES, MODELS
from smlib.paths import DATA

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


def answer(skill):
    """The page's answer as Markdown: the best entrant by median R2 over sites, and how often it beats persistence.

    Needs persistence among the models.
    """
    middle = skill[(skill["site"] == "all") & (skill["variant"] == "median") & (skill["metric"] == "R2")]
    counts = against(skill)
    counts = counts[~counts["model"].isin(BASELINES)].set_index(["lead_d", "model"])
    said = []
    for lead, rows in middle.groupby("lead_d"):
        rows = rows.set_index("model")["value"]
        models = rows.drop([b for b in BASELINES if b in rows])
        best, above = models.idxmax(), int((models > rows["persistence"]).sum())
        won = counts.loc[(lead, best)]
        said.append(f"At {_days(lead)} {best} has the highest median R² over sites, {models.max():.3f}; persistence "
                    f"has {rows['persistence']:.3f}, and {above} of {len(models)} models are above it. The skill of "
                    f"{best} against persistence is surely above 0 at {int(won['better'])} of {int(won['levels'])} "
                    f"levels and surely below at {int(won['worse'])}.")
    sites = skill.loc[skill["site"] != "all", "site"].nunique()
    return ("**Our runs.** " + " ".join(said) + f" (Sites: {sites}; the levels of a site are not independent, and the "
            "best of many models is partly the luckiest.)")


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


def _days(lead):
    return f"{lead} day" if lead == 1 else f"{lead} days"
