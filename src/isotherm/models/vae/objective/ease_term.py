"""A linear path beside the network: logits + c · x B, with EASE's weights B and one number c.

A VAE squeezes a user through a few hundred numbers; EASE (Steck 2019) keeps every pair of items. The two err
differently, and their sum ranks better than either. B is fitted on the users that the network is trained on;
c is the value that ranks the validation users best. It costs one items × items matrix, one product a user.
"""

from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import above, at_least, is_text
from isotherm.linalg.csr import column_counts, select_columns
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.parameters import Part
from isotherm.state import Inner, Plain, Stateful
from isotherm.types import Float32
from isotherm.untrusted import Number

_WEIGHTS = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
_UNMEASURED = 10.0  # c where there is no validation


class Skip(Part):
    """What is added to the network's logits."""


class NoSkip(Skip):
    """Nothing: the network alone."""

    name: ClassVar[str] = "none"


class EASESkip(Skip):
    """c · x B with EASE's weights.

    l2: EASE's λ.  weight: c; "auto" chooses it on the validation users (10 where there are none).
    """

    name: ClassVar[str] = "ease"

    def __init__(self, *, l2: float = 1000.0, weight: float | str = "auto") -> None:
        self.l2 = above("skip.l2", l2, 0)
        self.weight = "auto" if is_text(weight, "auto") else at_least("skip.weight", weight, 0)

    def fitted(self, user_items: csr_array) -> DenseWeights:
        """B on the clicked items."""
        warm = np.flatnonzero(column_counts(user_items))
        weights = EASE(l2=self.l2).solve(select_columns(user_items, warm)).weights
        return DenseWeights.among(user_items.shape[1], warm, weights)


SKIPS: dict[str, type[Skip]] = {kind.name: kind for kind in (NoSkip, EASESkip)}


class LinearPath(Stateful):
    """A fitted skip: ``weights`` (B) and ``scale`` (c)."""

    learned = (Plain("scale", Number(least=0)), Inner("weights", DenseWeights.empty))

    def __init__(self, weights: DenseWeights, scale: float) -> None:
        self.weights, self.scale = weights, scale

    def add_to(self, logits: Float32, user_items: csr_array) -> Float32:
        """logits + c · x B, in place."""
        products = self.weights.scores(user_items)
        with np.errstate(over="ignore", invalid="ignore"):  # who trains looks whether scores are finite
            products *= np.float32(self.scale)
            logits += products
        return logits


def candidate_scales(skip: EASESkip, measured: bool) -> tuple[float, ...]:
    """The values of c to try, one where there is nothing to choose."""
    if skip.weight != "auto":
        return (float(skip.weight),)
    return _WEIGHTS if measured else (_UNMEASURED,)
