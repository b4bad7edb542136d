"""Sentences of the correction pages from their tables: an answer of two lines, what is behind it, and the data."""

import numpy as np

from smlib.correction import summary
from smlib.correction.folds import MEANING
from smlib.correction.interpreting import PARTS
from smlib.wording import answer, count, items, listed, minus, signed, span

OWN = "CDF matching, own past"
WORDS = {"raw": "the product", "linear": "linear regression", "mean-std": "mean-std scaling"}  # in a sentence
UNITS = "m³ m⁻³"


def tally(skills):
    """How often a method is surely better, surely worse or neither: dict by reference of (better, worse, all)."""
    found = {}
    for reference, some in skills.dropna(subset=["low"]).groupby("reference", sort=False):
        found[reference] = (int((some["low"] > 0).sum()), int((some["high"] < 0).sum()), len(some))
    return found


def loses(counted):
    """Whether (better, worse, all) of `tally` tells of a loss."""
    return counted[1] > counted[0]


def data(table, counts, raw):
    """How the auxiliaries go along with soil moisture: (answer, detail), Markdown.

    table, counts, raw : of `summary.correlations`, `summary.networks_table` and `summary.raw_scores`
    """
    known = table.dropna(subset=["pooled"])
    top = known.loc[known.groupby("network", sort=False)["pooled"].apply(lambda r: r.abs().idxmax())]
    rmse = raw[raw["metric"] == "RMSE"].dropna(subset=["value"])
    near = rmse.loc[rmse.groupby("network", sort=False)["value"].idxmin()]
    where = "" if len(top) == 1 else f" in all {len(top)} networks"
    if top.empty:
        first = "How the auxiliaries go along with soil moisture cannot be told: nothing varies with it."
    else:
        leads = (f"{summary.NAMES[top['auxiliary'].iloc[0]].capitalize()} goes along most with soil moisture{where}"
                 if top["auxiliary"].nunique() == 1 else f"No auxiliary goes along most with soil moisture{where}")
        sure = int(((top["low"] > 0) | (top["high"] < 0)).sum())
        first = f"{leads}: the largest |r| is {span(top['pooled'].abs(), '.2f')}, surely not 0 in {sure} of {len(top)}."
    second = f" The raw products' RMSE is {span(rmse['value'], '.3f')} {UNITS}." if len(rmse) else ""
    told = []
    for network in dict.fromkeys(table["network"]):
        said = [f"{summary.NAMES[row.auxiliary]} goes along most with soil moisture, over all station-days (r "
                f"{row.pooled:.2f}" + (f", {row.low:.2f} to {row.high:.2f})" if row.low == row.low else ")")
                for row in top[top["network"] == network].itertuples()]
        said += [f"of the products as they come {row.product} is nearest to the stations (RMSE {row.value:.3f} {UNITS})"
                 for row in near[near["network"] == network].itertuples()]
        told.append(f"{network}: {'; '.join(said) or 'nothing is known'}.")
    for product, seen in counts.dropna(subset=["seen"]).groupby("product", sort=False)["seen"]:
        told.append(f"{product} sees the cells with stations on {span(100 * seen, '.0f')} % of the days, by network.")
    return answer(first + second), minus(items(told))


def matching(table, skills, combination):
    """Whether stage 1 carries the stations to the grid: (answer, detail), Markdown.

    table : `tables.scores` of stage 1 and what it is compared with; skills : `tables.skills` of stage 1
    """
    here = skills[skills["protocol"] == "strict"]
    rmse = table[(table["metric"] == "RMSE") & table["combination"].isin(["", combination])]
    strict = rmse[rmse["protocol"] == "strict"]
    median = strict[strict["against"] == "in situ"].groupby("method")["value"].median()
    counted = tally(here).get("climatology", (0, 0, 0))
    if counted[2]:
        better, worse, whole = counted
        lead = "No: " if loses(counted) else "Yes: " if 2 * better > whole else "Not clearly: "
        first = (f"on held-out data stage 1 {_beats('climatology', counted)} (median RMSE "
                 f"{median['stage 1']:.3f} against {median['climatology']:.3f} {UNITS}).")
    else:
        lead, first = "", (f"On held-out data the median RMSE of stage 1 is {median['stage 1']:.3f} {UNITS}, of "
                           f"climatology {median['climatology']:.3f}; what is sure is not known.")
    rival = _strongest(here, ("climatology",))
    second = f" {_rival(rival, tally(here)[rival])}" if rival else ""
    true = strict[strict["against"] == "truth"].pivot_table(index=["network", "product"], columns="method",
                                                            values="value")
    third, told = "", []
    for against, some in rmse[rmse["method"] == "stage 1"].groupby("against", sort=False):
        each = ", ".join(f"{protocol} {value:.3f}" for protocol, value in _by_protocol(some).items())
        told.append(f"Median RMSE of stage 1 from {combination} against {against}, {UNITS}: {each}.")
    cases = strict[strict["against"] == "in situ"].pivot_table(index=["network", "product"], columns="method",
                                                                values="value")
    for name in cases.columns.drop("stage 1"):
        told.append(f"Against in situ, strict, its RMSE is lower than that of {WORDS.get(name, name)} in "
                    f"{int((cases['stage 1'] < cases[name]).sum())} of {count(len(cases), 'case')}.")
    told += _all_references(here, "stage 1")
    if "in situ" in true:
        ahead = int((true["in situ"] < true["stage 1"]).sum())
        third = f" Nearer to the cell's truth is the stations' own mean in {ahead} of {len(true)}."
        told.append(f"Where there are stations, their mean is the better estimate of the cell in {ahead} of "
                    f"{count(len(true), 'case')} (median RMSE against the truth {true['in situ'].median():.3f}, of "
                    f"stage 1 {true['stage 1'].median():.3f} {UNITS}).")
    return (answer(lead + first + second + third, lead + first + second, lead + first + third, lead + first),
            items(told))


def improvement(skills, table, combination, weight):
    """Whether MLSTM improves the products and beats what the field uses: (answer, detail), Markdown.

    skills, table : `tables.skills` and `tables.scores` of MLSTM and all baselines
    """
    here = skills[skills["protocol"] == "strict"]
    counted = tally(here)
    raw, ours = (_by_protocol(some) for some in _rmse(table, combination, weight))
    change = f"median RMSE {raw['strict']:.3f} to {ours['strict']:.3f} {UNITS}"
    better, worse, whole = counted.get("raw", (0, 0, 0))
    if whole:
        first = f"surely improves the product in {better} of {count(whole, 'case')}" + (
            f" and worsens it in {worse}" if worse else "") + f" ({change})"
    else:
        first = f"changes the product's {change}, which is not known to be sure"
    past = [name for name in counted if name.endswith("own past")]  # falls back on the relation of all cells
    rival = _strongest(here, ("raw", "climatology", *past))
    last = f" {_rival(rival, counted[rival])}" if rival else ""
    base = counted.get("climatology", (0, 0, 0))
    if loses(base):
        says = [f"MLSTM {_beats('climatology', base)}. On held-out data it {first}."]
    else:
        more = f"; it surely beats climatology in {base[0]}" + ("" if base[2] == whole else f" of {base[2]}")
        says = [f"On held-out data MLSTM {first}{more if base[2] else ''}."]
    says += [says[0].replace("On held-out data it", "It").replace("On held-out data ", "")]
    says = [text + more for more in (last, "") for text in says]
    told = _all_references(here, "MLSTM")
    year = skills[skills["protocol"] == "year"]
    if OWN in (own := tally(year)):
        told.append(f"Where a station has a past of its own ({MEANING['year']}), MLSTM {_beats(OWN, own[OWN])}.")
    told += [f"Median RMSE against in-situ moisture, {MEANING[protocol]} ({protocol}): {ours[protocol]:.3f}, of the "
             f"product {raw[protocol]:.3f} {UNITS}." for protocol in MEANING if protocol in ours]
    return answer(*says), items(told)


def interpretation(parts, triples, shares):
    """What stage 1 goes by, and whether correction lowers the random error or only the bias: (answer, detail).

    parts : `interpreting.error_parts` of "raw" and "MLSTM"; triples : `interpreting.triplets`; shares : of `shapley`
    """
    mean = parts.groupby(["method", "part"])["value"].mean().unstack("method")
    before, after = mean["raw"], mean["MLSTM"]
    ratio = after / before - 1
    fuller, shorter = _leading(shares)
    rows = triples[(triples["data"] == "product") & (triples["metric"] == "error_std")].set_index(
        ["network", "product", "state"])
    value, low, high, true = (rows[name].unstack("state").reindex(columns=["before", "after"])
                              for name in ("value", "low", "high", "true"))
    both = value.notna().all(axis=1)
    second, last = f"Correcting changes the product's squared bias by {_percent(ratio['bias'])}; its ", ""
    told = [f"Mean squared error at stations and in years that it has not seen, 10⁻⁴ m⁶ m⁻⁶: product "
            f"{1e4 * before.sum():.1f}, corrected {1e4 * after.sum():.1f}."]
    gone = before.sum() - after.sum()
    told += [f"Of that, {part}: product {1e4 * before[part]:.1f}, corrected {1e4 * after[part]:.1f}" + (
        f"; {_percent((before[part] - after[part]) / gone)} of what is gone." if gone > 0 else ".") for part in PARTS]
    if both.any():
        sure = int((high["after"] < low["before"])[both].sum())
        worse = int((low["after"] > high["before"])[both].sum())
        median = value[both].median()
        second += (f"random error surely falls in {sure} of {count(int(both.sum()), 'case')}"
                   + (f" and rises in {worse}" if worse else ""))
        last = f" (median {_percent(median['after'] / median['before'] - 1)})"
        told.append(f"By triple collocation its random error goes from {_change(value[both])} in the median of "
                    f"{count(int(both.sum()), 'case')}; the interval after lies wholly below that before in {sure}, "
                    f"above it in {worse}.")
        if true[both].notna().any().any():
            told.append(f"Against the known truth its random error goes from {_change(true[both])}.")
    else:
        second += f"error in timing, where random error shows, by {_percent(ratio['timing'])}"
    says = [f"{first} {second}{more}." for more in (last, "") for first in (fuller, shorter)]
    return answer(*says), items([*told, shapley(shares)])


def _beats(name, counted):
    """MLSTM or stage 1 against a reference, of (better, worse, all): the loss first, if it is one."""
    better, worse, whole = counted
    name = WORDS.get(name, name)
    if loses(counted):
        return (f"surely loses to {name} in {worse} of {count(whole, 'case')}"
                + (f" and surely beats it in {better}" if better else ""))
    return (f"surely beats {name} in {better} of {count(whole, 'case')}"
            + (f" and surely loses in {worse}" if worse else ""))


def _strongest(skills, but):
    """The reference against which the median skill is lowest; None if there is none with intervals."""
    some = skills.dropna(subset=["low"])
    median = some[~some["reference"].isin(but)].groupby("reference")["value"].median()
    return median.idxmin() if len(median) else None


def _rival(name, counted):
    better, worse, _ = counted
    says = WORDS.get(name, name)
    if worse >= better:
        back = f", it {says} in {better}" if better else ""
        return f"{says[0].upper()}{says[1:]} surely beats it in {worse}{back}."
    return f"It surely beats {says}, the strongest rival, in {better}" + (f" and loses in {worse}." if worse else ".")


def _all_references(skills, ours):
    """Items: each reference under strict, the median skill beside."""
    median = skills.groupby("reference", sort=False)["value"].median()
    return [f"On {MEANING['strict']} (strict), {ours} {_beats(name, counted)} (median skill "
            f"{signed(median[name], plus=True)})." for name, counted in tally(skills).items()]


def _rmse(table, combination, weight):
    """RMSE against in-situ moisture of the product, and of MLSTM from one combination at one weight."""
    some = table[(table["metric"] == "RMSE") & (table["against"] == "in situ")]
    ours = (some["method"] == "MLSTM") & (some["combination"] == combination) & (some["weight"] == weight)
    return some[some["method"] == "raw"], some[ours]


def _by_protocol(some):
    """Medians over networks and products: dict of protocol -> value, in the order of `MEANING`."""
    median = some.groupby("protocol")["value"].median()
    return {name: median[name] for name in MEANING if name in median}


def _leading(shares):
    """Which auxiliary leads in how many networks: a fuller and a shorter sentence."""
    known = shares.dropna(subset=["share"])
    top = known.loc[known.groupby("network", sort=False)["share"].idxmax(), "auxiliary"].map(summary.NAMES)
    votes, networks = top.value_counts(), count(len(top), "network")
    if votes.empty:
        return ("What stage 1 goes by cannot be told.",) * 2
    first = list(votes.index[votes == votes.iloc[0]])
    each = [f"{name} in {n}" for name, n in votes.items()]
    fuller = f"Most to stage 1, of {networks}, matters {listed(each)}."
    most = f"{votes.iloc[0]} of {networks}."
    short = (f"{first[0].capitalize()} matters most to stage 1 in {most}" if len(first) == 1 else
             f"No auxiliary matters most to stage 1 in more than {most}")
    return (short if len(votes) == 1 else fuller), short


def _change(table):
    return "{before:.4f} to {after:.4f} m³ m⁻³".format(**table.median())


def _percent(number):
    return f"{100 * number:+.0f} %".replace("-", "−") if np.isfinite(number) else "an unknown share"


def about(study):
    """The line about the data at the top of a page: `summary.about` of a `Study`."""
    points = {name: one.points for name, one in study.networks.items()}
    return summary.about(points, study.kind, study.source, study.scale, study.products)


def odd(table):
    """Which printed rows break their own arithmetic, and how."""
    rows = [f"{r.network} {r.combination} {r.grid}: RMSE {r.rmse:.3f} is printed, ubRMSE {r.ubrmse:.3f} and bias "
            f"{minus(f'{r.bias:+.3f}')} imply {r.implied_rmse:.3f}" + (f", and MAE {r.mae:.3f} exceeds the RMSE" if
                                                                r.mae > r.rmse else "") for r in table.itertuples()]
    return f"{count(len(rows), 'printed row')} cannot be right: " + "; ".join(rows) + "."


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
                         f"{int((change < 0).sum())} of {count(len(change), 'case')} of a product and network)")
    return "; ".join(words) + ". Means over combinations."


def weights(table, default):
    """How much hangs on the weight, from `tables.weights`."""
    cases = table.groupby(["network", "product"])["value"]
    spread = cases.max() - cases.min()
    best = table.loc[cases.idxmin(), "weight"].value_counts()
    lowest = ", ".join(f"{w:g} in {n}" for w, n in best.items())
    return (f"Between the weights {table['weight'].min():g} and {table['weight'].max():g} the RMSE differs by "
            f"{spread.median():.4f} m³ m⁻³ in the median and {spread.max():.4f} at most; the lowest is at "
            f"{lowest} of {count(len(spread), 'case')}. The pages use {default:g}, which was not chosen by these "
            "scores.")


def shapley(shares):
    """Which auxiliary leads in which network."""
    known = shares.dropna(subset=["share"])
    top = known.loc[known.groupby("network", sort=False)["share"].idxmax()]
    if top.empty:
        return "What stage 1 goes by cannot be told."
    return "Stage 1 goes by " + ", ".join(f"{summary.NAMES[r.auxiliary]} most at {r.network} ({r.share:.0%})"
                                          for r in top.itertuples()) + "."
