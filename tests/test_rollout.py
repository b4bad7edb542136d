"""Roll-outs against processes whose future is known in closed form."""

import numpy as np

from smlib.data.windows import LOOKBACK, Origins
from smlib.models import build
from smlib.rollout import roll_out


class Decay:
    """Forecasts a fixed share of yesterday's moisture plus this day's rain."""

    def predict(self, windows):
        return 0.9 * windows.x[:, -1, -1] + windows.x[:, -1, 0]


def origins(n=5, horizon=7, seed=0):
    rng = np.random.default_rng(seed)
    return Origins(rng.uniform(0, 1, (n, LOOKBACK - 1 + horizon, 1)), rng.uniform(0, 1, (n, LOOKBACK)),
                   np.zeros((n, 3)), np.datetime64("2020-01-01") + np.arange(n), (1, 3, 7))


def test_linear_store_with_rain():
    o = origins()
    forecast = roll_out(Decay(), o)
    rain = o.drivers[:, LOOKBACK - 1:, 0]  # of the days o + 1, o + 2, ...
    for k, lead in enumerate(o.leads):
        expected = 0.9**lead * o.moisture[:, -1] + sum(0.9 ** (lead - 1 - j) * rain[:, j] for j in range(lead))
        np.testing.assert_allclose(forecast[:, k], expected)


def test_persistence_holds_the_origin_at_every_lead():
    o = origins()
    np.testing.assert_array_equal(roll_out(build("persistence"), o), np.tile(o.moisture[:, -1:], 3))


def test_the_target_day_moves_with_the_lead():
    class Days:
        def predict(self, windows):
            return windows.time.astype("datetime64[D]").astype(float)

    o = origins()
    np.testing.assert_array_equal(roll_out(Days(), o), o.time.astype(float)[:, None] + np.array([1, 3, 7]))


def test_no_observation_after_the_origin_is_used():
    """Windows past the first step must hold the model's own forecasts as lagged moisture."""
    seen = []

    class Spy:
        def predict(self, windows):
            seen.append(windows.x[..., -1].copy())
            return np.full(len(windows), 100.0 + len(seen))

    o = origins()
    roll_out(Spy(), o)
    known = [*o.moisture.T, *(np.full(5, 101.0 + k) for k in range(7))]
    for step in range(7):
        np.testing.assert_array_equal(seen[step], np.stack(known[step:step + 4], axis=1))


def test_members_with_a_leading_axis_are_rolled_out_as_each_alone():
    class Members:
        keep = np.array([0.9, 0.5])[:, None]

        def predict(self, windows):
            return self.keep * windows.x[..., -1, -1] + windows.x[..., -1, 0]

    o = origins()
    both = roll_out(Members(), o)
    assert both.shape == (2, 5, 3)
    np.testing.assert_allclose(both[0], roll_out(Decay(), o))
    assert np.abs(both[1] - both[0]).max() > 0.1
