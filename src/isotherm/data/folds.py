"""k-fold cross-validation: splits that hide every item, or every user, exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from isotherm.checks import one_of, seeded, whole
from isotherm.data.hidden_clicks import (
    FOLD_IN_ORDERS,
    Split,
    check_log,
    checked_share,
    fold_in_users,
    hide_clicks,
)
from isotherm.data.interactions import Interactions
from isotherm.data.wording import counted_words
from isotherm.errors import ParameterError, SplitError
from isotherm.types import Int64


@dataclass(frozen=True, eq=False)
class Folds(Sequence[Split]):
    """Splits of one log, each made when it is asked for; every item (or user) is hidden in exactly one.

    fold_of: (n_items,) or (n_users,) the fold that hides each, from 0.
    """

    clicks: Interactions
    protocol: str
    fold_of: Int64
    settings: dict[str, Any]

    def __len__(self) -> int:
        return int(self.fold_of.max()) + 1

    @overload
    def __getitem__(self, fold: int) -> Split: ...
    @overload
    def __getitem__(self, fold: slice) -> Sequence[Split]: ...
    def __getitem__(self, fold: int | slice) -> Split | Sequence[Split]:
        """The split of a fold. Raises SplitError where it leaves nothing to train on or to find."""
        if isinstance(fold, slice):
            return [self[number] for number in range(*fold.indices(len(self)))]
        number = range(len(self))[fold]
        held_out = self.fold_of == number
        settings = {**self.settings, "fold": number + 1}
        rng = np.random.default_rng(np.random.SeedSequence(self.settings["seed"], spawn_key=(number,)))
        try:
            if self.protocol == "strong":
                train = self.clicks.keep(~held_out[self.clicks.click_users()])
                return fold_in_users(train, self.clicks.take_users(np.flatnonzero(held_out)), rng, settings)
            hidden = held_out[self.clicks.matrix.indices]
            if self.protocol == "mixed":
                hidden |= rng.random(self.clicks.n_clicks) < settings["warm_holdout"]
            clicks = replace(self.clicks, hidden_at_random=True)
            return hide_clicks(clicks, hidden, self.protocol, settings)
        except SplitError as cause:
            raise SplitError(f"fold {number + 1} of {len(self)}: {cause}") from cause


FOLDED = {"cold-items": "items", "mixed": "items", "strong": "users"}  #: protocol -> what its folds divide
#: protocol -> its other setting, and the share where none is given
_SHARES: dict[str, dict[str, float]] = {"mixed": {"warm_holdout": 0.1}, "strong": {"fold_in": 0.8}}
_TEMPORAL = "temporal"  # whose folds are other ones


def k_fold(
    clicks: Interactions, protocol: str, folds: int = 5, seed: int = 0, **settings: float | str
) -> Folds:
    """``folds`` splits, in which every item (cold-items, mixed) or every user (strong) is hidden once.

    settings: warm_holdout of mixed, drawn anew in each fold; fold_in and fold_in_order of strong.
    Several cuts in time are made by ``rolling``. Raises ParameterError for another protocol or setting,
    SplitError for more folds than there is to divide.
    """
    check_log("clicks", clicks)
    if protocol not in FOLDED:
        cure = "; several cuts in time are made by rolling(), --cuts" if protocol == _TEMPORAL else ""
        raise ParameterError(f"folds are made for {', '.join(FOLDED)}, not for {protocol!r}{cure}")
    orders: dict[str, str] = {}
    if protocol == "strong":
        orders["fold_in_order"] = one_of(
            "fold_in_order", settings.pop("fold_in_order", "random"), FOLD_IN_ORDERS
        )
    defaults = _SHARES.get(protocol, {})
    unknown = settings.keys() - defaults.keys()
    if unknown:
        raise ParameterError(f"folds of {protocol} have no setting {', '.join(sorted(unknown))}")
    shares = {name: checked_share(name, share) for name, share in {**defaults, **settings}.items()}
    n = clicks.n_users if FOLDED[protocol] == "users" else clicks.n_items
    folds = whole("folds", folds, 2)
    if folds > n:
        raise SplitError(
            f"{folds:,} folds of {counted_words(n, FOLDED[protocol])}: at most one fold each can be made"
        )
    fold_of = np.empty(n, dtype=np.int64)
    seed = seeded("seed", seed)
    fold_of[np.random.default_rng(seed).permutation(n)] = np.arange(n) % folds
    return Folds(clicks, protocol, fold_of, {"n_folds": folds, **shares, **orders, "seed": seed})
