"""LAPACK's Cholesky factor (potrf) and the inverse by it (potri), in place, while other threads go on.

SciPy's wrappers hold the interpreter's lock for the whole call: minutes at order 16,000, in which no thread
can say how far a fit is. ctypes gives the lock away, so the same routines are called through the pointers
that SciPy exports for Cython.
"""

import ctypes
import re
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.linalg import cython_lapack, lapack

from isotherm.types import Array

_INT = ctypes.POINTER(ctypes.c_int)
_ROUTINE = ctypes.CFUNCTYPE(None, ctypes.c_char_p, _INT, ctypes.c_void_p, _INT, _INT)
#: uplo, n, a, lda, info: integers of C's int, and a pointer to the real type of the routine
_SIGNATURE = re.compile(rb"void \(char \*, int \*, \w+_([sd]) \*, int \*, int \*\)")
_name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
_address_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def potrf(matrix: Array, lower: bool) -> int:
    """Factorize a symmetric positive definite (n, n) matrix, float32 or float64, in place.

    matrix: C order, contiguous.  lower: which triangle of ``matrix.T``, LAPACK's order, is read and replaced;
    the other one stays as it is.
    Returns 0, or the 1-based number of the first pivot that is not positive.
    """
    return _run("potrf", matrix, lower)


def potri(factor: Array, lower: bool) -> int:
    """Replace the triangle that ``potrf`` left by that of the inverse, in place; as there."""
    return _run("potri", factor, lower)


def _run(name: str, matrix: Array, lower: bool) -> int:
    routine = pointer(("s" if matrix.dtype == np.float32 else "d") + name)
    if routine is None or not matrix.flags.c_contiguous:
        return _run_wrapped(name, matrix, lower)
    n, leading, info = ctypes.c_int(len(matrix)), ctypes.c_int(max(len(matrix), 1)), ctypes.c_int()
    routine(b"L" if lower else b"U", n, matrix.ctypes.data, leading, info)
    return info.value


def _run_wrapped(name: str, matrix: Array, lower: bool) -> int:
    """By SciPy's wrapper, which holds the interpreter's lock."""
    (routine,) = lapack.get_lapack_funcs((name,), (matrix,))
    settings = {"clean": False, "overwrite_a": True} if name == "potrf" else {"overwrite_c": True}
    result, info = routine(matrix.T, lower=lower, **settings)
    if not np.shares_memory(result, matrix):
        matrix.T[...] = result
    return int(info)


@cache
def pointer(name: str) -> Callable[..., None] | None:
    """A routine such as spotrf, called without the interpreter's lock; None where SciPy has no such one.

    Its integers must be C's int: another width is not used.
    """
    capsule = getattr(cython_lapack, "__pyx_capi__", {}).get(name)
    if capsule is None:
        return None
    signature = _name_of(capsule)
    of_type = _SIGNATURE.fullmatch(signature or b"")
    if of_type is None or of_type[1].decode() != name[0]:
        return None
    return _ROUTINE(_address_in(capsule, signature))
