"""Models that are one matrix of item-item weights: score = history · weights, and so explain themselves."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel
from isotherm.models.base import Recommender
from isotherm.state import Dense, Field, Plain, Sparse, Stateful
from isotherm.threads import run_bands, thread_count
from isotherm.types import Array, Float32, Int32, Int64
from isotherm.untrusted import Whole

_MOST_GROUPS = 10_000  # of dense weights: groups that do not merge get smaller and smaller
_TILE = 256  # columns: a tile of the weights stays in the shared cache while a block of users reads it


class Weights(Protocol):
    """Item-item weights, (n_items, n_items): row = clicked item, column = scored item."""

    def scores(self, user_items: csr_array) -> Float32:
        """user_items · weights, dense float32."""

    def column(self, item: int) -> Float32:
        """What each clicked item gives to the score of ``item``, (n_items,)."""


class SparseWeights(Stateful):
    """Weights as CSR: for neighbourhood models."""

    learned = (Sparse("matrix", ("n_items", "n_items")),)

    def __init__(self, matrix: csr_array) -> None:
        self.matrix = matrix

    @classmethod
    def empty(cls, model: Any, sizes: Mapping[str, int]) -> "SparseWeights":
        """To be filled with what a saved model holds."""
        return cls.__new__(cls)

    def scores(self, user_items: csr_array) -> Float32:
        """user_items · weights, dense float32."""
        return np.asarray((user_items @ self.matrix).toarray(), dtype=np.float32)

    def column(self, item: int) -> Float32:
        """What each clicked item gives to the score of ``item``, (n_items,)."""
        return np.asarray(self.matrix[:, [item]].toarray(), dtype=np.float32).ravel()


class DenseWeights(Stateful):
    """Weights from ``rows`` (item columns with clicks) to groups of columns, each group one dense array.

    rows: (n_rows,) item columns.  groups: (columns, weights (n_rows, n_columns) float32) pairs; an item in
    no group scores 0, an item in no row gives nothing. The first group is of the rows' own items.
    """

    def __init__(
        self,
        n_items: int,
        rows: Int64,
        groups: list[tuple[Int64, Float32]],
    ) -> None:
        self.n_items = n_items
        self.rows = rows
        self.groups = groups
        self._row_of = np.full(n_items, -1, dtype=np.int32)
        self._row_of[rows] = np.arange(len(rows), dtype=np.int32)

    @classmethod
    def empty(cls, model: Any, sizes: Mapping[str, int]) -> "DenseWeights":
        """To be filled with what a saved model holds."""
        return cls(sizes["n_items"], np.empty(0, dtype=np.int64), [])

    @property
    def learned(self) -> Iterator[Field]:
        """Rows, then columns and weights of each group; n_rows and the groups' n_columns are free."""
        yield Plain("n_groups", Whole(1, _MOST_GROUPS))
        yield Dense("rows", np.int64, ("n_rows",), below="n_items", distinct=True)
        for number in range(len(self.groups)):
            n = f"n_columns.{number}" if number else "n_rows"
            yield Dense(f"columns.{number}", np.int64, (n,), below="n_items", distinct=True)
            yield Dense(f"weights.{number}", np.float32, ("n_rows", n))

    def learned_value(self, name: str) -> Any:
        """Part of the state."""
        if name == "n_groups":
            return len(self.groups)
        what, dot, number = name.partition(".")
        return self.groups[int(number)][what == "weights"] if dot else self.rows

    def hold(self, name: str, value: Any) -> None:
        """The same, back."""
        what, dot, number = name.partition(".")
        if name == "n_groups":
            nothing = np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32)
            self.groups = [nothing] * value
        elif dot:
            columns, weights = self.groups[int(number)]
            self.groups[int(number)] = (columns, value) if what == "weights" else (value, weights)
        else:
            self.rows = value

    def restored(self) -> None:
        """Find the row of an item again."""
        self._row_of[self.rows] = np.arange(len(self.rows), dtype=np.int32)

    def appended(self, n_items: int, columns: Int64, weights: Float32) -> "DenseWeights":
        """The same with more columns over a catalogue grown to ``n_items``.

        The fitted groups are shared, not copied; small groups behind them are merged as they double, so
        that adding items one by one copies each only a few times and leaves few groups to read.
        """
        groups = list(self.groups)
        while len(groups) > 2 and len(groups[-1][0]) <= len(columns):
            last_columns, last_weights = groups.pop()
            columns = np.concatenate([last_columns, columns])
            weights = np.concatenate([last_weights, weights], axis=1)
        return DenseWeights(n_items, self.rows, [*groups, (columns, weights)])

    def scores(self, user_items: csr_array) -> Float32:
        """user_items · weights, dense float32."""
        out = np.zeros((user_items.shape[0], self.n_items), dtype=np.float32)
        for columns, weights in self.groups:
            add_products(user_items, self._row_of, weights, columns, out)
        return out

    def column(self, item: int) -> Float32:
        """What each clicked item gives to the score of ``item``, (n_items,)."""
        column = np.zeros(self.n_items, dtype=np.float32)
        for columns, weights in self.groups:
            for place in np.flatnonzero(columns == item):
                column[self.rows] = weights[:, place]
        return column


class ItemItem(Recommender):
    """Base of the models whose whole knowledge is ``weights_``."""

    weights_: Weights

    def _score(self, user_items: csr_array) -> Float32:
        """user_items · weights_, (n_users, n_items) float32."""
        return self.weights_.scores(user_items)

    def _nearness(self, column: int) -> Float32:
        """The weights of its column: the items whose clicks speak most for it."""
        return self.weights_.column(column)

    def _shares(self, history: csr_array, column: int) -> Float32:
        """Each click's weight."""
        return np.asarray(history.data * self.weights_.column(column)[history.indices], dtype=np.float32)


def products(user_items: csr_array, weights: Float32) -> Float32:
    """user_items · weights, (n_users, n_columns), for weights (n_rows, n_columns) of the rows' own items."""
    n_rows, n_columns = weights.shape
    out = np.zeros((user_items.shape[0], n_columns), dtype=np.float32)
    every = np.arange(n_rows, dtype=np.int32)
    add_products(user_items, every, np.ascontiguousarray(weights), np.arange(n_columns), out)
    return out


def add_products(
    user_items: csr_array,
    row_of: Int32,
    weights: Float32,
    columns: Int64,
    out: Float32,
) -> None:
    """out[:, columns] = user_items · weights, where the weights' row of item i is row_of[i] (-1: none).

    Bandwidth is the floor: each click reads one row of the weights, a tile of columns at a time.
    """
    tiles = -(-len(columns) // _TILE)
    n_users = user_items.shape[0]
    bands = 1 if n_users >= 64 else min(tiles, 4 * thread_count())  # few users: share out the columns
    edges = [tiles * b // bands * _TILE for b in range(bands)] + [len(columns)]
    arguments = (user_items.indptr, user_items.indices, user_items.data, row_of, weights, columns, out)
    if bands == 1:
        run_bands(_product_rows, n_users, 0, len(columns), *arguments, smallest=8)
        return
    run_bands(_product_columns, bands, np.array(edges), *arguments)


@kernel
def _product_rows(
    first: int,
    last: int,
    left: int,
    right: int,
    starts: Array,
    items: Array,
    values: Array,
    row_of: Array,
    weights: Array,
    columns: Array,
    out: Array,
) -> None:
    sums = np.empty(_TILE, np.float32)
    for start in range(left, right, _TILE):
        width = min(_TILE, right - start)
        for u in range(first, last):
            total = sums[:width]
            total[:] = 0
            for p in range(starts[u], starts[u + 1]):
                r = row_of[items[p]]
                if r >= 0:
                    value, row = values[p], weights[r, start : start + width]
                    for c in range(width):
                        total[c] += value * row[c]
            for c in range(width):
                out[u, columns[start + c]] = total[c]


@kernel
def _product_columns(
    first: int,
    last: int,
    edges: Array,
    starts: Array,
    items: Array,
    values: Array,
    row_of: Array,
    weights: Array,
    columns: Array,
    out: Array,
) -> None:
    for band in range(first, last):
        _product_rows(
            0, len(starts) - 1, edges[band], edges[band + 1],
            starts, items, values, row_of, weights, columns, out,
        )  # fmt: skip
