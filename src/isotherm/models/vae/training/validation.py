"""Early stopping's own ranking: histories, hidden clicks, and a metric of the network as it is."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.data import Interactions
from isotherm.data.splits import positions
from isotherm.errors import ParameterError
from isotherm.linalg.csr import binary, filter_entries, row_blocks, rows_of, with_data
from isotherm.memory import users_per_block
from isotherm.ranking.metrics import USER_METRICS, rank_hits
from isotherm.ranking.topk import hide, top_k
from isotherm.streams import stream
from isotherm.types import Bools, Float32

_log = logging.getLogger(__name__)

_FOLD_IN = 0.8
_FEWEST = 50  # users: below, a metric is too noisy to stop by
_MOST = 10_000


@dataclass(frozen=True)
class Validation:
    """histories, targets: (n_users, n_items) CSR, no empty row in either."""

    histories: csr_array
    targets: csr_array

    @classmethod
    def given(cls, clicks: Interactions, valid: Interactions, seed: int) -> "Validation":
        """From clicks kept apart: users that train knows keep their train clicks as history.

        A click that is a training click too is nothing to find: it is dropped, and the log says so.
        Raises ParameterError where no user has both a history and something to find.
        """
        if not isinstance(valid, Interactions):
            raise ParameterError(f"valid must be Interactions, not {type(valid).__name__}")
        known = clicks.items.known(valid.items.values)
        if len(known) < len(valid.items):
            raise ParameterError(
                f"{len(valid.items) - len(known)} items of the validation clicks are unknown to fit: "
                "give an item table that holds them"
            )
        found = valid.among(valid.users, clicks.items).matrix
        asked = np.flatnonzero(np.diff(found.indptr))
        rows, targets = clicks.users.rows(valid.users.take(asked)), found[asked]
        histories = clicks.matrix[np.maximum(rows, 0)]
        histories = filter_entries(histories, (rows >= 0)[rows_of(histories)])
        targets = _unseen(targets, histories)
        fresh = np.diff(histories.indptr) == 0
        new_histories, new_targets = folded(targets, seed)
        entries = fresh[rows_of(targets)]
        histories = csr_array(histories + filter_entries(new_histories, fresh[rows_of(new_histories)]))
        targets = csr_array(
            filter_entries(targets, ~entries) + filter_entries(new_targets, fresh[rows_of(new_targets)])
        )
        made = cls._whole(histories, targets)
        if not made.targets.shape[0]:
            raise ParameterError(
                "validation clicks: no user has a history and a click to find that is no training click too; "
                "give clicks that are kept apart from the training clicks, or none"
            )
        return made

    @classmethod
    def _whole(cls, histories: csr_array, targets: csr_array) -> "Validation":
        whole = np.flatnonzero((np.diff(histories.indptr) > 0) & (np.diff(targets.indptr) > 0))
        histories, targets = histories[whole], targets[whole]
        histories.sort_indices()
        targets.sort_indices()
        return cls(histories, targets)

    def measure(self, score: Callable[[csr_array], Float32], metric: str, k: int) -> float:
        """Mean of the metric over users, seen items hidden.  score: as a model's."""
        return self.measure_each(lambda block: [score(block)], metric, k)[0]

    def measure_each(
        self, scores: Callable[[csr_array], Iterable[Float32]], metric: str, k: int
    ) -> list[float]:
        """The same of several models in one pass.  scores: each one's scores of a block, in one order."""
        k = min(k, self.targets.shape[1])
        lists = []
        for block in row_blocks(self.histories, users_per_block(self.targets.shape[1])):
            tops = []
            for found in scores(block):
                hide(found, block)
                tops.append(top_k(found, k)[0])
            lists.append(tops)
        n_targets = np.diff(self.targets.indptr)
        hits = (rank_hits(np.concatenate(each), self.targets) for each in zip(*lists, strict=True))
        return [float(USER_METRICS[metric](each, n_targets, k).mean()) for each in hits]


def _unseen(targets: csr_array, histories: csr_array) -> csr_array:
    """The targets without those that are in the histories, both (n_users, n_items) CSR."""
    numbered = with_data(targets, np.arange(1, targets.nnz + 1))
    seen = np.zeros(targets.nnz, dtype=bool)
    seen[csr_array(numbered.multiply(binary(histories))).data.astype(np.int64) - 1] = True
    if seen.any():
        _log.warning(
            "%d of %d validation clicks are training clicks too and are left out: there is nothing to find",
            seen.sum(),
            targets.nnz,
        )
    return filter_entries(targets, ~seen)


def held_out(matrix: csr_array, share: float, seed: int) -> tuple[Bools, Validation | None]:
    """(n_users,) who stays in training, and a validation on the others; all stay where they would be few."""
    users = np.flatnonzero(np.diff(matrix.indptr) > 1)
    n = min(round(share * len(users)), _MOST)
    stays = np.ones(matrix.shape[0], dtype=bool)
    if n < _FEWEST:
        return stays, None
    chosen = np.sort(stream(seed, "validation users").permutation(users)[:n])
    stays[chosen] = False
    return stays, Validation._whole(*folded(matrix[chosen], seed))


def folded(matrix: csr_array, seed: int) -> tuple[csr_array, csr_array]:
    """Each user's clicks as history (four fifths, at random) and targets; one click alone is history."""
    position, lengths = positions(matrix, stream(seed, "folding"))
    known = np.clip(np.rint(_FOLD_IN * lengths), 1, np.maximum(lengths - 1, 1))
    history = position < known[rows_of(matrix)]
    return filter_entries(matrix, history), filter_entries(matrix, ~history)
