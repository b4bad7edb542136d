"""The models, by the name that they have in print."""

from functools import partial

from smlib.models.baselines import Climatology, Persistence
from smlib.models.classical import ExtremeLearningMachine, RandomForest, RidgeWindow, SupportVector
from smlib.models.lstm import LSTM
from smlib.models.network import Network

BASELINES = ("persistence", "climatology")

# name -> builder of an estimator with fit(train, validation) and predict(windows), both on scaled `Windows`.
MODELS = {
    "persistence": Persistence,
    "climatology": Climatology,
    "ridge": RidgeWindow,
    "RF": RandomForest,
    "ELM": ExtremeLearningMachine,
    "SVR": SupportVector,
    "LSTM": partial(Network, LSTM),
}


def is_random(name):
    """Whether a model's fit draws random numbers, so that repetitions differ."""
    return "random_state" in MODELS[name]().get_params()


def is_network(name):
    """Whether a model is trained by `smlib.train`, and so takes its settings (epochs, patience, device, ...)."""
    return isinstance(MODELS[name](), Network)


def build(name, seed=None, **settings):
    """An unfitted model by name; `seed` where it draws random numbers. Unknown names and settings are errors."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    if is_random(name):
        settings["random_state"] = seed
    return MODELS[name](**settings)


__all__ = ["BASELINES", "LSTM", "MODELS", "Network", "build", "is_network", "is_random"]
