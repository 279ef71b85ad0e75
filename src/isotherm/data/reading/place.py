"""Where a value stands, for messages: file, column and row; and the checks that need no more than that."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from isotherm.data.wording import names
from isotherm.errors import IsothermError, brief

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Place:
    """One table: the error that its faults raise, its file (none for a frame), the separator of its text.

    Rows are counted from 1; a «data row» of CSV and TSV leaves out the header.
    """

    error: type[IsothermError]
    file: str = ""
    separator: str = ""

    @property
    def start(self) -> str:
        """How a message about the table begins: «log.csv: », or nothing for a frame."""
        return f"{self.file}: " if self.file else ""

    def at(self, column: str, row: int | None = None) -> str:
        """«log.csv: column 'weight', data row 3»; ``row`` counts from 0."""
        kind = "data row" if self.separator else "row"
        return f"{self.start}column {brief(column)}" + ("" if row is None else f", {kind} {row + 1}")

    def value(self, column: pl.Series, bad: pl.Series) -> str:
        """The first value where ``bad`` is true, and where it stands: «column 'weight', row 3: 'x'»."""
        row = int(bad.arg_max() or 0)
        return f"{self.at(column.name, row)}: {brief(column[row])}"

    def no_value(self, column: pl.Series) -> IsothermError:
        """The error for a column with nulls."""
        row = int(column.is_null().arg_max() or 0)
        return self.error(
            f"{self.at(column.name, row)}: no value (null) in {column.null_count():,} of {len(column):,} "
            "rows; drop or fill these rows"
        )

    def missing(self, column: str, columns: Sequence[str], cure: str = "") -> IsothermError:
        """The error for a column that is not there."""
        other = other_separator(columns, self.separator, column)
        if other:
            return self.error(wrong_separator(self.file, self.separator, other))
        others = f"the columns are {names(columns, column)}" if columns else "there are no columns"
        return self.error(f"{self.at(column)} is missing; {others}" + (f". {cure}" if cure else ""))

    def numbers(self, column: pl.Series) -> pl.Series:
        """Finite Float64. Raises, naming the first row, where a value is null or no finite number."""
        if column.null_count():
            raise self.no_value(column)
        if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object) or column.dtype.is_temporal():
            raise self.error(f"{self.at(column.name)}: {column.dtype} is no number")
        plain = column.cast(pl.String) if isinstance(column.dtype, pl.Categorical | pl.Enum) else column
        plain = plain.str.strip_chars() if plain.dtype == pl.String else plain
        numbers = plain.cast(pl.Float64, strict=False)
        bad = ~numbers.is_finite().fill_null(False)
        if bad.any():
            raise self.error(f"{self.value(column, bad)} is not a finite number")
        return numbers


@dataclass(frozen=True)
class PlacedColumn:
    """A column of one table, and where that table stands."""

    place: Place
    values: pl.Series


def repeated(columns: Sequence[str]) -> str | None:
    """The first name that stands twice, or None."""
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            return name
        seen.add(name)
    return None


def other_separator(columns: Sequence[str], separator: str, wanted: str = "") -> str:
    """What seems to separate a table of text instead of its ``separator``, or nothing."""
    for other in SEPARATORS if separator else ():
        split = {word.strip(' "') for name in columns for word in name.split(other)}
        is_in = other != separator and any(other in name for name in columns)
        if is_in and (wanted in split or len(columns) == 1):
            return other
    return ""


def wrong_separator(file: str, separator: str, other: str) -> str:
    """The message for a table whose columns are separated by ``other``."""
    cure = {"\t": "name it .tsv", ",": "name it .csv"}.get(other, f"save it with {SEPARATORS[separator]}")
    return f"{file}: its columns are separated by {SEPARATORS[other]}, not {SEPARATORS[separator]}; {cure}"
