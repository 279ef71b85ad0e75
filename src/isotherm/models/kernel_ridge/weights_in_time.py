"""Chooses at cuts in time how far the weights of the taste kernel are trusted where items come last.

Weights are learned on items that are left out one by one, each with its neighbours in time around it. What is
new in life has none: a number like the year, which says most there, says little among the items of one year.
So at each cut the weights as learned, equal ones and those halfway rank the items that came after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isotherm.models.kernel_ridge.columns import Scales
from isotherm.models.kernel_ridge.kernel_weights import KernelWeights, towards_equal
from isotherm.models.kernel_ridge.learning_sample import LearningSample
from isotherm.models.kernel_ridge.tuner import FullFit, KeptModel, Tuner
from isotherm.progress import Advance, stage

SHARES = (0.0, 0.5, 1.0)  #: of the way to equal weights
_HOW = {0.0: "as learned", 0.5: "halfway to equal", 1.0: "equal"}
_RIDGES = (0.5, 2.0)  # r
_EXACT_ITEMS, _LANDMARKS = 3_000, 1_500  # a ranking is compared, not shown: landmarks do
_BETTER = 1.01  # by which a ranking must be better than that by weights nearer to the learned ones


@dataclass(frozen=True)
class WeightsInTime:
    """What was chosen.

    weights: the kernels.  share: of the way to equal weights.  ndcgs: by share, the mean ndcg@10 of the items
    that came after the cuts, among themselves.
    """

    weights: KernelWeights
    share: float
    ndcgs: Sequence[float]

    def __str__(self) -> str:
        measured = ", ".join(f"{_HOW[share]} {n:.3f}" for share, n in zip(SHARES, self.ndcgs, strict=True))
        return f"the fields' weights are {_HOW[self.share]}; ndcg@10 of the items that came last: {measured}"


def candidates(learned: KernelWeights, sample: LearningSample) -> Sequence[KernelWeights]:
    """The weights that are compared, by ``SHARES``.  sample: what they were learned on."""
    return [learned, *(towards_equal(learned, sample, share) for share in SHARES[1:])]


def choose_in_time(tried: Sequence[KernelWeights], full: FullFit, cuts: Sequence[KeptModel]) -> WeightsInTime:
    """Those of the ``candidates`` that rank best what came after the cuts, of which there is one at least.

    full: its ridges are replaced.
    """
    n_rankings = len(tried) * len(cuts) * len(_RIDGES)
    with stage("validate the fields' weights at cuts in time", n_rankings, "rankings") as advance:
        ndcgs = [_ndcg(weights, full, cuts, advance) for weights in tried]
    best = 0
    for i in range(1, len(tried)):
        if ndcgs[i] > _BETTER * ndcgs[best]:
            best = i
    return WeightsInTime(tried[best], SHARES[best], ndcgs)


def _ndcg(weights: KernelWeights, full: FullFit, cuts: Sequence[KeptModel], advance: Advance) -> float:
    """ndcg@10 of the users after all cuts, with r, a and b that suit these weights best."""
    scales = Scales(
        inverse_temperature=weights.inverse_temperature, popularity_weight=weights.popularity_weight
    )
    ridges = replace(
        full.ridges,
        taste_weights=weights.taste,
        popularity_weights=weights.popularity,
        exact_items=min(full.ridges.exact_items, _EXACT_ITEMS),
        landmarks=min(full.ridges.landmarks, _LANDMARKS),
        shared_taste=None,
        shared_popularity=None,
    )
    tuners = [Tuner(replace(full, ridges=ridges), cut) for cut in cuts]
    ndcgs = []
    for tuner in tuners:
        ndcgs.append([tuner.ndcg_by_mixture(scales, ridge) for ridge in _RIDGES])
        advance(len(_RIDGES))
    users = [tuner.n_new_item_users for tuner in tuners]
    return float(np.average(ndcgs, axis=0, weights=users).max())
