"""Tables of the correction study: scores of every method under every protocol, beside what was printed."""

import numpy as np
import pandas as pd

from smlib import paths
from smlib.correction.data import COMBINATIONS
from smlib.correction.folds import PROTOCOLS
from smlib.correction.scores import METRICS, by_cell, cells_in_common, compare, score
from smlib.evaluate.audit_rules import labels, of_scores
from smlib.evaluate.printed import table as printed_table
from smlib.evaluate.skill import COLUMNS

SCORES = ["network", "product", "method", "combination", "weight", "protocol", "against", "metric", "value", "low",
          "high", "n"]
AGAINST = {"in situ": "in_situ", "truth": "truth"}  # what can be scored against -> the field of `Matched`


def read(study, key, forecasts, protocol):
    """(cell, day) of one method's forecasts (member, cell, day) as a protocol reads them; key: network, product, ..."""
    one = study.networks[key[0]]
    return one.folds.assemble(protocol, one.matched[key[1]].cells["group"].to_numpy(), forecasts)


def reference(data, against):
    """What a product is scored against, (cell, day) m3 m-3, of a `Matched` and one of `AGAINST`; None if not known.

    The truth is that of days with in-situ moisture: so what knows more days is scored on the same ones.
    """
    observed = getattr(data, AGAINST[against])
    return None if observed is None else np.where(np.isfinite(data.in_situ), observed, np.nan)


def _rows(key, forecast, observed, draws, seed):
    """`score` as rows of `SCORES`; key: the first seven columns."""
    found = score(forecast, observed, draws, seed)
    return [(*key, metric, *found[metric], found["n"][0]) for metric in METRICS]


def scores(study, made, protocols=PROTOCOLS, against=tuple(AGAINST), draws=500, seed=0):
    """Scores of all methods: DataFrame network, product, method, combination, weight, protocol, against, metric, value,
    low, high, n.

    Parameters
    ----------
    made : mapping of (network, product, method, combination, weight) -> (member, cell, day)
        combination and weight are "" and NaN for what has none.
    against : of `AGAINST`, see `reference`; truth is left out where nobody knows it
    """
    rows = []
    for key, forecasts in made.items():
        known = {name: reference(study.networks[key[0]].matched[key[1]], name) for name in against}
        for protocol in protocols:
            forecast = read(study, key, forecasts, protocol)
            for name, observed in known.items():
                if observed is not None:
                    rows += _rows((*key, protocol, name), forecast, observed, draws, seed)
    return pd.DataFrame(rows, columns=SCORES)


def against_estimates(study, made, estimates, draws=500, seed=0):
    """As `scores`, of the member that has seen everything, against stage 1's own output: as the paper scores Table 5.

    made : mapping of (network, product, method, combination, weight); of methods without a combination, against
        every combination's estimates
    """
    rows = []
    for (network, product, method, combination, weight), forecasts in made.items():
        forecast = read(study, (network, product), forecasts, "paper")
        for (n2, p2, other), u in estimates.items():
            if (n2, p2) != (network, product) or (combination and combination != other):
                continue
            rows += _rows((network, product, method, other, weight, "paper", "corrected in situ"), forecast,
                          read(study, (network, product), u, "paper"), draws, seed)
    return pd.DataFrame(rows, columns=SCORES)


def skills(study, made, ours, references, protocols=PROTOCOLS, against="in situ", draws=500, seed=0):
    """Skill 1 - MSE / MSE_reference of one method against others, on common days: DataFrame network, product,
    reference, protocol, value, low, high, cells (that both have).

    made : as of `scores`; ours, references : (method, combination, weight)
    """
    rows = []
    for network, product in study.pairs:
        observed = reference(study.networks[network].matched[product], against)
        for protocol in protocols:
            mine = read(study, (network, product), made[network, product, *ours], protocol)
            for rival in references:
                other = read(study, (network, product), made[network, product, *rival], protocol)
                rows.append((network, product, rival[0], protocol, *compare(mine, other, observed, draws, seed),
                             cells_in_common(mine, other, observed)))
    return pd.DataFrame(rows, columns=["network", "product", "reference", "protocol", "value", "low", "high", "cells"])


def cell_scores(study, made, protocol, against="in situ", least=30):
    """Scores of each cell: DataFrame network, product, method, combination, cell, n, r, mae, rmse, ubrmse, bias."""
    parts = []
    for (network, product, method, combination, _), forecasts in made.items():
        observed = reference(study.networks[network].matched[product], against)
        found = by_cell(read(study, (network, product), forecasts, protocol), observed, least)
        parts.append(found.assign(network=network, product=product, method=method, combination=combination))
    return pd.concat(parts, ignore_index=True)


def tidy(table, source):
    """`scores` as rows of skill.csv: the variant names product, combination, weight and, if not in situ, the reference.

    The site is the network: pooled over its cells.
    """
    def variant(row):
        words = [row["product"], row["combination"]]
        words += [f"weight {row['weight']:g}"] if np.isfinite(row["weight"]) else []
        words += [f"against {row['against']}"] if row["against"] != "in situ" else []
        return ", ".join(word for word in words if word)

    made = table.assign(study="correction", source=source, model=table["method"], site=table["network"], depth_m=np.nan,
                        lead_d=np.nan, variant=table.apply(variant, axis=1),
                        metric=table["metric"].replace({"R": "r"}))
    return made[list(COLUMNS)]


def with_printed_grid_matching(table):
    """Stage 1's scores beside the paper's Table 4: adds printed, and odd for a printed row that cannot be right."""
    printed = printed_grid_matching()
    long = printed.rename(columns={"grid": "product", "r": "R", "mae": "MAE", "rmse": "RMSE", "ubrmse": "ubRMSE"}).melt(
        ["network", "combination", "product", "odd"], list(METRICS), "metric", "printed")
    found = table.merge(long, "left", on=["network", "combination", "product", "metric"])
    return found.assign(odd=found["odd"].fillna(False).astype(bool))


def printed_grid_matching():
    """The paper's Table 4, with the column odd: rows that cannot be as printed (see `smlib.evaluate.audit_rules`)."""
    table, keys = printed_table("xie2025_table4_grid_matching"), ["network", "combination", "grid"]
    found = pd.concat(of_scores("", table, keys, pooled=True))
    numbers = table.drop(columns=keys).astype(float)
    return table[keys].join(numbers).assign(odd=np.isin(labels(table, keys), found.loc[found["fails"], "row"]))


def with_printed_improvement(table):
    """RMSE by combination beside the paper's Table 5, the product itself as the combination "original"."""
    printed = pd.read_csv(paths.DATA / "published" / "xie2025_table5_improved_rmse.csv").rename(
        columns={"value": "printed"})
    return table.merge(printed, "left", on=["network", "combination", "product"])


def ranking(table, by="RMSE"):
    """Ranks of the combinations by a printed and our value in each network and product, 1 the best, and their rank
    correlation: (DataFrame with rank and printed_rank, DataFrame network, product, rho)."""
    some = table[(table["metric"] == by) & table["printed"].notna()].copy()
    groups = some.groupby(["network", "product"])
    ascending = by != "R"
    some["rank"] = groups["value"].rank(ascending=ascending)
    some["printed_rank"] = groups["printed"].rank(ascending=ascending)
    rho = some.groupby(["network", "product"])[["rank", "printed_rank"]].apply(
        lambda g: g["rank"].corr(g["printed_rank"])).rename("rho").reset_index()
    return some, rho


def of_stage_1(estimates, without=()):
    """What the page on stage 1 scores, as `scores` takes it: stage 1 by combination, and `estimates_without_network`.

    without : mapping of (network, product, name) -> (member, cell, day)
    """
    made = {(network, product, "stage 1", combination, np.nan): values
            for (network, product, combination), values in estimates.at_cells.items()}
    return made | {(network, product, name, "", np.nan): values for (network, product, name), values in
                   dict(without).items()}


def in_situ_as_estimate(study, draws=500, seed=0):
    """How well the mean of a cell's stations stands for the cell: as `scores`, against the truth, method "in situ"."""
    made = {(network, product, "in situ", "", np.nan): np.stack([one.matched[product].in_situ] * len(one.folds.members))
            for network, one in study.networks.items() for product in one.matched}
    return scores(study, made, against=("truth",), draws=draws, seed=seed)


def of_stage_2(corrected, baselines):
    """What the page on stage 2 scores, as `scores` takes it: MLSTM by `study.Entry`, and all baselines."""
    made = {(network, product, entry.label, entry.combination, entry.weight): values
            for (network, product, entry), values in corrected.items()}
    return made | {(network, product, name, "", np.nan): values for (network, product, name), values in
                   baselines.items()}


def main_ones(made, weight):
    """Of what `of_stage_2` gives: MLSTM of all combinations at a weight, and the product itself."""
    return {key: values for key, values in made.items()
            if (key[2] == "MLSTM" and key[4] == weight) or key[2] == "raw"}


def references(made):
    """(method, combination, weight) of every baseline: what has no combination."""
    return list(dict.fromkeys(key[2:] for key in made if not key[3]))


def of_methods(table, combination, weight=np.nan):
    """Rows of one combination and weight, and of all that have none."""
    weights = table["weight"].isna() if np.isnan(weight) else table["weight"].isna() | (table["weight"] == weight)
    return table[table["combination"].isin(["", combination]) & weights].reset_index(drop=True)


def counts(study):
    """What the folds are made of: DataFrame network, stations, groups, years, product, cells, pairs."""
    rows = []
    for network, one in study.networks.items():
        for product, data in one.matched.items():
            both = np.isfinite(data.values) & np.isfinite(data.in_situ)
            rows.append({"network": network, "stations": len(one.points.sites),
                         "groups": one.points.sites["group"].nunique(), "folds": one.folds.count,
                         "years": ", ".join(one.folds.labels), "product": product, "cells with stations": len(both),
                         "cell-days": int(both.sum())})
    return pd.DataFrame(rows)


def series(study, estimates, network, product, combination):
    """The cell with most days in situ, for `plots.estimate_series`: time, mapping of name -> (day,), number of cell."""
    data = study.networks[network].matched[product]
    cell = int(np.isfinite(data.in_situ).sum(1).argmax())
    lines = {"in situ": data.in_situ[cell], product: data.values[cell],
             "stage 1": read(study, (network, product), estimates.at_cells[network, product, combination],
                             "strict")[cell]}
    if data.truth is not None:
        lines["truth"] = data.truth[cell]
    return data.time, lines, cell


def fullest_day(study, network, product):
    """The day of the last year on which most of a product's cells have a value, as text."""
    data = study.networks[network].everywhere[product]
    last = study.networks[network].folds.years == len(study.networks[network].folds.labels) - 1
    return str(data.time[np.where(last, np.isfinite(data.values).sum(0), -1).argmax()])


def odd_printed():
    """Rows of the printed Table 4 that break their own arithmetic, with what ubRMSE and bias imply for the RMSE."""
    found = printed_grid_matching()
    found = found[found["odd"]].drop(columns="odd")
    found["implied_rmse"] = np.hypot(found["ubrmse"], found["bias"])
    return found.reset_index(drop=True)


def improvement_table(table, printed_way, weight):
    """Table 5: DataFrame product, network, combination, printed, corrected in situ (paper's way), in situ (paper), in
    situ (strict), the product itself as the combination "original", and what CDF matching and HistGB have in its place,
    strict; RMSE in m3 m-3."""
    def column(some, protocol):
        some = some[(some["metric"] == "RMSE") & (some["protocol"] == protocol)]
        ours = some[(some["method"] == "MLSTM") & (some["weight"] == weight)]
        raw = some[some["method"] == "raw"].assign(combination="original")
        return pd.concat([raw, ours]).groupby(["product", "network", "combination"], sort=False)["value"].mean()

    against = table[table["against"] == "in situ"]
    found = with_printed_improvement(pd.DataFrame({
        "corrected in situ": column(printed_way, "paper"), "in situ": column(against, "paper"),
        "in situ, strict": column(against, "strict")}).reset_index())
    rivals = against[(against["metric"] == "RMSE") & (against["protocol"] == "strict")].pivot_table(
        index=["product", "network"], columns="method", values="value")
    for name in ("CDF matching", "HistGB"):
        if name in rivals:
            found = found.merge(rivals[name].rename(f"{name}, strict").reset_index(), "left", ["product", "network"])
    order = {name: k for k, name in enumerate(["original", *COMBINATIONS])}
    first = ["product", "network", "combination", "printed", "corrected in situ", "in situ", "in situ, strict"]
    return found[first + [name for name in found if name not in first]].sort_values(
        first[:3], key=lambda c: c.map(order) if c.name == "combination" else c, ignore_index=True)


def weights(table, combination):
    """RMSE against in-situ moisture, strict, by weight: network, product, weight, metric, value, low, high."""
    some = table[(table["method"] == "MLSTM") & (table["combination"] == combination) & (table["protocol"] == "strict")
                 & (table["against"] == "in situ") & (table["metric"] == "RMSE")]
    return some[["network", "product", "weight", "metric", "value", "low", "high"]].reset_index(drop=True)


def readings(study, corrected, entry, draws=500, seed=0):
    """RMSE and R against in-situ moisture, strict, by loss: DataFrame loss, network, product, RMSE, R.

    corrected : mapping of loss -> what `study.correct` gives
    """
    made = {(*pair, loss, entry.combination, entry.weight): found[*pair, entry]
            for loss, found in corrected.items() for pair in study.pairs}
    found = scores(study, made, ("strict",), ("in situ",), draws, seed).rename(columns={"method": "loss"})
    return found.pivot_table(index=["loss", "network", "product"], columns="metric", values="value", sort=False)[
        ["RMSE", "R"]].rename_axis(columns=None).reset_index()


def hyperparameters(settings, networks):
    """The paper's Table 2 beside what this run used: DataFrame hyperparameter, network, printed, used."""
    printed = pd.read_csv(paths.DATA / "published" / "xie2025_table2_hyperparameters.csv", dtype=str)
    names = {"learning_rate": "learning_rate", "hidden_size": "hidden", "batch_size": "batch", "epochs": "epochs",
             "sequence_length": "days", "dropout": "dropout", "activation": "activation"}
    rows = [{"hyperparameter": row["hyperparameter"], "network": network, "printed": row.get(network, "–"),
             "used": str(settings.of(network)[names[row["hyperparameter"]]]) if row["hyperparameter"] in names
             else "Adam"} for _, row in printed.iterrows() for network in networks]
    return pd.DataFrame(rows).fillna({"printed": "–"})
