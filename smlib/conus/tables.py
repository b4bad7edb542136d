"""Tables of the networks themselves: what they see, how they were trained, and what they answer."""

import numpy as np
import pandas as pd

from smlib.conus.scenarios import LAYERS
from smlib.evaluate.worth import PAIRS
from smlib.wording import count

PRINTED_SIGN = "loss with its printed sign"


def scenario_table(scenarios):
    """What each network sees: DataFrame network, layer, scenario, predictors (number), daily, constant, above."""
    return pd.DataFrame([{"network": one.label, "layer": LAYERS[one.layer - 1], "scenario": one.name,
                          "predictors": len(one.predictors), "daily": ", ".join(one.daily),
                          "constant": ", ".join(one.fixed),
                          "above": f"output of {one.upper.label}" if one.upper else ""} for one in scenarios])


def training_table(trained):
    """How each network was trained: DataFrame network, filters, parameters, epochs, best_epoch, losses, seconds."""
    rows = []
    for one, got in trained.items():
        history, best = got.history, got.history["validation_loss"].idxmin()
        rows.append({"network": one.label, "filters": " ".join(map(str, got.model.settings["widths"])),
                     "parameters": sum(p.numel() for p in got.model.parameters()), "epochs": len(history),
                     "best_epoch": int(history["epoch"][best]), "train_loss": history["train_loss"][best],
                     "validation_loss": history["validation_loss"][best], "dropped": int(history["dropped"].sum()),
                     "training_s": got.seconds["training"], "prediction_s": got.seconds["prediction"]})
    return pd.DataFrame(rows)


def cost_table(trained, study, device, without=None):
    """The tidy cost table (`smlib.run.results.COST`) of a page; models such as "ConvLSTM S1, 0-10 cm".

    train_s is the seconds of training, forecast_s those of making the maps of all days that are kept, forecast_days of
    them. `without` is a mapping of layer -> what `smlib.conus.baselines` gives: its baselines, which need no GPU,
    stand beside the networks.
    """
    table = training_table(trained).assign(model=[f"ConvLSTM {one.name}, {LAYERS[one.layer - 1]}" for one in trained])
    table = table.rename(columns={"training_s": "train_s", "prediction_s": "forecast_s"}).assign(
        forecast_days=[got.made.sizes["time"] for got in trained.values()])
    metrics = ["parameters", "epochs", "best_epoch", "train_s", "forecast_s", "forecast_days"]
    plain = pd.DataFrame([(f"{name}, {LAYERS[layer - 1]}", "cpu", metric, value)
                          for layer, (_, seconds) in (without or {}).items() for name, one in seconds.items()
                          for metric, value in one.items()], columns=["model", "device", "metric", "value"])
    return pd.concat([table.melt("model", metrics, "metric").assign(device=device), plain]).assign(study=study)[
        ["study", "model", "device", "metric", "value"]]


def histories(trained):
    """Losses by epoch of all networks, as `smlib.plots.loss_curves` takes them."""
    return pd.concat([got.history.assign(model=one.label) for one, got in trained.items()], ignore_index=True)


def share_of_papers(trained):
    """Words for how small the networks are beside the papers'."""
    one, got = next(iter(trained.items()))
    full = "16 to 64" if one.study == "estimation" else "4 to 256"
    layers = 10 if one.study == "estimation" else 8
    widths = got.model.settings["widths"]
    if len(widths) == layers and max(widths) in (64, 256):
        return f"The networks have the paper's {layers} layers of {full} filters."
    return (f"The networks here are narrower than the paper's: {count(len(widths), 'layer')} of "
            f"{', '.join(map(str, widths))} filters in place of {layers} of {full}.")


def loss_pairs(losses, kind):
    """Networks with the loss that is meant and with the printed one, for `smlib.evaluate.worth.summary`.

    losses : `skill.loss_table`; a case is a lead, and there is one unit: one network with either loss
    """
    wide = losses.pivot(index="lead_d", columns="method", values="rmse").reset_index()
    return wide.rename(columns={"meant": "rmse", "printed": "rmse_leaky"}).assign(
        shortcut=PRINTED_SIGN, study="forecast", kind=kind, unit="surface network", model="ConvLSTM", counted=True,
        case=[f"{lead} d ahead" for lead in wide["lead_d"]], r2=np.nan, r2_leaky=np.nan)[list(PAIRS)]
