"""Sentences of the correction pages, each from the tables of the page."""

import pandas as pd

from smlib.correction import summary
from smlib.correction.folds import MEANING
from smlib.correction.interpreting import PARTS

RIVALS = ("CDF matching", "HistGB")
OWN = "CDF matching, own past"


def tally(skills):
    """How often a method is surely better, surely worse or neither: dict by reference of (better, worse, all)."""
    found = {}
    for reference, some in skills.dropna(subset=["low"]).groupby("reference", sort=False):
        found[reference] = (int((some["low"] > 0).sum()), int((some["high"] < 0).sum()), len(some))
    return found


def verdict(skills, protocol="strict"):
    """Does MLSTM beat CDF matching and boosting on held-out stations? And a sentence on stations with a past."""
    here = skills[skills["protocol"] == protocol]
    counted, median = tally(here), here.groupby("reference")["value"].median()

    def one(reference):
        better, worse, whole = counted.get(reference, (0, 0, 0))
        return (f"{reference} in {better} of {whole} cases and is surely worse in {worse} "
                f"(median skill {_signed(median.get(reference, float('nan')))})")

    said = f"On {MEANING[protocol]} ({protocol}), MLSTM surely beats " + ", and ".join(one(r) for r in RIVALS) + "."
    year = skills[skills["protocol"] == "year"]
    better, worse, whole = tally(year).get(OWN, (0, 0, 0))
    if whole:
        said += (f" Where a station has a past of its own (year), {OWN}, surely beats MLSTM in {worse} of {whole} "
                 f"cases and is surely worse in {better}.")
    return said


def improvement(table, combination, weight):
    """What correcting was worth: RMSE before and after under each protocol, medians over networks and products."""
    some = table[(table["metric"] == "RMSE") & (table["against"] == "in situ")]
    raw = some[some["method"] == "raw"].groupby("protocol")["value"].median()
    ours = some[(some["method"] == "MLSTM") & (some["combination"] == combination)
                & (some["weight"] == weight)].groupby("protocol")["value"].median()
    words = [f"{protocol} {ours[protocol]:.3f} (product {raw[protocol]:.3f})" for protocol in MEANING
             if protocol in ours]
    return f"Median RMSE against in-situ moisture after correction, m³ m⁻³: {', '.join(words)}."


def grid_matching(table, combination):
    """The answer of the page on stage 1, from `tables.scores` of it and what it is compared with."""
    some = table[(table["metric"] == "RMSE") & (table["method"] == "stage 1")
                 & (table["combination"] == combination)]
    said = []
    for name in some["against"].unique():
        medians = some[some["against"] == name].groupby("protocol")["value"].median()
        said.append(f"against {name} {medians.get('paper', float('nan')):.3f} in-sample and "
                    f"{medians.get('strict', float('nan')):.3f} at stations and in years that it has not seen")
    words = f"**Our runs.** Stage 1 from {combination} has a median RMSE (m³ m⁻³) {'; '.join(said)}."
    strict = table[(table["metric"] == "RMSE") & (table["protocol"] == "strict") & (table["against"] == "in situ")
                   & table["combination"].isin(["", combination])]
    best = strict.pivot_table(index=["network", "product"], columns="method", values="value")
    others = [name for name in best if name != "stage 1"]
    ahead = {name: int((best["stage 1"] < best[name]).sum()) for name in others}
    words += " Against in situ, strict, its RMSE is lower than that of " + ", ".join(
        f"{name} in {count} of {len(best)} cases" for name, count in ahead.items()) + "."
    true = table[(table["metric"] == "RMSE") & (table["protocol"] == "strict") & (table["against"] == "truth")
                 & table["combination"].isin(["", combination])].pivot_table(index=["network", "product"],
                                                                            columns="method", values="value")
    if "in situ" in true:
        ahead = int((true["in situ"] < true["stage 1"]).sum())
        words += (f" Where there are stations, their mean is the better estimate of the cell in {ahead} of {len(true)} "
                  f"cases (median RMSE against the truth {true['in situ'].median():.3f}).")
    return words


def random_or_bias(parts, triples):
    """Does correction lower the random error or only the bias?

    parts : `interpreting.error_parts` of the methods "raw" and "MLSTM"; triples : `interpreting.triplets`
    """
    mean = parts.groupby(["method", "part"])["value"].mean().unstack("method")
    before, after = mean["raw"], mean["MLSTM"]
    gone = before.sum() - after.sum()
    said = [f"At stations and in years that it has not seen, MLSTM changes the mean squared error from "
            f"{1e4 * before.sum():.1f} to {1e4 * after.sum():.1f} · 10⁻⁴ m⁶ m⁻⁶"]
    if gone > 0:
        said.append("; of what is gone, " + ", ".join(
            f"{part} is {100 * (before[part] - after[part]) / gone:.0f} %".replace("-", "−") for part in PARTS))
    words = "".join(said) + "."
    rows = triples[(triples["data"] == "product") & (triples["metric"] == "error_std")].set_index(
        ["network", "product", "state"])
    value, low, high, true = (rows[name].unstack("state").reindex(columns=["before", "after"])
                              for name in ("value", "low", "high", "true"))
    both = value.notna().all(axis=1)
    if both.any():
        lower = int((high["after"] < low["before"])[both].sum())
        words += (f" By triple collocation its random error goes from {_change(value[both])} in the median of "
                  f"{both.sum()} cases; the interval after lies wholly below that before in {lower}")
        if true[both].notna().any().any():
            words += f"; against the known truth it goes from {_change(true[both])}"
        words += "."
    return words


def _change(table):
    median = table.median()
    return f"{median['before']:.4f} to {median['after']:.4f} m³ m⁻³"


def _percent(number):
    return f"{100 * number:+.0f} %".replace("-", "−")


def _signed(number):
    return f"{number:+.2f}".replace("-", "−") if pd.notna(number) else "not known"


def about(study):
    """The line about the data at the top of a page: `summary.about` of a `Study`, and its products."""
    points = {name: one.points for name, one in study.networks.items()}
    return f"{summary.about(points, study.kind, study.source, study.scale)} Products: {', '.join(study.products)}."


def odd(table):
    """Which printed rows break their own arithmetic, and how."""
    rows = [f"{r.network} {r.combination} {r.grid}: RMSE {r.rmse:.3f} is printed, ubRMSE {r.ubrmse:.3f} and bias "
            f"{_signed_3(r.bias)} imply {r.implied_rmse:.3f}" + (f", and MAE {r.mae:.3f} exceeds the RMSE" if
                                                                r.mae > r.rmse else "") for r in table.itertuples()]
    return f"{len(rows)} printed rows cannot be right: " + "; ".join(rows) + "."


def paper_way(table):
    """How much of the improvement hangs on what it is scored against, from `tables.improvement_table`."""
    raw = table[table["combination"] == "original"].set_index(["product", "network"])
    ours = table[table["combination"] != "original"].groupby(["product", "network"])[
        ["printed", "corrected in situ", "in situ", "in situ, strict"]].mean()
    words = []
    for column, name in (("printed", "In print"), ("corrected in situ", "scored in the paper's way here"),
                         ("in situ", "in-sample against the stations"), ("in situ, strict", "strict")):
        both = raw[column].notna() & ours[column].notna()
        if both.any():
            change = (ours[column] / raw[column] - 1)[both]
            words.append(f"{name} the RMSE changes by {_percent(change.median())} in the median (it falls in "
                         f"{int((change < 0).sum())} of {len(change)} cases of a product and network)")
    return "; ".join(words) + ". Means over combinations."


def weights(table, default):
    """How much hangs on the weight, from `tables.weights`."""
    cases = table.groupby(["network", "product"])["value"]
    span = cases.max() - cases.min()
    best = table.loc[cases.idxmin(), "weight"].value_counts()
    lowest = ", ".join(f"{w:g} in {n}" for w, n in best.items())
    return (f"Between the weights {table['weight'].min():g} and {table['weight'].max():g} the RMSE differs by "
            f"{span.median():.4f} m³ m⁻³ in the median and {span.max():.4f} at most; the lowest is at "
            f"{lowest} of {len(span)} cases. The pages use {default:g}, which was not chosen by these scores.")


def shapley(shares):
    """Which auxiliary leads in which network."""
    top = shares.loc[shares.groupby("network", sort=False)["share"].idxmax()]
    return "Stage 1 goes by " + ", ".join(f"{summary.NAMES[r.auxiliary]} most at {r.network} ({r.share:.0%})"
                                          for r in top.itertuples()) + "."


def _signed_3(number):
    return f"{number:+.3f}".replace("-", "−")
