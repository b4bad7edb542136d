"""The convolutional networks of Wang et al. (2024, Sect. 2.1.3): alone, before, after and beside an LSTM."""

import torch
from torch import nn

from smlib.models.layers import Convolution, Dense, LSTMLayer, feature_major


class CNN(nn.Module):
    """1D-CNN: two convolutions over two days each (32 and 64 channels) with tanh, no pooling, flattened to the head.

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, channels=(32, 64), kernel=2, lookback=4):
        super().__init__()
        first, second = channels
        self.convolutions = nn.Sequential(Convolution(features, first, kernel), nn.Tanh(),
                                          Convolution(first, second, kernel), nn.Tanh())
        self.head = Dense(second * (lookback - 2 * (kernel - 1)), 1)

    def hidden_state(self, x):
        """x -> (batch, channel * day), the flattened second convolution."""
        return self.convolutions(feature_major(x)).flatten(0, 1).T

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.hidden_state(x).T)[0]


class CNNLSTM(nn.Module):
    """CNN-LSTM: the convolutions of the 1D-CNN, and an LSTM layer of 16 over the days that they leave.

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, channels=(32, 64), kernel=2, hidden=16):
        super().__init__()
        first, second = channels
        self.layers = nn.Sequential(Convolution(features, first, kernel), nn.Tanh(),
                                    Convolution(first, second, kernel), nn.Tanh(), LSTMLayer(second, hidden))
        self.head = Dense(hidden, 1)

    def hidden_state(self, x):
        """x -> (batch, hidden), the last hidden state."""
        return self.layers(feature_major(x))[:, -1].T

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.hidden_state(x).T)[0]


class LSTMCNN(nn.Module):
    """LSTM-CNN: an LSTM layer of 16, two convolutions over three days (32 and 64 channels), flattened to the head.

    The convolutions are padded by a day on both sides: without, the second would find only two days.

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, hidden=16, channels=(32, 64), kernel=3, lookback=4):
        super().__init__()
        first, second = channels
        self.layers = nn.Sequential(LSTMLayer(features, hidden), Convolution(hidden, first, kernel, kernel // 2),
                                    nn.Tanh(), Convolution(first, second, kernel, kernel // 2), nn.Tanh())
        self.head = Dense(second * lookback, 1)

    def hidden_state(self, x):
        """x -> (batch, channel * day), the flattened second convolution."""
        return self.layers(feature_major(x)).flatten(0, 1).T

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.hidden_state(x).T)[0]


class CNNWithLSTM(nn.Module):
    """CNN-with-LSTM: a 1D-CNN and an LSTM side by side, whose two outputs go through FC 10, tanh and FC 1.

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, channels=(32, 64), kernel=2, hidden=16, lookback=4):
        super().__init__()
        self.cnn = CNN(features, channels, kernel, lookback)
        self.lstm, self.last = LSTMLayer(features, hidden), Dense(hidden, 1)
        self.mix = nn.Sequential(Dense(2, 10), nn.Tanh())
        self.head = Dense(10, 1)

    def hidden_state(self, x):
        """x -> (batch, 10), the layer that mixes the two branches."""
        branches = torch.cat([self.cnn(x)[None], self.last(self.lstm(feature_major(x))[:, -1])])
        return self.mix(branches).T

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.hidden_state(x).T)[0]
