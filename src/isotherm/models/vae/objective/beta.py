"""The weight β of the KL term: constant, annealed up to a cap (Liang et al. 2018), or by clicks (RecVAE)."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from isotherm.checks import above, at_least
from isotherm.models.vae.network.batch import Batch
from isotherm.parameters import Part


class Beta(Part, ABC):
    """β of each user, by epoch."""

    @abstractmethod
    def of(self, clicks: Batch, epoch: float) -> float | Tensor:
        """One β, or (n_users,).  clicks: clean.  epoch: epochs done, with the fraction of the running one."""


class Constant(Beta):
    """One β throughout (Higgins et al. 2017, eq. 4).

    Parameters:
        value (>= 0; default 0.2): β.
    """

    name: ClassVar[str] = "constant"

    def __init__(self, *, value: float = 0.2) -> None:
        self.value = at_least("beta.value", value, 0)

    def of(self, clicks: Batch, epoch: float) -> float:
        """β."""
        return self.value


class Annealed(Beta):
    """β from 0 to ``cap``, linearly over ``epochs`` epochs, and then the cap (Liang et al. 2018, §2.2.2).

    >>> from isotherm import Annealed, MultVAE
    >>> MultVAE(beta=Annealed(cap=0.3, epochs=50)).beta
    Annealed(cap=0.3, epochs=50.0)

    Parameters:
        cap (>= 0; default 0.2): β at the end; the paper chooses it by validation, 0.2 on its data sets.
        epochs (> 0; default 20): over how many epochs β rises.
    """

    name: ClassVar[str] = "annealed"

    def __init__(self, *, cap: float = 0.2, epochs: float = 20) -> None:
        self.cap = at_least("beta.cap", cap, 0)
        self.epochs = above("beta.epochs", epochs, 0)

    def of(self, clicks: Batch, epoch: float) -> float:
        """β after so many epochs."""
        return self.cap * min(epoch / self.epochs, 1.0)


class PerClick(Beta):
    """β = γ · Σ_j x_j of the user (RecVAE, eq. 10): users with many clicks are held to the prior more.

    Parameters:
        gamma (>= 0; default 0.005): γ, β per click; 0.005 is the paper's on MovieLens-20M.
    """

    name: ClassVar[str] = "per-click"

    def __init__(self, *, gamma: float = 0.005) -> None:
        self.gamma = at_least("beta.gamma", gamma, 0)

    def of(self, clicks: Batch, epoch: float) -> Tensor:
        """(n_users,)."""
        return self.gamma * clicks.totals


BETAS: dict[str, type[Beta]] = {kind.name: kind for kind in (Constant, Annealed, PerClick)}
