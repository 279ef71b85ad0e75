"""The item table: one row an item, each field of one kind (categories, tags, text, number, vector, image)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isotherm.data.ids import IdMap, listed
from isotherm.data.tables import Source, as_frame, read_tables, typed_text
from isotherm.errors import ItemsError

Kind = Literal["categories", "tags", "text", "number", "vector", "image"]
KINDS: tuple[Kind, ...] = get_args(Kind)
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
        frames = list(read_tables(source, ItemsError))
        try:
            frame = pl.concat([frame for _, frame in frames], how="vertical_relaxed")
        except pl.exceptions.PolarsError as cause:
            raise ItemsError(f"{source}: its files have different columns ({cause})") from cause
        return cls._from_frame(frame, kinds, item_column, fields, f"{source}: ")

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
        return cls._from_frame(as_frame(frame, ItemsError), kinds, item_column, fields, "")

    @classmethod
    def _from_frame(
        cls,
        frame: pl.DataFrame,
        kinds: Mapping[str, Kind] | None,
        item_column: str,
        fields: Sequence[str] | None,
        where: str,
    ) -> "Items":
        if not frame.height:
            raise ItemsError(f"{where}the item table has no rows")
        names = list(fields) if fields is not None else [c for c in frame.columns if c != item_column]
        for name in [item_column, *names, *(kinds or {})]:
            if name not in frame.columns:
                raise ItemsError(
                    f"{where}column {name!r} is missing; the columns are {', '.join(frame.columns)}"
                )
        for name, kind in (kinds or {}).items():
            if kind not in KINDS:
                raise ItemsError(f"{where}column {name!r}: kind {kind!r} is not one of {', '.join(KINDS)}")
        ids = _checked_ids(frame[item_column], where)
        found: dict[str, Kind] = {}
        columns = {}
        for name in names:
            kind = (kinds or {}).get(name) or inferred_kind(frame[name])
            columns[name] = _READ[kind](frame[name], f"{where}column {name!r}", ids)
            found[name] = kind
        return cls(ids, found, pl.DataFrame(columns))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name}: {kind}" for name, kind in self.kinds.items())
        return f"Items({len(self):,} items; {kinds})"

    def column(self, name: str) -> pl.Series:
        """A field's values: List(String) for categories, List(Struct(value, weight)) for tags, String for
        text and for the paths of images, Float64 for numbers, List(Float32) for vectors.
        """
        if name not in self.kinds:
            raise ItemsError(f"there is no field {name!r}; the fields are {', '.join(self.kinds)}")
        return self._table[name]

    def missing(self) -> dict[str, float]:
        """Share of items with no value, for each field."""
        return {name: float(self.is_missing(name).mean()) for name in self.kinds}

    def is_missing(self, name: str) -> NDArray[np.bool_]:
        """(n_items,) whether an item has no value in this field."""
        return _is_missing(self._table[name]).to_numpy()

    def take(self, rows: NDArray[Any]) -> "Items":
        """The items at ``rows``, in this order."""
        return Items(IdMap(self.ids.take(rows)), self.kinds, self._table[rows])

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

    Text is a number if all of it parses, categories if it has «|» or few different values, else text.
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
    if not len(values):
        return "text"
    if values.cast(pl.Float64, strict=False).null_count() == 0:
        return "number"
    if values.str.contains("|", literal=True).mean() > 0.05:  # type: ignore[operator]
        return "categories"
    return "categories" if values.n_unique() <= max(10, 0.1 * len(values)) else "text"


def _checked_ids(column: pl.Series, where: str) -> IdMap:
    column = typed_text(column)
    place = f"{where}column {column.name!r}"
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise ItemsError(f"{place}, row {row + 1}: no value (null); every item needs an id")
    if column.dtype.is_nested():
        raise ItemsError(f"{place}: {column.dtype} cannot be an id")
    twice = column.is_duplicated()
    if twice.any():
        rows = [row + 1 for row in column.eq(column.filter(twice)[0]).arg_true().to_list()]
        raise ItemsError(
            f"{place}: item {column.filter(twice)[0]!r} stands in rows {listed(rows)}; keep one row an item"
        )
    return IdMap(column)


def _is_missing(column: pl.Series) -> pl.Series:
    empty = column.list.len() == 0 if isinstance(column.dtype, pl.List) else column.is_null()
    return column.is_null() | empty.fill_null(True)


def _categories(column: pl.Series, place: str, ids: IdMap) -> pl.Series:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List) and column.dtype.inner.is_nested():
        raise ItemsError(f"{place}: {column.dtype} holds no plain values; give a list of texts or numbers")
    if not isinstance(column.dtype, pl.List):
        text = column.cast(pl.String)
        joined = [s for s in "|;," if text.str.contains(s, literal=True).any()]
        column = text.str.split(joined[0]) if joined else text.reshape((-1, 1)).arr.to_list()
    values = column.list.eval(pl.element().cast(pl.String).str.strip_chars(), parallel=True)
    return values.list.eval(pl.element().filter(pl.element().is_not_null() & (pl.element() != ""))).fill_null(
        []
    )


def _tags(column: pl.Series, place: str, ids: IdMap) -> pl.Series:
    """Text «space:0.9|robots:0.4», or lists of (text, weight) structs; a tag without a weight weighs 1."""
    rows = pl.Series("row", range(len(column)), dtype=pl.UInt32)
    if isinstance(column.dtype, pl.List) and isinstance(column.dtype.inner, pl.Struct):
        names = [field.name for field in column.dtype.inner.fields]
        if len(names) != 2:
            raise ItemsError(f"{place}: a tag is a pair of value and weight, not {', '.join(names)}")
        flat = pl.DataFrame([rows, column.alias("tag")]).explode("tag").drop_nulls("tag").unnest("tag")
        flat = flat.rename({names[0]: "value", names[1]: "told"})
    else:
        flat = pl.DataFrame([rows, _categories(column, place, ids).alias("tag")]).explode("tag")
        parts = flat["tag"].str.extract_groups(r"^(?<value>.*?)(?::(?<told>[^:]*))?$").struct.unnest()
        flat = flat.hstack(parts)
    flat = flat.select(
        "row",
        "told",
        value=pl.col("value").cast(pl.String).str.strip_chars(),
        weight=pl.col("told").cast(pl.String).fill_null("1").cast(pl.Float32, strict=False),
    ).filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    good = flat["weight"].is_finite() & (flat["weight"] >= 0)
    bad = flat.filter(~good.fill_null(False))
    if len(bad):
        row = int(bad["row"][0])
        raise ItemsError(
            f"{place}, row {row + 1} (item {ids.values[row]!r}): tag {bad['value'][0]!r} has the weight "
            f"{str(bad['told'][0])!r}; give a finite number >= 0, or none for 1"
        )
    tags = flat.group_by("row", maintain_order=True).agg(tags=pl.struct("value", "weight"))
    every = pl.DataFrame([rows]).join(tags, on="row", how="left", maintain_order="left")
    return every["tags"].fill_null([]).alias(column.name)


def _text(column: pl.Series, place: str, ids: IdMap) -> pl.Series:
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join(" ")
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def _image(column: pl.Series, place: str, ids: IdMap) -> pl.Series:
    """Paths of image files; they are opened when they are encoded."""
    if column.dtype != pl.String and column.null_count() < len(column):
        raise ItemsError(f"{place}: an image column holds paths of image files, not {column.dtype}")
    return _text(column, place, ids)


def _number(column: pl.Series, place: str, ids: IdMap) -> pl.Series:
    if column.dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("ms")).dt.epoch("d")
    elif column.dtype.is_temporal():  # a duration, or a time of day
        column = column.to_physical()
    numbers = column.cast(pl.Float64, strict=False)
    numbers = numbers.fill_nan(None) if column.dtype.is_float() else numbers
    bad = (numbers.is_null() & column.is_not_null() & ~_nan(column)) | numbers.is_infinite().fill_null(False)
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise ItemsError(
            f"{place}, row {row + 1} (item {ids.values[row]!r}): {column[row]!r} is not a finite number; "
            "mend it, leave it empty, or declare the column as text or categories"
        )
    return numbers


def _vector(column: pl.Series, place: str, ids: IdMap) -> pl.Series:
    if column.dtype == pl.String:
        column = column.str.strip_chars("[]() ").str.replace_all(r"[,;\s]+", " ").str.split(" ")
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not isinstance(column.dtype, pl.List):
        raise ItemsError(f"{place}: a vector column holds lists of numbers, not {column.dtype}")
    lengths = column.list.len()
    usual = lengths.drop_nulls().filter(lengths.drop_nulls() > 0).mode()
    if not len(usual):
        return pl.Series(column.name, [None] * len(column), dtype=pl.List(pl.Float32))
    uneven = (lengths != usual.min()) & (lengths > 0)
    if uneven.any():
        row = int(uneven.arg_max() or 0)
        raise ItemsError(
            f"{place}, row {row + 1} (item {ids.values[row]!r}): a vector of length {lengths[row]} "
            f"where the others have {usual.min()!r}; all must be of one length (or missing)"
        )
    vectors = column.cast(pl.List(pl.Float32), strict=False)
    bad = vectors.list.eval(pl.element().is_null() | ~pl.element().is_finite()).list.any().fill_null(False)
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise ItemsError(
            f"{place}, row {row + 1} (item {ids.values[row]!r}): the vector holds a value that is "
            "not a finite number"
        )
    return vectors.set(lengths == 0, None)


def _nan(column: pl.Series) -> pl.Series:
    return (
        column.is_nan().fill_null(False)
        if column.dtype.is_float()
        else pl.repeat(False, len(column), eager=True)
    )


_READ = {
    "categories": _categories,
    "tags": _tags,
    "text": _text,
    "number": _number,
    "vector": _vector,
    "image": _image,
}
