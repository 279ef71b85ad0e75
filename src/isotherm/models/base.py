"""The model contract: fit, refit, recommend, score, similar_items, explain, add_items, save."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_array, issparse

from isotherm.checks import one_of, truth, whole
from isotherm.data import IdMap, Interactions, Items
from isotherm.data.items import Kind
from isotherm.errors import NotFittedError, ParameterError, TrainingError, UnsupportedError
from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import filter_entries, row_blocks, rows_of
from isotherm.memory import check_memory
from isotherm.models.finite import check_weights, solvable
from isotherm.models.fit_options import FitOptions, checked_options
from isotherm.models.histories import checked_block
from isotherm.models.requests import (
    UNKNOWN,
    Asked,
    ItemSets,
    Showable,
    Unknown,
    asked_histories,
    asked_users,
    check_data,
    one_id,
    ordered,
)
from isotherm.parameters import shown
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide, top_k, top_k_each
from isotherm.state import Arrays, Stateful, restore, saved
from isotherm.types import Array, Bools, Float32, UInt64
from isotherm.untrusted import DamagedError

_SCORE_BYTES = 64 * 2**20
_USERS = 4096  # to compare with one at a time


@dataclass(frozen=True)
class Explanation:
    """Why a user is shown an item: exact additive shares of its score, largest first.

    by_item: item_id, share — from each item of the user's history.
    by_field: field, share — for an item known by its metadata only; None for one with clicks of its own.
    certainty: in [0, 1], how much of such an item its metadata explains; None where the model does not say.
    answered_by: "model", or "popularity" for a user without history, who was shown the most clicked items:
    the score is the item's number of clicks, and by_item is empty.
    """

    user: Any
    item: Any
    score: float
    by_item: pl.DataFrame
    by_field: pl.DataFrame | None = None
    certainty: float | None = None
    answered_by: Literal["model", "popularity"] = "model"


class Recommender(Stateful, ABC):
    """What every model does.

    A subclass learns in ``_fit`` and scores in ``_score``; ids, histories, ranking and frames are done here.
    Hyper-parameters are the keyword arguments of ``__init__``. Learned state ends in ``_`` and is declared in
    ``learned`` (see ``isotherm.state``), from which saving, loading and the checks of both follow.
    """

    name: ClassVar[str]
    #: whether fit needs an item table
    needs_items: ClassVar[bool] = False

    users_: IdMap
    items_: IdMap
    clicks_: csr_array  #: (n_users, n_items) what each user clicked, as fitted

    @property
    def trains_in_steps(self) -> bool:
        """Whether fit takes options: clicks for early stopping and a folder for checkpoints."""
        return False

    def fit(
        self, clicks: Interactions, items: Items | None = None, options: FitOptions | None = None
    ) -> Self:
        """Learn from clicks and, where the model uses it, item metadata. Returns self.

        The catalogue is the items of ``clicks`` and then those that only ``items`` holds.
        options: for a model that trains in steps; ParameterError where another is given any.
        Raises ItemsError where ``items`` lacks a clicked item, or is needed and absent, and TrainingError
        where a learned number is not finite; the model is then what it was. InteractionsError where click
        weights are too large or too small for float32.
        """
        return self._learned_by("fit", type(self)._fit, clicks, items, options)

    def refit(
        self, clicks: Interactions, items: Items | None = None, options: FitOptions | None = None
    ) -> Self:
        """Fit a fitted model on a newer log. Returns self.

        What a model learned beside its weights and need not learn every night is held (``_refit`` says what):
        marec and kernel-ridge hold what metadata is worth. The others learn everything anew, as in ``fit``.
        Raises as ``fit`` does; the model is then what it was.
        """
        return self._fitted()._learned_by("refit", type(self)._refit, clicks, items, options)

    def _learned_by(
        self,
        how: str,
        learn: Callable[[Self, Interactions, Items | None, FitOptions], None],
        clicks: Interactions,
        items: Items | None,
        options: FitOptions | None,
    ) -> Self:
        options = checked_options(self, options)
        check_data("clicks", clicks, Interactions)
        if items is not None:
            check_data("items", items, Items)
        if not clicks.n_clicks:
            raise ParameterError(f"{self.name}: 0 clicks to fit on")
        if items is None:
            if self.needs_items:
                raise ParameterError(f"{self.name} needs an item table: fit(clicks, items), or --items")
        else:
            items.of(clicks.items)  # raises where a clicked item has no row
            catalogue = clicks.items.union(items.ids)
            items, clicks = items.of(catalogue), clicks.among(clicks.users, catalogue)
        check_weights(clicks.matrix.data)
        self._check_memory(clicks)
        learned = copy(self)  # a fit that fails leaves the model as it was
        with stage(f"{how} {self.name}"), solvable(f"{self.name}: {how}"):
            learn(learned, clicks, items, options)
        learned.users_, learned.items_, learned.clicks_ = clicks.users, clicks.items, clicks.matrix
        try:
            learned.state()
        except DamagedError as cause:
            raise TrainingError(
                f"{self.name}: {how} went wrong: {cause}; a setting or a click weight is out of float32's "
                f"reach (the largest weight is {clicks.matrix.data.max():g})"
            ) from cause
        self.__dict__.update(learned.__dict__)
        return self

    @abstractmethod
    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
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

    def _refit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """Learn on a newer log; a model that holds something overrides this."""
        self._fit(clicks, items, options)

    def score(self, user_items: csr_array) -> Float32:
        """Scores (n_users, n_items) float32 for a block of histories; higher is better.

        user_items: scipy.sparse (n_users, n_items), weights of clicks >= 0, one column an item of ``items_``.
        Dense, so give a block of users at a time: ``block_size`` says of how many.
        Raises InteractionsError where the block does not fit the catalogue, or holds what is no weight.
        """
        block = checked_block(user_items, self.n_items)
        return self._score(block) if block.shape[0] else np.empty(block.shape, dtype=np.float32)

    @abstractmethod
    def _score(self, user_items: csr_array) -> Float32:
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
        candidates: ItemSets | None = None,
        exclude: ItemSets | None = None,
        unknown: Unknown = "error",
    ) -> pl.DataFrame:
        """The k best items for each fitted user: user_id, item_id, score (float32), rank (from 1).

        users: ids, answered in this order and as often as they are named; None for all.
        candidates: the only items that may be shown, None for all; ids for everybody, or one list a user.
        exclude: items that may not be shown, given alike; an unknown one never is, and is counted in the log.
        unknown: what becomes of users and candidates that the model does not know. "error" names them; "skip"
        leaves them out; "popular" answers such users with the most popular items, and leaves out candidates.
        What was left out is counted in the log.
        A list is shorter than k where fewer items are left. The scores of a user without history are the
        items' numbers of clicks. Raises UnknownIdError, and ParameterError for what is no list of ids.
        """
        known = self._fitted().users_
        ids, rows = asked_users(users, known, one_of("unknown", unknown, UNKNOWN))
        asked = Asked.all(ids, self._histories(rows))
        if unknown == "skip":
            asked = asked.only(np.flatnonzero(rows >= 0))
        return self._ranked(asked, k, exclude_seen, self._showable(asked, candidates, exclude, unknown))

    def recommend_for(
        self,
        histories: Interactions | Iterable[Iterable[Any] | Mapping[Any, float]],
        k: int = 10,
        exclude_seen: bool = True,
        candidates: ItemSets | None = None,
        exclude: ItemSets | None = None,
        unknown: Unknown = "error",
    ) -> pl.DataFrame:
        """The same for unseen users, by their histories; user_id is 0, 1, …, or that of the Interactions.

        histories: a list of histories, each a list of item ids, which count once, or {item id: weight}; or a
        click log. The same history, with the same weights, gets the list of a fitted user.
        An empty history is answered with the popular items, and their numbers of clicks as scores.
        candidates, exclude: as in ``recommend``.  unknown: what becomes of unknown items. "error" names them;
        "skip" leaves them out, and a history that holds no other; "popular" leaves them out, too, and answers
        such a history with the popular items.
        Raises UnknownIdError, InteractionsError for what is no weight, ParameterError for what is no list.
        """
        items = self._fitted().items_
        asked = asked_histories(histories, items, one_of("unknown", unknown, UNKNOWN))
        return self._ranked(asked, k, exclude_seen, self._showable(asked, candidates, exclude, unknown))

    def score_pairs(self, users: Iterable[Any], items: Iterable[Any]) -> pl.DataFrame:
        """The score of each pair of a fitted user and an item: user_id, item_id, score (float32), as given.

        users, items: ids, one of each a pair. Scores are those of ``recommend``, of clicked items too, made
        for a block of users at a time. Raises UnknownIdError, and ParameterError for lists of two lengths.
        """
        rows = self._fitted().users_.known_rows(ordered("users", users), "user")
        columns = self.items_.known_rows(ordered("items", items), "item")
        if len(rows) != len(columns):
            raise ParameterError(f"{len(rows)} users and {len(columns)} items: a pair needs one of each")
        asked, place = np.unique(rows, return_inverse=True)
        by_user = np.argsort(place, kind="stable")
        scores = np.empty(len(rows), dtype=np.float32)
        size = block_size(self.n_items)
        with stage("score", len(asked)) as advance:
            for first in range(0, len(asked), size):
                block = self._histories(asked[first : first + size])
                here = np.searchsorted(place[by_user], [first, first + size])
                pairs = by_user[here[0] : here[1]]
                scores[pairs] = self._scores(block)[place[pairs] - first, columns[pairs]]
                advance(block.shape[0])
        return pl.DataFrame(
            {"user_id": self.users_.take(rows), "item_id": self.items_.take(columns), "score": scores}
        )

    def similar_items(
        self,
        item: Any,
        k: int = 10,
        candidates: Iterable[Any] | None = None,
        exclude: Iterable[Any] | None = None,
    ) -> pl.DataFrame:
        """The k items nearest to ``item``: item_id, score, rank. What «near» is, the model says.

        Models with a latent space: the cosine there. The others: how much a click on an item adds to the
        score of ``item``.  Items with a score of 0 have nothing in common with it and are left out.
        candidates: the only item ids that may be shown.  exclude: item ids that may not; unknown ones are
        counted in the log.
        Raises UnknownIdError, and UnsupportedError where the model knows no similarity.
        """
        column = self._column(item)
        near = self._nearness(column)
        allowed = Showable.of(self.items_, None, candidates, exclude, "error").to_all
        return _nearest("item_id", self.items_, near, column, whole("k", k, 1), allowed)

    def similar_users(self, user: Any, k: int = 10) -> pl.DataFrame:
        """The k fitted users nearest to ``user``: user_id, score (a cosine), rank.

        Models with a latent space: the cosine there. The others: the cosine of the histories. Users without
        history are near nobody, nor are those who have nothing in common. Raises UnknownIdError.
        """
        row = self._row(user)
        k = whole("k", k, 1)
        history = self._histories(np.array([row]))
        own: Any = self._user_vectors(history)
        vector = own.toarray()[0] if issparse(own) else own[0]
        near = np.full(len(self.users_), -np.inf, dtype=np.float32)
        with stage("compare users", len(near)) as advance:
            for first in range(0, len(near) if history.nnz else 0, _USERS):
                block = self._histories(np.arange(first, min(first + _USERS, len(near))))
                found = cosines(self._user_vectors(block), vector)
                found[np.diff(block.indptr) == 0] = 0
                near[first : first + len(found)] = found
                advance(len(found))
        return _nearest("user_id", self.users_, near, row, k)

    def explain(self, user: Any, item: Any) -> Explanation:
        """Exact additive shares of the score of ``item`` for a fitted ``user``.

        A user without history is shown the popular items, whatever the model: the score is then the item's
        number of clicks, and ``answered_by`` says so. Raises UnknownIdError, and UnsupportedError where the
        model has no exact shares.
        """
        row, column = self._row(user), self._column(item)
        history = self._histories(np.array([row]))
        if not history.nnz:
            nothing = pl.DataFrame({"item_id": self.items_.take(history.indices), "share": history.data})
            clicks = float(np.count_nonzero(self.clicks_.indices == column))
            return Explanation(user, item, clicks, nothing, answered_by="popularity")
        shares = self._shares(history, column)
        order = np.argsort(-shares, kind="stable")
        by_item = pl.DataFrame({"item_id": self.items_.take(history.indices[order]), "share": shares[order]})
        by_field, certainty = self._by_field(history, column), self._certainty_of(column)
        return Explanation(user, item, float(shares.sum()), by_item, by_field, certainty)

    def _nearness(self, column: int) -> Float32:
        """How near each item is to the one at ``column``, (n_items,)."""
        raise UnsupportedError(f"{self.name} knows no similarity between items; item-knn, ease or marec do")

    def _user_vectors(self, user_items: csr_array) -> Float32 | csr_array:
        """What users are compared by, (n_users, width): where there is no latent space, their histories."""
        return user_items

    def _shares(self, history: csr_array, column: int) -> Float32:
        """What each click of one user's history gives to the score of an item, in its order."""
        raise UnsupportedError(f"{self.name} has no exact explanation of a score")

    def _by_field(self, history: csr_array, column: int) -> pl.DataFrame | None:
        """Shares of the score by metadata field; None where the score does not come from metadata."""
        return None

    def _certainty_of(self, column: int) -> float | None:
        """How much of an item its metadata explains; None where the model does not say."""
        return None

    def add_items(self, items: Items) -> Self:
        """Make new items recommendable from their metadata alone, without a refit. Returns self."""
        raise UnsupportedError(
            f"{self.name} cannot add items without a refit; marec, kernel-ridge and content-knn can"
        )

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays by name, and plain JSON, of what was learned. DamagedError where it is not as declared."""
        return saved(self, self.sizes())

    def restore(self, arrays: Arrays, document: Mapping[str, Any]) -> None:
        """The inverse of ``state``, for a model that has its ids and clicks. Raises DamagedError."""
        restore(self, arrays, document, self.sizes())

    def sizes(self) -> dict[str, int]:
        """What declarations count in."""
        n_users, n_fitted = self.clicks_.shape
        return {"n_users": int(n_users), "n_items": len(self.items_), "n_fitted": int(n_fitted)}

    def save(self, path: Any) -> None:
        """Write the model to the folder ``path``: JSON, safetensors, Parquet; whole or not at all."""
        from isotherm.models.persistence import save

        save(self._fitted(), path)

    def __repr__(self) -> str:
        return shown(self)

    def _fitted(self) -> Self:
        if not hasattr(self, "items_"):
            raise NotFittedError(f"{self.name} is not fitted yet; call fit(clicks, items) first")
        return self

    def _row(self, user: Any) -> int:
        """The row of one user id."""
        return int(self._fitted().users_.known_rows(one_id("user", user), "user")[0])

    def _column(self, item: Any) -> int:
        """The column of one item id."""
        return int(self._fitted().items_.known_rows(one_id("item", item), "item")[0])

    def _histories(self, rows: Array) -> csr_array:
        """Click histories of the fitted users at ``rows``, over the catalogue; of row -1, an empty one."""
        block = self.clicks_[np.maximum(rows, 0)]
        if (rows < 0).any():
            block = filter_entries(block, (rows >= 0)[rows_of(block)])
        return csr_array((block.data, block.indices, block.indptr), shape=(len(rows), self.n_items))

    def _best(
        self,
        scores: Float32,
        k: int,
        candidate_sets: Sequence[Bools | None],
        tie_seeds: UInt64 | None = None,
    ) -> list[TopK]:
        """The list of each row of scores in each set of candidates: what ``recommend`` and evaluation show.

        The arguments and what is returned are those of ``top_k_each``: the k best scores. A re-ranker chooses
        otherwise; of two lists of different k the shorter must be the beginning of the longer.
        """
        return top_k_each(scores, k, candidate_sets, tie_seeds)

    def _showable(self, asked: Asked, candidates: Any, exclude: Any, unknown: str) -> Showable:
        """What may be shown to those who were asked for, skipped ones not counted."""
        showable = Showable.of(self.items_, asked.given, candidates, exclude, unknown)
        return showable if len(asked.places) == asked.given else showable.take(asked.places)

    def _scores(self, histories: csr_array) -> Float32:
        """Scores of a block of histories; of an empty one the items' numbers of clicks."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
            scores = self._score(histories)
        empty = np.diff(histories.indptr) == 0
        if empty.any():
            scores[empty] = np.bincount(self.clicks_.indices, minlength=self.n_items)
        return scores

    def _finite_best(self, scores: Float32, k: int, allowed: Bools | None) -> TopK:
        """The list of each row. Raises ParameterError where a score is not finite."""
        try:
            top = self._best(scores, k, [allowed])[0]
            if np.isfinite(top.scores[top.columns >= 0]).all():
                return top
            wrong = "a score is infinite"
        except ValueError as cause:
            wrong = str(cause)
        raise ParameterError(f"{self.name}: {wrong}; are weights of the histories too large?")

    def _ranked(self, asked: Asked, k: int, exclude_seen: bool, showable: Showable) -> pl.DataFrame:
        k, hide_seen = min(whole("k", k, 1), self.n_items), truth("exclude_seen", exclude_seen)
        tops = [TopK(np.empty((0, k), np.int32), np.empty((0, k), np.float32))]
        first = 0
        with stage("recommend", len(asked.ids)) as advance:
            for block in row_blocks(asked.histories, block_size(self.n_items)):
                scores = self._scores(block)
                if hide_seen:
                    hide(scores, block)
                showable.hide_others(scores, slice(first, first + block.shape[0]))
                tops.append(self._finite_best(scores, k, showable.to_all))
                first += block.shape[0]
                advance(block.shape[0])
        columns, best = (np.concatenate(parts) for parts in zip(*tops, strict=True))
        shown_at = columns >= 0
        rows, ranks = np.nonzero(shown_at)
        return pl.DataFrame(
            {
                "user_id": asked.ids.gather(rows),
                "item_id": self.items_.take(columns[shown_at]),
                "score": best[shown_at],
                "rank": (ranks + 1).astype(np.int32),
            }
        )


def _nearest(
    name: str,
    ids: IdMap,
    near: Float32,
    itself: int,
    k: int,
    allowed: Bools | None = None,
) -> pl.DataFrame:
    """The k ids of the largest ``near`` (n,), without the one they are near to and those at 0.

    Raises ParameterError where one is not a number.
    """
    if np.isnan(near).any():
        raise ParameterError("a similarity is not a number: what the model learned is too large for float32")
    near = np.where(near == 0, np.float32(-np.inf), near)[None, :]
    near[:, itself] = -np.inf
    rows, best = top_k(near, min(k, len(ids)), allowed)
    shown = rows[0] >= 0
    ranks = np.arange(1, shown.sum() + 1, dtype=np.int32)
    return pl.DataFrame({name: ids.take(rows[0][shown]), "score": best[0][shown], "rank": ranks})


def block_size(n_items: int) -> int:
    """Users to score at one time, so that their dense scores stay within 64 MiB."""
    return int(np.clip(_SCORE_BYTES // (4 * max(n_items, 1)), 32, 4096))
