"""Splits made ready: over the catalogue, with candidate sets, groups and what the items are about."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from isotherm.data import Split
from isotherm.data.wording import listed
from isotherm.errors import ParameterError, SplitError, UnknownIdError, brief
from isotherm.evaluation.candidates import CandidateSet, candidate_sets
from isotherm.evaluation.groups import GROUPINGS
from isotherm.evaluation.measures import MetadataVectors
from isotherm.evaluation.options import EvaluationOptions
from isotherm.types import Bools

Description = dict[str, Any]  #: of a split, as plain JSON


class PreparedFold:
    """A split over the catalogue, and what is asked of every model on it."""

    def __init__(self, split: Split, options: EvaluationOptions) -> None:
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
        self.sets = candidate_sets(split, _measured_users(split, options.users))
        self.vectors = None if self.items is None else MetadataVectors.of(self.items, options.fields)
        self.groupings = {name: GROUPINGS[name](split) for name in options.by}

    def describe(self) -> Description:
        """The split's description, and that of candidates and groups."""
        description = self._split_description | {
            "catalogue": self.catalogue,
            "candidates": {
                each.name: {"items": int(each.items.sum()), "users": len(each.user_rows)}
                for each in self.sets
            },
        }
        if self.vectors is not None and self.vectors.fields:
            description["metadata"] = self.vectors.fields
        if self.groupings:
            description["groups"] = {name: grouping.facts for name, grouping in self.groupings.items()}
        return description

    def users_of(self, candidates: CandidateSet) -> pl.Series:
        """Ids of the users with a target in a candidate set."""
        return self.split.histories.users.take(candidates.user_rows)


class PreparedFolds:
    """Folds, one after the other: a single one is prepared once, of several one at a time is in memory."""

    def __init__(self, splits: Sequence[Split], options: EvaluationOptions) -> None:
        if not isinstance(splits, Sequence) or not len(splits) or not isinstance(splits[0], Split):
            raise ParameterError(
                "evaluate takes a split, or a list of splits, as isotherm.data.splits makes them of clicks: "
                f"splits.strong(clicks); not {brief(splits)}"
            )
        self._splits, self._options = splits, options
        self._first = PreparedFold(splits[0], options)
        self._descriptions: list[Description] = []
        self._users: list[dict[str, pl.Series]] = []  #: a fold each: candidate set -> ids of its users

    def __iter__(self) -> Iterator[PreparedFold]:
        """Those in which somebody is to be measured. Raises SplitError where nobody is anywhere."""
        descriptions: list[Description] = []
        users: list[dict[str, pl.Series]] = []
        for number in range(len(self._splits)):
            fold = self._first if number == 0 else PreparedFold(self._splits[number], self._options)
            if fold.sets:
                descriptions.append(fold.describe())
                users.append({each.name: fold.users_of(each) for each in fold.sets})
                yield fold
        if not descriptions:
            n = 0 if self._options.users is None else len(self._options.users)
            raise SplitError(f"none of the {n:,} users to measure has a hidden click to find")
        self._descriptions, self._users = descriptions, users

    def describe(self) -> Description:
        """Of one split, or of all folds together with each of them under "folds"."""
        single = len(self._splits) == 1
        description = self._descriptions[0] if single else _of_all(self._descriptions, self._users)
        if self._options.users is None:
            return description
        missing = len(set(self._options.users)) - _n_distinct([users["all"] for users in self._users])
        if not missing:
            return description
        reasons = {"users asked for with nothing to find": missing}
        return description | {"dropped": description["dropped"] | reasons}


def _n_distinct(users: Sequence[pl.Series]) -> int:
    return pl.concat(users).n_unique()


def _of_all(folds: list[Description], users: list[dict[str, pl.Series]]) -> Description:
    """What folds have in common, and means of what differs; hidden clicks are added up, users count once."""
    common = {name: fact for name, fact in folds[0].items() if name not in ("fold", "folds", "groups")}
    for name in ("train_users", "train_clicks", "cold_items"):
        common[name] = round(sum(fold[name] for fold in folds) / len(folds))
    common["test_users"] = _n_distinct([fold["all"] for fold in users])
    common["test_clicks"] = sum(fold["test_clicks"] for fold in folds)
    reasons = dict.fromkeys(reason for fold in folds for reason in fold["dropped"])
    common["dropped"] = {reason: sum(fold["dropped"].get(reason, 0) for fold in folds) for reason in reasons}
    common["candidates"] = {}
    for name in dict.fromkeys(name for fold in folds for name in fold["candidates"]):
        sizes = [fold["candidates"][name]["items"] for fold in folds if name in fold["candidates"]]
        n_users = _n_distinct([fold[name] for fold in users if name in fold])
        common["candidates"][name] = {"items": round(sum(sizes) / len(sizes)), "users": n_users}
    return common | {"folds": folds}


def _measured_users(split: Split, users: pl.Series | list[Any] | None) -> Bools | None:
    """(n_test_users,) which of them are to be measured, or None for all. Raises UnknownIdError."""
    if users is None:
        return None
    unknown = np.flatnonzero(split.train.users.rows(users) < 0)
    if len(unknown):
        raise UnknownIdError(
            f"{len(unknown)} of the {len(users)} users to measure are not in the log: "
            f"{listed([users[int(i)] for i in unknown])}; drop them"
        )
    flags = np.zeros(split.histories.n_users, dtype=bool)
    rows = split.histories.users.rows(users)
    flags[rows[rows >= 0]] = True
    return flags
