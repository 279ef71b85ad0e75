"""Chooses at cuts in time between μ as learned (MARec, eq. 5) and a fit of fewer freedoms.

μ is learned on the columns of all items of the past. A weight below 0, mostly of a pair of fields against
another's, predicts those and need not carry over to the items of the next days. So at each cut X·G, what
metadata says of the items that came after it (eq. 6), ranks them by μ as learned, and by μ halfway to the fit
in which no weight is below 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.linalg.csr import select_columns
from isotherm.models.cold_start.calibration import mean_ndcg
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.marec.field_weights import NormalEquations
from isotherm.models.marec.similarity import WeightedSimilarity
from isotherm.ranking.topk import hide
from isotherm.types import Float64

_BETTER = 1.01  # by which a ranking must be better than that of a fit that comes before


@dataclass(frozen=True, eq=False)
class FittedWeights:
    """μ, (n_terms,), and how it was fitted."""

    importance: Float64
    how: str


@dataclass(frozen=True, eq=False)
class WeightsInTime:
    """What was chosen.

    tried: the fits.  ndcgs: of each, the mean ndcg@10 of the items that came after the cuts, among these.
    """

    chosen: FittedWeights
    tried: Sequence[FittedWeights]
    ndcgs: Sequence[float]

    def __str__(self) -> str:
        measured = ", ".join(f"{fit.how} {n:.3f}" for fit, n in zip(self.tried, self.ndcgs, strict=True))
        return f"the fields' weights are {self.chosen.how}; ndcg@10 of the items that came last: {measured}"


def candidates(equations: NormalEquations, non_negative: bool) -> Sequence[FittedWeights]:
    """The fits that are compared; one where all weights are held at or above 0 anyway (``non_negative``)."""
    learned = FittedWeights(equations.solve(non_negative), "as learned")
    if non_negative:
        return [learned]
    halfway = (learned.importance + equations.solve(non_negative=True)) / 2
    return [learned, FittedWeights(halfway, "halfway to none below 0")]


def choose_in_time(
    tried: Sequence[FittedWeights],
    similarity: MetadataSimilarity,
    encoded: EncodedItems,
    cuts: Sequence[PseudoColdSplit],
) -> WeightsInTime:
    """The fit that ranks best what came after the cuts, of which there is one at least.

    encoded: the warm items, from which the cuts are.
    """
    ndcgs = np.zeros(len(tried))
    n_users = 0
    for cut in cuts:
        index = similarity.index(encoded.take(cut.kept_items))
        hidden = encoded.take(cut.hidden_items)
        targets = select_columns(cut.targets, cut.hidden_items)
        users = int(np.count_nonzero(np.diff(targets.indptr)))
        for i, fit in enumerate(tried):
            scores = cut.histories @ WeightedSimilarity(index, fit.importance).rows(hidden).T
            hide(scores, cut.known_hidden)
            ndcgs[i] += users * mean_ndcg(scores, targets)
        n_users += users
    ndcgs /= max(n_users, 1)
    best = 0
    for i in range(1, len(tried)):
        if ndcgs[i] > _BETTER * ndcgs[best]:
            best = i
    return WeightsInTime(tried[best], tried, ndcgs.tolist())
