"""Figures of the simulated world beside measurement: maps, twins against print, memory by depth, products by cover."""

import cartopy.crs as ccrs
import numpy as np
from matplotlib.lines import Line2D

from smlib.plots.maps import LAYERS, _layer
from smlib.plots.style import MOISTURE, WET, figure, grid, house, legend, no_data

PRODUCT_LOOKS = {"DCA": ("#0072B2", "o"), "SCA-H": ("#E69F00", "^"), "SCA-V": ("#009E73", "v"),
                 "NLDAS-2": ("#D55E00", "s")}
SIMULATED, MEASURED = "0.55", ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#332288", "#117733")
OUTLINES = ("ne_50m_land", "ne_50m_lakes", "ne_10m_admin_1_states_provinces_lines_usa")


@house
def grid_maps(panels, label=MOISTURE, columns=2, title=None, cmap=WET):
    """Maps side by side under one colour scale.

    Parameters
    ----------
    panels : dict of title to DataArray (y, x) with the coordinates lat (y) and lon (x); NaN stays white
    label : str, of the colour bar, with units
    columns : int
    title : str, which should say whether it is simulated
    cmap : str
        A colour map of matplotlib.

    Returns
    -------
    matplotlib.figure.Figure
    """
    first = next(iter(panels.values()))
    lat, lon = first["lat"].values, first["lon"].values
    aspect = abs((lat[0] - lat[-1]) / (lon[-1] - lon[0])) / np.cos(np.radians(lat.mean()))
    rows = -(-len(panels) // columns)
    width = 0.84 * 9.5 / columns - 0.5  # without the colour bar and the labels
    fig = figure(9.5, rows * (width * aspect + 0.6) + 0.5)
    everything = np.concatenate([da.values.ravel() for da in panels.values()])
    low, high = np.nanpercentile(everything, [1, 99]) if np.isfinite(everything).any() else (0, 1)
    axes = []
    for i, (name, da) in enumerate(panels.items()):
        ax = fig.add_subplot(rows, columns, i + 1, projection=ccrs.PlateCarree())
        mesh = ax.pcolormesh(da["lon"], da["lat"], da, vmin=low, vmax=high, cmap=cmap, shading="nearest",
                             transform=ccrs.PlateCarree(), rasterized=True)
        ax.set_extent((lon.min(), lon.max(), lat.min(), lat.max()), ccrs.PlateCarree())
        for layer in OUTLINES:
            ax.add_geometries(_layer(layer), ccrs.PlateCarree(), **LAYERS[layer] | {"facecolor": "none"})
        ax.set_aspect(1 / np.cos(np.radians(lat.mean())))
        lines = ax.gridlines(draw_labels={"bottom": "x", "left": "y"}, linewidth=0.3, color="0.6")
        lines.xlabel_style = lines.ylabel_style = {"size": 8}
        ax.set_title(name)
        axes.append(ax)
    fig.colorbar(mesh, ax=axes, label=label, shrink=0.8, extend="both", aspect=30)
    if title:
        fig.suptitle(title)
    return fig


@house
def twins_against_print(table, title=None):
    """Weather of the simulated twins against the printed one, with lines 15 % to either side.

    Parameters
    ----------
    table : DataFrame with quantity (name with units), printed and simulated, a row a station and quantity

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(dict.fromkeys(table["quantity"]))
    fig, axes = grid(len(names), "printed", "simulated", columns=2, width=3.8, height=3.2)
    for ax, name in zip(axes, names, strict=True):
        here = table[table["quantity"] == name]
        both = np.concatenate([here["printed"], here["simulated"]])
        span = both.max() - both.min()
        ends = np.array([both.min() - 0.05 * span, both.max() + 0.05 * span])
        line = np.linspace(*ends, 100)
        ax.fill_between(line, line - 0.15 * abs(line), line + 0.15 * abs(line), color="0.9", linewidth=0)
        ax.plot(ends, ends, color="0.4", linewidth=0.8)
        ax.plot(here["printed"], here["simulated"], linestyle="none", marker="o", markersize=4.5, color="#0072B2",
                alpha=0.8, markeredgewidth=0)
        ax.set(xlim=ends, ylim=ends, title=name)
        ax.tick_params(labelbottom=True, labelleft=True)
    fig.suptitle(title or "Station twins (simulated) against print; band: 15 %")
    return fig


@house
def behaviour_by_depth(simulated, measured, columns, title=None):
    """Statistics of soil moisture by depth: simulated stations as grey dots, every measured site as a colour.

    Parameters
    ----------
    simulated, measured : DataFrame of `smlib.evaluate.behaviour`; measured levels of unknown depth stand at the right
    columns : dict of column to axis label
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = grid(len(columns), "depth (m)", "", columns=2, width=4.4, height=3.0, extra=1.2)
    depths = sorted(simulated["depth_m"].unique())
    sites = list(dict.fromkeys(measured["site"]))
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        for k, depth in enumerate(depths):
            values = simulated.loc[simulated["depth_m"] == depth, column].dropna()
            offset = np.linspace(-0.13, 0.13, len(values)) if len(values) > 1 else [0]
            ax.plot(k + np.asarray(offset), np.sort(values), linestyle="none", marker=".", color=SIMULATED,
                    markersize=4, zorder=2)
            if len(values):
                ax.plot([k - 0.22, k + 0.22], [values.median()] * 2, color="0.15", linewidth=1.6, zorder=3)
        for colour, marker, site in zip(MEASURED, "os^vDP*", sites, strict=False):
            here = measured[measured["site"] == site]
            known = here["depth_m"].notna()
            place = np.where(known, np.interp(here["depth_m"].fillna(0), depths, range(len(depths))) + 0.3,
                             len(depths) + 0.12 * here["level"])
            ax.plot(place, here[column], linestyle="none", marker=marker, markersize=5.5, color=colour,
                    markerfacecolor="none", markeredgewidth=1.3, zorder=4)
        unknown = measured["depth_m"].isna().any()
        ax.set_xticks([*range(len(depths)), *([len(depths) + 0.4] if unknown else [])],
                      [f"{d:g}" for d in depths] + (["unknown"] if unknown else []))
        ax.set_ylabel(label.replace(" (", "\n("))
        ax.tick_params(labelleft=True)
    handles = [Line2D([], [], linestyle="none", marker=".", color=SIMULATED),
               Line2D([], [], color="0.15", linewidth=1.6)]
    handles += [Line2D([], [], linestyle="none", marker=m, color=c, markerfacecolor="none", markeredgewidth=1.3)
                for c, m, _ in zip(MEASURED, "os^vDP*", sites, strict=False)]
    legend(fig, handles, ["simulated station", "simulated, median", *(f"{site} (measured)" for site in sites)])
    fig.suptitle(title or "Simulated twins and measured stations")
    return fig


@house
def autocorrelation_spread(simulated, measured, title=None):
    """Autocorrelation by lag: the range of 90 % and the median of simulated stations, and the measured ones as lines.

    Parameters
    ----------
    simulated, measured : DataArray (site, depth, lag) of `smlib.evaluate.autocorrelation`, with depth_m (site, depth);
        a panel a simulated depth, with the measured levels that are nearest to it
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    depths = simulated["depth_m"].isel(site=0).values
    fig, axes = grid(len(depths), "lag (days)", "autocorrelation", columns=3, extra=1.1)
    lags, drawn = simulated["lag"].values, {}
    levels = [(site, level) for site in measured["site"].values for level in measured["depth"].values
              if bool(measured.sel(site=site, depth=level).notnull().any())]
    sites = list(dict.fromkeys(site for site, _ in levels))
    for k, (ax, depth) in enumerate(zip(axes, depths, strict=True)):
        values = simulated.isel(depth=k).values
        low, middle, high = np.nanpercentile(values, [5, 50, 95], axis=0)
        drawn["simulated, 90 % of stations"] = ax.fill_between(lags, low, high, color="0.85", linewidth=0)
        (drawn["simulated, median"],) = ax.plot(lags, middle, color="0.25", linewidth=1.6)
        for site, level in levels:
            here = float(measured["depth_m"].sel(site=site, depth=level))
            nearest = 0 if np.isnan(here) and level == 1 else np.argmin(abs(depths - here)) if here == here else None
            if nearest == k:
                colour = MEASURED[sites.index(site) % len(MEASURED)]
                (drawn[f"{site} (measured)"],) = ax.plot(lags, measured.sel(site=site, depth=level), color=colour)
        ax.set(title=f"{depth:g} m", ylim=(min(-0.3, float(np.nanmin(low))), 1.02), xlim=(0, lags[-1]))
    legend(fig, list(drawn.values()), list(drawn))
    fig.suptitle(title or "Memory of soil moisture: simulated twins and measured stations")
    return fig


@house
def products_by_cover(table, metrics, title=None):
    """Scores of products against stations by land cover: ours filled, printed hollow.

    Parameters
    ----------
    table : DataFrame with land_cover, network, product, metric, simulated and printed; NaN where there is none
    metrics : dict of metric to axis label
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    networks = sorted(table["network"].unique())
    covers = list(dict.fromkeys(table["land_cover"]))
    fig = figure(9.5, 2.5 * len(metrics) + 1.2)
    axes = fig.subplots(len(metrics), len(networks), sharex=True, sharey="row", squeeze=False)
    for row, (metric, label) in zip(axes, metrics.items(), strict=True):
        for ax, network in zip(row, networks, strict=True):
            here = table[(table["metric"] == metric) & (table["network"] == network)]
            if here.empty:
                no_data(ax)
            for j, (product, (colour, marker)) in enumerate(PRODUCT_LOOKS.items()):
                one = here[here["product"] == product].set_index("land_cover").reindex(covers)
                x = np.arange(len(covers)) + 0.18 * (j - 1.5)
                ax.plot(x, one["printed"], linestyle="none", marker=marker, color=colour, markerfacecolor="white",
                        markersize=6)
                ax.plot(x, one["simulated"], linestyle="none", marker=marker, color=colour, markersize=5)
            if metric == "bias":
                ax.axhline(0, color="0.4", linewidth=0.8)
            ax.set_xticks(range(len(covers)), covers, rotation=30, ha="right")
            ax.grid(axis="x", visible=False)
        row[0].set_ylabel(label)
    for ax, network in zip(axes[0], networks, strict=True):
        ax.set_title(network)
    handles = [Line2D([], [], linestyle="none", marker=m, color=c) for c, m in PRODUCT_LOOKS.values()]
    handles += [Line2D([], [], linestyle="none", marker="o", color="0.3", markerfacecolor="white")]
    legend(fig, handles, [*(f"{name} (simulated)" for name in PRODUCT_LOOKS), "hollow: printed (measured)"])
    fig.suptitle(title or "Products against stations by land cover")
    return fig
