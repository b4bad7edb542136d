"""Figures of gap filling show the numbers they are given."""

import warnings

import numpy as np
import pandas as pd
import pytest

from smlib.plots import gapfill as plots

pytestmark = pytest.mark.filterwarnings("error")
DAYS = pd.date_range("2020-06-01", periods=30)


def scores():
    coverage = ((1, 0.4, 100), (20, 0.6, 300))
    rows = [{"set": s, "model": m, "block_d": b, "RMSE": 0.03 + 0.001 * b, "low": 0.02, "high": 0.06, "n": n,
             "cover_50": c, "cover_95": 0.9}
            for s in ("measured", "simulated") for m in ("linear", "CRU") for b, c, n in coverage]
    return pd.DataFrame(rows)


def test_reliability_averages_by_the_number_of_values():
    fig = plots.reliability(scores())
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["measured", "simulated"]
    line = [line for line in fig.axes[0].lines if line.get_label() == "CRU"][0]
    np.testing.assert_allclose(np.transpose(line.get_data()), [[50, 55], [95, 90]])
    assert fig._repr_mimebundle_()[0]["image/png"]


def test_error_by_gap_shows_every_interval_on_one_axis():
    fig = plots.error_by_gap(scores())
    assert fig.axes[0].get_ylim() == fig.axes[1].get_ylim()
    first, second = (np.asarray(c.lines[0].get_ydata(), float) for c in fig.axes[0].containers)
    np.testing.assert_allclose(first, [0.031, 0.05])
    np.testing.assert_allclose(second, first)
    assert [t.get_text() for t in fig.axes[1].get_xticklabels()] == ["single days", "20 days"]
    with pytest.raises(ValueError, match="one row a set"):
        plots.error_by_gap(pd.concat([scores(), scores()]))


def test_filled_series_tells_withheld_values_from_seen_ones():
    value = np.where(np.arange(30) % 3, np.nan, 0.2)
    observed = pd.DataFrame({"time": DAYS, "value": value, "withheld": np.arange(30) > 20})
    table = pd.concat([pd.DataFrame({"model": m, "time": DAYS, "mean": 0.21, "sd": np.where(np.isnan(value), 0.01, 0)})
                       for m in ("OI", "CRU")])
    fig = plots.filled_series(table, observed, title="A cell")
    seen, withheld = (next(line for line in fig.axes[1].lines if line.get_label() == name)
                      for name in ("seen", "withheld"))
    assert np.isfinite(seen.get_ydata()).sum() == 7 and np.isfinite(withheld.get_ydata()).sum() == 3
    bars = fig.axes[0].patches
    assert len(bars) == 20  # a third of the days has a value
    np.testing.assert_allclose([bars[0].get_y(), bars[0].get_height()], [0.21 - 0.0196, 0.0392])
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["interval", "filled", "seen", "withheld"]


def test_unknown_methods_and_empty_tables():
    with pytest.raises(ValueError, match="no colour for the method 'mine'"):
        plots.reliability(scores().replace("CRU", "mine"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "no data" in [t.get_text() for t in plots.reliability(scores().iloc[:0]).axes[0].texts]
