"""The Siamese embedding of MARec (§1.1): item metadata -> one vector, alike for items that are clicked alike.

Each field is projected to a token of ``width`` numbers. The tokens of texts and dense vectors ask those of
categories, tags and numbers by one layer of cross-attention; two dense layers make the embedding, of unit
length. It is trained by InfoNCE (eq. 2): for item i with positives P (the k items of highest click cosine),
negatives N (the k lowest), and s the cosine of embeddings over the temperature τ,

    −1/k Σ_{p∈P} log exp s_ip / (exp s_ip + Σ_{n∈N} exp s_in)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from scipy.sparse import csr_array

from isotherm.errors import MissingPackageError
from isotherm.features.encoders import Encoded
from isotherm.features.metadata import EncodedItems, FeatureStack
from isotherm.linalg.cosine import gram_cosines
from isotherm.progress import stage
from isotherm.state import Inner, Stateful
from isotherm.streams import stream, stream_seed
from isotherm.types import Float32, Int64

if find_spec("torch") is None:
    raise MissingPackageError("embedding=siamese needs torch: pip install 'isotherm[vae]'")

import torch
from torch import Tensor, nn

from isotherm.state.torch_modules import StatefulModule, without_weights

_BAND = 1024


@dataclass(frozen=True)
class Architecture:
    """Sizes and training of the network.

    width: of tokens and embedding.  heads: of the attention.  neighbours: k.  temperature: τ.  dropout: share
    of an item's features that are hidden in a training step.
    """

    width: int = 64
    heads: int = 4
    neighbours: int = 10
    temperature: float = 0.1
    epochs: int = 20
    batch_size: int = 512
    learning_rate: float = 1e-3
    dropout: float = 0.3
    seed: int = 0


class SiameseEmbedding(Stateful):
    """fit on encoded items and the Gram matrix of their clicks; ``of`` embeds any items encoded alike."""

    def __init__(self, architecture: Architecture, texts: list[str]) -> None:
        self.architecture = architecture
        self.texts = texts  #: the fields that ask; the others answer
        self._network: _Network | None = None
        self._stack: FeatureStack | None = None

    def fit(self, encoded: EncodedItems, gram: Float32) -> "SiameseEmbedding":
        """encoded: (n_items,) items with clicks.  gram: XᵀX, (n_items, n_items)."""
        a = self.architecture
        self._stack = FeatureStack(encoded)
        fields = self._fields(encoded)
        positives, negatives = neighbours(gram, a.neighbours, a.seed)
        rng = stream(a.seed, "embedding: order and dropout")
        generator = torch.Generator().manual_seed(stream_seed(a.seed, "embedding: weights"))
        network = self._network = _Network(
            {name: part.shape[1] for name, part in fields.items()}, self.texts, a, generator
        )
        optimiser = torch.optim.AdamW(network.parameters(), lr=a.learning_rate)
        with stage("train the siamese embedding", a.epochs) as advance:
            for _ in range(a.epochs):
                order = rng.permutation(len(gram))
                for first in range(0, len(order), a.batch_size):
                    anchors = order[first : first + a.batch_size]
                    rows = np.concatenate([anchors[:, None], positives[anchors], negatives[anchors]], axis=1)
                    items, place = np.unique(rows, return_inverse=True)
                    parts = {name: _thinned(part[items], a.dropout, rng) for name, part in fields.items()}
                    loss = info_nce(network(parts)[torch.from_numpy(place.reshape(rows.shape))], a)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                advance(1)
        network.eval()
        return self

    def of(self, encoded: EncodedItems) -> Float32:
        """(n_items, width) float32 of unit length; zero for an item without any feature."""
        assert self._network is not None
        fields = self._fields(encoded)
        found = np.zeros((len(encoded), self.architecture.width), dtype=np.float32)
        known = sum(np.diff(part.indptr) for part in fields.values()) > 0
        with torch.no_grad():
            for first in range(0, len(encoded), _BAND):
                band = slice(first, first + _BAND)
                found[band] = self._network({name: part[band] for name, part in fields.items()}).numpy()
        found[~known] = 0
        return found

    def _fields(self, encoded: EncodedItems) -> dict[str, csr_array]:
        assert self._stack is not None
        return {
            name: self._stack.of(EncodedItems({name: vectors})) for name, vectors in encoded.vectors.items()
        }

    @property
    def width(self) -> int:
        """Of the vectors."""
        return self.architecture.width

    @classmethod
    def empty(
        cls, architecture: Architecture, texts: list[str], declared: Mapping[str, Encoded]
    ) -> "SiameseEmbedding":
        """To be filled with what a saved model holds; declared: encoded field -> what its vectors are."""
        made = cls(architecture, texts)
        sizes = {name: width for name, (_, width) in declared.items()}
        made._network = without_weights(lambda: _Network(sizes, texts, architecture, torch.Generator()))
        made._stack = FeatureStack.empty(declared)
        return made

    learned = (
        Inner("_network", lambda embedding, _: embedding._network),
        Inner("_stack", lambda embedding, _: embedding._stack),
    )


class _Network(StatefulModule):
    """sizes: features of each field, in its order."""

    def __init__(
        self, sizes: Mapping[str, int], texts: list[str], a: Architecture, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.names = _places(list(sizes))
        self.asking = [name for name in sizes if name in texts] or list(sizes)
        self.answering = [name for name in sizes if name not in texts] or list(sizes)
        self.project = nn.ModuleDict(
            {
                self.names[name]: nn.EmbeddingBag(max(size, 1), a.width, mode="sum")
                for name, size in sizes.items()
            }
        )
        self.nothing = nn.Parameter(torch.zeros(a.width))  # an answer for items that have none
        self.attention = nn.MultiheadAttention(a.width, a.heads, batch_first=True)
        self.norm = nn.LayerNorm(a.width)
        self.dense = nn.Sequential(
            nn.Linear(2 * a.width, 2 * a.width), nn.GELU(), nn.Linear(2 * a.width, a.width)
        )
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.startswith("project."):
                    parameter.normal_(0, a.width**-0.5, generator=generator)
                elif name.endswith("bias"):
                    parameter.zero_()
                elif parameter.ndim > 1:
                    bound = (6 / sum(parameter.shape)) ** 0.5
                    parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, fields: Mapping[str, csr_array]) -> Tensor:
        """(n_items, width) of unit length."""
        tokens = {name: self._token(name, part) for name, part in fields.items()}
        given = {name: torch.from_numpy(np.diff(part.indptr) > 0) for name, part in fields.items()}
        asking = torch.stack([tokens[name] for name in self.asking], 1)
        answers = torch.stack([tokens[name] for name in self.answering], 1)
        absent = torch.stack([~given[name] for name in self.answering], 1)
        nothing = self.nothing.expand(len(answers), 1, -1)
        answers = torch.cat([answers, nothing], 1)
        absent = torch.cat([absent, torch.zeros(len(absent), 1, dtype=torch.bool)], 1)
        told, _ = self.attention(asking, answers, answers, key_padding_mask=absent, need_weights=False)
        mixed = self.norm(asking + told).mean(1)
        present = (~absent[:, :-1]).float()[:, :, None]
        plain = (answers[:, :-1] * present).sum(1) / present.sum(1).clamp(min=1)
        return nn.functional.normalize(self.dense(torch.cat([mixed, plain], 1)), dim=1)

    def _token(self, name: str, part: csr_array) -> Tensor:
        found: Tensor = self.project[self.names[name]](
            torch.from_numpy(part.indices.astype(np.int64)),
            torch.from_numpy(part.indptr[:-1].astype(np.int64)),
            per_sample_weights=torch.from_numpy(part.data.astype(np.float32)),
        )
        return found


def _places(fields: list[str]) -> dict[str, str]:
    """Field -> its name in the network: a module's name may not hold every letter."""
    return {name: f"field{number}" for number, name in enumerate(fields)}


def info_nce(vectors: Tensor, a: Architecture) -> Tensor:
    """Mean loss of anchors.  vectors: (n, 1 + 2k, width): the anchor, its positives, its negatives."""
    cosines = (vectors[:, 1:] * vectors[:, :1]).sum(2) / a.temperature
    k = cosines.shape[1] // 2
    others = torch.logsumexp(cosines[:, k:], 1, keepdim=True)
    return (torch.logaddexp(cosines[:, :k], others) - cosines[:, :k]).mean()


def neighbours(gram: Float32, k: int, seed: int) -> tuple[Int64, Int64]:
    """The k items of highest click cosine and the k of lowest, (n_items, k); lots decide among equals."""
    n = len(gram)
    k = min(k, max((n - 1) // 2, 1))
    rng = stream(seed, "embedding: lots among equals")
    high, low = np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.int64)
    for first in range(0, n, _BAND):
        rows = np.arange(first, min(first + _BAND, n))
        cosines = gram_cosines(gram, rows) + 1e-6 * rng.random((len(rows), n))
        cosines[np.arange(len(rows)), rows] = -np.inf
        high[rows] = np.argpartition(-cosines, min(k, n - 1), axis=1)[:, :k]
        cosines[np.arange(len(rows)), rows] = np.inf
        low[rows] = np.argpartition(cosines, min(k, n - 1), axis=1)[:, :k]
    return high, low


def _thinned(part: csr_array, share: float, rng: np.random.Generator) -> csr_array:
    """Without a random share of the entries."""
    thin = part.copy()
    thin.data *= rng.random(thin.nnz) >= share
    thin.eliminate_zeros()
    return thin
