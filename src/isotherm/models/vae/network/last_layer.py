"""The last layer in a training step: one items-wide array, over all items or over a sample of them.

It holds the logits, in bfloat16 or float32; the backward pass of a loss turns it into its gradient, and from
that the gradients of the weights and of what stands before them follow here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.types import Array

_TILE = 2048  # rows of the last layer whose gradient exists at one time
_USERS = 32  # rows of logits that a CPU widens to float32 at one time: they stay in its cache
_WIDE_BYTES = 1 << 28  # of them on another device, where each piece costs a launch


class SampledItems:
    """Items that stand for all in a loss: the batch's targets and ``n`` more, uniform, none twice.

    A sampled item that is no target of a user counts n_items/n times in that user's sum over items: the sum
    is unbiased (importance sampling, Bengio & Senécal 2008).
    """

    def __init__(self, targets: Sequence[Batch], n: int, rng: np.random.Generator) -> None:
        n_items, device = targets[0].n_items, targets[0].items.device
        n = min(n, n_items)
        drawn = torch.zeros(n_items, dtype=torch.bool)
        drawn[torch.from_numpy(rng.choice(n_items, n, replace=False, shuffle=False))] = True
        drawn = drawn.to(device)
        wanted = drawn.clone()
        for target in targets:
            wanted[target.items] = True
        self.items = wanted.nonzero()[:, 0]  #: (n_sampled,) ascending columns
        #: (n_sampled,) log of how often each counts; −∞ for a target that was not drawn
        self.log_weights = torch.where(drawn[self.items], math.log(n_items / n), -math.inf)
        self._positions = wanted.cumsum(0) - 1

    def positions(self, target: Batch) -> Tensor:
        """Where the target's items stand among the sampled ones, (n_clicks,)."""
        return self._positions[target.items]

    def among_all(self, gradients: Tensor) -> Tensor:
        """Gradients of the sampled rows among those of all items, zeros elsewhere."""
        full = gradients.new_zeros((len(self._positions), *gradients.shape[1:]))
        return full.index_copy(0, self.items, gradients)


@dataclass(frozen=True)
class LastLayer:
    """What logits are made of: hidden · weightᵀ + bias.

    dtype: of the products, bfloat16 or float32.  sample: the items that stand for all; None: all do.
    """

    table: ItemTable
    bias: Tensor
    dtype: torch.dtype
    sample: SampledItems | None = None

    def columns(self, target: Batch) -> Tensor:
        """Where the target's clicks stand among the logits of their users, (n_clicks,)."""
        return target.items if self.sample is None else self.sample.positions(target)

    def logits(self, hidden: Tensor) -> Tensor:
        """(n_users, n_items or n_sampled) of hidden layers in ``dtype``."""
        rows = self._rows
        return torch.addmm(self.bias.to(self.dtype)[rows], hidden, self.table.as_type(self.dtype)[rows].T)

    def gradients(self, grad_logits: Tensor, hidden: Tensor) -> "LastLayerGradients":
        """From the gradient in the logits, in ``dtype``; a table that learns in place takes its step here."""
        table, sample = self.table, self.sample
        grad_hidden = (grad_logits @ table.as_type(self.dtype)[self._rows]).float()
        if not table.learns:
            return LastLayerGradients(grad_hidden, None, None)
        grad_bias = grad_logits.sum(0, dtype=torch.float32)
        grad_weight = None
        if table.in_place is None:
            grad_weight = (grad_logits.T @ hidden).float()
        else:
            updated = np.arange(len(table.weight)) if sample is None else sample.items.numpy()
            _update_in_place(table, updated, grad_logits, hidden)
        if sample is not None:
            grad_bias = sample.among_all(grad_bias)
            grad_weight = None if grad_weight is None else sample.among_all(grad_weight)
        return LastLayerGradients(grad_hidden, grad_weight, grad_bias)

    @property
    def _rows(self) -> slice | Tensor:
        return slice(None) if self.sample is None else self.sample.items


class LastLayerGradients(NamedTuple):
    """hidden: (n_users, width).  weight, bias: None where the layer is held, or takes its step in place."""

    hidden: Tensor
    weight: Tensor | None
    bias: Tensor | None


def rows_at_once(logits: Tensor) -> int:
    """Rows that are widened to float32 at one time."""
    on_cpu = logits.device.type == "cpu"
    return _USERS if on_cpu else max(_WIDE_BYTES // (4 * logits.shape[1]), 1)


def _update_in_place(table: ItemTable, rows: Array, grad_logits: Tensor, hidden: Tensor) -> None:
    """Let the table take its gradient, a tile of rows at a time: it never exists whole."""
    assert table.in_place is not None
    for first in range(0, len(rows), _TILE):
        tile = grad_logits[:, first : first + _TILE]
        table.in_place.update_rows(rows[first : first + _TILE], tile.T @ hidden)
