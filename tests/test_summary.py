"""What a page says of a dataset."""

import numpy as np
import pandas as pd
import xarray as xr

from smlib.data.schema import with_attributes
from smlib.data.summary import notes_table, sites_table, variables_table


def dataset():
    moisture = np.full((1, 2, 10), np.nan)
    moisture[0, 0, 2:9] = [0.1, 0.2, np.nan, 0.3, 0.2, 0.1, 0.3]
    ds = with_attributes(xr.Dataset(
        {"soil_moisture": (("site", "depth", "time"), moisture),
         "precipitation": (("site", "time"), np.ones((1, 10)))},
        coords={"site": ["A"], "depth": [1, 2], "time": pd.date_range("2020-01-01", periods=10),
                "lat": ("site", [50.0]), "lon": ("site", [8.0]), "depth_m": (("site", "depth"), [[0.05, np.nan]])}))
    ds["precipitation"].attrs["gap_filled"] = "A: some"
    return ds


def test_sites_table():
    row = sites_table(dataset()).iloc[0]
    assert (row["first"], row["last"], row["days"]) == ("2020-01-03", "2020-01-09", 6)


def test_variables_table_counts_gaps_and_names_what_is_lacking():
    table = variables_table(dataset())
    moisture = table[table.variable == "soil_moisture"]
    assert len(moisture) == 1, "a level without a value has no row"
    assert moisture.iloc[0][["level", "days", "missing_within"]].tolist() == [1, 6, 1]
    assert np.isclose(moisture.iloc[0]["mean"], 0.2) and moisture.iloc[0]["max"] == 0.3
    assert table.set_index("variable").loc["wind_speed", "days"] == 0


def test_notes_table_holds_what_the_readers_noted():
    assert notes_table(dataset()).values.tolist() == [["precipitation", "gap_filled", "A: some"]]
