"""What the page on gaps answers, out of its scores."""

from smlib.gapfill.scoring import calibration, gap_name, table
from smlib.wording import answer, count, items

REFERENCE, RIVAL = "linear", "boosting"


def filling(scores_by_kind, steps, batch):
    """The page's answer and the numbers behind it, both Markdown.

    Parameters
    ----------
    scores_by_kind : mapping of "measured" and "simulated" -> DataFrame of `scoring.score`
        With the method "linear", which all others are compared with; of the others the answer is about CRU, else CRU
        filter, else that of the least RMSE, median over the lengths of gap.
    steps, batch : of the training of CRU
    """
    shown = {kind: _focus(scores) for kind, scores in scores_by_kind.items()}
    missing = "" if any(name.startswith("CRU") for name in shown.values()) else "CRU was not run."
    levels = [[missing, *(_sentence(scores, kind, shown[kind], level, first=kind == next(iter(shown)))
                          for kind, scores in scores_by_kind.items())] for level in range(4)]
    trained = "" if missing else f"CRU was trained for {count(steps, 'step')} of {count(batch, 'cell')}."
    lines = [line for kind, scores in scores_by_kind.items() for line in _numbers(scores, kind, shown[kind])]
    return answer(*levels), items(filter(None, [*lines, trained]))


def _focus(scores):
    names = list(scores["model"].unique())
    if REFERENCE not in names:
        raise ValueError(f"methods must have {REFERENCE}, which the others are compared with, not {', '.join(names)}")
    found = [name for name in ("CRU", "CRU filter") if name in names]
    return found[0] if found else table(scores).median(axis=1).drop(REFERENCE if names[1:] else []).idxmin()


def _sentence(scores, kind, method, level, first):
    """A set's sentence, the shorter the higher the level: without margins, without what the first has said, boosting.

    The one that loses comes first.
    """
    wide, own = table(scores), scores[scores["model"] == method]
    name = kind.capitalize()
    if method == REFERENCE:
        return f"{name}: {REFERENCE} alone was run."
    better, worse, n = int((own["less_low"] > 0).sum()), int((own["less_high"] < 0).sum()), len(own)
    apart = 100 * (wide.loc[method] / wide.loc[REFERENCE] - 1)
    brief = level > 1 and not first
    of = f"{n}" if brief else f"{n} {'length' if n == 1 else 'lengths'} of gap"
    whose = f"{method}'s" if worse else "its"
    text = f"{name}: {REFERENCE} {'so' if brief else f'surely beats {method}'} at {worse} of {of}, " \
           f"{'' if brief else 'surely '}loses at {better}" if worse else \
        f"{name}: {method} surely beats {REFERENCE} at {better} of {of}"
    text += f" ({whose} RMSE {_percent(apart.min())} to {_percent(apart.max())})" if level == 0 else ""
    if RIVAL in wide.index and RIVAL != method and level < 3:
        fewer = int((wide.loc[method] < wide.loc[RIVAL]).sum())
        text += f"; {whose} RMSE is less than that of {RIVAL} at {fewer}"
    cover = 100 * calibration(scores).loc[method, "95 %"]
    return f"{text}; {cover:.0f} %." if brief else f"{text}; {whose} 95 % intervals hold {cover:.0f} %" + (
        " of the withheld values." if level == 0 else ".")


def _numbers(scores, kind, method):
    """Items of a list: RMSE against both rivals by length of gap, where the difference is sure, coverage."""
    wide = table(scores)
    lines = []
    for other in (REFERENCE, RIVAL):
        if other in wide.index and other != method:
            apart = 100 * (wide.loc[method] / wide.loc[other] - 1)
            margins = ", ".join(f"{_percent(value, 1)} ({name})" for name, value in apart.items())
            lines.append(f"{kind.capitalize()}, RMSE of {method} against that of {other}: {margins}.")
    if method != REFERENCE:
        own = scores[scores["model"] == method].set_index("block_d")
        clear = [gap_name(block) for block in own.index if own.loc[block, "less_low"] > 0]
        worse = [gap_name(block) for block in own.index if own.loc[block, "less_high"] < 0]
        lines.append(f"{kind.capitalize()}, 95 % interval of {REFERENCE}'s RMSE less that of {method}: above 0 for "
                     f"{', '.join(clear) or 'no length of gap'}; below 0 for {', '.join(worse) or 'none'}.")
    cover = calibration(scores).loc[method]
    held = ", ".join(f"{100 * share:.0f} %" for share in cover)
    return [*lines, f"{kind.capitalize()}, intervals of {method} of {', '.join(cover.index)}: they hold {held} of the "
                    f"withheld values."]


def _percent(value, digits=0):
    return f"{value:+.{digits}f} %".replace("-", "−")
