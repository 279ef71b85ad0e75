"""What plain JSON must be: a schema is a plain Python value, or one of the classes here."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from isotherm.errors import brief


class DamagedError(ValueError):
    """Content that is not what it must be: the reason, a few words whatever the content is."""


class Schema(ABC):
    """What a value must be."""

    @abstractmethod
    def checked(self, value: Any, name: str) -> Any:
        """``value`` as the schema has it, or DamagedError that begins with its dotted ``name``."""


@dataclass(frozen=True)
class Number(Schema):
    """A finite number >= ``least``, or above ``above``, and <= ``most``."""

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf

    def checked(self, value: Any, name: str) -> float:
        """As a float."""
        if type(value) not in (int, float) or not self.least <= value <= self.most:
            _refuse(value, f"a number from {self.least:g} to {self.most:g}", name)
        if not value > self.above:
            _refuse(value, f"a number above {self.above:g}", name)
        return float(value)


@dataclass(frozen=True)
class Whole(Schema):
    """A whole number from ``least`` to ``most``."""

    least: int = 0
    most: int = 2**63 - 1

    def checked(self, value: Any, name: str) -> Any:
        """As it is."""
        if type(value) is not int or not self.least <= value <= self.most:
            _refuse(value, f"a whole number from {self.least} to {self.most}", name)
        return value


@dataclass(frozen=True)
class Choice(Schema):
    """One of some values."""

    values: tuple[Any, ...]

    def checked(self, value: Any, name: str) -> Any:
        """As it is."""
        if not any(type(value) is type(choice) and value == choice for choice in self.values):
            _refuse(value, f"one of {', '.join(map(repr, self.values))}", name)
        return value


@dataclass(frozen=True)
class Distinct(Schema):
    """A list of texts, none twice."""

    def checked(self, value: Any, name: str) -> Any:
        """As it is."""
        expect(value, [str], name)
        if len(set(value)) < len(value):
            raise DamagedError(f"{name[:80]} holds a text twice")
        return value


@dataclass(frozen=True)
class Digest(Schema):
    """A SHA-256 in hexadecimal."""

    def checked(self, value: Any, name: str) -> Any:
        """As it is."""
        if type(value) is not str or not re.fullmatch("[0-9a-f]{64}", value):
            _refuse(value, "a SHA-256 in hexadecimal", name)
        return value


@dataclass(frozen=True)
class Each(Schema):
    """An object with any names, whose values are all of one schema."""

    schema: Any

    def checked(self, value: Any, name: str) -> Any:
        """With each value as its schema has it."""
        expect(value, dict, name)
        return {key: expect(inner, self.schema, f"{name}.{brief(key)}") for key, inner in value.items()}


@dataclass(frozen=True)
class Or(Schema):
    """Null, or what ``schema`` says."""

    schema: Any

    def checked(self, value: Any, name: str) -> Any:
        """None, or as the schema has it."""
        return None if value is None else expect(value, self.schema, name)


def numbers(record: type[Any], schema: Number) -> dict[str, Number]:
    """Schema of a dataclass whose fields are all numbers."""
    return dict.fromkeys((field.name for field in fields(record)), schema)


def expect(value: Any, schema: Any, name: str) -> Any:
    """``value`` as the schema has it, or DamagedError that begins with its dotted ``name``.

    A schema is a Schema, a type such as str, bool, dict (any object), a list of one schema (any length), a
    tuple of schemas (a list of that length), or an object of schemas (exactly these names).
    """
    match schema:
        case Schema():
            return schema.checked(value, name)
        case type():
            if type(value) is not schema:
                _refuse(value, schema.__name__, name)
            return value
        case [inner] if isinstance(schema, list):
            expect(value, list, name)
            return [expect(entry, inner, f"{name}[{i}]") for i, entry in enumerate(value)]
        case tuple():
            expect(value, list, name)
            if len(value) != len(schema):
                _refuse(value, f"a list of {len(schema)}", name)
            return [expect(v, s, f"{name}[{i}]") for i, (v, s) in enumerate(zip(value, schema, strict=True))]
        case dict():
            expect(value, dict, name)
            same_names(value, schema, name)
            return {key: expect(value[key], inner, f"{name}.{key}") for key, inner in schema.items()}
        case _:
            raise TypeError(f"no schema: {schema!r}")


def same_names(given: Mapping[str, Any], declared: Mapping[str, Any], where: str) -> None:
    """Refuse names that are missing, and those that nobody declared."""
    for text, names in (
        ("is missing", [name for name in declared if name not in given]),
        ("is unknown", [name for name in given if name not in declared]),
    ):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise DamagedError(f"{where}: {brief(names[0])}{more} {text}")


def _refuse(value: Any, wanted: str, name: str) -> NoReturn:
    raise DamagedError(f"{name[:80]} is {brief(value)[:80]} and must be {wanted[:200]}")
