"""Multi-VAE (Liang et al. 2018): a multinomial likelihood, β-KL, masked input; with the anchors of PIA."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from isotherm.checks import at_least, one_of
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network import layers
from isotherm.models.vae.network.layers import ACTIVATIONS, Network
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import BETAS, Annealed, Beta
from isotherm.models.vae.objective.ease_term import LogitTerm
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.reconstruction import ReconstructionLoss
from isotherm.models.vae.objective.terms import GaussianKL, Term
from isotherm.models.vae.training.run_setup import Phase
from isotherm.models.vae.training.settings import Training
from isotherm.parameters import part_of


class MultVAE(VAERecommender):
    """Variational autoencoder with a multinomial likelihood (Liang et al. 2018; anchors: PIA).

    A history x is normalised and masked, encoded to q(z | x) = N(μ, diag σ²), decoded from one z to
    probabilities π of all items. The loss of a user is −Σ_j x_j log π_j + β · KL(q ‖ N(0, I)) + λ_A · L_A.

    >>> from scipy.sparse import csr_array
    >>> from isotherm import Interactions, ItemAnchors, MultVAE, Training
    >>> clicks = Interactions.from_csr(csr_array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]], dtype="float32"))
    >>> model = MultVAE(hidden=4, latent=2, anchors=ItemAnchors(weight=1.0), training=Training(epochs=1))
    >>> model.fit(clicks).recommend([0], k=2)["item_id"].sort().to_list()
    [2, 3]

    Parameters:
        hidden (>= 1; default 600): width of the hidden layers, items → hidden → latent → hidden → items
            (Liang et al. 2018, §4.3).
        latent (>= 1; default 200): width of z.
        activation (tanh or gelu; default tanh): of the hidden layers (tanh: Liang et al. 2018; gelu:
            Hendrycks & Gimpel 2016).
        mask (none, bernoulli, popularity or scheduled; default Bernoulli()): which clicks the encoder sees in
            training.
        reconstruction (multinomial or squared-error; default Multinomial()): the loss between a user's clicks
            and the logits.
        beta (constant, annealed or per-click; default Annealed()): β, the weight of the KL term.
        free_bits (>= 0; default 0): nats per latent dimension below which KL is not paid for
            (Kingma et al. 2016).
        anchors (anchors; default ItemAnchors()): the anchor regularizer of PIA; its weight 0 is the plain
            Multi-VAE.
        ease_term (none or ease; default NoEASETerm()): an EASE score that is added to the network's logits.
        training (training; default Training()): epochs, batch size, early stopping, device.
        seed (>= 0; default 0): of weights, order, masks and noise.
    """

    name: ClassVar[str] = "multvae"
    parts: ClassVar[Mapping[str, Mapping[str, type[Any]]]] = {**VAERecommender.parts, "beta": BETAS}

    def __init__(
        self,
        *,
        hidden: int = 600,
        latent: int = 200,
        activation: str = "tanh",
        mask: Mask | None = None,
        reconstruction: ReconstructionLoss | None = None,
        beta: Beta | None = None,
        free_bits: float = 0.0,
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
        self.activation = one_of("activation", activation, tuple(ACTIVATIONS))
        self.beta: Beta = part_of(self, "beta", beta, Annealed)
        self.free_bits = at_least("free_bits", free_bits, 0)

    def new_network(self, n_items: int) -> Network:
        return layers.MultiVAE(n_items, self.hidden, self.latent, True, self.seed, self.activation)

    def _phases(
        self, network: Network, likelihood: Sequence[Term], anchors: Sequence[Term]
    ) -> Sequence[Phase]:
        return [Phase([*likelihood, GaussianKL(self.beta, self.free_bits), *anchors], self.mask)]
