"""Runs compiled kernels over bands of rows on all cores.

Kernels are compiled with ``nogil=True`` and take ``(first, last, *arguments)``; a plain thread pool
is enough: it needs a fraction of the compile time of a parallel loop, and is safe inside a server's threads.
"""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any

from isotherm.errors import ParameterError, brief

_MAX_THREADS = 1024


@cache
def thread_count() -> int:
    """Cores this process may use, or ISOTHERM_THREADS where it is set.

    Raises ParameterError where that is no whole number from 1 to 1024.
    """
    setting = os.environ.get("ISOTHERM_THREADS", "").strip()
    if not setting:
        return len(_affinity())
    count = int(setting) if setting.isascii() and setting.isdigit() and len(setting) <= 4 else 0
    if not 1 <= count <= _MAX_THREADS:
        raise ParameterError(
            f"ISOTHERM_THREADS is {brief(setting)}: give a whole number from 1 to {_MAX_THREADS}, "
            "or leave it out for all cores that this process may use"
        )
    return count


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    # keyed by process id: a forked child must not wait for its parent's threads
    return ThreadPoolExecutor(thread_count(), thread_name_prefix="isotherm")


def run_bands(
    kernel: Callable[..., Any],
    n: int,
    *arguments: Any,
    smallest: int = 1,
    advance: Callable[[float], None] | None = None,
) -> list[Any]:
    """Call ``kernel(first, last, *arguments)`` over bands that cover range(n); return the results in order.

    smallest: rows of a band at least; with fewer than two bands the kernel runs in the calling thread.
    advance: told of the rows that are done.
    """
    bands = min(8 * thread_count(), n // max(smallest, 1))
    if bands < 2:
        results = [kernel(0, n, *arguments)]
        if advance is not None:
            advance(n)
        return results
    edges = [n * b // bands for b in range(bands + 1)]
    # with the caller's context: a kernel that is compiled here says so to whoever watches the caller
    submit = _pool(os.getpid()).submit
    jobs = [submit(copy_context().run, kernel, a, b, *arguments) for a, b in itertools.pairwise(edges)]
    results = []
    for job, (a, b) in zip(jobs, itertools.pairwise(edges), strict=True):
        results.append(job.result())
        if advance is not None:
            advance(b - a)
    return results
