"""Squared errors of the last layer's logits: a weight for each click, and one for all other items.

The loss of a user is Σ_j c_j (x_j − y_j)², the Gaussian log-likelihood of Liang et al. 2018, eq. 3, but for a
factor. With c_j = 0 on the clicks that a mask shows and 1/(1 − ρ) on those that it hides, the expected loss
of a linear network is that of EDLAE (Steck 2020) with all of its emphasis on what is dropped.
"""

from typing import Any

import torch
from torch import Tensor

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.last_layer import LastLayer, rows_at_once


def squared_errors(
    hidden: Tensor, last: LastLayer, clicks: Batch, click_weights: Tensor, unclicked_weight: float
) -> Tensor:
    """Σ_j c_j (x_j − y_j)² of each user, y = hidden · weightᵀ + bias, (n_users,).

    click_weights: c of each click, (n_clicks,).  unclicked_weight: c of the items that the user did not
    click. Over a sample of the items one that the user did not click counts n_items/n times.

    >>> import torch
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.vae.network.batch import Batch
    >>> from isotherm.models.vae.network.item_table import ItemTable
    >>> from isotherm.models.vae.network.last_layer import LastLayer
    >>> from isotherm.models.vae.network.squared_error import squared_errors
    >>> table, clicks = ItemTable(4, 2), Batch.of(csr_array([[1, 0, 1, 0]], dtype="float32"))
    >>> table.fill(0.0, torch.Generator())
    >>> last = LastLayer(table, torch.full((4,), 0.5), torch.float32)
    >>> squared_errors(torch.ones(1, 2), last, clicks, torch.tensor([0.0, 2.0]), 1.0)  # (2 + 1 + 1) · ¼
    tensor([1.], grad_fn=<_SquaredErrorsBackward>)
    """
    return _SquaredErrors.apply(  # type: ignore[no-any-return,no-untyped-call]
        hidden, last.table.weight, last.bias, last, clicks, click_weights, unclicked_weight
    )


class _SquaredErrors(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,  # for autograd alone, as is the bias: what is multiplied with is in ``last``
        bias: Tensor,
        last: LastLayer,
        clicks: Batch,
        click_weights: Tensor,
        unclicked_weight: float,
    ) -> Tensor:
        narrow = hidden.to(last.dtype)
        logits = last.logits(narrow)
        columns = last.columns(clicks)
        of_clicks = logits[clicks.rows, columns].float()
        logits[clicks.rows, columns] = 0  # what is left is of the items without a click
        unclicked = _unclicked_weights(last, unclicked_weight)
        squares = torch.cat(
            [(some.float().square() * unclicked).sum(1) for some in logits.split(rows_at_once(logits))]
        )
        errors = of_clicks - clicks.values
        ctx.save_for_backward(narrow, logits, errors, click_weights, unclicked)
        ctx.rest = (last, clicks, columns)
        return squares + clicks.sums(click_weights * errors.square())

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        narrow, logits, errors, click_weights, unclicked = ctx.saved_tensors
        last, clicks, columns = ctx.rest
        scale, n = 2 * grad_output, rows_at_once(logits)
        for some, factor in zip(logits.split(n), scale.split(n), strict=True):
            some.copy_(some.float().mul_(unclicked).mul_(factor[:, None]))
        logits[clicks.rows, columns] = (scale[clicks.rows] * click_weights * errors).to(logits.dtype)
        return *last.gradients(logits, narrow), None, None, None, None


def _unclicked_weights(last: LastLayer, weight: float) -> Tensor:
    """Of each column of the logits, or one for all."""
    if last.sample is None:
        return torch.tensor(weight, device=last.bias.device)
    return weight * last.sample.log_weights.exp()
