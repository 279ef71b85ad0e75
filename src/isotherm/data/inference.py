"""Which kind a column seems to be, the same from CSV, JSON lines, Parquet and frames.

What a column's type leaves open is decided by its values alone, as text: the same table gets the same kinds
from every format. A list can be told from a text by its type, or by how its parts are used: the parts of
lists are short, come again in other rows, and come in any order.
"""

import polars as pl

from isotherm.data.field_values import Field, dates_of, numbers_of
from isotherm.data.joined_text import (
    are_bracketed,
    hold_objects,
    holds_separator,
    plain_text,
    split_text,
    used_separator,
)
from isotherm.data.kinds import SEPARATORS, FieldType, Kind
from isotherm.data.reading.times import AMBIGUOUS, day_or_month_first, is_iso_shaped
from isotherm.errors import ItemsError, brief

TITLES = ("title", "name", "item_name")  #: fields of text whatever their values are
_MOSTLY, _FEWEST = 0.8, 4  # of so many numbers or dates, a column is one of them with a few faults
_REUSED, _WORDS = 0.5, 8.0  # labels come again, and are short
_NEARLY_ALL = 0.9  # of directors and actors 0.99 and more are written as names, of film titles 0.5 to 0.7
_CAPITAL = r"\p{Lu}[\p{L}\p{M}'’.-]*"
_NAME = rf"^{_CAPITAL}( ({_CAPITAL}|de|del|der|den|da|di|la|le|el|van|von|y|and|of|the))*$"
_SHORT = r"^[^\s.!?:]+( [^\s.!?:]+){0,2}$"  # up to three words, and no end of a sentence
_PART_WORDS = {"|": 5.0, ";": 4.0, ",": 4.0}  # on average, in the parts of lists
_WEIGHTED = r"^.*[^\s].*:\s*[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"
_NAMED = r"[^\W\d_].*:"  # a letter before the weight


def inferred_type(column: pl.Series, field: Field) -> FieldType:
    """What a column holds: lists of floats are vectors, of (text, number) pairs tags, other lists categories.

    Text is a number if all of it is numbers, or all of it dates; tags or categories if it is lists or labels;
    else text. Raises ItemsError, naming the row, where nearly all of a column is numbers, or dates.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        return FieldType("tags")
    if isinstance(dtype, pl.List | pl.Array):
        return FieldType("vector" if dtype.inner.is_float() else "categories")
    if dtype == pl.Boolean or isinstance(dtype, pl.Categorical | pl.Enum):
        return FieldType("categories", "")
    if dtype.is_numeric() or dtype.is_temporal():
        return FieldType("number", is_date=dtype in (pl.Date, pl.Datetime))
    return _type_of_text(plain_text(column.cast(pl.String)), field)


def declared_type(kind: Kind, column: pl.Series) -> FieldType:
    """A column that is declared to be of a kind; text is split at the first of | ; , that it holds."""
    dtype = column.dtype
    text = plain_text(column) if dtype == pl.String else None
    if kind == "number":
        return FieldType(kind, is_date=holds_dates(column))
    if kind in ("categories", "tags") and not isinstance(dtype, pl.List | pl.Array):
        if text is not None and are_bracketed(text):
            return FieldType(kind)
        return FieldType(kind, "" if text is None else used_separator(text))
    return FieldType(kind)


def known_type(known: FieldType, column: pl.Series, field: Field) -> FieldType:
    """How a new column of a known field is read: as the field was, with the separator that is used here.

    Raises ItemsError where one of them holds dates and the other numbers.
    """
    if known.kind == "number":
        _check_dates(known, column, field)
    if column.dtype != pl.String or known.kind not in ("categories", "tags"):
        return known
    used = used_separator(plain_text(column))
    if known.separator and column.str.contains(known.separator, literal=True).any():
        return known
    # a lone comma may stand within a name where the known table's names are whole or split elsewhere
    same = known.separator is not None and used == ","
    return FieldType(known.kind, known.separator if same else used)


def holds_dates(column: pl.Series) -> bool:
    """Whether the values are dates, by type or as text."""
    if column.dtype == pl.String:
        text = plain_text(column)
        return text.null_count() < len(text) and dates_of(text).null_count() == text.null_count()
    return column.dtype in (pl.Date, pl.Datetime)


def _check_dates(known: FieldType, column: pl.Series, field: Field) -> None:
    """Raise where a value is a date and the known ones are numbers, or the other way round."""
    is_text = column.dtype == pl.String
    values = plain_text(column) if is_text else column
    if is_text:
        are_dates = dates_of(values).is_not_null()
    else:
        are_dates = pl.Series([column.dtype in (pl.Date, pl.Datetime)] * len(column), dtype=pl.Boolean)
    wrong = values.is_not_null() & (are_dates != known.is_date)
    if not wrong.any():
        return
    row = int(wrong.arg_max() or 0)
    problem = "is a date, and the model was fitted with numbers; give a number"
    if known.is_date:
        either_first = is_text and day_or_month_first(values)[row]
        problem = AMBIGUOUS if either_first else "is no date; the model was fitted with dates, as 2026-01-31"
    raise ItemsError(f"{field.at(row)}: {brief(values[row])} {problem}")


def _type_of_text(text: pl.Series, field: Field) -> FieldType:
    values = text.drop_nulls()
    if not len(values) or _names_items(field.name):
        return FieldType("text")
    if dates_of(values).null_count() == 0:
        return FieldType("number", is_date=True)
    if _are_numbers(values):
        return FieldType("number")
    _refuse_objects(text, field)
    _refuse_faulty(text, field)
    if are_bracketed(values):
        return FieldType("vector" if _are_vectors(split_text(values, "")) else "categories")
    separator = _separator(values)
    used = separator or used_separator(values)
    if _are_tags(_parts(values, used)):
        return FieldType("tags", used)
    if separator:
        return FieldType("categories", separator)
    return FieldType("categories", "") if _are_labels(values) else FieldType("text")


def _names_items(name: str) -> bool:
    plain = name.lower().replace(" ", "_")
    return plain in TITLES or plain.endswith("_title")


def _refuse_objects(text: pl.Series, field: Field) -> None:
    """Raise where a column is objects, or lists of them, as text."""
    objects = hold_objects(text)
    if _share(objects.filter(text.is_not_null())) >= _REUSED:
        row = int(objects.arg_max() or 0)
        raise ItemsError(
            f"{field.at(row)}: {brief(text[row])} is an object as text; write its names, as in drama|war, "
            f"give lists in Parquet or JSON lines, drop it, or read its words: --kind {field.name}=text"
        )


def _refuse_faulty(text: pl.Series, field: Field) -> None:
    """Raise where a column is nearly all numbers or nearly all dates."""
    n_given = len(text) - text.null_count()
    either_first = day_or_month_first(text)
    if either_first.sum() >= 0.95 * n_given:
        row = int(either_first.arg_max() or 0)
        raise ItemsError(f"{field.at(row)}: {brief(text[row])} {AMBIGUOUS}")
    numbers = numbers_of(text).is_finite().fill_null(False)
    for likely, good, what in (
        (numbers, numbers, "number"),
        (is_iso_shaped(text), dates_of(text).is_not_null(), "date like the others"),
    ):
        n_likely = int(likely.sum())
        if n_likely == n_given or n_likely >= max(_FEWEST, _MOSTLY * n_given):
            row = int((text.is_not_null() & ~good).arg_max() or 0)
            raise ItemsError(
                f"{field.at(row)}: {brief(text[row])} is no {what}, and {n_likely:,} of {n_given:,} values "
                f"are; mend it, leave it empty, or declare it: --kind {field.name}=categories (or =text)"
            )


def _are_numbers(values: pl.Series) -> bool:
    return bool(numbers_of(values).is_finite().fill_null(False).all())


def _are_vectors(lists: pl.Series) -> bool:
    """Whether lists of text hold numbers, not all whole, as many in each."""
    parts = lists.explode().drop_nulls().str.strip_chars()
    broken = parts.str.contains(r"[.eE]").any()
    lengths = lists.list.len()
    return bool(broken and lengths.n_unique() == 1 and _are_numbers(parts))


def _are_tags(parts: pl.Series) -> bool:
    """Whether each part is a value with its weight; times of day, 12:30, have no letter."""
    weighted = len(parts) > 0 and bool(parts.str.contains(_WEIGHTED).all())
    return weighted and _share(parts.str.contains(_NAMED)) > 0.5


def _parts(values: pl.Series, separator: str) -> pl.Series:
    parts = split_text(values, separator).explode().str.strip_chars()
    return parts.filter(parts != "")


def _separator(values: pl.Series) -> str:
    """What separates the parts of lists, or nothing where the values are no lists."""
    for separator in SEPARATORS:
        holds = holds_separator(values, separator)
        if not holds.any():
            continue
        parts = _parts(values, separator)
        if not len(parts) or _words(parts) > _PART_WORDS[separator]:
            continue
        reused = _share(parts.is_duplicated())
        if separator == "," and _is_prose_comma(values):
            if reused >= _REUSED and _come_in_any_order(values, separator):
                return separator
            if _are_short_lists(values.str.split(separator), parts):
                return separator
        elif _share(holds) >= 0.3 or reused >= 0.3:
            return separator
    return ""


def _is_prose_comma(values: pl.Series) -> bool:
    """Whether a comma may be of a sentence, a name or a number: a blank follows it, or it joins digits."""
    if values.str.contains(r",\s").any():
        return True
    return not values.str.replace_all(r"([0-9]),", "$1").str.contains(",", literal=True).any()


def _come_in_any_order(values: pl.Series, separator: str) -> bool:
    """Whether parts after the first are often first elsewhere; «The» of «Piano, The» never is."""
    parts = values.str.split(separator)
    first = parts.list.first().str.strip_chars().unique()
    later = parts.list.slice(1).explode().drop_nulls().str.strip_chars()
    return _share(later.is_in(first.implode())) >= 0.1


def _are_short_lists(lists: pl.Series, parts: pl.Series) -> bool:
    """Whether texts with commas are lists: of full names, or of three short parts and more."""
    if _share(parts.str.contains(_SHORT)) < _NEARLY_ALL:
        return False
    are_full_names = _words(parts) >= 1.5 and _share(parts.str.contains(_NAME)) >= _NEARLY_ALL
    return are_full_names or _share(lists.list.len() >= 3) >= 0.3


def _are_labels(values: pl.Series) -> bool:
    """Whether most values come again and are short, or there are few different ones, or they are names."""
    if _share(values.is_duplicated()) >= _REUSED and _words(values) <= _WORDS:
        return True
    if values.n_unique() <= 0.1 * len(values):
        return True
    are_names = _words(values) <= 3 and _share(values.str.contains(_NAME)) >= _NEARLY_ALL
    return are_names or (values.n_unique() <= 10 and _words(values) == 1)


def _words(values: pl.Series) -> float:
    """The mean number of words."""
    return float((values.str.count_matches(r"\s+") + 1).to_numpy().mean())


def _share(which: pl.Series) -> float:
    return float(which.to_numpy().mean())
