"""Models that are one matrix of item-item weights: score = history · weights, and so explain themselves."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.products import fill_products
from isotherm.models.base import Recommender
from isotherm.state import Dense, Field, Plain, Sparse, Stateful
from isotherm.types import Float32, Int64
from isotherm.untrusted import Whole

_MOST_GROUPS = 10_000  # of dense weights: groups that do not merge get smaller and smaller


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
            fill_products(user_items, self._row_of, weights, columns, out)
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
