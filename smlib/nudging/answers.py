"""The sentences at the top of the pages, out of their tables."""

from smlib.nudging.forecasts import BASELINES


def number(value, digits=3):
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def training_answer(field, table):
    """What was learnt, and whether to the end: Markdown."""
    best = table.loc[table["validation_rmse"].idxmin()]
    late = table.loc[table["best_epoch"] == table["epochs"], "model"].tolist()
    end = (f"The last epoch trained is the best of {_listed(late)}: more epochs may have made {_them(late)} better."
           if late else "None keeps the last epoch it trained.")
    return (f"**Our runs.** {best['model']} has the least validation error one day ahead, RMSE "
            f"{best['validation_rmse']:.4f} m³ m⁻³ over {field.valid.sum():,} cells, with {best['parameters']:,} "
            f"weights. {end}")


def answer(skill, what):
    """Networks against baselines, by pooled R2 and by skill: Markdown."""
    r2 = skill[skill["metric"] == "R2"].set_index("model")["value"]
    networks = r2.drop([name for name in BASELINES if name in r2])
    known = r2.drop(networks.index)
    best, top = networks.idxmax(), known.idxmax()
    above = int((networks > known.max()).sum())
    said = (f"**Our runs.** {what.capitalize()}, {best} has the highest R² of the networks, {number(networks.max())}; "
            f"the best baseline, {top}, has {number(known.max())} (persistence {number(r2['persistence'])}, "
            f"climatology {number(r2['climatology'])}). {_count(above, len(networks))} above it.")
    for reference in ("persistence", "climatology"):
        rows = skill[skill["metric"] == f"skill_{reference}"].set_index("model")
        row = rows.loc[best]
        sure = "surely above 0" if row["low"] > 0 else "surely below 0" if row["high"] < 0 else "on no sure side of 0"
        said += f" The skill of {best} against {reference} is {number(row['value'])}, {sure}."
    return said


def nudging_answer(table, chosen):
    """What nudging does over all cells, and where nothing was observed: Markdown."""
    said = []
    for cells in ("all", "unobserved"):
        picked = table[(table["metric"] == "R2") & (table["cells"] == cells) & table["feedback"]].merge(
            chosen, on=["model", "fraction", "noise", "feedback", "cells", "tau"])
        if picked.empty:
            continue
        noise = picked["noise"].max()
        part = picked[picked["noise"] == noise]
        best = part.loc[part.groupby("fraction")["value"].idxmax()]
        words = "; ".join(f"{row.model} {number(row.value)} at {100 * row.fraction:g} %" for row in best.itertuples())
        where = "over all cells" if cells == "all" else "over the cells not observed on the day"
        said.append(f"{where} the best is {words}")
    free = table[(table["metric"] == "R2") & (table["fraction"] == 0) & table["feedback"]].set_index("model")["value"]
    return (f"**Our runs.** R² of the free run: {', '.join(f'{k} {number(v)}' for k, v in free.items())}. Nudged with "
            f"feedback and noise {noise:g} m³ m⁻³, " + "; ".join(said) + ".")


def comparison_answer(verdicts, methods):
    """Whether a network helps, pattern by pattern: Markdown."""
    if verdicts.empty:
        return "**Does a network matter?** There is nothing to compare: no network, or nothing without one, was run."
    ahead = verdicts[verdicts["low"] > 0]["pattern"].tolist()
    behind = verdicts[verdicts["high"] < 0]["pattern"].tolist()
    open_ = [p for p in verdicts["pattern"] if p not in ahead + behind]
    parts = [f"under {_listed(names)} {words}" for names, words in (
        (ahead, "the best method with a network has the lower error"), (behind, "the best without has"),
        (open_, "the interval of the difference holds 0")) if names]
    rmse = methods[(methods["metric"] == "RMSE") & (methods["cells"] == "unobserved") & ~methods["network"]]
    random = rmse[rmse["pattern"].str.startswith("random")]
    words = []
    for pattern, group in random.groupby("pattern", sort=False):
        alone = group[group["forecast"] == "no forecast"]
        memory = group[group["forecast"] != "no forecast"]
        if len(alone) and len(memory):
            best = [part.loc[part["validation_rmse"].idxmin()] for part in (alone, memory)]
            words.append(f"{best[0]['method']} {best[0]['value']:.4f} and {best[1]['method']} {best[1]['value']:.4f} "
                         f"under {pattern}")
    said = ("**Does a network matter?** Where nothing was observed on the day, " + "; ".join(parts)
            + " (95 % intervals from drawing blocks of the test days; one training of each network, so what another "
            "seed would give is not in them).")
    if words:
        said += (" Without a network, RMSE (m³ m⁻³) of the best without and of the best with memory, as validation has "
                 f"it: {'; '.join(words)}.")
    return said


def spread_answer(spread):
    """Whether spreading lowers the error where nothing was observed: Markdown."""
    worse = spread[spread["ratio"] >= 1]
    lower = f"Spreading lowers the RMSE in {len(spread) - len(worse)} of {len(spread)} cases"
    if worse.empty:
        return lower + "."
    named = [f"{row.forecast} under {row.pattern} ({row.ratio:.2f} times)" for row in worse.itertuples()]
    return f"{lower}, and not for {_listed(named)}."


def _count(above, of):
    return f"{'None' if not above else above} of {of} networks {'is' if above == 1 or not above else 'are'}"


def _listed(names):
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _them(names):
    return "it" if len(names) == 1 else "them"

