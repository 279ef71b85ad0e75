"""EASE (Steck 2019, eq. 8): item-item weights in closed form from the Gram matrix.

B = I − P·diag(P)⁻¹ with P = (XᵀX + λI)⁻¹. Items nobody clicked stay out of the solve.

Collective EASE (Jeunen et al. 2020; MARec, eq. 8-9) also explains the items' features F (features × items) by
the same weights: P = (XᵀX + λ₀FᵀF + λI)⁻¹, and then an item without a click has weights too.
"""

import logging
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import above, at_least, one_of
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.features.feature_stack import all_features
from isotherm.features.similarity import SparseProducts
from isotherm.linalg.cholesky import NotPositiveDefiniteError, invert_in_place
from isotherm.linalg.csr import row_blocks, select_columns
from isotherm.linalg.gram import gram
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.item_weights import DenseWeights, ItemItem
from isotherm.progress import expect_stages, stage
from isotherm.state import Inner
from isotherm.types import Array, Float32, UserItems

_log = logging.getLogger(__name__)
_BAND = 1024  # item rows of FᵀF at a time
_USERS = 1 << 17  # a pass over this many users at a time touches each Gram row once


class EASE(ItemItem):
    """Linear item-item autoencoder without self-weights.

    Memory: one items × items matrix, worked on in place. Time: items³ flops.

    >>> from isotherm import EASE, Interactions
    >>> from scipy.sparse import csr_array
    >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
    >>> EASE(l2=1.0).fit(clicks).weights_.warm.round(2)
    array([[0.  , 0.43, 0.12],
           [0.6 , 0.  , 0.25],
           [0.2 , 0.29, 0.  ]], dtype=float32)

    Parameters:
        l2 (> 0; default 500): λ, the ridge penalty of every weight (Steck 2019, eq. 8).
        collective (>= 0; default 0): λ₀, the weight of the items' features beside the clicks (MARec, eq. 8);
            above 0 it needs an item table, and the solve is over all its items.
        dtype (float32 or float64; default float32): of the solve; float64 takes twice the memory and time,
            and is for a tiny λ. A float32 factorization that fails is done again in float64, and the log
            says so.
    """

    name: ClassVar[str] = "ease"

    weights_: DenseWeights

    learned = (Inner("weights_", DenseWeights.empty),)

    def __init__(self, *, l2: float = 500.0, collective: float = 0.0, dtype: str = "float32") -> None:
        self.l2 = above("l2", l2, 0)
        self.collective = at_least("collective", collective, 0)
        self.dtype = one_of("dtype", dtype, ("float32", "float64"))

    def fit_memory(self, clicks: Interactions) -> float:
        n = clicks.n_items if self.collective else np.count_nonzero(clicks.item_clicks())
        return float(n) ** 2 * np.dtype(self.dtype).itemsize

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        expect_stages(3 if self.collective else 2)  # Gram matrix, features, inverse
        if self.collective:
            if items is None:
                raise ParameterError("ease: collective above 0 needs an item table: fit(clicks, items)")
            columns, gram_matrix = np.arange(clicks.n_items), self.gram(clicks.matrix, self.dtype)
            self.add_features(gram_matrix, all_features(items))
            inverse = self.solve(clicks.matrix, gram_matrix)
        else:
            columns = np.flatnonzero(clicks.item_clicks())
            inverse = self.solve(select_columns(clicks.matrix, columns))
        self.weights_ = DenseWeights.among(clicks.n_items, columns, inverse.weights)

    def gram(self, user_items: UserItems, dtype: str = "float32") -> Array:
        """XᵀX, (n_items, n_items)."""
        n_users, n_items = user_items.shape
        return gram(row_blocks(user_items, _USERS), n_items, np.dtype(dtype), -(-n_users // _USERS))

    def add_features(self, gram_matrix: Array, features: csr_array) -> None:
        """gram_matrix += λ₀FᵀF in place.  features: Fᵀ, (n_items, n_features)."""
        index = SparseProducts(features)
        with stage("add the features", len(gram_matrix), "rows") as advance:
            for first in range(0, len(gram_matrix), _BAND):
                rows = slice(first, first + _BAND)
                added = index.similarities(features[rows])
                gram_matrix[rows] += gram_matrix.dtype.type(self.collective) * added
                advance(len(added))

    def solve(self, user_items: UserItems, gram_matrix: Float32 | None = None) -> RidgeInverse:
        """P for a click matrix (n_users, n_items), whose ``weights`` are B.

        gram_matrix: XᵀX where the caller has it, with λ₀FᵀF where there is one; overwritten by B.
        Raises ParameterError where λ is too small even for float64.
        """
        if gram_matrix is None or (self.dtype == "float64" and not self.collective):
            gram_matrix = self.gram(user_items, self.dtype)
        try:
            return self._ridge_inverse(gram_matrix)
        except NotPositiveDefiniteError as cause:
            if gram_matrix.dtype == np.float64 or self.collective:
                raise ParameterError(
                    f"ease: l2={self.l2:g} is too small to factorize in {gram_matrix.dtype}; raise it"
                ) from cause
            _log.warning("ease: float32 is too coarse for l2=%g (%s); solving in float64", self.l2, cause)
        del gram_matrix
        return self._ridge_inverse(self.gram(user_items, "float64"))

    def _ridge_inverse(self, gram_matrix: Array) -> RidgeInverse:
        """(gram_matrix + λI)⁻¹, in place."""
        gram_matrix.flat[:: len(gram_matrix) + 1] += self.l2
        invert_in_place(gram_matrix)
        return RidgeInverse.of(gram_matrix, self.l2)
