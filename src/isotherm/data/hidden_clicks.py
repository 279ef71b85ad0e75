"""A split: what to train on, what is known of each test user, and the hidden clicks that are to be found."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import between
from isotherm.data.click_ranks import earlier_clicks, user_click_ranks
from isotherm.data.existing import Existing
from isotherm.data.ids import IdMap
from isotherm.data.interactions import Interactions
from isotherm.data.wording import counted
from isotherm.errors import ParameterError, SplitError, brief
from isotherm.linalg.csr import binary, rows_of, widen
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

    protocol: str  #: how it was made
    train: Interactions  #: over all users and items
    histories: Interactions  #: (n_test_users, n_items) the clicks known at test time
    targets: UserItems  #: (n_test_users, n_items) the hidden clicks, each 1, at least one per user
    settings: dict[str, Any]  #: of the protocol
    dropped: dict[str, int] = field(default_factory=dict)  #: what was left out, and how often
    negatives: Int64 | None = None  #: (n_test_users, n) item columns; None for a ranking over all items
    valid: Interactions | None = None  #: clicks kept apart for a model's own early stopping
    existing: Existing | None = None  #: the items that were there at test time; None for all

    def __repr__(self) -> str:
        users, clicks = counted(self.targets.shape[0], "user"), counted(int(self.targets.nnz), "click")
        return f"Split({self.protocol}; train: {self.train}; {clicks} of {users} to find)"

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
            existing=None if self.existing is None else self.existing.over(len(items)),
        )

    def describe(self) -> dict[str, Any]:
        """Counts and settings, as evaluate's JSON holds them."""
        existing = np.ones_like(self.cold) if self.existing is None else self.existing.clicked
        return {
            "protocol": self.protocol,
            **self.settings,
            "train_users": int((np.diff(self.train.matrix.indptr) > 0).sum()),
            "train_clicks": self.train.n_clicks,
            "items": int(existing.sum()),
            "cold_items": int((self.cold & existing).sum()),
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
        "users without a click in train: there is none to recommend by": int(without_history.sum()),
        "hidden clicks of users without a click in train": int(n_targets[without_history].sum()),
        "test clicks that train holds too: they are known, not to be found": test.n_clicks - int(targets.nnz),
    }
    rows = np.flatnonzero((n_targets > 0) & with_history)
    check_sides(train, len(rows), protocol)
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
    """Users new to train: settings["fold_in"] of the clicks of each is history, the rest is to be found.

    settings["fold_in_order"]: "random" clicks are history, or by "time" the earlier ones.
    Raises SplitError where no user is left on one side, or an order in time is asked of a log without times.
    """
    n_clicks = np.diff(test.matrix.indptr)
    in_history = _FOLD_INS[settings["fold_in_order"]](test, settings["fold_in"], rng)
    with_history = np.bincount(test.click_users()[in_history], minlength=test.n_users) > 0
    single, alike = int((n_clicks == 1).sum()), int(((n_clicks > 1) & ~with_history).sum())
    rows = np.flatnonzero(with_history)
    check_sides(train, len(rows), "strong")
    reasons = {
        "held-out users with a single click: there is none to recommend by": single,
        "held-out users whose clicks all came at one moment: there is no earlier one to recommend by": alike,
        "clicks of these held-out users": int(n_clicks[~with_history].sum()) if alike else 0,
    }
    targets = binary(test.keep(~in_history).take_users(rows).matrix)
    dropped = {reason: n for reason, n in reasons.items() if n}
    return Split("strong", train, test.keep(in_history).take_users(rows), targets, settings, dropped)


def _random_clicks(test: Interactions, share: float, rng: np.random.Generator) -> Bools:
    """(n_clicks,) a seeded share of each user's clicks, at least one and, of two or more, never all."""
    n_clicks = np.diff(test.matrix.indptr)
    several = np.flatnonzero(n_clicks > 1)
    matrix = test.matrix[several]  # so that draws do not depend on users with a single click
    n_history = np.clip(np.rint(share * n_clicks), 1, n_clicks - 1)[several]
    flags = np.zeros(test.n_clicks, dtype=bool)
    flags[(n_clicks > 1)[test.click_users()]] = user_click_ranks(matrix, rng) < n_history[rows_of(matrix)]
    return flags


def _earlier_clicks(test: Interactions, share: float, rng: np.random.Generator) -> Bools:
    """(n_clicks,) the earlier share of each user's clicks."""
    why = "fold_in_order is time, which needs times"
    check_timed(test, why)
    times = test.click_times()
    if times is None:
        raise SplitError(f"{why}; name their column with --timestamp-column, or let the order be random")
    return earlier_clicks(test.matrix, times, share)


_FOLD_INS = {"random": _random_clicks, "time": _earlier_clicks}
FOLD_IN_ORDERS = tuple(_FOLD_INS)


def check_log(name: str, log: Any) -> None:
    """That ``log`` is Interactions. Raises ParameterError with the cure."""
    if not isinstance(log, Interactions):
        cure = "Interactions.from_frame(…) or Interactions.read(…) makes them"
        raise ParameterError(f"{name} must be Interactions, not {type(log).__name__}; {cure}")


def check_timed(clicks: Interactions, why: str) -> None:
    """Raise where a log has times, but they could not be read: a random order would be another split."""
    if clicks.untimed:
        raise SplitError(f"{why}, but those of this log could not be read: {clicks.untimed}")


def checked_share(name: str, value: Any) -> float:
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


def check_sides(train: Interactions, n_test_users: int, protocol: str) -> None:
    """Raise SplitError where nothing is left to train on, or nobody to test."""
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
