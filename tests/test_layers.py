"""The building blocks and the networks against what torch, or a longer way of writing the same, gives."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from smlib.models import NETWORKS
from smlib.models.layers import Convolution, Dense, LSTMLayer, feature_major, layer_norm
from smlib.models.recurrent import AttentionLSTM
from smlib.models.transformer import Transformer, sine_positions

FEATURES = 8

# Parameters on 8 features. A Dense(i, o) has o (i + 1), an LSTM layer 4 h (i + 1 + h): one bias a gate, where torch
# has two that only ever appear as their sum.
CNN_PART = 32 * (2 * 8 + 1) + 64 * (2 * 32 + 1)  # two convolutions over two days
LSTM_PART = 64 * (8 + 1 + 16)
SIZES = {
    "1D-CNN": CNN_PART + 2 * 64 + 1,  # two of four days are left
    "LSTM": LSTM_PART + 64 * (16 + 1 + 16) + 17,
    # embedding, token, five places, three of 4 x (8 + 1), out, two norms, feed-forward of 20, head
    "Transformer": 8 * 9 + 8 + 5 * 8 + 3 * 4 * 9 + 8 * 5 + 4 * 8 + 20 * 9 + 8 * 21 + 9,
    "CNN-LSTM": CNN_PART + 64 * (64 + 1 + 16) + 17,
    "LSTM-CNN": LSTM_PART + 32 * (3 * 16 + 1) + 64 * (3 * 32 + 1) + 4 * 64 + 1,
    "CNN-with-LSTM": CNN_PART + 2 * 64 + 1 + LSTM_PART + 17 + 10 * 3 + 11,
    "FA-LSTM": 8 * 9 + LSTM_PART + 17,
    "TA-LSTM": LSTM_PART + 16 * 17 + 17 + 17,
    "FTA-LSTM": 8 * 9 + LSTM_PART + 16 * 17 + 17 + 17,
    "GAN-LSTM": LSTM_PART + 64 * (16 + 1 + 16) + 17 + 6,  # the discriminator sees four moistures and y
}


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("days", [1, 2, 5])
def test_the_lstm_layer_is_that_of_torch_with_its_gradients(days):
    inputs, hidden = 3, 5
    theirs = nn.LSTM(inputs, hidden).double()
    layer = LSTMLayer(inputs, hidden).double()
    bias = theirs.bias_ih_l0 + theirs.bias_hh_l0
    whole = torch.cat([theirs.weight_ih_l0, bias[:, None], theirs.weight_hh_l0], 1)  # rows i, f, g, o
    i, f, g, o = whole.detach().split(hidden)
    layer.weight.data = torch.cat([i, f, o, g])
    x = draw(days, 7, inputs).requires_grad_()
    out = theirs(x)[0]
    out.pow(2).sum().backward()
    expected, x.grad = x.grad.clone(), None
    found = layer(x.permute(2, 0, 1))
    assert_same(found, out.permute(2, 0, 1))
    found.pow(2).sum().backward()
    assert_same(x.grad, expected)
    i, f, o, g = layer.weight.grad.split(hidden)
    grad = torch.cat([i, f, g, o])
    assert_same(grad[:, :inputs], theirs.weight_ih_l0.grad)
    assert_same(grad[:, inputs], theirs.bias_ih_l0.grad)
    assert_same(grad[:, inputs + 1:], theirs.weight_hh_l0.grad)


@pytest.mark.parametrize(("kernel", "padding"), [(2, 0), (3, 1), (3, 0), (1, 2)])
def test_the_convolution_is_that_of_torch_with_its_gradients(kernel, padding):
    ours, theirs = Convolution(3, 5, kernel, padding).double(), nn.Conv1d(3, 5, kernel, padding=padding).double()
    ours.map.weight.data = torch.cat([theirs.weight.detach().permute(0, 2, 1).flatten(1), theirs.bias[:, None]], 1)
    x = draw(6, 3, 4).requires_grad_()  # (batch, inputs, day)
    out = theirs(x)
    out.pow(2).sum().backward()
    expected, x.grad = x.grad.clone(), None
    found = ours(x.permute(1, 2, 0))
    assert_same(found, out.permute(1, 2, 0))
    found.pow(2).sum().backward()
    assert_same(x.grad, expected)
    assert_same(ours.map.weight.grad[:, -1], theirs.bias.grad)
    assert_same(ours.map.weight.grad[:, :-1], theirs.weight.grad.permute(0, 2, 1).flatten(1))


def test_dense_is_linear_of_torch_and_starts_in_its_range():
    layer, x = Dense(6, 200).double(), draw(6, 2, 3)
    expected = F.linear(x.permute(1, 2, 0), layer.weight[:, :-1], layer.weight[:, -1])
    assert_same(layer(x), expected.permute(2, 0, 1))
    assert 0.95 * 6**-0.5 < layer.weight.abs().max() <= 6**-0.5


def test_layer_norm_is_that_of_torch():
    x, gain, offset = draw(8, 5), draw(8, seed=1), draw(8, seed=2)
    assert_same(layer_norm(x, gain, offset), F.layer_norm(x.T, (8,), gain, offset).T)


def test_feature_major_keeps_every_number():
    x = draw(2, 3, 4)
    assert feature_major(x)[3, 1, 0] == x[0, 1, 3]
    assert feature_major(x).shape == (4, 3, 2)


@pytest.mark.parametrize("positions", ["learned", "sine"])
def test_the_transformer_is_a_whole_encoder_read_at_its_class_token(positions):
    """All five tokens through the layer, batch first, with torch's own attention: the last is what the head sees."""
    torch.manual_seed(0)
    network = Transformer(FEATURES, positions=positions).double()
    network.gains.data, network.offsets.data = draw(2, 8, seed=3), draw(2, 8, seed=4)

    def affine(layer, x):
        return F.linear(x, layer.weight[:, :-1], layer.weight[:, -1])

    x = draw(6, 4, FEATURES)
    tokens = torch.cat([affine(network.embed, x), network.token[:, 0].T.expand(6, 1, 8)], 1) + network.place[..., 0].T
    q, k, v = (affine(layer, tokens) for layer in (network.query, network.key, network.value))
    out = F.layer_norm(tokens + affine(network.out, F.scaled_dot_product_attention(q, k, v)), (8,),
                       network.gains[0], network.offsets[0])
    fed = affine(network.feed[2], torch.relu(affine(network.feed[0], out)))
    out = F.layer_norm(out + fed, (8,), network.gains[1], network.offsets[1])
    assert_same(network.hidden_state(x), out[:, -1])
    assert_same(network(x), affine(network.head, out[:, -1])[:, 0])


def test_sine_positions_are_those_of_the_formula():
    place = sine_positions(8, 5)
    assert place.shape == (8, 5)
    for day in range(5):
        for k in range(0, 8, 2):
            assert float(place[k, day]) == pytest.approx(math.sin(day / 10000 ** (k / 8)), abs=1e-6)
            assert float(place[k + 1, day]) == pytest.approx(math.cos(day / 10000 ** (k / 8)), abs=1e-6)
    with pytest.raises(ValueError, match="learned or sine"):
        Transformer(FEATURES, positions="cosine")


def test_attention_over_features_is_bounded_by_e():
    """The sigmoid holds the softmax's argument to 0 ... 1, however large the inputs: that no weight can be ignored."""
    network = AttentionLSTM(FEATURES)
    network.score_features.weight.data *= 1e4
    found = network.attention(torch.randn(200, 4, FEATURES))
    feature = found["feature"].detach().numpy()
    np.testing.assert_allclose(feature.sum(-1), 1, rtol=1e-6)
    ratio = feature.max(-1) / feature.min(-1)
    assert ratio.max() == pytest.approx(math.e, rel=1e-5), "scores of 0 and 1 lie as far apart as they can"
    np.testing.assert_allclose(found["time"].detach().numpy().sum(-1), 1, rtol=1e-6)


def test_equal_scores_are_no_attention():
    """Scores of zero weigh all features, and all days, alike: an LSTM on x / features, whose states are averaged."""
    network = AttentionLSTM(FEATURES).double()
    network.score_features.weight.data.zero_()
    network.score_days[2].weight.data.zero_()
    x = draw(5, 4, FEATURES)
    expected = network.lstm(feature_major(x) / FEATURES).mean(1).T
    assert_same(network.hidden_state(x), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_the_size_worked_out_by_hand(name):
    network = NETWORKS[name](FEATURES)
    assert sum(p.numel() for p in network.parameters()) == SIZES[name]
    x = torch.rand(6, 4, FEATURES)
    assert network(x).shape == (6,)
    state = network.hidden_state(x)
    torch.testing.assert_close(network.head(state.T)[0], network(x))
    torch.testing.assert_close(network(x)[2:4], network(x[2:4]), msg="samples of a batch do not see each other")
