"""What the networks cost, beside print and beside what they forecast."""

import time

import pandas as pd

from smlib.assimilate.nudging import roll_out
from smlib.evaluate.field_scores import field_scores
from smlib.nudging.answers import number
from smlib.nudging.forecasts import free_run, one_day, sums_of
from smlib.nudging.tables import STUDY
from smlib.nudging.training import training_table
from smlib.paths import DATA

DAYS = 20  # over which a free run is timed


def cost_measured(study):
    """`training_table` and forecast_s, the seconds of a free run of 100 days, by the clock of this run."""
    table, window = training_table(study.trained), study.field.first_window("test")
    seconds = []
    for model in study.forecasters().values():
        roll_out(model, window, 1, study.field.valid)
        start = time.perf_counter()
        roll_out(model, window, DAYS, study.field.valid)
        seconds.append(100 / DAYS * (time.perf_counter() - start))
    return table.assign(forecast_s=seconds)


def cost_table(measured, device):
    """The tidy cost table: study, model, device, metric, value."""
    table = measured.melt("model", var_name="metric").dropna()
    return table.assign(study=STUDY, device=device)[["study", "model", "device", "metric", "value"]]


def cost_beside_print(measured):
    """Table 1 of Fan et al. (2025) beside ours: model, metric, printed, value; s, MiB, and the epoch kept."""
    printed = pd.read_csv(DATA / "published" / "fan2025_table1_cost.csv")
    printed = pd.DataFrame({"model": printed["model"], "train_s": 3600 * printed["train_time_h"],
                            "epochs": printed["convergence_epoch"], "size_mib": printed["model_file_mib"],
                            "peak_mib": printed["peak_gpu_mib"]}).melt("model", var_name="metric", value_name="printed")
    ours = measured[["model", "train_s", "best_epoch", "size_mib", "peak_mib"]].rename(columns={"best_epoch": "epochs"})
    return printed.merge(ours.melt("model", var_name="metric", value_name="value"), how="outer", on=["model", "metric"],
                         sort=False)


def cost_and_skill(study, measured, draws=1000, seed=0):
    """R2 one day ahead and over the free run beside the seconds of training: model, lead_d, cost, value, low, high."""
    seconds, rows = measured.set_index("model")["train_s"], []
    for name, model in study.forecasters().items():
        for made, lead in ((one_day(study.field, model), 1), (free_run(study.field, model), len(study.dates()))):
            score = next(r for r in field_scores(sums_of(study.field, made), draws=draws, seed=seed)
                         if r["metric"] == "R2")
            rows.append({"model": name, "lead_d": lead, "cost": seconds[name], "value": score["value"],
                         "low": score["low"], "high": score["high"]})
    return pd.DataFrame(rows)


def cost_answer(measured, scored):
    """The page's answer as Markdown, from `cost_measured` and `cost_and_skill`."""
    dear, cheap = (measured.loc[measured["train_s"].agg(which)] for which in ("idxmax", "idxmin"))
    large, small = (measured.loc[measured["size_mib"].agg(which)] for which in ("idxmax", "idxmin"))
    kept = measured["best_epoch"] == measured["epochs"]
    late = ", ".join(measured.loc[kept, "model"])
    more = f" {late} kept the last epoch trained, so more epochs may change scores and seconds." if late else ""
    r2 = scored.pivot(index="model", columns="lead_d", values="value")
    both = [f"{name} has R² {number(r2.loc[name, 1])} one day ahead, {number(r2.loc[name].iloc[-1])} over the free run"
            for name in dict.fromkeys((dear["model"], cheap["model"]))]
    return (f"**Our runs.** {dear['model']} took longest to train, {dear['train_s']:,.0f} s for {dear['epochs']} "
            f"epochs, {cheap['model']} least, {cheap['train_s']:,.0f} s for {cheap['epochs']}. The largest file is "
            f"that of {large['model']}, {large['size_mib']:.1f} MiB, {large['size_mib'] / small['size_mib']:,.0f} "
            f"times that of {small['model']}. {'; '.join(both)}.{more}")
