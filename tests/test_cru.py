"""The Kalman filter in the Continuous Recurrent Unit against dense matrices, and the network around it."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from smlib.gapfill.cru import CRU, Cell, Eigenbasis, dense, diagonals, predict, update

M = 3
RNG = np.random.default_rng(0)


def of(*arrays):
    """float64 tensors with a batch dim in front."""
    return tuple(torch.as_tensor(np.asarray(a, float))[None] for a in arrays)


def state():
    mean = RNG.normal(size=2 * M)
    upper, lower = RNG.uniform(0.5, 2, (2, M))
    return mean, np.concatenate([upper, lower, RNG.uniform(-0.5, 0.5, M) * np.sqrt(upper * lower)])


def full(cov):
    return dense(torch.as_tensor(cov)).numpy()


def test_update_is_the_dense_kalman_update():
    mean, cov = state()
    obs, var = RNG.normal(size=M), RNG.uniform(0.1, 1, M)
    p, h = full(cov), np.eye(M, 2 * M)
    gain = p @ h.T @ np.linalg.inv(h @ p @ h.T + np.diag(var))
    got_mean, got_cov = update(*of(mean, cov, obs, var))
    np.testing.assert_allclose(got_mean[0], mean + gain @ (obs - h @ mean), rtol=1e-12)
    np.testing.assert_allclose(dense(got_cov)[0], (np.eye(2 * M) - gain @ h) @ p, rtol=1e-12, atol=1e-14)


def test_update_by_hand():
    # Prior (1, 0), variances 2 and 1, covariance 1; observed 3 with variance 2: gains 1/2 and 1/4.
    mean, cov = update(*of([1, 0], [2, 1, 1], [3], [2]))
    np.testing.assert_allclose(mean[0], [2, 0.5])
    np.testing.assert_allclose(cov[0], [1, 0.75, 0.5])


def test_predict_by_hand_in_both_forms():
    """A = -ln 2: in a day a mean halves, a variance falls to a quarter and gains q (1 - 1/4) / (2 ln 2)."""
    ln2, q = np.log(2), torch.full((2,), 0.8, dtype=torch.float64)
    start = of([1, -2], [2, 1, 0.6])
    gained = 0.8 * 0.75 / (2 * ln2)
    full_form = predict(*start, *of(-ln2 * np.eye(2)), q)
    fast_form = Eigenbasis(torch.eye(2, dtype=torch.float64), q).predict(*start, *of([-ln2, -ln2]))
    for mean, cov in (full_form, fast_form):
        np.testing.assert_allclose(mean[0], [0.5, -1], rtol=1e-6)
        np.testing.assert_allclose(cov[0], [0.5 + gained, 0.25 + gained, 0.15], rtol=1e-5)


def test_an_infinite_variance_is_no_observation():
    mean, cov = state()
    got = update(*of(mean, cov, RNG.normal(size=M), np.full(M, np.inf)))
    np.testing.assert_array_equal(got[0][0], mean)
    np.testing.assert_array_equal(got[1][0], cov)


def test_predict_solves_the_moment_equations():
    """dm = A m dt and dP = (A P + P A' + Q) dt, integrated numerically."""
    mean, cov = state()
    a, q, dt = RNG.normal(size=(2 * M, 2 * M)) * 0.4, RNG.uniform(0.1, 1, 2 * M), 1.7
    n = 2 * M

    def slope(_, y):
        p = y[n:].reshape(n, n)
        return np.concatenate([a @ y[:n], (a @ p + p @ a.T + np.diag(q)).ravel()])

    end = solve_ivp(slope, (0, dt), np.concatenate([mean, full(cov).ravel()]), rtol=1e-10, atol=1e-12).y[:, -1]
    got_mean, got_cov = predict(*of(mean, cov, a), torch.as_tensor(q), dt)
    np.testing.assert_allclose(got_mean[0], end[:n], rtol=1e-7)
    np.testing.assert_allclose(got_cov[0], diagonals(torch.as_tensor(end[n:].reshape(n, n))), rtol=1e-7)


@pytest.mark.parametrize("dt", [0.3, 1.0, 6.0])
def test_the_fast_form_equals_the_full_one_with_the_same_matrix(dt):
    mean, cov = state()
    e = np.linalg.qr(RNG.normal(size=(2 * M, 2 * M)))[0]
    d, q = -RNG.uniform(0.01, 2, 2 * M), RNG.uniform(0.1, 1, 2 * M)
    want = predict(*of(mean, cov, e @ np.diag(d) @ e.T), torch.as_tensor(q), dt)
    basis = Eigenbasis(torch.as_tensor(e), torch.as_tensor(q))
    got = basis.predict(*of(mean, cov, d), dt)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5)


def test_cells_of_both_forms_agree_step_by_step():
    """A full bank that holds the fast one's matrices gives the same states, mixing included."""
    torch.manual_seed(0)
    fast, slow = Cell(M, bases=4), Cell(M, bases=4, fast=False, band=M)
    e, d, _ = fast.begin()
    with torch.no_grad():
        slow.bank.copy_(e.vectors @ torch.diag_embed(d) @ e.vectors.mT)
        slow.noise.copy_(fast.noise)
        slow.mix.load_state_dict(fast.mix.state_dict())
        states = [(torch.zeros(2, 2 * M), torch.tensor([1.0, 1, 0]).repeat_interleave(M).expand(2, -1))] * 2
        for _ in range(10):
            obs, var, push = torch.randn(2, M), torch.rand(2, M) + 0.1, torch.randn(2, 2 * M)
            states = [cell(cell.begin(), *s, obs, var, push, 1.5)
                      for cell, s in zip((fast, slow), states, strict=True)]
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_filter_at_irregular_times_equals_a_dense_one():
    """Where A couples element i of the upper half with i of the lower alone, three diagonals lose nothing."""
    a = np.block([[np.diag(RNG.uniform(-1, -0.1, M)), np.diag(RNG.normal(size=M))],
                  [np.diag(RNG.normal(size=M)), np.diag(RNG.uniform(-1, -0.1, M))]])
    q, h = RNG.uniform(0.1, 1, 2 * M), np.eye(M, 2 * M)
    mean, cov = state()
    p, m = full(cov), mean
    mean, cov = of(mean, cov)
    for dt in (0.2, 3.0, 1.0, 0.5):
        obs, var = RNG.normal(size=M), RNG.uniform(0.1, 1, M)
        mean, cov = predict(mean, cov, *of(a), torch.as_tensor(q), dt)
        mean, cov = update(mean, cov, *of(obs, var))
        # The dense filter; the noise that it gathers is the integral of exp(A s) Q exp(A' s).
        s = np.linspace(0, dt, 401)
        terms = np.array([expm(a * x) @ np.diag(q) @ expm(a * x).T for x in s])
        f = expm(a * dt)
        m, p = f @ m, f @ p @ f.T + np.trapezoid(terms, s, axis=0)
        gain = p @ h.T @ np.linalg.inv(h @ p @ h.T + np.diag(var))
        m, p = m + gain @ (obs - h @ m), p - gain @ h @ p
    np.testing.assert_allclose(mean[0], m, rtol=1e-3)
    np.testing.assert_allclose(dense(cov)[0], p, rtol=1e-3, atol=1e-5)


def test_two_steps_of_half_a_day_are_one_of_a_day():
    """With one matrix, that couples no more than three diagonals hold, it does not matter how time is cut."""
    mean, cov = of(*state())
    a = np.block([[np.diag([-0.5, -1, -2.0]), 0.3 * np.eye(M)], [0.3 * np.eye(M), np.diag([-0.1, -3, -1.0])]])
    q = torch.as_tensor(RNG.uniform(0.1, 1, 2 * M))
    once = predict(mean, cov, *of(a), q, 1.0)
    twice = predict(*predict(mean, cov, *of(a), q, 0.5), *of(a), q, 0.5)
    for x, y in zip(once, twice, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10)


@pytest.mark.parametrize("fast", [True, False])
def test_gradients_reach_every_weight_and_are_finite(fast):
    torch.manual_seed(0)
    network = CRU(4, m=M, bases=3, hidden=8, fast=fast)
    mean, var = network(torch.randn(5, 12, 4), torch.randn(5, 12, 1), torch.rand(5, 12) < 0.4)
    assert mean.shape == var.shape == (5, 12) and (var > 0).all()
    (mean + var).sum().backward()
    for name, weight in network.named_parameters():
        assert torch.isfinite(weight.grad).all() and weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("both", [True, False])
def test_only_the_smoother_sees_the_future(both):
    torch.manual_seed(0)
    network = CRU(2, m=M, both=both)
    x, y, seen = torch.randn(1, 20, 2), torch.randn(1, 20, 1), torch.ones(1, 20, dtype=bool)
    later = y.clone()
    later[:, 15] += 1.0
    with torch.no_grad():
        a, b = network(x, y, seen)[0], network(x, later, seen)[0]
    assert (a[:, 15:] != b[:, 15:]).all()
    assert (a[:, :15] != b[:, :15]).any() == both


def test_a_missing_value_is_not_read():
    """What stands in place of a missing value never matters."""
    torch.manual_seed(0)
    network = CRU(2, m=M)
    x, y, seen = torch.randn(2, 20, 2), torch.randn(2, 20, 1), torch.rand(2, 20) < 0.5
    with torch.no_grad():
        a, b = (network(x, torch.where(seen[..., None], y, filler), seen) for filler in (0.0, 9.0))
    for p, q in zip(a, b, strict=True):
        np.testing.assert_array_equal(p, q)
