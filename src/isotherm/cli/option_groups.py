"""Groups of options: declared once as a dataclass, used by several commands."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any, TypeGuard, get_type_hints

Command = Callable[..., None]


def with_option_groups(command: Command) -> Command:
    """``command`` as the option parser sees it: each argument that is a dataclass as that class's fields.

    The fields are annotated as single options are, and stand in the help where the argument stands.
    """
    arguments = inspect.signature(command).parameters
    groups = {name: each.annotation for name, each in arguments.items() if _is_group(each.annotation)}

    @wraps(command)
    def ungrouped(**given: Any) -> None:
        built = {
            name: group(
                **{field.name: given.pop(field.name) for field in fields(group) if field.name in given}
            )
            for name, group in groups.items()
        }
        command(**given, **built)

    options = list(_options(arguments.values()))
    vars(ungrouped)["__signature__"] = inspect.Signature(options)
    ungrouped.__annotations__ = {option.name: option.annotation for option in options}
    return ungrouped


def _is_group(annotation: Any) -> TypeGuard[type[Any]]:
    return isinstance(annotation, type) and is_dataclass(annotation)


def _options(arguments: Iterable[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    for argument in arguments:
        if _is_group(argument.annotation):
            hints = get_type_hints(argument.annotation, include_extras=True)
            yield from (_option(field, hints[field.name]) for field in fields(argument.annotation))
        else:
            yield argument.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _option(field: "Field[Any]", annotation: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
