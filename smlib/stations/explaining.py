"""Why the models of the station study say what they say: Shapley values, hidden states, attention, level by level."""

import re

import numpy as np
import pandas as pd
import torch

from smlib import explain, wording
from smlib.data.windows import Windows
from smlib.evaluate.entrants import entrant
from smlib.models import BASELINES, NETWORKS
from smlib.wording import count, items, signed, within

ATTENTION = ("FA-LSTM", "TA-LSTM", "FTA-LSTM")


def check_settings(models, rows, background, pairs):
    """Raise `ValueError` for what cannot be explained, before anything is trained."""
    if not set(models) - set(BASELINES):
        raise ValueError("models must hold one that is no baseline: there is nothing to explain")
    for name, value, least in (("rows", rows, 1), ("background", background, 2), ("pairs", pairs, 2)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}")


def spread(windows, count):
    """At most `count` rows of `windows`, spread evenly over time."""
    return windows[np.unique(np.linspace(0, len(windows) - 1, min(count, len(windows))).round().astype(int))]


def windows_of_test(level):
    """The first window of every test origin, scaled, with the moisture of its target day in m3 m-3 as y.

    Raises
    ------
    ValueError
        If one day ahead is not among the leads, for then that moisture is not at hand.
    """
    test = level.test
    if 1 not in test.leads:
        raise ValueError(f"leads must hold 1 to explain forecasts for one day ahead, not {test.leads}")
    lookback = test.moisture.shape[1]
    x = np.concatenate([test.drivers[:, :lookback], test.moisture[..., None]], axis=2)
    return Windows(x, test.observed[:, test.leads.index(1)], test.time + np.timedelta64(1, "D"))


def network_of_model(model):
    """The torch network inside a fitted estimator, or None."""
    return getattr(getattr(model, "model_", model), "network_", None)


def shapley_tables(study, k, *, rows=40, background=50, pairs=4, seed=0):
    """Shapley values of every fitted model at level `k` of the study, first repetition, in m3 m-3.

    Background rows are windows of the training period, explained rows of the test period, both spread evenly.

    Returns
    -------
    tables : dict of DataFrame
        - features: exact values of the variables, all days of one together: model, target, feature, mean_abs, gap, ...
        - values: the same row by row, of the moisture as target
        - inputs: every variable on every day, of the moisture as target: sampled for networks, exact for RF and HistGB
    exact : dict of entrant -> shap.Explanation
        The exact explanations.
    """
    level = study.levels[k]
    x, ground = spread(windows_of_test(level), rows).x, spread(level.train, background).x
    names, features, values, inputs, kept = level.series.features, [], [], [], {}
    for (name, target), models in study.fitted.items():
        if name in BASELINES:
            continue
        model = models[k][0]
        f = explain.predictor(model, level.scaler)
        found = explain.exact_grouped(f, x, ground, names)
        gap = explain.additivity_gap(found, f, x)[0]
        tags = {"model": name, "target": target, "gap": gap}
        kept[entrant(name, target)] = found
        features.append(explain.importance(found, names).assign(**tags))
        if target == "value":
            values.append(explain.values_table(found).assign(**tags))
            if name in NETWORKS:
                each = explain.sampled(f, x, ground, names, pairs=pairs, seed=seed)
            elif name in ("RF", "HistGB"):
                scale = level.scaler.moisture_
                each = explain.tree(model.regressor_, x, ground, names, scale=scale.data_range_[0],
                                    offset=scale.data_min_[0])
            else:
                continue
            inputs.append(explain.importance(each, names).assign(
                model=name, target=target, gap=explain.additivity_gap(each, f, x)[0]))
    tables = {"features": features, "values": values, "inputs": inputs}
    return {key: pd.concat(t, ignore_index=True) if t else pd.DataFrame() for key, t in tables.items()}, kept


def hidden_states(study, k):
    """The test windows of level `k` and the last hidden state of each network there (target: the moisture).

    Returns
    -------
    windows : Windows, y in m3 m-3
    rows : mapping of ``inputs`` and model -> (n, ...)
    """
    windows = windows_of_test(study.levels[k])
    found = {"inputs": windows.x}
    for (name, target), models in study.fitted.items():
        network = network_of_model(models[k][0])
        if network is not None and target == "value":
            p = next(network.parameters())
            with torch.inference_mode():
                x = torch.as_tensor(windows.x, dtype=p.dtype, device=p.device)
                found[name] = network.hidden_state(x).cpu().numpy()
    return windows, found


def attention_tables(study, *, rows=40, background=50, pairs=4, seed=0):
    """Attention beside Shapley values, of every level and every attention network (first repetition).

    Returns
    -------
    shares : DataFrame
        Columns model, site, level, axis, item, attention, shapley, sampling_error, gap; empty without attention.
    agreements : DataFrame
        Columns model, site, level, axis, rho, items, contrast; empty without attention.
    """
    shares, agreements = [], []
    for k, level in enumerate(study.levels):
        x, ground = spread(windows_of_test(level), rows).x, spread(level.train, background).x
        names = list(level.series.features)
        for name in ATTENTION:
            if (name, "value") not in study.fitted:
                continue
            model = study.fitted[name, "value"][k][0]
            network, f = model.network_, explain.predictor(model, level.scaler)
            p = next(network.parameters())
            with torch.inference_mode():
                weights = {axis: w.cpu().numpy() for axis, w in
                           network.attention(torch.as_tensor(x, dtype=p.dtype, device=p.device)).items()}
            found = explain.sampled(f, x, ground, names, pairs=pairs, seed=seed)
            attention = explain.attention_shares(weights, names)
            shapley = explain.shapley_shares(found, names)
            tags = {"model": name, "site": level.series.site, "level": f"{level.series.site}, {level.series.label}"}
            both = attention.merge(shapley, on=["axis", "item"], suffixes=("_attention", "_shapley")).rename(
                columns={"share_attention": "attention", "share_shapley": "shapley"})
            shares.append(both.assign(sampling_error=np.sqrt((found.error_std**2).mean()),
                                      gap=explain.additivity_gap(found, f, x)[0], **tags))
            agreements.append(explain.agreement(attention, shapley).assign(**tags))
    return tuple(pd.concat(t, ignore_index=True) if t else pd.DataFrame() for t in (shares, agreements))


def answer(features, order, agreement):
    """The page's answer and the numbers behind it, both Markdown, from the tables of the page."""
    total = features.groupby(["model", "target"])["mean_abs"].transform("sum")
    share = features.assign(share=features["mean_abs"] / total)
    moisture = share[(share["feature"] == "soil_moisture") & (share["target"] == "value")].sort_values("share")
    r2 = order.set_index("model")["r2"]
    hidden, alone = r2.drop(["inputs", "last moisture"]), r2["last moisture"]
    said = []
    if len(moisture):
        ends = [f"{row.share:.0%} ({row.model})" for row in moisture.iloc[sorted({0, len(moisture) - 1})].itertuples()]
        said.append(f"past moisture makes {' to '.join(ends)} of the Shapley values")
    if len(hidden):
        above = int((hidden > alone).sum())
        said.append(f"{above} of {count(len(hidden), 'network')} {'orders' if above == 1 else 'order'} days better "
                    "than the last moisture alone")
    rho = agreement["rho"].dropna() if len(agreement) else ()
    if len(rho):
        ends = dict.fromkeys((signed(rho.min()), signed(rho.max())))
        said.append(f"attention follows Shapley values with ρ {' to '.join(ends)}")
    if not said:
        said = ["no model here learns the moisture itself; what the others take is listed below"]
    bare = [re.sub(r"% \([^)]*\)", "%", words) for words in said]
    largest = [f"{entrant(model, target)}: " + ", ".join(
        f"{row.feature.replace('_', ' ')} {row.share:.0%}" for row in here.nlargest(3, "share").itertuples())
        for (model, target), here in share.groupby(["model", "target"], sort=False)]
    return wording.answer(*(_sentence(words) for words in (said, bare, bare[:2], bare[:1]))), "\n\n".join([
        "The largest shares in the mean absolute Shapley values of a one-day forecast:", items(largest),
        "What the networks hold and look at:" if len(hidden) or len(rho) else "No model here is a network.",
        items(_of_networks(hidden, alone, agreement))]).rstrip()


def _sentence(clauses):
    words = "; ".join(clauses)
    return f"{words[0].upper()}{words[1:]}."


def _of_networks(hidden, alone, agreement):
    lines = [f"{name}: its hidden states, embedded, are ordered by moisture with an R² of {signed(value)}; the last "
             f"measured moisture alone orders the days with {signed(alone)}." for name, value in hidden.items()]
    return lines + [f"{row.model}: attention over the {row.axis}s has a rank correlation of {signed(row.rho)}"
                    f"{within(row.low, row.high)} with Shapley values, mean over {count(row.n, 'site')}."
                    for row in agreement.itertuples()]
