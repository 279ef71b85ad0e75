"""How high cold items should score beside warm ones, learned from the ranking of pseudo-cold items.

Warm scores do not depend on a factor of the cold ones, so one top-k list of each kind answers for every
factor at once. A cold score is a sum over the history, so it is lower where clicks and items are hidden: what
carries over to the model of all clicks is the factor in units of the ratio of warm to cold score levels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isotherm.kernels import kernel
from isotherm.linalg.csr import row_blocks
from isotherm.linalg.products import products
from isotherm.memory import users_per_block
from isotherm.progress import stage
from isotherm.ranking.metrics import ndcg, rank_hits
from isotherm.ranking.topk import TopK, hide, top_k
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Float64, Int32, Int64, ItemIndex, Scores, UserItems

K = 10
_GRID_POINTS = 161
_DECADES = 2.0  # to either side of 1
# standard deviation of the log of what is best for other items over what is best for hidden ones: a factor
# that is too low costs more than one that is too high
_MISSES = 0.25
_PLACES = _MISSES * (_GRID_POINTS - 1) / (2 * _DECADES * np.log(10))  # the same in points of the grid
_FARTHEST = 1e30  # ratio of levels, which float32 holds still


def top_items(
    histories: UserItems,
    weights: Float32,
    items: ItemIndex,
    hide_seen: bool = False,
    seen: UserItems | None = None,
) -> TopK:
    """The K best of ``items`` for each history by item-item weights, as columns of the catalogue.

    histories: (n_users, n_rows).  weights: (n_rows, n_columns).  items: (n_columns,) what the columns stand
    for.  hide_seen: leave out what a history holds; rows and columns are then the same items.
    seen: (n_users, n_columns) what else is left out.
    """
    weights = np.ascontiguousarray(weights)
    return top_items_by(lambda block: products(block, weights), histories, items, hide_seen, seen)


def top_items_by(
    score: Callable[[UserItems], Scores],
    histories: UserItems,
    items: ItemIndex,
    hide_seen: bool = False,
    seen: UserItems | None = None,
) -> TopK:
    """The same by any scores (n_users, n_columns) of a block of histories.

    seen: (n_users, n_columns) what else is left out.
    """
    columns, scores = [], []
    size = users_per_block(histories.shape[1])
    with stage("rank", histories.shape[0], "users") as advance:
        for number, block in enumerate(row_blocks(histories, size)):
            block_scores = np.ascontiguousarray(score(block))
            if hide_seen:
                hide(block_scores, block)
            if seen is not None:
                hide(block_scores, seen[number * size : number * size + len(block_scores)])
            top = best_of(block_scores, items)
            columns.append(top.columns)
            scores.append(top.scores)
            advance(len(block_scores))
    return TopK(np.concatenate(columns), np.concatenate(scores))


def best_of(scores: Scores, items: ItemIndex) -> TopK:
    """The K best columns of scores (n_users, n_columns), C order, as the ``items`` that they stand for."""
    top = top_k(scores, min(K, scores.shape[1]))
    return TopK(np.where(top.columns < 0, -1, items[top.columns]).astype(np.int32), top.scores)


@dataclass(frozen=True)
class ColdScale:
    """A factor of cold scores.

    relative: in units of ``WarmAndCold.level_ratio``.  ndcg: ndcg@10 over all candidates under it, and under
    those that it may turn out to be.
    """

    relative: float
    ndcg: float


@dataclass(frozen=True)
class WarmAndCold:
    """The K best warm and the K best cold items of the same users.

    >>> import numpy as np
    >>> from isotherm.models.cold_start.calibration import WarmAndCold
    >>> from isotherm.ranking.topk import TopK
    >>> warm = TopK(np.array([[0], [1]], dtype=np.int32), np.array([[6], [2]], dtype=np.float32))
    >>> cold = TopK(np.array([[7], [7]], dtype=np.int32), np.array([[1], [1]], dtype=np.float32))
    >>> WarmAndCold(warm, cold).level_ratio()
    4.0
    """

    warm: TopK
    cold: TopK

    def level_ratio(self) -> float:
        """Median score of the best warm items over that of the best cold ones; 1 where either is 0."""
        warm, cold = self.warm.scores[:, 0], self.cold.scores[:, 0]
        both = np.isfinite(warm) & np.isfinite(cold)  # some users have seen every warm item
        if not both.any():
            return 1.0
        warm_level, cold_level = (float(np.median(np.abs(scores[both]))) for scores in (warm, cold))
        if not warm_level or not cold_level:
            return 1.0
        return float(np.clip(warm_level / cold_level, 1 / _FARTHEST, _FARTHEST))

    def scaled(self, factors: Float32 | np.float32) -> "WarmAndCold":
        """The same with cold scores times one factor, or times those of the users, (n_users, 1)."""
        return WarmAndCold(self.warm, TopK(self.cold.columns, factors * self.cold.scores))

    def merged_columns(self) -> Int32:
        """The K best of both kinds, (n_users, K), scores taken as they are; -1 where there are no more."""
        columns = np.concatenate([self.warm.columns, self.cold.columns], axis=1)
        return np.asarray(np.take_along_axis(columns, self._order(), axis=1))

    def cold_share(self) -> float:
        """The share of cold items in these lists."""
        return float((self._order() >= self.warm.columns.shape[1]).mean())

    def _order(self) -> Int64:
        scores = np.concatenate([self.warm.scores, self.cold.scores], axis=1)
        return np.argsort(-scores, axis=1, kind="stable")[:, :K]

    def ndcg(self, targets: UserItems) -> float:
        """ndcg@10 over all candidates, scores taken as they are; targets: hidden clicks of the users."""
        return float(self._ndcgs(targets, np.ones(1))[0])

    def best_scale(self, targets: UserItems) -> ColdScale:
        """The factor of cold scores with the best ndcg@10 over all candidates, ``_MISSES`` counted in."""
        return common_scale([(self, targets)])

    def scale_ndcgs(self, targets: UserItems, grid: Float64) -> Float64:
        """ndcg@10 over all candidates by factor, in units of the level ratio, (len(grid),)."""
        return self._ndcgs(targets, grid * self.level_ratio())

    def _ndcgs(self, targets: UserItems, factors: Float64) -> Float64:
        """ndcg@10 of both lists merged, cold scores taken each of ``factors`` times, (n_factors,)."""
        n_targets = np.diff(targets.indptr)
        hits = [rank_hits(top.columns, targets) for top in (self.warm, self.cold)]
        gains = 1 / np.log2(np.arange(2, K + 2))
        ideals = np.cumsum(gains)[np.minimum(K, n_targets) - 1]
        by_user = np.empty((len(n_targets), len(factors)))
        run_bands(
            _merged_ndcgs, len(by_user), self.warm.scores, self.cold.scores, *hits,
            factors.astype(np.float32), gains, ideals, by_user, smallest=64,
        )  # fmt: skip
        return np.asarray(by_user.mean(axis=0))


def common_scale(draws: Sequence[tuple[WarmAndCold, UserItems]]) -> ColdScale:
    """The factor that is best for several draws of hidden items, each its lists and targets, in the mean."""
    grid = np.logspace(-_DECADES, _DECADES, _GRID_POINTS)
    mean = np.mean([lists.scale_ndcgs(targets, grid) for lists, targets in draws], axis=0)
    ndcgs = _blurred(mean, _PLACES)
    best = np.flatnonzero(ndcgs >= ndcgs.max() * (1 - 1e-6))
    middle = best[len(best) // 2]
    return ColdScale(float(grid[middle]), float(ndcgs[middle]))


def _blurred(values: Float64, width: float) -> Float64:
    """Means of (n,) values by normal weights of that standard deviation, in places; the ends go on."""
    reach = int(4 * width) + 1
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), weights / weights.sum(), mode="valid")


@kernel
def _merged_ndcgs(
    first: int,
    last: int,
    warm: Array,
    cold: Array,
    warm_hits: Array,
    cold_hits: Array,
    factors: Array,
    gains: Array,
    ideals: Array,
    out: Array,
) -> None:
    """Both lists are sorted; a warm item comes before a cold one of the same score."""
    n_warm, n_cold = warm.shape[1], cold.shape[1]
    for u in range(first, last):
        for f in range(len(factors)):
            i, j, gained = 0, 0, 0.0
            for rank in range(min(len(gains), n_warm + n_cold)):
                if j == n_cold or (i < n_warm and warm[u, i] >= factors[f] * cold[u, j]):
                    if warm_hits[u, i]:
                        gained += gains[rank]
                    i += 1
                else:
                    if cold_hits[u, j]:
                        gained += gains[rank]
                    j += 1
            out[u, f] = gained / ideals[u]


def mean_ndcg(scores: Scores, targets: UserItems) -> float:
    """Mean ndcg@10 of (n_users, n_items) scores; users without targets do not count."""
    if not targets.nnz:
        return 0.0
    top = top_k(np.ascontiguousarray(scores), min(K, scores.shape[1]))
    return float(user_ndcgs(top.columns, targets).mean())


def user_ndcgs(columns: Int32, targets: UserItems) -> Float64:
    """ndcg@10 of lists (n_users, k) of the users who have targets."""
    n_targets = np.diff(targets.indptr)
    return np.asarray(ndcg(rank_hits(columns, targets), n_targets, K)[n_targets > 0])


def surely_at_least(ndcgs: Float64, reference: Float64, share: float, errors: float = 2.0) -> bool:
    """Whether the mean is at least this share of the reference's, some standard errors held back.

    Both (n_users,) of the same users: what counts is the error of their differences.  errors: how many.
    """
    gains = ndcgs - share * reference
    changes = ndcgs - reference
    return float(gains.mean()) >= errors * float(changes.std() / np.sqrt(len(changes)))
