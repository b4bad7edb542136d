"""The ten station networks as one usually writes them: torch's own layers, batch first, one network at a time.

Sizes are those of `smlib.models`, but that torch ties the width of a Transformer's keys and values to its own.
"""

import torch
from torch import nn


class CNN(nn.Sequential):
    """1D-CNN."""

    def __init__(self, features):
        super().__init__(nn.Conv1d(features, 32, 2), nn.Tanh(), nn.Conv1d(32, 64, 2), nn.Tanh(), nn.Flatten(),
                         nn.Linear(2 * 64, 1))

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return super().forward(x.transpose(1, 2)).squeeze(-1)


class LSTM(nn.Module):
    """LSTM."""

    def __init__(self, features, layers=2):
        super().__init__()
        self.lstm, self.head = nn.LSTM(features, 16, layers, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.lstm(x)[0][:, -1]).squeeze(-1)


class Transformer(nn.Module):
    """Transformer, with a class token."""

    def __init__(self, features):
        super().__init__()
        self.embed, self.token = nn.Linear(features, 8), nn.Parameter(torch.randn(1, 1, 8))
        self.place, self.head = nn.Parameter(torch.randn(1, 5, 8)), nn.Linear(8, 1)
        self.encoder = nn.TransformerEncoderLayer(8, 1, 20, dropout=0.0, batch_first=True)

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        tokens = torch.cat([self.embed(x), self.token.expand(len(x), -1, -1)], 1) + self.place
        return self.head(self.encoder(tokens)[:, -1]).squeeze(-1)


class CNNLSTM(nn.Module):
    """CNN-LSTM."""

    def __init__(self, features):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv1d(features, 32, 2), nn.Tanh(), nn.Conv1d(32, 64, 2), nn.Tanh())
        self.lstm = LSTM(64, 1)

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.lstm(self.cnn(x.transpose(1, 2)).transpose(1, 2))


class LSTMCNN(nn.Module):
    """LSTM-CNN."""

    def __init__(self, features):
        super().__init__()
        self.lstm = nn.LSTM(features, 16, batch_first=True)
        self.cnn = nn.Sequential(nn.Conv1d(16, 32, 3, padding=1), nn.Tanh(), nn.Conv1d(32, 64, 3, padding=1), nn.Tanh(),
                                 nn.Flatten(), nn.Linear(4 * 64, 1))

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.cnn(self.lstm(x)[0].transpose(1, 2)).squeeze(-1)


class CNNWithLSTM(nn.Module):
    """CNN-with-LSTM."""

    def __init__(self, features):
        super().__init__()
        self.cnn, self.lstm = CNN(features), LSTM(features, 1)
        self.mix = nn.Sequential(nn.Linear(2, 10), nn.Tanh(), nn.Linear(10, 1))

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.mix(torch.stack([self.cnn(x), self.lstm(x)], 1)).squeeze(-1)


class AttentionLSTM(nn.Module):
    """FA-LSTM, TA-LSTM and FTA-LSTM."""

    def __init__(self, features, over_features=True, over_days=True):
        super().__init__()
        self.score_features = nn.Linear(features, features) if over_features else None
        self.lstm, self.head = nn.LSTM(features, 16, batch_first=True), nn.Linear(16, 1)
        self.score_days = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)) if over_days else None

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        if self.score_features:
            x = x * torch.softmax(torch.sigmoid(self.score_features(x)), -1)
        states = self.lstm(x)[0]
        state = (states * torch.softmax(self.score_days(states), 1)).sum(1) if self.score_days else states[:, -1]
        return self.head(state).squeeze(-1)


class GANLSTM(LSTM):
    """GAN-LSTM: the generator, and in ``judge`` the discriminator."""

    def __init__(self, features):
        super().__init__(features)
        self.judge = nn.Linear(5, 1)

    def believed(self, x, y):
        """The log odds that y (batch,) was measured: (batch,)."""
        return self.judge(torch.cat([x[:, :, -1], y[:, None]], 1)).squeeze(-1)


REFERENCES = {
    "1D-CNN": CNN,
    "LSTM": LSTM,
    "Transformer": Transformer,
    "CNN-LSTM": CNNLSTM,
    "LSTM-CNN": LSTMCNN,
    "CNN-with-LSTM": CNNWithLSTM,
    "FA-LSTM": lambda features: AttentionLSTM(features, over_days=False),
    "TA-LSTM": lambda features: AttentionLSTM(features, over_features=False),
    "FTA-LSTM": AttentionLSTM,
    "GAN-LSTM": GANLSTM,
}
