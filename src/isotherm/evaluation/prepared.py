"""What every model is asked: splits over the catalogue, candidate sets, groups, what items are about."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from isotherm.checks import names, one_of, seeded, whole
from isotherm.data import Items, Split
from isotherm.data.wording import listed
from isotherm.errors import ParameterError, SplitError, UnknownIdError, brief
from isotherm.evaluation.groups import GROUPINGS
from isotherm.evaluation.lists import CandidateSet, Profiles, candidate_sets
from isotherm.models.fitting import check_data
from isotherm.models.requests.ids import id_list
from isotherm.types import Bools

CANDIDATES = ("catalogue", "clicked")


@dataclass(frozen=True)
class Asked:
    """The arguments of evaluate, checked."""

    items: Items | None
    ks: list[int]
    seed: int
    candidates: str
    users: pl.Series | list[Any] | None
    by: list[str]
    fields: list[str] | None

    @classmethod
    def checked(
        cls,
        items: Items | None,
        ks: Sequence[int],
        seed: int,
        candidates: str,
        users: Iterable[Any] | None,
        by: Sequence[str],
        fields: Sequence[str] | None,
    ) -> "Asked":
        if items is not None:
            check_data("items", items, Items)
        if not isinstance(by, Iterable):
            raise ParameterError(f"by is a list of {' and '.join(GROUPINGS)}, not {brief(by)}")
        by = [by] if isinstance(by, str) else list(by)
        by = list(dict.fromkeys(one_of("by", name, tuple(GROUPINGS)) for name in by))
        if fields is not None and items is None:
            raise ParameterError("fields are those of an item table; give items, too")
        return cls(
            items,
            lengths(ks),
            seeded("seed", seed),
            one_of("candidates", candidates, CANDIDATES),
            None if users is None else id_list("users", users),
            by,
            names("fields", fields),
        )


def lengths(ks: Sequence[int]) -> list[int]:
    """List lengths, sorted. Raises ParameterError where one is no whole number >= 1, or there is none."""
    found = [ks] if isinstance(ks, str | bytes) or not isinstance(ks, Iterable) else list(ks)
    if not found:
        raise ParameterError("k must be whole numbers >= 1, not an empty list")
    for k in found:
        try:
            whole("k", k, 1)
        except ParameterError as cause:
            raise ParameterError(f"k must be whole numbers >= 1, not {brief(k)}") from cause
    return sorted({int(k) for k in found})


class Fold:
    """A split over the catalogue, and what is asked of every model on it."""

    def __init__(self, split: Split, asked: Asked) -> None:
        self._told = split.describe()  # of the log alone; what the table adds is counted as candidates
        self.items = None
        self.catalogue = "clicked items" if split.negatives is None else "sampled negatives"
        if asked.items is not None:
            self.items = asked.items.of(split.train.items)  # raises where a clicked item has no row
            if asked.candidates == "catalogue" and split.negatives is None:
                split = split.over(split.train.items.union(asked.items.ids))
                self.items = asked.items.of(split.train.items)
                self.catalogue = "item table"
        self.split = split
        self.sets = candidate_sets(split, _wanted(split, asked.users))
        self.profiles = None if self.items is None else Profiles.of(self.items, asked.fields)
        self.groupings = {name: GROUPINGS[name](split) for name in asked.by}

    def describe(self) -> dict[str, Any]:
        """The split's description, and that of candidates and groups."""
        told = self._told | {
            "catalogue": self.catalogue,
            "candidates": {s.name: {"items": int(s.items.sum()), "users": len(s.rows)} for s in self.sets},
        }
        if self.profiles is not None and self.profiles.fields:
            told["metadata"] = self.profiles.fields
        if self.groupings:
            told["groups"] = {name: grouping.facts for name, grouping in self.groupings.items()}
        return told

    def users_of(self, s: CandidateSet) -> pl.Series:
        """Ids of the users with a target in a candidate set."""
        return self.split.histories.users.take(s.rows)


class Prepared:
    """Folds, one after the other: a single one is prepared once, of several one at a time is in memory."""

    def __init__(self, splits: Sequence[Split], asked: Asked) -> None:
        if not isinstance(splits, Sequence) or not len(splits) or not isinstance(splits[0], Split):
            raise ParameterError(
                "evaluate takes a split, or a list of splits, as isotherm.data.splits makes them of clicks: "
                f"splits.strong(clicks); not {brief(splits)}"
            )
        self._splits, self._asked = splits, asked
        self._first = Fold(splits[0], asked)
        self._facts: list[dict[str, Any]] = []
        self._measured: list[dict[str, pl.Series]] = []

    def __iter__(self) -> Iterator[Fold]:
        """Those in which somebody is to be measured. Raises SplitError where nobody is anywhere."""
        facts: list[dict[str, Any]] = []
        measured: list[dict[str, pl.Series]] = []
        for number in range(len(self._splits)):
            fold = self._first if number == 0 else Fold(self._splits[number], self._asked)
            if fold.sets:
                facts.append(fold.describe())
                measured.append({s.name: fold.users_of(s) for s in fold.sets})
                yield fold
        if not facts:
            n = 0 if self._asked.users is None else len(self._asked.users)
            raise SplitError(f"none of the {n:,} users to measure has a hidden click to find")
        self._facts, self._measured = facts, measured

    def describe(self) -> dict[str, Any]:
        """Of one split, or of all folds together with each of them under "folds"."""
        told = self._facts[0] if len(self._splits) == 1 else _together(self._facts, self._measured)
        if self._asked.users is not None:
            asked = len(set(self._asked.users))
            missing = asked - _distinct([users["all"] for users in self._measured])
            if missing:
                told = told | {"dropped": told["dropped"] | {"users asked for with nothing to find": missing}}
        return told


def _distinct(users: Sequence[pl.Series]) -> int:
    return pl.concat(users).n_unique()


def _together(facts: list[dict[str, Any]], measured: list[dict[str, pl.Series]]) -> dict[str, Any]:
    """What folds have in common, and means of what differs; hidden clicks are added up, users count once."""
    told = dict(facts[0])
    for name in ("fold", "folds"):
        told.pop(name, None)
    told.pop("groups", None)
    for name in ("train_users", "train_clicks", "cold_items"):
        told[name] = round(sum(fold[name] for fold in facts) / len(facts))
    told["test_users"] = _distinct([users["all"] for users in measured])
    told["test_clicks"] = sum(fold["test_clicks"] for fold in facts)
    reasons = dict.fromkeys(reason for fold in facts for reason in fold["dropped"])
    told["dropped"] = {reason: sum(fold["dropped"].get(reason, 0) for fold in facts) for reason in reasons}
    told["candidates"] = {}
    for name in dict.fromkeys(name for fold in facts for name in fold["candidates"]):
        sizes = [fold["candidates"][name]["items"] for fold in facts if name in fold["candidates"]]
        users = _distinct([found[name] for found in measured if name in found])
        told["candidates"][name] = {"items": round(sum(sizes) / len(sizes)), "users": users}
    return told | {"folds": facts}


def _wanted(split: Split, users: pl.Series | list[Any] | None) -> Bools | None:
    """(test users,) which of them are to be measured, or None for all. Raises UnknownIdError."""
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
