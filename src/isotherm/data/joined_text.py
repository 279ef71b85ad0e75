"""Lists that are written as text: «Drama|War», «Drama, War», «['Drama', 'War']»; and words for no value."""

import polars as pl

from isotherm.data.kinds import SEPARATORS

#: texts that mean no value, in every format: what spreadsheets, databases and frames write
NULL_WORDS = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "None", "NaN", "nan", "NaT", r"\N")
_BRACKETED = r"(?s)^\[.*\]$|^\{[^:]*\}$"
_LIST_OF_QUOTED = r"""(?s)^\[\s*["'].*["']\s*\]$"""
_OBJECTS = r"""(?s)^\[\s*[\[({].*\]$|^\{\s*["'].*:.*\}$"""
_ENTITY = r"&#?[A-Za-z0-9]+;"
_QUOTED = r"""(?s)"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""


def plain_text(column: pl.Series) -> pl.Series:
    """Text without blanks around it, null where it is a word for no value."""
    text = column.str.strip_chars()
    return text.set(text.is_in(NULL_WORDS).fill_null(False), None)


def without_null_words(column: pl.Series) -> pl.Series:
    """A column, null where a text is a word for no value."""
    if column.dtype != pl.String:
        return column
    return column.set(plain_text(column).is_null(), None)


def are_bracketed(text: pl.Series) -> bool:
    """Whether all texts are lists in brackets or braces, as Python, JSON, NumPy and PostgreSQL print them."""
    given = text.drop_nulls()
    return len(given) > 0 and bool(given.str.contains(_BRACKETED).all())


def hold_objects(text: pl.Series) -> pl.Series:
    """Which texts are lists of lists, pairs or objects, or an object."""
    return text.str.contains(_OBJECTS).fill_null(False)


def used_separator(text: pl.Series) -> str:
    """The first of | ; , that stands in a text, or nothing."""
    return next((each for each in SEPARATORS if holds_separator(text, each).any()), "")


def holds_separator(text: pl.Series, separator: str) -> pl.Series:
    """Which texts hold it, but for the end of «&amp;» and within quoted lists."""
    lists = text.str.contains(_LIST_OF_QUOTED).fill_null(False)
    plain = text.str.replace_all(_ENTITY, "&") if separator == ";" else text
    return plain.str.contains(separator, literal=True) & ~lists


def split_text(text: pl.Series, separator: str) -> pl.Series:
    """List(String): lists in brackets by their elements, others at the separator, whole where it is empty."""
    if are_bracketed(text):
        return _elements(text)
    parts = text.str.split(separator) if separator else text.reshape((-1, 1)).arr.to_list()
    lists = text.str.contains(_LIST_OF_QUOTED).fill_null(False)
    return parts.zip_with(~lists, _elements(text)) if lists.any() else parts


def _elements(text: pl.Series) -> pl.Series:
    """The elements of lists in brackets: quoted ones, else those between commas, else numbers by blanks."""
    content = pl.col("content")
    frame = pl.DataFrame({"content": text.str.slice(1).str.head(-1).str.strip_chars()})
    quoted = content.str.extract_all(_QUOTED).list.eval(
        pl.element().str.slice(1).str.head(-1).str.replace_all(r"\\(.)", "$1")
    )
    is_numbers = content.str.contains(r"^[-+0-9.eE\s]+$")
    return frame.select(
        pl.when(content == "")
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .when(content.str.contains(r"""^["']"""))
        .then(quoted)
        .when(content.str.contains(",", literal=True))
        .then(content.str.split(","))
        .when(is_numbers)
        .then(content.str.extract_all(r"\S+"))
        .otherwise(pl.concat_list(content))
        .alias(text.name)
    ).to_series()
