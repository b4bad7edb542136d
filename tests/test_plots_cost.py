"""Figures of cost: drawn from made-up tables, with warnings as errors."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from smlib.evaluate.entrants import SUFFIX
from smlib.plots import cost
from smlib.plots.style import model_style

pytestmark = pytest.mark.filterwarnings("error")
NETWORKS = ("1D-CNN", "LSTM", "GAN-LSTM")


@pytest.fixture(autouse=True)
def no_leaks():
    """Drawing leaves no open pyplot figure and no changed setting."""
    before = dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def texts(fig):
    fig.draw_without_rendering()
    return [t.get_text() for t in fig.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text()]


def history(models=(*NETWORKS, "LSTM" + SUFFIX)):
    epochs = np.arange(1, 51)
    return pd.concat([pd.DataFrame({"model": m, "epoch": epochs, "train_loss": 0.01 / epochs,
                                    "validation_loss": 0.02 / epochs}) for m in models])


def test_learning_curves_have_a_logarithmic_panel_a_model():
    fig = cost.learning_curves(history(), title="Curves")
    panels = {ax.get_title(loc="left"): ax for ax in fig.axes}
    assert set(panels) == set(NETWORKS)
    drawn = [line for line in panels["LSTM"].lines if len(line.get_xdata())]
    assert len(drawn) == 4 and {line.get_color() for line in drawn} == {model_style("LSTM")["color"]}
    assert sorted(line.get_alpha() for line in drawn) == [0.45, 0.45, 1.0, 1.0]
    for ax in panels.values():
        low, high = ax.get_ylim()
        assert ax.get_yscale() == "log" and low < 0.01 / 50 and high > 0.02
    written = set(texts(fig))
    assert {"Curves", "epoch", "loss (scaled MSE)", "training", "validation", "learns the day's change"} <= written
    dashed = [line for line in drawn if line.get_linestyle() == "--"]
    assert {line.get_ydata()[0] for line in dashed} == {0.01}


def test_learning_curves_refuse_what_is_not_averaged():
    with pytest.raises(ValueError, match="average"):
        cost.learning_curves(pd.concat([history(), history()]))


def cost_table(**changes):
    rows = [(m, metric, value) for k, m in enumerate((*NETWORKS, "LSTM" + SUFFIX))
            for metric, value in (("parameters", 1000.0 * (k % 3 + 1)), ("best_epoch", 40.0 + k))]
    rows += [("RF", "bytes", 2.5e6), ("RF", "fit_s", 0.5), ("persistence", "fit_s", 1e-5)]
    return pd.DataFrame(rows, columns=["model", "metric", "value"]).assign(study="stations", device="cpu", **changes)


def test_costs_show_both_targets_and_what_a_model_lacks():
    table = cost_table()
    table.loc[(table["model"] == "LSTM" + SUFFIX) & (table["metric"] == "parameters"), "value"] = 2000.0
    fig = cost.costs(table)
    parameters, size, epochs = fig.axes
    assert parameters.get_title(loc="left") == "parameters" and epochs.get_title(loc="left") == "epochs to the best"
    names = [t.get_text() for t in parameters.get_yticklabels()]
    assert names == ["RF", "LSTM", "1D-CNN", "GAN-LSTM"]
    notes = {ax: [t.get_text() for t in ax.texts] for ax in fig.axes}
    assert notes[parameters] == ["–", "2\u2009000", "1\u2009000", "3\u2009000"]
    assert notes[epochs] == ["–", "41 / 43", "40", "42"] and notes[size] == ["2\u2009500\u2009000", "–", "–", "–"]
    at = [(line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor()) for line in epochs.lines]
    assert (41.0, 1, model_style("LSTM")["color"]) in at and (43.0, 1, "white") in at
    low, high = epochs.get_xlim()
    assert epochs.get_xscale() == "log" and low < 40 and high > 43


def test_costs_leave_out_metrics_that_are_not_there():
    fig = cost.costs(cost_table(), metrics=("fit_s", "forecast_s"))
    assert len(fig.axes) == 1 and {"0.5", "< 0.001", "seconds to fit"} <= set(texts(fig))
    with pytest.raises(ValueError, match="none of the metrics"):
        cost.costs(cost_table(), metrics=("forecast_s",))


def test_costs_of_two_devices_are_not_mixed():
    with pytest.raises(ValueError, match="one study and device"):
        cost.costs(pd.concat([cost_table(), cost_table().assign(device="cuda")]))


def accuracy(**changes):
    rows = [(m, lead, c, 0.9 - 0.02 * lead) for lead in (1, 7)
            for m, c in (("persistence", 0.0), ("RF", 0.5), ("LSTM", 20.0), ("LSTM" + SUFFIX, 30.0))]
    table = pd.DataFrame(rows, columns=["model", "lead_d", "cost", "value"])
    for name, value in changes.items():
        table.loc[table["model"] == "RF", name] = value
    return table


def points(ax):
    return {line.get_xdata()[0]: line for line in ax.lines if len(line.get_xdata()) == 1}


def test_accuracy_against_cost_places_models_and_draws_baselines_as_lines():
    fig = cost.accuracy_against_cost(accuracy(), title="Worth it?")
    one, seven = fig.axes
    assert set(points(one)) == {0.5, 20.0, 30.0} and one.get_xscale() == "log"
    assert points(one)[20.0].get_ydata()[0] == pytest.approx(0.88)
    assert points(one)[30.0].get_markerfacecolor() == "white"
    (line,) = [line for line in one.lines if len(line.get_xdata()) == 2]
    assert list(line.get_ydata()) == pytest.approx([0.88, 0.88])
    assert one.get_ylim() == seven.get_ylim() and one.get_xlim() == seven.get_xlim()
    labels = {t.get_text() for t in fig.legends[0].get_texts()}
    assert {"persistence", "RF", "LSTM", "learns the moisture", "learns the day's change"} == labels
    assert {"Worth it?", "seconds to fit", "median R² over sites", "1 day ahead", "7 days ahead"} <= set(texts(fig))


def test_a_failed_model_does_not_squeeze_the_rest():
    fig = cost.accuracy_against_cost(accuracy(value=-40.0, low=-50.0, high=-30.0))
    ax = fig.axes[0]
    low, high = ax.get_ylim()
    assert low > 0.7 and points(ax)[0.5].get_marker() == "$\\downarrow$"
    assert low < points(ax)[0.5].get_ydata()[0] < high
    assert "off scale" in {t.get_text() for t in fig.legends[0].get_texts()}


def test_accuracy_of_two_devices_is_not_mixed():
    with pytest.raises(ValueError, match="one study and device"):
        cost.accuracy_against_cost(pd.concat([accuracy(), accuracy()]))
