"""Continuous Recurrent Units (Schirmer, Eltayeb, Lessmann and Rudolph 2022, ICML, PMLR 162).

The latent state z (2M numbers, an upper and a lower half) follows dz = A z dt + dB, where B is Brownian motion with
diagonal diffusion Q. A latent observation of M numbers sees the upper half, H = [I 0]. Its covariance is kept as three
diagonals, upper, lower and side (Becker et al. 2019, ICML: RKN), each (..., M). A is mixed anew at every step out of a
bank of K matrices by a small network of the state ("locally linear").
"""

import torch
from torch import nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import orthogonal


def update(mean, cov, obs, var):
    """Kalman update with H = [I 0] and the factorised covariance (Becker et al. 2019, Eqs. 2-7).

    Parameters
    ----------
    mean : (..., 2M) prior mean
    cov : (..., 3M) the prior's upper, lower and side diagonals
    obs, var : (..., M) latent observation and its variance; an infinite variance is no observation

    Returns
    -------
    Posterior mean and covariance, in the same form.
    """
    upper, lower, side = cov.chunk(3, -1)
    gain_upper, gain_lower = upper / (upper + var), side / (upper + var)
    missed, kept = obs - mean[..., :obs.shape[-1]], 1 - gain_upper
    return (mean + torch.cat([gain_upper * missed, gain_lower * missed], -1),
            torch.cat([kept * upper, lower - gain_lower * side, kept * side], -1))


def dense(cov):
    """(..., 2M, 2M) covariance matrix of three diagonals, (..., 3M)."""
    upper, lower, side = map(torch.diag_embed, cov.chunk(3, -1))
    return torch.cat([torch.cat([upper, side], -1), torch.cat([side, lower], -1)], -2)


def diagonals(full):
    """The three diagonals of a (..., 2M, 2M) covariance; the rest is dropped."""
    m = full.shape[-1] // 2
    blocks = full[..., :m, :m], full[..., m:, m:], full[..., :m, m:]
    return torch.cat([block.diagonal(dim1=-2, dim2=-1) for block in blocks], -1)


def predict(mean, cov, a, q, dt=1.0):
    """Mean and covariance after a time `dt` by a matrix exponential (Schirmer et al. 2022, App. A.2; Van Loan 1978).

    With `a` (..., 2M, 2M) and the diagonal `q` (2M,): exp([[A, Q], [0, -A']] dt) = [[F, G], [0, F'^-1]] gives the
    transition F and the new covariance (F P + G) F'.
    """
    top = torch.cat([a, torch.diag(q).expand_as(a)], -1)
    both = torch.cat([top, torch.cat([torch.zeros_like(a), -a.mT], -1)], -2)
    step = torch.linalg.matrix_exp(both * dt)
    n = a.shape[-1]
    f, g = step[..., :n, :n], step[..., :n, n:]
    return (f @ mean[..., None])[..., 0], diagonals((f @ dense(cov) + g) @ f.mT)


class Eigenbasis:
    """Prediction for A = E diag(d) E' with one orthogonal E: no matrix exponential (f-CRU; Schirmer et al., App. A.2).

    In the eigenbasis each element of the covariance evolves by itself, at the rate d_i + d_j (Rome 1969). Three
    diagonals into that basis and back are linear maps, made once; the matrix is symmetric, so one triangle will do.

    Parameters
    ----------
    vectors : (2M, 2M) E
    q : (2M,) the diagonal diffusion
    """

    def __init__(self, vectors, q):
        n = len(vectors)
        m, (i, j) = n // 2, torch.triu_indices(n, n)
        pairs = vectors[:, i] * vectors[:, j]  # (2M, pairs): what a variance gives to an element, and the reverse
        side = vectors[:m, i] * vectors[m:, j] + vectors[m:, i] * vectors[:m, j]
        eye = torch.eye(n, dtype=vectors.dtype, device=vectors.device)
        self.vectors, self.sums = vectors, eye[:, i] + eye[:, j]
        self.into = torch.cat([pairs, side])
        # An element off the diagonal stands for two; those of a side diagonal are the mean of both.
        self.back = (torch.cat([pairs, side / 2]) * torch.where(i == j, 1.0, 2.0)).mT
        self.noise = q @ pairs

    def predict(self, mean, cov, values, dt=1.0):
        """As `predict`, with the eigenvalues d (..., 2M), none of them above 0."""
        rate = values @ self.sums - 1e-6  # never 0: the integral of exp(rate s) is divided by it
        fade = torch.exp(rate * dt)
        cov = ((cov @ self.into) * fade + self.noise * (fade - 1) / rate) @ self.back
        return ((mean @ self.vectors) * torch.exp(values * dt)) @ self.vectors.mT, cov


class Cell(nn.Module):
    """One step in time: mix the transition, predict, add what the weather does, update.

    Parameters
    ----------
    m : int
        Latent observation dim; the state has 2M.
    bases : int
        K, the size of the bank.
    fast : bool
        f-CRU: the bank shares orthogonal eigenvectors; the eigenvalues are held under 0, so that every A is stable.
        Otherwise the bank is of full matrices, of four banded blocks each.
    band : int
        Width of the band beside the diagonal of a block, where not `fast`.
    """

    def __init__(self, m, bases=8, fast=True, band=3, hidden=16):
        super().__init__()
        self.m, self.fast = m, fast
        self.mix = nn.Sequential(nn.Linear(2 * m, hidden), nn.Tanh(), nn.Linear(hidden, bases), nn.Softmax(-1))
        self.noise = nn.Parameter(torch.full((2 * m,), -2.0))
        rates = torch.linspace(-5, 0, bases)[:, None].repeat(1, 2 * m)
        if fast:
            self.turn = orthogonal(nn.Linear(2 * m, 2 * m, bias=False), orthogonal_map="cayley")
            self.rates = nn.Parameter(rates)
        else:
            near = (torch.arange(m)[:, None] - torch.arange(m)).abs() <= band
            self.register_buffer("near", near.repeat(2, 2), persistent=False)
            self.bank = nn.Parameter(0.02 * torch.randn(bases, 2 * m, 2 * m) - torch.diag_embed(softplus(rates)))

    def begin(self):
        """What is the same on all steps of a pass: the eigenbasis and the eigenvalues, or the bank; the diffusion."""
        q = softplus(self.noise)
        if self.fast:
            return Eigenbasis(self.turn.weight, q), -softplus(self.rates), q
        return None, self.bank * self.near, q

    def forward(self, shared, mean, cov, obs, var, push, dt=1.0):
        """From one posterior to the next, `dt` days on. `push` (..., 2M): a jump of the mean that the weather makes."""
        basis, bank, q = shared
        if self.fast:
            mean, cov = basis.predict(mean, cov, self.mix(mean) @ bank, dt)
        else:
            mean, cov = predict(mean, cov, torch.einsum("bk,kij->bij", self.mix(mean), bank), q, dt)
        return update(mean + push, cov, obs, var)


class CRU(nn.Module):
    """Encoder, Kalman filter with learnt dynamics, decoder to a mean and a variance on every day.

    Parameters
    ----------
    features : int
        Per day: what is always known (weather, season, constants, ...).
    observed : int
        Per day: what is known only if there is an observation.
    both : bool
        Smoothing: a second pass backward in time with the same weights (told its direction), and the two estimates are
        combined by their precision. Otherwise a filter, that sees no future but what is in the features.
    """

    def __init__(self, features, observed=1, m=10, bases=8, hidden=32, fast=True, both=True):
        super().__init__()
        self.m, self.both = m, both
        inputs = features + 1  # and the direction
        self.encode = nn.Sequential(nn.Linear(inputs + observed, hidden), nn.ReLU(), nn.Linear(hidden, hidden),
                                    nn.ReLU(), nn.Linear(hidden, 2 * m))
        self.weather = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 2 * m))
        self.cell = Cell(m, bases, fast)
        self.start = nn.Parameter(torch.zeros(2 * m))
        self.decode = nn.Sequential(nn.Linear(5 * m + features, 2 * hidden), nn.ReLU(),
                                    nn.Linear(2 * hidden, 2))

    def forward(self, x, y, seen):
        """(batch, time) mean and variance.

        Parameters
        ----------
        x : (batch, time, features)
        y : (batch, time, observed), 0 where there is none
        seen : (batch, time) bool
        """
        if not self.both:
            return self.head(self.run(x, y, seen, x.new_ones(len(x))), x)
        # Both directions are one batch: the steps in time are what costs.
        way = torch.cat([x.new_ones(len(x)), -x.new_ones(len(x))])
        states, back = self.run(*(torch.cat([a, a.flip(1)]) for a in (x, y, seen)), way).chunk(2)
        back = back.flip(1)
        (a, p), (b, q) = self.head(states, x), self.head(back, x)
        return (a / p + b / q) / (1 / p + 1 / q), 1 / (1 / p + 1 / q)

    def head(self, states, x):
        """Mean and variance from the state's mean and the logarithms of its variances, and the features."""
        out = self.decode(torch.cat([states, x], -1))
        return out[..., 0], softplus(out[..., 1]) + 1e-3

    def run(self, x, y, seen, direction):
        """(batch, time, 5M): posterior mean, and the three diagonals of its covariance as logarithms or correlation."""
        x = torch.cat([x, direction[:, None, None].expand(-1, x.shape[1], 1)], -1)
        obs, spread = self.encode(torch.cat([x, y], -1)).chunk(2, -1)
        var = torch.where(seen[..., None], softplus(spread) + 1e-3, torch.inf)
        mean = self.start.expand(len(x), -1)
        cov = x.new_tensor([1.0, 1.0, 0.0]).repeat_interleave(self.m).expand(len(x), -1)
        shared, means, covs = self.cell.begin(), [], []
        for o, v, p in zip(obs.unbind(1), var.unbind(1), self.weather(x).unbind(1), strict=True):
            mean, cov = self.cell(shared, mean, cov, o, v, p)
            means.append(mean)
            covs.append(cov)
        upper, lower, side = torch.stack(covs, 1).chunk(3, -1)
        return torch.cat([torch.stack(means, 1), torch.log(upper), torch.log(lower),
                          side / torch.sqrt(upper * lower)], -1)
