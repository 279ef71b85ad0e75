"""Multi-DAE (Liang et al. 2018): the denoising autoencoder with a multinomial likelihood; anchors (PIA)."""

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network import layers
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.ease_term import Skip
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.terms import Term
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Phase


class MultDAE(VAERecommender):
    """Denoising autoencoder with a multinomial likelihood: reconstruction + λ_A · anchor; z is the mean.

    Settings as multvae's, without a KL term. The anchor term is ‖z − ē‖² and the spread of the anchors.
    """

    name: ClassVar[str] = "multdae"

    def __init__(
        self,
        *,
        hidden: int = 600,
        latent: int = 200,
        mask: Mask | None = None,
        anchors: ItemAnchors | None = None,
        skip: Skip | None = None,
        training: Training | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            hidden=hidden, latent=latent, mask=mask, anchors=anchors, skip=skip, training=training, seed=seed
        )

    def new_network(self, n_items: int) -> Network:
        return layers.MultiVAE(n_items, self.hidden, self.latent, False, self.seed)

    def _phases(
        self, network: Network, beside: dict[str, nn.Module], likelihood: list[Term], anchors: list[Term]
    ) -> Sequence[Phase]:
        return [Phase([*likelihood, *anchors])]
