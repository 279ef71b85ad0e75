"""MARec on VAEs (eq. 7): guessed clicks are a second soft target of each user, and make new decoder rows.

Training adds −α Σ_j b_uj log π_uj with b = max(βXGD, 0) to each user's loss; only the columns of rare and new
items are not zero, and b is made a batch at a time.

A new item needs a row w_j of the last layer and a bias. With the network held, its best row under eq. 7 is a
Poisson regression of its guessed clicks on the users' hidden layers h_u, the others' softmax sums Z_u fixed:

    min_w,c  Σ_u n_u/Z_u · exp(h_u·w + c) − Σ_u b_uj (h_u·w + c) + ‖w − w̄‖² / 2σ²

where w̄ and σ² are mean and variance of the clicked items' rows. c is known in closed form, so that β only
shifts it by log β; what is left is convex in w and is solved for many items side by side. Items that were in
the table at fit get their rows alike: ``add_items`` is what fit does.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array
from scipy.special import logsumexp

from isotherm.data import Interactions
from isotherm.errors import ParameterError
from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import pack, row_blocks, select_columns, widen
from isotherm.linalg.poisson import poisson_rows
from isotherm.memory import users_per_block
from isotherm.models.cold_start.calibration import WarmAndCold, top_items_by
from isotherm.models.marec.backbones.base import Aligned, Alignment, Rehearsal, Vectors
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.network.scoring import hidden_layer, posteriors
from isotherm.models.vae.objective.terms import SoftTargetTerm
from isotherm.models.vae.training.validation import held_out
from isotherm.progress import stage
from isotherm.ranking.topk import TopK
from isotherm.state import Inner, Plain, Sparse
from isotherm.streams import stream
from isotherm.torch_state import without_weights
from isotherm.types import Array, Float32, Int64
from isotherm.untrusted import DamagedError, Number

_MOST_USERS = 4096  # whose hidden layers a new item's row is fitted on
_ITEMS = 256


class AlignedNetwork(Aligned):
    """A VAE over the warm items, and decoder rows of new ones, fitted on a sample of the users."""

    explains: ClassVar[bool] = False

    backbone: VAERecommender
    network: Network
    alpha: float
    unit: float  #: β at which guessed clicks are as many as real ones
    hidden: Float32  #: (n_sampled, width) their hidden layers
    exposure: Float32  #: (n_sampled,) log(n_u / Z_u)
    guesses: csr_array  #: (n_sampled, n_warm) their clicks
    new: Vectors

    learned = (
        Plain("alpha", Number(above=0)),
        Plain("unit", Number(above=0)),
        Inner(
            "network",
            lambda model, sizes: without_weights(lambda: model.backbone.new_network(sizes["n_fitted"])),
        ),
        Sparse("guesses", ("n_sampled", "n_warm"), least=0),
        Inner(
            "new",
            lambda model, sizes: Vectors(model.width, sizes["n_items"]),
            {"n_warm": "n_warm", "width": "width"},
        ),
    )

    @property
    def width(self) -> int:
        """Of a new item's vector: its decoder row and bias."""
        return int(self.network.last.weight.shape[1]) + 1

    def restored(self) -> None:
        """Hidden layers are computed again."""
        self.n_warm = self.guesses.shape[1]
        if not self.guesses.nnz or self.n_warm > len(self.network.last_bias):
            raise DamagedError("the users that new items are fitted on have no click, or one too many items")
        self._remember(self.guesses)

    def __init__(self, backbone: VAERecommender) -> None:
        super().__init__(backbone)
        if backbone.ease_term.is_used:
            raise ParameterError(
                "marec: a backbone with ease_term=ease speaks of clicked items only; "
                "set backbone.ease_term=none"
            )
        anchors = backbone.anchors
        if anchors.weight and (anchors.weighting == "recency" or anchors.init == "metadata"):
            raise ParameterError(
                "marec: a backbone sees neither dates nor items; choose anchors.weighting=uniform or "
                "inverse-popularity, and anchors.init=random or svd"
            )

    def fit(
        self,
        data: Alignment,
        beta: float | None,
        chosen_by: Rehearsal | float | None,
        gram: Float32,
    ) -> float:
        """Train with β as given, or with its natural scale; then β is learned for new items."""
        self.alpha, self.unit = data.alpha, data.natural_beta()
        n_warm = data.user_items.shape[1]
        n_items = n_warm + len(data.cold_rows)
        clicks = Interactions.from_csr(widen(data.user_items, n_items))
        model = deepcopy(self.backbone)
        soft_targets = _Guesses(data, self.unit if beta is None else beta)
        model.fit_with_soft_targets(clicks, SoftTargetTerm(data.alpha, soft_targets))
        self.network, self.n_warm = model.network_, n_warm
        self._remember(data.user_items)
        if beta is not None:
            return beta
        if not isinstance(chosen_by, Rehearsal):
            return self.unit if chosen_by is None else chosen_by
        with stage("choose beta on pseudo-cold items"):
            return self._learned_beta(data.user_items, chosen_by)

    def _remember(self, user_items: csr_array) -> None:
        """What new rows are fitted on: a sample of users."""
        clicked = np.flatnonzero(np.diff(user_items.indptr))
        if len(clicked) > _MOST_USERS:
            rng = stream(self.backbone.seed, "users for new rows")
            clicked = np.sort(rng.choice(clicked, _MOST_USERS, replace=False))
        self.guesses = user_items[clicked]
        blocks = list(row_blocks(self.guesses, users_per_block(self.n_warm)))
        self.hidden = np.concatenate([self._hidden(block) for block in blocks])
        normalizers = np.concatenate(
            [logsumexp(self._logits(hidden), axis=1) for hidden in np.array_split(self.hidden, len(blocks))]
        )
        self.exposure = (np.log(self.guesses.sum(axis=1)) - normalizers).astype(np.float32)

    def _learned_beta(self, user_items: csr_array, rehearsal: Rehearsal) -> float:
        """β that ranks pseudo-cold items best among all, on users whom training did not see.

        The network has met the hidden items, but their rows here come from metadata alone, and the clicked
        ones are judged on users that were held out; so one network does for both.
        """
        pseudo = rehearsal.pseudo
        stays, _ = held_out(user_items, self.backbone.training.valid_share, self.backbone.seed)
        unseen = np.flatnonzero(~stays[pseudo.test_users])
        chosen = unseen if len(unseen) else np.arange(len(pseudo.test_users))
        clicks = pseudo.train[pseudo.test_users[chosen]]
        kept = np.zeros(self.n_warm, dtype=np.float32)
        kept[np.setdiff1d(np.arange(self.n_warm), pseudo.kept_items)] = -np.inf
        columns = self.columns(rehearsal.warm_rows)
        warm = self._best(clicks, lambda hidden: self._logits(hidden) + kept, np.arange(self.n_warm), True)
        cold = self._best(clicks, lambda hidden: _product(hidden, columns), pseudo.hidden_items, False)
        lists = WarmAndCold(warm, cold)
        return lists.best_scale(pseudo.targets[chosen]).relative * lists.level_ratio()

    def _best(
        self,
        clicks: csr_array,
        logits: Callable[[Float32], Float32],
        items: Int64,
        seen: bool,
    ) -> TopK:
        """The best items as softmax shares of the warm ones, which β multiplies."""

        def shares(block: csr_array) -> Float32:
            hidden = self._hidden(block)
            normalizers = logsumexp(self._logits(hidden), axis=1)
            found: Float32 = np.exp(logits(hidden) - normalizers[:, None])
            return found

        return top_items_by(shares, clicks, items, seen)

    def columns(self, rows: Float32, features: csr_array | None = None) -> Float32:
        """Decoder rows and, last, the bias for β = 1, (m, width + 1)."""
        decoder, prior = self._decoder()
        found = np.empty((len(rows), self.hidden.shape[1] + 1), dtype=np.float32)
        with stage("fit decoder rows of new items", len(rows)) as advance:
            for first in range(0, len(rows), _ITEMS):
                band = slice(first, first + _ITEMS)
                guessed = np.maximum(np.asarray(self.guesses @ rows[band].T), 0).T
                guessed *= np.float32(self.unit)
                found[band] = poisson_rows(self.hidden, self.exposure, guessed, decoder, prior)
                advance(len(found[band]))
        found[:, -1] -= np.log(self.unit)
        return found

    def _decoder(self) -> tuple[Float32, float]:
        """Mean w̄ of the clicked items' rows, and 1 / σ²."""
        rows = self.network.last.weight.detach().numpy()[: self.n_warm]
        return rows.mean(axis=0), float(1 / max(rows.var(axis=0).mean(), 1e-12))

    def strengthened(self, columns: Float32, beta: float) -> Float32:
        """The bias moves by log β."""
        columns = columns.copy()
        columns[:, -1] += np.float32(np.log(beta))
        return columns

    def warm_scores(self, user_items: csr_array) -> Float32:
        """Logits."""
        return self._logits(self._hidden(user_items))

    def cold_scores(self, user_items: csr_array, columns: Float32) -> Float32:
        """Logits of new items."""
        return _product(self._hidden(user_items), columns)

    def _hidden(self, user_items: csr_array) -> Float32:
        return np.asarray(hidden_layer(self.network, self._wide(user_items)).numpy())

    def _wide(self, user_items: csr_array) -> csr_array:
        """Histories over the warm items in the network's columns."""
        return widen(user_items, len(self.network.last_bias))

    def _logits(self, hidden: Float32) -> Float32:
        weight = self.network.last.weight.detach().numpy()[: self.n_warm]
        scores: Float32 = hidden @ weight.T
        scores += self.network.last_bias.detach().numpy()[: self.n_warm]
        return scores

    def place(self, n_items: int, warm: Int64) -> None:
        """No new item yet."""
        self.new = Vectors(self.hidden.shape[1] + 1)
        self.new.n_items, self.new.warm = n_items, warm

    def append(self, n_items: int, new: Int64, columns: Float32) -> None:
        """Their decoder rows."""
        self.new.append(n_items, new, columns)

    def score(self, user_items: csr_array) -> Float32:
        """One pass through the network, two products."""
        hidden = self._hidden(select_columns(user_items, self.new.warm))
        return self.new.spread(self._logits(hidden), _product(hidden, self.new.values))

    def nearness(self, column: int) -> Float32:
        """Cosines of decoder rows."""
        weight = self.network.last.weight.detach().numpy()[: self.n_warm]
        rows = np.concatenate([weight, np.zeros((len(weight), 1), dtype=np.float32)], axis=1)
        table = self.new.table(rows)[:, :-1]
        return cosines(table, table[column])

    def user_vectors(self, user_items: csr_array) -> Float32:
        """Means of the posteriors."""
        return posteriors(self.network, self._wide(select_columns(user_items, self.new.warm)))[0]


class _Guesses:
    """b of the users at some rows: max(βXGD, 0), over warm items and, behind them, the never-clicked ones."""

    def __init__(self, data: Alignment, beta: float) -> None:
        n_warm, n_cold = data.user_items.shape[1], len(data.cold_rows)
        self._clicks = data.user_items
        self._columns = np.concatenate([data.rare, n_warm + np.arange(n_cold)])
        rows = np.concatenate([data.rare_rows * data.falling[:, None], data.cold_rows])
        self._mixed = np.ascontiguousarray(np.float32(beta) * rows.T)
        self._n_items = n_warm + n_cold

    def __call__(self, rows: Array) -> csr_array:
        guessed = np.maximum(np.asarray(self._clicks[rows] @ self._mixed, dtype=np.float32), 0)
        return pack(guessed > 0, np.broadcast_to(self._columns, guessed.shape), guessed, self._n_items)


def _product(hidden: Float32, columns: Float32) -> Float32:
    scores: Float32 = hidden @ columns[:, :-1].T
    scores += columns[:, -1]
    return scores
