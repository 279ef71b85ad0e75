"""Where training runs: the device, and the precision of its products."""

import torch

from isotherm.errors import ParameterError
from isotherm.launcher import Launched


def chosen_device(wanted: str, process: Launched) -> torch.device:
    """The device of training, on a machine of several processes one for each. Raises ParameterError."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        wanted = "cuda" if cuda else "mps" if mps else "cpu"
    if (wanted == "cuda" and not cuda) or (wanted == "mps" and not mps):
        raise ParameterError(f"training.device={wanted}: this torch finds no such device; use auto or cpu")
    if wanted != "cuda":
        return torch.device(wanted)
    n_devices = torch.cuda.device_count()
    if process.local_rank >= n_devices:
        raise ParameterError(
            f"LOCAL_RANK={process.local_rank}, but this machine has {n_devices} CUDA devices: "
            "start one process a device, or set training.device=cpu"
        )
    return torch.device("cuda", process.local_rank)


def chosen_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The type of the item-wide products: bfloat16 where the processor multiplies in it, else float32."""
    if wanted == "auto":
        fast = {
            "cpu": getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False),
            "cuda": torch.cuda.is_bf16_supported,
        }.get(device.type, lambda: False)()
        wanted = "bfloat16" if fast else "float32"
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32
