"""Tables of a page or of the terminal, and numbers as they read there."""

from dataclasses import dataclass

from isotherm.evaluation.bootstrap import Interval


@dataclass(frozen=True)
class Table:
    """names: of the columns.  rows: text.  words: leading columns that are words, not numbers."""

    names: list[str]
    rows: list[list[str]]
    words: int = 1


def number(value: float | None, form: str) -> str:
    """A number by a format of Python, with a real minus sign; nothing for None.

    >>> from isotherm.report.tables import number
    >>> number(-0.123, ".1%")
    '−12.3%'
    """
    text = "" if value is None else format(value, form)
    return f"−{text[1:]}" if text.startswith("-") else text


def interval(value: Interval, form: str = ".4f") -> str:
    """Mean [low, high].

    >>> from isotherm.evaluation import Interval
    >>> from isotherm.report.tables import interval
    >>> interval(Interval(0.5, -0.25, 1), ".2f")
    '0.50 [−0.25, 1.00]'
    """
    return f"{number(value.mean, form)} [{number(value.low, form)}, {number(value.high, form)}]"
