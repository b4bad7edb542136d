"""Losses against values worked out by hand, and where they are not defined."""

import pytest
import torch

from smlib.train.losses import LOSSES, estimation_loss, forecast_loss, rmse_loss, unitwise

NAN = float("nan")
# Two patches of 2 x 2 cells. The first: errors 1, 0, 0, 1; squares about the mean 5 (truth) and 6 (made), products 5.
# The second has a constant truth and errors 0, 0, 0, 2. Both: errors' squares 6, squares 5.5 and 9.5, products 5.5.
TRUTH = torch.tensor([[1.0, 2, 3, 4], [2, 2, 2, 2]]).view(2, 1, 2, 2)
MADE = torch.tensor([[2.0, 2, 3, 5], [2, 2, 2, 4]]).view(2, 1, 2, 2)
RMSE = {"patch": (0.5**0.5 + 1) / 2, "batch": 0.75**0.5}
R = {"patch": 5 / 30**0.5, "batch": (5.5 / 9.5) ** 0.5}
R2 = {"patch": 1 - 2 / 5, "batch": 1 - 6 / 5.5}
DROPPED = {"patch": 1, "batch": 0}
LEVELS = pytest.mark.parametrize("level", ["patch", "batch"])


def both(truth=TRUTH):
    """NLDAS-2 constant 3, which the made maps miss by 1, 1, 0, 2, 1, 1, 1, 1; DCA as given."""
    return torch.cat([torch.full_like(truth, 3), truth], 1)


NLDAS = {"patch": (1.5**0.5 + 1) / 2, "batch": (10 / 8) ** 0.5}


@LEVELS
def test_values_by_hand(level):
    found = {name: loss(MADE, both() if name == "estimation" else TRUTH, level=level) for name, loss in LOSSES.items()}
    expected = {"rmse": RMSE[level], "estimation": NLDAS[level] + 1 - R2[level],
                "forecast": 0.5 * RMSE[level] + 0.05 * (1 - R[level]), "printed": 0.5 * RMSE[level] + 0.95 * R[level]}
    assert {name: value.item() for name, (value, _) in found.items()} == pytest.approx(expected)
    assert {name: n.item() for name, (_, n) in found.items()} == {name: DROPPED[level] * (name != "rmse")
                                                                  for name in LOSSES}
    squared, _ = estimation_loss(MADE, both(), 2, 3, level, "correlation")
    assert squared.item() == pytest.approx(2 * NLDAS[level] + 3 * (1 - R[level] ** 2))


@LEVELS
@pytest.mark.parametrize("name", LOSSES)
def test_unknown_cells_count_for_nothing(name, level):
    truth = both() if name == "estimation" else TRUTH
    wide = torch.cat([truth, torch.full_like(truth, NAN)], 3)
    made = torch.cat([MADE, torch.full_like(MADE, 1e6)], 3).requires_grad_()
    value, dropped = LOSSES[name](made, wide, level=level)
    value.backward()
    known, n = LOSSES[name](MADE, truth, level=level)
    assert value.item() == pytest.approx(known.item()) and dropped == n
    assert (made.grad[..., 2:] == 0).all() and (made.grad[..., :2] != 0).any()


@LEVELS
def test_leads_count_alike(level):
    made, truth = torch.cat([MADE, MADE.flip(0) * 3], 1), torch.cat([TRUTH, TRUTH.flip(3)], 1)
    apart = [rmse_loss(made[:, k:k + 1], truth[:, k:k + 1], level)[0].item() for k in (0, 1)]
    assert rmse_loss(made, truth, level)[0].item() == pytest.approx(sum(apart) / 2)


CASES = {"exact": (TRUTH, TRUTH), "constant truth": (MADE, torch.full_like(TRUTH, 0.1)),
         "constant truth, met": (torch.full_like(TRUTH, 0.1), torch.full_like(TRUTH, 0.1)),
         "constant prediction": (torch.full_like(TRUTH, 0.3), TRUTH), "nothing known": (MADE, TRUTH * NAN),
         "one cell known": (MADE, TRUTH.where(torch.arange(8).view(2, 1, 2, 2) == 1, NAN))}


@LEVELS
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_are_finite_where_scores_are_not_defined(case, name, level):
    made, truth = CASES[case]
    made = made.clone().requires_grad_()
    value, _ = LOSSES[name](made, torch.cat([truth, truth], 1) if name == "estimation" else truth, level=level)
    value.backward()
    assert value.isfinite() and made.grad.isfinite().all()


def test_a_dropped_term_is_left_out_and_counted():
    constant = torch.full_like(TRUTH, 0.1)  # not a number that sums without rounding
    for level, units in (("batch", 1), ("patch", 2)):
        rmse, none = rmse_loss(MADE, constant, level)
        assert none == 0
        for form in ("meant", "printed"):
            value, dropped = forecast_loss(MADE, constant, level=level, form=form)
            assert dropped == units and value.item() == pytest.approx(0.5 * rmse.item())
        value, dropped = estimation_loss(MADE, torch.cat([constant, constant], 1), level=level)
        assert dropped == units and value.item() == pytest.approx(rmse.item())
        assert forecast_loss(torch.ones_like(TRUTH), TRUTH, level=level)[1] == units
        assert LOSSES["rmse"](MADE, TRUTH * NAN, level=level)[0] == 0


def test_a_network_gone_astray_is_not_taken_for_a_good_one():
    for name, loss in LOSSES.items():
        for bad in (NAN, float("inf")):
            made = MADE.clone()
            made[0, 0, 0, 0] = bad
            assert not loss(made, both() if name == "estimation" else TRUTH)[0].isfinite()


def test_a_field_without_much_variance_is_not_taken_for_constant():
    truth = 0.3 + 1e-3 * TRUTH.double()
    assert unitwise(truth, truth).r.item() == pytest.approx(1)
    assert unitwise(truth.float(), truth.float()).r.item() == pytest.approx(1, abs=1e-3)


def test_the_printed_equation_rewards_a_low_correlation():
    truth = torch.tensor([-1.0, 1, -1, 1]).view(1, 1, 2, 2)
    follows, unrelated = truth + 2**0.5, torch.tensor([-1.0, -1, 1, 1]).view(1, 1, 2, 2)  # both have an RMSE of sqrt 2
    assert forecast_loss(follows, truth)[0] < forecast_loss(unrelated, truth)[0]
    assert forecast_loss(follows, truth, form="printed")[0] > forecast_loss(unrelated, truth, form="printed")[0]


@LEVELS
def test_gradients(level):
    draw = torch.Generator().manual_seed(0)
    made, truth = (torch.randn(3, 2, 2, 3, generator=draw, dtype=torch.double) for _ in range(2))
    truth[0, 0, 0] = truth[2] = NAN
    made.requires_grad_()
    assert torch.autograd.gradcheck(lambda m: forecast_loss(m, truth, level=level)[0], made)
    assert torch.autograd.gradcheck(lambda m: estimation_loss(m[:, :1], truth, level=level)[0], made)
    assert torch.autograd.gradcheck(lambda m: estimation_loss(m[:, :1], truth, level=level, r2="correlation")[0], made)


@pytest.mark.parametrize("call, words", [
    (lambda: rmse_loss(MADE, TRUTH[:1]), "same shape"),
    (lambda: rmse_loss(MADE, TRUTH, "pixel"), "level must be one of batch, patch"),
    (lambda: estimation_loss(MADE, TRUTH), "NLDAS-2's and DCA's"),
    (lambda: estimation_loss(MADE, both(), r2="adjusted"), "r2 must be"),
    (lambda: forecast_loss(MADE, TRUTH, form="true"), "form must be")])
def test_errors_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()
