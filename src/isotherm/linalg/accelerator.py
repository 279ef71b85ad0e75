"""Where the closed forms are computed: the processor, or a CUDA device where torch finds one.

The passes of ``gram``, ``cholesky`` and ``dense_product`` ask here first. What is handed over lies in the
caller's arrays before and after, so a model knows nothing of it. On the device products and factorizations
are in the type of the matrix, float32 or float64; results differ from the processor's in rounding alone.
"""

import ctypes
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.devices import DEVICES, device_setting
from isotherm.errors import ParameterError, brief
from isotherm.types import Array, Float32

_SMALLEST = 2_000  # order of a matrix: below it the processor is done before torch is imported
_DENSE_BYTES = 1 << 30  # of the dense users of a Gram pass at one time
_LOW_BITS = np.uint32(0x1FFF)  # of float32, which a tensor core does not read
#: Dense multiply-adds of a device in the time of a sparse one of the processor: 2·10¹⁴ a second by the tensor
#: cores of a data centre's card, 10⁹ by each of some cores.
_DENSE_FOR_SPARSE = 2e4

_log = logging.getLogger(__name__)
_wanted: ContextVar[str | None] = ContextVar("isotherm_device", default=None)  # for a call
_held: ContextVar["Accelerator | None"] = ContextVar("isotherm_accelerator", default=None)  # without a choice


@contextmanager
def closed_forms_on(device: str | None) -> Iterator[None]:
    """Where the closed forms are computed while the block runs, in this thread.

    device: auto (on a CUDA device where there is one and the matrix fits), cpu or cuda; None for what holds
    already, ISOTHERM_DEVICE at first.
    Raises ParameterError for another word, and for cuda where there is none.
    """
    if device is not None and (not isinstance(device, str) or device not in DEVICES):
        raise ParameterError(f"device must be one of {', '.join(map(repr, DEVICES))}, not {brief(device)}")
    chosen = _wanted.set(device) if device is not None else None
    try:
        if _choice() == "cuda" and _held.get() is None:
            _found_or_refused()
        yield
    finally:
        if chosen is not None:
            _wanted.reset(chosen)


@contextmanager
def computing_on(accelerator: "Accelerator") -> Iterator[None]:
    """Hand everything that fits to this one while the block runs, however small it is."""
    held = _held.set(accelerator)
    try:
        yield
    finally:
        _held.reset(held)


def accelerator(n_bytes: float, order: int) -> "Accelerator | None":
    """Where to compute what takes so many bytes on the device, None for the processor.

    order: rows of the matrix; a small one is not worth the way.
    Raises ParameterError where cuda was asked for and the bytes do not fit.
    """
    held, choice = _held.get(), _choice()
    if choice == "cpu" or (held is None and order < _SMALLEST):
        return None
    found = held or _cuda()
    if found is None or n_bytes <= found.free_bytes():
        return found
    if choice == "cuda":
        raise ParameterError(
            f"device=cuda: a matrix of order {order:,} takes {n_bytes / 2**30:.1f} GiB there, and "
            f"{found.free_bytes() / 2**30:.1f} are free; use auto or cpu"
        )
    _log.info("order %s: %.1f GiB do not fit on the device; on the processor", f"{order:,}", n_bytes / 2**30)
    return None


def _choice() -> str:
    return _wanted.get() or device_setting()


def _found_or_refused() -> "Accelerator":
    found = _cuda()
    if found is None:
        raise ParameterError(
            "device=cuda: no CUDA device that torch can use was found; use auto or cpu "
            "(torch comes with pip install 'isotherm[vae]')"
        )
    return found


@cache
def _cuda() -> "Accelerator | None":
    """The CUDA device of this process, None where there is none; torch is imported only beside a driver."""
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return None
    try:
        import torch
    except ImportError:
        return None
    return Accelerator(torch.device("cuda")) if torch.cuda.is_available() else None


class Accelerator:
    """The dense passes on one torch device.

    device: of torch; "cpu" runs the same path on the processor, for tests.
    """

    def __init__(self, device: Any) -> None:
        import torch

        self._torch, self.device = torch, torch.device(device)

    def free_bytes(self) -> float:
        """Of the device's memory; no bound on the processor."""
        if self.device.type != "cuda":
            return float("inf")
        free, _ = self._torch.cuda.mem_get_info(self.device)
        held = self._torch.cuda.memory_reserved(self.device) - self._torch.cuda.memory_allocated(self.device)
        return float(free + held)

    def factorize(self, matrix: Array) -> int:
        """Replace a symmetric positive definite (n, n) matrix by L, lower, with L·Lᵀ = matrix.

        Returns 0, or the 1-based number of a pivot that is not positive: the matrix is then as it was.
        """
        factor, failed = self._cholesky(matrix)
        if not failed:
            self._bring(factor, matrix)
        return failed

    def invert(self, matrix: Array) -> int:
        """Replace a symmetric positive definite (n, n) matrix by its inverse; returns as ``factorize``."""
        factor, failed = self._cholesky(matrix)
        if not failed:
            inverse = self._torch.cholesky_inverse(factor)
            del factor
            self._bring(inverse, matrix)
        return failed

    def product(self, left: Array, right: Array) -> Array:
        """left · right of two dense matrices of one type."""
        out = np.empty((left.shape[0], right.shape[1]), dtype=left.dtype)
        self._bring(self._sent(left) @ self._sent(right), out)
        return out

    def add_gram(self, block: csr_array, total: Any) -> None:
        """total += BᵀB, on the device.  block: (n_users, n_items) CSR.  total: of ``zeros``."""
        n_items = block.shape[1]
        exact = block.data.dtype == np.float32 and not (block.data.view(np.uint32) & _LOW_BITS).any()
        n_users = max(_DENSE_BYTES // (total.element_size() * n_items), 1)
        with self._tensor_cores(exact):
            for first in range(0, block.shape[0], n_users):
                dense = self._dense(block[first : first + n_users], total.dtype)
                total.addmm_(dense.T, dense)

    def zeros(self, n: int, dtype: Any) -> Any:
        """(n, n) zeros on the device."""
        return self._torch.zeros((n, n), dtype=self._type(dtype), device=self.device)

    def bring(self, total: Any) -> Array:
        """A matrix of the device as an array."""
        return np.asarray(total.cpu().numpy())

    def _cholesky(self, matrix: Array) -> tuple[Any, int]:
        factor, info = self._torch.linalg.cholesky_ex(self._sent(matrix))
        return factor, int(info)

    def _dense(self, rows: csr_array, dtype: Any) -> Any:
        torch, device = self._torch, self.device
        dense = torch.zeros(rows.shape, dtype=dtype, device=device)
        users = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        where = [torch.from_numpy(np.asarray(part, np.int64)).to(device) for part in (users, rows.indices)]
        dense[where[0], where[1]] = torch.from_numpy(np.ascontiguousarray(rows.data)).to(device, dtype)
        return dense

    def _sent(self, matrix: Array) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(matrix)).to(self.device)

    def _bring(self, found: Any, out: Array) -> None:
        if out.flags.c_contiguous:
            self._torch.from_numpy(out).copy_(found)
        else:
            out[...] = found.cpu().numpy()

    def _type(self, dtype: Any) -> Any:
        return {4: self._torch.float32, 8: self._torch.float64}[np.dtype(dtype).itemsize]

    @contextmanager
    def _tensor_cores(self, exact: bool) -> Iterator[None]:
        """Products of float32 by tensor cores, which read 10 bits of a mantissa and add up in float32: for
        numbers that have no more."""
        products = self._torch.backends.cuda.matmul
        before, products.allow_tf32 = products.allow_tf32, exact
        try:
            yield
        finally:
            products.allow_tf32 = before


def gram_accelerator(block: csr_array, dtype: Any) -> Accelerator | None:
    """Where to add up BᵀB: on the device where its dense product is done before the sparse one here."""
    n_users, n_items = block.shape
    clicks = np.diff(block.indptr).astype(np.float64)
    if _held.get() is None and n_users * float(n_items) ** 2 > _DENSE_FOR_SPARSE * (clicks**2).sum() / 2:
        return None
    return accelerator(np.dtype(dtype).itemsize * float(n_items) ** 2 + 2 * _DENSE_BYTES, n_items)


def dense_product(left: Float32, right: Float32) -> Float32:
    """left · right of dense matrices (n, m) and (m, p), on the device where there is one.

    >>> import numpy as np
    >>> from isotherm.linalg.accelerator import dense_product
    >>> dense_product(np.float32([[1, 2]]), np.float32([[3], [4]]))
    array([[11.]], dtype=float32)
    """
    n_bytes = float(left.nbytes + right.nbytes + 4 * left.shape[0] * right.shape[1])
    work = float(left.shape[0]) * left.shape[1] * right.shape[1]
    found = accelerator(n_bytes, round(work ** (1 / 3)))  # of a square product of as many flops
    product: Float32 = left @ right if found is None else found.product(left, right)
    return product
