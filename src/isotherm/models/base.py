"""The model contract: fit, refit, recommend, score, similar_items, explain, add_items, save."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.checks import whole
from isotherm.data import IdMap, Interactions, Items
from isotherm.data.interactions import row_blocks
from isotherm.data.items import Kind
from isotherm.errors import NotFittedError, ParameterError, TrainingError, UnsupportedError
from isotherm.memory import check_memory
from isotherm.models.finite import not_finite
from isotherm.models.histories import checked_block
from isotherm.models.parameters import shown
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide, top_k, top_k_each

_SCORE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Explanation:
    """Why a user is shown an item: exact additive shares of its score, largest first.

    by_item: item_id, share — from each item of the user's history.
    by_field: field, share — for an item known by its metadata only; None for one with clicks of its own.
    certainty: in [0, 1], how much of such an item its metadata explains; None where the model does not say.
    """

    user: Any
    item: Any
    score: float
    by_item: pl.DataFrame
    by_field: pl.DataFrame | None = None
    certainty: float | None = None


class Recommender(ABC):
    """What every model does.

    A subclass learns in ``_fit`` and scores in ``_score``; ids, histories, ranking and frames are done here.
    Hyper-parameters are the keyword arguments of ``__init__``; learned state ends in ``_``.
    """

    name: ClassVar[str]
    #: whether fit needs an item table
    needs_items: ClassVar[bool] = False
    #: whether fit takes ``valid`` (clicks for early stopping) and ``run`` (a folder for checkpoints)
    trains_in_steps: ClassVar[bool] = False

    users_: IdMap
    items_: IdMap
    clicks_: csr_array  #: (n_users, n_items) what each user clicked, as fitted

    def fit(self, clicks: Interactions, items: Items | None = None) -> Self:
        """Learn from clicks and, where the model uses it, item metadata. Returns self.

        The catalogue is the items of ``clicks`` and then those that only ``items`` holds.
        Raises ItemsError where ``items`` lacks a clicked item, or is needed and absent, and TrainingError
        where a learned number is not finite; the model is then what it was.
        """
        return self._learned_by("fit", type(self)._fit, clicks, items)

    def refit(self, clicks: Interactions, items: Items | None = None) -> Self:
        """Fit a fitted model on a newer log. Returns self.

        What a model learned beside its weights and need not learn every night is held (``_refit`` says what):
        marec and kernel-ridge hold what metadata is worth. The others learn everything anew, as in ``fit``.
        Raises as ``fit`` does; the model is then what it was.
        """
        return self._fitted()._learned_by("refit", type(self)._refit, clicks, items)

    def _learned_by(
        self,
        how: str,
        learn: Callable[[Self, Interactions, Items | None], None],
        clicks: Interactions,
        items: Items | None,
    ) -> Self:
        if not clicks.n_clicks:
            raise ParameterError(f"{self.name}: 0 clicks to fit on")
        if items is None:
            if self.needs_items:
                raise ParameterError(f"{self.name} needs an item table: fit(clicks, items), or --items")
        else:
            items.of(clicks.items)  # raises where a clicked item has no row
            catalogue = clicks.items.union(items.ids)
            items, clicks = items.of(catalogue), clicks.among(clicks.users, catalogue)
        self._check_memory(clicks)
        learned = copy(self)  # a fit that fails leaves the model as it was
        with stage(f"{how} {self.name}"):
            learn(learned, clicks, items)
        learned.users_, learned.items_, learned.clicks_ = clicks.users, clicks.items, clicks.matrix
        wrong = not_finite(*learned.state())
        if wrong is not None:
            raise TrainingError(
                f"{self.name}: {how} gave {wrong} with numbers that are not finite; a setting or a click "
                f"weight is out of float32's reach (the largest weight is {clicks.matrix.data.max():g})"
            )
        self.__dict__.update(learned.__dict__)
        return self

    @abstractmethod
    def _fit(self, clicks: Interactions, items: Items | None) -> None:
        """Learn; ``items``, if given, is in the order of the columns of ``clicks``."""

    def _check_memory(self, clicks: Interactions) -> None:
        """Raise ParameterError where the catalogue and the settings ask for more than there is."""
        sizes = ", ".join(f"{name}={value}" for name, value in self._sizes().items())
        check_memory(
            self._memory(clicks),
            f"{self.name} of {clicks.n_items:,} items{' with ' * bool(sizes)}{sizes}",
            "choose smaller settings, another model or fewer items",
        )

    def _memory(self, clicks: Interactions) -> float:
        """Bytes that fit holds at least, of what settings or pairs of items make large."""
        return 0

    def _sizes(self) -> dict[str, int]:
        """The settings by which memory grows, dotted."""
        return {}

    def _refit(self, clicks: Interactions, items: Items | None) -> None:
        """Learn on a newer log; a model that holds something overrides this."""
        self._fit(clicks, items)

    def score(self, user_items: csr_array) -> NDArray[np.float32]:
        """Scores (n_users, n_items) float32 for a block of histories; higher is better.

        user_items: scipy.sparse (n_users, n_items), weights of clicks >= 0, one column an item of ``items_``.
        Dense, so give a block of users at a time: ``block_size`` says of how many.
        Raises InteractionsError where the block does not fit the catalogue, or holds what is no weight.
        """
        block = checked_block(user_items, self.n_items)
        return self._score(block) if block.shape[0] else np.empty(block.shape, dtype=np.float32)

    @abstractmethod
    def _score(self, user_items: csr_array) -> NDArray[np.float32]:
        """Scores of a block that ``checked_block`` has passed; at least one row."""

    @property
    def n_items(self) -> int:
        """Items of the catalogue, added ones included."""
        return len(self._fitted().items_)

    @property
    def item_kinds(self) -> dict[str, Kind]:
        """Kinds of the item fields in use: what a table for ``add_items`` should be read with."""
        return {}

    def recommend(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Iterable[Any] | None = None,
    ) -> pl.DataFrame:
        """The k best items for each fitted user: user_id, item_id, score (float32), rank (from 1).

        users: ids, None for all.  candidates: the only item ids that may be shown, None for all.
        A list is shorter than k where fewer items are left. Raises UnknownIdError.
        """
        self._fitted()
        if users is None:
            rows, ids = np.arange(len(self.users_)), self.users_.values
        else:
            rows = self.users_.known_rows(users if isinstance(users, pl.Series) else list(users), "user")
            ids = self.users_.take(rows)
        return self._ranked(self._histories(rows), ids, k, exclude_seen, candidates)

    def recommend_for(
        self,
        histories: Sequence[Iterable[Any]],
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Iterable[Any] | None = None,
    ) -> pl.DataFrame:
        """The same for unseen users, by their histories (lists of item ids); user_id is 0, 1, ….

        An empty history is answered with the popular items. Raises UnknownIdError.
        """
        self._fitted()
        lists = [list(history) for history in histories]
        columns = self.items_.known_rows([item for history in lists for item in history], "item")
        lengths = [len(history) for history in lists]
        block = csr_array(
            (np.ones(len(columns), np.float32), columns.astype(np.int32), np.cumsum([0, *lengths])),
            shape=(len(lists), self.n_items),
        )
        block.sum_duplicates()
        block.data[:] = 1
        return self._ranked(block, IdMap.numbered(len(lists)).values, k, exclude_seen, candidates)

    def similar_items(self, item: Any, k: int = 10) -> pl.DataFrame:
        """The k items nearest to ``item``: item_id, score, rank. What «near» is, the model says."""
        raise UnsupportedError(f"{self.name} knows no similarity between items; item-knn, ease or marec do")

    def explain(self, user: Any, item: Any) -> Explanation:
        """Exact additive shares of the score of ``item`` for a fitted ``user``."""
        raise UnsupportedError(f"{self.name} has no exact explanation of a score")

    def add_items(self, items: Items) -> Self:
        """Make new items recommendable from their metadata alone, without a refit. Returns self."""
        raise UnsupportedError(
            f"{self.name} cannot add items without a refit; marec, kernel-ridge and content-knn can"
        )

    @abstractmethod
    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What was learned: arrays by name, and plain JSON."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""

    def save(self, path: Any) -> None:
        """Write the model to the folder ``path``: JSON, safetensors, Parquet; whole or not at all."""
        from isotherm.models.persistence import save

        save(self._fitted(), path)

    def __repr__(self) -> str:
        return shown(self)

    def _most_similar(self, scores: NDArray[np.float32], itself: int, k: int) -> pl.DataFrame:
        """The k items of the largest ``scores`` (n_items,), without the item they are for."""
        scores = scores[None, :].copy()
        scores[:, itself] = -np.inf
        columns, best = top_k(scores, min(k, self.n_items))
        shown = columns[0] >= 0
        ranks = np.arange(1, shown.sum() + 1, dtype=np.int32)
        return pl.DataFrame(
            {"item_id": self.items_.take(columns[0][shown]), "score": best[0][shown], "rank": ranks}
        )

    def _fitted(self) -> Self:
        if not hasattr(self, "items_"):
            raise NotFittedError(f"{self.name} is not fitted yet; call fit(clicks, items) first")
        return self

    def _histories(self, rows: NDArray[Any]) -> csr_array:
        """Click histories of the fitted users at ``rows``, over the catalogue as it is now."""
        block = self.clicks_[rows]
        return csr_array((block.data, block.indices, block.indptr), shape=(len(rows), self.n_items))

    def _best(
        self,
        scores: NDArray[np.float32],
        k: int,
        candidate_sets: Sequence[NDArray[np.bool_] | None],
        tie_seeds: NDArray[np.uint64] | None = None,
    ) -> list[TopK]:
        """The list of each row of scores in each set of candidates: what ``recommend`` and evaluation show.

        The arguments and what is returned are those of ``top_k_each``: the k best scores. A re-ranker chooses
        otherwise; of two lists of different k the shorter must be the beginning of the longer.
        """
        return top_k_each(scores, k, candidate_sets, tie_seeds)

    def _ranked(
        self,
        histories: csr_array,
        ids: pl.Series,
        k: int,
        exclude_seen: bool,
        candidates: Iterable[Any] | None,
    ) -> pl.DataFrame:
        k = min(whole("k", k, 1), self.n_items)
        allowed = None
        if candidates is not None:
            allowed = np.zeros(self.n_items, dtype=bool)
            allowed[self.items_.known_rows(candidates, "item")] = True
        popular = np.bincount(self.clicks_.indices, minlength=self.n_items).astype(np.float32)
        tops = []
        size = block_size(self.n_items)
        with stage("recommend", histories.shape[0]) as advance:
            for block in row_blocks(histories, size):
                scores = self._score(block)
                scores[np.diff(block.indptr) == 0] = popular
                if exclude_seen:
                    hide(scores, block)
                tops.append(self._best(scores, k, [allowed])[0])
                advance(block.shape[0])
        columns = np.concatenate([columns for columns, _ in tops]) if tops else np.empty((0, k), np.int32)
        best = np.concatenate([scores for _, scores in tops]) if tops else np.empty((0, k), np.float32)
        shown_at = columns >= 0
        rows, ranks = np.nonzero(shown_at)
        return pl.DataFrame(
            {
                "user_id": ids.gather(rows),
                "item_id": self.items_.take(columns[shown_at]),
                "score": best[shown_at],
                "rank": (ranks + 1).astype(np.int32),
            }
        )


def block_size(n_items: int) -> int:
    """Users to score at one time, so that their dense scores stay within 64 MiB."""
    return int(np.clip(_SCORE_BYTES // (4 * max(n_items, 1)), 32, 4096))
