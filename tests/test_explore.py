"""Correlation and autocorrelation against processes of known memory."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_bootstrap import ar1

from smlib.data.schema import with_attributes
from smlib.evaluate.explore import autocorrelation, correlation, days_to_forget, memory_answer


def moisture(n=20_000):
    rng = np.random.default_rng(0)
    values = np.stack([[ar1(n, 0.8, rng), ar1(n, 0.95, rng)]])
    return xr.DataArray(values, dims=("site", "depth", "time"), name="soil_moisture",
                        coords={"site": ["A"], "depth": [1, 2], "time": pd.date_range("1950-01-01", periods=n)})


def test_autocorrelation_of_a_known_process():
    acf = autocorrelation(moisture(), max_lag=5).isel(site=0)
    assert acf.dims == ("depth", "lag")
    np.testing.assert_allclose(acf.sel(depth=1), 0.8 ** np.arange(6), atol=0.03)
    np.testing.assert_allclose(acf.sel(depth=2), 0.95 ** np.arange(6), atol=0.03)


def test_gaps_are_left_out_not_bridged():
    m = moisture()
    holed = m.where(np.random.default_rng(1).uniform(size=m.sizes["time"]) > 0.3)
    np.testing.assert_allclose(autocorrelation(holed, 3), autocorrelation(m, 3), atol=0.03)
    with pytest.raises(ValueError, match="without skipped days"):
        autocorrelation(m.isel(time=np.r_[0:100, 110:300]), 3)


def test_correlation_recovers_a_mixture():
    m = moisture()
    rain = 0.6 * m.isel(depth=0, drop=True) + 0.8 * np.random.default_rng(2).normal(size=m.sizes["time"])
    ds = with_attributes(xr.Dataset({"soil_moisture": m, "precipitation": rain.transpose("site", "time")}))
    corr = correlation(ds, "A")
    assert list(corr) == ["SM 1", "SM 2", "P"]
    assert corr.loc["SM 1", "P"] == pytest.approx(0.6, abs=0.03)
    assert abs(corr.loc["SM 2", "P"]) < 0.1


def test_days_to_forget_a_process_of_known_memory():
    """0.8 ** k is below 1/e from k = 5 on (4.48), 0.95 ** k from 20 on (19.5)."""
    acf = autocorrelation(moisture().assign_coords(depth_m=(("site", "depth"), [[0.05, np.nan]])), 40)
    table = days_to_forget(acf)
    assert table["level"].tolist() == [1, 2] and table["days"][0] == 5 and abs(table["days"][1] - 20) <= 2
    assert table["r_1_day"].to_numpy() == pytest.approx([0.8, 0.95], abs=0.02)
    assert np.isnan(days_to_forget(acf.sel(lag=slice(0, 10)))["days"][1]), "not within the lags that were looked at"


@pytest.mark.parametrize("lag", [0, -1, 20_000])
def test_a_lag_that_cannot_be_is_an_error(lag):
    with pytest.raises(ValueError, match="max_lag must be 1 to 19999"):
        autocorrelation(moisture(), lag)


def test_the_answer_on_memory_by_hand():
    memory = pd.DataFrame({"site": ["A", "A", "B"], "level": [1, 2, 1], "depth_m": [0.05, np.nan, 0.1],
                           "r_1_day": [0.9, 0.98, 0.95], "days": [5.0, np.nan, 20.0]})
    rows = pd.DataFrame([[1, -0.7, 0.2]], index=["SM 1"], columns=["SM 1", "TS 3", "P"])
    answer, detail = memory_answer({"A": rows, "B": rows}, memory, 60)
    assert answer == ("**Our runs.** Correlation of moisture with its day before: 0.950 (0.900 to 0.980); below 1/e "
                      "after 5 to 20 days, at 1 of 3 levels not within 60. It goes most with soil temperature at 2 of "
                      "2 sites.")
    assert "- A, level 1 (0.05 m): below 1/e after 5 days." in detail and "- A, level 2: not below" in detail
    assert "- B: of the other variables the uppermost level goes most with TS 3 (r = −0.70)." in detail
    drivers = ("TA", "TS 1", "SW", "LW", "RH", "WS", "P")
    ties = {f"a site with a long name, {name}": rows.set_axis(["SM 1", name, "x"], axis=1)[["SM 1", name]]
            for name in drivers}
    assert len(memory_answer(ties, memory, 3000)[0]) <= 204
    none = memory_answer({"A": rows[["SM 1"]]}, memory[1:2], 1)[0]
    assert none == ("**Our runs.** Correlation of moisture with its day before: 0.980 (0.980 to 0.980); not below 1/e "
                    "within 1 day.")
