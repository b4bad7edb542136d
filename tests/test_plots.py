"""The figures: drawn from labelled synthetic data, with warnings as errors and the network shut."""

import base64
import itertools
import socket

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from cartopy.crs import PlateCarree
from cartopy.mpl.gridliner import Gridliner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from smlib import plots
from smlib.models import MODELS
from smlib.plots import maps, style
from smlib.plots.skill import OFF_SCALE

pytestmark = pytest.mark.filterwarnings("error")
DAYS = 500
GAP = slice(100, 160)  # days without soil moisture
DRY_GAP = slice(300, 320)  # days without precipitation


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No figure may reach for the network: a map layer that is not here must not be fetched."""
    def refuse(*args, **kwargs):
        raise AssertionError("a figure tried to open a socket")
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture(autouse=True)
def no_leaks():
    """Drawing leaves no open pyplot figure and no changed setting."""
    before = dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def stations(sites=("A", "B"), depths=(0.05, 0.2), lat=None, lon=None, kind="measured"):
    n, time = len(sites), pd.date_range("2010-03-01", periods=DAYS)
    season = np.cos(2 * np.pi * time.day_of_year.values / 365)
    moisture = np.broadcast_to(0.25 + 0.1 * season, (n, len(depths), DAYS)).copy()
    moisture[:, :, GAP] = np.nan
    moisture[:, :, 130] = 0.3  # one day alone inside the gap
    rain = np.tile(np.arange(DAYS) % 7.0, (n, 1))
    rain[:, DRY_GAP] = np.nan
    temperature = np.tile(10 - 12 * season, (n, 1))
    return xr.Dataset(
        {"soil_moisture": (("site", "depth", "time"), moisture), "precipitation": (("site", "time"), rain),
         "air_temperature": (("site", "time"), temperature),
         "soil_temperature": (("site", "depth", "time"), moisture * 40)},
        coords={"site": list(sites), "depth": range(1, len(depths) + 1), "time": time,
                "lat": ("site", np.linspace(35, 45, n) if lat is None else lat),
                "lon": ("site", np.linspace(-110, -80, n) if lon is None else lon),
                "depth_m": (("site", "depth"), np.tile(np.array(depths, float), (n, 1)))}, attrs={"kind": kind})


def skill_frame(sites=("A", "B"), depths=(0.05,), models=("persistence", "climatology", "ridge", "LSTM"), value=0.8):
    rows = [("stations", "test", "strict", m, "" if d == d else f"level {k + 1}", s, d, lead, "R2", value - 0.01 * lead,
             value - 0.01 * lead - 0.05, value - 0.01 * lead + 0.05, 100)
            for s, (k, d), m, lead in itertools.product(sites, enumerate(depths), models, (1, 3, 7))]
    return pd.DataFrame(rows, columns=["study", "source", "protocol", "model", "variant", "site", "depth_m", "lead_d",
                                       "metric", "value", "low", "high", "n"])


def texts(fig):
    """Every text that a reader sees on the figure."""
    fig.draw_without_rendering()
    graticules = [a for ax in fig.axes for a in ax.get_children() if isinstance(a, Gridliner)]
    found = fig.findobj(matplotlib.text.Text) + [t for g in graticules for t in g.label_artists]
    return [t.get_text() for t in found if t.get_visible() and t.get_text()]


def pixels(fig):
    FigureCanvasAgg(fig).draw()
    return np.asarray(fig.canvas.buffer_rgba())[..., :3]


def legend_labels(fig):
    return [t.get_text() for t in fig.legends[0].get_texts()]


def line_of(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line


# maps -------------------------------------------------------------------------------------------------------------

def overlaps(a, b):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5


def label_boxes(fig, names):
    fig.draw_without_rendering()
    return {t.get_text(): matplotlib.text.Text.get_window_extent(t) for t in fig.findobj(matplotlib.text.Annotation)
            if t.get_text() in names}


def test_site_map_has_a_panel_a_continent_and_labelled_gridlines():
    ds = stations(("US-AR1", "US-CRT", "FR-Hes", "CH-DAV"), lat=[36.4, 41.6, 48.7, 46.8], lon=[-99.4, -83.3, 7.1, 9.9])
    fig = plots.site_map(ds)
    assert len(fig.axes) == 2
    written = texts(fig)
    assert "Measured soil moisture: 4 sites" in written
    assert {"40°N", "36°N", "42°N"} & set(written) and any(t.endswith("°W") for t in written)
    image = pixels(fig)
    land = np.round(255 * np.array(matplotlib.colors.to_rgb(maps.LAND)))
    water = np.round(255 * np.array(matplotlib.colors.to_rgb(maps.WATER)))
    for colour in (land, water):
        assert (np.abs(image - colour).max(axis=-1) <= 1).mean() > 0.01


def test_site_map_labels_of_thirty_sites_cover_neither_each_other_nor_run_off_the_panel():
    rng = np.random.default_rng(1)
    names = [f"Station-{i}-WNW" for i in range(30)]
    fig = plots.site_map(stations(names, (0.05,), rng.uniform(30, 48, 30), rng.uniform(-120, -75, 30)))
    boxes = label_boxes(fig, names)
    assert set(boxes) == set(names)
    clashes = [(a, b) for a, b in itertools.combinations(boxes, 2) if overlaps(boxes[a], boxes[b])]
    assert clashes == []
    frame = fig.axes[0].get_window_extent()
    assert all(frame.x0 <= b.x0 and b.x1 <= frame.x1 for b in boxes.values())


def test_site_map_tells_sites_at_one_place_apart():
    fig = plots.site_map(stations(("one", "two"), lat=[40.37, 40.37], lon=[-81.78, -81.78]))
    boxes = label_boxes(fig, ("one", "two"))
    assert not overlaps(boxes["one"], boxes["two"])


@pytest.mark.parametrize("lat, lon", [([-17.8, -13.8], [178.0, -172.0]), ([68.4, 69.0], [18.0, 30.0]),
                                      ([-43.0], [172.0]), ([43.01, 43.05], [5.0, 5.06]), ([0.0, 1.0], [0.0, 1.0])])
def test_site_map_shows_every_site_inside_its_panel(lat, lon):
    names = [f"s{i}" for i in range(len(lat))]
    fig = plots.site_map(stations(names, (0.05,), lat, lon))
    fig.draw_without_rendering()
    (ax,) = fig.axes
    for place in ax.projection.transform_points(PlateCarree(), np.array(lon), np.array(lat))[:, :2]:
        x, y = ax.transAxes.inverted().transform(ax.transData.transform(place))
        assert 0.02 < x < 0.98 and 0.02 < y < 0.98
    assert any("°" in t for t in texts(fig))


def test_site_map_says_simulated_and_refuses_to_guess():
    assert "Simulated soil moisture: 1 site" in texts(plots.site_map(stations(("A",), kind="simulated")))
    with pytest.raises(ValueError, match="measured"):
        plots.site_map(stations(kind="unknown"))


def test_map_layers_are_valid_small_and_where_they_should_be():
    folder = maps.DATA / "natural_earth"
    assert {p.stem for p in folder.glob("*.geojson")} == set(maps.LAYERS)
    assert sum(p.stat().st_size for p in folder.iterdir()) < 1.5e6
    land = maps._layer("ne_50m_land")
    assert shapely.is_valid(land).all()
    whole = shapely.union_all(land)
    assert shapely.contains_xy(whole, [-100, 10, 24.3], [40, 47, 61.8]).all()
    assert not shapely.contains_xy(whole, [-40, 0], [40, 0]).any()
    states = shapely.total_bounds(maps._layer("ne_10m_admin_1_states_provinces_lines_usa"))
    assert -130 < states[0] and states[2] < -66 and 24 < states[1] and states[3] < 50


# data -------------------------------------------------------------------------------------------------------------

def test_series_labels_units_and_panels():
    fig = plots.series(stations(), "B")
    rain, warm, wet = fig.axes
    assert rain.get_ylim() == (pytest.approx(6 * 1.08), 0)  # hangs from the top
    assert rain.get_ylabel() == "precipitation\n(mm d⁻¹)"
    assert warm.get_ylabel() == "temperature\n(°C)"
    assert wet.get_ylabel() == "soil moisture (m³ m⁻³)"
    assert {"soil, 0.05 m", "soil, 0.20 m", "air temperature", "precipitation missing"} <= set(legend_labels(fig))
    assert "B, measured" in texts(fig)


def test_series_never_bridges_a_gap_and_shows_a_day_alone():
    ds = stations()
    wet = plots.series(ds, "A").axes[-1]
    values = line_of(wet, "soil, 0.05 m").get_ydata()
    missing = np.isnan(ds["soil_moisture"].sel(site="A", depth=1).values)
    assert (np.isnan(values) == missing).all()
    dots = [line for line in wet.lines if line.get_linestyle() == "None"]
    assert len(dots) == 2 and all(len(d.get_xdata()) == 1 for d in dots)


def test_series_breaks_the_line_where_dates_are_absent():
    ds = stations()
    ds = ds.isel(time=np.r_[0:100, 160:DAYS])
    line = line_of(plots.series(ds, "A").axes[-1], "soil, 0.05 m")
    assert len(line.get_xdata()) == DAYS and np.isnan(line.get_ydata()[GAP]).all()


def test_series_marks_days_without_precipitation_and_only_those():
    ds = stations()
    (shade,) = [c for c in plots.series(ds, "A").axes[0].collections if c.get_label() == "precipitation missing"]
    x = np.concatenate([p.vertices[:, 0] for p in shade.get_paths()])
    first, end = ds["time"].values[DRY_GAP.start], ds["time"].values[DRY_GAP.stop]
    half = np.timedelta64(12, "h")
    assert matplotlib.dates.num2date(x.min()).replace(tzinfo=None) == pd.Timestamp(first - half)
    assert matplotlib.dates.num2date(x.max()).replace(tzinfo=None) == pd.Timestamp(end - half)


def test_series_unknown_depths_and_empty_levels():
    ds = stations(depths=(np.nan, np.nan))
    ds["soil_moisture"][:, 1] = np.nan
    ds["soil_temperature"][:, 1] = np.nan
    labels = legend_labels(plots.series(ds, "A"))
    assert "soil, level 1, depth unknown" in labels and not any("level 2" in t for t in labels)


def test_series_without_any_moisture_says_so():
    ds = stations(depths=(0.05,))
    ds["soil_moisture"][:] = np.nan
    assert texts(plots.series(ds, "A")).count("no data") == 1
    assert texts(plots.series(ds * np.nan, "A")).count("no data") == 3


def test_series_without_weather_has_one_panel():
    assert len(plots.series(stations()[["soil_moisture"]], "A").axes) == 1


def test_series_shades_the_splits():
    splits = {"train": ("2010-03-01", "2010-12-31"), "test": ("2011-01-01", "2011-07-13")}
    fig = plots.series(stations(), "A", splits=splits)
    assert {"train", "test"} <= set(texts(fig))
    for ax in fig.axes:
        spans = [p for p in ax.patches if isinstance(p, Rectangle)]
        assert [p.get_width() for p in spans] == [306, 194]


def test_correlation_heatmap_numbers_limits_and_hatching():
    corr = pd.DataFrame([[1.0, -0.5], [-0.5, np.nan]], ["soil_moisture", "x"], ["soil_moisture", "x"])
    fig = plots.correlation_heatmap(corr, title="A")
    ax = fig.axes[0]
    assert {"1.00", "−0.50", "volumetric soil moisture", "missing", "A"} <= set(texts(fig))
    (mesh,) = ax.collections
    assert mesh.get_clim() == (-1, 1)
    (hole,) = ax.patches
    assert hole.get_xy() == (1, 1) and hole.get_hatch()
    middle = mesh.cmap(mesh.norm(0.0))
    assert min(middle[:3]) > 0.85 and max(mesh.cmap(0.1)[:3]) < 0.8  # palest at zero
    assert "missing" not in texts(plots.correlation_heatmap(corr.fillna(1)))


def test_autocorrelation_panels_lines_and_band():
    lag = np.arange(31)
    acf = xr.DataArray(np.exp(-lag / np.array([5, 30])[:, None])[None].repeat(3, 0), dims=("site", "depth", "lag"),
                       coords={"site": ["A", "B", "C"], "depth": [1, 2], "lag": lag,
                               "depth_m": (("site", "depth"), [[0.05, 0.5], [0.05, np.nan], [0.05, 0.5]])}).copy()
    acf[2] = np.nan
    fig = plots.autocorrelation(acf, band=0.1)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["A", "B", "C"]
    assert legend_labels(fig) == ["0.05 m", "0.50 m", "level 2, depth unknown", "white noise"]
    a, b, c = fig.axes
    assert a.get_xlim() == (0, 30) and a.get_ylim()[1] == 1.05 and a.get_xlabel() == "lag (days)"
    assert a.lines[0].get_color() == b.lines[0].get_color()  # one colour a depth in every panel
    np.testing.assert_allclose(a.lines[1].get_ydata(), np.exp(-lag / 30))
    assert "no data" in [t.get_text() for t in c.texts]


# skill ------------------------------------------------------------------------------------------------------------

def test_skill_by_lead_panels_and_baselines():
    fig = plots.skill_by_lead(skill_frame(depths=(0.5, 0.05)))
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["A, 0.05 m", "A, 0.50 m", "B, 0.05 m", "B, 0.50 m"]
    assert legend_labels(fig) == ["persistence", "climatology", "ridge", "LSTM"]
    ax = fig.axes[0]
    assert [t.get_text() for t in fig.axes[-1].get_xticklabels()] == ["1", "3", "7"]
    assert ax.get_ylabel() == "R²" and ax.get_ylim()[1] == pytest.approx(1.06)
    by_colour = {line.get_color(): line for line in ax.lines if len(line.get_xdata()) == 3}
    for model in ("persistence", "climatology"):
        line = by_colour[plots.MODEL_COLOURS[model]]
        assert line.is_dashed() and line.get_markerfacecolor() == "white"
    assert not by_colour[plots.MODEL_COLOURS["LSTM"]].is_dashed()
    places = np.array([line.get_xdata() for line in by_colour.values()])
    assert len(np.unique(places)) == places.size  # dodged: no two models at one place
    assert len(ax.collections) == 4 and all(len(c.get_segments()) == 3 for c in ax.collections)


def test_skill_by_lead_marks_what_is_off_the_scale():
    skill = skill_frame(("A",))
    skill.loc[(skill["model"] == "ridge") & (skill["lead_d"] == 7), ["value", "low", "high"]] = [-9.0, -12.0, -7.0]
    fig = plots.skill_by_lead(skill)
    (ax,) = fig.axes
    assert ax.get_ylim()[0] == -0.5 and "off scale, below −0.5" in legend_labels(fig)
    (arrow,) = [line for line in ax.lines if line.get_marker() == OFF_SCALE["marker"]]
    assert len(arrow.get_xdata()) == 1 and arrow.get_color() == plots.MODEL_COLOURS["ridge"]
    assert "off scale, below −0.5" not in legend_labels(plots.skill_by_lead(skill_frame(("A",))))


def test_skill_by_lead_unknown_depth_undefined_values_and_the_mean_row():
    skill = skill_frame(("A", "all"), (np.nan,))
    skill.loc[skill["site"] == "all", "variant"] = ""
    skill.loc[skill["model"] == "climatology", ["value", "low", "high"]] = np.nan
    fig = plots.skill_by_lead(skill)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["A, level 1", "mean over sites"]
    skill[["value", "low", "high"]] = np.nan
    assert texts(plots.skill_by_lead(skill)).count("no data") == 2


def test_skill_by_lead_refuses_what_it_cannot_tell_apart():
    skill = skill_frame()
    with pytest.raises(ValueError, match="one study, source and protocol"):
        plots.skill_by_lead(pd.concat([skill, skill.assign(protocol="paper")]))
    with pytest.raises(ValueError, match="no metric 'NSE'"):
        plots.skill_by_lead(skill, metric="NSE")
    with pytest.raises(ValueError, match="MODEL_COLOURS"):
        plots.skill_by_lead(skill.replace("LSTM", "mystery"))


@pytest.mark.parametrize("metric, value, limits",
                         [("RMSE", 0.03, "from 0"), ("bias", -0.02, "even"), ("KGE", 0.5, "to 1")])
def test_skill_by_lead_other_metrics(metric, value, limits):
    ax = plots.skill_by_lead(skill_frame(value=value).assign(metric=metric), metric=metric).axes[0]
    low, high = ax.get_ylim()
    assert ("m³ m⁻³" in ax.get_ylabel()) == (metric != "KGE")
    if limits == "even":
        assert low == -high
    elif limits == "from 0":
        assert low == 0 and high > 0.03
    else:
        assert low < 0.43 and high == 1.06


def test_skill_by_lead_of_thirty_sites():
    fig = plots.skill_by_lead(skill_frame([f"S{i}" for i in range(30)]))
    assert len(fig.axes) == 30
    fig.draw_without_rendering()  # constrained layout warns, and so fails here, where panels have no room
    heights = [ax.get_position().height * fig.get_figheight() for ax in fig.axes]
    assert min(heights) > 1.4


def test_error_by_lead_boxes():
    rng = np.random.default_rng(0)
    errors = pd.DataFrame([(m, lead, e) for m in ("persistence", "RF") for lead in (1, 3, 7)
                           for e in rng.normal(0, 0.01 * lead, 401)], columns=["model", "lead_d", "error"])
    errors.loc[0, "error"] = np.nan
    fig = plots.error_by_lead(errors)
    (ax,) = fig.axes
    assert ax.get_ylabel() == "forecast minus observed\n(m³ m⁻³)" and ax.get_xlabel() == "lead (days)"
    assert len(ax.patches) == 6
    one = errors[(errors["model"] == "RF") & (errors["lead_d"] == 7)]["error"]
    ends = [y for line in ax.lines for y in line.get_ydata()]
    assert ends.count(one[one >= one.quantile(0.05)].min()) and ends.count(one[one <= one.quantile(0.95)].max())
    assert "no data" in texts(plots.error_by_lead(errors.assign(error=np.nan)))


def test_forecast_series_keeps_gaps_and_hangs_rain():
    ds = stations(("A",), (0.05,))
    observed = ds["soil_moisture"].isel(site=0, depth=0)
    tidy = pd.concat([pd.DataFrame({"model": m, "time": ds["time"].values, "forecast": observed.values + 0.01})
                      for m in ("LSTM", "persistence")]).dropna()
    fig = plots.forecast_series(tidy, observed, ds["precipitation"].isel(site=0), title="A, 0.05 m, 3 days ahead")
    rain, ax = fig.axes
    assert rain.get_ylim()[1] == 0 and ax.get_ylabel() == "soil moisture (m³ m⁻³)"
    assert line_of(ax, "observed").get_color() == "black"
    line = line_of(ax, "LSTM")
    shown = pd.Series(line.get_ydata(), line.get_xdata())
    assert shown.isna().sum() == 59 and len(shown) == DAYS
    assert {"observed", "persistence", "LSTM"} <= set(legend_labels(fig))
    with pytest.raises(ValueError, match="one site, level and lead"):
        plots.forecast_series(pd.concat([tidy, tidy]), observed)
    assert "no data" in texts(plots.forecast_series(tidy.assign(forecast=np.nan), observed * np.nan))


def test_printed_vs_ours_dots_line_and_missing():
    table = pd.DataFrame([("RF", 0.05, 1, 0.92, 0.84), ("LSTM", 0.05, 1, np.nan, 0.97), ("SVR", 0.05, 1, 0.9, -3.0),
                          ("persistence", 0.05, 1, np.nan, 0.96)],
                         columns=["model", "depth_m", "lead_d", "printed", "ours"])
    fig = plots.printed_vs_ours(table)
    (ax,) = fig.axes
    assert ax.get_title(loc="left") == "0.05 m, 1 day ahead" and ax.get_xlabel() == "R²"
    assert [t.get_text() for t in ax.get_yticklabels()] == ["RF", "SVR", "LSTM"]
    hollow = [line.get_xdata()[0] for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert hollow == [0.92, 0.9]
    (mark,) = [line for line in ax.lines if line.is_dashed()]
    assert set(mark.get_xdata()) == {0.96}
    assert ax.get_xlim()[0] == -0.5 and legend_labels(fig)[-1] == "off scale, below −0.5"
    with pytest.raises(ValueError, match="depth"):
        plots.printed_vs_ours(table.assign(depth_m=np.nan))


# style ------------------------------------------------------------------------------------------------------------

def test_house_style_fonts_are_readable_and_independent_of_the_caller():
    with matplotlib.rc_context({"font.size": 3, "xtick.labelsize": 3, "axes.grid": False}):
        fig = plots.skill_by_lead(skill_frame())
    fig.draw_without_rendering()
    sizes = [t.get_fontsize() for t in fig.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()]
    assert min(sizes) >= 9 and fig.dpi == 150


def test_figures_show_themselves_in_a_notebook_with_their_alternative_text():
    from IPython.core.formatters import DisplayFormatter

    fig = plots.skill_by_lead(skill_frame())
    for alt, metadata in ((None, {}), ("R2 by lead", {"image/png": {"alt": "R2 by lead"}})):
        fig.alt = alt
        data, shown = DisplayFormatter().format(fig)
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG") and shown == metadata


def test_models_have_colours_and_markers_of_their_own():
    assert len(set(style.MODEL_COLOURS.values())) == len(set(style.MODEL_MARKERS.values())) == len(style.MODEL_COLOURS)
    assert set(MODELS) <= set(style.MODEL_COLOURS)
