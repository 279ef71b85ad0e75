"""CLCRec (Wei et al. 2021): contrastive learning between users, items and the items' contents."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from baselines.towers import ContentBaseline, Tower


class CLCRec(ContentBaseline):
    """InfoNCE of user against item, and of content against item; a new item is its content.

    As in the paper a share of the items in the first loss is replaced by their contents.
    """

    name: ClassVar[str] = "clcrec"
    temperature: ClassVar[float] = 0.2
    replaced: ClassVar[float] = 0.5
    balance: ClassVar[float] = 0.5  # of the second loss
    negatives: ClassVar[int] = 512

    def learn(self, clicks: csr_array, warm: NDArray[np.int64], features: csr_array) -> None:
        """Both losses together, the same sampled negatives for a batch."""
        n_users, n_items = clicks.shape
        users, items = nn.Embedding(n_users, self.width), nn.Embedding(n_items, self.width)
        for table in (users, items):
            nn.init.xavier_normal_(table.weight)
        content = Tower(features.shape[1], [256, self.width])
        parameters = [*users.parameters(), *items.parameters(), *content.parameters()]
        optimiser = torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=1e-3)
        for _ in range(self.epochs):
            for who, what in self.batches(clicks):
                drawn = warm[self._rng.integers(len(warm), size=self.negatives)]
                rows, place = np.unique(np.concatenate([what, drawn]), return_inverse=True)
                told, own = content(features[rows]), items(torch.from_numpy(rows.astype(np.int64)))
                told, own = nn.functional.normalize(told, dim=1), nn.functional.normalize(own, dim=1)
                swapped = torch.from_numpy(self._rng.random(len(rows)) < self.replaced)[:, None]
                mixed = torch.where(swapped, told, own)
                first = torch.from_numpy(place[: len(what)])
                rest = torch.from_numpy(place[len(what) :])
                user = nn.functional.normalize(users(torch.from_numpy(who)), dim=1)
                loss = self._contrast(user, mixed[first], mixed[rest])
                loss = loss + self.balance * self._contrast(told[first], own[first], own[rest])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            told = nn.functional.normalize(content(features), dim=1)
            found = nn.functional.normalize(items.weight, dim=1)
            cold = np.setdiff1d(np.arange(n_items), warm)
            found[torch.from_numpy(cold)] = told[torch.from_numpy(cold)]
            self.user_vectors_ = nn.functional.normalize(users.weight, dim=1).numpy()
            self.item_vectors_ = found.numpy()
        self.item_bias_ = np.zeros(n_items, dtype=np.float32)

    def _contrast(self, anchors: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """InfoNCE with shared negatives."""
        positive = (anchors * positives).sum(1) / self.temperature
        others = torch.logsumexp(anchors @ negatives.T / self.temperature, 1)
        return (torch.logaddexp(positive, others) - positive).mean()
