"""Seeded ways to hide clicks and then ask for them: cold-items, mixed, strong, leave-one-out, temporal.

Every split keeps the whole log's user and item ids, and says in ``dropped`` what it left out and why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.checks import between, seeded, whole
from isotherm.data.ids import IdMap
from isotherm.data.interactions import Interactions
from isotherm.errors import ParameterError, SplitError, UnknownIdError, brief
from isotherm.linalg.csr import binary, ranks_within, rows_of, widen
from isotherm.types import Array, Bools, Int64


@dataclass(frozen=True, eq=False)
class Split:
    """What to train on, what is known of each test user, and what to find.

    train: Interactions over all users and items.  histories: Interactions (test users × items), the clicks
    known at test time.  targets: csr_array (test users × items), the hidden clicks, at least one a row.
    negatives: (test users, n) item columns, or None for a ranking over all items.
    valid: clicks kept apart for a model's own early stopping, or None.
    """

    protocol: str
    train: Interactions
    histories: Interactions
    targets: csr_array
    settings: dict[str, Any]
    dropped: dict[str, int] = field(default_factory=dict)
    negatives: Int64 | None = None
    valid: Interactions | None = None

    @property
    def cold(self) -> Bools:
        """(n_items,) true for the items that no train row clicks."""
        return np.asarray(self.train.item_clicks() == 0)

    def over(self, items: IdMap) -> "Split":
        """The same split over more items: ``items`` begins with those of the split, in their order."""

        def wide(matrix: csr_array) -> csr_array:
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


def cold_items(clicks: Interactions, holdout: float = 0.2, seed: int = 0) -> Split:
    """Hide every click on ``holdout`` of the items: they are brand-new at test time."""
    check_log("clicks", clicks)
    holdout, seed = share_of("holdout", holdout), seeded("seed", seed)
    cold = chosen(clicks.n_items, holdout, np.random.default_rng(seed), "items")
    hidden = cold[clicks.matrix.indices]
    return hide_clicks(clicks, hidden, "cold-items", {"holdout": holdout, "seed": seed})


def mixed(clicks: Interactions, holdout: float = 0.2, seed: int = 0, warm_holdout: float = 0.1) -> Split:
    """Hide every click on ``holdout`` of the items and ``warm_holdout`` of the other clicks."""
    check_log("clicks", clicks)
    holdout, warm_holdout = share_of("holdout", holdout), share_of("warm_holdout", warm_holdout)
    seed = seeded("seed", seed)
    rng = np.random.default_rng(seed)
    cold = chosen(clicks.n_items, holdout, rng, "items")
    hidden = cold[clicks.matrix.indices] | (rng.random(clicks.n_clicks) < warm_holdout)
    settings = {"holdout": holdout, "warm_holdout": warm_holdout, "seed": seed}
    return hide_clicks(clicks, hidden, "mixed", settings)


def strong(clicks: Interactions, holdout: float = 0.2, seed: int = 0, fold_in: float = 0.8) -> Split:
    """Hide ``holdout`` of the users; of each, ``fold_in`` of the clicks are history and the rest targets."""
    check_log("clicks", clicks)
    holdout, fold_in = share_of("holdout", holdout), share_of("fold_in", fold_in)
    seed = seeded("seed", seed)
    rng = np.random.default_rng(seed)
    held_out = chosen(clicks.n_users, holdout, rng, "users")
    train = clicks.keep(~held_out[clicks.click_users()])
    test = clicks.take_users(np.flatnonzero(held_out))
    return fold_in_users(train, test, rng, {"holdout": holdout, "fold_in": fold_in, "seed": seed})


def leave_one_out(clicks: Interactions, holdout: float = 0.2, seed: int = 0, negatives: int = 0) -> Split:
    """Hide each user's last click (a random one where the log has no timestamps).

    negatives: rank it among this many sampled items that the user never clicked; 0 ranks it among all.
    ``holdout`` has no part in it: every user gives one click.
    """
    check_log("clicks", clicks)
    check_timed(clicks, "leave-one-out needs times")
    seed, negatives = seeded("seed", seed), whole("negatives", negatives, 0)
    rng = np.random.default_rng(seed)
    position, lengths = positions(clicks.matrix, rng, clicks.timestamps)
    users = clicks.click_users()
    hidden = (position == lengths[users] - 1) & (lengths[users] > 1)
    split = hide_clicks(clicks, hidden, "leave-one-out", {"seed": seed, "negatives": negatives})
    single = int((lengths == 1).sum())
    dropped = {"users with a single click": single} if single else {}
    return replace(split, dropped=dropped, negatives=_sampled(split, negatives, rng) if negatives else None)


def temporal(clicks: Interactions, holdout: float = 0.2, seed: int = 0) -> Split:
    """Train on the past, test on the latest ``holdout`` of the clicks; items born after the cut are cold."""
    check_log("clicks", clicks)
    check_timed(clicks, "the temporal split needs times")
    holdout, seed = share_of("holdout", holdout), seeded("seed", seed)
    if clicks.timestamps is None:
        raise SplitError("the temporal split needs timestamps; name their column with --timestamp-column")
    times = clicks.timestamps.to_physical()
    cut = times.quantile(1 - holdout, "higher")
    hidden = (times >= cut).to_numpy() if cut != times.min() else (times > cut).to_numpy()
    settings = {"holdout": holdout, "seed": seed, "cut": str(clicks.timestamps.filter(hidden).min())}
    return hide_clicks(clicks, hidden, "temporal", settings)


def given(
    train: Interactions,
    test: Interactions,
    valid: Interactions | None = None,
    *,
    strong: bool = False,
    seed: int = 0,
    fold_in: float = 0.8,
) -> Split:
    """A split of the user's own: users and items are the union; items in no train row are cold.

    Test users that train does not hold need a history: with ``strong``, or where train knows no test user
    at all, ``fold_in`` of each test user's clicks become it (seeded).
    """
    fold_in, seed = share_of("fold_in", fold_in), seeded("seed", seed)
    for name, log in (("train", train), ("test", test), ("valid", valid)):
        if log is not None or name != "valid":
            check_log(name, log)
    logs = [log for log in (train, test, valid) if log is not None]
    users, items = logs[0].users, logs[0].items
    try:
        for log in logs[1:]:
            users, items = users.union(log.users), items.union(log.items)
    except UnknownIdError as cause:
        raise SplitError(f"train, test and valid need ids of one type each: {cause}") from cause
    train, test = train.among(users, items), test.among(users, items)
    valid = None if valid is None else valid.among(users, items)
    known, tested = np.diff(train.matrix.indptr) > 0, np.diff(test.matrix.indptr) > 0
    if strong or not (known & tested).any():
        test = test.take_users(np.flatnonzero(tested & ~known))
        split = fold_in_users(train, test, np.random.default_rng(seed), {"fold_in": fold_in, "seed": seed})
        overlap = int((tested & known).sum())
        dropped = {**split.dropped, **({"test users that train holds": overlap} if overlap else {})}
        return replace(split, protocol="strong", dropped=dropped, valid=valid)
    return replace(_against(train, test, "given", {}), valid=valid)


SPLITS: dict[str, Callable[..., Split]] = {
    "cold-items": cold_items,
    "mixed": mixed,
    "strong": strong,
    "leave-one-out": leave_one_out,
    "temporal": temporal,
}


def check_timed(clicks: Interactions, why: str) -> None:
    """Raise where a log has times, but they could not be read: a random order would be another split."""
    if clicks.untimed:
        raise SplitError(f"{why}, but those of this log could not be read: {clicks.untimed}")


def check_log(name: str, log: Any) -> None:
    """That ``log`` is Interactions. Raises ParameterError with the cure."""
    if not isinstance(log, Interactions):
        cure = "Interactions.from_frame(…) or Interactions.read(…) makes them"
        raise ParameterError(f"{name} must be Interactions, not {type(log).__name__}; {cure}")


def share_of(name: str, value: float) -> float:
    """``value`` as a number between 0 and 1, both left out. Raises SplitError."""
    try:
        return between(name, value, 0, 1, "()")
    except ParameterError as cause:
        raise SplitError(f"{name} must be between 0 and 1, not {brief(value)}") from cause


def chosen(n: int, holdout: float, rng: np.random.Generator, what: str) -> Bools:
    """(n,) flags of a seeded share ``holdout``. Raises SplitError where it leaves none on one side."""
    size = round(share_of("holdout", holdout) * n)
    if not 0 < size < n:
        raise SplitError(f"holding out {holdout:g} of {n} {what} leaves none on one side")
    flags = np.zeros(n, dtype=bool)
    flags[rng.permutation(n)[:size]] = True
    return flags


def hide_clicks(clicks: Interactions, hidden: Bools, protocol: str, settings: dict[str, Any]) -> Split:
    """What is not ``hidden`` (one flag a click) is train, what is hidden is to be found."""
    return _against(clicks.keep(~hidden), clicks.keep(hidden), protocol, settings)


def _against(train: Interactions, test: Interactions, protocol: str, settings: dict[str, Any]) -> Split:
    """Test users are those with a hidden click and a history to recommend from.

    A click that is in train as well as in test is nothing to find: it is dropped from the targets.
    """
    targets = test.matrix - test.matrix.multiply(train.matrix != 0)
    targets = csr_array(targets)
    targets.eliminate_zeros()
    wanted, known = np.diff(targets.indptr) > 0, np.diff(train.matrix.indptr) > 0
    dropped = {
        "users with no train click": int((wanted & ~known).sum()),
        "test clicks of users with no train click": int(np.diff(targets.indptr)[wanted & ~known].sum()),
        "test clicks that train holds too": test.n_clicks - int(targets.nnz),
    }
    tested = np.flatnonzero(wanted & known)
    _check_sides(train, len(tested), protocol)
    return Split(
        protocol,
        train,
        train.take_users(tested),
        binary(targets[tested]),
        settings,
        {reason: n for reason, n in dropped.items() if n},
    )


def fold_in_users(
    train: Interactions, test: Interactions, rng: np.random.Generator, settings: dict[str, Any]
) -> Split:
    """Users new to train: settings["fold_in"] of the clicks of each is history, the rest is to be found."""
    fold_in = settings["fold_in"]
    few = np.diff(test.matrix.indptr) < 2
    test = test.take_users(np.flatnonzero(~few))
    _check_sides(train, test.n_users, "strong")
    position, lengths = positions(test.matrix, rng)
    known = np.clip(np.rint(fold_in * lengths), 1, lengths - 1)
    history = position < known[test.click_users()]
    dropped = {"held-out users with a single click": int(few.sum())} if few.any() else {}
    targets = binary(test.keep(~history).matrix)
    return Split("strong", train, test.keep(history), targets, settings, dropped)


def positions(
    matrix: csr_array, rng: np.random.Generator, timestamps: pl.Series | None = None
) -> tuple[Int64, Int64]:
    """Each click's place in its user's order (by time, else at random), and each user's click count."""
    return _places(rows_of(matrix), rng, timestamps), np.diff(matrix.indptr)


def column_positions(
    matrix: csr_array, rng: np.random.Generator, timestamps: pl.Series | None = None
) -> Int64:
    """Each click's place, from 0, in its item's order (by time, else at random)."""
    return _places(matrix.indices, rng, timestamps)


def _places(groups: Array, rng: np.random.Generator, timestamps: pl.Series | None) -> Int64:
    """Each click's place, from 0, in its group's order (by time, else at random)."""
    lots = rng.random(len(groups))
    if timestamps is None:
        return ranks_within(groups, lots)
    return ranks_within(groups, timestamps.to_physical().to_numpy(), lots)


def _sampled(split: Split, n: int, rng: np.random.Generator) -> Int64:
    """(test users, n) items that each user clicked neither in train nor in test."""
    n_items = split.train.n_items
    if n > n_items:
        raise SplitError(f"{n:,} negatives of {n_items:,} items: ask for fewer")
    negatives = np.empty((split.histories.n_users, n), dtype=np.int64)
    for row in range(len(negatives)):
        clicked = [
            m.indices[m.indptr[row] : m.indptr[row + 1]] for m in (split.histories.matrix, split.targets)
        ]
        others = np.delete(np.arange(n_items), np.concatenate(clicked))
        if len(others) < n:
            raise SplitError(
                f"user {split.histories.users.values[row]!r} has only {len(others)} items not clicked; "
                f"ask for fewer than {n} negatives"
            )
        negatives[row] = rng.choice(others, size=n, replace=False, shuffle=False)
    return negatives


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
