"""The sentences at the top of the pages, out of their tables."""

import numpy as np

from smlib import wording
from smlib.nudging.forecasts import BASELINES
from smlib.nudging.settings import at_chosen, unobserved_table
from smlib.wording import listed

REFERENCES = ("persistence", "climatology")


def number(value, digits=3):
    """A number with a true minus sign; three digits in all from 100 on."""
    return (f"{value:.{digits}f}" if not abs(value) >= 100 else f"{value:,.0f}" if abs(value) < 1e6 else
            f"{value:.2e}").replace("-", "−")


def training_answer(field, table, baselines):
    """What was learnt, and whether to the end: (answer, detail), Markdown.

    `table` has a row a network, `baselines` the validation_rmse of forecasts that learn nothing (see
    `smlib.nudging.tables.validation_baselines`).
    """
    best, known = (one.loc[one["validation_rmse"].idxmin()] for one in (table, baselines))
    ours, theirs = f"{best['validation_rmse']:.4f}", f"{known['validation_rmse']:.4f} m³ m⁻³"
    if best["validation_rmse"] < known["validation_rmse"]:
        said = [f"On the validation days, one day ahead, {name} errs less than the best baseline, {known['model']}: "
                f"RMSE {ours} against {theirs}." for name in (best["model"], "the best network")]
    else:
        said = [f"On the validation days no network beats {known['model']} one day ahead: RMSE {ours}{name} against "
                f"{theirs}." for name in (f" ({best['model']})", "")]
    late = table.loc[table["best_epoch"] == table["epochs"], "model"].tolist()
    end = f" {_count(len(late), len(table), 'was', 'were')} best in the last epoch trained."
    lines = [f"- {row.model}: RMSE {row.validation_rmse:.4f} m³ m⁻³, best epoch {row.best_epoch} of {row.epochs}, "
             f"{row.parameters:,} weights" for row in table.sort_values("validation_rmse").itertuples()]
    lines += [f"- {row.model}: RMSE {row.validation_rmse:.4f} m³ m⁻³" for row in baselines.itertuples()]
    more = (f"The last epoch trained is the best of {listed(late)}: more epochs may have made {_them(late)} better."
            if late else "None keeps the last epoch it trained.")
    return wording.answer(said[0] + end, *said), (
        f"One day ahead, on the validation days, over {field.valid.sum():,} cells:\n\n" + "\n".join(lines)
        + f"\n\n{more}")


def answer(skill, what):
    """Networks against baselines, by pooled R2 and by skill: (answer, detail), Markdown."""
    r2 = skill[skill["metric"] == "R2"].set_index("model")["value"].dropna()
    networks = r2.drop([name for name in BASELINES if name in r2])
    known = r2.drop(networks.index)
    if networks.empty or known.empty:
        return wording.answer(f"{_capital(what)}, no R² is defined: what is observed does not vary."), ""
    best, top, many = networks.idxmax(), known.idxmax(), len(networks) > 1
    above, tied = int((networks > known.max()).sum()), networks.max() == known.max()
    against = f"the best baseline, {top} (R² {number(known.max())})"
    count = _count(above, len(networks), "beats", "beat", "no network beats") if many else (
        f"the network {'beats' if above else 'equals' if tied else 'does not beat'}")
    first = f"{_capital(what)}, {count} {against}."
    value, beside = number(networks.max()), _beside(skill, best, r2, top)
    said = [f"{first} {who} {value}{more}." for who, more in (
        (f"The best, {best}, has" if many else f"{best} has", beside), ("The best has" if many else "It has", beside),
        ("The best has" if many else "It has", ""))]
    lines = [f"- {name}: R² {_with_interval(skill, name, 'R2')}" + "".join(
        f"; skill {number(one.value)} against {of}{_sure(one)}" for of in REFERENCES
        if name != of and (one := _skill(skill, name, of)) is not None) for name in r2.index]
    return wording.answer(*said, first), (f"{_capital(what)}, with 95 % intervals; skill is 1 − MSE / MSE of the "
                                   "baseline:\n\n" + "\n".join(lines))


def _beside(skill, best, r2, top):
    """How the best network stands to persistence and climatology, losses first; R2 of those that are not `top`."""
    groups = {"surely worse than": [], "not surely better than": [], "beside": [], "surely better than": []}
    for name in REFERENCES:
        one = _skill(skill, best, name)
        if one is not None and name in r2:
            unknown = not np.isfinite([one["low"], one["high"]]).all()
            word = ("beside" if unknown else "surely better than" if one["low"] > 0 else
                    "surely worse than" if one["high"] < 0 else "not surely better than")
            groups[word].append(name if name == top else f"{name} ({number(r2[name])})")
    return "".join(f", {word} {listed(names)}" for word, names in groups.items() if names)


def _skill(skill, model, reference):
    rows = skill[(skill["metric"] == f"skill_{reference}") & (skill["model"] == model)]
    return rows.iloc[0] if len(rows) and np.isfinite(rows["value"].iloc[0]) else None


def _sure(row):
    if not np.isfinite([row["low"], row["high"]]).all():
        return ""
    return ", surely above 0" if row["low"] > 0 else ", surely below 0" if row["high"] < 0 else ", on no sure side of 0"


def _with_interval(skill, model, metric):
    row = skill[(skill["metric"] == metric) & (skill["model"] == model)].iloc[0]
    return number(row["value"]) + between(row["low"], row["high"])


def between(low, high):
    """A 95 % interval in brackets behind its value, or nothing where there is none."""
    return f" ({number(low)} to {number(high)})" if np.isfinite([low, high]).all() else ""


def nudging_answer(table, chosen, verdicts):
    """What nudging does, also where nothing was observed, and whether a network is needed: (answer, detail), Markdown.

    `table` and `chosen` are of the test (see `smlib.nudging.settings.nudge_study`), `verdicts` of `tables.verdicts`.
    """
    rmse = table[(table["metric"] == "RMSE") & (table["cells"] == "all") & table["feedback"]]
    free = rmse[rmse["fraction"] == 0].set_index("model")["value"]
    nudged, unseen = at_chosen(rmse, chosen), unobserved_table(table, chosen)
    lower = int((nudged["value"] < nudged["model"].map(free)).sum())
    there = int((unseen["nudged"] < unseen["free"]).sum())
    whole = lower == len(nudged) and there == len(unseen)
    many = ("all" if len(nudged) > 1 else "the") if whole else f"{lower} of"
    gain = f"Nudging lowers the RMSE in {many} {len(nudged)} setting{'s' * (len(nudged) != 1)}" + (
        "; no cell went unobserved." if unseen.empty else ", also where nothing was observed." if whole else
        f", in {there} of {len(unseen)} where nothing was observed.")
    network = _network_matters(verdicts)
    detail = _nudging_detail(table, chosen, verdicts)
    return wording.answer(*(f"{words} {gain}" for words in network), network[-1]), detail


def _network_matters(verdicts):
    """Whether the best method with a network beats the best without one, over all patterns: wordings, fullest first."""
    if verdicts.empty:
        return ["No method without a network could be compared."]
    n, ahead, behind = len(verdicts), int((verdicts["low"] > 0).sum()), int((verdicts["high"] < 0).sum())
    skill = verdicts["skill"][np.isfinite(verdicts["skill"])]
    ends = dict.fromkeys(number(value, 2) for value in ([skill.min(), skill.max()] if len(skill) else []))
    skills = f"skill {' to '.join(ends)}" if ends else ""
    of = f"{n} patterns" if n > 1 else "1 pattern"
    if ahead:
        lost = f", loses in {behind}" if behind else ""
        said = f"A network surely beats the best method without one in {ahead} of {of}{lost}"
        return [f"{said} ({skills}).", f"{said}."] if skills else [f"{said}."]
    said = "No network surely beats the best method without one"
    lost = f"surely worse in {behind} of {of}" if behind else f"in {of}"
    return [f"{said} ({', '.join(filter(None, (skills, lost)))}).", f"{said} ({lost})."]


def _nudging_detail(table, chosen, verdicts):
    r2 = table[(table["metric"] == "R2") & table["feedback"]]
    free = r2[r2["fraction"] == 0].set_index("model")["value"]
    lines = [f"- R² of the free run: {', '.join(f'{name} {number(value)}' for name, value in free.items())}"]
    for cells, where in (("all", "all cells"), ("unobserved", "the cells not observed on the day")):
        picked = at_chosen(r2[r2["cells"] == cells], chosen)
        part = picked[(picked["noise"] == picked["noise"].max()) & picked["value"].notna()]
        if len(part):
            best = part.loc[part.groupby("fraction")["value"].idxmax()]
            words = "; ".join(f"{row.model} {number(row.value)} at {100 * row.fraction:g} %" for row in
                              best.itertuples())
            lines.append(f"- R² over {where}, nudged with feedback, noise {part['noise'].iloc[0]:g} m³ m⁻³, the best "
                         f"at each fraction observed: {words}")
    lines += [f"- {row.pattern}: {row.network}, RMSE {row.rmse:.4f} m³ m⁻³; without a network {row.without}, "
              f"{row.rmse_without:.4f}; skill {number(row.skill)}{between(row.low, row.high)}"
              for row in verdicts.itertuples()]
    return "\n".join(lines)


def comparison_answer(verdicts, methods):
    """Whether a network helps, pattern by pattern: Markdown."""
    if verdicts.empty:
        return "**Does a network matter?** There is nothing to compare: no network, or nothing without one, was run."
    ahead = verdicts[verdicts["low"] > 0]["pattern"].tolist()
    behind = verdicts[verdicts["high"] < 0]["pattern"].tolist()
    open_ = [p for p in verdicts["pattern"] if p not in ahead + behind]
    parts = [f"under {listed(names)} {words}" for names, words in (
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
    if len(spread) == 1:
        row = spread.iloc[0]
        return (f"Spreading {'lowers' if worse.empty else 'does not lower'} the RMSE of {row['forecast']} under "
                f"{row['pattern']} ({row['ratio']:.2f} times), the one case.")
    lower = f"Spreading lowers the RMSE in {len(spread) - len(worse)} of {len(spread)} cases"
    if worse.empty:
        return lower + "."
    named = [f"{row.forecast} under {row.pattern} ({row.ratio:.2f} times)" for row in worse.itertuples()]
    return f"{lower}, and not for {listed(named)}."


def _capital(text):
    return text[0].upper() + text[1:]


def _count(some, of, one, more, none=None):
    """How many of the networks do something, in words; `one` and `more` are the verb."""
    if of == 1:
        return f"The network {one}{'' if some else ' not'}"
    if not some:
        return none or f"No network {one}"
    return f"{some} of {of} networks {one if some == 1 else more}"


def _them(names):
    return "it" if len(names) == 1 else "them"

