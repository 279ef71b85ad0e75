"""Seeded ways to hide clicks and then ask for them: cold-items, mixed, strong, leave-one-out, temporal.

Every split keeps the whole log's user and item ids, and says in ``dropped`` what it left out and why.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from isotherm.checks import one_of, seeded, whole
from isotherm.data.click_ranks import user_click_ranks
from isotherm.data.hidden_clicks import (
    FOLD_IN_ORDERS,
    Split,
    check_log,
    check_timed,
    checked_share,
    fold_in_users,
    hide_clicks,
    hold_out,
    split_of,
)
from isotherm.data.ids import IdMap
from isotherm.data.in_time import rolling, temporal
from isotherm.data.interactions import Interactions
from isotherm.data.wording import counted
from isotherm.errors import SplitError, UnknownIdError
from isotherm.types import Int64

# why users are skipped
_RETURNING = "returning users: this protocol tests new users only"


def cold_items(clicks: Interactions, holdout: float = 0.2, seed: int = 0) -> Split:
    """Hide every click on ``holdout`` of the items: they are brand-new at test time.

    holdout: in (0, 1).  Raises SplitError where that leaves no item on one side, or no user to test.
    """
    check_log("clicks", clicks)
    holdout, seed = checked_share("holdout", holdout), seeded("seed", seed)
    cold = hold_out(clicks.n_items, holdout, np.random.default_rng(seed), "items")
    hidden = cold[clicks.matrix.indices]
    clicks = replace(clicks, hidden_at_random=True)
    return hide_clicks(clicks, hidden, "cold-items", {"holdout": holdout, "seed": seed})


def mixed(clicks: Interactions, holdout: float = 0.2, seed: int = 0, warm_holdout: float = 0.1) -> Split:
    """Hide every click on ``holdout`` of the items and ``warm_holdout`` of the other clicks.

    holdout, warm_holdout: in (0, 1).  Raises SplitError where that leaves nothing to train on or to find.
    """
    check_log("clicks", clicks)
    holdout, warm_holdout = checked_share("holdout", holdout), checked_share("warm_holdout", warm_holdout)
    seed = seeded("seed", seed)
    rng = np.random.default_rng(seed)
    cold = hold_out(clicks.n_items, holdout, rng, "items")
    hidden = cold[clicks.matrix.indices] | (rng.random(clicks.n_clicks) < warm_holdout)
    settings = {"holdout": holdout, "warm_holdout": warm_holdout, "seed": seed}
    return hide_clicks(replace(clicks, hidden_at_random=True), hidden, "mixed", settings)


def strong(
    clicks: Interactions,
    holdout: float = 0.2,
    seed: int = 0,
    fold_in: float = 0.8,
    fold_in_order: str = "random",
) -> Split:
    """Hide ``holdout`` of the users; of each, ``fold_in`` of the clicks are history and the rest targets.

    holdout, fold_in: in (0, 1).  fold_in_order: "random", as published, or "time", where the history is the
    earlier clicks and clicks of one moment stay together.
    Hidden users with a single click are skipped. Raises SplitError where no user is left on one side, or the
    order is one in time and the log has no times.
    """
    check_log("clicks", clicks)
    holdout, fold_in = checked_share("holdout", holdout), checked_share("fold_in", fold_in)
    seed, order = seeded("seed", seed), one_of("fold_in_order", fold_in_order, FOLD_IN_ORDERS)
    rng = np.random.default_rng(seed)
    held_out = hold_out(clicks.n_users, holdout, rng, "users")
    train = clicks.keep(~held_out[clicks.click_users()])
    test = clicks.take_users(np.flatnonzero(held_out))
    settings = {"holdout": holdout, "fold_in": fold_in, "fold_in_order": order, "seed": seed}
    return fold_in_users(train, test, rng, settings)


def leave_one_out(clicks: Interactions, holdout: float = 0.2, seed: int = 0, negatives: int = 0) -> Split:
    """Hide each user's last click (a random one where the log has no timestamps).

    negatives: rank it among this many sampled items that the user never clicked; 0 ranks it among all.
    ``holdout`` has no part in it: every user with two clicks or more gives one.
    Raises SplitError where a user has too few items left to sample from, or times could not be read.
    """
    check_log("clicks", clicks)
    check_timed(clicks, "leave-one-out needs times")
    seed, negatives = seeded("seed", seed), whole("negatives", negatives, 0)
    rng = np.random.default_rng(seed)
    ranks = user_click_ranks(clicks.matrix, rng, clicks.timestamps)
    n_clicks = np.diff(clicks.matrix.indptr)
    n_of_user = n_clicks[clicks.click_users()]
    hidden = (ranks == n_of_user - 1) & (n_of_user > 1)
    split = hide_clicks(clicks, hidden, "leave-one-out", {"seed": seed, "negatives": negatives})
    single = int((n_clicks == 1).sum())
    reason = "users with a single click: there is no other one to recommend by"
    dropped = {reason: single} if single else {}
    return replace(split, dropped=dropped, negatives=_sampled(split, negatives, rng) if negatives else None)


def given(
    train: Interactions,
    test: Interactions,
    valid: Interactions | None = None,
    *,
    strong: bool = False,
    seed: int = 0,
    fold_in: float = 0.8,
    fold_in_order: str = "random",
) -> Split:
    """A split of the user's own: users and items are the union; items in no train row are cold.

    Test users that train does not hold need a history: with ``strong``, or where train knows no test user
    at all, ``fold_in`` of each test user's clicks become it: by ``fold_in_order`` "random" ones (seeded), or
    with "time" the earlier ones. Elsewhere test users without a click in train are skipped.
    Raises SplitError where the ids of the logs are of different types, or nothing is left to find.
    """
    fold_in, seed = checked_share("fold_in", fold_in), seeded("seed", seed)
    order = one_of("fold_in_order", fold_in_order, FOLD_IN_ORDERS)
    for name, log in (("train", train), ("test", test), ("valid", valid)):
        if log is not None or name != "valid":
            check_log(name, log)
    users, items = _union_of_ids([log for log in (train, test, valid) if log is not None])
    train, test = train.among(users, items), test.among(users, items)
    valid = None if valid is None else valid.among(users, items)
    known, tested = np.diff(train.matrix.indptr) > 0, np.diff(test.matrix.indptr) > 0
    if strong or not (known & tested).any():
        test = test.take_users(np.flatnonzero(tested & ~known))
        settings = {"fold_in": fold_in, "fold_in_order": order, "seed": seed}
        split = fold_in_users(train, test, np.random.default_rng(seed), settings)
        n_returning = int((tested & known).sum())
        returning = {_RETURNING: n_returning} if n_returning else {}
        dropped = {**split.dropped, **returning}
        return replace(split, protocol="strong", dropped=dropped, valid=valid)
    return replace(split_of(train, test, "given", {}), valid=valid)


__all__ = ["SPLITS", "cold_items", "given", "leave_one_out", "mixed", "rolling", "strong", "temporal"]

SPLITS: dict[str, Callable[..., Split]] = {
    "cold-items": cold_items,
    "mixed": mixed,
    "strong": strong,
    "leave-one-out": leave_one_out,
    "temporal": temporal,
}


def _union_of_ids(logs: Sequence[Interactions]) -> tuple[IdMap, IdMap]:
    """The users and the items of all logs, in the order in which they come. Raises SplitError."""
    users, items = logs[0].users, logs[0].items
    try:
        for log in logs[1:]:
            users, items = users.union(log.users), items.union(log.items)
    except UnknownIdError as cause:
        raise SplitError(f"train, test and valid need ids of one type each: {cause}") from cause
    return users, items


def _sampled(split: Split, n: int, rng: np.random.Generator) -> Int64:
    """(n_test_users, n) columns of items that each user clicked neither in train nor in test."""
    n_items = split.train.n_items
    if n > n_items:
        raise SplitError(f"{n:,} negatives of {counted(n_items, 'item')}: ask for fewer")
    negatives = np.empty((split.histories.n_users, n), dtype=np.int64)
    for row in range(len(negatives)):
        clicked = [
            clicks.indices[clicks.indptr[row] : clicks.indptr[row + 1]]
            for clicks in (split.histories.matrix, split.targets)
        ]
        others = np.delete(np.arange(n_items), np.concatenate(clicked))
        if len(others) < n:
            user = split.histories.users.values[row]
            raise SplitError(
                f"user {user!r} has only {counted(len(others), 'item')} not clicked; "
                f"ask for fewer than {counted(n, 'negative')}"
            )
        negatives[row] = rng.choice(others, size=n, replace=False, shuffle=False)
    return negatives
