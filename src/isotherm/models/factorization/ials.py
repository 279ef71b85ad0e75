"""iALS (Hu et al. 2008): matrix factorization of clicks by alternating least squares, over every cell.

    Σ_clicks x_ui (1 − p_u·q_i)² + w Σ_all cells (p_u·q_i)² + Σ_u λ_u ‖p_u‖² + Σ_i λ_i ‖q_i‖²

with λ_u = λ (n_u + w·items)^ν, and alike for items (Rendle et al. 2022). The second sum needs no users ×
items array: it is Σ_u p_uᵀ(wQᵀQ)p_u, one Gram matrix of factors for all users. A pass costs clicks · d² for
the sums and d³ / 3 a row for its solve, d the number of factors.

``Soft`` adds columns whose clicks are only guessed from metadata (MARec): see ``aligned.factors``.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import above, at_least, seeded, whole
from isotherm.data import Interactions, Items
from isotherm.kernels import kernel
from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import select_columns
from isotherm.models.base import Recommender
from isotherm.models.fitting import FitOptions
from isotherm.models.scorer import ComparesItems, Contributions, Explains
from isotherm.progress import stage
from isotherm.state import Dense
from isotherm.streams import stream
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Int64

_COARSE = 1e5  # condition number of a row's system from which float64 solves it


@dataclass(frozen=True)
class Soft:
    """Guessed clicks of some columns: α·w·c_j Σ_u (b_uj − p_u·q_j)² with b_uj = x_u·g_j.

    places: (s,) columns j, clicked ones (below n_clicked) and never clicked ones.  confidence: c_j, (s,).
    guesses: g_j, (s, n_clicked).  weight: α, how a guess weighs beside an unclicked cell.
    """

    places: Int64
    confidence: Float32
    guesses: Float32
    weight: float


class IALS(Recommender, ComparesItems, Explains):
    """Matrix factorization by alternating least squares; a user is folded in by one least squares.

    factors: d.  l2: λ.  unobserved_weight: w, the weight of every cell with target 0.  exponent: ν, how
    regularization grows with the clicks of a row.  iterations: passes over users and items.  seed: of the
    start.
    """

    name: ClassVar[str] = "ials"

    item_factors_: Float32  #: (n_clicked, factors), of the items with clicks
    rows_: Int64  #: (n_clicked,) their columns

    learned = (
        Dense("item_factors_", np.float32, ("n_clicked", "factors")),
        Dense("rows_", np.int64, ("n_clicked",), below="n_items", ascending=True),
    )

    def __init__(
        self,
        *,
        factors: int = 128,
        l2: float = 0.01,
        unobserved_weight: float = 0.1,
        exponent: float = 1.0,
        iterations: int = 16,
        seed: int = 0,
    ) -> None:
        self.factors = whole("factors", factors, 1)
        self.l2 = above("l2", l2, 0)
        self.unobserved_weight = above("unobserved_weight", unobserved_weight, 0)
        self.exponent = at_least("exponent", exponent, 0)
        self.iterations = whole("iterations", iterations, 1)
        self.seed = seeded("seed", seed)

    def fit_memory(self, clicks: Interactions) -> float:
        return 4.0 * self.factors * (clicks.n_users + clicks.n_items + self.factors)

    def memory_settings(self) -> dict[str, int]:
        return {"factors": self.factors}

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        self.rows_ = np.flatnonzero(clicks.item_clicks())
        self.item_factors_, _ = self.train(select_columns(clicks.matrix, self.rows_))

    def train(
        self, user_items: csr_array, soft: Soft | None = None, n_unclicked: int = 0
    ) -> tuple[Float32, Float32]:
        """Factors of the items, (n_clicked + n_unclicked, d), and of the users.

        user_items: (n_users, n_clicked) CSR, each item clicked.  n_unclicked: columns behind them that only
        ``soft`` knows.
        """
        n_users, n_clicked = user_items.shape
        item_users = csr_array(user_items.T.tocsr())
        item_users.sort_indices()
        rng = stream(self.seed, "factors")
        n_items = n_clicked + n_unclicked
        items = rng.standard_normal((n_items, self.factors)).astype(np.float32)
        items *= np.float32(0.1 / np.sqrt(self.factors))
        items[n_clicked:] = 0
        users = np.empty((n_users, self.factors), dtype=np.float32)
        with stage("train ials", self.iterations) as advance:
            for _ in range(self.iterations):
                users = self._users(user_items, items, n_clicked, soft)
                items[:n_clicked] = self._items(item_users, users, soft)
                if soft is not None:
                    unclicked = soft.places >= n_clicked
                    targets = soft.guesses[unclicked] @ _sums(item_users, users)
                    items[soft.places[unclicked]] = self.guessed(
                        users, targets, soft.confidence[unclicked], soft.weight
                    )
                advance(1)
        return items, users

    def _users(self, user_items: csr_array, items: Float32, n_clicked: int, soft: Soft | None) -> Float32:
        clicked = items[:n_clicked]
        base = self.unobserved_weight * (clicked.T @ clicked)
        targets = clicked
        if soft is not None:
            weighted = (self.unobserved_weight * soft.weight * soft.confidence)[:, None] * items[soft.places]
            base = base + weighted.T @ items[soft.places]
            targets = clicked + soft.guesses.T @ weighted.astype(np.float32)
        return self._solved(user_items, clicked, targets, base)

    def _items(self, item_users: csr_array, users: Float32, soft: Soft | None) -> Float32:
        base = self.unobserved_weight * (users.T @ users)
        n = item_users.shape[0]
        more, times = np.zeros((n, self.factors), dtype=np.float32), np.ones(n, dtype=np.float32)
        if soft is not None:
            rare = soft.places < n
            weights = np.float32(soft.weight) * soft.confidence[rare]
            times[soft.places[rare]] += weights
            guessed = soft.guesses[rare] @ _sums(item_users, users)
            more[soft.places[rare]] = (np.float32(self.unobserved_weight) * weights)[:, None] * guessed
        return self._solved(item_users, users, users, base, times, more)

    def folded(self, user_items: csr_array, items: Float32) -> Float32:
        """Factors of users by their histories over the clicked items, (n_users, d)."""
        return self._solved(user_items, items, items, self.unobserved_weight * (items.T @ items))

    def guessed(
        self,
        users: Float32,
        targets: Float32,
        confidence: Float32 | float = 1.0,
        weight: float = 1.0,
    ) -> Float32:
        """Factors of never-clicked columns, (m, d): a d × d solve each, as one eigendecomposition for all.

        targets: Σ_u b_uj p_u, (m, d).
        """
        values, vectors = np.linalg.eigh((users.T @ users).astype(np.float64))
        pull = self.unobserved_weight * weight * np.broadcast_to(confidence, len(targets))[:, None]
        ridge = self._ridge(np.zeros(1), len(users))
        solved = (targets @ vectors) * (pull / (pull * np.maximum(values, 0) + ridge))
        return np.asarray(solved @ vectors.T, dtype=np.float32)

    def _ridge(self, clicks: Array, others: int) -> Float32:
        """λ of rows with so many clicks among ``others`` columns."""
        scale = (clicks + self.unobserved_weight * others) ** self.exponent
        return np.asarray(self.l2 * scale, dtype=np.float32)

    def _solved(
        self,
        matrix: csr_array,
        table: Float32,
        targets: Float32,
        base: Array,
        times: Float32 | None = None,
        more: Float32 | None = None,
    ) -> Float32:
        """Each row's least squares: (times·base + λI + Σ x·t tᵀ)⁻¹(Σ x·target + more)."""
        n, width = matrix.shape[0], table.shape[1]
        ridge = self._ridge(np.diff(matrix.indptr), matrix.shape[1])
        dtype = _precision(matrix, table, ridge)
        found = np.zeros((n, width), dtype=dtype) if more is None else more.astype(dtype)
        run_bands(
            _solve_rows, n, matrix.indptr, matrix.indices, matrix.data,
            table.astype(dtype, copy=False), targets.astype(dtype, copy=False),
            np.ascontiguousarray(base, dtype=dtype),
            np.ones(n, dtype=np.float32) if times is None else times, ridge, found, smallest=4,
        )  # fmt: skip
        return found.astype(np.float32, copy=False)

    def _score(self, user_items: csr_array) -> Float32:
        """p·q of each item, (n_users, n_items) float32; 0 for an item nobody clicked."""
        users = self.folded(select_columns(user_items, self.rows_), self.item_factors_)
        scores = np.zeros(user_items.shape, dtype=np.float32)
        scores[:, self.rows_] = users @ self.item_factors_.T
        return scores

    def item_similarities(self, column: int) -> Float32:
        """Cosines of factors."""
        table = np.zeros((self.n_items, self.factors), dtype=np.float32)
        table[self.rows_] = self.item_factors_
        return cosines(table, table[column])

    def user_vectors(self, user_items: csr_array) -> Float32:
        """Folded-in factors."""
        return self.folded(select_columns(user_items, self.rows_), self.item_factors_)

    def contributions(self, history: csr_array, column: int) -> Contributions:
        """q_j·(wQᵀQ + Σ x q qᵀ + λI)⁻¹·x q_i of each clicked i (Hu et al., §5)."""
        place = np.flatnonzero(self.rows_ == column)
        vector = self.item_factors_[place[0]] if len(place) else np.zeros(self.factors, dtype=np.float32)
        return Contributions(self.spread(history, self.rows_, self.item_factors_, vector))

    def spread(
        self,
        history: csr_array,
        rows: Int64,
        table: Float32,
        vector: Float32,
    ) -> Float32:
        """What each click of one user gives to the score of an item's ``vector``, in the history's order.

        rows: (n_clicked,) the columns that have factors; a click elsewhere gives nothing.  table: theirs,
        (n_clicked, d).
        """
        known = select_columns(history, rows)
        clicked = table[known.indices]
        matrix = self.unobserved_weight * (table.T @ table) + (clicked.T * known.data) @ clicked
        matrix += np.diag(np.repeat(self._ridge(np.array([len(clicked)]), len(table)), len(matrix)))
        shares = np.zeros(history.nnz, dtype=np.float32)
        shares[np.isin(history.indices, rows)] = known.data * (clicked @ np.linalg.solve(matrix, vector))
        return shares


def _precision(matrix: csr_array, table: Float32, ridge: Float32) -> type[Any]:
    """float64 where clicks weigh so much beside the ridge that float32 would lose the solution."""
    heaviest = matrix.sum(axis=1, dtype=np.float64) / ridge
    longest = np.einsum("ij,ij->i", table, table).max(initial=0)
    return np.float64 if heaviest.max(initial=0) * float(longest) > _COARSE else np.float32


def _sums(item_users: csr_array, users: Float32) -> Float32:
    """XᵀP, (n_clicked, d): Σ_u b_uj p_u of a guess g_j is its product with g_j."""
    return np.asarray(item_users @ users, dtype=np.float32)


@kernel
def _solve_rows(
    first: int,
    last: int,
    starts: Array,
    columns: Array,
    values: Array,
    table: Array,
    targets: Array,
    base: Array,
    times: Array,
    ridge: Array,
    found: Array,
) -> None:
    """found[r] = (times·base + ridge·I + Σ v·t tᵀ)⁻¹(found[r] + Σ v·target), by upper triangles."""
    d = table.shape[1]
    a = np.empty((d, d), base.dtype)
    for r in range(first, last):
        right = found[r]
        for i in range(d):
            for j in range(i, d):
                a[i, j] = times[r] * base[i, j]
            a[i, i] += ridge[r]
        end = starts[r + 1]
        p = starts[r]
        while p + 4 <= end:  # four at a time: each number of a is read and written once for them
            v0, v1, v2, v3 = values[p], values[p + 1], values[p + 2], values[p + 3]
            c0, c1, c2, c3 = columns[p], columns[p + 1], columns[p + 2], columns[p + 3]
            for i in range(d):  # slices from i on: loops that begin at 0 become vector instructions
                row, t0, t1, t2, t3 = a[i, i:], table[c0, i:], table[c1, i:], table[c2, i:], table[c3, i:]
                s0, s1, s2, s3 = v0 * t0[0], v1 * t1[0], v2 * t2[0], v3 * t3[0]
                for j in range(d - i):
                    row[j] += s0 * t0[j] + s1 * t1[j] + s2 * t2[j] + s3 * t3[j]
            p += 4
        while p < end:
            for i in range(d):
                row, t0 = a[i, i:], table[columns[p], i:]
                s0 = values[p] * t0[0]
                for j in range(d - i):
                    row[j] += s0 * t0[j]
            p += 1
        for p in range(starts[r], end):
            target, v = targets[columns[p]], values[p]
            for j in range(d):
                right[j] += v * target[j]
        for k in range(d):  # Cholesky, UᵀU = a, row by row of U, and Uᵀy = right on the way
            pivot, rest = a[k, k:], right[k:]
            scale = 1 / np.sqrt(pivot[0])
            for j in range(d - k):
                pivot[j] *= scale
            known = rest[0] * scale
            rest[0] = known
            for j in range(1, d - k):
                rest[j] -= known * pivot[j]
            for i in range(1, d - k):
                row, upper = a[k + i, k + i :], pivot[i:]
                factor = upper[0]
                for j in range(d - k - i):
                    row[j] -= factor * upper[j]
        for k in range(d - 1, -1, -1):
            total = right[k]
            for j in range(k + 1, d):
                total -= a[k, j] * right[j]
            right[k] = total / a[k, k]
