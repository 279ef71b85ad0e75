"""A trained VAE as MARec uses it: hidden layers of histories, and decoder rows of new items fitted on them.

A new item needs a row w_j of the last layer and a bias. With the network held, its best row under eq. 7 is a
Poisson regression of its predicted clicks on the users' hidden layers h_u, the others' softmax sums Z_u held:

    min_w,c  Σ_u n_u/Z_u · exp(h_u·w + c) − Σ_u b_uj (h_u·w + c) + ‖w − w̄‖² / 2σ²

where w̄ and σ² are mean and variance of the clicked items' rows. c is known in closed form, so that β only
shifts it by log β; what is left is convex in w and is solved for many items side by side.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import logsumexp

from isotherm.linalg.csr import row_blocks, widen
from isotherm.linalg.poisson import poisson_rows
from isotherm.linalg.products import table_products
from isotherm.memory import users_per_block
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.network.scoring import hidden_layer, posteriors
from isotherm.progress import stage
from isotherm.state import Dense, Field, Inner, Plain, Sparse, Stateful
from isotherm.types import Float32, Scores, Similarities, UserItems
from isotherm.untrusted import DamagedError, Number

_ITEMS = 256  # whose rows are fitted side by side


@dataclass(eq=False)
class DecoderRows(Stateful):
    """What logits of new items are made of.  weights: w, (n_new, width).  bias: c, (n_new,).  float32."""

    weights: Float32
    bias: Float32

    learned: ClassVar[Iterable[Field]] = (
        Dense("weights", np.float32, ("n_new", "width")),
        Dense("bias", np.float32, ("n_new",)),
    )

    @classmethod
    def empty(cls, n: int, width: int) -> "DecoderRows":
        """Of ``n`` items, to be filled."""
        return cls(np.empty((n, width), dtype=np.float32), np.empty(n, dtype=np.float32))

    def at_beta(self, beta: float) -> "DecoderRows":
        """Rows for β from those for β = 1: the bias moves by log β."""
        return DecoderRows(self.weights, self.bias + np.float32(np.log(beta)))

    def appended(self, new: "DecoderRows") -> "DecoderRows":
        """These rows and then the ``new`` ones."""
        return DecoderRows(np.concatenate([self.weights, new.weights]), np.concatenate([self.bias, new.bias]))

    def logits(self, hidden: Float32) -> Scores:
        """h·w + c, (n_users, n_new), of hidden layers (n_users, width)."""
        logits: Scores = table_products(hidden, self.weights)
        with np.errstate(over="ignore", invalid="ignore"):  # who ranks looks whether scores are finite
            logits += self.bias
        return logits


@dataclass(frozen=True)
class UserSample:
    """Users on whom the rows of new items are fitted.

    clicks: (n_sampled, n_warm).  hidden: h, their hidden layers (n_sampled, width).
    exposure: log(n_u / Z_u), (n_sampled,).
    """

    clicks: UserItems
    hidden: Float32
    exposure: Float32


@dataclass(eq=False)
class TrainedNetwork(Stateful):
    """A VAE trained on soft targets, before β of new items is chosen.

    network: its first columns are the warm items; those behind them, never-clicked ones, are not used.
    natural_beta: β at which predicted clicks are as many as real ones.
    sample_clicks: (n_sampled, n_warm), of the users on whom rows of new items are fitted.
    """

    network: Network
    natural_beta: float
    sample_clicks: UserItems

    learned: ClassVar[Iterable[Field]] = (
        Plain("natural_beta", Number(above=0)),
        Inner("network", lambda trained, _: trained.network),
        Sparse("sample_clicks", ("n_sampled", "n_warm"), least=0),
    )

    def restored(self) -> None:
        """Check that there are users to fit rows on, and that the network has their items."""
        if not self.sample_clicks.nnz or self.n_warm > len(self.network.last_bias):
            raise DamagedError("the users that new items are fitted on have no click, or one too many items")

    @property
    def n_warm(self) -> int:
        """Of the items of the clicks."""
        return int(self.sample_clicks.shape[1])

    @property
    def width(self) -> int:
        """Of the last hidden layer."""
        return int(self.network.last.weight.shape[1])

    @cached_property
    def warm_rows(self) -> DecoderRows:
        """The warm items' rows of the last layer."""
        weights, bias = self.network.last.weight.detach().numpy(), self.network.last_bias.detach().numpy()
        return DecoderRows(weights[: self.n_warm], bias[: self.n_warm])

    @cached_property
    def sample(self) -> UserSample:
        """The sampled users, as the network sees them."""
        blocks = list(row_blocks(self.sample_clicks, users_per_block(self.n_warm)))
        hidden = np.concatenate([self.hidden(block) for block in blocks])
        log_sums = np.concatenate(
            [logsumexp(self.warm_rows.logits(part), axis=1) for part in np.array_split(hidden, len(blocks))]
        )
        exposure = (np.log(self.sample_clicks.sum(axis=1)) - log_sums).astype(np.float32)
        return UserSample(self.sample_clicks, hidden, exposure)

    def hidden(self, user_items: UserItems) -> Float32:
        """Last hidden layers (n_users, width) of histories over the warm items."""
        return hidden_layer(self.network, self._in_network_columns(user_items))

    def posterior_means(self, user_items: UserItems) -> Float32:
        """(n_users, latent) of histories over the warm items."""
        return posteriors(self.network, self._in_network_columns(user_items))[0]

    def new_rows(self, similarities: Similarities) -> DecoderRows:
        """Rows of new items for β = 1, by their G to the warm items, (n_new, n_warm)."""
        sample, warm = self.sample, self.warm_rows.weights
        mean, prior = warm.mean(axis=0), float(1 / max(warm.var(axis=0).mean(), 1e-12))  # w̄, 1 / σ²
        rows = DecoderRows.empty(len(similarities), self.width)
        with stage("fit decoder rows of new items", len(similarities), "items") as advance:
            for first in range(0, len(similarities), _ITEMS):
                band = slice(first, first + _ITEMS)
                predicted = np.maximum(np.asarray(sample.clicks @ similarities[band].T), 0).T
                predicted *= np.float32(self.natural_beta)
                fitted = poisson_rows(sample.hidden, sample.exposure, predicted, mean, prior)
                rows.weights[band], rows.bias[band] = fitted.weights, fitted.bias
                advance(len(predicted))
        rows.bias -= np.log(self.natural_beta)
        return rows

    def _in_network_columns(self, user_items: UserItems) -> UserItems:
        return widen(user_items, len(self.network.last_bias))
