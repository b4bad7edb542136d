"""What the correction study's way of scoring is worth: in-sample, and against its own estimate of the moisture."""

import numpy as np
import pandas as pd

from smlib.evaluate.worth import PAIRS, beside_conclusion

STUDY = "correction"
IN_SAMPLE, ESTIMATE = "scored in-sample", "scored against its own estimate"
OURS = "MLSTM"


def in_sample_pairs(methods, kind):
    """Every method at stations and in a year it has not seen, and where it was trained: for `evaluate.worth.summary`.

    methods : table "methods" of correction/improve; the unit is a network of stations, the case a product. Counted is
    MLSTM; the others matter for the order.
    """
    rmse = methods[(methods["metric"] == "RMSE") & (methods["against"] == "in situ")]
    wide = rmse.pivot(index=["network", "product", "method"], columns="protocol", values="value").dropna(
        subset=["strict", "paper"])
    return _pairs(wide.reset_index().rename(columns={
        "strict": "rmse", "paper": "rmse_leaky", "network": "unit", "product": "case", "method": "model"}), IN_SAMPLE,
        kind)


def estimate_pairs(table_5, kind):
    """Corrected products in-sample against the stations, and against stage 1's output, which they were trained towards.

    table_5 : table "table_5" of correction/improve; the unit is a network of stations, the case a product and a
    combination. Beside MLSTM stands the product itself, as "raw".
    """
    columns = {"in situ": "rmse", "corrected in situ": "rmse_leaky", "network": "unit"}
    table = table_5.rename(columns=columns)
    ours = table[table["combination"] != "original"].assign(model=OURS)
    ours["case"] = ours["product"] + ", " + ours["combination"]
    before = table[table["combination"] == "original"][["product", "unit", "rmse", "rmse_leaky"]]
    raw = ours[["product", "unit", "case"]].merge(before, on=["product", "unit"], validate="m:1").assign(model="raw")
    return _pairs(pd.concat([ours, raw], ignore_index=True), ESTIMATE, kind)


def conclusions(methods, table_5):
    """What the paper rests on, printed and ours without and with: mapping of shortcut -> see
    `smlib.evaluate.worth.beside_conclusion`."""
    printed = estimate_pairs(table_5.assign(**{"in situ": table_5["printed"]}), "")
    printed = printed[printed["rmse"].notna()][["unit", "case", "model", "rmse"]]
    pairs = {IN_SAMPLE: in_sample_pairs(methods, ""), ESTIMATE: estimate_pairs(table_5, "")}
    return {name: beside_conclusion("{winner} before the product itself", printed, ours, winner=OURS, loser="raw")
            for name, ours in pairs.items()}


def _pairs(table, shortcut, kind):
    return table.assign(shortcut=shortcut, study=STUDY, kind=kind, counted=table["model"].eq(OURS), r2=np.nan,
                        r2_leaky=np.nan)[list(PAIRS)]
