"""What a class says of its hyper-parameters, read from the ``Parameters:`` section that ends its docstring.

The section has one entry a parameter, in the order of ``__init__``; long texts go on in deeper lines:

    Parameters:
        l2 (> 0; default 500): the ridge penalty λ of every weight (Steck 2019, eq. 8).
        backbone (a model or its name; default EASE()): the model that is aligned.

The command line's help, the reference page and a test of names, defaults and ranges all read it here.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isotherm.models.registry import REGISTRY
from isotherm.parameters import has_settings, hyperparameters, parameters_of, part_choices

_HEADING = "Parameters:"
_ENTRY = re.compile(r"(\w+) \((.+?); (?:default (.+?)|required)\): (.+)")


@dataclass(frozen=True)
class ParameterDoc:
    """One entry: ``name (range; default default): text``; default is None where the parameter is required."""

    name: str
    range: str
    default: str | None
    text: str

    @property
    def bounds(self) -> str:
        """Range and default as the entry has them."""
        return f"{self.range}; " + ("required" if self.default is None else f"default {self.default}")


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


def settings_of(model_class: type[Any], prefix: str = "") -> Iterator[tuple[str, ParameterDoc]]:
    """(name as --set takes it, entry) of every setting of a model and of what it can be set to.

    Settings of a choice that is not the default follow that choice: ``mask=popularity mask.power``.
    """
    entries = parameter_docs(model_class)
    for name, default in hyperparameters(model_class()).items():
        yield prefix + name, entries[name]
        if not has_settings(default):
            continue
        yield from settings_of(type(default), f"{prefix}{name}.")
        choices = part_choices(model_class).get(name, {})
        for other in () if set(choices) <= set(REGISTRY) else choices.values():
            if other is not type(default):
                yield from settings_of(other, f"{prefix}{name}={other.name} {prefix}{name}.")


def choices_of(model_class: type[Any]) -> Iterator[tuple[str, str]]:
    """(setting=choice, what the choice is) for what is chosen by name; models are only listed."""
    for name, choices in part_choices(model_class).items():
        if set(choices) <= set(REGISTRY):
            yield name, f"{', '.join(choices)}, with the settings of that model"
            continue
        for choice in choices.values():
            yield f"{name}={choice.name}" if len(choices) > 1 else name, description(choice)


def _halves(documented_class: type[Any]) -> tuple[str, str]:
    """The docstring of a class itself, before and after the heading."""
    lines = inspect.cleandoc(vars(documented_class).get("__doc__") or "").splitlines()
    at = lines.index(_HEADING) if _HEADING in lines else len(lines)
    return "\n".join(lines[:at]).rstrip(), "\n".join(lines[at + 1 :])


def _entry_lines(section: str) -> list[str]:
    """The section as one line per entry."""
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
