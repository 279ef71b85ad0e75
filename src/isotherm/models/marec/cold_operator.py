"""The operator αO = αP·C of MARec's eq. 9 on the warm items: from similarities to weight columns.

A never-clicked item with similarities g to the warm ones has the column αβ·O·g. With A = C(I + αGD) + Λ the
inverse of eq. 9 is P = A⁻¹. Where D is zero, P = Q = (C + Λ)⁻¹ and O = Q·C = I − QΛ. Where D is not zero on
the rare items S, Woodbury gives P = Q − L·Q_S, and

    O = P·C = I − PΛ − L·E_S,   E_S picks the rows S

What ranks new items best wants less of this smoothing than what ranks clicked ones: a smaller λ. A share t of
it is I − t(I − O): eq. 9 at t = 1, and at t = 0 what λ = 0 gives, similarities as they are. Between them it
ranks as a λ of the new items' own does (docs/penalties.md), with no second inverse to make and keep.
"""

from dataclasses import dataclass, replace

import numpy as np

from isotherm.linalg.ridge_inverse import RidgeInverse, woodbury_factor
from isotherm.types import Float32, ItemIndex, Similarities

_SPARSE = 0.02  # share of rare items with a similarity, below which only their columns of L are read


@dataclass(frozen=True)
class AlignmentOperator:
    """αO over n warm items; vectors are rows.

    alpha: α.  inverse: P, (n, n).  rare: S, (s,).  woodbury: L, (n, s) float32.  smoothing: t.
    """

    alpha: float
    inverse: RidgeInverse
    rare: ItemIndex
    woodbury: Float32
    smoothing: float = 1.0

    @classmethod
    def without_rare(cls, alpha: float, inverse: RidgeInverse) -> "AlignmentOperator":
        """From Q = (C + Λ)⁻¹: O = I − QΛ."""
        n = len(inverse.scale)
        return cls(alpha, inverse, np.empty(0, dtype=np.int64), np.empty((n, 0), dtype=np.float32))

    def with_rare(self, rare: ItemIndex, scaled: Similarities) -> "AlignmentOperator":
        """The operator once the columns S are aligned; this one, without any, is overwritten.

        rare: S, (s,).  scaled: αG_S·D_S as rows, (s, n): the similarities of S, times α and their d (eq. 6).
        """
        woodbury = woodbury_factor(self.inverse.smoothed(scaled).T, rare)  # of QV = Q·C·αG_S·D_S, (n, s)
        return replace(self, inverse=self.inverse.updated(rare, woodbury), rare=rare, woodbury=woodbury)

    def columns(self, similarities: Similarities) -> Float32:
        """αO·g of each row g, (n_new, n): weight columns of new items for β = 1, as rows."""
        smoothed = self.inverse.smoothed(similarities)
        if len(self.rare):
            to_rare, woodbury = similarities[:, self.rare], self.woodbury
            similar = np.flatnonzero(to_rare.any(axis=0))
            if len(similar) < _SPARSE * len(self.rare):
                to_rare, woodbury = to_rare[:, similar], woodbury[:, similar]
            smoothed -= to_rare @ woodbury.T
        return self._mixed(similarities, smoothed)

    def history_projection(self, clicked: Float32) -> Float32:
        """αOᵀ·x of one user's clicks x, (n,): a new item's score is β times its product with g."""
        smoothed = self.inverse.smoothed_by_transpose(clicked)
        smoothed[self.rare] -= clicked @ self.woodbury
        return self._mixed(clicked, smoothed)

    def _mixed(self, given: Float32, smoothed: Float32) -> Float32:
        """α times a share t of what is smoothed, and 1 − t of what it was.  smoothed: may be overwritten."""
        smoothed *= np.float32(self.alpha * self.smoothing)
        if self.smoothing < 1:
            smoothed += np.float32(self.alpha * (1 - self.smoothing)) * given
        return smoothed
