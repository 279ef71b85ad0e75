"""EASE (Steck 2019), literally."""

import numpy as np


def eq8_weights(x, l2):
    """B = I − P·diag(P)⁻¹, P = (XᵀX + λI)⁻¹, zero diagonal."""
    p = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    b = np.eye(len(p)) - p / np.diag(p)[None, :]
    np.fill_diagonal(b, 0)
    return b


def edlae_weights(x, l2, denoising):
    """EDLAE (Steck 2020): B = I − P·diag(P)⁻¹, P = (XᵀX + λI + a·diag(XᵀX))⁻¹."""
    gram = x.T @ x
    p = np.linalg.inv(gram + l2 * np.eye(len(gram)) + denoising * np.diag(np.diag(gram)))
    b = np.eye(len(p)) - p / np.diag(p)[None, :]
    np.fill_diagonal(b, 0)
    return b


def expected_loss(x, b, l2, denoising):
    """What these minimize: the expected squared error of Xᵈ·B, Xᵈ what dropout leaves of the clicks.

    A share q = a / (1 + a) is dropped, and what stays is divided by 1 − q.
    """
    variance = np.diag((x**2).sum(axis=0)) * denoising  # of a row of Xᵈ, summed over users
    error = ((x - x @ b) ** 2).sum()
    return error + np.trace(b.T @ variance @ b) + l2 * (b**2).sum()


def weighted_weights(x, l2, power):
    """Each user's row of the loss weighs c / clicksᵖ, so that a click weighs 1 in the mean."""
    n = (x != 0).sum(axis=1)
    w = np.where(n > 0, np.maximum(n, 1.0) ** -power, 0)
    w *= n.sum() / (w @ n)
    return eq8_weights(np.sqrt(w)[:, None] * x, l2)


def relaxed_weights(x, l2, denoising, relaxation):
    """Moon et al. 2023: min ‖X − XB‖² + Σ Λ_i B_ij² under B_jj ≤ ξ, column by column.

    Where the free solution B = (C + Λ)⁻¹C keeps to it, it is the solution; elsewhere B_jj = ξ, by a Lagrange
    multiplier.
    """
    gram = x.T @ x
    ridge = l2 * np.eye(len(gram)) + denoising * np.diag(np.diag(gram))
    p = np.linalg.inv(gram + ridge)
    b = p @ gram
    for j in range(len(b)):
        if b[j, j] > relaxation:
            multiplier = (b[j, j] - relaxation) / p[j, j]
            b[:, j] -= multiplier * p[:, j]
    return b


def hidden_ndcg(x, user, kept, l2, denoising, power, relaxation, cut):
    """nDCG@cut of the user's clicks outside ``kept`` (n_items,), by a model that has never seen the user."""
    n = (x != 0).sum(axis=1)
    w = np.where(n > 0, np.maximum(n, 1.0) ** -power, 0)
    w *= n.sum() / (w @ n)
    gram = (x * w[:, None]).T @ x
    ridge = np.diag(l2 + denoising * np.diag(gram))
    p = np.linalg.inv(gram - w[user] * np.outer(x[user], x[user]) + ridge)
    multipliers = (1 - relaxation) / np.diag(p)
    if relaxation:
        multipliers = np.maximum(multipliers, np.diag(ridge))
    scores = -(kept @ p) * multipliers
    scores[kept > 0] = -np.inf
    hidden = np.flatnonzero((x[user] > 0) & (kept == 0))
    ranks = [(scores >= scores[item]).sum() for item in hidden]
    gain = sum(1 / np.log2(rank + 1) for rank in ranks if rank <= cut)
    return gain / sum(1 / np.log2(rank + 1) for rank in range(1, min(cut, len(hidden)) + 1))
