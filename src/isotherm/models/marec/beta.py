"""How MARec's β is chosen: given, held from an earlier fit, or learned on pseudo-cold items.

β says how many clicks a prediction from metadata stands for (eq. 6), and so how high new items score.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from isotherm.models.cold_start.calibration import WarmAndCold, top_items_by
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.progress import stage
from isotherm.types import Scores, Similarities, UserItems


@dataclass(frozen=True)
class HiddenItems:
    """Warm items that are hidden and play new ones: what β is learned on.

    split: which items and clicks are hidden.  to_kept, to_warm: G (eq. 5) from the hidden items to those that
    are kept, (n_hidden, n_kept), and to all warm ones, (n_hidden, n_warm), 0 to itself.
    """

    split: PseudoColdSplit
    to_kept: Similarities
    to_warm: Similarities


class BetaChoice(ABC):
    """A way to choose β.  hidden: items that anything else may be chosen on, where there are some."""

    hidden: HiddenItems | None

    def for_training(self, natural: float) -> float:
        """β of the soft targets that a backbone is trained on: ``natural`` where β is chosen only then."""
        return natural

    @abstractmethod
    def choose(self, learn: Callable[[HiddenItems], float], default: float) -> float:
        """β of new items.

        learn: gives the β that ranks hidden items best.  default: the family's, where none can be hidden.
        """


@dataclass(frozen=True)
class GivenBeta(BetaChoice):
    """A hyper-parameter, for soft targets and new items alike."""

    beta: float
    hidden: HiddenItems | None = None

    def for_training(self, natural: float) -> float:
        """The same."""
        return self.beta

    def choose(self, learn: Callable[[HiddenItems], float], default: float) -> float:
        """The same."""
        return self.beta


@dataclass(frozen=True)
class HeldBeta(BetaChoice):
    """What an earlier fit has learned, so that a refit trains as that fit did."""

    beta: float
    hidden: None = None

    def choose(self, learn: Callable[[HiddenItems], float], default: float) -> float:
        """The earlier fit's."""
        return self.beta


@dataclass(frozen=True)
class LearnedBeta(BetaChoice):
    """What ranks hidden items best.  hidden: None where the log is too small to hide any."""

    hidden: HiddenItems | None

    def choose(self, learn: Callable[[HiddenItems], float], default: float) -> float:
        """Learned, or the default."""
        if self.hidden is None:
            return default
        with stage("choose beta on items treated as new"):
            return learn(self.hidden)


class UnitBetaScorer(Protocol):
    """A trained backbone before β is chosen: what it scores at β = 1."""

    def warm_scores(self, user_items: UserItems) -> Scores:
        """Scores (n_users, n_warm) of histories over the warm items."""

    def new_item_scorer(self, similarities: Similarities) -> Callable[[UserItems], Scores]:
        """From histories to the scores of new items, by their G to the warm ones, (n_new, n_warm)."""


def learned_beta(
    fitted: UnitBetaScorer, fitted_on_kept: UnitBetaScorer, hidden: HiddenItems, user_items: UserItems
) -> float:
    """β that ranks hidden items best among all, met again with all clicks (see ``calibration``).

    fitted: trained on all clicks, ``user_items`` (n_users, n_warm).  fitted_on_kept: trained without the
    hidden items and clicks.
    """
    split = hidden.split
    warm = top_items_by(fitted_on_kept.warm_scores, split.histories, split.kept_items, hide_seen=True)
    cold = top_items_by(fitted_on_kept.new_item_scorer(hidden.to_kept), split.histories, split.hidden_items)
    scale = WarmAndCold(warm, cold).best_scale(split.targets)
    histories, columns = user_items[split.test_users], np.arange(user_items.shape[1])
    warm = top_items_by(fitted.warm_scores, histories, columns, hide_seen=True)
    cold = top_items_by(fitted.new_item_scorer(hidden.to_warm), histories, split.hidden_items)
    return scale.relative * WarmAndCold(warm, cold).level_ratio()
