"""MARec on item-item weights: EASE (eq. 9) and weighted SLIM (eq. 10-11), exactly, by their structure.

With A = C(I + αGD) + λI and P = A⁻¹ the weights of eq. 9 are Θ = I − P·diag(P)⁻¹. D is not zero on few
columns:

* never clicked (cold) items, d = β: the warm block is plain EASE's, and the cold column of item j is
  αβ·O·g_j with O = P·C on the warm items and g_j its metadata similarities to them;
* rarely clicked items S, 0 < d < β: by Woodbury P = Q − L·Q_S with Q = (C + λI)⁻¹, V = αC·G_S·D_S and
  L = QV(I + (QV)_S)⁻¹; then O = I − λP − L·E_S, where E_S picks the rows of S.

So a new item is one product with O, and a score of it is split exactly over fields: scoreⱼ = αβ·(Oᵀx)·g_j.

A cold column of weighted SLIM is the same with λ₁/w₁ for λ: nobody clicked the item, so that all users weigh
w₁. Its clicked columns are solved one by one behind the same P (see ``slim``).
"""

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.csr import select_columns
from isotherm.linalg.products import products
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.linear.slim import SLIM, AlignedColumns
from isotherm.models.marec.backbones.base import Alignment, OnWeights, Rehearsal, learned_beta
from isotherm.models.marec.cold_operator import AlignmentOperator
from isotherm.progress import stage
from isotherm.state import Dense, Field, Inner, Plain
from isotherm.types import Float32, Int64
from isotherm.untrusted import Number


class _Linear(OnWeights):
    """Warm weights of the backbone's own, cold columns through the operator O."""

    operator: AlignmentOperator
    alpha: float
    _warm: Float32  #: Θ of the warm items

    learned: tuple[Field, ...] = (
        Plain("alpha", Number(above=0)),
        Inner("weights", DenseWeights.empty, {"n_rows": "n_warm"}),
        Inner("operator", lambda linear, _: AlignmentOperator.empty(linear._l2()), {"n": "n_warm"}),
    )

    def restored(self) -> None:
        """The first group of the weights is the warm block."""
        self._warm = self.weights.warm

    def fit(
        self,
        data: Alignment,
        beta: float | None,
        chosen_by: Rehearsal | float | None,
        gram: Float32,
    ) -> float:
        """Train; β is learned before the rare columns are aligned, which depend on it."""
        self._plain(data.user_items, data.alpha, gram)
        if beta is None:
            beta = 1.0 if chosen_by is None or isinstance(chosen_by, Rehearsal) else chosen_by
            if isinstance(chosen_by, Rehearsal):
                with stage("choose beta on pseudo-cold items"):
                    smaller = type(self)(self.backbone)
                    smaller._plain(chosen_by.pseudo.kept_clicks, data.alpha)
                    beta = learned_beta(self, smaller, chosen_by, data.user_items)
        if len(data.rare):
            strength = np.float32(data.alpha * beta) * data.falling
            self._align(data.user_items, data.rare, data.rare_rows * strength[:, None])
        return beta

    def _plain(self, user_items: csr_array, alpha: float, gram: Float32 | None = None) -> None:
        """Without rare items."""
        raise NotImplementedError

    def _align(self, user_items: csr_array, rare: Int64, aligned: Float32) -> None:
        """With them; aligned: αD_S·G_S, (s, n_warm)."""
        raise NotImplementedError

    def columns(self, rows: Float32, features: csr_array | None = None) -> Float32:
        """αO·g of each row."""
        found: Float32 = np.float32(self.alpha) * self.operator.columns(rows)
        return found

    def warm_scores(self, user_items: csr_array) -> Float32:
        """x·Θ."""
        return products(user_items, self._warm)

    def cold_scores(self, user_items: csr_array, columns: Float32) -> Float32:
        """x times the columns."""
        return products(user_items, columns.T)

    def place(self, n_items: int, warm: Int64) -> None:
        """The warm block at the columns ``warm``."""
        self.weights = DenseWeights.among(n_items, warm, self._warm)

    def carried(self, history: csr_array) -> Float32:
        """αOᵀx."""
        clicked = select_columns(history, self.weights.rows).toarray().ravel().astype(np.float32)
        carried: Float32 = np.float32(self.alpha) * self.operator.smoothed_history(clicked)
        return carried

    def _l2(self) -> float:
        """λ of the operator."""
        raise NotImplementedError


class AlignedEASE(_Linear):
    """Eq. 9."""

    backbone: EASE

    def restored(self) -> None:
        """The operator's weights are those of the model."""
        super().restored()
        self.operator.weights = self._warm

    def _plain(self, user_items: csr_array, alpha: float, gram: Float32 | None = None) -> None:
        self.alpha = alpha
        self.operator = AlignmentOperator.plain(self.backbone.solve(user_items, gram))
        self._warm = self.operator.weights

    def _align(self, user_items: csr_array, rare: Int64, aligned: Float32) -> None:
        self.operator = self.operator.with_rare(rare, aligned)
        self._warm = self.operator.weights

    def _l2(self) -> float:
        return float(self.backbone.l2)


class AlignedSLIM(_Linear):
    """Eq. 10-11."""

    backbone: SLIM

    learned = (*_Linear.learned, Dense("shared", np.float32, ("n_warm", "n_warm")))

    @property
    def shared(self) -> Float32:
        """The operator's weights, which are not the model's here."""
        return self.operator.weights

    @shared.setter
    def shared(self, weights: Float32) -> None:
        self.operator.weights = weights

    def _plain(self, user_items: csr_array, alpha: float, gram: Float32 | None = None) -> None:
        self.alpha = alpha
        self.operator = AlignmentOperator.plain(self.backbone.ridge_inverse(user_items, gram))
        self._warm = self.backbone.solve_columns(user_items, self.operator.inverse)

    def _align(self, user_items: csr_array, rare: Int64, aligned: Float32) -> None:
        self.operator = self.operator.with_rare(rare, aligned)
        self._warm = self.backbone.solve_columns(
            user_items, self.operator.inverse, AlignedColumns(rare, aligned)
        )

    def _l2(self) -> float:
        return float(self.backbone.l2 / self.backbone.nonclick_weight)
