"""What the ways to Shapley values share: rows that mix explained and background inputs, and how f is called on them.

shap is imported where it is needed: it takes seconds (numba), and nothing else here wants it.
"""

import warnings

import numpy as np

from smlib.data.windows import Windows


def load_shap():
    """The package shap, without its remark on progress bars, which no page needs."""
    with warnings.catch_warnings(action="ignore"):
        import shap
    return shap


def predictor(model, scaler):
    """``f`` of a fitted model: scaled rows (k, lookback, feature) -> (k,) soil moisture in m3 m-3, one day ahead."""
    return lambda rows: scaler.inverse(model.predict(Windows(rows, None, None)))


def day_name(back):
    """How a day is named, `back` days before the target day t."""
    return "t" if back == 0 else f"t-{back}"


def input_names(names, lookback):
    """Names of the lookback * feature inputs of a flattened window, with the day that each was measured on.

    Row k of a window is day t - lookback + 1 + k, and its last column is the soil moisture of the day before.
    """
    back = range(lookback - 1, -1, -1)
    return [f"{name}, {day_name(k + (i == len(names) - 1))}" for k in back for i, name in enumerate(names)]


def checked(x, background, names):
    """Both as arrays, or ValueError if they do not fit each other and the names."""
    x, background = np.asarray(x), np.asarray(background)
    if x.ndim not in (3, 4) or x.ndim != background.ndim:
        raise ValueError(f"x and background must both be (row, lookback, feature), or both with a member axis before, "
                         f"not {x.shape} and {background.shape}")
    if x.shape[:-3] + x.shape[-2:] != background.shape[:-3] + background.shape[-2:]:
        raise ValueError(f"x {x.shape} and background {background.shape} may differ in their number of rows alone")
    if x.shape[-1] != len(names):
        raise ValueError(f"{len(names)} names for {x.shape[-1]} features")
    if 0 in x.shape or 0 in background.shape:
        raise ValueError(f"nothing to explain, or against: x {x.shape}, background {background.shape}")
    return x, background


def call(f, rows):
    """f(rows) as float64 (..., k), checked."""
    y = np.asarray(f(rows), dtype=np.float64)
    if y.ndim not in (1, 2) or y.shape[-1] != rows.shape[-3] or (rows.ndim == 4 and y.shape != rows.shape[:2]):
        raise ValueError(f"f must take {rows.shape} to one value a row, not to {y.shape}")
    if not np.isfinite(y).all():
        raise ValueError("f gives values that are not finite")
    return y


def evaluate(f, inside, row, background, rows):
    """f of rows that take `row` (..., lookback, feature) where `inside`, `background` elsewhere -> (..., k, l).

    `inside` and `background` broadcast to (..., k, l, lookback, feature); a call of f gets whole k, about `rows` rows.
    """
    shape = np.broadcast_shapes(inside.shape, background.shape, row[..., None, None, :, :].shape)
    inside, background = np.broadcast_to(inside, shape[-4:]), np.broadcast_to(background, shape)
    k, each = shape[-4:-2]
    step, found = max(1, rows // each), []
    for start in range(0, k, step):
        part = slice(start, start + step)
        mixed = np.where(inside[part], row[..., None, None, :, :], background[..., part, :, :, :])
        y = call(f, mixed.reshape(*shape[:-4], -1, *shape[-2:]))
        found.append(y.reshape(*y.shape[:-1], -1, each))
    return np.concatenate(found, axis=-2)


def explanations(values, base, data, names, errors=None):
    """One `shap.Explanation`, or a list of them where `values` (member, n, player) have members."""
    Explanation = load_shap().Explanation

    def one(k):
        rows = data[k] if data.ndim == 3 else data
        return Explanation(values=values[k], base_values=np.array(base[k]), data=rows, feature_names=names,
                           error_std=None if errors is None else errors[k])
    return one(...) if values.ndim == 2 else [one(k) for k in range(len(values))]
