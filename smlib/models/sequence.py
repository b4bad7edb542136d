"""The LSTM of Xie et al. (2025): soil moisture on every day of a sequence."""

import torch
from torch import nn

from smlib.models.layers import Dense, LSTMLayer, feature_major

ACTIVATIONS = {"sigmoid": torch.sigmoid, "ReLU": torch.relu}


class SequenceLSTM(nn.Module):
    """Scaled soil moisture of every day from that day and those before: LSTM, dropout, affine map, activation.

    The paper's Table 2 names an activation and a dropout without saying where they act; here the activation bounds the
    output, and dropout strikes hidden units for a whole sequence (Gal and Ghahramani 2016).

    Shapes: x (batch, day, feature) -> (batch, day); kept (batch, hidden), what dropout leaves (training only).
    """

    def __init__(self, features, hidden=100, activation="sigmoid", dropout=0.0):
        super().__init__()
        self.hidden, self.activation, self.dropout = hidden, activation, dropout
        self.layer, self.head = LSTMLayer(features, hidden), Dense(hidden, 1)
        if activation == "ReLU":  # in the middle of the scaled range, or it may start where there is no slope
            nn.init.constant_(self.head.weight[:, -1:], 0.5)

    def forward(self, x, kept=None):
        """x (batch, day, feature) -> (batch, day)."""
        states = self.layer(feature_major(x))
        if kept is not None:
            states = states * kept.T[:, None]
        return ACTIVATIONS[self.activation](self.head(states)[0]).T
