"""The reconstruction loss: what the network is to explain of a user's clicks.

The multinomial likelihood of all of them (Liang et al. 2018), or the squared error of what the mask hides:
a network that is not asked for what it sees cannot do with copying it (EDLAE; Steck 2020).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor

from isotherm.checks import at_least
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.last_layer import LastLayer
from isotherm.models.vae.network.softmax import log_likelihoods
from isotherm.models.vae.network.squared_error import squared_errors
from isotherm.parameters import Part


@dataclass(frozen=True)
class Shown:
    """What the encoder saw of a batch's clicks.

    keep: (n_items,) chance with which a click is shown.  kept: (n_clicks,) bool, whether it was.
    """

    keep: Tensor
    kept: Tensor


class Losses(NamedTuple):
    """reconstruction: (n_users,).  soft_log_likelihood: (n_users,) of soft targets, where there are some."""

    reconstruction: Tensor
    soft_log_likelihood: Tensor | None


class ReconstructionLoss(Part, ABC):
    """The loss between a user's clicks and the network's logits.

    of_hidden: whether it is of what the mask hides, and so needs one, and takes no soft targets.
    """

    of_hidden: ClassVar[bool]

    @abstractmethod
    def of(
        self, hidden: Tensor, last: LastLayer, clicks: Batch, shown: Shown | None, soft: Batch | None
    ) -> Losses:
        """Of each user.

        hidden: the decoder's last hidden layer, (n_users, width).  clicks: clean.  shown: None where the
        encoder saw all of them.  soft: soft targets beside the clicks, or None.
        """


class Multinomial(ReconstructionLoss):
    """−Σ_j x_j log π_j of all clicks, shown or hidden (Liang et al. 2018, eq. 2)."""

    name: ClassVar[str] = "multinomial"
    of_hidden = False

    def of(
        self, hidden: Tensor, last: LastLayer, clicks: Batch, shown: Shown | None, soft: Batch | None
    ) -> Losses:
        """And the log-likelihood of the soft targets."""
        targets = [clicks] if soft is None else [clicks, soft]
        found = log_likelihoods(hidden, last, targets)
        return Losses(-found[:, 0], None if soft is None else found[:, 1])


class SquaredError(ReconstructionLoss):
    """Σ_j c_j (x_j − y_j)² / n^p of the logits y, n the sum of the user's clicks.

    c is 0 on a click that the mask shows: it is no target. It is 1/(1 − ρ) on one that it hides, ρ the chance
    to be shown, so that each click counts 1 on average, and ``unclicked_weight`` on all other items. With the
    weight 1, p = 0 and a linear network this is EDLAE (Steck 2020), whose optimum is EASE's with a penalty
    that grows with an item's clicks. It needs a mask that hides something.

    >>> from isotherm import MultDAE, SquaredError
    >>> MultDAE(reconstruction=SquaredError(unclicked_weight=0.3)).reconstruction
    SquaredError(unclicked_weight=0.3, user_power=0.25)

    Parameters:
        unclicked_weight (>= 0; default 0.5): the weight of an item that the user did not click.
        user_power (>= 0; default 0.25): p; the larger, the less users with many clicks count.
    """

    name: ClassVar[str] = "squared-error"
    of_hidden = True

    def __init__(self, *, unclicked_weight: float = 0.5, user_power: float = 0.25) -> None:
        self.unclicked_weight = at_least("reconstruction.unclicked_weight", unclicked_weight, 0)
        self.user_power = at_least("reconstruction.user_power", user_power, 0)

    def of(
        self, hidden: Tensor, last: LastLayer, clicks: Batch, shown: Shown | None, soft: Batch | None
    ) -> Losses:
        """No soft targets."""
        assert shown is not None  # the model asks for a mask, and refuses soft targets
        hidden_chance = 1 - shown.keep[clicks.items]
        weights = (~shown.kept / hidden_chance).masked_fill(shown.kept, 0)  # 0/0 where all are shown
        errors = squared_errors(hidden, last, clicks, weights, self.unclicked_weight)
        return Losses(errors * clicks.totals**-self.user_power, None)


RECONSTRUCTIONS: dict[str, type[ReconstructionLoss]] = {
    kind.name: kind for kind in (Multinomial, SquaredError)
}
