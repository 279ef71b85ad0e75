"""A factorization machine of users, items and item features (Rendle 2010; LightFM, Kula 2015), by BPR."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack
from torch import nn

from baselines.towers import ContentBaseline, Tower


class FactorizationMachine(ContentBaseline):
    """An item is the sum of its own vector and its features'; a new one has only the latter."""

    name: ClassVar[str] = "factorization-machine"

    def learn(self, clicks: csr_array, warm: NDArray[np.int64], features: csr_array) -> None:
        """BPR over all clicks, one sampled negative each."""
        n_users, n_items = clicks.shape
        own = np.zeros(n_items, dtype=np.float32)
        own[warm] = 1
        rows = csr_array(hstack([eye_array(n_items, format="csr") * own[None, :], features], format="csr"))
        rows.eliminate_zeros()
        vectors, biases = Tower(rows.shape[1], [self.width]), Tower(rows.shape[1], [1])
        nn.init.zeros_(biases.bag.weight)
        users = nn.Embedding(n_users, self.width)
        nn.init.normal_(users.weight, 0, 0.1)
        parameters = [*vectors.parameters(), *biases.parameters(), *users.parameters()]
        optimiser = torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=0.02)
        for _ in range(self.epochs):
            for who, what in self.batches(clicks):
                negatives = warm[self._rng.integers(len(warm), size=len(what))]
                items, place = np.unique(np.concatenate([what, negatives]), return_inverse=True)
                made, bias = vectors(rows[items]), biases(rows[items])[:, 0]
                user, places = users(torch.from_numpy(who)), torch.from_numpy(place).view(2, -1)
                score = [(user * made[p]).sum(1) + bias[p] for p in places]
                loss = nn.functional.softplus(score[1] - score[0]).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            self.item_vectors_, self.item_bias_ = vectors(rows).numpy(), biases(rows)[:, 0].numpy()
        self.user_vectors_ = users.weight.detach().numpy()
