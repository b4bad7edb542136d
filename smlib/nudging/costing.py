"""What the networks cost, beside print and beside what they forecast."""

import time

import pandas as pd

from smlib.assimilate.nudging import roll_out
from smlib.evaluate.field_scores import field_scores
from smlib.nudging.answers import REFERENCES, between, number
from smlib.nudging.forecasts import sums_of
from smlib.nudging.tables import STUDY
from smlib.nudging.training import training_table
from smlib.paths import DATA
from smlib.wording import answer, listed

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
    """R2 one day ahead and over the free run beside the seconds of training: model, lead_d, cost, value, low, high.

    The baselines are in it, with cost 0.
    """
    seconds = measured.set_index("model")["train_s"]
    rows = []
    for how, lead in (("one day", 1), ("free run", len(study.dates()))):
        made = study.forecasts(how)
        for name in (*seconds.index, *REFERENCES):
            score = next(r for r in field_scores(sums_of(study.field, made[name]), draws=draws, seed=seed)
                         if r["metric"] == "R2")
            rows.append({"model": name, "lead_d": lead, "cost": seconds.get(name, 0.0), "value": score["value"],
                         "low": score["low"], "high": score["high"]})
    return pd.DataFrame(rows)


def cost_answer(measured, scored):
    """What the dearest network takes and gives, from `cost_measured` and `cost_and_skill`: (answer, detail), Markdown.

    It stands beside the other networks, and beside persistence one day ahead and climatology over the free run.
    """
    dear = measured.loc[measured["train_s"].idxmax()]
    r2 = scored.groupby("model", sort=False)["value"].agg(["first", "last"])
    others, clauses = r2.index.difference([dear["model"], *REFERENCES]), []
    for column, where, of in (("first", "one day ahead", "persistence"), ("last", "over the free run", "climatology")):
        mine, base = r2.loc[[dear["model"], of], column]
        beats, some = mine > base, int((r2.loc[others, column] < mine).sum())
        verb = "beats" if beats else "equals" if mine == base else "loses to"
        also = (" and" if beats else ", beats") + (
            " all others" if some == len(others) else f" {some} of {len(others)} others") if some else (
            ", but no other network" if beats else ", beats no other network") if len(others) else ""
        clauses.append((beats, f"{verb} {of} {where}", f"({number(mine)} to {number(base)})", also))
    clauses.sort(key=lambda clause: clause[0])  # what is lost comes first
    full, plain = ("; it ".join(f"{said} {r2}{also * told}" for _, said, r2, also in clauses).replace("(", "(R² ", 1)
                   for told in (True, False))
    train_s = f"{dear['train_s']:,.0f} s"
    names = [f"{dear['model']}, the dearest ({train_s}),", f"The dearest network ({train_s})"] if len(
        others) else [f"{dear['model']} ({train_s} to train)", f"The network ({train_s} to train)"]
    said = answer(*(f"{name} {rest}." for rest in (full, plain) for name in names))
    return said, _cost_detail(measured, scored, len(others) > 0)


def _cost_detail(measured, scored, many):
    lines = [f"- {row.model}: {row.train_s:,.0f} s for {row.epochs} epoch{'s' * (row.epochs != 1)}, "
             f"{row.size_mib:.3g} MiB; {_scores(scored, row.model)}"
             for row in measured.sort_values("train_s", ascending=False).itertuples()]
    lines += [f"- {name}: {_scores(scored, name)}" for name in REFERENCES]
    large, small = (measured.loc[measured["size_mib"].agg(which)] for which in ("idxmax", "idxmin"))
    more = (f" The largest file is that of {large['model']}, {large['size_mib'] / small['size_mib']:,.0f} times that "
            f"of {small['model']}." if many else "")
    late = measured.loc[measured["best_epoch"] == measured["epochs"], "model"].tolist()
    kept = (f" {listed(late)} kept the last epoch trained, so more epochs may change scores and seconds." if late
            else "")
    return "\n".join(lines) + ("\n\n" + (more + kept).strip() if more or kept else "")


def _scores(scored, name):
    rows = scored[scored["model"] == name]
    return "R² " + ", ".join(f"{number(row.value)}{between(row.low, row.high)} {where}" for row, where in
                             zip(rows.itertuples(), ("one day ahead", "over the free run"), strict=True))
