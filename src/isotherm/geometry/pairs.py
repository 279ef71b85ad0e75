"""Pairs of users: probes, with partners of three kinds, and the clicks that they share."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from isotherm.geometry.distances import nearest_users
from isotherm.geometry.posteriors import Posteriors
from isotherm.linalg.csr import binary, filter_entries, ranks_within, rows_of
from isotherm.streams import stream
from isotherm.types import Int64, Strings, UserIndex, UserItems

RANDOM, NEAR, COPY = "random", "near", "copy"
COPY_SHARES = (0.95, 0.8, 0.5, 0.2)  #: shares of a probe's clicks that its subsampled copies keep
_PARTNERS = 20  # of each probe
_NEAREST = 5  # of them nearest users
_BLOCK = 4096


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs of users: the step is v's, the loss is u's.

    probes: (n_probes,) rows of u.  partners: (n_probes, n_partners) rows of v.
    kinds: (n_partners,) "random", "near" (one of u's nearest users) or "copy" (u with fewer clicks).
    """

    probes: UserIndex
    partners: UserIndex
    kinds: Strings

    @property
    def u(self) -> UserIndex:
        """Row of the probe of each pair."""
        return np.repeat(self.probes, self.partners.shape[1])

    @property
    def v(self) -> UserIndex:
        """Row of the partner of each pair."""
        return self.partners.ravel()

    @property
    def kind(self) -> Strings:
        """Kind of each pair."""
        return np.tile(self.kinds, len(self.probes))

    def __len__(self) -> int:
        return self.partners.size

    def block(self, probes: slice, partners: slice) -> "Pairs":
        """Some probes with some of their partners."""
        return Pairs(self.probes[probes], self.partners[probes, partners], self.kinds[partners])

    def subset(self, n: int) -> "Pairs":
        """The pairs of evenly spaced probes, about n pairs."""
        n_probes = max(1, n // self.partners.shape[1])
        chosen = np.unique(np.linspace(0, len(self.probes) - 1, n_probes).astype(int))
        return Pairs(self.probes[chosen], self.partners[chosen], self.kinds)

    def with_copies(self, first_row: int) -> "Pairs":
        """These and each probe with its copies, whose rows begin at ``first_row``.

        The rows are in the order of ``subsample_histories``.
        """
        n_copies = len(COPY_SHARES)
        rows = first_row + np.arange(len(self.probes) * n_copies).reshape(-1, n_copies)
        return Pairs(
            self.probes,
            np.concatenate([self.partners, rows], axis=1),
            np.concatenate([self.kinds, [COPY] * n_copies]),
        )


def draw_pairs(posteriors: Posteriors, n: int, seed: int = 0) -> Pairs:
    """Pairs that with their subsampled copies are about n (at most every user is a probe).

    Of a probe's 20 partners four are left to ``Pairs.with_copies``; the others are its 5 nearest users by W₂
    and 11 drawn at random. Nobody is their own partner; with few users there are fewer partners.
    """
    n_users = len(posteriors)
    rng = stream(seed, "pairs")
    n_partners = min(_PARTNERS - len(COPY_SHARES), n_users - 1)
    n_near = min(_NEAREST, n_partners // 2)
    n_probes = max(1, round(n / (n_partners + len(COPY_SHARES))))
    probes = np.sort(rng.permutation(n_users)[:n_probes])
    drawn = np.stack([rng.choice(n_users - 1, n_partners - n_near, replace=False) for _ in probes])
    drawn += drawn >= probes[:, None]  # a step over oneself
    nearest = nearest_users(posteriors, n_near, probes).rows
    kinds = np.array([RANDOM] * (n_partners - n_near) + [NEAR] * n_near)
    return Pairs(probes, np.concatenate([drawn, nearest.astype(np.int64)], axis=1), kinds)


def subsample_histories(histories: UserItems, probes: UserIndex, seed: int = 0) -> UserItems:
    """Each probe's history with 95%, 80%, 50% and 20% of its clicks, at random, one after the other.

    (n_probes · 4, n_items); one click at least stays.
    """
    whole = histories[np.repeat(probes, len(COPY_SHARES))]
    lengths, rows = np.diff(whole.indptr), rows_of(whole)
    kept = np.maximum(np.rint(np.tile(COPY_SHARES, len(probes)) * lengths), 1)
    lots = stream(seed, "twins").random(whole.nnz)
    return filter_entries(whole, ranks_within(rows, lots) < kept[rows])


def stack_users(histories: UserItems, others: UserItems) -> UserItems:
    """Both histories, one above the other."""
    return csr_array(vstack([histories, others], format="csr"))


def shared_clicks(histories: UserItems, u: UserIndex, v: UserIndex) -> Int64:
    """|S_u ∩ S_v| of each pair, (n_pairs,): the items that both clicked.

    >>> import numpy as np
    >>> from isotherm.geometry.pairs import shared_clicks
    >>> from scipy.sparse import csr_array
    >>> from isotherm.geometry import shared_clicks
    >>> histories = csr_array(np.array([[1, 1, 0], [0, 1, 1]], np.float32))
    >>> shared_clicks(histories, np.array([0, 0]), np.array([0, 1]))
    array([2, 1])
    """
    counts, ones = np.empty(len(u), np.int64), binary(histories)
    for first in range(0, len(u), _BLOCK):
        block = slice(first, first + _BLOCK)
        counts[block] = np.asarray(ones[u[block]].multiply(ones[v[block]]).sum(axis=1)).ravel()
    return counts
