"""The items and users on which the weights of the kernels are learned."""

from dataclasses import dataclass

import numpy as np

from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.linalg.csr import select_columns
from isotherm.models.kernel_ridge.training_data import random_rows
from isotherm.models.kernel_ridge.training_log import TrainingLog
from isotherm.streams import stream
from isotherm.types import Float32, UserItems

_MOST_BYTES = 2**30  # of the kernels among the items
_PART_ITEMS = 500


@dataclass(frozen=True, eq=False)
class LearningSample:
    """Some items and users.

    terms: (n_terms, n, n) float32, K_f among the items.  user_items: (n_users, n), no empty row.
    log_clicks: (n,) centred.
    """

    terms: Float32
    user_items: UserItems
    log_clicks: Float32

    @classmethod
    def of(
        cls, log: TrainingLog, kernel: MetadataKernel, most_items: int, most_users: int, seed: int
    ) -> "LearningSample":
        """Drawn from the training items, and from the users with two clicks on them or more."""
        rng = stream(seed, "sample to learn from")
        training_items = log.training.items
        affordable = int(np.sqrt(_MOST_BYTES / (4 * len(kernel.terms))))
        n = min(most_items, affordable, len(training_items))
        items = training_items[random_rows(len(training_items), n, rng)]
        clicks = select_columns(log.user_items, items)
        users = np.flatnonzero(np.diff(clicks.indptr) > 1)
        users = users[random_rows(len(users), most_users, rng)]
        sample = log.encoded.take(items)
        terms = kernel.index(sample).by_term(sample)
        return cls(terms, clicks[users], log.training.log_clicks[items])

    def coarse_to_fine(self) -> list["LearningSample"]:
        """A part of the items, every so-manyth, and of their users before the whole; this alone if small."""
        stride = -(-self.terms.shape[1] // _PART_ITEMS)
        if stride < 2:
            return [self]
        clicks = self.user_items[:, ::stride]
        users = np.flatnonzero(np.diff(clicks.indptr) > 1)
        if not len(users):
            return [self]
        terms = np.ascontiguousarray(self.terms[:, ::stride, ::stride])
        return [LearningSample(terms, clicks[users], self.log_clicks[::stride]), self]
