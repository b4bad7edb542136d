"""What fitting cost, as rows of cost.csv."""

import numpy as np
import pandas as pd

from smlib.correction.study import Entry
from smlib.run.results import COST
from smlib.train import pick_device

STAGE_1 = "stage 1"


def of_fits(trained, fits, device="auto"):
    """What each model took: rows of cost.csv, of all that a skill table scores and that has been fitted.

    For networks: networks, parameters of one, epochs, training_s (of all) and fit_s, a network's share of it. For
    baselines: fits and fit_s, their mean. One fit is that of one member of the cross-validation: on stage 1 to the
    stations of a network, on stage 2 to one product there. So fit_s compares.

    Parameters
    ----------
    trained : mapping of key -> `mlstm.Trained`; the key ends in an `Entry`, whose label is the model, or on stage 1 in
        a combination. Seconds are of one core or device, each group's shared by its networks
    fits : mapping of (..., name) -> (member,) seconds, from `smlib.correction.fits`
    device : on which the networks were trained
    """
    rows, kinds = [], {}
    for key, one in trained.items():
        kinds.setdefault(key[-1].label if isinstance(key[-1], Entry) else STAGE_1, []).append(one)
    for model, parts in kinds.items():
        networks = sum(len(one.jobs) for one in parts)
        spent = sum(float(one.ensemble.seconds.sum()) for one in parts)
        found = {"networks": networks,
                 "parameters": max(sum(p.numel() for p in one.ensemble.network.parameters()) for one in parts),
                 "epochs": max(int(one.ensemble.epochs.max()) for one in parts),
                 "training_s": spent, "fit_s": spent / networks}
        rows += [("correction", model, pick_device(device).type, *both) for both in found.items()]
    for name in dict.fromkeys(key[-1] for key in fits):
        seconds = np.concatenate([spent for key, spent in fits.items() if key[-1] == name])
        found = {"fits": len(seconds), "fit_s": float(seconds.mean())}
        rows += [("correction", name, "cpu", *both) for both in found.items()]
    return pd.DataFrame(rows, columns=list(COST))


def shown(table):
    """`of_fits` with a row a model, as the pages show it: a styled DataFrame."""
    wide = table.pivot_table(index=["model", "device"], columns="metric", values="value", sort=False)
    return wide.rename_axis(columns=None).style.format(
        {"fit_s": "{:.2g}", "training_s": "{:,.1f}"}, precision=0, na_rep="–", thousands=",")
