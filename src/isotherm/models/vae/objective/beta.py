"""The weight β of the KL term: constant, annealed up to a cap (Liang et al. 2018), or by clicks (RecVAE)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from torch import Tensor

from isotherm.checks import above, at_least, number_or_auto, settled
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.objective.ladder import Ladder
from isotherm.parameters import Part

_BETA = Ladder((0.05, 0.1, 0.2, 0.4, 0.8), start=0.2)
_GAMMA = Ladder((0.00125, 0.0025, 0.005, 0.01, 0.02), start=0.005)


class Beta(Part, ABC):
    """β of each user, by epoch."""

    ladders: ClassVar[Mapping[str, Ladder]] = {}

    @abstractmethod
    def of(self, clicks: Batch, epoch: float) -> float | Tensor:
        """One β, or (n_users,).  clicks: clean.  epoch: epochs done, with the fraction of the running one."""


class Constant(Beta):
    """One β throughout (Higgins et al. 2017, eq. 4).

    Parameters:
        value (>= 0 or auto; default 0.2): β; auto: chosen by short trainings.
    """

    name: ClassVar[str] = "constant"
    ladders: ClassVar[Mapping[str, Ladder]] = {"value": _BETA}

    def __init__(self, *, value: float | str = 0.2) -> None:
        self.value = number_or_auto("beta.value", value, partial(at_least, least=0))

    def of(self, clicks: Batch, epoch: float) -> float:
        """β."""
        return settled("beta.value", self.value)


class Annealed(Beta):
    """β from 0 to ``cap``, linearly over ``epochs`` epochs, and then the cap (Liang et al. 2018, §2.2.2).

    >>> from isotherm import Annealed, MultVAE
    >>> MultVAE(beta=Annealed(cap=0.3, epochs=50)).beta
    Annealed(cap=0.3, epochs=50.0)

    Parameters:
        cap (>= 0 or auto; default 0.2): β at the end; 0.2 is what the paper chose by validation on its data
            sets; auto: chosen by short trainings.
        epochs (> 0; default 20): over how many epochs β rises.
    """

    name: ClassVar[str] = "annealed"
    ladders: ClassVar[Mapping[str, Ladder]] = {"cap": _BETA}

    def __init__(self, *, cap: float | str = 0.2, epochs: float = 20) -> None:
        self.cap = number_or_auto("beta.cap", cap, partial(at_least, least=0))
        self.epochs = above("beta.epochs", epochs, 0)

    def of(self, clicks: Batch, epoch: float) -> float:
        """β after so many epochs."""
        return settled("beta.cap", self.cap) * min(epoch / self.epochs, 1.0)


class PerClick(Beta):
    """β = γ · Σ_j x_j of the user (RecVAE, eq. 10): users with many clicks are held to the prior more.

    Parameters:
        gamma (>= 0 or auto; default 0.005): γ, β per click; 0.005 is the paper's on MovieLens-20M; auto:
            chosen by short trainings.
    """

    name: ClassVar[str] = "per-click"
    ladders: ClassVar[Mapping[str, Ladder]] = {"gamma": _GAMMA}

    def __init__(self, *, gamma: float | str = 0.005) -> None:
        self.gamma = number_or_auto("beta.gamma", gamma, partial(at_least, least=0))

    def of(self, clicks: Batch, epoch: float) -> Tensor:
        """(n_users,)."""
        return settled("beta.gamma", self.gamma) * clicks.totals


BETAS: dict[str, type[Beta]] = {kind.name: kind for kind in (Constant, Annealed, PerClick)}
