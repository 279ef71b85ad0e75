"""Multi-DAE (Liang et al. 2018): the denoising autoencoder with a multinomial likelihood; anchors (PIA)."""

from collections.abc import Sequence
from typing import ClassVar

from isotherm.checks import one_of
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network import layers
from isotherm.models.vae.network.layers import ACTIVATIONS, Network
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.ease_term import LogitTerm
from isotherm.models.vae.objective.masking import Mask
from isotherm.models.vae.objective.reconstruction import ReconstructionLoss
from isotherm.models.vae.objective.terms import Term
from isotherm.models.vae.training.run_setup import Phase
from isotherm.models.vae.training.settings import Training


class MultDAE(VAERecommender):
    """Denoising autoencoder with a multinomial likelihood (Liang et al. 2018, §2.3; anchors: PIA).

    As multvae without a KL term: z is the mean, and the loss of a user −Σ_j x_j log π_j + λ_A · L_A, where
    L_A is ‖z − ē‖² and the variance of the anchors. On MovieLens-1M one layer (hidden=0) trained on the
    squared error of what its mask hides ranks best.

    >>> from scipy.sparse import csr_array
    >>> from isotherm import Interactions, MultDAE, Training
    >>> clicks = Interactions.from_csr(csr_array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]], dtype="float32"))
    >>> model = MultDAE(hidden=4, latent=2, training=Training(epochs=1)).fit(clicks)
    >>> model.recommend([0], k=4)["item_id"].sort().to_list()
    [2, 3]

    Parameters:
        hidden (>= 0; default 600): width of the hidden layers, items → hidden → latent → hidden → items; 0:
            none, items → latent → items (both: Liang et al. 2018, §4.3).
        latent (>= 1; default 200): width of z.
        activation (tanh or gelu; default tanh): of the hidden layers, and of z where there are none (tanh:
            Liang et al. 2018; gelu: Hendrycks & Gimpel 2016).
        mask (none, bernoulli, popularity or scheduled; default Bernoulli()): which clicks the encoder sees in
            training.
        reconstruction (multinomial or squared-error; default Multinomial()): the loss between a user's clicks
            and the logits.
        anchors (anchors; default ItemAnchors()): the anchor regularizer of PIA; its weight 0 is the plain
            Multi-DAE.
        ease_term (none or ease; default NoEASETerm()): an EASE score that is added to the network's logits.
        training (training; default Training()): epochs, batch size, early stopping, device.
        seed (>= 0; default 0): of weights, order and masks.
    """

    name: ClassVar[str] = "multdae"
    least_hidden: ClassVar[int] = 0

    def __init__(
        self,
        *,
        hidden: int = 600,
        latent: int = 200,
        activation: str = "tanh",
        mask: Mask | None = None,
        reconstruction: ReconstructionLoss | None = None,
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

    def new_network(self, n_items: int) -> Network:
        if not self.hidden:
            return layers.OneLayerDAE(n_items, self.latent, self.seed, self.activation)
        return layers.MultiVAE(n_items, self.hidden, self.latent, False, self.seed, self.activation)

    def _phases(
        self, network: Network, likelihood: Sequence[Term], anchors: Sequence[Term]
    ) -> Sequence[Phase]:
        return [Phase([*likelihood, *anchors], self.mask)]
