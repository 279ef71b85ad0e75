"""The values of an item field, read as one of the kinds: a function for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from isotherm.data.ids import IdMap
from isotherm.data.joined_text import NULL_WORDS, plain_text, split_text
from isotherm.data.kinds import FieldType, Kind
from isotherm.data.reading.place import Place
from isotherm.data.reading.times import AMBIGUOUS, day_or_month_first, iso_times
from isotherm.data.wording import names
from isotherm.errors import ItemsError, brief
from isotherm.types import Array

_HEAVIEST = 1e15  # of a tag: squares of more overflow float32
_MARKS = ",'’ \u00a0\u202f"  # between thousands
_GROUPED = rf"^[-+]?[0-9]{{1,3}}([{_MARKS}][0-9]{{3}})+(\.[0-9]+)?$"  # 1,234,567.8
#: dates in words and months: nobody reads them in two ways
_WORDED = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")


@dataclass(frozen=True)
class TableRows:
    """The rows of several tables, one after the other."""

    places: Sequence[Place]
    heights: Sequence[int]  #: rows of each

    def at(self, column: str, row: int) -> str:
        """The file, the column and the row within the file."""
        for place, height in zip(self.places, self.heights, strict=True):
            if row < height:
                return place.at(column, row)
            row -= height
        raise IndexError(row)


@dataclass(frozen=True)
class Field:
    """A field of the item table: its name, its rows, and the items of all rows.

    chosen: the rows that are read, None for all.  is_known: whether a model says of which kind it is.
    """

    name: str
    rows: TableRows
    ids: IdMap
    chosen: Array | None = None
    is_known: bool = False

    @property
    def place(self) -> str:
        """The column, with its file."""
        return self.rows.places[0].at(self.name)

    def at(self, row: int) -> str:
        """Where a value stands: file, column, row, item."""
        row = row if self.chosen is None else int(self.chosen[row])
        return f"{self.rows.at(self.name, row)} (item {brief(self.ids.values[row])})"


def read_values(type_: FieldType, column: pl.Series, field: Field) -> pl.Series:
    """A column as a field of this type. Raises ItemsError where its values cannot be."""
    try:
        return _READERS[type_.kind](column, type_, field)
    except pl.exceptions.PolarsError as cause:
        raise ItemsError(
            f"{field.place}: {brief(str(column.dtype))} cannot be read as {type_.kind}; "
            "declare another kind, or drop it"
        ) from cause


def numbers_of(text: pl.Series) -> pl.Series:
    """Text as Float64, null where it is no number; 1,234,567 is one where no comma stands elsewhere."""
    numbers = text.cast(pl.Float64, strict=False)
    marked = text.filter(text.str.contains(f"[{_MARKS}]").fill_null(False))
    if len(marked) and marked.str.contains(_GROUPED).all():
        without = text.str.replace_all(f"[{_MARKS}]", "")
        numbers = numbers.fill_null(without.cast(pl.Float64, strict=False))
    return numbers


def dates_of(text: pl.Series) -> pl.Series:
    """Text as times, null where it is none: ISO dates, or 31-Jan-1999 and Jan 31, 1999, or 1999-01."""
    times = iso_times(text)
    if times.null_count() < len(text) or not len(text.drop_nulls()):
        return times
    if text.drop_nulls().str.contains("^[0-9]{4}-[0-9]{2}$").all():
        return iso_times(text + "-01")
    for form in _WORDED:
        times = times.fill_null(text.str.to_date(form, strict=False).cast(pl.Datetime("us")))
    return times


def _categories(column: pl.Series, type_: FieldType, field: Field) -> pl.Series:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List) and column.dtype.inner.is_nested():
        raise ItemsError(
            f"{field.place}: {column.dtype} holds no plain values; give a list of texts or numbers"
        )
    if not isinstance(column.dtype, pl.List):
        column = split_text(plain_text(_as_text(column)), type_.separator or "")
    values = column.list.eval(pl.element().cast(pl.String).str.strip_chars(), parallel=True)
    values = values.list.eval(pl.element().filter(~pl.element().is_in(NULL_WORDS)))
    return values.fill_null([])


def _as_text(column: pl.Series) -> pl.Series:
    """Values as text: whole numbers without a point, true and false in small letters."""
    if column.dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        if (whole == column).all():
            return whole.cast(pl.String)
    text = column.cast(pl.String)
    if text.str.contains(r"^\s*[-+]?[0-9]+\.0\s*$").all():  # whole numbers of a frame with gaps
        text = text.str.strip_chars().str.strip_suffix(".0")
    lower = text.str.strip_chars().str.to_lowercase()
    return lower if lower.is_in(["true", "false"]).all() and len(lower.drop_nulls()) else text


def _tags(column: pl.Series, type_: FieldType, field: Field) -> pl.Series:
    """Text «space:0.9|robots:0.4», or lists of (text, weight) structs; a tag without a weight weighs 1."""
    rows = pl.Series("row", range(len(column)), dtype=pl.UInt32)
    if isinstance(column.dtype, pl.List) and isinstance(column.dtype.inner, pl.Struct):
        keys = [each.name for each in column.dtype.inner.fields]
        if len(keys) != 2:
            raise ItemsError(f"{field.place}: a tag is a pair of value and weight, not {names(keys)}")
        flat = pl.DataFrame([rows, column.alias("tag")]).explode("tag").drop_nulls("tag").unnest("tag")
        flat = flat.rename({keys[0]: "value", keys[1]: "weight_text"})
    else:
        flat = pl.DataFrame([rows, _categories(column, type_, field).alias("tag")]).explode("tag")
        split = flat["tag"].str.extract_groups(r"^(?<value>.*?)(?::(?<weight_text>[^:]*))?$").struct.unnest()
        flat = flat.hstack(split)
    flat = flat.select(
        "row",
        "weight_text",
        value=pl.col("value").cast(pl.String).str.strip_chars(),
        weight=pl.col("weight_text").cast(pl.String).fill_null("1").cast(pl.Float32, strict=False),
    ).filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    good = (flat["weight"] >= 0) & (flat["weight"] <= _HEAVIEST)  # a NaN is above all numbers
    bad = flat.filter(~good.fill_null(False))
    if len(bad):
        row = int(bad["row"][0])
        raise ItemsError(
            f"{field.at(row)}: tag {brief(bad['value'][0])} has the weight "
            f"{brief(str(bad['weight_text'][0]))}; give a number >= 0 and <= {_HEAVIEST:g}, or none for 1"
        )
    tags = flat.group_by("row", maintain_order=True).agg(tags=pl.struct("value", "weight"))
    of_rows = pl.DataFrame([rows]).join(tags, on="row", how="left", maintain_order="left")
    return of_rows["tags"].fill_null([]).alias(column.name)


def _text(column: pl.Series, type_: FieldType, field: Field) -> pl.Series:
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join(" ")
    return plain_text(column.cast(pl.String))


def _image(column: pl.Series, type_: FieldType, field: Field) -> pl.Series:
    """Paths of image files; they are opened when they are encoded."""
    if column.dtype != pl.String and column.null_count() < len(column):
        raise ItemsError(f"{field.place}: an image column holds paths of image files, not {column.dtype}")
    return _text(column, type_, field)


def _number(column: pl.Series, type_: FieldType, field: Field) -> pl.Series:
    """Float64; a date is the days since 1970, missing where a value is NaN."""
    given = plain_text(column) if column.dtype == pl.String else column
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise ItemsError(f"{field.place}: {column.dtype} is no number; give numbers, or drop it")
    numbers = _as_numbers(given, type_)
    nan = numbers.is_nan().fill_null(False)
    bad = (numbers.is_null() & given.is_not_null()) | numbers.is_infinite().fill_null(False)
    if bad.any():
        raise ItemsError(_no_number(given, bad, field))
    return numbers.set(nan, None)


def _as_numbers(values: pl.Series, type_: FieldType) -> pl.Series:
    """Float64, null where a value is none."""
    if values.dtype == pl.String:
        if not type_.is_date:
            return numbers_of(values)
        values = dates_of(values)
    if values.dtype in (pl.Date, pl.Datetime):
        values = values.cast(pl.Datetime("ms")).dt.epoch("d")
    elif values.dtype.is_temporal():  # a duration, or a time of day
        values = values.to_physical()
    if values.dtype == pl.Float32:  # 0.1 is what a table of text would say
        values = values.cast(pl.String)
    return values.cast(pl.Float64, strict=False)


def _no_number(values: pl.Series, bad: pl.Series, field: Field) -> str:
    """What is wrong with the first value that is no number."""
    row = int(bad.arg_max() or 0)
    if values.dtype == pl.String:
        either_first = day_or_month_first(values)
        if either_first.any():
            row = int(either_first.arg_max() or 0)
            return f"{field.at(row)}: {brief(values[row])} {AMBIGUOUS}"
        if values.str.contains(r"^[-+]?[0-9]+,[0-9]+$").any():
            row = int(values.str.contains(",", literal=True).fill_null(False).arg_max() or 0)
            return f"{field.at(row)}: {brief(values[row])} is not a finite number; write 3,5 as 3.5"
    cure = (
        "mend it, or leave it empty"
        if field.is_known
        else "mend it, leave it empty, or declare the column as text or categories"
    )
    return f"{field.at(row)}: {brief(values[row])} is not a finite number; {cure}"


def _vector(column: pl.Series, type_: FieldType, field: Field) -> pl.Series:
    if column.dtype == pl.String:
        column = plain_text(column).str.strip_chars("[]() ").str.replace_all(r"[,;\s]+", " ").str.split(" ")
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


def no_values(type_: FieldType, name: str, n_items: int) -> pl.Series:
    """A field of this type in which nothing is known of any item."""
    ids = IdMap.numbered(n_items)
    field = Field(name, TableRows([], []), ids)
    return read_values(type_, pl.Series(name, [None] * n_items, dtype=pl.String), field)


def missing_values(column: pl.Series) -> pl.Series:
    """Which values of a field say nothing: null, or an empty list."""
    empty = column.list.len() == 0 if isinstance(column.dtype, pl.List) else column.is_null()
    return column.is_null() | empty.fill_null(True)


_READERS: dict[Kind, Callable[[pl.Series, FieldType, Field], pl.Series]] = {
    "categories": _categories,
    "tags": _tags,
    "text": _text,
    "number": _number,
    "vector": _vector,
    "image": _image,
}
