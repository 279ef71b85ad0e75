"""How well EASE ranks a user's hidden clicks had it never seen the user: in closed form, from one inverse.

Let P = (XᵀWX + Λ)⁻¹, and x = k + h a user's clicks, kept and hidden. Without the user the inverse is, by
Sherman & Morrison, P + c·yyᵀ with y = Px and c = w / (1 − w·xᵀy). So with z = Pk the score of an item j that
is not in k is exactly

    s_j = −(z_j + c·(yᵀk)·y_j) · m_j,   m_j from the diagonal P_jj + c·y_j²

A user costs his clicks times the items, twice, and no solve: every inverse tells how well it ranks users who
are new to it, and all users train it meanwhile. Clicks hidden from a user who does take part in the training
rank the same to 0.6% (docs/penalties.md), so one figure serves both.
"""

import numpy as np

from isotherm.kernels import reordering_kernel
from isotherm.models.choice.hidden_clicks import CUTS, HiddenClicks
from isotherm.threads import run_bands
from isotherm.types import Array, Float64

_LEAST_LEFT = 1e-6  # of 1 − w·xᵀPx, which is above 0


def left_out_ndcgs(
    clicks: HiddenClicks, inverse: Array, ridge: Array, weights: Float64, relaxations: Float64
) -> Float64:
    """The mean of nDCG@10 and nDCG@100 of the hidden clicks of each user, who is left out.

    inverse: P, (n_items, n_items) float32.  ridge: Λ, (n_items,).  weights: w of the users, (n,).
    relaxations: values of ξ, (r,).  Returns (n, r). Ties count against the hidden click.
    """
    out = np.zeros((clicks.kept.shape[0], len(relaxations)))
    kept, hidden = clicks.kept, clicks.hidden
    run_bands(
        _rank_hidden, len(out), inverse, np.diag(inverse).copy(), ridge, weights, relaxations,
        kept.indptr, kept.indices, kept.data, hidden.indptr, hidden.indices, hidden.data, *_gains(), out,
        smallest=16,
    )  # fmt: skip
    return out


def _gains() -> tuple[Float64, Float64]:
    """(2, 100) each: what a click at a rank adds to a cut's DCG, and the DCG of the best list by clicks."""
    discounts = 1 / np.log2(np.arange(2, CUTS[-1] + 2))
    gains = np.array([np.where(np.arange(CUTS[-1]) < cut, discounts, 0) for cut in CUTS])
    return gains, np.cumsum(gains, axis=1)


@reordering_kernel
def _rank_hidden(
    first: int,
    last: int,
    inverse: Array,
    diagonal: Array,
    ridge: Array,
    weights: Array,
    relaxations: Array,
    kept_starts: Array,
    kept_items: Array,
    kept_values: Array,
    starts: Array,
    items: Array,
    values: Array,
    gains: Array,
    ideal: Array,
    out: Array,
) -> None:
    nothing, z, y = np.zeros_like(diagonal), np.empty_like(diagonal), np.empty_like(diagonal)
    inverted, scores = np.empty_like(diagonal), np.empty_like(diagonal)
    for u in range(first, last):
        kept, hidden = slice(kept_starts[u], kept_starts[u + 1]), slice(starts[u], starts[u + 1])
        _add_rows(inverse, kept_items[kept], kept_values[kept], nothing, z)
        _add_rows(inverse, items[hidden], values[hidden], z, y)
        of_kept = _dot(y, kept_items[kept], kept_values[kept])
        left = 1 - weights[u] * (of_kept + _dot(y, items[hidden], values[hidden]))
        strength = weights[u] / max(left, _LEAST_LEFT)
        c, g = np.float32(strength), np.float32(strength * of_kept)
        for j in range(len(z)):
            z[j] = -(z[j] + g * y[j])
            inverted[j] = np.float32(1) / (diagonal[j] + c * y[j] * y[j])
        for item in kept_items[kept]:
            z[item] = -np.inf
        for r in range(len(relaxations)):
            rest, least = np.float32(1 - relaxations[r]), np.float32(relaxations[r] > 0)
            for j in range(len(z)):
                scores[j] = z[j] * max(rest * inverted[j], least * ridge[j])
            out[u, r] = _ndcg(scores, items[hidden], gains, ideal)


@reordering_kernel
def _add_rows(matrix: Array, rows: Array, values: Array, start: Array, out: Array) -> None:
    """out = start + Σ values·rows of the matrix."""
    for j in range(len(out)):
        out[j] = start[j]
    for p in range(len(rows)):
        value, row = values[p], matrix[rows[p]]
        for j in range(len(out)):
            out[j] += value * row[j]


@reordering_kernel
def _dot(row: Array, items: Array, values: Array) -> float:
    total = 0.0
    for p in range(len(items)):
        total += values[p] * row[items[p]]
    return total


@reordering_kernel
def _ndcg(scores: Array, hidden: Array, gains: Array, ideal: Array) -> float:
    """The mean over the cuts."""
    n_cuts, longest = gains.shape
    total = 0.0
    for p in range(len(hidden)):
        score, rank = scores[hidden[p]], np.int32(-1)
        for j in range(len(scores)):
            rank += np.int32(scores[j] >= score)
        if 0 <= rank < longest:  # -1: not a number
            for cut in range(n_cuts):
                total += gains[cut, rank] / ideal[cut, min(len(hidden), longest) - 1]
    return float(total / n_cuts)
