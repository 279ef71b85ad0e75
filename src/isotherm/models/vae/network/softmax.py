"""The last layer: multinomial log-likelihoods over all items, or over a sample of them.

One items-wide array of logits exists, in bfloat16 or float32; the backward pass turns it into its gradient.
"""

import math
from collections.abc import Sequence
from typing import Any

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
    """Items that stand for all in a softmax: the batch's targets and ``n`` more, uniform, none twice.

    A sampled item that is no target of a user counts n_items/n times in that user's sum of exponentials: the
    sum is unbiased for Σ_j exp(logit_j) over all items (importance sampling, Bengio & Senécal 2008).
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


def log_likelihoods(
    hidden: Tensor,
    table: ItemTable,
    bias: Tensor,
    targets: Sequence[Batch],
    dtype: torch.dtype,
    sample: SampledItems | None = None,
) -> Tensor:
    """Multinomial log-likelihoods Σ_j t_j log π_j of each user under each target, (n_users, n_targets).

    π = softmax(hidden · weightᵀ + bias) over all items, or over a ``sample`` of them (Liang et al. 2018,
    eq. 2).  dtype: of the products, bfloat16 or float32.

    >>> import torch
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.vae.network.batch import Batch
    >>> from isotherm.models.vae.network.item_table import ItemTable
    >>> from isotherm.models.vae.network.softmax import log_likelihoods
    >>> table, clicks = ItemTable(4, 2), Batch.of(csr_array([[1, 0, 1, 0]], dtype="float32"))
    >>> table.fill(0.0, torch.Generator())
    >>> log_likelihoods(torch.ones(1, 2), table, torch.zeros(4), [clicks], torch.float32)  # 2 log ¼
    tensor([[-2.7726]], grad_fn=<_LogLikelihoodsBackward>)
    """
    return _LogLikelihoods.apply(hidden, table.weight, bias, table, targets, dtype, sample)  # type: ignore[no-any-return,no-untyped-call]


class _LogLikelihoods(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,  # for autograd alone: what is multiplied with is the table's copy in ``dtype``
        bias: Tensor,
        table: ItemTable,
        targets: Sequence[Batch],
        dtype: torch.dtype,
        sample: SampledItems | None,
    ) -> Tensor:
        rows = slice(None) if sample is None else sample.items
        narrow = hidden.to(dtype)
        logits = torch.addmm(bias.to(dtype)[rows], narrow, table.as_type(dtype)[rows].T)
        columns = [t.items if sample is None else sample.positions(t) for t in targets]
        of_targets = [logits[t.rows, c] for t, c in zip(targets, columns, strict=True)]
        if sample is not None:
            logits += sample.log_weights.to(dtype)
            for t, c, raw in zip(targets, columns, of_targets, strict=True):
                logits[t.rows, c] = raw
        normalizers = torch.cat(
            [torch.logsumexp(some.float(), 1) for some in logits.split(_rows_at_once(logits))]
        )
        ctx.save_for_backward(narrow, logits, normalizers)
        ctx.rest = (table, targets, columns, sample)
        sums = [t.sums(t.values * raw.float()) for t, raw in zip(targets, of_targets, strict=True)]
        totals = [t.totals * normalizers for t in targets]
        return torch.stack(sums, 1) - torch.stack(totals, 1)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        narrow, logits, normalizers = ctx.saved_tensors
        table, targets, columns, sample = ctx.rest
        _replace_by_gradient(logits, normalizers, targets, columns, grad_output)
        rows = slice(None) if sample is None else sample.items
        grad_hidden = (logits @ table.as_type(logits.dtype)[rows]).float()
        if not table.learns:
            return grad_hidden, None, None, None, None, None, None
        grad_bias = logits.sum(0, dtype=torch.float32)
        grad_weight = None
        if table.in_place is None:
            grad_weight = (logits.T @ narrow).float()
        else:
            updated = np.arange(len(table.weight)) if sample is None else sample.items.numpy()
            _update_in_place(table, updated, logits, narrow)
        if sample is not None:
            grad_bias = sample.among_all(grad_bias)
            grad_weight = None if grad_weight is None else sample.among_all(grad_weight)
        return grad_hidden, grad_weight, grad_bias, None, None, None, None


def _rows_at_once(logits: Tensor) -> int:
    """Rows that are widened to float32 at one time."""
    on_cpu = logits.device.type == "cpu"
    return _USERS if on_cpu else max(_WIDE_BYTES // (4 * logits.shape[1]), 1)


def _replace_by_gradient(
    logits: Tensor,
    normalizers: Tensor,
    targets: Sequence[Batch],
    columns: Sequence[Tensor],
    grad_output: Tensor,
) -> None:
    """Turn logits, in place, into the gradient in them: Σ_t g_t · (t_j − Σ_i t_i · π_j)."""
    scale = -torch.stack([t.totals * grad_output[:, k] for k, t in enumerate(targets)]).sum(0)
    n = _rows_at_once(logits)
    for some, normalizer, factor in zip(logits.split(n), normalizers.split(n), scale.split(n), strict=True):
        some.copy_(some.float().sub_(normalizer[:, None]).exp_().mul_(factor[:, None]))
    for k, (t, c) in enumerate(zip(targets, columns, strict=True)):
        logits[t.rows, c] += (t.values * grad_output[t.rows, k]).to(logits.dtype)


def _update_in_place(table: ItemTable, rows: Array, grad_logits: Tensor, hidden: Tensor) -> None:
    """Let the table take its gradient, a tile of rows at a time: it never exists whole."""
    assert table.in_place is not None
    for first in range(0, len(rows), _TILE):
        tile = grad_logits[:, first : first + _TILE]
        table.in_place.update_rows(rows[first : first + _TILE], tile.T @ hidden)
