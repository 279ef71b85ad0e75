"""Where training runs: device, precision of the products, and the processes that share it."""

import os

import torch
import torch.distributed as distributed

from isotherm.errors import ParameterError


def chosen_device(wanted: str) -> torch.device:
    """The device of training. Raises ParameterError where it is not there."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        wanted = "cuda" if cuda else "mps" if mps else "cpu"
    if (wanted == "cuda" and not cuda) or (wanted == "mps" and not mps):
        raise ParameterError(f"training.device={wanted}: this torch finds no such device; use auto or cpu")
    if wanted == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device(wanted)


def chosen_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The type of the item-wide products: bfloat16 where the processor multiplies in it, else float32."""
    if wanted == "auto":
        fast = {
            "cpu": getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False),
            "cuda": torch.cuda.is_bf16_supported,
        }.get(device.type, lambda: False)()
        wanted = "bfloat16" if fast else "float32"
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def processes() -> tuple[int, int]:
    """This process's rank and how many there are, as torch's launcher says."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", 0)), world
