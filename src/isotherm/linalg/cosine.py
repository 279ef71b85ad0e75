"""Cosines, which are 0 where a vector is zero: factors, decoder rows, posteriors, histories, clicks."""

import numpy as np
from scipy.sparse import csr_array, issparse

from isotherm.types import Float32, Float64, Int64


def cosines(vectors: Float32 | csr_array, vector: Float32) -> Float32:
    """Cosine of each row of ``vectors`` (n, width), dense or CSR, with ``vector`` (width,).

    Returns (n,) float32 in [-1, 1], 0 where one of the two is zero.

    >>> import numpy as np
    >>> from isotherm.linalg.cosine import cosines
    >>> cosines(np.array([[3, 4], [0, 0]], dtype=np.float32), np.array([1, 0], dtype=np.float32))
    array([0.6, 0. ], dtype=float32)
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


def gram_cosines(gram: Float32, rows: Int64) -> Float32:
    """Cosines of the vectors ``rows`` with all n, (len(rows), n), from their Gram matrix (n, n)."""
    lengths = np.sqrt(np.diag(gram))
    scale = lengths[rows, None] * lengths
    found: Float32 = np.divide(gram[rows], scale, out=np.zeros_like(scale), where=scale > 0)
    return found


def unit_rows(vectors: Float64) -> Float64:
    """The rows of (n, width), each of length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Float64 = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return units
