"""The average of a network's weights over the steps of its training (Polyak & Juditsky 1992), exponential."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """arrays: the average of each weight, by name; empty where none is kept.

    decay: the share of the average that a step leaves; 0 keeps none.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module, self._decay = module, decay
        self.arrays: dict[str, Tensor] = {}
        if decay:
            self.arrays = {name: weight.clone() for name, weight in module.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights as they are after the step with this number, from 0."""
        if self.arrays:
            decay = min(self._decay, (1 + step) / (10 + step))  # where it began is soon forgotten
            weights = list(self._module.state_dict().values())
            torch._foreach_lerp_(list(self.arrays.values()), weights, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The average stands in the module's place meanwhile."""
        if not self.arrays:
            yield
            return
        weights = {name: weight.clone() for name, weight in self._module.state_dict().items()}
        self.put()
        try:
            yield
        finally:
            self._module.load_state_dict(weights)

    def put(self) -> None:
        """Let the average be the module's weights."""
        if self.arrays:
            self._module.load_state_dict(self.arrays)
