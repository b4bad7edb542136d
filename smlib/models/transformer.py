"""The Transformer encoder of Wang et al. (2024, Sect. 2.1.4)."""

import torch
from torch import nn

from smlib.models.layers import Dense, feature_major, layer_norm


def sine_positions(width, length):
    """Sine and cosine position code (Vaswani et al. 2017, Sect. 3.5): (width, length)."""
    k = torch.arange(width)[:, None]
    angle = torch.arange(length) / 10000 ** (2 * (k // 2) / width)
    return torch.where(k % 2 == 0, torch.sin(angle), torch.cos(angle))


class Transformer(nn.Module):
    """One encoder layer with a class token appended to the days, whose output goes to the head.

    With one layer and one token read, that token's query is the only one that counts, so only it is computed. The paper
    gives 20 units for the feed-forward part, its published code 10.

    Shapes: x (batch, lookback, feature) -> (batch,).
    """

    def __init__(self, features, width=8, key=4, feed_forward=20, lookback=4, positions="learned"):
        super().__init__()
        if positions not in ("learned", "sine"):
            raise ValueError(f"positions must be learned or sine, not {positions!r}")
        self.embed, self.token = Dense(features, width), nn.Parameter(torch.randn(width, 1, 1))
        if positions == "learned":
            self.place = nn.Parameter(torch.randn(width, lookback + 1, 1))
        else:
            self.register_buffer("place", sine_positions(width, lookback + 1)[..., None])
        self.query, self.key, self.value = (Dense(width, key) for _ in range(3))
        self.out = Dense(key, width)
        self.gains, self.offsets = nn.Parameter(torch.ones(2, width)), nn.Parameter(torch.zeros(2, width))
        self.feed = nn.Sequential(Dense(width, feed_forward), nn.ReLU(), Dense(feed_forward, width))
        self.head = Dense(width, 1)

    def hidden_state(self, x):
        """x -> (batch, width), the class token after the encoder."""
        days = self.embed(feature_major(x))
        tokens = torch.cat([days, self.token.expand(-1, 1, days.shape[2])], 1) + self.place  # (width, day + 1, batch)
        read = tokens[:, -1]
        q, k, v = self.query(read)[:, None], self.key(tokens), self.value(tokens)
        attention = torch.softmax((q * k).sum(0, keepdim=True) * k.shape[0]**-0.5, 1)  # (1, day + 1, batch)
        read = layer_norm(read + self.out((attention * v).sum(1)), self.gains[0], self.offsets[0])
        return layer_norm(read + self.feed(read), self.gains[1], self.offsets[1]).T

    def forward(self, x):
        """x (batch, lookback, feature) -> (batch,)."""
        return self.head(self.hidden_state(x).T)[0]
