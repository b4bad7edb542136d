"""Scores of the correction study: networks are the rows of panels, products the columns; tables in, a figure out."""

import numpy as np
from matplotlib.lines import Line2D

from smlib.plots.style import METRICS, figure, grid, house, legend, no_data, nothing, once

NETWORKS = ("CTP-SMTMN", "HOBE", "OZNET", "SNOTEL")
PRODUCTS = {"ASCAT": ("#0072B2", "o"), "ESA-CCI": ("#E69F00", "^"), "SMAP": ("#009E73", "s")}
COMBINATIONS = {"original": "#808080", "FPLE": "#0072B2", "LEF": "#E69F00", "LEP": "#009E73", "LPF": "#CC79A7",
                "PEF": "#56B4E9"}
PROTOCOLS = {"paper": ("#E69F00", "o"), "year": ("#56B4E9", "^"), "station": ("#009E73", "v"),
             "strict": ("#332288", "s")}
MEANING = {"paper": "paper (in-sample)", "year": "year (unseen year)", "station": "station (unseen stations)",
           "strict": "strict (unseen stations, unseen year)"}
METHODS = ("MLSTM", "MLSTM, auxiliaries too", "stage 1", "raw", "mean-std", "CDF matching", "CDF matching, own past",
           "exponential filter", "linear", "HistGB", "climatology")
FEW = 5  # cells below which a violin would say more than there is: the cells alone are drawn
PRINTED = {"color": "black", "linestyle": "none", "marker": "D", "markersize": 5, "markerfacecolor": "none"}


def in_known_order(names):
    """The distinct names in the study's order (networks, products, combinations, ...); others as they come, last."""
    known = (*NETWORKS, *PRODUCTS, *COMBINATIONS, *"FPLE", *PROTOCOLS, *METHODS)
    names = list(dict.fromkeys(names))
    return sorted(names, key=lambda name: known.index(name) if name in known else len(known) + names.index(name))


def said(metric):
    """What an axis calls a metric, with units, whether the table has it in capitals or not."""
    return {name.lower(): label for name, label in METRICS.items()}.get(metric.lower(), metric)


def _panels(table, width, height, extra, columns="product", **share):
    """A figure of a row of panels a network and a column a product (or other column): pairs of axis and its rows."""
    networks, across = in_known_order(table["network"]), in_known_order(table[columns])
    fig = figure(max(width * len(across) + 1.0, 6.0), height * len(networks) + extra)
    axes = fig.subplots(len(networks), len(across), squeeze=False, **share)
    found = []
    for (i, j), ax in np.ndenumerate(axes):
        ax.set_title(f"{networks[i]}, {across[j] if columns == 'product' else said(across[j])}")
        found.append((ax, table[(table["network"] == networks[i]) & (table[columns] == across[j])]))
    return fig, axes, found


def _printed(ax, x, y, odd=False):
    ax.plot(x, y, zorder=5, **PRINTED)
    if odd:
        ax.plot(x, y, color="#B2182B", marker="x", markersize=9, linestyle="none", zorder=6)


def _protocol_handles(protocols):
    return [Line2D([], [], color=_protocol(p)[0], marker=_protocol(p)[1], markersize=5) for p in protocols]


def _protocol(name):
    return PROTOCOLS.get(name, ("#882255", "P"))


@house
def combination_metrics(table, metric="RMSE", title=None):
    """Scores by combination of auxiliaries and protocol beside what was printed (compare Xie et al. 2025, table 4).

    Parameters
    ----------
    table : DataFrame
        Columns network, combination, product, protocol, metric, value, low, high (ends of the interval) and printed, in
        units of the metric; NaN where there is none. Where there is a column odd (bool), printed values that break
        RMSE² = ubRMSE² + bias² or MAE <= RMSE are crossed.
    metric : str or None
        Which metric: panels are networks by products, a row has one scale. None: all of them, as columns of panels
        with one scale each; then the table has to be of one product.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the table holds several products and several metrics.
    """
    if metric is not None:
        table = table[table["metric"].str.lower() == metric.lower()]
    if table.empty:
        return nothing(title)
    if metric is None and table["product"].nunique() > 1:
        raise ValueError("select one product, or one metric: panels are networks by products or networks by metrics")
    once(table, ["network", "product", "combination", "protocol", "metric"], "select one")
    across = "product" if metric is not None else "metric"
    fig, axes, panels = _panels(table, 3.1 if across == "product" else 2.5, 2.2, 1.5, across, sharex=True,
                                sharey="row" if across == "product" else "col")
    combinations, protocols = in_known_order(table["combination"]), in_known_order(table["protocol"])
    odd = False
    for ax, here in panels:
        for k, protocol in enumerate(protocols):
            rows = here[here["protocol"] == protocol].set_index("combination").reindex(combinations)
            x = np.arange(len(combinations)) + 0.15 * (k - (len(protocols) - 1) / 2)
            colour, marker = _protocol(protocol)
            ax.vlines(x, rows["low"], rows["high"], color=colour, linewidth=1.2)
            ax.plot(x, rows["value"], linestyle="none", marker=marker, color=colour, markersize=4.5)
        printed = here.dropna(subset=["printed"]).drop_duplicates("combination")
        for row in printed.itertuples():
            crossed = getattr(row, "odd", False) == 1 and row.metric.lower() != "r"
            odd |= crossed
            _printed(ax, combinations.index(row.combination) - 0.15 * (len(protocols) + 1) / 2, row.printed, crossed)
        if here["value"].isna().all() and printed.empty:
            no_data(ax)
        elif printed.empty:
            ax.text(0.99, 0.97, "not printed", transform=ax.transAxes, ha="right", va="top", color="0.35", fontsize=9)
        if (here["metric"].str.lower() == "bias").any():
            ax.axhline(0, color="0.4", linewidth=0.8, zorder=1)
        ax.set_xticks(range(len(combinations)), combinations)
        ax.set_xlim(-0.55, len(combinations) - 0.45)
        ax.grid(axis="x", visible=False)
    for ax in axes[:, 0]:
        ax.set_ylabel(said(metric) if metric is not None else "")
    handles = [*_protocol_handles(protocols), Line2D([], [], **PRINTED)]
    labels = [*(MEANING.get(p, p) for p in protocols), "printed (measured)"]
    if odd:
        handles.append(Line2D([], [], color="#B2182B", marker="x", markersize=8, linestyle="none"))
        labels.append("printed, inconsistent")
    legend(fig, handles, labels)
    fig.suptitle(title or "By combination of auxiliaries, intervals of 95 %")
    return fig


@house
def violins(by_cell, metric="rmse", title=None):
    """Spread of a score over cells, the original product and each combination of auxiliaries.

    Parameters
    ----------
    by_cell : DataFrame
        Columns network, product, combination ("original": not corrected) and `metric`, a row a cell; NaN is left out.
        With a column protocol it has to be of one protocol.
    metric : column, such as "r" or "rmse"
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Every cell is a point, the median a bar; fewer than FEW cells have no violin. A row of panels has one scale.

    Raises
    ------
    ValueError
        If the table holds several protocols.
    """
    if by_cell.empty:
        return nothing(title)
    if "protocol" in by_cell and by_cell["protocol"].nunique() > 1:
        raise ValueError("select one protocol: the cells of several would be one violin")
    fig, axes, panels = _panels(by_cell, 3.1, 2.2, 1.1, sharex=True, sharey="row")
    names = in_known_order(by_cell["combination"])
    for ax, here in panels:
        counts = []
        for k, name in enumerate(names):
            values = here.loc[here["combination"] == name, metric].dropna().sort_values().to_numpy(float)
            counts.append(len(values))
            if not len(values):
                continue
            colour = COMBINATIONS.get(name, "#882255")
            if len(values) >= FEW:
                (body,) = ax.violinplot([values], [k], widths=0.85, showextrema=False)["bodies"]
                body.set(facecolor=colour, edgecolor=colour, alpha=0.45)
            aside = 0.3 * (np.arange(len(values)) * 0.618 % 1 - 0.5)  # apart from each other, the same every time
            ax.plot(k + aside, values, linestyle="none", marker="o", markersize=2.5, color=colour, markeredgewidth=0.3,
                    markeredgecolor="black", zorder=3)
            ax.hlines(np.median(values), k - 0.3, k + 0.3, color="black", linewidth=1.6, zorder=4)
        if not any(counts):
            no_data(ax)
        else:
            ends = sorted({n for n in counts if n})
            ax.set_title(f"{ax.get_title(loc='left')} (n = {'–'.join(map(str, dict.fromkeys((ends[0], ends[-1]))))})")
        if metric.lower() == "bias":
            ax.axhline(0, color="0.4", linewidth=0.8, zorder=1)
        ax.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_xlim(-0.6, len(names) - 0.4)
        ax.grid(axis="x", visible=False)
    for ax in axes[:, 0]:
        ax.set_ylabel(said(metric))
    fig.suptitle(title or "Cells by combination of auxiliaries (bar: median, n: cells)")
    return fig


@house
def weight_curves(table, metric="RMSE", default=None, title=None):
    """A score by the weight of stage 1's loss in stage 2's, a panel a network, a colour a product.

    Parameters
    ----------
    table : DataFrame
        Columns network, product, weight, value, low, high (NaN: none).
    metric : str
        What value is.
    default : float, optional
        The weight to mark.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Weights stand evenly apart; all panels have one scale.
    """
    if table["value"].isna().all():
        return nothing(title)
    once(table, ["network", "product", "weight"], "select one")
    networks, products, weights = in_known_order(table["network"]), in_known_order(table["product"]), sorted(
        table["weight"].unique())
    fig, axes = grid(len(networks), "weight λ of the in-situ data", said(metric), width=4.4, height=2.6, extra=1.0)
    ends = table[["value", "low", "high"]].to_numpy(float)
    low, high = np.nanmin(ends), np.nanmax(ends)
    room = 0.05 * max(high - low, 1e-6)
    for ax, network in zip(axes, networks, strict=True):
        here = table[table["network"] == network]
        ax.set_title(network)
        if here["value"].isna().all():
            no_data(ax)
        for k, product in enumerate(products):
            rows = here[here["product"] == product].sort_values("weight").dropna(subset=["value"])
            colour, marker = PRODUCTS.get(product, ("#882255", "P"))
            x = np.array([weights.index(w) for w in rows["weight"]]) + 0.08 * (k - (len(products) - 1) / 2)
            ax.vlines(x, rows["low"], rows["high"], color=colour, linewidth=1.2)
            ax.plot(x, rows["value"], color=colour, marker=marker, markersize=5, label=product)
        if default in weights:
            ax.axvline(weights.index(default), color="0.4", linestyle=(0, (4, 2)), linewidth=1.0, zorder=1)
        ax.set_xticks(range(len(weights)), [f"{w:g}" for w in weights])
        ax.set(xlim=(-0.4, len(weights) - 0.6), ylim=(low - room, high + room))
    handles = [Line2D([], [], color=PRODUCTS.get(p, ("#882255", "P"))[0], marker=PRODUCTS.get(p, ("#882255", "P"))[1])
               for p in products]
    if default in weights:
        handles.append(Line2D([], [], color="0.4", linestyle=(0, (4, 2))))
        products = [*products, f"default, {default:g}"]
    legend(fig, handles, products)
    fig.suptitle(title or "How much the weight λ of the in-situ data matters, intervals of 95 %")
    return fig


@house
def protocol_bars(table, metric="RMSE", reference="MLSTM", title=None):
    """Every method under every protocol with intervals, a panel a network and product.

    Parameters
    ----------
    table : DataFrame
        Columns network, product, method, protocol, value, low, high (NaN: none), and where there are several metrics,
        metric. With a column printed (NaN: none), what the paper printed for that method.
    metric : str
    reference : str
        The method whose value under the last protocol (the strictest) is a line through the panel.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Methods are rows, protocols colours and markers; the panels of a network have one scale.
    """
    if "metric" in table:
        table = table[table["metric"].str.lower() == metric.lower()]
    if table.empty:
        return nothing(title)
    once(table, ["network", "product", "method", "protocol"], "select one")
    methods, protocols = in_known_order(table["method"]), in_known_order(table["protocol"])
    apart = 0.8 / len(protocols)
    fig, axes, panels = _panels(table, 2.7, 0.26 * len(methods) + 0.75, 1.2, sharex="row", sharey=True)
    fig.set_figwidth(fig.get_figwidth() + 0.8)
    for ax, here in panels:
        for y in range(0, len(methods), 2):
            ax.axhspan(y - 0.5, y + 0.5, color="0.955", linewidth=0, zorder=0)
        for k, protocol in enumerate(protocols):
            rows = here[here["protocol"] == protocol].set_index("method").reindex(methods)
            y = np.arange(len(methods)) + apart * (k - (len(protocols) - 1) / 2)
            colour, marker = _protocol(protocol)
            ax.hlines(y, rows["low"], rows["high"], color=colour, linewidth=1.2)
            ax.plot(rows["value"], y, linestyle="none", marker=marker, color=colour, markersize=3.8)
            if protocol == protocols[-1] and reference in methods and np.isfinite(rows.loc[reference, "value"]):
                ax.axvline(rows.loc[reference, "value"], color=colour, linestyle=(0, (4, 2)), linewidth=0.9, zorder=1)
        if here[["value", *({"printed"} & set(here))]].isna().all(axis=None):
            no_data(ax)
        if "printed" in here:
            for row in here.dropna(subset=["printed"]).drop_duplicates("method").itertuples():
                _printed(ax, row.printed, methods.index(row.method))
        if metric.lower() == "bias":
            ax.axvline(0, color="0.4", linewidth=0.8, zorder=1)
        ax.set_yticks(range(len(methods)), methods)
        ax.set_ylim(len(methods) - 0.5, -0.5)
        ax.grid(axis="y", visible=False)
    for ax in axes[-1]:
        ax.set_xlabel(said(metric))
    handles, labels = _protocol_handles(protocols), [MEANING.get(p, p) for p in protocols]
    if reference in methods:
        handles.append(Line2D([], [], color=_protocol(protocols[-1])[0], linestyle=(0, (4, 2))))
        labels.append(f"{reference}, {protocols[-1]}")
    if "printed" in table and table["printed"].notna().any():
        handles.append(Line2D([], [], **PRINTED))
        labels.append("printed (measured)")
    legend(fig, handles, labels)
    fig.suptitle(title or "Methods under each protocol, intervals of 95 %")
    return fig
