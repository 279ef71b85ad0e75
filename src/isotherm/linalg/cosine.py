"""Cosines of many vectors with one: what near is among factors, decoder rows, posteriors and histories."""

import numpy as np
from scipy.sparse import csr_array, issparse

from isotherm.types import Float32


def cosines(vectors: Float32 | csr_array, vector: Float32) -> Float32:
    """Cosine of each row of ``vectors`` (n, width), dense or CSR, with ``vector`` (width,).

    Returns (n,) float32 in [-1, 1], 0 where one of the two is zero.
    """
    if issparse(vectors):
        lengths = np.sqrt(np.asarray((vectors * vectors).sum(axis=1)))
    else:
        lengths = np.linalg.norm(vectors, axis=1)
    scale = lengths * np.linalg.norm(vector)
    products = np.asarray(vectors @ vector, dtype=np.float32)
    np.divide(products, scale, out=products, where=scale > 0)
    products[scale == 0] = 0
    return np.clip(products, -1, 1)
