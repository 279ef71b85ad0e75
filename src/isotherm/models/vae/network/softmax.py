"""Multinomial log-likelihoods of the last layer's logits (Liang et al. 2018, eq. 2)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.last_layer import LastLayer, rows_at_once


def log_likelihoods(hidden: Tensor, last: LastLayer, targets: Sequence[Batch]) -> Tensor:
    """Multinomial log-likelihoods Σ_j t_j log π_j of each user under each target, (n_users, n_targets).

    π = softmax(hidden · weightᵀ + bias) over all items, or over the last layer's sample of them.

    >>> import torch
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.vae.network.batch import Batch
    >>> from isotherm.models.vae.network.item_table import ItemTable
    >>> from isotherm.models.vae.network.last_layer import LastLayer
    >>> from isotherm.models.vae.network.softmax import log_likelihoods
    >>> table, clicks = ItemTable(4, 2), Batch.of(csr_array([[1, 0, 1, 0]], dtype="float32"))
    >>> table.fill(0.0, torch.Generator())
    >>> last = LastLayer(table, torch.zeros(4), torch.float32)
    >>> log_likelihoods(torch.ones(1, 2), last, [clicks])  # 2 log ¼
    tensor([[-2.7726]], grad_fn=<_LogLikelihoodsBackward>)
    """
    return _LogLikelihoods.apply(hidden, last.table.weight, last.bias, last, targets)  # type: ignore[no-any-return,no-untyped-call]


class _LogLikelihoods(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,  # for autograd alone, as is the bias: what is multiplied with is in ``last``
        bias: Tensor,
        last: LastLayer,
        targets: Sequence[Batch],
    ) -> Tensor:
        narrow = hidden.to(last.dtype)
        logits = last.logits(narrow)
        columns = [last.columns(t) for t in targets]
        of_targets = [logits[t.rows, c] for t, c in zip(targets, columns, strict=True)]
        if last.sample is not None:
            logits += last.sample.log_weights.to(last.dtype)
            for t, c, raw in zip(targets, columns, of_targets, strict=True):
                logits[t.rows, c] = raw
        normalizers = torch.cat(
            [torch.logsumexp(some.float(), 1) for some in logits.split(rows_at_once(logits))]
        )
        ctx.save_for_backward(narrow, logits, normalizers)
        ctx.rest = (last, targets, columns)
        sums = [t.sums(t.values * raw.float()) for t, raw in zip(targets, of_targets, strict=True)]
        totals = [t.totals * normalizers for t in targets]
        return torch.stack(sums, 1) - torch.stack(totals, 1)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        narrow, logits, normalizers = ctx.saved_tensors
        last, targets, columns = ctx.rest
        _replace_by_gradient(logits, normalizers, targets, columns, grad_output)
        return *last.gradients(logits, narrow), None, None


def _replace_by_gradient(
    logits: Tensor,
    normalizers: Tensor,
    targets: Sequence[Batch],
    columns: Sequence[Tensor],
    grad_output: Tensor,
) -> None:
    """Turn logits, in place, into the gradient in them: Σ_t g_t · (t_j − Σ_i t_i · π_j)."""
    scale = -torch.stack([t.totals * grad_output[:, k] for k, t in enumerate(targets)]).sum(0)
    n = rows_at_once(logits)
    for some, normalizer, factor in zip(logits.split(n), normalizers.split(n), scale.split(n), strict=True):
        some.copy_(some.float().sub_(normalizer[:, None]).exp_().mul_(factor[:, None]))
    for k, (t, c) in enumerate(zip(targets, columns, strict=True)):
        logits[t.rows, c] += (t.values * grad_output[t.rows, k]).to(logits.dtype)
