"""Figures of fields against stations over the United States; each says in its title what data."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from smlib.plots.conus_maps import fields, inputs, known, outlines
from smlib.plots.series import date_axis, rain_panel
from smlib.plots.style import METRICS, MOISTURE, SIGNED_WET, broken_line, daily, figure, house, legend, looks, no_data
from smlib.plots.world import PRODUCT_LOOKS

__all__ = ["boxes", "fields", "inputs", "scatter_density", "score_map", "series"]
LABELS = {"r": "correlation r", "rmse": METRICS["RMSE"], "ubrmse": METRICS["ubRMSE"], "bias": METRICS["bias"]}
ORDER = ("coarse", "medium", "fine")
BY = {"texture_class": "soil texture", "cover": "land cover", "land_cover": "land cover", "texture": "soil texture"}
FEW = 5  # stations below which a box would say more than there is: they are dots
SPARSE = 0.8  # of the days: a series with fewer would be a line of scraps
SPARE = ("#CC79A7", "#56B4E9", "#882255", "#117733", "#666666")
OBSERVED = "0.35"


@house
def boxes(scores, classes, by="texture_class", metric="r", kind="simulated", title=None):
    """Box plots of a score over stations by class, a panel a network.

    Parameters
    ----------
    scores : DataFrame by site (`smlib.conus.stations.station_scores`), or mapping of name -> such
        One box of each name in every class: median, quartiles, whiskers to the last station within 1.5 times their
        distance, and stations beyond. Classes of fewer than FEW stations show their stations.
    classes : DataFrame by site (`smlib.conus.stations.classes`)
    by : column of `classes`, such as "texture_class" or "cover"
    metric : "r", "rmse", "ubrmse" or "bias"
    kind : "measured" or "simulated"
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        The axis ends where the longest whiskers do; how many dots lie beyond stands in the title.
    """
    known(kind)
    many = scores if isinstance(scores, dict) else {"": scores}
    names = list(many)
    groups = [g for g in ORDER if g in set(classes[by])] if by == "texture_class" else sorted(set(classes[by]))
    networks = sorted(set(classes["network"]))
    fig = figure(9.5, 4.2 if max(map(len, groups)) < 9 else 4.8)
    axes = np.atleast_1d(fig.subplots(1, len(networks), sharey=True))
    colours = _colours(names)
    width, ends, drawn = 0.8 / len(names), [], {}
    for ax, network in zip(axes, networks, strict=True):
        rows = classes[classes["network"] == network]
        counts = []
        for k, group in enumerate(groups):
            sites = rows.index[rows[by] == group]
            values = [one[metric].reindex(sites).dropna().to_numpy() for one in many.values()]
            counts.append(max(map(len, values)))
            for j, (name, v) in enumerate(zip(names, values, strict=True)):
                drawn.setdefault(network, []).append(v)
                ends += _box(ax, v, k + width * (j - (len(names) - 1) / 2), 0.85 * width, colours[name])
        slant = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if max(map(len, groups)) > 8 else {}
        ax.set_xticks(range(len(groups)), [f"{g}\n(n = {n})" for g, n in zip(groups, counts, strict=True)], **slant)
        ax.set_xlim(-0.6, len(groups) - 0.4)
        ax.grid(axis="x", visible=False)
        ax.set_title(network)
        if metric == "bias":
            ax.axhline(0, color="0.4", linewidth=0.8)
    if ends:
        room = 0.05 * max(max(ends) - min(ends), 1e-6)
        low, high = min(ends) - room, max(ends) + room
        axes[0].set_ylim(low, high)
        for ax, network in zip(axes, networks, strict=True):
            beyond = sum(int(((v < low) | (v > high)).sum()) for v in drawn[network])
            if beyond:
                ax.set_title(f"{network} (beyond the axis: {beyond})")
    axes[0].set_ylabel(LABELS[metric])
    if len(names) > 1:
        legend(fig, [Patch(facecolor=colours[n], alpha=0.65, edgecolor=colours[n]) for n in names], names)
    fig.suptitle(f"{title or f'Stations by {BY.get(by, by)}'} ({kind})")
    return fig


def _colours(names):
    """Mapping of name -> colour, each its own: products and models in theirs, as far as nobody has it yet."""
    own = looks([n for n in names if n not in PRODUCT_LOOKS])
    spare, found = list(SPARE), {}
    for name in names:
        colour = PRODUCT_LOOKS[name][0] if name in PRODUCT_LOOKS else own[name]["color"]
        while colour in found.values() and spare:
            colour = spare.pop(0)
        found[name] = colour
    return found


def _box(ax, values, x, width, colour):
    """Draw a box, or dots for few; returns what the axis has to show of it."""
    if len(values) < FEW:
        ax.plot(np.full(len(values), x), values, linestyle="none", marker="o", markersize=3.5, color=colour)
        return values.tolist()
    found = ax.boxplot([values], positions=[x], widths=[width], patch_artist=True, manage_ticks=False,
                       medianprops={"color": "black", "linewidth": 1.4}, whiskerprops={"color": colour},
                       capprops={"color": colour},
                       flierprops={"marker": ".", "markersize": 4, "markerfacecolor": colour, "markeredgewidth": 0})
    found["boxes"][0].set(facecolor=colour, alpha=0.65, edgecolor=colour)
    return [end for line in found["whiskers"] for end in line.get_ydata()]


@house
def score_map(scores, stations, metric="r", kind="simulated", title=None):
    """Where a score is high: a map of the stations, and beside it the histogram with its median.

    Parameters
    ----------
    scores : DataFrame by site, or mapping of name -> such (a row of the figure each, on one colour scale)
    stations : Dataset with lat, lon and network (site)
    metric, kind, title : as in `boxes`

    Returns
    -------
    matplotlib.figure.Figure
        The colours end at the 2nd and 98th percentile; of bias they are even about 0.
    """
    known(kind)
    many = scores if isinstance(scores, dict) else {"": scores}
    every = np.concatenate([one[metric].dropna().to_numpy() for one in many.values()])
    low, high = np.percentile(every, [2, 98]) if len(every) else (0.0, 1.0)
    if metric == "bias":
        low, high = -max(-low, high, 1e-3), max(-low, high, 1e-3)
    high = max(high, low + 1e-6)
    look = {"vmin": low, "vmax": high, "cmap": {"bias": SIGNED_WET, "r": "viridis"}.get(metric, "viridis_r")}
    bins = np.linspace(min(every.min(), low), max(every.max(), high), 25) if len(every) else 10
    fig = figure(9.5, 3.1 * len(many) + 0.7)
    spec = fig.add_gridspec(len(many), 2, width_ratios=[2.5, 1])
    places = stations[["lat", "lon", "network"]].to_dataframe() if "network" in stations.coords else None
    maps, beside = [], []
    for k, (name, one) in enumerate(many.items()):
        ax = fig.add_subplot(spec[k, 0])
        outlines(ax)
        values = one[metric].dropna()
        for network, marker in (("SCAN", "o"), ("USCRN", "^")):
            at = places.loc[values.index]
            at = at[at["network"] == network]
            if len(at):
                mesh = ax.scatter(at["lon"], at["lat"], c=values.loc[at.index], marker=marker, s=26, zorder=3,
                                  edgecolor="0.2", linewidth=0.4, **look)
        ax.set_title(name)
        maps.append(ax)
        hist = fig.add_subplot(spec[k, 1])
        if len(values):
            hist.hist(values, bins=bins, color="0.6", edgecolor="white", linewidth=0.4)
            hist.axvline(values.median(), color="#B2182B", linewidth=1.5)
            middle = f"{values.median():.{2 if metric == 'r' else 3}f}".replace("-", "−")
            hist.set_title(f"median {middle}, n = {len(values)}")
        else:
            no_data(hist)
        hist.set_ylabel("stations")
        hist.set_xlabel(LABELS[metric] if k == len(many) - 1 else "")
        beside.append(hist)
    top = max(h.get_ylim()[1] for h in beside)
    for h in beside:
        h.set_ylim(0, top)
    if len(every):
        fig.colorbar(mesh, ax=maps, label=LABELS[metric], location="bottom", extend="both", shrink=0.6, aspect=40,
                     pad=0.02)
    legend(fig, [Line2D([], [], linestyle="none", marker=m, color="0.5", markeredgecolor="0.2") for m in "o^"],
           ["SCAN", "USCRN"])
    fig.suptitle(f"{title or LABELS[metric].split(' (')[0].capitalize() + ' at stations'} ({kind})")
    return fig


@house
def scatter_density(made, observed, scores=None, kind="simulated", title=None):
    """Made against observed, all station-days, as counts in hexagons on a logarithmic scale.

    Parameters
    ----------
    made, observed : DataArray (site, time), m3 m-3; or mappings of name -> such, a panel each
    scores : mapping of n, r, rmse, bias, ubrmse (`smlib.conus.stations.pooled_scores`) to write in the panel, or
        mapping of name -> such
    kind : "measured" or "simulated"
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        The line is 1 : 1. What lies beyond the 99.9th percentile is not shown.
    """
    known(kind)
    if not isinstance(made, dict):
        made, observed, scores = {"": made}, {"": observed}, {"": scores}
    pairs = {}
    for name, one in made.items():
        x, y = (np.asarray(v.transpose("site", "time"), float).ravel() for v in (observed[name], one))
        both = np.isfinite(x) & np.isfinite(y)
        pairs[name] = x[both], y[both]
    some = [v for pair in pairs.values() for v in pair if len(v)]
    top = max((np.percentile(v, 99.9) for v in some), default=0.5)
    panels = min(len(pairs), 3)
    rows = -(-len(pairs) // panels)
    fig = figure(3.6 * panels + 1.3, 3.6 * rows + 0.8)
    axes = fig.subplots(rows, panels, squeeze=False, sharex=True, sharey=True)
    meshes = []
    for ax, (name, (x, y)) in zip(axes.flat, pairs.items(), strict=False):
        ax.set_title(name)
        ax.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        ax.plot([0, top], [0, top], color="0.2", linewidth=0.9, zorder=3)
        if not len(x):
            no_data(ax)
            continue
        meshes.append(ax.hexbin(x, y, gridsize=60, extent=(0, top, 0, top), mincnt=1, cmap="viridis", linewidths=0))
        said = (scores or {}).get(name)
        if said:
            text = f"n = {said['n']:,}\nr = {said['r']:.2f}\n" + "\n".join(
                f"{METRICS[k].split(' ')[0]} = {said[v]:.3f}" for k, v in
                (("RMSE", "rmse"), ("bias", "bias"), ("ubRMSE", "ubrmse")))
            ax.text(0.03, 0.97, text.replace("-", "−"), transform=ax.transAxes, va="top", fontsize=9,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}, zorder=4)
    for ax in list(axes.flat)[len(pairs):]:
        ax.remove()
    for ax in axes[-1]:
        ax.set_xlabel(f"stations, {MOISTURE}")
    for ax in axes[:, 0]:
        ax.set_ylabel(MOISTURE)
    if meshes:
        norm = LogNorm(1, max(max(m.get_array().max() for m in meshes), 10))
        for m in meshes:
            m.set_norm(norm)
        fig.colorbar(meshes[0], ax=axes, label="station-days", shrink=0.8)
    fig.suptitle(f"{title or 'Against stations'} ({kind})")
    return fig


@house
def series(sites, lines, observed, rain=None, kind="simulated", title=None):
    """Some stations day by day: precipitation hanging from the top, moisture, and beside it the distribution.

    Parameters
    ----------
    sites : sequence of site names, three in the papers; or mapping of site -> words for its title
    lines : mapping of name -> DataArray (site, time) of a model or product, m3 m-3; gaps stay gaps
    observed : DataArray (site, time)
    rain : DataArray (site, time), mm d-1, optional
    kind : "measured" or "simulated"
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        What of `lines` has a value on fewer than SPARSE of the days is drawn as dots. The distribution is the share of
        each series' own days with a value at or below a moisture.
    """
    known(kind)
    words = sites if isinstance(sites, dict) else dict.fromkeys(sites, "")
    colours = _colours(list(lines))
    fig = figure(10.5, (3.4 if rain is not None else 2.3) * len(words) + 0.9)
    spec = fig.add_gridspec(len(words), 1)
    for k, (site, said) in enumerate(words.items()):
        parts = spec[k].subgridspec(2 if rain is not None else 1, 2, width_ratios=[3.6, 1], wspace=0.02, hspace=0.0,
                                    height_ratios=[1, 2] if rain is not None else [1])
        ax = fig.add_subplot(parts[-1, 0])
        share = fig.add_subplot(parts[-1, 1], sharey=ax)
        top = ax
        if rain is not None:
            top = fig.add_subplot(parts[0, 0], sharex=ax)
            rain_panel(top, daily(rain.sel(site=site)))
            top.set_ylabel("precip.\n(mm d⁻¹)")
            top.tick_params(labelbottom=False)
        top.set_title(f"{site}, {said}" if said else site)
        for name, da in {"stations": observed, **lines}.items():
            one = daily(da.sel(site=site))
            values = np.asarray(one, float)
            look = {"color": OBSERVED if name == "stations" else colours[name],
                    "linewidth": 1.6 if name == "stations" else 1.0}
            if name != "stations" and np.isfinite(values).mean() < SPARSE:
                ax.plot(one["time"].values, values, linestyle="none", marker=".", markersize=3, color=look["color"])
            else:
                broken_line(ax, one["time"].values, values, **look)
            there = np.sort(values[np.isfinite(values)])
            if len(there):
                share.step(np.arange(1, len(there) + 1) / len(there), there, where="pre", **look)
        ax.set_ylabel(MOISTURE.replace(" (", "\n("))
        share.tick_params(labelleft=False)
        share.set_xlim(0, 1)
        date_axis(ax)
    share.set_xlabel("share of days\nat or below")
    legend(fig, [Line2D([], [], color=OBSERVED, linewidth=1.6),
                 *(Line2D([], [], color=colours[n]) for n in lines)], ["stations", *lines])
    fig.suptitle(f"{title or 'Stations day by day'} ({kind})")
    return fig
