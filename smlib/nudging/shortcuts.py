"""The nudging study's shortcuts one at a time: the scores in the tables of its finished runs, without and with each."""

import numpy as np
import pandas as pd

from smlib.evaluate.worth import PAIRS, beside_conclusion, with_overwritten, with_zeros
from smlib.nudging.settings import printed_settings
from smlib.nudging.tables import PRINTED, STUDY
from smlib.nudging.worth import OUTSIDE
from smlib.paths import DATA

SCALED = "scaled by the test period"
TAU, OVERWRITTEN = "tau chosen on the test period", "overwritten cells counted"
CASE = ["model", "fraction", "noise"]
FURTHER = ("fraction", "noise", "tau", "observed", "free", "free_unobserved")


def free_run_pairs(worth, kind):
    """Free runs without and with each choice alone, for `smlib.evaluate.worth.summary`; the unit is a network.

    worth : table of `free_run_worth`; kind : "measured" or "simulated"
    """
    table = worth.rename(columns={"RMSE": "rmse", "R2": "r2", "choice": "shortcut"})
    strict = table[table["shortcut"] == "strict"].drop(columns="shortcut")
    parts = [strict.merge(table[table["shortcut"] == choice], on="model", suffixes=("", "_leaky"), validate="1:1")
             for choice in (SCALED, OUTSIDE)]
    return _pairs(pd.concat(parts, ignore_index=True).assign(case="free run"), kind)


def tau_pairs(settings, chosen, kind):
    """Nudged networks at the tau that validation chose and at the best of the test, over all cells, with feedback.

    settings, chosen : tables of `settings.nudge_study` in the strict protocol; a case is a fraction and a noise
    """
    before = _at(settings, chosen, "all")
    wide = _wide(settings, "all")
    after = wide.loc[wide.groupby(CASE, sort=False)["rmse"].idxmin()]
    return _pairs(before.merge(after, on=CASE, suffixes=("", "_leaky"), validate="1:1").assign(shortcut=TAU), kind)


def overwritten_pairs(settings, chosen, kind):
    """The same nudged networks over the cells not observed on the day, and over all: tables as of `tau_pairs`.

    Both at the tau chosen over all cells, the column tau; `observed` is the fraction of the cells that were, `free` and
    `free_unobserved` the RMSE of the free run over all cells and over those not observed. Where all were
    observed there is nothing to compare.
    """
    before, after = (_at(settings, chosen, "all", cells) for cells in ("unobserved", "all"))
    found = before.merge(after.drop(columns="tau"), on=CASE, suffixes=("", "_leaky"), validate="1:1")
    found["observed"] = 1 - found["n"] / found["n_leaky"]
    rmse = settings[settings["metric"] == "RMSE"]
    free = rmse[(rmse["fraction"] == 0) & rmse["feedback"]].set_index("model")["value"]
    # Without feedback a cell that is not observed is the free run's.
    alone = rmse[~rmse["feedback"] & (rmse["cells"] == "unobserved")].rename(columns={"value": "free_unobserved"})
    found = found.assign(free=found["model"].map(free)).merge(alone[[*CASE, "tau", "free_unobserved"]],
                                                              on=[*CASE, "tau"], validate="1:1")
    return _pairs(found[found["n"] > 0].assign(shortcut=OVERWRITTEN), kind)


def gains(overwritten):
    """What nudging gains over the free run of the same days, by where it is scored.

    overwritten : of `overwritten_pairs`. Returns DataFrame model, fraction, noise, tau, all, unobserved: percent by
    which the RMSE is lower than the free run's over the same cells.
    """
    return overwritten[["model", "fraction", "noise", "tau"]].assign(
        all=100 * (1 - overwritten["rmse_leaky"] / overwritten["free"]),
        unobserved=100 * (1 - overwritten["rmse"] / overwritten["free_unobserved"]))


def gains_answer(table):
    """What is left of the gain where nothing was observed, in words, by fraction observed; means over the rest."""
    mean = table.groupby("fraction")[["all", "unobserved"]].mean()
    said = [f"{100 * fraction:g} % observed, {row['all']:.1f} % lower over all cells and {row['unobserved']:.1f} % "
            "over those not observed" for fraction, row in mean.iterrows()]
    harmed = int((table["unobserved"] < 0).sum())
    return (f"Means over networks and noises: with {'; with '.join(said)}. Where nothing was observed, nudging makes "
            f"the error larger in {harmed} of {len(table)} settings.").replace("-", "−")


def conclusions(pairs):
    """What the paper rests on, printed and ours: mapping of shortcut -> see `smlib.evaluate.worth.beside_conclusion`.

    pairs : of all functions here. Free runs (Table 3) and nudged networks (Tables 4 and 5): the printed best before the
    next; overwritten cells: nudged before free, in print over all cells.
    """
    keys = ["unit", "case", "model", "rmse"]
    free = pd.read_csv(DATA / "published" / PRINTED["long-term"]).assign(unit="", case="")[keys]
    nudged = printed_settings().query("metric == 'RMSE'").rename(columns={"printed": "rmse"})
    nudged["case"], nudged["unit"], alone = _case(nudged), "", free.set_index("model")["rmse"]
    ours = {name: here.assign(unit="") for name, here in pairs.groupby("shortcut")}
    found = {name: beside_conclusion("free run, {winner} before {loser}", free, ours[name])
             for name in (SCALED, OUTSIDE)}
    found[TAU] = beside_conclusion("nudged, {winner} before {loser}", nudged[keys], ours[TAU])
    before = dict(zip(("winner", "loser"), ("nudged", "free"), strict=True))
    nudged = nudged.assign(free=nudged["model"].map(alone), rmse_leaky=np.nan, free_leaky=np.nan)
    without = ours[OVERWRITTEN].rename(columns={"free": "free_leaky", "free_unobserved": "free"})
    return found | {OVERWRITTEN: beside_conclusion("{winner} before {loser}", _or_free(nudged), _or_free(without),
                                                   **before)}


def _or_free(nudged):
    """Each network nudged and free as two models, the unit being the network."""
    nudged = nudged.assign(unit=nudged["model"], model="nudged")
    both = pd.concat([nudged, nudged.assign(model="free", rmse=nudged["free"], rmse_leaky=nudged["free_leaky"])])
    return both[["unit", "case", "model", "rmse", "rmse_leaky"]]


def _case(table):
    return [f"{100 * row.fraction:g} % observed, noise {row.noise:g}" for row in table.itertuples()]


def _wide(settings, cells):
    """Settings with feedback, free runs aside: DataFrame of `CASE`, tau, rmse, r2."""
    some = settings[settings["feedback"] & (settings["cells"] == cells) & (settings["fraction"] > 0)]
    wide = some.pivot(index=[*CASE, "tau"], columns="metric", values="value")[["RMSE", "R2"]].reset_index()
    n = some[some["metric"] == "RMSE"][[*CASE, "tau", "n"]]
    return wide.merge(n, on=[*CASE, "tau"], validate="1:1").rename(columns={"RMSE": "rmse", "R2": "r2"})


def _at(settings, chosen, chosen_over, cells=None):
    """`_wide` at the tau that validation chose over one kind of cells, scored over that kind or another."""
    taus = chosen[chosen["feedback"] & (chosen["cells"] == chosen_over)][[*CASE, "tau"]]
    return _wide(settings, cells or chosen_over).merge(taus, on=[*CASE, "tau"], validate="1:1")


def _pairs(table, kind):
    if "case" not in table:
        table["case"] = _case(table)
    table = table.assign(study=STUDY, kind=kind, unit=table["model"], counted=True)
    return table[[*PAIRS, *(name for name in FURTHER if name in table)]]


def with_zeros_expected(worth, regional, skill):
    """R2 of the free runs with the cells outside counted, by `evaluate.worth.with_zeros` and as the run has it.

    worth, regional, skill : tables of nudging/long_term; the share of zeros follows from the RMSE alone, the mean of
    the truth from the regional mean of a forecast less its bias. Returns model, share, mean (m3 m-3), and R2
    without, run (with) and expected.
    """
    pairs = free_run_pairs(worth, "").query("shortcut == @OUTSIDE").set_index("model")
    bias = skill[(skill["metric"] == "bias") & skill["model"].isin(pairs.index)].set_index("model")["value"]
    mean = regional.groupby("model")["value"].mean() - bias
    share = 1 - (pairs["rmse_leaky"] / pairs["rmse"]) ** 2
    expected = with_zeros(pairs["rmse"], pairs["r2"], share, mean[pairs.index])[1]
    return pd.DataFrame({"share": share, "mean": mean[pairs.index], "without": pairs["r2"], "run": pairs["r2_leaky"],
                         "expected": expected}).rename_axis("model").reset_index()


def with_overwritten_expected(pairs):
    """RMSE over all cells by `evaluate.worth.with_overwritten`, and as the run has it: DataFrame of its settings.

    pairs : of `overwritten_pairs`. Returns model, case, tau, observed, expected, run (m3 m-3).
    """
    expected = with_overwritten(pairs["rmse"], pairs["tau"], pairs["observed"], pairs["noise"])
    return pairs[["model", "case", "tau", "observed"]].assign(expected=expected, run=pairs["rmse_leaky"])
