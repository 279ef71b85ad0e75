"""Chooses iALS's penalty and the weight of cells without a click by how well they rank hidden clicks.

From 0.01 and 0.1 mean clicks, the weight by steps of 2, then the penalty, then both in opposite directions,
each until both values beside it rank worse, and all once more. The third is for ridges of the ranking: where
few cells hold a click, the penalty of a row is λ·w times their number, so what is near the best lies along
one product of both; there only what is clearly better counts. A pair of values is a training on what is left
of the clicks; users are folded in by it. What ranks no better changes nothing.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

import numpy as np

from isotherm.linalg.csr import column_counts, select_columns, take_rows
from isotherm.models.choice.climb import climbed
from isotherm.models.choice.hidden_clicks import HiddenClicks
from isotherm.progress import stage
from isotherm.state import Plain
from isotherm.streams import stream
from isotherm.types import Scores, UserItems
from isotherm.untrusted import Number, numbers

_STEPS = range(-6, 7)
_MOST_CLICKS = 1_000_000  # that are trained on to learn: those of a sample of users


@dataclass(frozen=True)
class Regularization:
    """l2: λ.  unobserved_weight: w."""

    l2: float = 0.01
    unobserved_weight: float = 0.1

    @classmethod
    def usual(cls, user_items: UserItems, exponent: float) -> "Regularization":
        """Where nothing can be learned from clicks (n_users, n_items).

        w is in units of the mean click, λ of its power 1 − ν: clicks that all weigh twice as much give the
        same factors.  exponent: ν.
        """
        unit = float(user_items.data.mean(dtype=np.float64))
        return cls(cls.l2 * unit ** (1 - exponent), cls.unobserved_weight * unit)

    @classmethod
    def declared(cls, name: str) -> Plain:
        """What a saved model holds of it."""
        return Plain(name, numbers(cls, Number(above=0)), asdict, lambda given: cls(**given))

    def learned_settings(self, model: object, name: str) -> dict[str, float]:
        """What is "auto" among a model's settings.  name: of the attribute that holds this."""
        learned = [field for field in asdict(self) if getattr(model, field, None) == "auto"]
        return {f"{name}.{field}": float(getattr(self, field)) for field in learned}


#: from what is left of the clicks, and the kept clicks of some users, to scores of these
Trained = Callable[[Regularization, UserItems, UserItems], Scores]


def learn_regularization(
    user_items: UserItems,
    l2: float | str,
    unobserved_weight: float | str,
    scores: Trained,
    seed: int,
    usual: Regularization,
) -> Regularization:
    """What the settings say, and for "auto" what ranks best.

    user_items: (n_users, n_items).  scores: trains, and folds users in.  usual: where the search begins.
    """
    penalty = usual.l2 if isinstance(l2, str) else l2
    weight = usual.unobserved_weight if isinstance(unobserved_weight, str) else unobserved_weight
    rng = stream(seed, "hidden clicks")
    sample = _some_users(user_items, rng)
    hidden = HiddenClicks.of_some_users(sample, rng)
    if hidden is None:
        return Regularization(penalty, weight)
    left = hidden.without(sample)

    def ndcg(of_penalty: int, of_weight: int) -> float:
        tried = Regularization(penalty * 2.0**of_penalty, weight * 2.0**of_weight)
        found = scores(tried, left, hidden.kept)
        return hidden.ndcg_of(found) if np.isfinite(found).all() else 0.0

    with stage("choose the penalty and the weight of cells without a click on hidden clicks"):
        search = _Search(ndcg)
        search.climb(isinstance(l2, str), isinstance(unobserved_weight, str))
    return Regularization(penalty * 2.0**search.penalty, weight * 2.0**search.weight)


class _Search:
    """Steps of 2 from the usual penalty and weight.  ndcg: by both, (penalty, weight)."""

    def __init__(self, ndcg: Callable[[int, int], float]) -> None:
        self._ndcg = cache(ndcg)
        self.penalty = self.weight = 0

    def climb(self, learns_penalty: bool, learns_weight: bool) -> None:
        """To what ranks best nearby: along each of what is learned, and along both."""
        for _ in range(2):
            if learns_weight:
                self.weight = climbed(self.weight, _STEPS, lambda step: self._ndcg(self.penalty, step))
            if learns_penalty:
                self.penalty = climbed(self.penalty, _STEPS, lambda step: self._ndcg(step, self.weight))
            if learns_penalty and learns_weight:
                both = self.penalty + self.weight
                within = [step for step in _STEPS if both - step in _STEPS]
                self.weight = climbed(self.weight, within, partial(self._traded, both), _clearly_better)
                self.penalty = both - self.weight

    def _traded(self, both: int, weight: int) -> float:
        return self._ndcg(both - weight, weight)


def _clearly_better(ndcg: float, other: float) -> bool:
    """Along a ridge the least of noise would lead far."""
    return ndcg > 1.01 * other


def _some_users(user_items: UserItems, rng: np.random.Generator) -> UserItems:
    """All, or so many that their clicks are quickly trained on; and the items that they have."""
    if user_items.nnz <= _MOST_CLICKS:
        return user_items
    n_users = user_items.shape[0]
    users = np.sort(rng.permutation(n_users)[: max(1, n_users * _MOST_CLICKS // user_items.nnz)])
    sample, _ = take_rows(user_items, users)
    return select_columns(sample, np.flatnonzero(column_counts(sample)))
