"""The field that the study forecasts: its periods, its cells, its gaps; known series, and dates worked by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from smlib.data import DataError
from smlib.nudging import prepare

# For the other tests of the study too: 6 x 7 cells of which three are outside, three years, a gap between the periods.
DATES = {"train": ("2018-07-01", "2019-12-31"), "validation": ("2020-01-01", "2020-02-20"),
         "test": ("2020-03-10", "2020-04-25")}
OUTSIDE = ((0, 0), (0, 1), (5, 6))
LOOKBACK = 3


def dataset(seed=0, first="2018-01-01", last="2020-12-31"):
    """A canonical grid: each cell a level, a seasonal cycle and AR(1) anomalies that neighbours share; (time, y, x)."""
    time = pd.date_range(first, last)
    rng = np.random.default_rng(seed)
    anomaly = gaussian_filter(rng.standard_normal((len(time), 6, 7)), (0, 1, 1))
    for day in range(1, len(time)):
        anomaly[day] += 0.9 * anomaly[day - 1]
    season = np.sin(2 * np.pi * time.day_of_year.values / 365.25)[:, None, None]
    moisture = 0.25 + 0.01 * np.arange(7) + 0.05 * season + 0.02 * anomaly / anomaly.std()
    moisture = np.clip(moisture, 0.02, 0.6).astype(np.float32)
    for cell in OUTSIDE:
        moisture[:, *cell] = np.nan
    return xr.Dataset({"soil_moisture": (("time", "y", "x"), moisture)},
                      {"time": time, "lat": ("y", 39 - 0.1 * np.arange(6)), "lon": ("x", 98 + 0.1 * np.arange(7))})


def small_field(ds=None, **changes):
    """The field of `dataset`, or of another one with its dates."""
    return prepare(dataset() if ds is None else ds, **(DATES | {"lookback": LOOKBACK} | changes))


def day_of(ds, date):
    """Index of a date."""
    return ds.indexes["time"].get_loc(date)


def blank(ds, date, cells=None):
    """`ds` without the values of a day, of all cells or of one."""
    ds = ds.copy(deep=True)
    ds["soil_moisture"].values[day_of(ds, date)][... if cells is None else cells] = np.nan
    return ds


def test_the_first_target_is_lookback_days_after_the_first_day_of_its_period():
    """As in Fan et al. (2025): 14 days from 2021-06-01, 200 days from 2021-06-15 on."""
    ds = dataset(first="2020-03-01", last="2022-01-31")
    dates = {"train": ("2020-03-01", "2021-04-15"), "validation": ("2021-04-16", "2021-05-31"),
             "test": ("2021-06-01", "2021-12-31")}
    field = prepare(ds, **dates, lookback=14)
    targets = field.time[field.targets("test")]
    assert (targets[0], targets[-1], len(targets)) == (np.datetime64("2021-06-15"), np.datetime64("2021-12-31"), 200)
    assert len(field.starts("validation")) == 46 - 14
    np.testing.assert_array_equal(field.first_window("test")[0], field.truth[field.periods["test"]][:14])


def test_cells_and_values_are_the_sources():
    ds = dataset()
    field = small_field(ds)
    assert field.valid.sum() == 42 - len(OUTSIDE) and not any(field.valid[cell] for cell in OUTSIDE)
    assert field.truth.dtype == np.float32 and field.time.dtype == "datetime64[D]"
    np.testing.assert_array_equal(field.truth, ds["soil_moisture"].values[:len(field.time)])
    np.testing.assert_array_equal(field.filled, field.truth)
    assert str(field.time[-1]) == DATES["test"][1]  # nothing behind the test is kept
    assert field.spacing_km == pytest.approx((11.12, 11.12 * np.cos(np.radians(38.75))))


def test_lazy_data_and_a_top_layer():
    ds = dataset()
    expected = small_field(ds)
    layered = xr.concat([ds["soil_moisture"], 0 * ds["soil_moisture"]], "layer").transpose("time", "layer", ...)
    for other in (ds.chunk(time=100), layered.to_dataset()):
        np.testing.assert_array_equal(small_field(other).truth, expected.truth)


def test_windows_stay_in_their_period():
    field = small_field()
    for name, days in field.periods.items():
        starts = field.starts(name)
        assert starts[0] == days.start and starts[-1] + field.lookback == days.stop - 1
        assert len(starts) == days.stop - days.start - field.lookback
    assert field.periods["validation"].stop < field.periods["test"].start  # though there are days between


def test_the_strict_scaler_and_the_climatology_know_training_days_alone():
    ds, other = dataset(), dataset()
    behind = day_of(ds, DATES["train"][1]) + 1
    other["soil_moisture"].values[behind:] = 1 - other["soil_moisture"].values[behind:]
    before = day_of(ds, DATES["train"][0])
    other["soil_moisture"].values[:before] /= 2
    one, two = small_field(ds), small_field(other)
    for name in ("train", "validation", "test"):
        assert (one.scalers[name].mean_, one.scalers[name].std_) == (two.scalers[name].mean_, two.scalers[name].std_)
    train = one.truth[one.periods["train"]][:, one.valid].astype(float)
    assert one.scalers["test"].mean_ == pytest.approx(train.mean()) and one.scalers["test"].std_ == train.std()
    np.testing.assert_array_equal(one.climatology, two.climatology)
    np.testing.assert_array_equal(one.valid, two.valid)


def test_the_papers_scalers_are_each_periods_own():
    field = small_field(protocol="paper")
    for name, days in field.periods.items():
        values = field.truth[days][:, field.valid].astype(float)
        assert field.scalers[name].mean_ == pytest.approx(values.mean()) and field.scalers[name].std_ == values.std()
        scaled = field.scaled(field.truth)[days][:, field.valid]
        assert abs(scaled.mean()) < 1e-6 and scaled.std() == pytest.approx(1)


def test_scaled_days_between_the_periods_are_missing():
    field = small_field()
    between = slice(field.periods["validation"].stop, field.periods["test"].start)
    scaled = field.scaled(field.truth)
    assert np.isnan(scaled[between]).all() and np.isfinite(scaled[field.periods["test"]][:, field.valid]).all()


def test_the_climatology_is_that_of_a_known_cycle():
    """The mean over 31 days of a sine of period 365.25 is a sine damped by sinc(31 / 365.25)."""
    ds = dataset(first="2016-01-01")
    season = np.sin(2 * np.pi * ds.indexes["time"].day_of_year.values / 365.25)
    ds["soil_moisture"].values[:] = 0.3 + 0.1 * season[:, None, None]
    for cell in OUTSIDE:
        ds["soil_moisture"].values[:, *cell] = np.nan
    field = small_field(ds, train=("2016-01-01", "2019-12-31"))
    days = field.targets("test")
    expected = 0.3 + 0.1 * np.sinc(31 / 365.25) * season[:len(field.time)][days]
    np.testing.assert_allclose(field.climatology[days][:, 3, 3], expected, atol=2e-4)
    assert np.isnan(field.climatology[:, *OUTSIDE[0]]).all()


def test_a_climatology_of_less_than_a_year_is_an_error():
    field = small_field(train=("2019-06-01", "2019-12-31"))
    with pytest.raises(DataError, match="39 cells have no climatology on some day .*, first 2020-01-15"):
        field.climatology  # noqa: B018


@pytest.mark.parametrize("date, cells, count", [("2019-02-03", None, 39), ("2020-02-03", (3, 3), 1),
                                                ("2020-04-01", None, 39)])
def test_a_missing_day_is_an_error_that_names_it(date, cells, count):
    """Whether or not the data end with the test."""
    for last in (DATES["test"][1], "2020-12-31"):
        ds = blank(dataset(last=last), date, cells)
        with pytest.raises(DataError, match=f"1 days miss values, first {date} in {count} cells.*gaps=hold"):
            small_field(ds)


def test_what_is_missing_out_of_all_periods_does_not_matter():
    ds = blank(blank(dataset(), "2018-03-01"), "2020-12-01")
    assert len(small_field(ds).time) == len(small_field().time)


def test_held_gaps_have_the_latest_value_as_input_and_are_no_target():
    ds = blank(blank(dataset(), "2019-02-03"), "2020-04-01", (3, 3))
    field, whole = small_field(ds, gaps="hold"), small_field()
    empty, hole = day_of(ds, "2019-02-03"), day_of(ds, "2020-04-01")
    np.testing.assert_array_equal(field.filled[empty], whole.truth[empty - 1])
    assert np.isnan(field.truth[empty]).all() and np.isnan(field.truth[hole, 3, 3])
    assert field.filled[hole, 3, 3] == whole.truth[hole - 1, 3, 3]
    assert field.filled[hole, 2, 2] == whole.truth[hole, 2, 2]
    np.testing.assert_array_equal(np.setdiff1d(whole.starts("train"), field.starts("train")), [empty - LOOKBACK])
    np.testing.assert_array_equal(field.starts("test"), whole.starts("test"))  # its other cells are learnt from
    np.testing.assert_array_equal(field.valid, whole.valid)


def test_filling_never_looks_ahead():
    """Whatever comes later, `filled` of a day is the same."""
    rng = np.random.default_rng(1)
    ds = dataset()
    values = ds["soil_moisture"].values
    values[rng.random(values.shape) < 0.5] = np.nan
    field = small_field(ds, gaps="hold")
    for stop in (day_of(ds, "2019-08-01"), day_of(ds, "2020-04-01")):
        later = ds.copy(deep=True)
        later["soil_moisture"].values[stop:] = 0.9
        np.testing.assert_array_equal(small_field(later, gaps="hold").filled[:stop], field.filled[:stop])
    for day in rng.choice(len(field.time), 20, replace=False):
        for y, x in np.argwhere(field.valid):
            seen = field.truth[:day + 1, y, x]
            seen = seen[np.isfinite(seen)]
            np.testing.assert_array_equal(field.filled[day, y, x], seen[-1] if len(seen) else np.nan)


def test_held_cells_that_are_hardly_ever_seen_are_outside():
    ds = dataset()
    train = slice(day_of(ds, DATES["train"][0]), day_of(ds, DATES["train"][1]) + 1)
    often, rarely = ds["soil_moisture"].values[train, 3, 3], ds["soil_moisture"].values[train, 4, 4]
    often[np.arange(len(often)) % 9 > 0] = np.nan
    rarely[np.arange(len(rarely)) % 11 > 0] = np.nan
    field = small_field(ds, gaps="hold")
    assert field.valid[3, 3] and not field.valid[4, 4] and np.isnan(field.filled[:, 4, 4]).all()


def test_a_roll_out_cannot_start_where_a_cell_was_never_seen():
    ds = dataset(first=DATES["train"][0])
    ds["soil_moisture"].values[:100, 3, 3] = np.nan
    field = small_field(ds, gaps="hold")
    assert field.starts("train")[0] == 100
    with pytest.raises(DataError, match="1 cells have no value yet when the roll-out over the train period starts"):
        field.first_window("train")
    assert np.isfinite(field.first_window("test")[0][:, field.valid]).all()


def test_a_grid_without_land_is_an_error():
    ds = dataset()
    ds["soil_moisture"].values[:] = np.nan
    for gaps in ("error", "hold"):
        with pytest.raises(DataError, match="no cell of the grid has values in the training period"):
            small_field(ds, gaps=gaps)


@pytest.mark.parametrize("changes, words", [
    ({"test": ("2020-03-10", "2021-04-25")}, "the test period, 2020-03-10 to 2021-04-25, does not lie in the data"),
    ({"train": ("2017-07-01", "2019-12-31")}, "the train period.* does not lie in the data, 2018-01-01 to 2020-12-31"),
    ({"validation": ("2020-02-20", "2020-01-01")}, "the validation period"),
    ({"validation": ("2019-12-31", "2020-02-20")}, "the validation period starts on 2019-12-31, before the one ahead"),
    ({"test": ("2020-02-01", "2020-04-25")}, "the test period starts on 2020-02-01, before the one ahead"),
    ({"test": ("2020-03-10", "2020-03-12")}, "the test period has 3 days, not more than a window's 3"),
    ({"gaps": "fill"}, "gaps must be error or hold, not 'fill'"),
    ({"protocol": "loose"}, "protocol must be strict or paper, not 'loose'")])
def test_periods_and_settings_that_cannot_be_are_errors_in_words(changes, words):
    with pytest.raises(ValueError, match=words):
        small_field(**changes)


def test_dates_that_the_axis_lacks_are_an_error():
    ds = dataset()
    with pytest.raises(DataError, match="dates missing from its axis"):
        small_field(ds.drop_sel(time="2019-05-05"))
    small_field(ds.drop_sel(time="2020-11-05"))  # behind the test


def test_a_period_without_a_target_is_an_error():
    ds = dataset()
    ds["soil_moisture"].values[day_of(ds, "2020-03-10"):] = np.nan
    with pytest.raises(DataError, match="the test period has no window of 3 days and a target"):
        small_field(ds, gaps="hold")
