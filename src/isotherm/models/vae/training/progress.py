"""How far a training run is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isotherm.untrusted import Each, Number, Whole


@dataclass
class Progress:
    """How far a run is; with the weights and the optimizer's state, all that a resume needs.

    epoch, phase, batch: done, the last two within the running epoch.  sums: by term of the loss: its sum over
    users, and of how many.  users, seconds: of the running epoch.  best: of the validation metric; below 0:
    not measured yet.  validations_since_best: without a better one.  stopped: early.
    """

    epoch: int = 0
    phase: int = 0
    batch: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)
    users: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    validations_since_best: int = 0
    stopped: bool = False

    @property
    def position(self) -> tuple[int, int, int]:
        """Which step is next: the random numbers of a step are drawn by it."""
        return self.epoch, self.phase, self.batch

    def add(self, sums: Mapping[str, float], n_users: int, seconds: float) -> None:
        """Count a batch: the sum of each loss term over its users, and how long it took."""
        for name, value in sums.items():
            before, users = self.sums.get(name, (0.0, 0))
            self.sums[name] = [before + value, users + n_users]
        self.users += n_users
        self.seconds += seconds
        self.batch += 1

    def means(self) -> dict[str, float]:
        """Mean of each loss term over the users of the running epoch."""
        return {name: value / users for name, (value, users) in self.sums.items()}

    def users_per_second(self) -> float:
        """Of the running epoch."""
        return self.users / max(self.seconds, 1e-9)

    def measured(self, metric: float, patience: int) -> bool:
        """Note a validation; returns whether it is the best so far."""
        if metric > self.best:
            self.best, self.best_epoch, self.validations_since_best = metric, self.epoch, 0
            return True
        self.validations_since_best += 1
        self.stopped = self.validations_since_best >= patience
        return False

    def begin_epoch(self) -> None:
        """Forget what was counted in the last one."""
        self.sums, self.users, self.seconds = {}, 0, 0.0


#: schema of what a checkpoint says of Progress
SCHEMA: dict[str, Any] = {
    "epoch": Whole(),
    "phase": Whole(),
    "batch": Whole(),
    "sums": Each((Number(), Whole(1))),
    "users": Whole(),
    "seconds": Number(least=0),
    "best": Number(),
    "best_epoch": Whole(),
    "validations_since_best": Whole(),
    "stopped": bool,
}
