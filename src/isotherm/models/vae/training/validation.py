"""What early stopping ranks: histories of users, their hidden clicks, and a metric of the network."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.data import Interactions
from isotherm.data.click_ranks import user_click_ranks
from isotherm.data.wording import counted
from isotherm.errors import ParameterError
from isotherm.linalg.csr import binary, filter_entries, row_blocks, rows_of, with_data
from isotherm.memory import users_per_block
from isotherm.ranking.metrics import USER_METRICS, rank_hits
from isotherm.ranking.topk import hide, top_k
from isotherm.streams import stream
from isotherm.types import Bools, Float64, Scores, UserItems

_log = logging.getLogger(__name__)

_FOLD_IN = 0.8  # of a user's clicks: what is given as history (Liang et al. 2018, §4.2)
_FEWEST_USERS = 50  # below, a metric is too noisy to stop by
_MOST_USERS = 10_000


@dataclass(frozen=True)
class Validation:
    """histories, targets: (n_users, n_items) CSR."""

    histories: UserItems
    targets: UserItems

    @classmethod
    def folded(cls, user_items: UserItems, seed: int) -> "Validation":
        """At random, four fifths of each user's clicks as history; the rest, if any, are the targets.

        >>> from scipy.sparse import csr_array
        >>> from isotherm.models.vae.training.validation import Validation
        >>> folded = Validation.folded(csr_array([[1, 1, 1, 1, 1], [0, 0, 1, 0, 0]], dtype="float32"), seed=0)
        >>> folded.histories.sum(axis=1), folded.targets.sum(axis=1)
        (array([4., 1.], dtype=float32), array([1., 0.], dtype=float32))
        """
        n_clicks = np.diff(user_items.indptr)
        n_history = np.clip(np.rint(_FOLD_IN * n_clicks), 1, np.maximum(n_clicks - 1, 1))
        history = user_click_ranks(user_items, stream(seed, "folding")) < n_history[rows_of(user_items)]
        return cls(filter_entries(user_items, history), filter_entries(user_items, ~history))

    @classmethod
    def given(cls, clicks: Interactions, valid: Interactions, seed: int) -> "Validation":
        """From clicks kept apart: users that train knows keep their train clicks as history.

        The clicks of other users are folded. A click that is a training click too is nothing to find: it is
        dropped, and the log says so. Raises ParameterError where no user has both a history and a target.
        """
        if not isinstance(valid, Interactions):
            raise ParameterError(f"valid must be Interactions, not {type(valid).__name__}")
        known = clicks.items.known(valid.items.values)
        if len(known) < len(valid.items):
            n_unknown = len(valid.items) - len(known)
            raise ParameterError(
                f"the validation clicks hold {counted(n_unknown, 'item')} unknown to fit: "
                "give an item table that holds them"
            )
        targets = valid.among(valid.users, clicks.items).matrix
        users = np.flatnonzero(np.diff(targets.indptr))
        rows, targets = clicks.users.rows(valid.users.take(users)), targets[users]
        histories = _rows_where(rows >= 0, clicks.matrix[np.maximum(rows, 0)])
        targets = _unseen(targets, histories)
        new = np.diff(histories.indptr) == 0
        folded = cls.folded(targets, seed)
        validation = cls(
            csr_array(histories + _rows_where(new, folded.histories)),
            csr_array(_rows_where(~new, targets) + _rows_where(new, folded.targets)),
        ).of_askable_users()
        if not validation.targets.shape[0]:
            raise ParameterError(
                "validation clicks: no user has a history and a click to find that is no training click too; "
                "give clicks that are kept apart from the training clicks, or none"
            )
        return validation

    def of_askable_users(self) -> "Validation":
        """Only the users with a history and a target, columns ascending."""
        users = np.flatnonzero((np.diff(self.histories.indptr) > 0) & (np.diff(self.targets.indptr) > 0))
        histories, targets = self.histories[users], self.targets[users]
        histories.sort_indices()
        targets.sort_indices()
        return Validation(histories, targets)

    def measure(self, score: Callable[[UserItems], Scores], metric: str, k: int) -> float:
        """Mean of the metric over users, seen items hidden.  score: as a model's."""
        return self.measure_each(lambda block: [score(block)], metric, k)[0]

    def measure_each(
        self, score_each: Callable[[UserItems], Iterable[Scores]], metric: str, k: int
    ) -> list[float]:
        """The same of several models in one pass.  score_each: a block's scores by each of them, in order."""
        return [float(each.mean()) for each in self._of_users(score_each, metric, k)]

    def of_users(self, score: Callable[[UserItems], Scores], metric: str, k: int) -> Float64:
        """The metric of each user, (n_users,)."""
        return self._of_users(lambda block: [score(block)], metric, k)[0]

    def _of_users(
        self, score_each: Callable[[UserItems], Iterable[Scores]], metric: str, k: int
    ) -> list[Float64]:
        k = min(k, self.targets.shape[1])
        blocks = []
        for block in row_blocks(self.histories, users_per_block(self.targets.shape[1])):
            lists = []
            for scores in score_each(block):
                hide(scores, block)
                lists.append(top_k(scores, k)[0])
            blocks.append(lists)
        n_targets = np.diff(self.targets.indptr)
        hits = (rank_hits(np.concatenate(lists), self.targets) for lists in zip(*blocks, strict=True))
        return [USER_METRICS[metric](each, n_targets, k) for each in hits]


def held_out(user_items: UserItems, share: float, seed: int) -> tuple[Bools, Validation | None]:
    """(n_users,) who stays in training, and a validation on the others; all stay where they would be few."""
    users = np.flatnonzero(np.diff(user_items.indptr) > 1)
    n = min(round(share * len(users)), _MOST_USERS)
    stays = np.ones(user_items.shape[0], dtype=bool)
    if n < _FEWEST_USERS:
        return stays, None
    chosen = np.sort(stream(seed, "validation users").permutation(users)[:n])
    stays[chosen] = False
    return stays, Validation.folded(user_items[chosen], seed).of_askable_users()


def _rows_where(kept: Bools, matrix: UserItems) -> UserItems:
    """The matrix with nothing in the rows where ``kept`` (n_users,) is false."""
    return filter_entries(matrix, kept[rows_of(matrix)])


def _unseen(targets: UserItems, histories: UserItems) -> UserItems:
    """The targets without those that are in the histories, both (n_users, n_items)."""
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
