"""What training cost, as rows of cost.csv."""

import pandas as pd

from smlib.run.results import COST


def of_training(trained, model):
    """Networks, parameters of one, and seconds of all: rows of cost.csv.

    trained : mapping of key -> `mlstm.Trained`; seconds are of one core or device, each group's shared by its networks
    """
    parts = list(trained.values())
    device = next(iter(parts[0].ensemble.weights.values())).device.type if parts else "cpu"
    found = {"networks": sum(len(one.jobs) for one in parts),
             "parameters": max(sum(p.numel() for p in one.ensemble.network.parameters()) for one in parts),
             "epochs": max(int(one.ensemble.epochs.max()) for one in parts),
             "training_s": sum(float(one.ensemble.seconds.sum()) for one in parts)}
    return pd.DataFrame([("correction", model, device, metric, value) for metric, value in found.items()],
                        columns=list(COST))
