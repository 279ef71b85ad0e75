"""The nearest neighbours of every item, kept from similarities that are made a band of items at a time."""

from scipy.sparse import csr_array, vstack

from isotherm.linalg.csr import pack
from isotherm.models.linear.item_weights import SparseWeights
from isotherm.ranking.topk import top_k
from isotherm.types import Float32


def k_nearest(similarities: Float32, k: int) -> csr_array:
    """The k largest positive similarities of each row of (n_rows, n_columns), as CSR float32.

    >>> import numpy as np
    >>> from isotherm.models.neighbours.top_neighbours import k_nearest
    >>> k_nearest(np.array([[0.5, 0.1, 0.7], [0.0, -1.0, 0.2]], dtype=np.float32), 2).toarray()
    array([[0.5, 0. , 0.7],
           [0. , 0. , 0.2]], dtype=float32)
    """
    columns, values = top_k(similarities, min(k, similarities.shape[1]))
    kept = pack((columns >= 0) & (values > 0), columns, values, similarities.shape[1])
    kept.sort_indices()
    return kept


def neighbour_weights(bands: list[csr_array]) -> SparseWeights:
    """Weights that score an item by its neighbours, whose similarities are its row in one of the bands."""
    weights = csr_array(vstack(bands, format="csr").T.tocsr())
    weights.sort_indices()
    return SparseWeights(weights)
