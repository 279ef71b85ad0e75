"""Hyper-parameters: read from a model's __init__, shown, saved, and set by dotted names."""

import inspect
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from isotherm.errors import ParameterError, brief


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
    found: dict[str, inspect.Parameter] = {}
    for each in model_class.__mro__:
        if each is object or "__init__" not in vars(each):
            continue
        own = list(inspect.signature(each).parameters.values())
        found |= {p.name: p for p in own if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if all(p.kind is not p.VAR_KEYWORD for p in own):
            break
    return found


def shown(model: object) -> str:
    """Name(parameter=value, …)."""
    inside = ", ".join(f"{name}={value!r}" for name, value in hyperparameters(model).items())
    return f"{type(model).__name__}({inside})"


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """``["l2=500", "encoding.fields=genres,year"]`` -> {"l2": 500, "encoding.fields": ["genres", "year"]}."""
    parsed: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not name:
            raise ParameterError(f"--set takes name=value, not {brief(setting)}")
        if name in parsed:
            raise ParameterError(f"--set {brief(name)} is given twice; give it once")
        try:
            parsed[name] = _value(text)
        except RecursionError as cause:
            raise ParameterError(f"--set {brief(name)}: the value is nested too deeply") from cause
    return parsed


def build(model_class: type[Any], settings: Mapping[str, Any]) -> Any:
    """A model with dotted settings: ``build(MARec, {"backbone.l2": 100, "beta": 2})``.

    Raises ParameterError that lists the names the model knows.
    """
    known = parameters_of(model_class)
    choices = part_choices(model_class)
    plain: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        head, dot, rest = name.partition(".")
        if head not in known:
            raise ParameterError(
                f"{model_class.name} has no setting {brief(head)}; it has {', '.join(known) or 'none'}"
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
    return value if isinstance(value, _kind(choices)) else _chosen(choices, name, value)


def _kind(choices: Mapping[str, type[Any]]) -> type[Any]:
    """What all choices are: a user's own class of that kind is as welcome."""
    first, *others = choices.values()
    return next(each for each in first.__mro__ if all(issubclass(other, each) for other in others))


def _chosen(choices: Mapping[str, type[Any]], setting: str, value: Any) -> Any:
    name = "none" if value is None else value
    if not isinstance(name, str) or name not in choices:
        raise ParameterError(f"{setting} must be one of {', '.join(choices)}, not {brief(value)}")
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
