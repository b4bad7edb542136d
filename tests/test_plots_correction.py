"""Figures of the correction study: what is drawn is what the tables say; gaps and empty tables break none."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PatchCollection, QuadMesh
from matplotlib.colors import to_hex

from smlib.plots import correction as plots
from smlib.plots.correction_scores import PROTOCOLS
from smlib.plots.style import MODEL_COLOURS

pytestmark = pytest.mark.filterwarnings("error")
DAYS = np.arange("2016-07-01", "2017-07-01", dtype="datetime64[D]")
NETWORKS, PRODUCTS = ("HOBE", "OZNET"), ("ASCAT", "SMAP")


def panels(fig):
    return {ax.get_title(loc="left").split(" (")[0].split("\n")[0]: ax for ax in fig.axes if ax.get_title(loc="left")}


def texts(ax):
    return [t.get_text() for t in ax.texts]


def dots(ax, colour):
    """x and y of the markers of a colour that are no line."""
    found = [line for line in ax.lines if line.get_color() == colour and line.get_linestyle() == "None"]
    return np.concatenate([line.get_xydata() for line in found]).T


def ends(ax, colour, axis=1):
    """Both ends of every finite interval of a colour."""
    found = [segment[:, axis] for lines in ax.collections if isinstance(lines, LineCollection)
             and to_hex(lines.get_colors()[0]).lower() == colour.lower() for segment in lines.get_segments()]
    return np.array([one for one in found if np.isfinite(one).all()])


def points(network="HOBE", sites=5):
    site = np.arange(sites)[:, None]
    in_situ = np.where(np.arange(DAYS.size) < 40, np.nan, 0.1 + 0.05 * site + 0 * np.arange(DAYS.size))
    auxiliaries = np.stack([np.full((sites, DAYS.size), v) for v in (0.5, 2.0, 12.0, 3.0)], -1)
    place = pd.DataFrame({"lat": 55.55 + 0.1 * np.arange(sites), "lon": 8.55, "group": np.arange(sites) // 2})
    return SimpleNamespace(network=network, time=DAYS, sites=place, in_situ=in_situ, auxiliaries=auxiliaries)


def matched(step=0.1, sea=()):
    cells = pd.DataFrame([(i, j, 56.0 - step * i, 8.55 + step * j) for i in range(6) for j in range(3)
                          if (i, j) not in sea], columns=["row", "column", "lat", "lon"])
    cells["stations"] = (cells["column"] == 0).astype(int) * (cells["row"] > 0)
    return SimpleNamespace(cells=cells.assign(group=np.where(cells["stations"] > 0, cells["row"] // 2, -1)))


def scores(**columns):
    """A row for all combinations of `columns`; low and high lie 0.01 about a value that differs everywhere."""
    table = pd.MultiIndex.from_product(columns.values(), names=columns).to_frame(index=False)
    value = 0.03 + 0.0007 * np.arange(len(table))
    return table.assign(value=value, low=value - 0.01, high=value + 0.01)


def test_auxiliaries_are_the_median_and_the_band_of_the_sites_and_gaps_stay_gaps():
    fig = plots.auxiliary_series({"OZNET": points("OZNET"), "HOBE": points()})
    assert list(panels(fig)) == ["HOBE", "OZNET"]
    moisture, cover, rain, *_ = [fig.axes[i] for i in (0, 2, 4, 6, 8)]
    line = moisture.lines[0].get_ydata()
    assert np.isnan(line[:40]).all() and line[40:] == pytest.approx(0.2)
    band = moisture.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.12, 0.28))  # of 0.1, 0.15, ... 0.3
    assert cover.lines[0].get_ydata() == pytest.approx(0.5)
    mean = rain.lines[0].get_ydata()
    assert np.isnan(mean[:14]).all() and mean[14:] == pytest.approx(2.0)
    assert "m³ m⁻³" in moisture.get_ylabel() and "mm d⁻¹" in rain.get_ylabel()


def test_a_network_without_a_value_is_said_to_have_none():
    empty = points()
    empty.in_situ = np.full_like(empty.in_situ, np.nan)
    fig = plots.auxiliary_series({"HOBE": empty})
    assert texts(fig.axes[0]) == ["no data"] and not texts(fig.axes[1])


def test_stations_stand_in_the_cells_of_their_group():
    fig = plots.network_maps({"ASCAT": matched(sea=[(0, 1)]), "ESA-CCI": matched(0.25)}, points())
    titles = [ax.get_title(loc="left") for ax in fig.axes]
    assert [title.replace("\n", " ") for title in titles] == [
        "HOBE, ASCAT 5 of 17 cells with stations, 3 groups", "HOBE, ESA-CCI 5 of 18 cells with stations, 3 groups"]
    ax = fig.axes[0]
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 2, 1]
    (squares,) = [c for c in ax.collections if isinstance(c, PatchCollection)]
    assert len(squares.get_paths()) == 17
    assert squares.get_paths()[0].get_extents().width == pytest.approx(0.1)
    tints = [to_hex(face) for face in squares.get_facecolor()]
    here = matched(sea=[(0, 1)]).cells
    for cell, tint in zip(here.itertuples(), tints, strict=True):
        colours = [line.get_color().lower() for line in ax.lines]
        assert tint == (colours[cell.group] if cell.stations else "#ebebeb")


def test_networks_are_rows_and_a_product_that_a_network_lacks_is_said():
    fig = plots.network_maps({"HOBE": {"ASCAT": matched()}, "OZNET": {"ASCAT": matched(), "SMAP": matched()}},
                             {n: points(n) for n in NETWORKS})
    found = panels(fig)
    assert list(found) == ["HOBE, ASCAT", "HOBE, SMAP", "OZNET, ASCAT", "OZNET, SMAP"]
    assert texts(found["HOBE, SMAP"]) == ["no data"] and not texts(found["OZNET, SMAP"])


def field(value):
    values = np.full((4, 5), value)
    values[0, 0] = np.nan
    values[1] += np.linspace(-0.05, 0.05, 5)
    return xr.DataArray(values, dims=("y", "x"), coords={"lat": ("y", np.linspace(56, 55.7, 4)),
                                                         "lon": ("x", np.linspace(8.5, 8.9, 5))})


def test_maps_share_their_scales():
    before, after = field(0.3), field(0.2)
    fig = plots.product_maps({"ASCAT": before, "SMAP": before}, {"ASCAT": after, "SMAP": after},
                             {"ASCAT": after - before, "SMAP": after - before},
                             {"ASCAT": after, "SMAP": after * np.nan})
    found = panels(fig)
    mesh = {name: next(c for c in ax.collections if isinstance(c, QuadMesh))
            for name, ax in found.items() if not texts(ax)}
    assert set(found) - set(mesh) == {"SMAP, truth"}
    limits = {name: one.get_clim() for name, one in mesh.items()}
    assert limits["ASCAT, before"] == limits["SMAP, after"] == limits["ASCAT, truth"]
    low, high = limits["ASCAT, after − before"]
    assert low == -high == pytest.approx(-0.1) and low == limits["SMAP, after − before"][0]
    np.testing.assert_allclose(mesh["SMAP, before"].get_array().filled(np.nan), before.values)
    assert any("m³ m⁻³" in ax.get_xlabel() for ax in fig.axes)


def test_maps_of_arrays_are_those_of_labelled_ones():
    one = field(0.3)
    bare = plots.product_maps(one.values, one.values, 0 * one.values, lat=one["lat"].values, lon=one["lon"].values)
    labelled = plots.product_maps(one, one, 0 * one)
    for a, b in zip(bare.axes[:3], labelled.axes[:3], strict=True):
        np.testing.assert_array_equal(a.collections[0].get_coordinates(), b.collections[0].get_coordinates())
        np.testing.assert_array_equal(a.collections[0].get_array(), b.collections[0].get_array())


def combinations():
    table = scores(network=NETWORKS, combination=("FPLE", "LEF"), product=PRODUCTS, protocol=("paper", "strict"),
                   metric=("r", "RMSE"))
    printed = np.where((table["network"] == "HOBE") & (table["product"] == "SMAP"), np.nan, 0.05)
    return table.assign(printed=printed, odd=table["combination"].eq("LEF") & table["network"].eq("OZNET"))


def test_combinations_stand_beside_print_and_what_print_lacks_is_said():
    table = combinations()
    found = panels(plots.combination_metrics(table, "rmse"))
    assert list(found) == [f"{n}, {p}" for n in NETWORKS for p in PRODUCTS]
    for name, ax in found.items():
        network, product = name.split(", ")
        here = table[(table["network"] == network) & (table["product"] == product) & (table["metric"] == "RMSE")]
        for protocol in ("paper", "strict"):
            rows = here[here["protocol"] == protocol]
            colour = PROTOCOLS[protocol][0]
            np.testing.assert_allclose(dots(ax, colour)[1], rows["value"])
            np.testing.assert_allclose(ends(ax, colour), rows[["low", "high"]])
        printed = [line for line in ax.lines if line.get_marker() == "D"]
        assert len(printed) == (0 if name == "HOBE, SMAP" else 2)
        assert ("not printed" in texts(ax)) == (name == "HOBE, SMAP")
        assert sum(line.get_marker() == "x" for line in ax.lines) == (network == "OZNET")


def test_all_metrics_of_one_product():
    table = combinations()
    one = plots.combination_metrics(table[table["product"] == "ASCAT"], None)
    found = {ax.get_title(loc="left"): ax for ax in one.axes}
    assert list(found) == [f"{n}, {m}" for n in NETWORKS for m in ("correlation r", "RMSE (m³ m⁻³)")]
    crossed = [name for name, ax in found.items() if any(line.get_marker() == "x" for line in ax.lines)]
    assert crossed == ["OZNET, RMSE (m³ m⁻³)"]  # the rule that print breaks says nothing of r
    with pytest.raises(ValueError, match="one product, or one metric"):
        plots.combination_metrics(table, None)


def test_violins_show_every_cell_and_few_cells_have_none():
    rng = np.random.default_rng(0)
    rows = [(n, p, c, v) for n in NETWORKS for p in PRODUCTS for c in ("FPLE", "original")
            for v in rng.uniform(0.02, 0.1, 8 if n == "HOBE" else 3)]
    table = pd.DataFrame(rows, columns=["network", "product", "combination", "rmse"])
    table.loc[(table["network"] == "HOBE") & (table["product"] == "SMAP"), "rmse"] = np.nan
    fig = plots.violins(table, "rmse")
    titles = [ax.get_title(loc="left") for ax in fig.axes]
    assert titles == ["HOBE, ASCAT (n = 8)", "HOBE, SMAP", "OZNET, ASCAT (n = 3)", "OZNET, SMAP (n = 3)"]
    assert [t.get_text() for t in fig.axes[2].get_xticklabels()] == ["original", "FPLE"]
    for ax, bodies in ((fig.axes[0], 2), (fig.axes[2], 0)):
        name = ax.get_title(loc="left").split(", ")
        here = table[(table["network"] == name[0]) & (table["product"] == "ASCAT")]
        assert sum(not isinstance(c, LineCollection) for c in ax.collections) == bodies
        for line, combination in zip(ax.lines, ("original", "FPLE"), strict=True):
            np.testing.assert_allclose(line.get_ydata(),
                                       np.sort(here.loc[here["combination"] == combination, "rmse"]))
        medians = [c.get_segments()[0][0, 1] for c in ax.collections if isinstance(c, LineCollection)]
        assert medians == pytest.approx(here.groupby("combination")["rmse"].median()[["original", "FPLE"]].tolist())
    assert texts(fig.axes[1]) == ["no data"]
    with pytest.raises(ValueError, match="one protocol"):
        plots.violins(table.assign(protocol=["paper", "strict"] * (len(table) // 2)), "rmse")


def test_a_series_has_its_looks_and_a_panel_a_year():
    truth = np.full(DAYS.size, 0.2)
    seldom = np.where(np.arange(DAYS.size) % 3, np.nan, 0.3)
    fig = plots.estimate_series(DAYS, {"truth": truth, "in situ": truth + 0.01, "ASCAT": seldom, "MLSTM": truth - 0.01},
                                title="a cell")
    assert len(fig.axes) == 2 and fig.axes[0].get_ylim() == fig.axes[1].get_ylim()
    for ax, days, seen in zip(fig.axes, (184, 181), (62, 60), strict=True):
        _, in_situ, ascat, mlstm = ax.lines
        assert (in_situ.get_linestyle(), ascat.get_linestyle(), mlstm.get_linestyle()) == ("None", "None", "-")
        assert mlstm.get_color() == MODEL_COLOURS["MLSTM"] and mlstm.get_ydata() == pytest.approx(0.19)
        assert len(in_situ.get_ydata()) == days and np.isfinite(ascat.get_ydata()).sum() == seen


def test_weights_stand_evenly_and_the_default_is_marked():
    table = scores(network=NETWORKS, product=PRODUCTS, weight=(0.0, 0.5, 2.0))
    table.loc[(table["network"] == "HOBE") & (table["product"] == "SMAP"), ["value", "low", "high"]] = np.nan
    fig = plots.weight_curves(table, default=0.5)
    hobe, oznet = panels(fig).values()
    assert hobe.get_ylim() == oznet.get_ylim()
    assert [t.get_text() for t in oznet.get_xticklabels()] == ["0", "0.5", "2"]
    values = [line.get_ydata() for line in oznet.lines if len(line.get_xdata()) == 3]
    np.testing.assert_allclose(values, table.loc[table["network"] == "OZNET", "value"].to_numpy().reshape(2, 3))
    assert sum(len(line.get_xdata()) == 3 for line in hobe.lines) == 1
    assert [line.get_xdata()[0] for line in hobe.lines if line.get_color() == "0.4"] == [1]
    assert fig.legends[0].get_texts()[-1].get_text() == "default, 0.5"


def test_methods_are_rows_and_protocols_colours():
    methods = ("HistGB", "raw", "MLSTM", "something else")
    table = scores(network=NETWORKS, product=PRODUCTS, method=methods, protocol=("strict", "paper"))
    table["printed"] = np.where((table["method"] == "raw") & (table["product"] == "ASCAT"), 0.07, np.nan)
    gone = (table["network"] == "HOBE") & (table["product"] == "SMAP")
    table.loc[gone, ["value", "low", "high"]] = np.nan
    fig = plots.protocol_bars(table)
    found = panels(fig)
    order = ["MLSTM", "raw", "HistGB", "something else"]
    assert [t.get_text() for t in found["OZNET, ASCAT"].get_yticklabels()] == order
    for name in ("OZNET, ASCAT", "HOBE, ASCAT"):
        network, product = name.split(", ")
        here = table[(table["network"] == network) & (table["product"] == product)].set_index(["protocol", "method"])
        for protocol in ("paper", "strict"):
            rows, colour = here.loc[protocol].loc[order], PROTOCOLS[protocol][0]
            np.testing.assert_allclose(dots(found[name], colour)[0], rows["value"])
            np.testing.assert_allclose(ends(found[name], colour, axis=0), rows[["low", "high"]])
        through = [line.get_xdata()[0] for line in found[name].lines if line.is_dashed()]
        assert through == [here.loc[("strict", "MLSTM"), "value"]]
        assert [line.get_xydata().tolist() for line in found[name].lines if line.get_marker() == "D"] == [[[0.07, 1]]]
    assert texts(found["HOBE, SMAP"]) == ["no data"]
    with pytest.raises(ValueError, match="several values"):
        plots.protocol_bars(pd.concat([table, table]))


def test_shares_stand_beside_correlations_and_negative_ones_are_marked():
    table = pd.DataFrame({"network": "OZNET", "auxiliary": list("ELPF"), "share": [0.1, 0.2, 0.3, 0.4],
                          "printed": [-0.06, -0.536, 0.217, np.nan]})
    fig = plots.shapley_ranking(table)
    (ax,) = fig.axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ["FVC", "precip.", "LST", "ET"]
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    np.testing.assert_allclose(heights, [[0.4, 0.3, 0.2, 0.1], [0, 0.217, 0.536, 0.06]])
    assert [t.get_position()[1] for t in ax.texts] == [0.536, 0.06]
    more = plots.shapley_ranking(table.assign(r=0.5, low=table["share"] - 0.05, high=table["share"] + 0.05))
    assert len(more.axes[0].containers) == 3 and len(more.axes[0].collections) == 1


def test_random_errors_before_and_after_beside_the_true_ones():
    table = scores(network=NETWORKS, product=PRODUCTS, state=("before", "after")).assign(true=0.04)
    gone = (table["network"] == "HOBE") & (table["product"] == "SMAP")
    table.loc[gone, ["value", "low", "high", "true"]] = np.nan
    fig = plots.triple_errors(table)
    found = panels(fig)
    assert texts(found["HOBE"]) == ["no data"] and found["HOBE"].texts[0].get_position()[0] == 1
    ax = found["OZNET"]
    drawn = sorted((line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor()) for line in ax.lines)
    np.testing.assert_allclose([d[1] for d in drawn], table.loc[table["network"] == "OZNET", "value"])
    assert [d[2] == "white" for d in drawn] == [True, False, True, False]
    assert ends(ax, "#000000") == pytest.approx(0.04)
    assert found["HOBE"].get_ylim() == ax.get_ylim()


@pytest.mark.parametrize("empty", [
    lambda: plots.auxiliary_series({}),
    lambda: plots.network_maps({}, points()),
    lambda: plots.product_maps(field(np.nan), field(np.nan), field(np.nan)),
    lambda: plots.combination_metrics(combinations(), "bias"),
    lambda: plots.violins(pd.DataFrame(columns=["network", "product", "combination", "r"]), "r"),
    lambda: plots.estimate_series(DAYS, {"in situ": np.full(DAYS.size, np.nan)}),
    lambda: plots.weight_curves(scores(network=NETWORKS, product=PRODUCTS, weight=(0.0, 1.0)).iloc[:0]),
    lambda: plots.protocol_bars(scores(network=NETWORKS, product=(), method=(), protocol=())),
    lambda: plots.shapley_ranking(pd.DataFrame(columns=["network", "auxiliary", "share", "printed"])),
    lambda: plots.triple_errors(pd.DataFrame(columns=["network", "product", "state", "value", "low", "high"])),
])
def test_nothing_to_draw_is_said(empty):
    fig = empty()
    assert len(fig.axes) == 1 and texts(fig.axes[0]) == ["no data"]


def test_lone_values_and_gaps_break_no_figure():
    def lone(**columns):
        return scores(**{name: (value,) for name, value in columns.items()}).assign(low=np.nan, high=np.nan)
    cell = {"network": "my own", "product": "another"}
    figures = [plots.combination_metrics(lone(**cell, combination="F", protocol="mine", metric="bias").assign(
                   printed=np.nan), "bias"),
               plots.violins(lone(**cell, combination="F").rename(columns={"value": "rmse"})),
               plots.weight_curves(lone(**cell, weight=1.0), default=3.0),
               plots.protocol_bars(lone(**cell, method="mine", protocol="mine")),
               plots.triple_errors(lone(**cell, state="after")),
               plots.network_maps({"ASCAT": SimpleNamespace(cells=matched().cells.iloc[:1])}, points())]
    for fig in figures:
        fig.draw_without_rendering()
        assert "no data" not in texts(fig.axes[0])
