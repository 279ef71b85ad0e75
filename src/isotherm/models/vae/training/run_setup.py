"""What a training reads: the network, the passes of an epoch, the clicks, the settings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.reconstruction import Multinomial, ReconstructionLoss
from isotherm.models.vae.objective.terms import SoftTargets, Term
from isotherm.models.vae.training.settings import Training
from isotherm.types import Array, UserItems


@dataclass(frozen=True)
class Phase:
    """A pass over all users.

    terms: the objective.  mask: which clicks the encoder sees; None: all.  learns: which weights of the
    network; the rest is held.  after: called when the pass is done.
    """

    terms: Sequence[Term]
    mask: Mask | None = None
    learns: Literal["all", "encoder", "decoder"] = "all"
    after: Callable[[], None] | None = None

    def held(self, network: Network) -> list[nn.Parameter]:
        """The weights that this pass leaves as they are."""
        if self.learns == "all":
            return []
        return network.decoder_parameters() if self.learns == "encoder" else network.encoder_parameters()


@dataclass(frozen=True)
class RunSetup:
    """All that a training reads.

    phases: the passes of one epoch.  clicks: the training matrix.  users: its rows to train on.
    validate: the metric of the network as it is, or None.
    """

    model_name: str
    settings: Training
    network: Network
    phases: Sequence[Phase]
    clicks: UserItems
    users: Array
    seed: int
    validate: Callable[[], float] | None = None

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The network, and by their names what terms learn or keep: anchors, RecVAE's last encoder."""
        modules: dict[str, nn.Module] = {"network": self.network}
        for term in self._terms():
            modules |= term.modules
        return modules

    @property
    def soft_targets(self) -> SoftTargets | None:
        """What the network is to explain beside the clicks, by rows of the training matrix."""
        return next((t.soft_targets for t in self._terms() if t.soft_targets is not None), None)

    @property
    def loss(self) -> ReconstructionLoss:
        """Between clicks and logits; multinomial where no term says."""
        return next((t.loss for t in self._terms() if t.loss is not None), Multinomial())

    @property
    def n_sampled(self) -> int:
        """Items that stand for all in a step's softmax; 0: all do."""
        return self.settings.sampled(self.clicks.shape[1])

    def _terms(self) -> Iterator[Term]:
        for phase in self.phases:
            yield from phase.terms
