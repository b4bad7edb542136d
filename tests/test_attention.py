"""Shares of attention and of Shapley values, and their agreement where it is known."""

import numpy as np
import pandas as pd
import pytest
import shap

from smlib.explain import agreement, attention_shares, mean_agreement, shapley_shares

NAMES = ["rain", "sun", "wind", "soil_moisture"]
DAYS = ["t-2", "t-1", "t"]


def softmax(a):
    return np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)


def shares(axis, share, items=NAMES):
    return pd.DataFrame({"axis": axis, "item": items, "share": share})


def test_attention_shares_are_means_over_samples_and_days():
    rng = np.random.default_rng(0)
    feature, time = softmax(rng.normal(size=(6, 3, 4))), softmax(rng.normal(size=(6, 3)))
    found = attention_shares({"feature": feature, "time": time}, NAMES)
    assert found["axis"].tolist() == ["feature"] * 4 + ["day"] * 3
    assert found["item"].tolist() == [*NAMES, *DAYS]
    assert found["share"][1] == pytest.approx(np.mean([feature[s, d, 1] for s in range(6) for d in range(3)]))
    assert found["share"][6] == pytest.approx(np.mean([time[s, 2] for s in range(6)]))
    assert found.groupby("axis")["share"].sum().to_numpy() == pytest.approx([1, 1])
    assert set(attention_shares({"time": time}, NAMES)["axis"]) == {"day"}


@pytest.mark.parametrize("weights, message", [
    ({}, "neither"),
    ({"feature": np.full((2, 3, 4), 0.3)}, "do not sum to 1"),
    ({"feature": np.full((2, 3, 5), 0.2)}, "do not fit 4 features"),
    ({"time": np.full((2, 3, 4), 0.25)}, "do not fit"),
])
def test_weights_that_are_none_are_errors(weights, message):
    with pytest.raises(ValueError, match=message):
        attention_shares(weights, NAMES)


def test_shapley_shares_by_feature_and_day():
    values = np.zeros((2, 3, 4))
    values[0, 2, 3], values[1, 2, 3], values[0, 0, 0], values[1, 1, 1] = 6, -2, 1, -1
    found = shapley_shares(shap.Explanation(values.reshape(2, 12)), NAMES).set_index(["axis", "item"])["share"]
    assert found["feature"].to_dict() == {"rain": 0.1, "sun": 0.1, "wind": 0, "soil_moisture": 0.8}
    assert found["day"].to_dict() == {"t-2": 0.1, "t-1": 0.1, "t": 0.8}
    groups = shapley_shares(shap.Explanation(values.sum(axis=1)), NAMES)
    assert set(groups["axis"]) == {"feature"} and groups["share"].tolist() == pytest.approx([0.1, 0.1, 0, 0.8])
    with pytest.raises(ValueError, match="all Shapley values are 0"):
        shapley_shares(shap.Explanation(np.zeros((2, 4))), NAMES)


def test_agreement_of_ranks():
    a = pd.concat([shares("feature", [0.1, 0.2, 0.3, 0.4]), shares("day", [0.2, 0.3, 0.5], DAYS)])
    b = pd.concat([shares("feature", [0.0, 0.01, 0.04, 0.95]), shares("day", [0.6, 0.3, 0.1], DAYS)])
    found = agreement(a, b.iloc[::-1]).set_index("axis")  # order of rows does not matter
    assert found["rho"].to_dict() == pytest.approx({"feature": 1, "day": -1})
    assert found["items"].to_dict() == {"feature": 4, "day": 3}
    assert found["contrast"].to_dict() == pytest.approx({"feature": 4, "day": 2.5})
    assert agreement(a, shares("feature", [0.1, 0.4, 0.2, 0.3]))["rho"].tolist() == pytest.approx([0.4])  # 1 - 6*6/60
    assert np.isnan(agreement(shares("feature", [0.25] * 4), b)["rho"][0]), "equal weights have no ranks"
    with pytest.raises(ValueError, match="no axis in common"):
        agreement(shares("day", [0.2, 0.3, 0.5], DAYS), shares("feature", [0.1, 0.2, 0.3, 0.4]))


def test_mean_agreement_draws_sites_not_levels():
    rows = [("FA-LSTM", site, "feature", rho, 1.5) for site, rho in
            [("A", 0.9), ("A", 0.7), ("A", 0.8), ("B", 0.2), ("C", -0.1), ("C", np.nan)]]
    rows += [("TA-LSTM", "A", "day", 1.0, 3.0)]
    found = mean_agreement(pd.DataFrame(rows, columns=["model", "site", "axis", "rho", "contrast"]))
    fa, ta = found.iloc[0], found.iloc[1]
    assert fa["rho"] == pytest.approx(0.3) and fa["n"] == 3 and fa["contrast"] == 1.5
    assert fa["low"] == pytest.approx(-0.1) and fa["high"] == pytest.approx(0.8), "with three sites, one thrice"
    assert ta["rho"] == 1 and ta["n"] == 1 and np.isnan(ta[["low", "high"]].astype(float)).all()


def test_attention_that_decides_agrees_with_shapley_values():
    """Inputs gated by weights of known order: the same order comes back from the exact values."""
    from smlib.explain import exact_grouped

    gate = softmax(np.array([0.0, 2.0, 1.0, 3.0]))
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(60, 3, 4)), rng.normal(size=(30, 3, 4))
    values = exact_grouped(lambda rows: np.tanh((rows * gate).sum(axis=(1, 2))), x, background, NAMES)
    weights = attention_shares({"feature": np.broadcast_to(gate, (60, 3, 4))}, NAMES)
    assert agreement(weights, shapley_shares(values, NAMES))["rho"].tolist() == pytest.approx([1.0])
