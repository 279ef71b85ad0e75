"""RecVAE (Shenbin et al. 2020): composite prior, β by clicks, alternating training; anchors (PIA)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

from torch import nn

from isotherm.checks import whole
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network import layers
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import BETAS, Beta, PerClick
from isotherm.models.vae.objective.ease_term import Skip
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.terms import CompositeKL, Term
from isotherm.models.vae.training.settings import Training
from isotherm.models.vae.training.trainer import Phase
from isotherm.parameters import part_of


class RecVAE(VAERecommender):
    """Multi-VAE with a deep encoder, a prior that remembers the last encoder, and alternating training.

    An epoch is ``encoder_passes`` passes that train the encoder on masked clicks, then one that trains the
    decoder on clean ones. Anchors are part of the encoder's passes. Other settings as multvae's.
    """

    name: ClassVar[str] = "recvae"
    parts: ClassVar[Mapping[str, Mapping[str, type[Any]]]] = {**VAERecommender.parts, "beta": BETAS}

    def __init__(
        self,
        *,
        hidden: int = 600,
        latent: int = 200,
        mask: Mask | None = None,
        beta: Beta | None = None,
        encoder_passes: int = 3,
        anchors: ItemAnchors | None = None,
        skip: Skip | None = None,
        training: Training | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            hidden=hidden, latent=latent, mask=mask, anchors=anchors, skip=skip, training=training, seed=seed
        )
        self.beta = part_of(self, "beta", beta, PerClick)
        self.encoder_passes = whole("encoder_passes", encoder_passes, 1)

    def new_network(self, n_items: int) -> Network:
        return layers.RecVAE(n_items, self.hidden, self.latent, self.seed)

    def _phases(
        self, network: Network, beside: dict[str, nn.Module], likelihood: list[Term], anchors: list[Term]
    ) -> Sequence[Phase]:
        old = deepcopy(network).requires_grad_(False)
        beside["old"] = old

        def remember() -> None:
            old.load_state_dict(network.state_dict())

        encoder = Phase([*likelihood, CompositeKL(self.beta, old), *anchors], learns="encoder")
        passes = [encoder] * (self.encoder_passes - 1)
        passes.append(Phase(encoder.terms, learns="encoder", after=remember))
        return [*passes, Phase(likelihood, learns="decoder", masked=False)]
