"""Taste: how likely a viewer clicks a title, fitted on real clicks by factors of users and titles (iALS)."""

from dataclasses import dataclass

import numpy as np

from isotherm.experiment.practice.titles import Titles
from isotherm.models.factorization.ials import IALS
from isotherm.types import Float32

_FACTORS, _L2, _UNOBSERVED = 32, 0.01, 0.1  # of the factors; they make affinities of 0 to 1
_LEAST, _SLOPE = -3.6, 4.6  # logit of a click on a title without and with all affinity


@dataclass(frozen=True, eq=False)
class Taste:
    """Factors of real users and of all titles: affinity is their product.

    users: (n_users, d).  titles: (n_items, d); zero where nobody ever clicked a title.
    """

    users: Float32
    titles: Float32

    @classmethod
    def fitted(cls, titles: Titles) -> "Taste":
        """On all real clicks, also those on new titles: viewers like them before any model knows them."""
        model = IALS(factors=_FACTORS, l2=_L2, unobserved_weight=_UNOBSERVED).fit(
            titles.clicks, verbose=False
        )
        factors = np.zeros((len(titles), _FACTORS), dtype=np.float32)
        factors[model.columns_] = model.item_factors_
        return cls(np.asarray(model.user_vectors(titles.clicks.matrix), dtype=np.float32), factors)

    def chances(self, viewers: Float32) -> Float32:
        """(n, n_items) how likely viewers with such factors click each title in the first place of a list.

        viewers: (n, d).
        """
        return np.asarray(1 / (1 + np.exp(-(_LEAST + _SLOPE * (viewers @ self.titles.T)))), dtype=np.float32)
