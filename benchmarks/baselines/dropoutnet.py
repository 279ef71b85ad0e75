"""DropoutNet (Volkovs et al. 2017): a network that learns to do without an item's collaborative vector."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import nn

from baselines.towers import ContentBaseline, Tower
from isotherm import IALS


class DropoutNet(ContentBaseline):
    """Item tower of (iALS vector or zeros, content); it is to reproduce the scores of iALS."""

    name: ClassVar[str] = "dropoutnet"
    dropped: ClassVar[float] = 0.5

    def learn(self, clicks: csr_array, warm: NDArray[np.int64], features: csr_array) -> None:
        """Squared error on the scores of clicked and sampled pairs."""
        ials = IALS(factors=self.width, l2=0.01, unobserved_weight=0.1, seed=self.seed)
        factors = ials.train(clicks[:, warm])
        item_vectors = np.zeros((clicks.shape[1], self.width), dtype=np.float32)
        item_vectors[warm] = factors.items
        content = Tower(features.shape[1], [256, 128])
        joined = nn.Sequential(nn.Linear(128 + self.width, 256), nn.Tanh(), nn.Linear(256, self.width))
        optimiser = torch.optim.AdamW(
            [*content.parameters(), *joined.parameters()], lr=self.learning_rate, weight_decay=1e-3
        )
        table, user_table = torch.from_numpy(item_vectors), torch.from_numpy(factors.users)
        for _ in range(self.epochs):
            for who, what in self.batches(clicks):
                drawn = warm[self._rng.integers(len(warm), size=len(what))]
                rows, place = np.unique(np.concatenate([what, drawn]), return_inverse=True)
                stays = torch.from_numpy(self._rng.random(len(rows)) >= self.dropped)[:, None]
                given = table[torch.from_numpy(rows.astype(np.int64))]
                made = joined(torch.cat([content(features[rows]), given * stays], 1))
                user = user_table[torch.from_numpy(np.tile(who, 2))]
                at = torch.from_numpy(place)
                wanted, found = (user * given[at]).sum(1), (user * made[at]).sum(1)
                loss = (found - wanted).square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            self.item_vectors_ = joined(torch.cat([content(features), table], 1)).numpy()
        self.user_vectors_ = factors.users
        self.item_bias_ = np.zeros(clicks.shape[1], dtype=np.float32)
