"""The figures that explain models: what is drawn is what the tables say, and all of its text can be read."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from legible import assert_legible
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from smlib.data.schema import DRIVERS
from smlib.plots import explain
from smlib.plots.style import MODEL_COLOURS

pytestmark = pytest.mark.filterwarnings("error")
FEATURES = [*DRIVERS, "soil_moisture"]
MODELS = list(MODEL_COLOURS)


@pytest.fixture(autouse=True)
def no_leaks():
    """Drawing leaves no open pyplot figure and no changed setting."""
    before = dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def days(models=("LSTM", "RF"), error=3.41e-4):
    rng = np.random.default_rng(0)
    rows = [(m, f, d, rng.uniform(0.001, 0.03)) for m, d, f in itertools.product(models, (-3, -2, -1, 0), FEATURES)]
    table = pd.DataFrame(rows, columns=["model", "feature", "day", "mean_abs"])
    return table.assign(sampling_error=np.where(table.index == 7, error, error / 2), gap=2.31e-9)


def groups(models=("LSTM", "RF")):
    return days(models).query("day == 0").assign(sampling_error=0.0)


def values(models=("LSTM", "RF"), n=40):
    rng = np.random.default_rng(0)
    rows = [(m, f, rng.normal() * (0.05 if f == "soil_moisture" else 0.002), rng.uniform())
            for m, _, f in itertools.product(models, range(n), FEATURES)]
    table = pd.DataFrame(rows, columns=["model", "input", "value", "data"])
    return table.assign(sampling_error=0.0, gap=1e-9)


def planes(names=("inputs", "LSTM")):
    rng = np.random.default_rng(0)
    points = pd.concat([pd.DataFrame({"model": n, "x": rng.normal(size=60), "y": rng.normal(size=60),
                                      "moisture": rng.uniform(0.1, 0.4, 60)}) for n in names])
    order = pd.DataFrame({"model": [*names, "last moisture"], "r2": [-0.124, *np.full(len(names) - 1, 0.83), 0.97]})
    return points, order


def shares(models=("FA-LSTM", "FTA-LSTM"), levels=("A 0.05 m", "A 0.20 m"), items=FEATURES):
    rng = np.random.default_rng(0)
    rows = [(m, level, i, a, s) for m, level in itertools.product(models, levels) for i, a, s in
            zip(items, rng.dirichlet(np.full(len(items), 50)), rng.dirichlet(np.full(len(items), 0.5)), strict=True)]
    table = pd.DataFrame(rows, columns=["model", "level", "item", "attention", "shapley"])
    return table.assign(gap=0.0, sampling_error=2e-5)


def panels(fig):
    return [ax for ax in fig.axes if ax.get_label() != "<colorbar>"]


def bars(fig):
    return [ax for ax in fig.axes if ax.get_label() == "<colorbar>"]


def mesh(ax):
    (found,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    return found


@pytest.mark.parametrize("draw", [
    lambda m: explain.shapley_days(days(m), title="CH-DAV, 0.15 m, one day ahead"),
    lambda m: explain.shapley_features(groups(m)),
    lambda m: explain.shapley_values(values(m), title="CH-DAV"),
    lambda m: explain.embedding_panels(*planes(("inputs", *m)), title="CH-DAV, 0.15 m"),
    lambda m: explain.attention_and_shapley(shares(m[:3]), title="Features"),
])
@pytest.mark.parametrize("models", [MODELS[:1], MODELS[:2], MODELS])
def test_text_can_be_read(draw, models):
    fig = draw(models)
    assert_legible(fig)
    assert all(bar.get_window_extent().width < 40 for bar in bars(fig)) and len(bars(fig)) == 1


def test_days_draw_every_value_in_its_place_on_one_scale():
    table = days().sample(frac=1, random_state=0)  # in any order
    table = table[~((table["model"] == "RF") & (table["day"] == -1) & (table["feature"] == "wind_speed"))]
    features = list(dict.fromkeys(table["feature"]))
    fig = explain.shapley_days(table)
    assert [ax.get_title("left") for ax in panels(fig)] == ["RF", "LSTM"]
    for ax in panels(fig):
        one = table[table["model"] == ax.get_title("left")].set_index(["day", "feature"])["mean_abs"]
        drawn = np.ma.filled(mesh(ax).get_array(), np.nan).reshape(4, 8)
        for (i, day), (j, feature) in itertools.product(enumerate((-3, -2, -1, 0)), enumerate(features)):
            assert drawn[i, j] == one[day, feature] if (day, feature) in one else np.isnan(drawn[i, j])
        assert mesh(ax).norm is mesh(panels(fig)[0]).norm and ax.yaxis_inverted()
        hatched = [p.get_xy() for p in ax.patches if isinstance(p, Rectangle) and p.get_hatch()]
        assert hatched == ([(features.index("wind_speed"), 2)] if ax.get_title("left") == "RF" else [])
    assert bars(fig)[0].get_ylabel() == "mean |Shapley value| (m³ m⁻³)"
    assert "soil moisture of the day before" in " ".join(fig.get_supxlabel().split())


def test_titles_state_gap_and_sampling_error_rounded_up():
    title = " ".join(explain.shapley_days(days(MODELS[:4]), title="CH-DAV").get_suptitle().split())
    assert title == "CH-DAV additivity gap at most 2.4·10⁻⁹ m³ m⁻³, sampling error at most 3.5·10⁻⁴ m³ m⁻³"
    assert "no sampling error (exact)" in " ".join(explain.shapley_features(groups()).get_suptitle().split())
    assert "no sampling error (exact)" in " ".join(explain.shapley_values(values()).get_suptitle().split())
    assert "gap at most 0 m³ m⁻³, sampling error at most 2·10⁻⁵" in " ".join(
        explain.attention_and_shapley(shares()).get_suptitle().split())


@pytest.mark.parametrize("value, text", [(0.0, "0"), (0.00151, "0.0016"), (0.0123, "0.013"), (2e-5, "2·10⁻⁵"),
                                         (9.99e-5, "1·10⁻⁴"), (9.99e-4, "0.0010"), (1.0, "1.0")])
def test_at_most(value, text):
    assert explain._at_most(value) == text


def test_features_write_their_numbers_where_they_can_be_read():
    table = pd.concat([groups().assign(target=t) for t in ("value", "increment")])
    fig = explain.shapley_features(table)
    assert [ax.get_title("left") for ax in panels(fig)] == ["target: value", "target: increment"]
    ax = panels(fig)[0]
    one = table[table["target"] == "value"].pivot(index="model", columns="feature", values="mean_abs")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["RF", "LSTM"]
    for text in ax.texts:
        x, y = text.get_position()
        value = one.loc[["RF", "LSTM"][int(y)], FEATURES[int(x)]]
        assert text.get_text() == f"{1000 * value:.1f}"
        behind = np.array(mesh(ax).cmap(mesh(ax).norm(value))[:3]) @ [0.3, 0.6, 0.1]
        assert abs(behind - np.mean(to_rgb(text.get_color()))) > 0.35
    assert len(ax.texts) == 16


def test_values_stand_where_they_are_and_apart():
    table = values(("LSTM",))
    fig = explain.shapley_values(table)
    (ax,) = panels(fig)
    dots = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert len(dots) == 8
    for y, (feature, swarm) in enumerate(zip(FEATURES, dots, strict=True)):
        one = table[table["input"] == feature]
        at = swarm.get_offsets()
        np.testing.assert_allclose(at[:, 0], one["value"])
        assert np.abs(at[:, 1] - y).max() <= 0.4 and len(np.unique(at, axis=0)) == 40
        assert np.array_equal(np.argsort(swarm.get_array()), np.argsort(one["data"].to_numpy()))
    low, high = ax.get_xlim()
    assert low == -high and table["value"].abs().max() < high
    tiny = explain.shapley_values(table.assign(value=table["value"] / 1000))
    assert [t.get_text() for t in panels(tiny)[0].get_xticklabels()] == ["−0.001", "0", "0.001"]


def test_embeddings_state_their_order_and_share_colours():
    points, order = planes()
    fig = explain.embedding_panels(points, order)
    assert [ax.get_title("left") for ax in panels(fig)] == ["inputs\nR² −0.12", "LSTM\nR² 0.83"]
    assert "last moisture alone: 0.97" in " ".join(fig.get_suptitle().split())
    for ax, name in zip(panels(fig), ("inputs", "LSTM"), strict=True):
        one = points[points["model"] == name]
        np.testing.assert_allclose(ax.collections[0].get_offsets(), one[["x", "y"]])
        np.testing.assert_allclose(ax.collections[0].get_array(), one["moisture"])
        assert ax.collections[0].norm.vmax == points["moisture"].max()
    assert bars(fig)[0].get_ylabel() == "soil moisture (m³ m⁻³)"


def test_attention_stands_beside_the_shapley_values_of_its_network():
    table = shares()
    table.loc[(table["model"] == "FTA-LSTM") & (table["level"] == "A 0.20 m"), "attention"] = np.nan
    fig = explain.attention_and_shapley(table, pd.DataFrame({"model": ["FA-LSTM"], "rho": [-0.214]}))
    titles = [ax.get_title("left") for ax in panels(fig)]
    assert titles == ["FA-LSTM: attention", "FA-LSTM: Shapley values, rank correlation −0.21",
                      "FTA-LSTM: attention", "FTA-LSTM: Shapley values"]
    one = table[table["model"] == "FTA-LSTM"].reset_index()
    attention, shapley = (mesh(ax).get_array().reshape(2, 8) for ax in panels(fig)[2:])
    np.testing.assert_allclose(attention[0], one["attention"][:8])
    assert attention.mask[1].all() and not attention.mask[0].any()
    np.testing.assert_allclose(shapley.ravel(), one["shapley"])
    assert bars(fig)[0].get_ylabel() == "share (all alike: 0.125)"
    assert mesh(panels(fig)[0]).norm is mesh(panels(fig)[3]).norm


@pytest.mark.parametrize("draw, table", [(explain.shapley_days, days()), (explain.shapley_features, groups()),
                                         (explain.attention_and_shapley, shares())])
def test_two_values_for_one_place_are_an_error(draw, table):
    with pytest.raises(ValueError, match="several values"):
        draw(pd.concat([table, table.iloc[:1]]))
