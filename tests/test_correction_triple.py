"""Triple collocation: known error variances and scales, the library's figures, coverage, and errors that are shared."""

import numpy as np
import pytest
from pytesmo.metrics import tcol_metrics
from scipy.signal import lfilter

from smlib.correction.triple import anomalies, collocate, true_error
from smlib.data.schema import DataError

ERROR = (0.03, 0.02, 0.04)  # m3 m-3, in own units
SCALE = (1.5, 1.0, 0.6)


def memory(rng, shape, keep=0.9):
    """AR(1) series along the last axis, of variance 1 but for the first days."""
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.normal(size=shape))


def triplet(cells=20, days=800, seed=0, scale=SCALE, share=0.0, spread=0.0):
    """Three data sets of a truth of standard deviation 0.05; the first two share a part of their errors."""
    rng = np.random.default_rng(seed)
    truth = 0.25 + 0.05 * memory(rng, (cells, days))
    errors = [sd * rng.normal(size=(cells, days)) for sd in ERROR]
    common = rng.normal(size=(cells, days))
    for k in (0, 1):
        errors[k] = np.sqrt(1 - share) * errors[k] + np.sqrt(share) * ERROR[k] * common
    stretch = [b * np.exp(spread * rng.normal(size=(cells, 1))) for b in scale]
    return truth, [0.1 * k + b * truth + e for k, (b, e) in enumerate(zip(stretch, errors, strict=True))]


def values(table, metric):
    return table[table["metric"] == metric]["value"].values


def test_known_errors_whatever_the_scales():
    truth, data = triplet(days=3000)
    table = collocate(*data, reference=1)
    sd = truth.std()  # of the truth in the units of the second data set, whose scale is 1
    np.testing.assert_allclose(values(table, "error_std"), np.divide(ERROR, SCALE), rtol=0.05)
    np.testing.assert_allclose(values(table, "snr_db"), 20 * np.log10(np.multiply(SCALE, sd) / ERROR), atol=0.5)
    np.testing.assert_allclose(values(table, "r_truth"), (1 + (np.array(ERROR) / SCALE / sd) ** 2) ** -0.5, atol=0.01)
    own = [values(collocate(*data, reference=k, draws=5), "error_std")[k] for k in range(3)]
    np.testing.assert_allclose(own, ERROR, rtol=0.05, err_msg="in its own units where it is the reference")


def test_one_cell_equals_the_library():
    _, data = triplet(cells=1)
    for reference in range(3):
        table = collocate(*data, reference=reference, draws=5)
        snr, error, _ = tcol_metrics(*(one[0] for one in data), ref_ind=reference)
        np.testing.assert_allclose(values(table, "snr_db"), snr)
        np.testing.assert_allclose(values(table, "error_std"), error * np.sqrt(799 / 800))  # np.cov divides by n - 1


def test_the_median_is_over_cells_and_gaps_are_left_out():
    _, data = triplet(cells=5)
    rng = np.random.default_rng(1)
    data = [np.where(rng.random(one.shape) < 0.3, np.nan, one) for one in data]
    alone = []
    for cell in range(5):
        both = np.isfinite([one[cell] for one in data]).all(0)
        alone.append(tcol_metrics(*(one[cell, both] for one in data))[0])
    np.testing.assert_allclose(values(collocate(*data, draws=5), "snr_db"), np.median(alone, axis=0))
    data[0][0, 100:] = np.nan  # fewer than 100 days in common
    table = collocate(*data, draws=5)
    np.testing.assert_allclose(values(table, "snr_db"), np.median(alone[1:], axis=0))
    assert (table["n"] == 4).all()


def test_scales_that_differ_between_cells_are_not_taken_for_error():
    truth, data = triplet(cells=40, spread=0.3, days=2000)
    np.testing.assert_allclose(values(collocate(*data, draws=5), "r_truth"),
                               values(true_error(*data, truth, draws=5), "r_truth"), atol=0.02)
    pooled = [one.reshape(1, -1) - one.mean() for one in data]
    assert values(collocate(*pooled, draws=5), "r_truth")[1] < values(collocate(*data, draws=5), "r_truth")[1] - 0.05


def test_the_true_error_is_what_was_put_in():
    truth, data = triplet(days=3000)
    table = true_error(*data, truth, names=("ASCAT", "in situ", "model"), reference=1)
    np.testing.assert_allclose(values(table, "error_std"), np.divide(ERROR, SCALE), rtol=0.02)
    assert list(table["data"].unique()) == ["ASCAT", "in situ", "model"]
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()


def test_both_leave_out_a_cell_without_a_common_signal():
    truth, (x, y, z) = triplet(cells=4)
    x[0] *= -1
    told, true = collocate(x, y, z, draws=5), true_error(x, y, z, truth, draws=5)
    assert (told["n"] == 3).all() and (true["n"] == 3).all()
    np.testing.assert_allclose(true["value"], true_error(x[1:], y[1:], z[1:], truth[1:], draws=5)["value"])


def test_damping_a_product_does_not_lower_its_error():
    _, (x, y, z) = triplet()
    damped = 0.25 + 0.3 * (x - 0.25)
    before, after = (collocate(one, y, z, reference=1, draws=5) for one in (x, damped))
    np.testing.assert_allclose(after["value"], before["value"])


def test_shared_errors_flatter_the_two_that_share_them():
    """With b = 1 and covariance c of the first two errors: e_x^2 - c, e_y^2 - c, and s - s^2 / (s + c) + e_z^2."""
    truth, data = triplet(cells=60, days=3000, scale=(1, 1, 1), share=0.6)
    c, s = 0.6 * ERROR[0] * ERROR[1], truth.var(axis=1).mean()
    told = values(collocate(*data, reference=1, draws=5), "snr_db")
    signal = np.array([s + c, s + c, s**2 / (s + c)])
    total = s + np.square(ERROR)
    np.testing.assert_allclose(told, 10 * np.log10(signal / (total - signal)), atol=0.3)
    true = values(true_error(*data, truth, draws=5), "snr_db")
    assert told[0] > true[0] + 1 and told[1] > true[1] + 1 and told[2] < true[2] - 0.2


def test_intervals_cover():
    """Cells of one scale, errors without memory: the true error standard deviation lies in most intervals."""
    hits = np.zeros(3)
    for seed in range(60):
        _, data = triplet(cells=12, days=400, seed=seed)
        found = collocate(*data, reference=1, draws=150, seed=seed).query("metric == 'error_std'")
        hits += (found["low"].values <= np.divide(ERROR, SCALE)) & (np.divide(ERROR, SCALE) <= found["high"].values)
    assert (hits / 60 >= 0.85).all(), hits


def test_an_interval_knows_how_cells_differ():
    rng = np.random.default_rng(6)
    truth = 0.25 + 0.05 * rng.normal(size=(15, 3000))
    y, z = (truth + 0.02 * rng.normal(size=truth.shape) for _ in range(2))
    width = []
    for spread in (0.0, 0.03):  # of the error's standard deviation over cells
        x = truth + (0.04 + spread * np.linspace(-1, 1, 15)[:, None]) * rng.normal(size=truth.shape)
        row = collocate(x, y, z).iloc[0]
        assert row["low"] < 0.04 < row["high"]
        width.append(row["high"] - row["low"])
    assert width[1] > 5 * width[0]


def test_an_error_too_small_to_be_seen_counts_as_none_and_no_signal_is_an_error():
    truth, (x, y, z) = triplet(cells=1)
    table = collocate(truth, y, z)
    first = table[table["data"] == "x"].set_index("metric")
    assert first["low"]["error_std"] == 0 and first["high"]["snr_db"] == np.inf and first["high"]["r_truth"] == 1
    with pytest.raises(DataError, match="signal in common"):
        collocate(-x, y, z)
    with pytest.raises(DataError, match="no cell has 100 days"):
        collocate(x[:, :99], y[:, :99], z[:, :99])
    with pytest.raises(DataError, match="not all the same"):
        collocate(x, y, z[:, 1:])


def test_anomalies_keep_days_and_lose_seasons():
    day = np.arange(730)
    slow, fast = np.sin(2 * np.pi * day / 365), np.sin(2 * np.pi * day / 7)
    left = anomalies((slow + fast)[None])[0]
    assert np.abs(left - fast)[20:-20].max() < 0.05
    values = np.array([[0.1, np.nan, 0.4, 0.2]])
    np.testing.assert_allclose(anomalies(values, 3), [[0.0, np.nan, 0.1, -0.1]])
