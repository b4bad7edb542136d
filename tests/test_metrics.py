"""Metrics against plain NumPy, known cases, and the identities that hold between them."""

import numpy as np
import pytest
import xarray as xr

from smlib.evaluate.metrics import METRICS, bias, kge, mae, pearson_r, r2, rmse, ubrmse


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    o = rng.normal(0.25, 0.05, (3, 500))
    f = 0.9 * o + 0.03 + rng.normal(0, 0.02, o.shape)
    return tuple(xr.DataArray(v, dims=("lead", "day"), coords={"lead": [1, 3, 7]}) for v in (f, o))


PLAIN = {
    "R2": lambda f, o: 1 - np.sum((f - o) ** 2, -1) / np.sum((o - o.mean(-1, keepdims=True)) ** 2, -1),
    "RMSE": lambda f, o: np.sqrt(np.mean((f - o) ** 2, -1)),
    "ubRMSE": lambda f, o: np.sqrt(np.mean((f - o - (f - o).mean(-1, keepdims=True)) ** 2, -1)),
    "MAE": lambda f, o: np.mean(np.abs(f - o), -1),
    "bias": lambda f, o: np.mean(f - o, -1),
    "r": lambda f, o: np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(f, o, strict=True)]),
    "KGE": lambda f, o: 1 - np.sqrt((PLAIN["r"](f, o) - 1) ** 2 + (f.std(-1) / o.std(-1) - 1) ** 2
                                    + (f.mean(-1) / o.mean(-1) - 1) ** 2),
}


@pytest.mark.parametrize("name", METRICS)
def test_against_plain_numpy(name, pair):
    f, o = pair
    got = METRICS[name](f, o, "day")
    assert got.dims == ("lead",)
    np.testing.assert_allclose(got, PLAIN[name](f.values, o.values), rtol=1e-10)


def test_a_case_worked_by_hand():
    """Forecasts 2, 2, 5 of 1, 2, 3: errors 1, 0, 2; mean of squares 5/3; variance of the observed 2/3."""
    f, o = (xr.DataArray(v, dims="day") for v in ([2.0, 2.0, 5.0], [1.0, 2.0, 3.0]))
    assert float(bias(f, o, "day")) == pytest.approx(1)
    assert float(mae(f, o, "day")) == pytest.approx(1)
    assert float(rmse(f, o, "day")) == pytest.approx(np.sqrt(5 / 3))
    assert float(ubrmse(f, o, "day")) == pytest.approx(np.sqrt(2 / 3))
    assert float(r2(f, o, "day")) == pytest.approx(1 - 5 / 2)
    assert float(pearson_r(f, o, "day")) == pytest.approx(np.sqrt(3) / 2)


def test_known_limits(pair):
    f, o = pair
    for name, best in (("R2", 1), ("RMSE", 0), ("ubRMSE", 0), ("MAE", 0), ("bias", 0), ("r", 1), ("KGE", 1)):
        np.testing.assert_allclose(METRICS[name](o, o, "day"), best, atol=1e-12)
    np.testing.assert_allclose(bias(o + 0.1, o, "day"), 0.1)
    np.testing.assert_allclose(ubrmse(o + 0.1, o, "day"), 0, atol=1e-12)
    np.testing.assert_allclose(r2(o * 0 + o.mean("day"), o, "day"), 0, atol=1e-12)
    # The mean of the observed doubled: r = 1, alpha = 2, beta = 2.
    np.testing.assert_allclose(kge(2 * o, o, "day"), 1 - np.sqrt(2))


def test_identity_of_the_errors(pair):
    f, o = pair
    np.testing.assert_allclose(rmse(f, o, "day") ** 2, ubrmse(f, o, "day") ** 2 + bias(f, o, "day") ** 2)
    np.testing.assert_allclose(r2(f, o, "day"), 1 - rmse(f, o, "day") ** 2 / o.var("day"))


def test_noise_of_known_r():
    """A signal of variance 1 with noise of variance 1/r^2 - 1 correlates with the signal by r."""
    rng = np.random.default_rng(1)
    o = xr.DataArray(rng.normal(size=200_000), dims="day")
    f = o + rng.normal(size=o.size) * np.sqrt(1 / 0.6**2 - 1)
    assert float(pearson_r(f, o, "day")) == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("name", METRICS)
def test_missing_is_an_error_unless_told(name, pair):
    f, o = pair
    holed = f.copy()
    holed[:, 10] = np.nan
    with pytest.raises(ValueError, match="3 of 1500 pairs miss a value"):
        METRICS[name](holed, o, "day")
    keep = np.arange(500) != 10
    np.testing.assert_allclose(METRICS[name](holed, o, "day", missing="drop"),
                               METRICS[name](f[:, keep], o[:, keep], "day"), rtol=1e-12)
    with pytest.raises(ValueError, match="'raise' or 'drop'"):
        METRICS[name](f, o, "day", missing="ignore")


def test_two_dims_pool(pair):
    f, o = pair
    pooled = rmse(f, o, ["lead", "day"])
    assert pooled.dims == ()
    assert float(pooled) == pytest.approx(np.sqrt(np.mean((f.values - o.values) ** 2)))
