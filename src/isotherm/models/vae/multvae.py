"""Multi-VAE (Liang et al. 2018): a multinomial likelihood, β-KL, masked input; with the anchors of PIA."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import nn

from isotherm.checks import at_least
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network import layers
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import BETAS, Annealed, Beta
from isotherm.models.vae.objective.ease_term import Skip
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.terms import GaussianKL, Term
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Phase
from isotherm.parameters import part_of


class MultVAE(VAERecommender):
    """Variational autoencoder with a multinomial likelihood: reconstruction + β · KL + λ_A · anchor.

    hidden, latent: widths, items → hidden → latent → hidden → items.  mask: which clicks the encoder sees in
    training: none, bernoulli, popularity, scheduled.  beta: weight of the KL term: constant, annealed,
    per-click.  free_bits: nats a latent dimension below which KL is not paid for.  anchors: the anchor
    regularizer of PIA; its weight 0 is the plain Multi-VAE.  skip: a linear path beside the network:
    none, ease.  training: epochs, batch size, early stopping, device.  seed: of weights, order, masks, noise.
    """

    name: ClassVar[str] = "multvae"
    parts: ClassVar[Mapping[str, Mapping[str, type[Any]]]] = {**VAERecommender.parts, "beta": BETAS}

    def __init__(
        self,
        *,
        hidden: int = 600,
        latent: int = 200,
        mask: Mask | None = None,
        beta: Beta | None = None,
        free_bits: float = 0.0,
        anchors: ItemAnchors | None = None,
        skip: Skip | None = None,
        training: Training | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            hidden=hidden, latent=latent, mask=mask, anchors=anchors, skip=skip, training=training, seed=seed
        )
        self.beta = part_of(self, "beta", beta, Annealed)
        self.free_bits = at_least("free_bits", free_bits, 0)

    def new_network(self, n_items: int) -> Network:
        return layers.MultiVAE(n_items, self.hidden, self.latent, True, self.seed)

    def _phases(
        self, network: Network, beside: dict[str, nn.Module], likelihood: list[Term], anchors: list[Term]
    ) -> Sequence[Phase]:
        return [Phase([*likelihood, GaussianKL(self.beta, self.free_bits), *anchors])]
