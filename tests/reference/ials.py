"""iALS in dense loops: exact rounds (Hu et al. 2008, eq. 4-5) and two preconditioned steps for each row."""

import numpy as np


def systems(x, others, ridge, w):
    """The matrix A and the right side b of each row: r minimizes ½ rᵀAr − b·r."""
    gram, eye = w * others.T @ others, np.eye(others.shape[1])
    return [
        (gram + l2 * eye + (others.T * row) @ others, others.T @ row)
        for row, l2 in zip(x, ridge, strict=True)
    ]


def exact_side(x, others, ridge, w):
    """Each row solved for, with the factors of the columns held."""
    return np.array([np.linalg.solve(a, b) for a, b in systems(x, others, ridge, w)])


def exact_rounds(x, items, ridges, w, n_rounds):
    """Users and items after so many rounds of exact solves.  ridges: of users, of items."""
    for _ in range(n_rounds):
        users = exact_side(x, items, ridges[0], w)
        items = exact_side(x.T, users, ridges[1], w)
    return users, items


def two_steps(x, others, ridge, w, start):
    """Each row after two steps of conjugate gradients from ``start``, behind a preconditioner M of its own.

    M is diagonal in the eigenvectors of the Gram matrix: what all columns give, the ridge, and for each click
    the mean of q qᵀ over all clicks. Two steps lead to the best point of start + span(M⁻¹e, M⁻¹AM⁻¹e), e the
    residual at the start.
    """
    gram = w * others.T @ others
    _, v = np.linalg.eigh(gram)
    mean = (others.T * x.sum(axis=0)) @ others / x.sum()
    rows = []
    for row, l2, r, (a, b) in zip(x, ridge, start, systems(x, others, ridge, w), strict=True):
        inverse = v @ np.diag(1 / (np.diag(v.T @ (gram + row.sum() * mean) @ v) + l2)) @ v.T
        residual = b - a @ r
        span, _ = np.linalg.qr(np.stack([inverse @ residual, inverse @ a @ inverse @ residual], axis=1))
        rows.append(r + span @ np.linalg.solve(span.T @ a @ span, span.T @ residual))
    return np.array(rows)
