"""How unlike the items of a list are, and how well a list reflects what its user clicks.

columns: (n_users, k) int32 items of each list, -1 for none.  A list is measured by its items that have
metadata; NaN where that leaves nothing to measure. Dense arrays are users × metadata values, of a block of
users at a time.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.csr import pack, row_blocks
from isotherm.ranking.metrics import PerUser
from isotherm.types import Bools, Float64, Int32, UserItems

_ALPHA = 0.01  # of Steck 2018, § 3.1: how much of p is mixed into q, so that KL stays finite
_DENSE_BYTES = 32 * 2**20


def intra_list_diversity(columns: Int32, directions: csr_array) -> PerUser:
    """diversity@k: mean distance 1 − xᵢ·xⱼ over the pairs of a list (Smyth and McClave 2001), in [0, 1].

    directions: (n_items, n_values) CSR, rows x of unit length, or zero for an item without metadata.
    With unit rows, Σ_{i≠j} xᵢ·xⱼ = ‖Σx‖² − n: no pair is looked at. NaN for fewer than two items.
    """
    lists = _lists(columns, _has_metadata(directions))
    n = np.diff(lists.indptr)
    sums = lists @ directions
    squares = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    pairs = np.where(n > 1, n * (n - 1.0), np.nan)
    return np.asarray(np.clip(1 - (squares - n) / pairs, 0.0, 1.0))


class Calibration(NamedTuple):
    """How far the distribution of each user's list is from that of the user's history; 0 is the same."""

    kl: PerUser  #: Kullback-Leibler divergence in nats, at most ln 100
    js: PerUser  #: Jensen-Shannon divergence in bits, at most 1


def calibration(columns: Int32, histories: UserItems, shares: csr_array) -> Calibration:
    """calibration-kl@k and calibration-js@k of each user's list.

    p(g|u) is the mean of the items of the history, by the weights of their clicks, q(g|u) that of the list
    (Steck 2018, eq. 2-3).  kl: KL(p ‖ (1 − α)q + αp) with α = 0.01 (eq. 6).  js: of p and q.
    histories: (n_users, n_items) CSR.  shares: (n_items, n_values) CSR, rows that sum to 1 or to 0.
    NaN where no item of the history, or none of the list, has metadata.
    """
    kl, js = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    size = max(1, _DENSE_BYTES // (8 * max(shares.shape[1], 1)))
    lists = _lists(columns, _has_metadata(shares))
    first = 0
    for p, q in zip(_means(histories, shares, size), _means(lists, shares, size), strict=True):
        rows = first + np.flatnonzero(p.any(axis=1) & q.any(axis=1))
        p, q = p[rows - first], q[rows - first]
        kl[rows] = _kl(p, (1 - _ALPHA) * q + _ALPHA * p)
        middle = (p + q) / 2
        js[rows] = (_kl(p, middle) + _kl(q, middle)) / (2 * np.log(2))
        first += size
    return Calibration(kl, js)


def _has_metadata(vectors: csr_array) -> Bools:
    """(n_items,) whether an item has metadata."""
    return np.asarray(np.diff(vectors.indptr) > 0)


def _lists(columns: Int32, has_metadata: Bools) -> UserItems:
    """(n_users, n_items) CSR with a 1 for each item of a list that has metadata."""
    kept = (columns >= 0) & has_metadata[columns]
    return pack(kept, columns, np.ones(kept.shape), len(has_metadata))


def _means(weights: UserItems, shares: csr_array, size: int) -> Iterator[Float64]:
    """Distribution over the values, or zeros, of each row of ``weights``: dense, ``size`` rows at a time."""
    for block in row_blocks(weights, size):
        sums = (block.astype(np.float64) @ shares).toarray()
        total = sums.sum(axis=1, keepdims=True)
        yield np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)


def _kl(p: Float64, q: Float64) -> PerUser:
    """Σ_g p(g) ln(p(g) / q(g)), with q(g) > 0 wherever p(g) > 0; rounding never makes it negative."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.asarray(np.maximum((p * np.log(ratio)).sum(axis=1), 0.0))
