"""The models, by the name that they have in print."""

from functools import partial

from smlib.models.baselines import Climatology, Persistence
from smlib.models.classical import (
    ExtremeLearningMachine,
    GradientBoosting,
    RandomForest,
    RidgeWindow,
    SupportVector,
)
from smlib.models.convolutional import CNN, CNNLSTM, LSTMCNN, CNNWithLSTM
from smlib.models.increment import Increment
from smlib.models.network import Network
from smlib.models.recurrent import GANLSTM, LSTM, AttentionLSTM
from smlib.models.transformer import Transformer

BASELINES = ("persistence", "climatology")

# name -> network(features), from (batch, lookback, feature) to (batch,)
NETWORKS = {
    "1D-CNN": CNN,
    "LSTM": LSTM,
    "Transformer": Transformer,
    "CNN-LSTM": CNNLSTM,
    "LSTM-CNN": LSTMCNN,
    "CNN-with-LSTM": CNNWithLSTM,
    "FA-LSTM": partial(AttentionLSTM, over_days=False),
    "TA-LSTM": partial(AttentionLSTM, over_features=False),
    "FTA-LSTM": AttentionLSTM,
    "GAN-LSTM": GANLSTM,
}

# name -> builder of an estimator with fit(train, validation) and predict(windows), both on scaled `Windows`.
MODELS = {
    "persistence": Persistence,
    "climatology": Climatology,
    "ridge": RidgeWindow,
    "RF": RandomForest,
    "ELM": ExtremeLearningMachine,
    "SVR": SupportVector,
    "HistGB": GradientBoosting,
    **{name: partial(Network, network) for name, network in NETWORKS.items()},
}

# Where the code published with Wang et al. (2024) differs from the paper.
PAPER_CODE = {"Transformer": {"feed_forward": 10}, "GAN-LSTM": {"adversarial_weight": 1e-6}}


def network_of(name, protocol="strict", lookback=4):
    """``make(features)`` of a network by name; `protocol` ``paper`` takes its settings from the published code.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    protocol : {"strict", "paper"}
    lookback : int
        Days in a window, which some networks must know.
    """
    settings = PAPER_CODE.get(name, {}) if protocol == "paper" else {}
    make = NETWORKS[name]
    if name in ("1D-CNN", "Transformer", "LSTM-CNN", "CNN-with-LSTM", "GAN-LSTM"):
        settings = {**settings, "lookback": lookback}
    return partial(make, **settings)


def is_random(name):
    """Whether a model's fit draws random numbers, so that repetitions differ."""
    return "random_state" in MODELS[name]().get_params()


def build(name, seed=None, target="value", **settings):
    """An unfitted model by name; `seed` where it draws random numbers. Unknown names and settings are errors.

    `target` ``increment`` gives the same model of the day's change instead of the moisture itself.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    if is_random(name):
        settings["random_state"] = seed
    model = MODELS[name](**settings)
    return Increment(model) if target == "increment" else model


__all__ = ["BASELINES", "MODELS", "NETWORKS", "PAPER_CODE", "Increment", "Network", "build", "is_random",
           "network_of"]
