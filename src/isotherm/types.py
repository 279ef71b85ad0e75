"""Names for the arrays that run through the house: what they hold, and with it dtype and shape."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Array: TypeAlias = NDArray[Any]  #: of any dtype and shape; what a kernel reads or fills
Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Int32: TypeAlias = NDArray[np.int32]
Int64: TypeAlias = NDArray[np.int64]
UInt64: TypeAlias = NDArray[np.uint64]
Bools: TypeAlias = NDArray[np.bool_]
Strings: TypeAlias = NDArray[np.str_]

UserItems: TypeAlias = (
    csr_array  #: (users, items) CSR in float32, columns ascending per row: weights of clicks
)
Scores: TypeAlias = NDArray[np.float32]  #: (users, items): the higher, the sooner shown
ItemWeights: TypeAlias = NDArray[np.float32]  #: (items, columns): row = clicked item, column = scored item
ItemIndex: TypeAlias = NDArray[np.int64]  #: (n,): columns of items in the catalogue
UserIndex: TypeAlias = NDArray[np.int64]  #: (n,): rows of users
ItemFeatures: TypeAlias = csr_array  #: (items, features) CSR in float32: item vectors of sparse metadata
Similarities: TypeAlias = NDArray[np.float32]  #: (query items, catalogue items)
SimilarityStack: TypeAlias = NDArray[np.float32]  #: (fields or terms, query items, catalogue items)
