"""Models that are one matrix of item-item weights: score = history · weights, and so explain themselves."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, hstack, sparray, vstack

from isotherm.linalg.products import fill_products, sparse_products
from isotherm.models.base import Recommender
from isotherm.models.scorer import ComparesItems, Contributions, Explains
from isotherm.state import Dense, Field, Inner, Plain, Sparse, Stateful
from isotherm.types import Bools, Float32, ItemIndex, ItemWeights, Scores, UserItems
from isotherm.untrusted import Whole

_MOST_BLOCKS = 10_000  # of dense weights: blocks that do not merge get smaller and smaller
_COPIED = 1 / 4  # of a block's columns: where no more count, they are copied, and the others never read


class Weights(Stateful, ABC):
    """Item-item weights (n_items, n_items): row = clicked item, column = scored item."""

    @abstractmethod
    def scores(self, user_items: UserItems) -> Scores:
        """user_items · weights, (n_users, n_items) float32."""

    @abstractmethod
    def column(self, item: int) -> Float32:
        """What each clicked item gives to the score of ``item``, (n_items,) float32."""

    def shares(self, history: UserItems, item: int) -> Float32:
        """What each click of one user's history gives to the score of ``item``, in its order."""
        return np.asarray(history.data * self.column(item)[history.indices], dtype=np.float32)


class SparseWeights(Weights):
    """Weights as CSR, (n_items, n_items) float32: for neighbourhood models."""

    matrix: csr_array

    learned = (Sparse("matrix", ("n_items", "n_items")),)

    def __init__(self, matrix: csr_array) -> None:
        self.matrix = matrix

    @classmethod
    def empty(cls, model: Any, sizes: Mapping[str, int]) -> "SparseWeights":
        """To be filled with what a saved model holds."""
        return cls(csr_array((sizes["n_items"], sizes["n_items"]), dtype=np.float32))

    def appended(self, columns: sparray) -> "SparseWeights":
        """The same with new items, from the known ones to them (n_items, n_new); they give nothing."""
        wide = hstack([self.matrix, columns], format="csr")
        nothing = csr_array((columns.shape[1], wide.shape[1]), dtype=np.float32)
        return SparseWeights(csr_array(vstack([wide, nothing], format="csr")))

    def scores(self, user_items: UserItems) -> Scores:
        """user_items · weights, (n_users, n_items) float32."""
        return sparse_products(user_items, self.matrix)

    def column(self, item: int) -> Float32:
        """What each clicked item gives to the score of ``item``, (n_items,) float32."""
        return np.asarray(self.matrix[:, [item]].toarray(), dtype=np.float32).ravel()


@dataclass
class WeightBlock(Stateful):
    """Weights from all rows of a DenseWeights to some scored items.

    columns: (n_columns,) these items.  weights: (n_rows, n_columns) float32.
    """

    columns: ItemIndex
    weights: ItemWeights

    learned: ClassVar[tuple[Field, ...]] = (
        Dense("columns", np.int64, ("n_columns",), below="n_items", distinct=True),
        Dense("weights", np.float32, ("n_rows", "n_columns")),
    )

    @classmethod
    def empty(cls, weights: Any, sizes: Mapping[str, int]) -> "WeightBlock":
        """To be filled with what a saved model holds."""
        return cls(np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32))

    def only(self, counts: Bools) -> "WeightBlock":
        """Some of the columns, (n_columns,) flags."""
        return WeightBlock(self.columns[counts], np.ascontiguousarray(self.weights[:, counts]))

    def merged(self, other: "WeightBlock") -> "WeightBlock":
        """The columns of both, these first."""
        return WeightBlock(
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.weights, other.weights], axis=1),
        )


class DenseWeights(Weights):
    """Weights from ``rows`` (items with clicks) to the columns of some blocks, each one dense array.

    rows: (n_rows,) items.  blocks: the first has the same items as columns. An item in no block scores
    0, of an item in two the later one counts, and an item in no row gives nothing.
    """

    rows: ItemIndex
    blocks: list[WeightBlock]

    def __init__(self, n_items: int, rows: ItemIndex, blocks: list[WeightBlock]) -> None:
        self.n_items = n_items
        self.rows = rows
        self.blocks = blocks
        self._row_of = np.full(n_items, -1, dtype=np.int32)
        self._row_of[rows] = np.arange(len(rows), dtype=np.int32)
        self._blocks_scored: list[WeightBlock] = []

    @classmethod
    def among(cls, n_items: int, items: ItemIndex, weights: ItemWeights) -> "DenseWeights":
        """From ``items`` to themselves, weights (len(items), len(items)), in a catalogue of ``n_items``."""
        return cls(n_items, items, [WeightBlock(items, weights)])

    @classmethod
    def empty(cls, model: Any, sizes: Mapping[str, int]) -> "DenseWeights":
        """To be filled with what a saved model holds."""
        return cls(sizes["n_items"], np.empty(0, dtype=np.int64), [])

    @property
    def warm(self) -> ItemWeights:
        """The weights among the rows' own items, (n_rows, n_rows)."""
        return self.blocks[0].weights

    @property
    def learned(self) -> Iterator[Field]:
        """Rows, then the blocks: the first is square, the others have any number of columns."""
        yield Plain("n_blocks", Whole(1, _MOST_BLOCKS))
        yield Dense("rows", np.int64, ("n_rows",), below="n_items", distinct=True)
        for number in range(len(self.blocks)):
            sizes = {"n_rows": "n_rows"} if number else {"n_rows": "n_rows", "n_columns": "n_rows"}
            yield Inner(f"blocks.{number}", WeightBlock.empty, sizes)

    def learned_value(self, name: str) -> Any:
        """One entry of the declaration."""
        if name == "n_blocks":
            return len(self.blocks)
        return self.rows if name == "rows" else self.blocks[_number(name)]

    def set_learned_value(self, name: str, value: Any) -> None:
        """Take it back."""
        if name == "n_blocks":
            self.blocks = [WeightBlock.empty(self, {})] * value
        elif name == "rows":
            self.rows = value
        else:
            self.blocks[_number(name)] = value

    def restored(self) -> None:
        """The row of each item follows from the rows."""
        self._blocks_scored = []
        self._row_of[self.rows] = np.arange(len(self.rows), dtype=np.int32)

    def appended(self, n_items: int, columns: ItemIndex, weights: ItemWeights) -> "DenseWeights":
        """The same with more columns, in an extended catalogue of ``n_items``.

        The fitted blocks are shared, not copied; small blocks behind them are merged as they double, so
        that adding items one by one copies each only a few times and leaves few blocks to read.
        """
        blocks, last = list(self.blocks), WeightBlock(columns, weights)
        while len(blocks) > 2 and len(blocks[-1].columns) <= len(last.columns):
            last = blocks.pop().merged(last)
        longer = DenseWeights(n_items, self.rows, [*blocks, last])
        longer._blocks_scored = [*self._scored()[: len(blocks)], last]
        return longer

    def replaced(self, columns: ItemIndex, weights: ItemWeights) -> "DenseWeights":
        """The same with other weights to ``columns``, (n_rows, len(columns)); ``warm`` keeps the old ones."""
        return DenseWeights(self.n_items, self.rows, [*self.blocks, WeightBlock(columns, weights)])

    def scores(self, user_items: UserItems) -> Scores:
        """user_items · weights, (n_users, n_items) float32."""
        out = np.zeros((user_items.shape[0], self.n_items), dtype=np.float32)
        return self._filled(out, user_items, self._scored())

    def scores_beside(self, warm_scores: Scores, user_items: UserItems) -> Scores:
        """``scores`` where ``warm_scores`` of these users are known: only the other blocks are multiplied."""
        out = np.zeros((user_items.shape[0], self.n_items), dtype=np.float32)
        out[:, self.rows] = warm_scores
        return self._filled(out, user_items, self._scored()[1:])

    def _filled(self, out: Scores, user_items: UserItems, blocks: Sequence[WeightBlock]) -> Scores:
        """With the scores of some blocks, in place."""
        for block in blocks:
            fill_products(user_items, self._row_of, block.weights, block.columns, out)
        return out

    def _scored(self) -> list[WeightBlock]:
        """The blocks, of one with few columns that no later one has these alone."""
        if len(self._blocks_scored) != len(self.blocks):
            replaced, scored = np.zeros(self.n_items, dtype=bool), []
            for block in reversed(self.blocks):
                counts = ~replaced[block.columns]
                is_copied = counts.sum() <= _COPIED * len(counts)
                scored.append(block.only(counts) if is_copied else block)
                replaced[block.columns] = True
            self._blocks_scored = scored[::-1]
        return self._blocks_scored

    def warm_scores(self, user_items: UserItems) -> Scores:
        """user_items · ``warm``, (n_users, n_rows) float32."""
        out = np.zeros((user_items.shape[0], len(self.rows)), dtype=np.float32)
        fill_products(user_items, self._row_of, self.warm, np.arange(len(self.rows)), out)
        return out

    def warm_shares(self, history: UserItems, item: int) -> Float32:
        """What each click of one user gives to the score of one of the rows' items by ``warm``."""
        rows = self._row_of[history.indices]
        weights = np.where(rows >= 0, self.warm[rows, self._row_of[item]], 0)
        return np.asarray(history.data * weights, dtype=np.float32)

    def column(self, item: int) -> Float32:
        """What each clicked item gives to the score of ``item``, (n_items,) float32."""
        column = np.zeros(self.n_items, dtype=np.float32)
        for block in self.blocks:
            for index in np.flatnonzero(block.columns == item):
                column[self.rows] = block.weights[:, index]
        return column


def _number(name: str) -> int:
    """Of the block with this name in the declaration."""
    return int(name.removeprefix("blocks."))


class ItemItem(Recommender, ComparesItems, Explains):
    """Base of the models whose whole knowledge is ``weights_``."""

    weights_: Weights

    def _score(self, user_items: UserItems) -> Scores:
        """user_items · weights_, (n_users, n_items) float32."""
        return self.weights_.scores(user_items)

    def item_similarities(self, column: int) -> Float32:
        """The weights of its column: how much a click on each item adds to its score."""
        return self.weights_.column(column)

    def contributions(self, history: UserItems, column: int) -> Contributions:
        """Each click's weight."""
        return Contributions(self.weights_.shares(history, column))
