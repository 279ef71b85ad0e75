"""The embedding model f_E by which MARec compares items: encoded fields as they are, or one learned."""

from typing import Any, ClassVar

from isotherm.checks import above, between, seeded, truth, whole
from isotherm.errors import ParameterError, brief
from isotherm.features.metadata import Embedding, EncodedItems, MetadataSimilarity
from isotherm.parameters import Part
from isotherm.types import Float32


class EmbeddingModel(Part):
    """What the metadata similarities compare."""

    def learn(self, similarity: MetadataSimilarity, encoded: EncodedItems, gram: Float32) -> None:
        """Add to ``similarity`` what is learned from clicked items and the Gram matrix of their clicks."""

    def memory(self) -> float:
        """Bytes that learning takes at least, of what settings make large."""
        return 0

    def sizes(self) -> dict[str, int]:
        """Those settings."""
        return {}


class Identity(EmbeddingModel):
    """Each field as it is encoded."""

    name: ClassVar[str] = "identity"


class Siamese(EmbeddingModel):
    """A Siamese network with cross-attention between texts and categories, trained by InfoNCE (MARec, §1.1).

    alone: whether its similarity stands for all fields, as in the paper, or beside them.  width, heads: of
    the network.  neighbours: k, how many items of highest and of lowest click cosine an item is compared
    with.  temperature: τ.  dropout: share of features hidden in a step.  epochs, batch_size, learning_rate,
    seed: its training.
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

    def learn(self, similarity: MetadataSimilarity, encoded: EncodedItems, gram: Float32) -> None:
        """Train it."""
        similarity.learn(self._made(similarity).fit(encoded, gram), self.alone)

    def memory(self) -> float:
        """Weights of the attention and of the dense layers, each with the optimiser's two moments."""
        return 3 * 4 * 10 * float(self.width) ** 2

    def sizes(self) -> dict[str, int]:
        """The width."""
        return {"width": self.width}

    def empty(self, similarity: MetadataSimilarity) -> Embedding:
        """One to be filled with what a saved model holds."""
        from isotherm.features.siamese import SiameseEmbedding

        made = self._made(similarity)
        return SiameseEmbedding.empty(made.architecture, made.texts, similarity.encoded)

    def _made(self, similarity: MetadataSimilarity) -> Any:
        from isotherm.features.siamese import Architecture, SiameseEmbedding

        sizes = Architecture(
            self.width, self.heads, self.neighbours, self.temperature, self.epochs, self.batch_size,
            self.learning_rate, self.dropout, self.seed,
        )  # fmt: skip
        kinds = similarity.kinds_
        texts = [
            name
            for name, source in similarity.sources_.items()
            if kinds[source] in ("text", "vector", "image")
        ]
        return SiameseEmbedding(sizes, texts)


EMBEDDINGS: dict[str, type[EmbeddingModel]] = {kind.name: kind for kind in (Identity, Siamese)}
