"""Lists that are written as text: «Drama|War», «Drama, War», «['Drama', 'War']»; and words for no value."""

import polars as pl

from isotherm.data.kinds import SEPARATORS

#: texts that mean no value, in every format: what spreadsheets, databases and frames write
NULL_WORDS = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "None", "NaN", "nan", "NaT", r"\N")
_BRACKETED = r"(?s)^\[.*\]$"
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
    """Whether all texts are lists in brackets, as Python, JSON and NumPy print them, of plain values."""
    given = text.drop_nulls()
    inner = given.str.contains(r"^\[\s*[\[({]")  # of pairs or objects
    return len(given) > 0 and given.str.contains(_BRACKETED).all() and not inner.any()


def used_separator(text: pl.Series) -> str:
    """The first of | ; , that stands in a text, or nothing."""
    return next((each for each in SEPARATORS if text.str.contains(each, literal=True).any()), "")


def split_text(text: pl.Series, separator: str) -> pl.Series:
    """List(String): lists in brackets by their elements, others at the separator, whole where it is empty."""
    if are_bracketed(text):
        return _elements(text)
    return text.str.split(separator) if separator else text.reshape((-1, 1)).arr.to_list()


def _elements(text: pl.Series) -> pl.Series:
    """The elements of lists in brackets: quoted ones, else those between commas, else numbers by blanks."""
    content = pl.col("content")
    frame = pl.DataFrame({"content": text.str.slice(1).str.strip_suffix("]").str.strip_chars()})
    quoted = content.str.extract_all(_QUOTED).list.eval(
        pl.element().str.slice(1).str.head(-1).str.replace_all(r"\\(.)", "$1")
    )
    is_numbers = content.str.contains(r"^[-+0-9.eE\s]+$")
    return frame.select(
        pl.when(content.str.contains(r"""^["']"""))
        .then(quoted)
        .when(content.str.contains(",", literal=True))
        .then(content.str.split(","))
        .when(is_numbers)
        .then(content.str.extract_all(r"\S+"))
        .otherwise(pl.concat_list(content))
        .alias(text.name)
    ).to_series()
