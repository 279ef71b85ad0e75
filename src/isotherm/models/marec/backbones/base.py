"""What MARec asks of a family of backbones: to train with an alignment, to score, and to take new items.

A family is one file with two classes, and a type for what its new items are scored with (weight columns,
factors, decoder rows):

    Aligner            the hyper-parameters; ``fit`` returns
    AlignedBackbone    the trained backbone over the columns of one catalogue

A family that can say what a score is made of is an ``ExplainsClicks`` or an ``ExplainsFields`` too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isotherm.linalg.csr import column_counts
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.linear.penalties import Penalties
from isotherm.models.marec.beta import BetaChoice
from isotherm.models.marec.similarity import ItemMetadata
from isotherm.state import Dense, Field, Plain, Stateful
from isotherm.types import Float32, ItemFeatures, ItemIndex, Scores, Similarities, UserItems
from isotherm.untrusted import Number


@dataclass(frozen=True)
class Alignment:
    """f_A / αβ (MARec, eq. 6): the columns where D is not zero, and what XGD is built of.

    user_items: X, (n_users, n_warm) CSR, every item clicked.
    rare: (s,) warm columns with few clicks.  decay: their d_j / β in (0, 1], (s,) float32.
    rare_similarities, cold_similarities: G (eq. 5) from the rare and from the never-clicked items to the warm
    ones, (s, n_warm) and (n_cold, n_warm).  Of a never-clicked item d_j / β is 1.
    """

    user_items: UserItems
    rare: ItemIndex
    decay: Float32
    rare_similarities: Similarities
    cold_similarities: Similarities

    @classmethod
    def of_new_items(cls, user_items: UserItems, similarities: Similarities) -> "Alignment":
        """Of never-clicked items alone."""
        nothing = np.empty(0, dtype=np.float32)
        return cls(user_items, nothing.astype(np.int64), nothing, similarities[:0], similarities)

    @property
    def n_warm(self) -> int:
        """Columns of X."""
        return int(self.user_items.shape[1])

    @property
    def columns(self) -> ItemIndex:
        """(s + n_cold,) the columns where D is not zero, the never-clicked items numbered behind the warm."""
        return np.concatenate([self.rare, self.n_warm + np.arange(len(self.cold_similarities))])

    def natural_beta(self) -> float:
        """β that gives the predicted columns as many clicks as a clicked item has, both in the mean."""
        clicks = column_counts(self.user_items)
        rows = self.cold_similarities if len(self.cold_similarities) else self.rare_similarities
        predicted = np.maximum(rows @ clicks.astype(np.float32), 0)
        return float(clicks.mean() / predicted.mean()) if predicted.any() else 1.0


class CatalogueColumns(Stateful):
    """Which columns of a catalogue of ``n_items`` are warm (clicked in the fit), and which are new items.

    warm: (n_warm,) ascending.  new: (n_new,) never clicked in the fit, and then those that came later.

    >>> import numpy as np
    >>> from isotherm.models.marec.backbones.base import CatalogueColumns
    >>> columns = CatalogueColumns(3, warm=np.array([0, 2]), new=np.array([1]))
    >>> columns.joined(np.array([[4, 1]]), np.array([[2]])).tolist()
    [[4.0, 2.0, 1.0]]
    """

    learned = (
        Dense("warm", np.int64, ("n_warm",), below="n_items", ascending=True),
        Dense("new", np.int64, ("n_new",), below="n_items", distinct=True),
    )

    def __init__(self, n_items: int, warm: ItemIndex, new: ItemIndex) -> None:
        self.n_items, self.warm, self.new = n_items, warm, new

    @classmethod
    def empty(cls, n_items: int) -> "CatalogueColumns":
        """To be filled with what a saved model holds."""
        return cls(n_items, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def appended(self, n_items: int, new: ItemIndex) -> "CatalogueColumns":
        """With more new items, in a catalogue of ``n_items``."""
        return CatalogueColumns(n_items, self.warm, np.concatenate([self.new, new]))

    def joined(self, warm: Scores, new: Scores) -> Scores:
        """Scores (n_users, n_items) from those of the warm and of the new items; the others' are 0."""
        scores = np.zeros((len(warm), self.n_items), dtype=np.float32)
        scores[:, self.warm], scores[:, self.new] = warm, new
        return scores

    def table(self, warm: Float32, new: Float32) -> Float32:
        """Vectors (n_items, width) from those of the warm and of the new items; the others' are 0."""
        table = np.zeros((self.n_items, warm.shape[1]), dtype=np.float32)
        table[self.warm], table[self.new] = warm, new
        return table


@dataclass(frozen=True)
class BackboneData:
    """What a backbone is fitted on.

    gram: XᵀX, (n_warm, n_warm); training may overwrite it.
    columns: where the warm and the never-clicked items stand in the catalogue.
    features: makes Fᵀ of eq. 8 of the warm and then the never-clicked items, CSR, for the family that asks.
    """

    alignment: Alignment
    gram: Float32
    columns: CatalogueColumns
    features: Callable[[], ItemFeatures]


@dataclass(eq=False)
class AlignedBackbone(Stateful, ABC):
    """A backbone trained with an alignment, over the columns of one catalogue.  beta: β in use.

    What it declares may count in ``n_warm``, the items of the clicks it was trained on, and ``n_features``.
    """

    beta: float

    learned: ClassVar[Iterable[Field]] = (Plain("beta", Number(least=0)),)

    @abstractmethod
    def extended(self, n_items: int, columns: ItemIndex, new: ItemMetadata) -> Self:
        """The same with new items at ``columns`` of a catalogue of ``n_items``; nothing is trained."""

    @abstractmethod
    def scores(self, user_items: UserItems) -> Scores:
        """Scores (n_users, n_items) of histories over the catalogue."""

    @abstractmethod
    def similarities(self, column: int) -> Float32:
        """(n_items,) how similar the catalogue's items are to one of them."""

    def user_vectors(self, user_items: UserItems) -> Float32 | UserItems:
        """What users are compared by: where there is no latent space, their histories."""
        return user_items


class ExplainsClicks(ABC):
    """A backbone whose scores are sums over the clicks of a history."""

    @abstractmethod
    def click_shares(self, history: UserItems, column: int) -> Float32:
        """What each click of one user's history (1, n_items) gives to the score of an item, in its order."""


class ExplainsFields(ExplainsClicks):
    """One whose scores of new items are linear in their similarities, too."""

    @abstractmethod
    def history_projection(self, history: UserItems) -> Float32:
        """v (n_warm,), with which a new item's score for this history is β·g·v, g its row of G."""


class Aligner(ABC):
    """A family of backbones before it is fitted: it knows the backbone's hyper-parameters and α."""

    def settled(self, user_items: UserItems) -> "Aligner":
        """With numbers for what the backbone learns of its own settings; itself where that is nothing.

        user_items: (n_users, n_warm) the clicks of the fit. What is fitted on fewer of them, to choose β or
        at a cut in time, is fitted with the same numbers.
        """
        return self

    def held(self, fitted: AlignedBackbone) -> "Aligner":
        """With what it has chosen beside β in a fit; itself where that is nothing."""
        return self

    @abstractmethod
    def fit(self, data: BackboneData, choice: BetaChoice) -> AlignedBackbone:
        """Train, and choose β."""

    @abstractmethod
    def empty(self, sizes: Mapping[str, int]) -> AlignedBackbone:
        """A backbone to be filled with what a saved model holds.  sizes: those of the model."""


@dataclass(eq=False)
class WeightsBackbone(AlignedBackbone, ExplainsClicks):
    """A backbone whose scores are a history times item-item weights.

    penalties: of the inverse that the columns of new items come from.
    """

    weights: DenseWeights
    penalties: Penalties

    learned: ClassVar[Iterable[Field]] = (*AlignedBackbone.learned, Penalties.declared("penalties"))

    def scores(self, user_items: UserItems) -> Scores:
        """x·Θ over the catalogue."""
        return self.weights.scores(user_items)

    def similarities(self, column: int) -> Float32:
        """The weights of the column."""
        return self.weights.column(column)

    def click_shares(self, history: UserItems, column: int) -> Float32:
        """Each click's weight."""
        return self.weights.shares(history, column)
