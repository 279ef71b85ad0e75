"""Keeps each item's nearest neighbours out of a band of similarities."""

from scipy.sparse import csr_array, vstack

from isotherm.linalg.csr import pack
from isotherm.ranking.topk import top_k
from isotherm.types import Float32


def nearest(similarities: Float32, k: int) -> csr_array:
    """The k largest positive similarities of each row, (n_rows, n_columns) CSR float32."""
    columns, values = top_k(similarities, min(k, similarities.shape[1]))
    kept = (columns >= 0) & (values > 0)
    matrix = pack(kept, columns, values, similarities.shape[1])
    matrix.sort_indices()
    return matrix


def stacked(bands: list[csr_array]) -> csr_array:
    """Bands of rows (scored items) as weights: row = clicked item, column = scored item."""
    weights = csr_array(vstack(bands, format="csr").T.tocsr())
    weights.sort_indices()
    return weights
