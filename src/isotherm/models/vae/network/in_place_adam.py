"""Adam on one item table within the backward pass: no item-wide gradient is ever stored."""

import math

import numpy as np
import torch
from torch import Tensor

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.kernels import AdamStep, TableArrays, adam_of_sums, adam_rows
from isotherm.threads import run_bands
from isotherm.types import Array

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_SMALLEST = 64  # rows a thread takes at least


class InPlaceAdam:
    """Adam (Kingma & Ba 2015, algorithm 1) with decoupled weight decay, on rows as their gradients come.

    exp_avg: the first moment, (n_items, width) bfloat16.  exp_avg_sq: the second, float32.  steps: begun.
    held: the weights stay as they are for now.  bfloat16_weight: from the first time that a product asks for
    it; empty before.
    """

    def __init__(
        self, weight: Tensor, learning_rate: float, weight_decay: float, sparse_updates: bool = False
    ) -> None:
        """weight: (n_items, width) float32 on the CPU, changed in place.

        sparse_updates: rows without a click in the batch rest, where Adam would move them by their momentum;
        large catalogues need it, as a step must not touch every item.
        """
        weight.requires_grad_(False)  # autograd is to keep no gradient of what changes on its way
        self.weight = weight.detach()
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.sparse_updates = sparse_updates
        self.exp_avg = torch.zeros_like(self.weight, dtype=torch.bfloat16)
        self.exp_avg_sq = torch.zeros_like(self.weight)
        self.bfloat16_weight = torch.empty((0, self.weight.shape[1]), dtype=torch.bfloat16)
        self.steps = 0
        self.held = False

    def bfloat16_copy(self) -> Tensor:
        """The weights in bfloat16, renewed with each row from now on."""
        if not len(self.bfloat16_weight):
            self.bfloat16_weight = self.weight.to(torch.bfloat16)
        return self.bfloat16_weight

    def weights_replaced(self) -> None:
        """Renew what follows from the weights: they were set from outside."""
        if len(self.bfloat16_weight):
            self.bfloat16_weight.copy_(self.weight)

    def update_rows(self, rows: Array, gradients: Tensor) -> None:
        """Take the gradients (n, width), bfloat16 or float32, of the weights at ``rows``."""
        values = _bits(gradients) if gradients.dtype == torch.bfloat16 else gradients.numpy()
        run_bands(adam_rows, len(rows), rows, values, self._arrays(), self._step(), smallest=_SMALLEST)

    def update_from_sums(self, batch: Batch, grad_sums: Tensor, grad_squares: Tensor) -> None:
        """Take the gradient that reaches the weights through each user's sums of rows.

        grad_sums: (n_users, width), of Σ value · weight[item].  grad_squares: (n_users,), of
        Σ value · ‖weight[item]‖².
        """
        starts, users, values = batch.by_item
        rows = np.flatnonzero(np.diff(starts)) if self.sparse_updates else np.arange(len(self.weight))
        clicks = (starts, users, values)
        gradients = (grad_sums.contiguous().numpy(), grad_squares.contiguous().numpy())
        run_bands(
            adam_of_sums, len(rows), rows, clicks, *gradients, self._arrays(), self._step(),
            smallest=_SMALLEST,
        )  # fmt: skip

    def _arrays(self) -> TableArrays:
        return TableArrays(
            self.weight.numpy(), _bits(self.exp_avg), self.exp_avg_sq.numpy(), _bits(self.bfloat16_weight)
        )

    def _step(self) -> AdamStep:
        f = np.float32
        beta1, beta2 = _BETAS
        with np.errstate(over="ignore"):  # a rate that float32 cannot hold makes weights that are not finite
            rate = f(self.learning_rate / (1 - beta1**self.steps))
            weight_kept = f(1 - self.learning_rate * self.weight_decay)
        root_scale = f(1 / math.sqrt(1 - beta2**self.steps))
        return AdamStep(rate, root_scale, f(_EPSILON), f(beta1), f(beta2), weight_kept)


def _bits(values: Tensor) -> Array:
    """bfloat16 as uint16: NumPy has no such type."""
    return values.view(torch.int16).numpy().view(np.uint16)
