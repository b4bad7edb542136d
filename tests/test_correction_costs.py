"""Costs of the correction study: every fitted model that is scored has a row, and its seconds are its own."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_correction_mlstm import KEY, made_study

from smlib.correction import costs, fits, tables
from smlib.correction.baselines import BASELINES
from smlib.correction.study import Entry, Estimates

MEMBERS = len(made_study().networks[KEY[0]].folds.members)


def trained(seconds, networks=MEMBERS):
    """As `mlstm.Trained`, of networks that took `seconds` each."""
    ensemble = SimpleNamespace(network=torch.nn.Linear(2, 1), epochs=np.full(networks, 3),
                               seconds=np.full(networks, seconds))
    return SimpleNamespace(jobs=[None] * networks, ensemble=ensemble)


def rows(table, metric):
    return table[table["metric"] == metric].set_index("model")["value"].to_dict()


def test_every_fitted_model_that_is_scored_has_its_seconds_to_fit():
    """On both pages, whatever baselines there are; what has not been fitted has none."""
    here, made = made_study(), np.zeros((MEMBERS, 6, len(made_study().networks[KEY[0]].points.time)))
    entries = [Entry("LEP"), Entry("LEP", 0.0), Entry("LEP", 0.5, "LEP")]
    without, seconds = fits.baselines(here)
    scored = tables.of_stage_2({(*KEY, entry): made for entry in entries}, without)
    stage_2 = costs.of_fits({(*KEY, entry): trained(2.0) for entry in entries}, seconds)
    without, seconds = fits.estimates_without_network(here)
    first = tables.of_stage_1(Estimates({}, {(*KEY, "LEP"): made}), without)
    stage_1 = costs.of_fits({(KEY[0], "LEP"): trained(2.0)}, seconds)
    for table, methods in ((stage_2, scored), (stage_1, first)):
        skill = tables.tidy(tables.scores(here, methods, ("strict",), ("in situ",), draws=2), "twin")
        assert set(skill["model"]) - set(fits.UNFITTED) == set(rows(table, "fit_s"))
        assert all(0 < value < 60 for value in rows(table, "fit_s").values())
    assert set(BASELINES) | {"MLSTM", "MLSTM, auxiliaries too"} == set(rows(stage_2, "fit_s")) | {"raw"}
    assert rows(stage_2, "networks") == {"MLSTM": 2 * MEMBERS, "MLSTM, auxiliaries too": MEMBERS}


def test_a_fit_is_one_members_share_or_a_baselines_mean():
    found = costs.of_fits({(*KEY, Entry("LEP")): trained(2.0, 3), (*KEY, Entry("FPLE")): trained(4.0, 1)},
                          {(*KEY, "linear"): np.array([0.1, 0.3]), ("other", "SMAP", "linear"): np.array([0.8])})
    assert rows(found, "training_s") == {"MLSTM": 10.0} and rows(found, "networks") == {"MLSTM": 4}
    assert rows(found, "fit_s") == pytest.approx({"MLSTM": 2.5, "linear": 0.4}) and rows(found, "fits") == {"linear": 3}
    assert rows(found, "parameters") == {"MLSTM": 3} and set(found["device"]) <= {"cpu", "cuda"}
    assert set(costs.of_fits({(*KEY, "LEP"): trained(1.0)}, {}, "cuda")["device"]) == {"cuda"}


def test_the_clock_runs_around_the_fit_alone(monkeypatch):
    """Of a method whose fit takes a second and whose making and forecast take a hundred."""
    clock = SimpleNamespace(now=0.0)

    class Slow:
        def __init__(self):
            clock.now += 100

        def fit(self, *_):
            clock.now += 1
            return self

        def predict(self, values, _):
            clock.now += 100
            return values

    monkeypatch.setattr(fits, "perf_counter", lambda: clock.now)
    monkeypatch.setitem(fits.BASELINES, "linear", lambda *_: Slow())
    for fitted in (fits.baselines, fits.estimates_without_network):
        _, seconds = fitted(made_study(), ["linear"])
        assert [list(spent) for spent in seconds.values()] == [[1.0] * MEMBERS]
