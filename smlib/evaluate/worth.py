"""What a shortcut in the protocol was worth: paired scores without and with it, an interval, and what maths expects.

Everywhere RMSE is what is compared, in percent: 100 (1 - RMSE with the shortcut / RMSE without). Above 0 the shortcut
makes the forecast look better than it is. Ratios are averaged as logarithms.
"""

import numpy as np
import pandas as pd
from scipy import stats
from scipy.integrate import quad

from smlib import wording
from smlib.wording import count, items, signed, within

PAIRS = ("shortcut", "study", "kind", "unit", "case", "model", "counted", "rmse", "r2", "rmse_leaky", "r2_leaky")
MIN_UNITS = 3  # of two, t with one degree of freedom says that anything may be


def percent(log_ratios):
    """100 (1 - exp) of log ratios: how much lower, in percent, the first RMSE is than the second."""
    return 0.0 - 100 * np.expm1(np.asarray(log_ratios, float))


def mean_interval(values):
    """Mean of independent values and its 95 % interval by Student's t: (mean, low, high).

    Of a few values alone t holds its level where a bootstrap does not: with 4 normal values it covers 95 %, drawing
    them with replacement 78 % (`significance.site_ratio`). Fewer than 3 have no interval; NaN is left out.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    n = len(values)
    if n < MIN_UNITS:
        return (values.mean() if n else np.nan), np.nan, np.nan
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return values.mean(), values.mean() - half, values.mean() + half


def summary(pairs):
    """What each shortcut was worth: a row a shortcut, in the order of `pairs`.

    Parameters
    ----------
    pairs : DataFrame with the columns `PAIRS`
        The same forecast scored (or made) without and with a shortcut, everything else equal. `unit` is what the
        interval draws from (a site, a network), `case` a lead or setting, `counted` whether the shortcut can act on
        the row; r2 may be NaN. Rows that are not counted matter for the order of the models alone.

    Returns
    -------
    DataFrame
        shortcut, study, kind, units, worth, low, high (percent of RMSE), rmse, rmse_leaky (m3 m-3, geometric means),
        r2, r2_leaky (medians over the rows, for R2 has no lower bound) and what `reorderings` counts. Each unit counts
        by the mean over its rows.
    """
    _check(pairs)
    rows = []
    for (shortcut, study, kind), here in pairs.groupby(["shortcut", "study", "kind"], sort=False):
        some = here[here["counted"]]
        some = some.assign(log=np.log(some["rmse_leaky"] / some["rmse"]), log_rmse=np.log(some["rmse"]))
        unit = some.groupby("unit", sort=False)[["log", "log_rmse"]].mean()
        log, low, high = mean_interval(unit["log"])
        rmse = np.exp(unit["log_rmse"].mean())
        rows.append({"shortcut": shortcut, "study": study, "kind": kind, "units": len(unit), "worth": percent(log),
                     "low": percent(high), "high": percent(low), "rmse": rmse, "rmse_leaky": rmse * np.exp(log)}
                    | {name: some[name].median() for name in ("r2", "r2_leaky")} | reorderings(here))
    return pd.DataFrame(rows)


def by_unit(pairs):
    """What each shortcut was worth to each unit: DataFrame shortcut, unit, worth (percent of RMSE)."""
    some = pairs[pairs["counted"]]
    logs = np.log(some["rmse_leaky"] / some["rmse"]).groupby([some["shortcut"], some["unit"]], sort=False).mean()
    return logs.map(percent).rename("worth").reset_index()


def answer(table):
    """What `summary` and `beside_conclusion` say: the page's answer and the numbers behind it, both Markdown.

    Which shortcuts flatter, which may be worth nothing, and which conclusions of the papers have another sign with them
    than without.
    """
    sure = np.isfinite(table["low"])
    up, down = sure & (table["low"] > 0), sure & (table["high"] < 0)
    open_ = sure & ~up & ~down
    told = table[np.isfinite(table[["without", "with"]].astype(float)).all(axis=1)]
    turned = told[(told["without"] > 0) != (told["with"] > 0)]
    flatter = "flatters" if up.sum() == 1 else "flatter"
    said = f"{up.sum()} of {count(len(table), 'shortcut')} surely {flatter} the RMSE"
    most = ""
    if up.any():
        first = table.loc[table["worth"].where(up).idxmax()]
        most = f", most of all {first['shortcut']} ({signed(first['worth'], 1)} %)"
    rest = [f"{n} surely {'worsens' if n == 1 else 'worsen'} it" for n in [int(down.sum())] if n]
    rest += [f"{open_.sum()} may be worth nothing"] if open_.any() else []
    rest += [f"{(~sure).sum()} {'has' if (~sure).sum() == 1 else 'have'} no interval"] if not sure.all() else []
    falls = f" A shortcut turns the paper's conclusion round in {len(turned)} of {len(told)}." if len(told) else ""
    groups = ((up, "Flatter the RMSE, in percent"), (down, "Make the score worse"), (open_, "May be worth nothing"),
              (~sure, "Of too few units for an interval"))
    lines = [f"{words}: {'; '.join(map(_row, table[of].sort_values('worth', ascending=False).to_dict('records')))}."
             for of, words in groups if of.any()]
    changed = table[table["first_changes"] > 0]
    lines.append("Another model comes first " + "; ".join(
        f"with {row.shortcut} in {row.first_changes} of {count(row.cases, 'case')}" for row in changed.itertuples())
        + "." if len(changed) else "No shortcut changes which model comes first.")
    lines += [f"With {row['shortcut']} the conclusion ({row['conclusion']}) turns round: "
              f"{signed(row['without'], 1)} % without, {signed(row['with'], 1)} % with it (printed "
              f"{signed(row['printed'], 1)} %)." for _, row in turned.iterrows()]
    return wording.answer(*(f"{said}{words}.{falls}" for words in (
        most + "".join(f"; {one}" for one in rest), most, ""))), items(lines)


def _row(row):
    return f"{row['shortcut']} {signed(row['worth'], 1)}{within(row['low'], row['high'], 1)}"


def _check(pairs):
    missing = [name for name in PAIRS if name not in pairs]
    if missing:
        raise ValueError(f"pairs lack the columns {', '.join(missing)}")
    for name in ("rmse", "rmse_leaky"):
        bad = ~(np.isfinite(pairs[name]) & (pairs[name] > 0))
        if bad.any():
            row = pairs[bad].iloc[0]
            raise ValueError(f"{name} must be above 0 and finite, not {row[name]} ({row['shortcut']}, {row['unit']}, "
                             f"{row['model']}, {row['case']})")


def reorderings(pairs):
    """Whether a shortcut changes who is better than whom: mapping of cases, first_changes, order_pairs, swaps.

    In every case (a lead, a setting) the models are ordered by the mean over units of log RMSE. `first_changes` counts
    the cases in which another model comes first, `swaps` the pairs of models, of `order_pairs` over all cases, that
    stand the other way round; models that are equal to rounding are no pair.
    """
    found = {"cases": 0, "first_changes": 0, "order_pairs": 0, "swaps": 0}
    for _, here in pairs.groupby("case", sort=False):
        logs = np.log(here.set_index("model")[["rmse", "rmse_leaky"]]).groupby(level=0, sort=False).mean()
        if len(logs) < 2:
            continue
        before, after = (logs[name].to_numpy() for name in ("rmse", "rmse_leaky"))
        i, j = np.triu_indices(len(logs), 1)
        a, b = before[i] - before[j], after[i] - after[j]
        apart = (abs(a) > 1e-9) & (abs(b) > 1e-9)
        found["cases"] += 1
        found["first_changes"] += int(before.argmin() != after.argmin())
        found["order_pairs"] += int(apart.sum())
        found["swaps"] += int((a * b < 0)[apart].sum())
    return found


def lead_over(rmse, winner=None, loser=None):
    """By how much one model is better than another: mapping of winner, loser, lead (percent of RMSE).

    Parameters
    ----------
    rmse : DataFrame with unit, case, model, rmse
        The two are paired in every unit and case; each unit counts by the mean over its cases.
    winner, loser : names; by default those with the lowest and the next lowest mean log RMSE. The lead is NaN where
        a name is not among the models.
    """
    logs = np.log(rmse.pivot(index=["unit", "case"], columns="model", values="rmse"))
    order = logs.groupby(level="unit").mean().mean().sort_values(kind="stable").index
    winner, loser = winner or order[0], loser or order[1]
    if not {winner, loser} <= set(order):
        return {"winner": winner, "loser": loser, "lead": np.nan}
    log = (logs[winner] - logs[loser]).groupby(level="unit").mean().mean()
    return {"winner": winner, "loser": loser, "lead": float(percent(log))}


def beside_conclusion(said, printed, pairs, **names):
    """What a paper concludes from: mapping of conclusion (in words), printed, without and with (percent of RMSE).

    printed is a table of `lead_over`, pairs one with rmse_leaky beside rmse: the leads of the same two models without
    the shortcut and with it. Winner and loser are those of print unless `names` gives them.
    """
    found = lead_over(printed, **names)
    keys, two = ["unit", "case", "model"], (found["winner"], found["loser"])
    leads = {name: lead_over(pairs[[*keys, column]].rename(columns={column: "rmse"}), *two)["lead"]
             for name, column in (("without", "rmse"), ("with", "rmse_leaky"))}
    return {"conclusion": said.format(**found), "printed": found["lead"]} | leads


def with_zeros(rmse, r2, share, mean):
    """RMSE and R2 when a share of the scored cells is 0 in forecast and truth, from those without them.

    RMSE falls by sqrt(1 - share). With s2 = RMSE^2 / (1 - R2), the variance of the truth, and its mean, the variance
    over all cells is (1 - share) (s2 + share mean^2), so R2' = 1 - (1 - R2) s2 / (s2 + share mean^2).
    """
    rmse, r2 = np.asarray(rmse, float), np.asarray(r2, float)
    variance = rmse**2 / (1 - r2)
    return np.sqrt(1 - share) * rmse, 1 - (1 - r2) * variance / (variance + share * mean**2)


def with_overwritten(rmse, tau, fraction, noise):
    """RMSE over all cells when a random fraction of them is nudged by tau, from that over the cells left alone.

    Before the analysis both kinds of cells have the same error, since they are drawn anew each day; after it that of an
    observed cell is (1 - tau) of it plus tau times the noise: MSE' = (1 - f) MSE + f ((1 - tau)^2 MSE + tau^2 noise^2).
    With tau = 1 and no noise RMSE falls by sqrt(1 - fraction).
    """
    mse = np.asarray(rmse, float) ** 2
    return np.sqrt((1 - fraction) * mse + fraction * ((1 - tau) ** 2 * mse + tau**2 * noise**2))


def least_of(k, correlation=0.0):
    """Expected least of k standard normal scores, any two of which have this correlation: -sqrt(1 - rho) m_k.

    What choosing by the test promises too much, in standard deviations of a score, if all k candidates are equally
    good. m_k is the expected greatest of k independent ones (0.564 of 2, 1.539 of 10).
    """
    if k < 1 or not 0 <= correlation <= 1:
        raise ValueError(f"k must be at least 1 and the correlation from 0 to 1, not {k} and {correlation}")
    greatest, _ = quad(lambda x: x * k * stats.norm.pdf(x) * stats.norm.cdf(x) ** (k - 1), -12, 12)
    return -np.sqrt(1 - correlation) * greatest


def least_drawn(k, correlation=0.0, draws=20000, seed=0):
    """`least_of` from random numbers: the mean least of k correlated normal scores, and its standard error."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(draws, 1))
    scores = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=(draws, k))
    least = scores.min(1)
    return least.mean(), least.std(ddof=1) / np.sqrt(draws)


def agreement(checks):
    """Expected and found numbers by statement: DataFrame statement, numbers, largest (deviation, percent of expected).

    checks : mapping of statement -> (expected, found)
    """
    rows = [(said, np.size(expected), 100 * np.max(np.abs(np.asarray(found) / np.asarray(expected) - 1)))
            for said, (expected, found) in checks.items()]
    return pd.DataFrame(rows, columns=["statement", "numbers", "largest"])


def ridge_slope(x, y, penalty, span):
    """Slope of ridge regression of y on x, both divided by `span` before the fit: Sxy / (Sxx + penalty span^2).

    So a scaler that knows a range wider by a factor k is a penalty k^2 as strong, and one without penalty is nothing.
    """
    x, y = np.asarray(x, float) - np.mean(x), np.asarray(y, float) - np.mean(y)
    return float(x @ y / (x @ x + penalty * span**2))
