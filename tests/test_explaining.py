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
    text = explaining.answer(tables["features"], order, agreements)
    assert "(ridge) to" in text and "hidden" not in text and "attention" not in text


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
