"""Grids: sizes and places that are known."""

import numpy as np
import pytest

from smlib.nature.grids import ease, nearest_rows, regular


def test_the_qilian_grid_of_fan_et_al():
    grid = regular(36.0, 39.95, 93.4, 103.75, 0.05)
    assert grid.shape == (79, 207)
    assert grid.lat[0, 0] == pytest.approx(39.925) and grid.lon[0, -1] == pytest.approx(103.725)


def test_ease_grid_is_that_of_nsidc():
    """The global 36 km grid has 406 x 964 cells, first centre at 83.6320 N, 179.8133 W (Brodzik et al. 2012)."""
    grid = ease(-90, 90, -180, 180, 36)
    assert grid.shape == (406, 964)
    assert (grid.lat[0, 0], grid.lon[0, 0]) == (pytest.approx(83.6320, abs=1e-3), pytest.approx(-179.8133, abs=1e-3))
    np.testing.assert_allclose(grid.lat, -grid.lat[::-1], atol=1e-9)


def test_cells_of_a_grid_have_equal_areas_and_nest():
    coarse, fine = ease(30, 40, -110, -100, 36), ease(30, 40, -110, -100, 9)
    edges = np.sin(np.radians(fine.lat[:, 0]))
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0], rtol=2e-2)
    four = fine.lon[0][(np.abs(fine.lon[0] - coarse.lon[0, 3]) < 0.19)]
    assert len(four) == 4 and four.mean() == pytest.approx(coarse.lon[0, 3])


def test_every_second_cell_is_a_cell_of_the_whole():
    whole, some = ease(30, 40, -110, -100, 36), ease(30, 40, -110, -100, 36, every=2)
    assert set(some.lat[:, 0]) <= set(whole.lat[:, 0]) and set(some.lon[0]) <= set(whole.lon[0])
    assert len(some.lon[0]) in (len(whole.lon[0]) // 2, len(whole.lon[0]) // 2 + 1)


def test_nearest_rows_on_a_falling_axis():
    assert nearest_rows([3, 2, 1, 0], [2.2, 0.4, -5, 9]).tolist() == [1, 3, 3, 0]
