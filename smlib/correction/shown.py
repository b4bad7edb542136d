"""Tables as the correction pages show them."""

import numpy as np

from smlib.correction.scores import METRICS


def wide(table, metrics=METRICS):
    """Methods by network and product: metrics under `strict`, RMSE under the other protocols: a styled DataFrame."""
    some = table[table["metric"].isin(metrics)]
    by = ["network", "product", "method"]
    strict = some[some["protocol"] == "strict"].pivot_table(index=by, columns="metric", values="value", sort=False,
                                                            dropna=False)
    found = strict.reindex(columns=[m for m in metrics if m in strict])
    rmse = some[some["metric"] == "RMSE"].pivot_table(index=by, columns="protocol", values="value", sort=False)
    for protocol in ("paper", "year", "station"):
        if protocol in rmse:
            found[f"RMSE, {protocol}"] = rmse[protocol]
    return found.dropna(how="all").style.format("{:.3f}", na_rep="–")


def beside_printed(table):
    """Stage 1's scores under paper and strict beside print, odd rows marked: a styled DataFrame."""
    ours = table[table["protocol"].isin(["paper", "strict"])]
    by = ["network", "product", "combination"]
    found = ours.pivot_table(index=by, columns=["metric", "protocol"], values="value", sort=False)
    for metric in METRICS:
        found[metric, "printed"] = table[table["metric"] == metric].groupby(by)["printed"].first()
    odd = table.groupby(by)["odd"].any().reindex(found.index).map({True: "odd", False: ""})
    columns = [(m, p) for m in METRICS for p in ("printed", "paper", "strict")]
    found = found[columns]
    found["", "in print"] = odd
    return found.style.format("{:.3f}", na_rep="–", subset=columns)


def skills(table, protocol):
    """Skill against each reference by network and product, with intervals: a styled DataFrame."""
    some = table[table["protocol"] == protocol].copy()
    some["text"] = [_interval(*row) for row in some[["value", "low", "high"]].to_numpy()]
    return some.pivot(index=["network", "product"], columns="reference", values="text")[
        list(dict.fromkeys(some["reference"]))].style


def _interval(value, low, high):
    if not np.isfinite(value):
        return "–"
    words = f"{value:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if np.isfinite(low) else "")
    return words.replace("-", "−")
