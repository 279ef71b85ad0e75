"""Team draft interleaving: one list of the items of two rankings, in which neither has an advantage.

Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval quality?", algorithm 2: as
two captains pick their teams. In each round a coin says who picks first; each takes its best item that is
not yet in the list. A click counts for the team of its item.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np

from isotherm.checks import whole

FIRST, SECOND = 0, 1  #: teams
NOBODY = -1  #: of an item that fills up the list once the other ranking has no more

Item = TypeVar("Item", bound=Hashable)


def team_draft(
    first: Sequence[Item], second: Sequence[Item], k: int, rng: np.random.Generator
) -> tuple[list[Item], list[int]]:
    """A list of at most k items of two rankings, and the team of each item: FIRST, SECOND or NOBODY.

    first, second: items, best first; an item that stands twice counts once. Give k items of each, and every
    item has a team. Once a ranking has no more, the list is filled up from the other with items of NOBODY: a
    team that gets more places gets more clicks, so these count for none.
    rng: where the coins come from, one a round.

    >>> import numpy as np
    >>> from isotherm.experiment.interleaving import team_draft
    >>> team_draft(["a", "b", "c"], ["b", "d", "a"], 3, np.random.default_rng(0))
    (['b', 'a', 'd'], [1, 0, 1])
    """
    k = whole("k", k, 1)
    teams: dict[Item, int] = {}
    rankings = (_Remaining(first, teams), _Remaining(second, teams))
    turn = None
    while len(teams) < k and all(ranking.any_left() for ranking in rankings):
        picked = int(rng.integers(2)) if turn is None else turn
        turn = 1 - picked if turn is None else None
        teams[rankings[picked].pop()] = picked
    for ranking in rankings:
        while len(teams) < k and ranking.any_left():
            teams[ranking.pop()] = NOBODY
    return list(teams), list(teams.values())


class _Remaining(Generic[Item]):
    """The items of a ranking that are not in the list yet, best first."""

    def __init__(self, ranking: Sequence[Item], listed: Mapping[Item, int]) -> None:
        self._ranking, self._listed, self._next = ranking, listed, 0

    def any_left(self) -> bool:
        while self._next < len(self._ranking) and self._ranking[self._next] in self._listed:
            self._next += 1
        return self._next < len(self._ranking)

    def pop(self) -> Item:
        """The best of them, where any is left."""
        return self._ranking[self._next]
