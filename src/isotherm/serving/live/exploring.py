"""A list whose places are drawn, so that the log tells what other lists would have got."""

import numpy as np

from isotherm.experiment.assignment import explored
from isotherm.experiment.plan import Exploration
from isotherm.ranking.topk import TopK
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.live.lists import best_items, holds_new
from isotherm.serving.live.requests import Rules
from isotherm.types import Bools, Int32, Scores

Draw = tuple[Rules, Exploration, np.random.Generator]


def explored_items(
    snapshot: Snapshot, scores: Scores, k: int, shown: Bools, draw: Draw
) -> tuple[TopK, list[float]]:
    """A list of one history, drawn from what it is without exploration and from the next best items; and the
    propensity of each item.

    scores: (1, n_items).  Where the rules hold the number of new items, a new one gives way to new ones, and
    another to others.
    """
    rules, exploration, rng = draw
    if rules.diversity == 0 and not holds_new(rules):
        candidates = best_items(snapshot, scores, max(exploration.pool, k), shown, rules).columns[0]
        n, group = min(k, len(candidates)), None
    else:
        best = best_items(snapshot, scores, k, shown, rules).columns[0]
        candidates = np.concatenate([best, _next_best(snapshot, scores, best, shown, (rules, exploration))])
        n, group = len(best), snapshot.cold[candidates] if holds_new(rules) else None
    drawn = explored(scores[0, candidates].astype(np.float64), n, exploration, rng, group)
    columns = candidates[drawn.chosen]
    return TopK(columns[None, :], scores[:, columns]), drawn.propensities.tolist()


def _next_best(
    snapshot: Snapshot, scores: Scores, best: Int32, shown: Bools, asked: tuple[Rules, Exploration]
) -> Int32:
    """What a list is filled up with to the number of items that are drawn from; of new items and of others so
    many each, where a list holds a number of them."""
    rules, exploration = asked
    sets = [shown & snapshot.cold, shown & ~snapshot.cold] if holds_new(rules) else [shown]
    n_more = max(exploration.pool - len(best), 0)
    tops = snapshot.model.rank(scores, min(len(best) + n_more, scores.shape[1]), sets)
    more = [top.columns[0] for top in tops]
    kept: Int32 = np.concatenate([each[(each >= 0) & ~np.isin(each, best)][:n_more] for each in more])
    return kept
