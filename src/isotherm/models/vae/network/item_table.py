"""Weights with one row per item — first layer, last layer, anchors — and sums of them over a user's clicks.

On one CPU process their Adam step happens within the backward pass (``InPlaceAdam``): no item-wide gradient
is stored. Elsewhere autograd gathers a plain gradient, and any optimizer takes it.
"""

from typing import Any

import torch
from torch import Tensor, nn

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.in_place_adam import InPlaceAdam
from isotherm.models.vae.network.kernels import sum_rows
from isotherm.threads import run_bands


class ItemTable(nn.Module):
    """weight: (n_items, width) float32."""

    def __init__(self, n_items: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_items, width))
        #: what updates the weights within the backward pass; None: autograd gathers their gradient
        self.in_place: InPlaceAdam | None = None

    def fill(self, bound: float, generator: torch.Generator) -> None:
        """Uniform in ±bound."""
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)

    @property
    def learns(self) -> bool:
        """Whether a backward pass changes the weights or gathers their gradient."""
        return self.weight.requires_grad if self.in_place is None else not self.in_place.held

    def as_type(self, dtype: torch.dtype) -> Tensor:
        """The weights in the type of the products; a copy that is kept up to date where there is one."""
        if self.in_place is not None and dtype == torch.bfloat16:
            return self.in_place.bfloat16_copy()
        return self.weight.detach().to(dtype)


def embedding_bag(table: ItemTable, batch: Batch) -> Tensor:
    """Σ value · weight[item] of each user, (n_users, width)."""
    return embedding_bag_with_squares(table, batch, squares=False)[0]


def embedding_bag_with_squares(table: ItemTable, batch: Batch, squares: bool = True) -> tuple[Tensor, Tensor]:
    """Σ value · weight[item], (n_users, width), and Σ value · ‖weight[item]‖², (n_users,).

    squares: whether the second is wanted; else it is zero.

    >>> import torch
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.vae.network.batch import Batch
    >>> from isotherm.models.vae.network.item_table import ItemTable, embedding_bag_with_squares
    >>> table = ItemTable(3, 2).requires_grad_(False)
    >>> _ = table.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]]))
    >>> embedding_bag_with_squares(table, Batch.of(csr_array([[1, 1, 0]], dtype="float32")))
    (tensor([[1., 2.]]), tensor([5.]))
    """
    learns = torch.is_grad_enabled() and table.learns
    if table.weight.device.type == "cpu" and (table.in_place is not None or not learns):
        # the key gives autograd something to differentiate by: the weights themselves are not in its graph
        key = torch.zeros(1, requires_grad=learns)
        return _KernelBag.apply(key, table, batch, squares)  # type: ignore[no-any-return,no-untyped-call]
    sums = nn.functional.embedding_bag(
        batch.items, table.weight, batch.starts[:-1], mode="sum", per_sample_weights=batch.values
    )
    return sums, _squares(table.weight, batch) if squares else sums.new_zeros(len(sums))


def _squares(weight: Tensor, batch: Batch) -> Tensor:
    """Σ value · ‖weight[item]‖² of each user."""
    return batch.sums(batch.values * torch.linalg.vecdot(weight, weight)[batch.items])


class _KernelBag(torch.autograd.Function):
    """The sums by a kernel; the backward pass updates the table in place."""

    @staticmethod
    def forward(ctx: Any, key: Tensor, table: ItemTable, batch: Batch, squares: bool) -> Any:
        ctx.adam, ctx.batch = table.in_place, batch
        weight = table.weight.detach()
        sums = torch.empty(batch.n_users, weight.shape[1])
        clicks = (batch.starts.numpy(), batch.items.numpy(), batch.values.numpy())
        run_bands(sum_rows, batch.n_users, *clicks, weight.numpy(), sums.numpy(), smallest=8)
        return sums, _squares(weight, batch) if squares else torch.zeros(batch.n_users)

    @staticmethod
    def backward(ctx: Any, grad_sums: Tensor, grad_squares: Tensor) -> Any:
        ctx.adam.update_from_sums(ctx.batch, grad_sums, grad_squares)
        return None, None, None, None
