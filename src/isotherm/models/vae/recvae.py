"""RecVAE (Shenbin et al. 2020): composite prior, β by clicks, alternating training; anchors (PIA)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

from isotherm.checks import whole
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network import layers
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import BETAS, Beta, PerClick
from isotherm.models.vae.objective.ease_term import LogitTerm
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.reconstruction import ReconstructionLoss
from isotherm.models.vae.objective.terms import CompositeKL, Term
from isotherm.models.vae.training.run_setup import Phase
from isotherm.models.vae.training.settings import Training
from isotherm.parameters import part_of


class RecVAE(VAERecommender):
    """Multi-VAE with a deep encoder, a composite prior, and alternating training (Shenbin et al. 2020).

    An epoch is ``encoder_passes`` passes that train the encoder on masked clicks, held close to the encoder
    of the epoch before (eq. 8), then one that trains the decoder on clean ones (§3.4), or on masked ones too
    where the loss is of what a mask hides. Anchors are part of the encoder's passes.

    >>> from scipy.sparse import csr_array
    >>> from isotherm import Interactions, RecVAE, Training
    >>> clicks = Interactions.from_csr(csr_array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]], dtype="float32"))
    >>> model = RecVAE(hidden=4, latent=2, training=Training(epochs=1)).fit(clicks)
    >>> model.recommend([0], k=4)["item_id"].sort().to_list()
    [2, 3]

    Parameters:
        hidden (>= 1; default 600): width of the encoder's five layers.
        latent (>= 1; default 200): width of z; logits are linear in it.
        mask (none, bernoulli, popularity or scheduled; default Bernoulli()): which clicks the encoder sees in
            training.
        reconstruction (multinomial or squared-error; default Multinomial()): the loss between a user's clicks
            and the logits.
        beta (constant, annealed or per-click; default PerClick()): β, the weight of the KL term (eq. 10).
        encoder_passes (>= 1; default 3): passes over the users for the encoder per pass for the decoder.
        anchors (anchors; default ItemAnchors()): the anchor regularizer of PIA; its weight 0 is the plain
            RecVAE.
        ease_term (none or ease; default NoEASETerm()): an EASE score that is added to the network's logits.
        training (training; default Training()): epochs, batch size, early stopping, device.
        seed (>= 0; default 0): of weights, order, masks and noise.
    """

    name: ClassVar[str] = "recvae"
    parts: ClassVar[Mapping[str, Mapping[str, type[Any]]]] = {**VAERecommender.parts, "beta": BETAS}

    def __init__(
        self,
        *,
        hidden: int = 600,
        latent: int = 200,
        mask: Mask | None = None,
        reconstruction: ReconstructionLoss | None = None,
        beta: Beta | None = None,
        encoder_passes: int = 3,
        anchors: ItemAnchors | None = None,
        ease_term: LogitTerm | None = None,
        training: Training | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            hidden=hidden,
            latent=latent,
            mask=mask,
            reconstruction=reconstruction,
            anchors=anchors,
            ease_term=ease_term,
            training=training,
            seed=seed,
        )
        self.beta: Beta = part_of(self, "beta", beta, PerClick)
        self.encoder_passes = whole("encoder_passes", encoder_passes, 1)

    def new_network(self, n_items: int) -> Network:
        return layers.RecVAE(n_items, self.hidden, self.latent, self.seed)

    def _phases(
        self, network: Network, likelihood: Sequence[Term], anchors: Sequence[Term]
    ) -> Sequence[Phase]:
        old = deepcopy(network).requires_grad_(False)

        def keep_as_old() -> None:
            old.load_state_dict(network.state_dict())

        terms = [*likelihood, CompositeKL(self.beta, old), *anchors]
        encoder = [Phase(terms, self.mask, learns="encoder")] * (self.encoder_passes - 1)
        last_encoder = Phase(terms, self.mask, learns="encoder", after=keep_as_old)
        hiding = self.mask if self.reconstruction.of_hidden else None
        return [*encoder, last_encoder, Phase(likelihood, hiding, learns="decoder")]
