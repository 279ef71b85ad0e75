"""Weights with one row an item — first layer, last layer, anchors — and the products that meet them.

On one CPU process their Adam step happens within the backward pass (``InPlaceAdam``): no item-wide gradient
is stored. Elsewhere autograd gathers a plain gradient, and any optimiser takes it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.kernels import adam_bag, adam_tile, bag_rows
from isotherm.threads import run_bands

_TILE = 2048  # rows of the last layer whose gradient exists at one time
_USERS = 32  # rows of logits that are widened to float32 at one time


class ItemTable(nn.Module):
    """weight: (n_items, width) float32.

    adam: set where updates happen within the backward pass.  frozen: the weights are held for now.
    lazily: rows without a click in the batch rest, where Adam would move them by their momentum; large
    catalogues need it, as a step must not touch every item.
    """

    def __init__(self, n_items: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_items, width))
        self.adam: InPlaceAdam | None = None
        self.frozen = self.lazily = False

    def fill(self, bound: float, generator: torch.Generator) -> None:
        """Uniform in ±bound."""
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)

    def lowered(self, dtype: torch.dtype) -> Tensor:
        """The weights in the type of the products; a copy that is kept up to date where there is one."""
        if self.adam is not None and dtype == torch.bfloat16:
            return self.adam.copied()
        return self.weight.detach().to(dtype)


class InPlaceAdam:
    """Adam (Kingma & Ba 2015, algorithm 1) for one table, a row or a tile at a time; decoupled weight decay.

    moment: bfloat16, square: float32.  half: the weights in bfloat16, from the first time a product asks for
    them; empty before.  steps: updates begun.
    """

    def __init__(
        self, table: ItemTable, rate: float, decay: float, betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        table.weight.requires_grad_(False)
        self.weight = table.weight.data
        self.moment = torch.zeros_like(self.weight, dtype=torch.bfloat16)
        self.square = torch.zeros_like(self.weight)
        self.half = torch.empty((0, self.weight.shape[1]), dtype=torch.bfloat16)
        self.rate, self.decay, self.betas, self.steps = rate, decay, betas, 0

    def copied(self) -> Tensor:
        """The weights in bfloat16, kept up to date from now on."""
        if not len(self.half):
            self.half = self.weight.to(torch.bfloat16)
        return self.half

    def renew(self) -> None:
        """The weights were set from outside."""
        if len(self.half):
            self.half.copy_(self.weight)

    def tile(self, rows: np.ndarray, gradients: Tensor) -> None:
        """Take the gradients (n, width), bfloat16 or float32, of the weights at ``rows``."""
        values = _halves(gradients) if gradients.dtype == torch.bfloat16 else gradients.numpy()
        run_bands(adam_tile, len(rows), rows, values, *self._state(), smallest=64)

    def bag(self, batch: Batch, above: Tensor, pull: Tensor, every: bool) -> None:
        """Take the gradient of Σ value · weight[item] and Σ value · ‖weight[item]‖², given theirs a user.

        every: rows without a click have a zero gradient and move too, as Adam has it; else they rest.
        """
        items, starts, users, values = batch.by_item
        n = len(self.weight) if every else len(items)
        run_bands(
            adam_bag, n, items, starts, users, values, above.numpy(), pull.numpy(),
            *self._state(), every, smallest=64,
        )  # fmt: skip

    def _state(self) -> tuple[Any, ...]:
        f = np.float32
        first, second = self.betas
        with np.errstate(over="ignore"):  # a rate that float32 cannot hold makes weights that are not finite
            rate, kept = f(self.rate / (1 - first**self.steps)), f(1 - self.rate * self.decay)
        return (
            self.weight.numpy(), _halves(self.moment), self.square.numpy(), _halves(self.half),
            rate, f(1 / math.sqrt(1 - second**self.steps)), f(1e-8), f(first), f(second), kept,
        )  # fmt: skip


def _halves(values: Tensor) -> np.ndarray:
    return values.view(torch.int16).numpy().view(np.uint16)


def bag(table: ItemTable, batch: Batch) -> Tensor:
    """Σ value · weight[item] of each user, (n_users, width)."""
    return bag_with_squares(table, batch, squares=False)[0]


def bag_with_squares(table: ItemTable, batch: Batch, squares: bool = True) -> tuple[Tensor, Tensor]:
    """Σ value · weight[item], (n_users, width), and Σ value · ‖weight[item]‖², (n_users,)."""
    by_kernel = table.weight.device.type == "cpu" and not (
        torch.is_grad_enabled() and table.weight.requires_grad and not table.frozen
    )
    if by_kernel:
        # the key gives autograd something to differentiate by: the weights themselves are not in its graph
        updates = table.adam is not None and not table.frozen
        key = torch.zeros(1, requires_grad=torch.is_grad_enabled() and updates)
        return _Bag.apply(key, table, batch, squares)  # type: ignore[no-any-return,no-untyped-call]
    total = nn.functional.embedding_bag(
        batch.items, table.weight, batch.starts[:-1], mode="sum", per_sample_weights=batch.values
    )
    if not squares:
        return total, total.new_zeros(len(total))
    norms = torch.linalg.vecdot(table.weight, table.weight)
    return total, batch.sums(batch.values * norms[batch.items])


class _Bag(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, key: Tensor, table: ItemTable, batch: Batch, squares: bool) -> Any:
        weight = table.weight.detach()
        total = torch.empty(batch.n_users, weight.shape[1])
        clicks = (batch.starts.numpy(), batch.items.numpy(), batch.values.numpy())
        run_bands(bag_rows, batch.n_users, *clicks, weight.numpy(), total.numpy(), smallest=8)
        ctx.table, ctx.batch = table, batch
        lengths = torch.zeros(batch.n_users)
        if squares:
            lengths = batch.sums(batch.values * torch.linalg.vecdot(weight, weight)[batch.items])
        return total, lengths

    @staticmethod
    def backward(ctx: Any, above: Tensor, pull: Tensor) -> Any:
        ctx.table.adam.bag(ctx.batch, above.contiguous(), pull.contiguous(), not ctx.table.lazily)
        return None, None, None, None


def log_likelihoods(
    hidden: Tensor,
    table: ItemTable,
    bias: Tensor,
    targets: Sequence[Batch],
    dtype: torch.dtype,
    sample: "Sample | None" = None,
) -> Tensor:
    """Multinomial log-likelihoods Σ_j t_j log π_j of each user under each target, (n_users, n_targets).

    π = softmax(hidden · weightᵀ + bias) over all items, or over a ``sample`` of them. One items-wide array of
    logits exists; the backward pass turns it into its gradient.  dtype: of the products, bfloat16 or float32.
    """
    return _LogLikelihoods.apply(hidden, table.weight, bias, table, targets, dtype, sample)  # type: ignore[no-any-return,no-untyped-call]


class Sample:
    """Items that stand for all in a softmax: the batch's own targets and ``n`` more, uniform, none twice.

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
        self.shift = torch.where(drawn[self.items], math.log(n_items / n), -math.inf)
        self._place = wanted.cumsum(0) - 1

    def spread(self, gradients: Tensor) -> Tensor:
        """Gradients of the sampled rows among all, zeros elsewhere."""
        full = gradients.new_zeros((len(self._place), *gradients.shape[1:]))
        return full.index_copy(0, self.items, gradients)

    def places(self, target: Batch) -> Tensor:
        """Where the target's items stand among the sampled ones."""
        return self._place[target.items]


class _LogLikelihoods(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, hidden, weight, bias, table, targets, dtype, sample
    ):
        rows = slice(None) if sample is None else sample.items
        low = hidden.to(dtype)
        logits = torch.addmm(bias.to(dtype)[rows], low, table.lowered(dtype)[rows].T)
        places = [t.items if sample is None else sample.places(t) for t in targets]
        own = [logits[t.rows, p] for t, p in zip(targets, places, strict=True)]
        if sample is not None:
            logits += sample.shift.to(dtype)
            for t, p, raw in zip(targets, places, own, strict=True):
                logits[t.rows, p] = raw
        normalizers = torch.cat([torch.logsumexp(part.float(), 1) for part in logits.split(_USERS)])
        ctx.save_for_backward(low, logits, normalizers)
        ctx.rest = (table, targets, places, dtype, sample)
        found = [t.sums(t.values * raw.float()) for t, raw in zip(targets, own, strict=True)]
        totals = [t.totals * normalizers for t in targets]
        return torch.stack(found, 1) - torch.stack(totals, 1)

    @staticmethod
    def backward(ctx, above):  # type: ignore[no-untyped-def]
        low, logits, normalizers = ctx.saved_tensors
        table, targets, places, dtype, sample = ctx.rest
        scale = -torch.stack([t.totals * above[:, k] for k, t in enumerate(targets)]).sum(0)
        for part, z, s in zip(
            logits.split(_USERS), normalizers.split(_USERS), scale.split(_USERS), strict=True
        ):
            part.copy_(part.float().sub_(z[:, None]).exp_().mul_(s[:, None]))
        for k, (t, p) in enumerate(zip(targets, places, strict=True)):
            logits[t.rows, p] += (t.values * above[t.rows, k]).to(dtype)
        rows = slice(None) if sample is None else sample.items
        to_hidden = (logits @ table.lowered(dtype)[rows]).float()
        if table.frozen:
            return to_hidden, None, None, None, None, None, None
        to_bias = logits.sum(0, dtype=torch.float32)
        if table.adam is not None:
            every = np.arange(len(table.weight)) if sample is None else sample.items.numpy()
            for first in range(0, len(every), _TILE):
                tile = logits[:, first : first + _TILE]
                table.adam.tile(every[first : first + _TILE], tile.T @ low)
            to_weight = None
        else:
            to_weight = (logits.T @ low).float()
        if sample is not None:
            to_bias = sample.spread(to_bias)
            to_weight = None if to_weight is None else sample.spread(to_weight)
        return to_hidden, to_weight, to_bias, None, None, None, None
