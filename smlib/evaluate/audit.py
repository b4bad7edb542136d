"""Audit of the papers' printed tables by arithmetic: what cannot be as printed, and why it may be so."""

import pandas as pd

from smlib.data.schema import DataError
from smlib.evaluate import printed
from smlib.evaluate.audit_checks import CHECKS, IMPLIED, common_std, implied_std
from smlib.evaluate.audit_rules import COLUMNS, HOLDS, MEAN_RULE, POOLED_RULE

__all__ = ["COLUMNS", "IMPLIED", "common_std", "comparisons", "decomposition", "failures", "implied", "of_study",
           "summary"]

_TABLE_4, _TABLE_5 = "xie2025_table4_grid_matching", "rabiei2025_table5_one_day_forecast_quartiles"
_SITES, _COVERS = "wang2024_table1_sites", "rabiei2025_tableA1_station_land_cover"
_PRODUCTS = "rabiei2025_table1_products_vs_in_situ"
_YEARS, _NAMES = "the days of Table D2 lie in the years of Table 1", "the same name in Tables 1 and D2"
_COUNT = "as many stations as in Table 4"
_OTHER_YEARS = "The two tables give two periods; which days were used is not known."
_SPELT = "The tables spell one site in two ways; it stands in the same place of both."
_MEDIUM = "Table A1 gives a land cover to all SCAN stations but one, of medium texture."
_FIRST = "Table A1 lacks one USCRN station in this layer, and gives other textures to some of the rest."

# What the README beside the tables lists: file, rule, row -> the first word in code marks of its line there.
LISTED = {
    (_TABLE_4, "MAE ≤ RMSE", "OZNET, FPLE, ESA-CCI"): "xie2025_table4",
    (_TABLE_4, POOLED_RULE, "OZNET, FPLE, ESA-CCI"): "xie2025_table4",
    (_TABLE_4, POOLED_RULE, "OZNET, FPLE, SMAP"): "xie2025_table4",
    (_TABLE_4, POOLED_RULE, "OZNET, LEP, ASCAT"): "xie2025_table4",
    (_TABLE_4, POOLED_RULE, "CTP-SMTMN, LEF, ESA-CCI"): "xie2025_table4",
    (_TABLE_5, f"0 ≤ ubRMSE ≤ {HOLDS:g}", "10-40, USCRN, S1, ubrmse, q3"): "rabiei2025_table5",
    (_TABLE_5, "ubRMSE within a factor of 5 of the column's median", "10-40, USCRN, S1, ubrmse, q3"):
        "rabiei2025_table5",
    ("rabiei2025 Eq. 8", "at one RMSE, more correlation is not a higher loss", "α RMSE + (1 − 0.1 β) R"): "rabiei2025",
    (_SITES, "longitude is west (negative) in the United States", "Monahans-6-ENE"): "wang2024_table1",
    (_SITES, "lon as in NOAA's files", "Monahans-6-ENE"): "wang2024_table1",
    (_SITES, "two sites differ in place", "Durham-11-W and Coshocton-8-NNE"): "wang2024_table1",
    (_SITES, "lat as in NOAA's files", "Durham-11-W"): "wang2024_table1",
    (_SITES, "lon as in NOAA's files", "Durham-11-W"): "wang2024_table1",
}

# What fails beside these, and why it may: file, rule, row -> reason.
REASONS = {
    **{(_SITES, _NAMES, site): _SPELT for site in ("Shadow Mtns", "Cullman", "Cape-Charles", "GrouseGreek")},
    (_SITES, _YEARS, "Durham-11-W"): "The period printed for it is Coshocton's, as its coordinates are.",
    **{(_SITES, _YEARS, site): _OTHER_YEARS for site in ("Goodwell-2-SE", "FortAssiniboine#1", "Buffalo-13-ESE")},
    (_PRODUCTS, "Average = mean over the land covers", "SCAN, SCA-H, r"):
        "All other averages are the plain mean over the land covers to the last digit, so this one is misprinted, or "
        "one of its six land covers.",
    (_PRODUCTS, "the same in both papers", "Permanent Wetlands, USCRN, NLDAS-2, bias"):
        "The earlier paper prints negative biases to two digits, and seems to have lost a zero of this one.",
    **{(_COVERS, _COUNT, f"SCAN, {layer}, medium"): _MEDIUM for layer in ("0-10", "10-40", "40-100")},
    **{(_COVERS, _COUNT, f"USCRN, 0-10, {kind}"): _FIRST for kind in ("coarse", "medium", "fine")},
    (_COVERS, _COUNT, "USCRN, 10-40, fine"): "Table A1 lacks one USCRN station in this layer, a fine one.",
    (_COVERS, "as many stations in every layer", "Shrublands, USCRN"):
        "The USCRN station that the two upper layers lack in Table A1 is a shrubland; the third has it.",
}


def comparisons(folder=printed.PUBLISHED):
    """Every printed table compared with itself and with the others: DataFrame of `COLUMNS`.

    ``file`` is the table's name, ``row`` names the row, ``printed`` quotes the numbers, ``slack`` is by how much the
    rule is broken beyond what rounding in print allows (in the unit of what is compared, 0 where it holds), ``fails``
    whether it is.

    Raises
    ------
    DataError
        If a table in `folder` has no rule, so that nobody would see its errors.
    """
    tables = {name: printed.table(name, folder) for name in printed.names(folder)}
    frames = [frame for check in CHECKS.values() for frame in check(tables.__getitem__)]
    found = pd.concat(frames, ignore_index=True)
    unseen = sorted(set(tables) - set(found["file"]))
    if unseen:
        raise DataError(f"no rule of the audit is for {', '.join(unseen)}", file=folder)
    return found


def of_study(frame, study):
    """The rows of one study, such as "fan2025", or of "all".

    Raises
    ------
    ValueError
        If there is no such study; the message names them.
    """
    if study not in ("all", *printed.STUDIES):
        raise ValueError(f"no study {study!r}; there are all, {', '.join(printed.STUDIES)}")
    return frame if study == "all" else frame[frame["file"].str.startswith(study)].reset_index(drop=True)


def failures(frame):
    """The comparisons that fail, with ``listed`` (the README's line, or "") and ``reason`` ("" if there is none)."""
    found = frame[frame["fails"]].reset_index(drop=True)
    keys = [tuple(row) for row in found[["file", "rule", "row"]].to_numpy()]
    return found.assign(listed=[LISTED.get(key, "") for key in keys], reason=[REASONS.get(key, "") for key in keys])


def summary(frame):
    """Comparisons and failures by table: DataFrame file, comparisons, fails, listed, reasoned, unexplained."""
    failed = failures(frame)
    parts = {"fails": failed, "listed": failed[failed["listed"] != ""], "reasoned": failed[failed["reason"] != ""],
             "unexplained": failed[(failed["listed"] == "") & (failed["reason"] == "")]}
    table = frame.groupby("file", sort=False).size().rename("comparisons").to_frame()
    for name, part in parts.items():
        table[name] = part.groupby("file").size().reindex(table.index, fill_value=0)
    return table.reset_index()


def implied(folder=printed.PUBLISHED):
    """The truth's standard deviation as the scores of Fan et al. (2025) imply it: `implied_std`, and `common_std`."""
    std = implied_std(lambda name: printed.table(name, folder))
    return std, common_std(std)


def decomposition(frame):
    """Printed RMSE beside what ubRMSE and bias give: DataFrame file, row, rmse, given, half, fails (m3 m-3).

    ``half`` is half the width of what ubRMSE and bias can stand for; the rows are those of `comparisons` of the rule.
    """
    rows = frame[frame["rule"].isin([POOLED_RULE, MEAN_RULE])]
    numbers = rows["printed"].str.extract(r"^RMSE (\S+), ubRMSE (\S+), bias (\S+)$")
    ubrmse, bias = (printed.interval(numbers[k]) for k in (1, 2))
    given = (ubrmse.square() + bias.square()).root()
    return rows[["file", "row", "fails"]].assign(rmse=numbers[0].astype(float), given=(given.low + given.high) / 2,
                                                 half=(given.high - given.low) / 2).reset_index(drop=True)
