"""The day's change as target."""

import numpy as np
import pytest

from smlib.data.windows import Windows
from smlib.models import MODELS, build
from smlib.models.increment import IncrementScaler


def windows(n=300, seed=0, drift=0.0):
    """The change is a tenth of the last driver, whatever the level of the moisture."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (n, 4, 2))
    x[..., -1] += drift
    return Windows(x, x[:, -1, -1] + 0.1 * x[:, -1, 0], np.arange(n).astype("datetime64[D]"))


def test_scaling_by_hand_and_back():
    w = windows(3)
    w.x[:, -1, -1], w.y[:] = [0.2, 0.5, 0.9], [0.1, 0.8, 0.9]  # changes of -0.1, 0.3, 0
    scaler = IncrementScaler().fit(w)
    np.testing.assert_allclose(scaler.transform(w).y, [0, 1, 0.25])
    np.testing.assert_allclose(scaler.inverse(scaler.transform(w).y, w.x[:, -1, -1]), w.y)


def test_a_change_that_is_always_the_same_is_no_division_by_zero():
    w = windows()
    w.y[:] = w.x[:, -1, -1] - 0.01
    model = build("RF", 0, "increment").fit(w, w)
    np.testing.assert_allclose(model.predict(w), w.y)


@pytest.mark.parametrize("name", ["ridge", "RF", "HistGB", "SVR", "ELM", "1D-CNN"])
def test_a_change_is_learnt_at_a_level_never_seen(name):
    """Trained on moisture of 0 to 1, asked at 3 to 4: only the target's level differs, and a model of it fails."""
    settings = {"epochs": 60, "patience": 60} if name == "1D-CNN" else {}
    model = build(name, 1, "increment", **settings).fit(windows(), windows(100, 1))
    plain = build(name, 1, **settings).fit(windows(), windows(100, 1))
    near, far = windows(200, 2), windows(200, 3, drift=3.0)
    assert np.sqrt(np.mean((model.predict(near) - near.y) ** 2)) < 0.02
    if name in ("RF", "HistGB"):  # trees repeat what they have seen
        assert np.sqrt(np.mean((model.predict(far) - far.y) ** 2)) < 0.03
        assert np.sqrt(np.mean((plain.predict(far) - far.y) ** 2)) > 2


def test_every_model_that_is_no_baseline_has_an_increment():
    for name in MODELS:
        assert build(name, 0, "increment").model.get_params().keys() == build(name, 0).get_params().keys()
