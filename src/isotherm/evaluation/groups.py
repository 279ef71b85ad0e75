"""Groups of users, by how much is known of them, and of target items, by how long they have been there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.data import Split
from isotherm.errors import ParameterError
from isotherm.types import Array, Bools, Float64, Int64

_LONGEST = (5, 10, 50, 100)  #: clicks of a history that end a group
_QUARTERS = ("oldest quarter", "2nd quarter", "3rd quarter", "newest quarter")
LABELS = {
    "clicks": ["1-5", "6-10", "11-50", "51-100", "101+"],
    "item-age": [*_QUARTERS, "no click yet"],
}  #: of the groups, in order


@dataclass(frozen=True)
class Grouping:
    """labels: of the groups, in order.  of: (test users,) or (n_items,) group of each.

    facts: label -> what there is to know of a group, as plain JSON.
    """

    labels: list[str]
    of: Int64
    facts: dict[str, dict[str, Any]]
    divides: str  #: users or items


def by_clicks(split: Split) -> Grouping:
    """Test users by the clicks of their history: 1-5, 6-10, 11-50, 51-100, 101+."""
    labels = LABELS["clicks"]
    of = np.searchsorted(_LONGEST, np.diff(split.histories.matrix.indptr))
    return Grouping(labels, of, _counted(labels, of, "users"), "users")


def by_item_age(split: Split) -> Grouping:
    """Items by their first click in train: a quarter of them each, oldest first; then those without a click.

    Raises ParameterError where train has no timestamps.
    """
    train = split.train
    if train.timestamps is None:
        raise ParameterError("groups by item-age need timestamps; name their column with --timestamp-column")
    times = train.timestamps.to_physical().to_numpy()
    born = np.full(train.n_items, np.inf)
    np.minimum.at(born, train.matrix.indices, times)
    clicked = np.isfinite(born)
    edges = np.quantile(born[clicked], [0.25, 0.5, 0.75], method="inverted_cdf")
    labels = LABELS["item-age"]
    of = np.where(clicked, np.searchsorted(edges, born), len(_QUARTERS))
    facts = _counted(labels, of, "items")
    for number, label in enumerate(_QUARTERS):
        if label in facts:
            shown = train.timestamps.filter((of == number)[train.matrix.indices] & _first(times, born, train))
            facts[label] |= {"first": str(shown.min()), "last": str(shown.max())}
    return Grouping(labels, of, facts, "items")


GROUPINGS: dict[str, Callable[[Split], Grouping]] = {"clicks": by_clicks, "item-age": by_item_age}


def _first(times: Array, born: Float64, train: Any) -> Bools:
    """Which clicks are the first of their item."""
    return np.asarray(times == born[train.matrix.indices])


def _counted(labels: list[str], of: Int64, what: str) -> dict[str, dict[str, Any]]:
    counts = np.bincount(of, minlength=len(labels))
    return {label: {what: int(n)} for label, n in zip(labels, counts, strict=True) if n}
