"""Groups of users, by whether train holds them or how much is known of them, and of items, by their age."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.data import Split
from isotherm.errors import ParameterError
from isotherm.evaluation.candidates import CandidateSet
from isotherm.evaluation.measures import ranking_metrics
from isotherm.evaluation.user_values import UserValues
from isotherm.linalg.csr import filter_entries
from isotherm.types import Int32, Int64

_LONGEST = (5, 10, 50, 100)  #: clicks of the longest history of a group
_QUARTERS = ("oldest quarter", "2nd quarter", "3rd quarter", "newest quarter")
LABELS = {
    "history": ["1-5", "6-10", "11-50", "51-100", "101+"],
    "item-age": [*_QUARTERS, "no click yet"],
    "users": ["returning", "new"],
}  #: of the groups, in order


@dataclass(frozen=True)
class Grouping(ABC):
    """Each test user, or each item, in one group."""

    labels: list[str]  #: of the groups, in order
    group_of: Int64  #: (n_test_users,) or (n_items,) number of the group of each
    facts: dict[str, dict[str, Any]]  #: label -> what there is to know of a group, as plain JSON

    def divide(
        self, values: UserValues, columns: Int32, candidates: CandidateSet, ks: Sequence[int]
    ) -> dict[str, UserValues]:
        """Label -> metrics of a group; groups without users are left out.

        values: of all users with a target in the candidate set.  columns: (n_users, k) items of their lists.
        """
        groups = {
            label: self._values_of(number, values, columns, candidates, ks)
            for number, label in enumerate(self.labels)
        }
        return {label: group for label, group in groups.items() if len(group.users)}

    def describe(self, candidates: CandidateSet) -> dict[str, dict[str, Any]]:
        """What there is to know of the groups; ``candidates``: the set of all items."""
        return self.facts

    @abstractmethod
    def _values_of(
        self, number: int, values: UserValues, columns: Int32, candidates: CandidateSet, ks: Sequence[int]
    ) -> UserValues:
        """Metrics of one group."""


class UserGrouping(Grouping):
    """Groups of users: each has all metrics of its users."""

    def rows_of(self, candidates: CandidateSet) -> dict[str, Int64]:
        """Label -> rows of its users among those of a candidate set; groups without users are left out."""
        groups = self.group_of[candidates.user_rows]
        rows = {label: np.flatnonzero(groups == number) for number, label in enumerate(self.labels)}
        return {label: of_group for label, of_group in rows.items() if len(of_group)}

    def describe(self, candidates: CandidateSet) -> dict[str, dict[str, Any]]:
        """Users, clicks to find, and the share of these on new items."""
        return {label: candidates.asked(rows) for label, rows in self.rows_of(candidates).items()}

    def _values_of(
        self, number: int, values: UserValues, columns: Int32, candidates: CandidateSet, ks: Sequence[int]
    ) -> UserValues:
        return values.take(np.flatnonzero(self.group_of[candidates.user_rows] == number))


class ItemGrouping(Grouping):
    """Groups of items: each has the ranking metrics of the users with a target among its items."""

    def _values_of(
        self, number: int, values: UserValues, columns: Int32, candidates: CandidateSet, ks: Sequence[int]
    ) -> UserValues:
        targets = filter_entries(candidates.targets, self.group_of[candidates.targets.indices] == number)
        rows = np.flatnonzero(np.diff(targets.indptr))
        return UserValues(values.users.gather(rows), ranking_metrics(columns[rows], targets[rows], ks))


def by_history(split: Split) -> UserGrouping:
    """Test users by the clicks of their history: 1-5, 6-10, 11-50, 51-100, 101+."""
    labels = LABELS["history"]
    group_of = np.searchsorted(_LONGEST, np.diff(split.histories.matrix.indptr))
    return UserGrouping(labels, group_of, {})


def by_users(split: Split) -> UserGrouping:
    """Test users by whether train holds a click of theirs: returning, new."""
    return UserGrouping(LABELS["users"], (~split.returning).astype(np.int64), {})


def by_item_age(split: Split) -> ItemGrouping:
    """Items by their first click in train: a quarter of them each, oldest first; then those without a click.

    Raises ParameterError where train has no timestamps.
    """
    train = split.train
    if train.timestamps is None:
        raise ParameterError("groups by item-age need timestamps; name their column with --timestamp-column")
    times = train.timestamps.to_physical().to_numpy()
    click_items = train.matrix.indices
    first_times = np.full(train.n_items, np.inf)
    np.minimum.at(first_times, click_items, times)
    clicked = np.isfinite(first_times)
    edges = np.quantile(first_times[clicked], [0.25, 0.5, 0.75], method="inverted_cdf")
    labels = LABELS["item-age"]
    group_of = np.where(clicked, np.searchsorted(edges, first_times), len(_QUARTERS))
    facts = _counted(labels, group_of)
    is_first = np.asarray(times == first_times[click_items])
    for number, label in enumerate(_QUARTERS):
        if label in facts:
            firsts = train.timestamps.filter((group_of == number)[click_items] & is_first)
            facts[label] |= {"first": str(firsts.min()), "last": str(firsts.max())}
    return ItemGrouping(labels, group_of, facts)


GROUPINGS: dict[str, Callable[[Split], Grouping]] = {
    "history": by_history,
    "item-age": by_item_age,
    "users": by_users,
}


def _counted(labels: list[str], group_of: Int64) -> dict[str, dict[str, Any]]:
    """Label -> {"items": how many} of the groups that are not empty."""
    counts = np.bincount(group_of, minlength=len(labels))
    return {label: {"items": int(n)} for label, n in zip(labels, counts, strict=True) if n}
