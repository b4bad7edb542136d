"""What stage 1 goes by, and what the correction corrects: Shapley values, triple collocation, parts of the error."""

import numpy as np
import pandas as pd
import torch

from smlib import explain, paths
from smlib.correction import summary
from smlib.correction.data import AUXILIARIES
from smlib.correction.fits import baselines
from smlib.correction.folds import PROTOCOLS
from smlib.correction.scores import cells_in_common, compare
from smlib.correction.tables import read, reference
from smlib.correction.triple import anomalies, collocate, true_error
from smlib.data.schema import DataError

PRINTED = {letter: name for name, letter in summary.PRINTED.items()}
PARTS = ("bias", "amplitude", "timing")


def shapley(study, estimates, combination="FPLE", rows=40, background=50):
    """Exact Shapley values of the auxiliaries in stage 1, each over all days of a sequence one player.

    Of the member that has seen everything, for the last day of sequences spread evenly over stations and days;
    background sequences lie between the explained ones.

    Returns
    -------
    DataFrame
        Columns network, auxiliary, mean_abs (m3 m-3), share (of the sum), gap (largest failure of additivity), and
        printed, Table 3's correlation with in-situ moisture.
    """
    printed = pd.read_csv(paths.DATA / "published" / "xie2025_table3_correlation_with_in_situ.csv").set_index(
        ["network", "variable"])["pearson_r"]
    tables = []
    for network, one in study.networks.items():
        trained = estimates.trained[network, combination]
        job, cut = trained.jobs[0], trained.cut
        x = cut.take(job.inputs.transform(None, one.points.auxiliaries)).astype(np.float64)
        x = x.reshape(-1, *x.shape[2:])
        at = _spread(np.arange(len(x)), rows + background)
        ground = _spread(at, max(len(at) * background // (rows + background), 2))
        f = _last_day(trained, 0)
        explained = x[np.setdiff1d(at, ground)]
        found = explain.exact_grouped(f, explained, x[ground], list(combination))
        mean = np.abs(found.values).mean(0)
        tables.append(pd.DataFrame({
            "network": network, "auxiliary": list(combination), "mean_abs": mean, "share": mean / mean.sum(),
            "gap": explain.additivity_gap(found, f, explained)[0],
            "printed": [printed.get((network, PRINTED[c]), np.nan) for c in combination]}))
    return pd.concat(tables, ignore_index=True)


def _spread(numbers, count):
    """At most `count` of `numbers`, evenly spread."""
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int))]


def _last_day(trained, member):
    """f(rows (k, day, feature)) -> (k,) moisture of the last day, m3 m-3, by one member in double precision."""
    network = trained.ensemble.member(member).double()
    scale = trained.jobs[member].scale

    def f(rows):
        with torch.inference_mode():
            made = network(torch.as_tensor(np.ascontiguousarray(rows), dtype=torch.float64))[:, -1]
        return scale.inverse(made.numpy())

    return f


def left_out(table):
    """What leaving out an auxiliary costs: RMSE of the combination without it less that of all four.

    table : `smlib.correction.tables.scores` of stage 1 under one protocol; returns DataFrame network, product,
    auxiliary, value and, where print has both, printed; without a row where no combination has all four.
    """
    some = table[table["metric"] == "RMSE"].set_index(["network", "product", "combination"])
    rows = []
    for network, product in sorted(set(some.index.droplevel("combination"))):
        for letter in AUXILIARIES:
            without = [c for c in some.loc[network, product].index if len(c) == 3 and letter not in c]
            full = (network, product, "FPLE")
            if not without or full not in some.index:
                continue
            rest, whole = some.loc[(network, product, without[0])], some.loc[full]
            rows.append({"network": network, "product": product, "auxiliary": letter,
                         "value": rest["value"] - whole["value"],
                         "printed": rest.get("printed", np.nan) - whole.get("printed", np.nan)})
    return pd.DataFrame(rows, columns=["network", "product", "auxiliary", "value", "printed"])


def combination_skills(study, estimates, full, draws=500, seed=0, protocols=PROTOCOLS):
    """Skill 1 - MSE / MSE of another combination that stage 1 from all four auxiliaries has, against in-situ moisture.

    Parameters
    ----------
    estimates : mapping of (network, product, combination) -> (member, cell, day)
    full : the combination whose skill it is

    Returns
    -------
    DataFrame
        network, product, combination (the other one), protocol, value, low, high (95 % intervals that draw cells
        and blocks of days, both combinations on the same ones), cells
    """
    columns = ["network", "product", "combination", "protocol", "value", "low", "high", "cells"]
    rows = []
    for network, product, other in estimates:
        if other == full:
            continue
        observed = study.networks[network].matched[product].in_situ
        for protocol in protocols:
            both = [read(study, (network, product), estimates[network, product, one], protocol)
                    for one in (full, other)]
            rows.append((network, product, other, protocol, *compare(*both, observed, draws, seed),
                         cells_in_common(*both, observed)))
    return pd.DataFrame(rows, columns=columns)


def agreement(shares, costs):
    """Rank correlations by network of our Shapley shares with ``|r|`` of Table 3, and with what leaving out costs.

    Returns DataFrame network, with_printed_r, with_our_costs, with_printed_costs: Spearman's rho over four auxiliaries.
    """
    rows = []
    for network, some in shares.groupby("network", sort=False):
        share = some.set_index("auxiliary")["share"]
        cost = costs[costs["network"] == network].groupby("auxiliary")[["value", "printed"]].mean()
        rows.append({"network": network,
                     "with_printed_r": share.corr(some.set_index("auxiliary")["printed"].abs(), method="spearman"),
                     "with_our_costs": share.corr(cost["value"], method="spearman") if len(cost) else np.nan,
                     "with_printed_costs": share.corr(cost["printed"], method="spearman") if len(cost) else np.nan})
    return pd.DataFrame(rows)


def triplets(study, after, protocol="strict", season="removed", draws=500, seed=0):
    """Random errors of a product before and after correction, by triple collocation with stations and land model.

    Parameters
    ----------
    after : mapping of (network, product) -> (member, cell, day)
    season : "removed" takes anomalies from a mean of 35 days, "kept" the moisture itself

    Returns
    -------
    DataFrame
        Columns network, product, state (before, after), data (product, in situ, model), metric, value, low, high, n,
        and true, the same against the known truth (NaN where there is none). Errors in the units of the stations'
        moisture. Products without a land model beside them, or without a cell that has enough days and a signal in
        common, are left out.
    """
    if season not in ("removed", "kept"):
        raise ValueError(f"season is removed or kept, not {season!r}")
    parts = []
    for network, product in study.pairs:
        data = study.networks[network].matched[product]
        if data.model is None:
            continue
        corrected = read(study, (network, product), after[network, product], protocol)
        known = np.isfinite(corrected) & np.isfinite(data.in_situ) & np.isfinite(data.model)  # the same days for both
        if data.truth is not None:
            known &= np.isfinite(data.truth)

        def prepared(values, known=known):
            values = np.where(known, values, np.nan)
            return anomalies(values) if season == "removed" else values

        station, model = prepared(data.in_situ), prepared(data.model)
        truth = None if data.truth is None else prepared(data.truth)
        for state, values in (("before", data.values), ("after", corrected)):
            three, names = (prepared(values), station, model), ("product", "in situ", "model")
            if not (np.isfinite(three[0]).sum(1) >= 100).any():
                continue
            try:
                found = collocate(*three, names, 1, draws, seed)
                true = None if truth is None else true_error(*three, truth, names, 1, draws, seed)
            except DataError:  # no cell in which the three have a signal in common: nothing can be said
                continue
            if true is not None:
                true = true[["data", "metric", "value"]]
                found = found.merge(true.rename(columns={"value": "true"}), "left", on=["data", "metric"])
            parts.append(found.assign(network=network, product=product, state=state))
    columns = ["network", "product", "state", "data", "metric", "value", "low", "high", "n", "true"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns) if parts else pd.DataFrame(columns=columns)


def beside_raw(study, after):
    """What `error_parts` takes of a correction (network, product) -> (member, cell, day): "MLSTM", and "raw"."""
    return {(*pair, "MLSTM"): values for pair, values in after.items()} | baselines(study, ["raw"])[0]


def error_parts(study, made, protocol, against="in situ", least=30):
    """Where the mean squared error lies, mean over cells: DataFrame network, product, method, part, value (m6 m-6).

    MSE = bias^2 + (s_f - s_o)^2 + 2 s_f s_o (1 - r): bias, amplitude and timing (Gupta et al. 2009, Eq. 4), over the
    days with in-situ moisture that all methods of a product have.

    made : mapping of (network, product, method) -> (member, cell, day)
    against : "in situ" or "truth"; a product of which nobody knows the truth is left out
    """
    rows = []
    for network, product in study.pairs:
        observed = reference(study.networks[network].matched[product], against)
        if observed is None:
            continue
        read_ones = {method: read(study, (network, product), values, protocol)
                     for (n, p, method), values in made.items() if (n, p) == (network, product)}
        common = np.isfinite(observed) & np.logical_and.reduce([np.isfinite(v) for v in read_ones.values()])
        enough = common.sum(1) >= least
        for method, values in read_ones.items():
            f, o = (np.where(common, v, np.nan)[enough] for v in (values, observed))
            if not len(f):
                continue
            spread_f, spread_o = np.nanstd(f, 1), np.nanstd(o, 1)
            bias = np.nanmean(f - o, 1)
            square = np.nanmean((f - o) ** 2, 1)
            amplitude = (spread_f - spread_o) ** 2
            found = (bias**2, amplitude, square - bias**2 - amplitude)
            rows += [(network, product, method, part, float(np.mean(value)), int(enough.sum()))
                     for part, value in zip(PARTS, found, strict=True)]
    return pd.DataFrame(rows, columns=["network", "product", "method", "part", "value", "cells"])
