"""Figures across the studies: what the shortcuts of the protocols were worth."""

import numpy as np

from smlib.plots.style import collected_legend, figure, house, model_style, nothing, once

STUDIES = {"stations": ("#0072B2", "o"), "nudging": ("#D55E00", "s"), "forecast": ("#009E73", "^"),
           "correction": ("#882255", "D"), "fusion": ("#A6761D", "v")}


@house
def shortcuts(worth, units, title=None):
    """What each shortcut was worth, beside the difference of models that the paper rests on.

    Parameters
    ----------
    worth : pandas.DataFrame
        A row a shortcut: shortcut, study, kind ("measured" or "simulated"), worth, low, high (percent of RMSE; above 0
        the shortcut flatters; NaN where there is no interval), printed, without and ``with_`` (percent of RMSE between
        the models of the conclusion, NaN where there are none; ours are a number at the edge where they lie far off).
    units : pandas.DataFrame
        Columns shortcut, unit and worth: the sites or networks behind the interval, drawn small.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    once(worth, ["shortcut"], "give every shortcut a row")
    if worth.empty:
        return nothing(title)
    fig = figure(9.5, 0.55 * len(worth) + 2.0)
    ax = fig.subplots()
    low, high = _limits(worth, units)
    for place, row in enumerate(worth.itertuples()):
        colour, marker = STUDIES[row.study]
        own = units.loc[units["shortcut"] == row.shortcut, "worth"]
        ax.plot(own, np.full(len(own), place + 0.24), linestyle="none", marker="|", markersize=7, color="0.35",
                zorder=3, label="one site or network")
        if np.isfinite(row.low):
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        ax.plot(row.worth, place, color=colour, marker=marker, markersize=7, linestyle="none",
                markerfacecolor=colour if row.kind == "measured" else "white", markeredgewidth=1.6, zorder=4,
                label=f"{row.study} ({row.kind}), with 95 % interval")
        for value, look, said in ((row.printed, "x", "difference that the paper concludes from, printed"),
                                  (row.without, "+", "the same difference in our runs, without the shortcut"),
                                  (row.with_, "$\\ast$", "and with it")):
            if low <= value <= high:
                ax.plot(value, place - 0.24, marker=look, markersize=7, color="black", linestyle="none", label=said)
            elif np.isfinite(value):
                side, ha = (low, "left") if value < low else (high, "right")
                ax.text(side, place - (0.16 if look == "+" else 0.4), f"{look} {value:.0f}".replace("-", "−"),
                        va="center", ha=ha, fontsize=8)
    ax.axvline(0, color="black", linewidth=1.0)
    ax.set_yticks(range(len(worth)), worth["shortcut"])
    ax.set_ylim(len(worth) - 0.4, -0.6)
    ax.set_xlim(low, high)
    ax.set_xlabel("percent of RMSE (above 0: the shortcut flatters)")
    collected_legend(fig)
    if title:
        fig.suptitle(title)
    return fig


def _limits(worth, units):
    """Room for all that was measured, and for printed differences; the differences of our runs may lie beyond."""
    shown = np.concatenate([worth[["worth", "low", "high", "printed"]].to_numpy(float).ravel(), units["worth"]])
    low, high = min(np.nanmin(shown), 0), max(np.nanmax(shown), 0)
    margin = 0.06 * max(high - low, 1)
    return low - margin, high + margin


@house
def gains(table, title=None):
    """What nudging gains over the free run, over all cells and where nothing was observed, by fraction observed.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns model, fraction, noise (m3 m-3), all and unobserved: percent of the free run's RMSE.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        A panel a noise: filled markers over all cells, hollow ones over those not observed on the day.
    """
    once(table, ["model", "fraction", "noise"], "one row a network and setting")
    noises = sorted(table["noise"].unique())
    fig = figure(4.6 * len(noises) + 0.4, 5.0)
    axes = fig.subplots(1, len(noises), sharey=True, squeeze=False)[0]
    for ax, noise in zip(axes, noises, strict=True):
        here = table[table["noise"] == noise]
        for model, rows in here.groupby("model", sort=False):
            look = model_style(model)
            rows = rows.sort_values("fraction")
            ax.plot(100 * rows["fraction"], rows["all"], **look, label=f"{model}, all cells")
            ax.plot(100 * rows["fraction"], rows["unobserved"],
                    **look | {"markerfacecolor": "white", "linestyle": (0, (4, 2))},
                    label=f"{model}, cells not observed")
        ax.axhline(0, color="black", linewidth=1.0)
        ax.set_xlabel("cells observed each day (percent)")
        ax.set_title(f"noise {noise:g} m³ m⁻³")
    axes[0].set_ylabel("RMSE below\nthe free run's (percent)")
    collected_legend(fig)
    if title:
        fig.suptitle(title)
    return fig
