"""The list of one request: the model's order or a more varied one, and how many new items are in it."""

import numpy as np

from isotherm.errors import ParameterError
from isotherm.models.mmr import POOL
from isotherm.models.requests.scores import scores_or_popularity
from isotherm.ranking.mmr import rerank
from isotherm.ranking.topk import TopK, top_k_each
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.live.requests import Rules
from isotherm.types import Bools, Int32, Scores, UserItems


def scores_of(snapshot: Snapshot, histories: UserItems) -> tuple[Scores, Bools]:
    """(n, n_items) scores, and (n,) which are the items' numbers of clicks, as a history says nothing.

    Raises ParameterError where one is not finite.
    """
    scores, by_popularity = scores_or_popularity(snapshot.model, histories)
    if not np.isfinite(scores).all():
        raise ParameterError("history: its weights are too large for the model; give smaller ones")
    return scores, by_popularity


def best_items(snapshot: Snapshot, scores: Scores, k: int, shown: Bools, rules: Rules) -> TopK:
    """The list of one history, as long as there are items.  scores: (1, n_items).

    Where the list holds too few new items, the last of the others give way to the best new items; too many,
    the other way round.
    """
    k = min(k, scores.shape[1])
    wanted = [shown]
    if is_held := holds_new(rules):
        wanted += [shown & snapshot.cold, shown & ~snapshot.cold]
    lists = [_items_of(top) for top in _ranked(snapshot, scores, k, wanted, rules.diversity)]
    columns = _with_new(lists, snapshot.cold, k, rules) if is_held else lists[0]
    return TopK(columns[None, :], scores[:, columns])


def holds_new(rules: Rules) -> bool:
    """Whether the number of new items of a list is held."""
    return rules.cold_least > 0 or rules.cold_most is not None


def _ranked(snapshot: Snapshot, scores: Scores, k: int, wanted: list[Bools], diversity: float) -> list[TopK]:
    if diversity == 0:
        return snapshot.model.rank(scores, k, wanted)
    n_ranked = min(max(k, POOL), scores.shape[1])
    lists = []
    for top in top_k_each(scores, n_ranked, wanted):
        pool = TopK(top.columns[:, :POOL], top.scores[:, :POOL])
        chosen = rerank(pool, k, snapshot.directions, diversity, snapshot.mean_cosine).columns
        rest = top.columns[:, POOL:k]
        lists.append(TopK(np.hstack([chosen, rest]), top.scores))
    return lists


def _items_of(top: TopK) -> Int32:
    columns: Int32 = top.columns[0][top.columns[0] >= 0]
    return columns


def _with_new(lists: list[Int32], cold: Bools, k: int, rules: Rules) -> Int32:
    """The first of three lists (all, new, others) with as many new items as the rules say."""
    best, new, others = lists
    n_new = int(cold[best].sum())
    most = k if rules.cold_most is None else rules.cold_most
    if n_new < rules.cold_least:
        best = _exchanged(best, ~cold[best], new, rules.cold_least - n_new, k)
    elif n_new > most:
        best = _exchanged(best, cold[best], others, n_new - most, k, leave=True)
    return best


def _exchanged(best: Int32, can_leave: Bools, more: Int32, n: int, k: int, leave: bool = False) -> Int32:
    """A list whose last n items that can leave give way to the first of ``more`` that it does not hold.

    leave: whether they leave even where nothing takes their place.
    """
    coming = more[~np.isin(more, best)][:n]
    n_leaving = n if leave else max(0, len(best) + len(coming) - k)
    leaving = np.flatnonzero(can_leave)[::-1][:n_leaving]
    return np.concatenate([np.delete(best, leaving), coming])
