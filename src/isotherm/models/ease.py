"""EASE (Steck 2019, eq. 8): item-item weights in closed form from the Gram matrix.

B = I − P·diag(P)⁻¹ with P = (XᵀX + λI)⁻¹. Items nobody clicked stay out of the solve.
"""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data import Interactions, Items
from isotherm.data.gram import gram
from isotherm.data.interactions import row_blocks
from isotherm.errors import ParameterError
from isotherm.models.catalogue import narrowed
from isotherm.models.item_item import DenseWeights, ItemItem
from isotherm.models.parameters import above, one_of
from isotherm.models.solve import NotPositiveDefiniteError, invert_in_place

_log = logging.getLogger(__name__)
_USERS = 1 << 17  # a pass over this many users at a time touches each Gram row once


class EASE(ItemItem):
    """Linear item-item autoencoder without self-weights.

    l2: λ, added to the diagonal of the Gram matrix.  dtype: float32, or float64 at twice the memory and
    time for a tiny λ; a float32 factorization that fails is done again in float64, and the log says so.
    Memory: one items × items matrix, worked on in place. Time: items³ flops.
    """

    name: ClassVar[str] = "ease"

    weights_: DenseWeights

    def __init__(self, *, l2: float = 500.0, dtype: str = "float32") -> None:
        self.l2 = above("l2", l2, 0)
        self.dtype = one_of("dtype", dtype, ("float32", "float64"))

    def _fit(self, clicks: Interactions, items: Items | None) -> None:
        warm = np.flatnonzero(clicks.item_clicks())
        weights, _ = self.solve(narrowed(clicks.matrix, warm))
        self.weights_ = DenseWeights(clicks.n_items, warm, [(warm, weights)])

    def solve(
        self, user_items: csr_array, product: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """B (n_items, n_items) with a zero diagonal, and diag(P), both float32, for a click matrix.

        product: its Gram matrix where the caller has it; it is overwritten by B.
        Raises ParameterError where λ is too small even for float64.
        """
        if product is None or self.dtype == "float64":
            product = self._gram(user_items, self.dtype)
        try:
            inverse = self._inverse(product)
        except NotPositiveDefiniteError as cause:
            if product.dtype == np.float64:
                raise ParameterError(f"ease: l2={self.l2:g} is too small to factorize; raise it") from cause
            _log.warning("ease: float32 is too coarse for l2=%g (%s); solving in float64", self.l2, cause)
            del product
            inverse = self._inverse(self._gram(user_items, "float64"))
        diagonal = np.diag(inverse).copy()
        np.multiply(inverse, -1 / diagonal, out=inverse)
        np.fill_diagonal(inverse, 0)
        return inverse.astype(np.float32, copy=False), diagonal.astype(np.float32)

    def _gram(self, user_items: csr_array, dtype: str) -> NDArray[Any]:
        return gram(row_blocks(user_items, _USERS), user_items.shape[1], np.dtype(dtype))

    def _inverse(self, product: NDArray[Any]) -> NDArray[Any]:
        product.flat[:: len(product) + 1] += self.l2
        invert_in_place(product)
        return product

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The weights."""
        return self.weights_.arrays(), {}

    def restore(self, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""
        self.weights_ = DenseWeights.from_arrays(arrays)
