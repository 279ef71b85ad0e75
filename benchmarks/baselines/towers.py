"""What the baselines share: item features, users by their history, pairs with sampled negatives."""

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from isotherm import FitOptions, Interactions, Items
from isotherm.features.feature_stack import all_features
from isotherm.models.base import Recommender
from isotherm.state import Dense


class Tower(nn.Module):
    """Sparse features -> vectors: one bag of embeddings, then dense layers of these widths."""

    def __init__(self, n_features: int, widths: list[int]) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(max(n_features, 1), widths[0], mode="sum")
        nn.init.normal_(self.bag.weight, 0, 0.1)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.ReLU(), nn.Linear(before, after)]
        self.dense = nn.Sequential(*layers)

    def forward(self, rows: csr_array) -> Tensor:
        """(n_rows, last width)."""
        summed = self.bag(
            torch.from_numpy(rows.indices.astype(np.int64)),
            torch.from_numpy(rows.indptr[:-1].astype(np.int64)),
            per_sample_weights=torch.from_numpy(rows.data.astype(np.float32)),
        )
        return self.dense(summed)


class ContentBaseline(Recommender):
    """A score is user · item + bias of the item, after ``learn``; subclasses say what is learned.

    A user is known again by the history; an unknown history is the least squares of its items' vectors.
    """

    needs_items: ClassVar[bool] = True
    width: ClassVar[int] = 64

    user_vectors_: NDArray[np.float32]
    item_vectors_: NDArray[np.float32]
    item_bias_: NDArray[np.float32]

    learned = (
        Dense("user_vectors_", np.float32, ("n_users", "vector_width")),
        Dense("item_vectors_", np.float32, ("n_items", "vector_width")),
        Dense("item_bias_", np.float32, ("n_items",)),
    )

    def restored(self) -> None:
        """Know users by their histories again."""
        self._remember(self.clicks_)

    def __init__(self, *, epochs: int = 20, learning_rate: float = 3e-3, seed: int = 0) -> None:
        self.epochs, self.learning_rate, self.seed = epochs, learning_rate, seed

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        assert items is not None
        torch.manual_seed(self.seed)
        self._rng = np.random.default_rng(self.seed)
        self.learn(clicks.matrix, np.flatnonzero(clicks.item_clicks()), all_features(items))
        self._remember(clicks.matrix)

    def learn(self, clicks: csr_array, warm: NDArray[np.int64], features: csr_array) -> None:
        """Set user_vectors_, item_vectors_ (new items too) and item_bias_."""
        raise NotImplementedError

    def batches(self, clicks: csr_array, size: int = 4096) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Users and items of all clicks, shuffled."""
        users = np.repeat(np.arange(clicks.shape[0]), np.diff(clicks.indptr))
        order = self._rng.permutation(clicks.nnz)
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            yield users[chosen], clicks.indices[chosen]

    def _remember(self, matrix: csr_array) -> None:
        self._row_of = {
            matrix.indices[a:b].tobytes(): row
            for row, (a, b) in enumerate(zip(matrix.indptr, matrix.indptr[1:], strict=False))
        }

    def users(self, histories: csr_array) -> NDArray[np.float32]:
        """(n, width) vectors of users by their histories."""
        found = np.empty((histories.shape[0], self.user_vectors_.shape[1]), dtype=np.float32)
        for row, (a, b) in enumerate(zip(histories.indptr, histories.indptr[1:], strict=False)):
            clicked = histories.indices[a:b]
            known = self._row_of.get(clicked.astype(self.clicks_.indices.dtype).tobytes())
            if known is not None:
                found[row] = self.user_vectors_[known]
                continue
            table = self.item_vectors_[clicked]
            left = table.T @ table + np.eye(table.shape[1], dtype=np.float32)
            found[row] = np.linalg.solve(left, table.sum(axis=0))
        return found

    def _score(self, user_items: csr_array) -> NDArray[np.float32]:
        """(n_users, n_items)."""
        return np.asarray(self.users(user_items) @ self.item_vectors_.T + self.item_bias_, dtype=np.float32)
