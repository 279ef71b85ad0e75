"""What an id may be, and how ids of two types compare.

Whole numbers of any width are one type, so are strings and categories. A UUID is its text. Where one side is
text, both are compared as text: «1» is the id 1, «007» is not the id 7.
"""

import uuid
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.reading.times import iso_times

_UUID = r"^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
_EXACT = {
    "Float16": 2.0**11,
    "Float32": 2.0**24,
    "Float64": 2.0**53,
}  # whole numbers below are all told apart
_HYPHENS = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))  # parts of a UUID's 32 hexadecimal digits


def as_ids(values: Any) -> pl.Series:
    """A column or list of ids (polars, pandas, Arrow, NumPy, Python) as a series of a plain type.

    Raises ValueError where the values mix types or are of a type that cannot be an id.
    """
    if isinstance(values, pl.Series):
        return plain_ids(values)
    if hasattr(values, "to_pylist"):  # Arrow: its extension types turn into Python's
        return plain_ids(_series(values.to_pylist()))
    if str(getattr(values, "dtype", "object")) == "object":
        return plain_ids(_series(values))
    try:
        series = pl.Series("id", values)
    except (TypeError, ValueError, pl.exceptions.PolarsError):  # a column that polars does not know
        series = _series(values)
    return plain_ids(series)


def plain_ids(values: pl.Series) -> pl.Series:
    """Ids in one type a kind: Int64 for whole numbers (a wider one where they need it), String for text."""
    dtype = values.dtype
    if dtype == pl.Object:
        series = _series(values.to_list())
        if series.dtype == pl.Object:
            raise ValueError(f"{type(values[0]).__name__} objects cannot be ids; give text or whole numbers")
        return plain_ids(series).rename(values.name)
    if dtype.is_nested():
        raise ValueError(f"{dtype} cannot be an id; give text or whole numbers")
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return values.cast(pl.String)
    if dtype.is_integer() or (dtype.is_decimal() and (values == values.round()).all()):
        narrow = values.cast(pl.Int64, strict=False) if dtype != pl.Int64 else values
        return narrow if narrow.null_count() == values.null_count() else _wide(values)
    if dtype.is_float() and len(values):
        exact = _EXACT[str(dtype)]
        beyond = ((values.abs() >= exact) & values.is_finite()).fill_null(False)
        if beyond.any():
            number = values[int(beyond.arg_max() or 0)]
            raise ValueError(
                f"{number:.0f} is more than {dtype} counts to without a gap ({exact:.0f}): several ids "
                "may have become one; give ids as whole numbers or text"
            )
    return values


def typed_text(column: pl.Series) -> pl.Series:
    """A text column as whole numbers where every value is one to the letter; «007» stays text."""
    if column.dtype != pl.String:
        return column
    numbers = column.cast(pl.Int64, strict=False)
    same = numbers.cast(pl.String).eq_missing(column)  # what is no number became null and differs
    return numbers if same.all() and numbers.null_count() < len(numbers) else column


def converted(ids: pl.Series, to: pl.DataType) -> pl.Series:
    """Ids in the type of others, null where an id has no counterpart there.

    Raises ValueError where ids of the two types never compare, such as dates and numbers.
    """
    have = ids.dtype
    if have == to:
        return ids
    if have == pl.Null or not len(ids):
        return pl.Series(ids.name, [None] * len(ids), dtype=to)
    try:
        if to == pl.String:
            return _text_of(ids)
        if have == pl.String:
            return _from_text(ids, to)
    except pl.exceptions.PolarsError as cause:  # no text is of this type, nor the other way round
        raise ValueError(f"ids of type {have} were given where this data has ids of type {to}") from cause
    if (have.is_numeric() and to.is_numeric()) or (_is_date(have) and _is_date(to)):
        there = ids.cast(to, strict=False)
        return there.set(there.cast(have, strict=False).ne_missing(ids), None)
    raise ValueError(f"ids of type {have} were given where this data has ids of type {to}")


def joined(columns: Sequence[pl.Series]) -> pl.Series:
    """Several columns of ids as one: of one type where they have one, else numbers, else text.

    Raises ValueError where the types have nothing in common.
    """
    plain = [plain_ids(column) for column in columns]
    types = [column.dtype for column in plain if column.dtype != pl.Null]
    common = reduce(_common, types, None) or pl.Null()
    ids = plain_ids(pl.concat([_all_converted(column, common) for column in plain]))
    if ids.dtype == pl.Float64 and any(dtype.is_integer() for dtype in types):
        whole = converted(ids, pl.Int64())
        return ids if whole.null_count() > ids.null_count() else whole
    return ids


def uuid_text(values: pl.Series) -> pl.Series:
    """UUIDs of 16 bytes as text of 36 characters."""
    digits = values.cast(pl.Binary).bin.encode("hex")
    return pl.DataFrame({"d": digits}).select(
        pl.concat_str([pl.col("d").str.slice(*part) for part in _HYPHENS], separator="-").alias(values.name)
    )[values.name]


def _series(values: Iterable[Any]) -> pl.Series:
    plain = [_plain_value(value) for value in values]
    kinds = {type(value) for value in plain if value is not None}
    if kinds == {int, str}:
        plain = [value if value is None else str(value) for value in plain]
    if kinds == {int, float}:
        plain = [value if value is None else float(value) for value in plain]
    try:
        return pl.Series("id", plain)
    except OverflowError as cause:
        raise ValueError(
            "a whole number of more than 127 bits was given as an id; give it as text"
        ) from cause
    except (TypeError, ValueError, pl.exceptions.PolarsError) as cause:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"ids must all be of one type, not {names}") from cause


def _plain_value(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' words for null
        return None
    return value.item() if isinstance(value, np.generic) else value


def _wide(values: pl.Series) -> pl.Series:
    return values.cast(pl.Int128) if values.dtype.is_decimal() else values


def _is_date(dtype: pl.DataType) -> bool:
    return dtype in (pl.Date, pl.Datetime)


def _text_of(ids: pl.Series) -> pl.Series:
    if ids.dtype == pl.Binary:
        return _decoded(ids)
    if ids.dtype.is_float():  # 1.0 is written as the id 1 is
        return converted(ids, pl.Int64()).cast(pl.String).fill_null(ids.cast(pl.String))
    return ids.dt.to_string("iso:strict") if ids.dtype.is_temporal() else ids.cast(pl.String)


def _decoded(ids: pl.Series) -> pl.Series:
    """Bytes as the text they are in UTF-8, else as UUIDs; null where they are neither."""
    try:
        return ids.cast(pl.String)
    except pl.exceptions.PolarsError:
        sized = ids.set(ids.bin.size() != 16, None)
        return uuid_text(sized)


def _from_text(ids: pl.Series, to: pl.DataType) -> pl.Series:
    if to == pl.Binary:
        is_uuid = ids.str.contains(_UUID).fill_null(False)
        digits = ids.str.replace_all("-", "", literal=True).set(~is_uuid, None)
        return digits.str.decode("hex").fill_null(ids.cast(pl.Binary))
    if to == pl.Boolean:
        return ids.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    if _is_date(to):
        return converted(iso_times(ids), to)
    there = ids.cast(to, strict=False)
    return there.set(_text_of(there).ne_missing(ids) & there.cast(pl.String).ne_missing(ids), None)


def _common(one: pl.DataType | None, other: pl.DataType) -> pl.DataType:
    """The type in which ids of both types can stand together."""
    if one is None or one == other:
        return other
    if one.is_numeric() and other.is_numeric():
        whole = one.is_integer() and other.is_integer()
        return pl.Int128() if whole else pl.Float64()
    if _is_date(one) and _is_date(other):
        return pl.Datetime("us", getattr(one, "time_zone", None) or getattr(other, "time_zone", None))
    if pl.String in (one, other):
        return pl.String()
    raise ValueError(f"ids of type {one} and ids of type {other} cannot stand together; give one type")


def _all_converted(ids: pl.Series, to: pl.DataType) -> pl.Series:
    """All ids in another type. Raises ValueError where one cannot be."""
    there = converted(ids, to)
    if there.null_count() > ids.null_count():
        raise ValueError(f"ids of type {ids.dtype} cannot stand beside ids of type {to}; give one type")
    return there
