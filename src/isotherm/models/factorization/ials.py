"""iALS (Hu et al. 2008): matrix factorization of clicks by alternating least squares, over every cell.

    Σ_clicks x_ui (1 − p_u·q_i)² + w Σ_all cells (p_u·q_i)² + Σ_u λ_u ‖p_u‖² + Σ_i λ_i ‖q_i‖²

with λ_u = λ (n_u + w·items)^ν, and alike for items (Rendle et al. 2022). The second sum needs no users ×
items array: it is Σ_u p_uᵀ(wQᵀQ)p_u, one Gram matrix of factors for all users. In training, each half of a
round moves every row by two steps of conjugate gradients; a user who asks is folded in by an exact solve.

``SoftTargets`` add columns whose clicks are only predicted from metadata: MARec's alignment on iALS.
"""

from copy import copy
from dataclasses import asdict, dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import at_least, auto_or_above, seeded, whole
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import select_columns
from isotherm.linalg.products import fill_table_products, table_products
from isotherm.models.base import Recommender
from isotherm.models.factorization.auto import Regularization, learn_regularization
from isotherm.models.factorization.conjugate_gradient import improve_rows
from isotherm.models.factorization.least_squares import HeldFactors, solve_rows
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.scorer import ComparesItems, Contributions, Explains
from isotherm.progress import Advance, stage
from isotherm.state import Dense
from isotherm.streams import stream
from isotherm.types import Array, Bools, Float32, ItemIndex, Scores, UserItems

_START_LENGTH = 0.1  # of an item's factors before the first pass, in the mean


@dataclass(frozen=True)
class SoftTargets:
    """Targets b_uj = x_u·g_j of some columns j, with the loss α·w·c_j Σ_u (b_uj − p_u·q_j)².

    columns: (s,) j, clicked ones (below n_clicked) and, from n_clicked on, never clicked ones.  confidence:
    c_j, (s,).  coefficients: g_j, (s, n_clicked).  weight: α, that of a target beside an unclicked cell.
    """

    columns: ItemIndex
    confidence: Float32
    coefficients: Float32
    weight: float

    def only(self, kept: Bools) -> "SoftTargets":
        """Those of the columns where ``kept`` (s,) is true."""
        return SoftTargets(self.columns[kept], self.confidence[kept], self.coefficients[kept], self.weight)


@dataclass(frozen=True)
class Factors:
    """items: q, (n_items, d).  users: p, (n_users, d).  Both float32."""

    items: Float32
    users: Float32


class IALS(Recommender, ComparesItems, Explains):
    """Matrix factorization by alternating least squares; a user is folded in by one least squares.

    >>> from isotherm import IALS, Interactions
    >>> from scipy.sparse import csr_array
    >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
    >>> IALS(factors=2).fit(clicks).recommend(["cat"], k=2)["item_id"].to_list()
    ['cup', 'pot']

    Parameters:
        factors (>= 1; default 128): d, the length of the vectors of users and items.
        l2 (> 0 or auto; default auto): λ, the ridge penalty of the factors; auto: what ranks clicks best that
            are hidden from some users.
        unobserved_weight (> 0 or auto; default auto): w, the weight of every cell with target 0 (Rendle et
            al. 2022, eq. 2); auto: chosen in the same way.
        exponent (>= 0; default 1.0): ν, how the penalty grows with what the clicks of a user or an item weigh
            (Rendle et al. 2022, §3.2).
        iterations (>= 1; default 16): passes over users and items.
        seed (>= 0; default 0): of the start, and of the hidden clicks.
    """

    name: ClassVar[str] = "ials"

    item_factors_: Float32  #: (n_clicked, factors), of the items with clicks
    columns_: ItemIndex  #: (n_clicked,) their columns
    regularization_: Regularization  #: λ and w in use
    _held: HeldFactors  #: the same factors, as users are folded in by; follows from the rest

    learned = (
        Dense("item_factors_", np.float32, ("n_clicked", "factors")),
        Dense("columns_", np.int64, ("n_clicked",), below="n_items", ascending=True),
        Regularization.declared("regularization_"),
    )

    def __init__(
        self,
        *,
        factors: int = 128,
        l2: float | str = "auto",
        unobserved_weight: float | str = "auto",
        exponent: float = 1.0,
        iterations: int = 16,
        seed: int = 0,
    ) -> None:
        self.factors = whole("factors", factors, 1)
        self.l2 = auto_or_above("l2", l2, 0)
        self.unobserved_weight = auto_or_above("unobserved_weight", unobserved_weight, 0)
        self.exponent = at_least("exponent", exponent, 0)
        self.iterations = whole("iterations", iterations, 1)
        self.seed = seeded("seed", seed)

    def fit_memory(self, clicks: Interactions) -> float:
        return 4.0 * self.factors * (3 * clicks.n_users + 2 * clicks.n_items + self.factors)

    def memory_settings(self) -> dict[str, int]:
        return {"factors": self.factors}

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        self.columns_ = np.flatnonzero(clicks.item_clicks())
        user_items = select_columns(clicks.matrix, self.columns_)
        settled = self.settled(user_items)
        self.regularization_ = settled.regularization
        self.item_factors_ = settled.train(user_items).items
        self.restored()

    def restored(self) -> None:
        """What all users share is computed once."""
        self._held = self.by(self.regularization_).held(self.item_factors_)

    def learned_settings(self) -> dict[str, float]:
        """λ and w where they were learned."""
        if not hasattr(self, "regularization_"):
            return {}
        return self.regularization_.learned_settings(self, "regularization_")

    @property
    def regularization(self) -> Regularization:
        """λ and w where none is to be learned."""
        if isinstance(self.l2, str) or isinstance(self.unobserved_weight, str):
            raise ParameterError(
                "ials: l2 or unobserved_weight to be learned: settled(user_items) has numbers"
            )
        return Regularization(self.l2, self.unobserved_weight)

    def by(self, regularization: Regularization) -> Self:
        """The same model with these numbers."""
        model = copy(self)
        vars(model).update(asdict(regularization))
        return model

    def settled(self, user_items: UserItems) -> Self:
        """The same with numbers for what is to be learned, from clicks (n_users, n_clicked)."""
        if "auto" not in (self.l2, self.unobserved_weight):
            return self

        def scores(tried: Regularization, left: UserItems, histories: UserItems) -> Scores:
            model = self.by(tried)
            items = model.train(left).items
            return table_products(model.fold_in(histories, model.held(items)), items)

        usual = Regularization.usual(user_items, self.exponent)
        asked = self.l2, self.unobserved_weight
        return self.by(learn_regularization(user_items, *asked, scores, self.seed, usual))

    def held(self, factors: Float32) -> HeldFactors:
        """Factors (n, d) of one side, as rows of the other are solved for by."""
        return HeldFactors.of(factors, self.regularization.unobserved_weight)

    def train(self, user_items: UserItems, soft: SoftTargets | None = None, n_unclicked: int = 0) -> Factors:
        """Factors of n_clicked + n_unclicked items and of the users.

        user_items: (n_users, n_clicked) CSR, each item clicked.  n_unclicked: columns behind them that only
        the soft targets know.
        """
        n_clicked = user_items.shape[1]
        item_users = csr_array(user_items.T.tocsr())
        item_users.sort_indices()
        items = self.start(n_clicked + n_unclicked)
        items[n_clicked:] = 0
        users = np.zeros((user_items.shape[0], self.factors), dtype=np.float32)
        shares = _shares_of_rows(user_items), _shares_of_rows(item_users)
        with stage("alternate least squares", self.iterations, "rounds") as advance:
            for _ in range(self.iterations):
                half = _half(advance, user_items)
                users = self._user_step(user_items, items, users, shares[1], soft, half)
                half = _half(advance, item_users)
                items[:n_clicked] = self._item_step(
                    item_users, users, items[:n_clicked], shares[0], soft, half
                )
                if soft is not None:
                    new = soft.only(soft.columns >= n_clicked)
                    items[new.columns] = self._new_item_step(item_users, users, new)
        return Factors(items, users)

    def start(self, n_items: int) -> Float32:
        """Factors of items before the first round, (n_items, d): drawn by the seed."""
        items = stream(self.seed, "factors").standard_normal((n_items, self.factors)).astype(np.float32)
        items *= np.float32(_START_LENGTH / np.sqrt(self.factors))
        return items

    def _user_step(
        self,
        user_items: UserItems,
        items: Float32,
        users: Float32,
        shares: Float32,
        soft: SoftTargets | None,
        advance: Advance | None = None,
    ) -> Float32:
        """Better p of every user, (n_users, d), for the factors of clicked and unclicked items.

        users: p before the step.  shares: of all clicks, those of each clicked item.
        """
        clicked = items[: user_items.shape[1]]
        held, ridge = self.held(clicked), self._ridge_of_rows(user_items)
        if soft is None:
            return improve_rows(user_items, held, ridge, users, shares, advance=advance)
        of_targets = items[soft.columns]
        weighted = (self.regularization.unobserved_weight * soft.weight * soft.confidence)[
            :, None
        ] * of_targets
        held = held.with_gram(held.gram + weighted.T @ of_targets)
        targets = clicked + soft.coefficients.T @ weighted.astype(np.float32)
        return improve_rows(user_items, held, ridge, users, shares, targets, advance=advance)

    def _item_step(
        self,
        item_users: csr_array,
        users: Float32,
        items: Float32,
        shares: Float32,
        soft: SoftTargets | None,
        advance: Advance | None = None,
    ) -> Float32:
        """Better q of every clicked item, (n_clicked, d).

        items: q before the step.  shares: of all clicks, those of each user.
        """
        held, ridge = self.held(users), self._ridge_of_rows(item_users)
        if soft is None:
            return improve_rows(item_users, held, ridge, items, shares, advance=advance)
        n_clicked = item_users.shape[0]
        rare = soft.only(soft.columns < n_clicked)
        weights = np.float32(soft.weight) * rare.confidence
        gram_scales = np.ones(n_clicked, dtype=np.float32)
        gram_scales[rare.columns] += weights
        right = np.zeros((n_clicked, self.factors), dtype=np.float32)
        sums = rare.coefficients @ _sums_of_users(item_users, users)
        right[rare.columns] = (np.float32(self.regularization.unobserved_weight) * weights)[:, None] * sums
        return improve_rows(item_users, held, ridge, items, shares, None, gram_scales, right, advance)

    def _new_item_step(self, item_users: csr_array, users: Float32, soft: SoftTargets) -> Float32:
        """q of the soft targets' columns, which nobody has clicked."""
        sums = soft.coefficients @ _sums_of_users(item_users, users)
        return self.factors_from_targets(users, sums, soft.confidence, soft.weight)

    def factors_from_targets(
        self,
        users: Float32,
        sums: Float32,
        confidence: Float32 | float = 1.0,
        weight: float = 1.0,
    ) -> Float32:
        """q of columns without clicks, (m, d): a d × d solve each, as one eigendecomposition for all.

        users: p, (n_users, d).  sums: Σ_u b_uj p_u, (m, d).  confidence: c_j.  weight: α.
        """
        values, vectors = np.linalg.eigh((users.T @ users).astype(np.float64))
        weights = (
            self.regularization.unobserved_weight * weight * np.broadcast_to(confidence, len(sums))[:, None]
        )
        ridge = self._ridge(np.zeros(1), len(users))
        solved = (sums @ vectors) * (weights / (weights * np.maximum(values, 0) + ridge))
        return np.asarray(solved @ vectors.T, dtype=np.float32)

    def fold_in(self, user_items: UserItems, held: HeldFactors, advance: Advance | None = None) -> Float32:
        """p of users by their histories over the clicked items, (n_users, d).

        held: the items' factors.  advance: told of the users that are done.
        """
        return solve_rows(user_items, held, self._ridge_of_rows(user_items), advance=advance)

    def _ridge_of_rows(self, matrix: csr_array) -> Float32:
        """λ of each row of a click matrix, (n_rows,)."""
        return self._ridge(matrix.sum(axis=1, dtype=np.float64), matrix.shape[1])

    def _ridge(self, click_weights: Array, n_cells: int) -> Float32:
        """λ of rows whose clicks weigh so much in all, in so many cells."""
        scale = (click_weights + self.regularization.unobserved_weight * n_cells) ** self.exponent
        return np.asarray(self.regularization.l2 * scale, dtype=np.float32)

    def _score(self, user_items: UserItems) -> Scores:
        """p·q of each item, (n_users, n_items) float32; 0 for an item nobody clicked."""
        users = self.user_vectors(user_items)
        has_all = len(self.columns_) == self.n_items
        scores = np.empty(user_items.shape, np.float32) if has_all else np.zeros(user_items.shape, np.float32)
        fill_table_products(users, self.item_factors_, self.columns_, scores)
        return scores

    def item_similarities(self, column: int) -> Float32:
        """Cosines of factors."""
        table = np.zeros((self.n_items, self.factors), dtype=np.float32)
        table[self.columns_] = self.item_factors_
        return cosines(table, table[column])

    def user_vectors(self, user_items: UserItems) -> Float32:
        """Folded-in factors, (n_users, d)."""
        model = self.by(self.regularization_)
        return model.fold_in(select_columns(user_items, self.columns_), self._held)

    def contributions(self, history: UserItems, column: int) -> Contributions:
        """q_j·(wQᵀQ + Σ x q qᵀ + λI)⁻¹·x q_i of each clicked i (Hu et al., §5)."""
        factors = self.item_factors_[self.columns_ == column].sum(axis=0)  # zeros for an unclicked item
        model = self.by(self.regularization_)
        return Contributions(model.click_shares(history, self.columns_, self.item_factors_, factors))

    def click_shares(
        self,
        history: UserItems,
        columns: ItemIndex,
        item_factors: Float32,
        factors: Float32,
    ) -> Float32:
        """What each click of one user gives to the score of an item with these factors (d,), in its order.

        columns: (n_clicked,) those that have factors; a click elsewhere gives nothing.  item_factors: theirs,
        (n_clicked, d).
        """
        known = select_columns(history, columns)
        clicked = item_factors[known.indices]
        matrix = self.regularization.unobserved_weight * (item_factors.T @ item_factors)
        matrix += (clicked.T * known.data) @ clicked
        matrix.flat[:: len(matrix) + 1] += self._ridge_of_rows(known)[0]
        shares = np.zeros(history.nnz, dtype=np.float32)
        by_click = known.data * (clicked @ np.linalg.solve(matrix, factors))
        shares[np.isin(history.indices, columns)] = by_click
        return shares


def _half(advance: Advance, matrix: csr_array) -> Advance:
    """What counts the rows of a matrix as half a round in all."""
    return lambda rows: advance(rows / (2 * matrix.shape[0]))


def _shares_of_rows(matrix: csr_array) -> Float32:
    """Of the weight of all clicks, that of each row's, (n_rows,)."""
    weights = matrix.sum(axis=1, dtype=np.float64)
    return np.asarray(weights / max(weights.sum(), 1e-300), dtype=np.float32)


def _sums_of_users(item_users: csr_array, users: Float32) -> Float32:
    """XᵀP, (n_clicked, d): Σ_u b_uj p_u of a soft target is its product with g_j."""
    return np.asarray(item_users @ users, dtype=np.float32)
