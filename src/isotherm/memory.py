"""How much memory this process may use, and how large a block of scores may be."""

import os
from functools import cache
from pathlib import Path

from isotherm.errors import ParameterError

_SCORE_BYTES = 64 * 2**20
_CONTROL_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@cache
def memory_limit() -> float:
    """Bytes: the least of machine, container and ``ulimit -v``; infinity where unknown."""
    found = [float("inf")]
    if hasattr(os, "sysconf"):
        found.append(float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES"))
    for file in map(Path, _CONTROL_GROUPS):
        text = file.read_text().strip() if file.is_file() else ""
        if text.isdecimal():
            found.append(float(text))
    try:
        import resource
    except ImportError:  # not on Windows
        return min(found)
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        found.append(float(address_space))
    return min(found)


def check_memory(n_bytes: float, what: str, cure: str) -> None:
    """Raise ParameterError where ``what`` cannot fit into memory: nothing has been allocated yet."""
    if n_bytes > memory_limit():
        raise ParameterError(
            f"{what} takes {_gigabytes(n_bytes)} at least, and {_gigabytes(memory_limit())} is all there is; "
            f"{cure}"
        )


def users_per_block(n_items: int) -> int:
    """Users to score at one time, so that their dense scores stay within 64 MiB."""
    return min(max(_SCORE_BYTES // (4 * max(n_items, 1)), 32), 4096)


def _gigabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB"
