"""The model on the air: it answers, takes item changes, and gives way to another model in one step."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from isotherm.checks import whole
from isotherm.errors import ParameterError, UnsupportedError, brief
from isotherm.experiment.plan import Exploration
from isotherm.models.base import Recommender
from isotherm.models.requests.explanation import Explanation, explanation_of, popularity_explanation
from isotherm.models.requests.scores import says_nothing
from isotherm.models.scorer import Explains
from isotherm.ranking.topk import TopK
from isotherm.serving.catalogue.items import Id, LiveItem, id_like
from isotherm.serving.catalogue.snapshot import FittedModel, Snapshot
from isotherm.serving.catalogue.visible import secret_items, visible_column, visible_items, without_unseen
from isotherm.serving.live.audience import Audience, Sayings, audience_of
from isotherm.serving.live.exploring import explored_items
from isotherm.serving.live.filters import columns_of, history_of, shown_items
from isotherm.serving.live.lists import best_items, scores_of
from isotherm.serving.live.probes import check_answers, probe_histories
from isotherm.serving.live.requests import Answer, AnsweredBy, Asker, Rules, Shown
from isotherm.types import UserItems


class LiveModel:
    """A fitted model that answers while its items change.

    What is on the air is one ``snapshot`` that never changes; an answer reads it once. A change makes another
    one beside it, under a lock, and exchanges them in one step: what fails leaves everything as it was.
    Changes are held in memory: who wants them back after a restart gives them to ``put_items`` again.

    model: fitted.  name: told in answers; None for that of the class.  clock: seconds since 1970.

    >>> from isotherm import EASE, Interactions
    >>> from scipy.sparse import csr_array
    >>> from isotherm.serving.catalogue.items import LiveItem
    >>> from isotherm.serving.live.model import LiveModel
    >>> from isotherm.serving.live.requests import Asker
    >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
    >>> live = LiveModel(EASE(l2=1.0).fit(clicks))
    >>> [item.item_id for item in live.recommend(Asker(user="cat"), k=2).items]
    ['cup', 'pot']
    >>> live.put_items([LiveItem("cup", hidden=True)])
    >>> [item.item_id for item in live.recommend(Asker(user="cat"), k=2).items]
    ['pot']
    """

    def __init__(
        self, model: Recommender, name: str | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._snapshot = Snapshot.of(FittedModel(name or model.name, model._fitted()), {}, 0)
        self._previous: FittedModel | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What is on the air now."""
        return self._snapshot

    def now(self) -> float:
        """Seconds since 1970, by which items are available."""
        return self._clock()

    @property
    def can_roll_back(self) -> bool:
        """Whether there was another model before."""
        return self._previous is not None

    def recommend(self, asker: Asker, k: int = 10, rules: Rules | None = None) -> Answer:
        """The k best items that the rules allow; fewer where fewer are left.

        A history that says nothing to the model is answered with the most clicked items: an empty one, one of
        unknown items, one that gives every item the score 0.
        Raises UnknownIdError, InteractionsError for what is no weight, ParameterError for what is no rule.
        """
        return self._answer(asker, k, rules or Rules(), None)[0]

    def explore(
        self, asker: Asker, k: int, rules: Rules, exploration: Exploration, seed: int
    ) -> tuple[Answer, list[float]]:
        """``recommend``, with places drawn as ``exploration`` says; and the probability of each item at its
        place, given those before it. The same seed draws the same list from the same scores."""
        answer, chances = self._answer(asker, k, rules, (exploration, np.random.default_rng(seed)))
        return answer, chances or []

    def _answer(
        self, asker: Asker, k: int, rules: Rules, draw: tuple[Exploration, np.random.Generator] | None
    ) -> tuple[Answer, list[float] | None]:
        """The list, and the propensities of its items where they are drawn."""
        snapshot, now = self._snapshot, self._clock()
        rules.check_list_of(whole("k", k, 1))
        history = history_of(snapshot, asker, rules.unknown, secret_items(snapshot, now))
        shown, n_unknown = shown_items(snapshot, rules, history.seen, now)
        shown[history.disliked] = False
        scores, by_popularity = scores_of(snapshot, history.clicks)
        chances = None
        if draw is None:
            top = best_items(snapshot, scores, k, shown, rules)
        else:
            top, chances = explored_items(snapshot, scores, k, shown, (rules, *draw))
        by: AnsweredBy = "popularity" if by_popularity[0] else "model"
        return Answer(_told(snapshot, top), by, snapshot.fitted.name, history.unknown + n_unknown), chances

    def similar(
        self, item: Id, k: int = 10, rules: Rules | None = None, unavailable: bool = False
    ) -> pl.DataFrame:
        """The k items most similar to one that the rules allow: item_id, score, rank, title, new.

        unavailable: of an item that may not be shown now, too; else it is unknown, here and below.
        Raises UnknownIdError, and UnsupportedError where the model knows no similarity.
        """
        snapshot = self._snapshot
        column = visible_column(snapshot, item, self._clock(), unavailable)
        shown, _ = shown_items(snapshot, rules or Rules(), np.array([column]), self._clock())
        ids = snapshot.model.items_.take(np.array([column, *np.flatnonzero(shown)]))
        return snapshot.model.similar_items(ids[0], k, candidates=ids[1:]).join(
            pl.DataFrame({"item_id": ids[1:], **snapshot.known.told(np.flatnonzero(shown))}),
            on="item_id",
            maintain_order="left",
        )

    def explain(
        self, asker: Asker, item: Id, unknown: str = "ignore", unavailable: bool = False
    ) -> Explanation:
        """Exact shares of the score of an item for a user or a history.

        unavailable: items of the history that may not be shown now are named, too.
        Raises UnknownIdError, and UnsupportedError where the model has no exact shares.
        """
        snapshot, now = self._snapshot, self._clock()
        column = visible_column(snapshot, item, now, unavailable)
        secret = None if unavailable else secret_items(snapshot, now)
        why = self._explained(snapshot, asker, column, history_of(snapshot, asker, unknown, secret).clicks)
        return why if unavailable else without_unseen(why, snapshot, now)

    def _explained(self, snapshot: Snapshot, asker: Asker, column: int, clicks: UserItems) -> Explanation:
        if says_nothing(snapshot.model, clicks):
            return popularity_explanation(asker.user, column, snapshot.known)
        model = snapshot.model._scorer
        if not isinstance(model, Explains):
            raise UnsupportedError(f"{model.name} has no exact explanation of a score")
        return explanation_of(asker.user, column, clicks, model.contributions(clicks, column), snapshot.known)

    def score(
        self, asker: Asker, items: Sequence[Id], unknown: str = "ignore", unavailable: bool = False
    ) -> list[float | None]:
        """The score of each item, seen ones too; None where it is unknown."""
        snapshot, now = self._snapshot, self._clock()
        columns, _ = columns_of(snapshot, items, "items", unknown, ~visible_items(snapshot, now, unavailable))
        secret = None if unavailable else secret_items(snapshot, now)
        scores = scores_of(snapshot, history_of(snapshot, asker, unknown, secret).clicks)[0][0]
        return [float(scores[column]) if column >= 0 else None for column in columns]

    def put_items(self, items: Iterable[LiveItem]) -> None:
        """Add new items and change known ones, all or none: they count from the next answer on.

        An added item is scored by the metadata that it was put with last. An item of the fit is shown,
        filtered and named by it, and keeps its scores until the next refit.
        Raises ItemsError where metadata cannot be read, UnsupportedError where the model takes no new items.
        """
        with self._lock:
            snapshot = self._snapshot
            self._snapshot = snapshot.with_items([_typed(snapshot, item) for item in items])

    def remove_item(self, item: Id) -> None:
        """Never show an item again, until it is put anew. Raises UnknownIdError."""
        with self._lock:
            visible_column(self._snapshot, item, self._clock(), unavailable=True)
            removed = _typed(self._snapshot, LiveItem(item, removed=True))
            self._snapshot = self._snapshot.with_items([removed])

    def audience(
        self,
        item: LiveItem | Id,
        k: int = 10,
        most_users: int = 5000,
        since: Sayings | None = None,
        unavailable: bool = False,
    ) -> Audience:
        """The users whose lists an item would enter: a known one by its id, or one that is only proposed.

        most_users: at most so many users, at even distances, are asked.  since: what they said since the fit.
        Nothing is saved.
        """
        snapshot = self._snapshot
        if isinstance(item, LiveItem):
            if item.key in snapshot.columns:
                raise ParameterError(f"item {brief(item.item_id)} is known; ask for it by its id")
            typed = _typed(snapshot, item)
            snapshot = snapshot.with_items([typed])
            return audience_of(snapshot, typed.key, k, most_users, self._clock(), since)
        visible_column(snapshot, item, self._clock(), unavailable)
        return audience_of(snapshot, str(item), k, most_users, self._clock(), since)

    def swap(self, model: Recommender, name: str, probes: Sequence[Sequence[tuple[Id, float]]] = ()) -> int:
        """Put another fitted model on the air, with all item changes so far; how many probes it answered.

        probes: histories that it must answer first; none for those of some users of the model on the air.
        Raises ModelFolderError where it does not, and UnsupportedError where it cannot take the added items;
        the model on the air then stays.
        """
        fitted = FittedModel(name, model._fitted())
        with self._lock:
            beside = Snapshot.of(fitted, self._snapshot.changes, self._snapshot.version + 1)
            n_answered = check_answers(beside, probes or probe_histories(self._snapshot))
            self._previous, self._snapshot = self._snapshot.fitted, beside
        return n_answered

    def roll_back(self) -> None:
        """Put the model before on the air again, with all item changes so far.

        Raises ParameterError where there was none.
        """
        with self._lock:
            if self._previous is None:
                raise ParameterError("there is no model to go back to; swap to one")
            back = Snapshot.of(self._previous, self._snapshot.changes, self._snapshot.version + 1)
            self._previous, self._snapshot = self._snapshot.fitted, back

    def exchange(self, beside: Snapshot) -> None:
        """Put a snapshot on the air that was made of the one there, while nobody else changes it."""
        self._snapshot = beside


def _told(snapshot: Snapshot, top: TopK) -> list[Shown]:
    """The list of one history in words."""
    columns, ids, titles = top.columns[0].tolist(), snapshot.catalogue.ids, snapshot.catalogue.titles
    told = zip(columns, top.scores[0].tolist(), snapshot.cold[top.columns[0]].tolist(), strict=True)
    return [
        Shown(ids[column], score, rank, cold, titles[column])
        for rank, (column, score, cold) in enumerate(told, 1)
    ]


def _typed(snapshot: Snapshot, item: LiveItem) -> LiveItem:
    """An item with an id of the model's type, and with the metadata that was put before where it has none."""
    item_id = id_like(snapshot.model.items_, item.item_id)
    before = snapshot.changes.get(str(item_id))
    metadata = item.metadata
    if metadata is None:
        metadata = {} if before is None or before.metadata is None else before.metadata
    of_fit = str(item_id) in snapshot.fitted.items
    return replace(item, item_id=item_id, metadata=metadata, of_fit=of_fit)
