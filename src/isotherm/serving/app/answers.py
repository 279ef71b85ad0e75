"""What answers hold, and refusals."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
)

from isotherm.errors import one_line
from isotherm.models.requests.explanation import Explanation
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.database import EventCounts
from isotherm.serving.live.requests import Answer, ExperimentAnswer
from isotherm.serving.shared.following import FailedSwap

_MOST_TOLD = 100  # refused events
_FIRST = 10  # of items that the model cannot read


class ShownItem(BaseModel):
    """One item of a list."""

    item_id: int | str
    score: float
    rank: int
    cold: bool = Field(description="nobody had clicked it when the model was fitted")
    title: str | None


class Arm(BaseModel):
    """An experiment that the user of a list is in, and his arm."""

    experiment: str
    arm: str


class Recommended(BaseModel):
    """A list."""

    items: list[ShownItem]
    answered_by: Literal["model", "popularity"]
    model: str
    unknown: int = Field(description="ids of the request that the model does not know")
    experiments: list[Arm] = Field([], description="those that the user is in; not there if in none")
    request_id: str = Field("", description="of the list in the log of experiments; not there if in none")

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """That of an answer."""
        in_arms: dict[str, Any] = {}
        if isinstance(answer, ExperimentAnswer):
            arms = [Arm(experiment=each.experiment, arm=each.arm) for each in answer.experiments]
            in_arms = {"experiments": arms, "request_id": answer.request_id}
        return cls(
            items=[ShownItem(**vars(item)) for item in answer.items],
            answered_by=answer.answered_by,
            model=answer.model,
            unknown=answer.unknown,
            **in_arms,
        )


class BatchRecommended(BaseModel):
    """The lists, in the order of the requests."""

    answers: list[Recommended]


class SimilarItem(BaseModel):
    """One of the items similar to another."""

    item_id: int | str
    score: float
    rank: int
    cold: bool
    title: str | None


class SimilarItems(BaseModel):
    """The items similar to one."""

    items: list[SimilarItem]


class Explained(BaseModel):
    """Shares of a score, largest first; they add up to it."""

    item_id: int | str
    score: float
    answered_by: Literal["model", "popularity"]
    certainty: float | None = Field(description="how much of a new item its metadata explains, in [0, 1]")
    by_item: list[dict[str, Any]] = Field(
        description="item_id and title are null of an item that may not be shown now"
    )
    by_field: list[dict[str, Any]] | None
    text: str

    @classmethod
    def of(cls, why: Explanation) -> Self:
        """That of an explanation."""
        return cls(
            item_id=why.item,
            score=why.score,
            answered_by=why.answered_by,
            certainty=why.certainty,
            by_item=why.by_item.to_dicts(),
            by_field=None if why.by_field is None else why.by_field.to_dicts(),
            text=why.text(),
        )


class ItemScore(BaseModel):
    """The score of an item; null where it is unknown."""

    item_id: int | str
    score: float | None


class Scored(BaseModel):
    """The scores, in the order of the items."""

    items: list[ItemScore]


class Changed(BaseModel):
    """Items that count as they were put from the next answer on.  version: rises with each change."""

    items: list[int | str]
    version: int


class Reached(BaseModel):
    """Who would be shown an item."""

    users: list[int | str] = Field(description="in whose lists it would stand, highest first")
    share_of_slots: float = Field(description="of all places of the lists that were made")
    asked: int = Field(description="users whose lists were made")


class RefusedEvent(BaseModel):
    """An event that was not kept, and why.  place: in the list that was sent, from 0."""

    place: int
    error: str


class Counted(BaseModel):
    """What became of events."""

    new: int
    repeated: int = Field(description="known by their id")
    late: int = Field(description="of the new ones: they came more than a day after their time")
    future: int = Field(description="of the new ones: their time is more than five minutes ahead")
    refused: int
    refusals: list[RefusedEvent] = Field(description="the refused ones, the first hundred")

    @classmethod
    def of(cls, counts: EventCounts) -> Self:
        """Those of a batch."""
        first = list(counts.refused.items())[:_MOST_TOLD]
        return cls(
            new=counts.new,
            repeated=counts.repeated,
            late=counts.late,
            future=counts.future,
            refused=len(counts.refused),
            refusals=[RefusedEvent(place=place, error=one_line(words)) for place, words in first],
        )


class FailedModel(BaseModel):
    """A model that was put on the air and could not be loaded here: the one before answers."""

    model: str
    error: str

    @classmethod
    def of(cls, failed: FailedSwap | None) -> Self | None:
        """Of a swap."""
        return None if failed is None else cls(model=failed.model, error=failed.reason)


class LeftOut(BaseModel):
    """An item of the database that the model cannot read, and why."""

    item_id: int | str
    error: str


class LeftOutItems(BaseModel):
    """Items of the database that the model cannot read: they are not shown."""

    count: int
    first: list[LeftOut] = Field(description="the first ten; none without the token where writes need it")

    @classmethod
    def of(cls, items: Sequence[LiveItem], names_items: bool) -> Self:
        """Of all of them.  names_items: whether the first are told."""
        first = items[:_FIRST] if names_items else []
        told = [LeftOut(item_id=item.item_id, error=one_line(item.unread)) for item in first]
        return cls(count=len(items), first=told)


class ModelInfo(BaseModel):
    """The model on the air."""

    model: str
    kind: str
    version: int
    age_seconds: float = Field(description="since it was loaded")
    users: int
    items: int
    new_items: int = Field(description="items that nobody had clicked when it was fitted")
    can_roll_back: bool
    loading: bool = Field(description="whether this worker loads a model that another one put on the air")
    failed: FailedModel | None
    left_out: LeftOutItems


class ArmInfo(BaseModel):
    """One arm of an experiment that runs."""

    arm: str
    share: float = Field(description="of the users that come new, by the weights of now")
    model: str = Field(description="the server's own, or that of the arm")
    own_model: bool = Field(description="whether it is the arm's, which a swap with its name exchanges")
    settings: dict[str, Any] = Field(description="cold and diversity, in the place of what requests say")
    users: int = Field(description="who were shown something in it")


class ExperimentInfo(BaseModel):
    """An experiment on this server. Times: seconds since 1970."""

    experiment: str
    kind: Literal["arms", "interleaving"]
    running: bool = Field(description="whether its start has come, and its end has not")
    share: float = Field(description="of the users within its span who take part now, by its ramp")
    layer: str
    span: list[float]
    holdout: float
    start: float | None
    end: float | None
    weights: int = Field(description="how many times the weights of its arms were set")
    testers: int
    exploration: dict[str, Any] | None
    arms: list[ArmInfo] = Field(description="the control first")
    users: int = Field(description="who were shown something in it; of interleaved lists, too")


class ExperimentResult(BaseModel):
    """What the events say of an experiment.  made: seconds since 1970."""

    experiment: str
    made: float
    words: list[str] = Field(description="the verdict first, in plain sentences")
    result: dict[str, Any] | None = Field(description="as result.json of isotherm experiment analyze")


class Experiments(BaseModel):
    """Those on this server."""

    experiments: list[ExperimentInfo]


class Health(BaseModel):
    """Whether the server is there."""

    status: Literal["ok"] = "ok"


class Refused(BaseModel):
    """Why a request was refused, where in it, and what helps."""

    error: str
    where: str
    cure: str
