"""The LSTM of Wang et al. (2024, Sect. 2.1.2): two layers of 16 hidden units and a linear output."""

from torch import nn


class LSTM(nn.Module):
    """Soil moisture of the window's last day from its last hidden state.

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, hidden=16, layers=2):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        h, _ = self.lstm(x)  # (batch, lookback, hidden)
        return self.head(h[:, -1]).squeeze(-1)
