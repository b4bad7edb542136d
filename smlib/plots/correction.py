"""Figures of the correction study (Xie et al. 2025): series, auxiliaries, random errors; maps and scores beside.

Tables in, a figure out; which data they are, simulated or measured, the title of the caller or the page's stamp says.
"""

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from smlib.plots.correction_maps import network_maps, product_maps
from smlib.plots.correction_scores import (
    PRODUCTS,
    combination_metrics,
    in_known_order,
    protocol_bars,
    violins,
    weight_curves,
)
from smlib.plots.series import date_axis
from smlib.plots.style import MOISTURE, broken_line, figure, grid, house, legend, looks, no_data, nothing, once

__all__ = ["auxiliary_series", "combination_metrics", "estimate_series", "network_maps", "product_maps",
           "protocol_bars", "shapley_ranking", "triple_errors", "violins", "weight_curves"]
ROWS = (("in situ", "soil moisture\n(m³ m⁻³)", "#000000"), ("F", "FVC (1)", "#117733"),
        ("P", "precipitation,\n30 days (mm d⁻¹)", "#0072B2"), ("L", "LST (°C)", "#D55E00"),
        ("E", "ET (mm d⁻¹)", "#882255"))
AUXILIARIES = {"F": "FVC", "P": "precip.", "L": "LST", "E": "ET"}
FULL = 0.8  # of the days: a series with fewer, as of a satellite with gaps, is dots


@house
def auxiliary_series(points_by_network, title=None):
    """In-situ soil moisture and the four auxiliaries day by day, a column a network.

    Parameters
    ----------
    points_by_network : mapping of network -> `smlib.correction.data.Points`
        Of each: time (day,), in_situ (site, day) in m3 m-3, auxiliaries (site, day, 4) in the order F P L E; NaN is
        missing.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        The median over the sites as a line, from the 10th to the 90th percentile as a band; a row has one scale.
        Precipitation is the running mean of the 30 days before, for days alone are a thicket.
    """
    if not points_by_network:
        return nothing(title)
    networks = in_known_order(points_by_network)
    fig = figure(max(3.0 * len(networks), 6.0), 10.0)
    axes = fig.subplots(len(ROWS), len(networks), sharex="col", sharey="row", squeeze=False)
    for column, network in zip(axes.T, networks, strict=True):
        points = points_by_network[network]
        sites = len(points.in_situ)
        column[0].set_title(f"{network} ({sites} station{'s' if sites != 1 else ''})")
        every = [points.in_situ, *np.moveaxis(np.asarray(points.auxiliaries), -1, 0)]
        for ax, values, (_, label, colour) in zip(column, every, ROWS, strict=True):
            values = np.asarray(values, float)
            if label.startswith("precipitation"):
                values = pd.DataFrame(values.T).rolling(30, min_periods=15).mean().to_numpy().T
            _spread(ax, points.time, values, colour)
        dates = AutoDateLocator(minticks=2, maxticks=5)
        column[-1].xaxis.set_major_locator(dates)
        column[-1].xaxis.set_major_formatter(ConciseDateFormatter(dates))
    for ax, (_, label, _) in zip(axes[:, 0], ROWS, strict=True):
        ax.set_ylabel(label)
    fig.align_ylabels(axes[:, 0])
    legend(fig, [Line2D([], [], color="0.25"), Patch(facecolor="0.25", alpha=0.25, linewidth=0)],
           ["median of the stations", "10th to 90th percentile"])
    fig.suptitle(title or "In-situ soil moisture and the auxiliaries")
    return fig


def _spread(ax, time, values, colour):
    """Median and band over the sites; days without a value at any site are gaps."""
    band = np.full((3, values.shape[1]), np.nan)
    some = np.isfinite(values).any(0)
    if not some.any():
        no_data(ax)
        return
    band[:, some] = np.nanpercentile(values[:, some], [10, 50, 90], axis=0)
    ax.fill_between(time, band[0], band[2], color=colour, alpha=0.25, linewidth=0)
    broken_line(ax, time, band[1], color=colour, linewidth=0.8)


@house
def estimate_series(time, lines, title=None):
    """One cell day by day: in situ, the product, the corrected product and, if known, the truth.

    Parameters
    ----------
    time : (day,) datetime64, no gaps
    lines : mapping of name -> (day,) soil moisture in m3 m-3, NaN missing
        "in situ" is black dots, "truth" a broad grey line below the others; products, models and methods (as "ASCAT",
        "MLSTM", "CDF matching") have the colours that they have elsewhere. Any other that has values on fewer than FULL
        of the days is dots too.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        A panel a calendar year, on one scale.
    """
    lines = {name: np.asarray(values, float) for name, values in lines.items()}
    if not any(np.isfinite(values).any() for values in lines.values()):
        return nothing(title)
    styles = _line_looks(lines)
    time = np.asarray(time, "datetime64[D]")
    years = time.astype("datetime64[Y]")
    every = np.concatenate(list(lines.values()))
    room = 0.05 * max(np.nanmax(every) - np.nanmin(every), 1e-3)
    distinct = np.unique(years)
    fig = figure(9.5, 2.1 * len(distinct) + 1.2)
    for ax, year in zip(fig.subplots(len(distinct), 1, squeeze=False)[:, 0], distinct, strict=True):
        of_year = years == year
        for name, values in lines.items():
            if styles[name]["linestyle"] == "none":
                ax.plot(time[of_year], values[of_year], **styles[name])
            else:
                broken_line(ax, time[of_year], values[of_year], **styles[name])
        ax.set(xlim=(year.astype("datetime64[D]"), (year + 1).astype("datetime64[D]")),
               ylim=(np.nanmin(every) - room, np.nanmax(every) + room))
        ax.set_ylabel(MOISTURE.replace(" (", "\n("))
        date_axis(ax)
    legend(fig, [Line2D([], [], **look | {"markersize": 6, "alpha": 1}) for look in styles.values()], list(styles))
    if title:
        fig.suptitle(title)
    return fig


def _line_looks(lines):
    """Name -> line style: the product below, what is corrected above it, in situ on top; see `estimate_series`."""
    own, found = looks([name for name in lines if name not in PRODUCTS]), {}
    for name, values in lines.items():
        if name.lower().replace("-", " ").startswith("in situ"):
            found[name] = {"color": "black", "linestyle": "none", "marker": ".", "markersize": 3.5, "zorder": 5}
        elif name.lower().startswith("truth"):
            found[name] = {"color": "0.72", "linestyle": "-", "linewidth": 3.2, "zorder": 1.5}
        else:
            product = name in PRODUCTS
            colour, marker = PRODUCTS[name] if product else (own[name]["color"], "D")
            found[name] = {"color": colour, "zorder": 2 if product else 3, "alpha": 0.8 if product else 1.0}
            if np.isfinite(values).mean() < FULL:
                found[name] |= {"linestyle": "none", "marker": marker, "markersize": 3.2, "markeredgewidth": 0}
            else:
                found[name] |= {"linestyle": "-" if product else own[name]["linestyle"], "linewidth": 1.2}
    return found


@house
def shapley_ranking(table, title=None):
    """How much each auxiliary matters to stage 1 beside its correlation with the soil moisture, a panel a network.

    Parameters
    ----------
    table : DataFrame
        Columns network, auxiliary (F, P, L, E), share (of the mean absolute SHAP over the auxiliaries, 0 to 1; with its
        interval in low and high, if those are there) and printed (r with soil moisture in print); where there is a
        column r, the same of our own data. NaN is no value.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Correlations are drawn as ``|r|``; a minus stands above the negative ones.
    """
    if table.empty:
        return nothing(title)
    once(table, ["network", "auxiliary"], "select one")
    networks, names = in_known_order(table["network"]), in_known_order(table["auxiliary"])
    bars = [(c, look) for c, look in (
        ("share", {"color": "#0072B2"}), ("r", {"facecolor": "#E69F00", "edgecolor": "#E69F00"}),
        ("printed", {"facecolor": "white", "edgecolor": "black", "hatch": "////"})) if c in table]
    fig, axes = grid(len(networks), "", "share of mean |SHAP|, |r|", width=4.6, height=2.7)
    high = table["high"] if "high" in table else table["share"]
    top = max(1.08, 1.05 * np.nanmax([0.0, *high]))
    for ax, network in zip(axes, networks, strict=True):
        rows = table[table["network"] == network].set_index("auxiliary").reindex(names)
        ax.set_title(network)
        width = 0.8 / len(bars)
        for k, (column, look) in enumerate(bars):
            x = np.arange(len(names)) + width * (k - (len(bars) - 1) / 2)
            values = rows[column].to_numpy(float)
            ax.bar(x, np.nan_to_num(np.abs(values)), 0.9 * width, linewidth=0.8, **look)
            if column == "share":
                if "low" in rows:
                    ax.vlines(x, rows["low"], rows["high"], color="black", linewidth=1.2)
                continue
            for at, value in zip(x, values, strict=True):
                if value < 0:
                    ax.text(at, abs(value), "−", ha="center", va="bottom", fontsize=11)
        if rows[[c for c, _ in bars]].isna().all(axis=None):
            no_data(ax)
        ax.set_xticks(range(len(names)), [AUXILIARIES.get(name, name) for name in names])
        ax.tick_params(labelbottom=True)
        ax.set_ylim(0, top)
        ax.grid(axis="x", visible=False)
    words = {"share": "share of mean |SHAP|, stage 1", "r": "|r| with in situ, here",
             "printed": "|r| with in situ, printed (measured)"}
    legend(fig, [Patch(**look) for _, look in bars], [words[column] for column, _ in bars])
    more = "; intervals of 95 %" if "low" in table else ""
    fig.suptitle(title or f"What the auxiliaries are worth (−: r is negative{more})")
    return fig


@house
def triple_errors(table, label="error (std, m³ m⁻³)", title=None):
    """Random error by triple collocation before and after correction beside the true one, a panel a network.

    Parameters
    ----------
    table : DataFrame
        Columns network, product, state ("before", "after"), value, low, high, and where the truth is known, true; in
        the units of `label`. NaN is no value.
    label : str
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Hollow before, full after; a black bar is the true error. All panels have one scale.
    """
    columns = [c for c in ("value", "low", "high", "true") if c in table]
    if table.empty or table[columns].isna().all(axis=None):
        return nothing(title)
    once(table, ["network", "product", "state"], "select one")
    networks, products = in_known_order(table["network"]), in_known_order(table["product"])
    fig, axes = grid(len(networks), "", label, width=4.4, height=2.6)
    ends = table[columns].to_numpy(float)
    low, high = min(0.0, np.nanmin(ends)), np.nanmax(ends)
    for ax, network in zip(axes, networks, strict=True):
        here = table[table["network"] == network].set_index("product")
        ax.set_title(network)
        for product in products:
            if here.loc[here.index == product, columns].isna().all(axis=None):
                ax.text(products.index(product), 0.5, "no data", transform=ax.get_xaxis_transform(), rotation=90,
                        ha="center", va="center", color="0.35", fontsize=9)
        for state, aside in (("before", -0.15), ("after", 0.15)):
            rows = here[here["state"] == state].reindex(products)
            for x, (product, row) in enumerate(rows.iterrows()):
                colour, marker = PRODUCTS.get(product, ("#882255", "P"))
                ax.vlines(x + aside, row["low"], row["high"], color=colour, linewidth=1.4)
                ax.plot(x + aside, row["value"], linestyle="none", marker=marker, color=colour, markersize=7,
                        markerfacecolor="white" if state == "before" else colour, zorder=3)
                if "true" in row:
                    ax.hlines(row["true"], x + aside - 0.11, x + aside + 0.11, color="black", linewidth=1.8, zorder=4)
        ax.set_xticks(range(len(products)), products)
        ax.tick_params(labelbottom=True)
        ax.set(xlim=(-0.5, len(products) - 0.5), ylim=(low, high + 0.06 * (high - low)))
        ax.grid(axis="x", visible=False)
    handles = [Line2D([], [], linestyle="none", marker="o", markersize=7, color="0.3", markerfacecolor=face)
               for face in ("white", "0.3")]
    labels = ["before correction", "after correction"]
    if "true" in table and table["true"].notna().any():
        handles.append(Line2D([], [], color="black", linewidth=1.8))
        labels.append("true error")
    legend(fig, handles, labels)
    fig.suptitle(title or "Random error by triple collocation, intervals of 95 %")
    return fig
