"""The contrastive loss of the Siamese embedding, InfoNCE (MARec, eq. 2), and the items that it compares.

For item i with positives P (the k items of highest click cosine), negatives N (the k of lowest), and s the
cosine of embeddings over the temperature τ, the loss is

    −1/k Σ_{p∈P} log exp s_ip / (exp s_ip + Σ_{n∈N} exp s_in)
"""

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


def click_neighbours(gram: Float32, k: int, seed: int) -> tuple[Int64, Int64]:
    """Positives and negatives of each item: the k items of highest click cosine and the k of lowest.

    gram: XᵀX, (n_items, n_items).  Lots decide among equals; of few items k is at most half.
    Returns two arrays (n_items, k).
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
    return positives, negatives
