"""What a fitted object has learned, declared once: saving, loading and the checks follow from it.

    class IALS(Recommender):
        learned = (
            Dense("item_factors_", np.float32, ("n_clicked", "factors")),
            Dense("rows_", np.int64, ("n_clicked",), below="n_items", ascending=True),
        )

A size is a number or a name: an attribute of the object that is a whole number (a hyper-parameter), one of
the model's own (n_users, n_items, n_fitted: columns of the clicks it was fitted on), or any other word, which
stands for the same number wherever the object uses it. An object within is declared by ``Inner`` and its own
``learned``. What is declared is what a saved model must hold: nothing less, nothing more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np

from isotherm.errors import brief
from isotherm.types import Array
from isotherm.untrusted import (
    DamagedError,
    Header,
    check_ascending,
    check_csr,
    check_finite,
    check_range,
    csr,
    expect,
    same_names,
)

Arrays: TypeAlias = dict[str, Array]
Named = TypeVar("Named")
Size: TypeAlias = int | str
_OF_THE_MODEL = ("n_users", "n_items", "n_fitted")
_PARTS = ("data", "indices", "indptr")


@dataclass(frozen=True)
class Dense:
    """An array.

    missing: NaN is allowed.  least, most: range.  below: indices 0 … that size − 1.  ascending: each above
    the one before it.  distinct: none twice.
    """

    name: str
    dtype: type[Any]
    shape: tuple[Size, ...]
    missing: bool = False
    least: float | None = None
    most: float | None = None
    below: Size | None = None
    ascending: bool = False
    distinct: bool = False


@dataclass(frozen=True)
class Sparse:
    """A CSR matrix in float32, columns ascending in each row.  least: of its numbers."""

    name: str
    shape: tuple[Size, Size]
    least: float | None = None


@dataclass(frozen=True)
class Plain:
    """Plain JSON of a schema (see ``untrusted.expect``).  write, read: from the attribute and back."""

    name: str
    schema: Any
    write: Callable[[Any], Any] = lambda value: value
    read: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True)
class Inner:
    """An object with learned attributes of its own.

    made: an empty one, from the object that holds it and the sizes known so far.  sizes: its words -> ours.
    """

    name: str
    made: Callable[[Any, Mapping[str, int]], "Stateful"]
    sizes: Mapping[str, Size] = field(default_factory=dict)


Field: TypeAlias = Dense | Sparse | Plain | Inner


class Stateful:
    """An object that learns."""

    @property
    def learned(self) -> Iterable[Field]:
        """What it learns; most classes have a plain tuple here.

        What depends on an entry before it (the number of arrays, a vocabulary) is yielded: while a saved
        state is read, each entry is held before the next is asked for.
        """
        return ()

    def learned_value(self, name: str) -> Any:
        """What was learned under a name."""
        return getattr(self, name)

    def hold(self, name: str, value: Any) -> None:
        """Take it back."""
        setattr(self, name, value)

    def restored(self) -> None:
        """Make what follows from the rest; called when all of it is back."""


@dataclass(frozen=True)
class _Leaf:
    """A declared array of one object, under its whole name, its sizes resolved."""

    name: str
    field: Dense | Sparse
    owner: Stateful
    shape: tuple[Size, ...]
    below: Size | None

    def headers(self) -> list[tuple[str, tuple[str, ...], tuple[Size, ...]]]:
        """Name, possible dtypes and shape of each array that it is made of."""
        if isinstance(self.field, Dense):
            return [(self.name, (Header.of(np.empty(0, self.field.dtype)).dtype,), self.shape)]
        entries = (f"entries of {self.name}",)
        data, indices, indptr = (f"{self.name}/{part}" for part in _PARTS)
        return [
            (data, ("F32",), entries),
            (indices, ("I32", "I64"), entries),
            (indptr, ("I32", "I64"), self.shape[:1]),
        ]

    def checked(self, arrays: Mapping[str, Array], known: Mapping[str, int]) -> Any:
        """The value itself, once its content is what was declared."""
        if isinstance(self.field, Sparse):
            data, indices, indptr = (arrays[f"{self.name}/{part}"] for part in _PARTS)
            shape = _known(self.shape[0], known), _known(self.shape[1], known)
            check_csr(data, indices, indptr, shape[1], self.name)
            check_finite(data, self.name)
            check_range(data, self.name, self.field.least)
            return csr(data, indices, indptr, shape)
        array = arrays[self.name]
        check_finite(array, self.name, self.field.missing)
        present = array[~np.isnan(array)] if self.field.missing else array
        check_range(present, self.name, self.field.least, self.field.most)
        if self.below is not None:
            check_range(array, self.name, 0, _known(self.below, known) - 1)
        if self.field.ascending:
            check_ascending(array, self.name)
        if self.field.distinct:
            check_ascending(np.sort(array), self.name)
        return array


class _Declared:
    """All declared arrays of an object, against which arrays are held."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = dict(known)
        self._leaves: list[_Leaf] = []

    def check_headers(self, headers: Mapping[str, Header]) -> None:
        """That the arrays are those declared, in name, dtype and shape, before any of them is read."""
        declared = {name: leaf for leaf in self._leaves for name, _, _ in leaf.headers()}
        same_names(headers, declared, "arrays")
        for leaf in self._leaves:
            for name, dtypes, shape in leaf.headers():
                found = headers[name]
                if found.dtype not in dtypes:
                    raise DamagedError(f"{name} is of type {found.dtype} and must be {' or '.join(dtypes)}")
                one_more = isinstance(leaf.field, Sparse) and name.endswith("/indptr")
                self._same(name, tuple(size - one_more for size in found.shape), shape)

    def _same(self, name: str, shape: tuple[int, ...], declared: tuple[Size, ...]) -> None:
        """Compare sizes; a word that is new stands for what is found from now on."""
        known = dict(self._known)
        fits = len(shape) == len(declared) and all(
            size == (word if isinstance(word, int) else known.setdefault(word, size))
            for size, word in zip(shape, declared, strict=True)
        )
        if not fits:
            wanted = ", ".join(str(self._known.get(str(word), word)) for word in declared)
            raise DamagedError(f"{name} is of shape {brief(shape)} and must be ({wanted[:80]})")
        self._known = known

    def values(self, arrays: Mapping[str, Array]) -> Iterator[tuple[_Leaf, Any]]:
        """Each declared value, once its content is what was declared."""
        for leaf in self._leaves:
            yield leaf, leaf.checked(arrays, self._known)


class Expected(_Declared):
    """What a saved state must hold, by the declarations of an object that is to be filled with it.

    known: sizes of the model.  Takes the plain part of the state at once; DamagedError where it is not as
    declared.
    """

    def __init__(self, owner: Stateful, document: Any, known: Mapping[str, int]) -> None:
        super().__init__(known)
        self._owners: list[Stateful] = []
        self._take(owner, document, "", {})

    def _take(self, owner: Stateful, document: Any, prefix: str, renamed: Mapping[str, Size]) -> None:
        expect(document, dict, f"state {prefix}".strip())
        taken: dict[str, None] = {}
        for each in owner.learned:
            name = _plain(each.name)
            if isinstance(each, Dense | Sparse):
                self._leaves.append(_leaf(each, owner, prefix, renamed))
                continue
            taken[name] = None
            if name not in document:
                raise DamagedError(f"state: {prefix}{name} is missing")
            if isinstance(each, Plain):
                owner.hold(each.name, each.read(expect(document[name], each.schema, prefix + name)))
                continue
            inner = each.made(owner, self._known)
            owner.hold(each.name, inner)
            self._take(inner, document[name], f"{prefix}{name}/", _inside(each, owner, prefix, renamed))
        same_names(document, taken, f"state {prefix}".strip())
        self._owners.append(owner)

    def fill(self, arrays: Mapping[str, Array]) -> None:
        """Put the arrays into their places. Raises DamagedError where a content is not as declared."""
        for leaf, value in self.values(arrays):
            leaf.owner.hold(leaf.field.name, value)
        for owner in self._owners:  # those within come first
            owner.restored()


class _Held(_Declared):
    """What an object holds: plain JSON and arrays by name."""

    def __init__(self, owner: Stateful, known: Mapping[str, int]) -> None:
        super().__init__(known)
        self.arrays: Arrays = {}
        self.document = self._taken(owner, "", {})

    def _taken(self, owner: Stateful, prefix: str, renamed: Mapping[str, Size]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for each in owner.learned:
            value, name = owner.learned_value(each.name), _plain(each.name)
            if isinstance(each, Plain):
                document[name] = each.write(value)
                expect(document[name], each.schema, prefix + name)
            elif isinstance(each, Inner):
                sizes = _inside(each, owner, prefix, renamed)
                document[name] = self._taken(value, f"{prefix}{name}/", sizes)
            else:
                self._leaves.append(_leaf(each, owner, prefix, renamed))
                parts = (
                    {f"/{part}": getattr(value, part) for part in _PARTS} if _sparse(each) else {"": value}
                )
                self.arrays |= {f"{prefix}{name}{end}": np.ascontiguousarray(a) for end, a in parts.items()}
        return document


def saved(owner: Stateful, known: Mapping[str, int]) -> tuple[Arrays, dict[str, Any]]:
    """What an object has learned: arrays by name, and plain JSON.

    known: sizes of the model.  Raises DamagedError where something is not as declared, such as not finite.
    """
    held = _Held(owner, known)
    held.check_headers({name: Header.of(array) for name, array in held.arrays.items()})
    for _ in held.values(held.arrays):
        pass
    return held.arrays, held.document


def restore(owner: Stateful, arrays: Arrays, document: Any, known: Mapping[str, int]) -> None:
    """The inverse of ``saved``. Raises DamagedError."""
    expected = Expected(owner, document, known)
    expected.check_headers({name: Header.of(array) for name, array in arrays.items()})
    expected.fill(arrays)


def arrays_under(arrays: Mapping[str, Named], prefix: str) -> dict[str, Named]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _sparse(each: Field) -> bool:
    return isinstance(each, Sparse)


def _inside(each: Inner, owner: Stateful, prefix: str, renamed: Mapping[str, Size]) -> dict[str, Size]:
    """What the words of an object within mean in the whole model."""
    return {word: _key(size, owner, prefix, renamed) for word, size in each.sizes.items()}


def _leaf(each: Dense | Sparse, owner: Stateful, prefix: str, renamed: Mapping[str, Size]) -> _Leaf:
    shape = tuple(_key(size, owner, prefix, renamed) for size in each.shape)
    below = getattr(each, "below", None)
    return _Leaf(
        prefix + _plain(each.name),
        each,
        owner,
        shape,
        None if below is None else _key(below, owner, prefix, renamed),
    )


def _key(size: Size, owner: Stateful, prefix: str, renamed: Mapping[str, Size]) -> Size:
    """A size as a number, or as a word that means the same in the whole model."""
    if isinstance(size, int):
        return size
    if size in renamed:
        return renamed[size]
    if size in _OF_THE_MODEL:
        return size
    own = getattr(owner, size, None)
    return own if isinstance(own, int) else prefix + size


def _known(size: Size, known: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else known[size]


def _plain(name: str) -> str:
    """An attribute's name as a saved model has it."""
    return name.strip("_")
