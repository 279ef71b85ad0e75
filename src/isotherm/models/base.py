"""The model contract: what a user of any model calls, in ids and frames.

What a model writes, in rows and columns, is in ``scorer``; ``fitting`` checks what fit is given, and
``requests`` turns ids into rows, and scores into lists.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np
import polars as pl

from isotherm.checks import truth, verbosity, whole
from isotherm.data import IdMap, Interactions, Items
from isotherm.data.wording import counted
from isotherm.errors import ParameterError, UnsupportedError
from isotherm.linalg.accelerator import closed_forms_on
from isotherm.models.catalogue import extended_catalogue
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.fitting import learn, solvable
from isotherm.models.new_items import NewItems
from isotherm.models.requests.answers import Answers, answers_for
from isotherm.models.requests.blocks import Audience, ListOptions, recommendation_blocks
from isotherm.models.requests.catalogue import Catalogue
from isotherm.models.requests.explanation import Explanation, explanation_of, popularity_explanation
from isotherm.models.requests.histories import checked_block
from isotherm.models.requests.ids import Unknown, one_id, ordered_ids, unknown_policy
from isotherm.models.requests.item_filter import ItemFilter, ItemSets
from isotherm.models.requests.recommendations import recommendations
from isotherm.models.requests.requested import Requested, requested_histories, requested_users
from isotherm.models.requests.scores import says_nothing, score_pairs
from isotherm.models.requests.similar import nearest, user_similarities
from isotherm.models.scorer import AddsItems, ComparesItems, Explains, Scorer
from isotherm.progress import watched
from isotherm.types import Bools, Scores, UserItems


class Recommender(Scorer):
    """What every model does: learn from a click log, then answer in the ids of the log.

    It can be fitted, asked, given new items where the model takes them, refitted on a newer log, and saved.
    """

    def fit(
        self,
        clicks: Interactions,
        items: Items | None = None,
        options: FitOptions | None = None,
        *,
        verbose: bool | None = None,
        device: str | None = None,
    ) -> Self:
        """Learn from clicks and, where the model uses it, item metadata. Returns self.

        The catalogue is the items of ``clicks`` and then those that only ``items`` holds.
        options: early stopping and checkpoints; ParameterError where a model that does not train in steps is
        given any.
        verbose: True writes a line to stderr for each stage and every ten seconds, False nothing; None shows
        a bar on a terminal, and elsewhere a line for every ten seconds that it takes.
        device: where Gram matrices, inverses and factors of ease, slim, marec and kernel-ridge are computed:
        auto (a CUDA device where torch finds one and the matrix fits, else the processor), cpu or cuda; None
        for ISOTHERM_DEVICE, or auto. Both agree but for rounding. (Of the VAEs: ``training.device``.)
        Raises ItemsError where ``items`` lacks a clicked item, or is needed and absent, and TrainingError
        where a learned number is not finite; the model is then what it was. InteractionsError where click
        weights are too large or too small for float32.

        >>> import polars as pl
        >>> from isotherm import ContentKNN, Interactions, Items
        >>> table = {"user_id": ["ann", "ann", "bob", "bob", "bob", "cat"]}
        >>> table["item_id"] = ["tea", "cup", "tea", "cup", "pot", "tea"]
        >>> clicks = Interactions.from_frame(pl.DataFrame(table))
        >>> genres = {"tea": ["drinks"], "cup": ["china"], "pot": ["china"], "mug": ["china"]}
        >>> items = pl.DataFrame({"item_id": list(genres), "genre": list(genres.values())})
        >>> model = ContentKNN().fit(clicks, Items.from_frame(items))
        >>> model.n_items  # the mug, too, which nobody has clicked
        4
        """
        with watched(verbosity(verbose)), closed_forms_on(device):
            return learn(self, "fit", type(self)._fit, clicks, items, options)

    def refit(
        self,
        clicks: Interactions,
        items: Items | None = None,
        options: FitOptions | None = None,
        *,
        verbose: bool | None = None,
        device: str | None = None,
    ) -> Self:
        """Fit a fitted model on a newer log. Returns self.

        What a model learned beside its weights and need not learn every night is held (``_refit`` says what):
        marec and kernel-ridge hold what metadata is worth. The others learn everything anew, as in ``fit``.
        Fields of ``items`` keep the kinds that they had, unless others are declared.
        verbose, device: as in ``fit``.
        Raises as ``fit`` does; the model is then what it was.
        """
        if isinstance(items, Items):
            items = items.with_kinds_of(self._fitted().item_schema)
        with watched(verbosity(verbose)), closed_forms_on(device):
            return learn(self._fitted(), "refit", type(self)._refit, clicks, items, options)

    def score(self, user_items: UserItems) -> Scores:
        """Scores (n_users, n_items) float32 for a block of histories; higher is better.

        user_items: scipy.sparse (n_users, n_items), weights of clicks >= 0, a column per item of ``items_``.
        Dense, so give a block of users at a time: ``isotherm.memory.users_per_block`` says of how many.
        Raises InteractionsError where the block does not fit the catalogue, or holds what is no weight.
        """
        block = checked_block(user_items, self.n_items)
        return self._score(block) if block.shape[0] else np.empty(block.shape, dtype=np.float32)

    def recommend(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: ItemSets | None = None,
        exclude: ItemSets | None = None,
        unknown: Unknown = "error",
        titles: bool = False,
    ) -> pl.DataFrame:
        """The k best items for each fitted user: user_id, item_id, score (float32), rank (from 1).

        users: ids, answered in this order and as often as they are named; None for all.
        candidates: the only items that may be shown, None for all; ids for everybody, or one list per user.
        exclude: items that may not be shown, given alike; an unknown one never is, and is counted in the log.
        unknown: what becomes of users and candidates that the model does not know. "error" names them; "skip"
        leaves them out; "popular" answers such users with the most popular items, and leaves out candidates.
        What was left out is counted in the log.
        titles: whether columns for people follow: title (null where the item table said none), new (nobody
        had clicked the item in the log of the fit) and answered_by: "model", or "popularity" where
        the history says nothing, and scores are the items' numbers of clicks. The log counts such users.
        A list is shorter than k where fewer items are left.
        Raises UnknownIdError, and ParameterError for what is no list of ids.

        >>> import polars as pl
        >>> from isotherm import EASE, Interactions
        >>> table = {"user_id": ["ann", "ann", "bob", "bob", "bob", "cat"]}
        >>> table["item_id"] = ["tea", "cup", "tea", "cup", "pot", "tea"]
        >>> clicks = Interactions.from_frame(pl.DataFrame(table))
        >>> EASE(l2=1.0).fit(clicks).recommend(["cat", "ann"], k=2).drop("score").rows()
        [('cat', 'cup', 1), ('cat', 'pot', 2), ('ann', 'pot', 1)]
        """
        known = self._fitted().users_
        ids, rows = requested_users(users, known, unknown_policy("unknown", unknown))
        requested = Requested.all(ids, self.histories_of(rows))
        if unknown == "skip":
            requested = requested.take(np.flatnonzero(rows >= 0))
        return self._recommend(requested, k, exclude_seen, candidates, exclude, unknown, titles)

    def recommend_for(
        self,
        histories: Interactions | Iterable[Iterable[Any] | Mapping[Any, float]],
        k: int = 10,
        exclude_seen: bool = True,
        candidates: ItemSets | None = None,
        exclude: ItemSets | None = None,
        unknown: Unknown = "error",
        titles: bool = False,
    ) -> pl.DataFrame:
        """The same for unseen users, by their histories; user_id is 0, 1, …, or that of the Interactions.

        histories: a list of histories, each a list of item ids, which count once, or {item id: weight}; or a
        click log. The same history, with the same weights, gets the list of a fitted user.
        A history that says nothing to the model (it is empty, or gives every item the score 0) is answered
        with the popular items, and their numbers of clicks as scores.
        candidates, exclude, titles: as in ``recommend``.  unknown: what becomes of unknown items. "error"
        names them; "skip" leaves them out, and a history that holds no other; "popular" leaves them out, too,
        and answers such a history with the popular items.
        Raises UnknownIdError, InteractionsError for what is no weight, ParameterError for what is no list.

        >>> from isotherm import EASE, Interactions
        >>> from scipy.sparse import csr_array
        >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
        >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
        >>> EASE(l2=1.0).fit(clicks).recommend_for([["pot"], {"cup": 2.0}], k=1).drop("score").rows()
        [(0, 'cup', 1), (1, 'tea', 1)]
        """
        items = self._fitted().items_
        requested = requested_histories(histories, items, unknown_policy("unknown", unknown))
        return self._recommend(requested, k, exclude_seen, candidates, exclude, unknown, titles)

    def answer(
        self,
        histories: UserItems | Iterable[Iterable[Any] | Mapping[Any, float]],
        k: int = 10,
        exclude_seen: bool = True,
        candidates: ItemSets | Bools | None = None,
        exclude: ItemSets | Bools | None = None,
        unknown: str = "popular",
    ) -> Answers:
        """``recommend_for`` as arrays of columns and scores, without a frame: for a server.

        histories: as in ``recommend_for``, or a block as in ``score``.
        candidates, exclude: ids as in ``recommend_for``, or flags by column: (n_items,) bool for all, or
        (n_histories, n_items).  unknown: what becomes of unknown items; "popular" leaves them out, counts
        them for each history, and answers one that holds no other with popular items; "error" names them.
        Lists and scores are those of ``recommend_for`` to the last bit, however many histories are given.
        Raises as ``recommend_for`` does, and ParameterError for flags of another shape.

        >>> from isotherm import EASE, Interactions
        >>> from scipy.sparse import csr_array
        >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
        >>> model = EASE(l2=1.0).fit(Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"]))
        >>> answers = model.answer([["pot", "mug"], []], k=2)
        >>> model.items_.take(answers.columns[0]).to_list(), answers.unknown, answers.by_popularity
        (['cup', 'tea'], array([1, 0]), array([False,  True]))
        """
        k, exclude_seen = whole("k", k, 1), truth("exclude_seen", exclude_seen)
        return answers_for(self._fitted(), histories, k, exclude_seen, candidates, exclude, unknown)

    def recommend_blocks(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: ItemSets | None = None,
        exclude: ItemSets | None = None,
        unknown: Unknown = "error",
        titles: bool = False,
        *,
        users_per_block: int | None = None,
        first_block: int = 0,
    ) -> Iterator[pl.DataFrame]:
        """``recommend`` for many users: a frame for each block of them, which together are its frame.

        Memory is taken for one block at a time. Ids are looked up, and refused, before the first block.
        users_per_block: users of a frame; None for as many as give it about half a million rows.
        first_block: blocks that are left out, of a run that goes on.
        The other arguments and errors are those of ``recommend``. Of no users, one empty frame comes.

        >>> from isotherm import EASE, Interactions
        >>> from scipy.sparse import csr_array
        >>> x = csr_array([[1, 1, 0], [0, 1, 1], [1, 0, 0]])
        >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
        >>> blocks = EASE(l2=1.0).fit(clicks).recommend_blocks(k=1, users_per_block=2)
        >>> [block["item_id"].to_list() for block in blocks]
        [['pot', 'tea'], ['cup']]
        """
        known = self._fitted().users_
        ids, rows = requested_users(users, known, unknown_policy("unknown", unknown))
        audience = Audience.of_users(self, ids, rows, skip=unknown == "skip")
        item_filter = ItemFilter.of(self.items_, len(ids), candidates, exclude, unknown)
        options = ListOptions.checked(k, exclude_seen, titles)
        return recommendation_blocks(self, audience, options, item_filter, users_per_block, first_block)

    def recommend_blocks_for(
        self,
        histories: Interactions | Iterable[Iterable[Any] | Mapping[Any, float]],
        k: int = 10,
        exclude_seen: bool = True,
        candidates: ItemSets | None = None,
        exclude: ItemSets | None = None,
        unknown: Unknown = "error",
        titles: bool = False,
        *,
        users_per_block: int | None = None,
        first_block: int = 0,
    ) -> Iterator[pl.DataFrame]:
        """``recommend_for`` for many histories, one frame for each block of them, as ``recommend_blocks``."""
        items = self._fitted().items_
        requested = requested_histories(histories, items, unknown_policy("unknown", unknown))
        item_filter = ItemFilter.of(items, requested.n_given, candidates, exclude, unknown)
        options, audience = ListOptions.checked(k, exclude_seen, titles), Audience.of_histories(requested)
        return recommendation_blocks(self, audience, options, item_filter, users_per_block, first_block)

    def _recommend(
        self,
        requested: Requested,
        k: int,
        exclude_seen: bool,
        candidates: Any,
        exclude: Any,
        unknown: str,
        titles: bool,
    ) -> pl.DataFrame:
        item_filter = ItemFilter.of(self.items_, requested.n_given, candidates, exclude, unknown)
        if len(requested.positions) < requested.n_given:
            item_filter = item_filter.take(requested.positions)
        k, exclude_seen, titles = (
            whole("k", k, 1),
            truth("exclude_seen", exclude_seen),
            truth("titles", titles),
        )
        return recommendations(self, requested, k, exclude_seen, item_filter, titles)

    def score_pairs(self, users: Iterable[Any], items: Iterable[Any]) -> pl.DataFrame:
        """The score of each pair of a fitted user and an item: user_id, item_id, score (float32), as given.

        users, items: ids, one of each per pair. Scores are those of ``recommend``, of clicked items too, made
        for a block of users at a time. Raises UnknownIdError, and ParameterError for lists of two lengths.
        """
        rows = self._fitted().users_.known_rows(ordered_ids("users", users), "user")
        columns = self.items_.known_rows(ordered_ids("items", items), "item")
        if len(rows) != len(columns):
            raise ParameterError(
                f"{counted(len(rows), 'user')} and {counted(len(columns), 'item')}: a pair needs one of each"
            )
        return score_pairs(self, rows, columns)

    def similar_items(
        self,
        item: Any,
        k: int = 10,
        candidates: Iterable[Any] | None = None,
        exclude: Iterable[Any] | None = None,
        titles: bool = False,
    ) -> pl.DataFrame:
        """The k items most similar to ``item``: item_id, score, rank. What that means, the model says.

        Models with a latent space: the cosine there. The others: how much a click on an item adds to the
        score of ``item``.  Items with a score of 0 have nothing in common with it and are left out.
        candidates: the only item ids that may be shown.  exclude: item ids that may not; unknown ones are
        counted in the log.  titles: whether title and new follow, as in ``recommend``.
        Raises UnknownIdError, and UnsupportedError where the model knows no similarity.

        >>> from isotherm import EASE, Interactions
        >>> from scipy.sparse import csr_array
        >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
        >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
        >>> EASE(l2=1.0).fit(clicks).similar_items("tea", k=2)["item_id"].to_list()
        ['cup', 'pot']
        """
        column, model = self._column(item), self._scorer
        if not isinstance(model, ComparesItems):
            raise UnsupportedError(
                f"{model.name} knows no similarity between items; item-knn, ease or marec do"
            )
        similarities = model.item_similarities(column)
        shown = ItemFilter.of(self.items_, None, candidates, exclude, "error").for_all
        rows, near = nearest("item_id", self.items_, similarities, column, whole("k", k, 1), shown)
        return near.with_columns(**Catalogue.of(self).told(rows)) if truth("titles", titles) else near

    def similar_users(self, user: Any, k: int = 10) -> pl.DataFrame:
        """The k fitted users most similar to ``user``: user_id, score (a cosine), rank.

        Models with a latent space: the cosine there. The others: the cosine of the histories. Users without
        history are similar to nobody, nor are those who have nothing in common. Raises UnknownIdError.
        """
        row, k = self._row(user), whole("k", k, 1)
        return nearest("user_id", self.users_, user_similarities(self._scorer, row), row, k)[1]

    def explain(self, user: Any, item: Any) -> Explanation:
        """Exact additive shares of the score of ``item`` for a fitted ``user``, and ``text()`` of them.

        A user whose history says nothing to the model (it is empty, or gives every item the score 0) is shown
        the popular items: the score is then the item's number of clicks, and ``answered_by`` says so.
        Raises UnknownIdError, and UnsupportedError where the model has no exact shares.

        >>> from isotherm import EASE, Interactions
        >>> from scipy.sparse import csr_array
        >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
        >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
        >>> why = EASE(l2=1.0).fit(clicks).explain("ann", "pot")
        >>> print(f"{why.score:.3f}", why.by_item["item_id"].to_list())
        0.375 ['cup', 'tea']
        """
        row, column, model = self._row(user), self._column(item), self._scorer
        user, history, known = self.users_.values[row], self.histories_of(np.array([row])), Catalogue.of(self)
        if says_nothing(self, history):
            return popularity_explanation(user, column, known)
        if not isinstance(model, Explains):
            raise UnsupportedError(f"{model.name} has no exact explanation of a score")
        return explanation_of(user, column, history, model.contributions(history, column), known)

    @property
    def _scorer(self) -> Scorer:
        """The model behind the scores: for a re-ranker the one that it wraps."""
        return self

    def add_items(self, items: Any) -> Self:
        """Make new items recommendable from their metadata alone, without a refit. Returns self.

        items: Items; or a polars, pandas or Arrow frame, or a list of dicts, with item_id. Fields are read as
        those of the item table that the model was fitted with: kinds are not inferred from a few new items.
        A field or a value that is not there means that nothing is known; other columns are left out. The log
        tells both in one line.
        Raises ItemsError for items that the model knows already and for a value that cannot be read, naming
        column and row; UnsupportedError where the model cannot.

        >>> import polars as pl
        >>> from isotherm import ContentKNN, Interactions, Items
        >>> clicks = Interactions.from_frame(pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 7]}))
        >>> table = pl.DataFrame({"item_id": [7, 8], "genres": ["war|drama", "war"], "year": [1999, 2001]})
        >>> model = ContentKNN().fit(clicks, Items.from_frame(table))
        >>> new = [{"item_id": 9, "genres": "war", "year": "2000"}, {"item_id": 10, "genres": "war|drama"}]
        >>> model.add_items(new).recommend([1], k=2)["item_id"].to_list()
        [9, 10]
        """
        _check_adds_items(self)
        new = NewItems.of(items, self._fitted().item_schema, self.labels_.title_field)
        self._extend(new.items, extended_catalogue(self.items_, new.items))
        new.log()
        return self

    def _extend(self, items: Items, catalogue: IdMap) -> None:
        """Take new items, read as ``item_schema`` says, and their titles as the last of ``catalogue``."""
        model = _check_adds_items(self)
        with solvable(f"{self.name}: add_items"):
            model.append_items(items, len(catalogue))
        self.items_, self.labels_ = catalogue, self.labels_.appended(items)

    def save(self, path: Any) -> None:
        """Write the model to the folder ``path``: JSON, safetensors, Parquet; whole or not at all.

        ``isotherm.load`` reads it. Raises as ``isotherm.models.persistence.save`` says.

        >>> from isotherm import EASE, Interactions, load
        >>> from scipy.sparse import csr_array
        >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
        >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
        >>> model = EASE(l2=1.0).fit(clicks)
        >>> model.save("model")
        >>> load("model").recommend(k=3).equals(model.recommend(k=3))
        True
        """
        from isotherm.models.persistence import save

        save(self._fitted(), path)

    def _row(self, user: Any) -> int:
        """The row of one user id."""
        return int(self._fitted().users_.known_rows(one_id("user", user), "user")[0])

    def _column(self, item: Any) -> int:
        """The column of one item id."""
        return int(self._fitted().items_.known_rows(one_id("item", item), "item")[0])


def _check_adds_items(model: Recommender) -> AddsItems:
    """The model, if it can take new items. Raises UnsupportedError."""
    if not isinstance(model, AddsItems):
        raise UnsupportedError(
            f"{model.name} cannot add items without a refit; marec, kernel-ridge and content-knn can"
        )
    return model
