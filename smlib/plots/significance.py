"""Figures of what is significant: critical differences of ranks, tests at every level, and the effect of the target."""

import matplotlib
import numpy as np
import pandas as pd
import scikit_posthocs
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from smlib.plots.style import SIGNED, figure, house, in_order, legend, model_style, no_data

ALPHA = 0.05
FLOOR = -1.0                # lowest skill that is drawn
MARKS = {"better": "^", "worse": "v"}
NOT_SCORED = "0.75"
ABSENT = {"facecolor": "white", "edgecolor": "0.85", "hatch": "////", "linewidth": 0}
WIDEST = 4.0                # ratio of two losses at which the colours end


def _days(lead):
    return f"{lead:g} day{'s' if lead != 1 else ''} ahead"


def _p(p):
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


@house
def critical_difference(ranks, tests, pairs, unit="sites", title=None):
    """Average ranks with the critical difference of Nemenyi's test, a panel a lead (Demsar 2006, Fig. 1).

    Parameters
    ----------
    ranks, tests, pairs : pandas.DataFrame
        From `smlib.evaluate.ranks.friedman`. Entrants are models, or models followed by " (increment)".
    unit : str
        What a block is.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Best on the left; a bar joins entrants that the test cannot tell apart.
    """
    leads = sorted(ranks["lead_d"].unique())
    fig = figure(9.5, 5.0)
    axes = fig.subplots(len(leads), 1, squeeze=False)[:, 0]
    lowest = 0.0
    for ax, lead in zip(axes, leads, strict=True):
        here = ranks[ranks["lead_d"] == lead].set_index("entrant")["rank"]
        test = tests[tests["lead_d"] == lead].iloc[0]
        ax.set_title(_heading(lead, test, unit), pad=4)
        if here.isna().all():
            no_data(ax)
            continue
        lowest = min(lowest, _diagram(ax, here, _matrix(pairs[pairs["lead_d"] == lead], here.index), test["cd"]))
    for ax in axes:
        ax.set_ylim(lowest - 0.8, 4.3)
    fig.set_size_inches(9.5, len(leads) * (0.2 * (5.1 - lowest) + 0.75) + (0.5 if title else 0.1))
    if title:
        fig.suptitle(title)
    return fig


def _heading(lead, test, unit):
    start = f"{_days(lead)}: average ranks of {test['entrants']} entrants (1 is best), N = {test['blocks']} ({unit})"
    if np.isnan(test["cd"]):
        return f"{start}: too few to test"
    return (f"{start}\nFriedman χ² = {test['chi2']:.1f}, {_p(test['p'])}; "
            f"Iman-Davenport F = {test['F']:.1f}, {_p(test['p_F'])}")


def _matrix(pairs, entrants):
    """The tidy p values as the square that scikit-posthocs draws from; without a test nothing is joined."""
    p = pd.DataFrame(0.0, entrants, entrants)
    for row in pairs.itertuples():
        p.loc[row.entrant, row.other] = p.loc[row.other, row.entrant] = row.p
    return p.where(~np.eye(len(p), dtype=bool), 1.0)


def _diagram(ax, ranks, p, cd):
    """Draw one panel, a row a unit of y, and return the y of its lowest label."""
    looks = {name: model_style(name) for name in ranks.index}
    drawn = scikit_posthocs.critical_difference_diagram(
        ranks, p, ax=ax, alpha=ALPHA, color_palette={name: look["color"] for name, look in looks.items()},
        label_fmt_left="{label}  {rank:.1f} ", label_fmt_right=" {rank:.1f}  {label}", marker_props={"s": 0},
        label_props={"fontsize": 9}, elbow_props={"linewidth": 0.9}, crossbar_props={"linewidth": 2.2, "color": "0.25"},
        text_h_margin=0.015 * len(ranks))
    ordered = ranks.sort_values()  # as the library draws them: the left half, then the right half from the far end
    half = (len(ordered) + 1) // 2
    names = [*ordered.index[:half], *ordered.index[half:][::-1]]
    for name, elbow in zip(names, drawn["elbows"], strict=True):
        elbow.set_linestyle(looks[name]["linestyle"])
        ax.plot(ranks[name], 0, zorder=4, clip_on=False, **(looks[name] | {"linestyle": "none", "markersize": 6}))
    ax.grid(False)
    ticks = MaxNLocator(nbins=12, integer=True).tick_values(1, len(ranks))
    ax.set_xticks([tick for tick in ticks if 1 <= tick <= len(ranks)])
    if not np.isnan(cd):
        start = float(ordered.iloc[0])
        ax.errorbar(start + cd / 2, 2.6, xerr=cd / 2, color="0.25", capsize=4, linewidth=1.4)
        ax.text(start + cd / 2, 2.9, f"critical difference {cd:.1f}", ha="center", va="bottom", fontsize=9)
    return min(label.get_position()[1] for label in drawn["labels"])


@house
def verdicts(compared, title=None):
    """One model against another at every site and level: a panel a lead and a pair of models, a row a site.

    Parameters
    ----------
    compared : pandas.DataFrame
        From `smlib.evaluate.significance.compare`; of several pairs of models, concatenated.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Colour is the ratio of the two losses (1 - skill); a triangle marks p < 0.05 after Holm's adjustment; grey is
        what could not be scored; hatched is no such level.
    """
    pairs = list(dict.fromkeys(zip(compared["model"], compared["reference"], strict=True)))
    leads, sites = sorted(compared["lead_d"].unique()), list(dict.fromkeys(compared["site"]))
    levels = sorted(dict.fromkeys(compared["level"]), key=_level_order)
    fig = figure(max(5.5, len(leads) * max(0.42 * len(levels) + 0.35, 3.0) + 2.1),
                 len(pairs) * (0.24 * len(sites) + 0.55) + 1.7)
    axes = fig.subplots(len(pairs), len(leads), squeeze=False, sharex=True, sharey=True)
    colours, norm = SIGNED.with_extremes(bad="none"), LogNorm(1 / WIDEST, WIDEST)
    for (i, k), ax in np.ndenumerate(axes):
        model, reference = pairs[i]
        here = compared[(compared["model"] == model) & (compared["reference"] == reference)
                        & (compared["lead_d"] == leads[k])]
        _tiles(ax, here, sites, levels, colours, norm)
        ax.set_title(f"{model}\nagainst {reference}, {_days(leads[k])}")
    bar = fig.colorbar(matplotlib.cm.ScalarMappable(norm, colours), ax=axes, extend="both", aspect=20, pad=0.02,
                       shrink=min(1.0, 3.5 / fig.get_figheight()), ticks=[0.25, 0.5, 1, 2, 4], format="{x:g}")
    bar.ax.minorticks_off()
    bar.ax.grid(False)
    bar.set_label("loss of the model /\nof the reference")
    entries = {f"{verdict}, p < {ALPHA} (Holm)": Line2D([], [], color="black", marker=mark, linestyle="none")
               for verdict, mark in MARKS.items()}
    entries |= {"not scored": Patch(facecolor=NOT_SCORED), "no such level": Patch(**ABSENT)}
    legend(fig, list(entries.values()), list(entries))
    if title:
        fig.suptitle(title)
    return fig


def _level_order(level):
    """Known depths from the top down, then numbered levels."""
    first = level.split(" ")[0]
    return (0, float(first)) if first.replace(".", "").isdigit() else (1, level)


def _tiles(ax, here, sites, levels, colours, norm):
    ratio = 1 - here.pivot(index="site", columns="level", values="skill").reindex(sites, columns=levels)
    ax.imshow(np.ma.masked_invalid(ratio.to_numpy(float).clip(1e-3)), cmap=colours, norm=norm, aspect="auto")
    ax.add_patch(Rectangle((-0.5, -0.5), len(levels), len(sites), zorder=-1, **ABSENT))
    for row in here.itertuples():
        x, y = levels.index(row.level), sites.index(row.site)
        if row.verdict == "not scored":
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=NOT_SCORED))
        elif row.verdict in MARKS:
            ax.plot(x, y, marker=MARKS[row.verdict], markersize=6, linestyle="none",
                    color="black" if 0.4 < 1 - row.skill < 2.5 else "white")
    edge = {"color": "white", "linewidth": 1.0, "zorder": 1.5}
    ax.hlines(np.arange(1, len(sites)) - 0.5, -0.5, len(levels) - 0.5, **edge)
    ax.vlines(np.arange(1, len(levels)) - 0.5, -0.5, len(sites) - 0.5, **edge)
    ax.set_xticks(range(len(levels)), [level.split(",")[0] for level in levels], rotation=90)
    ax.set_yticks(range(len(sites)), sites)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[["left", "bottom"]].set_visible(False)


@house
def target_effect(effect, floor=FLOOR, title=None):
    """What learning the day's change does to each model: a panel a lead, a row a model.

    Parameters
    ----------
    effect : pandas.DataFrame
        From `smlib.evaluate.ranks.target_effect`.
    floor : float
        Where the axis ends on the left; what lies below it is drawn as an arrow at the edge.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Skill of the increment against the value, with its interval over sites; full dots where that decides. On the
        right, at how many sites the increment is better, and the average rank of the model with either target.
    """
    models, leads = in_order(effect["model"]), sorted(effect["lead_d"].unique())
    fig = figure(max(6.0, 3.4 * len(leads) + 1.4), 0.27 * len(models) + 2.2)
    axes = fig.subplots(1, len(leads), squeeze=False, sharex=True, sharey=True)[0]
    for ax, lead in zip(axes, leads, strict=True):
        here = effect[effect["lead_d"] == lead].set_index("model")
        ax.axvline(0, color="0.3", linewidth=0.8, zorder=1)
        ax.set_title(f"{_days(lead)}, {here['sites'].max()} site{'s' if here['sites'].max() != 1 else ''}", pad=20)
        ax.set_xlabel("skill: 1 − MSE ratio")
        for y, model in enumerate(models):
            if model in here.index:
                _effect_row(ax, y, here.loc[model], model, floor)
        _beside(ax, -0.85, "sites", "rank")
        if here["skill"].isna().all():
            no_data(ax)
        low = np.nanmin(effect[["skill", "low"]].to_numpy(float), initial=-0.1)
        ax.set_xlim(max(floor, low - 0.05), 1.0)
    axes[0].set_yticks(range(len(models)), models)
    axes[0].set_ylim(len(models) - 0.4, -0.6)
    full = {"color": "0.2", "marker": "o", "linestyle": "none"}
    legend(fig, [Line2D([], [], **full), Line2D([], [], **full, markerfacecolor="white")],
           ["interval excludes 0, at least 6 sites", "undecided, or too few sites"])
    fig.suptitle(title or "Learning the day's change instead of the moisture:\nskill, sites where it is better, and "
                          "average rank (value → change)")
    return fig


def _effect_row(ax, y, row, model, floor):
    colour = model_style(model)["color"]
    if not np.isnan(row["low"]):
        ax.hlines(y, max(row["low"], floor), max(row["high"], floor), color=colour, linewidth=1.4, zorder=2)
    if row["skill"] >= floor:
        face = colour if row["verdict"] in ("better", "worse") else "white"
        ax.plot(row["skill"], y, marker="o", markersize=6, color=colour, markerfacecolor=face, zorder=3)
    elif row["skill"] < floor:
        ax.plot(floor + 0.03, y, marker="$\\leftarrow$", markersize=9, color=colour, zorder=4, clip_on=False)
    ranks = "" if np.isnan(row["rank_value"]) else f"{row['rank_value']:.1f} → {row['rank_increment']:.1f}"
    _beside(ax, y, f"{row['sites_lower']}/{row['sites']}", ranks)


def _beside(ax, y, sites, ranks):
    """Two columns of text to the right of a panel."""
    for points, text in ((24, sites), (84, ranks)):
        ax.annotate(text, (1, y), xycoords=ax.get_yaxis_transform(), xytext=(points, 0), textcoords="offset points",
                    va="center", ha="center", fontsize=10, color="0.3", annotation_clip=False)
