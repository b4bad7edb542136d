"""Which rules hold for which printed table: one function a paper; those of Wang et al. (2024) are in `audit_sites`."""

import itertools

import numpy as np
import pandas as pd
import torch

from smlib.evaluate.audit_rules import (
    SYMBOLS,
    alike,
    at_most,
    bounded,
    compared,
    complete,
    labels,
    of_scores,
    quoted,
    same,
    whole,
)
from smlib.evaluate.audit_sites import wang2024
from smlib.evaluate.printed import Interval, exact, interval
from smlib.train.losses import estimation_loss, forecast_loss

IMPLIED = "RMSE / √(1 − R²) is one number"
FAN_SCORES = ("fan2025_table2_short_term", "fan2025_table3_long_term", "fan2025_table4_5_nudging")


# Fan et al. (2025) ---------------------------------------------------------------------------------------------------

def fan2025(tables):
    """The cost of Table 1, the scores of Tables 2 to 5, and that all of them are of one truth."""
    file = "fan2025_table1_cost"
    cost = tables(file)
    found = [complete(file, cost, [], ["model"]), whole(file, cost, ["model"], "convergence_epoch", 1)]
    for column in ("train_time_h", "peak_gpu_mib", "model_file_mib"):
        found.append(compared(file, f"{column} > 0", cost["model"], quoted(cost, [column]),
                              at_most(0, interval(cost[column]))))
    found.append(compared(file, "the file is smaller than the memory it was trained in", cost["model"],
                          quoted(cost, ["model_file_mib", "peak_gpu_mib"]),
                          at_most(interval(cost["model_file_mib"]), interval(cost["peak_gpu_mib"]))))
    for file in FAN_SCORES:
        table, keys = tables(file), fan_keys(file)
        found += [complete(file, table, keys[1:2], [key for key in keys if key != "obs_noise"]),
                  *of_scores(file, table, keys, pooled=True)]
    found += [_more_observations(FAN_SCORES[2], tables(FAN_SCORES[2]))]
    std = implied_std(tables)
    ends = Interval(std["low"].to_numpy(), std["high"].to_numpy())
    one = compared("", IMPLIED, std["row"], quoted(std, ["rmse", "r2"]), same(ends, np.mean(common_std(std))))
    return [*found, one.assign(file=std["file"])]


def fan_keys(file):
    """What names a row of the tables of scores."""
    return ["model", "obs_noise", "obs_percent"] if file.endswith("nudging") else ["model"]


def implied_std(tables):
    """The standard deviation of the truth that RMSE and R2 imply: DataFrame file, row, rmse, r2, low, high (m3 m-3)."""
    frames = []
    for file in FAN_SCORES:
        table = tables(file)
        found = interval(table["rmse"]).over((exact(1) - interval(table["r2"])).root())
        frames.append(table[["rmse", "r2"]].assign(file=file, row=labels(table, fan_keys(file)), low=found.low,
                                                   high=found.high))
    return pd.concat(frames, ignore_index=True)


def common_std(std):
    """(low, high) of what agrees with most rows of `implied_std`, with all if none is odd; m3 m-3."""
    std = std.dropna(subset=["low", "high"])
    ends = np.unique(std[["low", "high"]])
    agree = np.array([((std["low"] <= end) & (end <= std["high"])).sum() for end in ends])
    best = np.flatnonzero(agree == agree.max())
    return float(ends[best[0]]), float(ends[best[-1]])


def _more_observations(file, table):
    keys = ["model", "obs_noise"]
    frames = []
    for few, many in (("10.0", "20.0"), ("20.0", "50.0")):
        pair = table[table["obs_percent"] == few].merge(table[table["obs_percent"] == many], on=keys)
        frames.append(compared(file, "RMSE does not rise with observations",
                               [f"{row}, {few} to {many} %" for row in labels(pair, keys)],
                               quoted(pair, ["rmse_x", "rmse_y"], {"rmse_x": "RMSE", "rmse_y": "RMSE"}),
                               at_most(interval(pair["rmse_y"]), interval(pair["rmse_x"]))))
    return pd.concat(frames)


# Rabiei et al. (2024, 2025) ------------------------------------------------------------------------------------------

def rabiei2024(tables):
    """Tables 1 and 3, whose rows are means over stations, and Eq. 8."""
    found = []
    for file, keys in (("rabiei2024_table1_products_vs_in_situ", ["land_cover", "product", "network"]),
                       ("rabiei2024_table3_convlstm", ["layer_cm", "scenario"])):
        table = tables(file)
        found += [complete(file, table, [], keys), *of_scores(file, table, keys, pooled=False),
                  *(alike(file, table, keys, name, SYMBOLS[name]) for name in ("rmse", "ubrmse"))]
    made, truth = _two_forecasts()
    losses = [float(estimation_loss(one, torch.cat([truth, truth], 1))[0]) for one in made]
    return [*found, _rewards("rabiei2024 Eq. 8", "α RMSE + β (1 − R²)", losses)]


def rabiei2025(tables):
    """Table 1 with its averages and what the earlier paper has of it, Tables 4, 5 and A1, and Eq. 8."""
    made, truth = _two_forecasts()
    losses = [float(forecast_loss(one, truth, form="printed")[0]) for one in made]
    return [*_rabiei_products(tables), *_rabiei_quartiles("rabiei2025_table5_one_day_forecast_quartiles", tables),
            *_rabiei_counts(tables), _rewards("rabiei2025 Eq. 8", "α RMSE + (1 − 0.1 β) R", losses)]


def _rabiei_products(tables):
    file, keys = "rabiei2025_table1_products_vs_in_situ", ["land_cover", "network", "product"]
    long = tables(file)
    found = [complete(file, long, [], [*keys, "metric"])]
    table = long.pivot_table(index=keys, columns="metric", values="value", aggfunc="first", sort=False).reset_index()
    found += [*of_scores(file, table, keys, pooled=False),
              *(alike(file, table, keys, name, SYMBOLS[name]) for name in ("rmse", "ubrmse"))]
    groups = ["network", "product", "metric"]
    average, rest = (long[(long["land_cover"] == "Average") == which] for which in (True, False))
    ends = interval(rest["value"])
    means = rest.assign(low=ends.low, high=ends.high).groupby(groups)[["low", "high"]].mean()
    means = average[groups].join(means, on=groups)
    found.append(compared(file, "Average = mean over the land covers", labels(average, groups),
                          [f"{text}, mean {value:.4f}" for text, value in
                           zip(average["value"], means[["low", "high"]].mean(axis=1), strict=True)],
                          same(interval(average["value"]), Interval(means["low"].to_numpy(),
                                                                    means["high"].to_numpy()))))
    name = "rabiei2024_table1_products_vs_in_situ"
    earlier = tables(name).melt(keys, list(set(SYMBOLS) & set(tables(name))), "metric")
    earlier = earlier.replace({"land_cover": {"Open and Closed Shrubland": "Open/Closed Shrublands"}})
    both = earlier.merge(long, on=[*keys, "metric"], suffixes=("_2024", "_2025"))
    text = quoted(both, ["value_2024", "value_2025"], {"value_2024": "2024", "value_2025": "2025"})
    found.append(compared(file, "the same in both papers", labels(both, [*keys, "metric"]), text,
                          same(interval(both["value_2024"]), interval(both["value_2025"]))))
    return found


def _rabiei_quartiles(file, tables):
    table, keys, names = tables(file), ["layer_cm", "network", "scenario", "metric"], ["q1", "median", "q3"]
    found = [complete(file, table, [], keys)]
    for low, high in itertools.pairwise(names):
        found.append(compared(file, f"{low} ≤ {high}", labels(table, keys), quoted(table, names),
                              at_most(interval(table[low]), interval(table[high]))))
    for name in names:
        of = {metric: table[table["metric"] == metric].rename(columns={name: metric})
              for metric in table["metric"].unique()}
        for metric, part in of.items():
            part = part.assign(metric=f"{metric}, {name}")
            found += of_scores(file, part[[*keys, metric]], keys, pooled=False)
            if metric == "ubrmse":
                found.append(alike(file, part, keys, metric, SYMBOLS[metric]))
    return found


def _rabiei_counts(tables):
    file, cover = "rabiei2025_table4_station_textures", "rabiei2025_tableA1_station_land_cover"
    textures, covers = tables(file), tables(cover)
    found = [complete(file, textures, [], ["texture", "network", "layer_cm"]),
             complete(cover, covers, [], ["land_cover", "layer_cm", "texture_class", "network"]),
             whole(file, textures, ["texture", "network", "layer_cm"], "n"),
             whole(cover, covers, ["land_cover", "layer_cm", "texture_class", "network"], "n")]
    textures, covers = (one.assign(n=pd.to_numeric(one["n"])) for one in (textures, covers))
    for name, table, keys in ((file, textures, ["network"]), (cover, covers, ["land_cover", "network"])):
        by = table.groupby([*keys, "layer_cm"], sort=False)["n"].sum().unstack()
        text = [", ".join(f"{layer} cm: {n}" for layer, n in row.items()) for _, row in by.iterrows()]
        found.append(compared(name, "as many stations in every layer", labels(by.reset_index(), keys), text,
                              by.max(axis=1) - by.min(axis=1)))
    keys = ["network", "layer_cm", "texture_class"]
    both = pd.concat({"Table 4": textures.assign(texture_class=textures["class"].str.lower()).groupby(keys)["n"].sum(),
                      "Table A1": covers.groupby(keys)["n"].sum()}, axis=1).reset_index()
    text = quoted(both.astype(str), ["Table 4", "Table A1"])
    found.append(compared(cover, "as many stations as in Table 4", labels(both, keys), text,
                          abs(both["Table 4"] - both["Table A1"])))
    return found


def _two_forecasts():
    """A truth and two forecasts of the same RMSE, one of correlation 1, one of less: two and one (1, 1, y, x)."""
    x = torch.tensor([1.0, 1.0, -1.0, -1.0]).reshape(1, 1, 2, 2)
    across = torch.tensor([1.0, -1.0, 1.0, -1.0]).reshape(1, 1, 2, 2)
    return (1.5 * x, x + 0.5 * across), x


def _rewards(file, formula, losses):
    right, wrong = losses
    return compared(file, "at one RMSE, more correlation is not a higher loss", [formula],
                    [f"loss {right:.3f} at r = 1, {wrong:.3f} at r < 1"], [right - wrong])


# Xie et al. (2025) ---------------------------------------------------------------------------------------------------

def xie2025(tables):
    """Hyper-parameters, correlations with their stars, the grid matching of Table 4 and the improvement of Table 5."""
    file, keys = "xie2025_table4_grid_matching", ["network", "combination", "grid"]
    matched, improved = tables(file), tables("xie2025_table5_improved_rmse")
    found = [complete(file, matched, ["network", "grid"], ["combination"]),
             *of_scores(file, matched, keys, pooled=True),
             *(alike(file, matched, keys, name, SYMBOLS[name]) for name in ("mae", "rmse", "ubrmse"))]
    file, keys = "xie2025_table5_improved_rmse", ["product", "network", "combination"]
    found += [complete(file, improved, ["product", "network"], ["combination"]),
              bounded(file, improved, keys, "value", "RMSE"), alike(file, improved, keys, "value", "RMSE")]
    pairs = [set(map(tuple, one.to_numpy())) for one in (matched[["network", "grid"]],
                                                        improved[["network", "product"]])]
    every = list(itertools.product(matched["network"].unique(), matched["grid"].unique()))
    found.append(compared(file, "a product of a network is in Tables 4 and 5, or in neither",
                          [", ".join(pair) for pair in every],
                          [f"Table 4: {pair in pairs[0]}, Table 5: {pair in pairs[1]}" for pair in every],
                          [float((pair in pairs[0]) != (pair in pairs[1])) for pair in every]))
    return [*found, *_xie_stars("xie2025_table3_correlation_with_in_situ", tables),
            *_xie_hyperparameters("xie2025_table2_hyperparameters", tables)]


def _xie_stars(file, tables):
    """Correlations of as many days: the larger one has no fewer stars."""
    table = tables(file)
    found = [complete(file, table, [], ["variable", "network"]),
             *of_scores(file, table.rename(columns={"pearson_r": "r"}), ["variable", "network"], pooled=True)]
    pairs = table.merge(table, on="network")
    smaller = abs(interval(pairs["pearson_r_x"])).high <= abs(interval(pairs["pearson_r_y"])).low
    pairs = pairs[smaller]
    stars = pairs["significance_stars_x"].astype(int) - pairs["significance_stars_y"].astype(int)
    text = [f"r {a} with {i} stars, {b} with {k}" for a, i, b, k in
            pairs[["pearson_r_x", "significance_stars_x", "pearson_r_y", "significance_stars_y"]].to_numpy()]
    return [*found, compared(file, "within a network, the larger |r| has no fewer stars",
                             labels(pairs, ["network", "variable_x", "variable_y"]), text, np.maximum(stars, 0))]


def _xie_hyperparameters(file, tables):
    table = tables(file).melt("hyperparameter", var_name="network")
    number = pd.to_numeric(table["value"], errors="coerce")
    count = table["hyperparameter"].isin(["hidden_size", "batch_size", "epochs", "sequence_length"])
    share = table["hyperparameter"].isin(["learning_rate", "dropout"]) & number.notna()
    keys = ["hyperparameter", "network"]
    return [complete(file, table, [], keys), whole(file, table[count], keys, "value", 1),
            compared(file, "learning rate and dropout lie between 0 and 1", labels(table[share], keys),
                     quoted(table[share], ["value"]), np.maximum(at_most(0, number), at_most(number, 1))[share])]


CHECKS = {"wang2024": wang2024, "fan2025": fan2025, "rabiei2024": rabiei2024, "rabiei2025": rabiei2025,
          "xie2025": xie2025}
