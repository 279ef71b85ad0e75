"""EASE's weights without any of an item on itself: what taste is learned from.

A target of the taste regression says what a user's other clicks think of an item: B°, whose diagonal is 0. A
relaxed diagonal (``penalties``) leaves B_jj up to ξ, and the click itself would stand in its target. Both are
I − P·diag(m) by the same P, with 1/P_jj for m_j in B°, so that

    B°_ij = B_ij / (1 − B_jj), i ≠ j.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.linalg.accelerator import dense_product
from isotherm.linalg.csr import rows_of
from isotherm.types import Float32, ItemIndex, ItemWeights, Scores, UserItems


@dataclass(frozen=True, eq=False)
class Unrelaxed:
    """B° of some items, from what B has of them.

    own: (n,) B_jj.

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.kernel_ridge.unrelaxed import Unrelaxed
    >>> weights = np.float32([[0.2, 0.4], [0.8, 0]])
    >>> one = np.eye(2, dtype=np.float32)
    >>> Unrelaxed.of(weights).scores(one @ weights, csr_array(one))
    array([[0. , 0.4],
           [1. , 0. ]], dtype=float32)
    >>> Unrelaxed.of(weights).times(weights, one)
    array([[0. , 0.4],
           [1. , 0. ]], dtype=float32)
    """

    own: Float32

    @classmethod
    def of(cls, weights: ItemWeights) -> "Unrelaxed":
        """weights: B, (n, n)."""
        return cls(np.diag(weights).copy())

    def take(self, items: ItemIndex) -> "Unrelaxed":
        """Of some of the items."""
        return Unrelaxed(self.own[items])

    def scores(self, scores: Scores, histories: UserItems) -> Scores:
        """x·B°, in place of x·B.  scores: (n_users, n).  histories: x, on the same items."""
        if self.own.any():
            scores[rows_of(histories), histories.indices] -= histories.data * self.own[histories.indices]
            scores /= 1 - self.own
        return scores

    def times(self, weights: ItemWeights, rows: Float32, places: ItemIndex | None = None) -> ItemWeights:
        """B°·Z.  rows: (n, m) of Z.  weights: the columns of B that meet them.

        places: the rows of B that the n items are; None where they are all of them.
        """
        if not self.own.any():
            return dense_product(weights, rows)
        scaled = rows / (1 - self.own)[:, None]
        product = dense_product(weights, scaled)
        scaled *= self.own[:, None]
        product[slice(None) if places is None else places] -= scaled
        return product
