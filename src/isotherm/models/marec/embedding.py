"""The embedding model f_E by which MARec compares items: encoded fields as they are, or one learned."""

from abc import ABC, abstractmethod
from typing import ClassVar

from isotherm.checks import above, between, seeded, truth, whole
from isotherm.errors import ParameterError, brief
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.metadata_similarity import Embedding, MetadataSimilarity
from isotherm.parameters import Part
from isotherm.types import Float32


class EmbeddingModel(Part):
    """What the metadata similarities compare."""

    def fit_memory(self) -> float:
        """Bytes that learning holds at least, of what settings make large."""
        return 0

    def memory_settings(self) -> dict[str, int]:
        """The settings by which that memory grows."""
        return {}


class Identity(EmbeddingModel):
    """Each field as it is encoded."""

    name: ClassVar[str] = "identity"


class LearnedEmbedding(EmbeddingModel, ABC):
    """Makes one field more of the others, or one in their place; it is learned from clicks."""

    alone: bool  #: whether its similarity stands for all fields

    @abstractmethod
    def learn(
        self, similarity: MetadataSimilarity, encoded: EncodedItems, gram: Float32
    ) -> MetadataSimilarity:
        """``similarity`` with what is learned from clicked items.

        encoded: n items.  gram: XᵀX of their clicks, (n, n).
        """

    @abstractmethod
    def empty(self, similarity: MetadataSimilarity) -> Embedding:
        """An embedding to be filled with what a saved model holds."""


class Siamese(LearnedEmbedding):
    """A Siamese network with cross-attention between texts and categories, trained by InfoNCE (MARec, §1.1).

    Parameters:
        alone (true or false; default false): whether its similarity stands for all fields, as in the paper,
            or is one field more.
        width (a multiple of heads; default 64): of the tokens and of the embedding.
        heads (a divisor of width; default 4): of the attention.
        neighbours (>= 1; default 10): k, how many items of highest and of lowest click cosine an item is
            compared with (eq. 2).
        temperature (> 0; default 0.1): τ of the cosines (eq. 2).
        dropout (in [0, 1); default 0.3): share of an item's features that are hidden in a step.
        epochs (>= 1; default 20): passes over the items.
        batch_size (>= 2; default 512): items in a step.
        learning_rate (> 0; default 1e-3): of AdamW.
        seed (>= 0; default 0): of the weights, the order and the dropout.
    """

    name: ClassVar[str] = "siamese"

    def __init__(
        self,
        *,
        alone: bool = False,
        width: int = 64,
        heads: int = 4,
        neighbours: int = 10,
        temperature: float = 0.1,
        dropout: float = 0.3,
        epochs: int = 20,
        batch_size: int = 512,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.alone = truth("embedding.alone", alone)
        self.width = whole("embedding.width", width, 1)
        self.heads = whole("embedding.heads", heads, 1)
        if self.width % self.heads:
            raise ParameterError(
                f"embedding.heads must divide embedding.width, {self.width}, not {brief(heads)}"
            )
        self.neighbours = whole("embedding.neighbours", neighbours, 1)
        self.temperature = above("embedding.temperature", temperature, 0)
        self.dropout = between("embedding.dropout", dropout, 0, 1, "[)")
        self.epochs = whole("embedding.epochs", epochs, 1)
        self.batch_size = whole("embedding.batch_size", batch_size, 2)
        self.learning_rate = above("embedding.learning_rate", learning_rate, 0)
        self.seed = seeded("embedding.seed", seed)

    def learn(
        self, similarity: MetadataSimilarity, encoded: EncodedItems, gram: Float32
    ) -> MetadataSimilarity:
        """Train it."""
        from isotherm.features.siamese.embedding import SiameseEmbedding

        embedding = SiameseEmbedding.fitted(encoded, gram, self, similarity.encoders.content_fields)
        return similarity.with_embedding(embedding, self.alone)

    def fit_memory(self) -> float:
        """Weights of the attention and of the dense layers, each with the optimiser's two moments."""
        return 3 * 4 * 10 * float(self.width) ** 2

    def memory_settings(self) -> dict[str, int]:
        """The width."""
        return {"width": self.width}

    def empty(self, similarity: MetadataSimilarity) -> Embedding:
        """One to be filled with what a saved model holds."""
        from isotherm.features.siamese.embedding import SiameseEmbedding

        return SiameseEmbedding.empty(self, similarity.encoders.content_fields, similarity.forms)


EMBEDDINGS: dict[str, type[EmbeddingModel]] = {kind.name: kind for kind in (Identity, Siamese)}
