"""The fingerprint of a fit: settings in words, arrays by SHA-256. A run folder belongs to one fingerprint."""

import hashlib

import numpy as np
from scipy.sparse import csr_array

from isotherm.parameters import has_settings, hyperparameters
from isotherm.types import Array


def described(model: object, prefix: str = "") -> dict[str, str]:
    """Dotted name -> value of every hyper-parameter of a model and its parts."""
    values = {}
    for name, value in hyperparameters(model).items():
        if has_settings(value):
            values[prefix + name] = type(value).__name__
            values |= described(value, f"{prefix}{name}.")
        else:
            values[prefix + name] = repr(value)
    return values


def digest(*arrays: Array) -> str:
    """SHA-256 of arrays with their types and shapes."""
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(f"{array.dtype.str} {array.shape} ".encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def digest_of_rows(*matrices: csr_array) -> str:
    """The same of CSR matrices."""
    return digest(*(a for m in matrices for a in (np.array(m.shape), m.indptr, m.indices, m.data)))
