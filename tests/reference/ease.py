"""EASE (Steck 2019), literally."""

import numpy as np


def eq8_weights(x, l2):
    """B = I − P·diag(P)⁻¹, P = (XᵀX + λI)⁻¹, zero diagonal."""
    p = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    b = np.eye(len(p)) - p / np.diag(p)[None, :]
    np.fill_diagonal(b, 0)
    return b
