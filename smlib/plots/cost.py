"""Figures of what the models cost: learning curves, sizes and times, accuracy against time."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from smlib.evaluate.entrants import SUFFIX
from smlib.plots.skill import FLOOR, OFF_SCALE
from smlib.plots.style import BASELINES, figure, grid, house, in_order, legend, looks, model_style, no_data

LABELS = {"parameters": "parameters", "bytes": "size of the weights (bytes)", "epochs": "epochs trained",
          "best_epoch": "epochs to the best",
          "seconds_per_100_epochs": "seconds per 100 epochs", "fit_s": "seconds to fit",
          "forecast_s": "seconds to forecast"}


def _models(entrants):
    return in_order(name.removesuffix(SUFFIX) for name in entrants)


@house
def learning_curves(history, title=None, columns=5):
    """Training and validation loss by epoch, a panel a model (compare Wang et al. 2024, Figs. 9-11, 13).

    Parameters
    ----------
    history : pandas.DataFrame
        Columns ``model, epoch, train_loss, validation_loss`` (in squared scaled moisture), a row an epoch: means over
        what was trained. A model followed by " (increment)" stands in the panel of its model, paler.
    title : str, optional
    columns : int
        The most panels in a row: fewer leave room for long names.

    Returns
    -------
    matplotlib.figure.Figure
        Validation as a line, training dashed; the vertical axis is logarithmic.

    Raises
    ------
    ValueError
        If a model has several rows for an epoch.
    """
    twice = history.duplicated(["model", "epoch"])
    if twice.any():
        raise ValueError(f"several rows for an epoch of {history.loc[twice, 'model'].iloc[0]}: average them first")
    styles = looks(name.removesuffix(SUFFIX) for name in history["model"])
    models = list(styles)
    losses = history[["train_loss", "validation_loss"]].to_numpy(float)
    losses = losses[np.isfinite(losses) & (losses > 0)]
    fig, axes = grid(len(models), "epoch", "loss (scaled MSE)", columns=columns,
                     width=2.2 if columns > 3 else 3.0, height=2.1, extra=1.1)
    lines = {"validation": "-", "training": (0, (4, 2))}
    for ax, model in zip(axes, models, strict=True):
        ax.set_title(model)
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_xlim(0, history["epoch"].max())
        if len(losses):
            ax.set_ylim(0.8 * losses.min(), 1.25 * losses.max())
        for entrant, alpha in ((model + SUFFIX, 0.45), (model, 1.0)):
            here = history[history["model"] == entrant].sort_values("epoch")
            for (name, line), column in zip(lines.items(), ("validation_loss", "train_loss"), strict=True):
                ax.plot(here["epoch"], here[column], linestyle=line, color=styles[model]["color"], alpha=alpha,
                        linewidth=1.3 if name == "validation" else 1.0)
        if not history["model"].isin([model, model + SUFFIX]).any():
            no_data(ax)
    handles = {name: Line2D([], [], color="0.2", linestyle=line) for name, line in lines.items()}
    if history["model"].str.endswith(SUFFIX).any():
        handles |= {"learns the moisture": Line2D([], [], color="0.2", linewidth=3),
                    "learns the day's change": Line2D([], [], color="0.2", linewidth=3, alpha=0.45)}
    legend(fig, list(handles.values()), list(handles))
    if title:
        fig.suptitle(title)
    return fig


@house
def costs(table, metrics=("parameters", "bytes", "seconds_per_100_epochs", "best_epoch"), title=None):
    """What each model costs, a panel a metric, a row a model (compare Wang et al. 2024, Figs. 9-11, 13).

    Parameters
    ----------
    table : pandas.DataFrame
        The tidy cost table (``study, model, device, metric, value``), of one device. Models may be followed by
        " (increment)": hollow, in the row of their model.
    metrics : sequence of str
        Which metrics to draw; those that the table lacks are left out.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        On logarithmic axes, with the number beside the points (of both targets, the change second, where they differ);
        a dash where a model has no such cost.

    Raises
    ------
    ValueError
        If none of the metrics is in the table, or a model has several values for one.
    """
    metrics = [metric for metric in metrics if (table["metric"] == metric).any()]
    if not metrics:
        raise ValueError(f"none of the metrics is in the table: it has {sorted(table['metric'].unique())}")
    table = table[table["metric"].isin(metrics)]
    twice = table.duplicated(["model", "metric"])
    if twice.any():
        raise ValueError(f"several values for {table.loc[twice, 'model'].iloc[0]}: select one study and device")
    models = _models(table["model"])
    fig = figure(2.6 * len(metrics) + 1.5, 0.27 * len(models) + 1.6)
    axes = fig.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for ax, metric in zip(axes, metrics, strict=True):
        values = table[table["metric"] == metric].set_index("model")["value"]
        _cost_panel(ax, values, models)
        ax.set_title(LABELS.get(metric, metric))
    axes[0].set_yticks(range(len(models)), models)
    axes[0].set_ylim(len(models) - 0.4, -0.6)
    if table["model"].str.endswith(SUFFIX).any():
        _target_legend(fig)
    if title:
        fig.suptitle(title)
    return fig


def _cost_panel(ax, values, models):
    shown = values[values > 0]
    ax.set_xscale("log")
    low, high = np.log10([shown.min(), shown.max()])
    span = max(high - low, 1.0)
    ax.set_xlim(10 ** (low - 0.08 * span), 10 ** (high + 0.6 * span))  # room for the numbers
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_minor_formatter(NullFormatter())
    for y, model in enumerate(models):
        names = [name for name in (model, model + SUFFIX) if name in shown.index]
        for name in names[::-1]:
            ax.plot(shown[name], y, zorder=3, **(model_style(name) | {"linestyle": "none"}))
        place = {"va": "center", "fontsize": 8.5, "color": "0.3"}
        if names:
            numbers = dict.fromkeys(short_number(shown[name]) for name in names)
            ax.annotate(" / ".join(numbers), (shown[names].max(), y), xytext=(7, 0), textcoords="offset points",
                        **place)
        else:
            ax.text(0.03, y, "–", transform=ax.get_yaxis_transform(), **place)


def short_number(value):
    """Three significant digits; whole thousands with a thin space between."""
    if value < 0.001:
        return "< 0.001"
    return f"{value:,.0f}".replace(",", "\u2009") if value >= 100 or float(value).is_integer() else f"{value:.3g}"


def _target_legend(fig, handles=(), labels=()):
    dot = {"color": "0.2", "marker": "o", "linestyle": "none"}
    legend(fig, [*handles, Line2D([], [], **dot), Line2D([], [], **dot, markerfacecolor="white")],
           [*labels, "learns the moisture", "learns the day's change"])


@house
def accuracy_against_cost(table, xlabel="seconds to fit", ylabel="median R² over sites", floor=FLOOR, title=None):
    """Accuracy against cost, a panel a lead: the better models are higher, the cheaper ones further left.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model`` (or a model followed by " (increment)": hollow), ``lead_d``, ``cost``, ``value``, and
        ``low, high`` where there are intervals. Persistence and climatology, which cost next to nothing, are lines
        across the panel.
    xlabel, ylabel, title : str
    floor : float
        What lies below it is drawn as an arrow at the lower edge, which is set by the rest.

    Returns
    -------
    matplotlib.figure.Figure
        The horizontal axis is logarithmic.

    Raises
    ------
    ValueError
        If a model has several values for one lead.
    """
    twice = table.duplicated(["model", "lead_d"])
    if twice.any():
        raise ValueError(f"several values for {table.loc[twice, 'model'].iloc[0]}: select one study and device")
    models, leads = _models(table["model"]), sorted(table["lead_d"].unique())
    trained = table[~table["model"].isin(BASELINES)]
    fig, axes = grid(len(leads), xlabel, ylabel, width=3.4, height=3.4, extra=1.7)
    costs = trained["cost"][trained["cost"] > 0]
    ends = table.reindex(columns=["value", "low", "high"]).to_numpy(float)
    ends = ends[ends >= floor]
    low, high = (ends.min(), ends.max()) if len(ends) else (0.0, 1.0)
    for ax, lead in zip(axes, leads, strict=True):
        ax.set_title(f"{lead:g} day{'s' if lead != 1 else ''} ahead")
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if costs.max() < 50 * costs.min() else (1,)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        if len(costs):
            ax.set_xlim(costs.min() / 1.6, costs.max() * 1.6)
        margin = 0.06 * (high - low) or 0.05
        ax.set_ylim(low - margin, high + margin)
        here = table[table["lead_d"] == lead].reindex(columns=["model", "cost", "value", "low", "high"])
        for row in here.itertuples():
            _point(ax, row, low)
        if here["value"].isna().all():
            no_data(ax)
    handles = [Line2D([], [], **(model_style(m) | ({} if m in BASELINES else {"linestyle": "none"}))) for m in models]
    if (trained["value"] < floor).any():
        handles.append(Line2D([], [], color="0.2", **(OFF_SCALE | {"clip_on": True})))
        models = [*models, "off scale"]
    if table["model"].str.endswith(SUFFIX).any():
        _target_legend(fig, handles, models)
    else:
        legend(fig, handles, models)
    if title:
        fig.suptitle(title)
    return fig


def _point(ax, row, low):
    look = model_style(row.model)
    if pd.isna(row.value):
        return
    if row.model in BASELINES:
        ax.axhline(row.value, color=look["color"], linestyle=look["linestyle"], linewidth=1.0, zorder=1)
    elif row.value < low:
        ax.plot(row.cost, low, color=look["color"], **OFF_SCALE)
    else:
        if not pd.isna(row.low):
            ax.vlines(row.cost, max(row.low, low), row.high, color=look["color"], linewidth=0.9, alpha=0.5, zorder=2)
        ax.plot(row.cost, row.value, zorder=3, **(look | {"linestyle": "none", "markersize": 7}))
