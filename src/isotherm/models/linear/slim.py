"""Weighted SLIM (MARec, eq. 10-11): item-item weights, each column a least squares of its own in closed form.

Column i is solved with weight 1 on the users who clicked i and w on the others:

    (XᵀW_iX·T + λI + γe_ie_iᵀ) θ_i = XᵀW_iX·t_i,   T = I (plain), or I + αGD with metadata (MARec)

Where clicks weigh much, θ_i is nearly e_i, and all that ranks other items is in the rest. So the rest is what
is solved for: with A_i = XᵀW_iX·T + λI and u = A_i⁻¹e_i

    θ_i = e_i − (λ + γ)·u / (1 + γu_i)

(Sherman & Morrison), and with items measured in units of √(C_ii + λ) a tolerance means the same at every
scale.

W_i differs from item to item, so that a solve for each would cost items⁴ / 3. But XᵀW_iX = wC +
(1 − w)X_UᵀX_U with U the users of i, and P = (wCT + λI)⁻¹ is one inverse for all. Behind P the matrix is
I + (1 − w)X_UᵀX_U·TP, whose condition number (T = I) is at most 1/w whatever the data,
as X_UᵀX_U ≤ C. So a Krylov method meets any tolerance in about ½·ln(2/ε)/√w steps, and all items of a block
take a step together: the cost of a step is one product with P and the clicks of each item's users.

In all: items³ for P and, a step, 2·items³ + 4·Σ_u n_u² flops.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csc_array, csr_array

from isotherm.checks import above, at_least, between
from isotherm.data import Interactions, Items
from isotherm.kernels import kernel
from isotherm.linalg.csr import groups_of, select_columns
from isotherm.linalg.gmres import gmres
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.fitting import FitOptions
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights, ItemItem
from isotherm.progress import stage
from isotherm.state import Inner
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Float64, Int64, ItemIndex

_BLOCK_BYTES = 256 * 2**20  # of Krylov vectors
_MOST_STEPS = 60


@dataclass(frozen=True)
class AlignedColumns:
    """αGD where D is not zero: the columns S, (s,), and their αD_S·G_S, (s, n_items)."""

    columns: ItemIndex
    similarities: Float32


class SLIM(ItemItem):
    """Weighted SLIM: a ridge regression a column, clicks weighing more than their absence.

    l2: λ₁.  nonclick_weight: w₁ in (0, 1], the weight of users who did not click the column's item.
    self_penalty: γ₁, added to λ₁ on an item's own weight.  tolerance: of each column's residual, relative,
    items measured in units of their click vectors' lengths.
    Memory: two items × items matrices in float32.
    """

    name: ClassVar[str] = "slim"

    weights_: DenseWeights

    learned = (Inner("weights_", DenseWeights.empty),)

    def __init__(
        self,
        *,
        l2: float = 500.0,
        nonclick_weight: float = 0.5,
        self_penalty: float = 800.0,
        tolerance: float = 1e-4,
    ) -> None:
        self.l2 = above("l2", l2, 0)
        self.nonclick_weight = between("nonclick_weight", nonclick_weight, 0, 1, "(]")
        self.self_penalty = at_least("self_penalty", self_penalty, 0)
        self.tolerance = between("tolerance", tolerance, 0, 1, "()")
        above("l2 / nonclick_weight", self.l2 / self.nonclick_weight, 0)

    def fit_memory(self, clicks: Interactions) -> float:
        return 2 * 4 * float(np.count_nonzero(clicks.item_clicks())) ** 2

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        warm = np.flatnonzero(clicks.item_clicks())
        user_items = select_columns(clicks.matrix, warm)
        weights = self.solve_columns(user_items, self.ridge_inverse(user_items))
        self.weights_ = DenseWeights.among(clicks.n_items, warm, weights)

    def ridge_inverse(self, user_items: csr_array, product: Float32 | None = None) -> RidgeInverse:
        """w·P = (C + λ/w·I)⁻¹, which all columns share: EASE's for λ/w.

        product: the Gram matrix where the caller has it; it is overwritten.
        """
        return EASE(l2=self.l2 / self.nonclick_weight).solve(user_items, product)

    def solve_columns(
        self, user_items: csr_array, inverse: RidgeInverse, aligned: AlignedColumns | None = None
    ) -> Float32:
        """Θ (n_items, n_items): a row what a clicked item gives, a column what an item receives.

        inverse: of ``ridge_inverse``, of the matrix with its aligned columns where there are some.
        """
        n = user_items.shape[1]
        weights = np.empty((n, n), dtype=np.float32)
        by_item = csc_array(user_items)
        lengths = self._lengths(by_item)
        # alike popular items meet the tolerance after alike many steps
        order = np.argsort(np.diff(by_item.indptr), kind="stable")
        block = int(np.clip(_BLOCK_BYTES // (4 * 16 * n), 1, 512))
        with stage("solve the columns of slim", n) as advance:
            for first in range(0, n, block):
                items = order[first : first + block]
                system = _Columns(self, user_items, by_item, inverse, aligned, items, lengths)
                which = np.arange(len(items))
                right = np.zeros((len(items), n), dtype=np.float32)
                right[which, items] = 1
                found = gmres(system.times, right, self.tolerance, _MOST_STEPS)
                solved = system.behind(found)
                solved /= lengths[items, None].astype(np.float32)
                weights[:, items] = self._weighed(solved, items).T
                advance(len(items))
        return weights

    def _weighed(self, solved: Float32, items: Int64) -> Float32:
        """θ_i = e_i − (λ + γ)·u/(1 + γu_i) of each row u = A⁻¹e_i, in place."""
        each = np.arange(len(items))
        own = solved[each, items].astype(np.float64)
        damped = 1 / (1 + self.self_penalty * own)
        solved *= (-(self.l2 + self.self_penalty) * damped).astype(np.float32)[:, None]
        solved[each, items] = (1 - self.l2 * own) * damped
        return solved

    def _lengths(self, by_item: csc_array) -> Float64:
        """√(C_ii + λ) of each item, (n_items,)."""
        squares = np.square(by_item.data, dtype=np.float64)
        sums = np.bincount(groups_of(by_item.indptr), squares, minlength=by_item.shape[1])
        return np.asarray(np.sqrt(sums + self.l2))


class _Columns:
    """The systems of some items' columns; a vector of a system is a row here.

    lengths: (n_items,) units: what is solved is D⁻¹AD⁻¹ with D = diag(lengths).
    """

    def __init__(
        self,
        slim: SLIM,
        user_items: csr_array,
        by_item: csc_array,
        inverse: RidgeInverse,
        aligned: AlignedColumns | None,
        items: Int64,
        lengths: Float64,
    ) -> None:
        self._lengths = lengths.astype(np.float32)
        self.weight = np.float32(slim.nonclick_weight)
        self.user_items, self.by_item = user_items, by_item
        self.inverse, self.aligned, self.items = inverse, aligned, items

    def behind(self, rows: Float32) -> Float32:
        """P·Dy: (m, n) rows of y to rows of z."""
        return self.inverse.times(rows * (self._lengths / self.weight))

    def times(self, rows: Float32, which: Int64) -> Float32:
        """(I + (1 − w)D⁻¹X_UᵀX_U·TPD)·y of the systems ``which``."""
        solved, out = self.behind(rows), np.zeros_like(rows)
        if self.aligned is not None:
            solved += solved[:, self.aligned.columns] @ self.aligned.similarities
        self._add_clickers(solved, self.items[which], out)
        out /= self._lengths
        out += rows
        return out

    def _add_clickers(self, rows: Float32, items: Int64, out: Float32) -> None:
        """out += (1 − w)·X_UᵀX_U·v, U the users of each row's item."""
        x = self.user_items
        run_bands(
            _clickers, len(items), items, self.by_item.indptr, self.by_item.indices, x.indptr, x.indices,
            x.data, 1 - self.weight, rows, out,
        )  # fmt: skip


@kernel
def _clickers(
    first: int,
    last: int,
    items: Array,
    item_starts: Array,
    item_users: Array,
    starts: Array,
    columns: Array,
    values: Array,
    weight: float,
    rows: Array,
    out: Array,
) -> None:
    for r in range(first, last):
        row, total = rows[r], out[r]
        for c in range(item_starts[items[r]], item_starts[items[r] + 1]):
            user = item_users[c]
            product = np.float32(0)
            for p in range(starts[user], starts[user + 1]):
                product += values[p] * row[columns[p]]
            product *= weight
            for p in range(starts[user], starts[user + 1]):
                total[columns[p]] += product * values[p]
