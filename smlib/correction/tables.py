"""Tables of the correction study: scores of every method under every protocol, beside what was printed."""

import numpy as np
import pandas as pd

from smlib import paths
from smlib.correction.folds import PROTOCOLS
from smlib.correction.scores import METRICS, by_cell, compare, score
from smlib.evaluate.skill import COLUMNS

AGAINST = {"in situ": "in_situ", "truth": "truth"}  # what can be scored against -> the field of `Matched`


def read(study, key, forecasts, protocol):
    """(cell, day) of one method's forecasts (member, cell, day) as a protocol reads them; key: (network, product)."""
    one = study.networks[key[0]]
    return one.folds.assemble(protocol, one.matched[key[1]].cells["group"].to_numpy(), forecasts)


def scores(study, made, protocols=PROTOCOLS, against=tuple(AGAINST), draws=500, seed=0):
    """Scores of all methods: DataFrame network, product, method, combination, weight, protocol, against, metric, value,
    low, high, n.

    Parameters
    ----------
    made : mapping of (network, product, method, combination, weight) -> (member, cell, day)
        combination and weight are "" and NaN for what has none.
    against : of `AGAINST`; truth is left out where nobody knows it
    """
    rows = []
    for (network, product, method, combination, weight), forecasts in made.items():
        data = study.networks[network].matched[product]
        for protocol in protocols:
            forecast = read(study, (network, product), forecasts, protocol)
            for name in against:
                observed = getattr(data, AGAINST[name])
                if observed is None:
                    continue
                found = score(forecast, observed, draws, seed)
                n = found.pop("n")[0]
                rows += [(network, product, method, combination, weight, protocol, name, metric, *value, n)
                         for metric, value in found.items()]
    return pd.DataFrame(rows, columns=["network", "product", "method", "combination", "weight", "protocol", "against",
                                       "metric", "value", "low", "high", "n"])


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
            found = score(forecast, read(study, (network, product), u, "paper"), draws, seed)
            n = found.pop("n")[0]
            rows += [(network, product, method, other, weight, "paper", "corrected in situ", metric, *value, n)
                     for metric, value in found.items()]
    return pd.DataFrame(rows, columns=["network", "product", "method", "combination", "weight", "protocol", "against",
                                       "metric", "value", "low", "high", "n"])


def skills(study, made, ours, references, protocols=PROTOCOLS, against="in situ", draws=500, seed=0):
    """Skill 1 - MSE / MSE_reference of one method against others, on common days: DataFrame network, product,
    reference, protocol, value, low, high.

    made : as of `scores`; ours, references : (method, combination, weight)
    """
    rows = []
    for network, product in study.pairs:
        data = study.networks[network].matched[product]
        observed = getattr(data, AGAINST[against])
        for protocol in protocols:
            mine = read(study, (network, product), made[network, product, *ours], protocol)
            for reference in references:
                other = read(study, (network, product), made[network, product, *reference], protocol)
                rows.append((network, product, reference[0], protocol, *compare(mine, other, observed, draws, seed)))
    return pd.DataFrame(rows, columns=["network", "product", "reference", "protocol", "value", "low", "high"])


def cell_scores(study, made, protocol, against="in situ", least=30):
    """Scores of each cell: DataFrame network, product, method, combination, cell, n, r, mae, rmse, ubrmse, bias."""
    parts = []
    for (network, product, method, combination, _), forecasts in made.items():
        observed = getattr(study.networks[network].matched[product], AGAINST[against])
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
    """Stage 1's scores beside the paper's Table 4: adds printed and odd (a printed row that breaks its own arithmetic).
    """
    printed = pd.read_csv(paths.DATA / "published" / "xie2025_table4_grid_matching.csv")
    printed["odd"] = odd_rows(printed)
    long = printed.rename(columns={"grid": "product", "r": "R", "mae": "MAE", "rmse": "RMSE", "ubrmse": "ubRMSE"}).melt(
        ["network", "combination", "product", "odd"], list(METRICS), "metric", "printed")
    found = table.merge(long, "left", on=["network", "combination", "product", "metric"])
    return found.assign(odd=found["odd"].fillna(False).astype(bool))


def odd_rows(printed, tolerance=0.0015):
    """Rows that break RMSE^2 = ubRMSE^2 + bias^2 or MAE <= RMSE by more than rounding: (row,) bool.

    tolerance : m3 m-3, of the RMSE that ubRMSE and bias give; three digits are printed
    """
    implied = np.hypot(printed["ubrmse"], printed["bias"])
    return (abs(implied - printed["rmse"]) > tolerance) | (printed["mae"] > printed["rmse"] + 0.0005)


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
