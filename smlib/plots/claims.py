"""Verdicts on claims, counted."""

from matplotlib.ticker import MaxNLocator

from smlib.plots.style import figure, house, legend

# Okabe and Ito's blue and vermilion, and grey; hatched too, so that no bar relies on colour.
LOOKS = {"holds": {"color": "#0072B2"}, "does not hold": {"color": "#D55E00", "hatch": "//"},
         "cannot be told": {"color": "#BBBBBB", "hatch": ".."}}


@house
def verdict_bars(counts, title=None):
    """Verdicts by study as stacked bars.

    Parameters
    ----------
    counts : pandas.DataFrame
        Columns ``study`` and ``data`` (measured or simulated), and a column of numbers for each verdict, as from
        ``smlib.claims.counts(table, ("study", "data"))``.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig = figure(7.5, 0.42 * len(counts) + 1.5)
    ax = fig.subplots()
    left, bars, names = 0 * counts["holds"], {}, counts["study"] + " (" + counts["data"] + ")"
    for verdict, look in LOOKS.items():
        bars[verdict] = ax.barh(names, counts[verdict], left=left, height=0.7, edgecolor="white", **look)
        for y, (x, n) in enumerate(zip(left, counts[verdict], strict=True)):
            if n:
                ax.text(x + n / 2, y, str(n), ha="center", va="center", fontsize=9,
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2})
        left = left + counts[verdict]
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("verdicts")
    if title:
        ax.set_title(title)
    legend(fig, list(bars.values()), list(bars))
    return fig
