"""Losses of Rabiei et al. (2024, Eq. 8; 2025, Eq. 8): RMSE, and how well patterns agree.

made and truth are (batch, output, y, x). A cell whose truth is NaN is in no sum. Every loss is computed in units:

- level "batch": each output (a lead), over all cells of the batch, whatever processes hold them;
- level "patch": each output of each patch.

It is the mean over units. In a unit without a known cell nothing is defined. Where the truth is constant, neither R nor
R2 is; where the prediction is, R is not. Such a unit is left out of the mean of that term alone, and counted; a term
that no unit has is 0. RMSE has a gradient of 0 where it is 0.

Losses give (loss, dropped): the number of units in which the term of R or R2 was not defined.
"""

from functools import partial
from typing import NamedTuple

import torch

from smlib.train.distributed import sum_over_processes

LEVELS = ("batch", "patch")
CONSTANT = 1e-6  # a standard deviation of this share of the root mean square, or less, is rounding in single precision


class Unitwise(NamedTuple):
    """Scores of every unit, and where they are defined (bool); 0 where they are not."""

    rmse: torch.Tensor
    known: torch.Tensor
    r: torch.Tensor
    r_defined: torch.Tensor
    r2: torch.Tensor
    r2_defined: torch.Tensor


def unitwise(made, truth, level="batch"):
    """RMSE, correlation R, and R2 = 1 - (sum of squared errors) / (sum of squares about the truth's mean), by unit.

    made, truth (batch, output, y, x) -> `Unitwise` of (output,) at level "batch", of (batch, output) at "patch".
    """
    if made.shape != truth.shape or made.ndim != 4:
        raise ValueError(f"prediction {tuple(made.shape)} and truth {tuple(truth.shape)} must have the same shape "
                         "(batch, output, y, x)")
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
    seen = truth.isfinite()
    made, truth = torch.where(seen, made, 0), torch.where(seen, truth, 0)

    def sums(*fields):
        found = torch.stack([field.sum((2, 3) if level == "patch" else (0, 2, 3)) for field in fields])
        return sum_over_processes(found) if level == "batch" else found

    n, *totals = sums(seen.to(made.dtype), made, truth)
    count = n.clamp(min=1)
    mean, true_mean = (total / count for total in totals)
    apart, true_apart = (torch.where(seen, field - centre[..., None, None], 0)  # in two passes, against cancellation
                         for field, centre in ((made, mean), (truth, true_mean)))
    error, spread, true_spread, together = sums((made - truth).square(), apart.square(), true_apart.square(),
                                                apart * true_apart) / count
    varies, true_varies = (s > CONSTANT**2 * (s + m**2) for s, m in ((spread, mean), (true_spread, true_mean)))
    both = varies & true_varies
    r = torch.where(both, together / torch.where(both, spread * true_spread, 1).sqrt(), 0)
    r2 = torch.where(true_varies, 1 - error / torch.where(true_varies, true_spread, 1), 0)
    rmse = torch.where(error == 0, 0, torch.where(error == 0, 1, error).sqrt())  # else its gradient were infinite at 0
    return Unitwise(rmse, n > 0, r, both, r2, true_varies)


def _mean(value, defined, level):
    """Mean over the units where it is defined, and the number of the others; at patch level over all processes."""
    found = torch.stack([torch.where(defined, value, 0).sum(), defined.sum().to(value.dtype),
                         value.new_tensor(value.numel())])
    total, count, units = sum_over_processes(found) if level == "patch" else found
    return total / count.clamp(min=1), (units - count).detach().long()


def rmse_loss(made, truth, level="batch"):
    """Root mean squared error to the truth: the subsurface layers of Rabiei et al. (2024). Nothing is ever dropped."""
    found = unitwise(made, truth, level)
    loss, _ = _mean(found.rmse, found.known, level)
    return loss, torch.zeros((), dtype=torch.long, device=made.device)


def estimation_loss(made, truth, alpha=1.0, beta=1.0, level="batch", r2="determination"):
    """alpha RMSE(to NLDAS-2) + beta (1 - R2)(to SMAP's DCA): Rabiei et al. (2024, Eq. 8).

    Parameters
    ----------
    made : (batch, 1, y, x)
    truth : (batch, 2, y, x), NLDAS-2's moisture and DCA's, in this order and in the same units
    r2 : {"determination", "correlation"}
        The paper does not say which R2: 1 - SSE / SST, which wants DCA's level too, or the square of the correlation,
        which takes a reversed pattern for a good one.
    """
    if made.shape[1] != 1 or truth.shape[1] != 2:
        raise ValueError("the loss of the estimation takes one map made and two true ones, NLDAS-2's and DCA's, not "
                         f"{made.shape[1]} and {truth.shape[1]}")
    if r2 not in ("determination", "correlation"):
        raise ValueError(f"r2 must be determination or correlation, not {r2!r}")
    nldas, dca = (unitwise(made, truth[:, k:k + 1], level) for k in (0, 1))
    rmse, _ = _mean(nldas.rmse, nldas.known, level)
    share, defined = (dca.r2, dca.r2_defined) if r2 == "determination" else (dca.r**2, dca.r_defined)
    unexplained, dropped = _mean(1 - share, defined, level)
    return alpha * rmse + beta * unexplained, dropped


def forecast_loss(made, truth, alpha=0.5, beta=0.5, level="batch", form="meant"):
    """alpha RMSE + 0.1 beta (1 - R), a mean over leads: Rabiei et al. (2025, Eq. 8) as it must be meant.

    `form` "printed" is the equation in print, alpha RMSE + (1 - 0.1 beta) R: the bracket stands elsewhere, and the
    lower the correlation, the lower the loss. made, truth (batch, lead, y, x).
    """
    if form not in ("meant", "printed"):
        raise ValueError(f"form must be meant or printed, not {form!r}")
    found = unitwise(made, truth, level)
    rmse, _ = _mean(found.rmse, found.known, level)
    if form == "printed":
        r, dropped = _mean(found.r, found.r_defined, level)
        return alpha * rmse + (1 - 0.1 * beta) * r, dropped
    disagreement, dropped = _mean(1 - found.r, found.r_defined, level)
    return alpha * rmse + 0.1 * beta * disagreement, dropped


# name -> loss(made, truth) -> (loss, dropped)
LOSSES = {"estimation": estimation_loss, "rmse": rmse_loss, "forecast": forecast_loss,
          "printed": partial(forecast_loss, form="printed")}
