"""MARec on VAEs (eq. 7): predicted clicks are a second soft target of each user, and make new decoder rows.

Training adds −α Σ_j b_uj log π_uj with b = max(βXGD, 0) to each user's loss; only the columns of rare and new
items are not zero, and b is made a batch at a time.

Rows of the last layer for new items are fitted on the trained network (``vae_network``). Items that were in
the table at fit get their rows alike: ``add_items`` is what fit does.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array
from scipy.special import logsumexp

from isotherm.data import Interactions
from isotherm.errors import ParameterError
from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import pack, select_columns, widen
from isotherm.models.cold_start.calibration import WarmAndCold, top_items_by
from isotherm.models.marec.backbones.base import (
    AlignedBackbone,
    Aligner,
    Alignment,
    BackboneData,
    CatalogueColumns,
)
from isotherm.models.marec.backbones.vae_network import DecoderRows, TrainedNetwork
from isotherm.models.marec.beta import BetaChoice, HiddenItems
from isotherm.models.marec.similarity import ItemMetadata
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.objective.terms import SoftTargetTerm
from isotherm.models.vae.training.validation import held_out
from isotherm.state import Field, Inner
from isotherm.state.torch_modules import without_weights
from isotherm.streams import stream
from isotherm.types import Array, Float32, ItemIndex, Scores, UserItems

_MOST_USERS = 4096  # whose hidden layers a new item's row is fitted on


@dataclass(eq=False)
class VAEBackbone(AlignedBackbone):
    """A VAE over the warm items, and decoder rows of new ones."""

    trained: TrainedNetwork
    columns: CatalogueColumns
    new_rows: DecoderRows

    learned: ClassVar[Iterable[Field]] = (
        *AlignedBackbone.learned,
        Inner("trained", lambda backbone, _: backbone.trained, {"n_warm": "n_warm"}),
        Inner("columns", lambda backbone, _: backbone.columns, {"n_warm": "n_warm", "n_new": "n_new"}),
        Inner("new_rows", lambda backbone, _: backbone.new_rows, {"n_new": "n_new", "width": "width"}),
    )

    @property
    def width(self) -> int:
        """Of the last hidden layer."""
        return self.trained.width

    def extended(self, n_items: int, columns: ItemIndex, new: ItemMetadata) -> Self:
        """With decoder rows of new items."""
        rows = self.trained.new_rows(new.similarities).at_beta(self.beta)
        return replace(
            self, columns=self.columns.appended(n_items, columns), new_rows=self.new_rows.appended(rows)
        )

    def scores(self, user_items: UserItems) -> Scores:
        """Logits: one pass through the network, two products."""
        hidden = self.trained.hidden(select_columns(user_items, self.columns.warm))
        return self.columns.joined(self.trained.warm_rows.logits(hidden), self.new_rows.logits(hidden))

    def similarities(self, column: int) -> Float32:
        """Cosines of decoder rows."""
        table = self.columns.table(self.trained.warm_rows.weights, self.new_rows.weights)
        return cosines(table, table[column])

    def user_vectors(self, user_items: UserItems) -> Float32:
        """Means of the posteriors."""
        return self.trained.posterior_means(select_columns(user_items, self.columns.warm))


class VAEAligner(Aligner):
    """MultVAE, MultDAE or RecVAE.  alpha: α of the soft targets' term.

    Raises ParameterError for settings that read what a backbone does not get.
    """

    def __init__(self, backbone: VAERecommender, alpha: float) -> None:
        self.backbone, self.alpha = backbone, alpha
        if backbone.ease_term.is_used:
            raise ParameterError(
                "marec: a backbone with ease_term=ease speaks of clicked items only; "
                "set backbone.ease_term=none"
            )
        if backbone.reconstruction.of_hidden:
            raise ParameterError(
                "marec: soft targets and new items have a multinomial likelihood (eq. 7); "
                "set backbone.reconstruction=multinomial"
            )
        anchors = backbone.anchors
        if anchors.weight and (anchors.weighting == "recency" or anchors.init == "metadata"):
            raise ParameterError(
                "marec: a backbone sees neither dates nor items; choose anchors.weighting=uniform or "
                "inverse-popularity, and anchors.init=random or svd"
            )

    def fit(self, data: BackboneData, choice: BetaChoice) -> VAEBackbone:
        """Train with β as given, or with its natural scale and then choose it for new items."""
        alignment = data.alignment
        natural = alignment.natural_beta()
        network = self._train(alignment, choice.for_training(natural))
        trained = TrainedNetwork(network, natural, self._sample(alignment.user_items))
        beta = choice.choose(
            lambda hidden_items: self._learned_beta(trained, alignment.user_items, hidden_items),
            default=natural,
        )
        new_rows = trained.new_rows(alignment.cold_similarities).at_beta(beta)
        return VAEBackbone(beta, trained, data.columns, new_rows)

    def empty(self, sizes: Mapping[str, int]) -> VAEBackbone:
        """To be filled with what a saved model holds."""
        network = without_weights(lambda: self.backbone.new_network(sizes["n_fitted"]))
        trained = TrainedNetwork(network, 1.0, csr_array((0, 0), dtype=np.float32))
        columns = CatalogueColumns.empty(sizes["n_items"])
        return VAEBackbone(0.0, trained, columns, DecoderRows.empty(0, trained.width))

    def _train(self, alignment: Alignment, beta: float) -> Network:
        """A network over the warm items and, behind them, the never-clicked ones, trained by eq. 7."""
        user_items = alignment.user_items
        n_items = alignment.n_warm + len(alignment.cold_similarities)
        model = deepcopy(self.backbone)
        term = SoftTargetTerm(self.alpha, MetadataTargets(alignment, beta))
        model.fit_with_soft_targets(Interactions.from_csr(widen(user_items, n_items)), term)
        return model.network_

    def _sample(self, user_items: UserItems) -> UserItems:
        """Clicks of the users on whom rows of new items are fitted."""
        clicked = np.flatnonzero(np.diff(user_items.indptr))
        if len(clicked) > _MOST_USERS:
            rng = stream(self.backbone.seed, "users for new rows")
            clicked = np.sort(rng.choice(clicked, _MOST_USERS, replace=False))
        return user_items[clicked]

    def _learned_beta(
        self, trained: TrainedNetwork, user_items: UserItems, hidden_items: HiddenItems
    ) -> float:
        """β that ranks hidden items best among all, on users whom training did not see.

        The network has met the hidden items, but their rows here come from metadata alone, and the clicked
        ones are judged on users that were held out; so one network does for both.
        """
        split = hidden_items.split
        stays, _ = held_out(user_items, self.backbone.training.valid_share, self.backbone.seed)
        unseen = np.flatnonzero(~stays[split.test_users])
        chosen = unseen if len(unseen) else np.arange(len(split.test_users))
        clicks, n_warm = split.train[split.test_users[chosen]], trained.n_warm
        among_kept = np.full(n_warm, -np.inf, dtype=np.float32)
        among_kept[split.kept_items] = 0
        new_rows = trained.new_rows(hidden_items.to_warm)
        warm_scores = _softmax_shares(trained, lambda hidden: trained.warm_rows.logits(hidden) + among_kept)
        lists = WarmAndCold(
            top_items_by(warm_scores, clicks, np.arange(n_warm), hide_seen=True),
            top_items_by(_softmax_shares(trained, new_rows.logits), clicks, split.hidden_items),
        )
        return lists.best_scale(split.targets[chosen]).relative * lists.level_ratio()


def _softmax_shares(
    trained: TrainedNetwork, logits: Callable[[Float32], Float32]
) -> Callable[[UserItems], Scores]:
    """From histories to exp(logits) / Z of their hidden layers, Z over the warm items: β multiplies them."""

    def shares(user_items: UserItems) -> Scores:
        hidden = trained.hidden(user_items)
        log_sums = logsumexp(trained.warm_rows.logits(hidden), axis=1)
        return np.asarray(np.exp(logits(hidden) - log_sums[:, None]))

    return shares


class MetadataTargets:
    """b = max(βXGD, 0) of users by their rows (eq. 7), over the warm and then the never-clicked items."""

    def __init__(self, alignment: Alignment, beta: float) -> None:
        self._user_items, self._columns = alignment.user_items, alignment.columns
        self._n_items = alignment.n_warm + len(alignment.cold_similarities)
        rare = alignment.rare_similarities * alignment.decay[:, None]
        scaled = np.float32(beta) * np.concatenate([rare, alignment.cold_similarities]).T
        self._similarities = np.ascontiguousarray(scaled)  # βGD, (n_warm, s + n_cold)

    def __call__(self, rows: Array) -> UserItems:
        predicted = np.maximum(np.asarray(self._user_items[rows] @ self._similarities, dtype=np.float32), 0)
        return pack(predicted > 0, np.broadcast_to(self._columns, predicted.shape), predicted, self._n_items)
