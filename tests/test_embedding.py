"""Embeddings whose order is known: perfect, none, and one that only memory makes look ordered."""

import numpy as np
import pytest
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from smlib.explain import embeddings, orderliness, tsne

N = 400
TIME = np.datetime64("2015-01-01") + np.arange(N)
MOISTURE = 0.25 + 0.012 * lfilter([1], [1, -0.97], np.random.default_rng(0).normal(size=N))  # remembers for a month


def test_an_embedding_along_moisture_is_ordered():
    plane = np.column_stack([MOISTURE, np.zeros(N)])
    found = orderliness(plane, MOISTURE, TIME)
    assert found["r2"] > 0.97 and found["r2_near"] > 0.99


def test_noise_is_not_ordered():
    plane = np.random.default_rng(1).normal(size=(N, 2))
    assert max(orderliness(plane, MOISTURE, TIME).values()) < 0.05


def test_days_along_a_thread_look_ordered_but_are_not():
    """A plane that knows the date alone: neighbours in time have the moisture of the day, those a month away do not."""
    plane = np.column_stack([np.arange(N) / 10.0, np.zeros(N)])
    found = orderliness(plane, MOISTURE, TIME)
    assert found["r2_near"] > 0.85 and found["r2"] < 0.2


def test_orderliness_by_hand():
    """Five days, one neighbour each, at least two days away."""
    plane = np.array([[0.0], [1.0], [1.1], [3.0], [0.2]])
    moisture = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    time = np.datetime64("2020-02-27") + np.arange(5)
    # Nearest two or more days away: of day 0 day 4 (0.2 off), 1: 4 (0.8), 2: 4 (0.9), 3: 1 (2.0), 4: 0 (0.2).
    estimate = np.array([0.5, 0.5, 0.5, 0.2, 0.1])
    found = orderliness(plane, moisture, time, neighbours=1, apart=2)
    assert found["r2"] == pytest.approx(1 - ((moisture - estimate) ** 2).sum() / 0.1)
    # Any other day: 4, 2, 1, 2, 0.
    estimate = np.array([0.5, 0.3, 0.2, 0.3, 0.1])
    assert found["r2_near"] == pytest.approx(1 - ((moisture - estimate) ** 2).sum() / 0.1)


def test_gaps_between_days_count_as_days():
    """The same rows, a month apart each: then all may be neighbours, and both numbers are one."""
    plane = np.random.default_rng(2).normal(size=(40, 2))
    found = orderliness(plane, MOISTURE[:40], TIME[0] + 30 * np.arange(40))
    assert found["r2"] == found["r2_near"]
    assert np.isnan(orderliness(plane, np.full(40, 0.3), TIME[0] + 30 * np.arange(40))["r2"])


@pytest.mark.parametrize("change, message", [
    ({"time": TIME[:50]}, "do not fit"),
    ({"moisture": MOISTURE[:50]}, "do not fit"),
    ({"embedding": np.zeros(N)}, "do not fit"),
    ({"time": np.repeat(TIME[::2], 2)}, "twice"),
    ({"apart": 300}, "0 days that may be its neighbours; 10 are needed"),
])
def test_what_does_not_fit_is_an_error(change, message):
    given = {"embedding": np.zeros((N, 2)), "moisture": MOISTURE, "time": TIME} | change
    with pytest.raises(ValueError, match=message):
        orderliness(**given)


def clusters():
    rng = np.random.default_rng(3)
    label = rng.integers(0, 3, 150)
    return label, rng.normal(size=(150, 4, 5)) + 12 * label[:, None, None]


def test_tsne_keeps_clusters_apart_and_its_bits():
    label, rows = clusters()
    with threadpool_limits(2):
        plane = tsne(rows, seed=1)
    assert np.array_equal(plane, tsne(rows, seed=1)), "also with another number of threads"
    distance = np.linalg.norm(plane[:, None] - plane, axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (label[distance.argmin(axis=1)] == label).all()


def test_tsne_of_nothing_is_an_error():
    for rows in (np.ones((50, 3)), np.random.default_rng(0).normal(size=(50, 1))):
        with pytest.raises(ValueError, match="must vary"):
            tsne(rows)
    with pytest.raises(ValueError, match="perplexity"):
        tsne(np.random.default_rng(0).normal(size=(20, 3)), perplexity=30)


def test_embeddings_of_models_beside_the_last_moisture():
    rng = np.random.default_rng(4)
    lagged = np.roll(MOISTURE, 1)[1:]
    moisture, time = MOISTURE[1:], TIME[1:]
    knows = np.column_stack([moisture, 0.1 * rng.normal(size=(N - 1, 3)) * moisture.std()])
    points, order = embeddings({"inputs": rng.normal(size=(N - 1, 4, 3)), "LSTM": knows}, moisture, time, lagged)
    assert points.groupby("model", sort=False).size().to_dict() == {"inputs": N - 1, "LSTM": N - 1}
    assert np.array_equal(points["moisture"][:N - 1], moisture) and points[["x", "y"]].notna().all(axis=None)
    order = order.set_index("model")
    assert list(order.index) == ["inputs", "LSTM", "last moisture"] and (order["n"] == N - 1).all()
    assert order.loc["inputs", "r2"] < 0.1 < 0.8 < order.loc["LSTM", "r2"]
    assert order.loc["last moisture", "r2"] == pytest.approx(orderliness(lagged[:, None], moisture, time)["r2"])
    assert order.loc["LSTM", "r2_rows"] == pytest.approx(orderliness(knows, moisture, time)["r2"])
    one = points[points["model"] == "LSTM"]
    assert order.loc["LSTM", "r2"] == orderliness(one[["x", "y"]].to_numpy(), moisture, time)["r2"]
