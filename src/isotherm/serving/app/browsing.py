"""Routes for looking at the items: search, one item, fields, a map."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, Field

from isotherm.data.kinds import Kind
from isotherm.errors import ParameterError
from isotherm.serving.app.limits import Limits
from isotherm.serving.browsing.browsing import Browser, ItemMap, SeenField, SeenItem

_ALL = "also items that are hidden or out of their time; needs the token where writes do"
K = Annotated[int, Query(ge=1, description="length of the list")]


class ListedItem(BaseModel):
    """An item."""

    item_id: int | str
    title: str | None
    cold: bool = Field(description="nobody had clicked it when the model was fitted")
    clicks: int = Field(description="users who had")
    available: bool = Field(description="may be shown now")
    values: dict[str, list[str]] = Field(description="of fields of categories and tags")
    numbers: dict[str, float | str | None] = Field(description="of fields of numbers; dates as 1999-12-31")

    @classmethod
    def of(cls, item: SeenItem) -> Self:
        """That of an item."""
        return cls(**_listed(item))


class FoundItems(BaseModel):
    """Items, the best first, and how many there are in all."""

    items: list[ListedItem]
    found: int


class ItemDetails(ListedItem):
    """An item with what an editor said of it; null where nothing was said."""

    metadata: dict[str, Any] | None
    available_from: float | None = Field(description="seconds since 1970")
    available_until: float | None = Field(description="seconds since 1970")
    hidden: bool

    @classmethod
    def of(cls, item: SeenItem) -> Self:
        """Those of an item."""
        put = item.put
        return cls(
            **_listed(item),
            metadata=None if put is None or put.metadata is None else dict(put.metadata),
            available_from=None if put is None else put.available_from,
            available_until=None if put is None else put.available_until,
            hidden=put is not None and put.hidden,
        )


class FieldValue(BaseModel):
    """A value of categories or tags."""

    value: str
    items: int


class ItemField(BaseModel):
    """A field of the item table.  values: the most frequent ones; none where it is not filtered by values."""

    name: str
    kind: Kind
    is_date: bool
    values: list[FieldValue]
    min: float | None = Field(description="of numbers; of dates in days since 1970")
    max: float | None

    @classmethod
    def of(cls, field: SeenField) -> Self:
        """That of a field."""
        values = [FieldValue(value=value, items=n) for value, n in field.values]
        low, high = field.bounds or (None, None)
        is_date = field.type.is_date
        return cls(name=field.name, kind=field.type.kind, is_date=is_date, values=values, min=low, max=high)


class ItemFields(BaseModel):
    """The fields of the items."""

    title: str | None = Field(description="the field that names items")
    takes_new_items: bool = Field(description="whether the model can score an item by its metadata alone")
    new_id: int | None = Field(description="a number that no item has; null where ids are text")
    fields: list[ItemField]


class MapOfItems(BaseModel):
    """Items on a plane, by columns: the same place in each list is the same item."""

    item_ids: list[int | str]
    titles: list[str | None] = Field(description="long ones are cut off")
    x: list[float] = Field(description="in [-1, 1]")
    y: list[float] = Field(description="in [-1, 1]")
    cold: list[bool]
    field: str | None = Field(description="the field whose values follow")
    values: list[str] = Field(description="its most frequent values")
    value: list[int] = Field(description="place in values; -1 for none of them")
    items: int = Field(description="that may be shown now; more than are on the map where there are many")
    version: int = Field(description="rises with each change of items or model")

    @classmethod
    def of(cls, seen: ItemMap) -> Self:
        """That of a map."""
        return cls(
            item_ids=seen.item_ids,
            titles=seen.titles,
            x=seen.xy[:, 0].round(4).tolist(),
            y=seen.xy[:, 1].round(4).tolist(),
            cold=seen.snapshot.cold[seen.columns].tolist(),
            field=seen.field,
            values=list(seen.values),
            value=seen.value.tolist(),
            items=seen.n_items,
            version=seen.snapshot.version,
        )


def search_routes(browser: Browser, limits: Limits, sight: Callable[..., bool]) -> APIRouter:
    """Items of a live model.  sight: tells who may learn of those that are unavailable."""
    routes = APIRouter()
    sees = Depends(sight)

    @routes.get("/v1/items", summary="Search items by title, or look some up by their ids")
    def items(
        query: Annotated[str, Query(max_length=200, description="beginnings of words")] = "",
        item_id: Annotated[list[str] | None, Query(description="these, in this order")] = None,
        k: K = 10,
        unavailable: Annotated[bool, Query(description=_ALL)] = False,
        sees_all: bool = sees,
    ) -> FoundItems:
        limits.check("k", k, "k")
        if unavailable and not sees_all:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
        if item_id is None:
            seen, found = browser.search(query, k, unavailable)
        elif query:
            raise ParameterError("query: there is item_id, too; give one of them")
        else:
            limits.check("item_id", item_id, "ids")
            seen = browser.items(item_id, unavailable)
            found = len(seen)
        return FoundItems(items=[ListedItem.of(item) for item in seen], found=found)

    @routes.get("/v1/items/{item_id:id}", summary="An item")
    def item(item_id: str, sees_all: bool = sees) -> ItemDetails:
        return ItemDetails.of(browser.item(item_id, sees_all))

    return routes


def overview_routes(browser: Browser) -> APIRouter:
    """What all items of a live model have in common."""
    routes = APIRouter()

    @routes.get("/v1/fields", summary="The fields of the items, and their most frequent values")
    def fields() -> ItemFields:
        return ItemFields(
            title=browser.title_field,
            takes_new_items=browser.takes_new_items,
            new_id=browser.new_id,
            fields=[ItemField.of(field) for field in browser.fields()],
        )

    @routes.get("/v1/map", summary="Items on a plane: near ones are clicked by the same people")
    def item_map(
        field: Annotated[str | None, Query(max_length=1000, description="whose values are told")] = None,
    ) -> MapOfItems:
        return MapOfItems.of(browser.map(field))

    return routes


def _listed(item: SeenItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "title": item.title,
        "cold": item.cold,
        "clicks": item.clicks,
        "available": item.available,
        "values": {name: list(values) for name, values in item.values.items()},
        "numbers": dict(item.numbers),
    }
