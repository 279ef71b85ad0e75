"""Multi-DAE (Liang et al. 2018): the denoising autoencoder with a multinomial likelihood; anchors (PIA)."""

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from isotherm.models.parameters import part_of, whole
from isotherm.models.vae import networks
from isotherm.models.vae.anchors import ItemAnchors
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.masking import Bernoulli, Mask
from isotherm.models.vae.networks import Network
from isotherm.models.vae.objective import Reconstruction, Term
from isotherm.models.vae.settings import Training
from isotherm.models.vae.skip import NoSkip, Skip
from isotherm.models.vae.training import Phase


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
        self.hidden = whole("hidden", hidden, 1)
        self.latent = whole("latent", latent, 1)
        self.mask = part_of(self, "mask", mask, Bernoulli)
        self.anchors = part_of(self, "anchors", anchors, ItemAnchors)
        self.skip = part_of(self, "skip", skip, NoSkip)
        self.training = part_of(self, "training", training, Training)
        self.seed = whole("seed", seed, 0)

    def _network(self, n_items: int) -> Network:
        return networks.MultiVAE(n_items, self.hidden, self.latent, False, self.seed)

    def _phases(self, network: Network, beside: dict[str, nn.Module], anchors: list[Term]) -> Sequence[Phase]:
        return [Phase([Reconstruction(), *anchors])]
