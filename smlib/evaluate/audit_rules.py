"""What printed scores cannot break: identities and inequalities, each compared to print precision.

A rule compares what the printed numbers can stand for (`smlib.evaluate.printed.Interval`). It fails only where no
numbers that round to the printed ones would keep it; its slack is by how much the nearest ones break it, in the unit of
what is compared.
"""

import numpy as np
import pandas as pd

from smlib.evaluate.printed import exact, interval

COLUMNS = ("file", "row", "rule", "printed", "slack", "fails")
HOLDS = 0.6  # m3 m-3: a mineral soil holds hardly more water than its pores, so no error and no spread is larger
ALIKE = 5  # factor by which a number may stand off its column's median
ROUNDING = 1e-9  # of the computer's own arithmetic

MEAN_RULE, POOLED_RULE = "RMSE² ≥ ubRMSE² + bias²", "RMSE² = ubRMSE² + bias²"
SYMBOLS = {"r": "r", "r2": "R²", "mse": "MSE", "mae": "MAE", "rmse": "RMSE", "ubrmse": "ubRMSE", "bias": "bias"}


def at_most(a, b):
    """By how much the least of `a` exceeds the largest of `b`."""
    return exact(a).low - exact(b).high


def same(a, b):
    """By how much `a` and `b` are apart where they cannot be one number."""
    return np.maximum(at_most(a, b), at_most(b, a))


def compared(file, rule, rows, printed, excess):
    """One rule on rows of a table: DataFrame of `COLUMNS`. A row is left out where a number it needs is not printed.

    rows, printed : (n,) str, what names the row and the numbers as printed; excess : (n,), above 0 where it fails
    """
    excess = np.broadcast_to(np.asarray(excess, float), len(rows))
    frame = pd.DataFrame({"file": file, "row": list(rows), "rule": rule, "printed": list(printed),
                          "slack": np.where(excess > ROUNDING, excess, 0.0), "fails": excess > ROUNDING},
                         columns=list(COLUMNS))
    return frame[np.isfinite(excess)]


def labels(table, keys):
    """A row's name: its keys, joined by commas."""
    return [", ".join(values) for values in table[list(keys)].to_numpy()]


def quoted(table, columns, symbols=None):
    """Numbers as printed, with their names: (n,) str such as "MAE 0.053, RMSE 0.043"."""
    shown = symbols or SYMBOLS
    return [", ".join(f"{shown.get(name, name)} {text or '–'}" for name, text in zip(columns, row, strict=True))
            for row in table[list(columns)].to_numpy()]


def _bound_by_r(s):
    """The best linear use of a forecast has the MSE (1 - r²) var, and MSE - bias² = (1 - R²) var - bias² is no less."""
    spread = exact(1) - s["bias"].square().over(s["rmse"].square())
    return at_most(exact(1) - s["r"].square(), (exact(1) - s["r2"]).times(spread))


def _decomposed(s):
    return (s["ubrmse"].square() + s["bias"].square()).root()


_SCORES = {
    "|r| ≤ 1": (("r",), lambda s: at_most(abs(s["r"]), 1)),
    "R² ≤ 1": (("r2",), lambda s: at_most(s["r2"], 1)),
    "R² ≤ r²": (("r2", "r"), lambda s: at_most(s["r2"], s["r"].square())),
    "1 − r² ≤ (1 − R²)(1 − bias²/RMSE²)": (("r", "r2", "rmse", "bias"), _bound_by_r),
    "MSE = RMSE²": (("mse", "rmse"), lambda s: same(s["mse"], s["rmse"].square())),
    "MAE ≤ RMSE": (("mae", "rmse"), lambda s: at_most(s["mae"], s["rmse"])),
    "|bias| ≤ MAE": (("bias", "mae"), lambda s: at_most(abs(s["bias"]), s["mae"])),
    "|bias| ≤ RMSE": (("bias", "rmse"), lambda s: at_most(abs(s["bias"]), s["rmse"])),
    "ubRMSE ≤ RMSE": (("ubrmse", "rmse"), lambda s: at_most(s["ubrmse"], s["rmse"])),
    POOLED_RULE: (("rmse", "ubrmse", "bias"), lambda s: same(s["rmse"], _decomposed(s))),
    MEAN_RULE: (("rmse", "ubrmse", "bias"), lambda s: at_most(_decomposed(s), s["rmse"])),
}


def of_scores(file, table, keys, pooled):
    """The rules on a row of scores: those of which the table has all columns (r, r2, mse, mae, rmse, ubrmse, bias).

    pooled : whether a row's scores are of one sample. Means over stations keep the inequalities, for hypot(ubRMSE,
        bias) is convex, and of RMSE² = ubRMSE² + bias² that the left is not the smaller.
    """
    scores = {name: interval(table[name]) for name in SYMBOLS if name in table}
    skipped = {MEAN_RULE if pooled else POOLED_RULE, "|bias| ≤ RMSE" if "mae" in scores else ""}  # by MAE it follows
    found = []
    for rule, (needs, excess) in _SCORES.items():
        if set(needs) <= set(scores) and rule not in skipped:
            found.append(compared(file, rule, labels(table, keys), quoted(table, needs), excess(scores)))
    return found + [bounded(file, table, keys, name, SYMBOLS[name])
                    for name in ("mae", "rmse", "ubrmse", "bias") if name in scores]


def bounded(file, table, keys, column, symbol):
    """A column of errors, m3 m-3: none above what a soil holds, none negative but for the bias."""
    values, least = interval(table[column]), -HOLDS if symbol == "bias" else 0
    return compared(file, f"{least:g} ≤ {symbol} ≤ {HOLDS:g}".replace("-", "−"), labels(table, keys),
                    quoted(table, [column], {column: symbol}),
                    np.maximum(at_most(least, values), at_most(values, HOLDS)))


def alike(file, table, keys, column, symbol):
    """Positive numbers of one kind: none `ALIKE` times above or below the column's median."""
    values = interval(table[column])
    middle = np.nanmedian((values.low + values.high) / 2)
    excess = np.maximum(at_most(values, ALIKE * middle), at_most(middle / ALIKE, values))
    return compared(file, f"{symbol} within a factor of {ALIKE} of the column's median", labels(table, keys),
                    [f"{text}, median {middle:.3g}" for text in quoted(table, [column], {column: symbol})], excess)


def complete(file, table, groups, keys):
    """In each group every combination of the keys' values stands once; the slack is how many do not."""
    rows, text, off = [], [], []
    for name, part in table.groupby(list(groups), sort=False) if groups else [((), table)]:
        wanted = int(np.prod([part[key].nunique() for key in keys]))
        twice = int(part.duplicated([*groups, *keys]).sum())
        there = len(part) - twice
        rows.append(", ".join(name) or "all rows")
        text.append(f"{there} of {wanted}" + (f", {twice} twice" if twice else ""))
        off.append(wanted - there + twice)
    return compared(file, f"every {' × '.join(keys)} stands once", rows, text, off)


def whole(file, table, keys, column, least=0):
    """Counts: whole numbers from `least` on."""
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    excess = np.where(np.isnan(values) | (values < least), 1.0, np.abs(values - np.round(values)))
    return compared(file, f"{column} is a whole number from {least}", labels(table, keys),
                    quoted(table, [column]), excess)
