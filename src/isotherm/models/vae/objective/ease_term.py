"""An EASE score beside the network: logits + c · x B, with EASE's weights B and one number c.

A VAE squeezes a user through a few hundred numbers; EASE (Steck 2019) keeps every pair of items. The two err
differently, and their sum ranks better than either. B is fitted on the users that the network is trained on;
c is the value that ranks the validation users best. It costs one items × items matrix, one product per user.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from isotherm.checks import at_least, auto_or_above, is_text
from isotherm.linalg.csr import column_counts, select_columns
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.parameters import Part
from isotherm.state import Inner, Plain, Stateful
from isotherm.types import Scores, UserItems
from isotherm.untrusted import Number

_CANDIDATES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)  # values of c
_UNMEASURED = 10.0  # c where there is no validation


class LogitTerm(Part, ABC):
    """What is added to the network's logits.  is_used: whether anything is."""

    is_used: ClassVar[bool]

    @abstractmethod
    def fitted(self, user_items: UserItems) -> DenseWeights | None:
        """The item-item weights B, or None where nothing is added."""

    @abstractmethod
    def candidate_scales(self, measured: bool) -> tuple[float, ...]:
        """The values of c to try, one where there is nothing to choose.

        measured: whether there is a validation to choose by.
        """


class NoEASETerm(LogitTerm):
    """Nothing: the network alone."""

    name: ClassVar[str] = "none"
    is_used = False

    def fitted(self, user_items: UserItems) -> None:
        """None."""

    def candidate_scales(self, measured: bool) -> tuple[float, ...]:
        """None."""
        return ()


class EASETerm(LogitTerm):
    """c · x B with EASE's weights B.

    >>> from scipy.sparse import csr_array
    >>> from isotherm import EASETerm, Interactions, MultVAE, Training
    >>> clicks = Interactions.from_csr(csr_array([[1, 1, 0], [1, 0, 1], [1, 1, 0]], dtype="float32"))
    >>> model = MultVAE(hidden=4, latent=2, ease_term=EASETerm(), training=Training(epochs=1))
    >>> model.fit(clicks).ease_term_.scale  # three users are too few to choose it on
    10.0

    Parameters:
        l2 (> 0 or auto; default auto): λ, EASE's ridge penalty (Steck 2019, eq. 8); auto: EASE learns this
            and its other penalties on hidden clicks.
        weight (>= 0 or auto; default auto): c; auto chooses it on the validation users (10 where there are
            none).
    """

    name: ClassVar[str] = "ease"
    is_used = True

    def __init__(self, *, l2: float | str = "auto", weight: float | str = "auto") -> None:
        self.l2 = auto_or_above("ease_term.l2", l2, 0)
        self.weight = "auto" if is_text(weight, "auto") else at_least("ease_term.weight", weight, 0)

    def fitted(self, user_items: UserItems) -> DenseWeights:
        """B on the clicked items."""
        warm = np.flatnonzero(column_counts(user_items))
        weights = EASE(l2=self.l2).solve(select_columns(user_items, warm)).weights
        return DenseWeights.among(user_items.shape[1], warm, weights)

    def candidate_scales(self, measured: bool) -> tuple[float, ...]:
        """``weight`` alone, or candidates for it."""
        if self.weight != "auto":
            return (float(self.weight),)
        return _CANDIDATES if measured else (_UNMEASURED,)


EASE_TERMS: dict[str, type[LogitTerm]] = {kind.name: kind for kind in (NoEASETerm, EASETerm)}


class FittedEASETerm(Stateful):
    """weights: B.  scale: c."""

    learned = (Plain("scale", Number(least=0)), Inner("weights", DenseWeights.empty))

    def __init__(self, weights: DenseWeights, scale: float) -> None:
        self.weights, self.scale = weights, scale

    def add_to(self, logits: Scores, user_items: UserItems) -> Scores:
        """logits + c · x B, in place."""
        products = self.weights.scores(user_items)
        with np.errstate(over="ignore", invalid="ignore"):  # who trains looks whether scores are finite
            products *= np.float32(self.scale)
            logits += products
        return logits
