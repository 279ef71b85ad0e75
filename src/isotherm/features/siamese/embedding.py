"""The Siamese embedding: trained on clicked items, it makes a vector of any item's metadata."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.feature_stack import FeatureStack
from isotherm.features.field_vectors import FieldForm
from isotherm.features.siamese.contrastive import ClickNeighbours, click_neighbours, info_nce
from isotherm.features.siamese.network import SiameseNetwork
from isotherm.progress import stage
from isotherm.state import Inner, Stateful
from isotherm.state.torch_modules import without_weights
from isotherm.streams import stream, stream_seed
from isotherm.types import Float32, Int64, ItemFeatures

_BAND = 1024  # items that go through the network at one time


class SiameseSettings(Protocol):
    """Sizes and training of the network."""

    width: int  #: of tokens and embedding
    heads: int  #: of the attention; they divide the width
    neighbours: int  #: k of eq. 2
    temperature: float  #: τ of eq. 2
    dropout: float  #: share of an item's features that are hidden in a training step
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int


class SiameseEmbedding(Stateful):
    """A trained network and the scales of its input.

    content_fields: the fields whose tokens attend to the others'.
    """

    learned = (
        Inner("network", lambda embedding, _: embedding.network),
        Inner("stack", lambda embedding, _: embedding.stack),
    )

    def __init__(
        self,
        settings: SiameseSettings,
        content_fields: Sequence[str],
        network: SiameseNetwork,
        stack: FeatureStack,
    ) -> None:
        self.settings, self.content_fields = settings, content_fields
        self.network, self.stack = network, stack

    @classmethod
    def fitted(
        cls, encoded: EncodedItems, gram: Float32, settings: SiameseSettings, content_fields: Sequence[str]
    ) -> "SiameseEmbedding":
        """Train a network on items with clicks.

        encoded: n items.  gram: XᵀX of their clicks, (n, n).
        """
        generator = torch.Generator().manual_seed(stream_seed(settings.seed, "embedding: weights"))
        stack = FeatureStack(encoded)
        fields = _features_by_field(stack, encoded)
        widths = {name: features.shape[1] for name, features in fields.items()}
        network = SiameseNetwork(widths, content_fields, settings.width, settings.heads, generator)
        _train(network, fields, click_neighbours(gram, settings.neighbours, settings.seed), settings)
        return cls(settings, content_fields, network, stack)

    @classmethod
    def empty(
        cls, settings: SiameseSettings, content_fields: Sequence[str], forms: Mapping[str, FieldForm]
    ) -> "SiameseEmbedding":
        """To be filled with what a saved model holds.  forms: what the vectors of each encoded field are."""
        widths = {name: form.width for name, form in forms.items()}
        network = without_weights(
            lambda: SiameseNetwork(widths, content_fields, settings.width, settings.heads, torch.Generator())
        )
        return cls(settings, content_fields, network, FeatureStack.empty(forms))

    @property
    def width(self) -> int:
        """Of the vectors."""
        return self.settings.width

    @torch.no_grad()
    def embed(self, encoded: EncodedItems) -> Float32:
        """(n_items, width) float32 of unit length; zero for an item without any feature."""
        fields = _features_by_field(self.stack, encoded)
        vectors = np.zeros((len(encoded), self.width), dtype=np.float32)
        for first in range(0, len(encoded), _BAND):
            band = slice(first, first + _BAND)
            vectors[band] = self.network({name: features[band] for name, features in fields.items()}).numpy()
        n_features = sum(np.diff(features.indptr) for features in fields.values())
        vectors[n_features == 0] = 0
        return vectors


def _features_by_field(stack: FeatureStack, encoded: EncodedItems) -> dict[str, ItemFeatures]:
    return {name: stack.features(EncodedItems({name: vectors})) for name, vectors in encoded.fields.items()}


def _train(
    network: SiameseNetwork,
    fields: Mapping[str, ItemFeatures],
    neighbours: ClickNeighbours,
    settings: SiameseSettings,
) -> None:
    """Minimise eq. 2 over n items.  fields: their features by field."""
    rng = stream(settings.seed, "embedding: order and dropout")
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate)
    with stage("train the siamese embedding", settings.epochs, "epochs") as advance:
        for _ in range(settings.epochs):
            order = rng.permutation(len(neighbours.positives))
            for first in range(0, len(order), settings.batch_size):
                batch = order[first : first + settings.batch_size]
                compared = neighbours.compared(batch)
                loss = _loss(network, fields, compared, settings, rng)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                advance(len(batch) / len(order))
    network.eval()


def _loss(
    network: SiameseNetwork,
    fields: Mapping[str, ItemFeatures],
    compared: Int64,
    settings: SiameseSettings,
    rng: np.random.Generator,
) -> Tensor:
    """Eq. 2 of one batch.  compared: items with their positives and negatives, (n, 1 + 2k)."""
    items, rows = np.unique(compared, return_inverse=True)  # each goes through the network once
    kept = {name: _with_dropout(features[items], settings.dropout, rng) for name, features in fields.items()}
    vectors = network(kept)[torch.from_numpy(rows.reshape(compared.shape))]
    return info_nce(vectors, settings.temperature)


def _with_dropout(features: ItemFeatures, share: float, rng: np.random.Generator) -> ItemFeatures:
    """Without a random share of the entries."""
    kept = features.copy()
    kept.data *= rng.random(kept.nnz) >= share
    kept.eliminate_zeros()
    return kept
