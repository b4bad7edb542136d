"""Figures that explain models: Shapley values, embeddings of hidden states, attention weights."""

import math
import textwrap

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.patches import Rectangle
from matplotlib.scale import AsinhScale

from smlib.data.schema import VARIABLES
from smlib.plots.series import MISSING
from smlib.plots.style import MOISTURE, STYLE, WET, figure, grid, house, in_order, ink, once
from smlib.wording import signed

ADVICE = "select one site and level, or average"
SIZE = "mean |Shapley value| (m³ m⁻³)"
ROOT = 0.5       # colours of Shapley sizes go with the square root: moisture is many times the rest
LINEAR = 0.001   # Shapley values beyond this (m3 m-3) are drawn on a logarithmic axis, for the same reason


@house
def shapley_days(table, title=None):
    """Mean absolute Shapley value of every input, a panel a model: days down, features across (Wang et al., Fig. 14).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, feature, day, mean_abs, sampling_error`` (as `smlib.explain.importance` gives them, m3 m-3) and
        ``gap``, the additivity gap of that model (m3 m-3). The title states the largest of both.
    title : str, optional
        What stands before that.

    Returns
    -------
    matplotlib.figure.Figure
        One colour scale for all panels; a cell that is not in the table is grey and hatched.
    """
    once(table, ["model", "feature", "day"], ADVICE)
    models, features = in_order(table["model"]), list(dict.fromkeys(table["feature"]))
    days = sorted(table["day"].unique())
    norm = PowerNorm(ROOT, 0, table["mean_abs"].max() or 1)
    fig, axes = grid(len(models), "", "day", columns=3, width=3.0, height=0.27 * len(days) + 0.75, extra=1.5)
    for ax, model in zip(axes, models, strict=True):
        one = table[table["model"] == model].pivot(index="day", columns="feature", values="mean_abs")
        image = _cells(ax, one.reindex(index=days, columns=features).to_numpy(float), norm)
        ax.set_xticks(np.arange(len(features)) + 0.5, [_written(f, "symbol") for f in features],
                      fontsize=0.8 * matplotlib.rcParams["xtick.labelsize"])
        ax.set_yticks(np.arange(len(days)) + 0.5, ["t" if d == 0 else f"t − {-d:g}" for d in days])
        ax.set_title(model)
    _bar(fig, image, axes, SIZE)
    _below(fig, _key(features, " of the day before"))
    _title(fig, title, _quality(table))
    return fig


@house
def shapley_features(table, title=None):
    """Mean absolute Shapley value of every feature, models down and features across, written in each cell.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, feature, mean_abs, sampling_error, gap``, as for `shapley_days`, of values of whole features;
        with a column ``target``, a panel each.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Numbers in 0.001 m3 m-3, that is per mille of the volume.
    """
    table = table if "target" in table else table.assign(target="")
    once(table, ["target", "model", "feature"], ADVICE)
    models, features = in_order(table["model"]), list(dict.fromkeys(table["feature"]))
    targets = list(dict.fromkeys(table["target"]))
    norm = PowerNorm(ROOT, 0, table["mean_abs"].max() or 1)
    fig = figure(0.55 * len(features) + 3.4, (0.27 * len(models) + 0.4) * len(targets) + 3.2)
    axes = fig.subplots(len(targets), 1, sharex=True, squeeze=False)[:, 0]
    for ax, target in zip(axes, targets, strict=True):
        one = table[table["target"] == target].pivot(index="model", columns="feature", values="mean_abs")
        values = one.reindex(index=models, columns=features).to_numpy(float)
        image = _cells(ax, values, norm)
        _write(ax, 1000 * values, values, norm, "{:.1f}")
        ax.set_yticks(np.arange(len(models)) + 0.5, models)
        ax.set_title(f"target: {target}" if target else "")
    _slanted(axes[-1], [_written(f, "long_name") for f in features])
    _bar(fig, image, axes, SIZE)
    _title(fig, title, "numbers in 0.001 m³ m⁻³; " + _quality(table))
    return fig


@house
def shapley_values(table, title=None):
    """Every Shapley value of the features, a panel a model: how far, which way, and for which values of the feature.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, input, value, sampling_error`` (m3 m-3) and ``data`` (the feature), as
        `smlib.explain.values_table` gives them for values of whole features, and ``gap``.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        The axis is linear to 0.001 m3 m-3 and logarithmic beyond. Dots are pushed apart where they would cover each
        other; colour is the rank of the feature among its values.
    """
    models, features = in_order(table["model"]), list(dict.fromkeys(table["input"]))
    fig, axes = grid(len(models), "Shapley value (m³ m⁻³)", "", width=3.4, height=0.27 * len(features) + 0.7,
                     extra=1.5)
    scale = AsinhScale(None, linear_width=LINEAR).get_transform()
    bound = 1.5 * max(table["value"].abs().max(), LINEAR)
    ticks = [t for t in (-0.1, -0.01, 0, 0.01, 0.1) if abs(t) < bound] if bound > 0.01 else [-LINEAR, 0, LINEAR]
    for ax, model in zip(axes, models, strict=True):
        one = table[table["model"] == model]
        ax.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        for y, feature in enumerate(features):
            here = one[one["input"] == feature]
            place = scale.transform(here["value"].to_numpy(float)) / scale.transform(bound)
            dots = ax.scatter(here["value"], y + _swarm(place), s=6, linewidth=0, zorder=3,
                              c=here["data"].rank(pct=True), cmap="cividis", norm=Normalize(0, 1), rasterized=True)
        ax.set_xscale("asinh", linear_width=LINEAR)
        ax.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
        ax.minorticks_off()
        ax.set_yticks(range(len(features)), [_written(f, "symbol") for f in features])
        ax.set_ylim(len(features) - 0.4, -0.6)
        ax.set_xlim(-bound, bound)
        ax.set_title(model)
    _bar(fig, dots, axes, "value of the feature").set_ticks([0, 1], labels=["low", "high"])
    _below(fig, _key(features))
    _title(fig, title, _quality(table))
    return fig


@house
def embedding_panels(points, order, title=None):
    """t-SNE of inputs and hidden states, coloured by soil moisture (Wang et al., Fig. 15), with R2 in each title.

    Parameters
    ----------
    points, order : pandas.DataFrame
        From `smlib.explain.embeddings`: ``model, x, y, moisture`` and ``model, r2``. Panels stand in the order of
        `points`; a row of `order` without points ("last moisture") goes into the title.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(dict.fromkeys(points["model"]))
    r2 = order.set_index("model")["r2"]
    fig, axes = grid(len(names), "", "", columns=4 if len(names) > 9 else 3, width=2.1, height=2.4, extra=1.2)
    norm = Normalize(points["moisture"].min(), points["moisture"].max())
    for ax, name in zip(axes, names, strict=True):
        one = points[points["model"] == name]
        dots = ax.scatter(one["x"], one["y"], c=one["moisture"], s=7, linewidth=0, cmap="viridis", norm=norm,
                          rasterized=True)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_aspect("equal", adjustable="datalim")
        ax.spines[["top", "right"]].set_visible(True)
        ax.set_title(f"{name}\nR² {signed(r2[name])}")
    _bar(fig, dots, axes, MOISTURE)
    rest = [f"{name} alone: {signed(value)}" for name, value in r2.items() if name not in names]
    _title(fig, title, "; ".join(["R² of soil moisture from neighbours in the plane", *rest]))
    return fig


@house
def attention_and_shapley(table, agreement=None, title=None):
    """Shares of attention, by level, beside those of the Shapley values of the same networks (Wang et al., Fig. 12).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, level, item, attention, shapley``: shares of one axis (features, or days), summing to 1 over
        the items, NaN where not known; and ``sampling_error, gap`` of the Shapley values (m3 m-3). Levels stand in
        their order in the table.
    agreement : pandas.DataFrame, optional
        Columns ``model, rho``: the mean rank correlation, for the titles.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Two panels a model, side by side for up to four items, one colour scale.
    """
    once(table, ["model", "level", "item"], ADVICE)
    models = in_order(table["model"])
    items, levels = (list(dict.fromkeys(table[column])) for column in ("item", "level"))
    rho = {} if agreement is None else agreement.set_index("model")["rho"].to_dict()
    norm = Normalize(0, table[["attention", "shapley"]].max(axis=None))
    beside = 2 if len(items) <= 4 else 1  # panels in a row; more items leave no room for their numbers
    fig = figure(beside * max(0.55 * len(items), 2.0) + 3.2,
                 2 / beside * len(models) * (0.28 * len(levels) + 0.5) + 2.6)
    axes = fig.subplots(2 * len(models) // beside, beside, sharex=True, sharey=True, squeeze=False)
    bottom, axes = axes[-1], axes.reshape(-1, 2)
    for row, model in zip(axes, models, strict=True):
        for ax, source in zip(row, ("attention", "shapley"), strict=True):
            one = table[table["model"] == model].pivot(index="level", columns="item", values=source)
            values = one.reindex(index=levels, columns=items).to_numpy(float)
            image = _cells(ax, values, norm)
            _write(ax, values, values, norm, "{:.2f}")
            ax.set_yticks(np.arange(len(levels)) + 0.5, levels)
        row[0].set_title(f"{model}: attention")
        rank = f", rank correlation {signed(rho[model])}" if model in rho else ""
        row[1].set_title(f"{model}: Shapley values{rank}")
    for ax in bottom:
        _slanted(ax, [_written(i, "long_name") for i in items])
    _bar(fig, image, axes, f"share (all alike: {1 / len(items):.3g})")
    _title(fig, title, "Shapley values: " + _quality(table))
    return fig


def _cells(ax, values, norm):
    """A heatmap with its first row on top; what is missing is hatched."""
    image = ax.pcolormesh(np.ma.masked_invalid(values), cmap=WET, norm=norm, edgecolors="white", linewidth=0.8)
    for i, j in np.argwhere(np.isnan(values)):
        ax.add_patch(Rectangle((j, i), 1, 1, **MISSING))
    ax.set_ylim(len(values), 0)
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image


def _write(ax, numbers, values, norm, form):
    """Numbers in the cells, white on the dark ones."""
    for (i, j), number in np.ndenumerate(numbers):
        if np.isfinite(number):
            ax.text(j + 0.5, i + 0.5, form.format(number), ha="center", va="center", fontsize=9,
                    color=ink(WET(norm(values[i, j]))))


def _bar(fig, drawn, axes, label):
    """A colour bar of at most four inches, whatever the height of the figure."""
    return fig.colorbar(drawn, ax=axes, label=label, shrink=min(0.9, 4 / fig.get_figheight()), aspect=20)


def _wrapped(fig, text, letters):
    """`text` in lines of at most `letters` an inch."""
    return textwrap.fill(text, int(letters * fig.get_figwidth()))


def _below(fig, text):
    grown = matplotlib.rcParams["xtick.labelsize"]
    fig.supxlabel(_wrapped(fig, text, 13 * STYLE["xtick.labelsize"] / grown), fontsize=grown)


def _title(fig, *parts):
    letters = 11 * STYLE["figure.titlesize"] / matplotlib.rcParams["figure.titlesize"]
    lines = [_wrapped(fig, part, letters) for part in parts if part]
    if lines:
        fig.suptitle("\n".join(lines))


def _slanted(ax, names):
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 6 else {}
    ax.set_xticks(np.arange(len(names)) + 0.5, names, **slant)


def _swarm(place):
    """Heights in -0.4 ... 0.4 that push apart the dots that fall into one of 120 bins of the axis, -1 ... 1."""
    bins = np.floor(60 * place)
    order = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    step = (order + 1) // 2 * np.where(order % 2, 1, -1)
    return 0.4 * step / max(8, np.abs(step).max(initial=0))


def _quality(table):
    """What the title must say of the numbers."""
    gap, error = table["gap"].max(), table["sampling_error"].max()
    return f"additivity gap at most {_at_most(gap)} m³ m⁻³, " + (
        f"sampling error at most {_at_most(error)} m³ m⁻³" if error > 0 else "no sampling error (exact)")


def _at_most(value):
    """Two digits, rounded up, and a power of ten below 0.001."""
    if value == 0:
        return "0"
    power = math.floor(math.log10(value))
    digits = math.ceil(value / 10.0 ** (power - 1) - 1e-9) / 10
    if digits == 10:
        digits, power = 1, power + 1
    if power >= -3:
        return f"{digits * 10.0**power:.{1 - power}f}"
    return f"{digits:g}·10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _written(name, part):
    return getattr(VARIABLES[name], part) if name in VARIABLES else str(name)


def _key(features, moisture=""):
    """What the symbols stand for; `moisture` is added to that of soil moisture."""
    return ", ".join(f"{VARIABLES[f].symbol} {VARIABLES[f].long_name}" + (moisture if f == "soil_moisture" else "")
                     for f in features if f in VARIABLES)
