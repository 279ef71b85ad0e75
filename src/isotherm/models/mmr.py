"""Any model with lists that are more varied: maximal marginal relevance (Carbonell and Goldstein 1998).

The wrapped model scores; this one chooses from the best of each list one item after the other, weighing its
score against its likeness, by metadata, to those chosen before.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, vstack

from isotherm.checks import between, names
from isotherm.data import Interactions, Items
from isotherm.data.kinds import FieldType
from isotherm.errors import ItemsError, ParameterError, brief
from isotherm.features.profiles import ItemProfiles
from isotherm.models.base import Recommender
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.ease import EASE
from isotherm.models.registry import REGISTRY, model_class
from isotherm.models.scorer import AddsItems, Scorer
from isotherm.ranking.mmr import rerank
from isotherm.ranking.topk import TopK
from isotherm.state import Inner, Plain, Sparse
from isotherm.types import Bools, ItemFeatures, Scores, UInt64, UserItems
from isotherm.untrusted import Number

POOL = 200  #: items of a list that are chosen from; what comes after them keeps its order


class _Wrappable(Mapping[str, type[Recommender]]):
    """The models that can be wrapped, by name; each is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Recommender]:
        if name not in self:
            raise KeyError(name)
        return model_class(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in REGISTRY if name != MMR.name)

    def __len__(self) -> int:
        return len(REGISTRY) - 1

    def __contains__(self, name: object) -> bool:
        return name in REGISTRY and name != MMR.name


class MMR(Recommender, AddsItems):
    """A model whose lists are re-ranked for variety.

    The first 200 items of the model's list are chosen from. A score is the model's own, so that explanations
    hold; the rank is what was chosen. What diversity gives for accuracy, evaluate measures as ndcg@k and
    diversity@k.

    Parameters:
        model (a model or its name; default EASE()): the model that scores, with its settings.
        diversity (in [0, 1]; default 0.3): 0 keeps the model's order, 1 looks at nothing but the likeness to
            the items above: 1 − λ of Carbonell and Goldstein.
        fields (names of fields or None; default None): the categories and tags by which two items are likened
            (cosine, each field worth the same), None for all. An item without any is taken as near to the
            others as items are on average.
    """

    name: ClassVar[str] = "mmr"
    needs_items: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, Mapping[str, type[Any]]]] = {"model": _Wrappable()}

    model_: Recommender  #: the wrapped model, fitted
    profiles_: ItemProfiles
    directions_: ItemFeatures  #: (n_items, n_values) float32 rows of unit length, or zero
    mean_cosine_: float  #: of two items: what stands in where metadata is missing

    learned = (
        Plain("profiles_", dict, ItemProfiles.state, ItemProfiles.from_state),
        Plain("mean_cosine_", Number(least=0)),
        Sparse("directions_", ("n_items", "n_values")),
        Inner("model_", lambda model, _: copy(model.model)),
    )

    def __init__(
        self,
        *,
        model: Recommender | None = None,
        diversity: float = 0.3,
        fields: Sequence[str] | None = None,
    ) -> None:
        self.model = _wrapped(model)
        self.diversity = between("diversity", diversity, 0, 1)
        self.fields = names("fields", fields)

    @property
    def trains_in_steps(self) -> bool:
        """Whether the wrapped model does."""
        return self.model.trains_in_steps

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """Raises ItemsError where no field can tell how alike two items are."""
        self._learn_directions(items)
        self.model_ = copy(self.model).fit(clicks, items, options)

    def _refit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """As the wrapped model does; what items are likened by is learned anew."""
        self._learn_directions(items)
        self.model_ = copy(self.model_).refit(clicks, items, options)

    def _learn_directions(self, items: Items | None) -> None:
        assert items is not None
        profiles = ItemProfiles.of(items, self.fields)
        directions = profiles.directions(items).astype(np.float32)
        if not directions.nnz:
            raise ItemsError(
                "mmr likens items by categories and tags, and this table has no such field with a value; "
                f"its fields are {', '.join(items.kinds) or 'none'}, and --kind genre=categories declares one"
            )
        self.profiles_, self.directions_ = profiles, directions
        self.mean_cosine_ = mean_cosine(directions)

    def _score(self, user_items: UserItems) -> Scores:
        return self.model_._score(user_items)

    @property
    def _scorer(self) -> Scorer:
        """Similarities and explanations are the wrapped model's, as the scores are."""
        return self._fitted().model_

    def rank(
        self, scores: Scores, k: int, candidate_sets: Sequence[Bools | None], tie_seeds: UInt64 | None = None
    ) -> list[TopK]:
        """The first k of the pool as they are chosen, then what the pool did not hold."""
        n_ranked = min(max(k, POOL), scores.shape[1])
        lists = self.model_.rank(scores, n_ranked, candidate_sets, tie_seeds)
        return [self._reranked(top, k) for top in lists]

    def _reranked(self, top: TopK, k: int) -> TopK:
        pool = TopK(top.columns[:, :POOL], top.scores[:, :POOL])
        chosen = rerank(pool, k, self.directions_, self.diversity, self.mean_cosine_)
        rest = slice(POOL, max(k, POOL))
        return TopK(
            np.hstack([chosen.columns, top.columns[:, rest]]), np.hstack([chosen.scores, top.scores[:, rest]])
        )

    @property
    def item_schema(self) -> dict[str, FieldType]:
        """The item fields in use, by the wrapped model or here, and how they are read."""
        return self._fitted().model_.item_schema | self.profiles_.schema

    def append_items(self, items: Items, n_items: int) -> None:
        """Where the wrapped model can."""
        new = self.profiles_.directions(items).astype(np.float32)
        self.model_ = copy(self.model_)  # a copy of this model shares it
        self.model_._extend(items, self.items_.appended(items.ids))
        self.directions_ = csr_array(vstack([self.directions_, new], format="csr"))

    @property
    def n_values(self) -> int:
        """Values of the fields that items are likened by."""
        return self.profiles_.n_values

    def restored(self) -> None:
        """The wrapped model has the same users, items and clicks."""
        inner = self.model_
        inner.users_, inner.items_, inner.clicks_ = self.users_, self.items_, self.clicks_
        inner.labels_ = self.labels_


def _wrapped(model: Any) -> Recommender:
    """The model to wrap: EASE for None, its class' defaults for a name."""
    if model is None:
        return EASE()
    if isinstance(model, str) and model in _Wrappable():
        model = _Wrappable()[model]()
    if not isinstance(model, Recommender) or isinstance(model, MMR):
        names_of_models = ", ".join(_Wrappable())
        raise ParameterError(f"model must be a model, or one of {names_of_models}, not {brief(model)}")
    return model


def mean_cosine(directions: ItemFeatures) -> float:
    """Over all pairs of two items that have metadata; 0 where there is no pair."""
    n = int((np.diff(directions.indptr) > 0).sum())
    total = np.asarray(directions.sum(axis=0, dtype=np.float64)).ravel()
    return float(max((total @ total - n) / (n * (n - 1)), 0.0)) if n > 1 else 0.0
