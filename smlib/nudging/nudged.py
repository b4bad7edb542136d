"""Roll-outs with observations, scored as they run: the settings of the paper side by side, and any other analysis."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from smlib.assimilate.enkf import ensemble_mean
from smlib.assimilate.nudging import Nudging, check_valid, cycle
from smlib.assimilate.observations import Observations, random, together
from smlib.evaluate.field_scores import SUMS, day_sums
from smlib.nudging.forecasts import BATCH
from smlib.train.workers import side_by_side

CELLS = ("all", "unobserved")
WORTH = 3e7  # members times days times cells from which worker processes pay for their start


@dataclass(frozen=True)
class Setting:
    """A setting of the paper's experiment: strength, fraction of the cells observed, noise (m3 m-3)."""

    tau: float
    fraction: float
    noise: float


def grid(taus, fractions, noises):
    """All combinations, those that share their observations one after the other; ValueError for values out of range."""
    for name, values, good in (("tau", taus, lambda v: 0 < v <= 1), ("fraction", fractions, lambda v: 0 < v <= 1),
                               ("noise", noises, lambda v: v >= 0)):
        bad = [v for v in values if not good(v)]
        if bad or not values:
            raise ValueError(f"{name} {'lies outside its range' if bad else 'has no value'}: {bad or values} "
                             "(0 < tau <= 1, 0 < fraction <= 1, noise >= 0)")
        if len(set(values)) < len(values):
            raise ValueError(f"{name} holds a value twice: {values}")
    return [Setting(tau, fraction, noise) for noise, fraction, tau in product(noises, fractions, taus)]


@dataclass(frozen=True)
class Stretch:
    """The days of a roll-out, and what it starts from; moisture in m3 m-3.

    Attributes
    ----------
    window : (1, lookback, y, x), finite on valid cells
    truth : (day, y, x), NaN where missing
    mean : (lookback + day, y, x) climatology of the window's and the roll-out's days
    valid : (y, x) bool
    centre : see `smlib.evaluate.field_scores.day_sums`
    seed : of what is observed; no two periods have the same
    """

    window: np.ndarray
    truth: np.ndarray
    mean: np.ndarray
    valid: np.ndarray
    centre: float
    seed: int


def stretch(field, period="test", days=None, seed=0):
    """The `Stretch` of a period of a `Field`, or of its first `days`.

    Raises
    ------
    ValueError
        If the period has fewer than `days` days.
    """
    targets = field.targets(period)
    days = targets.stop - targets.start if days is None else days
    if not 0 < days <= targets.stop - targets.start:
        raise ValueError(f"days must lie from 1 to {targets.stop - targets.start} in the {period} period, not {days}")
    last = targets.start + days
    return Stretch(field.first_window(period), field.truth[targets.start:last],
                   field.climatology[targets.start - field.lookback:last], check_valid(field.valid), field.centre,
                   2 * seed + (period == "validation"))


class Finished:
    """A finished forecast (day, y, x) as a forecast: what is corrected after the fact, with feedback=False."""

    def __init__(self, forecast):
        self.left = iter(forecast)

    def forecast(self, window):
        """The next day for all members, whatever the window."""
        return np.broadcast_to(next(self.left), (len(window), *window.shape[2:]))


def scored_run(model, stretch, observations, analyse, *, feedback=True, about=False, remember=None, size=1,
               window=None, keep=()):
    """Roll out and score: sums (member, cells, day, 8) for `CELLS`, and analyses (member, kept day, y, x).

    Parameters
    ----------
    model : has ``forecast(window) -> x_f``
    observations : list of `Observations`, one a member (or an ensemble of `size` members)
    analyse : see `smlib.assimilate`, or None for a free run, scored on the cells that would not have been observed
    about : whether anomalies about the climatology are forecast and corrected
    remember : function of observe that makes another one, such as `Recent`; scored are the day's own observations
    window : (member * size, lookback, y, x), if not the stretch's own for all
    keep : days of the analyses to return; float32
    """
    observe = lru_cache(16)(together(observations))
    later = observe if remember is None else _remembered(observe, remember, stretch, about)
    used = later if size == 1 else lambda day: tuple(np.repeat(part, size, axis=0) for part in later(day))
    window = np.repeat(stretch.window, len(observations) * size, axis=0) if window is None else window
    days = len(stretch.truth)
    sums = np.zeros((len(observations), len(CELLS), days, len(SUMS)))
    kept = []
    run = cycle(model, window, days, stretch.valid, used, analyse, feedback, stretch.mean if about else None)
    for day, (_, x_a) in enumerate(run):
        x_a = ensemble_mean(x_a, size) if size > 1 else x_a
        seen = observe(day)[1].astype(bool)
        for k, where in enumerate((stretch.valid, stretch.valid & ~seen)):
            sums[:, k, day] = day_sums(x_a, stretch.truth[day], where, stretch.centre)
        if day in keep:
            kept.append(x_a)
    kept = np.stack(kept, 1) if kept else np.zeros((len(observations), 0, *stretch.valid.shape), np.float32)
    return sums, kept.astype(np.float32)


def _remembered(observe, remember, stretch, about):
    """Observations that stay in use; about the climatology it is their anomalies that stay."""
    if not about:
        return remember(observe)
    mean = stretch.mean[stretch.window.shape[1]:]
    kept = remember(lambda day: (observe(day)[0] - mean[day], observe(day)[1]))

    def moisture(day):
        anomaly, weight = kept(day)
        return anomaly + mean[day], weight

    return moisture


def random_observations(stretch, setting, fresh=False):
    """What a setting sees: all taus the same cells and noise, or, with `fresh`, each its own (the published code)."""
    seed = stretch.seed + (1000 * round(1000 * setting.tau) if fresh else 0)
    return Observations(stretch.truth, random(stretch.valid, setting.fraction, seed), setting.noise, seed)


def nudged_piece(model, stretch, settings, feedback=True, fresh=False, keep=()):
    """`scored_run` of some settings by plain nudging."""
    made = {}
    for s in settings:
        made.setdefault((s.fraction, s.noise, s.tau if fresh else None), random_observations(stretch, s, fresh))
    observations = [made[s.fraction, s.noise, s.tau if fresh else None] for s in settings]
    return scored_run(model, stretch, observations, Nudging(np.array([s.tau for s in settings])), feedback=feedback,
                      keep=keep)


def nudge_all(models, stretch, settings, *, feedback=True, fresh=False, keep=(), batch=BATCH, device="auto"):
    """Every setting with every model: mapping of name -> sums (setting, cells, day, 8), and of name -> kept analyses.

    The settings go through in pieces of `batch`, on as many cores as there are; which cores, and how large the pieces
    are, changes no bit of the result.

    Parameters
    ----------
    models : mapping of name -> forecast; with feedback=False of name -> its finished free run (day, y, x)
    """
    pieces = [settings[k:k + batch] for k in range(0, len(settings), batch)]
    worth_it = feedback and len(models) * len(settings) * stretch.truth.size > WORTH
    tasks = [(name, piece) for name in models for piece in pieces]
    with side_by_side(device, worth_it) as submit:
        done = [submit(nudged_piece, model if feedback else Finished(model), stretch, piece, feedback, fresh, keep)
                for name, model in models.items() for piece in pieces]
        done = [future.result() for future in done]
    found = {name: [one for (of, _), one in zip(tasks, done, strict=True) if of == name] for name in models}
    return tuple({name: np.concatenate([one[part] for one in many]) for name, many in found.items()}
                 for part in (0, 1))
