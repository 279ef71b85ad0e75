"""Metadata as a model reads it, whatever types the values of its items came in."""

from collections.abc import Sequence

import polars as pl

from isotherm.data import IdMap, Items
from isotherm.models.base import Recommender
from isotherm.models.new_items import NewItems
from isotherm.serving.catalogue.items import LiveItem


def read_items(model: Recommender, items: Sequence[LiveItem]) -> Items:
    """Items in their order, with the fields of the model.

    One may have been put with a list of genres and another with text: those that are alike are read together.
    Raises ItemsError where metadata cannot be read.
    """
    alike: dict[tuple[tuple[str, str], ...], list[LiveItem]] = {}
    for item in items:
        types = sorted((name, type(value).__name__) for name, value in (item.metadata or {}).items())
        alike.setdefault(tuple(types), []).append(item)
    schema, title = model.item_schema, model.labels_.title_field
    tables = [NewItems.of([item.record for item in group], schema, title).items for group in alike.values()]
    if len(tables) == 1:
        return tables[0]
    frame = pl.concat([table.to_frame() for table in tables])
    dtype = frame["item_id"].dtype
    order = pl.DataFrame({"item_id": pl.Series([item.item_id for item in items], dtype=dtype)})
    read = order.join(frame, on="item_id", maintain_order="left")
    return Items(IdMap(read["item_id"]), tables[0].schema, read.drop("item_id"), tables[0].title_field)
