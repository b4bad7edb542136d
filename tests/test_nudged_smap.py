"""The study on measured maps with most values missing, from the file to the table of methods."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_nudging_training import TINY

from smlib import nudging, paths
from smlib.data import DataError, open_grid
from smlib.evaluate.field_scores import field_metrics
from smlib.nudging.forecasts import sums_of

pytestmark = pytest.mark.skipif("SMLIB_TEST_DATA" not in os.environ,
                                reason="SMLIB_TEST_DATA does not name a folder of measured data")

FILE = "smap_nldas_conus_2015-2018.nc"
# No map has a value after 2017-03-31, and in winter many cells have none for weeks: they are frozen.
PERIODS = {"train": ("2015-04-01", "2016-05-31"), "validation": ("2016-06-01", "2016-07-31"),
           "test": ("2016-08-01", "2016-10-31")}
FAST = {"epochs": 1, "batch": 64, "device": "cpu"} | TINY


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """The eastern half; without the two rows in the south, where a cell has no value in 31 summer days in a row."""
    folder = tmp_path_factory.mktemp("smap")
    (folder / FILE).symlink_to(Path(os.environ["SMLIB_TEST_DATA"]).resolve() / "smap_conus" / FILE)
    content = {"grid": {}, "variables": {"soil_moisture": {"column": "smap_sm", "units": "m3 m-3"}}}
    (folder / "columns.yml").write_text(yaml.safe_dump(content))
    return open_grid(folder).isel(y=slice(0, 16), x=slice(18, 38))


@pytest.fixture(scope="module")
def field(grid):
    return nudging.prepare(grid, **PERIODS, lookback=7, gaps="hold")


@pytest.fixture(scope="module")
def trained(field, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "LOCAL", tmp_path_factory.mktemp("local"))
        return nudging.train_all(field, ["CNN", "ConvLSTM"], **FAST)


@pytest.fixture(scope="module")
def study(field, trained):
    return nudging.Study(field, trained, "smap", "measured", "cpu")


def test_gaps_are_an_error_unless_they_are_held(grid):
    with pytest.raises(DataError, match="426 days miss values, first 2015-04-01 .*gaps=hold"):
        nudging.prepare(grid.sel(time=slice(PERIODS["train"][0], "2016-05-30")), lookback=7,
                        train=("2015-04-01", "2016-03-31"), validation=("2016-04-01", "2016-04-30"),
                        test=("2016-05-01", "2016-05-30"))


def test_what_is_held_and_what_is_scored(grid, field):
    raw = grid["soil_moisture"].values[:len(field.time)]
    seen = np.isfinite(raw[:, field.valid])
    assert 0.3 < seen.mean() < 0.5 and field.valid.sum() == np.isfinite(raw).any(0).sum()
    np.testing.assert_array_equal(field.truth, raw)
    assert not seen.any(1).all()  # whole days are missing, too
    days = field.targets("test")
    last = field.filled[days][:, field.valid]
    assert np.isfinite(last).all() and np.array_equal(last[seen[days]], field.truth[days][:, field.valid][seen[days]])
    sums = sums_of(field, field.filled[days])
    np.testing.assert_array_equal(sums[:, 0], seen[days].sum(1))
    assert field_metrics(sums.sum(0))["RMSE"] == 0


def test_nothing_behind_the_training_days_is_in_weights_climatology_or_scalers(grid, field, trained, tmp_path,
                                                                             monkeypatch):
    behind = field.periods["train"].stop
    later = grid["soil_moisture"].where(grid["time"] < field.time[behind], 0.9 - grid["soil_moisture"])
    other = nudging.prepare(later.to_dataset(name="soil_moisture"), **PERIODS, lookback=7, gaps="hold")
    assert not np.array_equal(other.truth[behind:], field.truth[behind:], equal_nan=True)
    np.testing.assert_array_equal(other.climatology, field.climatology)
    np.testing.assert_array_equal(other.valid, field.valid)
    assert vars(other.scalers["test"]) == vars(field.scalers["test"])
    monkeypatch.setattr(paths, "LOCAL", tmp_path)
    for name, one in nudging.train_all(other, list(trained), **FAST).items():
        for key, value in one.network.state_dict().items():
            np.testing.assert_array_equal(value, trained[name].network.state_dict()[key])


def test_forecasts_of_measured_maps(study):
    for how in ("one day", "free run"):
        sums = study.sums(study.forecasts(how))
        pairs = np.stack([one[:, 0] for one in sums.values()])
        assert (pairs == pairs[0]).all() and 0 < pairs[0].sum() < pairs.shape[1] * study.field.valid.sum()
        scores = nudging.skill_table(sums, source="smap", protocol="strict", draws=100,
                                     references=("persistence", "climatology")).set_index(["model", "metric"])["value"]
        assert np.isfinite(scores.drop("skill_persistence", level="metric")).all()
        assert scores["persistence", "RMSE"] < 0.15


def test_nudging_of_measured_maps(study):
    stretches = {"test": nudging.stretch(study.field, "test", 30),
                 "validation": nudging.stretch(study.field, "validation", 20)}
    settings = nudging.grid([0.5, 1.0], [0.1, 0.5], [0.0])
    tables, chosen, kept, _ = nudging.nudge_study(study, stretches, settings, draws=50)
    assert np.isfinite(tables["test"]["value"]).all() and len(chosen) == 2 * 2 * 3
    assert all(np.isfinite(maps[..., study.field.valid]).all() for maps in kept.values())
    rmse = tables["test"].query("metric == 'RMSE' and cells == 'all' and feedback").groupby(["model", "fraction"])
    best = rmse["value"].min().unstack()
    assert (best[0.5] < best[0.1]).all() and (best[0.1] < best[0.0]).all()


def test_the_comparison_of_methods_on_measured_maps(study):
    field = study.field
    stretches = {"test": nudging.stretch(field, "test", 14), "validation": nudging.stretch(field, "validation", 14)}
    passes = np.isfinite(field.truth)  # where SMAP passed, and nothing was frozen or too densely grown
    named = {period: nudging.observation_patterns(one, (0.5,), passes[field.targets(period)][:14])
             for period, one in stretches.items()}
    shared = nudging.ground(field, stretches["validation"], stretches["test"], named, 0.01, 5)
    compared, left_out = nudging.compare_all(field, nudging.entrants(field, study.forecasters()), shared,
                                             ["damped anomaly"], "cpu")
    # Every day misses a cell somewhere, and an ensemble is drawn from whole days.
    assert [name for name, _ in left_out] == ["damped anomaly + ensemble Kalman filter"]
    table = nudging.methods_table(compared, draws=50)
    assert set(table["pattern"]) == {"random 50 %", "swaths", "stations 1 %", "gaps"}
    missing = table[~np.isfinite(table["value"])]
    assert set(missing["pattern"]) <= {"swaths"} and set(missing["cells"]) <= {"unobserved"}  # all that is known passed
    rmse = table.query("metric == 'RMSE' and cells == 'unobserved' and pattern == 'random 50 %'").set_index("method")
    assert (rmse["value"] < 0.2).all() and rmse.loc["kriging", "value"] < 0.12
    assert not nudging.verdicts(compared, draws=50).empty
