"""The processes that share a training: each takes its share of a batch's users, and gradients are summed."""

from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import Tensor

from isotherm.errors import ParameterError, TrainingError
from isotherm.launcher import Launched, launched
from isotherm.models.vae.training.devices import chosen_device


@dataclass(frozen=True)
class Processes:
    """rank: of this process among ``world_size``.  device: on which it computes."""

    rank: int
    world_size: int
    device: torch.device

    @classmethod
    def joined(cls, wanted_device: str) -> "Processes":
        """Meet the others, where there are some. Raises ParameterError, TrainingError."""
        process = launched()
        device = chosen_device(wanted_device, process)
        _join(process, device)
        return cls(process.rank, process.world_size, device)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that speaks and saves."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other."""
        return self.world_size == 1

    def share(self, n: int) -> tuple[int, int]:
        """First and end of this process's users among the ``n`` of a batch."""
        return n * self.rank // self.world_size, n * (self.rank + 1) // self.world_size

    def sum(self, values: Tensor) -> None:
        """Add up, in place, what each process has."""
        if not self.is_alone:
            distributed.all_reduce(values)

    def from_first(self, value: float) -> float:
        """The first process's value."""
        if self.is_alone:
            return value
        sent = torch.tensor([value], dtype=torch.float64)
        if self.device.type == "cuda":
            sent = sent.to(self.device)
        distributed.broadcast(sent, 0)
        return float(sent.item())


def _join(process: Launched, device: torch.device) -> None:
    if process.world_size == 1 or distributed.is_initialized():
        return
    if device.type == "mps":
        raise ParameterError("training.device=mps trains in one process; unset WORLD_SIZE, or use cpu")
    try:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as cause:
        raise TrainingError(
            f"process {process.rank} of {process.world_size} cannot meet the others ({_first_line(cause)}); "
            "unset WORLD_SIZE to train in one process, or start them with torchrun"
        ) from cause


def _first_line(cause: Exception) -> str:
    """The beginning of what torch says, which may be pages."""
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
