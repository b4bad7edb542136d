"""Who is trained on what, and whose forecast is read where, by counting and by cases worked by hand."""

import numpy as np
import pandas as pd
import pytest

from smlib.correction.folds import EMBARGO_DAYS, PROTOCOLS, Fold, Folds, deal

TWO_YEARS = np.arange("2016-01-01", "2018-01-01", dtype="M8[D]")
GROUPS = np.array([7, 7, 7, 3, 3, 5, 9])


def test_groups_are_dealt_whole_and_evenly():
    groups = np.random.default_rng(0).integers(0, 12, 60)
    folds = deal(groups, TWO_YEARS, 3)
    of = folds.of(groups)
    assert all(len(set(of[groups == g])) == 1 for g in groups)
    counts = np.bincount(of, minlength=3)
    assert counts.sum() == 60
    assert counts.max() - counts.min() <= np.bincount(groups).max()
    assert deal(groups, TWO_YEARS, 3).of_group == folds.of_group
    assert any(deal(groups, TWO_YEARS, 3, seed).of_group != folds.of_group for seed in (1, 2, 3))
    of = deal(GROUPS, TWO_YEARS, 2).of(GROUPS)  # 3 stations, 2 against them, then one to each fold
    assert sorted(np.bincount(of)) == [3, 4]
    assert of[0] != of[3]
    assert of[5] != of[6]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_groups_or_folds_are_an_error(count):
    with pytest.raises(ValueError, match=f"4 groups of stations cannot be dealt into {count} folds"):
        deal(GROUPS, TWO_YEARS, count)


@pytest.mark.parametrize(("first", "last", "labels", "counts"), [
    ("2016-01-01", "2017-12-31", ("2016", "2017"), [366, 365]),
    ("2015-09-03", "2018-02-28", ("2016", "2017"), [120 + 366, 365 + 59]),  # the short ends go with their neighbours
    ("2016-06-01", "2017-09-30", ("2016", "2017"), [214, 273]),
    ("2016-03-01", "2017-04-10", ("first half", "second half"), [203, 203])])  # one whole year only
def test_days_are_dealt_into_years(first, last, labels, counts):
    time = np.arange(first, np.datetime64(last) + 1, dtype="M8[D]")
    folds = deal(GROUPS, time, 2)
    assert folds.labels == labels
    assert np.bincount(folds.years).tolist() == counts
    assert (np.diff(folds.years) >= 0).all()


def hand():
    """Two folds of three groups, two years of 100 days."""
    return Folds({7: 0, 3: 1, 5: 0}, 2, np.repeat([0, 1], 100), ("a", "b"))


def test_members_are_one_that_sees_all_and_one_for_each_fold_and_year():
    assert hand().members == [Fold(-1, -1), Fold(0, 0), Fold(0, 1), Fold(1, 0), Fold(1, 1)]
    assert [fold.everything for fold in hand().members] == [True, False, False, False, False]
    np.testing.assert_array_equal(hand().of([5, 3, -1, 7, 8]), [0, 1, -1, 0, -1])


def test_training_leaves_out_a_fold_a_year_and_the_days_that_border_on_it():
    folds, groups = hand(), np.array([7, 3, -1, 5])
    np.testing.assert_array_equal(folds.training(Fold(-1, -1), groups).sum(1), [200, 200, 0, 200])
    first = folds.training(Fold(0, 0), groups)
    assert not first[[0, 2, 3]].any()
    np.testing.assert_array_equal(np.flatnonzero(first[1]), np.arange(100 + EMBARGO_DAYS, 200))
    second = folds.training(Fold(1, 1), groups)
    assert not second[[1, 2]].any()
    np.testing.assert_array_equal(np.flatnonzero(second[3]), np.arange(100 - EMBARGO_DAYS))
    three = Folds({7: 0, 3: 1}, 2, np.repeat([0, 1, 2], 100), ("a", "b", "c"))
    np.testing.assert_array_equal(np.flatnonzero(three.training(Fold(0, 1), np.array([3]))[0]),
                                  [*range(100 - EMBARGO_DAYS), *range(200 + EMBARGO_DAYS, 300)])


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("years", [2, 3])
def test_a_reading_has_seen_what_its_protocol_says_and_nothing_else(count, years):
    time = np.arange("2016-01-01", f"{2016 + years}-01-01", dtype="M8[D]")
    groups = np.array([7, 7, 3, 5, 9, -1])
    folds = deal(groups[:-1], time, count)
    own = folds.of(groups)
    calendar = pd.DatetimeIndex(time).year.to_numpy() - 2016
    sees_station = {"paper": True, "year": True, "station": False, "strict": False}
    sees_year = {"paper": True, "year": False, "station": True, "strict": False}
    for protocol in PROTOCOLS:
        members = folds.reading(protocol, groups)
        assert members.shape == (6, len(time))
        assert (members[-1] == -1).all()
        for cell in range(5):
            for number in np.unique(members[cell]):
                fold, days = folds.members[number], members[cell] == number
                assert (fold.stations != own[cell]) == sees_station[protocol]
                assert all((fold.year != year) == sees_year[protocol] for year in np.unique(calendar[days]))
                if protocol != "paper":
                    assert not fold.everything
                seen = folds.training(fold, groups)
                if protocol in ("year", "strict"):
                    assert not seen[:, days].any()  # nobody's moisture of these days
                if protocol in ("station", "strict"):
                    assert not seen[own == own[cell]].any()
                if protocol == "year":  # seen at the station, in other years
                    assert seen[cell].any()
    with pytest.raises(ValueError, match="no protocol 'loose'; there are paper, year, station, strict"):
        folds.reading("loose", groups)


def test_forecasts_are_put_together_by_hand():
    folds, groups = hand(), np.array([3, -1, 5])
    forecasts = np.arange(5.0)[:, None, None] + 100 * np.arange(3)[:, None] + np.zeros(200)  # member + 100 cell
    expected = {"paper": [[0, 0], [200, 200]], "strict": [[3, 4], [201, 202]], "year": [[1, 2], [203, 204]],
                "station": [[4, 3], [202, 201]]}  # cells of folds 1 and 0, in the years a and b
    for protocol, (first, last) in expected.items():
        found = folds.assemble(protocol, groups, forecasts)
        np.testing.assert_array_equal(found[0], np.repeat(first, 100), err_msg=protocol)
        np.testing.assert_array_equal(found[2], np.repeat(last, 100), err_msg=protocol)
        assert np.isnan(found[1]).all()
