"""Average ranks of models over sites, with the tests of Friedman and Nemenyi, and what the target does to them."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scikit_posthocs
from scipy import stats

from smlib.evaluate.significance import ALPHA, site_ratio

ERRORS = ("RMSE", "ubRMSE", "MAE")
DROP = ("blocks", "entrants")


class Friedman(NamedTuple):
    """Three tidy tables, see `friedman`."""

    ranks: pd.DataFrame
    tests: pd.DataFrame
    pairs: pd.DataFrame


def blocks(skill, metric="R2", by="site"):
    """The tidy skill table as `friedman` wants it: entrant, block, level, lead_d, value (higher is better).

    Parameters
    ----------
    skill : DataFrame
        With a column ``entrant`` (by default the model) and, where targets differ, ``level_variant``, which tells
        levels of unknown depth apart without the target.
    by : str
        ``site``: a block is a site, whose levels are not independent. ``level``: every level is a block; optimistic.

    Raises
    ------
    ValueError
        For an unknown `by`, or a metric that no site has.
    """
    if by not in ("site", "level"):
        raise ValueError(f"by must be 'site' or 'level', not {by!r}")
    rows = skill[(skill["metric"] == metric) & (skill["site"] != "all")]
    if rows.empty:
        raise ValueError(f"no site has {metric!r}: there are {sorted(skill['metric'].unique())}")
    variant = rows["level_variant" if "level_variant" in rows else "variant"].fillna("").astype(str)
    level = rows["depth_m"].map("{:.2f} m".format).where(rows["depth_m"].notna(), variant)
    sign = -1 if metric in ERRORS or metric == "bias" else 1
    value = rows["value"].abs() if metric == "bias" else rows["value"]
    block = rows["site"] if by == "site" else (rows["site"] + ", " + level).str.strip(", ")
    return pd.DataFrame({"entrant": rows["entrant" if "entrant" in rows else "model"], "block": block,
                         "level": level if by == "site" else "", "lead_d": rows["lead_d"],
                         "value": sign * value}).reset_index(drop=True)


def friedman(table, drop="blocks"):
    """Average ranks over blocks at each lead (1 is best), and the tests of Friedman and Nemenyi (Demsar 2006, 3.2.2).

    Entrants are ranked at each level, these ranks are averaged over the levels of a block, and ranked again. So a level
    counts as much as another of its block, however much its moisture varies; and R2 and RMSE, which order the models of
    a level alike, give the same answer.

    Parameters
    ----------
    table : DataFrame
        Columns entrant, block, level (optional), lead_d, value (higher is better), as from `blocks`.
    drop : str
        Where an entrant has no value at a level, leave out that level for all (``blocks``), or that entrant everywhere
        (``entrants``). Levels where nobody has a value, and entrants that have none, are left out in any case.

    Returns
    -------
    ranks : lead_d, entrant, rank, blocks
    tests : lead_d, blocks (N), entrants (k), chi2, df, p (Friedman), F, df1, df2, p_F (Iman and Davenport
        1980: better with few blocks), cd (the least difference of average ranks that Nemenyi's test calls one, at 5 %:
        q sqrt(k (k + 1) / 6 N)), left_out (what was dropped) and note (how much the test can see). The
        tests are NaN with fewer than two blocks or three entrants.
    pairs : lead_d, entrant, other, difference (of average ranks; negative: entrant is better), p (Nemenyi)

    Raises
    ------
    ValueError
        For an unknown `drop`, or several values for an entrant in one block.
    """
    if drop not in DROP:
        raise ValueError(f"drop must be one of {', '.join(DROP)}, not {drop!r}")
    table = table.assign(level="") if "level" not in table else table
    twice = table.duplicated(["entrant", "block", "level", "lead_d"])
    if twice.any():
        row = table[twice].iloc[0]
        raise ValueError(f"several values for {row['entrant']} at {row['block']} {row['level']}, {row['lead_d']} days: "
                         "give every entrant a name of its own, and select one study, source and protocol")
    found = [_at_one_lead(lead, here, drop) for lead, here in table.groupby("lead_d")]
    return Friedman(*(pd.concat(parts, ignore_index=True) for parts in zip(*found, strict=True)))


def _at_one_lead(lead, table, drop):
    entrants = list(dict.fromkeys(table["entrant"]))
    wide = table.pivot(index=["block", "level"], columns="entrant", values="value")[entrants]
    wide, left_out = _complete(wide, drop)
    ranks = (-wide).rank(axis=1).groupby("block").mean().rank(axis=1)
    n, k = ranks.shape
    mean = ranks.mean().sort_values(kind="stable")
    order = pd.DataFrame({"lead_d": lead, "entrant": mean.index, "rank": mean.values, "blocks": n})
    test = {"lead_d": lead, "blocks": n, "entrants": k}
    pairs = pd.DataFrame(columns=["lead_d", "entrant", "other", "difference", "p"])
    if n < 2 or k < 3:
        test |= dict.fromkeys(("chi2", "df", "p", "F", "df1", "df2", "p_F", "cd"), np.nan)
        test |= {"left_out": left_out, "note": f"{n} blocks and {k} entrants are too few to test"}
        return order, pd.DataFrame([test]), pairs
    test |= _omnibus(ranks) | {"cd": stats.studentized_range.ppf(1 - ALPHA, k, np.inf) * np.sqrt(k * (k + 1) / 12 / n)}
    test |= {"left_out": left_out,
             "note": f"{n} blocks: two of {k} entrants differ only if their average ranks, at most {k - 1} apart, "
                     f"lie {test['cd']:.1f} apart" + (": none can" if test["cd"] > k - 1 else "")}
    p = scikit_posthocs.posthoc_nemenyi_friedman(ranks[mean.index].to_numpy())
    i, j = np.triu_indices(k, 1)
    pairs = pd.DataFrame({"lead_d": lead, "entrant": mean.index[i], "other": mean.index[j],
                          "difference": mean.values[i] - mean.values[j], "p": p.to_numpy()[i, j]})
    return order, pd.DataFrame([test]), pairs


def _complete(wide, drop):
    """The rows and columns without a missing value, and a text that names what was dropped."""
    known = wide.notna()
    lost = list(wide.columns[~known.any()])
    lost_rows = wide.index[~known.any(axis=1)]
    gaps = ~known.drop(index=lost_rows, columns=lost)
    if drop == "entrants":
        lost += list(gaps.columns[gaps.any()])
    else:
        lost_rows = lost_rows.append(gaps.index[gaps.any(axis=1)])
    names = [", ".join(filter(None, row)) for row in lost_rows]
    wide = wide.drop(index=lost_rows, columns=lost)
    return wide, "; ".join([*lost, *names])


def _omnibus(ranks):
    n, k = ranks.shape
    if (ranks.nunique(axis=1) == 1).all():  # all alike everywhere
        chi2, p = 0.0, 1.0
    else:
        chi2, p = stats.friedmanchisquare(*ranks.to_numpy().T)
    rest = n * (k - 1) - chi2  # 0 where all blocks agree wholly
    f = (n - 1) * chi2 / rest if rest > 1e-9 * n * k else np.inf
    df1, df2 = k - 1, (k - 1) * (n - 1)
    return {"chi2": chi2, "df": df1, "p": p, "F": f, "df1": df1, "df2": df2, "p_F": stats.f.sf(f, df1, df2)}


def target_effect(skill, draws=1000, seed=0, drop="blocks"):
    """What learning the day's change instead of the moisture itself does to each model, at each lead.

    At one level both targets are scored against the same observations, so the ratio of their mean squared errors is
    that of 1 - R2; nothing but the skill table is needed.

    Parameters
    ----------
    skill : DataFrame
        The tidy skill table with the columns ``target`` (value, increment) and ``level_variant``.
    drop : str
        As in `friedman`, for the ranks.
    draws, seed : int
        Draws of sites behind an interval, and their seed.

    Returns
    -------
    DataFrame
        Columns model, lead_d, ``r2_value``, ``r2_increment`` and ``difference`` (increment minus value; medians over
        sites), the columns of `smlib.evaluate.significance.site_ratio` for MSE of increment / MSE of value (``skill``
        above 0: increment is better), ``levels``, and ``rank_value``, ``rank_increment``: the model's average rank over
        sites among all models (baselines included) when all learn the value, and when all learn the increment.
    """
    absent = {"target", "level_variant"} - set(skill)
    if absent:
        raise ValueError(f"the skill table lacks {', '.join(sorted(absent))}: split its variant first")
    rows = skill[(skill["metric"] == "R2") & (skill["site"] != "all")]
    wide = rows.pivot(index=["model", "lead_d", "site", "depth_m", "level_variant"], columns="target", values="value")
    wide = wide.reindex(columns=["value", "increment"])
    both = wide[wide.notna().all(axis=1)].copy()
    error = (1 - both).where(both < 1)
    both["log_ratio"] = np.log(error["increment"] / error["value"])
    both["levels"] = 1.0
    ranks = _ranks_by_target(rows, drop)
    found = []
    for (model, lead), here in both.groupby(["model", "lead_d"], sort=False):
        sites = here.groupby("site").mean()
        found.append({"model": model, "lead_d": lead, "r2_value": sites["value"].median(),
                      "r2_increment": sites["increment"].median(),
                      "difference": (sites["increment"] - sites["value"]).median()}
                     | site_ratio(sites["log_ratio"], draws, seed) | {"levels": len(here)}
                     | {f"rank_{target}": ranks.get((target, lead, model), np.nan)
                        for target in ("value", "increment")})
    order = {model: k for k, model in enumerate(dict.fromkeys(rows["model"]))}
    found = pd.DataFrame(found)
    return found.sort_values(["lead_d", "model"], key=lambda c: c.map(order) if c.name == "model" else c,
                             ignore_index=True) if len(found) else found


def _ranks_by_target(rows, drop):
    """(target, lead, model) -> average rank, among the models that have that target and those that know but one."""
    single = ~rows["model"].isin(rows.loc[rows["target"] == "increment", "model"])
    ranks = {}
    for target in ("value", "increment"):
        here = rows[(rows["target"] == target) | single].drop(columns="entrant", errors="ignore")
        if len(here):
            table = friedman(blocks(here), drop).ranks
            ranks |= {(target, r.lead_d, r.entrant): r.rank for r in table.itertuples()}
    return ranks


def order_kept(effect):
    """Do the models stand in the same order with either target? A row a lead.

    Parameters
    ----------
    effect : DataFrame
        From `target_effect`.

    Returns
    -------
    DataFrame
        Columns lead_d, models, ``tau`` (Kendall's, between the two columns of ranks) and its ``p`` (small: the orders
        have something in common), ``best_value`` and ``best_increment`` (models of the lowest average rank).
    """
    rows = []
    for lead, here in effect.dropna(subset=["rank_value", "rank_increment"]).groupby("lead_d"):
        tau = stats.kendalltau(here["rank_value"], here["rank_increment"]) if len(here) > 1 else None
        names = here.set_index("model")
        rows.append({"lead_d": lead, "models": len(here), "tau": tau.statistic if tau else np.nan,
                     "p": tau.pvalue if tau else np.nan, "best_value": names["rank_value"].idxmin(),
                     "best_increment": names["rank_increment"].idxmin()})
    return pd.DataFrame(rows)
