"""What a class says of its hyper-parameters, read from the ``Parameters:`` section that ends its docstring.

The section has one entry a parameter, in the order of ``__init__``; long texts go on in deeper lines:

    Parameters:
        l2 (> 0; default 500): the ridge penalty λ of every weight (Steck 2019, eq. 8).
        backbone (a model or its name; default EASE()): the model that is aligned.

The command line's help, the reference page and a test of names, defaults and ranges all read it here.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isotherm.models.parameters import parameters_of

_HEADING = "Parameters:"
_ENTRY = re.compile(r"(\w+) \((.+?); (?:default (.+?)|required)\): (.+)")


@dataclass(frozen=True)
class ParameterDoc:
    """One entry: ``name (range; default default): text``; default is None where the parameter is required."""

    name: str
    range: str
    default: str | None
    text: str


def description(documented_class: type[Any]) -> str:
    """The docstring of a class without its ``Parameters:`` section."""
    return _halves(documented_class)[0]


def parameter_docs(documented_class: type[Any]) -> Mapping[str, ParameterDoc]:
    """Name -> entry, in the order of the section; where parameters are passed on to a base, its entries too.

    Raises ValueError for an entry that is not of the form.
    """
    names = parameters_of(documented_class)
    entries: dict[str, ParameterDoc] = {}
    for each in documented_class.__mro__:
        for line in _entry_lines(_halves(each)[1]):
            entry = _parsed(each, line)
            if each is documented_class or entry.name in names:
                entries.setdefault(entry.name, entry)
        if set(names) <= set(entries):
            break
    return entries


def _halves(documented_class: type[Any]) -> tuple[str, str]:
    """The docstring of a class itself, before and after the heading."""
    lines = inspect.cleandoc(vars(documented_class).get("__doc__") or "").splitlines()
    at = lines.index(_HEADING) if _HEADING in lines else len(lines)
    return "\n".join(lines[:at]).rstrip(), "\n".join(lines[at + 1 :])


def _entry_lines(section: str) -> list[str]:
    """The section as one line an entry."""
    joined: list[str] = []
    for line in inspect.cleandoc("\n" + section).splitlines():
        if line.startswith(" ") and joined:
            joined[-1] += " " + line.strip()
        elif line:
            joined.append(line)
    return joined


def _parsed(documented_class: type[Any], line: str) -> ParameterDoc:
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        raise ValueError(
            f"{documented_class.__name__}: not of the form «name (range; default value): text»: {line}"
        )
    return ParameterDoc(*entry.groups())
