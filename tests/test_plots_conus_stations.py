"""Figures of fields against stations: what stands in them, with warnings as errors."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh

from smlib.plots import conus_stations as look

pytestmark = pytest.mark.filterwarnings("error")
DAYS = pd.date_range("2020-01-01", periods=60)
SITES = [f"S{k}" for k in range(24)]
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def no_leaks():
    """Drawing leaves no open pyplot figure and no changed setting."""
    before = dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def classes():
    return pd.DataFrame({"network": ["SCAN"] * 12 + ["USCRN"] * 12,
                         "texture_class": (["coarse"] * 10 + ["fine"] * 2) * 2,
                         "cover": ["Grassland", "Permanent wetland"] * 12}, index=pd.Index(SITES, name="site"))


@pytest.fixture
def scores(classes):
    return pd.DataFrame({"r": RNG.uniform(0.2, 0.9, 24), "bias": RNG.normal(0, 0.03, 24)}, index=classes.index)


@pytest.fixture
def stations():
    return xr.Dataset(coords={"site": SITES, "lat": ("site", RNG.uniform(30, 45, 24)),
                              "lon": ("site", RNG.uniform(-120, -75, 24)),
                              "network": ("site", ["SCAN"] * 12 + ["USCRN"] * 12)})


def texts(fig):
    fig.savefig(io.BytesIO(), format="png", dpi=50)
    return "\n".join(t.get_text() for t in fig.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text())


def map_scales(fig):
    return [m.get_clim() for ax in fig.axes for m in ax.collections
            if isinstance(m, QuadMesh) and ax.get_title("left")]


def moisture(n=3):
    return xr.DataArray(RNG.uniform(0.1, 0.4, (n, 60)), {"site": SITES[:n], "time": DAYS}, ("site", "time"))


def field(value=None):
    lat, lon = np.linspace(48, 26, 9), np.linspace(-123, -68, 14)
    values = RNG.uniform(0.1, 0.4, (9, 14)) if value is None else np.full((9, 14), float(value))
    return xr.DataArray(values, {"lat": ("y", lat), "lon": ("x", lon)}, ("y", "x"), attrs={"units": "m³ m⁻³"})


def test_boxes_show_medians_and_few_stations_as_dots(scores, classes):
    fig = look.boxes({"DCA": scores, "NLDAS-2": scores + 0.05}, classes, "texture_class", "r")
    said = texts(fig)
    assert "Stations by soil texture (simulated)" in said and "coarse\n(n = 10)" in said and "fine\n(n = 2)" in said
    ax = fig.axes[0]
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_color() == "black" and len(line.get_ydata()) == 2]
    own = scores["r"][:10].median()
    np.testing.assert_allclose(sorted(medians), [own, own + 0.05])
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(sorted(dots[0].get_ydata()), sorted(scores["r"][10:12]))


def test_boxes_say_how_many_stations_the_axis_leaves_out(scores, classes):
    far = scores.copy()
    far.loc["S0", "bias"] = 9.0
    fig = look.boxes(far, classes, "cover", "bias", kind="measured")
    assert "SCAN (beyond the axis: 1)" in texts(fig) and "(measured)" in texts(fig) and fig.axes[0].get_ylim()[1] < 1
    with pytest.raises(ValueError, match="measured or simulated"):
        look.boxes(scores, classes, kind="real")


def test_names_never_share_a_colour():
    found = look._colours(["DCA", "ConvLSTM", "ConvLSTM, S1", "ConvLSTM, S2", "persistence", "mine", "yours"])
    assert len(set(found.values())) == 7


def test_the_map_gives_median_and_number(scores, stations):
    scores.loc["S3", "r"] = np.nan
    fig = look.score_map({"DCA": scores, "NLDAS-2": scores}, stations, "r")
    said = texts(fig)
    assert said.count(f"median {scores['r'].median():.2f}, n = 23") == 2 and "Correlation r at stations" in said
    points = sum(len(c.get_offsets()) for c in fig.axes[0].collections if isinstance(c, PathCollection))
    assert points == 23


def test_the_colours_of_bias_are_even_about_zero(scores, stations):
    fig = look.score_map(scores, stations, "bias")
    fig.savefig(io.BytesIO(), format="png", dpi=50)
    low, high = next(c for c in fig.axes[0].collections if c.get_array() is not None).get_clim()
    assert low == -high


def test_the_density_counts_every_pair_once():
    made, seen = moisture().clip(max=0.35), moisture().clip(max=0.35)  # many at the top: the axis ends there
    made[0, :5] = np.nan
    fig = look.scatter_density(made, seen, {"n": 175, "r": 0.1, "rmse": 0.1, "bias": -0.02, "ubrmse": 0.09})
    said = texts(fig)
    assert "n = 175" in said and "bias = −0.020" in said
    (hexes,) = (c for c in fig.axes[0].collections if isinstance(c, PolyCollection))
    assert hexes.get_array().sum() == 175
    assert "no data" in texts(look.scatter_density(made * np.nan, seen))


def test_series_draw_dots_where_a_line_would_be_scraps_and_a_whole_distribution():
    seen, full, gappy = moisture(), moisture(), moisture()
    gappy[:, ::2] = np.nan
    rain = xr.DataArray(RNG.gamma(0.3, 10, (3, 60)), seen.coords, seen.dims)
    fig = look.series({"S0": "grassland", "S1": "", "S2": ""}, {"NLDAS-2": full, "DCA": gappy}, seen, rain)
    said = texts(fig)
    assert "S0, grassland" in said and "stations" in said and len(fig.axes) == 9
    moist = next(ax for ax in fig.axes if ax.get_ylabel().startswith("soil") and len(ax.lines) == 3)
    assert [line.get_linestyle() for line in moist.lines] == ["-", "-", "None"]
    share = next(ax for ax in fig.axes if ax.get_xlabel())
    assert all(line.get_xdata()[-1] == 1 and (np.diff(line.get_ydata()) >= 0).all() for line in share.lines)
    assert len(look.series(["S1"], {}, seen).axes) == 2


def test_fields_share_one_scale_and_sand_has_its_own():
    leads = {k: field() for k in (1, 7, 30)}
    fig = look.fields(leads, {"NLDAS-2": leads, "truth": leads}, field(40))
    said = texts(fig)
    assert "forecast, 1 day ahead" in said and "forecast, 30 days ahead" in said and said.count("truth, same day") == 3
    scales = map_scales(fig)
    assert len(scales) == 10 and len(set(scales)) == 2 and (0, 100) in scales


def test_inputs_each_have_their_own_scale_and_an_empty_map_says_so():
    fig = look.inputs({"SMAP DCA": field(), "elevation": 1000 * field(), "sand": field(np.nan)}, kind="measured")
    said = texts(fig)
    assert "no data" in said and "Inputs (measured)" in said
    scales = map_scales(fig)
    assert len(set(scales)) == 3
