"""Pooled scores by hand."""

import numpy as np
import pytest

from smlib.assimilate.observations import Observations, random
from smlib.assimilate.scores import scores


def test_all_and_unobserved_by_hand():
    """Two days of two cells; the last is not valid in the third column; errors 0, 0.1 and 0, 0.3; one unseen a day."""
    valid = np.array([[True, True, False]])
    truth = np.array([[[0.1, 0.2, 9]], [[0.3, 0.4, 9]]])
    analysis = (truth + [[[0, 0.1, 5]], [[0, 0.3, 5]]])[:, None].repeat(2, axis=1)
    analysis[:, 1] = np.where(valid, truth, np.nan)
    table = scores(analysis, truth, valid, lambda day: (truth[day], np.array([[True, False, False]])))
    found = table.set_index(["member", "cells", "metric"])
    assert found.value[0, "all", "MAE"] == pytest.approx(0.1)
    assert found.value[0, "all", "bias"] == pytest.approx(0.1)
    assert found.value[0, "all", "RMSE"] == pytest.approx(np.sqrt(0.1 / 4))
    assert found.value[0, "all", "R2"] == pytest.approx(1 - 0.1 / 0.05)
    assert found.value[0, "unobserved", "RMSE"] == pytest.approx(np.sqrt(0.1 / 2))
    assert found.value[1, "all", "RMSE"] == 0 and found.value[1, "all", "R2"] == 1
    assert set(found.n.xs("all", level="cells")) == {4} and set(found.n.xs("unobserved", level="cells")) == {2}


def test_missing_truth_is_not_scored_and_no_cell_gives_no_score():
    valid = np.ones((2, 2), bool)
    truth = np.full((3, 2, 2), 0.2)
    truth[1] = np.nan
    truth[0, 0, 0] = 0.3
    table = scores(truth[:, None], truth, valid, Observations(truth, random(valid, 1)))
    table = table.set_index(["cells", "metric"])
    assert table.n["all", "RMSE"] == 8 and table.value["all", "RMSE"] == 0
    # On the missing day nothing was observed, but there is no truth to score against either.
    assert table.n["unobserved", "RMSE"] == 0 and np.isnan(table.value["unobserved", "RMSE"])
    assert set(scores(truth[:, None], truth, valid).cells) == {"all"}
    with pytest.raises(ValueError, match="do not fit together"):
        scores(truth[:, None], truth[:2], valid)
