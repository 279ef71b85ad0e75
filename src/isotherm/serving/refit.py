"""The next model from the database: the log of a saved model and what users said since, in one log.

A pair of a user and an item is in the next log if it was in the model's, or if the user's last word on the
item in the database is a click; its weight is the larger of the model's and 1. It is left out where that last
word is a dislike, or the item is deleted. So a refit of a refitted model with the same database counts
nothing twice.
A saved model keeps no times, so the next log has none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from isotherm.data import IdMap, Interactions, Items
from isotherm.data.kinds import FieldType
from isotherm.data.wording import counted, listed
from isotherm.errors import InteractionsError, ItemsError
from isotherm.models.base import Recommender
from isotherm.serving.database import Database, StoredItem

_PAIR = ["user_id", "item_id"]


@dataclass(frozen=True)
class NextData:
    """What the next model learns from.

    notes: the pairs that were added (new_clicks) or left out (disliked, of_deleted_items, of_unknown_items,
    other_ids).
    """

    clicks: Interactions
    items: Items | None
    notes: Mapping[str, int]


@dataclass(frozen=True)
class _Catalogue:
    """The items of the database: their metadata by id, and which are gone."""

    described: Mapping[int | str, StoredItem]
    deleted: frozenset[int | str]

    @classmethod
    def of(cls, database: Database) -> "_Catalogue":
        described: dict[int | str, StoredItem] = {}
        deleted: set[int | str] = set()
        version, more = 0, True
        while more:
            changes = database.items_changed_since(version)
            version, more = changes.version, changes.more
            for item in changes.items:
                described.pop(item.id, None)
                deleted.discard(item.id)
                if item.deleted:
                    deleted.add(item.id)
                elif item.metadata is not None:
                    described[item.id] = item
        return cls(described, frozenset(deleted))


def next_data(model: Recommender, database: Database, table: Items | None = None) -> NextData:
    """The log and the items of the next model.

    table: the item table that ``model`` was fitted with, for items that the database does not hold; what the
    database says of an item counts more. Items of the database that nobody has clicked are in the catalogue,
    too, hidden ones as well. Ids of another type than the model's are left out and counted.
    Raises ItemsError where an item's metadata is known from neither and the model needs it, and
    InteractionsError where no click is left.
    """
    catalogue = _Catalogue.of(database)
    wanted = fields_of(model)
    items = None if not wanted else _items(model, catalogue, table, wanted)
    clicks, notes = _joined(model, database, catalogue, items)
    return NextData(clicks, items, notes)


def _joined(
    model: Recommender, database: Database, catalogue: _Catalogue, items: Items | None
) -> tuple[Interactions, dict[str, int]]:
    users, columns = model.users_, model.items_
    log = Interactions(users, IdMap(columns.values[: model.clicks_.shape[1]]), model.clicks_).to_frame()
    said, n_other = _said(database, users, columns)
    deleted = pl.DataFrame({"item_id": _ids_like(columns, catalogue.deleted)})
    dislikes = said.filter(pl.col("type") == "dislike")
    clicked = said.filter(pl.col("type") == "click").select(_PAIR)
    known = clicked if items is None else clicked.join(_frame_of(items.ids), on="item_id", how="semi")
    known = known.join(deleted, on="item_id", how="anti")
    kept = log.join(dislikes, on=_PAIR, how="anti")
    left = kept.join(deleted, on="item_id", how="anti")
    new = known.join(left, on=_PAIR, how="anti")
    weighed = [left, known.with_columns(weight=pl.lit(1.0, dtype=pl.Float32))]
    frame = pl.concat(weighed).group_by(_PAIR).agg(pl.col("weight").max())
    if not frame.height:
        raise InteractionsError("no click is left for the next model: all are disliked, or of deleted items")
    notes = {
        "new_clicks": new.height,
        "disliked": log.height - kept.height,
        "of_deleted_items": kept.height - left.height,
        "of_unknown_items": clicked.join(deleted, on="item_id", how="anti").height - known.height,
        "other_ids": n_other,
    }
    return Interactions.from_frame(frame), notes


def _said(database: Database, users: IdMap, items: IdMap) -> tuple[pl.DataFrame, int]:
    """The last words of the database in ids of the model's types; and how many are of other types."""
    frames, n_other = [], 0
    for frame in database.clicks():
        typed = frame.with_columns(
            _typed("user_id", users.values.dtype), _typed("item_id", items.values.dtype)
        ).drop_nulls(_PAIR)
        n_other += frame.height - typed.height
        frames.append(typed.select(*_PAIR, "type"))
    schema = {"user_id": users.values.dtype, "item_id": items.values.dtype, "type": pl.String()}
    return pl.concat([pl.DataFrame(schema=schema), *frames]), n_other


def _typed(column: str, dtype: pl.DataType) -> pl.Expr:
    """An id as it is kept, in the model's type; null where it is of another."""
    kept = pl.col(column)
    mark = "n" if dtype.is_integer() else "t"
    return pl.when(kept.str.starts_with(mark)).then(kept.str.slice(1)).cast(dtype, strict=False).alias(column)


def _ids_like(ids: IdMap, given: Iterable[int | str]) -> pl.Series:
    """Those of ``given`` that are of the type of ``ids``."""
    wanted = int if ids.values.dtype.is_integer() else str
    return pl.Series("item_id", [each for each in given if isinstance(each, wanted)], ids.values.dtype)


def _frame_of(ids: IdMap) -> pl.DataFrame:
    return pl.DataFrame({"item_id": ids.values})


def fields_of(model: Recommender) -> dict[str, FieldType]:
    """The fields that the model reads, and that of its titles; none where it was fitted without items."""
    title, schema = model.labels_.title_field, model.item_schema
    return dict(schema) if title is None else {title: FieldType("text"), **schema}


def _items(
    model: Recommender, catalogue: _Catalogue, table: Items | None, wanted: Mapping[str, FieldType]
) -> Items:
    """What is known of each item, by the database first and ``table`` second."""
    ids = _ids_like(model.items_, frozenset(catalogue.described))
    records = [
        {"item_id": each, **_only(catalogue.described[each].metadata or {}, wanted)} for each in ids.to_list()
    ]
    frames = [
        Items.from_frame(alike, like=wanted).read_as(wanted).to_frame() for alike in _of_one_type(records)
    ]
    if table is not None:
        frames.append(table.read_as(wanted).to_frame())
    typed = [
        frame.select(pl.col("item_id").cast(ids.dtype), *wanted).filter(
            ~pl.col("item_id").is_in(_ids_like(model.items_, catalogue.deleted).implode())
        )
        for frame in frames
    ]
    known = pl.concat(typed).unique("item_id", keep="first", maintain_order=True) if typed else None
    known = _with_the_others(model, catalogue, known, wanted)
    title = model.labels_.title_field
    return Items(IdMap(known["item_id"]), wanted, known.drop("item_id"), title)


def _with_the_others(
    model: Recommender, catalogue: _Catalogue, known: pl.DataFrame | None, wanted: Mapping[str, FieldType]
) -> pl.DataFrame:
    """And the model's items of which nothing is known, where it reads titles alone."""
    ids = pl.DataFrame({"item_id": model.items_.values})
    deleted = pl.DataFrame({"item_id": _ids_like(model.items_, catalogue.deleted)})
    others = ids.join(deleted, on="item_id", how="anti")
    if known is not None:
        others = others.join(known, on="item_id", how="anti")
    if others.height and model.item_schema:
        raise ItemsError(
            f"the database does not describe {counted(others.height, 'item')} of the model: "
            f"{listed(others['item_id'].to_list())}; give --items the table that the model was fitted with"
        )
    empty = Items(IdMap(others["item_id"]), {}, pl.DataFrame()).read_as(wanted).to_frame()
    return empty if known is None else pl.concat([known, empty.select(known.columns)])


def _of_one_type(records: list[dict[str, object]]) -> list[list[dict[str, object]]]:
    """Items whose fields have values of the same types: one came with a list of genres, another with text."""
    alike: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for record in records:
        alike.setdefault(tuple(type(value).__name__ for value in record.values()), []).append(record)
    return list(alike.values())


def _only(metadata: Mapping[str, object], wanted: Mapping[str, FieldType]) -> dict[str, object]:
    return {name: metadata.get(name) for name in wanted}
