"""Figures of scores and costs of gridded networks: loss curves, radar chart, bars beside print."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter

from smlib.plots.cost import learning_curves, short_number
from smlib.plots.field_series import FLOOR, limits, number
from smlib.plots.skill import LOSSES
from smlib.plots.style import METRICS, figure, house, legend, looks, no_data, nothing, once

SCORES = ("MSE", "MAE", "R2", "RMSE", "r", "bias")
COSTS = {"train_s": "training time (s)", "epochs": "epoch kept", "size_mib": "size of the weights (MiB)",
         "peak_mib": "peak memory (MiB)"}
WIDE = 50                # ratio of two costs from which on an axis is logarithmic


@house
def loss_curves(history, title=None, label=None):
    """Training and validation loss by epoch, with the epoch that was kept and the cuts of the learning rate.

    Compare Fan et al. 2025.

    Parameters
    ----------
    history : pandas.DataFrame
        Columns ``model, epoch, train_loss, validation_loss`` (scaled MSE) and ``learning_rate``, a row a model and
        epoch.
    title : str, optional
    label : str, optional
        What the loss is, if it is no mean squared error.

    Returns
    -------
    matplotlib.figure.Figure
        `smlib.plots.learning_curves` with a ring at the least validation loss and a mark at the top of the panel over
        every epoch that began with a lower learning rate.
    """
    if history.empty:
        return nothing(title)
    fig = learning_curves.__wrapped__(history, title=title, columns=3)  # in the style of this figure, not its own
    ring = {"color": "0.15", "marker": "o", "markersize": 8, "markerfacecolor": "none", "linestyle": "none"}
    cut = {"color": "0.35", "marker": "v", "markersize": 5, "linestyle": "none"}
    any_cut = False
    for ax in fig.axes:
        if label and ax.get_ylabel():
            ax.set_ylabel(label)
        here = history[history["model"] == ax.get_title(loc="left")].sort_values("epoch")
        if here[["train_loss", "validation_loss"]].isna().all(axis=None):
            no_data(ax)
        if here["validation_loss"].notna().any():
            best = here.loc[here["validation_loss"].idxmin()]
            ax.plot(best["epoch"], best["validation_loss"], zorder=4, clip_on=False, **ring)
            ax.set_title(f"{best['model']}\nepoch {best['epoch']:.0f} of {here['epoch'].max():.0f} kept")
        if "learning_rate" in here:
            cuts = here.loc[here["learning_rate"].astype(float).diff() < 0, "epoch"]
            if len(cuts):  # an unclipped line without a point has no extent, and the layout fails
                ax.plot(cuts, np.full(len(cuts), 0.97), transform=ax.get_xaxis_transform(), clip_on=False, **cut)
            any_cut |= len(cuts) > 0
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    old = fig.legends[0]
    handles, labels = list(old.legend_handles), [text.get_text() for text in old.get_texts()]
    old.remove()
    handles.append(Line2D([], [], **ring))
    labels.append("epoch kept: least validation loss")
    if any_cut:
        handles.append(Line2D([], [], **cut))
        labels.append("learning rate cut")
    legend(fig, handles, labels)
    return fig


@house
def radar(table, metrics=("MAE", "R2", "RMSE", "r", "bias"), title=None):
    """Several metrics of several models in one radar chart: outward is better (compare Fan et al. 2025).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, metric, value``, a row a model and metric.
    metrics : sequence of str
        An axis each. Every axis runs from the worst of the models, on the inner ring, to the best, on the rim; of the
        bias it is the size that counts.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        The two ends of an axis are written beside its name. A model without a value has a gap there.
    """
    once(table, ["model", "metric"], "select one experiment")
    if table.empty:
        return nothing(title)
    styles = looks(table["model"])
    values = table.pivot(index="model", columns="metric", values="value").reindex(
        index=list(styles), columns=list(metrics)).astype(float)
    fig = figure(8.0, 6.4)
    ax = fig.add_subplot(projection="polar")
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    angles = 2 * np.pi * np.arange(len(metrics)) / len(metrics)
    scaled, written = values.copy(), []
    for metric in metrics:
        one = values[metric].abs() if metric == "bias" else values[metric]
        lower_is_better = metric in (*LOSSES, "bias")
        worst, best = (one.max(), one.min()) if lower_is_better else (one.min(), one.max())
        scaled[metric] = (one - worst) / (best - worst) if best != worst else one * 0 + 1
        name, _, unit = METRICS.get(metric, metric).partition(" (")
        name = f"|{name}|" if metric == "bias" else name
        written.append("\n".join([f"{name} ({unit}" if unit else name, "no data" if one.isna().all() else
                                  f"rim {number(best)}\ninner ring {number(worst)}"]))
    for model, look in styles.items():
        r = 0.2 + 0.8 * scaled.loc[model].to_numpy()
        ax.plot(np.append(angles, angles[:1]), np.append(r, r[:1]), label=model, **(look | {"linewidth": 1.7}))
    ax.set_ylim(0, 1.04)
    ax.set_yticks([0.2, 0.6, 1.0], [])
    ax.set_xticks(angles, [""] * len(angles))
    for angle, text in zip(angles, written, strict=True):
        right, up = np.sin(angle).round(6), np.cos(angle).round(6)
        ax.annotate(text, (angle, 1.04), xytext=(9 * right, 9 * up), textcoords="offset points", fontsize=9,
                    ha="left" if right > 0.1 else "right" if right < -0.1 else "center",
                    va="bottom" if up > 0.5 else "top" if up < -0.5 else "center")
    ax.grid(color="0.75")
    ax.spines["polar"].set_visible(False)
    if values.isna().all(axis=None):
        no_data(ax)
    legend(fig, *ax.get_legend_handles_labels())
    fig.suptitle(title or "Outward is better:\ninner ring the worst of these models, rim the best")
    return fig


@house
def metric_bars(table, title=None, floor=FLOOR):
    """Pooled scores, ours beside print, a panel a metric (compare Fan et al. 2025, Tables 2 and 3).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, metric, printed, value, low, high``: NaN where there is none (baselines are not printed).
    title : str, optional
    floor : float
        Where the axis of R2 ends; what lies below it ends in an arrow with its value.

    Returns
    -------
    matplotlib.figure.Figure
        Full bars are ours, with their interval; hollow ones are printed.
    """
    once(table, ["model", "metric"], "select one experiment")
    if table.empty:
        return nothing(title)
    metrics = [m for m in SCORES if (table["metric"] == m).any()]
    metrics += [m for m in dict.fromkeys(table["metric"]) if m not in metrics]
    fig, axes, models = _panels(table, metrics, METRICS)
    for ax, metric in zip(axes, metrics, strict=True):
        rows = table[table["metric"] == metric].set_index("model")
        low, high = limits(rows.reindex(columns=["printed", "value", "low", "high"]), metric, floor)
        ax.set_xlim(min(low, 0.0), high)
        ax.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        _pairs(ax, rows, models, low)
        if (rows[["printed", "value"]] < low).any(axis=None):
            ax.set_xlabel(f"axis ends at {number(low)}", color="0.3", fontsize=9)
        ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.xaxis.set_major_formatter(lambda x, _: number(x))
    _finish(fig, table, title)
    return fig


@house
def cost_bars(table, title=None):
    """What training costs, ours beside print, a panel a cost (compare Fan et al. 2025, Table 1).

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model, metric, printed, value``; metrics ``train_s`` (s), ``epochs``, ``size_mib``, ``peak_mib``
        (MiB). NaN where there is none.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Full is ours, hollow printed, with the numbers. Dots on a logarithmic axis, where a bar would have no length,
        stand for the bars where values differ by more than a factor of 50.
    """
    once(table, ["model", "metric"], "select one device")
    if table.empty:
        return nothing(title)
    metrics = [m for m in COSTS if (table["metric"] == m).any()]
    metrics += [m for m in dict.fromkeys(table["metric"]) if m not in metrics]
    fig, axes, models = _panels(table, metrics, COSTS, columns=2, width=4.2)
    for ax, metric in zip(axes, metrics, strict=True):
        rows = table[table["metric"] == metric].set_index("model")
        known = rows[["printed", "value"]].to_numpy(float)
        known = known[known > 0]
        logarithmic = len(known) > 0 and known.max() > WIDE * known.min()
        if logarithmic:
            span = np.log10(known.max() / known.min())
            ax.set_xscale("log")
            ax.set_xlim(known.min() / 1.5, known.max() * 10 ** (0.28 * span))  # room for the numbers
            ax.xaxis.set_major_locator(LogLocator(numticks=6))
            ax.xaxis.set_major_formatter(LogFormatterSciNotation())
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.set_xlim(0, 1.3 * known.max() if len(known) else 1)
            ax.xaxis.set_major_locator(MaxNLocator(5))
        _pairs(ax, rows, models, 0.0, dots=logarithmic, numbers=True)
    _finish(fig, table, title)
    return fig


def _panels(table, metrics, labels, columns=3, width=3.1):
    """A figure with a panel a metric, a row a model; the first panel of each line of panels names the models."""
    models = list(looks(table["model"]))
    columns = min(columns, len(metrics))
    lines = -(-len(metrics) // columns)
    fig = figure(max(5.0, width * columns + 0.07 * max(map(len, models))),
                 lines * (0.36 * len(models) + 1.0) + 0.9)
    axes = fig.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for ax, metric in zip(axes, metrics, strict=False):
        ax.set_title(labels.get(metric, metric))
        ax.grid(False, axis="y")
    axes[0].set_yticks(range(len(models)), models)
    axes[0].set_ylim(len(models) - 0.4, -0.6)
    for ax in axes[len(metrics):]:
        ax.remove()
    return fig, list(axes[:len(metrics)]), models


def _pairs(ax, rows, models, low, dots=False, numbers=False):
    """Ours (full) over printed (hollow) for every model, with an arrow and the value for what is below `low`."""
    if rows[["printed", "value"]].isna().all(axis=None):
        no_data(ax)
    for y, (model, look) in enumerate(looks(models).items()):
        if model not in rows.index:
            continue
        row = rows.loc[model]
        for value, at, face in ((row["value"], y - 0.19, look["color"]), (row["printed"], y + 0.19, "white")):
            if np.isnan(value):
                continue
            if dots:
                ax.plot(value, at, marker="o", markersize=6.5, color=look["color"], markerfacecolor=face, zorder=3)
            else:
                ax.barh(at, max(value, low), height=0.32, facecolor=face, edgecolor=look["color"], linewidth=1.3,
                        zorder=2)
            if value < low:
                ax.annotate(f"← {number(value)}", (0, at), xytext=(4, 0), textcoords="offset points", va="center",
                            fontsize=9, color=look["color"])
            elif numbers:
                ax.annotate(short_number(value), (value, at), xytext=(7, 0), textcoords="offset points", va="center",
                            fontsize=9, color="0.25")
        ends = rows.reindex(columns=["low", "high"]).loc[model].to_numpy(float)
        if np.isfinite(ends).all() and ends[1] > low:
            for colour, width in (("white", 3.2), ("black", 1.4)):  # seen on bars of any colour
                ax.hlines(y - 0.19, max(ends[0], low), ends[1], color=colour, linewidth=width, zorder=3)



def _finish(fig, table, title):
    entries = {"ours": Patch(facecolor="0.35", edgecolor="0.35")}
    if table["printed"].notna().any():
        entries["printed"] = Patch(facecolor="white", edgecolor="0.35")
    if table.reindex(columns=["low", "high"]).notna().all(axis=1).any():
        entries["95 % interval"] = Line2D([], [], color="black", linewidth=1.4)
    legend(fig, list(entries.values()), list(entries))
    if title:
        fig.suptitle(title)
