"""Candidate sets: all, cold and warm items, each with the hidden clicks that are to be found among them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.data import Split
from isotherm.linalg.csr import filter_entries
from isotherm.types import Bools, Int64, UserItems


@dataclass(frozen=True)
class CandidateSet:
    """Candidates and targets both restricted to the same items."""

    name: str
    items: Bools  #: (n_items,) which items are candidates
    targets: UserItems  #: (n_users, n_items) of the users with a target here
    user_rows: Int64  #: (n_users,) their rows among the test users
    new: Bools  #: (n_items,) which candidates no train row clicks

    def describe(self) -> dict[str, Any]:
        """How many candidates there are, and what is asked of whom."""
        return {"items": int(self.items.sum()), **self.asked(np.arange(len(self.user_rows)))}

    @property
    def of_both_kinds(self) -> bool:
        """Whether new and known items stand in one list."""
        return bool((self.items & self.new).any() and (self.items & ~self.new).any())

    def asked(self, rows: Int64) -> dict[str, Any]:
        """How many users there are at ``rows``, their clicks to find, and the share of these on new items.

        Without the share where no item is new.
        """
        targets = self.targets[rows]
        facts = {"users": len(rows), "clicks": int(targets.nnz)}
        if not self.new.any():
            return facts
        on_new = int(np.count_nonzero(self.new[targets.indices]))
        return {**facts, "new_item_share": on_new / targets.nnz if targets.nnz else 0.0}


def candidate_sets(
    split: Split, users: Bools | None = None, shown: Bools | None = None
) -> list[CandidateSet]:
    """all and, where some item is cold, cold and warm; a set without targets is left out.

    users: (n_test_users,) flags of the only ones to measure, None for all.  shown: (n_items,) flags of the
    only candidates, None for all.
    """
    shown = np.ones_like(split.cold) if shown is None else shown
    cold = split.cold & shown
    flags = {"all": shown}
    if cold.any():
        flags |= {"cold": cold, "warm": ~cold & shown}
    sets = []
    for name, items in flags.items():
        targets = filter_entries(split.targets, items[split.targets.indices])
        with_target = np.diff(targets.indptr) > 0
        rows = np.flatnonzero(with_target if users is None else with_target & users)
        if len(rows):
            sets.append(CandidateSet(name, items, targets[rows], rows, cold))
    return sets
