"""Any network as a scikit-learn style estimator of windows."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin

from smlib.train import pick_device, train


class Network(RegressorMixin, BaseEstimator):
    """Train ``network(features)`` on windows by `smlib.train.train`, predict in float32.

    Parameters
    ----------
    network : callable
        ``network(features) -> torch.nn.Module`` taking (batch, lookback, feature) to (batch,).
    epochs, patience, learning_rate, batch, steps, validation_batch, progress, device : see `smlib.train.train`.
    random_state : int
        Fixes the initial weights and the batches.
    """

    def __init__(self, network, epochs=1500, patience=1500, learning_rate=1e-3, batch=50, steps=20,
                 validation_batch=None, device="auto", progress=False, random_state=0):
        self.network, self.epochs, self.patience, self.learning_rate = network, epochs, patience, learning_rate
        self.batch, self.steps, self.validation_batch = batch, steps, validation_batch
        self.device, self.progress, self.random_state = device, progress, random_state

    def fit(self, train_windows, validation):
        """Train and keep the weights of the best epoch on `validation`; returns self.

        Fitted: ``network_`` and ``history_`` (epoch, training loss, validation loss, seconds).
        """
        settings = self.get_params()
        seed = settings.pop("random_state")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = settings.pop("network")(train_windows.x.shape[2])
        self.network_, self.history_ = train(network, train_windows, validation, seed=seed, **settings)
        return self

    @torch.inference_mode()
    def predict(self, windows):
        """(sample,) moisture, in the scale of the training targets."""
        x = torch.as_tensor(windows.x, dtype=torch.float32, device=pick_device(self.device))
        return self.network_(x).cpu().numpy().astype(np.float64)
