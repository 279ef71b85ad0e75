"""The kinds of item fields, and which of them a column seems to be."""

from typing import Literal, get_args

import polars as pl

from isotherm.data.reading.times import dates_or_text

Kind = Literal["categories", "tags", "text", "number", "vector", "image"]
KINDS: tuple[Kind, ...] = get_args(Kind)


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
    plain = dates_or_text(values).drop_nulls()
    if not len(plain):
        return "text"
    if plain.dtype != pl.String or plain.cast(pl.Float64, strict=False).null_count() == 0:
        return "number"
    if values.str.contains("|", literal=True).to_numpy().mean() > 0.05:
        return "categories"
    return "categories" if values.n_unique() <= max(10, 0.1 * len(values)) else "text"
