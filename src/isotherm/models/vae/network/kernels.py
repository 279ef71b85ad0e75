"""Compiled steps over item tables on a CPU: sums of rows, and Adam in the pass that makes the gradient.

A plain step writes the gradient of the first and the last layer (items × hidden each) and reads it again.
Here a row's gradient exists in the cache only: it is computed, Adam (Kingma & Ba 2015, algorithm 1) takes it,
and the bfloat16 copy that the matrix products read is renewed in the same pass. The first moment is kept in
bfloat16. NumPy has no bfloat16: its bits are passed as uint16.
"""

import math
from typing import Any, NamedTuple, no_type_check

import numpy as np
from numba import types
from numba.extending import overload

from isotherm.kernels import inlined, reordering_kernel
from isotherm.types import Array, Float32


class TableArrays(NamedTuple):
    """The arrays of one item table, (n_items, width) each.

    weight, exp_avg_sq (second moment): float32.  exp_avg (first moment), bfloat16_weight: bits of bfloat16;
    the latter has no rows where there is no copy to renew.
    """

    weight: Float32
    exp_avg: Array
    exp_avg_sq: Float32
    bfloat16_weight: Array


class AdamStep(NamedTuple):
    """The numbers of one step, float32.

    learning_rate: over the bias correction of the first moment.  root_scale: what √exp_avg_sq is multiplied
    by, for the bias of the second.  weight_kept: 1 − learning rate · weight decay.
    """

    learning_rate: np.float32
    root_scale: np.float32
    epsilon: np.float32
    beta1: np.float32
    beta2: np.float32
    weight_kept: np.float32


@inlined
def _float32_of_bits(bits: Any) -> Any:
    """float32 of a bfloat16's bits."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@inlined
def _nearest_bfloat16(value: Any) -> Any:
    """The nearest bfloat16's bits, ties to even."""
    bits = np.float32(value).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


def _as_float32(value: Any) -> Any:
    """float32 of a gradient, which is float32 or the bits of a bfloat16: compiled by its type."""


@no_type_check  # numba wants the argument bare
def _as_float32_by_type(value):
    if value == types.uint16:
        return lambda value: _float32_of_bits(value)
    return lambda value: value


overload(_as_float32, inline="always")(_as_float32_by_type)


@reordering_kernel
def sum_rows(
    first: int, last: int, starts: Array, items: Array, values: Array, weight: Array, out: Array
) -> None:
    """out[u] = Σ over u's clicks of value · weight[item], four rows at a time: memory answers slowly."""
    width = weight.shape[1]
    for u in range(first, last):
        total = out[u]
        total[:] = 0
        p, end = starts[u], starts[u + 1]
        while p + 4 <= end:
            a, b, c, d = values[p], values[p + 1], values[p + 2], values[p + 3]
            one, two = weight[items[p]], weight[items[p + 1]]
            three, four = weight[items[p + 2]], weight[items[p + 3]]
            for i in range(width):
                total[i] += (a * one[i] + b * two[i]) + (c * three[i] + d * four[i])
            p += 4
        while p < end:
            value, row = values[p], weight[items[p]]
            for i in range(width):
                total[i] += value * row[i]
            p += 1


@inlined
def _adam_row(row: int, gradient: Array, table: TableArrays, step: AdamStep) -> None:
    one = np.float32(1)
    weight, exp_avg, exp_avg_sq = table.weight[row], table.exp_avg[row], table.exp_avg_sq[row]
    for c in range(len(weight)):
        g = gradient[c]
        m = step.beta1 * _float32_of_bits(exp_avg[c]) + (one - step.beta1) * g
        v = step.beta2 * exp_avg_sq[c] + (one - step.beta2) * g * g
        exp_avg[c] = _nearest_bfloat16(m)
        exp_avg_sq[c] = v
        change = step.learning_rate * m / (math.sqrt(v) * step.root_scale + step.epsilon)
        weight[c] = step.weight_kept * weight[c] - change
    if len(table.bfloat16_weight):
        for c in range(len(weight)):
            table.bfloat16_weight[row, c] = _nearest_bfloat16(weight[c])


@reordering_kernel
def adam_rows(
    first: int, last: int, rows: Array, gradients: Array, table: TableArrays, step: AdamStep
) -> None:
    """Adam on weight[rows[t]] with the gradient gradients[t], float32 or the bits of bfloat16."""
    width = table.weight.shape[1]
    gradient = np.empty(width, np.float32)
    for t in range(first, last):
        for c in range(width):
            gradient[c] = _as_float32(gradients[t, c])
        _adam_row(rows[t], gradient, table, step)


@reordering_kernel
def adam_of_sums(
    first: int,
    last: int,
    rows: Array,
    clicks: tuple[Array, Array, Array],
    grad_sums: Array,
    grad_squares: Array,
    table: TableArrays,
    step: AdamStep,
) -> None:
    """Adam on weight[rows[t]] whose gradient is Σ over the item's clicks of value · (g + 2 · q · weight).

    clicks: (starts, users, values), item by item.  grad_sums: g of each user, the gradient of its sum of
    rows.  grad_squares: q, that of its sum of squared norms, which shrinks the weight (the anchors' own).
    """
    starts, users, values = clicks
    width = table.weight.shape[1]
    gradient = np.empty(width, np.float32)
    for t in range(first, last):
        item = rows[t]
        gradient[:] = 0
        shrinkage = np.float32(0)
        for p in range(starts[item], starts[item + 1]):
            value, grad_sum = values[p], grad_sums[users[p]]
            shrinkage += value * grad_squares[users[p]]
            for c in range(width):
                gradient[c] += value * grad_sum[c]
        if shrinkage != 0:
            for c in range(width):
                gradient[c] += 2 * shrinkage * table.weight[item, c]
        _adam_row(item, gradient, table, step)
