"""Figures of the nudging study: drawn from made-up tables and fields, with warnings as errors."""

import io
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import QuadMesh

from smlib import plots
from smlib.plots.field_series import limits
from smlib.plots.style import MODEL_COLOURS, looks, model_in, once

pytestmark = pytest.mark.filterwarnings("error")
NETWORKS = ("CNN", "LSTM", "ConvLSTM", "ConvLSTM-SE")
DAYS = pd.date_range("2021-06-15", periods=40)


@pytest.fixture(autouse=True)
def no_leaks():
    """Drawing leaves no open pyplot figure and no changed setting."""
    before = dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def texts(fig):
    found = [t.get_text() for t in fig.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text()]
    return "\n".join(found)


def legend_labels(fig):
    return [t.get_text() for t in fig.legends[0].get_texts()]


def panels(fig):
    return {ax.get_title(loc="left").split("\n")[0]: ax for ax in fig.axes if ax.get_title(loc="left")}


def line_of(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line


def by_day(models, value=0.2, **columns):
    return pd.concat([pd.DataFrame({"model": m, "time": DAYS, "value": value + 0.01 * k, **columns})
                      for k, m in enumerate(models)], ignore_index=True)


# looks ------------------------------------------------------------------------------------------------------------

def test_what_is_built_on_a_model_keeps_its_colour_and_changes_its_line():
    found = looks(["ConvLSTM + EnKF", "my own", "ConvLSTM, nudged", "ConvLSTM", "climatology with memory", "CNN-LSTM",
                   "climatology", "ConvLSTM-SE"])
    assert list(found) == ["climatology", "CNN-LSTM", "ConvLSTM", "ConvLSTM + EnKF", "ConvLSTM, nudged", "ConvLSTM-SE",
                           "climatology with memory", "my own"]
    three = [found[n] for n in ("ConvLSTM", "ConvLSTM + EnKF", "ConvLSTM, nudged")]
    assert {look["color"] for look in three} == {MODEL_COLOURS["ConvLSTM"]}
    assert len({str(look["linestyle"]) for look in three}) == 3
    assert len({look["color"] for look in found.values()}) == 6
    assert model_in("CNN-like") is None and model_in("climatology with memory, EnKF") == "climatology with memory"


def test_doubled_rows_are_refused():
    table = by_day(["CNN"])
    once(table, ["model", "time"], "")
    for draw in (lambda t: plots.regional_series(t, t[["time", "value"]]),
                 lambda t: plots.daily_metrics(t.assign(metric="RMSE"))):
        with pytest.raises(ValueError, match="several values for model CNN"):
            draw(pd.concat([table, table]))


@pytest.mark.parametrize(("metric", "values", "expected"), [
    ("R2", [-9, 0.5], (-1.0, 1.03)), ("R2", [0.5, 0.9], (0.45, 1.03)), ("RMSE", [0.1, 0.5], (0, 0.54)),
    ("bias", [0.5, 1.0], (-0.08, 1.08)), ("bias", [-1.0, -0.5], (-1.08, 0.08)), ("RMSE", [np.nan], (0, 1))])
def test_limits_hold_what_they_should(metric, values, expected):
    assert limits(values, metric, -1.0) == pytest.approx(expected)


# series -----------------------------------------------------------------------------------------------------------

def test_regional_series_breaks_where_days_are_missing():
    table = by_day([*NETWORKS, "persistence", "ConvLSTM, nudged", "a method with quite a long name of its own"])
    table.loc[(table["model"] == "CNN") & (table["time"] == DAYS[10]), "value"] = np.nan
    table = table[~((table["model"] == "LSTM") & (table["time"] == DAYS[20]))]
    truth = pd.DataFrame({"time": DAYS, "value": 0.3})
    fig = plots.regional_series(table, truth, title="Drift")
    (ax,) = fig.axes
    assert len(ax.lines) == 8 == len(legend_labels(fig)) and "soil moisture (m³ m⁻³)" in ax.get_ylabel()
    assert np.isnan(line_of(ax, "CNN").get_ydata()[10]) and np.isnan(line_of(ax, "LSTM").get_ydata()[20])
    assert line_of(ax, "truth").get_color() == "black" and np.all(line_of(ax, "truth").get_ydata() == 0.3)
    assert fig.get_suptitle() == "Drift"
    fig = plots.regional_series(table, truth, period=(DAYS[3], DAYS[7]))
    assert all(len(line.get_xdata()) == 5 for line in fig.axes[0].lines)


def test_series_without_a_value_say_so():
    table = by_day(["CNN"], np.nan)
    assert "no data" in texts(plots.regional_series(table, table[["time", "value"]]))
    assert texts(plots.daily_metrics(table.assign(metric="R2"))).count("no data") == 4


def test_daily_metrics_announce_what_leaves_the_axis():
    metrics = ("RMSE", "bias", "R2", "r")
    table = pd.concat([by_day(NETWORKS, metric=m) for m in metrics], ignore_index=True)
    bad = (table["metric"] == "R2") & (table["model"] == "LSTM") & (table["time"] >= DAYS[10])
    table.loc[bad, "value"] = -50.0
    fig = plots.daily_metrics(table)
    assert [ax.get_ylabel() for ax in fig.axes] == ["RMSE\n(m³ m⁻³)", "bias\n(m³ m⁻³)", "R²", "correlation r"]
    r2 = fig.axes[2]
    assert r2.get_ylim()[0] == -1 and r2.get_title(loc="left") == "axis ends at −1; below it: LSTM on 30 of 40 days"
    assert all(not ax.get_title(loc="left") for ax in fig.axes if ax is not r2)
    assert len([line for line in r2.lines if line.get_label() in NETWORKS]) == 4
    assert legend_labels(fig) == list(NETWORKS)


# maps -------------------------------------------------------------------------------------------------------------

LAT, LON = np.linspace(39, 37, 5), np.linspace(94, 100, 8)
VALID = np.add.outer(np.arange(5), np.arange(8)) > 2


def fields(models=NETWORKS, days=2):
    rng = np.random.default_rng(0)
    truth = xr.DataArray(np.where(VALID, rng.random((days, 5, 8)), np.nan), dims=("time", "y", "x"),
                         coords={"time": DAYS[:days]})
    off = xr.DataArray(0.1 * np.arange(1, len(models) + 1), dims="model", coords={"model": list(models)})
    return truth, truth + off


def meshes(ax):
    return [c for c in ax.collections if isinstance(c, QuadMesh)]


def test_maps_of_days_share_two_scales():
    truth, forecasts = fields()
    fig = plots.maps_of_days(truth, forecasts.transpose("time", "y", "x", "model"), LAT, LON, title="Simulated")
    maps = [ax for ax in fig.axes if meshes(ax) and ax.get_aspect() != "auto"]
    drawn = [meshes(ax)[0] for ax in maps]
    clims = [m.get_clim() for m in drawn]
    assert len(drawn) == 2 * (1 + 4 + 4) and len(set(clims)) == 2
    assert sorted(clims.count(c) for c in set(clims)) == [8, 10]
    bars = {ax.get_xlabel() for ax in fig.axes} - {""}
    assert bars == {"soil moisture (m³ m⁻³)", "absolute error, and in the titles the RMSE over the cells (m³ m⁻³)"}
    written = texts(fig)
    assert "truth\n2021-06-15" in written and "2021-06-16:\nabsolute error" in written
    assert written.count("ConvLSTM-SE\nRMSE 0.400") == 2 and "Simulated" in written
    errors = [m for m in drawn if m.get_clim()[0] == 0]
    for k, mesh in enumerate(errors):  # the error of model k is 0.1 (k + 1) everywhere in the basin
        assert mesh.get_array().compressed() == pytest.approx(0.1 * (k % 4 + 1))
        assert np.array_equal(~np.ma.getmaskarray(mesh.get_array()).reshape(5, 8), VALID)
    ticks = maps[0].yaxis.get_major_formatter()(38.0, 0), maps[0].xaxis.get_major_formatter()(-95.5, 0)
    assert ticks == ("38°N", "95.5°W")


def test_maps_without_values_are_drawn():
    truth, forecasts = fields(("LSTM",), 1)
    fig = plots.maps_of_days(truth, forecasts * np.nan, LAT, LON)
    fig.draw_without_rendering()
    assert texts(fig).count("no data") == 2 and "\nRMSE" not in texts(fig)
    fig = plots.maps_of_days(truth * np.nan, forecasts, LAT, LON)
    assert texts(fig).count("no data") == 2


def test_observation_patterns_show_their_share():
    half = np.zeros((3, 5, 8), bool)
    half[0, :, 4:] = True
    fig = plots.observation_patterns({"gap": half, "all": np.ones((2, 5, 8), bool)}, VALID, LAT, LON)
    share = 100 * VALID[:, 4:].sum() / VALID.sum()
    written = texts(fig)
    assert f"gap\nday 1: {share:.1f} % observed" in written and "all\nday 1: 100.0 % observed" in written
    assert "day 2: 0.0 % observed" in written
    assert legend_labels(fig) == ["observed", "not observed", "outside the basin"]
    drawn = [meshes(ax)[0] for ax in fig.axes if meshes(ax)]
    assert len(drawn) == 5 and {m.get_clim() for m in drawn} == {(0, 1)}
    assert all(m.get_array().count() == VALID.sum() for m in drawn)


# loss, scores, costs ----------------------------------------------------------------------------------------------

def history(models=NETWORKS):
    epoch = np.arange(1, 41)
    return pd.concat([pd.DataFrame({"model": m, "epoch": epoch, "train_loss": 0.01 / epoch,
                                    "validation_loss": 0.01 + 1e-4 * (epoch - 20 - k) ** 2,
                                    "learning_rate": np.where(epoch < 12, 1e-3, 2e-4)})
                      for k, m in enumerate(models)], ignore_index=True)


def test_loss_curves_mark_the_epoch_kept_and_the_cuts():
    fig = plots.loss_curves(history(), title="Curves")
    assert set(panels(fig)) == set(NETWORKS)
    for k, model in enumerate(NETWORKS):
        ax = panels(fig)[model]
        assert ax.get_yscale() == "log" and ax.get_title(loc="left") == f"{model}\nepoch {20 + k} of 40 kept"
        (ring,) = [line for line in ax.lines if line.get_marker() == "o"]
        (cut,) = [line for line in ax.lines if line.get_marker() == "v"]
        assert ring.get_xdata()[0] == 20 + k and ring.get_ydata()[0] == pytest.approx(0.01)
        assert list(cut.get_xdata()) == [12]
    assert legend_labels(fig) == ["validation", "training", "epoch kept: least validation loss", "learning rate cut"]
    assert len(fig.legends) == 1 and "loss (scaled MSE)" in texts(fig)


def test_loss_curves_of_a_rate_that_is_never_cut_keep_their_layout():
    table = history(("CNN", "LSTM")).assign(learning_rate=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.loss_curves(table, title="Curves").savefig(io.BytesIO())


def test_loss_curves_without_values_or_rates_are_drawn():
    table = history(("CNN", "LSTM")).drop(columns="learning_rate")
    table.loc[table["model"] == "LSTM", ["train_loss", "validation_loss"]] = np.nan
    fig = plots.loss_curves(table)
    assert "no data" in [t.get_text() for t in panels(fig)["LSTM"].texts]
    assert "learning rate cut" not in legend_labels(fig)


def scores():
    rows = []
    for k, model in enumerate((*NETWORKS, "climatology")):
        for metric, value in (("RMSE", 0.01 * (k + 1)), ("R2", 0.9 - 1.0 * k), ("r", 0.9 - 0.1 * k),
                              ("bias", (-1) ** k * 0.01 * k), ("MAE", 0.02), ("MSE", 1e-4)):
            rows.append((model, metric, np.nan if model == "climatology" else value, value, value - 0.001,
                         value + 0.001))
    return pd.DataFrame(rows, columns=["model", "metric", "printed", "value", "low", "high"])


def test_radar_puts_the_best_on_the_rim():
    table = scores()
    table.loc[(table["model"] == "ConvLSTM") & (table["metric"] == "r"), "value"] = np.nan
    fig = plots.radar(table)
    (ax,) = fig.axes
    r = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.lines}
    assert list(r) == ["climatology", *NETWORKS]
    assert r["CNN"] == pytest.approx(1)                               # best in everything, the tie of MAE as well
    assert r["climatology"][[1, 2, 3, 4]] == pytest.approx(0.2)       # worst: its bias is largest in size
    assert r["LSTM"][4] == pytest.approx(0.2 + 0.8 * 0.75) and np.isnan(r["ConvLSTM"][3])
    assert all(one[0] == one[-1] for one in r.values())               # the line closes
    written = texts(fig)
    assert "RMSE (m³ m⁻³)\nrim 0.01\ninner ring 0.05" in written and "R²\nrim 0.9\ninner ring −3.1" in written
    assert "|bias| (m³ m⁻³)\nrim 0\ninner ring 0.04" in written


def test_metric_bars_set_ours_beside_print_and_clip_r2():
    fig = plots.metric_bars(scores())
    found = panels(fig)
    assert list(found) == ["MSE (m⁶ m⁻⁶)", "MAE (m³ m⁻³)", "R²", "RMSE (m³ m⁻³)", "correlation r", "bias (m³ m⁻³)"]
    hollow = {name: [p for p in ax.patches if p.get_facecolor() == (1, 1, 1, 1)] for name, ax in found.items()}
    for name, ax in found.items():
        assert len(ax.patches) == 9 and len(hollow[name]) == 4
    assert [p.get_width() for p in hollow["RMSE (m³ m⁻³)"]] == pytest.approx([0.01, 0.02, 0.03, 0.04])
    r2 = found["R²"]
    assert r2.get_xlim()[0] == -1 and min(p.get_width() for p in r2.patches) == -1
    assert r2.get_xlabel() == "axis ends at −1"
    assert [t.get_text() for t in r2.texts] == ["← −3.1", "← −1.1", "← −1.1", "← −2.1", "← −2.1"]
    assert found["correlation r"].get_xlim()[0] == 0
    assert legend_labels(fig) == ["ours", "printed", "95 % interval"]
    assert "printed" not in legend_labels(plots.metric_bars(scores().assign(printed=np.nan)))


def test_cost_bars_are_logarithmic_where_values_are_far_apart():
    rows = [(m, metric, p, v) for k, m in enumerate(NETWORKS) for metric, p, v in (
        ("train_s", 400.0 * 10 ** k, 9.0), ("epochs", 10.0 + k, 12.0), ("size_mib", np.nan, np.nan))]
    fig = plots.cost_bars(pd.DataFrame(rows, columns=["model", "metric", "printed", "value"]))
    time, epochs, size = (panels(fig)[n] for n in ("training time (s)", "epoch kept", "size of the weights (MiB)"))
    assert time.get_xscale() == "log" and epochs.get_xscale() == "linear"
    printed = [line.get_xdata()[0] for line in time.lines if line.get_markerfacecolor() == "white"]
    assert printed == [400, 4000, 40_000, 400_000] and time.get_xlim()[0] < 9 and time.get_xlim()[1] > 400_000
    assert len(epochs.patches) == 8 and "no data" in [t.get_text() for t in size.texts]
    assert "400\u2009000" in [t.get_text() for t in time.texts]


# nudging ----------------------------------------------------------------------------------------------------------

def growth():
    lead = np.arange(5, 200, 10)
    rows = [pd.DataFrame({"model": m, "run": run, "lead": lead, "value": 0.01 + 1e-4 * lead})
            for m in (*NETWORKS, "climatology") for run in ("free", "nudged") if (m, run) != ("climatology", "nudged")]
    return pd.concat(rows, ignore_index=True)


def test_error_growth_tells_free_runs_from_nudged_ones():
    table = growth()
    table.loc[(table["model"] == "CNN") & (table["lead"] == 95), "value"] = np.nan
    fig = plots.error_growth(table)
    (ax,) = fig.axes
    assert len(ax.lines) == 9 and ax.get_ylabel() == "RMSE (m³ m⁻³)" and ax.get_ylim()[0] == 0
    cnn = [line for line in ax.lines if line.get_color() == MODEL_COLOURS["CNN"]]
    assert [line.is_dashed() for line in cnn] == [False, True]
    assert all(np.isnan(line.get_ydata()[9]) for line in cnn)
    assert legend_labels(fig)[-2:] == ["free run", "nudged"]
    fig = plots.error_growth(table.assign(value=-2.0 * (table["model"] == "LSTM")), metric="R2")
    assert fig.axes[0].get_title(loc="left") == "axis ends at −1; below it: LSTM"


def nudged(models=("CNN", "LSTM")):
    rows = [(m, np.nan, 0.0, np.nan, True, "all", 0.05 + k, np.nan, False) for k, m in enumerate(models)]
    for k, model in enumerate(models):
        for fraction in (0.1, 0.2, 0.5):
            for noise in (0.0, 0.01):
                for tau in np.arange(1, 11) / 10:
                    for cells in ("all", "unobserved"):
                        best = np.isclose(tau, 0.4 if noise else 0.9)
                        rows.append((model, tau, fraction, noise, True, cells, 0.05 + k - 0.01 * fraction * best,
                                     0.03 if best and cells == "all" else np.nan, bool(best)))
    return pd.DataFrame(rows, columns=["model", "tau", "fraction", "noise", "feedback", "cells", "value", "printed",
                                       "chosen"])


def test_tau_curves_mark_the_chosen_tau_the_free_run_and_the_print():
    fig = plots.tau_curves(nudged())
    assert list(panels(fig)) == ["CNN, noise 0.00 m³ m⁻³", "CNN, noise 0.01 m³ m⁻³", "LSTM, noise 0.00 m³ m⁻³",
                                 "LSTM, noise 0.01 m³ m⁻³"]
    for name, ax in panels(fig).items():
        curves = [line for line in ax.lines if len(line.get_xdata()) == 10 and line.get_marker() == "None"]
        assert len(curves) == 6 and [line.is_dashed() for line in curves] == [False, True] * 3
        assert len({line.get_color() for line in curves}) == 3
        rings = [x for line in ax.lines if line.get_marker() == "o" for x in line.get_xdata()]
        assert rings == pytest.approx([0.4 if "0.01" in name else 0.9] * 6)
        printed = [line.get_ydata()[~np.isnan(line.get_ydata())] for line in ax.lines if line.get_marker() == "D"]
        assert np.concatenate(printed) == pytest.approx([0.03] * 3)
        (free,) = [line for line in ax.lines if line.get_label() == "free run"]
        assert set(free.get_ydata()) == {1.05 if "LSTM" in name else 0.05}
    first, second, third, _ = fig.axes
    assert first.get_ylim() == second.get_ylim() != third.get_ylim()
    assert first.get_ylabel() == "RMSE (m³ m⁻³)" and third.get_xlabel() == "strength of nudging τ"
    assert legend_labels(fig) == ["10 % observed", "20 % observed", "50 % observed", "all cells",
                                  "cells not observed that day", "free run", "τ chosen on validation", "printed"]


def test_tau_curves_compare_both_ways_of_nudging():
    table = nudged(("LSTM",)).drop(columns=["printed", "chosen"])
    table = table[table["cells"] == "all"]
    both = pd.concat([table, table[table["fraction"] > 0].assign(feedback=False)])
    fig = plots.tau_curves(both.assign(value=1 - both["value"] * 105), metric="R2", lines="feedback")
    assert {"analysis fed back", "finished forecast nudged"} <= set(legend_labels(fig))
    assert "printed" not in legend_labels(fig)
    assert "axis ends at −1, free run at −4.25" in texts(fig)
    with pytest.raises(ValueError, match="one value of 'feedback'"):
        plots.tau_curves(both)


def compared(n=20):
    names = ["climatology", "optimal interpolation", "ConvLSTM + nudging", *(f"a method, number {i}" for i in range(n))]
    rows = [(p, m, m.startswith("Conv"), 0.001 * (7 * k % len(names) + 1), np.nan, np.nan)
            for p in ("random 10 %", "swaths", "gap") for k, m in enumerate(names[:n])]
    return pd.DataFrame(rows, columns=["pattern", "method", "network", "value", "low", "high"])


def test_methods_are_sorted_best_first():
    table = compared()
    table.loc[0, "value"] = np.nan
    fig = plots.methods(table)
    assert list(panels(fig)) == ["random 10 %", "swaths", "gap"]
    for pattern, ax in panels(fig).items():
        dots = [line for line in ax.lines if line.get_marker() == "o"]
        values = [line.get_xdata()[0] for line in dots]
        names = [t.get_text() for t in ax.get_yticklabels()]
        assert values == sorted(values) and len(names) == 20 and ax.get_xlabel() == "RMSE (m³ m⁻³)"
        expected = table[table["pattern"] == pattern].set_index("method")["value"]
        assert [expected[n] for n in names[:len(values)]] == pytest.approx(values)
        network = dots[names.index("ConvLSTM + nudging")]
        assert network.get_color() == network.get_markerfacecolor() == MODEL_COLOURS["ConvLSTM"]
        assert sum(dot.get_color() == "black" for dot in dots) == len(dots) - 1
    assert len({ax.get_xlim() for ax in fig.axes}) == 1 and fig.axes[0].get_xscale() == "log"
    first = panels(fig)["random 10 %"]
    assert [t.get_text() for t in first.get_yticklabels()][-1] == "climatology" and "–" in texts(fig)


def test_methods_far_below_the_axis_are_written_and_intervals_drawn():
    table = compared(3).assign(value=lambda t: 0.5 + 0.1 * t["network"])
    table = table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)
    table.loc[0, ["value", "low", "high"]] = -7.5, -8, -7
    fig = plots.methods(table, metric="R2")
    ax = panels(fig)["random 10 %"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["ConvLSTM + nudging", "optimal interpolation",
                                                           "climatology"]
    assert [t.get_text() for t in ax.texts] == ["← −7.5"] and ax.get_xlim()[0] == -1
    ends = [tuple(c.get_segments()[0][:, 0]) for c in ax.collections]
    assert ends == [pytest.approx((0.5, 0.7)), pytest.approx((0.4, 0.6))]
    assert "95 % interval" in legend_labels(fig)


@pytest.mark.parametrize("draw", [
    lambda: plots.loss_curves(history()[:0]), lambda: plots.radar(scores()[:0]),
    lambda: plots.metric_bars(scores()[:0]), lambda: plots.cost_bars(scores()[:0]),
    lambda: plots.error_growth(growth()[:0]), lambda: plots.tau_curves(nudged()[:0]),
    lambda: plots.methods(compared()[:0])])
def test_an_empty_table_gives_a_figure_that_says_so(draw):
    assert "no data" in texts(draw())


@pytest.mark.parametrize("draw", [
    lambda: plots.radar(scores().assign(value=np.nan)), lambda: plots.error_growth(growth().assign(value=np.nan)),
    lambda: plots.metric_bars(scores()[:6].assign(value=np.nan, printed=np.nan, low=np.nan, high=np.nan)),
    lambda: plots.tau_curves(nudged(("CNN",)).assign(value=np.nan)),
    lambda: plots.methods(compared(3).assign(value=np.nan))])
def test_a_column_of_nan_is_no_data(draw):
    fig = draw()
    fig.draw_without_rendering()
    assert "no data" in texts(fig)


@pytest.mark.parametrize(("draw", "drawn"), [
    (lambda: plots.radar(scores()[:6]), 6), (lambda: plots.error_growth(growth()[:1]), 1),
    (lambda: plots.tau_curves(nudged()[:1]), 2)])  # one model, one point, the free run alone
def test_one_model_or_row_is_drawn(draw, drawn):
    fig = draw()
    fig.draw_without_rendering()
    assert len(fig.axes) == 1
    assert max(np.isfinite(line.get_ydata()).sum() for line in fig.axes[0].lines) == drawn
