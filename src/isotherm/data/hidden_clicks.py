"""A split: what to train on, what is known of each test user, and the hidden clicks that are to be found."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import between
from isotherm.data.click_ranks import user_click_ranks
from isotherm.data.ids import IdMap
from isotherm.data.interactions import Interactions
from isotherm.errors import ParameterError, SplitError, brief
from isotherm.linalg.csr import binary, widen
from isotherm.types import Bools, Int64, UserItems


@dataclass(frozen=True, eq=False)
class Split:
    """What to train on, what is known of each test user, and what to find.

    >>> from isotherm import Interactions
    >>> from isotherm.data.splits import cold_items
    >>> from scipy.sparse import csr_array
    >>> split = cold_items(Interactions.from_csr(csr_array([[1, 1, 0], [1, 0, 1], [1, 1, 1]])), 0.3)
    >>> split.train.n_clicks, int(split.targets.nnz), split.cold.tolist()
    (5, 2, [False, False, True])
    """

    protocol: str
    train: Interactions  #: over all users and items
    histories: Interactions  #: (n_test_users, n_items) the clicks known at test time
    targets: UserItems  #: (n_test_users, n_items) the hidden clicks, each 1, at least one per user
    settings: dict[str, Any]
    dropped: dict[str, int] = field(default_factory=dict)  #: what was left out, and how often
    negatives: Int64 | None = None  #: (n_test_users, n) item columns; None for a ranking over all items
    valid: Interactions | None = None  #: clicks kept apart for a model's own early stopping

    @property
    def cold(self) -> Bools:
        """(n_items,) true for the items that no train row clicks."""
        return np.asarray(self.train.item_clicks() == 0)

    @property
    def returning(self) -> Bools:
        """(n_test_users,) true for the users with a train click; the others are new."""
        n_clicks = np.diff(self.train.matrix.indptr)
        return np.asarray(n_clicks[self.train.users.rows(self.histories.users.values)] > 0)

    def over(self, items: IdMap) -> "Split":
        """The same split over more items: ``items`` begins with those of the split, in their order."""

        def wide(matrix: UserItems) -> UserItems:
            return widen(matrix, len(items))

        def over_items(log: Interactions) -> Interactions:
            return replace(log, items=items, matrix=wide(log.matrix))

        return replace(
            self,
            train=over_items(self.train),
            histories=over_items(self.histories),
            targets=wide(self.targets),
            valid=None if self.valid is None else over_items(self.valid),
        )

    def describe(self) -> dict[str, Any]:
        """Counts and settings, as evaluate's JSON holds them."""
        return {
            "protocol": self.protocol,
            **self.settings,
            "train_users": int((np.diff(self.train.matrix.indptr) > 0).sum()),
            "train_clicks": self.train.n_clicks,
            "items": self.train.n_items,
            "cold_items": int(self.cold.sum()),
            "test_users": self.histories.n_users,
            "test_clicks": int(self.targets.nnz),
            "dropped": self.dropped,
        }


def hide_clicks(clicks: Interactions, hidden: Bools, protocol: str, settings: dict[str, Any]) -> Split:
    """What is not ``hidden`` (one flag per click) is train, what is hidden is to be found."""
    return split_of(clicks.keep(~hidden), clicks.keep(hidden), protocol, settings)


def split_of(train: Interactions, test: Interactions, protocol: str, settings: dict[str, Any]) -> Split:
    """Test users are those with a hidden click and a history to recommend from.

    A click that is in train as well as in test is nothing to find: it is dropped from the targets.
    """
    targets = csr_array(test.matrix - test.matrix.multiply(train.matrix != 0))
    targets.eliminate_zeros()
    n_targets, with_history = np.diff(targets.indptr), np.diff(train.matrix.indptr) > 0
    without_history = (n_targets > 0) & ~with_history
    dropped = {
        "users with no train click": int(without_history.sum()),
        "test clicks of users with no train click": int(n_targets[without_history].sum()),
        "test clicks that train holds too": test.n_clicks - int(targets.nnz),
    }
    rows = np.flatnonzero((n_targets > 0) & with_history)
    _check_sides(train, len(rows), protocol)
    return Split(
        protocol,
        train,
        train.take_users(rows),
        binary(targets[rows]),
        settings,
        {reason: n for reason, n in dropped.items() if n},
    )


def fold_in_users(
    train: Interactions, test: Interactions, rng: np.random.Generator, settings: dict[str, Any]
) -> Split:
    """Users new to train: settings["fold_in"] of the clicks of each is history, the rest is to be found."""
    fold_in = settings["fold_in"]
    single = np.diff(test.matrix.indptr) < 2
    test = test.take_users(np.flatnonzero(~single))
    _check_sides(train, test.n_users, "strong")
    n_clicks = np.diff(test.matrix.indptr)
    n_history = np.clip(np.rint(fold_in * n_clicks), 1, n_clicks - 1)
    in_history = user_click_ranks(test.matrix, rng) < n_history[test.click_users()]
    dropped = {"held-out users with a single click": int(single.sum())} if single.any() else {}
    targets = binary(test.keep(~in_history).matrix)
    return Split("strong", train, test.keep(in_history), targets, settings, dropped)


def check_log(name: str, log: Any) -> None:
    """That ``log`` is Interactions. Raises ParameterError with the cure."""
    if not isinstance(log, Interactions):
        cure = "Interactions.from_frame(…) or Interactions.read(…) makes them"
        raise ParameterError(f"{name} must be Interactions, not {type(log).__name__}; {cure}")


def checked_share(name: str, value: float) -> float:
    """``value`` as a number between 0 and 1, both left out. Raises SplitError."""
    try:
        return between(name, value, 0, 1, "()")
    except ParameterError as cause:
        raise SplitError(f"{name} must be between 0 and 1, not {brief(value)}") from cause


def hold_out(n: int, holdout: float, rng: np.random.Generator, what: str) -> Bools:
    """(n,) flags of a seeded share ``holdout``. Raises SplitError where it leaves none on one side."""
    size = round(checked_share("holdout", holdout) * n)
    if not 0 < size < n:
        raise SplitError(f"holding out {holdout:g} of {n} {what} leaves none on one side")
    flags = np.zeros(n, dtype=bool)
    flags[rng.permutation(n)[:size]] = True
    return flags


def _check_sides(train: Interactions, n_test_users: int, protocol: str) -> None:
    if not train.n_clicks:
        raise SplitError(f"the {protocol} split leaves 0 clicks to train on")
    if not n_test_users and protocol == "given":
        raise SplitError(
            "no user of test has both a click in train and one in test that train does not hold already; "
            "are both the same log?"
        )
    if not n_test_users:
        raise SplitError(
            f"the {protocol} split leaves no user with both a history and a hidden click; "
            "a larger log or another holdout is needed"
        )
