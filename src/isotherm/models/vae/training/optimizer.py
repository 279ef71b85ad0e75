"""Adam with decoupled weight decay for all that learns: dense weights by torch, item tables in place.

On one CPU process and without clipping an item table is updated within the backward pass
(``network.in_place_adam``), and its gradient never exists. Elsewhere torch's fused AdamW takes every weight.
"""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from isotherm.models.vae.network.in_place_adam import InPlaceAdam
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.training.processes import Processes
from isotherm.models.vae.training.settings import Training
from isotherm.state import arrays_under


class Optimizer:
    """AdamW (Loshchilov & Hutter 2019) over the weights of some modules that learn.

    modules: by name; one without a weight that requires a gradient is left as it is.
    sparse_updates: rows of item tables without a click in the batch rest (see ``InPlaceAdam``).
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        settings: Training,
        processes: Processes,
        sparse_updates: bool,
    ) -> None:
        self._processes, self._clip = processes, settings.clip
        rate, decay = settings.learning_rate, settings.weight_decay
        learners = nn.ModuleDict(
            {
                name: module
                for name, module in modules.items()
                if any(weight.requires_grad for weight in module.parameters())
            }
        )
        self._tables: dict[str, ItemTable] = {}
        self._in_place: dict[str, InPlaceAdam] = {}
        if processes.device.type == "cpu" and processes.is_alone and settings.clip is None:
            for name, module in learners.named_modules():
                if isinstance(module, ItemTable):
                    self._tables[f"{name}.weight"] = module
                    module.in_place = InPlaceAdam(module.weight, rate, decay, sparse_updates)
                    self._in_place[f"{name}.weight"] = module.in_place
        self._dense = {name: w for name, w in learners.named_parameters() if w.requires_grad}
        self._adam = torch.optim.AdamW(list(self._dense.values()), lr=rate, weight_decay=decay, fused=True)

    def hold(self, weights: Iterable[nn.Parameter]) -> None:
        """Let these rest and all others learn, until the next call."""
        held = {id(weight) for weight in weights}
        for weight in self._dense.values():
            weight.requires_grad_(id(weight) not in held)
        for name, adam in self._in_place.items():
            adam.held = id(self._tables[name].weight) in held

    def step(self, loss: Tensor) -> None:
        """One update of what is not held, by the gradient of a number; summed over the processes."""
        for weight in self._dense.values():
            weight.grad = None
        for adam in self._in_place.values():
            adam.steps += not adam.held
        loss.backward()
        for weight in self._dense.values():
            if weight.grad is not None:
                self._processes.sum(weight.grad)
        if self._clip is not None:
            nn.utils.clip_grad_norm_(list(self._dense.values()), self._clip)
        self._adam.step()

    def release(self) -> None:
        """Training is done: no backward pass changes an item table any more."""
        for table in self._tables.values():
            table.in_place = None

    def weights_replaced(self) -> None:
        """Renew what follows from the weights: they were set from outside."""
        for adam in self._in_place.values():
            adam.weights_replaced()

    def steps(self) -> dict[str, int]:
        """Steps of each item table that is updated in place; those of the others are in ``state``."""
        return {name: adam.steps for name, adam in self._in_place.items()}

    def state(self) -> dict[str, Tensor]:
        """What Adam remembers, WEIGHT/exp_avg and so on, torch's words; nothing of what never learned."""
        arrays = self.table_state()
        for name, weight in self._dense.items():
            arrays |= _named(name, self._adam.state.get(weight, {}))
        return arrays

    def table_state(self) -> dict[str, Tensor]:
        """The same of item tables that are updated in place, which is there from the start."""
        arrays: dict[str, Tensor] = {}
        for name, adam in self._in_place.items():
            arrays |= _named(name, {"exp_avg": adam.exp_avg, "exp_avg_sq": adam.exp_avg_sq})
        return arrays

    def possible_states(self) -> Iterator[dict[str, Tensor]]:
        """Arrays like those of each other weight: a state holds all of them, or none."""
        for name, weight in self._dense.items():
            yield _named(name, {"step": torch.zeros(()), "exp_avg": weight, "exp_avg_sq": weight})

    def restore(self, arrays: Mapping[str, Tensor], steps: Mapping[str, int]) -> None:
        """The inverse of ``state`` and ``steps``."""
        device = self._processes.device
        for name, weight in self._dense.items():
            if remembered := arrays_under(arrays, f"{name}/"):
                self._adam.state[weight] = {
                    key: array if key == "step" and device.type == "cpu" else array.to(device)
                    for key, array in remembered.items()
                }
        for name, adam in self._in_place.items():
            adam.exp_avg.copy_(arrays[f"{name}/exp_avg"])
            adam.exp_avg_sq.copy_(arrays[f"{name}/exp_avg_sq"])
            adam.steps = steps[name]


def _named(name: str, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}/{key}": array for key, array in arrays.items()}
