"""The item table: one row an item, each field of one kind (categories, tags, text, number, vector, image)."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from isotherm.data.id_types import plain_ids
from isotherm.data.ids import IdMap
from isotherm.data.place import Place
from isotherm.data.tables import Source, Table, id_column, joined_ids, read_tables, table_of
from isotherm.data.times import AMBIGUOUS, day_or_month_first, iso_times
from isotherm.data.wording import listed, names
from isotherm.errors import ItemsError, brief
from isotherm.types import Array, Bools

Kind = Literal["categories", "tags", "text", "number", "vector", "image"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_HEAVIEST = 1e15  # of a tag: squares of more overflow float32
_SHOWN = 20  # fields named in messages
TITLES = ("title", "name", "item_name", "label")  #: fields that name an item before a person


class Items:
    """Typed item metadata.

    ids: IdMap of the items.  kinds: field name -> kind.  Missing values are null (an empty list for
    categories) and mean «nothing known», not «zero».
    """

    def __init__(self, ids: IdMap, kinds: Mapping[str, Kind], table: pl.DataFrame) -> None:
        self.ids = ids
        self.kinds = dict(kinds)
        self._table = table

    @classmethod
    def read(
        cls,
        source: Source,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
    ) -> "Items":
        """Read Parquet, CSV(.gz), TSV(.gz) or JSONL(.gz).

        kinds: the kinds that should not be inferred.  fields: the only columns to keep.
        A string column declared (or seen) as categories is split at «|», else «;», else «,».
        Raises ItemsError that names the file, the column and the row.
        """
        return cls._of_tables(list(read_tables(source, ItemsError)), kinds or {}, item_column, fields)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
    ) -> "Items":
        """The same from a polars, pandas or Arrow frame."""
        table = table_of(frame, ItemsError, needed={item_column})
        return cls._of_tables([table], kinds or {}, item_column, fields)

    @classmethod
    def _of_tables(
        cls,
        tables: Sequence[Table],
        kinds: Mapping[str, Kind],
        item_column: str,
        fields: Sequence[str] | None,
    ) -> "Items":
        _check_columns(tables, [item_column, *(fields or ()), *kinds])
        for name, kind in kinds.items():
            if kind not in KINDS:
                place = tables[0].place.at(name)
                raise ItemsError(f"{place}: kind {brief(kind)} is not one of {', '.join(KINDS)}")
        if item_column in kinds:
            place = tables[0].place.at(item_column)
            raise ItemsError(f"{place}: holds the items' ids, which are of no kind; leave its kind out")
        rows = _Rows([(table.place, table.frame.height) for table in tables])
        ids = _checked_ids(tables, item_column, rows)
        chosen = list(fields) if fields is not None else [c for c in tables[0].columns if c != item_column]
        found: dict[str, Kind] = {}
        columns = {}
        for name in chosen:
            column, field = _joined(tables, name), _Field(name, rows, ids)
            _check_type(column, field)
            found[name] = kinds.get(name) or inferred_kind(column)
            columns[name] = _read_as(found[name], column, field)
        return cls(ids, found, pl.DataFrame(columns))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        kinds = [f"{name}: {kind}" for name, kind in list(self.kinds.items())[:_SHOWN]]
        more = [f"and {len(self.kinds) - _SHOWN:,} fields more"] if len(self.kinds) > _SHOWN else []
        return f"Items({len(self):,} items; {', '.join(kinds + more) or 'no fields'})"

    def column(self, name: str) -> pl.Series:
        """A field's values: List(String) for categories, List(Struct(value, weight)) for tags, String for
        text and for the paths of images, Float64 for numbers, List(Float32) for vectors.
        """
        if name not in self.kinds:
            raise ItemsError(
                f"there is no field {brief(name)}; the fields are {names(list(self.kinds), name)}"
            )
        return self._table[name]

    def missing(self) -> dict[str, float]:
        """Share of items with no value, for each field."""
        return {name: float(self.is_missing(name).mean()) for name in self.kinds}

    def is_missing(self, name: str) -> Bools:
        """(n_items,) whether an item has no value in this field."""
        return _is_missing(self._table[name]).to_numpy()

    def take(self, rows: Array) -> "Items":
        """The items at ``rows``, in this order."""
        table = (
            self._table[rows] if self.kinds else self._table
        )  # ids alone: a table without columns has no rows
        return Items(IdMap(self.ids.take(rows)), self.kinds, table)

    def only(self, fields: Iterable[str]) -> "Items":
        """The same items with only these fields."""
        names = list(fields)
        for name in names:
            self.column(name)
        return Items(self.ids, {name: self.kinds[name] for name in names}, self._table.select(names))

    def of(self, ids: IdMap) -> "Items":
        """The rows of these items, in their order.

        Raises ItemsError that names the ids this table does not hold.
        """
        try:
            rows = self.ids.rows(ids.values)
        except KeyError as cause:
            raise ItemsError(f"item_id: {cause}; give clicks and items ids of one type") from cause
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            raise ItemsError(
                f"{len(missing)} item_ids in clicks are missing from items: "
                f"{listed(ids.take(missing).to_list())}; "
                "add their rows (fields may be empty) or drop their clicks"
            )
        return self.take(rows)

    def title(self, row: int) -> str:
        """What to call an item before a person: its title where the table has one, else its id."""
        for name in TITLES:
            if name in self.kinds and self._table[name][row] is not None:
                value = self._table[name][row]
                return ", ".join(value) if isinstance(value, pl.Series) else str(value)
        return str(self.ids.values[row])

    def to_frame(self) -> pl.DataFrame:
        """item_id and all fields."""
        fields = {name: self._table[name] for name in self.kinds}
        return pl.DataFrame({"item_id": self.ids.values, **fields})


def inferred_kind(column: pl.Series) -> Kind:
    """What a column holds: lists of floats are vectors, of (text, number) pairs tags, other lists categories.

    Text is a number if all of it is numbers, or all of it ISO dates; categories if it has «|» or few
    different values; else text.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        return "tags"
    if isinstance(dtype, pl.List | pl.Array):
        return "vector" if dtype.inner.is_float() else "categories"
    if dtype == pl.Boolean or isinstance(dtype, pl.Categorical | pl.Enum):
        return "categories"
    if dtype.is_numeric() or dtype.is_temporal():
        return "number"
    values = column.cast(pl.String, strict=False).drop_nulls()
    plain = _dates_or_text(values).drop_nulls()
    if not len(plain):
        return "text"
    if plain.dtype != pl.String or plain.cast(pl.Float64, strict=False).null_count() == 0:
        return "number"
    if values.str.contains("|", literal=True).mean() > 0.05:  # type: ignore[operator]
        return "categories"
    return "categories" if values.n_unique() <= max(10, 0.1 * len(values)) else "text"


@dataclass(frozen=True)
class _Rows:
    """The rows of several tables, one after the other."""

    tables: Sequence[tuple[Place, int]]

    def at(self, column: str, row: int) -> str:
        """The file, the column and the row within the file."""
        for place, height in self.tables:
            if row < height:
                return place.at(column, row)
            row -= height
        raise IndexError(row)


@dataclass(frozen=True)
class _Field:
    """A field of the item table: its name, its rows, its items."""

    name: str
    rows: _Rows
    ids: IdMap

    @property
    def place(self) -> str:
        """The column, with its file."""
        return self.rows.tables[0][0].at(self.name)

    def at(self, row: int) -> str:
        """Where a value stands: file, column, row, item."""
        return f"{self.rows.at(self.name, row)} (item {brief(self.ids.values[row])})"


def _check_columns(tables: Sequence[Table], wanted: Sequence[str]) -> None:
    """Raise where a column that was asked for is missing, or one table has others than the first."""
    first = tables[0]
    if not first.frame.height:
        raise ItemsError(f"{first.place.start}the item table has no rows")
    for name in wanted:
        if name not in first.columns:
            raise first.place.missing(name, first.columns)
    for table in tables[1:]:
        for one, other in ((first, table), (table, first)):
            lacking = [name for name in one.columns if name not in other.columns]
            if lacking:
                raise other.place.missing(
                    lacking[0], other.columns, f"{one.place.file} has it; give it to all files or to none"
                )


def _joined(tables: Sequence[Table], name: str) -> pl.Series:
    """One field of all tables."""
    parts = [table.frame[name] for table in tables]
    parts = [
        part.set(part.is_in(["NA", "null"]), None) if table.place.separator else part
        for part, table in zip(parts, tables, strict=True)
    ]
    try:
        if len({_measure(part.dtype) for part in parts} - {""}) > 1:  # which polars would count as one
            raise pl.exceptions.SchemaError("dates, durations and numbers")
        whole = pl.concat([part.to_frame() for part in parts], how="vertical_relaxed").to_series()
    except pl.exceptions.PolarsError as cause:
        types = {str(part.dtype): table.place.file for part, table in zip(parts, tables, strict=True)}
        told = ", ".join(f"{dtype} in {file}" for dtype, file in list(types.items())[:2])
        raise ItemsError(f"column {brief(name)} is of different types: {told}; give it one") from cause
    if whole.dtype == pl.Object:
        with suppress(ValueError):  # what is no UUID is refused by its type
            return plain_ids(whole)
    return whole


def _measure(dtype: pl.DataType) -> str:
    """What the numbers of a column count: those of two measures never stand in one field."""
    if dtype in (pl.Date, pl.Datetime):
        return "days"
    return str(dtype.base_type()) if dtype.is_temporal() else "numbers" if dtype.is_numeric() else ""


def _read_as(kind: Kind, column: pl.Series, field: _Field) -> pl.Series:
    """A column as a field of this kind. Raises ItemsError where its type cannot be."""
    try:
        return _READ[kind](column, field)
    except pl.exceptions.PolarsError as cause:
        raise ItemsError(
            f"{field.place}: {brief(str(column.dtype))} cannot be read as {kind}; "
            "declare another kind, or drop it"
        ) from cause


def _check_type(column: pl.Series, field: _Field) -> None:
    """Raise for what can be no field: bytes, structs, objects."""
    if isinstance(column.dtype, pl.Struct | pl.Binary | pl.Object):
        raise ItemsError(
            f"{field.place}: {column.dtype} is no kind of field; give text, numbers or lists, or drop it"
        )


def _checked_ids(tables: Sequence[Table], name: str, rows: _Rows) -> IdMap:
    cure = "Name yours with item_column=… or --item-column"
    ids = joined_ids([(table.place, id_column(table, name, cure)) for table in tables])
    twice = ids.is_duplicated()
    if twice.any():
        first = ids.filter(twice)[0]
        stands = (ids == first).arg_true().to_list()
        if len(tables) > 1:
            one, other = (rows.at(name, row) for row in stands[:2])
            raise ItemsError(f"{one} and {other}: both are item {brief(first)}; keep one row an item")
        raise ItemsError(
            f"{tables[0].place.at(name)}: item {brief(first)} stands in rows "
            f"{listed([row + 1 for row in stands])}; keep one row an item"
        )
    return IdMap(ids)


def _is_missing(column: pl.Series) -> pl.Series:
    empty = column.list.len() == 0 if isinstance(column.dtype, pl.List) else column.is_null()
    return column.is_null() | empty.fill_null(True)


def _categories(column: pl.Series, field: _Field) -> pl.Series:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List) and column.dtype.inner.is_nested():
        raise ItemsError(
            f"{field.place}: {column.dtype} holds no plain values; give a list of texts or numbers"
        )
    if not isinstance(column.dtype, pl.List):
        text = column.cast(pl.String)
        joined = [s for s in "|;," if text.str.contains(s, literal=True).any()]
        column = text.str.split(joined[0]) if joined else text.reshape((-1, 1)).arr.to_list()
    values = column.list.eval(pl.element().cast(pl.String).str.strip_chars(), parallel=True)
    return values.list.eval(pl.element().filter(pl.element().is_not_null() & (pl.element() != ""))).fill_null(
        []
    )


def _tags(column: pl.Series, field: _Field) -> pl.Series:
    """Text «space:0.9|robots:0.4», or lists of (text, weight) structs; a tag without a weight weighs 1."""
    rows = pl.Series("row", range(len(column)), dtype=pl.UInt32)
    if isinstance(column.dtype, pl.List) and isinstance(column.dtype.inner, pl.Struct):
        parts = [part.name for part in column.dtype.inner.fields]
        if len(parts) != 2:
            raise ItemsError(f"{field.place}: a tag is a pair of value and weight, not {names(parts)}")
        flat = pl.DataFrame([rows, column.alias("tag")]).explode("tag").drop_nulls("tag").unnest("tag")
        flat = flat.rename({parts[0]: "value", parts[1]: "told"})
    else:
        flat = pl.DataFrame([rows, _categories(column, field).alias("tag")]).explode("tag")
        split = flat["tag"].str.extract_groups(r"^(?<value>.*?)(?::(?<told>[^:]*))?$").struct.unnest()
        flat = flat.hstack(split)
    flat = flat.select(
        "row",
        "told",
        value=pl.col("value").cast(pl.String).str.strip_chars(),
        weight=pl.col("told").cast(pl.String).fill_null("1").cast(pl.Float32, strict=False),
    ).filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    good = (flat["weight"] >= 0) & (flat["weight"] <= _HEAVIEST)  # a NaN is above all numbers
    bad = flat.filter(~good.fill_null(False))
    if len(bad):
        row = int(bad["row"][0])
        raise ItemsError(
            f"{field.at(row)}: tag {brief(bad['value'][0])} has the weight "
            f"{brief(str(bad['told'][0]))}; give a number >= 0 and <= {_HEAVIEST:g}, or none for 1"
        )
    tags = flat.group_by("row", maintain_order=True).agg(tags=pl.struct("value", "weight"))
    every = pl.DataFrame([rows]).join(tags, on="row", how="left", maintain_order="left")
    return every["tags"].fill_null([]).alias(column.name)


def _text(column: pl.Series, field: _Field) -> pl.Series:
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join(" ")
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def _image(column: pl.Series, field: _Field) -> pl.Series:
    """Paths of image files; they are opened when they are encoded."""
    if column.dtype != pl.String and column.null_count() < len(column):
        raise ItemsError(f"{field.place}: an image column holds paths of image files, not {column.dtype}")
    return _text(column, field)


def _number(column: pl.Series, field: _Field) -> pl.Series:
    """Float64; a date is the days since 1970, missing where a value is NaN."""
    if column.dtype == pl.String:
        column = _dates_or_text(column)
    text = column.dtype == pl.String
    if column.dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("ms")).dt.epoch("d")
    elif column.dtype.is_temporal():  # a duration, or a time of day
        column = column.to_physical()
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise ItemsError(f"{field.place}: {column.dtype} is no number")
    numbers = column.cast(pl.Float64, strict=False)
    nan = numbers.is_nan().fill_null(False)
    bad = (numbers.is_null() & column.is_not_null()) | numbers.is_infinite().fill_null(False)
    if bad.any():
        row = int(bad.arg_max() or 0)
        if text and day_or_month_first(column).any():
            row = int(day_or_month_first(column).arg_max() or 0)
            raise ItemsError(f"{field.at(row)}: {brief(column[row])} {AMBIGUOUS}")
        raise ItemsError(
            f"{field.at(row)}: {brief(column[row])} is not a finite number; "
            "mend it, leave it empty, or declare the column as text or categories"
        )
    return numbers.set(nan, None)


def _dates_or_text(column: pl.Series) -> pl.Series:
    """Text as times where all of it is ISO dates; else the text without blanks around it."""
    text = column.str.strip_chars()
    text = text.set(text == "", None)
    times = iso_times(text)
    return times if times.null_count() == text.null_count() < len(text) else text


def _vector(column: pl.Series, field: _Field) -> pl.Series:
    if column.dtype == pl.String:
        column = column.str.strip_chars("[]() ").str.replace_all(r"[,;\s]+", " ").str.split(" ")
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if column.dtype == pl.Null:  # nothing known of any item
        return column.cast(pl.List(pl.Float32))
    if not isinstance(column.dtype, pl.List):
        raise ItemsError(f"{field.place}: a vector column holds lists of numbers, not {column.dtype}")
    lengths = column.list.len()
    usual = lengths.drop_nulls().filter(lengths.drop_nulls() > 0).mode()
    if not len(usual):
        return pl.Series(column.name, [None] * len(column), dtype=pl.List(pl.Float32))
    uneven = (lengths != usual.min()) & (lengths > 0)
    if uneven.any():
        row = int(uneven.arg_max() or 0)
        raise ItemsError(
            f"{field.at(row)}: a vector of length {lengths[row]} "
            f"where the others have {usual.min()!r}; all must be of one length (or missing)"
        )
    vectors = column.cast(pl.List(pl.Float32), strict=False)
    bad = vectors.list.eval(pl.element().is_null() | ~pl.element().is_finite()).list.any().fill_null(False)
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise ItemsError(f"{field.at(row)}: the vector holds a value that is not a finite number")
    return vectors.set(lengths == 0, None)


_READ = {
    "categories": _categories,
    "tags": _tags,
    "text": _text,
    "number": _number,
    "vector": _vector,
    "image": _image,
}
