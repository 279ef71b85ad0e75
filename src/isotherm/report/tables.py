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
    text = "" if value is None else format(value, form).replace("inf", "∞")
    return f"−{text[1:]}" if text.startswith("-") else text


def interval(value: Interval, form: str = ".4f") -> str:
    """Mean [low, high].

    >>> from isotherm.evaluation import Interval
    >>> from isotherm.report.tables import interval
    >>> interval(Interval(0.5, -0.25, 1), ".2f")
    '0.50 [−0.25, 1.00]'
    """
    return f"{number(value.mean, form)} [{number(value.low, form)}, {number(value.high, form)}]"


def p_value(p: float) -> str:
    """A p-value in three digits.

    >>> from isotherm.report.tables import p_value
    >>> p_value(0.0004), p_value(0.25)
    ('< 0.001', '0.250')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
