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
from isotherm.features.metadata import all_features
from isotherm.features.similarity import SparseProducts
from isotherm.linalg.cholesky import NotPositiveDefiniteError, invert_in_place
from isotherm.linalg.csr import row_blocks, select_columns
from isotherm.linalg.gram import gram
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.fitting import FitOptions
from isotherm.models.linear.item_weights import DenseWeights, ItemItem
from isotherm.state import Inner
from isotherm.types import Array, Float32

_log = logging.getLogger(__name__)
_BAND = 1024
_USERS = 1 << 17  # a pass over this many users at a time touches each Gram row once


class EASE(ItemItem):
    """Linear item-item autoencoder without self-weights.

    l2: λ, added to the diagonal of the Gram matrix.  collective: λ₀, the weight of the items' features beside
    the clicks; above 0 it needs an item table, and all its items are part of the solve.  dtype: float32, or
    float64 at twice the memory and time for a tiny λ; a float32 factorization that fails is done again in
    float64, and the log says so. Memory: one items × items matrix, worked on in place. Time: items³ flops.
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
        if self.collective:
            if items is None:
                raise ParameterError("ease: collective above 0 needs an item table: fit(clicks, items)")
            used, product = np.arange(clicks.n_items), self.gram(clicks.matrix, self.dtype)
            self.add_features(product, all_features(items))
            inverse = self.solve(clicks.matrix, product)
        else:
            used = np.flatnonzero(clicks.item_clicks())
            inverse = self.solve(select_columns(clicks.matrix, used))
        self.weights_ = DenseWeights.among(clicks.n_items, used, inverse.weights)

    def add_features(self, product: Array, features: csr_array) -> None:
        """product += λ₀FᵀF in place.  features: Fᵀ, (n_items, n_features)."""
        index = SparseProducts(features)
        for first in range(0, len(product), _BAND):
            rows = slice(first, first + _BAND)
            product[rows] += product.dtype.type(self.collective) * index.to(features[rows])

    def solve(self, user_items: csr_array, product: Float32 | None = None) -> RidgeInverse:
        """P for a click matrix (n_users, n_items), whose ``weights`` are B.

        product: its Gram matrix where the caller has it, with λ₀FᵀF where there is one; overwritten by B.
        Raises ParameterError where λ is too small even for float64.
        """
        if product is None or (self.dtype == "float64" and not self.collective):
            product = self.gram(user_items, self.dtype)
        try:
            inverse = self._inverse(product)
        except NotPositiveDefiniteError as cause:
            if product.dtype == np.float64 or self.collective:
                raise ParameterError(
                    f"ease: l2={self.l2:g} is too small to factorize in {product.dtype}; raise it"
                ) from cause
            _log.warning("ease: float32 is too coarse for l2=%g (%s); solving in float64", self.l2, cause)
            del product
            inverse = self._inverse(self.gram(user_items, "float64"))
        return RidgeInverse.of(inverse, self.l2)

    def gram(self, user_items: csr_array, dtype: str = "float32") -> Array:
        """XᵀX."""
        return gram(row_blocks(user_items, _USERS), user_items.shape[1], np.dtype(dtype))

    def _inverse(self, product: Array) -> Array:
        product.flat[:: len(product) + 1] += self.l2
        invert_in_place(product)
        return product
