"""What requests hold. Types are strict: "3" is no number, and an unknown name is refused."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from isotherm.data.columns import EVENT_TYPES
from isotherm.serving.app.limits import Limits
from isotherm.serving.catalogue.filter_fields import Condition, Range
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.live.requests import Asker, Rules


def _whole_text(text: str) -> str:
    """Text that can be written as UTF-8. Raises ValueError for half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no letter") from None
    return text


Text = Annotated[StrictStr, AfterValidator(_whole_text)]
Id = Text | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
Value = Text | bool | int | float | list[Text] | list[float] | dict[Text, float] | None
Moment = float | Annotated[AwareDatetime, Field(strict=False)]


class Strict(BaseModel):
    """Of a request: no other fields, no conversions, finite numbers."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class WeightedItem(Strict):
    """An item of a history, and how much it counts."""

    item: Id
    weight: float = Field(1.0, gt=0)


class Cold(Strict):
    """How many of the list are new items: at least and at most; fewer where there are fewer."""

    min: int = Field(0, ge=0)
    max: int | None = Field(None, ge=0)


class RangeBody(Strict):
    """Numbers, or dates as 1999-12-31, from min to max, both included; without one of them, no bound."""

    min: float | Text | None = None
    max: float | Text | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


def _in_plain_words(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """A condition, or one line on what is one: not a line for each of the two forms."""
    try:
        return read(given)
    except ValidationError:
        raise ValueError(
            'a condition is a list of values, or {"min": ..., "max": ...} for numbers and dates'
        ) from None


Values = list[Text | StrictBool | StrictInt | float]
ConditionBody = Annotated[Values | RangeBody, WrapValidator(_in_plain_words)]
Filters = Annotated[
    dict[Text, ConditionBody],
    Field(
        description="field -> condition: the item has one of the values of each field, or a number or a "
        "date within the range; the answer to a field that is not there names those that are",
        examples=[{"genres": ["space"], "year": {"min": 1990, "max": 1999}}],
    ),
]


def conditions(filters: dict[str, Values | RangeBody], limits: Limits) -> dict[str, Condition]:
    """The filters of a request, as a live model takes them."""
    listed = [values for values in filters.values() if not isinstance(values, RangeBody)]
    limits.check("filters", len(filters) + sum(map(len, listed)), "ids")
    return {
        name: Range(given.min, given.max) if isinstance(given, RangeBody) else given
        for name, given in filters.items()
    }


class AskerBody(Strict):
    """A user whom the model knows, or any history."""

    user: Id | None = None
    history: list[Id | WeightedItem] | None = Field(None, description="ids, or ids and weights")
    unknown: Literal["ignore", "refuse"] = Field(
        "ignore", description="whether unknown users and items are left out and counted, or refused"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.user is None) == (self.history is None):
            raise ValueError("give either user or history")
        return self

    def asker(self, limits: Limits) -> Asker:
        """Whom to answer."""
        if self.history is None:
            return Asker(user=self.user)
        limits.check("history", self.history, "history")
        if WeightedItem not in set(map(type, self.history)):
            plain: list[Any] = self.history
            return Asker(history=[(item, 1.0) for item in dict.fromkeys(plain)])
        return Asker(
            history=[
                (each.item, each.weight) if isinstance(each, WeightedItem) else (each, 1.0)
                for each in self.history
            ]
        )


class RecommendBody(AskerBody):
    """A list that is asked for."""

    k: int = Field(10, ge=1, description="length of the list")
    exclude: list[Id] = Field([], description="items that may not be shown")
    exclude_seen: bool = Field(True, description="leave out the items of the history")
    candidates: list[Id] | None = Field(None, description="the only items that may be shown")
    filters: Filters = {}
    cold: Cold = Field(default_factory=lambda: Cold(min=0, max=None))
    diversity: float = Field(0.0, ge=0, le=1, description="0 is the model's order, 1 looks at variety alone")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user": "u1", "k": 5},
                {"history": ["i1", {"item": "i2", "weight": 2.0}], "k": 5, "cold": {"min": 1, "max": 3}},
                {"user": "u1", "filters": {"genres": ["space"], "year": {"min": 1990, "max": 1999}}},
            ]
        }
    )

    def rules(self, limits: Limits) -> Rules:
        """By which rules to answer."""
        limits.check("k", self.k, "k")
        limits.check("exclude", self.exclude, "ids")
        limits.check("candidates", self.candidates or [], "ids")
        return Rules(
            self.exclude_seen,
            self.exclude,
            self.candidates,
            conditions(self.filters, limits),
            self.cold.min,
            self.cold.max,
            self.diversity,
            self.unknown,
        )


class BatchBody(Strict):
    """Several lists that are asked for together."""

    requests: list[RecommendBody] = Field(min_length=1, examples=[[{"user": "u1"}, {"history": ["i1"]}]])


class SimilarBody(Strict):
    """Which items similar to one may be shown."""

    k: int = Field(10, ge=1, description="length of the list")
    exclude: list[Id] = Field([], description="items that may not be shown")
    candidates: list[Id] | None = Field(None, description="the only items that may be shown")
    filters: Filters = {}

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"k": 5, "filters": {"genres": ["space"], "year": {"min": 1990}}}]}
    )

    def rules(self, limits: Limits) -> Rules:
        """By which rules to answer."""
        limits.check("k", self.k, "k")
        limits.check("exclude", self.exclude, "ids")
        limits.check("candidates", self.candidates or [], "ids")
        filters = conditions(self.filters, limits)
        return Rules(exclude=self.exclude, candidates=self.candidates, filters=filters)


class ExplainBody(AskerBody):
    """An item whose score is to be explained."""

    item: Id

    model_config = ConfigDict(json_schema_extra={"examples": [{"history": ["i1", "i2"], "item": "i3"}]})


class ScoreBody(AskerBody):
    """Items to score."""

    items: list[Id]

    model_config = ConfigDict(json_schema_extra={"examples": [{"user": "u1", "items": ["i3", "i4"]}]})


class Metadata(Strict):
    """Metadata of an item: under ``metadata``, or its fields beside the others."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Text, Value]

    metadata: dict[Text, Value] | None = Field(
        None, description="field -> value, as the model's item table has them; what was put before if absent"
    )

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if self.metadata is not None and self.__pydantic_extra__:
            raise ValueError(f"unknown fields beside metadata: {', '.join(self.__pydantic_extra__)[:200]}")
        return self

    @property
    def fields(self) -> dict[str, Any] | None:
        """field -> value, or None where none was given."""
        given = self.metadata if self.metadata is not None else self.__pydantic_extra__ or None
        return None if given is None else dict(given)


class ItemBody(Metadata):
    """An item that is put. Times: seconds since 1970, or ISO 8601 with a time zone."""

    available_from: Moment | None = Field(None, description="shown from then on")
    available_until: Moment | None = Field(None, description="not shown from then on")
    hidden: bool = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"metadata": {"title": "Dune"}, "available_from": "2030-01-01T00:00:00Z", "hidden": False}
            ]
        }
    )

    def item(self, item_id: int | str) -> LiveItem:
        """The item under its id."""
        return LiveItem(
            item_id, self.fields, _seconds(self.available_from), _seconds(self.available_until), self.hidden
        )


class ItemWithIdBody(ItemBody):
    """An item that is put with others."""

    item_id: Id


class ItemsBody(Strict):
    """Items that are put together: all or none."""

    items: list[ItemWithIdBody] = Field(
        min_length=1, examples=[[{"item_id": "i9", "metadata": {"title": "Dune"}}]]
    )


class AudienceBody(Metadata):
    """An item that the model knows, or the metadata of one that is only proposed."""

    item: Id | None = None
    k: int = Field(10, ge=1, description="length of the lists")

    model_config = ConfigDict(json_schema_extra={"examples": [{"item": "i3"}, {"metadata": {"title": "X"}}]})

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.item is None) == (self.fields is None):
            raise ValueError("give either item or metadata")
        return self


class EventsBody(RootModel[list[Any]]):
    """Events: an event that is known by its id counts once, whatever else it says.

    type: click, impression, watch (value: seconds), conversion (value: its worth) or dislike. value: from 0
    to 1e9. time: seconds since 1970, or ISO 8601 with its zone; when it is received if absent.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "items": {
                "type": "object",
                "required": ["id", "type", "user", "item"],
                "properties": {
                    "id": {"type": ["string", "integer"]},
                    "type": {"enum": list(EVENT_TYPES)},
                    "user": {"type": ["string", "integer"]},
                    "item": {"type": ["string", "integer"]},
                    "time": {"type": ["number", "string", "null"]},
                    "value": {"type": ["number", "null"], "minimum": 0, "maximum": 1e9},
                },
            },
            "examples": [
                [{"id": "e1", "type": "click", "user": "u1", "item": "i3", "time": "2030-01-01T00:00:00Z"}]
            ],
        }
    )


class RollbackBody(Strict):
    """Whose model."""

    arm: Text | None = Field(
        None, description="whose model it takes the place of; the server's own if absent", examples=[None]
    )
    experiment: Text | None = Field(None, description="needed where several have an arm of this name")


class SwapBody(RollbackBody):
    """The folder of a saved model on the server."""

    path: Text = Field(min_length=1, max_length=4000, examples=["out/model"])


def _seconds(moment: float | datetime | None) -> float | None:
    """Since 1970."""
    return moment.timestamp() if isinstance(moment, datetime) else moment
