"""Compiled steps over item-wide weights on a CPU: sums of rows, and Adam in the pass that makes the gradient.

A plain step writes the gradient of the first and the last layer (items × hidden each) and reads it again.
Here a row's gradient exists in the cache only: it is made, Adam (Kingma & Ba 2015, algorithm 1) takes it, and
the bfloat16 copy that the matrix products read is renewed in the same pass. The first moment is kept in
bfloat16.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from isotherm.kernels import inlined, reordering_kernel
from isotherm.types import Array


@intrinsic
def _bits(context, value):  # type: ignore[no-untyped-def]
    """The bits of a float32."""

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), code


@intrinsic
def _float(context, bits):  # type: ignore[no-untyped-def]
    """The float32 of these bits."""

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), code


@inlined
def _wide(half: Any) -> Any:
    """float32 of a bfloat16's bits."""
    return _float(np.uint32(half) << np.uint32(16))  # type: ignore[call-arg]


def _plain(value):  # type: ignore[no-untyped-def]
    """float32 of a gradient, which is float32 or the bits of a bfloat16."""
    raise NotImplementedError


@overload(_plain, inline="always")
def _plain_of_type(value):  # type: ignore[no-untyped-def]
    if value == types.uint16:
        return lambda value: _wide(value)
    return lambda value: value


@inlined
def _half(value: Any) -> Any:
    """The nearest bfloat16's bits, ties to even."""
    bits = _bits(value)  # type: ignore[call-arg,var-annotated]
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@reordering_kernel
def bag_rows(
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
def _adam(
    weight: Array,
    moment: Array,
    square: Array,
    gradient: Array,
    rate: float,
    scale: float,
    epsilon: float,
    beta1: float,
    beta2: float,
    kept: float,
) -> None:
    one = np.float32(1)
    for c in range(len(weight)):
        g = gradient[c]
        m = beta1 * _wide(moment[c]) + (one - beta1) * g
        v = beta2 * square[c] + (one - beta2) * g * g
        moment[c] = _half(m)
        square[c] = v
        w = kept * weight[c] - rate * m / (math.sqrt(v) * scale + epsilon)
        weight[c] = w


@inlined
def _renew(row: int, weight: Array, half: Array) -> None:
    if len(half):
        for c in range(weight.shape[1]):
            half[row, c] = _half(weight[row, c])


@reordering_kernel
def adam_tile(
    first: int,
    last: int,
    rows: Array,
    gradients: Array,
    weight: Array,
    moment: Array,
    square: Array,
    half: Array,
    rate: float,
    scale: float,
    epsilon: float,
    beta1: float,
    beta2: float,
    kept: float,
) -> None:
    """Adam on weight[rows[t]] with the gradient gradients[t], float32 or the bits of bfloat16."""
    width = weight.shape[1]
    gradient = np.empty(width, np.float32)
    for t in range(first, last):
        r = rows[t]
        for c in range(width):
            gradient[c] = _plain(gradients[t, c])  # type: ignore[no-untyped-call]
        _adam(
            weight[r], moment[r], square[r], gradient, rate, scale, epsilon, beta1, beta2, kept,
        )  # fmt: skip
        _renew(r, weight, half)


@reordering_kernel
def adam_bag(
    first: int,
    last: int,
    items: Array,
    starts: Array,
    users: Array,
    values: Array,
    above: Array,
    pull: Array,
    weight: Array,
    moment: Array,
    square: Array,
    half: Array,
    rate: float,
    scale: float,
    epsilon: float,
    beta1: float,
    beta2: float,
    kept: float,
    every: bool,
) -> None:
    """Adam where a row's gradient is Σ over its clicks of value · (above[user] + 2 · pull[user] · weight).

    every: rows first … last - 1 are all items, clicked or not; else they are places in ``items``.
    """
    width = weight.shape[1]
    gradient = np.empty(width, np.float32)
    place = 0
    if every:
        place = _first_at_least(items, first)
    for t in range(first, last):
        r = t if every else items[t]
        if not every:
            place = t
        gradient[:] = 0
        if place < len(items) and items[place] == r:
            inward = np.float32(0)
            for p in range(starts[place], starts[place + 1]):
                value, row = values[p], above[users[p]]
                inward += value * pull[users[p]]
                for c in range(width):
                    gradient[c] += value * row[c]
            if inward != 0:
                for c in range(width):
                    gradient[c] += 2 * inward * weight[r, c]
            place += 1
        _adam(
            weight[r], moment[r], square[r], gradient, rate, scale, epsilon, beta1, beta2, kept,
        )  # fmt: skip
        _renew(r, weight, half)


@inlined
def _first_at_least(items: Array, wanted: int) -> int:
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low
