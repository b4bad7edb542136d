"""The settings of the paper's nudging experiment: all of them scored, tau chosen, and what came out beside print."""

import numpy as np
import pandas as pd

from smlib.evaluate.field_scores import SUMS, field_metrics, field_scores
from smlib.evaluate.skill import COLUMNS
from smlib.nudging.forecasts import free_run, sums_of
from smlib.nudging.nudged import CELLS, Setting, nudge_all
from smlib.nudging.tables import PRINTED_METRICS, STUDY, on_days
from smlib.paths import DATA


def kept_maps(kept, chosen, settings, stretch, time):
    """Truth and analyses on the example days, for `plots.maps_of_days`, and the setting in words.

    With feedback, at the middle fraction and the largest noise, each model at the tau chosen over all cells.
    """
    fractions, noise = sorted({s.fraction for s in settings}), max(s.noise for s in settings)
    fraction = fractions[len(fractions) // 2]
    rows = chosen[(chosen["cells"] == "all") & chosen["feedback"] & np.isclose(chosen["fraction"], fraction)
                  & np.isclose(chosen["noise"], noise)].set_index("model")["tau"]
    shown = {name: kept[name][settings.index(Setting(tau, fraction, noise))] for name, tau in rows.items()}
    days = example_days(len(stretch.truth))
    made = on_days(stretch.truth[days], shown, time[days], list(range(len(days))))
    return *made, f"{100 * fraction:g} % observed, noise {noise:g} m³ m⁻³"


KEYS = ["model", "fraction", "noise", "feedback", "cells"]


def settings_table(sums, settings, feedback, draws=0, seed=0):
    """Every setting's scores: model, tau, fraction, noise, feedback, cells, metric, value, low, high, n, days.

    `sums` maps a model to (setting, cells, day, 8), as from `nudged.nudge_all`; intervals where `draws` asks for them.
    """
    rows = []
    for model, of in sums.items():
        for setting, one in zip(settings, of, strict=True):
            for cells, days in zip(CELLS, one, strict=True):
                key = {"model": model, "tau": setting.tau, "fraction": setting.fraction, "noise": setting.noise,
                       "feedback": feedback, "cells": cells, "days": len(days)}
                rows += [key | row for row in field_scores(days, draws=draws, seed=seed)]
    return pd.DataFrame(rows)


def nudge_study(study, stretches, settings, *, draws=1000, seed=0):
    """Run all settings with and without feedback on both periods, and choose tau.

    Returns
    -------
    dict, DataFrame, dict, DataFrame
        Mapping of "validation" and "test" -> settings table, in which rows of fraction 0 are the free run; the chosen
        taus, by validation with the strict protocol and by the test with the paper's; mapping of model -> analyses with
        feedback (setting, example day, y, x) of the test; `daily_sums` of the test at the chosen taus
    """
    tables, paper, kept, sums = {}, study.field.protocol == "paper", None, {}
    for period, one in stretches.items():
        models, n = study.forecasters(period), draws if period == "test" else 0
        free = {name: free_run(study.field, model, period, days=len(one.truth)) for name, model in models.items()}
        keep = example_days(len(one.truth)) if period == "test" else ()
        nudged, analyses = nudge_all(models, one, settings, fresh=paper, keep=keep, device=study.device)
        after, _ = nudge_all(free, one, settings, feedback=False, fresh=paper, device=study.device)
        nudged, after = ({name: _counted(study, one) for name, one in of.items()} for of in (nudged, after))
        parts = [settings_table(of, settings, feedback, n, seed) for of, feedback in ((nudged, True), (after, False))]
        alone = {name: np.stack([study.counted(sums_of(study.field, made, period)), np.zeros((len(made), 8))])[None]
                 for name, made in free.items()}
        parts += [settings_table(alone, [Setting(np.nan, 0.0, np.nan)], feedback, n, seed).query("cells == 'all'")
                  for feedback in (True, False)]
        tables[period] = pd.concat(parts, ignore_index=True)
        if period == "test":
            kept, sums = analyses, {name: (alone[name][0], of) for name, of in nudged.items()}
    chosen = choose_tau(tables["test" if paper else "validation"])
    return tables, chosen, kept, daily_sums(sums, settings, chosen, study.dates())


def daily_sums(sums, settings, chosen, time):
    """What each day leaves of the free runs and of the runs nudged with feedback at the tau chosen, to compare them.

    Parameters
    ----------
    sums : mapping of model -> (cells, day, 8) of the free run and (setting, cells, day, 8) nudged
    settings, chosen : see `nudge_study`
    time : (day,) dates of the test period; the first are those of the sums

    Returns
    -------
    DataFrame
        Columns model, fraction (0 is the free run), noise, tau, cells, time, MSE (m6 m-6) and the sums of
        `smlib.evaluate.field_scores`; no row where nothing is scored
    """
    frames = []
    for model, (free, nudged) in sums.items():
        mine = chosen[(chosen["model"] == model) & chosen["feedback"]]
        runs = [({"fraction": 0.0, "noise": np.nan, "tau": np.nan, "cells": CELLS[0]}, free[0])]
        runs += [({"fraction": row.fraction, "noise": row.noise, "tau": row.tau, "cells": row.cells},
                  nudged[settings.index(Setting(row.tau, row.fraction, row.noise)), CELLS.index(row.cells)])
                 for row in mine.itertuples()]
        for key, days in runs:
            table = pd.DataFrame(days, columns=list(SUMS)).assign(model=model, time=time[:len(days)], **key)
            frames.append(table.assign(MSE=field_metrics(days)["MSE"])[table["n"] > 0])
    table = pd.concat(frames, ignore_index=True)
    return table[["model", "fraction", "noise", "tau", "cells", "time", "MSE", *SUMS]]


def _counted(study, sums):
    """(setting, cells, day, 8), all cells counted as the protocol has it."""
    return np.stack([study.counted(sums[:, 0]), sums[:, 1]], axis=1)


def example_days(days):
    """Three days, evenly over so many (fewer if there are not as many), counted from 0."""
    return sorted({(2 * k + 1) * days // 6 for k in range(3)})


def choose_tau(table):
    """The tau with the least RMSE for each model, fraction, noise, feedback and cells: DataFrame of these and tau.

    Where no tau makes a difference (cells that are never touched), or nothing is scored, there is no choice.
    """
    rmse = table[(table["metric"] == "RMSE") & table["value"].notna() & (table["fraction"] > 0)]
    spread = rmse.groupby(KEYS)["value"].transform(lambda v: v.max() - v.min() if len(v) > 1 else 1.0)
    rmse = rmse[spread > 0]
    return rmse.loc[rmse.groupby(KEYS, sort=False)["value"].idxmin(), [*KEYS, "tau"]].reset_index(drop=True)


def at_chosen(table, chosen):
    """The rows of a settings table at the tau chosen for them."""
    return table.merge(chosen, on=[*KEYS, "tau"])


def printed_settings():
    """Tables 4 and 5 of Fan et al. (2025): model, noise, fraction, printed_tau, metric, printed."""
    printed = pd.read_csv(DATA / "published" / "fan2025_table4_5_nudging.csv").rename(
        columns={"obs_noise": "noise", "tau": "printed_tau"} | {name.lower(): name for name in PRINTED_METRICS})
    printed["fraction"] = printed["obs_percent"] / 100
    return printed.melt(["model", "noise", "fraction", "printed_tau"], list(PRINTED_METRICS), "metric", "printed")


def nudging_beside_print(table, chosen):
    """Tables 4 and 5 of Fan et al. (2025) beside ours over all cells, a row a printed model, noise and fraction.

    Columns: model, noise, fraction, printed_tau, tau, feedback, metric, printed, at_printed_tau, value, low, high,
    days; ours at the printed tau and at that chosen here.
    """
    printed = printed_settings()
    ours = table[table["cells"] == "all"]
    best = at_chosen(ours, chosen)[["model", "noise", "fraction", "feedback", "metric", "tau", "value", "low", "high",
                                    "days"]]
    same = ours.rename(columns={"tau": "printed_tau", "value": "at_printed_tau"})
    keys = ["model", "noise", "fraction", "metric"]
    found = printed.merge(best, on=keys).merge(same[[*keys, "feedback", "printed_tau", "at_printed_tau"]], how="left",
                                               on=[*keys, "feedback", "printed_tau"])
    return found[["model", "noise", "fraction", "printed_tau", "tau", "feedback", "metric", "printed", "at_printed_tau",
                  "value", "low", "high", "days"]]


def beside_print_wide(table, metric="R2"):
    """One metric of `nudging_beside_print` for a page, a row a printed setting: ours by variant at the tau chosen.

    Where tau is that printed is in the long table.
    """
    rows = table[table["metric"] == metric]
    keys = ["model", "noise", "fraction", "printed_tau", "printed"]
    named = rows.assign(way=np.where(rows["feedback"], "with feedback", "without feedback"))
    wide = named.pivot(index=keys, columns="way", values=["tau", "value"])
    order = list(dict.fromkeys(named[keys].itertuples(index=False, name=None)))
    wide = wide.loc[order]
    wide.columns = [way if what == "value" else f"tau, {way}" for what, way in wide.columns]
    columns = [name for way in ("with feedback", "without feedback") for name in (f"tau, {way}", way) if name in wide]
    return wide[columns].reset_index()


def post_hoc_from_print():
    """What RMSE a finished forecast would have if it were corrected afterwards, from print, beside the printed one.

    A correction of a fraction f of the cells, drawn at random, with noise of standard deviation s, leaves
    MSE' = (1 - f) MSE + f ((1 - tau)^2 MSE + tau^2 s^2), whatever the forecast. With the printed MSE (RMSE squared) of
    the free run (Table 3) that can be held against Tables 4 and 5.

    Returns
    -------
    DataFrame
        Columns model, noise, fraction, tau, free, post_hoc, printed (RMSE, m3 m-3), ratio (printed / post_hoc)
    """
    free = pd.read_csv(DATA / "published" / "fan2025_table3_long_term.csv").set_index("model")["rmse"]
    table = printed_settings().query("metric == 'RMSE'").rename(columns={"printed_tau": "tau"})
    table["free"] = table["model"].map(free)
    f, tau, mse = table["fraction"], table["tau"], table["free"] ** 2
    table["post_hoc"] = np.sqrt((1 - f) * mse + f * ((1 - tau) ** 2 * mse + tau**2 * table["noise"] ** 2))
    table["ratio"] = table["printed"] / table["post_hoc"]
    return table[["model", "noise", "fraction", "tau", "free", "post_hoc", "printed", "ratio"]].reset_index(drop=True)


def curves(table, chosen, feedback, metric="RMSE"):
    """A metric of the settings with or without feedback, for `plots.tau_curves`: printed values and the chosen tau."""
    rows = table[(table["metric"] == metric) & (table["feedback"] == feedback)]
    rows = rows.merge(chosen.assign(chosen=True), how="left", on=[*KEYS, "tau"])
    printed = printed_settings()
    printed = printed[printed["metric"] == metric].rename(columns={"printed_tau": "tau"}).drop(columns="metric")
    rows = rows.merge(printed.assign(cells="all"), how="left", on=["model", "noise", "fraction", "tau", "cells"])
    return rows.assign(chosen=rows["chosen"].eq(True))


def unobserved_table(table, chosen):
    """RMSE over the cells not observed on the day, with feedback at the tau chosen for them, beside the free run there.

    DataFrame model, noise, fraction, tau, nudged, low, high, free, ratio (nudged / free).
    """
    rmse = table[(table["metric"] == "RMSE") & (table["cells"] == "unobserved")]
    nudged = at_chosen(rmse[rmse["feedback"]], chosen).rename(columns={"value": "nudged"})
    # Without feedback a cell that is not observed is the free run's.
    keys = ["model", "noise", "fraction", "tau"]
    free = rmse[~rmse["feedback"]].rename(columns={"value": "free"})[[*keys, "free"]]
    found = nudged.merge(free, on=keys)
    found["ratio"] = found["nudged"] / found["free"]
    return found[["model", "noise", "fraction", "tau", "nudged", "low", "high", "free", "ratio"]]


def settings_skill(table, *, source, protocol):
    """A settings table as the tidy skill table; what was set stands in `variant`."""
    variant = [f"nudged {'with' if row.feedback else 'without'} feedback, tau {row.tau:g}, {100 * row.fraction:g} % "
               f"observed, noise {row.noise:g}, {row.cells} cells" for row in table.itertuples()]
    return table.assign(study=STUDY, source=source, protocol=protocol, variant=variant, site="all", depth_m=np.nan,
                        lead_d=np.nan)[list(COLUMNS)]
