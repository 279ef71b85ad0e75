"""Hyper-parameters: read from a model's __init__, shown, saved, and set by dotted names."""

import inspect
import json
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from isotherm.errors import ParameterError, brief

Built = TypeVar("Built")


class Part:
    """A group of hyper-parameters of a model, with a name that a setting can choose it by."""

    name: ClassVar[str]

    def __repr__(self) -> str:
        return shown(self)


def hyperparameters(model: object) -> dict[str, Any]:
    """Name -> value of everything ``__init__`` takes; each is an attribute of the same name."""
    return {name: getattr(model, name) for name in parameters_of(type(model))}


def parameters_of(model_class: type[Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of ``__init__`` by name; where a subclass passes **others on, its base's too."""
    parameters: dict[str, inspect.Parameter] = {}
    for base in model_class.__mro__:
        if base is object or "__init__" not in vars(base):
            continue
        of_base = list(inspect.signature(base).parameters.values())
        parameters |= {p.name: p for p in of_base if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if all(p.kind is not p.VAR_KEYWORD for p in of_base):
            break
    return parameters


def has_settings(value: object) -> bool:
    """Whether a hyper-parameter is a part or a model, with hyper-parameters and a name of its own."""
    return hasattr(type(value), "name")


def shown(model: object) -> str:
    """Name(parameter=value, …)."""
    inside = ", ".join(f"{name}={value!r}" for name, value in hyperparameters(model).items())
    return f"{type(model).__name__}({inside})"


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """``["l2=500", "encoding.fields=genres,year"]`` -> {"l2": 500, "encoding.fields": ["genres", "year"]}."""
    parsed: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (piece.strip() for piece in setting.partition("="))
        if not equals or not name:
            raise ParameterError(f"--set takes name=value, not {brief(setting)}")
        if name in parsed:
            raise ParameterError(f"--set {brief(name)} is given twice; give it once")
        try:
            parsed[name] = _value(text)
        except RecursionError as cause:
            raise ParameterError(f"--set {brief(name)}: the value is nested too deeply") from cause
    return parsed


def build(model_class: type[Built], settings: Mapping[str, Any]) -> Built:
    """A model, or a part, with dotted settings: ``build(MARec, {"backbone.l2": 100, "beta": 2})``.

    Raises ParameterError that lists the names the model knows.
    """
    owner, known, choices = _name(model_class), parameters_of(model_class), part_choices(model_class)
    values: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for setting, value in settings.items():
        name, dot, inner_name = setting.partition(".")
        if name not in known:
            raise ParameterError(f"{owner} has no setting {brief(name)}; it has {', '.join(known) or 'none'}")
        if dot:
            nested.setdefault(name, {})[inner_name] = value
        elif name in choices and not has_settings(value):
            values[name] = _chosen(choices[name], setting, value)
        else:
            values[name] = value
    for name, inner_settings in nested.items():
        part = values.get(name, getattr(model_class(**values), name))
        if not has_settings(part):
            raise ParameterError(f"{owner}: {name} has no settings of its own")
        values[name] = build(type(part), {**hyperparameters(part), **inner_settings})
    return model_class(**values)


def part_choices(model_class: type[Any]) -> Mapping[str, Mapping[str, type[Any]]]:
    """Hyper-parameter -> name -> class, for those that are chosen by name: ``mask=bernoulli``."""
    return getattr(model_class, "parts", {})


def part_of(model: object, name: str, value: Any, default: type[Any]) -> Any:
    """The part of a model that ``value`` is or names; ``default()`` for None. Raises ParameterError."""
    if value is None:
        return default()
    choices = part_choices(type(model))[name]
    return value if isinstance(value, _kind(choices)) else _chosen(choices, name, value)


def _kind(choices: Mapping[str, type[Any]]) -> type[Any]:
    """The class that all choices have in common: another class of that kind, a user's, is as welcome."""
    first, *others = choices.values()
    return next(base for base in first.__mro__ if all(issubclass(other, base) for other in others))


def _name(model_class: type[Any]) -> str:
    return str(model_class.name)


def _chosen(choices: Mapping[str, type[Any]], setting: str, value: Any) -> Any:
    name = "none" if value is None else value
    if isinstance(name, str) and name in choices:
        return choices[name]()
    wanted = f"one of {', '.join(choices)}"
    if len(choices) == 1:  # nothing to choose: only its settings
        only = next(iter(choices.values()))
        first = next(iter(parameters_of(only)))
        wanted = f"of class {only.__name__}, or set by its settings ({setting}.{first}, …)"
    raise ParameterError(f"{setting} must be {wanted}, not {brief(value)}")


def _value(text: str) -> Any:
    """JSON where it is JSON; none, a comma list, or the text itself elsewhere."""
    words = {"none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return [_value(entry) for entry in text.split(",")] if "," in text else text
