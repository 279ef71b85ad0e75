"""Splits made ready: over the catalogue, with candidate sets, groups and what the items are about."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from isotherm.data import Split
from isotherm.data.existing import AVAILABLE_COLUMN
from isotherm.data.wording import counted, listed
from isotherm.errors import ParameterError, SplitError, UnknownIdError, brief
from isotherm.evaluation.candidates import CandidateSet, candidate_sets
from isotherm.evaluation.groups import GROUPINGS, Grouping, UserGrouping, by_history
from isotherm.evaluation.measures import MetadataVectors
from isotherm.evaluation.options import EvaluationOptions
from isotherm.types import Bools

Description = dict[str, Any]  #: of a split, as plain JSON
UsersByRow = dict[tuple[str, str], pl.Series]  #: ("candidates", name of a set) or (grouping, label) -> ids

_OF_ONE_FOLD = ("fold", "folds", "groups", "cut", "cut_date", "end", "end_date")
_CLICKED_RULE = "items that somebody had clicked by the end of the test period"
_TABLE_RULE = "all items of the table; those without a click before the cut are new"
_AVAILABLE_RULE = (
    "items of the table with a date in {0} before the end of the test period, or with none, and those that "
    "somebody had clicked by then; those without a click before the cut are new"
)
_BY_USERS = "users"  # what a test of returning and new users is always grouped by


class PreparedFold:
    """A split over the catalogue, and what is asked of every model on it."""

    def __init__(self, split: Split, options: EvaluationOptions, by: Sequence[str]) -> None:
        self._split_description = split.describe()  # of the log alone; the table's items count as candidates
        self.items = None
        self.catalogue = "clicked items" if split.negatives is None else "sampled negatives"
        if options.items is not None:
            self.items = options.items.of(split.train.items)  # raises where a clicked item has no row
            if options.candidates == "catalogue" and split.negatives is None:
                split = split.over(split.train.items.union(options.items.ids))
                self.items = options.items.of(split.train.items)
                self.catalogue = "item table"
        self.split = split
        shown, self._rule = self._shown(options)
        self.sets = candidate_sets(split, _measured_users(split, options.users), shown)
        self.vectors = None if self.items is None else MetadataVectors.of(self.items, options.fields)
        self.groupings = {name: GROUPINGS[name](split) for name in by}  #: those shown
        self.compared_by: dict[str, Grouping] = {"history": by_history(split)} | self.groupings

    def _shown(self, options: EvaluationOptions) -> tuple[Bools | None, str | None]:
        """(n_items,) flags of the candidates and the rule for them; None where all items are.

        Raises ParameterError where availability is given that would have no effect.
        """
        existing, column = self.split.existing, options.available_column
        if existing is None or self.catalogue != "item table":
            if column is not None:
                raise ParameterError(
                    f"available_column {brief(column)} goes with the temporal split and candidates of the "
                    "item table; leave it out"
                )
            return (None, None) if existing is None else (existing.clicked, _CLICKED_RULE)
        assert self.items is not None
        if column is None and AVAILABLE_COLUMN in self.items.kinds:
            column = AVAILABLE_COLUMN
        rule = _TABLE_RULE if column is None else _AVAILABLE_RULE.format(column)
        return existing.on_offer(self.items, column), rule

    def describe(self) -> Description:
        """The split's description, and that of candidates and groups."""
        description = self._split_description | {
            "catalogue": self.catalogue,
            **({} if self._rule is None else {"candidate_rule": self._rule}),
            "candidates": {each.name: each.describe() for each in self.sets},
        }
        if self.vectors is not None and self.vectors.fields:
            description["metadata"] = self.vectors.fields
        if self.groupings:
            description["groups"] = {
                name: grouping.describe(self.sets[0]) for name, grouping in self.groupings.items()
            }
        return description

    def users_of(self, candidates: CandidateSet) -> pl.Series:
        """Ids of the users with a target in a candidate set."""
        return self.split.histories.users.take(candidates.user_rows)

    def users_by_row(self) -> UsersByRow:
        """Ids of the users behind each row of figures."""
        users = {("candidates", each.name): self.users_of(each) for each in self.sets}
        ids = users["candidates", "all"]
        for by, grouping in self.groupings.items():
            if isinstance(grouping, UserGrouping):
                rows = grouping.rows_of(self.sets[0])
                users |= {(by, label): ids.gather(of_group) for label, of_group in rows.items()}
        return users


class PreparedFolds:
    """Folds, one after the other: a single one is prepared once, of several one at a time is in memory."""

    def __init__(self, splits: Sequence[Split], options: EvaluationOptions) -> None:
        if not isinstance(splits, Sequence) or not len(splits) or not isinstance(splits[0], Split):
            raise ParameterError(
                "evaluate takes a split, or a list of splits, as isotherm.data.splits makes them of clicks: "
                f"splits.strong(clicks); not {brief(splits)}"
            )
        self._splits, self._options = splits, options
        both_kinds = splits[0].protocol == "temporal"
        self.by = list(dict.fromkeys([*([_BY_USERS] if both_kinds else []), *options.by]))  #: groupings
        self._first = PreparedFold(splits[0], options, self.by)
        self._descriptions: list[Description] = []
        self._users: list[UsersByRow] = []  #: a fold each

    def __len__(self) -> int:
        return len(self._splits)

    def __iter__(self) -> Iterator[PreparedFold]:
        """Those in which somebody is to be measured. Raises SplitError where nobody is anywhere."""
        descriptions: list[Description] = []
        users: list[UsersByRow] = []
        for number in range(len(self._splits)):
            fold = self._first if number == 0 else self._prepared(number)
            self._check_protocol(fold.split)
            if fold.sets:
                descriptions.append(fold.describe())
                users.append(fold.users_by_row())
                yield fold
        if not descriptions:
            n = 0 if self._options.users is None else len(self._options.users)
            raise SplitError(f"of {counted(n, 'user')} to measure, none has a hidden click to find")
        self._descriptions, self._users = descriptions, users

    def _check_protocol(self, split: Split) -> None:
        """Raise ParameterError for a split of another protocol: the mean over both would say nothing."""
        first = self._first.split.protocol
        if split.protocol != first:
            raise ParameterError(
                f"splits to evaluate together are of one protocol, not of {first} and {split.protocol}: "
                "evaluate each by itself"
            )

    def _prepared(self, number: int) -> PreparedFold:
        return PreparedFold(self._splits[number], self._options, self.by)

    def describe(self) -> Description:
        """Of one split, or of all folds together with each of them under "folds"."""
        single = len(self._splits) == 1
        description = self._descriptions[0] if single else _of_all(self._descriptions, self._users)
        if self._options.users is None:
            return description
        missing = len(set(self._options.users)) - _n_distinct(self._users, ("candidates", "all"))
        if not missing:
            return description
        reasons = {"users asked for with nothing to find": missing}
        return description | {"dropped": description["dropped"] | reasons}


def _n_distinct(users: Sequence[UsersByRow], row: tuple[str, str]) -> int:
    return pl.concat([of_fold[row] for of_fold in users if row in of_fold]).n_unique()


def _of_all(folds: list[Description], users: list[UsersByRow]) -> Description:
    """What folds have in common, and means of what differs; hidden clicks are added up, users count once.

    A setting that differs, like the seed, is a list of its values.
    """
    common = {name: _in_common(name, folds) for name in folds[0] if name not in _OF_ONE_FOLD}
    for name in ("train_users", "train_clicks", "items", "cold_items"):
        common[name] = round(sum(fold[name] for fold in folds) / len(folds))
    common["test_users"] = _n_distinct(users, ("candidates", "all"))
    common["test_clicks"] = sum(fold["test_clicks"] for fold in folds)
    reasons = dict.fromkeys(reason for fold in folds for reason in fold["dropped"])
    common["dropped"] = {reason: sum(fold["dropped"].get(reason, 0) for fold in folds) for reason in reasons}
    common["candidates"] = {}
    for name in dict.fromkeys(name for fold in folds for name in fold["candidates"]):
        sets = [fold["candidates"][name] for fold in folds if name in fold["candidates"]]
        n_items = round(sum(each["items"] for each in sets) / len(sets))
        common["candidates"][name] = {"items": n_items, **_asked(sets, users, ("candidates", name))}
    groups: dict[str, Any] = {}
    for by, label in dict.fromkeys(row for fold in users for row in fold if row[0] != "candidates"):
        of_folds = [fold["groups"][by][label] for fold in folds if label in fold["groups"][by]]
        groups.setdefault(by, {})[label] = _asked(of_folds, users, (by, label))
    return common | ({"groups": groups} if groups else {}) | {"folds": folds}


def _in_common(name: str, folds: list[Description]) -> Any:
    """The one value of all folds, else the list of theirs."""
    values = [fold.get(name) for fold in folds]
    return values[0] if all(value == values[0] for value in values) else values


def _asked(rows: list[Description], users: list[UsersByRow], row: tuple[str, str]) -> Description:
    """What a row of figures asks in all folds: users count once, clicks are added up."""
    n_clicks = sum(each["clicks"] for each in rows)
    asked = {"users": _n_distinct(users, row), "clicks": n_clicks}
    on_new = [each["clicks"] * each["new_item_share"] for each in rows if "new_item_share" in each]
    return {**asked, "new_item_share": sum(on_new) / n_clicks} if on_new else asked


def _measured_users(split: Split, users: pl.Series | list[Any] | None) -> Bools | None:
    """(n_test_users,) which of them are to be measured, or None for all. Raises UnknownIdError."""
    if users is None:
        return None
    unknown = np.flatnonzero(split.train.users.rows(users) < 0)
    if len(unknown):
        raise UnknownIdError(
            f"not in the log: {len(unknown):,} of {counted(len(users), 'user')} to measure, "
            f"{listed([users[int(i)] for i in unknown])}; drop them"
        )
    flags = np.zeros(split.histories.n_users, dtype=bool)
    rows = split.histories.users.rows(users)
    flags[rows[rows >= 0]] = True
    return flags
