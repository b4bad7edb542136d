"""What stage 2 of MLSTM is trained on: the product's loss, corrected with that of stage 1 against in-situ data.

All numbers are scaled moisture. A network gives f (..., batch, day); a target holds, for every day, what the columns
of `TARGETS` say (..., batch, day, target), NaN where there is none. Every loss is a mean over all days of the sequence,
days without a target adding nothing: (..., batch).
"""

import torch

TARGETS = ("estimate", "in_situ", "weight", "spread")  # u of stage 1, y of the stations, lambda, rms of u - y


def in_situ(made, targets):
    """Stage 1: squared distance to the in-situ moisture, targets (..., batch, day, 1)."""
    return _squared(made, targets[..., 0]).mean(-1)


def blended(made, targets):
    """(1 - lambda) (f - u)^2 + lambda (f - y)^2.

    It equals (f - m)^2 + lambda (1 - lambda) (u - y)^2 with m = (1 - lambda) u + lambda y: stage 2's loss, plus stage
    1's loss against in-situ data times lambda (1 - lambda). Where a day has no y, or no u, the other part remains.
    """
    u, y, weight, _ = targets.unbind(-1)
    return ((1 - weight) * _squared(made, u) + weight * _squared(made, y)).mean(-1)


def discounted(made, targets):
    """(f - y)^2 / (1 + lambda (u - y)^2 / s^2): days on which stage 1 misses the in-situ data count less.

    s is the root mean square of u - y over the training days. Days without y or u add nothing.
    """
    u, y, weight, spread = targets.unbind(-1)
    missed = torch.nan_to_num(u - y, nan=0.0)
    trust = 1 / (1 + weight * (missed / spread) ** 2)
    return (trust * torch.isfinite(u) * _squared(made, y)).mean(-1)


LOSSES = {"blended": blended, "discounted": discounted}


def _squared(made, target):
    """(made - target)^2, 0 where the target is missing: also its slope."""
    known = torch.isfinite(target)
    return torch.where(known, made - torch.where(known, target, made.detach()), 0.0) ** 2
