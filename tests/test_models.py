"""Each model on data whose answer is known."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from smlib.data.windows import Windows
from smlib.models import MODELS, NETWORKS, build, is_random


def linear_windows(n=400, seed=0, start="2018-01-01"):
    """Scaled windows whose target is 0.8 of yesterday's moisture plus 0.2 of today's first driver."""
    x = np.random.default_rng(seed).uniform(0, 1, (n, 4, 3))
    return Windows(x, 0.8 * x[:, -1, -1] + 0.2 * x[:, -1, 0], np.datetime64(start) + np.arange(n))


def test_ridge_recovers_the_coefficients():
    model = build("ridge").fit(linear_windows(), linear_windows(100, 1))
    coefficients = model.regressor_.coef_.reshape(4, 3)
    expected = np.zeros((4, 3))
    expected[-1] = [0.2, 0, 0.8]
    np.testing.assert_allclose(coefficients, expected, atol=1e-4)
    assert model.alpha_ == 1e-4, "without noise, the least penalty is best on validation"


def test_ridge_picks_its_penalty_on_validation():
    """Five noisy samples of twelve inputs: the least penalty fits them best and forecasts worst."""
    train = linear_windows(12)
    noisy = Windows(train.x, train.y + np.random.default_rng(2).normal(0, 0.3, 12), train.time)
    assert build("ridge").fit(noisy, linear_windows(200, 1)).alpha_ > 1e-4


@pytest.mark.parametrize(("name", "largest"), [("RF", 0.09), ("HistGB", 0.09), ("ELM", 0.06), ("SVR", 0.1),
                                               ("1D-CNN", 0.05), ("LSTM", 0.05)])
def test_a_linear_target_is_learnt(name, largest):
    """RMSE on new windows, of a target whose standard deviation is 0.24 (SVR: within its epsilon)."""
    settings = {"epochs": 60} if name in NETWORKS else {}
    model = build(name, seed=1, **settings).fit(linear_windows(), linear_windows(100, 1))
    test = linear_windows(200, 2)
    assert np.sqrt(np.mean((model.predict(test) - test.y) ** 2)) < largest


@pytest.mark.parametrize("name", MODELS)
def test_is_a_scikit_learn_estimator(name):
    model = build(name, seed=3, **({"epochs": 1} if name in NETWORKS else {}))
    twin = clone(model)
    assert twin.get_params().keys() == model.get_params().keys()
    assert model.fit(linear_windows(), linear_windows(60, 1)) is model
    assert [a for a in vars(model) if a.endswith("_") and not a.startswith("_")], "fitted attributes end in _"
    before = linear_windows(50, 4)
    x = before.x.copy()
    assert model.predict(before).shape == (50,)
    np.testing.assert_array_equal(before.x, x, err_msg="predict must not write into its windows")


@pytest.mark.parametrize("name", [n for n in MODELS if is_random(n)])
def test_same_seed_same_bits_other_seed_other_model(name):
    settings = {"epochs": 2} if name in NETWORKS else {}

    def forecast(seed):
        torch.rand(int(seed) + 1)  # the state of the global generator must not matter
        return build(name, seed=seed, **settings).fit(linear_windows(), linear_windows(60, 1)).predict(
            linear_windows(20, 5))

    np.testing.assert_array_equal(forecast(1), forecast(1))
    assert (forecast(1) != forecast(2)).any()


def test_climatology_is_the_mean_of_its_season_across_new_year():
    """Two whole years of a wave: the window of 31 days around 1 January takes days from both ends of the year."""
    time = np.arange("2018-01-01", "2020-01-01", dtype="datetime64[D]")
    y = np.cos(2 * np.pi * (time - time[0]).astype(int) / 365)
    w = Windows(np.zeros((len(y), 4, 1)), y, time)
    model = build("climatology").fit(w)
    mean = model.predict(Windows(w.x[:1], y[:1], np.array(["2021-01-01"], dtype="datetime64[D]")))[0]
    near = [np.cos(2 * np.pi * d / 365) for d in range(-15, 16)]
    assert mean == pytest.approx(np.mean(near), abs=0.002)


def test_climatology_of_an_unseen_season_is_missing():
    time = np.arange("2018-01-01", "2018-07-01", dtype="datetime64[D]")
    w = Windows(np.zeros((len(time), 4, 1)), np.ones(len(time)), time)
    model = build("climatology").fit(w)
    days = np.array(["2019-03-01", "2019-07-16", "2019-07-17", "2019-10-01", "2019-12-20"], dtype="datetime64[D]")
    got = model.predict(Windows(np.zeros((5, 4, 1)), np.zeros(5), days))
    np.testing.assert_array_equal(np.isnan(got), [False, True, True, True, False])


def test_unknown_names_and_settings_are_errors():
    with pytest.raises(ValueError, match="unknown model 'LTSM'.*persistence"):
        build("LTSM")
    with pytest.raises(TypeError, match="trees"):
        build("RF", seed=0, trees=3)
