"""What a model writes: how it learns from a matrix of clicks, scores rows of it, and what it can do beyond.

Here are rows and columns only; ``base`` makes ids, lists and frames of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data import IdMap, Interactions, Items
from isotherm.data.item_labels import ItemLabels
from isotherm.data.kinds import FieldType
from isotherm.errors import NotFittedError
from isotherm.features.metadata_terms import MetadataTerm, importance_of_fields
from isotherm.linalg.csr import filter_entries, rows_of, widen
from isotherm.models.fit_inputs import FitOptions
from isotherm.parameters import shown
from isotherm.ranking.topk import TopK, top_k_each
from isotherm.state import Arrays, Stateful, restore, saved
from isotherm.types import Array, Bools, Float32, Float64, Int64, Scores, UInt64, UserItems


@dataclass(frozen=True)
class Contributions:
    """What the score of one item for one history is the sum of.

    by_click: (n_clicks,) in the order of the history.  by_term: (n_terms,) in the order of ``terms``, for an
    item that the model scores by its metadata.  certainty: in [0, 1], how much of such an item its metadata
    explains.
    """

    by_click: Float32
    terms: Sequence[MetadataTerm] = ()
    by_term: Float64 | None = None
    certainty: float | None = None


IMPORTANCE_USERS, IMPORTANCE_ITEMS = 100, 300  #: on whose scores importance is measured
LEAST_NEW = 20  #: fewer never-clicked items say too little


class Scorer(Stateful, ABC):
    """A model by rows and columns.

    Hyper-parameters are the keyword arguments of ``__init__``. Learned state ends in ``_`` and is declared in
    ``learned`` (see ``isotherm.state``), from which saving, loading and the checks of both follow.

    A model of one's own declares what it learns, and writes two methods:

    >>> import numpy as np
    >>> from isotherm import Interactions
    >>> from isotherm.models.base import Recommender
    >>> from isotherm.state import Dense
    >>> class Heaviest(Recommender):
    ...     name = "heaviest"
    ...     learned = (Dense("weights_", np.float32, ("n_items",)),)
    ...
    ...     def _fit(self, clicks, items, options):
    ...         self.weights_ = np.asarray(clicks.matrix.sum(axis=0), dtype=np.float32)
    ...
    ...     def _score(self, user_items):
    ...         return np.tile(self.weights_, (user_items.shape[0], 1))
    >>> x = np.float32([[1, 2, 0], [0, 1, 1]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob"], ["tea", "cup", "pot"])
    >>> Heaviest().fit(clicks).recommend(["bob", "ann"])["item_id"].to_list()
    ['tea', 'pot']
    """

    name: ClassVar[str]
    #: whether fit needs an item table
    needs_items: ClassVar[bool] = False

    users_: IdMap
    items_: IdMap  #: the catalogue: the items of the fit, then added ones
    labels_: ItemLabels  #: of the catalogue: titles, and values of the fields in use
    clicks_: UserItems  #: (n_users, n_items) what each user clicked, as fitted
    _counted: tuple[
        UserItems, Int64
    ]  #: the same clicks, and their number for each item, once it was asked for

    @property
    def trains_in_steps(self) -> bool:
        """Whether fit takes options: clicks for early stopping and a folder for checkpoints."""
        return False

    @abstractmethod
    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """Learn; ``items``, if given, is in the order of the columns of ``clicks``."""

    def _refit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """Learn on a newer log; a model that holds something overrides this."""
        self._fit(clicks, items, options)

    def fit_memory(self, clicks: Interactions) -> float:
        """Bytes that fit holds at least, of what settings or pairs of items make large."""
        return 0

    def memory_settings(self) -> dict[str, int]:
        """The settings by which that memory grows, dotted."""
        return {}

    @abstractmethod
    def _score(self, user_items: UserItems) -> Scores:
        """Scores of a block that ``checked_block`` has passed; at least one row."""

    def rank(
        self, scores: Scores, k: int, candidate_sets: Sequence[Bools | None], tie_seeds: UInt64 | None = None
    ) -> list[TopK]:
        """The list of each row of scores in each set of candidates: what ``recommend`` and evaluation show.

        The arguments and what is returned are those of ``top_k_each``: the k best scores. A re-ranker chooses
        otherwise; of two lists of different k the shorter must be the beginning of the longer.
        """
        return top_k_each(scores, k, candidate_sets, tie_seeds)

    def user_vectors(self, user_items: UserItems) -> Float32 | csr_array:
        """What users are compared by, (n_users, width): where there is no latent space, their histories."""
        return user_items

    @property
    def item_schema(self) -> dict[str, FieldType]:
        """The item fields in use, and how they are read: new items are read alike."""
        return {}

    @property
    def n_items(self) -> int:
        """Items of the catalogue, added ones included."""
        return len(self._fitted().items_)

    def item_clicks(self) -> Int64:
        """(n_items,) how many users clicked each item in the log of the fit; not to be written to."""
        clicks, counted = self._fitted().clicks_, self.__dict__.get("_counted")
        if counted is None or counted[0] is not clicks or len(counted[1]) > self.n_items:
            counted = clicks, np.bincount(clicks.indices, minlength=self.n_items)
        n_added = self.n_items - len(counted[1])
        if n_added > 0:  # nobody clicked them: an added item must not cost a look at every click
            counted = clicks, np.concatenate([counted[1], np.zeros(n_added, dtype=np.int64)])
        self._counted = counted
        counts: Int64 = counted[1]
        return counts

    def histories_of(self, rows: Array) -> UserItems:
        """Click histories of the fitted users at ``rows``, over the catalogue; of row -1, an empty one."""
        block = self.clicks_[np.maximum(rows, 0)]
        if (rows < 0).any():
            block = filter_entries(block, (rows >= 0)[rows_of(block)])
        return widen(block, self.n_items)

    @property
    def is_fitted(self) -> bool:
        """Whether there is something learned to answer with."""
        return hasattr(self, "items_")

    def _fitted(self) -> Self:
        if not self.is_fitted:
            raise NotFittedError(f"{self.name} is not fitted yet; call fit(clicks, items) first")
        return self

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

    def learned_settings(self) -> dict[str, float]:
        """Name -> number of what a fit chose where the hyper-parameters leave it open; empty before a fit."""
        return {}

    def __repr__(self) -> str:
        learned = ", ".join(f"{name}={value:.4g}" for name, value in self.learned_settings().items())
        return shown(self) + (f" [{learned}]" if learned else "")


class ComparesItems(ABC):
    """A model that says how similar items are."""

    @abstractmethod
    def item_similarities(self, column: int) -> Float32:
        """The similarity of each item to the one at ``column``, (n_items,)."""


class Explains(ABC):
    """A model whose score of an item is a sum over the clicks of the history."""

    @abstractmethod
    def contributions(self, history: UserItems, column: int) -> Contributions:
        """What the score of the item at ``column`` is the sum of.  history: (1, n_items), not empty."""


class AddsItems(ABC):
    """A model that can score new items by their metadata alone."""

    @abstractmethod
    def append_items(self, items: Items, n_items: int) -> None:
        """Take the items, new ones all, as the last columns of a catalogue of ``n_items``."""


class WeighsMetadata(ABC):
    """A model that learns what metadata is worth."""

    @abstractmethod
    def metadata_weights(self) -> pl.DataFrame:
        """The weights of each term of the prediction from metadata, as they are learned."""

    @abstractmethod
    def metadata_terms(self) -> list[MetadataTerm]:
        """The terms that this prediction is the sum of."""

    @abstractmethod
    def metadata_contributions(self) -> Array:
        """What each term gives to the scores of some new items for some users: (n_terms, n_users, n_items).

        Before the scale of new items' scores, which is one factor for all terms.
        """

    def importance(self) -> pl.DataFrame:
        """What in the metadata ranks new items: field, share (0 to 1, they sum to 1), percent; largest first.

        The share of a field is how much it moves the scores of new items: the mean, over 100 users and 300
        never-clicked items, of how far what it gives to a score is from what it gives to the user's other
        scores, beside the same of all fields. Where fewer than 20 items were never clicked, clicked ones are
        looked at as though they were new. A product of two fields counts half for each.
        """
        return importance_of_fields(self.metadata_terms(), self.metadata_contributions())


def evenly(rows: Int64, most: int) -> Int64:
    """At most so many of the rows, at even distances."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
