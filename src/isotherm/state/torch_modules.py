"""The learned state of a torch network: its parameters, whose names and shapes it declares itself."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from isotherm.state import Dense, Field, Stateful
from isotherm.untrusted import DamagedError

Network = TypeVar("Network", bound="StatefulModule")


class StatefulModule(Stateful, nn.Module):
    """A network that is saved as the float32 arrays of its ``state_dict``."""

    @property
    def learned(self) -> Iterator[Field]:
        """Each parameter."""
        for name, tensor in self.state_dict().items():
            yield Dense(name, np.float32, tuple(tensor.shape))

    def learned_value(self, name: str) -> Any:
        """A parameter."""
        return self.state_dict()[name].numpy()

    def set_learned_value(self, name: str, value: Any) -> None:
        """Let a parameter be this array."""
        self.load_state_dict({name: torch.from_numpy(value)}, strict=False, assign=True)

    def restored(self) -> None:
        """No more training."""
        self.eval().requires_grad_(False)


def without_weights(build: Callable[[], Network]) -> Network:
    """A network that knows the shapes of its parameters and has no memory for them yet.

    Raises DamagedError where the sizes are beyond what an array can have.
    """
    try:
        with torch.device("meta"):
            return build()
    except (RuntimeError, TypeError, OverflowError) as cause:  # what torch says of sizes past 64 bits
        raise DamagedError("its network is too large for any machine") from cause
