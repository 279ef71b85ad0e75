"""What torch's launcher says in the environment: how many processes share a training, and which this one is.

RANK and LOCAL_RANK are read only where WORLD_SIZE says that there are several: shells and job systems leave
them behind, and a process that is alone must not stay silent because of one.
"""

import os
from dataclasses import dataclass

from isotherm.errors import ParameterError

_CURE = "unset WORLD_SIZE to train in one process, or start the processes with torchrun"


@dataclass(frozen=True)
class Launched:
    """rank: of this process among ``world_size``; the first, 0, reports and saves.

    local_rank: among those on its machine.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0


def launched() -> Launched:
    """This process among those that share a training, alone where nothing was launched.

    Raises ParameterError where WORLD_SIZE cannot be read, or says several and the rest does not fit to it.
    """
    world_size = _number("WORLD_SIZE", "1", 1, None)
    if world_size == 1:
        return Launched()
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise ParameterError(
                f"WORLD_SIZE={world_size} in the environment, but {name} is not set: {_CURE}"
            )
    _number("MASTER_PORT", "", 0, 2**16)
    rank, local_rank = _number("RANK", "", 0, world_size), _number("LOCAL_RANK", "0", 0, world_size)
    return Launched(rank, world_size, local_rank)


def _number(name: str, default: str, least: int, bound: int | None) -> int:
    """A variable of the environment as a whole number in [least, bound)."""
    text = os.environ.get(name, "").strip() or default
    if text.isascii() and text.isdigit() and len(text) < 10:
        number = int(text)
        if number >= least and (bound is None or number < bound):
            return number
    wanted = f"of at least {least}" if bound is None else f"from {least} to {bound - 1}"
    raise ParameterError(f"{name}={text[:40]} in the environment is not a whole number {wanted}: {_CURE}")
