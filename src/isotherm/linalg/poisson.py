"""Poisson regressions of many count vectors on the same features, each with a weight row and a bias.

Row j explains the counts b_uj ~ Poisson(e_u exp(h_u·w_j + c_j)) with w_j ~ N(mean, I / prior).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

from isotherm.types import Array, Float32, Int64

_MAX_STEPS = 100
_TOLERANCE = 1e-3  # of the gradient's length, relative to the first
_STEP_RANGE = (0.1, 10.0)  # of a step, in units of the Hessian's
_SMALLEST_STEP = 1e-4


@dataclass(frozen=True)
class PoissonRows:
    """Fitted regressions.  weights: w, (m, width) float32.  bias: c, (m,) float32."""

    weights: Float32
    bias: Float32


def poisson_rows(
    hidden: Float32,
    exposure: Float32,
    counts: Float32,
    mean: Float32,
    prior: float,
) -> PoissonRows:
    """The regressions of ``counts`` (m, n_users).

    hidden: h, (n_users, width).  exposure: log e, (n_users,).  mean: (width,).  prior: >= 0.
    With c at its optimum the objective is m_j·log Σ_u e_u exp(h_u·w) − Σ_u b_uj h_u·w + prior/2·‖w − mean‖²,
    m_j = Σ_u b_uj. One count more, distributed over the users as the mean row has it, gives a row to counts
    of zero too.
    """
    regressions = _Regressions.of(hidden, exposure, counts, mean, prior)
    return regressions.rows(_minimum(regressions), hidden, mean)


@dataclass(frozen=True)
class _Regressions:
    """The objective in coordinates z, where w = mean + V·z and V are the Hessian's eigenvectors at z = 0.

    All rows share that Hessian but for their totals.  offset: (n_users,) log-rates at z = 0.  shares: their
    softmax.  rotated: (n_users, width) features, centred and in eigenvectors.  totals: m_j.  targets: (m,
    width) Σ_u b_uj times the rotated features.  inverse_hessian: (m, width) its diagonal.  basis: V.
    """

    offset: Float32
    shares: Float32
    rotated: Float32
    basis: Float32
    totals: Float32
    targets: Float32
    inverse_hessian: Float32
    prior: float

    @classmethod
    def of(
        cls, hidden: Float32, exposure: Float32, counts: Float32, mean: Float32, prior: float
    ) -> "_Regressions":
        """From the arguments of ``poisson_rows``."""
        offset = exposure + hidden @ mean
        shares = softmax(offset)
        counts = counts + shares
        totals = counts.sum(axis=1, dtype=np.float64).astype(np.float32)
        centred = hidden - shares @ hidden  # a shift of h changes c alone
        values, vectors = np.linalg.eigh(((centred.T * shares) @ centred).astype(np.float64))
        rotated = (centred @ vectors).astype(np.float32)
        inverse = (1 / (totals[:, None] * np.maximum(values, 0) + prior)).astype(np.float32)
        basis = vectors.astype(np.float32)
        return cls(offset, shares, rotated, basis, totals, counts @ rotated, inverse, prior)

    def measured(self, at: Float32, rows: Int64) -> tuple[Array, Float32]:
        """Objective (k,) and its gradient (k, width) of these rows at z = ``at``, (k, width)."""
        logits = at @ self.rotated.T + self.offset
        highest = logits.max(axis=1, keepdims=True)
        rates = np.exp(logits - highest)  # one array for the value and the gradient
        sums = rates.sum(axis=1, dtype=np.float64)
        value = self.totals[rows] * (np.log(sums) + highest[:, 0]) - (self.targets[rows] * at).sum(axis=1)
        value += self.prior / 2 * (at * at).sum(axis=1)
        expected = (self.totals[rows] / sums).astype(np.float32)[:, None] * (rates @ self.rotated)
        return value, expected - self.targets[rows] + np.float32(self.prior) * at

    def rows(self, at: Float32, hidden: Float32, mean: Float32) -> PoissonRows:
        """w and c at z = ``at``, (m, width)."""
        moved = at @ self.basis.T
        bias = np.log(self.totals) - logsumexp(at @ self.rotated.T + self.offset, axis=1)
        bias -= moved @ (self.shares @ hidden)
        return PoissonRows((mean + moved).astype(np.float32, copy=False), bias.astype(np.float32, copy=False))


def _minimum(regressions: _Regressions) -> Float32:
    """z of each row's minimum, by scaled gradient steps.

    A step is as long as the last two gradients say (Barzilai & Borwein 1988); one that does not descend is
    cut. A row that has met the tolerance takes no further step.
    """
    inverse = regressions.inverse_hessian
    at, step = np.zeros_like(inverse), np.ones(len(inverse), dtype=np.float32)
    left = np.arange(len(inverse))
    value, slope = regressions.measured(at, left)
    first = np.sqrt((slope * slope * inverse).sum(axis=1))
    for _ in range(_MAX_STEPS):
        if not len(left):
            break
        tried = at[left] - step[left, None] * inverse[left] * slope[left]
        tried_value, tried_slope = regressions.measured(tried, left)
        down = tried_value <= value[left]
        better, moved = left[down], tried[down] - at[left[down]]
        curvature = (moved * (tried_slope[down] - slope[better])).sum(axis=1)
        at[better], value[better], slope[better] = tried[down], tried_value[down], tried_slope[down]
        length = (moved * moved / inverse[better]).sum(axis=1)
        longest = np.divide(length, curvature, out=np.ones_like(curvature), where=curvature > 0)
        step[better] = np.clip(longest, *_STEP_RANGE)
        step[left[~down]] *= 0.25
        now = np.sqrt((slope[left] ** 2 * inverse[left]).sum(axis=1))
        left = left[(now > _TOLERANCE * first[left]) & (step[left] > _SMALLEST_STEP)]
    return at
