"""Declarations of learned attributes, and the base class of objects that have them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from isotherm.types import Array
from isotherm.untrusted import Header, check_ascending, check_csr, check_finite, check_range, csr

Arrays: TypeAlias = dict[str, Array]
Size: TypeAlias = int | str


class StoredArray(NamedTuple):
    """What a stored array must be: possible dtypes, and the shape, whose words stand for unknown sizes.

    more: how much longer than the shape says it is (an ``indptr``: one).
    """

    dtypes: tuple[str, ...]
    shape: tuple[Size, ...]
    more: int = 0


class ArrayField(ABC):
    """A declared attribute that is stored as one array or several."""

    name: str
    shape: tuple[Size, ...]
    below: Size | None

    @abstractmethod
    def stored(self, name: str, shape: tuple[Size, ...]) -> dict[str, StoredArray]:
        """What the stored arrays must be, by name.  name, shape: the attribute's in the whole model."""

    @abstractmethod
    def to_arrays(self, name: str, value: Any) -> Arrays:
        """The arrays that a value is stored as."""

    @abstractmethod
    def from_arrays(
        self,
        name: str,
        arrays: Mapping[str, Array],
        shape: tuple[int, ...],
        below: int | None,
        verify: bool = True,
    ) -> Any:
        """The value, once its content is as declared. Raises DamagedError.

        verify: whether floats are looked at; whole numbers, by which memory is read, always are.
        """


@dataclass(frozen=True)
class Dense(ArrayField):
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

    def stored(self, name: str, shape: tuple[Size, ...]) -> dict[str, StoredArray]:
        """One array."""
        return {name: StoredArray((Header.of(np.empty(0, self.dtype)).dtype,), shape)}

    def to_arrays(self, name: str, value: Array) -> Arrays:
        """Itself."""
        return {name: np.ascontiguousarray(value)}

    def from_arrays(
        self,
        name: str,
        arrays: Mapping[str, Array],
        shape: tuple[int, ...],
        below: int | None,
        verify: bool = True,
    ) -> Array:
        """Itself, once its numbers are in range and order."""
        array = arrays[name]
        if array.dtype.kind == "f" and not verify:
            return array
        check_finite(array, name, self.missing)
        present = array[~np.isnan(array)] if self.missing else array
        check_range(present, name, self.least, self.most)
        if below is not None:
            check_range(array, name, 0, below - 1)
        if self.ascending:
            check_ascending(array, name)
        if self.distinct:
            check_ascending(np.sort(array), name)
        return array


@dataclass(frozen=True)
class Sparse(ArrayField):
    """A CSR matrix in float32, columns ascending in each row.  least: of its numbers."""

    name: str
    shape: tuple[Size, Size]
    least: float | None = None
    below: None = None

    def stored(self, name: str, shape: tuple[Size, ...]) -> dict[str, StoredArray]:
        """Three arrays: data, indices, indptr."""
        entries, whole = (f"entries of {name}",), ("I32", "I64")
        return {
            f"{name}/data": StoredArray(("F32",), entries),
            f"{name}/indices": StoredArray(whole, entries),
            f"{name}/indptr": StoredArray(whole, shape[:1], more=1),
        }

    def to_arrays(self, name: str, value: csr_array) -> Arrays:
        """Data, indices, indptr."""
        arrays = {"data": value.data, "indices": value.indices, "indptr": value.indptr}
        return {f"{name}/{key}": np.ascontiguousarray(array) for key, array in arrays.items()}

    def from_arrays(
        self,
        name: str,
        arrays: Mapping[str, Array],
        shape: tuple[int, ...],
        below: int | None,
        verify: bool = True,
    ) -> csr_array:
        """The matrix, once its indices are in range and order."""
        n_rows, n_columns = shape
        data, indices, indptr = (arrays[f"{name}/{key}"] for key in ("data", "indices", "indptr"))
        check_csr(data, indices, indptr, n_columns, name)
        if verify:
            check_finite(data, name)
            check_range(data, name, self.least)
        return csr(data, indices, indptr, (n_rows, n_columns))


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

    empty: one to be filled, from the object that holds it and the sizes known so far.
    sizes: its words -> ours.
    """

    name: str
    empty: Callable[[Any, Mapping[str, int]], "Stateful"]
    sizes: Mapping[str, Size] = field(default_factory=dict)


Field: TypeAlias = ArrayField | Plain | Inner


class Stateful:
    """An object that learns."""

    @property
    def learned(self) -> Iterable[Field]:
        """What it learns; most classes have a plain tuple here.

        What depends on an entry before it (the number of arrays, a vocabulary) is yielded: while a saved
        state is read, each entry is set before the next is asked for.
        """
        return ()

    def learned_value(self, name: str) -> Any:
        """What was learned under a name."""
        return getattr(self, name)

    def set_learned_value(self, name: str, value: Any) -> None:
        """Take it back."""
        setattr(self, name, value)

    def restored(self) -> None:
        """Make what follows from the rest; called when all of it is back."""
