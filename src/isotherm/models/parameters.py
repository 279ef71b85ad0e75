"""Hyper-parameters: read from a model's __init__, checked, shown, saved, and set by dotted names."""

import inspect
import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from isotherm.errors import ParameterError


class Part:
    """A group of hyper-parameters of a model, with a name that a setting can choose it by."""

    name: ClassVar[str]

    def __repr__(self) -> str:
        return shown(self)


def hyperparameters(model: object) -> dict[str, Any]:
    """Name -> value of everything ``__init__`` takes; each is an attribute of the same name."""
    return {name: getattr(model, name) for name in inspect.signature(type(model)).parameters}


def shown(model: object) -> str:
    """Name(parameter=value, …)."""
    inside = ", ".join(f"{name}={value!r}" for name, value in hyperparameters(model).items())
    return f"{type(model).__name__}({inside})"


def at_least(name: str, value: Any, least: float) -> float:
    """``value`` as a finite number >= least, or ParameterError."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or value < least
    ):
        raise ParameterError(f"{name} must be a number >= {least:g}, not {value!r}")
    return float(value)


def above(name: str, value: Any, bound: float) -> float:
    """``value`` as a finite number > bound, or ParameterError."""
    if at_least(name, value, bound) == bound:
        raise ParameterError(f"{name} must be above {bound:g}")
    return float(value)


def whole(name: str, value: Any, least: int) -> int:
    """``value`` as a whole number >= least, or ParameterError."""
    if at_least(name, value, least) != int(value):
        raise ParameterError(f"{name} must be a whole number >= {least}, not {value!r}")
    return int(value)


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    """``value`` if it is one of ``choices``, or ParameterError."""
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
    return value


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """``["backbone.l2=500", "fields=genres,year"]`` -> {"backbone.l2": 500, "fields": ["genres", "year"]}."""
    parsed = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise ParameterError(f"--set takes name=value, not {setting!r}")
        parsed[name.strip()] = _value(text.strip())
    return parsed


def build(model_class: type[Any], settings: Mapping[str, Any]) -> Any:
    """A model with dotted settings: ``build(MARec, {"backbone.l2": 100, "beta": 2})``.

    Raises ParameterError that lists the names the model knows.
    """
    known = inspect.signature(model_class).parameters
    choices = part_choices(model_class)
    plain: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        head, dot, rest = name.partition(".")
        if head not in known:
            raise ParameterError(
                f"{model_class.name} has no setting {head!r}; it has {', '.join(known) or 'none'}"
            )
        if dot:
            nested.setdefault(head, {})[rest] = value
        else:
            made = head not in choices or hasattr(type(value), "name")
            plain[head] = value if made else _chosen(choices[head], name, value)
    for head, inner in nested.items():
        part = plain.get(head, getattr(model_class(**plain), head))
        if not hasattr(type(part), "name"):
            raise ParameterError(f"{model_class.name}: {head} has no settings of its own")
        plain[head] = build(type(part), {**hyperparameters(part), **inner})
    return model_class(**plain)


def part_choices(model_class: type[Any]) -> Mapping[str, Mapping[str, type[Any]]]:
    """Hyper-parameter -> name -> class, for those that are chosen by name: ``mask=bernoulli``."""
    return getattr(model_class, "parts", {})


def part_of(model: object, name: str, value: Any, default: type[Any]) -> Any:
    """The part of a model that ``value`` is or names; ``default()`` for None. Raises ParameterError."""
    if value is None:
        return default()
    choices = part_choices(type(model))[name]
    return value if type(value) in choices.values() else _chosen(choices, name, value)


def _chosen(choices: Mapping[str, type[Any]], setting: str, value: Any) -> Any:
    name = "none" if value is None else value
    if not isinstance(name, str) or name not in choices:
        raise ParameterError(f"{setting} must be one of {', '.join(choices)}, not {value!r}")
    return choices[name]()


def _value(text: str) -> Any:
    """JSON where it is JSON; none, a comma list, or the text itself elsewhere."""
    words = {"none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return [_value(part) for part in text.split(",")] if "," in text else text
