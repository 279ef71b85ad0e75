"""An example of a field's values, for the line that tells the kinds."""

from datetime import date, timedelta

import polars as pl

from isotherm.data.field_values import missing_values
from isotherm.data.kinds import FieldType

_LOOKED_AT, _LENGTH = 1000, 40  # values; characters
_PARTS = 2  # of a list


def example_of(values: pl.Series, type_: FieldType) -> str:
    """The first value, of lists the first of several parts where there is one; empty where there is none."""
    given = values.filter(~missing_values(values)).head(_LOOKED_AT)
    if not len(given):
        return ""
    if isinstance(given.dtype, pl.List):
        several = given.filter(given.list.len() >= _PARTS)
        return _short(_parts((several if len(several) else given)[0]))
    if type_.is_date:
        return (date(1970, 1, 1) + timedelta(days=int(given[0]))).isoformat()
    return f"{given[0]:.10g}" if given.dtype.is_float() else _short(given[0])


def _parts(value: pl.Series) -> str:
    """Of categories two, of tags two with their weights, of a vector two and its length."""
    shown = value.head(_PARTS).to_list()
    if isinstance(value.dtype, pl.Struct):
        return ", ".join(f"{tag['value']}:{tag['weight']:g}" for tag in shown)
    if value.dtype.is_float():
        return ", ".join(f"{number:.3g}" for number in shown) + f", … ({len(value):,} numbers)"
    return ", ".join(shown)


def _short(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= _LENGTH else plain[: _LENGTH - 1] + "…"
