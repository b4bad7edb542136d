"""Explanations of the study's models, on a store of water of which it is known what moves it."""

import numpy as np
import pandas as pd
import pytest
from test_stations import bucket

from smlib.stations import explaining, forecast_all

SETTINGS = {"rows": 6, "background": 12, "pairs": 2}


@pytest.fixture(scope="module")
def study():
    return forecast_all(bucket(noise=0.001), models=("persistence", "ridge", "RF", "FTA-LSTM", "TA-LSTM"), leads=(1,),
                        network={"epochs": 3}, keep=True, progress=False)


def test_windows_of_the_test_hold_what_was_measured(study):
    level = study.levels[0]
    windows = explaining.windows_of_test(level)
    series, k = level.series, 5
    day = int(np.flatnonzero(series.time == windows.time[k])[0])
    assert windows.y[k] == series.moisture[day]
    rows = np.column_stack([series.drivers[day - 3:day + 1], series.moisture[day - 4:day]])
    moisture = level.scaler.inverse(windows.x[k][:, -1])
    np.testing.assert_allclose(moisture, rows[:, -1])
    drivers = level.scaler.drivers_.inverse_transform(windows.x[k][:, :-1])
    np.testing.assert_allclose(drivers, rows[:, :-1], atol=1e-9)
    assert windows.time[0] >= level.periods["test"][0]


def test_the_values_of_ridge_follow_from_its_coefficients(study):
    """Linear: a variable moves a forecast by the sum over days of coefficient x (value - mean of the background)."""
    tables, exact = explaining.shapley_tables(study, 0, **SETTINGS)
    level = study.levels[0]
    x = explaining.spread(explaining.windows_of_test(level), 6).x
    away = x - explaining.spread(level.train, 12).x.mean(axis=0)
    unit = level.scaler.moisture_.data_range_[0]  # m3 m-3 a scaled unit
    value, increment = (study.fitted["ridge", target][0][0] for target in ("value", "increment"))
    coefficients = value.regressor_.coef_.reshape(x.shape[1:])
    np.testing.assert_allclose(exact["ridge"].values, unit * (coefficients * away).sum(axis=1), atol=1e-9)
    coefficients = increment.scaler_.range_ * increment.model_.regressor_.coef_.reshape(x.shape[1:])
    coefficients[-1, -1] += 1  # the last moisture, to which the change is added
    np.testing.assert_allclose(exact["ridge (increment)"].values, unit * (coefficients * away).sum(axis=1), atol=1e-9)
    assert set(tables["features"]["model"]) == {"ridge", "RF", "FTA-LSTM", "TA-LSTM"}
    assert set(tables["features"]["target"]) == {"value", "increment"}
    assert tables["features"]["gap"].max() < 1e-5
    assert set(tables["inputs"]["model"]) == {"RF", "FTA-LSTM", "TA-LSTM"} and tables["inputs"]["gap"].max() < 1e-5


def test_hidden_states_are_those_that_the_head_sees(study):
    windows, found = explaining.hidden_states(study, 0)
    assert list(found) == ["inputs", "TA-LSTM", "FTA-LSTM"] or list(found) == ["inputs", "FTA-LSTM", "TA-LSTM"]
    model = study.fitted["FTA-LSTM", "value"][0][0]
    head = model.network_.head.weight.detach().numpy()[0]
    np.testing.assert_allclose(found["FTA-LSTM"] @ head[:-1] + head[-1], model.predict(windows), atol=1e-5)


def test_attention_beside_shapley_values(study):
    shares, agreements = explaining.attention_tables(study, **SETTINGS)
    assert set(map(tuple, shares[["model", "axis"]].drop_duplicates().values)) == {
        ("FTA-LSTM", "feature"), ("FTA-LSTM", "day"), ("TA-LSTM", "day")}
    sums = shares.groupby(["model", "axis"])[["attention", "shapley"]].sum()
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    assert agreements["rho"].between(-1, 1).all() and set(agreements["model"]) == {"FTA-LSTM", "TA-LSTM"}


def test_a_study_without_networks_is_explained_as_far_as_it_goes():
    study = forecast_all(bucket(), models=("persistence", "ridge"), targets=("value",), leads=(1,), keep=True,
                         progress=False)
    tables, _ = explaining.shapley_tables(study, 0, **SETTINGS)
    assert tables["inputs"].empty and len(tables["features"])
    shares, agreements = explaining.attention_tables(study, **SETTINGS)
    assert shares.empty and agreements.empty
    assert list(explaining.hidden_states(study, 0)[1]) == ["inputs"]
    order = pd.DataFrame({"model": ["inputs", "last moisture"], "r2": [0.5, 0.9]})
    answer, text = explaining.answer(tables["features"], order, agreements)
    assert answer.startswith("**Our runs.** Past moisture makes ")
    assert answer.endswith("% (ridge) of the Shapley values.")
    assert "- ridge: " in text and "soil moisture 50%" in text
    assert "hidden" not in text + answer and "ttention" not in text + answer


def test_the_answer_on_ten_networks_drops_their_names_and_no_finding():
    names = ["CNN-with-LSTM", *"abcdefgh", "Transformer"]
    features = pd.DataFrame([{"model": name, "target": target, "feature": feature, "mean_abs": share}
                             for k, name in enumerate(names) for target in ("value", "increment")
                             for feature, share in (("soil_moisture", 5 + k), ("precipitation", 5))])
    order = pd.DataFrame({"model": ["inputs", *names, "last moisture"], "r2": [0.1, *np.linspace(-1, 0.8, 10), 0.8]})
    agreement = pd.DataFrame({"model": ["FA-LSTM", "TA-LSTM"], "axis": ["feature", "day"], "rho": [-0.6, 0.45],
                              "low": [-0.8, np.nan], "high": [-0.1, np.nan], "n": [1, 1]})
    answer, text = explaining.answer(features, order, agreement)
    assert answer == ("**Our runs.** Past moisture makes 50% to 74% of the Shapley values; 0 of 10 "
                      "networks order days better than the last moisture alone; attention follows Shapley values with "
                      "ρ −0.60 to 0.45.")
    assert "- CNN-with-LSTM (increment): soil moisture 50%, precipitation 50%" in text
    assert "over the features has a rank correlation of −0.60 [−0.80, −0.10] with Shapley values, mean over 1 site." \
        in text
    only = explaining.answer(features[features["target"] == "increment"], order.iloc[[0, -1]], agreement[:0])[0]
    assert only == "**Our runs.** No model here learns the moisture itself; what the others take is listed below."


def test_forecasts_for_other_days_cannot_be_explained():
    study = forecast_all(bucket(), models=("persistence", "ridge"), targets=("value",), leads=(3,), progress=False)
    with pytest.raises(ValueError, match="leads must hold 1"):
        explaining.windows_of_test(study.levels[0])


@pytest.mark.parametrize(("settings", "rule"), [
    ((["persistence"], 5, 5, 2), "nothing to explain"), ((["RF"], 0, 5, 2), "rows must be at least 1"),
    ((["RF"], 5, 1, 2), "background must be at least 2"), ((["RF"], 5, 5, 1), "pairs must be at least 2")])
def test_wrong_settings(settings, rule):
    with pytest.raises(ValueError, match=rule):
        explaining.check_settings(*settings)
