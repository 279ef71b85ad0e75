"""Pairs of users to look at: probes, with partners of three kinds, and what their clicks share."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from isotherm.geometry.distances import nearest_users
from isotherm.geometry.posteriors import Posteriors
from isotherm.linalg.csr import binary, filter_entries, ranks_within, rows_of
from isotherm.streams import stream
from isotherm.types import Int64, Strings

_PARTNERS = 20  # of each probe
_NEAR = 5  # of them nearest users
TWINS = (0.95, 0.8, 0.5, 0.2)  # shares of a probe's clicks that its twins keep
_BLOCK = 4096


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs: v's step, u's loss.

    probes: (n_probes,) rows of u.  partners: (n_probes, n_partners) rows of v.
    kinds: (n_partners,) "random", "near" (one of u's nearest users) or "twin" (u with fewer clicks).
    """

    probes: Int64
    partners: Int64
    kinds: Strings

    @property
    def u(self) -> Int64:
        """Row of the probe of each pair."""
        return np.repeat(self.probes, self.partners.shape[1])

    @property
    def v(self) -> Int64:
        """Row of the partner of each pair."""
        return self.partners.ravel()

    @property
    def kind(self) -> Strings:
        """Kind of each pair."""
        return np.tile(self.kinds, len(self.probes))

    def __len__(self) -> int:
        return self.partners.size

    def some(self, probes: slice, partners: slice) -> "Pairs":
        """Some probes with some of their partners."""
        return Pairs(self.probes[probes], self.partners[probes, partners], self.kinds[partners])

    def thinned(self, n: int) -> "Pairs":
        """The pairs of some of the probes, about n."""
        few = max(1, n // self.partners.shape[1])
        rows = np.unique(np.linspace(0, len(self.probes) - 1, few).astype(int))
        return Pairs(self.probes[rows], self.partners[rows], self.kinds)

    def with_twins(self, first_row: int) -> "Pairs":
        """The same and each probe's twins, whose rows begin at ``first_row``, in the order of ``twins``."""
        rows = first_row + np.arange(len(self.probes) * len(TWINS)).reshape(-1, len(TWINS))
        return Pairs(
            self.probes,
            np.concatenate([self.partners, rows], axis=1),
            np.concatenate([self.kinds, ["twin"] * len(TWINS)]),
        )


def draw_pairs(posteriors: Posteriors, n: int, seed: int = 0) -> Pairs:
    """Pairs that with their twins are about n (at most every user is a probe).

    Of a probe's 20 partners four are left to ``with_twins``; the others are its 5 nearest users by W₂ and 11
    drawn at random. Nobody is their own partner; with few users there are fewer partners.
    """
    n_users = len(posteriors)
    rng = stream(seed, "pairs")
    partners = min(_PARTNERS - len(TWINS), n_users - 1)
    near = min(_NEAR, partners // 2)
    probes = np.sort(rng.permutation(n_users)[: max(1, round(n / (partners + len(TWINS))))])
    drawn = np.stack([rng.choice(n_users - 1, partners - near, replace=False) for _ in probes])
    drawn += drawn >= probes[:, None]  # a step over oneself
    nearest = nearest_users(posteriors, near, probes)[0]
    kinds = np.array(["random"] * (partners - near) + ["near"] * near)
    return Pairs(probes, np.concatenate([drawn, nearest.astype(np.int64)], axis=1), kinds)


def subsample_histories(histories: csr_array, probes: Int64, seed: int = 0) -> csr_array:
    """Each probe's history with 95%, 80%, 50% and 20% of its clicks, at random, one after the other.

    (n_probes · 4, n_items) CSR; one click at least stays.
    """
    whole = histories[np.repeat(probes, len(TWINS))]
    lengths, rows = np.diff(whole.indptr), rows_of(whole)
    wanted = np.maximum(np.rint(np.tile(TWINS, len(probes)) * lengths), 1)
    lots = stream(seed, "twins").random(whole.nnz)
    return filter_entries(whole, ranks_within(rows, lots) < wanted[rows])


def stacked(histories: csr_array, more: csr_array) -> csr_array:
    """Both, one above the other."""
    return csr_array(vstack([histories, more], format="csr"))


def shared_clicks(histories: csr_array, u: Int64, v: Int64) -> Int64:
    """|S_u ∩ S_v| of each pair, (n_pairs,): the items that both clicked."""
    found, ones = np.empty(len(u), np.int64), binary(histories)
    for first in range(0, len(u), _BLOCK):
        last = first + _BLOCK
        both = ones[u[first:last]].multiply(ones[v[first:last]])
        found[first:last] = np.asarray(both.sum(axis=1)).ravel()
    return found
