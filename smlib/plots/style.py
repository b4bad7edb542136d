"""House style of the figures: fonts, units, model colours, and the small things that every figure needs."""

import base64
import functools
import io
import math
import re

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from cmcrameri import cm
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from smlib.data.schema import level_name
from smlib.evaluate.entrants import parts

STYLE = {
    "font.size": 10, "axes.titlesize": 10, "axes.labelsize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "legend.fontsize": 9, "figure.titlesize": 11, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "0.88", "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.2,
    "legend.frameon": False, "axes.titlelocation": "left", "hatch.linewidth": 0.6,
    "figure.constrained_layout.h_pad": 0.07, "figure.constrained_layout.w_pad": 0.06,
}
DPI = 150
PAGE = 6.5  # inches: the text column of the book in a window of 1200 pixels
MOST_GROWN = 1.4  # times the size of type in STYLE; beyond, labels would crowd out what they label

# Okabe and Ito's colours for the models that stand together most often, Tol's "muted" ones for the rest; every model
# has a marker of its own as well, so that no figure relies on colour.
MODEL_COLOURS = {
    "persistence": "#000000", "climatology": "#808080", "ridge": "#0072B2", "RF": "#009E73", "ELM": "#E69F00",
    "SVR": "#CC79A7", "HistGB": "#A6761D", "CNN": "#3F9FE0", "LSTM": "#D55E00", "1D-CNN": "#56B4E9",
    "Transformer": "#882255", "CNN-LSTM": "#332288", "LSTM-CNN": "#44AA99", "CNN-with-LSTM": "#999933",
    "FA-LSTM": "#AA4499", "TA-LSTM": "#117733", "FTA-LSTM": "#661100", "GAN-LSTM": "#6699CC", "ConvLSTM": "#006B54",
    "ConvLSTM-SE": "#6A1B7A", "MLSTM": "#B2182B",
}
MODEL_MARKERS = dict(zip(MODEL_COLOURS, ("s", "D", "P", "^", "v", "X", "$\u25a3$", (3, 0, 45), "o", "<", ">", "p",
                                         "h", "8", "d", "H", "*", (4, 1, 0), (5, 0, 36), (5, 1, 36), (6, 1, 0)),
                         strict=True))
BASELINES = ("persistence", "climatology")

# Ways to estimate a field or to correct a product that are no model of their own; markers may recur, for these never
# stand beside the station models.
METHOD_LOOKS = {"climatology with memory": ("#D6B400", "P"), "interpolation": ("#C2185B", "X"),
                "optimal interpolation": ("#6B3A1E", "^"), "kriging": ("#EE9BC0", "v"), "EnKF": ("#1F3FBF", "*"),
                "raw": ("#595959", "s"), "mean-std": ("#56B4E9", "v"), "CDF matching": ("#CC79A7", "D"),
                "exponential filter": ("#999933", "^"), "linear": ("#332288", "P"), "stage 1": ("#882255", "p")}
SPARE_LOOKS = (("#00A5B5", "<"), ("#8B8000", ">"), ("#A05050", "p"), ("#505080", "h"))  # for any other name
BUILT_ON = (":", (0, (5, 1.5, 1, 1.5)), (0, (6, 1)))  # lines of what is built on a model: "ConvLSTM, nudged"

# Perceptually uniform, and told apart without colour vision (Crameri et al. 2020, doi:10.1038/s41467-020-19160-7).
WET = cm.navia_r  # soil moisture and whatever else has an order: pale is dry or little, dark blue is wet or much
SIGNED = cm.vik  # blue below 0, red above, as correlations are drawn
SIGNED_WET = cm.vik_r  # red below 0 (drier, worse), blue above (wetter, better)
SAND, HEIGHT, PLANTS = cm.lajolla_r, cm.bilbao_r, cm.bamako_r

MOISTURE = "soil moisture (m³ m⁻³)"
METRICS = {"R2": "R²", "RMSE": "RMSE (m³ m⁻³)", "ubRMSE": "ubRMSE (m³ m⁻³)", "MAE": "MAE (m³ m⁻³)",
           "MSE": "MSE (m⁶ m⁻⁶)", "bias": "bias (m³ m⁻³)", "r": "correlation r", "KGE": "KGE",
           "skill_persistence": "skill against persistence", "skill_climatology": "skill against climatology"}


class HouseFigure(Figure):
    """A matplotlib figure that a notebook shows by itself, without pyplot and the list of open figures it keeps.

    `alt`, which `smlib.run.results.Run.figure` sets, is the text for readers who do not see it.
    """

    alt = None

    def _repr_mimebundle_(self, include=None, exclude=None):
        # Not _repr_png_: once pyplot is imported, its own way to show a figure would come first, and knows of no alt.
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return ({"image/png": base64.b64encode(buffer.getvalue()).decode()},
                {"image/png": {"alt": self.alt}} if self.alt else {})


def house(draw):
    """Decorator: run a drawing function in the house style, whatever the caller's matplotlib settings are."""
    @functools.wraps(draw)
    def drawn(*args, **kwargs):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return draw(*args, **kwargs)
    return drawn


def figure(width, height):
    """An empty figure of `width` by `height` inches, constrained layout, 150 dots an inch.

    The page draws it PAGE inches wide: type grows with the width, so that it is about as large there in every figure.
    """
    grown = min(max(width / PAGE, 1.0), MOST_GROWN)
    matplotlib.rcParams.update({key: STYLE[key] * grown for key in STYLE if key.endswith("size")})
    fig = HouseFigure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(fig)
    return fig


def grid(n, xlabel, ylabel, columns=3, width=3.3, height=2.6, extra=1.0):
    """A figure with `n` panels in at most `columns` columns, and the list of their axes in reading order.

    `width` and `height` are inches a panel, `extra` is what title and legend need. Labels stand on the outer panels
    alone, so the caller gives every panel the same limits (sharing axes takes minutes at a hundred panels).
    """
    columns = 2 if n == 4 and columns == 3 else min(n, columns)  # four panels stand better two by two
    rows = math.ceil(n / columns)
    fig = figure(max(width * columns, 5.0), height * rows + extra)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for i, ax in enumerate(axes):
        lowest, leftmost = i + columns >= n, i % columns == 0
        ax.tick_params(labelbottom=lowest, labelleft=leftmost)
        ax.set_xlabel(xlabel if lowest else "")
        ax.set_ylabel(ylabel if leftmost else "")
        if i >= n:
            ax.remove()
    return fig, list(axes[:n])


def text_width(text, points):
    """Inches that a line of text takes."""
    return text_to_path.get_text_width_height_descent(text, FontProperties(size=points), False)[0] / 72


def wrapped(text, inches, points=None):
    """`text` broken between words into lines of at most `inches`, by default in the size of the panels' titles."""
    points = points or matplotlib.rcParams["axes.titlesize"]
    lines = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}", points) <= inches:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def legend(fig, handles, labels):
    """A legend under the panels, in as many columns as the width of the figure has room for."""
    size = matplotlib.rcParams["legend.fontsize"] / STYLE["legend.fontsize"]
    entry = size * (0.085 * max(map(len, labels)) + 0.6)  # inches, about
    columns = max(1, min(len(labels), int(fig.get_figwidth() / entry)))
    fig.legend(handles, labels, loc="outside lower center", ncols=columns)


def collected_legend(fig):
    """A legend of everything labelled in any panel, each label once."""
    entries = {}
    for ax in fig.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        legend(fig, list(entries.values()), list(entries))


def ink(colour):
    """Black or white, whichever stands out more from a colour (WCAG's relative luminance)."""
    red, green, blue = ((c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
                        for c in matplotlib.colors.to_rgb(colour))
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179 else "black"


def no_data(ax):
    """Say on an empty panel that it is empty because there is nothing to draw."""
    ax.text(0.5, 0.5, "no data", transform=ax.transAxes, ha="center", va="center", color="0.35", fontsize=11)
    ax.grid(False)


def nothing(title=None):
    """What a figure of an empty table is: one panel that says so."""
    fig = figure(5.0, 2.5)
    ax = fig.subplots()
    ax.set_xticks([])
    ax.set_yticks([])
    no_data(ax)
    if title:
        fig.suptitle(title)
    return fig


def model_style(name):
    """Colour, marker and line of a model, the same in every figure; baselines are dashed with hollow markers.

    A model of the day's change ("LSTM (increment)") has its model's colour and marker, hollow, and a dotted line.
    Raises ValueError for a model that has no colour yet: two models must never share one by accident.
    """
    model, target = parts(name)
    if model not in MODEL_COLOURS:
        raise ValueError(f"no colour for model {model!r}: add it to MODEL_COLOURS ({', '.join(MODEL_COLOURS)})")
    colour, hollow = MODEL_COLOURS[model], model in BASELINES or target == "increment"
    line = (0, (4, 2)) if model in BASELINES else ":" if target == "increment" else "-"
    return {"color": colour, "marker": MODEL_MARKERS[model], "linestyle": line,
            "markerfacecolor": "white" if hollow else colour, "markersize": 5.5, "linewidth": 1.0}


def in_order(names):
    """The distinct models in the order of MODEL_COLOURS, each before its increment; ValueError if unknown."""
    found = set(names)
    for name in found:
        model_style(name)
    return sorted(found, key=lambda name: (list(MODEL_COLOURS).index(parts(name)[0]), name))


def model_in(name):
    """The model (or method) at the head of a name such as "ConvLSTM, nudged" or "climatology + nudging", or None."""
    heads = [m for m in (*MODEL_COLOURS, *METHOD_LOOKS) if re.match(re.escape(m) + r"($|[ ,:;+(])", name)]
    return max(heads, key=len, default=None)


def looks(names):
    """Distinct names -> line styles, in the order of MODEL_COLOURS; never an error, whatever the names are.

    What is built on a model ("ConvLSTM, nudged") follows it, in its colour and with another line; names that begin
    with no model come last, in colours of their own.
    """
    known = [*MODEL_COLOURS, *METHOD_LOOKS]
    names = sorted(dict.fromkeys(names), key=lambda name: (
        known.index(model_in(name)) if model_in(name) else len(known), name != model_in(name)))
    found, built, spare = {}, {}, 0
    for name in names:
        base = model_in(name)
        if base in MODEL_COLOURS:
            look = model_style(base)
        else:
            colour, marker = METHOD_LOOKS.get(base, SPARE_LOOKS[spare % len(SPARE_LOOKS)])
            look = {"color": colour, "marker": marker, "linestyle": "-" if spare < len(SPARE_LOOKS) else "--",
                    "markerfacecolor": colour, "markersize": 5.5, "linewidth": 1.0}
            spare += base is None
        if base not in (None, name):
            look |= {"linestyle": BUILT_ON[built.get(base, 0) % len(BUILT_ON)]}
            built[base] = built.get(base, 0) + 1
        found[name] = look
    return found


def once(table, keys, advice):
    """Raise ValueError where a table has several rows for the same `keys`: a figure would draw one over the other."""
    twice = table.duplicated(list(keys))
    if twice.any():
        row = table.loc[twice, list(keys)].iloc[0]
        raise ValueError(f"several values for {', '.join(f'{k} {v}' for k, v in row.items())}: {advice}")


def level_names(obj, site):
    """Names of all levels of a site of anything that has the schema's `depth` (and `depth_m`) coordinates."""
    known = obj["depth_m"].sel(site=site).values if "depth_m" in obj.coords else np.full(obj.sizes["depth"], np.nan)
    return [level_name(level, d) for d, level in zip(known, obj["depth"].values, strict=True)]


def level_looks(obj, sites):
    """Name of each level of some sites -> its line, from the top down: one colour a depth, whatever the site.

    Colours are ordered in lightness (dark is shallow; the palest are left out). Levels of unknown depth come last, and
    are dashed where levels of known depth stand beside them.
    """
    known, unknown = {}, {}
    for site in sites:
        depths = obj["depth_m"].sel(site=site).values if "depth_m" in obj.coords else [np.nan] * obj.sizes["depth"]
        for name, depth, level in zip(level_names(obj, site), depths, obj["depth"].values, strict=True):
            (unknown if np.isnan(depth) else known)[name] = level if np.isnan(depth) else depth
    looks = {}
    for levels, dash in ((known, "-"), (unknown, (0, (5, 2)) if known else "-")):
        for name, shade in zip(sorted(levels, key=levels.get), np.linspace(0, 0.85, max(len(levels), 2)), strict=False):
            looks[name] = {"color": matplotlib.colormaps["viridis"](shade), "linestyle": dash}
    return looks


def daily(obj):
    """`obj` (xarray or pandas, daily) with a row for every date, so that a line breaks where dates are missing."""
    if isinstance(obj, xr.DataArray | xr.Dataset):
        index = obj.indexes["time"]
        return obj.reindex(time=pd.date_range(index[0], index[-1], freq="D"))
    return obj.reindex(pd.date_range(obj.index[0], obj.index[-1], freq="D"))


def broken_line(ax, time, values, **style):
    """A line that breaks at every NaN; a day alone between two gaps, which a line cannot show, becomes a dot.

    Returns the line.
    """
    values = np.asarray(values, float)
    (line,) = ax.plot(time, values, **style)
    padded = np.isnan(np.concatenate([[np.nan], values, [np.nan]]))
    alone = ~np.isnan(values) & padded[:-2] & padded[2:]
    if alone.any():
        ax.plot(np.asarray(time)[alone], values[alone], linestyle="none", marker=".", markersize=4,
                color=line.get_color())
    return line
