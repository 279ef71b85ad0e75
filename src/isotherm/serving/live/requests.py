"""Whom to answer and by which rules, and what is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from isotherm.checks import between, one_of, whole
from isotherm.errors import ParameterError
from isotherm.serving.catalogue.filter_fields import Condition
from isotherm.serving.catalogue.items import Id

AnsweredBy = Literal["model", "popularity"]


@dataclass(frozen=True)
class Asker:
    """A fitted user, or any history.

    history: pairs of an item and its weight; None for that of ``user``. Weights of an item add up.
    clicked, disliked: what ``user`` said since the fit. A click of either weighs 1, or what it weighed in the
    fit if that is more; what is disliked is not in the history, and not shown.
    """

    user: Id | None = None
    history: Sequence[tuple[Id, float]] | None = None
    clicked: Sequence[Id] = ()
    disliked: Sequence[Id] = ()

    def __post_init__(self) -> None:
        if (self.user is None) == (self.history is None):
            raise ParameterError("give either user or history")


@dataclass(frozen=True)
class Rules:
    """Which items may be shown to whom.

    exclude_seen: not those of the history.  exclude: nor these; unknown ones are never shown anyway.
    candidates: only these, None for all.  filters: field -> condition: only items that meet those of all
    fields.  cold_least, cold_most: how many of the list are new items, where there are as many.
    diversity: in [0, 1]; 0 is the model's order.  unknown: "ignore" leaves out and counts unknown users,
    items of histories and candidates; "refuse" raises UnknownIdError.
    """

    exclude_seen: bool = True
    exclude: Sequence[Id] = ()
    candidates: Sequence[Id] | None = None
    filters: Mapping[str, Condition] = field(default_factory=dict)
    cold_least: int = 0
    cold_most: int | None = None
    diversity: float = 0.0
    unknown: str = "ignore"

    def __post_init__(self) -> None:
        whole("cold.min", self.cold_least, 0)
        if self.cold_most is not None and whole("cold.max", self.cold_most, 0) < self.cold_least:
            raise ParameterError("cold.min is larger than cold.max; exchange them")
        between("diversity", self.diversity, 0, 1)
        one_of("unknown", self.unknown, ("ignore", "refuse"))

    def check_list_of(self, k: int) -> None:
        """Raises ParameterError where a list of k has no room for the new items that it must hold."""
        if self.cold_least > k:
            raise ParameterError(f"cold.min is {self.cold_least}, and k is {k}; ask for a longer list")


@dataclass
class Shown:
    """One item of a list.  cold: nobody had clicked it in the log of the fit."""

    item_id: Id
    score: float
    rank: int
    cold: bool
    title: str | None


@dataclass(frozen=True)
class InArm:
    """An experiment that a user is in, and his arm."""

    experiment: str
    arm: str


@dataclass(frozen=True)
class Answer:
    """A list.  model: its name.  unknown: ids of the request that the model does not know."""

    items: list[Shown]
    answered_by: AnsweredBy
    model: str
    unknown: int


@dataclass(frozen=True)
class ExperimentAnswer(Answer):
    """A list for a user who is in experiments.  request_id: by which the log knows it."""

    experiments: list[InArm]
    request_id: str
