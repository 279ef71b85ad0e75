"""The contrastive loss of the Siamese embedding, InfoNCE (MARec, eq. 2), and the items that it compares.

For item i with positives P (the k items of highest click cosine), negatives N (the k of lowest), and s the
cosine of embeddings over the temperature τ, the loss is

    −1/k Σ_{p∈P} log exp s_ip / (exp s_ip + Σ_{n∈N} exp s_in)
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isotherm.linalg.cosine import gram_cosines
from isotherm.streams import stream
from isotherm.types import Float32, Int64

_BAND = 1024  # rows of click cosines that exist at one time
_TIE_BREAK = 1e-6  # of the lots among equal cosines


def info_nce(vectors: Tensor, temperature: float) -> Tensor:
    """Mean loss of n items.

    vectors: (n, 1 + 2k, width), the item's, its positives' and its negatives', of unit length.
    temperature: τ.
    """
    cosines = (vectors[:, 1:] * vectors[:, :1]).sum(2) / temperature
    k = cosines.shape[1] // 2
    positives, negatives = cosines[:, :k], torch.logsumexp(cosines[:, k:], 1, keepdim=True)
    return (torch.logaddexp(positives, negatives) - positives).mean()


@dataclass(frozen=True, eq=False)
class ClickNeighbours:
    """The items that each item is compared with.

    positives, negatives: the k items of highest click cosine and the k of lowest, (n_items, k).
    """

    positives: Int64
    negatives: Int64

    def compared(self, items: Int64) -> Int64:
        """Items with their positives and negatives, (n, 1 + 2k)."""
        return np.concatenate([items[:, None], self.positives[items], self.negatives[items]], axis=1)


def click_neighbours(gram: Float32, k: int, seed: int) -> ClickNeighbours:
    """Positives and negatives of each item by their clicks; lots decide among equals.

    gram: XᵀX, (n_items, n_items).  k: of few items at most half of the others.
    """
    n = len(gram)
    k = min(k, max((n - 1) // 2, 1))
    rng = stream(seed, "embedding: lots among equals")
    positives, negatives = np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.int64)
    for first in range(0, n, _BAND):
        rows = np.arange(first, min(first + _BAND, n))
        cosines = gram_cosines(gram, rows) + _TIE_BREAK * rng.random((len(rows), n))
        itself = np.arange(len(rows)), rows
        cosines[itself] = -np.inf
        positives[rows] = np.argpartition(-cosines, min(k, n - 1), axis=1)[:, :k]
        cosines[itself] = np.inf
        negatives[rows] = np.argpartition(cosines, min(k, n - 1), axis=1)[:, :k]
    return ClickNeighbours(positives, negatives)
