"""Shapley values against brute force over all orders, closed forms, and shap's own for trees."""

import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest
import shap
import torch
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

from smlib.data.windows import Windows, WindowScaler
from smlib.explain import additivity_gap, exact_grouped, importance, input_names, predictor, sampled, tree

DAYS, NAMES = 2, ["rain", "sun", "soil_moisture"]
LINEAR = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, -0.25]])


def linear(rows):
    return rows.reshape(len(rows), -1) @ LINEAR.ravel() + 7


def nonlinear(rows):
    """Interactions of all orders, and a step."""
    a = rows.reshape(len(rows), -1)
    wave = np.tanh(a @ np.linspace(-2, 2, a.shape[1]) + a[:, 0] * a[:, 3])
    return wave + a[:, 1] * a[:, 2] * a[:, 4] + (a[:, 5] > 0.3)


def rows_of(n, seed, features=3, days=DAYS):
    return np.random.default_rng(seed).normal(size=(n, days, features))


def brute(f, x, background, groups):
    """By definition: mean over all orders and background rows of what f changes by as a group joins.

    `groups` is (lookback, feature) with the number of the player of every input.
    """
    players = groups.max() + 1
    values, orders = np.zeros((len(x), players)), list(permutations(range(players)))
    for order in orders:
        rows = np.repeat(background[None], len(x), axis=0)  # (n, b, lookback, feature)
        before = f(rows.reshape(-1, *x.shape[1:])).reshape(rows.shape[:2]).mean(axis=1)
        for player in order:
            rows = np.where(groups == player, x[:, None], rows)
            after = f(rows.reshape(-1, *x.shape[1:])).reshape(rows.shape[:2]).mean(axis=1)
            values[:, player] += (after - before) / len(orders)
            before = after
    return values


SINGLE = np.arange(DAYS * 3).reshape(DAYS, 3)
GROUPED = np.tile(np.arange(3), (DAYS, 1))


# exact, for groups ------------------------------------------------------------------------------------------------

def test_exact_values_are_those_of_brute_force():
    x, background = rows_of(6, 1), rows_of(9, 2)
    found = exact_grouped(nonlinear, x, background, NAMES)
    np.testing.assert_allclose(found.values, brute(nonlinear, x, background, GROUPED), atol=1e-12)
    np.testing.assert_allclose(found.base_values, nonlinear(background).mean(), atol=1e-12)
    np.testing.assert_allclose(found.data, x.mean(axis=1))
    assert list(found.feature_names) == NAMES and found.error_std is None


def test_exact_values_of_a_linear_function_in_closed_form():
    x, background = rows_of(5, 3), rows_of(20, 4)
    found = exact_grouped(linear, x, background, NAMES)
    np.testing.assert_allclose(found.values, (LINEAR * (x - background.mean(axis=0))).sum(axis=1), atol=1e-12)


def test_calls_are_as_large_as_asked_and_do_not_matter():
    x, background, sizes = rows_of(3, 5), rows_of(10, 6), []

    def f(rows):
        sizes.append(len(rows))
        return nonlinear(rows)
    one = exact_grouped(f, x, background, NAMES, rows=35).values
    assert max(sizes) == 30 and sum(sizes) == 3 * 8 * 10  # whole coalitions, nothing evaluated twice
    np.testing.assert_allclose(one, exact_grouped(f, x, background, NAMES).values, atol=1e-14)
    sizes.clear()
    sampled(f, x, background, NAMES, pairs=2, rows=45)
    assert max(sizes) <= 45 and sum(sizes) == 3 + 10 + 3 * 10 * 2 * 2 * 5


@pytest.mark.parametrize("method", [exact_grouped, sampled])
def test_what_is_not_used_has_no_value_and_twins_share(method):
    """Day 0 of rain and the whole of sun are not used; the twins enter alike."""
    def f(rows):
        return np.sin(3 * (rows[:, :, 0] * rows[:, :, 2]).sum(axis=1))
    x, background = rows_of(4, 7), rows_of(8, 8)
    x[:, :, 2], background[:, :, 2] = x[:, :, 0], background[:, :, 0]
    values = method(f, x, background, NAMES).values.reshape(4, -1, 3)
    assert np.abs(values[..., 1]).max() < 1e-15 and np.abs(values[..., 0]).min() > 1e-3
    if method is exact_grouped:
        np.testing.assert_allclose(values[..., 0], values[..., 2], atol=1e-12)


def network(seed=0):
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 24), torch.nn.Tanh(), torch.nn.Linear(24, 1))

    @torch.inference_mode()
    def f(rows):
        return net(torch.as_tensor(rows, dtype=torch.float32))[:, 0].numpy()
    return f


@pytest.mark.parametrize("method, least", [(exact_grouped, 1e-5), (sampled, 1e-5)])
def test_values_of_a_float32_network_add_up(method, least):
    f, x, background = network(), rows_of(10, 1, 8, 4), rows_of(20, 2, 8, 4)
    found = method(f, x, background, list("abcdefgh"))
    gap, relative = additivity_gap(found, f, x)
    assert relative < least and gap == pytest.approx(relative * f(x).std())
    found.values[3, 2] += 0.5
    assert additivity_gap(found, f, x)[0] == pytest.approx(0.5, abs=1e-5), "a gap is seen"


# sampled, for single inputs -----------------------------------------------------------------------------------------

def test_sampled_values_lie_within_two_standard_errors_of_brute_force():
    """And not because these are wide: standardised errors have a spread of 1."""
    x, background = rows_of(12, 1), rows_of(50, 2)
    truth = brute(nonlinear, x, background, SINGLE)
    inside, scores = [], []
    for seed in range(20):
        found = sampled(nonlinear, x, background, NAMES, pairs=4, seed=seed)
        error = found.values - truth
        inside.append(np.abs(error) <= 2 * found.error_std + 1e-12)
        scores.append(error / found.error_std)
    assert np.mean(inside) >= 0.95
    assert 0.9 < np.std(scores) < 1.1
    assert np.abs(np.mean(scores, axis=0)).max() < 4 / np.sqrt(20), "unbiased"
    assert 0.001 < np.mean(found.error_std) / nonlinear(x).std() < 0.1


def test_the_standard_error_falls_with_the_root_of_the_pairs():
    x, background = rows_of(10, 1), rows_of(50, 2)
    few, many = (sampled(nonlinear, x, background, NAMES, pairs=p).error_std for p in (10, 160))
    assert np.sqrt((few**2).mean() / (many**2).mean()) == pytest.approx(4, rel=0.1)


def test_sampled_values_of_a_linear_function_are_exact_and_known_to_be():
    x, background = rows_of(5, 3), rows_of(20, 4)
    found = sampled(linear, x, background, NAMES, pairs=2)
    exact = (LINEAR * (x - background.mean(axis=0))).reshape(5, -1)
    np.testing.assert_allclose(found.values, exact, atol=1e-12)
    assert found.error_std.max() < 1e-12


def test_two_way_interactions_are_exact_too():
    """What the reversed order is for: a pair gives each of two inputs half of their interaction."""
    def f(rows):
        a = rows.reshape(len(rows), -1)
        return a[:, 0] * a[:, 4] - 2 * a[:, 2] * a[:, 5]
    x, background = rows_of(5, 3), rows_of(10, 4)
    found = sampled(f, x, background, NAMES, pairs=2)
    np.testing.assert_allclose(found.values, brute(f, x, background, SINGLE), atol=1e-12)


def test_the_same_seed_gives_the_same_bits_and_the_calls_do_not_matter():
    x, background = rows_of(4, 5), rows_of(7, 6)
    one, two, cut = (sampled(nonlinear, x, background, NAMES, seed=3, rows=r) for r in (8192, 8192, 64))
    assert np.array_equal(one.values, two.values) and np.array_equal(one.error_std, two.error_std)
    np.testing.assert_allclose(one.values, cut.values, atol=1e-14)
    assert not np.array_equal(one.values, sampled(nonlinear, x, background, NAMES, seed=4).values)


# members ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", [exact_grouped, sampled])
@pytest.mark.parametrize("own", [False, True])
def test_members_at_once_are_members_alone(method, own):
    """Three networks on the same rows, or each on its own."""
    gains = np.array([0.5, 1.0, 2.0])
    x, background = (np.stack([rows_of(n, s + k) for k in range(3)]) for n, s in ((4, 10), (6, 20)))
    if not own:
        x, background = x[0], background[0]

    def f(rows):
        rows = np.broadcast_to(rows, (3, *rows.shape[-3:]))
        return np.stack([nonlinear(g * r) for g, r in zip(gains, rows, strict=True)])
    together = method(f, x, background, NAMES)
    assert len(together) == 3 and additivity_gap(together, f, x)[0].shape == (3,)
    for k, gain in enumerate(gains):
        alone = method(lambda rows, g=gain: nonlinear(g * rows), x[k] if own else x,
                       background[k] if own else background, NAMES)
        np.testing.assert_allclose(together[k].values, alone.values, atol=1e-13)
        np.testing.assert_allclose(together[k].base_values, alone.base_values, atol=1e-13)
        np.testing.assert_array_equal(together[k].data, alone.data)
        if method is sampled:
            np.testing.assert_allclose(together[k].error_std, alone.error_std, atol=1e-13)


# trees --------------------------------------------------------------------------------------------------------------

FOREST, BOOSTING = RandomForestRegressor(20, max_depth=6, random_state=0), HistGradientBoostingRegressor(max_iter=20)


def grown(model):
    x = rows_of(300, 2)
    return clone(model).fit(x.reshape(300, -1), nonlinear(x))


@pytest.mark.parametrize("model", [FOREST, BOOSTING])
def test_tree_values_are_those_of_brute_force_with_all_of_a_large_background(model):
    """More than 100 background rows, of which shap would draw 100 without a word; training rows, which may lie on
    thresholds."""
    fitted, x, background = grown(model), rows_of(8, 1), rows_of(130, 2)
    x[:4] = background[:4]

    def f(rows):
        return fitted.predict(rows.reshape(len(rows), -1))
    found = tree(fitted, x, background, NAMES)
    # Every single input as a group of its own: a window of one day with six features.
    exact = exact_grouped(f, x.reshape(8, 1, 6), background.reshape(130, 1, 6), list("abcdef"))
    np.testing.assert_allclose(found.values, exact.values, atol=1e-6)
    assert additivity_gap(found, f, x)[1] < 1e-6
    assert list(found.feature_names) == input_names(NAMES, DAYS)


def test_tree_explains_an_increment_in_units():
    fitted, x, background = grown(FOREST), rows_of(8, 1), rows_of(30, 2)

    def f(rows):
        return 0.1 + 0.4 * (fitted.predict(rows.reshape(len(rows), -1)) + rows[:, -1, -1])
    found = tree(fitted, x, background, NAMES, scale=0.4, carry=0.4, offset=0.1)
    exact = exact_grouped(lambda rows: f(rows.reshape(-1, DAYS, 3)), x.reshape(8, 1, 6), background.reshape(30, 1, 6),
                          list("abcdef"))
    np.testing.assert_allclose(found.values, exact.values, atol=1e-6)
    np.testing.assert_allclose(found.base_values, exact.base_values, atol=1e-6)


# tables, names, errors ------------------------------------------------------------------------------------------------

def test_names_of_inputs_say_the_day_that_they_were_measured_on():
    assert input_names(["rain", "soil_moisture"], 3) == ["rain, t-2", "soil_moisture, t-3", "rain, t-1",
                                                         "soil_moisture, t-2", "rain, t", "soil_moisture, t-1"]


def test_importance_is_the_mean_absolute_value():
    values = np.array([[1.0, -2, 3, 0, 0, 6], [-3, 2, 3, 0, 0, 0]])
    errors = np.array([[0.3, 0, 0, 0, 0, 0], [0.4, 0, 0, 0, 0, 0]])
    table = importance(shap.Explanation(values, error_std=errors), NAMES)
    assert table["feature"].tolist() == NAMES * 2 and table["day"].tolist() == [-1, -1, -1, 0, 0, 0]
    assert table["mean_abs"].tolist() == [2, 2, 3, 0, 0, 3] and (table["n"] == 2).all()
    assert table["sampling_error"][0] == pytest.approx(np.sqrt((0.09 + 0.16) / 2))
    groups = importance(shap.Explanation(values[:, :3]), NAMES)
    assert groups["day"].isna().all() and (groups["sampling_error"] == 0).all()
    with pytest.raises(ValueError, match="no multiple of 4"):
        importance(shap.Explanation(values), [*NAMES, "wind"])


def test_predictor_gives_moisture():
    class Double:
        def predict(self, windows):
            return 2 * windows.x[:, -1, -1]
    y = np.linspace(0.1, 0.5, 9)
    scaler = WindowScaler().fit(Windows(np.ones((9, 2, 1)), y, None))
    assert predictor(Double(), scaler)(np.full((3, 2, 1), 0.25)) == pytest.approx(0.3)


def test_shaps_own_plots_draw_the_values():
    import matplotlib.pyplot as plt

    for method in (exact_grouped, sampled):
        found = method(nonlinear, rows_of(6, 1), rows_of(5, 2), NAMES)
        for draw, values in ((shap.plots.beeswarm, found), (shap.plots.bar, found), (shap.plots.waterfall, found[0])):
            draw(values, show=False)
            labels = [t.get_text() for ax in plt.gcf().axes for t in ax.get_yticklabels()]
            assert any(name in " ".join(labels) for name in found.feature_names)
            plt.close("all")
    assert found[2].error_std.shape == (6,) and np.array_equal(found[2].error_std, found.error_std[2])


@pytest.mark.parametrize("change, message", [
    ({"x": rows_of(3, 1)[0]}, "must both be"),
    ({"background": rows_of(3, 1)[None]}, "must both be"),
    ({"background": rows_of(3, 1, features=4)}, "rows alone"),
    ({"background": rows_of(3, 1, days=5)}, "rows alone"),
    ({"names": NAMES[:2]}, "2 names for 3 features"),
    ({"background": rows_of(0, 1)}, "nothing to explain"),
    ({"x": rows_of(0, 1)}, "nothing to explain"),
    ({"f": lambda rows: rows[:, 0]}, "one value a row"),
    ({"f": lambda rows: 0.0}, "one value a row"),
    ({"f": lambda rows: np.full(len(rows), np.nan)}, "not finite"),
])
@pytest.mark.parametrize("method", [exact_grouped, sampled])
def test_what_does_not_fit_is_an_error(method, change, message):
    given = {"f": nonlinear, "x": rows_of(3, 1), "background": rows_of(4, 2), "names": NAMES} | change
    with pytest.raises(ValueError, match=message):
        method(**given)


def test_too_many_groups_and_too_few_pairs_are_errors():
    with pytest.raises(ValueError, match="at most 12"):
        exact_grouped(linear, rows_of(2, 1, 13), rows_of(2, 2, 13), list("abcdefghijklm"))
    with pytest.raises(ValueError, match="at least 2"):
        sampled(nonlinear, rows_of(2, 1), rows_of(2, 2), NAMES, pairs=1)
    with pytest.raises(ValueError, match="no members"):
        tree(None, rows_of(2, 1)[None], rows_of(2, 2)[None], NAMES)


def test_import_leaves_shap_alone():
    """It takes seconds."""
    done = subprocess.run([sys.executable, "-c", "import sys, smlib.explain; sys.exit('shap' in sys.modules)"])
    assert done.returncode == 0
