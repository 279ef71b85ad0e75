"""EASE (Steck 2019, eq. 8): item-item weights in closed form from the Gram matrix.

B = I − P·diag(P)⁻¹ with P = (XᵀX + λI)⁻¹. Items nobody clicked stay out of the solve. ``penalties`` tells of
three numbers beside λ that keep the closed form, ``auto`` how all four are chosen.

Collective EASE (Jeunen et al. 2020; MARec, eq. 8-9) also explains the items' features F (features × items) by
the same weights: P = (XᵀX + λ₀FᵀF + λI)⁻¹, and then an item without a click has weights too.
"""

import logging
from copy import copy
from dataclasses import asdict
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import at_least, auto_or_above, one_of, seeded
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.features.feature_stack import all_features
from isotherm.features.similarity import SparseProducts
from isotherm.linalg.cholesky import NotPositiveDefiniteError, invert_in_place
from isotherm.linalg.csr import row_blocks, select_columns
from isotherm.linalg.gram import gram
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.auto import learn_penalties
from isotherm.models.linear.item_weights import DenseWeights, ItemItem
from isotherm.models.linear.penalties import Asked, Penalized, Penalties, penalty_setting
from isotherm.progress import expect_stages, stage
from isotherm.state import Inner
from isotherm.types import Array, Float32, UserItems

_log = logging.getLogger(__name__)
_BAND = 1024  # item rows of FᵀF at a time
_USERS = 1 << 17  # a pass over this many users at a time touches each Gram row once


class EASE(Penalized, ItemItem):
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
        l2 (> 0 or auto; default auto): λ, the ridge penalty of every weight (Steck 2019, eq. 8); auto: what
            ranks clicks best that are hidden from some users.
        denoising (>= 0, auto or None; default None): a, the penalty of an item's weights in units of its
            squared clicks (EDLAE; Steck 2020): a = q / (1 - q) where a share q of the clicks is dropped;
            auto: chosen as l2 is; None: as l2, auto with it and else 0.
        user_power (in [0, 1], auto or None; default None): p, a user of n clicks weighs 1/nᵖ, scaled so that
            a click weighs 1 in the mean; auto and None as above.
        relaxation (in [0, 1), auto or None; default None): ξ, the most that an item's weight on itself may be
            (Moon et al. 2023); auto and None as above.
        collective (>= 0; default 0): λ₀, the weight of the items' features beside the clicks (MARec, eq. 8);
            above 0 it needs an item table, the solve is over all its items, and the three above are 0.
        dtype (float32 or float64; default float32): of the solve; float64 takes twice the memory and time,
            and is for a tiny λ. A float32 factorization that fails is done again in float64, and the log
            says so.
        seed (a whole number >= 0; default 0): of the hidden clicks.
    """

    name: ClassVar[str] = "ease"

    weights_: DenseWeights

    learned = (
        Inner("weights_", DenseWeights.empty),
        Penalties.declared("penalties_"),
    )

    def __init__(
        self,
        *,
        l2: float | str = "auto",
        denoising: float | str | None = None,
        user_power: float | str | None = None,
        relaxation: float | str | None = None,
        collective: float = 0.0,
        dtype: str = "float32",
        seed: int = 0,
    ) -> None:
        self.l2 = auto_or_above("l2", l2, 0)
        self.denoising = penalty_setting("denoising", denoising)
        self.user_power = penalty_setting("user_power", user_power)
        self.relaxation = penalty_setting("relaxation", relaxation)
        self.collective = at_least("collective", collective, 0)
        self.dtype = one_of("dtype", dtype, ("float32", "float64"))
        self.seed = seeded("seed", seed)
        if self.collective and any((self.denoising, self.user_power, self.relaxation)):
            raise ParameterError(
                "ease: collective above 0 goes with denoising, user_power and relaxation of 0 only"
            )

    def fit_memory(self, clicks: Interactions) -> float:
        n = clicks.n_items if self.collective else np.count_nonzero(clicks.item_clicks())
        return float(n) ** 2 * np.dtype(self.dtype).itemsize

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        # Gram matrix, inverse; features; penalties
        expect_stages(2 + bool(self.collective) + bool(self.asked.open))
        if self.collective:
            if items is None:
                raise ParameterError("ease: collective above 0 needs an item table: fit(clicks, items)")
            settled = self.settled(clicks.matrix)
            columns, gram_matrix = np.arange(clicks.n_items), self.gram(clicks.matrix, self.dtype)
            self.add_features(gram_matrix, all_features(items))
            inverse = settled.solve(clicks.matrix, gram_matrix)
        else:
            columns = np.flatnonzero(clicks.item_clicks())
            user_items = select_columns(clicks.matrix, columns)
            settled = self.settled(user_items)
            inverse = settled.solve(user_items)
        self.penalties_ = settled.penalties
        self.weights_ = DenseWeights.among(clicks.n_items, columns, inverse.weights)

    @property
    def asked(self) -> Asked:
        """What is given of λ, a, p and ξ."""
        others = (0.0,) * 3 if self.collective else (self.denoising, self.user_power, self.relaxation)
        return Asked.by_settings(self.l2, *others)

    def settled(self, user_items: UserItems) -> "EASE":
        """The same model with numbers for what is to be learned, from the clicks (n_users, n_items)."""
        if not self.asked.open:
            return self
        settled = copy(self)
        vars(settled).update(asdict(learn_penalties(user_items, self.asked, self.seed)))
        return settled

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

        gram_matrix: XᵀX where the caller has it, with λ₀FᵀF where there is one; may be overwritten by B.
        Raises ParameterError where λ is too small even for float64.
        """
        if self.asked.open:
            return self.settled(user_items).solve(user_items, gram_matrix)
        user_items = self.penalties.weighted(user_items)
        of_other_clicks = self.penalties.user_power > 0
        if gram_matrix is None or of_other_clicks or (self.dtype == "float64" and not self.collective):
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
        """(gram_matrix + Λ)⁻¹, in place."""
        ridge = self.penalties.ridge(np.diag(gram_matrix))
        gram_matrix.flat[:: len(gram_matrix) + 1] += ridge
        invert_in_place(gram_matrix)
        return RidgeInverse.of(gram_matrix, ridge, self.penalties.relaxation)
