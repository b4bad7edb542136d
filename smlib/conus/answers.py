"""What the pages of both studies answer, out of their tables: a pair of the answer and the numbers behind it."""

from functools import partial

import numpy as np

from smlib.conus.estimates import PRODUCTS, gain_between
from smlib.conus.scenarios import LAYERS
from smlib.conus.skill import REFERENCES, SCENARIOS
from smlib.wording import answer, count, items, listed, signed, sure

gain = partial(signed, plus=True)

NETWORKS = ("SCAN", "USCRN")
JUDGES = ("NLDAS-2", "truth")
NOTICED = 0.1  # of r: a smaller difference between the two losses would hardly be noticed


def inputs(table, km, places, budget=None):
    """Which product agrees best with stations; of `by_cover`, `distances`, `places_table` and `error_budget`."""
    mean = table[table["land_cover"] == "Average"].dropna(subset="ours")
    first = [_leading(mean, "r", "Highest r with stations", 2), _leading(mean, "rmse", "Least RMSE (m³ m⁻³)", 3)]
    said = answer(first, first[:1]) if first[0] else answer("No station has enough days to score a product, NLDAS-2 "
                                                            "among them.")
    lines = []
    for network in NETWORKS:
        wide = mean[mean["network"] == network].pivot(index="product", columns="metric", values="ours")
        found = [f"{name} {_r(row['r'])}, {row['rmse']:.3f} and {row['ubrmse']:.3f}" for name, row in wide.iterrows()]
        if found:
            lines.append(f"{network}, at the stations' own 9 km cells, mean r, RMSE and ubRMSE (m³ m⁻³) over land "
                         f"covers: {'; '.join(found)}.")
    own, near = (places.set_index(["place", "product"]).loc[(place, "DCA")] for place in ("own cell", "nearest"))
    lines.append(f"The cube's nearest cell is {km.median():.0f} km from a station in the median; DCA's median r is "
                 f"{_r(own['r'])} at the own cell and {_r(near['r'])} there.")
    if budget is not None:
        ub = budget.set_index(["pair", "product"])["ubrmse"]
        lines.append(f"DCA's median ubRMSE against the true moisture of its cell is "
                     f"{ub['nearest cell against truth of cell', 'DCA']:.3f} m³ m⁻³; the stations' own, against the "
                     f"truth where they stand, {ub['report against truth at station', '']:.3f}.")
    return said, items(lines)


def _leading(mean, metric, words, digits):
    """The product that is ahead at each network, beside NLDAS-2 or, where that leads, the next; empty without any."""
    parts, before = [], None
    for network in NETWORKS:
        ranked = mean[(mean["metric"] == metric) & (mean["network"] == network)].sort_values(
            "ours", ascending=metric != "r", kind="stable").set_index("product")["ours"]
        if ranked.empty:
            continue
        named = [ranked.index[0], *(["NLDAS-2"] if "NLDAS-2" in ranked.index[1:] else ranked.index[1:2])]
        values = [f"{ranked[name]:.{digits}f}".replace("-", "−") for name in named]
        if named == before:
            parts.append(f"{network} ({'; '.join(values)})")
        else:
            others = "".join(f"; {name} {value}" for name, value in zip(named[1:], values[1:], strict=True))
            parts.append(f"{named[0]} at {network} ({values[0]}{others})")
        before = named
    return f"{words}: {listed(parts)}." if parts else ""


def estimate(scores_by_layer, truths):
    """Is S2, which sees all that the study has, better than the products? From `scores_at` and `against_truth`.

    Against the true moisture of the cells; where nobody knows it, by r at stations.
    """
    found = {layer: _verdicts(scores_by_layer[layer], truths.get(layer)) for layer in scores_by_layer}
    wins = [[words == "surely better than" for _, words, _ in verdicts] for verdicts in found.values()]
    start = "Yes" if all(map(all, wins)) else "No" if not any(map(all, wins)) else "In part"
    order = sorted(found, key=lambda layer: all(words != "surely worse than" for _, words, _ in found[layer]))
    known = all(truths.get(layer) is not None for layer in found)
    by = "against the truth " if known else "by r at stations "
    main, brief, least = (f"{start}: {said}{name} is " + ", ".join(
        f"at {LAYERS[layer - 1]} {_grouped(found[layer], 'skill ' if known and k == 0 else '', numbers)}"
        for k, layer in enumerate(order)) + "."
        for said, name, numbers in ((by, "ConvLSTM S2", PRODUCTS), (by, "S2", PRODUCTS), ("", "S2", PRODUCTS[:1])))
    lost, trees = [], []
    for layer in order:
        table = truths[layer].set_index("method") if truths.get(layer) is not None else None
        value = (lambda name, t=table: t.loc[name, "skill_NLDAS-2"]) if table is not None else (
            lambda name, one=scores_by_layer[layer]: one[name]["r"].mean() if name in one else np.nan)
        lost += [LAYERS[layer - 1]] if value("ConvLSTM S2") < value("climatology") else []
        trees.append(gain(value("HistGB")))
    first = f"Worse than climatology{f' at {listed(lost)}' if len(lost) < len(order) else ''}." if lost else ""
    trees = f"HistGB{' against NLDAS-2' if known else ''}: {', '.join(trees)}."
    lines = [line for layer in scores_by_layer for line in _estimate_numbers(layer, scores_by_layer[layer],
                                                                           truths.get(layer))]
    return answer([first, main, trees], [first, brief, trees], [first, brief], [first, least]), items(lines)


def _verdicts(scores, truth):
    """Of each product, worst outcome for S2 first: (name, words of `sure`, skill or difference of r)."""
    if truth is not None:
        row = truth.set_index("method").loc["ConvLSTM S2"]
        found = [(name, sure(row[f"low_{name}"], row[f"high_{name}"]), row[f"skill_{name}"]) for name in PRODUCTS
                 if f"skill_{name}" in row and name in set(truth["method"])]
    else:
        gains = {name: gain_between(scores, name, "ConvLSTM S2") for name in PRODUCTS if name in scores}
        found = [(name, sure(low, high), value) for name, (value, low, high) in gains.items()]
    order = ("surely worse than", "not to be told from", "surely better than")
    return sorted(found, key=lambda one: order.index(one[1]))


def _grouped(verdicts, label, numbers):
    """Words and products, with the numbers of some."""
    said, before = [], None
    for name, words, value in verdicts:
        number = f" ({label}{gain(value)})" if np.isfinite(value) and name in numbers else ""
        said.append(f"{'' if words == before else words + ' '}{name}{number}")
        before, label = words, "" if number else label
    return " and ".join(said)


def _estimate_numbers(layer, scores, truth):
    name = LAYERS[layer - 1]
    median = {one: table[["r", "ubrmse"]].median() for one, table in scores.items()}
    said = ", ".join(f"{one} {_r(row['r'])} and {row['ubrmse']:.3f}" for one, row in median.items())
    value, low, high = gain_between(scores, "ConvLSTM S1", "ConvLSTM S2")
    within = "" if low > 0 or high < 0 else ", an interval that holds 0"
    lines = [f"{name}, median r and ubRMSE (m³ m⁻³) at stations: {said}.",
             f"{name}, what S2 adds to the r of S1, mean over stations: {gain(value, 3)} ({gain(low, 3)} to "
             f"{gain(high, 3)}{within})."]
    if truth is not None:
        truth = truth.set_index("method")
        for one in [method for method in truth.index if method not in PRODUCTS]:
            row = truth.loc[one]
            against = "; ".join(
                f"{sure(row[f'low_{other}'], row[f'high_{other}'])} {other} (skill {gain(row[f'skill_{other}'], 3)}, "
                f"{gain(row[f'low_{other}'], 3)} to {gain(row[f'high_{other}'], 3)})"
                for other in PRODUCTS if other in truth.index)
            lines.append(f"{name}, against the true moisture: {one} (RMSE {row['rmse']:.4f} m³ m⁻³) is {against}.")
        products = ", ".join(f"{other} {truth.loc[other, 'rmse']:.4f}" for other in PRODUCTS if other in truth.index)
        lines.append(f"{name}, RMSE of the products against the true moisture of the cells, m³ m⁻³: {products}.")
    return lines


def loss(losses):
    """What the printed loss rewards, of `loss_table`: the correlation with it and with the loss that is meant."""
    r = losses.pivot(index="lead_d", columns="method", values="median_r")
    first = int(r.index.min())
    ahead = f"{count(first, 'day')} ahead"
    meant, printed = r.loc[first, "meant"], r.loc[first].get("printed", np.nan)
    lower = meant - printed
    if "printed" not in r:
        said = f"Not run with the printed loss; with the one meant, median r over cells is {_r(meant)} {ahead}."
    elif np.isnan(lower):
        said = f"It cannot be told: median r over cells {ahead} is {_r(printed)} with it, {_r(meant)} with the loss " \
               "that is meant."
    elif abs(lower) <= NOTICED:
        said = f"At this size the two hardly differ: median r over cells {ahead} is {_r(printed)} as printed, " \
               f"{_r(meant)} as meant."
    else:
        reward = "a higher correlation" if lower < 0 else "a lower correlation" if printed >= 0 else \
            "forecasts that go against the truth"
        said = f"The printed loss rewards {reward}: median r over cells {ahead} is {_r(printed)} with it, " \
               f"{_r(meant)} with the loss that is meant."
    lines = [f"Loss as {form}, median r over cells against NLDAS-2: "
             + ", ".join(f"{_r(value)} ({lead} d)" for lead, value in r[form].items()) + "."
             for form in dict.fromkeys(losses["method"])]
    if np.isfinite(lower):
        lines.append(f"With the loss as printed, r {ahead} is {abs(lower):.2f} {'lower' if lower > 0 else 'higher'}: "
                     + ("what is in print cannot be what was run." if lower > NOTICED else
                        "so the misprint would hardly have been noticed at this scale."))
    return answer(said), items(lines)


def _r(value):
    """A correlation as text; it is NaN where a forecast does not vary."""
    return "not defined" if np.isnan(value) else f"{value:.2f}".replace("-", "−")


def skill(cells, stations):
    """Are the networks better than persistence and climatology? Of `cell_scores` and `station_table` by layer."""
    judges = [judge for judge in JUDGES if all(judge in tables for tables in cells.values())]
    present = {name for tables in cells.values() for name in tables["NLDAS-2"]["method"]}
    names = [name for name in SCENARIOS[:-1] if name in present] or [SCENARIOS[-1]]
    cases = {judge: _cases(cells, judge, names) for judge in judges}
    own = cases["NLDAS-2"]
    both = [case for case, won in own.items() if all(won[other] > 0 for other in REFERENCES)]
    start = "Yes" if len(both) == len(own) else f"In part, up to {max(lead for _, lead in both)} d" if both else "No"
    layers = len(cells)
    unit = f"{len(own)} {'layers and leads' if layers > 1 else 'leads' if len(own) > 1 else 'lead'}"
    who = names[0] if len(names) == 1 else f"the best of {_span(names)}"

    def tally(judge, other):
        won = [case[other] for case in cases[judge].values()]
        return won.count(-1), won.count(1)

    wins = {(judge, other): tally(judge, other) for judge in judges for other in REFERENCES}
    main = "{}: persistence surely beats {} at {} of {}, surely loses at {} (judge: NLDAS-2".format(
        start, who, wins["NLDAS-2", "persistence"][0], unit, wins["NLDAS-2", "persistence"][1])
    truth = "; by the truth {} and {}".format(*wins["truth", "persistence"]) if "truth" in judges else ""
    rest = "); climatology wins {}, loses {}.".format(*wins["NLDAS-2", "climatology"])
    return answer(main + truth + rest, main + rest), items(_skill_numbers(cells, stations, names, judges))


def _span(names):
    """Such as "S1 to S3" of three scenarios in a row."""
    in_a_row = len(names) > 2 and list(SCENARIOS[SCENARIOS.index(names[0]):][:len(names)]) == list(names)
    return f"{names[0]} to {names[-1]}" if in_a_row else listed(names)


def _cases(cells, judge, names):
    """By layer and lead: dict of reference -> 1 if a network surely beats it, -1 if it surely beats all, else 0."""
    found = {}
    for layer, tables in cells.items():
        table = tables[judge][tables[judge]["method"].isin(names)]
        for lead, here in table.groupby("lead_d"):
            found[layer, lead] = {other: 1 if (here[f"low_{other}"] > 0).any() else
                                  -1 if (here[f"high_{other}"] < 0).all() else 0 for other in REFERENCES}
    return found


def _skill_numbers(cells, stations, names, judges):
    lines = []
    shown = [names] + ([["S4"]] if "S4" not in names and any("S4" in set(tables["NLDAS-2"]["method"])
                                                             for tables in cells.values()) else [])
    for judge in judges:
        for some in shown:
            cases = _cases(cells, judge, some)
            who = "S4, which is not in the paper and also sees the layer's own state, as persistence does," \
                if some == ["S4"] else listed(some)
            for layer in cells:
                won = {other: [lead for (one, lead), case in cases.items() if one == layer and case[other] > 0]
                       for other in REFERENCES}
                lines.append(f"{LAYERS[layer - 1]}, all cells, against {'the ' * (judge == 'truth')}{judge}: {who} "
                             + ("is" if len(some) == 1 else "at best are")
                             + " surely better than " + ", than ".join(f"{other} {_at(leads)}" for other, leads in
                                                                        won.items()) + ".")
    for layer, table in stations.items():
        lead = table["lead_d"].min()
        median = table[table["lead_d"] == lead].groupby("method", sort=False)["r"].median()
        said = ", ".join(f"{name} {_r(median[name])}" for name in [*SCENARIOS, *REFERENCES] if name in median)
        lines.append(f"{LAYERS[layer - 1]}, median r at stations {count(lead, 'day')} ahead: {said}.")
    return lines


def _at(leads):
    return f"at {', '.join(map(str, leads))} d" if leads else "at no lead"


def maps(spread, scores, shown):
    """How the maps of a scenario look and where they are good; of `smoothness`, and `station_scores` by layer, lead."""
    first, last = spread["lead_d"].min(), spread["lead_d"].max()
    wide = spread.pivot(index="layer", columns="lead_d", values="spread")
    nldas = spread.pivot(index="layer", columns="lead_d", values="of_nldas")
    n = len(wide)
    of = f"of {count(n, 'layer')}"
    top = LAYERS[next(iter(scores)) - 1]
    look = (f"{shown}'s maps vary less than NLDAS-2's in {int((wide[first] < nldas[first]).sum())} {of} ({top}, "
            f"{first} d: sd {wide.loc[top, first]:.3f}, NLDAS-2 {nldas.loc[top, first]:.3f} m³ m⁻³)")
    fade = f", less at {last} d than at {first} d in {int((wide[last] < wide[first]).sum())}" if last > first else ""
    r = {(layer, name): one["r"].median() for layer, by_name in scores.items() for name, one in by_name.items()}
    r = {key: value for key, value in r.items() if np.isfinite(value)}
    good = "Median r at stations: " + " to ".join(
        f"{_r(r[case])} ({LAYERS[case[0] - 1]}, {case[1]})" for case in (max(r, key=r.get), min(r, key=r.get))) + "." \
        if r else "No station is scored."
    lines = [f"{name}, standard deviation of the maps of {shown} over cells: {wide.loc[name, first]:.3f} m³ m⁻³ "
             f"{count(first, 'day')} ahead, {wide.loc[name, last]:.3f} {count(last, 'day')} ahead (NLDAS-2 "
             f"{nldas.loc[name, first]:.3f})." for name in wide.index]
    lines += [f"{LAYERS[layer - 1]}, median r at stations: "
              + ", ".join(f"{_r(one['r'].median())} at {name}" for name, one in by_name.items()) + "."
              for layer, by_name in scores.items()]
    return answer([f"{look}{fade}.", good], [f"{look}.", good], [f"{look}."]), items(lines)
