"""How well EASE ranks a user's hidden clicks had it never seen the user: in closed form, from one inverse.

Let P = (XᵀWX + Λ)⁻¹, and x = k + h a user's clicks, kept and hidden. Without the user the inverse is, by
Sherman & Morrison, P + c·yyᵀ with y = Px and c = w / (1 − w·xᵀy). So with z = Pk the score of an item j that
is not in k is exactly

    s_j = −(z_j + c·(yᵀk)·y_j) · m_j,   m_j from the diagonal P_jj + c·y_j²

A user costs his clicks times the items, twice, and no solve: every inverse tells how well it ranks users who
are new to it, and all users train it meanwhile. Clicks hidden from a user who does take part in the training
rank the same to 0.6% (docs/penalties.md), so one figure serves both.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.data.click_ranks import user_click_ranks
from isotherm.kernels import reordering_kernel
from isotherm.linalg.csr import filter_entries, groups_of, row_blocks, rows_of
from isotherm.linalg.products import products
from isotherm.memory import users_per_block
from isotherm.threads import run_bands
from isotherm.types import Array, Float64, UserItems

_CUTS = (10, 100)  # of the nDCG: the mean of both
_LEAST_LEFT = 1e-6  # of 1 − w·xᵀPx, which is above 0


@dataclass(frozen=True, eq=False)
class HiddenClicks:
    """Clicks of some users, parted into kept and hidden ones; each (n, n_items), the users in one order."""

    clicks: UserItems
    kept: UserItems
    hidden: UserItems

    @classmethod
    def draw(cls, clicks: UserItems, share: float, rng: np.random.Generator) -> "HiddenClicks":
        """Hide a share of each user's clicks, at least one and never all.  clicks: two a user at least."""
        n_clicks = np.diff(clicks.indptr)
        n_hidden = np.clip(np.rint(share * n_clicks), 1, n_clicks - 1)
        hidden = user_click_ranks(clicks, rng) < n_hidden[rows_of(clicks)]
        return cls(clicks, filter_entries(clicks, ~hidden), filter_entries(clicks, hidden))

    def ndcgs(self, inverse: Array, ridge: Array, weights: Float64, relaxations: Float64) -> Float64:
        """The mean of nDCG@10 and nDCG@100 of the hidden clicks of each user, who is left out.

        inverse: P, (n_items, n_items) float32.  ridge: Λ, (n_items,).  weights: w of the users, (n,).
        relaxations: values of ξ, (r,).  Returns (n, r). Ties count against the hidden click.
        """
        out = np.zeros((self.clicks.shape[0], len(relaxations)))
        diagonal, first = np.diag(inverse).copy(), 0
        blocks = (row_blocks(matrix, users_per_block(len(inverse))) for matrix in self._matrices())
        for clicks, kept, hidden in zip(*blocks, strict=True):
            rows = slice(first, first + clicks.shape[0])
            z = products(kept, inverse)
            y = z + products(hidden, inverse)
            weight = weights[rows]
            strength = weight / np.maximum(1 - weight * _row_sums(clicks, y), _LEAST_LEFT)  # c
            arguments = (
                y, z, strength, strength * _row_sums(kept, y), diagonal, ridge, relaxations,
                kept.indptr, kept.indices, hidden.indptr, hidden.indices, *_gains(), out[rows],
            )  # fmt: skip
            run_bands(_rank_hidden, clicks.shape[0], *arguments, smallest=16)
            first = rows.stop
        return out

    def _matrices(self) -> tuple[UserItems, UserItems, UserItems]:
        return self.clicks, self.kept, self.hidden


def _row_sums(clicks: UserItems, values: Array) -> Float64:
    """x·v of each user's clicks x and row v of ``values`` (n, n_items)."""
    rows = groups_of(clicks.indptr)
    terms = clicks.data * values[rows, clicks.indices]
    return np.asarray(np.bincount(rows, terms, minlength=len(values)), dtype=np.float64)


def _gains() -> tuple[Float64, Float64]:
    """(2, 100) each: what a click at a rank adds to a cut's DCG, and the DCG of the best list by clicks."""
    discounts = 1 / np.log2(np.arange(2, _CUTS[-1] + 2))
    gains = np.array([np.where(np.arange(_CUTS[-1]) < cut, discounts, 0) for cut in _CUTS])
    return gains, np.cumsum(gains, axis=1)


@reordering_kernel
def _rank_hidden(
    first: int,
    last: int,
    y: Array,
    z: Array,
    strength: Array,
    shift: Array,
    diagonal: Array,
    ridge: Array,
    relaxations: Array,
    kept_starts: Array,
    kept_items: Array,
    starts: Array,
    items: Array,
    gains: Array,
    ideal: Array,
    out: Array,
) -> None:
    n_items, longest = len(diagonal), gains.shape[1]
    raw = np.empty(n_items, np.float32)
    inverted, scores = np.empty_like(raw), np.empty_like(raw)
    for u in range(first, last):
        c, g, solved, kept = np.float32(strength[u]), np.float32(shift[u]), y[u], z[u]
        n_hidden = min(starts[u + 1] - starts[u], longest)
        for j in range(n_items):
            raw[j] = -(kept[j] + g * solved[j])
            inverted[j] = np.float32(1) / (diagonal[j] + c * solved[j] * solved[j])
        for p in range(kept_starts[u], kept_starts[u + 1]):
            raw[kept_items[p]] = -np.inf
        for r in range(len(relaxations)):
            rest, least = np.float32(1 - relaxations[r]), np.float32(relaxations[r] > 0)
            for j in range(n_items):
                scores[j] = raw[j] * max(rest * inverted[j], least * ridge[j])
            for p in range(starts[u], starts[u + 1]):
                score, rank = scores[items[p]], np.int32(-1)
                for j in range(n_items):
                    rank += np.int32(scores[j] >= score)
                if 0 <= rank < longest:  # -1: not a number
                    for cut in range(len(gains)):
                        out[u, r] += gains[cut, rank] / ideal[cut, n_hidden - 1] / len(gains)
