"""All that training changes, as it is written to a checkpoint and read back."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch
from torch import Tensor, nn

from isotherm.models.vae.training.averaging import WeightAverage
from isotherm.models.vae.training.optimizer import Optimizer
from isotherm.models.vae.training.progress import SCHEMA, Progress
from isotherm.models.vae.training.run_folder import RunFolder
from isotherm.state import arrays_under
from isotherm.untrusted import Whole


class RunState:
    """The weights of the modules, their average and the best so far, the optimizer's state, and the progress.

    A checkpoint's arrays are ``now/``, ``average/``, ``best/`` and ``adam/``, and then a weight's name.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        average: WeightAverage,
        optimizer: Optimizer,
        device: torch.device,
    ) -> None:
        self.modules, self.average, self.optimizer, self.device = modules, average, optimizer, device
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def weights(self) -> dict[str, Tensor]:
        """Every weight, MODULE/NAME."""
        return {
            f"{name}/{key}": array
            for name, module in self.modules.items()
            for key, array in module.state_dict().items()
        }

    def load_weights(self, arrays: Mapping[str, Tensor]) -> None:
        """The inverse of ``weights``."""
        for name, module in self.modules.items():
            module.load_state_dict(arrays_under(arrays, f"{name}/"))
        self.optimizer.weights_replaced()

    def keep_as_best(self) -> None:
        """Copy the weights as they are."""
        self.best = {name: array.clone() for name, array in self.weights().items()}

    def arrays(self) -> dict[str, Tensor]:
        """All that the next step reads and is no part of the progress."""
        averages = _under("average", self.average.arrays)
        return _under("now", self.weights()) | averages | _under("adam", self.optimizer.state())

    def save(self, folder: RunFolder) -> None:
        """Replace the checkpoint."""
        document = {"progress": asdict(self.progress), "table_steps": self.optimizer.steps()}
        folder.save(self.arrays() | _under("best", self.best), document)

    def resume(self, folder: RunFolder) -> bool:
        """Take the checkpoint back; False where there is none. Raises TrainingError."""
        schema = {"progress": SCHEMA, "table_steps": dict.fromkeys(self.optimizer.steps(), Whole())}
        checkpoint = folder.load(schema, self._groups())
        if checkpoint is None:
            return False
        arrays, document = checkpoint
        self.progress = Progress(**document["progress"])
        self.load_weights(arrays_under(arrays, "now/"))
        for name, array in arrays_under(arrays, "average/").items():
            self.average.arrays[name].copy_(array)
        self.best = {name: array.to(self.device) for name, array in arrays_under(arrays, "best/").items()}
        self.optimizer.restore(arrays_under(arrays, "adam/"), document["table_steps"])
        return True

    def _groups(self) -> Iterator[dict[str, Tensor]]:
        """What a checkpoint holds: weights, averages, item tables; the best; what Adam has of each other."""
        weights = self.weights()
        averages = _under("average", self.average.arrays)
        yield _under("now", weights) | averages | _under("adam", self.optimizer.table_state())
        yield _under("best", weights)
        for arrays in self.optimizer.possible_states():
            yield _under("adam", arrays)


def _under(prefix: str, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
