"""Wide & Deep (Cheng et al. 2016): a linear model of features and crosses beside a multilayer perceptron."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from baselines.towers import ContentBaseline, Tower
from isotherm.state import Field, Inner
from isotherm.state.torch_modules import StatefulModule

_USERS = 16  # whose pairs with all items are scored at one time


class Layers(StatefulModule, nn.Sequential):
    """Dense layers that are saved with their model."""


class WideDeep(ContentBaseline):
    """Wide: item features, and crosses of user and item feature as a bilinear form of low rank. Deep: user
    and item content through dense layers. Trained by cross entropy.
    """

    name: ClassVar[str] = "wide-deep"

    @property
    def learned(self) -> Iterator[Field]:
        """The dense layers too."""
        yield from super().learned
        yield Inner("deep", lambda model, _: model._layers())

    def restored(self) -> None:
        """The parts of the vectors by name again."""
        super().restored()
        content, item = torch.from_numpy(self.item_vectors_).split(self.width, 1)
        self._made = torch.from_numpy(self.item_bias_), content, item

    def _layers(self) -> Layers:
        return Layers(
            nn.Linear(2 * self.width, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def learn(self, clicks: csr_array, warm: NDArray[np.int64], features: csr_array) -> None:
        """One sampled negative a click."""
        self._features = features
        self.users_table = nn.Embedding(clicks.shape[0], self.width)
        nn.init.normal_(self.users_table.weight, 0, 0.1)
        self.linear, self.content = Tower(features.shape[1], [1]), Tower(features.shape[1], [self.width])
        self.cross_user = nn.Embedding(clicks.shape[0], self.width)
        nn.init.normal_(self.cross_user.weight, 0, 0.1)
        self.cross_item = Tower(features.shape[1], [self.width])
        self.deep = self._layers()
        modules = (self.users_table, self.linear, self.content, self.cross_user, self.cross_item, self.deep)
        parameters = [parameter for module in modules for parameter in module.parameters()]
        optimiser = torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=0.01)
        for _ in range(self.epochs):
            for who, what in self.batches(clicks):
                drawn = warm[self._rng.integers(len(warm), size=len(what))]
                rows, place = np.unique(np.concatenate([what, drawn]), return_inverse=True)
                items, at = self._items(features[rows]), torch.from_numpy(place)
                users = torch.from_numpy(np.tile(who, 2))
                logits = self._logits(
                    self.users_table(users), self.cross_user(users), *(part[at] for part in items)
                )
                wanted = torch.cat([torch.ones(len(what)), torch.zeros(len(what))])
                loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            self._made = self._items(features)
            both = torch.cat([self.users_table.weight, self.cross_user.weight], 1)
            self.user_vectors_ = both.numpy()
            self.item_vectors_ = torch.cat([self._made[1], self._made[2]], 1).numpy()
        self.item_bias_ = self._made[0].numpy()

    def _items(self, rows: csr_array) -> tuple[Tensor, Tensor, Tensor]:
        return self.linear(rows)[:, 0], self.content(rows), self.cross_item(rows)

    def _logits(self, user: Tensor, cross: Tensor, linear: Tensor, content: Tensor, item: Tensor) -> Tensor:
        deep = self.deep(torch.cat([user, content], -1))[..., 0]
        return linear + (cross * item).sum(-1) + deep

    @torch.no_grad()
    def _score(self, user_items: csr_array) -> NDArray[np.float32]:
        """(n_users, n_items): every pair goes through the network."""
        linear, content, item = self._made
        users, cross = torch.from_numpy(self.users(user_items)).split(self.width, 1)
        first = self.deep[0]
        by_user = users @ first.weight[:, : self.width].T + first.bias
        by_item = content @ first.weight[:, self.width :].T
        scores = np.empty(user_items.shape, dtype=np.float32)
        for start in range(0, len(users), _USERS):
            hidden = by_user[start : start + _USERS, None] + by_item
            deep = self.deep[1:](hidden)[..., 0]
            found = linear + cross[start : start + _USERS] @ item.T + deep
            scores[start : start + _USERS] = found.numpy()
        return scores
