"""The state of an object as arrays by name and plain JSON, and back; both are checked by the declarations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from isotherm.errors import brief
from isotherm.state.fields import ArrayField, Arrays, Inner, Plain, Size, Stateful, StoredArray
from isotherm.types import Array
from isotherm.untrusted import DamagedError, Header, expect, same_names

_OF_THE_MODEL = ("n_users", "n_items", "n_fitted")
Named = TypeVar("Named")


def saved(owner: Stateful, known: Mapping[str, int]) -> tuple[Arrays, dict[str, Any]]:
    """What an object has learned: arrays by name, and plain JSON.

    known: sizes of the model.  Raises DamagedError where something is not as declared, such as not finite.
    """
    state = _State(owner, known)
    state.check_headers({name: Header.of(array) for name, array in state.arrays.items()})
    for _ in state.values(state.arrays):
        pass
    return state.arrays, state.document


def restore(owner: Stateful, arrays: Arrays, document: Any, known: Mapping[str, int]) -> None:
    """The inverse of ``saved``. Raises DamagedError."""
    expected = ExpectedState(owner, document, known)
    expected.check_headers({name: Header.of(array) for name, array in arrays.items()})
    expected.fill(arrays)


def arrays_under(arrays: Mapping[str, Named], prefix: str) -> dict[str, Named]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class _DeclaredArray:
    """A declared attribute of one object, by its name and its sizes in the whole model."""

    name: str
    field: ArrayField
    owner: Stateful
    shape: tuple[Size, ...]
    below: Size | None

    def value(self, arrays: Mapping[str, Array], known: Mapping[str, int], verify: bool) -> Any:
        """The attribute, once its content is as declared.  verify: whether floats are looked at."""
        shape = tuple(_number(size, known) for size in self.shape)
        below = None if self.below is None else _number(self.below, known)
        return self.field.from_arrays(self.name, arrays, shape, below, verify)


class _Declared:
    """All declared arrays of an object, against which arrays are held."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = dict(known)
        self._arrays: list[_DeclaredArray] = []

    def check_headers(self, headers: Mapping[str, Header]) -> None:
        """That the arrays are those declared, in name, dtype and shape, before any of them is read."""
        stored: dict[str, StoredArray] = {}
        for declared in self._arrays:
            stored |= declared.field.stored(declared.name, declared.shape)
        same_names(headers, stored, "arrays")
        for name, (dtypes, shape, more) in stored.items():
            header = headers[name]
            if header.dtype not in dtypes:
                raise DamagedError(f"{name} is of type {header.dtype} and must be {' or '.join(dtypes)}")
            self._check_shape(name, tuple(size - more for size in header.shape), shape)

    def _check_shape(self, name: str, shape: tuple[int, ...], declared: tuple[Size, ...]) -> None:
        """Compare sizes; a word that is new stands for the size it meets from now on."""
        known = dict(self._known)
        fits = len(shape) == len(declared) and all(
            size == (word if isinstance(word, int) else known.setdefault(word, size))
            for size, word in zip(shape, declared, strict=True)
        )
        if not fits:
            wanted = ", ".join(str(self._known.get(str(word), word)) for word in declared)
            raise DamagedError(f"{name} is of shape {brief(shape)} and must be ({wanted[:80]})")
        self._known = known

    def values(
        self, arrays: Mapping[str, Array], verify: bool = True
    ) -> Iterator[tuple[_DeclaredArray, Any]]:
        """Each declared value, once its content is as declared.  verify: whether floats are looked at."""
        for declared in self._arrays:
            yield declared, declared.value(arrays, self._known, verify)


class ExpectedState(_Declared):
    """What a saved state must hold, by the declarations of an object that is to be filled with it.

    known: sizes of the model.  Takes the plain part of the state at once; DamagedError where it is not as
    declared.
    """

    def __init__(self, owner: Stateful, document: Any, known: Mapping[str, int]) -> None:
        super().__init__(known)
        self._owners: list[Stateful] = []
        self._read(owner, document, "", {})

    def _read(self, owner: Stateful, document: Any, prefix: str, renamed: Mapping[str, Size]) -> None:
        expect(document, dict, f"state {prefix}".strip())
        declared: dict[str, None] = {}
        for field in owner.learned:
            if isinstance(field, ArrayField):
                self._arrays.append(_declared_array(field, owner, prefix, renamed))
                continue
            name = _stored_name(field.name)
            declared[name] = None
            if name not in document:
                raise DamagedError(f"state: {prefix}{name} is missing")
            if isinstance(field, Plain):
                owner.set_learned_value(
                    field.name, field.read(expect(document[name], field.schema, prefix + name))
                )
                continue
            inner = field.empty(owner, self._in_words_of(renamed))
            owner.set_learned_value(field.name, inner)
            self._read(inner, document[name], f"{prefix}{name}/", _inner_sizes(field, owner, prefix, renamed))
        same_names(document, declared, f"state {prefix}".strip())
        self._owners.append(owner)

    def _in_words_of(self, renamed: Mapping[str, Size]) -> dict[str, int]:
        """The sizes known so far, by the words of an object within."""
        own = {word: self._known[str(size)] for word, size in renamed.items() if str(size) in self._known}
        return self._known | own

    def fill(self, arrays: Mapping[str, Array], verify: bool = True) -> None:
        """Let the objects hold the arrays. Raises DamagedError where a content is not as declared.

        verify: whether floats are looked at.
        """
        for declared, value in self.values(arrays, verify):
            declared.owner.set_learned_value(declared.field.name, value)
        for owner in self._owners:  # those within come first
            owner.restored()


class _State(_Declared):
    """What an object holds: plain JSON and arrays by name."""

    def __init__(self, owner: Stateful, known: Mapping[str, int]) -> None:
        super().__init__(known)
        self.arrays: Arrays = {}
        self.document = self._written(owner, "", {})

    def _written(self, owner: Stateful, prefix: str, renamed: Mapping[str, Size]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for field in owner.learned:
            value, name = owner.learned_value(field.name), _stored_name(field.name)
            match field:
                case ArrayField():
                    self._arrays.append(_declared_array(field, owner, prefix, renamed))
                    self.arrays |= field.to_arrays(prefix + name, value)
                case Plain():
                    document[name] = field.write(value)
                    expect(document[name], field.schema, prefix + name)
                case Inner():
                    sizes = _inner_sizes(field, owner, prefix, renamed)
                    document[name] = self._written(value, f"{prefix}{name}/", sizes)
        return document


def _declared_array(
    field: ArrayField, owner: Stateful, prefix: str, renamed: Mapping[str, Size]
) -> _DeclaredArray:
    shape = tuple(_in_model(size, owner, prefix, renamed) for size in field.shape)
    below = None if field.below is None else _in_model(field.below, owner, prefix, renamed)
    return _DeclaredArray(prefix + _stored_name(field.name), field, owner, shape, below)


def _inner_sizes(field: Inner, owner: Stateful, prefix: str, renamed: Mapping[str, Size]) -> dict[str, Size]:
    """What the words of an object within mean in the whole model; sizes of the model hold for all within."""
    of_the_model = {word: renamed[word] for word in _OF_THE_MODEL if word in renamed}
    own = {word: _in_model(size, owner, prefix, renamed) for word, size in field.sizes.items()}
    return of_the_model | own


def _in_model(size: Size, owner: Stateful, prefix: str, renamed: Mapping[str, Size]) -> Size:
    """A size as a number, or as a word that means the same in the whole model."""
    if isinstance(size, int):
        return size
    if size in renamed:
        return renamed[size]
    if size in _OF_THE_MODEL:
        return size
    attribute = getattr(owner, size, None)
    return attribute if isinstance(attribute, int) else prefix + size


def _number(size: Size, known: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else known[size]


def _stored_name(name: str) -> str:
    """An attribute's name as a saved model has it."""
    return name.strip("_")
