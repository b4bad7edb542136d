"""The LSTM of Wang et al. (2024, Sect. 2.1.2) and its three attention variants (Sect. 2.1.5)."""

import torch
from torch import nn

from smlib.models.layers import Dense, LSTMLayer, feature_major


class LSTM(nn.Module):
    """Soil moisture of the window's last day from its last hidden state; two layers of 16 hidden units.

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, hidden=16, layers=2):
        super().__init__()
        self.layers = nn.Sequential(*(LSTMLayer(features if k == 0 else hidden, hidden) for k in range(layers)))
        self.head = Dense(hidden, 1)

    def hidden_state(self, x):
        """x -> (batch, hidden), the last hidden state."""
        return self.layers(feature_major(x))[:, -1].T

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.hidden_state(x).T)[0]


class AttentionLSTM(nn.Module):
    """One LSTM layer with attention over the features of each day, over the days, or over both.

    Feature attention (FA-LSTM): the inputs x_t of a day are weighted by a_t = softmax(sigmoid(W x_t + b)). The sigmoid
    bounds the softmax's argument to 0 ... 1, so that no weight exceeds e times another. Temporal attention (TA-LSTM):
    the head sees the mean of the hidden states h_t of all days, weighted by softmax over t of v . tanh(V h_t + d)
    (Bahdanau et al. 2015; the paper's sources at hand do not give its scoring function).

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, hidden=16, over_features=True, over_days=True):
        super().__init__()
        self.score_features = Dense(features, features) if over_features else None
        self.lstm = LSTMLayer(features, hidden)
        self.score_days = nn.Sequential(Dense(hidden, hidden), nn.Tanh(), Dense(hidden, 1)) if over_days else None
        self.head = Dense(hidden, 1)

    def _feature_weights(self, x):
        return torch.softmax(torch.sigmoid(self.score_features(x)), 0)  # (feature, day, batch)

    def _states(self, x):
        x = feature_major(x)
        return self.lstm(x * self._feature_weights(x) if self.score_features else x)  # (hidden, day, batch)

    def _day_weights(self, states):
        return torch.softmax(self.score_days(states), 1)  # (1, day, batch)

    def attention(self, x):
        """The weights: ``feature`` (batch, lookback, feature) and ``time`` (batch, lookback), each summing to 1."""
        found = {}
        if self.score_features:
            found["feature"] = self._feature_weights(feature_major(x)).permute(2, 1, 0)
        if self.score_days:
            found["time"] = self._day_weights(self._states(x))[0].T
        return found

    def hidden_state(self, x):
        """x -> (batch, hidden), what the head sees."""
        states = self._states(x)
        return ((states * self._day_weights(states)).sum(1) if self.score_days else states[:, -1]).T

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.hidden_state(x).T)[0]


class GANLSTM(LSTM):
    """GAN-LSTM (Sect. 2.1.6): the LSTM as generator, and a discriminator that tells its output from what was measured.

    The discriminator is one linear layer (and a sigmoid, in its loss) on [the lagged moistures of the window, y]. What
    the loops of `smlib.train` do with it: on each batch `discriminator_updates` of the discriminator by binary cross
    entropy, then one update of the generator by MSE + `adversarial_weight` * BCE of passing for measured. The paper
    gives a weight of 1e-7, its published code 1e-6.

    Shapes: x (batch, lookback, feature) -> (batch,); x and y (batch,) -> (batch,), the log odds that y was measured.
    """

    learning_rate, discriminator_rate, discriminator_updates = 5e-4, 1e-3, 3

    def __init__(self, features, hidden=16, layers=2, lookback=4, adversarial_weight=1e-7):
        super().__init__(features, hidden, layers)
        self.adversarial_weight = adversarial_weight
        self.discriminator = Dense(lookback + 1, 1)

    def forward(self, x, y=None):
        """x (batch, lookback, feature) -> (batch,); with y (batch,), the log odds that y was measured: (batch,)."""
        if y is None:
            return super().forward(x)
        return self.discriminator(torch.cat([x[..., -1].T, y[None]]))[0]
